/* Random numbers from ChaCha20 (Bernstein's original: 64-bit nonce, here
 * zero, and 64-bit block counter). libsodium's stream function is pure: it
 * draws no entropy. */
#include "base/rng.h"

#include <glib.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

#define BLOCK_LEN sizeof (((SsRng *) 0)->block)

/* 2^-53: a double's mantissa holds 53 bits exactly. */
#define UNIT_BITS 53

void
ss_rng_init (SsRng *rng, const uint8_t seed[32])
{
  memset (rng, 0, sizeof *rng);
  memcpy (rng->key, seed, sizeof rng->key);
  rng->used = BLOCK_LEN;
}

void
ss_rng_init_number (SsRng *rng, uint64_t seed)
{
  uint8_t bytes[32] = { 0 };

  for (unsigned i = 0; i < 8; i++)
    bytes[i] = (uint8_t) (seed >> (8 * i));
  ss_rng_init (rng, bytes);
}

void
ss_rng_clear (SsRng *rng)
{
  sodium_memzero (rng, sizeof *rng);
}

static void
key_stream (SsRng *rng, uint8_t *ret_bytes, size_t n_blocks)
{
  static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
  size_t len = n_blocks * BLOCK_LEN;

  memset (ret_bytes, 0, len);
  crypto_stream_chacha20_xor_ic (ret_bytes, ret_bytes, len, nonce,
                                 rng->block_index, rng->key);
  rng->block_index += n_blocks;
}

void
ss_rng_bytes (SsRng *rng, void *ret_bytes, size_t len)
{
  uint8_t *out = ret_bytes;

  while (len > 0) {
    if (rng->used == BLOCK_LEN) {
      size_t n_whole = len / BLOCK_LEN;

      if (n_whole > 0) {
        key_stream (rng, out, n_whole);
        out += n_whole * BLOCK_LEN;
        len -= n_whole * BLOCK_LEN;
        continue;
      }
      key_stream (rng, rng->block, 1);
      rng->used = 0;
    }
    size_t n = MIN (len, BLOCK_LEN - rng->used);

    memcpy (out, rng->block + rng->used, n);
    rng->used = (uint8_t) (rng->used + n);
    out += n;
    len -= n;
  }
}

uint32_t
ss_rng_u32 (SsRng *rng)
{
  uint32_t number;

  ss_rng_bytes (rng, &number, sizeof number);
  return GUINT32_FROM_LE (number);
}

uint64_t
ss_rng_u64 (SsRng *rng)
{
  uint64_t number;

  ss_rng_bytes (rng, &number, sizeof number);
  return GUINT64_FROM_LE (number);
}

uint64_t
ss_rng_below (SsRng *rng, uint64_t bound)
{
  g_assert (bound > 0);
  /* Numbers under 2^64 mod bound are drawn again: what remains is a whole
   * multiple of bound, so that every residue is equally likely. */
  uint64_t biased = -bound % bound;
  uint64_t number;

  do
    number = ss_rng_u64 (rng);
  while (number < biased);
  return number % bound;
}

double
ss_rng_unit (SsRng *rng)
{
  return ldexp ((double) (ss_rng_u64 (rng) >> (64 - UNIT_BITS)), -UNIT_BITS);
}

double
ss_rng_exponential (SsRng *rng, double mean)
{
  /* 1 - unit is never 0. */
  return -mean * log (1.0 - ss_rng_unit (rng));
}
