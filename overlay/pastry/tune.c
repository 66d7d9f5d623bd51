/* The self-tuned probe period; see tune.h. */
#include "overlay/pastry/tune.h"

#include <glib.h>
#include <math.h>

#define ROUNDS  60 /* of bisection */
#define LONGEST (100 * 86400 * SS_SEC)

static double
seconds (SsTime time)
{
  return (double) time / (double) SS_SEC;
}

/* 1 - (1 - e^-x) / x: uniform moments of use, exponential lives. */
double
ss_tune_dead_chance (SsTime period, SsTime timeout, double rate)
{
  double x = seconds (period + timeout) * rate;
  return x < 1e-9 ? x / 2 : 1 + expm1 (-x) / x;
}

double
ss_tune_hops (double n_nodes)
{
  return n_nodes <= 1 ? 0 : 15.0 / 16 * log2 (n_nodes) / 4;
}

double
ss_tune_loss (SsTime leaf, SsTime table, SsTime timeout, double rate,
              double n_nodes)
{
  double last = 1 - ss_tune_dead_chance (leaf, timeout, rate);
  double before = 1 - ss_tune_dead_chance (table, timeout, rate);
  return 1 - last * pow (before, MAX (ss_tune_hops (n_nodes) - 1, 0));
}

SsTime
ss_tune_period (double target, SsTime leaf, SsTime timeout, double rate,
                double n_nodes)
{
  if (ss_tune_loss (leaf, LONGEST, timeout, rate, n_nodes) <= target)
    return SS_NEVER;
  SsTime low = 0, high = LONGEST;
  for (unsigned i = 0; i < ROUNDS && low < high; i++) {
    SsTime middle = low + (high - low + 1) / 2;
    if (ss_tune_loss (leaf, middle, timeout, rate, n_nodes) <= target)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

double
ss_tune_ring_size (const SsId *from, const SsId *to, unsigned n_on_arc)
{
  SsId arc = ss_id_subtract (to, from);
  double share = 0;
  for (unsigned i = 8; i > 0; i--)
    share = (share + arc.b[i - 1]) / 256;
  return share > 0 ? n_on_arc / share : n_on_arc;
}

void
ss_tune_init (SsTune *tune, SsTime now)
{
  *tune = (SsTune){ .since = (uint32_t) (now / SS_SEC) };
}

void
ss_tune_death (SsTune *tune, SsTime now)
{
  if (tune->n == SS_TUNE_DEATHS)
    tune->since = tune->deaths[tune->next];
  tune->deaths[tune->next] = (uint32_t) (now / SS_SEC);
  tune->next = (uint8_t) ((tune->next + 1) % SS_TUNE_DEATHS);
  tune->n = (uint8_t) MIN (tune->n + 1, SS_TUNE_DEATHS);
}

/* Time watched and deaths, upon a first guess of one death in a session: who
 * has seen none cannot tell that there will be none. */
double
ss_tune_rate (const SsTune *tune, SsTime now, unsigned n_known)
{
  double span = seconds (now) - tune->since;
  return (tune->n + 1) / (span * n_known + seconds (SS_TUNE_SESSION));
}
