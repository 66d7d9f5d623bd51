/* A node's access link: what waits before it, what it loses, how much it
 * delays. One model for the simulator's nodes (sim/topology.c) and for the
 * hosts of real programs (tests/tools/impair.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/time.h"

/* Rates of 0 are endless. What would queue for longer than the queue has
 * bytes is dropped (drop tail). */
typedef struct {
  uint32_t up_kbps, down_kbps;
  uint32_t queue_bytes; /* in each direction; 0: SS_ACCESS_QUEUE */
  SsTime delay;         /* of the line itself, each way */
} SsAccess;

#define SS_ACCESS_QUEUE (64 * 1024)

typedef struct {
  SsAccess access;
  float loss_up, loss_down;  /* 0 to 1 */
  SsTime up_free, down_free; /* when the last byte so far will be through */
} SsAccessLink;

/* A datagram of so many bytes of UDP payload leaves, or comes in: how long it
 * waits until its last byte is through. False: it is lost. */
bool ss_access_leave (SsAccessLink *link, SsTime now, size_t len, SsRng *rng,
                      SsTime *ret_wait);
bool ss_access_enter (SsAccessLink *link, SsTime now, size_t len, SsRng *rng,
                      SsTime *ret_wait);
/* How much later than others a datagram comes: less than jitter. */
SsTime ss_access_jitter (SsTime jitter, SsRng *rng);
