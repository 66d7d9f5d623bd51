/* What the files of a station share: the objects' insides. Not for others.
 *
 *   splitstream.c  the object, its stations, upcalls of Scribe and overlay
 *   station.c      a station: roles, sessions, packets in, deadlines
 *   publisher.c    frames in, packets out
 *   listener.c     frames out: wants, headers, silence, the end
 *   capacity.c     how many children a node can carry
 *   downlink.c     what waits before this node's line
 *   spare.c        the spare capacity group: places for those without
 *   exchange.c     children of one stripe for those of another
 *   tunein.c       asking neighbours for packets, and being asked
 *   fetch.c        asking neighbours for codec headers, and being asked
 *   stats.c        figures
 *
 * Timers: each station has one, armed at the earliest of its deadlines
 * (ss_station_run does all that is due); each tune-in burst being served has
 * one; one reaps stations that nobody needs any more. */
#pragma once

#include "base/quota.h"
#include "splitstream/headers.h"
#include "splitstream/latewatch.h"
#include "splitstream/reorder.h"
#include "splitstream/rows.h"

/* Bounds. */
#define SS_STATIONS_RELAYED_MAX 64
#define SS_BURSTS_MAX           8 /* tune-ins served at a time */
/* The publisher gives a start to so many newcomers in SS_SERVED_TIME. */
#define SS_SERVED_MAX          2
#define SS_SEEN_WORDS          16 /* of 64 sequences, per stripe */
#define SS_TUNE_IN_TRIED_MAX   16
#define SS_TUNE_IN_NEIGHBOURS  8
#define SS_TUNE_IN_OTHERS_MAX  3
#define SS_TUNE_IN_ENOUGH      3 /* asked in vain: now the publisher */
#define SS_STATION_HISTORY_MAX 1024
#define SS_ASK_FOR_LAST        3 /* packets after the newest that is here */

/* Questions answered a second, and at once, of one peer and of all. One who
 * has no answer asks anew after SS_TUNE_IN_RETRY. */
#define SS_QUESTIONS_RATE      32
#define SS_QUESTIONS_BURST     64
#define SS_QUESTIONS_RATE_ALL  1024
#define SS_QUESTIONS_BURST_ALL 2048

/* Times. */
#define SS_BURST_STEP               (20 * SS_MSEC)
#define SS_BURST_SPEED              4               /* times the stream's own */
#define SS_BURST_WINDOW             4               /* steps, at first */
#define SS_BURST_BEHIND             (60 * SS_MSEC)  /* a queue grows, if so */
#define SS_BURST_TOO_FAR_BEHIND     (120 * SS_MSEC) /* it is to stop, if so */
#define SS_BURST_BEHIND_MAX         4               /* many packets are */
#define SS_TUNE_IN_WAIT_MIN         (150 * SS_MSEC)
#define SS_TUNE_IN_PATIENCE         (150 * SS_MSEC) /* then the publisher too */
#define SS_TUNE_IN_PAUSE            (10 * SS_MSEC)  /* between the first */
#define SS_TUNE_IN_QUICK_MAX        8               /* so many of them */
#define SS_TUNE_IN_RETRY            (60 * SS_MSEC)
#define SS_TUNE_IN_TIME             (8 * SS_SEC) /* then no longer */
#define SS_SERVED_TIME              (1 * SS_SEC)
#define SS_FETCH_WAIT_MIN           (150 * SS_MSEC)
#define SS_FETCH_DELAY              (200 * SS_MSEC) /* if the stream may */
#define SS_FETCH_RETRY              (500 * SS_MSEC)
#define SS_NEED_DESCRIPTOR_INTERVAL (1 * SS_SEC)
#define SS_PUBLISH_SLACK            (1 * SS_SEC)
#define SS_SPARE_FIRST              (2 * SS_SEC) /* own stripe's come first */
#define SS_SPARE_INTERVAL           (1 * SS_SEC) /* is there room? */
#define SS_SPARE_SCARCE             (250 * SS_MSEC) /* likewise, if only */
#define SS_SPARE_SCARCE_PART        4               /* for this part of all */
#define SS_PROMISES_MAX             4
#define SS_PROMISE_TIME             (1 * SS_SEC)
#define SS_GATHER_WAIT_MIN          (1 * SS_SEC) /* doubled when in vain */
#define SS_GATHER_UNHEEDED          8 /* then it is doubled as well */
#define SS_GATHER_WAIT_MAX          (120 * SS_SEC)
#define SS_EXCHANGE_TIME            (1 * SS_SEC) /* for all to have gone */
#define SS_EXCHANGE_PATIENCE        (3 * SS_SEC) /* full for so long */

