/* The socket, the loop and identities, with real nodes on loopback: what the
 * main loop waits for is events, with a deadline. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/error.h"
#include "net/identity.h"
#include "net/loop.h"
#include "net/rendezvous.h"
#include "overlay/link/messages.h"

#define PATIENCE (20 * SS_SEC)

static void
test_udp_bind (void)
{
  SsAddr addr = ss_addr_v4 (INADDR_LOOPBACK, 0);
  SsAddr v6 = { .ip = { 0x20, 0x01, 0x0d, 0xb8 }, .port = 1 };
  SsAddr own[3];
  GError *error = NULL;
  SsUdp *udp = ss_udp_open (&addr, &error);

  g_assert_no_error (error);
  SsAddr local = ss_udp_local (udp);

  g_assert_true (ss_addr_same_ip (&local, &addr));
  g_assert_cmpuint (local.port, !=, 0);
  g_assert_true (ss_udp_reaches (udp, &local));
  g_assert_false (ss_udp_reaches (udp, &v6));
  g_assert_cmpuint (ss_udp_own_addrs (udp, own, 3), ==, 1);
  g_assert_true (ss_addr_equal (&own[0], &local));
  /* The port is taken now. */
  g_assert_null (ss_udp_open (&local, &error));
  g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "in use"));
  g_clear_error (&error);
  ss_udp_close (udp);

  SsAddr foreign = ss_addr_v4 (0xc0000201, 0);

  g_assert_null (ss_udp_open (&foreign, &error));
  g_assert_nonnull (strstr (error->message, "this machine"));
  g_clear_error (&error);
}

static void
test_udp_default (void)
{
  SsUdp *a = ss_udp_open (NULL, NULL), *b = ss_udp_open (NULL, NULL);
  SsAddr v4 = ss_addr_v4 (INADDR_LOOPBACK, 1), own[3];

  /* The first has the default port, if nobody else has; both are there. */
  g_assert_nonnull (a);
  g_assert_nonnull (b);
  g_assert_cmpuint (ss_udp_local (a).port, !=, ss_udp_local (b).port);
  g_assert_true (ss_udp_reaches (a, &v4));
  unsigned n = ss_udp_own_addrs (a, own, 3);

  g_assert_cmpuint (n, >=, 1);
  g_assert_true (ss_addr_is_loopback (&own[n - 1]));
  g_assert_cmpuint (own[n - 1].port, ==, ss_udp_local (a).port);
  ss_udp_close (a);
  ss_udp_close (b);
}

typedef struct {
  SsLoop *loop;
  SsAddr addr;
  SsNodeState state;
  bool has_left;
  GMainLoop *main_loop; /* quit after each event */
} Member;

static void
on_event (void *user, const SsEvent *event)
{
  Member *member = user;

  if (event->type == SS_EVENT_STATE)
    member->state = event->state;
  if (event->type == SS_EVENT_LEFT)
    member->has_left = true;
  g_main_loop_quit (member->main_loop);
}

static void
add_member (Member *member, GMainLoop *main_loop, uint64_t seed_number)
{
  SsAddr addr = ss_addr_v4 (INADDR_LOOPBACK, 0);
  SsUdp *udp = ss_udp_open (&addr, NULL);
  SsNodeConfig config = {
    .wall_offset = ss_clock_wall_offset (),
    .may_stand_alone = true,
  };
  uint8_t seed[32];
  SsIdentity identity;
  SsRng rng;

  g_assert_nonnull (udp);
  ss_rng_init_number (&rng, seed_number);
  ss_identity_init_ephemeral (&identity, &rng);
  g_assert_true (ss_link_key_has_work (&identity.key));
  memcpy (config.identity_seed, identity.seed, sizeof config.identity_seed);
  ss_rng_bytes (&rng, seed, sizeof seed);
  *member = (Member){ .addr = ss_udp_local (udp), .main_loop = main_loop };
  member->loop = ss_loop_new (udp, ss_node_new (&config, seed, ss_clock_now ()),
                              on_event, member);
  ss_loop_attach (member->loop, NULL);
  ss_identity_clear (&identity);
}

static gboolean
lose_patience (void *user)
{
  g_error ("nothing has happened for too long");
  return G_SOURCE_REMOVE;
}

