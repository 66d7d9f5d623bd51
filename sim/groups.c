/* The application: a packet's bytes are the number of its group. */
#include "sim/groups.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY      1
#define SEARCH_TIME  (15 * SS_SEC) /* longer than any search */
#define STEP         (5 * SS_MSEC)
#define UNKNOWN_NODE UINT32_MAX

typedef struct {
  SsGroups *groups;
  unsigned index;
  SsScribe *scribe;
  SsFamily *family;
  uint32_t search; /* under way; 0: none */
} Member;

typedef struct {
  SsId id;
  GArray *members; /* unsigned: in the order of joining */
  unsigned root;   /* of the multicast under way */
  SsTime sent;
  SsGroupsDelivery delivery;
} Group;

struct SsGroups {
  SsWorld *world;
  SsTruth *truth; /* whose id is whose */
  SsRng rng;
  GPtrArray *members; /* Member */
  GArray *groups;     /* Group */
  uint32_t round;     /* multicasts so far: their sequence */
  uint64_t *stress;   /* by link between routers, */
  uint64_t *stress_ip;
  uint64_t access, access_ip; /* and of all nodes' own links */
  SsGroupsAnycast found;      /* of the search under way */
  unsigned finder;
  bool has_ended;
};

static Group *
group_at (const SsGroups *groups, unsigned group)
{
  return &g_array_index (groups->groups, Group, group);
}

static Member *
member_at (const SsGroups *groups, unsigned node)
{
  return g_ptr_array_index (groups->members, node);
}

static unsigned
index_of (const SsGroups *groups, const SsId *id)
{
  unsigned place = ss_truth_place (groups->truth, id);
  const SsTruthEntry *entry = ss_truth_at (groups->truth, place);

  return ss_id_equal (&entry->id, id) ? entry->index : UNKNOWN_NODE;
}

/* Scribe's upcalls. */

static void
count_way (SsGroups *groups, unsigned from, unsigned to)
{
  unsigned links[SS_ROUTERS_PATH_MAX];
  unsigned n = ss_topology_path (groups->world->topology, from, to, links);

  for (unsigned i = 0; i < n; i++)
    groups->stress[links[i]]++;
  groups->access += 2;
}

static SsPacketVerdict
on_packet (void *user, SsGroup *group, uint32_t sequence, GBytes *packet,
           const SsContact *from, SsPacketVia via)
{
  const Member *member = user;
  SsGroups *groups = member->groups;
  uint32_t number;
  gsize len;
  const void *bytes = g_bytes_get_data (packet, &len);
  unsigned sender = index_of (groups, &from->id);

  g_assert (len == sizeof number);
  g_assert (sender != UNKNOWN_NODE);
  memcpy (&number, bytes, sizeof number);
  Group *at = group_at (groups, number);

  at->delivery.n_messages++;
  count_way (groups, sender, member->index);
  if (ss_group_history (group, sequence) != NULL)
    return SS_PACKET_DUPLICATE;
  if (ss_group_is_member (group)) {
    double delay = (double) (ss_world_now (groups->world) - at->sent);
    double direct =
        (double) ss_world_delay (groups->world, at->root, member->index);

    at->delivery.n_reached++;
    at->delivery.delay_mean += delay;
    at->delivery.delay_most = MAX (at->delivery.delay_most, delay);
    at->delivery.unicast_mean += direct;
    at->delivery.unicast_most = MAX (at->delivery.unicast_most, direct);
  }
  return SS_PACKET_NEW;
}

static bool
on_adopt (void *app, const SsId *id, const uint8_t *info, size_t info_len,
          bool is_root, SsGroup *group, void **ret_user)
{
  Member *member = app;

  ss_group_set_user (group, member->family, member);
  *ret_user = member;
  return true;
}

static bool
on_anycast (void *user, SsGroup *group, const SsContact *origin,
            const uint8_t *data, size_t len, uint8_t *ret_answer,
            size_t *ret_len)
{
  return true;
}

static void
on_answer (void *app, uint32_t anycast, const SsScribeAnswer *answer)
{
  const Member *member = app;
  SsGroups *groups = member->groups;

  if (anycast != member->search)
    return;
  groups->found.is_found = true;
  groups->found.hops = answer->hops;
  groups->finder = index_of (groups, &answer->member.id);
}

static void
on_end (void *app, uint32_t anycast, unsigned n_answers)
{
  const Member *member = app;

  if (anycast == member->search)
    member->groups->has_ended = true;
}

static const SsScribeApp app = {
  .packet = on_packet,
  .adopt = on_adopt,
  .anycast = on_anycast,
  .anycast_answer = on_answer,
  .anycast_end = on_end,
};

