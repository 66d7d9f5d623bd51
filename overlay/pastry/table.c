/* The routing table (Pastry, Middleware 2001, section 2.3), packed. The place
 * of an entry is the number of columns taken before its own, in the rows
 * before and in its row. */
#include "overlay/pastry/table.h"

#include <glib.h>
#include <string.h>

#define CAPACITY_STEP 4
#define FLAGS_MASK    0x7f
_Static_assert(((SS_PEER_REACHABLE | SS_PEER_RELAY) & ~FLAGS_MASK) == 0,
               "the flags of a peer");

static unsigned packed_place (const SsTable *table, unsigned row,
                              unsigned column);
static bool locate (const SsTable *table, const SsId *id, unsigned *ret_row,
                    unsigned *ret_column, unsigned *ret_at);
static bool is_of (const SsTableEntry *entry, const SsId *id);
static void pack (SsTable *table, unsigned at, const SsContact *contact,
                  uint16_t rtt, uint8_t heard);
static uint8_t heard_at (SsTime now);
static SsContact unpack (const SsTable *table, const SsTableEntry *entry);
static void forget_addr (SsTable *table, unsigned at);
static uint16_t tag_of (const SsId *id);

void
ss_table_init (SsTable *table, const SsId *self)
{
  *table = (SsTable){ .self = *self };
}

