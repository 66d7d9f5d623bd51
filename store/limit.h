/* How much each peer may ask of the store: one token bucket per peer, for
 * the peers heard of most recently, and one for all together. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/time.h"

#define SS_LIMIT_PEERS 64

typedef struct {
  double tokens;
  SsTime filled;
} SsBucket;

typedef struct {
  SsId peer;
  SsBucket bucket;
  uint64_t used; /* order of last use; 0: free */
} SsLimitPeer;

typedef struct {
  double rate, burst; /* tokens a second; tokens */
  double rate_of_all, burst_of_all;
  SsBucket all;
  uint64_t order;
  unsigned n_peers;
  SsLimitPeer *peers; /* grows to SS_LIMIT_PEERS */
} SsLimit;

void ss_limit_init (SsLimit *limit, double rate, double burst,
                    double rate_of_all, double burst_of_all, SsTime now);
void ss_limit_clear (SsLimit *limit);
/* Takes cost tokens; false, and nothing taken, if there are too few. */
bool ss_limit_take (SsLimit *limit, const SsId *peer, double cost, SsTime now);
