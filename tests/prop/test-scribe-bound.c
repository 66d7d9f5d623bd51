/* Nodes that have no more children than they can carry: what is asked of the
 * trees then, over many seeds. */
#include <glib.h>

#include "tests/harness/scribe_world.h"

#define NODES    160
#define PATIENCE 60 /* seconds */

/* The first nodes can be reached unasked. */
static World *
start (uint64_t seed, unsigned children_max, unsigned n_reachable)
{
  WorldOptions options = {
    .seed = seed,
    .n = NODES,
    .delay = 10 * SS_MSEC,
    .detours = 30,
    .children_max = children_max,
    .is_bounded = true,
  };
  World *world = world_new (&options);
  for (unsigned i = n_reachable; i < NODES; i++)
    world_set_client (world, i);
  for (unsigned i = 1; i < NODES; i++)
    world_join (world, i);
  return world;
}

static bool
is_own (const World *world, unsigned node, unsigned stripe)
{
  return ss_id_digit (world_node_id (world, node), 0)
         == ss_id_digit (world_group_id (world, stripe), 0);
}

/* Nodes that take children in a stripe that is not theirs and that they are
 * not the root of. */
static unsigned
count_foreign (const World *world, unsigned stripe)
{
  unsigned n = 0;
  for (unsigned i = 1; i < NODES; i++) {
    const SsGroup *group = world_group (world, i, stripe);
    if (group && !ss_group_is_root (group) && !is_own (world, i, stripe)
        && ss_group_parent (group) != NULL
        && !ss_id_equal (&ss_group_parent (group)->id,
                         world_node_id (world, 0)))
      n += ss_group_n_children (group) > 0;
  }
  return n;
}

/* Where a stripe's own nodes can carry it, though they may be the roots of
 * others, nobody else does; and all find a place. */
static void
test_disjoint (void)
{
  const unsigned most = 40;
  for (uint64_t seed = 1; seed <= 4; seed++) {
    World *world = start (seed, most, NODES);
    char *text = NULL;
    for (unsigned i = 0; i < PATIENCE; i++) {
      world_run (world, SS_SEC);
      g_assert_cmpuint (world_fan_out_max (world), <=, most);
    }
    text = world_check_trees (world);
    g_assert_cmpstr (text, ==, NULL);
    for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++) {
      unsigned n_own = 0;
      for (unsigned i = 1; i < NODES; i++)
        n_own += is_own (world, i, stripe);
      if (n_own * most >= 2 * NODES)
        g_assert_cmpuint (count_foreign (world, stripe), ==, 0);
    }
    world_free (world);
  }
}

/* Where there is not room for all, nobody takes more than it can, and who is
 * left out asks at a pace that costs little. */
static void
test_too_little (void)
{
  const unsigned most = 8; /* half of what is needed */
  for (uint64_t seed = 1; seed <= 2; seed++) {
    World *world = start (seed, most, NODES);
    world_run (world, 20 * SS_SEC);
    world_reset_counts (world);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < PATIENCE; i++) {
      world_run (world, SS_SEC);
      g_assert_cmpuint (world_fan_out_max (world), <=, most);
    }
    for (unsigned i = 1; i < NODES; i++)
      bytes += world_control_bytes (world, i);
    g_test_message ("%.0f bytes a node and second",
                    (double) bytes / NODES / PATIENCE);
    g_assert_cmpuint (bytes, <, (uint64_t) NODES * PATIENCE * 2000);
    world_free (world);
  }
}

/* Most cannot be reached unasked, so that nobody is sent to them: what others
 * take over the bound is one child in each tree whose root they are. */
static void
test_clients (void)
{
  const unsigned most = 8, n_reachable = 9;
  for (uint64_t seed = 1; seed <= 2; seed++) {
    World *world = start (seed, most, n_reachable);
    for (unsigned i = 0; i < PATIENCE; i++) {
      world_run (world, SS_SEC);
      g_assert_cmpuint (world_fan_out_max (world), <=, most + WORLD_STRIPES);
    }
    world_free (world);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/bound/disjoint", test_disjoint);
  g_test_add_func ("/scribe/bound/too-little", test_too_little);
  g_test_add_func ("/scribe/bound/clients", test_clients);
  return g_test_run ();
}
