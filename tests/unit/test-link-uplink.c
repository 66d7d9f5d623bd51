/* What a node's line carries is found from what comes back late, and kept. */
#include "overlay/link/private.h"
#include "tests/unit/link_net.h"

#define PEERS     4
#define PACKET    600
#define LINE_RATE 20000 /* bytes a second */

/* The first endpoint knows all others, and none of them waits for it. */
static LinkNet *
connect_all (uint64_t seed)
{
  LinkNet *net = net_new (seed, 1 + PEERS);
  net->delay = 20 * SS_MSEC;
  for (unsigned i = 1; i <= PEERS; i++) {
    SsLinkSend how = net_reliable (3, i);
    net_send (net, 0, i, &how, "hello");
  }
  net_run (net, net->now + 2 * SS_SEC);
  return net;
}

/* So many media packets a second, to each of them by turns, and what is
 * acknowledged now and then. */
static void
forward (LinkNet *net, unsigned rate, SsTime duration)
{
  static const SsLinkSend media = { .protocol = 4, .class = SS_CLASS_MEDIA };
  g_autofree char *text = g_strnfill (PACKET, 'm');
  SsTime until = net->now + duration;
  for (unsigned n = 0; net->now < until; n++) {
    SsLinkSend expiring = media;
    expiring.expires = net->now + SS_SEC;
    net_send (net, 0, 1 + n % PEERS, &expiring, text);
    if (n % 8 == 0) {
      SsLinkSend how = net_reliable (3, (uint64_t) net->now);
      net_send (net, 0, 1 + n / 8 % PEERS, &how, "control");
    }
    net_run (net, net->now + SS_SEC / rate);
  }
}

static double
uplink (const LinkNet *net)
{
  return (double) ss_link_uplink_bps (net->endpoints[0].link) / 8;
}

/* How much waits before the line. */
static SsTime
queue (const LinkNet *net)
{
  return MAX (net->endpoints[0].line_free - net->now, 0);
}

static void
test_narrow (void)
{
  LinkNet *net = connect_all (1);
  forward (net, 60, 5 * SS_SEC);
  g_assert_cmpfloat (uplink (net), ==, 0);
  /* Half of what is sent gets through. */
  net->endpoints[0].byte_time = SS_SEC / LINE_RATE;
  forward (net, 60, 10 * SS_SEC);
  g_assert_cmpfloat (uplink (net), >, LINE_RATE * 0.7);
  g_assert_cmpfloat (uplink (net), <, LINE_RATE * 1.2);
  /* What is too much waits in the link, not in the line. */
  g_assert_cmpint (queue (net), <, 300 * SS_MSEC);
  /* Less than it carries is not held back, and it is wide again one day. */
  net->endpoints[0].byte_time = 0;
  forward (net, 10, 300 * SS_SEC);
  g_assert_cmpfloat (uplink (net), ==, 0);
  net_free (net);
}

/* Ways that have become longer are no queue. */
static void
test_longer_way (void)
{
  LinkNet *net = connect_all (2);
  forward (net, 60, 5 * SS_SEC);
  net->delay = 400 * SS_MSEC;
  forward (net, 60, 30 * SS_SEC);
  g_assert_cmpfloat (uplink (net), ==, 0);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_UPLINK_FULL), ==, 1);
  net_free (net);
}

/* Ways that take now this long and now that are no queue either; before a line
 * that is narrow there is one all the same. */
static void
test_jitter (void)
{
  LinkNet *net = connect_all (4);
  net->jitter = 100 * SS_MSEC;
  forward (net, 60, 60 * SS_SEC);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_UPLINK_FULL), ==, 0);
  net->endpoints[0].byte_time = SS_SEC / LINE_RATE;
  forward (net, 60, 10 * SS_SEC);
  g_assert_cmpfloat (uplink (net), >, LINE_RATE * 0.7);
  g_assert_cmpfloat (uplink (net), <, LINE_RATE * 1.3);
  g_assert_cmpint (queue (net), <, 500 * SS_MSEC);
  net_free (net);
}