typedef enum {
  SS_SPLITSTREAM_TIMER_STATION,
  SS_SPLITSTREAM_TIMER_BURST,
  SS_SPLITSTREAM_TIMER_REAP,
} SsSplitStreamTimer;

typedef struct {
  SsStation *station;
  SsGroup *group;  /* NULL: none */
  uint8_t index;   /* none: SS_SPARE_INDEX or SS_EXCHANGE_INDEX */
  bool is_full_up; /* the last search for room found none */
  uint32_t search; /* for somebody with room; 0: none */
  /* Sequences verified in this session, up to the top: each has the bit of its
   * number modulo theirs. */
  bool has_top;
  uint32_t top;
  uint64_t seen[SS_SEEN_WORDS];
  uint64_t received;
  SsTime received_at, pause; /* the last one; the longest time without one */
} SsStripe;

/* Groups that are no stripes: of those that have room, and of those that have
 * children in several stripes. */
enum { SS_SPARE_INDEX = SS_STRIPES, SS_EXCHANGE_INDEX };

/* A session as a listener receives it. */
typedef struct {
  SsStation *station;
  uint32_t session;
  unsigned n_parity;
  SsTime latency; /* with the buffer */
  SsMediaClock clock;
  SsArrivals arrivals;
  SsLateWatch late;
  uint32_t late_stripes; /* whose parents are to be left, if that helps */
  SsReorder *reorder;
  SsHeaderStore headers;
  uint8_t announced;       /* header version last told; 0: none */
  uint8_t missing_version; /* its headers are wanted; 0: none */
  SsTime missing_since;
  bool has_rebuilt_headers; /* a part of some: look whether they are whole */
  uint64_t asked_from; /* what might come after the last packet; 0: not yet */
} SsReception;

/* The status of a TUNE_IN_ANSWER. */
enum { SS_TUNE_IN_PACKETS = 0, SS_TUNE_IN_NOTHING = 1, SS_TUNE_IN_BUSY = 2 };

typedef struct {
  bool is_done;
  SsTime started, deadline; /* deadline: of the answer, or to try again */
  bool is_asked;
  bool is_answered; /* packets are coming from `peer` */
  bool is_referred; /* by one that is busy, to `others` */
  SsContact peer;
  SsTime asked;
  SsTime way_least; /* by the peer's word on the time: of its quickest packet */
  unsigned n_behind; /* packets in a row, by SS_BURST_TOO_FAR_BEHIND */
  unsigned n_tried, n_others;
  unsigned n_asked; /* in all */
  SsId tried[SS_TUNE_IN_TRIED_MAX];
  SsContact others[SS_TUNE_IN_OTHERS_MAX];
} SsTuneIn;

typedef struct {
  uint8_t version; /* being fetched; 0: none */
  SsContact peer;
  SsTime deadline;
  unsigned attempt;
  unsigned n_received; /* chunks, in order */
  GByteArray *bytes;
} SsHeaderFetch;

typedef struct {
  SsStripe *stripe;
  uint32_t sequence;
  GBytes *bytes;
} SsFound;

/* Who was given a start last. */
typedef struct {
  SsContact to;
  SsTime at; /* 0: nobody */
} SsServed;

