/* What the files of overlay/pastry share. Not for others.
 *
 *   pastry.c    the object, the link's upcalls, timers
 *   api.c       kbr.h's calls
 *   route.c     per-hop acknowledgement, holding, delivery
 *   hops.c      next hops
 *   liveness.c  doubt, suspicion, death; whom applications watch
 *   lost.c      those that were declared dead, and may be there after all
 *   vouch.c     suspects tried through others; who lives and is not reached
 *   exchange.c  leaf sets asked for and heard; who enters the own
 *   asks.c      who is being asked for its leaf set
 *   tell.c      what of the own leaf set is told
 *   newcomers.c leaves that still join
 *   near.c      the node to join through
 *   join.c      entering a ring, merging with another
 *   maintain.c  heartbeats, repair, leaving
 *   proximity.c table upkeep: entries probed and measured
 *   search.c    table upkeep: rows asked for, who is nearer
 *   news.c      holes in tables, and who fills them
 *   view.c      what the leaf set tells applications
 *   reach.c     is this node reachable by who has not heard from it?
 *   client.c    if not: attached to others, who serve it */
#pragma once

#include "overlay/pastry/leafset.h"
#include "overlay/pastry/messages.h"
#include "overlay/pastry/pastry.h"
#include "overlay/pastry/table.h"
#include "overlay/pastry/tune.h"

/* Timers of the overlay; handled in ss_pastry_timer's switch. */
typedef enum {
  SS_PASTRY_TIMER_TICK,   /* heartbeats, upkeep, expiry */
  SS_PASTRY_TIMER_JOIN,   /* no ring entered yet: try again */
  SS_PASTRY_TIMER_WORK,   /* an unanswered probe, or a repair put off */
  SS_PASTRY_TIMER_REACH,  /* a round of asking whether others reach us */
  SS_PASTRY_TIMER_CLIENT, /* keeps in touch with attachments */
} SsPastryTimer;

#define SS_PASTRY_TICK           (5 * SS_SEC)
#define SS_PASTRY_HEARTBEAT      (30 * SS_SEC)
#define SS_PASTRY_HEARTBEAT_MAX  (120 * SS_SEC) /* whatever else is sent */
#define SS_PASTRY_HEARTBEAT_LATE (40 * SS_SEC)
#define SS_PASTRY_JUMP           (2 * SS_SEC) /* a timer this late: we slept */
#define SS_PASTRY_DEATH_MIN      (1 * SS_SEC) /* silence before a death */
#define SS_PASTRY_DEATH_ROUNDS   4
#define SS_PASTRY_DEATH_RETRY    (500 * SS_MSEC)
#define SS_PASTRY_DEATH_HASTE    (50 * SS_MSEC)
#define SS_PASTRY_PROBE_TRIES    5
#define SS_PASTRY_VOUCH_TRIES    3 /* and two through other leaves */
#define SS_VOUCH_LEAVES          2
#define SS_VOUCH_TRIES           2 /* of each message that this takes */
#define SS_VOUCH_TIME            (3 * SS_SEC)
#define SS_VOUCHING_MAX          16
#define SS_ESTRANGED_MIN         (1 * SS_SEC)  /* then it is tried again, */
#define SS_ESTRANGED_MAX         (30 * SS_SEC) /*   later less often */
#define SS_ESTRANGED_MISSES      2 /* without a sign of life: dead */
#define SS_PASTRY_TOLD_MIN       (500 * SS_MSEC) /* of who was told dead */
#define SS_PASTRY_TOLD_TRIES     3 /* with a session, that may be stale */
#define SS_PASTRY_TOLD_NO_LINK   2
#define SS_PASTRY_PINGED_TRIES   2 /* after those of the ping */
#define SS_PASTRY_HOLD_TIME      (8 * SS_SEC)
#define SS_PASTRY_TOMBSTONE_TIME (60 * SS_SEC)
#define SS_PASTRY_TOMBSTONE_MIN  (10 * SS_SEC) /* of a mere candidate */
#define SS_PASTRY_RELENT_TIME    (5 * SS_SEC)
#define SS_PASTRY_LOST_TIME      (3600 * SS_SEC)
#define SS_PASTRY_LOST_INTERVAL  (10 * SS_SEC) /* of each node in a ring of */
#define SS_PASTRY_LOST_RING      16            /*   so many, or fewer */
#define SS_PASTRY_LOST_PAUSE_MAX (600 * SS_SEC)
/* Who has lost more within this than it has left tries one so often, for so
 * long. */
