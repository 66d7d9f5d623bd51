/* Does a stripe come late, and go on to? Its parent sends everything, but late:
 * nothing is missing, and what the stripe usually takes is waited for, so
 * nobody asks elsewhere; but the time that a repair would need is gone, and all
 * below have it as late.
 *
 * As CoDel does (RFC 8289) it looks at the least delay of a while: one packet
 * in time shows that there is no standing delay. A stripe is late while each of
 * its packets takes longer than the quickest way by a sixth of the latency more
 * than the median stripe does. Where a node's own line, the broadcaster's, or
 * the whole network is slow, the median is as late, and nobody is to blame.
 *
 * All below a late node see it at the same moment. The patience grows with the
 * depth, so that those right below it leave first, and the others are in time
 * again. It is doubled each time that it has been in vain. Pure. */
#pragma once

#include <stdbool.h>

#include "splitstream/mediaclock.h"

typedef struct {
  SsTime since; /* all that came was late; -1: the last was not */
  unsigned n;   /* so many */
  unsigned n_vain;
} SsLateStripe;

typedef struct {
  SsLateStripe stripes[SS_STRIPES];
} SsLateWatch;

void ss_late_watch_init (SsLateWatch *watch);
/* Another parent begins afresh. */
void ss_late_watch_new_parent (SsLateWatch *watch, unsigned stripe);
/* A packet has come down the stripe's tree, of which this node is so far below
 * the root; the clock knows of it. True: a better parent had better be sought
 * now. */
bool ss_late_watch_arrival (SsLateWatch *watch, const SsMediaClock *clock,
                            SsTime now, unsigned stripe, SsTime departure,
                            unsigned depth);
/* So much sooner a parent has to be to be better. */
SsTime ss_late_watch_gain (SsTime latency);
