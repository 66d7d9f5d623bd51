/* Thousands of groups on one node: what each takes, and that it ends. */
#include <glib.h>
#include <malloc.h>
#include <string.h>
#include <time.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_counts.h"

#define PEERS    600  /* whose children all are, or whose child this one is */
#define GROUPS   5000 /* of which this one has both a parent and a child */
#define CHILDREN 8    /* of a group: members, and as many that are none */
/* At most, allocator's overhead and arrays' room to grow included. */
#define PEER_BYTES  400  /* a neighbour, and it as a child */
#define GROUP_BYTES 1100 /* a group with one child */
#define CHILD_BYTES 360  /* each more, with a member below it or without */

/* An overlay in which this node is the closest to everything. */
typedef struct {
  SsKbr kbr; /* first: the class gets its address */
  SsEnv env;
  SsContact self;
  const SsKbrApp *app;
  void *app_user;
  unsigned n_sent, n_keepalives, n_tags;
  uint64_t tags[GROUPS];
  bool is_leaf;   /* root of nothing */
  uint32_t nonce; /* of its last JOIN */
} Hub;

static void
hub_register (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app, void *user)
{
  Hub *hub = (Hub *) kbr;
  hub->app = app;
  hub->app_user = user;
}

static bool
hub_send (SsKbr *kbr, SsProtocol protocol, const SsContact *to,
          const SsKbrSend *how, const uint8_t *head, size_t head_len,
          GBytes *body)
{
  Hub *hub = (Hub *) kbr;
  SsMsgScribeKeepalive keepalive;
  hub->n_sent++;
  if (head[0] == SS_MSG_SCRIBE_KEEPALIVE
      && ss_msg_scribe_keepalive_decode (head, head_len, &keepalive)) {
    hub->n_keepalives++;
    hub->n_tags += keepalive.n_tags;
  }
  return true;
}

static bool
hub_route (SsKbr *kbr, SsProtocol protocol, const SsId *key,
           const SsContact *hint, unsigned flags, const uint8_t *data,
           size_t len)
{
  SsMsgScribeJoin message;
  bool is_join = ss_msg_scribe_join_decode (data, len, &message);
  g_assert_true (is_join);
  ((Hub *) kbr)->nonce = message.nonce;
  return true;
}

static unsigned
hub_replica_set (SsKbr *kbr, const SsId *key, SsContact *ret, unsigned max)
{
  ret[0] = ((Hub *) kbr)->self;
  return 1;
}

static bool
hub_is_root (SsKbr *kbr, const SsId *key, bool provisional)
{
  return !((Hub *) kbr)->is_leaf;
}

static bool
hub_is_suspected (SsKbr *kbr, const SsId *peer)
{
  return false;
}

static SsTime
hub_time (SsKbr *kbr, const SsId *peer)
{
  return 20 * SS_MSEC;
}

static const SsContact *
hub_self (SsKbr *kbr)
{
  return &((Hub *) kbr)->self;
}

static const SsKbrClass hub_class = {
  .register_app = hub_register,
  .route = hub_route,
  .send = hub_send,
  .replica_set = hub_replica_set,
  .is_root = hub_is_root,
  .is_suspected = hub_is_suspected,
  .rtt = hub_time,
  .rto = hub_time,
  .last_heard = hub_time,
  .self = hub_self,
};

static bool
on_adopt (void *app, const SsId *id, const uint8_t *info, size_t info_len,
          bool is_root, SsGroup *group, void **ret_user)
{
  ss_group_set_user (group, *(SsFamily **) app, NULL);
  return true;
}

static const SsScribeApp app = { .adopt = on_adopt };

static SsContact
make_contact (unsigned number)
{
  SsContact contact = { .flags = SS_PEER_REACHABLE };
  memset (&contact.key, 0, sizeof contact.key);
  memcpy (contact.key.b, &number, sizeof number);
  contact.id = ss_id_of_key (&contact.key);
  contact.addr = ss_addr_v4 (0x0a000001 + number, 16160);
  return contact;
}

static SsId
group_id (unsigned number)
{
  SsKey key = { { 0 } };
  memcpy (key.b + 8, &number, sizeof number);
  return ss_id_of_key (&key);
}