void
ss_table_clear (SsTable *table)
{
  g_free (table->entries);
  g_free (table->addrs);
  SsId self = table->self;
  ss_table_init (table, &self);
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

bool
ss_table_has (const SsTable *table, unsigned row, unsigned column)
{
  return row < table->n_rows && (table->masks[row] & (1u << column)) != 0;
}

bool
ss_table_lookup (const SsTable *table, const SsId *key, SsContact *ret_contact)
{
  unsigned row, column, at;
  if (!locate (table, key, &row, &column, &at))
    return false;
  *ret_contact = unpack (table, &table->entries[at]);
  return true;
}

bool
ss_table_find (const SsTable *table, const SsId *id, SsContact *ret_contact)
{
  unsigned row, column, at;
  if (!locate (table, id, &row, &column, &at)
      || !is_of (&table->entries[at], id))
    return false;
  if (ret_contact != NULL)
    *ret_contact = unpack (table, &table->entries[at]);
  return true;
}

bool
ss_table_offer (SsTable *table, const SsContact *contact, SsTime rtt)
{
  unsigned row = 0, column = 0, at = 0;
  if (ss_id_equal (&table->self, &contact->id))
    return false;
  uint16_t units = ss_table_rtt_to_units (rtt);
  if (locate (table, &contact->id, &row, &column, &at)) {
    const SsTableEntry *there = &table->entries[at];
    bool same = is_of (there, &contact->id);
    if (!same && units >= there->rtt)
      return false;
    if (same && units == SS_TABLE_RTT_UNKNOWN)
      units = there->rtt;
    uint8_t heard = same ? there->heard : 0;
    forget_addr (table, at);
    pack (table, at, contact, units, heard);
    return true;
  }
  if (table->n_entries == table->capacity) {
    table->capacity = (uint16_t) (table->capacity + CAPACITY_STEP);
    table->entries = g_renew (SsTableEntry, table->entries, table->capacity);
  }
  table->n_rows = (uint8_t) MAX (table->n_rows, row + 1);
  memmove (&table->entries[at + 1], &table->entries[at],
           (table->n_entries - at) * sizeof *table->entries);
  table->n_entries++;
  table->masks[row] |= (uint16_t) (1u << column);
  pack (table, at, contact, units, 0);
  return true;
}

bool
ss_table_would_prefer (const SsTable *table, const SsId *id, SsTime rtt)
{
  unsigned row, column, at;
  return locate (table, id, &row, &column, &at)
         && !is_of (&table->entries[at], id)
         && ss_table_rtt_to_units (rtt) < table->entries[at].rtt;
}

bool
ss_table_remove (SsTable *table, const SsId *id)
{
  unsigned row, column, at;
  if (!locate (table, id, &row, &column, &at)
      || !is_of (&table->entries[at], id))
    return false;
  forget_addr (table, at);
  table->n_entries--;
  table->masks[row] &= (uint16_t) ~(1u << column);
  memmove (&table->entries[at], &table->entries[at + 1],
           (table->n_entries - at) * sizeof *table->entries);
  while (table->n_rows > 0 && table->masks[table->n_rows - 1] == 0)
    table->n_rows--;
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
ss_table_row_count (const SsTable *table, unsigned row)
{
  return row < table->n_rows ? (unsigned) __builtin_popcount (table->masks[row])
                             : 0;
}

unsigned
ss_table_row (const SsTable *table, unsigned row,
              SsContact ret_contacts[SS_TABLE_COLUMNS])
{
  unsigned n = ss_table_row_count (table, row);
  if (n == 0)
    return 0;
  unsigned first = packed_place (table, row, 0);
  for (unsigned i = 0; i < n; i++)
    ret_contacts[i] = unpack (table, &table->entries[first + i]);
  return n;
}

SsContact
ss_table_nth (const SsTable *table, unsigned index)
{
  g_assert (index < table->n_entries);
  return unpack (table, &table->entries[index]);
}

SsTime
ss_table_nth_rtt (const SsTable *table, unsigned index)
{
  g_assert (index < table->n_entries);
  return ss_table_rtt_from_units (table->entries[index].rtt);
}

SsTime
ss_table_rtt (const SsTable *table, const SsId *id)
{
  unsigned row, column, at;
  if (!locate (table, id, &row, &column, &at)
      || !is_of (&table->entries[at], id))
    return SS_NEVER;
  return ss_table_rtt_from_units (table->entries[at].rtt);
}

SsTime
ss_table_place_rtt (const SsTable *table, const SsId *id)
{
  unsigned row, column, at;
  if (!locate (table, id, &row, &column, &at))
    return SS_NEVER;
  return ss_table_rtt_from_units (table->entries[at].rtt);
}

void
ss_table_heard (SsTable *table, const SsId *id, SsTime now)
{
  unsigned row, column, at;
  if (locate (table, id, &row, &column, &at)
      && table->entries[at].tag == tag_of (id))
    table->entries[at].heard = heard_at (now);
}

SsTime
ss_table_nth_silence (const SsTable *table, unsigned index, SsTime now)
{
  g_assert (index < table->n_entries);
  uint8_t units = (uint8_t) (heard_at (now) - table->entries[index].heard);
  return units * SS_TABLE_HEARD_UNIT;
}

uint16_t
ss_table_rtt_to_units (SsTime rtt)
{
  if (rtt == SS_NEVER || rtt < 0)
    return SS_TABLE_RTT_UNKNOWN;
  SsTime units = rtt / (SS_TABLE_RTT_UNIT * SS_USEC);
  return (uint16_t) MIN (units, SS_TABLE_RTT_UNKNOWN - 1);
}

SsTime
ss_table_rtt_from_units (uint16_t units)
{
  return units == SS_TABLE_RTT_UNKNOWN
             ? SS_NEVER
             : (SsTime) units * SS_TABLE_RTT_UNIT * SS_USEC;
}

size_t
ss_table_memory (const SsTable *table)
{
  return table->capacity * sizeof *table->entries
         + table->n_addrs * sizeof *table->addrs;
}

static unsigned
packed_place (const SsTable *table, unsigned row, unsigned column)
{
  unsigned before = table->masks[row] & ((1u << column) - 1);
  unsigned at = (unsigned) __builtin_popcount (before);
  for (unsigned i = 0; i < row; i++)
    at += (unsigned) __builtin_popcount (table->masks[i]);
  return at;
}

/* Row, column and place for id; true if there is an entry. Only the place of
 * the owner himself is nowhere. */
static bool
locate (const SsTable *table, const SsId *id, unsigned *ret_row,
        unsigned *ret_column, unsigned *ret_at)
{
  if (!ss_table_place (table, id, ret_row, ret_column))
    return false;
  *ret_at = packed_place (table, *ret_row, *ret_column);
  return ss_table_has (table, *ret_row, *ret_column);
}

static bool
is_of (const SsTableEntry *entry, const SsId *id)
{
  if (entry->tag != tag_of (id))
    return false;
  SsId own = ss_id_of_key (&entry->key);
  return ss_id_equal (&own, id);
}

static void
pack (SsTable *table, unsigned at, const SsContact *contact, uint16_t rtt,
      uint8_t heard)
{
  SsTableEntry *entry = &table->entries[at];
  const uint8_t *ip = contact->addr.ip;
  *entry = (SsTableEntry){
    .key = contact->key,
    .port = contact->addr.port,
    .tag = tag_of (&contact->id),
    .rtt = rtt,
    .flags = contact->flags & FLAGS_MASK,
    .is_v6 = !ss_addr_is_v4 (&contact->addr),
    .heard = heard,
  };
  if (!entry->is_v6) {
    entry->ip = (uint32_t) ip[12] << 24 | (uint32_t) ip[13] << 16
                | (uint32_t) ip[14] << 8 | ip[15];
    return;
  }
  entry->ip = table->n_addrs++;
  table->addrs = g_renew (SsTableAddr, table->addrs, table->n_addrs);
  memcpy (table->addrs[entry->ip].b, ip, sizeof table->addrs[0].b);
}

static SsContact
unpack (const SsTable *table, const SsTableEntry *entry)
{
  SsContact contact = {
    .key = entry->key,
    .id = ss_id_of_key (&entry->key),
    .flags = entry->flags,
  };
  if (entry->is_v6) {
    memcpy (contact.addr.ip, table->addrs[entry->ip].b, sizeof contact.addr.ip);
    contact.addr.port = entry->port;
  } else {
    contact.addr = ss_addr_v4 (entry->ip, entry->port);
  }
  return contact;
}

/* An entry's IPv6 address, if it has one; the last takes its place. */
static void
forget_addr (SsTable *table, unsigned at)
{
  if (!table->entries[at].is_v6)
    return;
  uint32_t place = table->entries[at].ip;
  uint32_t last = --table->n_addrs;
  table->entries[at].is_v6 = false;
  for (unsigned i = 0; i < table->n_entries; i++)
    if (table->entries[i].is_v6 && table->entries[i].ip == last)
      table->entries[i].ip = place;
  table->addrs[place] = table->addrs[last];
}

static uint8_t
heard_at (SsTime now)
{
  return (uint8_t) (now / SS_TABLE_HEARD_UNIT);
}

static uint16_t
tag_of (const SsId *id)
{
  return (uint16_t) (id->b[SS_ID_LEN - 2] << 8 | id->b[SS_ID_LEN - 1]);
}
