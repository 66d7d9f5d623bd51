/* Any bytes at the Ogg reader, and whatever comes out of it at the writer,
 * whose stream must then read back the same. Checksums are made right first,
 * or a mutation would get no further than that. */
#include <ogg/ogg.h>
#include <string.h>

#include "media/codec.h"
#include "media/ogg_reader.h"
#include "media/ogg_writer.h"
#include "tests/fuzz/fuzz.h"

#define PAGE_HEADER_LEN 27

static void
mend_checksums (uint8_t *data, size_t len)
{
  for (size_t at = 0; at + PAGE_HEADER_LEN <= len; at++) {
    if (memcmp (data + at, "OggS", 4) != 0)
      continue;
    size_t n_segments = data[at + 26];
    if (at + PAGE_HEADER_LEN + n_segments > len)
      continue;
    size_t header_len = PAGE_HEADER_LEN + n_segments, body_len = 0;
    for (size_t i = 0; i < n_segments; i++)
      body_len += data[at + PAGE_HEADER_LEN + i];
    if (at + header_len + body_len > len)
      continue;
    ogg_page page = { .header = data + at,
                      .header_len = (long) header_len,
                      .body = data + at + header_len,
                      .body_len = (long) body_len };
    ogg_page_checksum_set (&page);
  }
}

typedef struct {
  SsOggWriter *writer; /* NULL: the second reading */
  uint8_t version;
  bool accepted;
  unsigned n_packets, n_written;
  int64_t end;
  SsTime base;
} Reading;

static void
take_packet (Reading *reading, const SsOggEvent *event)
{
  /* Time never runs backwards, and trimming never makes it. */
  g_assert_cmpint (event->start, >=, reading->end);
  reading->end = event->start + event->duration;
  reading->n_packets++;
  if (reading->writer == NULL || !reading->accepted)
    return;
  SsFrame frame = { .data = event->data,
                    .header_version = reading->version,
                    .timestamp = ss_samples_to_time (event->start, 48000),
                    .duration = event->duration };
  g_assert_true (ss_ogg_writer_frame (reading->writer, &frame));
  reading->n_written++;
}

static void
take_headers (Reading *reading, SsCodecHeaders *headers)
{
  g_assert_cmpuint (headers->n_packets, >, 0);
  g_assert_cmpuint (headers->clock_rate, >, 0);
  size_t total = 0;
  for (unsigned i = 0; i < headers->n_packets; i++)
    total += g_bytes_get_size (headers->packets[i]);
  g_assert_cmpuint (total, <=, SS_CODEC_HEADERS_LEN_MAX);
  reading->end = 0;
  if (reading->writer == NULL)
    return;
  headers->version = ++reading->version;
  reading->accepted = ss_ogg_writer_headers (reading->writer, headers);
  g_assert_true (reading->accepted);
}

static void
read_all (Reading *reading, const uint8_t *data, size_t len)
{
  SsOggReader *reader = ss_ogg_reader_new ();
  size_t at = 0;
  for (bool more = true; more;) {
    SsOggEvent event;
    switch (ss_ogg_reader_pull (reader, &event)) {
    case SS_OGG_NEED_DATA:
      if (at < len) {
        size_t n = MIN (len - at, 1000);
        ss_ogg_reader_push (reader, data + at, n);
        at += n;
      } else
        ss_ogg_reader_finish (reader);
      break;
    case SS_OGG_HEADERS:
      take_headers (reading, event.headers);
      break;
    case SS_OGG_PACKET:
      take_packet (reading, &event);
      break;
    case SS_OGG_WARNING:
      g_assert_nonnull (event.error);
      break;
    case SS_OGG_ERROR:
      g_assert_nonnull (event.error);
      more = false;
      break;
    case SS_OGG_END:
      more = false;
      break;
    }
    ss_ogg_event_clear (&event);
  }
  ss_ogg_reader_free (reader);
}

