/* The receiver's window: when it starts and what comes out. See reorder.h. */
#include "splitstream/reorder_private.h"

/* A first frame may be this late. */
#define START_LATE (30 * SS_MSEC)
#define SLACK_MAX  (400 * SS_MSEC)
/* Where round trips are long, so many of them: who is asked first may have to
 * say that it has nothing. */
#define SLACK_ROUNDS 2
/* Who is awake anyway, for a packet has come, gives out so much before it is
 * due what would wake it up then. */
#define AWAKE_DIVISOR 25
#define AWAKE_MAX     (60 * SS_MSEC)

/* The oldest packet from which on everything is here, or has time enough left
 * to be fetched, and whose frames are not past. The end if none. What is past
 * is dropped. */
static uint64_t
find_start (SsReorder *reorder, SsTime now)
{
  SsTime slack = MIN (reorder->latency / SS_REORDER_SLACK_DIVISOR, SLACK_MAX);
  SsTime fetch = MIN (SLACK_ROUNDS * reorder->round_trip, reorder->latency / 2);
  slack = MAX (slack, fetch);
  SsTime late = now - MAX (START_LATE, reorder->latency / 25);
  uint64_t candidate = reorder->end;
  SsTime candidate_due = SS_NEVER;
  /* What a neighbour is about to send is missing still. */
  bool is_coming =
      reorder->is_expecting && reorder->end <= reorder->expect_newest;
  for (uint64_t n = reorder->end; n > reorder->next;) {
    const SsReorderSlot *slot = ss_reorder_slot (reorder, --n);
    if (slot->packet == NULL)
      continue;
    SsTime due = ss_reorder_due (reorder, slot);
    if (due < late) {
      ss_reorder_advance (reorder, n + 1);
      break;
    }
    /* Packets are missing between this one and the candidate: when would the
     * first of them be due? */
    if (candidate < reorder->end && candidate > n + 1
        && due + (candidate_due - due) / (SsTime) (candidate - n) < now + slack)
      break;
    if (candidate == reorder->end && is_coming && due < now + slack)
      break;
    candidate = n;
    candidate_due = due;
  }
  return candidate;
}

void
ss_reorder_start (SsReorder *reorder, SsTime now)
{
  uint64_t candidate = find_start (reorder, now);
  if (candidate == reorder->end)
    return;
  const SsReorderSlot *slot = ss_reorder_slot (reorder, candidate);
  SsTime due = ss_reorder_due (reorder, slot);
  if (due > now) {
    ss_reorder_at (reorder, due);
    return;
  }
  bool has_frames =
      (slot->flags & (SS_PACKET_FLAG_HEADERS | SS_PACKET_FLAG_END)) == 0;
  if (has_frames && slot->version != 0
      && reorder->calls.clock_rate (reorder->user, slot->version) == 0) {
    ss_reorder_at (reorder, now + START_LATE);
    return;
  }
  reorder->is_started = true;
  ss_reorder_advance (reorder, candidate);
  ss_reorder_hurry_burst (reorder, now);
  ss_media_clock_fix (reorder->clock);
}

static void
drop_partial (SsReorder *reorder)
{
  if (reorder->partial == NULL)
    return;
  g_byte_array_unref (reorder->partial);
  reorder->partial = NULL;
}

/* Counts the frames between the last one out and `number`. */
static void
count_lost (SsReorder *reorder, uint64_t number)
{
  if (!reorder->has_frame || number <= reorder->last_frame + 1)
    return;
  reorder->stats.frames_lost += number - reorder->last_frame - 1;
  reorder->last_frame = number - 1;
}

static void
give_out (SsReorder *reorder, SsTime now, GBytes *data, uint64_t number)
{
  SsTime due = reorder->part_time + reorder->clock->base + reorder->latency;
  if (!reorder->has_frame && due < now - START_LATE)
    return;
  if (reorder->has_frame && number <= reorder->last_frame)
    return;
  count_lost (reorder, number);
  reorder->has_frame = true;
  reorder->last_frame = number;
  reorder->stats.frames_out++;
  reorder->stats.payload_bytes += g_bytes_get_size (data);
  SsFrame frame = {
    .data = data,
    .header_version = reorder->current.header_version,
    .timestamp = reorder->part_time,
    .duration = reorder->current.durations[reorder->part],
    .number = number,
  };
  reorder->calls.frame (reorder->user, &frame);
}

