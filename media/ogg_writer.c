/* Ogg multiplexing (RFC 3533, RFC 7845, Vorbis I section A.2, the FLAC
 * mapping 1.0). libogg cuts packets into pages; this decides where pages end
 * and what their granule positions are.
 *
 * A page that shows less time than its packets hold means trimming: of the
 * end on a last page, of the beginning on Vorbis' first page. So a frame
 * shorter than its codec says is never flushed until it is known that it is
 * the last, or, at a beginning, until a whole one follows on its page. */
#include "media/ogg_writer.h"

#include <ogg/ogg.h>
#include <string.h>

#include "media/codec.h"

/* Timestamps are rounded to nanoseconds, or coarser on the wire. */
#define JITTER_SAMPLES 1

#define PAGE_HEADER_LEN 27

/* STREAMINFO in the first packet: the low 4 bits of byte 13 and bytes 14 to
 * 17 are the total of samples, 18 to 33 their MD5. */
#define FLAC_STREAMINFO 17
#define FLAC_TOTAL_AT   (FLAC_STREAMINFO + 13)
#define FLAC_ID_LEN     (FLAC_STREAMINFO + 34)

struct SsOggWriter {
  SsOggWriterOptions options;
  uint32_t serial_next;
  ogg_stream_state stream; /* valid if `open` */
  bool open;               /* a chain link has begun: its headers are out */
  SsCodecHeaders *headers; /* of this link, begun or not; NULL: none */
  SsCodecParser parser;
  bool fill_gaps;     /* in this link */
  bool first_page;    /* nothing was written since the headers or a gap */
  bool trimmed;       /* the last frame was shorter than its codec says */
  uint8_t fill_toc;   /* the packet that conceals one Opus frame */
  uint32_t fill_len;  /* and how many samples that is; 0: unknown */
  SsTime base;        /* timestamp of granule position 0 */
  int64_t position;   /* granule position behind the last packet */
  int64_t page_start; /* and in front of the open page */
  int64_t packet_number;
  unsigned n_frames; /* in the open page */
  GByteArray *out;
};

SsOggWriter *
ss_ogg_writer_new (const SsOggWriterOptions *options)
{
  SsOggWriter *w = g_new0 (SsOggWriter, 1);
  g_assert (options->write != NULL);
  w->options = *options;
  w->serial_next = options->serial;
  w->out = g_byte_array_new ();
  return w;
}

void
ss_ogg_writer_free (SsOggWriter *w)
{
  if (w == NULL)
    return;
  if (w->open)
    ogg_stream_clear (&w->stream);
  ss_codec_headers_free (w->headers);
  g_byte_array_unref (w->out);
  g_free (w);
}

static void
append_page (SsOggWriter *w, const ogg_page *page)
{
  g_byte_array_append (w->out, page->header, (guint) page->header_len);
  g_byte_array_append (w->out, page->body, (guint) page->body_len);
}

static void
append_pages (SsOggWriter *w)
{
  ogg_page page;
  while (ogg_stream_flush (&w->stream, &page) != 0)
    append_page (w, &page);
}

static void
hand_out (SsOggWriter *w)
{
  unsigned n_frames = w->n_frames;
  w->n_frames = 0;
  w->page_start = w->position;
  if (w->out->len == 0)
    return;
  w->options.write (w->out->data, w->out->len, n_frames, w->options.user_data);
  g_byte_array_set_size (w->out, 0);
}

static void
end_page (SsOggWriter *w)
{
  append_pages (w);
  if (w->n_frames > 0)
    w->first_page = false;
  hand_out (w);
}

/* An end-of-stream page without packets, which libogg does not make; its
 * granule position says that no packet ends on it (RFC 3533 section 6). */
static void
append_nil_page (SsOggWriter *w)
{
  uint8_t header[PAGE_HEADER_LEN] = { 'O', 'g', 'g', 'S', 0, 0x04 };
  uint32_t serial = (uint32_t) w->stream.serialno;
  uint32_t number = (uint32_t) w->stream.pageno;
  memset (header + 6, 0xff, 8);
  for (unsigned i = 0; i < 4; i++) {
    header[14 + i] = (serial >> (8 * i)) & 0xff;
    header[18 + i] = (number >> (8 * i)) & 0xff;
  }
  ogg_page page = { .header = header, .header_len = PAGE_HEADER_LEN };
  ogg_page_checksum_set (&page);
  append_page (w, &page);
}

static void
put_packet (SsOggWriter *w, const uint8_t *data, size_t len)
{
  ogg_packet packet = {
    .packet = (unsigned char *) data,
    .bytes = (long) len,
    .b_o_s = w->packet_number == 0,
    .granulepos = w->position,
    .packetno = w->packet_number,
  };
  w->packet_number++;
  int result = ogg_stream_packetin (&w->stream, &packet);
  g_assert (result == 0);
}

/* The first packet is alone on its page, and audio begins on a fresh one. Who
 * writes FLAC live promises neither the length nor the checksum of the whole:
 * whether all of it will have come is only known at its end. */
