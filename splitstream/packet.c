/* Media packets: drafting, signing, verifying. See the header.
 *
 * Signed is a hash tree's top. A leaf is
 *   BLAKE2b-128 (0x00 || station key || stripe || sequence || type ||
 *                the packet after its path),
 * an inner node has 0x01 in front (merkle.c), and the signature is over
 *   "splitstream packet 1" || top.
 * Everything of a packet is bound: what precedes the path's end is the
 * signature, which nobody else can vary, and the way to the top. */
#include "splitstream/packet.h"

#include <string.h>

enum {
  LEAF = 0x00,
  /* Type, signature, leaf, count of the path's numbers. */
  PATH_OFFSET = 1 + SS_SIGNATURE_LEN + 1 + 1,
  DEPARTURE_UNIT_SHIFT = 8, /* 256 us */
};

static const char context[] = "splitstream packet 1";

uint32_t
ss_packet_departure_to_wire (SsTime media_time)
{
  return (uint32_t) ((media_time / SS_USEC) >> DEPARTURE_UNIT_SHIFT);
}

uint32_t
ss_packet_timestamp_to_wire (SsTime media_time)
{
  return (uint32_t) (media_time / SS_USEC);
}

static SsTime
unwrap (uint32_t wire, int64_t near)
{
  return near + (int32_t) (wire - (uint32_t) near);
}

SsTime
ss_packet_departure (uint32_t wire, SsTime near)
{
  return unwrap (wire, (near / SS_USEC) >> DEPARTURE_UNIT_SHIFT)
         * (SS_USEC << DEPARTURE_UNIT_SHIFT);
}

SsTime
ss_packet_timestamp (uint32_t wire, SsTime near)
{
  return unwrap (wire, near / SS_USEC) * SS_USEC;
}

/* Takes the parts of a data packet's payload and their durations out. */
static bool
parse_frames (const SsMsgMediaData *message, SsPacket *packet)
{
  bool is_long = (packet->flags & SS_PACKET_FLAG_LONG) != 0;
  unsigned n_durations = message->n_durations;
  packet->n_frames = 0;
  if (n_durations == 0) {
    /* Headers, a beacon, or the end's mark. */
    bool has_payload = (packet->flags & SS_PACKET_FLAG_HEADERS) != 0;
    return message->n_lengths == 0 && !is_long
           && (has_payload
               || (message->payload.len == 0
                   && (packet->flags & SS_PACKET_FLAG_TAIL) == 0
                   && (packet->flags & SS_PACKET_FLAG_HEAD) == 0));
  }
  if ((packet->flags & (SS_PACKET_FLAG_HEADERS | SS_PACKET_FLAG_END)) != 0)
    return false;
  if (is_long && n_durations % 2 != 0)
    return false;
  if (is_long)
    n_durations /= 2;
  packet->n_frames = message->n_lengths + 1u;
  if (n_durations > packet->n_frames)
    return false;
  for (unsigned i = 0; i < packet->n_frames; i++) {
    unsigned k = MIN (i, n_durations - 1);
    packet->durations[i] = is_long ? (uint32_t) message->durations[2 * k] << 16
                                         | message->durations[2 * k + 1]
                                   : message->durations[k];
  }
  size_t left = message->payload.len;
  for (unsigned i = 0; i + 1 < packet->n_frames; i++) {
    packet->lens[i] = message->lengths[i];
    if (packet->lens[i] > left)
      return false;
    left -= packet->lens[i];
  }
  packet->lens[packet->n_frames - 1] = (uint16_t) left;
  return true;
}

/* A node of the path is two numbers on the wire, and its bytes are theirs. */
static bool
parse_path (const uint8_t *data, unsigned n_numbers, SsPacket *packet)
{
  if (n_numbers % 2 != 0 || n_numbers / 2 > SS_MERKLE_DEPTH_MAX)
    return false;
  packet->depth = n_numbers / 2;
  packet->leaf = data[PATH_OFFSET - 2];
  if (packet->leaf >= 1u << packet->depth)
    return false;
  memcpy (packet->signature, data + 1, SS_SIGNATURE_LEN);
  memcpy (packet->path, data + PATH_OFFSET, 8 * n_numbers);
  packet->signed_offset = PATH_OFFSET + 8 * n_numbers;
  return true;
}

