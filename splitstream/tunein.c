/* Tuning in: a new listener asks one neighbour for the packets that it can
 * still play, so that sound starts at once and not a buffer later (DESIGN
 * section 8). The neighbour says what media time it is, which puts the
 * newcomer in sync before any packet has come down a tree, and sends them,
 * oldest first, at SS_BURST_SPEED times the stream's rate. What is lost on
 * the way is wanted like any other packet. The publisher is asked last: its
 * upload is to stay flat. */
#include "splitstream/private.h"

/* No broadcast gets so old, and sums of such times do not overflow. */
#define MEDIA_TIME_MAX (SS_NEVER / 4)

static SsTime ask (SsStation *station, bool with_publisher);

static bool
is_among (const SsId *id, const SsId *ids, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    if (ss_id_equal (id, &ids[i]))
      return true;
  return false;
}

unsigned
ss_station_peers (const SsStation *station, const SsId *tried, unsigned n_tried,
                  bool with_publisher, SsContact *ret_contacts, unsigned max)
{
  SsContact neighbours[SS_TUNE_IN_NEIGHBOURS + 1];
  const SsPeerRecord *record = &station->descriptor.publisher;
  SsContact publisher = { .flags = 0 };
  bool has_publisher = record->n_addrs > 0;
  if (has_publisher)
    publisher = ss_contact_from_record (record);
  const SsId *self = &ss_kbr_self (station->owner->kbr)->id;
  unsigned n = ss_family_neighbours (station->family, neighbours,
                                     G_N_ELEMENTS (neighbours));
  unsigned n_found = 0;
  bool keeps_place = has_publisher && with_publisher;
  for (unsigned i = 0; i < n && n_found + keeps_place < max; i++)
    if ((!has_publisher || !ss_contact_equal (&neighbours[i], &publisher))
        && !ss_id_equal (&neighbours[i].id, self)
        && !is_among (&neighbours[i].id, tried, n_tried))
      ret_contacts[n_found++] = neighbours[i];
  if (has_publisher && with_publisher && n_found < max
      && !ss_id_equal (&publisher.id, self)
      && !is_among (&publisher.id, tried, n_tried))
    ret_contacts[n_found++] = publisher;
  return n_found;
}

void
ss_tune_in_start (SsStation *station)
{
  station->tune = (SsTuneIn){ .started = station->owner->env->now };
}

static bool
choose_other (const SsTuneIn *tune, SsContact *ret_peer)
{
  for (unsigned i = 0; i < tune->n_others; i++)
    if (!is_among (&tune->others[i].id, tune->tried, tune->n_tried)) {
      *ret_peer = tune->others[i];
      return true;
    }
  return false;
}

/* The next one to ask, among neighbours, those they named, the publisher.
 * Whom one that is busy named goes first: they are being served. After a few
 * that have nothing the publisher's turn comes, for at a station's start, or
 * in a crowd of newcomers, nobody has. */
static bool
choose_peer (const SsStation *station, bool with_publisher, SsContact *ret_peer)
{
  const SsTuneIn *tune = &station->tune;
  const SsId *tried = tune->tried;
  unsigned n_tried = tune->n_tried;
  SsContact peers[SS_TUNE_IN_NEIGHBOURS + 1];
  if (tune->is_referred)
    return choose_other (tune, ret_peer);
  unsigned n = ss_station_peers (station, tried, n_tried, with_publisher, peers,
                                 G_N_ELEMENTS (peers));
  unsigned n_others = ss_station_peers (station, tried, n_tried, false, peers,
                                        G_N_ELEMENTS (peers) - 1);
  bool has_publisher = n > n_others;
  if (n_others > 0 && !(has_publisher && tune->n_asked >= SS_TUNE_IN_ENOUGH)) {
    *ret_peer = peers[0];
    return true;
  }
  if (!has_publisher)
    return choose_other (tune, ret_peer);
  *ret_peer = ss_contact_from_record (&station->descriptor.publisher);
  return true;
}

static SsTime
wait_for (const SsStation *station, const SsContact *peer)
{
  SsTime rto = ss_kbr_rto (station->owner->kbr, &peer->id);
  if (rto == SS_NEVER)
    return SS_TUNE_IN_WAIT_MIN;
  return MAX (SS_TUNE_IN_WAIT_MIN, 3 * rto);
}

