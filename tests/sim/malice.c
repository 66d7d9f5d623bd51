/* The hooks for hostile nodes: each does what it says, and no more. */
#include "sim/malice.h"

#include <glib.h>
#include <sodium.h>

#include "sim/oracle.h"
#include "sim/study.h"

#define NODES   60
#define HOSTILE 15
#define LOOKUPS 400

static void
run (unsigned kinds, SsLookupResult *ret_result, SsMalice malice[HOSTILE],
     unsigned *ret_n_wrong_leaf_sets)
{
  const SsSimOptions options = { .nodes = NODES,
                                 .seed = 3,
                                 .delay = 10 * SS_MSEC,
                                 .leaf_set = 8,
                                 .latency = SS_LATENCY_DEFAULT };
  SsWorld *world = ss_world_new (&options);
  unsigned friends[HOSTILE];
  SsStudyRoutes routes;

  g_assert_true (ss_study_grow (world, NODES));
  ss_world_run (world, 30 * SS_SEC);
  for (unsigned i = 0; i < HOSTILE; i++)
    friends[i] = 1 + 3 * i;
  for (unsigned i = 0; i < HOSTILE; i++)
    ss_malice_start (&malice[i], world, friends[i], kinds, friends, HOSTILE);
  ss_study_routes (world, LOOKUPS, SS_MSEC, &routes);
  /* Some come, and are told lies. */
  ss_world_add_many (world, 10, false, 10 * SS_SEC);
  ss_world_run (world, 120 * SS_SEC);
  *ret_n_wrong_leaf_sets = ss_oracle_leaf_sets (world, false);
  *ret_result = routes.measured;
  ss_world_free (world);
}

static uint64_t
n_changed (const SsMalice *malice)
{
  uint64_t n = 0;

  for (unsigned i = 0; i < HOSTILE; i++)
    n += malice[i].n_dropped + malice[i].n_changed;
  return n;
}

static void
test_none (void)
{
  SsMalice malice[HOSTILE];
  SsLookupResult result;
  unsigned n_wrong;

  run (0, &result, malice, &n_wrong);
  g_assert_cmpuint (n_changed (malice), ==, 0);
  g_assert_cmpuint (result.n_lost + result.n_wrong, ==, 0);
  g_assert_cmpuint (n_wrong, ==, 0);
}

static void
check_lost (unsigned kinds)
{
  SsMalice malice[HOSTILE];
  SsLookupResult result;
  unsigned n_wrong;

  run (kinds, &result, malice, &n_wrong);
  g_assert_cmpuint (n_changed (malice), >, 0);
  g_assert_cmpuint (result.n_lost, >, 0);
  g_assert_cmpuint (result.n_lost, <, LOOKUPS / 2);
}

/* Some end at who drops them: it hears no acknowledgement of what never left,
 * and takes itself for the closest. */
static void
test_drop (void)
{
  check_lost (SS_MALICE_DROP);
}

static void
test_misroute (void)
{
  check_lost (SS_MALICE_MISROUTE);
}

/* A quarter of the nodes lie about their leaf sets: the others have told the
 * truth, and it is found. */
static void
test_lie (void)
{
  SsMalice malice[HOSTILE];
  SsLookupResult result;
  unsigned n_wrong;

  run (SS_MALICE_LIE, &result, malice, &n_wrong);
  g_assert_cmpuint (n_changed (malice), >, 0);
  g_assert_cmpuint (result.n_lost + result.n_wrong, ==, 0);
  g_assert_cmpuint (n_wrong, ==, 0);
}

int
main (int argc, char **argv)
{
  g_assert_cmpint (sodium_init (), >=, 0);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/malice/none", test_none);
  g_test_add_func ("/malice/drop", test_drop);
  g_test_add_func ("/malice/misroute", test_misroute);
  g_test_add_func ("/malice/lie", test_lie);
  return g_test_run ();
}
