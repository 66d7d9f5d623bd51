/* Outputs with every kind of reader: a file, a pipe that is read slowly or
 * not at all or closed, a full disk, a loudspeaker. */
#include "media/output.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "media/error.h"
#include "tests/media/ogg_fixture.h"

#define WAIT (20 * SS_SEC)

static Fixture *
load (const char *name)
{
  g_autoptr (GBytes) file = fixture_load (name);
  return fixture_read (file, NULL);
}

static void
push_headers (SsOutput *output, const FixtureLink *link, uint8_t version)
{
  SsCodecHeaders *headers = ss_codec_headers_copy (link->headers);
  headers->version = version;
  ss_output_headers (output, headers);
  ss_codec_headers_free (headers);
}

static void
push_one (SsOutput *output, const FixtureLink *link, unsigned i,
          uint8_t version, SsTime offset, bool more)
{
  const FixturePacket *packet = fixture_packet (link, i);
  uint32_t rate = link->headers->clock_rate;
  SsFrame frame = { .data = packet->data,
                    .header_version = version,
                    .timestamp = offset + packet->start * SS_SEC / rate,
                    .duration = packet->duration,
                    .number = i };
  ss_output_frame (output, &frame, more);
}

static void
push_frame (SsOutput *output, const FixtureLink *link, unsigned i,
            uint8_t version, SsTime offset)
{
  push_one (output, link, i, version, offset, false);
}

static void
push_link (SsOutput *output, const FixtureLink *link, uint8_t version)
{
  push_headers (output, link, version);
  for (unsigned i = 0; i < link->packets->len; i++)
    push_frame (output, link, i, version, 0);
}

static SsOutputStatus
status_of (SsOutput *output)
{
  SsOutputStatus status;
  ss_output_status (output, &status);
  return status;
}

static bool
is_readable (int fd, int timeout_ms)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
  return poll (&poll_fd, 1, timeout_ms) == 1;
}

static void
assert_link_equal (const FixtureLink *a, const FixtureLink *b)
{
  g_assert_cmpuint (a->packets->len, ==, b->packets->len);
  for (unsigned i = 0; i < a->packets->len; i++) {
    const FixturePacket *p = fixture_packet (a, i);
    const FixturePacket *q = fixture_packet (b, i);
    g_assert_true (g_bytes_equal (p->data, q->data));
    g_assert_cmpint (p->start, ==, q->start);
    g_assert_cmpuint (p->duration, ==, q->duration);
  }
}

static void
test_file (void)
{
  g_autofree char *dir = g_dir_make_tmp ("ss-output-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "show.ogg", NULL);
  g_autoptr (Fixture) opus = load ("tone.opus");
  g_autoptr (Fixture) vorbis = load ("tone.ogg");
  GError *error = NULL;
  g_autoptr (SsOutput) output = ss_output_new_file (path, 5, &error);
  g_assert_no_error (error);
  push_link (output, opus->links->pdata[0], 1);
  push_link (output, vorbis->links->pdata[0], 2);
  g_assert_cmpint (status_of (output).state, ==, SS_OUTPUT_OPEN);
  ss_output_finish (output);
  g_assert_true (ss_output_wait (output, WAIT));
  g_assert_true (is_readable (ss_output_fd (output), 0));
  SsOutputStatus status = status_of (output);
  g_assert_false (is_readable (ss_output_fd (output), 0));
  g_assert_cmpint (status.state, ==, SS_OUTPUT_DONE);
  g_assert_cmpuint (status.frames_written, ==, 101 + 72);
  g_assert_cmpuint (status.frames_dropped, ==, 0);

  char *data;
  gsize len;
  g_assert_true (g_file_get_contents (path, &data, &len, NULL));
  g_assert_cmpuint (status.bytes_written, ==, len);
  g_autoptr (GBytes) bytes = g_bytes_new_take (data, len);
  g_autoptr (Fixture) copy = fixture_read (bytes, NULL);
  g_assert_no_error (copy->error);
  g_assert_cmpuint (copy->n_warnings, ==, 0);
  g_assert_cmpuint (copy->links->len, ==, 2);
  assert_link_equal (opus->links->pdata[0], copy->links->pdata[0]);
  assert_link_equal (vorbis->links->pdata[0], copy->links->pdata[1]);
  g_remove (path);
  g_rmdir (dir);
}

static void
test_cannot_create (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (ss_output_new_file ("/nonexistent/show.ogg", 1, &error));
  g_assert_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_OUTPUT);
  g_assert_nonnull (strstr (error->message, "/nonexistent/show.ogg"));
}

