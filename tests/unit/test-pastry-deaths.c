/* Rings that lose nodes: silently, in an orderly way, many side by side, by
 * partition, for a while. What is routed meanwhile ends at the live node
 * closest to its key. */
#include "tests/harness/ring.h"

#define CONVERGE   (120 * SS_SEC)
#define BOTH(test) test (SS_MSEC), test (50 * SS_MSEC)

static void
require_correct (Ring *ring, SsTime duration)
{
  if (ring_run_until (ring, ring_is_correct, duration))
    return;
  ring_dump (ring);
  g_error ("the leaf sets are not right");
}

static Ring *
make_ring (uint64_t seed, unsigned n, SsTime delay, double loss)
{
  RingOptions options = { .delay_min = delay, .delay_max = delay };
  Ring *ring = ring_new (seed, &options);
  ring_grow (ring, n);
  require_correct (ring, CONVERGE);
  ring->options.loss = loss;
  return ring;
}

/* Some keys around a node, of which it is the root. */
static SsId
key_of (Ring *ring, const RingNode *root)
{
  SsId key = root->contact.id;
  key.b[SS_ID_LEN - 1] ^= (uint8_t) (1 + ss_rng_below (&ring->rng, 255));
  return key;
}

/* Everybody talks to everybody, so that links have measured their times. */
static void
warm_up (Ring *ring, const RingNode *root)
{
  for (unsigned round = 0; round < 8; round++) {
    for (unsigned i = 0; i < ring->nodes->len; i++) {
      RingNode *node = ring_node (ring, i);
      SsId key = key_of (ring, root);
      if (node->up && node != root)
        ring_lookup (node, &key, 0);
    }
    ring_run (ring, SS_SEC);
  }
  g_array_set_size (ring->deliveries, 0);
}

static void
provisional (SsTime delay)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    Ring *ring = make_ring (seed, 12, delay, 0);
    RingNode *root = ring_node (ring, 5);
    warm_up (ring, root);
    SsId key = key_of (ring, root);
    ring_kill (root);
    RingNode *source = ring_node (ring, 6), *heir = ring_closest (ring, &key);
    if (source == heir)
      source = ring_node (ring, 7);
    SsTime killed = ring->now;
    uint32_t soft = ring_lookup (source, &key, SS_ROUTE_PROVISIONAL);
    uint32_t hard = ring_lookup (source, &key, 0);
    ring_run (ring, 300 * SS_MSEC);
    const RingDelivery *delivery = ring_delivery (ring, soft);
    g_assert_nonnull (delivery);
    g_assert_cmpuint (delivery->node, ==, heir->index);
    g_assert_true (delivery->provisional);
    g_assert_null (ring_delivery (ring, hard));
    ring_run (ring, 3 * SS_SEC);
    delivery = ring_delivery (ring, hard);
    g_assert_nonnull (delivery);
    g_assert_cmpuint (delivery->node, ==, heir->index);
    g_assert_false (delivery->provisional);
    g_assert_cmpint (delivery->when - killed, >=, SS_SEC);
    g_assert_cmpuint (ring_count_deliveries (ring, soft), ==, 1);
    g_assert_cmpuint (ring_count_deliveries (ring, hard), ==, 1);
    require_correct (ring, 10 * SS_SEC);
    ring_free (ring);
  }
}

static void
test_provisional (void)
{
  BOTH (provisional);
}

/* A node dies, and before anybody has noticed another joins beside it, who
 * never knew it. Those on the newcomer's side are told all the same. */
static void
test_beside_a_newcomer (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    Ring *ring = make_ring (seed, 64, SS_MSEC, 0);
    RingNode *newcomer = ring_add (ring);
    RingNode *victim = ring_closest (ring, &newcomer->contact.id);
    ring_kill (victim);
    ring_join (newcomer, ring_node (ring, victim->index == 0 ? 1 : 0));
    require_correct (ring, 90 * SS_SEC);
    ring_free (ring);
  }
}

