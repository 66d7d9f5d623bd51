/* The listener: what becomes of packets that are its own, and frames out.
 *
 * A session is received by an SsReception (clock, window, codec headers). If
 * the station returns with a new session, the old one plays out while the new
 * one fills.
 *
 * Packets are only put away as they come; all else happens in
 * ss_listener_run, which each of them brings on at once. */
#include "splitstream/private.h"

#include <string.h>

static void
soon (SsStation *station)
{
  ss_timers_arm_earliest (&station->owner->env->timers, &station->timer,
                          station->owner->env->now);
}

static bool
on_want (void *user, unsigned stripe, uint32_t sequence, SsTime deadline)
{
  SsReception *reception = user;
  SsStation *station = reception->station;
  SsGroup *group = station->stripes[stripe].group;
  if (reception != station->current || group == NULL)
    return true;
  GBytes *bytes = ss_group_history (group, sequence);
  if (bytes == NULL)
    return ss_group_want (group, sequence, deadline);
  /* It came while this node only relayed the station, or too early. */
  SsFound found = { .stripe = &station->stripes[stripe],
                    .sequence = sequence,
                    .bytes = g_bytes_ref (bytes) };
  if (station->found == NULL)
    station->found = g_array_new (FALSE, FALSE, sizeof (SsFound));
  g_array_append_val (station->found, found);
  return true;
}

/* Puts what was found where it is wanted. It was verified when it came; it may
 * have been seen in this session, too, before the window reached there, or
 * before the window was thrown away. */
static void
take_found (SsStation *station)
{
  const SsReception *reception = station->current;
  for (unsigned i = 0; station->found != NULL && i < station->found->len; i++) {
    SsFound *found = &g_array_index (station->found, SsFound, i);
    size_t len;
    const uint8_t *data = g_bytes_get_data (found->bytes, &len);
    SsPacket packet;
    if (ss_packet_parse (data, len, &packet)
        && packet.session == reception->session
        && packet.parity_count == reception->n_parity) {
      ss_stripe_see (found->stripe, found->sequence);
      ss_listener_packet (station, found->stripe, found->sequence, &packet,
                          found->bytes, SS_REORDER_REPAIR);
    }
    g_bytes_unref (found->bytes);
  }
  if (station->found != NULL)
    g_array_unref (station->found);
  station->found = NULL;
}

static void
on_unwant (void *user, unsigned stripe, uint32_t sequence)
{
  SsReception *reception = user;
  SsStation *station = reception->station;
  SsGroup *group = station->stripes[stripe].group;
  if (reception == station->current && group != NULL)
    ss_group_unwant (group, sequence);
}

/* Of a verified packet; its departure. */
static SsTime
note_arrival (SsReception *reception, SsStripe *stripe, const SsPacket *packet,
              SsReorderVia via)
{
  SsTime now = reception->station->owner->env->now;
  SsTime departure =
      ss_packet_departure (packet->departure, reception->clock.last_departure);
  if (stripe->received_at > 0)
    stripe->pause = MAX (stripe->pause, now - stripe->received_at);
  stripe->received_at = now;
  ss_arrivals_note (&reception->arrivals, now, departure,
                    via == SS_REORDER_TREE);
  return departure;
}

static bool
on_verify (void *user, uint64_t number, const SsPacket *packet, GBytes *bytes)
{
  SsReception *reception = user;
  SsStation *station = reception->station;
  unsigned n_columns = SS_STRIPES - reception->n_parity;
  SsStripe *stripe = &station->stripes[number % n_columns];
  uint32_t sequence = (uint32_t) (number / n_columns);
  if (packet->session != reception->session
      || packet->parity_count != reception->n_parity
      || !ss_station_verify (station, stripe->index, sequence, packet, bytes))
    return false;
  if ((packet->flags & SS_PACKET_FLAG_HEADERS) != 0)
    reception->has_rebuilt_headers = true;
  if (reception == station->current) {
    note_arrival (reception, stripe, packet, SS_REORDER_PARITY);
    ss_stripe_see (stripe, sequence);
    if (stripe->group != NULL)
      ss_group_inject (stripe->group, sequence, bytes, false);
  }
  return true;
}

