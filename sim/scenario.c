/* Named scenarios: the table, and what they share. */
#include "sim/scenario.h"

#include <sodium.h>
#include <string.h>
#include <sys/resource.h>

#include "sim/options.h"
#include "sim/oracle.h"

#define ON_AIR_TIME  (10 * SS_SEC)
#define TUNE_IN_TIME (15 * SS_SEC)
#define END_TIME     (10 * SS_SEC)

#define COMMON(delay_ms, parity_, runs_) \
  .delay = (delay_ms) *SS_MSEC, .jitter = 5 * SS_MSEC, \
  .latency = SS_LATENCY_DEFAULT, .parity = (parity_), .runs = (runs_), \
  .seed = 1

/* A plane as Pastry's authors used; L as they did. */
#define STUDY \
  .topology = SS_TOPOLOGY_PLANE, .delay = 100 * SS_MSEC, .leaf_set = 16, \
  .latency = SS_LATENCY_DEFAULT, .parity = 1, .runs = 1, .seed = 1
/* Routers as MSPastry's authors had between their nodes. */
#define TESTBED \
  .topology = SS_TOPOLOGY_TRANSIT_STUB, .churn = SS_CHURN_GNUTELLA, \
  .latency = SS_LATENCY_DEFAULT, .parity = 1, .runs = 1, .seed = 1

/* Then links that only served joins are gone. */
#define SCALE_REST (340 * SS_SEC)

