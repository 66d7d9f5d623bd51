/* Bursts: see the header. */
#include "media/burst.h"

bool
ss_burst_out_take (SsBurstOut *burst, SsTime now, SsTime due, size_t len,
                   SsTime latency)
{
  if (due <= now) {
    burst->start = now;
    burst->n_bytes = 0;
  } else {
    bool may_be_long = burst->n_bytes + len <= SS_BURST_LONG_BYTES_MAX;
    SsTime length =
        latency / (may_be_long ? SS_BURST_LONG_DIVISOR : SS_BURST_DIVISOR);

    if (due - burst->start >= length)
      return false;
  }
  burst->n_bytes += len;
  return true;
}
