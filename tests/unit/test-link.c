/* The link between a few endpoints: what applications of it rely on. Built
 * with each sealer. */
#include "overlay/link/link.h"

#include <malloc.h>
#include <string.h>

#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

static const SsLinkSend plain = { .protocol = 3, .class = SS_CLASS_MEDIA };

/* Two endpoints with a session, and nothing on its way. */
static LinkNet *
connected (uint64_t seed)
{
  LinkNet *net = net_new (seed, 2);
  net_send (net, 0, 1, &plain, "first");
  net_run (net, 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  g_array_set_size (net->endpoints[1].messages, 0);
  return net;
}

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
  LinkNet *net = connected (2);
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
  LinkNet *net = connected (3);
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
  g_assert_cmpuint (sent->len, ==, SS_LINK_OVERHEAD + 1 + 10 + 4);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  net_free (net);
}

/* Control goes before media, media before repair. */
static void
test_precedence (void)
{
  LinkNet *net = connected (4);
  static const SsTrafficClass order[] = { SS_CLASS_REPAIR, SS_CLASS_MEDIA,
                                          SS_CLASS_CONTROL };
  for (unsigned i = 0; i < 3; i++) {
    SsLinkSend how = { .protocol = (uint8_t) i, .class = order[i] };
    net_send (net, 0, 1, &how, "x");
  }
  g_assert_cmpuint (ss_link_backlog (net->endpoints[0].link, SS_CLASS_MEDIA),
                    ==, 1);
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (ss_link_backlog (net->endpoints[0].link, SS_CLASS_MEDIA),
                    ==, 0);
  for (unsigned i = 0; i < 3; i++)
    g_assert_cmpuint (
        g_array_index (net->endpoints[1].messages, NetMessage, i).protocol, ==,
        2 - i);
  net_free (net);
}

static bool
drop_all (void *user, NetDatagram *datagram)
{
  return false;
}

/* RFC 6298's times, doubled up to the cap; then it fails. */
static void
test_late_then_failed (void)
{
  LinkNet *net = connected (5);
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

/* Karn: an ack after a second sending says nothing of the time. */
static void
test_karn (void)
{
  LinkNet *net = connected (5);
  SsContact b = net_contact (net, 1);
  Drop drop = {
    .from = net->endpoints[0].addr,
    .len = SS_LINK_OVERHEAD + 3 + 1,
    .n = 1,
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
  g_assert_cmpint (ss_link_rtt (net->endpoints[0].link, &b.id), ==, rtt);
  how.token = 2;
  net_send (net, 0, 1, &how, "yy");
  net_run (net, net->now + 5 * SS_SEC);
  g_assert_cmpint (ss_link_rtt (net->endpoints[0].link, &b.id), ==,
                   (7 * rtt + 50 * SS_MSEC) / 8);
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
  LinkNet *net = connected (7);
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
  LinkNet *net = connected (6);
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
  LinkNet *net = connected (7);
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

/* Behind one public address they take turns, a second each, and those whose
 * turn does not come are told so. */
static void
test_turns (void)
{
  LinkNet *net = net_new (9, 2);
  SsContact contact = net_contact (net, 1);
  for (unsigned i = 0; i < 30; i++) {
    SsLinkSend how = net_reliable (3, i + 1);
    contact.id.b[0] = (uint8_t) i;
    contact.addr = ss_addr_v4 (0x08080808, (uint16_t) (5000 + i));
    ss_link_send (net->endpoints[0].link, &contact, &how, (const uint8_t *) "x",
                  1, NULL);
  }
  net_run (net, 15 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 30);
  g_assert_cmpuint (net->endpoints[0].late->len, >=, 30);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), >=, 10);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), <=, 15);
  net_free (net);
}

static void
test_media_queue (void)
{
  LinkNet *net = connected (10);
  for (unsigned i = 0; i < 300; i++) {
    g_autofree char *text = g_strdup_printf ("%u", i);
    g_assert_true (net_send (net, 0, 1, &plain, text));
  }
  net_run (net, 2 * SS_SEC);
  unsigned n = net->endpoints[1].messages->len;
  g_assert_cmpuint (n, ==, 256);
  g_assert_cmpstr (net_text (&net->endpoints[1], n - 1), ==, "299");
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_MEDIA_DROPPED), ==,
                    300 - 256);
  /* Control is refused, and the caller told so. */
  unsigned accepted = 0;
  for (unsigned i = 0; i < 600; i++) {
    SsLinkSend how = net_reliable (3, i + 1);
    accepted += net_send (net, 0, 1, &how, "c");
  }
  g_assert_cmpuint (accepted, ==, 512);
  net_run (net, 4 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 512);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 0);
  net_free (net);
}

static void
test_expiry (void)
{
  LinkNet *net = net_new (11, 2);
  SsLinkSend how = plain;
  how.expires = 15 * SS_MSEC; /* before the session can be there */
  net_send (net, 0, 1, &how, "old");
  how.reliable = true;
  how.token = 1;
  net_send (net, 0, 1, &how, "old too");
  how = plain;
  how.expires = 1 * SS_SEC;
  net_send (net, 0, 1, &how, "new");
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  g_assert_cmpstr (net_text (&net->endpoints[1], 0), ==, "new");
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 1);
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
  LinkNet *net = connected (12);
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
  LinkNet *net = connected (13);
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
    LinkNet *net = connected (seed);
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
  LinkNet *net = connected (14);
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
  LinkNet *net = connected (15);
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

