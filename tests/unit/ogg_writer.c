/* Pages one by one: their flags, granule positions, sizes in time; what the
 * reader makes of unusual ones. Pages are taken apart by libogg here. */
#include "media/ogg_writer.h"

#include <ogg/ogg.h>
#include <string.h>

#include "media/codec.h"
#include "media/error.h"
#include "tests/media/ogg_fixture.h"

typedef struct {
  uint32_t serial;
  int64_t granule, number;
  bool bos, eos;
  int n_packets, len;
} Page;

/* Takes the stream apart. */
static GArray *
pages_of (const GByteArray *data)
{
  GArray *pages = g_array_new (FALSE, FALSE, sizeof (Page));
  ogg_sync_state sync;
  ogg_sync_init (&sync);
  memcpy (ogg_sync_buffer (&sync, data->len), data->data, data->len);
  ogg_sync_wrote (&sync, data->len);
  ogg_page page;
  int result;
  while ((result = ogg_sync_pageout (&sync, &page)) != 0) {
    g_assert_cmpint (result, ==, 1);
    Page p = { (uint32_t) ogg_page_serialno (&page),
               ogg_page_granulepos (&page),
               ogg_page_pageno (&page),
               ogg_page_bos (&page) != 0,
               ogg_page_eos (&page) != 0,
               ogg_page_packets (&page),
               (int) (page.header_len + page.body_len) };
    g_array_append_val (pages, p);
  }
  ogg_sync_clear (&sync);
  return pages;
}

typedef struct {
  GByteArray *out;
  SsOggWriter *writer;
  Fixture *source;
  const FixtureLink *link;
} Bench;

static void
bench_init (Bench *b, const char *name)
{
  b->out = g_byte_array_new ();
  SsOggWriterOptions options = { .serial = 100,
                                 .write = fixture_collect,
                                 .user_data = b->out };
  b->writer = ss_ogg_writer_new (&options);
  g_autoptr (GBytes) file = fixture_load (name);
  b->source = fixture_read (file, NULL);
  b->link = b->source->links->pdata[0];
}

static void
bench_clear (Bench *b)
{
  ss_ogg_writer_free (b->writer);
  fixture_free (b->source);
  g_byte_array_unref (b->out);
}

static bool
put (Bench *b, unsigned i, uint8_t version, SsTime extra)
{
  const FixturePacket *packet = fixture_packet (b->link, i);
  SsFrame frame = {
    .data = packet->data,
    .header_version = version,
    .timestamp =
        extra
        + ss_samples_to_time (packet->start, b->link->headers->clock_rate),
    .duration = packet->duration,
    .number = i,
  };
  return ss_ogg_writer_frame (b->writer, &frame);
}

static void
begin (Bench *b, uint8_t version)
{
  SsCodecHeaders *headers = ss_codec_headers_copy (b->link->headers);
  headers->version = version;
  g_assert_true (ss_ogg_writer_headers (b->writer, headers));
  ss_codec_headers_free (headers);
}

static void
test_pages (void)
{
  Bench b;
  bench_init (&b, "tone.opus");
  begin (&b, 1);
  g_assert_cmpuint (b.out->len, ==, 0); /* headers wait for sound */
  for (unsigned i = 40; i < 60; i++)
    g_assert_true (put (&b, i, 1, 0));
  ss_ogg_writer_finish (b.writer);
  g_autoptr (GArray) pages = pages_of (b.out);
  int64_t before = 0;
  for (unsigned i = 0; i < pages->len; i++) {
    const Page *p = &g_array_index (pages, Page, i);
    g_assert_cmpuint (p->serial, ==, 100);
    g_assert_cmpint (p->number, ==, i);
    g_assert_cmpint (p->bos, ==, i == 0);
    g_assert_cmpint (p->eos, ==, i + 1 == pages->len);
    if (i < 2)
      g_assert_cmpint (p->granule, ==, 0);
    else if (p->n_packets > 0) {
      g_assert_cmpint (p->granule, ==, before + 960 * p->n_packets);
      g_assert_cmpint (p->granule - before, <=, 48 * SS_OGG_PAGE_MSEC_MAX);
      before = p->granule;
    }
    /* The first sound is out at once. */
    if (i == 2)
      g_assert_cmpint (p->n_packets, ==, 1);
  }
  g_assert_cmpint (before, ==, 20 * 960);
  bench_clear (&b);
}

