/* What the files of link/ share. Not for others. */
#pragma once

#include "overlay/link/cookie.h"
#include "overlay/link/frames.h"
#include "overlay/link/limit.h"
#include "overlay/link/link.h"
#include "overlay/link/messages.h"
#include "overlay/link/sealer.h"

/* Timers of the link; handled in ss_link_timer's switch. */
typedef enum {
  SS_LINK_TIMER_PEER,     /* handshake, retransmission, expiry of one peer */
  SS_LINK_TIMER_PACE,     /* the upload cap allows the next datagram */
  SS_LINK_TIMER_ASK,      /* ask again, or give up */
  SS_LINK_TIMER_FAILURES, /* tell what failed since */
  SS_LINK_TIMER_SWEEP,    /* drop idle peers */
} SsLinkTimer;

/* Bounds. */
#define PEERS_MAX          1024
#define CALL_ON_MAX        8   /* of these are called back at once */
#define HALF_OPEN_MAX      256 /* peers of which nothing authentic came yet */
#define ASKS_MAX           32
#define PINGS_MAX          24
#define OUTBOX_MAX         1024 /* handshake datagrams and the like */
#define CONTROL_QUEUE_MAX  512  /* messages of one peer */
#define MEDIA_QUEUE_MAX    256
#define REPAIR_QUEUE_MAX   512
#define ACKS_MAX           256
#define SEQUENCE_WINDOW    64 /* span of unacknowledged sequences */
#define CONFIRMED_TRIES    5  /* initiations to an address that worked */
#define EARLIER_TRIES      3  /* of a handshake, that may be answered yet */
#define CALLED_BACK_MAX    4  /* messages whose acks tell the time yet */
#define UNCONFIRMED_TRIES  3
#define LIMITED_ADDRS_MAX  1024
#define ASKING_ADDRS_MAX   256
#define ANSWERS_PER_SECOND 4   /* to one address */
#define CALLS_PER_SECOND   256 /* passed on, all told */
#define ASKED_MAX          32  /* addresses sent to, of no peer now */
#define RELAYS_MAX         32  /* whose calls were answered */
#define EARLY_MAX          996 /* bytes of frames in an initiation; */
#define EARLY_HEARSAY_MAX  448 /* to an address that nobody confirmed */
#define EARLY_SEEN_MAX     1024
/* An initiation without what Noise writes. */
#define INITIATION_BARE (1 + 4 + 2 + 2 * SS_MAC_LEN)
/* More initiations than this in a second, and a cookie is asked for; a
 * handshake costs about 0.3 ms. */
#define LOAD_PER_SECOND     200
#define ACCEPTED_PER_SECOND 4 /* then, of one address */

/* Times. */
#define RTO_FLOOR (50 * SS_MSEC)
/* Of a clock (RFC 6298, 2.3): the programs take what streams in no oftener. */
#define RTO_GRANULARITY    (10 * SS_MSEC)
#define RTO_INITIAL        (250 * SS_MSEC)
#define RTO_BACKOFF_MAX    (500 * SS_MSEC)
#define RTO_CEILING        (3 * SS_SEC)
#define CALLED_BACK_TIME   (2 * RTO_CEILING)
#define HANDSHAKE_WAIT_MAX (1 * SS_SEC)    /* between two initiations */
#define HANDSHAKE_TIME_MAX (10 * SS_SEC)   /* waits for its turn included */
#define HALF_OPEN_LIFETIME (15 * SS_SEC)   /* a responder's wait for data */
#define PREVIOUS_LIFETIME  (15 * SS_SEC)   /* a replaced session still reads */
#define NEXT_LIFETIME      (180 * SS_SEC)  /* an unconfirmed one */
#define ANSWERED_PATIENCE  (500 * SS_MSEC) /* with who has initiated himself */
#define CROSSING_TIME      (5 * SS_SEC)    /* sessions made at once by both */
#define INITIATOR_PATIENCE (10 * SS_SEC)   /* a message may make another */
#define RESPONDER_PATIENCE (30 * SS_SEC)   /* the initiator rekeys first */
#define WINDOW_LIFETIME    (15 * SS_SEC)   /* of a quiet receive window */
#define CONFIRM_PAUSE      (100 * SS_MSEC) /* between two empty datagrams */
#define RENEW_PAUSE        (1 * SS_SEC)    /* and two sessions made anew */
#define SWEEP_PERIOD       (60 * SS_SEC)
#define QUIET_TIME         (20 * SS_SEC)    /* its session may be forgotten */
#define IDLE_LIFETIME      (200 * SS_SEC)   /* its last session is spent */
#define RELEASED_PATIENCE  (500 * SS_MSEC)  /* a released one is used again */
#define RELEASED_LIFETIME  (1500 * SS_MSEC) /* and forgotten, when quiet */
_Static_assert(RELEASED_LIFETIME - RELEASED_PATIENCE >= HANDSHAKE_WAIT_MAX,
               "both ends agree on whether it is there");
