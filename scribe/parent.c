/* The parent's side of a tree: who is taken as a child, who is sent on, who
 * is shed (SplitStream, SOSP 2003, section 3.3).
 *
 * The bound is over all groups of a family, because the stripes of a small
 * ring cannot be interior-node-disjoint. A full node takes a child in its
 * own stripe, or as root, by shedding one of another stripe; otherwise it
 * names its least loaded children. A shed child is served until it says that
 * it has another parent. A source takes one child, its deputy, and only as
 * root. A node that others cannot reach unasked is a leaf everywhere: nobody
 * is sent to it, and it takes nobody. */
#include <string.h>

#include "scribe/state.h"

static uint16_t
load_of (const SsFamily *family)
{
  return (uint16_t) MIN (family->n_children, UINT16_MAX);
}

static uint16_t
load_max_of (const SsFamily *family)
{
  if (family->config.is_source)
    return 0;
  return (uint16_t) MIN (family->config.children_max, UINT16_MAX);
}

static uint16_t
put_root (const SsGroup *group, SsPeerRecord *ret_root)
{
  if (group->is_root || !group->has_root)
    return 0;
  return ss_peers_put (ret_root, 0, 1, &group->root);
}

static void
send_ack (SsGroup *group, const SsContact *joiner, uint32_t nonce)
{
  SsMsgScribeJoinAck ack = { .nonce = nonce };
  memcpy (ack.tag, group->id.b, SS_TAG_LEN);
  ack.load = load_of (group->family);
  ack.load_max = load_max_of (group->family);
  ack.newest = group->has_newest ? group->newest : 0;
  ack.n_path = group->n_path;
  memcpy (ack.path, group->path, group->n_path * sizeof *group->path);
  ack.n_root = put_root (group, ack.root);
  if (group->family->config.is_source)
    ack.n_source =
        ss_peers_put (ack.source, 0, 1, ss_kbr_self (group->scribe->kbr));
  else if (group->family->has_source)
    ack.n_source = ss_peers_put (ack.source, 0, 1, &group->family->source);
  uint8_t data[SS_MSG_SCRIBE_JOIN_ACK_MAX];
  size_t len = ss_msg_scribe_join_ack_encode (&ack, data, sizeof data);
  ss_scribe_send (group->scribe, joiner, data, len);
}

static void
send_redirect (SsScribe *scribe, const SsId *group_id, const SsContact *to,
               uint32_t nonce, const SsContact *candidates, unsigned n)
{
  SsMsgScribeRedirect redirect = { .nonce = nonce };
  memcpy (redirect.tag, group_id->b, SS_TAG_LEN);
  for (unsigned i = 0; i < n; i++)
    redirect.n_candidates =
        ss_peers_put (redirect.candidates, redirect.n_candidates,
                      SS_REDIRECT_MAX, &candidates[i]);
  uint8_t data[SS_MSG_SCRIBE_REDIRECT_MAX];
  size_t len = ss_msg_scribe_redirect_encode (&redirect, data, sizeof data);
  ss_scribe_send (scribe, to, data, len);
}

static bool
is_leaf_only (const SsContact *peer)
{
  return (peer->flags & SS_PEER_REACHABLE) == 0;
}

static bool
is_full (const SsScribe *scribe, const SsId *peer)
{
  const SsNeighbour *at = ss_neighbour_find (scribe, peer);
  return at && at->load_max > 0 && at->load >= at->load_max;
}

/* Is candidate a a better parent than b for a child of this group? Room
 * first; then whose own stripe it is, which keeps the trees disjoint; then
 * the load over all stripes, the distance and the id. */
static bool
is_better (SsGroup *group, const SsContact *a, const SsContact *b)
{
  const SsNeighbour *na = ss_neighbour_find (group->scribe, &a->id);
  const SsNeighbour *nb = ss_neighbour_find (group->scribe, &b->id);
  bool full_a = is_full (group->scribe, &a->id);
  bool full_b = is_full (group->scribe, &b->id);
  if (full_a != full_b)
    return full_b;
  unsigned digit = ss_id_digit (&group->id, 0);
  bool own_a = ss_id_digit (&a->id, 0) == digit;
  bool own_b = ss_id_digit (&b->id, 0) == digit;
  if (own_a != own_b)
    return own_a;
  unsigned load_a = na ? na->load : 0, load_b = nb ? nb->load : 0;
  if (load_a != load_b)
    return load_a < load_b;
  return ss_neighbour_compare_distance (group->scribe, &a->id, &b->id) < 0;
}

