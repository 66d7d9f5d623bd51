/* Named scenarios: each builds one world or many, sets faults to it and asks
 * the oracles. */
#pragma once

#include <stdio.h>

#include "sim/cost.h"
#include "sim/forest.h"

/* What a scenario's worlds add up to. */
typedef struct {
  const SsSimOptions *options; /* as given, defaults filled in */
  const SsSimOptions *defaults;
  const char *name;
  FILE *csv; /* NULL: no figures for plots are wanted */
  unsigned n_worlds;
  unsigned n_failed;   /* worlds that had failures, as some may */
  unsigned n_failures; /* of the others, and between worlds */
  SsCost cost;
  GString *hashes;
} SsSimRun;

typedef struct {
  const char *name, *doc;
  SsSimOptions defaults;
  void (*run) (SsSimRun *run);
} SsScenario;

const SsScenario *ss_scenario_find (const char *name);
const SsScenario *ss_scenario_at (unsigned index);        /* NULL: no more */
bool ss_scenario_has_points (const SsScenario *scenario); /* for plots */

/* True if no oracle objected. Prints the table, objections and, last, the
 * trace hash; figures for plots go to csv unless that is NULL. */
bool ss_scenario_run (const SsScenario *scenario, const SsSimOptions *options,
                      FILE *csv);

/* For the scenarios: a line of figures for plots, if they are wanted, after
 * the series' name, the seed and the number of nodes. */
void ss_sim_point (const SsSimRun *run, const SsWorld *world,
                   const char *series, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

/* For the scenarios: a world to be given back with end, which says how to
 * replay it where something was wrong. options NULL: the run's own. */
SsWorld *ss_sim_begin (SsSimRun *run, const SsSimOptions *options);
void ss_sim_end (SsSimRun *run, SsWorld *world);
/* One scenario with so many seeds (--runs), one after the other. */
typedef void (*SsSimOne) (SsSimRun *run, const SsSimOptions *options);
void ss_sim_repeat (SsSimRun *run, SsSimOne one);

/* A relay, a publisher on the air, and so many listeners come in a span of
 * time, all of whom hear it at the end. False (and a failure) if not. */
bool ss_sim_start_station (SsWorld *world, unsigned n_listeners, SsTime span);
/* Ends the broadcast; everybody must have heard all of it. */
/* Over all listeners, a uint64_t of SsStationStats at that offset. */
uint64_t ss_sim_sum_listeners (SsWorld *world, size_t offset);
void ss_sim_finish_station (SsWorld *world);
/* The same; what was lost before then is forgiven. */
void ss_sim_finish_since (SsWorld *world, SsTime since);
/* Rows about how the listeners fared. */
void ss_sim_report_listeners (SsWorld *world);
void ss_sim_report_uploads (SsWorld *world);
/* Of the listeners, since the mark; false: there are none. */
bool ss_sim_uploads (SsWorld *world, double *ret_mean, double *ret_most);

/* Rows about the trees' shape. */
void ss_sim_report_forest (SsWorld *world, const SsForest *forest);

/* sim/scenarios_*.c */
void ss_scenario_join (SsSimRun *run);
void ss_scenario_partition_merge (SsSimRun *run);
void ss_scenario_store (SsSimRun *run);
/* sim/scenarios_study.c */
void ss_scenario_routes (SsSimRun *run);
void ss_scenario_locality (SsSimRun *run);
void ss_scenario_tables (SsSimRun *run);
void ss_scenario_failure (SsSimRun *run);
void ss_scenario_mass_failure (SsSimRun *run);
void ss_scenario_churn (SsSimRun *run);
void ss_scenario_consistency (SsSimRun *run);
void ss_scenario_domains (SsSimRun *run);
void ss_scenario_determinism (SsSimRun *run);
void ss_scenario_listen_loss (SsSimRun *run);
void ss_scenario_upload (SsSimRun *run);
void ss_scenario_mass_death (SsSimRun *run);
void ss_scenario_root_deaths (SsSimRun *run);
void ss_scenario_small_rings (SsSimRun *run);
void ss_scenario_kill_any (SsSimRun *run);
void ss_scenario_leave (SsSimRun *run);
void ss_scenario_freeze (SsSimRun *run);
void ss_scenario_scale (SsSimRun *run);
void ss_scenario_deliveries (SsSimRun *run);
/* sim/scenarios_flow.c */
void ss_scenario_free_riders (SsSimRun *run);
void ss_scenario_served_last (SsSimRun *run);
void ss_scenario_idle_roots (SsSimRun *run);
void ss_scenario_late_parents (SsSimRun *run);
void ss_scenario_narrow_uplinks (SsSimRun *run);
void ss_scenario_modest_uplinks (SsSimRun *run);
void ss_scenario_narrow_downlinks (SsSimRun *run);
void ss_scenario_narrow_roots (SsSimRun *run);
/* sim/scenarios_forest.c */
void ss_scenario_forest (SsSimRun *run);
void ss_scenario_bystanders (SsSimRun *run);
/* sim/scenarios_growth.c */
void ss_scenario_one_death (SsSimRun *run);
void ss_scenario_quarter_death (SsSimRun *run);
void ss_scenario_growth (SsSimRun *run);
void ss_scenario_source_upload (SsSimRun *run);
/* sim/scenarios_listeners.c */
void ss_scenario_station_churn (SsSimRun *run);
/* sim/scenarios_rest.c */
void ss_scenario_rest (SsSimRun *run);
/* sim/scenarios_placement.c */
void ss_scenario_placement (SsSimRun *run);
/* sim/scenarios_groups.c */
void ss_scenario_anycast (SsSimRun *run);
void ss_scenario_groups (SsSimRun *run);
void ss_scenario_economy (SsSimRun *run);
/* sim/scenarios_clients.c */
void ss_scenario_clients (SsSimRun *run);
void ss_scenario_crypto (SsSimRun *run);
void ss_scenario_restart (SsSimRun *run);
void ss_scenario_cut (SsSimRun *run);
void ss_scenario_standby (SsSimRun *run);
