/* The records that this node holds as a replica. */
#include "store/shelf.h"

#include <string.h>

void
ss_shelf_init (SsShelf *shelf)
{
  shelf->held = g_ptr_array_new_with_free_func (g_free);
}

void
ss_shelf_clear (SsShelf *shelf)
{
  g_ptr_array_unref (shelf->held);
  shelf->held = NULL;
}

static SsHeld *
at (const SsShelf *shelf, unsigned index)
{
  return g_ptr_array_index (shelf->held, index);
}

/* The index of the first entry not before (slot, key); key NULL: of the
 * slot's first. */
static unsigned
lower_bound (const SsShelf *shelf, const SsId *slot, const SsKey *key)
{
  unsigned low = 0, high = shelf->held->len;

  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    const SsHeld *held = at (shelf, middle);
    int order = ss_id_compare (&held->slot, slot);

    if (order == 0 && key != NULL)
      order = ss_key_compare (&held->record.key, key);
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

SsHeld *
ss_shelf_find (const SsShelf *shelf, const SsId *slot, const SsKey *key)
{
  unsigned index = lower_bound (shelf, slot, key);

  if (index == shelf->held->len)
    return NULL;
  SsHeld *held = at (shelf, index);

  return ss_id_equal (&held->slot, slot)
                 && ss_key_equal (&held->record.key, key)
             ? held
             : NULL;
}

/* Is a to be kept rather than b where there is room for one only? Tombstones
 * go first, then the youngest key. */
static bool
has_precedence (const SsHeld *a, const SsHeld *b)
{
  if (a->record.tombstone != b->record.tombstone)
    return b->record.tombstone;
  if (a->since != b->since)
    return a->since < b->since;
  return ss_key_compare (&a->record.key, &b->record.key) < 0;
}

/* Room for a key that is new in its slot, in a name's slot if need be at the
 * cost of *ret_victim. */
static SsShelfVerdict
find_room (const SsShelf *shelf, const SsHeld *offer, SsHeld **ret_victim)
{
  static const SsId none;
  unsigned n_in_slot = 0, n_of_source = 0;
  SsHeld *last = NULL;

  for (unsigned i = 0; i < shelf->held->len; i++) {
    SsHeld *held = at (shelf, i);

    if (ss_id_equal (&held->slot, &offer->slot)) {
      n_in_slot++;
      if (last == NULL || has_precedence (last, held))
        last = held;
    }
    if (ss_id_equal (&held->source, &offer->source))
      n_of_source++;
  }
  if (!ss_id_equal (&offer->source, &none)
      && n_of_source >= SS_SHELF_MAX_PER_SOURCE)
    return SS_SHELF_FULL;
  *ret_victim = NULL;
  if (n_in_slot >= SS_STORE_KEYS_PER_NAME) {
    if (!has_precedence (offer, last))
      return SS_SHELF_SLOT_FULL;
    *ret_victim = last;
    return SS_SHELF_NEW;
  }
  return shelf->held->len >= SS_SHELF_MAX ? SS_SHELF_FULL : SS_SHELF_NEW;
}

SsShelfVerdict
ss_shelf_judge (const SsShelf *shelf, const SsHeld *offer, bool with_record)
{
  const SsHeld *held = ss_shelf_find (shelf, &offer->slot, &offer->record.key);

  if (held == NULL) {
    SsHeld *victim;

    return find_room (shelf, offer, &victim);
  }
  int order = with_record ? ss_record_compare (&offer->record, &held->record)
              : offer->record.version == held->record.version ? 0
              : offer->record.version < held->record.version  ? -1
                                                              : 1;

  return order == 0  ? SS_SHELF_SAME
         : order < 0 ? SS_SHELF_OLDER
                     : SS_SHELF_NEWER;
}

SsShelfVerdict
ss_shelf_take (SsShelf *shelf, const SsHeld *offer)
{
  SsShelfVerdict verdict = ss_shelf_judge (shelf, offer, true);
  SsHeld *held = ss_shelf_find (shelf, &offer->slot, &offer->record.key);
  SsHeld *victim = NULL;

  switch (verdict) {
  case SS_SHELF_NEW:
    find_room (shelf, offer, &victim);
    if (victim != NULL)
      g_ptr_array_remove (shelf->held, victim);
    held = g_memdup2 (offer, sizeof *offer);
    held->n_replicas = 0;
    g_ptr_array_insert (
        shelf->held,
        (gint) lower_bound (shelf, &offer->slot, &offer->record.key), held);
    break;
  case SS_SHELF_NEWER:
    held->record = offer->record;
    held->expires = offer->expires;
    held->source = offer->source;
    held->since = MIN (held->since, offer->since);
    break;
  case SS_SHELF_SAME:
    held->expires = MAX (held->expires, offer->expires);
    held->since = MIN (held->since, offer->since);
    break;
  case SS_SHELF_OLDER:
  case SS_SHELF_SLOT_FULL:
  case SS_SHELF_FULL:
    break;
  }
  return verdict;
}

unsigned
ss_shelf_list (const SsShelf *shelf, const SsId *slot,
               SsHeld *ret_held[SS_STORE_KEYS_PER_NAME])
{
  unsigned n = 0;

  for (unsigned i = lower_bound (shelf, slot, NULL); i < shelf->held->len;
       i++) {
    SsHeld *held = at (shelf, i);

    if (!ss_id_equal (&held->slot, slot))
      break;
    if (held->record.tombstone)
      continue;
    g_assert (n < SS_STORE_KEYS_PER_NAME);
    unsigned place = n++;

    for (; place > 0 && has_precedence (held, ret_held[place - 1]); place--)
      ret_held[place] = ret_held[place - 1];
    ret_held[place] = held;
  }
  return n;
}

bool
ss_shelf_has_slot (const SsShelf *shelf, const SsId *slot)
{
  unsigned index = lower_bound (shelf, slot, NULL);

  return index < shelf->held->len
         && ss_id_equal (&at (shelf, index)->slot, slot);
}

void
ss_shelf_expire (SsShelf *shelf, SsTime now)
{
  for (unsigned i = shelf->held->len; i-- > 0;)
    if (at (shelf, i)->expires <= now)
      g_ptr_array_remove_index (shelf->held, i);
}

SsTime
ss_shelf_deadline (const SsShelf *shelf)
{
  SsTime deadline = SS_NEVER;

  for (unsigned i = 0; i < shelf->held->len; i++)
    deadline = MIN (deadline, at (shelf, i)->expires);
  return deadline;
}
