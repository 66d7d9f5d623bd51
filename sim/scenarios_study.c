/* Scenarios of the overlay's figures: hops, stretch, locality, failures,
 * churn. sim/paper.c sets them beside the papers' figures. */
#include "sim/scenario.h"
#include "sim/study.h"

#define SETTLE_TIME    (60 * SS_SEC)
#define MAINTAIN_TIME  (2400 * SS_SEC) /* two exchanges of rows */
#define HOPS_MORE      1.005           /* than the oracle's */
#define STRETCH_MORE   1.02
#define ROW_BEST       14.7
#define REPAIRED_MORE  1.004
#define REPAIR_TIME    (120 * SS_SEC)
#define HEAL_TIME      (60 * SS_SEC)
#define LOOKUP_WAIT    (30 * SS_SEC)
#define RETRY          (1 * SS_SEC)
#define TRIES          20
#define WARM_TIME      (600 * SS_SEC)
#define SAMPLE         (10 * SS_SEC)
#define PENALTY_MAX    1.8
#define CONTROL_MAX    0.25
#define LOSS_MAX       1e-5
#define WRONG_MAX      1e-5
#define ANSWERED_MIN   0.999
#define LOCALITY_NODES 5000
#define NEWCOMER_PAUSE (2 * SS_SEC)
#define NEWCOMER_TIME  (60 * SS_SEC)

static void
fail_above (SsWorld *world, const char *what, double value, double most)
{
  if (!(value <= most))
    ss_world_fail (world, "%s is %.6g, more than %.6g", what, value, most);
}

static void
check_delivered (SsWorld *world, const SsLookupResult *result)
{
  if (result->n_lost + result->n_wrong + result->n_again > 0)
    ss_world_fail (world,
                   "of %" G_GUINT64_FORMAT " lookups %" G_GUINT64_FORMAT
                   " ended elsewhere, %" G_GUINT64_FORMAT
                   " nowhere, %" G_GUINT64_FORMAT " twice",
                   result->n, result->n_wrong, result->n_lost, result->n_again);
}

static void
row_hops (SsWorld *world, const SsStudyRoutes *routes)
{
  GString *text = g_string_new (NULL);

  for (unsigned i = 0; i <= routes->measured.hops_max; i++)
    g_string_append_printf (
        text, "%s%.4f", i > 0 ? " " : "",
        (double) routes->measured.by_hops[MIN (i, SS_LOOKUP_HOPS - 1)]
            / (double) routes->measured.n);
  ss_world_row (world, "hops, mean and most; oracle", "%.3f  %u  %.3f",
                routes->measured.hops, routes->measured.hops_max,
                routes->ideal_hops);
  ss_world_row (world, "share of lookups by hops, from 0", "%s", text->str);
  g_string_free (text, TRUE);
}

/* hops, stretch: after joining alone. */
void
ss_scenario_routes (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = MAX (run->options->nodes, 2);
  SsStudyRoutes routes;

  if (ss_study_grow (world, n)) {
    ss_world_run (world, SETTLE_TIME);
    ss_study_routes (world, 2 * n, MAX (10 * SS_SEC / n, 1), &routes);
    row_hops (world, &routes);
    check_delivered (world, &routes.measured);
    fail_above (world, "the hops' ratio to the oracle's",
                routes.measured.hops / routes.ideal_hops, HOPS_MORE);
    if (run->options->topology != SS_TOPOLOGY_UNIFORM) {
      ss_world_row (world, "stretch; oracle", "%.4f  %.4f",
                    routes.measured.stretch, routes.ideal_stretch);
      fail_above (world, "the stretch's ratio to the oracle's",
                  routes.measured.stretch / routes.ideal_stretch, STRETCH_MORE);
    }
  }
  ss_sim_end (run, world);
}

static void
report_row (SsWorld *world, const char *what, unsigned row, SsStudyRow *ret)
{
  ss_study_row (world, row, 0, LOCALITY_NODES, ret);
  ss_world_row (world, what, "%.2f best  %.2f there  %.2f possible  ratio %.3f",
                ret->best, ret->present, ret->possible, ret->ratio);
}

void
ss_scenario_locality (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  SsStudyRow row;

  if (ss_study_grow (world, MAX (run->options->nodes, 2))) {
    report_row (world, "row 0, just joined", 0, &row);
    ss_world_run (world, MAINTAIN_TIME);
    report_row (world, "row 1, after maintenance", 1, &row);
    report_row (world, "row 0, after maintenance", 0, &row);
    if (run->options->nodes >= LOCALITY_NODES && row.best < ROW_BEST)
      ss_world_fail (world, "%.2f of 15 entries are the nearest, not %.2f",
                     row.best, ROW_BEST);
  }
  ss_sim_end (run, world);
}

