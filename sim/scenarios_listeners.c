/* Listeners who come and go: how much of the stream each of them hears in
 * time. Every session ends without a word. */
#include "sim/oracle.h"
#include "sim/scenario.h"

#define SPAN_OF(n) MAX (5 * SS_SEC, (n) *10 * SS_MSEC)
#define WARM_TIME  (20 * SS_SEC)
#define STEP       (1 * SS_SEC)
#define PLAYED_MIN 500    /* frames: who heard fewer is not judged */
#define HEARD_GOOD 0.999  /* of its frames */
#define NODES_GOOD 0.999  /* of the listeners */
#define HEARD_FAIR 0.75   /* of a second's frames; as SplitStream's authors */
#define STEPS_FAIR 0.9999 /* of all listeners' seconds; theirs: 0.995 */

/* What one listener had heard and lost when it was last looked at. */
typedef struct {
  uint64_t heard, lost;
} Heard;

typedef struct {
  GArray *first, *last; /* Heard, by member: at the start, and so far */
  uint64_t n_steps, n_fair;
} Watch;

static Heard *
heard_at (GArray *list, unsigned index)
{
  if (index >= list->len)
    g_array_set_size (list, index + 1);
  return &g_array_index (list, Heard, index);
}

/* Also of those who have gone: what they heard stays. */
static bool
read_heard (const SsWorld *world, unsigned index, Heard *ret_heard)
{
  const SsHearing *hearing = ss_world_member (world, index)->hearing;

  if (hearing == NULL || hearing->first_at < 0)
    return false;
  *ret_heard = (Heard){ hearing->n_frames, hearing->n_lost };
  return true;
}

static void
begin_watch (const SsWorld *world, Watch *watch)
{
  Heard heard;

  for (unsigned i = 0; i < world->members->len; i++)
    if (read_heard (world, i, &heard))
      *heard_at (watch->first, i) = *heard_at (watch->last, i) = heard;
}

static void
look (const SsWorld *world, Watch *watch)
{
  for (unsigned i = 0; i < world->members->len; i++) {
    Heard heard;

    if (!read_heard (world, i, &heard))
      continue;
    Heard *last = heard_at (watch->last, i);
    uint64_t n_heard = heard.heard - last->heard;
    uint64_t n_lost = heard.lost - last->lost;

    *last = heard;
    if (!ss_world_member (world, i)->is_up || n_heard + n_lost == 0)
      continue;
    watch->n_steps++;
    watch->n_fair +=
        (double) n_heard >= HEARD_FAIR * (double) (n_heard + n_lost);
  }
}

static int
compare_shares (gconstpointer a, gconstpointer b)
{
  const double *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

static void
report (SsWorld *world, Watch *watch)
{
  GArray *shares = g_array_new (FALSE, FALSE, sizeof (double));
  unsigned n_good = 0;

  for (unsigned i = 0; i < watch->last->len; i++) {
    const Heard *first = heard_at (watch->first, i);
    const Heard *last = heard_at (watch->last, i);
    uint64_t heard = last->heard - first->heard;
    uint64_t lost = last->lost - first->lost;

    if (heard + lost < PLAYED_MIN)
      continue;
    double share = (double) heard / (double) (heard + lost);

    n_good += share >= HEARD_GOOD;
    g_array_append_val (shares, share);
  }
  g_array_sort (shares, compare_shares);
  if (shares->len == 0) {
    ss_world_fail (world, "nobody listened for long enough");
    g_array_unref (shares);
    return;
  }
  double good = (double) n_good / shares->len;
  double median = g_array_index (shares, double, shares->len / 2);
  double fair = (double) watch->n_fair / (double) MAX (watch->n_steps, 1);

  ss_world_row (world, "listeners judged", "%u", shares->len);
  ss_world_row (world, "heard in time, median and least", "%.5f  %.5f", median,
                g_array_index (shares, double, 0));
  ss_world_row (world, "listeners that heard 99.9%", "%.5f", good);
  ss_world_row (world, "their seconds with 75% heard", "%.6f", fair);
  if (good < NODES_GOOD)
    ss_world_fail (world, "%.4f of the listeners heard enough", good);
  if (median < 1)
    ss_world_fail (world, "the median listener heard %.5f", median);
  if (fair < STEPS_FAIR)
    ss_world_fail (world, "%.5f of the seconds were fair", fair);
  g_array_unref (shares);
}

void
ss_scenario_station_churn (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  const SsSimOptions *options = run->options;
  const SsChurnOptions churn = {
    .kind = options->churn,
    .active = MAX (options->nodes, 2),
    .session = options->session,
    .listens = true,
  };
  Watch watch = { .first = g_array_new (FALSE, TRUE, sizeof (Heard)),
                  .last = g_array_new (FALSE, TRUE, sizeof (Heard)) };
  unsigned came, went;

  if (!ss_sim_start_station (world, options->nodes, SPAN_OF (options->nodes)))
    goto out;
  ss_world_run (world, WARM_TIME);
  ss_churn_start (world, &churn);
  begin_watch (world, &watch);
  for (SsTime passed = 0; passed < options->duration; passed += STEP) {
    ss_world_run (world, STEP);
    look (world, &watch);
  }
  ss_churn_stop (world, &came, &went);
  ss_world_row (world, "came, went", "%u  %u", came, went);
  report (world, &watch);
  ss_sim_report_listeners (world);
out:
  g_array_unref (watch.first);
  g_array_unref (watch.last);
  ss_sim_end (run, world);
}
