/* Near siblings, and members that searches are led to. */
#include <glib.h>

#include "tests/harness/scribe_hub.h"

enum { GROUP = 1, PARENT, SIBLING, JOINER, MEMBER, ORIGIN };

static bool
is_node (const SsId *id, unsigned number)
{
  SsContact contact = hub_contact (number);
  return ss_id_equal (id, &contact.id);
}

static uint32_t
prefix_of (unsigned number)
{
  SsContact contact = hub_contact (number);
  return ss_prefix_of (&contact.id);
}

/* A parent names a child that the joiner knows as near, but nobody that is no
 * child, nor who has sent the joiner away. */
static void
test_named (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, false);
  hub_take_join (&hub, GROUP, SIBLING, SS_JOIN_MEMBER, false);
  g_assert_cmpuint (hub.ack.near, ==, 0);
  hub_take_join_near (&hub, GROUP, JOINER, MEMBER, 0);
  g_assert_cmpuint (hub.ack.near, ==, 0);
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, SIBLING);
  g_assert_cmpuint (hub.ack.near, ==, 0);
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, 0);
  g_assert_cmpuint (hub.ack.near, ==, prefix_of (SIBLING));
  hub_clear (&hub);
}

/* Nor one that has left the tree; but one that has moved, until it is a child
 * again and may not be named as such. */
static void
test_moved (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, false);
  hub_take_join (&hub, GROUP, SIBLING, SS_JOIN_MEMBER, false);
  hub_take_leave (&hub, GROUP, SIBLING, 0);
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, 0);
  g_assert_cmpuint (hub.ack.near, ==, 0);
  hub_take_join (&hub, GROUP, SIBLING, SS_JOIN_MEMBER, false);
  hub_take_leave (&hub, GROUP, SIBLING, SS_LEAVE_MOVED);
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, SIBLING);
  g_assert_cmpuint (hub.ack.near, ==, 0);
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, 0);
  g_assert_cmpuint (hub.ack.near, ==, prefix_of (SIBLING));
  hub_take_join (&hub, GROUP, SIBLING, SS_JOIN_MEMBER, false);
  SsId id = hub_group_id (GROUP);
  SsContact sibling = hub_contact (SIBLING);
  SsGroup *group = ss_scribe_find (hub.scribe, &id);
  ss_group_child_shed (group, ss_group_child_find (group, &sibling.id));
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, 0);
  g_assert_cmpuint (hub.ack.near, ==, 0);
  hub_clear (&hub);
}

/* So many of them are remembered, the last. */
static void
test_moved_bound (void)
{
  const unsigned n = SS_GROUP_MOVED_MAX + 1;
  const SsFamilyConfig config = { .children_max = 8 };
  SsId id = hub_group_id (GROUP);
  Hub hub;
  hub_init (&hub, &config, false);
  for (unsigned i = 0; i < n; i++) {
    hub_take_join (&hub, GROUP, SIBLING + i, SS_JOIN_MEMBER, false);
    hub_take_leave (&hub, GROUP, SIBLING + i, SS_LEAVE_MOVED);
  }
  const SsGroup *group = ss_scribe_find (hub.scribe, &id);
  g_assert_cmpuint (group->moved->len, ==, SS_GROUP_MOVED_MAX);
  g_assert_false (ss_group_child_has_moved (group, prefix_of (SIBLING)));
  g_assert_true (ss_group_child_has_moved (group, prefix_of (SIBLING + n - 1)));
  hub_clear (&hub);
}

/* And not for ever. */
static void
test_moved_time (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, false);
  hub_take_join (&hub, GROUP, SIBLING, SS_JOIN_MEMBER, false);
  hub_take_leave (&hub, GROUP, SIBLING, SS_LEAVE_MOVED);
  hub_take_join (&hub, GROUP, MEMBER, SS_JOIN_MEMBER, false);
  hub.env.now += SS_GROUP_MOVED_TIME - SS_SEC;
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, 0);
  g_assert_cmpuint (hub.ack.near, ==, prefix_of (SIBLING));
  hub.env.now += 2 * SS_SEC;
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, 0);
  g_assert_cmpuint (hub.ack.near, ==, 0);
  hub_clear (&hub);
}

