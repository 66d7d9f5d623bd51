/* The forest of a station as one who sees all nodes at once: is everybody in
 * every tree, who carries what, how evenly (SplitStream, SOSP 2003, section
 * 5). Of the living listeners and relays; the publisher is apart. */
#pragma once

#include "sim/world.h"

typedef struct {
  unsigned n_listeners;
  unsigned n_missing; /* (listener, stripe) whose way up misses the root, */
  unsigned missing, missing_stripe; /* and one of them, if there is any */
  double depth_mean;                /* of those that do not */
  unsigned depth_max;
  /* From the publisher down the trees, without what queues and losses add:
   * of (listener, stripe). */
  SsTime delay_median, delay_p99;
  unsigned n_nodes;      /* listeners and relays */
  unsigned children_max; /* of one of them, over all stripes */
  unsigned publisher_children;
  /* Interior in more than one stripe, those apart where it is the root. */
  unsigned n_interior_twice;
  unsigned n_twice_least; /* the same, if each of them carries two */
  unsigned n_foreign; /* (node, stripe) interior, but neither root nor own */
  unsigned n_foreign_least; /* what the ids and bounds leave no way around */
  double gini;              /* of the children of the listeners, all stripes */
  double tree_gini;         /* mean of each stripe's tree alone */
} SsForest;

void ss_forest_look (SsWorld *world, SsForest *ret_forest);
/* Does this one's way up end at the root? Far less work. */
bool ss_forest_is_placed (SsWorld *world, unsigned index, unsigned stripe);
