/* Sources of every kind through real pipelines: what passes is the same
 * packet by packet, what does not becomes Opus of the same length, and what
 * cannot be played says why. */
#include "media/source.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/error.h"
#include "tests/media/ogg_fixture.h"

/* Nothing here takes a second; a hang should not take the whole run. */
#define WAIT_MSEC 20000

typedef struct {
  char *dir;
  GArray *frames;    /* SsFrame */
  GPtrArray *links;  /* SsCodecHeaders */
  GPtrArray *errors; /* GError: warnings, and what ended it */
  SsSourceItemKind last;
} Run;

static Run *
run_new (void)
{
  Run *run = g_new0 (Run, 1);
  run->dir = g_dir_make_tmp ("ss-source-XXXXXX", NULL);
  g_assert_nonnull (run->dir);
  run->frames = g_array_new (FALSE, FALSE, sizeof (SsFrame));
  run->links =
      g_ptr_array_new_with_free_func ((GDestroyNotify) ss_codec_headers_free);
  run->errors = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  return run;
}

static void
run_free (Run *run)
{
  for (unsigned i = 0; i < run->frames->len; i++)
    g_bytes_unref (g_array_index (run->frames, SsFrame, i).data);
  g_array_free (run->frames, TRUE);
  g_ptr_array_unref (run->links);
  g_ptr_array_unref (run->errors);
  GDir *dir = g_dir_open (run->dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name (dir)) != NULL;) {
    g_autofree char *path = g_build_filename (run->dir, name, NULL);
    g_remove (path);
  }
  g_dir_close (dir);
  g_rmdir (run->dir);
  g_free (run->dir);
  g_free (run);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Run, run_free)

static const SsFrame *
frame_at (const Run *run, unsigned i)
{
  g_assert_cmpuint (i, <, run->frames->len);
  return &g_array_index (run->frames, SsFrame, i);
}

static void
wait_readable (int fd)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
  g_assert_cmpint (poll (&poll_fd, 1, WAIT_MSEC), ==, 1);
}

/* Whether more will come. */
static bool
take (Run *run, SsSourceItem *item)
{
  run->last = item->kind;
  if (item->kind == SS_SOURCE_HEADERS) {
    g_assert_nonnull (item->name);
    g_ptr_array_add (run->links, g_steal_pointer (&item->headers));
  } else if (item->kind == SS_SOURCE_FRAME) {
    g_assert_cmpuint (item->frame.number, ==, run->frames->len);
    g_array_append_val (run->frames, item->frame);
    item->frame.data = NULL;
  } else if (item->error != NULL)
    g_ptr_array_add (run->errors, g_steal_pointer (&item->error));
  ss_source_item_clear (item);
  return run->last != SS_SOURCE_END && run->last != SS_SOURCE_ERROR;
}

/* Plays to the end, or until so many frames came. */
static void
play (Run *run, const SsSourceOptions *options, unsigned n_frames_max)
{
  GError *error = NULL;
  g_autoptr (SsSource) source = ss_source_new (options, &error);
  g_assert_no_error (error);
  SsSourceItem item;
  for (;;) {
    if (!ss_source_pull (source, &item))
      wait_readable (ss_source_fd (source));
    else if (!take (run, &item) || run->frames->len == n_frames_max)
      return;
  }
}

static void
play_one (Run *run, const char *name)
{
  const char *const sources[] = { name, NULL };
  SsSourceOptions options = { .sources = sources };
  play (run, &options, G_MAXUINT);
}

static char *
data_path (const char *name)
{
  return g_build_filename (SS_TEST_DATA_DIR, "media/data", name, NULL);
}

static char *
write_file (const Run *run, const char *name, const void *data, size_t len)
{
  char *path = g_build_filename (run->dir, name, NULL);
  g_assert_true (g_file_set_contents (path, data, (gssize) len, NULL));
  return path;
}

static void
put_le (uint8_t *to, uint32_t value, unsigned len)
{
  for (unsigned i = 0; i < len; i++)
    to[i] = (value >> (8 * i)) & 0xff;
}

