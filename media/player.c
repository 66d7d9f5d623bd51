/* A playback pipeline that is built when the first page of a link comes:
 *
 *   gst-launch-1.0 appsrc ! oggdemux ! decodebin ! audioconvert !
 *     audioresample ! autoaudiosink */
#include "media/player.h"

#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

#include "media/error.h"

/* Sound that waits within the pipeline, a second or more. */
#define QUEUE_BYTES_MAX (256u << 10)

/* Where it finds no device it warns, and swallows the sound. */
#define AUTOMATIC_SINK "autoaudiosink"

struct SsPlayer {
  char *description;
  GstElement *pipeline; /* NULL: between links */
  GstAppSrc *source;
  bool ended; /* the next page begins another link */
  bool is_mute;
};

static GstElement *
build (const SsPlayer *player, GError **error)
{
  GError *cause = NULL;
  GstElement *pipeline = gst_parse_launch_full (
      player->description, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &cause);
  if (pipeline == NULL) {
    g_set_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_OUTPUT,
                 "cannot play: %s; write to a file or a pipe instead, or "
                 "install gstreamer1.0-plugins-good",
                 cause->message);
    g_error_free (cause);
  }
  return pipeline;
}

SsPlayer *
ss_player_new (const char *sink, GError **error)
{
  GError *cause = NULL;
  if (!gst_init_check (NULL, NULL, &cause)) {
    g_set_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_OUTPUT,
                 "GStreamer does not start: %s; write to a file or a pipe "
                 "instead",
                 cause->message);
    g_error_free (cause);
    return NULL;
  }
  SsPlayer *player = g_new0 (SsPlayer, 1);
  player->description = g_strdup_printf (
      "appsrc name=in format=bytes caps=application/ogg "
      "! oggdemux ! decodebin ! audioconvert ! audioresample ! "
      "%s",
      sink != NULL ? sink : AUTOMATIC_SINK);
  /* Better to hear now than with the first frame that something is missing. */
  GstElement *pipeline = build (player, error);
  if (pipeline == NULL) {
    ss_player_free (player);
    return NULL;
  }
  gst_object_unref (pipeline);
  return player;
}

static void
close_pipeline (SsPlayer *player)
{
  if (player->pipeline == NULL)
    return;
  gst_element_set_state (player->pipeline, GST_STATE_NULL);
  player->ended = false;
  g_clear_object (&player->source);
  gst_clear_object (&player->pipeline);
}

void
ss_player_free (SsPlayer *player)
{
  if (player == NULL)
    return;
  close_pipeline (player);
  g_free (player->description);
  g_free (player);
}

static bool
is_automatic_sink (GstObject *object)
{
  GstElementFactory *factory =
      GST_IS_ELEMENT (object) ? gst_element_get_factory (GST_ELEMENT (object))
                              : NULL;
  return factory != NULL
         && g_strcmp0 (GST_OBJECT_NAME (factory), AUTOMATIC_SINK) == 0;
}

/* Hears what the pipeline has to say; true with an error when it failed. */
static bool
failed (SsPlayer *player, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (player->pipeline);
  for (;;) {
    g_autoptr (GstMessage) message =
        gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
    if (message == NULL)
      return false;
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING) {
      player->is_mute |= is_automatic_sink (GST_MESSAGE_SRC (message));
      continue;
    }
    g_autoptr (GError) cause = NULL;
    gst_message_parse_error (message, &cause, NULL);
    g_set_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_OUTPUT,
                 "cannot play: %s; write to a file or a pipe instead",
                 cause->message);
    return true;
  }
}

bool
ss_player_is_mute (const SsPlayer *player)
{
  return player->is_mute;
}

bool
ss_player_is_full (const SsPlayer *player)
{
  return player->pipeline != NULL
         && gst_app_src_get_current_level_bytes (player->source)
                > QUEUE_BYTES_MAX;
}

bool
ss_player_write (SsPlayer *player, const uint8_t *pages, size_t len,
                 GError **error)
{
  if (player->ended)
    close_pipeline (player);
  if (player->pipeline == NULL) {
    player->pipeline = build (player, error);
    if (player->pipeline == NULL)
      return false;
    player->source =
        GST_APP_SRC (gst_bin_get_by_name (GST_BIN (player->pipeline), "in"));
    gst_pipeline_set_latency (GST_PIPELINE (player->pipeline),
                              SS_PLAYER_LATENCY_MSEC * GST_MSECOND);
    gst_element_set_state (player->pipeline, GST_STATE_PLAYING);
  }
  if (failed (player, error))
    return false;
  GstBuffer *buffer = gst_buffer_new_memdup (pages, len);
  gst_app_src_push_buffer (player->source, buffer);
  return true;
}

void
ss_player_end_link (SsPlayer *player)
{
  if (player->pipeline == NULL || player->ended)
    return;
  gst_app_src_end_of_stream (player->source);
  player->ended = true;
}

bool
ss_player_drain (SsPlayer *player, SsTime timeout)
{
  if (player->pipeline == NULL)
    return true;
  g_autoptr (GstBus) bus = gst_element_get_bus (player->pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, (GstClockTime) timeout, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  bool heard = message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
  if (message != NULL)
    close_pipeline (player);
  return heard;
}
