/* The link's public functions: see link.h. The work is done in peers.c,
 * handshake.c, queue.c, input.c, output.c and ask.c. */
#include "overlay/link/link.h"

#include <sodium.h>
#include <string.h>

#include "overlay/link/private.h"

#define IDENTITY_TRIES_MAX (1000 << SS_WORK_BITS)

bool
ss_link_key_has_work (const SsKey *key)
{
  return ss_sealer_key_has_work (key);
}

void
ss_link_key_of_seed (const uint8_t seed[32], SsKey *ret_key)
{
  ss_sealer_key_of_seed (seed, ret_key);
}

void
ss_link_make_identity (SsRng *rng, uint8_t ret_seed[32], SsKey *ret_key)
{
  for (unsigned i = 0; i < IDENTITY_TRIES_MAX; i++) {
    ss_rng_bytes (rng, ret_seed, 32);
    ss_sealer_key_of_seed (ret_seed, ret_key);
    if (ss_sealer_key_has_work (ret_key))
      return;
  }
  g_assert_not_reached (); /* once in e^1000 times */
}

SsLink *
ss_link_new (SsEnv *env, const SsLinkConfig *config,
             const SsLinkUpcalls *upcalls, void *user)
{
  SsLink *link = g_new0 (SsLink, 1);
  link->env = env;
  link->generation = 1;
  link->upcalls = upcalls;
  link->user = user;
  link->sealer =
      ss_sealer_new (config->identity_seed, config->realm_key, SS_LINK_VERSION);
  ss_sealer_key_of_seed (config->identity_seed, &link->self.key);
  link->self.id = ss_id_of_key (&link->self.key);
  link->self.addr = link->advertise = config->advertise;
  link->self.flags = config->flags;
  link->last_handshake_ns = config->last_handshake_ns;
  link->n_machine = config->n_machine;
  if (config->n_machine > 0)
    link->machine = g_memdup2 (config->machine,
                               config->n_machine * sizeof link->machine[0]);
  memcpy (link->realm_key, config->realm_key, sizeof link->realm_key);
  ss_mac_key (SS_MAC_FIRST, link->realm_key, &link->self.key, link->mac1_key);
  ss_mac_key (SS_MAC_ASK, link->realm_key, NULL, link->ask_key);
  /* A node that starts again may have taken some in its former life. */
  if (!config->is_fresh)
    link->early_from = env->now + env->wall_offset + EARLY_SKEW;
  ss_rng_bytes (&env->rng, link->met_key, sizeof link->met_key);
  ss_link_pace_init (link, config->upload_bps);
  const uint8_t *key = link->limit_key;
  ss_rng_bytes (&env->rng, link->limit_key, sizeof link->limit_key);
  ss_limit_init (&link->initiations_addr, key, 60 * SS_SEC, UNCONFIRMED_TRIES,
                 LIMITED_ADDRS_MAX);
  ss_limit_init (&link->initiations_ip, key, SS_SEC, 1, LIMITED_ADDRS_MAX);
  ss_limit_init (&link->accepted, key, SS_SEC, ACCEPTED_PER_SECOND,
                 LIMITED_ADDRS_MAX);
  ss_limit_init (&link->answers, key, SS_SEC, ANSWERS_PER_SECOND,
                 ASKING_ADDRS_MAX);
  ss_timer_init (&link->pace_timer, SS_LAYER_LINK, SS_LINK_TIMER_PACE);
  ss_timer_init (&link->failures_timer, SS_LAYER_LINK, SS_LINK_TIMER_FAILURES);
  ss_timer_init (&link->sweep_timer, SS_LAYER_LINK, SS_LINK_TIMER_SWEEP);
  return link;
}

