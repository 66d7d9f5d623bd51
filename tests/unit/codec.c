/* Durations by table, Vorbis modes against encoders' headers, and what must
 * be refused. */
#include "media/codec.h"

#include <string.h>

#include "media/header_cut.h"
#include "media/vorbis_setup.h"
#include "tests/media/ogg_fixture.h"

static void
test_identify (void)
{
  static const struct {
    const char *data;
    size_t len;
    SsCodec codec;
  } rows[] = {
    { "OpusHead\1", 9, SS_CODEC_OPUS }, { "OpusHea", 7, SS_CODEC_NONE },
    { "\1vorbis", 7, SS_CODEC_VORBIS }, { "\3vorbis", 7, SS_CODEC_NONE },
    { "\177FLAC\1", 6, SS_CODEC_FLAC }, { "fLaC", 4, SS_CODEC_NONE },
    { "Speex   ", 8, SS_CODEC_NONE },   { "", 0, SS_CODEC_NONE },
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
    const char *name = NULL;
    g_assert_cmpint (
        ss_codec_identify ((const uint8_t *) rows[i].data, rows[i].len, &name),
        ==, rows[i].codec);
    g_assert_nonnull (name);
  }
}

/* RFC 6716 table 2 in units of 2.5 ms, for one frame. */
static void
test_opus_durations (void)
{
  static const uint8_t table[32] = { 4,  8, 16, 24, 4, 8, 16, 24, 4, 8, 16,
                                     24, 4, 8,  4,  8, 1, 2,  4,  8, 1, 2,
                                     4,  8, 1,  2,  4, 8, 1,  2,  4, 8 };
  SsCodecParser parser = { .codec = SS_CODEC_OPUS };
  for (unsigned config = 0; config < 32; config++)
    for (unsigned code = 0; code < 4; code++)
      for (unsigned n = 0; n < 64; n++) {
        uint8_t packet[2] = { (uint8_t) (config << 3 | code), (uint8_t) n };
        unsigned n_frames = code == 0 ? 1 : code == 3 ? n : 2;
        uint32_t expected = 120u * table[config] * n_frames, got = 77;
        bool valid = expected > 0 && expected <= 5760;
        g_assert_cmpint (ss_codec_parser_packet (&parser, packet, 2, &got), ==,
                         valid);
        g_assert_cmpuint (got, ==, valid ? expected : 77);
      }
  uint32_t got;
  g_assert_false (ss_codec_parser_packet (&parser, NULL, 0, &got));
  g_assert_false (
      ss_codec_parser_packet (&parser, (const uint8_t *) "\3", 1, &got));
}

static void
test_flac_durations (void)
{
  static const uint32_t table[16] = { 0,    192,  576,   1152, 2304, 4608,
                                      0,    0,    256,   512,  1024, 2048,
                                      4096, 8192, 16384, 32768 };
  SsCodecParser parser = { .codec = SS_CODEC_FLAC };
  for (unsigned code = 0; code < 16; code++) {
    uint8_t packet[16] = { 0xff, 0xf8, (uint8_t) (code << 4), 0x10, 0x05,
                           0x11, 0x22 };
    uint32_t got = 0, expected = table[code];
    if (code == 6)
      expected = 0x11 + 1;
    if (code == 7)
      expected = 0x1122 + 1;
    g_assert_cmpint (ss_codec_parser_packet (&parser, packet, 16, &got), ==,
                     code != 0);
    g_assert_cmpuint (got, ==, expected);
  }
  /* The block size stands behind a number of 1 to 7 bytes. */
  uint8_t longest[] = { 0xff, 0xf9, 0x70, 0x10, 0xfe, 0x83, 0xbf,
                        0xbf, 0xbf, 0xbf, 0xbf, 0x01, 0x02 };
  uint32_t got;
  g_assert_true (
      ss_codec_parser_packet (&parser, longest, sizeof longest, &got));
  g_assert_cmpuint (got, ==, 0x103);
  for (size_t len = 0; len < sizeof longest; len++)
    g_assert_false (ss_codec_parser_packet (&parser, longest, len, &got));
  longest[6] = 0x3f;
  g_assert_false (
      ss_codec_parser_packet (&parser, longest, sizeof longest, &got));
}

static void
test_vorbis_modes (void)
{
  g_autoptr (GBytes) file = fixture_load ("tone.ogg");
  g_autoptr (Fixture) fixture = fixture_read (file, NULL);
  const FixtureLink *link = fixture->links->pdata[0];
  size_t len;
  const uint8_t *setup = g_bytes_get_data (link->headers->packets[2], &len);
  bool is_long[64];
  /* The encoder's two modes, short and long. */
  g_assert_cmpuint (ss_vorbis_setup_modes (setup + 7, len - 7, 1, is_long), ==,
                    2);
  g_assert_false (is_long[0]);
  g_assert_true (is_long[1]);
  /* Cut anywhere, it is malformed, and says so. */
  for (size_t cut = 0; cut + 7 < len; cut++)
    g_assert_cmpuint (ss_vorbis_setup_modes (setup + 7, cut, 1, is_long), ==,
                      0);
}