/* A live root that is doubted wrongly gets the message after all, once. */
static void
test_false_alarm (void)
{
  Ring *ring = make_ring (3, 12, SS_MSEC, 0);
  RingNode *root = ring_node (ring, 5), *source = ring_node (ring, 6);
  warm_up (ring, root);
  root->stopped = true;
  SsId key = key_of (ring, root);
  uint32_t number = ring_lookup (source, &key, 0);
  ring_run (ring, 400 * SS_MSEC);
  g_assert_cmpuint (ring_count_deliveries (ring, number), ==, 0);
  g_assert_true (ss_kbr_is_suspected (source->kbr, &root->contact.id));
  g_assert_cmpuint (source->n_updates[SS_KBR_SUSPECTED], ==, 1);
  root->stopped = false;
  ring_run (ring, 2 * SS_SEC);
  g_assert_false (ss_kbr_is_suspected (source->kbr, &root->contact.id));
  g_assert_cmpuint (source->n_updates[SS_KBR_RECOVERED], ==, 1);
  g_assert_cmpuint (ring_count_deliveries (ring, number), ==, 1);
  g_assert_cmpuint (ring_delivery (ring, number)->node, ==, root->index);
  require_correct (ring, 10 * SS_SEC);
  ring_free (ring);
}

static void
test_suspect (void)
{
  Ring *ring = make_ring (4, 12, SS_MSEC, 0);
  RingNode *node = ring_node (ring, 1), *peer = ring_node (ring, 2);
  node->env.now = ring->now;
  ss_kbr_suspect (node->kbr, &peer->contact);
  g_assert_cmpuint (node->n_updates[SS_KBR_SUSPECTED], ==, 1);
  ring_drain (node);
  ring_run (ring, 100 * SS_MSEC);
  g_assert_cmpuint (node->n_updates[SS_KBR_RECOVERED], ==, 1);
  ring_kill (peer);
  node->env.now = ring->now;
  ss_kbr_suspect (node->kbr, &peer->contact);
  ring_drain (node);
  ring_run (ring, 3 * SS_SEC);
  g_assert_cmpuint (node->n_updates[SS_KBR_LEFT], ==, 1);
  g_assert_true (ss_kbr_is_suspected (node->kbr, &peer->contact.id));
  ring_free (ring);
}

/* A silence is noticed by the neighbour alone, without any traffic. */
static void
test_quiet_death (void)
{
  Ring *ring = make_ring (5, 60, SS_MSEC, 0);
  ring_kill (ring_node (ring, 17));
  require_correct (ring, 60 * SS_SEC);
  ring_check_lookups (ring, 100);
  ring_free (ring);
}

/* All but one of a side at once. */
static void
adjacent (SsTime delay)
{
  for (uint64_t seed = 1; seed <= 4; seed++) {
    Ring *ring = make_ring (seed, 80, delay, 0);
    RingNode *nodes[80];
    unsigned n = ring_sorted (ring, nodes);
    unsigned first = (unsigned) ss_rng_below (&ring->rng, n);
    for (unsigned i = 0; i < 15; i++)
      ring_kill (nodes[(first + i) % n]);
    require_correct (ring, 90 * SS_SEC);
    ring_check_lookups (ring, 50);
    ring_free (ring);
  }
}

static void
test_adjacent (void)
{
  BOTH (adjacent);
}

/* A fifth, or a half, of all at once, and whole sides with them. */
static void
test_many (void)
{
  for (uint64_t seed = 1; seed <= 4; seed++) {
    Ring *ring = make_ring (seed, 100, SS_MSEC, 0);
    unsigned percent = seed % 2 == 0 ? 20 : 50;
    for (unsigned i = 0; i < 100; i++) {
      if (ss_rng_below (&ring->rng, 100) < percent)
        ring_kill (ring_node (ring, i));
    }
    require_correct (ring, 90 * SS_SEC);
    ring_check_lookups (ring, 50);
    ring_free (ring);
  }
}

/* More in a row than a leaf set reaches over. */
static void
test_beyond_the_leaf_set (void)
{
  for (uint64_t seed = 1; seed <= 4; seed++) {
    Ring *ring = make_ring (seed, 100, SS_MSEC, 0);
    RingNode *nodes[100];
    unsigned n = ring_sorted (ring, nodes);
    for (unsigned i = 0; i < 40; i++)
      ring_kill (nodes[(10 + i) % n]);
    require_correct (ring, CONVERGE);
    ring_check_lookups (ring, 50);
    ring_free (ring);
  }
}

