/* A client's life, and its attachments' part in it. A client is in no leaf
 * set and no routing table. It keeps in touch with three nodes of the ring:
 * they route for it, and pass on who calls it (overlay/link/call.c). Once it
 * has answered a call, or has called itself, messages go straight.
 *
 * Attachments are spread over the ring, as far as those named allow; each
 * message takes the one nearest to its key. One that is suspected, leaves or
 * dies is replaced at once. */
#include "overlay/pastry/internal.h"

static void fill (SsClient *client);
static SsAttachment *find (const SsPastry *pastry, const SsId *id);
static SsServed *find_served (const SsPastry *pastry, const SsId *id);
static void note_served (SsPastry *pastry, const SsContact *client);
static bool is_good (const SsPastry *pastry, const SsAttachment *attachment);
static void drop (SsClient *client, unsigned place);
static void send_attach (SsClient *client, SsAttachment *attachment);
static void forget_attach (SsPastry *pastry, const SsAttachment *attachment);
static void send_leave (SsPastry *pastry, const SsContact *to, uint8_t what);
static void add_candidate (SsClient *client, const SsContact *contact);
static bool take_candidate (SsClient *client, SsContact *ret_contact);
static void keep_in_touch (SsClient *client);
static void choose_relay (SsClient *client);
static void leave_ring (SsPastry *pastry, SsClient *client);

void
ss_client_begin (SsPastry *pastry)
{
  SsEnv *env = ss_pastry_env (pastry);
  SsClient *client = pastry->client = g_new0 (SsClient, 1);
  client->pastry = pastry;
  ss_timer_init (&client->timer, SS_LAYER_OVERLAY, SS_PASTRY_TIMER_CLIENT);
  client->candidates = g_array_new (FALSE, FALSE, sizeof (SsContact));
  ss_near_end (pastry);
  leave_ring (pastry, client);
  ss_pastry_set_state (pastry, SS_PASTRY_CLIENT);
  ss_timers_arm (&env->timers, &client->timer, env->now + SS_CLIENT_RETRY);
  fill (client);
}

void
ss_client_free (SsPastry *pastry)
{
  SsClient *client = g_steal_pointer (&pastry->client);
  if (client == NULL)
    return;
  ss_timers_disarm (&ss_pastry_env (pastry)->timers, &client->timer);
  g_array_unref (client->candidates);
  g_free (client);
}

void
ss_client_end (SsPastry *pastry)
{
  SsClient *client = pastry->client;
  SsContact contacts[SS_CLIENT_TRIED_MAX];
  unsigned n = 0;
  for (unsigned i = 0; i < client->n; i++) {
    const SsAttachment *attachment = &client->attachments[i];
    contacts[n++] = attachment->contact;
    forget_attach (pastry, attachment);
    send_leave (pastry, &attachment->contact, SS_LEAVE_SERVICE);
  }
  ss_client_free (pastry);
  ss_link_set_relay (pastry->link, NULL);
  pastry->state = SS_PASTRY_OUTSIDE;
  ss_pastry_join (pastry, contacts, n);
}

unsigned
ss_client_n_attached (const SsPastry *pastry)
{
  unsigned n = 0;
  for (unsigned i = 0; pastry->client != NULL && i < pastry->client->n; i++)
    n += is_good (pastry, &pastry->client->attachments[i]);
  return n;
}

unsigned
ss_pastry_attachments (const SsPastry *pastry, SsContact *ret_contacts,
                       unsigned max)
{
  const SsClient *client = pastry->client;
  unsigned n = 0;
  for (unsigned i = 0; client != NULL && i < client->n && n < max; i++) {
    const SsAttachment *attachment = &client->attachments[i];
    if (!is_good (pastry, attachment))
      continue;
    ret_contacts[n++] = attachment->contact;
    if (ss_id_equal (&attachment->contact.id, &client->relay)) {
      ret_contacts[n - 1] = ret_contacts[0];
      ret_contacts[0] = attachment->contact;
    }
  }
  return n;
}

