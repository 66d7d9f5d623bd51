/* Time. SsTime is monotonic nanoseconds since an arbitrary origin: the
 * process's or the simulation's start. Wall time exists only as
 * SsEnv.wall_offset (see env.h); the core never reads a clock. */
#pragma once

#include <stdint.h>

typedef int64_t SsTime;

#define SS_NSEC  ((SsTime) 1)
#define SS_USEC  (1000 * SS_NSEC)
#define SS_MSEC  (1000 * SS_USEC)
#define SS_SEC   (1000 * SS_MSEC)
#define SS_NEVER INT64_MAX

/* Of n times, at least one, the upper median; a few, for they are sorted in
 * place, by insertion. */
SsTime ss_time_median (SsTime *times, unsigned n);
