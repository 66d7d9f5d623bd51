/* An application of Scribe on every node of a world: groups whose members
 * are told which they are, a multicast that is followed from the root to all
 * of them, and searches for a member near. No node may come or go while it
 * lasts. */
#pragma once

#include "scribe/scribe.h"
#include "sim/truth.h"

#define SS_GROUPS_PROTOCOL ((SsProtocol) 5) /* no other application's */

typedef struct SsGroups SsGroups;

/* children_max: of one node, over all groups. */
SsGroups *ss_groups_new (SsWorld *world, unsigned children_max);
void ss_groups_free (SsGroups *groups);

/* One more group, without members; its number. Ids are by lot. */
unsigned ss_groups_add (SsGroups *groups);
unsigned ss_groups_n (const SsGroups *groups);
/* A node that is no member yet becomes one. */
void ss_groups_join (SsGroups *groups, unsigned group, unsigned node);
unsigned ss_groups_n_members (const SsGroups *groups, unsigned group);
unsigned ss_groups_member (const SsGroups *groups, unsigned group, unsigned i);
/* Members that are in no tree yet. */
unsigned ss_groups_n_outside (const SsGroups *groups);

/* What came of one message from the group's root down its tree. */
typedef struct {
  unsigned n_members, n_reached;     /* the root excepted */
  double delay_mean, delay_most;     /* of those reached, ns */
  double unicast_mean, unicast_most; /* by the direct way from the root */
  uint64_t n_messages;               /* from parents to children */
} SsGroupsDelivery;

/* Sends one through each group that has members and runs until all have come;
 * an array of as many as there are groups, to be freed. */
SsGroupsDelivery *ss_groups_multicast (SsGroups *groups, SsTime wait);

/* How often links were crossed by those messages: as sent, and as IP
 * multicast would, along shortest paths that are crossed once. Links between
 * routers and the nodes' own, each in both directions. */
typedef struct {
  uint64_t crossings, crossings_ip;
  uint64_t most, most_ip; /* of one link between routers */
  unsigned n_links;       /* between routers, each direction counted */
} SsGroupsStress;

void ss_groups_stress (const SsGroups *groups, SsGroupsStress *ret_stress);

/* The burden on the nodes. */
typedef struct {
  unsigned children_most; /* of one node, in all groups */
  double children_mean, tables_mean;
  unsigned children_median, tables_median, tables_most; /* groups with some */
  unsigned lone_most; /* groups of one node that have one child only */
  double lone_mean;   /*   and of which it is neither root nor member */
} SsGroupsBurden;

void ss_groups_burden (const SsGroups *groups, SsGroupsBurden *ret_burden);

/* One anycast of a node, that runs until it has ended. */
typedef struct {
  bool is_found;
  unsigned hops;
  double nearer; /* share of the members that were nearer to the node */
} SsGroupsAnycast;

SsGroupsAnycast ss_groups_anycast (SsGroups *groups, unsigned group,
                                   unsigned node);
