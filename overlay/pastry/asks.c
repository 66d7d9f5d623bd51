/* Who is being asked for its leaf set, and who waits to be: one probe for each,
 * tried again until it is answered; see exchange.c for what comes back. */
#include "overlay/pastry/internal.h"

static bool send_ask (SsPastry *pastry, SsAsk *ask);

void
ss_pastry_ask (SsPastry *pastry, const SsContact *peer, unsigned reach,
               unsigned flags)
{
  if (ss_pastry_is_self (pastry, &peer->id) || ss_contact_is_client (peer)
      || ss_pastry_is_dead (pastry, &peer->id)
      || ss_reach_hold (pastry, peer, reach, flags))
    return;
  SsAsk *ask = ss_pastry_find_ask (pastry, &peer->id);
  if (ask != NULL) {
    ask->reach |= (uint8_t) reach;
    return;
  }
  if (pastry->asks == NULL)
    pastry->asks = g_array_new (FALSE, FALSE, sizeof (SsAsk));
  if (pastry->asks->len == SS_PASTRY_ASKS_MAX)
    return;
  /* First noted, then sent: the probe names all that are asked, those of the
   * same moment included. */
  SsAsk fresh = {
    .contact = *peer,
    .nonce = ss_rng_u32 (&ss_pastry_env (pastry)->rng) | 1,
    .deadline = ss_pastry_env (pastry)->now,
    .reach = (uint8_t) reach,
    .flags = (uint8_t) flags,
  };
  g_array_append_val (pastry->asks, fresh);
  ss_pastry_arm_work (pastry);
}

unsigned
ss_pastry_n_asks (const SsPastry *pastry)
{
  return pastry->asks != NULL ? pastry->asks->len : 0;
}

bool
ss_pastry_ask_refused (SsPastry *pastry)
{
  bool any = false;
  for (unsigned i = 0; pastry->refused != NULL && i < pastry->refused->len;) {
    SsContact peer = g_array_index (pastry->refused, SsContact, i);
    if (!ss_leafset_would_accept (&pastry->leafset, &peer.id,
                                  SS_LEAFSET_REACH_NONE)) {
      i++;
      continue;
    }
    g_array_remove_index (pastry->refused, i);
    ss_pastry_ask (pastry, &peer, SS_LEAFSET_REACH_NONE, 0);
    any |= ss_pastry_find_ask (pastry, &peer.id) != NULL;
  }
  if (!any && pastry->refused != NULL
      && ss_leafset_is_complete (&pastry->leafset))
    g_clear_pointer (&pastry->refused, g_array_unref);
  return any;
}

void
ss_pastry_forget_ask (SsPastry *pastry, const SsId *id)
{
  SsAsk *ask = ss_pastry_find_ask (pastry, id);
  if (ask != NULL)
    ss_pastry_drop_ask (pastry, ask);
}

/* The answer comes with the acknowledgement, or just after: not itself
 * acknowledged, it is asked for again if it does not. */
void
ss_pastry_ask_acked (SsPastry *pastry, const SsContact *peer, uint64_t token)
{
  SsAsk *ask = ss_pastry_find_ask (pastry, &peer->id);
  if (ask == NULL || ask->token != token)
    return;
  ask->deadline =
      ss_pastry_env (pastry)->now
      + MAX (ss_link_rto (pastry->link, &peer->id), SS_PASTRY_ASK_AGAIN);
  ss_pastry_arm_work (pastry);
}

void
ss_pastry_ask_late (SsPastry *pastry, const SsContact *peer)
{
  if (ss_pastry_find (pastry, &peer->id, NULL))
    ss_pastry_doubt (pastry, peer, SS_DOUBT_LATE);
}

/* A leaf's fate is decided by its probe; a mere candidate is forgotten. */
void
ss_pastry_ask_failed (SsPastry *pastry, const SsContact *peer, uint64_t token)
{
  SsAsk *ask = ss_pastry_find_ask (pastry, &peer->id);
  if (ask == NULL || ask->token != token)
    return;
  SsContact failed = ask->contact;
  /* A joiner may have it for a leaf, by a question of its own. */
  bool is_wanted =
      pastry->state == SS_PASTRY_JOINING
      || ss_leafset_would_accept (&pastry->leafset, &failed.id, ask->reach);
  ss_pastry_drop_ask (pastry, ask);
  if (is_wanted)
    ss_vouch_introduce (pastry, &failed);
  if (ss_leafset_find (&pastry->leafset, &failed.id) != NULL) {
    ss_pastry_doubt (pastry, &failed, SS_DOUBT_LATE);
  } else {
    ss_pastry_bury (pastry, &failed.id, SS_PASTRY_TOMBSTONE_MIN);
    ss_table_remove (&pastry->table, &failed.id);
  }
  ss_pastry_settle (pastry);
}

