/* The receiver's window: what is here, and what is missing. See the header. */
#include "splitstream/reorder_private.h"

#include <string.h>

enum { CAPACITY_MIN = 64 };
/* A gap in a tune-in burst, or before it, is asked for after this. */
#define BURST_MARGIN (20 * SS_MSEC)
/* Until then it goes on, however slowly it comes. */
#define BURST_PATIENCE (150 * SS_MSEC)

SsReorder *
ss_reorder_new (SsMediaClock *clock, unsigned n_parity, SsTime latency,
                const SsReorderCalls *calls, void *user)
{
  g_assert (n_parity <= SS_PARITY_MAX);
  SsReorder *reorder = g_new0 (SsReorder, 1);
  reorder->clock = clock;
  reorder->calls = *calls;
  reorder->user = user;
  reorder->n_parity = n_parity;
  reorder->n_columns = SS_STRIPES - n_parity;
  reorder->latency = latency;
  reorder->deadline = SS_NEVER;
  ss_parity_watch_init (&reorder->parity_watch, n_parity, latency);
  reorder->capacity = CAPACITY_MIN;
  reorder->slots = g_new0 (SsReorderSlot, CAPACITY_MIN);
  reorder->missing = g_array_new (FALSE, FALSE, sizeof (uint64_t));
  reorder->rows = g_array_new (FALSE, FALSE, sizeof (SsReorderRow));
  return reorder;
}

static void
forget_slot (SsReorderSlot *slot)
{
  if (slot->packet != NULL)
    g_bytes_unref (slot->packet);
  memset (slot, 0, sizeof *slot);
}

void
ss_reorder_free (SsReorder *reorder)
{
  for (uint64_t n = reorder->first; n < reorder->end; n++)
    forget_slot (ss_reorder_slot (reorder, n));
  while (reorder->rows->len > 0)
    ss_reorder_forget_row (reorder, reorder->rows->len - 1);
  if (reorder->partial != NULL)
    g_byte_array_unref (reorder->partial);
  g_array_unref (reorder->missing);
  g_array_unref (reorder->rows);
  g_free (reorder->slots);
  g_free (reorder);
}

static void
grow (SsReorder *reorder, uint64_t n_slots)
{
  unsigned capacity = reorder->capacity;
  while (capacity < n_slots)
    capacity *= 2;
  if (capacity == reorder->capacity)
    return;
  SsReorderSlot *slots = g_new0 (SsReorderSlot, capacity);
  for (uint64_t n = reorder->first; n < reorder->end; n++)
    slots[n & (capacity - 1)] = *ss_reorder_slot (reorder, n);
  g_free (reorder->slots);
  reorder->slots = slots;
  reorder->capacity = capacity;
}

