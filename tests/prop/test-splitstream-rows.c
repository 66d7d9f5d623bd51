/* Rows and parity: every pattern of losses that parity covers is rebuilt to
 * the byte, and what the publisher cuts can be put together again. */
#include <string.h>

#include "splitstream/packet.h"
#include "splitstream/parity.h"
#include "splitstream/rows.h"

static GBytes *
random_bytes (SsRng *rng, size_t len)
{
  uint8_t *data = g_malloc (len);
  ss_rng_bytes (rng, data, len);
  return g_bytes_new_take (data, len);
}

static unsigned
count_bits (unsigned bits)
{
  return (unsigned) __builtin_popcount (bits);
}

/* Takes away what the bits of `lost` say, and rebuilds. */
static void
check_pattern (GBytes **data, unsigned k, GBytes **shards, unsigned m,
               unsigned lost)
{
  GBytes *some[SS_ROW_MAX] = { NULL };
  GBytes *some_shards[SS_PARITY_MAX] = { NULL };
  for (unsigned i = 0; i < k; i++)
    some[i] = (lost >> i & 1) != 0 ? NULL : data[i];
  for (unsigned j = 0; j < m; j++)
    some_shards[j] = (lost >> (k + j) & 1) != 0 ? NULL : shards[j];
  bool can = count_bits (lost) <= m || (lost & ((1u << k) - 1)) == 0;
  g_assert_true (ss_parity_rebuild (some, k, some_shards, m) == can);
  for (unsigned i = 0; i < k; i++) {
    if ((lost >> i & 1) == 0)
      continue;
    if (!can) {
      g_assert_null (some[i]);
      continue;
    }
    g_assert_true (g_bytes_equal (some[i], data[i]));
    g_bytes_unref (some[i]);
  }
}

static void
test_patterns (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 1);
  for (unsigned m = 1; m <= SS_PARITY_MAX; m++)
    for (unsigned k = 1; k <= SS_STRIPES - m; k++) {
      GBytes *data[SS_ROW_MAX], *shards[SS_PARITY_MAX];
      for (unsigned i = 0; i < k; i++)
        data[i] = random_bytes (&rng, 1 + ss_rng_below (&rng, 60));
      ss_parity_encode (data, k, m, shards);
      /* All patterns of up to m + 1 losses. */
      for (unsigned lost = 0; lost < 1u << (k + m); lost++)
        if (count_bits (lost) <= m + 1)
          check_pattern (data, k, shards, m, lost);
      for (unsigned i = 0; i < k; i++)
        g_bytes_unref (data[i]);
      for (unsigned j = 0; j < m; j++)
        g_bytes_unref (shards[j]);
    }
}

/* Shards that do not fit together are refused. */
static void
test_nonsense (void)
{
  SsRng rng;
  ss_rng_init_number (&rng, 2);
  for (unsigned run = 0; run < 2000; run++) {
    unsigned m = 1 + (unsigned) ss_rng_below (&rng, SS_PARITY_MAX);
    unsigned k = 1 + (unsigned) ss_rng_below (&rng, SS_STRIPES - m);
    GBytes *data[SS_ROW_MAX], *shards[SS_PARITY_MAX];
    bool was_here[SS_ROW_MAX];
    for (unsigned i = 0; i < k; i++) {
      was_here[i] = ss_rng_below (&rng, 3) > 0;
      data[i] = was_here[i] ? random_bytes (&rng, 1 + ss_rng_below (&rng, 1180))
                            : NULL;
    }
    for (unsigned j = 0; j < m; j++)
      shards[j] = ss_rng_below (&rng, 4) > 0
                      ? random_bytes (&rng, ss_rng_below (&rng, 1300))
                      : NULL;
    ss_parity_rebuild (data, k, shards, m);
    for (unsigned i = 0; i < k; i++)
      if (data[i] != NULL)
        g_bytes_unref (data[i]);
    for (unsigned j = 0; j < m; j++)
      if (shards[j] != NULL)
        g_bytes_unref (shards[j]);
  }
}

/* What came out of the rows, by stripe and sequence. */
typedef struct {
  GPtrArray *frames; /* GBytes pushed, by number */
  GArray *durations; /* uint32_t */
  GArray *times;     /* SsTime */
  GPtrArray *data;   /* GBytes, by data number */
  GPtrArray *parity; /* GBytes, by row x m + j */
} Stream;

