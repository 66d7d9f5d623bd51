/* What a run of the swarm is: everything is drawn from its seed. */
#pragma once

#include "sim/scenario.h"

/* From this delay on (one way, in the mean) a round trip may take longer than
 * the silence that is a death. */
#define SS_DRAW_FAR (250 * SS_MSEC)

/* Who dies at one instant. */
typedef enum {
  SS_DEATHS_NONE,
  SS_DEATHS_ANY,        /* nodes by lot */
  SS_DEATHS_NEIGHBOURS, /* neighbours in the ring */
  SS_DEATHS_PLACE,      /* the nodes that are nearest to one of them */
  SS_N_DEATHS
} SsDeaths;

typedef struct {
  SsSimOptions options;
  bool has_churn, has_partition, has_station, has_freezes;
  bool has_crowd; /* all come at once */
  unsigned n_listeners;
  SsTime faults_time;
  unsigned n_sides; /* of a partition; the first may be of one node */
  bool is_uneven;
  double one_way;            /* of the ordered pairs, while faults are on */
  unsigned n_lossy;          /* nodes whose datagrams get lost one way */
  double loss_up, loss_down; /* of theirs */
  unsigned n_clients;        /* nodes behind NATs, who come last */
  unsigned n_hostile;        /* and how: */
  unsigned malice;           /* SsMaliceKind */
  SsDeaths deaths;
  unsigned n_deaths;
  bool do_return; /* some of those that died come again, with their keys */
} SsDraw;

void ss_draw (uint64_t seed, bool verbose, SsDraw *ret_draw);
/* Prints one line. */
void ss_draw_print (const SsDraw *draw, const SsSimOptions *defaults);
