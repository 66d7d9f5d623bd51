/* A node that finds no place in a group's tree, and one that finds it for
 * others' sake. */
#include <glib.h>
#include <string.h>

#include "tests/harness/scribe_hub.h"

enum { GROUP = 1, PARENT = 2, CHILD = 3 };

static SsGroup *
seek (Hub *hub)
{
  const SsFamilyConfig config = { .children_max = 8 };
  hub_init (hub, &config, true);
  SsId id = hub_group_id (GROUP);
  SsGroup *group = ss_group_open (hub->family, &id, hub);
  ss_group_join (group);
  return group;
}

static void
lose_parent (Hub *hub)
{
  SsId id = hub_group_id (GROUP);
  SsContact parent = hub_contact (PARENT);
  SsMsgScribeNotServed message = { .n_tags = 1 };
  message.tags[0] = ss_tag_number (&id);
  uint8_t data[SS_MSG_SCRIBE_NOT_SERVED_MAX];
  size_t len = ss_msg_scribe_not_served_encode (&message, data, sizeof data);
  hub->app->direct (hub->app_user, &parent, data, len);
}

/* Told once when it has lasted, and once when it is over. */
static void
test_orphan (void)
{
  Hub hub;
  SsGroup *group = seek (&hub);
  hub_run (&hub, SS_ORPHAN_TIME - SS_MSEC);
  g_assert_cmpuint (hub.n_orphan, ==, 0);
  hub_run (&hub, 10 * SS_ORPHAN_TIME);
  g_assert_cmpuint (hub.n_orphan, ==, 1);
  g_assert_true (ss_group_is_orphan (group));
  g_assert_cmpuint (hub.env.counters.value[SS_COUNT_SCRIBE_ORPHANS], ==, 1);
  hub_accept (&hub, GROUP, PARENT, 0);
  g_assert_cmpuint (hub.n_housed, ==, 1);
  g_assert_false (ss_group_is_orphan (group));
  hub_run (&hub, 2 * SS_ORPHAN_TIME);
  /* One that finds a place in time is nothing to speak of. */
  lose_parent (&hub);
  g_assert_false (ss_group_in_tree (group));
  hub_run (&hub, SS_ORPHAN_TIME / 2);
  hub_accept (&hub, GROUP, PARENT, 0);
  hub_run (&hub, 2 * SS_ORPHAN_TIME);
  g_assert_cmpuint (hub.n_orphan, ==, 1);
  g_assert_cmpuint (hub.n_housed, ==, 1);
  lose_parent (&hub);
  hub_run (&hub, 2 * SS_ORPHAN_TIME);
  g_assert_cmpuint (hub.n_orphan, ==, 2);
  hub_clear (&hub);
}

/* The search has begun while it was only suspected. */
static void
test_death (void)
{
  Hub hub;
  SsGroup *group = seek (&hub);
  hub_accept (&hub, GROUP, PARENT, 0);
  SsContact parent = hub_contact (PARENT);
  hub.app->update (hub.app_user, &parent, SS_KBR_SUSPECTED);
  g_assert_nonnull (group->join);
  hub_run (&hub, SS_SEC / 2);
  hub.app->update (hub.app_user, &parent, SS_KBR_LEFT);
  g_assert_false (ss_group_in_tree (group));
  hub_run (&hub, SS_ORPHAN_TIME - SS_MSEC);
  g_assert_cmpuint (hub.n_orphan, ==, 0);
  hub_run (&hub, SS_SEC);
  g_assert_cmpuint (hub.n_orphan, ==, 1);
  hub_clear (&hub);
}

/* Being the root is a place. */
static void
test_root (void)
{
  Hub hub;
  SsGroup *group = seek (&hub);
  hub_run (&hub, 2 * SS_ORPHAN_TIME);
  g_assert_cmpuint (hub.n_orphan, ==, 1);
  hub.is_leaf = false;
  hub_take_join (&hub, GROUP, CHILD, SS_JOIN_MEMBER, false);
  g_assert_true (ss_group_is_root (group));
  g_assert_cmpuint (hub.n_housed, ==, 1);
  hub_run (&hub, 2 * SS_ORPHAN_TIME);
  g_assert_cmpuint (hub.n_orphan, ==, 1);
  hub_clear (&hub);
}

