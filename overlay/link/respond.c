/* Answering initiations: under load only those with a cookie cost anything;
 * one is answered if it is newer than what made the peer's sessions. What
 * came with it is taken at once if it is certain to be no repetition
 * (early.c), and answered in the response. See handshake.c for the flow. */
#include "overlay/link/private.h"

/* A response without its payload, with Noise's own part. */
#define RESPONSE_BARE \
  (1 + 4 + 4 + 2 + SS_SEALER_RESPONSE_OVERHEAD + 2 * SS_MAC_LEN)
#define ANSWERS_MAX 1060 /* bytes of frames in a response */
_Static_assert(SS_MSG_LINK_RESPONSE_MAX <= SS_DATAGRAM_MAX,
               "it is one datagram");
_Static_assert(RESPONSE_BARE + SS_MSG_LINK_WELCOME_MAX
                   <= SS_MSG_LINK_RESPONSE_MAX,
               "it holds the longest payload");

/* Counts an initiation; are there too many? */
static bool
is_under_load (SsLink *link)
{
  SsTime second = link->env->now / SS_SEC;
  if (second != link->load_second) {
    link->load_before = second == link->load_second + 1 ? link->load_now : 0;
    link->load_now = 0;
    link->load_second = second;
  }
  link->load_now++;
  return link->load_now > LOAD_PER_SECOND
         || link->load_before > LOAD_PER_SECOND;
}

static bool
has_cookie (SsLink *link, const SsAddr *from, const uint8_t *datagram,
            size_t len, const uint8_t mac2[SS_MAC_LEN])
{
  for (unsigned which = 0; which < 2; which++) {
    uint8_t cookie[SS_COOKIE_LEN], expected[SS_MAC_LEN];
    if (!ss_cookie_make (link->cookies, &link->env->rng, link->env->now, from,
                         which, cookie))
      break;
    ss_mac (cookie, sizeof cookie, datagram, len - SS_MAC_LEN, expected);
    if (ss_mac_equal (expected, mac2))
      return true;
  }
  return false;
}

/* Under load only who receives at his address costs us a handshake, and not
 * often. */
static bool
may_cost (SsLink *link, const SsAddr *from, const uint8_t *datagram, size_t len,
          const SsMsgLinkInitiation *message)
{
  SsTime now = link->env->now;
  if (!is_under_load (link))
    return true;
  if (!link->cookies)
    link->cookies = g_new0 (SsCookies, 1);
  if (has_cookie (link, from, datagram, len, message->mac2)) {
    if (ss_limit_when (&link->accepted, from, now) > now) {
      ss_count (link->env, LINK_HANDSHAKES_REFUSED);
      return false;
    }
    ss_limit_take (&link->accepted, from, now);
    return true;
  }
  SsMsgLinkCookie reply = { .receiver = message->sender };
  uint8_t cookie[SS_COOKIE_LEN], buf[SS_MSG_LINK_COOKIE_MAX];
  ss_cookie_make (link->cookies, &link->env->rng, now, from, 0, cookie);
  ss_rng_bytes (&link->env->rng, reply.nonce, sizeof reply.nonce);
  ss_cookie_seal (link->realm_key, &link->self.key, reply.nonce, message->mac1,
                  cookie, reply.cookie);
  ss_count (link->env, LINK_COOKIES);
  ss_link_post (link, from, buf,
                ss_msg_link_cookie_encode (&reply, buf, sizeof buf));
  ss_link_note_opened (link, from);
  return false;
}

/* Decrypts and checks an initiation; NULL if it is not to be answered. What it
 * says lies in `payload`. */
static SsSealerHandshake *
read_initiation (SsLink *link, const SsMsgLinkInitiation *message,
                 uint8_t payload[SS_MSG_LINK_HELLO_MAX],
                 SsMsgLinkHello *ret_hello)
{
  SsSealerHandshake *handshake = ss_sealer_accept (
      link->sealer, message->noise.data, message->noise.len, payload);
  if (!handshake) {
    ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
    return NULL;
  }
  if (ss_msg_link_hello_decode (
          payload, message->noise.len - SS_SEALER_INITIATION_OVERHEAD,
          ret_hello)
      && ss_sealer_key_has_work (&ret_hello->key)
      && !ss_key_equal (&ret_hello->key, &link->self.key)
      && ss_sealer_handshake_is_by (handshake, &ret_hello->key))
    return handshake;
  ss_sealer_handshake_free (handshake);
  ss_count (link->env, LINK_HANDSHAKES_REFUSED);
  return NULL;
}