#define ASK_PERIOD    (500 * SS_MSEC)
#define PING_PERIOD   (1 * SS_SEC)
#define BINDING_TIME  (300 * SS_SEC) /* what a NAT may remember */
#define BINDING_SHORT (20 * SS_SEC)  /* what any remembers */
#define EARLY_SKEW    (10 * SS_SEC)  /* of an initiation's clock */

/* What IPv4 and UDP put before a datagram: a line carries them, too. */
#define SS_LINK_IP_HEADER 28

/* In a peer's flags, here only: its address is not its own, but a relay's. */
#define PEER_VIA 0x80

/* In a hello's and a welcome's state. */
#define HELLO_ALONE    1
#define WELCOME_IN_USE 1

/* Wire. */
_Static_assert(SS_FRAMES_AT + SS_SEALER_TAG_LEN == SS_LINK_OVERHEAD,
               "a datagram's overhead");
_Static_assert(SS_FRAMES_AT + SS_FRAME_MAX + SS_LINK_MESSAGE_MAX
                       + SS_SEALER_TAG_LEN
                   <= SS_DATAGRAM_MAX,
               "the longest message fits a datagram");

/* An index names a session at its receiver: the peer's slot in the lowest
 * bits, then a random number that the peer's state keeps for life, so that
 * the other end can tell new state from new keys, then the session's own. */
#define INDEX_SLOT_BITS   10
#define INDEX_NUMBER_BITS 4
#define INDEX_SLOT_MASK   ((UINT32_C (1) << INDEX_SLOT_BITS) - 1)
#define INDEX_PEER_MASK   ((UINT32_C (1) << (32 - INDEX_NUMBER_BITS)) - 1)
#define INDEX_NUMBER_ONE  (INDEX_PEER_MASK + 1)
_Static_assert(PEERS_MAX <= 1 << INDEX_SLOT_BITS, "a slot for each peer");

/* On the wire a reliable message's number is a sequence and which sending it
 * is; its acknowledgement repeats both, and so tells the time. */
#define SENDING_BITS  3
#define SENDINGS      (1 << SENDING_BITS)
#define SEQUENCE_MASK (UINT16_MAX >> SENDING_BITS)
_Static_assert(SEQUENCE_WINDOW < SEQUENCE_MASK / 2, "sequences wrap around");

/* When a message was sent, each time. */
typedef struct {
  SsTime first;
  uint16_t after[SENDINGS]; /* since then, of the latest (rtt.c) */
  uint8_t n;                /* how often it was */
} SsLinkSendings;

/* A message waiting or unacknowledged: it is in one of its peer's queues. */
typedef struct {
  GList node;
  GBytes *body;
  uint64_t token;
  SsTime expires;  /* SS_NEVER: no limit */
  SsTime deadline; /* for the ack */
  SsLinkSendings sendings;
  uint16_t sequence; /* reliable, once sent */
  uint16_t head_len, body_len;
  uint8_t protocol, class, tries_max;
  bool reliable;
  bool early; /* sent in an initiation, and not acknowledged yet */
  uint8_t head[];
} SsLinkItem;

