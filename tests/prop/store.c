/* The store under churn: whatever is put and kept alive is found, in its
 * newest version, by anybody, while nodes die and join and messages are
 * lost. */
#include <string.h>

#include "store/internal.h"
#include "tests/harness/store_ring.h"

#define SEEDS    40
#define ROUNDS   60
#define STATIONS 6
#define NODES    30

typedef struct {
  FlatRing *ring;
  SsRng rng;
  SsStoreRecord last[STATIONS];
  unsigned owners[STATIONS];
} World;

/* Any living node that owns nothing. */
static StoreNode *
pick (World *world)
{
  for (;;) {
    unsigned index =
        (unsigned) ss_rng_below (&world->rng, world->ring->n_nodes);
    bool is_owner = false;

    for (unsigned i = 0; i < STATIONS; i++)
      is_owner |= world->owners[i] == index;
    if (!is_owner && world->ring->nodes[index]->is_alive)
      return store_ring_node (world->ring, index);
  }
}

static void
put (World *world, unsigned station)
{
  char name[8], value[32];
  uint64_t version = world->last[station].version + 1;

  g_snprintf (name, sizeof name, "n%u", station % 3);
  g_snprintf (value, sizeof value, "%u at %u", station, (unsigned) version);
  world->last[station] = store_record_make (station, name, version, value);
  store_node_put (store_ring_node (world->ring, world->owners[station]),
                  &world->last[station]);
}

static void
check (World *world, unsigned station)
{
  const SsStoreRecord *last = &world->last[station];
  bool by_name = ss_rng_below (&world->rng, 2) == 0;
  SsId slot =
      by_name ? ss_store_name_slot (last->name) : store_own_slot_of (last);
  StoreNode *asker = pick (world);
  unsigned n_founds = asker->n_founds;
  const SsStoreRecord *found = NULL;

  store_node_get (asker, &slot, station);
  flat_ring_run (world->ring, SS_STORE_GET_TIMEOUT);
  g_assert_cmpuint (asker->n_founds, ==, n_founds + 1);
  g_assert_true (asker->complete);
  g_assert_cmpuint (asker->n_records, ==, by_name ? 2 : 1);
  for (unsigned i = 0; i < asker->n_records; i++)
    if (ss_key_equal (&asker->records[i].key, &last->key))
      found = &asker->records[i];
  g_assert_nonnull (found);
  g_assert_cmpuint (found->version, ==, last->version);
  g_assert_cmpmem (found->value, found->value_len, last->value,
                   last->value_len);
}

static void
test_churn (void)
{
  for (unsigned seed = 0; seed < SEEDS; seed++) {
    const FlatRingOptions options = {
      .delay = seed % 2 == 0 ? SS_MSEC : 30 * SS_MSEC,
      .loss = seed % 3 * 0.02,
      .detection = SS_SEC,
    };
    World world = { .ring = store_ring_new (seed, &options, NODES) };
    unsigned n_alive = NODES;

    ss_rng_init_number (&world.rng, seed);
    for (unsigned i = 0; i < STATIONS; i++) {
      world.owners[i] = i;
      put (&world, i);
    }
    flat_ring_run (world.ring, 2 * SS_SEC);
    for (unsigned round = 0; round < ROUNDS; round++) {
      unsigned what = (unsigned) ss_rng_below (&world.rng, 4);

      /* Up to three at once, less than the replicas. */
      if (what == 0 && n_alive > 12) {
        unsigned n = 1 + (unsigned) ss_rng_below (&world.rng, 3);

        for (unsigned i = 0; i < n; i++, n_alive--)
          flat_ring_kill (pick (&world)->node);
      } else if (what == 1 && world.ring->n_nodes < FLAT_RING_MAX - 8) {
        unsigned n = 1 + (unsigned) ss_rng_below (&world.rng, 8);

        for (unsigned i = 0; i < n; i++, n_alive++)
          store_ring_add (world.ring);
      } else if (what == 2) {
        put (&world, (unsigned) ss_rng_below (&world.rng, STATIONS));
      }
      flat_ring_run (world.ring,
                     (SsTime) (3 + ss_rng_below (&world.rng, 20)) * SS_SEC);
      check (&world, (unsigned) ss_rng_below (&world.rng, STATIONS));
    }
    store_ring_free (world.ring);
  }
}

/* Records may be garbage in every way; nothing is kept that is not signed,
 * and nothing asserts. */
static void
test_garbage (void)
{
  const FlatRingOptions options = { .delay = SS_MSEC, .detection = SS_SEC };
  FlatRing *ring = store_ring_new (1, &options, 8);
  StoreNode *from = store_ring_node (ring, 0);
  SsRng rng;

  ss_rng_init_number (&rng, 1);
  for (unsigned i = 0; i < 20000; i++) {
    const SsWireProtocol *protocol = &ss_wire_protocol_store;
    const SsWireMessage *schema =
        protocol->schemas[ss_rng_below (&rng, protocol->n_messages)]();
    g_autofree void *message = g_malloc0 (schema->struct_size);
    g_autofree uint8_t *storage = g_malloc (schema->max_len);
    g_autofree uint8_t *data = g_malloc (schema->max_len);
    const SsKbrSend how = { .reliable = true };
    SsId key;

    ss_wire_generate (schema, &rng, message, storage);
    size_t len = ss_wire_encode (schema, message, data, schema->max_len);

    if (ss_rng_below (&rng, 2) == 0)
      data[ss_rng_below (&rng, len)] ^= (uint8_t) ss_rng_below (&rng, 256);
    ss_rng_bytes (&rng, &key, sizeof key);
    if (ss_rng_below (&rng, 2) == 0)
      ss_kbr_route (&from->node->kbr, SS_PROTOCOL_STORE, &key, NULL, 0, data,
                    len);
    else
      ss_kbr_send (&from->node->kbr, SS_PROTOCOL_STORE,
                   &store_ring_node (ring, 1 + i % 7)->node->self, &how, data,
                   len, NULL);
    flat_ring_run (ring, SS_MSEC);
  }
  flat_ring_run (ring, SS_SEC);
  for (unsigned i = 0; i < ring->n_nodes; i++)
    g_assert_cmpuint (ss_store_n_records (store_ring_node (ring, i)->store), ==,
                      0);
  store_ring_free (ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/churn", test_churn);
  g_test_add_func ("/store/garbage", test_garbage);
  return g_test_run ();
}