#define SS_PASTRY_LONELY_SPAN   (10 * SS_SEC)
#define SS_PASTRY_LONELY_PAUSE  (500 * SS_MSEC)
#define SS_PASTRY_LONELY_TIME   (120 * SS_SEC)
#define SS_PASTRY_MERGE_PAUSE   (1 * SS_SEC)
#define SS_PASTRY_LOST_TOGETHER (60 * SS_SEC)
#define SS_PASTRY_WATCH_TIME    (300 * SS_SEC)
#define SS_PASTRY_ASK_TIMEOUT   (3 * SS_SEC)
#define SS_PASTRY_STRANGE_TIME  (5 * SS_SEC)    /* silence of one not known */
#define SS_PASTRY_ASK_AGAIN     (100 * SS_MSEC) /* acked but not answered */
#define SS_PASTRY_ASK_TRIES     5
#define SS_PASTRY_ENTER_WAIT    (100 * SS_MSEC) /* for the other side */
#define SS_PASTRY_REPAIR_MIN    (10 * SS_MSEC)
#define SS_PASTRY_REPAIR_MAX    (5 * SS_SEC)
/* Repairs in vain, then an empty side takes whoever is nearest. */
#define SS_PASTRY_FORCE_TRIES   4
#define SS_PASTRY_REPAIR_WAIT   (500 * SS_MSEC)
#define SS_PASTRY_MUTUAL_MIN    (3 * SS_SEC)
#define SS_PASTRY_FIRST_TICK    (1 * SS_SEC)
#define SS_PASTRY_JOIN_MIN      (50 * SS_MSEC)
#define SS_PASTRY_JOIN_WAIT     (1 * SS_SEC)
#define SS_PASTRY_JOIN_MAX      (5 * SS_SEC)
#define SS_PASTRY_JOIN_HASTY    5 /* retries before it slows down */
#define SS_PASTRY_NEAR_ENOUGH   (300 * SS_USEC) /* none nearer is sought */
#define SS_PASTRY_NEWCOMER_TIME (10 * SS_SEC)   /* a joiner asks more often */

#define SS_PASTRY_ASKS_MAX       128
#define SS_PASTRY_SUSPECTS_MAX   128
#define SS_PASTRY_REFUSED_MAX    32
#define SS_PASTRY_TOMBSTONES_MAX 256
#define SS_PASTRY_LOST_MAX       24
#define SS_PASTRY_WATCHED_MAX    256
#define SS_PASTRY_PENDING_MAX    256
#define SS_PASTRY_HELD_MAX       128
#define SS_PASTRY_FAILED_MAX     8 /* next hops, then a message is given up */
#define SS_PASTRY_SEEN_MAX       512
#define SS_PASTRY_CONTACTS_MAX   8
#define SS_PASTRY_HOPS_MAX       64
#define SS_PASTRY_AVOID_MAX      SS_KBR_PAST_MAX
#define SS_PASTRY_LARGE_RING     64 /* times half a leaf set */
#define SS_PASTRY_SEARCH_ROWS    8  /* from the top; there are hardly more */

/* Tokens of reliable messages: what they were in the low bits. */
typedef enum {
  SS_PASTRY_TOKEN_ROUTED = 1,
  SS_PASTRY_TOKEN_LIVENESS,
  SS_PASTRY_TOKEN_ASK,
  SS_PASTRY_TOKEN_LOST,
  SS_PASTRY_TOKEN_OTHER,
  SS_PASTRY_TOKEN_ATTACH,
  SS_PASTRY_TOKEN_VOUCH,
} SsPastryToken;
#define SS_PASTRY_TOKEN_BITS 3

enum {
  SS_ROUTED_PROVISIONAL = 1,
  SS_ROUTED_RELAYED = 2,
  SS_ROUTED_PAST = 4, /* those to avoid may be well: not to them in any way */
};
enum { SS_ENTER_ROWS = 1 };
enum { SS_ROW_REQUEST_JOINING = 1 };
enum { SS_ATTACHED_YES = 1 };
enum { SS_LEAVE_ALL = 0, SS_LEAVE_SERVICE = 1, SS_LEAVE_RING = 2 };
enum {
  SS_LEAF_PROBE_JOINING = 1,
  SS_LEAF_PROBE_MUTUAL = 2,
  SS_LEAF_PROBE_RETURN = 4,
};
enum {
  SS_LEAF_SET_WHOLE = 1,
  SS_LEAF_SET_SOLID = 2,
  SS_LEAF_SET_ENTER = 4,
  SS_LEAF_SET_ACTIVE = 8,
};