typedef struct {
  SsSeal seal;
  uint32_t local_index;  /* the peer names us so */
  uint32_t remote_index; /* we name the peer so */
} SsLinkSession;

/* A message that was late, and went another way or was given up: its
 * acknowledgement may only have been slow. Were that not noticed, a peer
 * farther than the wait would be late with everything, for ever. */
typedef struct {
  SsLinkSendings sendings; /* n = 0: none */
  uint16_t sequence;
} SsLinkCalledBack;

typedef struct {
  SsSealerHandshake *sealer; /* NULL: none */
  SsTime sent;
} SsLinkTry;

/* An initiation of ours that has not been answered. The answer may be to an
 * earlier try, where the round trip is longer than the wait. */
typedef struct {
  SsSealerHandshake *sealer;        /* NULL: none sent yet */
  SsLinkTry earlier[EARLIER_TRIES]; /* the latest first */
  uint32_t local_index;
  unsigned tries;
  bool used_cookie_try; /* a cookie's arrival speeds up one try */
  SsTime started, sent;
  SsTime deadline; /* of the next try */
  uint8_t mac1[SS_MAC_LEN];
  uint8_t cookie[SS_COOKIE_LEN];
  SsTime cookie_until;
} SsLinkHandshake;

/* Which reliable sequences were received. */
typedef struct {
  uint64_t received; /* bit i: highest - i; 0: none was */
  uint32_t owner;    /* the sender's state, as its indices tell it */
  uint16_t highest;
  uint16_t used; /* last, in seconds: what is quiet for long counts no more */
} SsReceiveWindow;
_Static_assert(SEQUENCE_WINDOW == 64, "a bit for each sequence");

typedef struct SsLinkPeer SsLinkPeer;

/* What a peer needs while something is under way; freed when quiet. */
typedef struct {
  SsTimer timer;
  SsLinkPeer *peer;
  GQueue queues[SS_N_CLASSES]; /* items, those sent before at the head */
  GQueue unacked;              /* items, by sequence */
  SsLinkCalledBack called_back[CALLED_BACK_MAX]; /* the latest first */
  GList ready[SS_N_CLASSES];                     /* in the link's lists */
  uint8_t is_ready;                              /* bit for each class */
  bool want_confirm;                             /* an empty datagram will do */
  bool is_answering; /* its initiation is being looked at */
  uint16_t n_acks, acks_capacity;
  uint16_t *acks; /* sequences to acknowledge */
  uint16_t came;  /* when the last of these did, ms modulo 2^16 */
  SsLinkHandshake *handshake;
  SsAddr relay;       /* said to reach it, if the confirmed address does not */
  SsLinkSession next; /* made by the peer's initiation, unconfirmed */
  SsLinkSession earlier[EARLIER_TRIES]; /* by its tries before that one */
  SsLinkSession previous; /* replaced, for datagrams on their way */
  SsTime next_until, previous_until;
  SsTime confirm_sent;
  /* What the next session's initiator said of itself. */
  uint8_t flags, n_addrs;
  SsAddr addrs[SS_PEER_ADDRS_MAX];
} SsPeerWork;

/* Known peers cost this little: a simulation has millions. The index of the
 * session is set even without one: its lower bits are the peer's. */
struct SsLinkPeer {
  SsContact contact;
  SsTime last_heard, last_sent; /* -1: never */
  uint32_t srtt_us : 30;        /* 0: not known */
  bool is_released : 1;         /* see ss_link_release */
  bool is_lasting : 1;          /* there was more than upkeep */
  uint16_t rttvar_16us;
  uint16_t next_sequence;
  SsPeerWork *work; /* NULL: quiet */
  SsLinkSession session;
  SsReceiveWindow window;
};