/* A relay that has agreed to carry a group joins it. Who comes meanwhile,
 * because it was sent there, waits, though it has tried elsewhere before. */
static void
test_host (void)
{
  const SsFamilyConfig config = { .children_max = 8 };
  Hub hub;
  hub_init (&hub, &config, true);
  SsId id = hub_group_id (GROUP);
  SsGroup *group = ss_group_carry (hub.family, &id, &hub);
  hub_take_join (&hub, GROUP, CHILD, SS_JOIN_MEMBER | SS_JOIN_RETRY, true);
  g_assert_cmpuint (hub.n_redirects, ==, 0);
  g_assert_cmpuint (ss_group_n_children (group), ==, 0);
  hub_run (&hub, 300 * SS_MSEC);
  hub_accept (&hub, GROUP, PARENT, 0);
  g_assert_cmpuint (hub.n_acks, ==, 1);
  g_assert_cmpuint (ss_group_n_children (group), ==, 1);
  /* Who has lost its place in a tree keeps nobody waiting. */
  lose_parent (&hub);
  hub_take_join (&hub, GROUP, CHILD + 1, SS_JOIN_MEMBER | SS_JOIN_RETRY, true);
  g_assert_cmpuint (hub.n_redirects, ==, 1);
  hub_clear (&hub);
}

/* To n nodes from that one on. */
static void
take_redirect_to (Hub *hub, unsigned from, unsigned to, unsigned n)
{
  SsId id = hub_group_id (GROUP);
  SsContact sender = hub_contact (from);
  SsMsgScribeRedirect redirect = { .nonce = hub->nonce };
  memcpy (redirect.tag, id.b, SS_TAG_LEN);
  for (unsigned i = 0; i < n; i++) {
    SsContact candidate = hub_contact (to + i);
    redirect.n_candidates =
        ss_peers_put (redirect.candidates, redirect.n_candidates,
                      SS_REDIRECT_MAX, &candidate);
  }
  uint8_t data[SS_MSG_SCRIBE_REDIRECT_MAX];
  size_t len = ss_msg_scribe_redirect_encode (&redirect, data, sizeof data);
  hub->app->direct (hub->app_user, &sender, data, len);
}

/* To: 0, to nobody. */
static void
take_redirect (Hub *hub, unsigned from, unsigned to)
{
  take_redirect_to (hub, from, to, to != 0);
}

/* Orphans of a mass death are sent to some that are dead as well: they are not
 * waited for longer than an answer takes, who asks for a place again says who
 * they were, and one that only was slow still counts. */
static void
test_dead_candidates (void)
{
  enum { FIRST = 10 };
  Hub hub;
  SsGroup *group = seek (&hub);
  hub_accept (&hub, GROUP, PARENT, 0);
  SsContact parent = hub_contact (PARENT);
  hub.app->update (hub.app_user, &parent, SS_KBR_SUSPECTED);
  SsTime rto = ss_scribe_rto (hub.scribe, &parent.id);
  take_redirect_to (&hub, 1, FIRST, SS_REDIRECT_MAX);
  unsigned n_routed = hub.n_routed_joins;
  SsTime most = rto * 9 / 8;
  for (unsigned i = 0; i < SS_REDIRECT_MAX; i++) {
    SsContact candidate = hub_contact (FIRST + i);
    g_assert_true (ss_id_equal (&hub.joined, &candidate.id));
    g_assert_cmpuint (hub.n_routed_joins, ==, n_routed);
    SsTime wait = group->join->answer_by - hub.env.now;
    g_assert_cmpint (wait, <=, most);
    hub_run (&hub, wait);
  }
  g_assert_cmpuint (hub.n_routed_joins, ==, n_routed + 1);
  g_assert_cmpuint (hub.n_full, ==, SS_REDIRECT_MAX);
  for (unsigned i = 0; i < SS_REDIRECT_MAX; i++) {
    SsContact candidate = hub_contact (FIRST + i);
    g_assert_cmphex (hub.full[i], ==, ss_prefix_of (&candidate.id));
  }
  hub_accept (&hub, GROUP, FIRST, 0);
  g_assert_null (group->join);
  g_assert_true (group->has_parent);
  hub_clear (&hub);
}

