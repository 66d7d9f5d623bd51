/* From one source to items; see source_play.h. Its first bytes decide: Ogg
 * goes through the reader and native FLAC through a parser, packet by packet
 * as they are; all else is decoded and encoded again. So is Ogg with a codec
 * that does not pass. */
#include "media/source_play.h"

#include <gst/audio/audio.h>
#include <string.h>

#include "media/codec.h"
#include "media/error.h"
#include "media/gst_pull.h"
#include "media/header_cut.h"
#include "media/ogg_reader.h"
#include "media/source_input.h"

#define READ_LEN  16384
#define MAGIC_LEN 4

static bool play_ogg (SsSourcePlay *play, SsSourceInput *input, GError **error);
static bool play_gst (SsSourcePlay *play, SsGstPullMode mode, const char *uri,
                      SsSourceInput *input, GError **error);

bool
ss_source_is_uri (const char *name, char **ret_path)
{
  if (ret_path != NULL)
    *ret_path = NULL;
  g_autofree char *scheme = g_uri_parse_scheme (name);
  if (scheme == NULL || strstr (name, "://") == NULL)
    return false;
  if (ret_path != NULL && strcmp (scheme, "file") == 0)
    *ret_path = g_filename_from_uri (name, NULL, NULL);
  return true;
}

/* Only what is fetched as a stream of bytes can be looked at; devices and
 * streaming protocols are GStreamer's alone. */
static bool
is_byte_uri (const char *uri)
{
  g_autofree char *scheme = g_uri_parse_scheme (uri);
  return strcmp (scheme, "http") == 0 || strcmp (scheme, "https") == 0;
}

static bool
play_input (SsSourcePlay *play, SsSourceInput *input, const char *uri,
            GError **error)
{
  uint8_t magic[MAGIC_LEN];
  size_t len = 0, n;
  do
    len += n = ss_source_input_read (input, magic + len, MAGIC_LEN - len);
  while (n > 0 && len < MAGIC_LEN);
  GError *cause = ss_source_input_take_error (input);
  if (cause == NULL && len == 0)
    cause = g_error_new_literal (SS_MEDIA_ERROR, SS_MEDIA_ERROR_NOT_MEDIA,
                                 "it is empty");
  if (cause != NULL) {
    g_propagate_error (error, cause);
    return false;
  }
  ss_source_input_rewind (input);
  if (len == MAGIC_LEN && memcmp (magic, "OggS", MAGIC_LEN) == 0) {
    if (play_ogg (play, input, &cause))
      return true;
    if (cause == NULL || cause->code != SS_MEDIA_ERROR_UNSUPPORTED
        || !(ss_source_input_rewind (input) || uri != NULL)) {
      g_propagate_error (error, cause);
      return false;
    }
    g_clear_error (&cause);
  }
  if (len == MAGIC_LEN && memcmp (magic, "fLaC", MAGIC_LEN) == 0)
    return play_gst (play, SS_GST_PULL_FLAC, NULL, input, error);
  return play_gst (play, SS_GST_PULL_OPUS, uri, input, error);
}

static bool
play_named (SsSourcePlay *play, const char *name, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *uri = NULL;
  g_autoptr (SsSourceInput) input = NULL;
  int stop_fd = ss_item_queue_stop_fd (play->queue);
  if (strcmp (name, "-") == 0)
    input = ss_source_input_new_stdin (stop_fd);
  else if (ss_source_is_uri (name, &path) && path == NULL) {
    if (!is_byte_uri (name))
      return play_gst (play, SS_GST_PULL_OPUS, name, NULL, error);
    uri = g_strdup (name);
    input = ss_source_input_new_uri (name, stop_fd, error);
  } else {
    g_autofree char *full =
        g_canonicalize_filename (path != NULL ? path : name, NULL);
    /* A pipe cannot be opened again by another. */
    if (g_file_test (full, G_FILE_TEST_IS_REGULAR))
      uri = g_filename_to_uri (full, NULL, NULL);
    input = ss_source_input_new_path (full, stop_fd, error);
  }
  return input != NULL && play_input (play, input, uri, error);
}

/* What to do about it. */
static const char *
advice (int code)
{
  switch ((SsMediaError) code) {
  case SS_MEDIA_ERROR_UNREADABLE:
    return "check that it is there and that you may read it";
  case SS_MEDIA_ERROR_DECODER:
    return "check the address, or install the GStreamer plugin for it";
  default:
    return "give a file with sound in it";
  }
}