static uint32_t
on_clock_rate (void *user, uint8_t version)
{
  SsReception *reception = user;
  const SsCodecHeaders *headers =
      ss_header_store_find (&reception->headers, version);
  if (headers != NULL)
    return headers->clock_rate;
  if (reception->missing_version != version) {
    reception->missing_version = version;
    reception->missing_since = reception->station->owner->env->now;
  }
  return 0;
}

static void
on_frame (void *user, const SsFrame *frame)
{
  SsReception *reception = user;
  SsStation *station = reception->station;
  const SsStationUpcalls *upcalls = &station->owner->upcalls;
  if (reception->announced != frame->header_version) {
    const SsCodecHeaders *headers =
        ss_header_store_find (&reception->headers, frame->header_version);
    g_assert (headers != NULL);
    reception->announced = frame->header_version;
    if (upcalls->headers != NULL)
      upcalls->headers (station->owner->user, station, headers);
  }
  if (station->tune_in < 0)
    station->tune_in = station->owner->env->now - station->listen_at;
  if (upcalls->frame != NULL)
    upcalls->frame (station->owner->user, station, frame);
}

static void
on_overdue (void *user, unsigned stripe)
{
  SsReception *reception = user;
  SsStation *station = reception->station;
  SsGroup *group = station->stripes[stripe].group;
  if (reception == station->current && group != NULL)
    ss_group_overdue (group);
}

static const SsReorderCalls calls = {
  .want = on_want,
  .unwant = on_unwant,
  .verify = on_verify,
  .clock_rate = on_clock_rate,
  .frame = on_frame,
  .overdue = on_overdue,
};

SsReception *
ss_reception_new (SsStation *station)
{
  SsReception *reception = g_new0 (SsReception, 1);
  reception->station = station;
  reception->session = station->session;
  reception->n_parity = station->n_parity;
  reception->latency = station->params.latency + station->buffer;
  ss_media_clock_init (&reception->clock, station->params.latency);
  ss_late_watch_init (&reception->late);
  reception->reorder = ss_reorder_new (&reception->clock, station->n_parity,
                                       reception->latency, &calls, reception);
  return reception;
}

void
ss_reception_free (SsReception *reception)
{
  if (reception == NULL)
    return;
  const SsReorderStats *stats = ss_reorder_stats (reception->reorder);
  SsReorderStats *past = &reception->station->past;
  past->packets_lost += stats->packets_lost;
  past->packets_rebuilt += stats->packets_rebuilt;
  past->frames_out += stats->frames_out;
  past->frames_lost += stats->frames_lost;
  past->payload_bytes += stats->payload_bytes;
  for (unsigned i = 0; i < SS_STRIPES; i++)
    past->stripes_lost[i] += stats->stripes_lost[i];
  reception->station->past_rows += ss_reorder_n_rows (reception->reorder);
  ss_reorder_free (reception->reorder);
  ss_header_store_clear (&reception->headers);
  g_free (reception);
}

/* A relayed station becomes a listened one where it stands: its groups and
 * children stay. What it has seen but not kept has to come again. */
static SsStation *
find_or_make (SsSplitStream *splitstream, const SsDescriptor *descriptor)
{
  SsId group_id =
      ss_station_group_id (&descriptor->params.key, descriptor->params.name);
  SsStation *station = ss_splitstream_find (splitstream, &group_id);
  if (station != NULL && station->params.salt != descriptor->params.salt) {
    g_assert (station->role == SS_ROLE_RELAY);
    ss_station_free (station);
    station = NULL;
  }
  if (station == NULL)
    return ss_station_new (splitstream, &descriptor->params, SS_ROLE_LISTENER);
  g_assert (station->role == SS_ROLE_RELAY);
  station->role = SS_ROLE_LISTENER;
  for (unsigned i = 0; i < SS_STRIPES; i++)
    memset (station->stripes[i].seen, 0, sizeof station->stripes[i].seen);
  return station;
}

