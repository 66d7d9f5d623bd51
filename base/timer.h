/* Timers are data. An SsTimer is embedded in the object that it belongs to
 * (find the owner with SS_CONTAINER_OF) and sits in its node's one heap
 * while armed. Equal deadlines fire in the order they were armed. Each layer
 * lists its kinds in one enum and handles them in one switch. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

typedef enum {
  SS_LAYER_LINK,
  SS_LAYER_OVERLAY,
  SS_LAYER_STORE,
  SS_LAYER_SCRIBE,
  SS_LAYER_SPLITSTREAM,
  SS_LAYER_NODE,
  SS_N_LAYERS
} SsLayer;

typedef struct {
  uint32_t index; /* place in the heap + 1; 0: not armed */
  uint8_t layer;  /* SsLayer */
  uint8_t kind;   /* the layer's own enum */
} SsTimer;

/* What the heap compares lies in it, and not in timers all over memory. */
typedef struct {
  SsTime deadline;
  uint64_t order; /* set when armed */
  SsTimer *timer;
} SsTimersEntry;

typedef struct {
  SsTimersEntry *heap;
  uint32_t n, capacity;
  uint64_t next_order;
} SsTimers;

#define SS_CONTAINER_OF(pointer, type, member) \
  ((type *) (void *) ((char *) (pointer) -offsetof (type, member)))

void ss_timers_init (SsTimers *timers);
void ss_timers_clear (SsTimers *timers); /* frees the heap, not timers */
void ss_timer_init (SsTimer *timer, SsLayer layer, unsigned kind);
/* Arms, or moves an armed timer. SS_NEVER disarms. */
void ss_timers_arm (SsTimers *timers, SsTimer *timer, SsTime deadline);
/* As above, but never moves an armed timer later. */
void ss_timers_arm_earliest (SsTimers *timers, SsTimer *timer, SsTime deadline);
void ss_timers_disarm (SsTimers *timers,
                       SsTimer *timer); /* no-op if not armed */
bool ss_timer_is_armed (const SsTimer *timer);
SsTime ss_timers_deadline (const SsTimers *timers); /* SS_NEVER when empty */
/* Takes out the earliest timer with deadline <= now, or returns NULL. */
SsTimer *ss_timers_pop (SsTimers *timers, SsTime now);
