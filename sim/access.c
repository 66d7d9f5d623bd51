/* An access link: a rate with a queue before it, and losses. */
#include "sim/access.h"

#include <glib.h>

#define IP_HEADER 28 /* bytes of IPv4 and UDP on an access link */

/* How long a datagram waits for its last byte to be through; false: the
 * queue is full. */
static bool
queue (SsTime now, uint32_t kbps, uint32_t queue_bytes, size_t len,
       SsTime *free_at, SsTime *ret_wait)
{
  *ret_wait = 0;
  if (kbps == 0)
    return true;
  SsTime byte = 8 * SS_MSEC / kbps; /* a kilobit has 1,000 */
  SsTime start = MAX (*free_at, now);

  if (queue_bytes == 0)
    queue_bytes = SS_ACCESS_QUEUE;
  if ((start - now) / MAX (byte, 1) + (SsTime) len > (SsTime) queue_bytes)
    return false;
  *free_at = start + (SsTime) (len + IP_HEADER) * byte;
  *ret_wait = *free_at - now;
  return true;
}

static bool
is_lost (float loss, SsRng *rng)
{
  return loss > 0 && ss_rng_unit (rng) < (double) loss;
}

bool
ss_access_leave (SsAccessLink *link, SsTime now, size_t len, SsRng *rng,
                 SsTime *ret_wait)
{
  bool is_out = queue (now, link->access.up_kbps, link->access.queue_bytes, len,
                       &link->up_free, ret_wait)
                && !is_lost (link->loss_up, rng);

  *ret_wait += link->access.delay;
  return is_out;
}

bool
ss_access_enter (SsAccessLink *link, SsTime now, size_t len, SsRng *rng,
                 SsTime *ret_wait)
{
  bool is_in = !is_lost (link->loss_down, rng)
               && queue (now, link->access.down_kbps, link->access.queue_bytes,
                         len, &link->down_free, ret_wait);

  *ret_wait += is_in ? link->access.delay : 0;
  return is_in;
}

SsTime
ss_access_jitter (SsTime jitter, SsRng *rng)
{
  return jitter > 0 ? (SsTime) ss_rng_below (rng, (uint64_t) jitter) : 0;
}
