/* A station's ring with one hostile member: a real node of the simulated
 * world, authenticated and in the trees like any other, through whose link
 * anything at all may be sent, and whose own messages may be changed or kept
 * back on their way out. Links with the simulator's plain sealer. */
#pragma once

#include "overlay/kbr.h"
#include "sim/world.h"

#define SIEGE_KEPT_MAX 64

typedef struct Siege Siege;

/* One message on its way out of the hostile node, to be changed in place or
 * shortened; false: it is not sent. */
typedef bool (*SiegeTamper) (Siege *siege, unsigned to, unsigned protocol,
                             uint8_t *data, size_t *len);

/* A packet that the hostile node has forwarded. */
typedef struct {
  uint8_t data[SS_DATAGRAM_MAX]; /* SCRIBE_DATA, whole */
  size_t len;
} SiegePacket;

struct Siege {
  SsWorld *world;
  unsigned relay, publisher, hostile;
  SiegeTamper tamper; /* NULL: none */
  SiegePacket kept[SIEGE_KEPT_MAX];
  unsigned n_kept;     /* ever */
  uint64_t n_tampered; /* for tamper functions to count */
  uint64_t frames_mark[64];
};

/* Relay, publisher, so many honest listeners, and the hostile one, which
 * listens too; all hear the station. delay 0: a network without. */
void siege_init (Siege *siege, uint64_t seed, unsigned n_listeners,
                 SsTime delay);
void siege_clear (Siege *siege);
void siege_run (Siege *siege, SsTime duration);

/* From the hostile node's link to a node. */
void siege_send (Siege *siege, unsigned to, SsProtocol protocol,
                 const uint8_t *data, size_t len);
/* In an overlay's ROUTED, as if `source` had routed it; NULL: the hostile. */
void siege_send_routed (Siege *siege, unsigned to, SsProtocol protocol,
                        const SsId *key, const SsPeerRecord *source,
                        const uint8_t *data, size_t len);
/* Takes everything out of the hostile node's queues now. */
void siege_flush (Siege *siege);

SsId siege_stripe_id (const Siege *siege, unsigned stripe);
SsPeerRecord siege_record (const Siege *siege, unsigned node);
/* A record of nobody, whose address is nobody's. */
SsPeerRecord siege_stranger (SsRng *rng);
uint64_t siege_count (const Siege *siege, unsigned node, SsCounterName counter);
uint64_t siege_rejected (const Siege *siege, unsigned node);

/* Frames that the honest have lost since the mark, and how many of them have
 * not heard anything new since; asserts that none heard anything wrong. */
void siege_mark (Siege *siege);
uint64_t siege_lost (Siege *siege);
unsigned siege_deaf (Siege *siege);
