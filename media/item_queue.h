/* The bounded queue between the thread that reads a source and the thread
 * that puts it on the air; all that they share. */
#pragma once

#include <stdbool.h>

#include "media/source.h"

typedef struct SsItemQueue SsItemQueue;

SsItemQueue *ss_item_queue_new (void);
void ss_item_queue_free (SsItemQueue *queue); /* no thread may use it */

/* Takes what `item` holds. Waits for room; false, with the item cleared, once
 * the queue was stopped. */
bool ss_item_queue_push (SsItemQueue *queue, SsSourceItem *item);

/* See ss_source_pull and ss_source_fd. */
bool ss_item_queue_pull (SsItemQueue *queue, SsSourceItem *ret_item);
int ss_item_queue_fd (const SsItemQueue *queue);

/* Wakes the pusher for good. `stop_fd` becomes readable: for its polls. */
void ss_item_queue_stop (SsItemQueue *queue);
bool ss_item_queue_stopped (SsItemQueue *queue);
int ss_item_queue_stop_fd (const SsItemQueue *queue);
