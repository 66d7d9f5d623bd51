/* Messages in an initiation: they come half a round trip after they were
 * sent, once, whatever is lost, sent again or forged. Built with each
 * sealer. */
#include <string.h>

#include "overlay/link/link.h"
#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

#define HALF (10 * SS_MSEC) /* a round trip */

static const NetMessage *
message (const LinkNet *net, unsigned endpoint, unsigned place)
{
  const GArray *messages = net->endpoints[endpoint].messages;
  g_assert_cmpuint (place, <, messages->len);
  return &g_array_index (messages, NetMessage, place);
}

static void
test_at_once (void)
{
  LinkNet *net = net_new (1, 2);
  SsLinkSend how = net_reliable (1, 1);
  SsContact b = net_contact (net, 1);
  net->endpoints[1].echo = true;
  net_send (net, 0, 1, &how, "question");
  net_run (net, 1 * SS_SEC);
  g_assert_cmpint (message (net, 1, 0)->at, ==, HALF);
  /* The response brings the acknowledgement and the answer, and that is all. */
  g_assert_cmpint (message (net, 0, 0)->at, ==, 2 * HALF);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  g_assert_cmpuint (net->sent->len, ==, 2);
  g_assert_cmpint (ss_link_rtt (net->endpoints[0].link, &b.id), ==, 2 * HALF);
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_LINK_EARLY_TAKEN), ==, 1);
  net_free (net);
}

static bool
lose_first_response (void *user, NetDatagram *datagram)
{
  unsigned *n_lost = user;
  if (datagram->data[0] != SS_MSG_LINK_RESPONSE || *n_lost > 0)
    return true;
  (*n_lost)++;
  return false;
}

/* What was taken proves the session, so that either end goes on with it; but
 * it does not prove the address, so that the responder says little before the
 * other has said something. */
static void
test_in_use (void)
{
  LinkNet *net = net_new (10, 2);
  SsLinkSend how = net_reliable (1, 1), plain = { .protocol = 3 };
  net_send (net, 0, 1, &how, "question");
  net_run (net, 1 * SS_SEC);
  net_send (net, 1, 0, &plain, "first");
  net_run (net, 2 * SS_SEC);
  g_assert_cmpint (message (net, 0, 0)->at, ==, 1 * SS_SEC + HALF);
  /* Upon which the other says something. */
  g_assert_cmpuint (net->sent->len, ==, 4);
  net_send (net, 1, 0, &plain, "second");
  net_run (net, 3 * SS_SEC);
  g_assert_cmpint (message (net, 0, 1)->at, ==, 2 * SS_SEC + HALF);
  g_assert_cmpuint (net_n_sent (net, 1, SS_MSG_LINK_INITIATION), ==, 0);
  net_free (net);
  /* It has. */
  net = net_new (11, 2);
  net_send (net, 0, 1, &how, "question");
  net_run (net, 1 * SS_SEC);
  net_send (net, 0, 1, &plain, "another");
  net_run (net, 2 * SS_SEC);
  for (unsigned i = 0; i < 10; i++)
    net_send (net, 1, 0, &plain, "answer");
  net_run (net, 3 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, 10);
  g_assert_cmpuint (net_n_sent (net, 1, SS_MSG_LINK_INITIATION), ==, 0);
  net_free (net);
}

/* The response is lost: the initiator tries again, and what the responder has
 * sent meanwhile comes when it is sent again. */
static void
test_response_lost (void)
{
  LinkNet *net = net_new (12, 2);
  SsLinkSend how = net_reliable (1, 1);
  net->filter = lose_first_response;
  unsigned n_lost = 0;
  net->filter_user = &n_lost;
  net_send (net, 0, 1, &how, "question");
  net_run (net, 100 * SS_MSEC);
  net_send (net, 1, 0, &how, "meanwhile");
  net_run (net, 5 * SS_SEC);
  g_assert_cmpuint (n_lost, ==, 1);
  for (unsigned i = 0; i < 2; i++) {
    g_assert_cmpuint (net->endpoints[i].messages->len, ==, 1);
    g_assert_cmpuint (net->endpoints[i].acked->len, ==, 1);
    g_assert_cmpuint (net->endpoints[i].failed->len, ==, 0);
  }
  net_free (net);
}

