/* Codec headers and packet durations; see codec.h. */
#include "media/codec.h"

#include <string.h>

#include "media/vorbis_setup.h"

#define OPUS_HEAD_LEN_MIN   19
#define VORBIS_ID_LEN       30
#define FLAC_ID_LEN         51 /* 13 bytes of mapping, 4 of block header, 34 */
#define FLAC_STREAMINFO     17
#define FLAC_BLOCK_LAST     0x80
#define FLAC_NUMBER_LEN_MAX 7

static bool
starts_with (const uint8_t *data, size_t len, const char *magic,
             size_t magic_len)
{
  return len >= magic_len && memcmp (data, magic, magic_len) == 0;
}

#define STARTS(data, len, literal) \
  starts_with ((data), (len), literal, sizeof (literal) - 1)

SsCodec
ss_codec_identify (const uint8_t *data, size_t len, const char **ret_name)
{
  SsCodec codec = SS_CODEC_NONE;
  const char *name = "an unknown codec";
  if (STARTS (data, len, "OpusHead"))
    codec = SS_CODEC_OPUS;
  else if (STARTS (data, len, "\x01vorbis"))
    codec = SS_CODEC_VORBIS;
  else if (STARTS (data, len,
                   "\x7f"
                   "FLAC"))
    codec = SS_CODEC_FLAC;
  else if (STARTS (data, len, "Speex   "))
    name = "Speex";
  else if (STARTS (data, len, "\x80theora"))
    name = "Theora";
  else if (STARTS (data, len, "OVP80"))
    name = "VP8";
  else if (STARTS (data, len, "fishead"))
    name = "Skeleton";
  else if (STARTS (data, len, "fLaC"))
    name = "FLAC in an old Ogg mapping";
  else if (STARTS (data, len, "PCM     "))
    name = "PCM";
  if (ret_name != NULL)
    *ret_name = codec == SS_CODEC_NONE ? name : ss_codec_name (codec);
  return codec;
}

const char *
ss_codec_name (SsCodec codec)
{
  switch (codec) {
  case SS_CODEC_OPUS:
    return "Opus";
  case SS_CODEC_VORBIS:
    return "Vorbis";
  case SS_CODEC_FLAC:
    return "FLAC";
  case SS_CODEC_NONE:
    break;
  }
  return "none";
}

/* Opus has two header packets and Vorbis three; FLAC marks its last metadata
 * block, and some muxers forget to: there the first frame's sync code ends
 * the headers. */
bool
ss_codec_is_header (SsCodec codec, unsigned n_before, const uint8_t *packet,
                    size_t len, bool *ret_last)
{
  bool last = false;
  switch (codec) {
  case SS_CODEC_OPUS:
    if (n_before > 1)
      return false;
    last = n_before == 1;
    break;
  case SS_CODEC_VORBIS:
    if (n_before > 2)
      return false;
    last = n_before == 2;
    break;
  case SS_CODEC_FLAC: {
    size_t at = n_before == 0 ? FLAC_ID_LEN - 38 : 0;
    if (len <= at || packet[at] == 0xff)
      return false;
    last = packet[at] & FLAC_BLOCK_LAST;
    break;
  }
  case SS_CODEC_NONE:
    return false;
  }
  *ret_last = last;
  return true;
}

static uint32_t
read_le32 (const uint8_t *p)
{
  return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
         | (uint32_t) p[3] << 24;
}

static bool
init_opus (SsCodecParser *parser, GBytes *const *packets, unsigned n_packets)
{
  size_t len;
  const uint8_t *head = g_bytes_get_data (packets[0], &len);
  if (n_packets != 2 || len < OPUS_HEAD_LEN_MIN || head[8] >> 4 != 0
      || head[9] == 0)
    return false;
  /* Mapping family 0 is mono or stereo; others carry a channel table. */
  if (head[18] == 0 ? head[9] > 2 : len < 21u + head[9])
    return false;
  size_t tags_len;
  const uint8_t *tags = g_bytes_get_data (packets[1], &tags_len);
  if (!STARTS (tags, tags_len, "OpusTags"))
    return false;
  parser->clock_rate = SS_OPUS_RATE;
  parser->n_channels = head[9];
  parser->pre_skip = head[10] | head[11] << 8;
  return true;
}