/* A message on its way through this node. */
typedef struct {
  SsMsgRouted header; /* its data is not used: see payload */
  GBytes *payload;
  SsContact source, previous;
  SsContact next; /* pending: whom it was sent to */
  uint64_t token;
  SsTime since;     /* held */
  bool forwarded;   /* the application has let it pass */
  bool is_relayed;  /* by this node: see SS_ROUTED_RELAYED */
  uint8_t n_failed; /* next hops, of which few can be named to be avoided */
} SsRoute;

typedef struct {
  enum {
    SS_HOP_NONE,
    SS_HOP_SELF,
    SS_HOP_NODE,
  } what;
  SsContact node;
  bool is_detour;  /* NODE: the routing table has none for the key */
  bool is_blocked; /* a suspect would be closer */
  SsContact blocker;
  bool is_relay; /* NODE: to pass it to one who is not reached from here */
} SsHop;

/* Why somebody is doubted, and with that how often he is tried. */
typedef enum {
  SS_DOUBT_LATE,   /* something sent to him was */
  SS_DOUBT_TOLD,   /* by others, who have tried, and need not be told */
  SS_DOUBT_PINGED, /* in vain, with all the tries of a ping */
} SsDoubt;

/* doubted: one message was late, a probe is out; suspected: that was late
 * too, or an application says so. Both end by any sign of life or by the
 * probe's failure. */
typedef struct {
  SsContact contact;
  SsTime since;
  uint64_t token;
  SsTime retry; /* the link gave up too soon: probe again then */
  uint8_t rounds;
  uint8_t why; /* SsDoubt */
  bool suspected;
  bool lives;        /* heard, or vouched for, since the last round of tries */
  bool is_estranged; /* lives, and does not answer: see vouch.c */
  uint8_t misses;    /* rounds without a sign of life */
  SsTime pause;      /* between two rounds */
  uint64_t nonce;    /* of the last VOUCH_ASK; 0: none */
  SsContact via;     /* who vouched last; or all zeros */
  bool missed;       /* the next leaf towards it does not know it */
  SsContact instead; /* told: perhaps a leaf in its place; or all zeros */
} SsSuspect;

/* Of a VOUCH_ASK, until it is answered. */
typedef struct {
  SsContact asker;
  SsId of;
  uint64_t nonce;
  SsTime until;
} SsVouching;

typedef struct {
  uint64_t prefix; /* of the id */
  SsTime until;
} SsTombstone;

typedef struct {
  SsContact contact;
  SsTime since;
  unsigned tries;
} SsLost;

/* A peer that applications have sent something: it gets them updates. */
typedef struct {
  SsId id;
  SsTime last;
  uint8_t protocols; /* bits */
} SsWatched;

/* A leaf that was joining when it was heard last: it cannot answer an ENTER. */
typedef struct {
  uint64_t prefix; /* of the id */
  SsTime until;
} SsNewcomer;

/* A LEAF_PROBE whose answers are awaited. */
typedef struct {
  SsContact contact;
  uint32_t nonce;
  uint64_t token;
  SsTime deadline;
  uint8_t reach; /* SsLeafsetReach with which it may enter */
  uint8_t flags; /* of the first probe */
  uint8_t got;   /* sides, as bits */
  uint8_t tries;
  bool news; /* it told of nodes not known */
} SsAsk;

typedef struct SsReach SsReach;
typedef struct SsClient SsClient;
typedef struct SsNear SsNear;
typedef struct SsSearch SsSearch;

/* A row, and those nearer than its members. */
typedef struct {
  SsTime due;      /* then it is asked for */
  uint16_t vacant; /* columns that have lost an entry */
  uint8_t n_vain;  /* asked for these, so many times */
  uint8_t pause;   /* how long after that, the next time */
  bool has_gained; /* since it was asked for */
} SsRowSearch;

/* In ROW and ROW_REQUEST, what is not a row. */
#define SS_ROW_LOWEST 254
#define SS_ROW_LEAVES 255