/* A tone of `n_samples` at 44.1 kHz, mono. */
static char *
write_wav (const Run *run, unsigned n_samples)
{
  g_autofree uint8_t *wav = g_malloc0 (44 + 2 * n_samples);
  memcpy (wav, "RIFF....WAVEfmt ", 16);
  put_le (wav + 4, 36 + 2 * n_samples, 4);
  put_le (wav + 16, 16, 4);
  put_le (wav + 20, 1, 2);
  put_le (wav + 22, 1, 2);
  put_le (wav + 24, 44100, 4);
  put_le (wav + 28, 88200, 4);
  put_le (wav + 32, 2, 2);
  put_le (wav + 34, 16, 2);
  memcpy (wav + 36, "data", 4);
  put_le (wav + 40, 2 * n_samples, 4);
  for (unsigned i = 0; i < n_samples; i++)
    put_le (wav + 44 + 2 * i, (uint32_t) (int) (9000 * sin (i * 0.05)), 2);
  return write_file (run, "tone.wav", wav, 44 + 2 * n_samples);
}

static SsTime
total (const Run *run)
{
  const SsFrame *last = frame_at (run, run->frames->len - 1);
  const SsCodecHeaders *headers = run->links->pdata[run->links->len - 1];
  return last->timestamp + last->duration * SS_SEC / headers->clock_rate;
}

/* Frames of one link, which pass untouched. */
static void
assert_passed (const Run *run, unsigned first, const char *name, SsTime offset)
{
  g_autoptr (GBytes) file = fixture_load (name);
  g_autoptr (Fixture) fixture = fixture_read (file, NULL);
  const FixtureLink *link = fixture->links->pdata[0];
  for (unsigned i = 0; i < link->packets->len; i++) {
    const FixturePacket *packet = fixture_packet (link, i);
    const SsFrame *frame = frame_at (run, first + i);
    g_assert_true (g_bytes_equal (frame->data, packet->data));
    g_assert_cmpuint (frame->duration, ==, packet->duration);
    SsTime start = packet->start * SS_SEC / link->headers->clock_rate;
    g_assert_cmpint (ABS (frame->timestamp - offset - start), <=, 2);
  }
}

static void
test_pass (const void *name)
{
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = data_path (name);
  play_one (run, path);
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  g_assert_cmpuint (run->errors->len, ==, 0);
  g_assert_cmpuint (run->links->len, ==, 1);
  assert_passed (run, 0, name, 0);
  /* GStreamer must not even have started. */
  g_assert_false (gst_is_initialized ());
}

static void
test_several_looped (void)
{
  g_autoptr (Run) run = run_new ();
  g_autofree char *opus = data_path ("tone.opus");
  g_autofree char *vorbis = data_path ("tone.ogg");
  g_autofree char *uri = g_filename_to_uri (vorbis, NULL, NULL);
  const char *const sources[] = { opus, uri, NULL };
  SsSourceOptions options = { .sources = sources, .loop = true };
  play (run, &options, 101 + 72 + 101);
  g_assert_cmpuint (run->links->len, ==, 3);
  for (unsigned i = 0; i < 3; i++) {
    const SsCodecHeaders *headers = run->links->pdata[i];
    g_assert_cmpuint (headers->version, ==, i + 1);
  }
  SsTime opus_len = 96941 * SS_SEC / 48000;
  SsTime vorbis_len = 132613 * SS_SEC / 44100;
  assert_passed (run, 0, "tone.opus", 0);
  assert_passed (run, 101, "tone.ogg", opus_len);
  assert_passed (run, 101 + 72, "tone.opus", opus_len + vorbis_len);
  g_assert_cmpuint (frame_at (run, 101 + 72)->header_version, ==, 3);
}

static void
test_truncated (void)
{
  g_autoptr (Run) run = run_new ();
  g_autoptr (GBytes) file = fixture_load ("tone.opus");
  const void *data = g_bytes_get_data (file, NULL);
  g_autofree char *path = write_file (run, "cut.opus", data, 7000);
  play_one (run, path);
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  g_assert_cmpuint (run->frames->len, >, 10);
  g_assert_cmpuint (run->errors->len, ==, 1);
  g_assert_error ((GError *) run->errors->pdata[0], SS_MEDIA_ERROR,
                  SS_MEDIA_ERROR_TRUNCATED);

  g_autoptr (Run) nothing = run_new ();
  g_autofree char *stump = write_file (nothing, "stump.opus", data, 100);
  play_one (nothing, stump);
  g_assert_cmpint (nothing->last, ==, SS_SOURCE_ERROR);
  g_assert_cmpuint (nothing->errors->len, ==, 1);
}

