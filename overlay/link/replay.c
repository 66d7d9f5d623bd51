/* The replay window of RFC 6479, section 3.2. */
#include "overlay/link/replay.h"

bool
ss_replay_is_new (const SsReplay *replay, uint64_t counter)
{
  if (counter == UINT64_MAX)
    return false;
  if (counter >= replay->next)
    return true;
  if (replay->next - counter > SS_REPLAY_WINDOW)
    return false;
  uint64_t word = replay->words[counter / 64 % SS_REPLAY_WORDS];
  return (word >> (counter % 64) & 1) == 0;
}

bool
ss_replay_accept (SsReplay *replay, uint64_t counter)
{
  if (!ss_replay_is_new (replay, counter))
    return false;
  if (counter >= replay->next) {
    /* The words between the highest so far and the new one start empty. */
    uint64_t last = replay->next == 0 ? 0 : (replay->next - 1) / 64;
    uint64_t advance = counter / 64 - last;
    if (advance > SS_REPLAY_WORDS)
      advance = SS_REPLAY_WORDS;
    for (uint64_t i = 1; i <= advance; i++)
      replay->words[(last + i) % SS_REPLAY_WORDS] = 0;
    replay->next = counter + 1;
  }
  replay->words[counter / 64 % SS_REPLAY_WORDS] |= UINT64_C (1)
                                                   << (counter % 64);
  return true;
}
