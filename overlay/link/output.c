/* From queues to datagrams: precedence of classes, packing, sealing in the
 * caller's buffer, and the upload cap. */
#include <string.h>

#include "overlay/link/private.h"

/* Of the cap, what may leave at once: it must hold within 5% in any second. */
#define BURST_TIME (40 * SS_MSEC)

static void
set_pace (SsLink *link, uint64_t bytes_per_second)
{
  link->upload_bytes_per_second = bytes_per_second;
  if (bytes_per_second == 0)
    return;
  link->pace_datagram =
      (SsTime) (SS_DATAGRAM_MAX * (uint64_t) SS_SEC / bytes_per_second);
  link->pace_burst = MAX (BURST_TIME, link->pace_datagram);
}

void
ss_link_pace_init (SsLink *link, uint64_t upload_bps)
{
  if (upload_bps == 0)
    return;
  link->upload_told = MAX (1, upload_bps / 8);
  set_pace (link, link->upload_told);
  link->pace_paid = link->env->now - link->pace_burst;
}

void
ss_link_pace_measured (SsLink *link, uint64_t bytes_per_second)
{
  uint64_t told = link->upload_told;
  bool is_told = told > 0 && (bytes_per_second == 0 || bytes_per_second > told);
  set_pace (link, is_told ? told : bytes_per_second);
  link->is_pace_measured = !is_told && bytes_per_second > 0;
}

/* When a datagram of any size may leave. */
static SsTime
pace_when (const SsLink *link)
{
  if (link->upload_bytes_per_second == 0)
    return link->env->now;
  return MAX (link->env->now, link->pace_paid + link->pace_datagram);
}

static void
pace_take (SsLink *link, size_t len)
{
  if (link->upload_bytes_per_second == 0)
    return;
  link->pace_paid = MAX (link->pace_paid, link->env->now - link->pace_burst);
  if (link->is_pace_measured)
    len += SS_LINK_IP_HEADER;
  link->pace_paid +=
      (SsTime) (len * (uint64_t) SS_SEC / link->upload_bytes_per_second);
}

static bool
has_pending (const SsLink *link)
{
  return link->outbox.length > 0 || link->ready[SS_CLASS_CONTROL].length > 0
         || link->ready[SS_CLASS_MEDIA].length > 0
         || link->ready[SS_CLASS_REPAIR].length > 0;
}

bool
ss_link_has_output (const SsLink *link)
{
  return has_pending (link) && pace_when (link) <= link->env->now;
}

void
ss_link_post (SsLink *link, const SsAddr *to, const uint8_t *data, size_t len)
{
  g_assert (len <= SS_DATAGRAM_MAX);
  if (link->outbox.length >= OUTBOX_MAX) {
    ss_count (link->env, LINK_OUTBOX_DROPPED);
    return;
  }
  SsLinkDatagram *datagram = g_malloc (sizeof *datagram + len);
  datagram->to = *to;
  datagram->len = (uint16_t) len;
  memcpy (datagram->data, data, len);
  g_queue_push_tail (&link->outbox, datagram);
}

/* What stands in front of the frames; written last, for the counter comes
 * from sealing. */
static size_t
seal (SsLinkSession *session, uint8_t *buf, size_t frames_len)
{
  uint64_t counter =
      ss_seal_write (&session->seal, buf + SS_FRAMES_AT, frames_len);
  SsMsgLinkData header = {
    .receiver = session->remote_index,
    .counter = counter,
  };
  size_t len = ss_msg_link_data_encode (&header, buf, SS_FRAMES_AT);
  g_assert (len == SS_FRAMES_AT);
  return SS_FRAMES_AT + frames_len + SS_SEALER_TAG_LEN;
}

void
ss_link_post_close (SsLink *link, SsLinkPeer *peer)
{
  uint8_t buf[SS_FRAMES_AT + SS_MSG_LINK_CLOSE_MAX + SS_SEALER_TAG_LEN];
  size_t len = ss_msg_link_close_encode (
      &(SsMsgLinkClose){}, buf + SS_FRAMES_AT, SS_MSG_LINK_CLOSE_MAX);
  ss_link_post (link, &peer->contact.addr, buf,
                seal (&peer->session, buf, len));
}

