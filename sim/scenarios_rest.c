/* A station at rest: nobody comes, goes or dies. What its nodes do about each
 * other then they do for nothing, and where nobody loses anything by it only
 * counting shows it. */
#include "sim/oracle.h"
#include "sim/scenario.h"

#define SPAN_OF(n)  MAX (5 * SS_SEC, (SsTime) (n) *20 * SS_MSEC)
#define SETTLE_TIME (120 * SS_SEC) /* places are looked for, and found */
/* Packets that come again, of those that come: with loss several are asked, and
 * parity is quicker than some. */
#define AGAIN_MOST    0.01
#define AGAIN_BY_LOSS 3

/* Of each node and minute at most so many; and so many more where everything is
 * lost, and for each second that ways differ by. */
typedef struct {
  SsCounterName counter;
  const char *what;
  double most, by_loss, by_jitter;
} Bound;

static const Bound bounds[] = {
  { SS_COUNT_OVERLAY_SUSPECTED, "live nodes suspected", 0.03, 200, 0.5 },
  { SS_COUNT_LINK_MESSAGES_RESENT, "messages sent twice", 0.6, 700, 0 },
  { SS_COUNT_LINK_UPLINK_FULL, "lines found full", 0.01, 0, 0 },
  { SS_COUNT_SCRIBE_JOINS, "JOINs", 2, 300, 0 },
  { SS_COUNT_SCRIBE_ANYCASTS, "searches", 0.05, 20, 0 },
  { SS_COUNT_SCRIBE_REPARENTED, "parents changed", 0.02, 80, 0 },
  { SS_COUNT_SCRIBE_UNSERVED, "parents left: they did not serve", 0.01, 2, 0 },
  { SS_COUNT_SCRIBE_ROOTS_ASIDE, "roots set aside", 0, 0, 0 },
};

typedef struct {
  uint64_t counts[G_N_ELEMENTS (bounds)];
  uint64_t received, again;
} Work;

static void
look (SsWorld *world, Work *ret_work)
{
  *ret_work = (Work){
    .received = ss_sim_sum_listeners (
        world, offsetof (SsStationStats, packets_received)),
    .again = ss_sim_sum_listeners (
        world, offsetof (SsStationStats, packets_duplicate)),
  };
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsEnv *env = ss_node_env (ss_world_node (world, i));

    for (unsigned j = 0; j < G_N_ELEMENTS (bounds); j++)
      ret_work->counts[j] += env->counters.value[bounds[j].counter];
  }
}

static void
judge (SsWorld *world, const Work *before, const Work *after)
{
  double loss = world->options.loss;
  double jitter = (double) world->options.jitter / (double) SS_SEC;
  double minutes = (double) world->options.duration / (double) (60 * SS_SEC)
                   * world->members->len;
  double again = (double) (after->again - before->again)
                 / (double) MAX (after->received - before->received, 1);

  for (unsigned i = 0; i < G_N_ELEMENTS (bounds); i++) {
    const Bound *bound = &bounds[i];
    double n = (double) (after->counts[i] - before->counts[i]) / minutes;

    ss_world_row (world, bound->what, "%.3f a node and minute", n);
    if (n > bound->most + bound->by_loss * loss + bound->by_jitter * jitter)
      ss_world_fail (world, "%s: %.3f a node and minute", bound->what, n);
  }
  ss_world_row (world, "packets that came again", "%.2f%%", 100 * again);
  if (again > AGAIN_MOST + AGAIN_BY_LOSS * loss)
    ss_world_fail (world, "%.2f%% of the packets came again", 100 * again);
}

static void
rest (SsSimRun *run, const SsSimOptions *options)
{
  SsWorld *world = ss_sim_begin (run, options);
  unsigned n = options->nodes;
  Work before, after;

  if (ss_sim_start_station (world, n, SPAN_OF (n))) {
    ss_world_run (world, SETTLE_TIME);
    look (world, &before);
    ss_world_run (world, options->duration);
    look (world, &after);
    judge (world, &before, &after);
    ss_sim_finish_station (world);
    ss_sim_report_listeners (world);
  }
  ss_sim_end (run, world);
}

void
ss_scenario_rest (SsSimRun *run)
{
  ss_sim_repeat (run, rest);
}
