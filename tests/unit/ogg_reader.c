/* Streams that no encoder here makes: multiplexed, without granule
 * positions, begun in the middle, of other codecs. */
#include "media/ogg_reader.h"

#include <ogg/ogg.h>
#include <string.h>

#include "media/error.h"
#include "tests/media/ogg_fixture.h"

static const char speex[80] = "Speex   1.2";

/* A stream under construction. */
typedef struct {
  ogg_stream_state stream;
  GByteArray *out;
  int64_t number;
} Mux;

static void
mux_init (Mux *mux, int serial, GByteArray *out)
{
  ogg_stream_init (&mux->stream, serial);
  mux->out = out;
  mux->number = 0;
}

static void
mux_packet (Mux *mux, const void *data, size_t len, int64_t granule)
{
  ogg_packet packet = { .packet = (unsigned char *) data,
                        .bytes = (long) len,
                        .b_o_s = mux->number == 0,
                        .granulepos = granule,
                        .packetno = mux->number };
  mux->number++;
  ogg_stream_packetin (&mux->stream, &packet);
}

static void
mux_flush (Mux *mux, bool last)
{
  ogg_page page;
  mux->stream.e_o_s = last;
  while (ogg_stream_flush (&mux->stream, &page) != 0) {
    g_byte_array_append (mux->out, page.header, (guint) page.header_len);
    g_byte_array_append (mux->out, page.body, (guint) page.body_len);
  }
}

static void
mux_opus_headers (Mux *mux)
{
  mux_packet (mux, "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0", 19, 0);
  mux_flush (mux, false);
  mux_packet (mux, "OpusTags\0\0\0\0\0\0\0\0", 16, 0);
  mux_flush (mux, false);
}

/* A packet of 20 ms that can be told from others. */
static void
mux_opus (Mux *mux, uint8_t mark, int64_t granule)
{
  uint8_t packet[3] = { 0xfc, mark, 0 };
  mux_packet (mux, packet, sizeof packet, granule);
}

static void
mux_clear (Mux *mux)
{
  ogg_stream_clear (&mux->stream);
}

static Fixture *
read_array (GByteArray *out)
{
  g_autoptr (GBytes) bytes = g_byte_array_free_to_bytes (out);
  return fixture_read (bytes, NULL);
}

static const FixtureLink *
only_link (const Fixture *fixture)
{
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (fixture->links->len, ==, 1);
  return fixture->links->pdata[0];
}

static void
assert_packet (const FixtureLink *link, unsigned i, uint8_t mark, int64_t start,
               uint32_t duration)
{
  const FixturePacket *packet = fixture_packet (link, i);
  const uint8_t *data = g_bytes_get_data (packet->data, NULL);
  g_assert_cmpuint (data[1], ==, mark);
  g_assert_cmpint (packet->start, ==, start);
  g_assert_cmpuint (packet->duration, ==, duration);
}

/* A film: a video stream around the sound, and a second sound. */
static void
test_multiplexed (void)
{
  GByteArray *out = g_byte_array_new ();
  Mux video, sound, other;
  mux_init (&video, 1, out);
  mux_init (&sound, 2, out);
  mux_init (&other, 3, out);
  mux_packet (&video, "\x80theora video", 13, 0);
  mux_flush (&video, false);
  mux_packet (&sound, "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0", 19, 0);
  mux_flush (&sound, false);
  mux_packet (&other, "OpusHead\1\1\x38\1\x80\xbb\0\0\0\0\0", 19, 0);
  mux_flush (&other, false);
  mux_packet (&other, "OpusTags\0\0\0\0\0\0\0\0", 16, 0);
  mux_flush (&other, false);
  mux_packet (&sound, "OpusTags\0\0\0\0\0\0\0\0", 16, 0);
  mux_flush (&sound, false);
  for (int i = 0; i < 4; i++) {
    mux_packet (&video, "frame", 5, i);
    mux_flush (&video, i == 3);
    mux_opus (&sound, (uint8_t) i, (i + 1) * 960);
    mux_flush (&sound, i == 3);
    mux_opus (&other, (uint8_t) (100 + i), (i + 1) * 960);
    mux_flush (&other, i == 3);
  }
  mux_clear (&video);
  mux_clear (&sound);
  mux_clear (&other);
  g_autoptr (Fixture) fixture = read_array (out);
  g_assert_cmpuint (fixture->n_warnings, ==, 0);
  const FixtureLink *link = only_link (fixture);
  g_assert_cmpuint (link->packets->len, ==, 4);
  for (unsigned i = 0; i < 4; i++)
    assert_packet (link, i, (uint8_t) i, i * 960, 960);
}