struct SsPastry {
  SsKbr kbr; /* first */
  SsLink *link;
  SsPastryState state;
  bool reconfirming; /* slept: leaves are asked before anything is delivered */
  uint32_t next_sequence, nonce;
  uint64_t next_token;
  SsLeafset leafset;
  SsTable table;

  /* client.h */
  bool check_reach;
  bool is_surely_open;  /* found reachable twice */
  bool is_maybe_closed; /* reachable until now; found closed once, */
  uint32_t doubted_by;  /* by this one at least, as in SsReach, */
  SsTime doubted_at;    /* and when */
  uint8_t reachability; /* SsReachability */
  uint16_t helps;       /* done in help_second */
  SsTime help_second;
  SsTime reach_at;      /* then it is looked into again */
  SsReach *reach;       /* while it is */
  SsClient *client;     /* as a client */
  GArray *clients;      /* SsServed; or NULL */
  GArray *local;        /* SsAddr: the machine's own; or NULL */
  GArray *unhelped;     /* SsUnhelped; or NULL */
  uint32_t reach_nonce; /* of the last question */
  uint8_t reach_misses; /* before, while it is not known */

  const SsKbrApp *apps[SS_N_PROTOCOLS];
  void *users[SS_N_PROTOCOLS];

  /* Each is NULL or empty most of the time. */
  GArray *asks, *suspects, *tombstones, *lost, *watched;
  GArray *vouching;          /* SsVouching */
  GArray *newcomers;         /* SsNewcomer; bounded by the leaf set */
  GArray *refused;           /* SsContact: see ss_pastry_ask_refused */
  GPtrArray *pending, *held; /* SsRoute, owned */
  uint64_t *seen;            /* ring of (source, sequence) digests */
  uint16_t n_seen, seen_capacity, next_seen;

  SsContact *contacts; /* to join through */
  uint8_t n_contacts;

  SsTimer tick, join_timer, work;
  SsTime tick_due; /* the tick's deadline, also while it fires */
  unsigned join_tries, next_contact, repair_tries;
  uint8_t entered;  /* sides that an ENTER has brought, until both have */
  SsTime repair_at; /* SS_NEVER: nothing to repair */
  SsTime last_heartbeat, right_since, last_mutual;
  SsId right; /* neighbour since right_since */
  /* A leaf that `strange_to` does not have, heard too lately to be doubted: it
   * is looked at again then. SS_NEVER: none */
  SsTime strange_at;
  SsId strange, strange_to;
  uint64_t last_digest;
  SsTime last_table_look;
  uint16_t next_look;
  bool lost_soon;   /* one of them has come back */
  SsTime lonely_at; /* then one of them is tried, if most are lost */
  SsTime last_merge;
  SsRowSearch searches[SS_PASTRY_SEARCH_ROWS];
  SsSearch *search; /* NULL: settled */
  GArray *news;     /* not answered yet; or NULL */
  SsTune tune;
  SsTime last_tune, probe_period;
  uint32_t ring_size; /* estimated */
  SsNear *near;       /* joining: a node to join through is looked for */
};

/* pastry.c */
static inline SsEnv *
ss_pastry_env (const SsPastry *pastry)
{
  return pastry->kbr.env;
}
/* To be called first by whatever the world calls: has the node slept? */
void ss_pastry_wake (SsPastry *pastry);
const SsContact *ss_pastry_self (const SsPastry *pastry);
bool ss_pastry_is_self (const SsPastry *pastry, const SsId *id);
bool ss_pastry_is_ready (const SsPastry *pastry);
uint64_t ss_pastry_token (SsPastry *pastry, SsPastryToken kind);
/* token 0: unreliable. */
bool ss_pastry_send (SsPastry *pastry, const SsContact *to, uint64_t token,
                     unsigned tries, const uint8_t *data, size_t len);
/* All has been said, and both know it: unless it is a leaf, or may soon be one
 * again, its session is no longer needed. In a ring of few anybody may. */
void ss_pastry_part (SsPastry *pastry, const SsId *peer);
/* May another have parted from this node that has not parted from it? */
bool ss_pastry_may_be_let_go (const SsPastry *pastry);
SsPeerRecord ss_pastry_record (const SsContact *contact);
uint64_t ss_pastry_prefix (const SsId *id);
SsId ss_pastry_id_of_prefix (uint64_t prefix); /* the rest of it is zero */
/* The contact of a leaf or table entry, if it is one; ret may be NULL. */
bool ss_pastry_find (const SsPastry *pastry, const SsId *id,
                     SsContact *ret_contact);
