/* The generator of sessions: means, medians, rates. */
#include "sim/churn.h"

#include <glib.h>
#include <stdlib.h>

#define SAMPLES 40000

static void
make (SsChurn *churn, SsChurnKind kind, SsTime session)
{
  const SsChurnOptions options = {
    .kind = kind,
    .active = 2000,
    .session = session,
    .crowd = 2,
    .crowd_at = 1000 * SS_SEC,
    .crowd_span = 100 * SS_SEC,
  };
  SsRng rng;

  ss_rng_init_number (&rng, 11);
  ss_churn_init (churn, &options, SS_SEC, &rng);
}

static int
compare (const void *a, const void *b)
{
  const SsTime *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

static void
draw (SsChurn *churn, SsTime (*function) (SsChurn *), double *ret_mean,
      double *ret_median)
{
  SsTime *values = g_new (SsTime, SAMPLES);
  double sum = 0;

  for (unsigned i = 0; i < SAMPLES; i++) {
    values[i] = function (churn);
    sum += (double) values[i] / (double) SS_SEC;
  }
  qsort (values, SAMPLES, sizeof *values, compare);
  *ret_mean = sum / SAMPLES;
  *ret_median = (double) values[SAMPLES / 2] / (double) SS_SEC;
  g_free (values);
}

static void
assert_near (double value, double wanted, double share)
{
  g_assert_cmpfloat (value, >, wanted * (1 - share));
  g_assert_cmpfloat (value, <, wanted * (1 + share));
}

/* Exponential: the median is ln 2 of the mean, and what remains of a session
 * is as long as a whole one. Gnutella's: 2.3 hours and 1 hour. */
static void
test_sessions (void)
{
  double mean, median;
  SsChurn churn;

  make (&churn, SS_CHURN_POISSON, 1000 * SS_SEC);
  draw (&churn, ss_churn_session, &mean, &median);
  assert_near (mean, 1000, 0.03);
  assert_near (median, 693, 0.03);
  draw (&churn, ss_churn_remaining, &mean, &median);
  assert_near (mean, 1000, 0.05);
  make (&churn, SS_CHURN_GNUTELLA, 0);
  draw (&churn, ss_churn_session, &mean, &median);
  assert_near (mean, 2.3 * 3600, 0.04);
  assert_near (median, 3600, 0.04);
  /* Who is up stays longer than who comes. */
  draw (&churn, ss_churn_remaining, &mean, &median);
  g_assert_cmpfloat (mean, >, 2.3 * 3600 * 1.3);
  make (&churn, SS_CHURN_WEIBULL, 1000 * SS_SEC);
  draw (&churn, ss_churn_session, &mean, &median);
  assert_near (mean, 1000, 0.06);
  g_assert_cmpfloat (median, <, 300);
}

static unsigned
count_arrivals (SsChurn *churn, SsTime from, SsTime to)
{
  unsigned n = 0;

  for (SsTime at = from; (at = ss_churn_next (churn, at)) < to;)
    n++;
  return n;
}

/* As many come as go when so many are up; a crowd comes in its time; the day
 * has a busy and a quiet half. */
static void
test_arrivals (void)
{
  SsChurn churn;
  SsTime day = SS_CHURN_DAY;

  make (&churn, SS_CHURN_POISSON, 1000 * SS_SEC);
  assert_near (count_arrivals (&churn, SS_SEC, 1001 * SS_SEC), 2000, 0.08);
  make (&churn, SS_CHURN_FLASH, 1000 * SS_SEC);
  assert_near (count_arrivals (&churn, SS_SEC, 1001 * SS_SEC), 2000, 0.08);
  assert_near (count_arrivals (&churn, 1001 * SS_SEC, 1101 * SS_SEC), 4200,
               0.08);
  make (&churn, SS_CHURN_DIURNAL, 8280 * SS_SEC);
  unsigned busy = count_arrivals (&churn, SS_SEC, SS_SEC + day / 2);
  unsigned quiet = count_arrivals (&churn, SS_SEC + day / 2, SS_SEC + day);

  g_assert_cmpuint (busy, >, 2 * quiet);
}

/* Two days of Gnutella: between 1,300 and 2,700 of 2,000 are up. */
static void
test_gnutella (void)
{
  SsChurn churn;
  GArray *ends = g_array_new (FALSE, FALSE, sizeof (SsTime));
  SsTime until = SS_SEC + 2 * SS_CHURN_DAY, sample = 6 * 3600 * SS_SEC;
  unsigned least = UINT_MAX, most = 0;

  make (&churn, SS_CHURN_GNUTELLA, 0);
  for (unsigned i = 0; i < 2000; i++) {
    SsTime end = SS_SEC + ss_churn_remaining (&churn);

    g_array_append_val (ends, end);
  }
  for (SsTime at = SS_SEC; (at = ss_churn_next (&churn, at)) < until;) {
    SsTime end = at + ss_churn_session (&churn);

    g_array_append_val (ends, end);
    if (at < sample)
      continue;
    sample += 600 * SS_SEC;
    for (unsigned i = ends->len; i-- > 0;)
      if (g_array_index (ends, SsTime, i) <= at)
        g_array_remove_index_fast (ends, i);
    least = MIN (least, ends->len);
    most = MAX (most, ends->len);
  }
  g_assert_cmpuint (least, >, 1150);
  g_assert_cmpuint (least, <, 1600);
  g_assert_cmpuint (most, >, 2400);
  g_assert_cmpuint (most, <, 2850);
  g_array_unref (ends);
}

static void
test_names (void)
{
  for (unsigned i = 0; i < SS_N_CHURNS; i++) {
    SsChurnKind kind;

    g_assert_true (ss_churn_parse (ss_churn_name ((SsChurnKind) i), &kind));
    g_assert_cmpuint (kind, ==, i);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/churn/sessions", test_sessions);
  g_test_add_func ("/churn/arrivals", test_arrivals);
  g_test_add_func ("/churn/gnutella", test_gnutella);
  g_test_add_func ("/churn/names", test_names);
  return g_test_run ();
}
