/* A broadcast to stations over a fake Scribe: what was pushed, to be compared
 * with what comes out. */
#pragma once

#include "tests/harness/station_world.h"

enum { SHOW_RATE = 48000, SHOW_FRAMES_MAX = 20000 };

/* A broadcast, and what was pushed. */
typedef struct {
  StationWorld *world;
  StationNode *publisher;
  SsRng rng;
  SsSigner signer;
  uint8_t seed[SS_SEED_LEN];
  SsStationParams params;
  uint32_t session;
  SsTime age;     /* the first frame's timestamp */
  SsTime started; /* the world's time at media time 0 */
  SsTime frame_time;
  size_t len_min, len_max;
  unsigned n_pushed;
  uint8_t version;
  GBytes *frames[SHOW_FRAMES_MAX];
  uint8_t versions[SHOW_FRAMES_MAX];
  GBytes *header_packet; /* of the newest version */
} Show;

Show *show_new (uint64_t seed, const StationWorldOptions *options,
                unsigned parity, SsTime latency);
void show_free (Show *show);
void show_push_headers (Show *show, size_t len);
void show_go_on_air (Show *show, size_t header_len);
StationNode *show_tune_in (Show *show, SsTime buffer);
/* Pushes frames in real time, as long as that takes. */
void show_play (Show *show, SsTime duration);
/* On the air for five seconds, with one listener. */
Show *show_with_one (StationNode **ret_node);
/* No more frames; all that is on its way comes. */
void show_end (Show *show);
/* In order, unchanged, on time. The first frame out; -1 if there is none. */
int64_t show_check_frames (const Show *show, const StationNode *node,
                           SsTime buffer, SsTime slack);
/* All frames from the first one out to the last one pushed are there. */
void show_check_whole (const Show *show, const StationNode *node);
