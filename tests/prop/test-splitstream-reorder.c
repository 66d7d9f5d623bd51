/* The receiver's window under random delay, loss, duplication and repair,
 * against what a naive reader of the same arrivals would say: frames come out
 * in order, unchanged and not before their time; a frame is lost only if its
 * packet was not here when the next one fell due; what is missing is asked
 * for. Also the media clock. */
#include <string.h>

#include "splitstream/paritywatch.h"
#include "splitstream/reorder.h"
#include "splitstream/rows.h"

enum { N_FRAMES = 1500, RATE = 48000, FRAME_MS = 20 };

typedef struct {
  SsTime at;
  uint64_t order;
  unsigned stripe;
  uint32_t sequence;
  GBytes *bytes;
  SsReorderVia via;
  SsTime departure;
} Arrival;

typedef struct {
  SsRng rng;
  SsTime now, latency, delay, jitter;
  double loss, repair_loss, refused; /* refused: of wants */
  unsigned m, n_columns;
  SsMediaClock clock;
  SsReorder *reorder;
  GSequence *arrivals;
  uint64_t order;
  GHashTable *packets; /* stripe << 32 | sequence -> GBytes */
  SsTime due[N_FRAMES + 1], available[N_FRAMES + 1]; /* by frame */
  SsTime out[N_FRAMES + 1];
  GBytes *frames[N_FRAMES];
  uint64_t first_out, last_out;
  bool has_out;
  unsigned n_wants, n_out;
  SsTime last_out_at;
  SsTime last_arrival;
  unsigned n_moments;   /* at which frames came out and nothing came in */
  unsigned dead_stripe; /* brings nothing from dead_at on; */
  SsTime dead_at;       /* SS_NEVER: it does */
  unsigned n_told[SS_STRIPES];
  SsTime told_at; /* the last time that one was overdue */
} Trial;

