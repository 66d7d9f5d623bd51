/* What is written is Ogg to others too: opusdec, ogginfo, oggdec, flac and
 * GStreamer read streams that begin in the middle, have holes and chains, and
 * find nothing to complain about. A program that is not installed is
 * skipped. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/media/ogg_fixture.h"

typedef struct {
  char *dir;
  char *path; /* the stream */
  char *out;  /* what a decoder makes of it */
} Folder;

static void
folder_clear (Folder *folder)
{
  g_remove (folder->path);
  g_remove (folder->out);
  g_rmdir (folder->dir);
  g_free (folder->path);
  g_free (folder->out);
  g_free (folder->dir);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Folder, folder_clear)

static void
folder_init (Folder *folder, GByteArray *data)
{
  folder->dir = g_dir_make_tmp ("ss-decoders-XXXXXX", NULL);
  folder->path = g_build_filename (folder->dir, "stream.ogg", NULL);
  folder->out = g_build_filename (folder->dir, "out.raw", NULL);
  g_assert_true (
      g_file_set_contents (folder->path, (char *) data->data, data->len, NULL));
  g_byte_array_unref (data);
}

typedef struct {
  const char *name;
  unsigned first, lost_from, lost_to;
  bool fill;
} Case;

/* The stream of `name` from frame `first` on, without the frames `lost_from`
 * to `lost_to` - 1, to the end of `out`. */
static GByteArray *
write_stream (const Case *c, GByteArray *out, uint32_t serial)
{
  SsOggWriterOptions options = { .serial = serial,
                                 .fill_gaps = c->fill,
                                 .write = fixture_collect,
                                 .user_data = out };
  g_autoptr (SsOggWriter) writer = ss_ogg_writer_new (&options);
  g_autoptr (GBytes) file = fixture_load (c->name);
  g_autoptr (Fixture) source = fixture_read (file, NULL);
  const FixtureLink *link = source->links->pdata[0];
  g_autofree bool *lost = g_new0 (bool, link->packets->len);
  for (unsigned i = c->lost_from; i < c->lost_to; i++)
    lost[i] = true;
  fixture_write (writer, link, c->first, lost, 1);
  ss_ogg_writer_finish (writer);
  return out;
}

/* A FLAC stream that is written live has no checksum to check. */
static bool
complains (const char *text)
{
  static const char *const complaints[] = { "arning",        "WARNING",
                                            "rror",          "ERROR",
                                            "orrupt",        "ole in data",
                                            "discontinuity", "egal" };
  if (strstr (text, "cannot check MD5 signature since it was unset") != NULL)
    return false;
  for (unsigned i = 0; i < G_N_ELEMENTS (complaints); i++)
    if (strstr (text, complaints[i]) != NULL)
      return true;
  return false;
}

/* Whether the program is there. It must end well, and what it says must not
 * hold a complaint. */
static bool
run (const char *const *argv)
{
  g_autofree char *program = g_find_program_in_path (argv[0]);
  if (program == NULL) {
    g_autofree char *reason = g_strdup_printf ("no %s", argv[0]);
    g_test_skip (reason);
    return false;
  }
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;
  GError *error = NULL;
  int status;
  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                &out, &err, &status, &error);
  g_assert_no_error (error);
  if (complains (out) || complains (err))
    g_error ("%s complains: %s%s", argv[0], out, err);
  g_spawn_check_wait_status (status, &error);
  g_assert_no_error (error);
  return true;
}

static size_t
size_of (const char *path)
{
  GStatBuf status;
  g_assert_cmpint (g_stat (path, &status), ==, 0);
  return (size_t) status.st_size;
}

static const Case cases[] = {
  { .name = "tone.opus" },
  { .name = "tone.opus", .first = 37 },
  { .name = "tone.opus", .first = 37, .lost_from = 60, .lost_to = 64 },
  { .name = "tone.opus",
    .first = 37,
    .lost_from = 60,
    .lost_to = 64,
    .fill = true },
  { .name = "tone.opus", .first = 99 },
  { .name = "long-frames.opus", .first = 20 },
  { .name = "tone.ogg" },
  { .name = "tone.ogg", .first = 31 },
  { .name = "tone.ogg", .first = 31, .lost_from = 40, .lost_to = 44 },
  { .name = "tone.ogg", .first = 70 },
  { .name = "tone.oga" },
  { .name = "tone.oga", .first = 17 },
  { .name = "tone.oga", .first = 17, .lost_from = 20, .lost_to = 21 },
};