static size_t
put_acks (SsPeerWork *work, uint8_t *buf, size_t room)
{
  if (work->n_acks == 0 || room < SS_FRAME_ACK_LEN + 2)
    return 0;
  SsMsgLinkAck ack = { .came = work->came };
  ack.n_numbers = (uint16_t) MIN (work->n_acks, (room - SS_FRAME_ACK_LEN) / 2);
  ack.n_numbers = (uint16_t) MIN (ack.n_numbers, G_N_ELEMENTS (ack.numbers));
  memcpy (ack.numbers, work->acks, ack.n_numbers * sizeof ack.numbers[0]);
  work->n_acks = (uint16_t) (work->n_acks - ack.n_numbers);
  memmove (work->acks, work->acks + ack.n_numbers,
           work->n_acks * sizeof work->acks[0]);
  return ss_msg_link_ack_encode (&ack, buf, room);
}

/* What the frames are for. */
typedef enum {
  LOAD_DATA,
  LOAD_INITIATION, /* may be refused */
  LOAD_RESPONSE,
} Load;

/* Of a message that fills the rest of its datagram. */
static size_t
frame_len (const SsLinkItem *item)
{
  return 1 + (item->reliable ? 2 : 0) + ss_link_item_len (item);
}

/* The first control message that fits and can be sent again. */
static SsLinkItem *
pick_reliable (SsLink *link, SsPeerWork *work, size_t room)
{
  for (GList *node = work->queues[SS_CLASS_CONTROL].head; node;
       node = node->next) {
    SsLinkItem *item = node->data;
    bool can_go = item->sendings.n > 0
                  || ss_link_sequence_is_free (work, work->peer->next_sequence);
    if (item->reliable && can_go && item->expires >= link->env->now
        && frame_len (item) <= room)
      return item;
  }
  return NULL;
}

/* Does another peer wait with something that goes before this class? Under a
 * cap it is that one's turn: what rides along takes the room of what waits. */
static bool
is_outranked (const SsLink *link, const SsPeerWork *work, unsigned class)
{
  if (link->upload_bytes_per_second == 0)
    return false;
  for (unsigned i = 0; i < class; i++)
    if (link->ready[i].length > (work->is_ready >> i & 1u))
      return true;
  return false;
}

/* The next item for the peer that fits, in order of precedence; it stays
 * queued. What has expired is dropped on the way. */
static SsLinkItem *
pick (SsLink *link, SsPeerWork *work, Load load, size_t room)
{
  if (load == LOAD_INITIATION)
    return pick_reliable (link, work, room);
  unsigned n_classes = load == LOAD_DATA ? SS_N_CLASSES : SS_CLASS_CONTROL + 1;
  for (unsigned i = 0; i < n_classes; i++) {
    while (work->queues[i].head && !is_outranked (link, work, i)) {
      SsLinkItem *item = work->queues[i].head->data;
      if (item->expires < link->env->now) {
        ss_link_dequeue (link, work, item);
        ss_count (link->env, LINK_MESSAGES_EXPIRED);
        ss_link_fail (link, work->peer, item);
        continue;
      }
      if (item->reliable && item->sendings.n == 0
          && !ss_link_sequence_is_free (work, work->peer->next_sequence))
        break; /* until an ack comes */
      /* A smaller one behind it would overtake. */
      return frame_len (item) <= room ? item : NULL;
    }
  }
  return NULL;
}

/* Takes it out of the queue; a reliable one waits for its ack from now on. */
static void
take (SsLink *link, SsLinkPeer *peer, SsLinkItem *item)
{
  SsTime now = link->env->now;
  ss_link_dequeue (link, peer->work, item);
  if (!item->reliable)
    return;
  if (item->sendings.n == 0)
    item->sequence = peer->next_sequence++ & SEQUENCE_MASK;
  SsTime rto = ss_link_peer_rto (peer);
  SsTime most = MAX (rto, RTO_BACKOFF_MAX);
  for (unsigned i = 0; i < item->sendings.n && rto < most; i++)
    rto *= 2;
  ss_link_note_sending (&item->sendings, now);
  if (item->sendings.n == 1)
    ss_link_uplink_asking (link, peer);
  item->deadline = now + MIN (rto, most);
  ss_link_await_ack (peer->work, item);
  ss_timers_arm_earliest (&link->env->timers, &peer->work->timer,
                          item->deadline);
}

