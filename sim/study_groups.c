/* Groups: how many messages joins and searches take, what a multicast costs
 * nodes and links, and how much longer than directly it takes. */
#include "sim/study_groups.h"

#include <math.h>
#include <stdlib.h>

#include "scribe/messages.h"
#include "sim/cost.h"

/* As in the papers, among 100,000 nodes; fewer have smaller groups. */
#define PAPER_NODES   100000
#define MEMBERS       2500
#define SEARCHES      1000
#define EMPTY_GROUPS  200
#define JOIN_PAUSE    (20 * SS_MSEC)
#define JOINED_TIME   (4 * SS_SEC)  /* before chains are taken out */
#define CHAINS_TIME   (25 * SS_SEC) /* and when they have been */
#define ZIPF_EXPONENT 1.25
#define JOIN_SPAN     (60 * SS_SEC)
#define JOIN_STEP     (100 * SS_MSEC)
#define SETTLE_TIME   (30 * SS_SEC) /* children over the bound move on */
#define ARRIVE_TIME   (5 * SS_SEC)
#define TINY_SHARE    0.3 /* groups for a node, */
#define TINY_MEMBERS  11  /* and members of each */
#define TINY_SPAN     (4 * SS_SEC)
#define TINY_SOON     (4 * SS_SEC)  /* before any chain is taken out */
#define TINY_LATER    (60 * SS_SEC) /* and when those taken out have gone */
#define HOSTS         5             /* in the paper, for each that took part */

static unsigned
scaled (const SsWorld *world, unsigned n)
{
  return MAX ((unsigned) ((uint64_t) n * world->members->len / PAPER_NODES), 4);
}

static double
n_messages (const SsWorld *world, unsigned type)
{
  return (double) world->traffic->messages[SS_GROUPS_PROTOCOL][type];
}

/* n nodes by lot, each once. */
static unsigned *
draw_nodes (const SsWorld *world, unsigned n, SsRng *rng)
{
  unsigned n_all = world->members->len;
  unsigned *nodes = g_new (unsigned, n_all);

  g_assert (n <= n_all);
  for (unsigned i = 0; i < n_all; i++)
    nodes[i] = i;
  for (unsigned i = 0; i < n; i++) {
    unsigned other = i + (unsigned) ss_rng_below (rng, n_all - i);
    unsigned node = nodes[i];

    nodes[i] = nodes[other];
    nodes[other] = node;
  }
  return nodes;
}

/* Messages for the first to join a group. */
static double
join_empty (SsWorld *world, SsGroups *groups, SsRng *rng)
{
  ss_world_count_traffic (world);
  for (unsigned i = 0; i < EMPTY_GROUPS; i++) {
    ss_groups_join (groups, ss_groups_add (groups),
                    (unsigned) ss_rng_below (rng, world->members->len));
    ss_world_run (world, JOIN_PAUSE);
  }
  ss_world_run (world, JOINED_TIME);
  return n_messages (world, SS_MSG_SCRIBE_JOIN) / EMPTY_GROUPS;
}

static double
join_all (SsWorld *world, SsGroups *groups, unsigned group, unsigned n,
          SsRng *rng)
{
  unsigned *nodes = draw_nodes (world, n, rng);

  ss_world_run (world, CHAINS_TIME);
  ss_world_count_traffic (world);
  for (unsigned i = 0; i < n; i++) {
    ss_groups_join (groups, group, nodes[i]);
    ss_world_run (world, JOIN_PAUSE);
  }
  ss_world_run (world, JOINED_TIME);
  g_free (nodes);
  return n_messages (world, SS_MSG_SCRIBE_JOIN) / n;
}

