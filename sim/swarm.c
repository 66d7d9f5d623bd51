/* The swarm. While faults are on, what must hold is safety: without loss and
 * partition no lookup ends at the wrong node, nothing asserts, no node wakes
 * without end. Then the faults stop, and within a bound leaf sets are right,
 * every lookup arrives, and a station's listeners hear all there is to hear
 * from then on. */
#include "sim/swarm.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sim/options.h"
#include "sim/oracle.h"
#include "sim/study.h"

#define FAULTS_TIME   (20 * SS_SEC)
#define HEAL_TIME     (150 * SS_SEC)
#define JOIN_TIME     (60 * SS_SEC)
#define LISTEN_TIME   (6 * SS_SEC)
#define QUIET_TIME    (10 * SS_SEC) /* after healing, before a gap counts */
#define LOOKUP_WAIT   (20 * SS_SEC)
#define COME_PAUSE    (20 * SS_MSEC) /* between two that join; */
#define CROWD_PAUSE   (2 * SS_MSEC)  /* of a crowd */
#define FAR_DELAY     (250 * SS_MSEC)
#define NODES_MIN     3
#define NODES_MAX     40
#define LISTENERS_MAX 8
#define LOOKUPS       40
/* Two neighbours that die at once are all of a side of the smallest sets. */
#define STRICT_LEAF_SET 8

typedef struct {
  SsSimOptions options;
  bool has_churn, has_partition, has_station, has_freezes;
  bool has_crowd; /* all come at once */
  unsigned n_listeners;
} Draw;

static bool
chance (SsRng *rng, double share)
{
  return ss_rng_unit (rng) < share;
}

static void
draw (uint64_t seed, bool verbose, Draw *ret_draw)
{
  static const SsTime delays[] = {
    0, SS_MSEC, 5 * SS_MSEC, 20 * SS_MSEC, 60 * SS_MSEC, 100 * SS_MSEC
  };
  static const unsigned leaf_sets[] = { 4, 8, 16, 32, 32 };
  SsRng rng;

  ss_rng_init_number (&rng, seed);
  Draw draw = { .options = { .seed = seed,
                             .runs = 1,
                             .parity = 1,
                             .latency = SS_LATENCY_DEFAULT,
                             .verbose = verbose } };
  SsSimOptions *options = &draw.options;

  options->nodes =
      NODES_MIN + (unsigned) ss_rng_below (&rng, NODES_MAX - NODES_MIN + 1);
  options->topology = (SsTopologyKind) ss_rng_below (&rng, SS_N_TOPOLOGIES);
  options->delay = delays[ss_rng_below (&rng, G_N_ELEMENTS (delays))];
  options->leaf_set = leaf_sets[ss_rng_below (&rng, G_N_ELEMENTS (leaf_sets))];
  if (chance (&rng, 0.5))
    options->jitter = (SsTime) ss_rng_below (&rng, 10 * SS_MSEC);
  if (chance (&rng, 0.5))
    options->loss = ss_rng_unit (&rng) * 0.05;
  if (chance (&rng, 0.3))
    options->duplicate = ss_rng_unit (&rng) * 0.05;
  if (chance (&rng, 0.3))
    options->straggle = ss_rng_unit (&rng) * 0.02;
  options->churn = (SsChurnKind) ss_rng_below (&rng, SS_N_CHURNS);
  options->session = (SsTime) (20 + ss_rng_below (&rng, 600)) * SS_SEC;
  options->rate = 0.5;
  draw.has_churn = chance (&rng, 0.6);
  draw.has_partition = chance (&rng, 0.25);
  draw.has_freezes = chance (&rng, 0.25);
  draw.has_station = chance (&rng, 0.3);
  draw.n_listeners = 1 + (unsigned) ss_rng_below (&rng, LISTENERS_MAX);
  draw.has_crowd = chance (&rng, 0.3);
  /* What is lost over such a way comes again too late for a station. */
  if (!draw.has_station && chance (&rng, 0.1))
    options->delay = FAR_DELAY;
  *ret_draw = draw;
}

static void
describe (const Draw *draw, const SsSimOptions *defaults)
{
  char *text = ss_options_format (&draw->options, defaults);

  printf ("  %s%s%s%s%s", text, draw->has_crowd ? ", a crowd" : "",
          draw->has_churn ? "" : ", nobody comes or goes",
          draw->has_partition ? ", a partition" : "",
          draw->has_freezes ? ", some sleep" : "");
  if (draw->has_station)
    printf (", a station with %u listeners", draw->n_listeners);
  putchar ('\n');
  g_free (text);
}

static void
thaw (void *user, uint64_t index)
{
  SsWorld *world = user;

  if (ss_world_member (world, (unsigned) index)->is_up
      && ss_network_is_frozen (world->network, (unsigned) index))
    ss_network_thaw (world->network, (unsigned) index);
}

static void
start_faults (SsWorld *world, const Draw *draw)
{
  const SsChurnOptions churn = {
    .kind = draw->options.churn,
    .active = draw->options.nodes,
    .session = draw->options.session,
    .crowd = 0.5,
    .crowd_at = FAULTS_TIME / 2,
    .crowd_span = 2 * SS_SEC,
    .orderly = 0.3,
  };
  SsTime now = ss_world_now (world);

  if (draw->has_churn)
    ss_churn_start (world, &churn);
  if (draw->has_partition)
    for (unsigned i = 0; i < world->members->len; i++)
      ss_network_set_side (world->network, i,
                           (unsigned) ss_rng_below (&world->rng, 2));
  if (draw->has_freezes)
    for (unsigned i = 0; i < draw->options.nodes / 4; i++) {
      unsigned index = ss_world_pick (world);

      if (ss_network_is_frozen (world->network, index))
        continue;
      ss_network_freeze (world->network, index);
      ss_network_at (
          world->network,
          now + (SsTime) ss_rng_below (&world->rng, (uint64_t) FAULTS_TIME),
          thaw, world, index);
    }
}