/* A stripe's children find their places otherwise. */
static void
test_moved_stripes (void)
{
  const SsFamilyConfig config = { .children_max = 8, .is_by_turns = true };
  Hub hub;
  hub_init (&hub, &config, false);
  hub_take_join (&hub, GROUP, SIBLING, SS_JOIN_MEMBER, false);
  hub_take_leave (&hub, GROUP, SIBLING, SS_LEAVE_MOVED);
  hub_take_join_near (&hub, GROUP, JOINER, SIBLING, 0);
  g_assert_cmpuint (hub.ack.near, ==, 0);
  hub_clear (&hub);
}

/* Whom this node asks after its parent, at 50 ms, has named a sibling. */
static bool
goes (const SsFamilyConfig *config, unsigned near, SsTime rtt)
{
  Hub hub;
  hub_init (&hub, config, true);
  hub.near = near;
  hub.near_rtt = rtt;
  SsId id = hub_group_id (GROUP);
  ss_group_join (ss_group_open (hub.family, &id, NULL));
  hub_accept (&hub, GROUP, PARENT, SIBLING);
  bool has_gone = is_node (&hub.joined, SIBLING);
  const SsGroup *group = ss_scribe_find (hub.scribe, &id);
  g_assert_true (is_node (&ss_group_parent (group)->id, PARENT));
  if (has_gone) {
    hub_accept (&hub, GROUP, SIBLING, 0);
    g_assert_true (is_node (&ss_group_parent (group)->id, SIBLING));
    g_assert_cmpuint (hub.leave.flags, ==, SS_LEAVE_MOVED);
    ss_group_leave (ss_scribe_find (hub.scribe, &id));
    g_assert_cmpuint (hub.leave.flags, ==, 0);
  }
  hub_clear (&hub);
  return has_gone;
}

/* It goes to a sibling that is much nearer, as measured here. */
static void
test_goes (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  g_assert_true (goes (&config, SIBLING, 20 * SS_MSEC));
  g_assert_false (goes (&config, SIBLING, 45 * SS_MSEC));
  g_assert_false (goes (&config, MEMBER, 20 * SS_MSEC));
}

/* In a stripe, which has rules of its own for who sits where, nobody does. */
static void
test_stripes (void)
{
  const SsFamilyConfig config = { .children_max = 8, .is_by_turns = true };
  g_assert_false (goes (&config, SIBLING, 20 * SS_MSEC));
}

/* Two siblings that go to each other at once: both stay where they are, rather
 * than take each other. */
static void
test_crossing (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, true);
  hub.near = SIBLING;
  hub.near_rtt = 20 * SS_MSEC;
  SsId id = hub_group_id (GROUP);
  ss_group_join (ss_group_open (hub.family, &id, NULL));
  hub_accept (&hub, GROUP, PARENT, SIBLING);
  g_assert_true (is_node (&hub.joined, SIBLING));
  hub_take_join (&hub, GROUP, SIBLING, SS_JOIN_MEMBER | SS_JOIN_BETTER, false);
  hub_accept (&hub, GROUP, SIBLING, 0);
  const SsGroup *group = ss_scribe_find (hub.scribe, &id);
  g_assert_true (is_node (&ss_group_parent (group)->id, PARENT));
  hub_clear (&hub);
}

/* A forwarder that hands its only child, a member, on is gone as soon as that
 * is, and leads searches to it. */
static void
test_traces (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  SsId id = hub_group_id (GROUP);
  Hub hub;
  hub_init (&hub, &config, true);
  ss_group_carry (hub.family, &id, NULL);
  hub_accept (&hub, GROUP, PARENT, 0);
  hub_take_join (&hub, GROUP, MEMBER, SS_JOIN_MEMBER, true);
  hub_run (&hub, SS_LONE_TIME + SS_SEC);
  g_assert_cmpuint (hub.n_redirects, ==, 1);
  hub_take_leave (&hub, GROUP, MEMBER, 0);
  hub_run (&hub, SS_SEC);
  g_assert_null (ss_scribe_find (hub.scribe, &id));

  g_assert_true (hub_pass_search (&hub, GROUP, ORIGIN));
  g_assert_cmpuint (hub.n_searches, ==, 1);
  g_assert_true (is_node (&hub.asked.id, MEMBER));
  /* Not the member's own, which is to find another. */
  g_assert_false (hub_pass_search (&hub, GROUP, MEMBER));
  /* It comes back: the member is not in the tree any more. */
  hub_take_search (&hub, GROUP, ORIGIN, MEMBER);
  g_assert_cmpuint (hub.n_routed_searches, ==, 1);
  g_assert_false (hub_pass_search (&hub, GROUP, ORIGIN));
  g_assert_cmpuint (hub.n_searches, ==, 1);
  hub_clear (&hub);
}

