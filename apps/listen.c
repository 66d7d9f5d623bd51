/* A listener, from the first question to the last page:
 *
 *   FINDING  the ring is joined and asked for the station, again and again
 *            until --wait is up
 *   TUNED    the station is known, its first frame is awaited
 *   PLAYING  frames go to the output as they fall due
 *   CLOSING  the output is brought to its end while the node leaves
 *
 * Which key: the one that was asked for; else the one that the name is
 * pinned to; else the only one there is, which is then pinned. */
#include "apps/listen.h"

#include <glib-unix.h>
#include <unistd.h>

#include "media/output.h"
#include "net/signals.h"
#include "net/stations.h"

#define FIND_AGAIN (300 * SS_MSEC)
/* An answer that not enough of the ring gave is asked for again so often. */
#define INCOMPLETE_MAX 3
/* The pinned station may be about to start: so long it has precedence over
 * the refusal of another with its name. */
#define OTHER_KEY_PATIENCE (2 * SS_SEC)
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
  char *known_path;

  bool has_ring;
  bool has_key; /* asked for, or pinned */
  bool is_pinned;
  SsId key;
  bool is_asking; /* an answer is awaited */
  bool asks_any;  /* which keys does the name have? */
  unsigned n_incomplete;
  SsTime other_key_until; /* SS_NEVER: no other key was seen */

  bool is_silent;
  bool has_left, has_output; /* node gone; output in its final state */
  bool has_dropped, is_mute; /* the output: both are said once */
  SsAlarm *again;            /* ask again */
  SsAlarm *deadline; /* of the state: --wait, --duration, --rejoin, quitting */
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
  ss_alarm_set (listener->again, SS_NEVER);
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
ask (Listener *listener)
{
  SsNode *node = ss_host_node (listener->host);
  const char *name = listener->options->station->name;

  if (!listener->has_ring || listener->is_asking || listener->state != FINDING)
    return;
  listener->is_asking = true;
  ss_node_find (node, ss_clock_now (), name,
                listener->has_key && !listener->asks_any ? &listener->key
                                                         : NULL);
  ss_host_flush (listener->host);
}

static void
ask_later (Listener *listener)
{
  ss_alarm_set (listener->again, ss_clock_now () + FIND_AGAIN);
}

static void
on_again (void *user)
{
  ask (user);
}

static void
pin (Listener *listener, const SsId *fingerprint)
{
  const char *name = listener->options->station->name;
  GError *error = NULL;
  SsId known;

  if (ss_known_stations_find (listener->known_path, name, &known))
    return;
  if (!ss_known_stations_pin (listener->known_path, name, fingerprint,
                              &error)) {
    ss_program_say (listener->program, SS_LOG_ERROR, "%s", error->message);
    g_error_free (error);
    return;
  }
  ss_program_say (listener->program, SS_LOG_INFO,
                  "first time here: the key of %s is remembered in %s", name,
                  listener->known_path);
}

static void
tune_in (Listener *listener, const SsDescriptor *station)
{
  const SsListenOptions *options = listener->options;
  SsId fingerprint = ss_id_of_key (&station->params.key);
  char text[SS_FINGERPRINT_STRLEN];
  g_autofree char *title = ss_printable (station->title);
  SsTime now = ss_clock_now ();

  ss_fingerprint_format_id (&fingerprint, text);
  ss_program_say (listener->program, SS_LOG_INFO, "tuning in to %s%s%s, key %s",
                  options->station->name, *title == '\0' ? "" : ": ", title,
                  text);
  pin (listener, &fingerprint);
  listener->state = TUNED;
  ss_alarm_set (listener->again, SS_NEVER);
  ss_alarm_set (
      listener->deadline,
      MAX (listener->program->started + options->wait,
           now + station->params.latency + options->buffer + FIRST_FRAME_TIME));
  ss_node_listen (ss_host_node (listener->host), now, station, options->buffer);
}

static void
list_stations (Listener *listener, const SsEvent *event)
{
  const char *name = listener->options->station->name;

  ss_program_fail (listener->program, SS_NET_ERROR_NO_STATION,
                   "%u stations are called %s; choose one by its key:",
                   event->n_found, name);
  for (unsigned i = 0; i < event->n_found; i++) {
    char text[SS_FINGERPRINT_STRLEN];
    g_autofree char *title = ss_printable (event->found[i].title);

    ss_fingerprint_format (&event->found[i].params.key, text);
    ss_program_say (listener->program, SS_LOG_ERROR, "  ss-listen %s@%s  %s",
                    name, text, title);
  }
  close_down (listener);
}

static void
refuse_other_key (Listener *listener)
{
  char text[SS_FINGERPRINT_STRLEN];

  ss_fingerprint_format_id (&listener->key, text);
  g_autofree char *message = g_strdup_printf (
      "%s is broadcast with another key than %s, which it had before; it is "
      "not "
      "played. If the new key is right, remove the line of %s from %s",
      listener->options->station->name, text, listener->options->station->name,
      listener->known_path);

  fail (listener, SS_NET_ERROR_OTHER_KEY, message);
}

