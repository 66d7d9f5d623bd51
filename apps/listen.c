/* A listener, from the first question to the last page:
 *
 *   FINDING  the ring is joined and asked for the station (apps/finder.h)
 *   TUNED    the station is known, its first frame is awaited
 *   PLAYING  frames go to the output as they fall due
 *   CLOSING  the output is brought to its end while the node leaves
 *
 * With --control, lines name other stations. The one that is heard goes on
 * until the other is found; then the state is TUNED again. What fails with one
 * that a line has named is said, and another line awaited. */
#include "apps/listen.h"

#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "apps/control.h"
#include "apps/finder.h"
#include "media/output.h"
#include "net/signals.h"
#include "net/stations.h"

/* Beyond latency and buffer, for the first frame of a station that is known. */
#define FIRST_FRAME_TIME (5 * SS_SEC)

typedef enum { FINDING, TUNED, PLAYING, CLOSING } State;

typedef struct {
  SsProgram *program;
  const SsListenOptions *options;
  SsHost *host;
  SsOutput *output;
  GSource *output_watch;
  State state;
  SsFinder *finder;
  SsControl *control; /* NULL: no lines are awaited */
  bool has_control;   /* and none ended */
  char *name;         /* of the station that was found last */
  char key[SS_FINGERPRINT_STRLEN];
  SsTime tune_since; /* it was asked for */

  bool is_silent;
  bool has_left, has_output; /* node gone; output in its final state */
  bool has_dropped, is_mute; /* the output: both are said once */
  bool is_given_up;          /* the station: it awaits a line, or a search */
  SsAlarm *deadline;         /* of the state: --duration, --rejoin, quitting */
  SsTime silence_until;
  SsTime end_at; /* --duration */
} Listener;

static void
finish_if_closed (Listener *listener)
{
  if (listener->has_left && listener->has_output)
    ss_program_quit (listener->program);
}

/* Ends the output in an orderly way and leaves the ring. */
static void
close_down (Listener *listener)
{
  if (listener->state == CLOSING)
    return;
  listener->state = CLOSING;
  ss_finder_stop (listener->finder);
  ss_alarm_set (listener->deadline, SS_NEVER);
  ss_output_finish (listener->output);
  ss_host_note_stats (listener->host);
  ss_node_unlisten (ss_host_node (listener->host), ss_clock_now ());
  ss_host_leave (listener->host);
  finish_if_closed (listener);
}

static void
on_signal (void *user)
{
  Listener *listener = user;

  close_down (listener);
  /* A reader that does not read is not waited for any longer. */
  ss_alarm_set (listener->deadline, ss_clock_now () + SS_PROGRAM_QUIT_TIME);
}

static void
fail (Listener *listener, int status, const char *message)
{
  ss_program_fail (listener->program, status, "%s", message);
  close_down (listener);
}

/* Finding. */

static void
on_found (void *user, const SsDescriptor *station)
{
  Listener *listener = user;
  const SsListenOptions *options = listener->options;
  SsNode *node = ss_host_node (listener->host);
  SsTime now = ss_clock_now ();
  char key[SS_FINGERPRINT_STRLEN];
  g_autofree char *title = ss_printable (station->title);
  const char *name = station->params.name;

  ss_fingerprint_format (&station->params.key, key);
  if (listener->state == PLAYING && strcmp (listener->name, name) == 0
      && strcmp (listener->key, key) == 0)
    return; /* it is heard already */
  ss_program_say (listener->program, SS_LOG_INFO, "tuning in to %s%s%s, key %s",
                  name, *title == '\0' ? "" : ": ", title, key);
  g_free (listener->name);
  listener->name = g_strdup (name);
  memcpy (listener->key, key, sizeof key);
  listener->state = TUNED;
  listener->is_given_up = false;
  listener->is_silent = false;
  listener->silence_until = SS_NEVER;
  SsTime patience =
      MAX (listener->tune_since + options->wait,
           now + station->params.latency + options->buffer + FIRST_FRAME_TIME);

  ss_alarm_set (listener->deadline, MIN (patience, listener->end_at));
  ss_node_unlisten (node, now);
  ss_node_listen (node, now, station, options->buffer);
}

/* No reason to end while another is heard, or a line may name one. */
static void
on_trouble (void *user, int status, const char *message)
{
  Listener *listener = user;

  if (listener->name != NULL
      && (listener->has_control || listener->state == PLAYING)) {
    ss_program_say (listener->program, SS_LOG_ERROR, "%s", message);
    if (listener->state == TUNED && listener->is_given_up)
      ss_alarm_set (listener->deadline, listener->end_at);
  } else {
    fail (listener, status, message);
  }
}

