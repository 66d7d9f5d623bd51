/* Ogg demultiplexing (RFC 3533) for the three codecs of codec.h.
 *
 * Packets wait in `pending` until the page that completes them tells its
 * granule position, since only that settles their place in time; then they
 * go to `events`. libogg does the framing and checks the CRCs. */
#include "media/ogg_reader.h"

#include <ogg/ogg.h>
#include <string.h>

#include "media/codec.h"
#include "media/error.h"
#include "media/header_cut.h"

typedef enum {
  LINK_NONE,    /* no BOS page yet */
  LINK_BOS,     /* within the BOS pages of a chain link */
  LINK_HEADERS, /* a stream was chosen; its headers are incomplete */
  LINK_DATA,
  LINK_SKIP, /* nothing here can be carried: wait for the next BOS */
} LinkState;

typedef struct {
  GBytes *data;
  uint32_t duration;
} Pending;

struct SsOggReader {
  ogg_sync_state sync;
  ogg_stream_state stream; /* valid if `chosen` */
  bool chosen;
  bool finished;
  bool page_seen;
  bool broken; /* a final event was queued */
  LinkState link;
  const char *refused_name;
  GPtrArray *header_packets;
  SsCodecParser parser;
  bool position_known;
  bool end_of_stream;
  int64_t position; /* in the file's granule positions */
  int64_t start;    /* of the next packet, since the link's first */
  GArray *pending;  /* Pending */
  GArray *events;   /* SsOggEvent */
  unsigned events_head;
  SsOggReaderStats stats;
};

static void process_page (SsOggReader *r, ogg_page *page);
static void finish_input (SsOggReader *r);

static void
pending_clear (gpointer data)
{
  Pending *pending = data;
  g_bytes_unref (pending->data);
}

SsOggReader *
ss_ogg_reader_new (void)
{
  SsOggReader *r = g_new0 (SsOggReader, 1);
  ogg_sync_init (&r->sync);
  r->header_packets =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  r->pending = g_array_new (FALSE, FALSE, sizeof (Pending));
  g_array_set_clear_func (r->pending, pending_clear);
  r->events = g_array_new (FALSE, TRUE, sizeof (SsOggEvent));
  return r;
}

void
ss_ogg_reader_free (SsOggReader *r)
{
  if (r == NULL)
    return;
  for (unsigned i = r->events_head; i < r->events->len; i++)
    ss_ogg_event_clear (&g_array_index (r->events, SsOggEvent, i));
  g_array_free (r->events, TRUE);
  g_array_free (r->pending, TRUE);
  g_ptr_array_unref (r->header_packets);
  if (r->chosen)
    ogg_stream_clear (&r->stream);
  ogg_sync_clear (&r->sync);
  g_free (r);
}

void
ss_ogg_reader_push (SsOggReader *r, const void *data, size_t len)
{
  g_assert (!r->finished);
  if (len == 0)
    return;
  char *buffer = ogg_sync_buffer (&r->sync, (long) len);
  g_assert (buffer != NULL);
  memcpy (buffer, data, len);
  ogg_sync_wrote (&r->sync, (long) len);
}

void
ss_ogg_reader_finish (SsOggReader *r)
{
  r->finished = true;
}

static SsOggEvent *
queue_event (SsOggReader *r, SsOggEventKind kind)
{
  g_array_set_size (r->events, r->events->len + 1);
  SsOggEvent *event =
      &g_array_index (r->events, SsOggEvent, r->events->len - 1);
  memset (event, 0, sizeof *event);
  event->kind = kind;
  return event;
}

static void
fail (SsOggReader *r, SsMediaError code, const char *message)
{
  queue_event (r, SS_OGG_ERROR)->error =
      g_error_new_literal (SS_MEDIA_ERROR, (gint) code, message);
  r->broken = true;
}

static void
warn (SsOggReader *r, SsMediaError code, const char *message)
{
  queue_event (r, SS_OGG_WARNING)->error =
      g_error_new_literal (SS_MEDIA_ERROR, (gint) code, message);
}

