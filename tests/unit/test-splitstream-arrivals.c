/* How late packets are: the quickest one is the measure, whenever it comes. */
#include <glib.h>

#include "splitstream/arrivals.h"

/* Of packets with these ways in ms, one a second from 0 on; at a clock that
 * began later than the media time, so that differences are negative. */
static void
note_all (SsArrivals *arrivals, const double *ways, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    SsTime departure = i * SS_SEC;
    SsTime way = (SsTime) (ways[i] * (double) SS_MSEC);
    ss_arrivals_note (arrivals, departure + way - 100 * SS_SEC, departure,
                      true);
  }
}

static void
test_quickest (void)
{
  static const double ways[] = { 30.5, 20.2, 20.9, 25.0, 20.2 };
  SsArrivals arrivals = { 0 };
  g_assert_cmpint (ss_arrivals_quantile (&arrivals, 0.5), ==, SS_NEVER);
  note_all (&arrivals, ways, G_N_ELEMENTS (ways));
  g_assert_cmpint (arrivals.base, ==, 20 * SS_MSEC - 100 * SS_SEC);
  g_assert_cmpuint (arrivals.counts[0], ==, 3);
  g_assert_cmpuint (arrivals.counts[5], ==, 1);
  g_assert_cmpuint (arrivals.counts[10], ==, 1);
  g_assert_cmpint (ss_arrivals_quantile (&arrivals, 0.5), ==, 1 * SS_MSEC);
  g_assert_cmpint (ss_arrivals_quantile (&arrivals, 0.7), ==, 6 * SS_MSEC);
  g_assert_cmpint (ss_arrivals_quantile (&arrivals, 1), ==, 11 * SS_MSEC);
}

/* What is later than the bins is counted, also if that turns out afterwards. */
static void
test_beyond (void)
{
  static const double ways[] = { 200, 300, 2000, 10, 265, 266, 267 };
  SsArrivals arrivals = { 0 };
  note_all (&arrivals, ways, G_N_ELEMENTS (ways));
  g_assert_cmpuint (arrivals.counts[0], ==, 1);
  g_assert_cmpuint (arrivals.counts[190], ==, 1);
  g_assert_cmpuint (arrivals.counts[255], ==, 1);
  g_assert_cmpuint (arrivals.n_beyond, ==, 4);
  g_assert_cmpint (ss_arrivals_quantile (&arrivals, 0.25), ==, 191 * SS_MSEC);
  g_assert_cmpint (ss_arrivals_quantile (&arrivals, 0.5), ==, SS_NEVER);
}

/* Only what left after the first one down a tree: a newcomer asks for older
 * ones. */
static void
test_tune_in (void)
{
  SsArrivals arrivals = { 0 };
  ss_arrivals_note (&arrivals, 9 * SS_SEC, 8 * SS_SEC, false);
  g_assert_false (arrivals.is_set);
  ss_arrivals_note (&arrivals, 10 * SS_SEC, 10 * SS_SEC, true);
  ss_arrivals_note (&arrivals, 11 * SS_SEC, 9 * SS_SEC, false);
  ss_arrivals_note (&arrivals, 12 * SS_SEC, 12 * SS_SEC - SS_MSEC, false);
  g_assert_cmpuint (arrivals.n_beyond, ==, 0);
  g_assert_cmpuint (arrivals.counts[0], ==, 1);
  g_assert_cmpuint (arrivals.counts[1], ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/arrivals/quickest", test_quickest);
  g_test_add_func ("/arrivals/beyond", test_beyond);
  g_test_add_func ("/arrivals/tune-in", test_tune_in);
  return g_test_run ();
}
