/* Parents that do not serve: which are left, and which are not. */
#include <glib.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

enum { NODES = 60, OUT = 16 };

typedef struct {
  World *world;
  SsScribe *scribe;
  SsGroup *group; /* has a parent */
  SsContact other;
  uint32_t sequence;
} Bench;

/* A group of the node in which its parent is not the root. */
static SsGroup *
find_child (World *world, unsigned node)
{
  for (unsigned i = 0; i < WORLD_STRIPES; i++) {
    SsGroup *group = world_group (world, node, i);
    if (group->has_parent && ss_group_depth (group) > 1)
      return group;
  }
  return NULL;
}

/* A world at rest, in which nothing is published by itself. */
static void
begin (Bench *bench)
{
  WorldOptions options = {
    .seed = 3, .n = NODES, .delay = SS_MSEC, .children_max = OUT
  };
  *bench = (Bench){ .world = world_new (&options), .sequence = 100 };
  for (unsigned i = 1; i < NODES; i++)
    world_join (bench->world, i);
  world_run (bench->world, 5 * SS_SEC);
  bench->group = find_child (bench->world, 5);
  g_assert_nonnull (bench->group);
  bench->scribe = bench->group->scribe;
  ss_service_begin (bench->group, true);
}

/* One packet, here by another way. Returns whether the parent is being left. */
static bool
miss (Bench *bench)
{
  ss_service_packet (bench->group, &bench->other, bench->sequence++,
                     SS_VIA_REPAIR, true);
  return bench->group->join != NULL;
}

static bool
serve (Bench *bench, uint32_t sequence, bool is_new)
{
  SsContact parent = bench->group->parent;
  ss_service_packet (bench->group, &parent, sequence, SS_VIA_TREE, is_new);
  return bench->group->join != NULL;
}

/* One that has never sent anything is left after two packets, one that has
 * after four; who it was is remembered. */
static void
test_idle_parent (void)
{
  Bench bench;
  begin (&bench);
  g_assert_false (miss (&bench));
  g_assert_true (miss (&bench));
  g_assert_true (bench.group->join->unserved);
  SsId left = bench.group->parent.id;
  g_assert_true (ss_service_shirks (bench.scribe, &left));
  world_run (bench.world, SS_SEC);
  g_assert_true (bench.group->has_parent);
  g_assert_false (ss_id_equal (&bench.group->parent.id, &left));
  world_free (bench.world);

  begin (&bench);
  for (unsigned i = 0; i < 10; i++)
    g_assert_false (serve (&bench, bench.sequence++, true));
  /* What it sends again is no service. */
  for (unsigned i = 0; i < 3; i++) {
    g_assert_false (miss (&bench));
    for (unsigned k = 0; k < 3; k++)
      g_assert_false (serve (&bench, 100 + k, false));
  }
  g_assert_true (miss (&bench));
  world_free (bench.world);
}

/* A parent is found while another group of those that are fed by turns is ahead
 * by so much, if that is not only said. Returns how many packets are missed
 * before it is left. */
static unsigned
miss_behind (unsigned ahead, bool is_hearsay)
{
  Bench bench;
  begin (&bench);
  SsGroup *other = ss_group_after (bench.scribe, NULL);
  if (other == bench.group)
    other = ss_group_after (bench.scribe, &other->id);
  g_assert_true (other->family == bench.group->family);
  other->has_newest = true;
  other->newest = bench.sequence + ahead;
  other->is_hearsay = is_hearsay;
  ss_service_begin (bench.group, true);
  unsigned n = 1;
  while (!miss (&bench))
    n++;
  world_free (bench.world);
  return n;
}

/* Who has been without a parent for rows is still being given those by others
 * when it has found one, and leaves it for later ones only. What a child says
 * that there is does not excuse the parent. */
static void
test_catching_up (void)
{
  g_assert_cmpuint (miss_behind (0, false), ==, 2);
  g_assert_cmpuint (miss_behind (12, false), ==, 12 + 2);
  g_assert_cmpuint (miss_behind (12, true), ==, 2);
}

/* Parity gives packets, and the parent sends each so much later, if at all.
 * Returns how many it takes until it is left; n: it is not. */
