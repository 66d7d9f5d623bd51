/* Entering a ring (Pastry, section 2.4; MSPastry, section 3.1). The joiner
 * has an ENTER routed to its own id through any contact. Each node of the way
 * sends it the rows of its routing table that fit, the last one, who is the
 * closest, its leaf set. The joiner asks all who might be its leaves; when
 * all have answered, and both sides are full or the ring is known whole, it
 * is active. Until then it delivers nothing.
 *
 * Merging is the same: an ENTER sent into the other ring tells an active node
 * who its leaves are there, and asking them brings the news to both rings. */
#include "overlay/pastry/internal.h"

#include <string.h>

#define ROW_LEAVES 8
#define ROW_FEW    4
/* Before others are joined through than those that were given. */
#define JOIN_OWN_TRIES 4

static void remember_contact (SsPastry *pastry, const SsContact *contact);
static SsContact next_contact (SsPastry *pastry);
static void start_joining (SsPastry *pastry);
static void activate (SsPastry *pastry);
static void ask_on_way (SsPastry *pastry);
static void send_row (SsPastry *pastry, const SsContact *to, unsigned row,
                      bool asked);

void
ss_pastry_join (SsPastry *pastry, const SsContact *contacts,
                unsigned n_contacts)
{
  bool any = false;
  for (unsigned i = 0; i < n_contacts; i++) {
    if (ss_pastry_is_self (pastry, &contacts[i].id))
      continue;
    remember_contact (pastry, &contacts[i]);
    any = true;
    if (pastry->state == SS_PASTRY_ACTIVE
        && ss_leafset_find (&pastry->leafset, &contacts[i].id) == NULL)
      ss_pastry_route_enter (pastry, &contacts[i], false);
  }
  if (any && pastry->state != SS_PASTRY_ACTIVE
      && pastry->state != SS_PASTRY_JOINING
      && pastry->state != SS_PASTRY_CLIENT)
    start_joining (pastry);
}

void
ss_pastry_create_ring (SsPastry *pastry)
{
  if (pastry->state == SS_PASTRY_ACTIVE)
    return;
  ss_leafset_remove_all (&pastry->leafset);
  ss_leafset_set_whole (&pastry->leafset, true);
  activate (pastry);
}

void
ss_pastry_join_timer (SsPastry *pastry)
{
  if (pastry->state != SS_PASTRY_JOINING || pastry->n_contacts == 0)
    return;
  if (pastry->near != NULL) {
    ss_near_timer (pastry);
    return;
  }
  SsContact contact = next_contact (pastry);
  /* Once: a second try has to be quick. */
  if (pastry->join_tries == 0)
    ss_near_begin (pastry, &contact);
  else
    ss_pastry_join_through (pastry, &contact);
}

void
ss_pastry_join_through (SsPastry *pastry, const SsContact *contact)
{
  SsEnv *env = ss_pastry_env (pastry);
  /* Whoever would answer may have tried in vain to get through. Not sooner: the
   * way may be long, and the answer only late. */
  if (pastry->join_tries++ > 1)
    ss_link_call_on (pastry->link);
  SsTime wait = SS_PASTRY_JOIN_WAIT * MIN (pastry->join_tries, 5);
  ss_timers_arm (&env->timers, &pastry->join_timer,
                 env->now + MIN (wait, SS_PASTRY_JOIN_MAX));
  if (pastry->join_tries > 1)
    ask_on_way (pastry);
  ss_pastry_route_enter (pastry, contact, true);
}

/* An ENTER goes its way, and its answer does not come: what the last node of
 * that sends to an address that nobody has confirmed to it was lost, and it may
 * not send more for a minute. So the joiner goes there itself, a step each try:
 * the closest that it knows gets to know it, and names closer ones. */
static void
ask_on_way (SsPastry *pastry)
{
  const SsId *self = &ss_pastry_self (pastry)->id;
  SsContact closest;
  bool any = false;
  for (unsigned i = 0; i < ss_table_n_entries (&pastry->table); i++) {
    SsContact contact = ss_table_nth (&pastry->table, i);
    if (ss_pastry_is_dead (pastry, &contact.id)
        || (any && !ss_id_closer (self, &contact.id, &closest.id)))
      continue;
    closest = contact;
    any = true;
  }
  if (any)
    ss_pastry_request_row (pastry, &closest,
                           ss_id_shared_digits (self, &closest.id), true);
}

