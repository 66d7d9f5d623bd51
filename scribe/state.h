/* What the files of scribe/ share: the objects' insides. Not for others.
 *
 *   scribe.c   the object, the upcalls of the overlay, dispatch, timers
 *   group.c    a group: its making and end, children, path
 *   history.c  the packets that a group keeps
 *   peer.c     the neighbours: load, keepalives, silence
 *   join.c     the child's side: finding and changing parents, being root
 *   parent.c   the parent's side: taking children, sending them on
 *   place.c    where there is room, and whom it names
 *   shed.c     children that are handed on
 *   publish.c  the source's side, and what roots do with a PUBLISH
 *   live.c     packets in, packets on
 *   want.c     overdue packets: asking and answering
 *   service.c  what a parent sends of what it should
 *   ordered.c  ordered mode: sources, the root, its replicas
 *   log.c      ordered mode: logs in order, gaps, agreement with others
 *   credential.c  who may publish; signatures of ordered messages
 *   budget.c   how many packets are sent again
 *   anycast.c  searches for members that accept
 *
 * Reentrancy: every upcall into the application may open, leave, inject,
 * want and the like. Loops over groups therefore go by id (ss_group_after),
 * and what is gone is freed only when the outermost call returns. */
#pragma once

#include "base/quota.h"
#include "scribe/messages.h"
#include "scribe/scribe.h"

#define SS_TAG_LEN 5

/* Bounds. */
#define SS_GROUP_WANTS_MAX    64  /* sequences wanted at once in a group */
#define SS_GROUP_OTHERS_MAX   32  /* and so many more for others */
#define SS_GROUP_ASKERS_MAX   64  /* peers to be answered later */
#define SS_GROUP_PENDING_MAX  16  /* JOINs that wait for this node's own */
#define SS_GROUP_OUTBOX_MAX   256 /* packets not acknowledged by a root */
#define SS_GROUP_CATCH_UP_MAX 64  /* packets sent to a new child */
#define SS_GROUP_DEPTH_MAX    40
#define SS_REDIRECT_MAX       4
#define SS_NEAR_MAX           5  /* nodes closest to a group that count */
#define SS_FAMILY_ASK_MAX     64 /* neighbours considered for a question */
/* Retransmissions for one asker, and for all: so many packets at once, and
 * then for each that streams bring, or a second if that is more. */
#define SS_ANSWER_BURST        256
#define SS_ANSWER_SHARE        1
#define SS_ANSWER_RATE_MIN     32
#define SS_ANSWER_BURST_ALL    2048
#define SS_ANSWER_SHARE_ALL    2
#define SS_ANSWER_RATE_MIN_ALL 256
#define SS_ANSWER_RESERVE      256 /* of those of all: not for strangers */
#define SS_ANYCAST_HOPS_MAX    200
#define SS_ANYCAST_TRIES       3

#define SS_ORDERED_AHEAD_MAX 128 /* kept ahead of a gap */
#define SS_ORDERED_FETCH_MAX 16  /* messages asked for at once */

