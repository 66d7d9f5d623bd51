/* The simulator's queue of events: a binary heap, ordered by time, then by
 * the order of pushing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

typedef struct {
  SsTime at;
  uint64_t order; /* set by push */
  uint32_t kind;  /* the owner's */
  uint32_t node;
  void *data;
  uint64_t number;
} SsQueued;

typedef struct {
  SsQueued *heap;
  size_t n, capacity;
  uint64_t order;
} SsQueue;

void ss_queue_init (SsQueue *queue);
void ss_queue_clear (SsQueue *queue);
void ss_queue_push (SsQueue *queue, const SsQueued *event);
/* The first, if it is due by then. */
bool ss_queue_pop (SsQueue *queue, SsTime until, SsQueued *ret_event);