static void
begin_link (SsOggWriter *w, const SsFrame *frame)
{
  /* 0 is legal, but some tools take it for none. */
  if (w->serial_next == 0)
    w->serial_next++;
  ogg_stream_init (&w->stream, (int) w->serial_next++);
  w->open = true;
  w->first_page = true;
  w->position = w->page_start = 0;
  w->packet_number = 0;
  w->base = frame != NULL ? frame->timestamp : 0;
  for (unsigned i = 0; i < w->headers->n_packets; i++) {
    size_t len;
    const uint8_t *data = g_bytes_get_data (w->headers->packets[i], &len);
    if (i == 0 && w->headers->codec == SS_CODEC_FLAC && len >= FLAC_ID_LEN) {
      g_autofree uint8_t *copy = g_memdup2 (data, len);
      copy[FLAC_TOTAL_AT] &= 0xf0;
      memset (copy + FLAC_TOTAL_AT + 1, 0, 4 + 16);
      put_packet (w, copy, len);
    } else
      put_packet (w, data, len);
    if (i == 0)
      append_pages (w);
  }
  append_pages (w);
}

static void
end_link (SsOggWriter *w)
{
  if (w->headers != NULL && !w->open)
    begin_link (w, NULL);
  if (w->open) {
    w->stream.e_o_s = 1;
    if (w->n_frames > 0)
      append_pages (w);
    else
      append_nil_page (w);
    hand_out (w);
    ogg_stream_clear (&w->stream);
  }
  w->open = false;
  w->trimmed = false;
  g_clear_pointer (&w->headers, ss_codec_headers_free);
}

bool
ss_ogg_writer_headers (SsOggWriter *w, const SsCodecHeaders *headers)
{
  /* Headers that no frame followed leave no trace. */
  if (w->open)
    end_link (w);
  g_clear_pointer (&w->headers, ss_codec_headers_free);
  if (headers->n_packets > SS_CODEC_HEADERS_MAX
      || !ss_codec_parser_init (&w->parser, headers->codec, headers->packets,
                                headers->n_packets))
    return false;
  w->headers = ss_codec_headers_copy (headers);
  w->fill_len = 0;
  w->fill_gaps = false;
  if (headers->codec == SS_CODEC_OPUS) {
    /* Only channel mapping family 0 has one Opus stream in a packet. */
    const uint8_t *head = g_bytes_get_data (headers->packets[0], NULL);
    w->fill_gaps = w->options.fill_gaps && head[18] == 0;
  }
  return true;
}

/* Opus packets without a byte of sound: the decoder conceals what they say
 * was there, in the manner of the frames before. */
static int64_t
fill (SsOggWriter *w, int64_t gap)
{
  int64_t n = w->fill_len == 0 ? 0 : gap / w->fill_len;
  if (!w->fill_gaps
      || gap > (int64_t) w->parser.clock_rate * SS_OGG_FILL_SECONDS_MAX)
    return 0;
  for (int64_t i = 0; i < n; i++) {
    w->position += w->fill_len;
    put_packet (w, &w->fill_toc, 1);
  }
  return n * w->fill_len;
}

/* Moves the position on to where the frame begins, if that is behind the
 * last one's end. */
static void
follow_gap (SsOggWriter *w, const SsFrame *frame)
{
  SsTime since = frame->timestamp - w->base;
  if (since <= 0)
    return;
  int64_t target = ss_time_to_samples (since, w->parser.clock_rate);
  int64_t gap = target - w->position;
  if (gap <= JITTER_SAMPLES)
    return;
  gap -= fill (w, gap);
  if (gap > 0) {
    end_page (w);
    w->position += gap;
    w->page_start = w->position;
    /* On one page, a gap and a trimmed end could not be told apart. */
    w->first_page = true;
  }
  w->trimmed = false;
  ss_codec_parser_reset (&w->parser);
}

/* What to repeat if the frame behind this one gets lost: its TOC byte, made
 * to announce a single frame (RFC 6716 section 3.1, code 0). */
static void
remember_toc (SsOggWriter *w, const uint8_t *packet, size_t len)
{
  if (!w->fill_gaps || len == 0)
    return;
  SsCodecParser one = w->parser;
  w->fill_toc = packet[0] & 0xfc;
  if (!ss_codec_parser_packet (&one, &w->fill_toc, 1, &w->fill_len))
    w->fill_len = 0;
}

bool
ss_ogg_writer_frame (SsOggWriter *w, const SsFrame *frame)
{
  if (w->headers == NULL || frame->header_version != w->headers->version)
    return false;
  if (!w->open)
    begin_link (w, frame);
  else
    follow_gap (w, frame);

  size_t len;
  const uint8_t *data = g_bytes_get_data (frame->data, &len);
  uint32_t whole;
  if (!ss_codec_parser_packet (&w->parser, data, len, &whole))
    whole = frame->duration;
  w->position += frame->duration;
  put_packet (w, data, len);
  w->n_frames++;
  w->trimmed = frame->duration < whole;
  remember_toc (w, data, len);

  /* The first sound goes out at once: somebody is waiting for it. */
  int64_t page_len = w->position - w->page_start;
  int64_t page_len_max =
      (int64_t) w->parser.clock_rate * SS_OGG_PAGE_MSEC_MAX / 1000;
  if (!w->trimmed && w->position > 0
      && (w->first_page || page_len + frame->duration > page_len_max))
    end_page (w);
  return true;
}

void
ss_ogg_writer_flush (SsOggWriter *w)
{
  if (w->open && !w->trimmed)
    end_page (w);
}

void
ss_ogg_writer_finish (SsOggWriter *w)
{
  end_link (w);
}
