/* How much each peer may ask of this node: one token bucket per peer, for the
 * peers heard of most recently, and one for all together. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/time.h"

#define SS_QUOTA_PEERS 64

typedef struct {
  double tokens;
  SsTime filled;
} SsBucket;

typedef struct {
  SsId peer;
  SsBucket bucket;
  uint64_t used; /* order of last use */
} SsQuotaPeer;

typedef struct {
  double rate, burst; /* tokens a second; tokens */
  double rate_of_all, burst_of_all;
  SsBucket all;
  uint64_t order;
  unsigned n_peers;
  SsQuotaPeer *peers; /* grows to SS_QUOTA_PEERS */
} SsQuota;

void ss_quota_init (SsQuota *quota, double rate, double burst,
                    double rate_of_all, double burst_of_all, SsTime now);
void ss_quota_clear (SsQuota *quota);
/* Takes cost tokens; false, and nothing taken, if there are too few. */
bool ss_quota_take (SsQuota *quota, const SsId *peer, double cost, SsTime now);
/* As long as so many are left for all together. */
bool ss_quota_take_above (SsQuota *quota, const SsId *peer, double cost,
                          double reserve, SsTime now);
