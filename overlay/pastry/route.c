/* Routing (Pastry, section 2.4) with per-hop acknowledgement (MSPastry,
 * section 3.2). Each hop is a reliable message of the link; when its first
 * acknowledgement is late the message goes another way at once, and names
 * the suspect so that the next hops do not send it back. The node that would
 * deliver drops what it has delivered before.
 *
 * Departure: a message that may be delivered provisionally is delivered by
 * the closest node that nobody suspects; any other is held there until the
 * suspect answers or is declared dead. */
#include "overlay/pastry/internal.h"

#define SEEN_CAPACITY_FIRST 16

static SsRoute *make_route (SsPastry *pastry, SsProtocol protocol,
                            const SsId *key, unsigned flags,
                            const uint8_t *data, size_t len);
static void step (SsPastry *pastry, SsRoute *route, const SsContact *hint);
static bool ask_forward (SsPastry *pastry, SsRoute *route,
                         const SsContact *next);
static void deliver (SsPastry *pastry, SsRoute *route, bool provisional);
static void send_on (SsPastry *pastry, SsRoute *route, const SsContact *next);
static void hold (SsPastry *pastry, SsRoute *route);
static void hold_enter (SsPastry *pastry, SsRoute *route);
static void fill_message (const SsRoute *route, bool provisional,
                          SsKbrMessage *ret_message);
static bool was_seen (SsPastry *pastry, const SsRoute *route);
static SsRoute *take_pending (SsPastry *pastry, uint64_t token);

void
ss_route_free (SsRoute *route)
{
  g_bytes_unref (route->payload);
  g_free (route);
}

static bool
may_route (const SsPastry *pastry, SsProtocol protocol, size_t len)
{
  return len <= SS_KBR_MESSAGE_MAX && protocol < SS_N_PROTOCOLS
         && pastry->state != SS_PASTRY_OUTSIDE
         && pastry->state != SS_PASTRY_LEFT;
}

bool
ss_pastry_route (SsPastry *pastry, SsProtocol protocol, const SsId *key,
                 const SsContact *hint, unsigned flags, const uint8_t *data,
                 size_t len)
{
  if (!may_route (pastry, protocol, len))
    return false;
  unsigned wire_flags =
      (flags & SS_ROUTE_PROVISIONAL) != 0 ? SS_ROUTED_PROVISIONAL : 0;
  SsRoute *route = make_route (pastry, protocol, key, wire_flags, data, len);
  if (wire_flags != 0)
    ss_route_avoid_suspects (pastry, route);
  step (pastry, route, hint);
  return true;
}

bool
ss_pastry_route_past (SsPastry *pastry, SsProtocol protocol, const SsId *key,
                      const SsId *past, unsigned n_past, const uint8_t *data,
                      size_t len)
{
  if (!may_route (pastry, protocol, len))
    return false;
  SsRoute *route = make_route (
      pastry, protocol, key, SS_ROUTED_PROVISIONAL | SS_ROUTED_PAST, data, len);
  for (unsigned i = 0; i < n_past; i++)
    ss_route_avoid (route, &past[i]);
  step (pastry, route, NULL);
  return true;
}

void
ss_pastry_route_enter (SsPastry *pastry, const SsContact *contact, bool rows)
{
  if (ss_pastry_is_self (pastry, &contact->id))
    return;
  uint8_t buf[SS_MSG_ENTER_MAX];
  SsMsgEnter enter = { .nonce = pastry->nonce,
                       .flags = rows ? SS_ENTER_ROWS : 0 };
  size_t len = ss_msg_enter_encode (&enter, buf, sizeof buf);
  SsRoute *route =
      make_route (pastry, SS_PROTOCOL_OVERLAY, &ss_pastry_self (pastry)->id,
                  SS_ROUTED_PROVISIONAL, buf, len);
  if (rows)
    ss_reach_contact (pastry, contact);
  send_on (pastry, route, contact);
}