static void
send_question (SsStation *station, SsTime reach)
{
  SsMsgTuneIn message = {
    .station = station->group_id,
    .session = station->session,
    .reach = (uint32_t) (reach / SS_MSEC),
  };
  uint8_t buf[SS_MSG_TUNE_IN_MAX];
  size_t len = ss_msg_tune_in_encode (&message, buf, sizeof buf);
  ss_splitstream_send (station->owner, &station->tune.peer,
                       SS_CLASS_KBR_CONTROL, buf, len);
}

static SsTime
ask (SsStation *station, bool with_publisher)
{
  SsTuneIn *tune = &station->tune;
  SsTime now = station->owner->env->now;
  tune->is_asked = false;
  tune->is_answered = false;
  if (!choose_peer (station, with_publisher, &tune->peer)) {
    /* Round again, or wait for the first neighbour. */
    tune->n_tried = 0;
    tune->is_referred = false;
    return tune->deadline = now + SS_TUNE_IN_RETRY;
  }
  if (tune->n_tried == SS_TUNE_IN_TRIED_MAX)
    tune->n_tried = 0;
  tune->tried[tune->n_tried++] = tune->peer.id;
  tune->n_asked++;
  tune->is_asked = true;
  tune->asked = now;
  send_question (station, station->current->latency);
  tune->deadline = now + wait_for (station, &tune->peer);
  ss_reorder_hold (station->current->reorder, tune->deadline);
  return tune->deadline;
}

/* The burst is more than the way carries. Nobody else is asked, for he would
 * send as much. */
static void
forgo (SsStation *station)
{
  if (!ss_reorder_forgo_burst (station->current->reorder))
    return;
  send_question (station, 0);
  station->tune.is_done = true;
  ss_count (station->owner->env, SPLITSTREAM_BURSTS_STOPPED);
}

SsTime
ss_tune_in_run (SsStation *station)
{
  SsTuneIn *tune = &station->tune;
  SsTime now = station->owner->env->now;
  const SsReorder *reorder = station->current->reorder;
  if (tune->is_done)
    return SS_NEVER;
  if (ss_reorder_is_started (reorder) || ss_reorder_has (reorder, 0)
      || now >= tune->started + SS_TUNE_IN_TIME) {
    tune->is_done = true;
    return SS_NEVER;
  }
  if ((tune->is_asked || tune->n_tried > 0) && now < tune->deadline)
    return tune->deadline;
  if (tune->is_answered && tune->n_behind > 0) {
    forgo (station); /* it waits for what is on its way */
    return SS_NEVER;
  }
  return ask (station, now >= tune->started + SS_TUNE_IN_PATIENCE);
}

/* Somebody speaks of a station that this node is tuning in to, and was asked
 * to. NULL otherwise. */
static SsStation *
find_asker (SsSplitStream *splitstream, const SsContact *from, const SsId *id)
{
  SsStation *station = ss_splitstream_find (splitstream, id);
  if (station == NULL || station->role != SS_ROLE_LISTENER
      || !station->tune.is_asked
      || !ss_contact_equal (from, &station->tune.peer))
    return NULL;
  return station;
}

static SsTime
media_time_of (uint64_t media_time_us)
{
  return (SsTime) MIN (media_time_us, (uint64_t) (MEDIA_TIME_MAX / SS_USEC))
         * SS_USEC;
}

/* The peer's word on the media time, as if that came by way of it: late
 * rather than early, and corrected by what comes down the trees. If it was
 * held up, the next one says better. */
static void
set_clock (SsStation *station, uint64_t media_time_us)
{
  ss_media_clock_hint (&station->current->clock, station->owner->env->now,
                       media_time_of (media_time_us));
}

/* How long what was sent at that time took, but for a constant. */
static SsTime
way_of (const SsStation *station, uint64_t media_time_us)
{
  return station->owner->env->now - media_time_of (media_time_us);
}

/* These packets are coming. */
static void
expect_burst (SsStation *station, uint64_t media_time_us, uint32_t first,
              uint32_t newest)
{
  SsTuneIn *tune = &station->tune;
  SsTime now = station->owner->env->now;
  SsTime paced = station->current->latency / SS_BURST_SPEED;
  SsTime rtt = ss_kbr_rtt (station->owner->kbr, &tune->peer.id);
  tune->is_answered = true;
  tune->deadline = now + paced + 2 * SS_TUNE_IN_WAIT_MIN;
  tune->way_least = way_of (station, media_time_us);
  tune->n_behind = 0;
  ss_reorder_hold (station->current->reorder, now);
  ss_reorder_expect (station->current->reorder, now, first, newest,
                     tune->deadline, rtt == SS_NEVER ? 0 : rtt);
}

