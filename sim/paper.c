/* Tables of papers. What is quoted as the paper's was read in it or off its
 * plots (marked ~), or follows from what it says by computation; where no
 * such figure is known there is none. Each row is measured with several
 * seeds: the mean, the least and the most.
 *
 * Pastry: Rowstron and Druschel, Middleware 2001; b = 4, L = 16.
 * MSPastry: Castro, Costa and Rowstron, DSN 2004; b = 4, L = 32.
 * Scribe: Castro, Druschel, Kermarrec and Rowstron, JSAC 2002; and on it
 * anycast: the same, NGC 2003. */
#include "sim/paper.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/csv.h"
#include "sim/scenario.h"
#include "sim/study.h"
#include "sim/study_groups.h"

#define SETTLE_TIME    (60 * SS_SEC)
#define REST_TIME      (240 * SS_SEC)
#define MAINTAIN_TIME  (2400 * SS_SEC)
#define REPAIR_TIME    (120 * SS_SEC)
#define WARM_TIME      (600 * SS_SEC)
#define LOOKUP_WAIT    (30 * SS_SEC)
#define NEWCOMERS      100 /* one for so many */
#define NEWCOMER_PAUSE (2 * SS_SEC)
#define SEEDS          3 /* where --runs says nothing */
#define SEEDS_MAX      32
#define ROWS_MAX       64
#define ROUTES         200000 /* lookups, as in Pastry's paper */

typedef struct {
  char what[48];
  const char *paper; /* as text: it may be a bound; "" none */
  double measured[SEEDS_MAX], oracle[SEEDS_MAX];
  unsigned n, nodes;
} Row;

typedef struct {
  Row rows[ROWS_MAX];
  unsigned n_rows;
  SsSimOptions options;
  unsigned nodes; /* of the world being measured */
} Table;

typedef struct {
  const char *paper, *name, *title;
  SsSimOptions defaults;
  void (*run) (Table *table, SsWorld *world);
  unsigned sizes[8]; /* worlds of so many nodes; ends with 0 */
} Experiment;

/* oracle NAN: there is none. */
static void put (Table *table, const char *paper, double measured,
                 double oracle, const char *format, ...) G_GNUC_PRINTF (5, 6);

static void
put (Table *table, const char *paper, double measured, double oracle,
     const char *format, ...)
{
  char what[sizeof table->rows[0].what];
  va_list arguments;
  unsigned i = 0;

  va_start (arguments, format);
  g_vsnprintf (what, sizeof what, format, arguments);
  va_end (arguments);
  while (i < table->n_rows && strcmp (table->rows[i].what, what) != 0)
    i++;
  g_assert (i < ROWS_MAX);
  Row *row = &table->rows[i];

  if (i == table->n_rows) {
    table->n_rows++;
    g_strlcpy (row->what, what, sizeof row->what);
    row->paper = paper;
    row->nodes = table->nodes;
  }
  if (row->n == SEEDS_MAX)
    return;
  row->measured[row->n] = measured;
  row->oracle[row->n++] = oracle;
}

static SsStudyRoutes
routes_of (SsWorld *world, unsigned n)
{
  SsStudyRoutes routes;

  ss_study_routes (world, n, MAX (10 * SS_SEC / n, 1), &routes);
  return routes;
}

static void
put_hops (Table *table, unsigned n, const SsStudyRoutes *routes)
{
  static const char *const shares[] = { "",       "0.0006", "0.0156",
                                        "0.1643", "0.6449", "0.1745" };
  const SsLookupResult *measured = &routes->measured;
  bool is_papers = n == 100000;

  put (table, is_papers ? "3.98" : "", measured->hops, routes->ideal_hops,
       "%u nodes: hops", n);
  put (table, is_papers ? "5" : "", measured->hops_max, routes->ideal_hops_max,
       "%u nodes: most hops", n);
  for (unsigned i = 1; i < G_N_ELEMENTS (shares) && is_papers; i++)
    put (table, shares[i], (double) measured->by_hops[i] / (double) measured->n,
         NAN, "%u nodes: share with %u hops", n, i);
}

