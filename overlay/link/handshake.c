/* Making sessions: WireGuard's flow (whitepaper, sections 5.4 and 6); the
 * responder's part is in respond.c.
 *
 *   initiator                          responder
 *     | LINK_INITIATION (HELLO)          |
 *     |--------------------------------->|  `next` session
 *     |         LINK_RESPONSE (WELCOME)  |
 *     |<---------------------------------|
 *     | `session`; data, or an empty     |
 *     | datagram                         |
 *     |--------------------------------->|  `next` becomes `session`,
 *     |                                  |  the old one `previous`
 *
 * Departures: the payloads carry identity, flags and addresses; tries have a
 * bound, and a small one towards addresses that nobody has confirmed; of two
 * sessions that the ends made at once, both use the one that the end with the
 * smaller id initiated; an end that has lost its state is known by its
 * indices (private.h); an answer to an earlier try counts as well, and the
 * responder keeps the sessions of earlier tries until one is confirmed, or
 * peers farther than the wait would never have one; messages may travel in
 * the initiation (early.c), and their acknowledgements and answers in the
 * response. An initiation whose messages were taken is no repetition: its
 * session is in use at once, and no empty datagram needs to follow. */
#include "overlay/link/private.h"

static const SsAddr address_unknown;

_Static_assert(SS_MSG_LINK_INITIATION_MAX <= SS_DATAGRAM_MAX,
               "it is one datagram");
_Static_assert(INITIATION_BARE + SS_SEALER_INITIATION_OVERHEAD
                       + SS_MSG_LINK_HELLO_MAX
                   <= SS_MSG_LINK_INITIATION_MAX,
               "it holds the longest payload");

void
ss_link_handshake_free (SsPeerWork *work)
{
  if (!work->handshake)
    return;
  ss_sealer_handshake_free (work->handshake->sealer);
  for (unsigned i = 0; i < EARLIER_TRIES; i++)
    ss_sealer_handshake_free (work->handshake->earlier[i].sealer);
  g_clear_pointer (&work->handshake, g_free);
}

void
ss_link_forget_next (SsPeerWork *work)
{
  ss_seal_clear (&work->next.seal);
  for (unsigned i = 0; i < EARLIER_TRIES; i++)
    ss_seal_clear (&work->earlier[i].seal);
}

SsLinkSession *
ss_link_find_next (SsPeerWork *work, uint32_t local_index)
{
  if (ss_seal_is_set (&work->next.seal)
      && work->next.local_index == local_index)
    return &work->next;
  for (unsigned i = 0; i < EARLIER_TRIES; i++) {
    SsLinkSession *session = &work->earlier[i];
    if (ss_seal_is_set (&session->seal) && session->local_index == local_index)
      return session;
  }
  return NULL;
}

uint16_t
ss_link_own_addrs (const SsLink *link, SsAddr *ret_addrs)
{
  ret_addrs[0] = link->self.addr;
  return ss_addr_is_set (&link->self.addr) ? 1 : 0;
}

static uint64_t
next_timestamp (SsLink *link)
{
  SsTime wall = link->env->now + link->env->wall_offset;
  uint64_t timestamp = wall > 0 ? (uint64_t) wall : 0;
  link->last_handshake_ns = MAX (timestamp, link->last_handshake_ns + 1);
  return link->last_handshake_ns;
}

/* Many nodes may share one of these: only the port tells them apart. Nobody
 * else is flooded at an address of this machine's own. */
static bool
is_shared_ip (const SsLink *link, const SsAddr *addr)
{
  const uint8_t *ip = addr->ip;
  if (ss_addr_is_loopback (addr))
    return true;
  for (unsigned i = 0; i < link->n_machine; i++)
    if (ss_addr_same_ip (&link->machine[i], addr))
      return true;
  if (!ss_addr_is_v4 (addr)) /* fc00::/7, fe80::/10 */
    return (ip[0] & 0xfe) == 0xfc || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80);
  ip += 12;
  return ip[0] == 127 || ip[0] == 10 || (ip[0] == 172 && ip[1] >> 4 == 1)
         || (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254)
         || (ip[0] == 100 && ip[1] >> 6 == 1);
}

