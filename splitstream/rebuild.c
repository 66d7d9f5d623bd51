/* The receiver's window: rows whose parity is here, and what is rebuilt of
 * them. */
#include "splitstream/parity.h"
#include "splitstream/reorder_private.h"

/* The row with these low bits that is nearest to the last known. */
uint32_t
ss_reorder_full_row (const SsReorder *reorder, uint16_t row_low)
{
  uint32_t difference = ((uint32_t) row_low - reorder->last_row) << 20;
  return reorder->last_row + (uint32_t) ((int32_t) difference >> 20);
}

void
ss_reorder_forget_row (SsReorder *reorder, unsigned i)
{
  SsReorderRow *row = &g_array_index (reorder->rows, SsReorderRow, i);
  for (unsigned j = 0; j < SS_PARITY_MAX; j++)
    if (row->shards[j] != NULL)
      g_bytes_unref (row->shards[j]);
  g_array_remove_index (reorder->rows, i);
}

SsReorderRow *
ss_reorder_find_row (const SsReorder *reorder, uint64_t number)
{
  for (unsigned i = 0; i < reorder->rows->len; i++) {
    SsReorderRow *row = &g_array_index (reorder->rows, SsReorderRow, i);
    if (number >= row->first && number < row->first + row->n_data)
      return row;
  }
  return NULL;
}

/* Takes a row's missing packets from its parity, if there is enough of it. */
void
ss_reorder_rebuild (SsReorder *reorder, SsTime now, SsReorderRow *row)
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
SsReorderRow *
ss_reorder_note_row (SsReorder *reorder, uint32_t row_number,
                     const SsPacket *packet)
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
