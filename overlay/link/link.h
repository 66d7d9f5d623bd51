/* Links: authenticated, encrypted datagrams between two peers, reliable or
 * not. Knows nothing of rings. One SsLink is a node's transport: it makes
 * sessions on demand (Noise_IKpsk2 in WireGuard's message flow, DESIGN
 * section 5), packs messages into datagrams, acknowledges and retransmits
 * reliable ones (RFC 6298), paces under the upload cap, and says who is late
 * or unreachable. Sans-I/O: driven by input, timer and output.
 *
 * Ownership: the SsLink owns all peer state; contacts are passed by value.
 * Upcalls may call everything but ss_link_free and the driver's side. Any of
 * them may be NULL. libsodium must have been initialised (sodium_init). */
#pragma once

#include <glib.h>

#include "base/contact.h"
#include "base/env.h"

/* Room for one message (head and body together) in a datagram. */
#define SS_DATAGRAM_MAX     1232
#define SS_LINK_MESSAGE_MAX 1192
/* What a datagram costs beside its frames; a message's frame is one byte, two
 * more if it is reliable, two more unless it is the last. */
#define SS_LINK_OVERHEAD 29

/* The version of everything on the wire: in the handshake's prologue. */
#define SS_LINK_VERSION 1

typedef struct SsLink SsLink;

/* Traffic classes, in order of precedence under the upload cap. */
typedef enum {
  SS_CLASS_CONTROL, /* membership, acks, probes */
  SS_CLASS_MEDIA,   /* packets on their first way down a tree */
  SS_CLASS_REPAIR,  /* retransmissions, tune-in bursts, blocks */
  SS_N_CLASSES
} SsTrafficClass;

/* Messages of this protocol are upkeep: they alone keep no session. */
#define SS_LINK_PROTOCOL_UPKEEP 0

typedef struct {
  uint8_t protocol; /* who gets it at the other end, 0 to 31 */
  SsTrafficClass class;
  bool reliable;     /* acknowledged, retransmitted */
  uint8_t tries_max; /* reliable: sendings in all; 0: SS_LINK_TRIES */
  uint64_t token;    /* reliable: names it in upcalls; the sender's own
                             choice, unique among its unfinished; 0: none */
  SsTime expires;    /* not sent after this; 0: no limit */
  SsTime rtt;        /* a round trip, measured before: for a peer of which no
                        link knows one; 0 or SS_NEVER: not known */
  SsPeerHint *hint;  /* of this peer; NULL: none is kept */
  bool is_doubtful;  /* the other end may have released its session, if there
                        has been nothing but upkeep in it */
} SsLinkSend;

#define SS_LINK_TRIES 5

typedef struct {
  /* One message from an authenticated peer. data is valid for the call. */
  void (*message) (void *user, const SsContact *from, uint8_t protocol,
                   const uint8_t *data, size_t len);
  /* The reliable message was received (after the receiver's message upcall
   * returned: an acknowledgement means 'handled'). */
  void (*acked) (void *user, const SsContact *to, uint8_t protocol,
                 uint64_t token);
  /* No ack in time for sending number `tries`; it is being sent again unless
   * the upcall cancels it. */
  void (*late) (void *user, const SsContact *to, uint8_t protocol,
                uint64_t token, unsigned tries);
  /* Given up: unreachable (no session could be made, or no ack in
   * tries_max), or the queue was full. */
  void (*failed) (void *user, const SsContact *to, uint8_t protocol,
                  uint64_t token);
  /* A session was made. `observed` is this node's address as the peer sees
   * it (not set when unknown). */
  void (*up) (void *user, const SsContact *peer, const SsAddr *observed);
  /* The same word, with a session that follows another. May be NULL. */
  void (*observed) (void *user, const SsContact *peer, const SsAddr *observed);
  /* With `up`: where the peer itself says that it may be reached (none if it
   * does not know). Hints: see DESIGN, section 5. */
  void (*advertised) (void *user, const SsContact *peer, const SsAddr *addrs,
                      unsigned n_addrs);
  /* Who answers at an address that ss_link_ask was given; contact is NULL
   * when nobody did, with the reason in text. */
  void (*identified) (void *user, const SsAddr *addr, const SsContact *contact,
                      const char *text);
  /* While ss_link_watch is on. unasked: something authentic came from an
   * address that this node has sent nothing for so long that no NAT would
   * remember; so it can be reached. Else: a probe came from one that it has. */
  void (*arrived) (void *user, const SsAddr *from, bool unasked);
  /* What ss_link_ping found out: the round-trip time, or SS_NEVER if nobody
   * of that key answered. */
  void (*pinged) (void *user, const SsContact *peer, SsTime rtt);
  /* A peer that pings introduces itself: below which round-trip time is it of
   * interest? 0: not at all. If it is that near, `met` follows. */
  SsTime (*wanted) (void *user, const SsContact *peer);
  void (*met) (void *user, const SsContact *peer, SsTime rtt);
} SsLinkUpcalls;