/* The first one whose id begins as the hub's. */
static unsigned
close_group (const Hub *hub)
{
  unsigned group = GROUP;
  for (SsId id = hub_group_id (group);
       ss_id_shared_digits (&hub->self.id, &id) != 1;)
    id = hub_group_id (++group);
  return group;
}

/* And the first node from that one on. */
static unsigned
close_node (unsigned group, unsigned from)
{
  SsId id = hub_group_id (group);
  SsContact contact = hub_contact (from);
  while (ss_id_shared_digits (&contact.id, &id) == 0)
    contact = hub_contact (++from);
  return from;
}

/* Of its near peers those that a search may come to in its place hear of the
 * member, but not the member itself. */
static void
test_trace_told (void)
{
  enum { NEAR = 100, N_NEAR = 60 };
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, true);
  unsigned group = close_group (&hub);
  SsId id = hub_group_id (group);
  unsigned close[SS_TRACE_TELL + 1], n_close = 0, n_far = 0;
  for (unsigned i = NEAR; n_close <= SS_TRACE_TELL; i++) {
    SsContact contact = hub_contact (i);
    if (ss_id_shared_digits (&contact.id, &id) >= 1)
      close[n_close++] = i;
    else
      n_far++;
    g_assert_cmpuint (i, <, NEAR + N_NEAR);
  }
  g_assert_cmpuint (n_far, >, 0);
  hub.near = NEAR;
  hub.n_near = N_NEAR;
  ss_group_carry (hub.family, &id, NULL);
  hub_accept (&hub, group, PARENT, 0);
  hub_take_join (&hub, group, close[0], SS_JOIN_MEMBER, true);
  g_assert_cmpuint (hub.n_told, ==, 0);
  hub_run (&hub, SS_LONE_TIME + SS_SEC);
  g_assert_cmpuint (hub.n_told, ==, SS_TRACE_TELL);
  for (unsigned i = 0; i < SS_TRACE_TELL; i++)
    g_assert_true (is_node (&hub.told[i], close[1 + i]));
  g_assert_true (ss_id_equal (&hub.trace.group, &id));
  SsContact member = ss_contact_from_record (&hub.trace.member[0]);
  g_assert_true (is_node (&member.id, close[0]));
  hub_clear (&hub);
}

/* Who has been told, by one that is near and as close to the group, leads
 * searches there, but not its own; who is in the tree knows better, and what is
 * known already is not replaced. */
static void
test_trace_heard (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, true);
  unsigned group = close_group (&hub), teller = close_node (group, PARENT);
  SsId id = hub_group_id (group);
  g_assert_false (hub_pass_search (&hub, group, ORIGIN));
  hub_take_trace (&hub, group, teller, MEMBER); /* not near */
  g_assert_null (ss_trace_find (hub.scribe, &id));
  hub.near = teller;
  hub_take_trace (&hub, group, teller, 0); /* the hub itself */
  g_assert_null (ss_trace_find (hub.scribe, &id));
  hub_take_trace (&hub, group, teller, MEMBER);
  hub_take_trace (&hub, group, teller, SIBLING);
  g_assert_true (hub_pass_search (&hub, group, ORIGIN));
  g_assert_true (is_node (&hub.asked.id, MEMBER));
  g_assert_cmpuint (hub.n_searches, ==, 1);
  ss_scribe_anycast (hub.scribe, &id, 1, NULL, 0);
  hub_run (&hub, SS_SEC);
  g_assert_cmpuint (hub.n_searches, ==, 1);

  SsContact member = hub_contact (MEMBER);
  ss_trace_put (hub.scribe, &id, &member);
  ss_scribe_anycast (hub.scribe, &id, 1, NULL, 0);
  hub_run (&hub, SS_SEC);
  g_assert_cmpuint (hub.n_searches, ==, 2);
  hub_clear (&hub);

  hub_init (&hub, &config, true);
  hub.near = teller;
  ss_group_carry (hub.family, &id, NULL);
  hub_accept (&hub, group, PARENT, 0);
  hub_take_trace (&hub, group, teller, MEMBER);
  g_assert_null (ss_trace_find (hub.scribe, &id));
  hub_clear (&hub);
}