void
ss_link_free (SsLink *link)
{
  if (!link)
    return;
  g_assert (link->busy == 0);
  while (link->n_peers > 0)
    ss_link_remove (link, link->peers[0], false);
  ss_link_forget_questions (link);
  ss_link_calls_clear (link);
  ss_link_early_clear (link);
  g_queue_clear_full (&link->outbox, g_free);
  g_queue_clear_full (&link->failures, g_free);
  g_clear_pointer (&link->body_out.bytes, g_bytes_unref);
  ss_limit_clear (&link->initiations_addr);
  ss_limit_clear (&link->initiations_ip);
  ss_limit_clear (&link->accepted);
  ss_limit_clear (&link->answers);
  ss_timers_disarm (&link->env->timers, &link->pace_timer);
  ss_timers_disarm (&link->env->timers, &link->failures_timer);
  ss_timers_disarm (&link->env->timers, &link->sweep_timer);
  ss_link_uplink_free (link);
  g_free (link->machine);
  g_free (link->cookies);
  g_free (link->peers);
  ss_sealer_free (link->sealer);
  sodium_memzero (link, sizeof *link);
  g_free (link);
}

const SsContact *
ss_link_self (const SsLink *link)
{
  return &link->self;
}

void
ss_link_set_advertise (SsLink *link, const SsAddr *addr)
{
  link->advertise = *addr;
  if (!ss_link_is_relayed (link))
    link->self.addr = *addr;
}

uint64_t
ss_link_last_handshake_ns (const SsLink *link)
{
  return link->last_handshake_ns;
}

/* Who is known keeps the address that he answers at; a hint counts only for
 * one that has never answered, and is not just being tried elsewhere; and a
 * relay's for one that cannot be reached unasked and has been quiet. */
static SsLinkPeer *
peer_for (SsLink *link, const SsContact *to, SsPeerHint *hint)
{
  SsLinkPeer *peer = ss_link_find_hinted (link, &to->id, hint);
  if (!peer)
    return ss_link_add (link, to);
  bool is_relayed =
      ((peer->contact.flags | to->flags) & SS_PEER_REACHABLE) == 0;
  /* Of a session that is in use at once its initiation was the last word. */
  const SsSeal *seal = &peer->session.seal;
  bool is_half_open = ss_link_is_half_open (peer);
  bool is_known = !is_half_open || ss_seal_is_set (seal);
  SsTime heard =
      is_half_open && is_known ? ss_seal_born (seal) : peer->last_heard;
  bool is_quiet = link->env->now - heard > BINDING_SHORT;
  bool is_trying = peer->work && peer->work->handshake;
  /* Who has just initiated is where he did so from, as long as a NAT lets the
   * response in. */
  const SsSeal *next = peer->work ? &peer->work->next.seal : NULL;
  bool is_coming = next && ss_seal_is_set (next)
                   && link->env->now - ss_seal_born (next) <= BINDING_SHORT;
  if ((is_known && !(is_relayed && is_quiet)) || is_trying
      || !ss_addr_is_set (&to->addr) || is_coming)
    return peer;
  if ((to->flags & SS_PEER_REACHABLE) == 0
      && !ss_addr_equal (&peer->contact.addr, &to->addr))
    peer->contact.flags = to->flags | PEER_VIA;
  peer->contact.addr = to->addr;
  return peer;
}

/* One that was reached unasked, and is now said to be behind a NAT, as it may
 * have found out since it was heard: that is hearsay, but if a session has to
 * be made it may be right. */
static void
note_relay (SsLink *link, SsLinkPeer *peer, const SsContact *to)
{
  if ((to->flags & SS_PEER_REACHABLE) == 0
      && (peer->contact.flags & SS_PEER_REACHABLE) != 0
      && ss_addr_is_set (&to->addr)
      && !ss_addr_equal (&to->addr, &peer->contact.addr)
      && link->env->now - peer->last_heard > BINDING_SHORT)
    peer->work->relay = to->addr;
}

/* What is not reliable would be lost in a session that the other end alone has
 * let go: it is used for an application first if it surely is there yet. */
static void
make_lasting (SsLink *link, SsLinkPeer *peer, const SsLinkSend *how)
{
  peer->is_lasting = true;
  if (!how->is_doubtful || !ss_seal_is_set (&peer->session.seal))
    return;
  /* Who has just made the session has it, even if nothing has come in it. */
  SsTime surely = MAX (peer->last_heard, ss_seal_born (&peer->session.seal));
  if (link->env->now - surely > RELEASED_PATIENCE)
    ss_link_put_aside (link, peer);
}