/* The dead are those who knew both ends of what is left. */
static void
test_few_are_left (void)
{
  for (uint64_t seed = 1; seed <= 200; seed++) {
    RingOptions options = { .delay_min = SS_MSEC,
                            .delay_max = SS_MSEC,
                            .leaf_set = 4 };
    Ring *ring = ring_new (seed, &options);
    unsigned n = 5 + (unsigned) (seed % 5);
    ring_grow (ring, n);
    require_correct (ring, CONVERGE);
    RingNode *nodes[9];
    ring_sorted (ring, nodes);
    unsigned n_dead = 2 + (unsigned) ss_rng_below (&ring->rng, n - 3);
    unsigned first = (unsigned) ss_rng_below (&ring->rng, n);
    for (unsigned i = 0; i < n_dead; i++)
      ring_kill (nodes[(first + i) % n]);
    require_correct (ring, CONVERGE);
    ring_check_lookups (ring, 10);
    ring_free (ring);
  }
}

/* Down to the last: it is a ring of one, and ready. */
static void
test_last (void)
{
  for (unsigned n = 2; n <= 40; n += 19) {
    Ring *ring = make_ring (n, n, SS_MSEC, 0);
    for (unsigned i = 0; i + 1 < n; i++)
      ring_kill (ring_node (ring, i));
    require_correct (ring, CONVERGE);
    ring_check_lookups (ring, 5);
    ring_free (ring);
  }
}

static void
test_leave (void)
{
  Ring *ring = make_ring (7, 50, SS_MSEC, 0);
  for (unsigned i = 0; i < 25; i++) {
    RingNode *node = ring_node (ring, 2 * i);
    node->env.now = ring->now;
    ss_pastry_leave (node->pastry);
    ring_drain (node);
    g_assert_cmpint (ss_pastry_state (node->pastry), ==, SS_PASTRY_LEFT);
    g_assert_false (ss_kbr_is_ready (node->kbr));
    ring_run (ring, 50 * SS_MSEC);
    g_assert_true (ring_is_correct (ring));
    ring_kill (node);
  }
  ring_check_lookups (ring, 100);
  ring_free (ring);
}

static void
test_loss (void)
{
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Ring *ring = make_ring (seed, 50, 5 * SS_MSEC, 0.05);
    for (unsigned i = 0; i < 200; i++) {
      RingNode *source =
          ring_node (ring, (unsigned) ss_rng_below (&ring->rng, 50));
      SsId key = ring_random_id (ring);
      uint32_t number = ring_lookup (source, &key, 0);
      ring_run (ring, 5 * SS_SEC);
      g_assert_cmpuint (ring_count_deliveries (ring, number), ==, 1);
      g_assert_cmpuint (ring_delivery (ring, number)->node, ==,
                        ring_closest (ring, &key)->index);
    }
    require_correct (ring, 60 * SS_SEC);
    ring_free (ring);
  }
}

static void
partition (unsigned n, SsTime cut)
{
  Ring *ring = make_ring (n, n, 5 * SS_MSEC, 0);
  for (unsigned i = 0; i < n; i++)
    ring_node (ring, i)->side = i % 2;
  ring->partitioned = true;
  ring_run (ring, cut);
  ring->partitioned = false;
  require_correct (ring, 60 * SS_SEC);
  ring_check_lookups (ring, 50);
  ring_free (ring);
}

static void
test_partition (void)
{
  partition (4, 60 * SS_SEC);
  partition (10, 60 * SS_SEC);
  partition (40, 600 * SS_SEC);
  partition (100, 600 * SS_SEC);
}

/* Of the lost those are tried first that were lost with many others: these
 * may be a partition, which ends. */
static void
test_lost_together (void)
{
  Ring *ring = make_ring (21, 24, SS_MSEC, 0);
  uint64_t before[24], n_alone = 0, n_together = 0;
  for (unsigned i = 1; i <= 3; i++) {
    ring_kill (ring_node (ring, i));
    ring_run (ring, 90 * SS_SEC);
  }
  for (unsigned i = 4; i <= 9; i++)
    ring_kill (ring_node (ring, i));
  require_correct (ring, 60 * SS_SEC);
  /* Each of the 14 that are left tries one in 10 s or so. */
  ring_run (ring, 60 * SS_SEC);
  for (unsigned i = 1; i <= 9; i++)
    before[i] = ring_node (ring, i)->datagrams_to;
  ring_run (ring, 120 * SS_SEC);
  for (unsigned i = 1; i <= 9; i++)
    *(i <= 3 ? &n_alone : &n_together) +=
        ring_node (ring, i)->datagrams_to - before[i];
  g_test_message ("to 3 that were lost alone %" G_GUINT64_FORMAT
                  ", to 6 that were lost together %" G_GUINT64_FORMAT,
                  n_alone, n_together);
  g_assert_cmpuint (n_together, >, 14);
  g_assert_cmpuint (n_together, >, 10 * n_alone);
  ring_free (ring);
}

