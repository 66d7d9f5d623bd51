/* Peers of former times, kept in a file: the way back into the ring when
 * nobody of those answers who were named. One file a realm, a line a peer:
 * address and key. */
#pragma once

#include "base/contact.h"
#include "net/dirs.h"

#define SS_PEER_CACHE_MAX 16

/* Replaces what was kept. */
bool ss_peer_cache_save (const SsDirs *dirs, const SsId *realm,
                         const SsContact *peers, unsigned n, GError **error);
/* How many; damaged lines are left out. */
unsigned ss_peer_cache_load (const SsDirs *dirs, const SsId *realm,
                             SsContact ret_peers[SS_PEER_CACHE_MAX]);
