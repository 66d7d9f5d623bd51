/* The inside of a simulated network, shared by network.c (its nodes, and what
 * they send) and events.c (what comes to them, and when). */
#pragma once

#include "sim/bodies.h"
#include "sim/nat.h"
#include "sim/network.h"
#include "sim/pool.h"
#include "sim/queue.h"
#include "sim/trace.h"

typedef enum {
  SS_NETWORK_EVENT_ARRIVAL,
  SS_NETWORK_EVENT_LATE_ARRIVAL, /* has waited for the last link */
  SS_NETWORK_EVENT_WAKE,
  SS_NETWORK_EVENT_READ, /* what has come of a stream is taken */
  SS_NETWORK_EVENT_CALL,
} SsNetworkEventKind;

typedef struct {
  SsNode *node;   /* NULL: dead */
  SsTime wake_at; /* the wake event that counts; SS_NEVER: none */
  uint32_t life;  /* counts restarts */
  uint16_t side;
  bool is_frozen, is_mute;
  bool is_pumped; /* its output is being drained further up the stack */
  double x, y;    /* plane */
  SsPacket *held, *held_last; /* what its socket holds */
  size_t held_bytes;
  SsTime received, hold_until; /* as net/loop.c has them; 0: not held */
  SsPacket *newest; /* of the arrival queued last; NULL: that has come */
  SsTime newest_at;
  SsTime woke_at;   /* last; */
  unsigned n_wakes; /* and how often at that time */
} SsNetworkPlace;

/* What becomes of one node's datagrams: there are few such nodes. */
typedef struct {
  unsigned node;
  SsNetworkTamperFunc function;
  void *user;
} SsNetworkTamper;

struct SsNetwork {
  SsNetworkOptions options;
  SsNetworkEventFunc event;
  void *user;
  SsTime now;
  SsQueue queue;
  SsPool pool;
  SsBodies bodies;
  SsRng faults, places_rng;
  GArray *places;  /* SsNetworkPlace */
  GArray *tampers; /* SsNetworkTamper */
  SsNat *nat;      /* NULL: nobody is behind one */
  SsNetworkStats stats;
  SsTrace trace;
};

static inline SsNetworkPlace *
ss_network_place (const SsNetwork *network, unsigned node)
{
  g_assert (node < network->places->len);
  return &g_array_index (network->places, SsNetworkPlace, node);
}
