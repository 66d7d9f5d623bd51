/* Scenarios of a station as it grows and loses listeners: how soon the forest
 * is whole again, and what an audience costs whom. */
#include "scribe/messages.h"
#include "sim/oracle.h"
#include "sim/scenario.h"

/* A packet holds so much of the latency. */
#define HOLD_DIVISOR 25
/* After one death: a stripe's turn, until its packet is overdue; so many round
 * trips; and as much besides. 2 s at 1500 ms of latency and 100 ms. */
#define REPAIR_TRIPS 6
#define REPAIR_SLACK (440 * SS_MSEC)
/* That is for all but one in a hundred; and for none more than so much. */
#define REPAIR_FAR_OFF 1.25
/* All listeners come within this. */
#define SPAN_OF(n)  MAX (10 * SS_SEC, (SsTime) (n) *5 * SS_MSEC)
#define CALM_TIME   (5 * SS_SEC) /* trees settle */
#define REPAIR_TIME (60 * SS_SEC)
#define REPAIR_STEP (50 * SS_MSEC)
/* For each place below the dead one: all of these miss a packet. */
#define REPAIR_MESSAGES 20
#define STORM_TIME      (3 * SS_SEC) /* after a death */
#define NEWCOMER        (10 * SS_SEC)
#define GROWTH          10 /* times as many listeners, each time */
#define GROWTH_MIN      100
#define GROWTH_PACE     (5 * SS_MSEC)  /* so often one comes, */
#define GROWTH_SPAN     (100 * SS_SEC) /* until there are too many for that */
/* The broadcaster's upload over its rows on the wire, at most: at rest, while
 * the ring's newcomers look for near peers, also at the broadcaster, and just
 * after the last of them has come, which is the same whatever the audience. */
#define UPLOAD_REST   1.05
#define UPLOAD_SEARCH 1.2
#define UPLOAD_GROWTH 1.25
#define SEARCH_TIME   (120 * SS_SEC)