static int
compare (gconstpointer a, gconstpointer b, gpointer unused)
{
  const Arrival *x = a, *y = b;
  if (x->at != y->at)
    return x->at < y->at ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

static gpointer
packet_key (unsigned stripe, uint32_t sequence)
{
  return GSIZE_TO_POINTER ((uint64_t) stripe << 32 | sequence);
}

static void
schedule (Trial *trial, SsTime at, unsigned stripe, uint32_t sequence,
          GBytes *bytes, SsReorderVia via)
{
  Arrival *arrival = g_new0 (Arrival, 1);
  *arrival = (Arrival){ .at = at,
                        .order = trial->order++,
                        .stripe = stripe,
                        .sequence = sequence,
                        .bytes = g_bytes_ref (bytes),
                        .via = via };
  g_sequence_insert_sorted (trial->arrivals, arrival, compare, NULL);
}

static bool
on_want (void *user, unsigned stripe, uint32_t sequence, SsTime deadline)
{
  Trial *trial = user;
  if (ss_rng_unit (&trial->rng) < trial->refused)
    return false;
  trial->n_wants++;
  g_assert_cmpint (deadline, >, trial->now - trial->latency);
  GBytes *bytes =
      g_hash_table_lookup (trial->packets, packet_key (stripe, sequence));
  if (bytes == NULL || ss_rng_unit (&trial->rng) < trial->repair_loss)
    return true;
  schedule (trial, trial->now + 2 * trial->delay + 5 * SS_MSEC, stripe,
            sequence, bytes, SS_REORDER_REPAIR);
  return true;
}

static void
on_unwant (void *user, unsigned stripe, uint32_t sequence)
{
}

/* A frame is here once all packets that hold a part of it are. */
static void
note_available (Trial *trial, const SsPacket *packet)
{
  for (unsigned i = 0; i < packet->n_frames; i++) {
    SsTime *at = &trial->available[packet->frame_number + i];
    *at = MAX (*at, trial->now);
  }
}

static bool
on_verify (void *user, uint64_t number, const SsPacket *packet, GBytes *bytes)
{
  Trial *trial = user;
  GBytes *sent = g_hash_table_lookup (
      trial->packets, packet_key ((unsigned) (number % trial->n_columns),
                                  (uint32_t) (number / trial->n_columns)));
  g_assert_nonnull (sent);
  g_assert_true (g_bytes_equal (sent, bytes));
  note_available (trial, packet);
  return true;
}

static uint32_t
on_clock_rate (void *user, uint8_t version)
{
  return version == 1 ? RATE : 0;
}

static void
on_frame (void *user, const SsFrame *frame)
{
  Trial *trial = user;
  g_assert_cmpuint (frame->number, <, N_FRAMES);
  if (trial->has_out)
    g_assert_cmpuint (frame->number, >, trial->last_out);
  else
    trial->first_out = frame->number;
  trial->has_out = true;
  trial->last_out = frame->number;
  trial->n_out++;
  trial->out[frame->number] = trial->now;
  g_assert_true (g_bytes_equal (frame->data, trial->frames[frame->number]));
  g_assert_cmpuint (frame->duration, ==, RATE * FRAME_MS / 1000);
  g_assert_cmpint (frame->timestamp, ==,
                   (SsTime) frame->number * FRAME_MS * SS_MSEC);
  /* Frames that are due soon go with one that is due. */
  g_assert_cmpint (trial->now, >=,
                   frame->timestamp + trial->clock.base + trial->latency
                       - ss_reorder_together (trial->latency));
  if (trial->now != trial->last_out_at && trial->now != trial->last_arrival)
    trial->n_moments++;
  trial->last_out_at = trial->now;
}

static void
on_overdue (void *user, unsigned stripe)
{
  Trial *trial = user;
  trial->n_told[stripe]++;
  trial->told_at = trial->now;
}

static const SsReorderCalls calls = { on_want,       on_unwant, on_verify,
                                      on_clock_rate, on_frame,  on_overdue };

/* What the rows give out goes on its way. */
static void
send (Trial *trial, SsRows *rows, SsTime departure)
{
  SsRowsPacket packet;
  while (ss_rows_pop (rows, &packet)) {
    g_hash_table_insert (trial->packets,
                         packet_key (packet.stripe, packet.sequence),
                         packet.packet);
    unsigned n = 1 + (ss_rng_below (&trial->rng, 20) == 0);
    for (unsigned i = 0; i < n; i++)
      if (ss_rng_unit (&trial->rng) >= trial->loss
          && (packet.stripe != trial->dead_stripe
              || departure < trial->dead_at))
        schedule (
            trial,
            departure + trial->delay
                + (SsTime) (ss_rng_unit (&trial->rng) * (double) trial->jitter),
            packet.stripe, packet.sequence, packet.packet, SS_REORDER_TREE);
  }
}

static void
make_stream (Trial *trial, unsigned len_max)
{
  uint8_t seed[SS_SEED_LEN] = { 1 };
  SsSigner signer;
  ss_signer_init (&signer, seed);
  SsRows *rows = ss_rows_new (&signer, 7, trial->m, trial->latency);
  SsTime now = 0;
  for (unsigned i = 0; i < N_FRAMES; i++) {
    now = (SsTime) i * FRAME_MS * SS_MSEC;
    while (ss_rows_deadline (rows) < now) {
      SsTime at = ss_rows_deadline (rows);
      ss_rows_run (rows, at);
      send (trial, rows, at);
    }
    size_t len = 1 + ss_rng_below (&trial->rng, len_max);
    uint8_t *data = g_malloc (len);
    ss_rng_bytes (&trial->rng, data, len);
    trial->frames[i] = g_bytes_new_take (data, len);
    SsFrame frame = { .data = trial->frames[i],
                      .timestamp = now,
                      .duration = RATE * FRAME_MS / 1000 };
    if (i == 0) {
      GBytes *headers = g_bytes_new ("headers", 7);
      ss_rows_push_headers (rows, now, 1, RATE, headers);
      g_bytes_unref (headers);
    }
    ss_rows_push_frame (rows, now, &frame);
    ss_rows_run (rows, now);
    send (trial, rows, now);
  }
  ss_rows_end (rows, now);
  send (trial, rows, now);
  ss_rows_free (rows);
}

static void
take_arrival (Trial *trial, const Arrival *arrival)
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (arrival->bytes, &len);
  SsPacket packet;
  g_assert_true (ss_packet_parse (data, len, &packet));
  SsTime departure =
      ss_packet_departure (packet.departure, trial->clock.last_departure);
  if (arrival->via == SS_REORDER_TREE)
    ss_media_clock_arrival (&trial->clock, trial->now, arrival->stripe,
                            departure);
  if (packet.is_parity) {
    ss_reorder_insert_parity (trial->reorder, trial->now, arrival->sequence,
                              arrival->stripe - trial->n_columns, &packet,
                              arrival->bytes);
    return;
  }
  uint64_t number =
      (uint64_t) arrival->sequence * trial->n_columns + arrival->stripe;
  if (!ss_reorder_has (trial->reorder, number))
    note_available (trial, &packet);
  ss_reorder_insert (trial->reorder, trial->now, number, &packet,
                     arrival->bytes, arrival->via);
}

