/* Leaf sets asked and told (MSPastry, section 3.1: LS-PROBE and its reply).
 * Whoever might be a leaf is asked; he notes the asker and answers with his
 * own leaf set, from which more are asked. A node enters the leaf set only by
 * a message of its own: gossip never adds anybody.
 *
 * Departures: the probe does not carry the prober's set but names it by short
 * prefixes, so that answers hold only news; and an answer says which arc of
 * the ring it knows, from which follows who may lengthen a short side. */
#include "overlay/pastry/internal.h"

static bool admit (SsPastry *pastry, const SsContact *peer, unsigned reach,
                   const SsLeafsetArc *arc);
static void offer (SsPastry *pastry, const SsContact *peer);
static void put_out (SsPastry *pastry, const SsContact *out,
                     const SsLeafsetArc *arc);
static void take_strangers (SsPastry *pastry, const SsContact *from,
                            const SsMsgLeafSet *message);
static bool is_next_towards (const SsPastry *pastry, const SsContact *peer,
                             const SsContact *leaf);
static void approach (SsPastry *pastry, const SsContact *from,
                      const SsMsgLeafSet *message);
static bool take_candidates (SsPastry *pastry, const SsMsgLeafSet *message,
                             const SsLeafsetArc *arc);
static void wait_for_other_side (SsPastry *pastry, const SsMsgLeafSet *message);
static unsigned reach_across (const SsPastry *pastry,
                              const SsMsgLeafSet *message,
                              const SsContact *from);
static unsigned reach_next (const SsPastry *pastry, const SsContact *from,
                            const SsMsgLeafProbe *message);
static bool knows_more (const SsPastry *pastry, const SsMsgLeafProbe *message);
static bool side_has_room (const SsPastry *pastry, unsigned reach);
static bool is_round (const SsPastry *pastry, const SsMsgLeafSet *message,
                      const SsContact *from);
static void answered (SsPastry *pastry, SsAsk *ask, const SsLeafsetArc *arc);

void
ss_pastry_leaf_probe (SsPastry *pastry, const SsContact *asker,
                      const SsMsgLeafProbe *message)
{
  /* A client asks nobody: one that was has been found reachable, and the
   * handshake that says so may have been lost. */
  SsContact contact = *asker;
  const SsContact *from = &contact;
  contact.flags |= SS_PEER_REACHABLE;
  ss_client_left (pastry, &from->id);
  bool joining = (message->flags & SS_LEAF_PROBE_JOINING) != 0;
  unsigned reach =
      joining ? SS_LEAFSET_REACH_NONE : reach_next (pastry, from, message);
  bool entered = admit (pastry, from, reach, NULL);
  ss_pastry_note_newcomer (pastry, &from->id, joining);
  if (!joining)
    offer (pastry, from);
  ss_pastry_tell_leaves (pastry, from, message->nonce, 0, message->known,
                         message->n_known);
  /* One who is new here and has a leaf set may know others who are. A joiner
   * who hears from another in vain looks into it before he is done. */
  bool mutual = (message->flags & SS_LEAF_PROBE_MUTUAL) != 0;
  bool returned = (message->flags & SS_LEAF_PROBE_RETURN) != 0;
  bool leaf = ss_leafset_find (&pastry->leafset, &from->id) != NULL;
  if (!leaf)
    ss_pastry_note_refused (pastry, from);
  if (mutual || (entered && !joining && knows_more (pastry, message))
      || (!leaf && !returned && pastry->state == SS_PASTRY_JOINING))
    ss_pastry_ask (pastry, from, SS_LEAFSET_REACH_NONE, SS_LEAF_PROBE_RETURN);
  if (entered)
    ss_pastry_settle (pastry);
}

