/* From the publisher's rows to the receiver's window: of each row any mixture
 * of data and parity packets may be lost, as many as there is parity, and no
 * frame is; whatever else is lost, a frame that can be put together comes out.
 * Packets differ in size, rows are cut short, and nothing that is asked for
 * ever comes, so that all is parity's doing. */
#include <string.h>

#include "splitstream/parity.h"
#include "splitstream/reorder.h"
#include "splitstream/rows.h"

enum {
  RATE = 48000,
  FRAME_MS = 60, /* fills a packet at the default latency */
  FRAME_LEN_MAX = 3000,
  DELAY_MS = 20,
  STRIPES_DIFFER_MS = 10, /* the slowest way and the quickest */
  PATTERN_BITS = SS_STRIPES,
};

typedef struct {
  SsTime at;
  uint64_t order;
  unsigned stripe, row, place; /* place: in the row, parity behind data */
  uint32_t sequence;
  GBytes *bytes;
  bool is_lost;
} Sent;

typedef struct {
  SsRng rng;
  unsigned m, n_columns;
  SsTime now, latency;
  GPtrArray *frames; /* GBytes, by number */
  GArray *sent;      /* Sent, as it left */
  GPtrArray *data;   /* GBytes, by the packet's number */
  GArray *n_data;    /* unsigned, by row */
  uint8_t *is_out;   /* by frame */
} Stream;

static bool
on_want (void *user, unsigned stripe, uint32_t sequence, SsTime deadline)
{
  return true;
}

static void
on_unwant (void *user, unsigned stripe, uint32_t sequence)
{
}

static bool
on_verify (void *user, uint64_t number, const SsPacket *packet, GBytes *bytes)
{
  const Stream *stream = user;
  g_assert_cmpuint (number, <, stream->data->len);
  g_assert_true (
      g_bytes_equal (g_ptr_array_index (stream->data, number), bytes));
  return true;
}

static uint32_t
on_clock_rate (void *user, uint8_t version)
{
  return RATE;
}

static void
on_frame (void *user, const SsFrame *frame)
{
  Stream *stream = user;
  g_assert_cmpuint (frame->number, <, stream->frames->len);
  g_assert_true (g_bytes_equal (
      frame->data, g_ptr_array_index (stream->frames, frame->number)));
  g_assert_cmpuint (stream->is_out[frame->number], ==, 0);
  stream->is_out[frame->number] = 1;
}

static void
on_overdue (void *user, unsigned stripe)
{
  g_assert_cmpuint (stripe, <, SS_STRIPES);
}

static const SsReorderCalls calls = { on_want,       on_unwant, on_verify,
                                      on_clock_rate, on_frame,  on_overdue };

static void
clear_sent (gpointer data)
{
  g_bytes_unref (((Sent *) data)->bytes);
}

static void
parse (const Sent *sent, SsPacket *ret_packet)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (sent->bytes, &len);
  g_assert_true (ss_packet_parse (data, len, ret_packet));
}

static void
leave (Stream *stream, SsRows *rows, SsTime departure)
{
  SsRowsPacket packet;
  while (ss_rows_pop (rows, &packet)) {
    /* A stripe keeps its order, as a tree does. */
    SsTime way = DELAY_MS * SS_MSEC
                 + packet.stripe * STRIPES_DIFFER_MS * SS_MSEC / SS_STRIPES;
    Sent sent = { .at = departure + way,
                  .order = stream->sent->len,
                  .stripe = packet.stripe,
                  .sequence = packet.sequence,
                  .bytes = packet.packet };
    SsPacket parsed;
    parse (&sent, &parsed);
    if (packet.stripe >= stream->n_columns) {
      sent.row = packet.sequence;
      sent.place = parsed.n_data + packet.stripe - stream->n_columns;
    } else {
      sent.place = parsed.index;
      if (parsed.index == 0) {
        unsigned none = 0;
        g_array_append_val (stream->n_data, none);
      }
      sent.row = stream->n_data->len - 1;
      g_array_index (stream->n_data, unsigned, sent.row)++;
      g_ptr_array_add (stream->data, packet.packet);
    }
    g_array_append_val (stream->sent, sent);
  }
}

