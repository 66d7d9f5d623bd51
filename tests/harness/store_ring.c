/* Stores on a flat ring. */
#include "tests/harness/store_ring.h"

#include <string.h>

#include "store/internal.h"

static void
found (void *user, uint64_t token, const SsStoreRecord *records, unsigned n,
       bool complete)
{
  StoreNode *node = user;

  g_assert_false (node->in_call);
  g_assert_cmpuint (n, <=, SS_STORE_KEYS_PER_NAME);
  node->n_founds++;
  node->token = token;
  node->found_at = node->node->env.now;
  node->n_records = n;
  node->complete = complete;
  for (unsigned i = 0; i < n; i++)
    node->records[i] = records[i];
}

static void
stored (void *user, const SsId *slot, unsigned n_replicas,
        const SsStoreRecord *newer)
{
  StoreNode *node = user;

  g_assert_false (node->in_call);
  node->n_storeds++;
  node->n_replicas = n_replicas;
  if (newer != NULL) {
    node->has_newer = true;
    node->newer = *newer;
  }
}

static void
timer_due (FlatNode *flat, SsTimer *timer)
{
  StoreNode *node = flat->user;

  g_assert_cmpint (timer->layer, ==, SS_LAYER_STORE);
  ss_store_timer (node->store, timer);
}

StoreNode *
store_ring_add (FlatRing *ring)
{
  static const SsStoreUpcalls upcalls = { found, stored };
  StoreNode *node = g_new0 (StoreNode, 1);

  node->node = flat_ring_add (ring);
  node->node->user = node;
  node->store =
      ss_store_new (&node->node->env, &node->node->kbr, &upcalls, node);
  flat_ring_join (node->node);
  return node;
}

FlatRing *
store_ring_new (uint64_t seed, const FlatRingOptions *options, unsigned n_nodes)
{
  FlatRing *ring = flat_ring_new (seed, options);

  ring->timer = timer_due;
  for (unsigned i = 0; i < n_nodes; i++)
    store_ring_add (ring);
  return ring;
}

void
store_ring_free (FlatRing *ring)
{
  for (unsigned i = 0; i < ring->n_nodes; i++) {
    StoreNode *node = ring->nodes[i]->user;

    ss_store_free (node->store);
    g_free (node);
  }
  flat_ring_free (ring);
}

StoreNode *
store_ring_node (FlatRing *ring, unsigned index)
{
  g_assert (index < ring->n_nodes);
  return ring->nodes[index]->user;
}

void
store_node_put (StoreNode *node, const SsStoreRecord *record)
{
  node->in_call = true;
  ss_store_put (node->store, record);
  node->in_call = false;
}

void
store_node_get (StoreNode *node, const SsId *slot, uint64_t token)
{
  node->in_call = true;
  ss_store_get (node->store, slot, token);
  node->in_call = false;
}

SsStoreRecord
store_record_make (unsigned station, const char *name, uint64_t version,
                   const char *value)
{
  uint8_t seed[SS_SEED_LEN] = { (uint8_t) station, (uint8_t) (station >> 8) };
  SsSigner signer;
  SsStoreRecord record = { .version = version, .tombstone = value == NULL };

  g_strlcpy (record.name, name, sizeof record.name);
  if (value != NULL) {
    record.value_len = (uint16_t) strlen (value);
    memcpy (record.value, value, record.value_len);
  }
  ss_signer_init (&signer, seed);
  ss_store_record_sign (&record, &signer);
  ss_signer_clear (&signer);
  return record;
}

unsigned
store_ring_copies (FlatRing *ring, const SsId *slot, const SsKey *key)
{
  unsigned n = 0;

  for (unsigned i = 0; i < ring->n_nodes; i++) {
    StoreNode *node = store_ring_node (ring, i);

    if (node->node->is_alive
        && ss_shelf_find (&node->store->shelf, slot, key) != NULL)
      n++;
  }
  return n;
}

SsId
store_own_slot_of (const SsStoreRecord *record)
{
  return ss_record_slot (record, SS_SLOT_OWN);
}
