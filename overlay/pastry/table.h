/* The routing table (Pastry, Middleware 2001, section 2.3): row r holds nodes
 * that share the first r digits with the owner and differ in the next, one
 * for each value of it, the nearest in the network that is known.
 *
 * Most of a node that rests is its table, so it is kept packed: the entries
 * of all rows in one array, 44 bytes each. An id is not kept but hashed from
 * the key when an entry is asked for (a third of a microsecond); two bytes of
 * it tell whether that is worth it. */
#pragma once

#include "base/contact.h"
#include "base/time.h"

#define SS_TABLE_COLUMNS 16

/* Round-trip times are kept in units of so many microseconds, up to a
 * second: nothing is chosen for being that far. */
#define SS_TABLE_RTT_UNIT    16
#define SS_TABLE_RTT_UNKNOWN UINT16_MAX

/* When an entry was heard is kept in such units, in a byte: it has to be
 * looked at, and probed, before that turns over. */
#define SS_TABLE_HEARD_UNIT (16 * SS_SEC)
#define SS_TABLE_HEARD_MAX  (UINT8_MAX * SS_TABLE_HEARD_UNIT)

typedef struct {
  SsKey key;
  uint32_t ip; /* IPv4; or a place among the table's IPv6 addresses */
  uint16_t port;
  uint16_t tag;      /* the id's last two bytes */
  uint16_t rtt;      /* in units; SS_TABLE_RTT_UNKNOWN until measured */
  uint8_t flags : 7; /* SS_PEER_* */
  bool is_v6 : 1;
  uint8_t heard; /* in units */
} SsTableEntry;

_Static_assert(sizeof (SsTableEntry) <= 44, "a packed table entry");

typedef struct {
  uint8_t b[16];
} SsTableAddr;

typedef struct {
  SsId self;
  uint16_t masks[SS_ID_DIGITS]; /* columns that have an entry, by row */
  uint8_t n_rows;               /* up to the deepest with an entry */
  uint16_t n_entries, capacity, n_addrs;
  SsTableEntry *entries; /* by row and column */
  SsTableAddr *addrs;    /* IPv6 */
} SsTable;

void ss_table_init (SsTable *table, const SsId *self);
void ss_table_clear (SsTable *table);

/* Where id belongs: row and column; false for the owner. */
bool ss_table_place (const SsTable *table, const SsId *id, unsigned *ret_row,
                     unsigned *ret_column);
/* Is there an entry in that place? */
bool ss_table_has (const SsTable *table, unsigned row, unsigned column);
/* The entry for key, if any. */
bool ss_table_lookup (const SsTable *table, const SsId *key,
                      SsContact *ret_contact);
/* The entry of that very node; ret_contact may be NULL. */
bool ss_table_find (const SsTable *table, const SsId *id,
                    SsContact *ret_contact);
/* Takes an empty place, or one whose entry is known to be farther (or was
 * never measured, when rtt is). The same node's data are renewed. True if
 * the node is in the table afterwards. */
bool ss_table_offer (SsTable *table, const SsContact *contact, SsTime rtt);
/* Would it take the place from another that is farther, or not measured? */
bool ss_table_would_prefer (const SsTable *table, const SsId *id, SsTime rtt);
bool ss_table_remove (SsTable *table, const SsId *id);

unsigned ss_table_n_entries (const SsTable *table);
unsigned ss_table_n_rows (const SsTable *table);
unsigned ss_table_row_count (const SsTable *table, unsigned row);
/* Entries of a row by column; returns their number. */
unsigned ss_table_row (const SsTable *table, unsigned row,
                       SsContact ret_contacts[SS_TABLE_COLUMNS]);
/* The index-th entry of all, by row and column. */
SsContact ss_table_nth (const SsTable *table, unsigned index);
/* Its round-trip time, SS_NEVER if it was not measured. */
SsTime ss_table_nth_rtt (const SsTable *table, unsigned index);
/* That of a node's entry; of the entry in its place; SS_NEVER without one. */
SsTime ss_table_rtt (const SsTable *table, const SsId *id);
SsTime ss_table_place_rtt (const SsTable *table, const SsId *id);
/* A sign of life of this node, if it is an entry (by two bytes of its id: once
 * in 65,536 times it may have been another of the same place). */
void ss_table_heard (SsTable *table, const SsId *id, SsTime now);
/* How long the index-th entry has been silent, at most SS_TABLE_HEARD_MAX; not
 * told for one that was never heard as an entry. */
SsTime ss_table_nth_silence (const SsTable *table, unsigned index, SsTime now);
/* As it travels: in units. */
uint16_t ss_table_rtt_to_units (SsTime rtt);
SsTime ss_table_rtt_from_units (uint16_t units);
size_t ss_table_memory (const SsTable *table);
