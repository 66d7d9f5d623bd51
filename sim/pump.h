/* What a broadcaster sends: codec headers, then a frame at a time, each when
 * it is due. */
#pragma once

#include "sim/network.h"

typedef struct {
  SsNetwork *network;
  unsigned node; /* the publisher */
  SsTime frame_time;
  /* The frame of that number; NULL: no more. */
  GBytes *(*make) (void *user, uint64_t number);
  void *user;
  /* So far: */
  SsTime start;      /* of the first; -1: none */
  uint64_t n_frames; /* pushed */
  uint64_t n_bytes;
} SsPump;

/* Of Opus, whatever is in the frames. The tag is in the headers' last packet,
 * at SS_PUMP_TAG_AT, so that listeners know which broadcast it is. */
#define SS_PUMP_TAG_AT   8
#define SS_PUMP_TAGS_LEN 32
void ss_pump_start (SsPump *pump, uint8_t tag);
