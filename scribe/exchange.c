/* Two nodes exchange children: each sheds one, with the other's name, and takes
 * the other's in its place, so that neither is over its bound at any time.
 *
 * Children of two foreign stripes are exchanged by the application's terms
 * (splitstream/exchange.c). Of one stripe a parent and its child exchange by
 * themselves: the parent gives one that may forward nothing in it, the child
 * one of the stripe's own. So a stripe's own nodes rise above who has no
 * children there, whatever the order in which they came, and trees are
 * shallow.
 *
 *   giver --REDIRECT, may stay--> child --JOIN, stays--> taker
 *     ^                                                    |
 *     +------JOIN, shed------ another child <--REDIRECT----+
 *
 * Nobody may lose its place by it, where hardly one is free. So the taker takes
 * who is sent only for one that it gives; who is not taken stays where it is;
 * and until then, or until the other has come, its place is nobody else's. */
#include <string.h>

#include "scribe/parent.h"

/* Of those that may be sent there the one with the least room below it. */
static SsChild *
find_for (SsGroup *group, const SsContact *to, bool is_foreign)
{
  SsChild *victim = NULL;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    if (!child->shed_until && !ss_contact_equal (&child->contact, to)
        && !(is_foreign && ss_place_is_own (group, &child->contact.id))
        && (!victim || child->room < victim->room))
      victim = child;
  }
  return victim;
}

/* A place that is kept for who comes from the partner. */
static SsKept *
find_kept (SsFamily *family, uint32_t partner)
{
  SsTime now = family->scribe->env->now;
  for (unsigned i = 0; i < SS_KEPT_MAX; i++) {
    SsKept *kept = &family->kept[i];
    if (now < kept->until && kept->partner == partner)
      return kept;
  }
  return NULL;
}

/* NULL: so many are kept already. */
static SsKept *
find_unused (SsFamily *family)
{
  SsTime now = family->scribe->env->now;
  for (unsigned i = 0; i < SS_KEPT_MAX; i++)
    if (now >= family->kept[i].until)
      return &family->kept[i];
  return NULL;
}

/* False: it may not be sent now. */
static bool
send_there (SsGroup *group, SsChild *child, const SsContact *to)
{
  SsKept *kept = find_unused (group->family);
  if (!kept)
    return false;
  kept->partner = ss_prefix_of (&to->id);
  kept->until = group->scribe->env->now + SS_KEPT_TIME;
  ss_group_child_shed (group, child);
  child->sent_to = kept->partner;
  SsMsgScribeRedirect redirect = { .flags = SS_REDIRECT_MAY_STAY };
  memcpy (redirect.tag, group->id.b, SS_TAG_LEN);
  redirect.n_candidates = ss_peers_put (redirect.candidates, 0, 1, to);
  uint8_t data[SS_MSG_SCRIBE_REDIRECT_MAX];
  size_t len = ss_msg_scribe_redirect_encode (&redirect, data, sizeof data);
  ss_scribe_send (group->scribe, &child->contact, data, len);
  ss_group_arm (group);
  return true;
}

void
ss_group_give (SsGroup *group, const SsContact *to, unsigned n)
{
  if (ss_service_shirks (group->scribe, &to->id))
    return;
  ss_scribe_enter (group->scribe);
  for (; n > 0 && ss_shed_may_more (group->family); n--) {
    SsChild *child = find_for (group, to, false);
    if (!child || !send_there (group, child, to))
      break;
  }
  ss_scribe_exit (group->scribe);
}

static void
set_offer (SsOffer **offer, const SsOffer *terms)
{
  if (!*offer)
    *offer = g_new (SsOffer, 1);
  **offer = *terms;
}

bool
ss_group_offer (SsGroup *take, SsGroup *give, const SsContact *partner,
                unsigned n, SsTime until)
{
  g_assert (take->family == give->family);
  if (ss_service_shirks (take->scribe, &partner->id))
    return false;
  SsOffer terms = {
    .partner = *partner,
    .take = take->id,
    .give = give->id,
    .n = n,
    .until = until,
  };
  set_offer (&take->family->offer, &terms);
  return true;
}

/* A rise. */

static bool
may_rise (const SsGroup *group, const SsChild *child)
{
  const SsContact *contact = &child->contact;
  return !child->shed_until && ss_place_is_own (group, &contact->id)
         && !ss_place_is_leaf (contact)
         && ss_scribe_usable (group->scribe, contact)
         && !ss_service_shirks (group->scribe, &contact->id);
}

static unsigned
load_of (const SsGroup *group, const SsChild *child)
{
  const SsNeighbour *at = ss_neighbour_find (group->scribe, &child->contact.id);
  return at ? at->load : 0;
}

/* Of the stripe's own children the one that takes the most along; if any child
 * has stayed, as none would that is not served. */
static SsChild *
find_riser (const SsGroup *group, unsigned *ret_n)
{
  SsChild *riser = NULL;
  bool has_stayed = false;
  *ret_n = 0;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    has_stayed |= !child->shed_until
                  && group->scribe->env->now >= child->since + SS_RISE_STAYED;
    if (!may_rise (group, child))
      continue;
    ++*ret_n;
    if (!riser || load_of (group, child) > load_of (group, riser))
      riser = child;
  }
  return has_stayed ? riser : NULL;
}

