/* Media packets: signing alone and in bursts, and every way to be refused.
 * Also Merkle trees, codec headers and descriptors as bytes. */
#include <string.h>

#include "splitstream/headers.h"
#include "splitstream/packet.h"

enum { STRIPE = 3 };

static SsSigner
make_signer (uint8_t number)
{
  uint8_t seed[SS_SEED_LEN] = { number };
  SsSigner signer;
  ss_signer_init (&signer, seed);
  return signer;
}

static GBytes *
draft (SsRng *rng, uint32_t session, unsigned payload_len)
{
  uint8_t payload[800];
  g_assert_cmpuint (payload_len, <=, sizeof payload);
  ss_rng_bytes (rng, payload, payload_len);
  SsMsgMediaData message;
  memset (&message, 0, sizeof message);
  message.session = session;
  message.flags = 1 << SS_PACKET_PARITY_SHIFT;
  message.header_version = 1;
  message.departure = 77;
  message.timestamp = 12345;
  message.frame_number = 9;
  message.n_durations = 1;
  message.durations[0] = 960;
  message.payload = (SsWireBytes){ payload, (uint16_t) payload_len };
  return ss_packet_draft_data (&message);
}

/* A burst of n on one stripe, sequences 0.. */
static void
make_burst (SsRng *rng, const SsSigner *signer, SsPacketDraft *drafts,
            unsigned n, unsigned burst_max)
{
  for (unsigned i = 0; i < n; i++)
    drafts[i] = (SsPacketDraft){
      .draft = draft (rng, 5, (unsigned) ss_rng_below (rng, 800)),
      .stripe = STRIPE,
      .sequence = i,
    };
  ss_packet_sign (signer, drafts, n, burst_max);
}

static bool
accepts (SsPacketTops *tops, const SsKey *key, unsigned stripe,
         uint32_t sequence, const uint8_t *data, size_t len)
{
  SsPacket packet;
  return ss_packet_parse (data, len, &packet)
         && ss_packet_verify (tops, key, stripe, sequence, &packet, data, len,
                              NULL);
}

static void
test_bursts (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 1);
  SsSigner signer = make_signer (1), other = make_signer (2);
  for (unsigned n = 1; n <= 40; n++) {
    SsPacketDraft drafts[40];
    unsigned burst_max = 1 + n % SS_PACKET_BURST_MAX;
    make_burst (&rng, &signer, drafts, n, burst_max);
    SsPacketTops tops = { .next = 0 };
    for (unsigned i = 0; i < n; i++) {
      size_t len;
      const uint8_t *data = g_bytes_get_data (drafts[i].draft, &len);
      SsPacketTops none = { .next = 0 };
      g_assert_cmpuint (len, <=, SS_PACKET_DATA_MAX);
      g_assert_true (accepts (&tops, &signer.key, STRIPE, i, data, len));
      g_assert_true (accepts (&none, &signer.key, STRIPE, i, data, len));
      g_assert_false (accepts (&tops, &signer.key, STRIPE + 1, i, data, len));
      g_assert_false (accepts (&tops, &signer.key, STRIPE, i + 1, data, len));
      g_assert_false (accepts (&none, &other.key, STRIPE, i, data, len));
      g_bytes_unref (drafts[i].draft);
    }
  }
  /* One signature checked for a whole burst. */
  SsPacketDraft drafts[SS_PACKET_BURST_MAX];
  make_burst (&rng, &signer, drafts, SS_PACKET_BURST_MAX, SS_PACKET_BURST_MAX);
  SsPacketTops tops = { .next = 0 };
  for (unsigned i = 0; i < SS_PACKET_BURST_MAX; i++) {
    size_t len;
    const uint8_t *data = g_bytes_get_data (drafts[i].draft, &len);
    g_assert_true (accepts (&tops, &signer.key, STRIPE, i, data, len));
    g_bytes_unref (drafts[i].draft);
  }
  g_assert_cmpuint (tops.n_verified, ==, 1);
}

