/* Roots that forward nothing: who is believed, who stands in for them, and what
 * a false accusation costs. */
#include <glib.h>
#include <string.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

enum { NODES = 40, GAP = 20, JUDGED = 12 };

typedef struct {
  World *world;
  unsigned stripe, root, next; /* that is closest to it, and after that */
  SsGroup *source;             /* the stripe's, at the source */
} Bench;

static void
begin_with (Bench *bench, uint64_t seed, unsigned stripe, SsTime delay)
{
  WorldOptions options = {
    .seed = seed, .n = NODES, .delay = delay, .packet_gap = GAP * SS_MSEC
  };
  *bench = (Bench){ .world = world_new (&options), .stripe = stripe };
  for (unsigned i = 1; i < NODES; i++)
    world_join (bench->world, i);
  world_publish (bench->world, true);
  world_run (bench->world, MAX (5 * SS_SEC, 50 * delay));
  bench->root = world_near (bench->world, stripe, 0);
  bench->next = world_near (bench->world, stripe, 1);
  bench->source = world_group (bench->world, 0, stripe);
}

/* A stripe whose root, and the two next to it, are not the source, and that has
 * many children there. */
static void
begin_far (Bench *bench, SsTime delay)
{
  for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++) {
    begin_with (bench, 5, stripe, delay);
    SsGroup *group = world_group (bench->world, bench->root, stripe);
    if (bench->root != 0 && bench->next != 0
        && world_near (bench->world, stripe, 2) != 0
        && ss_group_n_children (group) > 3)
      return;
    world_free (bench->world);
  }
  g_assert_not_reached ();
}

static void
begin (Bench *bench)
{
  begin_far (bench, 5 * SS_MSEC);
}

static SsGroup *
group_of (const Bench *bench, unsigned node)
{
  return world_group (bench->world, node, bench->stripe);
}

static bool
is_root_at_source (const Bench *bench, unsigned node)
{
  return bench->source->has_root
         && ss_id_equal (&bench->source->root.id,
                         world_node_id (bench->world, node));
}

static bool
is_aside (const Bench *bench, unsigned node)
{
  return ss_aside_has (bench->source, world_node_id (bench->world, node));
}

static unsigned
n_below (const Bench *bench, unsigned node)
{
  unsigned n = 0;
  for (unsigned i = 1; i < NODES; i++) {
    const SsGroup *group = group_of (bench, i);
    n += world_is_alive (bench->world, i) && group->has_parent
         && ss_id_equal (&group->parent.id, world_node_id (bench->world, node));
  }
  return n;
}

/* All but `except` have all that is due. */
static void
assert_nothing_lost (const Bench *bench, unsigned except)
{
  for (unsigned i = 1; i < NODES; i++)
    if (world_is_alive (bench->world, i) && i != except)
      g_assert_cmpuint (world_lost (bench->world, i), ==, 0);
}

/* A JOIN of `by` comes to the source: that one does not serve. */
static void
accuse (Bench *bench, unsigned by, unsigned accused)
{
  SsMsgScribeJoin join = { .group =
                               *world_group_id (bench->world, bench->stripe),
                           .nonce = 1,
                           .flags = SS_JOIN_UNSERVED | SS_JOIN_SHED };
  join.lost = ss_prefix_of (world_node_id (bench->world, accused));
  join.info = (SsWireBytes){ (const uint8_t *) "hello", 5 };
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  size_t len = ss_msg_scribe_join_encode (&join, data, sizeof data);
  world_inject (bench->world, by, 0, NULL, data, len);
}

/* Whoever is below an idle root tells the source, and goes to the next closest;
 * nobody misses anything. */