bool
ss_source_play (SsSourcePlay *play, const char *name, GError **error)
{
  GError *cause = NULL;
  play->name = name;
  play->n_frames = 0;
  bool played = play_named (play, name, &cause);
  g_clear_pointer (&play->headers, ss_codec_headers_free);
  if (ss_item_queue_stopped (play->queue)) {
    g_clear_error (&cause);
    return false;
  }
  if (played && play->n_frames > 0)
    return true;
  if (cause == NULL)
    cause = g_error_new_literal (SS_MEDIA_ERROR, SS_MEDIA_ERROR_TRUNCATED,
                                 "it holds no sound");
  g_strchomp (cause->message);
  if (g_str_has_suffix (cause->message, "."))
    cause->message[strlen (cause->message) - 1] = '\0';
  g_set_error (error, SS_MEDIA_ERROR, cause->code, "cannot play %s: %s; %s",
               name, cause->message, advice (cause->code));
  g_error_free (cause);
  return false;
}

static bool
emit_warning (SsSourcePlay *play, const GError *cause)
{
  SsSourceItem item = { .kind = SS_SOURCE_WARNING };
  item.error = g_error_new (SS_MEDIA_ERROR, cause->code, "%s: %s", play->name,
                            cause->message);
  return ss_item_queue_push (play->queue, &item);
}

/* Takes the headers. They go out with the first frame: a link without frames
 * would be nothing but a version lost. */
static void
emit_headers (SsSourcePlay *play, SsCodecHeaders *headers)
{
  g_clear_pointer (&play->headers, ss_codec_headers_free);
  play->headers = headers;
  play->clock_rate = headers->clock_rate;
  play->link_base = play->end;
}

/* Takes the data; `start` counts samples from the link's first. False when
 * the queue was stopped. */
static bool
emit_frame (SsSourcePlay *play, GBytes *data, int64_t start, uint32_t duration)
{
  if (play->headers != NULL) {
    play->version = play->version == UINT8_MAX ? 1 : play->version + 1;
    SsSourceItem item = { .kind = SS_SOURCE_HEADERS,
                          .headers = g_steal_pointer (&play->headers),
                          .name = g_strdup (play->name) };
    item.headers->version = play->version;
    if (!ss_item_queue_push (play->queue, &item)) {
      g_bytes_unref (data);
      return false;
    }
  }
  SsSourceItem item = {
    .kind = SS_SOURCE_FRAME,
    .frame = {
      .data = data,
      .header_version = play->version,
      .timestamp = play->link_base
                   + ss_samples_to_time (start, play->clock_rate),
      .duration = duration,
      .number = play->number++,
    },
  };
  play->end =
      play->link_base + ss_samples_to_time (start + duration, play->clock_rate);
  play->n_frames++;
  return ss_item_queue_push (play->queue, &item);
}

/* False when this is the end, for good or ill. */
static bool
take_ogg_event (SsSourcePlay *play, SsOggEvent *event, SsSourceInput *input,
                GError **error)
{
  switch (event->kind) {
  case SS_OGG_HEADERS:
    ss_source_input_forget (input);
    emit_headers (play, g_steal_pointer (&event->headers));
    return true;
  case SS_OGG_PACKET:
    return emit_frame (play, g_steal_pointer (&event->data), event->start,
                       event->duration);
  case SS_OGG_WARNING:
    return emit_warning (play, event->error);
  case SS_OGG_ERROR:
    g_propagate_error (error, g_steal_pointer (&event->error));
    return false;
  case SS_OGG_END:
  case SS_OGG_NEED_DATA:
    break;
  }
  return false;
}

static bool
play_ogg (SsSourcePlay *play, SsSourceInput *input, GError **error)
{
  g_autoptr (SsOggReader) reader = ss_ogg_reader_new ();
  g_autofree uint8_t *buffer = g_malloc (READ_LEN);
  SsOggEvent event;
  bool more = true;
  GError *cause = NULL;
  while (more) {
    if (ss_ogg_reader_pull (reader, &event) != SS_OGG_NEED_DATA) {
      more = take_ogg_event (play, &event, input, &cause);
      ss_ogg_event_clear (&event);
      continue;
    }
    size_t n = ss_source_input_read (input, buffer, READ_LEN);
    if (n > 0)
      ss_ogg_reader_push (reader, buffer, n);
    else
      ss_ogg_reader_finish (reader);
  }
  /* Why the bytes ended tells more than that they did. */
  GError *read_error = ss_source_input_take_error (input);
  if (read_error != NULL && play->n_frames == 0) {
    g_clear_error (&cause);
    cause = read_error;
  } else if (read_error != NULL) {
    emit_warning (play, read_error);
    g_error_free (read_error);
  }
  if (cause != NULL)
    g_propagate_error (error, cause);
  return cause == NULL;
}