/* The overlay tells of the latest peers that a node has sent to. One that has
 * sent to many since it spoke to its parent is not told of that one's death. */
static void
test_untold (void)
{
  Hub hub;
  SsGroup *group = seek (&hub);
  hub_accept (&hub, GROUP, PARENT, 0);
  hub_run (&hub, SS_SEC);
  hub.suspected = hub_contact (PARENT).id;
  g_assert_null (group->join);
  ss_group_overdue (group);
  hub_run (&hub, SS_SEC);
  g_assert_nonnull (group->join);
  g_assert_cmphex (group->join->lost, ==, ss_prefix_of (&hub.suspected));
  hub_clear (&hub);
}

/* Whoever should answer cannot reach this node, or is mute: the next JOINs ask
 * the nodes of their way, until there is an answer. */
static void
test_unanswered (void)
{
  Hub hub;
  seek (&hub);
  hub_accept (&hub, GROUP, PARENT, 0);
  SsContact parent = hub_contact (PARENT);
  hub.n_routed_joins = 0;
  hub.app->update (hub.app_user, &parent, SS_KBR_SUSPECTED);
  for (unsigned i = 1; i <= 2 * SS_JOIN_UNANSWERED_MAX; i++) {
    g_assert_cmpuint (hub.n_routed_joins, ==, i);
    bool is_told = hub.flags & SS_JOIN_UNANSWERED;
    g_assert_cmpint (is_told, ==, i > SS_JOIN_UNANSWERED_MAX);
    while (hub.n_routed_joins == i)
      hub_run (&hub, 10 * SS_MSEC);
  }
  unsigned n_routed = hub.n_routed_joins;
  take_redirect (&hub, 1, 0);
  g_assert_cmpuint (hub.n_routed_joins, ==, n_routed + 1);
  g_assert_false (hub.flags & SS_JOIN_UNANSWERED);
  hub_clear (&hub);
}

/* From that number on: of a node whose own stripe the group is, or not. */
static unsigned
find_node (unsigned from, bool is_own)
{
  SsId group = hub_group_id (GROUP);
  for (;; from++) {
    SsContact contact = hub_contact (from);
    if ((ss_id_digit (&contact.id, 0) == ss_id_digit (&group, 0)) == is_own)
      return from;
  }
}

/* One that is at least as close to the group as that one. */
static unsigned
find_as_close (unsigned from, const SsId *than)
{
  SsId group = hub_group_id (GROUP);
  for (;; from++) {
    SsContact contact = hub_contact (from);
    if (ss_id_shared_digits (&contact.id, &group)
        >= ss_id_shared_digits (than, &group))
      return from;
  }
}

/* In the tree, below the root. */
static SsGroup *
sit_on_the_way (Hub *hub, unsigned children_max)
{
  const SsFamilyConfig config = { .children_max = children_max };
  hub_init (hub, &config, true);
  hub->self = hub_contact (find_node (10, true));
  SsId id = hub_group_id (GROUP);
  SsGroup *group = ss_group_open (hub->family, &id, hub);
  ss_group_join (group);
  hub_accept (hub, GROUP, PARENT, 0);
  return group;
}

/* Who would go above it is not taken below it, but for want of an answer. */
static void
test_closer_on_the_way (void)
{
  Hub hub;
  SsGroup *group = sit_on_the_way (&hub, 8);
  unsigned orphan = find_as_close (find_node (10, true) + 1, &hub.self.id);
  g_assert_false (hub_pass_join (&hub, GROUP, orphan, 0));
  g_assert_true (hub_pass_join (&hub, GROUP, orphan, SS_JOIN_UNANSWERED));
  g_assert_cmpuint (ss_group_n_children (group), ==, 1);
  hub_clear (&hub);
}