/* It has left the tree, and knows a member of it. */
static void
init_with_trace (Hub *hub)
{
  const SsFamilyConfig config = { .children_max = 8 };
  SsId id = hub_group_id (GROUP);
  SsContact member = hub_contact (MEMBER);
  hub_init (hub, &config, true);
  ss_trace_put (hub->scribe, &id, &member);
}

/* The origin tries again, for the member has swallowed its search: it is led
 * there no more, nor is any other. */
static void
test_swallowed (void)
{
  Hub hub;
  SsId id = hub_group_id (GROUP);
  init_with_trace (&hub);
  g_assert_true (hub_pass_search (&hub, GROUP, ORIGIN));
  g_assert_true (hub_pass_search (&hub, GROUP, JOINER));
  g_assert_cmpuint (hub.n_searches, ==, 2);
  g_assert_false (hub_pass_search (&hub, GROUP, JOINER));
  g_assert_false (hub_pass_search (&hub, GROUP, ORIGIN));
  g_assert_null (ss_trace_find (hub.scribe, &id));
  g_assert_cmpuint (hub.n_searches, ==, 2);
  /* What this node sees itself brings it back. */
  SsContact sibling = hub_contact (SIBLING);
  ss_trace_put (hub.scribe, &id, &sibling);
  g_assert_true (hub_pass_search (&hub, GROUP, ORIGIN));
  g_assert_true (is_node (&hub.asked.id, SIBLING));
  /* Others in between do not hide that one comes again. */
  g_assert_true (hub_pass_search (&hub, GROUP, JOINER));
  g_assert_false (hub_pass_search (&hub, GROUP, ORIGIN));
  g_assert_null (ss_trace_find (hub.scribe, &id));
  hub_clear (&hub);
}

/* What led nowhere is not believed when another says it, for a while. */
static void
test_trace_vain (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, true);
  unsigned group = close_group (&hub);
  SsId id = hub_group_id (group);
  hub.near = close_node (group, PARENT);
  hub_take_trace (&hub, group, hub.near, MEMBER);
  g_assert_true (hub_pass_search (&hub, group, ORIGIN));
  g_assert_false (hub_pass_search (&hub, group, ORIGIN));
  hub_take_trace (&hub, group, hub.near, MEMBER);
  g_assert_null (ss_trace_find (hub.scribe, &id));
  hub_run (&hub, SS_TRACE_TIME);
  hub_take_trace (&hub, group, hub.near, MEMBER);
  g_assert_nonnull (ss_trace_find (hub.scribe, &id));
  hub_clear (&hub);
}

/* No nonce stands for none. */
static void
test_nonce_0 (void)
{
  Hub hub;
  SsId id = hub_group_id (GROUP);
  init_with_trace (&hub);
  g_assert_nonnull (ss_trace_lead (hub.scribe, &id, 0));
  g_assert_null (ss_trace_lead (hub.scribe, &id, 0));
  hub_clear (&hub);
}

/* A search that has been nearly everywhere, and whose next step fails, ends. */
static void
test_full (void)
{
  Hub hub;
  init_with_trace (&hub);
  hub_fail_search (&hub, GROUP, ORIGIN);
  g_assert_cmpuint (hub.n_searches, ==, 1);
  g_assert_cmpuint (hub.n_routed_searches, ==, 0);
  hub_clear (&hub);
}

