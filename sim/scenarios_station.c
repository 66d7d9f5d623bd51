/* Scenarios of a station: loss, deaths, small rings, restarts. */
#include <string.h>

#include "sim/oracle.h"
#include "sim/scenario.h"

#define CALM_TIME   (3 * SS_SEC) /* trees settle */
#define DEATH_PAUSE (4 * SS_SEC) /* between one death and the next */
#define WHOLE_TIME  (20 * SS_SEC)
#define SILENT_TIME (3 * SS_SEC) /* until listeners say that it is silent */
/* Times the media's bitrate. */
#define UPLOAD_MEAN_MOST   1.4
#define UPLOAD_MOST        3.0
#define UPLOAD_SOURCE_MOST 1.35
#define LEAVE_PAUSE        (1500 * SS_MSEC)
#define FREEZES            6
#define THAW_TIME          (6 * SS_SEC) /* until a sleeper hears again */
#define RETURN_TIME        (60 * SS_SEC)
#define CUT_AFTER          (20 * SS_SEC)
#define CUT_HEARD_TIME     (2 * SS_SEC) /* from the return on */
#define CUT_STEP           (20 * SS_MSEC)
#define THAW_FRAMES        250 /* behind the source then, at most */

static void
report_trees (SsWorld *world, bool must_be_right)
{
  SsTrees trees;

  ss_oracle_trees (world, must_be_right, &trees);
  ss_world_row (world, "trees: depth, mean and most", "%.2f  %u",
                trees.depth_mean, trees.depth_max);
  ss_world_row (world, "children of one, most; broadcaster's", "%u  %u",
                trees.children_max, trees.publisher_children);
}

/* Trees move for a moment after each change: they are right when they once
 * are within this time. */
static void
wait_trees (SsWorld *world)
{
  SsTrees trees;

  for (unsigned i = 0; i < 20; i++) {
    ss_oracle_trees (world, false, &trees);
    if (trees.n_wrong == 0)
      break;
    ss_world_run (world, 500 * SS_MSEC);
  }
  report_trees (world, true);
}

void
ss_scenario_listen_loss (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);

  if (ss_sim_start_station (world, run->options->nodes, 10 * SS_SEC)) {
    ss_world_run (world, CALM_TIME);
    ss_world_mark (world);
    ss_world_run (world, run->options->duration);
    ss_sim_report_uploads (world);
    ss_oracle_leaf_sets (world, true);
    wait_trees (world);
    ss_sim_finish_station (world);
    ss_sim_report_listeners (world);
  }
  ss_sim_end (run, world);
}

/* What everybody uploads, with nothing lost and nobody dying, against the
 * bounds that docs/performance.md states. */
void
ss_scenario_upload (SsSimRun *run)
{
  for (unsigned i = 0; i < run->options->runs; i++) {
    SsSimOptions options = *run->options;
    double mean, most;

    options.seed += i;
    SsWorld *world = ss_sim_begin (run, &options);

    if (ss_sim_start_station (world, options.nodes, 3 * SS_SEC)) {
      ss_world_run (world, CALM_TIME);
      ss_world_mark (world);
      ss_world_run (world, options.duration);
      ss_sim_report_uploads (world);
      ss_sim_uploads (world, &mean, &most);
      double source =
          ss_world_upload_ratio (world, (unsigned) world->publisher);

      if (mean > UPLOAD_MEAN_MOST)
        ss_world_fail (world, "listeners upload %.2f x in the mean", mean);
      if (most > UPLOAD_MOST)
        ss_world_fail (world, "a listener uploads %.2f x", most);
      if (source > UPLOAD_SOURCE_MOST)
        ss_world_fail (world, "the broadcaster uploads %.2f x", source);
      wait_trees (world);
      ss_sim_finish_station (world);
      ss_sim_report_listeners (world);
    }
    ss_sim_end (run, world);
  }
}