static void
test_disk_full (void)
{
  g_autoptr (Fixture) opus = load ("tone.opus");
  g_autoptr (SsOutput) output = ss_output_new_file ("/dev/full", 1, NULL);
  push_link (output, opus->links->pdata[0], 1);
  g_assert_true (ss_output_wait (output, WAIT));
  g_assert_cmpint (status_of (output).state, ==, SS_OUTPUT_FAILED);
  g_autoptr (GError) error = ss_output_take_error (output);
  g_assert_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_OUTPUT);
  g_assert_nonnull (strstr (error->message, g_strerror (ENOSPC)));
  /* Whatever still comes does no harm. */
  push_link (output, opus->links->pdata[0], 2);
}

static void
test_closed_pipe (void)
{
  int fds[2];
  g_assert_cmpint (pipe (fds), ==, 0);
  g_autoptr (Fixture) opus = load ("tone.opus");
  g_autoptr (SsOutput) output = ss_output_new_fd (fds[1], "the pipe", 1);
  push_headers (output, opus->links->pdata[0], 1);
  push_frame (output, opus->links->pdata[0], 0, 1, 0);
  uint8_t buffer[100];
  g_assert_cmpint (read (fds[0], buffer, sizeof buffer), >, 0);
  close (fds[0]);
  for (unsigned i = 1; i < 101; i++)
    push_frame (output, opus->links->pdata[0], i, 1, 0);
  g_assert_true (ss_output_wait (output, WAIT));
  g_assert_cmpint (status_of (output).state, ==, SS_OUTPUT_GONE);
  g_assert_null (ss_output_take_error (output));
  close (fds[1]);
}

/* Nobody reads: the caller is never held up, memory stays bounded, and what
 * is read in the end is well-formed, with whole frames of the latest. */
static void
test_stalled_pipe (const void *name)
{
  int fds[2];
  g_assert_cmpint (pipe (fds), ==, 0);
  g_autoptr (Fixture) source = load (name);
  const FixtureLink *link = source->links->pdata[0];
  g_autoptr (SsOutput) output = ss_output_new_fd (fds[1], "the pipe", 1);
  const FixturePacket *last = fixture_packet (link, link->packets->len - 2);
  SsTime len =
      (last->start + last->duration) * SS_SEC / link->headers->clock_rate;
  push_headers (output, link, 1);
  unsigned n_pushed = 0;
  for (unsigned round = 0; round < 200; round++)
    for (unsigned i = 0; i + 1 < link->packets->len; i++, n_pushed++)
      push_frame (output, link, i, 1, round * len);
  ss_output_finish (output);
  g_assert_false (ss_output_wait (output, 20 * SS_MSEC));
  g_assert_true (is_readable (ss_output_fd (output), 0));
  SsOutputStatus status = status_of (output);
  g_assert_cmpint (status.state, ==, SS_OUTPUT_OPEN);
  g_assert_cmpuint (status.frames_dropped, >, 0);

  GByteArray *received = g_byte_array_new ();
  uint8_t buffer[1000];
  while (!ss_output_wait (output, 0) || is_readable (fds[0], 0)) {
    if (!is_readable (fds[0], 10))
      continue;
    ssize_t n = read (fds[0], buffer, sizeof buffer);
    g_assert_cmpint (n, >, 0);
    g_byte_array_append (received, buffer, (guint) n);
  }
  status = status_of (output);
  g_assert_cmpint (status.state, ==, SS_OUTPUT_DONE);
  g_assert_cmpuint (status.frames_written + status.frames_dropped, ==,
                    n_pushed);
  g_assert_cmpuint (received->len, <, 2 * SS_OUTPUT_WAITING_BYTES_MAX);
  g_autoptr (GBytes) bytes = g_byte_array_free_to_bytes (received);
  g_autoptr (Fixture) copy = fixture_read (bytes, NULL);
  g_assert_no_error (copy->error);
  g_assert_cmpuint (copy->n_warnings, ==, 0);
  g_assert_cmpuint (copy->links->len, ==, 1);
  const FixtureLink *read = copy->links->pdata[0];
  g_assert_cmpuint (read->packets->len, >=, status.frames_written);
  /* The newest frame is the last. */
  const FixturePacket *newest = fixture_packet (read, read->packets->len - 1);
  g_assert_true (g_bytes_equal (newest->data, last->data));
  close (fds[0]);
  close (fds[1]);
}