/* Any bits: no crash, no endless loop. */
static void
test_vorbis_damage (void)
{
  g_autoptr (GBytes) file = fixture_load ("tone.ogg");
  g_autoptr (Fixture) fixture = fixture_read (file, NULL);
  const FixtureLink *link = fixture->links->pdata[0];
  size_t len;
  const uint8_t *setup = g_bytes_get_data (link->headers->packets[2], &len);
  unsigned n_accepted = 0;
  for (uint64_t seed = 0; seed < 2000; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    g_autofree uint8_t *copy = g_memdup2 (setup, len);
    for (uint64_t n = 1 + ss_rng_below (&rng, 20); n > 0; n--)
      copy[ss_rng_below (&rng, len)] = (uint8_t) ss_rng_u32 (&rng);
    bool is_long[64];
    unsigned n_modes = ss_vorbis_setup_modes (copy + 7, len - 7, 1, is_long);
    g_assert_cmpuint (n_modes, <=, 64);
    n_accepted += n_modes > 0;
  }
  g_assert_cmpuint (n_accepted, <, 2000);
}

static void
test_bad_headers (void)
{
  static const char *const names[] = { "tone.opus", "tone.ogg", "tone.oga" };
  for (unsigned i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (GBytes) file = fixture_load (names[i]);
    g_autoptr (Fixture) fixture = fixture_read (file, NULL);
    const FixtureLink *link = fixture->links->pdata[0];
    const SsCodecHeaders *h = link->headers;
    SsCodecParser parser;
    g_assert_true (
        ss_codec_parser_init (&parser, h->codec, h->packets, h->n_packets));
    g_assert_cmpuint (parser.clock_rate, ==, h->clock_rate);
    g_assert_false (ss_codec_parser_init (&parser, h->codec, h->packets, 0));
    /* A first packet cut anywhere. */
    GBytes *packets[SS_CODEC_HEADERS_MAX];
    memcpy (packets, h->packets, sizeof packets);
    for (size_t len = 0; len < g_bytes_get_size (h->packets[0]); len++) {
      packets[0] = g_bytes_new_from_bytes (h->packets[0], 0, len);
      g_assert_false (
          ss_codec_parser_init (&parser, h->codec, packets, h->n_packets));
      g_bytes_unref (packets[0]);
    }
  }
}

static void
append_le32 (GByteArray *to, uint32_t value)
{
  for (unsigned i = 0; i < 4; i++) {
    uint8_t byte = (value >> (8 * i)) & 0xff;
    g_byte_array_append (to, &byte, 1);
  }
}

static void
append_comment (GByteArray *to, const char *name, size_t value_len)
{
  g_autofree char *value = g_strnfill (value_len, 'v');
  append_le32 (to, (uint32_t) (strlen (name) + value_len));
  g_byte_array_append (to, (const uint8_t *) name, (guint) strlen (name));
  g_byte_array_append (to, (const uint8_t *) value, (guint) value_len);
}

static GBytes *
big_comments (const void *prefix, size_t prefix_len, bool framing)
{
  GByteArray *out = g_byte_array_new ();
  g_byte_array_append (out, prefix, (guint) prefix_len);
  append_le32 (out, 6);
  g_byte_array_append (out, (const uint8_t *) "vendor", 6);
  append_le32 (out, 4);
  append_comment (out, "TITLE=", 20);
  append_comment (out, "metadata_block_picture=", 200000);
  append_comment (out, "LYRICS=", 30000);
  append_comment (out, "ARTIST=", 10);
  if (framing)
    g_byte_array_append (out, (const uint8_t *) "\1", 1);
  return g_byte_array_free_to_bytes (out);
}

static bool
contains (GBytes *bytes, const char *text)
{
  size_t len;
  const char *data = g_bytes_get_data (bytes, &len);
  return memmem (data, len, text, strlen (text)) != NULL;
}

static GPtrArray *
packets_of (const char *name)
{
  g_autoptr (GBytes) file = fixture_load (name);
  g_autoptr (Fixture) fixture = fixture_read (file, NULL);
  const FixtureLink *link = fixture->links->pdata[0];
  GPtrArray *packets =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  for (unsigned i = 0; i < link->headers->n_packets; i++)
    g_ptr_array_add (packets, g_bytes_ref (link->headers->packets[i]));
  return packets;
}

static void
assert_cut (SsCodec codec, GPtrArray *packets)
{
  bool cut = false;
  g_assert_true (ss_header_cut (codec, packets, &cut));
  g_assert_true (cut);
  g_assert_cmpuint (packets->len, <=, SS_CODEC_HEADERS_MAX);
  g_assert_true (contains (packets->pdata[1], "TITLE=v"));
  g_assert_true (contains (packets->pdata[1], "ARTIST=v"));
  g_assert_false (contains (packets->pdata[1], "picture"));
  g_assert_false (contains (packets->pdata[1], "LYRICS"));
  size_t total = 0;
  for (unsigned i = 0; i < packets->len; i++)
    total += g_bytes_get_size (packets->pdata[i]);
  g_assert_cmpuint (total, <=, SS_CODEC_HEADERS_LEN_MAX);
  SsCodecParser parser;
  g_assert_true (ss_codec_parser_init (
      &parser, codec, (GBytes **) packets->pdata, packets->len));
}

