/* Rings of overlay nodes: joining one by one and all at once, rings of one to
 * forty and of two hundred, lookups, deaths, partitions, sleep. */
#include "tests/harness/ring.h"

/* Whatever way it joined, a ring is correct within this. */
#define CONVERGE (120 * SS_SEC)

static void
require_correct (Ring *ring, SsTime duration)
{
  if (ring_run_until (ring, ring_is_correct, duration))
    return;
  ring_dump (ring);
  g_error ("the leaf sets are not right");
}

static void
test_one (void)
{
  Ring *ring = ring_new (1, NULL);
  ring_grow (ring, 1);
  RingNode *node = ring_node (ring, 0);
  g_assert_true (ss_kbr_is_ready (node->kbr));
  SsId key = ring_random_id (ring);
  uint32_t number = ring_lookup (node, &key, 0);
  const RingDelivery *delivery = ring_delivery (ring, number);
  g_assert_nonnull (delivery);
  g_assert_cmpuint (delivery->hops, ==, 0);
  g_assert_true (ss_kbr_is_root (node->kbr, &key, false));
  SsContact contacts[4];
  g_assert_cmpuint (ss_kbr_replica_set (node->kbr, &key, contacts, 4), ==, 1);
  g_assert_cmpuint (ss_kbr_neighbor_set (node->kbr, contacts, 4), ==, 0);
  SsId from, to;
  g_assert_true (ss_kbr_range (node->kbr, &node->contact, 0, &from, &to));
  g_assert_true (ss_id_equal (&from, &to));
  ring_free (ring);
}

static void
test_outside (void)
{
  Ring *ring = ring_new (1, NULL);
  RingNode *node = ring_add (ring);
  SsId key = ring_random_id (ring);
  g_assert_false (ss_kbr_is_ready (node->kbr));
  g_assert_false (
      ss_kbr_route (node->kbr, RING_PROTOCOL, &key, NULL, 0, NULL, 0));
  ring_free (ring);
}

/* One after the other; the leaf sets are right after every single join. */
static void
test_grow (void)
{
  Ring *ring = ring_new (2, NULL);
  SsTime slowest = 0;
  for (unsigned n = 1; n <= 40; n++) {
    SsTime before = ring->now;
    ring_grow (ring, 1);
    slowest = MAX (slowest, ring->now - before);
    require_correct (ring, SS_SEC);
  }
  g_test_message ("slowest join: %.1f ms", (double) slowest / SS_MSEC);
  g_assert_cmpint (slowest, <=, 100 * SS_MSEC);
  ring_check_lookups (ring, 200);
  ring_free (ring);
}

/* Small leaf sets: a ring of forty is not whole for anyone. */
static void
test_grow_small_set (void)
{
  for (unsigned size = 2; size <= 16; size += 2) {
    Ring *ring = ring_new (size, &(RingOptions){ .leaf_set = size });
    for (unsigned n = 1; n <= 40; n++) {
      ring_grow (ring, 1);
      require_correct (ring, CONVERGE);
    }
    ring_check_lookups (ring, 100);
    ring_free (ring);
  }
}

static void
join_at_once (unsigned n, uint64_t seed, const RingOptions *options)
{
  Ring *ring = ring_new (seed, options);
  ring_grow (ring, 1);
  SsTime before = ring->now;
  for (unsigned i = 1; i < n; i++)
    ring_join (ring_add (ring), ring_node (ring, 0));
  if (!ring_run_until (ring, ring_is_joined, CONVERGE)) {
    ring_dump (ring);
    g_error ("not all have joined");
  }
  SsTime joined = ring->now - before;
  require_correct (ring, CONVERGE);
  g_test_message ("%u at once, seed %u: joined after %.1f ms, right after "
                  "%.1f ms, %u datagrams each",
                  n, (unsigned) seed, (double) joined / SS_MSEC,
                  (double) (ring->now - before) / SS_MSEC,
                  (unsigned) (ring->n_datagrams / n));
  ring_check_lookups (ring, 50);
  ring_free (ring);
}

static void
test_join_at_once (void)
{
  for (unsigned n = 2; n <= 40; n++)
    join_at_once (n, n, NULL);
}

static void
test_join_200_at_once (void)
{
  for (uint64_t seed = 1; seed <= 3; seed++)
    join_at_once (200, seed, NULL);
}

static void
test_join_lossy (void)
{
  RingOptions options = { .delay_min = 5 * SS_MSEC,
                          .delay_max = 60 * SS_MSEC,
                          .loss = 0.05 };
  for (uint64_t seed = 1; seed <= 5; seed++)
    join_at_once (40, seed, &options);
}

static bool
are_three_cut (Ring *ring)
{
  return ring->n_cut >= 3;
}

/* The closest node answers an ENTER, its three initiations are lost, and it may
 * send no more for a minute. The joiner gets to know it by itself. */
static void
test_join_unheard (void)
{
  RingOptions options = { .delay_min = 20 * SS_MSEC,
                          .delay_max = 20 * SS_MSEC,
                          .leaf_set = 16 };
  Ring *ring = ring_new (5, &options);
  ring_grow (ring, 60);
  RingNode *joiner = ring_add (ring);
  ring->mute = ring_closest (ring, &joiner->contact.id);
  ring->deaf = joiner;
  ring_join (joiner, ring_node (ring, 0));
  g_assert_true (ring_run_until (ring, are_three_cut, 10 * SS_SEC));
  g_assert_false (ring_is_joined (ring));
  ring->mute = ring->deaf = NULL;
  g_assert_true (ring_run_until (ring, ring_is_joined, 12 * SS_SEC));
  require_correct (ring, CONVERGE);
  ring_free (ring);
}

