/* Churn. Lengths are Weibull's: shape 1 is the exponential distribution. */
#include "sim/churn.h"

#include <math.h>
#include <string.h>

#include "sim/world.h"

#define SHAPE_DEFAULT 0.5
/* Shape for which the median of 1 h has the mean of 2.3 h. */
#define GNUTELLA_SHAPE 0.666
/* Arrivals swing more than the population, for sessions outlast the hour. */
#define GNUTELLA_SWING 0.41
#define DIURNAL_SWING  0.6
#define SESSION_MIN    (1 * SS_SEC)
#define SAMPLES        64 /* to choose one of by its length */

static const char *const names[SS_N_CHURNS] = {
  [SS_CHURN_POISSON] = "poisson",   [SS_CHURN_WEIBULL] = "weibull",
  [SS_CHURN_FLASH] = "flash",       [SS_CHURN_DIURNAL] = "diurnal",
  [SS_CHURN_GNUTELLA] = "gnutella",
};

bool
ss_churn_parse (const char *name, SsChurnKind *ret_kind)
{
  for (unsigned i = 0; i < SS_N_CHURNS; i++)
    if (strcmp (names[i], name) == 0) {
      *ret_kind = (SsChurnKind) i;
      return true;
    }
  return false;
}

const char *
ss_churn_name (SsChurnKind kind)
{
  return names[kind];
}

void
ss_churn_init (SsChurn *churn, const SsChurnOptions *options, SsTime now,
               const SsRng *rng)
{
  memset (churn, 0, sizeof *churn);
  churn->options = *options;
  churn->start = now;
  churn->rng = *rng;
  churn->shape = 1;
  if (options->session == 0)
    churn->options.session = SS_CHURN_GNUTELLA_MEAN;
  if (options->kind == SS_CHURN_GNUTELLA) {
    churn->shape = GNUTELLA_SHAPE;
    churn->swing = GNUTELLA_SWING;
  } else if (options->kind == SS_CHURN_WEIBULL) {
    churn->shape = options->shape > 0 ? options->shape : SHAPE_DEFAULT;
  } else if (options->kind == SS_CHURN_DIURNAL) {
    churn->swing = DIURNAL_SWING;
  }
  g_assert (churn->options.session > 0 && options->active > 0);
  churn->scale = (double) churn->options.session / (double) SS_SEC
                 / tgamma (1 + 1 / churn->shape);
}

static double
draw (SsChurn *churn)
{
  double exponential = ss_rng_exponential (&churn->rng, 1);

  return churn->scale * pow (exponential, 1 / churn->shape);
}

SsTime
ss_churn_session (SsChurn *churn)
{
  return MAX ((SsTime) (draw (churn) * (double) SS_SEC), SESSION_MIN);
}

/* Long sessions are met more often, in the middle of them. */
SsTime
ss_churn_remaining (SsChurn *churn)
{
  double sessions[SAMPLES], sum = 0;

  for (unsigned i = 0; i < SAMPLES; i++)
    sum += sessions[i] = draw (churn);
  double at = ss_rng_unit (&churn->rng) * sum;
  unsigned i = 0;

  while (i < SAMPLES - 1 && at >= sessions[i])
    at -= sessions[i++];
  double left = ss_rng_unit (&churn->rng) * sessions[i];

  return MAX ((SsTime) (left * (double) SS_SEC), SESSION_MIN);
}

/* Arrivals a second. */
static double
rate_at (const SsChurn *churn, SsTime now)
{
  const SsChurnOptions *options = &churn->options;
  SsTime since = now - churn->start;
  double base = options->active / ((double) options->session / (double) SS_SEC);
  double rate = base;

  if (churn->swing > 0)
    rate *= 1
            + churn->swing
                  * sin (2 * G_PI * (double) since / (double) SS_CHURN_DAY);
  if (options->kind == SS_CHURN_FLASH && since >= options->crowd_at
      && since < options->crowd_at + options->crowd_span)
    rate += options->crowd * options->active
            / ((double) options->crowd_span / (double) SS_SEC);
  return rate;
}

/* The greatest rate that there is after now. */
static double
rate_most (const SsChurn *churn)
{
  const SsChurnOptions *options = &churn->options;
  double base = options->active / ((double) options->session / (double) SS_SEC);
  double crowd = 0;

  if (options->kind == SS_CHURN_FLASH)
    crowd = options->crowd * options->active
            / MAX ((double) options->crowd_span / (double) SS_SEC, 1e-3);
  return base * (1 + churn->swing) + crowd;
}

/* By thinning: candidates at the greatest rate, kept as the rate says. */
SsTime
ss_churn_next (SsChurn *churn, SsTime now)
{
  double most = rate_most (churn);

  for (;;) {
    double wait = ss_rng_exponential (&churn->rng, 1 / most);

    now += MAX ((SsTime) (wait * (double) SS_SEC), 1);
    if (ss_rng_unit (&churn->rng) * most < rate_at (churn, now))
      return now;
  }
}

struct SsChurnRun {
  SsChurn churn;
  unsigned n_came, n_went;
};

static void
session_ends (void *user, uint64_t index)
{
  SsWorld *world = user;
  SsChurnRun *run = world->churn;

  if (run == NULL || !ss_world_member (world, (unsigned) index)->is_up)
    return;
  run->n_went++;
  if (ss_rng_unit (&run->churn.rng) < run->churn.options.orderly)
    ss_world_leave (world, (unsigned) index);
  else
    ss_world_kill (world, (unsigned) index);
}

static void
end_after (SsWorld *world, unsigned index, SsTime session)
{
  ss_network_at (world->network, ss_world_now (world) + session, session_ends,
                 world, index);
}

static void
arrival (void *user, uint64_t unused)
{
  SsWorld *world = user;
  SsChurnRun *run = world->churn;

  if (run == NULL)
    return;
  run->n_came++;
  end_after (world, ss_world_add (world, false, run->churn.options.listens),
             ss_churn_session (&run->churn));
  ss_network_at (world->network,
                 ss_churn_next (&run->churn, ss_world_now (world)), arrival,
                 world, 0);
}

void
ss_churn_start (SsWorld *world, const SsChurnOptions *options)
{
  SsChurnRun *run = g_new0 (SsChurnRun, 1);
  SsRng rng;

  g_assert (world->churn == NULL);
  ss_network_rng (world->network, "churn", 0, &rng);
  ss_churn_init (&run->churn, options, ss_world_now (world), &rng);
  world->churn = run;
  for (unsigned i = 1; i < world->members->len; i++)
    if (ss_world_member (world, i)->is_up && (int) i != world->publisher)
      end_after (world, i, ss_churn_remaining (&run->churn));
  ss_network_at (world->network,
                 ss_churn_next (&run->churn, ss_world_now (world)), arrival,
                 world, 0);
}

void
ss_churn_stop (SsWorld *world, unsigned *ret_came, unsigned *ret_went)
{
  *ret_came = world->churn->n_came;
  *ret_went = world->churn->n_went;
  g_clear_pointer (&world->churn, g_free);
}