/* When an address that nobody has confirmed may be sent an initiation. */
static SsTime
unconfirmed_when (SsLink *link, const SsAddr *addr)
{
  SsTime now = link->env->now;
  SsTime when = ss_limit_when (&link->initiations_addr, addr, now);
  if (!is_shared_ip (link, addr)) {
    SsAddr ip = *addr;
    ip.port = 0;
    when = MAX (when, ss_limit_when (&link->initiations_ip, &ip, now));
  }
  return when;
}

static void
unconfirmed_take (SsLink *link, const SsAddr *addr)
{
  SsTime now = link->env->now;
  ss_limit_take (&link->initiations_addr, addr, now);
  if (!is_shared_ip (link, addr)) {
    SsAddr ip = *addr;
    ip.port = 0;
    ss_limit_take (&link->initiations_ip, &ip, now);
  }
}

/* Has an initiation of the peer's been answered, not longer ago than this,
 * and he has not gone on? */
static bool
is_answered (const SsLink *link, const SsPeerWork *work, SsTime ago)
{
  return ss_seal_is_set (&work->next.seal)
         && link->env->now - ss_seal_born (&work->next.seal) < ago;
}

/* Nobody there, or nobody that speaks with us. */
static void
give_up (SsLink *link, SsLinkPeer *peer)
{
  SsPeerWork *work = peer->work;
  bool is_alive = ss_seal_is_set (&peer->session.seal)
                  && !ss_seal_is_spent (&peer->session.seal, link->env->now)
                  && peer->last_heard >= work->handshake->started;
  ss_count (link->env, LINK_HANDSHAKES_FAILED);
  if (is_alive) {
    /* The old session serves until it is spent. */
    ss_link_handshake_free (work);
    return;
  }
  ss_debug (link->env, "link: no session could be made with a peer");
  if (is_answered (link, work, NEXT_LIFETIME)) {
    ss_link_drop_items (link, peer, true);
    ss_link_handshake_free (work);
  } else {
    ss_link_remove (link, peer, true);
  }
}

void
ss_link_put_macs (SsLink *link, const SsKey *to,
                  const SsLinkHandshake *handshake, uint8_t *message,
                  size_t len, uint8_t ret_mac1[SS_MAC_LEN])
{
  uint8_t key[32];
  uint8_t *mac1 = message + len - 2 * SS_MAC_LEN;
  ss_mac_key (SS_MAC_FIRST, link->realm_key, to, key);
  ss_mac (key, sizeof key, message, len - 2 * SS_MAC_LEN, mac1);
  if (handshake && handshake->cookie_until > link->env->now)
    ss_mac (handshake->cookie, SS_COOKIE_LEN, message, len - SS_MAC_LEN,
            message + len - SS_MAC_LEN);
  if (ret_mac1)
    memcpy (ret_mac1, mac1, SS_MAC_LEN);
}

/* May be anybody's: it has been learned, and nothing has come from there. */
static bool
is_hearsay (const SsLink *link, const SsLinkPeer *peer)
{
  if (ss_link_is_via (peer))
    return !ss_link_relay_is_known (link, &peer->contact.addr);
  return ss_link_is_half_open (peer);
}

/* One wait for the initiation and all that went with it. */
static void
wait_until (SsPeerWork *work, SsTime deadline)
{
  work->handshake->deadline = deadline;
  for (GList *node = work->unacked.head; node; node = node->next) {
    SsLinkItem *item = node->data;
    if (item->early)
      item->deadline = deadline;
  }
}

/* Messages for the initiation. A third party is not sent much by whoever was
 * told its address, and a relay passes on nothing but handshakes. */
static size_t
put_early (SsLink *link, SsLinkPeer *peer, uint8_t frames[EARLY_MAX])
{
  size_t room = is_hearsay (link, peer) ? EARLY_HEARSAY_MAX : EARLY_MAX;
  ss_link_requeue_early (link, peer->work);
  if (ss_link_is_via (peer))
    return 0;
  size_t len = ss_link_put_frames (link, peer->work, true, frames, room);
  SsTime deadline = peer->work->handshake->deadline;
  for (GList *node = peer->work->unacked.head; node; node = node->next) {
    const SsLinkItem *item = node->data;
    if (item->early)
      deadline = MAX (deadline, item->deadline);
  }
  wait_until (peer->work, deadline);
  return len;
}

void
ss_link_wait_for_crossing (SsLink *link, SsLinkPeer *peer)
{
  SsPeerWork *work = peer->work;
  SsTime deadline = link->env->now + ss_link_peer_rto (peer);
  wait_until (work, MAX (work->handshake->deadline, deadline));
}