/* Times. */
#define SS_KEEPALIVE_INTERVAL   (5 * SS_SEC)
#define SS_ROOM_INTERVAL        (300 * SS_MSEC) /* a KEEPALIVE because of it */
#define SS_CHILD_SILENT         (3 * SS_KEEPALIVE_INTERVAL)
#define SS_PEER_FORGET          (60 * SS_SEC)
#define SS_GROUP_IDLE           (30 * SS_SEC) /* a forwarder without children */
#define SS_JOIN_SLACK           (100 * SS_MSEC)
#define SS_JOIN_HEARD           (10 * SS_SEC) /* by then it is no first hop */
#define SS_JOIN_WAIT_MAX        (5 * SS_SEC)
#define SS_JOIN_WAIT_LIVE       (1 * SS_SEC) /* while a stream is missed */
#define SS_JOIN_FAILURES_MUST   6            /* then it must be taken */
#define SS_JOIN_FAILURES_ORPHAN 3            /* if it has lost its parent */
#define SS_JOIN_BETTER_FIRST    (5 * SS_SEC) /* doubled each time, */
#define SS_JOIN_BETTER_DOUBLED  6            /* so often */
#define SS_JOIN_FAILURES_FAST   8 /* then refusals are not answered at once */
#define SS_JOIN_SEARCH_PAUSE    (1 * SS_SEC) /* doubled after each in vain */
#define SS_JOIN_SEARCH_MAX      (4 * SS_SEC)
#define SS_JOIN_REDIRECTS_MAX   16 /* then the next one must take it */
#define SS_JOIN_WAIT_FIRST      (200 * SS_MSEC) /* for a routed JOIN's answer */
#define SS_JOIN_WAIT_NEW        (600 * SS_MSEC) /* while trees are being made */
#define SS_JOIN_PARENTS_FAST    8               /* parents found within: */
#define SS_JOIN_PARENTS_TIME    (2 * SS_SEC)
#define SS_JOIN_PARENTS_WAIT    (250 * SS_MSEC) /* then before each JOIN */
#define SS_PENDING_TIME         (1 * SS_SEC)
#define SS_SURPLUS_TIME         (1 * SS_SEC)  /* a source has two children */
#define SS_SHED_TIME            (5 * SS_SEC)  /* a shed child is served */
#define SS_OVERLOAD_TIME        (1 * SS_SEC)  /* then a child is handed on */
#define SS_LONE_TIME            (10 * SS_SEC) /* then a link of a chain goes */
#define SS_LEAVE_TIME           (500 * SS_MSEC)
#define SS_ROOT_CHECK           (300 * SS_MSEC) /* of a root by hearsay */
#define SS_HANDOVER_TIME        (10 * SS_SEC)
#define SS_WANT_WAIT_MIN        (60 * SS_MSEC)
#define SS_WANT_WAIT_MAX        (500 * SS_MSEC)
#define SS_WANT_OTHERS_TIME     (1500 * SS_MSEC) /* a want in another's name */
#define SS_ROOT_SILENT          (300 * SS_MSEC)  /* then a root is suspected */
#define SS_BURST_TIME           (5 * SS_MSEC) /* what comes so close is one */
#define SS_FIND_WAIT            (100 * SS_MSEC)
#define SS_FIND_WAIT_MAX        (1 * SS_SEC)
#define SS_SILENCE_MIN          (250 * SS_MSEC)
#define SS_GAP_AGE              (3 * SS_SEC) /* older gaps are nobody's wish */
#define SS_ORDERED_RETRY        (1 * SS_SEC) /* unstored, or not replicated */
#define SS_ORDERED_GAP          (100 * SS_MSEC) /* then a gap is asked for */
#define SS_ORDERED_SYNC         (10 * SS_SEC)   /* between root and replicas */
#define SS_ORDERED_SYNC_FIRST   (500 * SS_MSEC) /* a new root's patience */
#define SS_ORDERED_LOST         (5 * SS_SEC)    /* then nobody has it */
#define SS_LEAVE_REPEAT         (500 * SS_MSEC)
#define SS_ANYCAST_WAIT         (2 * SS_SEC) /* times the try: for an answer */

enum { /* SsMsgScribeJoin.flags, and FIND_ROOT's and HANDOVER's */
       SS_JOIN_HAVE = 1,
       SS_JOIN_MUST = 2,
       SS_JOIN_RETRY = 4,
       SS_JOIN_ORDERED = 8,
       SS_JOIN_SHED = 16,
       SS_JOIN_REPLICA = 32,
       SS_JOIN_MEMBER = 64,
       SS_JOIN_BETTER = 128,
       SS_JOIN_UNSERVED = 256,
};
enum { /* SsMsgScribeSync.flags */
       SS_SYNC_ASK = 1,
       SS_SYNC_ANSWER = 2,
       SS_SYNC_MORE = 4,
       SS_SYNC_UNKNOWN = 8,
};
enum { SS_REPLICA_UNKNOWN = 1 };
enum { SS_KEEPALIVE_MORE = 1 };
enum { SS_WANT_FETCH = 1 };
enum { SS_NOT_ROOT_LOST = 1 };

/* A neighbour: a peer that is, or lately was, parent, child or root. */
typedef struct {
  SsContact contact;
  uint16_t load, load_max; /* its children and bound, as last told */
  bool is_parent;          /* in some group; refreshed by the sweep */
  bool probing;            /* a KEEPALIVE is unanswered */
  bool is_urgent;          /* it was sent because of a silence */
  bool is_silent;          /* longer than usual, and asked for that */
  bool is_behind;          /* a parent: has not heard of this node's room */
  uint8_t late;            /* missing acks of it */
  uint8_t n_unanswered;    /* requests since it was heard last */
  uint8_t rejected;        /* packets of it in a row that did not verify */
  SsTime used;             /* last time it mattered */
  SsTime data;             /* last tree packet from it; -1 none */
  SsTime pause;            /* longest of late between them; 0 unknown */
  SsTime keepalive;        /* last KEEPALIVE to it */
  SsTime unanswered;       /* when the last of the unanswered was sent */
  SsTime left;             /* last LEAVE to it for a group unknown here */
  SsTime shirks_until;     /* it does not serve: seen, or twice said */
  SsTime accused_at;       /* when that was said last, */
  uint32_t accused_by;     /* and by whom; 0: by nobody */
} SsNeighbour;

