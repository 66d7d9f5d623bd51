/* Thousands of groups on one node: what each costs in memory, what all cost at
 * rest, and what a child can make them cost. */
#include <glib.h>
#include <malloc.h>
#include <string.h>
#include <time.h>

#include "tests/harness/scribe_counts.h"
#include "tests/harness/scribe_hub.h"

#define PEERS    600  /* whose children all are, or whose child this one is */
#define GROUPS   5000 /* of which this one has both a parent and a child */
#define OFTEN    5000 /* KEEPALIVEs within as many milliseconds */
#define CHILDREN 8    /* of a group: members, and as many that are none */
/* At most, allocator's overhead and arrays' room to grow included. */
#define PEER_BYTES  270  /* a neighbour, and it as a child */
#define GROUP_BYTES 1100 /* with a child */
#define CHILD_BYTES 360

static void
join (Hub *hub, unsigned group, unsigned peer, bool is_member)
{
  hub_take_join (hub, group, 1 + peer % PEERS, is_member ? SS_JOIN_MEMBER : 0,
                 false);
}

static size_t
allocated (void)
{
  return mallinfo2 ().uordblks;
}

static void
test_many (void)
{
  const unsigned n = SS_SCRIBE_GROUPS_MAX;
  const SsFamilyConfig config = { .children_max =
                                      3 * CHILDREN * SS_SCRIBE_GROUPS_MAX };
  Hub hub;
  hub_init (&hub, &config, false);
  size_t before = allocated ();
  for (unsigned peer = 0; peer < PEERS; peer++)
    join (&hub, 0, peer, true);
  size_t start = allocated ();
  for (unsigned group = 1; group < n; group++)
    join (&hub, group, group, true);
  size_t groups = allocated ();
  for (unsigned group = 1; group < n; group++)
    for (unsigned child = 1; child < CHILDREN; child++)
      join (&hub, group, group + child, true);
  size_t children = allocated ();
  for (unsigned group = 1; group < n; group++)
    for (unsigned child = CHILDREN; child < 2 * CHILDREN; child++)
      join (&hub, group, group + child, false);
  size_t forwarders = allocated ();
  g_assert_cmpuint (ss_family_n_children (hub.family), ==,
                    PEERS + 2 * CHILDREN * (n - 1));
  size_t of_peer = (start - before) / PEERS;
  size_t of_group = (groups - start) / (n - 1);
  size_t of_child = (children - groups) / ((CHILDREN - 1) * (n - 1));
  size_t of_forwarder = (forwarders - children) / (CHILDREN * (n - 1));
  g_test_message ("%u groups: %zu bytes for one with a child, %zu for each "
                  "more, %zu for a forwarder; %zu for a peer",
                  n, of_group, of_child, of_forwarder, of_peer);
  g_assert_cmpuint (of_peer, <=, PEER_BYTES);
  g_assert_cmpuint (of_group, <=, GROUP_BYTES);
  g_assert_cmpuint (of_child, <=, CHILD_BYTES);
  g_assert_cmpuint (of_forwarder, <=, CHILD_BYTES);
  /* No more: the next is sent away, and nothing is kept of it. */
  size_t full = allocated ();
  unsigned n_sent = hub.n_sent;
  for (unsigned group = n; group < n + 100; group++)
    join (&hub, group, group, true);
  g_assert_cmpuint (allocated (), <=, full + 4096);
  g_assert_cmpuint (hub.n_sent, ==, n_sent + 100);
  g_assert_cmpuint (ss_family_n_children (hub.family), ==,
                    PEERS + 2 * CHILDREN * (n - 1));
  hub_clear (&hub);
}

static void
join_as_child (Hub *hub, unsigned number)
{
  SsId id = hub_group_id (number);
  SsGroup *group = ss_group_open (hub->family, &id, NULL);
  g_assert_nonnull (group);
  ss_group_join (group);
  hub_accept (hub, number, 1 + number % PEERS, 0);
  g_assert_true (ss_group_in_tree (group));
}

static void
hear_child (Hub *hub, const uint64_t *tags, unsigned peer)
{
  SsContact child = hub_contact (1 + peer);
  SsMsgScribeKeepalive message = { .load = 1, .load_max = 10 };
  for (unsigned i = (peer + PEERS - 1) % PEERS; i < GROUPS; i += PEERS)
    message.tags[message.n_tags++] = tags[i];
  message.n_rooms = message.n_tags;
  uint8_t data[SS_MSG_SCRIBE_KEEPALIVE_MAX];
  size_t len = ss_msg_scribe_keepalive_encode (&message, data, sizeof data);
  hub->app->direct (hub->app_user, &child, data, len);
}

