/* A stream of lookups from every node, judged one by one at the moment of
 * their delivery: right if no node that may deliver (joined, its leaf set
 * confirmed) is closer to the key. For scenarios where nodes come and go
 * meanwhile. */
#pragma once

#include "sim/world.h"

typedef struct {
  double rate;    /* a node and second; intervals are exponential */
  SsTime retry;   /* the source asks again after so long; 0: never */
  unsigned tries; /* and so often in all */
  SsTime wait;    /* what has not come after this is lost */
} SsLookupOptions;

#define SS_LOOKUP_HOPS 16 /* more count as 15 */

typedef struct {
  uint64_t n;         /* whose time is up, or that came */
  uint64_t n_wrong;   /* deliveries at another than the closest */
  uint64_t n_again;   /* deliveries after the first */
  uint64_t n_lost;    /* never delivered, though their source lived; */
  uint64_t n_orphans; /* whose source died before */
  /* Means over those delivered. */
  double hops, replica_hops; /* to the closest; to the first of the 5 closest */
  unsigned hops_max;
  uint64_t by_hops[SS_LOOKUP_HOPS];
  double stretch; /* the way's length over the direct one's: sums */
  double penalty; /* the time it took over the direct way: sums; */
  double penalty_mean, penalty_median; /* and of each lookup's ratio */
  double delay_ms;
} SsLookupResult;

typedef struct SsLookupStream SsLookupStream;

/* Starts at once; one a world at a time. */
void ss_lookups_start (SsWorld *world, const SsLookupOptions *options);
/* What was asked since the start or the last mark counts no more. */
void ss_lookups_mark (SsWorld *world);
/* No more are sent; runs until all are in or lost. */
void ss_lookups_stop (SsWorld *world, SsLookupResult *ret_result);
/* One more from a node, besides the stream. */
void ss_lookups_send (SsWorld *world, unsigned index, const SsId *key);

/* For sim/world.c. */
void ss_lookups_register (SsMember *member, SsNode *node);
void ss_lookups_node_is_gone (SsWorld *world, const SsMember *member);
void ss_lookups_free (SsWorld *world);