static size_t
feed_input (uint8_t *buffer, size_t cap, gpointer input)
{
  return ss_source_input_read (input, buffer, cap);
}

static GBytes *
bytes_of_buffer (GstBuffer *buffer)
{
  size_t len = gst_buffer_get_size (buffer);
  uint8_t *data = g_malloc (len);
  gst_buffer_extract (buffer, 0, data, len);
  return g_bytes_new_take (data, len);
}

/* The header packets in the caps; false if these cannot be carried. */
static bool
take_caps (SsSourcePlay *play, GstCaps *caps, SsCodec codec,
           SsCodecParser *parser)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  const GValue *list = gst_structure_get_value (structure, "streamheader");
  if (list == NULL || !GST_VALUE_HOLDS_ARRAY (list))
    return false;
  g_autoptr (GPtrArray) packets =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  for (guint i = 0; i < gst_value_array_get_size (list); i++) {
    const GValue *value = gst_value_array_get_value (list, i);
    g_ptr_array_add (packets, bytes_of_buffer (gst_value_get_buffer (value)));
  }
  bool cut;
  if (!ss_codec_parser_init (parser, codec, (GBytes **) packets->pdata,
                             packets->len)
      || !ss_header_cut (codec, packets, &cut))
    return false;
  emit_headers (play, ss_codec_headers_new (parser, (GBytes **) packets->pdata,
                                            packets->len));
  return true;
}

/* What the encoder added to fill its last frame is not for hearing. */
static uint32_t
clip_end (GstBuffer *buffer, uint32_t duration)
{
  const GstAudioClippingMeta *clip =
      gst_buffer_get_audio_clipping_meta (buffer);
  if (clip == NULL || clip->format != GST_FORMAT_DEFAULT)
    return duration;
  return duration - (uint32_t) MIN (clip->end, duration);
}

typedef struct {
  SsCodec codec;
  SsCodecParser parser;
  GstCaps *caps;
  int64_t position;
} Samples;

static bool
take_sample (SsSourcePlay *play, Samples *samples, GstSample *sample,
             GError **error)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstCaps *caps = gst_sample_get_caps (sample);
  if (samples->caps == NULL || !gst_caps_is_equal (caps, samples->caps)) {
    gst_caps_replace (&samples->caps, caps);
    samples->position = 0;
    if (!take_caps (play, caps, samples->codec, &samples->parser)) {
      g_set_error_literal (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_DECODER,
                           "the codec headers are missing");
      return false;
    }
  }
  if (buffer == NULL || GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_HEADER))
    return true;
  GBytes *data = bytes_of_buffer (buffer);
  uint32_t duration;
  if (!ss_codec_parser_packet (&samples->parser, g_bytes_get_data (data, NULL),
                               g_bytes_get_size (data), &duration)) {
    g_bytes_unref (data);
    return true;
  }
  if (samples->codec == SS_CODEC_OPUS)
    duration = clip_end (buffer, duration);
  int64_t start = samples->position;
  samples->position += duration;
  return emit_frame (play, data, start, duration);
}

static bool
play_gst (SsSourcePlay *play, SsGstPullMode mode, const char *uri,
          SsSourceInput *input, GError **error)
{
  SsGstPullOptions options = { .mode = mode,
                               .uri = uri,
                               .feed = feed_input,
                               .user_data = input,
                               .bitrate = play->bitrate };
  g_autoptr (SsGstPull) pull = ss_gst_pull_new (&options, error);
  if (pull == NULL)
    return false;
  Samples samples = { .codec = mode == SS_GST_PULL_FLAC ? SS_CODEC_FLAC
                                                        : SS_CODEC_OPUS };
  GError *cause = NULL;
  bool more = true;
  while (more && !ss_item_queue_stopped (play->queue)) {
    GstSample *sample = NULL;
    switch (ss_gst_pull_next (pull, &sample, &cause)) {
    case SS_GST_PULL_SAMPLE:
      more = take_sample (play, &samples, sample, &cause);
      gst_sample_unref (sample);
      break;
    case SS_GST_PULL_AGAIN:
      break;
    case SS_GST_PULL_END:
    case SS_GST_PULL_ERROR:
      more = false;
      break;
    }
  }
  gst_caps_replace (&samples.caps, NULL);
  if (input != NULL)
    ss_source_input_cancel (input);
  if (cause != NULL && play->n_frames > 0) {
    emit_warning (play, cause);
    g_clear_error (&cause);
  }
  if (cause != NULL)
    g_propagate_error (error, cause);
  return cause == NULL;
}
