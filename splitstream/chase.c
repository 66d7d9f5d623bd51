/* The receiver's window: what is done about packets that are missing. */
#include "splitstream/reorder_private.h"

enum { ROW_RETRY_DIVISOR = 25 };
/* Once it plays, a burst that brings nothing for so long is not waited for:
 * whoever sends it may be dead. */
#define BURST_STALL (100 * SS_MSEC)

/* The nearest packet after number that is here; the end if none. */
static uint64_t
next_here (const SsReorder *reorder, uint64_t number)
{
  while (number < reorder->end
         && ss_reorder_slot (reorder, number)->packet == NULL)
    number++;
  return number;
}

/* Which row does the missing packet belong to, and is that closed? Judged by
 * its neighbours. */
static bool
guess_row (const SsReorder *reorder, uint64_t number, uint32_t *ret_row)
{
  const SsReorderRow *known = ss_reorder_find_row (reorder, number);
  if (known != NULL) {
    *ret_row = known->row;
    return true;
  }
  uint64_t later = next_here (reorder, number);
  if (!reorder->has_row || later == reorder->end)
    return false;
  const SsReorderSlot *slot = ss_reorder_slot (reorder, later);
  uint32_t row = ss_reorder_full_row (reorder, slot->row_low);
  if (number + slot->index < later) {
    *ret_row = row - 1;
    return true;
  }
  const SsReorderSlot *newest = ss_reorder_slot (reorder, reorder->end - 1);
  if (newest->packet == NULL || newest->row_low == slot->row_low)
    return false;
  *ret_row = row;
  return true;
}

/* False: not now. */
static bool
want_parity (SsReorder *reorder, uint64_t number, SsTime deadline)
{
  uint32_t row_number;
  if (!guess_row (reorder, number, &row_number))
    return false;
  const SsReorderRow *row = ss_reorder_find_row (reorder, number);
  bool are_wanted = true;
  for (unsigned j = 0; j < reorder->n_parity; j++)
    if (row == NULL || row->shards[j] == NULL)
      are_wanted &= reorder->calls.want (reorder->user, reorder->n_columns + j,
                                         row_number, deadline);
  return are_wanted;
}

/* When a wanted packet is of no more use; `later` is the nearest after it
 * that is here, or the end. */
static SsTime
give_up_at (const SsReorder *reorder, SsTime now, uint64_t later)
{
  SsTime grace = reorder->latency / SS_REORDER_GRACE_DIVISOR;
  SsTime at = now + reorder->latency;
  if (later < reorder->end)
    at = ss_reorder_due (reorder, ss_reorder_slot (reorder, later));
  return MAX (at, now + grace) - SS_REORDER_SAFETY;
}

/* After a silence there may be far more missing than could be played. Frames
 * go out late rather than never, but what should have been heard a whole
 * latency ago is not asked for: all the audience would do so at once. */
static bool
is_hopeless (const SsReorder *reorder, SsTime now, const SsReorderSlot *slot)
{
  return slot->has_guess
         && slot->departure + reorder->clock->base + 2 * reorder->latency < now;
}

/* What one overdue packet needs. */
static void
chase_one (SsReorder *reorder, SsTime now, uint64_t number, uint64_t later)
{
  SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  if (is_hopeless (reorder, now, slot))
    return;
  if (!slot->is_asked)
    slot->is_asked = reorder->calls.want (
        reorder->user, (unsigned) (number % reorder->n_columns),
        (uint32_t) (number / reorder->n_columns),
        give_up_at (reorder, now, later));
  if (!slot->is_asked) {
    slot->is_in_burst = false;
    slot->want_at = now + SS_REORDER_WANT_PAUSE;
    ss_reorder_at (reorder, slot->want_at);
    return;
  }
  if (slot->is_parity_asked || reorder->n_parity == 0)
    return;
  SsTime give_up = give_up_at (reorder, now, later);
  SsTime half = slot->want_at + (give_up - slot->want_at) / 2;
  if (now < half)
    ss_reorder_at (reorder, half);
  else if (want_parity (reorder, number, give_up))
    slot->is_parity_asked = true;
  else
    ss_reorder_at (reorder, now + reorder->latency / ROW_RETRY_DIVISOR);
}

/* When the missing packet is to be asked for. What all the others are late by,
 * it may be, too. */
static SsTime
want_at (const SsReorder *reorder, uint64_t number)
{
  const SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  if (slot->is_in_burst && reorder->is_started)
    return MIN (slot->want_at, reorder->burst_heard + BURST_STALL);
  SsTime at = slot->want_at;
  if (at < SS_NEVER)
    at += ss_media_clock_late (reorder->clock);
  return reorder->is_started ? at : MAX (at, reorder->hold_until);
}

void
ss_reorder_chase (SsReorder *reorder, SsTime now)
{
  /* Those missing next to each other have one packet after them: a burst may
   * be thousands. */
  uint64_t later = 0;
  for (unsigned i = 0; i < reorder->missing->len;) {
    uint64_t number = g_array_index (reorder->missing, uint64_t, i);
    if (want_at (reorder, number) > now) {
      ss_reorder_at (reorder, want_at (reorder, number));
      i++;
      continue;
    }
    SsReorderSlot *slot = ss_reorder_slot (reorder, number);
    if (!slot->is_told && !slot->is_in_burst)
      reorder->calls.overdue (reorder->user,
                              (unsigned) (number % reorder->n_columns));
    slot->is_told = true;
    SsReorderRow *row = ss_reorder_find_row (reorder, number);
    if (row != NULL) {
      ss_reorder_rebuild (reorder, now, row);
      later = 0;
    }
    if (ss_reorder_slot (reorder, number)->packet != NULL)
      continue; /* and no longer in the list */
    if (later <= number)
      later = next_here (reorder, number);
    chase_one (reorder, now, number, later);
    i++;
  }
}

void
ss_reorder_hold (SsReorder *reorder, SsTime until)
{
  if (!reorder->is_started)
    reorder->hold_until = until;
}

bool
ss_reorder_forgo_burst (SsReorder *reorder)
{
  if (reorder->is_started)
    return false;
  for (unsigned i = 0; i < reorder->missing->len; i++) {
    uint64_t number = g_array_index (reorder->missing, uint64_t, i);
    if (ss_reorder_slot (reorder, number)->is_in_burst)
      reorder->floor = number + 1;
  }
  if (reorder->is_expecting && reorder->end <= reorder->expect_newest)
    reorder->floor = reorder->expect_newest + 1;
  reorder->is_expecting = false;
  ss_reorder_keep_above (reorder);
  return true;
}

void
ss_reorder_watch_parity (SsReorder *reorder, SsTime now)
{
  SsParityWatch *watch = &reorder->parity_watch;
  for (unsigned i;
       (i = ss_parity_watch_overdue (watch, now)) < watch->n_parity;)
    reorder->calls.overdue (reorder->user, reorder->n_columns + i);
  ss_reorder_at (reorder, ss_parity_watch_deadline (watch));
}
