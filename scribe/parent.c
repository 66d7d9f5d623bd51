/* The parent's side of a tree: JOINs and LEAVEs (SplitStream, SOSP 2003,
 * section 3.3).
 *
 * The bound is over all groups of a family, because the stripes of a small
 * ring cannot be interior-node-disjoint. A full node takes a child in its
 * own stripe, or as root, by shedding one of another stripe; otherwise it
 * names its least loaded children. A shed child is served until it says that
 * it has another parent. A source takes one child, its deputy, and only as
 * root. A node that others cannot reach unasked is a leaf everywhere: nobody
 * is sent to it, and it takes nobody. */
#include <string.h>

#include "scribe/parent.h"

static uint16_t
put_root (const SsGroup *group, SsPeerRecord *ret_root)
{
  if (group->is_root || !group->has_root)
    return 0;
  return ss_peers_put (ret_root, 0, 1, &group->root);
}

/* May a joiner be told to go below this child? */
static bool
may_go_below (const SsGroup *group, const SsChild *child)
{
  const SsContact *contact = &child->contact;
  return !child->shed_until && !ss_place_is_leaf (contact)
         && ss_scribe_usable (group->scribe, contact)
         && !ss_service_shirks (group->scribe, &contact->id)
         && !ss_place_is_full (group, &contact->id);
}

/* The prefix of the nearest to the joiner, of those it knows, that is a child,
 * or was one and has another parent now, as a rule one that is nearer to it. */
static uint32_t
find_near (const SsGroup *group, const SsPendingJoin *join)
{
  for (unsigned k = 0; k < join->n_near; k++) {
    uint32_t prefix = join->near[k];
    if (prefix == join->lost || prefix == ss_prefix_of (&join->joiner.id))
      continue;
    if (ss_group_child_has_moved (group, prefix))
      return prefix;
    for (unsigned i = 0; i < ss_group_child_count (group); i++) {
      const SsChild *child = ss_group_child_at (group, i);
      if (ss_prefix_of (&child->contact.id) == prefix
          && may_go_below (group, child))
        return prefix;
    }
  }
  return 0;
}

static void
send_ack (SsGroup *group, const SsPendingJoin *join)
{
  const SsContact *joiner = &join->joiner;
  SsMsgScribeJoinAck ack = { .nonce = join->nonce };
  memcpy (ack.tag, group->id.b, SS_TAG_LEN);
  ack.load = ss_family_load (group->family);
  ack.load_max = ss_family_load_max (group->family);
  ack.newest = group->has_newest ? group->newest : 0;
  ack.n_path = group->n_path;
  memcpy (ack.path, group->path, group->n_path * sizeof *group->path);
  ack.n_root = put_root (group, ack.root);
  if (group->family->config.is_source)
    ack.n_source =
        ss_peers_put (ack.source, 0, 1, ss_kbr_self (group->scribe->kbr));
  else if (group->family->has_source)
    ack.n_source = ss_peers_put (ack.source, 0, 1, &group->family->source);
  ack.near = find_near (group, join);
  uint8_t data[SS_MSG_SCRIBE_JOIN_ACK_MAX];
  size_t len = ss_msg_scribe_join_ack_encode (&ack, data, sizeof data);
  ss_scribe_send (group->scribe, joiner, data, len);
}

void
ss_parent_redirect (SsScribe *scribe, const SsId *group_id, const SsContact *to,
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
has_room (SsGroup *group)
{
  if (!group->family->config.is_source)
    return ss_family_has_room (group->family);
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (!child->shed_until && ss_scribe_usable (group->scribe, &child->contact)
        && !ss_service_shirks (group->scribe, &child->contact.id))
      return false;
  }
  return group->is_root;
}

static void
take (SsGroup *group, const SsContact *joiner, const SsPendingJoin *join)
{
  SsFamily *family = group->family;
  if (!family->config.is_source
      && family->n_children >= family->config.children_max)
    ss_count (group->scribe->env, SCRIBE_OVER_BOUND);
  SsChild *child = ss_group_child_add (group, joiner);
  child->nonce = join->nonce;
  ss_group_child_set_member (child, join->flags & SS_JOIN_MEMBER,
                             join->has_below ? &join->below : NULL);
  child->room = join->room;
  ss_place_note_room (group);
  send_ack (group, join);
  if ((join->flags & SS_JOIN_HAVE) && !group->has_newest) {
    group->has_newest = group->is_hearsay = true;
    group->newest = join->newest;
  }
  if (!ss_group_is_ordered (group)) /* there the child asks */
    ss_live_catch_up (group, joiner, join->flags & SS_JOIN_HAVE, join->newest,
                      join->mask);
  ss_group_arm (group);
}

