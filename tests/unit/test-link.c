/* The link between a few endpoints: what applications of it rely on; messages
 * and sessions. test-link-loss.c and test-link-queue.c have the rest. Built
 * with each sealer. */
#include "overlay/link/link.h"

#include <string.h>

#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

static const SsLinkSend plain = { .protocol = 3, .class = SS_CLASS_MEDIA };

static void
test_handshake (void)
{
  LinkNet *net = net_new (1, 2);
  SsContact a = net_contact (net, 0), b = net_contact (net, 1);
  net->endpoints[1].echo = true;
  SsLinkSend how = { .protocol = 1 };
  g_assert_true (net_send (net, 0, 1, &how, "hello"));
  g_assert_false (ss_link_has_session (net->endpoints[0].link, &b.id));
  net_run (net, 1 * SS_SEC);
  g_assert_true (ss_link_has_session (net->endpoints[0].link, &b.id));
  g_assert_true (ss_link_has_session (net->endpoints[1].link, &a.id));
  g_assert_cmpuint (ss_link_n_peers (net->endpoints[0].link), ==, 1);
  g_assert_cmpstr (net_text (&net->endpoints[1], 0), ==, "hello");
  g_assert_cmpstr (net_text (&net->endpoints[0], 0), ==, "hello");
  const NetMessage *message =
      &g_array_index (net->endpoints[1].messages, NetMessage, 0);
  g_assert_true (ss_id_equal (&message->from, &a.id));
  g_assert_cmpuint (message->protocol, ==, 1);
  g_assert_cmpint (message->at, ==, 30 * SS_MSEC); /* three half trips */
  /* The handshake told the round-trip time and each other's view. */
  g_assert_cmpint (ss_link_rtt (net->endpoints[0].link, &b.id), ==,
                   20 * SS_MSEC);
  g_assert_cmpint (ss_link_rto (net->endpoints[0].link, &b.id), ==,
                   60 * SS_MSEC);
  g_assert_true (ss_addr_equal (&net->endpoints[0].observed, &a.addr));
  g_assert_cmpuint (net->endpoints[0].n_up, ==, 1);
  g_assert_cmpuint (net->endpoints[1].n_up, ==, 1);
  g_assert_cmpint (ss_link_last_heard (net->endpoints[0].link, &b.id), >, 0);
  g_assert_cmpint (ss_link_last_sent (net->endpoints[0].link, &b.id), >, 0);
  g_assert_cmpuint (net->sent->len, ==, 4);
  net_free (net);
}

static void
test_to_itself (void)
{
  LinkNet *net = net_new (1, 1);
  g_assert_false (net_send (net, 0, 0, &plain, "me"));
  char long_text[SS_LINK_MESSAGE_MAX + 2];
  memset (long_text, 'x', sizeof long_text);
  long_text[sizeof long_text - 1] = '\0';
  g_assert_false (net_send (net, 0, 0, &plain, long_text));
  net_free (net);
}

static void
test_longest (void)
{
  LinkNet *net = net_connected (2);
  SsContact b = net_contact (net, 1);
  g_autofree uint8_t *data = g_malloc (SS_LINK_MESSAGE_MAX);
  memset (data, 'x', SS_LINK_MESSAGE_MAX);
  g_autoptr (GBytes) body = g_bytes_new (data, SS_LINK_MESSAGE_MAX - 10);
  SsLinkSend how = net_reliable (3, 1);
  g_assert_true (
      ss_link_send (net->endpoints[0].link, &b, &how, data, 10, body));
  g_assert_false (
      ss_link_send (net->endpoints[0].link, &b, &how, data, 11, body));
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (strlen (net_text (&net->endpoints[1], 0)), ==,
                    SS_LINK_MESSAGE_MAX);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  net_free (net);
}

/* Many messages share a datagram, acknowledgements ride along, and the
 * overhead is what link.h says. */
