/* Scenarios of the forest: its construction and shape (SplitStream, SOSP 2003,
 * section 5). */
#include "sim/forest.h"
#include "sim/oracle.h"
#include "sim/scenario.h"
#include "sim/study.h"

#define ON_AIR_TIME (10 * SS_SEC)
/* All listeners come within this. */
#define TUNE_IN(n) MAX (5 * SS_SEC, (SsTime) (n) *2 * SS_MSEC)
/* After that, until all trees are whole, at most. */
#define BUILD_TIME(n) (60 * SS_SEC + (SsTime) (n) *3 * SS_MSEC / 2)
#define BUILD_STEP    (500 * SS_MSEC)
#define CALM_TIME     (10 * SS_SEC) /* trees settle */
/* Interior in more than one stripe, of all; where capacity has no bound
 * nobody needs to be. */
#define INTERIOR_TWICE_MOST 0.02
/* Where there is too little room, places more than have to be missing, of each
 * listener in the mean. */
#define UNUSED_MOST 1
/* So many nodes that do not listen, of as many that do. */
#define BYSTANDERS_PERCENT 70
#define BYSTANDER_PAUSE    (1 * SS_SEC)
#define LISTENERS_SPAN     (3 * SS_SEC)
#define LOOK_PAUSE         (500 * SS_MSEC)

static void
tune_in (void *user, uint64_t index)
{
  ss_world_listen (user, (unsigned) index);
}

/* A ring with a publisher on the air, and nobody who listens. */
static bool
start_ring (SsWorld *world, unsigned n)
{
  if (!ss_study_grow (world, MAX (n, 2)))
    return false;
  ss_world_publish (world);
  if (ss_world_wait (world, ss_world_is_on_air, ON_AIR_TIME) >= 0)
    return true;
  ss_world_fail (world, "the station did not go on the air");
  return false;
}

/* Fewer children each than stripes: there is no place for everybody. Who has
 * none fetches the stripe's packets from others. */
static bool
has_too_little (unsigned out)
{
  return out > 0 && out < SS_STRIPES;
}

/* All but the publisher come; how long until all are in all trees, or -1. */
static SsTime
build (SsWorld *world)
{
  SsTime now = ss_world_now (world);
  SsTime tune_in_time = TUNE_IN (world->members->len);
  SsForest forest = { .n_missing = 1 };

  for (unsigned i = 0; i < world->members->len; i++)
    if ((int) i != world->publisher)
      ss_network_at (
          world->network,
          now + (SsTime) ss_rng_below (&world->rng, (uint64_t) tune_in_time),
          tune_in, world, i);
  ss_world_run (world, tune_in_time);
  for (SsTime passed = 0; passed < BUILD_TIME (world->members->len);
       passed += BUILD_STEP) {
    ss_forest_look (world, &forest);
    if (forest.n_missing == 0)
      return passed;
    ss_world_run (world, BUILD_STEP);
  }
  return -1;
}

static void
report_construction (SsWorld *world, SsTime built)
{
  static const SsCounterName names[] = { SS_COUNT_SCRIBE_JOINS,
                                         SS_COUNT_SCRIBE_REDIRECTS,
                                         SS_COUNT_SCRIBE_REPARENTED,
                                         SS_COUNT_SCRIBE_OVER_BOUND,
                                         SS_COUNT_SCRIBE_ANYCASTS };
  double sums[G_N_ELEMENTS (names)] = { 0 };
  unsigned n = world->members->len;

  for (unsigned i = 0; i < n; i++)
    for (unsigned j = 0; j < G_N_ELEMENTS (names); j++)
      sums[j] += (double) ss_node_env (ss_world_node (world, i))
                     ->counters.value[names[j]];
  if (built >= 0)
    ss_world_row (world, "all in all trees after the last came", "%.1f s",
                  (double) built / (double) SS_SEC);
  ss_world_row (world, "a node's joins, redirects, searches",
                "%.2f  %.2f  %.3f", sums[0] / n, sums[1] / n, sums[4] / n);
  ss_world_row (world, "changes of parent, over the bound", "%.3f  %.0f",
                sums[2] / n, sums[3]);
}

void
ss_sim_report_forest (SsWorld *world, const SsForest *forest)
{
  unsigned n = MAX (forest->n_nodes, 1);

  ss_world_row (world, "listeners, missing in trees", "%u  %u",
                forest->n_listeners, forest->n_missing);
  ss_world_row (world, "depth, mean and most", "%.2f  %u", forest->depth_mean,
                forest->depth_max);
  ss_world_row (world, "delay in the trees, median and p99", "%.0f  %.0f ms",
                (double) forest->delay_median / (double) SS_MSEC,
                (double) forest->delay_p99 / (double) SS_MSEC);
  ss_world_row (world, "children of one, most; broadcaster's", "%u  %u",
                forest->children_max, forest->publisher_children);
  ss_world_row (world, "interior in more than one stripe; least",
                "%u  %.2f%%  %u", forest->n_interior_twice,
                100.0 * forest->n_interior_twice / n, forest->n_twice_least);
  ss_world_row (world, "interior in a foreign one; least", "%u  %u",
                forest->n_foreign, forest->n_foreign_least);
  ss_world_row (world, "Gini of children; of one tree's", "%.3f  %.3f",
                forest->gini, forest->tree_gini);
}

