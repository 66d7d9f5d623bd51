/* A node whose parent is lost or late: how soon it notices, where its first
 * JOIN goes, how long that one is waited for, and how long the parent is. */
#include <glib.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

enum { NODES = 40, CHILD = 5 };

/* A group of the node whose parent is not its root. */
static SsGroup *
find_group (World *world)
{
  for (unsigned i = 0; i < WORLD_STRIPES; i++) {
    SsGroup *group = world_group (world, CHILD, i);
    if (group->has_parent && ss_group_depth (group) > 1)
      return group;
  }
  g_assert_not_reached ();
}

static World *
begin (SsTime delay)
{
  WorldOptions options = {
    .seed = 2, .n = NODES, .delay = delay, .children_max = 16
  };
  World *world = world_new (&options);
  for (unsigned i = 1; i < NODES; i++)
    world_join (world, i);
  world_run (world, 7 * SS_SEC);
  return world;
}

/* Until the parent is suspected. */
static SsTime
time_to_suspect (World *world, const SsGroup *group)
{
  SsTime start = world_now (world);
  SsContact parent = group->parent;
  while (!ss_kbr_is_suspected (group->scribe->kbr, &parent.id)) {
    g_assert_cmpint (world_now (world) - start, <, 5 * SS_SEC);
    world_run (world, SS_MSEC);
  }
  return world_now (world) - start;
}

/* Two datagrams that are not answered in time are enough, be it two tries of
 * one or a request and a keepalive that were sent together. */
static void
test_two_silences (void)
{
  for (unsigned is_wanted = 0; is_wanted < 2; is_wanted++) {
    World *world = begin (20 * SS_MSEC);
    SsGroup *group = find_group (world);
    SsTime rto = ss_scribe_rto (group->scribe, &group->parent.id);
    world_kill (world, world_node_of (world, &group->parent.id));
    world_run (world, rto + SS_MSEC);
    if (is_wanted)
      ss_group_want (group, 1, world_now (world) + 10 * SS_SEC);
    else
      ss_group_overdue (group);
    SsTime time = time_to_suspect (world, group);
    g_assert_cmpint (time, >=, rto);
    if (is_wanted) {
      g_assert_cmpint (time, <, rto * 5 / 4);
      /* And others have been asked at once. */
      world_run (world, SS_MSEC);
      g_assert_cmpuint (g_array_index (group->wants, SsWant, 0).stage, ==,
                        SS_ASK_SOURCE);
    } else {
      g_assert_cmpint (time, >, rto * 3 / 2);
    }
    world_free (world);
  }
}

/* A packet that parity has rebuilt before its own was overdue is not missed
 * any more; its parent is asked all the same, but not if it is heard. */
static void
test_rebuilt (void)
{
  for (unsigned lives = 0; lives < 2; lives++) {
    World *world = begin (20 * SS_MSEC);
    SsGroup *group = find_group (world);
    SsContact parent = group->parent;
    SsTime rto = ss_scribe_rto (group->scribe, &parent.id);
    if (!lives)
      world_kill (world, world_node_of (world, &parent.id));
    world_run (world, rto + SS_MSEC);
    ss_service_packet (group, NULL, 1000, SS_VIA_REPAIR, true);
    if (lives) {
      world_run (world, 5 * rto);
      g_assert_false (ss_kbr_is_suspected (group->scribe->kbr, &parent.id));
    } else {
      g_assert_cmpint (time_to_suspect (world, group), <, 5 * rto);
    }
    world_free (world);
  }
}

/* An overlay that notes the first hop that a route is given. */
typedef struct {
  SsKbrClass class;
  bool has_hop;
  SsContact hop;
  uint16_t flags; /* of the JOIN */
} Spy;

static bool
note_hop (SsKbr *kbr, SsProtocol protocol, const SsId *key,
          const SsContact *hint, unsigned flags, const uint8_t *data,
          size_t len)
{
  (void) protocol, (void) key, (void) flags;
  Spy *spy = SS_CONTAINER_OF (kbr->class, Spy, class);
  SsMsgScribeJoin join;
  g_assert_true (ss_msg_scribe_join_decode (data, len, &join));
  spy->flags = join.flags;
  spy->has_hop = hint != NULL;
  if (hint)
    spy->hop = *hint;
  return true;
}

/* The first try of a search with the parent lost, or the next one. */
static Spy
try (SsGroup *group, bool is_first)
{
  SsKbr *kbr = group->scribe->kbr;
  const SsKbrClass *class = kbr->class;
  Spy spy = { .class = *class };
  SsContact lost = group->parent;
  spy.class.route = note_hop;
  kbr->class = &spy.class;
  if (is_first) {
    ss_join_cancel (group);
    ss_join_start (group, &lost);
  } else {
    ss_join_due (group);
  }
  kbr->class = class;
  return spy;
}

/* The tree neighbour nearest to the root that spoke lately, and not the lost
 * one; none if all have been silent, for one of these may be dead, too. */
static void
test_first_hop (void)
{
  World *world = begin (SS_MSEC);
  SsGroup *group = find_group (world);
  SsContact list[SS_FAMILY_ASK_MAX];
  unsigned n = ss_family_neighbours (group->family, list, SS_FAMILY_ASK_MAX);
  SsTime now = world_now (world), latest = -1;
  Spy spy = try (group, true);
  g_assert_true (spy.has_hop);
  g_assert_false (ss_contact_equal (&spy.hop, &group->parent));
  g_assert_true (
      ss_id_closer (&group->id, &spy.hop.id, world_node_id (world, CHILD)));
  for (unsigned i = 0; i < n; i++) {
    SsTime heard = ss_kbr_last_heard (group->scribe->kbr, &list[i].id);
    latest = MAX (latest, heard);
    if (now - heard <= SS_JOIN_HEARD
        && !ss_contact_equal (&list[i], &group->parent))
      g_assert_false (ss_id_closer (&group->id, &list[i].id, &spy.hop.id));
  }
  /* A second try goes the overlay's way. */
  g_assert_false (try (group, false).has_hop);
  group->scribe->env->now = latest + SS_JOIN_HEARD + 1;
  g_assert_false (try (group, true).has_hop);
  world_free (world);
}