/* Is whom it has lost dead, or only to be left? */
static bool
is_orphan (uint32_t lost, uint16_t flags)
{
  return lost && !(flags & (SS_JOIN_SHED | SS_JOIN_BETTER | SS_JOIN_UNSERVED));
}

/* Has it a parent, and comes because this node is near, or the root, or may
 * send sooner? */
static bool
is_by_choice (const SsGroup *group, const SsPendingJoin *join)
{
  return (join->flags & SS_JOIN_RISES)
         || ((join->flags & SS_JOIN_BETTER)
             && (join->lost || ss_place_is_free (group)));
}

/* Has it room, or makes some? Nobody makes way for a joiner by choice; and who
 * is sent here in an exchange comes straight. */
static bool
find_room (SsGroup *group, const SsPendingJoin *join, SsJoinWay way,
           bool is_choice)
{
  if (way == SS_JOIN_DIRECT && ss_exchange_has_kept (group, join))
    return true;
  return has_room (group)
         || (!is_choice && ss_shed_for (group, &join->joiner.id));
}

/* Better over the bound than lost: where it must be, or at a source whose
 * deputy the joiner takes for dead, or at a root that is full elsewhere. A root
 * that has none takes one, whatever it costs: there is no other way. */
static bool
may_exceed (const SsGroup *group, const SsSeeker *seeker)
{
  const SsFamily *family = group->family;
  bool is_top = family->is_aside ? ss_group_is_top (group) : group->is_root;
  bool is_last = (is_top && !ss_place_any (group, seeker))
                 || (seeker->must && (is_top || !family->is_aside));
  bool is_first = is_top && ss_group_n_children (group) == 0;
  return is_last && (group->is_root || !family->config.is_source)
         && (is_first || family->n_children < family->config.children_hard);
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
  bool is_rise = join->flags & SS_JOIN_RISES;
  bool is_choice = is_by_choice (group, join);
  unsigned unanswered =
      way == SS_JOIN_ON_WAY ? join->flags & SS_JOIN_UNANSWERED : 0;
  bool is_sent = way == SS_JOIN_DIRECT && (join->flags & SS_JOIN_STAYS);
  if (is_child
      || (is_sent ? ss_exchange_gives (group, join)
                  : find_room (group, join, way, is_choice))) {
    take (group, joiner, join);
    return true;
  }
  /* Below a sibling it is no higher; and whom nobody is given for stays. */
  if (is_rise || is_sent)
    return false;
  SsSeeker seeker = { .id = joiner->id,
                      .lost = join->lost,
                      .must = join->flags & (SS_JOIN_MUST | unanswered),
                      .better = join->flags & SS_JOIN_BETTER,
                      .orphan = is_orphan (join->lost, join->flags) };
  SsContact candidates[SS_REDIRECT_MAX];
  unsigned n = ss_place_choose (group, &seeker, candidates);
  SsChild *first =
      n > 0 ? ss_group_child_find (group, &candidates[0].id) : NULL;
  bool is_first_full =
      first && first->room == 0 && ss_place_is_full (group, &candidates[0].id);
  /* The root may know of a better place than below a node that is in this
   * tree by chance; but what it says may not get through. */
  if (way == SS_JOIN_ON_WAY && !unanswered
      && (n == 0 || is_first_full
          || !ss_place_is_own (group, &candidates[0].id)))
    return false;
  if (is_first_full && !is_shed && !is_choice
      && !ss_place_is_full (group, &joiner->id) && !ss_place_is_leaf (joiner)
      && (ss_place_is_own (group, &joiner->id)
          || !ss_place_is_own (group, &candidates[0].id))
      && ss_shed_may_more (group->family)) {
    /* None of the children has room for one more: they had better be the
     * joiner's. Not if the joiner has just been shed: two would take turns.
     * Nor is it told to go below the very child. */
    SsPendingJoin alone = *join;
    alone.n_near = 0;
    take (group, joiner, &alone);
    ss_shed_child (group, ss_group_child_find (group, &candidates[0].id));
    return true;
  }
  if (n == 0 && may_exceed (group, &seeker)) {
    take (group, joiner, join);
    return true;
  }
  if (n == 0 && way == SS_JOIN_ON_WAY)
    return false; /* the next one of the way may know of some */
  /* Whoever is named is likely to have one more. */
  SsNeighbour *neighbour =
      first ? ss_neighbour_find (scribe, &candidates[0].id) : NULL;
  if (neighbour && neighbour->load < UINT16_MAX)
    neighbour->load++;
  if (first && first->room > 0)
    first->room--;
  ss_count (scribe->env, SCRIBE_REDIRECTS);
  ss_parent_redirect (scribe, &group->id, joiner, join->nonce, candidates, n);
  return true;
}