/* The children that a joiner may be sent to, best first. */
static unsigned
choose_candidates (SsGroup *group, const SsId *joiner, uint32_t lost,
                   SsContact ret[SS_REDIRECT_MAX])
{
  unsigned n = 0;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (child->shed_until || ss_id_equal (&child->contact.id, joiner)
        || ss_prefix_of (&child->contact.id) == lost
        || is_leaf_only (&child->contact)
        || !ss_scribe_usable (group->scribe, &child->contact))
      continue;
    unsigned at = n < SS_REDIRECT_MAX ? n++ : SS_REDIRECT_MAX;
    /* Insertion sort, the worst falling off the end. */
    while (at > 0 && is_better (group, &child->contact, &ret[at - 1])) {
      if (at < SS_REDIRECT_MAX)
        ret[at] = ret[at - 1];
      at--;
    }
    if (at < SS_REDIRECT_MAX)
      ret[at] = child->contact;
  }
  return n;
}

static bool
has_room (SsGroup *group, bool must)
{
  const SsFamily *family = group->family;
  if (family->config.is_source) {
    for (unsigned i = 0; i < ss_group_child_count (group); i++) {
      const SsChild *child = ss_group_child_at (group, i);
      if (!child->shed_until
          && ss_scribe_usable (group->scribe, &child->contact))
        return false;
    }
    return group->is_root;
  }
  return family->n_children
         < (must ? family->config.children_hard : family->config.children_max);
}

/* May a child of `other` make room for one of `group`? Those of a stripe that
 * is foreign to this node may; and for a root's first child any that has
 * siblings to go to. */
static bool
may_shed (const SsGroup *group, const SsGroup *other)
{
  unsigned own = ss_id_digit (ss_scribe_self (group->scribe), 0);
  if (group == other || other->family != group->family)
    return false;
  if (!other->is_root && ss_id_digit (&other->id, 0) != own)
    return true;
  return group->is_root && ss_group_n_children (group) == 0
         && ss_group_n_children (other) > 1;
}

/* Shed children are served for a while: no more of them than there may be
 * children, or who comes and comes again under new names has any number. */
static bool
may_shed_more (const SsFamily *family)
{
  return family->n_shed < family->config.children_max;
}

static void
shed (SsGroup *group, SsChild *child)
{
  SsContact candidates[SS_REDIRECT_MAX];
  SsContact leaver = child->contact;
  ss_group_child_shed (group, child);
  unsigned n = choose_candidates (group, &leaver.id, 0, candidates);
  if (n < SS_REDIRECT_MAX && group->has_parent)
    candidates[n++] = group->parent;
  send_redirect (group->scribe, &group->id, &leaver, 0, candidates, n);
  ss_group_arm (group);
}

/* Of a group's children the one that shares the least with the group's id,
 * if that is less than `shares`. */
static SsChild *
find_distant (SsGroup *group, unsigned shares)
{
  SsChild *victim = NULL;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    unsigned its = ss_id_shared_digits (&child->contact.id, &group->id);
    if (child->shed_until || its >= shares)
      continue;
    victim = child;
    shares = its;
  }
  return victim;
}

/* Sheds a child so that there is room for one in `group`: of another stripe,
 * or else of this one, if the joiner shares more with it. So a stripe's own
 * nodes rise in its tree. */
static bool
shed_for (SsGroup *group, const SsId *joiner)
{
  SsScribe *scribe = group->scribe;
  unsigned own = ss_id_digit (ss_scribe_self (scribe), 0);
  if (group->family->config.is_source || !may_shed_more (group->family)
      || (!group->is_root && ss_id_digit (&group->id, 0) != own))
    return false;
  SsGroup *from = NULL;
  SsChild *victim = NULL;
  unsigned shares = SS_ID_DIGITS + 1;
  for (SsGroup *other = ss_group_after (scribe, NULL); other;
       other = ss_group_after (scribe, &other->id)) {
    SsChild *child =
        may_shed (group, other) ? find_distant (other, shares) : NULL;
    if (!child)
      continue;
    from = other;
    victim = child;
    shares = ss_id_shared_digits (&child->contact.id, &other->id);
  }
  if (!victim) {
    from = group;
    victim = find_distant (group, ss_id_shared_digits (joiner, &group->id));
  }
  if (victim)
    shed (from, victim);
  return victim != NULL;
}

