/* The publisher's side of a stream: see the header. */
#include "splitstream/rows.h"

#include <string.h>

#include "splitstream/parity.h"
#include "splitstream/paritywatch.h"

enum {
  /* MEDIA_DATA without path, lengths, durations and payload. */
  FIXED_LEN = 1 + SS_SIGNATURE_LEN + 1 + 1 + 4 + 2 + 1 + 1 + 4 + 4 + 4 + 1 + 1,
  FRAMES_MAX = 120, /* in one packet: long durations come in pairs */
  PART_MIN = 64,    /* of a frame behind another's tail */
  WAITING_MAX = 2,  /* closed rows whose parity waits */
};

/* The packet being filled. */
typedef struct {
  uint8_t flags, version;
  SsTime timestamp; /* of the first part */
  SsTime since;   /* when its first part came, or falls due if that is later */
  SsTime held;    /* durations, as time */
  bool is_urgent; /* holds the end of a frame longer than a packet */
  uint64_t frame_number;
  unsigned n;
  uint16_t lens[FRAMES_MAX];
  uint32_t durations[FRAMES_MAX];
  size_t len;
  uint8_t payload[SS_PACKET_DRAFT_MAX];
} Filling;

/* A closed row's parity, before it is signed. */
typedef struct {
  uint64_t row, first;
  unsigned n_data;
  GBytes *shards[SS_PARITY_MAX];
  SsTime due; /* then it leaves alone */
} Parity;

struct SsRows {
  SsSigner signer;
  uint32_t session;
  unsigned n_parity, n_columns;
  SsTime hold, row_time, parity_wait;
  Filling filling;
  uint8_t version;
  uint32_t clock_rate;
  uint64_t next_number, next_frame;
  /* The open row, as far as it is drafted. */
  uint64_t row;
  unsigned n_in_row;
  SsTime row_start, last_departure;
  /* The row being signed: the open one, but within a burst. */
  uint64_t signed_row, signed_first;
  unsigned n_kept;
  GBytes *kept[SS_ROW_MAX]; /* its packets so far */
  unsigned n_waiting;       /* of the rows before it, whose parity waits for */
  Parity waiting[WAITING_MAX]; /* company */
  /* Of this burst. */
  GArray *drafts; /* SsPacketDraft */
  GArray *ready;  /* SsRowsPacket, from n_popped on */
  unsigned n_popped;
};

SsRows *
ss_rows_new (const SsSigner *signer, uint32_t session, unsigned n_parity,
             SsTime latency)
{
  g_assert (n_parity <= SS_PARITY_MAX);
  SsRows *rows = g_new0 (SsRows, 1);
  rows->signer = *signer;
  rows->session = session;
  rows->n_parity = n_parity;
  rows->n_columns = SS_STRIPES - n_parity;
  rows->hold = latency / 25;
  rows->row_time = latency * 3 / 5;
  rows->parity_wait = latency * SS_PARITY_WAIT_PERCENT / 100;
  rows->last_departure = -1;
  rows->drafts = g_array_new (FALSE, FALSE, sizeof (SsPacketDraft));
  rows->ready = g_array_new (FALSE, FALSE, sizeof (SsRowsPacket));
  return rows;
}

static void
clear_parity (SsRows *rows)
{
  for (unsigned i = 0; i < rows->n_waiting; i++)
    for (unsigned j = 0; j < rows->n_parity; j++)
      g_bytes_unref (rows->waiting[i].shards[j]);
  rows->n_waiting = 0;
}

void
ss_rows_free (SsRows *rows)
{
  SsRowsPacket packet;
  clear_parity (rows);
  while (ss_rows_pop (rows, &packet))
    g_bytes_unref (packet.packet);
  for (unsigned i = 0; i < rows->n_kept; i++)
    g_bytes_unref (rows->kept[i]);
  g_assert (rows->drafts->len == 0);
  g_array_unref (rows->drafts);
  g_array_unref (rows->ready);
  ss_signer_clear (&rows->signer);
  g_free (rows);
}

/* Bytes of a packet with these parts. */
static size_t
packet_len (unsigned n_frames, unsigned n_durations, bool is_long,
            size_t payload_len)
{
  return FIXED_LEN + 2 * (n_frames - MIN (n_frames, 1))
         + (is_long ? 4 : 2) * n_durations + payload_len;
}

static bool
is_long (const Filling *filling, uint32_t duration)
{
  if (duration > UINT16_MAX)
    return true;
  for (unsigned i = 0; i < filling->n; i++)
    if (filling->durations[i] > UINT16_MAX)
      return true;
  return false;
}

/* How many durations have to be written: the last holds for what follows. */
static unsigned
n_durations (const Filling *filling)
{
  unsigned n = filling->n;
  while (n > 1 && filling->durations[n - 2] == filling->durations[n - 1])
    n--;
  return n;
}

