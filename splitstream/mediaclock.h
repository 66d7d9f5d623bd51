/* The publisher's media clock as a receiver sees it. Every packet says at
 * which media time it departed; the base is the least of (arrival -
 * departure) over a sliding window of packets that came down their tree: the
 * difference of the clocks plus the quickest way here. So a frame is put out
 * at timestamp + base + latency. The base in use follows the measured one
 * slowly, so that drift is followed and nothing audible jumps. Departures of
 * repaired packets say nothing about ways and are not counted.
 *
 * For each stripe the smoothed lag behind the base and its deviation are kept
 * (RFC 6298's estimator), from which follows when a packet is overdue. Pure. */
#pragma once

#include <stdbool.h>

#include "base/time.h"
#include "splitstream/station.h"

/* The window of the minimum, in steps. */
#define SS_CLOCK_STEPS 6
#define SS_CLOCK_STEP  (2 * SS_SEC)
/* How fast the base in use moves: 1 ms/s, five times the drift of bad
 * crystals, and far below what is audible; 5 ms/s, a twelfth of a semitone if
 * anybody resampled it, as long as it is off by more than SS_CLOCK_OFF: who
 * tuned in by a neighbour's word. */
#define SS_CLOCK_SLEW_PER_MILLE      1
#define SS_CLOCK_SLEW_FAST_PER_MILLE 5
#define SS_CLOCK_OFF                 (20 * SS_MSEC)
/* If a whole step's packets come this share of the latency later than the
 * base says, then the stream has really been delayed: the base jumps. */
#define SS_CLOCK_JUMP_DIVISOR 3

typedef struct {
  bool known;
  SsTime lag, deviation;
} SsStripeLag;

/* So many arrivals, of different stripes, tell what holds up all of them. */
#define SS_CLOCK_RECENT 4
/* The quickest way that was ever met counts for less by and by: clocks drift,
 * and ways become longer. */
#define SS_CLOCK_FLOOR_PER_MILLE 1

typedef struct {
  SsTime over; /* by so much longer than the quickest ever */
  SsTime late; /* than its stripe's usual lag */
} SsLateArrival;

typedef struct {
  SsTime latency; /* bounds margins and jumps */
  bool is_set, is_measured, is_fixed;
  SsTime base; /* in use */
  SsTime adjusted_at;
  bool has_departure;
  SsTime last_departure; /* newest, for unwrapping */
  struct {
    SsTime start, least;
  } steps[SS_CLOCK_STEPS]; /* least: SS_NEVER if none */
  unsigned step;
  SsStripeLag stripes[SS_STRIPES];
  SsLateArrival recent[SS_CLOCK_RECENT]; /* a ring */
  unsigned n_recent;
  SsTime floor, floor_at; /* the quickest way, and when that was */
} SsMediaClock;

void ss_media_clock_init (SsMediaClock *clock, SsTime latency);
/* Another node's word: media time `media_time` is here at `now`. The best of
 * several counts, until the clock is fixed. */
void ss_media_clock_hint (SsMediaClock *clock, SsTime now, SsTime media_time);
/* A packet has come down its tree. */
void ss_media_clock_arrival (SsMediaClock *clock, SsTime now, unsigned stripe,
                             SsTime departure);
/* From now on the base does not jump to a better estimate: frames are out. */
void ss_media_clock_fix (SsMediaClock *clock);
/* The base in use at now; 0 if not yet set. Moves it. */
SsTime ss_media_clock_base (SsMediaClock *clock, SsTime now);
/* The least of the window, or the base in use. */
SsTime ss_media_clock_measured (const SsMediaClock *clock);
/* How long after departure + base a packet of the stripe is overdue. */
SsTime ss_media_clock_allowance (const SsMediaClock *clock, unsigned stripe);
/* By how much all that has come lately was later than its stripe is usually:
 * what is missing may be as late. */
SsTime ss_media_clock_late (const SsMediaClock *clock);
/* By how much all of it took longer than the quickest ever did: what waits
 * before this node's line, or before the publisher's. False: it is too early
 * to say. */
bool ss_media_clock_queue (const SsMediaClock *clock, SsTime *ret_wait);
/* Smoothed delay behind the quickest stripe. */
SsTime ss_media_clock_lag (const SsMediaClock *clock, unsigned stripe);
