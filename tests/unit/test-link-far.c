/* Peers farther than the wait for their first answer: they get a session, and
 * their distance is learned, so that they are not late with everything. And
 * one that sleeps. Built with each sealer. */
#include "overlay/link/link.h"
#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

static LinkNet *
far_net (SsTime delay)
{
  LinkNet *net = net_new (1, 2);
  net->delay = delay;
  return net;
}

/* Where the round trip is longer than the wait for the first answer, answers
 * to earlier tries come while later ones are out: the first is taken, and
 * tells the round trip's time. */
static void
test_far (void)
{
  for (SsTime delay = 200 * SS_MSEC; delay <= 750 * SS_MSEC;
       delay += 50 * SS_MSEC) {
    LinkNet *net = far_net (delay);
    for (unsigned i = 0; i < 2; i++)
      net->endpoints[i].addr.ip[12] = 10; /* more than one try a second */
    SsContact b = net_contact (net, 1);
    SsLinkSend how = net_reliable (3, 7);
    net_send (net, 0, 1, &how, "far");
    net_run (net, 3 * delay + NET_EPSILON);
    g_assert_cmpstr (net_text (&net->endpoints[1], 0), ==, "far");
    g_assert_cmpint (ss_link_rtt (net->endpoints[0].link, &b.id), ==,
                     2 * delay);
    net_run (net, 10 * SS_SEC);
    g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
    g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
    g_assert_cmpuint (net->endpoints[0].n_up, ==, 1);
    g_assert_cmpuint (net->endpoints[1].n_up, ==, 1);
    net_free (net);
  }
}

/* Two initiations have gone to its address for another's sake, so one is left
 * of what an unconfirmed address gets in a minute: it is waited for. */
static void
test_last_try (void)
{
  LinkNet *net = net_new (1, 3);
  net->delay = 380 * SS_MSEC;
  net->endpoints[0].addr.ip[12] = net->endpoints[1].addr.ip[12] = 10;
  SsContact ghost = net_contact (net, 2);
  ghost.addr = net_contact (net, 1).addr;
  SsLinkSend how = net_reliable (3, 7);
  g_assert_true (ss_link_send (net->endpoints[0].link, &ghost, &how,
                               (const uint8_t *) "who", 3, NULL));
  net_run (net, 300 * SS_MSEC);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==, 2);
  ss_link_cancel (net->endpoints[0].link, &ghost.id, how.protocol, how.token);
  net_send (net, 0, 1, &how, "far");
  net_run (net, 5 * SS_SEC);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==, 3);
  g_assert_cmpstr (net_text (&net->endpoints[1], 0), ==, "far");
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  net_free (net);
}

/* The distance grows: what is late is called back, as routing does, and its
 * acknowledgement comes all the same. */
static void
test_called_back (void)
{
  LinkNet *net = far_net (10 * SS_MSEC);
  SsContact a = net_contact (net, 0), b = net_contact (net, 1);
  for (uint64_t token = 1; token <= 12; token++) {
    SsLinkSend how = net_reliable (3, token);
    net->endpoints[0].cancel_when_late = token;
    net_send (net, 0, 1, &how, "which way");
    net_run (net, net->now + 3 * SS_SEC);
    if (token == 2)
      net->delay = 300 * SS_MSEC;
  }
  g_assert_cmpuint (net->endpoints[0].late->len, <=, 6);
  g_assert_cmpuint (net->endpoints[0].acked->len, >=, 6);
  g_assert_cmpint (ss_link_rto (net->endpoints[0].link, &b.id), >,
                   600 * SS_MSEC);
  g_assert_true (ss_link_has_session (net->endpoints[1].link, &a.id));
  net_free (net);
}

/* So it is where nothing is called back, and all is sent twice. */
static void
test_sent_twice (void)
{
  LinkNet *net = far_net (10 * SS_MSEC);
  SsContact b = net_contact (net, 1);
  for (uint64_t token = 1; token <= 30; token++) {
    SsLinkSend how = net_reliable (3, token);
    net_send (net, 0, 1, &how, "again");
    net_run (net, net->now + 3 * SS_SEC);
    if (token == 20)
      net->delay = 28 * SS_MSEC;
  }
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 30);
  g_assert_cmpuint (net->endpoints[0].late->len, <=, 4);
  g_assert_cmpint (ss_link_rto (net->endpoints[0].link, &b.id), >,
                   56 * SS_MSEC);
  net_free (net);
}