static void
test_bit_flips (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 2);
  SsSigner signer = make_signer (1);
  for (unsigned n = 1; n <= 5; n += 4) {
    SsPacketDraft drafts[5];
    for (unsigned i = 0; i < n; i++)
      drafts[i] = (SsPacketDraft){ .draft = draft (&rng, 5, 20),
                                   .stripe = STRIPE,
                                   .sequence = i };
    ss_packet_sign (&signer, drafts, n, SS_PACKET_BURST_MAX);
    SsPacketTops tops = { .next = 0 };
    for (unsigned i = 0; i < n; i++) {
      size_t len;
      const uint8_t *data = g_bytes_get_data (drafts[i].draft, &len);
      uint8_t changed[SS_PACKET_DATA_MAX];
      g_assert_true (accepts (&tops, &signer.key, STRIPE, i, data, len));
      for (size_t bit = 0; bit < 8 * len; bit++) {
        memcpy (changed, data, len);
        changed[bit / 8] ^= (uint8_t) (1 << bit % 8);
        /* Whoever has seen the burst's top is as strict as who has not. */
        SsPacketTops none = { .next = 0 };
        g_assert_false (accepts (&tops, &signer.key, STRIPE, i, changed, len));
        g_assert_false (accepts (&none, &signer.key, STRIPE, i, changed, len));
      }
      for (size_t cut = 0; cut < len; cut++)
        g_assert_false (accepts (&tops, &signer.key, STRIPE, i, data, cut));
    }
    for (unsigned i = 0; i < n; i++)
      g_bytes_unref (drafts[i].draft);
  }
}

/* A packet of one session cannot be passed off as another's. */
static void
test_session (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 3);
  SsSigner signer = make_signer (1);
  SsPacketDraft one = { .draft = draft (&rng, 5, 50), .stripe = STRIPE };
  ss_packet_sign (&signer, &one, 1, 1);
  size_t len;
  const uint8_t *data = g_bytes_get_data (one.draft, &len);
  SsMsgMediaData message;
  g_assert_true (ss_msg_media_data_decode (data, len, &message));
  message.session = 6;
  uint8_t buf[SS_PACKET_DATA_MAX];
  len = ss_msg_media_data_encode (&message, buf, sizeof buf);
  SsPacketTops tops = { .next = 0 };
  g_assert_false (accepts (&tops, &signer.key, STRIPE, 0, buf, len));
  g_bytes_unref (one.draft);
}

static void
test_merkle (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 4);
  for (unsigned n = 1; n <= SS_MERKLE_LEAVES_MAX; n++) {
    SsMerkleNode leaves[SS_MERKLE_LEAVES_MAX];
    ss_rng_bytes (&rng, leaves, sizeof leaves);
    SsMerkleNode top = ss_merkle_top (leaves, n);
    for (unsigned i = 0; i < n; i++) {
      SsMerkleNode path[SS_MERKLE_DEPTH_MAX];
      unsigned depth = ss_merkle_path (leaves, n, i, path);
      g_assert_cmpuint (depth, ==, ss_merkle_depth (n));
      SsMerkleNode reached = ss_merkle_climb (&leaves[i], i, path, depth);
      g_assert_cmpmem (reached.b, sizeof reached, top.b, sizeof top);
      for (unsigned j = 0; j < 1u << depth; j++) {
        if (j == i)
          continue;
        reached = ss_merkle_climb (&leaves[i], j, path, depth);
        g_assert_cmpint (memcmp (reached.b, top.b, sizeof top), !=, 0);
      }
    }
  }
}

/* What one leaf's way has shown serves the others, in any order; nothing else
 * is taken, be it the leaf, its place or any node of the path. */
