/* Where there is a place in a tree: how much room is below a node, and which
 * of its children it names to a joiner (push-down; SplitStream, SOSP 2003,
 * section 3.3).
 *
 * Departure: children tell their parents how much room there is at them and
 * below, so that a JOIN goes straight to a place; and only a stripe's own
 * nodes are named, unless there is no other way. */
#include "scribe/parent.h"

bool
ss_place_is_leaf (const SsContact *peer)
{
  return (peer->flags & SS_PEER_REACHABLE) == 0;
}

bool
ss_place_is_full (const SsGroup *group, const SsId *peer)
{
  const SsNeighbour *at = ss_neighbour_find (group->scribe, peer);
  return at && !group->family->config.is_light && at->load_max > 0
         && at->load >= at->load_max;
}

bool
ss_place_is_own (const SsGroup *group, const SsId *node)
{
  return ss_id_digit (node, 0) == ss_id_digit (&group->id, 0);
}

bool
ss_place_is_free (const SsGroup *group)
{
  const SsFamilyConfig *config = &group->family->config;
  return !config->is_by_turns && !config->is_light;
}

/* The root, one of its children, and the riser. */
#define RISE_PATH 3

bool
ss_place_may_rise (const SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  return ss_place_is_own (group, ss_scribe_self (scribe)) && group->has_root
         && group->n_path == RISE_PATH
         && !ss_place_is_leaf (ss_kbr_self (scribe->kbr))
         && !(group->family->has_source
              && ss_contact_equal (&group->root, &group->family->source))
         && ss_scribe_usable (scribe, &group->root)
         && !ss_service_shirks (scribe, &group->root.id)
         && ss_standing_of (group->family) > SS_STANDING_NEWCOMER;
}

/* Children stay whoever comes in its own stripe, or where this node is the
 * root. */
void
ss_place_settle (SsGroup *group)
{
  bool is_settled = ss_group_is_top (group)
                    || ss_place_is_own (group, ss_scribe_self (group->scribe));
  if (is_settled == group->is_settled)
    return;
  group->is_settled = is_settled;
  if (is_settled)
    group->family->n_settled += ss_group_n_children (group);
  else
    group->family->n_settled -= ss_group_n_children (group);
}

uint16_t
ss_place_room (const SsGroup *group)
{
  const SsScribe *scribe = group->scribe;
  const SsFamily *family = group->family;
  unsigned room = 0;
  if (ss_place_is_own (group, ss_scribe_self (scribe)) && !scribe->is_leaving
      && !ss_place_is_leaf (ss_kbr_self (scribe->kbr))) {
    room = family->config.children_max;
    unsigned n_kept = ss_family_n_taken (family) - family->n_children;
    room -= MIN (family->n_settled + n_kept, room);
  }
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (!child->shed_until)
      room += child->room;
  }
  return (uint16_t) MIN (room, UINT16_MAX);
}

void
ss_place_note_room (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  if (group->is_root || !group->has_parent || group->family->config.is_light)
    return;
  unsigned room = ss_place_room (group), told = group->room_told;
  if ((room == 0) == (told == 0) && room <= 2 * told && 2 * room >= told)
    return;
  SsNeighbour *parent = ss_neighbour_get (scribe, &group->parent);
  parent->is_behind = true;
  ss_timers_arm_earliest (&scribe->env->timers, &scribe->timer,
                          parent->keepalive + SS_ROOM_INTERVAL);
}

/* How good a parent a child would be for a joiner of the group: the less, the
 * better. First those that serve; then those whose own stripe it is, so that
 * the trees stay disjoint; then who has room, then below whom there is some. */
static unsigned
rank_of (const SsGroup *group, const SsChild *child)
{
  bool is_foreign = !ss_place_is_own (group, &child->contact.id);
  bool is_full_itself = ss_place_is_full (group, &child->contact.id);
  bool is_full_below = child->room == 0 && (is_full_itself || !is_foreign);
  bool shirks = ss_service_shirks (group->scribe, &child->contact.id);
  return 8 * shirks + 4 * is_foreign + 2 * is_full_below + is_full_itself;
}

