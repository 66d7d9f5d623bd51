/* A hash by four lanes of words, as fast as memory: each lane takes its word,
 * is multiplied and rotated; at the end the lanes are mixed into each other.
 * It is good against accident only. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SS_LANES           4
#define SS_LANES_FACTOR    UINT64_C (0x9e3779b97f4a7c15)
#define SS_LANES_ROTATION  29
#define SS_LANES_BLOCK_LEN (SS_LANES * sizeof (uint64_t))

typedef struct {
  uint64_t words[SS_LANES];
} SsLanes;

static inline uint64_t
ss_lane_absorb (uint64_t lane, uint64_t word)
{
  lane = (lane ^ word) * SS_LANES_FACTOR;
  return lane << SS_LANES_ROTATION | lane >> (64 - SS_LANES_ROTATION);
}

static inline void
ss_lanes_init (SsLanes *lanes)
{
  for (unsigned i = 0; i < SS_LANES; i++)
    lanes->words[i] = SS_LANES_FACTOR * (i + 1);
}

static inline void
ss_lanes_add_block (SsLanes *lanes, const void *block)
{
  uint64_t words[SS_LANES];

  memcpy (words, block, sizeof words);
  for (unsigned i = 0; i < SS_LANES; i++)
    lanes->words[i] =
        ss_lane_absorb (lanes->words[i], GUINT64_FROM_LE (words[i]));
}

/* Zeros fill the last block: who needs it adds the length, too. */
static inline void
ss_lanes_add (SsLanes *lanes, const uint8_t *bytes, size_t len)
{
  uint8_t last[SS_LANES_BLOCK_LEN] = { 0 };

  for (; len >= sizeof last; bytes += sizeof last, len -= sizeof last)
    ss_lanes_add_block (lanes, bytes);
  if (len > 0)
    memcpy (last, bytes, len);
  ss_lanes_add_block (lanes, last);
}

static inline void
ss_lanes_finish (const SsLanes *lanes, uint64_t ret_words[2])
{
  SsLanes end = *lanes;

  for (unsigned round = 0; round < 2; round++)
    for (unsigned i = 0; i < SS_LANES; i++) {
      uint64_t before = end.words[(i + SS_LANES - 1) % SS_LANES];

      end.words[i] = ss_lane_absorb (end.words[i], before ^ before >> 32);
    }
  ret_words[0] = end.words[0] ^ end.words[1];
  ret_words[1] = end.words[2] ^ end.words[3];
}
