/* The simulator's queue of events. */
#include "sim/queue.h"

#include <glib.h>

#define CAPACITY_AT_FIRST 1024

void
ss_queue_init (SsQueue *queue)
{
  *queue = (SsQueue){ .capacity = CAPACITY_AT_FIRST };
  queue->heap = g_new (SsQueued, queue->capacity);
}

void
ss_queue_clear (SsQueue *queue)
{
  g_free (queue->heap);
  *queue = (SsQueue){ .heap = NULL };
}

static bool
is_before (const SsQueued *a, const SsQueued *b)
{
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void
ss_queue_push (SsQueue *queue, const SsQueued *event)
{
  if (queue->n == queue->capacity) {
    queue->capacity *= 2;
    queue->heap = g_renew (SsQueued, queue->heap, queue->capacity);
  }
  SsQueued added = *event;
  size_t slot = queue->n++;

  added.order = queue->order++;
  while (slot > 0) {
    size_t parent = (slot - 1) / 2;

    if (!is_before (&added, &queue->heap[parent]))
      break;
    queue->heap[slot] = queue->heap[parent];
    slot = parent;
  }
  queue->heap[slot] = added;
}

bool
ss_queue_pop (SsQueue *queue, SsTime until, SsQueued *ret_event)
{
  if (queue->n == 0 || queue->heap[0].at > until)
    return false;
  *ret_event = queue->heap[0];
  SsQueued last = queue->heap[--queue->n];
  size_t slot = 0;

  for (;;) {
    size_t child = 2 * slot + 1;

    if (child >= queue->n)
      break;
    if (child + 1 < queue->n
        && is_before (&queue->heap[child + 1], &queue->heap[child]))
      child++;
    if (!is_before (&queue->heap[child], &last))
      break;
    queue->heap[slot] = queue->heap[child];
    slot = child;
  }
  queue->heap[slot] = last;
  return true;
}
