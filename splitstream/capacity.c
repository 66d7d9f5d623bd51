/* How many children a node can carry: what it may upload (--upload, and what
 * its line has been found to carry), less what is left for repairs, less what
 * control takes, over what a stripe takes, both as measured. Stations share it
 * evenly; what the node broadcasts itself comes first.
 *
 * Who gets all of it late itself, as its line is full (downlink.c), carries
 * nobody. A node without a limit is not bounded by this: it takes the default
 * number, and more where somebody would be left out. */
#include "splitstream/private.h"

#define SHARE_PERCENT 85 /* of the cap; the rest is for repairs */
/* Control takes more for a while where many come or all is late; to carry less
 * for it would have children look for places, which is control. */
#define CONTROL_PERCENT 15
#define INTERVAL        (1 * SS_SEC) /* at least */
/* Intervals that the rate is a mean of: when it rises, and when it falls, as it
 * does while the source has little to say. */
#define SMOOTHING      8
#define SMOOTHING_FALL 64
#define SLACK_PERCENT  10 /* how far it rises before children are fewer */
/* While the rate is not known: as many as have room if it is usual, and no more
 * than everybody's share. */
#define FIRST_BPS          10000 /* of a stripe: Opus of 128 kbit/s */
#define CHILDREN_FIRST     SS_STRIPES
#define CHILDREN_FIRST_MIN 4 /* at least */

void
ss_capacity_init (SsStation *station, SsFamilyConfig *config)
{
  const SsSplitStreamConfig *own = &station->owner->config;
  config->children_max = own->children_max;
  if (own->children_max == 0 && own->upload_bps > 0)
    config->children_max =
        (unsigned) CLAMP (own->upload_bps * SHARE_PERCENT / 100 / FIRST_BPS,
                          CHILDREN_FIRST_MIN, CHILDREN_FIRST);
  config->children_hard = config->children_max;
  station->capacity = (SsCapacity){ .since = -1 };
}

/* Of the whole node, so far. */
static uint64_t
control_bytes (const SsSplitStream *splitstream)
{
  return splitstream->env->counters.value[SS_COUNT_CONTROL_BYTES_OUT];
}

/* Bits a second that this node may upload; 0: no limit is known. */
static uint64_t
limit_of (const SsSplitStream *splitstream)
{
  uint64_t told = splitstream->config.upload_bps;
  uint64_t measured = ss_kbr_uplink_bps (splitstream->kbr);
  return told > 0 && measured > 0 ? MIN (told, measured) : MAX (told, measured);
}

/* Of one station, bytes a second: what is left for its children. */
static double
share_of (const SsSplitStream *splitstream, double control_rate)
{
  double limit = (double) limit_of (splitstream) / 8;
  double left = limit * SHARE_PERCENT / 100
                - MIN (control_rate, limit * CONTROL_PERCENT / 100);
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

/* A limit that has been met, changed, or is gone. */
void
ss_capacity_follow_limit (SsStation *station)
{
  SsCapacity *capacity = &station->capacity;
  const SsSplitStreamConfig *config = &station->owner->config;
  if (config->children_max > 0 || capacity->rate == 0 || station->is_aside
      || station->role == SS_ROLE_PUBLISHER)
    return;
  bool is_full = station->downlink.is_full;
  bool is_limited = is_full || limit_of (station->owner) > 0;
  if (is_full) {
    if (ss_family_children_max (station->family) > 0)
      ss_family_set_bound (station->family, 0);
  } else if (is_limited) {
    set_bound (station);
  } else if (capacity->is_limited) {
    ss_family_clear_bound (station->family);
  }
  capacity->is_limited = is_limited;
}

static void
begin_interval (SsStation *station)
{
  SsCapacity *capacity = &station->capacity;
  capacity->since = station->owner->env->now;
  capacity->control_bytes = control_bytes (station->owner);
  capacity->bytes = 0;
  capacity->stripes = 0;
  capacity->is_disturbed = false;
}

static void
end_interval (SsStation *station, SsTime passed)
{
  SsCapacity *capacity = &station->capacity;
  /* A relay may have few of the stripes. */
  double seconds = (double) passed / (double) SS_SEC;
  double rate = (double) capacity->bytes
                / (seconds * MAX (__builtin_popcount (capacity->stripes), 1));
  double control_rate =
      (double) (control_bytes (station->owner) - capacity->control_bytes)
      / seconds;
  if (capacity->is_disturbed)
    control_rate = MIN (control_rate, capacity->control_rate);
  if (capacity->rate > 0) {
    double change = rate - capacity->rate;
    rate = capacity->rate + change / (change > 0 ? SMOOTHING : SMOOTHING_FALL);
    control_rate = capacity->control_rate
                   + (control_rate - capacity->control_rate) / SMOOTHING;
  }
  capacity->rate = rate;
  capacity->control_rate = control_rate;
  begin_interval (station);
}

void
ss_capacity_count (SsStation *station, unsigned stripe, size_t len)
{
  SsCapacity *capacity = &station->capacity;
  /* A slow stream has a row in a latency, with something for each stripe. */
  SsTime interval = MAX (INTERVAL, station->params.latency);
  SsTime passed = station->owner->env->now - capacity->since;
  bool is_over = capacity->since >= 0 && passed >= interval;
  if (is_over && passed < 2 * interval)
    end_interval (station, passed);
  else if (is_over || capacity->since < 0) /* a pause says nothing */
    begin_interval (station);
  capacity->bytes += len + SS_STRIPE_WIRE_OVERHEAD;
  capacity->stripes |= 1u << stripe;
  uint64_t measured = ss_kbr_uplink_bps (station->owner->kbr);
  capacity->is_disturbed |= measured != capacity->measured;
  if (is_over || measured != capacity->measured)
    ss_capacity_follow_limit (station);
  capacity->measured = measured;
}
