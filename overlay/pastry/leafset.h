/* The leaf set: the L nodes nearest on the ring, L/2 to each side (Pastry,
 * section 2.3). Entries are by value, in one array sorted clockwise from the
 * owner: the first n_right are its right side (clockwise), the rest its left.
 *
 * Both sides are always contiguous stretches of the ring, as far as is
 * known: a node enters within the stretch known, or at an end when somebody
 * who knows the part between has told so (SsLeafsetReach). Otherwise a set
 * that has lost a leaf would take any far node for its new end, and claim
 * keys that it knows nothing of.
 *
 * When the ring is so small that the set is all of it (`whole`), the sides
 * overlap: each is the nearest L/2 in its direction. */
#pragma once

#include "base/contact.h"

#define SS_LEAFSET_SIDE_MAX 16
#define SS_LEAFSET_MAX      (2 * SS_LEAFSET_SIDE_MAX)

typedef enum {
  SS_LEAFSET_LEFT,
  SS_LEAFSET_RIGHT,
  SS_LEAFSET_N_SIDES
} SsLeafsetSide;

/* At which ends a node may be added: whoever told of it knows all nodes
 * between that end and it. */
typedef enum {
  SS_LEAFSET_REACH_NONE = 0,
  SS_LEAFSET_REACH_LEFT = 1 << SS_LEAFSET_LEFT,
  SS_LEAFSET_REACH_RIGHT = 1 << SS_LEAFSET_RIGHT,
} SsLeafsetReach;

typedef struct {
  SsId self;
  uint8_t half; /* most leaves of a side */
  uint8_t n;
  uint8_t n_right; /* of those, if not whole */
  bool whole;      /* nobody else is in the ring */
  SsContact *leaves;
} SsLeafset;

/* size is L: even, 2 to SS_LEAFSET_MAX. */
void ss_leafset_init (SsLeafset *leafset, const SsId *self, unsigned size);
void ss_leafset_clear (SsLeafset *leafset);

const SsContact *ss_leafset_find (const SsLeafset *leafset, const SsId *id);
bool ss_leafset_would_accept (const SsLeafset *leafset, const SsId *id,
                              unsigned reach);
/* True if it entered; one that was there has its address renewed. The leaf
 * that it put out, if any, is left in ret_out (ret_evicted says whether). */
bool ss_leafset_insert (SsLeafset *leafset, const SsContact *contact,
                        unsigned reach, bool *ret_evicted, SsContact *ret_out);
bool ss_leafset_remove (SsLeafset *leafset, const SsId *id);
void ss_leafset_remove_all (SsLeafset *leafset);
/* Someone beyond is known to exist, or nobody is. */
void ss_leafset_set_whole (SsLeafset *leafset, bool whole);

unsigned ss_leafset_count (const SsLeafset *leafset, SsLeafsetSide side);
/* The index-th nearest of a side, 0 being the neighbour. */
const SsContact *ss_leafset_get (const SsLeafset *leafset, SsLeafsetSide side,
                                 unsigned index);
/* Farthest of a side; NULL if it is empty. */
const SsContact *ss_leafset_end (const SsLeafset *leafset, SsLeafsetSide side);
/* As an id, the owner's own if the side is empty. */
SsId ss_leafset_end_id (const SsLeafset *leafset, SsLeafsetSide side);
bool ss_leafset_is_complete (const SsLeafset *leafset);
/* Does key lie within the stretch known? */
bool ss_leafset_covers (const SsLeafset *leafset, const SsId *key);

/* Is a nearer to the owner than b in the direction of that side? */
bool ss_leafset_is_nearer (const SsLeafset *leafset, SsLeafsetSide side,
                           const SsId *a, const SsId *b);

/* What somebody told: all nodes of the arc from `from` clockwise to `to`. */
typedef struct {
  SsId from, to;
  bool circle; /* all of the ring */
} SsLeafsetArc;

/* The ends at which a node of the arc may be added. */
unsigned ss_leafset_reach (const SsLeafset *leafset, const SsLeafsetArc *arc,
                           const SsId *id);
/* Does the arc span all that lies beyond both ends? */
bool ss_leafset_is_closed_by (const SsLeafset *leafset,
                              const SsLeafsetArc *arc);

/* A digest of what the owner and its neighbour on that side, if their sets
 * agree, both have. */
uint64_t ss_leafset_digest (const SsLeafset *leafset, SsLeafsetSide shared);