static void
test_packing (void)
{
  LinkNet *net = net_connected (3);
  unsigned before = net->sent->len;
  for (unsigned i = 0; i < 10; i++)
    net_send (net, 0, 1, &plain, "0123456789");
  net_drain (net, 0);
  g_assert_cmpuint (net->sent->len, ==, before + 1);
  const NetSent *sent = &g_array_index (net->sent, NetSent, before);
  g_assert_cmpuint (sent->len, ==, SS_LINK_OVERHEAD + 10 * (1 + 10) + 9 * 2);
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 10);

  before = net->sent->len;
  net_send (net, 0, 1, &plain, "0123456789");
  net_drain (net, 0);
  sent = &g_array_index (net->sent, NetSent, before);
  g_assert_cmpuint (sent->len, ==, SS_LINK_OVERHEAD + 1 + 10);

  /* An answer takes the acknowledgement along. */
  net_run (net, 3 * SS_SEC);
  before = net->sent->len;
  net->endpoints[1].echo = true;
  SsLinkSend how = net_reliable (3, 5);
  how.protocol = 1;
  net_send (net, 0, 1, &how, "0123456789");
  net_run (net, 4 * SS_SEC);
  g_assert_cmpuint (net->sent->len, ==, before + 2);
  sent = &g_array_index (net->sent, NetSent, before);
  g_assert_cmpuint (sent->len, ==, SS_LINK_OVERHEAD + 3 + 10);
  sent = &g_array_index (net->sent, NetSent, before + 1);
  g_assert_cmpuint (sent->len, ==, SS_LINK_OVERHEAD + 1 + 10 + 6);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  net_free (net);
}

static void
test_simultaneous (void)
{
  for (uint64_t seed = 0; seed < 20; seed++) {
    LinkNet *net = net_new (seed, 2);
    net->jitter = seed % 2 ? 5 * SS_MSEC : 0;
    SsLinkSend how = net_reliable (3, 1);
    net_send (net, 0, 1, &how, "from 0");
    net_send (net, 1, 0, &how, "from 1");
    net_run (net, 5 * SS_SEC);
    for (unsigned i = 0; i < 2; i++) {
      g_assert_cmpuint (net->endpoints[i].messages->len, ==, 1);
      g_assert_cmpuint (net->endpoints[i].acked->len, ==, 1);
      g_assert_cmpuint (net->endpoints[i].n_up, ==, 1);
      g_assert_cmpuint (net_n_sent (net, i, SS_MSG_LINK_INITIATION), ==, 1);
    }
    /* Both go on, long after. */
    for (unsigned i = 0; i < 60; i++) {
      net_send (net, 0, 1, &plain, "later");
      net_send (net, 1, 0, &plain, "later");
      net_run (net, net->now + 1 * SS_SEC);
    }
    g_assert_cmpuint (net->endpoints[0].messages->len, ==, 61);
    g_assert_cmpuint (net->endpoints[1].messages->len, ==, 61);
    net_free (net);
  }
}

/* Both open at once, and much is lost: they still agree on one session. */
static void
test_simultaneous_loss (void)
{
  for (uint64_t seed = 0; seed < 200; seed++) {
    LinkNet *net = net_new (seed, 2);
    SsLinkSend how = net_reliable (3, 1);
    how.tries_max = 20;
    net->jitter = 40 * SS_MSEC;
    net->loss = 0.4;
    net_send (net, 0, 1, &how, "from 0");
    net_send (net, 1, 0, &how, "from 1");
    net_run (net, 3 * SS_SEC);
    net->loss = 0;
    net_run (net, 8 * SS_SEC);
    /* Those that could not meet were given up; the others stay together. */
    unsigned n[2] = { net->endpoints[0].messages->len,
                      net->endpoints[1].messages->len };
    for (unsigned i = 0; i < 40; i++) {
      net_send (net, 0, 1, &plain, "later");
      net_send (net, 1, 0, &plain, "later");
      net_run (net, net->now + 1 * SS_SEC);
    }
    if (net->endpoints[0].acked->len + net->endpoints[1].acked->len == 2) {
      g_assert_cmpuint (net->endpoints[0].messages->len, ==, n[0] + 40);
      g_assert_cmpuint (net->endpoints[1].messages->len, ==, n[1] + 40);
    }
    net_free (net);
  }
}

/* One end loses its memory; the same key comes back. */
static void
test_restart (void)
{
  LinkNet *net = net_connected (12);
  for (unsigned i = 0; i < 20; i++) {
    SsLinkSend how = net_reliable (3, i + 1);
    net_send (net, 0, 1, &how, "before");
    net_send (net, 1, 0, &how, "before");
  }
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 20);
  net->endpoints[1].config.last_handshake_ns =
      ss_link_last_handshake_ns (net->endpoints[1].link);
  net_stop (net, 1);
  net_start (net, 1);
  /* The one that did not notice speaks first. */
  SsLinkSend how = net_reliable (3, 50);
  how.tries_max = 10;
  net_send (net, 0, 1, &how, "after");
  net_run (net, 5 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 21);
  g_assert_cmpuint (net->endpoints[0].n_up, ==, 2);

  net->endpoints[1].config.last_handshake_ns =
      ss_link_last_handshake_ns (net->endpoints[1].link);
  net_stop (net, 1);
  net_start (net, 1);
  /* The one that starts anew speaks first; its sequence does so, too. */
  for (unsigned i = 0; i < 20; i++) {
    how = net_reliable (3, 100 + i);
    net_send (net, 1, 0, &how, "anew");
  }
  unsigned before = net->endpoints[0].messages->len;
  net_run (net, 8 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, before + 20);
  g_assert_cmpuint (net->endpoints[1].acked->len, ==, 40);
  g_assert_cmpuint (net->endpoints[0].n_up, ==, 3);
  net_free (net);
}

