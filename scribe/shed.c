/* Children that are handed on: for another one's sake (SplitStream, SOSP 2003,
 * section 3.3), by a source that has more than its deputy, by a node over its
 * bound (the bottleneck remover; Scribe, JSAC 2002) or with a single child, and
 * by one that goes. */
#include <string.h>

#include "scribe/parent.h"

/* May a child of `other` make room for one of `group`? Those of a stripe that
 * is foreign to this node may; and for a root's first child any that has
 * siblings to go to. */
static bool
may_shed (const SsGroup *group, const SsGroup *other)
{
  const SsId *self = ss_scribe_self (group->scribe);
  if (group == other || other->family != group->family)
    return false;
  if (!ss_group_is_top (other) && !ss_place_is_own (other, self))
    return true;
  return group->is_root && ss_group_n_children (group) == 0
         && ss_group_n_children (other) > 1;
}

bool
ss_shed_may_more (const SsFamily *family)
{
  return family->n_shed < MAX (family->config.children_max, SS_REDIRECT_MAX);
}

void
ss_shed_child (SsGroup *group, SsChild *child)
{
  SsContact candidates[SS_REDIRECT_MAX];
  SsContact leaver = child->contact;
  ss_group_child_shed (group, child);
  SsSeeker seeker = { .id = leaver.id };
  unsigned n = ss_place_choose (group, &seeker, candidates);
  if (n < SS_REDIRECT_MAX && group->has_parent)
    candidates[n++] = group->parent;
  ss_parent_redirect (group->scribe, &group->id, &leaver, 0, candidates, n);
  ss_group_arm (group);
}

/* Whom it is sent to may have changed its mind: then it goes to this node's
 * parent. */
void
ss_shed_to (SsGroup *group, SsChild *child, const SsContact *to)
{
  SsContact candidates[] = { *to, group->parent };
  SsContact leaver = child->contact;
  bool has_other = group->has_parent && !ss_contact_equal (&group->parent, to);
  ss_group_child_shed (group, child);
  ss_parent_redirect (group->scribe, &group->id, &leaver, 0, candidates,
                      has_other ? 2 : 1);
  ss_group_arm (group);
}

/* How good a reason it has to be a child: who does not serve its own children
 * is the first to go, then those whose own stripe it is not; of the others the
 * higher its standing the better, then the more it shares with the group's
 * id. */
static unsigned
claim_of (const SsGroup *group, const SsId *id)
{
  unsigned n_shared = ss_id_shared_digits (id, &group->id);
  if (ss_service_shirks (group->scribe, id))
    return 0;
  if (n_shared == 0)
    return 1;
  unsigned standing = ss_standing_at (group->scribe, id);
  return 2 + standing * SS_ID_DIGITS + n_shared;
}

/* Of a group's children the one with the least claim, if that is less than
 * this. */
static SsChild *
find_distant (SsGroup *group, unsigned claim)
{
  SsChild *victim = NULL;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    unsigned its = claim_of (group, &child->contact.id);
    if (child->shed_until || its >= claim)
      continue;
    victim = child;
    claim = its;
  }
  return victim;
}

bool
ss_shed_for (SsGroup *group, const SsId *joiner)
{
  SsScribe *scribe = group->scribe;
  const SsId *self = ss_scribe_self (scribe);
  if (group->family->config.is_source || !ss_shed_may_more (group->family)
      || (!ss_group_is_top (group) && !ss_place_is_own (group, self)))
    return false;
  SsGroup *from = NULL;
  SsChild *victim = NULL;
  unsigned claim = UINT_MAX;
  for (SsGroup *other = ss_group_after (scribe, NULL); other;
       other = ss_group_after (scribe, &other->id)) {
    SsChild *child =
        may_shed (group, other) ? find_distant (other, claim) : NULL;
    if (!child)
      continue;
    from = other;
    victim = child;
    claim = claim_of (other, &child->contact.id);
  }
  if (!victim) {
    from = group;
    victim = find_distant (group, claim_of (group, joiner));
  }
  if (victim)
    ss_shed_child (from, victim);
  return victim != NULL;
}

/* How little it is worth as a deputy: one that cannot take children is
 * nobody's, and one that does not serve is worse than none. */
static unsigned
deputy_rank (const SsGroup *group, const SsContact *child)
{
  return ss_service_shirks (group->scribe, &child->id) ? 2
         : ss_place_is_leaf (child)                    ? 1
                                                       : 0;
}

