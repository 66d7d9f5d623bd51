/* At most so many events in any window of time, for each of a bounded number
 * of addresses. It keeps the times, in milliseconds, rounded so that none is
 * allowed too soon, and fails closed: when the table is full of live entries,
 * a new address has to wait; and two whose hashes chance to be the same share
 * what they may. Nobody can choose such a pair: the hash has a secret key. */
#pragma once

#include <stdbool.h>

#include "base/addr.h"
#include "base/time.h"

#define SS_LIMIT_EVENTS_MAX 4

typedef struct {
  uint32_t hash; /* of the address */
  uint32_t n;
  uint32_t times[SS_LIMIT_EVENTS_MAX]; /* oldest first; they wrap around */
} SsLimitEntry;

#define SS_LIMIT_KEY_LEN 16

typedef struct {
  const uint8_t *key; /* the owner's, SS_LIMIT_KEY_LEN */
  SsTime window;
  unsigned events_max; /* in a window, at most SS_LIMIT_EVENTS_MAX */
  unsigned entries_max;
  unsigned n, capacity;
  SsLimitEntry *entries; /* grows on demand */
} SsLimit;

/* key outlives the limit. */
void ss_limit_init (SsLimit *limit, const uint8_t key[SS_LIMIT_KEY_LEN],
                    SsTime window, unsigned events_max, unsigned entries_max);
void ss_limit_clear (SsLimit *limit);
/* When an event for this address is allowed: `now`, or later. */
SsTime ss_limit_when (SsLimit *limit, const SsAddr *addr, SsTime now);
/* Forgets what no longer counts, and gives its memory back. */
void ss_limit_trim (SsLimit *limit, SsTime now);
/* As if there had been none. */
void ss_limit_forget (SsLimit *limit, const SsAddr *addr);
/* Records one. */
void ss_limit_take (SsLimit *limit, const SsAddr *addr, SsTime now);
