/* Who sits where in the trees: two kinds of listeners beside each other. */
#pragma once

#include "sim/world.h"

/* What one kind has had, in the mean over all looks. Trees whose root a node
 * is do not count: that follows from the ids. */
typedef struct {
  double n;        /* nodes, summed over the looks, and of them: */
  double children; /* in all trees */
  double below;    /* likewise, with theirs and so on */
  double depth;    /* in its own stripe's tree, and in */
  double n_placed; /* how many cases that is known */
} SsSeats;

enum { SS_SEATS_FIRST, SS_SEATS_SECOND, SS_SEATS_OUT };

/* Adds a look at all listeners; kinds: for each member, one of these. */
void ss_seats_look (SsWorld *world, const uint8_t *kinds, SsSeats sums[2]);
/* Of one member: places right below it in all trees, and all that are below it
 * where it is not the root. */
typedef struct {
  unsigned children, below;
} SsSeatsBelow;

/* By member; the caller frees it. */
SsSeatsBelow *ss_seats_below (SsWorld *world);
/* Rows: children, nodes below and depth of the first and of the second. */
void ss_seats_report (const SsWorld *world, const char *kinds,
                      const SsSeats sums[2]);
double ss_seats_children (const SsSeats *sums);
/* In its own stripe's tree, of those that forward there. */
double ss_seats_depth (const SsSeats *sums);
/* The older half, and the younger, by when they tuned in. */
void ss_seats_by_age (SsWorld *world, uint8_t *ret_kinds);