static const SsScenario scenarios[] = {
  { "join",
    "nodes join; leaf sets, lookups, messages and memory",
    { COMMON (20, 1, 1), .nodes = 1000 },
    ss_scenario_join },
  { "listen-loss",
    "listeners hear every packet though datagrams are lost",
    { COMMON (20, 1, 1), .nodes = 200, .loss = 0.02, .duration = 30 * SS_SEC },
    ss_scenario_listen_loss },
  { "forest",
    "nodes of a ring tune in at once: the trees, and who carries them",
    { TESTBED, .nodes = 500, .out = 18, .duration = 10 * SS_SEC },
    ss_scenario_forest },
  { "bystanders",
    "nodes that do not listen come, some of them roots: no stripe is cut",
    { COMMON (20, 1, 1), .nodes = 12, .duration = 10 * SS_SEC },
    ss_scenario_bystanders },
  { "one-death",
    "each listener dies in turn; nothing is lost, and how soon all is whole",
    { COMMON (50, 1, 1), .nodes = 100 },
    ss_scenario_one_death },
  { "quarter-death",
    "a quarter of the listeners dies at once: how soon all is whole",
    { COMMON (50, 1, 1), .nodes = 500, .duration = 20 * SS_SEC },
    ss_scenario_quarter_death },
  { "free-riders",
    "a tenth of the listeners forwards nothing; the others hear all",
    { COMMON (20, 1, 1), .nodes = 200, .duration = 40 * SS_SEC },
    ss_scenario_free_riders },
  { "served-last",
    "places are short, and a tenth forwards nothing: these lose theirs",
    { COMMON (20, 1, 1), .nodes = 100, .out = 13, .duration = 40 * SS_SEC },
    ss_scenario_served_last },
  { "idle-roots",
    "the roots of four stripes forward nothing; nobody loses anything",
    { COMMON (20, 1, 1), .nodes = 100, .duration = 30 * SS_SEC },
    ss_scenario_idle_roots },
  { "late-parents",
    "a tenth of the listeners forwards all, and late; they are left",
    { COMMON (20, 1, 1), .nodes = 200, .out = 64, .duration = 60 * SS_SEC },
    ss_scenario_late_parents },
  { "station-churn",
    "listeners come and go: how much of the stream each hears in time",
    { .topology = SS_TOPOLOGY_TRANSIT_STUB,
      .churn = SS_CHURN_GNUTELLA,
      .latency = 2 * SS_SEC,
      .parity = 1,
      .runs = 1,
      .seed = 1,
      .nodes = 200,
      .loss = 0.01,
      .duration = 120 * SS_SEC },
    ss_scenario_station_churn },
  { "rest",
    "a station where nothing happens: what its nodes do for nothing",
    { COMMON (20, 1, 1), .nodes = 50, .duration = 120 * SS_SEC },
    ss_scenario_rest },
  { "placement",
    "who sits high, by age and by line, while listeners come and go",
    { COMMON (20, 1, 1), .nodes = 120, .churn = SS_CHURN_WEIBULL,
      .session = 60 * SS_SEC, .duration = 150 * SS_SEC },
    ss_scenario_placement },
  { "modest-uplinks",
    "all uplinks carry a few times the stream, and all come at once",
    { COMMON (20, 1, 1), .nodes = 50, .access.up_kbps = 500,
      .duration = 60 * SS_SEC },
    ss_scenario_modest_uplinks },
  { "narrow-uplinks",
    "a fifth of the uplinks becomes narrow: who is below finds other parents",
    { COMMON (20, 1, 1), .nodes = 100, .duration = 60 * SS_SEC },
    ss_scenario_narrow_uplinks },
  { "narrow-downlinks",
    "a fifth have downlinks that are just enough, and tune in among the others",
    { COMMON (20, 1, 1), .nodes = 50, .duration = 20 * SS_SEC },
    ss_scenario_narrow_downlinks },
  { "narrow-roots",
    "the same in a small ring, where they root stripes, and get all of it late",
    { COMMON (20, 1, 1), .nodes = 5, .duration = 20 * SS_SEC },
    ss_scenario_narrow_roots },
  { "growth",
    "one station with 100, 1,000 and so on listeners: what each costs",
    { COMMON (20, 1, 1), .topology = SS_TOPOLOGY_PLANE, .nodes = 1000,
      .duration = 10 * SS_SEC },
    ss_scenario_growth },
  { "source-upload",
    "the broadcaster uploads the stream once, whatever the audience",
    { COMMON (20, 1, 1), .nodes = 100, .duration = 30 * SS_SEC },
    ss_scenario_source_upload },
  { "upload",
    "what listeners and broadcaster upload stays within bounds",
    { COMMON (1, 1, 5), .nodes = 30, .duration = 60 * SS_SEC },
    ss_scenario_upload },
  { "mass-death",
    "a fifth of the nodes die at once; all is whole again",
    { COMMON (20, 1, 1), .nodes = 200, .duration = 30 * SS_SEC },
    ss_scenario_mass_death },
  { "root-deaths",
    "the root of each stripe dies in turn; no packet is lost",
    { COMMON (20, 1, 1), .nodes = 64 },
    ss_scenario_root_deaths },
  { "small-rings",
    "rings of 3, 4, 6, 10, 32 lose whoever roots most stripes",
    { COMMON (5, -1, 20), .nodes = 0 },
    ss_scenario_small_rings },
  { "kill-any",
    "each node in turn dies or falls silent; no packet is lost",
    { COMMON (5, 1, 1), .nodes = 30 },
    ss_scenario_kill_any },
  { "clients",
    "nodes behind NATs hear every packet, their attachments dying",
    { COMMON (20, 1, 1), .nodes = 40 },
    ss_scenario_clients },
  { "leave",
    "each node in turn leaves; no packet is lost",
    { COMMON (5, 1, 1), .nodes = 30 },
    ss_scenario_leave },
  { "freeze",
    "nodes sleep and wake; nobody else notices",
    { COMMON (5, 1, 1), .nodes = 20, .duration = 8 * SS_SEC },
    ss_scenario_freeze },
  { "determinism",
    "one seed twice gives one trace, another gives another",
    { COMMON (20, 1, 1), .nodes = 40, .loss = 0.01, .duration = 10 * SS_SEC },
    ss_scenario_determinism },
  { "partition-merge",
    "a ring falls into two and is one again",
    { COMMON (20, 1, 1), .nodes = 100, .duration = 60 * SS_SEC },
    ss_scenario_partition_merge },
  { "store",
    "records are found while nodes come and go",
    { COMMON (20, 1, 1), .nodes = 100, .duration = 600 * SS_SEC },
    ss_scenario_store },
  { "broadcaster-restart",
    "the broadcaster dies and returns",
    { COMMON (20, 1, 1), .nodes = 20, .duration = 10 * SS_SEC },
    ss_scenario_restart },
  { "broadcaster-cut",
    "the broadcaster's machine is cut off and returns",
    { COMMON (20, 1, 1), .nodes = 20, .duration = 10 * SS_SEC },
    ss_scenario_cut },
  { "standby",
    "the broadcaster dies or sleeps, and one that stands by takes over",
    { COMMON (20, 1, 1), .nodes = 20, .duration = 80 * SS_SEC },
    ss_scenario_standby },
  { "scale",
    "very many nodes join, look up and rest: what it costs",
    { COMMON (50, 1, 1), .topology = SS_TOPOLOGY_PLANE, .nodes = 10000,
      .duration = SCALE_REST, .leaf_set = 16 },
    ss_scenario_scale },
  { "deliveries",
    "a station of video with many listeners: what a packet costs",
    { .delay = 20 * SS_MSEC,
      .hold_off = 6 * SS_MSEC,
      .latency = SS_LATENCY_DEFAULT,
      .parity = 1,
      .runs = 1,
      .seed = 1,
      .nodes = 102,
      .kbits = 8000,
      .duration = 10 * SS_SEC },
    ss_scenario_deliveries },
  { "hops",
    "lookups take as many hops as with perfect tables",
    { .delay = 20 * SS_MSEC,
      .nodes = 5000,
      .leaf_set = 16,
      .latency = SS_LATENCY_DEFAULT,
      .parity = 1,
      .runs = 1,
      .seed = 1 },
    ss_scenario_routes },
  { "stretch",
    "on a plane, lookups travel as far as with perfect tables",
    { STUDY, .nodes = 4000 },
    ss_scenario_routes },
  { "locality",
    "entries of the routing tables are the nearest there are",
    { STUDY, .nodes = 5000 },
    ss_scenario_locality },
  { "tables",
    "how good the routing tables are as time goes by, and what that costs",
    { STUDY, .nodes = 1000 },
    ss_scenario_tables },
  { "failure",
    "a tenth of the nodes fails: hops before, broken, repaired",
    { STUDY, .nodes = 5000 },
    ss_scenario_failure },
  { "mass-failure",
    "half of the nodes die at once; leaf sets, and lookups meanwhile",
    { COMMON (20, 1, 1), .nodes = 10000, .rate = 0.1 },
    ss_scenario_mass_failure },
  { "churn",
    "nodes come and go: delay penalty, lost lookups, traffic by kind",
    { TESTBED, .nodes = 2000, .rate = 0.01, .duration = 3600 * SS_SEC },
    ss_scenario_churn },
  { "consistency",
    "nodes come and go: no lookup ends at two nodes",
    { .topology = SS_TOPOLOGY_TRANSIT_STUB,
      .latency = SS_LATENCY_DEFAULT,
      .parity = 1,
      .runs = 1,
      .seed = 1,
      .nodes = 1000,
      .churn = SS_CHURN_POISSON,
      .session = 1200 * SS_SEC,
      .rate = 1,
      .duration = 1050 * SS_SEC },
    ss_scenario_consistency },
  { "domains",
    "whole stub domains fail at once",
    { TESTBED, .nodes = 1000, .duration = 60 * SS_SEC },
    ss_scenario_domains },
  { "anycast",
    "a member near is found, in few messages",
    { TESTBED, .nodes = 2000, .leaf_set = 16 },
    ss_scenario_anycast },
  { "groups",
    "many groups of all sizes: delay, stress of links, burden of nodes",
    { TESTBED, .nodes = 2000, .leaf_set = 16 },
    ss_scenario_groups },
  { "economy",
    "very many tiny groups: what nodes keep, chains taken out",
    { TESTBED, .nodes = 2000, .leaf_set = 16 },
    ss_scenario_economy },
  { "crypto",
    "a small station, for the real sealer and signer",
    { COMMON (5, 1, 1), .nodes = 10, .loss = 0.01, .duration = 8 * SS_SEC },
    ss_scenario_crypto },
};