/* Then their standing, the load over all stripes, the distance and the id
 * decide. */
static bool
is_better (const SsGroup *group, const SsChild *a, const SsChild *b)
{
  SsScribe *scribe = group->scribe;
  unsigned rank_a = rank_of (group, a), rank_b = rank_of (group, b);
  if (rank_a != rank_b)
    return rank_a < rank_b;
  const SsNeighbour *na = ss_neighbour_find (scribe, &a->contact.id);
  const SsNeighbour *nb = ss_neighbour_find (scribe, &b->contact.id);
  unsigned standing_a = na ? na->standing : 0;
  unsigned standing_b = nb ? nb->standing : 0;
  if (standing_a != standing_b)
    return standing_a > standing_b;
  unsigned load_a = na ? na->load : 0, load_b = nb ? nb->load : 0;
  if (load_a != load_b)
    return load_a < load_b;
  return ss_neighbour_compare_distance (scribe, &a->contact.id, &b->contact.id)
         < 0;
}

/* May it be sent to this child? One whose stripe it is finds a place by pushing
 * another out, others only where there is room. */
static bool
may_name (const SsGroup *group, const SsSeeker *seeker, const SsChild *child)
{
  if (group->family->config.is_source)
    return true;
  if (ss_place_is_own (group, &child->contact.id))
    return child->room > 0 || seeker->must
           || ss_place_is_own (group, &seeker->id);
  return (ss_group_is_top (group) && !seeker->better)
         || ((seeker->must || seeker->orphan)
             && !ss_place_is_full (group, &child->contact.id));
}

/* Whoever might be in the way of its being taken here. */
static bool
is_candidate (const SsGroup *group, const SsSeeker *seeker,
              const SsChild *child)
{
  return !child->shed_until && !ss_id_equal (&child->contact.id, &seeker->id)
         && ss_prefix_of (&child->contact.id) != seeker->lost
         && !ss_place_is_leaf (&child->contact)
         && ss_scribe_usable (group->scribe, &child->contact);
}

bool
ss_place_any (const SsGroup *group, const SsSeeker *seeker)
{
  for (unsigned i = 0; i < ss_group_child_count (group); i++)
    if (is_candidate (group, seeker, ss_group_child_at (group, i)))
      return true;
  return false;
}

/* May a foreign one be named beside, or instead of, the stripe's own? An orphan
 * has no time to search for spare capacity elsewhere; it looks for a better
 * place later. */
static bool
may_name_foreign (const SsGroup *group, const SsSeeker *seeker,
                  const SsChild *child)
{
  return seeker->must
         || (seeker->orphan && !ss_place_is_full (group, &child->contact.id));
}

unsigned
ss_place_choose (SsGroup *group, const SsSeeker *seeker,
                 SsContact ret[SS_REDIRECT_MAX])
{
  const SsChild *best[SS_REDIRECT_MAX];
  unsigned n = 0;
  bool has_own = false;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (!is_candidate (group, seeker, child))
      continue;
    has_own |= ss_place_is_own (group, &child->contact.id);
    if (!may_name (group, seeker, child))
      continue;
    unsigned at = n < SS_REDIRECT_MAX ? n++ : SS_REDIRECT_MAX;
    /* Insertion sort, the worst falling off the end. */
    while (at > 0 && is_better (group, child, best[at - 1])) {
      if (at < SS_REDIRECT_MAX)
        best[at] = best[at - 1];
      at--;
    }
    if (at < SS_REDIRECT_MAX)
      best[at] = child;
  }
  while (n > 0 && has_own && !ss_place_is_own (group, &best[n - 1]->contact.id)
         && !may_name_foreign (group, seeker, best[n - 1]))
    n--;
  for (unsigned i = 0; i < n; i++)
    ret[i] = best[i]->contact;
  return n;
}
