/* The leaf set (Pastry, Middleware 2001, section 2.3), contiguous by
 * construction. See leafset.h for how this departs from the paper, where any
 * node may fill a short side. */
#include "overlay/pastry/leafset.h"

#include <glib.h>
#include <string.h>

static unsigned position (const SsLeafset *leafset, const SsId *id,
                          bool *ret_found);
static int compare_offset (const SsLeafset *leafset, const SsId *a,
                           const SsId *b);
static bool is_nearer_left (const SsLeafset *leafset, const SsId *id);
static bool place (const SsLeafset *leafset, unsigned at, const SsId *id,
                   unsigned reach, SsLeafsetSide *ret_side);
static void take_out (SsLeafset *leafset, unsigned at, SsContact *ret_out);
static SsId offset (const SsId *from, const SsId *to);
static uint64_t mix (uint64_t hash, const SsId *id);

void
ss_leafset_init (SsLeafset *leafset, const SsId *self, unsigned size)
{
  g_assert (size >= 2);
  g_assert (size <= SS_LEAFSET_MAX);
  g_assert (size % 2 == 0);
  *leafset = (SsLeafset){ .self = *self, .half = (uint8_t) (size / 2) };
  /* One more than the size: an insertion puts one out afterwards. */
  leafset->leaves = g_new0 (SsContact, size + 1);
}

void
ss_leafset_clear (SsLeafset *leafset)
{
  g_clear_pointer (&leafset->leaves, g_free);
  leafset->n = leafset->n_right = 0;
}

const SsContact *
ss_leafset_find (const SsLeafset *leafset, const SsId *id)
{
  bool found;
  unsigned at = position (leafset, id, &found);
  return found ? &leafset->leaves[at] : NULL;
}

bool
ss_leafset_would_accept (const SsLeafset *leafset, const SsId *id,
                         unsigned reach)
{
  bool found;
  unsigned at = position (leafset, id, &found);
  if (found || ss_id_equal (id, &leafset->self))
    return false;
  /* Even one that would not stay is news: the set is not whole. */
  if (leafset->whole)
    return true;
  SsLeafsetSide side;
  return place (leafset, at, id, reach, &side);
}

bool
ss_leafset_insert (SsLeafset *leafset, const SsContact *contact, unsigned reach,
                   bool *ret_evicted, SsContact *ret_out)
{
  bool found;
  unsigned at = position (leafset, &contact->id, &found);
  *ret_evicted = false;
  if (found) {
    leafset->leaves[at] = *contact;
    return false;
  }
  if (!ss_leafset_would_accept (leafset, &contact->id, reach))
    return false;

  SsLeafsetSide side = SS_LEAFSET_RIGHT;
  if (!leafset->whole)
    place (leafset, at, &contact->id, reach, &side);
  memmove (&leafset->leaves[at + 1], &leafset->leaves[at],
           (leafset->n - at) * sizeof *leafset->leaves);
  leafset->leaves[at] = *contact;
  leafset->n++;

  if (leafset->whole) {
    if (leafset->n <= 2 * leafset->half)
      return true;
    leafset->whole = false;
    leafset->n_right = leafset->half;
    take_out (leafset, leafset->half, ret_out);
    if (at == leafset->half)
      return false;
    *ret_evicted = true;
    return true;
  }
  if (side == SS_LEAFSET_RIGHT)
    leafset->n_right++;
  if (leafset->n_right > leafset->half) {
    leafset->n_right--;
    take_out (leafset, leafset->half, ret_out);
    *ret_evicted = true;
  } else if (leafset->n - leafset->n_right > leafset->half) {
    take_out (leafset, leafset->n_right, ret_out);
    *ret_evicted = true;
  }
  return true;
}

bool
ss_leafset_remove (SsLeafset *leafset, const SsId *id)
{
  bool found;
  unsigned at = position (leafset, id, &found);
  if (!found)
    return false;
  if (!leafset->whole && at < leafset->n_right)
    leafset->n_right--;
  take_out (leafset, at, NULL);
  return true;
}

