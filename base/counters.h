/* A node's counters: one row of counters.def each (name, documentation). */
#pragma once

#include <stdint.h>

typedef enum {
#define SS_COUNTER(name, doc) SS_COUNT_##name,
#include "base/counters.def"
#undef SS_COUNTER
  SS_N_COUNTERS
} SsCounterName;

typedef struct {
  uint64_t value[SS_N_COUNTERS];
} SsCounters;

#define ss_count(env, name) ((env)->counters.value[SS_COUNT_##name]++)
#define ss_count_add(env, name, amount) \
  ((env)->counters.value[SS_COUNT_##name] += (uint64_t) (amount))

const char *ss_counter_name (SsCounterName counter); /* lower case */
const char *ss_counter_doc (SsCounterName counter);