/* Of a ring that is at rest for a minute, and for long enough to have found
 * nearer nodes for its tables. */
static void
routes (Table *table, SsWorld *world)
{
  static const struct {
    unsigned n;
    const char *paper;
  } known[] = {
    { 1000, "~1.33" },
    { 4000, "~1.30" },
    { 10000, "~1.345" },
    { 100000, "~1.335" },
  };
  unsigned n = world->options.nodes;
  const char *paper = "";

  for (unsigned i = 0; i < G_N_ELEMENTS (known); i++)
    if (known[i].n == n)
      paper = known[i].paper;
  ss_world_run (world, SETTLE_TIME);
  SsStudyRoutes soon = routes_of (world, ROUTES);

  put (table, "", soon.measured.hops, soon.ideal_hops,
       "%u nodes: hops, after a minute", n);
  put (table, "", soon.measured.stretch, soon.ideal_stretch,
       "%u nodes: distance, after a minute", n);
  ss_world_run (world, REST_TIME);
  SsStudyRoutes later = routes_of (world, ROUTES);

  put_hops (table, n, &later);
  put (table, paper, later.measured.stretch, later.ideal_stretch,
       "%u nodes: distance over direct", n);
}

static void
locality (Table *table, SsWorld *world)
{
  unsigned n = world->options.nodes;
  const char *paper = n == 5000 ? "~14.4" : "";
  SsStudyRow row;

  ss_study_row (world, 0, 0, n, &row);
  put (table, "", row.best, row.possible, "%u nodes: row 0, grown fast", n);
  ss_world_run (world, MAINTAIN_TIME);
  ss_study_row (world, 0, 0, n, &row);
  put (table, "", row.best, row.possible, "%u nodes: row 0, maintained", n);
  ss_study_row (world, 1, 0, n, &row);
  put (table, "", row.best, row.possible, "%u nodes: row 1, maintained", n);
  /* As in the paper, nodes that come one by one. */
  unsigned n_come = MAX (n / NEWCOMERS, 1), first = world->members->len;

  for (unsigned i = 0; i < n_come; i++)
    ss_world_add_many (world, 1, false, NEWCOMER_PAUSE);
  ss_world_run (world, SETTLE_TIME);
  ss_study_row (world, 0, first, n_come, &row);
  put (table, paper, row.best, row.possible,
       "%u nodes: row 0, newcomers' after 1 min", n);
}

static void
failure (Table *table, SsWorld *world)
{
  unsigned n = world->options.nodes;
  bool is_papers = n == 5000;
  SsNetworkStats start, quiet, end;

  /* What follows joining is over: the rest is the price of the failures. */
  ss_world_run (world, MAINTAIN_TIME);
  SsStudyRoutes before = routes_of (world, 2 * n);

  ss_network_stats (world->network, &start);
  ss_world_run (world, REPAIR_TIME);
  ss_network_stats (world->network, &quiet);
  unsigned n_killed = ss_study_kill (world, 0.1);
  SsStudyRoutes broken;

  ss_study_routes (world, n / 5, SS_USEC, &broken);
  ss_world_run (world, REPAIR_TIME);
  ss_network_stats (world->network, &end);
  double rate = (double) (quiet.sent - start.sent) / (double) REPAIR_TIME;
  double extra = (double) (end.sent - quiet.sent)
                 - rate * (double) (REPAIR_TIME + LOOKUP_WAIT);

  routes_of (world, 4 * n);
  ss_world_run (world, MAINTAIN_TIME);
  SsStudyRoutes after = routes_of (world, 2 * n);

  put (table, is_papers ? "2.73" : "", before.measured.replica_hops, NAN,
       "to the first of 5: healthy");
  put (table, is_papers ? "2.96" : "", broken.measured.replica_hops, NAN,
       "to the first of 5: broken");
  put (table, is_papers ? "2.74" : "", after.measured.replica_hops, NAN,
       "to the first of 5: repaired");
  put (table, "", before.measured.hops, before.ideal_hops,
       "to the closest: healthy");
  put (table, "", broken.measured.hops, broken.ideal_hops,
       "to the closest: broken");
  put (table, "", after.measured.hops, after.ideal_hops,
       "to the closest: repaired");
  put (table, is_papers ? "57" : "", extra / n_killed, NAN,
       "datagrams for each failed node");
}

