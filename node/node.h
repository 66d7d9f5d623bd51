/* One node: link, overlay, store, Scribe and SplitStream composed into one
 * object driven from outside (DESIGN section 3). The only entry to the core
 * for net/, sim/ and the programs. No clock, no I/O, no entropy: the driver
 * says what time it is, hands datagrams in and takes datagrams out.
 *
 * Driver's loop: after any call that changes state, drain ss_node_output and
 * ss_node_event until empty, then wait for input or ss_node_deadline.
 *
 * An application besides the node's own (examples/) registers with its kbr.
 * The driver ticks the node before it calls the application, so that it knows
 * the time, and drains it after that. */
#pragma once

#include "base/env.h"
#include "base/frame.h"
#include "overlay/link/link.h"
#include "splitstream/station.h"
#include "store/store.h"

typedef struct SsNode SsNode;

typedef struct {
  uint8_t identity_seed[32]; /* Ed25519 seed with the work done */
  uint8_t realm_key[32];     /* all zero: the open network */
  bool is_relay;             /* ss-node: volunteers to forward */
  const SsRelayed *relayed;  /* these stations only (copied); none: any */
  unsigned n_relayed;
  SsAddr advertise;      /* unset: the address that peers observe */
  uint64_t upload_bps;   /* 0: no cap */
  unsigned children_max; /* of SsSplitStreamConfig */
  const SsAddr *machine; /* the machine's IP addresses (copied): there */
  unsigned n_machine;    /*   many nodes may be, behind one address */
  SsTime wall_offset;    /* UNIX ns = now + wall_offset */
  uint64_t last_handshake_ns;
  bool is_fresh;        /* the identity was never in use before */
  unsigned leaf_set;    /* L; 0: 32 */
  bool may_stand_alone; /* a ring of one when no bootstrap answers */
  SsLogLevel log_level;
  void (*log) (void *user, SsLogLevel level, const char *text);
  void *log_user;
} SsNodeConfig;

typedef enum {
  SS_NODE_OUTSIDE, /* not joined */
  SS_NODE_JOINING,
  SS_NODE_ALONE,  /* a ring of one */
  SS_NODE_JOINED, /* leaf set complete and confirmed */
  SS_NODE_LEAVING,
} SsNodeState;

typedef enum {
  SS_EVENT_NONE,
  SS_EVENT_STATE,       /* state changed: .state */
  SS_EVENT_JOIN_FAILED, /* no contact answered so far; .text says why. With
                           may_stand_alone ALONE follows; tries go on */
  SS_EVENT_ADDRESS,     /* this node's address as peers see it: .addr */
  SS_EVENT_STATIONS,    /* answer to ss_node_find: .n_found, .found */
  SS_EVENT_ON_AIR,      /* publisher: the descriptor is stored */
  SS_EVENT_TAKEN,       /* publisher: this key is live elsewhere (.text:
                           where); the broadcast did not start, or stops */
  SS_EVENT_STANDBY,     /* publisher, standing by: likewise; ON_AIR follows
                           when that one is gone, ENDED when it has ended */
  SS_EVENT_HEADERS,     /* listener: .headers, before the version's frames */
  SS_EVENT_FRAME,       /* listener: .frame, due now; .flag: another follows
                           at once */
  SS_EVENT_SILENT,      /* listener: nothing heard of the publisher: .flag */
  SS_EVENT_ENDED,       /* listener: played out. publisher: all is sent */
  SS_EVENT_LEFT,        /* ss_node_leave is done; free the node */
} SsEventType;

typedef struct {
  SsEventType type;
  SsNodeState state;
  bool flag;
  SsAddr addr;
  const char *text; /* owned by the node until the next event call */
  unsigned n_found;
  const SsDescriptor *found; /* likewise; oldest key first */
  bool complete;             /* STATIONS: enough of the ring was asked */
  SsCodecHeaders *headers;   /* to be freed with ss_codec_headers_free */
  SsFrame frame;             /* frame.data to be unreferenced */
} SsEvent;

SsNode *ss_node_new (const SsNodeConfig *config, const uint8_t seed[32],
                     SsTime now);
void ss_node_free (SsNode *node);

void ss_node_input (SsNode *node, SsTime now, const SsAddr *from,
                    uint8_t *datagram, size_t len);
