/* Properties of links over bad networks, whatever the seed: a reliable
 * message is handled once, or is reported as failed; an unreliable one at
 * most once; who acknowledges has handled. */
#include <string.h>

#include "overlay/link/link.h"
#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

#define SEEDS      40
#define N_MESSAGES 300

typedef struct {
  unsigned handled[N_MESSAGES + 1], acked[N_MESSAGES + 1],
      failed[N_MESSAGES + 1];
} Tally;

static void
count (const GArray *tokens, unsigned *tally)
{
  for (unsigned i = 0; i < tokens->len; i++) {
    uint64_t token = g_array_index (tokens, uint64_t, i);
    g_assert_cmpuint (token, <=, N_MESSAGES);
    tally[token]++;
  }
}

static void
check_direction (const LinkNet *net, unsigned from, unsigned to,
                 const bool *is_reliable)
{
  Tally tally = { .handled = { 0 } };
  const NetEndpoint *receiver = &net->endpoints[to];
  for (unsigned i = 0; i < receiver->messages->len; i++) {
    unsigned number = (unsigned) strtoul (net_text (receiver, i), NULL, 10);
    g_assert_cmpuint (number, <=, N_MESSAGES);
    tally.handled[number]++;
  }
  count (net->endpoints[from].acked, tally.acked);
  count (net->endpoints[from].failed, tally.failed);
  for (unsigned i = 1; i <= N_MESSAGES; i++) {
    if (!is_reliable[i]) {
      g_assert_cmpuint (tally.acked[i] + tally.failed[i], ==, 0);
      continue;
    }
    g_assert_cmpuint (tally.handled[i], <=, 1);
    g_assert_cmpuint (tally.acked[i] + tally.failed[i], ==, 1);
    if (tally.acked[i])
      g_assert_cmpuint (tally.handled[i], ==, 1);
  }
}

static void
send_some (LinkNet *net, unsigned number, bool *is_reliable)
{
  for (unsigned from = 0; from < 2; from++) {
    g_autofree char *pad = g_strnfill (ss_rng_below (&net->rng, 1000), 'x');
    g_autofree char *text = g_strdup_printf ("%u %s", number, pad);
    SsLinkSend how = {
      .protocol = 3,
      .class = (SsTrafficClass) (number % SS_N_CLASSES),
      .reliable = is_reliable[number],
      .token = number,
      .tries_max = 30,
    };
    net_send (net, from, 1 - from, &how, text);
  }
}

static void
check_seed (uint64_t seed, double loss_max, double duplication)
{
  LinkNet *net = net_new (seed, 2);
  bool is_reliable[N_MESSAGES + 1] = { false };
  net->delay = (SsTime) ss_rng_below (&net->rng, 100 * SS_MSEC);
  net->jitter = (SsTime) ss_rng_below (&net->rng, 200 * SS_MSEC);
  net->loss = ss_rng_unit (&net->rng) * loss_max;
  net->duplication = duplication;
  SsTime pause = (SsTime) (1 + ss_rng_below (&net->rng, 100 * SS_MSEC));
  for (unsigned i = 1; i <= N_MESSAGES; i++) {
    is_reliable[i] = ss_rng_below (&net->rng, 3) > 0;
    send_some (net, i, is_reliable);
    if (ss_rng_below (&net->rng, 4) > 0)
      net_run (net,
               net->now + (SsTime) ss_rng_below (&net->rng, (uint64_t) pause));
  }
  net_run (net, net->now + 40 * SS_SEC);
  check_direction (net, 0, 1, is_reliable);
  check_direction (net, 1, 0, is_reliable);
  /* All is quiet and forgotten in the end. */
  net_run (net, net->now + 600 * SS_SEC);
  for (unsigned i = 0; i < 2; i++) {
    g_assert_cmpint (ss_timers_deadline (&net->endpoints[i].env.timers), ==,
                     SS_NEVER);
    for (unsigned c = 0; c < SS_N_CLASSES; c++)
      g_assert_cmpuint (ss_link_backlog (net->endpoints[i].link, c), ==, 0);
  }
  net_free (net);
}