static void
forget_body (SsLink *link)
{
  g_clear_pointer (&link->body_out.bytes, g_bytes_unref);
}

/* The item's message is in the datagram, ends at that place and is not needed
 * any more: its body may be. */
static void
hand_over_body (SsLink *link, SsLinkItem *item, size_t end)
{
  GBytes *noted = link->body_out.bytes;
  if (item->body_len == 0
      || (noted && g_bytes_get_size (noted) >= item->body_len))
    return;
  forget_body (link);
  link->body_out.bytes = g_steal_pointer (&item->body);
  link->body_out.at = end - item->body_len;
}

const SsBody *
ss_link_body_out (const SsLink *link)
{
  return link->body_out.bytes ? &link->body_out : NULL;
}

static size_t
put_message (const SsLinkItem *item, bool is_last, uint8_t *buf)
{
  size_t n = 0, len = ss_link_item_len (item);
  buf[n++] =
      (uint8_t) (item->protocol | (item->reliable ? SS_FRAME_RELIABLE : 0)
                 | (is_last ? 0 : SS_FRAME_LENGTH));
  if (item->reliable) {
    unsigned sending = (item->sendings.n - 1u) % SENDINGS;
    unsigned number = (unsigned) item->sequence << SENDING_BITS | sending;
    buf[n++] = (uint8_t) (number >> 8);
    buf[n++] = (uint8_t) number;
  }
  if (!is_last) {
    buf[n++] = (uint8_t) (len >> 8);
    buf[n++] = (uint8_t) len;
  }
  if (item->head_len > 0)
    memcpy (buf + n, item->head, item->head_len);
  n += item->head_len;
  if (item->body_len > 0)
    memcpy (buf + n, g_bytes_get_data (item->body, NULL), item->body_len);
  return n + item->body_len;
}

/* Frames for one peer; 0 if there was nothing left to say. */
static size_t
put_frames (SsLink *link, SsPeerWork *work, Load load, uint8_t *buf,
            size_t room, size_t *ret_media_len)
{
  size_t len = 0;
  *ret_media_len = 0;
  len += put_acks (work, buf, room);
  SsLinkItem *item = pick (link, work, load, room - len);
  while (item) {
    take (link, work->peer, item);
    item->early = load == LOAD_INITIATION;
    size_t with_length = frame_len (item) + 2;
    SsLinkItem *following =
        len + with_length < room
            ? pick (link, work, load, room - len - with_length)
            : NULL;
    size_t n = put_message (item, !following, buf + len);
    len += n;
    if (item->class != SS_CLASS_CONTROL)
      *ret_media_len += n;
    if (!item->reliable) {
      if (load == LOAD_DATA)
        hand_over_body (link, item, SS_FRAMES_AT + len);
      ss_link_item_free (item);
    }
    item = following;
  }
  return len;
}

size_t
ss_link_put_frames (SsLink *link, SsPeerWork *work, bool is_initiation,
                    uint8_t *buf, size_t room)
{
  size_t media_len;
  size_t len =
      put_frames (link, work, is_initiation ? LOAD_INITIATION : LOAD_RESPONSE,
                  buf, room, &media_len);
  /* A handshake's answer tells the time of neither. */
  ss_link_uplink_asking (link, NULL);
  return len;
}

/* Takes the peer off the lists where it has nothing that can go now. */
static void
settle_ready (SsLink *link, SsPeerWork *work, unsigned served)
{
  for (unsigned i = 0; i < SS_N_CLASSES; i++) {
    const SsLinkItem *first =
        work->queues[i].head ? work->queues[i].head->data : NULL;
    bool can_go =
        first
        && (!first->reliable || first->sendings.n > 0
            || ss_link_sequence_is_free (work, work->peer->next_sequence));
    if (i == SS_CLASS_CONTROL)
      can_go |= work->n_acks > 0;
    if (!can_go) {
      ss_link_unready (link, work, i);
    } else if (i == served && (work->is_ready & 1 << i)) {
      g_queue_unlink (&link->ready[i], &work->ready[i]);
      g_queue_push_tail_link (&link->ready[i], &work->ready[i]);
    }
  }
}

