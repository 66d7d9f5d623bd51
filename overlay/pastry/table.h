/* The routing table (Pastry, section 2.3): row r holds nodes that share the
 * first r digits with the owner and differ in the next, one for each value of
 * it, the nearest in the network that is known. Rows are allocated when they
 * get their first entry, and hold no room for the others. */
#pragma once

#include "base/contact.h"
#include "base/time.h"

#define SS_TABLE_COLUMNS 16

typedef struct {
  SsContact contact;
  uint32_t rtt_us; /* SS_TABLE_RTT_UNKNOWN until measured */
} SsTableEntry;

_Static_assert(sizeof (SsTableEntry) <= 80,
               "a table entry is at most 80 bytes");

#define SS_TABLE_RTT_UNKNOWN UINT32_MAX

typedef struct {
  uint16_t mask; /* columns that have an entry */
  uint8_t n, capacity;
  SsTableEntry *entries; /* by column */
} SsTableRow;

typedef struct {
  SsId self;
  uint8_t n_rows; /* one more than the deepest with an entry, at times */
  uint16_t n_entries;
  SsTableRow *rows;
} SsTable;

void ss_table_init (SsTable *table, const SsId *self);
void ss_table_clear (SsTable *table);

/* Where id belongs: row and column; false for the owner. */
bool ss_table_place (const SsTable *table, const SsId *id, unsigned *ret_row,
                     unsigned *ret_column);
const SsTableEntry *ss_table_get (const SsTable *table, unsigned row,
                                  unsigned column);
/* The entry for key, if any. */
const SsTableEntry *ss_table_lookup (const SsTable *table, const SsId *key);
const SsTableEntry *ss_table_find (const SsTable *table, const SsId *id);
/* Takes an empty place, or one whose entry is known to be farther (or was
 * never measured, when rtt is). The same node's data are renewed. True if
 * the node is in the table afterwards. */
bool ss_table_offer (SsTable *table, const SsContact *contact, SsTime rtt);
bool ss_table_remove (SsTable *table, const SsId *id);

unsigned ss_table_n_entries (const SsTable *table);
unsigned ss_table_n_rows (const SsTable *table);
/* Entries of a row by column; 0 if there are none. */
unsigned ss_table_row (const SsTable *table, unsigned row,
                       const SsTableEntry **ret_entries);
/* The index-th entry of all, by row and column. */
const SsTableEntry *ss_table_nth (const SsTable *table, unsigned index);
size_t ss_table_memory (const SsTable *table);