static bool
parse_data (const uint8_t *data, size_t len, SsPacket *ret_packet)
{
  SsMsgMediaData message;
  if (len > SS_PACKET_DATA_MAX
      || !ss_msg_media_data_decode (data, len, &message))
    return false;
  ret_packet->is_parity = false;
  ret_packet->session = message.session;
  ret_packet->parity_count = message.flags >> SS_PACKET_PARITY_SHIFT;
  ret_packet->departure = message.departure;
  ret_packet->row_low = message.place >> 4;
  ret_packet->index = message.place & 0xf;
  ret_packet->flags = message.flags & SS_PACKET_FLAGS;
  ret_packet->header_version = message.header_version;
  ret_packet->timestamp = message.timestamp;
  ret_packet->frame_number = message.frame_number;
  ret_packet->payload = message.payload;
  return ret_packet->parity_count <= SS_PARITY_MAX
         && ret_packet->index < SS_STRIPES - ret_packet->parity_count
         && parse_frames (&message, ret_packet)
         && parse_path (data, message.n_path, ret_packet);
}

static bool
parse_parity (const uint8_t *data, size_t len, SsPacket *ret_packet)
{
  SsMsgMediaParity message;
  if (!ss_msg_media_parity_decode (data, len, &message))
    return false;
  ret_packet->is_parity = true;
  ret_packet->session = message.session;
  ret_packet->parity_count = message.parity;
  ret_packet->departure = message.departure;
  ret_packet->first = message.first;
  ret_packet->n_data = message.n_data;
  ret_packet->payload = message.shard;
  return message.parity >= 1 && message.parity <= SS_PARITY_MAX
         && message.n_data >= 1 && message.n_data <= SS_STRIPES - message.parity
         && parse_path (data, message.n_path, ret_packet);
}

bool
ss_packet_parse (const uint8_t *data, size_t len, SsPacket *ret_packet)
{
  if (len == 0 || len > SS_SCRIBE_PACKET_MAX)
    return false;
  if (data[0] == SS_MSG_MEDIA_DATA)
    return parse_data (data, len, ret_packet);
  if (data[0] == SS_MSG_MEDIA_PARITY)
    return parse_parity (data, len, ret_packet);
  return false;
}

GBytes *
ss_packet_draft_data (const SsMsgMediaData *message)
{
  uint8_t buf[SS_PACKET_DRAFT_MAX];
  size_t len = ss_msg_media_data_encode (message, buf, sizeof buf);
  g_assert (len > 0);
  return g_bytes_new (buf, len);
}

GBytes *
ss_packet_draft_parity (const SsMsgMediaParity *message)
{
  uint8_t buf[SS_SCRIBE_PACKET_MAX];
  size_t len = ss_msg_media_parity_encode (message, buf, sizeof buf);
  g_assert (len > 0);
  g_assert (len + 4 * SS_MERKLE_NODE_LEN <= SS_SCRIBE_PACKET_MAX);
  return g_bytes_new (buf, len);
}

static SsMerkleNode
hash_leaf (const SsKey *key, unsigned stripe, uint32_t sequence, uint8_t type,
           const uint8_t *text, size_t len, SsMemo *memo)
{
  uint32_t big_endian = GUINT32_TO_BE (sequence);
  uint8_t head[1 + SS_KEY_LEN + 1 + 4 + 1];
  head[0] = LEAF;
  memcpy (head + 1, key->b, SS_KEY_LEN);
  head[1 + SS_KEY_LEN] = (uint8_t) stripe;
  memcpy (head + 2 + SS_KEY_LEN, &big_endian, 4);
  head[6 + SS_KEY_LEN] = type;
  const SsBytes parts[] = { { head, sizeof head }, { text, len } };
  SsMerkleNode leaf;
  G_STATIC_ASSERT (sizeof leaf.b == SS_DIGEST_LEN);
  ss_signer_digest (parts, G_N_ELEMENTS (parts), memo, leaf.b);
  return leaf;
}

static void
signed_text (const SsMerkleNode *top,
             uint8_t ret_text[sizeof context - 1 + SS_MERKLE_NODE_LEN])
{
  memcpy (ret_text, context, sizeof context - 1);
  memcpy (ret_text + sizeof context - 1, top->b, SS_MERKLE_NODE_LEN);
}

