/* Messages that are lost or late: when they are sent again, given up or
 * called off, and how often somebody silent is called. Built with each
 * sealer. */
#include "overlay/link/link.h"

#include <string.h>

#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

static const SsLinkSend plain = { .protocol = 3, .class = SS_CLASS_MEDIA };

static bool
drop_all (void *user, NetDatagram *datagram)
{
  return false;
}

/* RFC 6298's times, doubled up to the cap; then it fails. */
static void
test_late_then_failed (void)
{
  LinkNet *net = net_connected (5);
  net->filter = drop_all;
  SsLinkSend how = net_reliable (3, 9);
  how.tries_max = 4;
  unsigned before = net->sent->len;
  SsTime start = net->now;
  net_send (net, 0, 1, &how, "x");
  net_run (net, start + 5 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].late->len, ==, 3);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 1);
  static const SsTime expected[] = { 0, 60, 180, 420 };
  unsigned n = 0;
  for (unsigned i = before; i < net->sent->len; i++) {
    const NetSent *sent = &g_array_index (net->sent, NetSent, i);
    /* After two in vain an initiation takes it along; when it has failed
     * there is one more, for the peer's sake. */
    g_assert_cmpuint (sent->code, ==,
                      n < 2 ? SS_MSG_LINK_DATA : SS_MSG_LINK_INITIATION);
    if (n == G_N_ELEMENTS (expected))
      break;
    g_assert_cmpint (sent->at - start, ==, expected[n] * SS_MSEC);
    n++;
  }
  g_assert_cmpuint (n, ==, G_N_ELEMENTS (expected));
  net_free (net);
}

typedef struct {
  SsAddr from;
  size_t len;
  unsigned n;
} Drop;

/* Drops the first n datagrams of this length from there. */
static bool
drop_some (void *user, NetDatagram *datagram)
{
  Drop *drop = user;
  if (drop->n == 0 || datagram->len != drop->len
      || !ss_addr_equal (&datagram->from, &drop->from))
    return true;
  drop->n--;
  return false;
}

/* RFC 9002 in place of Karn: an ack says which sending it answers. */
static void
test_named_sendings (void)
{
  LinkNet *net = net_connected (5);
  SsContact b = net_contact (net, 1);
  Drop drop = {
    .from = net->endpoints[0].addr,
    .len = SS_LINK_OVERHEAD + 3 + 1,
    .n = 2,
  };
  net->filter = drop_some;
  net->filter_user = &drop;
  SsTime rtt = ss_link_rtt (net->endpoints[0].link, &b.id);
  SsLinkSend how = net_reliable (3, 1);
  net_send (net, 0, 1, &how, "x");
  net->delay = 25 * SS_MSEC;
  net_run (net, net->now + 5 * SS_SEC);
  g_assert_cmpuint (drop.n, ==, 0);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  SsTime wanted = (7 * rtt + 50 * SS_MSEC) / 8;
  SsTime found = ss_link_rtt (net->endpoints[0].link, &b.id);
  g_assert_cmpint (ABS (found - wanted), <=, 200 * SS_USEC);
  net_free (net);
}

/* The way becomes a hundred times as long at once. What was given up before
 * its acknowledgement came tells how long it is. */
static void
test_long_way_learned (void)
{
  LinkNet *net = net_connected (5);
  SsContact b = net_contact (net, 1);
  net->delay = 1 * SS_SEC;
  SsTime start = net->now;
  for (unsigned i = 1; i <= 60; i++) {
    SsLinkSend how = net_reliable (3, i);
    net_send (net, 0, 1, &how, "x");
    net_run (net, start + i * 200 * SS_MSEC);
    if (net->now <= start + 2 * SS_SEC + 200 * SS_MSEC)
      continue;
    SsTime rto = ss_link_rto (net->endpoints[0].link, &b.id);
    g_assert_cmpint (rto, >, 2 * SS_SEC);
  }
  /* Only what was given up before. */
  unsigned n_failed = net->endpoints[0].failed->len;
  g_assert_cmpuint (n_failed, <=, 3);
  uint64_t resent = net_counter (net, 0, SS_COUNT_LINK_MESSAGES_RESENT);
  g_assert_cmpuint (resent, <, 50);
  net_run (net, net->now + 5 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 60 - n_failed);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_MESSAGES_RESENT), ==,
                    resent);
  net_free (net);
}

/* Round trips of a far peer that hardly differ, but for one that takes some
 * milliseconds more: no timeout is as tight as that. */
