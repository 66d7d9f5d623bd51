/* How much each peer may ask of this node. */
#include "base/quota.h"

#include <glib.h>

void
ss_quota_init (SsQuota *quota, double rate, double burst, double rate_of_all,
               double burst_of_all, SsTime now)
{
  *quota = (SsQuota){
    .rate = rate,
    .burst = burst,
    .rate_of_all = rate_of_all,
    .burst_of_all = burst_of_all,
    .all = { burst_of_all, now },
  };
}

void
ss_quota_clear (SsQuota *quota)
{
  g_free (quota->peers);
  quota->peers = NULL;
  quota->n_peers = 0;
}

static void
fill (SsBucket *bucket, double rate, double burst, SsTime now)
{
  double passed = (double) (now - bucket->filled) / (double) SS_SEC;

  bucket->tokens = MIN (burst, bucket->tokens + rate * passed);
  bucket->filled = now;
}

static SsQuotaPeer *
find (SsQuota *quota, const SsId *peer, SsTime now)
{
  SsQuotaPeer *oldest = NULL;

  for (unsigned i = 0; i < quota->n_peers; i++) {
    SsQuotaPeer *entry = &quota->peers[i];

    if (ss_id_equal (&entry->peer, peer))
      return entry;
    if (oldest == NULL || entry->used < oldest->used)
      oldest = entry;
  }
  if (quota->n_peers < SS_QUOTA_PEERS) {
    quota->peers = g_renew (SsQuotaPeer, quota->peers, quota->n_peers + 1);
    oldest = &quota->peers[quota->n_peers++];
  }
  *oldest = (SsQuotaPeer){ .peer = *peer, .bucket = { quota->burst, now } };
  return oldest;
}

bool
ss_quota_take (SsQuota *quota, const SsId *peer, double cost, SsTime now)
{
  return ss_quota_take_above (quota, peer, cost, 0, now);
}

bool
ss_quota_take_above (SsQuota *quota, const SsId *peer, double cost,
                     double reserve, SsTime now)
{
  SsQuotaPeer *entry = find (quota, peer, now);

  entry->used = ++quota->order;
  fill (&entry->bucket, quota->rate, quota->burst, now);
  fill (&quota->all, quota->rate_of_all, quota->burst_of_all, now);
  if (entry->bucket.tokens < cost || quota->all.tokens < cost + reserve)
    return false;
  entry->bucket.tokens -= cost;
  quota->all.tokens -= cost;
  return true;
}
