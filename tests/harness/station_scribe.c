/* The fake Scribe under stations: every member gets what its source publishes
 * straight from it. */
#include "tests/harness/station_world_private.h"

#include <string.h>

SsScribe *
ss_scribe_new (SsEnv *env, SsKbr *kbr, SsProtocol protocol,
               const SsScribeApp *app, void *app_user)
{
  SsScribe *scribe = g_new0 (SsScribe, 1);
  scribe->node = (StationNode *) (void *) kbr;
  scribe->app = app;
  scribe->app_user = app_user;
  scribe->families = g_ptr_array_new ();
  scribe->groups = g_ptr_array_new ();
  return scribe;
}

void
station_scribe_free_group (SsGroup *group)
{
  g_ptr_array_remove (group->scribe->groups, group);
  g_hash_table_unref (group->history);
  g_hash_table_unref (group->wanted);
  g_free (group);
}

void
ss_scribe_free (SsScribe *scribe)
{
  while (scribe->groups->len > 0)
    station_scribe_free_group (g_ptr_array_index (scribe->groups, 0));
  while (scribe->families->len > 0)
    ss_family_free (g_ptr_array_index (scribe->families, 0));
  g_ptr_array_unref (scribe->groups);
  g_ptr_array_unref (scribe->families);
  g_free (scribe);
}

void
ss_scribe_timer (SsTimer *timer)
{
  g_assert_not_reached ();
}

void
ss_scribe_leave_all (SsScribe *scribe)
{
}

bool
ss_scribe_is_serving (const SsScribe *scribe)
{
  return false;
}

SsFamily *
ss_family_new (SsScribe *scribe, const SsFamilyConfig *config)
{
  SsFamily *family = g_new0 (SsFamily, 1);
  family->scribe = scribe;
  family->config = *config;
  if (config->children_max == 0)
    family->config.children_max = SS_FAMILY_CHILDREN;
  g_ptr_array_add (scribe->families, family);
  return family;
}

void
ss_family_free (SsFamily *family)
{
  if (family == NULL)
    return;
  SsScribe *scribe = family->scribe;
  for (unsigned i = scribe->groups->len; i-- > 0;) {
    SsGroup *group = g_ptr_array_index (scribe->groups, i);
    if (group->family == family)
      station_scribe_free_group (group);
  }
  g_ptr_array_remove (scribe->families, family);
  g_free (family);
}

void
ss_family_set_source (SsFamily *family, const SsContact *source)
{
}

unsigned
ss_family_neighbours (const SsFamily *family, SsContact *ret_contacts,
                      unsigned max)
{
  StationWorld *world = family->scribe->node->world;
  unsigned n = 0;
  for (unsigned i = 0; i < world->n_nodes && n < max; i++) {
    StationNode *node = world->nodes[i];
    if (node != family->scribe->node && node->is_alive && node->station != NULL)
      ret_contacts[n++] = node->self;
  }
  return n;
}

SsGroup *
ss_scribe_find (const SsScribe *scribe, const SsId *id)
{
  for (unsigned i = 0; i < scribe->groups->len; i++) {
    SsGroup *group = g_ptr_array_index (scribe->groups, i);
    if (ss_id_equal (&group->id, id))
      return group;
  }
  return NULL;
}

SsGroup *
station_scribe_group (SsScribe *scribe, const SsId *id)
{
  SsGroup *group = g_new0 (SsGroup, 1);
  group->scribe = scribe;
  group->id = *id;
  group->history =
      g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_bytes_unref);
  group->wanted = g_hash_table_new (NULL, NULL);
  g_ptr_array_add (scribe->groups, group);
  return group;
}

SsGroup *
ss_group_open (SsFamily *family, const SsId *id, void *user)
{
  SsGroup *group = ss_scribe_find (family->scribe, id);
  g_assert (group == NULL || !group->is_member); /* it may have left it */
  if (group == NULL)
    group = station_scribe_group (family->scribe, id);
  group->family = family;
  group->user = user;
  return group;
}