static void
replace (GPtrArray *packets, unsigned i, GBytes *with)
{
  g_bytes_unref (packets->pdata[i]);
  packets->pdata[i] = with;
}

static void
test_cut (void)
{
  bool cut = true;
  g_autoptr (GPtrArray) small = packets_of ("tone.opus");
  GBytes *before = small->pdata[1];
  g_assert_true (ss_header_cut (SS_CODEC_OPUS, small, &cut));
  g_assert_false (cut);
  g_assert_true (small->pdata[1] == before);

  g_autoptr (GPtrArray) opus = packets_of ("tone.opus");
  replace (opus, 1, big_comments ("OpusTags", 8, false));
  assert_cut (SS_CODEC_OPUS, opus);

  g_autoptr (GPtrArray) vorbis = packets_of ("tone.ogg");
  replace (vorbis, 1, big_comments ("\3vorbis", 7, true));
  assert_cut (SS_CODEC_VORBIS, vorbis);
  size_t len;
  const uint8_t *comments = g_bytes_get_data (vorbis->pdata[1], &len);
  g_assert_cmpuint (comments[len - 1], ==, 1); /* the framing bit */

  /* FLAC: many blocks, the comments not the first of them. */
  g_autoptr (GPtrArray) flac = packets_of ("tone.oga");
  g_ptr_array_set_size (flac, 1);
  for (unsigned i = 0; i < 20; i++)
    g_ptr_array_add (flac, g_bytes_new_static ("\2\0\0\4data", 8));
  g_ptr_array_add (flac, big_comments ("\4\3\202\1", 4, false));
  g_ptr_array_add (flac, g_bytes_new_static ("\201\0\0\0", 4));
  assert_cut (SS_CODEC_FLAC, flac);
  g_assert_cmpuint (flac->len, ==, 2);
  const uint8_t *id = g_bytes_get_data (flac->pdata[0], NULL);
  g_assert_cmpuint (id[7] << 8 | id[8], ==, 1);
  const uint8_t *block = g_bytes_get_data (flac->pdata[1], &len);
  g_assert_cmphex (block[0], ==, 0x84);
  g_assert_cmpuint (block[1] << 16 | block[2] << 8 | block[3], ==, len - 4);
}

/* Comments that lie about their lengths. */
static void
test_cut_malformed (void)
{
  for (uint64_t seed = 0; seed < 300; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    g_autoptr (GPtrArray) opus = packets_of ("tone.opus");
    GBytes *whole = big_comments ("OpusTags", 8, false);
    size_t len = g_bytes_get_size (whole);
    uint8_t *bytes = g_memdup2 (g_bytes_get_data (whole, NULL), len);
    g_bytes_unref (whole);
    for (unsigned i = 0; i < 4; i++)
      bytes[8 + ss_rng_below (&rng, 64)] = (uint8_t) ss_rng_u32 (&rng);
    replace (opus, 1, g_bytes_new_take (bytes, len));
    bool cut;
    g_assert_true (ss_header_cut (SS_CODEC_OPUS, opus, &cut));
    g_assert_cmpuint (g_bytes_get_size (opus->pdata[1]), <=,
                      SS_CODEC_HEADERS_LEN_MAX);
  }
  /* A setup header that is too large cannot be helped. */
  g_autoptr (GPtrArray) vorbis = packets_of ("tone.ogg");
  GBytes *setup = vorbis->pdata[2];
  GByteArray *large = g_byte_array_new ();
  g_byte_array_append (large, g_bytes_get_data (setup, NULL),
                       (guint) g_bytes_get_size (setup));
  g_byte_array_set_size (large, 70000);
  replace (vorbis, 2, g_byte_array_free_to_bytes (large));
  bool cut;
  g_assert_false (ss_header_cut (SS_CODEC_VORBIS, vorbis, &cut));
}

static void
test_time (void)
{
  static const uint32_t rates[] = { 8000, 44100, 48000, 192000 };
  for (unsigned i = 0; i < G_N_ELEMENTS (rates); i++)
    for (int64_t n = 0; n < 1LL << 45; n = n * 3 + 1) {
      SsTime time = ss_samples_to_time (n, rates[i]);
      g_assert_cmpint (ss_time_to_samples (time, rates[i]), ==, n);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/codec/identify", test_identify);
  g_test_add_func ("/codec/opus-durations", test_opus_durations);
  g_test_add_func ("/codec/flac-durations", test_flac_durations);
  g_test_add_func ("/codec/vorbis-modes", test_vorbis_modes);
  g_test_add_func ("/codec/vorbis-damage", test_vorbis_damage);
  g_test_add_func ("/codec/bad-headers", test_bad_headers);
  g_test_add_func ("/codec/cut", test_cut);
  g_test_add_func ("/codec/cut-malformed", test_cut_malformed);
  g_test_add_func ("/codec/time", test_time);
  return g_test_run ();
}