static bool
init_vorbis (SsCodecParser *parser, GBytes *const *packets, unsigned n_packets)
{
  size_t len, comment_len, setup_len;
  const uint8_t *id = g_bytes_get_data (packets[0], &len);
  if (n_packets != 3 || len < VORBIS_ID_LEN || read_le32 (id + 7) != 0
      || id[11] == 0 || read_le32 (id + 12) == 0)
    return false;
  unsigned log_short = id[28] & 15, log_long = id[28] >> 4;
  if (log_short < 6 || log_long > 13 || log_short > log_long
      || (id[29] & 1) == 0)
    return false;
  const uint8_t *comment = g_bytes_get_data (packets[1], &comment_len);
  const uint8_t *setup = g_bytes_get_data (packets[2], &setup_len);
  if (!STARTS (comment, comment_len, "\x03vorbis")
      || !STARTS (setup, setup_len, "\x05vorbis"))
    return false;
  parser->n_channels = id[11];
  parser->clock_rate = read_le32 (id + 12);
  parser->vorbis_block_len[0] = 1u << log_short;
  parser->vorbis_block_len[1] = 1u << log_long;
  parser->n_vorbis_modes =
      ss_vorbis_setup_modes (setup + 7, setup_len - 7, parser->n_channels,
                             parser->vorbis_mode_is_long);
  return parser->n_vorbis_modes > 0;
}

static bool
init_flac (SsCodecParser *parser, GBytes *const *packets, unsigned n_packets)
{
  size_t len;
  const uint8_t *id = g_bytes_get_data (packets[0], &len);
  if (n_packets < 1 || len < FLAC_ID_LEN || id[5] != 1
      || memcmp (id + 9, "fLaC", 4) != 0 || (id[13] & 0x7f) != 0)
    return false;
  const uint8_t *info = id + FLAC_STREAMINFO;
  uint32_t rate = (uint32_t) info[10] << 12 | info[11] << 4 | info[12] >> 4;
  if (rate == 0)
    return false;
  parser->clock_rate = rate;
  parser->n_channels = ((info[12] >> 1) & 7) + 1;
  return true;
}

bool
ss_codec_parser_init (SsCodecParser *parser, SsCodec codec,
                      GBytes *const *packets, unsigned n_packets)
{
  SsCodecParser fresh = { .codec = codec };
  bool ok = false;
  if (n_packets == 0)
    return false;
  switch (codec) {
  case SS_CODEC_OPUS:
    ok = init_opus (&fresh, packets, n_packets);
    break;
  case SS_CODEC_VORBIS:
    ok = init_vorbis (&fresh, packets, n_packets);
    break;
  case SS_CODEC_FLAC:
    ok = init_flac (&fresh, packets, n_packets);
    break;
  case SS_CODEC_NONE:
    break;
  }
  if (ok)
    *parser = fresh;
  return ok;
}

/* RFC 6716 table 2: SILK-only frames last 10 to 60 ms, hybrid 10 or 20,
 * CELT-only 2.5 to 20. */
static uint32_t
opus_frame_samples (uint8_t toc)
{
  unsigned config = toc >> 3;
  if (config < 12)
    return (config & 3) == 3 ? 2880 : 480u << (config & 3);
  if (config < 16)
    return 480u << (config & 1);
  return 120u << (config & 3);
}

static bool
opus_duration (const uint8_t *packet, size_t len, uint32_t *ret_duration)
{
  if (len == 0)
    return false;
  unsigned n_frames = 1;
  switch (packet[0] & 3) {
  case 1:
  case 2:
    n_frames = 2;
    break;
  case 3:
    if (len < 2)
      return false;
    n_frames = packet[1] & 63;
    break;
  default:
    break;
  }
  uint32_t samples = n_frames * opus_frame_samples (packet[0]);
  if (samples == 0 || samples > SS_OPUS_PACKET_SAMPLES_MAX)
    return false;
  *ret_duration = samples;
  return true;
}

