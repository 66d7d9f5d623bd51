/* Who has said all to a peer, as has the peer to it, forgets it soon: but both
 * agree on whether there still is a session. Built with each sealer. */
#include "overlay/link/link.h"
#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

#define UPKEEP SS_LINK_PROTOCOL_UPKEEP
#define QUIET  (5 * SS_SEC) /* more than enough to be forgotten */

static bool
has_session (const LinkNet *net, unsigned at, unsigned with)
{
  SsContact peer = net_contact (net, with);
  return ss_link_has_session (net->endpoints[at].link, &peer.id);
}

static void
release (LinkNet *net, unsigned at, unsigned with)
{
  SsContact peer = net_contact (net, with);
  ss_link_release (net->endpoints[at].link, &peer.id);
}

/* Two that have never said anything but upkeep. */
static LinkNet *
connected (uint64_t seed)
{
  LinkNet *net = net_new (seed, 2);
  SsLinkSend how = { .protocol = UPKEEP };
  net_send (net, 0, 1, &how, "first");
  net_run (net, 1 * SS_SEC);
  g_array_set_size (net->endpoints[1].messages, 0);
  return net;
}

static LinkNet *
released (uint64_t seed)
{
  LinkNet *net = connected (seed);
  SsLinkSend how = { .protocol = UPKEEP };
  net_send (net, 0, 1, &how, "the last word");
  net_run (net, net->now + 2 * net->delay);
  release (net, 0, 1);
  release (net, 1, 0);
  return net;
}

static unsigned
n_initiations (const LinkNet *net)
{
  return net_n_sent (net, 0, SS_MSG_LINK_INITIATION)
         + net_n_sent (net, 1, SS_MSG_LINK_INITIATION);
}

static void
test_forgotten (void)
{
  LinkNet *net = released (1);
  SsLinkSend how = net_reliable (UPKEEP, 7);
  unsigned n_sent = net->sent->len;
  net_run (net, net->now + QUIET);
  g_assert_false (has_session (net, 0, 1) || has_session (net, 1, 0));
  g_assert_cmpuint (ss_link_n_peers (net->endpoints[0].link), ==, 0);
  g_assert_cmpuint (net->sent->len, ==, n_sent);
  /* And known again, at the price of a handshake. */
  guint n = net->endpoints[1].messages->len;
  net_send (net, 0, 1, &how, "again");
  net_run (net, net->now + QUIET);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, n + 1);
  g_assert_true (has_session (net, 0, 1) && has_session (net, 1, 0));
  g_assert_cmpuint (net->endpoints[0].late->len, ==, 0);
  net_free (net);
}

/* Another message, at once: the session goes on, and is kept. */
static void
test_kept (void)
{
  LinkNet *net = released (2);
  SsLinkSend how = net_reliable (UPKEEP, 7);
  unsigned n_before = n_initiations (net);
  net_run (net, net->now + 200 * SS_MSEC);
  net_send (net, 0, 1, &how, "more");
  net_run (net, net->now + 4 * QUIET);
  g_assert_true (has_session (net, 0, 1) && has_session (net, 1, 0));
  g_assert_cmpuint (n_initiations (net), ==, n_before);
  net_free (net);
}

/* Whenever the next message comes, and whoever sends it, it is not lost in a
 * session that only one of the two still has. */
static void
test_any_time (void)
{
  for (unsigned i = 0; i < 60; i++) {
    LinkNet *net = released (100 + i);
    SsLinkSend how = { .protocol = UPKEEP };
    unsigned from = i % 2, to = 1 - from;
    net_run (net, net->now + i * 50 * SS_MSEC);
    guint n = net->endpoints[to].messages->len;
    SsTime sent = net->now;
    net_send (net, from, to, &how, "late");
    net_run (net, net->now + QUIET);
    g_assert_cmpuint (net->endpoints[to].messages->len, ==, n + 1);
    const NetMessage *last =
        &g_array_index (net->endpoints[to].messages, NetMessage, n);
    g_assert_cmpint (last->at - sent, <=, 3 * net->delay);
    net_free (net);
  }
}

/* What only one end takes for the end is found out as a restart is: by a
 * message that is late, and comes. */
static void
test_one_sided (void)
{
  LinkNet *net = connected (3);
  SsLinkSend how = net_reliable (UPKEEP, 7);
  release (net, 1, 0);
  net_run (net, net->now + QUIET);
  g_assert_true (has_session (net, 0, 1) && !has_session (net, 1, 0));
  guint n = net->endpoints[1].messages->len;
  net_send (net, 0, 1, &how, "are you there?");
  net_run (net, net->now + 4 * QUIET);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, n + 1);
  net_free (net);
}

