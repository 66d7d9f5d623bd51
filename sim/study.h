/* What the papers' experiments have in common: rings grown fast, lookups
 * beside the perfect ones, tables beside the perfect ones. */
#pragma once

#include "sim/lookups.h"
#include "sim/truth.h"

/* Until there are n nodes, as fast as the ring takes them, then until all
 * have joined. False (and a failure): not all did. */
bool ss_study_grow (SsWorld *world, unsigned n);

typedef struct {
  SsLookupResult measured;
  double ideal_hops, ideal_stretch; /* of the first SS_STUDY_IDEAL_MAX */
  unsigned ideal_hops_max;          /* of these */
} SsStudyRoutes;

#define SS_STUDY_IDEAL_MAX 50000

/* n lookups from random nodes for random keys, one each interval. */
void ss_study_routes (SsWorld *world, unsigned n, SsTime interval,
                      SsStudyRoutes *ret_routes);

/* Of the nodes' tables, one row: how many entries of 15 are the nearest that
 * there is, how many are there, and how many there could be (means), and how
 * far they are relative to the nearest (mean). Of at most so many nodes, of
 * those members that came as number `from` or later. */
typedef struct {
  double best, present, possible, ratio;
} SsStudyRow;

void ss_study_row (SsWorld *world, unsigned row, unsigned from,
                   unsigned n_nodes, SsStudyRow *ret_row);

/* Kills a share of all nodes at once, the first excepted; how many. */
unsigned ss_study_kill (SsWorld *world, double share);
unsigned ss_study_kill_domain (SsWorld *world, unsigned domain);
/* How long until all leaf sets are right; -1: not within `most`. */
SsTime ss_study_wait_leaf_sets (SsWorld *world, SsTime most);