unsigned
ss_pastry_way_back (const SsPastry *pastry, SsContact *ret_contacts,
                    unsigned max)
{
  const SsClient *client = pastry->client;
  if (client == NULL)
    return ss_pastry_neighbor_set (pastry, ret_contacts, max);
  unsigned n = ss_pastry_attachments (pastry, ret_contacts, max);
  for (unsigned i = client->candidates->len; i > 0 && n < max; i--) {
    const SsContact *named =
        &g_array_index (client->candidates, SsContact, i - 1);
    if (find (pastry, &named->id) == NULL)
      ret_contacts[n++] = *named;
  }
  return n;
}

bool
ss_client_is_attached (const SsPastry *pastry)
{
  return ss_client_n_attached (pastry) > 0;
}

bool
ss_client_hop (const SsPastry *pastry, const SsId *key,
               bool (*may_use) (const void *user, const SsContact *),
               const void *user, SsContact *ret_hop)
{
  const SsContact *best = NULL;
  for (unsigned i = 0; pastry->client != NULL && i < pastry->client->n; i++) {
    const SsAttachment *attachment = &pastry->client->attachments[i];
    if (is_good (pastry, attachment)
        && (may_use == NULL || may_use (user, &attachment->contact))
        && (best == NULL
            || ss_id_closer (key, &attachment->contact.id, &best->id)))
      best = &attachment->contact;
  }
  if (best == NULL)
    return false;
  *ret_hop = *best;
  return true;
}

void
ss_client_changed (SsPastry *pastry, const SsId *gone)
{
  SsClient *client = pastry->client;
  if (client == NULL)
    return;
  for (unsigned i = 0; gone != NULL && i < client->n; i++) {
    if (ss_id_equal (&client->attachments[i].contact.id, gone)) {
      drop (client, i);
      break;
    }
  }
  fill (client);
}

void
ss_client_timer (SsClient *client)
{
  SsEnv *env = ss_pastry_env (client->pastry);
  bool lacks = ss_client_n_attached (client->pastry) < SS_CLIENT_ATTACHMENTS;
  SsTime wait = SS_CLIENT_TICK;
  if (lacks && client->tries < 8)
    wait = MIN (SS_CLIENT_RETRY << client->tries, wait);
  if (client->n == 0 && client->tries >= 8)
    wait = SS_CLIENT_RETRY_MAX;
  if (lacks)
    client->tries++;
  ss_timers_arm (&env->timers, &client->timer, env->now + wait);
  if (client->has_relay && !client->introduced
      && env->now - client->relay_since >= SS_LINK_INTRODUCE_AGAIN) {
    client->introduced = true;
    ss_link_introduce (client->pastry->link);
  }
  keep_in_touch (client);
  fill (client);
}

void
ss_client_attached (SsPastry *pastry, const SsContact *from,
                    const SsMsgAttached *message)
{
  SsClient *client = pastry->client;
  SsAttachment *attachment = find (pastry, &from->id);
  /* It came late, and has just put a leaf out of the other's set. */
  if (client == NULL && (message->flags & SS_ATTACHED_YES) != 0)
    ss_pastry_ask (pastry, from, SS_LEAFSET_REACH_NONE, SS_LEAF_PROBE_MUTUAL);
  if (attachment == NULL || attachment->nonce != message->nonce)
    return;
  for (unsigned i = 0; i < message->n_peers; i++) {
    SsContact peer = ss_contact_from_record (&message->peers[i]);
    if (!ss_contact_is_client (&peer) && !ss_pastry_is_self (pastry, &peer.id))
      add_candidate (client, &peer);
  }
  bool was_attached = attachment->is_attached;
  bool is_first = !ss_client_is_attached (pastry);
  if ((message->flags & SS_ATTACHED_YES) == 0) {
    drop (client, (unsigned) (attachment - client->attachments));
  } else if (!was_attached) {
    attachment->is_attached = true;
    attachment->contact = *from;
    client->tries = 0;
  }
  fill (client);
  if (!was_attached && find (pastry, &from->id) != NULL) {
    if (is_first)
      ss_info (ss_pastry_env (pastry), "overlay: attached, as a client");
    ss_pastry_update (pastry, from, SS_KBR_JOINED, true);
    ss_pastry_release (pastry);
  }
}