const SsScenario *
ss_scenario_at (unsigned index)
{
  return index < G_N_ELEMENTS (scenarios) ? &scenarios[index] : NULL;
}

const SsScenario *
ss_scenario_find (const char *name)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (scenarios); i++)
    if (g_str_equal (scenarios[i].name, name))
      return &scenarios[i];
  return NULL;
}

SsWorld *
ss_sim_begin (SsSimRun *run, const SsSimOptions *options)
{
  return ss_world_new (options != NULL ? options : run->options);
}

void
ss_sim_end (SsSimRun *run, SsWorld *world)
{
  char hash[SS_TRACE_HASH_STRLEN];

  ss_cost_add (&run->cost, world);
  ss_network_trace_hash (world->network, hash);
  if (run->n_worlds++ > 0)
    g_string_append_c (run->hashes, ' ');
  g_string_append (run->hashes, hash);
  if (world->n_failures > 0) {
    SsSimOptions options = world->options;

    options.runs = 1;
    options.may_fail = 0;
    char *text = ss_options_format (&options, run->defaults);

    if (run->n_failed++ >= run->options->may_fail)
      run->n_failures += world->n_failures;
    printf ("  %u failures; replay: ss-sim run %s %s\n", world->n_failures,
            run->name, text);
    g_free (text);
  }
  ss_world_free (world);
}