static void
test_two_nodes (void)
{
  GMainLoop *main_loop = g_main_loop_new (NULL, FALSE);
  unsigned patience =
      g_timeout_add ((unsigned) (PATIENCE / SS_MSEC), lose_patience, NULL);
  Member a, b;

  add_member (&a, main_loop, 1);
  add_member (&b, main_loop, 2);
  ss_node_join (ss_loop_node (a.loop), ss_clock_now (), NULL, 0, NULL, 0);
  ss_loop_flush (a.loop);
  g_assert_cmpint (a.state, ==, SS_NODE_ALONE);
  /* By address alone: a is asked who it is. */
  ss_node_join (ss_loop_node (b.loop), ss_clock_now (), &a.addr, 1, NULL, 0);
  ss_loop_flush (b.loop);
  while (a.state != SS_NODE_JOINED || b.state != SS_NODE_JOINED)
    g_main_loop_run (main_loop);
  SsNodeStats stats;

  ss_node_stats (ss_loop_node (b.loop), &stats);
  g_assert_cmpuint (stats.leaf_set, ==, 1);
  g_assert_cmpuint (stats.counters.value[SS_COUNT_DATAGRAMS_IN], >, 0);
  g_assert_cmpuint (stats.counters.value[SS_COUNT_DATAGRAMS_MALFORMED], ==, 0);
  ss_node_leave (ss_loop_node (b.loop), ss_clock_now ());
  ss_loop_flush (b.loop);
  while (!b.has_left || a.state != SS_NODE_ALONE)
    g_main_loop_run (main_loop);
  ss_loop_free (a.loop);
  ss_loop_free (b.loop);
  g_source_remove (patience);
  g_main_loop_unref (main_loop);
}

/* Garbage of all lengths at the port moves counters, and nothing else. */
static void
test_garbage (void)
{
  enum { N = 2000 };
  GMainLoop *main_loop = g_main_loop_new (NULL, FALSE);
  SsAddr addr = ss_addr_v4 (INADDR_LOOPBACK, 0);
  SsUdp *udp = ss_udp_open (&addr, NULL);
  SsNodeStats stats;
  Member a;
  SsRng rng;
  struct sockaddr_in to = { .sin_family = AF_INET };

  add_member (&a, main_loop, 3);
  to.sin_port = htons (a.addr.port);
  to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  ss_rng_init_number (&rng, 4);
  for (unsigned i = 0; i < N; i++) {
    uint8_t garbage[2000];
    size_t len = ss_rng_below (&rng, sizeof garbage);

    ss_rng_bytes (&rng, garbage, len);
    g_assert_cmpint (sendto (ss_udp_fd (udp), garbage, len, 0,
                             (struct sockaddr *) &to, sizeof to),
                     >=, 0);
    while (g_main_context_iteration (NULL, FALSE))
      ;
  }
  do {
    g_main_context_iteration (NULL, FALSE);
    ss_node_stats (ss_loop_node (a.loop), &stats);
  } while (stats.counters.value[SS_COUNT_DATAGRAMS_IN] < N);
  g_assert_cmpuint (stats.counters.value[SS_COUNT_DATAGRAMS_OUT], <, N / 10);
  g_assert_cmpuint (stats.peers, ==, 0);
  g_assert_cmpint (a.state, ==, SS_NODE_OUTSIDE);
  ss_udp_close (udp);
  ss_loop_free (a.loop);
  g_main_loop_unref (main_loop);
}

typedef struct {
  GMainLoop *main_loop;
  SsTime at;
} Ring;

static void
on_alarm (void *user)
{
  Ring *ring = user;

  ring->at = ss_clock_now ();
  g_main_loop_quit (ring->main_loop);
}

static void
test_alarm (void)
{
  Ring ring = { .main_loop = g_main_loop_new (NULL, FALSE) };
  SsAlarm *alarm = ss_alarm_new (NULL, on_alarm, &ring);
  SsTime at = ss_clock_now () + 20 * SS_MSEC;

  ss_alarm_set (alarm, at);
  g_main_loop_run (ring.main_loop);
  g_assert_cmpint (ring.at, >=, at);
  /* A time that has passed goes off at once; a disarmed one never. */
  ring.at = 0;
  ss_alarm_set (alarm, 0);
  g_main_loop_run (ring.main_loop);
  g_assert_cmpint (ring.at, >, 0);
  ring.at = 0;
  ss_alarm_set (alarm, 0);
  ss_alarm_set (alarm, SS_NEVER);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpint (ring.at, ==, 0);
  ss_alarm_free (alarm);
  g_main_loop_unref (ring.main_loop);
}

static void
say_nothing (void *user, SsLogLevel level, const char *text)
{
}

