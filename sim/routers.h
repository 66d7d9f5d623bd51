/* Routers between the nodes: a transit-stub graph in the manner of the
 * Georgia Tech generator (Zegura, Calvert, Bhattacharjee, INFOCOM 1996).
 * Transit domains form the core; to each transit router some stub domains
 * are attached, by one link each. Paths follow the generator's policy: within
 * a domain they stay there, between stub domains they go through transit
 * domains only. That makes shortest paths hierarchical, so that no matrix
 * over all routers is kept. Transit routers are numbered first, then stub
 * routers by domain. */
#pragma once

#include "base/rng.h"
#include "base/time.h"

typedef struct {
  unsigned transit_domains, transit_routers; /* routers of each domain */
  unsigned stub_domains;                     /* of each transit router; */
  unsigned stub_routers;                     /* and of each of them */
  SsTime delay; /* mean one way between two stub routers */
} SsRoutersOptions;

/* 5,050 routers, as of the testbed of Pastry, MSPastry and Scribe. */
#define SS_ROUTERS_GEORGIA_TECH \
  { \
    .transit_domains = 10, .transit_routers = 5, .stub_domains = 10, \
    .stub_routers = 10, .delay = 40700 * SS_USEC \
  }

#define SS_ROUTERS_PATH_MAX 64 /* links of one path */

typedef struct SsRouters SsRouters;

SsRouters *ss_routers_new (const SsRoutersOptions *options, SsRng *rng);
void ss_routers_free (SsRouters *routers);

unsigned ss_routers_n (const SsRouters *routers);
unsigned ss_routers_n_transit (const SsRouters *routers);
unsigned ss_routers_n_domains (const SsRouters *routers); /* stub domains */
/* Of a stub router. */
unsigned ss_routers_domain (const SsRouters *routers, unsigned router);
unsigned ss_routers_n_links (const SsRouters *routers);
/* One way; the same in both directions. */
SsTime ss_routers_delay (const SsRouters *routers, unsigned from, unsigned to);
SsTime ss_routers_link_delay (const SsRouters *routers, unsigned link);
/* The numbers of the links from one to the other, in order. */
unsigned ss_routers_path (const SsRouters *routers, unsigned from, unsigned to,
                          unsigned ret_links[SS_ROUTERS_PATH_MAX]);
