/* A broadcast, from the first look at its sources to the orderly end:
 *
 *   OPENING   the first source's headers are awaited: what cannot be played
 *             never goes on the air
 *   CHECKING  the ring is joined (or made) and asked for this key
 *   STANDBY   another is on the air with it: the sources play to nobody
 *   LIVE      frames go out in real time
 *   ENDING    the last packets are acknowledged
 *   LEAVING   the node leaves the ring */
#include "apps/broadcast.h"

#include <glib-unix.h>
#include <sodium.h>
#include <string.h>

#include "media/burst.h"
#include "media/source.h"
#include "net/key_file.h"
#include "net/signals.h"
#include "net/stations.h"

/* A frame that the source brings later than this: the timeline goes on from
 * now, so that receivers hear a pause and not a shrinking buffer. */
#define LATE_MAX (100 * SS_MSEC)
/* One that was there, while this process had no turn, is made up for out of
 * the receivers' buffers: up to this part of the latency. */
#define STALL_DIVISOR 2

/* After a signal: what remains for the leave when the end takes long. */
#define END_TIME_ON_SIGNAL (700 * SS_MSEC)

typedef enum { OPENING, CHECKING, STANDBY, LIVE, ENDING, LEAVING } State;

typedef struct {
  SsProgram *program;
  const SsBroadcastOptions *options;
  SsHost *host;
  SsSource *source;
  SsOwnStation station;
  SsKey key;
  State state;
  GSource *source_watch;
  SsAlarm *pace;     /* the next frame is due */
  SsAlarm *patience; /* the end takes too long */
  bool is_signalled;
  SsTime quit_by;

  SsCodecHeaders *headers; /* of what plays to nobody; NULL: none */
  bool has_item;           /* pulled, not yet due */
  SsSourceItem item;
  SsTime live_at; /* when the session's time began */
  SsTime origin;  /* when the sources' time 0 is or was, by the clock */
  bool has_origin;
  SsTime empty_at; /* when the source had nothing last */
  SsBurstOut burst;
} Broadcast;

static void pump (Broadcast *air);

static void
leave (Broadcast *air)
{
  if (air->state == LEAVING)
    return;
  air->state = LEAVING;
  ss_host_leave (air->host);
}

static void
end (Broadcast *air)
{
  if (air->state >= ENDING)
    return;
  State before = air->state;

  air->state = ENDING;
  ss_alarm_set (air->pace, SS_NEVER);
  if (before != LIVE) {
    leave (air);
    return;
  }
  ss_node_end (ss_host_node (air->host), ss_clock_now ());
  ss_host_flush (air->host);
}

static void
on_signal (void *user)
{
  Broadcast *air = user;
  SsTime now = ss_clock_now ();

  air->is_signalled = true;
  air->quit_by = now + SS_PROGRAM_QUIT_TIME;
  ss_alarm_set (air->patience, now + END_TIME_ON_SIGNAL);
  end (air);
}

static void
lose_patience (void *user)
{
  Broadcast *air = user;

  if (air->state == LEAVING) {
    ss_program_quit (air->program);
    return;
  }
  leave (air);
  ss_alarm_set (air->patience, air->quit_by);
}

static void
go_live (Broadcast *air)
{
  const SsBroadcastOptions *options = air->options;
  SsAddr addr = ss_host_address (air->host);
  char fingerprint[SS_FINGERPRINT_STRLEN], addr_text[SS_ADDR_STRLEN];
  GError *error = NULL;

  air->state = LIVE;
  air->live_at = ss_clock_now ();
  ss_fingerprint_format (&air->key, fingerprint);
  ss_addr_format (&addr, addr_text);
  ss_program_say (air->program, SS_LOG_INFO,
                  "on the air: %s, key %s, address %s", options->group,
                  fingerprint, addr_text);
  if (air->headers != NULL)
    ss_node_push_headers (ss_host_node (air->host), air->live_at, air->headers);
  if (!ss_own_station_save_session (
          &air->station, ss_node_session (ss_host_node (air->host)), &error)) {
    ss_program_say (air->program, SS_LOG_ERROR, "%s", error->message);
    g_error_free (error);
  }
  pump (air);
}

