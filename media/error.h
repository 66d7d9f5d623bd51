/* What can go wrong with media, by what it means to who started the program.
 * Messages are one line: what failed, on what, and what to do about it. */
#pragma once

#include <glib.h>

#define SS_MEDIA_ERROR (ss_media_error_quark ())

typedef enum {
  SS_MEDIA_ERROR_UNREADABLE,  /* no such file, no permission, read error */
  SS_MEDIA_ERROR_NOT_MEDIA,   /* readable, but nothing in it can be played */
  SS_MEDIA_ERROR_UNSUPPORTED, /* Ogg, but a codec that must be transcoded */
  SS_MEDIA_ERROR_TRUNCATED,   /* ends before its first frame */
  SS_MEDIA_ERROR_DECODER,     /* GStreamer lacks an element, or gave up */
  SS_MEDIA_ERROR_OUTPUT,      /* the output cannot be created or written */
} SsMediaError;

GQuark ss_media_error_quark (void);
