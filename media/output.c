/* A queue, a thread behind it, and what the thread writes to; see output.h.
 *
 * Frames wait as frames and become Ogg when they are written: dropping some
 * needs no page to be renumbered.
 *
 * The thread is for readers that let one wait. As long as nothing waits, and
 * the descriptor takes what there is at once, the caller writes it himself:
 * to wake up another thread costs more than to mux and write. */
#include "media/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "media/error.h"
#include "media/ogg_writer.h"
#include "media/output_fd.h"
#include "media/player.h"

/* How often a full player is asked again, and a drained one whether to stop. */
#define PLAYER_POLL_MSEC 50
/* For the tail of one link before the next one begins. */
#define PLAYER_DRAIN_MSEC 3000

typedef struct {
  SsCodecHeaders *headers; /* either this */
  SsFrame frame;           /* or this */
  bool more;               /* frames follow at once */
} Item;

struct SsOutput {
  /* Written once, before the thread begins. */
  int fd; /* -1: `player` */
  bool is_file, close_fd;
  char *name;
  int event_fd, stop_fd;
  GThread *thread;

  SsPlayer *player; /* the thread's */

  /* The thread's while `is_working`, else under the lock. */
  SsOggWriter *writer;
  bool waiting_for_page; /* the writer holds frames, */
  bool more;             /*   and others follow at once */
  GByteArray *pages;     /* to be written, */
  unsigned n_paged;      /*   with so many frames */

  /* Under the lock. */
  bool is_working;
  bool is_thread_only; /* the descriptor cannot be asked not to block */
  GMutex lock;
  GCond wake, settled;
  Item items[SS_OUTPUT_WAITING_FRAMES_MAX];
  unsigned head, n_items;
  size_t n_bytes;
  SsCodecHeaders *headers; /* of the frames at the head, theirs dropped from
                              the queue before they were written */
  bool finished, stopping;
  SsOutputStatus status;
  GError *error;
};

static gpointer run (gpointer data);
static void take_pages (const uint8_t *pages, size_t len, unsigned n_frames,
                        gpointer user_data);
static bool write_directly (SsOutput *o);

static SsOutput *
output_new (int fd, const char *name, uint32_t serial, SsPlayer *player,
            bool close_fd)
{
  SsOutput *o = g_new0 (SsOutput, 1);
  o->fd = fd;
  o->is_file = fd >= 0 && ss_output_fd_is_file (fd);
  o->close_fd = close_fd;
  o->name = g_strdup (name);
  o->player = player;
  o->is_thread_only = player != NULL;
  o->pages = g_byte_array_new ();
  o->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  o->stop_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert (o->event_fd >= 0);
  g_assert (o->stop_fd >= 0);
  g_mutex_init (&o->lock);
  g_cond_init (&o->wake);
  g_cond_init (&o->settled);
  SsOggWriterOptions options = { .serial = serial,
                                 .fill_gaps = player != NULL,
                                 .write = take_pages,
                                 .user_data = o };
  o->writer = ss_ogg_writer_new (&options);
  o->thread = g_thread_new ("ss-output", run, o);
  return o;
}

SsOutput *
ss_output_new_fd (int fd, const char *name, uint32_t serial)
{
  return output_new (fd, name, serial, NULL, false);
}

SsOutput *
ss_output_new_file (const char *path, uint32_t serial, GError **error)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    g_set_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_OUTPUT,
                 "cannot create %s: %s; choose another --output", path,
                 g_strerror (errno));
    return NULL;
  }
  return output_new (fd, path, serial, NULL, true);
}

SsOutput *
ss_output_new_player (const char *sink, GError **error)
{
  SsPlayer *player = ss_player_new (sink, error);
  return player == NULL ? NULL
                        : output_new (-1, "the player", 1, player, false);
}

static void
signal_fd (int fd)
{
  uint64_t one = 1;
  ssize_t n = write (fd, &one, sizeof one);
  g_assert (n == sizeof one);
}

static void
item_clear (Item *item)
{
  g_clear_pointer (&item->headers, ss_codec_headers_free);
  g_clear_pointer (&item->frame.data, g_bytes_unref);
}