/* Nodes of both address families know each other, as leaves and as entries,
 * and route over each other. */
static void
test_families (void)
{
  Ring *ring = ring_new (9, &(RingOptions){ .leaf_set = 8 });
  ring_grow (ring, 60);
  require_correct (ring, CONVERGE);
  for (unsigned i = 0; i < 60; i++) {
    SsContact leaves[SS_PASTRY_LEAVES_MAX];
    unsigned n = ss_pastry_leaf_set (ring_node (ring, i)->pastry, leaves,
                                     G_N_ELEMENTS (leaves));
    for (unsigned k = 0; k < n; k++) {
      unsigned number = leaves[k].addr.ip[15];
      g_assert_true (ss_addr_is_v4 (&leaves[k].addr) == (number % 3 != 0));
    }
  }
  ring_check_lookups (ring, 300);
  for (unsigned i = 0; i < 60; i += 4)
    ring_kill (ring_node (ring, i));
  require_correct (ring, CONVERGE);
  ring_check_lookups (ring, 300);
  ring_free (ring);
}

/* All nodes' datagrams until one more has joined a ring at rest. Its leaves
 * are told at once whom it knows, and answer with nothing but news. */
#define JOIN_DATAGRAMS_MAX 110

static void
test_join_cost (void)
{
  RingOptions options = { .delay_min = 20 * SS_MSEC,
                          .delay_max = 20 * SS_MSEC,
                          .leaf_set = 16 };
  Ring *ring = ring_new (11, &options);
  ring_grow (ring, 60);
  require_correct (ring, CONVERGE);
  ring_run (ring, CONVERGE);
  uint64_t before = ring->n_datagrams;
  ring_grow (ring, 1);
  uint64_t cost = ring->n_datagrams - before;
  g_test_message ("a join costs %u datagrams", (unsigned) cost);
  g_assert_cmpuint (cost, <=, JOIN_DATAGRAMS_MAX);
  require_correct (ring, CONVERGE);
  ring_free (ring);
}

/* A newcomer waits for leaves that died as it came. What it routes meanwhile
 * ends where it should, and soon, though it knows of nobody yet who is as close
 * to its neighbours' keys as itself; what it will be the root of waits for it.
 * How many took longer than SOON. */
#define SOON (350 * SS_MSEC)

static unsigned
joiner_routes (uint64_t seed)
{
  RingOptions options = { .delay_min = 20 * SS_MSEC,
                          .delay_max = 40 * SS_MSEC };
  Ring *ring = ring_new (seed, &options);
  unsigned n_late = 0;
  ring_grow (ring, 24);
  require_correct (ring, CONVERGE);
  RingNode *joiner = ring_add (ring);
  for (unsigned i = 5; i < 9; i++)
    ring_kill (ring_node (ring, i));
  ring_join (joiner, ring_node (ring, 0));
  g_assert_false (ss_pastry_may_ask (joiner->pastry));
  while (!ss_pastry_may_ask (joiner->pastry))
    ring_run (ring, SS_MSEC);
  SsTime asked = ring->now;
  uint32_t numbers[24];
  for (unsigned i = 0; i < 24; i++)
    numbers[i] = ring_lookup (joiner, &ring_node (ring, i)->contact.id,
                              SS_ROUTE_PROVISIONAL);
  uint32_t own =
      ring_lookup (joiner, &joiner->contact.id, SS_ROUTE_PROVISIONAL);
  ring_run (ring, 1200 * SS_MSEC);
  g_assert_cmpint (ss_pastry_state (joiner->pastry), ==, SS_PASTRY_JOINING);
  for (unsigned i = 0; i < 24; i++) {
    const RingDelivery *delivery = ring_delivery (ring, numbers[i]);
    if (!ring_node (ring, i)->up)
      continue; /* its heir may be the joiner */
    g_assert_nonnull (delivery);
    g_assert_cmpuint (delivery->node, ==, i);
    g_assert_cmpuint (ring_count_deliveries (ring, numbers[i]), ==, 1);
    n_late += delivery->when - asked > SOON;
  }
  require_correct (ring, CONVERGE);
  const RingDelivery *last = ring_delivery (ring, own);
  g_assert_true (last == NULL || last->right);
  ring_free (ring);
  return n_late;
}

static void
test_joiner_routes (void)
{
  unsigned n_late = 0;
  for (uint64_t seed = 1; seed <= 20; seed++)
    n_late += joiner_routes (seed);
  g_test_message ("%u of 400 took longer", n_late);
  g_assert_cmpuint (n_late, <=, 20);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/ring/one", test_one);
  g_test_add_func ("/pastry/ring/outside", test_outside);
  g_test_add_func ("/pastry/ring/grow", test_grow);
  g_test_add_func ("/pastry/ring/grow-small-set", test_grow_small_set);
  g_test_add_func ("/pastry/ring/join-cost", test_join_cost);
  g_test_add_func ("/pastry/ring/join-at-once", test_join_at_once);
  g_test_add_func ("/pastry/ring/join-200-at-once", test_join_200_at_once);
  g_test_add_func ("/pastry/ring/join-lossy", test_join_lossy);
  g_test_add_func ("/pastry/ring/join-unheard", test_join_unheard);
  g_test_add_func ("/pastry/ring/families", test_families);
  g_test_add_func ("/pastry/ring/joiner-routes", test_joiner_routes);
  return g_test_run ();
}
