/* Who sits where, while listeners come and go: those that have been there for
 * long beside newcomers, good lines beside those that lose packets or are
 * long. */
#include "sim/oracle.h"
#include "sim/scenario.h"
#include "sim/seats.h"

#define SPAN        (5 * SS_SEC) /* in which the first come */
#define SETTLE      (30 * SS_SEC)
#define LOOK_EVERY  (5 * SS_SEC)
#define STEP        (500 * SS_MSEC)
#define COMERS_MOST 10 /* times as many as there are at a time */
#define LOSS        0.03
#define LONG        (50 * SS_MSEC) /* each way */
/* What the better ones have of the children of the others, at the least: the
 * older have had more time, too. */
#define MORE_BY_AGE  1.8
#define MORE_BY_LINE 1.1
/* And by how much farther down they are, in the mean, at the most. */
#define DEEPER_BY_AGE  0.16
#define DEEPER_BY_LINE 0.05

/* Two of four are poor: one loses packets, one is far from all. */
static bool
is_lossy (unsigned index)
{
  return index % 4 == 2;
}

static bool
is_long (unsigned index)
{
  return index % 4 == 3;
}

static bool
is_poor (unsigned index)
{
  return is_lossy (index) || is_long (index);
}

/* Of all that will ever come: a line that became longer would look like a queue
 * (overlay/link/uplink.c). */
static void
set_lines (SsWorld *world, unsigned n)
{
  for (unsigned i = 2; i < n; i++) {
    const SsAccess access = { .delay = is_long (i) ? LONG : 0 };

    ss_topology_set_access (world->topology, i, &access);
    if (is_lossy (i))
      ss_topology_set_loss (world->topology, i, LOSS, LOSS);
  }
}

enum { BY_AGE, BY_LINE, N_KINDS };

/* By age those with good lines; by line those of the older half, who have had
 * the time to find a place that they keep. */
static void
look (SsWorld *world, SsSeats seats[N_KINDS][2])
{
  unsigned n = world->members->len;
  uint8_t *kinds = g_new (uint8_t, n), *ages = g_new (uint8_t, n);

  ss_seats_by_age (world, ages);
  for (unsigned i = 0; i < n; i++)
    kinds[i] = is_poor (i) ? SS_SEATS_OUT : ages[i];
  ss_seats_look (world, kinds, seats[BY_AGE]);
  for (unsigned i = 0; i < n; i++) {
    kinds[i] = is_poor (i) ? SS_SEATS_SECOND : SS_SEATS_FIRST;
    if (ages[i] != SS_SEATS_FIRST)
      kinds[i] = SS_SEATS_OUT;
  }
  ss_seats_look (world, kinds, seats[BY_LINE]);
  g_free (ages);
  g_free (kinds);
}

static void
judge (SsWorld *world, const char *kinds, const SsSeats seats[2], double least,
       double deeper)
{
  double depths = ss_seats_depth (&seats[SS_SEATS_FIRST])
                  - ss_seats_depth (&seats[SS_SEATS_SECOND]);
  double first = ss_seats_children (&seats[SS_SEATS_FIRST]);
  double second = ss_seats_children (&seats[SS_SEATS_SECOND]);

  ss_seats_report (world, kinds, seats);
  if (first < least * second)
    ss_world_fail (world, "%s: %.2f times the children", kinds,
                   first / MAX (second, 0.1));
  if (depths > deeper)
    ss_world_fail (world, "%s: the first are %.2f farther down", kinds, depths);
}

void
ss_scenario_placement (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  const SsSimOptions *options = run->options;
  const SsChurnOptions churn = { .kind = options->churn,
                                 .active = MAX (options->nodes, 2),
                                 .session = options->session,
                                 .listens = true };
  SsSeats seats[N_KINDS][2] = { 0 };
  unsigned came, went;

  set_lines (world, COMERS_MOST * options->nodes);
  if (!ss_sim_start_station (world, options->nodes, SPAN))
    goto out;
  ss_churn_start (world, &churn);
  for (SsTime passed = 0; passed < SETTLE + options->duration; passed += STEP) {
    ss_world_run (world, STEP);
    if (passed >= SETTLE && passed % LOOK_EVERY == 0)
      look (world, seats);
  }
  ss_churn_stop (world, &came, &went);
  ss_world_row (world, "came, went", "%u  %u", came, went);
  judge (world, "older, and younger", seats[BY_AGE], MORE_BY_AGE,
         DEEPER_BY_AGE);
  judge (world, "good lines, and poor", seats[BY_LINE], MORE_BY_LINE,
         DEEPER_BY_LINE);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}