typedef struct {
  uint8_t identity_seed[32];  /* Ed25519 seed of the node key */
  uint8_t realm_key[32];      /* Noise psk; all zero: the open network */
  uint8_t flags;              /* SS_PEER_* of this node */
  SsAddr advertise;           /* this node's address for others; may be unset */
  uint64_t last_handshake_ns; /* wall time of the last initiation of this
                                 identity, from its file; 0 if none */
  bool is_fresh;              /* the identity was never in use before */
  uint64_t upload_bps;        /* cap, bit/s of UDP payload; 0: none */
  const SsAddr *machine;      /* the machine's IP addresses, copied; ports */
  unsigned n_machine;         /*   do not matter; may be none */
} SsLinkConfig;

/* True if the key is worth an id: BLAKE2b (key || "work") starts with
 * SS_WORK_BITS zero bits. Callers make keys by trying seeds. */
#define SS_WORK_BITS 12
bool ss_link_key_has_work (const SsKey *key);
/* Draws seeds from rng until the key has the work; about 4,096 tries. */
void ss_link_make_identity (SsRng *rng, uint8_t ret_seed[32], SsKey *ret_key);
void ss_link_key_of_seed (const uint8_t seed[32], SsKey *ret_key);

/* upcalls: not copied. */
SsLink *ss_link_new (SsEnv *env, const SsLinkConfig *config,
                     const SsLinkUpcalls *upcalls, void *user);
void ss_link_free (SsLink *link);

const SsContact *ss_link_self (const SsLink *link);
/* Makes a new session with a peer that came by itself: who answers says the
 * address that it observes. The upcall `observed` brings it. */
void ss_link_ask_address (SsLink *link, const SsContact *peer);
void ss_link_set_advertise (SsLink *link, const SsAddr *addr);
/* Wall time of the newest initiation sent, to be persisted by the caller. */
uint64_t ss_link_last_handshake_ns (const SsLink *link);

/* Queues head followed by body (may be NULL; referenced, not copied) for a
 * peer, making a session first when there is none. Encoding and sealing
 * happen at output. False when nothing was queued: to itself, too long, or
 * the peer's queue is full (then no upcall follows). */
bool ss_link_send (SsLink *link, const SsContact *to, const SsLinkSend *how,
                   const uint8_t *head, size_t head_len, GBytes *body);
/* Forgets an unacknowledged message: no more sendings, no more upcalls. */
void ss_link_cancel (SsLink *link, const SsId *to, uint8_t protocol,
                     uint64_t token);
/* Asks who is at an address (bootstrap by address); answered by the
 * `identified` upcall within SS_LINK_ASK_TIMEOUT. */
#define SS_LINK_ASK_TIMEOUT (3 * SS_SEC)
void ss_link_ask (SsLink *link, const SsAddr *addr);
/* The same to measure the distance, and for a sign of life, at the price of
 * two datagrams and no session. The answer is not authenticated: it is good
 * for choosing among peers, and no more. Answered by the `pinged` upcall
 * within SS_LINK_ASK_TIMEOUT, if true. With `introduce` the peer learns who
 * asks and, if it wants to and for a third datagram, the distance. */
bool ss_link_ping (SsLink *link, const SsContact *peer, bool introduce);