/* Bytes that the endpoint sent in the worst window of a second. */
static uint64_t
worst_second (const LinkNet *net, unsigned who)
{
  uint64_t worst = 0, sum = 0;
  unsigned first = 0;
  for (unsigned i = 0; i < net->sent->len; i++) {
    const NetSent *sent = &g_array_index (net->sent, NetSent, i);
    if (sent->from != who)
      continue;
    sum += sent->len;
    for (; first < i; first++) {
      const NetSent *old = &g_array_index (net->sent, NetSent, first);
      if (old->from == who && old->at > sent->at - SS_SEC)
        break;
      sum -= old->from == who ? old->len : 0;
    }
    worst = MAX (worst, sum);
  }
  return worst;
}

static void
test_cap (void)
{
  static const uint64_t rates[] = { 200000, 1000000, 8000000 };
  for (unsigned r = 0; r < G_N_ELEMENTS (rates); r++) {
    LinkNet *net = net_new (17, 2);
    net_stop (net, 0);
    net->endpoints[0].config.upload_bps = rates[r];
    net_start (net, 0);
    g_autofree char *text = g_strnfill (1000, 'm');
    SsTime start = net->now;
    SsTime period = (SsTime) (4000 * SS_SEC / (SsTime) rates[r]);
    unsigned n_control = 0;
    for (unsigned i = 0; net->now < start + 6 * SS_SEC; i++) {
      /* Media at twice the cap, which expires; a little control. */
      SsLinkSend media = plain;
      media.expires = net->now + 500 * SS_MSEC;
      net_send (net, 0, 1, &media, text);
      if (i % 20 == 0) {
        SsLinkSend control = { .protocol = 4, .class = SS_CLASS_CONTROL };
        net_send (net, 0, 1, &control, "c");
        n_control++;
      }
      net_run (net, net->now + period);
    }
    double bytes_per_second = (double) rates[r] / 8;
    g_assert_cmpfloat ((double) worst_second (net, 0), <=,
                       1.05 * bytes_per_second + 1);
    double sent = (double) net_counter (net, 0, SS_COUNT_BYTES_OUT);
    g_assert_cmpfloat (sent, >, 0.95 * 6 * bytes_per_second);
    unsigned got = 0;
    net_run (net, net->now + 1 * SS_SEC);
    for (unsigned i = 0; i < net->endpoints[1].messages->len; i++)
      got += g_array_index (net->endpoints[1].messages, NetMessage, i).protocol
             == 4;
    g_assert_cmpuint (got, ==, n_control);
    net_free (net);
  }
}

/* A cap of less than a byte a second is one, too. */
static void
test_least_cap (void)
{
  LinkNet *net = net_new (17, 2);
  net_stop (net, 0);
  net->endpoints[0].config.upload_bps = 5;
  net_start (net, 0);
  net_send (net, 0, 1, &plain, "x");
  net_run (net, 10 * SS_SEC);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_DATAGRAMS_OUT), ==, 1);
  net_free (net);
}