void
ss_study_anycast (SsWorld *world, SsStudyAnycast *ret_result)
{
  SsStudyAnycast result = {
    .n_members = scaled (world, MEMBERS),
    .n_searches = SEARCHES,
  };
  SsGroups *groups = ss_groups_new (world, 0);
  unsigned n_found = 0, n_near = 0;
  SsRng rng;

  ss_network_rng (world->network, "anycast", 0, &rng);
  result.join_first = join_empty (world, groups, &rng);
  unsigned group = ss_groups_add (groups);

  result.join_mean = join_all (world, groups, group, result.n_members, &rng);
  if (ss_groups_n_outside (groups) > 0)
    ss_world_fail (world, "%u members are in no tree",
                   ss_groups_n_outside (groups));
  for (unsigned i = 0; i < result.n_searches; i++) {
    unsigned node = (unsigned) ss_rng_below (&rng, world->members->len);
    SsGroupsAnycast found = ss_groups_anycast (groups, group, node);

    if (!found.is_found)
      continue;
    n_found++;
    n_near += found.nearer < SS_STUDY_NEAR;
    result.hops += found.hops;
    result.hops_most = MAX (result.hops_most, found.hops);
  }
  result.n_failed = result.n_searches - n_found;
  result.hops /= MAX (n_found, 1);
  result.near_share = (double) n_near / MAX (n_found, 1);
  result.traces =
      n_messages (world, SS_MSG_SCRIBE_TRACE) / MAX (result.n_members, 1);
  ss_groups_free (groups);
  *ret_result = result;
}

typedef struct {
  unsigned group, node;
} Membership;

/* A new group of n members by lot, at the end of the list. */
static void
draw_group (const SsWorld *world, SsGroups *groups, unsigned n, SsRng *rng,
            GArray *list)
{
  unsigned group = ss_groups_add (groups);
  unsigned *nodes = draw_nodes (world, n, rng);

  for (unsigned i = 0; i < n; i++) {
    const Membership membership = { group, nodes[i] };

    g_array_append_val (list, membership);
  }
  g_free (nodes);
}

static void
shuffle (GArray *list, SsRng *rng)
{
  for (unsigned i = 0; i < list->len; i++) {
    unsigned other = i + (unsigned) ss_rng_below (rng, list->len - i);
    Membership one = g_array_index (list, Membership, i);

    g_array_index (list, Membership, i) =
        g_array_index (list, Membership, other);
    g_array_index (list, Membership, other) = one;
  }
}

/* Who is to be in which group, in the order in which they join: by lot. */
static GArray *
draw_memberships (const SsWorld *world, SsGroups *groups, SsRng *rng)
{
  GArray *list = g_array_new (FALSE, FALSE, sizeof (Membership));
  double n = world->members->len;

  for (unsigned rank = 1; rank <= SS_STUDY_GROUPS; rank++) {
    double size = floor (n * pow (rank, -ZIPF_EXPONENT) + 0.5);
    draw_group (world, groups, MAX ((unsigned) size, 1), rng, list);
  }
  shuffle (list, rng);
  return list;
}

static void
join_in_span (SsWorld *world, SsGroups *groups, const GArray *list, SsTime span)
{
  unsigned n_steps = (unsigned) (span / JOIN_STEP), done = 0;

  for (unsigned step = 1; step <= n_steps; step++) {
    unsigned until = (unsigned) ((uint64_t) list->len * step / n_steps);

    for (; done < until; done++) {
      const Membership *at = &g_array_index (list, Membership, done);

      ss_groups_join (groups, at->group, at->node);
    }
    ss_world_run (world, JOIN_STEP);
  }
}

static int
compare_doubles (const void *a, const void *b)
{
  double one = *(const double *) a, other = *(const double *) b;

  return (one > other) - (one < other);
}

static void
put_delays (const SsGroupsDelivery *deliveries, unsigned n,
            SsStudyGroups *result)
{
  double *means = g_new (double, n), *mosts = g_new (double, n), sum = 0;
  unsigned n_ratios = 0, n_reached = 0;

  for (unsigned i = 0; i < n; i++) {
    const SsGroupsDelivery *at = &deliveries[i];

    result->n_missed += at->n_members - MIN (at->n_reached, at->n_members);
    result->n_messages += at->n_messages;
    n_reached += at->n_reached;
    sum += at->delay_mean * at->n_reached;
    if (at->n_reached == 0)
      continue;
    means[n_ratios] = at->delay_mean / at->unicast_mean;
    mosts[n_ratios++] = at->delay_most / at->unicast_most;
  }
  qsort (means, n_ratios, sizeof *means, compare_doubles);
  qsort (mosts, n_ratios, sizeof *mosts, compare_doubles);
  if (n_ratios > 0) {
    result->mean_ratio = means[n_ratios / 2];
    result->most_ratio = mosts[n_ratios / 2];
    result->mean_ratio_p90 = means[n_ratios * 9 / 10];
    result->most_ratio_p90 = mosts[n_ratios * 9 / 10];
  }
  result->delay_ms = sum / MAX (n_reached, 1) / (double) SS_MSEC;
  g_free (means);
  g_free (mosts);
}

