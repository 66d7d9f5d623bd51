/* A media frame as the layers hand it on: one codec packet (or one set of
 * codec headers) with what a receiver needs to present it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

/* Codecs by their numbers on the wire. */
typedef enum {
  SS_CODEC_NONE = 0,
  SS_CODEC_OPUS = 1, /* RFC 6716 in RFC 7845's Ogg mapping */
  SS_CODEC_VORBIS = 2,
  SS_CODEC_FLAC = 3, /* Ogg FLAC mapping 1.0 */
} SsCodec;

#define SS_CODEC_HEADERS_LEN_MAX 65400 /* all header packets of one version */
#define SS_CODEC_HEADERS_MAX     16    /* header packets of one version */

/* The codec headers of one stretch of media ("header version"): the Ogg
 * header packets in order. A new source file, or a change of format, is a
 * new version; versions count from 1 within a session. Immutable once made. */
typedef struct {
  uint8_t version;
  SsCodec codec;
  uint32_t clock_rate; /* Hz: units of SsFrame.duration; 48000 for Opus */
  unsigned n_packets;
  GBytes *packets[SS_CODEC_HEADERS_MAX];
} SsCodecHeaders;

typedef struct {
  GBytes *data;           /* the codec packet, untouched; owned */
  uint8_t header_version; /* which SsCodecHeaders it is decoded with */
  SsTime timestamp;       /* since the session's start, at its first sample */
  uint32_t duration; /* in 1/clock_rate s; end trimming already taken off */
  uint64_t number;   /* frames count from 0 in a session; gaps are losses */
} SsFrame;

void ss_codec_headers_free (SsCodecHeaders *headers);
SsCodecHeaders *ss_codec_headers_copy (const SsCodecHeaders *headers);
