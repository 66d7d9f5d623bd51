/* A histogram of packets' ways: see the header. */
#include "splitstream/arrivals.h"

#include <glib.h>
#include <string.h>

static SsTime
whole_bins (SsTime time)
{
  SsTime rest = time % SS_ARRIVALS_BIN;
  return time - rest - (rest < 0 ? SS_ARRIVALS_BIN : 0);
}

/* A quicker one has come: all others are later than was thought. */
static void
lower_base (SsArrivals *arrivals, SsTime base)
{
  SsTime n_bins = (arrivals->base - base) / SS_ARRIVALS_BIN;
  unsigned shift = (unsigned) MIN (n_bins, SS_ARRIVALS_BINS);
  unsigned n_kept = SS_ARRIVALS_BINS - shift;
  for (unsigned i = n_kept; i < SS_ARRIVALS_BINS; i++)
    arrivals->n_beyond += arrivals->counts[i];
  memmove (arrivals->counts + shift, arrivals->counts,
           n_kept * sizeof arrivals->counts[0]);
  memset (arrivals->counts, 0, shift * sizeof arrivals->counts[0]);
  arrivals->base = base;
}

void
ss_arrivals_note (SsArrivals *arrivals, SsTime now, SsTime departure,
                  bool is_by_tree)
{
  SsTime way = whole_bins (now - departure);
  if (!arrivals->is_set) {
    if (!is_by_tree)
      return;
    arrivals->is_set = true;
    arrivals->first = departure;
    arrivals->base = way;
  }
  if (departure < arrivals->first)
    return;
  if (way < arrivals->base)
    lower_base (arrivals, way);
  SsTime bin = (way - arrivals->base) / SS_ARRIVALS_BIN;
  if (bin < SS_ARRIVALS_BINS)
    arrivals->counts[bin]++;
  else
    arrivals->n_beyond++;
}

SsTime
ss_arrivals_quantile (const SsArrivals *arrivals, double part)
{
  uint64_t n = arrivals->n_beyond, n_below = 0;
  for (unsigned i = 0; i < SS_ARRIVALS_BINS; i++)
    n += arrivals->counts[i];
  for (unsigned i = 0; i < SS_ARRIVALS_BINS; i++) {
    n_below += arrivals->counts[i];
    if (n_below > 0 && (double) n_below >= part * (double) n)
      return (i + 1) * SS_ARRIVALS_BIN;
  }
  return SS_NEVER;
}