/* What was said in a stage, by kind, and the tables it led to. */
static void
report_stage (SsWorld *world, const char *what)
{
  double n = ss_world_n_up (world);
  SsStudyRow row;

  ss_world_row (world, what, "%.1f datagrams a node  %.0f bytes",
                (double) world->traffic->datagrams / n,
                (double) world->traffic->bytes / n);
  for (unsigned i = 0; i < 3; i++) {
    char name[16];

    g_snprintf (name, sizeof name, "row %u", i);
    report_row (world, name, i, &row);
  }
  if (world->options.verbose)
    ss_traffic_print (world->traffic, n);
  ss_world_count_traffic (world);
}

static void
report_routes (SsWorld *world)
{
  unsigned n = ss_world_n_up (world);
  SsStudyRoutes routes;

  ss_study_routes (world, 2 * n, MAX (10 * SS_SEC / n, 1), &routes);
  row_hops (world, &routes);
  ss_world_row (world, "stretch; oracle", "%.4f  %.4f", routes.measured.stretch,
                routes.ideal_stretch);
  check_delivered (world, &routes.measured);
  ss_world_count_traffic (world);
}

/* What a node has sent and got. */
static double
n_datagrams (SsWorld *world, unsigned index)
{
  const SsCounters *counters =
      &ss_node_env (ss_world_node (world, index))->counters;

  return (double) (counters->value[SS_COUNT_DATAGRAMS_IN]
                   + counters->value[SS_COUNT_DATAGRAMS_OUT]);
}

/* Nodes that come one by one to a ring that is at rest, as in the paper. */
static void
report_newcomers (SsWorld *world, unsigned n)
{
  unsigned first = world->members->len;
  double joined = 0, later = 0;
  SsStudyRow row, row_later;

  for (unsigned i = 0; i < n; i++) {
    unsigned index = ss_world_add (world, false, false);

    ss_world_wait (world, ss_world_all_ready, NEWCOMER_PAUSE);
    joined += n_datagrams (world, index) / n;
    ss_world_run (world, NEWCOMER_PAUSE);
  }
  ss_study_row (world, 0, first, n, &row);
  ss_world_run (world, NEWCOMER_TIME);
  ss_study_row (world, 0, first, n, &row_later);
  for (unsigned i = first; i < world->members->len; i++)
    later += n_datagrams (world, i) / n;
  ss_world_row (world, "newcomers, row 0; a minute later",
                "%.2f best  ratio %.3f; %.2f  %.3f", row.best, row.ratio,
                row_later.best, row_later.ratio);
  ss_world_row (world, "their datagrams, joined; later", "%.1f  %.1f", joined,
                later);
}

/* How good the tables are as time goes by after fast growth, and what that
 * costs. */
void
ss_scenario_tables (SsSimRun *run)
{
  static const unsigned stages[] = { 10, 60, 180, 600, 1800 };
  SsWorld *world = ss_sim_begin (run, NULL);

  ss_world_count_traffic (world);
  if (ss_study_grow (world, MAX (run->options->nodes, 2))) {
    SsTime start = ss_world_now (world);

    report_stage (world, "just joined");
    for (unsigned i = 0; i < G_N_ELEMENTS (stages); i++) {
      char what[32];

      ss_world_run (world, start + stages[i] * SS_SEC - ss_world_now (world));
      g_snprintf (what, sizeof what, "after %u s", stages[i]);
      report_stage (world, what);
      if (i % 2 == 1)
        report_routes (world);
    }
  }
  report_newcomers (world, MAX (run->options->nodes / 50, 20));
  ss_sim_end (run, world);
}