static void
take (SsGroup *group, const SsContact *joiner, const SsPendingJoin *join)
{
  SsFamily *family = group->family;
  if (!family->config.is_source
      && family->n_children >= family->config.children_max)
    ss_count (group->scribe->env, SCRIBE_OVER_BOUND);
  ss_group_child_set_member (ss_group_child_add (group, joiner),
                             join->flags & SS_JOIN_MEMBER,
                             join->has_below ? &join->below : NULL);
  send_ack (group, joiner, join->nonce);
  if ((join->flags & SS_JOIN_HAVE) && !group->has_newest) {
    group->has_newest = group->is_hearsay = true;
    group->newest = join->newest;
  }
  if (!ss_group_is_ordered (group)) /* there the child asks */
    ss_live_catch_up (group, joiner, join->flags & SS_JOIN_HAVE, join->newest,
                      join->mask);
  ss_group_arm (group);
}

/* In the tree: takes the joiner or names others. False: neither. */
static bool
take_or_redirect (SsGroup *group, const SsPendingJoin *join, SsJoinWay way)
{
  SsScribe *scribe = group->scribe;
  const SsContact *joiner = &join->joiner;
  const SsChild *child = ss_group_child_find (group, &joiner->id);
  bool is_child = child && child->shed_until == 0;
  bool is_shed = child && child->shed_until > 0;
  if (is_child || has_room (group, join->flags & SS_JOIN_MUST)
      || shed_for (group, &joiner->id)) {
    take (group, joiner, join);
    return true;
  }
  SsContact candidates[SS_REDIRECT_MAX];
  unsigned n = choose_candidates (group, &joiner->id, join->lost, candidates);
  /* The root may know of a better place than below a node that is in this
   * tree by chance. */
  if (way == SS_JOIN_ON_WAY
      && (n == 0 || is_full (scribe, &candidates[0].id)
          || ss_id_digit (&candidates[0].id, 0) != ss_id_digit (&group->id, 0)))
    return false;
  if (n > 0 && !is_shed && is_full (scribe, &candidates[0].id)
      && !is_full (scribe, &joiner->id) && !is_leaf_only (joiner)
      && may_shed_more (group->family)) {
    /* None of the children has room for one more: they had better be the
     * joiner's. Not if the joiner has just been shed: two would take turns. */
    take (group, joiner, join);
    shed (group, ss_group_child_find (group, &candidates[0].id));
    return true;
  }
  if (n == 0 && group->is_root) {
    /* A source whose deputy the joiner takes for dead, or a root without
     * children that is full elsewhere: better over the bound than lost. */
    if (group->family->n_children < group->family->config.children_hard) {
      take (group, joiner, join);
      return true;
    }
  }
  /* Whoever is named is likely to have one more. */
  SsNeighbour *first =
      n > 0 ? ss_neighbour_find (scribe, &candidates[0].id) : NULL;
  if (first && first->load < UINT16_MAX)
    first->load++;
  ss_count (scribe->env, SCRIBE_REDIRECTS);
  send_redirect (scribe, &group->id, joiner, join->nonce, candidates, n);
  return true;
}

static bool
hold_back (SsGroup *group, const SsPendingJoin *join)
{
  if (join->flags & (SS_JOIN_RETRY | SS_JOIN_MUST))
    return false;
  if (!group->pending)
    group->pending = g_array_new (FALSE, FALSE, sizeof (SsPendingJoin));
  if (group->pending->len >= SS_GROUP_PENDING_MAX)
    return false;
  g_array_append_val (group->pending, *join);
  ss_group_arm (group);
  return true;
}

void
ss_parent_serve_pending (SsGroup *group)
{
  while (group->pending && group->pending->len > 0
         && ss_group_in_tree (group)) {
    SsPendingJoin join = g_array_index (group->pending, SsPendingJoin, 0);
    g_array_remove_index (group->pending, 0);
    bool is_above = ss_group_on_path (group, &join.joiner.id)
                    || (group->has_parent
                        && ss_contact_equal (&group->parent, &join.joiner));
    if (!is_above)
      take_or_redirect (group, &join, SS_JOIN_DIRECT);
  }
}

/* The group that a JOIN is for, made if the application agrees. */
static SsGroup *
group_for (SsScribe *scribe, const SsMsgScribeJoin *message, SsJoinWay way)
{
  SsGroup *group = ss_scribe_find (scribe, &message->group);
  if (!group && way != SS_JOIN_DIRECT)
    group = ss_group_adopt (scribe, &message->group, &message->info,
                            way == SS_JOIN_DELIVERED,
                            message->flags & SS_JOIN_ORDERED);
  if (group && message->n_source > 0)
    ss_group_know_source (group, &message->source[0]);
  return group;
}

