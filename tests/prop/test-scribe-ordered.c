/* Properties of Scribe's ordered mode: first in, first out for each source,
 * exactly once, through deaths, takeovers, loss and newcomers. The harness
 * asserts order and uniqueness at every single message. */
#include <glib.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

#define GROUPS 4 /* of the 16 that all nodes join */

#define DEATH_AT 200 /* messages of a fast source */

static World *
start (unsigned n, uint64_t seed, double loss)
{
  WorldOptions options = {
    .seed = seed,
    .n = n,
    .delay = 2 * SS_MSEC,
    .loss = loss,
    .detours = 20,
    .is_ordered = true,
  };
  World *world = world_new (&options);
  for (unsigned i = 0; i < n; i++)
    world_join (world, i);
  world_run (world, 2 * SS_SEC);
  return world;
}

/* Everybody that lives talks, in an order drawn from rng. */
static void
talk (World *world, SsRng *rng, unsigned n, unsigned messages, SsTime gap)
{
  for (unsigned i = 0; i < messages; i++) {
    unsigned node = (unsigned) ss_rng_below (rng, n);
    unsigned stripe = (unsigned) ss_rng_below (rng, GROUPS);
    if (world_is_alive (world, node) && world_is_joined (world, node))
      world_multicast (world, node, stripe);
    world_run (world, gap);
  }
}

/* Every live node that was there from the start has every message of every
 * live source, and of dead ones as many as all others have. */
static void
assert_all_heard (const World *world, unsigned n, unsigned from_start,
                  const char *where, uint64_t seed)
{
  for (unsigned stripe = 0; stripe < GROUPS; stripe++)
    for (unsigned source = 0; source < n; source++) {
      unsigned expected = world_sent (world, source, stripe), first;
      if (!world_is_alive (world, source)) {
        expected = 0;
        for (unsigned i = 0; i < from_start; i++)
          if (world_is_alive (world, i))
            expected =
                MAX (expected, world_heard (world, i, source, stripe, &first));
      }
      for (unsigned i = 0; i < from_start; i++) {
        if (!world_is_alive (world, i))
          continue;
        unsigned heard = world_heard (world, i, source, stripe, &first);
        if (heard != expected || (heard > 0 && first != 1))
          g_test_message ("%s, seed %" G_GUINT64_FORMAT ": group %u: node %u "
                          "has %u from %u of %u messages of %u",
                          where, seed, stripe, i, heard, first, expected,
                          source);
        g_assert_cmpuint (heard, ==, expected);
        g_assert_true (heard == 0 || first == 1);
        g_assert_cmpuint (world_skipped (world, i, stripe), ==, 0);
      }
    }
}

static void
test_quiet (void)
{
  static const unsigned sizes[] = { 1, 2, 3, 5, 12 };
  for (unsigned s = 0; s < G_N_ELEMENTS (sizes); s++)
    for (uint64_t seed = 1; seed <= 5; seed++) {
      SsRng rng;
      ss_rng_init_number (&rng, seed);
      World *world = start (sizes[s], seed, 0);
      talk (world, &rng, sizes[s], 100, 20 * SS_MSEC);
      world_run (world, SS_SEC);
      assert_all_heard (world, sizes[s], sizes[s], "quiet", seed);
      world_free (world);
    }
}

/* More than the source may have outstanding: refused, never dropped. */
static void
test_burst (void)
{
  World *world = start (6, 1, 0.05);
  unsigned refused = 0;
  for (unsigned i = 0; i < 400; i++) {
    refused += !world_multicast (world, 3, 1);
    if (i % 20 == 0)
      world_run (world, 30 * SS_MSEC);
  }
  g_assert_cmpuint (refused, >, 0);
  world_run (world, 10 * SS_SEC);
  assert_all_heard (world, 6, 6, "burst", 1);
  world_free (world);
}

/* Has everybody come into group 0, and does it know where its sources stand? */
static bool
are_all_in (const World *world, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    const SsGroup *group = world_group (world, i, 0);
    if (!ss_group_in_tree (group) || !group->ordered
        || !group->ordered->is_synced)
      return false;
  }
  return true;
}

/* A source that says what it has as fast as it may, and what was refused a
 * moment later, does not outrun the repair of a death. */
