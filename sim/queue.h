/* The simulator's queue of events: a calendar (Brown, Communications of the
 * ACM 31(10), 1988) whose days do not change their length. Events of a day to
 * come wait unsorted in its chunks; today's are sorted when it begins; those
 * beyond the year wait in a heap. Order is by time, then by the order of
 * pushing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

typedef struct {
  SsTime at;
  uint64_t order; /* set by push */
  uint32_t kind;  /* the owner's, as are node and the last */
  uint32_t node;
  union {
    void *data;
    uint64_t number;
  };
} SsQueued;

typedef struct SsQueueChunk SsQueueChunk;

typedef struct {
  SsQueued *events;
  size_t n, capacity;
} SsQueueArray;

typedef struct {
  SsQueueChunk **days; /* a ring of a year */
  uint64_t *busy;      /* bit for each day: it has chunks */
  int64_t day;         /* today, counted from time 0 */
  SsQueueArray today;  /* sorted; */
  size_t next;         /* what is left of it begins here */
  SsQueueArray far;    /* a heap */
  SsQueueChunk *free;
  size_t n_chunks, n_near; /* near: in chunks */
  uint64_t order;
} SsQueue;

void ss_queue_init (SsQueue *queue);
void ss_queue_clear (SsQueue *queue);
void ss_queue_push (SsQueue *queue, const SsQueued *event);
/* The first, if it is due by then. */
bool ss_queue_pop (SsQueue *queue, SsTime until, SsQueued *ret_event);
/* When the first is due; SS_NEVER: there is none. */
SsTime ss_queue_next (SsQueue *queue);
/* The one that so many others precede, or NULL; a hint only: it may be that
 * there is one all the same. */
const SsQueued *ss_queue_peek (const SsQueue *queue, size_t ahead);
size_t ss_queue_memory (const SsQueue *queue);
