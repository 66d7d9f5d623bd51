/* Scenarios of parents that do not serve: those that forward nothing, and
 * those whose uplink has become too narrow. */
#include "sim/malice.h"
#include "sim/oracle.h"
#include "sim/scenario.h"

#define CALM_TIME      (5 * SS_SEC) /* trees settle */
#define RIDERS_SHARE   10           /* 1 in so many forwards nothing */
#define LEFT_BY_CHANCE 100          /* 1 in so many parents, at the most */
#define PLACES_KEPT    0.3          /* so many fewer is chance, */
#define PLACES_LOST    2            /* and so many are not */
#define ROOTS_ALL      33           /* in a smaller ring all root some stripe */
#define IDLE_ROOTS     4
#define LATE_BY        (400 * SS_MSEC)
#define LATE_STEP      (20 * SS_MSEC) /* each second */
#define LATE_LEFT      2              /* moves for each place below them */
#define LATE_SHARE     10             /* 1 in so many tunes in later */
#define SOURCE_UPLOAD  2.0            /* of the media, while roots are idle */
#define NARROW_SHARE   5              /* 1 in so many has a narrow uplink */
#define NARROW_QUEUE   (16 * 1024)    /* bytes before it */
#define CROWD_SPAN     (5 * SS_SEC)
#define MODEST_TIME    (30 * SS_SEC) /* until all is settled */
#define MODEST_LOST    20            /* 1 frame in so many, until then */
#define STILL_BELOW    20            /* 1 in so many places, at the most */
#define STILL_DEAF     3             /* 1 in so many, at the most */
#define DOWNLINK       1.6           /* times what the broadcaster uploads, */
#define DOWNLINK_ROOT  1.2           /* and in a ring where all root stripes */

/* Nodes by lot that listen; and in a ring where that can be, they root no
 * stripe. */
static GArray *
choose (SsWorld *world, unsigned n)
{
  bool roots_too = world->members->len < ROOTS_ALL;
  GArray *chosen = g_array_new (FALSE, FALSE, sizeof (unsigned));
  bool *is_chosen = g_new0 (bool, world->members->len);
  SsNodeStats *stats = g_new (SsNodeStats, 1);

  for (unsigned tries = 0; chosen->len < n && tries < 20 * n; tries++) {
    unsigned index = ss_world_pick (world);
    bool is_root = false;

    ss_node_stats (ss_world_node (world, index), stats);
    for (unsigned i = 0; i < SS_STRIPES && !roots_too; i++)
      is_root |= stats->station.stripes[i].is_root;
    if (is_root || is_chosen[index]
        || ss_world_member (world, index)->hearing == NULL)
      continue;
    is_chosen[index] = true;
    g_array_append_val (chosen, index);
  }
  g_free (is_chosen);
  g_free (stats);
  return chosen;
}

/* Over all nodes. */
static uint64_t
sum_counter (SsWorld *world, unsigned count)
{
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  uint64_t sum = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    if (!ss_world_member (world, i)->is_up)
      continue;
    ss_node_stats (ss_world_node (world, i), stats);
    sum += stats->counters.value[count];
  }
  g_free (stats);
  return sum;
}

static bool
is_among (const SsWorld *world, const GArray *chosen, const SsId *id)
{
  for (unsigned i = 0; i < chosen->len; i++)
    if (ss_id_equal (
            &ss_world_member (world, g_array_index (chosen, unsigned, i))
                 ->self.id,
            id))
      return true;
  return false;
}

/* How many places in trees, of those that are not chosen themselves, are right
 * below one of the chosen. */
static unsigned
n_below (SsWorld *world, const GArray *chosen)
{
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  unsigned n = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (!member->is_up || member->hearing == NULL
        || is_among (world, chosen, &member->self.id))
      continue;
    ss_node_stats (ss_world_node (world, i), stats);
    for (unsigned j = 0; j < SS_STRIPES; j++)
      n += is_among (world, chosen, &stats->station.stripes[j].parent.id);
  }
  g_free (stats);
  return n;
}

/* From now on these forward nothing. Freed when the world has ended. */
static SsMalice *
start_shirking (SsWorld *world, const GArray *chosen)
{
  SsMalice *malice = g_new0 (SsMalice, chosen->len);

  for (unsigned i = 0; i < chosen->len; i++)
    ss_malice_start (&malice[i], world, g_array_index (chosen, unsigned, i),
                     SS_MALICE_SHIRK, NULL, 0);
  return malice;
}

static void
judge_below (SsWorld *world, const char *what, unsigned n_before,
             const GArray *chosen)
{
  unsigned n = n_below (world, chosen);
  g_autofree char *row =
      g_strdup_printf ("%s; places below them then, now", what);

  ss_world_row (world, row, "%u  %u  %u", chosen->len, n_before, n);
  if (n > n_before / STILL_BELOW)
    ss_world_fail (world, "%u are still below %s", n, what);
}