static void
assert_error_of (GByteArray *out, SsMediaError code, const char *word)
{
  g_autoptr (Fixture) fixture = read_array (out);
  g_assert_error (fixture->error, SS_MEDIA_ERROR, (gint) code);
  g_assert_nonnull (strstr (fixture->error->message, word));
  g_assert_cmpuint (fixture->links->len, ==, 0);
}

static void
test_refused (void)
{
  Mux mux;
  GByteArray *out = g_byte_array_new ();
  mux_init (&mux, 1, out);
  mux_packet (&mux, speex, sizeof speex, 0);
  mux_flush (&mux, false);
  mux_packet (&mux, "tags", 4, 0);
  mux_flush (&mux, true);
  mux_clear (&mux);
  assert_error_of (out, SS_MEDIA_ERROR_UNSUPPORTED, "Speex");

  out = g_byte_array_new ();
  mux_init (&mux, 1, out);
  mux_packet (&mux, "OpusHead\xf0\2\x38\1\x80\xbb\0\0\0\0\0", 19, 0);
  mux_flush (&mux, false);
  mux_packet (&mux, "OpusTags\0\0\0\0\0\0\0\0", 16, 0);
  mux_flush (&mux, true);
  mux_clear (&mux);
  assert_error_of (out, SS_MEDIA_ERROR_UNSUPPORTED, "malformed");

  out = g_byte_array_new ();
  g_byte_array_append (out, (const uint8_t *) "RIFF", 4);
  assert_error_of (out, SS_MEDIA_ERROR_NOT_MEDIA, "not an Ogg");
  assert_error_of (g_byte_array_new (), SS_MEDIA_ERROR_NOT_MEDIA, "not");

  out = g_byte_array_new ();
  mux_init (&mux, 1, out);
  mux_packet (&mux, "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0", 19, 0);
  mux_flush (&mux, false);
  mux_clear (&mux);
  assert_error_of (out, SS_MEDIA_ERROR_TRUNCATED, "headers");
}

/* A chain whose second link cannot be carried goes on with the third. */
static void
test_refused_link (void)
{
  GByteArray *out = g_byte_array_new ();
  Mux mux;
  for (int i = 0; i < 3; i++) {
    mux_init (&mux, 10 + i, out);
    if (i == 1) {
      mux_packet (&mux, speex, sizeof speex, 0);
      mux_flush (&mux, false);
    } else
      mux_opus_headers (&mux);
    mux_opus (&mux, (uint8_t) i, 960);
    mux_flush (&mux, true);
    mux_clear (&mux);
  }
  g_autoptr (Fixture) fixture = read_array (out);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (fixture->n_warnings, ==, 1);
  g_assert_cmpuint (fixture->links->len, ==, 2);
  assert_packet (fixture->links->pdata[1], 0, 2, 0, 960);
}

/* A recording of a running stream: its time begins at 0 all the same. */
static void
test_begun_in_the_middle (void)
{
  GByteArray *out = g_byte_array_new ();
  Mux mux;
  mux_init (&mux, 1, out);
  mux_opus_headers (&mux);
  int64_t base = 1234567;
  mux_opus (&mux, 0, base + 960);
  mux_opus (&mux, 1, base + 1920);
  mux_flush (&mux, false);
  /* A hole of 3,000 samples, then a trimmed end. */
  mux_opus (&mux, 2, base + 1920 + 3000 + 960);
  mux_flush (&mux, false);
  mux_opus (&mux, 3, base + 1920 + 3000 + 960 + 960);
  mux_opus (&mux, 4, base + 1920 + 3000 + 960 + 900);
  mux_flush (&mux, true);
  mux_clear (&mux);
  g_autoptr (Fixture) fixture = read_array (out);
  g_assert_cmpuint (fixture->n_warnings, ==, 0);
  const FixtureLink *link = only_link (fixture);
  assert_packet (link, 0, 0, 0, 960);
  assert_packet (link, 1, 1, 960, 960);
  assert_packet (link, 2, 2, 4920, 960);
  /* The end cuts more than the last packet holds. */
  assert_packet (link, 3, 3, 5880, 900);
  assert_packet (link, 4, 4, 6780, 0);
}

/* A jump of minutes is a cut, and nobody waits for it; one back neither
 * shortens what is played. */
static void
test_jumps (void)
{
  GByteArray *out = g_byte_array_new ();
  Mux mux;
  mux_init (&mux, 1, out);
  mux_opus_headers (&mux);
  static const int64_t granules[] = { 960, 48000 * 600, 960 * 7, 960 * 8 };
  for (unsigned i = 0; i < G_N_ELEMENTS (granules); i++) {
    mux_opus (&mux, (uint8_t) i, granules[i]);
    mux_flush (&mux, i == 3);
  }
  mux_clear (&mux);
  g_autoptr (Fixture) fixture = read_array (out);
  const FixtureLink *link = only_link (fixture);
  for (unsigned i = 0; i < 4; i++)
    assert_packet (link, i, (uint8_t) i, i * 960, 960);
}

