/* The receiver's window: what is here, what is missing and what is done
 * about it. See the header; playout.c is the other half. */
#include "splitstream/reorder_private.h"

#include <string.h>

#include "splitstream/parity.h"

enum { CAPACITY_MIN = 64, ROW_RETRY_DIVISOR = 25 };
/* A gap in a tune-in burst, or before it, is asked for after this. */
#define BURST_MARGIN (20 * SS_MSEC)
/* A burst that brings nothing for so long is not waited for: whoever sends it
 * may be dead. */
#define BURST_STALL (100 * SS_MSEC)

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
  ss_parity_watch_init (&reorder->parity_watch, n_parity);
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

static void
forget_row (SsReorder *reorder, unsigned i)
{
  SsReorderRow *row = &g_array_index (reorder->rows, SsReorderRow, i);
  for (unsigned j = 0; j < SS_PARITY_MAX; j++)
    if (row->shards[j] != NULL)
      g_bytes_unref (row->shards[j]);
  g_array_remove_index (reorder->rows, i);
}

void
ss_reorder_free (SsReorder *reorder)
{
  for (uint64_t n = reorder->first; n < reorder->end; n++)
    forget_slot (ss_reorder_slot (reorder, n));
  while (reorder->rows->len > 0)
    forget_row (reorder, reorder->rows->len - 1);
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
    forget_row (reorder, 0);
  }
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
    forget_row (reorder, 0);
}

/* Makes the window reach down to `number`, before the start. */
static bool
extend_down (SsReorder *reorder, SsTime now, uint64_t number)
{
  if (reorder->is_started || reorder->end - number > SS_REORDER_MISSING_MAX)
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
    if (missing >= number)
      return;
    SsReorderSlot *slot = ss_reorder_slot (reorder, missing);
    if (slot->is_in_burst)
      slot->want_at = MIN (slot->want_at, now + BURST_MARGIN);
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

/* The row with these low bits that is nearest to the last known. */
static uint32_t
full_row (const SsReorder *reorder, uint16_t row_low)
{
  uint32_t difference = ((uint32_t) row_low - reorder->last_row) << 20;
  return reorder->last_row + (uint32_t) ((int32_t) difference >> 20);
}

void
ss_reorder_insert (SsReorder *reorder, SsTime now, uint64_t number,
                   const SsPacket *packet, GBytes *bytes, SsReorderVia via)
{
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
                          full_row (reorder, slot->row_low), slot->departure);
}

static SsReorderRow *
find_row (const SsReorder *reorder, uint64_t number)
{
  for (unsigned i = 0; i < reorder->rows->len; i++) {
    SsReorderRow *row = &g_array_index (reorder->rows, SsReorderRow, i);
    if (number >= row->first && number < row->first + row->n_data)
      return row;
  }
  return NULL;
}

/* Takes a row's missing packets from its parity, if there is enough of it. */
static void
rebuild (SsReorder *reorder, SsTime now, SsReorderRow *row)
{
  GBytes *data[SS_ROW_MAX];
  bool is_here[SS_ROW_MAX];
  if (row->is_bad)
    return;
  uint64_t first = row->first;
  unsigned n_data = row->n_data;
  if (first < reorder->first || first + n_data > reorder->end)
    return;
  for (unsigned i = 0; i < n_data; i++) {
    data[i] = ss_reorder_slot (reorder, first + i)->packet;
    is_here[i] = data[i] != NULL;
  }
  if (!ss_parity_rebuild (data, n_data, row->shards, reorder->n_parity))
    return;
  for (unsigned i = 0; i < n_data; i++) {
    if (is_here[i])
      continue;
    size_t len;
    const uint8_t *bytes = g_bytes_get_data (data[i], &len);
    SsPacket packet;
    if (ss_packet_parse (bytes, len, &packet) && !packet.is_parity
        && reorder->calls.verify (reorder->user, first + i, &packet, data[i]))
      ss_reorder_insert (reorder, now, first + i, &packet, data[i],
                         SS_REORDER_PARITY);
    else
      row->is_bad = true;
    g_bytes_unref (data[i]);
  }
}

/* The row's place in the list, made if need be; NULL: no room, or it
 * contradicts what is known. */
static SsReorderRow *
note_row (SsReorder *reorder, uint32_t row_number, const SsPacket *packet)
{
  unsigned i = reorder->rows->len;
  while (i > 0
         && g_array_index (reorder->rows, SsReorderRow, i - 1).row
                >= row_number)
    i--;
  if (i < reorder->rows->len
      && g_array_index (reorder->rows, SsReorderRow, i).row == row_number) {
    SsReorderRow *row = &g_array_index (reorder->rows, SsReorderRow, i);
    return row->first == packet->first && row->n_data == packet->n_data ? row
                                                                        : NULL;
  }
  if (reorder->rows->len >= SS_REORDER_ROWS_MAX)
    return NULL;
  SsReorderRow row = { .row = row_number,
                       .first = packet->first,
                       .n_data = packet->n_data };
  g_array_insert_val (reorder->rows, i, row);
  return &g_array_index (reorder->rows, SsReorderRow, i);
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
  ss_parity_watch_parity (&reorder->parity_watch, index, row_number);
  uint64_t end = (uint64_t) packet->first + packet->n_data;
  if (!reorder->has_any || end <= reorder->next
      || packet->n_data > reorder->n_columns)
    return;
  /* A row's parity tells of its last packets, too. */
  SsTime departure =
      ss_packet_departure (packet->departure, reorder->clock->last_departure);
  if (!reach (reorder, now, end - 1))
    return;
  expect_before (reorder, end, departure);
  SsReorderRow *row = note_row (reorder, row_number, packet);
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
      rebuild (reorder, now, row);
      return;
    }
  }
}