/* 100,000 datagrams of noise: a counter moves, nothing else. */
static void
test_random_datagrams (void)
{
  LinkNet *net = connected (18);
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

#ifdef SS_TEST_SEALER_IS_PLAIN
#define N_IDLE     200
#define IDLE_BYTES 160 /* 130; malloc and the heap of timers add theirs */

static bool
pass_on (SsLink *from, const SsAddr *from_addr, SsLink *to)
{
  uint8_t buf[SS_DATAGRAM_MAX];
  SsAddr ignored;
  size_t len = ss_link_output (from, &ignored, buf, sizeof buf);
  if (len > 0)
    ss_link_input (to, from_addr, buf, len);
  return len > 0;
}

static void
run_timers (SsEnv *env, SsLink *link, SsTime until)
{
  while (ss_timers_deadline (&env->timers) <= until) {
    env->now = MAX (env->now, ss_timers_deadline (&env->timers));
    SsTimer *timer = ss_timers_pop (&env->timers, env->now);
    ss_link_timer (link, timer);
  }
  env->now = until;
}

/* Makes sessions with so many peers, which then vanish. */
static void
meet (SsEnv *env, SsLink *link, unsigned first, unsigned n)
{
  static const SsLinkUpcalls no_upcalls;
  uint8_t seed[32] = { 1 };
  SsEnv peer_env;
  for (unsigned i = first; i < first + n; i++) {
    SsAddr addr = ss_link_self (link)->addr;
    SsLinkConfig config = { .advertise = ss_addr_v4 (0x0a000002 + i, 1) };
    ss_env_init (&peer_env, seed, env->now, 0);
    config.identity_seed[0] = (uint8_t) (i + 1);
    config.identity_seed[1] = (uint8_t) (1 + i / 256);
    SsLink *peer = ss_link_new (&peer_env, &config, &no_upcalls, NULL);
    SsLinkSend how = net_reliable (3, 1);
    ss_link_send (link, ss_link_self (peer), &how, seed, 32, NULL);
    while (pass_on (link, &addr, peer)
           || pass_on (peer, &config.advertise, link))
      continue;
    ss_link_free (peer);
    ss_env_clear (&peer_env);
  }
  run_timers (env, link, env->now + 130 * SS_SEC);
}

/* Strangers who open handshakes and never go on do not keep others out. */
static void
test_half_open (void)
{
  static const SsLinkUpcalls no_upcalls;
  SsEnv env, peer_env;
  uint8_t seed[32] = { 1 };
  ss_env_init (&env, seed, 0, 0);
  SsLinkConfig config = { .advertise = ss_addr_v4 (0x0a000001, 1) };
  SsLink *link = ss_link_new (&env, &config, &no_upcalls, NULL);
  for (unsigned i = 0; i < 1000; i++) {
    env.now += 10 * SS_MSEC;
    config.advertise = ss_addr_v4 (0x0a000002 + i, 1);
    config.identity_seed[0] = (uint8_t) (i + 1);
    config.identity_seed[1] = (uint8_t) (1 + i / 256);
    ss_env_init (&peer_env, config.identity_seed, env.now, 0);
    SsLink *peer = ss_link_new (&peer_env, &config, &no_upcalls, NULL);
    SsLinkSend how = net_reliable (3, 1);
    ss_link_send (peer, ss_link_self (link), &how, seed, 32, NULL);
    pass_on (peer, &config.advertise, link);
    SsAddr addr = ss_link_self (link)->addr;
    g_assert_true (pass_on (link, &addr, peer)); /* its answer */
    ss_link_free (peer);
    ss_env_clear (&peer_env);
  }
  ss_link_free (link);
  ss_env_clear (&env);
}

/* A simulated node's idle peer costs next to nothing. The first ones warm
 * the allocator up. */
static void
test_idle_cost (void)
{
  static const SsLinkUpcalls no_upcalls;
  SsEnv env;
  uint8_t seed[32] = { 1 };
  ss_env_init (&env, seed, 0, 0);
  SsLinkConfig config = { .advertise = ss_addr_v4 (0x0a000001, 1) };
  SsLink *link = ss_link_new (&env, &config, &no_upcalls, NULL);
  meet (&env, link, 0, N_IDLE);
  size_t before = mallinfo2 ().uordblks;
  meet (&env, link, N_IDLE, N_IDLE);
  /* The sessions of the first half are spent by now; all are known. */
  g_assert_cmpuint (ss_link_n_peers (link), ==, N_IDLE);
  size_t each = (mallinfo2 ().uordblks - before) / N_IDLE;
  g_test_message ("%zu bytes for an idle peer", each);
  g_assert_cmpuint (each, <=, IDLE_BYTES);
  ss_link_free (link);
  ss_env_clear (&env);
}
#endif

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/handshake", test_handshake);
  g_test_add_func ("/link/to-itself", test_to_itself);
  g_test_add_func ("/link/longest", test_longest);
  g_test_add_func ("/link/packing", test_packing);
  g_test_add_func ("/link/precedence", test_precedence);
  g_test_add_func ("/link/late-then-failed", test_late_then_failed);
  g_test_add_func ("/link/karn", test_karn);
  g_test_add_func ("/link/rto-floor", test_rto_floor);
  g_test_add_func ("/link/straggler", test_straggler);
  g_test_add_func ("/link/nothing-to-say", test_nothing_to_say);
  g_test_add_func ("/link/backoff-cap", test_backoff_cap);
  g_test_add_func ("/link/cancel", test_cancel);
  g_test_add_func ("/link/unreachable", test_unreachable);
  g_test_add_func ("/link/one-address-many-ports", test_one_address_many_ports);
  g_test_add_func ("/link/turns", test_turns);
  g_test_add_func ("/link/media-queue", test_media_queue);
  g_test_add_func ("/link/expiry", test_expiry);
  g_test_add_func ("/link/simultaneous", test_simultaneous);
  g_test_add_func ("/link/simultaneous-loss", test_simultaneous_loss);
  g_test_add_func ("/link/restart", test_restart);
  g_test_add_func ("/link/close", test_close);
  g_test_add_func ("/link/reopen", test_reopen);
  g_test_add_func ("/link/idle", test_idle);
  g_test_add_func ("/link/hints", test_hints);
  g_test_add_func ("/link/ask", test_ask);
  g_test_add_func ("/link/cap", test_cap);
  g_test_add_func ("/link/least-cap", test_least_cap);
  g_test_add_func ("/link/random-datagrams", test_random_datagrams);
  g_test_add_func ("/link/many-peers", test_many_peers);
#ifdef SS_TEST_SEALER_IS_PLAIN
  g_test_add_func ("/link/half-open", test_half_open);
  g_test_add_func ("/link/idle-cost", test_idle_cost);
#endif
  return g_test_run ();
}
