/* The families of groups: what groups of one kind share, above all the bound
 * on their children (SplitStream, SOSP 2003, section 3.3). */
#include "scribe/internal.h"

SsFamily *
ss_family_make (SsScribe *scribe, const SsFamilyConfig *config)
{
  g_assert (config->info_len <= SS_SCRIBE_INFO_MAX);
  SsFamily *family = g_new0 (SsFamily, 1);
  family->scribe = scribe;
  family->config = *config;
  family->since = scribe->env->now;
  if (family->config.children_max == 0)
    family->config.children_max = SS_FAMILY_CHILDREN;
  if (family->config.children_hard == 0)
    family->config.children_hard =
        family->config.children_max * SS_FAMILY_HARD_FACTOR;
  family->window = SS_WANT_WINDOW;
  if (family->config.history_max == 0)
    family->config.history_max = SS_GROUP_HISTORY;
  return family;
}

SsFamily *
ss_family_adopted (SsScribe *scribe, bool is_ordered)
{
  SsFamily **family = is_ordered ? &scribe->adopted_ordered : &scribe->adopted;
  SsFamilyConfig config = {
    .mode = is_ordered ? SS_GROUP_ORDERED : SS_GROUP_LIVE,
  };
  if (*family == NULL)
    *family = ss_family_make (scribe, &config);
  return *family;
}

SsFamily *
ss_family_new (SsScribe *scribe, const SsFamilyConfig *config)
{
  SsFamily *family = ss_family_make (scribe, config);
  g_ptr_array_add (scribe->families, family);
  return family;
}

void
ss_family_free (SsFamily *family)
{
  if (!family)
    return;
  SsScribe *scribe = family->scribe;
  ss_scribe_enter (scribe);
  SsGroup *group = NULL;
  for (SsId at; (group = ss_group_after (scribe, group ? &at : NULL));) {
    at = group->id;
    if (group->family != family)
      continue;
    ss_shed_all (group, group->has_parent ? &group->parent : NULL);
    ss_upstream_leave (group);
    ss_group_drop (group);
    group->family = ss_family_adopted (scribe, false); /* this one is going */
  }
  ss_scribe_exit (scribe);
  g_ptr_array_remove (scribe->families, family); /* which frees it */
}

void
ss_family_set_source (SsFamily *family, const SsContact *source)
{
  if (family->has_source && ss_contact_equal (&family->source, source)) {
    family->source = *source;
    return;
  }
  family->source = *source;
  family->has_source = true;
  for (unsigned i = 0; i < family->scribe->groups->len; i++) {
    SsGroup *group = g_ptr_array_index (family->scribe->groups, i);
    if (group->family == family)
      ss_place_settle (group);
  }
}

unsigned
ss_family_n_children (const SsFamily *family)
{
  return family->n_children;
}

unsigned
ss_family_n_taken (const SsFamily *family)
{
  unsigned n = family->n_children;
  for (unsigned i = 0; i < SS_KEPT_MAX; i++)
    n += family->scribe->env->now < family->kept[i].until;
  return n;
}

unsigned
ss_family_children_max (const SsFamily *family)
{
  return family->config.children_max;
}

void
ss_family_set_bound (SsFamily *family, unsigned children_max)
{
  SsScribe *scribe = family->scribe;
  family->config.children_max = family->config.children_hard = children_max;
  if (family->n_children > children_max)
    family->over_since = scribe->env->now;
  for (SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id))
    if (group->family == family)
      ss_group_arm (group);
}

void
ss_family_clear_bound (SsFamily *family)
{
  ss_family_set_bound (family, SS_FAMILY_CHILDREN);
  family->config.children_hard = SS_FAMILY_CHILDREN * SS_FAMILY_HARD_FACTOR;
}

void
ss_family_stand_aside (SsFamily *family)
{
  unsigned hard = family->config.children_hard;
  family->is_aside = true;
  ss_family_set_bound (family, 0);
  family->config.children_hard = hard;
}

void
ss_family_set_wait (SsFamily *family, SsTime wait)
{
  family->wait = wait;
  family->window = wait > 0 ? SS_WANT_WINDOW_LATE
                            : MIN (family->window + 1, SS_WANT_WINDOW_MAX);
}

void
ss_family_set_late (SsFamily *family, bool is_late)
{
  SsScribe *scribe = family->scribe;
  family->is_late = is_late;
  if (!is_late || !family->has_source || family->config.is_source)
    return;
  ss_scribe_enter (scribe);
  for (SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id))
    if (group->family == family)
      ss_aside_yield (group);
  ss_scribe_exit (scribe);
}

/* As told to others. A bound of 0: there is none, or none of their business;
 * who can carry nobody is full with one. */
uint16_t
ss_family_load (const SsFamily *family)
{
  unsigned least = family->config.children_max == 0 ? 1 : 0;
  return (uint16_t) CLAMP (ss_family_n_taken (family), least, UINT16_MAX);
}

uint16_t
ss_family_load_max (const SsFamily *family)
{
  if (family->config.is_source || family->config.is_light)
    return 0;
  return (uint16_t) CLAMP (family->config.children_max, 1, UINT16_MAX);
}

bool
ss_family_has_room (const SsFamily *family)
{
  return ss_family_n_taken (family) < family->config.children_max;
}

void
ss_family_count_child (SsGroup *group)
{
  SsFamily *family = group->family;
  if (family->n_children++ == family->config.children_max)
    family->over_since = family->scribe->env->now;
  family->n_settled += group->is_settled;
}

void
ss_family_uncount_child (SsGroup *group)
{
  group->family->n_children--;
  group->family->n_settled -= group->is_settled;
}