static bool
refuse (SsScribe *scribe, const SsContact *joiner,
        const SsMsgScribeJoin *message, SsJoinWay way)
{
  if (way == SS_JOIN_ON_WAY)
    return false;
  SsContact near[SS_REDIRECT_MAX];
  unsigned n = 0;
  if (scribe->is_leaving) {
    unsigned n_near = ss_kbr_replica_set (scribe->kbr, &message->group, near,
                                          SS_REDIRECT_MAX);
    for (unsigned i = 0; i < n_near; i++)
      if (ss_scribe_usable (scribe, &near[i])
          && !ss_contact_equal (&near[i], joiner))
        near[n++] = near[i];
  }
  send_redirect (scribe, &message->group, joiner, message->nonce, near, n);
  return true;
}

bool
ss_parent_handle_join (SsScribe *scribe, const SsContact *joiner,
                       const SsMsgScribeJoin *message, SsJoinWay way)
{
  bool is_self = ss_id_equal (&joiner->id, ss_scribe_self (scribe));
  SsGroup *group = NULL;
  /* Interior is a node in its own stripe, as root, or where it is sent. */
  if (way == SS_JOIN_ON_WAY
      && ss_id_digit (&message->group, 0)
             != ss_id_digit (ss_scribe_self (scribe), 0))
    return false;
  if (is_self) {
    group = ss_scribe_find (scribe, &message->group);
    if (group && way == SS_JOIN_DELIVERED)
      ss_join_become_root (group);
    return true;
  }
  if (!scribe->is_leaving && !is_leaf_only (ss_kbr_self (scribe->kbr)))
    group = group_for (scribe, message, way);
  if (!group)
    return refuse (scribe, joiner, message, way);
  ss_neighbour_load (scribe, joiner, message->load, message->load_max);
  if (message->lost && !(message->flags & SS_JOIN_SHED))
    ss_neighbour_hint (scribe, message->lost);
  for (unsigned i = 0; i < message->n_full; i++)
    ss_neighbour_mark_full (scribe, message->full[i]);
  SsPendingJoin join = {
    .joiner = *joiner,
    .until = scribe->env->now + SS_PENDING_TIME,
    .nonce = message->nonce,
    .newest = message->newest,
    .mask = message->mask,
    .lost = message->lost,
    .flags = message->flags,
    .has_below = message->n_below > 0 && (message->flags & SS_JOIN_MEMBER) == 0,
  };
  if (join.has_below)
    join.below = ss_contact_from_record (&message->below[0]);
  if (way == SS_JOIN_DELIVERED && !group->is_root
      && (!group->has_parent || ss_group_is_closest (group)))
    ss_join_become_root (group);
  if (group->is_dead)
    return true;
  bool is_source = group->family->config.is_source;
  if (is_source && !group->is_root)
    return refuse (scribe, joiner, message, way);
  if (!ss_group_in_tree (group)) {
    bool is_held = hold_back (group, &join);
    ss_join_start (group, NULL); /* a relay, adopting: in the joiner's name */
    if (is_held)
      return true;
    if (!ss_group_in_tree (group))
      return refuse (scribe, joiner, message, way);
  }
  if (ss_group_on_path (group, &joiner->id)
      || (group->has_parent && ss_contact_equal (&group->parent, joiner)))
    return refuse (scribe, joiner, message, way);
  return take_or_redirect (group, &join, way)
         || refuse (scribe, joiner, message, way);
}

void
ss_parent_handle_leave (SsScribe *scribe, const SsContact *from,
                        const SsMsgScribeLeave *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group)
    return;
  ss_group_child_remove (group, &from->id);
  if (scribe->is_leaving && !group->is_root
      && ss_group_child_count (group) == 0) {
    ss_group_abandon (group);
    return;
  }
  ss_group_arm (group);
}

void
ss_parent_send_path (SsGroup *group)
{
  if (ss_group_child_count (group) == 0)
    return;
  SsMsgScribePath message = { .n_path = group->n_path };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  memcpy (message.path, group->path, group->n_path * sizeof *group->path);
  message.n_root = put_root (group, message.root);
  uint8_t data[SS_MSG_SCRIBE_PATH_MAX];
  size_t len = ss_msg_scribe_path_encode (&message, data, sizeof data);
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsContact child = ss_group_child_at (group, i)->contact;
    ss_scribe_send (group->scribe, &child, data, len);
  }
}

/* A source that took a second child, because that one, or the source itself,
 * thought the first dead, has both when the first proves alive. The one it
 * has had longest stays, of those that can take children: one that cannot is
 * nobody's deputy, and has siblings until there is another. */
