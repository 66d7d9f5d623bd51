/* The replay window as a table of verdicts, after WireGuard's
 * selftest/counter.c; and against a plain set, over random orders. */
#include "overlay/link/replay.h"

#include <glib.h>

#include "base/rng.h"

#define WINDOW SS_REPLAY_WINDOW

typedef struct {
  uint64_t counter;
  bool is_new;
} Verdict;

static void
check (const Verdict *verdicts, unsigned n)
{
  SsReplay replay = { 0 };
  for (unsigned i = 0; i < n; i++) {
    bool is_new = ss_replay_accept (&replay, verdicts[i].counter);
    if (is_new != verdicts[i].is_new)
      g_error ("row %u: %" G_GUINT64_FORMAT, i, verdicts[i].counter);
  }
}

static void
test_table (void)
{
  static const Verdict verdicts[] = {
    { 0, true },
    { 1, true },
    { 1, false },
    { 9, true },
    { 8, true },
    { 7, true },
    { 7, false },
    { WINDOW, true },
    { WINDOW - 1, true },
    { WINDOW - 1, false },
    { WINDOW - 2, true },
    { 2, true },
    { 2, false },
    { WINDOW + 16, true },
    { 3, false }, /* too old */
    { WINDOW + 16, false },
    { WINDOW * 4, true },
    { WINDOW * 4 - (WINDOW - 1), true },
    { 10, false },
    { WINDOW * 4 - WINDOW, false },
    { WINDOW * 4 - (WINDOW + 1), false },
    { WINDOW * 4 - (WINDOW - 2), true },
    { WINDOW * 4 + 1 - WINDOW, false },
    { 0, false },
    { UINT64_MAX, false }, /* never valid: the end of the counter */
    { UINT64_MAX - 1, true },
    { UINT64_MAX - 1, false },
    { UINT64_MAX - 2, true },
  };
  check (verdicts, G_N_ELEMENTS (verdicts));
}

static void
test_runs (void)
{
  SsReplay replay = { 0 };
  for (uint64_t i = 1; i < WINDOW; i++)
    g_assert_true (ss_replay_accept (&replay, i));
  g_assert_true (ss_replay_accept (&replay, 0));
  g_assert_false (ss_replay_accept (&replay, 0));

  replay = (SsReplay){ 0 };
  for (uint64_t i = 2; i <= WINDOW; i++)
    g_assert_true (ss_replay_accept (&replay, i));
  g_assert_true (ss_replay_accept (&replay, 1));
  g_assert_false (ss_replay_accept (&replay, 0));

  /* Downwards: the last of them lies just inside the window, or outside. */
  replay = (SsReplay){ 0 };
  for (uint64_t i = WINDOW; i > 0; i--)
    g_assert_true (ss_replay_accept (&replay, i));
  g_assert_false (ss_replay_accept (&replay, 0));
}

static void
test_against_set (void)
{
  enum { SPACE = 8 * SS_REPLAY_BITS };
  for (uint64_t seed = 0; seed < 20; seed++) {
    SsRng rng;
    SsReplay replay = { 0 };
    g_autofree bool *seen = g_new0 (bool, SPACE);
    uint64_t highest = 0, centre = 0;
    ss_rng_init_number (&rng, seed);
    for (unsigned i = 0; i < 20000; i++) {
      centre += ss_rng_below (&rng, 3);
      uint64_t back = ss_rng_below (&rng, 2 * WINDOW);
      uint64_t counter = centre > back ? centre - back : 0;
      if (ss_rng_below (&rng, 2) == 0)
        counter = centre;
      if (counter >= SPACE)
        break;
      bool fits = counter + WINDOW > highest;
      g_assert_cmpint (ss_replay_accept (&replay, counter), ==,
                       fits && !seen[counter]);
      if (fits)
        seen[counter] = true;
      highest = MAX (highest, counter);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/replay/table", test_table);
  g_test_add_func ("/link/replay/runs", test_runs);
  g_test_add_func ("/link/replay/against-set", test_against_set);
  return g_test_run ();
}
