/* Signatures of stations, and the digests that are signed: Ed25519 (RFC 8032)
 * and BLAKE2b (RFC 7693) in the shipped programs (base/signer_ed25519.c), cheap
 * hashes in the simulator (sim/signer_plain.c). The choice is made by the
 * linker; sizes are equal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/id.h"

#define SS_SEED_LEN      32
#define SS_SIGNATURE_LEN 64
#define SS_DIGEST_LEN    16

/* A key pair, ready to sign; hold it by value, wipe it with _clear. */
typedef struct {
  SsKey key;
  uint8_t secret[64];
} SsSigner;

/* What was found of some immutable bytes, kept with them where many nodes of
 * one process share them. All zero: nothing yet. */
typedef struct {
  bool is_set;
  uint64_t words[2];
} SsMemo;

void ss_signer_init (SsSigner *signer, const uint8_t seed[SS_SEED_LEN]);
void ss_signer_clear (SsSigner *signer);
void ss_signer_sign (const SsSigner *signer, const void *message, size_t len,
                     uint8_t ret_signature[SS_SIGNATURE_LEN]);
bool ss_signer_verify (const SsKey *key, const void *message, size_t len,
                       const uint8_t signature[SS_SIGNATURE_LEN]);
/* Of the parts, one after the other. A memo is the last part's own, which is
 * then always the same; NULL: there is none. */
void ss_signer_digest (const SsBytes *parts, size_t n_parts, SsMemo *memo,
                       uint8_t ret_digest[SS_DIGEST_LEN]);
