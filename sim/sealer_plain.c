/* The simulator's sealer: the sizes of the real one on the wire and none of
 * its cost, so that 100,000 nodes fit in one process. A key is its seed, ids
 * cost no work, a tag is zeros. Sessions wear out as the real ones do, so
 * that their handshakes are counted; there is no replay window, for a
 * simulated network does not replay. */
#include "overlay/link/mac.h"
#include "overlay/link/sealer.h"

#include <glib.h>
#include <string.h>

/* SsSeal.plain.born: bit 31 is set if this node initiated, the others count
 * units since the origin of time, plus one, so that zero is no session. */
#define INITIATOR    (UINT32_C (1) << 31)
#define REKEY_AFTER  (120 * SS_SEC)
#define REJECT_AFTER (180 * SS_SEC)
#define TIME_UNIT    (SS_MSEC)
#define TAG_BYTE     0
#define SEEN_MAX     16

/* FNV-1a's, by words. */
#define MAC_BASIS  UINT64_C (0xcbf29ce484222325)
#define MAC_FACTOR UINT64_C (0x100000001b3)
#define MAC_WORD   sizeof (uint64_t)

struct SsSealer {
  SsKey key;
  uint8_t realm[8]; /* enough to tell two realms apart */
  uint8_t version;
  /* Of the latest initiations taken, which are not taken again: the real one
   * goes by their timestamps. */
  uint8_t n_seen;
  uint32_t seen[SEEN_MAX];
};

/* Which initiation a response answers: an older one's is refused, as the
 * real one's would be, whose keys are forgotten. */
#define NONCE_AT  80
#define NONCE_LEN 8

struct SsSealerHandshake {
  SsKey remote; /* who initiated, on the responder's side */
  uint8_t nonce[NONCE_LEN];
};

void
ss_sealer_key_of_seed (const uint8_t seed[32], SsKey *ret_key)
{
  memcpy (ret_key->b, seed, sizeof ret_key->b);
}

bool
ss_sealer_key_has_work (const SsKey *key)
{
  return true;
}

SsSealer *
ss_sealer_new (const uint8_t seed[32], const uint8_t realm_key[32],
               uint8_t version)
{
  SsSealer *sealer = g_new0 (SsSealer, 1);
  ss_sealer_key_of_seed (seed, &sealer->key);
  memcpy (sealer->realm, realm_key, sizeof sealer->realm);
  sealer->version = version;
  return sealer;
}

void
ss_sealer_free (SsSealer *sealer)
{
  g_free (sealer);
}

void
ss_sealer_secret (const SsSealer *sealer, const SsKey *remote,
                  uint8_t ret_secret[32])
{
  for (unsigned i = 0; i < sizeof remote->b; i++)
    ret_secret[i] = sealer->key.b[i] ^ remote->b[i];
}

void
ss_sealer_handshake_free (SsSealerHandshake *handshake)
{
  g_free (handshake);
}

/* An initiation: its sender, whom it is for, the first bytes of the realm
 * key, the version, a nonce, zeros, the payload. */
SsSealerHandshake *
ss_sealer_initiate (SsSealer *sealer, const SsKey *remote, SsRng *rng,
                    const uint8_t *payload, size_t len, uint8_t *ret_message)
{
  memset (ret_message, 0, SS_SEALER_INITIATION_OVERHEAD);
  memcpy (ret_message, sealer->key.b, 32);
  memcpy (ret_message + 32, remote->b, 32);
  memcpy (ret_message + 64, sealer->realm, sizeof sealer->realm);
  ret_message[64 + sizeof sealer->realm] = sealer->version;
  memcpy (ret_message + SS_SEALER_INITIATION_OVERHEAD, payload, len);
  SsSealerHandshake *handshake = g_new0 (SsSealerHandshake, 1);
  ss_rng_bytes (rng, handshake->nonce, NONCE_LEN);
  memcpy (ret_message + NONCE_AT, handshake->nonce, NONCE_LEN);
  return handshake;
}

static bool
was_seen (SsSealer *sealer, const uint8_t *nonce)
{
  uint32_t number;

  memcpy (&number, nonce, sizeof number);
  for (unsigned i = 0; i < SEEN_MAX; i++)
    if (sealer->seen[i] == number)
      return true;
  sealer->seen[sealer->n_seen++ % SEEN_MAX] = number;
  return false;
}

SsSealerHandshake *
ss_sealer_accept (SsSealer *sealer, const uint8_t *message, size_t len,
                  uint8_t *ret_payload)
{
  if (len < SS_SEALER_INITIATION_OVERHEAD
      || memcmp (message + 32, sealer->key.b, 32) != 0
      || memcmp (message + 64, sealer->realm, sizeof sealer->realm) != 0
      || message[64 + sizeof sealer->realm] != sealer->version
      || was_seen (sealer, message + NONCE_AT))
    return NULL;
  SsSealerHandshake *handshake = g_new0 (SsSealerHandshake, 1);
  memcpy (handshake->remote.b, message, 32);
  memcpy (handshake->nonce, message + NONCE_AT, NONCE_LEN);
  memcpy (ret_payload, message + SS_SEALER_INITIATION_OVERHEAD,
          len - SS_SEALER_INITIATION_OVERHEAD);
  return handshake;
}