static void
test_both_at_once (void)
{
  LinkNet *net = net_new (2, 2);
  SsLinkSend how = net_reliable (1, 1);
  net_send (net, 0, 1, &how, "from 0");
  net_send (net, 1, 0, &how, "from 1");
  net_run (net, 5 * SS_SEC);
  for (unsigned i = 0; i < 2; i++) {
    g_assert_cmpint (message (net, i, 0)->at, ==, HALF);
    g_assert_cmpuint (net->endpoints[i].messages->len, ==, 1);
    g_assert_cmpuint (net->endpoints[i].acked->len, ==, 1);
    g_assert_cmpuint (net->endpoints[i].late->len, ==, 0);
  }
  net_free (net);
}

/* Two that know how far they are from each other renew their session at once:
 * the one whose initiation is not answered hears a trip later what became of
 * it, and is not to take the other for silent. */
static void
test_crossing_rekey (void)
{
  LinkNet *net = net_new (13, 2);
  SsLinkSend how = net_reliable (1, 1);
  net->delay = 40 * SS_MSEC;
  for (SsTime at = 0; at <= 121 * SS_SEC; at += SS_SEC) {
    net_send (net, 0, 1, &how, "from 0");
    if (at > 0)
      net_send (net, 1, 0, &how, "from 1");
    net_run (net, at + SS_SEC);
  }
  for (unsigned i = 0; i < 2; i++) {
    NetEndpoint *endpoint = &net->endpoints[i];
    g_assert_cmpuint (net_n_sent (net, i, SS_MSG_LINK_INITIATION), ==,
                      i == 0 ? 2 : 1);
    g_assert_cmpuint (endpoint->late->len, ==, 0);
    g_assert_cmpuint (endpoint->acked->len, ==, i == 0 ? 122 : 121);
    g_assert_cmpuint (net_counter (net, i, SS_COUNT_LINK_MESSAGES_RESENT), ==,
                      0);
    g_assert_cmpuint (net_counter (net, i, SS_COUNT_DATAGRAMS_UNAUTHENTIC), ==,
                      0);
  }
  g_assert_cmpuint (
      net_counter (net, 0, SS_COUNT_LINK_HANDSHAKES_CROSSED)
          + net_counter (net, 1, SS_COUNT_LINK_HANDSHAKES_CROSSED),
      ==, 1);
  net_free (net);
}

/* What does not fit, or cannot be sent again, waits for the session. */
static void
test_rest_waits (void)
{
  LinkNet *net = net_new (3, 2);
  g_autofree char *text = g_strnfill (1000, 'x');
  SsLinkSend how = net_reliable (1, 1), media = { .protocol = 3 };
  media.class = SS_CLASS_MEDIA;
  net_send (net, 0, 1, &how, text);
  net_send (net, 0, 1, &media, "media");
  net_run (net, 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 2);
  g_assert_cmpint (message (net, 1, 0)->at, ==, 3 * HALF);
  g_assert_cmpint (message (net, 1, 1)->at, ==, 3 * HALF);
  const NetSent *initiation = &g_array_index (net->sent, NetSent, 0);
  g_assert_cmpuint (initiation->len, <, 271);
  net_free (net);
}

/* Not taken: it comes in the session, as soon as that is made. */
static void
check_refused (LinkNet *net)
{
  SsLinkSend how = net_reliable (1, 1);
  SsTime start = net->now;
  net_send (net, 0, 1, &how, "x");
  net_run (net, start + 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  g_assert_cmpint (message (net, 1, 0)->at, ==, start + 3 * HALF);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
  g_assert_cmpuint (net->endpoints[0].late->len, ==, 0);
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_LINK_EARLY_REFUSED), ==, 1);
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_LINK_EARLY_TAKEN), ==, 0);
}

static void
test_refused (void)
{
  static const SsTime skews[] = { -60 * SS_SEC, -10 * SS_SEC, 11 * SS_SEC,
                                  100000 * SS_SEC };
  for (unsigned i = 0; i < G_N_ELEMENTS (skews); i++) {
    LinkNet *net = net_new (4, 2);
    net->endpoints[0].env.wall_offset += skews[i];
    check_refused (net);
    net_free (net);
  }
  /* A node that has just started again may have taken it before. */
  LinkNet *net = net_new (4, 2);
  net_stop (net, 1);
  net_start (net, 1);
  net_run (net, 9 * SS_SEC);
  check_refused (net);
  net_free (net);
}

