/* What is expected of the parity stripes: see the header. */
#include "splitstream/paritywatch.h"

#include <glib.h>
#include <string.h>

void
ss_parity_watch_init (SsParityWatch *watch, unsigned n_parity)
{
  g_assert (n_parity <= SS_PARITY_MAX);
  memset (watch, 0, sizeof *watch);
  watch->n_parity = n_parity;
  for (unsigned i = 0; i < n_parity; i++)
    watch->stripes[i].due = SS_NEVER;
}

/* Rows are counted modulo 2^32. */
static bool
is_after (uint32_t a, uint32_t b)
{
  return (int32_t) (a - b) > 0;
}

void
ss_parity_watch_data (SsParityWatch *watch, const SsMediaClock *clock,
                      uint32_t row, SsTime departure)
{
  SsTime left = departure + clock->latency / SS_PARITY_WAIT_DIVISOR
                + ss_media_clock_measured (clock);
  for (unsigned i = 0; i < watch->n_parity; i++) {
    SsParityStripe *stripe = &watch->stripes[i];
    if (stripe->has_seen && !stripe->is_silent && stripe->due == SS_NEVER
        && is_after (row, stripe->seen + 1))
      stripe->due =
          left
          + ss_media_clock_allowance (clock, SS_STRIPES - watch->n_parity + i);
  }
}

void
ss_parity_watch_parity (SsParityWatch *watch, unsigned index, uint32_t row)
{
  g_assert (index < watch->n_parity);
  SsParityStripe *stripe = &watch->stripes[index];
  if (stripe->has_seen && !is_after (row, stripe->seen))
    return;
  stripe->has_seen = true;
  stripe->is_silent = false;
  stripe->seen = row;
  stripe->due = SS_NEVER;
}

SsTime
ss_parity_watch_deadline (const SsParityWatch *watch)
{
  SsTime deadline = SS_NEVER;
  for (unsigned i = 0; i < watch->n_parity; i++)
    deadline = MIN (deadline, watch->stripes[i].due);
  return deadline;
}

unsigned
ss_parity_watch_overdue (SsParityWatch *watch, SsTime now)
{
  for (unsigned i = 0; i < watch->n_parity; i++) {
    SsParityStripe *stripe = &watch->stripes[i];
    if (stripe->due > now)
      continue;
    stripe->due = SS_NEVER;
    stripe->is_silent = true;
    return i;
  }
  return watch->n_parity;
}