static void
test_ogginfo (const void *data)
{
  const Case *c = data;
  g_auto (Folder) folder = { 0 };
  folder_init (&folder, write_stream (c, g_byte_array_new (), 1));
  const char *const argv[] = { "ogginfo", folder.path, NULL };
  run (argv);
}

/* Decoded with the codec's own program, the sound has the length that the
 * granule positions promise. */
static void
test_own_decoder (const void *data)
{
  const Case *c = data;
  g_auto (Folder) folder = { 0 };
  folder_init (&folder, write_stream (c, g_byte_array_new (), 1));
  g_autoptr (GBytes) file = fixture_load (c->name);
  g_autoptr (Fixture) source = fixture_read (file, NULL);
  const FixtureLink *link = source->links->pdata[0];
  const FixturePacket *first = fixture_packet (link, c->first);
  const FixturePacket *last = fixture_packet (link, link->packets->len - 1);
  int64_t expected = last->start + last->duration - first->start;
  /* FLAC's decoder makes silence of what is missing, opusdec nothing. */
  bool fills = c->fill || link->headers->codec == SS_CODEC_FLAC;
  for (unsigned i = c->lost_from; i < c->lost_to && !fills; i++)
    expected -= fixture_packet (link, i)->duration;
  size_t frame_len = 2;
  bool ran;
  if (link->headers->codec == SS_CODEC_OPUS) {
    const char *const argv[] = { "opusdec",        "--quiet",
                                 "--rate",         "48000",
                                 "--force-stereo", folder.path,
                                 folder.out,       NULL };
    ran = run (argv);
    const uint8_t *head = g_bytes_get_data (link->headers->packets[0], NULL);
    expected -= head[10] | head[11] << 8;
    frame_len = 4;
  } else if (link->headers->codec == SS_CODEC_VORBIS) {
    const char *const argv[] = { "oggdec",   "-Q",        "-R", "-o",
                                 folder.out, folder.path, NULL };
    ran = run (argv);
    /* In the middle, a first packet only warms the decoder up. Behind a
     * loss, one block is made of two that do not belong together. */
    if (c->first > 0)
      expected -= first->duration;
    if (c->lost_to > c->lost_from)
      return;
  } else {
    const char *const argv[] = { "flac",
                                 "-s",
                                 "-d",
                                 "-f",
                                 "--ogg",
                                 "--force-raw-format",
                                 "--endian=little",
                                 "--sign=signed",
                                 folder.path,
                                 "-o",
                                 folder.out,
                                 NULL };
    ran = run (argv);
  }
  if (!ran)
    return;
  size_t len = size_of (folder.out);
  g_test_message ("%zu bytes, %d frames expected", len, (int) expected);
  g_assert_cmpuint (len, ==, (size_t) expected * frame_len);
}

static void
test_gstreamer (const void *data)
{
  const Case *c = data;
  g_auto (Folder) folder = { 0 };
  folder_init (&folder, write_stream (c, g_byte_array_new (), 1));
  g_autofree char *location = g_strconcat ("location=", folder.path, NULL);
  g_autofree char *target = g_strconcat ("location=", folder.out, NULL);
  const char *const argv[] = { "gst-launch-1.0",
                               "-q",
                               "filesrc",
                               location,
                               "!",
                               "oggdemux",
                               "!",
                               "decodebin",
                               "!",
                               "audioconvert",
                               "!",
                               "audio/x-raw,format=S16LE,channels=1",
                               "!",
                               "filesink",
                               target,
                               NULL };
  if (!run (argv))
    return;
  g_assert_cmpuint (size_of (folder.out), >, 0);
}

static void
test_chain (void)
{
  GByteArray *out = g_byte_array_new ();
  static const Case links[] = { { .name = "tone.opus", .first = 50 },
                                { .name = "tone.ogg" },
                                { .name = "long-frames.opus" } };
  for (uint32_t i = 0; i < G_N_ELEMENTS (links); i++)
    write_stream (&links[i], out, i + 1);
  g_auto (Folder) folder = { 0 };
  folder_init (&folder, out);
  const char *const argv[] = { "ogginfo", folder.path, NULL };
  run (argv);
}

static void
add (const char *what, const Case *c, GTestDataFunc func)
{
  g_autofree char *path =
      g_strdup_printf ("/decoders/%s/%s/from-%u/%s-%u", what, c->name, c->first,
                       c->fill ? "filled" : "lost", c->lost_to - c->lost_from);
  g_test_add_data_func (path, c, func);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++) {
    add ("ogginfo", &cases[i], test_ogginfo);
    add ("own", &cases[i], test_own_decoder);
    add ("gstreamer", &cases[i], test_gstreamer);
  }
  g_test_add_func ("/decoders/chain", test_chain);
  return g_test_run ();
}