void
ss_reorder_expect (SsReorder *reorder, SsTime now, uint64_t first,
                   uint64_t newest, SsTime until)
{
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

/* The nearest packet after number that is here; the end if none. */
static uint64_t
next_here (const SsReorder *reorder, uint64_t number)
{
  while (number < reorder->end
         && ss_reorder_slot (reorder, number)->packet == NULL)
    number++;
  return number;
}

/* Which row does the missing packet belong to, and is that closed? Judged by
 * its neighbours. */
static bool
guess_row (const SsReorder *reorder, uint64_t number, uint32_t *ret_row)
{
  const SsReorderRow *known = find_row (reorder, number);
  if (known != NULL) {
    *ret_row = known->row;
    return true;
  }
  uint64_t later = next_here (reorder, number);
  if (!reorder->has_row || later == reorder->end)
    return false;
  const SsReorderSlot *slot = ss_reorder_slot (reorder, later);
  uint32_t row = full_row (reorder, slot->row_low);
  if (number + slot->index < later) {
    *ret_row = row - 1;
    return true;
  }
  const SsReorderSlot *newest = ss_reorder_slot (reorder, reorder->end - 1);
  if (newest->packet == NULL || newest->row_low == slot->row_low)
    return false;
  *ret_row = row;
  return true;
}

/* False: not now. */
static bool
want_parity (SsReorder *reorder, uint64_t number, SsTime deadline)
{
  uint32_t row_number;
  if (!guess_row (reorder, number, &row_number))
    return false;
  const SsReorderRow *row = find_row (reorder, number);
  bool are_wanted = true;
  for (unsigned j = 0; j < reorder->n_parity; j++)
    if (row == NULL || row->shards[j] == NULL)
      are_wanted &= reorder->calls.want (reorder->user, reorder->n_columns + j,
                                         row_number, deadline);
  return are_wanted;
}

/* When a wanted packet is of no more use; `later` is the nearest after it
 * that is here, or the end. */
static SsTime
give_up_at (const SsReorder *reorder, SsTime now, uint64_t later)
{
  SsTime grace = reorder->latency / SS_REORDER_GRACE_DIVISOR;
  SsTime at = now + reorder->latency;
  if (later < reorder->end)
    at = ss_reorder_due (reorder, ss_reorder_slot (reorder, later));
  return MAX (at, now + grace) - SS_REORDER_SAFETY;
}

/* After a silence there may be far more missing than could be played. Frames
 * go out late rather than never, but what should have been heard a whole
 * latency ago is not asked for: all the audience would do so at once. */
static bool
is_hopeless (const SsReorder *reorder, SsTime now, const SsReorderSlot *slot)
{
  return slot->has_guess
         && slot->departure + reorder->clock->base + 2 * reorder->latency < now;
}

/* What one overdue packet needs. */
static void
chase_one (SsReorder *reorder, SsTime now, uint64_t number, uint64_t later)
{
  SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  if (is_hopeless (reorder, now, slot))
    return;
  if (!slot->is_asked)
    slot->is_asked = reorder->calls.want (
        reorder->user, (unsigned) (number % reorder->n_columns),
        (uint32_t) (number / reorder->n_columns),
        give_up_at (reorder, now, later));
  if (!slot->is_asked) {
    slot->is_in_burst = false;
    slot->want_at = now + SS_REORDER_WANT_PAUSE;
    ss_reorder_at (reorder, slot->want_at);
    return;
  }
  if (slot->is_parity_asked || reorder->n_parity == 0)
    return;
  SsTime give_up = give_up_at (reorder, now, later);
  SsTime half = slot->want_at + (give_up - slot->want_at) / 2;
  if (now < half)
    ss_reorder_at (reorder, half);
  else if (want_parity (reorder, number, give_up))
    slot->is_parity_asked = true;
  else
    ss_reorder_at (reorder, now + reorder->latency / ROW_RETRY_DIVISOR);
}

/* When the missing packet is to be asked for. */
static SsTime
want_at (const SsReorder *reorder, uint64_t number)
{
  const SsReorderSlot *slot = ss_reorder_slot (reorder, number);
  return slot->is_in_burst
             ? MIN (slot->want_at, reorder->burst_heard + BURST_STALL)
             : slot->want_at;
}

static void
chase (SsReorder *reorder, SsTime now)
{
  /* Those missing next to each other have one packet after them: a burst may
   * be thousands. */
  uint64_t later = 0;
  for (unsigned i = 0; i < reorder->missing->len;) {
    uint64_t number = g_array_index (reorder->missing, uint64_t, i);
    if (want_at (reorder, number) > now) {
      ss_reorder_at (reorder, want_at (reorder, number));
      i++;
      continue;
    }
    SsReorderSlot *slot = ss_reorder_slot (reorder, number);
    if (!slot->is_told && !slot->is_in_burst)
      reorder->calls.overdue (reorder->user,
                              (unsigned) (number % reorder->n_columns));
    slot->is_told = true;
    SsReorderRow *row = find_row (reorder, number);
    if (row != NULL) {
      rebuild (reorder, now, row);
      later = 0;
    }
    if (ss_reorder_slot (reorder, number)->packet != NULL)
      continue; /* and no longer in the list */
    if (later <= number)
      later = next_here (reorder, number);
    chase_one (reorder, now, number, later);
    i++;
  }
}

static void
watch_parity (SsReorder *reorder, SsTime now)
{
  SsParityWatch *watch = &reorder->parity_watch;
  for (unsigned i;
       (i = ss_parity_watch_overdue (watch, now)) < watch->n_parity;)
    reorder->calls.overdue (reorder->user, reorder->n_columns + i);
  ss_reorder_at (reorder, ss_parity_watch_deadline (watch));
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
  chase (reorder, now);
  watch_parity (reorder, now);
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
