/* Scribe without an overlay: nodes that run the real SsScribe over a fake
 * key-based routing layer in virtual time. The fake knows all nodes, delays
 * and loses datagrams, acknowledges reliable ones, finds the closest node
 * that is not suspected, and suspects who is silent. */
#pragma once

#include "scribe/scribe.h"

#define WORLD_NODES_MAX 512
#define WORLD_STRIPES   16

typedef struct {
  uint64_t seed;
  unsigned n;            /* nodes; 0 is the source */
  SsTime delay;          /* one way, at least; up to twice of it */
  double loss;           /* of each datagram */
  unsigned detours;      /* per cent of hops that go by prefix */
  unsigned children_max; /* 0: the default */
  bool is_bounded;       /* it is never gone over */
  SsTime packet_gap;     /* 0: 60 ms */
  SsTime latency;        /* 0: 1500 ms */
  bool rebuilds;         /* what is missing: it is overdue and not wanted */
  unsigned n_relays;     /* the last nodes neither join nor ask */
  bool is_ordered;       /* the groups are; node 0 is like the others */
  unsigned n_publishers; /* ordered: the first so many may; 0: everybody */
  unsigned backlog;      /* ordered: past messages that a newcomer gets */
} WorldOptions;

typedef struct World World;
typedef struct Node Node;

World *world_new (const WorldOptions *options);
void world_free (World *world);
SsTime world_now (const World *world);
void world_run (World *world, SsTime duration);
void world_join (World *world, unsigned node); /* all stripes */
/* Ordered: it is a source in all, and no member. */
void world_open (World *world, unsigned node);
void world_publish (World *world, bool is_on);
void world_kill (World *world, unsigned node); /* silence */
void world_revive (World *world, unsigned node);
/* It takes packets, acknowledges them, and sends none. */
void world_set_idle (World *world, unsigned node, bool is_idle);
/* Nothing comes through between nodes of different sides; all begin on 0. */
void world_set_side (World *world, unsigned node, unsigned side);
/* All are on one side again, and find each other within so long. */
void world_heal (World *world, SsTime span);
/* It plays no more and asks for nothing. */
void world_forget_groups (World *world, unsigned node);
/* What it missed until now does not count. */
void world_forgive (World *world, unsigned node);
void world_leave (World *world, unsigned node); /* orderly, then gone */
/* A node that is in no ring yet enters it (all nodes do at first). */
void world_set_in_ring (World *world, unsigned node, bool is_in);
/* A node that others cannot reach unasked: it is in no ring. */
void world_set_client (World *world, unsigned node);

/* Ordered: one message of a node; its number from 1 is in it. False: too
 * many outstanding. */
bool world_multicast (World *world, unsigned node, unsigned stripe);
/* How many a node has sent in a group, how many of them another has been
 * given, and which was the first of these. Anything out of order, twice or
 * missing without a word is an error in itself. */
unsigned world_sent (const World *world, unsigned node, unsigned stripe);
unsigned world_heard (const World *world, unsigned node, unsigned source,
                      unsigned stripe, unsigned *ret_first);
/* Of all sources' in the group: what a node has been told that it misses. It
 * counts as given. */
unsigned world_skipped (const World *world, unsigned node, unsigned stripe);

/* Anycast: whether a node accepts (at first it does not), and one search of
 * a node at a time. What came of it: who answered, in this order. */
typedef struct {
  uint32_t number;
  unsigned n, members[SS_MANYCAST_MAX], hops[SS_MANYCAST_MAX];
  unsigned n_asked; /* members that its question came to */
  bool has_ended;
} WorldSearch;

void world_set_accepts (World *world, unsigned node, bool accepts);
void world_anycast (World *world, unsigned node, unsigned stripe,
                    unsigned wanted);
const WorldSearch *world_search (const World *world, unsigned node);

/* Hands a message to a node as if another had sent it: directly, or, with a
 * key, as routed to it. */
void world_inject (World *world, unsigned from, unsigned to, const SsId *key,
                   const uint8_t *data, size_t len);
const SsId *world_group_id (const World *world, unsigned stripe);

unsigned world_n_alive (const World *world);
bool world_is_joined (const World *world, unsigned node);
bool world_is_alive (const World *world, unsigned node);
SsScribe *world_scribe (const World *world, unsigned node);
SsGroup *world_group (const World *world, unsigned node, unsigned stripe);
SsFamily *world_family (const World *world, unsigned node);
const SsId *world_node_id (const World *world, unsigned node);
/* The live node closest to the stripe's id, and the rank-th after it. */
unsigned world_true_root (const World *world, unsigned stripe);
unsigned world_near (const World *world, unsigned stripe, unsigned rank);
unsigned world_node_of (const World *world, const SsId *id);

/* What came of the packets whose deadline has passed, since the node joined:
 * those that it has not. */
unsigned world_lost (const World *world, unsigned node);
unsigned world_received (const World *world, unsigned node);
unsigned world_published (const World *world);
SsTime world_latest (const World *world, unsigned node); /* worst delay */
/* Packet messages that a node sent, and bytes of all others (link overhead
 * included), since world_reset_counts. */
uint64_t world_packets_sent (const World *world, unsigned node);
uint64_t world_control_bytes (const World *world, unsigned node);
void world_reset_counts (World *world);

/* Every live member is in every tree, trees have one root and no cycle and
 * parents know their children. Text says what is wrong; NULL: all is well. */
char *world_check_trees (const World *world);
/* Most children that a listener has over all stripes. */
unsigned world_fan_out_max (const World *world);