static void
drain (Stream *stream, SsRows *rows, unsigned m)
{
  SsRowsPacket packet;
  unsigned n_columns = SS_STRIPES - m;
  while (ss_rows_pop (rows, &packet)) {
    if (packet.stripe < n_columns) {
      g_assert_cmpuint (packet.sequence * n_columns + packet.stripe, ==,
                        stream->data->len);
      g_ptr_array_add (stream->data, packet.packet);
    } else {
      g_assert_cmpuint (packet.sequence * m + packet.stripe - n_columns, ==,
                        stream->parity->len);
      g_ptr_array_add (stream->parity, packet.packet);
    }
  }
}

static void
parse (GBytes *bytes, SsPacket *ret_packet)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  g_assert_cmpuint (len, <=, SS_SCRIBE_PACKET_MAX);
  g_assert_true (ss_packet_parse (data, len, ret_packet));
}

/* The frames in the data packets are those that were pushed. */
static void
check_frames (const Stream *stream, uint32_t rate)
{
  GByteArray *partial = NULL;
  uint64_t next = 0;
  for (unsigned n = 0; n < stream->data->len; n++) {
    SsPacket packet;
    parse (g_ptr_array_index (stream->data, n), &packet);
    size_t offset = 0;
    SsTime time = ss_packet_timestamp (
        packet.timestamp, ss_packet_departure (packet.departure, 0));
    for (unsigned i = 0; i < packet.n_frames; i++) {
      bool is_head =
          i + 1 == packet.n_frames && (packet.flags & SS_PACKET_FLAG_HEAD) != 0;
      g_assert_cmpuint (packet.frame_number + i, ==, next);
      if (partial == NULL)
        partial = g_byte_array_new ();
      else
        g_assert_true (i == 0 && (packet.flags & SS_PACKET_FLAG_TAIL) != 0);
      g_byte_array_append (partial, packet.payload.data + offset,
                           packet.lens[i]);
      offset += packet.lens[i];
      g_assert_cmpuint (packet.durations[i], ==,
                        g_array_index (stream->durations, uint32_t, next));
      SsTime error = time - g_array_index (stream->times, SsTime, next);
      g_assert_cmpint (ABS (error), <, SS_ROWS_TIMESTAMP_SLACK + 2 * SS_USEC);
      time += (SsTime) packet.durations[i] * SS_SEC / rate;
      if (is_head)
        continue;
      GBytes *frame = g_byte_array_free_to_bytes (partial);
      partial = NULL;
      g_assert_true (
          g_bytes_equal (frame, g_ptr_array_index (stream->frames, next)));
      g_bytes_unref (frame);
      next++;
    }
    if (packet.n_frames == 0)
      g_assert_cmpuint (packet.frame_number, ==, next);
  }
  g_assert_null (partial);
  g_assert_cmpuint (next, ==, stream->frames->len);
}

/* Each row's parity covers exactly its packets. */
static void
check_rows (const Stream *stream, SsRng *rng, unsigned m)
{
  uint64_t next = 0;
  if (m == 0)
    return;
  for (unsigned r = 0; r < stream->parity->len / m; r++) {
    GBytes *data[SS_ROW_MAX], *shards[SS_PARITY_MAX];
    SsPacket packet;
    unsigned k = 0;
    for (unsigned j = 0; j < m; j++) {
      parse (g_ptr_array_index (stream->parity, r * m + j), &packet);
      g_assert_cmpuint (packet.first, ==, next);
      k = packet.n_data;
      shards[j] = g_bytes_new (packet.payload.data, packet.payload.len);
    }
    for (unsigned i = 0; i < k; i++) {
      data[i] = g_ptr_array_index (stream->data, next + i);
      parse (data[i], &packet);
      g_assert_cmpuint (packet.index, ==, i);
      g_assert_cmpuint (packet.row_low, ==, r & 0xfff);
    }
    unsigned lost = 0;
    for (unsigned i = 0; i < m; i++)
      lost |= 1u << ss_rng_below (rng, k);
    check_pattern (data, k, shards, m, lost);
    for (unsigned j = 0; j < m; j++)
      g_bytes_unref (shards[j]);
    next += k;
  }
  g_assert_cmpuint (next, ==, stream->data->len);
}

