/* Many overlay nodes in one process, over a network of the test's making:
 * virtual time, delay and loss for each datagram, kills, stops, partitions.
 * The link is whichever the test program is linked with: direct_link.c or the
 * real one with the plain sealer. */
#pragma once

#include "overlay/pastry/pastry.h"

#define RING_PROTOCOL SS_PROTOCOL_NODE
#define RING_DATAGRAM 1400

typedef struct Ring Ring;

typedef struct {
  Ring *ring;
  unsigned index;
  uint8_t seed[32];
  SsContact contact;
  SsEnv env;
  SsLink *link;
  SsPastry *pastry;
  SsKbr *kbr;
  bool up;       /* made, and not killed */
  bool stopped;  /* gets no time: as by SIGSTOP */
  unsigned side; /* of a partition */
  SsTime nat;    /* behind one that forgets after so long; 0: none */
  GArray *sent;  /* then, when something was sent to each node; or NULL */
  uint64_t datagrams_out, bytes_out;
  uint64_t datagrams_to; /* sent to its address, whether they came or not */
  /* What the test's application has seen. */
  unsigned n_direct, n_acked, n_late, n_failed;
  unsigned n_updates[4]; /* by SsKbrChange */
  bool absorb;           /* forward upcall takes everything */
  /* Timers of SS_LAYER_SCRIBE, if an application has any. */
  void (*scribe_timer) (void *user, SsTimer *timer);
  void *scribe_user;
} RingNode;

typedef struct {
  SsTime delay_min, delay_max;
  double loss;
  unsigned leaf_set; /* L; 0: the default */
  bool check_reach;
} RingOptions;

/* A lookup that was delivered. */
typedef struct {
  uint32_t number;
  unsigned node;
  SsId key;
  SsTime when;
  unsigned hops;
  bool provisional;
  bool right; /* at that moment the node was the closest that was active */
} RingDelivery;

struct Ring {
  RingOptions options;
  SsTime now;
  SsRng rng;
  GPtrArray *nodes;
  GArray *queue; /* heap of datagrams */
  uint64_t next_order, n_datagrams;
  bool partitioned;            /* sides do not hear each other */
  const RingNode *mute, *deaf; /* what the one sends the other does not hear */
  bool is_cut_both_ways;       /* nor the one what the other sends */
  unsigned n_cut;              /* datagrams that were lost so */
  GArray *deliveries;
  uint32_t next_number;
  unsigned n_forwards;
};

Ring *ring_new (uint64_t seed, const RingOptions *options);
void ring_free (Ring *ring);
/* A node that is outside. */
RingNode *ring_add (Ring *ring);
RingNode *ring_node (Ring *ring, unsigned index);
void ring_kill (RingNode *node);
/* The same identity, nothing else remembered. */
void ring_restart (RingNode *node);
void ring_join (RingNode *node, const RingNode *contact);
/* Of n nodes, one after the other, each joined before the next one starts. */
void ring_grow (Ring *ring, unsigned n);
/* After a test has called a node: its datagrams go out. */
void ring_drain (RingNode *node);
void ring_run (Ring *ring, SsTime duration);
/* Until it holds or the time is over; whether it holds. */
bool ring_run_until (Ring *ring, bool (*holds) (Ring *), SsTime duration);

/* Oracles: all that are up and joined, in the order of their ids. */
unsigned ring_sorted (Ring *ring, RingNode **ret_nodes);
RingNode *ring_closest (Ring *ring, const SsId *key);
bool ring_is_joined (Ring *ring);  /* all that are up are ready */
bool ring_is_correct (Ring *ring); /* and every leaf set is the truth */

/* What each node believes, as test messages. */
void ring_dump (Ring *ring);

/* Routes a numbered message; the number. */
uint32_t ring_lookup (RingNode *node, const SsId *key, unsigned flags);
/* The first delivery of that number, NULL if there is none. */
const RingDelivery *ring_delivery (Ring *ring, uint32_t number);
unsigned ring_count_deliveries (Ring *ring, uint32_t number);
SsId ring_random_id (Ring *ring);
/* n lookups between random nodes; asserts that each ends once, at the closest
 * node. Returns the mean number of hops. */
double ring_check_lookups (Ring *ring, unsigned n);