static void
test_first_frame_at_once (void)
{
  static const char *const names[] = { "tone.opus", "tone.ogg", "tone.oga" };
  for (unsigned i = 0; i < G_N_ELEMENTS (names); i++) {
    Bench b;
    bench_init (&b, names[i]);
    begin (&b, 1);
    g_assert_true (put (&b, 20, 1, 0));
    g_assert_cmpuint (b.out->len, >,
                      g_bytes_get_size (fixture_packet (b.link, 20)->data));
    bench_clear (&b);
  }
}

/* A whole page is in hand when the last frame was: then an empty one ends
 * the stream. */
static void
test_end_page (void)
{
  Bench b;
  bench_init (&b, "tone.opus");
  begin (&b, 1);
  put (&b, 0, 1, 0);
  ss_ogg_writer_finish (b.writer);
  g_autoptr (GArray) pages = pages_of (b.out);
  const Page *last = &g_array_index (pages, Page, pages->len - 1);
  g_assert_true (last->eos);
  g_assert_cmpint (last->n_packets, ==, 0);
  g_assert_cmpint (last->granule, ==, -1);
  g_assert_cmpint (last->len, ==, 27);
  bench_clear (&b);

  /* But a trimmed frame is on it, even if a flush came between. */
  bench_init (&b, "tone.opus");
  begin (&b, 1);
  put (&b, 99, 1, 0);
  put (&b, 100, 1, 0);
  ss_ogg_writer_flush (b.writer);
  ss_ogg_writer_finish (b.writer);
  g_autoptr (GArray) trimmed = pages_of (b.out);
  last = &g_array_index (trimmed, Page, trimmed->len - 1);
  g_assert_true (last->eos);
  g_assert_cmpint (last->n_packets, ==, 1);
  g_assert_cmpint (last->granule, ==, 960 + 941);
  bench_clear (&b);
}

static void
test_links (void)
{
  Bench b;
  bench_init (&b, "tone.ogg");
  /* Frames without headers, and of other headers, go nowhere. */
  g_assert_false (put (&b, 0, 1, 0));
  begin (&b, 1);
  g_assert_false (put (&b, 0, 2, 0));
  /* Headers that no frame followed leave no trace. */
  begin (&b, 2);
  g_assert_cmpuint (b.out->len, ==, 0);
  for (unsigned i = 0; i < 10; i++)
    g_assert_true (put (&b, i, 2, 0));
  begin (&b, 3);
  for (unsigned i = 5; i < 10; i++)
    g_assert_true (put (&b, i, 3, 500 * SS_SEC));
  ss_ogg_writer_finish (b.writer);
  g_assert_false (put (&b, 11, 3, 500 * SS_SEC));
  g_autoptr (GArray) pages = pages_of (b.out);
  unsigned n_bos = 0, n_eos = 0;
  for (unsigned i = 0; i < pages->len; i++) {
    const Page *p = &g_array_index (pages, Page, i);
    n_bos += p->bos;
    n_eos += p->eos;
    g_assert_cmpuint (p->serial, ==, 99 + n_bos);
  }
  g_assert_cmpuint (n_bos, ==, 2);
  g_assert_cmpuint (n_eos, ==, 2);
  bench_clear (&b);
}

/* Nothing was heard: the headers, and the end. */
static void
test_no_frames (void)
{
  Bench b;
  bench_init (&b, "tone.opus");
  begin (&b, 1);
  ss_ogg_writer_finish (b.writer);
  g_autoptr (GArray) pages = pages_of (b.out);
  g_assert_cmpuint (pages->len, ==, 3);
  g_assert_true (g_array_index (pages, Page, 2).eos);
  bench_clear (&b);
}

