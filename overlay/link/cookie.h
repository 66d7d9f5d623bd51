/* The two MACs of a handshake message, and cookies: what keeps strangers from
 * costing a node Diffie-Hellman operations (WireGuard's whitepaper, sections
 * 5.3 and 5.4.7, with BLAKE2b for BLAKE2s, and with the realm key in mac1, so
 * that a node is silent towards those without it). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/id.h"
#include "base/rng.h"
#include "base/time.h"

#define SS_MAC_LEN           16
#define SS_COOKIE_LEN        16
#define SS_COOKIE_NONCE_LEN  24
#define SS_COOKIE_SEALED_LEN (SS_COOKIE_LEN + 16)
/* A cookie is good for this long on the initiator's side; the responder's
 * secret is replaced as often, and the one before still counts. */
#define SS_COOKIE_LIFETIME (120 * SS_SEC)

typedef enum { SS_MAC_FIRST, SS_MAC_ASK } SsMacPurpose;

/* Derives the key of the first MAC of messages to the owner of `to`, or of
 * questions (then `to` is NULL). */
void ss_mac_key (SsMacPurpose purpose, const uint8_t realm_key[32],
                 const SsKey *to, uint8_t ret_key[32]);
void ss_mac (const uint8_t *key, size_t key_len, const uint8_t *data,
             size_t len, uint8_t ret_mac[SS_MAC_LEN]);
bool ss_mac_equal (const uint8_t *a, const uint8_t *b);

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
