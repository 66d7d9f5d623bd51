/* What is expected of the parity stripes: see the header. */
#include "splitstream/paritywatch.h"

#include <glib.h>
#include <string.h>

#define WAIT_ROWS 8 /* so many are the last */
/* Where bursts end in the middle of rows it varies by one of them (11). */
#define BURST_DIVISOR 12

void
ss_parity_watch_init (SsParityWatch *watch, unsigned n_parity, SsTime latency)
{
  g_assert (n_parity <= SS_PARITY_MAX);
  memset (watch, 0, sizeof *watch);
  watch->n_parity = n_parity;
  for (unsigned i = 0; i < n_parity; i++) {
    watch->stripes[i].due = SS_NEVER;
    watch->stripes[i].wait = latency * SS_PARITY_WAIT_PERCENT / 100;
  }
}

/* Rows are counted modulo 2^32. */
static bool
is_after (uint32_t a, uint32_t b)
{
  return (int32_t) (a - b) > 0;
}

/* How long did its latest packet leave after the row that follows its own had
 * begun? Whichever of the two came last asks. */
static void
learn_wait (const SsParityWatch *watch, SsParityStripe *stripe)
{
  if (!watch->has_row || !stripe->has_seen || stripe->seen + 1 != watch->row)
    return;
  stripe->wait = MAX (stripe->wait, stripe->left - watch->departure);
  if (++stripe->n_rows < WAIT_ROWS)
    return;
  stripe->wait_before = stripe->wait;
  stripe->wait = 0;
  stripe->n_rows = 0;
}

void
ss_parity_watch_data (SsParityWatch *watch, const SsMediaClock *clock,
                      uint32_t row, SsTime departure)
{
  bool is_new = !watch->has_row || is_after (row, watch->row);
  if (is_new || (row == watch->row && departure < watch->departure)) {
    watch->has_row = true;
    watch->row = row;
    watch->departure = departure;
  }
  SsTime left = departure + ss_media_clock_measured (clock);
  for (unsigned i = 0; i < watch->n_parity; i++) {
    SsParityStripe *stripe = &watch->stripes[i];
    if (is_new)
      learn_wait (watch, stripe);
    if (stripe->has_seen && !stripe->is_silent && stripe->due == SS_NEVER
        && is_after (row, stripe->seen + 1))
      stripe->due =
          left
          + MAX (MAX (stripe->wait, stripe->wait_before),
                 clock->latency / BURST_DIVISOR)
          + ss_media_clock_allowance (clock, SS_STRIPES - watch->n_parity + i);
  }
}

void
ss_parity_watch_parity (SsParityWatch *watch, unsigned index, uint32_t row,
                        SsTime departure)
{
  g_assert (index < watch->n_parity);
  SsParityStripe *stripe = &watch->stripes[index];
  if (stripe->has_seen && !is_after (row, stripe->seen))
    return;
  stripe->has_seen = true;
  stripe->is_silent = false;
  stripe->seen = row;
  stripe->left = departure;
  stripe->due = SS_NEVER;
  learn_wait (watch, stripe);
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
