/* The simulator's queue of events. */
#include "sim/queue.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define DAY_BITS     14 /* 16.4 us, in ns */
#define YEAR_BITS    19 /* days: 8.6 s, more than any timer at rest */
#define YEAR         (INT64_C (1) << YEAR_BITS)
#define CHUNK        7
#define FEW          32 /* are sorted by insertion */
#define ARRAY_FIRST  64
#define NO_DAY       INT64_MAX
#define BITS_OF_WORD 64
/* Where little happens, several days are begun at once, so that what comes
 * next can be seen (ss_queue_peek): so many events, or so many days. */
#define WINDOW_EVENTS 24
#define WINDOW_DAYS   64

struct SsQueueChunk {
  SsQueueChunk *next;
  uint64_t n;
  SsQueued events[CHUNK];
};

static void today_insert (SsQueue *queue, const SsQueued *event);
static void day_add (SsQueue *queue, int64_t day, const SsQueued *event);
static void far_push (SsQueueArray *far, const SsQueued *event);
static SsQueued far_pop (SsQueueArray *far);
static bool begin_next_day (SsQueue *queue, SsTime until);

void
ss_queue_init (SsQueue *queue)
{
  *queue = (SsQueue){
    .days = g_new0 (SsQueueChunk *, YEAR),
    .busy = g_new0 (uint64_t, YEAR / BITS_OF_WORD),
  };
}

static void
free_chunks (SsQueueChunk *chunk)
{
  while (chunk != NULL) {
    SsQueueChunk *next = chunk->next;

    g_free (chunk);
    chunk = next;
  }
}

void
ss_queue_clear (SsQueue *queue)
{
  for (int64_t day = 0; queue->n_near > 0 && day < YEAR; day++)
    free_chunks (queue->days[day]);
  free_chunks (queue->free);
  g_free (queue->days);
  g_free (queue->busy);
  g_free (queue->today.events);
  g_free (queue->far.events);
  *queue = (SsQueue){ .days = NULL };
}

static int64_t
day_of (SsTime at)
{
  return at >> DAY_BITS;
}

void
ss_queue_push (SsQueue *queue, const SsQueued *event)
{
  SsQueued added = *event;
  int64_t day = day_of (added.at);

  added.order = queue->order++;
  if (day <= queue->day)
    today_insert (queue, &added);
  else if (day < queue->day + YEAR)
    day_add (queue, day, &added);
  else
    far_push (&queue->far, &added);
}

bool
ss_queue_pop (SsQueue *queue, SsTime until, SsQueued *ret_event)
{
  if (queue->next == queue->today.n && !begin_next_day (queue, until))
    return false;
  const SsQueued *first = &queue->today.events[queue->next];

  if (first->at > until)
    return false;
  *ret_event = *first;
  queue->next++;
  return true;
}

SsTime
ss_queue_next (SsQueue *queue)
{
  if (queue->next == queue->today.n && !begin_next_day (queue, SS_NEVER))
    return SS_NEVER;
  return queue->today.events[queue->next].at;
}

const SsQueued *
ss_queue_peek (const SsQueue *queue, size_t ahead)
{
  size_t place = queue->next + ahead;

  return place < queue->today.n ? &queue->today.events[place] : NULL;
}

size_t
ss_queue_memory (const SsQueue *queue)
{
  return queue->n_chunks * sizeof (SsQueueChunk)
         + (queue->today.capacity + queue->far.capacity) * sizeof (SsQueued)
         + YEAR * sizeof *queue->days + YEAR / 8;
}