/* Is this initiation newer than the ones that made the peer's sessions? */
static bool
is_newer (const SsLinkPeer *peer, uint64_t timestamp)
{
  const SsLinkSession *sessions[] = {
    &peer->session,
    peer->work ? &peer->work->next : NULL,
    peer->work ? &peer->work->previous : NULL,
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (sessions); i++)
    if (sessions[i] && ss_seal_is_set (&sessions[i]->seal)
        && timestamp <= ss_seal_timestamp (&sessions[i]->seal))
      return false;
  return true;
}

/* Both ends initiate at once, and this one's may still be on its way. */
static bool
is_crossing (const SsLink *link, const SsLinkPeer *peer)
{
  const SsLinkHandshake *handshake = peer->work ? peer->work->handshake : NULL;
  return handshake && handshake->tries == 1
         && link->env->now - handshake->sent < RTO_INITIAL;
}

/* Then the smaller id's is the one that counts. */
static bool
is_smaller (const SsLink *link, const SsLinkPeer *peer)
{
  return ss_id_compare (&link->self.id, &peer->contact.id) < 0;
}

/* Frames for the response. Where nothing has come from that address yet, and
 * anybody may have named it as his, no more goes there than came. */
static size_t
put_answers (SsLink *link, SsLinkPeer *peer, const SsAddr *from,
             size_t initiation_len, const SsMsgLinkWelcome *welcome,
             uint8_t *buf)
{
  uint8_t bare[SS_MSG_LINK_WELCOME_MAX];
  bool is_confirmed =
      !ss_link_is_half_open (peer) && ss_addr_equal (from, &peer->contact.addr);
  size_t most = is_confirmed ? SS_DATAGRAM_MAX : initiation_len;
  size_t len =
      RESPONSE_BARE + ss_msg_link_welcome_encode (welcome, bare, sizeof bare);
  if (len >= most)
    return 0;
  return ss_link_put_frames (link, peer->work, false, buf,
                             MIN (most - len, ANSWERS_MAX));
}

/* A newer one has come: the initiator may yet go on with this one. */
static void
put_off_next (SsPeerWork *work)
{
  if (!ss_seal_is_set (&work->next.seal))
    return;
  ss_seal_clear (&work->earlier[EARLIER_TRIES - 1].seal);
  memmove (&work->earlier[1], &work->earlier[0],
           (EARLIER_TRIES - 1) * sizeof work->earlier[0]);
  work->earlier[0] = work->next;
  work->next.seal = (SsSeal){ 0 };
}

/* May the session that a fresh initiation makes be used before the initiator
 * has sent anything in it? He may never get the response, so not if there is
 * a session that serves as well; if he tries again, the first one does. Not if
 * he is elsewhere than he was, for what goes there would not reach him. Nor if
 * this node initiates as well. */
static bool
may_use_at_once (const SsLink *link, const SsLinkPeer *peer, const SsAddr *from,
                 uint32_t remote_index)
{
  const SsLinkSession *used = &peer->session;
  bool has_state =
      ss_seal_is_set (&used->seal)
      && !ss_seal_is_spent (&used->seal, link->env->now)
      && ((used->remote_index ^ remote_index) & INDEX_PEER_MASK) == 0;
  const SsPeerWork *work = peer->work;
  bool is_busy = work && (work->handshake || ss_seal_is_set (&work->next.seal));
  return !has_state && !is_busy && !ss_link_is_via (peer)
         && ss_addr_equal (from, &peer->contact.addr);
}