/* Round-trip time, by the table or the link; SS_NEVER: not known. */
SsTime ss_pastry_distance (const SsPastry *pastry, const SsId *id);
void ss_pastry_set_state (SsPastry *pastry, SsPastryState state);
/* Logs what a leaf does, if id is one. */
void ss_pastry_log_leaf (SsPastry *pastry, const SsId *id, const char *what);

/* route.c */
void ss_route_free (SsRoute *route);
bool ss_pastry_route (SsPastry *pastry, SsProtocol protocol, const SsId *key,
                      const SsContact *hint, unsigned flags,
                      const uint8_t *data, size_t len);
bool ss_pastry_route_past (SsPastry *pastry, SsProtocol protocol,
                           const SsId *key, const SsId *past, unsigned n_past,
                           const uint8_t *data, size_t len);
/* An ENTER of this node, straight to a contact. */
void ss_pastry_route_enter (SsPastry *pastry, const SsContact *contact,
                            bool rows);
void ss_pastry_routed (SsPastry *pastry, const SsContact *from,
                       const SsMsgRouted *message);
void ss_pastry_routed_acked (SsPastry *pastry, uint64_t token);
void ss_pastry_routed_late (SsPastry *pastry, uint64_t token);
void ss_pastry_routed_failed (SsPastry *pastry, uint64_t token);
/* Something changed: what is held is routed again. */
void ss_pastry_release (SsPastry *pastry);
/* What was sent to a node that is gone is sent another way. */
void ss_pastry_reroute (SsPastry *pastry, const SsId *gone);
void ss_pastry_expire_held (SsPastry *pastry);

/* hops.c */
SsHop ss_route_choose (const SsPastry *pastry, const SsRoute *route);
bool ss_route_may_use (const SsPastry *pastry, const SsRoute *route,
                       const SsContact *contact);
/* Names a suspect, in the place of the oldest if there is no room. */
void ss_route_avoid (SsRoute *route, const SsId *id);
/* Those between this node and the key that it suspects or has buried: who has
 * not noticed yet shall not send the message there. */
void ss_route_avoid_suspects (const SsPastry *pastry, SsRoute *route);
unsigned ss_pastry_local_lookup (SsPastry *pastry, const SsId *key,
                                 SsContact *ret_contacts, unsigned max);

/* liveness.c */
void ss_pastry_doubt (SsPastry *pastry, const SsContact *peer, SsDoubt why);
/* A leaf that the neighbour on its side, who is nearer to it, lacks. */
void ss_pastry_doubt_missed (SsPastry *pastry, const SsContact *leaf);
void ss_pastry_suspect (SsPastry *pastry, const SsContact *peer);
bool ss_pastry_is_suspected (const SsPastry *pastry, const SsId *id);
bool ss_pastry_is_dead (const SsPastry *pastry, const SsId *id);
/* A sign of life: suspicion and tombstone go. With an answer to what this
 * node has said doubts and estrangement go, too. */
void ss_pastry_heard (SsPastry *pastry, const SsContact *peer, bool answers);
void ss_pastry_liveness_late (SsPastry *pastry, const SsContact *peer,
                              uint64_t token);
void ss_pastry_liveness_failed (SsPastry *pastry, const SsContact *peer,
                                uint64_t token);
/* Out of every table; tombstone set; applications told. */
void ss_pastry_remove (SsPastry *pastry, const SsContact *peer);
void ss_pastry_bury (SsPastry *pastry, const SsId *id, SsTime duration);
/* Probes that the link gave up too soon are sent again. */
void ss_pastry_liveness_retry (SsPastry *pastry);
SsTime ss_pastry_liveness_deadline (const SsPastry *pastry);
/* The hint may be NULL. */
void ss_pastry_watch (SsPastry *pastry, const SsId *id, SsProtocol protocol,
                      SsPeerHint *hint);
void ss_pastry_update (SsPastry *pastry, const SsContact *peer,
                       SsKbrChange change, bool leaf);
void ss_pastry_expire_liveness (SsPastry *pastry);
void ss_pastry_restart_suspects (SsPastry *pastry);

