/* Frames in, a well-formed Ogg stream out (RFC 3533), wherever the frames
 * begin: headers first, granule positions from 0 with the differences that
 * the frames' timestamps have, one chain link for each set of headers.
 *
 * A lost frame is a step in granule position at a page's border, in Opus too:
 * a departure from RFC 7845 section 4.1, so that a recording holds what was
 * sent and nothing else. With `fill_gaps` an Opus stream gets, as the RFC
 * wants, packets instead that ask the decoder to conceal the gap, and that
 * last as long: for playing at once. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

/* A page holds at most so much audio: what a reader waits for it. */
#define SS_OGG_PAGE_MSEC_MAX 100
/* A longer gap in an Opus stream is left to the granule position. */
#define SS_OGG_FILL_SECONDS_MAX 2

/* Some whole pages that hold `n_frames` whole frames; the bytes are valid
 * during the call. */
typedef void (*SsOggWriterFunc) (const uint8_t *pages, size_t len,
                                 unsigned n_frames, gpointer user_data);

typedef struct {
  uint32_t serial; /* of the first chain link; the others count up from it */
  bool fill_gaps;
  SsOggWriterFunc write;
  gpointer user_data;
} SsOggWriterOptions;

typedef struct SsOggWriter SsOggWriter;

SsOggWriter *ss_ogg_writer_new (const SsOggWriterOptions *options);
void ss_ogg_writer_free (SsOggWriter *writer); /* writes nothing */

/* Ends the chain link, if one is open, and begins another with the next
 * frame. Refused (false) when a decoder would refuse the headers: then the
 * frames that follow are dropped. */
bool ss_ogg_writer_headers (SsOggWriter *writer, const SsCodecHeaders *headers);

/* False: dropped, since its header version is not the current one. */
bool ss_ogg_writer_frame (SsOggWriter *writer, const SsFrame *frame);

/* Writes what waits for its page to fill; only a frame whose end is trimmed
 * stays, since the next call decides whether it is the last. */
void ss_ogg_writer_flush (SsOggWriter *writer);

/* Ends the stream. Headers may follow, for another chain link. */
void ss_ogg_writer_finish (SsOggWriter *writer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SsOggWriter, ss_ogg_writer_free)
