/* The bounds and times of groups and trees: none is exceeded by anybody. */
#pragma once

#include "base/time.h"

/* Bounds. */
#define SS_GROUP_WANTS_MAX    64  /* sequences wanted at once in a group */
#define SS_GROUP_OTHERS_MAX   32  /* and so many more for others */
#define SS_GROUP_ASKERS_MAX   64  /* peers to be answered later */
#define SS_GROUP_PENDING_MAX  16  /* JOINs that wait for this node's own */
#define SS_GROUP_OUTBOX_MAX   256 /* packets not acknowledged by a root */
#define SS_GROUP_CATCH_UP_MAX 64  /* packets sent to a new child */
#define SS_GROUP_DEPTH_MAX    40
#define SS_REDIRECT_MAX       4
#define SS_JOIN_NEAR_MAX      16 /* peers that a joiner names */
/* Roots of a group that a source passes over. */
#define SS_ASIDE_MAX       SS_KBR_PAST_MAX
#define SS_ASIDE_LATELY    4  /* whom it has had, and knows again */
#define SS_GROUP_MOVED_MAX 64 /* children that went to others */
#define SS_NEAR_MAX        5  /* nodes closest to a group that count */
#define SS_FAMILY_ASK_MAX  64 /* neighbours considered for a question */
/* Retransmissions for one asker, and for all: so many packets at once, and
 * then for each that streams bring, or a second if that is more. */
#define SS_ANSWER_BURST        256
#define SS_ANSWER_SHARE        1
#define SS_ANSWER_RATE_MIN     32
#define SS_ANSWER_BURST_ALL    2048
#define SS_ANSWER_SHARE_ALL    2
#define SS_ANSWER_RATE_MIN_ALL 256
#define SS_ANSWER_RESERVE      256 /* of those of all: not for strangers */
/* New messages that a root takes of a source: twice what one says that holds
 * itself back. */
#define SS_SUBMIT_BURST      (2 * SS_ORDERED_LOG_MAX)
#define SS_SUBMIT_RATE       (SS_SUBMIT_BURST / (SS_ORDERED_HOLD / SS_SEC))
#define SS_ANYCAST_HOPS_MAX  200
#define SS_ANYCAST_TRIES     3
#define SS_ANYCAST_VAIN_TIME (10 * SS_SEC) /* the next begins elsewhere */

#define SS_TRACES_MAX      1024 /* 130 kB */
#define SS_TRACE_TELL      2    /* near nodes that are told of one */
#define SS_TRACES_TOLD_MAX 64   /* 8 kB */

/* Standing (scribe/standing.c). */
#define SS_STANDING_LINE 8             /* ages that are told apart */
#define SS_STANDING_AGE  (30 * SS_SEC) /* the first; each is four times the */
#define SS_STANDING_STEP 2             /* one before: so many doublings */
/* Nothing is known of it yet. */
#define SS_STANDING_NEWCOMER SS_STANDING_LINE

#define SS_ORDERED_AHEAD_MAX 128 /* kept ahead of a gap */
#define SS_ORDERED_FETCH_MAX 16  /* messages asked for at once */
#define SS_SPOKEN_MAX        64  /* groups left within a second */
/* At a root: messages that are not on enough nodes yet. */
#define SS_ORDERED_UNSTORED_MAX 1024

