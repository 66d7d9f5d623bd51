/* Stores on a flat ring, with what their upcalls said. */
#pragma once

#include "store/record.h"
#include "tests/harness/flat_ring.h"

typedef struct {
  FlatNode *node;
  SsStore *store;
  /* The last `found`. */
  unsigned n_founds;
  uint64_t token;
  SsTime found_at;
  unsigned n_records;
  SsStoreRecord records[SS_STORE_KEYS_PER_NAME];
  bool complete;
  /* The `stored`s. */
  unsigned n_storeds;
  unsigned n_replicas; /* of the last */
  bool has_newer;
  SsStoreRecord newer;
  bool in_call; /* set by tests: no upcall may come */
} StoreNode;

FlatRing *store_ring_new (uint64_t seed, const FlatRingOptions *options,
                          unsigned n_nodes);
void store_ring_free (FlatRing *ring);
StoreNode *store_ring_add (FlatRing *ring); /* and joins it */
StoreNode *store_ring_node (FlatRing *ring, unsigned index);
/* Calls, checked to make no upcalls. */
void store_node_put (StoreNode *node, const SsStoreRecord *record);
void store_node_get (StoreNode *node, const SsId *slot, uint64_t token);
SsStoreRecord store_record_make (unsigned station, const char *name,
                                 uint64_t version, const char *value);
unsigned store_ring_copies (FlatRing *ring, const SsId *slot, const SsKey *key);
SsId store_own_slot_of (const SsStoreRecord *record);