/* Until the next arrival or deadline; false: there is none. */
static bool
play_one (Trial *trial)
{
  SsTime deadline = ss_reorder_deadline (trial->reorder);
  GSequenceIter *iter = g_sequence_get_begin_iter (trial->arrivals);
  const Arrival *next =
      g_sequence_iter_is_end (iter) ? NULL : g_sequence_get (iter);
  if (next == NULL && deadline == SS_NEVER)
    return false;
  if (next != NULL && next->at <= deadline) {
    trial->now = trial->last_arrival = MAX (trial->now, next->at);
    take_arrival (trial, next);
    g_sequence_remove (iter);
  } else {
    g_assert_cmpint (deadline, >, trial->now);
    trial->now = deadline;
  }
  ss_reorder_run (trial->reorder, trial->now);
  return true;
}

static void
play (Trial *trial)
{
  ss_reorder_run (trial->reorder, trial->now);
  while (play_one (trial))
    ;
}

static void
free_arrival (gpointer data)
{
  Arrival *arrival = data;
  g_bytes_unref (arrival->bytes);
  g_free (arrival);
}

static void
begin (Trial *trial, uint64_t seed)
{
  memset (trial, 0, sizeof *trial);
  ss_rng_init_number (&trial->rng, seed);
  SsRng *rng = &trial->rng;
  trial->m = (unsigned) ss_rng_below (rng, SS_PARITY_MAX + 1);
  trial->n_columns = SS_STRIPES - trial->m;
  trial->latency = (300 + (SsTime) ss_rng_below (rng, 2000)) * SS_MSEC;
  trial->delay = (1 + (SsTime) ss_rng_below (rng, 60)) * SS_MSEC;
  trial->jitter = (SsTime) ss_rng_below (rng, 40) * SS_MSEC;
  trial->loss = (double) ss_rng_below (rng, 4) * 0.02;
  trial->repair_loss = (double) ss_rng_below (rng, 3) * 0.5;
  for (unsigned i = 0; i <= N_FRAMES; i++)
    trial->out[i] = trial->available[i] = -1;
  trial->dead_at = SS_NEVER;
  trial->arrivals = g_sequence_new (free_arrival);
  trial->packets =
      g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) g_bytes_unref);
  ss_media_clock_init (&trial->clock, trial->latency);
  trial->reorder =
      ss_reorder_new (&trial->clock, trial->m, trial->latency, &calls, trial);
}

static void
finish (Trial *trial)
{
  ss_reorder_free (trial->reorder);
  g_sequence_free (trial->arrivals);
  g_hash_table_unref (trial->packets);
  for (unsigned i = 0; i < N_FRAMES; i++)
    if (trial->frames[i] != NULL)
      g_bytes_unref (trial->frames[i]);
}

/* From the first frame on: what was here in time came out in time. */
static void
check (const Trial *trial)
{
  const SsReorderStats *stats = ss_reorder_stats (trial->reorder);
  g_assert_true (trial->has_out);
  g_assert_true (ss_reorder_is_ended (trial->reorder));
  g_assert_cmpuint (stats->frames_out, ==, trial->n_out);
  g_assert_cmpuint (stats->frames_out + stats->frames_lost, ==,
                    N_FRAMES - trial->first_out);
  /* Nothing but losses at the start delays it by more than a row. */
  g_assert_cmpuint (trial->first_out, <, 60);
  for (uint64_t i = trial->first_out; i < N_FRAMES; i++) {
    SsTime due =
        (SsTime) i * FRAME_MS * SS_MSEC + trial->clock.base + trial->latency;
    if (trial->repair_loss == 0
        && 4 * trial->delay + trial->jitter < trial->latency / 4)
      g_assert_cmpint (trial->out[i], >=, 0);
    if (trial->out[i] < 0)
      continue;
    /* The base moves by 1 ms/s; the frame before may have been waited for. */
    g_assert_cmpint (trial->out[i], <, due + trial->latency / 2);
  }
}