static void
assert_kept_up (uint64_t seed, SsTime gap, bool is_root, double loss)
{
  const unsigned n = is_root ? 9 : 40, total = 800;
  World *world = start (n, seed, loss);
  SsTime end = world_now (world) + 30 * SS_SEC;
  while (!are_all_in (world, n) && world_now (world) < end)
    world_run (world, 100 * SS_MSEC);
  g_assert_true (are_all_in (world, n));
  unsigned victim = world_true_root (world, 0), source = 0, most = 0, sent = 0;
  for (unsigned i = 0; i < n && !is_root; i++) {
    unsigned n_children = ss_group_n_children (world_group (world, i, 0));
    if (i != world_true_root (world, 0) && n_children > most) {
      most = n_children;
      victim = i;
    }
  }
  while (source == victim || source == world_true_root (world, 0))
    source++;
  end = world_now (world) + 60 * SS_SEC;
  while (sent < total && world_now (world) < end) {
    if (sent == DEATH_AT)
      world_kill (world, victim);
    sent += world_multicast (world, source, 0);
    world_run (world, gap);
  }
  g_assert_cmpuint (sent, ==, total);
  world_run (world, 10 * SS_SEC);
  assert_all_heard (world, n, n, "fast", seed);
  world_free (world);
}

static void
test_fast (void)
{
  uint64_t seeds = g_test_slow () ? 100 : 4;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    assert_kept_up (seed, 5 * SS_MSEC, true, 0);
    assert_kept_up (seed, 1 * SS_MSEC, true, 0.05);
    assert_kept_up (seed, 5 * SS_MSEC, false, 0.02);
  }
}

/* Who was away for longer than messages are kept is told how many it misses,
 * and goes on where the others are; so are those that were away with the
 * group's root, and ask that one. */
static void
test_away (void)
{
  enum { NODES = 9, AWAY = 3 };
  for (uint64_t seed = 1; seed <= 6; seed++) {
    World *world = start (NODES, seed, 0);
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    talk (world, &rng, NODES, 100, 15 * SS_MSEC);
    world_run (world, SS_SEC);
    /* The source is the farthest from the group, the root its nearest. */
    unsigned source = world_near (world, 0, NODES - 1);
    unsigned first_away = seed % 2 ? 0 : NODES - 1 - AWAY;
    unsigned away[AWAY];
    for (unsigned i = 0; i < AWAY; i++) {
      away[i] = world_near (world, 0, first_away + i);
      world_set_side (world, away[i], 1);
    }
    unsigned end = world_sent (world, source, 0) + 2 * SS_ORDERED_LOG_MAX;
    while (world_sent (world, source, 0) < end) {
      world_multicast (world, source, 0);
      world_run (world, 20 * SS_MSEC);
    }
    world_heal (world, SS_SEC);
    world_run (world, 15 * SS_SEC);
    talk (world, &rng, NODES, 100, 15 * SS_MSEC);
    world_run (world, 5 * SS_SEC);
    for (unsigned i = 0; i < NODES; i++) {
      unsigned first, n = world_skipped (world, i, 0);
      bool was_away = i == away[0] || i == away[1] || i == away[2];
      g_assert_cmpuint (world_heard (world, i, source, 0, &first), ==,
                        world_sent (world, source, 0));
      g_assert_true ((n > 0) == was_away);
    }
    world_free (world);
  }
}

static void
test_lossy (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    World *world = start (10, seed, 0.05);
    talk (world, &rng, 10, 300, 10 * SS_MSEC);
    world_run (world, 10 * SS_SEC);
    assert_all_heard (world, 10, 10, "lossy", seed);
    world_free (world);
  }
}

/* One node after the other dies, roots first, while all talk. */
static void
test_deaths (void)
{
  uint64_t seeds = g_test_slow () ? 300 : 8;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    const unsigned n = 9;
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    World *world = start (n, seed, seed % 2 ? 0 : 0.02);
    for (unsigned round = 0; round < 4; round++) {
      talk (world, &rng, n, 40, 15 * SS_MSEC);
      unsigned victim = world_true_root (world, round);
      world_kill (world, victim);
      talk (world, &rng, n, 80, 50 * SS_MSEC);
      world_run (world, 8 * SS_SEC);
    }
    assert_all_heard (world, n, n, "deaths", seed);
    world_free (world);
  }
}

/* The root and the node that would follow it die together: the third has all
 * that any source has been told is stored. */
static void
test_two_deaths (void)
{
  uint64_t seeds = g_test_slow () ? 200 : 10;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    const unsigned n = 8;
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    World *world = start (n, seed, 0);
    talk (world, &rng, n, 60, 15 * SS_MSEC);
    unsigned root = world_true_root (world, 0);
    world_kill (world, root);
    world_kill (world, world_true_root (world, 0));
    talk (world, &rng, n, 60, 50 * SS_MSEC);
    world_run (world, 10 * SS_SEC);
    assert_all_heard (world, n, n, "two deaths", seed);
    world_free (world);
  }
}

/* A root that is cut off, replaced, and comes back with its own logs. */
static void
test_return (void)
{
  uint64_t seeds = g_test_slow () ? 200 : 10;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    const unsigned n = 7;
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    World *world = start (n, seed, 0);
    talk (world, &rng, n, 60, 15 * SS_MSEC);
    unsigned root = world_true_root (world, 0);
    world_kill (world, root);
    talk (world, &rng, n, 60, 60 * SS_MSEC);
    world_run (world, 2 * SS_SEC);
    world_revive (world, root);
    talk (world, &rng, n, 60, 30 * SS_MSEC);
    world_run (world, 15 * SS_SEC);
    assert_all_heard (world, n, n, "return", seed);
    world_free (world);
  }
}

