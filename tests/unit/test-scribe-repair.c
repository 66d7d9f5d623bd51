/* Packets that are missing: whom a node asks for them, and what it sends of
 * itself to a child that lacks some. */
#include <glib.h>
#include <string.h>

#include "tests/harness/scribe_hub.h"

enum {
  GROUP = 1,
  OTHER_GROUP = 2,
  PARENT = 2,
  CHILD = 3,
  ROOT = 4,
  OTHER = 7,
  SOURCE = 8
};

static SsGroup *
join (Hub *hub, unsigned number, unsigned parent)
{
  SsId id = hub_group_id (number);
  SsGroup *group = ss_group_open (hub->family, &id, hub);
  ss_group_join (group);
  hub_accept (hub, number, parent, 0);
  g_assert_true (ss_group_in_tree (group));
  return group;
}

static bool
is_asked (const Hub *hub, unsigned from, unsigned until, unsigned number)
{
  SsContact peer = hub_contact (number);
  for (unsigned i = from; i < MIN (until, hub->n_wanted); i++)
    if (ss_id_equal (&hub->wanted[i], &peer.id))
      return true;
  return false;
}

/* The parent is not the root, but knows it. */
static void
take_path (Hub *hub)
{
  SsId id = hub_group_id (GROUP);
  SsContact parent = hub_contact (PARENT), root = hub_contact (ROOT);
  SsMsgScribePath message = { .n_path = 2 };
  memcpy (message.tag, id.b, SS_TAG_LEN);
  message.path[0] = ss_prefix_of (&root.id);
  message.path[1] = ss_prefix_of (&parent.id);
  message.n_root = ss_peers_put (message.root, 0, 1, &root);
  uint8_t data[SS_MSG_SCRIBE_PATH_MAX];
  size_t len = ss_msg_scribe_path_encode (&message, data, sizeof data);
  hub->app->direct (hub->app_user, &parent, data, len);
}

static bool
is_root_to_fetch (const Hub *hub)
{
  SsContact root = hub_contact (ROOT);
  for (unsigned i = 0; i < hub->n_wanted; i++)
    if (hub->is_to_fetch[i] && ss_id_equal (&hub->wanted[i], &root.id))
      return true;
  return false;
}

/* Below a dead node all lack a packet. Whose parent answers, and fetches it,
 * leaves the root alone until that has taken too long. */
static void
test_root_is_spared (void)
{
  for (unsigned talks = 0; talks < 2; talks++) {
    const SsFamilyConfig config = { .children_max = 8 };
    Hub hub;
    hub_init (&hub, &config, true);
    SsGroup *group = join (&hub, GROUP, PARENT);
    take_path (&hub);
    if (talks)
      hub.talks = hub_contact (PARENT).id;
    ss_group_want (group, 1000, hub.env.now + 3 * SS_SEC);
    hub_run (&hub, 250 * SS_MSEC);
    g_assert_true (is_asked (&hub, 0, 1, PARENT));
    g_assert_cmpint (is_root_to_fetch (&hub), ==, !talks);
    hub_run (&hub, 2 * SS_SEC);
    g_assert_true (is_root_to_fetch (&hub));
    hub_clear (&hub);
  }
}

/* Its parent first; if there is no answer two other members, whatever they are
 * to it and in whichever tree; and none of that is the source's business. */
static void
test_members_are_asked (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, true);
  SsGroup *group = join (&hub, GROUP, PARENT);
  join (&hub, OTHER_GROUP, OTHER);
  hub_take_join (&hub, OTHER_GROUP, CHILD, SS_JOIN_MEMBER, true);
  SsContact source = hub_contact (SOURCE);
  ss_family_set_source (hub.family, &source);
  ss_group_want (group, 1000, hub.env.now + 1500 * SS_MSEC);
  hub_run (&hub, 10 * SS_MSEC);
  g_assert_cmpuint (hub.n_wanted, ==, 1);
  g_assert_true (is_asked (&hub, 0, 1, PARENT));
  hub_run (&hub, 200 * SS_MSEC);
  g_assert_true (is_asked (&hub, 1, 4, OTHER));
  g_assert_true (is_asked (&hub, 1, 4, CHILD));
  g_assert_false (is_asked (&hub, 1, 4, SOURCE));
  hub_clear (&hub);
}

/* What one death leaves missing is not asked of one node alone, nor of the
 * source as if it were one of them. */