static void
join (Hub *hub, unsigned group, unsigned peer, bool is_member)
{
  SsMsgScribeJoin message = {
    .group = group_id (group),
    .nonce = 1,
    .flags = is_member ? SS_JOIN_MEMBER : 0,
    .n_below = !is_member,
  };
  SsContact source = make_contact (1 + peer % PEERS);
  SsContact below = make_contact (PEERS + 1);
  message.below[0] = ss_contact_to_record (&below);
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  SsKbrMessage routed = {
    .key = message.group,
    .source = source,
    .previous = source,
    .hops = 1,
    .data = data,
    .len = ss_msg_scribe_join_encode (&message, data, sizeof data),
  };
  hub->app->deliver (hub->app_user, &routed);
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
  Hub hub = { .kbr.class = &hub_class, .kbr.env = &hub.env };
  SsFamily *family = NULL;
  const uint8_t seed[32] = { 1 };
  const SsFamilyConfig config = { .children_max =
                                      3 * CHILDREN * SS_SCRIBE_GROUPS_MAX };
  ss_env_init (&hub.env, seed, SS_SEC, 0);
  hub.self = make_contact (0);
  SsScribe *scribe =
      ss_scribe_new (&hub.env, &hub.kbr, SS_PROTOCOL_SCRIBE, &app, &family);
  family = ss_family_new (scribe, &config);
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
  g_assert_cmpuint (ss_family_n_children (family), ==,
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
  g_assert_cmpuint (ss_family_n_children (family), ==,
                    PEERS + 2 * CHILDREN * (n - 1));
  ss_scribe_free (scribe);
  ss_env_clear (&hub.env);
}

/* A node with many groups, each of which has a parent and a child somewhere:
 * at rest it sends a keepalive to each parent and gets one from each child,
 * which together name each group once. */
static void
join_as_child (Hub *hub, SsFamily *family, unsigned number)
{
  SsId id = group_id (number);
  SsGroup *group = ss_group_open (family, &id, NULL);
  g_assert_nonnull (group);
  ss_group_join (group);
  SsContact parent = make_contact (1 + number % PEERS);
  SsMsgScribeJoinAck ack = { .nonce = hub->nonce, .n_path = 1 };
  memcpy (ack.tag, id.b, SS_TAG_LEN);
  ack.path[0] = ss_prefix_of (&parent.id);
  uint8_t data[SS_MSG_SCRIBE_JOIN_ACK_MAX];
  size_t len = ss_msg_scribe_join_ack_encode (&ack, data, sizeof data);
  hub->app->direct (hub->app_user, &parent, data, len);
  g_assert_true (ss_group_in_tree (group));
}

static void
run (Hub *hub, SsTime until)
{
  SsTimers *timers = &hub->env.timers;
  while (ss_timers_deadline (timers) <= until) {
    hub->env.now = MAX (hub->env.now, ss_timers_deadline (timers));
    ss_scribe_timer (ss_timers_pop (timers, hub->env.now));
  }
  hub->env.now = until;
}

static void
hear_child (Hub *hub, unsigned peer)
{
  SsContact child = make_contact (1 + peer);
  SsMsgScribeKeepalive message = { .load = 1, .load_max = 10 };
  for (unsigned i = (peer + PEERS - 1) % PEERS; i < GROUPS; i += PEERS)
    message.tags[message.n_tags++] = hub->tags[i];
  message.n_rooms = message.n_tags;
  uint8_t data[SS_MSG_SCRIBE_KEEPALIVE_MAX];
  size_t len = ss_msg_scribe_keepalive_encode (&message, data, sizeof data);
  hub->app->direct (hub->app_user, &child, data, len);
}

static void
test_at_rest (void)
{
  const unsigned n_intervals = 12;
  Hub hub = { .kbr.class = &hub_class, .kbr.env = &hub.env, .is_leaf = true };
  SsFamily *family = NULL;
  const uint8_t seed[32] = { 2 };
  const SsFamilyConfig config = { .children_max = 2 * GROUPS };
  ss_env_init (&hub.env, seed, SS_SEC, 0);
  hub.self = make_contact (0);
  SsScribe *scribe =
      ss_scribe_new (&hub.env, &hub.kbr, SS_PROTOCOL_SCRIBE, &app, &family);
  family = ss_family_new (scribe, &config);
  for (unsigned i = 0; i < GROUPS; i++) {
    join_as_child (&hub, family, i);
    join (&hub, i, i + 1, true);
    SsId id = group_id (i);
    hub.tags[i] = ss_tag_number (&id);
  }
  scribe_counts_assert (scribe);
  hub.n_keepalives = hub.n_tags = 0;
  clock_t cpu = 0;
  for (unsigned i = 0; i < n_intervals; i++) {
    clock_t start = clock ();
    run (&hub, hub.env.now + SS_KEEPALIVE_INTERVAL);
    for (unsigned peer = 0; peer < PEERS; peer++)
      hear_child (&hub, peer);
    cpu += clock () - start;
  }
  double seconds = (double) n_intervals * SS_KEEPALIVE_INTERVAL / SS_SEC;
  g_test_message ("%d groups, %d parents, %d children: %.3f ms of CPU a second "
                  "at rest",
                  GROUPS, PEERS, PEERS,
                  1000. * (double) cpu / CLOCKS_PER_SEC / seconds);
  g_assert_cmpuint (ss_family_n_children (family), ==, GROUPS);
  g_assert_cmpuint (hub.n_keepalives, ==, n_intervals * PEERS);
  g_assert_cmpuint (hub.n_tags, ==, n_intervals * GROUPS);
  /* So many, and no more. */
  for (unsigned i = GROUPS; i < SS_SCRIBE_OPEN_MAX; i++)
    join_as_child (&hub, family, i);
  SsId id = { { 1 } };
  g_assert_null (ss_group_open (family, &id, NULL));
  g_assert_null (ss_group_carry (family, &id, NULL));
  id = *ss_group_id (ss_group_after (scribe, NULL));
  g_assert_nonnull (ss_group_open (family, &id, NULL));
  ss_scribe_free (scribe);
  ss_env_clear (&hub.env);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/many-groups", test_many);
  g_test_add_func ("/scribe/many-at-rest", test_at_rest);
  return g_test_run ();
}