static void
test_trials (void)
{
  unsigned n_wants = 0;
  uint64_t n_rebuilt = 0, n_lost = 0;
  Trial *trial = g_new (Trial, 1);
  for (uint64_t seed = 1; seed <= 150; seed++) {
    g_test_message ("seed %u", (unsigned) seed);
    begin (trial, seed);
    make_stream (trial, ss_rng_below (&trial->rng, 3) == 0 ? 3000 : 400);
    play (trial);
    check (trial);
    n_wants += trial->n_wants;
    n_rebuilt += ss_reorder_stats (trial->reorder)->packets_rebuilt;
    n_lost += ss_reorder_stats (trial->reorder)->packets_lost;
    if (trial->loss == 0 && trial->jitter < 20 * SS_MSEC) {
      g_assert_cmpuint (trial->n_wants, ==, 0);
      /* Who gives them out wakes up for an eighth of the latency at once. */
      g_assert_cmpuint (trial->n_moments, <=,
                        N_FRAMES * FRAME_MS * SS_MSEC
                                / ss_reorder_together (trial->latency)
                            + 2);
      for (unsigned i = 0; i < SS_STRIPES; i++)
        g_assert_cmpuint (trial->n_told[i], ==, 0);
    }
    finish (trial);
  }
  /* The trials did try these. */
  g_assert_cmpuint (n_wants, >, 1000);
  g_assert_cmpuint (n_rebuilt, >, 1000);
  g_assert_cmpuint (n_lost, >, 10);
  g_free (trial);
}

/* Who is awake for a packet does not wake up once more for frames that are
 * due soon. */
static void
test_awake (void)
{
  SsTime together = ss_reorder_together (SS_LATENCY_DEFAULT);
  g_assert_cmpint (together, <=, 190 * SS_MSEC);
  Trial *trial = g_new (Trial, 1);
  for (uint64_t seed = 1; seed <= 10; seed++) {
    begin (trial, seed);
    trial->latency = SS_LATENCY_DEFAULT;
    trial->loss = 0;
    ss_media_clock_init (&trial->clock, trial->latency);
    ss_reorder_free (trial->reorder);
    trial->reorder =
        ss_reorder_new (&trial->clock, trial->m, trial->latency, &calls, trial);
    make_stream (trial, 400);
    play (trial);
    check (trial);
    /* Until the last packet has come. */
    g_assert_cmpuint (trial->n_moments, <=,
                      N_FRAMES * FRAME_MS * SS_MSEC / together / 5
                          + trial->latency / together);
    finish (trial);
  }
  g_free (trial);
}

/* A stripe that brings nothing any more is told of once the first packet is
 * overdue, be that needed or not: rows are whole without the parity stripes,
 * and with them what is missing of others is rebuilt and never wanted. */
static void
test_dead_stripe (void)
{
  Trial *trial = g_new (Trial, 1);
  for (uint64_t seed = 1; seed <= 5; seed++)
    for (unsigned stripe = 0; stripe < SS_STRIPES; stripe++) {
      begin (trial, seed);
      trial->loss = 0;
      trial->jitter = MIN (trial->jitter, 10 * SS_MSEC);
      trial->dead_stripe = stripe;
      trial->dead_at = (8000 + (SsTime) (seed * 170)) * SS_MSEC;
      make_stream (trial, 400);
      while (trial->n_told[stripe] == 0 && play_one (trial))
        ;
      /* Each stripe has its turn in a row. */
      SsTime row = trial->latency * 3 / 5
                   + trial->latency * SS_PARITY_WAIT_PERCENT / 100;
      g_assert_cmpuint (trial->n_told[stripe], ==, 1);
      g_assert_cmpint (trial->told_at, >=, trial->dead_at);
      g_assert_cmpint (trial->told_at, <,
                       trial->dead_at + row + trial->latency / 3
                           + 150 * SS_MSEC);
      play (trial);
      for (unsigned i = 0; i < SS_STRIPES; i++)
        if (i != stripe)
          g_assert_cmpuint (trial->n_told[i], ==, 0);
      /* A parity stripe is told of once, a data stripe for each packet. */
      if (stripe >= trial->n_columns)
        g_assert_cmpuint (trial->n_told[stripe], ==, 1);
      finish (trial);
    }
  g_free (trial);
}

