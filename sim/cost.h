/* What simulated worlds cost: events, CPU time, and the memory of their
 * nodes. Time and memory are the process's own, so that a busy machine changes
 * little, and nothing else may run in it. */
#pragma once

#include "sim/world.h"

typedef struct {
  double cpu; /* seconds, when it began */
  uint64_t n_events;
  unsigned nodes; /* of the world that had most, while it was; */
  size_t bytes;   /*   and what was allocated for them at its end */
} SsCost;

double ss_cost_cpu (void); /* seconds so far */
/* Bytes that a world's nodes hold, and what is kept about them; not what the
 * network has under way. */
size_t ss_cost_memory (const SsWorld *world);

void ss_cost_begin (SsCost *cost);
/* To be called with each world before it is freed. */
void ss_cost_add (SsCost *cost, const SsWorld *world);
void ss_cost_print (const SsCost *cost);