bool
ss_link_send (SsLink *link, const SsContact *to, const SsLinkSend *how,
              const uint8_t *head, size_t head_len, GBytes *body)
{
  g_assert (how->protocol <= SS_FRAME_PROTOCOL);
  g_assert (how->class < SS_N_CLASSES);
  size_t body_len = body ? g_bytes_get_size (body) : 0;
  if (head_len > SS_LINK_MESSAGE_MAX
      || body_len > SS_LINK_MESSAGE_MAX - head_len
      || ss_id_equal (&to->id, &link->self.id))
    return false;
  ss_link_enter (link);
  SsLinkPeer *peer = peer_for (link, to, how->hint);
  if (peer->srtt_us == 0 && how->rtt > 0 && how->rtt < SS_NEVER)
    ss_link_rtt_sample (link, peer, how->rtt);
  ss_link_reclaim (link, peer);
  if (!peer->is_lasting && how->protocol != SS_LINK_PROTOCOL_UPKEEP)
    make_lasting (link, peer, how);
  bool queued = ss_link_enqueue (link, peer, how, head, head_len, body);
  if (queued)
    note_relay (link, peer, to);
  if (queued && ss_seal_is_set (&peer->session.seal) && !ss_link_is_via (peer))
    ss_link_make_ready (link, peer->work);
  else if (queued)
    ss_link_initiate (link, peer);
  ss_link_leave (link);
  return queued;
}

void
ss_link_cancel (SsLink *link, const SsId *to, uint8_t protocol, uint64_t token)
{
  SsLinkPeer *peer = ss_link_find (link, to);
  if (!peer || !peer->work)
    return;
  SsPeerWork *work = peer->work;
  SsLinkItem *item = ss_link_unlink_token (link, work, protocol, token);
  if (!item)
    return;
  ss_link_call_back (work, item);
  ss_link_item_free (item);
}

void
ss_link_prove (const SsLink *link, const SsKey *peer, const uint8_t *data,
               size_t len, uint8_t ret_proof[SS_LINK_PROOF_LEN])
{
  _Static_assert(SS_LINK_PROOF_LEN == SS_MAC_LEN, "a MAC");
  uint8_t secret[32];
  ss_sealer_secret (link->sealer, peer, secret);
  ss_mac (secret, sizeof secret, data, len, ret_proof);
  sodium_memzero (secret, sizeof secret);
}

SsTime
ss_link_rtt (const SsLink *link, const SsId *peer)
{
  const SsLinkPeer *found = ss_link_find (link, peer);
  return found && found->srtt_us > 0 ? found->srtt_us * SS_USEC : SS_NEVER;
}

SsTime
ss_link_rto (const SsLink *link, const SsId *peer)
{
  const SsLinkPeer *found = ss_link_find (link, peer);
  return found ? ss_link_peer_rto (found) : RTO_INITIAL;
}

SsTime
ss_link_last_heard (const SsLink *link, const SsId *peer)
{
  const SsLinkPeer *found = ss_link_find (link, peer);
  return found ? found->last_heard : -1;
}

SsTime
ss_link_last_sent (const SsLink *link, const SsId *peer)
{
  const SsLinkPeer *found = ss_link_find (link, peer);
  return found ? found->last_sent : -1;
}

static bool
is_open (const SsLink *link, const SsLinkPeer *peer)
{
  return ss_seal_is_set (&peer->session.seal)
         && !ss_seal_is_spent (&peer->session.seal, link->env->now);
}

bool
ss_link_has_session (const SsLink *link, const SsId *peer)
{
  const SsLinkPeer *found = ss_link_find (link, peer);
  return found && is_open (link, found);
}

bool
ss_link_needs_session (const SsLink *link, const SsId *peer)
{
  const SsLinkPeer *found = ss_link_find (link, peer);
  return !found || !is_open (link, found)
         || ss_seal_is_worn (&found->session.seal, link->env->now);
}

unsigned
ss_link_n_peers (const SsLink *link)
{
  unsigned n = 0;
  for (unsigned i = 0; i < link->n_peers; i++)
    n += is_open (link, link->peers[i]);
  return n;
}

