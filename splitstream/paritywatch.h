/* Is each row's parity on its way? Nobody misses a parity packet while no data
 * is missing, so that a parent that has died in a parity stripe would go
 * unnoticed. A packet of a later row says that a row is over; its parity left
 * at most SS_PARITY_WAIT_PERCENT of the latency after that (rows.h), and as
 * a rule together with it: what the stripe's parity took of late is waited for.
 * It is overdue when the next packets' allowance has passed, too. Each silence
 * is told once, until the stripe brings something again. Pure. */
#pragma once

#include <stdbool.h>

#include "splitstream/mediaclock.h"
#include "splitstream/packet.h"

/* Of the latency, that the publisher may hold a row's parity back: until the
 * next burst of what it has already begins, which is a quarter and a frame
 * later at the most (media/burst.h). Alone it would cost all listeners a
 * signature and a wake-up, as it does where a frame is longer than a fiftieth
 * of the latency. */
#define SS_PARITY_WAIT_PERCENT 27

typedef struct {
  bool has_seen, is_silent;
  uint32_t seen; /* row of the latest parity packet, */
  SsTime left;   /* and when it left */
  SsTime due;    /* of a row after that one; SS_NEVER: none is awaited */
  /* How long after the next row had begun it left at most, in the last rows and
   * in as many before these. */
  SsTime wait, wait_before;
  unsigned n_rows; /* of the last */
} SsParityStripe;

typedef struct {
  unsigned n_parity;
  bool has_row;
  uint32_t row;     /* the newest with data, */
  SsTime departure; /* and when the first seen of it left */
  SsParityStripe stripes[SS_PARITY_MAX];
} SsParityWatch;

void ss_parity_watch_init (SsParityWatch *watch, unsigned n_parity,
                           SsTime latency);
/* A data packet of this row, which left at `departure`. */
void ss_parity_watch_data (SsParityWatch *watch, const SsMediaClock *clock,
                           uint32_t row, SsTime departure);
void ss_parity_watch_parity (SsParityWatch *watch, unsigned index, uint32_t row,
                             SsTime departure);
SsTime ss_parity_watch_deadline (const SsParityWatch *watch);
/* The index of a parity stripe that is overdue from now on; n_parity: none, or
 * no more. */
unsigned ss_parity_watch_overdue (SsParityWatch *watch, SsTime now);
