/* Who cannot be reached unasked, behind a NAT or a firewall: how that is
 * noticed, and how others reach it.
 *
 *   caller                relay                 client
 *     | LINK_CALL           |                     |
 *     |-------------------->| LINK_CALLED         |
 *     |                     |-------------------->|
 *     |                 LINK_RESPONSE             |
 *     |<------------------------------------------|
 *
 * A node is reachable if something comes from where it has sent nothing. One
 * that is not gives a relay's address as its own, and keeps in touch with the
 * relay. The relay only passes initiations on; the answer opens the NAT's
 * door towards the caller, and the session is between the two.
 *
 * Departure from the limit on unconfirmed addresses: a relay whose call was
 * answered counts as confirmed, for all who are called through it. */
#include <string.h>

#include "overlay/link/private.h"

/* Without frames: a relay passes on handshakes, and no data. */
_Static_assert(SS_MSG_LINK_INITIATION_MAX - EARLY_MAX <= 272,
               "an initiation fits a call");

void
ss_link_calls_clear (SsLink *link)
{
  GArray **arrays[] = { &link->clients, &link->asked, &link->relays };
  for (unsigned i = 0; i < G_N_ELEMENTS (arrays); i++)
    if (*arrays[i])
      g_array_unref (g_steal_pointer (arrays[i]));
}

static void
trim (GArray **array, SsTime oldest)
{
  if (!*array)
    return;
  for (unsigned i = 0; i < (*array)->len;) {
    if (g_array_index (*array, SsLinkAddrTime, i).time < oldest)
      g_array_remove_index (*array, i);
    else
      i++;
  }
  if ((*array)->len == 0)
    g_clear_pointer (array, g_array_unref);
}

static void
trim_asked (SsLink *link)
{
  if (!link->asked)
    return;
  unsigned n = 0;
  while (n < link->asked->len
         && g_array_index (link->asked, SsLinkAsked, n).second
                < (link->env->now - BINDING_TIME) / SS_SEC)
    n++;
  g_array_remove_range (link->asked, 0, n);
  if (link->asked->len == 0)
    g_clear_pointer (&link->asked, g_array_unref);
}

void
ss_link_calls_trim (SsLink *link)
{
  trim_asked (link);
  trim (&link->relays, link->env->now - BINDING_TIME);
}

static bool
was_asked (const SsLink *link, const SsAddr *addr)
{
  uint32_t hash = ss_addr_hash (addr);
  for (unsigned i = 0; link->asked && i < link->asked->len; i++)
    if (g_array_index (link->asked, SsLinkAsked, i).hash == hash)
      return true;
  return false;
}

static bool
has_addr (const GArray *array, const SsAddr *addr)
{
  for (unsigned i = 0; array && i < array->len; i++)
    if (ss_addr_equal (&g_array_index (array, SsLinkAddrTime, i).addr, addr))
      return true;
  return false;
}

/* As the newest, in the place of the oldest if there is no room. */
static void
note_addr (SsLink *link, GArray **array, unsigned max, const SsAddr *addr)
{
  if (!*array)
    *array = g_array_new (FALSE, FALSE, sizeof (SsLinkAddrTime));
  for (unsigned i = 0; i < (*array)->len; i++) {
    if (ss_addr_equal (&g_array_index (*array, SsLinkAddrTime, i).addr, addr)) {
      g_array_remove_index (*array, i);
      break;
    }
  }
  if ((*array)->len == max)
    g_array_remove_index (*array, 0);
  SsLinkAddrTime entry = { .addr = *addr, .time = link->env->now };
  g_array_append_val (*array, entry);
}

void
ss_link_note_asked (SsLink *link, const SsAddr *addr)
{
  SsLinkAsked entry = {
    .hash = ss_addr_hash (addr),
    .second = (uint32_t) (link->env->now / SS_SEC),
  };
  if (!link->asked)
    link->asked = g_array_new (FALSE, FALSE, sizeof entry);
  for (unsigned i = 0; i < link->asked->len; i++) {
    if (g_array_index (link->asked, SsLinkAsked, i).hash == entry.hash) {
      g_array_remove_index (link->asked, i);
      break;
    }
  }
  if (link->asked->len == ASKED_MAX)
    g_array_remove_index (link->asked, 0);
  g_array_append_val (link->asked, entry);
}

void
ss_link_note_opened (SsLink *link, const SsAddr *addr)
{
  if (link->is_watching)
    ss_link_note_asked (link, addr);
}

void
ss_link_watch (SsLink *link, bool watch)
{
  link->is_watching = watch;
  if (!watch)
    g_clear_pointer (&link->asked, g_array_unref); /* a node has it for long */
}