static void
test_no_granules (void)
{
  GByteArray *out = g_byte_array_new ();
  Mux mux;
  mux_init (&mux, 1, out);
  mux_opus_headers (&mux);
  for (unsigned i = 0; i < 3000; i++) {
    mux_opus (&mux, (uint8_t) i, -1);
    mux_flush (&mux, i == 2999);
  }
  mux_clear (&mux);
  g_autoptr (Fixture) fixture = read_array (out);
  const FixtureLink *link = only_link (fixture);
  g_assert_cmpuint (link->packets->len, ==, 3000);
  for (unsigned i = 0; i < 3000; i++)
    assert_packet (link, i, (uint8_t) i, i * 960, 960);
}

/* What is no packet of the codec is left out and counted. */
static void
test_bad_packets (void)
{
  GByteArray *out = g_byte_array_new ();
  Mux mux;
  mux_init (&mux, 1, out);
  mux_opus_headers (&mux);
  mux_opus (&mux, 0, 960);
  mux_packet (&mux, "", 0, 960);
  mux_packet (&mux, "\xff\x00", 2, 960);
  mux_opus (&mux, 1, 1920);
  mux_flush (&mux, true);
  mux_clear (&mux);
  g_autoptr (SsOggReader) reader = ss_ogg_reader_new ();
  ss_ogg_reader_push (reader, out->data, out->len);
  ss_ogg_reader_finish (reader);
  g_byte_array_unref (out);
  unsigned n_packets = 0;
  for (bool more = true; more;) {
    SsOggEvent event;
    SsOggEventKind kind = ss_ogg_reader_pull (reader, &event);
    n_packets += kind == SS_OGG_PACKET;
    more = kind != SS_OGG_END;
    ss_ogg_event_clear (&event);
  }
  g_assert_cmpuint (n_packets, ==, 2);
  g_assert_cmpuint (ss_ogg_reader_stats (reader).packets_dropped, ==, 2);
  SsOggEvent again;
  g_assert_cmpint (ss_ogg_reader_pull (reader, &again), ==, SS_OGG_END);
}

/* Headers with a large picture come through, without it. */
static void
test_picture (void)
{
  GByteArray *tags = g_byte_array_new ();
  g_byte_array_append (tags,
                       (const uint8_t *) "OpusTags\0\0\0\0\2\0\0\0"
                                         "\x08\0\0\0TITLE=Me",
                       28);
  size_t value_len = 300000;
  g_autofree char *value = g_strnfill (value_len, 'p');
  memcpy (value, "METADATA_BLOCK_PICTURE=", 23);
  uint8_t len[4] = { value_len & 0xff, (value_len >> 8) & 0xff,
                     (value_len >> 16) & 0xff, 0 };
  g_byte_array_append (tags, len, 4);
  g_byte_array_append (tags, (uint8_t *) value, (guint) value_len);

  GByteArray *out = g_byte_array_new ();
  Mux mux;
  mux_init (&mux, 1, out);
  mux_packet (&mux, "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0", 19, 0);
  mux_flush (&mux, false);
  mux_packet (&mux, tags->data, tags->len, 0);
  mux_flush (&mux, false);
  g_byte_array_unref (tags);
  mux_opus (&mux, 9, 960);
  mux_flush (&mux, true);
  mux_clear (&mux);
  g_autoptr (Fixture) fixture = read_array (out);
  const FixtureLink *link = only_link (fixture);
  size_t tags_len;
  const char *data = g_bytes_get_data (link->headers->packets[1], &tags_len);
  g_assert_cmpuint (tags_len, ==, 28);
  g_assert_cmpmem (data + 20, 8, "TITLE=Me", 8);
  assert_packet (link, 0, 9, 0, 960);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ogg-reader/multiplexed", test_multiplexed);
  g_test_add_func ("/ogg-reader/refused", test_refused);
  g_test_add_func ("/ogg-reader/refused-link", test_refused_link);
  g_test_add_func ("/ogg-reader/begun-in-the-middle", test_begun_in_the_middle);
  g_test_add_func ("/ogg-reader/jumps", test_jumps);
  g_test_add_func ("/ogg-reader/no-granules", test_no_granules);
  g_test_add_func ("/ogg-reader/bad-packets", test_bad_packets);
  g_test_add_func ("/ogg-reader/picture", test_picture);
  return g_test_run ();
}