void
ss_leafset_remove_all (SsLeafset *leafset)
{
  leafset->n = leafset->n_right = 0;
  leafset->whole = false;
}

void
ss_leafset_set_whole (SsLeafset *leafset, bool whole)
{
  if (leafset->whole == whole)
    return;
  leafset->whole = whole;
  leafset->n_right = 0;
  if (whole)
    return;
  /* Each to the side that it is nearer to, as far as there is room. */
  unsigned n_right = 0;
  while (n_right < leafset->n
         && !is_nearer_left (leafset, &leafset->leaves[n_right].id))
    n_right++;
  n_right = MIN (n_right, leafset->half);
  if (leafset->n - n_right > leafset->half)
    n_right = leafset->n - leafset->half;
  leafset->n_right = (uint8_t) n_right;
}

unsigned
ss_leafset_count (const SsLeafset *leafset, SsLeafsetSide side)
{
  if (leafset->whole)
    return MIN (leafset->n, leafset->half);
  return side == SS_LEAFSET_RIGHT ? leafset->n_right
                                  : leafset->n - leafset->n_right;
}

const SsContact *
ss_leafset_get (const SsLeafset *leafset, SsLeafsetSide side, unsigned index)
{
  g_assert (index < ss_leafset_count (leafset, side));
  return side == SS_LEAFSET_RIGHT ? &leafset->leaves[index]
                                  : &leafset->leaves[leafset->n - 1 - index];
}

const SsContact *
ss_leafset_end (const SsLeafset *leafset, SsLeafsetSide side)
{
  unsigned n = ss_leafset_count (leafset, side);
  return n == 0 ? NULL : ss_leafset_get (leafset, side, n - 1);
}

SsId
ss_leafset_end_id (const SsLeafset *leafset, SsLeafsetSide side)
{
  const SsContact *end = ss_leafset_end (leafset, side);
  return end != NULL ? end->id : leafset->self;
}

bool
ss_leafset_is_complete (const SsLeafset *leafset)
{
  return leafset->whole || leafset->n == 2 * leafset->half;
}

bool
ss_leafset_covers (const SsLeafset *leafset, const SsId *key)
{
  if (leafset->whole)
    return true;
  SsId from = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT);
  SsId to = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT);
  SsId key_offset = offset (&from, key), to_offset = offset (&from, &to);
  return ss_id_compare (&key_offset, &to_offset) <= 0;
}

bool
ss_leafset_is_nearer (const SsLeafset *leafset, SsLeafsetSide side,
                      const SsId *a, const SsId *b)
{
  int order = compare_offset (leafset, a, b);
  return side == SS_LEAFSET_RIGHT ? order < 0 : order > 0;
}

unsigned
ss_leafset_reach (const SsLeafset *leafset, const SsLeafsetArc *arc,
                  const SsId *id)
{
  if (arc->circle)
    return SS_LEAFSET_REACH_LEFT | SS_LEAFSET_REACH_RIGHT;
  unsigned reach = SS_LEAFSET_REACH_NONE;
  SsId left = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT);
  SsId right = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT);
  SsId arc_len = offset (&arc->from, &arc->to);
  SsId id_at = offset (&arc->from, id);
  SsId left_at = offset (&arc->from, &left);
  SsId right_at = offset (&arc->from, &right);

  if (ss_id_compare (&id_at, &arc_len) > 0)
    return reach;
  if (ss_id_compare (&left_at, &arc_len) <= 0
      && ss_id_compare (&id_at, &left_at) <= 0)
    reach |= SS_LEAFSET_REACH_LEFT;
  if (ss_id_compare (&right_at, &arc_len) <= 0
      && ss_id_compare (&right_at, &id_at) <= 0)
    reach |= SS_LEAFSET_REACH_RIGHT;
  return reach;
}

bool
ss_leafset_is_closed_by (const SsLeafset *leafset, const SsLeafsetArc *arc)
{
  if (arc->circle)
    return true;
  SsId left = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT);
  SsId right = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT);
  /* Without leaves everything lies beyond, and only a circle spans it. */
  if (ss_id_equal (&left, &right))
    return false;
  SsId arc_len = offset (&arc->from, &arc->to);
  SsId left_at = offset (&arc->from, &left);
  SsId right_at = offset (&arc->from, &right);
  return ss_id_compare (&left_at, &arc_len) <= 0
         && ss_id_compare (&right_at, &left_at) <= 0;
}

