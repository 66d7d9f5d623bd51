/* What a run of the swarm is. What was drawn first is still drawn first: a
 * seed that once found a fault has kept most of its options. */
#include "sim/draw.h"

#include <stdio.h>

#include "sim/malice.h"
#include "sim/options.h"

#define FAULTS_TIME   (20 * SS_SEC)
#define FAULTS_LONG   (120 * SS_SEC)
#define FARTHEST      (350 * SS_MSEC)
#define NODES_MIN     3
#define NODES_MAX     40
#define NODES_MANY    160
#define LISTENERS_MAX 8
#define LOSSY_MAX     4
#define SIDES_MAX     4
/* Where nobody could ask whether a node is reachable, it counts as such. */
#define CLIENTS_FROM 12
/* kbit/s of an access link that carries no station. */
#define ACCESS_MIN 128
#define ACCESS_MAX 2048

static bool
chance (SsRng *rng, double share)
{
  return ss_rng_unit (rng) < share;
}

static unsigned
between (SsRng *rng, unsigned least, unsigned most)
{
  return least + (unsigned) ss_rng_below (rng, most - least + 1);
}

/* What there was from the beginning. */
static void
draw_first (SsRng *rng, SsDraw *draw)
{
  static const SsTime delays[] = {
    0, SS_MSEC, 5 * SS_MSEC, 20 * SS_MSEC, 60 * SS_MSEC, 100 * SS_MSEC
  };
  static const unsigned leaf_sets[] = { 4, 8, 16, 32, 32 };
  SsSimOptions *options = &draw->options;

  options->nodes = between (rng, NODES_MIN, NODES_MAX);
  options->topology = (SsTopologyKind) ss_rng_below (rng, SS_N_TOPOLOGIES);
  options->delay = delays[ss_rng_below (rng, G_N_ELEMENTS (delays))];
  options->leaf_set = leaf_sets[ss_rng_below (rng, G_N_ELEMENTS (leaf_sets))];
  if (chance (rng, 0.5))
    options->jitter = (SsTime) ss_rng_below (rng, 10 * SS_MSEC);
  if (chance (rng, 0.5))
    options->loss = ss_rng_unit (rng) * 0.05;
  if (chance (rng, 0.3))
    options->duplicate = ss_rng_unit (rng) * 0.05;
  if (chance (rng, 0.3))
    options->straggle = ss_rng_unit (rng) * 0.02;
  options->churn = (SsChurnKind) ss_rng_below (rng, SS_N_CHURNS);
  options->session = (SsTime) (20 + ss_rng_below (rng, 600)) * SS_SEC;
  options->rate = 0.5;
  draw->has_churn = chance (rng, 0.6);
  draw->has_partition = chance (rng, 0.25);
  draw->has_freezes = chance (rng, 0.25);
  draw->has_station = chance (rng, 0.3);
  draw->n_listeners = between (rng, 1, LISTENERS_MAX);
  draw->has_crowd = chance (rng, 0.3);
  /* What is lost over such a way comes again too late for a station. */
  if (!draw->has_station && chance (rng, 0.1))
    options->delay = SS_DRAW_FAR;
}

/* What is between the nodes. */
static void
draw_ways (SsRng *rng, SsDraw *draw)
{
  SsSimOptions *options = &draw->options;

  if (chance (rng, 0.2))
    draw->one_way = ss_rng_unit (rng) * 0.1;
  if (chance (rng, 0.2)) {
    draw->n_lossy = between (rng, 1, LOSSY_MAX);
    draw->loss_up = chance (rng, 0.7) ? ss_rng_unit (rng) * 0.5 : 0;
    draw->loss_down = draw->loss_up > 0 ? 0 : ss_rng_unit (rng) * 0.5;
  }
  if (draw->has_station)
    return;
  if (chance (rng, 0.15))
    options->access = (SsAccess){
      .up_kbps = between (rng, ACCESS_MIN, ACCESS_MAX),
      .down_kbps = between (rng, ACCESS_MIN, ACCESS_MAX),
    };
  if (chance (rng, 0.1))
    options->loss = 0.05 + ss_rng_unit (rng) * 0.15;
  /* No session is made over a round trip of more than 1.75 s, which behind
   * routers is not twice the mean. */
  if (options->delay == SS_DRAW_FAR && chance (rng, 0.3)
      && options->topology != SS_TOPOLOGY_TRANSIT_STUB)
    options->delay = FARTHEST;
}