void
ss_output_free (SsOutput *o)
{
  if (o == NULL)
    return;
  g_mutex_lock (&o->lock);
  o->stopping = true;
  signal_fd (o->stop_fd);
  g_cond_signal (&o->wake);
  g_mutex_unlock (&o->lock);
  g_thread_join (o->thread);
  for (unsigned i = 0; i < o->n_items; i++)
    item_clear (&o->items[(o->head + i) % SS_OUTPUT_WAITING_FRAMES_MAX]);
  ss_codec_headers_free (o->headers);
  ss_ogg_writer_free (o->writer);
  g_byte_array_unref (o->pages);
  ss_player_free (o->player);
  if (o->close_fd)
    close (o->fd);
  close (o->event_fd);
  close (o->stop_fd);
  g_clear_error (&o->error);
  g_mutex_clear (&o->lock);
  g_cond_clear (&o->wake);
  g_cond_clear (&o->settled);
  g_free (o->name);
  g_free (o);
}

static size_t
item_len (const Item *item)
{
  return item->headers != NULL ? 0 : g_bytes_get_size (item->frame.data);
}

static Item
pop (SsOutput *o)
{
  Item item = o->items[o->head];
  o->head = (o->head + 1) % SS_OUTPUT_WAITING_FRAMES_MAX;
  o->n_items--;
  o->n_bytes -= item_len (&item);
  return item;
}

/* Headers outlive the frames in front of them. */
static void
drop_oldest (SsOutput *o)
{
  Item item = pop (o);
  if (item.headers != NULL) {
    ss_codec_headers_free (o->headers);
    o->headers = item.headers;
    return;
  }
  item_clear (&item);
  if (o->status.frames_dropped++ == 0)
    signal_fd (o->event_fd);
}

/* Takes what the item holds. */
static void
push (SsOutput *o, Item *item)
{
  g_mutex_lock (&o->lock);
  bool is_open = o->status.state == SS_OUTPUT_OPEN && !o->finished;
  bool wakes = is_open && !item->more;
  if (is_open) {
    size_t len = item_len (item);
    while (
        o->n_items == SS_OUTPUT_WAITING_FRAMES_MAX
        || (o->n_items > 0 && o->n_bytes + len > SS_OUTPUT_WAITING_BYTES_MAX))
      drop_oldest (o);
    unsigned at = (o->head + o->n_items) % SS_OUTPUT_WAITING_FRAMES_MAX;
    o->items[at] = *item;
    o->n_items++;
    o->n_bytes += len;
    wakes = wakes && !write_directly (o);
  } else
    item_clear (item);
  g_mutex_unlock (&o->lock);
  /* Only now, or the thread would wake up to wait for the lock. */
  if (wakes)
    g_cond_signal (&o->wake);
}

void
ss_output_headers (SsOutput *o, const SsCodecHeaders *headers)
{
  Item item = { .headers = ss_codec_headers_copy (headers) };
  push (o, &item);
}

void
ss_output_frame (SsOutput *o, const SsFrame *frame, bool more)
{
  Item item = { .frame = *frame, .more = more };
  g_bytes_ref (frame->data);
  push (o, &item);
}

void
ss_output_finish (SsOutput *o)
{
  g_mutex_lock (&o->lock);
  o->finished = true;
  g_cond_signal (&o->wake);
  g_mutex_unlock (&o->lock);
}

bool
ss_output_wait (SsOutput *o, SsTime timeout)
{
  gint64 end = g_get_monotonic_time () + timeout / SS_USEC;
  g_mutex_lock (&o->lock);
  while (o->status.state == SS_OUTPUT_OPEN
         && g_cond_wait_until (&o->settled, &o->lock, end))
    continue;
  bool settled = o->status.state != SS_OUTPUT_OPEN;
  g_mutex_unlock (&o->lock);
  return settled;
}

int
ss_output_fd (const SsOutput *o)
{
  return o->event_fd;
}