SsGroups *
ss_groups_new (SsWorld *world, unsigned children_max)
{
  SsGroups *groups = g_new0 (SsGroups, 1);
  unsigned n_links = MAX (ss_topology_n_links (world->topology), 1);
  const SsFamilyConfig config = {
    .mode = SS_GROUP_LIVE,
    .children_max = children_max,
    .history_max = HISTORY,
  };

  groups->world = world;
  groups->truth = ss_truth_new (world, true);
  groups->members = g_ptr_array_new_with_free_func (g_free);
  groups->groups = g_array_new (FALSE, TRUE, sizeof (Group));
  groups->stress = g_new0 (uint64_t, n_links);
  groups->stress_ip = g_new0 (uint64_t, n_links);
  ss_network_rng (world->network, "groups", 0, &groups->rng);
  for (unsigned i = 0; i < world->members->len; i++) {
    SsNode *node = ss_world_node (world, i);
    Member *member = g_new0 (Member, 1);

    *member = (Member){ .groups = groups, .index = i };
    member->scribe = ss_scribe_new (ss_node_env (node), ss_node_kbr (node),
                                    SS_GROUPS_PROTOCOL, &app, member);
    member->family = ss_family_new (member->scribe, &config);
    g_ptr_array_add (groups->members, member);
  }
  return groups;
}

void
ss_groups_free (SsGroups *groups)
{
  for (unsigned i = 0; i < groups->members->len; i++)
    ss_scribe_free (member_at (groups, i)->scribe);
  for (unsigned i = 0; i < groups->groups->len; i++)
    g_array_unref (group_at (groups, i)->members);
  g_ptr_array_unref (groups->members);
  g_array_unref (groups->groups);
  ss_truth_free (groups->truth);
  g_free (groups->stress);
  g_free (groups->stress_ip);
  g_free (groups);
}

unsigned
ss_groups_add (SsGroups *groups)
{
  Group group = { .members = g_array_new (FALSE, FALSE, sizeof (unsigned)) };

  ss_rng_bytes (&groups->rng, &group.id, sizeof group.id);
  g_array_append_val (groups->groups, group);
  return groups->groups->len - 1;
}

unsigned
ss_groups_n (const SsGroups *groups)
{
  return groups->groups->len;
}

/* The node, with its clock at the world's time, for a command. */
static Member *
wake (const SsGroups *groups, unsigned node)
{
  ss_node_tick (ss_world_node (groups->world, node),
                ss_world_now (groups->world));
  return member_at (groups, node);
}

void
ss_groups_join (SsGroups *groups, unsigned group, unsigned node)
{
  Group *at = group_at (groups, group);
  Member *member = wake (groups, node);

  g_array_append_val (at->members, node);
  ss_group_join (ss_group_open (member->family, &at->id, member));
  ss_network_touch (groups->world->network, node);
}

unsigned
ss_groups_n_members (const SsGroups *groups, unsigned group)
{
  return group_at (groups, group)->members->len;
}

unsigned
ss_groups_member (const SsGroups *groups, unsigned group, unsigned i)
{
  return g_array_index (group_at (groups, group)->members, unsigned, i);
}

unsigned
ss_groups_n_outside (const SsGroups *groups)
{
  unsigned n = 0;

  for (unsigned i = 0; i < groups->groups->len; i++)
    for (unsigned k = 0; k < ss_groups_n_members (groups, i); k++) {
      const Member *member =
          member_at (groups, ss_groups_member (groups, i, k));
      const SsGroup *group =
          ss_scribe_find (member->scribe, &group_at (groups, i)->id);

      n += group == NULL || !ss_group_in_tree (group);
    }
  return n;
}

/* Multicast. */

/* What IP multicast from the root would cross: the way to each member, but
 * no link twice. */
static void
count_ip (SsGroups *groups, const Group *group, uint32_t *marks, uint32_t mark)
{
  for (unsigned i = 0; i < group->members->len; i++) {
    unsigned links[SS_ROUTERS_PATH_MAX];
    unsigned to = g_array_index (group->members, unsigned, i);
    unsigned n =
        ss_topology_path (groups->world->topology, group->root, to, links);

    if (to == group->root)
      continue;
    groups->access_ip++;
    for (unsigned k = 0; k < n; k++) {
      groups->stress_ip[links[k]] += marks[links[k]] != mark;
      marks[links[k]] = mark;
    }
  }
  groups->access_ip++; /* the root's own */
}

static void
send (SsGroups *groups, unsigned number)
{
  Group *group = group_at (groups, number);
  uint32_t text = number;
  const SsTruthEntry *root =
      ss_truth_at (groups->truth, ss_truth_closest (groups->truth, &group->id));
  const Member *member = wake (groups, root->index);
  SsGroup *at = ss_scribe_find (member->scribe, &group->id);

  group->root = root->index;
  group->sent = ss_world_now (groups->world);
  group->delivery = (SsGroupsDelivery){ .n_members = group->members->len };
  for (unsigned i = 0; i < group->members->len; i++)
    group->delivery.n_members -=
        g_array_index (group->members, unsigned, i) == root->index;
  if (at == NULL || !ss_group_is_root (at))
    return; /* nobody is reached */
  GBytes *packet = g_bytes_new (&text, sizeof text);

  ss_group_inject (at, groups->round, packet, false);
  g_bytes_unref (packet);
  ss_network_touch (groups->world->network, root->index);
}

