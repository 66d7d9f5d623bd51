/* Whatever is written reads back the same: packets, durations, differences
 * of position; from any start, with any losses, in any chain, however the
 * bytes are cut. And whatever is damaged does no harm. */
#include <string.h>

#include "tests/media/ogg_fixture.h"

#define SEEDS         60
#define SEEDS_DAMAGED 150

static const char *const names[] = { "tone.opus", "long-frames.opus",
                                     "tone.ogg", "tone.oga" };

static GBytes *
write_all (const Fixture *fixture, unsigned first, const bool *lost,
           bool fill_gaps)
{
  GByteArray *out = g_byte_array_new ();
  SsOggWriterOptions options = { .serial = 4294967290u,
                                 .fill_gaps = fill_gaps,
                                 .write = fixture_collect,
                                 .user_data = out };
  g_autoptr (SsOggWriter) writer = ss_ogg_writer_new (&options);
  for (unsigned i = 0; i < fixture->links->len; i++)
    fixture_write (writer, fixture->links->pdata[i], i == 0 ? first : 0,
                   i == 0 ? lost : NULL, (uint8_t) (i + 1));
  ss_ogg_writer_finish (writer);
  return g_byte_array_free_to_bytes (out);
}

static void
assert_same_headers (const SsCodecHeaders *a, const SsCodecHeaders *b)
{
  g_assert_cmpuint (a->codec, ==, b->codec);
  g_assert_cmpuint (a->clock_rate, ==, b->clock_rate);
  g_assert_cmpuint (a->n_packets, ==, b->n_packets);
  /* FLAC's first packet loses its total and checksum. */
  for (unsigned i = a->codec == SS_CODEC_FLAC; i < a->n_packets; i++)
    g_assert_true (g_bytes_equal (a->packets[i], b->packets[i]));
}

/* `b` holds what of `a` from `first` on was not lost. The packet behind a
 * loss may claim other parts of the gap, where durations depend on what came
 * before (Vorbis); where packets end must agree. */
static void
assert_same_packets (const FixtureLink *a, unsigned first, const bool *lost,
                     const FixtureLink *b)
{
  unsigned j = 0;
  int64_t offset = 0;
  bool fresh = first > 0;
  for (unsigned i = first; i < a->packets->len; i++) {
    const FixturePacket *p = fixture_packet (a, i);
    if (lost != NULL && lost[i]) {
      fresh = true;
      continue;
    }
    const FixturePacket *q = fixture_packet (b, j);
    g_assert_true (g_bytes_equal (p->data, q->data));
    int64_t end = p->start + p->duration;
    int64_t end_read = q->start + q->duration;
    if (j == 0)
      offset = end - end_read;
    g_assert_cmpint (end - offset, ==, end_read);
    if (!fresh)
      g_assert_cmpuint (p->duration, ==, q->duration);
    fresh = false;
    j++;
  }
  g_assert_cmpuint (j, ==, b->packets->len);
}

static void
test_whole (const void *name)
{
  g_autoptr (GBytes) file = fixture_load (name);
  g_autoptr (Fixture) source = fixture_read (file, NULL);
  g_assert_no_error (source->error);
  g_assert_cmpuint (source->n_warnings, ==, 0);
  g_assert_cmpuint (source->links->len, ==, 1);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    g_autoptr (GBytes) written = write_all (source, 0, NULL, seed & 1);
    g_autoptr (Fixture) copy = fixture_read (written, &rng);
    g_assert_no_error (copy->error);
    g_assert_cmpuint (copy->n_warnings, ==, 0);
    g_assert_cmpuint (copy->links->len, ==, 1);
    const FixtureLink *a = source->links->pdata[0];
    const FixtureLink *b = copy->links->pdata[0];
    assert_same_headers (a->headers, b->headers);
    assert_same_packets (a, 0, NULL, b);
    g_assert_cmpint (fixture_packet (b, 0)->start, ==, 0);
  }
}

static void
test_start_and_loss (const void *name)
{
  g_autoptr (GBytes) file = fixture_load (name);
  g_autoptr (Fixture) source = fixture_read (file, NULL);
  const FixtureLink *a = source->links->pdata[0];
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    unsigned n = a->packets->len;
    unsigned first = (unsigned) ss_rng_below (&rng, n);
    g_autofree bool *lost = g_new0 (bool, n);
    double rate = seed % 3 == 0 ? 0 : ss_rng_unit (&rng);
    for (unsigned i = first + 1; i + 1 < n; i++)
      lost[i] = ss_rng_unit (&rng) < rate;
    g_autoptr (GBytes) written = write_all (source, first, lost, false);
    g_autoptr (Fixture) copy = fixture_read (written, &rng);
    g_assert_no_error (copy->error);
    g_assert_cmpuint (copy->n_warnings, ==, 0);
    g_assert_cmpuint (copy->links->len, ==, 1);
    const FixtureLink *b = copy->links->pdata[0];
    assert_same_headers (a->headers, b->headers);
    assert_same_packets (a, first, lost, b);
  }
}