/* What cannot be wanted at once, because so much is, is wanted again. */
static void
test_refused (void)
{
  Trial *trial = g_new (Trial, 1);
  for (uint64_t seed = 1; seed <= 20; seed++) {
    begin (trial, seed);
    trial->latency = SS_LATENCY_DEFAULT;
    trial->delay = MIN (trial->delay, 20 * SS_MSEC);
    trial->loss = 0.2;
    trial->repair_loss = 0;
    trial->refused = 0.75;
    ss_reorder_free (trial->reorder);
    trial->reorder =
        ss_reorder_new (&trial->clock, trial->m, trial->latency, &calls, trial);
    make_stream (trial, 400);
    play (trial);
    check (trial);
    g_assert_cmpuint (trial->n_wants, >, 50);
    g_assert_cmpuint (ss_reorder_stats (trial->reorder)->frames_lost, ==, 0);
    finish (trial);
  }
  g_free (trial);
}

/* One packet of each row is lost for good: parity alone brings it back. */
static void
test_parity_alone (void)
{
  Trial *trial = g_new (Trial, 1);
  for (uint64_t seed = 1; seed <= 20; seed++) {
    begin (trial, seed);
    trial->m = 1 + (unsigned) (seed % SS_PARITY_MAX);
    trial->n_columns = SS_STRIPES - trial->m;
    trial->loss = 0;
    trial->repair_loss = 1;
    trial->latency = SS_LATENCY_DEFAULT;
    ss_reorder_free (trial->reorder);
    ss_media_clock_init (&trial->clock, trial->latency);
    trial->reorder =
        ss_reorder_new (&trial->clock, trial->m, trial->latency, &calls, trial);
    make_stream (trial, 400);
    /* All of m data stripes is lost. */
    GSequenceIter *iter = g_sequence_get_begin_iter (trial->arrivals);
    while (!g_sequence_iter_is_end (iter)) {
      const Arrival *arrival = g_sequence_get (iter);
      GSequenceIter *next = g_sequence_iter_next (iter);
      if (arrival->stripe >= 3 && arrival->stripe < 3 + trial->m)
        g_sequence_remove (iter);
      iter = next;
    }
    play (trial);
    const SsReorderStats *stats = ss_reorder_stats (trial->reorder);
    g_assert_cmpuint (trial->first_out, ==, 0);
    g_assert_cmpuint (stats->frames_lost, ==, 0);
    g_assert_cmpuint (stats->packets_lost, ==, 0);
    g_assert_cmpuint (stats->packets_rebuilt, >, 10);
    finish (trial);
  }
  g_free (trial);
}

/* Nothing arrives for a while, then everything at once: late, not lost. */
static void
test_stall (void)
{
  Trial *trial = g_new (Trial, 1);
  for (uint64_t seed = 1; seed <= 20; seed++) {
    begin (trial, seed);
    trial->loss = 0;
    trial->repair_loss = 1;
    trial->jitter = MIN (trial->jitter, 10 * SS_MSEC);
    make_stream (trial, 400);
    GSequence *stalled = g_sequence_new (free_arrival);
    GSequenceIter *iter = g_sequence_get_begin_iter (trial->arrivals);
    while (!g_sequence_iter_is_end (iter)) {
      Arrival *arrival = g_sequence_get (iter);
      GSequenceIter *next = g_sequence_iter_next (iter);
      if (arrival->at > 8 * SS_SEC && arrival->at < 13 * SS_SEC) {
        Arrival *copy = g_memdup2 (arrival, sizeof *arrival);
        g_bytes_ref (copy->bytes);
        copy->at =
            13 * SS_SEC + (SsTime) ss_rng_below (&trial->rng, 5) * SS_MSEC;
        g_sequence_insert_sorted (stalled, copy, compare, NULL);
        g_sequence_remove (iter);
      }
      iter = next;
    }
    g_sequence_move_range (g_sequence_get_end_iter (trial->arrivals),
                           g_sequence_get_begin_iter (stalled),
                           g_sequence_get_end_iter (stalled));
    g_sequence_sort (trial->arrivals, compare, NULL);
    play (trial);
    const SsReorderStats *stats = ss_reorder_stats (trial->reorder);
    g_assert_cmpuint (stats->frames_lost, ==, 0);
    g_sequence_free (stalled);
    finish (trial);
  }
  g_free (trial);
}