/* The sources play on, to nobody: those that are live would stop else, and a
 * file is where the other's is if both began together. */
static void
stand_by (Broadcast *air, const char *rival)
{
  air->state = STANDBY;
  ss_program_say (air->program, SS_LOG_INFO,
                  "standing by: %s is on the air from %s", air->options->group,
                  rival);
  pump (air);
}

static void
fail (Broadcast *air, int status, const char *message)
{
  ss_program_fail (air->program, status, "%s", message);
  end (air);
}

static void
on_event (void *user, const SsEvent *event)
{
  Broadcast *air = user;

  switch (event->type) {
  case SS_EVENT_ON_AIR:
    if (air->state == CHECKING || air->state == STANDBY)
      go_live (air);
    break;
  case SS_EVENT_STANDBY:
    if (air->state < ENDING)
      stand_by (air, event->text);
    break;
  case SS_EVENT_TAKEN: {
    char fingerprint[SS_FINGERPRINT_STRLEN];

    ss_fingerprint_format (&air->key, fingerprint);
    ss_program_fail (air->program, SS_NET_ERROR_FAILED,
                     "%s with key %s is on the air already, from %s; end that "
                     "broadcast first, give another --station-key, or stand "
                     "by with --standby",
                     air->options->group, fingerprint, event->text);
    leave (air);
    break;
  }
  case SS_EVENT_ENDED:
    if (air->state == STANDBY)
      ss_program_say (air->program, SS_LOG_INFO, "%s has ended",
                      air->options->group);
    if (air->state == STANDBY || air->state == ENDING)
      leave (air);
    break;
  case SS_EVENT_LEFT:
    ss_program_quit (air->program);
    break;
  default:
    break;
  }
}

static void
publish (Broadcast *air)
{
  const SsBroadcastOptions *options = air->options;
  SsPublishOptions publish = {
    .name = options->group,
    .title = options->title,
    .description = options->description,
    .parity = options->parity,
    .latency = options->latency,
    .session_min = air->station.session + 1,
    .is_standby = options->is_standby,
  };

  air->state = CHECKING;
  memcpy (publish.seed, air->station.seed, sizeof publish.seed);
  ss_node_publish (ss_host_node (air->host), ss_clock_now (), &publish);
  sodium_memzero (publish.seed, sizeof publish.seed);
  ss_host_flush (air->host);
}

/* Is the frame so late that the timeline has to go on from now? */
static bool
is_break (const Broadcast *air, SsTime now, SsTime due)
{
  bool was_there = air->empty_at < due;

  return now - due
         > (was_there ? air->options->latency / STALL_DIVISOR : LATE_MAX);
}

/* True when the item is done with, false when it has to wait. */
static bool
push_frame (Broadcast *air)
{
  SsFrame frame = air->item.frame;
  SsTime now = ss_clock_now ();

  if (!air->has_origin || is_break (air, now, air->origin + frame.timestamp)) {
    air->origin = now - frame.timestamp;
    air->has_origin = true;
  }
  SsTime due = air->origin + frame.timestamp;

  if (!ss_burst_out_take (&air->burst, now, due, g_bytes_get_size (frame.data),
                          air->options->latency)) {
    ss_alarm_set (air->pace, due);
    return false;
  }
  if (air->state == STANDBY)
    return true;
  frame.timestamp = due - air->live_at;
  ss_node_push_frame (ss_host_node (air->host), now, &frame);
  return true;
}

/* Deals with the item at hand; false when it has to wait. */
static bool
use_item (Broadcast *air)
{
  switch (air->item.kind) {
  case SS_SOURCE_HEADERS:
    if (air->state == OPENING)
      publish (air);
    if (air->state == CHECKING)
      return false;
    g_clear_pointer (&air->headers, ss_codec_headers_free);
    air->headers = ss_codec_headers_copy (air->item.headers);
    if (air->state == STANDBY)
      return true;
    ss_program_say (air->program, SS_LOG_INFO, "playing %s", air->item.name);
    ss_node_push_headers (ss_host_node (air->host), ss_clock_now (),
                          air->item.headers);
    return true;
  case SS_SOURCE_FRAME:
    return air->state != CHECKING && push_frame (air);
  case SS_SOURCE_WARNING:
    ss_program_say (air->program, SS_LOG_ERROR, "%s", air->item.error->message);
    return true;
  case SS_SOURCE_ERROR:
    fail (air, SS_NET_ERROR_SOURCE, air->item.error->message);
    return true;
  case SS_SOURCE_END:
    end (air);
    return true;
  }
  g_assert_not_reached ();
}