/* With gaps filled, an Opus stream has no hole, and lasts as long. */
static void
test_fill (void)
{
  g_autoptr (GBytes) file = fixture_load ("tone.opus");
  g_autoptr (Fixture) source = fixture_read (file, NULL);
  const FixtureLink *a = source->links->pdata[0];
  unsigned n = a->packets->len;
  const FixturePacket *last = fixture_packet (a, n - 1);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    g_autofree bool *lost = g_new0 (bool, n);
    unsigned n_lost = 0;
    for (unsigned i = 1; i + 1 < n; i++) {
      lost[i] = ss_rng_below (&rng, 4) == 0;
      n_lost += lost[i];
    }
    g_autoptr (GBytes) written = write_all (source, 0, lost, true);
    g_autoptr (Fixture) copy = fixture_read (written, &rng);
    const FixtureLink *b = copy->links->pdata[0];
    g_assert_cmpuint (b->packets->len, ==, n);
    int64_t position = 0;
    unsigned n_fill = 0;
    for (unsigned i = 0; i < n; i++) {
      const FixturePacket *p = fixture_packet (b, i);
      g_assert_cmpint (p->start, ==, position);
      position += p->duration;
      n_fill += g_bytes_get_size (p->data) == 1;
    }
    g_assert_cmpuint (n_fill, ==, n_lost);
    g_assert_cmpint (position, ==, last->start + last->duration);
  }
}

static void
append_file (GByteArray *to, const char *name)
{
  g_autoptr (GBytes) file = fixture_load (name);
  g_byte_array_append (to, g_bytes_get_data (file, NULL),
                       (guint) g_bytes_get_size (file));
}

static void
test_chain (void)
{
  for (uint64_t seed = 0; seed < SEEDS / 4; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    GByteArray *chain = g_byte_array_new ();
    unsigned n_links = 2 + (unsigned) ss_rng_below (&rng, 5);
    for (unsigned i = 0; i < n_links; i++)
      append_file (chain, names[ss_rng_below (&rng, G_N_ELEMENTS (names))]);
    g_autoptr (GBytes) file = g_byte_array_free_to_bytes (chain);
    g_autoptr (Fixture) source = fixture_read (file, &rng);
    g_assert_no_error (source->error);
    g_assert_cmpuint (source->links->len, ==, n_links);
    unsigned first = (unsigned) ss_rng_below (&rng, 20);
    g_autoptr (GBytes) written = write_all (source, first, NULL, false);
    g_autoptr (Fixture) copy = fixture_read (written, &rng);
    g_assert_no_error (copy->error);
    g_assert_cmpuint (copy->n_warnings, ==, 0);
    g_assert_cmpuint (copy->links->len, ==, n_links);
    for (unsigned i = 0; i < n_links; i++)
      assert_same_packets (source->links->pdata[i], i == 0 ? first : 0, NULL,
                           copy->links->pdata[i]);
  }
}

/* Cut anywhere: what comes out is the beginning of the whole. */
static void
test_truncated (const void *name)
{
  g_autoptr (GBytes) file = fixture_load (name);
  g_autoptr (Fixture) whole = fixture_read (file, NULL);
  const FixtureLink *a = whole->links->pdata[0];
  size_t len = g_bytes_get_size (file);
  for (uint64_t seed = 0; seed < SEEDS_DAMAGED; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    size_t cut = ss_rng_below (&rng, len);
    g_autoptr (GBytes) part = g_bytes_new_from_bytes (file, 0, cut);
    g_autoptr (Fixture) fixture = fixture_read (part, &rng);
    if (fixture->links->len == 0) {
      g_assert_nonnull (fixture->error);
      continue;
    }
    g_assert_no_error (fixture->error);
    g_assert_cmpuint (fixture->n_warnings, >=, 1);
    const FixtureLink *b = fixture->links->pdata[0];
    g_assert_cmpuint (b->packets->len, <=, a->packets->len);
    for (unsigned i = 0; i < b->packets->len; i++) {
      const FixturePacket *p = fixture_packet (a, i);
      const FixturePacket *q = fixture_packet (b, i);
      g_assert_true (g_bytes_equal (p->data, q->data));
      g_assert_cmpint (p->start, ==, q->start);
      g_assert_cmpuint (p->duration, ==, q->duration);
    }
  }
}

