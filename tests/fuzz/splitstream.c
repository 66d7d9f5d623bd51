/* A receiver's window fed with packets as if they were the station's: what a
 * station signs, mad or hostile, must not harm who listens. The input is a
 * list of packets, each preceded by its length in 16 bits, its stripe, its
 * sequence and a step of time. Every packet also goes through the verifier,
 * and through the readers of headers and descriptors. */
#include <string.h>

#include "splitstream/headers.h"
#include "splitstream/private.h"
#include "tests/fuzz/fuzz.h"

enum { HEAD_LEN = 2 + 1 + 1 + 1, N_PARITY = 2 };

typedef struct {
  uint64_t last;
  bool has_last;
  SsTime now;
} Out;

static bool
on_want (void *user, unsigned stripe, uint32_t sequence, SsTime deadline)
{
  g_assert_cmpuint (stripe, <, SS_STRIPES);
  return sequence % 4 != 3;
}

static void
on_unwant (void *user, unsigned stripe, uint32_t sequence)
{
  g_assert_cmpuint (stripe, <, SS_STRIPES);
}

static bool
on_verify (void *user, uint64_t number, const SsPacket *packet, GBytes *bytes)
{
  return true;
}

static uint32_t
on_clock_rate (void *user, uint8_t version)
{
  return version % 4 == 3 ? 0 : 1 + version;
}

static void
on_frame (void *user, const SsFrame *frame)
{
  Out *out = user;
  g_assert_true (!out->has_last || frame->number > out->last);
  g_assert_cmpuint (g_bytes_get_size (frame->data), <=, SS_FRAME_BYTES_MAX);
  out->has_last = true;
  out->last = frame->number;
}

static void
on_overdue (void *user, unsigned stripe)
{
  g_assert_cmpuint (stripe, <, SS_STRIPES);
}

static const SsReorderCalls calls = { on_want,       on_unwant, on_verify,
                                      on_clock_rate, on_frame,  on_overdue };

static void
take (SsReorder *reorder, SsMediaClock *clock, Out *out, const uint8_t *head,
      const uint8_t *data, size_t len)
{
  SsPacket packet;
  unsigned stripe = head[2] % SS_STRIPES;
  uint32_t sequence = head[3];
  out->now += head[4] * SS_MSEC;
  if (!ss_packet_parse (data, len, &packet))
    return;
  GBytes *bytes = g_bytes_new (data, len);
  g_assert_true (
      ss_packet_parse (g_bytes_get_data (bytes, NULL), len, &packet));
  SsPacketTops tops = { .next = 0 };
  SsKey key = { { 1 } };
  g_assert_false (ss_packet_verify (&tops, &key, stripe, sequence, &packet,
                                    data, len, NULL));
  if (packet.parity_count != N_PARITY
      || packet.is_parity != (stripe >= SS_STRIPES - N_PARITY)) {
    g_bytes_unref (bytes);
    return;
  }
  ss_media_clock_arrival (
      clock, out->now, stripe,
      ss_packet_departure (packet.departure, clock->last_departure));
  if (packet.is_parity)
    ss_reorder_insert_parity (reorder, out->now, sequence,
                              stripe - (SS_STRIPES - N_PARITY), &packet, bytes);
  else
    ss_reorder_insert (reorder, out->now,
                       sequence * (SS_STRIPES - N_PARITY) + stripe, &packet,
                       bytes, SS_REORDER_TREE);
  g_bytes_unref (bytes);
  ss_reorder_run (reorder, out->now);
}

