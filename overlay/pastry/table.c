/* The routing table (Pastry, Middleware 2001, section 2.3). Entries of a row
 * are packed: their place is the number of columns taken before theirs. */
#include "overlay/pastry/table.h"

#include <glib.h>
#include <string.h>

#define ROW_CAPACITY_FIRST 2
#define ROW_CAPACITY_STEP  4

static unsigned packed_place (const SsTableRow *row, unsigned column);
static void grow_rows (SsTable *table, unsigned n_rows);
static void add_entry (SsTable *table, SsTableRow *row, unsigned column,
                       const SsTableEntry *entry);
static uint32_t rtt_to_us (SsTime rtt);

void
ss_table_init (SsTable *table, const SsId *self)
{
  *table = (SsTable){ .self = *self };
}

void
ss_table_clear (SsTable *table)
{
  for (unsigned i = 0; i < table->n_rows; i++)
    g_free (table->rows[i].entries);
  g_clear_pointer (&table->rows, g_free);
  table->n_rows = 0;
  table->n_entries = 0;
}

bool
ss_table_place (const SsTable *table, const SsId *id, unsigned *ret_row,
                unsigned *ret_column)
{
  unsigned row = ss_id_shared_digits (&table->self, id);
  if (row == SS_ID_DIGITS)
    return false;
  *ret_row = row;
  *ret_column = ss_id_digit (id, row);
  return true;
}

const SsTableEntry *
ss_table_get (const SsTable *table, unsigned row, unsigned column)
{
  if (row >= table->n_rows || (table->rows[row].mask & (1u << column)) == 0)
    return NULL;
  return &table->rows[row].entries[packed_place (&table->rows[row], column)];
}

const SsTableEntry *
ss_table_lookup (const SsTable *table, const SsId *key)
{
  unsigned row, column;
  if (!ss_table_place (table, key, &row, &column))
    return NULL;
  return ss_table_get (table, row, column);
}

const SsTableEntry *
ss_table_find (const SsTable *table, const SsId *id)
{
  const SsTableEntry *entry = ss_table_lookup (table, id);
  return entry != NULL && ss_id_equal (&entry->contact.id, id) ? entry : NULL;
}

bool
ss_table_offer (SsTable *table, const SsContact *contact, SsTime rtt)
{
  unsigned row, column;
  if (!ss_table_place (table, &contact->id, &row, &column))
    return false;
  SsTableEntry offered = { .contact = *contact, .rtt_us = rtt_to_us (rtt) };

  const SsTableEntry *there = ss_table_get (table, row, column);
  if (there == NULL) {
    grow_rows (table, row + 1);
    add_entry (table, &table->rows[row], column, &offered);
    return true;
  }
  bool same = ss_id_equal (&there->contact.id, &contact->id);
  if (!same && offered.rtt_us >= there->rtt_us)
    return false;
  if (same && offered.rtt_us == SS_TABLE_RTT_UNKNOWN)
    offered.rtt_us = there->rtt_us;
  SsTableRow *holder = &table->rows[row];
  holder->entries[packed_place (holder, column)] = offered;
  return true;
}

bool
ss_table_remove (SsTable *table, const SsId *id)
{
  unsigned row, column;
  if (ss_table_find (table, id) == NULL
      || !ss_table_place (table, id, &row, &column))
    return false;
  SsTableRow *holder = &table->rows[row];
  unsigned at = packed_place (holder, column);
  holder->n--;
  holder->mask &= (uint16_t) ~(1u << column);
  memmove (&holder->entries[at], &holder->entries[at + 1],
           (holder->n - at) * sizeof *holder->entries);
  table->n_entries--;
  return true;
}

unsigned
ss_table_n_entries (const SsTable *table)
{
  return table->n_entries;
}

unsigned
ss_table_n_rows (const SsTable *table)
{
  return table->n_rows;
}

unsigned
ss_table_row (const SsTable *table, unsigned row,
              const SsTableEntry **ret_entries)
{
  if (row >= table->n_rows)
    return 0;
  *ret_entries = table->rows[row].entries;
  return table->rows[row].n;
}

const SsTableEntry *
ss_table_nth (const SsTable *table, unsigned index)
{
  g_assert (index < table->n_entries);
  unsigned row = 0;
  while (index >= table->rows[row].n)
    index -= table->rows[row++].n;
  return &table->rows[row].entries[index];
}

size_t
ss_table_memory (const SsTable *table)
{
  size_t bytes = table->n_rows * sizeof *table->rows;
  for (unsigned i = 0; i < table->n_rows; i++)
    bytes += table->rows[i].capacity * sizeof (SsTableEntry);
  return bytes;
}

static unsigned
packed_place (const SsTableRow *row, unsigned column)
{
  unsigned before = row->mask & ((1u << column) - 1);
  return (unsigned) __builtin_popcount (before);
}

static void
grow_rows (SsTable *table, unsigned n_rows)
{
  if (n_rows <= table->n_rows)
    return;
  table->rows = g_renew (SsTableRow, table->rows, n_rows);
  memset (&table->rows[table->n_rows], 0,
          (n_rows - table->n_rows) * sizeof *table->rows);
  table->n_rows = (uint8_t) n_rows;
}

static void
add_entry (SsTable *table, SsTableRow *row, unsigned column,
           const SsTableEntry *entry)
{
  if (row->n == row->capacity) {
    unsigned capacity = row->capacity == 0 ? ROW_CAPACITY_FIRST
                                           : row->capacity + ROW_CAPACITY_STEP;
    row->capacity = (uint8_t) MIN (capacity, SS_TABLE_COLUMNS);
    row->entries = g_renew (SsTableEntry, row->entries, row->capacity);
  }
  unsigned at = packed_place (row, column);
  memmove (&row->entries[at + 1], &row->entries[at],
           (row->n - at) * sizeof *row->entries);
  row->entries[at] = *entry;
  row->mask |= (uint16_t) (1u << column);
  row->n++;
  table->n_entries++;
}

static uint32_t
rtt_to_us (SsTime rtt)
{
  if (rtt == SS_NEVER || rtt < 0)
    return SS_TABLE_RTT_UNKNOWN;
  return (uint32_t) MIN (rtt / SS_USEC, SS_TABLE_RTT_UNKNOWN - 1);
}