SsGroupsDelivery *
ss_groups_multicast (SsGroups *groups, SsTime wait)
{
  unsigned n = groups->groups->len;
  SsGroupsDelivery *deliveries = g_new0 (SsGroupsDelivery, n);
  uint32_t *marks =
      g_new0 (uint32_t, MAX (ss_topology_n_links (groups->world->topology), 1));

  groups->round++;
  for (unsigned i = 0; i < n; i++) {
    if (ss_groups_n_members (groups, i) == 0)
      continue;
    send (groups, i);
    count_ip (groups, group_at (groups, i), marks, i + 1);
    ss_world_run (groups->world, STEP);
  }
  ss_world_run (groups->world, wait);
  for (unsigned i = 0; i < n; i++) {
    SsGroupsDelivery *delivery = &deliveries[i];

    *delivery = group_at (groups, i)->delivery;
    delivery->delay_mean /= MAX (delivery->n_reached, 1);
    delivery->unicast_mean /= MAX (delivery->n_reached, 1);
  }
  g_free (marks);
  return deliveries;
}

void
ss_groups_stress (const SsGroups *groups, SsGroupsStress *ret_stress)
{
  unsigned n = ss_topology_n_links (groups->world->topology);
  SsGroupsStress stress = {
    .crossings = groups->access,
    .crossings_ip = groups->access_ip,
    .n_links = 2 * n,
  };

  for (unsigned i = 0; i < n; i++) {
    stress.crossings += groups->stress[i];
    stress.crossings_ip += groups->stress_ip[i];
    stress.most = MAX (stress.most, groups->stress[i]);
    stress.most_ip = MAX (stress.most_ip, groups->stress_ip[i]);
  }
  *ret_stress = stress;
}

/* The burden. */

static int
compare_unsigned (const void *a, const void *b)
{
  unsigned one = *(const unsigned *) a, other = *(const unsigned *) b;

  return (one > other) - (one < other);
}

static unsigned
median (unsigned *values, unsigned n)
{
  qsort (values, n, sizeof *values, compare_unsigned);
  return n > 0 ? values[n / 2] : 0;
}

void
ss_groups_burden (const SsGroups *groups, SsGroupsBurden *ret_burden)
{
  unsigned n = groups->members->len;
  unsigned *children = g_new0 (unsigned, n), *tables = g_new0 (unsigned, n);
  SsGroupsBurden burden = { .children_most = 0 };

  for (unsigned i = 0; i < n; i++) {
    const Member *member = member_at (groups, i);
    unsigned lone = 0;

    children[i] = ss_family_n_children (member->family);
    for (const SsGroup *group = ss_group_after (member->scribe, NULL); group;
         group = ss_group_after (member->scribe, ss_group_id (group))) {
      unsigned n_here = ss_group_n_children (group);

      tables[i] += n_here > 0;
      lone += n_here == 1 && !ss_group_is_member (group)
              && !ss_group_is_root (group);
    }
    burden.children_most = MAX (burden.children_most, children[i]);
    burden.tables_most = MAX (burden.tables_most, tables[i]);
    burden.lone_most = MAX (burden.lone_most, lone);
    burden.children_mean += (double) children[i] / n;
    burden.tables_mean += (double) tables[i] / n;
    burden.lone_mean += (double) lone / n;
  }
  burden.children_median = median (children, n);
  burden.tables_median = median (tables, n);
  g_free (children);
  g_free (tables);
  *ret_burden = burden;
}

/* Anycast. */

static double
share_nearer (const SsGroups *groups, const Group *group, unsigned node)
{
  SsTime found = ss_world_delay (groups->world, node, groups->finder);
  unsigned n = 0;

  for (unsigned i = 0; i < group->members->len; i++) {
    unsigned other = g_array_index (group->members, unsigned, i);

    n += other != node && ss_world_delay (groups->world, node, other) < found;
  }
  return (double) n / MAX (group->members->len, 1);
}

SsGroupsAnycast
ss_groups_anycast (SsGroups *groups, unsigned group, unsigned node)
{
  const Group *at = group_at (groups, group);
  Member *member = wake (groups, node);
  SsTime start = ss_world_now (groups->world);

  groups->found = (SsGroupsAnycast){ .is_found = false };
  groups->has_ended = false;
  member->search = ss_scribe_anycast (member->scribe, &at->id, 1, NULL, 0);
  ss_network_touch (groups->world->network, node);
  while (!groups->has_ended
         && ss_world_now (groups->world) < start + SEARCH_TIME)
    ss_world_run (groups->world, STEP);
  member->search = 0;
  if (groups->found.is_found)
    groups->found.nearer = share_nearer (groups, at, node);
  return groups->found;
}
