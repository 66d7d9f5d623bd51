/* Noise IK and IKpsk2 (noiseprotocol.org, revision 34: sections 5.1 to 5.3
 * and 9), HKDF of RFC 5869 as section 4.3 has it. */
#include "overlay/link/noise.h"

#include <glib.h>
#include <sodium.h>
#include <string.h>

static const char name_ik[] = "Noise_IK_25519_ChaChaPoly_SHA256";
static const char name_ikpsk2[] = "Noise_IKpsk2_25519_ChaChaPoly_SHA256";

static void
hmac (const uint8_t key[32], const uint8_t *a, size_t a_len, const uint8_t *b,
      size_t b_len, uint8_t ret_mac[32])
{
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init (&state, key, SS_NOISE_HASH_LEN);
  crypto_auth_hmacsha256_update (&state, a, a_len);
  if (b_len > 0)
    crypto_auth_hmacsha256_update (&state, b, b_len);
  crypto_auth_hmacsha256_final (&state, ret_mac);
  sodium_memzero (&state, sizeof state);
}

/* n_outputs 2 or 3 of 32 bytes, back to back. */
static void
hkdf (const uint8_t chaining_key[32], const uint8_t *input, size_t input_len,
      unsigned n_outputs, uint8_t *ret_outputs)
{
  uint8_t temporary[32];
  hmac (chaining_key, input, input_len, NULL, 0, temporary);
  for (unsigned i = 0; i < n_outputs; i++) {
    uint8_t number = (uint8_t) (i + 1);
    uint8_t *previous = ret_outputs + 32 * (i > 0 ? i - 1 : 0);
    uint8_t output[32];
    if (i == 0)
      hmac (temporary, &number, 1, NULL, 0, output);
    else
      hmac (temporary, previous, 32, &number, 1, output);
    memcpy (ret_outputs + 32 * i, output, 32);
    sodium_memzero (output, sizeof output);
  }
  sodium_memzero (temporary, sizeof temporary);
}

static void
nonce_bytes (uint64_t nonce, uint8_t ret_bytes[12])
{
  memset (ret_bytes, 0, 4);
  for (unsigned i = 0; i < 8; i++)
    ret_bytes[4 + i] = (uint8_t) (nonce >> (8 * i));
}

static void
mix_hash (SsNoise *noise, const uint8_t *data, size_t len)
{
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init (&state);
  crypto_hash_sha256_update (&state, noise->hash, sizeof noise->hash);
  if (len > 0)
    crypto_hash_sha256_update (&state, data, len);
  crypto_hash_sha256_final (&state, noise->hash);
}

static void
mix_key (SsNoise *noise, const uint8_t input[32])
{
  uint8_t outputs[64];
  hkdf (noise->chaining_key, input, 32, 2, outputs);
  memcpy (noise->chaining_key, outputs, 32);
  memcpy (noise->key, outputs + 32, 32);
  noise->has_key = true;
  noise->nonce = 0;
  sodium_memzero (outputs, sizeof outputs);
}

static void
mix_key_and_hash (SsNoise *noise, const uint8_t psk[32])
{
  uint8_t outputs[96];
  hkdf (noise->chaining_key, psk, 32, 3, outputs);
  memcpy (noise->chaining_key, outputs, 32);
  mix_hash (noise, outputs + 32, 32);
  memcpy (noise->key, outputs + 64, 32);
  noise->has_key = true;
  noise->nonce = 0;
  sodium_memzero (outputs, sizeof outputs);
}

static bool
mix_dh (SsNoise *noise, const uint8_t secret[32], const uint8_t public[32])
{
  uint8_t shared[32];
  bool ok = crypto_scalarmult_curve25519 (shared, secret, public) == 0;
  if (ok)
    mix_key (noise, shared);
  sodium_memzero (shared, sizeof shared);
  return ok;
}

