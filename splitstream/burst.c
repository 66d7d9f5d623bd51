/* Tuning in, the giver's side: what a newcomer who asks is answered, and the
 * burst of packets that it is sent (tunein.c has the newcomer's side).
 *
 * A burst has a window, as TCP has, of steps that are not acknowledged yet. It
 * opens with each acknowledgement, and closes while these come later than the
 * quickest by SS_BURST_BEHIND: then more is sent than the way carries, and what
 * comes down the trees would stand behind it. */
#include "splitstream/private.h"

#include <string.h>

/* So many packets in a row that are not here end the search backwards. */
enum { GAP_MAX = 64 };
/* A step's token: when it was sent, in us, and of which burst. */
enum { TOKEN_BITS = 16 };

/* A packet of this station that is here, in the window or in Scribe's
 * history. Borrowed. */
static GBytes *
find_packet (const SsStation *station, uint64_t number)
{
  unsigned n_columns = SS_STRIPES - station->n_parity;
  if (station->role == SS_ROLE_LISTENER) {
    GBytes *bytes = ss_reorder_packet (station->current->reorder, number);
    if (bytes != NULL)
      return bytes;
  }
  const SsGroup *group = station->stripes[number % n_columns].group;
  if (group == NULL)
    return NULL;
  return ss_group_history (group, (uint32_t) (number / n_columns));
}

/* The media time whose packets are here now at the earliest, and where the
 * stream's end is. False: nothing to tell. */
static bool
where_we_are (SsStation *station, SsTime *ret_media_time, uint64_t *ret_end)
{
  SsTime now = station->owner->env->now;
  if (station->role == SS_ROLE_PUBLISHER) {
    *ret_end = ss_rows_n_data (station->rows);
    *ret_media_time = now - station->origin;
    return station->has_origin && *ret_end > 0;
  }
  if (station->role != SS_ROLE_LISTENER || station->current == NULL
      || !ss_reorder_is_started (station->current->reorder))
    return false;
  *ret_end = ss_reorder_end (station->current->reorder);
  *ret_media_time = now - ss_media_clock_measured (&station->current->clock);
  return *ret_end > 0;
}

/* The oldest packet before end whose frames are not yet past for one who
 * plays `reach` behind the media time. The end if none is here. */
static uint64_t
find_oldest (const SsStation *station, SsTime media_time, SsTime reach,
             uint64_t end)
{
  uint64_t oldest = end;
  unsigned gap = 0;
  for (uint64_t n = end;
       n > 0 && gap < GAP_MAX && end - n < SS_REORDER_MISSING_MAX;) {
    GBytes *bytes = find_packet (station, --n);
    SsPacket packet;
    gap++;
    if (bytes == NULL)
      continue;
    size_t len;
    const uint8_t *data = g_bytes_get_data (bytes, &len);
    if (!ss_packet_parse (data, len, &packet) || packet.is_parity
        || packet.session != station->session)
      continue;
    if (ss_packet_timestamp (packet.timestamp, media_time) + reach < media_time)
      break;
    gap = 0;
    oldest = n;
  }
  return oldest;
}

/* Who may know more: those that were served last, then neighbours. */
static void
name_others (const SsSplitStream *splitstream, const SsStation *station,
             const SsContact *to, SsMsgTuneInAnswer *message)
{
  SsContact others[SS_TUNE_IN_OTHERS_MAX];
  unsigned n = 0;
  for (unsigned i = 0; i < SS_SERVED_MAX; i++) {
    const SsServed *served = &station->served[i];
    if (served->at > 0 && !ss_contact_equal (&served->to, to))
      others[n++] = served->to;
  }
  n += ss_station_peers (station, &to->id, 1, false, others + n,
                         SS_TUNE_IN_OTHERS_MAX - n);
  for (unsigned i = 0; i < n; i++)
    if (ss_addr_is_set (&others[i].addr))
      message->others[message->n_others++] = ss_contact_to_record (&others[i]);
}

static void
answer (SsSplitStream *splitstream, const SsContact *to,
        SsMsgTuneInAnswer *message, const SsStation *station)
{
  if (message->status != SS_TUNE_IN_PACKETS && station != NULL)
    name_others (splitstream, station, to, message);
  uint8_t buf[SS_MSG_TUNE_IN_ANSWER_MAX];
  size_t len = ss_msg_tune_in_answer_encode (message, buf, sizeof buf);
  ss_splitstream_send (splitstream, to, SS_CLASS_KBR_CONTROL, buf, len);
}

/* The publisher gives a start to few, and they to the others: its upload is
 * to stay flat however many come at once. */