/* One part of the current packet: a frame, or a piece of one. */
static void
take_part (SsReorder *reorder, SsTime now, GBytes *bytes)
{
  const SsPacket *packet = &reorder->current;
  bool is_tail =
      reorder->part == 0 && (packet->flags & SS_PACKET_FLAG_TAIL) != 0;
  bool is_head = reorder->part + 1 == packet->n_frames
                 && (packet->flags & SS_PACKET_FLAG_HEAD) != 0;
  uint64_t number = (uint64_t) packet->frame_number + reorder->part;
  uint16_t len = packet->lens[reorder->part];
  const uint8_t *data = packet->payload.data + reorder->part_offset;
  if (!is_tail)
    drop_partial (reorder);
  if (is_tail
      && (reorder->partial == NULL || reorder->partial_number != number
          || reorder->partial->len + len > SS_FRAME_BYTES_MAX)) {
    drop_partial (reorder); /* its beginning is lost */
    return;
  }
  if (is_head && reorder->partial == NULL) {
    /* As long as the last, likely; else it grows. */
    reorder->partial = g_byte_array_sized_new (reorder->partial_len);
    reorder->partial_number = number;
  }
  if (reorder->partial != NULL)
    g_byte_array_append (reorder->partial, data, len);
  if (is_head)
    return;
  GBytes *frame;
  if (reorder->partial != NULL) {
    reorder->partial_len = reorder->partial->len;
    frame = g_byte_array_free_to_bytes (reorder->partial);
    reorder->partial = NULL;
  } else {
    size_t offset =
        (size_t) (data - (const uint8_t *) g_bytes_get_data (bytes, NULL));
    frame = g_bytes_new_from_bytes (bytes, offset, len);
  }
  give_out (reorder, now, frame, number);
  g_bytes_unref (frame);
}

/* What playing needs of the packet. Most of a fast stream are a part of one
 * frame each, and of those the slot knows enough. */
static void
parse (const SsReorderSlot *slot, SsPacket *ret_packet)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (slot->packet, &len);
  if (slot->part_from == 0) {
    bool is_fine = ss_packet_parse (data, len, ret_packet);
    g_assert (is_fine); /* it was when it came */
    return;
  }
  ret_packet->flags = slot->flags;
  ret_packet->header_version = slot->version;
  ret_packet->frame_number = slot->frame_number;
  ret_packet->payload.data = data + slot->part_from;
  ret_packet->payload.len = (uint16_t) (len - slot->part_from);
  ret_packet->n_frames = 1;
  ret_packet->lens[0] = ret_packet->payload.len;
  ret_packet->durations[0] = slot->duration;
}

static void
begin_packet (SsReorder *reorder, const SsReorderSlot *slot)
{
  parse (slot, &reorder->current);
  reorder->is_parsed = true;
  if (reorder->has_passed && reorder->passed_row_low != slot->row_low)
    reorder->n_rows++;
  reorder->has_passed = true;
  reorder->passed_row_low = slot->row_low;
  reorder->part = 0;
  reorder->part_offset = 0;
  reorder->part_time = slot->timestamp;
}

/* Waking up for each frame would cost more than all else that is done for
 * it. */
SsTime
ss_reorder_together (SsTime latency)
{
  return MIN (latency / SS_REORDER_TOGETHER_DIVISOR, SS_REORDER_TOGETHER_MAX);
}

/* May one more part go at this moment? */
static bool
may_give (SsReorder *reorder, SsTime now)
{
  if (reorder->given_at != now)
    reorder->n_given = 0;
  reorder->given_at = now;
  return reorder->n_given++ < SS_REORDER_FRAMES_AT_ONCE;
}