/* The timeout of one who was just met, after many samples of another's. */
static SsTime
newcomer_rto (SsTime jitter)
{
  LinkNet *net = net_new (1, 3);
  net->delay = 50 * SS_MSEC;
  net->jitter = jitter;
  SsContact c = net_contact (net, 2);
  for (uint64_t token = 1; token <= 60; token++) {
    SsLinkSend how = net_reliable (3, token);
    net_send (net, 0, 1, &how, "often");
    net_run (net, net->now + 3 * SS_SEC);
  }
  net->jitter = 0;
  SsLinkSend how = net_reliable (3, 61);
  net_send (net, 0, 2, &how, "once");
  net_run (net, net->now + 120 * SS_MSEC);
  SsTime rto = ss_link_rto (net->endpoints[0].link, &c.id);
  g_assert_cmpint (ss_link_rtt (net->endpoints[0].link, &c.id), ==,
                   100 * SS_MSEC);
  net_free (net);
  return rto;
}

/* Where round trips are steady it need not be three of them, nor less than one
 * and a half; where they are not, it is three, as in RFC 6298. */
static void
test_newcomer (void)
{
  g_assert_cmpint (newcomer_rto (0), <=, 150 * SS_MSEC);
  g_assert_cmpint (newcomer_rto (60 * SS_MSEC), >, 200 * SS_MSEC);
  g_assert_cmpint (newcomer_rto (200 * SS_MSEC), >, 299 * SS_MSEC);
}

typedef struct {
  SsAddr to;
  GArray *held; /* NetDatagram */
} Asleep;

static bool
hold (void *user, NetDatagram *datagram)
{
  Asleep *asleep = user;
  if (!ss_addr_equal (&datagram->to, &asleep->to))
    return true;
  g_array_append_val (asleep->held, *datagram);
  return false;
}

/* Each has initiated, and one of them sleeps. It finds both answers when it
 * wakes, and takes the sessions for made at once; to the other they are six
 * seconds apart. When each has forgotten the one that it does not use the two
 * are at odds: the first datagram shows it. */
static void
test_at_odds (void)
{
  LinkNet *net = far_net (10 * SS_MSEC);
  SsId ids[] = { net_contact (net, 0).id, net_contact (net, 1).id };
  unsigned a = ss_id_compare (&ids[0], &ids[1]) < 0 ? 0 : 1;
  NetEndpoint *sleeper = &net->endpoints[a];
  Asleep asleep = { .to = sleeper->addr };
  asleep.held = g_array_new (FALSE, FALSE, sizeof (NetDatagram));
  SsLinkSend how = { .protocol = 3, .class = SS_CLASS_MEDIA };
  net_send (net, a, 1 - a, &how, "x"); /* does not go with an initiation */
  how = net_reliable (3, 1);
  net_run (net, 5 * SS_MSEC);
  net->filter = hold;
  net->filter_user = &asleep;
  SsLink *link = g_steal_pointer (&sleeper->link);
  net_run (net, 5 * SS_SEC + 900 * SS_MSEC);
  net_send (net, 1 - a, a, &how, "y");
  net_run (net, 6 * SS_SEC);
  sleeper->link = link;
  sleeper->env.now = net->now;
  for (unsigned i = 0; i < asleep.held->len; i++) {
    NetDatagram *datagram = &g_array_index (asleep.held, NetDatagram, i);
    ss_link_input (link, &datagram->from, datagram->data, datagram->len);
  }
  net->filter = NULL;
  net_drain (net, a);
  net_run (net, 40 * SS_SEC);
  unsigned n_sent = net_n_sent (net, 1 - a, SS_MSG_LINK_INITIATION);
  how.token = 2;
  net_send (net, a, 1 - a, &how, "z");
  net_run (net, 40 * SS_SEC + 100 * SS_MSEC);
  g_assert_cmpuint (net_n_sent (net, 1 - a, SS_MSG_LINK_INITIATION), ==,
                    n_sent + 1);
  net_run (net, 44 * SS_SEC);
  g_assert_cmpuint (sleeper->acked->len, ==, 1);
  g_array_unref (asleep.held);
  net_free (net);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/far/session", test_far);
  g_test_add_func ("/link/far/last-try", test_last_try);
  g_test_add_func ("/link/far/called-back", test_called_back);
  g_test_add_func ("/link/far/sent-twice", test_sent_twice);
  g_test_add_func ("/link/far/newcomer", test_newcomer);
  g_test_add_func ("/link/far/at-odds", test_at_odds);
  return g_test_run ();
}