/* The ring is cut: each part goes on with a root of its own, and sources
 * talk on both sides. Healed, everybody has everything. */
static void
cut (uint64_t seed)
{
  const unsigned n = 10;
  SsRng rng;
  ss_rng_init_number (&rng, seed);
  World *world = start (n, seed, seed % 3 ? 0 : 0.02);
  talk (world, &rng, n, 60, 15 * SS_MSEC);
  /* The root of group 0 with its successor, without, or quite alone. */
  world_set_side (world, world_near (world, 0, 0), 1);
  unsigned others = (unsigned) ss_rng_below (&rng, 5);
  for (unsigned i = 1; i <= others; i++)
    world_set_side (world, world_near (world, 0, i + (seed & 1)), 1);
  talk (world, &rng, n, 60, 60 * SS_MSEC);
  world_run (world, (SsTime) ss_rng_below (&rng, 4) * SS_SEC);
  world_heal (world, 3 * SS_SEC);
  talk (world, &rng, n, 60, 50 * SS_MSEC);
  world_run (world, 15 * SS_SEC);
  assert_all_heard (world, n, n, "partition", seed);
  world_free (world);
}

static void
test_partition (void)
{
  uint64_t seeds = g_test_slow () ? 300 : 12;
  for (uint64_t seed = 1; seed <= seeds; seed++)
    cut (seed);
  /* A newcomer asks its parent twice, and a source begins in between: what that
   * one said is no past. */
  cut (96);
}

/* The same, and the old root dies on its return, or its successor, which has
 * served meanwhile, or both; those who are left lack nothing. */
static void
test_partition_and_deaths (void)
{
  uint64_t seeds = g_test_slow () ? 300 : 12;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    const unsigned n = 10;
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    World *world = start (n, seed, 0);
    unsigned root = world_near (world, 0, 0), next = world_near (world, 0, 1);
    talk (world, &rng, n, 60, 15 * SS_MSEC);
    world_set_side (world, root, 1);
    talk (world, &rng, n, 60, 60 * SS_MSEC);
    world_run (world, 3 * SS_SEC);
    world_heal (world, 2 * SS_SEC);
    talk (world, &rng, n, 40, 20 * SS_MSEC + (SsTime) seed % 8 * 20 * SS_MSEC);
    if (seed % 3 != 1)
      world_kill (world, root);
    if (seed % 3 != 0)
      world_kill (world, next);
    talk (world, &rng, n, 60, 50 * SS_MSEC);
    world_run (world, 15 * SS_SEC);
    assert_all_heard (world, n, n, "partition and deaths", seed);
    world_free (world);
  }
}

/* Cuts, deaths of a root and of its successor together, and returns, in any
 * order, at most so many dead that no message has been on dead nodes only. */
static void
test_anything (void)
{
  uint64_t seeds = g_test_slow () ? 300 : 10;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    const unsigned n = 11;
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    World *world = start (n, seed, seed % 4 ? 0 : 0.02);
    for (unsigned round = 0; round < 5; round++) {
      unsigned group = (unsigned) ss_rng_below (&rng, GROUPS);
      unsigned root = world_near (world, group, 0);
      unsigned next = world_near (world, group, 1);
      SsTime pause = (SsTime) ss_rng_below (&rng, 40) * 100 * SS_MSEC;
      talk (world, &rng, n, 30, 20 * SS_MSEC);
      switch (ss_rng_below (&rng, 3)) {
      case 0:
        for (unsigned i = 0; i < n; i++)
          world_set_side (world, i, (unsigned) ss_rng_below (&rng, 2));
        talk (world, &rng, n, 40, 50 * SS_MSEC);
        world_run (world, pause);
        world_heal (world, 3 * SS_SEC);
        break;
      case 1:
        world_kill (world, root);
        world_kill (world, next);
        talk (world, &rng, n, 40, 50 * SS_MSEC);
        world_run (world, pause);
        world_revive (world, next);
        talk (world, &rng, n, 10, 50 * SS_MSEC);
        world_revive (world, root);
        break;
      default:
        world_kill (world, next);
        talk (world, &rng, n, 20, 50 * SS_MSEC);
        world_kill (world, root);
        talk (world, &rng, n, 20, 50 * SS_MSEC);
        world_revive (world, root);
        world_run (world, pause);
        world_revive (world, next);
        break;
      }
      talk (world, &rng, n, 20, 50 * SS_MSEC);
      world_run (world, 10 * SS_SEC);
    }
    world_run (world, 10 * SS_SEC);
    assert_all_heard (world, n, n, "anything", seed);
    world_free (world);
  }
}

