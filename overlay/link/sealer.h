/* What protects a link: the handshake, the sealing of datagrams and what a
 * node's identity is. Implemented twice under these names; a program links
 * one of the two archives and so cannot speak the other:
 *
 *   ss_sealer_noise_dep  overlay/link/sealer_noise.c  what is shipped
 *   ss_sealer_plain_dep  sim/sealer_plain.c           the simulator's: the
 *                        same sizes on the wire, but no cryptography
 *
 * The flow (indices, retries, slots, rekeying) is the link's and is the same
 * with both. Every function is pure; randomness is handed in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/rng.h"
#include "base/time.h"

/* What the handshake's two messages and a datagram add to their payloads. */
#define SS_SEALER_INITIATION_OVERHEAD 96
#define SS_SEALER_RESPONSE_OVERHEAD   48
#define SS_SEALER_TAG_LEN             16

/* One node's own keys. */
typedef struct SsSealer SsSealer;
/* One handshake under way, on either side. */
typedef struct SsSealerHandshake SsSealerHandshake;

/* One session's keys and counters, in eight bytes, because a simulation keeps
 * millions of them: the real sealer has its state behind the pointer, the
 * plain one has it right here. All zero: no session. */
typedef union {
  void *state;
  struct {
    uint32_t sent; /* datagrams */
    uint32_t born; /* when, and by whom */
  } plain;
} SsSeal;

typedef enum {
  SS_SEAL_OK,
  SS_SEAL_WRONG,    /* not sealed by the peer */
  SS_SEAL_REPLAYED, /* received before, or too old to tell */
} SsSealVerdict;

/* Identity. */
void ss_sealer_key_of_seed (const uint8_t seed[32], SsKey *ret_key);
bool ss_sealer_key_has_work (const SsKey *key);

SsSealer *ss_sealer_new (const uint8_t seed[32], const uint8_t realm_key[32],
                         uint8_t version);
void ss_sealer_free (SsSealer *sealer);

/* What this node and the owner of `remote` alone can know, from their keys: for
 * MACs beside the handshakes. If the key is none, what nobody else can know. */
void ss_sealer_secret (const SsSealer *sealer, const SsKey *remote,
                       uint8_t ret_secret[32]);

/* The initiator's first message, of len plus the overhead; NULL if the key
 * is no key. */
SsSealerHandshake *ss_sealer_initiate (SsSealer *sealer, const SsKey *remote,
                                       SsRng *rng, const uint8_t *payload,
                                       size_t len, uint8_t *ret_message);
/* The responder reads it (ret_payload has room for len less the overhead);
 * NULL if it is not for this node and realm, or was tampered with. */
SsSealerHandshake *ss_sealer_accept (SsSealer *sealer, const uint8_t *message,
                                     size_t len, uint8_t *ret_payload);
/* Is the initiator the owner of this key? */
bool ss_sealer_handshake_is_by (const SsSealerHandshake *handshake,
                                const SsKey *key);
/* The responder's answer, of len plus the overhead. False if the initiator's
 * key is degenerate. `timestamp` is the initiation's, kept with the session
 * as the least that a following one must exceed. */
bool ss_sealer_respond (SsSealerHandshake *handshake, SsRng *rng, SsTime now,
                        uint64_t timestamp, const uint8_t *payload, size_t len,
                        uint8_t *ret_message, SsSeal *ret_seal);
/* The initiator reads the answer. A false one leaves the handshake as it
 * was, so that the true one can still come. */
bool ss_sealer_finish (SsSealerHandshake *handshake, SsTime now,
                       const uint8_t *message, size_t len, uint8_t *ret_payload,
                       SsSeal *ret_seal);
void ss_sealer_handshake_free (SsSealerHandshake *handshake);

/* Sessions. write returns the counter that the datagram's header must carry
 * and seals len bytes in place, with the tag after them. */
bool ss_seal_is_set (const SsSeal *seal);
void ss_seal_clear (SsSeal *seal);
uint64_t ss_seal_write (SsSeal *seal, uint8_t *data, size_t len);
SsSealVerdict ss_seal_read (SsSeal *seal, uint64_t counter, uint8_t *data,
                            size_t len_with_tag);
/* When the session was made, and whether by this node's initiation. */
SsTime ss_seal_born (const SsSeal *seal);
bool ss_seal_is_initiator (const SsSeal *seal);
bool ss_seal_is_used (const SsSeal *seal);       /* something was written */
uint64_t ss_seal_timestamp (const SsSeal *seal); /* of the peer's initiation */
/* Older than this, or with so many datagrams: make another (worn), or stop
 * using it (spent). */
bool ss_seal_is_worn (const SsSeal *seal, SsTime now);
bool ss_seal_is_spent (const SsSeal *seal, SsTime now);
