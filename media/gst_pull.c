/* Pipelines to pull from; see gst_pull.h. For instance, what
 * SS_GST_PULL_OPUS does is
 *
 *   gst-launch-1.0 uridecodebin uri=URI ! audioconvert ! audioresample !
 *     audio/x-raw,rate=48000,channels=[1,2] ! opusenc ! appsink */
#include "media/gst_pull.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <stdbool.h>

#include "media/error.h"

#define FEED_CHUNK_LEN 16384
#define SINK_BUFFERS   64
/* How long a stalled source can delay the end of the program. */
#define PULL_TIMEOUT_NS (100 * GST_MSECOND)

struct SsGstPull {
  GstElement *pipeline;
  GstAppSink *sink;
  GstElement *convert; /* where decoded audio goes; NULL if none is decoded */
  SsGstFeed feed;
  gpointer user_data;
};

static GstElement *build (SsGstPull *pull, const SsGstPullOptions *options,
                          GError **error);
static void need_data (GstAppSrc *source, guint len, gpointer user_data);

SsGstPull *
ss_gst_pull_new (const SsGstPullOptions *options, GError **error)
{
  GError *cause = NULL;
  if (!gst_init_check (NULL, NULL, &cause)) {
    g_set_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_DECODER,
                 "GStreamer does not start: %s", cause->message);
    g_error_free (cause);
    return NULL;
  }
  SsGstPull *pull = g_new0 (SsGstPull, 1);
  pull->feed = options->feed;
  pull->user_data = options->user_data;
  pull->pipeline = build (pull, options, &cause);
  if (pull->pipeline == NULL) {
    g_set_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_DECODER,
                 "GStreamer lacks an element (%s); install "
                 "gstreamer1.0-plugins-base and -good",
                 cause->message);
    g_error_free (cause);
    g_free (pull);
    return NULL;
  }
  gst_element_set_state (pull->pipeline, GST_STATE_PLAYING);
  return pull;
}

void
ss_gst_pull_free (SsGstPull *pull)
{
  if (pull == NULL)
    return;
  gst_element_set_state (pull->pipeline, GST_STATE_NULL);
  g_clear_object (&pull->sink);
  g_clear_object (&pull->convert);
  gst_object_unref (pull->pipeline);
  g_free (pull);
}

/* Errors of the resource are about reading it, all others about what is in
 * it. */
static void
take_error (GstMessage *message, GError **error)
{
  g_autoptr (GError) cause = NULL;
  gst_message_parse_error (message, &cause, NULL);
  SsMediaError code = SS_MEDIA_ERROR_NOT_MEDIA;
  if (cause->domain == GST_RESOURCE_ERROR)
    code = SS_MEDIA_ERROR_UNREADABLE;
  else if (cause->domain == GST_CORE_ERROR)
    code = SS_MEDIA_ERROR_DECODER;
  g_set_error_literal (error, SS_MEDIA_ERROR, (gint) code, cause->message);
}

static bool
pop_error (SsGstPull *pull, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pull->pipeline);
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  if (message == NULL)
    return false;
  take_error (message, error);
  return true;
}

SsGstPullResult
ss_gst_pull_next (SsGstPull *pull, GstSample **ret_sample, GError **error)
{
  GstSample *sample =
      gst_app_sink_try_pull_sample (pull->sink, PULL_TIMEOUT_NS);
  if (sample != NULL) {
    *ret_sample = sample;
    return SS_GST_PULL_SAMPLE;
  }
  if (pop_error (pull, error))
    return SS_GST_PULL_ERROR;
  return gst_app_sink_is_eos (pull->sink) ? SS_GST_PULL_END : SS_GST_PULL_AGAIN;
}

/* Only the first audio stream is heard; the decoder stops serving the other
 * streams by itself. */
static void
pad_added (GstElement *decoder, GstPad *pad, gpointer user_data)
{
  SsGstPull *pull = user_data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (pull->convert, "sink");
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  if (caps == NULL)
    caps = gst_pad_query_caps (pad, NULL);
  const GstStructure *first = gst_caps_get_structure (caps, 0);
  if (gst_structure_has_name (first, "audio/x-raw")
      && !gst_pad_is_linked (sink))
    gst_pad_link (pad, sink);
}