void
ss_pastry_leaf_set_told (SsPastry *pastry, const SsContact *from,
                         const SsMsgLeafSet *message)
{
  bool enter = (message->flags & SS_LEAF_SET_ENTER) != 0;
  SsAsk *ask = ss_pastry_find_ask (pastry, &from->id);
  if (enter ? message->nonce != pastry->nonce
            : ask == NULL || ask->nonce != message->nonce)
    return;
  if (message->side >= SS_LEAFSET_N_SIDES) {
    ss_count (ss_pastry_env (pastry), MESSAGES_MALFORMED);
    return;
  }
  SsLeafsetArc arc = { .from = from->id, .to = from->id };
  if ((message->flags & SS_LEAF_SET_SOLID) != 0) {
    arc.from = message->left_end;
    arc.to = message->right_end;
    arc.circle = (message->flags & SS_LEAF_SET_WHOLE) != 0;
  }
  unsigned reach = ss_leafset_reach (&pastry->leafset, &arc, &from->id)
                   | reach_across (pastry, message, from);
  if (enter) {
    if (ss_leafset_find (&pastry->leafset, &from->id) == NULL
        && (pastry->state == SS_PASTRY_JOINING
            || ss_leafset_would_accept (&pastry->leafset, &from->id, reach)))
      ss_pastry_ask (pastry, from, reach, 0);
    take_candidates (pastry, message, &arc);
    wait_for_other_side (pastry, message);
    return;
  }
  bool active = (message->flags & SS_LEAF_SET_ACTIVE) != 0;
  arc.circle |= is_round (pastry, message, from);
  admit (pastry, from, reach | ask->reach, &arc);
  ss_pastry_note_newcomer (pastry, &from->id, !active);
  if (active)
    offer (pastry, from);
  bool news = take_candidates (pastry, message, &arc);
  take_strangers (pastry, from, message);
  approach (pastry, from, message);
  /* The list of those asked may have grown, and moved. */
  ask = ss_pastry_find_ask (pastry, &from->id);
  if (ask == NULL)
    return;
  ask->news |= news;
  ask->got |= (uint8_t) (1u << message->side);
  if (ask->got == (1u << SS_LEAFSET_LEFT | 1u << SS_LEAFSET_RIGHT))
    answered (pastry, ask, &arc);
}

void
ss_pastry_meet (SsPastry *pastry, const SsContact *peer, bool verified)
{
  if (ss_pastry_is_self (pastry, &peer->id) || ss_contact_is_client (peer)
      || ss_pastry_is_dead (pastry, &peer->id))
    return;
  /* Gossip fills gaps; it does not tell where somebody known is. */
  if (verified)
    offer (pastry, peer);
  else if (!ss_table_find (&pastry->table, &peer->id, NULL))
    ss_table_offer (&pastry->table, peer, SS_NEVER);
  if (pastry->state == SS_PASTRY_ACTIVE
      && ss_leafset_would_accept (&pastry->leafset, &peer->id,
                                  SS_LEAFSET_REACH_NONE))
    ss_pastry_ask (pastry, peer, SS_LEAFSET_REACH_NONE, 0);
}

/* Into the leaf set, if it belongs there: it has just been heard. arc, if not
 * NULL, is what is known of the ring around it. */
static bool
admit (SsPastry *pastry, const SsContact *peer, unsigned reach,
       const SsLeafsetArc *arc)
{
  bool evicted;
  SsContact out;
  if (ss_contact_is_client (peer))
    return false;
  bool was_whole = pastry->leafset.whole;
  bool entered =
      ss_leafset_insert (&pastry->leafset, peer, reach, &evicted, &out);
  if (was_whole && !pastry->leafset.whole)
    ss_debug (ss_pastry_env (pastry), "the ring outgrows the leaf set");
  if (!entered)
    return false;
  ss_count (ss_pastry_env (pastry), OVERLAY_LEAVES_JOINED);
  if (pastry->state == SS_PASTRY_ACTIVE)
    ss_pastry_log_leaf (pastry, &peer->id, "has joined");
  pastry->repair_tries = 0;
  ss_pastry_forget_lost (pastry, &peer->id);
  if (evicted) {
    put_out (pastry, &out, arc);
    ss_pastry_part (pastry, &out.id);
  }
  ss_pastry_update (pastry, peer, SS_KBR_JOINED, true);
  ss_pastry_release (pastry);
  return true;
}

/* Only active nodes are for the routing table: one that joins would hold
 * what is routed through it, perhaps the very ENTER that it waits for. */
static void
offer (SsPastry *pastry, const SsContact *peer)
{
  if (ss_contact_is_client (peer))
    return;
  ss_table_offer (&pastry->table, peer, ss_link_rtt (pastry->link, &peer->id));
  ss_table_heard (&pastry->table, &peer->id, ss_pastry_env (pastry)->now);
}