/* A source that took a second child, because that one, or the source itself,
 * thought the first dead, has both when the first proves alive; or the first
 * does not serve. The one it has had longest stays, of those that serve and can
 * take children; one that cannot has siblings until there is another. */
static const SsChild *
find_deputy (const SsGroup *group, unsigned *ret_n)
{
  const SsChild *deputy = NULL;
  unsigned rank = 0;
  *ret_n = 0;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (child->shed_until || !ss_scribe_usable (group->scribe, &child->contact))
      continue;
    ++*ret_n;
    unsigned its = deputy_rank (group, &child->contact);
    if (!deputy || its < rank
        || (its == rank && child->since < deputy->since)) {
      deputy = child;
      rank = its;
    }
  }
  if (deputy && ss_place_is_leaf (&deputy->contact))
    *ret_n = 1; /* and no surplus */
  return deputy;
}

static SsTime
surplus_deadline (const SsGroup *group)
{
  unsigned n;
  if (!group->family->config.is_source || ss_group_child_count (group) < 2)
    return SS_NEVER;
  const SsChild *deputy = find_deputy (group, &n);
  SsTime at = SS_NEVER;
  for (unsigned i = 0; n > 1 && i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (child != deputy && !child->shed_until
        && ss_scribe_usable (group->scribe, &child->contact))
      at = MIN (at, child->since + SS_SURPLUS_TIME);
  }
  return at;
}

static void
shed_surplus (SsGroup *group)
{
  unsigned n;
  const SsChild *deputy = find_deputy (group, &n);
  for (unsigned i = 0; n > 1 && i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    if (child == deputy || child->shed_until
        || child->since + SS_SURPLUS_TIME > group->scribe->env->now)
      continue;
    SsContact to = deputy->contact;
    ss_shed_to (group, child, &to);
  }
}

static SsTime
overload_deadline (const SsGroup *group)
{
  const SsFamily *family = group->family;
  if (family->config.is_source
      || family->n_children <= family->config.children_max
      || ss_group_n_children (group) == 0)
    return SS_NEVER;
  return family->over_since + SS_OVERLOAD_TIME;
}

/* Must it not have them, whatever becomes of them? The one child that has a
 * stripe from its root is never too many. */
static bool
is_too_many (const SsGroup *group)
{
  const SsFamily *family = group->family;
  bool is_top = ss_group_is_top (group);
  if (family->is_aside && !is_top)
    return true;
  return family->n_children > family->config.children_hard
         && !(is_top && ss_group_n_children (group) == 1);
}

/* A group's farthest child, if one of its siblings has room for it. */
static SsChild *
find_farthest (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsChild *farthest = NULL;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    if (!child->shed_until
        && (!farthest
            || ss_neighbour_compare_distance (scribe, &farthest->contact.id,
                                              &child->contact.id)
                   < 0))
      farthest = child;
  }
  if (!farthest || is_too_many (group))
    return farthest;
  SsSeeker seeker = { .id = farthest->contact.id };
  SsContact candidates[SS_REDIRECT_MAX];
  unsigned n = ss_place_choose (group, &seeker, candidates);
  return n > 0 && !ss_place_is_full (group, &candidates[0].id) ? farthest
                                                               : NULL;
}

/* The bottleneck remover (Scribe, JSAC 2002): who had to take more children
 * than its bound hands the farthest on to one of its siblings, one at a time
 * unless it must not have them; in stripes that are foreign to it, if it can be
 * done there. */
static void
remove_bottleneck (SsFamily *family)
{
  SsScribe *scribe = family->scribe;
  const SsId *self = ss_scribe_self (scribe);
  SsGroup *from = NULL;
  SsChild *victim = NULL;
  bool is_from_own = true;
  for (SsGroup *group = ss_group_after (scribe, NULL);
       group && ss_shed_may_more (family);
       group = ss_group_after (scribe, &group->id)) {
    bool is_own = ss_place_is_own (group, self);
    SsChild *child = group->family == family && (!victim || !is_own)
                         ? find_farthest (group)
                         : NULL;
    if (!child
        || (victim && is_own == is_from_own
            && ss_neighbour_compare_distance (scribe, &child->contact.id,
                                              &victim->contact.id)
                   <= 0))
      continue;
    from = group;
    victim = child;
    is_from_own = is_own;
  }
  if (victim)
    ss_shed_child (from, victim);
  /* Who must not carry them gets rid of all that are too many, at once. */
  if (!victim || family->n_children <= family->config.children_hard)
    family->over_since = scribe->env->now;
}

