/* A station: one live stream striped over SS_STRIPES Scribe groups, with
 * parity, signatures, ordering and deadlines (SplitStream, SOSP 2003; DESIGN
 * section 8). The same object serves the three roles: the publisher cuts
 * frames into signed packets and rows; a listener puts them in order and
 * gives frames out at source time + latency; a relay only verifies and
 * forwards. */
#pragma once

#include "base/env.h"
#include "base/frame.h"
#include "base/signer.h"
#include "overlay/kbr.h"
#include "scribe/scribe.h"
#include "splitstream/arrivals.h"

/* What a packet of a stripe has around it on the wire: the link's header and
 * tag, its frame's type and sequence, Scribe's type, tag and sequence. */
#define SS_STRIPE_WIRE_OVERHEAD (29 + 3 + 10)

#define SS_STRIPES          16
#define SS_PARITY_MAX       4
#define SS_STATION_NAME_MAX 64
#define SS_LATENCY_DEFAULT  (1500 * SS_MSEC)
#define SS_LATENCY_MIN      (200 * SS_MSEC)
#define SS_LATENCY_MAX      (60 * SS_SEC)

typedef struct SsSplitStream SsSplitStream;
typedef struct SsStation SsStation;

typedef enum {
  SS_ROLE_PUBLISHER,
  SS_ROLE_LISTENER,
  SS_ROLE_RELAY
} SsStationRole;

/* What a JOIN carries (Scribe's info), so that any node can check that a
 * stripe's id belongs to the key, and then verify packets. */
typedef struct {
  SsKey key;
  char name[SS_STATION_NAME_MAX + 1];
  uint64_t salt;
  uint8_t parity; /* m: stripes 16-m.. carry parity */
  SsTime latency;
} SsStationParams;

/* groupId = BLAKE2b-160 (fingerprint || name). */
SsId ss_station_group_id (const SsKey *key, const char *name);
SsId ss_station_stripe_id (const SsId *group_id, uint64_t salt,
                           unsigned stripe);

/* One version of codec headers as the descriptor names it. */
typedef struct {
  uint8_t version;
  SsCodec codec;
  uint32_t clock_rate;
  uint32_t len; /* of the serialised headers */
  SsId hash;    /* BLAKE2b-160 of them */
} SsHeaderRef;

#define SS_HEADER_REFS_MAX 4 /* the newest versions, newest last */

/* The descriptor of a station: signed by its key, in the store. */
typedef struct {
  SsStationParams params;
  uint32_t session;                  /* UNIX seconds of the start; only grows */
  char title[129], description[257]; /* UTF-8, cut */
  unsigned n_headers;
  SsHeaderRef headers[SS_HEADER_REFS_MAX];
  SsPeerRecord publisher; /* whom a second broadcaster asks if it lives */
} SsDescriptor;

size_t ss_descriptor_encode (const SsDescriptor *descriptor, uint8_t *ret,
                             size_t cap);
bool ss_descriptor_decode (const uint8_t *data, size_t len, SsDescriptor *ret);

typedef struct {
  /* listener: codec headers of a version, before its first frame. Borrowed. */
  void (*headers) (void *user, SsStation *station,
                   const SsCodecHeaders *headers);
  /* listener: a frame whose time has come, in order. Borrowed. */
  void (*frame) (void *user, SsStation *station, const SsFrame *frame);
  /* listener: nothing new from the publisher for SS_STATION_SILENCE (true),
   * and when it speaks again (false). */
  void (*silent) (void *user, SsStation *station, bool silent);
  /* listener: the station has ended in an orderly way and all is played. */
  void (*ended) (void *user, SsStation *station);
  /* listener: packets name a header version or session that the descriptor
   * does not; fetch a newer descriptor (then ss_station_set_descriptor).
   * publisher: packets of a newer session come; see whose. */
  void (*need_descriptor) (void *user, SsStation *station);
  /* publisher: the descriptor (header versions) changed; store it again. */
  void (*descriptor) (void *user, SsStation *station, const SsDescriptor *d);
} SsStationUpcalls;

#define SS_STATION_SILENCE (2 * SS_SEC)
#define SS_STATION_BEACON  (500 * SS_MSEC) /* publisher's idle packets */

#define SS_CHILDREN_UNBOUNDED UINT16_MAX

/* A station by its name, and by its key if that is said. */
typedef struct {
  char name[SS_STATION_NAME_MAX + 1];
  bool has_fingerprint;
  SsId fingerprint;
} SsRelayed;