/* Freed while its reader is stalled: at once. */
static void
test_abandoned (void)
{
  int fds[2];
  g_assert_cmpint (pipe (fds), ==, 0);
  g_autoptr (Fixture) source = load ("tone.oga");
  SsOutput *output = ss_output_new_fd (fds[1], "the pipe", 1);
  for (uint8_t i = 1; i <= 5; i++)
    push_link (output, source->links->pdata[0], i);
  g_assert_true (is_readable (fds[0], 5000));
  gint64 before = g_get_monotonic_time ();
  ss_output_free (output);
  g_assert_cmpint (g_get_monotonic_time () - before, <, G_USEC_PER_SEC);
  close (fds[0]);
  close (fds[1]);
}

/* Headers that no longer have frames in the queue still come first. */
static void
test_headers_survive_dropping (void)
{
  int fds[2];
  g_assert_cmpint (pipe (fds), ==, 0);
  g_autoptr (Fixture) opus = load ("tone.opus");
  g_autoptr (Fixture) flac = load ("tone.oga");
  g_autoptr (SsOutput) output = ss_output_new_fd (fds[1], "the pipe", 1);
  const FixtureLink *a = opus->links->pdata[0], *b = flac->links->pdata[0];
  push_headers (output, a, 1);
  push_frame (output, a, 0, 1, 0);
  g_assert_true (is_readable (fds[0], 5000));
  for (unsigned round = 0; round < 20; round++)
    for (unsigned i = 0; i < 100; i++)
      push_frame (output, a, i, 1, round * 2 * SS_SEC);
  push_headers (output, b, 2);
  for (unsigned round = 0; round < 200; round++)
    for (unsigned i = 0; i < b->packets->len; i++)
      push_frame (output, b, i, 2, round * 4 * SS_SEC);
  ss_output_finish (output);
  GByteArray *received = g_byte_array_new ();
  uint8_t buffer[4096];
  while (!ss_output_wait (output, 0) || is_readable (fds[0], 0)) {
    if (!is_readable (fds[0], 10))
      continue;
    ssize_t n = read (fds[0], buffer, sizeof buffer);
    g_byte_array_append (received, buffer, (guint) n);
  }
  g_autoptr (GBytes) bytes = g_byte_array_free_to_bytes (received);
  g_autoptr (Fixture) copy = fixture_read (bytes, NULL);
  g_assert_no_error (copy->error);
  g_assert_cmpuint (copy->n_warnings, ==, 0);
  g_assert_cmpuint (copy->links->len, ==, 2);
  const FixtureLink *second = copy->links->pdata[1];
  g_assert_cmpint (second->headers->codec, ==, SS_CODEC_FLAC);
  close (fds[0]);
  close (fds[1]);
}

/* Headers whose frames were all lost make no chain link of their own. */
static void
test_headers_alone (void)
{
  int fds[2];
  g_assert_cmpint (pipe (fds), ==, 0);
  g_autoptr (Fixture) opus = load ("tone.opus");
  g_autoptr (Fixture) flac = load ("tone.oga");
  g_autoptr (SsOutput) output = ss_output_new_fd (fds[1], "the pipe", 1);
  const FixtureLink *b = flac->links->pdata[0];
  push_headers (output, opus->links->pdata[0], 1);
  push_headers (output, b, 2);
  for (unsigned i = 0; i < 5; i++)
    push_frame (output, b, i, 2, 0);
  ss_output_finish (output);
  GByteArray *received = g_byte_array_new ();
  uint8_t buffer[4096];
  while (!ss_output_wait (output, 0) || is_readable (fds[0], 0)) {
    if (!is_readable (fds[0], 10))
      continue;
    ssize_t n = read (fds[0], buffer, sizeof buffer);
    g_byte_array_append (received, buffer, (guint) n);
  }
  g_autoptr (GBytes) bytes = g_byte_array_free_to_bytes (received);
  g_autoptr (Fixture) copy = fixture_read (bytes, NULL);
  g_assert_no_error (copy->error);
  g_assert_cmpuint (copy->links->len, ==, 1);
  const FixtureLink *only = copy->links->pdata[0];
  g_assert_cmpint (only->headers->codec, ==, SS_CODEC_FLAC);
  g_assert_cmpuint (only->packets->len, ==, 5);
  close (fds[0]);
  close (fds[1]);
}