/* One peer that answers late says nothing of this node's line. */
static void
test_slow_peer (void)
{
  LinkNet *net = connect_all (3);
  forward (net, 60, 5 * SS_SEC);
  net->endpoints[1].byte_time = SS_MSEC * 20;
  forward (net, 60, 20 * SS_SEC);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_UPLINK_FULL), ==, 0);
  net_free (net);
}

/* Acknowledgements that wait before others' lines say nothing of it either,
 * even if these are all peers. */
static void
test_slow_answers (void)
{
  LinkNet *net = connect_all (5);
  forward (net, 60, 5 * SS_SEC);
  for (unsigned i = 1; i <= PEERS; i++)
    net->endpoints[i].byte_time = 5 * SS_MSEC;
  forward (net, 60, 20 * SS_SEC);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_UPLINK_FULL), ==, 0);
  net_free (net);
}

/* Who sends nothing but repairs, as a broadcaster may, finds it out as well. */
static void
test_repairs (void)
{
  static const SsLinkSend repair = { .protocol = 4, .class = SS_CLASS_REPAIR };
  enum { RATE = 60, CALM = 5 * RATE, ALL = 15 * RATE };
  g_autofree char *text = g_strnfill (PACKET, 'r');
  LinkNet *net = connect_all (6);
  for (unsigned n = 0; n < ALL; n++) {
    SsLinkSend expiring = repair;
    expiring.expires = net->now + SS_SEC;
    if (n == CALM)
      net->endpoints[0].byte_time = SS_SEC / LINE_RATE;
    net_send (net, 0, 1 + n % PEERS, &expiring, text);
    net_run (net, net->now + SS_SEC / RATE);
  }
  g_assert_cmpfloat (uplink (net), >, LINE_RATE * 0.7);
  g_assert_cmpfloat (uplink (net), <, LINE_RATE * 1.3);
  g_assert_cmpint (queue (net), <, 300 * SS_MSEC);
  net_free (net);
}

/* Clocks that run ahead for a while, as if they were set step by step, make
 * ways longer and round trips not. */
static void
test_slewed_clocks (void)
{
  enum { SLEW = 5 }; /* ms each time */
  LinkNet *net = connect_all (7);
  SsLink *link = net->endpoints[0].link;
  forward (net, 60, 5 * SS_SEC);
  for (unsigned n = 0; n < 200; n++) {
    net_run (net, net->now + 20 * SS_MSEC);
    for (unsigned i = 1; i <= PEERS; i++) {
      SsContact contact = net_contact (net, i);
      uint16_t came = (uint16_t) (net->now / SS_MSEC + SLEW * n);
      ss_link_uplink_sample (link, ss_link_find (link, &contact.id),
                             net->now - 40 * SS_MSEC, &came);
    }
  }
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_UPLINK_FULL), ==, 0);
  net_free (net);
}

/* A peer that has been asked may be gone when the next datagram leaves. */
static void
test_gone (void)
{
  LinkNet *net = connect_all (8);
  SsLinkSend how = net_reliable (3, 99);
  net_send (net, 0, 1, &how, "control");
  net_run (net, net->now + SS_MSEC);
  SsContact gone = net_contact (net, 1);
  ss_link_close (net->endpoints[0].link, &gone.id);
  forward (net, 60, SS_SEC);
  g_assert_cmpfloat (uplink (net), ==, 0);
  net_free (net);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/uplink/narrow", test_narrow);
  g_test_add_func ("/link/uplink/longer-way", test_longer_way);
  g_test_add_func ("/link/uplink/slow-peer", test_slow_peer);
  g_test_add_func ("/link/uplink/jitter", test_jitter);
  g_test_add_func ("/link/uplink/slow-answers", test_slow_answers);
  g_test_add_func ("/link/uplink/repairs", test_repairs);
  g_test_add_func ("/link/uplink/slewed-clocks", test_slewed_clocks);
  g_test_add_func ("/link/uplink/gone", test_gone);
  return g_test_run ();
}
