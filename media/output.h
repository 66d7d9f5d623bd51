/* The receive side: frames that are due go in, and out comes Ogg on a file
 * descriptor or sound from the loudspeaker. What a reader does not take at
 * once a thread writes, so that no reader, however slow, holds up the caller.
 * SIGPIPE must be ignored.
 *
 * What a slow reader leaves behind is kept up to a bound; beyond it the
 * oldest frames are dropped. That happens before they become pages: what is
 * written stays a well-formed stream with a hole in its time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/frame.h"

/* What waits for the reader: whichever is reached first. */
#define SS_OUTPUT_WAITING_BYTES_MAX  (1u << 20)
#define SS_OUTPUT_WAITING_FRAMES_MAX 4096

typedef enum {
  SS_OUTPUT_OPEN,
  SS_OUTPUT_DONE,   /* finished, and all of it was written */
  SS_OUTPUT_GONE,   /* the reader closed its end: nothing to complain of */
  SS_OUTPUT_FAILED, /* cannot be written; see ss_output_take_error */
} SsOutputState;

typedef struct {
  SsOutputState state;
  bool is_mute; /* the player found no device to play on */
  uint64_t frames_written, frames_dropped, bytes_written;
} SsOutputStatus;

typedef struct SsOutput SsOutput;

/* `serial` (random) is the first Ogg serial number; links count up from it.
 * `name` is for messages ("standard output"). `fd` stays the caller's. */
SsOutput *ss_output_new_fd (int fd, const char *name, uint32_t serial);

/* Creates or truncates a file. */
SsOutput *ss_output_new_file (const char *path, uint32_t serial,
                              GError **error);

/* Plays through GStreamer's `sink`, a description as gst-launch takes it;
 * NULL: autoaudiosink. */
SsOutput *ss_output_new_player (const char *sink, GError **error);

/* Stops at once: call ss_output_finish and ss_output_wait before. */
void ss_output_free (SsOutput *output);

/* In presentation order, each when due. They copy or take references, never
 * block, and do nothing once the state has left OPEN. */
void ss_output_headers (SsOutput *output, const SsCodecHeaders *headers);
/* more: other frames follow at once, and this one is written with them. */
void ss_output_frame (SsOutput *output, const SsFrame *frame, bool more);

/* Nothing more will come: the stream is ended and the state becomes DONE once
 * all is written. */
void ss_output_finish (SsOutput *output);

/* Waits, at most so long, until the state has left OPEN; whether it has. */
bool ss_output_wait (SsOutput *output, SsTime timeout);

/* An eventfd: readable when the state has left OPEN, and once each when the
 * first frame was dropped and when the player turns out to be mute.
 * ss_output_status resets it. */
int ss_output_fd (const SsOutput *output);
void ss_output_status (SsOutput *output, SsOutputStatus *ret_status);

/* Why it FAILED (SS_MEDIA_ERROR_OUTPUT), once; else NULL. */
GError *ss_output_take_error (SsOutput *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SsOutput, ss_output_free)
