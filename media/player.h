/* Sound: Ogg pages in, through GStreamer, to the loudspeaker. One pipeline
 * for each chain link. For one thread's use. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

/* Frames arrive when they are due: what the sound card reads ahead, and the
 * jitter of their arrival, must come on top. */
#define SS_PLAYER_LATENCY_MSEC 250

typedef struct SsPlayer SsPlayer;

/* `sink` as gst-launch takes it; NULL: autoaudiosink. */
SsPlayer *ss_player_new (const char *sink, GError **error);
void ss_player_free (SsPlayer *player);

/* The sound card lags behind: write later. */
bool ss_player_is_full (const SsPlayer *player);

/* False with an error when the pipeline has failed. */
bool ss_player_write (SsPlayer *player, const uint8_t *pages, size_t len,
                      GError **error);

/* No device was found: what is written is played to nobody. Known soon after
 * the first page. */
bool ss_player_is_mute (const SsPlayer *player);

/* No more pages of this link. What was written plays on; ss_player_drain
 * waits for it, at most so long, and says whether all of it was heard. */
void ss_player_end_link (SsPlayer *player);
bool ss_player_drain (SsPlayer *player, SsTime timeout);