/* Timestamps that were rounded to microseconds make no holes. */
static void
test_rounded_timestamps (void)
{
  static const char *const names[] = { "tone.opus", "tone.ogg", "tone.oga" };
  for (unsigned n = 0; n < G_N_ELEMENTS (names); n++) {
    Bench b;
    bench_init (&b, names[n]);
    begin (&b, 1);
    for (unsigned i = 0; i < b.link->packets->len; i++) {
      const FixturePacket *p = fixture_packet (b.link, i);
      SsTime exact = ss_samples_to_time (p->start, b.link->headers->clock_rate);
      put (&b, i, 1, exact / SS_USEC * SS_USEC - exact);
    }
    ss_ogg_writer_finish (b.writer);
    g_autoptr (GBytes) bytes = g_bytes_new (b.out->data, b.out->len);
    g_autoptr (Fixture) copy = fixture_read (bytes, NULL);
    const FixtureLink *link = copy->links->pdata[0];
    int64_t position = 0;
    for (unsigned i = 0; i < link->packets->len; i++) {
      const FixturePacket *p = fixture_packet (link, i);
      g_assert_cmpint (p->start, ==, position);
      position += p->duration;
    }
    bench_clear (&b);
  }
}

/* A timestamp that runs backwards costs nothing but its own honesty. */
static void
test_backward_timestamp (void)
{
  Bench b;
  bench_init (&b, "tone.opus");
  begin (&b, 1);
  for (unsigned i = 10; i < 20; i++)
    g_assert_true (put (&b, i, 1, i < 15 ? 0 : -3 * SS_SEC));
  ss_ogg_writer_finish (b.writer);
  g_autoptr (GBytes) bytes = g_bytes_new (b.out->data, b.out->len);
  g_autoptr (Fixture) copy = fixture_read (bytes, NULL);
  const FixtureLink *link = copy->links->pdata[0];
  g_assert_cmpuint (link->packets->len, ==, 10);
  g_assert_cmpint (fixture_packet (link, 9)->start, ==, 9 * 960);
  bench_clear (&b);
}

static void
test_bad_headers (void)
{
  Bench b;
  bench_init (&b, "tone.opus");
  SsCodecHeaders *headers = ss_codec_headers_copy (b.link->headers);
  headers->codec = SS_CODEC_FLAC;
  g_assert_false (ss_ogg_writer_headers (b.writer, headers));
  g_assert_false (put (&b, 0, headers->version, 0));
  headers->codec = (SsCodec) 200;
  g_assert_false (ss_ogg_writer_headers (b.writer, headers));
  ss_codec_headers_free (headers);
  ss_ogg_writer_finish (b.writer);
  g_assert_cmpuint (b.out->len, ==, 0);
  bench_clear (&b);
}

/* FLAC that is written live promises neither length nor checksum of the
 * whole, wherever it begins. */
static void
test_flac_whole (void)
{
  for (unsigned first = 0; first < 2; first++) {
    Bench b;
    bench_init (&b, "tone.oga");
    begin (&b, 1);
    for (unsigned i = first; i < 10; i++)
      put (&b, i, 1, 0);
    ss_ogg_writer_finish (b.writer);
    g_autoptr (GBytes) bytes = g_bytes_new (b.out->data, b.out->len);
    g_autoptr (Fixture) copy = fixture_read (bytes, NULL);
    const FixtureLink *link = copy->links->pdata[0];
    const uint8_t *id = g_bytes_get_data (link->headers->packets[0], NULL);
    const uint8_t *original =
        g_bytes_get_data (b.link->headers->packets[0], NULL);
    static const uint8_t zeros[20];
    g_assert_cmpmem (id, 30, original, 30);
    g_assert_cmpuint (id[30], ==, original[30] & 0xf0);
    g_assert_cmpmem (id + 31, 20, zeros, 20);
    bench_clear (&b);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ogg-writer/pages", test_pages);
  g_test_add_func ("/ogg-writer/first-frame-at-once", test_first_frame_at_once);
  g_test_add_func ("/ogg-writer/end-page", test_end_page);
  g_test_add_func ("/ogg-writer/links", test_links);
  g_test_add_func ("/ogg-writer/no-frames", test_no_frames);
  g_test_add_func ("/ogg-writer/rounded-timestamps", test_rounded_timestamps);
  g_test_add_func ("/ogg-writer/backward-timestamp", test_backward_timestamp);
  g_test_add_func ("/ogg-writer/bad-headers", test_bad_headers);
  g_test_add_func ("/ogg-writer/flac-whole", test_flac_whole);
  return g_test_run ();
}
