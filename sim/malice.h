/* Nodes that are hostile from inside the ring: hooks, for tests of what holds
 * against them. What such a node sends is changed on its way out; as the
 * plain sealer leaves it open, it stays well-formed. */
#pragma once

#include "sim/world.h"

typedef enum {
  SS_MALICE_DROP = 1,     /* others' routed messages go no further */
  SS_MALICE_MISROUTE = 2, /* they go to a key by lot */
  SS_MALICE_LIE = 4,      /* leaf sets that it tells name its friends alone */
  SS_MALICE_SHIRK = 8,    /* takes a group's packets, and sends none on */
  SS_MALICE_DAWDLE = 16,  /* or late */
} SsMaliceKind;

#define SS_MALICE_FRIENDS_MAX 16

/* One for each such node; belongs to the caller, outlives the world. */
typedef struct {
  unsigned kinds, node;
  SsWorld *world;
  SsPeerRecord friends[SS_MALICE_FRIENDS_MAX];
  unsigned n_friends;
  SsRng rng;
  SsTime late;  /* by how much; may grow, and not shrink */
  GQueue *held; /* what is late, in the order of going; NULL: nothing so far */
  uint64_t n_dropped, n_changed;
} SsMalice;

/* friends: numbers of nodes. */
void ss_malice_start (SsMalice *malice, SsWorld *world, unsigned node,
                      unsigned kinds, const unsigned *friends,
                      unsigned n_friends);
/* What is held is not sent any more: for when the world has ended. */
void ss_malice_clear (SsMalice *malice);