/* An orphan's JOIN comes by at a node of the tree that is full. It goes on to
 * the root, unless it has gone there in vain: then it is sent to a child, or
 * taken if there is none, but never beyond what the node may carry. */
static void
test_on_the_way (void)
{
  unsigned child = find_node (20, false), orphan = find_node (child + 1, false);
  unsigned other = find_node (orphan + 1, false);
  Hub hub;
  SsGroup *group = sit_on_the_way (&hub, 1);
  hub_take_join (&hub, GROUP, child, SS_JOIN_MEMBER, true);
  g_assert_cmpuint (ss_group_n_children (group), ==, 1);

  g_assert_false (hub_pass_join (&hub, GROUP, orphan, 0));
  g_assert_cmpuint (hub.n_redirects, ==, 0);
  g_assert_true (hub_pass_join (&hub, GROUP, orphan, SS_JOIN_UNANSWERED));
  g_assert_cmpuint (hub.n_redirects, ==, 1);
  SsContact named = hub_contact (child);
  g_assert_cmpuint (hub.redirect.n_candidates, ==, 1);
  g_assert_true (ss_key_equal (&hub.redirect.candidates[0].key, &named.key));

  hub.suspected = named.id;
  g_assert_false (hub_pass_join (&hub, GROUP, orphan, 0));
  g_assert_true (hub_pass_join (&hub, GROUP, orphan, SS_JOIN_UNANSWERED));
  g_assert_cmpuint (ss_group_n_children (group), ==, 2);
  ss_family_set_bound (hub.family, 1);
  hub.suspected = hub_contact (orphan).id;
  ss_group_child_remove (group, &named.id);
  g_assert_false (hub_pass_join (&hub, GROUP, other, SS_JOIN_UNANSWERED));
  g_assert_cmpuint (ss_group_n_children (group), ==, 1);
  hub_clear (&hub);
}

/* A JOIN of a member that has lost one, and says that another is full. */
static void
take_join_full (Hub *hub, unsigned from, unsigned full, uint16_t flags)
{
  enum { LOST = 9 };
  SsContact lost = hub_contact (LOST), named = hub_contact (full);
  SsMsgScribeJoin message = {
    .group = hub_group_id (GROUP),
    .nonce = 1,
    .flags = SS_JOIN_MEMBER | flags,
    .lost = ss_prefix_of (&lost.id),
    .n_full = 1,
    .full = { ss_prefix_of (&named.id) },
  };
  hub_take_join_of (hub, from, &message);
}

/* Who is slow, or dead, is not to be named to the next: an orphan's word that
 * a child does not answer is looked into. */
static void
test_silent_child (void)
{
  Hub hub;
  SsGroup *group = seek (&hub);
  hub_accept (&hub, GROUP, PARENT, 0);
  hub_take_join (&hub, GROUP, CHILD, SS_JOIN_MEMBER, true);
  g_assert_cmpuint (ss_group_n_children (group), ==, 1);
  hub_run (&hub, SS_SEC);
  unsigned n_keepalives = hub.n_keepalives;
  take_join_full (&hub, CHILD + 1, CHILD, SS_JOIN_SHED);
  g_assert_cmpuint (hub.n_keepalives, ==, n_keepalives);
  take_join_full (&hub, CHILD + 2, CHILD, 0);
  g_assert_cmpuint (hub.n_keepalives, ==, n_keepalives + 1);
  hub_clear (&hub);
}

/* Who is sent from one to the next is slower in the end, and at first not as
 * slow as without answers; and asks the root when it has been sent on more
 * often than a tree is deep. */