static void
test_missing (void)
{
  g_autoptr (Run) run = run_new ();
  g_autofree char *empty = write_file (run, "empty.ogg", "", 0);
  g_autofree char *secret = write_file (run, "secret.ogg", "OggS", 4);
  g_assert_cmpint (chmod (secret, 0), ==, 0);
  const char *const names[] = { "/nonexistent/file.ogg", run->dir, empty,
                                geteuid () == 0 ? empty : secret };
  for (unsigned i = 0; i < G_N_ELEMENTS (names); i++) {
    const char *const sources[] = { names[i], NULL };
    SsSourceOptions options = { .sources = sources };
    g_autoptr (GError) error = NULL;
    g_assert_null (ss_source_new (&options, &error));
    g_assert_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_UNREADABLE);
    g_assert_nonnull (strstr (error->message, names[i]));
  }
}

/* Freed with its queue full, and with its pipe silent. */
static void
test_abandoned (void)
{
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = data_path ("tone.oga");
  const char *const sources[] = { path, NULL };
  SsSourceOptions options = { .sources = sources, .loop = true };
  play (run, &options, 3);

  int fds[2];
  g_assert_cmpint (pipe (fds), ==, 0);
  int saved = dup (STDIN_FILENO);
  g_assert_cmpint (dup2 (fds[0], STDIN_FILENO), >=, 0);
  const char *const standard_input[] = { "-", NULL };
  SsSourceOptions silent = { .sources = standard_input };
  SsSource *source = ss_source_new (&silent, NULL);
  SsSourceItem item;
  g_assert_false (ss_source_pull (source, &item));
  ss_source_free (source);
  dup2 (saved, STDIN_FILENO);
  close (saved);
  close (fds[0]);
  close (fds[1]);
}

typedef struct {
  int fd;
  GBytes *data;
} Feeder;

static gpointer
feed (gpointer data)
{
  Feeder *feeder = data;
  size_t len, at = 0;
  const uint8_t *bytes = g_bytes_get_data (feeder->data, &len);
  while (at < len) {
    ssize_t n = write (feeder->fd, bytes + at, MIN (len - at, 777));
    if (n <= 0)
      break;
    at += (size_t) n;
  }
  close (feeder->fd);
  return NULL;
}

static void
play_stdin (Run *run, GBytes *data)
{
  int fds[2];
  g_assert_cmpint (pipe (fds), ==, 0);
  Feeder feeder = { fds[1], data };
  int saved = dup (STDIN_FILENO);
  g_assert_cmpint (dup2 (fds[0], STDIN_FILENO), >=, 0);
  close (fds[0]);
  GThread *thread = g_thread_new ("feed", feed, &feeder);
  play_one (run, "-");
  dup2 (saved, STDIN_FILENO);
  close (saved);
  g_thread_join (thread);
}

static void
test_stdin_ogg (void)
{
  g_autoptr (Run) run = run_new ();
  g_autoptr (GBytes) file = fixture_load ("tone.ogg");
  play_stdin (run, file);
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  assert_passed (run, 0, "tone.ogg", 0);
}

/* A named pipe is waited for, and given up at any time. */
static void
test_named_pipe (void)
{
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = g_build_filename (run->dir, "pipe", NULL);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  const char *const sources[] = { path, NULL };
  SsSourceOptions options = { .sources = sources };
  SsSource *abandoned = ss_source_new (&options, NULL);
  SsSourceItem item;
  g_assert_false (ss_source_pull (abandoned, &item));
  ss_source_free (abandoned);

  g_autoptr (GBytes) file = fixture_load ("tone.opus");
  int hold = open (path, O_RDWR | O_CLOEXEC);
  Feeder feeder = { open (path, O_WRONLY | O_CLOEXEC), file };
  GThread *thread = g_thread_new ("feed", feed, &feeder);
  GError *error = NULL;
  g_autoptr (SsSource) source = ss_source_new (&options, &error);
  g_assert_no_error (error);
  for (bool more = true; more;) {
    if (ss_source_pull (source, &item))
      more = take (run, &item);
    else
      wait_readable (ss_source_fd (source));
    if (hold >= 0 && run->frames->len > 0) {
      close (hold);
      hold = -1;
    }
  }
  g_thread_join (thread);
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  assert_passed (run, 0, "tone.opus", 0);
}

/* From here on GStreamer is needed. */