void
ss_link_release (SsLink *link, const SsId *peer)
{
  SsLinkPeer *found = ss_link_find (link, peer);
  if (!found || found->is_lasting)
    return;
  found->is_released = true;
  ss_timers_arm_earliest (&link->env->timers, &link->sweep_timer,
                          link->env->now + RELEASED_LIFETIME);
}

void
ss_link_close (SsLink *link, const SsId *peer)
{
  SsLinkPeer *found = ss_link_find (link, peer);
  if (!found)
    return;
  if (is_open (link, found))
    ss_link_post_close (link, found);
  ss_link_remove (link, found, false);
}

size_t
ss_link_backlog (const SsLink *link, SsTrafficClass class)
{
  return link->backlog[class];
}

void
ss_link_input (SsLink *link, const SsAddr *from, uint8_t *datagram, size_t len)
{
  ss_count (link->env, DATAGRAMS_IN);
  ss_count_add (link->env, BYTES_IN, len);
  /* Port 0 may be forged as a source, but nobody can be answered there, and
   * it stands for no address wherever a contact goes from here. */
  uint8_t code = len > 0 && ss_addr_is_set (from) ? datagram[0] : 0;
  switch (code) {
  case SS_MSG_LINK_DATA:
    ss_link_on_data (link, from, datagram, len);
    break;
  case SS_MSG_LINK_INITIATION:
    ss_link_on_initiation (link, from, datagram, len);
    break;
  case SS_MSG_LINK_RESPONSE:
    ss_link_on_response (link, from, datagram, len);
    break;
  case SS_MSG_LINK_COOKIE:
    ss_link_on_cookie (link, from, datagram, len);
    break;
  case SS_MSG_LINK_ASK:
    ss_link_on_ask (link, from, datagram, len);
    break;
  case SS_MSG_LINK_ANSWER:
    ss_link_on_answer (link, from, datagram, len);
    break;
  case SS_MSG_LINK_MET:
    ss_link_on_met (link, from, datagram, len);
    break;
  case SS_MSG_LINK_PROBE:
    ss_link_on_probe (link, from, datagram, len);
    break;
  case SS_MSG_LINK_CALL:
    ss_link_on_call (link, from, datagram, len);
    break;
  case SS_MSG_LINK_CALLED:
    ss_link_on_called (link, from, datagram, len);
    break;
  default:
    ss_count (link->env, DATAGRAMS_MALFORMED);
    break;
  }
}

static void
peer_timer (SsLink *link, SsPeerWork *work)
{
  SsLinkPeer *peer = work->peer;
  SsTime now = link->env->now;
  if (ss_seal_is_set (&work->previous.seal) && work->previous_until <= now)
    ss_seal_clear (&work->previous.seal);
  if (ss_seal_is_set (&work->next.seal) && work->next_until <= now) {
    ss_link_forget_next (work);
    /* An initiator that never went on: not one who need not, because his
     * first try's session is in use. */
    if (ss_link_is_half_open (peer) && !work->handshake
        && !ss_seal_is_set (&peer->session.seal)) {
      ss_link_remove (link, peer, true);
      return;
    }
  }
  ss_link_forget_called_back (work, now);
  /* What is late goes with the next initiation, if there is one. */
  ss_link_retransmit (link, peer);
  if (!ss_link_is_dead (peer) && work->handshake
      && work->handshake->deadline <= now)
    ss_link_initiate_again (link, peer);
  ss_link_settle (link, peer);
}

void
ss_link_timer (SsLink *link, SsTimer *timer)
{
  ss_link_enter (link);
  switch ((SsLinkTimer) timer->kind) {
  case SS_LINK_TIMER_PEER:
    peer_timer (link, SS_CONTAINER_OF (timer, SsPeerWork, timer));
    break;
  case SS_LINK_TIMER_PACE:
    break; /* the driver drains the output after each tick */
  case SS_LINK_TIMER_ASK:
    ss_link_question_timer (link,
                            SS_CONTAINER_OF (timer, SsLinkQuestion, timer));
    break;
  case SS_LINK_TIMER_FAILURES:
    ss_link_tell_failures (link);
    break;
  case SS_LINK_TIMER_SWEEP:
    ss_link_sweep (link);
    break;
  default:
    g_assert_not_reached ();
  }
  ss_link_leave (link);
}