static void
test_pace (void)
{
  Hub hub;
  seek (&hub);
  for (unsigned i = 1; i <= 100; i++) {
    SsContact next = hub_contact (i + 1);
    SsTime begun = hub.env.now;
    unsigned n_routed = hub.n_routed_joins;
    bool is_last = i % (SS_GROUP_DEPTH_MAX + 1) == 0;
    take_redirect (&hub, i, i + 1);
    while (!ss_id_equal (&hub.joined, &next.id)
           && hub.n_routed_joins == n_routed)
      hub_run (&hub, 10 * SS_MSEC);
    g_assert_cmpuint (hub.n_routed_joins - n_routed, ==, is_last);
    SsTime waited = hub.env.now - begun;
    if (i <= 2 * SS_JOIN_REDIRECTS_MAX)
      g_assert_cmpint (waited, ==, 0);
    else if (i < 3 * SS_JOIN_REDIRECTS_MAX)
      g_assert_cmpint (waited, <=, 7 * SS_JOIN_PACE);
    if (i >= 4 * SS_JOIN_REDIRECTS_MAX)
      g_assert_cmpint (waited, >=, 4 * SS_JOIN_PACE - 10 * SS_MSEC);
  }
  hub_clear (&hub);
}

/* The parent tells its child where that sits. */
static void
take_path (Hub *hub, unsigned from, bool is_loop)
{
  SsId id = hub_group_id (GROUP);
  SsContact parent = hub_contact (from);
  SsMsgScribePath message = { .n_path = 3 };
  memcpy (message.tag, id.b, SS_TAG_LEN);
  message.path[0] = ss_prefix_of (&id);
  message.path[1] = is_loop ? ss_prefix_of (&hub->self.id) : message.path[0];
  message.path[2] = ss_prefix_of (&parent.id);
  uint8_t data[SS_MSG_SCRIBE_PATH_MAX];
  size_t len = ss_msg_scribe_path_encode (&message, data, sizeof data);
  hub->app->direct (hub->app_user, &parent, data, len);
}

/* Who is on its parent's way from the root has none. */
static void
test_loop (void)
{
  Hub hub;
  SsGroup *group = seek (&hub);
  const uint64_t *n_loops = &hub.env.counters.value[SS_COUNT_SCRIBE_LOOPS];
  hub_accept (&hub, GROUP, PARENT, 0);
  take_path (&hub, PARENT, false);
  g_assert_true (ss_group_in_tree (group));
  g_assert_cmpuint (*n_loops, ==, 0);
  take_path (&hub, PARENT, true);
  g_assert_false (ss_group_in_tree (group));
  g_assert_cmpuint (*n_loops, ==, 1);
  hub_clear (&hub);
}

static bool
on_homeless (void *user, SsGroup *group)
{
  ((Hub *) user)->n_searches++;
  return true;
}

/* Likewise, and whoever is homeless is told that a place is sought. */
static SsGroup *
seek_elsewhere (Hub *hub)
{
  SsGroup *group = seek (hub);
  hub->scribe->app.homeless = on_homeless;
  hub_run (hub, 10 * SS_MSEC);
  return group;
}

/* Every search for a place finds the same node, which says that it has one and
 * turns away who comes: who may have to take it is asked as well. */
static void
test_false_place (void)
{
  enum { LIAR = 7, SECONDS = 60 };
  Hub hub;
  SsGroup *group = seek_elsewhere (&hub);
  SsContact liar = hub_contact (LIAR);
  take_redirect (&hub, 1, 0);
  unsigned n_routed = hub.n_routed_joins, n_answered = 0;
  for (SsTime end = hub.env.now + SECONDS * SS_SEC; hub.env.now < end;) {
    hub_run (&hub, 20 * SS_MSEC);
    if (hub.n_searches > n_answered) {
      n_answered = hub.n_searches;
      ss_group_try (group, &liar);
      hub_run (&hub, 20 * SS_MSEC);
    }
    bool is_liar = ss_id_equal (&hub.joined, &liar.id);
    take_redirect (&hub, is_liar ? LIAR : 1, 0);
    memset (&hub.joined, 0, sizeof hub.joined);
  }
  n_routed = hub.n_routed_joins - n_routed;
  g_test_message ("%u searches, %u JOINs routed", hub.n_searches, n_routed);
  g_assert_cmpuint (n_routed, >=, 5);
  g_assert_true (hub.flags & SS_JOIN_MUST);
  g_assert_cmpuint (hub.n_searches, <=, 8 * SECONDS);
  hub_clear (&hub);
}

