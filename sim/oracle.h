/* Oracles see every node at once and compare what each believes with the
 * truth. Each returns how many were wrong, and says what the first ones are
 * through ss_world_fail when `report` is set. */
#pragma once

#include "sim/world.h"

/* Leaf sets equal the sorted truth, of the living of each side. */
unsigned ss_oracle_leaf_sets (SsWorld *world, bool report);

/* Routes n messages from random nodes to random keys, one each interval, and
 * runs until they are in; each must be delivered once, at the living node
 * closest. */
typedef struct {
  unsigned n, n_wrong, n_missing, n_twice;
  double hops_mean, hops_ideal; /* ideal: with full tables */
  unsigned hops_max;
} SsLookups;

void ss_oracle_lookups (SsWorld *world, unsigned n, SsTime interval,
                        SsLookups *ret_lookups);
/* The same; all must have come so long after the last. */
void ss_oracle_lookups_within (SsWorld *world, unsigned n, SsTime interval,
                               SsTime wait, SsLookups *ret_lookups);

/* The trees of all stripes: every listener in each, no cycles, all under the
 * root; fan-out within bounds. */
typedef struct {
  unsigned n_wrong;
  unsigned depth_max;
  double depth_mean;
  unsigned children_max; /* of one node, over all stripes */
  unsigned publisher_children;
} SsTrees;

void ss_oracle_trees (SsWorld *world, bool report, SsTrees *ret_trees);

/* No listener that is up has lost a frame since `since`; with `whole`, each
 * has also heard all up to the end of the broadcast. */
unsigned ss_oracle_hearing (SsWorld *world, SsTime since, bool whole,
                            bool report);

/* For sim/world.c. */
GArray *ss_oracle_lookups_new (void);
void ss_oracle_register (SsMember *member, SsNode *node);
