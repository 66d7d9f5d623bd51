/* The self-tuned probe period: the published model's vectors, and what a node
 * makes of what it sees. */
#include <glib.h>
#include <math.h>

#include "base/rng.h"
#include "overlay/pastry/tune.h"

#define LEAF    (30 * SS_SEC)
#define TIMEOUT (9 * SS_SEC) /* 3 s, and two retries */
#define HOUR    3600.0

static void
check_vector (double n_nodes, double session, double target, double period)
{
  SsTime found = ss_tune_period (target, LEAF, TIMEOUT, 1 / session, n_nodes);
  g_test_message ("%.0f nodes, %.1f h, %.0f %%: %.1f s", n_nodes,
                  session / HOUR, target * 100, (double) found / SS_SEC);
  g_assert_cmpfloat (fabs ((double) found / SS_SEC / period - 1), <, 0.005);
  double loss = ss_tune_loss (LEAF, found, TIMEOUT, 1 / session, n_nodes);
  g_assert_cmpfloat (fabs (loss - target), <, 1e-6);
}

static void
test_vectors (void)
{
  check_vector (2000, 2.3 * HOUR, .05, 510);
  check_vector (2000, 2.3 * HOUR, .01, 72);
  check_vector (15000, 37.7 * HOUR, .05, 6181);
  check_vector (15000, 37.7 * HOUR, .01, 1186);
}

static void
test_bounds (void)
{
  /* Leaves alone cost more than the target: no period helps. */
  g_assert_cmpint (ss_tune_period (.01, LEAF, TIMEOUT, 1 / 60.0, 2000), ==, 0);
  /* Nobody dies, or there is no hop but the last. */
  g_assert_cmpint (ss_tune_period (.05, LEAF, TIMEOUT, 0, 2000), ==, SS_NEVER);
  g_assert_cmpint (ss_tune_period (.05, LEAF, TIMEOUT, 1 / 8000.0, 10), ==,
                   SS_NEVER);
  /* More deaths or more nodes: probed more often. */
  SsTime last = SS_NEVER;
  for (unsigned i = 1; i <= 50; i++) {
    SsTime period = ss_tune_period (.05, LEAF, TIMEOUT, i * 1e-5, 2000);
    g_assert_cmpint (period, <=, last);
    last = period;
  }
}

/* As many as a ring has that the ids are drawn for. */
static void
test_ring_size (void)
{
  for (uint64_t seed = 1; seed <= 20; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    SsId from = { { 0 } }, to = { { 0 } };
    ss_rng_bytes (&rng, from.b, sizeof from.b);
    SsId arc = { { 0 } };
    arc.b[1] = 0x80; /* one 512th of the ring */
    to = ss_id_add (&from, &arc);
    g_assert_cmpfloat (fabs (ss_tune_ring_size (&from, &to, 32) - 16384), <, 1);
  }
}

/* Deaths drawn at a rate are estimated at about that rate. */
static void
test_rate (void)
{
  double sum = 0;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    SsTune tune;
    SsTime now = 0;
    ss_tune_init (&tune, now);
    for (unsigned i = 0; i < 40; i++) {
      /* 60 nodes, one death of each in 8,000 s. */
      double wait = -log (1 - ss_rng_unit (&rng)) * 8000 / 60;
      now += (SsTime) (wait * SS_SEC);
      ss_tune_death (&tune, now);
    }
    g_assert_cmpuint (tune.n, ==, SS_TUNE_DEATHS);
    sum += ss_tune_rate (&tune, now, 60) * 8000 / 200;
  }
  g_test_message ("estimated over true rate: %.3f", sum);
  g_assert_cmpfloat (fabs (sum - 1), <, .15);

  SsTune quiet;
  ss_tune_init (&quiet, 0);
  double first = ss_tune_rate (&quiet, 0, 60);
  g_assert_cmpfloat (fabs (first * SS_TUNE_SESSION / SS_SEC - 1), <, 1e-9);
  g_assert_cmpfloat (ss_tune_rate (&quiet, SS_TUNE_SESSION, 9), <, first / 9.9);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/tune/vectors", test_vectors);
  g_test_add_func ("/pastry/tune/bounds", test_bounds);
  g_test_add_func ("/pastry/tune/ring-size", test_ring_size);
  g_test_add_func ("/pastry/tune/rate", test_rate);
  return g_test_run ();
}