/* Each started as a ring of one; then each learns of another. */
static void
test_merge (void)
{
  for (unsigned n = 2; n <= 50; n += 6) {
    Ring *ring = ring_new (n, NULL);
    for (unsigned i = 0; i < n; i++)
      ss_pastry_create_ring (ring_add (ring)->pastry);
    for (unsigned i = 1; i < n; i++)
      ring_join (ring_node (ring, i), ring_node (ring, i - 1));
    require_correct (ring, 60 * SS_SEC);
    ring_check_lookups (ring, 50);
    ring_free (ring);
  }
}

/* Two rings, both too large for one leaf set, one contact between them. */
static void
test_merge_large (void)
{
  Ring *ring = ring_new (9, NULL);
  ring_grow (ring, 50);
  RingNode *seed = ring_add (ring);
  ss_pastry_create_ring (seed->pastry);
  for (unsigned i = 0; i < 49; i++) {
    ring_join (ring_add (ring), seed);
    g_assert_true (ring_run_until (ring, ring_is_joined, 60 * SS_SEC));
  }
  ring_run (ring, 10 * SS_SEC);
  ring_join (seed, ring_node (ring, 0));
  require_correct (ring, 60 * SS_SEC);
  ring_check_lookups (ring, 100);
  ring_free (ring);
}

/* Stopped for long enough to be buried by all. */
static void
test_sleep (void)
{
  Ring *ring = make_ring (11, 40, SS_MSEC, 0);
  RingNode *node = ring_node (ring, 3);
  warm_up (ring, node);
  node->stopped = true;
  for (unsigned i = 0; i < 3; i++) {
    SsId key = key_of (ring, node);
    ring_lookup (ring_node (ring, 7 + i), &key, 0);
  }
  ring_run (ring, 30 * SS_SEC);
  g_assert_true (
      ss_kbr_is_suspected (ring_node (ring, 7)->kbr, &node->contact.id));
  node->stopped = false;
  SsId key = key_of (ring, node);
  uint32_t number = ring_lookup (node, &key, 0);
  require_correct (ring, 20 * SS_SEC);
  g_assert_cmpuint (ring_count_deliveries (ring, number), ==, 1);
  ring_check_lookups (ring, 50);
  ring_free (ring);
}

/* Stopped for long enough to be buried, and for too short a time to notice:
 * who hears of it asks at once whether it lives. */
static void
test_nap (void)
{
  for (uint64_t seed = 11; seed <= 20; seed++) {
    Ring *ring = make_ring (seed, 10, SS_MSEC, 0);
    RingNode *node = ring_node (ring, 3);
    warm_up (ring, node);
    node->stopped = true;
    for (unsigned i = 4; i < 10; i++) {
      SsId key = key_of (ring, node);
      ring_lookup (ring_node (ring, i), &key, 0);
    }
    ring_run (ring, 1700 * SS_MSEC);
    g_assert_true (
        ss_kbr_is_suspected (ring_node (ring, 7)->kbr, &node->contact.id));
    g_assert_false (ring_is_correct (ring));
    node->stopped = false;
    for (unsigned i = 0; i < 10; i++) {
      SsId key = key_of (ring, ring_node (ring, i));
      ring_lookup (node, &key, 0);
    }
    require_correct (ring, 3 * SS_SEC);
    ring_free (ring);
  }
}

/* The only one that a newcomer knows goes, having named others. */
static void
test_only_contact (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    Ring *ring = make_ring (seed, 20, 5 * SS_MSEC, 0);
    RingNode *newcomer = ring_add (ring);
    SsPastryStats stats;
    ring_join (newcomer, ring_node (ring, 7));
    do {
      ring_run (ring, 1 * SS_MSEC);
      ss_pastry_stats (newcomer->pastry, &stats);
    } while (stats.routing_entries < 2);
    ring_kill (ring_node (ring, 7));
    g_assert_cmpint (stats.state, ==, SS_PASTRY_JOINING);
    require_correct (ring, 20 * SS_SEC);
    ring_free (ring);
  }
}

