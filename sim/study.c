/* Experiments' common parts. */
#include "sim/study.h"

#include <math.h>
#include <string.h>

#include "sim/oracle.h"

#define STEP        (100 * SS_MSEC)
#define JOIN_TIME   (300 * SS_SEC)
#define AT_FIRST    16 /* nodes, before the ring grows by shares */
#define GROWTH      40 /* one in so many more, each step */
#define JOINING_MAX 4  /* at most one in so many is on the way */
#define LOOKUP_WAIT (30 * SS_SEC)
#define DIGITS      16

bool
ss_study_grow (SsWorld *world, unsigned n)
{
  if (world->members->len == 0) {
    ss_world_add (world, true, false);
    ss_world_wait (world, ss_world_all_ready, JOIN_TIME);
  }
  while (world->members->len < n) {
    unsigned n_now = world->members->len;
    unsigned n_joining = ss_world_n_up (world) - world->n_ready;
    unsigned more = MIN (MAX (n_now / GROWTH, 1), n - n_now);

    if (n_now >= AT_FIRST && n_joining > n_now / JOINING_MAX)
      ss_world_run (world, STEP);
    else
      ss_world_add_many (world, more, false, STEP);
  }
  if (ss_world_wait (world, ss_world_all_ready, JOIN_TIME) >= 0)
    return true;
  ss_world_fail (world, "%u of %u nodes have not joined",
                 ss_world_n_up (world) - world->n_ready, n);
  return false;
}

void
ss_study_routes (SsWorld *world, unsigned n, SsTime interval,
                 SsStudyRoutes *ret_routes)
{
  const SsLookupOptions options = { .wait = LOOKUP_WAIT };
  SsTruth *truth = ss_truth_new (world, false);
  SsStudyRoutes routes = { .ideal_hops = 0 };
  double delay = 0, direct = 0;
  unsigned n_ideal = MIN (n, SS_STUDY_IDEAL_MAX);
  SsRng rng;

  ss_network_rng (world->network, "routes", world->n_streams, &rng);
  ss_lookups_start (world, &options);
  for (unsigned i = 0; i < n; i++) {
    unsigned place = (unsigned) ss_rng_below (&rng, truth->entries->len);
    unsigned from = ss_truth_at (truth, place)->index;
    SsId key;

    ss_rng_bytes (&rng, &key, sizeof key);
    if (i < n_ideal) {
      SsIdealRoute ideal = ss_truth_route (truth, world, NULL, place, &key);
      unsigned root = ss_truth_closest (truth, &key);

      routes.ideal_hops += ideal.hops;
      routes.ideal_hops_max = MAX (routes.ideal_hops_max, ideal.hops);
      delay += (double) ideal.delay;
      if (root != place)
        direct += (double) ss_world_delay (world, from,
                                           ss_truth_at (truth, root)->index);
    }
    ss_lookups_send (world, from, &key);
    ss_world_run (world, interval);
  }
  ss_lookups_stop (world, &routes.measured);
  routes.ideal_hops /= MAX (n_ideal, 1);
  routes.ideal_stretch = direct > 0 ? delay / direct : NAN;
  ss_truth_free (truth);
  *ret_routes = routes;
}

/* Who is at a place of a node's table: asked as an application would. */
static int
entry_of (SsWorld *world, const SsTruth *truth, unsigned index,
          const SsId *prefix, unsigned row)
{
  SsContact contact;
  SsKbr *kbr = ss_node_kbr (ss_world_node (world, index));

  if (ss_kbr_local_lookup (kbr, prefix, &contact, 1) == 0
      || ss_id_shared_digits (&contact.id, prefix) <= row)
    return -1;
  unsigned place = ss_truth_place (truth, &contact.id);

  if (place >= truth->entries->len
      || !ss_id_equal (&ss_truth_at (truth, place)->id, &contact.id))
    return -1; /* dead */
  return (int) place;
}

void
ss_study_row (SsWorld *world, unsigned row, unsigned from, unsigned n_nodes,
              SsStudyRow *ret_row)
{
  SsTruth *truth = ss_truth_new (world, false);
  unsigned n = 0, n_ratios = 0;
  SsStudyRow sum = { .best = 0 };
  SsRng rng;

  ss_network_rng (world->network, "row", row, &rng);
  for (unsigned i = 0; i < truth->entries->len && n < n_nodes; i++) {
    const SsTruthEntry *node = ss_truth_at (truth, i);

    if (node->index < from)
      continue;
    n++;

    for (unsigned digit = 0; digit < DIGITS; digit++) {
      SsId key;

      if (digit == ss_id_digit (&node->id, row))
        continue;
      ss_rng_bytes (&rng, &key, sizeof key);
      for (unsigned j = 0; j < row; j++)
        key = ss_id_with_digit (&key, j, ss_id_digit (&node->id, j));
      key = ss_id_with_digit (&key, row, digit);
      int best = ss_truth_nearest (truth, world, i, &key, row + 1);

      if (best < 0)
        continue;
      sum.possible++;
      int entry = entry_of (world, truth, node->index, &key, row);

      if (entry < 0)
        continue;
      SsTime at_best = ss_world_delay (
          world, node->index, ss_truth_at (truth, (unsigned) best)->index);
      SsTime delay = ss_world_delay (
          world, node->index, ss_truth_at (truth, (unsigned) entry)->index);

      sum.present++;
      sum.best += delay <= at_best;
      sum.ratio += (double) delay / (double) MAX (at_best, 1);
      n_ratios++;
    }
  }
  *ret_row = (SsStudyRow){
    .best = sum.best / MAX (n, 1),
    .present = sum.present / MAX (n, 1),
    .possible = sum.possible / MAX (n, 1),
    .ratio = sum.ratio / MAX (n_ratios, 1),
  };
  ss_truth_free (truth);
}

unsigned
ss_study_kill (SsWorld *world, double share)
{
  unsigned n = (unsigned) (share * ss_world_n_up (world)), n_killed = 0;

  while (n_killed < n) {
    unsigned index = ss_world_pick (world);

    if (index == 0)
      continue;
    ss_world_kill (world, index);
    n_killed++;
  }
  return n_killed;
}

unsigned
ss_study_kill_domain (SsWorld *world, unsigned domain)
{
  unsigned n_killed = 0;

  for (unsigned i = 1; i < world->members->len; i++)
    if (ss_world_member (world, i)->is_up
        && ss_topology_domain (world->topology, i) == domain) {
      ss_world_kill (world, i);
      n_killed++;
    }
  return n_killed;
}

SsTime
ss_study_wait_leaf_sets (SsWorld *world, SsTime most)
{
  for (SsTime passed = 0; passed <= most; passed += SS_SEC) {
    if (ss_oracle_leaf_sets (world, false) == 0)
      return passed;
    ss_world_run (world, SS_SEC);
  }
  ss_oracle_leaf_sets (world, true);
  return -1;
}