typedef struct {
  SsContact contact;
  uint64_t token;
  uint8_t protocol;
} SsLinkFailure;

typedef struct {
  SsTimer timer;
  SsAddr addr;
  uint8_t nonce[16];
  SsTime sent, until;
  bool is_ping, introduces;
  SsContact peer; /* pinged */
} SsLinkQuestion;

typedef struct {
  SsAddr to;
  uint16_t len;
  uint8_t data[];
} SsLinkDatagram;

/* An address, and since when or until when it counts. */
typedef struct {
  SsAddr addr;
  SsTime time;
} SsLinkAddrTime;

/* An initiation whose messages were taken. */
typedef struct {
  uint32_t digest; /* of its initiator and timestamp */
  uint32_t second; /* it is too old then to be taken again */
} SsLinkEarly;

/* A node keeps many of these for long: a hash of the address will do, for by
 * chance it only makes an arrival prove less. */
typedef struct {
  uint32_t hash;
  uint32_t second;
} SsLinkAsked;

typedef struct SsLinkUplink SsLinkUplink;

struct SsLink {
  SsEnv *env;
  const SsLinkUpcalls *upcalls;
  void *user;
  SsSealer *sealer;
  SsContact self;
  uint64_t last_handshake_ns;
  uint8_t realm_key[32];
  uint8_t mac1_key[32]; /* of messages to this node */
  uint8_t ask_key[32];
  uint8_t met_key[SS_MAC_LEN];         /* secret: of proofs */
  uint8_t limit_key[SS_LIMIT_KEY_LEN]; /* secret: of the limits' hashes */

  SsLinkPeer **peers; /* by id; for each, in the same piece of memory: */
  uint32_t *prefixes; /* the first bytes of its id, to search in */
  uint16_t *slots;    /* the number that its session indices carry */
  uint16_t n_peers, capacity;
  uint16_t n_half_open;
  uint32_t generation;  /* peers that have gone, and one: for hints */
  SsLinkPeer *heard_of; /* by session index, last; NULL: it has gone */
  unsigned busy;        /* depth of upcalls: nothing is freed meanwhile */
  GPtrArray *dead;      /* peers to free when no longer busy; or NULL */

  GQueue ready[SS_N_CLASSES]; /* peers with something to send */
  size_t backlog[SS_N_CLASSES];
  GQueue outbox;        /* SsLinkDatagram */
  GQueue failures;      /* SsLinkFailure */
  GPtrArray *questions; /* SsLinkQuestion; or NULL */
  SsTime renew_at;      /* until then no session is made anew */

  SsBody body_out; /* the longest in the datagram put out last; or NULL */

  /* Upload cap, as a virtual clock of bytes sent: 0 is no cap. */
  uint64_t upload_bytes_per_second;
  uint64_t upload_told;
  bool is_pace_measured; /* and not told: headers of IP count */
  SsLinkUplink *uplink;  /* NULL: nothing is forwarded */
  SsTime pace_paid;      /* what was sent is paid for by then */
  SsTime pace_burst, pace_datagram;
  /* Of round trips from their peers' means: the mean, and of how many. */
  uint32_t deviation_us;
  unsigned n_deviations;

  SsLimit initiations_addr, initiations_ip; /* sent */
  SsAddr *machine; /* this machine's addresses; NULL: unknown */
  unsigned n_machine;
  SsLimit accepted; /* received, under load */
  SsLimit answers;
  SsCookies *cookies; /* NULL: never been under load */
  SsTime load_second;
  unsigned load_now, load_before;
  SsTime early_from; /* wall time: no messages of older initiations */
  GArray *early;     /* SsLinkEarly, the oldest first; NULL: none */