static void
test_merkle_known (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 6);
  for (unsigned n = 1; n <= 1u << SS_MERKLE_KNOWN_MAX; n++) {
    SsMerkleNode leaves[SS_MERKLE_LEAVES_MAX];
    SsMerkleNode path[SS_MERKLE_DEPTH_MAX];
    SsMerkleKnown known;
    ss_rng_bytes (&rng, leaves, sizeof leaves);
    unsigned first = (unsigned) ss_rng_below (&rng, n);
    unsigned depth = ss_merkle_path (leaves, n, first, path);
    ss_merkle_know (&known, &leaves[first], first, path, depth);
    for (unsigned k = 0; k < 4 * n; k++) {
      unsigned i = (unsigned) ss_rng_below (&rng, n);
      ss_merkle_path (leaves, n, i, path);
      SsMerkleNode other = leaves[i];
      other.b[k % SS_MERKLE_NODE_LEN] ^= 1;
      g_assert_false (ss_merkle_recognise (&known, &other, i, path, depth));
      for (unsigned level = 0; level < depth; level++) {
        path[level].b[k % SS_MERKLE_NODE_LEN] ^= 1;
        g_assert_false (
            ss_merkle_recognise (&known, &leaves[i], i, path, depth));
        g_assert_false (ss_merkle_recognise (&known, &leaves[i],
                                             i ^ 1u << level, path, depth));
        path[level].b[k % SS_MERKLE_NODE_LEN] ^= 1;
      }
      g_assert_false (
          ss_merkle_recognise (&known, &leaves[i], i, path, depth + 1));
      g_assert_true (ss_merkle_recognise (&known, &leaves[i], i, path, depth));
    }
  }
}

static void
test_times (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 5);
  for (unsigned i = 0; i < 10000; i++) {
    SsTime time = (SsTime) ss_rng_below (&rng, 400 * 86400) * SS_SEC
                  + (SsTime) ss_rng_below (&rng, SS_SEC);
    SsTime off = (SsTime) ss_rng_below (&rng, 3600) * SS_SEC - 1800 * SS_SEC;
    SsTime departure = ss_packet_departure (ss_packet_departure_to_wire (time),
                                            MAX (time + off, 0));
    g_assert_cmpint (departure, <=, time);
    g_assert_cmpint (departure, >, time - 256 * SS_USEC);
    g_assert_cmpint (ss_packet_timestamp (ss_packet_timestamp_to_wire (time),
                                          MAX (time + off, 0)),
                     ==, time / SS_USEC * SS_USEC);
  }
}

static SsCodecHeaders *
make_headers (SsRng *rng, uint8_t version, size_t len)
{
  SsCodecHeaders *headers = g_new0 (SsCodecHeaders, 1);
  headers->version = version;
  headers->codec = SS_CODEC_VORBIS;
  headers->clock_rate = 44100;
  headers->n_packets = 3;
  for (unsigned i = 0; i < 3; i++) {
    uint8_t *data = g_malloc (len);
    ss_rng_bytes (rng, data, len);
    headers->packets[i] = g_bytes_new_take (data, len);
  }
  return headers;
}

static void
test_headers (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 6);
  SsHeaderStore store = { .n = 0 };
  for (unsigned version = 1; version <= 6; version++) {
    SsCodecHeaders *headers =
        make_headers (&rng, (uint8_t) version, version * 3000);
    GBytes *bytes = ss_headers_serialise (headers);
    g_assert_nonnull (bytes);
    g_assert_true (ss_header_store_add (&store, bytes));
    g_assert_false (ss_header_store_add (&store, bytes));
    const SsCodecHeaders *found =
        ss_header_store_find (&store, (uint8_t) version);
    g_assert_cmpuint (found->n_packets, ==, 3);
    g_assert_cmpuint (found->clock_rate, ==, 44100);
    for (unsigned i = 0; i < 3; i++)
      g_assert_true (g_bytes_equal (found->packets[i], headers->packets[i]));
    g_bytes_unref (bytes);
    ss_codec_headers_free (headers);
  }
  g_assert_null (ss_header_store_find (&store, 2));
  g_assert_nonnull (ss_header_store_find (&store, 3));
  ss_header_store_clear (&store);
  SsCodecHeaders *big = make_headers (&rng, 1, 30000);
  g_assert_null (ss_headers_serialise (big));
  ss_codec_headers_free (big);
  big = make_headers (&rng, 1, SS_CODEC_HEADERS_LEN_MAX / 3);
  GBytes *bytes = ss_headers_serialise (big);
  g_assert_nonnull (bytes);
  g_bytes_unref (bytes);
  ss_codec_headers_free (big);
}