/* A tenth dies: lookups at once, and when all is mended. */
void
ss_scenario_failure (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = MAX (run->options->nodes, 40);
  SsStudyRoutes before, broken, mended;
  SsNetworkStats start, quiet, end;

  if (!ss_study_grow (world, n))
    goto out;
  ss_world_run (world, MAINTAIN_TIME);
  ss_study_routes (world, n, SS_MSEC, &before);
  ss_network_stats (world->network, &start);
  ss_world_run (world, REPAIR_TIME);
  ss_network_stats (world->network, &quiet);
  unsigned n_killed = ss_study_kill (world, 0.1);

  ss_study_routes (world, n / 5, SS_USEC, &broken);
  SsTime healed = ss_study_wait_leaf_sets (world, REPAIR_TIME);

  ss_network_stats (world->network, &end);
  /* What is used is repaired; the maintenance sees to the rest. */
  ss_study_routes (world, 4 * n, SS_MSEC, &mended);
  ss_world_run (world, MAINTAIN_TIME);
  ss_study_routes (world, n, SS_MSEC, &mended);
  double base = (double) (quiet.sent - start.sent) / (double) REPAIR_TIME
                * (double) (healed + LOOKUP_WAIT);

  ss_world_row (world, "hops before, broken, repaired",
                "%.3f  %.3f  %.3f  oracle %.3f %.3f %.3f", before.measured.hops,
                broken.measured.hops, mended.measured.hops, before.ideal_hops,
                broken.ideal_hops, mended.ideal_hops);
  ss_world_row (world, "the same, to the first of 5 replicas",
                "%.3f  %.3f  %.3f", before.measured.replica_hops,
                broken.measured.replica_hops, mended.measured.replica_hops);
  ss_world_row (world, "leaf sets right after", "%.0f s",
                (double) healed / (double) SS_SEC);
  ss_world_row (world, "messages for each failed node", "%.0f",
                ((double) (end.sent - quiet.sent) - base) / n_killed);
  ss_world_row (world, "lookups lost and wrong, broken; repaired",
                "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                "; %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                broken.measured.n_lost, broken.measured.n_wrong,
                mended.measured.n_lost, mended.measured.n_wrong);
  check_delivered (world, &mended.measured);
  /* A smaller ring has shorter ways: against its own oracle. */
  fail_above (world, "the repaired hops' ratio to the oracle's",
              mended.measured.hops / mended.ideal_hops
                  / (before.measured.hops / before.ideal_hops),
              REPAIRED_MORE);
out:
  ss_sim_end (run, world);
}

void
ss_scenario_mass_failure (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = MAX (run->options->nodes, 40);
  const SsLookupOptions options = {
    .rate = run->options->rate,
    .wait = LOOKUP_WAIT,
    .retry = RETRY,
    .tries = TRIES,
  };
  SsLookupResult result;

  if (!ss_study_grow (world, n))
    goto out;
  ss_world_run (world, SETTLE_TIME);
  ss_study_kill (world, 0.5);
  ss_lookups_start (world, &options);
  SsTime healed = ss_study_wait_leaf_sets (world, HEAL_TIME);

  if (healed >= 0)
    ss_world_run (world, HEAL_TIME - healed);
  ss_lookups_stop (world, &result);
  double answered = 1 - (double) result.n_lost / (double) MAX (result.n, 1);

  ss_world_row (world, "leaf sets right after", "%.0f s",
                (double) healed / (double) SS_SEC);
  ss_world_row (world, "lookups meanwhile, answered, wrong",
                "%" G_GUINT64_FORMAT "  %.5f  %" G_GUINT64_FORMAT, result.n,
                answered, result.n_wrong);
  if (answered < ANSWERED_MIN)
    ss_world_fail (world, "%.5f of the lookups were answered", answered);
out:
  ss_sim_end (run, world);
}

/* Runs and sums up how many nodes were up: seconds of nodes. */
static double
run_and_count (SsWorld *world, SsTime duration)
{
  SsTime end = ss_world_now (world) + duration;
  double node_seconds = 0;

  while (ss_world_now (world) < end) {
    SsTime step = MIN (SAMPLE, end - ss_world_now (world));

    node_seconds += ss_world_n_up (world) * (double) step / (double) SS_SEC;
    ss_world_run (world, step);
  }
  return node_seconds;
}

static void
report_churn (SsWorld *world, const SsLookupResult *result)
{
  ss_world_row (world, "lookups, wrong, lost, lost with source, twice",
                "%" G_GUINT64_FORMAT "  %" G_GUINT64_FORMAT
                "  %" G_GUINT64_FORMAT "  %" G_GUINT64_FORMAT
                "  %" G_GUINT64_FORMAT,
                result->n, result->n_wrong, result->n_lost, result->n_orphans,
                result->n_again);
  ss_world_row (world, "hops, mean and most", "%.3f  %u", result->hops,
                result->hops_max);
  if (world->options.topology != SS_TOPOLOGY_UNIFORM)
    ss_world_row (world, "delay penalty: of sums, mean, median",
                  "%.3f  %.3f  %.3f  stretch of the way %.3f", result->penalty,
                  result->penalty_mean, result->penalty_median,
                  result->stretch);
}