/* Nor are children led on to one that some of them, or others, have left. */
static bool
may_raise_to (const SsGroup *group, const SsContact *parent)
{
  return ss_scribe_usable (group->scribe, parent)
         && !ss_service_shirks (group->scribe, &parent->id);
}

/* Has the parent sent packets lately? */
static bool
is_fed (const SsGroup *group)
{
  const SsNeighbour *parent =
      ss_neighbour_find (group->scribe, &group->parent.id);
  return ss_service_pays (group) && parent && parent->data >= 0
         && group->scribe->env->now < parent->data + SS_RISE_STAYED;
}

bool
ss_exchange_may_raise (const SsGroup *group)
{
  unsigned n;
  return group->has_parent
         && ss_place_is_own (group, ss_scribe_self (group->scribe))
         && (ss_place_is_own (group, &group->parent.id)
             || ss_join_is_top (group, &group->parent))
         && !(group->family->has_source
              && ss_contact_equal (&group->parent, &group->family->source))
         && is_fed (group) && may_raise_to (group, &group->parent)
         && find_riser (group, &n) != NULL;
}

void
ss_exchange_raise (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  unsigned n;
  find_riser (group, &n);
  SsOffer terms = {
    .partner = group->parent,
    .take = group->id,
    .give = group->id,
    .n = MIN (n, SS_RISE_MAX),
    .until = scribe->env->now + SS_RISE_TIME,
  };
  set_offer (&group->family->rise, &terms);
  SsMsgScribeRise message = { .n = (uint8_t) terms.n };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_RISE_MAX];
  size_t len = ss_msg_scribe_rise_encode (&message, data, sizeof data);
  ss_scribe_send (scribe, &group->parent, data, len);
}

/* From a child: nobody else gets any. */
void
ss_exchange_handle_rise (SsScribe *scribe, const SsContact *from,
                         const SsMsgScribeRise *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  const SsChild *child = group ? ss_group_child_find (group, &from->id) : NULL;
  SsNeighbour *neighbour = child ? ss_neighbour_get (scribe, from) : NULL;
  SsTime now = scribe->env->now;
  if (!child || !may_rise (group, child) || scribe->is_leaving
      || !ss_group_in_tree (group) || group->family->config.is_source
      || !group->family->config.is_by_turns
      || (neighbour->raised > 0 && now < neighbour->raised + SS_RISE_PAUSE))
    return;
  neighbour->raised = now;
  unsigned most = MIN (message->n, SS_RISE_MAX);
  for (unsigned i = 0; i < most && ss_shed_may_more (group->family); i++) {
    SsChild *leaf = find_for (group, from, true);
    if (!leaf || !send_there (group, leaf, from))
      return;
  }
}

/* Joins that an offer has brought. */

static bool
is_offered (SsOffer *offer, const SsGroup *group, const SsPendingJoin *join)
{
  return offer && offer->n > 0 && group->scribe->env->now < offer->until
         && ss_shed_may_more (group->family)
         && join->lost == ss_prefix_of (&offer->partner.id)
         && !ss_contact_equal (&join->joiner, &offer->partner)
         && ss_id_equal (&group->id, &offer->take);
}

/* For one of another stripe. */
static bool
gives_other (SsGroup *group, const SsPendingJoin *join)
{
  SsOffer *offer = group->family->offer;
  if (!is_offered (offer, group, join))
    return false;
  SsGroup *give = ss_scribe_find (group->scribe, &offer->give);
  SsChild *child = give && give->family == group->family
                       ? find_for (give, &offer->partner, false)
                       : NULL;
  if (!child)
    return false;
  offer->n--;
  ss_shed_to (give, child, &offer->partner);
  return true;
}

/* For one whose own stripe it is: that one goes to the parent. */
static bool
gives_riser (SsGroup *group, const SsPendingJoin *join)
{
  SsOffer *offer = group->family->rise;
  unsigned n;
  if (group->is_root || ss_place_is_own (group, &join->joiner.id)
      || !is_offered (offer, group, join)
      || !may_raise_to (group, &offer->partner))
    return false;
  SsChild *child = find_riser (group, &n);
  if (!child)
    return false;
  offer->n--;
  ss_shed_to (group, child, &offer->partner);
  /* There may be more. */
  group->n_better = 0;
  group->better_at =
      group->scribe->env->now + SS_RISE_PAUSE
      + (SsTime) ss_rng_below (&group->scribe->env->rng, SS_RISE_PAUSE);
  return true;
}

bool
ss_exchange_gives (SsGroup *group, const SsPendingJoin *join)
{
  return gives_riser (group, join) || gives_other (group, join);
}

/* What is kept. */

bool
ss_exchange_has_kept (SsGroup *group, const SsPendingJoin *join)
{
  const SsChild *child = ss_group_child_find (group, &join->joiner.id);
  uint32_t partner = child ? child->sent_to : 0; /* it comes back */
  if (partner == 0 && (join->flags & SS_JOIN_SHED))
    partner = join->lost;
  SsKept *kept = partner ? find_kept (group->family, partner) : NULL;
  if (!kept)
    return false;
  kept->until = 0;
  return true;
}

bool
ss_exchange_takes_back (SsGroup *group, SsChild *child)
{
  SsKept *kept =
      child->sent_to ? find_kept (group->family, child->sent_to) : NULL;
  if (!kept)
    return false;
  kept->until = 0;
  child->shed_until = 0;
  child->sent_to = 0;
  group->family->n_shed--;
  ss_family_count_child (group);
  return true;
}