bool
ss_sealer_handshake_is_by (const SsSealerHandshake *handshake, const SsKey *key)
{
  return ss_key_equal (&handshake->remote, key);
}

static void
session_start (SsTime now, bool initiator, SsSeal *ret_seal)
{
  ret_seal->plain.sent = 0;
  ret_seal->plain.born = (uint32_t) (now / TIME_UNIT + 1) & ~INITIATOR;
  if (initiator)
    ret_seal->plain.born |= INITIATOR;
}

bool
ss_sealer_respond (SsSealerHandshake *handshake, SsRng *rng, SsTime now,
                   uint64_t timestamp, const uint8_t *payload, size_t len,
                   uint8_t *ret_message, SsSeal *ret_seal)
{
  memset (ret_message, 0, SS_SEALER_RESPONSE_OVERHEAD);
  memcpy (ret_message, handshake->nonce, NONCE_LEN);
  memcpy (ret_message + SS_SEALER_RESPONSE_OVERHEAD, payload, len);
  session_start (now, false, ret_seal);
  return true;
}

bool
ss_sealer_finish (SsSealerHandshake *handshake, SsTime now,
                  const uint8_t *message, size_t len, uint8_t *ret_payload,
                  SsSeal *ret_seal)
{
  if (len < SS_SEALER_RESPONSE_OVERHEAD
      || memcmp (message, handshake->nonce, NONCE_LEN) != 0)
    return false;
  memcpy (ret_payload, message + SS_SEALER_RESPONSE_OVERHEAD,
          len - SS_SEALER_RESPONSE_OVERHEAD);
  session_start (now, true, ret_seal);
  return true;
}

bool
ss_seal_is_set (const SsSeal *seal)
{
  return seal->plain.born != 0;
}

void
ss_seal_clear (SsSeal *seal)
{
  *seal = (SsSeal){ 0 };
}

uint64_t
ss_seal_write (SsSeal *seal, uint8_t *data, size_t len)
{
  memset (data + len, TAG_BYTE, SS_SEALER_TAG_LEN);
  return seal->plain.sent++;
}

SsSealVerdict
ss_seal_read (SsSeal *seal, uint64_t counter, uint8_t *data,
              size_t len_with_tag)
{
  return len_with_tag < SS_SEALER_TAG_LEN ? SS_SEAL_WRONG : SS_SEAL_OK;
}

bool
ss_seal_is_used (const SsSeal *seal)
{
  return seal->plain.sent > 0;
}

SsTime
ss_seal_born (const SsSeal *seal)
{
  return (SsTime) ((seal->plain.born & ~INITIATOR) - 1) * TIME_UNIT;
}

bool
ss_seal_is_initiator (const SsSeal *seal)
{
  return (seal->plain.born & INITIATOR) != 0;
}

uint64_t
ss_seal_timestamp (const SsSeal *seal)
{
  return 0;
}

bool
ss_seal_is_worn (const SsSeal *seal, SsTime now)
{
  return now - ss_seal_born (seal) >= REKEY_AFTER;
}

bool
ss_seal_is_spent (const SsSeal *seal, SsTime now)
{
  return now - ss_seal_born (seal) >= REJECT_AFTER;
}

/* A hash of two words: who wants to can forge it, but what is damaged, meant
 * for another or of another realm is noticed. */
static void
hash (uint64_t lanes[2], const uint8_t *data, size_t len)
{
  for (size_t at = 0; at < len; at += MAC_WORD) {
    uint64_t word = len - at;

    memcpy (&word, data + at, MIN (MAC_WORD, len - at));
    word = GUINT64_FROM_LE (word);
    lanes[0] = (lanes[0] ^ word) * MAC_FACTOR;
    lanes[0] ^= lanes[0] >> 32;
    lanes[1] += lanes[0] ^ word << 1;
  }
}

static void
put_lanes (const uint64_t lanes[2], uint8_t *ret_bytes)
{
  const uint64_t words[] = { GUINT64_TO_LE (lanes[0]),
                             GUINT64_TO_LE (lanes[1]) };

  memcpy (ret_bytes, words, sizeof words);
}

void
ss_mac_key (SsMacPurpose purpose, const uint8_t realm_key[32], const SsKey *to,
            uint8_t ret_key[32])
{
  uint64_t lanes[] = { MAC_BASIS, purpose };

  hash (lanes, realm_key, 32);
  if (to != NULL)
    hash (lanes, to->b, sizeof to->b);
  put_lanes (lanes, ret_key);
  memset (ret_key + sizeof lanes, 0, 32 - sizeof lanes);
}

void
ss_mac (const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
        uint8_t ret_mac[SS_MAC_LEN])
{
  uint64_t lanes[] = { MAC_BASIS, len };

  hash (lanes, key, MIN (key_len, sizeof lanes));
  hash (lanes, data, len);
  put_lanes (lanes, ret_mac);
}

bool
ss_mac_equal (const uint8_t *a, const uint8_t *b)
{
  return memcmp (a, b, SS_MAC_LEN) == 0;
}
