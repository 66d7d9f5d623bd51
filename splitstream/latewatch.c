/* Stripes that come late: see the header. */
#include "splitstream/latewatch.h"

#include <glib.h>

#define LATE_MIN      (100 * SS_MSEC) /* less is chance */
#define PATIENCE      (5 * SS_SEC)    /* for each node above */
#define PACKETS_LEAST 6
#define VAIN_MAX      6 /* it is doubled no more often */
#define STRIPES_LEAST 8 /* of fewer nothing follows */
enum { LATE_DIVISOR = 6, GAIN_DIVISOR = 12 };

void
ss_late_watch_init (SsLateWatch *watch)
{
  for (unsigned i = 0; i < SS_STRIPES; i++)
    watch->stripes[i] = (SsLateStripe){ .since = -1 };
}

void
ss_late_watch_new_parent (SsLateWatch *watch, unsigned stripe)
{
  watch->stripes[stripe] = (SsLateStripe){ .since = -1 };
}

/* What the stripes usually take longer than the quickest way. */
static bool
find_median (const SsMediaClock *clock, SsTime *ret_median)
{
  SsTime lags[SS_STRIPES];
  unsigned n = 0;
  for (unsigned i = 0; i < SS_STRIPES; i++)
    if (clock->stripes[i].known)
      lags[n++] = clock->stripes[i].lag;
  if (n < STRIPES_LEAST)
    return false;
  *ret_median = ss_time_median (lags, n);
  return true;
}

bool
ss_late_watch_arrival (SsLateWatch *watch, const SsMediaClock *clock,
                       SsTime now, unsigned stripe, SsTime departure,
                       unsigned depth)
{
  SsLateStripe *late = &watch->stripes[stripe];
  SsTime lag = now - departure - ss_media_clock_measured (clock);
  SsTime bound = MAX (clock->latency / LATE_DIVISOR, LATE_MIN);
  SsTime median;
  if (lag <= bound || !find_median (clock, &median) || lag <= median + bound) {
    *late = (SsLateStripe){ .since = -1 };
    return false;
  }
  if (late->since < 0)
    late->since = now;
  late->n++;
  SsTime patience = (PATIENCE << late->n_vain) * MAX (depth, 1);
  if (late->n < PACKETS_LEAST || now < late->since + patience)
    return false;
  late->since = now;
  late->n = 0;
  late->n_vain = MIN (late->n_vain + 1, VAIN_MAX);
  return true;
}

SsTime
ss_late_watch_gain (SsTime latency)
{
  return MAX (latency / GAIN_DIVISOR, LATE_MIN / 2);
}
