/* Who is advised to go to another parent, and has one, tries it first. */
#include <glib.h>
#include <string.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

#define GAIN (100 * SS_MSEC)

enum { NODES = 12 };

typedef struct {
  World *world;
  SsGroup *group;    /* a child of the root, */
  SsContact before;  /*   its parent, */
  SsContact sibling; /* and who has said yes to being its next one */
} Bench;

static void
advise (Bench *bench)
{
  SsGroup *root = world_group (
      bench->world, world_node_of (bench->world, &bench->before.id), 0);
  ss_group_advise (root, &bench->sibling);
  world_run (bench->world, 50 * SS_MSEC);
}

/* In a world at rest: nothing is published by itself. */
static void
settle (Bench *bench)
{
  WorldOptions options = { .seed = 7, .n = NODES, .delay = SS_MSEC };
  *bench = (Bench){ .world = world_new (&options) };
  for (unsigned i = 1; i < NODES; i++)
    world_join (bench->world, i);
  world_run (bench->world, 3 * SS_SEC);
  SsContact children[2];
  unsigned root = world_true_root (bench->world, 0);
  SsGroup *group = world_group (bench->world, root, 0);
  g_assert_cmpuint (ss_group_children (group, children, 2), ==, 2);
  bench->sibling = children[0];
  bench->group = world_group (bench->world,
                              world_node_of (bench->world, &children[1].id), 0);
  bench->before = bench->group->parent;
  world_publish (bench->world, false);
  unsigned sibling = world_node_of (bench->world, &bench->sibling.id);
  ss_family_set_bound (world_family (bench->world, sibling), 1000);
}

static void
begin (Bench *bench)
{
  settle (bench);
  advise (bench);
  g_assert_true (ss_trial_is_of (bench->group, &bench->sibling));
}

static bool
has_parent (const Bench *bench, const SsContact *parent)
{
  return bench->group->has_parent
         && ss_contact_equal (&bench->group->parent, parent);
}

/* Does the sibling take it for its child? */
static bool
is_taken (const Bench *bench)
{
  unsigned node = world_node_of (bench->world, &bench->sibling.id);
  return ss_group_child_find (world_group (bench->world, node, 0),
                              ss_scribe_self (bench->group->scribe))
         != NULL;
}

/* One comes that the sibling did not have when it said yes, or one before. */
static void
pass (Bench *bench, const SsContact *from, SsPacketVia via, bool is_later)
{
  uint32_t known = bench->group->join->trial_from;
  ss_trial_packet (bench->group, from, is_later ? known + 1 : known, via, true);
}

/* What it had is not owed down the tree: whoever sends that, the trial goes
 * on. */
static void
test_serves (void)
{
  Bench bench;
  begin (&bench);
  world_run (bench.world, SS_SEC);
  g_assert_true (has_parent (&bench, &bench.before));
  pass (&bench, &bench.before, SS_VIA_TREE, true);
  for (unsigned i = 0; i < 4; i++) {
    pass (&bench, &bench.sibling, SS_VIA_REPAIR, i < 2);
    pass (&bench, &bench.before, SS_VIA_TREE, false);
  }
  g_assert_true (has_parent (&bench, &bench.before));
  pass (&bench, &bench.sibling, SS_VIA_TREE, true);
  world_run (bench.world, 50 * SS_MSEC);
  g_assert_true (has_parent (&bench, &bench.sibling));
  g_assert_null (bench.group->join);
  world_free (bench.world);
}

/* It stays where it was, and does not go there for a while. */
static void
test_does_not_serve (void)
{
  Bench bench;
  begin (&bench);
  g_assert_true (is_taken (&bench));
  for (unsigned i = 0; i < 4; i++)
    pass (&bench, &bench.before, SS_VIA_TREE, true);
  g_assert_nonnull (bench.group->join); /* it had hardly any time */
  world_run (bench.world, SS_SEC);
  pass (&bench, &bench.before, SS_VIA_TREE, true);
  g_assert_null (bench.group->join);
  g_assert_true (ss_service_shirks (bench.group->scribe, &bench.sibling.id));
  world_run (bench.world, 500 * SS_MSEC);
  g_assert_true (has_parent (&bench, &bench.before));
  g_assert_false (is_taken (&bench));
  advise (&bench);
  g_assert_null (bench.group->join);
  world_free (bench.world);
}