/* What a stripe's packets and the node's control take on the wire. */
typedef struct {
  SsTime since;           /* -1: no packet yet */
  uint64_t bytes;         /* since then, */
  uint32_t stripes;       /*   of these */
  uint64_t control_bytes; /* the node's counter then */
  double rate;            /* a second and stripe; 0: not known */
  double control_rate;    /* a second, of the whole node */
  uint64_t measured;      /* what its line carries, as seen last */
  bool is_disturbed;      /* that has changed meanwhile: so has control */
  bool is_limited;        /* the bound follows from a limit */
} SsCapacity;

/* What the stream takes, where the upload is capped. */
typedef struct {
  SsTime since;   /* 0: not yet */
  uint64_t bytes; /* sent since, once */
  bool is_told;   /* that it is more than the cap */
} SsDemand;

/* What waits before this node's line. */
typedef struct {
  SsTime wait;       /* so long */
  SsTime rtt_free;   /* the parents' while nothing did; SS_NEVER: not known */
  SsTime next_look;  /* at that */
  SsTime full_since; /* much waits; -1: not so */
  SsTime free_since; /* next to nothing does; -1: not so */
  SsTime patience;   /* that it has to be so for, before: */
  bool is_full;      /* nobody is served, and parity left */
} SsDownlink;

/* A place that is kept for somebody who was told of it. */
typedef struct {
  SsId to;
  uint8_t stripe;
  SsTime until; /* not past: it is */
} SsPromise;

/* Children of several stripes, which others had better have. */
typedef struct {
  uint32_t search;     /* for such a one; 0: none */
  uint8_t stripe;      /* that it is for, or the last was for */
  unsigned n_advised;  /* its children, when they were last advised to go */
  unsigned n_unheeded; /* such advice in a row */
  SsTime wait, next;
} SsGathering;

/* Children of one stripe for those of another. */
typedef struct {
  SsStripe stripe;           /* the group of those that may exchange some */
  uint32_t search;           /* for another of them; 0: none */
  uint8_t parts[SS_STRIPES]; /* this node's children when it asked last */
  SsTime asked, wait;        /* then, and how long before it asks again */
  SsTime until;              /* one is under way */
  SsTime full_since;         /* with children in several stripes */
} SsExchange;

struct SsStation {
  SsSplitStream *owner;
  SsStationRole role;
  SsStationParams params;
  SsId group_id;
  bool has_session;
  uint32_t session;
  unsigned n_parity; /* of the session, whatever a descriptor says */
  SsFamily *family;
  SsStripe stripes[SS_STRIPES];
  SsCapacity capacity;
  SsFamily *spare_family;
  SsStripe spare; /* the group of those that have room */
  SsTime spare_next, gather_next;
  SsPromise promises[SS_PROMISES_MAX];
  SsGathering gathering;
  SsExchange *exchange; /* NULL: none so far */
  SsPacketTops *tops;   /* NULL: no packet has come yet */
  SsTimer timer;
  bool is_silent, is_ended;
  uint64_t packets_received, packets_duplicate, packets_retransmitted,
      packets_rejected;
  SsTime last_tree; /* newest packet down a tree; -1: none yet */

  /* publisher */
  SsSigner signer;
  SsRows *rows;
  bool has_origin;
  SsTime origin; /* media time is now - origin */
  SsHeaderStore headers;
  uint8_t version;
  SsDescriptor descriptor; /* a listener's, too */
  uint64_t packets_sent, data_packets, data_bytes, payload_bytes;
  SsDemand demand;

  /* listener */
  bool is_aside; /* carries nobody, but as a root */
  SsTime buffer, listen_at, tune_in;
  SsReception *current, *draining;
  GArray *found;       /* SsFound: wanted, and in Scribe's history; or NULL */
  SsReorderStats past; /* of sessions gone */
  uint64_t past_rows;
  SsTuneIn tune;
  SsDownlink downlink;
  SsServed served[SS_SERVED_MAX];
  SsHeaderFetch fetch;
  SsTime need_descriptor_at; /* not again before */
};

