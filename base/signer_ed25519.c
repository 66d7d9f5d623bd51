/* Stations' signatures for the shipped programs: Ed25519 (RFC 8032) by
 * libsodium, which refuses points of small order and non-canonical scalars,
 * so nobody but the signer can turn one valid signature into another. */
#include "base/signer.h"

#include <glib.h>
#include <sodium.h>

void
ss_signer_init (SsSigner *signer, const uint8_t seed[SS_SEED_LEN])
{
  G_STATIC_ASSERT (crypto_sign_SECRETKEYBYTES == sizeof signer->secret);
  G_STATIC_ASSERT (crypto_sign_SEEDBYTES == SS_SEED_LEN);
  G_STATIC_ASSERT (crypto_sign_BYTES == SS_SIGNATURE_LEN);
  crypto_sign_seed_keypair (signer->key.b, signer->secret, seed);
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
  crypto_sign_detached (ret_signature, NULL, message, len, signer->secret);
}

bool
ss_signer_verify (const SsKey *key, const void *message, size_t len,
                  const uint8_t signature[SS_SIGNATURE_LEN])
{
  return crypto_sign_verify_detached (signature, message, len, key->b) == 0;
}

void
ss_signer_digest (const SsBytes *parts, size_t n_parts, SsMemo *memo,
                  uint8_t ret_digest[SS_DIGEST_LEN])
{
  crypto_generichash_state state;

  crypto_generichash_init (&state, NULL, 0, SS_DIGEST_LEN);
  for (size_t i = 0; i < n_parts; i++)
    crypto_generichash_update (&state, parts[i].data, parts[i].len);
  crypto_generichash_final (&state, ret_digest, SS_DIGEST_LEN);
}
