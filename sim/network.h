/* A network of simulated nodes: one queue of events in virtual time, total
 * order, and every fault drawn from the seed. TigerBeetle's packet_simulator
 * is the model: all of the fault model is one options struct. The nodes are
 * the real ones (node/node.h); only sealer and signer are chosen by who links
 * this.
 *
 * Nodes are numbers from 0. Number i has the address 10.x.y.z:16160 with
 * x.y.z = i + 1, for all its lives. */
#pragma once

#include "node/node.h"
#include "sim/trace.h"

typedef struct SsNetwork SsNetwork;

typedef enum {
  SS_DELAY_UNIFORM, /* the same between any two */
  SS_DELAY_PLANE,   /* nodes lie on a square: delay grows with the distance */
  SS_DELAY_HOOK,    /* as a function says */
} SsDelayModel;

typedef struct {
  uint64_t seed;
  SsDelayModel model;
  SsTime delay;     /* one way; plane: across the whole diagonal */
  SsTime jitter;    /* up to so much more for each datagram: reorders */
  double loss;      /* of each datagram */
  double duplicate; /* come twice */
  double straggle;  /* come late, by up to: */
  SsTime straggle_delay;
  /* While datagrams stream in, a node takes them at most so often, as the
   * programs do, too (net/pause.h); 0: each as it comes. */
  SsTime hold_off;
  /* hook: one way between two, symmetric or not. */
  SsTime (*hook) (void *user, unsigned from, unsigned to);
  void *hook_user;
  /* What lies between: may each be NULL. depart sees every datagram that a
   * node sends and no fault has taken, and may add to its delay or take it
   * (false); arrive sees it at its end, before the node does, and may keep
   * it for some time more, or take it. */
  bool (*depart) (void *user, SsTime now, unsigned from, unsigned to,
                  const uint8_t *bytes, size_t len, SsTime *delay);
  bool (*arrive) (void *user, SsTime now, unsigned to, size_t len,
                  SsTime *ret_wait);
  void *between_user;
} SsNetworkOptions;

/* What a node says, as ss_node_event returns it; the handler owns what the
 * event owns, and may command this node and others. */
typedef void (*SsNetworkEventFunc) (void *user, unsigned node, SsEvent *event);
typedef void (*SsNetworkFunc) (void *user, uint64_t argument);

SsNetwork *ss_network_new (const SsNetworkOptions *options,
                           SsNetworkEventFunc event, void *user);
void ss_network_free (SsNetwork *network);

/* A stream of random numbers of its own for each purpose, so that one more
 * draw for one changes nothing for the others. */
void ss_network_rng (const SsNetwork *network, const char *purpose,
                     uint64_t number, SsRng *ret_rng);
SsTime ss_network_now (const SsNetwork *network);
unsigned ss_network_n_nodes (const SsNetwork *network);
SsAddr ss_network_addr (unsigned node);

/* Brings a node up: a new number, or a dead one's next life. */
unsigned ss_network_add (SsNetwork *network, const SsNodeConfig *config);
void ss_network_restart (SsNetwork *network, unsigned node,
                         const SsNodeConfig *config);
SsNode *ss_network_node (const SsNetwork *network, unsigned node); /* NULL:
                                                                       dead */
/* To be called after each command to a node outside the event handler. */
void ss_network_touch (SsNetwork *network, unsigned node);

/* Faults. Dead is silent: nothing comes back for what is sent there. A
 * frozen node (SIGSTOP) gets what came meanwhile at once when it thaws, as
 * far as a socket's buffer would hold it. Nodes of different sides of a
 * partition do not reach each other; all begin on side 0. */
void ss_network_kill (SsNetwork *network, unsigned node);
void ss_network_freeze (SsNetwork *network, unsigned node);
void ss_network_thaw (SsNetwork *network, unsigned node);
/* Who are on one side hear each other; on this one nobody hears anybody. */
#define SS_NETWORK_ALONE UINT16_MAX
void ss_network_set_side (SsNetwork *network, unsigned node, unsigned side);
bool ss_network_is_frozen (const SsNetwork *network, unsigned node);
void ss_network_set_loss (SsNetwork *network, double loss);
/* node, that need not be up yet, gets only what comes from where it has sent
 * something no longer ago than this. */
void ss_network_put_behind_nat (SsNetwork *network, unsigned node,
                                SsTime memory);
bool ss_network_is_behind_nat (const SsNetwork *network, unsigned node);
/* Takes what node sends from the network: for tests of the oracles. */
void ss_network_mute (SsNetwork *network, unsigned node, bool mute);
/* Lets a function change what node sends, in place and up to SS_DATAGRAM_MAX
 * bytes, or drop it (false): for hostile nodes. NULL: no more. */
typedef bool (*SsNetworkTamperFunc) (void *user, unsigned to, uint8_t *bytes,
                                     size_t *len);
void ss_network_tamper (SsNetwork *network, unsigned node,
                        SsNetworkTamperFunc function, void *user);
/* Sends a datagram as if node had: what no node of ours would send. */
void ss_network_forge (SsNetwork *network, unsigned node, unsigned to,
                       const uint8_t *bytes, size_t len);

/* Calls function at that time, or at once when it is past. */
void ss_network_at (SsNetwork *network, SsTime time, SsNetworkFunc function,
                    void *user, uint64_t argument);
/* Runs until that time; all that is due at it has happened then. */
void ss_network_run (SsNetwork *network, SsTime until);

typedef struct {
  uint64_t events; /* arrivals, wakes (in time or out of date), calls */
  uint64_t ticks;  /* times that timers were due */
  uint64_t sent, delivered, lost, duplicated, bytes_sent;
  size_t memory; /* of datagrams on the way and the queue */
} SsNetworkStats;

void ss_network_stats (const SsNetwork *network, SsNetworkStats *ret_stats);
/* Of every datagram delivered so far: time, from, to, bytes. */
void ss_network_trace_hash (const SsNetwork *network,
                            char ret_text[SS_TRACE_HASH_STRLEN]);
