/* The Noise Protocol Framework (revision 34), patterns IK and IKpsk2 with
 * Curve25519, ChaCha20-Poly1305 and SHA-256: the handshake of a link.
 *
 *   IKpsk2:
 *     <- s
 *     ...
 *     -> e, es, s, ss
 *     <- e, ee, se, psk
 *
 * IK is the same without the psk; it is here for its test vectors. Ephemeral
 * keys are the caller's, so that nothing here draws entropy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SS_NOISE_KEY_LEN  32
#define SS_NOISE_HASH_LEN 32
#define SS_NOISE_TAG_LEN  16

/* What the two messages add to their payloads. */
#define SS_NOISE_INITIATION_OVERHEAD \
  (SS_NOISE_KEY_LEN + SS_NOISE_KEY_LEN + SS_NOISE_TAG_LEN + SS_NOISE_TAG_LEN)
#define SS_NOISE_RESPONSE_OVERHEAD (SS_NOISE_KEY_LEN + SS_NOISE_TAG_LEN)

typedef enum { SS_NOISE_IK, SS_NOISE_IKPSK2 } SsNoisePattern;

/* One handshake. A plain value; wipe it with ss_noise_clear. */
typedef struct {
  SsNoisePattern pattern;
  bool has_key;
  uint64_t nonce;
  uint8_t key[SS_NOISE_KEY_LEN];
  uint8_t chaining_key[SS_NOISE_HASH_LEN];
  uint8_t hash[SS_NOISE_HASH_LEN];
  uint8_t static_secret[SS_NOISE_KEY_LEN];
  uint8_t static_public[SS_NOISE_KEY_LEN];
  uint8_t ephemeral_secret[SS_NOISE_KEY_LEN];
  uint8_t remote_static[SS_NOISE_KEY_LEN]; /* responder: once it has read */
  uint8_t remote_ephemeral[SS_NOISE_KEY_LEN];
  uint8_t psk[SS_NOISE_KEY_LEN];
} SsNoise;

typedef struct {
  SsNoisePattern pattern;
  const uint8_t *prologue;
  size_t prologue_len;
  const uint8_t *static_secret; /* X25519 */
  const uint8_t *remote_static; /* the initiator's knowledge of the responder;
                                   NULL on the responder's side */
  const uint8_t *psk;           /* IKpsk2 only */
} SsNoiseConfig;

void ss_noise_init (SsNoise *noise, const SsNoiseConfig *config);
void ss_noise_clear (SsNoise *noise);

/* The messages in order. Written ones have their payload's length plus the
 * overhead; read ones yield their length less the overhead in ret_payload.
 * All return false when a key is of low order or a tag does not fit; the
 * handshake is over then. */
bool ss_noise_write_initiation (SsNoise *noise, const uint8_t ephemeral[32],
                                const uint8_t *payload, size_t payload_len,
                                uint8_t *ret_message);
bool ss_noise_read_initiation (SsNoise *noise, const uint8_t *message,
                               size_t len, uint8_t *ret_payload);
bool ss_noise_write_response (SsNoise *noise, const uint8_t ephemeral[32],
                              const uint8_t *payload, size_t payload_len,
                              uint8_t *ret_message);
bool ss_noise_read_response (SsNoise *noise, const uint8_t *message, size_t len,
                             uint8_t *ret_payload);

/* Transport keys: the initiator sends with the first, the responder with the
 * second. */
void ss_noise_split (const SsNoise *noise, uint8_t ret_first[32],
                     uint8_t ret_second[32]);

/* The transport's cipher, in place: data has room for the tag after len
 * bytes. open takes len with the tag and returns false if it does not fit. */
void ss_noise_seal (const uint8_t key[32], uint64_t nonce, uint8_t *data,
                    size_t len);
bool ss_noise_open (const uint8_t key[32], uint64_t nonce, uint8_t *data,
                    size_t len);
