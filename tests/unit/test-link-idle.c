/* What a link costs that rests: bytes for each peer. With the plain sealer,
 * whose keys take as much as the real ones. */
#include "overlay/link/link.h"

#include <malloc.h>

#include "tests/unit/link_net.h"

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

static void
reply (void *user, const SsContact *from, uint8_t protocol, const uint8_t *data,
       size_t len)
{
  SsLink *const *link = user;
  static const uint8_t long_one[400];
  SsLinkSend how = { .protocol = 3 };
  ss_link_send (*link, from, &how, data, len, NULL);
  ss_link_send (*link, from, &how, long_one, sizeof long_one, NULL);
}

/* Strangers who open handshakes and never go on do not keep others out, not
 * even if what their initiations bring is answered. */
static void
check_half_open (const SsLinkUpcalls *upcalls, SsTime pause)
{
  static const SsLinkUpcalls no_upcalls;
  SsEnv env, peer_env;
  uint8_t seed[32] = { 1 };
  ss_env_init (&env, seed, 0, 0);
  SsLinkConfig config = { .advertise = ss_addr_v4 (0x0a000001, 1),
                          .flags = SS_PEER_REACHABLE,
                          .is_fresh = true };
  SsLink *link = NULL;
  link = ss_link_new (&env, &config, upcalls, &link);
  for (unsigned i = 0; i < 1000; i++) {
    uint8_t unanswered[SS_DATAGRAM_MAX];
    SsAddr nobody;
    run_timers (&env, link, env.now + pause);
    while (ss_link_output (link, &nobody, unanswered, sizeof unanswered) > 0)
      continue;
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

static void
test_half_open (void)
{
  static const SsLinkUpcalls none, answers = { .message = reply };
  check_half_open (&none, 10 * SS_MSEC);
  check_half_open (&answers, 10 * SS_MSEC);
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/half-open", test_half_open);
  g_test_add_func ("/link/idle-cost", test_idle_cost);
  return g_test_run ();
}