static void
stop_faults (SsWorld *world, const Draw *draw)
{
  unsigned came, went;

  ss_network_set_loss (world->network, 0);
  for (unsigned i = 0; i < world->members->len; i++) {
    ss_network_set_side (world->network, i, 0);
    thaw (world, i);
  }
  if (draw->has_churn)
    ss_churn_stop (world, &came, &went);
}

/* Wrong deliveries are only forbidden where no message is lost: a partition
 * and a sleeper lose some. */
static void
check_safety (SsWorld *world, const Draw *draw)
{
  SsLookupResult result;
  bool is_strict = draw->options.loss <= 0 && !draw->has_partition
                   && !draw->has_freezes
                   && draw->options.leaf_set >= STRICT_LEAF_SET;

  ss_lookups_stop (world, &result);
  if (is_strict && result.n_wrong > 0)
    ss_world_fail (world,
                   "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                   " lookups ended at the wrong node",
                   result.n_wrong, result.n);
}

/* Who was given two addresses of nodes that have died since is told one of
 * the living by its user. */
static void
help_joiners (SsWorld *world)
{
  SsTime now = ss_world_now (world);
  SsAddr addr = ss_network_addr (0);

  for (unsigned i = 1; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (!member->is_up || member->ready_at >= 0)
      continue;
    ss_node_join (ss_world_node (world, i), now, &addr, 1, NULL, 0);
    ss_network_touch (world->network, i);
  }
}

static void
check_convergence (SsWorld *world)
{
  SsLookups lookups;

  help_joiners (world);
  if (ss_world_wait (world, ss_world_all_ready, HEAL_TIME) < 0)
    ss_world_fail (world, "%u of %u have not joined", world->n_ready,
                   ss_world_n_up (world));
  if (ss_study_wait_leaf_sets (world, HEAL_TIME) >= 0)
    ss_oracle_lookups (world, LOOKUPS, SS_MSEC, &lookups);
}

static void
check_station (SsWorld *world)
{
  SsTime since;

  ss_world_run (world, QUIET_TIME);
  since = ss_world_now (world);
  ss_world_run (world, LISTEN_TIME);
  ss_oracle_hearing (world, since, false, true);
}

static bool
build (SsWorld *world, const Draw *draw)
{
  unsigned n = draw->options.nodes;

  if (draw->has_station
      && !ss_sim_start_station (world, draw->n_listeners, SS_SEC))
    return false;
  if (world->members->len < n)
    ss_world_add_many (world, n - world->members->len, false,
                       (SsTime) n
                           * (draw->has_crowd ? CROWD_PAUSE : COME_PAUSE));
  if (ss_world_wait (world, ss_world_all_ready, JOIN_TIME) >= 0)
    return true;
  ss_world_fail (world, "%u of %u joined", world->n_ready,
                 ss_world_n_up (world));
  return false;
}

static bool
run_one (const Draw *draw, const SsSimOptions *defaults)
{
  const SsLookupOptions lookups = { .rate = draw->options.rate,
                                    .wait = LOOKUP_WAIT };
  SsWorld *world = ss_world_new (&draw->options);

  if (build (world, draw)) {
    ss_lookups_start (world, &lookups);
    start_faults (world, draw);
    ss_world_run (world, FAULTS_TIME);
    stop_faults (world, draw);
    check_safety (world, draw);
    check_convergence (world);
    if (draw->has_station && world->publisher >= 0)
      check_station (world);
  }
  bool is_right = world->n_failures == 0;

  if (!is_right)
    describe (draw, defaults);
  ss_world_free (world);
  return is_right;
}

/* What to say when a run does not come back: written by the handler, which
 * may do little more. */
static char crash_text[128];

static void
on_crash (int number)
{
  ssize_t written = write (STDOUT_FILENO, crash_text, strlen (crash_text));

  (void) written;
  signal (number, SIG_DFL);
  raise (number);
}

static void
prepare_crash (uint64_t seed)
{
  g_snprintf (crash_text, sizeof crash_text,
              "CRASHED: seed %" G_GUINT64_FORMAT
              "; replay: ss-sim swarm --runs 1 --seed %" G_GUINT64_FORMAT "\n",
              seed, seed);
  signal (SIGSEGV, on_crash);
  signal (SIGABRT, on_crash);
}

bool
ss_swarm (const SsSimOptions *options)
{
  unsigned n_failed = 0;
  SsSimOptions defaults = *options;

  defaults.verbose = false;
  for (unsigned i = 0; i < options->runs; i++) {
    uint64_t seed = options->seed + i;
    Draw chosen;

    prepare_crash (seed);
    draw (seed, options->verbose, &chosen);
    if (options->runs == 1)
      describe (&chosen, &defaults);
    if (run_one (&chosen, &defaults))
      continue;
    n_failed++;
    printf ("FAILED: seed %" G_GUINT64_FORMAT
            "; replay: ss-sim swarm --runs 1 --seed %" G_GUINT64_FORMAT "\n",
            seed, seed);
  }
  printf ("swarm: %u runs from seed %" G_GUINT64_FORMAT ", %u failed\n",
          options->runs, options->seed, n_failed);
  return n_failed == 0;
}
