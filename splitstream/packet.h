/* Media packets: what Scribe carries for a station (DESIGN section 8). A
 * packet is drafted (all that is signed), then signed alone or with the
 * others of its burst, and verified by everybody before it is forwarded.
 *
 * Numbers. Data packets are numbered n = 0, 1, ... in a session; with m
 * parity stripes, data packet n travels on stripe n mod (16-m) as sequence
 * n / (16-m), and parity packet j of row r on stripe 16-m+j as sequence r.
 * So stripe and sequence, which the signature covers, say the number.
 *
 * Times on the wire are media time: nanoseconds since the session's start
 * here, 256 us or 1 us modulo 2^32 in a packet. Pure. */
#pragma once

#include <glib.h>

#include "base/signer.h"
#include "base/time.h"
#include "splitstream/merkle.h"
#include "splitstream/messages.h"
#include "splitstream/station.h"

/* A parity packet over the longest data packet fits a Scribe packet: 81 bytes
 * of its own, a path of 4 nodes, 2 for the length in each shard. */
#define SS_PACKET_DATA_MAX 1032
/* Packets under one signature; the path is at most 4 nodes. */
#define SS_PACKET_BURST_MAX 16
/* All of a draft: leaves room for the path. */
#define SS_PACKET_DRAFT_MAX  (SS_PACKET_DATA_MAX - 4 * SS_MERKLE_NODE_LEN)
#define SS_PACKET_FRAMES_MAX 255
/* The longest frame: it may take many packets. */
#define SS_FRAME_BYTES_MAX (256 * 1024)

enum {
  SS_PACKET_FLAG_TAIL = 0x01,
  SS_PACKET_FLAG_HEAD = 0x02,
  SS_PACKET_FLAG_HEADERS = 0x04,
  SS_PACKET_FLAG_END = 0x08,
  SS_PACKET_FLAG_LONG = 0x10,
  SS_PACKET_FLAGS = 0x1f,
  SS_PACKET_PARITY_SHIFT = 5,
};

/* One packet, parsed. Views point into the packet's bytes. */
typedef struct {
  bool is_parity;
  uint32_t session;
  uint8_t parity_count; /* m */
  uint32_t departure;   /* as on the wire */
  /* data */
  uint16_t row_low; /* 12 bits */
  uint8_t index;
  uint8_t flags; /* without m */
  uint8_t header_version;
  uint32_t timestamp; /* as on the wire */
  uint32_t frame_number;
  unsigned n_frames; /* parts in the payload */
  uint16_t lens[SS_PACKET_FRAMES_MAX + 1];
  uint32_t durations[SS_PACKET_FRAMES_MAX + 1];
  SsWireBytes payload; /* parity: the shard */
  /* parity */
  uint32_t first;
  uint8_t n_data;
  /* the signature's part */
  uint8_t signature[SS_SIGNATURE_LEN];
  unsigned leaf, depth;
  SsMerkleNode path[SS_MERKLE_DEPTH_MAX];
  size_t signed_offset; /* where the signed bytes begin */
} SsPacket;

/* Times. The one nearest to `near` is taken. */
uint32_t ss_packet_departure_to_wire (SsTime media_time);
uint32_t ss_packet_timestamp_to_wire (SsTime media_time);
SsTime ss_packet_departure (uint32_t wire, SsTime near);
SsTime ss_packet_timestamp (uint32_t wire, SsTime near);

/* Strict: false for anything that ss_packet_sign would not have made. */
bool ss_packet_parse (const uint8_t *data, size_t len, SsPacket *ret_packet);

/* A draft is an encoded packet whose signature and path are empty. */
GBytes *ss_packet_draft_data (const SsMsgMediaData *message);
GBytes *ss_packet_draft_parity (const SsMsgMediaParity *message);

typedef struct {
  GBytes *draft; /* owned; ss_packet_sign replaces it by the packet */
  uint8_t stripe;
  uint32_t sequence;
} SsPacketDraft;

/* Signs n drafts in groups of at most SS_PACKET_BURST_MAX (or fewer, if
 * burst_max is less but at least 1): each draft becomes its packet. */
void ss_packet_sign (const SsSigner *signer, SsPacketDraft *drafts, unsigned n,
                     unsigned burst_max);

/* Bursts lately verified: their other packets cost only hashes. */
#define SS_PACKET_TOPS 8
typedef struct {
  struct {
    bool used;
    uint8_t signature[SS_SIGNATURE_LEN];
    SsMerkleKnown tree;
  } tops[SS_PACKET_TOPS];
  unsigned next;
  uint64_t n_verified; /* signatures checked */
} SsPacketTops;

/* Is this the station's own packet of that stripe and sequence? A memo is that
 * of these very bytes; NULL: there is none. */
bool ss_packet_verify (SsPacketTops *tops, const SsKey *key, unsigned stripe,
                       uint32_t sequence, const SsPacket *packet,
                       const uint8_t *data, size_t len, SsMemo *memo);