void
ss_pastry_enter (SsPastry *pastry, const SsContact *source,
                 const SsContact *previous, const SsMsgEnter *message,
                 bool root)
{
  const SsId *self = &ss_pastry_self (pastry)->id;
  if ((message->flags & SS_ENTER_ROWS) != 0 && previous != NULL) {
    /* Those before have sent the rows that they share with it. */
    unsigned row = 0, last = ss_id_shared_digits (self, &source->id);
    if (!ss_id_equal (&previous->id, &source->id))
      row = ss_id_shared_digits (&previous->id, &source->id) + 1;
    for (; row <= last && row < SS_ID_DIGITS; row++)
      send_row (pastry, source, row, false);
  }
  if (!root)
    return;
  ss_pastry_tell_leaves (pastry, source, message->nonce, SS_LEAF_SET_ENTER,
                         NULL, 0);
  /* Who joined when it was heard last may answer the next one better. */
  ss_pastry_ask_newcomer (pastry, &source->id);
}

void
ss_pastry_enter_failed (SsPastry *pastry, const SsContact *contact)
{
  if (pastry->state != SS_PASTRY_JOINING || ss_pastry_n_asks (pastry) > 0)
    return;
  SsEnv *env = ss_pastry_env (pastry);
  SsTime pause = pastry->join_tries < SS_PASTRY_JOIN_HASTY
                     ? SS_PASTRY_JOIN_MIN
                     : SS_PASTRY_JOIN_WAIT;
  ss_timers_arm_earliest (&env->timers, &pastry->join_timer, env->now + pause);
}

void
ss_pastry_row (SsPastry *pastry, const SsContact *from, const SsMsgRow *message)
{
  SsContact contacts[G_N_ELEMENTS (message->peers)];
  for (unsigned i = 0; i < message->n_peers; i++) {
    contacts[i] = ss_contact_from_record (&message->peers[i]);
    ss_pastry_meet (pastry, &contacts[i], false);
  }
  ss_near_row (pastry, from, contacts, message);
  ss_search_row (pastry, from, contacts, message);
  ss_pastry_part (pastry, &from->id);
}

/* To a joiner an empty row is no news; who asked wants an answer. */
static void
send_row (SsPastry *pastry, const SsContact *to, unsigned row, bool asked)
{
  SsMsgRow message = { .row = (uint8_t) row };
  SsContact entries[SS_LEAFSET_MAX];
  unsigned n = row == SS_ROW_LEAVES
                   ? ss_pastry_leaf_set (pastry, entries, SS_LEAFSET_MAX)
                   : ss_table_row (&pastry->table, row, entries);
  /* Of many leaves as many as fit, spread over both sides. */
  unsigned stride = n / ROW_LEAVES + 1;
  for (unsigned i = 0; i < n; i += row == SS_ROW_LEAVES ? stride : 1) {
    const SsContact *contact = &entries[i];
    if (ss_id_equal (&contact->id, &to->id)
        || ss_pastry_is_suspected (pastry, &contact->id))
      continue;
    SsTime rtt = ss_table_rtt (&pastry->table, &contact->id);
    message.rtts[message.n_rtts++] = ss_table_rtt_to_units (rtt);
    message.peers[message.n_peers++] = ss_pastry_record (contact);
  }
  if (message.n_peers == 0 && !asked)
    return;
  uint8_t buf[SS_MSG_ROW_MAX];
  size_t len = ss_msg_row_encode (&message, buf, sizeof buf);
  uint64_t token = asked ? 0 : ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER);
  ss_pastry_send (pastry, to, token, 0, buf, len);
}

void
ss_pastry_row_requested (SsPastry *pastry, const SsContact *from,
                         const SsMsgRowRequest *message)
{
  unsigned row = message->row;
  if ((message->flags & SS_ROW_REQUEST_JOINING) == 0)
    ss_pastry_meet (pastry, from, true);
  if (row == SS_ROW_LOWEST) {
    row = MAX (ss_table_n_rows (&pastry->table), 1) - 1;
    while (row > 0 && ss_table_row_count (&pastry->table, row) < ROW_FEW)
      row--;
  }
  send_row (pastry, from, row, true);
  if ((message->flags & SS_ROW_REQUEST_JOINING) == 0)
    ss_pastry_part (pastry, &from->id);
}

