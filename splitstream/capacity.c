/* How many children a node can carry: what it may upload (--upload), less what
 * is left for repairs, less what control takes, over what a stripe takes, both
 * as measured. Stations share it evenly; what the node broadcasts itself comes
 * first.
 *
 * A node without a cap is not bounded by this: it takes the default number,
 * and more where somebody would be left out. */
#include "splitstream/private.h"

#define SHARE_PERCENT 85           /* of the cap; the rest is for repairs */
#define INTERVAL      (1 * SS_SEC) /* at least */
/* Intervals that the rate is a mean of: when it rises, and when it falls, as it
 * does while the source has little to say. */
#define SMOOTHING      8
#define SMOOTHING_FALL 64
#define SLACK_PERCENT  10 /* how far it rises before children are fewer */
/* While the rate is not known. */
#define CHILDREN_FIRST 4

void
ss_capacity_init (SsStation *station, SsFamilyConfig *config)
{
  const SsSplitStreamConfig *own = &station->owner->config;
  config->children_max = own->children_max;
  if (own->children_max == 0 && own->upload_bps > 0)
    config->children_max = CHILDREN_FIRST;
  config->children_hard = config->children_max;
  station->capacity = (SsCapacity){ .since = -1 };
}

/* Of the whole node, so far. */
static uint64_t
control_bytes (const SsSplitStream *splitstream)
{
  return splitstream->env->counters.value[SS_COUNT_CONTROL_BYTES_OUT];
}

void
ss_capacity_count (SsStation *station, unsigned stripe, size_t len)
{
  SsCapacity *capacity = &station->capacity;
  if (capacity->since < 0) {
    capacity->since = station->owner->env->now;
    capacity->control_bytes = control_bytes (station->owner);
  }
  capacity->bytes += len + SS_STRIPE_WIRE_OVERHEAD;
  capacity->stripes |= 1u << stripe;
}

/* Of one station, bytes a second: what is left for its children. */
static double
share_of (const SsSplitStream *splitstream, double control_rate)
{
  double left =
      (double) splitstream->config.upload_bps / 8 * SHARE_PERCENT / 100
      - control_rate;
  unsigned n = 0;
  for (unsigned i = 0; i < splitstream->stations->len; i++) {
    const SsStation *station = g_ptr_array_index (splitstream->stations, i);
    if (station->role == SS_ROLE_PUBLISHER)
      left -= SS_STRIPES * station->capacity.rate;
    else
      n += station->capacity.rate > 0;
  }
  return MAX (left, 0) / MAX (n, 1);
}

static void
set_bound (SsStation *station)
{
  double share = share_of (station->owner, station->capacity.control_rate);
  double stripe = station->capacity.rate;
  unsigned bound = ss_family_children_max (station->family);
  unsigned most = (unsigned) MIN (share / stripe, SS_CHILDREN_UNBOUNDED);
  unsigned least = (unsigned) MIN (
      share * 100 / (stripe * (100 + SLACK_PERCENT)), SS_CHILDREN_UNBOUNDED);
  if (bound > most)
    ss_family_set_bound (station->family, most);
  else if (bound < least)
    ss_family_set_bound (station->family, least);
}

SsTime
ss_capacity_run (SsStation *station)
{
  SsCapacity *capacity = &station->capacity;
  const SsSplitStreamConfig *config = &station->owner->config;
  SsTime now = station->owner->env->now;
  if (config->upload_bps == 0 || config->children_max > 0
      || capacity->since < 0)
    return SS_NEVER;
  SsTime passed = now - capacity->since;
  /* A slow stream has a row in a latency, with something for each stripe. */
  SsTime interval = MAX (INTERVAL, station->params.latency);
  if (passed < interval)
    return capacity->since + interval;
  if (capacity->bytes == 0) { /* a pause says nothing of the rate */
    capacity->since = now;
    capacity->control_bytes = control_bytes (station->owner);
    return now + interval;
  }
  /* A relay may have few of the stripes. */
  double seconds = (double) passed / (double) SS_SEC;
  double rate = (double) capacity->bytes
                / (seconds * MAX (__builtin_popcount (capacity->stripes), 1));
  uint64_t control = control_bytes (station->owner);
  double control_rate = (double) (control - capacity->control_bytes) / seconds;
  if (capacity->rate > 0) {
    double change = rate - capacity->rate;
    rate = capacity->rate + change / (change > 0 ? SMOOTHING : SMOOTHING_FALL);
    control_rate = capacity->control_rate
                   + (control_rate - capacity->control_rate) / SMOOTHING;
  }
  *capacity = (SsCapacity){ .since = now,
                            .control_bytes = control,
                            .rate = rate,
                            .control_rate = control_rate };
  if (rate > 0 && station->role != SS_ROLE_PUBLISHER)
    set_bound (station);
  return now + interval;
}