void
ss_listener_join_stripes (SsStation *station)
{
  if (station->family == NULL)
    ss_station_open_family (station);
  if (station->descriptor.publisher.n_addrs > 0) {
    SsContact source = ss_contact_from_record (&station->descriptor.publisher);
    ss_family_set_source (station->family, &source);
  }
  ss_station_open_stripes (station);
  for (unsigned i = 0; i < SS_STRIPES; i++)
    ss_group_join (station->stripes[i].group);
}

static void
listen_to (SsStation *station, const SsDescriptor *descriptor, SsTime buffer)
{
  station->descriptor = *descriptor;
  station->buffer = MIN (buffer, SS_LATENCY_MAX);
  station->listen_at = station->owner->env->now;
  if (!station->has_session || station->session < descriptor->session) {
    station->params = descriptor->params;
    ss_station_start_session (station, descriptor->session,
                              descriptor->params.parity);
  } else {
    ss_listener_session (station);
  }
  ss_listener_join_stripes (station);
  soon (station);
}

SsStation *
ss_station_listen (SsSplitStream *splitstream, const SsDescriptor *descriptor,
                   SsTime buffer)
{
  g_assert (buffer >= 0);
  SsStation *station = find_or_make (splitstream, descriptor);
  listen_to (station, descriptor, buffer);
  return station;
}

SsStation *
ss_station_watch (SsSplitStream *splitstream, const SsDescriptor *descriptor)
{
  SsStation *station = find_or_make (splitstream, descriptor);
  station->is_aside = true;
  if (station->family != NULL)
    ss_family_stand_aside (station->family);
  listen_to (station, descriptor, 0);
  return station;
}

void
ss_listener_session (SsStation *station)
{
  SsReception *old = station->current;
  ss_fetch_cancel (station);
  if (old != NULL && ss_reorder_is_started (old->reorder)
      && !ss_reorder_is_ended (old->reorder)) {
    ss_reception_free (station->draining);
    station->draining = old;
  } else {
    ss_reception_free (old);
  }
  station->current = ss_reception_new (station);
  ss_downlink_init (&station->downlink);
  if (station->family != NULL)
    ss_family_set_wait (station->family, 0);
  ss_tune_in_start (station);
}

void
ss_station_set_descriptor (SsStation *station, const SsDescriptor *descriptor)
{
  g_assert (station->role == SS_ROLE_LISTENER);
  if (!ss_key_equal (&descriptor->params.key, &station->params.key)
      || strcmp (descriptor->params.name, station->params.name) != 0
      || descriptor->session < station->session)
    return;
  uint64_t salt = station->params.salt;
  station->descriptor = *descriptor;
  station->params = descriptor->params;
  if (descriptor->session > station->session)
    ss_station_start_session (station, descriptor->session,
                              descriptor->params.parity);
  if (salt != descriptor->params.salt) {
    /* The stripes have moved. */
    ss_station_close_family (station);
  }
  ss_listener_join_stripes (station);
  soon (station);
}

void
ss_listener_clear (SsStation *station)
{
  ss_fetch_cancel (station);
  for (unsigned i = 0; station->found != NULL && i < station->found->len; i++)
    g_bytes_unref (g_array_index (station->found, SsFound, i).bytes);
  if (station->found != NULL)
    g_array_unref (station->found);
  station->found = NULL;
  ss_reception_free (station->draining);
  ss_reception_free (station->current);
  station->draining = station->current = NULL;
}

