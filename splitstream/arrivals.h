/* How late a session's packets are: of each, from its departure at the
 * publisher to its verified arrival here, as a histogram. Clocks of two
 * machines are not compared, so what is counted is by how much a packet was
 * later than the quickest one; `base` is the difference of the clocks plus
 * the quickest one's way. Who has both clocks (all on one machine) adds the
 * way. Counted are packets that left after the first one that came down a
 * tree, however they came. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

#define SS_ARRIVALS_BINS 256
#define SS_ARRIVALS_BIN  SS_MSEC

typedef struct {
  bool is_set;
  SsTime first; /* departure of the first packet that came down a tree */
  SsTime base;  /* arrival less departure of the quickest, in whole bins */
  uint32_t counts[SS_ARRIVALS_BINS]; /* later than base by so many bins */
  uint32_t n_beyond;                 /* later than that */
} SsArrivals;

/* A verified packet, new here. */
void ss_arrivals_note (SsArrivals *arrivals, SsTime now, SsTime departure,
                       bool is_by_tree);
/* By how much at most that part of the packets was later than the quickest,
 * up to a bin; SS_NEVER: it is beyond the bins, or there are none. */
SsTime ss_arrivals_quantile (const SsArrivals *arrivals, double part);