/* The same identity again, with nothing remembered. */
static void
test_restart (void)
{
  Ring *ring = make_ring (12, 40, SS_MSEC, 0);
  for (unsigned i = 0; i < 10; i++) {
    RingNode *node = ring_node (ring, 5 + i);
    ring_restart (node);
    ring_join (node, ring_node (ring, 0));
    require_correct (ring, 20 * SS_SEC);
  }
  ring_check_lookups (ring, 50);
  ring_free (ring);
}

/* One does not hear the other: both go on, and lookups end. */
static void
test_one_way (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    Ring *ring = make_ring (seed, 30, 5 * SS_MSEC, 0);
    RingNode *nodes[30];
    unsigned n = ring_sorted (ring, nodes);
    unsigned first = (unsigned) ss_rng_below (&ring->rng, n);
    ring->mute = nodes[first];
    ring->deaf = nodes[(first + 1) % n];
    for (unsigned i = 0; i < 60; i++) {
      RingNode *source = nodes[ss_rng_below (&ring->rng, n)];
      SsId key = i % 2 == 0
                     ? ring_random_id (ring)
                     : key_of (ring, i % 4 == 1 ? ring->mute : ring->deaf);
      uint32_t number = ring_lookup (source, &key, 0);
      ring_run (ring, 5 * SS_SEC);
      g_assert_cmpuint (ring_count_deliveries (ring, number), >=, 1);
      if (source != ring->mute && source != ring->deaf)
        g_assert_cmpuint (ring_delivery (ring, number)->node, ==,
                          ring_closest (ring, &key)->index);
    }
    g_assert_true (ring_is_joined (ring));
    ring->mute = ring->deaf = NULL;
    require_correct (ring, 120 * SS_SEC);
    ring_check_lookups (ring, 50);
    ring_free (ring);
  }
}

/* Nothing to do: next to nothing is said. */
static void
test_quiet (void)
{
  Ring *ring = make_ring (13, 100, 20 * SS_MSEC, 0);
  ring_run (ring, 120 * SS_SEC);
  uint64_t before = ring->n_datagrams;
  ring_run (ring, 1800 * SS_SEC);
  double rate = (double) (ring->n_datagrams - before) / 100 / 1800;
  g_test_message ("%.3f datagrams a second and node", rate);
  g_assert_cmpfloat (rate, <, 0.3);
  size_t most = 0;
  for (unsigned i = 0; i < 100; i++)
    most = MAX (most, ss_pastry_memory (ring_node (ring, i)->pastry));
  g_test_message ("at most %zu bytes a node", most);
  g_assert_cmpuint (most, <=, 8192);
  ring_free (ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/deaths/provisional", test_provisional);
  g_test_add_func ("/pastry/deaths/beside-a-newcomer", test_beside_a_newcomer);
  g_test_add_func ("/pastry/deaths/false-alarm", test_false_alarm);
  g_test_add_func ("/pastry/deaths/suspect", test_suspect);
  g_test_add_func ("/pastry/deaths/quiet-death", test_quiet_death);
  g_test_add_func ("/pastry/deaths/adjacent", test_adjacent);
  g_test_add_func ("/pastry/deaths/many", test_many);
  g_test_add_func ("/pastry/deaths/beyond-the-leaf-set",
                   test_beyond_the_leaf_set);
  g_test_add_func ("/pastry/deaths/few-are-left", test_few_are_left);
  g_test_add_func ("/pastry/deaths/last", test_last);
  g_test_add_func ("/pastry/deaths/leave", test_leave);
  g_test_add_func ("/pastry/deaths/loss", test_loss);
  g_test_add_func ("/pastry/deaths/partition", test_partition);
  g_test_add_func ("/pastry/deaths/lost-together", test_lost_together);
  g_test_add_func ("/pastry/deaths/merge", test_merge);
  g_test_add_func ("/pastry/deaths/merge-large", test_merge_large);
  g_test_add_func ("/pastry/deaths/sleep", test_sleep);
  g_test_add_func ("/pastry/deaths/nap", test_nap);
  g_test_add_func ("/pastry/deaths/only-contact", test_only_contact);
  g_test_add_func ("/pastry/deaths/restart", test_restart);
  g_test_add_func ("/pastry/deaths/one-way", test_one_way);
  g_test_add_func ("/pastry/deaths/quiet", test_quiet);
  return g_test_run ();
}