/* How many bytes of another frame fit. Reckons with a duration for each. */
static size_t
room (const Filling *filling, uint32_t duration)
{
  if (filling->n >= FRAMES_MAX)
    return 0;
  unsigned n = filling->n + 1;
  unsigned n_written = n;
  if (filling->n > 0 && filling->durations[filling->n - 1] == duration)
    n_written = n_durations (filling);
  size_t len =
      packet_len (n, n_written, is_long (filling, duration), filling->len);
  return len < SS_PACKET_DRAFT_MAX ? SS_PACKET_DRAFT_MAX - len : 0;
}

/* Writes the filling's lengths and durations. */
static void
list_frames (const Filling *filling, SsMsgMediaData *message)
{
  for (unsigned i = 0; i + 1 < filling->n; i++)
    message->lengths[message->n_lengths++] = filling->lens[i];
  bool pairs = is_long (filling, 0);
  if (pairs)
    message->flags |= SS_PACKET_FLAG_LONG;
  unsigned n = filling->n > 0 ? n_durations (filling) : 0;
  for (unsigned i = 0; i < n; i++) {
    if (pairs)
      message->durations[message->n_durations++] =
          (uint16_t) (filling->durations[i] >> 16);
    message->durations[message->n_durations++] =
        (uint16_t) filling->durations[i];
  }
}

/* Drafts what is being filled; the draft waits for the burst's end. */
static void
leave (SsRows *rows, SsTime media_now)
{
  Filling *filling = &rows->filling;
  if (rows->n_in_row == 0)
    rows->row_start = filling->since;
  SsMsgMediaData message;
  memset (&message, 0, sizeof message);
  message.session = rows->session;
  message.place = (uint16_t) ((rows->row & 0xfff) << 4 | rows->n_in_row);
  message.flags =
      (uint8_t) (filling->flags | rows->n_parity << SS_PACKET_PARITY_SHIFT);
  message.header_version = filling->version;
  message.departure = ss_packet_departure_to_wire (media_now);
  message.timestamp = ss_packet_timestamp_to_wire (filling->timestamp);
  message.frame_number = (uint32_t) filling->frame_number;
  list_frames (filling, &message);
  message.payload =
      (SsWireBytes){ .data = filling->payload, .len = (uint16_t) filling->len };
  SsPacketDraft draft = {
    .draft = ss_packet_draft_data (&message),
    .stripe = (uint8_t) (rows->next_number % rows->n_columns),
    .sequence = (uint32_t) (rows->next_number / rows->n_columns),
  };
  g_array_append_val (rows->drafts, draft);
  rows->next_number++;
  rows->n_in_row++;
  rows->last_departure = media_now;
  filling->n = 0;
  filling->len = 0;
  filling->held = 0;
  filling->is_urgent = false;
  filling->flags = 0;
  if (rows->n_in_row == rows->n_columns) {
    rows->row++;
    rows->n_in_row = 0;
  }
}

static void
make_ready (SsRows *rows, const SsPacketDraft *draft)
{
  SsRowsPacket packet = { .stripe = draft->stripe,
                          .sequence = draft->sequence,
                          .packet = draft->draft };
  g_array_append_val (rows->ready, packet);
}

/* Takes the parity of the row being signed, and begins another. */
static void
close_row (SsRows *rows, SsTime media_now)
{
  if (rows->n_parity > 0) {
    g_assert (rows->n_waiting < WAITING_MAX);
    Parity *parity = &rows->waiting[rows->n_waiting++];
    *parity = (Parity){ .row = rows->signed_row,
                        .first = rows->signed_first,
                        .n_data = rows->n_kept,
                        .due = media_now + rows->parity_wait };
    ss_parity_encode (rows->kept, rows->n_kept, rows->n_parity, parity->shards);
  }
  for (unsigned i = 0; i < rows->n_kept; i++)
    g_bytes_unref (rows->kept[i]);
  rows->signed_first += rows->n_kept;
  rows->signed_row++;
  rows->n_kept = 0;
}

static void
draft_row_parity (SsRows *rows, SsTime media_now, const Parity *parity,
                  SsPacketDraft *ret_drafts)
{
  for (unsigned j = 0; j < rows->n_parity; j++) {
    SsMsgMediaParity message;
    memset (&message, 0, sizeof message);
    message.session = rows->session;
    message.first = (uint32_t) parity->first;
    message.n_data = (uint8_t) parity->n_data;
    message.parity = (uint8_t) rows->n_parity;
    message.departure = ss_packet_departure_to_wire (media_now);
    size_t len;
    message.shard.data = g_bytes_get_data (parity->shards[j], &len);
    message.shard.len = (uint16_t) len;
    ret_drafts[j] = (SsPacketDraft){
      .draft = ss_packet_draft_parity (&message),
      .stripe = (uint8_t) (rows->n_columns + j),
      .sequence = (uint32_t) parity->row,
    };
  }
}

