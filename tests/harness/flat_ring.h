/* A ring without an overlay: nodes behind overlay/kbr.h that know everything
 * about each other, if they are not told to be behind, for the tests of what
 * stands on that header. Virtual time, a queue of messages, delay, loss, and
 * deaths that are noticed only after a while. Deterministic by its seed. */
#pragma once

#include "base/env.h"
#include "overlay/kbr.h"

#define FLAT_RING_MAX 256

typedef struct FlatRing FlatRing;

typedef struct {
  SsKbr kbr; /* first */
  FlatRing *ring;
  SsEnv env;
  SsContact self;
  unsigned index;
  bool is_in; /* joined */
  bool is_alive;
  bool is_declared; /* dead, and the others know */
  unsigned horizon; /* its sets are of nodes before that one; 0: of all */
  SsTime died;
  uint64_t bytes_out, messages_out; /* with a routing header's 90 B */
  SsKbrApp apps[SS_N_PROTOCOLS];
  void *app_users[SS_N_PROTOCOLS];
  void *user;
} FlatNode;

typedef struct {
  SsTime delay;     /* one way; each message takes up to twice as long */
  double loss;      /* of one sending */
  SsTime detection; /* of a death */
} FlatRingOptions;

struct FlatRing {
  FlatRingOptions options;
  SsTime now;
  SsRng rng;
  uint64_t order;
  GSequence *events;
  unsigned n_nodes;
  FlatNode *nodes[FLAT_RING_MAX];
  /* Timers of a node's layers go here. */
  void (*timer) (FlatNode *node, SsTimer *timer);
};

FlatRing *flat_ring_new (uint64_t seed, const FlatRingOptions *options);
void flat_ring_free (FlatRing *ring); /* and its nodes */
/* A node outside the ring. Its id is random. */
FlatNode *flat_ring_add (FlatRing *ring);
void flat_ring_join (FlatNode *node);
void flat_ring_kill (FlatNode *node);
void flat_ring_run (FlatRing *ring, SsTime duration);
/* The live node closest to key. */
FlatNode *flat_ring_root (FlatRing *ring, const SsId *key);
