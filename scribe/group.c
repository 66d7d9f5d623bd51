/* A group on one node: its place in the table, its making and end, its timer
 * and its path. */
#include <string.h>

#include "scribe/internal.h"

/* Groups in the table. */

uint32_t
ss_prefix_of (const SsId *id)
{
  return (uint32_t) id->b[0] << 24 | (uint32_t) id->b[1] << 16
         | (uint32_t) id->b[2] << 8 | id->b[3];
}

uint64_t
ss_tag_number (const SsId *id)
{
  return (uint64_t) ss_prefix_of (id) << 8 | id->b[4];
}

/* Index of the first group whose id is not less than *id. */
static unsigned
lower_bound (const SsScribe *scribe, const SsId *id)
{
  unsigned low = 0, high = scribe->groups->len;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    const SsGroup *group = g_ptr_array_index (scribe->groups, middle);
    if (ss_id_compare (&group->id, id) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

SsGroup *
ss_scribe_find (const SsScribe *scribe, const SsId *id)
{
  unsigned index = lower_bound (scribe, id);
  if (index == scribe->groups->len)
    return NULL;
  SsGroup *group = g_ptr_array_index (scribe->groups, index);
  return ss_id_equal (&group->id, id) ? group : NULL;
}

/* The stripes of a station differ in the first digit. */
static SsGroup **
place_of_met (const SsScribe *scribe, const uint8_t tag[SS_TAG_LEN])
{
  return &scribe->hints->met[tag[0] >> 4];
}

SsGroup *
ss_group_by_tag (const SsScribe *scribe, const uint8_t tag[SS_TAG_LEN])
{
  if (scribe->groups->len == 0)
    return NULL;
  SsGroup **met = place_of_met (scribe, tag);
  if (*met && memcmp ((*met)->id.b, tag, SS_TAG_LEN) == 0)
    return *met;
  SsId least = { { 0 } };
  memcpy (least.b, tag, SS_TAG_LEN);
  unsigned index = lower_bound (scribe, &least);
  if (index == scribe->groups->len)
    return NULL;
  SsGroup *group = g_ptr_array_index (scribe->groups, index);
  if (memcmp (group->id.b, tag, SS_TAG_LEN) != 0)
    return NULL;
  *met = group;
  return group;
}

SsGroup *
ss_group_by_tag_number (const SsScribe *scribe, uint64_t number)
{
  uint8_t tag[SS_TAG_LEN];
  for (unsigned i = 0; i < SS_TAG_LEN; i++)
    tag[i] = (uint8_t) (number >> (8 * (SS_TAG_LEN - 1 - i)));
  return ss_group_by_tag (scribe, tag);
}

static bool
has_at (const SsScribe *scribe, unsigned index, const SsId *id)
{
  if (index >= scribe->groups->len)
    return false;
  const SsGroup *group = g_ptr_array_index (scribe->groups, index);
  return ss_id_equal (&group->id, id);
}

SsGroup *
ss_group_after (const SsScribe *scribe, const SsId *id)
{
  unsigned index = 0;
  if (scribe->groups->len == 0)
    return NULL;
  if (id) { /* mostly that of the last that was given, in a loop */
    index = scribe->hints->walked;
    if (!has_at (scribe, index, id))
      index = lower_bound (scribe, id);
    index += has_at (scribe, index, id);
  }
  scribe->hints->walked = index;
  return index < scribe->groups->len ? g_ptr_array_index (scribe->groups, index)
                                     : NULL;
}

SsGroup *
ss_group_new (SsScribe *scribe, SsFamily *family, const SsId *id)
{
  if (!scribe->hints)
    scribe->hints = g_new0 (SsGroupHints, 1);
  SsGroup *group = g_new0 (SsGroup, 1);
  group->scribe = scribe;
  group->family = family;
  group->id = *id;
  group->idle_since = scribe->env->now;
  group->root_until = group->left = group->advised = -1;
  group->find_next = group->root_check = group->orphan_since = SS_NEVER;
  ss_timer_init (&group->timer, SS_LAYER_SCRIBE, SS_SCRIBE_TIMER_GROUP);
  g_ptr_array_insert (scribe->groups, (int) lower_bound (scribe, id), group);
  ss_place_settle (group);
  ss_group_arm (group);
  return group;
}

void
ss_group_drop (SsGroup *group)
{
  if (group->is_dead)
    return;
  SsScribe *scribe = group->scribe;
  group->is_dead = true;
  ss_timers_disarm (&scribe->env->timers, &group->timer);
  ss_publish_clear (group);
  ss_submit_gone (group);
  if (group->has_parent)
    ss_neighbour_untake (group);
  while (ss_group_child_count (group) > 0)
    ss_group_child_remove (group, &ss_group_child_at (group, 0)->contact.id);
  g_ptr_array_remove_index (scribe->groups, lower_bound (scribe, &group->id));
  if (*place_of_met (scribe, group->id.b) == group)
    *place_of_met (scribe, group->id.b) = NULL;
  g_ptr_array_add (scribe->dead, group);
}

void
ss_group_abandon (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  ss_upstream_leave (group);
  ss_group_drop (group);
  if (scribe->app.abandoned)
    scribe->app.abandoned (group->user, group);
}

static void
free_array (GArray *array)
{
  if (array)
    g_array_free (array, TRUE);
}

void
ss_group_free (SsGroup *group)
{
  ss_history_clear (group);
  free_array (group->children);
  free_array (group->moved);
  free_array (group->pending);
  free_array (group->wants);
  free_array (group->askers);
  free_array (group->outbox);
  ss_ordered_free (group->ordered);
  if (group->info)
    g_bytes_unref (group->info);
  g_free (group->path);
  g_free (group->join);
  g_free (group->service);
  g_free (group->aside);
  g_free (group);
}

SsGroup *
ss_group_open (SsFamily *family, const SsId *id, void *user)
{
  SsScribe *scribe = family->scribe;
  SsGroup *group = ss_scribe_find (scribe, id);
  if (!group && scribe->groups->len >= SS_SCRIBE_OPEN_MAX)
    return NULL;
  if (!group)
    group = ss_group_new (scribe, family, id);
  ss_group_set_user (group, family, user);
  group->is_open = true;
  return group;
}

/* Its mode was what another had named. */
static void
begin_ordered (SsGroup *group)
{
  ss_scribe_enter (group->scribe);
  if (group->is_root)
    ss_ordered_become_root (group);
  else if (group->has_parent)
    ss_ordered_reparented (group);
  ss_group_arm (group);
  ss_scribe_exit (group->scribe);
}

void
ss_group_set_user (SsGroup *group, SsFamily *family, void *user)
{
  bool was_ordered = ss_group_is_ordered (group);
  if (group->family != family) {
    unsigned n = ss_group_n_children (group);
    unsigned n_shed = ss_group_child_count (group) - n;
    group->family->n_children -= n;
    group->family->n_settled -= group->is_settled ? n : 0;
    group->family->n_shed -= n_shed;
    if (group->family->has_source && !family->has_source)
      ss_family_set_source (family, &group->family->source);
    group->family = family;
    if (family->config.is_owned)
      ss_log_drop_strangers (group);
    family->n_children += n;
    family->n_settled += group->is_settled ? n : 0;
    family->n_shed += n_shed;
    ss_place_settle (group);
  }
  group->user = user;
  if (!was_ordered && ss_group_is_ordered (group))
    begin_ordered (group);
}

void
ss_group_join (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  ss_scribe_enter (scribe);
  bool is_new = !group->is_member;
  group->is_open = group->is_member = true;
  if (is_new)
    ss_log_replay (group);
  if (!group->is_dead && !ss_group_in_tree (group) && !scribe->is_leaving)
    ss_join_start (group, NULL);
  ss_scribe_exit (scribe);
}

SsGroup *
ss_group_carry (SsFamily *family, const SsId *id, void *user)
{
  SsScribe *scribe = family->scribe;
  ss_scribe_enter (scribe);
  SsGroup *group = ss_scribe_find (scribe, id);
  if (!group && scribe->groups->len < SS_SCRIBE_GROUPS_MAX)
    group = ss_group_new (scribe, family, id);
  if (!group) {
    ss_scribe_exit (scribe);
    return NULL;
  }
  ss_group_set_user (group, family, user);
  if (!group->is_dead && !ss_group_in_tree (group) && !scribe->is_leaving)
    ss_join_start (group, NULL);
  ss_scribe_exit (scribe);
  return group;
}

void
ss_group_leave (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  ss_scribe_enter (scribe);
  group->is_open = group->is_member = false;
  if (group->wants)
    g_array_set_size (group->wants, 0);
  if (ss_group_child_count (group) == 0 && !group->is_root) {
    ss_upstream_leave (group);
    ss_group_drop (group);
  } else if (group->idle_since >= 0) {
    group->idle_since = scribe->env->now;
  }
  if (!group->is_dead)
    ss_group_arm (group);
  ss_scribe_exit (scribe);
}

SsGroup *
ss_group_adopt (SsScribe *scribe, const SsId *id, const SsWireBytes *info,
                bool is_root, bool is_ordered)
{
  if (scribe->groups->len >= SS_SCRIBE_GROUPS_MAX || scribe->is_leaving
      || ss_group_by_tag (scribe, id->b))
    return NULL;
  SsGroup *group =
      ss_group_new (scribe, ss_family_adopted (scribe, is_ordered), id);
  void *user = NULL;
  if (!scribe->app.adopt
      || !scribe->app.adopt (scribe->app_user, id, info->data, info->len,
                             is_root, group, &user)) {
    if (!group->is_dead)
      ss_group_drop (group);
    return NULL;
  }
  if (group->is_dead)
    return NULL;
  if (user)
    group->user = user;
  if (!ss_group_has_own_family (group))
    group->info = g_bytes_new (info->data, info->len);
  return group;
}

bool
ss_group_has_own_family (const SsGroup *group)
{
  return group->family != group->scribe->adopted
         && group->family != group->scribe->adopted_ordered;
}

bool
ss_group_is_ordered (const SsGroup *group)
{
  return group->family->config.mode == SS_GROUP_ORDERED;
}

bool
ss_group_is_closest (const SsGroup *group)
{
  return ss_kbr_is_root (group->scribe->kbr, &group->id,
                         !ss_group_is_ordered (group));
}

void
ss_group_info (const SsGroup *group, SsWireBytes *ret_info)
{
  if (group->info) {
    gsize len;
    ret_info->data = g_bytes_get_data (group->info, &len);
    ret_info->len = (uint16_t) len;
  } else {
    ret_info->data = group->family->config.info;
    ret_info->len = (uint16_t) group->family->config.info_len;
  }
}

/* Timer. */

/* When it has had no child for so long that it is not needed; not while it has
 * something to send, or somebody waits until it has a parent itself. */
static SsTime
idle_end (const SsGroup *group)
{
  if (group->is_open || group->idle_since < 0
      || (group->pending && group->pending->len > 0)
      || (group->outbox && group->outbox->len > 0))
    return SS_NEVER;
  SsTime patience =
      group->family->config.is_light ? SS_GROUP_IDLE_LIGHT : SS_GROUP_IDLE;
  return group->idle_since + (group->is_spent ? 0 : patience);
}

void
ss_group_settle (SsGroup *group)
{
  if (!group->is_dead && group->scribe->env->now >= idle_end (group))
    ss_group_abandon (group);
}

void
ss_group_arm (SsGroup *group)
{
  if (group->is_dead)
    return;
  SsTime at = MIN (ss_want_deadline (group), ss_publish_deadline (group));
  at = MIN (at, ss_ordered_deadline (group));
  at = MIN (at, MIN (group->find_next, group->root_check));
  at = MIN (at, ss_aside_deadline (group));
  if (group->join)
    at = MIN (at, group->join->answer_by);
  at = MIN (at, ss_upstream_orphan_deadline (group));
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    at = MIN (at, child->shed_until ? child->shed_until
                                    : child->heard + SS_CHILD_SILENT);
  }
  at = MIN (at, ss_shed_deadline (group));
  if (group->pending && group->pending->len > 0)
    at = MIN (at, g_array_index (group->pending, SsPendingJoin, 0).until);
  at = MIN (at, idle_end (group));
  if (group->root_until >= 0)
    at = MIN (at, group->root_until);
  if (group->scribe->is_leaving)
    at = MIN (at, group->scribe->leave_until);
  ss_timers_arm (&group->scribe->env->timers, &group->timer, at);
}

void
ss_group_timer (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsTime now = scribe->env->now;
  if (group->root_until >= 0 && now >= group->root_until) {
    group->root_until = -1;
    ss_upstream_check_root (group);
  }
  if (now >= group->root_check) {
    group->root_check = SS_NEVER;
    ss_upstream_check_root (group);
  }
  if (scribe->is_leaving && now >= scribe->leave_until) {
    ss_group_abandon (group);
    return;
  }
  if (group->join && now >= group->join->answer_by)
    ss_join_due (group);
  if (!group->is_dead)
    ss_upstream_orphan_due (group);
  if (!group->is_dead)
    ss_parent_due (group);
  if (!group->is_dead)
    ss_aside_due (group);
  if (!group->is_dead)
    ss_publish_due (group);
  if (!group->is_dead)
    ss_want_due (group);
  if (!group->is_dead)
    ss_ordered_due (group);
  ss_group_settle (group);
  ss_group_arm (group);
}

void
ss_group_know_source (SsGroup *group, const SsPeerRecord *record)
{
  if (group->family->has_source || group->family->config.is_source)
    return;
  if (!ss_group_has_own_family (group))
    return; /* it is shared by strangers */
  SsContact source = ss_contact_from_record (record);
  ss_family_set_source (group->family, &source);
}

void
ss_group_set_path (SsGroup *group, const uint32_t *path, unsigned n_path)
{
  g_assert (n_path < SS_GROUP_DEPTH_MAX);
  group->path = g_renew (uint32_t, group->path, n_path + 1);
  if (n_path > 0)
    memcpy (group->path, path, n_path * sizeof *path);
  group->path[n_path] = ss_prefix_of (ss_scribe_self (group->scribe));
  group->n_path = (uint8_t) (n_path + 1);
}

bool
ss_group_on_path (const SsGroup *group, const SsId *id)
{
  uint32_t prefix = ss_prefix_of (id);
  for (unsigned i = 0; i < group->n_path; i++)
    if (group->path[i] == prefix)
      return true;
  return false;
}

/* Accessors. */

const SsId *
ss_group_id (const SsGroup *group)
{
  return &group->id;
}

void *
ss_group_user (const SsGroup *group)
{
  return group->user;
}

bool
ss_group_is_root (const SsGroup *group)
{
  return group->is_root;
}

bool
ss_group_is_top (const SsGroup *group)
{
  return group->is_root
         || (group->has_parent && group->family->has_source
             && ss_contact_equal (&group->parent, &group->family->source));
}

bool
ss_group_is_member (const SsGroup *group)
{
  return group->is_member;
}

bool
ss_group_in_tree (const SsGroup *group)
{
  return group->is_root || group->has_parent;
}

bool
ss_group_is_orphan (const SsGroup *group)
{
  return group->is_orphan;
}

const SsContact *
ss_group_parent (const SsGroup *group)
{
  return group->has_parent ? &group->parent : NULL;
}

const SsContact *
ss_group_root (const SsGroup *group)
{
  if (group->is_root)
    return ss_kbr_self (group->scribe->kbr);
  return group->has_root ? &group->root : NULL;
}

unsigned
ss_group_n_children (const SsGroup *group)
{
  unsigned n = 0;
  for (unsigned i = 0; i < ss_group_child_count (group); i++)
    n += ss_group_child_at (group, i)->shed_until == 0;
  return n;
}

unsigned
ss_group_children (const SsGroup *group, SsContact *ret, unsigned max)
{
  unsigned n = 0;
  for (unsigned i = 0; i < ss_group_child_count (group) && n < max; i++)
    if (ss_group_child_at (group, i)->shed_until == 0)
      ret[n++] = ss_group_child_at (group, i)->contact;
  return n;
}

bool
ss_group_has_child (const SsGroup *group, const SsId *id)
{
  return ss_group_child_find (group, id) != NULL;
}

unsigned
ss_group_depth (const SsGroup *group)
{
  return group->n_path > 0 ? group->n_path - 1u : 0;
}

unsigned
ss_group_n_reparented (const SsGroup *group)
{
  return group->n_reparented;
}