static bool
may_serve (const SsStation *station, const SsContact *to)
{
  SsTime now = station->owner->env->now;
  if (station->role != SS_ROLE_PUBLISHER)
    return true;
  for (unsigned i = 0; i < SS_SERVED_MAX; i++) {
    const SsServed *served = &station->served[i];
    if (served->at == 0 || now >= served->at + SS_SERVED_TIME
        || ss_contact_equal (&served->to, to))
      return true;
  }
  return false;
}

static void
note_served (SsStation *station, const SsContact *to)
{
  unsigned oldest = 0;
  for (unsigned i = 0; i < SS_SERVED_MAX; i++) {
    if (ss_contact_equal (&station->served[i].to, to)) {
      oldest = i;
      break;
    }
    if (station->served[i].at < station->served[oldest].at)
      oldest = i;
  }
  station->served[oldest] =
      (SsServed){ .to = *to, .at = MAX (station->owner->env->now, 1) };
}

/* A place for serving `to`; NULL: too many are served already. */
static SsBurst *
find_burst (SsSplitStream *splitstream, const SsStation *station,
            const SsContact *to)
{
  int unused = -1;
  if (!may_serve (station, to))
    return NULL;
  for (int i = 0; i < SS_BURSTS_MAX; i++) {
    SsBurst *burst = splitstream->bursts[i];
    bool is_used = burst != NULL && burst->station != NULL;
    if (is_used && burst->station == station
        && ss_contact_equal (&burst->to, to))
      return burst;
    if (!is_used && unused < 0)
      unused = i;
  }
  if (unused < 0)
    return NULL;
  if (splitstream->bursts[unused] == NULL) {
    splitstream->bursts[unused] = g_new0 (SsBurst, 1);
    ss_timer_init (&splitstream->bursts[unused]->timer, SS_LAYER_SPLITSTREAM,
                   SS_SPLITSTREAM_TIMER_BURST);
  }
  return splitstream->bursts[unused];
}

static void
stop_burst (SsSplitStream *splitstream, SsBurst *burst)
{
  burst->station = NULL;
  ss_timers_disarm (&splitstream->env->timers, &burst->timer);
}

/* It is more than the one who asked for it can take. */
static void
stop_burst_to (SsSplitStream *splitstream, const SsStation *station,
               const SsContact *to)
{
  for (unsigned i = 0; i < SS_BURSTS_MAX; i++) {
    SsBurst *burst = splitstream->bursts[i];
    if (burst != NULL && burst->station == station
        && ss_contact_equal (&burst->to, to))
      stop_burst (splitstream, burst);
  }
}

void
ss_tune_in_asked (SsSplitStream *splitstream, const SsContact *from,
                  const uint8_t *data, size_t len)
{
  SsMsgTuneIn question;
  if (!ss_msg_tune_in_decode (data, len, &question)) {
    ss_count (splitstream->env, MESSAGES_MALFORMED);
    return;
  }
  SsStation *station = ss_splitstream_find (splitstream, &question.station);
  if (question.reach == 0) {
    if (station != NULL)
      stop_burst_to (splitstream, station, from);
    return;
  }
  SsMsgTuneInAnswer message;
  memset (&message, 0, sizeof message);
  message.station = question.station;
  message.status = SS_TUNE_IN_NOTHING;
  SsTime media_time, reach = question.reach * SS_MSEC;
  reach = MIN (reach, 2 * SS_LATENCY_MAX);
  uint64_t end, oldest;
  SsBurst *burst = NULL;
  if (station != NULL && where_we_are (station, &media_time, &end)) {
    oldest = find_oldest (station, media_time, reach, end);
    burst = oldest < end ? find_burst (splitstream, station, from) : NULL;
    if (oldest < end && burst == NULL)
      message.status = SS_TUNE_IN_BUSY;
  }
  if (burst == NULL) {
    answer (splitstream, from, &message, station);
    return;
  }
  message.status = SS_TUNE_IN_PACKETS;
  message.session = station->session;
  message.media_time = (uint64_t) MAX (media_time / SS_USEC, 0);
  message.first = (uint32_t) oldest;
  message.newest = (uint32_t) (end - 1);
  answer (splitstream, from, &message, station);
  note_served (station, from);
  burst->station = station;
  burst->to = *from;
  burst->session = station->session;
  burst->next = oldest;
  burst->end = end;
  burst->n_steps = (unsigned) MAX (reach / (SS_BURST_SPEED * SS_BURST_STEP), 1);
  if (++splitstream->last_burst == 0)
    splitstream->last_burst = 1;
  burst->serial = splitstream->last_burst;
  burst->window = SS_BURST_WINDOW;
  burst->n_out = 0;
  burst->trip_least = SS_NEVER;
  burst->until = splitstream->env->now + reach;
  ss_burst_step (splitstream, burst);
}