void
ss_output_status (SsOutput *o, SsOutputStatus *ret_status)
{
  uint64_t count;
  g_mutex_lock (&o->lock);
  ssize_t n = read (o->event_fd, &count, sizeof count);
  g_assert (n == sizeof count || errno == EAGAIN);
  *ret_status = o->status;
  g_mutex_unlock (&o->lock);
}

GError *
ss_output_take_error (SsOutput *o)
{
  g_mutex_lock (&o->lock);
  GError *error = g_steal_pointer (&o->error);
  g_mutex_unlock (&o->lock);
  return error;
}

/* Muxing and writing: of the thread, or of who has found it idle. */

static void
take_pages (const uint8_t *pages, size_t len, unsigned n_frames,
            gpointer user_data)
{
  SsOutput *o = user_data;
  o->waiting_for_page = false;
  g_byte_array_append (o->pages, pages, (guint) len);
  o->n_paged += n_frames;
}

/* Takes what the item holds. */
static void
mux (SsOutput *o, Item *item)
{
  if (item->headers != NULL) {
    ss_ogg_writer_headers (o->writer, item->headers);
  } else {
    o->waiting_for_page = true;
    o->more = item->more;
    ss_ogg_writer_frame (o->writer, &item->frame);
  }
  item_clear (item);
}

static void
flush (SsOutput *o)
{
  o->waiting_for_page = false;
  ss_ogg_writer_flush (o->writer);
}

/* Is there something that waits for no other frames? */
static bool
is_whole (const SsOutput *o)
{
  return o->pages->len > 0 || (o->waiting_for_page && !o->more);
}

/* Frames count once all that was paged with them is out. */
static void
note_written (SsOutput *o, size_t len)
{
  o->status.bytes_written += len;
  if (len < o->pages->len)
    return;
  o->status.frames_written += o->n_paged;
  o->n_paged = 0;
}

/* Everything, if that takes no waiting. False: the thread shall go on. */
static bool
write_directly (SsOutput *o)
{
  if (o->is_thread_only || o->is_working || is_whole (o) || o->headers != NULL)
    return false;
  while (o->n_items > 0) {
    Item item = pop (o);
    mux (o, &item);
  }
  if (is_whole (o))
    flush (o);
  if (o->pages->len == 0)
    return true;
  size_t n = 0;
  o->is_thread_only =
      !ss_output_fd_write_some (o->fd, o->pages->data, o->pages->len, &n);
  if (n > 0) {
    note_written (o, n);
    g_byte_array_remove_range (o->pages, 0, (guint) n);
  }
  return o->pages->len == 0;
}

/* The thread: from here on. */

/* Takes the error. The first reason to stop counts. */
static void
settle (SsOutput *o, SsOutputState state, GError *error)
{
  g_mutex_lock (&o->lock);
  if (o->status.state == SS_OUTPUT_OPEN) {
    o->status.state = state;
    o->error = g_steal_pointer (&error);
    signal_fd (o->event_fd);
    g_cond_broadcast (&o->settled);
  }
  g_mutex_unlock (&o->lock);
  g_clear_error (&error);
}

static bool
is_open (SsOutput *o)
{
  g_mutex_lock (&o->lock);
  bool open = o->status.state == SS_OUTPUT_OPEN && !o->stopping;
  g_mutex_unlock (&o->lock);
  return open;
}

static bool
wait_for_stop (const SsOutput *o, int timeout_ms)
{
  struct pollfd fd = { .fd = o->stop_fd, .events = POLLIN };
  return poll (&fd, 1, timeout_ms) > 0;
}

static void
note_mute (SsOutput *o, bool is_mute)
{
  g_mutex_lock (&o->lock);
  if (is_mute && !o->status.is_mute) {
    o->status.is_mute = true;
    signal_fd (o->event_fd);
  }
  g_mutex_unlock (&o->lock);
}

static bool
write_player (SsOutput *o, const uint8_t *pages, size_t len)
{
  while (ss_player_is_full (o->player))
    if (wait_for_stop (o, PLAYER_POLL_MSEC))
      return false;
  GError *error = NULL;
  if (ss_player_write (o->player, pages, len, &error)) {
    note_mute (o, ss_player_is_mute (o->player));
    return true;
  }
  settle (o, SS_OUTPUT_FAILED, error);
  return false;
}