/* Who the nodes are and what befalls them. */
static void
draw_fates (SsRng *rng, SsDraw *draw)
{
  SsSimOptions *options = &draw->options;

  if (chance (rng, 0.1))
    options->nodes = between (rng, NODES_MAX, NODES_MANY);
  draw->faults_time = chance (rng, 0.1) ? FAULTS_LONG : FAULTS_TIME;
  draw->n_sides = chance (rng, 0.3) ? between (rng, 3, SIDES_MAX) : 2;
  draw->is_uneven = chance (rng, 0.4);
  if (chance (rng, 0.2) && options->nodes >= CLIENTS_FROM)
    draw->n_clients = between (rng, 1, options->nodes / 3);
  if (chance (rng, 0.15)) {
    draw->n_hostile = between (rng, 1, MAX (options->nodes / 8, 1));
    draw->malice =
        between (rng, 1, SS_MALICE_DROP | SS_MALICE_MISROUTE | SS_MALICE_LIE);
  }
  if (chance (rng, 0.3)) {
    draw->deaths =
        (SsDeaths) between (rng, SS_DEATHS_NONE + 1, SS_N_DEATHS - 1);
    draw->n_deaths = between (rng, 1, MAX (options->nodes / 2, 1));
    draw->do_return = chance (rng, 0.5);
  }
}

void
ss_draw (uint64_t seed, bool verbose, SsDraw *ret_draw)
{
  SsRng rng;
  SsDraw draw = { .options = { .seed = seed,
                               .runs = 1,
                               .parity = 1,
                               .latency = SS_LATENCY_DEFAULT,
                               .verbose = verbose } };

  ss_rng_init_number (&rng, seed);
  draw_first (&rng, &draw);
  draw_ways (&rng, &draw);
  draw_fates (&rng, &draw);
  *ret_draw = draw;
}

static void
print_deaths (const SsDraw *draw)
{
  static const char *const who[SS_N_DEATHS] = {
    [SS_DEATHS_ANY] = "anywhere",
    [SS_DEATHS_NEIGHBOURS] = "side by side",
    [SS_DEATHS_PLACE] = "at one place",
  };

  if (draw->deaths != SS_DEATHS_NONE)
    printf (", %u die %s at once%s", draw->n_deaths, who[draw->deaths],
            draw->do_return ? " and some return" : "");
}

void
ss_draw_print (const SsDraw *draw, const SsSimOptions *defaults)
{
  char *text = ss_options_format (&draw->options, defaults);

  printf ("  %s; faults for %.0f s%s%s", text,
          (double) draw->faults_time / (double) SS_SEC,
          draw->has_crowd ? ", a crowd" : "",
          draw->has_churn ? "" : ", nobody comes or goes");
  if (draw->has_partition)
    printf (", %u sides%s", draw->n_sides,
            draw->is_uneven ? ", all but one small" : "");
  printf ("%s", draw->has_freezes ? ", some sleep" : "");
  if (draw->one_way > 0)
    printf (", %.1f%% of the ways cut", 100 * draw->one_way);
  if (draw->n_lossy > 0)
    printf (", %u lose %.0f%% up and %.0f%% down", draw->n_lossy,
            100 * draw->loss_up, 100 * draw->loss_down);
  if (draw->n_clients > 0)
    printf (", %u behind NATs", draw->n_clients);
  if (draw->n_hostile > 0)
    printf (", %u hostile (%u)", draw->n_hostile, draw->malice);
  print_deaths (draw);
  if (draw->has_station)
    printf (", a station with %u listeners", draw->n_listeners);
  putchar ('\n');
  g_free (text);
}
