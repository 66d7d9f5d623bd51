/* Cookies. */
#include "overlay/link/cookie.h"

#include <sodium.h>
#include <string.h>

#define LABEL_LEN 8
static const char label[LABEL_LEN + 1] = "cookie--";

static void
derive (const uint8_t realm_key[32], const SsKey *key, uint8_t ret_key[32])
{
  crypto_generichash_state state;
  crypto_generichash_init (&state, realm_key, 32, 32);
  crypto_generichash_update (&state, (const uint8_t *) label, LABEL_LEN);
  crypto_generichash_update (&state, key->b, sizeof key->b);
  crypto_generichash_final (&state, ret_key, 32);
}

bool
ss_cookie_make (SsCookies *cookies, SsRng *rng, SsTime now, const SsAddr *addr,
                unsigned which, uint8_t ret_cookie[SS_COOKIE_LEN])
{
  if (!cookies->is_set || now - cookies->born >= SS_COOKIE_LIFETIME) {
    /* One that has not been used for long is no longer the one before. */
    cookies->has_previous =
        cookies->is_set && now - cookies->born < 2 * SS_COOKIE_LIFETIME;
    memcpy (cookies->secret[1], cookies->secret[0], 32);
    ss_rng_bytes (rng, cookies->secret[0], 32);
    cookies->born = now;
    cookies->is_set = true;
  }
  if (which > 0 && !cookies->has_previous)
    return false;
  uint8_t source[sizeof addr->ip + 2];
  memcpy (source, addr->ip, sizeof addr->ip);
  source[sizeof addr->ip] = (uint8_t) (addr->port >> 8);
  source[sizeof addr->ip + 1] = (uint8_t) addr->port;
  crypto_generichash (ret_cookie, SS_COOKIE_LEN, source, sizeof source,
                      cookies->secret[which], 32);
  return true;
}

void
ss_cookie_seal (const uint8_t realm_key[32], const SsKey *responder,
                const uint8_t nonce[SS_COOKIE_NONCE_LEN],
                const uint8_t mac1[SS_MAC_LEN],
                const uint8_t cookie[SS_COOKIE_LEN],
                uint8_t ret_sealed[SS_COOKIE_SEALED_LEN])
{
  uint8_t key[32];
  derive (realm_key, responder, key);
  crypto_aead_xchacha20poly1305_ietf_encrypt (ret_sealed, NULL, cookie,
                                              SS_COOKIE_LEN, mac1, SS_MAC_LEN,
                                              NULL, nonce, key);
}

bool
ss_cookie_open (const uint8_t realm_key[32], const SsKey *responder,
                const uint8_t nonce[SS_COOKIE_NONCE_LEN],
                const uint8_t mac1[SS_MAC_LEN],
                const uint8_t sealed[SS_COOKIE_SEALED_LEN],
                uint8_t ret_cookie[SS_COOKIE_LEN])
{
  uint8_t key[32];
  derive (realm_key, responder, key);
  return crypto_aead_xchacha20poly1305_ietf_decrypt (
             ret_cookie, NULL, NULL, sealed, SS_COOKIE_SEALED_LEN, mac1,
             SS_MAC_LEN, nonce, key)
         == 0;
}
