/* Who makes room for a joiner, whom a node hands on that has too many, and for
 * how long it stays in the tree without children. */
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

static bool
is_shed (Hub *hub, unsigned node)
{
  return child_of (hub, node)->shed_until > 0;
}

/* A node over its bound hands the farthest on, to siblings, and no other. */
static void
test_farthest (void)
{
  enum { MANY = 4 };
  static const SsTime trips[MANY] = { 20 * SS_MSEC, 90 * SS_MSEC, 10 * SS_MSEC,
                                      40 * SS_MSEC };
  static const unsigned farthest[] = { 1, 3 };
  const SsFamilyConfig config = { .children_max = MANY };
  SsTime rtts[1000] = { 0 };
  Hub hub;
  hub_init (&hub, &config, false);
  hub.rtts = rtts;
  hub.n_rtts = G_N_ELEMENTS (rtts);
  for (unsigned i = 0; i < MANY; i++) {
    g_assert_cmpuint (stranger (i), <, hub.n_rtts);
    rtts[stranger (i)] = trips[i];
    hub_take_join (&hub, GROUP, stranger (i), SS_JOIN_MEMBER, false);
  }
  hub_run (&hub, 2 * SS_OVERLOAD_TIME);
  g_assert_cmpuint (hub.n_redirects, ==, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS (farthest); i++) {
    ss_family_set_bound (hub.family, MANY - 1 - i);
    hub_run (&hub, 2 * SS_OVERLOAD_TIME);
    SsContact victim = hub_contact (stranger (farthest[i]));
    g_assert_cmpuint (hub.n_redirects, ==, i + 1);
    g_assert_true (ss_contact_equal (&hub.redirected, &victim));
    g_assert_true (is_shed (&hub, stranger (farthest[i])));
    /* The nearest sibling of those that are left is the best to go to. */
    SsContact nearest = hub_contact (stranger (2));
    SsContact named = ss_contact_from_record (&hub.redirect.candidates[0]);
    g_assert_cmpuint (hub.redirect.n_candidates, ==, MANY - 1 - i);
    g_assert_true (ss_contact_equal (&named, &nearest));
  }
  g_assert_false (is_shed (&hub, stranger (0)));
  g_assert_false (is_shed (&hub, stranger (2)));
  hub_clear (&hub);
}

/* Of several groups' children the farthest of all goes, whichever group comes
 * first. */
static void
test_farthest_of_all (void)
{
  for (unsigned far = 0; far < 2; far++) {
    const SsFamilyConfig config = { .children_max = 4 };
    SsTime rtts[5] = { 0, 20 * SS_MSEC, 30 * SS_MSEC, 25 * SS_MSEC,
                       35 * SS_MSEC };
    unsigned groups[2], n = 0;
    Hub hub;
    hub_init (&hub, &config, false);
    hub.rtts = rtts;
    hub.n_rtts = G_N_ELEMENTS (rtts);
    for (unsigned number = GROUP; n < 2; number++) {
      SsId id = hub_group_id (number);
      if (ss_id_shared_digits (&id, &hub.self.id) == 0)
        groups[n++] = number;
    }
    rtts[2 + 2 * far] = 90 * SS_MSEC;
    for (unsigned i = 1; i <= 4; i++)
      hub_take_join (&hub, groups[(i - 1) / 2], i, SS_JOIN_MEMBER, false);
    ss_family_set_bound (hub.family, 3);
    hub_run (&hub, 2 * SS_OVERLOAD_TIME);
    SsContact victim = hub_contact (2 + 2 * far);
    g_assert_cmpuint (hub.n_redirects, ==, 1);
    g_assert_true (ss_contact_equal (&hub.redirected, &victim));
    hub_clear (&hub);
  }
}

/* Groups that are foreign to the hub, as its own would make way for others. */
static unsigned
foreign (unsigned number)
{
  SsContact self = hub_contact (0);
  unsigned at = 0;
  for (;;) {
    SsId id = hub_group_id (++at);
    if (ss_id_shared_digits (&id, &self.id) == 0 && number-- == 0)
      return at;
  }
}

static SsGroup *
join_group (Hub *hub, unsigned number)
{
  SsId id = hub_group_id (number);
  SsGroup *group = ss_group_open (hub->family, &id, hub);
  ss_group_join (group);
  hub_accept (hub, number, 100 + number, 0);
  g_assert_true (ss_group_in_tree (group));
  return group;
}

/* A JOIN of one that node `lost` has sent in an exchange, and that stays there
 * if it is not taken. */
static void
take_sent (Hub *hub, unsigned group, unsigned from, unsigned lost)
{
  SsContact giver = hub_contact (lost);
  SsMsgScribeJoin message = {
    .group = hub_group_id (group),
    .nonce = 1,
    .flags = SS_JOIN_MEMBER | SS_JOIN_SHED | SS_JOIN_STAYS,
    .lost = ss_prefix_of (&giver.id),
  };
  hub_take_join_of (hub, from, &message);
}