static unsigned
n_pages (const char *data, size_t len)
{
  unsigned n = 0;
  for (size_t i = 0; i + 4 <= len; i++)
    n += memcmp (data + i, "OggS", 4) == 0;
  return n;
}

/* Frames that come together are one page, which does not wait to fill. */
static void
test_flush (void)
{
  int fds[2];
  g_assert_cmpint (pipe (fds), ==, 0);
  g_autoptr (Fixture) opus = load ("tone.opus");
  g_autoptr (SsOutput) output = ss_output_new_fd (fds[1], "the pipe", 1);
  push_headers (output, opus->links->pdata[0], 1);
  for (unsigned i = 0; i < 3; i++)
    push_one (output, opus->links->pdata[0], i, 1, 0, i < 2);
  /* The pipe has room, so that nobody else was needed. */
  g_assert_cmpuint (status_of (output).frames_written, ==, 3);
  char data[1 << 16];
  ssize_t len = read (fds[0], data, sizeof data);
  g_assert_cmpint (len, >, 0);
  /* Two of headers, and the first sound goes out at once. */
  g_assert_cmpuint (n_pages (data, (size_t) len), ==, 4);
  close (fds[0]);
  close (fds[1]);
}

static void
test_player (const void *name)
{
  g_autoptr (Fixture) source = load (name);
  g_autoptr (Fixture) second = load ("tone.opus");
  GError *error = NULL;
  g_autoptr (SsOutput) output =
      ss_output_new_player ("fakesink sync=false", &error);
  if (output == NULL) {
    g_test_skip (error->message);
    g_error_free (error);
    return;
  }
  push_link (output, source->links->pdata[0], 1);
  push_link (output, second->links->pdata[0], 2);
  ss_output_finish (output);
  g_assert_true (ss_output_wait (output, WAIT));
  SsOutputStatus status = status_of (output);
  g_autoptr (GError) cause = ss_output_take_error (output);
  g_assert_no_error (cause);
  g_assert_cmpint (status.state, ==, SS_OUTPUT_DONE);
  const FixtureLink *link = source->links->pdata[0];
  g_assert_cmpuint (status.frames_written, ==, link->packets->len + 101);
}

static void
test_no_player (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (ss_output_new_player ("nosuchsink", &error));
  g_assert_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_OUTPUT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
  g_test_add_func ("/output/file", test_file);
  g_test_add_func ("/output/cannot-create", test_cannot_create);
  g_test_add_func ("/output/disk-full", test_disk_full);
  g_test_add_func ("/output/closed-pipe", test_closed_pipe);
  g_test_add_data_func ("/output/stalled-pipe/opus", "tone.opus",
                        test_stalled_pipe);
  g_test_add_data_func ("/output/stalled-pipe/flac", "tone.oga",
                        test_stalled_pipe);
  g_test_add_func ("/output/abandoned", test_abandoned);
  g_test_add_func ("/output/headers-survive-dropping",
                   test_headers_survive_dropping);
  g_test_add_func ("/output/headers-alone", test_headers_alone);
  g_test_add_func ("/output/flush", test_flush);
  g_test_add_data_func ("/output/player/opus", "tone.opus", test_player);
  g_test_add_data_func ("/output/player/vorbis", "tone.ogg", test_player);
  g_test_add_data_func ("/output/player/flac", "tone.oga", test_player);
  g_test_add_func ("/output/no-player", test_no_player);
  return g_test_run ();
}
