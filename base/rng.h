/* Deterministic random numbers: the ChaCha20 key stream of a 32-byte seed.
 * Cryptographically strong when the seed is, so that key material may come
 * from it; reproducible always. No entropy is drawn here. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t key[32];
  uint64_t block_index;
  uint8_t block[64];
  uint8_t used; /* bytes of block already given out */
} SsRng;

void ss_rng_init (SsRng *rng, const uint8_t seed[32]);
void ss_rng_init_number (SsRng *rng, uint64_t seed); /* simulations */
void ss_rng_clear (SsRng *rng);                      /* wipes */
void ss_rng_bytes (SsRng *rng, void *ret_bytes, size_t len);
uint32_t ss_rng_u32 (SsRng *rng);
uint64_t ss_rng_u64 (SsRng *rng);
uint64_t ss_rng_below (SsRng *rng, uint64_t bound); /* unbiased, bound > 0 */
double ss_rng_unit (SsRng *rng);                    /* [0, 1) */
double ss_rng_exponential (SsRng *rng, double mean);