/* Codec headers may be whole with this packet. */
static void
take_headers (SsReception *reception, uint64_t number)
{
  uint8_t version;
  if (!ss_reorder_is_headers (reception->reorder, number, &version)
      || ss_header_store_find (&reception->headers, version) != NULL)
    return;
  GBytes *bytes = ss_headers_assemble (reception->reorder, number);
  if (bytes == NULL)
    return;
  ss_header_store_add (&reception->headers, bytes);
  g_bytes_unref (bytes);
}

/* What comes down a tree tells how long that way is. */
static void
note_way (SsStation *station, const SsStripe *stripe, SsTime departure)
{
  SsReception *reception = station->current;
  SsTime now = station->owner->env->now;
  ss_media_clock_arrival (&reception->clock, now, stripe->index, departure);
  ss_downlink_arrival (station);
  /* None: it has been left (downlink.c), and this is on its way still. */
  if (stripe->group != NULL
      && ss_late_watch_arrival (&reception->late, &reception->clock, now,
                                stripe->index, departure,
                                ss_group_depth (stripe->group)))
    reception->late_stripes |= 1u << stripe->index;
}

/* It was asked for, and the answer was quicker: if only those counted that the
 * tree brings first, a long way would never be known, and all of it be asked
 * for, always. */
void
ss_listener_duplicate (SsStation *station, const SsStripe *stripe,
                       uint32_t sequence, GBytes *bytes)
{
  SsReception *reception = station->current;
  if (reception == NULL)
    return;
  unsigned n_columns = SS_STRIPES - reception->n_parity;
  uint64_t number = (uint64_t) sequence * n_columns + stripe->index;
  SsTime departure;
  if (stripe->index < n_columns
      && ss_reorder_came_by_tree (reception->reorder, number, bytes,
                                  &departure))
    note_way (station, stripe, departure);
}

void
ss_listener_packet (SsStation *station, SsStripe *stripe, uint32_t sequence,
                    const SsPacket *packet, GBytes *bytes, SsReorderVia via)
{
  SsReception *reception = station->current;
  SsTime now = station->owner->env->now;
  SsTime departure = note_arrival (reception, stripe, packet, via);
  if (via == SS_REORDER_TREE)
    note_way (station, stripe, departure);
  unsigned n_columns = SS_STRIPES - reception->n_parity;
  soon (station);
  if (packet->is_parity) {
    ss_reorder_insert_parity (reception->reorder, now, sequence,
                              stripe->index - n_columns, packet, bytes);
    return;
  }
  uint64_t number = (uint64_t) sequence * n_columns + stripe->index;
  ss_reorder_insert (reception->reorder, now, number, packet, bytes, via);
  /* Here from the first packets on: those missing before are wanted, too. */
  if (number < n_columns && departure < station->params.latency / 2)
    ss_reorder_reach_down (reception->reorder, now, 0);
  if ((packet->flags & SS_PACKET_FLAG_HEADERS) != 0)
    take_headers (reception, number);
  else if (packet->n_frames > 0)
    on_clock_rate (reception, packet->header_version);
}

void
ss_listener_need_descriptor (SsStation *station)
{
  SsEnv *env = station->owner->env;
  if (env->now < station->need_descriptor_at)
    return;
  station->need_descriptor_at = env->now + SS_NEED_DESCRIPTOR_INTERVAL;
  if (station->owner->upcalls.need_descriptor != NULL)
    station->owner->upcalls.need_descriptor (station->owner->user, station);
}

/* Tells of the publisher's silence, and of its end. */
static SsTime
watch_silence (SsStation *station)
{
  SsTime now = station->owner->env->now;
  SsTime since = station->last_tree;
  if (since < 0)
    since = station->listen_at + SS_STATION_SILENCE; /* time to join */
  bool has_end = ss_reorder_has_end (station->current->reorder);
  bool is_silent = now >= since + SS_STATION_SILENCE && !has_end;
  if (is_silent != station->is_silent) {
    station->is_silent = is_silent;
    if (station->owner->upcalls.silent != NULL)
      station->owner->upcalls.silent (station->owner->user, station, is_silent);
  }
  return is_silent || has_end ? SS_NEVER : since + SS_STATION_SILENCE;
}