  /* call.c; the arrays are NULL most of the time. */
  SsAddr advertise; /* the own address, also while relayed */
  bool is_watching;
  GArray *clients; /* SsId: whom calls are passed on to */
  GArray *asked;   /* SsLinkAsked: sent to, then; the newest last */
  GArray *relays;  /* SsLinkAddrTime: known to pass on, since */
  SsTime call_second;
  unsigned calls_now;

  SsTimer pace_timer, failures_timer, sweep_timer;
};

/* peers.c */
SsLinkPeer *ss_link_find (const SsLink *link, const SsId *id);
/* The same; the hint may be NULL. */
SsLinkPeer *ss_link_find_hinted (const SsLink *link, const SsId *id,
                                 SsPeerHint *hint);
SsLinkPeer *ss_link_find_index (SsLink *link, uint32_t index);
SsLinkPeer *ss_link_add (SsLink *link, const SsContact *contact);
/* Drops a peer; what it had queued fails (told later), or is forgotten. */
void ss_link_remove (SsLink *link, SsLinkPeer *peer, bool tell);
bool ss_link_is_dead (const SsLinkPeer *peer);
void ss_link_enter (SsLink *link); /* around upcalls */
void ss_link_leave (SsLink *link);
SsPeerWork *ss_link_work (SsLink *link, SsLinkPeer *peer); /* made if need be */
/* Frees the work if nothing is under way. */
void ss_link_rest (SsLink *link, SsLinkPeer *peer);
/* That, or arms its timer. */
void ss_link_settle (SsLink *link, SsLinkPeer *peer);
uint32_t ss_link_new_index (SsLinkPeer *peer);
bool ss_link_is_half_open (const SsLinkPeer *peer);
/* Something authentic came from there. */
void ss_link_heard (SsLink *link, SsLinkPeer *peer, const SsAddr *from);
/* There is something to be said to it: if it was released, and may have been
 * forgotten at its end, not in that session. */
void ss_link_reclaim (SsLink *link, SsLinkPeer *peer);
/* The session is not sent in any more; what is on its way is still heard. */
void ss_link_put_aside (SsLink *link, SsLinkPeer *peer);
void ss_link_sweep (SsLink *link);

/* rtt.c */
void ss_link_rtt_sample (SsLink *link, SsLinkPeer *peer, SsTime sample);
SsTime ss_link_peer_rto (const SsLinkPeer *peer);
void ss_link_note_sending (SsLinkSendings *sendings, SsTime now);
SsTime ss_link_last_sending (const SsLinkSendings *sendings);
/* When the one was that an acknowledgement names; -1: not known. */
SsTime ss_link_sending_time (const SsLinkSendings *sendings, unsigned sending);
/* An item goes that was sent, and is not acknowledged. */
void ss_link_call_back (SsPeerWork *work, const SsLinkItem *item);
/* Until the first of them is forgotten; SS_NEVER: there is none. */
SsTime ss_link_called_back_until (const SsPeerWork *work);
void ss_link_forget_called_back (SsPeerWork *work, SsTime now);
/* Of what was called back or given up: NULL if it is none. */
SsLinkCalledBack *ss_link_find_called_back (SsPeerWork *work,
                                            uint16_t sequence);

/* uplink.c */
void ss_link_uplink_free (SsLink *link);
/* Media is queued for this peer: is its answer wanted? */
bool ss_link_uplink_asks (SsLink *link, const SsLinkPeer *peer);
/* Something in the datagram that is being made will be acknowledged; it has
 * left. */
void ss_link_uplink_asking (SsLink *link, const SsLinkPeer *peer);
void ss_link_uplink_sent (SsLink *link);
/* What was sent to the peer then has just been acknowledged; to be told before
 * ss_link_rtt_sample is. When it came there, by that one's clock in ms modulo
 * 2^16; NULL: that is not known. */
void ss_link_uplink_sample (SsLink *link, const SsLinkPeer *peer, SsTime sent,
                            const uint16_t *came);

