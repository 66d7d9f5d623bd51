/* A ring of items, a lock, and two eventfds; see item_queue.h. */
#include "media/item_queue.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct SsItemQueue {
  GMutex lock;
  GCond room;
  SsSourceItem items[SS_SOURCE_AHEAD_ITEMS_MAX];
  unsigned head, n_items;
  size_t n_bytes;
  bool starved;  /* the consumer found nothing, and waits */
  bool signaled; /* ready_fd is readable */
  bool stopped;
  int ready_fd, stop_fd;
};

SsItemQueue *
ss_item_queue_new (void)
{
  SsItemQueue *q = g_new0 (SsItemQueue, 1);
  g_mutex_init (&q->lock);
  g_cond_init (&q->room);
  q->starved = true;
  q->ready_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  q->stop_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert (q->ready_fd >= 0);
  g_assert (q->stop_fd >= 0);
  return q;
}

static size_t
item_len (const SsSourceItem *item)
{
  return item->frame.data == NULL ? 0 : g_bytes_get_size (item->frame.data);
}

static void
signal_fd (int fd)
{
  uint64_t one = 1;
  ssize_t n = write (fd, &one, sizeof one);
  g_assert (n == sizeof one);
}

bool
ss_item_queue_push (SsItemQueue *q, SsSourceItem *item)
{
  size_t len = item_len (item);
  g_mutex_lock (&q->lock);
  /* One item larger than the bound passes alone. */
  while (
      !q->stopped
      && (q->n_items == SS_SOURCE_AHEAD_ITEMS_MAX
          || (q->n_items > 0 && q->n_bytes + len > SS_SOURCE_AHEAD_BYTES_MAX)))
    g_cond_wait (&q->room, &q->lock);
  bool stopped = q->stopped;
  if (!stopped) {
    unsigned at = (q->head + q->n_items) % SS_SOURCE_AHEAD_ITEMS_MAX;
    q->items[at] = *item;
    q->n_items++;
    q->n_bytes += len;
    if (q->starved) {
      q->starved = false;
      q->signaled = true;
      signal_fd (q->ready_fd);
    }
  }
  g_mutex_unlock (&q->lock);
  if (stopped)
    ss_source_item_clear (item);
  else
    memset (item, 0, sizeof *item);
  return !stopped;
}

bool
ss_item_queue_pull (SsItemQueue *q, SsSourceItem *ret_item)
{
  g_mutex_lock (&q->lock);
  if (q->signaled) {
    uint64_t count;
    ssize_t n = read (q->ready_fd, &count, sizeof count);
    g_assert (n == sizeof count);
    q->signaled = false;
  }
  bool got = q->n_items > 0;
  if (got) {
    *ret_item = q->items[q->head];
    memset (&q->items[q->head], 0, sizeof q->items[q->head]);
    q->head = (q->head + 1) % SS_SOURCE_AHEAD_ITEMS_MAX;
    q->n_items--;
    q->n_bytes -= item_len (ret_item);
    /* The pusher comes back once for half a queue, not for every item. */
    if (q->n_items <= SS_SOURCE_AHEAD_ITEMS_MAX / 2
        && q->n_bytes <= SS_SOURCE_AHEAD_BYTES_MAX / 2)
      g_cond_signal (&q->room);
  } else
    q->starved = true;
  g_mutex_unlock (&q->lock);
  return got;
}

int
ss_item_queue_fd (const SsItemQueue *q)
{
  return q->ready_fd;
}

void
ss_item_queue_stop (SsItemQueue *q)
{
  g_mutex_lock (&q->lock);
  if (!q->stopped)
    signal_fd (q->stop_fd);
  q->stopped = true;
  g_cond_broadcast (&q->room);
  g_mutex_unlock (&q->lock);
}

bool
ss_item_queue_stopped (SsItemQueue *q)
{
  g_mutex_lock (&q->lock);
  bool stopped = q->stopped;
  g_mutex_unlock (&q->lock);
  return stopped;
}

int
ss_item_queue_stop_fd (const SsItemQueue *q)
{
  return q->stop_fd;
}

void
ss_item_queue_free (SsItemQueue *q)
{
  for (unsigned i = 0; i < q->n_items; i++) {
    unsigned at = (q->head + i) % SS_SOURCE_AHEAD_ITEMS_MAX;
    ss_source_item_clear (&q->items[at]);
  }
  close (q->ready_fd);
  close (q->stop_fd);
  g_mutex_clear (&q->lock);
  g_cond_clear (&q->room);
  g_free (q);
}