/* Lately enough for a NAT to remember. */
static bool
is_in_touch (const SsLink *link, const SsLinkPeer *peer)
{
  return peer->last_sent >= 0
         && link->env->now - peer->last_sent < BINDING_TIME;
}

static bool
was_sent_to (const SsLink *link, const SsAddr *addr)
{
  if (was_asked (link, addr))
    return true;
  for (unsigned i = 0; i < link->n_peers; i++) {
    const SsLinkPeer *peer = link->peers[i];
    if (ss_addr_equal (&peer->contact.addr, addr) && is_in_touch (link, peer))
      return true;
  }
  return false;
}

void
ss_link_note_arrival (SsLink *link, const SsAddr *from, bool is_probe)
{
  if (!link->is_watching || !link->upcalls->arrived)
    return;
  bool unasked = !was_sent_to (link, from);
  if (!unasked && !is_probe)
    return;
  ss_link_enter (link);
  link->upcalls->arrived (link->user, from, unasked);
  ss_link_leave (link);
}

unsigned
ss_link_peers (const SsLink *link, SsId *ret_ids, unsigned max)
{
  unsigned n = 0;
  for (unsigned i = 0; i < link->n_peers && n < max; i++) {
    const SsLinkPeer *peer = link->peers[i];
    if (is_in_touch (link, peer))
      ret_ids[n++] = peer->contact.id;
  }
  return n;
}

bool
ss_link_probe (SsLink *link, const SsAddr *addr)
{
  SsTime now = link->env->now;
  if (!ss_addr_is_set (addr) || ss_limit_when (&link->answers, addr, now) > now)
    return false;
  ss_limit_take (&link->answers, addr, now);
  ss_link_note_opened (link, addr);
  SsMsgLinkProbe probe = { .mac = { 0 } };
  uint8_t buf[SS_MSG_LINK_PROBE_MAX];
  ss_rng_bytes (&link->env->rng, probe.nonce, sizeof probe.nonce);
  ss_link_post_with_mac (link, addr, buf,
                         ss_msg_link_probe_encode (&probe, buf, sizeof buf));
  return true;
}

void
ss_link_on_probe (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                  size_t len)
{
  SsMsgLinkProbe probe;
  if (!ss_msg_link_probe_decode (datagram, len, &probe))
    ss_count (link->env, DATAGRAMS_MALFORMED);
  else if (ss_link_mac_is_right (link, datagram, len, probe.mac))
    ss_link_note_arrival (link, from, true);
}

bool
ss_link_is_relayed (const SsLink *link)
{
  return (link->self.flags & SS_PEER_REACHABLE) == 0;
}

void
ss_link_set_relay (SsLink *link, const SsAddr *relay)
{
  bool was_relayed = ss_link_is_relayed (link);
  link->self.addr = relay ? *relay : link->advertise;
  link->self.flags &= (uint8_t) ~SS_PEER_REACHABLE;
  if (!relay)
    link->self.flags |= SS_PEER_REACHABLE;
  if (was_relayed != ss_link_is_relayed (link))
    ss_link_introduce (link);
}

static bool
is_caller (const SsLinkPeer *peer)
{
  return ss_link_is_half_open (peer) && !ss_link_is_via (peer) && peer->work
         && ss_seal_is_set (&peer->work->next.seal);
}

void
ss_link_call_on (SsLink *link)
{
  SsLinkPeer *last[CALL_ON_MAX + 1]; /* the newest first, and one too many */
  unsigned n = 0;
  ss_link_enter (link);
  for (unsigned i = 0; i < link->n_peers; i++) {
    SsLinkPeer *peer = link->peers[i];
    if (!is_caller (peer))
      continue;
    SsTime born = ss_seal_born (&peer->work->next.seal);
    unsigned at = n;
    for (; at > 0 && ss_seal_born (&last[at - 1]->work->next.seal) < born; at--)
      last[at] = last[at - 1];
    last[at] = peer;
    n = MIN (n + 1, CALL_ON_MAX);
  }
  for (unsigned i = 0; i < n; i++)
    ss_link_initiate (link, last[i]);
  ss_link_leave (link);
}

/* A handshake tells what this node is; one that crosses another may not. */
void
ss_link_introduce (SsLink *link)
{
  ss_link_enter (link);
  for (unsigned i = 0; i < link->n_peers; i++) {
    SsLinkPeer *peer = link->peers[i];
    if (ss_seal_is_set (&peer->session.seal) && !ss_link_is_via (peer))
      ss_link_initiate (link, peer);
  }
  ss_link_leave (link);
}

