/* Anycast and manycast over random groups: who accepts is found, whoever is
 * found accepts, everybody is asked once, and every search ends. */
#include <glib.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

#define SEEDS  40
#define STRIPE 3
/* Longest that a search takes: tries of 1, 2 and 3 times the wait. */
#define SEARCH_TIME (6 * SS_ANYCAST_WAIT + SS_SEC)

typedef struct {
  World *world;
  SsRng rng;
  unsigned n, n_members;
  bool is_member[WORLD_NODES_MAX], accepts[WORLD_NODES_MAX];
} Group;

static unsigned
below (Group *group, unsigned bound)
{
  return (unsigned) ss_rng_below (&group->rng, bound);
}

/* A ring of n nodes, of which some are members; not one of them accepts. */
static void
group_init (Group *group, uint64_t seed, unsigned n, unsigned n_members,
            double loss)
{
  *group = (Group){ .n = n, .n_members = n_members };
  ss_rng_init_number (&group->rng, seed);
  WorldOptions options = {
    .seed = seed,
    .n = n,
    .delay = (1 + below (group, 5)) * SS_MSEC,
    .loss = loss,
    .detours = below (group, 2) * 60,
    .children_max = 16 * (2 + below (group, 20)),
    .is_ordered = true, /* no source */
  };
  group->world = world_new (&options);
  for (unsigned i = 0; i < n_members;) {
    unsigned member = below (group, n);
    if (group->is_member[member])
      continue;
    group->is_member[member] = true;
    world_join (group->world, member);
    i++;
  }
  world_run (group->world, 10 * SS_SEC);
}

static unsigned
let_accept (Group *group, unsigned per_cent)
{
  unsigned n = 0;
  for (unsigned i = 0; i < group->n; i++) {
    group->accepts[i] = group->is_member[i] && below (group, 100) < per_cent;
    world_set_accepts (group->world, i, group->accepts[i]);
    n += group->accepts[i];
  }
  return n;
}

static void
check_answers (const Group *group, unsigned origin, unsigned wanted)
{
  const WorldSearch *search = world_search (group->world, origin);
  g_assert_true (search->has_ended);
  g_assert_cmpuint (search->n, <=, wanted);
  for (unsigned i = 0; i < search->n; i++) {
    g_assert_true (group->accepts[search->members[i]]);
    g_assert_cmpuint (search->members[i], !=, origin);
    for (unsigned k = 0; k < i; k++)
      g_assert_cmpuint (search->members[i], !=, search->members[k]);
  }
}

/* Nothing is lost, nobody dies, and a walk is over before the origin's
 * patience: as many are found as there are, and none is asked twice. */
static void
test_finds_all (void)
{
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    Group group;
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    unsigned n = 2 + (unsigned) ss_rng_below (&rng, 100);
    unsigned n_members = (unsigned) ss_rng_below (&rng, MIN (n, 60) + 1);
    group_init (&group, seed, n, n_members, 0);
    for (unsigned round = 0; round < 4; round++) {
      unsigned n_accept = let_accept (&group, round * 33);
      unsigned origin = below (&group, n);
      unsigned wanted = 1 + below (&group, SS_MANYCAST_MAX);
      unsigned n_others = n_accept - group.accepts[origin];
      world_anycast (group.world, origin, STRIPE, wanted);
      world_run (group.world, SEARCH_TIME);
      check_answers (&group, origin, wanted);
      const WorldSearch *search = world_search (group.world, origin);
      g_test_message ("seed %" G_GUINT64_FORMAT ": %u nodes, %u members, "
                      "%u accept, %u wanted: %u found, %u asked",
                      seed, n, n_members, n_others, wanted, search->n,
                      search->n_asked);
      g_assert_cmpuint (search->n, ==, MIN (wanted, n_others));
      g_assert_cmpuint (search->n_asked, <=, n_members);
      if (n_others < wanted)
        g_assert_cmpuint (search->n_asked, ==,
                          n_members - group.is_member[origin]);
    }
    world_free (group.world);
  }
}

/* Losses, and a part of the nodes falls silent just before: what is found is
 * right and alive, every search ends, and most find somebody. */
static void
test_survives (void)
{
  unsigned n_searches = 0, n_found = 0;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    Group group;
    group_init (&group, seed, 60, 40, 0.05);
    let_accept (&group, 30);
    for (unsigned i = 0; i < 6; i++)
      world_kill (group.world, below (&group, group.n));
    unsigned n_left = 0;
    for (unsigned i = 0; i < group.n; i++)
      n_left += group.accepts[i] && world_is_alive (group.world, i);
    unsigned origin;
    do
      origin = below (&group, group.n);
    while (!world_is_alive (group.world, origin) || group.accepts[origin]);
    world_anycast (group.world, origin, STRIPE, 2);
    world_run (group.world, SEARCH_TIME);
    check_answers (&group, origin, 2);
    const WorldSearch *search = world_search (group.world, origin);
    for (unsigned i = 0; i < search->n; i++)
      g_assert_true (world_is_alive (group.world, search->members[i]));
    n_searches += MIN (n_left, 2);
    n_found += search->n;
    world_free (group.world);
  }
  g_test_message ("%u of %u found", n_found, n_searches);
  g_assert_cmpuint (n_found * 100, >=, n_searches * 95);
}

