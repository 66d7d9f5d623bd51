/* The sealer that is shipped: Noise_IKpsk2 for handshakes, ChaCha20-Poly1305
 * with a counter for datagrams (RFC 8439), Ed25519 keys converted to X25519
 * as RFC 7748's birational map has it. Limits after WireGuard's whitepaper,
 * section 6.1. */
#include "overlay/link/sealer.h"

#include <glib.h>
#include <sodium.h>
#include <string.h>

#include "overlay/link/link.h"
#include "overlay/link/noise.h"
#include "overlay/link/replay.h"

#define REKEY_AFTER       (120 * SS_SEC)
#define REJECT_AFTER      (180 * SS_SEC)
#define REKEY_AFTER_SENT  (UINT64_C (1) << 48)
#define REJECT_AFTER_SENT (UINT64_MAX - (UINT64_C (1) << 13))

static const char work_context[] = "work";
static const char secret_context[] = "proof";
static const char prologue_context[] = "splitstream link";

_Static_assert(SS_SEALER_INITIATION_OVERHEAD == SS_NOISE_INITIATION_OVERHEAD,
               "the plain sealer's messages have the same size");
_Static_assert(SS_SEALER_RESPONSE_OVERHEAD == SS_NOISE_RESPONSE_OVERHEAD,
               "the plain sealer's messages have the same size");
_Static_assert(SS_SEALER_TAG_LEN == SS_NOISE_TAG_LEN,
               "the plain sealer's datagrams have the same size");

struct SsSealer {
  uint8_t secret[32]; /* X25519 */
  uint8_t psk[32];
  uint8_t prologue[sizeof prologue_context]; /* the version comes last */
};

struct SsSealerHandshake {
  SsNoise noise;
};

typedef struct {
  uint8_t send_key[32];
  uint8_t receive_key[32];
  uint64_t sent;
  SsTime born;
  uint64_t timestamp;
  bool initiator;
  SsReplay replay;
} Session;

static bool
static_of_key (const SsKey *key, uint8_t ret_public[32])
{
  return crypto_sign_ed25519_pk_to_curve25519 (ret_public, key->b) == 0;
}

void
ss_sealer_key_of_seed (const uint8_t seed[32], SsKey *ret_key)
{
  uint8_t secret[crypto_sign_SECRETKEYBYTES];
  crypto_sign_seed_keypair (ret_key->b, secret, seed);
  sodium_memzero (secret, sizeof secret);
}

bool
ss_sealer_key_has_work (const SsKey *key)
{
  uint8_t hash[crypto_generichash_BYTES];
  crypto_generichash_state state;
  crypto_generichash_init (&state, NULL, 0, sizeof hash);
  crypto_generichash_update (&state, key->b, sizeof key->b);
  crypto_generichash_update (&state, (const uint8_t *) work_context,
                             sizeof work_context - 1);
  crypto_generichash_final (&state, hash, sizeof hash);
  for (unsigned bit = 0; bit < SS_WORK_BITS; bit++)
    if (hash[bit / 8] & (0x80 >> (bit % 8)))
      return false;
  return true;
}

SsSealer *
ss_sealer_new (const uint8_t seed[32], const uint8_t realm_key[32],
               uint8_t version)
{
  SsSealer *sealer = g_new0 (SsSealer, 1);
  uint8_t public[32], secret[crypto_sign_SECRETKEYBYTES];
  crypto_sign_seed_keypair (public, secret, seed);
  crypto_sign_ed25519_sk_to_curve25519 (sealer->secret, secret);
  sodium_memzero (secret, sizeof secret);
  memcpy (sealer->psk, realm_key, 32);
  memcpy (sealer->prologue, prologue_context, sizeof prologue_context - 1);
  sealer->prologue[sizeof sealer->prologue - 1] = version;
  return sealer;
}

void
ss_sealer_free (SsSealer *sealer)
{
  sodium_memzero (sealer, sizeof *sealer);
  g_free (sealer);
}

void
ss_sealer_secret (const SsSealer *sealer, const SsKey *remote,
                  uint8_t ret_secret[32])
{
  uint8_t remote_static[32], shared[32];
  if (!static_of_key (remote, remote_static)
      || crypto_scalarmult_curve25519 (shared, sealer->secret, remote_static)
             != 0)
    memcpy (shared, sealer->secret, sizeof shared);
  crypto_generichash (ret_secret, 32, (const uint8_t *) secret_context,
                      sizeof secret_context - 1, shared, sizeof shared);
  sodium_memzero (shared, sizeof shared);
}

static SsSealerHandshake *
handshake_new (const SsSealer *sealer, const uint8_t *remote_static)
{
  SsSealerHandshake *handshake = g_new (SsSealerHandshake, 1);
  ss_noise_init (&handshake->noise, &(SsNoiseConfig){
                                        .pattern = SS_NOISE_IKPSK2,
                                        .prologue = sealer->prologue,
                                        .prologue_len = sizeof sealer->prologue,
                                        .static_secret = sealer->secret,
                                        .remote_static = remote_static,
                                        .psk = sealer->psk,
                                    });
  return handshake;
}

