/* The forest, seen whole. */
#include "sim/forest.h"

#include "sim/truth.h"

#define NOBODY UINT32_MAX

/* What a node believes of its place in one stripe's tree. */
typedef struct {
  uint32_t parent; /* NOBODY: none */
  uint16_t children;
  bool is_root;
} Place;

typedef struct {
  SsWorld *world;
  SsTruth *truth;
  unsigned n;
  Place *places;   /* SS_STRIPES of each member */
  int32_t *depths; /* of one stripe; -1: does not end at the root */
  SsTime *delays;  /* of one stripe, from the publisher */
  uint32_t *way;   /* up, as far as it is not known */
} Look;

static uint32_t
index_of (const SsTruth *truth, const SsId *id)
{
  unsigned place = ss_truth_place (truth, id);

  if (place == truth->entries->len
      || !ss_id_equal (&ss_truth_at (truth, place)->id, id))
    return NOBODY;
  return ss_truth_at (truth, place)->index;
}

/* The living node that should be the root of a stripe. */
static unsigned
root_of (const SsWorld *world, const SsTruth *truth, unsigned stripe)
{
  const SsStationParams *params = &world->descriptor.params;
  SsId group_id = ss_station_group_id (&params->key, params->name);
  SsId id = ss_station_stripe_id (&group_id, params->salt, stripe);

  return ss_truth_at (truth, ss_truth_closest (truth, &id))->index;
}

/* Whom the publisher publishes to, who may stand in for the root; NOBODY. */
static uint32_t
named_root (SsWorld *world, const SsTruth *truth, unsigned stripe)
{
  if (world->publisher < 0
      || !ss_world_member (world, (unsigned) world->publisher)->is_up)
    return NOBODY;
  SsNodeStats *stats = g_new (SsNodeStats, 1);

  ss_node_stats (ss_world_node (world, (unsigned) world->publisher), stats);
  uint32_t named =
      stats->has_station
          ? index_of (truth, &stats->station.stripes[stripe].root.id)
          : NOBODY;

  g_free (stats);
  return named;
}

static Place *
place_of (const Look *look, unsigned index, unsigned stripe)
{
  return &look->places[index * SS_STRIPES + stripe];
}

static Place
read_place (const SsTruth *truth, const SsStripeStats *stripe)
{
  static const SsKey none;
  bool has_parent = !ss_key_equal (&stripe->parent.key, &none);

  return (Place){
    .parent = has_parent ? index_of (truth, &stripe->parent.id) : NOBODY,
    .children = (uint16_t) stripe->children,
    .is_root = stripe->is_root,
  };
}

static void
read_places (Look *look)
{
  SsNodeStats *stats = g_new (SsNodeStats, 1);

  for (unsigned i = 0; i < look->n; i++) {
    bool is_up = ss_world_member (look->world, i)->is_up;

    if (is_up)
      ss_node_stats (ss_world_node (look->world, i), stats);
    for (unsigned j = 0; j < SS_STRIPES; j++) {
      *place_of (look, i, j) = (Place){ .parent = NOBODY };
      if (is_up && stats->has_station)
        *place_of (look, i, j) =
            read_place (look->truth, &stats->station.stripes[j]);
    }
  }
  g_free (stats);
}

enum { UNKNOWN = -2, LOST = -1 };

/* How far a node is from the root; what is found on the way is kept. */
static int32_t
depth_of (const Look *look, unsigned index, unsigned stripe)
{
  unsigned n_way = 0;
  uint32_t at = index;

  while (at != NOBODY && look->depths[at] == UNKNOWN) {
    look->depths[at] = LOST; /* if it comes round again */
    look->way[n_way++] = at;
    at = place_of (look, at, stripe)->parent;
  }
  int32_t depth = at == NOBODY ? LOST : look->depths[at];

  while (n_way > 0) {
    uint32_t below = look->way[--n_way];

    depth = depth == LOST ? LOST : depth + 1;
    look->depths[below] = depth;
    if (depth != LOST)
      look->delays[below] =
          look->delays[at] + ss_world_delay (look->world, at, below);
    at = below;
  }
  return look->depths[index];
}

static bool
listens (const SsWorld *world, unsigned index)
{
  const SsMember *member = ss_world_member (world, index);

  return member->is_up && member->hearing != NULL;
}