/* Nobody has room, and the root sends to one that sends to the next, and so on:
 * who searches does not go all the way down each time before it searches
 * again, and asks the root now and then, however long that goes on. */
static void
test_no_room (void)
{
  enum { FIRST = 10, STEPS = 8, SECONDS = 2000, LAST = 60 };
  Hub hub;
  SsGroup *group = seek_elsewhere (&hub);
  unsigned n_routed = 0, n_answered = 0, n_routed_before = 0;
  for (SsTime end = hub.env.now + SECONDS * SS_SEC; hub.env.now < end;) {
    hub_run (&hub, 20 * SS_MSEC);
    if (hub.n_searches > n_answered) {
      n_answered = hub.n_searches;
      ss_group_try (group, NULL);
    }
    SsId joined = hub.joined;
    memset (&hub.joined, 0, sizeof hub.joined);
    for (unsigned i = 0; i < STEPS; i++) {
      SsContact candidate = hub_contact (FIRST + i);
      if (ss_id_equal (&joined, &candidate.id))
        take_redirect (&hub, FIRST + i, i + 1 < STEPS ? FIRST + i + 1 : 0);
    }
    if (hub.n_routed_joins > n_routed)
      take_redirect (&hub, 1, FIRST);
    n_routed = hub.n_routed_joins;
    if (end - hub.env.now > LAST * SS_SEC)
      n_routed_before = n_routed;
  }
  g_test_message ("%u searches", hub.n_searches);
  g_assert_cmpuint (hub.n_searches, >=, SECONDS / 6);
  g_assert_cmpuint (n_routed, >, n_routed_before);
  hub_clear (&hub);
}

/* As long as a search for a place lasts nobody is asked, and nobody else is
 * silent. */
static void
test_long_search (void)
{
  enum { SILENT = 7, SECONDS = 60 };
  Hub hub;
  SsGroup *group = seek_elsewhere (&hub);
  SsContact silent = hub_contact (SILENT);
  for (unsigned i = 1; i <= 2; i++) { /* the second search in vain */
    take_redirect (&hub, 1, 0);
    g_assert_cmpuint (hub.n_searches, ==, i);
    ss_group_try (group, NULL);
  }
  hub_run (&hub, 2 * SS_JOIN_SEARCH_PAUSE + SS_SEC);
  g_assert_cmpuint (hub.n_searches, ==, 3);
  ss_group_try (group, &silent);
  g_assert_true (ss_id_equal (&hub.joined, &silent.id));
  unsigned failures = group->join->failures, n_sent = hub.n_sent;
  hub_run (&hub, SECONDS * SS_SEC);
  g_assert_cmpuint (hub.n_searches, ==, 4);
  g_assert_cmpuint (group->join->failures, ==, failures + 1);
  g_assert_cmpuint (hub.n_sent, ==, n_sent);
  hub_clear (&hub);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/orphan", test_orphan);
  g_test_add_func ("/scribe/death", test_death);
  g_test_add_func ("/scribe/orphan/root", test_root);
  g_test_add_func ("/scribe/host", test_host);
  g_test_add_func ("/scribe/orphan/pace", test_pace);
  g_test_add_func ("/scribe/orphan/loop", test_loop);
  g_test_add_func ("/scribe/orphan/false-place", test_false_place);
  g_test_add_func ("/scribe/orphan/no-room", test_no_room);
  g_test_add_func ("/scribe/orphan/long-search", test_long_search);
  g_test_add_func ("/scribe/orphan/dead-candidates", test_dead_candidates);
  g_test_add_func ("/scribe/orphan/untold", test_untold);
  g_test_add_func ("/scribe/orphan/unanswered", test_unanswered);
  g_test_add_func ("/scribe/orphan/on-the-way", test_on_the_way);
  g_test_add_func ("/scribe/orphan/closer-on-the-way", test_closer_on_the_way);
  g_test_add_func ("/scribe/orphan/silent-child", test_silent_child);
  return g_test_run ();
}
