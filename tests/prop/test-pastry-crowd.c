/* Crowds: many join a small ring at once, through whoever is in it by then.
 * However near each other they come, in time and on the ring, all have joined
 * within a bound, and their leaf sets are right. */
#include "tests/harness/ring.h"

#define RUNS      200
#define JOIN_TIME (60 * SS_SEC)
#define HEAL_TIME (60 * SS_SEC)
/* An address that has not answered gets three initiations a minute: with a
 * long round trip and loss that is not enough. */
#define LOSSY_DELAY_MAX (100 * SS_MSEC)

/* A contact by lot that is in the ring. */
static RingNode *
choose_contact (Ring *ring, SsRng *rng)
{
  unsigned n = ring->nodes->len;
  unsigned from = (unsigned) ss_rng_below (rng, n);

  for (unsigned i = 0; i < n; i++) {
    RingNode *node = ring_node (ring, (from + i) % n);

    if (ss_kbr_is_ready (node->kbr))
      return node;
  }
  return ring_node (ring, 0);
}

static void
crowd_run (uint64_t seed)
{
  static const unsigned leaf_sets[] = { 4, 4, 8, 8, 16, 32 };
  static const SsTime delays[] = { 0, SS_MSEC, 20 * SS_MSEC, 100 * SS_MSEC,
                                   300 * SS_MSEC };
  SsRng rng;

  ss_rng_init_number (&rng, seed);
  RingOptions options = {
    .delay_min = delays[ss_rng_below (&rng, G_N_ELEMENTS (delays))],
    .leaf_set = leaf_sets[ss_rng_below (&rng, G_N_ELEMENTS (leaf_sets))],
    .check_reach = ss_rng_below (&rng, 2) == 0,
  };
  if (ss_rng_below (&rng, 2) == 0)
    options.delay_max = options.delay_min / 10;
  options.delay_max += options.delay_min;
  if (options.delay_min <= LOSSY_DELAY_MAX && ss_rng_below (&rng, 3) == 0)
    options.loss = 0.02;
  unsigned n = 4 + (unsigned) ss_rng_below (&rng, 60);
  uint64_t pause = ss_rng_below (&rng, 30 * SS_MSEC);
  Ring *ring = ring_new (seed, &options);

  g_test_message ("seed %u: %u nodes, L %u, delay %d ms, loss %.2f, "
                  "%d ms apart%s",
                  (unsigned) seed, n, options.leaf_set,
                  (int) (options.delay_min / SS_MSEC), options.loss,
                  (int) (pause / SS_MSEC / 2),
                  options.check_reach ? ", reach checked" : "");
  ring_grow (ring, 1);
  for (unsigned i = 1; i < n; i++) {
    RingNode *contact = choose_contact (ring, &rng);

    ring_join (ring_add (ring), contact);
    ring_run (ring, (SsTime) ss_rng_below (&rng, pause + 1));
  }
  if (!ring_run_until (ring, ring_is_joined, JOIN_TIME)) {
    ring_dump (ring);
    g_error ("seed %u does not join", (unsigned) seed);
  }
  if (!ring_run_until (ring, ring_is_correct, HEAL_TIME)) {
    ring_dump (ring);
    g_error ("seed %u is not right", (unsigned) seed);
  }
  ring->options.loss = 0;
  ring_check_lookups (ring, 20);
  ring_free (ring);
}

static void
test_crowd (void)
{
  const char *one = g_getenv ("SS_SEED"), *runs = g_getenv ("SS_RUNS");

  if (one != NULL) {
    crowd_run (g_ascii_strtoull (one, NULL, 10));
    return;
  }
  uint64_t n = runs != NULL ? g_ascii_strtoull (runs, NULL, 10) : RUNS;

  for (uint64_t seed = 1; seed <= n; seed++)
    crowd_run (seed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/crowd", test_crowd);
  return g_test_run ();
}