/* Where number is, or would be, in the list of the missing. */
static unsigned
missing_index (const SsReorder *reorder, uint64_t number)
{
  unsigned low = 0, high = reorder->missing->len;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (g_array_index (reorder->missing, uint64_t, middle) < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void
unwant (SsReorder *reorder, uint64_t number)
{
  reorder->calls.unwant (reorder->user,
                         (unsigned) (number % reorder->n_columns),
                         (uint32_t) (number / reorder->n_columns));
}

static void
no_longer_missing (SsReorder *reorder, uint64_t number)
{
  unsigned i = missing_index (reorder, number);
  if (i < reorder->missing->len
      && g_array_index (reorder->missing, uint64_t, i) == number)
    g_array_remove_index (reorder->missing, i);
  if (ss_reorder_slot (reorder, number)->is_asked)
    unwant (reorder, number);
}

/* A neighbour is sending it: not overdue yet. */
static void
spare (SsReorder *reorder, uint64_t number)
{
  SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  if (!reorder->is_expecting || number < reorder->expect_first
      || number > reorder->expect_newest || slot->is_asked)
    return;
  slot->is_in_burst = true;
  slot->want_at = reorder->expect_until;
}

static void
note_missing (SsReorder *reorder, SsTime now, uint64_t number, SsTime want_at)
{
  SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  g_assert (slot->packet == NULL);
  memset (slot, 0, sizeof *slot);
  slot->noticed = now;
  slot->want_at = want_at;
  if (reorder->has_end && number >= reorder->end_number)
    return;
  g_array_insert_val (reorder->missing, missing_index (reorder, number),
                      number);
  spare (reorder, number);
}

void
ss_reorder_advance (SsReorder *reorder, uint64_t next)
{
  g_assert (next >= reorder->next);
  g_assert (next <= reorder->end);
  while (reorder->missing->len > 0) {
    uint64_t number = g_array_index (reorder->missing, uint64_t, 0);
    if (number >= next)
      break;
    no_longer_missing (reorder, number);
  }
  reorder->next = next;
  reorder->is_parsed = false;
  while (reorder->first + SS_REORDER_KEPT < next)
    forget_slot (ss_reorder_slot (reorder, reorder->first++));
  while (reorder->rows->len > 0) {
    const SsReorderRow *row = &g_array_index (reorder->rows, SsReorderRow, 0);
    if (row->first + row->n_data > reorder->next
        && reorder->rows->len <= SS_REORDER_ROWS_MAX)
      break;
    ss_reorder_forget_row (reorder, 0);
  }
}

void
ss_reorder_keep_above (SsReorder *reorder)
{
  uint64_t floor = MIN (reorder->floor, reorder->end);
  if (floor > reorder->next)
    ss_reorder_advance (reorder, floor);
}

/* Throws everything away: the stream has jumped further than the window
 * reaches. */
static void
restart (SsReorder *reorder, uint64_t number)
{
  if (reorder->is_started)
    reorder->stats.packets_lost += reorder->missing->len;
  ss_reorder_advance (reorder, reorder->end);
  for (uint64_t n = reorder->first; n < reorder->end; n++)
    forget_slot (ss_reorder_slot (reorder, n));
  reorder->first = reorder->next = reorder->end = number;
  while (reorder->rows->len > 0)
    ss_reorder_forget_row (reorder, 0);
}

/* Makes the window reach down to `number`, before the start. */
static bool
extend_down (SsReorder *reorder, SsTime now, uint64_t number)
{
  if (reorder->is_started || number < reorder->floor
      || reorder->end - number > SS_REORDER_MISSING_MAX)
    return false;
  grow (reorder, reorder->end - number);
  uint64_t first = reorder->first;
  reorder->first = reorder->next = number;
  for (uint64_t n = number; n < first; n++)
    note_missing (reorder, now, n, now + BURST_MARGIN);
  return true;
}

/* Makes the window reach up to `end`. */
static void
extend_up (SsReorder *reorder, SsTime now, uint64_t end)
{
  if (end <= reorder->end)
    return;
  if (end - reorder->first > SS_REORDER_MAX
      || end - reorder->end + reorder->missing->len > SS_REORDER_MISSING_MAX)
    restart (reorder, end - 1);
  grow (reorder, end - reorder->first);
  for (uint64_t n = reorder->end; n < end; n++) {
    reorder->end = n + 1;
    note_missing (reorder, now, n, SS_NEVER);
  }
}

/* Does the window hold a slot for the number? Moves it if it may. */
static bool
reach (SsReorder *reorder, SsTime now, uint64_t number)
{
  if (!reorder->has_any) {
    reorder->has_any = true;
    reorder->first = reorder->next = reorder->end = number;
  }
  if (number < reorder->first && !extend_down (reorder, now, number))
    return false;
  extend_up (reorder, now, number + 1);
  ss_reorder_keep_above (reorder);
  return true;
}

/* When the packets of a gap before one that left at `departure` have left:
 * evenly spread from the one before the gap on. */
static void
guess_departures (SsReorder *reorder, uint64_t number, SsTime departure)
{
  uint64_t low = number;
  while (low > reorder->first
         && ss_reorder_slot (reorder, low - 1)->packet == NULL)
    low--;
  if (low == number || low == reorder->first)
    return;
  SsTime from = ss_reorder_slot (reorder, low - 1)->departure;
  SsTime step = (departure - from) / (SsTime) (number - low + 1);
  for (uint64_t n = MAX (low, reorder->next); n < number; n++) {
    SsReorderSlot *slot = ss_reorder_slot (reorder, n);
    slot->has_guess = true;
    slot->departure = from + step * (SsTime) (n - low + 1);
  }
}

/* A packet that left at `departure` has come: when are those missing right
 * before it overdue? */
static void
expect_before (SsReorder *reorder, uint64_t number, SsTime departure)
{
  if (reorder->is_started)
    guess_departures (reorder, number, departure);
  SsTime expected = departure + ss_media_clock_measured (reorder->clock);
  for (uint64_t n = number; n > reorder->next;) {
    SsReorderSlot *slot = ss_reorder_slot (reorder, --n);
    if (slot->packet != NULL)
      return;
    if (!slot->is_in_burst)
      slot->want_at =
          MIN (slot->want_at,
               expected
                   + ss_media_clock_allowance (
                       reorder->clock, (unsigned) (n % reorder->n_columns)));
  }
}

void
ss_reorder_burst_is_at (SsReorder *reorder, SsTime now, uint64_t number)
{
  reorder->burst_heard = now;
  for (unsigned i = 0; i < reorder->missing->len; i++) {
    uint64_t missing = g_array_index (reorder->missing, uint64_t, i);
    SsReorderSlot *slot = ss_reorder_slot (reorder, missing);
    if (!slot->is_in_burst)
      continue;
    if (missing < number)
      slot->want_at = MIN (slot->want_at, now + BURST_MARGIN);
    else if (!reorder->is_started)
      slot->want_at = MAX (slot->want_at, now + BURST_PATIENCE);
  }
}

static void
set_end (SsReorder *reorder, uint64_t end_number)
{
  if (reorder->has_end)
    return;
  reorder->has_end = true;
  reorder->end_number = end_number;
  while (reorder->missing->len > 0) {
    uint64_t number =
        g_array_index (reorder->missing, uint64_t, reorder->missing->len - 1);
    if (number < end_number)
      break;
    no_longer_missing (reorder, number);
  }
}

void
ss_reorder_insert (SsReorder *reorder, SsTime now, uint64_t number,
                   const SsPacket *packet, GBytes *bytes, SsReorderVia via)
{
  /* A neighbour's word on its burst does not hide what the trees bring. */
  if (via == SS_REORDER_TREE)
    reorder->floor = MIN (reorder->floor, number);
  if (!reach (reorder, now, number))
    return;
  SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  if (slot->packet != NULL)
    return;
  if (number >= reorder->next)
    no_longer_missing (reorder, number);
  memset (slot, 0, sizeof *slot);
  slot->packet = g_bytes_ref (bytes);
  slot->departure =
      ss_packet_departure (packet->departure, reorder->clock->last_departure);
  slot->timestamp = ss_packet_timestamp (packet->timestamp, slot->departure);
  slot->frame_number = packet->frame_number;
  slot->row_low = packet->row_low;
  slot->index = packet->index;
  slot->flags = packet->flags;
  slot->version = packet->header_version;
  slot->is_by_tree = via == SS_REORDER_TREE;
  if (packet->n_frames == 1) {
    slot->duration = packet->durations[0];
    slot->part_from =
        (uint16_t) (packet->payload.data
                    - (const uint8_t *) g_bytes_get_data (bytes, NULL));
  }
  if (via == SS_REORDER_PARITY)
    reorder->stats.packets_rebuilt++;
  if ((packet->flags & SS_PACKET_FLAG_END) != 0 && number >= packet->index)
    set_end (reorder, number - packet->index);
  if (number >= reorder->next)
    expect_before (reorder, number, slot->departure);
  if (reorder->has_row)
    ss_parity_watch_data (&reorder->parity_watch, reorder->clock,
                          ss_reorder_full_row (reorder, slot->row_low),
                          slot->departure);
}

bool
ss_reorder_came_by_tree (SsReorder *reorder, uint64_t number, GBytes *bytes,
                         SsTime *ret_departure)
{
  if (number < reorder->first || number >= reorder->end)
    return false;
  SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  if (slot->packet == NULL || slot->is_by_tree
      || !g_bytes_equal (slot->packet, bytes))
    return false;
  slot->is_by_tree = true;
  *ret_departure = slot->departure;
  return true;
}

void
ss_reorder_insert_parity (SsReorder *reorder, SsTime now, uint32_t row_number,
                          unsigned index, const SsPacket *packet, GBytes *bytes)
{
  g_assert (index < reorder->n_parity);
  if (!reorder->has_row || row_number > reorder->last_row) {
    reorder->has_row = true;
    reorder->last_row = row_number;
  }
  SsTime departure =
      ss_packet_departure (packet->departure, reorder->clock->last_departure);
  ss_parity_watch_parity (&reorder->parity_watch, index, row_number, departure);
  uint64_t end = (uint64_t) packet->first + packet->n_data;
  if (!reorder->has_any || end <= reorder->next
      || packet->n_data > reorder->n_columns)
    return;
  if (!reach (reorder, now, end - 1))
    return;
  /* A row's parity tells of its last packets, too. */
  expect_before (reorder, end, departure);
  SsReorderRow *row = ss_reorder_note_row (reorder, row_number, packet);
  if (row == NULL || row->shards[index] != NULL)
    return;
  row->shards[index] = g_bytes_new_from_bytes (
      bytes,
      (size_t) (packet->payload.data
                - (const uint8_t *) g_bytes_get_data (bytes, NULL)),
      packet->payload.len);
  for (uint64_t n = MAX (row->first, reorder->next); n < end; n++) {
    const SsReorderSlot *slot = ss_reorder_slot (reorder, n);
    if (slot->packet == NULL && slot->want_at <= now) {
      ss_reorder_rebuild (reorder, now, row);
      return;
    }
  }
}

void
ss_reorder_expect (SsReorder *reorder, SsTime now, uint64_t first,
                   uint64_t newest, SsTime until, SsTime round_trip)
{
  reorder->round_trip = round_trip;
  if (reorder->is_started || newest < first)
    return;
  reorder->is_expecting = true;
  reorder->expect_first = first;
  reorder->expect_newest = newest;
  reorder->expect_until = until;
  reorder->burst_heard = now;
  for (unsigned i = 0; i < reorder->missing->len; i++)
    spare (reorder, g_array_index (reorder->missing, uint64_t, i));
}

/* It has started to play: a burst must keep ahead of it. */
void
ss_reorder_hurry_burst (SsReorder *reorder, SsTime now)
{
  SsTime at = now + BURST_MARGIN;
  for (unsigned i = 0; i < reorder->missing->len; i++) {
    SsReorderSlot *slot = ss_reorder_slot (
        reorder, g_array_index (reorder->missing, uint64_t, i));
    at += BURST_MARGIN;
    slot->want_at = MIN (slot->want_at, at);
  }
}

void
ss_reorder_reach_down (SsReorder *reorder, SsTime now, uint64_t number)
{
  if (reorder->has_any && number < reorder->first)
    extend_down (reorder, now, number);
}

void
ss_reorder_run (SsReorder *reorder, SsTime now)
{
  reorder->deadline = SS_NEVER;
  if (!reorder->has_any || !reorder->clock->is_set)
    return;
  ss_media_clock_base (reorder->clock, now);
  if (!reorder->is_started)
    ss_reorder_start (reorder, now);
  if (reorder->is_started)
    ss_reorder_play (reorder, now);
  ss_reorder_chase (reorder, now);
  ss_reorder_watch_parity (reorder, now);
}

bool
ss_reorder_has_end (const SsReorder *reorder)
{
  return reorder->has_end;
}

uint64_t
ss_reorder_n_rows (const SsReorder *reorder)
{
  return reorder->n_rows;
}

SsTime
ss_reorder_deadline (const SsReorder *reorder)
{
  return reorder->deadline;
}

bool
ss_reorder_has (const SsReorder *reorder, uint64_t number)
{
  return ss_reorder_packet (reorder, number) != NULL;
}

bool
ss_reorder_is_headers (const SsReorder *reorder, uint64_t number,
                       uint8_t *ret_version)
{
  const SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  if (!ss_reorder_has (reorder, number)
      || (slot->flags & SS_PACKET_FLAG_HEADERS) == 0)
    return false;
  *ret_version = slot->version;
  return true;
}

GBytes *
ss_reorder_packet (const SsReorder *reorder, uint64_t number)
{
  if (number < reorder->first || number >= reorder->end)
    return NULL;
  return ss_reorder_slot (reorder, number)->packet;
}

uint64_t
ss_reorder_next (const SsReorder *reorder)
{
  return reorder->next;
}

uint64_t
ss_reorder_end (const SsReorder *reorder)
{
  return reorder->end;
}

bool
ss_reorder_is_started (const SsReorder *reorder)
{
  return reorder->is_started;
}

bool
ss_reorder_is_empty (const SsReorder *reorder)
{
  return reorder->next == reorder->end;
}

bool
ss_reorder_is_ended (const SsReorder *reorder)
{
  return reorder->has_end && reorder->next >= reorder->end_number;
}

const SsReorderStats *
ss_reorder_stats (const SsReorder *reorder)
{
  return &reorder->stats;
}