void
ss_sim_repeat (SsSimRun *run, SsSimOne one)
{
  for (unsigned i = 0; i < run->options->runs; i++) {
    SsSimOptions options = *run->options;

    options.seed += i;
    one (run, &options);
  }
}

static void
print_hash (const SsSimRun *run)
{
  uint8_t hash[16];
  char text[2 * sizeof hash + 1];

  if (run->n_worlds == 1) {
    printf ("trace_hash %s\n", run->hashes->str);
    return;
  }
  crypto_generichash (hash, sizeof hash, (const uint8_t *) run->hashes->str,
                      run->hashes->len, NULL, 0);
  printf ("trace_hash %s\n",
          sodium_bin2hex (text, sizeof text, hash, sizeof hash));
}

bool
ss_scenario_run (const SsScenario *scenario, const SsSimOptions *options,
                 FILE *csv)
{
  SsSimRun run = {
    .options = options,
    .defaults = &scenario->defaults,
    .name = scenario->name,
    .csv = csv,
    .hashes = g_string_new (NULL),
  };
  char *text = ss_options_format (options, &scenario->defaults);

  ss_cost_begin (&run.cost);
  printf ("seed %" G_GUINT64_FORMAT "\n", options->seed);
  printf ("scenario %s %s\n", scenario->name, text);
  g_free (text);
  scenario->run (&run);
  ss_cost_print (&run.cost);
  printf ("  %-36s %s\n", "verdict", run.n_failures == 0 ? "ok" : "FAILED");
  print_hash (&run);
  g_string_free (run.hashes, TRUE);
  return run.n_failures == 0;
}

bool
ss_scenario_has_points (const SsScenario *scenario)
{
  return scenario->run == ss_scenario_growth
         || scenario->run == ss_scenario_one_death;
}

void
ss_sim_point (const SsSimRun *run, const SsWorld *world, const char *series,
              const char *format, ...)
{
  va_list arguments;

  if (run->csv == NULL)
    return;
  fprintf (run->csv, "%s,%" G_GUINT64_FORMAT ",%u,", series,
           world->options.seed, world->options.nodes);
  va_start (arguments, format);
  vfprintf (run->csv, format, arguments);
  va_end (arguments);
  fputc ('\n', run->csv);
}

bool
ss_sim_start_station (SsWorld *world, unsigned n_listeners, SsTime span)
{
  ss_world_add (world, true, false);
  if (ss_world_wait (world, ss_world_all_ready, ON_AIR_TIME) < 0) {
    ss_world_fail (world, "the first node made no ring");
    return false;
  }
  ss_world_publish (world);
  if (ss_world_wait (world, ss_world_is_on_air, ON_AIR_TIME) < 0) {
    ss_world_fail (world, "the station did not go on the air");
    return false;
  }
  ss_world_add_many (world, n_listeners, true, span);
  if (ss_world_wait (world, ss_world_all_hear, TUNE_IN_TIME) < 0) {
    unsigned n_deaf = 0;

    for (unsigned i = 0; i < world->members->len; i++) {
      const SsMember *member = ss_world_member (world, i);

      n_deaf += member->hearing != NULL && member->hearing->first_at < 0;
    }
    ss_world_fail (world, "%u of %u listeners hear nothing", n_deaf,
                   n_listeners);
    return false;
  }
  return true;
}

