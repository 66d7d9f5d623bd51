/* What tells whether two runs were the same: a digest of all that was ever
 * delivered. It is made for speed, and against accident only: nobody forges a
 * simulation's trace. */
#pragma once

#include "sim/lanes.h"

#define SS_TRACE_HASH_STRLEN 33

typedef struct {
  SsLanes lanes;
} SsTrace;

void ss_trace_init (SsTrace *trace);
/* Some numbers, then bytes; the numbers tell how many bytes there are, and
 * stand for those that are left out. */
void ss_trace_add (SsTrace *trace, const uint64_t *numbers, size_t n_numbers,
                   const uint8_t *bytes, size_t len);
/* Hexadecimal; the trace can go on. */
void ss_trace_format (const SsTrace *trace,
                      char ret_text[SS_TRACE_HASH_STRLEN]);