static void
check_stream (uint64_t seed)
{
  SsRng rng;
  ss_rng_init_number (&rng, seed);
  unsigned m = (unsigned) ss_rng_below (&rng, SS_PARITY_MAX + 1);
  uint8_t signer_seed[SS_SEED_LEN] = { 1 };
  SsSigner signer;
  ss_signer_init (&signer, signer_seed);
  SsTime latency = (200 + (SsTime) ss_rng_below (&rng, 3000)) * SS_MSEC;
  SsRows *rows = ss_rows_new (&signer, 7, m, latency);
  Stream stream = {
    .frames = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref),
    .durations = g_array_new (FALSE, FALSE, sizeof (uint32_t)),
    .times = g_array_new (FALSE, FALSE, sizeof (SsTime)),
    .data = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref),
    .parity = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref),
  };
  uint32_t rate = 48000;
  size_t len_max = ss_rng_below (&rng, 3) == 0 ? 15000 : 400;
  GBytes *headers = random_bytes (&rng, 1 + ss_rng_below (&rng, 4000));
  ss_rows_push_headers (rows, 0, 1, rate, headers);
  g_bytes_unref (headers);
  SsTime now = 0, ahead = 0; /* of what is pushed before it is due */
  for (unsigned i = 0; i < 400; i++) {
    uint32_t duration = ss_rng_below (&rng, 20) == 0
                            ? (uint32_t) ss_rng_below (&rng, 100000)
                            : 960;
    SsFrame frame = {
      .data = random_bytes (&rng, ss_rng_below (&rng, len_max)),
      .header_version = 1,
      .timestamp = now + ahead,
      .duration = duration,
    };
    g_assert_true (ss_rows_push_frame (rows, now, &frame));
    g_ptr_array_add (stream.frames, frame.data);
    g_array_append_val (stream.durations, duration);
    g_array_append_val (stream.times, frame.timestamp);
    ahead += (SsTime) duration * SS_SEC / rate;
    if (ss_rng_below (&rng, 4) > 0)
      continue; /* the burst goes on */
    ss_rows_run (rows, now);
    drain (&stream, rows, m);
    now += ahead;
    ahead = 0;
    if (ss_rng_below (&rng, 50) == 0)
      now += (SsTime) ss_rng_below (&rng, 2000) * SS_MSEC;
    while (ss_rows_deadline (rows) <= now) {
      ss_rows_run (rows, ss_rows_deadline (rows));
      drain (&stream, rows, m);
    }
    if (ss_rng_below (&rng, 60) == 0)
      ss_rows_push_beacon (rows, now);
    drain (&stream, rows, m);
  }
  ss_rows_end (rows, now);
  drain (&stream, rows, m);
  g_assert_cmpuint (ss_rows_n_data (rows), ==, stream.data->len);
  check_frames (&stream, rate);
  check_rows (&stream, &rng, m);
  ss_rows_free (rows);
  g_ptr_array_unref (stream.frames);
  g_ptr_array_unref (stream.data);
  g_ptr_array_unref (stream.parity);
  g_array_unref (stream.durations);
  g_array_unref (stream.times);
}

static void
test_streams (void)
{
  for (uint64_t seed = 1; seed <= 60; seed++)
    check_stream (seed);
}

/* 96 kbit/s Opus in frames of 20 ms at the default latency: three frames a
 * packet, fifteen packets a row, and what a packet costs. */