static void
test_close (void)
{
  LinkNet *net = net_connected (13);
  SsContact a = net_contact (net, 0), b = net_contact (net, 1);
  SsLinkSend how = net_reliable (3, 1);
  net_send (net, 0, 1, &how, "never sent");
  ss_link_close (net->endpoints[0].link, &b.id);
  g_assert_false (ss_link_has_session (net->endpoints[0].link, &b.id));
  net_run (net, 2 * SS_SEC);
  g_assert_false (ss_link_has_session (net->endpoints[1].link, &a.id));
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 0);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 0);
  g_assert_cmpint (ss_link_last_heard (net->endpoints[0].link, &b.id), ==, -1);
  /* And open again. */
  net_send (net, 1, 0, &how, "again");
  net_run (net, 3 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].acked->len, ==, 1);
  net_free (net);
}

/* Closing and going on at once: the message that closes, even when it comes
 * late, does not take the new session with it. */
static void
test_reopen (void)
{
  for (uint64_t seed = 0; seed < 30; seed++) {
    LinkNet *net = net_connected (seed);
    SsContact b = net_contact (net, 1);
    net->jitter = 30 * SS_MSEC;
    SsLinkSend how = net_reliable (3, 1);
    ss_link_close (net->endpoints[0].link, &b.id);
    net_send (net, 0, 1, &how, "again");
    net_run (net, 3 * SS_SEC);
    g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
    g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
    g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==, 2);
    net_free (net);
  }
}

static void
test_idle (void)
{
  LinkNet *net = net_connected (14);
  SsContact b = net_contact (net, 1);
  net_run (net, 3 * 60 * SS_SEC);
  g_assert_cmpint (ss_link_last_heard (net->endpoints[0].link, &b.id), >, 0);
  net_run (net, 8 * 60 * SS_SEC);
  g_assert_cmpint (ss_link_last_heard (net->endpoints[0].link, &b.id), ==, -1);
  g_assert_cmpuint (ss_link_n_peers (net->endpoints[1].link), ==, 0);
  for (unsigned i = 0; i < 2; i++)
    g_assert_cmpint (ss_timers_deadline (&net->endpoints[i].env.timers), ==,
                     SS_NEVER);
  net_send (net, 1, 0, &plain, "again");
  net_run (net, 9 * 60 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, 1);
  net_free (net);
}

/* What gossip says of an address never moves a peer that answers. */
static void
test_hints (void)
{
  LinkNet *net = net_connected (15);
  SsContact b = net_contact (net, 1);
  b.addr = ss_addr_v4 (0x09090909, 9);
  g_assert_true (ss_link_send (net->endpoints[0].link, &b, &plain,
                               (const uint8_t *) "x", 1, NULL));
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  /* The peer itself, authentic, does. */
  net->endpoints[1].addr = ss_addr_v4 (0x07070707, 7);
  net_send (net, 1, 0, &plain, "moved");
  net_run (net, 3 * SS_SEC);
  net_send (net, 0, 1, &plain, "following");
  net_run (net, 4 * SS_SEC);
  g_assert_cmpstr (net_text (&net->endpoints[1], 1), ==, "following");
  net_free (net);
}

static void
test_ask (void)
{
  LinkNet *net = net_new (16, 3);
  SsContact b = net_contact (net, 1);
  ss_link_ask (net->endpoints[0].link, &b.addr);
  net_run (net, 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].n_identified, ==, 1);
  g_assert_null (net->endpoints[0].identified_text);
  g_assert_true (ss_contact_equal (&net->endpoints[0].identified, &b));
  g_assert_true (ss_addr_equal (&net->endpoints[0].identified.addr, &b.addr));
  const NetSent *ask = &g_array_index (net->sent, NetSent, 0);
  const NetSent *answer = &g_array_index (net->sent, NetSent, 1);
  g_assert_cmpuint (ask->len, >=, answer->len);

  /* Nobody there. */
  SsAddr nowhere = ss_addr_v4 (0x09090909, 9);
  SsTime start = net->now;
  unsigned before = net->sent->len;
  ss_link_ask (net->endpoints[0].link, &nowhere);
  ss_link_ask (net->endpoints[0].link, &nowhere); /* the same question */
  net_run (net, start + SS_LINK_ASK_TIMEOUT);
  g_assert_cmpuint (net->endpoints[0].n_identified, ==, 2);
  g_assert_nonnull (net->endpoints[0].identified_text);
  g_assert_cmpuint (net->sent->len, ==, before + 6);

  /* Lost questions are repeated. */
  net->loss = 0.5;
  ss_link_ask (net->endpoints[0].link, &b.addr);
  net_run (net, net->now + SS_LINK_ASK_TIMEOUT);
  g_assert_cmpuint (net->endpoints[0].n_identified, ==, 3);
  g_assert_null (net->endpoints[0].identified_text);

  /* An asker that floods gets few answers. */
  net->loss = 0;
  for (unsigned i = 0; i < 20; i++) {
    ss_link_ask (net->endpoints[2].link, &b.addr);
    net_run (net, net->now + 25 * SS_MSEC);
  }
  g_assert_cmpuint (net->endpoints[2].n_identified, ==, 4);
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_LINK_QUESTIONS_REFUSED), >=,
                    1);
  net_free (net);
}