/* With a token it is acknowledged. */
static bool
send_packet (SsSplitStream *splitstream, const SsBurst *burst, uint64_t number,
             SsTime media_time, GBytes *bytes, uint64_t token)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  if (len == 0 || data[0] != SS_MSG_MEDIA_DATA)
    return false;
  SsMsgTuneInPacket message = {
    .station = burst->station->group_id,
    .number = (uint32_t) number,
    .media_time = (uint64_t) MAX (media_time / SS_USEC, 0),
    .newest = (uint32_t) (burst->end - 1),
    .packet = { .data = data, .len = (uint16_t) len },
  };
  uint8_t buf[SS_MSG_TUNE_IN_PACKET_MAX];
  G_STATIC_ASSERT (SS_MSG_TUNE_IN_PACKET_MAX <= SS_KBR_DIRECT_MAX);
  len = ss_msg_tune_in_packet_encode (&message, buf, sizeof buf);
  SsKbrSend how = {
    .class = SS_CLASS_KBR_REPAIR,
    .reliable = token != 0,
    .token = token,
  };
  return ss_kbr_send (splitstream->kbr, SS_PROTOCOL_SPLITSTREAM, &burst->to,
                      &how, buf, len, NULL);
}

/* The next packets; the burst follows the stream's end until it is there, in
 * so many steps, for how fast the stream grows is not known at its start. The
 * first packet of each step is acknowledged. */
static void
send_step (SsSplitStream *splitstream, SsBurst *burst, SsTime media_time)
{
  uint64_t n_left = burst->end - MIN (burst->next, burst->end);
  uint64_t n_now = (n_left + burst->n_steps - 1) / burst->n_steps, n_sent = 0;
  uint64_t token = (uint64_t) (splitstream->env->now / SS_USEC) << TOKEN_BITS
                   | burst->serial;
  burst->n_steps = MAX (burst->n_steps - 1, 1);
  for (; n_sent < n_now && burst->next < burst->end; burst->next++) {
    GBytes *bytes = find_packet (burst->station, burst->next);
    if (bytes == NULL)
      continue;
    if (send_packet (splitstream, burst, burst->next, media_time, bytes, token)
        && token != 0) {
      burst->n_out++;
      token = 0;
    }
    n_sent++;
  }
}

void
ss_burst_step (SsSplitStream *splitstream, SsBurst *burst)
{
  SsTime media_time;
  if (burst->station == NULL)
    return;
  if (!where_we_are (burst->station, &media_time, &burst->end))
    burst->end = 0; /* no longer */
  if (burst->n_out < burst->window)
    send_step (splitstream, burst, media_time);
  if (burst->next >= burst->end || splitstream->env->now >= burst->until) {
    stop_burst (splitstream, burst);
    return;
  }
  ss_timers_arm (&splitstream->env->timers, &burst->timer,
                 splitstream->env->now + SS_BURST_STEP);
}

void
ss_burst_outcome (SsSplitStream *splitstream, uint64_t token,
                  SsKbrOutcome outcome)
{
  uint64_t serial = token & ((1u << TOKEN_BITS) - 1);
  SsBurst *burst = NULL;
  for (unsigned i = 0; i < SS_BURSTS_MAX && burst == NULL; i++)
    if (splitstream->bursts[i] != NULL
        && splitstream->bursts[i]->station != NULL
        && splitstream->bursts[i]->serial == serial)
      burst = splitstream->bursts[i];
  if (burst == NULL)
    return;
  if (outcome == SS_KBR_LATE) {
    /* Where it is only held up it would come twice; what is lost is asked
     * for. */
    ss_kbr_cancel (splitstream->kbr, SS_PROTOCOL_SPLITSTREAM, &burst->to.id,
                   token);
    g_assert (burst->n_out > 0);
    burst->n_out--;
    burst->window = 1;
    return;
  }
  if (outcome == SS_KBR_FAILED) {
    stop_burst (splitstream, burst);
    return;
  }
  SsTime trip =
      splitstream->env->now - (SsTime) (token >> TOKEN_BITS) * SS_USEC;
  g_assert (burst->n_out > 0);
  burst->n_out--;
  burst->trip_least = MIN (burst->trip_least, trip);
  if (trip - burst->trip_least < SS_BURST_BEHIND)
    burst->window++;
  else
    burst->window = MAX (burst->window - 1, 1);
}

void
ss_burst_cancel (SsStation *station)
{
  SsSplitStream *splitstream = station->owner;
  for (unsigned i = 0; i < SS_BURSTS_MAX; i++) {
    SsBurst *burst = splitstream->bursts[i];
    if (burst != NULL && burst->station == station)
      stop_burst (splitstream, burst);
  }
}