/* Some take and give nothing: their children find others, and hear all. */
void
ss_scenario_free_riders (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = run->options->nodes;
  GArray *riders = NULL;
  SsMalice *malice = NULL;

  if (!ss_sim_start_station (world, n, 10 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME + run->options->duration / 2);
  uint64_t left = sum_counter (world, SS_COUNT_SCRIBE_UNSERVED);

  ss_world_row (world, "parents left while all forward", "%" G_GUINT64_FORMAT,
                left);
  if (left > n * SS_STRIPES / LEFT_BY_CHANCE)
    ss_world_fail (world, "honest parents are left");
  riders = choose (world, n / RIDERS_SHARE);
  unsigned n_before = n_below (world, riders);

  malice = start_shirking (world, riders);
  ss_world_run (world, run->options->duration);
  judge_below (world, "free riders", n_before, riders);
  ss_world_row (world, "parents left since", "%" G_GUINT64_FORMAT,
                sum_counter (world, SS_COUNT_SCRIBE_UNSERVED) - left);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  if (riders != NULL)
    g_array_unref (riders);
  ss_sim_end (run, world);
  g_free (malice);
}

/* How many trees a listener is in, in the mean over the chosen, or over the
 * others. */
static double
n_trees (SsWorld *world, const GArray *chosen, bool is_chosen)
{
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  unsigned n = 0, n_places = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (!member->is_up || member->hearing == NULL
        || is_among (world, chosen, &member->self.id) != is_chosen)
      continue;
    ss_node_stats (ss_world_node (world, i), stats);
    n++;
    for (unsigned j = 0; j < SS_STRIPES; j++)
      n_places += stats->station.stripes[j].in_tree;
  }
  g_free (stats);
  return (double) n_places / MAX (n, 1);
}

/* Where places are short, those that give nothing lose theirs, and the others
 * have as many as before. */
