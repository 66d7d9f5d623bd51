/* A station on one node, in whatever role: its stripes, its session, and the
 * packets that come in. Each is verified before Scribe forwards it; what was
 * seen before is not verified again. */
#include "splitstream/private.h"

#include <string.h>

/* As many as are kept: what is older than that cannot be had anyway. */
enum { SEEN_BITS = 64 * SS_SEEN_WORDS };
G_STATIC_ASSERT ((int) SEEN_BITS == SS_STATION_HISTORY_MAX);

SsStation *
ss_station_new (SsSplitStream *owner, const SsStationParams *params,
                SsStationRole role)
{
  SsStation *station = g_new0 (SsStation, 1);
  station->owner = owner;
  station->role = role;
  station->params = *params;
  station->group_id = ss_station_group_id (&params->key, params->name);
  station->tune_in = -1;
  station->last_tree = -1;
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    station->stripes[i].station = station;
    station->stripes[i].index = (uint8_t) i;
  }
  station->spare.station = station;
  station->spare.index = SS_SPARE_INDEX;
  ss_timer_init (&station->timer, SS_LAYER_SPLITSTREAM,
                 SS_SPLITSTREAM_TIMER_STATION);
  g_ptr_array_add (owner->stations, station);
  return station;
}

void
ss_station_open_family (SsStation *station)
{
  SsFamilyConfig config = {
    .is_by_turns = true,
    .mode = SS_GROUP_LIVE,
    .is_source = station->role == SS_ROLE_PUBLISHER,
    .history_max = SS_STATION_HISTORY_MAX,
    /* Longer than detection and repair, and a tune-in's reach. */
    .history_time = 2 * station->params.latency + 2 * SS_SEC,
  };
  ss_capacity_init (station, &config);
  config.info_len = ss_station_params_encode (&station->params, config.info,
                                              sizeof config.info);
  g_assert (config.info_len > 0);
  station->family = ss_family_new (station->owner->scribe, &config);
  if (station->is_aside)
    ss_family_stand_aside (station->family);
  ss_spare_open (station);
}

void
ss_station_close_family (SsStation *station)
{
  ss_spare_clear (station);
  ss_family_free (station->family);
  station->family = NULL;
  for (unsigned i = 0; i < SS_STRIPES; i++)
    station->stripes[i].group = NULL;
}

void
ss_station_open_stripes (SsStation *station)
{
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    SsStripe *stripe = &station->stripes[i];
    if (stripe->group != NULL)
      continue;
    SsId id =
        ss_station_stripe_id (&station->group_id, station->params.salt, i);
    stripe->group = ss_group_open (station->family, &id, stripe);
    g_assert (stripe->group != NULL); /* a node hears one station at a time */
  }
}

void
ss_station_free (SsStation *station)
{
  SsSplitStream *owner = station->owner;
  ss_burst_cancel (station);
  ss_timers_disarm (&owner->env->timers, &station->timer);
  ss_station_close_family (station);
  ss_publisher_clear (station);
  ss_listener_clear (station);
  g_ptr_array_remove (owner->stations, station);
  g_free (station->exchange);
  g_free (station->tops);
  g_free (station);
}

void
ss_station_close (SsStation *station)
{
  ss_station_free (station);
}

SsSplitStream *
ss_station_splitstream (const SsStation *station)
{
  return station->owner;
}

void
ss_station_run (SsStation *station)
{
  SsTimers *timers = &station->owner->env->timers;
  SsTime deadline = SS_NEVER;
  ss_timers_disarm (timers, &station->timer);
  switch (station->role) {
  case SS_ROLE_PUBLISHER:
    deadline = ss_publisher_run (station);
    break;
  case SS_ROLE_LISTENER:
    deadline = ss_listener_run (station);
    break;
  case SS_ROLE_RELAY:
    break;
  }
  deadline = MIN (deadline, ss_spare_run (station));
  ss_timers_arm_earliest (timers, &station->timer, deadline);
}

bool
ss_stripe_has_seen (const SsStripe *stripe, uint32_t sequence)
{
  if (!stripe->has_top || sequence > stripe->top)
    return false;
  unsigned bit = sequence % SEEN_BITS;
  return stripe->top - sequence >= SEEN_BITS
         || (stripe->seen[bit / 64] >> bit % 64 & 1) != 0;
}

