/* ss-sim: runs scenarios in the simulator.
 *
 *   ss-sim list
 *   ss-sim run SCENARIO [--nodes N] [--seed S] ... */
#include <glib.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define NOT_GIVEN (-1e9)

static void
list (void)
{
  const SsScenario *scenario;

  for (unsigned i = 0; (scenario = ss_scenario_at (i)) != NULL; i++)
    printf ("%-20s %s\n", scenario->name, scenario->doc);
}

static void
set_time (SsTime *time, double value, SsTime unit)
{
  if (value > NOT_GIVEN)
    *time = (SsTime) (value * (double) unit);
}

static void
set_number (double *number, double value)
{
  if (value > NOT_GIVEN)
    *number = value;
}

/* Fills in what the command line says; returns what it left, to be freed. */
static GOptionContext *
parse (int *argc, char ***argv, SsSimOptions *options, GError **error)
{
  double loss = NOT_GIVEN, duplicate = NOT_GIVEN, straggle = NOT_GIVEN;
  double delay = NOT_GIVEN, jitter = NOT_GIVEN, latency = NOT_GIVEN;
  double duration = NOT_GIVEN;
  int nodes = -1, runs = -1, parity = -2, leaf_set = -1;
  gint64 seed = -1;
  gboolean plane = FALSE, verbose = FALSE;
  const GOptionEntry entries[] = {
    { "nodes", 'n', 0, G_OPTION_ARG_INT, &nodes, "how many nodes", "N" },
    { "seed", 's', 0, G_OPTION_ARG_INT64, &seed, "all chance follows", "S" },
    { "runs", 'r', 0, G_OPTION_ARG_INT, &runs, "seeds from S on", "N" },
    { "loss", 'l', 0, G_OPTION_ARG_DOUBLE, &loss, "of datagrams, 0 to 1", "P" },
    { "duplicate", 0, 0, G_OPTION_ARG_DOUBLE, &duplicate, "datagrams twice",
      "P" },
    { "straggle", 0, 0, G_OPTION_ARG_DOUBLE, &straggle, "datagrams late", "P" },
    { "delay", 'd', 0, G_OPTION_ARG_DOUBLE, &delay, "one way", "MS" },
    { "jitter", 'j', 0, G_OPTION_ARG_DOUBLE, &jitter, "up to as much more",
      "MS" },
    { "plane", 0, 0, G_OPTION_ARG_NONE, &plane,
      "delay by distance, at most --delay", NULL },
    { "leaf-set", 0, 0, G_OPTION_ARG_INT, &leaf_set, "leaves of a node", "L" },
    { "latency", 0, 0, G_OPTION_ARG_DOUBLE, &latency, "of the station", "MS" },
    { "parity", 'm', 0, G_OPTION_ARG_INT, &parity, "stripes of parity", "M" },
    { "duration", 't', 0, G_OPTION_ARG_DOUBLE, &duration,
      "of the scenario's main part", "S" },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "what the nodes log",
      NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GOptionContext *context =
      g_option_context_new ("list | run SCENARIO - simulate many nodes");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return context;
  /* The scenario's own where nothing is said. */
  const SsScenario *scenario =
      *argc == 3 ? ss_scenario_find ((*argv)[2]) : NULL;

  if (scenario != NULL)
    *options = scenario->defaults;
  options->nodes = nodes >= 0 ? (unsigned) nodes : options->nodes;
  options->runs = runs >= 0 ? (unsigned) runs : options->runs;
  options->seed = seed >= 0 ? (uint64_t) seed : options->seed;
  options->parity = parity >= -1 ? parity : options->parity;
  options->leaf_set = leaf_set >= 0 ? (unsigned) leaf_set : options->leaf_set;
  set_number (&options->loss, loss);
  set_number (&options->duplicate, duplicate);
  set_number (&options->straggle, straggle);
  set_time (&options->delay, delay, SS_MSEC);
  set_time (&options->jitter, jitter, SS_MSEC);
  set_time (&options->latency, latency, SS_MSEC);
  set_time (&options->duration, duration, SS_SEC);
  options->plane = plane;
  options->verbose = verbose;
  return context;
}

static const char *
objection (const SsSimOptions *options)
{
  if (options->loss < 0 || options->loss > 1 || options->duplicate < 0
      || options->duplicate > 1 || options->straggle < 0
      || options->straggle > 1)
    return "--loss, --duplicate and --straggle are from 0 to 1";
  if (options->delay < 0 || options->jitter < 0 || options->duration < 0)
    return "times are not negative";
  if (options->latency < SS_LATENCY_MIN || options->latency > SS_LATENCY_MAX)
    return "--latency is from 200 to 60000 ms";
  if (options->leaf_set > 32 || options->leaf_set % 2 != 0)
    return "--leaf-set is even, and from 2 to 32";
  if (options->parity > SS_PARITY_MAX)
    return "--parity is at most 4";
  return NULL;
}

int
main (int argc, char **argv)
{
  SsSimOptions options = { .runs = 1, .latency = SS_LATENCY_DEFAULT };
  GError *error = NULL;

  if (sodium_init () < 0)
    return EXIT_FAILED;
  setvbuf (stdout, NULL, _IOLBF, 0);
  GOptionContext *context = parse (&argc, &argv, &options, &error);

  g_option_context_free (context);
  if (error != NULL) {
    fprintf (stderr, "ss-sim: %s; see ss-sim --help\n", error->message);
    g_error_free (error);
    return EXIT_USAGE;
  }
  if (argc == 2 && strcmp (argv[1], "list") == 0) {
    list ();
    return EXIT_SUCCESS;
  }
  if (argc != 3 || strcmp (argv[1], "run") != 0) {
    fprintf (stderr, "usage: ss-sim list | run SCENARIO [OPTIONS]; "
                     "see ss-sim --help\n");
    return EXIT_USAGE;
  }
  const SsScenario *scenario = ss_scenario_find (argv[2]);

  if (scenario == NULL) {
    fprintf (stderr, "ss-sim: no scenario is called '%s'; see ss-sim list\n",
             argv[2]);
    return EXIT_USAGE;
  }
  const char *wrong = objection (&options);

  if (wrong != NULL) {
    fprintf (stderr, "ss-sim: %s; see ss-sim --help\n", wrong);
    return EXIT_USAGE;
  }
  return ss_scenario_run (scenario, &options) ? EXIT_SUCCESS : EXIT_FAILED;
}