static void
put_off_try (SsLinkHandshake *handshake)
{
  if (!handshake->sealer)
    return;
  SsLinkTry *earlier = handshake->earlier;
  ss_sealer_handshake_free (earlier[EARLIER_TRIES - 1].sealer);
  memmove (&earlier[1], &earlier[0], (EARLIER_TRIES - 1) * sizeof earlier[0]);
  earlier[0] = (SsLinkTry){ handshake->sealer, handshake->sent };
  handshake->sealer = NULL;
}

/* Neither a session nor one that the peer has made and may go on with. */
static bool
is_alone (const SsLinkPeer *peer)
{
  return !ss_seal_is_set (&peer->session.seal)
         && !ss_seal_is_set (&peer->work->next.seal);
}

static bool
post_initiation (SsLink *link, SsLinkPeer *peer)
{
  SsLinkHandshake *handshake = peer->work->handshake;
  SsMsgLinkHello hello = {
    .timestamp = next_timestamp (link),
    .key = link->self.key,
    .flags = link->self.flags,
    .state = is_alone (peer) ? HELLO_ALONE : 0,
  };
  uint8_t frames[EARLY_MAX];
  hello.n_addrs = ss_link_own_addrs (link, hello.addrs);
  hello.frames = (SsWireBytes){ frames, 0 };
  hello.frames.len = (uint16_t) put_early (link, peer, frames);
  uint8_t payload[SS_MSG_LINK_HELLO_MAX];
  uint8_t noise[SS_MSG_LINK_HELLO_MAX + SS_SEALER_INITIATION_OVERHEAD];
  size_t len = ss_msg_link_hello_encode (&hello, payload, sizeof payload);
  put_off_try (handshake);
  handshake->sealer = ss_sealer_initiate (link->sealer, &peer->contact.key,
                                          &link->env->rng, payload, len, noise);
  if (!handshake->sealer)
    return false;
  SsMsgLinkInitiation message = {
    .sender = handshake->local_index,
    .noise = { noise, (uint16_t) (len + SS_SEALER_INITIATION_OVERHEAD) },
  };
  uint8_t buf[SS_MSG_LINK_INITIATION_MAX];
  len = ss_msg_link_initiation_encode (&message, buf, sizeof buf);
  ss_link_put_macs (link, &peer->contact.key, handshake, buf, len,
                    handshake->mac1);
  if (ss_link_is_via (peer))
    ss_link_post_call (link, peer, buf, len);
  else
    ss_link_post (link, &peer->contact.addr, buf, len);
  return true;
}

static void
send_once (SsLink *link, SsLinkPeer *peer)
{
  SsLinkHandshake *handshake = peer->work->handshake;
  SsTime now = link->env->now;
  if (!ss_addr_is_set (&peer->contact.addr)) {
    give_up (link, peer);
    return;
  }
  if (is_hearsay (link, peer)) {
    SsTime when = unconfirmed_when (link, &peer->contact.addr);
    /* Who has initiated himself may go on yet. */
    if (is_answered (link, peer->work, HANDSHAKE_TIME_MAX))
      when = MIN (when, now + HANDSHAKE_WAIT_MAX);
    if (when > now + HANDSHAKE_WAIT_MAX) {
      SsTime answered = handshake->sent + HANDSHAKE_WAIT_MAX;
      /* No more may be sent; what was may be answered yet. */
      if (handshake->tries > 0 && now < answered)
        handshake->deadline = answered;
      else
        give_up (link, peer);
      return;
    }
    if (when > now) {
      handshake->deadline = when;
      return;
    }
    unconfirmed_take (link, &peer->contact.addr);
  }
  SsTime wait = ss_link_peer_rto (peer) << MIN (handshake->tries, 4);
  handshake->deadline = now + MIN (wait, HANDSHAKE_WAIT_MAX);
  if (!post_initiation (link, peer)) {
    give_up (link, peer);
    return;
  }
  ss_count (link->env, LINK_INITIATIONS);
  handshake->tries++;
  handshake->sent = peer->last_sent = now;
}

/* Every other try goes by the relay that it is said to have. A hint never
 * replaces what was confirmed: the address stays. */