void
ss_pastry_ask_timeouts (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  bool dropped = false;
  for (unsigned i = 0; i < ss_pastry_n_asks (pastry);) {
    SsAsk *ask = &g_array_index (pastry->asks, SsAsk, i);
    if (ask->deadline > now) {
      i++;
    } else if (ask->tries < SS_PASTRY_ASK_TRIES && send_ask (pastry, ask)) {
      i++;
    } else {
      ss_pastry_drop_ask (pastry, ask);
      dropped = true;
    }
  }
  if (dropped)
    ss_pastry_settle (pastry);
}

SsTime
ss_pastry_ask_deadline (const SsPastry *pastry)
{
  SsTime deadline = SS_NEVER;
  for (unsigned i = 0; i < ss_pastry_n_asks (pastry); i++)
    deadline = MIN (deadline, g_array_index (pastry->asks, SsAsk, i).deadline);
  return deadline;
}

SsAsk *
ss_pastry_find_ask (const SsPastry *pastry, const SsId *id)
{
  for (unsigned i = 0; i < ss_pastry_n_asks (pastry); i++) {
    SsAsk *ask = &g_array_index (pastry->asks, SsAsk, i);
    if (ss_id_equal (&ask->contact.id, id))
      return ask;
  }
  return NULL;
}

void
ss_pastry_drop_ask (SsPastry *pastry, SsAsk *ask)
{
  if (ask->tries > 0)
    ss_link_cancel (pastry->link, &ask->contact.id, SS_PROTOCOL_OVERLAY,
                    ask->token);
  g_array_remove_index (
      pastry->asks, (unsigned) (ask - &g_array_index (pastry->asks, SsAsk, 0)));
}

bool
ss_pastry_has_candidates (const SsPastry *pastry, const SsContact *but)
{
  for (unsigned i = 0; i < ss_pastry_n_asks (pastry); i++) {
    const SsAsk *ask = &g_array_index (pastry->asks, SsAsk, i);
    if (ss_leafset_find (&pastry->leafset, &ask->contact.id) == NULL
        && (but == NULL || !ss_id_equal (&ask->contact.id, &but->id)))
      return true;
  }
  return false;
}

void
ss_pastry_note_refused (SsPastry *pastry, const SsContact *peer)
{
  if (ss_leafset_is_complete (&pastry->leafset) || ss_contact_is_client (peer))
    return;
  if (pastry->refused == NULL)
    pastry->refused = g_array_new (FALSE, FALSE, sizeof (SsContact));
  for (unsigned i = 0; i < pastry->refused->len; i++) {
    const SsContact *known = &g_array_index (pastry->refused, SsContact, i);
    if (ss_id_equal (&known->id, &peer->id))
      return;
  }
  if (pastry->refused->len == SS_PASTRY_REFUSED_MAX)
    g_array_remove_index (pastry->refused, 0);
  g_array_append_val (pastry->refused, *peer);
}

static bool
send_ask (SsPastry *pastry, SsAsk *ask)
{
  SsMsgLeafProbe message = { .nonce = ask->nonce };
  /* Why it was asked first is no longer so when it is asked again. */
  if (ask->tries == 0)
    message.flags = ask->flags;
  if (pastry->state == SS_PASTRY_JOINING)
    message.flags |= SS_LEAF_PROBE_JOINING;
  for (unsigned i = 0; i < pastry->leafset.n; i++)
    message.known[message.n_known++] =
        ss_pastry_prefix (&pastry->leafset.leaves[i].id);
  for (unsigned i = 0;
       i < pastry->asks->len && message.n_known < G_N_ELEMENTS (message.known);
       i++) {
    const SsId *id = &g_array_index (pastry->asks, SsAsk, i).contact.id;
    if (ss_leafset_find (&pastry->leafset, id) == NULL)
      message.known[message.n_known++] = ss_pastry_prefix (id);
  }

  uint8_t buf[SS_MSG_LEAF_PROBE_MAX];
  size_t len = ss_msg_leaf_probe_encode (&message, buf, sizeof buf);
  ask->tries++;
  ask->deadline = ss_pastry_env (pastry)->now + SS_PASTRY_ASK_TIMEOUT;
  ask->token = ss_pastry_token (pastry, SS_PASTRY_TOKEN_ASK);
  return ss_pastry_send (pastry, &ask->contact, ask->token,
                         SS_PASTRY_PROBE_TRIES, buf, len);
}