/* Nothing comes for 20 s. Of what is missing then only the end is asked for. */
static void
test_silence (void)
{
  Trial *trial = g_new (Trial, 1);
  for (uint64_t seed = 1; seed <= 20; seed++) {
    begin (trial, seed);
    trial->loss = 0;
    trial->repair_loss = 1;
    trial->jitter = MIN (trial->jitter, 10 * SS_MSEC);
    make_stream (trial, 400);
    GSequenceIter *iter = g_sequence_get_begin_iter (trial->arrivals);
    SsTime start = ((const Arrival *) g_sequence_get (iter))->at + 5 * SS_SEC;
    while (!g_sequence_iter_is_end (iter)) {
      const Arrival *arrival = g_sequence_get (iter);
      GSequenceIter *next = g_sequence_iter_next (iter);
      if (arrival->at > start && arrival->at < start + 20 * SS_SEC)
        g_sequence_remove (iter);
      iter = next;
    }
    play (trial);
    const SsReorderStats *stats = ss_reorder_stats (trial->reorder);
    g_assert_cmpuint (stats->frames_lost, >, 15 * 50);
    g_assert_cmpuint (trial->n_wants, >, 0);
    g_assert_cmpint ((SsTime) trial->n_wants * 20 * SS_MSEC, <=,
                     4 * trial->latency + SS_SEC);
    finish (trial);
  }
  g_free (trial);
}

/* A packet of many frames, none of which lasts. */
static GBytes *
draft_crowded (uint64_t number)
{
  SsMsgMediaData message = {
    .place = (uint16_t) (number % SS_STRIPES),
    .header_version = 1,
    .frame_number = (uint32_t) number * SS_PACKET_FRAMES_MAX,
    .n_lengths = SS_PACKET_FRAMES_MAX - 1,
    .n_durations = 1,
  };
  return ss_packet_draft_data (&message);
}

static void
insert_crowded (SsReorder *reorder, uint64_t number, SsReorderVia via)
{
  GBytes *bytes = draft_crowded (number);
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  SsPacket packet;
  g_assert_true (ss_packet_parse (data, len, &packet));
  ss_reorder_insert (reorder, 0, number, &packet, bytes, via);
  g_bytes_unref (bytes);
}

static void
count_frame (void *user, const SsFrame *frame)
{
  unsigned *n = user;
  g_assert_cmpuint (frame->number, ==, *n);
  ++*n;
}

/* However many frames are due at once, they come out in bounded portions, and
 * all of them. */
static void
test_crowded (void)
{
  enum { PACKETS = 300 };
  const SsReorderCalls count = { on_want,       on_unwant,   on_verify,
                                 on_clock_rate, count_frame, on_overdue };
  SsMediaClock clock;
  unsigned n_out = 0;
  ss_media_clock_init (&clock, SS_LATENCY_DEFAULT);
  ss_media_clock_hint (&clock, 0, 0);
  SsReorder *reorder =
      ss_reorder_new (&clock, 0, SS_LATENCY_DEFAULT, &count, &n_out);
  for (uint64_t n = 0; n < PACKETS; n++)
    insert_crowded (reorder, n, SS_REORDER_TREE);
  SsTime now = SS_LATENCY_DEFAULT;
  while (n_out < PACKETS * SS_PACKET_FRAMES_MAX) {
    unsigned before = n_out;
    ss_reorder_run (reorder, now);
    ss_reorder_run (reorder, now);
    g_assert_cmpuint (n_out, >, before);
    g_assert_cmpuint (n_out - before, <=, SS_REORDER_FRAMES_AT_ONCE);
    if (n_out < PACKETS * SS_PACKET_FRAMES_MAX)
      g_assert_cmpint (ss_reorder_deadline (reorder), ==,
                       now + SS_REORDER_PAUSE);
    now += SS_REORDER_PAUSE;
  }
  g_assert_cmpuint (ss_reorder_stats (reorder)->frames_lost, ==, 0);
  ss_reorder_free (reorder);
}

/* What was asked for, and then comes down its tree as well, tells once how long
 * that way is. */
