/* When a child's KEEPALIVE is due: a parent that hears none drops the child. */
#include <glib.h>

#include "tests/harness/scribe_hub.h"

#define STEP (500 * SS_MSEC)

enum { GROUP = 1, PARENT = 1, N_MORE = 5 };

static void
start (Hub *hub)
{
  const SsFamilyConfig config = { .children_max = 8 };
  hub_init (hub, &config, true);
}

static void
join (Hub *hub, unsigned number)
{
  SsId id = hub_group_id (number);
  ss_group_join (ss_group_open (hub->family, &id, NULL));
  hub_accept (hub, number, PARENT, 0);
}

/* It was the parent a while ago, is known, and is that again. */
static void
test_again (void)
{
  SsId id = hub_group_id (GROUP);
  Hub hub;
  start (&hub);
  join (&hub, GROUP);
  ss_group_leave (ss_scribe_find (hub.scribe, &id));
  hub_run (&hub, SS_KEEPALIVE_INTERVAL + SS_SEC);
  g_assert_cmpuint (hub.n_keepalives, ==, 0);
  g_assert_cmpuint (hub.scribe->neighbours->len, ==, 1);
  join (&hub, GROUP);
  hub_run (&hub, SS_KEEPALIVE_INTERVAL);
  g_assert_cmpuint (hub.n_keepalives, ==, 1);
  hub_clear (&hub);
}

/* JOINs for other groups do not put it off. */
static void
test_not_put_off (void)
{
  Hub hub;
  start (&hub);
  join (&hub, GROUP);
  for (unsigned i = 1; i <= N_MORE; i++) {
    hub_run (&hub, SS_KEEPALIVE_INTERVAL - SS_SEC);
    join (&hub, GROUP + i);
  }
  g_assert_cmpuint (hub.n_keepalives, ==, N_MORE - 1);
  hub_clear (&hub);
}

/* A parent that sends is asked at every second turn; one that does not at
 * each. */
static void
test_spared (void)
{
  Hub hub;
  start (&hub);
  join (&hub, GROUP);
  SsNeighbour *parent = g_ptr_array_index (hub.scribe->neighbours, 0);
  for (unsigned i = 0; i < 6 * SS_KEEPALIVE_INTERVAL / STEP; i++) {
    parent->data = hub.env.now;
    hub_run (&hub, STEP);
  }
  g_assert_cmpuint (hub.n_keepalives, >=, 3);
  g_assert_cmpuint (hub.n_keepalives, <=, 4);
  parent->data = -1;
  hub.n_keepalives = 0;
  hub_run (&hub, 6 * SS_KEEPALIVE_INTERVAL);
  g_assert_cmpuint (hub.n_keepalives, >=, 5);
  hub_clear (&hub);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/keepalive/again", test_again);
  g_test_add_func ("/scribe/keepalive/not-put-off", test_not_put_off);
  g_test_add_func ("/scribe/keepalive/spared", test_spared);
  return g_test_run ();
}