/* Behind routers: how often the links between them were crossed. */
static void
report_stress (SsWorld *world)
{
  SsStress stress;

  ss_topology_stress (world->topology, &stress);
  if (stress.crossings > 0)
    ss_world_row (world, "link stress, mean and most, links used",
                  "%.0f  %" G_GUINT64_FORMAT "  %u of %u", stress.mean,
                  stress.most, stress.used, stress.all);
}

/* churn, consistency. */
static void
churn (SsSimRun *run, bool figures)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  const SsSimOptions *options = run->options;
  const SsChurnOptions churn_options = {
    .kind = options->churn,
    .active = MAX (options->nodes, 2),
    .session = options->session,
    .crowd = 0.5,
    .crowd_at = WARM_TIME + options->duration / 4,
    .crowd_span = 60 * SS_SEC,
  };
  const SsLookupOptions lookups = { .rate = options->rate,
                                    .wait = LOOKUP_WAIT };
  SsLookupResult result;
  unsigned came, went;

  if (!ss_study_grow (world, MAX (options->nodes, 2)))
    goto out;
  ss_churn_start (world, &churn_options);
  ss_lookups_start (world, &lookups);
  ss_world_run (world, WARM_TIME);
  ss_lookups_mark (world);
  ss_world_count_traffic (world);
  ss_topology_count_stress (world->topology, figures);
  double node_seconds = run_and_count (world, options->duration);
  SsTraffic traffic = *world->traffic;

  report_stress (world);
  ss_topology_count_stress (world->topology, false);

  ss_churn_stop (world, &came, &went);
  ss_lookups_stop (world, &result);
  double seconds = (double) options->duration / (double) SS_SEC;
  double control = (double) ss_traffic_control (&traffic) / node_seconds;
  double wrong = (double) result.n_wrong / (double) MAX (result.n, 1);

  ss_world_row (world, "came, went, up in the mean", "%u  %u  %.0f", came, went,
                node_seconds / seconds);
  report_churn (world, &result);
  ss_world_row (world, "control traffic, node and second", "%.4f datagrams",
                control);
  ss_traffic_print (&traffic, node_seconds);
  if (options->loss <= 0 && result.n_wrong > 0)
    ss_world_fail (world, "%" G_GUINT64_FORMAT " deliveries were wrong",
                   result.n_wrong);
  fail_above (world, "the share of wrong deliveries", wrong, WRONG_MAX);
  if (options->loss <= 0)
    fail_above (world, "the share of lost lookups",
                (double) result.n_lost / (double) MAX (result.n, 1), LOSS_MAX);
  if (figures) {
    fail_above (world, "the delay penalty", result.penalty, PENALTY_MAX);
    fail_above (world, "control traffic", control, CONTROL_MAX);
  }
out:
  ss_sim_end (run, world);
}

void
ss_scenario_churn (SsSimRun *run)
{
  churn (run, true);
}

void
ss_scenario_consistency (SsSimRun *run)
{
  churn (run, false);
}

/* All behind one stub router's domain die at once, one domain after the
 * other, the fullest first. */
void
ss_scenario_domains (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n_killed = 0, n_domains = 0;
  SsTime slowest = 0;
  SsStudyRoutes routes;

  if (!ss_study_grow (world, MAX (run->options->nodes, 40)))
    goto out;
  ss_world_run (world, SETTLE_TIME);
  SsTime end = ss_world_now (world) + run->options->duration;

  while (ss_world_now (world) < end) {
    unsigned domain =
        ss_topology_domain (world->topology, ss_world_pick (world));
    unsigned n = ss_study_kill_domain (world, domain);
    SsTime healed = ss_study_wait_leaf_sets (world, HEAL_TIME);

    n_killed += n;
    n_domains += n > 0;
    if (healed < 0)
      break;
    slowest = MAX (slowest, healed);
    ss_world_add_many (world, n, false, 10 * SS_SEC);
    ss_world_wait (world, ss_world_all_ready, HEAL_TIME);
  }
  ss_study_routes (world, ss_world_n_up (world), SS_MSEC, &routes);
  check_delivered (world, &routes.measured);
  ss_world_row (world, "domains that failed, nodes in them", "%u  %u",
                n_domains, n_killed);
  ss_world_row (world, "leaf sets right after at most", "%.0f s",
                (double) slowest / (double) SS_SEC);
out:
  ss_sim_end (run, world);
}