void
ss_group_set_user (SsGroup *group, SsFamily *family, void *user)
{
  group->family = family;
  group->user = user;
}

void
ss_group_join (SsGroup *group)
{
  group->is_member = true;
}

void
station_scribe_keep (SsGroup *group, uint32_t sequence, GBytes *packet)
{
  g_hash_table_insert (group->history, GUINT_TO_POINTER (sequence),
                       g_bytes_ref (packet));
}

void
ss_group_publish (SsGroup *group, uint32_t sequence, GBytes *packet,
                  SsTime give_up)
{
  StationNode *node = group->scribe->node;
  StationWorld *world = node->world;
  unsigned stripe = ss_id_digit (&group->id, 0);
  g_assert_cmpuint (g_bytes_get_size (packet), <=, SS_SCRIBE_PACKET_MAX);
  station_scribe_keep (group, sequence, packet);
  bool may_lose = world->options.loss_stripes == 0
                  || (world->options.loss_stripes >> stripe & 1) != 0;
  for (unsigned i = 0; i < world->n_nodes; i++)
    if (i != node->index
        && (!may_lose || ss_rng_unit (&world->rng) >= world->options.loss))
      station_world_schedule (world,
                              &(Event){ .kind = EVENT_PACKET,
                                        .from = node->index,
                                        .to = i,
                                        .group = group->id,
                                        .sequence = sequence,
                                        .via = SS_VIA_TREE,
                                        .bytes = packet },
                              station_world_travel (world));
}

void
ss_group_inject (SsGroup *group, uint32_t sequence, GBytes *packet,
                 bool history_only)
{
  station_scribe_keep (group, sequence, packet);
}

bool
ss_group_want (SsGroup *group, uint32_t sequence, SsTime deadline)
{
  StationNode *node = group->scribe->node;
  g_assert_false (
      g_hash_table_contains (group->history, GUINT_TO_POINTER (sequence)));
  node->n_wants++;
  g_hash_table_add (group->wanted, GUINT_TO_POINTER (sequence));
  station_world_schedule (node->world,
                          &(Event){ .kind = EVENT_WANT,
                                    .to = node->index,
                                    .group = group->id,
                                    .sequence = sequence,
                                    .deadline = deadline },
                          station_world_travel (node->world));
  return true;
}

void
ss_group_unwant (SsGroup *group, uint32_t sequence)
{
  g_hash_table_remove (group->wanted, GUINT_TO_POINTER (sequence));
}

/* Nobody dies here. */
void
ss_group_ask (SsGroup *group, uint32_t sequence)
{
  (void) group;
  (void) sequence;
}

void
ss_group_overdue (SsGroup *group)
{
}

void
ss_group_seek_sooner (SsGroup *group, SsTime gain)
{
}

void
ss_group_reset (SsGroup *group, uint32_t first_sequence)
{
  g_hash_table_remove_all (group->history);
  g_hash_table_remove_all (group->wanted);
}

GBytes *
ss_group_history (const SsGroup *group, uint32_t sequence)
{
  return g_hash_table_lookup (group->history, GUINT_TO_POINTER (sequence));
}

unsigned
ss_group_n_unacknowledged (const SsGroup *group)
{
  return 0;
}

bool
ss_group_is_root (const SsGroup *group)
{
  return group->scribe->node->roots >> ss_id_digit (&group->id, 0) & 1;
}

bool
ss_group_is_top (const SsGroup *group)
{
  return ss_group_is_root (group);
}

bool
ss_group_is_orphan (const SsGroup *group)
{
  return false;
}

bool
ss_group_in_tree (const SsGroup *group)
{
  return group->is_member;
}

const SsContact *
ss_group_parent (const SsGroup *group)
{
  return NULL;
}

const SsContact *
ss_group_root (const SsGroup *group)
{
  return NULL;
}