void
ss_pastry_routed (SsPastry *pastry, const SsContact *from,
                  const SsMsgRouted *message)
{
  SsContact source = ss_contact_from_record (&message->source);
  if (message->hops >= SS_PASTRY_HOPS_MAX
      || message->protocol >= SS_N_PROTOCOLS) {
    ss_count (ss_pastry_env (pastry), MESSAGES_MALFORMED);
    return;
  }
  if (pastry->state == SS_PASTRY_OUTSIDE || pastry->state == SS_PASTRY_LEFT)
    return;
  /* An ENTER that has come back would be answered with ourselves. */
  if (message->protocol == SS_PROTOCOL_OVERLAY
      && ss_pastry_is_self (pastry, &source.id))
    return;
  SsRoute *route = g_new0 (SsRoute, 1);
  route->header = *message;
  route->header.hops++;
  /* Else it would be held until those had spoken, again and again. */
  if ((message->flags & SS_ROUTED_PROVISIONAL) == 0)
    route->header.flags &= (uint8_t) ~SS_ROUTED_PAST;
  route->header.data = (SsWireBytes){ 0 };
  route->payload = g_bytes_new (message->data.data, message->data.len);
  route->source = source;
  /* The first hop's sender is the source, whose link knows best where. */
  if (ss_id_equal (&source.id, &from->id) && !ss_contact_is_client (&source))
    route->source = *from;
  route->previous = *from;
  step (pastry, route, NULL);
}

void
ss_pastry_routed_acked (SsPastry *pastry, uint64_t token)
{
  SsRoute *route = take_pending (pastry, token);
  if (route != NULL)
    ss_route_free (route);
}

/* Those that it is to go past stay. */
static void
forget_suspects (SsRoute *route)
{
  if ((route->header.flags & SS_ROUTED_PAST) == 0)
    route->header.n_avoid = 0;
}

/* The relay did not answer: another may be tried. */
static void
take_back (SsRoute *route)
{
  if (route->is_relayed)
    route->header.flags &= (uint8_t) ~SS_ROUTED_RELAYED;
  route->is_relayed = false;
}

void
ss_pastry_routed_late (SsPastry *pastry, uint64_t token)
{
  SsRoute *route = take_pending (pastry, token);
  if (route == NULL)
    return;
  SsContact late = route->next;
  take_back (route);
  SsRoute trial = *route;
  ss_route_avoid (&trial, &late.id);
  SsHop hop = { .what = SS_HOP_NONE };
  bool own_enter = route->header.protocol == SS_PROTOCOL_OVERLAY
                   && ss_pastry_is_self (pastry, &route->source.id);
  if (!own_enter)
    hop = ss_route_choose (pastry, &trial);

  /* One whose list of nodes to go past is full cannot be kept from it. */
  bool elsewhere =
      hop.what == SS_HOP_NODE && !ss_contact_equal (&hop.node, &late);
  bool here = hop.what == SS_HOP_SELF && ss_pastry_is_ready (pastry)
              && (!hop.is_blocked
                  || (route->header.flags & SS_ROUTED_PROVISIONAL) != 0);
  if (elsewhere || here) {
    ss_link_cancel (pastry->link, &late.id, SS_PROTOCOL_OVERLAY, token);
    ss_route_avoid (route, &late.id);
    step (pastry, route, NULL);
  } else {
    /* There is no other way: the link goes on trying this one. */
    g_ptr_array_add (pastry->pending, route);
  }
  ss_pastry_doubt (pastry, &late, SS_DOUBT_LATE);
}

void
ss_pastry_routed_failed (SsPastry *pastry, uint64_t token)
{
  SsRoute *route = take_pending (pastry, token);
  if (route == NULL)
    return;
  SsContact failed = route->next;
  take_back (route);
  ss_pastry_doubt (pastry, &failed, SS_DOUBT_LATE);
  if (route->header.protocol == SS_PROTOCOL_OVERLAY
      && ss_pastry_is_self (pastry, &route->source.id)) {
    ss_route_free (route);
    ss_pastry_enter_failed (pastry, &failed);
    return;
  }
  /* A hop may fail at once, and those that failed before it are tried again:
   * there is an end to that. */
  if (++route->n_failed == SS_PASTRY_FAILED_MAX) {
    ss_count (ss_pastry_env (pastry), ROUTED_DROPPED);
    ss_route_free (route);
    return;
  }
  ss_route_avoid (route, &failed.id);
  step (pastry, route, NULL);
}

