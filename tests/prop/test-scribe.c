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
        g_test_message ("n %u seed %" G_GUINT64_FORMAT ": fan-out %u",
                        sizes[s], seed, world_fan_out_max (world));
      g_assert_cmpuint (world_fan_out_max (world), <=,
                        SS_FAMILY_CHILDREN + SS_FAMILY_CHILDREN / 8);
      g_assert_cmpuint (lost_by_all (world, sizes[s]), ==, 0);
      world_free (world);
    }
}

static void
kill_each (unsigned n, uint64_t seeds, double loss, SsTime delay)
{
  SsTime worst = 0;
  double most = 0;
  for (uint64_t seed = 1; seed <= seeds; seed++)
    for (unsigned victim = 1; victim < n; victim++) {
      World *world = start (n, seed, loss, delay);
      world_run (world, 5 * SS_SEC + (SsTime) (seed * 37) * SS_MSEC);
      world_kill (world, victim);
      world_run (world, 8 * SS_SEC);
      unsigned lost = lost_by_all (world, n);
      if (lost)
        g_test_message ("n %u seed %" G_GUINT64_FORMAT " victim %u lost %u",
                        n, seed, victim, lost);
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
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/trees", test_trees);
  g_test_add_func ("/scribe/kill/3", test_kill_3);
  g_test_add_func ("/scribe/kill/4", test_kill_4);
  g_test_add_func ("/scribe/kill/6", test_kill_6);
  g_test_add_func ("/scribe/kill/10", test_kill_10);
  g_test_add_func ("/scribe/kill/32", test_kill_32);
  g_test_add_func ("/scribe/kill/slow", test_kill_slow);
  g_test_add_func ("/scribe/kill/lossy", test_kill_lossy);
  return g_test_run ();
}