static const SsFinderUpcalls finder_upcalls = { .found = on_found,
                                                .failed = on_trouble };

static void
on_line (void *user, const char *line)
{
  Listener *listener = user;
  SsStationSpec station;
  GError *error = NULL;

  if (listener->state == CLOSING)
    return;
  if (line == NULL) {
    listener->has_control = false;
    /* Nobody will help it on, but for what may come yet. */
    if (listener->is_given_up && ss_finder_station (listener->finder) == NULL)
      ss_alarm_set (listener->deadline,
                    MIN (ss_clock_now () + FIRST_FRAME_TIME, listener->end_at));
    return;
  }
  if (!ss_station_spec_parse (line, &station, &error)) {
    ss_program_say (listener->program, SS_LOG_ERROR, "%s", error->message);
    g_error_free (error);
    return;
  }
  listener->tune_since = ss_clock_now ();
  ss_finder_start (listener->finder, &station, listener->tune_since,
                   listener->options->wait);
}

/* Known, but nothing comes. */
static void
give_up (Listener *listener)
{
  g_autofree char *message = g_strdup_printf (
      "%s is known, but nothing comes from it; is its broadcaster still "
      "running?",
      listener->name);

  listener->is_given_up = true;
  on_trouble (listener, SS_NET_ERROR_NO_STATION, message);
}

/* What is heard has ended: is another sought? Then that is awaited. */
static bool
await_search (Listener *listener)
{
  if (ss_finder_station (listener->finder) == NULL)
    return false;
  ss_node_unlisten (ss_host_node (listener->host), ss_clock_now ());
  listener->state = TUNED;
  listener->is_given_up = true;
  ss_alarm_set (listener->deadline, listener->end_at);
  return true;
}

/* Playing. */

static void
set_playing_deadline (Listener *listener)
{
  ss_alarm_set (listener->deadline,
                MIN (listener->end_at, listener->silence_until));
}

static void
on_frame (Listener *listener, const SsFrame *frame, bool more)
{
  if (listener->state == TUNED) {
    SsTime now = ss_clock_now ();
    SsTime tune_in = now - listener->tune_since;

    listener->state = PLAYING;
    ss_host_set_tune_in (listener->host, tune_in);
    ss_program_say (listener->program, SS_LOG_DEBUG, "first frame after %d ms",
                    (int) (tune_in / SS_MSEC));
    if (listener->options->duration != SS_NEVER && listener->end_at == SS_NEVER)
      listener->end_at = now + listener->options->duration;
    set_playing_deadline (listener);
  }
  if (listener->state == PLAYING)
    ss_output_frame (listener->output, frame, more);
}

static void
on_silent (Listener *listener, bool is_silent)
{
  const char *name = listener->name;
  double rejoin = (double) listener->options->rejoin / (double) SS_SEC;

  if (listener->state != PLAYING || is_silent == listener->is_silent)
    return;
  listener->is_silent = is_silent;
  if (is_silent) {
    ss_program_say (listener->program, SS_LOG_ERROR,
                    "nothing heard from the broadcaster of %s; waiting %g s "
                    "for it to return",
                    name, rejoin);
    listener->silence_until = ss_clock_now () + listener->options->rejoin;
  } else {
    ss_program_say (listener->program, SS_LOG_ERROR, "%s is back", name);
    listener->silence_until = SS_NEVER;
  }
  set_playing_deadline (listener);
}

static void
on_deadline (void *user)
{
  Listener *listener = user;
  SsTime now = ss_clock_now ();

  switch (listener->state) {
  case FINDING:
    break;
  case TUNED:
    if (now >= listener->end_at)
      close_down (listener);
    else
      give_up (listener);
    break;
  case PLAYING:
    if (now >= listener->end_at) {
      close_down (listener);
    } else {
      g_autofree char *message = g_strdup_printf (
          "the broadcaster of %s did not return within %g s; try again later",
          listener->name, (double) listener->options->rejoin / (double) SS_SEC);

      if (await_search (listener))
        ss_program_say (listener->program, SS_LOG_ERROR, "%s", message);
      else
        fail (listener, SS_NET_ERROR_FAILED, message);
    }
    break;
  case CLOSING:
    ss_program_quit (listener->program);
    break;
  }
}