void
ss_pastry_release (SsPastry *pastry)
{
  if (pastry->held == NULL || pastry->held->len == 0)
    return;
  GPtrArray *held = pastry->held;
  pastry->held = NULL;
  for (unsigned i = 0; i < held->len; i++) {
    SsRoute *route = g_ptr_array_index (held, i);
    /* What others suspected has been looked into meanwhile. */
    forget_suspects (route);
    step (pastry, route, NULL);
  }
  g_ptr_array_free (held, TRUE);
}

void
ss_pastry_reroute (SsPastry *pastry, const SsId *gone)
{
  if (pastry->pending == NULL)
    return;
  unsigned n = pastry->pending->len; /* what is sent anew comes after these */
  for (unsigned i = 0; i < n;) {
    SsRoute *route = g_ptr_array_index (pastry->pending, i);
    bool own_enter = route->header.protocol == SS_PROTOCOL_OVERLAY
                     && ss_pastry_is_self (pastry, &route->source.id);
    if (own_enter || !ss_id_equal (&route->next.id, gone)) {
      i++;
      continue;
    }
    ss_link_cancel (pastry->link, gone, SS_PROTOCOL_OVERLAY, route->token);
    g_ptr_array_remove_index (pastry->pending, i);
    n--;
    take_back (route);
    step (pastry, route, NULL);
    n = MIN (n, pastry->pending->len);
  }
}

void
ss_pastry_expire_held (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned i = 0; pastry->held != NULL && i < pastry->held->len; i++) {
    SsRoute *route = g_ptr_array_index (pastry->held, i);
    if (now - route->since < SS_PASTRY_HOLD_TIME)
      continue;
    ss_route_free (route);
    g_ptr_array_remove_index (pastry->held, i--);
    ss_count (ss_pastry_env (pastry), ROUTED_DROPPED);
  }
}

static SsRoute *
make_route (SsPastry *pastry, SsProtocol protocol, const SsId *key,
            unsigned flags, const uint8_t *data, size_t len)
{
  SsRoute *route = g_new0 (SsRoute, 1);
  route->header.protocol = (uint8_t) protocol;
  route->header.flags = (uint8_t) flags;
  route->header.sequence = pastry->next_sequence++;
  route->header.key = *key;
  route->payload = g_bytes_new (data, len);
  route->source = route->previous = *ss_pastry_self (pastry);
  return route;
}

/* One that joins delivers nothing, and does not know yet who is closest to a
 * key: whoever of those that it has heard is closest passes its message on. */
static bool
find_guide (const SsPastry *pastry, const SsRoute *route, SsContact *ret_guide)
{
  const SsId *key = &route->header.key;
  bool is_found = false;
  for (unsigned i = 0; i < pastry->n_contacts; i++) {
    const SsContact *contact = &pastry->contacts[i];
    if (ss_link_last_heard (pastry->link, &contact->id) < 0
        || !ss_route_may_use (pastry, route, contact)
        || (is_found && !ss_id_closer (key, &contact->id, &ret_guide->id)))
      continue;
    *ret_guide = *contact;
    is_found = true;
  }
  return is_found;
}