/* What is lost is seen from what comes after it. When not even an empty packet
 * has come in time the publisher may be dead, and what came last, or might have
 * come, missing here only: it is asked for while it can still be played. What
 * comes in answer may not be the last of it. */
static SsTime
ask_for_last (SsStation *station)
{
  SsReception *reception = station->current;
  const SsReorder *reorder = reception->reorder;
  unsigned n_columns = SS_STRIPES - reception->n_parity;
  uint64_t end = ss_reorder_end (reorder);
  if (!ss_reorder_is_started (reorder) || ss_reorder_has_end (reorder)
      || station->last_tree < 0 || end == reception->asked_from)
    return SS_NEVER;
  SsTime at = station->last_tree + 3 * ss_station_beacon (station) / 2;
  if (station->owner->env->now < at)
    return at;
  reception->asked_from = end;
  for (uint64_t number = end; number < end + SS_ASK_FOR_LAST; number++) {
    SsGroup *group = station->stripes[number % n_columns].group;
    if (group != NULL)
      ss_group_ask (group, (uint32_t) (number / n_columns));
  }
  return SS_NEVER;
}

/* A part of some codec headers was rebuilt within the window. */
static void
find_headers (SsReception *reception)
{
  const SsReorder *reorder = reception->reorder;
  reception->has_rebuilt_headers = false;
  for (uint64_t n = ss_reorder_next (reorder); n < ss_reorder_end (reorder);
       n++)
    take_headers (reception, n);
}

/* Those whose packets come late look for parents that have them sooner. */
static void
seek_sooner (SsStation *station)
{
  SsReception *reception = station->current;
  SsTime gain = ss_late_watch_gain (station->params.latency);
  for (unsigned i = 0; i < SS_STRIPES; i++)
    if ((reception->late_stripes >> i & 1) != 0
        && station->stripes[i].group != NULL)
      ss_group_seek_sooner (station->stripes[i].group, gain);
  reception->late_stripes = 0;
}

/* Plays a reception; its deadline. */
static SsTime
play (SsReception *reception)
{
  SsTime now = reception->station->owner->env->now;
  if (reception->has_rebuilt_headers)
    find_headers (reception);
  ss_reorder_run (reception->reorder, now);
  if (reception->has_rebuilt_headers) {
    find_headers (reception);
    ss_reorder_run (reception->reorder, now);
  }
  return ss_reorder_deadline (reception->reorder);
}

SsTime
ss_listener_run (SsStation *station)
{
  SsTime deadline = SS_NEVER;
  if (station->draining != NULL) {
    deadline = play (station->draining);
    if (ss_reorder_is_ended (station->draining->reorder)
        || ss_reorder_is_empty (station->draining->reorder)
        || ss_reorder_is_started (station->current->reorder)) {
      ss_reception_free (station->draining);
      station->draining = NULL;
      deadline = SS_NEVER;
    }
  }
  deadline = MIN (deadline, play (station->current));
  if (station->found != NULL) {
    take_found (station);
    deadline = MIN (deadline, play (station->current));
  }
  if (station->is_ended)
    return deadline;
  deadline = MIN (deadline, ss_tune_in_run (station));
  deadline = MIN (deadline, ss_fetch_run (station));
  deadline = MIN (deadline, watch_silence (station));
  deadline = MIN (deadline, ask_for_last (station));
  ss_downlink_run (station);
  if (station->current->late_stripes != 0)
    seek_sooner (station);
  if (station->descriptor.session != station->session) {
    ss_listener_need_descriptor (station);
    deadline = MIN (deadline, station->need_descriptor_at);
  }
  if (ss_reorder_is_ended (station->current->reorder)
      && station->draining == NULL) {
    station->is_ended = true;
    if (station->owner->upcalls.ended != NULL)
      station->owner->upcalls.ended (station->owner->user, station);
    return SS_NEVER;
  }
  return deadline;
}
