/* Who comes when and stays how long. A generator draws sessions; a run plays
 * them in a world: nodes join, and die silently when their session is over
 * (some leave in an orderly way, if asked). */
#pragma once

#include <stdbool.h>

#include "base/rng.h"
#include "base/time.h"

typedef struct SsWorld SsWorld;

typedef enum {
  SS_CHURN_POISSON,  /* sessions exponential, arrivals Poisson */
  SS_CHURN_WEIBULL,  /* sessions of the shape given: many short, some long */
  SS_CHURN_FLASH,    /* Poisson, and a crowd that comes at once */
  SS_CHURN_DIURNAL,  /* Poisson, arrivals in a sine of 24 hours */
  SS_CHURN_GNUTELLA, /* mean session 2.3 h, median 1 h, diurnal: of 2,000 nodes
                        in the mean between 1,300 and 2,700 are up */
  SS_N_CHURNS
} SsChurnKind;

#define SS_CHURN_GNUTELLA_MEAN (8280 * SS_SEC)
#define SS_CHURN_DAY           (86400 * SS_SEC)

typedef struct {
  SsChurnKind kind;
  double active;  /* how many are up in the mean */
  SsTime session; /* mean; 0: as in the Gnutella trace */
  double shape;   /* Weibull's k; 0: 0.5 */
  double crowd;   /* flash: so many times `active` come */
  SsTime crowd_at, crowd_span;
  double orderly; /* share of sessions that end in an orderly leave */
  bool listens;   /* who comes listens to the station */
} SsChurnOptions;

typedef struct {
  SsChurnOptions options;
  double scale, shape; /* of the Weibull distribution, seconds */
  double swing;        /* of the arrivals' rate over the day, 0 to 1 */
  SsTime start;
  SsRng rng;
} SsChurn;

void ss_churn_init (SsChurn *churn, const SsChurnOptions *options, SsTime now,
                    const SsRng *rng);
bool ss_churn_parse (const char *name, SsChurnKind *ret_kind);
const char *ss_churn_name (SsChurnKind kind);

/* How long the next session lasts. */
SsTime ss_churn_session (SsChurn *churn);
/* How long one of those still lasts that are up at a random moment. */
SsTime ss_churn_remaining (SsChurn *churn);
/* When the next comes, after `now`. */
SsTime ss_churn_next (SsChurn *churn, SsTime now);

/* In a world: every member that is up but the first and the publisher gets
 * the end that ss_churn_remaining draws, and others come, from now on, until
 * stop. The first stays, so that there is always somebody to join through. */
void ss_churn_start (SsWorld *world, const SsChurnOptions *options);
/* How many came and went. */
void ss_churn_stop (SsWorld *world, unsigned *ret_came, unsigned *ret_went);
