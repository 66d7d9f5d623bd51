/* Stations' signatures for the simulator: a hash of key and message that
 * anybody could compute, for a real verification costs 45 us, a real digest
 * of a packet 1.5 us, and a simulated station has thousands of listeners.
 * Keys, sizes and outcomes of honest use are those of
 * base/signer_ed25519.c; the shipped programs cannot link this. */
#include "base/signer.h"

#include <glib.h>
#include <sodium.h>
#include <string.h>

#include "sim/lanes.h"

/* The key is public, so it is all that signing and verifying need. */
static void
compute (const SsKey *key, const void *message, size_t len,
         uint8_t ret_signature[SS_SIGNATURE_LEN])
{
  G_STATIC_ASSERT (crypto_generichash_BYTES_MAX == SS_SIGNATURE_LEN);
  crypto_generichash (ret_signature, SS_SIGNATURE_LEN, message, len, key->b,
                      sizeof key->b);
}

void
ss_signer_init (SsSigner *signer, const uint8_t seed[SS_SEED_LEN])
{
  crypto_generichash (signer->key.b, sizeof signer->key.b, seed, SS_SEED_LEN,
                      NULL, 0);
  memset (signer->secret, 0, sizeof signer->secret);
}

void
ss_signer_clear (SsSigner *signer)
{
  sodium_memzero (signer, sizeof *signer);
}

void
ss_signer_sign (const SsSigner *signer, const void *message, size_t len,
                uint8_t ret_signature[SS_SIGNATURE_LEN])
{
  compute (&signer->key, message, len, ret_signature);
}

bool
ss_signer_verify (const SsKey *key, const void *message, size_t len,
                  const uint8_t signature[SS_SIGNATURE_LEN])
{
  uint8_t expected[SS_SIGNATURE_LEN];
  compute (key, message, len, expected);
  return sodium_memcmp (expected, signature, sizeof expected) == 0;
}

static void
digest_part (const SsBytes *part, uint64_t ret_words[2])
{
  SsLanes lanes;

  ss_lanes_init (&lanes);
  lanes.words[0] = ss_lane_absorb (lanes.words[0], part->len, 0);
  ss_lanes_add (&lanes, part->data, part->len);
  ss_lanes_finish (&lanes, ret_words);
}

/* The last of several parts is in it by its own digest, which is all that a
 * memo can save. */
void
ss_signer_digest (const SsBytes *parts, size_t n_parts, SsMemo *memo,
                  uint8_t ret_digest[SS_DIGEST_LEN])
{
  size_t n_read = n_parts > 1 ? n_parts - 1 : n_parts;
  SsMemo none = { .is_set = false };
  SsLanes lanes;
  uint64_t words[2];

  G_STATIC_ASSERT (sizeof words == SS_DIGEST_LEN);
  ss_lanes_init (&lanes);
  for (size_t i = 0; i < n_read; i++) {
    lanes.words[0] = ss_lane_absorb (lanes.words[0], parts[i].len, i);
    ss_lanes_add (&lanes, parts[i].data, parts[i].len);
  }
  if (n_read < n_parts) {
    SsMemo *last = memo != NULL ? memo : &none;

    if (!last->is_set)
      digest_part (&parts[n_read], last->words);
    last->is_set = true;
    lanes.words[1] =
        ss_lane_absorb (lanes.words[1], last->words[0], last->words[1]);
  }
  ss_lanes_finish (&lanes, words);
  for (unsigned i = 0; i < G_N_ELEMENTS (words); i++)
    words[i] = GUINT64_TO_LE (words[i]);
  memcpy (ret_digest, words, sizeof words);
}
