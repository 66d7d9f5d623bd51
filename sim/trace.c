/* The trace's digest: each lane takes its word, is multiplied and rotated; at
 * the end the lanes are mixed into each other. */
#include "sim/trace.h"

#include <glib.h>
#include <string.h>

#define MULTIPLIER UINT64_C (0x9e3779b97f4a7c15)
#define ROTATION   29

static inline uint64_t
absorb (uint64_t lane, uint64_t word)
{
  lane = (lane ^ word) * MULTIPLIER;
  return lane << ROTATION | lane >> (64 - ROTATION);
}

void
ss_trace_init (SsTrace *trace)
{
  for (unsigned i = 0; i < SS_TRACE_LANES; i++)
    trace->lanes[i] = MULTIPLIER * (i + 1);
}

static void
add_block (SsTrace *trace, const void *block)
{
  uint64_t words[SS_TRACE_LANES];

  memcpy (words, block, sizeof words);
  for (unsigned i = 0; i < SS_TRACE_LANES; i++)
    trace->lanes[i] = absorb (trace->lanes[i], GUINT64_FROM_LE (words[i]));
}

void
ss_trace_add (SsTrace *trace, const uint64_t *numbers, size_t n_numbers,
              const uint8_t *bytes, size_t len)
{
  uint8_t last[SS_TRACE_LANES * 8] = { 0 };

  for (size_t i = 0; i < n_numbers; i++)
    trace->lanes[i % SS_TRACE_LANES] =
        absorb (trace->lanes[i % SS_TRACE_LANES], numbers[i]);
  for (; len >= sizeof last; bytes += sizeof last, len -= sizeof last)
    add_block (trace, bytes);
  if (len > 0)
    memcpy (last, bytes, len);
  add_block (trace, last);
}

void
ss_trace_format (const SsTrace *trace, char ret_text[SS_TRACE_HASH_STRLEN])
{
  SsTrace end = *trace;

  for (unsigned round = 0; round < 2; round++)
    for (unsigned i = 0; i < SS_TRACE_LANES; i++) {
      uint64_t before = end.lanes[(i + SS_TRACE_LANES - 1) % SS_TRACE_LANES];

      end.lanes[i] = absorb (end.lanes[i], before ^ before >> 32);
    }
  g_snprintf (ret_text, SS_TRACE_HASH_STRLEN,
              "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
              end.lanes[0] ^ end.lanes[1], end.lanes[2] ^ end.lanes[3]);
}