static bool
have_elements (const char *const *names)
{
  gst_init (NULL, NULL);
  for (; *names != NULL; names++) {
    GstElementFactory *factory = gst_element_factory_find (*names);
    if (factory == NULL) {
      g_autofree char *reason = g_strdup_printf ("no element %s", *names);
      g_test_skip (reason);
      return false;
    }
    gst_object_unref (factory);
  }
  return true;
}

static bool
can_transcode (void)
{
  const char *const names[] = { "uridecodebin", "wavparse", "opusenc",
                                "audioresample", NULL };
  return have_elements (names);
}

static void
assert_opus (const Run *run, SsTime expected)
{
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  g_assert_cmpuint (run->errors->len, ==, 0);
  g_assert_cmpuint (run->links->len, ==, 1);
  const SsCodecHeaders *headers = run->links->pdata[0];
  g_assert_cmpint (headers->codec, ==, SS_CODEC_OPUS);
  g_assert_cmpuint (headers->clock_rate, ==, 48000);
  SsTime played = total (run);
  g_assert_cmpint (played, >=, expected);
  g_assert_cmpint (played, <=, expected + 40 * SS_MSEC);
}

static void
test_wav (void)
{
  if (!can_transcode ())
    return;
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = write_wav (run, 44100 + 1234);
  play_one (run, path);
  assert_opus (run, (44100 + 1234) * SS_SEC / 44100);
}

static void
test_stdin_wav (void)
{
  if (!can_transcode ())
    return;
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = write_wav (run, 44100);
  char *data;
  gsize len;
  g_assert_true (g_file_get_contents (path, &data, &len, NULL));
  g_autoptr (GBytes) bytes = g_bytes_new_take (data, len);
  play_stdin (run, bytes);
  assert_opus (run, SS_SEC);
}

/* A web server of one file, for a few requests. */
typedef struct {
  int fd;
  uint16_t port;
  GBytes *body;
  GThread *thread;
} Server;

static gpointer
serve (gpointer data)
{
  Server *server = data;
  int fd;
  while ((fd = accept (server->fd, NULL, NULL)) >= 0) {
    char request[4096];
    size_t len = 0;
    ssize_t n;
    do {
      n = read (fd, request + len, sizeof request - 1 - len);
      len += n > 0 ? (size_t) n : 0;
      request[len] = '\0';
    } while (n > 0 && strstr (request, "\r\n\r\n") == NULL);
    bool found = strstr (request, "/missing") == NULL;
    g_autofree char *head = g_strdup_printf (
        "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
        found ? "200 OK" : "404 Not Found",
        found ? g_bytes_get_size (server->body) : 0);
    bool sent = write (fd, head, strlen (head)) == (ssize_t) strlen (head);
    const uint8_t *bytes = g_bytes_get_data (server->body, &len);
    while (sent && found && len > 0 && (n = write (fd, bytes, len)) > 0) {
      bytes += n;
      len -= (size_t) n;
    }
    close (fd);
  }
  return NULL;
}

static void
server_start (Server *server, GBytes *body)
{
  struct sockaddr_in addr = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof addr;
  server->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (server->fd, >=, 0);
  g_assert_cmpint (bind (server->fd, (struct sockaddr *) &addr, len), ==, 0);
  g_assert_cmpint (listen (server->fd, 5), ==, 0);
  getsockname (server->fd, (struct sockaddr *) &addr, &len);
  server->port = ntohs (addr.sin_port);
  server->body = body;
  server->thread = g_thread_new ("server", serve, server);
}

static void
server_stop (Server *server)
{
  shutdown (server->fd, SHUT_RDWR);
  g_thread_join (server->thread);
  close (server->fd);
}

static void
play_http (Run *run, GBytes *body, const char *path)
{
  Server server;
  server_start (&server, body);
  g_autofree char *uri =
      g_strdup_printf ("http://127.0.0.1:%u%s", server.port, path);
  play_one (run, uri);
  server_stop (&server);
}

static void
test_http (void)
{
  const char *const names[] = { "souphttpsrc", "uridecodebin", "opusenc",
                                "wavparse", NULL };
  if (!have_elements (names))
    return;
  g_autoptr (Run) ogg = run_new ();
  g_autoptr (GBytes) file = fixture_load ("tone.ogg");
  play_http (ogg, file, "/tone.ogg");
  g_assert_cmpint (ogg->last, ==, SS_SOURCE_END);
  assert_passed (ogg, 0, "tone.ogg", 0);

  g_autoptr (Run) wav = run_new ();
  g_autofree char *path = write_wav (wav, 22050);
  char *data;
  gsize len;
  g_assert_true (g_file_get_contents (path, &data, &len, NULL));
  g_autoptr (GBytes) bytes = g_bytes_new_take (data, len);
  play_http (wav, bytes, "/tone.wav");
  assert_opus (wav, SS_SEC / 2);

  g_autoptr (Run) missing = run_new ();
  play_http (missing, bytes, "/missing");
  g_assert_cmpint (missing->last, ==, SS_SOURCE_ERROR);
  g_assert_error ((GError *) missing->errors->pdata[0], SS_MEDIA_ERROR,
                  SS_MEDIA_ERROR_UNREADABLE);
}