static double
run_and_count (SsWorld *world, SsTime duration)
{
  double node_seconds = 0;

  for (SsTime passed = 0; passed < duration; passed += 10 * SS_SEC) {
    node_seconds += 10.0 * ss_world_n_up (world);
    ss_world_run (world, 10 * SS_SEC);
  }
  return node_seconds;
}

static void
churn (Table *table, SsWorld *world)
{
  const SsSimOptions *options = &world->options;
  const SsChurnOptions churn = { .kind = options->churn,
                                 .active = options->nodes,
                                 .session = options->session };
  const SsLookupOptions lookups = { .rate = options->rate,
                                    .wait = LOOKUP_WAIT };
  SsLookupResult result;
  unsigned came, went;

  ss_churn_start (world, &churn);
  ss_lookups_start (world, &lookups);
  ss_world_run (world, WARM_TIME);
  ss_lookups_mark (world);
  ss_world_count_traffic (world);
  double node_seconds = run_and_count (world, options->duration);
  double control = (double) ss_traffic_control (world->traffic) / node_seconds;

  ss_churn_stop (world, &came, &went);
  ss_lookups_stop (world, &result);
  double n = (double) MAX (result.n, 1);

  put (table, "< 2", result.penalty, NAN, "delay penalty");
  put (table, "", result.stretch, NAN, "distance over direct");
  put (table, "< 0.5", control, NAN, "control datagrams a node and second");
  put (table, "0", (double) result.n_wrong / n, NAN,
       "share of wrong deliveries");
  put (table, "", (double) result.n_lost / n, NAN, "share of lookups lost");
  put (table, "", result.hops, NAN, "hops");
}

/* Losses, as the paper's model predicts them: Pf (T) is the chance that a
 * node which lived at the last probe is dead, T ago being the longest. */
static double
dead_share (double period, double mu)
{
  return 1 - (1 - exp (-period * mu)) / (period * mu);
}

static double
raw_loss (double leaf_period, double table_period, double timeout, double mu,
          double n)
{
  double n_hops = 15.0 / 16 * log (n) / log (16);

  return 1
         - (1 - dead_share (leaf_period + timeout, mu))
               * pow (1 - dead_share (table_period + timeout, mu), n_hops - 1);
}

/* Bisection: loss grows with the period. */
static double
table_period (double target, double session, double n)
{
  double low = 1, high = 1e6;

  for (unsigned i = 0; i < 100; i++) {
    double middle = (low + high) / 2;

    if (raw_loss (30, middle, 9, 1 / session, n) < target)
      low = middle;
    else
      high = middle;
  }
  return low;
}

static void
tuning (Table *table, SsWorld *world)
{
  const double few = 2.3 * 3600, many = 37.7 * 3600;

  put (table, "510", table_period (0.05, few, 2000), NAN,
       "2,000 nodes, 2.3 h, 5%%: s");
  put (table, "72", table_period (0.01, few, 2000), NAN,
       "2,000 nodes, 2.3 h, 1%%: s");
  put (table, "6181", table_period (0.05, many, 15000), NAN,
       "15,000 nodes, 37.7 h, 5%%: s");
  put (table, "1186", table_period (0.01, many, 15000), NAN,
       "15,000 nodes, 37.7 h, 1%%: s");
}

