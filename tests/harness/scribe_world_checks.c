/* What came of it, and whether the trees are right: see scribe_world.h. */
#include "tests/harness/scribe_world_private.h"

typedef struct {
  unsigned lost, received;
  SsTime latest;
} Tally;

static Tally
tally (const World *world, unsigned index)
{
  const Node *node = world->nodes[index];
  Tally result = { 0 };
  SsTime latency = world->options.latency;
  for (unsigned k = node->joined_at; k < world->published; k++) {
    SsTime deadline = world->departures[k] + latency;
    if (deadline > world->now)
      continue;
    if (node->got[k] && node->got[k] <= deadline) {
      result.received++;
      result.latest = MAX (result.latest, node->got[k] - world->departures[k]);
    } else {
      result.lost++;
    }
  }
  return result;
}

unsigned
world_lost (const World *world, unsigned node)
{
  return tally (world, node).lost;
}

unsigned
world_received (const World *world, unsigned node)
{
  return tally (world, node).received;
}

SsTime
world_latest (const World *world, unsigned node)
{
  return tally (world, node).latest;
}

unsigned
world_published (const World *world)
{
  return world->published;
}

uint64_t
world_packets_sent (const World *world, unsigned node)
{
  return world->nodes[node]->packets_sent;
}

uint64_t
world_control_bytes (const World *world, unsigned node)
{
  return world->nodes[node]->control_bytes;
}

void
world_reset_counts (World *world)
{
  for (unsigned i = 0; i < world->options.n; i++)
    world->nodes[i]->packets_sent = world->nodes[i]->control_bytes = 0;
}

unsigned
world_fan_out_max (const World *world)
{
  unsigned most = 0;
  for (unsigned i = 1; i < world->options.n; i++)
    if (world->nodes[i]->is_alive)
      most = MAX (most, ss_family_n_children (world->nodes[i]->family));
  return most;
}

/* What is wrong with one node's place in one tree. */
static char *
check_place (const World *world, unsigned index, unsigned stripe)
{
  unsigned at = index, root = world_true_root (world, stripe);
  for (unsigned depth = 0; depth <= world->options.n; depth++) {
    SsGroup *group = world_group (world, at, stripe);
    if (!group)
      return g_strdup_printf ("stripe %u: %u hangs on %u, who has no group",
                              stripe, index, at);
    if (ss_group_is_root (group))
      return at == root
                 ? NULL
                 : g_strdup_printf ("stripe %u: %u is under %u, not root %u",
                                    stripe, index, at, root);
    const SsContact *parent = ss_group_parent (group);
    if (!parent)
      return g_strdup_printf ("stripe %u: %u is under orphan %u", stripe, index,
                              at);
    unsigned above = world_node_of (world, &parent->id);
    if (!world->nodes[above]->is_alive)
      return g_strdup_printf ("stripe %u: %u has dead parent %u", stripe, at,
                              above);
    SsGroup *group_above = world_group (world, above, stripe);
    SsContact children[WORLD_NODES_MAX];
    unsigned n =
        group_above ? ss_group_children (group_above, children, WORLD_NODES_MAX)
                    : 0;
    bool is_known = false;
    for (unsigned i = 0; i < n; i++)
      is_known |= ss_id_equal (&children[i].id, &world->nodes[at]->contact.id);
    if (!is_known)
      return g_strdup_printf ("stripe %u: %u is no child of its parent %u",
                              stripe, at, above);
    at = above;
  }
  return g_strdup_printf ("stripe %u: %u is on a cycle", stripe, index);
}

char *
world_check_trees (const World *world)
{
  for (unsigned i = 0; i < world->options.n; i++) {
    if (!world->nodes[i]->is_alive || !world->nodes[i]->is_joined)
      continue;
    for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++) {
      char *text = check_place (world, i, stripe);
      if (text)
        return text;
    }
  }
  return NULL;
}
