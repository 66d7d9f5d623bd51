/* What waits to be sent: which goes first, what is dropped, and how fast it
 * goes. Built with each sealer. */
#include "overlay/link/link.h"

#include <string.h>

#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

static const SsLinkSend plain = { .protocol = 3, .class = SS_CLASS_MEDIA };

/* Control goes before media, media before repair. */
static void
test_precedence (void)
{
  LinkNet *net = net_connected (4);
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

/* A peer that has gone and come back is not taken for the one of the hint. */
static void
test_hint (void)
{
  LinkNet *net = net_connected (11);
  SsPeerHint hint = { .peer = NULL };
  SsLinkSend how = plain;
  SsId id = net_contact (net, 1).id;
  how.hint = &hint;
  for (unsigned i = 0; i < 3; i++) {
    void *peer = hint.peer;
    g_assert_true (net_send (net, 0, 1, &how, "x"));
    g_assert_nonnull (hint.peer);
    net_run (net, net->now + SS_SEC);
    if (i == 1) {
      g_assert_true (hint.peer == peer);
      uint32_t generation = hint.generation;
      ss_link_close (net->endpoints[0].link, &id);
      for (unsigned j = 0; j < 2; j++) {
        g_assert_true (net_send (net, 0, 1, &how, "y"));
        net_run (net, net->now + 2 * SS_SEC);
      }
      g_assert_cmpuint (hint.generation, !=, generation);
    }
  }
  unsigned n = net->endpoints[1].messages->len;
  g_assert_cmpuint (n, >=, 3);
  g_assert_cmpstr (net_text (&net->endpoints[1], n - 1), ==, "x");
  g_assert_cmpstr (net_text (&net->endpoints[1], n - 2), ==, "y");
  net_free (net);
}

static void
test_media_queue (void)
{
  LinkNet *net = net_connected (10);
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

/* Under a cap, what is less urgent does not ride along with a message to the
 * same peer while another peer waits for something more urgent. */
static void
test_cap_precedence (void)
{
  enum { N = 20 };
  LinkNet *net = net_new (21, 3);
  net_stop (net, 0);
  net->endpoints[0].config.upload_bps = 100000;
  net_start (net, 0);
  for (unsigned to = 1; to < 3; to++)
    net_send (net, 0, to, &plain, "hello");
  net_run (net, net->now + 2 * SS_SEC);
  g_autofree char *text = g_strnfill (400, 'r');
  for (unsigned i = 0; i < N; i++) {
    SsLinkSend repair = { .protocol = 5, .class = SS_CLASS_REPAIR };
    net_send (net, 0, 1, &repair, text);
    net_send (net, 0, 2, &plain, text);
  }
  SsLinkSend control = { .protocol = 4, .class = SS_CLASS_CONTROL };
  net_send (net, 0, 1, &control, "c");
  GArray *at_2 = net->endpoints[2].messages;
  while (at_2->len < 1 + N) {
    /* The hello, and the control message. */
    g_assert_cmpuint (net->endpoints[1].messages->len, <=, 2);
    net_run (net, net->now + 10 * SS_MSEC);
  }
  net_run (net, net->now + 2 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 2 + N);
  net_free (net);
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/precedence", test_precedence);
  g_test_add_func ("/link/turns", test_turns);
  g_test_add_func ("/link/hint", test_hint);
  g_test_add_func ("/link/media-queue", test_media_queue);
  g_test_add_func ("/link/expiry", test_expiry);
  g_test_add_func ("/link/cap", test_cap);
  g_test_add_func ("/link/cap-precedence", test_cap_precedence);
  g_test_add_func ("/link/least-cap", test_least_cap);
  return g_test_run ();
}