static void
test_rto_granularity (void)
{
  LinkNet *net = net_new (24, 2);
  SsContact b = net_contact (net, 1);
  SsLinkSend how = net_reliable (1, 1);
  net->delay = 100 * SS_MSEC;
  for (unsigned i = 0; i < 200; i++) {
    net->delay = (i % 20 == 19 ? 104 : 100) * SS_MSEC;
    net_send (net, 0, 1, &how, "x");
    net_run (net, net->now + 1 * SS_SEC);
  }
  g_assert_cmpint (ss_link_rtt (net->endpoints[0].link, &b.id), <,
                   202 * SS_MSEC);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 200);
  g_assert_cmpuint (net->endpoints[0].late->len, ==, 0);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_MESSAGES_RESENT), ==, 0);
  net_free (net);
}

static void
test_rto_floor (void)
{
  LinkNet *net = net_new (6, 2);
  SsContact b = net_contact (net, 1);
  net->delay = 50 * SS_USEC;
  net_send (net, 0, 1, &plain, "x");
  net_run (net, 1 * SS_SEC);
  g_assert_cmpint (ss_link_rtt (net->endpoints[0].link, &b.id), ==,
                   100 * SS_USEC);
  g_assert_cmpint (ss_link_rto (net->endpoints[0].link, &b.id), ==,
                   50 * SS_MSEC);
  net_free (net);
}

/* A message that is lost again and again, while hundreds pass it by, is not
 * taken for a duplicate when it comes. */
static void
test_straggler (void)
{
  LinkNet *net = net_connected (7);
  Drop drop = {
    .from = net->endpoints[0].addr,
    .len = SS_LINK_OVERHEAD + 3 + 1190,
    .n = 6,
  };
  net->filter = drop_some;
  net->filter_user = &drop;
  g_autofree char *first = g_strnfill (1190, 'f');
  g_autofree char *other = g_strnfill (1000, 'o');
  SsLinkSend how = net_reliable (3, 1);
  how.tries_max = 20;
  net_send (net, 0, 1, &how, first);
  for (unsigned i = 0; i < 500; i++) {
    how.token = 2 + i;
    g_assert_true (net_send (net, 0, 1, &how, other));
  }
  net_run (net, net->now + 20 * SS_SEC);
  g_assert_cmpuint (drop.n, ==, 0);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 501);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 501);
  net_free (net);
}

/* The responder learns of the session although the initiator's message has
 * expired meanwhile. */
static void
test_nothing_to_say (void)
{
  LinkNet *net = net_new (8, 2);
  SsContact a = net_contact (net, 0);
  SsLinkSend how = plain;
  how.expires = 15 * SS_MSEC;
  net_send (net, 0, 1, &how, "x");
  net_run (net, 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 0);
  g_assert_true (ss_link_has_session (net->endpoints[1].link, &a.id));
  g_assert_cmpuint (net->sent->len, ==, 3);
  net_free (net);
}

static void
test_backoff_cap (void)
{
  LinkNet *net = net_connected (6);
  net->filter = drop_all;
  SsLinkSend how = net_reliable (3, 9);
  how.tries_max = 200;
  SsContact b = net_contact (net, 1);
  net_send (net, 0, 1, &how, "x");
  net_run (net, net->now + 1 * SS_SEC);
  unsigned before = net_n_sent (net, 0, SS_MSG_LINK_DATA);
  /* A peer that is heard from now and then is not given up. */
  g_assert_true (ss_link_has_session (net->endpoints[0].link, &b.id));
  net->filter = NULL;
  net_run (net, net->now + 1 * SS_SEC);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_DATA), >, before);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 0);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  net_free (net);
}

static void
test_cancel (void)
{
  LinkNet *net = net_connected (7);
  SsContact b = net_contact (net, 1);
  SsLinkSend how = net_reliable (3, 1);
  net_send (net, 0, 1, &how, "x");
  ss_link_cancel (net->endpoints[0].link, &b.id, 3, 1);
  g_assert_false (ss_link_has_output (net->endpoints[0].link)
                  && ss_link_backlog (net->endpoints[0].link, SS_CLASS_CONTROL)
                         > 0);
  how.token = 2;
  net->filter = drop_all;
  net->endpoints[0].cancel_when_late = 2;
  net_send (net, 0, 1, &how, "y");
  unsigned before = net_n_sent (net, 0, SS_MSG_LINK_DATA);
  net_run (net, 5 * SS_SEC);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_DATA), ==, before + 1);
  g_assert_cmpuint (net->endpoints[0].late->len, ==, 1);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 0);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 0);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 0);
  net_free (net);
}