#define SS_RELAYED_MAX 16

typedef struct {
  bool is_relay;            /* volunteers to forward */
  const SsRelayed *relayed; /* these stations only (copied); */
  unsigned n_relayed;       /*   none named: any */
  /* Over all stripes of a station this node has no more children than these;
   * 0: what its own rule says. */
  unsigned children_max;
  uint64_t upload_bps; /* from which that rule starts; 0: no cap */
} SsSplitStreamConfig;

SsSplitStream *ss_splitstream_new (SsEnv *env, SsKbr *kbr,
                                   const SsSplitStreamConfig *config,
                                   const SsStationUpcalls *upcalls, void *user);
void ss_splitstream_free (SsSplitStream *splitstream);
void ss_splitstream_timer (SsSplitStream *splitstream, SsTimer *timer);
void
ss_splitstream_leave (SsSplitStream *splitstream); /* orderly, all groups */
/* Does anybody still take packets from this node, if only until it has
 * another parent? */
bool ss_splitstream_is_serving (const SsSplitStream *splitstream);

/* publisher. session: see SsDescriptor. */
SsStation *ss_station_publish (SsSplitStream *splitstream,
                               const SsStationParams *params,
                               const uint8_t seed[SS_SEED_LEN],
                               uint32_t session, const char *title,
                               const char *description);
/* Publisher: makes the descriptor anew, with the address that this node has
 * now; nothing before the first headers, which do so by themselves. */
void ss_station_announce (SsStation *station);
/* Starts a new header version (copied); its frames follow. */
void ss_station_push_headers (SsStation *station,
                              const SsCodecHeaders *headers);
/* A frame at its source time (= now); version and number are filled in here;
 * its data is referenced. Larger frames than a packet are split. */
void ss_station_push_frame (SsStation *station, const SsFrame *frame);
/* Orderly end: flushes, closes the row, sends the signed end mark until the
 * roots have it. ss_station_is_drained says when all is acknowledged. */
void ss_station_end (SsStation *station);
bool ss_station_is_drained (const SsStation *station);

/* listener. buffer: added to the station's latency. */
SsStation *ss_station_listen (SsSplitStream *splitstream,
                              const SsDescriptor *descriptor, SsTime buffer);
/* listener: as ss_station_listen, but it carries nobody, unless it has to, as a
 * stripe's root. */
SsStation *ss_station_watch (SsSplitStream *splitstream,
                             const SsDescriptor *descriptor);
void ss_station_set_descriptor (SsStation *station,
                                const SsDescriptor *descriptor);
void ss_station_close (SsStation *station); /* leaves the groups */

SsSplitStream *ss_station_splitstream (const SsStation *station);

typedef struct {
  SsContact parent; /* key all zero: none */
  SsContact root;
  bool in_tree, is_root;
  bool homeless; /* no place for long; tried again, and fetched meanwhile */
  unsigned children;
  SsTime lag; /* smoothed delay behind the quickest stripe */
  uint64_t received, lost, reparented;
  SsTime pause; /* the longest time between two packets so far */
} SsStripeStats;

typedef struct {
  SsStationParams params;
  SsStationRole role;
  uint32_t session;
  uint64_t rows;                     /* rows completed */
  uint64_t packets_sent;             /* publisher: data and parity packets; */
  uint64_t data_packets, data_bytes; /* of them, and as they are: data */
  uint64_t payload_bytes;            /* codec payload bytes in or out */
  uint64_t packets_received, packets_duplicate, packets_retransmitted,
      packets_from_parity, packets_lost, packets_rejected;
  uint64_t frames_out, frames_lost;
  SsTime tune_in;  /* listen call to first frame; -1: not yet */
  SsTime latency;  /* source time to output, as estimated */
  SsTime buffered; /* playable ahead */
  /* When media time was 0 by this node's clock, SS_NEVER if that is not
   * known. A listener's is later by its quickest packet's way. */
  SsTime media_origin;
  SsArrivals arrivals;             /* listener; and of it: */
  SsTime arrival_p50, arrival_p99; /* ss_arrivals_quantile */
  bool silent, ended;
  SsStripeStats stripes[SS_STRIPES];
} SsStationStats;

void ss_station_stats (const SsStation *station, SsStationStats *ret_stats);
unsigned ss_splitstream_n_stations (const SsSplitStream *splitstream);
SsStation *ss_splitstream_station (const SsSplitStream *splitstream,
                                   unsigned i);