static void
test_members_share (void)
{
  enum { FIRST = 20, MEMBERS = 8, WANTED = 16 };
  const SsFamilyConfig config = { .children_max = MEMBERS };
  Hub hub;
  hub_init (&hub, &config, true);
  SsGroup *group = join (&hub, GROUP, PARENT);
  join (&hub, OTHER_GROUP, OTHER);
  join (&hub, OTHER_GROUP + 1, SOURCE); /* whose own tree that is, by chance */
  SsContact source = hub_contact (SOURCE);
  ss_family_set_source (hub.family, &source);
  for (unsigned i = 0; i < MEMBERS; i++)
    hub_take_join (&hub, OTHER_GROUP, FIRST + i, SS_JOIN_MEMBER, true);
  for (uint32_t i = 0; i < WANTED; i++)
    ss_group_want (group, 1000 + i, hub.env.now + 1500 * SS_MSEC);
  hub_run (&hub, 200 * SS_MSEC);
  unsigned n_asked = 0;
  for (unsigned i = 0; i < MEMBERS; i++)
    n_asked += is_asked (&hub, 0, hub.n_wanted, FIRST + i);
  g_assert_cmpuint (n_asked, >=, MEMBERS / 2);
  g_assert_false (is_asked (&hub, 0, hub.n_wanted, SOURCE));
  hub_clear (&hub);
}

/* A new child says what it has, and is sent the rest. */
static void
test_gap_is_filled (void)
{
  enum { HISTORY = 20 };
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, false);
  hub_take_join (&hub, GROUP, CHILD, SS_JOIN_MEMBER, false);
  SsId id = hub_group_id (GROUP);
  SsGroup *group = ss_scribe_find (hub.scribe, &id);
  g_assert_true (ss_group_is_root (group));
  GBytes *packet = g_bytes_new_static ("packet", 6);
  for (uint32_t i = 1; i <= HISTORY; i++)
    ss_history_put (group, i, packet);
  const uint64_t *n_sent = &hub.env.counters.value[SS_COUNT_SCRIBE_REPAIRS];
  hub_take_join (&hub, GROUP, OTHER, SS_JOIN_MEMBER, false);
  g_assert_cmpuint (*n_sent, ==, 0); /* a newcomer asks for what it wants */
  hub_take_join (&hub, GROUP, OTHER, SS_JOIN_MEMBER | SS_JOIN_HAVE, false);
  g_assert_cmpuint (*n_sent, ==, HISTORY);
  g_bytes_unref (packet);
  hub_clear (&hub);
}

/* A line takes a while for many children: those whose own stripe it is carry
 * the tree, and get each packet first. */
static void
test_own_stripe_is_fed_first (void)
{
  enum { CHILDREN = 24 };
  const SsFamilyConfig config = { .children_max = CHILDREN };
  Hub hub;
  unsigned n_own = 0, n_children;
  hub_init (&hub, &config, true);
  SsGroup *group = join (&hub, GROUP, PARENT);
  for (unsigned i = 0; i < CHILDREN; i++)
    hub_take_join (&hub, GROUP, PARENT + 1 + i, SS_JOIN_MEMBER, true);
  n_children = ss_group_child_count (group);
  for (unsigned i = 0; i < n_children; i++)
    n_own += ss_place_is_own (group, &ss_group_child_at (group, i)->contact.id);
  g_assert_cmpuint (n_own, >, 0);
  g_assert_cmpuint (n_own, <, n_children);
  /* Not by the order in which they came. */
  g_assert_false (
      ss_place_is_own (group, &ss_group_child_at (group, 0)->contact.id));
  GBytes *packet = g_bytes_new_static ("packet", 6);
  ss_group_inject (group, 1000, packet, false);
  g_bytes_unref (packet);
  g_assert_cmpuint (hub.n_fed, ==, n_children);
  for (unsigned i = 0; i < n_children; i++)
    g_assert_true (ss_place_is_own (group, &hub.fed[i]) == (i < n_own));
  hub_clear (&hub);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/repair/root-is-spared", test_root_is_spared);
  g_test_add_func ("/scribe/repair/members", test_members_are_asked);
  g_test_add_func ("/scribe/repair/members-share", test_members_share);
  g_test_add_func ("/scribe/repair/gap", test_gap_is_filled);
  g_test_add_func ("/scribe/repair/own-stripe-first",
                   test_own_stripe_is_fed_first);
  return g_test_run ();
}
