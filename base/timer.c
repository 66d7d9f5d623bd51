/* A binary heap of timers that know their own place in it, so that moving
 * and disarming cost no search. Every timer's key is (deadline, order), and
 * order is unique: the heap has one possible sequence of pops. */
#include "base/timer.h"

#include <glib.h>

#define CAPACITY_AT_FIRST 8

void
ss_timers_init (SsTimers *timers)
{
  *timers = (SsTimers){ .heap = NULL };
}

void
ss_timers_clear (SsTimers *timers)
{
  for (uint32_t i = 0; i < timers->n; i++)
    timers->heap[i]->index = 0;
  g_free (timers->heap);
  *timers = (SsTimers){ .heap = NULL };
}

void
ss_timer_init (SsTimer *timer, SsLayer layer, unsigned kind)
{
  g_assert ((unsigned) layer < SS_N_LAYERS);
  g_assert (kind <= UINT8_MAX);
  *timer = (SsTimer){
    .deadline = SS_NEVER,
    .layer = (uint8_t) layer,
    .kind = (uint8_t) kind,
  };
}

static bool
before (const SsTimer *a, const SsTimer *b)
{
  if (a->deadline != b->deadline)
    return a->deadline < b->deadline;
  return a->order < b->order;
}

static void
place (SsTimers *timers, SsTimer *timer, uint32_t slot)
{
  timers->heap[slot] = timer;
  timer->index = slot + 1;
}

/* Puts timer where it belongs, starting from an empty slot. */
static void
settle (SsTimers *timers, SsTimer *timer, uint32_t slot)
{
  while (slot > 0) {
    uint32_t parent = (slot - 1) / 2;

    if (!before (timer, timers->heap[parent]))
      break;
    place (timers, timers->heap[parent], slot);
    slot = parent;
  }
  for (;;) {
    uint32_t child = 2 * slot + 1;

    if (child >= timers->n)
      break;
    if (child + 1 < timers->n
        && before (timers->heap[child + 1], timers->heap[child]))
      child++;
    if (!before (timers->heap[child], timer))
      break;
    place (timers, timers->heap[child], slot);
    slot = child;
  }
  place (timers, timer, slot);
}

void
ss_timers_arm (SsTimers *timers, SsTimer *timer, SsTime deadline)
{
  if (deadline == SS_NEVER) {
    ss_timers_disarm (timers, timer);
    return;
  }
  if (timer->index == 0) {
    if (timers->n == timers->capacity) {
      timers->capacity = MAX (CAPACITY_AT_FIRST, timers->capacity * 2);
      timers->heap = g_renew (SsTimer *, timers->heap, timers->capacity);
    }
    timers->n++;
    timer->index = timers->n;
  } else {
    g_assert (timers->heap[timer->index - 1] == timer);
  }
  timer->deadline = deadline;
  timer->order = timers->next_order++;
  settle (timers, timer, timer->index - 1);
}

void
ss_timers_arm_earliest (SsTimers *timers, SsTimer *timer, SsTime deadline)
{
  if (ss_timer_is_armed (timer) && timer->deadline <= deadline)
    return;
  ss_timers_arm (timers, timer, deadline);
}

void
ss_timers_disarm (SsTimers *timers, SsTimer *timer)
{
  if (timer->index == 0)
    return;
  uint32_t slot = timer->index - 1;
  g_assert (slot < timers->n);
  g_assert (timers->heap[slot] == timer);
  SsTimer *last = timers->heap[--timers->n];

  timer->index = 0;
  timer->deadline = SS_NEVER;
  if (last != timer)
    settle (timers, last, slot);
}

bool
ss_timer_is_armed (const SsTimer *timer)
{
  return timer->index != 0;
}

SsTime
ss_timers_deadline (const SsTimers *timers)
{
  return timers->n == 0 ? SS_NEVER : timers->heap[0]->deadline;
}

SsTimer *
ss_timers_pop (SsTimers *timers, SsTime now)
{
  if (timers->n == 0 || timers->heap[0]->deadline > now)
    return NULL;
  SsTimer *timer = timers->heap[0];

  ss_timers_disarm (timers, timer);
  return timer;
}