/* Drafts the waiting parity; returns how many packets it is. */
static unsigned
draft_parity (SsRows *rows, SsTime media_now, SsPacketDraft *ret_drafts)
{
  unsigned n = rows->n_waiting * rows->n_parity;
  for (unsigned i = 0; i < rows->n_waiting; i++)
    draft_row_parity (rows, media_now, &rows->waiting[i],
                      ret_drafts + (size_t) i * rows->n_parity);
  clear_parity (rows);
  return n;
}

/* Signs a group: the waiting parity and what has been drafted, as far as there
 * is room for the parity of the rows that end within. */
static void
sign_group (SsRows *rows, SsTime media_now)
{
  SsPacketDraft group[SS_PACKET_BURST_MAX];
  unsigned n_parity = draft_parity (rows, media_now, group);
  unsigned n_data = MIN (rows->drafts->len, SS_PACKET_BURST_MAX - n_parity);
  n_data = MIN (n_data, (WAITING_MAX + 1) * rows->n_columns - rows->n_kept - 1);
  for (unsigned i = 0; i < n_data; i++)
    group[n_parity + i] = g_array_index (rows->drafts, SsPacketDraft, i);
  g_array_remove_range (rows->drafts, 0, n_data);
  unsigned n = n_parity + n_data;
  ss_packet_sign (&rows->signer, group, n, SS_PACKET_BURST_MAX);
  for (unsigned i = 0; i < n; i++) {
    make_ready (rows, &group[i]);
    if (i < n_parity)
      continue;
    rows->kept[rows->n_kept++] = g_bytes_ref (group[i].draft);
    if (rows->n_kept == rows->n_columns)
      close_row (rows, media_now);
  }
}

/* Everything drafted leaves. A row's parity is taken over signed packets, so
 * it shares the signature of the next burst, or of the rest of a long one. */
static void
sign_burst (SsRows *rows, SsTime media_now)
{
  while (rows->drafts->len > 0)
    sign_group (rows, media_now);
}

/* The open row ends here, and its parity leaves at once. */
static void
cut_row (SsRows *rows, SsTime media_now)
{
  g_assert (rows->n_kept == rows->n_in_row);
  if (rows->n_waiting > 0)
    sign_group (rows, media_now);
  if (rows->n_kept > 0) {
    close_row (rows, media_now);
    rows->row++;
    rows->n_in_row = 0;
  }
  if (rows->n_waiting > 0)
    sign_group (rows, media_now);
}

static void
flush (SsRows *rows, SsTime media_now)
{
  if (rows->filling.n > 0)
    leave (rows, media_now);
}

static void
start (SsRows *rows, SsTime media_now, SsTime timestamp)
{
  rows->filling.timestamp = timestamp;
  rows->filling.since = MAX (media_now, timestamp);
  rows->filling.version = rows->version;
  rows->filling.frame_number = rows->next_frame;
}

static void
put (SsRows *rows, const uint8_t *data, size_t len, uint32_t duration)
{
  Filling *filling = &rows->filling;
  g_assert (filling->n < FRAMES_MAX);
  if (len > 0)
    memcpy (filling->payload + filling->len, data, len);
  filling->len += len;
  filling->lens[filling->n] = (uint16_t) len;
  filling->durations[filling->n++] = duration;
}

void
ss_rows_push_headers (SsRows *rows, SsTime media_now, uint8_t version,
                      uint32_t clock_rate, GBytes *serialised)
{
  enum { PART_MAX = SS_PACKET_DRAFT_MAX - FIXED_LEN };
  flush (rows, media_now);
  rows->version = version;
  rows->clock_rate = clock_rate;
  size_t len, done = 0;
  const uint8_t *data = g_bytes_get_data (serialised, &len);
  while (done < len) {
    size_t part = MIN (len - done, (size_t) PART_MAX);
    start (rows, media_now, media_now);
    rows->filling.flags = SS_PACKET_FLAG_HEADERS;
    if (done > 0)
      rows->filling.flags |= SS_PACKET_FLAG_TAIL;
    if (done + part < len)
      rows->filling.flags |= SS_PACKET_FLAG_HEAD;
    memcpy (rows->filling.payload, data + done, part);
    rows->filling.len = part;
    leave (rows, media_now);
    done += part;
  }
}

static SsTime
duration_time (const SsRows *rows, uint32_t duration)
{
  if (rows->clock_rate == 0)
    return 0;
  return (SsTime) duration * SS_SEC / rows->clock_rate;
}