/* Times. */
#define SS_KEEPALIVE_INTERVAL   (5 * SS_SEC)
#define SS_KEEPALIVE_EARLY      (1 * SS_SEC)    /* where another is sent */
#define SS_ROOM_INTERVAL        (300 * SS_MSEC) /* a KEEPALIVE because of it */
#define SS_CHILD_SILENT         (5 * SS_KEEPALIVE_INTERVAL) /* two may skip */
#define SS_PEER_FORGET          (60 * SS_SEC)
#define SS_GROUP_IDLE           (30 * SS_SEC) /* a forwarder without children */
#define SS_GROUP_IDLE_LIGHT     (500 * SS_MSEC) /* where many come and go */
#define SS_JOIN_NEAR_PERCENT    75 /* of the way to the parent: near */
#define SS_JOIN_SLACK           (100 * SS_MSEC)
#define SS_JOIN_HEARD           (3 * SS_SEC) /* by then it is no first hop */
#define SS_JOIN_WAIT_MAX        (5 * SS_SEC)
#define SS_JOIN_WAIT_LIVE       (1 * SS_SEC)    /* while a stream is missed */
#define SS_JOIN_FAILURES_MUST   6               /* then it must be taken */
#define SS_JOIN_FAILURES_ORPHAN 3               /* if it has lost its parent */
#define SS_JOIN_BETTER_FIRST    (5 * SS_SEC)    /* doubled each time, */
#define SS_JOIN_BETTER_DOUBLED  6               /* so often */
#define SS_RISE_MAX             4               /* in one exchange */
#define SS_RISE_STAYED          (10 * SS_SEC)   /* a child is served, then */
#define SS_RISE_TIME            (4 * SS_SEC)    /* for which it is offered */
#define SS_RISE_PAUSE           (2 * SS_SEC)    /* a child is not heard again */
#define SS_KEPT_MAX             16              /* places of a family */
#define SS_KEPT_TIME            (6 * SS_SEC)    /* more than a child is shed */
#define SS_ADVICE_PAUSE         (500 * SS_MSEC) /* between two heeded */
#define SS_TRIAL_TIME           (10 * SS_SEC)   /* of a parent, at the most */
#define SS_JOIN_FAILURES_FAST   8 /* then refusals are not answered at once */
#define SS_JOIN_PACE            (500 * SS_MSEC) /* but so, in the mean, */
#define SS_JOIN_PACE_DOUBLED    3  /* and doubled after so many times as many */
#define SS_JOIN_NAMED_MAX       16 /* then the root is asked */
#define SS_JOIN_SEARCH_PAUSE    (1 * SS_SEC) /* doubled after each in vain */
#define SS_JOIN_SEARCH_MAX      (4 * SS_SEC)
#define SS_JOIN_SEARCHES_ROOT   4  /* of them, and the root is asked again, */
#define SS_JOIN_SEARCHED_STEPS  2  /* and followed so far */
#define SS_JOIN_REDIRECTS_MAX   16 /* then the next one must take it */
#define SS_JOIN_UNANSWERED_MAX  3  /* then whoever it meets on its way must */
#define SS_JOIN_WAIT_FIRST      (200 * SS_MSEC) /* for a routed JOIN's answer */
#define SS_JOIN_WAIT_NEW        (600 * SS_MSEC) /* while trees are being made */
#define SS_JOIN_PARENTS_FAST    8               /* parents found within: */
#define SS_JOIN_PARENTS_TIME    (2 * SS_SEC)
#define SS_JOIN_PARENTS_WAIT    (250 * SS_MSEC) /* then before each JOIN */
#define SS_PENDING_TIME         (1 * SS_SEC)
#define SS_SURPLUS_TIME         (1 * SS_SEC)   /* a source has two children */
#define SS_SHED_TIME            (5 * SS_SEC)   /* a shed child is served */
#define SS_OVERLOAD_TIME        (1 * SS_SEC)   /* then a child is handed on */
#define SS_LONE_TIME            (10 * SS_SEC)  /* then a link of a chain goes */
#define SS_TRACE_TIME           (600 * SS_SEC) /* a member is remembered, */
#define SS_GROUP_MOVED_TIME     (600 * SS_SEC) /* and a child that has moved */
#define SS_LEAVE_TIME           (500 * SS_MSEC)
#define SS_ROOT_CHECK           (300 * SS_MSEC) /* of a root by hearsay */
#define SS_HANDOVER_TIME        (10 * SS_SEC)
#define SS_WANT_WAIT_MIN        (60 * SS_MSEC)
#define SS_WANT_WAIT_MAX        (500 * SS_MSEC)
#define SS_WANT_WINDOW          8 /* packets asked for at a time, at first */
#define SS_WANT_WINDOW_LATE     4
#define SS_WANT_WINDOW_MAX      256
#define SS_WANT_PARENT_ROUNDS   2 /* before the root is asked past a parent */
#define SS_WANT_PAUSE           (20 * SS_MSEC)   /* while there are so many */
#define SS_WANT_OTHERS_TIME     (1500 * SS_MSEC) /* a want in another's name */
#define SS_ASKER_TIME           (10 * SS_SEC)    /* then it is forgotten */
#define SS_ROOT_SILENT          (300 * SS_MSEC)  /* then a root is suspected */
#define SS_BURST_TIME           (5 * SS_MSEC) /* what comes so close is one */
#define SS_FIND_WAIT            (100 * SS_MSEC)
#define SS_FIND_WAIT_MAX        (1 * SS_SEC)
#define SS_ASIDE_TIME           (300 * SS_SEC) /* a root that does not serve */
#define SS_ACCUSED_TIME         (60 * SS_SEC)  /* by a second within this, */
#define SS_ACCUSED_ALONE        (5 * SS_SEC)   /* or by one so much later */
#define SS_ACCUSED_GRACE        (1 * SS_SEC) /* of a new root it is too soon */
#define SS_STAND_IN_FAILURES    24           /* then it is not asked any more */
#define SS_STAND_IN_TIME        (6 * SS_SEC) /* for which one is appointed */
#define SS_STAND_IN_RENEW       (2 * SS_SEC) /* and asked again */
#define SS_YIELD_TIME           (6 * SS_SEC) /* a late root knows of one */
#define SS_STAND_IN_WAIT        (300 * SS_MSEC) /* or, until one has answered */
#define SS_SILENCE_MIN          (250 * SS_MSEC)
#define SS_PACKET_WAIT          (1 * SS_SEC) /* to be sent, at the most */
#define SS_GAP_AGE              (3 * SS_SEC) /* older gaps are nobody's wish */
#define SS_ORDERED_RETRY        (1 * SS_SEC) /* unstored, or not replicated */
#define SS_ORDERED_GAP          (100 * SS_MSEC) /* then a gap is asked for */
#define SS_ORDERED_SYNC         (10 * SS_SEC)   /* between root and replicas */
#define SS_ORDERED_SYNC_FIRST   (500 * SS_MSEC) /* a new root's patience */
#define SS_ORDERED_NEWCOMER     (3 * SS_SEC)    /* for parts of SYNC to come */
#define SS_ORDERED_LOST         (5 * SS_SEC)    /* then nobody has it */
#define SS_LEAVE_REPEAT         (500 * SS_MSEC)
#define SS_ANYCAST_WAIT         (2 * SS_SEC) /* times the try: for an answer */
