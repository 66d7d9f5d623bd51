/* Thousands of groups on one node: what each takes, and that it ends. */
#include <glib.h>
#include <malloc.h>
#include <string.h>

#include "scribe/internal.h"

#define PEERS    600 /* whose children all are */
#define CHILDREN 8   /* of a group: members, and as many that are none */
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
  unsigned n_sent;
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
  ((Hub *) kbr)->n_sent++;
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
  return true;
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

static void
join (Hub *hub, unsigned group, unsigned peer, bool is_member)
{
  SsKey key = { { 0 } };
  memcpy (key.b + 8, &group, sizeof group);
  SsMsgScribeJoin message = {
    .group = ss_id_of_key (&key),
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/many-groups", test_many);
  return g_test_run ();
}