typedef struct {
  SsContact contact;
  SsPeerHint hint;     /* for what is sent to it */
  SsTime since, heard; /* JOIN; JOIN or KEEPALIVE */
  SsTime told;         /* ordered: how far the logs are */
  SsTime shed_until;   /* being handed on: served until then; 0: no */
  uint32_t nonce;      /* of its last JOIN */
  bool is_member;      /* when it joined; else: */
  SsContact *below;    /* a member that was below it then; NULL: not known */
  uint16_t room;       /* at it and below it, as last told */
} SsChild;

/* A JOIN that waits until this node is in the tree. */
typedef struct {
  SsContact joiner;
  SsTime until;
  uint32_t nonce, newest, mask, lost;
  uint16_t room;
  uint16_t flags;
  bool has_below;
  SsContact below; /* a member below the joiner, if it is none */
} SsPendingJoin;

typedef struct {
  uint32_t nonce;
  uint8_t tries, failures, redirects, n_candidates, next_candidate;
  uint8_t next_full, searches;
  bool shed, is_sought; /* sought: the application looks for a place */
  bool is_better;       /* it has one, and looks for a better one */
  bool unserved;        /* since that does not serve */
  uint32_t lost;
  uint32_t full[SS_REDIRECT_MAX]; /* prefixes of who had no room; 0: none */
  SsId asked;                     /* the node asked directly; zero: routed */
  SsTime answer_by;               /* then try again */
  SsTime routed;                  /* the first try since an answer; or 0 */
  SsContact candidates[SS_REDIRECT_MAX];
} SsJoin;

typedef struct {
  uint32_t sequence;
  uint8_t stage; /* whom was asked last */
  uint8_t rounds;
  uint8_t n_asked; /* answers that may still come */
  bool is_own;     /* the application's: says `missed` */
  bool is_silent;  /* the parent let the last request pass in silence */
  SsTime deadline, next;
  SsTime asked; /* the parent, last; -1: not since it was judged */
} SsWant;

typedef struct {
  uint32_t sequence;
  SsContact contact;
} SsAsker;

/* A packet that did not come from the parent. */
typedef struct {
  SsTime since; /* 0: none */
  uint32_t sequence;
  uint8_t by; /* what it has raised the level by */
} SsOwed;

#define SS_SERVICE_OWED_MAX 8

typedef struct {
  uint32_t from; /* the first sequence that the parent is to send */
  uint8_t level; /* 0: it sends all */
  uint8_t next_owed;
  bool is_fed;         /* in this round */
  uint8_t n_idle;      /* rounds that brought nothing */
  SsTime pause, again; /* it is not left before */
  SsOwed owed[SS_SERVICE_OWED_MAX];
} SsService;

/* A packet on its acknowledged way to a root or a deputy. */
typedef struct {
  uint32_t sequence;
  GBytes *packet;
  uint64_t token; /* 0: not sent */
  SsId to;
  SsTime first, give_up;
  uint8_t late;
  bool for_deputy;
} SsOutgoing;

/* A fast stream keeps ten thousand of these. */
typedef struct {
  GBytes *packet; /* NULL: empty */
  uint32_t sequence;
  uint32_t time_ms; /* when it came, modulo 2^32 */
} SsHistorySlot;

typedef struct {
  uint32_t sequence;
  GBytes *data;
} SsLogEntry;

/* What a node knows of one source of an ordered group. Everything below
 * `next` has been handed on; what is above waits for a gap to close. */
typedef struct {
  SsId id;
  uint32_t epoch, next;
  uint32_t deliver_from; /* older ones are not for this node's application */
  uint32_t known_end;    /* there is everything below this, somewhere */
  uint32_t told_end;     /* and somebody has said to hold it */
  uint32_t oldest;       /* at the root: the source's oldest not stored */
  GArray *entries;       /* SsLogEntry, by sequence */
  bool has_contact, has_teller;
  SsContact contact; /* at the root: the source itself */
  SsContact teller;  /* who is known to have what is missing */
  SsTime fetch_at;   /* SS_NEVER: no gap */
  SsTime lost_at;    /* at the root: then a gap is passed over; SS_NEVER */
  SsTime used;
  uint8_t fetches;
} SsSourceLog;

/* At the root: not yet on enough nodes. */
typedef struct {
  SsId source;
  uint32_t epoch, sequence;
  unsigned n_acked;
  SsId acked[SS_ORDERED_REPLICAS - 1];
  SsTime retry;
} SsUnstored;

/* At the source. */
typedef struct {
  uint32_t sequence;
  GBytes *data;
  uint64_t token; /* 0: not on its way */
  uint8_t late;
  SsTime retry;
} SsSubmission;

