/* The objects' insides, for the files of scribe/ and its tests. What the files
 * do for each other: scribe/internal.h. */
#pragma once

#include "base/quota.h"
#include "scribe/limits.h"
#include "scribe/messages.h"
#include "scribe/scribe.h"

#define SS_TAG_LEN 5

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
       SS_JOIN_RISES = 512,
       SS_JOIN_UNANSWERED = 1024,
       SS_JOIN_STAYS = 2048,
};
enum { /* SsMsgScribeRedirect.flags */
       SS_REDIRECT_MAY_STAY = 1,
};
enum { /* SsMsgScribeSync.flags */
       SS_SYNC_ASK = 1,
       SS_SYNC_ANSWER = 2,
       SS_SYNC_MORE = 4,
       SS_SYNC_UNKNOWN = 8,
};
enum { SS_REPLICA_UNKNOWN = 1 };
enum { SS_LEAVE_MOVED = 1 };
enum { SS_KEEPALIVE_MORE = 1 };
enum { SS_WANT_FETCH = 1 };
enum { SS_NOT_ROOT_LOST = 1 };
enum { SS_FIND_STAND_IN = 1 }; /* SsMsgScribeFindRoot.flags */

/* A neighbour: a peer that is, or lately was, parent, child or root. */
typedef struct {
  SsContact contact;
  uint16_t load, load_max; /* its children and bound, as last told */
  uint8_t standing;        /* likewise: scribe/standing.c */
  bool probing;            /* a KEEPALIVE is unanswered */
  bool is_urgent;          /* it was sent because of a silence */
  bool is_silent;          /* longer than usual, and asked for that */
  bool is_behind;          /* a parent: has not heard of this node's room */
  bool has_skipped;        /* had no KEEPALIVE at its last turn */
  uint8_t late;            /* missing acks of it */
  uint8_t n_unanswered;    /* requests since it was heard last */
  uint8_t rejected;        /* packets of it in a row that did not verify */
  GPtrArray *taken;        /* SsGroup: whose parent it is; NULL: none so far */
  unsigned n_served;       /* groups whose child it is */
  unsigned n_listed;       /* of these, in KEEPALIVEs that were to go on */
  SsTime compared;         /* when what it left out was looked for; 0 never */
  SsTime used;             /* last time it mattered */
  SsTime data;             /* last tree packet from it; -1 none */
  SsTime pause;            /* longest of late between them; 0 unknown */
  SsTime keepalive;        /* last KEEPALIVE to it */
  SsTime turn;             /* last time that it was its turn */
  SsTime doubted_until;    /* then it is asked, unless heard; 0: no */
  SsTime unanswered;       /* when the last of the unanswered was sent */
  SsTime left;             /* last LEAVE to it for a group unknown here */
  SsTime raised;           /* its last RISE; 0: none */
  SsTime shirks_until;     /* it does not serve: seen, or twice said */
  SsTime dawdles_until;    /* it sends late: seen */
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
  uint32_t sent_to;    /* shed in an exchange: prefix of whom; 0: not */
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
  uint8_t n_near;
  uint32_t near[SS_JOIN_NEAR_MAX]; /* prefixes of peers near the joiner */
} SsPendingJoin;

typedef enum {
  SS_TRIAL_NONE,
  SS_TRIAL_ON,
  SS_TRIAL_PASSED, /* its next word counts */
} SsTrial;

typedef struct {
  uint32_t nonce;
  uint8_t tries, failures, redirects, n_candidates, next_candidate;
  uint8_t next_full, searches;
  uint8_t n_unanswered; /* routed in a row */
  uint8_t n_sent_on;    /* from one to the next, since the root was asked; */
  uint8_t n_named;      /* whom the application has named since then */
  bool shed, is_sought; /* sought: the application looks for a place */
  bool may_stay;        /* with shed: in an exchange */
  bool is_sent;         /* since it was last due */
  bool is_better;       /* it has one, and looks for a better one: */
  bool is_near;         /* a sibling that is nearer, without a trial */
  bool is_rise;         /* the root, from below one of its children */
  SsTime gain;          /* one that sends so much sooner; 0: any */
  bool unserved;        /* since that does not serve */
  bool is_source_asked; /* first of all, as that is the root */
  bool has_stand_in;    /* for the root, which that was: */
  SsContact stand_in;   /* it is asked instead */
  SsTrial trial;        /* of the first candidate, if is_better */
  unsigned n_passed;    /* packets that only others have sent meanwhile */
  uint32_t trial_from;  /* the newest that it had when it said yes */
  SsTime trial_since;
  uint8_t n_raced;  /* others that were tried before, in vain */
  bool has_served;  /* it has sent one down the tree; if sooner matters: */
  uint8_t n_sooner; /* so many came sooner than from the parent */
  uint32_t raced;   /* this one has come from it, */
  SsTime raced_at;  /* then, and not from the parent; 0: none */
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
  SsTime since; /* it asked */
  SsContact contact;
} SsAsker;

