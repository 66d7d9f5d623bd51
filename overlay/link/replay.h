/* Which datagrams of a session have been received: the sliding window of
 * RFC 6479, a ring of words in which advancing clears whole words and never
 * shifts. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SS_REPLAY_WORDS 32
#define SS_REPLAY_BITS  (SS_REPLAY_WORDS * 64)
/* One word is always the one being filled. */
#define SS_REPLAY_WINDOW (SS_REPLAY_BITS - 64)

typedef struct {
  uint64_t next; /* the highest counter received, plus one */
  uint64_t words[SS_REPLAY_WORDS];
} SsReplay;

/* Would this counter be new? Asked before the seal is checked. */
bool ss_replay_is_new (const SsReplay *replay, uint64_t counter);
/* Marks it; false if it was not new. Called after the seal was found right.*/
bool ss_replay_accept (SsReplay *replay, uint64_t counter);
