/* An anycast asks a node's children nearest first, and comes back for those
 * that there is no room for in the message; it does not end at one that has
 * left the tree. */
#include <glib.h>

#include "tests/harness/scribe_hub.h"

enum { GROUP = 1, TO_VISIT = 6 };

/* The hub is the root; its children are 1 to n, at these round trips. */
static void
start (Hub *hub, const SsTime *rtts, unsigned n)
{
  const SsFamilyConfig config = { .children_max = n };
  hub_init (hub, &config, false);
  hub->rtts = rtts;
  hub->n_rtts = n + 1;
  for (unsigned i = 1; i <= n; i++)
    hub_take_join (hub, GROUP, i, SS_JOIN_MEMBER, false);
}

static void
search (Hub *hub)
{
  SsId id = hub_group_id (GROUP);
  g_assert_cmpuint (ss_scribe_anycast (hub->scribe, &id, 1, NULL, 0), !=, 0);
  hub_run (hub, 10 * SS_MSEC);
}

/* Whom the search has gone to, and those after it. */
static void
assert_order (const Hub *hub, const unsigned *order, unsigned n)
{
  SsContact next = hub_contact (order[0]);
  g_assert_true (ss_contact_equal (&hub->asked, &next));
  g_assert_cmpuint (hub->anycast.n_to_visit, ==, n - 1);
  for (unsigned i = 1; i < n; i++) {
    SsContact expected = hub_contact (order[i]);
    next = ss_contact_from_record (&hub->anycast.to_visit[n - 1 - i]);
    g_assert_true (ss_contact_equal (&next, &expected));
  }
}

static void
test_order (void)
{
  /* Whose round trip is not known comes last. */
  static const SsTime rtts[] = { 0,           70 * SS_MSEC, 20 * SS_MSEC,
                                 SS_NEVER,    90 * SS_MSEC, 10 * SS_MSEC,
                                 40 * SS_MSEC };
  static const unsigned order[] = { 5, 2, 6, 1, 4, 3 };
  Hub hub;
  start (&hub, rtts, G_N_ELEMENTS (rtts) - 1);
  search (&hub);
  assert_order (&hub, order, G_N_ELEMENTS (order));
  hub_clear (&hub);
}

/* More than there is room for: the nearest of them, then this node again, which
 * goes on with those that are left. */
static void
test_too_many (void)
{
  enum { N = 9, FIRST = TO_VISIT - 1 };
  static const SsTime rtts[N + 1] = {
    0,
    30 * SS_MSEC,
    80 * SS_MSEC,
    10 * SS_MSEC,
    60 * SS_MSEC,
    90 * SS_MSEC,
    20 * SS_MSEC,
    50 * SS_MSEC,
    70 * SS_MSEC,
    40 * SS_MSEC,
  };
  static const unsigned order[N] = { 3, 6, 1, 9, 7, 4, 8, 2, 5 };
  unsigned first[FIRST + 1] = { 0 }; /* itself last */
  for (unsigned i = 0; i < FIRST; i++)
    first[i] = order[i];
  Hub hub;
  start (&hub, rtts, N);
  search (&hub);
  assert_order (&hub, first, FIRST + 1);
  SsMsgScribeAnycast message = hub.anycast;
  message.n_to_visit = 0;
  for (unsigned i = 0; i < FIRST; i++) {
    SsContact visited = hub_contact (order[i]);
    message.visited[message.n_visited++] = ss_prefix_of (&visited.id);
  }
  uint8_t data[SS_MSG_SCRIBE_ANYCAST_MAX];
  size_t len = ss_msg_scribe_anycast_encode (&message, data, sizeof data);
  SsContact last = hub_contact (order[FIRST - 1]);
  hub.app->direct (hub.app_user, &last, data, len);
  assert_order (&hub, order + FIRST, N - FIRST);
  hub_clear (&hub);
}

/* It comes to a node that has left the tree since: the walk goes on where the
 * way to the root meets the tree. */
static void
test_left (void)
{
  const SsFamilyConfig config = { .children_max = 2 };
  Hub hub;
  hub_init (&hub, &config, true);
  hub_take_search (&hub, GROUP, 1, 2);
  g_assert_cmpuint (hub.n_routed_searches, ==, 1);
  g_assert_cmpuint (hub.n_searches, ==, 0);
  hub_clear (&hub);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/nearest/order", test_order);
  g_test_add_func ("/scribe/nearest/too-many", test_too_many);
  g_test_add_func ("/scribe/nearest/left", test_left);
  return g_test_run ();
}