/* With a neighbour whose set agrees, all but the owner's farthest leaf on
 * the other side is shared: its set is this one, shifted by one. In a whole
 * set everything is, so that all members have one digest. */
uint64_t
ss_leafset_digest (const SsLeafset *leafset, SsLeafsetSide shared)
{
  uint64_t hash = 0;
  if (leafset->whole) {
    for (unsigned i = 0; i < leafset->n; i++)
      hash += mix (1, &leafset->leaves[i].id);
    return hash + mix (1, &leafset->self);
  }
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++) {
    unsigned n = ss_leafset_count (leafset, side);
    if (side != (unsigned) shared)
      n = MIN (n, leafset->half - 1u);
    for (unsigned i = 0; i < n; i++)
      hash += mix (2, &ss_leafset_get (leafset, side, i)->id);
  }
  return hash + mix (2, &leafset->self);
}

/* Where id is, or would be inserted. */
static unsigned
position (const SsLeafset *leafset, const SsId *id, bool *ret_found)
{
  unsigned low = 0, high = leafset->n;
  while (low < high) {
    unsigned middle = (low + high) / 2;
    int order = compare_offset (leafset, &leafset->leaves[middle].id, id);
    if (order == 0) {
      *ret_found = true;
      return middle;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *ret_found = false;
  return low;
}

/* By distance clockwise from the owner. Without subtracting: a number
 * greater than the owner's comes before one that is smaller. */
static int
compare_offset (const SsLeafset *leafset, const SsId *a, const SsId *b)
{
  bool a_wraps = ss_id_compare (a, &leafset->self) < 0;
  bool b_wraps = ss_id_compare (b, &leafset->self) < 0;
  if (a_wraps != b_wraps)
    return a_wraps ? 1 : -1;
  return ss_id_compare (a, b);
}

static bool
is_nearer_left (const SsLeafset *leafset, const SsId *id)
{
  SsId clockwise = offset (&leafset->self, id);
  return clockwise.b[0] >= 0x80;
}

/* The side that takes id at that place of a set that is not whole; false if
 * none does. */
static bool
place (const SsLeafset *leafset, unsigned at, const SsId *id, unsigned reach,
       SsLeafsetSide *ret_side)
{
  if (at < leafset->n_right) {
    *ret_side = SS_LEAFSET_RIGHT;
    return true;
  }
  if (at > leafset->n_right) {
    *ret_side = SS_LEAFSET_LEFT;
    return true;
  }
  SsLeafsetSide nearer =
      is_nearer_left (leafset, id) ? SS_LEAFSET_LEFT : SS_LEAFSET_RIGHT;
  for (unsigned i = 0; i < SS_LEAFSET_N_SIDES; i++) {
    SsLeafsetSide side = i == 0 ? nearer : !nearer;
    if ((reach & (1u << side)) != 0
        && ss_leafset_count (leafset, side) < leafset->half) {
      *ret_side = side;
      return true;
    }
  }
  return false;
}

static void
take_out (SsLeafset *leafset, unsigned at, SsContact *ret_out)
{
  g_assert (at < leafset->n);
  if (ret_out != NULL)
    *ret_out = leafset->leaves[at];
  leafset->n--;
  memmove (&leafset->leaves[at], &leafset->leaves[at + 1],
           (leafset->n - at) * sizeof *leafset->leaves);
}

/* How far clockwise `to` lies from `from`. */
static SsId
offset (const SsId *from, const SsId *to)
{
  return ss_id_subtract (to, from);
}

static uint64_t
mix (uint64_t hash, const SsId *id)
{
  /* Ids are hashes: their bytes are random enough for a sum to tell two
   * sets apart. */
  for (unsigned i = 0; i < 16; i++)
    hash = hash * 0x100000001b3 ^ id->b[i];
  return hash * 0x9e3779b97f4a7c15;
}