static void
collect (const uint8_t *pages, size_t len, unsigned n_frames,
         gpointer byte_array)
{
  g_byte_array_append (byte_array, pages, (guint) len);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  if (len == 0)
    return 0;
  uint8_t *copy = g_memdup2 (data, len);
  mend_checksums (copy, len);
  GByteArray *out = g_byte_array_new ();
  SsOggWriterOptions options = { .write = collect, .user_data = out };
  Reading first = { .writer = ss_ogg_writer_new (&options) };
  read_all (&first, copy, len);
  ss_ogg_writer_finish (first.writer);
  ss_ogg_writer_free (first.writer);

  Reading second = { .writer = NULL };
  if (out->len > 0)
    read_all (&second, out->data, out->len);
  g_assert_cmpuint (second.n_packets, ==, first.n_written);
  g_byte_array_unref (out);
  g_free (copy);
  return 0;
}

typedef struct {
  uint8_t *data;
  size_t len;
} Output;

/* False once it would not fit. */
static bool
append_pages (ogg_stream_state *stream, Output *out)
{
  ogg_page page;
  while (ogg_stream_flush (stream, &page) != 0) {
    size_t n = (size_t) (page.header_len + page.body_len);
    if (out->len + n > SS_FUZZ_INPUT_MAX)
      return false;
    memcpy (out->data + out->len, page.header, (size_t) page.header_len);
    memcpy (out->data + out->len + page.header_len, page.body,
            (size_t) page.body_len);
    out->len += n;
  }
  return true;
}

static void
put (ogg_stream_state *stream, const void *data, size_t len, int64_t granule,
     int64_t number)
{
  ogg_packet packet = { .packet = (unsigned char *) data,
                        .bytes = (long) len,
                        .b_o_s = number == 0,
                        .granulepos = granule,
                        .packetno = number };
  ogg_stream_packetin (stream, &packet);
}

static const char opus_head[] = "OpusHead\1\2\x38\1\x80\xbb\0\0\0\0\0";
static const char opus_tags[] = "OpusTags\0\0\0\0\0\0\0\0";
static const char flac_head[] =
    "\177FLAC\1\0\0\1fLaC\0\0\0\42\20\0\20\0\0\0\0\0\0\0\x0a\xc4\x42\xf0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
static const char flac_tags[] = "\204\0\0\10\0\0\0\0\0\0\0\0";

static bool
generate_link (SsRng *rng, Output *out)
{
  ogg_stream_state stream;
  ogg_stream_init (&stream, (int) ss_rng_u32 (rng));
  bool opus = ss_rng_below (rng, 2) == 0;
  put (&stream, opus ? opus_head : flac_head, opus ? 19 : 51, 0, 0);
  bool fits = append_pages (&stream, out);
  put (&stream, opus ? opus_tags : flac_tags, opus ? 16 : 12, 0, 1);
  fits = fits && append_pages (&stream, out);
  int64_t granule = 0;
  uint64_t n_packets = ss_rng_below (rng, 20);
  for (uint64_t i = 0; i < n_packets && fits; i++) {
    uint8_t packet[600];
    size_t len = 8 + ss_rng_below (rng, ss_rng_below (rng, 8) == 0 ? 590 : 30);
    ss_rng_bytes (rng, packet, len);
    if (!opus)
      memcpy (packet, "\xff\xf8\xc9\x18\x01", 5);
    granule += opus ? 960 : 4096;
    if (ss_rng_below (rng, 10) == 0)
      granule += (int64_t) ss_rng_below (rng, 10000) - 3000;
    put (&stream, packet, len, granule, 2 + (int64_t) i);
    stream.e_o_s = i + 1 == n_packets;
    if (ss_rng_below (rng, 3) == 0 || stream.e_o_s)
      fits = append_pages (&stream, out);
  }
  ogg_stream_clear (&stream);
  return fits;
}

size_t
ss_fuzz_generate (SsRng *rng, uint8_t ret_data[SS_FUZZ_INPUT_MAX])
{
  Output out = { ret_data, 0 };
  for (uint64_t n = 1 + ss_rng_below (rng, 3); n > 0; n--)
    if (!generate_link (rng, &out))
      break;
  return out.len;
}