void
ss_sim_finish_since (SsWorld *world, SsTime since)
{
  ss_world_end_broadcast (world);
  ss_world_wait (world, ss_world_all_ended, world->options.latency + END_TIME);
  ss_oracle_hearing (world, since, true, true);
}

void
ss_sim_finish_station (SsWorld *world)
{
  ss_sim_finish_since (world, 0);
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const SsTime *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

void
ss_sim_report_listeners (SsWorld *world)
{
  GArray *tune_ins = g_array_new (FALSE, FALSE, sizeof (SsTime));
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  uint64_t from_parity = 0, again = 0, lost = 0, frames = 0, frames_lost = 0;
  SsTime latency_min = SS_NEVER, latency_max = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);
    const SsHearing *hearing = member->hearing;

    if (!member->is_up || hearing == NULL || hearing->first_at < 0)
      continue;
    SsTime tune_in = hearing->first_at - hearing->started;

    g_array_append_val (tune_ins, tune_in);
    latency_min = MIN (latency_min, hearing->latency_min);
    latency_max = MAX (latency_max, hearing->latency_max);
    frames += hearing->n_frames;
    frames_lost += hearing->n_lost;
    ss_node_stats (ss_world_node (world, i), stats);
    from_parity += stats->station.packets_from_parity;
    again += stats->station.packets_retransmitted;
    lost += stats->station.packets_lost;
  }
  if (tune_ins->len > 0) {
    g_array_sort (tune_ins, compare_times);
    ss_world_row (world, "tune-in, median and most", "%.2f s  %.2f s",
                  (double) g_array_index (tune_ins, SsTime, tune_ins->len / 2)
                      / (double) SS_SEC,
                  (double) g_array_index (tune_ins, SsTime, tune_ins->len - 1)
                      / (double) SS_SEC);
    ss_world_row (world, "latency", "%.0f to %.0f ms",
                  (double) latency_min / (double) SS_MSEC,
                  (double) latency_max / (double) SS_MSEC);
  }
  ss_world_row (world, "frames heard, lost",
                "%" G_GUINT64_FORMAT "  %" G_GUINT64_FORMAT, frames,
                frames_lost);
  ss_world_row (world, "packets retransmitted, rebuilt, lost",
                "%" G_GUINT64_FORMAT "  %" G_GUINT64_FORMAT
                "  %" G_GUINT64_FORMAT,
                again, from_parity, lost);
  g_free (stats);
  g_array_unref (tune_ins);
}

bool
ss_sim_uploads (SsWorld *world, double *ret_mean, double *ret_most)
{
  double sum = 0, most = 0;
  unsigned n = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    /* Who came after the mark has none. */
    if (!member->is_up || member->hearing == NULL
        || member->started > world->mark)
      continue;
    double ratio = ss_world_upload_ratio (world, i);

    sum += ratio;
    most = MAX (most, ratio);
    n++;
  }
  if (n == 0)
    return false;
  *ret_mean = sum / n;
  *ret_most = most;
  return true;
}

void
ss_sim_report_uploads (SsWorld *world)
{
  double mean, most, control = 0;
  unsigned n = 0;

  if (!ss_sim_uploads (world, &mean, &most))
    return;
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (member->is_up && member->hearing != NULL
        && member->started <= world->mark) {
      control += ss_world_control_rate (world, i);
      n++;
    }
  }
  ss_world_row (world, "listeners' upload, mean and most", "%.2f x  %.2f x",
                mean, most);
  ss_world_row (world, "listeners' control upload, mean", "%.0f B/s",
                control / n);
  if (world->publisher >= 0) {
    unsigned publisher = (unsigned) world->publisher;

    ss_world_row (world, "broadcaster's upload", "%.2f x  control %.0f B/s",
                  ss_world_upload_ratio (world, publisher),
                  ss_world_control_rate (world, publisher));
  }
}