void
ss_scenario_served_last (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = run->options->nodes;
  GArray *riders = NULL;
  SsMalice *malice = NULL;

  if (!ss_sim_start_station (world, n, 10 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME + run->options->duration / 2);
  riders = choose (world, n / RIDERS_SHARE);
  double before = n_trees (world, riders, false);

  ss_world_row (world, "trees each: others, riders to be", "%.2f  %.2f", before,
                n_trees (world, riders, true));
  malice = start_shirking (world, riders);
  ss_world_run (world, run->options->duration);
  double others = n_trees (world, riders, false);
  double theirs = n_trees (world, riders, true);

  ss_world_row (world, "trees each: others, free riders", "%.2f  %.2f", others,
                theirs);
  if (others < before - PLACES_KEPT)
    ss_world_fail (world, "who forwards has lost places");
  if (theirs > others - PLACES_LOST)
    ss_world_fail (world, "free riders have as many places as others");
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  if (riders != NULL)
    g_array_unref (riders);
  ss_sim_end (run, world);
  g_free (malice);
}

/* Nodes that listen and root a stripe, one of each of so many stripes. */
static GArray *
choose_roots (SsWorld *world, unsigned n)
{
  GArray *chosen = g_array_new (FALSE, FALSE, sizeof (unsigned));
  SsNodeStats *stats = g_new (SsNodeStats, 1);

  for (unsigned stripe = 0; stripe < SS_STRIPES && chosen->len < n; stripe++)
    for (unsigned i = 0; i < world->members->len; i++) {
      const SsMember *member = ss_world_member (world, i);

      if (!member->is_up || member->hearing == NULL
          || is_among (world, chosen, &member->self.id))
        continue;
      ss_node_stats (ss_world_node (world, i), stats);
      if (!stats->station.stripes[stripe].is_root)
        continue;
      g_array_append_val (chosen, i);
      break;
    }
  g_free (stats);
  return chosen;
}

/* Roots of some stripes forward nothing, and acknowledge all: others stand in
 * for them, and nobody loses anything, nor does the broadcaster serve all. */
void
ss_scenario_idle_roots (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = run->options->nodes;
  GArray *idle = NULL;
  SsMalice *malice = NULL;

  if (!ss_sim_start_station (world, n, 10 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  idle = choose_roots (world, IDLE_ROOTS);
  unsigned n_before = n_below (world, idle);

  ss_world_mark (world);
  malice = start_shirking (world, idle);
  ss_world_run (world, run->options->duration);
  judge_below (world, "idle roots", n_before, idle);
  /* Newcomers are led to the idle ones. */
  ss_world_add_many (world, n / LATE_SHARE, true, 5 * SS_SEC);
  ss_world_run (world, run->options->duration / 2);
  unsigned n_after = n_below (world, idle);

  ss_world_row (world, "and when more have come", "%u", n_after);
  if (n_after > n_before / STILL_BELOW)
    ss_world_fail (world, "%u came below idle roots", n_after);
  double upload = ss_world_upload_ratio (world, (unsigned) world->publisher);

  ss_world_row (world, "broadcaster's upload", "%.2f", upload);
  if (upload > SOURCE_UPLOAD)
    ss_world_fail (world, "the broadcaster uploads %.2f times the media",
                   upload);
  ss_world_row (world, "roots set aside", "%" G_GUINT64_FORMAT,
                sum_counter (world, SS_COUNT_SCRIBE_ROOTS_ASIDE));
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  if (idle != NULL)
    g_array_unref (idle);
  ss_sim_end (run, world);
  g_free (malice);
}

/* From now on these forward everything, and ever later, up to LATE_BY. */
static SsMalice *
start_dawdling (SsWorld *world, const GArray *chosen)
{
  SsMalice *malice = g_new0 (SsMalice, chosen->len);

  for (unsigned i = 0; i < chosen->len; i++)
    ss_malice_start (&malice[i], world, g_array_index (chosen, unsigned, i),
                     SS_MALICE_DAWDLE, NULL, 0);
  for (SsTime late = LATE_STEP; late <= LATE_BY; late += LATE_STEP) {
    for (unsigned i = 0; i < chosen->len; i++)
      malice[i].late = late;
    ss_world_run (world, SS_SEC);
  }
  return malice;
}

/* Some forward everything, and late. As that comes slowly nothing is missed, or
 * asked for elsewhere: their children find others all the same. */
void
ss_scenario_late_parents (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = run->options->nodes;
  GArray *late = NULL;
  SsMalice *malice = NULL;

  if (!ss_sim_start_station (world, n, 10 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME + run->options->duration / 2);
  uint64_t n_calm = sum_counter (world, SS_COUNT_SCRIBE_LATE);

  ss_world_row (world, "left as late while all are in time",
                "%" G_GUINT64_FORMAT, n_calm);
  if (n_calm > n * SS_STRIPES / LEFT_BY_CHANCE)
    ss_world_fail (world, "parents in time are left");
  late = choose (world, n / RIDERS_SHARE);
  unsigned n_before = n_below (world, late);

  malice = start_dawdling (world, late);
  ss_world_run (world, run->options->duration);
  judge_below (world, "late ones", n_before, late);
  uint64_t n_left = sum_counter (world, SS_COUNT_SCRIBE_LATE) - n_calm;

  ss_world_row (world, "left as late since", "%" G_GUINT64_FORMAT, n_left);
  if (n_left > LATE_LEFT * n_before)
    ss_world_fail (world, "%" G_GUINT64_FORMAT " moves for %u places", n_left,
                   n_before);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
  for (unsigned i = 0; malice != NULL && i < late->len; i++)
    ss_malice_clear (&malice[i]);
  g_free (malice);
  if (late != NULL)
    g_array_unref (late);
}

/* What the broadcaster uploads, which is the stream about once. */
static uint32_t
stream_kbps (SsWorld *world)
{
  double media =
      8 * (double) SS_WORLD_FRAME_BYTES * SS_MSEC / SS_WORLD_FRAME_TIME;

  return (
      uint32_t) (media
                 * ss_world_upload_ratio (world, (unsigned) world->publisher));
}

/* Of the chosen, or of the others: how many have lost frames since. */
static unsigned
n_deaf (SsWorld *world, const GArray *chosen, bool is_chosen, SsTime since)
{
  unsigned n = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    n += member->is_up && member->hearing != NULL
         && member->hearing->lost_at >= since
         && is_among (world, chosen, &member->self.id) == is_chosen;
  }
  return n;
}

/* Nobody but those behind the narrow links is to lose anything. */
static void
judge_others (SsWorld *world, const GArray *narrow, SsTime since,
              const char *link)
{
  unsigned n = n_deaf (world, narrow, false, since);

  ss_world_row (world, "others that lost frames", "%u", n);
  if (n > 0)
    ss_world_fail (world, "%u with a wide %s lose frames", n, link);
}

/* Some tune in whose downlink carries so many times what the broadcaster
 * uploads: nobody else loses anything. */
static void
run_downlinks (SsSimRun *run, const SsSimOptions *options, double downlink)
{
  SsWorld *world = ss_sim_begin (run, options);
  unsigned n = run->options->nodes, n_narrow = n / NARROW_SHARE;
  GArray *narrow = g_array_new (FALSE, FALSE, sizeof (unsigned));

  if (!ss_sim_start_station (world, n - n_narrow, 5 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  ss_world_mark (world);
  ss_world_run (world, CALM_TIME);
  SsTime began = ss_world_now (world);
  const SsAccess access = {
    .down_kbps = (uint32_t) (stream_kbps (world) * downlink),
  };

  for (unsigned i = 0; i < n_narrow; i++) {
    unsigned index = ss_world_add (world, false, true);

    ss_topology_set_access (world->topology, index, &access);
    g_array_append_val (narrow, index);
    ss_world_run (world, run->options->duration / n_narrow);
  }
  ss_world_run (world, CALM_TIME);
  ss_world_row (world, "narrow downlinks", "%u of %u kbit/s", n_narrow,
                access.down_kbps);
  ss_world_row (world, "of whom lost frames", "%u",
                n_deaf (world, narrow, true, began));
  judge_others (world, narrow, began, "downlink");
  ss_sim_report_listeners (world);
out:
  g_array_unref (narrow);
  ss_sim_end (run, world);
}

/* Little more than what a listener takes, and a burst less well. */
void
ss_scenario_narrow_downlinks (SsSimRun *run)
{
  run_downlinks (run, NULL, DOWNLINK);
}

/* All that comes there is late for some time, also what a root is to forward.
 */
static void
narrow_roots (SsSimRun *run, const SsSimOptions *options)
{
  run_downlinks (run, options, DOWNLINK_ROOT);
}

void
ss_scenario_narrow_roots (SsSimRun *run)
{
  ss_sim_repeat (run, narrow_roots);
}

/* Uplinks become narrow, and nobody tells their nodes: half of them carry half
 * of the stream, the others all of it once. Those below them find others before
 * they lose anything, and most of them come to themselves. */
void
ss_scenario_narrow_uplinks (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = run->options->nodes;
  GArray *narrow = NULL;

  if (!ss_sim_start_station (world, n, 5 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  ss_world_mark (world);
  ss_world_run (world, CALM_TIME);
  uint32_t kbps = stream_kbps (world);

  narrow = choose (world, n / NARROW_SHARE);
  unsigned n_before = n_below (world, narrow);
  SsTime began = ss_world_now (world);

  for (unsigned i = 0; i < narrow->len; i++) {
    const SsAccess access = { .up_kbps = i % 2 == 0 ? kbps / 2 : kbps,
                              .queue_bytes = NARROW_QUEUE };

    ss_topology_set_access (world->topology,
                            g_array_index (narrow, unsigned, i), &access);
  }
  ss_world_run (world, run->options->duration / 2);
  ss_world_row (world, "stream; narrow uplinks", "%u kbit/s  %u", kbps,
                narrow->len);
  ss_world_row (world, "places below them then, now", "%u  %u", n_before,
                n_below (world, narrow));
  ss_world_row (world, "narrow ones that lost frames", "%u",
                n_deaf (world, narrow, true, began));
  SsTime settled = ss_world_now (world);

  ss_world_run (world, run->options->duration / 2);
  unsigned n_still = n_deaf (world, narrow, true, settled);

  ss_world_row (world, "and still do", "%u", n_still);
  if (n_still > MAX (narrow->len / STILL_DEAF, 1))
    ss_world_fail (world, "%u with a narrow uplink go on losing frames",
                   n_still);
  judge_others (world, narrow, began, "uplink");
  ss_sim_report_listeners (world);
out:
  if (narrow != NULL)
    g_array_unref (narrow);
  ss_sim_end (run, world);
}

/* No uplink carries more than a few times the stream, and nobody tells the
 * nodes. All come at once, which each line feels; when it is over nobody loses
 * anything any more. */
static void
modest_uplinks (SsSimRun *run, const SsSimOptions *options)
{
  SsWorld *world = ss_sim_begin (run, options);
  uint64_t n_frames = 0, n_lost = 0;

  if (!ss_sim_start_station (world, options->nodes, CROWD_SPAN))
    goto out;
  ss_world_row (world, "all hear after", "%.2f s",
                (double) ss_world_now (world) / (double) SS_SEC);
  ss_world_run (world, MODEST_TIME);
  SsTime settled = ss_world_now (world);

  ss_world_run (world, options->duration);
  ss_sim_finish_since (world, settled);
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsHearing *hearing = ss_world_member (world, i)->hearing;

    n_frames += hearing != NULL ? hearing->n_frames : 0;
    n_lost += hearing != NULL ? hearing->n_lost : 0;
  }
  if (n_lost > n_frames / MODEST_LOST)
    ss_world_fail (world, "%" G_GUINT64_FORMAT " frames were lost at first",
                   n_lost);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}

void
ss_scenario_modest_uplinks (SsSimRun *run)
{
  ss_sim_repeat (run, modest_uplinks);
}