static void
test_idle (void)
{
  Bench bench;
  begin (&bench);
  g_assert_cmpuint (n_below (&bench, bench.root), >, 3);
  world_set_idle (bench.world, bench.root, true);
  world_run (bench.world, JUDGED * SS_SEC);
  g_assert_true (is_root_at_source (&bench, bench.next));
  g_assert_true (ss_group_is_root (group_of (&bench, bench.next)));
  g_assert_cmpuint (n_below (&bench, bench.root), ==, 0);
  assert_nothing_lost (&bench, 0);
  /* It goes on being asked for as long as that lasts. */
  world_run (bench.world, 3 * SS_STAND_IN_TIME);
  g_assert_true (ss_group_is_root (group_of (&bench, bench.next)));
  g_assert_cmpuint (n_below (&bench, bench.root), ==, 0);
  world_free (bench.world);
}

/* One voice is not enough, unless it is heard again later; one from long ago is
 * none; and who is not the root is not judged. */
static void
test_voices (void)
{
  Bench bench;
  begin (&bench);
  for (unsigned i = 0; i < 5; i++)
    accuse (&bench, 7, bench.root);
  g_assert_false (is_aside (&bench, bench.root));
  world_run (bench.world, SS_ACCUSED_TIME);
  accuse (&bench, 8, bench.root);
  g_assert_false (is_aside (&bench, bench.root));
  world_run (bench.world, SS_ACCUSED_ALONE);
  accuse (&bench, 8, bench.root);
  g_assert_true (is_aside (&bench, bench.root));
  world_free (bench.world);

  begin (&bench);
  for (unsigned by = 7; by < 12; by++)
    accuse (&bench, by, bench.next);
  g_assert_false (is_aside (&bench, bench.next));
  accuse (&bench, 7, bench.root);
  accuse (&bench, 8, bench.root);
  g_assert_true (is_aside (&bench, bench.root));
  world_free (bench.world);
}

/* A root that serves is accused: nobody has to move but who stands in, nobody
 * misses anything, and when the time is over all is as it was. */
static void
test_wrong (void)
{
  Bench bench;
  SsId parents[NODES];
  begin (&bench);
  for (unsigned i = 1; i < NODES; i++) {
    parents[i] = group_of (&bench, i)->parent.id;
    world_forgive (bench.world, i);
  }
  accuse (&bench, 7, bench.root);
  accuse (&bench, 8, bench.root);
  world_run (bench.world, JUDGED * SS_SEC);
  g_assert_true (is_root_at_source (&bench, bench.next));
  g_assert_true (ss_group_is_root (group_of (&bench, bench.root)));
  g_assert_true (ss_group_is_root (group_of (&bench, bench.next)));
  for (unsigned i = 1; i < NODES; i++)
    if (i != bench.root && i != bench.next)
      g_assert_true (
          ss_id_equal (&group_of (&bench, i)->parent.id, &parents[i]));
  assert_nothing_lost (&bench, 0);
  for (unsigned i = 1; i < NODES; i++)
    g_assert_cmpint (world_latest (bench.world, i), <, 100 * SS_MSEC);

  world_publish (bench.world, false);
  world_run (bench.world, SS_ASIDE_TIME);
  world_publish (bench.world, true);
  world_run (bench.world, JUDGED * SS_SEC);
  g_assert_true (is_root_at_source (&bench, bench.root));
  g_assert_false (ss_group_is_root (group_of (&bench, bench.next)));
  g_assert_cmpstr (world_check_trees (bench.world), ==, NULL);
  assert_nothing_lost (&bench, 0);
  world_free (bench.world);
}

/* Who stands in dies, or leaves; or the idle root does. */
static void
test_deaths (void)
{
  for (unsigned how = 0; how < 3; how++) {
    Bench bench;
    begin (&bench);
    unsigned third = world_near (bench.world, bench.stripe, 2);
    world_set_idle (bench.world, bench.root, true);
    world_run (bench.world, JUDGED * SS_SEC);
    if (how == 0)
      world_kill (bench.world, bench.next);
    else if (how == 1)
      world_leave (bench.world, bench.next);
    else
      world_kill (bench.world, bench.root);
    world_run (bench.world, JUDGED * SS_SEC);
    g_assert_true (is_root_at_source (&bench, how == 2 ? bench.next : third));
    g_assert_cmpuint (n_below (&bench, bench.root), ==, 0);
    assert_nothing_lost (&bench, 0);
    world_free (bench.world);
  }
}

