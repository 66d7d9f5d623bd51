/* The runtime directory of live local nodes, through which the nodes of one
 * user on one machine find each other: $XDG_RUNTIME_DIR/splitstream, or else
 * /tmp/splitstream-UID. It must be a real directory of this user's that
 * nobody else can enter. One file a node, locked while the node lives, so
 * that the entries of the dead are known and removed. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/contact.h"

#define SS_LOCAL_NODES_MAX 256 /* read at once */

typedef struct {
  SsKey key;
  SsId realm; /* a hash of the realm key: others cannot be spoken to */
  bool is_relay;
  unsigned n_addrs;
  SsAddr addrs[SS_PEER_ADDRS_MAX]; /* the best first */
} SsLocalNode;

typedef struct SsLocalDir SsLocalDir;

/* Makes the directory if need be. */
SsLocalDir *ss_local_dir_open (GError **error);
/* Removes the own entry. */
void ss_local_dir_free (SsLocalDir *dir);
const char *ss_local_dir_path (const SsLocalDir *dir);

/* Makes or replaces the own entry. */
bool ss_local_dir_publish (SsLocalDir *dir, const SsLocalNode *node,
                           GError **error);
/* The live nodes of this realm but the own: relays first, then by key.
 * Removes dead entries. At most max. */
unsigned ss_local_dir_list (SsLocalDir *dir, const SsId *realm,
                            SsLocalNode *ret_nodes, unsigned max);
