/* What lies between the nodes: where they are, and so how long a datagram
 * takes; whom they do not reach; their access links and what queues before
 * these; how often each physical link is crossed. Hooks of sim/network.h.
 *
 * Node i's place follows from the seed and i alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/access.h"
#include "sim/routers.h"

typedef enum {
  SS_TOPOLOGY_UNIFORM,      /* the same between any two */
  SS_TOPOLOGY_PLANE,        /* points of a square: distance is delay */
  SS_TOPOLOGY_SPHERE,       /* points of a sphere: the great circle is */
  SS_TOPOLOGY_TRANSIT_STUB, /* behind 5,050 routers: sim/routers.h */
  SS_N_TOPOLOGIES
} SsTopologyKind;

typedef struct {
  SsTopologyKind kind;
  uint64_t seed;
  /* uniform: between any two; plane: across the diagonal; sphere: halfway
   * around; transit-stub: the mean between two stub routers. One way. */
  SsTime delay;
  double one_way;  /* of the ordered pairs: nothing of the one comes to the
                     other */
  SsAccess access; /* of each node that is told nothing else */
} SsTopologyOptions;

typedef struct SsTopology SsTopology;

SsTopology *ss_topology_new (const SsTopologyOptions *options);
void ss_topology_free (SsTopology *topology);
const char *ss_topology_name (SsTopologyKind kind);
bool ss_topology_parse (const char *name, SsTopologyKind *ret_kind);

/* One way between two nodes that have unlimited links; symmetric. */
SsTime ss_topology_delay (SsTopology *topology, unsigned from, unsigned to);
/* Who fails together: the stub domain; elsewhere, a square of a 16 x 16
 * grid. */
unsigned ss_topology_domain (SsTopology *topology, unsigned node);
unsigned ss_topology_router (SsTopology *topology, unsigned node);
/* From now on; the pairs of a smaller share are among those of a larger. */
void ss_topology_set_one_way (SsTopology *topology, double share);
bool ss_topology_reaches (const SsTopology *topology, unsigned from,
                          unsigned to);

/* Of one node, in its two directions; 0 to 1. */
void ss_topology_set_loss (SsTopology *topology, unsigned node, double up,
                           double down);
void ss_topology_set_access (SsTopology *topology, unsigned node,
                             const SsAccess *access);

/* Physical links: how many datagrams cross each. */
typedef struct {
  uint64_t crossings;
  unsigned used, all; /* links crossed at all; that there are */
  double mean;        /* of those used */
  uint64_t most;
} SsStress;

/* Links between routers on the way of a datagram, each of which is one in
 * either direction; their numbers. 0: none, or no routers. */
unsigned ss_topology_n_links (const SsTopology *topology);
unsigned ss_topology_path (SsTopology *topology, unsigned from, unsigned to,
                           unsigned ret_links[SS_ROUTERS_PATH_MAX]);
void ss_topology_count_stress (SsTopology *topology, bool count);
void ss_topology_reset_stress (SsTopology *topology);
void ss_topology_stress (const SsTopology *topology, SsStress *ret_stress);

/* For SsNetworkOptions; user is the topology. */
SsTime ss_topology_hook (void *user, unsigned from, unsigned to);
bool ss_topology_depart (void *user, SsTime now, unsigned from, unsigned to,
                         const uint8_t *bytes, size_t len, SsTime *delay);
bool ss_topology_arrive (void *user, SsTime now, unsigned to, size_t len,
                         SsTime *ret_wait);
