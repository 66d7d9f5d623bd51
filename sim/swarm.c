/* The swarm. While faults are on, what must hold is safety: without loss and
 * partition no lookup ends at the wrong node, nothing asserts, no node wakes
 * without end. Then the faults stop, and within a bound leaf sets are right,
 * every lookup arrives, and a station's listeners hear all there is to hear
 * from then on. */
#include "sim/swarm.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sim/faults.h"
#include "sim/oracle.h"
#include "sim/study.h"

#define HEAL_TIME   (150 * SS_SEC)
#define JOIN_TIME   (60 * SS_SEC)
#define LISTEN_TIME (6 * SS_SEC)
#define QUIET_TIME  (10 * SS_SEC) /* after healing, before a gap counts */
#define AIR_TIME    (20 * SS_SEC) /* until a new broadcast is heard by all */
#define LOOKUP_WAIT (20 * SS_SEC)
#define COME_PAUSE  (20 * SS_MSEC) /* between two that join; */
#define CROWD_PAUSE (2 * SS_MSEC)  /* of a crowd */
#define NAT_MEMORY  (30 * SS_SEC)
#define LOOKUPS     40
/* Two neighbours that die at once are all of a side of the smallest sets. */
#define STRICT_LEAF_SET 8

/* Wrong deliveries are only forbidden where no message is lost: a partition
 * and a sleeper lose some. */
static void
check_safety (SsWorld *world, const SsDraw *draw)
{
  SsLookupResult result;
  bool is_strict = ss_faults_lose_nothing (draw)
                   && draw->deaths == SS_DEATHS_NONE
                   && draw->options.delay < SS_DRAW_FAR
                   && draw->options.leaf_set >= STRICT_LEAF_SET;

  ss_lookups_stop (world, &result);
  if (is_strict && result.n_wrong > 0)
    ss_world_fail (world,
                   "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                   " lookups ended at the wrong node",
                   result.n_wrong, result.n);
}

/* Who was given two addresses of nodes that have died since, and has found or
 * kept nobody else, is told one of the living by its user. */
static void
help_joiners (SsWorld *world)
{
  SsTime now = ss_world_now (world);
  SsAddr addr = ss_network_addr (0);

  for (unsigned i = 1; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (!member->is_up
        || (member->ready_at >= 0 && member->state != SS_NODE_JOINING))
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

  if (world->publisher < 0) {
    ss_world_publish (world);
    if (ss_world_wait (world, ss_world_is_on_air, AIR_TIME) < 0
        || ss_world_wait (world, ss_world_all_hear, AIR_TIME) < 0) {
      ss_world_fail (world, "not all hear the broadcaster who came back");
      return;
    }
  }
  ss_world_run (world, QUIET_TIME);
  since = ss_world_now (world);
  ss_world_run (world, LISTEN_TIME);
  ss_oracle_hearing (world, since, false, true);
}

static bool
build (SsWorld *world, const SsDraw *draw)
{
  unsigned n = draw->options.nodes;

  if (draw->has_station
      && !ss_sim_start_station (world, draw->n_listeners, SS_SEC))
    return false;
  SsTime pause = draw->has_crowd ? CROWD_PAUSE : COME_PAUSE;

  if (world->members->len + draw->n_clients < n)
    ss_world_add_many (world, n - draw->n_clients - world->members->len, false,
                       (SsTime) n * pause);
  /* Who comes while hardly anybody is there to ask may take minutes to find
   * out that it cannot be reached. */
  if (draw->n_clients > 0)
    ss_world_wait (world, ss_world_all_ready, JOIN_TIME);
  for (unsigned i = 0; i < draw->n_clients; i++) {
    ss_network_put_behind_nat (world->network, world->members->len, NAT_MEMORY);
    ss_world_add (world, false, false);
    ss_world_run (world, pause);
  }
  if (ss_world_wait (world, ss_world_all_ready, JOIN_TIME) >= 0)
    return true;
  ss_world_fail (world, "%u of %u joined", world->n_ready,
                 ss_world_n_up (world));
  return false;
}

static bool
run_one (const SsDraw *draw, const SsSimOptions *defaults, SsCost *cost)
{
  const SsLookupOptions lookups = { .rate = draw->options.rate,
                                    .wait = LOOKUP_WAIT };
  SsWorld *world = ss_world_new (&draw->options);
  SsFaults faults;

  if (build (world, draw)) {
    ss_lookups_start (world, &lookups);
    ss_faults_start (&faults, world, draw);
    ss_world_run (world, draw->faults_time);
    ss_faults_stop (&faults);
    check_safety (world, draw);
    check_convergence (world);
    if (draw->has_station)
      check_station (world);
  }
  bool is_right = world->n_failures == 0;

  if (!is_right)
    ss_draw_print (draw, defaults);
  ss_cost_add (cost, world);
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
  SsCost cost;

  ss_cost_begin (&cost);
  defaults.verbose = false;
  for (unsigned i = 0; i < options->runs; i++) {
    uint64_t seed = options->seed + i;
    SsDraw chosen;

    prepare_crash (seed);
    ss_draw (seed, options->verbose, &chosen);
    if (options->runs == 1)
      ss_draw_print (&chosen, &defaults);
    if (run_one (&chosen, &defaults, &cost))
      continue;
    n_failed++;
    printf ("FAILED: seed %" G_GUINT64_FORMAT
            "; replay: ss-sim swarm --runs 1 --seed %" G_GUINT64_FORMAT "\n",
            seed, seed);
  }
  ss_cost_print (&cost);
  printf ("swarm: %u runs from seed %" G_GUINT64_FORMAT ", %u failed\n",
          options->runs, options->seed, n_failed);
  return n_failed == 0;
}
