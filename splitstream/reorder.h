/* The receiver's window: verified packets go in in any order, frames come out
 * in order and in time. It notices what is overdue, asks for it, rebuilds it
 * from parity, and skips what has not come when the next frame is due
 * (DESIGN section 8).
 *
 *   due       a frame's timestamp + the clock's base + latency
 *   overdue   a packet is expected at the departure of the next later packet
 *             seen + base + its stripe's allowance (mediaclock.h); then it is
 *             rebuilt if its row's parity is here, else wanted
 *   lost      when the next packet that is here falls due, but not before
 *             the gap has been known for SS_REORDER_GRACE: after a stall
 *             everything is late, and late is better than lost
 *   parity    is wanted when half of a wanted packet's time has passed
 *
 * A window starts (first frame out) at the oldest packet from which on
 * everything is here or has time enough left to be fetched.
 *
 * Pure: what it wants done it says by the calls below, which must not call
 * back into it. */
#pragma once

#include "base/frame.h"
#include "splitstream/mediaclock.h"
#include "splitstream/packet.h"

/* Packets in the window; more than 60 s of 2 Mbit/s. */
#define SS_REORDER_MAX 16384
/* Packets kept behind the one playing: what a row needs to be rebuilt. */
#define SS_REORDER_KEPT 32
/* Rows whose parity is kept. */
#define SS_REORDER_ROWS_MAX 1024
/* Packets missing at a time; a window with more starts anew. */
#define SS_REORDER_MISSING_MAX 2048
/* A wanted packet must come this long before the next one is due. */
#define SS_REORDER_SAFETY (20 * SS_MSEC)
/* What could not be wanted waits so long. */
#define SS_REORDER_WANT_PAUSE (20 * SS_MSEC)
/* Frames wait so long for their codec headers. */
#define SS_REORDER_HEADERS_WAIT (5 * SS_SEC)
/* Frames given out at one moment; what is due beyond waits a little, so that
 * who takes them keeps up: a small packet may hold hundreds of empty ones. */
#define SS_REORDER_FRAMES_AT_ONCE 4096
#define SS_REORDER_PAUSE          (1 * SS_MSEC)
/* Frames that fall due within this part of the latency after one that is due
 * go out with it, as far as they are here, and are early by so much. */
#define SS_REORDER_TOGETHER_DIVISOR 8
#define SS_REORDER_TOGETHER_MAX     (190 * SS_MSEC)
/* Parts of latency: a gap is known for this before it is given up; a missing
 * packet behind the first frame must have this left. */
#define SS_REORDER_GRACE_DIVISOR 5
#define SS_REORDER_SLACK_DIVISOR 4

typedef enum {
  SS_REORDER_TREE,
  SS_REORDER_REPAIR,
  SS_REORDER_BURST,  /* tune-in */
  SS_REORDER_PARITY, /* rebuilt */
} SsReorderVia;

typedef struct {
  /* False: not now, so many are wanted already. */
  bool (*want) (void *user, unsigned stripe, uint32_t sequence,
                SsTime deadline);
  void (*unwant) (void *user, unsigned stripe, uint32_t sequence);
  /* A data packet has been rebuilt: is it authentic, and new? */
  bool (*verify) (void *user, uint64_t number, const SsPacket *packet,
                  GBytes *bytes);
  /* Of a header version; 0: its headers are not here (yet). */
  uint32_t (*clock_rate) (void *user, uint8_t version);
  void (*frame) (void *user, const SsFrame *frame);
  /* What the stripe should have brought by now has not come, whether it is
   * needed or not. */
  void (*overdue) (void *user, unsigned stripe);
} SsReorderCalls;

typedef struct {
  uint64_t packets_lost, packets_rebuilt, frames_out, frames_lost;
  uint64_t payload_bytes;
  uint64_t stripes_lost[SS_STRIPES];
} SsReorderStats;

typedef struct SsReorder SsReorder;

/* How early a frame may go out with one that is due. */
SsTime ss_reorder_together (SsTime latency);

/* The clock is the caller's and must outlive the window. latency: from the
 * source to the output here. */
SsReorder *ss_reorder_new (SsMediaClock *clock, unsigned n_parity,
                           SsTime latency, const SsReorderCalls *calls,
                           void *user);
void ss_reorder_free (SsReorder *reorder);

/* A verified packet, parsed from bytes, which are referenced. */
void ss_reorder_insert (SsReorder *reorder, SsTime now, uint64_t number,
                        const SsPacket *packet, GBytes *bytes,
                        SsReorderVia via);
/* A packet that is here by another way has come down its tree after all: when
 * it left. False: there is none, or another, or it has come so before. */
bool ss_reorder_came_by_tree (SsReorder *reorder, uint64_t number,
                              GBytes *bytes, SsTime *ret_departure);
void ss_reorder_insert_parity (SsReorder *reorder, SsTime now, uint32_t row,
                               unsigned index, const SsPacket *packet,
                               GBytes *bytes);
/* A neighbour was asked for what it has: gaps are not asked for before
 * `until`. Only before the start. */
void ss_reorder_hold (SsReorder *reorder, SsTime until);
/* No more of it is sent, and what is missing of it is not to be asked for: the
 * start will be behind that. False: it has started. */
bool ss_reorder_forgo_burst (SsReorder *reorder);
/* A neighbour, so far away, says that it sends first to newest: not overdue
 * before `until`, as long as some of it keeps coming. Only before the start. */
void ss_reorder_expect (SsReorder *reorder, SsTime now, uint64_t first,
                        uint64_t newest, SsTime until, SsTime round_trip);
/* The burst has come to this number, whether that packet was here already or
 * not: what it should have brought before is lost. */
void ss_reorder_burst_is_at (SsReorder *reorder, SsTime now, uint64_t number);
/* What is missing from `number` on is missed, too. Only before the start. */
void ss_reorder_reach_down (SsReorder *reorder, SsTime now, uint64_t number);
/* Does what is due. To be called after each change and at the deadline. */
void ss_reorder_run (SsReorder *reorder, SsTime now);
SsTime ss_reorder_deadline (const SsReorder *reorder); /* as of the last run */

bool ss_reorder_has (const SsReorder *reorder, uint64_t number);
/* Is it here, and a part of codec headers? */
bool ss_reorder_is_headers (const SsReorder *reorder, uint64_t number,
                            uint8_t *ret_version);
GBytes *ss_reorder_packet (const SsReorder *reorder, uint64_t number);
/* The window's packets: [next, end) are to be played. */
uint64_t ss_reorder_next (const SsReorder *reorder);
uint64_t ss_reorder_end (const SsReorder *reorder);
bool ss_reorder_is_started (const SsReorder *reorder);
bool ss_reorder_is_empty (const SsReorder *reorder); /* nothing to play */
/* The end's mark has come, and everything before it is out or lost. */
bool ss_reorder_is_ended (const SsReorder *reorder);
bool ss_reorder_has_end (const SsReorder *reorder); /* its mark has come */
/* Rows that are complete here: played, or given up, to their end. */
uint64_t ss_reorder_n_rows (const SsReorder *reorder);
SsTime ss_reorder_buffered (const SsReorder *reorder, SsTime now);
const SsReorderStats *ss_reorder_stats (const SsReorder *reorder);