/* A packet that did not come from the parent. */
typedef struct {
  SsTime since; /* 0: none */
  uint32_t sequence;
  uint8_t by; /* what it has raised the level by; 0: the parent has a moment */
} SsOwed;

#define SS_SERVICE_OWED_MAX 8

typedef struct {
  SsId parent;   /* of whom this is, or was last */
  uint32_t from; /* the first sequence that it is to send */
  uint8_t level; /* 0: it sends all */
  uint16_t loss; /* smoothed share of what it did not send; of UINT16_MAX */
  uint8_t next_owed;
  bool is_fed;         /* in this round */
  bool is_back;        /* a search for another has ended at this one */
  bool has_failed;     /* it seemed dead, and has sent nothing since */
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

/* What a neighbour says that there is of a source since it began anew. */
typedef struct {
  uint32_t epoch, first, end;
  SsContact teller; /* who is asked for it, */
  SsTime ask_at;    /* again then, */
  uint8_t n_asked;  /* and was so often */
} SsClaim;

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
  SsTime give_up_at; /* of a gap that is asked for in vain; SS_NEVER */
  SsTime used;
  SsClaim *claim; /* of a later epoch; NULL: none */
  /* Nothing below this is held any more, that one says (the first four bytes of
   * its id); so as soon as it has sent what comes after. 0: nobody has. */
  uint32_t gone_to, gone_by;
  uint8_t fetches;
  bool is_proven; /* a message of this epoch has come, not only word of it */
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

/* An ordered group that this node has spoken in and left, within a second. */
typedef struct {
  SsId group;
  uint32_t epoch;
} SsSpoken;

typedef struct {
  GPtrArray *logs;          /* SsSourceLog, by source */
  GArray *unstored;         /* SsUnstored, oldest first */
  GArray *submissions;      /* SsSubmission, by sequence */
  uint32_t epoch, sequence; /* of this node's own messages */
  /* When the last SS_ORDERED_LOG_MAX of them were stored, by sequence modulo
   * that; -1: not yet. NULL: none was sent. */
  SsTime *stored_at;
  bool has_credential;
  SsCredential credential; /* for them */
  uint32_t forgotten;      /* the latest epoch of a source that was forgotten */
  bool is_synced;          /* knows where the sources stand, */
  SsTime newcomer_until;   /* but for what its parent has told and is late: */
  uint8_t newcomer_number; /* of the SYNC that it was told in */
  uint8_t sync_number;     /* of its own last */
  bool is_replaying;       /* the past to a new member: what is new waits */
  bool is_ready;           /* root: knows what the replicas hold */
  unsigned n_awaited;      /* root, not ready: their answers */
  bool is_asking; /* child: the new parent has not said how far it is */
  SsTime changed; /* a message was handed on last */
  SsTime sync_at; /* agreement with replicas, or with a new parent */
} SsOrdered;

/* A former child that has another parent. */
typedef struct {
  uint32_t prefix;
  uint32_t since; /* whole seconds */
} SsMoved;

/* At a source: roots that it passes over; at who stands in for one; and at a
 * root that asks for it. */
typedef struct {
  SsTime appointed;       /* to stand in, until; -1: it is not */
  SsId ids[SS_ASIDE_MAX]; /* those, the oldest first, */
  SsTime until[SS_ASIDE_MAX];
  unsigned n;
  SsId accused, by;  /* of whom it was said first, and by whom, */
  SsTime since;      /* and when; -1: of nobody */
  SsTime root_since; /* the root is one that it was not lately, since then: */
  SsId lately[SS_ASIDE_LATELY]; /* the last ones, the newest first */
  SsTime renew_at;              /* who stands in is asked to, again, */
  SsTime asked_at;              /* and was */
  /* At a root that is late: it asks to be passed over, again then; and who
   * stands in for it, until. */
  SsTime yield_at, yields_until;
  uint32_t yield_nonce; /* 0: has not asked */
  SsContact stand_in;
} SsAside;

/* Children of one group for those of another; scribe/exchange.c. */
typedef struct {
  SsContact partner;
  SsId take, give; /* groups */
  unsigned n;      /* so many more */
  SsTime until;    /* valid if it is not past */
} SsOffer;

/* The place of a child that was sent to a partner, for who comes from there or
 * comes back; scribe/exchange.c. */
typedef struct {
  uint32_t partner; /* prefix of its id */
  SsTime until;     /* kept before it */
} SsKept;

struct SsFamily {
  SsScribe *scribe;
  SsFamilyConfig config;
  SsContact source; /* valid if has_source */
  bool has_source;
  bool is_aside;       /* ss_family_stand_aside */
  bool is_late;        /* ss_family_set_late */
  unsigned n_children; /* in all its groups, */
  unsigned n_settled;  /* and in those whose children stay whoever comes */
  unsigned n_shed;     /* and those that are being handed on */
  unsigned n_in_round; /* new packets, in all its groups */
  unsigned n_round;    /* of them make one: its groups in trees, at its start */
  SsTime since;        /* made */
  SsTime over_since;   /* more than children_max, or one was handed on then */
  SsTime wait;         /* of what is sent to this node, before its line */
  SsOffer *offer;      /* NULL: none so far; to another node, */
  SsOffer *rise;       /* and to its parent in its own stripe */
  SsKept kept[SS_KEPT_MAX];
  unsigned window; /* so many packets may be asked for at a time */
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
  bool is_spent;          /* a forwarder that hands its only child on */
  bool is_settled;        /* counted in the family's n_settled */
  bool is_orphan;         /* reported as such */
  SsTime orphan_since;    /* seeks a place while it has none; SS_NEVER: no */
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
  SsTime better_at;      /* then a parent whose own stripe it is, is sought;
                            or, from below such a one, the root */
  SsTime advised;        /* last heeded; -1: never */
  SsTime left;           /* last LEAVE to who is not the parent; -1: none */
  SsAside *aside;        /* NULL: nobody is, or has been */
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
  GArray *moved;        /* SsMoved, the oldest first; or NULL */
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
typedef struct SsTrace SsTrace; /* a member of a group that was left */

typedef struct {
  SsQuota quota;
  SsTime since; /* of n_packets, which streams have brought */
  unsigned n_packets;
  double rate; /* of them, a second */
} SsBudget;

/* Where groups were found. */
typedef struct {
  SsGroup *met[16]; /* by tag lately, by their first digit; or NULL */
  unsigned walked;  /* index of the last that ss_group_after gave */
} SsGroupHints;

struct SsScribe {
  SsEnv *env;
  SsKbr *kbr;
  SsProtocol protocol; /* the application's, in the overlay */
  SsScribeApp app;
  void *app_user;
  GPtrArray *groups;   /* SsGroup, by id */
  SsGroupHints *hints; /* NULL: no group so far */
  GPtrArray *families;
  GPtrArray *neighbours;     /* SsNeighbour, by id */
  uint32_t n_forgotten;      /* of them, so far */
  GPtrArray *dead;           /* groups to be freed */
  SsFamily *adopted;         /* of groups that the application gave none; */
  SsFamily *adopted_ordered; /* each made with the first of them */
  SsAnycasts *anycasts;      /* NULL: none so far */
  GArray *traces;            /* SsTrace, in the order they were put; or NULL */
  GArray *spoken;        /* SsSpoken, in the order they were left; or NULL */
  SsTimer timer;         /* the neighbours' */
  SsTimer anycast_timer; /* to the earliest search that is due */
  unsigned depth;        /* of nested entries */
  uint16_t tokens;
  bool is_leaving;
  SsTime leave_until;
  SsTime join_time; /* smoothed, of a routed JOIN's answer; 0: not known */
  SsBudget budget;  /* for retransmissions */
  SsQuota submits;  /* of sources, where this node is the root */
};

typedef enum {
  SS_SCRIBE_TIMER_SWEEP,   /* neighbours: keepalives, silence, forgetting */
  SS_SCRIBE_TIMER_GROUP,   /* a group's earliest deadline */
  SS_SCRIBE_TIMER_ANYCAST, /* searches that are to begin, or again */
} SsScribeTimerKind;