SsOggEventKind
ss_ogg_reader_pull (SsOggReader *r, SsOggEvent *ret_event)
{
  for (;;) {
    if (r->events_head < r->events->len) {
      *ret_event = g_array_index (r->events, SsOggEvent, r->events_head);
      r->events_head++;
      return ret_event->kind;
    }
    g_array_set_size (r->events, 0);
    r->events_head = 0;
    if (r->broken) {
      memset (ret_event, 0, sizeof *ret_event);
      return ret_event->kind = SS_OGG_END;
    }
    ogg_page page;
    long n = ogg_sync_pageseek (&r->sync, &page);
    if (n > 0) {
      r->page_seen = true;
      process_page (r, &page);
    } else if (n < 0)
      r->stats.bytes_skipped += (uint64_t) -n;
    else if (r->finished)
      finish_input (r);
    else {
      memset (ret_event, 0, sizeof *ret_event);
      return ret_event->kind = SS_OGG_NEED_DATA;
    }
    if (!r->page_seen && !r->broken
        && r->stats.bytes_skipped > SS_OGG_SEARCH_MAX)
      fail (r, SS_MEDIA_ERROR_NOT_MEDIA, "not an Ogg stream");
  }
}

void
ss_ogg_event_clear (SsOggEvent *event)
{
  g_clear_pointer (&event->headers, ss_codec_headers_free);
  g_clear_pointer (&event->data, g_bytes_unref);
  g_clear_error (&event->error);
}

SsOggReaderStats
ss_ogg_reader_stats (const SsOggReader *r)
{
  return r->stats;
}

static uint64_t
pending_duration (const SsOggReader *r)
{
  uint64_t sum = 0;
  for (unsigned i = 0; i < r->pending->len; i++)
    sum += g_array_index (r->pending, Pending, i).duration;
  return sum;
}

/* Takes `n` samples off the pending packets, from the last one backwards or
 * from the first one onwards. */
static void
trim (SsOggReader *r, uint64_t n, bool from_end)
{
  for (unsigned i = 0; i < r->pending->len && n > 0; i++) {
    unsigned at = from_end ? r->pending->len - 1 - i : i;
    Pending *p = &g_array_index (r->pending, Pending, at);
    uint32_t cut = (uint32_t) MIN (n, p->duration);
    p->duration -= cut;
    n -= cut;
  }
}

/* Compares where the pending packets should end with where their page says
 * that they do; returns the samples missing before them. Without a usable
 * granule position (-1) they follow on. */
static int64_t
settle (SsOggReader *r, int64_t granule, bool last)
{
  int64_t sum = (int64_t) pending_duration (r);
  if (granule < 0 || granule > INT64_MAX / 2) {
    r->position += sum;
    return 0;
  }
  int64_t hole = 0;
  if (!r->position_known) {
    r->position_known = true;
    if (granule < sum && last)
      trim (r, (uint64_t) (sum - granule), true);
    else if (granule < sum && r->parser.codec == SS_CODEC_VORBIS)
      trim (r, (uint64_t) (sum - granule), false);
  } else {
    int64_t expected = r->position + sum;
    if (granule > expected)
      hole = granule - expected;
    else if (last)
      trim (r, (uint64_t) (expected - granule), true);
  }
  r->position = granule;
  bool edit = hole > (int64_t) r->parser.clock_rate * SS_OGG_HOLE_SECONDS_MAX;
  return edit ? 0 : hole;
}

static void
flush_pending (SsOggReader *r, int64_t granule, bool last)
{
  if (r->pending->len == 0)
    return;
  r->start += settle (r, granule, last);
  for (unsigned i = 0; i < r->pending->len; i++) {
    const Pending *p = &g_array_index (r->pending, Pending, i);
    SsOggEvent *event = queue_event (r, SS_OGG_PACKET);
    event->data = g_bytes_ref (p->data);
    event->start = r->start;
    event->duration = p->duration;
    r->start += p->duration;
  }
  g_array_set_size (r->pending, 0);
}