/* While nothing is published nobody can be judged; while something was, by
 * whoever it came, who sent nothing is none the better. */
static void
test_time (void)
{
  Bench bench;
  begin (&bench);
  world_run (bench.world, SS_TRIAL_TIME);
  g_assert_true (has_parent (&bench, &bench.sibling));
  world_free (bench.world);
  begin (&bench);
  pass (&bench, &bench.before, SS_VIA_TREE, true);
  world_run (bench.world, SS_TRIAL_TIME + 500 * SS_MSEC);
  g_assert_true (has_parent (&bench, &bench.before));
  g_assert_false (is_taken (&bench));
  world_free (bench.world);
}

/* If the old one dies meanwhile there is no choice. */
static void
test_no_choice (void)
{
  Bench bench;
  begin (&bench);
  ss_join_start (bench.group, &bench.before);
  world_run (bench.world, 50 * SS_MSEC);
  g_assert_true (has_parent (&bench, &bench.sibling));
  world_free (bench.world);
}

/* It is suspected: nobody else is taken in its place untried. */
static void
test_suspected (void)
{
  Bench bench;
  begin (&bench);
  ss_kbr_suspect (bench.group->scribe->kbr, &bench.sibling);
  g_assert_null (bench.group->join);
  g_assert_true (has_parent (&bench, &bench.before));
  world_free (bench.world);
}

/* Who says that it is the root, and is not the one that is known, is tried. */
static void
test_false_root (void)
{
  Bench bench;
  begin (&bench);
  bench.group->join->trial = SS_TRIAL_NONE;
  SsMsgScribeJoinAck ack = { .nonce = bench.group->join->nonce, .n_path = 1 };
  memcpy (ack.tag, bench.group->id.b, SS_TAG_LEN);
  ack.path[0] = ss_prefix_of (&bench.sibling.id);
  g_assert_true (ss_contact_equal (&bench.group->root, &bench.before));
  ss_upstream_handle_join_ack (bench.group->scribe, &bench.sibling, &ack);
  g_assert_true (has_parent (&bench, &bench.before));
  g_assert_true (ss_contact_equal (&bench.group->root, &bench.before));
  g_assert_true (ss_trial_is_of (bench.group, &bench.sibling));
  world_free (bench.world);
}

/* Its parent sends late. A sibling's child looks for one that has it sooner; as
 * it is below one itself that is as late, it is led to the root. */
static void
begin_sooner (Bench *bench)
{
  begin (bench);
  world_run (bench->world, SS_TRIAL_TIME + 500 * SS_MSEC);
  g_assert_true (has_parent (bench, &bench->sibling));
  unsigned root = world_node_of (bench->world, &bench->before.id);
  ss_family_set_bound (world_family (bench->world, root), 1000);
  ss_group_seek_sooner (bench->group, GAIN);
  world_run (bench->world, 100 * SS_MSEC);
  g_assert_true (ss_trial_is_of (bench->group, &bench->before));
  g_assert_true (has_parent (bench, &bench->sibling));
}

/* The next packet down the tree from who is tried, and then from the parent. */
static void
pass_both (Bench *bench, uint32_t number, SsTime later)
{
  uint32_t sequence = bench->group->join->trial_from + number;
  SsEnv *env = bench->group->scribe->env;
  env->now = world_now (bench->world);
  ss_trial_packet (bench->group, &bench->before, sequence, SS_VIA_TREE, true);
  world_run (bench->world, later);
  env->now = world_now (bench->world);
  ss_trial_packet (bench->group, &bench->sibling, sequence, SS_VIA_TREE, false);
}