static void
answer (SsLink *link, SsLinkPeer *peer, const SsAddr *from,
        const SsMsgLinkInitiation *initiation, const SsMsgLinkHello *hello,
        SsSealerHandshake *handshake, bool is_in_use)
{
  SsPeerWork *work = ss_link_work (link, peer);
  SsMsgLinkWelcome welcome = {
    .flags = link->self.flags,
    .observed = *from,
  };
  uint8_t frames[ANSWERS_MAX];
  welcome.n_addrs = ss_link_own_addrs (link, welcome.addrs);
  welcome.frames = (SsWireBytes){ frames, 0 };
  welcome.frames.len = (uint16_t) put_answers (
      link, peer, from, INITIATION_BARE + initiation->noise.len, &welcome,
      frames);
  /* Who has more to say than may go to an address that is not proved waits for
   * the initiator's next datagram: that is less than another handshake. */
  is_in_use &= ss_link_n_queued (work) <= EARLY_HEARSAY_MAX;
  welcome.state = is_in_use ? WELCOME_IN_USE : 0;
  uint8_t payload[SS_MSG_LINK_WELCOME_MAX];
  uint8_t noise[SS_MSG_LINK_WELCOME_MAX + SS_SEALER_RESPONSE_OVERHEAD];
  size_t len = ss_msg_link_welcome_encode (&welcome, payload, sizeof payload);
  SsLinkSession next = {
    .local_index = ss_link_new_index (peer),
    .remote_index = initiation->sender,
  };
  if (!ss_sealer_respond (handshake, &link->env->rng, link->env->now,
                          hello->timestamp, payload, len, noise, &next.seal)) {
    ss_count (link->env, LINK_HANDSHAKES_REFUSED);
    return;
  }
  put_off_next (work);
  work->next = next;
  work->next_until =
      link->env->now
      + (ss_link_is_half_open (peer) ? HALF_OPEN_LIFETIME : NEXT_LIFETIME);
  work->flags = hello->flags & (uint8_t) ~PEER_VIA;
  work->n_addrs = (uint8_t) hello->n_addrs;
  memcpy (work->addrs, hello->addrs, hello->n_addrs * sizeof hello->addrs[0]);

  SsMsgLinkResponse response = {
    .sender = next.local_index,
    .receiver = initiation->sender,
    .noise = { noise, (uint16_t) (len + SS_SEALER_RESPONSE_OVERHEAD) },
  };
  uint8_t buf[SS_MSG_LINK_RESPONSE_MAX];
  len = ss_msg_link_response_encode (&response, buf, sizeof buf);
  ss_link_put_macs (link, &hello->key, NULL, buf, len, NULL);
  ss_link_post (link, from, buf, len);
  ss_link_note_opened (link, from);
  if (is_in_use)
    ss_link_use_next (link, peer, next.local_index);
  /* The rest waits until the initiator goes on. */
  else if (!ss_seal_is_set (&peer->session.seal) && ss_link_has_items (work))
    ss_link_initiate (link, peer);
}

/* When the session was made that the initiator has not gone on with. */
static SsTime
half_open_since (const SsLinkPeer *peer)
{
  if (ss_seal_is_set (&peer->session.seal))
    return ss_seal_born (&peer->session.seal);
  const SsPeerWork *work = peer->work;
  return work && ss_seal_is_set (&work->next.seal)
             ? ss_seal_born (&work->next.seal)
             : SS_NEVER;
}

/* Room for another that has initiated, at the cost of the one that has gone
 * on least of all: who is honest needs a round trip, no more. */
static bool
make_room (SsLink *link)
{
  SsLinkPeer *oldest = NULL;
  for (unsigned i = 0; i < link->n_peers; i++) {
    SsLinkPeer *peer = link->peers[i];
    const SsPeerWork *work = peer->work;
    if (!ss_link_is_half_open (peer) || (work && work->handshake)
        || half_open_since (peer) == SS_NEVER)
      continue;
    if (!oldest || half_open_since (peer) < half_open_since (oldest))
      oldest = peer;
  }
  if (!oldest)
    return false;
  ss_count (link->env, LINK_PEERS_EVICTED);
  ss_link_remove (link, oldest, true);
  return true;
}

/* Is there a session that this node has made, and not just now? The newest of
 * the peer's own counts in any case. */
static bool
has_own (const SsLink *link, const SsLinkPeer *peer)
{
  const SsSeal *seal = &peer->session.seal;
  return ss_seal_is_set (seal) && ss_seal_is_initiator (seal)
         && link->env->now - ss_seal_born (seal) > RELEASED_PATIENCE;
}