static bool
is_before (const SsQueued *a, const SsQueued *b)
{
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
reserve (SsQueueArray *array, size_t n)
{
  if (n <= array->capacity)
    return;
  array->capacity = MAX (ARRAY_FIRST, MAX (n, 2 * array->capacity));
  array->events = g_renew (SsQueued, array->events, array->capacity);
}

/* Nearly always at the end, or close to it. */
static void
today_insert (SsQueue *queue, const SsQueued *event)
{
  SsQueueArray *today = &queue->today;

  reserve (today, today->n + 1);
  size_t place = today->n++;

  while (place > queue->next && is_before (event, &today->events[place - 1])) {
    today->events[place] = today->events[place - 1];
    place--;
  }
  today->events[place] = *event;
}

static void
day_add (SsQueue *queue, int64_t day, const SsQueued *event)
{
  size_t slot = (size_t) (day & (YEAR - 1));
  SsQueueChunk *chunk = queue->days[slot];

  if (chunk == NULL || chunk->n == CHUNK) {
    SsQueueChunk *added = queue->free;

    if (added != NULL) {
      queue->free = added->next;
    } else {
      added = g_new (SsQueueChunk, 1);
      queue->n_chunks++;
    }
    added->next = chunk;
    added->n = 0;
    queue->days[slot] = chunk = added;
    queue->busy[slot / BITS_OF_WORD] |= UINT64_C (1) << slot % BITS_OF_WORD;
  }
  chunk->events[chunk->n++] = *event;
  queue->n_near++;
}

static void
far_push (SsQueueArray *far, const SsQueued *event)
{
  reserve (far, far->n + 1);
  size_t slot = far->n++;

  while (slot > 0) {
    size_t parent = (slot - 1) / 2;

    if (!is_before (event, &far->events[parent]))
      break;
    far->events[slot] = far->events[parent];
    slot = parent;
  }
  far->events[slot] = *event;
}

static SsQueued
far_pop (SsQueueArray *far)
{
  SsQueued first = far->events[0], last = far->events[--far->n];
  size_t slot = 0;

  for (;;) {
    size_t child = 2 * slot + 1;

    if (child >= far->n)
      break;
    if (child + 1 < far->n
        && is_before (&far->events[child + 1], &far->events[child]))
      child++;
    if (!is_before (&far->events[child], &last))
      break;
    far->events[slot] = far->events[child];
    slot = child;
  }
  far->events[slot] = last;
  return first;
}

/* The first day after today that has chunks. */
static int64_t
next_busy_day (const SsQueue *queue)
{
  if (queue->n_near == 0)
    return NO_DAY;
  int64_t day = queue->day + 1;

  /* To the end of this word bit by bit, then by words. */
  for (;;) {
    size_t slot = (size_t) (day & (YEAR - 1));
    uint64_t rest = queue->busy[slot / BITS_OF_WORD] >> slot % BITS_OF_WORD;

    if (rest != 0)
      return day + __builtin_ctzll (rest);
    day += BITS_OF_WORD - (int64_t) (slot % BITS_OF_WORD);
    g_assert (day <= queue->day + YEAR + BITS_OF_WORD);
  }
}

static int
compare (const void *a, const void *b)
{
  return is_before (a, b) ? -1 : 1;
}

static void
sort (SsQueued *events, size_t n)
{
  if (n > FEW) {
    qsort (events, n, sizeof *events, compare);
    return;
  }
  for (size_t i = 1; i < n; i++) {
    SsQueued event = events[i];
    size_t place = i;

    while (place > 0 && is_before (&event, &events[place - 1])) {
      events[place] = events[place - 1];
      place--;
    }
    events[place] = event;
  }
}

/* The first day after today that has events, or NO_DAY. */
static int64_t
next_day (const SsQueue *queue)
{
  int64_t day = next_busy_day (queue);

  if (queue->far.n > 0)
    day = MIN (day, day_of (queue->far.events[0].at));
  return day;
}

/* Appends a day's events to today's. */
static void
begin_day (SsQueue *queue, int64_t day)
{
  SsQueueArray *today = &queue->today;
  size_t slot = (size_t) (day & (YEAR - 1)), before = today->n;

  queue->day = day;
  while (queue->days[slot] != NULL) {
    SsQueueChunk *chunk = queue->days[slot];

    queue->days[slot] = chunk->next;
    reserve (today, today->n + chunk->n);
    memcpy (&today->events[today->n], chunk->events,
            chunk->n * sizeof chunk->events[0]);
    today->n += chunk->n;
    queue->n_near -= chunk->n;
    chunk->next = queue->free;
    queue->free = chunk;
  }
  queue->busy[slot / BITS_OF_WORD] &= ~(UINT64_C (1) << slot % BITS_OF_WORD);
  while (queue->far.n > 0 && day_of (queue->far.events[0].at) == day) {
    reserve (today, today->n + 1);
    today->events[today->n++] = far_pop (&queue->far);
  }
  sort (&today->events[before], today->n - before);
}

/* False: there is none that begins by then. */
static bool
begin_next_day (SsQueue *queue, SsTime until)
{
  int64_t day = next_day (queue), last = day_of (until);

  queue->today.n = queue->next = 0;
  if (day == NO_DAY || day > last)
    return false;
  last = MIN (last, day + WINDOW_DAYS);
  while (day <= last && queue->today.n < WINDOW_EVENTS) {
    begin_day (queue, day);
    day = next_day (queue);
  }
  return true;
}