void
ss_tune_in_answered (SsSplitStream *splitstream, const SsContact *from,
                     const uint8_t *data, size_t len)
{
  SsMsgTuneInAnswer message;
  if (!ss_msg_tune_in_answer_decode (data, len, &message)) {
    ss_count (splitstream->env, MESSAGES_MALFORMED);
    return;
  }
  SsStation *station = find_asker (splitstream, from, &message.station);
  if (station == NULL || station->tune.is_done || station->tune.is_answered)
    return;
  SsTuneIn *tune = &station->tune;
  SsTime now = splitstream->env->now;
  if (message.status != SS_TUNE_IN_PACKETS
      || message.session != station->session) {
    ss_reorder_hold (station->current->reorder, now);
    if (message.status == SS_TUNE_IN_BUSY) {
      tune->is_referred = true;
      tune->n_others = 0;
      tune->tried[0] = from->id;
      tune->n_tried = 1;
    }
    for (unsigned i = 0; i < message.n_others; i++) {
      SsContact other = ss_contact_from_record (&message.others[i]);
      if (!is_among (&other.id, tune->tried, tune->n_tried)
          && !ss_id_equal (&other.id, &ss_kbr_self (splitstream->kbr)->id))
        tune->others[tune->n_others++ % SS_TUNE_IN_OTHERS_MAX] = other;
    }
    tune->n_others = MIN (tune->n_others, SS_TUNE_IN_OTHERS_MAX);
    tune->is_asked = false;
    /* Not at once: where nobody has anything yet, as at a station's start,
     * questions would chase answers as fast as the network carries them. */
    tune->deadline =
        tune->asked
        + (tune->n_asked <= SS_TUNE_IN_QUICK_MAX ? SS_TUNE_IN_PAUSE
                                                 : SS_TUNE_IN_RETRY);
    tune->deadline = MAX (tune->deadline, now);
    ss_timers_arm_earliest (&splitstream->env->timers, &station->timer,
                            tune->deadline);
    return;
  }
  set_clock (station, message.media_time);
  expect_burst (station, message.media_time, message.first, message.newest);
}

/* A packet that the peer sent at that media time: does the way get longer? */
static void
watch_way (SsStation *station, uint64_t media_time_us)
{
  SsTuneIn *tune = &station->tune;
  SsTime way = way_of (station, media_time_us);
  if (tune->is_done || !tune->is_answered)
    return;
  tune->way_least = MIN (tune->way_least, way);
  ss_downlink_burst (station, way - tune->way_least);
  bool is_behind = way - tune->way_least > SS_BURST_TOO_FAR_BEHIND;
  tune->n_behind = is_behind ? tune->n_behind + 1 : 0;
  if (tune->n_behind >= SS_BURST_BEHIND_MAX)
    forgo (station);
}

void
ss_tune_in_packet (SsSplitStream *splitstream, const SsContact *from,
                   const uint8_t *data, size_t len)
{
  SsMsgTuneInPacket message;
  if (!ss_msg_tune_in_packet_decode (data, len, &message)) {
    ss_count (splitstream->env, MESSAGES_MALFORMED);
    return;
  }
  SsStation *station = find_asker (splitstream, from, &message.station);
  SsPacket packet;
  /* One that has not heard of a new session sends the old one's, and says what
   * its time is; its answer, which tells, may come later. */
  if (station == NULL
      || !ss_packet_parse (message.packet.data, message.packet.len, &packet)
      || packet.session != station->session)
    return;
  unsigned n_columns = SS_STRIPES - station->n_parity;
  SsStripe *stripe = &station->stripes[message.number % n_columns];
  uint32_t sequence = message.number / n_columns;
  set_clock (station, message.media_time);
  watch_way (station, message.media_time);
  GBytes *bytes = g_bytes_new (message.packet.data, message.packet.len);
  bool is_new = ss_station_packet (stripe, sequence, bytes, SS_REORDER_BURST)
                == SS_PACKET_NEW;
  if (is_new && stripe->group != NULL)
    ss_group_inject (stripe->group, sequence, bytes, true);
  /* The first may overtake the answer, or that be lost. */
  if (is_new && !station->tune.is_done && !station->tune.is_answered)
    expect_burst (station, message.media_time, 0, message.newest);
  g_bytes_unref (bytes);
  SsTime goes_on = splitstream->env->now + SS_TUNE_IN_WAIT_MIN;
  station->tune.deadline = MAX (station->tune.deadline, goes_on);
  ss_reorder_burst_is_at (station->current->reorder, splitstream->env->now,
                          message.number);
}
