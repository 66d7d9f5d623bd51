/* Who sits where in the trees. */
#include "sim/seats.h"

#include "sim/truth.h"

#define NOBODY   UINT32_MAX
#define WAY_MOST 64 /* nodes up a tree; who is farther is on a loop */

typedef struct {
  uint32_t parent; /* NOBODY: none */
  uint16_t children;
  bool is_root;
} Place;

typedef struct {
  SsWorld *world;
  unsigned n;
  Place *places;   /* SS_STRIPES of each member */
  unsigned *below; /* of each member */
} Look;

static bool
listens (const SsWorld *world, unsigned index)
{
  const SsMember *member = ss_world_member (world, index);

  return member->is_up && member->hearing != NULL;
}

static Place *
place_of (const Look *look, unsigned index, unsigned stripe)
{
  return &look->places[index * SS_STRIPES + stripe];
}

static void
read_places (Look *look)
{
  SsTruth *truth = ss_truth_new (look->world, false);
  SsNodeStats *stats = g_new (SsNodeStats, 1);

  for (unsigned i = 0; i < look->n; i++) {
    bool is_up = ss_world_member (look->world, i)->is_up;

    if (is_up)
      ss_node_stats (ss_world_node (look->world, i), stats);
    for (unsigned j = 0; j < SS_STRIPES; j++) {
      const SsStripeStats *stripe = &stats->station.stripes[j];
      Place *place = place_of (look, i, j);

      *place = (Place){ .parent = NOBODY };
      if (!is_up || !stats->has_station)
        continue;
      place->children = (uint16_t) stripe->children;
      place->is_root = stripe->is_root;
      unsigned at = ss_truth_place (truth, &stripe->parent.id);

      if (!place->is_root && at < truth->entries->len
          && ss_id_equal (&ss_truth_at (truth, at)->id, &stripe->parent.id))
        place->parent = ss_truth_at (truth, at)->index;
    }
  }
  g_free (stats);
  ss_truth_free (truth);
}

/* From a node up to the root, which counts nobody; how far that is, 0: it does
 * not end there, or begins there. */
static unsigned
climb (Look *look, unsigned index, unsigned stripe, bool count)
{
  uint32_t at = index;

  for (unsigned depth = 0; depth < WAY_MOST && at != NOBODY; depth++) {
    const Place *place = place_of (look, at, stripe);

    if (place->is_root)
      return depth;
    if (count && at != index)
      look->below[at]++;
    at = place->parent;
  }
  return 0;
}

static void
take_look (SsWorld *world, Look *ret_look)
{
  unsigned n = world->members->len;

  *ret_look = (Look){ .world = world,
                      .n = n,
                      .places = g_new (Place, n * SS_STRIPES),
                      .below = g_new0 (unsigned, n) };
  read_places (ret_look);
  for (unsigned i = 0; i < n; i++)
    for (unsigned j = 0; listens (world, i) && j < SS_STRIPES; j++)
      climb (ret_look, i, j, true);
}

static void
free_look (Look *look)
{
  g_free (look->places);
  g_free (look->below);
}

SsSeatsBelow *
ss_seats_below (SsWorld *world)
{
  Look look;

  take_look (world, &look);
  SsSeatsBelow *counts = g_new0 (SsSeatsBelow, look.n);

  for (unsigned i = 0; i < look.n; i++) {
    counts[i].below = look.below[i];
    for (unsigned j = 0; j < SS_STRIPES; j++)
      counts[i].children += place_of (&look, i, j)->children;
  }
  free_look (&look);
  return counts;
}

void
ss_seats_look (SsWorld *world, const uint8_t *kinds, SsSeats sums[2])
{
  Look look;

  take_look (world, &look);
  for (unsigned i = 0; i < look.n; i++) {
    if (!listens (world, i) || kinds[i] >= SS_SEATS_OUT)
      continue;
    SsSeats *sum = &sums[kinds[i]];
    unsigned own = ss_id_digit (&ss_world_member (world, i)->self.id, 0);
    unsigned depth = climb (&look, i, own, false);

    sum->n++;
    sum->below += look.below[i];
    for (unsigned j = 0; j < SS_STRIPES; j++)
      if (!place_of (&look, i, j)->is_root)
        sum->children += place_of (&look, i, j)->children;
    sum->depth += depth;
    sum->n_placed += depth > 0;
  }
  free_look (&look);
}

double
ss_seats_children (const SsSeats *sums)
{
  return sums->children / MAX (sums->n, 1);
}

double
ss_seats_depth (const SsSeats *sums)
{
  return sums->depth / MAX (sums->n_placed, 1);
}

void
ss_seats_report (const SsWorld *world, const char *kinds, const SsSeats sums[2])
{
  const SsSeats *a = &sums[0], *b = &sums[1];

  ss_world_row (world, kinds, "children %.1f  %.1f, below %.1f  %.1f",
                ss_seats_children (a), ss_seats_children (b),
                a->below / MAX (a->n, 1), b->below / MAX (b->n, 1));
  ss_world_row (world, "their depth where they forward", "%.2f  %.2f",
                ss_seats_depth (a), ss_seats_depth (b));
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const SsTime *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

void
ss_seats_by_age (SsWorld *world, uint8_t *ret_kinds)
{
  GArray *starts = g_array_new (FALSE, FALSE, sizeof (SsTime));

  for (unsigned i = 0; i < world->members->len; i++)
    if (listens (world, i))
      g_array_append_val (starts, ss_world_member (world, i)->hearing->started);
  g_array_sort (starts, compare_times);
  for (unsigned i = 0; i < world->members->len; i++) {
    ret_kinds[i] = SS_SEATS_OUT;
    if (listens (world, i) && starts->len > 0)
      ret_kinds[i] = ss_world_member (world, i)->hearing->started
                             < g_array_index (starts, SsTime, starts->len / 2)
                         ? SS_SEATS_FIRST
                         : SS_SEATS_SECOND;
  }
  g_array_unref (starts);
}