static int
compare_counts (gconstpointer a, gconstpointer b)
{
  const unsigned *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

/* 0: all have the same; 1: one has all. */
static double
gini (unsigned *counts, unsigned n)
{
  double sum = 0, weighted = 0;

  qsort (counts, n, sizeof *counts, compare_counts);
  for (unsigned i = 0; i < n; i++) {
    sum += counts[i];
    weighted += (double) (i + 1) * counts[i];
  }
  return sum > 0 ? 2 * weighted / (n * sum) - (n + 1.0) / n : 0;
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const SsTime *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

static void
look_at_depths (Look *look, SsForest *forest)
{
  GArray *delays = g_array_new (FALSE, FALSE, sizeof (SsTime));
  double sum = 0;

  for (unsigned j = 0; j < SS_STRIPES; j++) {
    unsigned root = root_of (look->world, look->truth, j);

    for (unsigned i = 0; i < look->n; i++)
      look->depths[i] = UNKNOWN;
    look->depths[root] = place_of (look, root, j)->is_root ? 0 : LOST;
    look->delays[root] =
        look->world->publisher < 0 || (int) root == look->world->publisher
            ? 0
            : ss_world_delay (look->world, (unsigned) look->world->publisher,
                              root);
    uint32_t named = named_root (look->world, look->truth, j);

    if (named != NOBODY && named != root
        && place_of (look, named, j)->is_root) {
      look->depths[named] = 0;
      look->delays[named] = ss_world_delay (
          look->world, (unsigned) look->world->publisher, named);
    }
    for (unsigned i = 0; i < look->n; i++) {
      int32_t depth = listens (look->world, i) ? depth_of (look, i, j) : 0;

      if (!listens (look->world, i))
        continue;
      if (depth == LOST) {
        forest->n_missing++;
        forest->missing = i;
        forest->missing_stripe = j;
        continue;
      }
      g_array_append_val (delays, look->delays[i]);
      sum += depth;
      forest->depth_max = MAX (forest->depth_max, (unsigned) depth);
    }
  }
  forest->depth_mean = sum / MAX (delays->len, 1);
  g_array_sort (delays, compare_times);
  if (delays->len > 0) {
    forest->delay_median = g_array_index (delays, SsTime, delays->len / 2);
    forest->delay_p99 = g_array_index (delays, SsTime, delays->len * 99 / 100);
  }
  g_array_unref (delays);
}

/* The root; or a broadcaster is, and this its only child, with all others. */
static bool
is_top (const Look *look, const Place *place, unsigned stripe)
{
  int publisher = look->world->publisher;

  return place->is_root
         || (publisher >= 0 && place->parent == (uint32_t) publisher
             && place_of (look, (unsigned) publisher, stripe)->is_root);
}

static void
look_at_node (Look *look, unsigned index, SsForest *forest)
{
  unsigned own =
      ss_id_digit (&ss_world_member (look->world, index)->self.id, 0);
  unsigned children = 0, n_interior = 0;

  for (unsigned j = 0; j < SS_STRIPES; j++) {
    const Place *place = place_of (look, index, j);

    children += place->children;
    if (place->children == 0 || is_top (look, place, j))
      continue;
    n_interior++;
    forest->n_foreign += j != own;
  }
  if ((int) index == look->world->publisher) {
    forest->publisher_children = children;
    return;
  }
  forest->n_nodes++;
  forest->n_interior_twice += n_interior > 1;
  forest->children_max = MAX (forest->children_max, children);
}

/* Stripes that have fewer nodes of their own than their listeners need take
 * others, each of which may bring all that it has. And where there are not as
 * many nodes as would do if each carried one stripe, each that carries two
 * makes up for one. */
static void
count_unavoidable (Look *look, SsForest *forest)
{
  uint64_t out = look->world->options.out;
  unsigned n_own[SS_STRIPES] = { 0 };

  for (unsigned i = 0; i < look->n; i++) {
    const SsMember *member = ss_world_member (look->world, i);

    if (member->is_up && (int) i != look->world->publisher)
      n_own[ss_id_digit (&member->self.id, 0)]++;
  }
  for (unsigned j = 0; out > 0 && j < SS_STRIPES; j++)
    if (n_own[j] * out < forest->n_listeners)
      forest->n_foreign_least +=
          (unsigned) ((forest->n_listeners - n_own[j] * out - 1) / out + 1);
  /* All but the root have a parent. */
  uint64_t n_all = out > 0 ? (forest->n_listeners + out - 2) / out : 0;
  if (SS_STRIPES * n_all > forest->n_nodes)
    forest->n_twice_least = (unsigned) (SS_STRIPES * n_all) - forest->n_nodes;
}

static void
look_at_shares (Look *look, SsForest *forest)
{
  unsigned *all = g_new0 (unsigned, look->n);
  unsigned *one = g_new (unsigned, look->n);

  for (unsigned j = 0; j < SS_STRIPES; j++) {
    unsigned n = 0;

    for (unsigned i = 0; i < look->n; i++) {
      if (!listens (look->world, i))
        continue;
      all[n] += place_of (look, i, j)->children;
      one[n++] = place_of (look, i, j)->children;
    }
    forest->tree_gini += gini (one, n) / SS_STRIPES;
  }
  forest->gini = gini (all, forest->n_listeners);
  g_free (one);
  g_free (all);
}

void
ss_forest_look (SsWorld *world, SsForest *ret_forest)
{
  unsigned n = world->members->len;
  Look look = {
    .world = world,
    .truth = ss_truth_new (world, false),
    .n = n,
    .places = g_new (Place, n * SS_STRIPES),
    .depths = g_new (int32_t, n),
    .delays = g_new (SsTime, n),
    .way = g_new (uint32_t, n),
  };
  SsForest forest = { .n_listeners = 0 };

  read_places (&look);
  for (unsigned i = 0; i < n; i++) {
    forest.n_listeners += listens (world, i);
    if (ss_world_member (world, i)->is_up)
      look_at_node (&look, i, &forest);
  }
  look_at_depths (&look, &forest);
  look_at_shares (&look, &forest);
  count_unavoidable (&look, &forest);
  ss_truth_free (look.truth);
  g_free (look.places);
  g_free (look.depths);
  g_free (look.delays);
  g_free (look.way);
  *ret_forest = forest;
}

bool
ss_forest_is_placed (SsWorld *world, unsigned index, unsigned stripe)
{
  SsTruth *truth = ss_truth_new (world, false);
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  unsigned root = root_of (world, truth, stripe);
  uint32_t named = named_root (world, truth, stripe);
  Place place = { .parent = listens (world, index) ? index : NOBODY };

  for (unsigned i = 0; i < world->members->len && place.parent != NOBODY; i++) {
    uint32_t at = place.parent;

    ss_node_stats (ss_world_node (world, at), stats);
    place = (Place){ .parent = NOBODY };
    if (stats->has_station)
      place = read_place (truth, &stats->station.stripes[stripe]);
    if (at == root || (at == named && place.is_root))
      break;
    place.is_root = false;
  }
  g_free (stats);
  ss_truth_free (truth);
  return place.is_root;
}