static bool
has_reliable (const SsPeerWork *work)
{
  for (const GList *node = work->queues[SS_CLASS_CONTROL].head; node;
       node = node->next)
    if (((const SsLinkItem *) node->data)->reliable)
      return true;
  return false;
}

/* Nothing has come from who made the session by a fresh initiation, which may
 * have been sent from anywhere: one datagram goes there, and not a long one;
 * if that is not enough the address has to be proved by a handshake. */
static bool
is_trial (const SsLinkPeer *peer)
{
  return ss_link_is_half_open (peer);
}

/* Until there is another session. */
static void
put_off (SsLink *link, SsPeerWork *work)
{
  for (unsigned i = 0; i < SS_N_CLASSES; i++)
    ss_link_unready (link, work, i);
  ss_link_initiate (link, work->peer);
}

static size_t
output_peer (SsLink *link, SsPeerWork *work, unsigned class, SsAddr *ret_to,
             uint8_t *buf)
{
  SsLinkPeer *peer = work->peer;
  SsTime now = link->env->now;
  if (!ss_seal_is_set (&peer->session.seal)
      || ss_seal_is_spent (&peer->session.seal, now)) {
    ss_seal_clear (&peer->session.seal);
    put_off (link, work);
    return 0;
  }
  if (is_trial (peer) && ss_seal_is_used (&peer->session.seal)) {
    put_off (link, work);
    return 0;
  }
  /* A new session for nothing: its initiation takes along what waits. */
  if (ss_seal_is_worn (&peer->session.seal, now) && has_reliable (work))
    ss_link_initiate (link, peer);
  bool confirm = work->want_confirm;
  size_t media_len, len;
  size_t room = is_trial (peer)
                    ? EARLY_HEARSAY_MAX
                    : SS_DATAGRAM_MAX - SS_FRAMES_AT - SS_SEALER_TAG_LEN;
  work->want_confirm = false;
  len =
      put_frames (link, work, LOAD_DATA, buf + SS_FRAMES_AT, room, &media_len);
  settle_ready (link, work, class);
  if (len == 0 && is_trial (peer) && ss_link_n_queued (work) > 0) {
    put_off (link, work);
    return 0;
  }
  if (len == 0 && !confirm) {
    ss_link_rest (link, peer);
    return 0;
  }
  if (confirm)
    work->confirm_sent = now;
  size_t control_len =
      media_len == 0 ? SS_FRAMES_AT + len + SS_SEALER_TAG_LEN : len - media_len;
  len = seal (&peer->session, buf, len);
  *ret_to = peer->contact.addr;
  peer->last_sent = now;
  ss_count_add (link->env, CONTROL_BYTES_OUT, control_len);
  ss_link_rekey (link, peer);
  ss_link_rest (link, peer);
  return len;
}

static size_t
output_outbox (SsLink *link, SsAddr *ret_to, uint8_t *buf)
{
  g_autofree SsLinkDatagram *datagram = g_queue_pop_head (&link->outbox);
  *ret_to = datagram->to;
  memcpy (buf, datagram->data, datagram->len);
  ss_count_add (link->env, CONTROL_BYTES_OUT, datagram->len);
  return datagram->len;
}

size_t
ss_link_output (SsLink *link, SsAddr *ret_to, uint8_t *buf, size_t cap)
{
  g_assert (cap >= SS_DATAGRAM_MAX);
  if (!has_pending (link))
    return 0;
  SsTime when = pace_when (link);
  if (when > link->env->now) {
    ss_timers_arm (&link->env->timers, &link->pace_timer, when);
    return 0;
  }
  size_t len = 0;
  ss_link_enter (link);
  forget_body (link);
  for (unsigned i = 0; i < SS_N_CLASSES && len == 0; i++) {
    while (len == 0 && link->outbox.length == 0 && link->ready[i].head)
      len = output_peer (link, link->ready[i].head->data, i, ret_to, buf);
    if (len == 0 && link->outbox.length > 0)
      len = output_outbox (link, ret_to, buf);
  }
  ss_link_leave (link);
  if (len > 0) {
    pace_take (link, len);
    ss_count (link->env, DATAGRAMS_OUT);
    ss_count_add (link->env, BYTES_OUT, len);
    ss_link_uplink_sent (link);
  }
  return len;
}