static void
test_bad_network (void)
{
  for (uint64_t seed = 0; seed < SEEDS; seed++)
    check_seed (seed, 0.4, 0.1);
}

static void
test_good_network (void)
{
  for (uint64_t seed = 0; seed < SEEDS; seed++)
    check_seed (seed, 0, 0);
}

/* The same seed gives the same datagrams at the same times. */
static void
test_deterministic (void)
{
  guint hashes[2] = { 0, 0 };
  for (unsigned run = 0; run < 2; run++) {
    LinkNet *net = net_new (5, 2);
    net->loss = 0.2;
    net->jitter = 30 * SS_MSEC;
    bool is_reliable[N_MESSAGES + 1] = { false };
    for (unsigned i = 1; i <= N_MESSAGES; i++) {
      is_reliable[i] = i % 2;
      send_some (net, i, is_reliable);
      net_run (net, net->now + 10 * SS_MSEC);
    }
    for (unsigned i = 0; i < net->sent->len; i++) {
      const NetSent *sent = &g_array_index (net->sent, NetSent, i);
      hashes[run] = hashes[run] * 31 + (guint) sent->at;
      hashes[run] = hashes[run] * 31 + sent->len;
    }
    net_free (net);
  }
  g_assert_cmpuint (hashes[0], ==, hashes[1]);
}

static void
send_media (LinkNet *net, unsigned from, size_t len)
{
  static const SsLinkSend how = { .protocol = 4, .class = SS_CLASS_MEDIA };
  g_autofree char *text = g_strnfill (len, 'm');
  net_send (net, from, 1 - from, &how, text);
}

/* A burst of what must not be late stands before a narrow line all at once,
 * and hardly drains. That is learned from the first acknowledgement: nothing
 * that is sent later is sent twice, and nobody is called silent. */
static void
check_queue (uint64_t seed)
{
  LinkNet *net = net_connected (seed);
  NetEndpoint *a = &net->endpoints[0];
  net->delay = (SsTime) (1 + ss_rng_below (&net->rng, 50)) * SS_MSEC;
  a->byte_time = (SsTime) (8 + ss_rng_below (&net->rng, 72)) * SS_USEC;
  SsTime queue = (SsTime) (500 + ss_rng_below (&net->rng, 1500)) * SS_MSEC;
  SsTime step = 100 * SS_MSEC;
  for (SsTime t = 0; t < queue; t += 1000 * a->byte_time)
    send_media (net, 0, 1000 - SS_LINK_OVERHEAD - 1);
  unsigned n_initiations = net_n_sent (net, 0, SS_MSG_LINK_INITIATION);
  uint64_t resent = 0;
  unsigned n_sent = 0, n_failed = 0;
  SsTime start = net->now, until = start + 4 * queue;
  while (net->now < until) {
    bool is_learned = net->now > start + queue + 2 * net->delay + 3 * step;
    if (!is_learned) {
      resent = net_counter (net, 0, SS_COUNT_LINK_MESSAGES_RESENT);
      n_failed = a->failed->len;
    }
    SsLinkSend how = net_reliable (3, ++n_sent);
    net_send (net, 0, 1, &how, "control");
    send_media (net, 0, (size_t) (step * 7 / 10 / a->byte_time) % 1000);
    send_media (net, 1, 500);
    net_run (net, net->now + step);
  }
  net_run (net, net->now + 5 * SS_SEC);
  g_assert_cmpuint (net_counter (net, 0, SS_COUNT_LINK_MESSAGES_RESENT), ==,
                    resent);
  g_assert_cmpuint (a->failed->len, ==, n_failed);
  g_assert_cmpuint (a->acked->len, ==, n_sent - n_failed);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==,
                    n_initiations);
  net_free (net);
}

static void
test_queue (void)
{
  for (uint64_t seed = 0; seed < SEEDS; seed++)
    check_queue (seed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/prop/bad-network", test_bad_network);
  g_test_add_func ("/link/prop/good-network", test_good_network);
  g_test_add_func ("/link/prop/queue", test_queue);
  g_test_add_func ("/link/prop/deterministic", test_deterministic);
  return g_test_run ();
}
