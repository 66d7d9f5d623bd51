/* How much each peer may ask of the store. */
#include "store/limit.h"

#include <glib.h>

void
ss_limit_init (SsLimit *limit, double rate, double burst, double rate_of_all,
               double burst_of_all, SsTime now)
{
  *limit = (SsLimit) {
    .rate = rate,
    .burst = burst,
    .rate_of_all = rate_of_all,
    .burst_of_all = burst_of_all,
    .all = { burst_of_all, now },
  };
}

void
ss_limit_clear (SsLimit *limit)
{
  g_free (limit->peers);
  limit->peers = NULL;
  limit->n_peers = 0;
}

static void
fill (SsBucket *bucket, double rate, double burst, SsTime now)
{
  double passed = (double) (now - bucket->filled) / (double) SS_SEC;

  bucket->tokens = MIN (burst, bucket->tokens + rate * passed);
  bucket->filled = now;
}

static SsLimitPeer *
find (SsLimit *limit, const SsId *peer, SsTime now)
{
  SsLimitPeer *oldest = NULL;

  for (unsigned i = 0; i < limit->n_peers; i++) {
    SsLimitPeer *entry = &limit->peers[i];

    if (ss_id_equal (&entry->peer, peer))
      return entry;
    if (oldest == NULL || entry->used < oldest->used)
      oldest = entry;
  }
  if (limit->n_peers < SS_LIMIT_PEERS) {
    limit->peers = g_renew (SsLimitPeer, limit->peers, limit->n_peers + 1);
    oldest = &limit->peers[limit->n_peers++];
  }
  *oldest = (SsLimitPeer) { .peer = *peer, .bucket = { limit->burst, now } };
  return oldest;
}

bool
ss_limit_take (SsLimit *limit, const SsId *peer, double cost, SsTime now)
{
  SsLimitPeer *entry = find (limit, peer, now);

  entry->used = ++limit->order;
  fill (&entry->bucket, limit->rate, limit->burst, now);
  fill (&limit->all, limit->rate_of_all, limit->burst_of_all, now);
  if (entry->bucket.tokens < cost || limit->all.tokens < cost)
    return false;
  entry->bucket.tokens -= cost;
  limit->all.tokens -= cost;
  return true;
}