/* queue.c */
void ss_link_item_free (SsLinkItem *item);
size_t ss_link_item_len (const SsLinkItem *item);
bool ss_link_enqueue (SsLink *link, SsLinkPeer *peer, const SsLinkSend *how,
                      const uint8_t *head, size_t head_len, GBytes *body);
SsLinkItem *ss_link_unlink_sequence (SsLink *link, SsPeerWork *work,
                                     uint16_t sequence);
SsLinkItem *ss_link_unlink_token (SsLink *link, SsPeerWork *work,
                                  uint8_t protocol, uint64_t token);
/* Takes an item out of its class's queue. */
void ss_link_dequeue (SsLink *link, SsPeerWork *work, SsLinkItem *item);
/* Puts a sent item among the unacknowledged, by sequence. */
void ss_link_await_ack (SsPeerWork *work, SsLinkItem *item);
/* Late ones are queued again, or fail. */
void ss_link_retransmit (SsLink *link, SsLinkPeer *peer);
bool ss_link_sequence_is_free (const SsPeerWork *work, uint16_t sequence);
void ss_link_fail (SsLink *link, SsLinkPeer *peer, SsLinkItem *item);
void ss_link_tell_failures (SsLink *link);
/* All that is queued or unacknowledged fails or is forgotten. */
void ss_link_drop_items (SsLink *link, SsLinkPeer *peer, bool tell);
/* Lists the peer for output in each class that has something. */
void ss_link_make_ready (SsLink *link, SsPeerWork *work);
void ss_link_unready (SsLink *link, SsPeerWork *work, unsigned class);
/* What went out in an initiation is queued again. */
void ss_link_requeue_early (SsLink *link, SsPeerWork *work);
bool ss_link_has_items (const SsPeerWork *work);
/* Bytes that wait to be sent, with what their frames add. */
size_t ss_link_n_queued (const SsPeerWork *work);

/* handshake.c */
void ss_link_initiate (SsLink *link, SsLinkPeer *peer);
void ss_link_initiate_again (SsLink *link, SsLinkPeer *peer); /* timer */
/* The peer's own initiation counts, and it does not answer this node's: it goes
 * on when it has the answer to its own, which leaves now. */
void ss_link_wait_for_crossing (SsLink *link, SsLinkPeer *peer);
uint16_t ss_link_own_addrs (const SsLink *link, SsAddr *ret_addrs);
/* Puts both MACs at the end of a handshake message; the handshake, for its
 * cookie, and ret_mac1 may be NULL. */
void ss_link_put_macs (SsLink *link, const SsKey *to,
                       const SsLinkHandshake *handshake, uint8_t *message,
                       size_t len, uint8_t ret_mac1[SS_MAC_LEN]);
void ss_link_handshake_free (SsPeerWork *work);
/* Drops `next` and those before it. */
void ss_link_forget_next (SsPeerWork *work);
void ss_link_on_response (SsLink *link, const SsAddr *from,
                          const uint8_t *datagram, size_t len);
void ss_link_on_cookie (SsLink *link, const SsAddr *from,
                        const uint8_t *datagram, size_t len);
/* The session with that index of ours among `next` and those before it. */
SsLinkSession *ss_link_find_next (SsPeerWork *work, uint32_t local_index);
/* Takes such a session into use: the peer has sent data in it, or its
 * initiation is known to be fresh. */
void ss_link_use_next (SsLink *link, SsLinkPeer *peer, uint32_t local_index);
/* Makes another session if the present one is worn. */
void ss_link_rekey (SsLink *link, SsLinkPeer *peer);

/* respond.c */
void ss_link_on_initiation (SsLink *link, const SsAddr *from,
                            const uint8_t *datagram, size_t len);
/* One that came straight, or was passed on. */
void ss_link_take_initiation (SsLink *link, const SsAddr *from,
                              const uint8_t *datagram, size_t len,
                              bool is_called);

/* early.c: messages in an initiation */
/* Is it certain that they have not been taken before? Then they count as
 * taken from now on. */