static void
do_nothing (void *user)
{
}

/* A bootstrap node that is named with its key is spoken to at once, and as
 * one that can be reached: not called through itself. */
static void
test_bootstrap_key (void)
{
  g_autofree char *dir = g_dir_make_tmp ("ss-runtime-XXXXXX", NULL);
  SsAddr any_port = ss_addr_v4 (INADDR_LOOPBACK, 0);
  SsUdp *named = ss_udp_open (&any_port, NULL);
  SsEndpoint endpoint = {
    .has_key = true,
    .host = (char *) "127.0.0.1",
    .port = ss_udp_local (named).port,
  };
  uint8_t seed[32] = { 1 };
  SsUdpDatagram *datagrams;
  Member member;

  g_setenv ("XDG_RUNTIME_DIR", dir, TRUE);
  ss_link_key_of_seed (seed, &endpoint.key);
  add_member (&member, g_main_loop_new (NULL, FALSE), 6);
  const SsRendezvousOptions options = {
    .bootstrap = &endpoint,
    .n_bootstrap = 1,
    .loop = member.loop,
    .udp = named, /* of the same kind */
    .say = say_nothing,
    .changed = do_nothing,
  };
  SsRendezvous *rendezvous = ss_rendezvous_new (&options);

  ss_rendezvous_start (rendezvous);
  unsigned n = ss_udp_receive (named, &datagrams), n_initiations = 0;

  for (unsigned i = 0; i < n; i++) {
    g_assert_cmpuint (datagrams[i].data[0], !=, SS_MSG_LINK_CALL);
    n_initiations += datagrams[i].data[0] == SS_MSG_LINK_INITIATION;
  }
  g_assert_cmpuint (n_initiations, ==, 1);
  ss_rendezvous_free (rendezvous);
  ss_loop_free (member.loop);
  g_main_loop_unref (member.main_loop);
  ss_udp_close (named);
  g_autofree char *subdir = g_build_filename (dir, "splitstream", NULL);

  g_rmdir (subdir);
  g_rmdir (dir);
}

static void
test_identity (void)
{
  g_autofree char *dir = g_dir_make_tmp ("ss-identity-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "node.key", NULL);
  g_autofree char *last = g_strconcat (path, ".last", NULL);
  SsIdentity identity, second;
  GError *error = NULL;
  struct stat st;
  SsRng rng;

  ss_rng_init_number (&rng, 5);
  g_assert_true (ss_identity_init_file (&identity, path, &rng, NULL));
  SsKey key = identity.key;

  g_assert_true (ss_link_key_has_work (&key));
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);
  g_assert_true (ss_identity_save (&identity, 12345, NULL));
  /* It never goes back. */
  g_assert_true (ss_identity_save (&identity, 12000, NULL));
  /* One process at a time. */
  g_assert_false (ss_identity_init_file (&second, path, &rng, &error));
  g_assert_nonnull (strstr (error->message, "in use"));
  g_clear_error (&error);
  ss_identity_clear (&identity);

  g_assert_true (ss_identity_init_file (&second, path, &rng, NULL));
  g_assert_true (ss_key_equal (&second.key, &key));
  g_assert_cmpuint (second.last_handshake_ns, ==, 12345);
  ss_identity_clear (&second);

  /* Readable by others: refused. */
  g_assert_cmpint (chmod (path, 0644), ==, 0);
  g_assert_false (ss_identity_init_file (&second, path, &rng, &error));
  g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED);
  g_clear_error (&error);
  /* A key without the work. */
  g_assert_true (g_file_set_contents (
      path,
      "node 0000000000000000000000000000000000000000000000000000000000000001",
      -1, NULL));
  g_assert_cmpint (chmod (path, 0600), ==, 0);
  g_assert_false (ss_identity_init_file (&second, path, &rng, &error));
  g_assert_nonnull (strstr (error->message, "work"));
  g_clear_error (&error);
  g_unlink (path);
  g_unlink (last);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/udp/bind", test_udp_bind);
  g_test_add_func ("/net/udp/default", test_udp_default);
  g_test_add_func ("/net/loop/two-nodes", test_two_nodes);
  g_test_add_func ("/net/loop/garbage", test_garbage);
  g_test_add_func ("/net/loop/alarm", test_alarm);
  g_test_add_func ("/net/rendezvous/key", test_bootstrap_key);
  g_test_add_func ("/net/identity", test_identity);
  return g_test_run ();
}