typedef struct {
  GPtrArray *logs;          /* SsSourceLog, by source */
  GArray *unstored;         /* SsUnstored, oldest first */
  GArray *submissions;      /* SsSubmission, by sequence */
  uint32_t epoch, sequence; /* of this node's own messages */
  bool has_credential;
  SsCredential credential; /* for them */
  bool is_synced;          /* knows where the sources stand */
  bool is_replaying;       /* the past to a new member: what is new waits */
  bool is_ready;           /* root: knows what the replicas hold */
  unsigned n_awaited;      /* root, not ready: their answers */
  bool is_asking; /* child: the new parent has not said how far it is */
  SsTime changed; /* a message was handed on last */
  SsTime sync_at; /* agreement with replicas, or with a new parent */
} SsOrdered;

struct SsFamily {
  SsScribe *scribe;
  SsFamilyConfig config;
  SsContact source; /* valid if has_source */
  bool has_source;
  unsigned n_children; /* in all its groups */
  unsigned n_shed;     /* and those that are being handed on */
  unsigned n_in_round; /* new packets, in all its groups */
  SsTime over_since;   /* more than children_max, or one was handed on then */
};

struct SsGroup {
  SsScribe *scribe;
  SsFamily *family;
  SsId id;
  void *user;
  GBytes *info; /* of an adopted group without a family of its own */
  bool is_open; /* the application holds it */
  bool is_member;
  bool is_root, has_parent, has_root, has_newest, has_first, is_dead;
  bool is_hearsay;        /* newest is a child's word */
  uint32_t newest, first; /* sequences: greatest seen; of interest from */
  uint32_t seen;          /* bit i: newest - 1 - i has been here */
  uint32_t n_reparented;
  SsContact parent, root;
  SsNeighbour *upstream; /* whose packet came down the tree last; or NULL */
  uint32_t n_forgotten;  /* neighbours then: it counts while that is so */
  SsTime idle_since;     /* no child since; -1: has some */
  SsTime root_until;     /* handed over: root although a closer node is left */
  SsTime root_check;     /* root on another's word: look again; SS_NEVER: no */
  SsTime find_next;      /* FIND_ROOT again; SS_NEVER: not looking */
  SsTime found_since;    /* when the first of n_found was found */
  SsTime better_at;      /* then a parent whose own stripe it is, is sought */
  SsTime left;           /* last LEAVE to who is not the parent; -1: none */
  SsService *service;    /* the parent's, to this node; NULL: no packet yet */
  uint32_t find_nonce;
  uint32_t parent_nonce; /* of the JOIN that the parent has answered */
  uint8_t n_found;       /* parents, since then */
  uint8_t find_tries;
  uint16_t room_told; /* to the parent */
  uint8_t n_better;   /* times that a better one was sought in vain */
  uint8_t n_path;     /* of path: nodes from the root to this one */
  uint32_t *path;
  SsJoin *join;         /* NULL: not joining */
  GArray *children;     /* SsChild, by id; NULL: none */
  GArray *pending;      /* SsPendingJoin, in order of coming; or NULL */
  GArray *wants;        /* SsWant, by sequence; or NULL */
  GArray *askers;       /* SsAsker, in order of asking; or NULL */
  GArray *outbox;       /* SsOutgoing, by sequence; or NULL */
  SsOrdered *ordered;   /* NULL: live, or nothing yet */
  SsHistorySlot *slots; /* ring: sequence modulo n_slots */
  uint32_t n_slots, sweep;
  SsTimer timer;
};

typedef struct SsAnycasts SsAnycasts;

typedef struct {
  SsQuota quota;
  SsTime since; /* of n_packets, which streams have brought */
  unsigned n_packets;
  double rate; /* of them, a second */
} SsBudget;

struct SsScribe {
  SsEnv *env;
  SsKbr *kbr;
  SsProtocol protocol; /* the application's, in the overlay */
  SsScribeApp app;
  void *app_user;
  GPtrArray *groups; /* SsGroup, by id */
  SsGroup **met;     /* found by tag lately, by their first digit */
  GPtrArray *families;
  GPtrArray *neighbours;     /* SsNeighbour, by id */
  uint32_t n_forgotten;      /* of them, so far */
  GPtrArray *dead;           /* groups to be freed */
  SsFamily *adopted;         /* of groups that the application gave none; */
  SsFamily *adopted_ordered; /* each made with the first of them */
  SsAnycasts *anycasts;      /* NULL: none so far */
  SsTimer timer;             /* the neighbours' */
  SsTimer anycast_timer;     /* to the earliest search that is due */
  unsigned depth;            /* of nested entries */
  uint16_t tokens;
  bool is_leaving;
  SsTime leave_until;
  SsTime join_time; /* smoothed, of a routed JOIN's answer; 0: not known */
  SsBudget budget;  /* for retransmissions */
};