static void
send_initiation (SsLink *link, SsLinkPeer *peer)
{
  const SsPeerWork *work = peer->work;
  SsContact confirmed = peer->contact;
  bool is_call =
      ss_addr_is_set (&work->relay) && work->handshake->tries % 2 == 1
      && (ss_link_relay_is_known (link, &work->relay)
          || unconfirmed_when (link, &work->relay) <= link->env->now);
  if (is_call) {
    peer->contact.addr = work->relay;
    peer->contact.flags |= PEER_VIA;
  }
  send_once (link, peer);
  peer->contact.addr = confirmed.addr;
  peer->contact.flags = confirmed.flags;
}

void
ss_link_initiate (SsLink *link, SsLinkPeer *peer)
{
  SsPeerWork *work = ss_link_work (link, peer);
  SsTime now = link->env->now;
  if (ss_link_is_dead (peer) || work->handshake || work->is_answering)
    return;
  ss_link_enter (link);
  work->handshake = g_new0 (SsLinkHandshake, 1);
  work->handshake->local_index = ss_link_new_index (peer);
  work->handshake->started = now;
  /* The peer's own initiation was answered a moment ago: let it finish. */
  if (is_answered (link, work, ANSWERED_PATIENCE))
    work->handshake->deadline = now + ANSWERED_PATIENCE;
  else
    send_initiation (link, peer);
  if (!ss_link_is_dead (peer) && work->handshake)
    ss_timers_arm_earliest (&link->env->timers, &work->timer,
                            work->handshake->deadline);
  ss_link_leave (link);
}

/* Tells the owners of what waits for the session that it takes long. */
static void
tell_late (SsLink *link, SsLinkPeer *peer, unsigned tries)
{
  SsTime now = link->env->now;
  for (unsigned i = 0; i < SS_N_CLASSES; i++) {
    GList *node = peer->work->queues[i].head;
    while (node) {
      SsLinkItem *item = node->data;
      node = node->next;
      /* The deadline marks the ones told: an upcall may cancel any of them. */
      if (!item->reliable || item->sendings.n > 0 || item->token == 0
          || item->deadline == now)
        continue;
      item->deadline = now;
      if (link->upcalls->late)
        link->upcalls->late (link->user, &peer->contact, item->protocol,
                             item->token, tries);
      if (ss_link_is_dead (peer))
        return;
      node = peer->work->queues[i].head;
    }
  }
}

void
ss_link_ask_address (SsLink *link, const SsContact *contact)
{
  SsLinkPeer *peer = ss_link_find (link, &contact->id);
  if (peer && !ss_link_is_via (peer))
    ss_link_initiate (link, peer);
}

/* All that waited for the session has been given up or called back. */
static void
stop (SsLink *link, SsLinkPeer *peer)
{
  ss_link_handshake_free (peer->work);
  if (ss_link_is_half_open (peer) && !ss_seal_is_set (&peer->work->next.seal))
    ss_link_remove (link, peer, true);
}

void
ss_link_initiate_again (SsLink *link, SsLinkPeer *peer)
{
  SsLinkHandshake *handshake = peer->work->handshake;
  unsigned tries = handshake->tries;
  bool is_open = ss_seal_is_set (&peer->session.seal)
                 && peer->last_heard >= handshake->started;
  if (tries > 0 && !is_open && !ss_link_has_items (peer->work)) {
    stop (link, peer);
    return;
  }
  unsigned tries_max =
      ss_link_is_half_open (peer) ? UNCONFIRMED_TRIES : CONFIRMED_TRIES;
  if (tries >= tries_max
      || link->env->now - handshake->started >= HANDSHAKE_TIME_MAX) {
    give_up (link, peer);
    return;
  }
  tell_late (link, peer, tries);
  if (ss_link_is_dead (peer) || !peer->work->handshake)
    return;
  send_initiation (link, peer);
}

static void
announce (SsLink *link, SsLinkPeer *peer, const SsAddr *observed,
          const SsAddr *addrs, unsigned n_addrs)
{
  ss_count (link->env, LINK_SESSIONS);
  if (link->upcalls->up)
    link->upcalls->up (link->user, &peer->contact, observed);
  if (link->upcalls->advertised && !ss_link_is_dead (peer))
    link->upcalls->advertised (link->user, &peer->contact, addrs, n_addrs);
}