void
ss_pastry_request_row (SsPastry *pastry, const SsContact *to, unsigned row,
                       bool reliable)
{
  uint8_t buf[SS_MSG_ROW_REQUEST_MAX];
  SsMsgRowRequest message = { .row = (uint8_t) row };
  if (pastry->state != SS_PASTRY_ACTIVE)
    message.flags |= SS_ROW_REQUEST_JOINING;
  size_t len = ss_msg_row_request_encode (&message, buf, sizeof buf);
  uint64_t token =
      reliable ? ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER) : 0;
  ss_pastry_send (pastry, to, token, 0, buf, len);
}

void
ss_pastry_settle (SsPastry *pastry)
{
  if (ss_pastry_n_asks (pastry) > 0 || ss_pastry_ask_refused (pastry))
    return;
  /* A simulation has many nodes, few of which ask at any time. */
  g_clear_pointer (&pastry->asks, g_array_unref);
  SsEnv *env = ss_pastry_env (pastry);
  bool complete = ss_leafset_is_complete (&pastry->leafset);
  if (pastry->state == SS_PASTRY_JOINING) {
    if (complete && pastry->leafset.n > 0) {
      activate (pastry);
    } else if (pastry->leafset.n > 0) {
      ss_pastry_repair_soon (pastry, pastry->repair_tries == 0);
    } else if (pastry->join_tries > 0) {
      /* Others have entered between the one who answered and us. */
      SsTime pause = pastry->join_tries <= SS_PASTRY_JOIN_HASTY
                         ? SS_PASTRY_JOIN_MIN / 4 * pastry->join_tries
                         : SS_PASTRY_JOIN_WAIT;
      ss_timers_arm_earliest (&env->timers, &pastry->join_timer,
                              env->now + pause);
    }
  } else if (pastry->state == SS_PASTRY_ACTIVE) {
    if (pastry->reconfirming) {
      pastry->reconfirming = false;
      ss_info (env, "leaf set confirmed again");
      ss_pastry_release (pastry);
    }
    if (!complete)
      ss_pastry_repair_soon (pastry, pastry->repair_tries == 0);
  }
}

/* The oldest is forgotten when there are too many. */
static void
remember_contact (SsPastry *pastry, const SsContact *contact)
{
  unsigned place = 0;
  while (place < pastry->n_contacts
         && !ss_contact_equal (&pastry->contacts[place], contact))
    place++;
  if (place == SS_PASTRY_CONTACTS_MAX) {
    memmove (&pastry->contacts[0], &pastry->contacts[1],
             (SS_PASTRY_CONTACTS_MAX - 1) * sizeof pastry->contacts[0]);
    place--;
  } else if (place == pastry->n_contacts) {
    pastry->n_contacts++;
    pastry->contacts =
        g_renew (SsContact, pastry->contacts, pastry->n_contacts);
  }
  pastry->contacts[place] = *contact;
}

/* In turn those that it was given; when that has been in vain also whom these
 * named, for they may have gone since. */
static SsContact
next_contact (SsPastry *pastry)
{
  unsigned n = pastry->n_contacts;
  if (pastry->join_tries >= JOIN_OWN_TRIES)
    n += ss_table_n_entries (&pastry->table);
  unsigned place = pastry->next_contact++ % n;
  return place < pastry->n_contacts
             ? pastry->contacts[place]
             : ss_table_nth (&pastry->table, place - pastry->n_contacts);
}

static void
start_joining (SsPastry *pastry)
{
  ss_leafset_remove_all (&pastry->leafset);
  pastry->join_tries = 0;
  pastry->repair_tries = 0;
  ss_pastry_set_state (pastry, SS_PASTRY_JOINING);
  ss_pastry_join_timer (pastry);
}

static void
activate (SsPastry *pastry)
{
  pastry->reconfirming = false;
  pastry->repair_tries = 0;
  ss_pastry_set_state (pastry, SS_PASTRY_ACTIVE);
  ss_timers_disarm (&ss_pastry_env (pastry)->timers, &pastry->join_timer);
  ss_pastry_release (pastry);
}