static bool
find_client (const SsLink *link, const SsId *id, unsigned *ret_place)
{
  for (unsigned i = 0; link->clients && i < link->clients->len; i++) {
    if (ss_id_equal (&g_array_index (link->clients, SsId, i), id)) {
      *ret_place = i;
      return true;
    }
  }
  return false;
}

bool
ss_link_serve (SsLink *link, const SsId *client, bool serve)
{
  unsigned place;
  bool known = find_client (link, client, &place);
  if (!serve && known) {
    g_array_remove_index (link->clients, place);
    if (link->clients->len == 0)
      g_clear_pointer (&link->clients, g_array_unref);
  }
  if (!serve)
    return true;
  SsLinkPeer *peer = ss_link_find (link, client);
  if (peer)
    peer->contact.flags &= (uint8_t) ~SS_PEER_REACHABLE;
  if (known)
    return true;
  if (!link->clients)
    link->clients = g_array_new (FALSE, FALSE, sizeof (SsId));
  if (link->clients->len == SS_LINK_CLIENTS_MAX)
    return false;
  g_array_append_val (link->clients, *client);
  return true;
}

bool
ss_link_is_via (const SsLinkPeer *peer)
{
  return (peer->contact.flags & PEER_VIA) != 0;
}

bool
ss_link_relay_is_known (const SsLink *link, const SsAddr *addr)
{
  if (has_addr (link->relays, addr))
    return true;
  for (unsigned i = 0; i < link->n_peers; i++) {
    const SsLinkPeer *peer = link->peers[i];
    if (ss_addr_equal (&peer->contact.addr, addr)
        && !ss_link_is_half_open (peer) && !ss_link_is_via (peer))
      return true;
  }
  return false;
}

void
ss_link_know_relay (SsLink *link, const SsAddr *addr)
{
  note_addr (link, &link->relays, RELAYS_MAX, addr);
}

void
ss_link_post_call (SsLink *link, const SsLinkPeer *peer,
                   const uint8_t *initiation, size_t len)
{
  SsMsgLinkCall call = {
    .target = peer->contact.id,
    .initiation = { initiation, (uint16_t) len },
  };
  uint8_t buf[SS_MSG_LINK_CALL_MAX];
  ss_link_post_with_mac (link, &peer->contact.addr, buf,
                         ss_msg_link_call_encode (&call, buf, sizeof buf));
}

/* Passing calls on may cost a node so much in a second. */
static bool
may_pass (SsLink *link)
{
  SsTime second = link->env->now / SS_SEC;
  if (second != link->call_second)
    link->calls_now = 0;
  link->call_second = second;
  return ++link->calls_now <= CALLS_PER_SECOND;
}

void
ss_link_on_call (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                 size_t len)
{
  SsMsgLinkCall call;
  unsigned place;
  if (!ss_msg_link_call_decode (datagram, len, &call)) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  if (!ss_link_mac_is_right (link, datagram, len, call.mac))
    return;
  if (ss_id_equal (&call.target, &link->self.id)) {
    /* Whoever called did not know that it is reachable. */
    ss_link_take_initiation (link, from, call.initiation.data,
                             call.initiation.len, false);
    return;
  }
  const SsLinkPeer *peer = ss_link_find (link, &call.target);
  if (!find_client (link, &call.target, &place) || !peer
      || ss_link_is_half_open (peer) || ss_link_is_via (peer)
      || !may_pass (link)) {
    ss_count (link->env, LINK_CALLS_REFUSED);
    return;
  }
  SsMsgLinkCalled called = {
    .caller = *from,
    .initiation = call.initiation,
  };
  uint8_t buf[SS_MSG_LINK_CALLED_MAX];
  ss_count (link->env, LINK_CALLS);
  ss_link_post_with_mac (link, &peer->contact.addr, buf,
                         ss_msg_link_called_encode (&called, buf, sizeof buf));
}

void
ss_link_on_called (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                   size_t len)
{
  SsMsgLinkCalled called;
  if (!ss_msg_link_called_decode (datagram, len, &called)) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  if (!ss_link_mac_is_right (link, datagram, len, called.mac))
    return;
  /* Nobody else can make this node answer to a third. */
  if (!ss_link_is_relayed (link) || !ss_addr_is_set (&called.caller)
      || !ss_link_relay_is_known (link, from)) {
    ss_count (link->env, LINK_CALLS_REFUSED);
    return;
  }
  ss_link_take_initiation (link, &called.caller, called.initiation.data,
                           called.initiation.len, true);
}