/* Two are passed over at a time; then the first has another chance. */
static void
test_bound (void)
{
  Bench bench;
  begin (&bench);
  unsigned third = world_near (bench.world, bench.stripe, 2);
  const unsigned order[] = { bench.root, bench.next, third };
  for (unsigned i = 0; i < G_N_ELEMENTS (order); i++) {
    g_assert_true (is_root_at_source (&bench, order[i]));
    accuse (&bench, 7, order[i]);
    accuse (&bench, 8, order[i]);
    /* It has hardly begun. */
    accuse (&bench, 9, order[(i + 1) % 3]);
    accuse (&bench, 10, order[(i + 1) % 3]);
    world_run (bench.world, 3 * SS_SEC);
    g_assert_true (is_aside (&bench, order[i]));
  }
  g_assert_cmpuint (bench.source->aside->n, ==, SS_ASIDE_MAX);
  g_assert_false (is_aside (&bench, bench.root));
  g_assert_true (is_root_at_source (&bench, bench.root));
  world_run (bench.world, 2 * SS_STAND_IN_TIME);
  g_assert_cmpstr (world_check_trees (bench.world), ==, NULL);
  assert_nothing_lost (&bench, 0);
  world_free (bench.world);
}

/* Nobody stands in by the word of another than the source. */
static void
test_false_source (void)
{
  Bench bench;
  begin (&bench);
  SsGroup *group = group_of (&bench, bench.next);
  SsMsgScribeFindRoot find = { .group = group->id,
                               .flags = SS_FIND_STAND_IN,
                               .nonce = 1 };
  ss_publish_handle_find_root (
      group->scribe, ss_kbr_self (world_scribe (bench.world, 7)->kbr), &find);
  uint32_t sequence = group->newest;
  gsize len;
  const uint8_t *data =
      g_bytes_get_data (ss_history_find (group, sequence), &len);
  SsMsgScribePublish packet = { .sequence = sequence,
                                .packet = { data, (uint16_t) len } };
  memcpy (packet.tag, group->id.b, SS_TAG_LEN);
  ss_publish_handle (group->scribe,
                     ss_kbr_self (world_scribe (bench.world, 7)->kbr), &packet);
  g_assert_false (ss_group_is_root (group));
  ss_publish_handle (group->scribe,
                     ss_kbr_self (world_scribe (bench.world, 0)->kbr), &packet);
  g_assert_true (ss_group_is_root (group));
  /* Nor for longer than it is asked to. */
  world_run (bench.world, SS_STAND_IN_TIME + SS_SEC);
  g_assert_false (ss_group_is_root (group));
  g_assert_cmpstr (world_check_trees (bench.world), ==, NULL);
  world_free (bench.world);
}

/* The source is the root itself. */
static void
begin_deputy (Bench *bench, SsContact *ret_deputy)
{
  *bench = (Bench){ .root = 1 };
  for (uint64_t seed = 1; bench->root != 0; seed++)
    for (unsigned stripe = 0; stripe < WORLD_STRIPES && bench->root != 0;
         stripe++) {
      if (bench->world)
        world_free (bench->world);
      begin_with (bench, seed, stripe, 5 * SS_MSEC);
    }
  g_assert_cmpuint (ss_group_children (bench->source, ret_deputy, 1), ==, 1);
}

/* It has been left for another, and nobody has lost anything. */
static void
end_deputy (Bench *bench, const SsContact *deputy)
{
  SsContact children[2];
  g_assert_cmpuint (ss_group_children (bench->source, children, 2), ==, 1);
  g_assert_false (ss_contact_equal (&children[0], deputy));
  unsigned idle = world_node_of (bench->world, &deputy->id);
  g_assert_cmpuint (n_below (bench, idle), ==, 0);
  assert_nothing_lost (bench, 0);
  world_free (bench->world);
}

/* A source that is the root itself has another deputy when two have said that
 * its own does not serve. */
