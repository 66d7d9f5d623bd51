/* ss-sim: runs scenarios in the simulator.
 *
 *   ss-sim list
 *   ss-sim run SCENARIO [--nodes N] [--seed S] [--csv FILE] ...
 *   ss-sim swarm [--runs N] [--seed S]
 *   ss-sim paper [PAPER [TABLE]] [--csv FILE] [--runs SEEDS] */
#include <glib.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/csv.h"
#include "sim/options.h"
#include "sim/paper.h"
#include "sim/scenario.h"
#include "sim/swarm.h"

#define SWARM_RUNS 100
#define TUNABLES   "GLIBC_TUNABLES"
#define HUGE_PAGES "glibc.malloc.hugetlb=1"
#define NO_FIGURES "ss-sim: %s has no figures for plots: --csv is not for it\n"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void
list (void)
{
  const SsScenario *scenario;

  for (unsigned i = 0; (scenario = ss_scenario_at (i)) != NULL; i++)
    printf ("%-20s %s\n", scenario->name, scenario->doc);
}

static int
run (int argc, char **argv, const SsGiven *given, SsSimOptions *options)
{
  if (argc == 2 && strcmp (argv[1], "list") == 0) {
    list ();
    return EXIT_SUCCESS;
  }
  if (argc >= 2 && argc <= 4 && strcmp (argv[1], "paper") == 0) {
    if (argc == 2) {
      ss_paper_list ();
      return EXIT_SUCCESS;
    }
    return ss_paper_run (argv[2], argc == 4 ? argv[3] : NULL, given,
                         ss_given_csv (given))
               ? EXIT_SUCCESS
               : EXIT_FAILED;
  }
  if (argc == 2 && strcmp (argv[1], "swarm") == 0) {
    if (ss_given_csv (given) != NULL) {
      fprintf (stderr, NO_FIGURES, argv[1]);
      return EXIT_USAGE;
    }
    options->seed = 1;
    options->runs = SWARM_RUNS;
    ss_given_apply (given, options);
    return ss_swarm (options) ? EXIT_SUCCESS : EXIT_FAILED;
  }
  if (argc != 3 || strcmp (argv[1], "run") != 0) {
    fprintf (stderr, "usage: ss-sim list | run SCENARIO | swarm | paper PAPER "
                     "[TABLE] [OPTIONS]; "
                     "see ss-sim --help\n");
    return EXIT_USAGE;
  }
  const SsScenario *scenario = ss_scenario_find (argv[2]);

  if (scenario == NULL) {
    fprintf (stderr, "ss-sim: no scenario is called '%s'; see ss-sim list\n",
             argv[2]);
    return EXIT_USAGE;
  }
  *options = scenario->defaults;
  ss_given_apply (given, options);
  const char *wrong = ss_options_objection (options);

  if (wrong != NULL) {
    fprintf (stderr, "ss-sim: %s; see ss-sim --help\n", wrong);
    return EXIT_USAGE;
  }
  const char *path = ss_given_csv (given);

  if (path != NULL && !ss_scenario_has_points (scenario)) {
    fprintf (stderr, NO_FIGURES, scenario->name);
    return EXIT_USAGE;
  }
  FILE *csv = path != NULL ? ss_csv_open (path) : NULL;

  if (path != NULL && csv == NULL)
    return EXIT_FAILED;
  bool is_right = ss_scenario_run (scenario, options, csv);

  is_right &= ss_csv_close (csv, path);
  return is_right ? EXIT_SUCCESS : EXIT_FAILED;
}

/* Nodes lie all over memory: with pages of 2 MiB the processor finds them
 * much faster. glibc looks only when a program begins whether it is to ask
 * for these. */
static void
want_huge_pages (char **argv)
{
  if (getenv (TUNABLES) != NULL || setenv (TUNABLES, HUGE_PAGES, 1) < 0)
    return;
  execv ("/proc/self/exe", argv); /* or go on without them */
}

int
main (int argc, char **argv)
{
  want_huge_pages (argv);
  SsSimOptions options = { .runs = 1, .latency = SS_LATENCY_DEFAULT };
  GError *error = NULL;

  if (sodium_init () < 0)
    return EXIT_FAILED;
  setvbuf (stdout, NULL, _IOLBF, 0);
  SsGiven *given = ss_given_parse (
      "list | run SCENARIO | swarm | paper PAPER [TABLE] - simulate many nodes",
      &argc, &argv, &error);

  if (given == NULL) {
    fprintf (stderr, "ss-sim: %s; see ss-sim --help\n", error->message);
    g_error_free (error);
    return EXIT_USAGE;
  }
  int code = run (argc, argv, given, &options);

  ss_given_free (given);
  return code;
}
