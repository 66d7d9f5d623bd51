/* When the socket is left alone. A burst on its way down sixteen trees comes
 * in many small pieces, and waking up costs more than a datagram does. So its
 * first piece is taken at once, for others may wait for it, and the next look
 * is SS_PAUSE_TIME later; then the socket is polled again. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/time.h"

#define SS_PAUSE_TIME (8 * SS_MSEC)
/* A datagram so long is media, and others come with it; of shorter ones the
 * next comes soon if the last did. */
#define SS_PAUSE_MEDIA_LEN 256
/* After a pause that has brought so many there is another. */
#define SS_PAUSE_STREAM 16

typedef struct {
  SsTime until; /* SS_NEVER: the socket is polled */
  SsTime taken; /* when datagrams came last */
} SsPause;

void ss_pause_init (SsPause *pause);
/* A look at the socket has brought n datagrams, the longest of this length. */
void ss_pause_note (SsPause *pause, SsTime now, unsigned n, size_t len_max);
