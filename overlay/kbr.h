/* Key-based routing: the Common API (Dabek et al., IPTPS 2003), as this
 * project's overlay offers it. scribe/ and store/ see only this header, so
 * another overlay can stand in Pastry's place.
 *
 * Each application of the overlay registers under a protocol number and gets
 * the upcalls below. Messages are opaque bytes, at most SS_KBR_MESSAGE_MAX
 * when routed and SS_KBR_DIRECT_MAX when sent to one peer.
 *
 * Upcalls may route, send and cancel; they must not free the overlay. A small
 * application that uses all of this is examples/noticeboard.c. */
#pragma once

#include <glib.h>

#include "base/contact.h"
#include "base/env.h"

#define SS_KBR_MESSAGE_MAX 1060
#define SS_KBR_DIRECT_MAX  1190
#define SS_KBR_PAST_MAX    2 /* nodes that a message may be routed past */

/* Protocol numbers, shared with the link. Those without a name are for
 * applications besides the node's own. */
typedef enum {
  SS_PROTOCOL_OVERLAY = 0,
  SS_PROTOCOL_STORE = 1,
  SS_PROTOCOL_SCRIBE = 2,
  SS_PROTOCOL_SPLITSTREAM = 3,
  SS_PROTOCOL_NODE = 4,
  SS_N_PROTOCOLS = 8
} SsProtocol;

typedef enum {
  SS_CLASS_KBR_CONTROL = 0, /* same numbers as SsTrafficClass */
  SS_CLASS_KBR_MEDIA = 1,
  SS_CLASS_KBR_REPAIR = 2
} SsKbrClassOfTraffic;

typedef struct {
  SsId key;
  SsContact source;   /* who routed it first */
  SsContact previous; /* the last hop (self at the source) */
  unsigned hops;
  bool provisional; /* deliver: a closer node is suspected, not yet
                            declared dead; only for SS_ROUTE_PROVISIONAL */
  const uint8_t *data;
  size_t len;
} SsKbrMessage;

typedef enum {
  SS_ROUTE_PROVISIONAL = 1 << 0, /* may be delivered at the next closest while
                                    the closest is only suspected */
} SsRouteFlags;

typedef enum {
  SS_KBR_JOINED,    /* entered this node's leaf set */
  SS_KBR_SUSPECTED, /* silent; being probed; routed around meanwhile */
  SS_KBR_RECOVERED, /* a suspect answered */
  SS_KBR_LEFT,      /* declared dead, or left in an orderly way */
} SsKbrChange;

typedef enum {
  SS_KBR_ACKED,  /* received and handled by the peer */
  SS_KBR_LATE,   /* no ack yet; sent again unless cancelled in the upcall */
  SS_KBR_FAILED, /* given up */
} SsKbrOutcome;

typedef struct {
  /* On each node of the way, the source and the last included, before the
   * message goes to `next` (NULL: it would be delivered here). False stops it:
   * the application has taken it. */
  bool (*forward) (void *app, const SsKbrMessage *message,
                   const SsContact *next);
  /* This node is the live node closest to the key. */
  void (*deliver) (void *app, const SsKbrMessage *message);
  /* A leaf, or one of the latest peers that this application has sent something
   * (256 of them, five minutes), changed. Who depends on another asks
   * is_suspected as well. */
  void (*update) (void *app, const SsContact *peer, SsKbrChange change);
  /* A message that ss_kbr_send brought. */
  void (*direct) (void *app, const SsContact *from, const uint8_t *data,
                  size_t len);
  /* What became of a reliable direct message (token given by its sender). */
  void (*outcome) (void *app, const SsContact *to, uint64_t token,
                   SsKbrOutcome outcome);
} SsKbrApp;

typedef struct {
  SsKbrClassOfTraffic class;
  bool reliable;
  uint8_t tries_max; /* 0: the default */
  uint64_t token;    /* reliable: for the outcome upcall; 0: no upcall */
  SsTime expires;    /* 0: none */
  SsPeerHint *hint;  /* of this peer; NULL: none is kept */
} SsKbrSend;

typedef struct SsKbr SsKbr;

