/* What a source has already is sent a burst at a time: a few bursts a second
 * are forwarded and checked at less cost than a packet every 60 ms, and to be
 * early costs nothing. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/time.h"

/* Parts of the latency: so much goes at a time. A slow stream's bursts are
 * longer, while they hold no more than SS_BURST_LONG_BYTES_MAX: as much as one
 * signature covers. */
#define SS_BURST_DIVISOR        24
#define SS_BURST_LONG_DIVISOR   4
#define SS_BURST_LONG_BYTES_MAX (12 * 1024)

typedef struct {
  SsTime start;
  size_t n_bytes;
} SsBurstOut;

/* May a frame of len bytes that falls due then leave now? One that is due
 * begins a burst; false: it waits until it is due. */
bool ss_burst_out_take (SsBurstOut *burst, SsTime now, SsTime due, size_t len,
                        SsTime latency);
