/* Listeners who come and go: how much of the stream each of them hears in
 * time, in frames: one is lost with any packet that it is in. Every session
 * ends without a word. */
#include "sim/oracle.h"
#include "sim/scenario.h"
#include "sim/seats.h"

#define SPAN_OF(n)   MAX (5 * SS_SEC, (n) *10 * SS_MSEC)
#define WARM_TIME    (20 * SS_SEC)
#define STEP         (1 * SS_SEC)
#define SEATS_STEP   (5 * SS_SEC)
#define TUNE_IN_MOST (5 * SS_SEC) /* before the first frame's deadline */
#define PLAYED_MIN   500          /* frames: who was sent fewer is not judged */
#define HEARD_GOOD   0.999        /* of its frames */
#define NODES_GOOD   0.999        /* of the listeners */
#define HEARD_FAIR   0.75   /* of a second's frames; as SplitStream's authors */
#define STEPS_FAIR   0.9999 /* of all listeners' seconds; theirs: 0.995 */

/* What one listener had heard and lost when it was last looked at, and how many
 * frames were broadcast since it fell silent: they are lost once it hears
 * again, or is never heard of again. */
typedef struct {
  uint64_t heard, lost, missed;
  uint64_t reparented; /* of its node's counters */
  SsSeatsBelow seats;  /* of the dead nothing */
} Heard;

typedef struct {
  GArray *first, *last; /* Heard, by member: at the start, and so far */
  uint64_t n_broadcast;
  uint64_t n_steps, n_fair;
  uint64_t n_reparented; /* places in trees that were changed */
  uint64_t n_bereft;     /* places right below those that died */
  uint64_t n_cut_off;    /* and all below, but for those of roots */
  SsSeats seats[2];
} Watch;

static Heard *
heard_at (GArray *list, unsigned index)
{
  if (index >= list->len)
    g_array_set_size (list, index + 1);
  return &g_array_index (list, Heard, index);
}

static uint64_t
reparented (const SsWorld *world, unsigned index)
{
  return ss_node_env (ss_world_node (world, index))
      ->counters.value[SS_COUNT_SCRIBE_REPARENTED];
}

static void
begin_watch (const SsWorld *world, Watch *watch)
{
  watch->n_broadcast = world->epochs[world->epoch].pump.n_frames;
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsHearing *hearing = ss_world_member (world, i)->hearing;

    if (hearing != NULL && ss_world_member (world, i)->is_up)
      *heard_at (watch->first, i) = *heard_at (watch->last, i) =
          (Heard){ .heard = hearing->n_frames,
                   .lost = hearing->n_lost,
                   .reparented = reparented (world, i) };
  }
}

/* One listener's step; who has gone keeps what it heard. */
static void
look_at (const SsWorld *world, Watch *watch, unsigned index, uint64_t n_new)
{
  const SsMember *member = ss_world_member (world, index);
  const SsHearing *hearing = member->hearing;

  if (hearing == NULL)
    return;
  Heard *last = heard_at (watch->last, index);
  uint64_t n_heard = hearing->n_frames - last->heard;
  uint64_t n_lost = hearing->n_lost - last->lost;
  bool is_silent = n_heard + n_lost == 0;

  last->heard = hearing->n_frames;
  last->lost = hearing->n_lost;
  if (!member->is_up) {
    watch->n_bereft += last->seats.children;
    watch->n_cut_off += last->seats.below;
    last->seats = (SsSeatsBelow){ 0 };
    return;
  }
  watch->n_reparented += reparented (world, index) - last->reparented;
  last->reparented = reparented (world, index);
  if (is_silent
      && ss_world_now (world)
             < hearing->started + TUNE_IN_MOST + world->options.latency)
    return;
  last->missed = is_silent ? last->missed + n_new : 0;
  watch->n_steps++;
  watch->n_fair +=
      !is_silent
      && (double) n_heard >= HEARD_FAIR * (double) (n_heard + n_lost);
}

static void
look (SsWorld *world, Watch *watch)
{
  SsSeatsBelow *seats = ss_seats_below (world);
  uint64_t n_broadcast = world->epochs[world->epoch].pump.n_frames;

  for (unsigned i = 0; i < world->members->len; i++)
    look_at (world, watch, i, n_broadcast - watch->n_broadcast);
  for (unsigned i = 0; i < world->members->len; i++)
    if (ss_world_member (world, i)->is_up)
      heard_at (watch->last, i)->seats = seats[i];
  g_free (seats);
  watch->n_broadcast = n_broadcast;
}

static void
look_at_ages (SsWorld *world, Watch *watch)
{
  uint8_t *kinds = g_new (uint8_t, world->members->len);

  ss_seats_by_age (world, kinds);
  ss_seats_look (world, kinds, watch->seats);
  g_free (kinds);
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
    uint64_t lost = last->lost - first->lost + last->missed;

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
    if (passed % SEATS_STEP == 0)
      look_at_ages (world, &watch);
  }
  ss_churn_stop (world, &came, &went);
  ss_world_row (world, "came, went", "%u  %u", came, went);
  /* Each takes a step each second, and has a parent in each stripe. */
  ss_world_row (world, "parents changed, a listener and minute", "%.2f",
                60. * (double) watch.n_reparented
                    / (double) MAX (watch.n_steps, 1));
  ss_world_row (world, "lost by deaths, likewise", "%.2f",
                60. * (double) watch.n_bereft
                    / (double) MAX (watch.n_steps, 1));
  ss_world_row (world, "cut off by them, all below", "%.2f",
                60. * (double) watch.n_cut_off
                    / (double) MAX (watch.n_steps, 1));
  ss_seats_report (world, "the older half, and the younger", watch.seats);
  report (world, &watch);
  ss_sim_report_listeners (world);
out:
  g_array_unref (watch.first);
  g_array_unref (watch.last);
  ss_sim_end (run, world);
}