static void
keep_as_previous (SsLink *link, SsPeerWork *work, const SsLinkSession *old)
{
  ss_seal_clear (&work->previous.seal);
  work->previous = *old;
  work->previous_until = link->env->now + PREVIOUS_LIFETIME;
  ss_timers_arm_earliest (&link->env->timers, &work->timer,
                          work->previous_until);
}

void
ss_link_put_aside (SsLink *link, SsLinkPeer *peer)
{
  if (!ss_seal_is_set (&peer->session.seal))
    return;
  keep_as_previous (link, ss_link_work (link, peer), &peer->session);
  peer->session.seal = (SsSeal){ 0 };
  peer->session.local_index = ss_link_new_index (peer);
}

/* Is the session in use to be kept, not the new one? Both ends ask: of two
 * made at about the same time the smaller id's counts, else the later one,
 * though the earlier may be confirmed after it. */
static bool
is_outdone (const SsLink *link, const SsLinkPeer *peer,
            const SsLinkSession *new)
{
  const SsSeal *used = &peer->session.seal;
  SsTime apart = ss_seal_born (&new->seal) - ss_seal_born (used);
  bool is_smaller = ss_id_compare (&link->self.id, &peer->contact.id) < 0;
  if (ss_seal_is_initiator (used) == ss_seal_is_initiator (&new->seal))
    return apart < 0;
  if (ABS (apart) < CROSSING_TIME)
    return ss_seal_is_initiator (used) == is_smaller;
  return apart < 0;
}

/* Takes a session into use. True if there was none with this state of the
 * peer before. */
static bool
establish (SsLink *link, SsLinkPeer *peer, const SsLinkSession *new)
{
  SsPeerWork *work = peer->work;
  SsLinkSession old = peer->session;
  bool had = ss_seal_is_set (&old.seal);
  bool restarted =
      old.remote_index != 0
      && ((old.remote_index ^ new->remote_index) & INDEX_PEER_MASK) != 0;
  ss_link_handshake_free (work);
  if (restarted) {
    /* Unless it is the new state's, by messages in its initiation. */
    if (ss_link_window_is_others (&peer->window,
                                  new->remote_index &INDEX_PEER_MASK,
                                  link->env->now)) {
      peer->window = (SsReceiveWindow){ 0 };
      work->n_acks = 0;
    }
    ss_seal_clear (&old.seal);
    ss_seal_clear (&work->previous.seal);
  } else if (had && is_outdone (link, peer, new)) {
    keep_as_previous (link, work, new);
    return false;
  }
  if (had && !restarted)
    keep_as_previous (link, work, &old);
  peer->session = *new;
  return !had || restarted;
}

/* The latest try, or one before it, is answered. */
static bool
finish (SsLink *link, const SsLinkHandshake *handshake,
        const SsMsgLinkResponse *message, uint8_t *ret_payload,
        SsSeal *ret_seal, SsTime *ret_sent)
{
  SsLinkTry try = { handshake->sealer, handshake->sent };
  for (unsigned i = 0; try.sealer; i++) {
    if (ss_sealer_finish (try.sealer, link->env->now, message->noise.data,
                          message->noise.len, ret_payload, ret_seal)) {
      *ret_sent = try.sent;
      return true;
    }
    if (i == EARLIER_TRIES)
      break;
    try = handshake->earlier[i];
  }
  return false;
}