/* Takes the route over. */
static void
step (SsPastry *pastry, SsRoute *route, const SsContact *hint)
{
  SsHop hop = { .what = SS_HOP_NODE };
  if (hint != NULL && ss_route_may_use (pastry, route, hint))
    hop.node = *hint;
  else
    hop = ss_route_choose (pastry, route);
  if (pastry->state == SS_PASTRY_JOINING && hop.what != SS_HOP_NODE
      && route->header.protocol != SS_PROTOCOL_OVERLAY
      && route->header.hops == 0 && find_guide (pastry, route, &hop.node))
    hop.what = SS_HOP_NODE;

  if (hop.is_relay) {
    route->header.flags |= SS_ROUTED_RELAYED;
    forget_suspects (route);
    route->is_relayed = true;
  }
  if (hop.what == SS_HOP_NODE) {
    if (!ask_forward (pastry, route, &hop.node)) {
      ss_route_free (route);
      return;
    }
    ss_news_passing (pastry, route, &hop.node);
    send_on (pastry, route, &hop.node);
    return;
  }
  if (hop.what == SS_HOP_NONE || !ss_pastry_is_ready (pastry)) {
    if (route->header.protocol == SS_PROTOCOL_OVERLAY)
      hold_enter (pastry, route);
    else
      hold (pastry, route);
    return;
  }
  if (hop.is_blocked) {
    ss_pastry_doubt (pastry, &hop.blocker, SS_DOUBT_LATE);
    if ((route->header.flags & SS_ROUTED_PROVISIONAL) == 0) {
      hold (pastry, route);
      return;
    }
  }
  deliver (pastry, route, hop.is_blocked);
}

/* False: the application has taken the message. Asked once before it goes
 * on, and once before it is delivered. */
static bool
ask_forward (SsPastry *pastry, SsRoute *route, const SsContact *next)
{
  unsigned protocol = route->header.protocol;
  if (protocol == SS_PROTOCOL_OVERLAY) {
    SsMsgEnter enter;
    size_t len;
    const uint8_t *data = g_bytes_get_data (route->payload, &len);
    if (!ss_msg_enter_decode (data, len, &enter)) {
      ss_count (ss_pastry_env (pastry), MESSAGES_MALFORMED);
      return false;
    }
    if (!route->forwarded || next == NULL)
      ss_pastry_enter (pastry, &route->source,
                       route->forwarded ? NULL : &route->previous, &enter,
                       next == NULL);
    route->forwarded = true;
    return next != NULL;
  }
  const SsKbrApp *app = pastry->apps[protocol];
  if (route->forwarded && next != NULL)
    return true;
  route->forwarded = true;
  if (app == NULL || app->forward == NULL)
    return true;
  SsKbrMessage message;
  fill_message (route, false, &message);
  return app->forward (pastry->users[protocol], &message, next);
}

static void
deliver (SsPastry *pastry, SsRoute *route, bool provisional)
{
  if (!was_seen (pastry, route) && ask_forward (pastry, route, NULL)) {
    const SsKbrApp *app = pastry->apps[route->header.protocol];
    if (app != NULL && app->deliver != NULL) {
      SsKbrMessage message;
      fill_message (route, provisional, &message);
      app->deliver (pastry->users[route->header.protocol], &message);
    }
  }
  ss_route_free (route);
}

static void
send_on (SsPastry *pastry, SsRoute *route, const SsContact *next)
{
  uint8_t head[SS_MSG_ROUTED_MAX];
  /* A client is called through who takes its message on: that one lives. */
  if (pastry->state == SS_PASTRY_CLIENT
      && ss_pastry_is_self (pastry, &route->source.id))
    route->source.addr = next->addr;
  route->header.source = ss_pastry_record (&route->source);
  size_t head_len = ss_msg_routed_encode (&route->header, head, sizeof head);
  g_assert (head_len > 0);
  SsContact to = *next;
  route->next = to;
  route->token = 0;
  if (pastry->pending == NULL)
    pastry->pending = g_ptr_array_new ();
  if (pastry->pending->len < SS_PASTRY_PENDING_MAX)
    route->token = ss_pastry_token (pastry, SS_PASTRY_TOKEN_ROUTED);
  SsLinkSend how = {
    .protocol = SS_PROTOCOL_OVERLAY,
    .class = SS_CLASS_CONTROL,
    .reliable = true,
    .token = route->token,
    .rtt = ss_table_rtt (&pastry->table, &to.id),
  };
  bool sent =
      ss_link_send (pastry->link, &to, &how, head, head_len, route->payload);
  if (!sent)
    ss_count (ss_pastry_env (pastry), ROUTED_DROPPED);
  if (sent && route->token != 0)
    g_ptr_array_add (pastry->pending, route);
  else
    ss_route_free (route);
}

