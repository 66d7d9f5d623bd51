/* Properties of Scribe's trees and of live delivery, over many seeds. */
#include <glib.h>

#include "tests/harness/scribe_world.h"

static World *
start (unsigned n, uint64_t seed, double loss, SsTime delay)
{
  WorldOptions options = {
    .seed = seed,
    .n = n,
    .delay = delay,
    .loss = loss,
    .detours = 30,
  };
  World *world = world_new (&options);
  for (unsigned i = 1; i < n; i++)
    world_join (world, i);
  world_run (world, SS_SEC);
  world_publish (world, true);
  return world;
}

/* With loss a repair may just be under way: it ends soon. */
static void
assert_trees (World *world, const char *where, uint64_t seed)
{
  char *text = world_check_trees (world);
  for (unsigned tries = 0; text && tries < 10; tries++) {
    g_free (text);
    world_run (world, SS_SEC);
    text = world_check_trees (world);
  }
  if (text)
    g_test_message ("%s, seed %" G_GUINT64_FORMAT ": %s", where, seed, text);
  g_assert_null (text);
}

static unsigned
lost_by_all (const World *world, unsigned n)
{
  unsigned lost = 0;
  for (unsigned i = 1; i < n; i++)
    if (world_is_alive (world, i)) {
      unsigned mine = world_lost (world, i);
      lost += mine;
      g_assert_cmpuint (world_received (world, i), >, 0);
      if (mine)
        g_test_message ("node %u lost %u", i, mine);
    }
  return lost;
}

static unsigned
lost_by_joined (const World *world, unsigned n)
{
  unsigned lost = 0;
  for (unsigned i = 1; i < n; i++)
    if (world_is_alive (world, i) && world_is_joined (world, i)) {
      g_assert_cmpuint (world_received (world, i), >, 0);
      lost += world_lost (world, i);
    }
  return lost;
}

static void
test_trees (void)
{
  static const unsigned sizes[] = { 2, 3, 4, 6, 10, 32, 64 };
  for (unsigned s = 0; s < G_N_ELEMENTS (sizes); s++)
    for (uint64_t seed = 1; seed <= 10; seed++) {
      World *world = start (sizes[s], seed, 0, SS_MSEC);
      world_run (world, 5 * SS_SEC);
      assert_trees (world, "joined", seed);
      if (world_fan_out_max (world) > SS_FAMILY_CHILDREN)
        g_test_message ("n %u seed %" G_GUINT64_FORMAT ": fan-out %u", sizes[s],
                        seed, world_fan_out_max (world));
      g_assert_cmpuint (world_fan_out_max (world), <=, SS_FAMILY_CHILDREN);
      g_assert_cmpuint (lost_by_all (world, sizes[s]), ==, 0);
      world_free (world);
    }
}

static void
kill_each (unsigned n, uint64_t seeds, double loss, SsTime delay)
{
  SsTime worst = 0;
  double most = 0;
  if (g_test_slow ())
    seeds *= 10;
  for (uint64_t seed = 1; seed <= seeds; seed++)
    for (unsigned victim = 1; victim < n; victim++) {
      World *world = start (n, seed, loss, delay);
      world_run (world, 5 * SS_SEC + (SsTime) (seed * 37) * SS_MSEC);
      world_kill (world, victim);
      world_run (world, 8 * SS_SEC);
      unsigned lost = lost_by_all (world, n);
      if (lost)
        g_test_message ("n %u seed %" G_GUINT64_FORMAT " victim %u lost %u", n,
                        seed, victim, lost);
      g_assert_cmpuint (lost, ==, 0);
      SsTime latest = 0;
      uint64_t sent = world_packets_sent (world, 0);
      for (unsigned i = 1; i < n; i++)
        if (world_is_alive (world, i))
          latest = MAX (latest, world_latest (world, i));
      worst = MAX (worst, latest);
      most = MAX (most, (double) sent / world_published (world));
      assert_trees (world, "after the death", seed);
      world_free (world);
    }
  g_test_message ("worst delay %d ms; the source sent each packet %.2f times",
                  (int) (worst / SS_MSEC), most);
}