static void
pump (Broadcast *air)
{
  while (air->state < ENDING) {
    if (!air->has_item && !ss_source_pull (air->source, &air->item)) {
      air->empty_at = ss_clock_now ();
      break;
    }
    air->has_item = true;
    if (!use_item (air))
      break;
    air->has_item = false;
    ss_source_item_clear (&air->item);
  }
  ss_host_flush (air->host);
}

static void
on_due (void *user)
{
  pump (user);
}

static gboolean
on_source_ready (int fd, GIOCondition condition, void *user)
{
  pump (user);
  return G_SOURCE_CONTINUE;
}

static bool
open_station (Broadcast *air, GError **error)
{
  const SsBroadcastOptions *options = air->options;
  g_autofree char *path =
      options->station_key_file != NULL
          ? g_strdup (options->station_key_file)
          : ss_own_station_path (ss_host_dirs (air->host)->data,
                                 options->group);
  uint8_t random[32];

  /* A new key would be a rival of the same name. */
  if (options->is_standby && !ss_key_file_exists (path)) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                 "--standby needs the key of the station that it stands by "
                 "for, and there is no %s; copy it there, or give "
                 "--station-key",
                 path);
    return false;
  }
  ss_host_random (air->host, random, sizeof random);
  bool ok = ss_own_station_open (&air->station, path, random, error);

  sodium_memzero (random, sizeof random);
  if (!ok)
    return false;
  ss_link_key_of_seed (air->station.seed, &air->key);
  if (air->station.is_new)
    ss_program_say (air->program, SS_LOG_INFO,
                    "made a key for the station %s in %s; keep a copy",
                    options->group, path);
  return true;
}

static bool
start (Broadcast *air, SsHostOptions *host, GError **error)
{
  SsSourceOptions source = {
    .sources = air->options->sources,
    .loop = air->options->loop,
    .bitrate = air->options->bitrate,
  };

  host->may_stand_alone = true;
  host->event = on_event;
  host->user = air;
  air->source = ss_source_new (&source, error);
  if (air->source == NULL)
    return false;
  air->host = ss_host_new (host, error);
  if (air->host == NULL || !open_station (air, error))
    return false;
  air->pace = ss_alarm_new (NULL, on_due, air);
  air->patience = ss_alarm_new (NULL, lose_patience, air);
  air->source_watch =
      g_unix_fd_source_new (ss_source_fd (air->source), G_IO_IN);
  ss_source_spare_wakeups (air->source_watch);
  g_source_set_callback (air->source_watch, G_SOURCE_FUNC (on_source_ready),
                         air, NULL);
  g_source_attach (air->source_watch, NULL);
  ss_signals_catch (on_signal, air);
  ss_host_start (air->host);
  pump (air);
  return true;
}

int
ss_broadcast_run (SsProgram *program, SsHostOptions *host,
                  const SsBroadcastOptions *options)
{
  Broadcast air = {
    .program = program,
    .options = options,
    .station.lock_fd = -1,
    .quit_by = SS_NEVER,
  };
  GError *error = NULL;

  if (start (&air, host, &error))
    ss_program_run (program);
  else
    ss_program_fail_error (program, error);
  if (air.source_watch != NULL) {
    g_source_destroy (air.source_watch);
    g_source_unref (air.source_watch);
  }
  if (air.has_item)
    ss_source_item_clear (&air.item);
  g_clear_pointer (&air.headers, ss_codec_headers_free);
  ss_alarm_free (air.pace);
  ss_alarm_free (air.patience);
  g_clear_pointer (&air.source, ss_source_free);
  ss_host_free (air.host);
  ss_own_station_clear (&air.station);
  return program->status;
}
