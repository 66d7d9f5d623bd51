/* A hash by four lanes, as fast as memory: each takes two words at a time and
 * multiplies them into its state; at the end the lanes are mixed into each
 * other. It is good against accident only. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SS_LANES           4
#define SS_LANES_FACTOR    UINT64_C (0x9e3779b97f4a7c15)
#define SS_LANES_BLOCK_LEN (2 * SS_LANES * sizeof (uint64_t))

typedef struct {
  uint64_t words[SS_LANES];
} SsLanes;

/* Both halves of a product of two words, mixed. */
static inline uint64_t
ss_lane_absorb (uint64_t lane, uint64_t first, uint64_t second)
{
  __extension__ typedef unsigned __int128 Product;
  Product product = (Product) (lane ^ first) * (second ^ SS_LANES_FACTOR);

  return (uint64_t) product ^ (uint64_t) (product >> 64) ^ second;
}

static inline void
ss_lanes_init (SsLanes *lanes)
{
  for (unsigned i = 0; i < SS_LANES; i++)
    lanes->words[i] = SS_LANES_FACTOR * (i + 1);
}

/* Zeros fill the last block: who needs it adds the length, too. */
static inline void
ss_lanes_add (SsLanes *lanes, const uint8_t *bytes, size_t len)
{
  /* In registers: the compiler cannot know that bytes are not the lanes. */
  SsLanes own = *lanes;
  uint8_t last[SS_LANES_BLOCK_LEN] = { 0 };

  for (; len > 0; bytes += sizeof last, len -= MIN (len, sizeof last)) {
    if (len < sizeof last)
      bytes = memcpy (last, bytes, len);
    for (unsigned i = 0; i < SS_LANES; i++) {
      uint64_t words[2];

      memcpy (words, bytes + i * sizeof words, sizeof words);
      own.words[i] = ss_lane_absorb (own.words[i], GUINT64_FROM_LE (words[0]),
                                     GUINT64_FROM_LE (words[1]));
    }
  }
  *lanes = own;
}

static inline void
ss_lanes_finish (const SsLanes *lanes, uint64_t ret_words[2])
{
  const uint64_t *words = lanes->words;
  uint64_t low = ss_lane_absorb (SS_LANES_FACTOR, words[0], words[1]);
  uint64_t high = ss_lane_absorb (~SS_LANES_FACTOR, words[2], words[3]);

  ret_words[0] = ss_lane_absorb (low, high, words[0]);
  ret_words[1] = ss_lane_absorb (high, ret_words[0], words[3]);
}