static void
test_bitrate (void)
{
  if (!can_transcode ())
    return;
  size_t bytes[2] = { 0 };
  for (unsigned i = 0; i < 2; i++) {
    g_autoptr (Run) run = run_new ();
    g_autofree char *path = write_wav (run, 88200);
    const char *const sources[] = { path, NULL };
    SsSourceOptions options = { .sources = sources,
                                .bitrate = i == 0 ? 16000 : 128000 };
    play (run, &options, G_MAXUINT);
    for (unsigned j = 0; j < run->frames->len; j++)
      bytes[i] += g_bytes_get_size (frame_at (run, j)->data);
  }
  g_assert_cmpuint (bytes[0], <, bytes[1] / 2);
}

/* Native FLAC passes too: the frames are those of the same sound in Ogg. */
static void
test_native_flac (void)
{
  const char *const names[] = { "flacparse", NULL };
  if (!have_elements (names))
    return;
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = data_path ("native.flac");
  play_one (run, path);
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  g_assert_cmpuint (run->links->len, ==, 1);
  const SsCodecHeaders *headers = run->links->pdata[0];
  g_assert_cmpint (headers->codec, ==, SS_CODEC_FLAC);
  g_assert_cmpuint (headers->clock_rate, ==, 8000);
  g_assert_cmpint (ABS (total (run) - 24074 * SS_SEC / 8000), <=, 2);
  for (unsigned i = 0; i < run->frames->len; i++) {
    const uint8_t *data = g_bytes_get_data (frame_at (run, i)->data, NULL);
    g_assert_cmphex (data[0], ==, 0xff);
  }
}

static void
make_with (const char *pipeline)
{
  g_autoptr (GstElement) element = gst_parse_launch (pipeline, NULL);
  g_assert_nonnull (element);
  gst_element_set_state (element, GST_STATE_PLAYING);
  g_autoptr (GstBus) bus = gst_element_get_bus (element);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, WAIT_MSEC * GST_MSECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  gst_element_set_state (element, GST_STATE_NULL);
}

static void
test_mp3 (void)
{
  const char *const names[] = { "lamemp3enc", "mpg123audiodec", "opusenc",
                                "uridecodebin", NULL };
  if (!have_elements (names))
    return;
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = g_build_filename (run->dir, "tone.mp3", NULL);
  g_autofree char *pipeline = g_strdup_printf (
      "audiotestsrc num-buffers=50 samplesperbuffer=882 ! "
      "audio/x-raw,rate=44100,channels=2 ! lamemp3enc ! filesink location=%s",
      path);
  make_with (pipeline);
  play_one (run, path);
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  SsTime played = total (run);
  g_assert_cmpint (played, >=, 950 * SS_MSEC);
  g_assert_cmpint (played, <=, 1150 * SS_MSEC);
}

/* Ogg whose codec does not pass is decoded, from a file and from a pipe. */
static void
test_ogg_speex (void)
{
  const char *const names[] = { "speexenc", "speexdec", "oggmux",
                                "oggdemux", "opusenc",  "uridecodebin",
                                NULL };
  if (!have_elements (names))
    return;
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = g_build_filename (run->dir, "tone.spx", NULL);
  g_autofree char *pipeline = g_strdup_printf (
      "audiotestsrc num-buffers=50 samplesperbuffer=320 ! "
      "audio/x-raw,rate=16000,channels=1 ! speexenc ! oggmux ! "
      "filesink location=%s",
      path);
  make_with (pipeline);
  play_one (run, path);
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  g_assert_cmpint (total (run), >=, 900 * SS_MSEC);

  char *data;
  gsize len;
  g_assert_true (g_file_get_contents (path, &data, &len, NULL));
  g_autoptr (GBytes) bytes = g_bytes_new_take (data, len);
  g_autoptr (Run) piped = run_new ();
  play_stdin (piped, bytes);
  g_assert_cmpint (piped->last, ==, SS_SOURCE_END);
  g_assert_cmpint (total (piped), >=, 900 * SS_MSEC);
}

