/* What media/ must know of a codec to carry it without decoding it: which
 * one it is, when its headers are complete, and how long each packet plays.
 *
 * Opus: RFC 6716 section 3.1 (TOC byte), RFC 7845 section 5 (headers).
 * Vorbis: Vorbis I specification sections 4.2 and 4.3.8 (a packet returns
 * a quarter of the previous block and a quarter of its own).
 * FLAC: frame header and the Ogg mapping, version 1. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

#define SS_VORBIS_MODES_MAX 64

/* Opus packets last at most 120 ms (RFC 6716 section 3.2.5). */
#define SS_OPUS_RATE               48000
#define SS_OPUS_PACKET_SAMPLES_MAX 5760

/* Follows one logical stream. Embedded; holds no memory of its own. */
typedef struct {
  SsCodec codec;
  uint32_t clock_rate;
  unsigned n_channels;
  unsigned pre_skip; /* Opus only, in samples */
  unsigned vorbis_block_len[2];
  unsigned n_vorbis_modes;
  bool vorbis_mode_is_long[SS_VORBIS_MODES_MAX];
  unsigned vorbis_block_len_previous; /* 0: none, the next packet is silent */
} SsCodecParser;

/* The codec whose first Ogg packet this is; SS_CODEC_NONE when it is not one
 * that passes through. `ret_name` (optional) gets a static name for messages,
 * also of some codecs that do not. */
SsCodec ss_codec_identify (const uint8_t *data, size_t len,
                           const char **ret_name);

const char *ss_codec_name (SsCodec codec);

/* Whether `packet`, the one that comes after `n_before` header packets of
 * `codec`, is a header packet; `ret_last` says that no other follows. */
bool ss_codec_is_header (SsCodec codec, unsigned n_before,
                         const uint8_t *packet, size_t len, bool *ret_last);

/* Reads the header packets. False, with `parser` untouched, when a decoder
 * would refuse them. */
bool ss_codec_parser_init (SsCodecParser *parser, SsCodec codec,
                           GBytes *const *packets, unsigned n_packets);

/* The samples that a decoder returns for the packet, had it decoded the one
 * before. False when it is no audio packet of this codec. */
bool ss_codec_parser_packet (SsCodecParser *parser, const uint8_t *packet,
                             size_t len, uint32_t *ret_duration);

/* Something was lost: the next packet has no predecessor. */
void ss_codec_parser_reset (SsCodecParser *parser);

/* Samples of a clock as time and back, to the nearest; both at least 0. */
SsTime ss_samples_to_time (int64_t n_samples, uint32_t clock_rate);
int64_t ss_time_to_samples (SsTime time, uint32_t clock_rate);

/* Everything but `version`, from header packets that have passed
 * ss_codec_parser_init and are within the limits; takes references. */
SsCodecHeaders *ss_codec_headers_new (const SsCodecParser *parser,
                                      GBytes *const *packets,
                                      unsigned n_packets);
