/* Codec headers: see the header. */
#include "splitstream/headers.h"

#include <string.h>

GBytes *
ss_headers_serialise (const SsCodecHeaders *headers)
{
  g_assert (headers->n_packets <= SS_CODEC_HEADERS_MAX);
  SsMsgCodecHeaders message;
  memset (&message, 0, sizeof message);
  message.version = headers->version;
  message.codec = (uint8_t) headers->codec;
  message.clock_rate = headers->clock_rate;
  GByteArray *all = g_byte_array_new ();
  for (unsigned i = 0; i < headers->n_packets; i++) {
    size_t len;
    const uint8_t *data = g_bytes_get_data (headers->packets[i], &len);
    if (all->len + len > SS_CODEC_HEADERS_LEN_MAX) {
      g_byte_array_unref (all);
      return NULL;
    }
    message.lengths[message.n_lengths++] = (uint16_t) len;
    g_byte_array_append (all, data, (unsigned) len);
  }
  message.packets =
      (SsWireBytes){ .data = all->data, .len = (uint16_t) all->len };
  uint8_t *buf = g_malloc (SS_MSG_CODEC_HEADERS_MAX);
  size_t len =
      ss_msg_codec_headers_encode (&message, buf, SS_MSG_CODEC_HEADERS_MAX);
  g_assert (len > 0);
  g_byte_array_unref (all);
  GBytes *bytes = g_bytes_new (buf, len);
  g_free (buf);
  return bytes;
}

SsCodecHeaders *
ss_headers_parse (const uint8_t *data, size_t len)
{
  SsMsgCodecHeaders message;
  if (!ss_msg_codec_headers_decode (data, len, &message) || message.version == 0
      || message.clock_rate == 0)
    return NULL;
  size_t left = message.packets.len;
  for (unsigned i = 0; i < message.n_lengths; i++) {
    if (message.lengths[i] > left)
      return NULL;
    left -= message.lengths[i];
  }
  if (left > 0)
    return NULL;
  SsCodecHeaders *headers = g_new0 (SsCodecHeaders, 1);
  headers->version = message.version;
  headers->codec = (SsCodec) message.codec;
  headers->clock_rate = message.clock_rate;
  headers->n_packets = message.n_lengths;
  const uint8_t *place = message.packets.data;
  for (unsigned i = 0; i < message.n_lengths; i++) {
    headers->packets[i] = g_bytes_new (place, message.lengths[i]);
    place += message.lengths[i];
  }
  return headers;
}

SsId
ss_headers_hash (const uint8_t *data, size_t len)
{
  const SsBytes part = { data, len };
  return ss_id_of_parts (&part, 1);
}

SsHeaderRef
ss_headers_ref (const SsCodecHeaders *headers, GBytes *serialised)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (serialised, &len);
  return (SsHeaderRef){
    .version = headers->version,
    .codec = headers->codec,
    .clock_rate = headers->clock_rate,
    .len = (uint32_t) len,
    .hash = ss_headers_hash (data, len),
  };
}

static void
forget_oldest (SsHeaderStore *store)
{
  g_bytes_unref (store->versions[0].bytes);
  ss_codec_headers_free (store->versions[0].headers);
  store->n--;
  memmove (&store->versions[0], &store->versions[1],
           store->n * sizeof store->versions[0]);
}

void
ss_header_store_clear (SsHeaderStore *store)
{
  while (store->n > 0)
    forget_oldest (store);
}

/* Versions have 8 bits and count round. */
static bool
is_newer (uint8_t a, uint8_t b)
{
  return (int8_t) (uint8_t) (a - b) > 0;
}

bool
ss_header_store_add (SsHeaderStore *store, GBytes *bytes)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  SsCodecHeaders *headers = ss_headers_parse (data, len);
  if (headers == NULL)
    return false;
  unsigned place = store->n;
  while (place > 0
         && is_newer (store->versions[place - 1].headers->version,
                      headers->version))
    place--;
  bool is_known =
      place > 0
      && store->versions[place - 1].headers->version == headers->version;
  if (is_known || (place == 0 && store->n == SS_HEADER_REFS_MAX)) {
    ss_codec_headers_free (headers);
    return false;
  }
  if (store->n == SS_HEADER_REFS_MAX) {
    forget_oldest (store);
    place--;
  }
  memmove (&store->versions[place + 1], &store->versions[place],
           (store->n - place) * sizeof store->versions[0]);
  store->n++;
  store->versions[place].bytes = g_bytes_ref (bytes);
  store->versions[place].headers = headers;
  return true;
}

const SsCodecHeaders *
ss_header_store_find (const SsHeaderStore *store, uint8_t version)
{
  for (unsigned i = 0; i < store->n; i++)
    if (store->versions[i].headers->version == version)
      return store->versions[i].headers;
  return NULL;
}

GBytes *
ss_header_store_bytes (const SsHeaderStore *store, uint8_t version)
{
  for (unsigned i = 0; i < store->n; i++)
    if (store->versions[i].headers->version == version)
      return store->versions[i].bytes;
  return NULL;
}

/* A part of headers that is in the window. */
static bool
parse_part (const SsReorder *reorder, uint64_t number, SsPacket *ret_packet)
{
  GBytes *bytes = ss_reorder_packet (reorder, number);
  if (bytes == NULL)
    return false;
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  return ss_packet_parse (data, len, ret_packet) && !ret_packet->is_parity
         && (ret_packet->flags & SS_PACKET_FLAG_HEADERS) != 0;
}

GBytes *
ss_headers_assemble (const SsReorder *reorder, uint64_t number)
{
  SsPacket packet;
  unsigned n = 0;
  while (parse_part (reorder, number, &packet)
         && (packet.flags & SS_PACKET_FLAG_TAIL) != 0 && number > 0
         && n++ < SS_HEADER_CHUNKS_MAX * 2)
    number--;
  GByteArray *all = g_byte_array_new ();
  for (n = 0; n < SS_HEADER_CHUNKS_MAX * 2; n++) {
    if (!parse_part (reorder, number + n, &packet)
        || (n == 0) != ((packet.flags & SS_PACKET_FLAG_TAIL) == 0))
      break;
    g_byte_array_append (all, packet.payload.data, packet.payload.len);
    if ((packet.flags & SS_PACKET_FLAG_HEAD) == 0)
      return g_byte_array_free_to_bytes (all);
  }
  g_byte_array_unref (all);
  return NULL;
}
