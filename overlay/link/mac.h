/* The MACs of handshake messages and questions (WireGuard's whitepaper,
 * section 5.3, with BLAKE2b for BLAKE2s, and with the realm key in them, so
 * that a node is silent towards those without it). Part of what the sealers
 * implement (sealer.h): the simulator's are only as long. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

#define SS_MAC_LEN 16

typedef enum { SS_MAC_FIRST, SS_MAC_ASK } SsMacPurpose;

/* Derives the key of the first MAC of messages to the owner of `to`, or of
 * questions (then `to` is NULL). */
void ss_mac_key (SsMacPurpose purpose, const uint8_t realm_key[32],
                 const SsKey *to, uint8_t ret_key[32]);
void ss_mac (const uint8_t *key, size_t key_len, const uint8_t *data,
             size_t len, uint8_t ret_mac[SS_MAC_LEN]);
bool ss_mac_equal (const uint8_t *a, const uint8_t *b);
