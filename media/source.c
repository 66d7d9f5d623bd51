/* The thread that plays the sources in their order; see source.h. */
#include "media/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/error.h"
#include "media/item_queue.h"
#include "media/source_play.h"

struct SsSource {
  char **sources;
  bool loop;
  SsItemQueue *queue;
  SsSourcePlay play;
  GThread *thread;
};

static gpointer run (gpointer data);

static bool
check_path (const char *path, GError **error)
{
  struct stat status;
  const char *reason = NULL;
  const char *advice = "check its name, and that you may read it";
  if (stat (path, &status) < 0 || access (path, R_OK) < 0)
    reason = g_strerror (errno);
  else if (S_ISDIR (status.st_mode)) {
    reason = "it is a folder";
    advice = "name the files in it";
  } else if (S_ISREG (status.st_mode) && status.st_size == 0) {
    reason = "it is empty";
    advice = "give a file with sound in it";
  }
  if (reason == NULL)
    return true;
  g_set_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_UNREADABLE,
               "cannot read %s: %s; %s", path, reason, advice);
  return false;
}

static bool
check_sources (const SsSourceOptions *options, GError **error)
{
  unsigned n_stdin = 0;
  for (unsigned i = 0; options->sources[i] != NULL; i++) {
    const char *name = options->sources[i];
    g_autofree char *path = NULL;
    if (strcmp (name, "-") == 0) {
      n_stdin++;
      continue;
    }
    if (ss_source_is_uri (name, &path) && path == NULL)
      continue;
    if (!check_path (path != NULL ? path : name, error))
      return false;
  }
  if (n_stdin > 1 || (n_stdin == 1 && options->loop)) {
    g_set_error_literal (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_UNREADABLE,
                         "standard input (-) can be played only once; give "
                         "it once and without --loop");
    return false;
  }
  return true;
}

SsSource *
ss_source_new (const SsSourceOptions *options, GError **error)
{
  if (options->sources == NULL || options->sources[0] == NULL) {
    g_set_error_literal (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_UNREADABLE,
                         "no source to play");
    return NULL;
  }
  if (!check_sources (options, error))
    return NULL;
  uint32_t bitrate =
      options->bitrate != 0 ? options->bitrate : SS_SOURCE_BITRATE_DEFAULT;
  SsSource *source = g_new0 (SsSource, 1);
  source->sources = g_strdupv ((char **) options->sources);
  source->loop = options->loop;
  source->queue = ss_item_queue_new ();
  source->play.queue = source->queue;
  source->play.bitrate =
      CLAMP (bitrate, SS_SOURCE_BITRATE_MIN, SS_SOURCE_BITRATE_MAX);
  source->thread = g_thread_new ("ss-source", run, source);
  return source;
}

void
ss_source_free (SsSource *source)
{
  if (source == NULL)
    return;
  ss_item_queue_stop (source->queue);
  g_thread_join (source->thread);
  ss_item_queue_free (source->queue);
  g_strfreev (source->sources);
  g_free (source);
}

bool
ss_source_pull (SsSource *source, SsSourceItem *ret_item)
{
  return ss_item_queue_pull (source->queue, ret_item);
}

void
ss_source_item_clear (SsSourceItem *item)
{
  g_clear_pointer (&item->headers, ss_codec_headers_free);
  g_clear_pointer (&item->frame.data, g_bytes_unref);
  g_clear_pointer (&item->name, g_free);
  g_clear_error (&item->error);
}

int
ss_source_fd (const SsSource *source)
{
  return ss_item_queue_fd (source->queue);
}

/* One time through the list; false when that was the last. A source that
 * fails before anything was heard ends it all, for whoever started this is
 * still watching; later ones are left out. */
static bool
play_list (SsSource *source)
{
  SsSourcePlay *play = &source->play;
  uint64_t number_before = play->number;
  for (unsigned i = 0; source->sources[i] != NULL; i++) {
    GError *cause = NULL;
    if (ss_source_play (play, source->sources[i], &cause))
      continue;
    if (cause == NULL)
      return false;
    bool fatal = play->number == 0;
    SsSourceItem item = { .kind = fatal ? SS_SOURCE_ERROR : SS_SOURCE_WARNING,
                          .error = cause };
    if (!ss_item_queue_push (play->queue, &item) || fatal)
      return false;
  }
  if (source->loop && play->number > number_before)
    return true;
  SsSourceItem item = { .kind = SS_SOURCE_END };
  ss_item_queue_push (play->queue, &item);
  return false;
}

static gpointer
run (gpointer data)
{
  while (play_list (data))
    continue;
  return NULL;
}