/* A full side has put one out; in a small ring he belongs to the other. If
 * that cannot be told yet, those who are being asked, and leave him out of
 * their answers because he was known, prove nothing. */
static void
put_out (SsPastry *pastry, const SsContact *out, const SsLeafsetArc *arc)
{
  if (ss_leafset_is_complete (&pastry->leafset))
    return;
  bool evicted;
  SsContact next;
  unsigned reach = SS_LEAFSET_REACH_NONE;
  if (arc != NULL)
    reach = ss_leafset_reach (&pastry->leafset, arc, &out->id);
  if (ss_leafset_insert (&pastry->leafset, out, reach, &evicted, &next))
    return;
  for (unsigned i = 0; i < ss_pastry_n_asks (pastry); i++)
    g_array_index (pastry->asks, SsAsk, i).news = true;
}

/* Whoever does not have a leaf that was heard just now may not know it yet, or
 * know that it has died. Of several it is the one silent for longest. */
static void
look_again (SsPastry *pastry, const SsContact *leaf, const SsContact *from,
            SsTime heard)
{
  if (heard + SS_PASTRY_STRANGE_TIME >= pastry->strange_at)
    return;
  pastry->strange = leaf->id;
  pastry->strange_to = from->id;
  pastry->strange_at = heard + SS_PASTRY_STRANGE_TIME;
}

void
ss_pastry_check_strange (SsPastry *pastry)
{
  const SsLeafset *leafset = &pastry->leafset;
  if (ss_pastry_env (pastry)->now <= pastry->strange_at)
    return;
  SsTime heard = pastry->strange_at - SS_PASTRY_STRANGE_TIME;
  pastry->strange_at = SS_NEVER;
  const SsContact *to = ss_leafset_find (leafset, &pastry->strange_to);
  if (to == NULL || ss_leafset_find (leafset, &pastry->strange) == NULL
      || ss_link_last_heard (pastry->link, &pastry->strange) > heard)
    return;
  SsContact contact = *to;
  ss_pastry_ask (pastry, &contact, SS_LEAFSET_REACH_NONE, 0);
}

/* A leaf that another does not have, and that is silent, may be dead. */
static void
take_strangers (SsPastry *pastry, const SsContact *from,
                const SsMsgLeafSet *message)
{
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned k = 0; k < message->n_strangers; k++) {
    for (unsigned i = 0; i < pastry->leafset.n; i++) {
      SsContact leaf = pastry->leafset.leaves[i];
      SsTime heard = ss_link_last_heard (pastry->link, &leaf.id);
      if (message->strangers[k] != ss_pastry_prefix (&leaf.id))
        continue;
      if (now - heard <= SS_PASTRY_STRANGE_TIME)
        look_again (pastry, &leaf, from, heard);
      else if (is_next_towards (pastry, from, &leaf))
        ss_pastry_doubt_missed (pastry, &leaf);
      else
        ss_pastry_doubt (pastry, &leaf, SS_DOUBT_TOLD);
    }
  }
}

/* Is peer this node's neighbour on the side on which leaf is farther out? */
static bool
is_next_towards (const SsPastry *pastry, const SsContact *peer,
                 const SsContact *leaf)
{
  const SsLeafset *leafset = &pastry->leafset;
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++) {
    unsigned n = ss_leafset_count (leafset, side);
    if (n == 0
        || !ss_id_equal (&ss_leafset_get (leafset, side, 0)->id, &peer->id))
      continue;
    for (unsigned i = 1; i < n; i++)
      if (ss_id_equal (&ss_leafset_get (leafset, side, i)->id, &leaf->id))
        return true;
  }
  return false;
}

/* A side that is empty is looked for from node to node: each tells of some
 * that are nearer, until one knows the part of the ring around this one. */
static void
approach (SsPastry *pastry, const SsContact *from, const SsMsgLeafSet *message)
{
  const SsLeafset *leafset = &pastry->leafset;
  for (unsigned side = 0; leafset->n > 0 && side < SS_LEAFSET_N_SIDES; side++) {
    if (leafset->whole || ss_leafset_count (leafset, side) > 0)
      continue;
    SsContact best = *from;
    for (unsigned i = 0; i < message->n_peers; i++) {
      SsContact contact = ss_contact_from_record (&message->peers[i]);
      if (!ss_pastry_is_self (pastry, &contact.id)
          && !ss_pastry_is_dead (pastry, &contact.id)
          && ss_leafset_is_nearer (leafset, side, &contact.id, &best.id))
        best = contact;
    }
    if (!ss_id_equal (&best.id, &from->id))
      ss_pastry_ask (pastry, &best, SS_LEAFSET_REACH_NONE, 0);
  }
}