static void
run_rows (Stream *stream, SsRows *rows, SsTime until)
{
  while (ss_rows_deadline (rows) <= until) {
    SsTime at = MAX (ss_rows_deadline (rows), stream->now);
    ss_rows_run (rows, at);
    leave (stream, rows, at);
  }
  stream->now = until;
}

/* Frames of all lengths, some longer than a packet; pauses that cut rows. */
static void
make (Stream *stream, uint64_t seed, unsigned m, SsTime latency,
      unsigned n_rows)
{
  memset (stream, 0, sizeof *stream);
  ss_rng_init_number (&stream->rng, seed);
  stream->m = m;
  stream->latency = latency;
  stream->n_columns = SS_STRIPES - m;
  stream->frames =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  stream->sent = g_array_new (FALSE, FALSE, sizeof (Sent));
  g_array_set_clear_func (stream->sent, clear_sent);
  stream->data = g_ptr_array_new ();
  stream->n_data = g_array_new (FALSE, FALSE, sizeof (unsigned));
  uint8_t signer_seed[SS_SEED_LEN] = { 1 };
  SsSigner signer;
  ss_signer_init (&signer, signer_seed);
  SsRows *rows = ss_rows_new (&signer, 7, m, latency);
  GBytes *headers = g_bytes_new ("headers", 7);
  ss_rows_push_headers (rows, 0, 1, RATE, headers);
  g_bytes_unref (headers);
  while (stream->n_data->len < n_rows || ss_rng_below (&stream->rng, 8) > 0) {
    bool is_long = ss_rng_below (&stream->rng, 10) == 0;
    size_t len = 1 + ss_rng_below (&stream->rng, is_long ? FRAME_LEN_MAX : 700);
    uint8_t *data = g_malloc (len);
    ss_rng_bytes (&stream->rng, data, len);
    SsFrame frame = { .data = g_bytes_new_take (data, len),
                      .timestamp = stream->now,
                      .duration = RATE * FRAME_MS / 1000 };
    g_ptr_array_add (stream->frames, frame.data);
    ss_rows_push_frame (rows, stream->now, &frame);
    ss_rows_run (rows, stream->now);
    leave (stream, rows, stream->now);
    SsTime pause = FRAME_MS * SS_MSEC;
    if (ss_rng_below (&stream->rng, 40) == 0)
      pause += (SsTime) ss_rng_below (&stream->rng, 1200) * SS_MSEC;
    run_rows (stream, rows, stream->now + pause);
  }
  ss_rows_end (rows, stream->now);
  leave (stream, rows, stream->now);
  ss_rows_free (rows);
  stream->is_out = g_new0 (uint8_t, stream->frames->len);
}