typedef enum {
  SS_SCRIBE_TIMER_SWEEP,   /* neighbours: keepalives, silence, forgetting */
  SS_SCRIBE_TIMER_GROUP,   /* a group's earliest deadline */
  SS_SCRIBE_TIMER_ANYCAST, /* searches that are to begin, or again */
} SsScribeTimerKind;

/* scribe.c */
void ss_scribe_enter (SsScribe *scribe);
void ss_scribe_exit (SsScribe *scribe);
const SsId *ss_scribe_self (const SsScribe *scribe);
bool ss_scribe_usable (const SsScribe *scribe, const SsContact *peer);
/* Is the node (self, too) one of those closest to the group's id, as its root,
 * a successor and replicas are? As far as the leaf set tells. */
bool ss_scribe_is_near (SsScribe *scribe, const SsId *group_id,
                        const SsId *node);
/* A reliable control message. */
bool ss_scribe_send (SsScribe *scribe, const SsContact *to, const uint8_t *data,
                     size_t len);
bool ss_scribe_send_packet (SsScribe *scribe, const SsContact *to, uint8_t type,
                            const SsGroup *group, uint32_t sequence,
                            GBytes *packet, const SsKbrSend *how);
SsTime ss_scribe_rto (SsScribe *scribe, const SsId *peer);
uint32_t ss_scribe_nonce (SsScribe *scribe);
uint64_t ss_scribe_token (SsScribe *scribe, const SsGroup *group);
/* Probes a silent peer, and treats it as suspected from now on. */
void ss_scribe_suspect (SsScribe *scribe, const SsContact *peer);

/* Peers in lists of messages: those without an address are left out. */
uint16_t ss_peers_put (SsPeerRecord *ret_records, uint16_t n, unsigned max,
                       const SsContact *contact);

/* group.c */
uint32_t ss_prefix_of (const SsId *id);
uint64_t ss_tag_number (const SsId *id);
SsGroup *ss_group_new (SsScribe *scribe, SsFamily *family, const SsId *id);
void ss_group_drop (SsGroup *group); /* out of all tables; freed later */
/* Leaves the tree and drops it, and tells the application, which may hold
 * it. */
void ss_group_abandon (SsGroup *group);
void ss_group_free (SsGroup *group);
SsGroup *ss_group_by_tag (const SsScribe *scribe,
                          const uint8_t tag[SS_TAG_LEN]);
SsGroup *ss_group_by_tag_number (const SsScribe *scribe, uint64_t tag);
/* Asks the application; NULL if it will not carry the group. */
SsGroup *ss_group_adopt (SsScribe *scribe, const SsId *id,
                         const SsWireBytes *info, bool is_root,
                         bool is_ordered);
bool ss_group_is_ordered (const SsGroup *group);
/* Does the overlay say that this node is the group's root? Ordered groups
 * wait until a closer node is declared dead. */
bool ss_group_is_closest (const SsGroup *group);
/* Can strangers' groups be told from the application's own? */
bool ss_group_has_own_family (const SsGroup *group);
void ss_group_info (const SsGroup *group, SsWireBytes *ret_info);
unsigned ss_group_child_count (const SsGroup *group); /* shed ones included */
SsChild *ss_group_child_at (const SsGroup *group, unsigned index);
SsChild *ss_group_child_find (const SsGroup *group, const SsId *id);
SsChild *ss_group_child_add (SsGroup *group, const SsContact *contact);
/* Takes over the copy of `below`; NULL: none known. */
void ss_group_child_set_member (SsChild *child, bool is_member,
                                const SsContact *below);
void ss_group_child_remove (SsGroup *group, const SsId *id);
void ss_group_child_shed (SsGroup *group, SsChild *child);
/* Drops the group if nothing needs it. */
void ss_group_settle (SsGroup *group);
void ss_group_arm (SsGroup *group); /* its timer, to its earliest deadline */
void ss_group_timer (SsGroup *group);
void ss_group_know_source (SsGroup *group, const SsPeerRecord *record);
void ss_group_set_path (SsGroup *group, const uint32_t *path, unsigned n_path);
bool ss_group_on_path (const SsGroup *group, const SsId *id);
SsFamily *ss_family_make (SsScribe *scribe, const SsFamilyConfig *config);
uint16_t ss_family_load (const SsFamily *family);
uint16_t ss_family_load_max (const SsFamily *family);

/* budget.c */
void ss_budget_init (SsBudget *budget, SsTime now);
void ss_budget_clear (SsBudget *budget);
/* A packet of a stream has come, or goes out at its source. */
void ss_budget_note (SsBudget *budget, SsTime now);
/* May one more be sent to who asks for it? False: counted. */
bool ss_budget_take (SsGroup *group, const SsContact *asker);