static bool
vorbis_duration (SsCodecParser *parser, const uint8_t *packet, size_t len,
                 uint32_t *ret_duration)
{
  if (len == 0 || (packet[0] & 1) != 0)
    return false;
  /* At most 6 bits of mode number follow the packet type: one byte holds
   * both. */
  unsigned mode_bits = g_bit_storage (parser->n_vorbis_modes - 1);
  if (parser->n_vorbis_modes == 1)
    mode_bits = 0;
  unsigned mode = (packet[0] >> 1) & ((1u << mode_bits) - 1);
  if (mode >= parser->n_vorbis_modes)
    return false;
  unsigned block = parser->vorbis_block_len[parser->vorbis_mode_is_long[mode]];
  unsigned previous = parser->vorbis_block_len_previous;
  *ret_duration = previous == 0 ? 0 : previous / 4 + block / 4;
  parser->vorbis_block_len_previous = block;
  return true;
}

/* Where the coded number of a FLAC frame header ends; 0: not a header. */
static size_t
flac_number_end (const uint8_t *packet, size_t len)
{
  if (len < 6 || packet[0] != 0xff || (packet[1] & 0xfe) != 0xf8)
    return 0;
  uint8_t first = packet[4];
  if (first < 0x80)
    return 5;
  /* UTF-8 stretched to 36 bits: as many leading ones as there are bytes. */
  size_t n = 0;
  while (n < 8 && (first & (0x80 >> n)) != 0)
    n++;
  if (n < 2 || n > FLAC_NUMBER_LEN_MAX || len < 4 + n)
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((packet[4 + i] & 0xc0) != 0x80)
      return 0;
  return 4 + n;
}

static bool
flac_duration (const uint8_t *packet, size_t len, uint32_t *ret_duration)
{
  size_t at = flac_number_end (packet, len);
  if (at == 0)
    return false;
  unsigned code = packet[2] >> 4;
  if (code == 0)
    return false;
  if (code == 1)
    *ret_duration = 192;
  else if (code <= 5)
    *ret_duration = 576u << (code - 2);
  else if (code == 6) {
    if (len < at + 1)
      return false;
    *ret_duration = packet[at] + 1u;
  } else if (code == 7) {
    if (len < at + 2)
      return false;
    *ret_duration = (packet[at] << 8 | packet[at + 1]) + 1u;
  } else
    *ret_duration = 256u << (code - 8);
  return true;
}

bool
ss_codec_parser_packet (SsCodecParser *parser, const uint8_t *packet,
                        size_t len, uint32_t *ret_duration)
{
  switch (parser->codec) {
  case SS_CODEC_OPUS:
    return opus_duration (packet, len, ret_duration);
  case SS_CODEC_VORBIS:
    return vorbis_duration (parser, packet, len, ret_duration);
  case SS_CODEC_FLAC:
    return flac_duration (packet, len, ret_duration);
  case SS_CODEC_NONE:
    break;
  }
  return false;
}

void
ss_codec_parser_reset (SsCodecParser *parser)
{
  parser->vorbis_block_len_previous = 0;
}

SsCodecHeaders *
ss_codec_headers_new (const SsCodecParser *parser, GBytes *const *packets,
                      unsigned n_packets)
{
  g_assert (n_packets <= SS_CODEC_HEADERS_MAX);
  SsCodecHeaders *headers = g_new0 (SsCodecHeaders, 1);
  headers->codec = parser->codec;
  headers->clock_rate = parser->clock_rate;
  headers->n_packets = n_packets;
  for (unsigned i = 0; i < n_packets; i++)
    headers->packets[i] = g_bytes_ref (packets[i]);
  return headers;
}

SsTime
ss_samples_to_time (int64_t n_samples, uint32_t clock_rate)
{
  int64_t rate = clock_rate;
  return n_samples / rate * SS_SEC
         + (n_samples % rate * SS_SEC + rate / 2) / rate;
}

int64_t
ss_time_to_samples (SsTime time, uint32_t clock_rate)
{
  int64_t rate = clock_rate;
  return time / SS_SEC * rate + (time % SS_SEC * rate + SS_SEC / 2) / SS_SEC;
}