/* The pinned key is not on the air: is another under this name? */
static void
consider_others (Listener *listener, const SsEvent *event)
{
  SsTime now = ss_clock_now ();

  listener->asks_any = false;
  for (unsigned i = 0; i < event->n_found; i++) {
    SsId id = ss_id_of_key (&event->found[i].params.key);

    if (ss_id_equal (&id, &listener->key)) {
      tune_in (listener, &event->found[i]);
      return;
    }
  }
  if (event->n_found == 0)
    listener->other_key_until = SS_NEVER;
  else if (listener->other_key_until == SS_NEVER)
    listener->other_key_until = now + OTHER_KEY_PATIENCE;
  if (now >= listener->other_key_until)
    refuse_other_key (listener);
  else
    ask_later (listener);
}

static void
on_stations (Listener *listener, const SsEvent *event)
{
  listener->is_asking = false;
  if (listener->state != FINDING)
    return;
  if (listener->asks_any) {
    consider_others (listener, event);
    return;
  }
  if (event->n_found == 0) {
    listener->asks_any = listener->is_pinned;
    if (listener->asks_any)
      ask (listener);
    else
      ask_later (listener);
    return;
  }
  /* There may be a second key that was not heard of yet. */
  if (!listener->has_key && !event->complete
      && ++listener->n_incomplete < INCOMPLETE_MAX) {
    ask_later (listener);
    return;
  }
  if (event->n_found == 1 || listener->has_key)
    tune_in (listener, &event->found[0]);
  else
    list_stations (listener, event);
}

static void
give_up (Listener *listener)
{
  const SsListenOptions *options = listener->options;
  const char *name = options->station->name;
  double wait = (double) options->wait / (double) SS_SEC;
  g_autofree char *message = NULL;

  if (listener->state == TUNED) {
    message = g_strdup_printf (
        "%s is known, but nothing comes from it; is its broadcaster still "
        "running?",
        name);
    fail (listener, SS_NET_ERROR_NO_STATION, message);
  } else if (!listener->has_ring) {
    g_autofree char *trouble = ss_host_join_trouble (listener->host);

    message = g_strdup_printf (
        "could not join within %g s: %s; check --bootstrap and --realm-key, or "
        "wait longer with --wait",
        wait, trouble);
    fail (listener, SS_NET_ERROR_NOT_JOINED, message);
  } else if (listener->other_key_until != SS_NEVER) {
    refuse_other_key (listener);
  } else {
    message = g_strdup_printf ("nobody broadcasts %s (asked for %g s); check "
                               "the name and key, or wait "
                               "longer with --wait",
                               name, wait);
    fail (listener, SS_NET_ERROR_NO_STATION, message);
  }
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
    SsTime tune_in = now - listener->program->started;

    listener->state = PLAYING;
    ss_host_set_tune_in (listener->host, tune_in);
    ss_program_say (listener->program, SS_LOG_DEBUG, "first frame after %d ms",
                    (int) (tune_in / SS_MSEC));
    if (listener->options->duration != SS_NEVER)
      listener->end_at = now + listener->options->duration;
    set_playing_deadline (listener);
  }
  if (listener->state == PLAYING)
    ss_output_frame (listener->output, frame, more);
}

static void
on_silent (Listener *listener, bool is_silent)
{
  const char *name = listener->options->station->name;
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
  case TUNED:
    give_up (listener);
    break;
  case PLAYING:
    if (now >= listener->end_at) {
      close_down (listener);
    } else {
      g_autofree char *message = g_strdup_printf (
          "the broadcaster of %s did not return within %g s; try again later",
          listener->options->station->name,
          (double) listener->options->rejoin / (double) SS_SEC);

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
    if (event->state == SS_NODE_JOINED || event->state == SS_NODE_ALONE) {
      listener->has_ring = true;
      ask (listener);
    }
    break;
  case SS_EVENT_STATIONS:
    on_stations (listener, event);
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
                    listener->options->station->name);
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

static void
choose_key (Listener *listener)
{
  const SsStationSpec *station = listener->options->station;

  listener->known_path =
      ss_known_stations_path (ss_host_dirs (listener->host)->data);
  if (station->has_fingerprint) {
    listener->key = station->fingerprint;
    listener->has_key = true;
    return;
  }
  listener->is_pinned = ss_known_stations_find (listener->known_path,
                                                station->name, &listener->key);
  listener->has_key = listener->is_pinned;
}

static bool
start (Listener *listener, SsHostOptions *host, GError **error)
{
  host->event = on_event;
  host->user = listener;
  listener->host = ss_host_new (host, error);
  if (listener->host == NULL || !open_output (listener, error))
    return false;
  choose_key (listener);
  listener->again = ss_alarm_new (NULL, on_again, listener);
  listener->deadline = ss_alarm_new (NULL, on_deadline, listener);
  ss_alarm_set (listener->deadline,
                listener->program->started + listener->options->wait);
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
  ss_alarm_free (listener->again);
  ss_alarm_free (listener->deadline);
  g_clear_pointer (&listener->output, ss_output_free);
  ss_host_free (listener->host);
  g_free (listener->known_path);
}

int
ss_listen_run (SsProgram *program, SsHostOptions *host,
               const SsListenOptions *options)
{
  Listener listener = {
    .program = program,
    .options = options,
    .other_key_until = SS_NEVER,
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