bool
ss_client_takes (uint8_t code)
{
  switch (code) {
  case SS_MSG_ROUTED:
  case SS_MSG_LIVENESS:
  case SS_MSG_LEAVE:
  case SS_MSG_REACH_TOLD:
  case SS_MSG_ATTACH:
  case SS_MSG_ATTACHED:
    return true;
  default:
    return false;
  }
}

void
ss_client_attach (SsPastry *pastry, const SsContact *from,
                  const SsMsgAttach *message)
{
  SsMsgAttached answer = { .nonce = message->nonce };
  SsContact named[SS_CLIENT_NAMED_MAX];
  if (pastry->state == SS_PASTRY_ACTIVE) {
    /* It may have been one of the ring. */
    ss_table_remove (&pastry->table, &from->id);
    if (ss_leafset_remove (&pastry->leafset, &from->id)) {
      ss_pastry_update (pastry, from, SS_KBR_LEFT, true);
      ss_pastry_repair_soon (pastry, true);
    }
    if (ss_pastry_is_ready (pastry)
        && ss_link_serve (pastry->link, &from->id, true))
      answer.flags |= SS_ATTACHED_YES;
  }
  unsigned n =
      ss_reach_choose (pastry, from, NULL, 0, named, SS_CLIENT_NAMED_MAX);
  for (unsigned i = 0; i < n; i++)
    answer.peers[answer.n_peers++] = ss_pastry_record (&named[i]);
  if ((answer.flags & SS_ATTACHED_YES) != 0)
    note_served (pastry, from);
  uint8_t buf[SS_MSG_ATTACHED_MAX];
  size_t len = ss_msg_attached_encode (&answer, buf, sizeof buf);
  ss_pastry_send (pastry, from, ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER),
                  3, buf, len);
}

bool
ss_client_is_served (const SsPastry *pastry, const SsId *id)
{
  return find_served (pastry, id) != NULL;
}

void
ss_client_left (SsPastry *pastry, const SsId *id)
{
  const SsServed *served = find_served (pastry, id);
  if (served == NULL)
    return;
  SsId gone = *id; /* id may be of what is removed */
  g_array_remove_index (
      pastry->clients,
      (unsigned) (served - &g_array_index (pastry->clients, SsServed, 0)));
  ss_link_serve (pastry->link, &gone, false);
  if (pastry->clients->len == 0)
    g_clear_pointer (&pastry->clients, g_array_unref);
}

void
ss_client_expire (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned i = pastry->clients != NULL ? pastry->clients->len : 0; i > 0;
       i--) {
    const SsServed *served = &g_array_index (pastry->clients, SsServed, i - 1);
    const SsId *id = &served->contact.id;
    /* The link has not heard who initiates until he goes on. */
    SsTime heard = ss_link_last_heard (pastry->link, id);
    if (now - MAX (heard, served->attached) > SS_CLIENT_SILENT)
      ss_client_left (pastry, id);
  }
}

void
ss_client_goodbye (SsPastry *pastry)
{
  for (unsigned i = 0; pastry->client != NULL && i < pastry->client->n; i++)
    send_leave (pastry, &pastry->client->attachments[i].contact, SS_LEAVE_ALL);
  while (pastry->clients != NULL) {
    SsContact client = g_array_index (pastry->clients, SsServed, 0).contact;
    send_leave (pastry, &client, SS_LEAVE_ALL);
    ss_client_left (pastry, &client.id);
  }
  ss_client_free (pastry);
}

/* Sends ATTACH to so many that there are three, the suspected not counted,
 * and lets go of who is one too many. */