/* What an overlay implements. The functions below call through it. */
typedef struct {
  void (*register_app) (SsKbr *, SsProtocol, const SsKbrApp *, void *app);
  bool (*route) (SsKbr *, SsProtocol, const SsId *key, const SsContact *hint,
                 unsigned flags, const uint8_t *data, size_t len);
  bool (*route_past) (SsKbr *, SsProtocol, const SsId *key, const SsId *past,
                      unsigned n_past, const uint8_t *data,
                      size_t len); /* may be NULL */
  bool (*send) (SsKbr *, SsProtocol, const SsContact *to, const SsKbrSend *how,
                const uint8_t *head, size_t head_len, GBytes *body);
  void (*cancel) (SsKbr *, SsProtocol, const SsId *to, uint64_t token);
  unsigned (*local_lookup) (SsKbr *, const SsId *key, SsContact *ret_contacts,
                            unsigned max);
  unsigned (*neighbor_set) (SsKbr *, SsContact *ret_contacts, unsigned max);
  unsigned (*near_set) (SsKbr *, SsContact *ret_contacts, SsTime *ret_rtts,
                        unsigned max); /* may be NULL */
  unsigned (*replica_set) (SsKbr *, const SsId *key, SsContact *ret_contacts,
                           unsigned max);
  bool (*range) (SsKbr *, const SsContact *node, unsigned rank, SsId *ret_from,
                 SsId *ret_to);
  bool (*is_root) (SsKbr *, const SsId *key, bool provisional);
  void (*suspect) (SsKbr *, const SsContact *peer);
  bool (*is_suspected) (SsKbr *, const SsId *peer);
  SsTime (*rtt) (SsKbr *, const SsId *peer);
  SsTime (*rto) (SsKbr *, const SsId *peer);
  SsTime (*last_heard) (SsKbr *, const SsId *peer);
  uint64_t (*uplink_bps) (SsKbr *); /* may be NULL */
  bool (*is_ready) (SsKbr *);
  const SsContact *(*self) (SsKbr *);
} SsKbrClass;

struct SsKbr {
  const SsKbrClass *class;
  SsEnv *env;
};

void ss_kbr_register (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app,
                      void *user);
/* Routes towards the live node closest to key; `hint` (may be NULL) is tried
 * as first hop. Hops are acknowledged and routed around when silent. False if
 * it is too long or this node has no ring to route in. On its way into one it
 * routes what others are to deliver through those that it has heard; the rest
 * waits. A message routed to a key of its own is delivered (by upcall, before
 * this returns). */
bool ss_kbr_route (SsKbr *kbr, SsProtocol protocol, const SsId *key,
                   const SsContact *hint, unsigned flags, const uint8_t *data,
                   size_t len);
/* The same, but to the node that would be closest without some that live, as
 * if they were suspected: provisionally, and by way of none of them. n_past:
 * 1 to SS_KBR_PAST_MAX. False also where the overlay cannot do it. Where a hop
 * on the way is silent the first of them may be forgotten. */
bool ss_kbr_route_past (SsKbr *kbr, SsProtocol protocol, const SsId *key,
                        const SsId *past, unsigned n_past, const uint8_t *data,
                        size_t len);
/* One message to one peer, not routed. Same contract as ss_link_send. */
bool ss_kbr_send (SsKbr *kbr, SsProtocol protocol, const SsContact *to,
                  const SsKbrSend *how, const uint8_t *head, size_t head_len,
                  GBytes *body);
void ss_kbr_cancel (SsKbr *kbr, SsProtocol protocol, const SsId *to,
                    uint64_t token);
/* Up to max next hops for key from local state, best first. */
unsigned ss_kbr_local_lookup (SsKbr *kbr, const SsId *key,
                              SsContact *ret_contacts, unsigned max);
/* The nearest nodes on the ring, nearest first, without self. */
unsigned ss_kbr_neighbor_set (SsKbr *kbr, SsContact *ret_contacts,
                              unsigned max);
/* Of the peers whose round-trip time is known those with the least, nearest
 * first, and how long it is; without suspects. */
unsigned ss_kbr_near_set (SsKbr *kbr, SsContact *ret_contacts, SsTime *ret_rtts,
                          unsigned max);
/* The live nodes closest to key, closest first, self included when it is one
 * of them; as far as the leaf set tells (max at most its side). Suspects are
 * included until declared dead. */
unsigned ss_kbr_replica_set (SsKbr *kbr, const SsId *key,
                             SsContact *ret_contacts, unsigned max);
/* The arc (from, to] of keys for which node is one of the rank + 1 closest
 * (rank 0: the root). All of the ring if from equals to. False when the leaf
 * set does not tell. */
bool ss_kbr_range (SsKbr *kbr, const SsContact *node, unsigned rank,
                   SsId *ret_from, SsId *ret_to);
/* Is this node the closest to key? provisional: suspects not counted. */
bool ss_kbr_is_root (SsKbr *kbr, const SsId *key, bool provisional);
/* The application has noticed a silence: probe now, route around meanwhile.
 * SS_KBR_SUSPECTED then RECOVERED or LEFT follow as updates. */
void ss_kbr_suspect (SsKbr *kbr, const SsContact *peer);
bool ss_kbr_is_suspected (SsKbr *kbr, const SsId *peer); /* or dead */
SsTime ss_kbr_rtt (SsKbr *kbr, const SsId *peer); /* SS_NEVER: not known */
SsTime ss_kbr_rto (SsKbr *kbr, const SsId *peer);
SsTime ss_kbr_last_heard (SsKbr *kbr, const SsId *peer); /* -1: never */
/* What this node's line has been found to carry, bit/s; 0: nothing is known. */
uint64_t ss_kbr_uplink_bps (SsKbr *kbr);
/* Joined, with a complete and confirmed leaf set. */
bool ss_kbr_is_ready (SsKbr *kbr);
const SsContact *ss_kbr_self (SsKbr *kbr);