/* Writes len bytes and a tag. */
static void
encrypt_and_hash (SsNoise *noise, const uint8_t *plain, size_t len,
                  uint8_t *ret_sealed)
{
  g_assert (noise->has_key);
  uint8_t nonce[12];
  nonce_bytes (noise->nonce++, nonce);
  crypto_aead_chacha20poly1305_ietf_encrypt (ret_sealed, NULL, plain, len,
                                             noise->hash, sizeof noise->hash,
                                             NULL, nonce, noise->key);
  mix_hash (noise, ret_sealed, len + SS_NOISE_TAG_LEN);
}

/* len counts the tag. */
static bool
decrypt_and_hash (SsNoise *noise, const uint8_t *sealed, size_t len,
                  uint8_t *ret_plain)
{
  g_assert (noise->has_key);
  if (len < SS_NOISE_TAG_LEN)
    return false;
  uint8_t nonce[12];
  nonce_bytes (noise->nonce++, nonce);
  if (crypto_aead_chacha20poly1305_ietf_decrypt (
          ret_plain, NULL, NULL, sealed, len, noise->hash, sizeof noise->hash,
          nonce, noise->key)
      != 0)
    return false;
  mix_hash (noise, sealed, len);
  return true;
}

/* The "e" token of a writer. In a psk handshake the key is mixed in, too. */
static bool
write_ephemeral (SsNoise *noise, const uint8_t ephemeral[32],
                 uint8_t ret_public[32])
{
  memcpy (noise->ephemeral_secret, ephemeral, 32);
  if (crypto_scalarmult_curve25519_base (ret_public, ephemeral) != 0)
    return false;
  mix_hash (noise, ret_public, 32);
  if (noise->pattern == SS_NOISE_IKPSK2)
    mix_key (noise, ret_public);
  return true;
}

static void
read_ephemeral (SsNoise *noise, const uint8_t public[32])
{
  memcpy (noise->remote_ephemeral, public, 32);
  mix_hash (noise, public, 32);
  if (noise->pattern == SS_NOISE_IKPSK2)
    mix_key (noise, public);
}

void
ss_noise_init (SsNoise *noise, const SsNoiseConfig *config)
{
  memset (noise, 0, sizeof *noise);
  noise->pattern = config->pattern;
  memcpy (noise->static_secret, config->static_secret, 32);
  /* Never fails: a clamped scalar times the base point. */
  int status = crypto_scalarmult_curve25519_base (noise->static_public,
                                                  noise->static_secret);
  g_assert (status == 0);
  if (config->pattern == SS_NOISE_IKPSK2)
    memcpy (noise->psk, config->psk, 32);

  /* A name of up to 32 bytes is the first hash; a longer one is hashed. */
  if (config->pattern == SS_NOISE_IK) {
    _Static_assert(sizeof name_ik - 1 <= SS_NOISE_HASH_LEN, "padded");
    memcpy (noise->hash, name_ik, sizeof name_ik - 1);
  } else {
    _Static_assert(sizeof name_ikpsk2 - 1 > SS_NOISE_HASH_LEN, "hashed");
    crypto_hash_sha256 (noise->hash, (const uint8_t *) name_ikpsk2,
                        sizeof name_ikpsk2 - 1);
  }
  memcpy (noise->chaining_key, noise->hash, sizeof noise->hash);
  mix_hash (noise, config->prologue, config->prologue_len);

  /* <- s */
  if (config->remote_static) {
    memcpy (noise->remote_static, config->remote_static, 32);
    mix_hash (noise, noise->remote_static, 32);
  } else {
    mix_hash (noise, noise->static_public, 32);
  }
}

void
ss_noise_clear (SsNoise *noise)
{
  sodium_memzero (noise, sizeof *noise);
}