/* A full node takes a child of whom it has offered that, for one of another
 * group that it sends there; and no other, and no more of them. */
static void
test_exchange (void)
{
  enum { PARTNER = 50, OTHER, FIRST = 60, SECOND, THIRD };
  const SsFamilyConfig config = { .children_max = CHILDREN };
  Hub hub;
  hub_init (&hub, &config, true);
  SsGroup *take = join_group (&hub, foreign (0));
  SsGroup *give = join_group (&hub, foreign (1));
  SsContact partner = hub_contact (PARTNER);
  for (unsigned i = 1; i <= CHILDREN; i++)
    hub_take_join (&hub, foreign (1), i, SS_JOIN_MEMBER, true);
  g_assert_cmpuint (ss_group_n_children (give), ==, CHILDREN);
  take_sent (&hub, foreign (0), FIRST, PARTNER);
  g_assert_cmpuint (ss_group_n_children (take), ==, 0);
  g_assert_true (
      ss_group_offer (take, give, &partner, 1, hub.env.now + SS_SEC));
  take_sent (&hub, foreign (0), FIRST, OTHER);
  take_sent (&hub, foreign (0), PARTNER, PARTNER);
  g_assert_cmpuint (ss_group_n_children (take), ==, 0);
  take_sent (&hub, foreign (0), SECOND, PARTNER);
  g_assert_cmpuint (ss_group_n_children (take), ==, 1);
  g_assert_cmpuint (ss_group_n_children (give), ==, CHILDREN - 1);
  SsContact named = ss_contact_from_record (&hub.redirect.candidates[0]);
  g_assert_true (ss_contact_equal (&named, &partner));
  take_sent (&hub, foreign (0), THIRD, PARTNER);
  g_assert_cmpuint (ss_group_n_children (take), ==, 1);
  /* Its own side of an exchange, but not with one that forwards nothing. */
  ss_service_shun (hub.scribe, &partner);
  g_assert_false (
      ss_group_offer (take, give, &partner, 1, hub.env.now + SS_SEC));
  ss_group_give (give, &partner, CHILDREN);
  g_assert_cmpuint (ss_group_n_children (give), ==, CHILDREN - 1);
  partner = hub_contact (OTHER);
  ss_group_give (give, &partner, CHILDREN);
  g_assert_cmpuint (ss_group_n_children (give), ==, 0);
  named = ss_contact_from_record (&hub.redirect.candidates[0]);
  g_assert_true (ss_contact_equal (&named, &partner));
  hub_clear (&hub);
}

/* The places of those that were sent away in an exchange are kept for whom the
 * partner sends in return, and for them if nobody comes; not for others. */
static void
test_kept (void)
{
  enum { PARTNER = 50, STRANGER = 60, SENT, LATE };
  const SsFamilyConfig config = { .children_max = CHILDREN };
  Hub hub;
  hub_init (&hub, &config, true);
  SsGroup *take = join_group (&hub, foreign (0));
  SsGroup *give = join_group (&hub, foreign (1));
  SsContact partner = hub_contact (PARTNER);
  for (unsigned i = 1; i <= CHILDREN; i++)
    hub_take_join (&hub, foreign (1), i, SS_JOIN_MEMBER, true);
  ss_group_give (give, &partner, CHILDREN);
  g_assert_true (hub.redirect.flags & SS_REDIRECT_MAY_STAY);
  g_assert_cmpuint (ss_family_n_children (hub.family), ==, 0);
  g_assert_cmpuint (ss_family_n_taken (hub.family), ==, CHILDREN);
  hub_take_join (&hub, foreign (0), STRANGER, SS_JOIN_MEMBER, true);
  g_assert_cmpuint (ss_group_n_children (take), ==, 0);
  hub_take_join_near (&hub, foreign (0), SENT, 1, PARTNER);
  g_assert_cmpuint (ss_group_n_children (take), ==, 1);
  g_assert_cmpuint (ss_family_n_taken (hub.family), ==, CHILDREN);
  hub_run (&hub, SS_SHED_TIME + SS_MSEC);
  g_assert_cmpuint (ss_group_n_children (take), ==, 1);
  g_assert_cmpuint (ss_group_n_children (give), ==, CHILDREN - 1);
  g_assert_cmpuint (ss_group_child_count (give), ==, CHILDREN - 1);
  g_assert_cmpuint (hub.n_not_served, ==, 1); /* it looks for another */
  hub_take_join_near (&hub, foreign (0), LATE, 1, PARTNER);
  g_assert_cmpuint (ss_group_n_children (take), ==, 1);
  hub_clear (&hub);
}