static void
read_alone (const uint8_t *data, size_t len)
{
  SsDescriptor descriptor;
  SsStationParams params;
  SsCodecHeaders *headers = ss_headers_parse (data, len);
  if (headers != NULL) {
    GBytes *bytes = ss_headers_serialise (headers);
    if (bytes != NULL)
      g_bytes_unref (bytes);
  }
  ss_codec_headers_free (headers);
  if (ss_descriptor_decode (data, len, &descriptor)) {
    uint8_t buf[SS_MSG_STATION_DESCRIPTOR_MAX];
    g_assert_cmpuint (ss_descriptor_encode (&descriptor, buf, sizeof buf), >,
                      0);
  }
  ss_station_params_decode (data, len, &params);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  Out out = { .now = SS_SEC };
  SsMediaClock clock;
  ss_media_clock_init (&clock, SS_LATENCY_MIN);
  SsReorder *reorder =
      ss_reorder_new (&clock, N_PARITY, SS_LATENCY_MIN, &calls, &out);
  read_alone (data, len);
  while (len >= HEAD_LEN) {
    size_t packet_len = (size_t) data[0] << 8 | data[1];
    packet_len = MIN (packet_len, len - HEAD_LEN);
    take (reorder, &clock, &out, data, data + HEAD_LEN, packet_len);
    data += HEAD_LEN + packet_len;
    len -= HEAD_LEN + packet_len;
  }
  for (unsigned i = 0; i < 50; i++) {
    SsTime deadline = ss_reorder_deadline (reorder);
    if (deadline == SS_NEVER)
      break;
    out.now = MAX (out.now, deadline);
    ss_reorder_run (reorder, out.now);
  }
  ss_reorder_free (reorder);
  return 0;
}

/* A few packets whose fields are random but fit together. */
size_t
ss_fuzz_generate (SsRng *rng, uint8_t ret_data[SS_FUZZ_INPUT_MAX])
{
  size_t len = 0;
  unsigned row = (unsigned) ss_rng_below (rng, 3);
  while (len + HEAD_LEN + 300 < SS_FUZZ_INPUT_MAX) {
    uint8_t *head = ret_data + len, *place = head + HEAD_LEN;
    uint8_t payload[100];
    ss_rng_bytes (rng, payload, sizeof payload);
    size_t packet_len;
    uint8_t stripe = (uint8_t) ss_rng_below (rng, SS_STRIPES);
    if (stripe < SS_STRIPES - N_PARITY) {
      SsMsgMediaData message;
      memset (&message, 0, sizeof message);
      message.place = (uint16_t) (row << 4 | stripe);
      message.flags = (uint8_t) ((ss_rng_u32 (rng) & SS_PACKET_FLAGS
                                  & (ss_rng_below (rng, 4) > 0 ? 3u : 31u))
                                 | N_PARITY << SS_PACKET_PARITY_SHIFT);
      message.header_version = (uint8_t) ss_rng_below (rng, 4);
      message.departure = (uint32_t) ss_rng_below (rng, 3000);
      message.timestamp = (uint32_t) ss_rng_below (rng, 1000000);
      message.frame_number = (uint32_t) ss_rng_below (rng, 100);
      message.n_durations = (uint16_t) ss_rng_below (rng, 3);
      message.durations[0] = (uint16_t) ss_rng_below (rng, 5);
      message.n_lengths =
          message.n_durations > 0 ? (uint16_t) ss_rng_below (rng, 3) : 0;
      message.lengths[0] = message.lengths[1] = 20;
      message.payload = (SsWireBytes){
        payload,
        (uint16_t) (message.n_durations > 0 ? ss_rng_below (rng, 100) : 0)
      };
      packet_len = ss_msg_media_data_encode (&message, place, 300);
    } else {
      SsMsgMediaParity message;
      memset (&message, 0, sizeof message);
      message.first = (uint32_t) ss_rng_below (rng, 60);
      message.n_data = (uint8_t) (1 + ss_rng_below (rng, 14));
      message.parity = N_PARITY;
      message.departure = (uint32_t) ss_rng_below (rng, 3000);
      message.shard = (SsWireBytes){ payload, sizeof payload };
      packet_len = ss_msg_media_parity_encode (&message, place, 300);
    }
    head[0] = (uint8_t) (packet_len >> 8);
    head[1] = (uint8_t) packet_len;
    head[2] = stripe;
    head[3] = (uint8_t) row;
    head[4] = (uint8_t) ss_rng_below (rng, 60);
    len += HEAD_LEN + packet_len;
    row += ss_rng_below (rng, 10) == 0;
  }
  return len;
}