static void
test_kill_3 (void)
{
  kill_each (3, 20, 0, SS_MSEC);
}

static void
test_kill_4 (void)
{
  kill_each (4, 20, 0, SS_MSEC);
}

static void
test_kill_6 (void)
{
  kill_each (6, 10, 0, SS_MSEC);
}

static void
test_kill_10 (void)
{
  kill_each (10, 5, 0, SS_MSEC);
}

static void
test_kill_32 (void)
{
  kill_each (32, 1, 0, SS_MSEC);
}

static void
test_kill_slow (void)
{
  kill_each (6, 5, 0, 25 * SS_MSEC);
}

static void
test_kill_lossy (void)
{
  kill_each (6, 5, 0.02, SS_MSEC);
  kill_each (3, 5, 0.02, SS_MSEC);
  kill_each (4, 5, 0.05, SS_MSEC);
  kill_each (10, 2, 0.05, 5 * SS_MSEC);
}

/* Who needs nothing of its dead parent notices all the same, when the first
 * packet is overdue: within the stripes' turn and some round trips, while a
 * keepalive comes every 5 s. */
static void
test_kill_rebuilt (void)
{
  const unsigned n = 10;
  for (uint64_t seed = 1; seed <= 3; seed++)
    for (unsigned victim = 1; victim < n; victim++) {
      WorldOptions options = {
        .seed = seed, .n = n, .delay = 25 * SS_MSEC, .rebuilds = true
      };
      World *world = world_new (&options);
      for (unsigned i = 1; i < n; i++)
        world_join (world, i);
      world_run (world, SS_SEC);
      world_publish (world, true);
      world_run (world, 5 * SS_SEC + (SsTime) (seed * 37) * SS_MSEC);
      world_kill (world, victim);
      world_run (world, 2 * SS_SEC);
      char *text = world_check_trees (world);
      if (text)
        g_test_message ("seed %" G_GUINT64_FORMAT ", victim %u: %s", seed,
                        victim, text);
      g_assert_null (text);
      world_free (world);
    }
}

/* Keepalives to many parents go out together: a node that is at rest wakes up a
 * few times in their interval, not once for each parent. */
static void
test_keepalives (void)
{
  const SsTime step = 100 * SS_MSEC;
  const unsigned n = 40, n_steps = 100;
  for (uint64_t seed = 1; seed <= 3; seed++) {
    World *world = start (n, seed, 0, 10 * SS_MSEC);
    world_publish (world, false);
    world_run (world, 30 * SS_SEC);
    unsigned n_awake = 0;
    for (unsigned i = 0; i < n_steps; i++) {
      world_reset_counts (world);
      world_run (world, step);
      for (unsigned j = 1; j < n; j++)
        n_awake += world_control_bytes (world, j) > 0;
    }
    double each = (double) n_awake / (n - 1);
    g_test_message ("seed %" G_GUINT64_FORMAT ": awake in %.1f of %u steps",
                    seed, each, n_steps);
    g_assert_cmpfloat (each, <=, 3);
    world_free (world);
  }
}

/* No death: loss alone. The source's upload stays about one copy, control
 * traffic small. */
static void
steady (unsigned n, double loss, SsTime delay, double copies_max)
{
  double copies = 0, source_control = 0, control_max = 0;
  const unsigned seeds = 4, seconds = 40;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    World *world = start (n, seed, loss, delay);
    world_run (world, 3 * SS_SEC);
    world_reset_counts (world);
    unsigned before = world_published (world);
    world_run (world, seconds * SS_SEC);
    unsigned published = world_published (world) - before;
    copies += (double) world_packets_sent (world, 0) / published / seeds;
    source_control += (double) world_control_bytes (world, 0) / seconds / seeds;
    for (unsigned i = 1; i < n; i++)
      control_max =
          MAX (control_max, (double) world_control_bytes (world, i) / seconds);
    g_assert_cmpuint (lost_by_all (world, n), ==, 0);
    assert_trees (world, "steady", seed);
    world_free (world);
  }
  g_test_message ("n %u loss %.2f: source %.3f copies, %.0f control B/s; "
                  "listener at most %.0f control B/s",
                  n, loss, copies, source_control, control_max);
  g_assert_cmpfloat (copies, <=, copies_max);
  g_assert_cmpfloat (source_control, <, 700);
  g_assert_cmpfloat (control_max, <, 1500);
}