/* True if somebody in it was not known: then what was told proves nothing
 * yet about the rest of the ring. */
static bool
take_candidates (SsPastry *pastry, const SsMsgLeafSet *message,
                 const SsLeafsetArc *arc)
{
  bool news = false;
  bool may_unwhole = (message->flags & SS_LEAF_SET_SOLID) != 0
                     && (message->flags & SS_LEAF_SET_WHOLE) == 0;

  for (unsigned i = 0; i < message->n_peers; i++) {
    SsContact contact = ss_contact_from_record (&message->peers[i]);
    if (ss_pastry_is_self (pastry, &contact.id)
        || ss_pastry_is_dead (pastry, &contact.id)
        || ss_leafset_find (&pastry->leafset, &contact.id) != NULL)
      continue;
    news = true;
    if (may_unwhole)
      ss_leafset_set_whole (&pastry->leafset, false);
    unsigned reach = ss_leafset_reach (&pastry->leafset, arc, &contact.id);
    bool inside = ss_leafset_would_accept (&pastry->leafset, &contact.id,
                                           SS_LEAFSET_REACH_NONE);
    if (inside
        || (ss_leafset_would_accept (&pastry->leafset, &contact.id, reach)
            && side_has_room (pastry, reach)))
      ss_pastry_ask (pastry, &contact, reach, 0);
  }
  return news;
}

/* Of who answers an ENTER one side comes before the other. Those asked when
 * all are known need tell nothing but what is new; it is worth a round trip,
 * but not more. */
static void
wait_for_other_side (SsPastry *pastry, const SsMsgLeafSet *message)
{
  SsTime now = ss_pastry_env (pastry)->now;
  pastry->entered |= (uint8_t) (1u << message->side);
  bool is_all =
      pastry->entered == (1u << SS_LEAFSET_LEFT | 1u << SS_LEAFSET_RIGHT);
  if (is_all)
    pastry->entered = 0;
  for (unsigned i = 0; i < ss_pastry_n_asks (pastry); i++) {
    SsAsk *ask = &g_array_index (pastry->asks, SsAsk, i);
    if (ask->tries == 0)
      ask->deadline = is_all ? now : now + SS_PASTRY_ENTER_WAIT;
  }
  ss_pastry_arm_work (pastry);
}

/* Two that join side by side may each know the ring up to itself, and nobody
 * who knows both: if neither has anyone on the side of the other, they are
 * neighbours as far as can be told. */
static unsigned
reach_across (const SsPastry *pastry, const SsMsgLeafSet *message,
              const SsContact *from)
{
  const SsLeafset *leafset = &pastry->leafset;
  unsigned reach = SS_LEAFSET_REACH_NONE;
  if ((message->flags & SS_LEAF_SET_SOLID) == 0
      || (message->flags & SS_LEAF_SET_WHOLE) != 0 || leafset->n == 0)
    return reach;
  if (ss_leafset_count (leafset, SS_LEAFSET_LEFT) == 0
      && ss_id_equal (&message->right_end, &from->id))
    reach |= SS_LEAFSET_REACH_LEFT;
  if (ss_leafset_count (leafset, SS_LEAFSET_RIGHT) == 0
      && ss_id_equal (&message->left_end, &from->id))
    reach |= SS_LEAFSET_REACH_RIGHT;
  return reach;
}

/* Of a ring that has shrunk nobody may know that there is nobody between its
 * ends, for who was there has died. When a side that is empty has been sought
 * for long, and the end of the other lacks the other side as well, these two
 * are neighbours: the leaf set is the ring. Should it not be, whoever is heard
 * of later opens it again. */