static void
assert_refused (const char *name, const void *data, size_t len)
{
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = write_file (run, name, data, len);
  play_one (run, path);
  g_assert_cmpint (run->last, ==, SS_SOURCE_ERROR);
  g_assert_cmpuint (run->errors->len, ==, 1);
  const GError *error = run->errors->pdata[0];
  g_assert_nonnull (strstr (error->message, path));
  g_assert_null (strchr (error->message, '\n'));
  g_assert_cmpuint (run->frames->len, ==, 0);

  g_autoptr (Run) piped = run_new ();
  g_autoptr (GBytes) bytes = g_bytes_new (data, len);
  play_stdin (piped, bytes);
  g_assert_cmpint (piped->last, ==, SS_SOURCE_ERROR);
}

static void
test_no_media (void)
{
  if (!can_transcode ())
    return;
  const char text[] = "This is a text about music, and not music.\n"
                      "It goes on for a second line.\n";
  assert_refused ("text.txt", text, sizeof text - 1);
  assert_refused ("short", "x", 1);
  assert_refused ("page", "OggS garbage behind the magic number", 36);
  uint8_t noise[5000];
  SsRng rng;
  ss_rng_init_number (&rng, 7);
  ss_rng_bytes (&rng, noise, sizeof noise);
  assert_refused ("noise", noise, sizeof noise);
}

/* A picture decodes, but not to sound. */
static void
test_picture (void)
{
  const char *const names[] = { "pngenc", "pngdec", "videotestsrc", NULL };
  if (!can_transcode () || !have_elements (names))
    return;
  g_autoptr (Run) run = run_new ();
  g_autofree char *path = g_build_filename (run->dir, "picture.png", NULL);
  g_autofree char *pipeline = g_strdup_printf (
      "videotestsrc num-buffers=1 ! pngenc ! filesink location=%s", path);
  make_with (pipeline);
  play_one (run, path);
  g_assert_cmpint (run->last, ==, SS_SOURCE_ERROR);
}

/* Behind one that plays, a bad source is left out with a warning. */
static void
test_bad_second (void)
{
  if (!can_transcode ())
    return;
  g_autoptr (Run) run = run_new ();
  g_autofree char *good = data_path ("tone.opus");
  g_autofree char *bad = write_file (run, "bad.txt", "no music here", 13);
  const char *const sources[] = { good, bad, good, NULL };
  SsSourceOptions options = { .sources = sources };
  play (run, &options, G_MAXUINT);
  g_assert_cmpint (run->last, ==, SS_SOURCE_END);
  g_assert_cmpuint (run->frames->len, ==, 202);
  g_assert_cmpuint (run->errors->len, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
  /* The server is on this machine, whatever the network around it. */
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_add_data_func ("/source/pass/opus", "tone.opus", test_pass);
  g_test_add_data_func ("/source/pass/vorbis", "tone.ogg", test_pass);
  g_test_add_data_func ("/source/pass/flac", "tone.oga", test_pass);
  g_test_add_func ("/source/plain/several-looped", test_several_looped);
  g_test_add_func ("/source/plain/truncated", test_truncated);
  g_test_add_func ("/source/plain/missing", test_missing);
  g_test_add_func ("/source/plain/abandoned", test_abandoned);
  g_test_add_func ("/source/plain/stdin-ogg", test_stdin_ogg);
  g_test_add_func ("/source/plain/named-pipe", test_named_pipe);
  g_test_add_func ("/source/gstreamer/wav", test_wav);
  g_test_add_func ("/source/gstreamer/stdin-wav", test_stdin_wav);
  g_test_add_func ("/source/gstreamer/http", test_http);
  g_test_add_func ("/source/gstreamer/bitrate", test_bitrate);
  g_test_add_func ("/source/gstreamer/mp3", test_mp3);
  g_test_add_func ("/source/gstreamer/ogg-speex", test_ogg_speex);
  g_test_add_func ("/source/gstreamer/native-flac", test_native_flac);
  g_test_add_func ("/source/gstreamer/no-media", test_no_media);
  g_test_add_func ("/source/gstreamer/picture", test_picture);
  g_test_add_func ("/source/gstreamer/bad-second", test_bad_second);
  return g_test_run ();
}