/* How long a message takes in a session that the other end alone has let go,
 * after so long a silence. */
static SsTime
time_after (SsTime silence)
{
  LinkNet *net = connected (3);
  SsLinkSend how = net_reliable (UPKEEP, 7);
  release (net, 1, 0);
  net_run (net, net->now + silence);
  g_assert_true (has_session (net, 0, 1) && !has_session (net, 1, 0));
  guint n = net->endpoints[1].messages->len;
  SsTime sent = net->now;
  net_send (net, 0, 1, &how, "are you there?");
  net_run (net, net->now + QUIET);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, n + 1);
  SsTime at =
      g_array_index (net->endpoints[1].messages, NetMessage, n).at - sent;
  net_free (net);
  return at;
}

/* The longer nothing has been heard, the likelier that is: one message that is
 * late is enough. */
static void
test_one_sided_for_long (void)
{
  SsTime soon = time_after (QUIET), late = time_after (6 * QUIET);
  g_assert_cmpint (late, <, soon / 2);
}

/* An application's message is lost in no session that the other end has let
 * go, reliable or not; and none is let go that has had one. */
static void
test_applications (void)
{
  for (unsigned i = 0; i < 40; i++) {
    LinkNet *net = connected (200 + i);
    SsLinkSend upkeep = { .protocol = UPKEEP };
    SsLinkSend how = { .protocol = 3, .is_doubtful = true };
    net_send (net, 1, 0, &upkeep, "the last word, for one");
    net_run (net, net->now + 2 * net->delay);
    release (net, 1, 0);
    net_run (net, net->now + i * 100 * SS_MSEC);
    guint n = net->endpoints[1].messages->len;
    net_send (net, 0, 1, &how, "first");
    net_run (net, net->now + QUIET);
    g_assert_cmpuint (net->endpoints[1].messages->len, ==, n + 1);
    release (net, 1, 0);
    release (net, 0, 1);
    net_run (net, net->now + QUIET);
    unsigned n_before = n_initiations (net);
    net_send (net, 0, 1, &how, "second");
    net_run (net, net->now + QUIET);
    g_assert_cmpuint (net->endpoints[1].messages->len, ==, n + 2);
    g_assert_cmpuint (n_initiations (net), ==, n_before);
    net_free (net);
  }
}

/* Nor is the answer, whoever has the smaller id, and however young a session
 * is that the one end took for doubtful. */
static void
test_answers (void)
{
  for (unsigned i = 0; i < 80; i++) {
    LinkNet *net = connected (300 + i);
    SsLinkSend how = { .protocol = 3, .is_doubtful = true };
    unsigned from = i % 2, to = 1 - from;
    net_run (net, net->now + i * 100 * SS_MSEC);
    net_send (net, from, to, &how, "first");
    net_run (net, net->now + 5 * net->delay);
    guint n = net->endpoints[from].messages->len;
    net_send (net, to, from, &how, "answer");
    net_run (net, net->now + QUIET);
    g_assert_cmpuint (net->endpoints[from].messages->len, ==, n + 1);
    net_free (net);
  }
}

/* The first to speak in a session is he for whom it was made, and he who has
 * made it holds on to it. */
static void
test_answer_at_once (void)
{
  for (unsigned seed = 400; seed < 408; seed++) {
    LinkNet *net = net_new (seed, 2);
    SsLinkSend upkeep = net_reliable (UPKEEP, 7);
    SsLinkSend how = { .protocol = 3, .is_doubtful = true };
    net_run (net, 2 * SS_SEC);
    net_send (net, 0, 1, &upkeep, "who initiates");
    net_run (net, net->now + 2 * net->delay + NET_EPSILON);
    unsigned n_before = n_initiations (net);
    net_send (net, 1, 0, &how, "answer");
    net_run (net, net->now + QUIET);
    g_assert_cmpuint (net->endpoints[0].messages->len, ==, 1);
    g_assert_cmpuint (n_initiations (net), ==, n_before);
    net_free (net);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/release/forgotten", test_forgotten);
  g_test_add_func ("/link/release/kept", test_kept);
  g_test_add_func ("/link/release/any-time", test_any_time);
  g_test_add_func ("/link/release/one-sided", test_one_sided);
  g_test_add_func ("/link/release/one-sided-for-long", test_one_sided_for_long);
  g_test_add_func ("/link/release/applications", test_applications);
  g_test_add_func ("/link/release/answers", test_answers);
  g_test_add_func ("/link/release/answer-at-once", test_answer_at_once);
  return g_test_run ();
}
