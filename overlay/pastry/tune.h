/* How often the routing table's entries are probed: as rarely as a target
 * for the raw loss allows (MSPastry, DSN 2004, section 4.1). The raw loss is
 * the share of lookups that meet a dead node before it is known to be dead;
 * acknowledgements and rerouting then save nearly all of these.
 *
 * The ring's size follows from the leaf set's density, the failure rate from
 * the deaths seen among the nodes that are known. Departure: periods are not
 * exchanged between nodes; each uses its own, within bounds. */
#pragma once

#include "base/id.h"
#include "base/time.h"

#define SS_TUNE_DEATHS  16 /* last ones remembered */
#define SS_TUNE_SESSION (4 * 3600 * SS_SEC)

typedef struct {
  uint32_t since; /* seconds; when watching began */
  uint32_t deaths[SS_TUNE_DEATHS];
  uint8_t n, next;
} SsTune;

/* The chance that a node is dead when it is used, if it is probed every
 * `period`, its death noticed `timeout` later, and it fails so many times a
 * second. */
double ss_tune_dead_chance (SsTime period, SsTime timeout, double rate);
/* Mean number of hops in a ring of so many nodes (base 16). */
double ss_tune_hops (double n_nodes);
/* The raw loss of a lookup: the last hop is a leaf, probed every `leaf`. */
double ss_tune_loss (SsTime leaf, SsTime table, SsTime timeout, double rate,
                     double n_nodes);
/* The longest table period that keeps the loss at the target; 0 if none
 * does, SS_NEVER if any does. */
SsTime ss_tune_period (double target, SsTime leaf, SsTime timeout, double rate,
                       double n_nodes);

/* Nodes of the ring, by how many lie on the arc from `from` to `to`. */
double ss_tune_ring_size (const SsId *from, const SsId *to, unsigned n_on_arc);

void ss_tune_init (SsTune *tune, SsTime now);
void ss_tune_death (SsTune *tune, SsTime now);
/* Failures of a node, per second, if n_known are being watched: to begin
 * with, one in SS_TUNE_SESSION. */
double ss_tune_rate (const SsTune *tune, SsTime now, unsigned n_known);
