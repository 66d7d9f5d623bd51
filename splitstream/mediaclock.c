/* The publisher's media clock as a receiver sees it: see the header. */
#include "splitstream/mediaclock.h"

#include <glib.h>
#include <string.h>

#define MARGIN_MIN (30 * SS_MSEC)
#define LATE_MIN   (100 * SS_MSEC) /* less is chance */
enum { MARGIN_MAX_DIVISOR = 6, ALLOWANCE_MAX_DIVISOR = 3 };

void
ss_media_clock_init (SsMediaClock *clock, SsTime latency)
{
  memset (clock, 0, sizeof *clock);
  clock->latency = latency;
  /* The first departure is taken as it stands, up to 12 days. */
  clock->last_departure = ((SsTime) 1 << 31) * 256 * SS_USEC;
  for (unsigned i = 0; i < SS_CLOCK_STEPS; i++)
    clock->steps[i].least = SS_NEVER;
}

static SsTime
window_least (const SsMediaClock *clock)
{
  SsTime least = SS_NEVER;
  for (unsigned i = 0; i < SS_CLOCK_STEPS; i++)
    least = MIN (least, clock->steps[i].least);
  return least;
}

void
ss_media_clock_hint (SsMediaClock *clock, SsTime now, SsTime media_time)
{
  if (clock->is_fixed)
    return;
  if (!clock->is_set || now - media_time < clock->base)
    clock->base = now - media_time;
  clock->is_set = true;
  if (!clock->has_departure)
    clock->last_departure = media_time;
  clock->has_departure = true;
}

/* A step is over: was all of it far from the base? Then what came before it
 * no longer holds, be it a measurement or a hint. */
static void
end_step (SsMediaClock *clock)
{
  SsTime least = clock->steps[clock->step].least;
  if (least == SS_NEVER
      || ABS (least - clock->base) <= clock->latency / SS_CLOCK_JUMP_DIVISOR)
    return;
  for (unsigned i = 0; i < SS_CLOCK_STEPS; i++)
    clock->steps[i].least = SS_NEVER;
  clock->steps[clock->step].least = least;
  clock->base = least;
}

static void
smooth (SsStripeLag *stripe, SsTime lag)
{
  if (!stripe->known) {
    stripe->known = true;
    stripe->lag = lag;
    stripe->deviation = lag / 2;
    return;
  }
  SsTime error = lag - stripe->lag;
  stripe->lag += error / 8;
  stripe->deviation += (ABS (error) - stripe->deviation) / 4;
}

static SsTime
capped_lag (const SsMediaClock *clock, unsigned stripe)
{
  return MIN (clock->stripes[stripe].lag,
              clock->latency / ALLOWANCE_MAX_DIVISOR);
}

static void
note_recent (SsMediaClock *clock, SsTime now, unsigned stripe,
             SsTime difference)
{
  if (clock->n_recent == 0) {
    clock->floor = MIN (clock->base, difference);
    clock->floor_at = now;
  }
  SsTime risen = (now - clock->floor_at) * SS_CLOCK_FLOOR_PER_MILLE / 1000;
  if (difference <= clock->floor + risen) {
    clock->floor = difference;
    clock->floor_at = now;
  }
  SsTime least = window_least (clock);
  SsTime late = least == SS_NEVER || !clock->stripes[stripe].known
                    ? 0
                    : difference - least - capped_lag (clock, stripe);
  clock->recent[clock->n_recent++ % SS_CLOCK_RECENT] = (SsLateArrival){
    .over = difference - clock->floor - risen,
    .late = late,
  };
}

SsTime
ss_media_clock_late (const SsMediaClock *clock)
{
  SsTime late = SS_NEVER;
  if (clock->n_recent < SS_CLOCK_RECENT)
    return 0;
  for (unsigned i = 0; i < SS_CLOCK_RECENT; i++)
    late = MIN (late, clock->recent[i].late);
  return late > LATE_MIN ? late : 0;
}

bool
ss_media_clock_queue (const SsMediaClock *clock, SsTime *ret_wait)
{
  SsTime over = SS_NEVER;
  if (clock->n_recent < SS_CLOCK_RECENT)
    return false;
  for (unsigned i = 0; i < SS_CLOCK_RECENT; i++)
    over = MIN (over, clock->recent[i].over);
  *ret_wait = MAX (over, 0);
  return true;
}

void
ss_media_clock_arrival (SsMediaClock *clock, SsTime now, unsigned stripe,
                        SsTime departure)
{
  SsTime difference = now - departure;
  if (!clock->has_departure || departure > clock->last_departure)
    clock->last_departure = departure;
  clock->has_departure = true;
  if (!clock->is_measured) {
    clock->is_measured = true;
    clock->steps[clock->step].start = now;
    clock->adjusted_at = now;
  }
  /* The first packets may be old ones that a new parent catches up with. */
  if (!clock->is_fixed && (!clock->is_set || difference < clock->base))
    clock->base = difference;
  clock->is_set = true;
  note_recent (clock, now, stripe, difference);
  if (now - clock->steps[clock->step].start >= SS_CLOCK_STEP) {
    end_step (clock);
    clock->step = (clock->step + 1) % SS_CLOCK_STEPS;
    clock->steps[clock->step].start = now;
    clock->steps[clock->step].least = SS_NEVER;
  }
  clock->steps[clock->step].least =
      MIN (clock->steps[clock->step].least, difference);
  smooth (&clock->stripes[stripe], difference - window_least (clock));
}

void
ss_media_clock_fix (SsMediaClock *clock)
{
  clock->is_fixed = true;
}

SsTime
ss_media_clock_measured (const SsMediaClock *clock)
{
  SsTime least = window_least (clock);
  return least == SS_NEVER ? clock->base : least;
}

SsTime
ss_media_clock_base (SsMediaClock *clock, SsTime now)
{
  if (!clock->is_measured)
    return clock->base;
  if (!clock->is_fixed) {
    clock->adjusted_at = now;
    return clock->base;
  }
  SsTime error = ss_media_clock_measured (clock) - clock->base;
  int per_mille = ABS (error) > SS_CLOCK_OFF ? SS_CLOCK_SLEW_FAST_PER_MILLE
                                             : SS_CLOCK_SLEW_PER_MILLE;
  SsTime step = (now - clock->adjusted_at) * per_mille / 1000;
  if (step <= 0)
    return clock->base;
  clock->base += CLAMP (error, -step, step);
  clock->adjusted_at = now;
  return clock->base;
}

SsTime
ss_media_clock_allowance (const SsMediaClock *clock, unsigned stripe)
{
  const SsStripeLag *lag = &clock->stripes[stripe];
  SsTime margin = MAX (MARGIN_MIN, 4 * lag->deviation);
  margin = MIN (margin, clock->latency / MARGIN_MAX_DIVISOR);
  return MIN (lag->lag + margin, clock->latency / ALLOWANCE_MAX_DIVISOR);
}

SsTime
ss_media_clock_lag (const SsMediaClock *clock, unsigned stripe)
{
  return clock->stripes[stripe].lag;
}
