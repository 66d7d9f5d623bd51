/* A binary heap of timers that know their own place in it, so that moving
 * and disarming cost no search. Every timer's key is (deadline, order), and
 * order is unique: the heap has one possible sequence of pops. */
#include "base/timer.h"

#include <glib.h>

#define CAPACITY_AT_FIRST 4

void
ss_timers_init (SsTimers *timers)
{
  *timers = (SsTimers){ .heap = NULL };
}

void
ss_timers_clear (SsTimers *timers)
{
  for (uint32_t i = 0; i < timers->n; i++)
    timers->heap[i].timer->index = 0;
  g_free (timers->heap);
  *timers = (SsTimers){ .heap = NULL };
}

void
ss_timer_init (SsTimer *timer, SsLayer layer, unsigned kind)
{
  g_assert ((unsigned) layer < SS_N_LAYERS);
  g_assert (kind <= UINT8_MAX);
  *timer = (SsTimer){
    .layer = (uint8_t) layer,
    .kind = (uint8_t) kind,
  };
}

static bool
before (const SsTimersEntry *a, const SsTimersEntry *b)
{
  if (a->deadline != b->deadline)
    return a->deadline < b->deadline;
  return a->order < b->order;
}

static void
place (SsTimers *timers, SsTimersEntry entry, uint32_t slot)
{
  timers->heap[slot] = entry;
  entry.timer->index = slot + 1;
}

/* Puts an entry where it belongs, starting from an empty slot. */
static void
settle (SsTimers *timers, SsTimersEntry entry, uint32_t slot)
{
  while (slot > 0) {
    uint32_t parent = (slot - 1) / 2;

    if (!before (&entry, &timers->heap[parent]))
      break;
    place (timers, timers->heap[parent], slot);
    slot = parent;
  }
  for (;;) {
    uint32_t child = 2 * slot + 1;

    if (child >= timers->n)
      break;
    if (child + 1 < timers->n
        && before (&timers->heap[child + 1], &timers->heap[child]))
      child++;
    if (!before (&timers->heap[child], &entry))
      break;
    place (timers, timers->heap[child], slot);
    slot = child;
  }
  place (timers, entry, slot);
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
      timers->heap = g_renew (SsTimersEntry, timers->heap, timers->capacity);
    }
    timers->n++;
    timer->index = timers->n;
  } else {
    g_assert (timers->heap[timer->index - 1].timer == timer);
  }
  const SsTimersEntry entry = { deadline, timers->next_order++, timer };

  settle (timers, entry, timer->index - 1);
}

void
ss_timers_arm_earliest (SsTimers *timers, SsTimer *timer, SsTime deadline)
{
  if (timer->index != 0 && timers->heap[timer->index - 1].deadline <= deadline)
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
  g_assert (timers->heap[slot].timer == timer);
  const SsTimersEntry last = timers->heap[--timers->n];

  timer->index = 0;
  if (last.timer != timer)
    settle (timers, last, slot);
  /* A burst's room is given back, or a simulated node would keep it. */
  if (timers->capacity > CAPACITY_AT_FIRST
      && timers->n < timers->capacity / 4) {
    timers->capacity /= 2;
    timers->heap = g_renew (SsTimersEntry, timers->heap, timers->capacity);
  }
}

bool
ss_timer_is_armed (const SsTimer *timer)
{
  return timer->index != 0;
}

SsTime
ss_timers_deadline (const SsTimers *timers)
{
  return timers->n == 0 ? SS_NEVER : timers->heap[0].deadline;
}

SsTimer *
ss_timers_pop (SsTimers *timers, SsTime now)
{
  if (timers->n == 0 || timers->heap[0].deadline > now)
    return NULL;
  SsTimer *timer = timers->heap[0].timer;

  ss_timers_disarm (timers, timer);
  return timer;
}