/* lost.c */
void ss_pastry_remember_lost (SsPastry *pastry, const SsContact *peer);
/* False: it is not one of the lost. */
bool ss_pastry_forget_lost (SsPastry *pastry, const SsId *id);
void ss_pastry_expire_lost (SsPastry *pastry);
void ss_pastry_check_lost (SsPastry *pastry); /* at each tick */
void ss_pastry_lonely_due (SsPastry *pastry); /* at lonely_at */
/* It is heard of again. It may have been stopped for too short a time to
 * notice, and then asks for nobody. */
void ss_pastry_lost_risen (SsPastry *pastry, const SsId *id);
void ss_pastry_lost_answered (SsPastry *pastry, const SsContact *peer);

/* vouch.c */
/* Is it a leaf, and another there to be asked? */
bool ss_vouch_may (const SsPastry *pastry, const SsId *id);
/* Asks two of those nearest to the suspect, others in the next round. */
void ss_vouch_ask (SsPastry *pastry, SsSuspect *suspect);
void ss_vouch_asked (SsPastry *pastry, const SsContact *from,
                     const SsMsgVouchAsk *message);
void ss_vouch_probed (SsPastry *pastry, const SsContact *from,
                      const SsMsgVouchProbe *message);
void ss_vouch_proved (SsPastry *pastry, const SsContact *from,
                      const SsMsgVouchProof *message);
/* Has two leaves near a candidate that does not answer tell it of this node. */
void ss_vouch_introduce (SsPastry *pastry, const SsContact *candidate);
void ss_vouch_introduced (SsPastry *pastry, const SsContact *from,
                          const SsMsgIntroduce *message);
/* Through whom is an estranged leaf reached? False: it is not one, or who
 * vouched for it is not there. */
bool ss_vouch_via (const SsPastry *pastry, const SsId *id, SsContact *ret_via);

/* exchange.c */
void ss_pastry_leaf_probe (SsPastry *pastry, const SsContact *from,
                           const SsMsgLeafProbe *message);
void ss_pastry_leaf_set_told (SsPastry *pastry, const SsContact *from,
                              const SsMsgLeafSet *message);
void ss_pastry_check_strange (SsPastry *pastry);
/* Somebody heard of: into the routing table, and asked if he may be a leaf. */
void ss_pastry_meet (SsPastry *pastry, const SsContact *peer, bool verified);

/* tell.c */
void ss_pastry_tell_leaves (SsPastry *pastry, const SsContact *to,
                            uint32_t nonce, unsigned flags,
                            const uint64_t *known, unsigned n_known);

/* asks.c */
/* flags: SS_LEAF_PROBE_MUTUAL, _RETURN or 0. */
void ss_pastry_ask (SsPastry *pastry, const SsContact *peer, unsigned reach,
                    unsigned flags);
unsigned ss_pastry_n_asks (const SsPastry *pastry);
/* Those who asked while it could not be told whether they are leaves, and
 * who by now lie within the leaf set: others who knew them as little may have
 * filled it. True if one is asked. */
bool ss_pastry_ask_refused (SsPastry *pastry);
void ss_pastry_forget_ask (SsPastry *pastry, const SsId *id);
void ss_pastry_ask_acked (SsPastry *pastry, const SsContact *peer,
                          uint64_t token);
void ss_pastry_ask_late (SsPastry *pastry, const SsContact *peer);
void ss_pastry_ask_failed (SsPastry *pastry, const SsContact *peer,
                           uint64_t token);
void ss_pastry_ask_timeouts (SsPastry *pastry);
SsTime ss_pastry_ask_deadline (const SsPastry *pastry);
/* NULL: it is not being asked. */
SsAsk *ss_pastry_find_ask (const SsPastry *pastry, const SsId *id);
void ss_pastry_drop_ask (SsPastry *pastry, SsAsk *ask);
/* Is anybody asked who is not a leaf? `but` (may be NULL) does not count. */
bool ss_pastry_has_candidates (const SsPastry *pastry, const SsContact *but);
void ss_pastry_note_refused (SsPastry *pastry, const SsContact *peer);

/* newcomers.c */
/* A leaf says whether it is in the ring already. */
void ss_pastry_note_newcomer (SsPastry *pastry, const SsId *id,
                              bool is_joining);
bool ss_pastry_is_newcomer (const SsPastry *pastry, const SsId *id);
/* Does the one nearest to id still join? */
void ss_pastry_ask_newcomer (SsPastry *pastry, const SsId *id);
void ss_pastry_expire_newcomers (SsPastry *pastry);

