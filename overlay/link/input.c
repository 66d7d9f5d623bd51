/* From datagrams to messages: which session, is it authentic and new, and
 * whose are the frames inside. */
#include <string.h>

#include "overlay/link/private.h"

typedef struct {
  SsLink *link;
  SsLinkPeer *peer;
  uint32_t owner;     /* the sender's state */
  bool is_current;    /* they came in the session in use */
  bool is_initiation; /* they came in an initiation, or */
  bool is_response;   /*   in its answer */
  const uint8_t *data;
  size_t len;
} Frames;

static void
add_ack (SsLink *link, SsPeerWork *work, uint16_t number)
{
  if (work->n_acks == ACKS_MAX)
    return; /* it will be sent again */
  if (work->n_acks == work->acks_capacity) {
    work->acks_capacity = (uint16_t) MAX (8, 2 * work->acks_capacity);
    work->acks = g_renew (uint16_t, work->acks, work->acks_capacity);
  }
  work->acks[work->n_acks++] = number;
  work->came = (uint16_t) (link->env->now / SS_MSEC);
}

static bool
take (Frames *frames, size_t len)
{
  if (frames->len < len)
    return false;
  frames->data += len;
  frames->len -= len;
  return true;
}

static bool
read_u16 (Frames *frames, uint16_t *ret_number)
{
  const uint8_t *data = frames->data;
  if (!take (frames, 2))
    return false;
  *ret_number = (uint16_t) (data[0] << 8 | data[1]);
  return true;
}

/* False: malformed, nothing behind it can be read. */
static bool
read_message (Frames *frames)
{
  SsLink *link = frames->link;
  SsLinkPeer *peer = frames->peer;
  uint8_t kind = frames->data[0];
  uint16_t number = 0, len;
  take (frames, 1);
  if ((kind & SS_FRAME_RELIABLE) && !read_u16 (frames, &number))
    return false;
  if ((kind & SS_FRAME_LENGTH) == 0)
    len = (uint16_t) frames->len;
  else if (!read_u16 (frames, &len))
    return false;
  const uint8_t *data = frames->data;
  if (len > SS_LINK_MESSAGE_MAX || !take (frames, len))
    return false;
  bool is_reliable = (kind & SS_FRAME_RELIABLE) != 0;
  SsTime now = link->env->now;
  if (is_reliable
      && ss_link_window_is_others (&peer->window, frames->owner, now))
    return true; /* of a state that the sender has lost since */
  if (is_reliable
      && !ss_link_window_accept (&peer->window, frames->owner,
                                 number >> SENDING_BITS, now)) {
    ss_count (link->env, LINK_MESSAGES_DUPLICATE);
    add_ack (link, ss_link_work (link, peer), number);
    return true;
  }
  peer->is_released = false;
  peer->is_lasting |= (kind & SS_FRAME_PROTOCOL) != SS_LINK_PROTOCOL_UPKEEP;
  if (link->upcalls->message)
    link->upcalls->message (link->user, &peer->contact,
                            kind & SS_FRAME_PROTOCOL, data, len);
  if (is_reliable && !ss_link_is_dead (peer))
    add_ack (link, ss_link_work (link, peer), number);
  return true;
}

static void
read_ack (Frames *frames, uint16_t number, const uint16_t *came)
{
  SsLink *link = frames->link;
  SsLinkPeer *peer = frames->peer;
  uint16_t sequence = number >> SENDING_BITS;
  SsLinkItem *item = ss_link_unlink_sequence (link, peer->work, sequence);
  SsLinkCalledBack *called_back =
      item ? NULL : ss_link_find_called_back (peer->work, sequence);
  const SsLinkSendings *sendings = item          ? &item->sendings
                                   : called_back ? &called_back->sendings
                                                 : NULL;
  if (!sendings)
    return;
  SsTime sent = ss_link_sending_time (sendings, number % SENDINGS);
  if (sent >= 0 && !frames->is_response) { /* a handshake has told the time */
    ss_link_uplink_sample (link, peer, sent, came);
    ss_link_rtt_sample (link, peer, link->env->now - sent);
  }
  if (called_back)
    called_back->sendings.n = 0;
  if (!item)
    return;
  uint64_t token = item->token;
  uint8_t protocol = item->protocol;
  ss_link_item_free (item);
  if (token != 0 && link->upcalls->acked)
    link->upcalls->acked (link->user, &peer->contact, protocol, token);
}

static bool
read_acks (Frames *frames)
{
  const uint8_t *data = frames->data;
  size_t len = SS_FRAME_ACK_LEN;
  if (frames->len >= SS_FRAME_ACK_LEN)
    len += 2 * (size_t) data[SS_FRAME_ACK_LEN - 1];
  SsMsgLinkAck ack;
  if (!take (frames, len) || !ss_msg_link_ack_decode (data, len, &ack))
    return false;
  for (unsigned i = 0; i < ack.n_numbers; i++) {
    if (ss_link_is_dead (frames->peer) || !frames->peer->work)
      return true;
    read_ack (frames, ack.numbers[i],
              i + 1 == ack.n_numbers ? &ack.came : NULL);
  }
  return true;
}

static void
read_close (Frames *frames)
{
  SsLinkPeer *peer = frames->peer;
  if (!frames->is_current)
    return; /* there is a newer session */
  if (peer->work && ss_seal_is_set (&peer->work->next.seal))
    ss_seal_clear (&peer->session.seal); /* the peer is opening another */
  else
    ss_link_remove (frames->link, peer, true);
}