/* Who left for the partner, and for whom nobody came, leaves a free place in
 * the end; and who comes back before that has it. */
static void
test_kept_ends (void)
{
  enum { PARTNER = 50, STRANGER = 60 };
  const SsFamilyConfig config = { .children_max = CHILDREN };
  Hub hub;
  hub_init (&hub, &config, true);
  SsGroup *give = join_group (&hub, foreign (1));
  SsContact partner = hub_contact (PARTNER);
  for (unsigned i = 1; i <= CHILDREN; i++)
    hub_take_join (&hub, foreign (1), i, SS_JOIN_MEMBER, true);
  ss_group_give (give, &partner, CHILDREN);
  hub_take_join (&hub, foreign (1), 1, SS_JOIN_MEMBER, true);
  g_assert_cmpuint (ss_group_n_children (give), ==, 1);
  for (unsigned i = 2; i <= CHILDREN; i++)
    hub_take_leave (&hub, foreign (1), i, 0);
  g_assert_cmpuint (ss_family_n_taken (hub.family), ==, CHILDREN);
  hub_run (&hub, SS_KEPT_TIME + SS_MSEC);
  g_assert_cmpuint (ss_family_n_taken (hub.family), ==, 1);
  hub_take_join (&hub, foreign (1), STRANGER, SS_JOIN_MEMBER, true);
  g_assert_cmpuint (ss_group_n_children (give), ==, 2);
  hub_clear (&hub);
}

/* However often it sends some to the same partner, none is kept longer, and
 * there are only so many. */
static void
test_kept_bounded (void)
{
  enum { PARTNER = 50, MORE = 8, MANY = SS_KEPT_MAX + MORE };
  const SsFamilyConfig config = { .children_max = MANY };
  Hub hub;
  hub_init (&hub, &config, true);
  SsGroup *give = join_group (&hub, foreign (1));
  SsContact partner = hub_contact (PARTNER);
  for (unsigned i = 1; i <= MANY; i++)
    hub_take_join (&hub, foreign (1), i, SS_JOIN_MEMBER, true);
  ss_group_give (give, &partner, 1);
  SsContact first = hub.redirected;
  SsId id = hub_group_id (foreign (1));
  ss_group_child_remove (ss_scribe_find (hub.scribe, &id), &first.id);
  hub_run (&hub, SS_KEPT_TIME - SS_SEC);
  g_assert_cmpuint (ss_family_n_taken (hub.family), ==, MANY);
  ss_group_give (give, &partner, MANY);
  g_assert_cmpuint (ss_family_n_children (hub.family), ==, MORE);
  g_assert_cmpuint (ss_family_n_taken (hub.family), ==, MANY);
  hub_run (&hub, SS_SEC + SS_MSEC);
  g_assert_cmpuint (ss_family_n_taken (hub.family), ==, MANY - 1);
  hub_clear (&hub);
}

/* Who stands aside is rid of its children, and takes none, however badly they
 * need a place; */
static void
test_aside (void)
{
  enum { OTHER = 60 };
  const SsFamilyConfig config = { .children_max = CHILDREN };
  Hub hub;
  hub_init (&hub, &config, true);
  SsGroup *group = join_group (&hub, foreign (0));
  hub_take_join (&hub, foreign (0), 1, SS_JOIN_MEMBER, true);
  g_assert_cmpuint (ss_group_n_children (group), ==, 1);
  ss_family_stand_aside (hub.family);
  hub_run (&hub, 2 * SS_OVERLOAD_TIME);
  g_assert_cmpuint (ss_group_n_children (group), ==, 0);
  hub_take_join (&hub, foreign (0), OTHER, SS_JOIN_MEMBER | SS_JOIN_MUST, true);
  g_assert_cmpuint (ss_group_n_children (group), ==, 0);
  hub_clear (&hub);
}

/* but as a root it has one. */
static void
test_aside_root (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, false);
  ss_family_stand_aside (hub.family);
  for (unsigned i = 1; i <= CHILDREN; i++)
    hub_take_join (&hub, GROUP, i, SS_JOIN_MEMBER, false);
  SsId id = hub_group_id (GROUP);
  const SsGroup *group = ss_scribe_find (hub.scribe, &id);
  g_assert_cmpuint (ss_group_n_children (group), ==, 1);
  g_assert_cmpuint (hub.n_redirects, ==, CHILDREN - 1);
  hub_run (&hub, 2 * SS_OVERLOAD_TIME);
  g_assert_cmpuint (ss_group_n_children (group), ==, 1);
  hub_clear (&hub);
}

/* Where many come and go a forwarder without children is soon gone, so that
 * searches do not come to it. */
