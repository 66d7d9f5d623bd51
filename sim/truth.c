/* The sorted truth, and perfect routing. */
#include "sim/truth.h"

#include <string.h>

#define LEAF_SET 32 /* where no other is given */

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const SsTruthEntry *one = a, *other = b;

  return ss_id_compare (&one->id, &other->id);
}

SsTruth *
ss_truth_new (SsWorld *world, bool clients_too)
{
  SsTruth *truth = g_new0 (SsTruth, 1);

  truth->entries = g_array_new (FALSE, FALSE, sizeof (SsTruthEntry));
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);
    const SsTruthEntry entry = { member->self.id, i };

    if (member->is_up
        && (clients_too || !ss_network_is_behind_nat (world->network, i)))
      g_array_append_val (truth->entries, entry);
  }
  g_array_sort (truth->entries, compare_entries);
  return truth;
}

void
ss_truth_free (SsTruth *truth)
{
  if (truth == NULL)
    return;
  g_array_unref (truth->entries);
  g_free (truth);
}

unsigned
ss_truth_place (const SsTruth *truth, const SsId *id)
{
  unsigned low = 0, high = truth->entries->len;

  while (low < high) {
    unsigned middle = (low + high) / 2;

    if (ss_id_compare (&ss_truth_at (truth, middle)->id, id) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void
ss_truth_add (SsTruth *truth, const SsId *id, unsigned index)
{
  const SsTruthEntry entry = { *id, index };

  g_array_insert_val (truth->entries, ss_truth_place (truth, id), entry);
}

void
ss_truth_remove (SsTruth *truth, const SsId *id)
{
  unsigned place = ss_truth_place (truth, id);

  g_assert (place < truth->entries->len
            && ss_id_equal (&ss_truth_at (truth, place)->id, id));
  g_array_remove_index (truth->entries, place);
}

unsigned
ss_truth_closest (const SsTruth *truth, const SsId *key)
{
  unsigned n = truth->entries->len;
  unsigned after = ss_truth_place (truth, key) % n;
  unsigned before = (after + n - 1) % n;

  return ss_id_closer (key, &ss_truth_at (truth, before)->id,
                       &ss_truth_at (truth, after)->id)
             ? before
             : after;
}

/* Those whose first n digits are the key's lie next to each other: the place
 * of the first, and of who comes behind the last. */
static unsigned
find_prefix (const SsTruth *truth, const SsId *key, unsigned n,
             unsigned *ret_end)
{
  SsId low = *key, high = *key;

  for (unsigned i = n; i < SS_ID_DIGITS; i++) {
    low = ss_id_with_digit (&low, i, 0);
    high = ss_id_with_digit (&high, i, 15);
  }
  unsigned first = ss_truth_place (truth, &low);
  unsigned end = ss_truth_place (truth, &high);

  while (end < truth->entries->len
         && ss_id_equal (&ss_truth_at (truth, end)->id, &high))
    end++;
  *ret_end = end;
  return first;
}

int
ss_truth_nearest (const SsTruth *truth, SsWorld *world, unsigned place,
                  const SsId *key, unsigned n)
{
  unsigned self = ss_truth_at (truth, place)->index, end;
  SsTime best_delay = SS_NEVER;
  int best = -1;

  for (unsigned i = find_prefix (truth, key, n, &end); i < end; i++) {
    unsigned index = ss_truth_at (truth, i)->index;
    SsTime delay = ss_world_delay (world, self, index);

    if (index != self && delay < best_delay) {
      best_delay = delay;
      best = (int) i;
    }
  }
  return best;
}

/* The entry of a full table: the nearest, or by lot, which makes the same
 * number of hops and is found sooner. */
static int
choose_entry (const SsTruth *truth, SsWorld *world, SsRng *rng, unsigned place,
              const SsId *key, unsigned n)
{
  if (rng == NULL)
    return ss_truth_nearest (truth, world, place, key, n);
  unsigned end, first = find_prefix (truth, key, n, &end);

  if (first == end)
    return -1;
  return (int) (first + ss_rng_below (rng, end - first));
}

static unsigned
side_of (const SsWorld *world)
{
  unsigned leaf_set = world->options.leaf_set;

  return (leaf_set > 0 ? leaf_set : LEAF_SET) / 2;
}

/* The rare case: nobody has the next digit. The closest to the key of the
 * perfect row and the leaf set. */
static unsigned
go_round (const SsTruth *truth, SsWorld *world, SsRng *rng, unsigned place,
          const SsId *key, unsigned shared)
{
  unsigned n = truth->entries->len, best = place, side = side_of (world);
  const unsigned ends[] = { (place + side) % n, (place + n - side) % n };

  for (unsigned i = 0; i < G_N_ELEMENTS (ends); i++)
    if (ss_id_closer (key, &ss_truth_at (truth, ends[i])->id,
                      &ss_truth_at (truth, best)->id))
      best = ends[i];
  for (unsigned digit = 0; digit < 16; digit++) {
    SsId prefix = ss_id_with_digit (key, shared, digit);
    int other = choose_entry (truth, world, rng, place, &prefix, shared + 1);

    if (other >= 0
        && ss_id_closer (key, &ss_truth_at (truth, (unsigned) other)->id,
                         &ss_truth_at (truth, best)->id))
      best = (unsigned) other;
  }
  return best;
}

/* Does the key lie within the leaf set? */
static bool
covers (const SsTruth *truth, unsigned side, unsigned place, const SsId *key)
{
  unsigned n = truth->entries->len;

  if (2 * side + 1 >= n)
    return true;
  const SsId *from = &ss_truth_at (truth, place + n - side)->id;
  SsId end = ss_id_subtract (&ss_truth_at (truth, place + side)->id, from);
  SsId at = ss_id_subtract (key, from);

  return ss_id_compare (&at, &end) <= 0;
}

SsIdealRoute
ss_truth_route (const SsTruth *truth, SsWorld *world, SsRng *rng,
                unsigned place, const SsId *key)
{
  unsigned root = ss_truth_closest (truth, key), side = side_of (world);
  SsIdealRoute route = { 0, 0 };

  while (place != root && route.hops < SS_ID_DIGITS) {
    const SsTruthEntry *at = ss_truth_at (truth, place);
    unsigned next = root;

    if (!covers (truth, side, place, key)) {
      unsigned shared = ss_id_shared_digits (&at->id, key);
      int entry = choose_entry (truth, world, rng, place, key, shared + 1);

      next = entry >= 0 ? (unsigned) entry
                        : go_round (truth, world, rng, place, key, shared);
    }
    g_assert (next != place);
    route.hops++;
    route.delay +=
        ss_world_delay (world, at->index, ss_truth_at (truth, next)->index);
    place = next;
  }
  return route;
}
