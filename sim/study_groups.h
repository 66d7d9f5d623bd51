/* The experiments on groups, as the papers made them: Scribe (JSAC 2002) and
 * anycast on it (NGC 2003). On worlds that have grown; each takes place in
 * groups of its own. */
#pragma once

#include "sim/groups.h"

typedef struct {
  unsigned n_members, n_searches, n_failed;
  double join_first; /* messages for a JOIN where there is no tree; */
  double join_mean;  /* and of all that made the group */
  double traces;     /* and those that tell of a member, for each of them */
  double hops;       /* of an anycast, until a member accepted */
  unsigned hops_most;
  double near_share; /* of them: fewer than NEAR members were nearer */
} SsStudyAnycast;

#define SS_STUDY_NEAR 0.07

void ss_study_anycast (SsWorld *world, SsStudyAnycast *ret_result);

typedef struct {
  unsigned n_groups, n_memberships, n_outside, n_missed;
  uint64_t n_messages;
  /* Over IP's: of each group's mean delay and of its longest. */
  double mean_ratio, mean_ratio_p90; /* median, 90th in a hundred */
  double most_ratio, most_ratio_p90;
  double delay_ms;          /* mean of all deliveries */
  double stress, stress_ip; /* mean of all links that there are */
  uint64_t stress_most, stress_ip_most;
  SsGroupsBurden burden;
} SsStudyGroups;

#define SS_STUDY_GROUPS   1500
#define SS_STUDY_CHILDREN 64 /* of one node, over all groups */

/* Very many tiny groups, three for ten nodes: when all have joined, and when
 * chains of forwarders have been taken out. */
typedef struct {
  unsigned n_groups, n_members, n_outside, n_missed;
  SsGroupsBurden before, after;
  double stress_before, stress_after; /* crossings of links for a member */
  size_t bytes; /* of a membership, after: all nodes' memory for groups */
} SsStudyEconomy;

void ss_study_economy (SsWorld *world, SsStudyEconomy *ret_result);

/* Zipf: group r has floor (N r^-1.25 + 0.5) members. */
void ss_study_groups (SsWorld *world, SsStudyGroups *ret_result);