static unsigned
rebuild (Bench *bench, unsigned n, SsTime later)
{
  SsId parent = bench->group->parent.id;
  for (unsigned i = 0; i < n; i++) {
    uint32_t sequence = bench->sequence++;
    ss_service_packet (bench->group, NULL, sequence, SS_VIA_REPAIR, true);
    if (bench->group->join || !ss_id_equal (&bench->group->parent.id, &parent))
      return i;
    if (later > 0) {
      world_run (bench->world, later);
      serve (bench, sequence, false);
    }
    world_run (bench->world, SS_SEC - later);
  }
  return n;
}

/* A row's last packet may come after its parity, down another tree, again and
 * again: that is no fault. Nor is a fast stream's, when several are on their
 * way. */
static void
test_parity_first (void)
{
  Bench bench;
  begin (&bench);
  g_assert_cmpuint (rebuild (&bench, 30, 100 * SS_MSEC), ==, 30);
  g_assert_true (ss_service_pays (bench.group));
  uint32_t first = bench.sequence;
  for (unsigned i = 0; i < SS_SERVICE_OWED_MAX; i++)
    ss_service_packet (bench.group, NULL, bench.sequence++, SS_VIA_REPAIR,
                       true);
  world_run (bench.world, 100 * SS_MSEC);
  for (uint32_t i = first; i != bench.sequence; i++)
    g_assert_false (serve (&bench, i, false));
  world_free (bench.world);

  begin (&bench);
  g_assert_cmpuint (rebuild (&bench, 30, 400 * SS_MSEC), <=, 4);
  world_free (bench.world);

  begin (&bench);
  g_assert_cmpuint (rebuild (&bench, 30, 0), <=, 4);
  world_free (bench.world);
}

/* What was sent before it became the parent is not its debt. */
static void
test_earlier (void)
{
  Bench bench;
  begin (&bench);
  GBytes *packet = g_bytes_new_static ("packet", 6);
  ss_history_put (bench.group, bench.sequence + 20, packet);
  g_bytes_unref (packet);
  ss_service_begin (bench.group, true);
  for (unsigned i = 0; i <= 20; i++)
    g_assert_false (miss (&bench));
  g_assert_false (miss (&bench));
  g_assert_true (miss (&bench));
  world_free (bench.world);
}

/* Chance loss leaves parents where they are: of 10%, hardly ever. One that is
 * itself repaired sends each packet a moment late, and is given time. */
static void
test_chance (void)
{
  Bench bench;
  unsigned n_left = 0;
  begin (&bench);
  SsRng rng;
  ss_rng_init_number (&rng, 1);
  for (unsigned i = 0; i < 20000; i++) {
    bool is_lost = ss_rng_below (&rng, 10) == 0;
    if (is_lost ? miss (&bench) : serve (&bench, bench.sequence++, true)) {
      n_left++;
      ss_join_cancel (bench.group);
      ss_service_begin (bench.group, true);
    }
  }
  g_assert_cmpuint (n_left, <, 20000 / 400);
  ss_service_begin (bench.group, true);
  for (unsigned i = 0; i < 5; i++) {
    g_assert_false (miss (&bench));
    g_assert_false (serve (&bench, bench.sequence - 1, false));
  }
  world_free (bench.world);
}

/* If most parents are bad at once it is this node's own line. */
static void
test_own_trouble (void)
{
  Bench bench;
  begin (&bench);
  SsGroup *groups[WORLD_STRIPES];
  unsigned n = 0;
  for (unsigned i = 0; i < WORLD_STRIPES; i++) {
    groups[n] = world_group (bench.world, 5, i);
    if (groups[n]->has_parent)
      n++;
  }
  g_assert_cmpuint (n, >, 10);
  for (unsigned i = 0; i < n; i++)
    ss_service_begin (groups[i], true);
  unsigned n_left = 0;
  for (unsigned k = 0; k < 4; k++)
    for (unsigned i = 0; i < n; i++) {
      ss_service_packet (groups[i], &bench.other, 1000 + k, SS_VIA_REPAIR,
                         true);
      n_left += groups[i]->join != NULL;
    }
  /* The first few may seem to blame. */
  g_assert_cmpuint (n_left, <, 4 * n / 2);
  world_free (bench.world);
}

/* The others of the family get packets, round by round, and this one none:
 * as with parity, which nobody asks for. */