static void
test_descriptor (void)
{
  SsDescriptor descriptor;
  memset (&descriptor, 0, sizeof descriptor);
  g_strlcpy (descriptor.params.name, "radio1", SS_STATION_NAME_MAX + 1);
  descriptor.params.key.b[3] = 7;
  descriptor.params.salt = 99;
  descriptor.params.parity = 2;
  descriptor.params.latency = 1500 * SS_MSEC;
  descriptor.session = 1234;
  memset (descriptor.title, 't', sizeof descriptor.title - 1);
  memset (descriptor.description, 'd', sizeof descriptor.description - 1);
  descriptor.n_headers = SS_HEADER_REFS_MAX;
  for (unsigned i = 0; i < SS_HEADER_REFS_MAX; i++)
    descriptor.headers[i] = (SsHeaderRef){
      (uint8_t) (i + 1), SS_CODEC_OPUS, 48000, 100, { { 4 } }
    };
  descriptor.publisher.n_addrs = 1;
  descriptor.publisher.addrs[0] = ss_addr_v4 (0x7f000001, 16160);
  uint8_t buf[2000], again[2000];
  size_t len = ss_descriptor_encode (&descriptor, buf, sizeof buf);
  g_assert_cmpuint (len, >, 0);
  g_assert_cmpuint (ss_descriptor_encode (&descriptor, again, 10), ==, 0);
  SsDescriptor decoded;
  g_assert_true (ss_descriptor_decode (buf, len, &decoded));
  g_assert_cmpuint (ss_descriptor_encode (&decoded, again, sizeof again), ==,
                    len);
  g_assert_cmpmem (buf, len, again, len);
  g_assert_cmpstr (decoded.params.name, ==, "radio1");
  g_assert_cmpint (decoded.params.latency, ==, 1500 * SS_MSEC);
  for (size_t cut = 0; cut < len; cut++)
    g_assert_false (ss_descriptor_decode (buf, cut, &decoded));

  /* An address that is not known yet is left out. */
  descriptor.publisher.addrs[0] = (SsAddr){ .port = 0 };
  len = ss_descriptor_encode (&descriptor, buf, sizeof buf);
  g_assert_cmpuint (len, >, 0);
  g_assert_true (ss_descriptor_decode (buf, len, &decoded));
  g_assert_cmpuint (decoded.publisher.n_addrs, ==, 0);
  /* Nonsense in fields that decode. */
  descriptor.params.parity = 5;
  len = ss_descriptor_encode (&descriptor, buf, sizeof buf);
  g_assert_false (ss_descriptor_decode (buf, len, &decoded));
}

static void
test_ids (void)
{
  SsKey key = { { 1 } };
  SsId group = ss_station_group_id (&key, "radio1");
  SsId other = ss_station_group_id (&key, "radio2");
  g_assert_false (ss_id_equal (&group, &other));
  SsId first = ss_station_stripe_id (&group, 7, 0);
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    SsId stripe = ss_station_stripe_id (&group, 7, i);
    SsId moved = ss_station_stripe_id (&group, 8, i);
    g_assert_cmpuint (ss_id_digit (&stripe, 0), ==, i);
    g_assert_false (ss_id_equal (&stripe, &moved));
    SsId same = ss_id_with_digit (&stripe, 0, 0);
    g_assert_true (ss_id_equal (&same, &first));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/packet/bursts", test_bursts);
  g_test_add_func ("/splitstream/packet/bit-flips", test_bit_flips);
  g_test_add_func ("/splitstream/packet/session", test_session);
  g_test_add_func ("/splitstream/packet/times", test_times);
  g_test_add_func ("/splitstream/merkle", test_merkle);
  g_test_add_func ("/splitstream/merkle-known", test_merkle_known);
  g_test_add_func ("/splitstream/headers", test_headers);
  g_test_add_func ("/splitstream/descriptor", test_descriptor);
  g_test_add_func ("/splitstream/ids", test_ids);
  return g_test_run ();
}