void
ss_sealer_handshake_free (SsSealerHandshake *handshake)
{
  if (!handshake)
    return;
  ss_noise_clear (&handshake->noise);
  g_free (handshake);
}

SsSealerHandshake *
ss_sealer_initiate (SsSealer *sealer, const SsKey *remote, SsRng *rng,
                    const uint8_t *payload, size_t len, uint8_t *ret_message)
{
  uint8_t remote_static[32], ephemeral[32];
  if (!static_of_key (remote, remote_static))
    return NULL;
  SsSealerHandshake *handshake = handshake_new (sealer, remote_static);
  ss_rng_bytes (rng, ephemeral, sizeof ephemeral);
  bool ok = ss_noise_write_initiation (&handshake->noise, ephemeral, payload,
                                       len, ret_message);
  sodium_memzero (ephemeral, sizeof ephemeral);
  if (!ok) {
    ss_sealer_handshake_free (handshake);
    return NULL;
  }
  return handshake;
}

SsSealerHandshake *
ss_sealer_accept (SsSealer *sealer, const uint8_t *message, size_t len,
                  uint8_t *ret_payload)
{
  SsSealerHandshake *handshake = handshake_new (sealer, NULL);
  if (!ss_noise_read_initiation (&handshake->noise, message, len,
                                 ret_payload)) {
    ss_sealer_handshake_free (handshake);
    return NULL;
  }
  return handshake;
}

bool
ss_sealer_handshake_is_by (const SsSealerHandshake *handshake, const SsKey *key)
{
  uint8_t public[32];
  return static_of_key (key, public)
         && sodium_memcmp (public, handshake->noise.remote_static, 32) == 0;
}

static void
session_start (const SsNoise *noise, bool initiator, SsTime now,
               uint64_t timestamp, SsSeal *ret_seal)
{
  Session *session = g_new0 (Session, 1);
  if (initiator)
    ss_noise_split (noise, session->send_key, session->receive_key);
  else
    ss_noise_split (noise, session->receive_key, session->send_key);
  session->initiator = initiator;
  session->born = now;
  session->timestamp = timestamp;
  ret_seal->state = session;
}

bool
ss_sealer_respond (SsSealerHandshake *handshake, SsRng *rng, SsTime now,
                   uint64_t timestamp, const uint8_t *payload, size_t len,
                   uint8_t *ret_message, SsSeal *ret_seal)
{
  uint8_t ephemeral[32];
  ss_rng_bytes (rng, ephemeral, sizeof ephemeral);
  bool ok = ss_noise_write_response (&handshake->noise, ephemeral, payload, len,
                                     ret_message);
  sodium_memzero (ephemeral, sizeof ephemeral);
  if (ok)
    session_start (&handshake->noise, false, now, timestamp, ret_seal);
  return ok;
}

bool
ss_sealer_finish (SsSealerHandshake *handshake, SsTime now,
                  const uint8_t *message, size_t len, uint8_t *ret_payload,
                  SsSeal *ret_seal)
{
  SsNoise noise = handshake->noise;
  bool ok = ss_noise_read_response (&noise, message, len, ret_payload);
  if (ok)
    session_start (&noise, true, now, 0, ret_seal);
  ss_noise_clear (&noise);
  return ok;
}

bool
ss_seal_is_set (const SsSeal *seal)
{
  return seal->state != NULL;
}

void
ss_seal_clear (SsSeal *seal)
{
  if (seal->state) {
    sodium_memzero (seal->state, sizeof (Session));
    g_free (seal->state);
  }
  *seal = (SsSeal){ 0 };
}

uint64_t
ss_seal_write (SsSeal *seal, uint8_t *data, size_t len)
{
  Session *session = seal->state;
  uint64_t counter = session->sent++;
  ss_noise_seal (session->send_key, counter, data, len);
  return counter;
}

SsSealVerdict
ss_seal_read (SsSeal *seal, uint64_t counter, uint8_t *data,
              size_t len_with_tag)
{
  Session *session = seal->state;
  if (!ss_replay_is_new (&session->replay, counter))
    return SS_SEAL_REPLAYED;
  if (!ss_noise_open (session->receive_key, counter, data, len_with_tag))
    return SS_SEAL_WRONG;
  ss_replay_accept (&session->replay, counter);
  return SS_SEAL_OK;
}

bool
ss_seal_is_used (const SsSeal *seal)
{
  return ((const Session *) seal->state)->sent > 0;
}

SsTime
ss_seal_born (const SsSeal *seal)
{
  return ((const Session *) seal->state)->born;
}

bool
ss_seal_is_initiator (const SsSeal *seal)
{
  return ((const Session *) seal->state)->initiator;
}

uint64_t
ss_seal_timestamp (const SsSeal *seal)
{
  return ((const Session *) seal->state)->timestamp;
}

bool
ss_seal_is_worn (const SsSeal *seal, SsTime now)
{
  const Session *session = seal->state;
  return now - session->born >= REKEY_AFTER
         || session->sent >= REKEY_AFTER_SENT;
}

bool
ss_seal_is_spent (const SsSeal *seal, SsTime now)
{
  const Session *session = seal->state;
  return now - session->born >= REJECT_AFTER
         || session->sent >= REJECT_AFTER_SENT;
}