/* A root whose line is full names who stands in for it. */
static bool
pass_on (SsGroup *group, const SsPendingJoin *join)
{
  SsContact stand_in;
  if (!ss_aside_stands_in (group, &join->joiner.id, join->lost, &stand_in))
    return false;
  ss_parent_redirect (group->scribe, &group->id, &join->joiner, join->nonce,
                      &stand_in, 1);
  return true;
}

/* Whoever tries again does not wait, for two might wait for each other; but
 * who was sent here may: this node joins for its sake. */
static bool
hold_back (SsGroup *group, const SsPendingJoin *join, SsJoinWay way)
{
  bool is_host = way == SS_JOIN_DIRECT && group->n_path == 0;
  if ((join->flags & SS_JOIN_MUST)
      || ((join->flags & SS_JOIN_RETRY) && !is_host))
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
      take_or_redirect (group, &join, SS_JOIN_DELIVERED);
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
  ss_parent_redirect (scribe, &message->group, joiner, message->nonce, near, n);
  return true;
}

/* What a JOIN tells of the joiner and of others. */
static void
note_news (SsScribe *scribe, const SsContact *joiner,
           const SsMsgScribeJoin *message)
{
  if (message->load_max > 0) {
    ss_neighbour_load (scribe, joiner, message->load, message->load_max);
    ss_standing_note (scribe, joiner, message->standing);
  }
  if (message->lost && (message->flags & SS_JOIN_UNSERVED))
    ss_service_accused (scribe, joiner, message->lost);
  else if (message->lost && !(message->flags & SS_JOIN_SHED))
    ss_neighbour_hint (scribe, message->lost);
  for (unsigned i = 0; i < message->n_full; i++) {
    ss_neighbour_mark_full (scribe, message->full[i]);
    if (is_orphan (message->lost, message->flags))
      ss_neighbour_hint (scribe, message->full[i]); /* or it is dead */
  }
}

/* One that has come back: nobody is closer. Who sent it is what it says, but
 * only this node knows the nonce. */
static void
take_own (SsScribe *scribe, const SsMsgScribeJoin *message, SsJoinWay way)
{
  SsGroup *group = ss_scribe_find (scribe, &message->group);
  if (group && way == SS_JOIN_DELIVERED && group->join
      && group->join->nonce == message->nonce)
    ss_upstream_become_root (group);
}

/* A JOIN on its way that is not for this node. */
static bool
lets_pass (const SsScribe *scribe, const SsContact *joiner,
           const SsMsgScribeJoin *message)
{
  const SsId *self = ss_scribe_self (scribe);
  /* Interior is a node in its own stripe, as root, or where it is sent. */
  if (ss_id_digit (&message->group, 0) != ss_id_digit (self, 0))
    return true;
  /* Nor one that is no closer than the joiner, which its own way would hardly
   * meet, but that of its guide does: trees would be deep. */
  if (!(message->flags & SS_JOIN_UNANSWERED)
      && ss_id_shared_digits (&message->group, self)
             <= ss_id_shared_digits (&message->group, &joiner->id))
    return true;
  /* Nor whom the joiner wants to leave. */
  return (message->flags & (SS_JOIN_UNSERVED | SS_JOIN_BETTER))
         && message->lost == ss_prefix_of (self);
}