static void
fill (SsClient *client)
{
  SsPastry *pastry = client->pastry;
  SsTime now = ss_pastry_env (pastry)->now;
  unsigned n_good = 0, n_coming = 0;
  for (unsigned i = 0; i < client->n;) {
    SsAttachment *attachment = &client->attachments[i];
    bool surplus = false;
    if (is_good (pastry, attachment))
      surplus = ++n_good > SS_CLIENT_ATTACHMENTS;
    else if (!attachment->is_attached
             && now - attachment->asked < SS_CLIENT_ANSWER)
      n_coming++;
    else if (!attachment->is_attached)
      surplus = true; /* no answer */
    if (surplus)
      drop (client, i);
    else
      i++;
  }
  SsContact contact;
  while (n_good + n_coming < SS_CLIENT_ATTACHMENTS
         && client->n < SS_CLIENT_TRIED_MAX
         && take_candidate (client, &contact)) {
    SsAttachment *attachment = &client->attachments[client->n++];
    *attachment = (SsAttachment){ .contact = contact };
    send_attach (client, attachment);
    n_coming++;
  }
  choose_relay (client);
}

static SsAttachment *
find (const SsPastry *pastry, const SsId *id)
{
  for (unsigned i = 0; pastry->client != NULL && i < pastry->client->n; i++) {
    if (ss_id_equal (&pastry->client->attachments[i].contact.id, id))
      return &pastry->client->attachments[i];
  }
  return NULL;
}

static SsServed *
find_served (const SsPastry *pastry, const SsId *id)
{
  for (unsigned i = 0; pastry->clients != NULL && i < pastry->clients->len;
       i++) {
    SsServed *served = &g_array_index (pastry->clients, SsServed, i);
    if (ss_id_equal (&served->contact.id, id))
      return served;
  }
  return NULL;
}

static void
note_served (SsPastry *pastry, const SsContact *client)
{
  SsServed *known = find_served (pastry, &client->id);
  SsServed served = { .contact = *client,
                      .attached = ss_pastry_env (pastry)->now };
  if (pastry->clients == NULL)
    pastry->clients = g_array_new (FALSE, FALSE, sizeof served);
  if (known != NULL)
    *known = served;
  else
    g_array_append_val (pastry->clients, served);
}

static bool
is_good (const SsPastry *pastry, const SsAttachment *attachment)
{
  return attachment->is_attached
         && !ss_pastry_is_suspected (pastry, &attachment->contact.id);
}

static void
drop (SsClient *client, unsigned place)
{
  SsPastry *pastry = client->pastry;
  const SsAttachment *attachment = &client->attachments[place];
  forget_attach (pastry, attachment);
  if (is_good (pastry, attachment))
    send_leave (pastry, &attachment->contact, SS_LEAVE_SERVICE);
  client->n--;
  for (unsigned i = place; i < client->n; i++)
    client->attachments[i] = client->attachments[i + 1];
}

static void
send_attach (SsClient *client, SsAttachment *attachment)
{
  SsPastry *pastry = client->pastry;
  SsEnv *env = ss_pastry_env (pastry);
  SsMsgAttach message = { .nonce = ss_rng_u32 (&env->rng) };
  uint8_t buf[SS_MSG_ATTACH_MAX];
  size_t len = ss_msg_attach_encode (&message, buf, sizeof buf);
  forget_attach (pastry, attachment);
  attachment->nonce = message.nonce;
  attachment->asked = env->now;
  attachment->token = ss_pastry_token (pastry, SS_PASTRY_TOKEN_ATTACH);
  ss_pastry_send (pastry, &attachment->contact, attachment->token,
                  SS_PASTRY_PROBE_TRIES, buf, len);
}

/* Sent once more after the client is of the ring, it would put a leaf out. */
static void
forget_attach (SsPastry *pastry, const SsAttachment *attachment)
{
  if (attachment->token != 0)
    ss_link_cancel (pastry->link, &attachment->contact.id, SS_PROTOCOL_OVERLAY,
                    attachment->token);
}

static void
send_leave (SsPastry *pastry, const SsContact *to, uint8_t what)
{
  uint8_t buf[SS_MSG_LEAVE_MAX];
  SsMsgLeave message = { .what = what };
  size_t len = ss_msg_leave_encode (&message, buf, sizeof buf);
  ss_pastry_send (pastry, to, ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER),
                  2, buf, len);
}

static void
add_candidate (SsClient *client, const SsContact *contact)
{
  for (unsigned i = 0; i < client->candidates->len; i++) {
    if (ss_id_equal (&g_array_index (client->candidates, SsContact, i).id,
                     &contact->id)) {
      g_array_remove_index (client->candidates, i);
      break;
    }
  }
  if (client->candidates->len == SS_CLIENT_CANDIDATES_MAX)
    g_array_remove_index (client->candidates, 0);
  g_array_append_val (client->candidates, *contact);
}