/* Does the frame, or a part that is worth it, go behind what is being
 * filled? */
static bool
fits (const Filling *filling, const SsFrame *frame)
{
  size_t space = room (filling, frame->duration);
  return filling->n < FRAMES_MAX
         && (space >= PART_MIN || space >= g_bytes_get_size (frame->data));
}

/* A frame longer than the room there is: its parts go into packets one after
 * the other, and the last may be followed by other frames. */
static void
split (SsRows *rows, SsTime media_now, const SsFrame *frame)
{
  size_t len, done = 0;
  const uint8_t *data = g_bytes_get_data (frame->data, &len);
  while (done < len) {
    if (rows->filling.n == 0)
      start (rows, media_now, frame->timestamp);
    size_t part = MIN (len - done, room (&rows->filling, frame->duration));
    if (done > 0) {
      rows->filling.flags |= SS_PACKET_FLAG_TAIL;
      rows->filling.is_urgent = len > SS_PACKET_DRAFT_MAX;
    }
    put (rows, data + done, part, frame->duration);
    done += part;
    if (done < len) {
      rows->filling.flags |= SS_PACKET_FLAG_HEAD;
      leave (rows, media_now);
    }
  }
}

bool
ss_rows_push_frame (SsRows *rows, SsTime media_now, const SsFrame *frame)
{
  Filling *filling = &rows->filling;
  size_t len;
  const uint8_t *data = g_bytes_get_data (frame->data, &len);
  if (len > SS_FRAME_BYTES_MAX) {
    rows->next_frame++;
    return false;
  }
  if (filling->n > 0) {
    SsTime expected = filling->timestamp + filling->held;
    if (ABS (frame->timestamp - expected) > SS_ROWS_TIMESTAMP_SLACK
        || !fits (filling, frame))
      flush (rows, media_now);
  }
  if (filling->n == 0)
    start (rows, media_now, frame->timestamp);
  if (room (filling, frame->duration) >= len)
    put (rows, data, len, frame->duration);
  else
    split (rows, media_now, frame);
  filling->held += duration_time (rows, frame->duration);
  rows->next_frame++;
  return true;
}

void
ss_rows_push_beacon (SsRows *rows, SsTime media_now)
{
  flush (rows, media_now);
  start (rows, media_now, media_now);
  leave (rows, media_now);
  sign_burst (rows, media_now);
}

void
ss_rows_end (SsRows *rows, SsTime media_now)
{
  flush (rows, media_now);
  sign_burst (rows, media_now);
  cut_row (rows, media_now);
  for (unsigned i = 0; i < rows->n_columns; i++) {
    start (rows, media_now, media_now);
    rows->filling.flags = SS_PACKET_FLAG_END;
    leave (rows, media_now);
  }
  sign_burst (rows, media_now);
  cut_row (rows, media_now);
}

SsTime
ss_rows_deadline (const SsRows *rows)
{
  SsTime deadline = SS_NEVER;
  if (rows->drafts->len > 0)
    return rows->last_departure; /* at once */
  if (rows->filling.n > 0)
    deadline = rows->filling.since + rows->hold + SS_ROWS_HOLD_SLACK;
  if (rows->n_in_row > 0)
    deadline = MIN (deadline, rows->row_start + rows->row_time);
  if (rows->n_waiting > 0)
    deadline = MIN (deadline, rows->waiting[0].due);
  return deadline;
}

void
ss_rows_run (SsRows *rows, SsTime media_now)
{
  const Filling *filling = &rows->filling;
  /* The next frame comes when it falls due: is that too late? */
  if (filling->is_urgent || filling->held >= rows->hold
      || media_now >= filling->since + rows->hold + SS_ROWS_HOLD_SLACK)
    flush (rows, media_now);
  sign_burst (rows, media_now);
  if (rows->n_in_row > 0 && media_now >= rows->row_start + rows->row_time)
    cut_row (rows, media_now);
  if (rows->n_waiting > 0 && media_now >= rows->waiting[0].due)
    sign_group (rows, media_now);
}

bool
ss_rows_pop (SsRows *rows, SsRowsPacket *ret_packet)
{
  if (rows->n_popped == rows->ready->len)
    return false;
  *ret_packet = g_array_index (rows->ready, SsRowsPacket, rows->n_popped++);
  if (rows->n_popped == rows->ready->len) {
    g_array_set_size (rows->ready, 0);
    rows->n_popped = 0;
  }
  return true;
}

uint64_t
ss_rows_n_rows (const SsRows *rows)
{
  return rows->row;
}

uint64_t
ss_rows_n_data (const SsRows *rows)
{
  return rows->next_number;
}

SsTime
ss_rows_last_departure (const SsRows *rows)
{
  return rows->last_departure;
}