void
ss_link_on_response (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                     size_t len)
{
  SsMsgLinkResponse message;
  if (!ss_msg_link_response_decode (datagram, len, &message)) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  SsLinkPeer *peer = ss_link_find_index (link, message.receiver);
  SsLinkHandshake *handshake =
      peer && peer->work ? peer->work->handshake : NULL;
  uint8_t payload[SS_MSG_LINK_WELCOME_MAX], mac1[SS_MAC_LEN];
  SsTime sent;
  ss_mac (link->mac1_key, sizeof link->mac1_key, datagram, len - 2 * SS_MAC_LEN,
          mac1);
  SsLinkSession session = {
    .local_index = message.receiver,
    .remote_index = message.sender,
  };
  if (!ss_mac_equal (mac1, message.mac1) || !handshake || !handshake->sealer
      || handshake->local_index != message.receiver
      || message.noise.len > sizeof payload + SS_SEALER_RESPONSE_OVERHEAD
      || !finish (link, handshake, &message, payload, &session.seal, &sent)) {
    ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
    return;
  }
  SsMsgLinkWelcome welcome;
  if (message.sender == 0
      || !ss_msg_link_welcome_decode (
          payload, message.noise.len - SS_SEALER_RESPONSE_OVERHEAD, &welcome)) {
    ss_seal_clear (&session.seal);
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  ss_link_enter (link);
  /* A call's way is longer. */
  if (ss_link_is_via (peer))
    ss_link_know_relay (link, &peer->contact.addr);
  else if (!ss_addr_is_set (&peer->work->relay))
    ss_link_rtt_sample (link, peer, link->env->now - sent);
  /* Who answers is no third party, there. */
  if (ss_link_is_half_open (peer))
    ss_limit_forget (&link->initiations_addr, &peer->contact.addr);
  ss_link_heard (link, peer, from);
  peer->contact.flags = welcome.flags & (uint8_t) ~PEER_VIA;
  peer->work->want_confirm = (welcome.state & WELCOME_IN_USE) == 0;
  if (establish (link, peer, &session))
    announce (link, peer, &welcome.observed, welcome.addrs, welcome.n_addrs);
  else if (link->upcalls->observed)
    link->upcalls->observed (link->user, &peer->contact, &welcome.observed);
  if (!ss_link_is_dead (peer))
    ss_link_read_frames (link, peer, message.sender, false, welcome.frames.data,
                         welcome.frames.len);
  if (!ss_link_is_dead (peer)) {
    /* What the answer does not acknowledge was not taken. */
    ss_link_requeue_early (link, ss_link_work (link, peer));
    ss_link_make_ready (link, peer->work);
    ss_link_settle (link, peer);
  }
  ss_link_leave (link);
}

void
ss_link_on_cookie (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                   size_t len)
{
  SsMsgLinkCookie message;
  if (!ss_msg_link_cookie_decode (datagram, len, &message)) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  SsLinkPeer *peer = ss_link_find_index (link, message.receiver);
  SsLinkHandshake *handshake =
      peer && peer->work ? peer->work->handshake : NULL;
  uint8_t cookie[SS_COOKIE_LEN];
  if (!handshake || !handshake->sealer
      || handshake->local_index != message.receiver
      || !ss_cookie_open (link->realm_key, &peer->contact.key, message.nonce,
                          handshake->mac1, message.cookie, cookie)) {
    ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
    return;
  }
  memcpy (handshake->cookie, cookie, sizeof cookie);
  handshake->cookie_until = link->env->now + SS_COOKIE_LIFETIME;
  if (handshake->used_cookie_try)
    return;
  handshake->used_cookie_try = true;
  ss_link_enter (link);
  send_initiation (link, peer);
  ss_link_settle (link, peer);
  ss_link_leave (link);
}

void
ss_link_use_next (SsLink *link, SsLinkPeer *peer, uint32_t local_index)
{
  SsPeerWork *work = peer->work;
  SsLinkSession *found = ss_link_find_next (work, local_index);
  SsLinkSession next = *found;
  SsTime trip = link->env->now - ss_seal_born (&next.seal);
  /* The ordinary first wait would be too short. */
  if (peer->srtt_us == 0 && trip > RTO_INITIAL)
    ss_link_rtt_sample (link, peer, trip);
  found->seal = (SsSeal){ 0 };
  ss_link_forget_next (work);
  work->next.local_index = 0;
  peer->contact.flags = work->flags;
  if (establish (link, peer, &next))
    announce (link, peer, &address_unknown, work->addrs, work->n_addrs);
  if (ss_link_is_dead (peer))
    return;
  /* What went with an initiation of this node's, and is not acknowledged in
   * the datagram that brought the session, was not taken. */
  ss_link_requeue_early (link, peer->work);
  ss_link_make_ready (link, peer->work);
}

void
ss_link_rekey (SsLink *link, SsLinkPeer *peer)
{
  const SsSeal *seal = &peer->session.seal;
  SsTime now = link->env->now;
  if (!ss_seal_is_set (seal) || !ss_seal_is_worn (seal, now))
    return;
  /* At first messages may take care of it (output.c). */
  SsTime patience =
      ss_seal_is_initiator (seal) ? INITIATOR_PATIENCE : RESPONDER_PATIENCE;
  if (ss_seal_is_worn (seal, now - patience))
    ss_link_initiate (link, peer);
}