static void
test_idle_group (void)
{
  Bench bench;
  begin (&bench);
  for (unsigned k = 0; k < 20 && !bench.group->join; k++)
    for (unsigned i = 0; i < WORLD_STRIPES; i++) {
      SsGroup *group = world_group (bench.world, 5, i);
      SsContact parent = group->parent;
      if (group != bench.group)
        ss_service_packet (group, group->has_parent ? &parent : NULL, 1000 + k,
                           SS_VIA_TREE, true);
    }
  g_assert_nonnull (bench.group->join);
  for (unsigned i = 0; i < WORLD_STRIPES; i++) {
    SsGroup *group = world_group (bench.world, 5, i);
    if (group != bench.group)
      g_assert_null (group->join);
  }
  world_free (bench.world);
}

/* One that seems dead now and then, since it answers no requests, is left all
 * the same once it is not dead; as is one that is come back to. */
static void
test_seems_dead (void)
{
  Bench bench;
  begin (&bench);
  SsContact parent = bench.group->parent;
  ss_join_start (bench.group, &parent);
  for (unsigned i = 0; i < 4; i++)
    miss (&bench);
  g_assert_false (bench.group->join->unserved);
  ss_upstream_recovered (bench.scribe, &parent);
  g_assert_null (bench.group->join);
  ss_join_start (bench.group, &parent);
  for (unsigned i = 0; i < 4; i++)
    miss (&bench);
  ss_upstream_recovered (bench.scribe, &parent);
  g_assert_nonnull (bench.group->join);
  g_assert_true (bench.group->join->unserved);
  world_free (bench.world);

  begin (&bench);
  parent = bench.group->parent;
  for (unsigned i = 0; i < 10; i++)
    serve (&bench, bench.sequence++, true);
  ss_join_start (bench.group, &parent);
  miss (&bench);
  ss_upstream_recovered (bench.scribe, &parent);
  g_assert_null (bench.group->join);
  world_free (bench.world);

  begin (&bench);
  unsigned root = world_true_root (bench.world, 0), node = 0;
  parent = *ss_kbr_self (world_scribe (bench.world, root)->kbr);
  do
    bench.group = world_group (bench.world, ++node, 0);
  while (!bench.group->has_parent
         || !ss_contact_equal (&bench.group->parent, &parent));
  bench.scribe = bench.group->scribe;
  ss_service_begin (bench.group, true);
  for (unsigned k = 0; k < 2; k++) {
    g_assert_false (ss_service_shirks (bench.scribe, &parent.id));
    ss_upstream_become_root (bench.group); /* provisionally */
    for (unsigned i = 0; i < 3; i++)
      miss (&bench);
    g_assert_null (bench.group->join);
    world_run (bench.world, SS_SEC);
  }
  g_assert_true (ss_service_shirks (bench.scribe, &parent.id));
  world_free (bench.world);
}

/* One node's word is not enough, however often it is said. */
static void
test_accused (void)
{
  Bench bench;
  begin (&bench);
  SsContact liar = *ss_kbr_self (world_scribe (bench.world, 7)->kbr);
  SsContact witness = *ss_kbr_self (world_scribe (bench.world, 8)->kbr);
  const SsId *accused = &bench.group->parent.id;
  for (unsigned i = 0; i < 10; i++)
    ss_service_accused (bench.scribe, &liar, ss_prefix_of (accused));
  g_assert_false (ss_service_shirks (bench.scribe, accused));
  ss_service_accused (bench.scribe, &witness, ss_prefix_of (accused));
  g_assert_true (ss_service_shirks (bench.scribe, accused));
  bench.scribe->env->now += 61 * SS_SEC;
  g_assert_false (ss_service_shirks (bench.scribe, accused));
  world_free (bench.world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/service/parity-first", test_parity_first);
  g_test_add_func ("/scribe/service/idle-parent", test_idle_parent);
  g_test_add_func ("/scribe/service/catching-up", test_catching_up);
  g_test_add_func ("/scribe/service/earlier", test_earlier);
  g_test_add_func ("/scribe/service/chance", test_chance);
  g_test_add_func ("/scribe/service/own-trouble", test_own_trouble);
  g_test_add_func ("/scribe/service/idle-group", test_idle_group);
  g_test_add_func ("/scribe/service/accused", test_accused);
  g_test_add_func ("/scribe/service/seems-dead", test_seems_dead);
  return g_test_run ();
}