static bool
record (void *user, NetDatagram *datagram)
{
  if (datagram->data[0] == SS_MSG_LINK_INITIATION)
    g_ptr_array_add (user, g_memdup2 (datagram, sizeof *datagram));
  return true;
}

/* Whenever an initiation comes again, before and after the responder has
 * forgotten the initiator, and after it has been started again. */
static void
test_replay (void)
{
  static const SsTime moments[] = {
    0,           1 * SS_SEC,   9 * SS_SEC,   15 * SS_SEC,
    25 * SS_SEC, 100 * SS_SEC, 300 * SS_SEC, 3600 * SS_SEC
  };
  for (unsigned is_restarted = 0; is_restarted < 2; is_restarted++) {
    LinkNet *net = net_new (5, 2);
    g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func (g_free);
    SsLinkSend how = net_reliable (1, 1);
    net->filter = record;
    net->filter_user = records;
    net_send (net, 0, 1, &how, "once");
    net_run (net, 100 * SS_MSEC);
    net->filter = NULL;
    g_assert_cmpuint (records->len, ==, 1);
    net_stop (net, 0);
    SsTime start = net->now;
    for (unsigned i = 0; i < G_N_ELEMENTS (moments); i++) {
      net_run (net, start + moments[i]);
      if (is_restarted) {
        net_stop (net, 1);
        net_start (net, 1);
        net_run (net, net->now + (SsTime) i * 2 * SS_SEC);
        start += (SsTime) i * 2 * SS_SEC;
      }
      net_deliver (net, g_ptr_array_index (records, 0));
    }
    g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
    net_free (net);
  }
}

typedef struct {
  uint8_t code;
  unsigned n;
} Drop;

static bool
drop_some (void *user, NetDatagram *datagram)
{
  Drop *drop = user;
  if (datagram->data[0] != drop->code || drop->n == 0)
    return true;
  drop->n--;
  return false;
}

/* Initiations, responses or confirmations are lost: once all the same. */
static void
test_lost (void)
{
  static const uint8_t codes[] = { SS_MSG_LINK_INITIATION, SS_MSG_LINK_RESPONSE,
                                   SS_MSG_LINK_DATA };
  for (unsigned i = 0; i < G_N_ELEMENTS (codes); i++) {
    for (unsigned n = 1; n < 3; n++) {
      LinkNet *net = net_new (6, 2);
      Drop drop = { codes[i], n };
      SsLinkSend how = net_reliable (1, 1);
      net->endpoints[1].echo = true;
      net->filter = drop_some;
      net->filter_user = &drop;
      net_send (net, 0, 1, &how, "once");
      net_run (net, 5 * SS_SEC);
      g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
      g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
      net_free (net);
    }
  }
}

/* The initiator has lost its state: what it says then counts from anew. */
static void
test_new_state (void)
{
  LinkNet *net = net_new (7, 2);
  for (unsigned i = 0; i < 5; i++) {
    SsLinkSend how = net_reliable (1, i + 1);
    net_send (net, 0, 1, &how, "x");
    net_run (net, net->now + 1 * SS_SEC);
    g_assert_cmpuint (net->endpoints[1].messages->len, ==, i + 1);
    g_assert_cmpint (message (net, 1, i)->at, ==, i * SS_SEC + HALF);
    net_stop (net, 0);
    net->endpoints[0].config.last_handshake_ns = 0;
    net_start (net, 0);
  }
  net_free (net);
}

typedef struct {
  SsAddr addr;
  size_t bytes;
  unsigned n;
} Count;

static bool
count_to (void *user, NetDatagram *datagram)
{
  Count *count = user;
  if (ss_addr_equal (&datagram->to, &count->addr)) {
    count->bytes += datagram->len;
    count->n++;
  }
  return true;
}

/* An initiation may come from anywhere: where it says that it came from, no
 * more is sent than came, and no more initiations than to any address. */
