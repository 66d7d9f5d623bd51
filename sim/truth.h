/* Who is up, in the order of ids: what oracles hold the nodes' beliefs
 * against. With perfect sight come perfect leaf sets and routing tables: the
 * route that a message would take if every node knew the nearest of all
 * candidates for every place of its table (Pastry, section 2.3). */
#pragma once

#include "sim/topology.h"
#include "sim/world.h"

typedef struct {
  SsId id;
  uint32_t index;
} SsTruthEntry;

typedef struct {
  GArray *entries; /* SsTruthEntry, in order */
} SsTruth;

/* Of all that are up now; those behind NATs are in no leaf set. */
SsTruth *ss_truth_new (SsWorld *world, bool clients_too);
void ss_truth_free (SsTruth *truth);
void ss_truth_add (SsTruth *truth, const SsId *id, unsigned index);
void ss_truth_remove (SsTruth *truth, const SsId *id);

static inline const SsTruthEntry *
ss_truth_at (const SsTruth *truth, unsigned place)
{
  return &g_array_index (truth->entries, SsTruthEntry,
                         place % truth->entries->len);
}

/* The place of the first whose id is not less; at most their number. */
unsigned ss_truth_place (const SsTruth *truth, const SsId *id);
/* The closest to key: its place. */
unsigned ss_truth_closest (const SsTruth *truth, const SsId *key);
/* The nearest in the network to the entry at `place` of those whose first n
 * digits are the key's; -1 if there is none. */
int ss_truth_nearest (const SsTruth *truth, SsWorld *world, unsigned place,
                      const SsId *key, unsigned n);

typedef struct {
  unsigned hops;
  SsTime delay;
} SsIdealRoute;

/* From the entry at `place`. rng: tables are full of nodes by lot, whose
 * delays mean nothing; NULL: of the nearest. */
SsIdealRoute ss_truth_route (const SsTruth *truth, SsWorld *world, SsRng *rng,
                             unsigned place, const SsId *key);
