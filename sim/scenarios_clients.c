/* Scenario: listeners behind NATs. They must hear all, and be nobody's leaf,
 * table entry, parent or root, while whom they are attached to dies. */
#include "sim/oracle.h"
#include "sim/scenario.h"

#define NAT_MEMORY    (30 * SS_SEC)
#define CLIENTS_SHARE 4 /* one node in so many */
#define ATTACH_TIME   (20 * SS_SEC)
#define CALM_TIME     (3 * SS_SEC)
#define DEATH_PAUSE   (4 * SS_SEC)

static bool
is_client (SsWorld *world, unsigned index)
{
  return ss_world_member (world, index)->is_up
         && ss_network_is_behind_nat (world->network, index);
}

static bool
all_attached (SsWorld *world)
{
  for (unsigned i = 0; i < world->members->len; i++) {
    SsContact contacts[3];

    if (is_client (world, i)
        && ss_node_attachments (ss_world_node (world, i), contacts, 3) < 3)
      return false;
  }
  return true;
}

static int
member_of (SsWorld *world, const SsId *id)
{
  for (unsigned i = 0; i < world->members->len; i++)
    if (ss_id_equal (&ss_world_member (world, i)->self.id, id))
      return (int) i;
  return -1;
}

/* No client in anybody's leaf set, and none with a child. */
static void
check_place (SsWorld *world)
{
  for (unsigned i = 0; i < world->members->len; i++) {
    SsContact leaves[32];
    SsNodeStats stats;

    if (!ss_world_member (world, i)->is_up)
      continue;
    SsNode *node = ss_world_node (world, i);
    unsigned n = ss_node_leaf_set (node, leaves, G_N_ELEMENTS (leaves));

    for (unsigned k = 0; k < n; k++) {
      int leaf = member_of (world, &leaves[k].id);

      if (leaf >= 0
          && ss_network_is_behind_nat (world->network, (unsigned) leaf))
        ss_world_fail (world, "client %d is a leaf of node %u", leaf, i);
    }
    ss_node_stats (node, &stats);
    if (stats.reachable == is_client (world, i))
      ss_world_fail (world, "node %u thinks that it is%s reachable", i,
                     stats.reachable ? "" : " not");
    if (!is_client (world, i))
      continue;
    unsigned n_children = 0, n_up = 0;

    for (unsigned k = 0; stats.has_station && k < SS_STRIPES; k++) {
      n_children += stats.station.stripes[k].children;
      n_up += stats.station.stripes[k].in_tree;
    }
    if (n > 0 || n_children > 0)
      ss_world_fail (world, "client %u has %u leaves and %u children", i, n,
                     n_children);
    if (n_up < SS_STRIPES)
      ss_world_fail (world, "client %u is in %u trees", i, n_up);
  }
}

/* Each client's first attachment dies in turn, loudly or in silence, and
 * somebody else comes. */
static void
kill_attachments (SsWorld *world, unsigned n_clients)
{
  unsigned n_died = 0;

  for (unsigned k = 0; k < 2 * n_clients; k++) {
    unsigned nth = k % n_clients, index = 0;
    SsContact contact;

    for (; index < world->members->len; index++)
      if (is_client (world, index) && nth-- == 0)
        break;
    if (ss_node_attachments (ss_world_node (world, index), &contact, 1) == 0)
      continue;
    int victim = member_of (world, &contact.id);

    if (victim < 0 || victim == world->publisher
        || !ss_world_member (world, (unsigned) victim)->is_up)
      continue;
    if (k % 2 == 0)
      ss_world_kill (world, (unsigned) victim);
    else
      ss_world_silence (world, (unsigned) victim);
    n_died++;
    ss_world_run (world, DEATH_PAUSE / 2);
    ss_world_add (world, false, true);
    ss_world_run (world, DEATH_PAUSE / 2);
  }
  ss_world_row (world, "attachments that died", "%u", n_died);
}

void
ss_scenario_clients (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n_clients = run->options->nodes / CLIENTS_SHARE;

  if (!ss_sim_start_station (world, run->options->nodes - n_clients,
                             3 * SS_SEC))
    goto out;
  unsigned first = world->members->len;

  for (unsigned i = 0; i < n_clients; i++) {
    ss_network_put_behind_nat (world->network, first + i, NAT_MEMORY);
    ss_world_add (world, false, true);
    ss_world_run (world, 300 * SS_MSEC);
  }
  SsTime took = ss_world_wait (world, all_attached, ATTACH_TIME);

  if (took < 0)
    ss_world_fail (world, "clients are not attached after %.0f s",
                   (double) ATTACH_TIME / (double) SS_SEC);
  if (ss_world_wait (world, ss_world_all_hear, ATTACH_TIME) < 0)
    ss_world_fail (world, "clients hear nothing");
  SsTime slowest = 0;

  for (unsigned i = first; i < world->members->len; i++)
    slowest = MAX (slowest, ss_world_member (world, i)->hearing->first_at
                                - ss_world_member (world, i)->started);
  ss_world_row (world, "clients; slowest tune-in", "%u  %.2f s", n_clients,
                (double) slowest / (double) SS_SEC);
  ss_world_run (world, CALM_TIME);
  check_place (world);
  kill_attachments (world, n_clients);
  ss_world_run (world, CALM_TIME);
  if (ss_world_wait (world, all_attached, CALM_TIME) < 0)
    ss_world_fail (world, "clients lack attachments in the end");
  check_place (world);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}