/* The draft with its signature and path put in. */
static GBytes *
finish (GBytes *draft, const uint8_t *signature, unsigned leaf,
        const SsMerkleNode *path, unsigned depth)
{
  size_t len;
  const uint8_t *text = g_bytes_get_data (draft, &len);
  size_t path_len = depth * SS_MERKLE_NODE_LEN;
  uint8_t *packet = g_malloc (len + path_len);
  packet[0] = text[0];
  memcpy (packet + 1, signature, SS_SIGNATURE_LEN);
  packet[PATH_OFFSET - 2] = (uint8_t) leaf;
  packet[PATH_OFFSET - 1] = (uint8_t) (2 * depth);
  for (unsigned i = 0; i < depth; i++)
    memcpy (packet + PATH_OFFSET + i * SS_MERKLE_NODE_LEN, path[i].b,
            SS_MERKLE_NODE_LEN);
  memcpy (packet + PATH_OFFSET + path_len, text + PATH_OFFSET,
          len - PATH_OFFSET);
  return g_bytes_new_take (packet, len + path_len);
}

static void
sign_group (const SsSigner *signer, SsPacketDraft *drafts, unsigned n)
{
  SsMerkleNode leaves[SS_PACKET_BURST_MAX] = { { { 0 } } };
  for (unsigned i = 0; i < n; i++) {
    size_t len;
    const uint8_t *text = g_bytes_get_data (drafts[i].draft, &len);
    g_assert (len > PATH_OFFSET);
    g_assert (text[PATH_OFFSET - 1] == 0);
    leaves[i] =
        hash_leaf (&signer->key, drafts[i].stripe, drafts[i].sequence, text[0],
                   text + PATH_OFFSET, len - PATH_OFFSET, NULL);
  }
  SsMerkleNode top = ss_merkle_top (leaves, n);
  uint8_t text[sizeof context - 1 + SS_MERKLE_NODE_LEN];
  signed_text (&top, text);
  uint8_t signature[SS_SIGNATURE_LEN];
  ss_signer_sign (signer, text, sizeof text, signature);
  for (unsigned i = 0; i < n; i++) {
    SsMerkleNode path[SS_MERKLE_DEPTH_MAX];
    unsigned depth = ss_merkle_path (leaves, n, i, path);
    GBytes *packet = finish (drafts[i].draft, signature, i, path, depth);
    g_bytes_unref (drafts[i].draft);
    drafts[i].draft = packet;
  }
}

void
ss_packet_sign (const SsSigner *signer, SsPacketDraft *drafts, unsigned n,
                unsigned burst_max)
{
  g_assert (burst_max >= 1);
  g_assert (burst_max <= SS_PACKET_BURST_MAX);
  for (unsigned i = 0; i < n; i += burst_max)
    sign_group (signer, drafts + i, MIN (burst_max, n - i));
}

bool
ss_packet_verify (SsPacketTops *tops, const SsKey *key, unsigned stripe,
                  uint32_t sequence, const SsPacket *packet,
                  const uint8_t *data, size_t len, SsMemo *memo)
{
  g_assert (packet->signed_offset <= len);
  SsMerkleNode leaf =
      hash_leaf (key, stripe, sequence, data[0], data + packet->signed_offset,
                 len - packet->signed_offset, memo);
  for (unsigned i = 0; i < SS_PACKET_TOPS; i++)
    if (tops->tops[i].used
        && memcmp (tops->tops[i].signature, packet->signature, SS_SIGNATURE_LEN)
               == 0
        && ss_merkle_recognise (&tops->tops[i].tree, &leaf, packet->leaf,
                                packet->path, packet->depth))
      return true;
  SsMerkleNode top =
      ss_merkle_climb (&leaf, packet->leaf, packet->path, packet->depth);
  uint8_t text[sizeof context - 1 + SS_MERKLE_NODE_LEN];
  signed_text (&top, text);
  tops->n_verified++;
  if (!ss_signer_verify (key, text, sizeof text, packet->signature))
    return false;
  if (packet->depth > 0 && packet->depth <= SS_MERKLE_KNOWN_MAX) {
    tops->tops[tops->next].used = true;
    ss_merkle_know (&tops->tops[tops->next].tree, &leaf, packet->leaf,
                    packet->path, packet->depth);
    memcpy (tops->tops[tops->next].signature, packet->signature,
            SS_SIGNATURE_LEN);
    tops->next = (tops->next + 1) % SS_PACKET_TOPS;
  }
  return true;
}