bool
ss_parent_handle_join (SsScribe *scribe, const SsContact *joiner,
                       const SsMsgScribeJoin *message, SsJoinWay way)
{
  bool is_self = ss_id_equal (&joiner->id, ss_scribe_self (scribe));
  SsGroup *group = NULL;
  if (way == SS_JOIN_ON_WAY && lets_pass (scribe, joiner, message))
    return false;
  if (is_self) {
    take_own (scribe, message, way);
    return true;
  }
  if (way == SS_JOIN_DIRECT && ss_aside_handle_join (scribe, joiner, message))
    return true;
  if (!scribe->is_leaving && !ss_place_is_leaf (ss_kbr_self (scribe->kbr)))
    group = group_for (scribe, message, way);
  if (!group)
    return refuse (scribe, joiner, message, way);
  note_news (scribe, joiner, message);
  SsPendingJoin join = {
    .joiner = *joiner,
    .until = scribe->env->now + SS_PENDING_TIME,
    .nonce = message->nonce,
    .newest = message->newest,
    .mask = message->mask,
    .lost = message->lost,
    .room = message->room,
    .flags = message->flags,
    .n_near = (uint8_t) message->n_near,
    .has_below = message->n_below > 0 && (message->flags & SS_JOIN_MEMBER) == 0,
  };
  memcpy (join.near, message->near, message->n_near * sizeof *join.near);
  if (join.has_below)
    join.below = ss_contact_from_record (&message->below[0]);
  if (way == SS_JOIN_DELIVERED && !group->is_root
      && (!group->has_parent || ss_group_is_closest (group)))
    ss_upstream_become_root (group);
  if (group->is_dead)
    return true;
  bool is_source = group->family->config.is_source;
  if (is_source && !group->is_root)
    return refuse (scribe, joiner, message, way);
  if (!ss_group_in_tree (group)) {
    bool is_held = hold_back (group, &join, way);
    ss_join_start (group, NULL); /* a relay, adopting: in the joiner's name */
    if (is_held)
      return true;
    if (!ss_group_in_tree (group))
      return refuse (scribe, joiner, message, way);
  }
  if (ss_group_on_path (group, &joiner->id)
      || (group->has_parent && ss_contact_equal (&group->parent, joiner)))
    return refuse (scribe, joiner, message, way);
  /* Two that go to each other by choice would take each other, and be cut off
   * together. */
  if (group->join && group->join->is_near
      && ss_id_equal (&group->join->asked, &joiner->id))
    ss_join_cancel (group);
  /* Another orphan of the same parent: two such would take each other. Who may
   * be the root takes it. */
  if (way != SS_JOIN_DELIVERED && is_orphan (message->lost, message->flags)
      && group->join && group->join->lost == message->lost)
    return refuse (scribe, joiner, message, way);
  return pass_on (group, &join) || take_or_redirect (group, &join, way)
         || refuse (scribe, joiner, message, way);
}

bool
ss_group_may_take (const SsGroup *group, const SsContact *joiner)
{
  const SsScribe *scribe = group->scribe;
  return !scribe->is_leaving && !group->is_dead && ss_group_in_tree (group)
         && (group->is_root || ss_scribe_usable (scribe, &group->parent))
         && !ss_place_is_leaf (ss_kbr_self (scribe->kbr))
         && !ss_group_on_path (group, &joiner->id);
}

bool
ss_group_has_room_for (const SsGroup *group, const SsContact *joiner)
{
  return ss_family_has_room (group->family)
         && ss_group_may_take (group, joiner);
}

void
ss_parent_handle_leave (SsScribe *scribe, const SsContact *from,
                        const SsMsgScribeLeave *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  const SsChild *child = group ? ss_group_child_find (group, &from->id) : NULL;
  if (!child || (message->nonce != 0 && message->nonce != child->nonce))
    return; /* it has joined again in the meantime */
  if ((message->flags & SS_LEAVE_MOVED) && ss_place_is_free (group))
    ss_group_child_moved (group, &from->id);
  else
    ss_group_child_remove (group, &from->id);
  ss_place_note_room (group);
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

void
ss_parent_due (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  ss_shed_due (group);
  for (unsigned i = ss_group_child_count (group); i-- > 0;) {
    SsChild *child = ss_group_child_at (group, i);
    SsTime end =
        child->shed_until ? child->shed_until : child->heard + SS_CHILD_SILENT;
    if (now < end || ss_exchange_takes_back (group, child))
      continue;
    SsContact contact = child->contact;
    bool was_sent = child->sent_to != 0;
    ss_group_child_remove (group, &contact.id);
    if (was_sent) /* it may have stayed */
      ss_neighbour_not_served (group, &contact);
  }
  while (group->pending && group->pending->len > 0
         && g_array_index (group->pending, SsPendingJoin, 0).until <= now)
    g_array_remove_index (group->pending, 0);
}