/* A mere forwarder's only child; but in a stripe only if neither the forwarder
 * nor the way past it is of use: the child is a mere forwarder, too, or there
 * is only the root above. */
static SsChild *
lone_child (const SsGroup *group)
{
  if (group->is_open || group->is_root || !group->has_parent || group->join
      || group->scribe->is_leaving || ss_group_child_count (group) != 1)
    return NULL;
  SsChild *child = ss_group_child_at (group, 0);
  bool is_kept =
      !ss_place_is_free (group) && child->is_member && group->n_path > 2;
  return child->shed_until || is_kept ? NULL : child;
}

static SsTime
lone_deadline (const SsGroup *group)
{
  const SsChild *child = lone_child (group);
  return child ? child->since + SS_LONE_TIME : SS_NEVER;
}

/* To this node's parent. Searches that meet this node where it used to be in
 * the tree still find the member. */
static void
hand_on (SsGroup *group, SsChild *child)
{
  const SsContact *member = child->is_member ? &child->contact : child->below;
  bool is_free = ss_place_is_free (group);
  group->is_spent = is_free && !ss_group_is_ordered (group);
  if (is_free && member) {
    ss_trace_put (group->scribe, &group->id, member);
    ss_trace_tell (group->scribe, &group->id, member);
  }
  ss_shed_child (group, child);
}

/* Small groups' economy (Scribe, JSAC 2002): forwarders that have one child
 * hand it to their own parent, and go when it has gone, or, if they may hold
 * logs, when they have been idle. */
static void
leave_chain (SsGroup *group)
{
  SsChild *child = lone_child (group);
  if (ss_place_is_full (group, &group->parent.id)
      || !ss_shed_may_more (group->family)
      || !ss_scribe_usable (group->scribe, &group->parent))
    child->since = group->scribe->env->now; /* later */
  else
    hand_on (group, child);
}

bool
ss_group_advise (SsGroup *group, const SsContact *better)
{
  SsScribe *scribe = group->scribe;
  if (ss_service_shirks (scribe, &better->id))
    return false;
  ss_scribe_enter (scribe);
  SsMsgScribeAdvice advice = { .n_better = 0 };
  memcpy (advice.tag, group->id.b, SS_TAG_LEN);
  advice.n_better = ss_peers_put (advice.better, 0, 1, better);
  uint8_t data[SS_MSG_SCRIBE_ADVICE_MAX];
  size_t len = ss_msg_scribe_advice_encode (&advice, data, sizeof data);
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    if (!child->shed_until && !ss_contact_equal (&child->contact, better))
      ss_scribe_send (scribe, &child->contact, data, len);
  }
  ss_scribe_exit (scribe);
  return true;
}

SsTime
ss_shed_deadline (const SsGroup *group)
{
  SsTime at = surplus_deadline (group);
  at = MIN (at, overload_deadline (group));
  return MIN (at, lone_deadline (group));
}

void
ss_shed_due (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  if (group->family->config.is_source)
    shed_surplus (group);
  if (now >= lone_deadline (group))
    leave_chain (group);
  while (now >= overload_deadline (group))
    remove_bottleneck (group->family);
}

void
ss_shed_all (SsGroup *group, const SsContact *successor)
{
  SsScribe *scribe = group->scribe;
  if (group->is_root && successor) {
    SsMsgScribeHandover handover = { .group = group->id };
    handover.flags = ss_group_is_ordered (group) ? SS_JOIN_ORDERED : 0;
    if (group->family->has_source)
      handover.n_source =
          ss_peers_put (handover.source, 0, 1, &group->family->source);
    ss_group_info (group, &handover.info);
    uint8_t data[SS_MSG_SCRIBE_HANDOVER_MAX];
    size_t len = ss_msg_scribe_handover_encode (&handover, data, sizeof data);
    ss_scribe_send (scribe, successor, data, len);
    group->root = *successor;
    group->has_root = true;
    if (group->family->has_source)
      ss_publish_send_not_root (group, &group->family->source, successor);
  }
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    if (child->shed_until)
      continue;
    ss_group_child_shed (group, child);
    SsContact to = child->contact;
    if (successor && ss_contact_equal (&to, successor))
      continue; /* becomes the root */
    ss_parent_redirect (scribe, &group->id, &to, 0, successor,
                        successor ? 1 : 0);
  }
}