/* Without audio nothing would ever reach the sink, not even the end. */
static void
no_more_pads (GstElement *decoder, gpointer user_data)
{
  SsGstPull *pull = user_data;
  g_autoptr (GstPad) sink = gst_element_get_static_pad (pull->convert, "sink");
  if (!gst_pad_is_linked (sink))
    GST_ELEMENT_ERROR (decoder, STREAM, WRONG_TYPE, ("it holds no audio"),
                       (NULL));
}

static const char *
description (SsGstPullMode mode, bool fed)
{
  switch (mode) {
  case SS_GST_PULL_OPUS:
    return fed ? "appsrc name=in ! decodebin name=decoder "
                 "audioconvert name=convert ! audioresample ! "
                 "audio/x-raw,rate=48000,channels=(int)[1,2] ! "
                 "opusenc name=encoder ! appsink name=out"
               : "uridecodebin name=decoder "
                 "audioconvert name=convert ! audioresample ! "
                 "audio/x-raw,rate=48000,channels=(int)[1,2] ! "
                 "opusenc name=encoder ! appsink name=out";
  case SS_GST_PULL_FLAC:
    return "appsrc name=in ! flacparse ! appsink name=out";
  case SS_GST_PULL_BYTES:
    break;
  }
  return NULL;
}

/* A bare source element, which also knows URIs that no parser would quote. */
static GstElement *
build_bytes (const char *uri, GError **error)
{
  GstElement *source =
      gst_element_make_from_uri (GST_URI_SRC, uri, NULL, error);
  if (source == NULL)
    return NULL;
  /* Else an icecast server mixes titles into the bytes. */
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (source), "iradio-mode")
      != NULL)
    g_object_set (source, "iradio-mode", FALSE, NULL);
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *sink = gst_element_factory_make ("appsink", "out");
  if (sink == NULL) {
    g_set_error_literal (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                         "no element appsink");
    gst_object_unref (source);
    gst_object_unref (pipeline);
    return NULL;
  }
  gst_bin_add_many (GST_BIN (pipeline), source, sink, NULL);
  gst_element_link (source, sink);
  return pipeline;
}

static void
configure (SsGstPull *pull, GstBin *bin, const SsGstPullOptions *options)
{
  g_autoptr (GstElement) decoder = gst_bin_get_by_name (bin, "decoder");
  g_autoptr (GstElement) encoder = gst_bin_get_by_name (bin, "encoder");
  g_autoptr (GstElement) in = gst_bin_get_by_name (bin, "in");
  pull->convert = gst_bin_get_by_name (bin, "convert");
  pull->sink = GST_APP_SINK (gst_bin_get_by_name (bin, "out"));
  g_object_set (pull->sink, "sync", FALSE, "max-buffers", SINK_BUFFERS, NULL);
  if (encoder != NULL)
    g_object_set (encoder, "bitrate", (gint) options->bitrate, NULL);
  if (decoder != NULL && options->uri != NULL)
    g_object_set (decoder, "uri", options->uri, NULL);
  if (pull->convert != NULL) {
    g_signal_connect (decoder, "pad-added", G_CALLBACK (pad_added), pull);
    g_signal_connect (decoder, "no-more-pads", G_CALLBACK (no_more_pads), pull);
  }
  if (in != NULL) {
    GstAppSrcCallbacks callbacks = { .need_data = need_data };
    gst_app_src_set_callbacks (GST_APP_SRC (in), &callbacks, pull, NULL);
  }
}

static GstElement *
build (SsGstPull *pull, const SsGstPullOptions *options, GError **error)
{
  bool fed = options->uri == NULL;
  g_assert (!fed || options->feed != NULL);
  g_assert (fed || options->mode != SS_GST_PULL_FLAC);
  GstElement *pipeline;
  if (options->mode == SS_GST_PULL_BYTES)
    pipeline = build_bytes (options->uri, error);
  else
    pipeline = gst_parse_launch_full (description (options->mode, fed), NULL,
                                      GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (pipeline != NULL)
    configure (pull, GST_BIN (pipeline), options);
  return pipeline;
}

static void
need_data (GstAppSrc *source, guint len, gpointer user_data)
{
  SsGstPull *pull = user_data;
  uint8_t *chunk = g_malloc (FEED_CHUNK_LEN);
  size_t n = pull->feed (chunk, FEED_CHUNK_LEN, pull->user_data);
  if (n == 0) {
    g_free (chunk);
    gst_app_src_end_of_stream (source);
    return;
  }
  gst_app_src_push_buffer (source, gst_buffer_new_wrapped (chunk, n));
}
