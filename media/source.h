/* The publish side: what is to go on the air, as headers and frames, ahead of
 * time. Ogg Opus, Vorbis and FLAC (and native FLAC) pass through packet by
 * packet; whatever else GStreamer decodes to audio becomes Opus.
 *
 * A thread reads ahead as far as the bounded queue allows; the consumer pulls
 * when it needs a frame, never blocks, and does all the pacing. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/frame.h"

/* Lookahead: whichever is reached first. */
#define SS_SOURCE_AHEAD_BYTES_MAX (1u << 20)
#define SS_SOURCE_AHEAD_ITEMS_MAX 512
#define SS_SOURCE_BITRATE_DEFAULT 96000
#define SS_SOURCE_BITRATE_MIN     6000
#define SS_SOURCE_BITRATE_MAX     510000

typedef struct {
  const char *const *sources; /* NULL-terminated: path, "-" or URI, in order */
  bool loop;                  /* begin again after the last */
  uint32_t bitrate;           /* of transcoded audio, bit/s; 0: the default */
} SsSourceOptions;

typedef enum {
  SS_SOURCE_HEADERS, /* `headers`, their version counted from 1 (after 255
                        comes 1); `name`: the source they come from */
  SS_SOURCE_FRAME,   /* `frame`, complete; timestamps run on over all sources
                        from 0, numbers count from 0 */
  SS_SOURCE_WARNING, /* `error`: a source is damaged, or was left out */
  SS_SOURCE_END,     /* the last item: all has been played */
  SS_SOURCE_ERROR,   /* the last item: the first source cannot be played */
} SsSourceItemKind;

typedef struct {
  SsSourceItemKind kind;
  SsCodecHeaders *headers;
  SsFrame frame;
  char *name;
  GError *error; /* SS_MEDIA_ERROR, one line */
} SsSourceItem;

typedef struct SsSource SsSource;

/* Looks at every source first: NULL with an error if one does not exist, is
 * a folder or may not be read. Options are copied. */
SsSource *ss_source_new (const SsSourceOptions *options, GError **error);

/* Waits for the thread, which takes no longer than 0.2 s or so. */
void ss_source_free (SsSource *source);

/* The next item, the caller's to clear; false when none is ready. */
bool ss_source_pull (SsSource *source, SsSourceItem *ret_item);
void ss_source_item_clear (SsSourceItem *item);

/* An eventfd to poll for reading: it becomes readable when an item arrives
 * after ss_source_pull returned false (and with the first one), and is reset
 * by ss_source_pull. Items left in the queue do not signal it. */
int ss_source_fd (const SsSource *source);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SsSource, ss_source_free)
