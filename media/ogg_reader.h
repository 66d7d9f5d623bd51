/* Ogg in, codec packets out (RFC 3533): a pure parser that is pushed bytes
 * and pulled for events. It passes Opus, Vorbis and FLAC packets untouched,
 * with the time each one plays.
 *
 * - Of several multiplexed streams the first of a supported codec counts.
 * - A chained file gives a new HEADERS event for each link.
 * - Granule positions win over durations: a last page that ends early trims
 *   its packets (RFC 7845 section 4.4, Vorbis I section A.2), a Vorbis
 *   stream's first page may trim the beginning, and a page that ends late
 *   follows a hole. A link's time begins at 0 whatever its first page says.
 * - Damage is skipped and reported as a WARNING; so is an end without an
 *   end-of-stream page. Only a stream that gives nothing is an ERROR. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

/* Bytes searched for a first page before it is not an Ogg stream. */
#define SS_OGG_SEARCH_MAX 65536
/* A packet, header packets with their pictures included. */
#define SS_OGG_PACKET_LEN_MAX (16u << 20)
/* Header packets of one link, before they are cut to what travels. */
#define SS_OGG_HEADER_PACKETS_MAX 1024
/* Packets of a stream whose pages bear no granule position are given out by
 * their own durations after so many. */
#define SS_OGG_PENDING_MAX 1024
/* A longer jump of granule positions is an edit, not silence. */
#define SS_OGG_HOLE_SECONDS_MAX 10

typedef enum {
  SS_OGG_NEED_DATA, /* push more, or say that there is no more */
  SS_OGG_HEADERS,   /* a new chain link: `headers`, its version 0 */
  SS_OGG_PACKET,    /* `data`, `start`, `duration` */
  SS_OGG_WARNING,   /* `error` says what is odd; events go on */
  SS_OGG_END,       /* all was given out */
  SS_OGG_ERROR,     /* `error`; no other event follows */
} SsOggEventKind;

typedef struct {
  SsOggEventKind kind;
  SsCodecHeaders *headers;
  GBytes *data;
  int64_t start;     /* samples since the link's first; beyond the last
                        packet's end after a hole */
  uint32_t duration; /* samples, trimming taken off; may be 0 */
  GError *error;     /* SS_MEDIA_ERROR */
} SsOggEvent;

typedef struct {
  uint64_t bytes_skipped;   /* between pages */
  uint64_t packets_dropped; /* no packets of the codec, or too large */
  unsigned n_holes;         /* lost or damaged pages */
  unsigned n_links;         /* chain links given out */
} SsOggReaderStats;

typedef struct SsOggReader SsOggReader;

SsOggReader *ss_ogg_reader_new (void);
void ss_ogg_reader_free (SsOggReader *reader);

/* Copies. Memory stays bounded if pulled to NEED_DATA after every push. */
void ss_ogg_reader_push (SsOggReader *reader, const void *data, size_t len);

/* No more bytes will come. */
void ss_ogg_reader_finish (SsOggReader *reader);

/* The next event; what it holds is the caller's, to clear. */
SsOggEventKind ss_ogg_reader_pull (SsOggReader *reader, SsOggEvent *ret_event);
void ss_ogg_event_clear (SsOggEvent *event);

SsOggReaderStats ss_ogg_reader_stats (const SsOggReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SsOggReader, ss_ogg_reader_free)