/* A tune-in being served. */
typedef struct {
  SsStation *station; /* NULL: free */
  SsContact to;
  uint32_t session;
  uint64_t next, end;
  unsigned n_steps;       /* until it has caught up */
  uint16_t serial;        /* never 0 */
  unsigned window, n_out; /* steps that may be, and are, unacknowledged */
  SsTime trip_least;      /* until a step was acknowledged */
  SsTime until;           /* who has not caught up by then never will */
  SsTimer timer;
} SsBurst;

struct SsSplitStream {
  SsEnv *env;
  SsKbr *kbr;
  SsSplitStreamConfig config;
  SsStationUpcalls upcalls;
  void *user;
  SsScribe *scribe;
  GPtrArray *stations;            /* in the order of making */
  SsBurst *bursts[SS_BURSTS_MAX]; /* NULL: never used */
  uint16_t last_burst;            /* its serial */
  SsQuota questions;
  SsTimer reap_timer;
};

/* descriptor.c */
bool ss_station_params_decode (const uint8_t *data, size_t len,
                               SsStationParams *ret_params);
size_t ss_station_params_encode (const SsStationParams *params, uint8_t *ret,
                                 size_t cap);

/* splitstream.c */
SsStation *ss_splitstream_find (const SsSplitStream *splitstream,
                                const SsId *group_id);
/* Reliably. Questions are control, or one whose upload is full of media would
 * never ask. */
void ss_splitstream_send (SsSplitStream *splitstream, const SsContact *to,
                          SsKbrClassOfTraffic class, const uint8_t *data,
                          size_t len);

/* station.c */
/* Does this node volunteer to forward the station? */
bool ss_splitstream_may_relay (const SsSplitStream *splitstream,
                               const SsStationParams *params);
/* It does not, nor does it listen: it is there for what it is the root of. */
bool ss_station_is_unwilling (const SsStation *station);
SsStation *ss_station_new (SsSplitStream *owner, const SsStationParams *params,
                           SsStationRole role);
void ss_station_open_family (SsStation *station);
void ss_station_close_family (SsStation *station); /* and all groups */
void ss_station_free (SsStation *station);
void ss_station_run (SsStation *station); /* all that is due; arms the timer */
void ss_station_open_stripes (SsStation *station);
/* Is it the station's? As ss_packet_verify. */
bool ss_station_verify (SsStation *station, unsigned stripe, uint32_t sequence,
                        const SsPacket *packet, GBytes *bytes);
SsPacketVerdict ss_station_packet (SsStripe *stripe, uint32_t sequence,
                                   GBytes *bytes, SsReorderVia via);
/* So long the stream may be idle before an empty packet shows that it lives,
 * and what has been lost of it. */
SsTime ss_station_beacon (const SsStation *station);
bool ss_stripe_has_seen (const SsStripe *stripe, uint32_t sequence);
void ss_stripe_see (SsStripe *stripe, uint32_t sequence);
void ss_station_start_session (SsStation *station, uint32_t session,
                               unsigned n_parity);

/* publisher.c */
SsTime ss_publisher_run (SsStation *station); /* returns its deadline */
void ss_publisher_clear (SsStation *station);

/* listener.c */
SsReception *ss_reception_new (SsStation *station); /* of its session */
void ss_reception_free (SsReception *reception);
SsTime ss_listener_run (SsStation *station);
void ss_listener_packet (SsStation *station, SsStripe *stripe,
                         uint32_t sequence, const SsPacket *packet,
                         GBytes *bytes, SsReorderVia via);
/* A packet that is here already has come down its tree. */
void ss_listener_duplicate (SsStation *station, const SsStripe *stripe,
                            uint32_t sequence, GBytes *bytes);
void ss_listener_session (SsStation *station);
void ss_listener_clear (SsStation *station);
void ss_listener_need_descriptor (SsStation *station);
void ss_listener_join_stripes (SsStation *station); /* those not held yet */