static void
hold (SsPastry *pastry, SsRoute *route)
{
  if (pastry->held == NULL)
    pastry->held = g_ptr_array_new ();
  if (pastry->held->len == SS_PASTRY_HELD_MAX) {
    ss_count (ss_pastry_env (pastry), ROUTED_DROPPED);
    ss_route_free (route);
    return;
  }
  if (route->since == 0)
    route->since = ss_pastry_env (pastry)->now;
  g_ptr_array_add (pastry->held, route);
}

/* A joiner that tries again has given up what it sent before. */
static void
drop_held_enter (SsPastry *pastry, const SsId *source)
{
  for (unsigned i = 0; pastry->held != NULL && i < pastry->held->len; i++) {
    SsRoute *route = g_ptr_array_index (pastry->held, i);
    if (route->header.protocol != SS_PROTOCOL_OVERLAY
        || !ss_id_equal (&route->source.id, source))
      continue;
    ss_route_free (route);
    g_ptr_array_remove_index (pastry->held, i);
    return;
  }
}

/* An ENTER at a node that joins itself. Two of them may hold each other's:
 * one who knows nobody yet sends it back, one who does makes himself known,
 * once: who is asked at every sign of life is never done asking. */
static void
hold_enter (SsPastry *pastry, SsRoute *route)
{
  SsContact source = route->source, previous = route->previous;
  bool direct = ss_id_equal (&previous.id, &source.id);
  if (pastry->state == SS_PASTRY_JOINING && pastry->leafset.n == 0 && !direct) {
    ss_route_avoid (route, &ss_pastry_self (pastry)->id);
    send_on (pastry, route, &previous);
    return;
  }
  bool is_new = route->since == 0;
  if (is_new)
    drop_held_enter (pastry, &source.id);
  hold (pastry, route);
  if (is_new && pastry->state == SS_PASTRY_JOINING)
    ss_pastry_ask (pastry, &source, SS_LEAFSET_REACH_NONE,
                   SS_LEAF_PROBE_MUTUAL);
}

static void
fill_message (const SsRoute *route, bool provisional, SsKbrMessage *ret_message)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (route->payload, &len);
  *ret_message = (SsKbrMessage){
    .key = route->header.key,
    .source = route->source,
    .previous = route->previous,
    .hops = route->header.hops,
    .provisional = provisional,
    .data = data,
    .len = len,
  };
}

/* Remembers the message, unless it is known. Exact, for the last few. */
static bool
was_seen (SsPastry *pastry, const SsRoute *route)
{
  uint64_t digest = ss_pastry_prefix (&route->source.id);
  digest = (digest ^ route->header.sequence) * 0x9e3779b97f4a7c15;
  for (unsigned i = 0; i < pastry->n_seen; i++) {
    if (pastry->seen[i] == digest)
      return true;
  }
  if (pastry->n_seen == pastry->seen_capacity
      && pastry->seen_capacity < SS_PASTRY_SEEN_MAX) {
    unsigned capacity = MAX (SEEN_CAPACITY_FIRST, 2u * pastry->seen_capacity);
    pastry->seen_capacity = (uint16_t) MIN (capacity, SS_PASTRY_SEEN_MAX);
    pastry->seen = g_renew (uint64_t, pastry->seen, pastry->seen_capacity);
    pastry->next_seen = pastry->n_seen;
  }
  pastry->next_seen %= pastry->seen_capacity;
  pastry->seen[pastry->next_seen++] = digest;
  if (pastry->n_seen < pastry->seen_capacity)
    pastry->n_seen++;
  return false;
}

static SsRoute *
take_pending (SsPastry *pastry, uint64_t token)
{
  for (unsigned i = 0; pastry->pending != NULL && i < pastry->pending->len;
       i++) {
    SsRoute *route = g_ptr_array_index (pastry->pending, i);
    if (route->token == token) {
      g_ptr_array_remove_index (pastry->pending, i);
      return route;
    }
  }
  return NULL;
}