/* The link cannot be carried: fatal when it is the first, else it is left
 * out. */
static void
refuse_link (SsOggReader *r, SsMediaError code, const char *message)
{
  r->link = LINK_SKIP;
  if (r->stats.n_links == 0)
    fail (r, code, message);
  else
    warn (r, code, message);
}

static void
complete_headers (SsOggReader *r, SsCodec codec)
{
  bool cut;
  GPtrArray *packets = r->header_packets;
  if (!ss_codec_parser_init (&r->parser, codec, (GBytes **) packets->pdata,
                             packets->len)) {
    refuse_link (r, SS_MEDIA_ERROR_UNSUPPORTED,
                 "the codec headers are malformed");
    return;
  }
  if (!ss_header_cut (codec, packets, &cut)) {
    refuse_link (r, SS_MEDIA_ERROR_UNSUPPORTED,
                 "the codec headers are larger than 64 KiB");
    return;
  }
  r->link = LINK_DATA;
  r->stats.n_links++;
  queue_event (r, SS_OGG_HEADERS)->headers = ss_codec_headers_new (
      &r->parser, (GBytes **) packets->pdata, packets->len);
  g_ptr_array_set_size (packets, 0);
}

static void
take_audio (SsOggReader *r, const ogg_packet *packet)
{
  uint32_t duration;
  if (!ss_codec_parser_packet (&r->parser, packet->packet,
                               (size_t) packet->bytes, &duration)) {
    r->stats.packets_dropped++;
    return;
  }
  Pending pending = { g_bytes_new (packet->packet, (size_t) packet->bytes),
                      duration };
  g_array_append_val (r->pending, pending);
  if (r->pending->len >= SS_OGG_PENDING_MAX)
    flush_pending (r, -1, false);
}

static void
take_packet (SsOggReader *r, const ogg_packet *packet)
{
  if (r->link == LINK_DATA) {
    take_audio (r, packet);
    return;
  }
  if (r->link != LINK_HEADERS)
    return;
  bool last = false;
  SsCodec codec = r->parser.codec;
  unsigned n = r->header_packets->len;
  if (!ss_codec_is_header (codec, n, packet->packet, (size_t) packet->bytes,
                           &last)) {
    complete_headers (r, codec);
    if (r->link == LINK_DATA)
      take_audio (r, packet);
    return;
  }
  if (n >= SS_OGG_HEADER_PACKETS_MAX) {
    refuse_link (r, SS_MEDIA_ERROR_UNSUPPORTED,
                 "the stream has too many header packets");
    return;
  }
  g_ptr_array_add (r->header_packets,
                   g_bytes_new (packet->packet, (size_t) packet->bytes));
  if (last)
    complete_headers (r, codec);
}

static void
drain_packets (SsOggReader *r)
{
  ogg_packet packet;
  int got;
  while (!r->broken
         && (got = ogg_stream_packetout (&r->stream, &packet)) != 0) {
    if (got > 0) {
      take_packet (r, &packet);
      continue;
    }
    r->stats.n_holes++;
    ss_codec_parser_reset (&r->parser);
    if (r->link == LINK_HEADERS)
      refuse_link (r, SS_MEDIA_ERROR_NOT_MEDIA,
                   "the codec headers are damaged");
  }
}

static void
end_link (SsOggReader *r)
{
  if (r->link == LINK_DATA) {
    flush_pending (r, -1, false);
    if (!r->end_of_stream)
      warn (r, SS_MEDIA_ERROR_TRUNCATED,
            "the Ogg stream ends without its last page");
  } else if (r->link == LINK_HEADERS)
    refuse_link (r, SS_MEDIA_ERROR_TRUNCATED,
                 "the Ogg stream ends within its headers");
  if (r->chosen)
    ogg_stream_clear (&r->stream);
  r->chosen = false;
}

