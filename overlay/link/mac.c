/* MACs with BLAKE2b. */
#include "overlay/link/mac.h"

#include <sodium.h>

#define LABEL_LEN 8
static const char label_mac1[LABEL_LEN + 1] = "mac1----";
static const char label_ask[LABEL_LEN + 1] = "ask-----";

void
ss_mac_key (SsMacPurpose purpose, const uint8_t realm_key[32], const SsKey *to,
            uint8_t ret_key[32])
{
  const char *label = purpose == SS_MAC_FIRST ? label_mac1 : label_ask;
  crypto_generichash_state state;
  crypto_generichash_init (&state, realm_key, 32, 32);
  crypto_generichash_update (&state, (const uint8_t *) label, LABEL_LEN);
  if (to)
    crypto_generichash_update (&state, to->b, sizeof to->b);
  crypto_generichash_final (&state, ret_key, 32);
}

void
ss_mac (const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
        uint8_t ret_mac[SS_MAC_LEN])
{
  crypto_generichash (ret_mac, SS_MAC_LEN, data, len, key, key_len);
}

bool
ss_mac_equal (const uint8_t *a, const uint8_t *b)
{
  return sodium_memcmp (a, b, SS_MAC_LEN) == 0;
}