static void
groups (Table *table, SsWorld *world)
{
  unsigned n = world->options.nodes;
  bool is_papers = n == 100000;
  SsStudyGroups result;

  ss_world_run (world, SETTLE_TIME);
  ss_study_groups (world, &result);
  const SsGroupsBurden *burden = &result.burden;

  put (table, is_papers ? "~1.7" : "", result.mean_ratio, NAN,
       "%u nodes: mean delay over IP's", n);
  put (table, "", result.mean_ratio_p90, NAN,
       "%u nodes: the same, 90%% of groups", n);
  put (table, is_papers ? "~1.7" : "", result.most_ratio, NAN,
       "%u nodes: longest delay over IP's", n);
  put (table, "", result.most_ratio_p90, NAN,
       "%u nodes: likewise, 90%% of groups", n);
  put (table, is_papers ? "2.4" : "", result.stress, NAN,
       "%u nodes: link stress", n);
  put (table, is_papers ? "0.7" : "", result.stress_ip, NAN,
       "%u nodes: link stress, IP", n);
  put (table, "", (double) result.stress_most, NAN, "%u nodes: most on a link",
       n);
  put (table, "", (double) result.stress_ip_most, NAN,
       "%u nodes: most on a link, IP", n);
  put (table, "", burden->children_mean, NAN, "%u nodes: children", n);
  put (table, "", burden->children_median, NAN, "%u nodes: children, median",
       n);
  put (table, "", burden->children_most, NAN, "%u nodes: most children", n);
  put (table, "", burden->tables_mean, NAN, "%u nodes: children tables", n);
  put (table, "", burden->tables_most, NAN, "%u nodes: most children tables",
       n);
  put (table, "0", result.n_missed + result.n_outside, NAN,
       "%u nodes: members not reached", n);
}

static void
anycast (Table *table, SsWorld *world)
{
  unsigned n = world->options.nodes;
  bool is_papers = n == 100000;
  SsStudyAnycast result;

  ss_world_run (world, SETTLE_TIME);
  ss_study_anycast (world, &result);
  put (table, is_papers ? "4.1" : "", result.join_first, NAN,
       "%u nodes: JOINs, empty group", n);
  put (table, is_papers ? "3.5" : "", result.join_mean, NAN,
       "%u nodes: JOINs, %u members, mean", n, result.n_members);
  put (table, is_papers ? "2.3" : "", result.hops, NAN,
       "%u nodes: messages of an anycast", n);
  put (table, "", result.hops_most, NAN, "%u nodes: most messages", n);
  put (table, is_papers ? "> 0.90" : "", result.near_share, NAN,
       "%u nodes: by one of the nearest 7%%", n);
  put (table, "0", result.n_failed, NAN, "%u nodes: not answered", n);
}

#define PASTRY \
  { \
    .topology = SS_TOPOLOGY_PLANE, .delay = 100 * SS_MSEC, .leaf_set = 16, \
    .latency = SS_LATENCY_DEFAULT, .parity = 1, .seed = 1, .runs = SEEDS \
  }
#define MSPASTRY \
  { \
    .topology = SS_TOPOLOGY_TRANSIT_STUB, .leaf_set = 32, \
    .latency = SS_LATENCY_DEFAULT, .parity = 1, .seed = 1, .runs = SEEDS, \
    .churn = SS_CHURN_GNUTELLA, .rate = 0.01, .duration = 3600 * SS_SEC \
  }

#define SCRIBE \
  { \
    .topology = SS_TOPOLOGY_TRANSIT_STUB, .leaf_set = 16, \
    .latency = SS_LATENCY_DEFAULT, .parity = 1, .seed = 1, .runs = SEEDS \
  }

static const Experiment experiments[] = {
  { "pastry",
    "routes",
    "hops of a lookup; distance travelled over the direct one, on a plane",
    PASTRY,
    routes,
    { 1000, 4000, 10000 } },
  { "pastry",
    "locality",
    "of 15 entries, those that are the nearest there are",
    PASTRY,
    locality,
    { 5000 } },
  { "pastry",
    "failure",
    "a tenth of the nodes fails: hops, and messages",
    PASTRY,
    failure,
    { 5000 } },
  { "mspastry",
    "churn",
    "Gnutella-like churn behind 5,050 routers",
    MSPASTRY,
    churn,
    { 2000 } },
  { "mspastry",
    "tuning",
    "the period of table probes for a raw loss",
    MSPASTRY,
    tuning,
    { 1 } },
  { "scribe",
    "groups",
    "1,500 groups: delay, stress of links, burden of nodes",
    SCRIBE,
    groups,
    { 2000, 10000 } },
  { "scribe",
    "anycast",
    "messages of joins and anycasts; how near the member is",
    SCRIBE,
    anycast,
    { 2000, 10000 } },
};

