/* Header packets made to fit SsCodecHeaders: what no decoder needs (pictures,
 * long comments, seek tables, padding) goes first. RFC 7845 section 5.2,
 * Vorbis I section 5, FLAC metadata blocks. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/frame.h"

/* Replaces elements of `packets` (GBytes, owning) so that they number at most
 * SS_CODEC_HEADERS_MAX and weigh at most SS_CODEC_HEADERS_LEN_MAX together;
 * headers that already do stay as they are, byte by byte. False when what a
 * decoder needs is too large by itself. */
bool ss_header_cut (SsCodec codec, GPtrArray *packets, bool *ret_cut);