static void
test_came_by_tree (void)
{
  const SsReorderCalls count = { on_want,       on_unwant,   on_verify,
                                 on_clock_rate, count_frame, on_overdue };
  SsMediaClock clock;
  unsigned n_out = 0;
  SsTime departure = -1;
  ss_media_clock_init (&clock, SS_LATENCY_DEFAULT);
  ss_media_clock_hint (&clock, 0, 0);
  SsReorder *reorder =
      ss_reorder_new (&clock, 0, SS_LATENCY_DEFAULT, &count, &n_out);
  insert_crowded (reorder, 0, SS_REORDER_TREE);
  insert_crowded (reorder, 1, SS_REORDER_REPAIR);
  insert_crowded (reorder, 3, SS_REORDER_TREE);
  GBytes *drafts[5];
  for (unsigned n = 0; n < G_N_ELEMENTS (drafts); n++)
    drafts[n] = draft_crowded (n);
  for (unsigned n = 0; n < G_N_ELEMENTS (drafts); n += n == 0 ? 2 : 1)
    g_assert_false (
        ss_reorder_came_by_tree (reorder, n, drafts[n], &departure));
  /* What nobody has verified. */
  g_assert_false (ss_reorder_came_by_tree (reorder, 1, drafts[2], &departure));
  g_assert_cmpint (departure, ==, -1);
  g_assert_true (ss_reorder_came_by_tree (reorder, 1, drafts[1], &departure));
  g_assert_cmpint (departure, ==, 0);
  g_assert_false (ss_reorder_came_by_tree (reorder, 1, drafts[1], &departure));
  for (unsigned n = 0; n < G_N_ELEMENTS (drafts); n++)
    g_bytes_unref (drafts[n]);
  ss_reorder_free (reorder);
}

/* A clock that runs 200 ppm fast or slow is followed; a long delay jumps. */
static void
test_clock (void)
{
  for (int ppm = -200; ppm <= 200; ppm += 100) {
    SsRng rng;
    ss_rng_init_number (&rng, (uint64_t) (ppm + 1000));
    SsMediaClock clock;
    ss_media_clock_init (&clock, SS_LATENCY_DEFAULT);
    SsTime last_base = 0;
    for (unsigned i = 0; i < 10000; i++) {
      SsTime departure = (SsTime) i * 60 * SS_MSEC;
      SsTime now = departure + departure / 1000000 * ppm + 5 * SS_SEC
                   + 20 * SS_MSEC + (SsTime) ss_rng_below (&rng, 10) * SS_MSEC;
      ss_media_clock_arrival (&clock, now, i % 16, departure);
      SsTime base = ss_media_clock_base (&clock, now);
      SsTime truth = 5 * SS_SEC + 20 * SS_MSEC + departure / 1000000 * ppm;
      if (i == 10)
        ss_media_clock_fix (&clock);
      if (i > 100) {
        g_assert_cmpint (ABS (base - truth), <, 15 * SS_MSEC);
        g_assert_cmpint (ABS (base - last_base), <, 200 * SS_USEC);
      }
      last_base = base;
    }
    /* From now on everything takes a second longer. */
    SsTime before = ss_media_clock_base (&clock, 620 * SS_SEC);
    for (unsigned i = 10000; i < 10200; i++)
      ss_media_clock_arrival (&clock,
                              (SsTime) i * 60 * SS_MSEC + before + SS_SEC,
                              i % 16, (SsTime) i * 60 * SS_MSEC);
    SsTime after = ss_media_clock_measured (&clock);
    g_assert_cmpint (after - before, >, 900 * SS_MSEC);
    g_assert_cmpint (after - before, <, 1100 * SS_MSEC);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/reorder/trials", test_trials);
  g_test_add_func ("/splitstream/reorder/awake", test_awake);
  g_test_add_func ("/splitstream/reorder/dead-stripe", test_dead_stripe);
  g_test_add_func ("/splitstream/reorder/refused", test_refused);
  g_test_add_func ("/splitstream/reorder/parity-alone", test_parity_alone);
  g_test_add_func ("/splitstream/reorder/stall", test_stall);
  g_test_add_func ("/splitstream/reorder/silence", test_silence);
  g_test_add_func ("/splitstream/reorder/crowded", test_crowded);
  g_test_add_func ("/splitstream/reorder/came-by-tree", test_came_by_tree);
  g_test_add_func ("/splitstream/media-clock", test_clock);
  return g_test_run ();
}
