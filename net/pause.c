/* Pauses: see the header. */
#include "net/pause.h"

void
ss_pause_init (SsPause *pause)
{
  *pause = (SsPause){ .until = SS_NEVER, .taken = -SS_SEC };
}

void
ss_pause_note (SsPause *pause, SsTime now, unsigned n, size_t len_max)
{
  bool was_polled = pause->until == SS_NEVER;
  bool is_more = n >= SS_PAUSE_STREAM;

  if (n > 0 && was_polled)
    is_more |=
        len_max >= SS_PAUSE_MEDIA_LEN || now - pause->taken < SS_PAUSE_TIME;
  if (n > 0)
    pause->taken = now;
  pause->until = is_more ? now + SS_PAUSE_TIME : SS_NEVER;
}
