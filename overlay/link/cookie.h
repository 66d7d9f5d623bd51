/* Cookies: what keeps strangers from costing a node Diffie-Hellman operations
 * (WireGuard's whitepaper, section 5.4.7, with BLAKE2b for BLAKE2s). */
#pragma once

#include "base/addr.h"
#include "base/time.h"
#include "overlay/link/mac.h"
#include "overlay/link/sealer.h"

#define SS_COOKIE_LEN        16
#define SS_COOKIE_NONCE_LEN  24
#define SS_COOKIE_SEALED_LEN (SS_COOKIE_LEN + 16)
/* A cookie is good for this long on the initiator's side; the responder's
 * secret is replaced as often, and the one before still counts. */
#define SS_COOKIE_LIFETIME (120 * SS_SEC)

/* The responder's secrets. */
typedef struct {
  uint8_t secret[2][32]; /* the present one, the one before */
  SsTime born;
  bool has_previous, is_set;
} SsCookies;

/* The cookie of an address. `which` 0: of the present secret, 1: of the one
 * before (false if there is none). */
bool ss_cookie_make (SsCookies *cookies, SsRng *rng, SsTime now,
                     const SsAddr *addr, unsigned which,
                     uint8_t ret_cookie[SS_COOKIE_LEN]);

/* A cookie's way back: sealed with the responder's key, bound to the first
 * MAC of the message that it answers. */
void ss_cookie_seal (const uint8_t realm_key[32], const SsKey *responder,
                     const uint8_t nonce[SS_COOKIE_NONCE_LEN],
                     const uint8_t mac1[SS_MAC_LEN],
                     const uint8_t cookie[SS_COOKIE_LEN],
                     uint8_t ret_sealed[SS_COOKIE_SEALED_LEN]);
bool ss_cookie_open (const uint8_t realm_key[32], const SsKey *responder,
                     const uint8_t nonce[SS_COOKIE_NONCE_LEN],
                     const uint8_t mac1[SS_MAC_LEN],
                     const uint8_t sealed[SS_COOKIE_SEALED_LEN],
                     uint8_t ret_cookie[SS_COOKIE_LEN]);