static void
clear (Stream *stream)
{
  g_ptr_array_unref (stream->frames);
  g_array_unref (stream->sent);
  g_ptr_array_unref (stream->data);
  g_array_unref (stream->n_data);
  g_free (stream->is_out);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const Sent *x = a, *y = b;
  if (x->at != y->at)
    return x->at < y->at ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

/* What is not lost arrives, and is played to the end. */
static void
receive (Stream *stream)
{
  SsMediaClock clock;
  ss_media_clock_init (&clock, stream->latency);
  SsReorder *reorder =
      ss_reorder_new (&clock, stream->m, stream->latency, &calls, stream);
  g_array_sort (stream->sent, compare);
  for (unsigned i = 0; i < stream->sent->len; i++) {
    const Sent *sent = &g_array_index (stream->sent, Sent, i);
    if (sent->is_lost)
      continue;
    while (ss_reorder_deadline (reorder) < sent->at)
      ss_reorder_run (reorder, ss_reorder_deadline (reorder));
    SsPacket packet;
    parse (sent, &packet);
    ss_media_clock_arrival (
        &clock, sent->at, sent->stripe,
        ss_packet_departure (packet.departure, clock.last_departure));
    if (packet.is_parity)
      ss_reorder_insert_parity (reorder, sent->at, sent->sequence,
                                sent->stripe - stream->n_columns, &packet,
                                sent->bytes);
    else
      ss_reorder_insert (reorder, sent->at,
                         (uint64_t) sent->sequence * stream->n_columns
                             + sent->stripe,
                         &packet, sent->bytes, SS_REORDER_TREE);
    ss_reorder_run (reorder, sent->at);
  }
  while (ss_reorder_deadline (reorder) < SS_NEVER)
    ss_reorder_run (reorder, ss_reorder_deadline (reorder));
  g_assert_true (ss_reorder_is_ended (reorder));
  ss_reorder_free (reorder);
}

/* Takes away of each row but the first what its pattern's bits say. */
static void
lose (Stream *stream, const GArray *patterns)
{
  for (unsigned i = 0; i < stream->sent->len; i++) {
    Sent *sent = &g_array_index (stream->sent, Sent, i);
    if (sent->row > 0 && sent->row <= patterns->len)
      sent->is_lost =
          g_array_index (patterns, unsigned, sent->row - 1) >> sent->place & 1;
  }
}

/* Exactly those frames come out all of whose packets are here, or in a row
 * that lost no more than it has parity. Returns how many do not. */
static unsigned
check (const Stream *stream)
{
  unsigned *n_lost = g_new0 (unsigned, stream->n_data->len);
  bool *is_broken = g_new0 (bool, stream->frames->len + 1);
  unsigned n_broken = 0;
  for (unsigned i = 0; i < stream->sent->len; i++) {
    const Sent *sent = &g_array_index (stream->sent, Sent, i);
    n_lost[sent->row] += sent->is_lost;
  }
  for (unsigned i = 0; i < stream->sent->len; i++) {
    const Sent *sent = &g_array_index (stream->sent, Sent, i);
    SsPacket packet;
    parse (sent, &packet);
    if (packet.is_parity || !sent->is_lost || n_lost[sent->row] <= stream->m)
      continue;
    for (unsigned j = 0; j < packet.n_frames; j++)
      is_broken[packet.frame_number + j] = true;
  }
  for (unsigned i = 0; i < stream->frames->len; i++) {
    if (stream->is_out[i] == is_broken[i])
      g_test_message ("frame %u of %u", i, stream->frames->len);
    g_assert_cmpuint (stream->is_out[i], !=, is_broken[i]);
    n_broken += is_broken[i];
  }
  g_free (n_lost);
  g_free (is_broken);
  return n_broken;
}

/* Each pattern of up to m losses in a row of 16, one row after the other. */
static void
test_exhaustive (void)
{
  for (unsigned m = 0; m <= SS_PARITY_MAX; m++) {
    GArray *patterns = g_array_new (FALSE, FALSE, sizeof (unsigned));
    for (unsigned bits = 0; bits < 1u << PATTERN_BITS; bits++)
      if ((unsigned) __builtin_popcount (bits) <= m)
        g_array_append_val (patterns, bits);
    Stream stream;
    make (&stream, 1 + m, m, SS_LATENCY_DEFAULT, patterns->len + 1);
    lose (&stream, patterns);
    receive (&stream);
    g_assert_cmpuint (check (&stream), ==, 0);
    clear (&stream);
    g_array_unref (patterns);
  }
}

/* Rows that lose more than they have parity, up to two packets, among others
 * that do not, at any latency. */
static void
test_beyond (void)
{
  unsigned n_broken = 0;
  for (uint64_t seed = 1; seed <= 100; seed++) {
    g_test_message ("seed %u", (unsigned) seed);
    Stream stream;
    SsTime latency = (300 + (SsTime) (seed * 37 % 2700)) * SS_MSEC;
    make (&stream, seed, (unsigned) (seed % (SS_PARITY_MAX + 1)), latency, 40);
    GArray *patterns = g_array_new (FALSE, FALSE, sizeof (unsigned));
    for (unsigned row = 1; row < stream.n_data->len; row++) {
      unsigned bits = 0;
      for (uint64_t n = ss_rng_below (&stream.rng, stream.m + 3); n > 0; n--)
        bits |= 1u << ss_rng_below (&stream.rng, PATTERN_BITS);
      g_array_append_val (patterns, bits);
    }
    lose (&stream, patterns);
    receive (&stream);
    n_broken += check (&stream);
    clear (&stream);
    g_array_unref (patterns);
  }
  g_assert_cmpuint (n_broken, >, 1000); /* the trials did lose some */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/mixtures/exhaustive", test_exhaustive);
  g_test_add_func ("/splitstream/mixtures/beyond", test_beyond);
  return g_test_run ();
}
