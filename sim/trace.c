/* The trace's digest: see sim/lanes.h. */
#include "sim/trace.h"

void
ss_trace_init (SsTrace *trace)
{
  ss_lanes_init (&trace->lanes);
}

void
ss_trace_add (SsTrace *trace, const uint64_t *numbers, size_t n_numbers,
              const uint8_t *bytes, size_t len)
{
  for (size_t i = 0; i < n_numbers; i++)
    trace->lanes.words[i % SS_LANES] =
        ss_lane_absorb (trace->lanes.words[i % SS_LANES], numbers[i], i);
  ss_lanes_add (&trace->lanes, bytes, len);
}

void
ss_trace_format (const SsTrace *trace, char ret_text[SS_TRACE_HASH_STRLEN])
{
  uint64_t words[2];

  ss_lanes_finish (&trace->lanes, words);
  g_snprintf (ret_text, SS_TRACE_HASH_STRLEN,
              "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", words[0],
              words[1]);
}
