/* Who this node is: an Ed25519 seed whose key has the work that an id costs
 * (DESIGN section 5). Ephemeral, or kept in a 0600 file beside which stands
 * FILE.last, locked while in use, with the wall time of the newest handshake:
 * peers refuse an older one as replayed. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "node/node.h"

typedef struct {
  uint8_t seed[32];
  SsKey key;
  uint64_t last_handshake_ns;
  char *path;  /* NULL: ephemeral */
  int lock_fd; /* -1: ephemeral */
} SsIdentity;

void ss_identity_init_ephemeral (SsIdentity *identity, SsRng *rng);
/* Loads, or makes, the identity kept at path. */
bool ss_identity_init_file (SsIdentity *identity, const char *path, SsRng *rng,
                            GError **error);
/* Remembers the newest handshake, if the identity is kept. */
bool ss_identity_save (SsIdentity *identity, uint64_t last_handshake_ns,
                       GError **error);
void ss_identity_clear (SsIdentity *identity); /* wipes, unlocks */