/* Nobody there: three initiations and no more in a minute, whoever asks. */
static void
test_unreachable (void)
{
  LinkNet *net = net_new (8, 2);
  net_stop (net, 1);
  for (unsigned i = 0; i < 60; i++) {
    SsLinkSend how = net_reliable (3, i + 1);
    g_assert_true (net_send (net, 0, 1, &how, "x"));
    net_run (net, (i + 1) * SS_SEC - NET_EPSILON);
  }
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==, 3);
  for (unsigned i = 0; i < net->sent->len; i++) /* one second apart */
    g_assert_cmpint (g_array_index (net->sent, NetSent, i).at, ==, i * SS_SEC);
  net_run (net, 70 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 60);
  g_assert_cmpuint (net->endpoints[0].late->len, >=, 1);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==, 3);
  /* It comes up, and a new minute begins. */
  net_start (net, 1);
  SsLinkSend how = net_reliable (3, 100);
  net_send (net, 0, 1, &how, "x");
  net_run (net, 72 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  net_free (net);
}

static bool
drop_responses (void *user, NetDatagram *datagram)
{
  return datagram->data[0] != SS_MSG_LINK_RESPONSE;
}

/* All that may go to an unconfirmed address in a minute has gone there, and
 * each answer was lost: then who has answered may initiate. */
static void
test_call_on (void)
{
  LinkNet *net = net_new (8, 3);
  SsLinkSend how = net_reliable (3, 1);
  net->filter = drop_responses;
  net_send (net, 0, 1, &how, "x");
  net_run (net, 6 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 1);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==, 3);
  net->filter = NULL;
  ss_link_call_on (net->endpoints[1].link);
  net_drain (net, 1);
  net_run (net, 7 * SS_SEC);
  g_assert_cmpuint (net_n_sent (net, 1, SS_MSG_LINK_INITIATION), ==, 1);
  how.token = 2;
  net_send (net, 0, 1, &how, "y");
  net_run (net, 8 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  /* Nobody else, and nobody that has gone on. */
  ss_link_call_on (net->endpoints[1].link);
  ss_link_call_on (net->endpoints[2].link);
  net_run (net, 12 * SS_SEC);
  g_assert_cmpuint (net_n_sent (net, 1, SS_MSG_LINK_INITIATION), ==, 1);
  g_assert_cmpuint (net_n_sent (net, 2, SS_MSG_LINK_INITIATION), ==, 0);
  net_free (net);
}

/* All of them, also where they have called at the same time. */
static void
test_call_on_many (void)
{
  enum { CALLERS = 7, CALLED = CALLERS };
  LinkNet *net = net_new (8, CALLERS + 1);
  net->filter = drop_responses;
  for (unsigned i = 0; i < CALLERS; i++) {
    SsLinkSend how = net_reliable (3, 1);
    net_send (net, i, CALLED, &how, "x");
  }
  net_run (net, 6 * SS_SEC);
  net->filter = NULL;
  ss_link_call_on (net->endpoints[CALLED].link);
  net_drain (net, CALLED);
  g_assert_cmpuint (net_n_sent (net, CALLED, SS_MSG_LINK_INITIATION), ==,
                    CALLERS);
  net_free (net);
}

/* Behind one loopback or private address are many nodes. */
static void
test_one_address_many_ports (void)
{
  static const struct {
    uint32_t ip;
    unsigned expected; /* initiations in the first half second */
  } cases[] = {
    { 0x7f000001, 30 * 2 },
    { 0x0a000001, 30 * 2 },
    { 0xc0a80001, 30 * 2 },
    { 0x08080808, 1 },
  };
  for (unsigned c = 0; c < G_N_ELEMENTS (cases); c++) {
    LinkNet *net = net_new (9, 2);
    SsContact contact = net_contact (net, 1);
    for (unsigned i = 0; i < 30; i++) {
      contact.id.b[0] = (uint8_t) i;
      contact.addr = ss_addr_v4 (cases[c].ip, (uint16_t) (5000 + i));
      ss_link_send (net->endpoints[0].link, &contact, &plain,
                    (const uint8_t *) "x", 1, NULL);
    }
    net_run (net, 500 * SS_MSEC);
    g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==,
                      cases[c].expected);
    net_free (net);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/late-then-failed", test_late_then_failed);
  g_test_add_func ("/link/named-sendings", test_named_sendings);
  g_test_add_func ("/link/long-way-learned", test_long_way_learned);
  g_test_add_func ("/link/rto-floor", test_rto_floor);
  g_test_add_func ("/link/rto-granularity", test_rto_granularity);
  g_test_add_func ("/link/straggler", test_straggler);
  g_test_add_func ("/link/nothing-to-say", test_nothing_to_say);
  g_test_add_func ("/link/backoff-cap", test_backoff_cap);
  g_test_add_func ("/link/cancel", test_cancel);
  g_test_add_func ("/link/unreachable", test_unreachable);
  g_test_add_func ("/link/call-on", test_call_on);
  g_test_add_func ("/link/call-on-many", test_call_on_many);
  g_test_add_func ("/link/one-address-many-ports", test_one_address_many_ports);
  return g_test_run ();
}