static void
on_event (void *user, const SsEvent *event)
{
  Listener *listener = user;

  switch (event->type) {
  case SS_EVENT_STATE:
  case SS_EVENT_STATIONS:
    ss_finder_event (listener->finder, event);
    break;
  case SS_EVENT_HEADERS:
    if (listener->state == TUNED || listener->state == PLAYING)
      ss_output_headers (listener->output, event->headers);
    break;
  case SS_EVENT_FRAME:
    on_frame (listener, &event->frame, event->flag);
    break;
  case SS_EVENT_SILENT:
    on_silent (listener, event->flag);
    break;
  case SS_EVENT_ENDED:
    ss_program_say (listener->program, SS_LOG_INFO, "%s has ended",
                    listener->name);
    if (!await_search (listener))
      close_down (listener);
    break;
  case SS_EVENT_LEFT:
    listener->has_left = true;
    finish_if_closed (listener);
    break;
  default:
    break;
  }
}

static gboolean
on_output (int fd, GIOCondition condition, void *user)
{
  Listener *listener = user;
  SsOutputStatus status;

  ss_output_status (listener->output, &status);
  if (status.frames_dropped > 0 && !listener->has_dropped) {
    listener->has_dropped = true;
    ss_program_say (listener->program, SS_LOG_ERROR,
                    "the reader is too slow: frames are left out");
  }
  if (status.is_mute && !listener->is_mute) {
    listener->is_mute = true;
    ss_program_say (listener->program, SS_LOG_ERROR,
                    "no sound device was found: nothing is heard; pipe to a "
                    "player, or write to a file with --output");
  }
  if (status.state == SS_OUTPUT_OPEN || listener->has_output)
    return G_SOURCE_CONTINUE;
  listener->has_output = true;
  if (status.state == SS_OUTPUT_FAILED) {
    GError *error = ss_output_take_error (listener->output);

    if (error != NULL)
      ss_program_fail_error (listener->program, error);
    else
      ss_program_fail (listener->program, SS_NET_ERROR_FAILED,
                       "the output cannot be written");
  }
  close_down (listener);
  finish_if_closed (listener);
  return G_SOURCE_CONTINUE;
}

static bool
open_output (Listener *listener, GError **error)
{
  const SsListenOptions *options = listener->options;
  uint32_t serial;

  ss_host_random (listener->host, (uint8_t *) &serial, sizeof serial);
  if (options->output_file != NULL)
    listener->output = ss_output_new_file (options->output_file, serial, error);
  else if (isatty (STDOUT_FILENO))
    listener->output = ss_output_new_player (NULL, error);
  else
    listener->output =
        ss_output_new_fd (STDOUT_FILENO, "standard output", serial);
  if (listener->output == NULL)
    return false;
  listener->output_watch =
      g_unix_fd_source_new (ss_output_fd (listener->output), G_IO_IN);
  ss_source_spare_wakeups (listener->output_watch);
  g_source_set_callback (listener->output_watch, G_SOURCE_FUNC (on_output),
                         listener, NULL);
  g_source_attach (listener->output_watch, NULL);
  return true;
}

static bool
start (Listener *listener, SsHostOptions *host, GError **error)
{
  host->event = on_event;
  host->user = listener;
  listener->host = ss_host_new (host, error);
  if (listener->host == NULL || !open_output (listener, error))
    return false;
  listener->deadline = ss_alarm_new (NULL, on_deadline, listener);
  listener->finder = ss_finder_new (listener->program, listener->host,
                                    &finder_upcalls, listener);
  listener->tune_since = listener->program->started;
  ss_finder_start (listener->finder, listener->options->station,
                   listener->tune_since, listener->options->wait);
  listener->has_control = listener->options->has_control;
  if (listener->has_control)
    listener->control = ss_control_new (STDIN_FILENO, on_line, listener);
  ss_signals_catch (on_signal, listener);
  ss_host_start (listener->host);
  return true;
}

static void
clear (Listener *listener)
{
  if (listener->output_watch != NULL) {
    g_source_destroy (listener->output_watch);
    g_source_unref (listener->output_watch);
  }
  ss_control_free (listener->control);
  ss_finder_free (listener->finder);
  ss_alarm_free (listener->deadline);
  g_clear_pointer (&listener->output, ss_output_free);
  ss_host_free (listener->host);
  g_free (listener->name);
}

int
ss_listen_run (SsProgram *program, SsHostOptions *host,
               const SsListenOptions *options)
{
  Listener listener = {
    .program = program,
    .options = options,
    .silence_until = SS_NEVER,
    .end_at = SS_NEVER,
  };
  GError *error = NULL;

  if (start (&listener, host, &error))
    ss_program_run (program);
  else
    ss_program_fail_error (program, error);
  clear (&listener);
  return program->status;
}