bool
ss_noise_write_initiation (SsNoise *noise, const uint8_t ephemeral[32],
                           const uint8_t *payload, size_t payload_len,
                           uint8_t *ret_message)
{
  /* e */
  if (!write_ephemeral (noise, ephemeral, ret_message))
    return false;
  /* es */
  if (!mix_dh (noise, noise->ephemeral_secret, noise->remote_static))
    return false;
  /* s */
  encrypt_and_hash (noise, noise->static_public, 32, ret_message + 32);
  /* ss */
  if (!mix_dh (noise, noise->static_secret, noise->remote_static))
    return false;
  encrypt_and_hash (noise, payload, payload_len,
                    ret_message + 64 + SS_NOISE_TAG_LEN);
  return true;
}

bool
ss_noise_read_initiation (SsNoise *noise, const uint8_t *message, size_t len,
                          uint8_t *ret_payload)
{
  if (len < SS_NOISE_INITIATION_OVERHEAD)
    return false;
  /* e */
  read_ephemeral (noise, message);
  /* es */
  if (!mix_dh (noise, noise->static_secret, noise->remote_ephemeral))
    return false;
  /* s */
  if (!decrypt_and_hash (noise, message + 32, 32 + SS_NOISE_TAG_LEN,
                         noise->remote_static))
    return false;
  /* ss */
  if (!mix_dh (noise, noise->static_secret, noise->remote_static))
    return false;
  size_t used = 64 + SS_NOISE_TAG_LEN;
  return decrypt_and_hash (noise, message + used, len - used, ret_payload);
}

bool
ss_noise_write_response (SsNoise *noise, const uint8_t ephemeral[32],
                         const uint8_t *payload, size_t payload_len,
                         uint8_t *ret_message)
{
  /* e */
  if (!write_ephemeral (noise, ephemeral, ret_message))
    return false;
  /* ee */
  if (!mix_dh (noise, noise->ephemeral_secret, noise->remote_ephemeral))
    return false;
  /* se */
  if (!mix_dh (noise, noise->ephemeral_secret, noise->remote_static))
    return false;
  /* psk */
  if (noise->pattern == SS_NOISE_IKPSK2)
    mix_key_and_hash (noise, noise->psk);
  encrypt_and_hash (noise, payload, payload_len, ret_message + 32);
  return true;
}

bool
ss_noise_read_response (SsNoise *noise, const uint8_t *message, size_t len,
                        uint8_t *ret_payload)
{
  if (len < SS_NOISE_RESPONSE_OVERHEAD)
    return false;
  /* e */
  read_ephemeral (noise, message);
  /* ee */
  if (!mix_dh (noise, noise->ephemeral_secret, noise->remote_ephemeral))
    return false;
  /* se */
  if (!mix_dh (noise, noise->static_secret, noise->remote_ephemeral))
    return false;
  /* psk */
  if (noise->pattern == SS_NOISE_IKPSK2)
    mix_key_and_hash (noise, noise->psk);
  return decrypt_and_hash (noise, message + 32, len - 32, ret_payload);
}

void
ss_noise_split (const SsNoise *noise, uint8_t ret_first[32],
                uint8_t ret_second[32])
{
  uint8_t outputs[64];
  hkdf (noise->chaining_key, NULL, 0, 2, outputs);
  memcpy (ret_first, outputs, 32);
  memcpy (ret_second, outputs + 32, 32);
  sodium_memzero (outputs, sizeof outputs);
}

void
ss_noise_seal (const uint8_t key[32], uint64_t nonce, uint8_t *data, size_t len)
{
  uint8_t bytes[12];
  nonce_bytes (nonce, bytes);
  crypto_aead_chacha20poly1305_ietf_encrypt_detached (
      data, data + len, NULL, data, len, NULL, 0, NULL, bytes, key);
}

bool
ss_noise_open (const uint8_t key[32], uint64_t nonce, uint8_t *data, size_t len)
{
  if (len < SS_NOISE_TAG_LEN)
    return false;
  uint8_t bytes[12];
  nonce_bytes (nonce, bytes);
  size_t plain_len = len - SS_NOISE_TAG_LEN;
  return crypto_aead_chacha20poly1305_ietf_decrypt_detached (
             data, NULL, data, plain_len, data + plain_len, NULL, 0, bytes, key)
         == 0;
}