static void
begin_link (SsOggReader *r)
{
  end_link (r);
  r->link = LINK_BOS;
  r->refused_name = "no stream";
  r->position_known = false;
  r->end_of_stream = false;
  r->position = 0;
  r->start = 0;
  g_ptr_array_set_size (r->header_packets, 0);
}

/* A beginning-of-stream page: of a new link if other pages came before. */
static void
process_bos (SsOggReader *r, ogg_page *page)
{
  if (r->link != LINK_BOS)
    begin_link (r);
  if (r->chosen || r->broken)
    return;
  SsCodec codec =
      ss_codec_identify (page->body, (size_t) page->body_len, &r->refused_name);
  if (codec == SS_CODEC_NONE)
    return;
  ogg_stream_init (&r->stream, ogg_page_serialno (page));
  r->chosen = true;
  r->parser = (SsCodecParser){ .codec = codec };
  if (ogg_stream_pagein (&r->stream, page) != 0)
    return;
  /* Headers may complete only behind the BOS pages. */
  ogg_packet packet;
  if (ogg_stream_packetout (&r->stream, &packet) == 1)
    g_ptr_array_add (r->header_packets,
                     g_bytes_new (packet.packet, (size_t) packet.bytes));
}

static void
process_page (SsOggReader *r, ogg_page *page)
{
  if (ogg_page_bos (page)) {
    process_bos (r, page);
    return;
  }
  if (r->link == LINK_BOS && r->chosen)
    r->link = LINK_HEADERS;
  else if (r->link == LINK_BOS) {
    g_autofree char *message = g_strdup_printf (
        "the Ogg stream carries %s, not Opus, Vorbis or FLAC", r->refused_name);
    refuse_link (r, SS_MEDIA_ERROR_UNSUPPORTED, message);
  }
  if ((r->link != LINK_HEADERS && r->link != LINK_DATA)
      || ogg_page_serialno (page) != r->stream.serialno)
    return;
  if (r->stream.body_fill - r->stream.body_returned + page->body_len
      > (long) SS_OGG_PACKET_LEN_MAX) {
    ogg_stream_reset_serialno (&r->stream, (int) r->stream.serialno);
    r->stats.packets_dropped++;
    if (r->link == LINK_HEADERS)
      refuse_link (r, SS_MEDIA_ERROR_UNSUPPORTED,
                   "a codec header is larger than 16 MiB");
    return;
  }
  if (ogg_stream_pagein (&r->stream, page) != 0)
    return;
  drain_packets (r);
  bool last = ogg_page_eos (page);
  int64_t granule = ogg_page_granulepos (page);
  if (r->link == LINK_DATA && !r->broken && (granule != -1 || last))
    flush_pending (r, granule, last);
  r->end_of_stream |= last;
}

static void
finish_input (SsOggReader *r)
{
  /* What cannot complete is a page cut short, or garbage behind the last. */
  bool rest = r->sync.fill > r->sync.returned;
  if (!r->page_seen) {
    bool ogg = rest && r->sync.fill - r->sync.returned >= 4
               && memcmp (r->sync.data + r->sync.returned, "OggS", 4) == 0;
    fail (r, ogg ? SS_MEDIA_ERROR_TRUNCATED : SS_MEDIA_ERROR_NOT_MEDIA,
          ogg ? "the Ogg stream ends within its first page"
              : "not an Ogg stream");
    return;
  }
  if (r->link == LINK_BOS) {
    if (r->chosen)
      r->link = LINK_HEADERS;
    else
      refuse_link (r, SS_MEDIA_ERROR_UNSUPPORTED,
                   "the Ogg stream carries no Opus, Vorbis or FLAC");
  }
  end_link (r);
  if (r->broken)
    return;
  if (r->stats.n_links == 0) {
    fail (r, SS_MEDIA_ERROR_TRUNCATED,
          "the Ogg stream does not hold a beginning");
    return;
  }
  queue_event (r, SS_OGG_END);
  r->broken = true;
}