static void
test_deputy (void)
{
  Bench bench;
  SsContact deputy;
  begin_deputy (&bench, &deputy);
  unsigned idle = world_node_of (bench.world, &deputy.id);
  world_set_idle (bench.world, idle, true);
  accuse (&bench, idle == 7 ? 9 : 7, idle);
  g_assert_cmpuint (ss_group_child_count (bench.source), ==, 1);
  world_run (bench.world, JUDGED * SS_SEC);
  end_deputy (&bench, &deputy);
}

/* Nobody else says a word: those below it find out that their deputy sends
 * nothing, though it acknowledges all that it gets. */
static void
test_idle_deputy (void)
{
  Bench bench;
  SsContact deputy;
  begin_deputy (&bench, &deputy);
  unsigned idle = world_node_of (bench.world, &deputy.id);
  g_assert_cmpuint (n_below (&bench, idle), >, 3);
  world_set_idle (bench.world, idle, true);
  world_run (bench.world, JUDGED * SS_SEC);
  end_deputy (&bench, &deputy);
}

/* A source misses the acknowledgement of a deputy that has died before any of
 * those below it does without a packet for so long that it leaves. */
static void
test_dead_deputy (void)
{
  Bench bench;
  SsContact deputy;
  begin_deputy (&bench, &deputy);
  unsigned dead = world_node_of (bench.world, &deputy.id);
  unsigned n = n_below (&bench, dead);
  g_assert_cmpuint (n, >, 3);
  world_kill (bench.world, dead);
  SsKbr *kbr = world_scribe (bench.world, 0)->kbr;
  SsTime until = world_now (bench.world) + SS_SEC;
  while (!ss_kbr_is_suspected (kbr, &deputy.id)
         && world_now (bench.world) < until)
    world_run (bench.world, SS_MSEC);
  g_assert_true (ss_kbr_is_suspected (kbr, &deputy.id));
  g_assert_cmpuint (n_below (&bench, dead), ==, n);
  world_run (bench.world, JUDGED * SS_SEC);
  SsContact children[2];
  g_assert_cmpuint (ss_group_children (bench.source, children, 2), ==, 1);
  assert_nothing_lost (&bench, dead);
  world_free (bench.world);
}

/* For so long that node says that all of it comes late there. */
static void
run_late (Bench *bench, unsigned node, SsTime duration)
{
  for (SsTime passed = 0; passed < duration; passed += 500 * SS_MSEC) {
    ss_family_set_late (group_of (bench, node)->family, true);
    world_run (bench->world, 500 * SS_MSEC);
  }
}

/* A root that is late has another stand in, and its children go there, and
 * whoever comes; until it is free again. */
static void
test_late (void)
{
  Bench bench;
  begin (&bench);
  g_assert_cmpuint (n_below (&bench, bench.root), >, 3);
  run_late (&bench, bench.root, 3 * SS_SEC);
  g_assert_true (is_root_at_source (&bench, bench.next));
  g_assert_cmpuint (n_below (&bench, bench.root), ==, 0);
  unsigned child = 1;
  while (n_below (&bench, child) > 0 || child == bench.root
         || child == bench.next)
    child++;
  SsGroup *group = group_of (&bench, child);
  ss_scribe_enter (group->scribe);
  ss_upstream_lose (group);
  ss_scribe_exit (group->scribe);
  run_late (&bench, bench.root, JUDGED * SS_SEC);
  g_assert_true (group_of (&bench, child)->has_parent);
  g_assert_cmpuint (n_below (&bench, bench.root), ==, 0);
  assert_nothing_lost (&bench, 0);
  world_publish (bench.world, false);
  run_late (&bench, bench.root, SS_ASIDE_TIME);
  world_publish (bench.world, true);
  run_late (&bench, bench.root, JUDGED * SS_SEC);
  g_assert_true (is_aside (&bench, bench.root));
  g_assert_cmpuint (n_below (&bench, bench.root), ==, 0);
  assert_nothing_lost (&bench, 0);
  world_publish (bench.world, false);

  ss_family_set_late (group_of (&bench, bench.root)->family, false);
  world_run (bench.world, SS_ASIDE_TIME);
  world_publish (bench.world, true);
  world_run (bench.world, JUDGED * SS_SEC);
  g_assert_true (is_root_at_source (&bench, bench.root));
  g_assert_cmpstr (world_check_trees (bench.world), ==, NULL);
  assert_nothing_lost (&bench, 0);
  world_free (bench.world);
}