void ss_node_tick (SsNode *node, SsTime now);
/* Brings what a call will look at first nearer to the processor, in steps:
 * who drives very many nodes knows which comes next, and what it brings
 * (datagram NULL: a tick). Changes nothing. */
#define SS_NODE_PREFETCH_STEPS 4
void ss_node_prefetch (const SsNode *node, unsigned step,
                       const uint8_t *datagram, size_t len);
SsTime ss_node_deadline (const SsNode *node); /* SS_NEVER when idle */
/* One datagram into buf (cap at least SS_DATAGRAM_MAX); 0: drained. */
size_t ss_node_output (SsNode *node, SsAddr *ret_to, uint8_t *buf, size_t cap);
/* Where nothing is encrypted, a driver of many nodes need not keep a copy of
 * each packet for each of them: here is what the datagram put out last carries
 * of immutable bytes (NULL: nothing), and the datagram that comes in with such
 * in place is kept by reference. body may be NULL. */
const SsBody *ss_node_body_out (const SsNode *node);
void ss_node_input_with (SsNode *node, SsTime now, const SsAddr *from,
                         uint8_t *datagram, size_t len, const SsBody *body);
bool ss_node_event (SsNode *node, SsEvent *ret_event);

/* Commands. Each takes `now` first, as input does. */
/* Adds bootstrap addresses (identity asked first) or known contacts, and
 * joins; may be called again at any time with more. */
void ss_node_join (SsNode *node, SsTime now, const SsAddr *addrs,
                   unsigned n_addrs, const SsContact *contacts,
                   unsigned n_contacts);
void ss_node_leave (SsNode *node, SsTime now); /* orderly; SS_EVENT_LEFT */
/* Looks a station up: by name and key (fingerprint), or by name alone when
 * fingerprint is NULL. Answered by SS_EVENT_STATIONS. */
void ss_node_find (SsNode *node, SsTime now, const char *name,
                   const SsId *fingerprint);

typedef struct {
  const char *name, *title, *description; /* the latter two may be NULL */
  uint8_t seed[SS_SEED_LEN];              /* the station key's */
  uint8_t parity;
  SsTime latency;
  uint32_t session_min; /* greater than any session this key used before */
  bool is_standby;      /* waits for the one on the air to die */
} SsPublishOptions;

/* Checks that the key is not live elsewhere, then ON_AIR; TAKEN or STANDBY if
 * it is. */
void ss_node_publish (SsNode *node, SsTime now,
                      const SsPublishOptions *options);
void ss_node_push_headers (SsNode *node, SsTime now,
                           const SsCodecHeaders *headers);
void ss_node_push_frame (SsNode *node, SsTime now, const SsFrame *frame);
void ss_node_end (SsNode *node, SsTime now);   /* orderly end: ENDED follows */
uint32_t ss_node_session (const SsNode *node); /* of the own broadcast */

void ss_node_listen (SsNode *node, SsTime now, const SsDescriptor *station,
                     SsTime buffer);
/* No event of it follows. Another station may be listened to at once. */
void ss_node_unlisten (SsNode *node, SsTime now);

typedef struct {
  SsContact self;
  SsNodeState state;
  unsigned leaf_set, routing_entries, peers;
  unsigned suspects;    /* peers being probed */
  SsTime routing_rtt;   /* mean, of routing entries; -1: not known */
  bool reachable;       /* by peers that it has not asked; true until found
                           otherwise */
  unsigned attachments; /* if not: nodes that it is a client of */
  unsigned clients;     /* of this node */
  SsCounters counters;
  unsigned n_stations;
  bool has_station; /* the one listened to or published */
  SsStationStats station;
} SsNodeStats;

void ss_node_stats (const SsNode *node, SsNodeStats *ret_stats);
uint64_t ss_node_last_handshake_ns (const SsNode *node);
/* For the simulator's oracles and for tests. */
unsigned ss_node_leaf_set (const SsNode *node, SsContact *ret, unsigned max);
/* The nodes that a node which cannot be reached is a client of. */
unsigned ss_node_attachments (const SsNode *node, SsContact *ret, unsigned max);
/* Peers to be remembered, to join through in another life. */
unsigned ss_node_way_back (const SsNode *node, SsContact *ret, unsigned max);
SsKbr *ss_node_kbr (SsNode *node);
SsSplitStream *ss_node_splitstream (SsNode *node);
SsEnv *ss_node_env (SsNode *node);
