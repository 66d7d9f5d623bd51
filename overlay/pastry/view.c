/* What the leaf set tells applications: neighbours, replicas, ranges. */
#include "overlay/pastry/internal.h"

#include <string.h>

static unsigned nearest (const SsPastry *pastry, const SsId *key, bool self_too,
                         SsContact *ret_contacts, unsigned max);
static const SsId *ring_neighbour (const SsPastry *pastry, const SsId *id,
                                   int steps);
static SsId boundary (const SsId *a, const SsId *b);

unsigned
ss_pastry_neighbor_set (const SsPastry *pastry, SsContact *ret_contacts,
                        unsigned max)
{
  return nearest (pastry, &ss_pastry_self (pastry)->id, false, ret_contacts,
                  max);
}

/* Those of the table, which is full of near ones: by insertion, for there are
 * few. */
unsigned
ss_pastry_near_set (const SsPastry *pastry, SsContact *ret_contacts,
                    SsTime *ret_rtts, unsigned max)
{
  const SsTable *table = &pastry->table;
  unsigned n = 0;
  for (unsigned i = 0; max > 0 && i < ss_table_n_entries (table); i++) {
    SsTime rtt = ss_table_nth_rtt (table, i);
    if (rtt == SS_NEVER || (n == max && rtt >= ret_rtts[n - 1]))
      continue;
    SsContact contact = ss_table_nth (table, i);
    if (ss_pastry_is_suspected (pastry, &contact.id))
      continue;
    unsigned at = n == max ? max - 1 : n++;
    for (; at > 0 && rtt < ret_rtts[at - 1]; at--) {
      ret_contacts[at] = ret_contacts[at - 1];
      ret_rtts[at] = ret_rtts[at - 1];
    }
    ret_contacts[at] = contact;
    ret_rtts[at] = rtt;
  }
  return n;
}

/* Beyond one side's number the leaf set cannot know who is closest. */
unsigned
ss_pastry_replica_set (const SsPastry *pastry, const SsId *key,
                       SsContact *ret_contacts, unsigned max)
{
  if (pastry->state == SS_PASTRY_CLIENT)
    return 0;
  if (!pastry->leafset.whole)
    max = MIN (max, pastry->leafset.half);
  return nearest (pastry, key, true, ret_contacts, max);
}

bool
ss_pastry_range (const SsPastry *pastry, const SsId *id, unsigned rank,
                 SsId *ret_from, SsId *ret_to)
{
  const SsLeafset *leafset = &pastry->leafset;
  if (rank > SS_LEAFSET_MAX
      || (!ss_pastry_is_self (pastry, id)
          && ss_leafset_find (leafset, id) == NULL))
    return false;
  if (leafset->whole && rank >= leafset->n) {
    *ret_from = *ret_to = *id;
    return true;
  }
  const SsId *before = ring_neighbour (pastry, id, -(int) rank - 1);
  const SsId *after = ring_neighbour (pastry, id, (int) rank + 1);
  if (before == NULL || after == NULL)
    return false;
  *ret_from = boundary (before, id);
  *ret_to = boundary (id, after);
  return true;
}

bool
ss_pastry_is_root (const SsPastry *pastry, const SsId *key, bool provisional)
{
  const SsLeafset *leafset = &pastry->leafset;
  if (pastry->state == SS_PASTRY_CLIENT || !ss_pastry_is_ready (pastry)
      || !ss_leafset_covers (leafset, key))
    return false;
  for (unsigned i = 0; i < leafset->n; i++) {
    const SsContact *leaf = &leafset->leaves[i];
    if (ss_id_closer (key, &leaf->id, &leafset->self)
        && !(provisional && ss_pastry_is_suspected (pastry, &leaf->id)))
      return false;
  }
  return true;
}

/* By insertion: there are few. */
static unsigned
nearest (const SsPastry *pastry, const SsId *key, bool self_too,
         SsContact *ret_contacts, unsigned max)
{
  const SsLeafset *leafset = &pastry->leafset;
  unsigned n = 0;
  for (unsigned i = 0; i < leafset->n + (self_too ? 1u : 0u); i++) {
    const SsContact *contact =
        i < leafset->n ? &leafset->leaves[i] : ss_pastry_self (pastry);
    unsigned at = n;
    while (at > 0 && ss_id_closer (key, &contact->id, &ret_contacts[at - 1].id))
      at--;
    if (at == max)
      continue;
    n = MIN (n + 1, max);
    memmove (&ret_contacts[at + 1], &ret_contacts[at],
             (n - at - 1) * sizeof *ret_contacts);
    ret_contacts[at] = *contact;
  }
  return n;
}

/* The member of the ring so many steps clockwise from id, as far as the leaf
 * set tells. Places count from the left end over the owner to the right. */
static const SsId *
ring_neighbour (const SsPastry *pastry, const SsId *id, int steps)
{
  const SsLeafset *leafset = &pastry->leafset;
  int n = leafset->n, total = n + 1;
  int place = 0; /* clockwise from the owner */
  while (!ss_pastry_is_self (pastry, id)
         && !ss_id_equal (&leafset->leaves[place].id, id))
    place++;
  if (!ss_pastry_is_self (pastry, id))
    place++;

  int to;
  if (leafset->whole) {
    to = (((place + steps) % total) + total) % total;
  } else {
    int n_right = leafset->n_right, n_left = n - n_right;
    int from = place > n_right ? place - total : place;
    to = from + steps;
    if (to > n_right || to < -n_left)
      return NULL;
    to = to < 0 ? to + total : to;
  }
  return to == 0 ? &leafset->self : &leafset->leaves[to - 1].id;
}

/* The last key clockwise from a that is closer to a than to b. */
static SsId
boundary (const SsId *a, const SsId *b)
{
  SsId half = ss_id_subtract (b, a);
  bool odd = (half.b[SS_ID_LEN - 1] & 1) != 0;
  unsigned carry = 0;
  for (unsigned i = 0; i < SS_ID_LEN; i++) {
    unsigned byte = half.b[i];
    half.b[i] = (uint8_t) (byte >> 1 | carry << 7);
    carry = byte & 1;
  }
  SsId middle = ss_id_add (a, &half);
  if (!odd && ss_id_closer (&middle, b, a)) {
    SsId one = { 0 };
    one.b[SS_ID_LEN - 1] = 1;
    middle = ss_id_subtract (&middle, &one);
  }
  return middle;
}