void
ss_paper_list (void)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (experiments); i++)
    printf ("%-9s %-9s %s\n", experiments[i].paper, experiments[i].name,
            experiments[i].title);
}

static void
summary (const double *values, unsigned n, double *ret_mean, double *ret_least,
         double *ret_most)
{
  *ret_mean = 0;
  *ret_least = INFINITY;
  *ret_most = -INFINITY;
  for (unsigned i = 0; i < n; i++) {
    *ret_mean += values[i] / n;
    *ret_least = MIN (*ret_least, values[i]);
    *ret_most = MAX (*ret_most, values[i]);
  }
}

static void
print_table (const Experiment *experiment, const Table *table, FILE *csv)
{
  printf ("%s, %s: %s (seeds: %u)\n", experiment->paper, experiment->name,
          experiment->title, table->options.runs);
  printf ("  %-38s %9s %10s %21s %9s\n", "", "paper", "measured", "least..most",
          "oracle");
  for (unsigned i = 0; i < table->n_rows; i++) {
    const Row *row = &table->rows[i];
    double mean, least, most, oracle, unused;
    char oracle_text[32] = "", range[48];

    summary (row->measured, row->n, &mean, &least, &most);
    summary (row->oracle, row->n, &oracle, &unused, &unused);
    if (!isnan (oracle))
      g_snprintf (oracle_text, sizeof oracle_text, "%.4g", oracle);
    g_snprintf (range, sizeof range, "%.4g..%.4g", least, most);
    printf ("  %-38s %9s %10.4g %21s %9s\n", row->what, row->paper, mean, range,
            oracle_text);
    if (csv != NULL)
      fprintf (csv, "%s,%s,\"%s\",%u,%s,%.6g,%.6g,%.6g,%s,%u\n",
               experiment->paper, experiment->name, row->what, row->nodes,
               row->paper, mean, least, most, oracle_text, row->n);
  }
}

/* Worlds of each size and seed. */
static bool
run_experiment (const Experiment *experiment, const SsGiven *given, FILE *csv,
                SsCost *cost)
{
  Table *table = g_new0 (Table, 1);
  unsigned n_failures = 0;

  table->options = experiment->defaults;
  ss_given_apply (given, &table->options);
  unsigned sizes[] = { table->options.nodes, 0 };
  const unsigned *size = sizes[0] > 0 ? sizes : experiment->sizes;

  table->options.runs = CLAMP (table->options.runs, 1, SEEDS_MAX);
  for (; *size > 0; size++)
    for (unsigned i = 0; i < table->options.runs; i++) {
      SsSimOptions options = table->options;

      options.nodes = table->nodes = *size;
      options.seed += i;
      SsWorld *world = ss_world_new (&options);

      if (ss_study_grow (world, options.nodes))
        experiment->run (table, world);
      n_failures += world->n_failures;
      ss_cost_add (cost, world);
      ss_world_free (world);
    }
  print_table (experiment, table, csv);
  g_free (table);
  return n_failures == 0;
}

bool
ss_paper_run (const char *paper, const char *table, const SsGiven *given,
              const char *csv)
{
  FILE *file = NULL;
  unsigned n_run = 0;
  bool is_right = true;
  SsCost cost;

  ss_cost_begin (&cost);
  if (csv != NULL && (file = ss_csv_open (csv)) == NULL)
    return false;
  if (file != NULL)
    fprintf (file,
             "paper,table,row,nodes,published,mean,least,most,oracle,seeds\n");
  for (unsigned i = 0; i < G_N_ELEMENTS (experiments); i++) {
    const Experiment *experiment = &experiments[i];

    if (strcmp (experiment->paper, paper) != 0
        || (table != NULL && strcmp (experiment->name, table) != 0))
      continue;
    n_run++;
    is_right &= run_experiment (experiment, given, file, &cost);
  }
  is_right &= ss_csv_close (file, csv);
  if (n_run == 0) {
    fprintf (stderr, "ss-sim: there is no such table; see ss-sim paper\n");
    return false;
  }
  ss_cost_print (&cost);
  return is_right;
}