/* Newcomers begin with what is current; a node closer to a group than its
 * root takes over without a gap; a node that leaves leaves none. */
static void
test_comings_and_goings (void)
{
  uint64_t seeds = g_test_slow () ? 200 : 10;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    const unsigned n = 10, old = 6;
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    WorldOptions options = {
      .seed = seed,
      .n = n,
      .delay = 2 * SS_MSEC,
      .is_ordered = true,
    };
    World *world = world_new (&options);
    for (unsigned i = 0; i < old; i++)
      world_join (world, i);
    for (unsigned i = old; i < n; i++)
      world_set_in_ring (world, i, false);
    world_run (world, 2 * SS_SEC);
    talk (world, &rng, old, 60, 15 * SS_MSEC);
    for (unsigned i = old; i < n; i++) {
      world_set_in_ring (world, i, true);
      world_join (world, i);
      talk (world, &rng, old, 40, 15 * SS_MSEC);
    }
    world_run (world, 5 * SS_SEC);
    assert_all_heard (world, n, old, "came", seed);
    for (unsigned i = old; i < n; i++)
      for (unsigned stripe = 0; stripe < GROUPS; stripe++)
        for (unsigned source = 0; source < old; source++) {
          unsigned first, sent = world_sent (world, source, stripe);
          unsigned heard = world_heard (world, i, source, stripe, &first);
          g_assert_true (heard == 0 || first + heard - 1 == sent);
          g_assert_cmpuint (world_skipped (world, i, stripe), ==, 0);
        }
    world_leave (world, 0);
    talk (world, &rng, old, 60, 15 * SS_MSEC);
    world_leave (world, n - 1);
    talk (world, &rng, old, 60, 15 * SS_MSEC);
    world_run (world, 5 * SS_SEC);
    assert_all_heard (world, n, old, "left", seed);
    world_free (world);
  }
}

/* Who comes late gets the last few messages of each source, and goes on from
 * there. */
static void
test_backlog (void)
{
  enum { BACKLOG = 5, OLD = 5 };
  for (uint64_t seed = 1; seed <= 10; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    WorldOptions options = {
      .seed = seed,
      .n = OLD + 1,
      .delay = 2 * SS_MSEC,
      .loss = seed % 2 ? 0.05 : 0,
      .is_ordered = true,
      .backlog = BACKLOG,
    };
    World *world = world_new (&options);
    for (unsigned i = 0; i < OLD; i++)
      world_join (world, i);
    world_set_in_ring (world, OLD, false);
    world_run (world, 2 * SS_SEC);
    talk (world, &rng, OLD, 200, 15 * SS_MSEC);
    world_run (world, 5 * SS_SEC);
    unsigned before[OLD][GROUPS];
    for (unsigned i = 0; i < OLD; i++)
      for (unsigned stripe = 0; stripe < GROUPS; stripe++)
        before[i][stripe] = world_sent (world, i, stripe);
    world_set_in_ring (world, OLD, true);
    world_join (world, OLD);
    world_run (world, 5 * SS_SEC);
    talk (world, &rng, OLD, 60, 15 * SS_MSEC);
    world_run (world, 5 * SS_SEC);
    for (unsigned i = 0; i < OLD; i++)
      for (unsigned stripe = 0; stripe < GROUPS; stripe++) {
        unsigned first, n = before[i][stripe];
        unsigned heard = world_heard (world, OLD, i, stripe, &first);
        unsigned past = MIN (BACKLOG, n);
        g_assert_cmpuint (heard, ==, world_sent (world, i, stripe) - n + past);
        g_assert_true (heard == 0 || first == n - past + 1);
        g_assert_cmpuint (world_skipped (world, OLD, stripe), ==, 0);
      }
    world_free (world);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/ordered/quiet", test_quiet);
  g_test_add_func ("/scribe/ordered/burst", test_burst);
  g_test_add_func ("/scribe/ordered/fast", test_fast);
  g_test_add_func ("/scribe/ordered/away", test_away);
  g_test_add_func ("/scribe/ordered/lossy", test_lossy);
  g_test_add_func ("/scribe/ordered/deaths", test_deaths);
  g_test_add_func ("/scribe/ordered/two-deaths", test_two_deaths);
  g_test_add_func ("/scribe/ordered/return", test_return);
  g_test_add_func ("/scribe/ordered/partition", test_partition);
  g_test_add_func ("/scribe/ordered/partition-and-deaths",
                   test_partition_and_deaths);
  g_test_add_func ("/scribe/ordered/anything", test_anything);
  g_test_add_func ("/scribe/ordered/comings-and-goings",
                   test_comings_and_goings);
  g_test_add_func ("/scribe/ordered/backlog", test_backlog);
  return g_test_run ();
}