/* downlink.c */
void ss_downlink_init (SsDownlink *downlink);
void ss_downlink_arrival (SsStation *station); /* down a tree */
/* So much later than its quickest packet a tune-in burst's packet came. */
void ss_downlink_burst (SsStation *station, SsTime late);
void ss_downlink_run (SsStation *station);

/* capacity.c */
void ss_capacity_init (SsStation *station, SsFamilyConfig *config);
/* What there is room for has changed at once: its line is full, or free. */
void ss_capacity_follow_limit (SsStation *station);
/* A packet of a stripe has come, or gone out. */
void ss_capacity_count (SsStation *station, unsigned stripe, size_t len);

/* spare.c */
SsId ss_spare_id (const SsId *group_id, uint64_t salt);
/* Of a station's group that is no stripe; the label's last byte is 0, too. */
SsId ss_spare_id_of (const SsId *group_id, uint64_t salt, const char *label,
                     size_t label_size);
void ss_spare_open (SsStation *station);
SsTime ss_spare_run (SsStation *station); /* in or out; its deadline */
void ss_spare_clear (SsStation *station);
/* Scribe's upcalls. */
bool ss_spare_homeless (SsStripe *stripe);
bool ss_spare_asked (SsStation *station, const SsContact *origin,
                     const uint8_t *data, size_t len);
void ss_spare_answered (SsSplitStream *splitstream, uint32_t search,
                        const SsContact *member);
/* May children of a stripe go from one node to another? Not from one whose own
 * stripe it is to one that is foreign to it: they would look for a better
 * parent, and come back. */
bool ss_spare_may_go (unsigned stripe, const SsId *from, const SsId *to);
/* Of a station's group that is no stripe: joins it, or leaves it. */
void ss_spare_follow (SsStripe *stripe, const SsId *id, bool is_wanted);

/* exchange.c */
SsId ss_exchange_id (const SsId *group_id, uint64_t salt);
SsStripe *ss_exchange_stripe (SsStation *station); /* its group's */
void ss_exchange_run (SsStation *station);         /* every SS_SPARE_INTERVAL */
void ss_exchange_clear (SsStation *station);
bool ss_exchange_asked (SsStation *station, const SsContact *origin,
                        const uint8_t *data, size_t len, uint8_t *ret_answer,
                        size_t *ret_len);
/* NULL: nobody. False: it was no search of this kind. */
bool ss_exchange_answered (SsSplitStream *splitstream, uint32_t search,
                           const SsScribeAnswer *answer);

/* burst.c */
void ss_tune_in_asked (SsSplitStream *splitstream, const SsContact *from,
                       const uint8_t *data, size_t len);
void ss_burst_step (SsSplitStream *splitstream, SsBurst *burst);
void ss_burst_outcome (SsSplitStream *splitstream, uint64_t token,
                       SsKbrOutcome outcome);
void ss_burst_cancel (SsStation *station);

/* tunein.c */
void ss_tune_in_start (SsStation *station);
SsTime ss_tune_in_run (SsStation *station);
void ss_tune_in_answered (SsSplitStream *splitstream, const SsContact *from,
                          const uint8_t *data, size_t len);
void ss_tune_in_packet (SsSplitStream *splitstream, const SsContact *from,
                        const uint8_t *data, size_t len);
/* Whom to ask, best first: neighbours in the trees, and at last, if
 * with_publisher, who broadcasts. Without those in tried. */
unsigned ss_station_peers (const SsStation *station, const SsId *tried,
                           unsigned n_tried, bool with_publisher,
                           SsContact *ret_contacts, unsigned max);

/* fetch.c */
SsTime ss_fetch_run (SsStation *station);
void ss_fetch_asked (SsSplitStream *splitstream, const SsContact *from,
                     const uint8_t *data, size_t len);
void ss_fetch_chunk (SsSplitStream *splitstream, const SsContact *from,
                     const uint8_t *data, size_t len);
void ss_fetch_cancel (SsStation *station);