/* As many as are next to each other say that they are late, again and again:
 * the source does not go round among them. */
static void
test_late_turns (void)
{
  Bench bench;
  begin (&bench);
  unsigned third = world_near (bench.world, bench.stripe, 2);
  const unsigned liars[] = { bench.root, bench.next, third };
  unsigned n_changes = 0;
  SsId last = bench.source->root.id;
  for (unsigned i = 0; i < 300; i++) {
    accuse (&bench, liars[i % 3], liars[i % 3]);
    world_run (bench.world, 20 * SS_MSEC);
    n_changes += !ss_id_equal (&bench.source->root.id, &last);
    last = bench.source->root.id;
  }
  g_assert_cmpuint (n_changes, <=, SS_ASIDE_MAX);
  g_assert_true (is_root_at_source (&bench, third));
  assert_nothing_lost (&bench, 0);
  world_free (bench.world);
}

/* Whom the source has not named stands in for nobody. */
static void
test_late_believes (void)
{
  Bench bench;
  begin (&bench);
  SsGroup *group = group_of (&bench, bench.root);
  unsigned n = n_below (&bench, bench.root);
  ss_family_set_late (group->family, true);
  SsMsgScribeRedirect redirect = { .nonce = group->aside->yield_nonce };
  memcpy (redirect.tag, group->id.b, SS_TAG_LEN);
  redirect.n_candidates =
      ss_peers_put (redirect.candidates, 0, SS_REDIRECT_MAX,
                    ss_kbr_self (world_scribe (bench.world, 7)->kbr));
  uint8_t data[SS_MSG_SCRIBE_REDIRECT_MAX];
  size_t len = ss_msg_scribe_redirect_encode (&redirect, data, sizeof data);
  world_inject (bench.world, 7, bench.root, NULL, data, len);
  g_assert_cmpuint (n_below (&bench, bench.root), ==, n);
  g_assert_cmpuint (ss_group_n_children (group), ==, n);
  world_inject (bench.world, 0, bench.root, NULL, data, len);
  g_assert_cmpuint (ss_group_n_children (group), <=, 1);
  world_free (bench.world);
}

/* A source's deputy is late: it has another. */
static void
test_late_deputy (void)
{
  Bench bench;
  SsContact deputy;
  begin_deputy (&bench, &deputy);
  unsigned late = world_node_of (bench.world, &deputy.id);
  run_late (&bench, late, 5 * SS_SEC);
  SsContact children[2];
  g_assert_cmpuint (ss_group_children (bench.source, children, 2), ==, 1);
  g_assert_false (ss_contact_equal (&children[0], &deputy));
  assert_nothing_lost (&bench, 0);
  world_free (bench.world);
}

/* An interior node forwards nothing, and says that it is the source's deputy,
 * so that its children ask the source for another. */
