/* Scenarios of the ring: joining, partition, the store. */
#include <malloc.h>
#include <string.h>

#include "sim/oracle.h"
#include "sim/scenario.h"

#define JOIN_INTERVAL (10 * SS_MSEC)
#define JOIN_TIME     (60 * SS_SEC)
#define SETTLE_TIME   (10 * SS_SEC)
#define QUIET_TIME    (600 * SS_SEC)
#define LOOKUPS       1000
#define MEMORY_MAX    (16 * 1024) /* bytes a node that has joined */
#define MERGE_TIME    (300 * SS_SEC)

/* Without what the simulator itself holds; 0 if the allocator does not tell,
 * as a sanitizer's. */
static size_t
memory_in_use (const SsWorld *world)
{
  struct mallinfo2 info = mallinfo2 ();
  SsNetworkStats stats;

  if (info.uordblks == 0)
    return 0;
  ss_network_stats (world->network, &stats);
  return info.uordblks + info.hblkhd - stats.memory;
}

static void
check_lookups (SsWorld *world, unsigned n)
{
  SsLookups lookups;

  ss_oracle_lookups (world, n, SS_MSEC, &lookups);
  ss_world_row (world, "lookups, right", "%u  %u", lookups.n,
                lookups.n - lookups.n_wrong - lookups.n_missing);
  ss_world_row (world, "hops, mean and most", "%.2f  %u", lookups.hops_mean,
                lookups.hops_max);
}

static SsTime
join_all (SsWorld *world, unsigned n)
{
  ss_world_add (world, true, false);
  ss_world_wait (world, ss_world_all_ready, JOIN_TIME);
  ss_world_add_many (world, n - 1, false, (SsTime) (n - 1) * JOIN_INTERVAL);
  SsTime waited = ss_world_wait (world, ss_world_all_ready, JOIN_TIME);

  if (waited < 0)
    ss_world_fail (world, "%u of %u nodes have not joined", n - world->n_ready,
                   n);
  return waited;
}