/* The one farthest on the ring from those attached, of the newest named: it
 * shortens most ways. Those who were named come before the first contacts. */
static bool
take_candidate (SsClient *client, SsContact *ret_contact)
{
  SsPastry *pastry = client->pastry;
  unsigned place = client->candidates->len;
  unsigned best_shared = 0;
  for (unsigned i = client->candidates->len; i > 0; i--) {
    const SsContact *contact =
        &g_array_index (client->candidates, SsContact, i - 1);
    if (find (pastry, &contact->id) != NULL
        || ss_pastry_is_suspected (pastry, &contact->id))
      continue;
    unsigned shared = 0;
    for (unsigned k = 0; k < client->n; k++)
      shared += ss_id_digit (&client->attachments[k].contact.id, 0)
                == ss_id_digit (&contact->id, 0);
    if (place == client->candidates->len || shared < best_shared) {
      place = i - 1;
      best_shared = shared;
    }
  }
  if (place < client->candidates->len) {
    *ret_contact = g_array_index (client->candidates, SsContact, place);
    g_array_remove_index (client->candidates, place);
    return true;
  }
  for (unsigned i = 0; i < pastry->n_contacts; i++) {
    const SsContact *contact = &pastry->contacts[i];
    if (find (pastry, &contact->id) == NULL
        && !ss_pastry_is_suspected (pastry, &contact->id)) {
      *ret_contact = *contact;
      return true;
    }
  }
  return false;
}

static void
keep_in_touch (SsClient *client)
{
  SsPastry *pastry = client->pastry;
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned i = 0; i < client->n; i++) {
    SsAttachment *attachment = &client->attachments[i];
    SsTime sent = ss_link_last_sent (pastry->link, &attachment->contact.id);
    if (attachment->is_attached
        && (now - sent >= SS_CLIENT_KEEPALIVE - SS_CLIENT_TICK
            || now - attachment->asked >= 2 * SS_CLIENT_KEEPALIVE))
      send_attach (client, attachment);
  }
}

/* Whose address is given as the own. It stays while it serves. */
static void
choose_relay (SsClient *client)
{
  SsPastry *pastry = client->pastry;
  const SsAttachment *best = NULL;
  for (unsigned i = 0; i < client->n; i++) {
    const SsAttachment *attachment = &client->attachments[i];
    if (!is_good (pastry, attachment))
      continue;
    if (client->has_relay
        && ss_id_equal (&attachment->contact.id, &client->relay))
      return;
    if (best == NULL)
      best = attachment;
  }
  if (best == NULL)
    return;
  if (!client->has_relay)
    client->relay_since = ss_pastry_env (pastry)->now;
  client->relay = best->contact.id;
  client->has_relay = true;
  ss_link_set_relay (pastry->link, &best->contact.addr);
}

/* Whoever took it for a leaf is told; all who are known may be attachments. */
static void
leave_ring (SsPastry *pastry, SsClient *client)
{
  for (unsigned i = 0; i < pastry->n_contacts; i++)
    add_candidate (client, &pastry->contacts[i]);
  unsigned n_table = ss_table_n_entries (&pastry->table);
  for (unsigned i = 0; i < n_table; i++) {
    SsContact contact = ss_table_nth (&pastry->table, i);
    if (!ss_contact_is_client (&contact))
      add_candidate (client, &contact);
  }
  for (unsigned i = 0; i < pastry->leafset.n; i++) {
    SsContact leaf = pastry->leafset.leaves[i];
    add_candidate (client, &leaf);
    send_leave (pastry, &leaf, SS_LEAVE_RING);
  }
  while (ss_pastry_n_asks (pastry) > 0)
    ss_pastry_drop_ask (pastry, &g_array_index (pastry->asks, SsAsk, 0));
  ss_leafset_remove_all (&pastry->leafset);
  ss_table_clear (&pastry->table);
  ss_table_init (&pastry->table, &pastry->leafset.self);
}