/* history.c */
GBytes *ss_history_find (const SsGroup *group, uint32_t sequence);
void ss_history_put (SsGroup *group, uint32_t sequence, GBytes *packet);
void ss_history_clear (SsGroup *group);
/* Bit i: have, or do not miss, newest - 1 - i. */
uint32_t ss_history_mask (const SsGroup *group);

/* peer.c */
SsNeighbour *ss_neighbour_find (const SsScribe *scribe, const SsId *id);
SsNeighbour *ss_neighbour_get (SsScribe *scribe, const SsContact *contact);
void ss_neighbour_forget (SsScribe *scribe, const SsId *id);
void ss_neighbour_data (SsGroup *group, const SsContact *from);
void ss_neighbour_sweep (SsScribe *scribe);
void ss_neighbour_handle_keepalive (SsScribe *scribe, const SsContact *from,
                                    const SsMsgScribeKeepalive *message);
void ss_neighbour_handle_not_served (SsScribe *scribe, const SsContact *from,
                                     const SsMsgScribeNotServed *message);
void ss_neighbour_outcome (SsScribe *scribe, const SsContact *to,
                           SsKbrOutcome outcome);
int ss_neighbour_compare_distance (SsScribe *scribe, const SsId *a,
                                   const SsId *b);
/* It let so much pass in silence that it is suspected from now on. */
void ss_neighbour_judge (SsScribe *scribe, SsNeighbour *neighbour);
/* Asks whether it lives, if it has not been heard just now. */
void ss_neighbour_probe (SsScribe *scribe, SsNeighbour *neighbour);
/* A joiner says that this one has no room. */
void ss_neighbour_mark_full (SsScribe *scribe, uint32_t prefix);
void ss_neighbour_hint (SsScribe *scribe, uint32_t prefix);
void ss_neighbour_load (SsScribe *scribe, const SsContact *contact,
                        uint16_t load, uint16_t load_max);

/* join.c */
void ss_join_start (SsGroup *group, const SsContact *lost);
void ss_join_start_shed (SsGroup *group, const SsPeerRecord *candidates,
                         unsigned n);
/* Looks for a parent whose own stripe it is, if it has another. */
void ss_join_improve (SsGroup *group);
/* The parent does not serve. */
void ss_join_start_unserved (SsGroup *group);
void ss_join_cancel (SsGroup *group);
void ss_join_due (SsGroup *group); /* answer_by has come */
void ss_join_become_root (SsGroup *group);
void ss_join_lose_parent (SsGroup *group);  /* dead or gone: join again */
void ss_join_leave_parent (SsGroup *group); /* tells it */
/* Takes the JOIN of that number back, as far as `to` is concerned, or any if
 * it is 0; for a group that may be unknown here. */
void ss_join_send_leave (SsScribe *scribe, const SsContact *to,
                         const uint8_t tag[SS_TAG_LEN], uint32_t nonce);
void ss_join_check_root (SsGroup *group);
void ss_join_suspected (SsScribe *scribe, const SsContact *peer);
void ss_join_recovered (SsScribe *scribe, const SsContact *peer);
void ss_join_left (SsScribe *scribe, const SsContact *peer);
void ss_join_handle_ack (SsScribe *scribe, const SsContact *from,
                         const SsMsgScribeJoinAck *message);
void ss_join_handle_redirect (SsScribe *scribe, const SsContact *from,
                              const SsMsgScribeRedirect *message);
void ss_join_handle_path (SsScribe *scribe, const SsContact *from,
                          const SsMsgScribePath *message);

/* parent.c */
typedef enum {
  SS_JOIN_ON_WAY,    /* a forward upcall */
  SS_JOIN_DELIVERED, /* at the node closest to the group */
  SS_JOIN_DIRECT,    /* sent here by a REDIRECT */
} SsJoinWay;
/* True: taken or answered; false (ON_WAY only): let it go on. */
bool ss_parent_handle_join (SsScribe *scribe, const SsContact *joiner,
                            const SsMsgScribeJoin *message, SsJoinWay way);
void ss_parent_handle_leave (SsScribe *scribe, const SsContact *from,
                             const SsMsgScribeLeave *message);
void ss_parent_serve_pending (SsGroup *group);
void ss_parent_send_path (SsGroup *group);
/* Shed and silent children, and those that are too many. */
void ss_parent_due (SsGroup *group);

/* place.c */
/* Is the group's stripe the node's own? The trees are disjoint as long as none
 * but such nodes, and roots, take children. */