static void
test_budget (void)
{
  uint8_t signer_seed[SS_SEED_LEN] = { 1 };
  SsSigner signer;
  ss_signer_init (&signer, signer_seed);
  SsRows *rows = ss_rows_new (&signer, 7, 1, SS_LATENCY_DEFAULT);
  uint8_t text[240] = { 0 };
  GBytes *headers = g_bytes_new (text, 100);
  ss_rows_push_headers (rows, 0, 1, 48000, headers);
  g_bytes_unref (headers);
  size_t total = 0, payload = 0;
  for (unsigned i = 0; i < 50 * 30; i++) {
    SsFrame frame = { .data = g_bytes_new (text, sizeof text),
                      .timestamp = i * 20 * SS_MSEC,
                      .duration = 960 };
    while (ss_rows_deadline (rows) < frame.timestamp)
      ss_rows_run (rows, ss_rows_deadline (rows));
    ss_rows_push_frame (rows, frame.timestamp, &frame);
    ss_rows_run (rows, frame.timestamp);
    g_bytes_unref (frame.data);
    payload += sizeof text;
  }
  SsRowsPacket packet;
  unsigned n_alone = 0;
  while (ss_rows_pop (rows, &packet)) {
    size_t len = g_bytes_get_size (packet.packet);
    total += len;
    if (packet.stripe < 15 && len > 700) {
      /* One in a row shares its signature with the parity. */
      g_assert_cmpuint (len, <=, 3 * sizeof text + 95 + SS_MERKLE_NODE_LEN);
      n_alone++;
    }
    g_bytes_unref (packet.packet);
  }
  g_assert_cmpuint (n_alone, ==, 500);
  g_assert_cmpuint (ss_rows_n_rows (rows), ==, 501 / 15);
  g_assert_cmpfloat ((double) total / (double) payload, <, 1.22);
  ss_rows_free (rows);
}

/* What has been pushed into rows, and what has come out, of frames of one
 * length and 20 ms. */
typedef struct {
  SsRows *rows;
  size_t frame_len;
  unsigned n_pushed, n_whole;
  size_t n_bytes; /* of packets */
} Even;

static void
even_push (Even *even, SsTime now)
{
  SsFrame frame = {
    .data = g_bytes_new_take (g_malloc0 (even->frame_len), even->frame_len),
    .timestamp = even->n_pushed++ * 20 * SS_MSEC,
    .duration = 960,
  };
  g_assert_true (ss_rows_push_frame (even->rows, now, &frame));
  g_bytes_unref (frame.data);
}

/* No frame may be whole later than a hold after its time. */
static void
even_pop (Even *even, SsTime now)
{
  SsRowsPacket ready;
  while (ss_rows_pop (even->rows, &ready)) {
    SsPacket packet;
    parse (ready.packet, &packet);
    even->n_bytes += g_bytes_get_size (ready.packet);
    for (unsigned i = 0; i < packet.n_frames; i++) {
      if (i + 1 == packet.n_frames && (packet.flags & SS_PACKET_FLAG_HEAD) != 0)
        break;
      SsTime time = even->n_whole++ * 20 * SS_MSEC;
      g_assert_cmpint (now - time, <=,
                       SS_LATENCY_DEFAULT / 25 + SS_ROWS_HOLD_SLACK);
    }
    g_bytes_unref (ready.packet);
  }
}

/* Bytes sent for each of 3,000 frames of that length, of which so many are
 * pushed at once, when the first is due. */
static double
even_stream (size_t frame_len, unsigned burst)
{
  uint8_t signer_seed[SS_SEED_LEN] = { 1 };
  SsSigner signer;
  ss_signer_init (&signer, signer_seed);
  Even even = { .rows = ss_rows_new (&signer, 7, 1, SS_LATENCY_DEFAULT),
                .frame_len = frame_len };
  GBytes *headers = g_bytes_new_static ("headers", 7);
  ss_rows_push_headers (even.rows, 0, 1, 48000, headers);
  g_bytes_unref (headers);
  while (even.n_pushed < 3000) {
    SsTime now = even.n_pushed * 20 * SS_MSEC;
    while (ss_rows_deadline (even.rows) < now) {
      SsTime deadline = ss_rows_deadline (even.rows);
      ss_rows_run (even.rows, deadline);
      even_pop (&even, deadline);
    }
    for (unsigned i = 0; i < burst; i++)
      even_push (&even, now);
    ss_rows_run (even.rows, now);
    even_pop (&even, now);
  }
  g_assert_cmpuint (even.n_whole + 4, >, even.n_pushed);
  ss_rows_free (even.rows);
  return (double) even.n_bytes / (double) even.n_pushed;
}

/* At 128 kbit/s two frames and a part of a third fill a packet; slow streams'
 * packets are full if a burst fills them. No frame waits longer for that. */
static void
test_shared (void)
{
  g_assert_cmpfloat (even_stream (320, 1), <, 1.22 * 320);
  g_assert_cmpfloat (even_stream (320, 12), <, 1.26 * 320);
  g_assert_cmpfloat (even_stream (240, 12), <, 1.26 * 240);
  g_assert_cmpfloat (even_stream (120, 12), <, 1.36 * 120);
}

