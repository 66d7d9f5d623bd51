/* Who makes room for a joiner. */
#include <glib.h>

#include "tests/harness/scribe_hub.h"

enum { GROUP = 1, CHILDREN = 2 };

/* Nodes, by number, that share nothing with the group's id. */
static unsigned
stranger (unsigned number)
{
  SsId group = hub_group_id (GROUP);
  unsigned at = 0;
  for (;;) {
    SsContact contact = hub_contact (++at);
    if (ss_id_shared_digits (&contact.id, &group) == 0 && number-- == 0)
      return at;
  }
}

static const SsChild *
child_of (Hub *hub, unsigned node)
{
  SsId id = hub_group_id (GROUP);
  SsContact contact = hub_contact (node);
  return ss_group_child_find (ss_scribe_find (hub->scribe, &id), &contact.id);
}

/* A full root has no reason to prefer a joiner that shares no more with the
 * group than its children do; but one that does not serve makes room. */
static void
test_shirker (void)
{
  const SsFamilyConfig config = { .children_max = CHILDREN };
  Hub hub;
  hub_init (&hub, &config, false);
  for (unsigned i = 0; i < CHILDREN; i++)
    hub_take_join (&hub, GROUP, stranger (i), SS_JOIN_MEMBER, false);
  unsigned joiner = stranger (CHILDREN), shirker = stranger (1);
  hub_take_join (&hub, GROUP, joiner, SS_JOIN_MEMBER, false);
  g_assert_null (child_of (&hub, joiner));
  SsContact contact = hub_contact (shirker);
  ss_neighbour_find (hub.scribe, &contact.id)->shirks_until =
      hub.env.now + SS_SEC;
  hub_take_join (&hub, GROUP, joiner, SS_JOIN_MEMBER, false);
  g_assert_nonnull (child_of (&hub, joiner));
  g_assert_cmpint (child_of (&hub, shirker)->shed_until, >, 0);
  g_assert_cmpint (child_of (&hub, stranger (0))->shed_until, ==, 0);
  /* Nor does it find its way back so. */
  hub_take_join (&hub, GROUP, shirker, SS_JOIN_MEMBER, false);
  g_assert_cmpint (child_of (&hub, shirker)->shed_until, >, 0);
  hub_clear (&hub);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/shed/shirker", test_shirker);
  return g_test_run ();
}