static bool
is_round (const SsPastry *pastry, const SsMsgLeafSet *message,
          const SsContact *from)
{
  const SsLeafset *leafset = &pastry->leafset;
  if (leafset->whole || pastry->state != SS_PASTRY_ACTIVE
      || pastry->repair_tries < SS_PASTRY_FORCE_TRIES
      || (message->flags & SS_LEAF_SET_ACTIVE) == 0)
    return false;
  unsigned reach = reach_across (pastry, message, from);
  SsId left = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT);
  SsId right = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT);
  return ((reach & SS_LEAFSET_REACH_RIGHT) && ss_id_equal (&left, &from->id))
         || ((reach & SS_LEAFSET_REACH_LEFT)
             && ss_id_equal (&right, &from->id));
}

/* One who has joined and wants this node for a leaf, and knows the end of a
 * side that lacks one and nobody between: then it is the next. */
static unsigned
reach_next (const SsPastry *pastry, const SsContact *from,
            const SsMsgLeafProbe *message)
{
  const SsLeafset *leafset = &pastry->leafset;
  unsigned reach = SS_LEAFSET_REACH_NONE;
  uint64_t it = ss_pastry_prefix (&from->id);
  for (unsigned side = 0; !leafset->whole && side < SS_LEAFSET_N_SIDES;
       side++) {
    unsigned n = ss_leafset_count (leafset, side);
    if (n == 0 || n == leafset->half)
      continue;
    SsId end_id = ss_leafset_end_id (leafset, side);
    uint64_t end = ss_pastry_prefix (&end_id);
    uint64_t gap = side == SS_LEAFSET_RIGHT ? it - end : end - it;
    bool has_end = false, is_next = true;
    for (unsigned i = 0; i < message->n_known; i++) {
      uint64_t known = message->known[i];
      uint64_t from_end = side == SS_LEAFSET_RIGHT ? known - end : end - known;
      has_end |= from_end == 0;
      is_next &= from_end == 0 || from_end >= gap;
    }
    if (has_end && is_next)
      reach |= 1u << side;
  }
  return reach;
}

/* Of who is new here: may it know leaves that this node lacks? */
static bool
knows_more (const SsPastry *pastry, const SsMsgLeafProbe *message)
{
  const SsLeafset *leafset = &pastry->leafset;
  if (!ss_leafset_is_complete (leafset))
    return true;
  uint64_t self = ss_pastry_prefix (&leafset->self);
  SsId left = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT);
  SsId right = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT);
  uint64_t most_left = self - ss_pastry_prefix (&left);
  uint64_t most_right = ss_pastry_prefix (&right) - self;
  for (unsigned k = 0; k < message->n_known; k++) {
    uint64_t known = message->known[k];
    bool within = leafset->whole || known - self <= most_right
                  || self - known <= most_left;
    bool is_leaf = known == self;
    for (unsigned i = 0; i < leafset->n && !is_leaf; i++)
      is_leaf = known == ss_pastry_prefix (&leafset->leaves[i].id);
    if (within && !is_leaf)
      return true;
  }
  return false;
}

/* Are fewer asked than the side lacks? */
static bool
side_has_room (const SsPastry *pastry, unsigned reach)
{
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++) {
    if ((reach & (1u << side)) == 0)
      continue;
    unsigned n = ss_leafset_count (&pastry->leafset, side);
    for (unsigned i = 0; i < ss_pastry_n_asks (pastry); i++) {
      const SsAsk *ask = &g_array_index (pastry->asks, SsAsk, i);
      if ((ask->reach & (1u << side)) != 0
          && ss_leafset_find (&pastry->leafset, &ask->contact.id) == NULL)
        n++;
    }
    /* One for the asked who turn out to lie on the other side. */
    if (n < pastry->leafset.half + 1u)
      return true;
  }
  return false;
}

static void
answered (SsPastry *pastry, SsAsk *ask, const SsLeafsetArc *arc)
{
  SsId id = ask->contact.id;
  bool news = ask->news;
  ss_pastry_drop_ask (pastry, ask);

  /* With nobody unknown in the part that lies beyond both ends, the leaf set
   * is the ring. */
  if (!pastry->leafset.whole && !news
      && !ss_pastry_has_candidates (pastry, NULL)
      && ss_leafset_find (&pastry->leafset, &id) != NULL
      && ss_leafset_is_closed_by (&pastry->leafset, arc))
    ss_leafset_set_whole (&pastry->leafset, true);
  ss_pastry_settle (pastry);
}