bool ss_link_take_early (SsLink *link, const SsId *initiator,
                         uint64_t timestamp);
void ss_link_early_trim (SsLink *link);
void ss_link_early_clear (SsLink *link);

/* window.c */
/* How far sequence a is ahead of b; negative: behind. */
int ss_link_sequence_ahead (uint16_t a, uint16_t b);
/* Marks a sequence as received; false if it was before. */
bool ss_link_window_accept (SsReceiveWindow *window, uint32_t owner,
                            uint16_t sequence, SsTime now);
/* Does it tell of a state that the sender has lost, or had not yet? */
bool ss_link_window_is_others (const SsReceiveWindow *window, uint32_t owner,
                               SsTime now);

/* input.c */
/* The frames of a handshake's message, from whom the index stands for. Those
 * of an initiation may tell that the sender has lost its state. */
void ss_link_read_frames (SsLink *link, SsLinkPeer *peer, uint32_t index,
                          bool is_initiation, const uint8_t *data, size_t len);
void ss_link_on_data (SsLink *link, const SsAddr *from, uint8_t *datagram,
                      size_t len);

/* output.c */
/* Frames of a handshake's message: acknowledgements and control messages; in
 * an initiation only such as can be sent again, if they are not taken. */
size_t ss_link_put_frames (SsLink *link, SsPeerWork *work, bool is_initiation,
                           uint8_t *buf, size_t room);
/* Queues a datagram that is not of a session. */
void ss_link_post (SsLink *link, const SsAddr *to, const uint8_t *data,
                   size_t len);
void ss_link_post_close (SsLink *link, SsLinkPeer *peer);
void ss_link_pace_init (SsLink *link, uint64_t upload_bps);
/* Bytes a second with the headers of IP and UDP, beside what was told; 0: no
 * bound is known. */
void ss_link_pace_measured (SsLink *link, uint64_t bytes_per_second);

/* ask.c */
/* Messages of those who may know nothing of each other but the realm: ends
 * one of len bytes with its MAC and posts it; checks that of one, counting. */
void ss_link_post_with_mac (SsLink *link, const SsAddr *to, uint8_t *buf,
                            size_t len);
bool ss_link_mac_is_right (SsLink *link, const uint8_t *datagram, size_t len,
                           const uint8_t mac[SS_MAC_LEN]);
void ss_link_on_ask (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                     size_t len);
void ss_link_on_answer (SsLink *link, const SsAddr *from,
                        const uint8_t *datagram, size_t len);
void ss_link_on_met (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                     size_t len);
void ss_link_question_timer (SsLink *link, SsLinkQuestion *question);
void ss_link_forget_questions (SsLink *link);

/* call.c */
void ss_link_calls_clear (SsLink *link);
void ss_link_calls_trim (SsLink *link);
/* Was something sent there that no peer or question tells of? */
void ss_link_note_asked (SsLink *link, const SsAddr *addr);
/* What was sent there opens a NAT's door, though there may be no session: what
 * comes from there now is not unasked. */
void ss_link_note_opened (SsLink *link, const SsAddr *addr);
/* Something authentic came straight from there. */
void ss_link_note_arrival (SsLink *link, const SsAddr *from, bool is_probe);
/* Is the peer's address a relay's? And has that one passed a call on? */
bool ss_link_is_via (const SsLinkPeer *peer);
bool ss_link_relay_is_known (const SsLink *link, const SsAddr *addr);
void ss_link_know_relay (SsLink *link, const SsAddr *addr);
void ss_link_post_call (SsLink *link, const SsLinkPeer *peer,
                        const uint8_t *initiation, size_t len);
void ss_link_on_probe (SsLink *link, const SsAddr *from,
                       const uint8_t *datagram, size_t len);
void ss_link_on_call (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                      size_t len);
void ss_link_on_called (SsLink *link, const SsAddr *from,
                        const uint8_t *datagram, size_t len);