/* A MAC over data that only this node and the owner of that key can make,
 * whichever of them does: of the secret that their keys have in common. */
#define SS_LINK_PROOF_LEN 16
void ss_link_prove (const SsLink *link, const SsKey *peer, const uint8_t *data,
                    size_t len, uint8_t ret_proof[SS_LINK_PROOF_LEN]);

/* Smoothed round-trip time, or SS_NEVER when not known. */
SsTime ss_link_rtt (const SsLink *link, const SsId *peer);
/* The time after which a silent peer is late, by RFC 6298. */
/* See ss_node_prefetch: first the table of peers, then the one that a
 * datagram came from. */
void ss_link_prefetch (const SsLink *link, unsigned step,
                       const uint8_t *datagram, size_t len);
SsTime ss_link_rto (const SsLink *link, const SsId *peer);
/* What this node's line has been found to carry, bit/s of UDP payload; 0: no
 * limit has been met (uplink.c). The link keeps below it by itself. */
uint64_t ss_link_uplink_bps (const SsLink *link);
/* When the peer was last heard (anything authentic), or -1. */
SsTime ss_link_last_heard (const SsLink *link, const SsId *peer);
/* When anything was last sent to it, or -1. */
SsTime ss_link_last_sent (const SsLink *link, const SsId *peer);
bool ss_link_has_session (const SsLink *link, const SsId *peer);
/* There is none, or it is worn: a reliable message travels in the initiation
 * of the next. */
bool ss_link_needs_session (const SsLink *link, const SsId *peer);
unsigned ss_link_n_peers (const SsLink *link); /* with sessions */
/* As far as can be told all has been said for now, and the peer knows it: each
 * end forgets the other when it has been quiet for a moment, unless there is
 * another message, or ever was one that is not upkeep. */
void ss_link_release (SsLink *link, const SsId *peer);
/* Drops the session and all that is queued for the peer, telling it. */
void ss_link_close (SsLink *link, const SsId *peer);
/* Bytes queued for output in a class, over all peers. */
size_t ss_link_backlog (const SsLink *link, SsTrafficClass class);

/* Who cannot be reached unasked (DESIGN, section 5; call.c). */
void ss_link_watch (SsLink *link, bool watch); /* for `arrived` */
/* Initiates to the last few that have initiated and not gone on: the answers
 * may have been lost, and they may send no more to an address that is not
 * confirmed. */
void ss_link_call_on (SsLink *link);
/* Whom this node has sent something, lowest ids first. */
unsigned ss_link_peers (const SsLink *link, SsId *ret_ids, unsigned max);
/* One small datagram there, for the other's watch. False: too many. */
bool ss_link_probe (SsLink *link, const SsAddr *addr);
/* From now on this node says of itself that it is called through the relay
 * at that address; NULL: that it is reachable, at its own. Peers with
 * sessions are told. */
void ss_link_set_relay (SsLink *link, const SsAddr *relay);
/* Tells them again: of two sessions that both ends made at once one is not
 * used, nor what was said in it. To be called a while later. */
#define SS_LINK_INTRODUCE_AGAIN (6 * SS_SEC)
void ss_link_introduce (SsLink *link);
bool ss_link_is_relayed (const SsLink *link);
/* Passes calls on to this peer, as long as there is a session with it. */
#define SS_LINK_CLIENTS_MAX 64
bool ss_link_serve (SsLink *link, const SsId *client, bool serve);

/* The driver's side. input never fails: bad datagrams are counted; the bytes
 * are decrypted in place. output fills buf (at least SS_DATAGRAM_MAX) with one
 * datagram and returns its length, 0 when drained. */
void ss_link_input (SsLink *link, const SsAddr *from, uint8_t *datagram,
                    size_t len);
void ss_link_timer (SsLink *link, SsTimer *timer); /* SS_LAYER_LINK */
size_t ss_link_output (SsLink *link, SsAddr *ret_to, uint8_t *buf, size_t cap);
/* The longest body of an unreliable message in the datagram put out last, as it
 * was before it was sealed; NULL: none. */
const SsBody *ss_link_body_out (const SsLink *link);
bool ss_link_has_output (const SsLink *link); /* sendable now, cap allowing */
