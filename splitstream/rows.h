/* The publisher's side of a stream: frames go in, signed packets for the
 * stripes come out. It packs frames into data packets, numbers them, gathers
 * them in rows and adds each row's parity (DESIGN section 8).
 *
 *   A packet leaves when it is full, at the end of a burst if it holds `hold`
 *   of media by then, or, at the latest, at its first frame's time + hold +
 *   SS_ROWS_HOLD_SLACK. A frame that does not fit goes on in the next packet.
 *   The end of one that is longer than a packet leaves with its burst.
 *   A row closes when all data stripes have a packet, or, short, 0.6 x
 *   latency after its first frame's time.
 *
 * A frame's time is when it came, or its timestamp if it came before that.
 * What is pushed between two calls of ss_rows_run is one burst and shares
 * signatures, for checking them is most of what a packet costs. A row's parity
 * leaves with the next burst, or 0.27 x latency after the row's end; a short
 * row's, at once. Pure: time is handed in. */
#pragma once

#include "base/frame.h"
#include "splitstream/packet.h"

#define SS_ROWS_HOLD_SLACK (10 * SS_MSEC)
/* A frame whose timestamp differs by more from what the packet's durations
 * say starts a new packet. */
#define SS_ROWS_TIMESTAMP_SLACK (5 * SS_MSEC)

typedef struct SsRows SsRows;

typedef struct {
  uint8_t stripe;
  uint32_t sequence;
  GBytes *packet;
} SsRowsPacket;

/* The signer is copied. */
SsRows *ss_rows_new (const SsSigner *signer, uint32_t session,
                     unsigned n_parity, SsTime latency);
void ss_rows_free (SsRows *rows);

/* A new header version; media_now is the media time at which it is pushed. */
void ss_rows_push_headers (SsRows *rows, SsTime media_now, uint8_t version,
                           uint32_t clock_rate, GBytes *serialised);
/* False: longer than SS_FRAME_BYTES_MAX; its number is skipped. */
bool ss_rows_push_frame (SsRows *rows, SsTime media_now, const SsFrame *frame);
/* An empty packet. */
void ss_rows_push_beacon (SsRows *rows, SsTime media_now);
/* What is held, the row's end, and a row of end marks. */
void ss_rows_end (SsRows *rows, SsTime media_now);
/* When the next packet or row is due; SS_NEVER: nothing is held. */
SsTime ss_rows_deadline (const SsRows *rows);
void ss_rows_run (SsRows *rows, SsTime media_now);
/* Takes the next packet out, in the order of leaving. */
bool ss_rows_pop (SsRows *rows, SsRowsPacket *ret_packet);

uint64_t ss_rows_n_rows (const SsRows *rows); /* closed */
uint64_t ss_rows_n_data (const SsRows *rows); /* data packets left */
/* When a packet left last, as media time; -1: none yet. */
SsTime ss_rows_last_departure (const SsRows *rows);