static void
test_false_deputy (void)
{
  Bench bench;
  begin (&bench);
  unsigned liar = 0;
  for (unsigned i = 1; i < NODES; i++)
    if (i != bench.root && group_of (&bench, i)->has_parent
        && n_below (&bench, i) > (liar ? n_below (&bench, liar) : 0))
      liar = i;
  g_assert_cmpuint (liar, >, 0);
  const SsGroup *group = group_of (&bench, liar);
  SsMsgScribePath path = { .n_path = 2 };
  memcpy (path.tag, group->id.b, SS_TAG_LEN);
  path.path[0] = ss_prefix_of (world_node_id (bench.world, 0));
  path.path[1] = ss_prefix_of (world_node_id (bench.world, liar));
  path.n_root = ss_peers_put (path.root, 0, 1,
                              ss_kbr_self (world_scribe (bench.world, 0)->kbr));
  uint8_t data[SS_MSG_SCRIBE_PATH_MAX];
  size_t len = ss_msg_scribe_path_encode (&path, data, sizeof data);
  world_set_idle (bench.world, liar, true);
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsId *child = &ss_group_child_at (group, i)->contact.id;
    world_inject (bench.world, liar, world_node_of (bench.world, child), NULL,
                  data, len);
  }
  world_run (bench.world, 30 * SS_SEC);
  g_assert_cmpuint (n_below (&bench, liar), ==, 0);
  world_free (bench.world);
}

/* Whom the source names takes nobody; then the root dies. */
static void
test_useless_stand_in (void)
{
  Bench bench;
  begin (&bench);
  unsigned child = 1, useless = 1;
  while (child == bench.next || n_below (&bench, child) > 0
         || !group_of (&bench, child)->has_parent
         || !ss_id_equal (&group_of (&bench, child)->parent.id,
                          world_node_id (bench.world, bench.root)))
    g_assert_cmpuint (++child, <, NODES);
  while (useless == child || useless == bench.root || useless == bench.next
         || n_below (&bench, useless) > 0)
    useless++;
  world_set_client (bench.world, useless);
  SsGroup *group = group_of (&bench, child);
  ss_scribe_enter (group->scribe);
  ss_join_start_unserved (group);
  g_assert_true (group->join && group->join->is_source_asked);
  SsMsgScribeRedirect redirect = { .nonce = group->join->nonce };
  memcpy (redirect.tag, group->id.b, SS_TAG_LEN);
  redirect.n_candidates =
      ss_peers_put (redirect.candidates, 0, SS_REDIRECT_MAX,
                    ss_kbr_self (world_scribe (bench.world, useless)->kbr));
  ss_join_handle_redirect (group->scribe,
                           ss_kbr_self (world_scribe (bench.world, 0)->kbr),
                           &redirect);
  ss_scribe_exit (group->scribe);
  g_assert_true (group->join && group->join->has_stand_in);
  world_run (bench.world, 200 * SS_MSEC);
  world_kill (bench.world, bench.root);
  world_run (bench.world, 10 * SS_SEC);
  group = group_of (&bench, child);
  g_assert_true (group->has_parent || group->is_root);
  g_assert_false (ss_group_is_orphan (group));
  world_free (bench.world);
}

/* At the source: `from` says that it is not the root, and `named` is. */
static void
deny (Bench *bench, unsigned from, unsigned named)
{
  SsMsgScribeNotRoot denial = { .flags = 0 };
  memcpy (denial.tag, bench->source->id.b, SS_TAG_LEN);
  denial.n_root = ss_peers_put (
      denial.root, 0, 1, ss_kbr_self (world_scribe (bench->world, named)->kbr));
  uint8_t data[SS_MSG_SCRIBE_NOT_ROOT_MAX];
  size_t len = ss_msg_scribe_not_root_encode (&denial, data, sizeof data);
  world_inject (bench->world, from, 0, NULL, data, len);
}

/* A root that does not serve names another as the root again and again. */
static void
test_denials (void)
{
  Bench bench;
  begin (&bench);
  unsigned other = 1;
  while (other == bench.root || other == bench.next)
    other++;
  accuse (&bench, other, bench.root);
  world_set_idle (bench.world, bench.root, true);
  for (unsigned i = 0; i < 120 && !is_aside (&bench, bench.root); i++) {
    if (is_root_at_source (&bench, bench.root))
      deny (&bench, bench.root, other);
    world_run (bench.world, 500 * SS_MSEC);
  }
  g_assert_true (is_aside (&bench, bench.root));
  world_free (bench.world);
}