/* 100,000 datagrams of noise: a counter moves, nothing else. */
static void
test_random_datagrams (void)
{
  LinkNet *net = net_connected (18);
  NetEndpoint *endpoint = &net->endpoints[1];
  SsRng rng;
  ss_rng_init_number (&rng, 18);
  net_run (net, 30 * SS_SEC);
  SsTime deadline = ss_timers_deadline (&endpoint->env.timers);
  SsCounters before = endpoint->env.counters;
  for (unsigned i = 0; i < 100000; i++) {
    uint8_t data[1500];
    size_t len = ss_rng_below (&rng, i % 4 ? 200 : sizeof data);
    SsAddr from = ss_addr_v4 (ss_rng_u32 (&rng), 1234);
    ss_rng_bytes (&rng, data, len);
    if (len > 0 && i % 2)
      data[0] = (uint8_t) ss_rng_below (&rng, 8);
    ss_link_input (endpoint->link, &from, data, len);
  }
  g_assert_false (ss_link_has_output (endpoint->link));
  g_assert_cmpuint (ss_link_n_peers (endpoint->link), ==, 1);
  g_assert_cmpint (ss_timers_deadline (&endpoint->env.timers), ==, deadline);
  uint64_t dropped =
      endpoint->env.counters.value[SS_COUNT_DATAGRAMS_MALFORMED]
      + endpoint->env.counters.value[SS_COUNT_DATAGRAMS_UNAUTHENTIC]
      - before.value[SS_COUNT_DATAGRAMS_MALFORMED]
      - before.value[SS_COUNT_DATAGRAMS_UNAUTHENTIC];
  g_assert_cmpuint (dropped, ==, 100000);
  g_assert_cmpuint (endpoint->messages->len, ==, 0);
  net_send (net, 0, 1, &plain, "still here");
  net_run (net, net->now + 1 * SS_SEC);
  g_assert_cmpuint (endpoint->messages->len, ==, 1);
  net_free (net);
}

/* More peers than there is room for, and more unconfirmed addresses than may
 * be tried in a minute: each has a clear end. */
static void
test_many_peers (void)
{
  LinkNet *net = net_new (19, 2);
  SsContact contact = net_contact (net, 1);
  for (unsigned i = 0; i < 3000; i++) {
    SsContact other = contact;
    other.id.b[0] = (uint8_t) i;
    other.id.b[1] = (uint8_t) (i >> 8);
    other.addr = ss_addr_v4 (0x0a000000 + i, 5);
    SsLinkSend how = net_reliable (3, i + 1);
    g_assert_true (ss_link_send (net->endpoints[0].link, &other, &how,
                                 (const uint8_t *) "x", 1, NULL));
    net_drain (net, 0);
  }
  net_run (net, 10 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 3000);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_PEERS_EVICTED), >=, 1);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), <=, 3 * 1024);
  net_free (net);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/handshake", test_handshake);
  g_test_add_func ("/link/to-itself", test_to_itself);
  g_test_add_func ("/link/longest", test_longest);
  g_test_add_func ("/link/packing", test_packing);
  g_test_add_func ("/link/simultaneous", test_simultaneous);
  g_test_add_func ("/link/simultaneous-loss", test_simultaneous_loss);
  g_test_add_func ("/link/restart", test_restart);
  g_test_add_func ("/link/close", test_close);
  g_test_add_func ("/link/reopen", test_reopen);
  g_test_add_func ("/link/idle", test_idle);
  g_test_add_func ("/link/hints", test_hints);
  g_test_add_func ("/link/ask", test_ask);
  g_test_add_func ("/link/random-datagrams", test_random_datagrams);
  g_test_add_func ("/link/many-peers", test_many_peers);
  return g_test_run ();
}
