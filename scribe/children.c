/* The children of a group, in order of their ids. */
#include "scribe/internal.h"

unsigned
ss_group_child_count (const SsGroup *group)
{
  return group->children ? group->children->len : 0;
}

SsChild *
ss_group_child_at (const SsGroup *group, unsigned index)
{
  return &g_array_index (group->children, SsChild, index);
}

static unsigned
child_lower_bound (const SsGroup *group, const SsId *id)
{
  unsigned low = 0, high = ss_group_child_count (group);
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (ss_id_compare (&ss_group_child_at (group, middle)->contact.id, id) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

SsChild *
ss_group_child_find (const SsGroup *group, const SsId *id)
{
  unsigned index = child_lower_bound (group, id);
  if (index == ss_group_child_count (group))
    return NULL;
  SsChild *child = ss_group_child_at (group, index);
  return ss_id_equal (&child->contact.id, id) ? child : NULL;
}

static bool
find_moved (const SsGroup *group, uint32_t prefix, unsigned *ret_index)
{
  for (unsigned i = 0; group->moved && i < group->moved->len; i++)
    if (g_array_index (group->moved, SsMoved, i).prefix == prefix) {
      *ret_index = i;
      return true;
    }
  return false;
}

static uint32_t
seconds (const SsGroup *group)
{
  return (uint32_t) (group->scribe->env->now / SS_SEC);
}

/* Not for ever: it may have left, or died, and whoever is sent there asks in
 * vain. */
bool
ss_group_child_has_moved (const SsGroup *group, uint32_t prefix)
{
  unsigned index;
  return find_moved (group, prefix, &index)
         && seconds (group) - g_array_index (group->moved, SsMoved, index).since
                < SS_GROUP_MOVED_TIME / SS_SEC;
}

/* It is a child again, or the last of those that have moved. */
static void
forget_moved (SsGroup *group, uint32_t prefix)
{
  unsigned index;
  if (find_moved (group, prefix, &index))
    g_array_remove_index (group->moved, index);
}

void
ss_group_child_moved (SsGroup *group, const SsId *id)
{
  SsMoved moved = { ss_prefix_of (id), seconds (group) };
  ss_group_child_remove (group, id);
  if (!group->moved)
    group->moved = g_array_new (FALSE, FALSE, sizeof moved);
  forget_moved (group, moved.prefix);
  if (group->moved->len == SS_GROUP_MOVED_MAX)
    g_array_remove_index (group->moved, 0);
  g_array_append_val (group->moved, moved);
}

SsChild *
ss_group_child_add (SsGroup *group, const SsContact *contact)
{
  SsChild *child = ss_group_child_find (group, &contact->id);
  if (!child) {
    if (!group->children)
      group->children = g_array_sized_new (FALSE, TRUE, sizeof (SsChild), 2);
    unsigned index = child_lower_bound (group, &contact->id);
    g_array_insert_val (group->children, index, (SsChild){ 0 });
    child = ss_group_child_at (group, index);
    ss_family_count_child (group);
    ss_neighbour_serve (group->scribe, contact);
  } else if (child->shed_until != 0) {
    ss_family_count_child (group);
    group->family->n_shed--;
  }
  ss_neighbour_get (group->scribe, contact);
  forget_moved (group, ss_prefix_of (&contact->id));
  SsTime now = group->scribe->env->now;
  g_free (child->below);
  *child = (SsChild){ .contact = *contact, .since = now, .heard = now };
  group->idle_since = -1;
  group->is_spent = false;
  return child;
}

void
ss_group_child_set_member (SsChild *child, bool is_member,
                           const SsContact *below)
{
  g_free (child->below);
  child->below = below ? g_memdup2 (below, sizeof *below) : NULL;
  child->is_member = is_member;
}

void
ss_group_child_remove (SsGroup *group, const SsId *id)
{
  SsChild *child = ss_group_child_find (group, id);
  if (!child)
    return;
  if (child->shed_until == 0)
    ss_family_uncount_child (group);
  else
    group->family->n_shed--;
  ss_neighbour_unserve (group->scribe, id);
  g_free (child->below);
  g_array_remove_index (group->children, child_lower_bound (group, id));
  if (group->children->len == 0)
    group->idle_since = group->scribe->env->now;
}

void
ss_group_child_shed (SsGroup *group, SsChild *child)
{
  if (child->shed_until == 0) {
    ss_family_uncount_child (group);
    group->family->n_shed++;
  }
  child->shed_until = group->scribe->env->now + SS_SHED_TIME;
  child->sent_to = 0;
}