/* However many frames of nothing come at once. */
static void
test_empty (void)
{
  uint8_t signer_seed[SS_SEED_LEN] = { 1 };
  SsSigner signer;
  ss_signer_init (&signer, signer_seed);
  SsRows *rows = ss_rows_new (&signer, 7, 1, SS_LATENCY_DEFAULT);
  SsFrame frame = { .data = g_bytes_new_static ("", 0) };
  unsigned n = 0;
  for (unsigned i = 0; i < 1000; i++)
    g_assert_true (ss_rows_push_frame (rows, 0, &frame));
  ss_rows_end (rows, 0);
  SsRowsPacket ready;
  while (ss_rows_pop (rows, &ready)) {
    SsPacket packet;
    parse (ready.packet, &packet);
    n += packet.is_parity ? 0 : packet.n_frames;
    g_bytes_unref (ready.packet);
  }
  g_assert_cmpuint (n, ==, 1000);
  g_bytes_unref (frame.data);
  ss_rows_free (rows);
}

/* So many bursts of so many frames each: how many signatures are there? */
static unsigned
count_signatures (unsigned n_bursts, unsigned n_frames, size_t frame_len,
                  SsTime frame_time, unsigned *ret_n_parity)
{
  uint8_t signer_seed[SS_SEED_LEN] = { 1 };
  SsSigner signer;
  ss_signer_init (&signer, signer_seed);
  SsRows *rows = ss_rows_new (&signer, 7, 1, SS_LATENCY_DEFAULT);
  GHashTable *signatures = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  SsRng rng;
  ss_rng_init_number (&rng, 1);
  GBytes *headers = random_bytes (&rng, 100);
  ss_rows_push_headers (rows, 0, 1, 48000, headers);
  g_bytes_unref (headers);
  *ret_n_parity = 0;
  for (unsigned i = 0; i < n_bursts; i++) {
    SsTime now = i * n_frames * frame_time;
    while (ss_rows_deadline (rows) < now)
      ss_rows_run (rows, ss_rows_deadline (rows));
    for (unsigned j = 0; j < n_frames; j++) {
      SsFrame frame = { .data = random_bytes (&rng, frame_len),
                        .timestamp = now + j * frame_time,
                        .duration = (uint32_t) (frame_time * 48000 / SS_SEC) };
      ss_rows_push_frame (rows, now, &frame);
      g_bytes_unref (frame.data);
    }
    ss_rows_run (rows, now);
    SsRowsPacket packet;
    while (ss_rows_pop (rows, &packet)) {
      const uint8_t *bytes = g_bytes_get_data (packet.packet, NULL);
      g_hash_table_add (signatures, g_bytes_new (bytes + 1, SS_SIGNATURE_LEN));
      *ret_n_parity += packet.stripe == 15;
      g_bytes_unref (packet.packet);
    }
  }
  unsigned n = g_hash_table_size (signatures);
  g_hash_table_unref (signatures);
  ss_rows_free (rows);
  return n;
}

/* A burst's signature covers the parity of the row before, too, be it a frame
 * longer than a packet, or what a file has of a slow stream for a quarter of
 * the latency. */
static void
test_signatures (void)
{
  unsigned n_parity;
  unsigned n = count_signatures (200, 1, 11000, 93 * SS_MSEC, &n_parity);
  g_assert_cmpuint (n, <=, 202);
  g_assert_cmpuint (n_parity, >=, 200 * 11000 / 1232 / 15 - 1);
  n = count_signatures (100, 19, 320, 20 * SS_MSEC, &n_parity);
  g_assert_cmpuint (n, <=, 102);
  g_assert_cmpuint (n_parity, >=, 100 * 19 * 320 / 1232 / 15 - 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/parity/patterns", test_patterns);
  g_test_add_func ("/splitstream/parity/nonsense", test_nonsense);
  g_test_add_func ("/splitstream/rows/streams", test_streams);
  g_test_add_func ("/splitstream/rows/budget", test_budget);
  g_test_add_func ("/splitstream/rows/shared", test_shared);
  g_test_add_func ("/splitstream/rows/empty", test_empty);
  g_test_add_func ("/splitstream/rows/signatures", test_signatures);
  return g_test_run ();
}