static bool
write_fd (SsOutput *o, const uint8_t *pages, size_t len)
{
  size_t n;
  switch (ss_output_fd_write (o->fd, o->stop_fd, o->is_file, pages, len, &n)) {
  case SS_OUTPUT_FD_DONE:
    return true;
  case SS_OUTPUT_FD_GONE:
    settle (o, SS_OUTPUT_GONE, NULL);
    break;
  case SS_OUTPUT_FD_STOPPED:
    break;
  case SS_OUTPUT_FD_ERROR:
    settle (o, SS_OUTPUT_FAILED,
            g_error_new (SS_MEDIA_ERROR, SS_MEDIA_ERROR_OUTPUT,
                         "cannot write to %s: %s; %s", o->name,
                         g_strerror (errno),
                         errno == ENOSPC ? "free some space"
                                         : "choose another --output"));
    break;
  }
  return false;
}

/* What waits to be written, however long it takes. */
static void
drain (SsOutput *o)
{
  guint len = o->pages->len;
  if (len > 0 && is_open (o)
      && (o->player != NULL ? write_player (o, o->pages->data, len)
                            : write_fd (o, o->pages->data, len))) {
    g_mutex_lock (&o->lock);
    note_written (o, len);
    g_mutex_unlock (&o->lock);
  }
  g_byte_array_set_size (o->pages, 0);
  o->n_paged = 0;
}

/* The player hears one link to its end before the next one begins. */
static void
play_out (SsOutput *o)
{
  if (o->player == NULL)
    return;
  ss_player_end_link (o->player);
  for (unsigned ms = 0; ms < PLAYER_DRAIN_MSEC; ms += PLAYER_POLL_MSEC)
    if (wait_for_stop (o, 0)
        || ss_player_drain (o->player, PLAYER_POLL_MSEC * SS_MSEC))
      return;
}

typedef enum { NEXT_ITEM, NEXT_FLUSH, NEXT_FINISH, NEXT_STOP } Next;

/* Waits for something to do. Frames that came together share pages, and wait
 * for no others. */
static Next
next (SsOutput *o, Item *ret_item)
{
  Next next = NEXT_FLUSH;
  g_mutex_lock (&o->lock);
  o->is_working = false;
  while (!o->stopping && !o->finished && o->n_items == 0 && !is_whole (o))
    g_cond_wait (&o->wake, &o->lock);
  o->is_working = true;
  if (o->stopping || o->status.state != SS_OUTPUT_OPEN)
    next = NEXT_STOP;
  else if (o->headers != NULL) {
    *ret_item = (Item){ .headers = g_steal_pointer (&o->headers) };
    next = NEXT_ITEM;
  } else if (o->n_items > 0) {
    *ret_item = pop (o);
    next = NEXT_ITEM;
  } else if (o->finished)
    next = NEXT_FINISH;
  g_mutex_unlock (&o->lock);
  return next;
}

static gpointer
run (gpointer data)
{
  SsOutput *o = data;
  /* Writing to a closed pipe is no reason to die, whatever the program thinks
   * of it elsewhere. */
  sigset_t set;
  sigemptyset (&set);
  sigaddset (&set, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  for (;;) {
    Item item;
    switch (next (o, &item)) {
    case NEXT_ITEM: {
      bool is_link = item.headers != NULL;
      mux (o, &item);
      if (is_link || o->pages->len >= PIPE_BUF)
        drain (o);
      if (is_link)
        play_out (o);
      break;
    }
    case NEXT_FLUSH:
      flush (o);
      drain (o);
      break;
    case NEXT_FINISH:
      ss_ogg_writer_finish (o->writer);
      drain (o);
      play_out (o);
      if (is_open (o))
        settle (o, SS_OUTPUT_DONE, NULL);
      return NULL;
    case NEXT_STOP:
      return NULL;
    }
  }
}