/* The frames of the packet `next` that are due. True: all are out. */
static bool
play_packet (SsReorder *reorder, SsTime now)
{
  const SsReorderSlot *slot = ss_reorder_slot (reorder, reorder->next);
  if (!reorder->is_parsed)
    begin_packet (reorder, slot);
  if (reorder->current.n_frames == 0) {
    drop_partial (reorder);
    return true;
  }
  uint32_t rate = reorder->calls.clock_rate (reorder->user, slot->version);
  while (reorder->part < reorder->current.n_frames) {
    SsTime due = reorder->part_time + reorder->clock->base + reorder->latency;
    if (due >= reorder->together_until) {
      if (due > now + MIN (reorder->latency / AWAKE_DIVISOR, AWAKE_MAX)) {
        ss_reorder_at (reorder, due);
        return false;
      }
      reorder->together_until = now + ss_reorder_together (reorder->latency);
    }
    if (rate == 0) {
      if (now < due + SS_REORDER_HEADERS_WAIT) {
        ss_reorder_at (reorder, due + SS_REORDER_HEADERS_WAIT);
        return false;
      }
      return true; /* undecodable: lost, as the next number shows */
    }
    if (!may_give (reorder, now)) {
      ss_reorder_at (reorder, now + SS_REORDER_PAUSE);
      return false;
    }
    take_part (reorder, now, slot->packet);
    reorder->part_offset += reorder->current.lens[reorder->part];
    reorder->part_time +=
        (SsTime) reorder->current.durations[reorder->part] * SS_SEC / rate;
    reorder->part++;
  }
  return true;
}

/* The packets before the next one that is here are missing. Gives them up if
 * that one is due. */
static bool
pass_gap (SsReorder *reorder, SsTime now)
{
  uint64_t later = reorder->next;
  while (later < reorder->end
         && ss_reorder_slot (reorder, later)->packet == NULL)
    later++;
  if (later == reorder->end)
    return false;
  SsTime noticed = ss_reorder_slot (reorder, reorder->next)->noticed;
  SsTime at = MAX (ss_reorder_due (reorder, ss_reorder_slot (reorder, later)),
                   noticed + reorder->latency / SS_REORDER_GRACE_DIVISOR);
  if (now < at) {
    ss_reorder_at (reorder, at);
    return false;
  }
  if (reorder->has_frame)
    for (uint64_t n = reorder->next; n < later; n++) {
      reorder->stats.packets_lost++;
      reorder->stats.stripes_lost[n % reorder->n_columns]++;
    }
  drop_partial (reorder);
  ss_reorder_advance (reorder, later);
  return true;
}

void
ss_reorder_play (SsReorder *reorder, SsTime now)
{
  while (reorder->next < reorder->end && !ss_reorder_is_ended (reorder)) {
    const SsReorderSlot *slot = ss_reorder_slot (reorder, reorder->next);
    if (slot->packet == NULL) {
      if (!pass_gap (reorder, now))
        return;
    } else {
      if (!play_packet (reorder, now))
        return;
      ss_reorder_advance (reorder, reorder->next + 1);
    }
  }
  if (!ss_reorder_is_ended (reorder))
    return;
  drop_partial (reorder);
  /* An end mark knows how many frames there were. */
  for (uint64_t n = MAX (reorder->end_number, reorder->first); n < reorder->end;
       n++) {
    const SsReorderSlot *slot = ss_reorder_slot (reorder, n);
    if (slot->packet != NULL)
      count_lost (reorder, slot->frame_number);
  }
}

SsTime
ss_reorder_buffered (const SsReorder *reorder, SsTime now)
{
  SsTime until = now;
  for (uint64_t n = reorder->next; n < reorder->end; n++) {
    const SsReorderSlot *slot = ss_reorder_slot (reorder, n);
    if (slot->packet == NULL)
      break;
    until = MAX (until, ss_reorder_due (reorder, slot));
  }
  return until - now;
}