/* Nearly all the room is taken, and no more. */
static void
check_scarce (SsWorld *world, const SsForest *forest, unsigned out)
{
  unsigned n = forest->n_listeners;
  unsigned needed = (n - 1) * SS_STRIPES; /* roots have no parent */
  unsigned least = needed - MIN (n * out, needed);

  if (forest->children_max > out)
    ss_world_fail (world, "a node has %u children", forest->children_max);
  if (forest->n_missing < least || forest->n_missing > least + UNUSED_MOST * n)
    ss_world_fail (world, "%u places are missing, of %u that have to",
                   forest->n_missing, least);
}

static void
check_forest (SsWorld *world, const SsForest *forest, unsigned out)
{
  double most = out == 0 ? 0 : INTERIOR_TWICE_MOST * forest->n_nodes;

  if (forest->n_missing > 0)
    ss_world_fail (world, "%u places in trees are missing", forest->n_missing);
  if (out > 0 && forest->children_max > out)
    ss_world_fail (world, "a node has %u children", forest->children_max);
  if (forest->n_interior_twice > most)
    ss_world_fail (world, "%u nodes are interior in more than one stripe",
                   forest->n_interior_twice);
}

/* Of a row of packets, one for each stripe; what else is said counts, too. */
static void
report_stress (SsWorld *world, double rows)
{
  SsStress stress;

  ss_topology_stress (world->topology, &stress);
  if (stress.crossings > 0)
    ss_world_row (world, "link stress of a row, mean and most", "%.2f  %.0f",
                  stress.mean / rows, (double) stress.most / rows);
}

static uint64_t
n_published (const SsWorld *world)
{
  SsNodeStats stats;

  ss_node_stats (ss_world_node (world, (unsigned) world->publisher), &stats);
  return stats.station.packets_sent;
}

static void
one_forest (SsSimRun *run, const SsSimOptions *given)
{
  SsSimOptions options = *given;

  if (options.out == 0)
    options.out = SS_CHILDREN_UNBOUNDED;
  SsWorld *world = ss_sim_begin (run, &options);
  SsForest forest;

  world->options.out = options.out;
  if (start_ring (world, options.nodes)) {
    SsTime built = build (world);

    report_construction (world, built);
    ss_world_run (world, CALM_TIME);
    SsTime calm = ss_world_now (world);
    uint64_t before = n_published (world);

    ss_world_mark (world);
    ss_topology_count_stress (world->topology, true);
    ss_world_run (world, options.duration);
    report_stress (world, (double) (n_published (world) - before) / SS_STRIPES);
    ss_topology_count_stress (world->topology, false);
    ss_sim_report_uploads (world);
    ss_forest_look (world, &forest);
    ss_sim_report_forest (world, &forest);
    if (has_too_little (given->out))
      check_scarce (world, &forest, given->out);
    else
      check_forest (world, &forest, given->out);
    ss_oracle_hearing (world, calm, false, true);
    ss_sim_report_listeners (world);
  }
  world->options.out = given->out; /* as it was given, to replay */
  ss_sim_end (run, world);
}

/* Stripes that more than half of the listeners have no place in. */
static unsigned
n_cut (SsWorld *world)
{
  unsigned n = 0;

  for (unsigned stripe = 0; stripe < SS_STRIPES; stripe++) {
    unsigned n_listeners = 0, n_placed = 0;

    for (unsigned i = 0; i < world->members->len; i++) {
      const SsMember *member = ss_world_member (world, i);

      if (!member->is_up || !member->hearing)
        continue;
      n_listeners++;
      n_placed += ss_forest_is_placed (world, i, stripe);
    }
    n += 2 * n_placed < n_listeners;
  }
  return n;
}

/* The most that are cut at any look. */
static unsigned
watch (SsWorld *world, SsTime duration)
{
  unsigned most = 0;

  for (SsTime passed = 0; passed < duration; passed += LOOK_PAUSE) {
    ss_world_run (world, LOOK_PAUSE);
    most = MAX (most, n_cut (world));
  }
  return most;
}

static void
bystanders (SsSimRun *run, const SsSimOptions *options)
{
  SsWorld *world = ss_sim_begin (run, options);

  if (ss_sim_start_station (world, options->nodes, LISTENERS_SPAN)) {
    unsigned n = options->nodes * BYSTANDERS_PERCENT / 100, most = 0;

    ss_world_run (world, CALM_TIME);
    for (unsigned i = 0; i < n; i++) {
      ss_world_add (world, false, false);
      most = MAX (most, watch (world, BYSTANDER_PAUSE));
    }
    most = MAX (most, watch (world, options->duration));
    ss_world_row (world, "listeners, bystanders", "%u  %u", options->nodes, n);
    ss_world_row (world, "stripes cut from most, at once", "%u", most);
    if (most > 0)
      ss_world_fail (world, "%u stripes were cut from most listeners", most);
    ss_sim_finish_station (world);
    ss_sim_report_listeners (world);
  }
  ss_sim_end (run, world);
}

void
ss_scenario_forest (SsSimRun *run)
{
  ss_sim_repeat (run, one_forest);
}

void
ss_scenario_bystanders (SsSimRun *run)
{
  ss_sim_repeat (run, bystanders);
}