static void
read_frames (Frames *frames)
{
  SsLink *link = frames->link;
  while (frames->len > 0 && !ss_link_is_dead (frames->peer)) {
    bool ok;
    if ((frames->data[0] & SS_FRAME_CONTROL) == 0) {
      ok = read_message (frames);
    } else if (frames->data[0] == SS_MSG_LINK_ACK) {
      ok = read_acks (frames);
    } else if (frames->data[0] == SS_MSG_LINK_CLOSE) {
      read_close (frames);
      return;
    } else {
      ss_count (link->env, MESSAGES_UNKNOWN);
      return;
    }
    if (!ok) {
      ss_count (link->env, MESSAGES_MALFORMED);
      return;
    }
  }
}

void
ss_link_read_frames (SsLink *link, SsLinkPeer *peer, uint32_t index,
                     bool is_initiation, const uint8_t *data, size_t len)
{
  Frames frames = {
    .link = link,
    .peer = peer,
    .owner = index & INDEX_PEER_MASK,
    .is_initiation = is_initiation,
    .is_response = !is_initiation,
    .data = data,
    .len = len,
  };
  if (ss_link_window_is_others (&peer->window, frames.owner, link->env->now)) {
    peer->window = (SsReceiveWindow){ 0 };
    if (peer->work)
      peer->work->n_acks = 0;
  }
  read_frames (&frames);
}

static SsLinkSession *
find_session (SsLinkPeer *peer, uint32_t index, SsTime now)
{
  SsPeerWork *work = peer->work;
  SsLinkSession *sessions[] = {
    &peer->session,
    work ? ss_link_find_next (work, index) : NULL,
    work ? &work->previous : NULL,
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (sessions); i++) {
    SsLinkSession *session = sessions[i];
    if (session && session->local_index == index
        && ss_seal_is_set (&session->seal)
        && !ss_seal_is_spent (&session->seal, now))
      return session;
  }
  return NULL;
}

/* An authentic datagram that came in the session. */
static void
received (SsLink *link, SsLinkPeer *peer, const SsLinkSession *session,
          const SsAddr *from)
{
  SsPeerWork *work = peer->work;
  ss_link_heard (link, peer, from);
  if (work && session == ss_link_find_next (work, session->local_index)) {
    uint32_t index = session->local_index;
    ss_link_use_next (link, peer, index);
    /* Or there is a newer one already. */
    if (ss_link_is_dead (peer) || peer->session.local_index == index)
      return;
    session = &work->previous;
  }
  /* The peer uses it on trial, as long as it has heard nothing in it. */
  if (session == &peer->session && ss_seal_is_initiator (&session->seal)
      && !ss_seal_is_used (&session->seal))
    ss_link_work (link, peer)->want_confirm = true;
  /* The peer may not know that there is a newer one: tell it, but not at
   * every datagram that was on its way. */
  if (work && session == &work->previous
      && ss_seal_is_initiator (&peer->session.seal)
      && link->env->now - work->confirm_sent >= CONFIRM_PAUSE) {
    work->want_confirm = true;
    ss_link_make_ready (link, work);
  }
}

/* A datagram for a session that is no longer known. If the ends disagree which
 * of two sessions they made is in use (one of them slept meanwhile, and took
 * for crossing what was not), neither hears the other once the one replaced is
 * forgotten: another is made. Anybody may send such a datagram; it costs an
 * initiation to where the peer is known to be, one a second at the most. */
static void
check_session (SsLink *link, SsLinkPeer *peer, const SsAddr *from)
{
  const SsSeal *used = &peer->session.seal;
  if (!ss_seal_is_set (used) || ss_link_is_via (peer)
      || link->env->now < link->renew_at
      || link->env->now - ss_seal_born (used) < PREVIOUS_LIFETIME
      || !ss_addr_equal (from, &peer->contact.addr))
    return;
  link->renew_at = link->env->now + RENEW_PAUSE;
  ss_link_enter (link);
  ss_link_initiate (link, peer);
  ss_link_settle (link, peer);
  ss_link_leave (link);
}

void
ss_link_on_data (SsLink *link, const SsAddr *from, uint8_t *datagram,
                 size_t len)
{
  SsMsgLinkData header;
  if (!ss_msg_link_data_decode (datagram, len, &header)
      || header.sealed.len < SS_SEALER_TAG_LEN) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  SsLinkPeer *peer = ss_link_find_index (link, header.receiver);
  SsLinkSession *session =
      peer ? find_session (peer, header.receiver, link->env->now) : NULL;
  if (!session) {
    ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
    if (peer)
      check_session (link, peer, from);
    return;
  }
  switch (ss_seal_read (&session->seal, header.counter, datagram + SS_FRAMES_AT,
                        header.sealed.len)) {
  case SS_SEAL_OK:
    break;
  case SS_SEAL_WRONG:
    ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
    return;
  case SS_SEAL_REPLAYED:
    ss_count (link->env, DATAGRAMS_REPLAYED);
    return;
  }
  uint32_t owner = session->remote_index & INDEX_PEER_MASK;
  ss_link_enter (link);
  received (link, peer, session, from);
  Frames frames = {
    .link = link,
    .peer = peer,
    .owner = owner,
    .is_current = peer->session.local_index == header.receiver,
    .data = datagram + SS_FRAMES_AT,
    .len = len - SS_FRAMES_AT - SS_SEALER_TAG_LEN,
  };
  read_frames (&frames);
  if (!ss_link_is_dead (peer)) {
    ss_link_rekey (link, peer);
    if (!ss_link_is_dead (peer) && peer->work)
      ss_link_make_ready (link, peer->work);
    ss_link_rest (link, peer);
  }
  ss_link_leave (link);
}
