/* Pastry (Rowstron and Druschel, Middleware 2001) with the dependability of
 * MSPastry (Castro, Costa and Rowstron, DSN 2004), as the overlay behind
 * kbr.h. Ids are 160 bits, digits base 16.
 *
 * One SsPastry is one node's overlay. It is driven by its link's upcalls and
 * by its timers, and sends through the link. It owns the leaf set, the
 * routing table and all that is known of who lives; the link and the env
 * belong to the caller and outlive it.
 *
 * A node is outside until ss_pastry_join or ss_pastry_create_ring; joining
 * until its leaf set is complete and every leaf has confirmed it; then
 * active. Finding contacts by address and trying them again and again is the
 * caller's business: each call of ss_pastry_join tries the contacts given
 * once (an active node merges its ring with theirs, if it is another one). */
#pragma once

#include "overlay/kbr.h"
#include "overlay/link/link.h"

typedef struct SsPastry SsPastry;

typedef struct {
  unsigned leaf_set; /* L, both sides together; even, 2 to 32; 0: 32 */
  /* Find out whether unasked peers can reach this node; if not it becomes a
   * client. The link's `arrived` has to be handed on. */
  bool check_reach;
} SsPastryConfig;

typedef enum {
  SS_PASTRY_OUTSIDE,
  SS_PASTRY_JOINING,
  SS_PASTRY_ACTIVE,
  SS_PASTRY_LEFT,
  SS_PASTRY_CLIENT, /* of nodes of the ring: in no leaf set */
} SsPastryState;

typedef enum {
  SS_REACH_UNKNOWN, /* counts as reachable */
  SS_REACHABLE,
  SS_UNREACHABLE, /* by who has not heard from this node */
} SsReachability;

typedef struct {
  SsPastryState state;
  bool ready; /* may deliver */
  bool whole; /* the leaf set is known to be the whole ring */
  unsigned leaf_set, routing_entries, suspects, lost, held, pending;
  SsTime routing_rtt; /* mean, of the entries measured; -1: none is */
  SsReachability reachability;
  unsigned attachments; /* a client's */
  unsigned clients;     /* served */
} SsPastryStats;

SsPastry *ss_pastry_new (SsEnv *env, SsLink *link,
                         const SsPastryConfig *config);
void ss_pastry_free (SsPastry *pastry);
SsKbr *ss_pastry_kbr (SsPastry *pastry);

/* Joins through any of the contacts; an active node merges rings instead.
 * The node's own contact among them is ignored. */
void ss_pastry_join (SsPastry *pastry, const SsContact *contacts,
                     unsigned n_contacts);
/* A ring of this node alone; no-op when active. */
void ss_pastry_create_ring (SsPastry *pastry);
/* Tells the leaf set and all peers in touch, and is outside from then on.
 * What it sends still has to be drained from the link. */
void ss_pastry_leave (SsPastry *pastry);

/* Is it on its way into a ring, and has heard somebody there who passes on what
 * it routes? Not as long as it is being found out whether strangers reach this
 * node, for whom it calls is no stranger any more. */
bool ss_pastry_may_ask (const SsPastry *pastry);

/* The link's upcalls, to be handed on as they come. The overlay serves all
 * protocols: it demultiplexes to the registered applications. */
void ss_pastry_link_message (SsPastry *pastry, const SsContact *from,
                             uint8_t protocol, const uint8_t *data, size_t len);
void ss_pastry_link_acked (SsPastry *pastry, const SsContact *to,
                           uint8_t protocol, uint64_t token);
void ss_pastry_link_late (SsPastry *pastry, const SsContact *to,
                          uint8_t protocol, uint64_t token, unsigned tries);
void ss_pastry_link_pinged (SsPastry *pastry, const SsContact *peer,
                            SsTime rtt);
SsTime ss_pastry_link_wanted (SsPastry *pastry, const SsContact *peer);
void ss_pastry_link_met (SsPastry *pastry, const SsContact *peer, SsTime rtt);
void ss_pastry_link_failed (SsPastry *pastry, const SsContact *to,
                            uint8_t protocol, uint64_t token);
void ss_pastry_link_up (SsPastry *pastry, const SsContact *peer,
                        const SsAddr *observed);
void ss_pastry_link_arrived (SsPastry *pastry, const SsAddr *from,
                             bool unasked);
/* Peers see this node at another address than before. */
void ss_pastry_link_address_changed (SsPastry *pastry);
/* The machine's own addresses: who is seen at another, while there is nobody
 * to find out through, is taken to be behind a NAT. */
#define SS_PASTRY_LOCAL_MAX 16
void ss_pastry_set_local (SsPastry *pastry, const SsAddr *addrs, unsigned n);
/* SS_LAYER_OVERLAY. */
void ss_pastry_timer (SsPastry *pastry, SsTimer *timer);

SsPastryState ss_pastry_state (const SsPastry *pastry);
void ss_pastry_stats (const SsPastry *pastry, SsPastryStats *ret_stats);
/* A copy of the leaf set in ring order from this node clockwise, for the
 * simulator's oracles; returns their number, at most 32. */
#define SS_PASTRY_LEAVES_MAX 32
unsigned ss_pastry_leaf_set (const SsPastry *pastry, SsContact *ret_contacts,
                             unsigned max);
/* A client's attachments, the one first whose address it gives as its own. */
unsigned ss_pastry_attachments (const SsPastry *pastry, SsContact *ret_contacts,
                                unsigned max);
/* Some to join through in another life: the nearest leaves, or, of a client,
 * attachments and whom these have named. */
unsigned ss_pastry_way_back (const SsPastry *pastry, SsContact *ret_contacts,
                             unsigned max);
/* Bytes of state, the object included. */
size_t ss_pastry_memory (const SsPastry *pastry);
