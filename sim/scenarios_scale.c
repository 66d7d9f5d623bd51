/* What the simulator itself costs: a ring of very many nodes, and a station's
 * packets to very many listeners. CPU time is the process's own, so that a
 * busy machine changes little. */
#include "sim/oracle.h"
#include "sim/scenario.h"

#define STEP         (100 * SS_MSEC)
#define JOIN_TIME    (120 * SS_SEC)
#define SETTLE_TIME  (1 * SS_SEC)
#define HEAL_TIME    (60 * SS_SEC) /* two heartbeats */
#define WARM_UP_TIME (5 * SS_SEC)  /* what tuning in brought is over */
#define AT_FIRST     16            /* nodes, before the ring grows by shares */
#define GROWTH       30            /* one in so many more, each step */
#define JOINING_MAX  4             /* at most one in so many is on the way */
#define LOOKUPS      2             /* a node, */
#define LOOKUPS_MAX  200000        /* or so many in all */
#define LOOKUPS_TIME (10 * SS_SEC)
#define LOOKUPS_WAIT (2 * SS_SEC)
#define LOOKUP_MIN   SS_USEC

typedef struct {
  double cpu;
  SsNetworkStats stats;
} Cost;

static Cost
cost_now (const SsWorld *world)
{
  Cost cost = { .cpu = ss_cost_cpu () };

  ss_network_stats (world->network, &cost.stats);
  return cost;
}

static void
report_cost (const SsWorld *world, const char *what, const Cost *since)
{
  Cost now = cost_now (world);
  double cpu = now.cpu - since->cpu;
  double events = (double) (now.stats.events - since->stats.events);

  ss_world_row (world, what, "%.2f s CPU  %.0f events/s  %.2f us a datagram",
                cpu, events / cpu,
                cpu * 1e6
                    / (double) (now.stats.delivered - since->stats.delivered));
}

static void
report_memory (const SsWorld *world, const char *what)
{
  ss_world_row (world, what, "%zu bytes a node",
                ss_cost_memory (world) / world->members->len);
}

/* As fast as the ring takes them: it grows by a share of itself. */
static void
grow (SsWorld *world, unsigned n)
{
  SsTime start = ss_world_now (world);

  ss_world_add (world, true, false);
  ss_world_wait (world, ss_world_all_ready, JOIN_TIME);
  while (world->members->len < n) {
    unsigned n_now = world->members->len;
    unsigned more = MAX (n_now / GROWTH, 1);
    unsigned n_joining = world->n_up - world->n_ready;

    more = MIN (more, n - n_now);
    if (n_now >= AT_FIRST && n_joining > n_now / JOINING_MAX)
      more = 0;
    if (more > 0)
      ss_world_add_many (world, more, false, STEP);
    else
      ss_world_run (world, STEP);
  }
  if (ss_world_wait (world, ss_world_all_ready, JOIN_TIME) < 0)
    ss_world_fail (world, "%u of %u nodes have not joined", n - world->n_ready,
                   n);
  ss_world_row (world, "all joined after", "%.1f s of their time",
                (double) (ss_world_now (world) - start) / (double) SS_SEC);
}

static void
rest (SsWorld *world)
{
  Cost start = cost_now (world);
  SsTime heal = MIN (world->options.duration, HEAL_TIME);

  ss_world_run (world, heal);
  ss_world_row (world, "leaf sets, wrong after a minute", "%u  %u",
                world->members->len, ss_oracle_leaf_sets (world, true));
  ss_world_run (world, world->options.duration - heal);
  report_cost (world, "at rest", &start);
  report_memory (world, "memory, at rest");
}

void
ss_scenario_scale (SsSimRun *run)
{
  unsigned n = MAX (run->options->nodes, AT_FIRST);
  unsigned n_lookups = MIN (LOOKUPS * n, LOOKUPS_MAX);
  SsWorld *world = ss_sim_begin (run, NULL);
  Cost start = cost_now (world), all = start;
  SsLookups lookups;

  grow (world, n);
  SsNetworkStats stats = cost_now (world).stats;

  report_cost (world, "joins", &start);
  ss_world_row (world, "a join, all nodes' datagrams and bytes", "%.1f  %.0f",
                (double) stats.sent / n, (double) stats.bytes_sent / n);
  report_memory (world, "memory, just joined");
  ss_world_run (world, SETTLE_TIME);
  ss_world_row (world, "leaf sets, wrong after a second", "%u  %u", n,
                ss_oracle_leaf_sets (world, false));
  start = cost_now (world);
  ss_oracle_lookups_within (world, n_lookups,
                            MAX (LOOKUPS_TIME / n_lookups, LOOKUP_MIN),
                            LOOKUPS_WAIT, &lookups);
  report_cost (world, "lookups", &start);
  ss_world_row (world, "lookups, right", "%u  %u", lookups.n,
                lookups.n - lookups.n_wrong - lookups.n_missing);
  ss_world_row (world, "hops, mean and most; ideal", "%.3f  %u  %.3f",
                lookups.hops_mean, lookups.hops_max, lookups.hops_ideal);
  report_cost (world, "joins and lookups", &all);
  report_memory (world, "memory, after lookups");
  if (run->options->duration > 0)
    rest (world);
  ss_sim_end (run, world);
}

/* What counts is each stripe packet that comes in at each of the listeners. */
static uint64_t
n_deliveries (SsWorld *world)
{
  return ss_sim_sum_listeners (world,
                               offsetof (SsStationStats, packets_received));
}

uint64_t
ss_sim_sum_listeners (SsWorld *world, size_t offset)
{
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  uint64_t n = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (!member->is_up || member->hearing == NULL)
      continue;
    ss_node_stats (ss_world_node (world, i), stats);
    n += G_STRUCT_MEMBER (uint64_t, &stats->station, offset);
  }
  g_free (stats);
  return n;
}

void
ss_scenario_deliveries (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = MAX (run->options->nodes, 4) - 2;

  if (ss_sim_start_station (world, n, (SsTime) n * 10 * SS_MSEC)) {
    ss_world_run (world, WARM_UP_TIME);
    Cost start = cost_now (world);
    uint64_t before = n_deliveries (world);

    ss_world_run (world, run->options->duration);
    double cpu = cost_now (world).cpu - start.cpu;
    double deliveries = (double) (n_deliveries (world) - before);

    report_cost (world, "the broadcast", &start);
    SsNetworkStats now = cost_now (world).stats;

    ss_world_row (world, "datagrams, ticks, events a packet",
                  "%.2f  %.2f  %.2f",
                  (double) (now.delivered - start.stats.delivered) / deliveries,
                  (double) (now.ticks - start.stats.ticks) / deliveries,
                  (double) (now.events - start.stats.events) / deliveries);
    ss_world_row (
        world, "bytes a datagram; packets a listener and second", "%.0f  %.0f",
        (double) (now.bytes_sent - start.stats.bytes_sent)
            / (double) (now.sent - start.stats.sent),
        deliveries * (double) SS_SEC / (double) run->options->duration / n);
    ss_world_row (world, "stripe packets at listeners", "%.0f", deliveries);
    ss_world_row (world, "of those, each CPU second", "%.0f", deliveries / cpu);
    ss_sim_finish_station (world);
    ss_sim_report_listeners (world);
  }
  ss_sim_end (run, world);
}