/* What an initiation says and what came with it; false: nothing, or nothing
 * that is certain to be fresh. Answers wait for the response, or for the
 * session. */
static bool
take_hello (SsLink *link, SsLinkPeer *peer,
            const SsMsgLinkInitiation *initiation, const SsMsgLinkHello *hello,
            bool is_ours)
{
  bool has_lost =
      (hello->state & HELLO_ALONE) && !is_ours && has_own (link, peer);
  if ((hello->frames.len == 0 && !has_lost)
      || !ss_link_take_early (link, &peer->contact.id, hello->timestamp))
    return false;
  /* What is sent in a session that it does not have is lost. */
  if (has_lost)
    ss_link_put_aside (link, peer);
  if (hello->frames.len == 0)
    return false;
  if (!ss_link_is_half_open (peer))
    peer->last_heard = link->env->now;
  ss_link_work (link, peer)->is_answering = true;
  ss_link_read_frames (link, peer, initiation->sender, true, hello->frames.data,
                       hello->frames.len);
  if (peer->work)
    peer->work->is_answering = false;
  return true;
}

void
ss_link_on_initiation (SsLink *link, const SsAddr *from,
                       const uint8_t *datagram, size_t len)
{
  ss_link_take_initiation (link, from, datagram, len, false);
}

void
ss_link_take_initiation (SsLink *link, const SsAddr *from,
                         const uint8_t *datagram, size_t len, bool is_called)
{
  SsMsgLinkInitiation message;
  uint8_t mac1[SS_MAC_LEN];
  /* A shorter one than any would make the cookie an amplifier. */
  if (!ss_msg_link_initiation_decode (datagram, len, &message)
      || message.sender == 0
      || message.noise.len < SS_SEALER_INITIATION_OVERHEAD
      || message.noise.len
             > SS_MSG_LINK_HELLO_MAX + SS_SEALER_INITIATION_OVERHEAD) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  ss_mac (link->mac1_key, sizeof link->mac1_key, datagram, len - 2 * SS_MAC_LEN,
          mac1);
  if (!ss_mac_equal (mac1, message.mac1)) {
    ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
    return;
  }
  if (!may_cost (link, from, datagram, len, &message))
    return;
  SsMsgLinkHello hello;
  uint8_t payload[SS_MSG_LINK_HELLO_MAX];
  SsSealerHandshake *handshake =
      read_initiation (link, &message, payload, &hello);
  if (!handshake)
    return;
  SsContact contact = {
    .key = hello.key,
    .id = ss_id_of_key (&hello.key),
    .addr = *from,
    .flags = hello.flags & (uint8_t) ~PEER_VIA,
  };
  ss_link_enter (link);
  if (!is_called)
    ss_link_note_arrival (link, from, false);
  SsLinkPeer *peer = ss_link_find (link, &contact.id);
  if (peer && !is_newer (peer, hello.timestamp)) {
    ss_count (link->env, DATAGRAMS_REPLAYED);
  } else if (!peer && link->n_half_open >= HALF_OPEN_MAX && !make_room (link)) {
    ss_count (link->env, LINK_HANDSHAKES_REFUSED);
  } else {
    /* Who initiates anew has forgotten the session that was released. */
    if (peer)
      ss_link_reclaim (link, peer);
    if (!peer) {
      peer = ss_link_add (link, &contact);
      peer->contact.flags = contact.flags; /* the address is its own */
    }
    bool is_ours = is_crossing (link, peer) && is_smaller (link, peer);
    bool is_fresh =
        take_hello (link, peer, &message, &hello, is_ours) && !is_called;
    if (!ss_link_is_dead (peer) && is_ours)
      ss_count (link->env, LINK_HANDSHAKES_CROSSED);
    else if (!ss_link_is_dead (peer)) {
      answer (link, peer, from, &message, &hello, handshake,
              is_fresh && may_use_at_once (link, peer, from, message.sender));
      if (!ss_link_is_dead (peer) && is_crossing (link, peer))
        ss_link_wait_for_crossing (link, peer);
    }
    ss_link_settle (link, peer);
  }
  ss_link_leave (link);
  ss_sealer_handshake_free (handshake);
}