bool ss_place_is_own (const SsGroup *group, const SsId *node);
/* For children, here and below, of those whose own stripe it is. */
uint16_t ss_place_room (const SsGroup *group);
/* It may have changed: the parent hears of it, soon if it matters. */
void ss_place_note_room (SsGroup *group);

/* shed.c */
SsTime ss_shed_deadline (const SsGroup *group);
void ss_shed_due (SsGroup *group);
/* All children are sent to the successor (NULL: to the root), and served
 * until they have gone there. */
void ss_shed_all (SsGroup *group, const SsContact *successor);

/* publish.c */
void ss_publish_add (SsGroup *group, uint32_t sequence, GBytes *packet,
                     SsTime give_up, bool for_deputy, const SsContact *to);
void ss_publish_due (SsGroup *group);
SsTime ss_publish_deadline (const SsGroup *group);
void ss_publish_root_known (SsGroup *group, const SsContact *root);
void ss_publish_root_lost (SsGroup *group);
void ss_publish_peer_lost (SsScribe *scribe, const SsContact *peer);
void ss_publish_outcome (SsGroup *group, const SsContact *to, uint64_t token,
                         SsKbrOutcome outcome);
void ss_publish_handle_find_root (SsScribe *scribe, const SsContact *from,
                                  const SsMsgScribeFindRoot *message);
void ss_publish_handle_root_is (SsScribe *scribe, const SsContact *from,
                                const SsMsgScribeRootIs *message);
void ss_publish_handle_not_root (SsScribe *scribe, const SsContact *from,
                                 const SsMsgScribeNotRoot *message);
void ss_publish_handle (SsScribe *scribe, const SsContact *from,
                        const SsMsgScribePublish *message);
void ss_publish_handle_handover (SsScribe *scribe, const SsContact *from,
                                 const SsMsgScribeHandover *message);
void ss_publish_clear (SsGroup *group);
void ss_publish_send_not_root (SsGroup *group, const SsContact *to,
                               const SsContact *root);

void ss_publish_find_root (SsGroup *group);
bool ss_publish_is_finding (const SsGroup *group);

/* ordered.c */
SsOrdered *ss_ordered_get (SsGroup *group);
void ss_ordered_free (SsOrdered *ordered);
void ss_ordered_flush (SsGroup *group); /* to a root that is known now */
void ss_ordered_root_lost (SsGroup *group);
void ss_ordered_become_root (SsGroup *group);
void ss_ordered_reparented (SsGroup *group);
void ss_ordered_due (SsGroup *group);
SsTime ss_ordered_deadline (const SsGroup *group);
bool ss_ordered_outcome (SsGroup *group, const SsContact *to, uint64_t token,
                         SsKbrOutcome outcome);
/* The root has put a message in its log: it goes to the replicas. */
void ss_ordered_replicate (SsGroup *group, const SsSourceLog *log,
                           uint32_t sequence, GBytes *data);
void ss_ordered_handle_submit (SsScribe *scribe, const SsContact *from,
                               const SsMsgScribeSubmit *message);
void ss_ordered_handle_replicate (SsScribe *scribe, const SsContact *from,
                                  const SsMsgScribeReplicate *message);
void ss_ordered_handle_replica_ack (SsScribe *scribe, const SsContact *from,
                                    const SsMsgScribeReplicaAck *message);
void ss_ordered_handle_stored (SsScribe *scribe, const SsContact *from,
                               const SsMsgScribeStored *message);

/* log.c */
bool ss_log_send (SsScribe *scribe, const SsContact *to, uint8_t type,
                  const SsGroup *group, const SsSourceLog *log,
                  uint32_t sequence, GBytes *data);
SsSourceLog *ss_log_find (const SsGroup *group, const SsId *source);
/* NULL: too many sources, or an epoch that is over. A new log, or a log of a
 * new epoch, begins at `next`. */
SsSourceLog *ss_log_get (SsGroup *group, const SsId *source, uint32_t epoch,
                         uint32_t next);
void ss_log_free (gpointer log);
GBytes *ss_log_entry (const SsSourceLog *log, uint32_t sequence);
/* Takes a message in; hands on what is in order. */
void ss_log_put (SsGroup *group, SsSourceLog *log, uint32_t sequence,
                 GBytes *data);
void ss_log_sync (SsGroup *group, const SsContact *to, uint8_t flags);
void ss_log_settle (SsGroup *group); /* synced: what waited for it goes on */
/* To an application that joins a group which this node has carried. */
void ss_log_replay (SsGroup *group);
/* The group has an owner now: logs of those that may not publish go. */
void ss_log_drop_strangers (SsGroup *group);
/* At the root: does it lack what the source has been told is stored? */
bool ss_log_is_lacking (const SsSourceLog *log);
/* What nobody holds any more is passed over, at the root. */
void ss_log_pass_lost (SsGroup *group, SsSourceLog *log);
void ss_ordered_answered (SsGroup *group); /* a replica, a new root's SYNC */
void ss_log_due (SsGroup *group);
SsTime ss_log_deadline (const SsGroup *group);
void ss_log_handle_message (SsScribe *scribe, const SsContact *from,
                            const SsMsgScribeMessage *message);