/* How long until everybody is in all trees, or -1. */
static SsTime
wait_whole (SsWorld *world)
{
  SsTime start = ss_world_now (world);
  SsForest forest = { .n_missing = 0 };

  for (;;) {
    SsTime passed = ss_world_now (world) - start;
    /* As long as one is missing the others need not be looked at. */
    bool is_missing =
        forest.n_missing > 0
        && !ss_forest_is_placed (world, forest.missing, forest.missing_stripe);

    if (!is_missing)
      ss_forest_look (world, &forest);
    if (forest.n_missing == 0)
      return passed;
    if (passed >= REPAIR_TIME)
      return -1;
    ss_world_run (world, REPAIR_STEP);
  }
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const SsTime *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

static double
seconds (SsTime time)
{
  return (double) time / (double) SS_SEC;
}

/* Places in trees that a node's death leaves without a parent. */
static unsigned
count_children (const SsWorld *world, unsigned index)
{
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  unsigned n = 0;

  ss_node_stats (ss_world_node (world, index), stats);
  for (unsigned j = 0; j < SS_STRIPES; j++)
    n += stats->station.stripes[j].children;
  g_free (stats);
  return n;
}

/* Scribe's messages besides the packets on their way down. */
static uint64_t
count_control (const SsTraffic *traffic)
{
  uint64_t n = 0;

  for (unsigned i = 0; i < SS_TRAFFIC_CODES; i++)
    if (i != SS_MSG_SCRIBE_DATA && i != SS_MSG_SCRIBE_DEPUTY
        && i != SS_MSG_SCRIBE_PUBLISH)
      n += traffic->messages[SS_PROTOCOL_SCRIBE][i];
  return n;
}

typedef struct {
  GArray *times;      /* until all was whole: SsTime */
  uint64_t n_orphans; /* places that lost their parent */
  uint64_t n_below;   /* places without a living way to the root */
  /* Within STORM_TIME of a death, beyond the usual of all, which varies: where
   * many are at rest, by more than one death takes. */
  int64_t n_messages;
} Repairs;

/* Waits until all is whole again, and counts what that takes. */
static void
watch_repair (SsWorld *world, unsigned victim, Repairs *repairs)
{
  ss_world_count_traffic (world);
  ss_world_run (world, STORM_TIME);
  uint64_t usual = count_control (world->traffic);
  SsTime died = ss_world_now (world);
  SsForest forest;

  repairs->n_orphans += count_children (world, victim);
  if (victim % 2 == 0)
    ss_world_kill (world, victim);
  else
    ss_world_silence (world, victim);
  ss_forest_look (world, &forest);
  repairs->n_below += forest.n_missing;
  ss_world_count_traffic (world);
  SsTime whole = wait_whole (world);

  if (whole < 0)
    ss_world_fail (world, "not whole after the death of node %u", victim);
  g_array_append_val (repairs->times, whole);
  if (ss_world_now (world) < died + STORM_TIME)
    ss_world_run (world, died + STORM_TIME - ss_world_now (world));
  repairs->n_messages += (int64_t) count_control (world->traffic);
  repairs->n_messages -= (int64_t) usual;
}

static void
report_repairs (const SsSimRun *run, SsWorld *world, const Repairs *repairs)
{
  GArray *times = repairs->times;

  if (times->len == 0)
    return;
  g_array_sort (times, compare_times);
  for (unsigned i = 0; i < times->len; i++)
    ss_sim_point (run, world, "repair", "%.2f,%.5f",
                  seconds (g_array_index (times, SsTime, i)),
                  (i + 1.0) / times->len);
  SsTime p99 = g_array_index (times, SsTime, times->len * 99 / 100);
  double messages =
      (double) repairs->n_messages / (double) MAX (repairs->n_below, 1);

  ss_world_row (world, "died, one after the other", "%u", times->len);
  ss_world_row (
      world, "whole after: median, p99, most", "%.2f s  %.2f s  %.2f s",
      seconds (g_array_index (times, SsTime, times->len / 2)), seconds (p99),
      seconds (g_array_index (times, SsTime, times->len - 1)));
  ss_world_row (world, "places lost; all below; messages for each of these",
                "%" G_GUINT64_FORMAT "  %" G_GUINT64_FORMAT "  %.1f",
                repairs->n_orphans, repairs->n_below, messages);
  SsTime most = world->options.latency * SS_STRIPES / HOLD_DIVISOR
                + 2 * REPAIR_TRIPS * world->options.delay + REPAIR_SLACK;

  unsigned n_late = 0;
  for (unsigned i = 0; i < times->len; i++)
    n_late += g_array_index (times, SsTime, i) > most;
  /* One of thirty says nothing of one in a hundred, if it is not far off. */
  if (n_late > MAX (1, times->len / 100))
    ss_world_fail (world, "%u repairs take longer than %.2f s", n_late,
                   seconds (most));
  SsTime longest = g_array_index (times, SsTime, times->len - 1);
  if (longest > REPAIR_FAR_OFF * most)
    ss_world_fail (world, "a repair takes %.2f s", seconds (longest));
  if (messages > REPAIR_MESSAGES)
    ss_world_fail (world, "a place below the dead takes %.1f messages",
                   messages);
}

/* Everybody but the publisher dies once, at random moments, and somebody else
 * comes for each. */
void
ss_scenario_one_death (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  Repairs repairs = { .times = g_array_new (FALSE, FALSE, sizeof (SsTime)) };

  if (!ss_sim_start_station (world, run->options->nodes, 5 * SS_SEC))
    goto out;
  ss_world_run (world, CALM_TIME);
  unsigned n = world->members->len;

  for (unsigned i = 0; i < n && world->n_failures == 0; i++) {
    if ((int) i == world->publisher)
      continue;
    ss_world_run (world,
                  (SsTime) ss_rng_below (&world->rng, (uint64_t) SS_SEC));
    watch_repair (world, i, &repairs);
    ss_world_add (world, false, true);
    ss_world_wait (world, ss_world_all_hear, NEWCOMER);
    wait_whole (world);
  }
  report_repairs (run, world, &repairs);
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  g_array_unref (repairs.times);
  ss_sim_end (run, world);
}

void
ss_scenario_quarter_death (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  unsigned n = run->options->nodes;
  SsForest forest;

  if (!ss_sim_start_station (world, n, SPAN_OF (n)))
    goto out;
  ss_world_run (world, CALM_TIME);
  for (unsigned i = 0; i < n / 4; i++)
    ss_world_kill (world, ss_world_pick (world));
  SsTime died = ss_world_now (world), whole = wait_whole (world);

  ss_forest_look (world, &forest);
  if (whole < 0)
    ss_world_fail (world, "%u places in trees are missing", forest.n_missing);
  ss_world_row (world, "died at once; trees whole after", "%u  %.2f s", n / 4,
                seconds (whole));
  ss_world_run (world, run->options->duration);
  unsigned n_deaf = ss_oracle_hearing (world, died, false, false);

  ss_world_row (
      world, "listeners that lost frames; packets", "%u  %" G_GUINT64_FORMAT,
      n_deaf,
      ss_sim_sum_listeners (world, offsetof (SsStationStats, packets_lost)));
  ss_forest_look (world, &forest);
  ss_sim_report_forest (world, &forest);
  /* What was lost falls due up to a latency after the trees are whole. */
  ss_oracle_hearing (world, died + whole + world->options.latency + SS_SEC,
                     false, true);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}

/* Depth, mean and most; delay in ms, median and p99; uploads over the media,
 * mean, most and the broadcaster's; its upload for control in bytes a second.
 */
static void
point_growth (const SsSimRun *run, SsWorld *world, const SsForest *forest)
{
  unsigned publisher = (unsigned) world->publisher;
  double mean, most;

  if (!ss_sim_uploads (world, &mean, &most))
    return;
  ss_sim_point (run, world, "growth", "%.2f,%u,%.0f,%.0f,%.2f,%.2f,%.2f,%.0f",
                forest->depth_mean, forest->depth_max,
                (double) forest->delay_median / (double) SS_MSEC,
                (double) forest->delay_p99 / (double) SS_MSEC, mean, most,
                ss_world_upload_ratio (world, publisher),
                ss_world_control_rate (world, publisher));
}

typedef struct {
  uint64_t packets, bytes, sent;
} Published;

static Published
published (const SsWorld *world)
{
  SsNodeStats *stats = g_new (SsNodeStats, 1);

  ss_node_stats (ss_world_node (world, (unsigned) world->publisher), stats);
  Published result = {
    .packets = stats->station.data_packets,
    .bytes = stats->station.data_bytes,
    .sent = stats->counters.value[SS_COUNT_BYTES_OUT],
  };

  g_free (stats);
  return result;
}

/* The broadcaster's upload over its rows on the wire, for some time. */
static double
upload_ratio (SsWorld *world, const SsSimOptions *options)
{
  Published before = published (world);

  ss_world_run (world, options->duration);
  Published now = published (world);
  double wire =
      (double) (now.bytes - before.bytes)
      + (double) (now.packets - before.packets) * SS_STRIPE_WIRE_OVERHEAD;
  unsigned n_data = SS_STRIPES - (unsigned) MAX (options->parity, 0);

  return (double) (now.sent - before.sent) * n_data / (wire * SS_STRIPES);
}

static void
check_upload (SsWorld *world, double ratio, double most)
{
  if (ratio > most)
    ss_world_fail (world, "the broadcaster uploads %.3f times the stream",
                   ratio);
}

static void
one_audience (SsSimRun *run, unsigned n)
{
  SsSimOptions options = *run->options;

  options.nodes = n;
  SsWorld *world = ss_sim_begin (run, &options);
  SsForest forest;

  ss_world_row (world, "listeners", "%u", n);
  SsTime span = CLAMP (n * GROWTH_PACE, 5 * SS_SEC, GROWTH_SPAN);

  if (ss_sim_start_station (world, n, span)) {
    ss_world_run (world, CALM_TIME);
    SsTime calm = ss_world_now (world);

    ss_world_mark (world);
    double ratio = upload_ratio (world, &options);

    ss_sim_report_uploads (world);
    ss_world_row (world, "broadcaster's, over rows on the wire", "%.3f", ratio);
    check_upload (world, ratio, UPLOAD_GROWTH);
    ss_forest_look (world, &forest);
    ss_sim_report_forest (world, &forest);
    point_growth (run, world, &forest);
    if (forest.n_missing > 0)
      ss_world_fail (world, "%u places in trees are missing", forest.n_missing);
    ss_oracle_hearing (world, calm, false, true);
    ss_sim_report_listeners (world);
  }
  ss_sim_end (run, world);
}

void
ss_scenario_growth (SsSimRun *run)
{
  unsigned most = run->options->nodes;

  for (unsigned n = MIN (GROWTH_MIN, most); n <= most; n *= GROWTH)
    one_audience (run, n);
}

/* With so many listeners the broadcaster sends each row about once. */
static void
one_source (SsSimRun *run, unsigned n)
{
  SsSimOptions options = *run->options;

  options.nodes = n;
  SsWorld *world = ss_sim_begin (run, &options);

  if (ss_sim_start_station (world, n, 5 * SS_SEC)) {
    ss_world_run (world, CALM_TIME);
    double at_first = upload_ratio (world, &options);

    ss_world_run (world, SEARCH_TIME);
    double ratio = upload_ratio (world, &options);

    ss_world_row (world, "listeners, upload over rows on the wire",
                  "%u  %.4f, while they search %.4f", n, ratio, at_first);
    check_upload (world, at_first, UPLOAD_SEARCH);
    check_upload (world, ratio, UPLOAD_REST);
    ss_sim_finish_station (world);
  }
  ss_sim_end (run, world);
}

void
ss_scenario_source_upload (SsSimRun *run)
{
  one_source (run, 1);
  one_source (run, 2);
  one_source (run, run->options->nodes);
}