static void
test_forged_source (void)
{
  LinkNet *net = net_new (8, 2);
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = g_strnfill (400, 'x');
  SsLinkSend how = net_reliable (1, 1);
  Count count = { .addr = ss_addr_v4 (0x09090909, 9) };
  net->filter = record;
  net->filter_user = records;
  net_send (net, 0, 1, &how, text);
  net_drain (net, 0);
  net_stop (net, 0);
  NetDatagram *forged = g_ptr_array_index (records, 0);
  g_ptr_array_set_size (net->flying, 0);
  forged->from = count.addr;
  net->endpoints[1].echo = true;
  net->filter = count_to;
  net->filter_user = &count;
  net_deliver (net, forged);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  g_assert_cmpuint (count.n, ==, 1);
  g_assert_cmpuint (count.bytes, <=, forged->len);
  /* A stream is held back, too: one short datagram, then handshakes. */
  SsContact victim = net_contact (net, 0);
  SsLinkSend media = { .protocol = 3, .class = SS_CLASS_MEDIA };
  for (unsigned i = 0; i < 600; i++) {
    ss_link_send (net->endpoints[1].link, &victim, &media,
                  (const uint8_t *) text, 400, NULL);
    net_drain (net, 1);
    net_run (net, net->now + 100 * SS_MSEC);
  }
  g_assert_cmpuint (count.n, <=, 1 + 1 + 3);
  g_assert_cmpuint (count.bytes, <=, 2 * forged->len + 477 + 3 * 271);
  net_free (net);
}

/* When nobody waits any more for the session, no more is done for it. */
static void
test_given_up (void)
{
  LinkNet *net = net_new (9, 2);
  SsLinkSend how = net_reliable (1, 1);
  how.tries_max = 2;
  net_stop (net, 1);
  net_send (net, 0, 1, &how, "x");
  net_run (net, 60 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 1);
  g_assert_cmpuint (net->sent->len, ==, 2);
  net_free (net);
}

/* Initiations to one who was away have used up what his address may have.
 * When he comes back, and initiates, he gets all that there is to say. */
static void
comes_back (SsTime after)
{
  LinkNet *net = net_new (14, 2);
  SsLinkSend how = net_reliable (1, 1), plain = { .protocol = 3 };
  net_stop (net, 1);
  for (unsigned i = 1; i <= 20; i++) {
    net_send (net, 0, 1, &how, "where are you");
    net_run (net, i * SS_SEC);
  }
  net_run (net, 20 * SS_SEC + after);
  g_assert_cmpuint (net->endpoints[0].failed->len, >, 0);
  g_array_set_size (net->endpoints[0].failed, 0);
  net_start (net, 1);
  net_send (net, 1, 0, &how, "here");
  net_run (net, net->now + SS_SEC);
  for (unsigned i = 0; i < 4; i++) {
    net_send (net, 0, 1, i == 0 ? &plain : &how, "welcome");
    net_run (net, net->now + SS_SEC);
  }
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 0);
  g_assert_cmpuint (net->endpoints[1].messages->len, >=, 4);
  net_free (net);
}

static void
test_comes_back (void)
{
  for (SsTime after = 0; after < 10 * SS_SEC; after += 100 * SS_MSEC)
    comes_back (after);
}

/* Who is far away has tried again before the answer came. That he goes on
 * with his first try's session, which was in use at once, and with none of
 * the later ones, does not end it. */
static void
test_far (void)
{
  LinkNet *net = net_new (15, 2);
  SsLinkSend how = net_reliable (1, 1), plain = { .protocol = 3 };
  net->delay = 700 * SS_MSEC;
  net->endpoints[1].echo = true;
  net_send (net, 0, 1, &how, "question");
  net_run (net, 30 * SS_SEC);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), >, 1);
  unsigned n = net->endpoints[1].messages->len;
  net_send (net, 0, 1, &plain, "later");
  net_run (net, 31 * SS_SEC);
  g_assert_cmpint (message (net, 1, n)->at, ==, 30 * SS_SEC + net->delay);
  net_free (net);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/early/at-once", test_at_once);
  g_test_add_func ("/link/early/in-use", test_in_use);
  g_test_add_func ("/link/early/comes-back", test_comes_back);
  g_test_add_func ("/link/early/far", test_far);
  g_test_add_func ("/link/early/response-lost", test_response_lost);
  g_test_add_func ("/link/early/both-at-once", test_both_at_once);
  g_test_add_func ("/link/early/crossing-rekey", test_crossing_rekey);
  g_test_add_func ("/link/early/rest-waits", test_rest_waits);
  g_test_add_func ("/link/early/refused", test_refused);
  g_test_add_func ("/link/early/replay", test_replay);
  g_test_add_func ("/link/early/lost", test_lost);
  g_test_add_func ("/link/early/new-state", test_new_state);
  g_test_add_func ("/link/early/forged-source", test_forged_source);
  g_test_add_func ("/link/early/given-up", test_given_up);
  return g_test_run ();
}