static const SsChild *
find_deputy (const SsGroup *group, unsigned *ret_n)
{
  const SsChild *deputy = NULL;
  *ret_n = 0;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (child->shed_until || !ss_scribe_usable (group->scribe, &child->contact))
      continue;
    ++*ret_n;
    bool leaf = is_leaf_only (&child->contact);
    bool leaf_before = deputy && is_leaf_only (&deputy->contact);
    if (!deputy || (leaf_before && !leaf)
        || (leaf_before == leaf && child->since < deputy->since))
      deputy = child;
  }
  if (deputy && is_leaf_only (&deputy->contact))
    *ret_n = 1; /* and no surplus */
  return deputy;
}

SsTime
ss_parent_surplus_deadline (const SsGroup *group)
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
    ss_group_child_shed (group, child);
    SsContact to = child->contact, candidate = deputy->contact;
    send_redirect (group->scribe, &group->id, &to, 0, &candidate, 1);
  }
}

SsTime
ss_parent_overload_deadline (const SsGroup *group)
{
  const SsFamily *family = group->family;
  if (family->config.is_source
      || family->n_children <= family->config.children_max
      || ss_group_n_children (group) == 0)
    return SS_NEVER;
  return family->over_since + SS_OVERLOAD_TIME;
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
  SsContact candidates[SS_REDIRECT_MAX];
  unsigned n =
      farthest ? choose_candidates (group, &farthest->contact.id, 0, candidates)
               : 0;
  return n > 0 && !is_full (scribe, &candidates[0].id) ? farthest : NULL;
}

/* The bottleneck remover (Scribe, JSAC 2002): who had to take more children
 * than its bound hands the farthest on to one of its siblings, one at a time;
 * in stripes that are foreign to it, if it can be done there. */
static void
remove_bottleneck (SsFamily *family)
{
  SsScribe *scribe = family->scribe;
  unsigned own = ss_id_digit (ss_scribe_self (scribe), 0);
  SsGroup *from = NULL;
  SsChild *victim = NULL;
  bool is_from_own = true;
  family->over_since = scribe->env->now;
  for (SsGroup *group = ss_group_after (scribe, NULL);
       group && may_shed_more (family);
       group = ss_group_after (scribe, &group->id)) {
    bool is_own = ss_id_digit (&group->id, 0) == own;
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
    shed (from, victim);
}

/* A mere forwarder's only child, if neither the forwarder nor the way past it
 * is of use: the child is a mere forwarder, too, or there is only the root
 * above. */
static SsChild *
lone_child (const SsGroup *group)
{
  if (group->is_open || group->is_root || !group->has_parent || group->join
      || group->scribe->is_leaving || ss_group_child_count (group) != 1)
    return NULL;
  SsChild *child = ss_group_child_at (group, 0);
  if (child->shed_until || (child->is_member && group->n_path > 2))
    return NULL;
  return child;
}

SsTime
ss_parent_lone_deadline (const SsGroup *group)
{
  const SsChild *child = lone_child (group);
  return child ? child->since + SS_LONE_TIME : SS_NEVER;
}

/* Small groups' economy (Scribe, JSAC 2002): forwarders that have one child
 * hand it to their own parent, and go when they have been idle. Departure: in
 * a group so large that the tree branches below its root, the one next to a
 * member stays, so that near joiners and searches meet the tree there. */
static void
leave_chain (SsGroup *group)
{
  SsChild *child = lone_child (group);
  if (is_full (group->scribe, &group->parent.id)
      || !may_shed_more (group->family)
      || !ss_scribe_usable (group->scribe, &group->parent))
    child->since = group->scribe->env->now; /* later */
  else
    shed (group, child);
}

void
ss_parent_due (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  if (group->family->config.is_source)
    shed_surplus (group);
  if (now >= ss_parent_lone_deadline (group))
    leave_chain (group);
  if (now >= ss_parent_overload_deadline (group))
    remove_bottleneck (group->family);
  for (unsigned i = ss_group_child_count (group); i-- > 0;) {
    const SsChild *child = ss_group_child_at (group, i);
    SsTime end =
        child->shed_until ? child->shed_until : child->heard + SS_CHILD_SILENT;
    if (now < end)
      continue;
    SsId id = child->contact.id;
    ss_group_child_remove (group, &id);
  }
  while (group->pending && group->pending->len > 0
         && g_array_index (group->pending, SsPendingJoin, 0).until <= now)
    g_array_remove_index (group->pending, 0);
}

/* All children are sent to the successor (NULL: to the root), and served
 * until they have gone there. */
void
ss_parent_retire (SsGroup *group, const SsContact *successor)
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
    send_redirect (scribe, &group->id, &to, 0, successor, successor ? 1 : 0);
  }
}
