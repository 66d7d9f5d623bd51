/* Nodes that unasked peers cannot reach (DESIGN, section 6): how a node
 * finds out that it is one (reach.c), and how it lives as a client of others,
 * who serve it (client.c). Not for others than overlay/pastry.
 *
 *   unknown --probes come--> open      in the ring
 *   unknown --none comes---> closed    a client; outside the leaf sets
 *
 * A node counts as reachable until it is found otherwise: alone with one
 * other it is not found out, and asks again later. */
#pragma once

#include "overlay/pastry/messages.h"
#include "overlay/pastry/pastry.h"

#define SS_REACH_HELPERS_MAX  3
#define SS_REACH_KNOWN_MAX    48
#define SS_REACH_ROUNDS       3 /* of questions that were answered */
#define SS_REACH_MISSES       4 /* probes that did not come: closed */
#define SS_REACH_MISSES_MIN   3 /* so many will do after all rounds */
#define SS_REACH_TRIES        6 /* questions in all */
#define SS_REACH_HELD_MAX     48
#define SS_REACH_UNHELPED_MAX 8
#define SS_REACH_NEWCOMERS    4               /* asked for each of them */
#define SS_REACH_HELPS        64              /* done for others, in a second */
#define SS_REACH_WAIT         (300 * SS_MSEC) /* and twice the RTO */
#define SS_REACH_AGAIN        (15 * SS_SEC)   /* of what is not known */
#define SS_REACH_DOUBT_TIME   (300 * SS_SEC)  /* one helper's word counts */
#define SS_REACH_AGAIN_SOON   (1 * SS_SEC)    /* somebody new is there to ask */
/* Found reachable: look again soon, for what a former life of this node has
 * opened in a NAT lets others in; all that has closed by then. */
#define SS_REACH_OPEN_SOON   (330 * SS_SEC)
#define SS_REACH_OPEN        (3600 * SS_SEC) /* found so twice */
#define SS_REACH_CLOSED      (60 * SS_SEC)
#define SS_REACH_CLOSED_SOON (10 * SS_SEC) /* the first time */

#define SS_CLIENT_ATTACHMENTS    3
#define SS_CLIENT_TRIED_MAX      6 /* with those under way and suspected */
#define SS_CLIENT_CANDIDATES_MAX 24
#define SS_CLIENT_NAMED_MAX      8
#define SS_CLIENT_TICK           (5 * SS_SEC)
#define SS_CLIENT_KEEPALIVE      (15 * SS_SEC) /* NATs remember 30 s */
#define SS_CLIENT_ANSWER         (1 * SS_SEC)
#define SS_CLIENT_RETRY          (500 * SS_MSEC) /* nobody is left to ask */
#define SS_CLIENT_RETRY_MAX      (10 * SS_SEC)
#define SS_CLIENT_SILENT         (60 * SS_SEC) /* then it is not served */

typedef struct SsReach SsReach;
typedef struct SsClient SsClient;

/* A leaf-set probe that waits for the verdict. */
typedef struct {
  SsContact peer;
  uint8_t reach, flags;
} SsReachHeld;

/* Who asked while there was nobody to send a probe: the next who come do. */
typedef struct {
  SsContact asker;
  uint32_t nonce;
  uint8_t helped;
} SsUnhelped;

/* While it is being found out. */
struct SsReach {
  SsTimer timer;
  SsPastry *pastry;
  SsContact contact; /* who was asked first */
  SsContact helper;  /* one who sent a probe, not asked yet */
  bool has_helper, is_asked, is_answered;
  uint32_t nonce;
  uint8_t tries, rounds, n_helpers; /* of the last answer */
  SsAddr observed;
  uint32_t first_helper; /* first four bytes of its id */
  bool are_several;      /* who were to send probes */
  int misses;            /* probes that were to come and did not */
  GArray *held;          /* SsReachHeld; or NULL */
};

typedef struct {
  SsContact contact;
  SsTime asked;   /* when ATTACH was sent last */
  uint64_t token; /* of that */
  uint32_t nonce;
  bool is_attached;
} SsAttachment;

/* One that this node serves. */
typedef struct {
  SsContact contact;
  SsTime attached; /* when it last said that it is, by ATTACH */
} SsServed;

/* A client's view. */
struct SsClient {
  SsTimer timer;
  SsPastry *pastry;
  SsAttachment attachments[SS_CLIENT_TRIED_MAX];
  unsigned n;
  GArray *candidates; /* SsContact, as named last at the end */
  unsigned tries;     /* since one was attached */
  SsId relay;         /* whose address is given as the own */
  bool has_relay, introduced;
  SsTime relay_since;
};

/* reach.c */
void ss_reach_begin (SsPastry *pastry); /* no-op while under way */
void ss_reach_end (SsPastry *pastry);
/* Somebody to ask: about to be sent something, or heard. */
void ss_reach_contact (SsPastry *pastry, const SsContact *contact);
/* Is it being found out by a node that joins? */
bool ss_reach_is_open (const SsPastry *pastry);
/* True: the leaf-set probe is kept until it is known. */
bool ss_reach_hold (SsPastry *pastry, const SsContact *peer, unsigned reach,
                    unsigned flags);
void ss_reach_tick (SsPastry *pastry);
void ss_reach_timer (SsReach *reach);
/* May something be done for another now? Counts it. */
bool ss_reach_may_help (SsPastry *pastry);
void ss_reach_asked (SsPastry *pastry, const SsContact *from,
                     const SsMsgReachAsk *message);
void ss_reach_help (SsPastry *pastry, const SsMsgReachHelp *message);
/* A new leaf, whom others may not have spoken to yet. */
void ss_reach_newcomer (SsPastry *pastry, const SsContact *peer);
void ss_reach_told (SsPastry *pastry, const SsContact *from,
                    const SsMsgReachTold *message);
bool ss_contact_is_client (const SsContact *contact);
/* Up to max nodes to name or ask, of leaves and table, by lot. */
unsigned ss_reach_choose (SsPastry *pastry, const SsContact *but,
                          const uint32_t *known, unsigned n_known,
                          SsContact *ret_contacts, unsigned max);

/* client.c */
void ss_client_begin (SsPastry *pastry);
void ss_client_free (SsPastry *pastry);
/* It can be reached after all. */
void ss_client_end (SsPastry *pastry);
bool ss_client_is_attached (const SsPastry *pastry);
unsigned ss_client_n_attached (const SsPastry *pastry);
/* The attachment for a message, by what the caller may use. */
bool ss_client_hop (const SsPastry *pastry, const SsId *key,
                    bool (*may_use) (const void *user, const SsContact *),
                    const void *user, SsContact *ret_hop);
/* A peer is suspected, has recovered or is gone: replaced at once. */
void ss_client_changed (SsPastry *pastry, const SsId *gone);
void ss_client_timer (SsClient *client);
void ss_client_attached (SsPastry *pastry, const SsContact *from,
                         const SsMsgAttached *message);
/* Does a client care for this message? */
bool ss_client_takes (uint8_t code);
/* Those who serve. */
void ss_client_attach (SsPastry *pastry, const SsContact *from,
                       const SsMsgAttach *message);
bool ss_client_is_served (const SsPastry *pastry, const SsId *id);
void ss_client_left (SsPastry *pastry, const SsId *id);
void ss_client_expire (SsPastry *pastry);
/* The node leaves: all who depend on it, or serve it, are told. */
void ss_client_goodbye (SsPastry *pastry);