/* It is taken when it has been sooner twice, by enough. */
static void
test_sooner (void)
{
  Bench bench;
  begin_sooner (&bench);
  pass_both (&bench, 1, GAIN);
  g_assert_true (has_parent (&bench, &bench.sibling));
  pass_both (&bench, 2, GAIN);
  world_run (bench.world, 50 * SS_MSEC);
  g_assert_true (has_parent (&bench, &bench.before));
  g_assert_null (bench.group->join);
  /* Where there is a choice it does not go back at once. */
  g_assert_true (ss_service_dawdles (bench.group->scribe, &bench.sibling.id));
  g_assert_false (ss_service_shirks (bench.group->scribe, &bench.sibling.id));
  world_free (bench.world);
}

/* Its parent dies meanwhile. Nothing is missed, as who is tried sends all; that
 * the parent sends nothing any more is noticed all the same. */
static void
test_sooner_than_dead (void)
{
  Bench bench;
  begin_sooner (&bench);
  SsEnv *env = bench.group->scribe->env;
  world_kill (bench.world, world_node_of (bench.world, &bench.sibling.id));
  uint32_t from = bench.group->join->trial_from;
  for (uint32_t i = 1; i <= 2; i++) {
    world_run (bench.world, 100 * SS_MSEC);
    env->now = world_now (bench.world);
    g_assert_true (has_parent (&bench, &bench.sibling));
    ss_trial_packet (bench.group, &bench.before, from + i, SS_VIA_TREE, true);
  }
  world_run (bench.world, SS_SEC / 2);
  g_assert_true (has_parent (&bench, &bench.before));
  g_assert_null (bench.group->join);
  world_free (bench.world);
}

/* One that is hardly sooner, or later, is no parent; nor does it shirk. */
static void
test_no_sooner (void)
{
  for (unsigned way = 0; way < 2; way++) {
    Bench bench;
    begin_sooner (&bench);
    world_run (bench.world, SS_SEC);
    for (uint32_t i = 1; i <= 3; i++) {
      g_assert_nonnull (bench.group->join);
      uint32_t sequence = bench.group->join->trial_from + i;
      if (way == 0) {
        pass_both (&bench, i, GAIN - SS_MSEC);
        continue;
      }
      ss_trial_packet (bench.group, &bench.before,
                       bench.group->join->trial_from, SS_VIA_TREE, true);
      ss_trial_packet (bench.group, &bench.sibling, sequence, SS_VIA_TREE,
                       true);
    }
    world_run (bench.world, SS_SEC);
    SsContact other = bench.before;
    g_assert_true (has_parent (&bench, &bench.sibling));
    g_assert_true (ss_service_dawdles (bench.group->scribe, &other.id));
    g_assert_false (ss_service_shirks (bench.group->scribe, &other.id));
    g_assert_null (bench.group->join);
    world_free (bench.world);
  }
}

/* A parent that advises without end does not send its children to others more
 * often than this. */
static void
test_pause (void)
{
  Bench bench;
  begin (&bench);
  ss_join_cancel (bench.group);
  advise (&bench);
  g_assert_null (bench.group->join);
  world_run (bench.world, SS_ADVICE_PAUSE);
  advise (&bench);
  g_assert_nonnull (bench.group->join);
  world_free (bench.world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/trial/serves", test_serves);
  g_test_add_func ("/scribe/trial/does-not-serve", test_does_not_serve);
  g_test_add_func ("/scribe/trial/time", test_time);
  g_test_add_func ("/scribe/trial/no-choice", test_no_choice);
  g_test_add_func ("/scribe/trial/suspected", test_suspected);
  g_test_add_func ("/scribe/trial/false-root", test_false_root);
  g_test_add_func ("/scribe/trial/pause", test_pause);
  g_test_add_func ("/scribe/trial/sooner", test_sooner);
  g_test_add_func ("/scribe/trial/sooner-than-dead", test_sooner_than_dead);
  g_test_add_func ("/scribe/trial/no-sooner", test_no_sooner);
  return g_test_run ();
}