/* Large groups: a search does not visit more than its list holds. */
static void
test_is_bounded (void)
{
  Group group;
  group_init (&group, 5, 200, 180, 0);
  unsigned origin = 0;
  world_anycast (group.world, origin, STRIPE, 1);
  world_run (group.world, SEARCH_TIME);
  check_answers (&group, origin, 1);
  const WorldSearch *search = world_search (group.world, origin);
  g_assert_cmpuint (search->n, ==, 0);
  g_assert_cmpuint (search->n_asked, >=, 60);
  g_assert_cmpuint (search->n_asked, <=,
                    SS_ANYCAST_TRIES
                        * G_N_ELEMENTS (((SsMsgScribeAnycast *) 0)->visited));
  world_free (group.world);
}

/* Where mere forwarders are between the members, a search does not stop at
 * them: from the root, which is no member, the first message finds one. */
static void
test_passes_forwarders (void)
{
  unsigned n_through = 0, n_one = 0;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    WorldOptions options = {
      .seed = seed,
      .n = 60,
      .delay = 2 * SS_MSEC,
      .detours = 100,
      .n_relays = 50,
      .is_ordered = true,
    };
    World *world = world_new (&options);
    for (unsigned i = 0; i < 10; i++) {
      world_join (world, i);
      world_set_accepts (world, i, true);
    }
    world_run (world, 5 * SS_SEC);
    for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++) {
      unsigned root = world_true_root (world, stripe), n_members = 0;
      SsContact children[16];
      unsigned n = ss_group_children (world_group (world, root, stripe),
                                      children, G_N_ELEMENTS (children));
      for (unsigned i = 0; i < n; i++)
        n_members += world_node_of (world, &children[i].id) < 10;
      if (root < 10 || n_members > 0)
        continue;
      world_anycast (world, root, stripe, 1);
      world_run (world, SEARCH_TIME);
      const WorldSearch *search = world_search (world, root);
      g_assert_cmpuint (search->n, ==, 1);
      n_through++;
      n_one += search->hops[0] == 1;
    }
    world_free (world);
  }
  g_test_message ("%u of %u searches took one message", n_one, n_through);
  g_assert_cmpuint (n_through, >, 20);
  g_assert_cmpuint (n_one * 100, >=, n_through * 95);
}

/* A search that was cancelled says nothing more; too many are refused. */
static void
test_cancel (void)
{
  Group group;
  group_init (&group, 9, 20, 10, 0);
  let_accept (&group, 100);
  SsScribe *scribe = world_scribe (group.world, 0);
  const SsId *id = world_group_id (group.world, STRIPE);
  uint8_t data[4] = { 0 };
  uint32_t numbers[SS_ANYCASTS_MAX];
  for (unsigned i = 0; i < SS_ANYCASTS_MAX; i++) {
    numbers[i] = ss_scribe_anycast (scribe, id, 1, data, sizeof data);
    g_assert_cmpuint (numbers[i], !=, 0);
  }
  g_assert_cmpuint (ss_scribe_anycast (scribe, id, 1, data, sizeof data), ==,
                    0);
  for (unsigned i = 0; i < SS_ANYCASTS_MAX; i++)
    ss_scribe_anycast_cancel (scribe, numbers[i]);
  ss_scribe_anycast_cancel (scribe, numbers[0]);
  world_run (group.world, SEARCH_TIME);
  g_assert_cmpuint (world_search (group.world, 0)->n_asked, ==, 0);
  world_free (group.world);
}

/* Messages that no honest node sends: lists that are full, a count that
 * overflows, an origin that is nobody. They end, and nothing is kept. */
static void
test_hostile (void)
{
  Group group;
  group_init (&group, 11, 12, 12, 0.0);
  let_accept (&group, 50);
  const SsId *id = world_group_id (group.world, STRIPE);
  for (unsigned round = 0; round < 3000; round++) {
    SsMsgScribeAnycast message;
    uint8_t storage[SS_MSG_SCRIBE_ANYCAST_MAX];
    ss_msg_scribe_anycast_generate (&group.rng, &message, storage);
    if (round % 8 != 0)
      message.group = *id;
    uint8_t data[SS_MSG_SCRIBE_ANYCAST_MAX];
    size_t len = ss_msg_scribe_anycast_encode (&message, data, sizeof data);
    g_assert_cmpuint (len, >, 0);
    world_inject (group.world, 1 + below (&group, 11), 0,
                  round % 2 ? &message.group : NULL, data, len);
    if (round % 16 == 0)
      world_run (group.world, 50 * SS_MSEC);
  }
  world_run (group.world, 60 * SS_SEC);
  world_anycast (group.world, 0, STRIPE, 1);
  world_run (group.world, SEARCH_TIME);
  check_answers (&group, 0, 1);
  g_assert_cmpuint (world_search (group.world, 0)->n, ==, 1);
  world_free (group.world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/anycast/finds-all", test_finds_all);
  g_test_add_func ("/scribe/anycast/survives", test_survives);
  g_test_add_func ("/scribe/anycast/is-bounded", test_is_bounded);
  g_test_add_func ("/scribe/anycast/passes-forwarders", test_passes_forwarders);
  g_test_add_func ("/scribe/anycast/cancel", test_cancel);
  g_test_add_func ("/scribe/anycast/hostile", test_hostile);
  return g_test_run ();
}
