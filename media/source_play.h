/* Plays one source after the other into an item queue: what the thread behind
 * an SsSource does. Not for other folders. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "media/item_queue.h"

typedef struct {
  SsItemQueue *queue;
  uint32_t bitrate;
  /* The time line over all sources. */
  uint8_t version;
  uint64_t number;
  SsTime link_base; /* timestamp of the current link's first sample */
  SsTime end;       /* timestamp behind the last frame */
  /* The current source. */
  const char *name;
  SsCodecHeaders *headers; /* wait for their first frame; NULL: none do */
  uint32_t clock_rate;
  uint64_t n_frames;
} SsSourcePlay;

/* Whether `name` is a URI; else it is a path, or "-". `ret_path` (optional)
 * gets the path of a file URI, else NULL; free it. */
bool ss_source_is_uri (const char *name, char **ret_path);

/* Blocks for as long as it takes. False with an error, which names the
 * source, if it gave no frame; false without one if the queue was stopped. */
bool ss_source_play (SsSourcePlay *play, const char *name, GError **error);