static void
report_quiet (SsWorld *world)
{
  SsNetworkStats before, after;
  double seconds = (double) QUIET_TIME / (double) SS_SEC;
  unsigned n = ss_world_n_up (world);

  ss_network_stats (world->network, &before);
  ss_world_run (world, QUIET_TIME);
  ss_network_stats (world->network, &after);
  ss_world_row (world, "at rest, a node and second",
                "%.3f datagrams  %.1f bytes",
                (double) (after.sent - before.sent) / n / seconds,
                (double) (after.bytes_sent - before.bytes_sent) / n / seconds);
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const SsTime *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

static void
report_join_times (SsWorld *world)
{
  unsigned n = world->members->len, n_ready = 0;
  SsTime *times = g_new (SsTime, n);

  for (unsigned i = 0; i < n; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (member->ready_at >= 0)
      times[n_ready++] = member->ready_at - member->started;
  }
  qsort (times, n_ready, sizeof *times, compare_times);
  if (n_ready > 0)
    ss_world_row (world, "time to join, median and most", "%.0f ms  %.0f ms",
                  (double) times[n_ready / 2] / (double) SS_MSEC,
                  (double) times[n_ready - 1] / (double) SS_MSEC);
  g_free (times);
}

void
ss_scenario_join (SsSimRun *run)
{
  unsigned n = MAX (run->options->nodes, 2);
  SsWorld *world = ss_sim_begin (run, NULL);
  size_t before = memory_in_use (world);
  SsNetworkStats stats;

  join_all (world, n);
  ss_network_stats (world->network, &stats);
  report_join_times (world);
  ss_world_row (world, "a join, all nodes' datagrams and bytes", "%.1f  %.0f",
                (double) stats.sent / n, (double) stats.bytes_sent / n);
  ss_world_run (world, SETTLE_TIME);
  unsigned n_wrong = ss_oracle_leaf_sets (world, true);

  ss_world_row (world, "had trouble to join", "%u", world->n_slow_joins);
  ss_world_row (world, "leaf sets, wrong", "%u  %u", n, n_wrong);
  check_lookups (world, LOOKUPS);
  ss_world_row (world, "memory of a node, just joined", "%zu bytes",
                (memory_in_use (world) - before) / n);
  report_quiet (world);
  /* Links that served the joining only are gone by now. */
  size_t memory = (memory_in_use (world) - before) / n;

  ss_world_row (world, "memory of a node, at rest", "%zu bytes", memory);
  if (memory > MEMORY_MAX)
    ss_world_fail (world, "a node needs %zu bytes, more than %d", memory,
                   MEMORY_MAX);
  ss_sim_end (run, world);
}

static bool
leaf_sets_are_right (SsWorld *world)
{
  return ss_oracle_leaf_sets (world, false) == 0;
}

static SsTime
wait_leaf_sets (SsWorld *world, SsTime most)
{
  /* Costly to ask at every step of a long wait. */
  for (SsTime passed = 0; passed <= most; passed += SS_SEC) {
    if (leaf_sets_are_right (world))
      return passed;
    ss_world_run (world, SS_SEC);
  }
  ss_oracle_leaf_sets (world, true);
  return -1;
}

void
ss_scenario_partition_merge (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = MAX (run->options->nodes, 8);

  join_all (world, n);
  ss_world_run (world, SETTLE_TIME);
  if (wait_leaf_sets (world, SETTLE_TIME) < 0)
    goto out;
  for (unsigned i = 0; i < n; i++)
    ss_network_set_side (world->network, i,
                         (unsigned) ss_rng_below (&world->rng, 2));
  ss_world_run (world, run->options->duration);
  for (unsigned i = 0; i < n; i++)
    ss_network_set_side (world->network, i, 0);
  unsigned n_wrong = ss_oracle_leaf_sets (world, false);

  ss_world_row (world, "leaf sets wrong when it ends", "%u of %u", n_wrong, n);
  if (n_wrong == 0)
    ss_world_fail (world, "the partition made no difference");
  SsTime healed = wait_leaf_sets (world, MERGE_TIME);

  ss_world_row (world, "one ring again after", "%.0f s",
                (double) healed / (double) SS_SEC);
  if (healed >= 0)
    check_lookups (world, LOOKUPS / 4);
out:
  ss_sim_end (run, world);
}

/* Publishers of descriptors stay; all others may come and go. Whoever asks
 * finds the station. */
void
ss_scenario_store (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = MAX (run->options->nodes, 12);
  unsigned n_found = 0, n_asked = 0, n_died = 0;
  SsTime end, slowest = 0;

  join_all (world, n);
  ss_world_publish (world);
  if (ss_world_wait (world, ss_world_is_on_air, 10 * SS_SEC) < 0) {
    ss_world_fail (world, "the station did not go on the air");
    goto out;
  }
  end = ss_world_now (world) + run->options->duration;
  while (ss_world_now (world) < end) {
    for (unsigned i = 0; i < 3; i++, n_died++)
      ss_world_kill (world, ss_world_pick (world));
    ss_world_run (world, SS_SEC);
    ss_world_add_many (world, 2, false, 2 * SS_SEC);
    unsigned index = ss_world_add (world, false, true);
    SsMember *member = ss_world_member (world, index);

    ss_world_run (world, 7 * SS_SEC);
    n_asked++;
    n_found += member->hearing->has_station;
    if (!member->hearing->has_station)
      ss_world_fail (world, "node %u did not find the station", index);
    else
      slowest = MAX (slowest, member->hearing->found_at
                                  - MAX (member->ready_at, member->started));
    ss_world_kill (world, index);
  }
  ss_world_row (world, "asked, found", "%u  %u", n_asked, n_found);
  ss_world_row (world, "died meanwhile", "%u", n_died);
  ss_world_row (world, "found in at most", "%.0f ms",
                (double) slowest / (double) SS_MSEC);
  ss_world_row (world, "had trouble to join", "%u of %u", world->n_slow_joins,
                world->members->len);
out:
  ss_sim_end (run, world);
}
