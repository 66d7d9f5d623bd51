/* Sums over times; see the header. */
#include "base/time.h"

SsTime
ss_time_median (SsTime *times, unsigned n)
{
  for (unsigned i = 1; i < n; i++) {
    SsTime time = times[i];
    unsigned at = i;
    for (; at > 0 && times[at - 1] > time; at--)
      times[at] = times[at - 1];
    times[at] = time;
  }
  return times[n / 2];
}