void
ss_family_set_bound (SsFamily *family, unsigned children_max)
{
  family->config.children_max = children_max;
}

void
ss_family_stand_aside (SsFamily *family)
{
  family->config.children_max = 0;
}

void
ss_family_set_wait (SsFamily *family, SsTime wait)
{
  (void) family, (void) wait;
}

void
ss_family_set_late (SsFamily *family, bool is_late)
{
  (void) family, (void) is_late;
}

void
ss_family_clear_bound (SsFamily *family)
{
  family->config.children_max = SS_FAMILY_CHILDREN;
}

unsigned
ss_family_n_taken (const SsFamily *family)
{
  const StationNode *node = family->scribe->node;
  unsigned n_free = node->has_room ? 1 + node->n_more_places : 0;
  return family->config.children_max - n_free;
}

unsigned
ss_family_children_max (const SsFamily *family)
{
  return family->config.children_max;
}

/* Everybody gets packets from the source, and has what children the test
 * says. */
bool
ss_family_has_room (const SsFamily *family)
{
  return family->scribe->node->has_room;
}

SsGroup *
ss_group_carry (SsFamily *family, const SsId *id, void *user)
{
  return ss_group_open (family, id, user);
}

bool
ss_group_has_room_for (const SsGroup *group, const SsContact *joiner)
{
  return group->scribe->node->has_room;
}

bool
ss_group_may_take (const SsGroup *group, const SsContact *joiner)
{
  return true;
}

bool
ss_group_has_child (const SsGroup *group, const SsId *id)
{
  return ss_id_equal (&group->scribe->node->child, id);
}

void
ss_group_give (SsGroup *group, const SsContact *to, unsigned n)
{
  StationNode *node = group->scribe->node;
  node->given_stripe = ss_id_digit (&group->id, 0);
  node->n_handed += n;
}

bool
ss_group_offer (SsGroup *take, SsGroup *give, const SsContact *partner,
                unsigned n, SsTime until)
{
  StationNode *node = take->scribe->node;
  node->offered[0] = ss_id_digit (&take->id, 0);
  node->offered[1] = ss_id_digit (&give->id, 0);
  node->n_offered += n;
  return true;
}

bool
ss_group_advise (SsGroup *group, const SsContact *better)
{
  StationNode *node = group->scribe->node;
  node->advised_stripe = ss_id_digit (&group->id, 0);
  node->n_advised += node->n_children[node->advised_stripe];
  return true;
}

bool
ss_group_is_member (const SsGroup *group)
{
  return group->is_member;
}

void
ss_group_leave (SsGroup *group)
{
  group->is_member = false;
}

bool
station_node_find_place (StationNode *node, unsigned stripe)
{
  SsGroup *group = node->station->stripes[stripe].group;
  station_node_wake (node);
  return group->scribe->app->homeless (group->user, group);
}

void
ss_group_try (SsGroup *group, const SsContact *parent)
{
  StationNode *node = group->scribe->node;
  if (parent) {
    node->tried = *parent;
    node->n_tried++;
  } else {
    node->n_tried_nobody++;
  }
}

uint32_t
ss_scribe_anycast (SsScribe *scribe, const SsId *group_id, unsigned wanted,
                   const uint8_t *data, size_t len)
{
  g_assert_cmpuint (len, <=, sizeof scribe->node->question);
  if (len == SS_STRIPES)
    return EXCHANGES + ++scribe->node->n_exchanges;
  memcpy (scribe->node->question, data, len);
  return ++scribe->node->n_searches;
}

void
ss_scribe_anycast_cancel (SsScribe *scribe, uint32_t anycast)
{
}

unsigned
ss_group_depth (const SsGroup *group)
{
  return 1;
}

unsigned
ss_group_n_children (const SsGroup *group)
{
  return group->scribe->node->n_children[ss_id_digit (&group->id, 0)];
}

unsigned
ss_group_n_reparented (const SsGroup *group)
{
  return 0;
}