void ss_log_handle_sync (SsScribe *scribe, const SsContact *from,
                         const SsMsgScribeSync *message);
void ss_log_handle_fetch (SsScribe *scribe, const SsContact *from,
                          const SsMsgScribeFetch *message);
void ss_log_handle_gone (SsScribe *scribe, const SsContact *from,
                         const SsMsgScribeGone *message);

/* credential.c */
bool ss_signed_may_publish (const SsGroup *group);
/* A SIGNED: what travels as a message's data. */
GBytes *ss_signed_make (const SsGroup *group, uint32_t epoch, uint32_t sequence,
                        const uint8_t *data, size_t len);
/* Is it the source's, and may that publish here? Counts those that fail. */
bool ss_signed_check (SsGroup *group, const SsId *source, uint32_t epoch,
                      uint32_t sequence, const SsWireBytes *bytes);
/* May the source of one that was checked publish in the group as it is now? */
bool ss_signed_is_allowed (const SsGroup *group, GBytes *bytes);
/* The message in it; it lives as long as the bytes. */
SsWireBytes ss_signed_data (GBytes *bytes);

/* live.c */
/* One packet from a peer; true if it is good (new, or had). */
bool ss_live_receive (SsGroup *group, const SsContact *from, uint32_t sequence,
                      const SsWireBytes *packet, SsPacketVia via);
void ss_live_handle_data (SsScribe *scribe, const SsContact *from,
                          const SsMsgScribeData *message, SsPacketVia via);
void ss_live_handle_deputy (SsScribe *scribe, const SsContact *from,
                            const SsMsgScribeDeputy *message);
/* On to the children, except to `from` (may be NULL). */
void ss_live_forward (SsGroup *group, const SsId *from, uint32_t sequence,
                      GBytes *packet);
/* What a new child lacks. */
void ss_live_catch_up (SsGroup *group, const SsContact *child, bool have,
                       uint32_t newest, uint32_t mask);

/* want.c */
enum { SS_ASK_PARENT, SS_ASK_OTHERS, SS_ASK_SOURCE }; /* SsWant.stage: next */
bool ss_want_add (SsGroup *group, uint32_t sequence, SsTime deadline,
                  bool is_own);
void ss_want_due (SsGroup *group);
SsTime ss_want_deadline (const SsGroup *group);
void ss_want_got (SsGroup *group, uint32_t sequence, GBytes *packet);
/* Somebody who was asked has not got it, or has sent something else. */
void ss_want_refused (SsGroup *group, uint32_t sequence);
void ss_want_reparented (SsGroup *group);
void ss_want_handle (SsScribe *scribe, const SsContact *from,
                     const SsMsgScribeWant *message);
void ss_want_handle_not_have (SsScribe *scribe, const SsContact *from,
                              const SsMsgScribeNotHave *message);

/* service.c */
/* With the parent that it has now. is_new: it had another before. */
void ss_service_begin (SsGroup *group, bool is_new);
/* One has come; from NULL: rebuilt. is_new: it was not here. */
void ss_service_packet (SsGroup *group, const SsContact *from,
                        uint32_t sequence, SsPacketVia via, bool is_new);
/* Somebody says that the node of this prefix does not serve. */
void ss_service_accused (SsScribe *scribe, const SsContact *by,
                         uint32_t prefix);
bool ss_service_shirks (const SsScribe *scribe, const SsId *id);

/* anycast.c */
typedef enum {
  SS_ANYCAST_ON_WAY,  /* a forward upcall */
  SS_ANYCAST_ARRIVED, /* at the root, or from another node of the tree */
} SsAnycastWay;
void ss_anycast_free (SsScribe *scribe);
void ss_anycast_due (SsScribe *scribe);
/* The message is used up. False (ON_WAY only): let it go on. */
bool ss_anycast_handle (SsScribe *scribe, const SsContact *from,
                        SsMsgScribeAnycast *message, SsAnycastWay way);
void ss_anycast_handle_answer (SsScribe *scribe, const SsContact *from,
                               const SsMsgScribeAnycastAnswer *message);
void ss_anycast_handle_end (SsScribe *scribe, const SsContact *from,
                            const SsMsgScribeAnycastEnd *message);
/* False: the token is none of its own. */
bool ss_anycast_outcome (SsScribe *scribe, const SsContact *to, uint64_t token,
                         SsKbrOutcome outcome);