/* Traces have a bound, and an end. */
static void
test_trace_bounds (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  SsContact member = hub_contact (MEMBER);
  Hub hub;
  hub_init (&hub, &config, true);
  for (unsigned i = 0; i <= SS_TRACES_MAX; i++) {
    SsId id = hub_group_id (i);
    ss_trace_put (hub.scribe, &id, &member);
  }
  SsId first = hub_group_id (0), last = hub_group_id (SS_TRACES_MAX);
  g_assert_cmpuint (hub.scribe->traces->len, ==, SS_TRACES_MAX);
  g_assert_null (ss_trace_find (hub.scribe, &first));
  g_assert_nonnull (ss_trace_find (hub.scribe, &last));
  hub_run (&hub, SS_TRACE_TIME);
  g_assert_null (ss_trace_find (hub.scribe, &last));
  ss_trace_put (hub.scribe, &first, &member);
  g_assert_cmpuint (hub.scribe->traces->len, ==, 1);
  hub_clear (&hub);
}

/* What others say has a bound of its own, and makes way for what it sees. */
static void
test_told_bounds (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  SsContact member = hub_contact (MEMBER);
  Hub hub;
  hub_init (&hub, &config, true);
  SsId first = { { 0 } };
  unsigned n = 0;
  for (unsigned i = 0; n <= SS_TRACES_TOLD_MAX; i++) {
    SsId id = hub_group_id (i);
    if (ss_id_shared_digits (&hub.self.id, &id) == 0)
      continue;
    first = n++ == 0 ? id : first;
    hub.near = close_node (i, PARENT);
    hub_take_trace (&hub, i, hub.near, MEMBER);
  }
  g_assert_cmpuint (hub.scribe->traces->len, ==, SS_TRACES_TOLD_MAX);
  g_assert_nonnull (ss_trace_find (hub.scribe, &first));
  for (unsigned i = 0; i < SS_TRACES_MAX - SS_TRACES_TOLD_MAX + 1; i++) {
    SsId id = hub_group_id (1000000 + i);
    ss_trace_put (hub.scribe, &id, &member);
  }
  g_assert_cmpuint (hub.scribe->traces->len, ==, SS_TRACES_MAX);
  g_assert_null (ss_trace_find (hub.scribe, &first));
  SsId id = hub_group_id (1000000);
  g_assert_nonnull (ss_trace_find (hub.scribe, &id));
  /* Full: another's word takes nothing's place. */
  unsigned group = close_group (&hub);
  SsId other = hub_group_id (group);
  hub.near = close_node (group, PARENT);
  for (unsigned i = 0; i < SS_TRACES_TOLD_MAX; i++) {
    SsId next = hub_group_id (2000000 + i);
    ss_trace_put (hub.scribe, &next, &member);
  }
  hub_take_trace (&hub, group, hub.near, MEMBER);
  g_assert_null (ss_trace_find (hub.scribe, &other));
  g_assert_cmpuint (hub.scribe->traces->len, ==, SS_TRACES_MAX);
  hub_clear (&hub);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/near/named", test_named);
  g_test_add_func ("/scribe/near/moved", test_moved);
  g_test_add_func ("/scribe/near/moved-bound", test_moved_bound);
  g_test_add_func ("/scribe/near/moved-time", test_moved_time);
  g_test_add_func ("/scribe/near/moved-stripes", test_moved_stripes);
  g_test_add_func ("/scribe/near/nonce-0", test_nonce_0);
  g_test_add_func ("/scribe/near/goes", test_goes);
  g_test_add_func ("/scribe/near/stripes", test_stripes);
  g_test_add_func ("/scribe/near/crossing", test_crossing);
  g_test_add_func ("/scribe/near/traces", test_traces);
  g_test_add_func ("/scribe/near/trace-told", test_trace_told);
  g_test_add_func ("/scribe/near/trace-heard", test_trace_heard);
  g_test_add_func ("/scribe/near/trace-vain", test_trace_vain);
  g_test_add_func ("/scribe/near/told-bounds", test_told_bounds);
  g_test_add_func ("/scribe/near/swallowed", test_swallowed);
  g_test_add_func ("/scribe/near/full", test_full);
  g_test_add_func ("/scribe/near/trace-bounds", test_trace_bounds);
  return g_test_run ();
}