void
ss_study_groups (SsWorld *world, SsStudyGroups *ret_result)
{
  SsStudyGroups result = { .n_groups = SS_STUDY_GROUPS };
  SsGroups *groups = ss_groups_new (world, SS_STUDY_CHILDREN);
  SsGroupsStress stress;
  SsRng rng;

  ss_network_rng (world->network, "zipf", 0, &rng);
  GArray *list = draw_memberships (world, groups, &rng);

  result.n_memberships = list->len;
  join_in_span (world, groups, list, JOIN_SPAN);
  ss_world_run (world, SETTLE_TIME);
  g_array_unref (list);
  result.n_outside = ss_groups_n_outside (groups);
  ss_groups_burden (groups, &result.burden);
  SsGroupsDelivery *deliveries = ss_groups_multicast (groups, ARRIVE_TIME);

  put_delays (deliveries, SS_STUDY_GROUPS, &result);
  g_free (deliveries);
  ss_groups_stress (groups, &stress);
  double n_links = stress.n_links + 2.0 * HOSTS * world->members->len;

  result.stress = (double) stress.crossings / n_links;
  result.stress_ip = (double) stress.crossings_ip / n_links;
  result.stress_most = stress.most;
  result.stress_ip_most = stress.most_ip;
  ss_groups_free (groups);
  *ret_result = result;
}

static double
crossings (const SsGroups *groups)
{
  SsGroupsStress stress;

  ss_groups_stress (groups, &stress);
  return (double) stress.crossings;
}

/* A message through each; how many members have missed it. */
static unsigned
n_missed (SsGroups *groups)
{
  SsGroupsDelivery *deliveries = ss_groups_multicast (groups, ARRIVE_TIME);
  unsigned n = 0;

  for (unsigned i = 0; i < ss_groups_n (groups); i++)
    n += deliveries[i].n_members
         - MIN (deliveries[i].n_reached, deliveries[i].n_members);
  g_free (deliveries);
  return n;
}

void
ss_study_economy (SsWorld *world, SsStudyEconomy *ret_result)
{
  SsStudyEconomy result = {
    .n_groups = MAX ((unsigned) (TINY_SHARE * world->members->len), 1),
    .n_members = MIN (TINY_MEMBERS, world->members->len),
  };
  SsGroups *groups = ss_groups_new (world, SS_STUDY_CHILDREN);
  GArray *list = g_array_new (FALSE, FALSE, sizeof (Membership));
  size_t bytes = ss_cost_memory (world);
  SsRng rng;

  ss_network_rng (world->network, "tiny", 0, &rng);
  for (unsigned i = 0; i < result.n_groups; i++)
    draw_group (world, groups, result.n_members, &rng, list);
  shuffle (list, &rng);
  join_in_span (world, groups, list, TINY_SPAN);
  ss_world_run (world, TINY_SOON);
  ss_groups_burden (groups, &result.before);
  result.n_missed = n_missed (groups);
  double before = crossings (groups);

  ss_world_run (world, TINY_LATER);
  result.n_outside = ss_groups_n_outside (groups);
  ss_groups_burden (groups, &result.after);
  result.bytes = (ss_cost_memory (world) - bytes) / list->len;
  result.n_missed += n_missed (groups);
  result.stress_before = before / list->len;
  result.stress_after = (crossings (groups) - before) / list->len;
  g_array_unref (list);
  ss_groups_free (groups);
  *ret_result = result;
}