static void
test_steady (void)
{
  steady (3, 0, SS_MSEC, 1.01);
  steady (10, 0, SS_MSEC, 1.01);
  steady (32, 0, SS_MSEC, 1.01);
}

static void
test_steady_lossy (void)
{
  steady (3, 0.02, SS_MSEC, 1.2);
  steady (10, 0.02, SS_MSEC, 1.2);
  steady (32, 0.02, SS_MSEC, 1.2);
  steady (10, 0.05, SS_MSEC, 1.2);
  steady (32, 0.05, 20 * SS_MSEC, 1.2);
}

/* Listeners come while the station is on; one that has come loses nothing
 * from its second second on. */
static void
test_newcomers (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    const unsigned n = 31;
    WorldOptions options = { .seed = seed, .n = n, .delay = SS_MSEC };
    World *world = world_new (&options);
    world_publish (world, true);
    world_run (world, 2 * SS_SEC);
    for (unsigned i = 1; i < n; i++) {
      world_join (world, i);
      if (i % seed == 0) /* one by one, or several at once */
        world_run (world, 170 * SS_MSEC);
    }
    world_run (world, 10 * SS_SEC);
    g_assert_cmpuint (lost_by_all (world, n), ==, 0);
    assert_trees (world, "newcomers", seed);
    g_assert_cmpuint (world_fan_out_max (world), <=, SS_FAMILY_CHILDREN);
    world_free (world);
  }
}

/* A node that is silent for a while and comes back costs nobody a packet. */
static void
test_freeze (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++)
    for (unsigned victim = 1; victim < 6; victim++) {
      World *world = start (6, seed, 0, SS_MSEC);
      world_run (world, 5 * SS_SEC);
      world_kill (world, victim);
      world_run (world, (SsTime) (seed * 300) * SS_MSEC);
      unsigned lost = lost_by_all (world, 6);
      world_revive (world, victim);
      world_forgive (world, victim);
      world_run (world, 10 * SS_SEC);
      g_assert_cmpuint (lost + lost_by_all (world, 6), ==, 0);
      assert_trees (world, "frozen and back", seed);
      world_free (world);
    }
}

/* A node that comes into the ring closer to a stripe than its root. */
static void
test_closer (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    const unsigned n = 8;
    WorldOptions options = { .seed = seed, .n = n, .delay = SS_MSEC };
    World *world = world_new (&options);
    for (unsigned i = n / 2; i < n; i++)
      world_set_in_ring (world, i, false);
    for (unsigned i = 1; i < n / 2; i++)
      world_join (world, i);
    world_run (world, SS_SEC);
    world_publish (world, true);
    for (unsigned i = n / 2; i < n; i++) {
      world_run (world, 2 * SS_SEC);
      world_set_in_ring (world, i, true);
      if (i % 2) /* the others are only roots */
        world_join (world, i);
    }
    world_run (world, 5 * SS_SEC);
    g_assert_cmpuint (lost_by_joined (world, n), ==, 0);
    assert_trees (world, "closer", seed);
    world_free (world);
  }
}

static void
test_leave (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++)
    for (unsigned leaver = 1; leaver < 6; leaver++) {
      World *world = start (6, seed, 0, SS_MSEC);
      world_run (world, 5 * SS_SEC);
      world_leave (world, leaver);
      world_run (world, 5 * SS_SEC);
      g_assert_cmpuint (lost_by_all (world, 6), ==, 0);
      SsTime latest = 0;
      for (unsigned i = 1; i < 6; i++)
        if (world_is_alive (world, i))
          latest = MAX (latest, world_latest (world, i));
      /* No repair was needed. */
      g_assert_cmpint (latest, <=, 100 * SS_MSEC);
      assert_trees (world, "left", seed);
      world_free (world);
    }
}