static void
test_idle (void)
{
  for (unsigned light = 0; light < 2; light++) {
    const SsFamilyConfig config = { .is_light = light, .is_by_turns = true };
    Hub hub;
    hub_init (&hub, &config, true);
    SsId id = hub_group_id (GROUP);
    SsGroup *group = ss_group_carry (hub.family, &id, &hub);
    hub_accept (&hub, GROUP, 100, 0);
    g_assert_true (ss_group_in_tree (group));
    hub_take_join (&hub, GROUP, 1, SS_JOIN_MEMBER, true);
    hub_take_leave (&hub, GROUP, 1, 0);
    hub_run (&hub, SS_GROUP_IDLE_LIGHT / 2);
    g_assert_nonnull (ss_scribe_find (hub.scribe, &id));
    hub_run (&hub, SS_GROUP_IDLE_LIGHT);
    g_assert_true ((ss_scribe_find (hub.scribe, &id) == NULL) == light);
    hub_clear (&hub);
  }
}

/* Nor is it gone as long as somebody waits until it has a parent itself. */
static void
test_idle_pending (void)
{
  for (unsigned is_taken = 0; is_taken < 2; is_taken++) {
    const SsFamilyConfig config = { .is_light = true };
    Hub hub;
    hub_init (&hub, &config, true);
    SsId id = hub_group_id (GROUP);
    ss_group_carry (hub.family, &id, &hub);
    hub_take_join (&hub, GROUP, 1, SS_JOIN_MEMBER, true);
    hub_run (&hub, SS_PENDING_TIME - SS_MSEC);
    g_assert_nonnull (ss_scribe_find (hub.scribe, &id));
    g_assert_null (child_of (&hub, 1));
    if (is_taken)
      hub_accept (&hub, GROUP, 100, 0);
    hub_run (&hub, SS_GROUP_IDLE_LIGHT);
    g_assert_true ((ss_scribe_find (hub.scribe, &id) != NULL) == is_taken);
    g_assert_true (!is_taken || child_of (&hub, 1) != NULL);
    hub_clear (&hub);
  }
}

static const SsChild *
child_in (Hub *hub, unsigned group, unsigned node)
{
  SsId id = hub_group_id (group);
  SsContact contact = hub_contact (node);
  return ss_group_child_find (ss_scribe_find (hub->scribe, &id), &contact.id);
}

/* A full node takes a child in its own stripe for one in a foreign one, and
 * none in a foreign one for one in its own. */
static void
test_own_stripe_first (void)
{
  enum { PARENT = 50, FIRST = 60, JOINER = 70 };
  for (unsigned is_own = 0; is_own < 2; is_own++) {
    const SsFamilyConfig config = { .children_max = CHILDREN };
    unsigned groups[2] = { foreign (0), 1 };
    Hub hub;
    hub_init (&hub, &config, true);
    for (SsId id = hub_group_id (groups[1]);
         ss_id_shared_digits (&id, &hub.self.id) == 0;)
      id = hub_group_id (++groups[1]);
    for (unsigned i = 0; i < 2; i++) {
      SsId id = hub_group_id (groups[i]);
      ss_group_join (ss_group_open (hub.family, &id, &hub));
      hub_accept (&hub, groups[i], PARENT + i, 0);
    }
    unsigned wanted = groups[is_own], full = groups[!is_own];
    for (unsigned i = 0; i < CHILDREN; i++)
      hub_take_join (&hub, full, FIRST + i, SS_JOIN_MEMBER, true);
    hub_take_join (&hub, wanted, JOINER, SS_JOIN_MEMBER, true);
    unsigned n_shed = 0;
    for (unsigned i = 0; i < CHILDREN; i++)
      n_shed += child_in (&hub, full, FIRST + i)->shed_until > 0;
    g_assert_cmpuint (n_shed, ==, is_own);
    g_assert_true ((child_in (&hub, wanted, JOINER) != NULL) == is_own);
    hub_clear (&hub);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/shed/shirker", test_shirker);
  g_test_add_func ("/scribe/shed/own-stripe-first", test_own_stripe_first);
  g_test_add_func ("/scribe/shed/farthest", test_farthest);
  g_test_add_func ("/scribe/shed/kept", test_kept);
  g_test_add_func ("/scribe/shed/kept-ends", test_kept_ends);
  g_test_add_func ("/scribe/shed/kept-bounded", test_kept_bounded);
  g_test_add_func ("/scribe/shed/farthest-of-all", test_farthest_of_all);
  g_test_add_func ("/scribe/shed/exchange", test_exchange);
  g_test_add_func ("/scribe/shed/aside", test_aside);
  g_test_add_func ("/scribe/shed/aside-root", test_aside_root);
  g_test_add_func ("/scribe/shed/idle", test_idle);
  g_test_add_func ("/scribe/shed/idle-pending", test_idle_pending);
  return g_test_run ();
}
