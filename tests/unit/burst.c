/* How long a burst of what a source has already is: by time, and for a slow
 * stream longer, up to so many bytes. */
#include <glib.h>

#include "media/burst.h"

#define LATENCY (1200 * SS_MSEC)

/* How many frames of this length leave at once when the first one is due. */
static unsigned
n_at_once (SsTime frame, size_t len)
{
  SsBurstOut burst = { 0 };
  unsigned n = 0;

  while (ss_burst_out_take (&burst, 5 * SS_SEC, 5 * SS_SEC + n * frame, len,
                            LATENCY))
    n++;
  return n;
}

static void
test_lengths (void)
{
  /* Slow: a quarter of the latency. */
  g_assert_cmpuint (n_at_once (20 * SS_MSEC, 320), ==, 15);
  /* Fast: a twenty-fourth, whatever that is. */
  g_assert_cmpuint (n_at_once (20 * SS_MSEC, 30000), ==, 3);
  g_assert_cmpuint (n_at_once (150 * SS_MSEC, 30000), ==, 1);
  /* Between them: as far as the bytes go. */
  g_assert_cmpuint (n_at_once (90 * SS_MSEC, 12000), ==, 1);
  g_assert_cmpuint (n_at_once (90 * SS_MSEC, 4000), ==, 3);
}

/* What is due leaves, and begins another burst. */
static void
test_due (void)
{
  SsBurstOut burst = { 0 };
  SsTime now = 5 * SS_SEC;

  for (unsigned i = 0; i < 4; i++) {
    SsTime due = now + i * 50 * SS_MSEC;

    g_assert_true (ss_burst_out_take (&burst, now, due, 4000, LATENCY)
                   == (i < 3));
  }
  now += 150 * SS_MSEC;
  g_assert_true (ss_burst_out_take (&burst, now, now - 1, 4000, LATENCY));
  g_assert_cmpuint (burst.n_bytes, ==, 4000);
  g_assert_true (
      ss_burst_out_take (&burst, now, now + 40 * SS_MSEC, 30000, LATENCY));
  g_assert_false (
      ss_burst_out_take (&burst, now, now + 60 * SS_MSEC, 1, LATENCY));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/burst/lengths", test_lengths);
  g_test_add_func ("/burst/due", test_due);
  return g_test_run ();
}