/* How long the first try of a search is waited for. */
static SsTime
patience (SsGroup *group)
{
  try (group, true);
  return group->join->answer_by - group->scribe->env->now;
}

/* Twice as long as answers took of late, within bounds. */
static void
test_wait (void)
{
  World *world = begin (SS_MSEC);
  SsGroup *group = find_group (world);
  static const struct {
    SsTime took, wait;
  } cases[] = {
    { 0, SS_JOIN_WAIT_FIRST },
    { 10 * SS_MSEC, SS_JOIN_WAIT_FIRST },
    { 300 * SS_MSEC, 600 * SS_MSEC },
    { 900 * SS_MSEC, SS_JOIN_WAIT_LIVE },
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++) {
    group->scribe->join_time = cases[i].took;
    SsTime wait = patience (group);
    g_assert_cmpint (wait, >=, cases[i].wait);
    g_assert_cmpint (wait, <=, cases[i].wait * 9 / 8);
  }
  world_free (world);
  /* And what they take is learned. */
  world = begin (150 * SS_MSEC);
  SsTime learned = world_scribe (world, CHILD)->join_time;
  g_assert_cmpint (learned, >=, 300 * SS_MSEC);
  g_assert_cmpint (learned, <=, SS_JOIN_WAIT_LIVE);
  world_free (world);
}

/* An overlay where answers of one node take long, or of all. */
typedef struct {
  SsKbrClass class;
  SsId slow;
  bool are_all;
} Slow;

static SsTime
tell_rto (SsKbr *kbr, const SsId *peer)
{
  const Slow *slow = SS_CONTAINER_OF (kbr->class, Slow, class);
  bool is_slow = slow->are_all || ss_id_equal (&slow->slow, peer);
  return is_slow ? SS_SEC : 20 * SS_MSEC;
}

/* How long a parent that is late is waited for in that round of asking, of the
 * time that is left. */
static SsTime
wait_for_late (bool are_all, uint8_t rounds, SsTime left)
{
  World *world = begin (SS_MSEC);
  SsGroup *group = find_group (world);
  SsKbr *kbr = group->scribe->kbr;
  const SsKbrClass *class = kbr->class;
  Slow slow = { *class, group->parent.id, are_all };
  slow.class.rto = tell_rto;
  kbr->class = &slow.class;
  SsTime start = world_now (world);
  ss_group_want (group, 1, start + left);
  SsWant *want = &g_array_index (group->wants, SsWant, 0);
  want->rounds = rounds;
  ss_want_due (group);
  kbr->class = class;
  g_assert_cmpint (want->stage, ==, SS_ASK_OTHERS);
  SsTime wait = want->next - start;
  world_free (world);
  return wait;
}

/* It is not waited for until the packet is of no use, if others are faster; if
 * nobody is, this node's own line is full. Later rounds wait longer. */
static void
test_late (void)
{
  const SsTime left = 1200 * SS_MSEC;
  g_assert_cmpint (wait_for_late (false, 0, left), ==, left / 6);
  g_assert_cmpint (wait_for_late (false, 1, left), ==, left / 3);
  g_assert_cmpint (wait_for_late (true, 0, left), ==, SS_SEC);
}

static uint16_t
seek (SsGroup *group)
{
  return try (group, true).flags;
}

/* Behind a queue before its own line a node asks for few packets at a time,
 * for none that would come too late, and no new parent sends any by itself. */
static void
test_full_line (void)
{
  enum { MISSING = 3 * SS_WANT_WINDOW_LATE };
  World *world = begin (SS_MSEC);
  SsGroup *group = find_group (world);
  SsTime now = world_now (world);
  const uint64_t *n_asked =
      &group->scribe->env->counters.value[SS_COUNT_SCRIBE_WANTS];
  group->has_newest = true;
  ss_family_set_wait (group->family, SS_SEC);
  uint64_t before = *n_asked;
  ss_group_want (group, 1000, now + SS_SEC - 1);
  ss_want_due (group);
  g_assert_cmpuint (*n_asked, ==, before);
  for (unsigned i = 0; i < MISSING; i++)
    ss_group_want (group, 1001 + i, now + 2 * SS_SEC);
  ss_want_due (group);
  g_assert_cmpuint (*n_asked, ==, before + SS_WANT_WINDOW_LATE);
  g_assert_cmpuint (seek (group) & SS_JOIN_HAVE, ==, 0);
  /* The line is free again, and is trusted with more by and by. */
  ss_family_set_wait (group->family, 0);
  g_assert_cmpuint (seek (group) & SS_JOIN_HAVE, !=, 0);
  for (unsigned i = 0; i < MISSING; i++)
    ss_family_set_wait (group->family, 0);
  group->scribe->env->now += SS_WANT_PAUSE;
  ss_want_due (group);
  g_assert_cmpuint (*n_asked, >=, before + MISSING);
  world_free (world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/lost-parent/two-silences", test_two_silences);
  g_test_add_func ("/scribe/lost-parent/rebuilt", test_rebuilt);
  g_test_add_func ("/scribe/lost-parent/first-hop", test_first_hop);
  g_test_add_func ("/scribe/lost-parent/wait", test_wait);
  g_test_add_func ("/scribe/lost-parent/late", test_late);
  g_test_add_func ("/scribe/lost-parent/full-line", test_full_line);
  return g_test_run ();
}