/* Who stands in denies it with each packet: it is not asked each time. */
static void
test_denied_often (void)
{
  Bench bench;
  begin (&bench);
  accuse (&bench, 7, bench.root);
  accuse (&bench, 8, bench.root);
  world_run (bench.world, 2 * SS_SEC);
  g_assert_true (is_root_at_source (&bench, bench.next));
  unsigned n_asked = 0;
  for (unsigned i = 0; i < 50; i++) {
    uint32_t nonce = bench.source->find_nonce;
    deny (&bench, bench.next, bench.root);
    world_run (bench.world, 30 * SS_MSEC);
    n_asked += bench.source->find_nonce != nonce;
  }
  g_assert_cmpuint (n_asked, >=, 3);
  g_assert_cmpuint (n_asked, <=, 1 + 50 * 30 * SS_MSEC / SS_STAND_IN_WAIT);
  world_free (bench.world);
}

/* Answers that take longer than the source waits before it asks again count. */
static void
test_far (void)
{
  Bench bench;
  begin_far (&bench, 250 * SS_MSEC); /* and up to twice that, each way */
  accuse (&bench, 7, bench.root);
  accuse (&bench, 8, bench.root);
  world_run (bench.world, 5 * SS_SEC);
  g_assert_true (is_aside (&bench, bench.root));
  g_assert_true (is_root_at_source (&bench, bench.next));
  world_free (bench.world);
}

/* A routed message's source is what its sender says: as if it were one's own
 * that has come back. */
static void
test_not_ones_own (void)
{
  Bench bench;
  begin (&bench);
  unsigned victim = world_near (bench.world, bench.stripe, 2);
  SsGroup *group = group_of (&bench, victim);
  g_assert_true (group->has_parent);
  SsMsgScribeFindRoot find = { .group = group->id,
                               .flags = SS_FIND_STAND_IN,
                               .nonce = 77 };
  uint8_t data[SS_MSG_SCRIBE_FIND_ROOT_MAX];
  size_t len = ss_msg_scribe_find_root_encode (&find, data, sizeof data);
  g_assert_cmpuint (len, >, 0);
  world_inject (bench.world, victim, victim, &group->id, data, len);
  g_assert_true (group->has_parent);
  SsMsgScribeJoin join = { .group = group->id, .nonce = 77 };
  uint8_t words[SS_MSG_SCRIBE_JOIN_MAX];
  len = ss_msg_scribe_join_encode (&join, words, sizeof words);
  g_assert_cmpuint (len, >, 0);
  world_inject (bench.world, victim, victim, &group->id, words, len);
  g_assert_true (group->has_parent);
  g_assert_false (ss_group_is_root (group));
  world_free (bench.world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/aside/idle", test_idle);
  g_test_add_func ("/scribe/aside/voices", test_voices);
  g_test_add_func ("/scribe/aside/wrong", test_wrong);
  g_test_add_func ("/scribe/aside/deaths", test_deaths);
  g_test_add_func ("/scribe/aside/bound", test_bound);
  g_test_add_func ("/scribe/aside/false-source", test_false_source);
  g_test_add_func ("/scribe/aside/deputy", test_deputy);
  g_test_add_func ("/scribe/aside/idle-deputy", test_idle_deputy);
  g_test_add_func ("/scribe/aside/dead-deputy", test_dead_deputy);
  g_test_add_func ("/scribe/aside/late", test_late);
  g_test_add_func ("/scribe/aside/late-turns", test_late_turns);
  g_test_add_func ("/scribe/aside/late-believes", test_late_believes);
  g_test_add_func ("/scribe/aside/late-deputy", test_late_deputy);
  g_test_add_func ("/scribe/aside/false-deputy", test_false_deputy);
  g_test_add_func ("/scribe/aside/useless-stand-in", test_useless_stand_in);
  g_test_add_func ("/scribe/aside/denials", test_denials);
  g_test_add_func ("/scribe/aside/denied-often", test_denied_often);
  g_test_add_func ("/scribe/aside/far", test_far);
  g_test_add_func ("/scribe/aside/not-ones-own", test_not_ones_own);
  return g_test_run ();
}
