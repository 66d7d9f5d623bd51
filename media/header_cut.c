/* Cuts comments and metadata to the size that travels; see header_cut.h. */
#include "media/header_cut.h"

#include <string.h>

/* Beside large comments, the small ones (title, artist) must survive. */
#define COMMENT_LEN_MAX 4096

#define FLAC_BLOCK_TYPE_MASK  0x7f
#define FLAC_BLOCK_LAST       0x80
#define FLAC_TYPE_COMMENT     4
#define FLAC_BLOCK_HEADER_LEN 4
#define FLAC_ID_BLOCK_AT      13
#define FLAC_ID_COUNT_AT      7

static size_t
total_len (const GPtrArray *packets)
{
  size_t total = 0;
  for (unsigned i = 0; i < packets->len; i++)
    total += g_bytes_get_size (packets->pdata[i]);
  return total;
}

static uint32_t
read_le32 (const uint8_t *p)
{
  return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
         | (uint32_t) p[3] << 24;
}

static void
append_le32 (GByteArray *out, size_t value)
{
  uint8_t bytes[4] = { value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff,
                       (value >> 24) & 0xff };
  g_byte_array_append (out, bytes, 4);
}

static bool
is_picture (const uint8_t *comment, size_t len)
{
  static const char *const names[] = { "METADATA_BLOCK_PICTURE=", "COVERART=" };
  for (unsigned i = 0; i < G_N_ELEMENTS (names); i++) {
    size_t n = strlen (names[i]);
    if (len >= n
        && g_ascii_strncasecmp ((const char *) comment, names[i], n) == 0)
      return true;
  }
  return false;
}

/* Copies a comment block (the same in all three codecs: vendor, count,
 * comments, each with a 32-bit length) into `out`, keeping in their order the
 * comments that fit in `room` bytes. A malformed block keeps what came before
 * the damage. */
static void
cut_comments (GByteArray *out, const uint8_t *data, size_t len, size_t room)
{
  size_t vendor_len = 0, at = 0;
  if (len >= 4 && read_le32 (data) <= len - 4) {
    vendor_len = read_le32 (data);
    at = 4 + vendor_len;
  } else
    len = 0;
  if (vendor_len > COMMENT_LEN_MAX || vendor_len + 8 > room)
    vendor_len = 0;
  append_le32 (out, vendor_len);
  if (vendor_len > 0)
    g_byte_array_append (out, data + 4, (guint) vendor_len);
  size_t count_at = out->len, used = vendor_len + 8, n_kept = 0;
  append_le32 (out, 0);
  uint32_t count = len >= at + 4 ? read_le32 (data + at) : 0;
  at += 4;
  for (uint32_t i = 0; i < count && at + 4 <= len; i++) {
    size_t n = read_le32 (data + at);
    if (n > len - at - 4)
      break;
    const uint8_t *comment = data + at + 4;
    if (n <= COMMENT_LEN_MAX && used + 4 + n <= room
        && !is_picture (comment, n)) {
      append_le32 (out, n);
      g_byte_array_append (out, comment, (guint) n);
      used += 4 + n;
      n_kept++;
    }
    at += 4 + n;
  }
  for (unsigned i = 0; i < 4; i++)
    out->data[count_at + i] = (n_kept >> (8 * i)) & 0xff;
}

static void
replace (GPtrArray *packets, unsigned i, GByteArray *with)
{
  g_bytes_unref (packets->pdata[i]);
  packets->pdata[i] = g_byte_array_free_to_bytes (with);
}

/* Opus and Vorbis: only the second packet may shrink. */
static bool
cut_second (GPtrArray *packets, size_t magic_len, bool framing)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (packets->pdata[1], &len);
  size_t fixed = total_len (packets) - len + magic_len + framing;
  if (fixed + 8 > SS_CODEC_HEADERS_LEN_MAX || len < magic_len)
    return false;
  GByteArray *out = g_byte_array_new ();
  g_byte_array_append (out, data, (guint) magic_len);
  cut_comments (out, data + magic_len, len - magic_len,
                SS_CODEC_HEADERS_LEN_MAX - fixed);
  if (framing)
    g_byte_array_append (out, (const uint8_t *) "\x01", 1);
  replace (packets, 1, out);
  return true;
}

/* Of FLAC's metadata only STREAMINFO, in the first packet, matters to a
 * decoder; the mapping wants a comment block behind it, so one stays. */
static bool
cut_flac (GPtrArray *packets)
{
  size_t id_len;
  const uint8_t *id = g_bytes_get_data (packets->pdata[0], &id_len);
  if (id_len + FLAC_BLOCK_HEADER_LEN + 8 > SS_CODEC_HEADERS_LEN_MAX
      || id_len <= FLAC_ID_BLOCK_AT)
    return false;
  GByteArray *first = g_byte_array_new ();
  g_byte_array_append (first, id, (guint) id_len);
  first->data[FLAC_ID_COUNT_AT] = 0;
  first->data[FLAC_ID_COUNT_AT + 1] = 1;
  first->data[FLAC_ID_BLOCK_AT] &= FLAC_BLOCK_TYPE_MASK;

  const uint8_t *comments = NULL;
  size_t comments_len = 0;
  for (unsigned i = 1; i < packets->len && comments == NULL; i++) {
    size_t len;
    const uint8_t *block = g_bytes_get_data (packets->pdata[i], &len);
    if (len > FLAC_BLOCK_HEADER_LEN
        && (block[0] & FLAC_BLOCK_TYPE_MASK) == FLAC_TYPE_COMMENT) {
      comments = block + FLAC_BLOCK_HEADER_LEN;
      comments_len = len - FLAC_BLOCK_HEADER_LEN;
    }
  }
  GByteArray *out = g_byte_array_new ();
  g_byte_array_set_size (out, FLAC_BLOCK_HEADER_LEN);
  cut_comments (out, comments, comments_len,
                SS_CODEC_HEADERS_LEN_MAX - id_len - FLAC_BLOCK_HEADER_LEN);
  size_t body_len = out->len - FLAC_BLOCK_HEADER_LEN;
  out->data[0] = FLAC_BLOCK_LAST | FLAC_TYPE_COMMENT;
  out->data[1] = (body_len >> 16) & 0xff;
  out->data[2] = (body_len >> 8) & 0xff;
  out->data[3] = body_len & 0xff;

  g_ptr_array_set_size (packets, 0);
  g_ptr_array_add (packets, g_byte_array_free_to_bytes (first));
  g_ptr_array_add (packets, g_byte_array_free_to_bytes (out));
  return true;
}

bool
ss_header_cut (SsCodec codec, GPtrArray *packets, bool *ret_cut)
{
  bool fits = packets->len <= SS_CODEC_HEADERS_MAX
              && total_len (packets) <= SS_CODEC_HEADERS_LEN_MAX;
  *ret_cut = !fits;
  if (fits)
    return true;
  switch (codec) {
  case SS_CODEC_OPUS:
    return packets->len == 2 && cut_second (packets, 8, false);
  case SS_CODEC_VORBIS:
    return packets->len == 3 && cut_second (packets, 7, true);
  case SS_CODEC_FLAC:
    return packets->len > 0 && cut_flac (packets);
  case SS_CODEC_NONE:
    break;
  }
  return false;
}