/* None of those above the top and up to the new one has been seen. */
static void
raise_top (SsStripe *stripe, uint32_t top)
{
  if (top - stripe->top >= SEEN_BITS)
    memset (stripe->seen, 0, sizeof stripe->seen);
  else
    for (uint32_t n = stripe->top + 1; n != top + 1; n++)
      stripe->seen[n % SEEN_BITS / 64] &= ~((uint64_t) 1 << n % 64);
  stripe->top = top;
}

void
ss_stripe_see (SsStripe *stripe, uint32_t sequence)
{
  if (!stripe->has_top) {
    stripe->has_top = true;
    stripe->top = sequence;
  } else if (sequence > stripe->top) {
    raise_top (stripe, sequence);
  }
  unsigned bit = sequence % SEEN_BITS;
  if (stripe->top - sequence < SEEN_BITS)
    stripe->seen[bit / 64] |= (uint64_t) 1 << bit % 64;
}

void
ss_station_start_session (SsStation *station, uint32_t session,
                          unsigned n_parity)
{
  bool is_first = !station->has_session;
  station->has_session = true;
  station->session = session;
  station->n_parity = n_parity;
  g_clear_pointer (&station->tops, g_free);
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    SsStripe *stripe = &station->stripes[i];
    stripe->has_top = false;
    memset (stripe->seen, 0, sizeof stripe->seen);
    if (stripe->group != NULL && !is_first)
      ss_group_reset (stripe->group, 0);
  }
  ss_burst_cancel (station);
  station->is_ended = false;
  if (station->role == SS_ROLE_LISTENER)
    ss_listener_session (station);
}

/* Strangers can make a node carry many stations that never send anything. */
bool
ss_station_verify (SsStation *station, unsigned stripe, uint32_t sequence,
                   const SsPacket *packet, GBytes *bytes)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  if (station->tops == NULL)
    station->tops = g_new0 (SsPacketTops, 1);
  return ss_packet_verify (station->tops, &station->params.key, stripe,
                           sequence, packet, data, len,
                           ss_env_memo (station->owner->env, bytes));
}

/* Does the packet say of itself what its stripe and sequence say? */
static bool
is_in_place (const SsStripe *stripe, const SsPacket *packet)
{
  const SsStation *station = stripe->station;
  unsigned n_columns = SS_STRIPES - packet->parity_count;
  if (packet->is_parity != (stripe->index >= n_columns))
    return false;
  return station->role != SS_ROLE_LISTENER || station->current == NULL
         || station->current->session != packet->session
         || station->current->n_parity == packet->parity_count;
}

SsTime
ss_station_beacon (const SsStation *station)
{
  return MIN (SS_STATION_BEACON, station->params.latency / 3);
}

SsPacketVerdict
ss_station_packet (SsStripe *stripe, uint32_t sequence, GBytes *bytes,
                   SsReorderVia via)
{
  SsStation *station = stripe->station;
  SsEnv *env = station->owner->env;
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  SsPacket packet;
  if (stripe->index >= SS_STRIPES || !ss_packet_parse (data, len, &packet)
      || !is_in_place (stripe, &packet)) {
    station->packets_rejected++;
    return SS_PACKET_REJECTED;
  }
  bool is_newer = !station->has_session || packet.session > station->session;
  if (!is_newer && packet.session < station->session)
    return SS_PACKET_STALE;
  if (!is_newer && ss_stripe_has_seen (stripe, sequence)) {
    station->packets_duplicate++;
    if (via == SS_REORDER_TREE && station->role == SS_ROLE_LISTENER)
      ss_listener_duplicate (station, stripe, sequence, bytes);
    return SS_PACKET_DUPLICATE;
  }
  if (station->role == SS_ROLE_PUBLISHER) {
    /* Of another broadcaster with the same key. */
    if (is_newer
        && ss_station_verify (station, stripe->index, sequence, &packet, bytes))
      ss_listener_need_descriptor (station);
    return SS_PACKET_STALE;
  }
  if (!ss_station_verify (station, stripe->index, sequence, &packet, bytes)) {
    station->packets_rejected++;
    return SS_PACKET_REJECTED;
  }
  if (is_newer)
    ss_station_start_session (station, packet.session, packet.parity_count);
  ss_stripe_see (stripe, sequence);
  ss_capacity_count (station, stripe->index, len);
  stripe->received++;
  station->packets_received++;
  if (via == SS_REORDER_REPAIR)
    station->packets_retransmitted++;
  if (via == SS_REORDER_TREE)
    station->last_tree = env->now;
  if (station->role == SS_ROLE_LISTENER)
    ss_listener_packet (station, stripe, sequence, &packet, bytes, via);
  return SS_PACKET_NEW;
}