/* Relays are interior though they neither play nor ask. */
static void
test_relays (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    const unsigned n = 16, n_relays = 6;
    WorldOptions options = { .seed = seed,
                             .n = n,
                             .delay = SS_MSEC,
                             .loss = 0.02,
                             .detours = 50,
                             .n_relays = n_relays };
    World *world = world_new (&options);
    for (unsigned i = 1; i < n - n_relays; i++)
      world_join (world, i);
    world_run (world, SS_SEC);
    world_publish (world, true);
    world_run (world, 8 * SS_SEC);
    world_kill (world, n - 1);
    world_run (world, 5 * SS_SEC);
    world_kill (world, n - 2);
    world_run (world, 8 * SS_SEC);
    g_assert_cmpuint (lost_by_joined (world, n), ==, 0);
    assert_trees (world, "relays", seed);
    world_free (world);
  }
}

/* Forwarders that have one child, under the root or with a forwarder as that
 * child: nobody needs them. */
static unsigned
count_lone (const World *world, unsigned n, unsigned n_members)
{
  unsigned lone = 0;
  for (unsigned i = n_members; i < n; i++)
    for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++) {
      const SsGroup *group = world_group (world, i, stripe);
      SsContact child;
      if (!group || ss_group_is_root (group) || !ss_group_in_tree (group)
          || ss_group_n_children (group) != 1
          || ss_group_children (group, &child, 1) != 1)
        continue;
      lone += ss_group_depth (group) == 1
              || world_node_of (world, &child.id) >= n_members;
    }
  return lone;
}

/* Chains of forwarders go, and no packet is lost meanwhile. */
static void
test_chains (void)
{
  unsigned before = 0;
  for (uint64_t seed = 1; seed <= 10; seed++) {
    const unsigned n = 120, n_members = 6;
    WorldOptions options = { .seed = seed,
                             .n = n,
                             .delay = SS_MSEC,
                             .loss = seed % 2 ? 0.02 : 0,
                             .detours = 100,
                             .n_relays = n - n_members };
    World *world = world_new (&options);
    for (unsigned i = 1; i < n_members; i++)
      world_join (world, i);
    world_run (world, SS_SEC);
    world_publish (world, true);
    world_run (world, 2 * SS_SEC);
    before += count_lone (world, n, n_members);
    world_run (world, 40 * SS_SEC);
    g_assert_cmpuint (count_lone (world, n, n_members), ==, 0);
    g_assert_cmpuint (lost_by_joined (world, n), ==, 0);
    assert_trees (world, "chains", seed);
    world_free (world);
  }
  g_test_message ("%u lone forwarders at first", before);
  g_assert_cmpuint (before, >, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/keepalives", test_keepalives);
  g_test_add_func ("/scribe/trees", test_trees);
  g_test_add_func ("/scribe/steady", test_steady);
  g_test_add_func ("/scribe/steady-lossy", test_steady_lossy);
  g_test_add_func ("/scribe/newcomers", test_newcomers);
  g_test_add_func ("/scribe/freeze", test_freeze);
  g_test_add_func ("/scribe/closer", test_closer);
  g_test_add_func ("/scribe/leave", test_leave);
  g_test_add_func ("/scribe/relays", test_relays);
  g_test_add_func ("/scribe/chains", test_chains);
  g_test_add_func ("/scribe/kill/3", test_kill_3);
  g_test_add_func ("/scribe/kill/4", test_kill_4);
  g_test_add_func ("/scribe/kill/6", test_kill_6);
  g_test_add_func ("/scribe/kill/10", test_kill_10);
  g_test_add_func ("/scribe/kill/32", test_kill_32);
  g_test_add_func ("/scribe/kill/slow", test_kill_slow);
  g_test_add_func ("/scribe/kill/lossy", test_kill_lossy);
  g_test_add_func ("/scribe/kill/rebuilt", test_kill_rebuilt);
  return g_test_run ();
}