void
ss_scenario_mass_death (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = run->options->nodes;

  if (!ss_sim_start_station (world, n, 5 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  for (unsigned i = 0; i < n / 5; i++)
    ss_world_kill (world, ss_world_pick (world));
  SsTime died = ss_world_now (world), whole = -1;

  for (SsTime passed = 0; passed <= WHOLE_TIME; passed += 100 * SS_MSEC) {
    SsTrees trees;

    ss_oracle_trees (world, false, &trees);
    if (trees.n_wrong == 0 && ss_oracle_leaf_sets (world, false) == 0) {
      whole = ss_world_now (world);
      break;
    }
    ss_world_run (world, 100 * SS_MSEC);
  }
  if (whole < 0) {
    ss_oracle_leaf_sets (world, true);
    report_trees (world, true);
    whole = ss_world_now (world);
  }
  ss_world_row (world, "died at once", "%u", n / 5);
  ss_world_row (world, "rings and trees whole after", "%.1f s",
                (double) (whole - died) / (double) SS_SEC);
  ss_world_run (world, run->options->duration);
  report_trees (world, true);
  unsigned n_lost = ss_oracle_hearing (world, died, false, false);

  ss_world_row (world, "listeners that lost frames then", "%u", n_lost);
  ss_world_end_broadcast (world);
  ss_world_wait (world, ss_world_all_ended,
                 world->options.latency + 10 * SS_SEC);
  /* What was lost falls due up to a latency after the deaths. */
  ss_oracle_hearing (world, whole + world->options.latency + SS_SEC, true,
                     true);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}

/* The living node closest to a stripe's id. */
static unsigned
stripe_root (SsWorld *world, unsigned stripe)
{
  const SsStationParams *params = &world->descriptor.params;
  SsId group_id = ss_station_group_id (&params->key, params->name);
  SsId id = ss_station_stripe_id (&group_id, params->salt, stripe);
  const SsMember *best = NULL;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (member->is_up
        && (best == NULL
            || ss_id_closer (&id, &member->self.id, &best->self.id)))
      best = member;
  }
  return best->index;
}

void
ss_scenario_root_deaths (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n_died = 0;

  if (!ss_sim_start_station (world, run->options->nodes, 5 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  ss_world_mark (world);
  for (unsigned stripe = 0; stripe < SS_STRIPES; stripe++) {
    unsigned root = stripe_root (world, stripe);

    if ((int) root == world->publisher)
      continue;
    if (stripe % 2 == 0)
      ss_world_kill (world, root);
    else
      ss_world_silence (world, root);
    n_died++;
    ss_world_run (world, DEATH_PAUSE);
  }
  ss_world_row (world, "roots that died", "%u", n_died);
  wait_trees (world);
  ss_sim_report_uploads (world);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}

/* Whoever roots most stripes, the publisher apart. */
static unsigned
busiest_root (SsWorld *world, unsigned *ret_n)
{
  unsigned *n_rooted = g_new0 (unsigned, world->members->len);
  unsigned best = UINT32_MAX;

  for (unsigned i = 0; i < SS_STRIPES; i++)
    n_rooted[stripe_root (world, i)]++;
  for (unsigned i = 0; i < world->members->len; i++)
    if (ss_world_member (world, i)->is_up && (int) i != world->publisher
        && (best == UINT32_MAX || n_rooted[i] > n_rooted[best]))
      best = i;
  *ret_n = n_rooted[best];
  g_free (n_rooted);
  return best;
}

static void
one_small_ring (SsSimRun *run, unsigned size, uint64_t seed, int parity,
                bool silence)
{
  SsSimOptions options = *run->options;

  options.nodes = size;
  options.seed = seed;
  options.parity = parity;
  SsWorld *world = ss_sim_begin (run, &options);
  unsigned before = world->n_failures;

  /* The ring counts relay and publisher. */
  if (ss_sim_start_station (world, size - 2, SS_SEC)) {
    unsigned n_rooted;

    ss_world_run (world,
                  CALM_TIME
                      + (SsTime) ss_rng_below (&world->rng, (uint64_t) SS_SEC));
    unsigned victim = busiest_root (world, &n_rooted);

    if (silence)
      ss_world_silence (world, victim);
    else
      ss_world_kill (world, victim);
    ss_world_run (world, 2 * DEATH_PAUSE);
    ss_sim_finish_station (world);
    if (world->n_failures > before)
      ss_world_row (world, "lost",
                    "ring of %u, parity %d, by %s: node %u "
                    "with %u stripes",
                    size, parity, silence ? "silence" : "death", victim,
                    n_rooted);
  }
  ss_sim_end (run, world);
}

void
ss_scenario_small_rings (SsSimRun *run)
{
  static const unsigned sizes[] = { 3, 4, 6, 10, 32 };
  const SsSimOptions *options = run->options;

  for (unsigned i = 0; i < G_N_ELEMENTS (sizes); i++) {
    unsigned size = options->nodes != 0 ? MAX (options->nodes, 3) : sizes[i];

    for (int parity = MAX (options->parity, 0);
         parity <= (options->parity < 0 ? 1 : options->parity); parity++) {
      unsigned n_before = run->n_failures;

      for (unsigned j = 0; j < options->runs; j++) {
        one_small_ring (run, size, options->seed + j, parity, false);
        one_small_ring (run, size, options->seed + j, parity, true);
      }
      printf ("  ring of %2u, parity %d%18s %u runs, %u failures\n", size,
              parity, "", 2 * options->runs, run->n_failures - n_before);
    }
    if (options->nodes != 0)
      break;
  }
}

/* Everybody but the publisher dies once, by turns loudly and in silence, and
 * somebody else comes for each. */
void
ss_scenario_kill_any (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = run->options->nodes;

  if (!ss_sim_start_station (world, n, 3 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  ss_world_mark (world);
  unsigned n_members = world->members->len;

  for (unsigned i = 0; i < n_members; i++) {
    if ((int) i == world->publisher || !ss_world_member (world, i)->is_up)
      continue;
    if (i % 2 == 0)
      ss_world_kill (world, i);
    else
      ss_world_silence (world, i);
    ss_world_run (world, DEATH_PAUSE / 2
                             + (SsTime) ss_rng_below (
                                 &world->rng, (uint64_t) DEATH_PAUSE / 2));
    ss_world_add (world, false, true);
    ss_world_run (world, DEATH_PAUSE / 2);
  }
  ss_world_row (world, "died, one after the other", "%u", n_members - 1);
  ss_world_run (world, CALM_TIME);
  wait_trees (world);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}

/* Everybody but the publisher leaves in an orderly way. */
void
ss_scenario_leave (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);

  if (!ss_sim_start_station (world, run->options->nodes, 3 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  unsigned n_members = world->members->len, n_left = 0;

  for (unsigned i = 0; i < n_members; i++) {
    if ((int) i == world->publisher)
      continue;
    ss_world_leave (world, i);
    ss_world_add (world, false, true);
    ss_world_run (world, LEAVE_PAUSE);
    n_left += !ss_world_member (world, i)->is_up;
  }
  ss_world_row (world, "left, in time", "%u  %u", n_members - 1, n_left);
  if (n_left != n_members - 1)
    ss_world_fail (world, "%u nodes did not get away", n_members - 1 - n_left);
  ss_world_run (world, CALM_TIME);
  wait_trees (world);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}

/* Nodes sleep (SIGSTOP, a lid that is closed) and wake: nobody else is to
 * notice, and they are to find back. */
void
ss_scenario_freeze (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);

  if (!ss_sim_start_station (world, run->options->nodes, 3 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  for (unsigned i = 0; i < FREEZES; i++) {
    unsigned index = ss_world_pick (world);
    SsHearing *hearing = ss_world_member (world, index)->hearing;

    ss_network_freeze (world->network, index);
    ss_world_run (world, run->options->duration);
    ss_network_thaw (world->network, index);
    ss_world_run (world, THAW_TIME);
    /* What the sleeper missed is forgiven. */
    if (hearing != NULL) {
      if (hearing->next + THAW_FRAMES
          < world->epochs[world->epoch].pump.n_frames)
        ss_world_fail (world, "node %u does not hear again", index);
      hearing->n_lost = 0;
      hearing->lost_at = -1;
    }
  }
  SsTime woke = ss_world_now (world);

  while (ss_oracle_leaf_sets (world, false) > 0
         && ss_world_now (world) < woke + RETURN_TIME)
    ss_world_run (world, SS_SEC);
  ss_world_row (world, "leaf sets right again after", "%.0f s",
                (double) (ss_world_now (world) - woke + THAW_TIME)
                    / (double) SS_SEC);
  ss_oracle_leaf_sets (world, true);
  wait_trees (world);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}

static void
one_busy_life (SsSimRun *run, uint64_t seed)
{
  SsSimOptions options = *run->options;

  options.seed = seed;
  options.duplicate = MAX (options.duplicate, 0.01);
  options.straggle = MAX (options.straggle, 0.01);
  SsWorld *world = ss_sim_begin (run, &options);

  if (ss_sim_start_station (world, options.nodes, 3 * SS_SEC)) {
    for (unsigned i = 0; i < 3; i++) {
      ss_world_kill (world, ss_world_pick (world));
      ss_world_run (world, options.duration / 3);
      ss_world_add (world, false, true);
    }
    ss_world_run (world, CALM_TIME);
    ss_world_end_broadcast (world);
    ss_world_run (world, options.latency + SS_SEC);
  }
  ss_sim_end (run, world);
}

void
ss_scenario_determinism (SsSimRun *run)
{
  uint64_t seed = run->options->seed;

  one_busy_life (run, seed);
  one_busy_life (run, seed);
  one_busy_life (run, seed + 1);
  char **hashes = g_strsplit (run->hashes->str, " ", 3);

  printf ("  %-36s %s\n  %-36s %s\n  %-36s %s\n", "once", hashes[0], "again",
          hashes[1], "with another seed", hashes[2]);
  if (!g_str_equal (hashes[0], hashes[1])) {
    printf ("  FAILED: one seed gave two traces\n");
    run->n_failures++;
  }
  if (g_str_equal (hashes[0], hashes[2])) {
    printf ("  FAILED: two seeds gave one trace\n");
    run->n_failures++;
  }
  g_strfreev (hashes);
}

void
ss_scenario_crypto (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);

  if (ss_sim_start_station (world, run->options->nodes, 2 * SS_SEC)) {
    ss_world_run (world, CALM_TIME);
    ss_world_mark (world);
    ss_world_kill (world, ss_world_pick (world));
    ss_world_run (world, run->options->duration);
    ss_sim_report_uploads (world);
    ss_sim_finish_station (world);
    ss_sim_report_listeners (world);
  }
  ss_sim_end (run, world);
}

static bool
all_say_silent (SsWorld *world)
{
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (member->is_up && member->hearing != NULL && !member->hearing->is_silent)
      return false;
  }
  return true;
}

void
ss_scenario_restart (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);

  if (!ss_sim_start_station (world, run->options->nodes, 2 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  ss_world_kill (world, (unsigned) world->publisher);
  SsTime silent = ss_world_wait (world, all_say_silent, SILENT_TIME);

  ss_world_row (world, "silence said by all after", "%.2f s",
                (double) silent / (double) SS_SEC);
  if (silent < 0)
    ss_world_fail (world, "not all have said that it is silent");
  if (ss_oracle_hearing (world, 0, false, true) > 0)
    goto out;
  ss_world_run (world, 5 * SS_SEC);
  ss_world_publish (world);
  if (ss_world_wait (world, ss_world_is_on_air, 10 * SS_SEC) < 0) {
    ss_world_fail (world, "the station did not come back");
    goto out;
  }
  SsTime heard = ss_world_wait (world, ss_world_all_hear, 10 * SS_SEC);

  ss_world_row (world, "heard again by all after", "%.2f s",
                (double) heard / (double) SS_SEC);
  if (heard < 0)
    ss_world_fail (world, "not all hear it again");
  ss_world_run (world, run->options->duration);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}

/* Has everybody heard more than it had then? */
static bool
all_hear_more (SsWorld *world, const uint64_t *heard)
{
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (member->is_up && member->hearing != NULL
        && member->hearing->n_frames <= heard[i])
      return false;
  }
  return true;
}

/* The broadcaster's machine is off the network for a while, and goes on
 * broadcasting. */
void
ss_scenario_cut (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  uint64_t *heard = NULL;

  if (!ss_sim_start_station (world, run->options->nodes, 2 * SS_SEC))
    goto out;
  ss_world_run (world, CUT_AFTER);
  ss_network_set_side (world->network, (unsigned) world->publisher, 1);
  ss_world_run (world, run->options->duration);
  ss_network_set_side (world->network, (unsigned) world->publisher, 0);
  heard = g_new0 (uint64_t, world->members->len);
  for (unsigned i = 0; i < world->members->len; i++)
    if (ss_world_member (world, i)->hearing != NULL)
      heard[i] = ss_world_member (world, i)->hearing->n_frames;
  SsTime back = ss_world_now (world);

  while (!all_hear_more (world, heard)
         && ss_world_now (world) < back + CUT_HEARD_TIME)
    ss_world_run (world, CUT_STEP);
  SsTime again = ss_world_now (world) - back;

  ss_world_row (world, "heard again by all after", "%.2f s",
                (double) again / (double) SS_SEC);
  if (again >= CUT_HEARD_TIME)
    ss_world_fail (world, "not all hear it again");
  ss_world_run (world, CUT_AFTER);
  ss_sim_report_listeners (world);
out:
  g_free (heard);
  ss_sim_end (run, world);
}