/* A node with many groups, each of which has a parent and a child somewhere:
 * at rest it sends a keepalive to each parent and gets one from each child,
 * which together name each group once. */
static void
test_at_rest (void)
{
  const unsigned n_intervals = 12;
  const SsFamilyConfig config = { .children_max = 2 * GROUPS };
  uint64_t tags[GROUPS];
  Hub hub;
  hub_init (&hub, &config, true);
  for (unsigned i = 0; i < GROUPS; i++) {
    join_as_child (&hub, i);
    join (&hub, i, i + 1, true);
    SsId id = hub_group_id (i);
    tags[i] = ss_tag_number (&id);
  }
  scribe_counts_assert (hub.scribe);
  hub.n_keepalives = hub.n_tags = 0;
  clock_t cpu = 0;
  for (unsigned i = 0; i < n_intervals; i++) {
    clock_t start = clock ();
    hub_run (&hub, SS_KEEPALIVE_INTERVAL);
    for (unsigned peer = 0; peer < PEERS; peer++)
      hear_child (&hub, tags, peer);
    cpu += clock () - start;
  }
  double seconds = (double) n_intervals * SS_KEEPALIVE_INTERVAL / SS_SEC;
  g_test_message ("%d groups, %d parents, %d children: %.3f ms of CPU a second "
                  "at rest",
                  GROUPS, PEERS, PEERS,
                  1000. * (double) cpu / CLOCKS_PER_SEC / seconds);
  g_assert_cmpuint (ss_family_n_children (hub.family), ==, GROUPS);
  g_assert_cmpuint (hub.n_keepalives, ==, n_intervals * PEERS);
  g_assert_cmpuint (hub.n_tags, ==, n_intervals * GROUPS);
  /* So many, and no more. */
  for (unsigned i = GROUPS; i < SS_SCRIBE_OPEN_MAX; i++)
    join_as_child (&hub, i);
  SsId id = { { 1 } };
  g_assert_null (ss_group_open (hub.family, &id, NULL));
  g_assert_null (ss_group_carry (hub.family, &id, NULL));
  id = *ss_group_id (ss_group_after (hub.scribe, NULL));
  g_assert_nonnull (ss_group_open (hub.family, &id, NULL));
  hub_clear (&hub);
}

static double
hear_often (Hub *hub, const SsMsgScribeKeepalive *message)
{
  SsContact child = hub_contact (1 + 1);
  uint8_t data[SS_MSG_SCRIBE_KEEPALIVE_MAX];
  size_t len = ss_msg_scribe_keepalive_encode (message, data, sizeof data);
  clock_t start = clock ();
  for (unsigned i = 0; i < OFTEN; i++) {
    hub_run (hub, SS_MSEC);
    hub->app->direct (hub->app_user, &child, data, len);
  }
  return 1e6 * (double) (clock () - start) / CLOCKS_PER_SEC / OFTEN;
}

/* A child of one group of many names it twice, or not at all, as often as it
 * likes: that costs hardly more than what is right. */
static void
test_false_lists (void)
{
  const SsFamilyConfig config = { .children_max = 2 * GROUPS };
  Hub hub;
  hub_init (&hub, &config, true);
  for (unsigned i = 0; i < GROUPS; i++) {
    join_as_child (&hub, i);
    join (&hub, i, i == 0 ? 1 : 2 + i % (PEERS - 2), true);
  }
  SsId id = hub_group_id (0);
  SsMsgScribeKeepalive message = { .load_max = 10, .n_tags = 1, .n_rooms = 1 };
  message.tags[0] = message.tags[1] = ss_tag_number (&id);
  double right = hear_often (&hub, &message);
  message.n_tags = message.n_rooms = 2;
  double twice = hear_often (&hub, &message);
  message.n_tags = message.n_rooms = 0;
  double none = hear_often (&hub, &message);
  g_test_message ("%d groups: a KEEPALIVE that names the one group costs %.1f "
                  "us, twice %.1f us, no group %.1f us",
                  GROUPS, right, twice, none);
  g_assert_cmpfloat (twice, <, 10 * right);
  g_assert_cmpfloat (none, <, 10 * right);
  g_assert_cmpuint (ss_family_n_children (hub.family), ==, GROUPS - 1);
  hub_clear (&hub);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/many-groups", test_many);
  g_test_add_func ("/scribe/many-at-rest", test_at_rest);
  g_test_add_func ("/scribe/many-false-lists", test_false_lists);
  return g_test_run ();
}