/* near.c: ends by ss_pastry_join_through. */
void ss_near_begin (SsPastry *pastry, const SsContact *contact);
void ss_near_end (SsPastry *pastry);
void ss_near_timer (SsPastry *pastry);
void ss_near_row (SsPastry *pastry, const SsContact *from,
                  const SsContact *contacts, const SsMsgRow *message);
/* It is known now whether strangers reach this node. */
void ss_near_resume (SsPastry *pastry);
void ss_near_pinged (SsPastry *pastry, const SsContact *peer, SsTime rtt);

/* proximity.c */
void ss_proximity_tick (SsPastry *pastry);

/* search.c */
void ss_search_begin (SsPastry *pastry);
void ss_search_end (SsPastry *pastry);
void ss_search_tick (SsPastry *pastry);
/* Of those that a row tells of, some are measured. */
void ss_search_row (SsPastry *pastry, const SsContact *from,
                    const SsContact *contacts, const SsMsgRow *message);
/* This one took its place from one that was so far (SS_NEVER: who knows). */
void ss_search_found (SsPastry *pastry, const SsId *id, SsTime before,
                      SsTime rtt);
/* A place in the table is empty since this one died. */
void ss_search_vacant (SsPastry *pastry, const SsId *gone);

/* news.c */
void ss_news_told (SsPastry *pastry, const SsMsgNews *message);
/* This one, who has answered, took a place that was empty. */
void ss_news_filled (SsPastry *pastry, const SsContact *contact);
/* A message goes on from here to `next`: could who sent it have done that? */
void ss_news_passing (SsPastry *pastry, const SsRoute *route,
                      const SsContact *next);

/* join.c */
void ss_pastry_join_through (SsPastry *pastry, const SsContact *contact);
void ss_pastry_row_requested (SsPastry *pastry, const SsContact *from,
                              const SsMsgRowRequest *message);
void ss_pastry_request_row (SsPastry *pastry, const SsContact *to, unsigned row,
                            bool reliable);
void ss_pastry_join_timer (SsPastry *pastry);
void ss_pastry_enter (SsPastry *pastry, const SsContact *source,
                      const SsContact *previous, const SsMsgEnter *message,
                      bool root);
void ss_pastry_enter_failed (SsPastry *pastry, const SsContact *contact);
void ss_pastry_row (SsPastry *pastry, const SsContact *from,
                    const SsMsgRow *message);
/* All probes of the moment are answered: is the leaf set done? */
void ss_pastry_settle (SsPastry *pastry);

/* maintain.c */
void ss_pastry_tick (SsPastry *pastry);
void ss_pastry_arm_tick (SsPastry *pastry, SsTime wait);
void ss_pastry_work (SsPastry *pastry);
void ss_pastry_arm_work (SsPastry *pastry);
/* At once if hasty, else after a pause that grows while nothing changes. */
void ss_pastry_repair_soon (SsPastry *pastry, bool hasty);
void ss_pastry_heartbeat (SsPastry *pastry, const SsContact *from,
                          uint64_t digest);
void ss_pastry_dead_told (SsPastry *pastry, const SsMsgDead *message);
/* A leaf, while it still is one; told: this node knows it from another. */
void ss_pastry_tell_dead (SsPastry *pastry, const SsId *id, bool told,
                          bool missed);
void ss_pastry_left (SsPastry *pastry, const SsContact *from,
                     const SsMsgLeave *message);
void ss_pastry_slept (SsPastry *pastry);

/* api.c */
const SsKbrClass *ss_pastry_kbr_class (void);

/* view.c: what the leaf set tells applications */
unsigned ss_pastry_near_set (const SsPastry *pastry, SsContact *ret_contacts,
                             SsTime *ret_rtts, unsigned max);
unsigned ss_pastry_neighbor_set (const SsPastry *pastry,
                                 SsContact *ret_contacts, unsigned max);
unsigned ss_pastry_replica_set (const SsPastry *pastry, const SsId *key,
                                SsContact *ret_contacts, unsigned max);
bool ss_pastry_range (const SsPastry *pastry, const SsId *id, unsigned rank,
                      SsId *ret_from, SsId *ret_to);
bool ss_pastry_is_root (const SsPastry *pastry, const SsId *key,
                        bool provisional);

#include "overlay/pastry/client.h"