/* Flipped bits cost a page at a time: every packet that comes out is one of
 * the file, in order, and positions never run backwards. */
static void
test_flipped (const void *name)
{
  g_autoptr (GBytes) file = fixture_load (name);
  g_autoptr (Fixture) whole = fixture_read (file, NULL);
  const FixtureLink *a = whole->links->pdata[0];
  for (uint64_t seed = 0; seed < SEEDS_DAMAGED; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    size_t len = g_bytes_get_size (file);
    uint8_t *bytes = g_memdup2 (g_bytes_get_data (file, NULL), len);
    uint64_t n_flips = 1 + ss_rng_below (&rng, 4);
    for (uint64_t i = 0; i < n_flips; i++)
      bytes[ss_rng_below (&rng, len)] ^=
          (uint8_t) (1 << ss_rng_below (&rng, 8));
    g_autoptr (GBytes) damaged = g_bytes_new_take (bytes, len);
    g_autoptr (Fixture) fixture = fixture_read (damaged, &rng);
    if (fixture->links->len == 0) {
      g_assert_nonnull (fixture->error);
      continue;
    }
    const FixtureLink *b = fixture->links->pdata[0];
    unsigned j = 0;
    int64_t end = 0;
    for (unsigned i = 0; i < b->packets->len; i++, j++) {
      const FixturePacket *q = fixture_packet (b, i);
      while (!g_bytes_equal (fixture_packet (a, j)->data, q->data))
        j++;
      g_assert_cmpint (q->start, >=, end);
      end = q->start + q->duration;
    }
  }
}

/* Pages with a right checksum and wrong everything else. */
static void
test_garbage (void)
{
  for (uint64_t seed = 0; seed < SEEDS_DAMAGED; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    size_t len = ss_rng_below (&rng, 100000);
    uint8_t *bytes = g_malloc (len + 1);
    ss_rng_bytes (&rng, bytes, len);
    if (len > 4 && seed % 2 == 0)
      memcpy (bytes, "OggS", 4);
    g_autoptr (GBytes) garbage = g_bytes_new_take (bytes, len);
    g_autoptr (Fixture) fixture = fixture_read (garbage, &rng);
    g_assert_nonnull (fixture->error);
    g_assert_cmpuint (fixture->links->len, ==, 0);
  }
}

/* Garbage between pages is stepped over. */
static void
test_resync (const void *name)
{
  g_autoptr (GBytes) file = fixture_load (name);
  g_autoptr (Fixture) whole = fixture_read (file, NULL);
  const FixtureLink *a = whole->links->pdata[0];
  size_t len;
  const uint8_t *bytes = g_bytes_get_data (file, &len);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    GByteArray *noisy = g_byte_array_new ();
    for (size_t at = 0; at < len;) {
      size_t n = 1;
      while (at + n < len
             && (len - at - n < 4 || memcmp (bytes + at + n, "OggS", 4) != 0))
        n++;
      g_byte_array_append (noisy, bytes + at, (guint) n);
      at += n;
      uint8_t noise[300];
      ss_rng_bytes (&rng, noise, sizeof noise);
      if (ss_rng_below (&rng, 3) == 0)
        g_byte_array_append (noisy, noise,
                             (guint) ss_rng_below (&rng, sizeof noise));
    }
    g_autoptr (GBytes) data = g_byte_array_free_to_bytes (noisy);
    g_autoptr (Fixture) fixture = fixture_read (data, &rng);
    g_assert_no_error (fixture->error);
    g_assert_cmpuint (fixture->links->len, ==, 1);
    assert_same_packets (a, 0, NULL, fixture->links->pdata[0]);
  }
}

static void
add (const char *what, const char *name, GTestDataFunc func)
{
  g_autofree char *path = g_strdup_printf ("/ogg/%s/%s", what, name);
  g_test_add_data_func (path, name, func);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (names); i++) {
    add ("whole", names[i], test_whole);
    add ("start-and-loss", names[i], test_start_and_loss);
    add ("truncated", names[i], test_truncated);
    add ("flipped", names[i], test_flipped);
    add ("resync", names[i], test_resync);
  }
  g_test_add_func ("/ogg/fill", test_fill);
  g_test_add_func ("/ogg/chain", test_chain);
  g_test_add_func ("/ogg/garbage", test_garbage);
  return g_test_run ();
}
