/* Rate limits by address. */
#include "overlay/link/limit.h"

#include <glib.h>
#include <sodium.h>
#include <string.h>

#define SLACK_MIN 4

_Static_assert(SS_LIMIT_KEY_LEN == crypto_shorthash_KEYBYTES, "SipHash's");

void
ss_limit_init (SsLimit *limit, const uint8_t key[SS_LIMIT_KEY_LEN],
               SsTime window, unsigned events_max, unsigned entries_max)
{
  g_assert (events_max <= SS_LIMIT_EVENTS_MAX);
  *limit = (SsLimit){
    .key = key,
    .window = window,
    .events_max = events_max,
    .entries_max = entries_max,
  };
}

void
ss_limit_clear (SsLimit *limit)
{
  g_clear_pointer (&limit->entries, g_free);
  limit->n = limit->capacity = 0;
}

/* Rounded up: as if it were not before the event. */
static uint32_t
stamp (SsTime now)
{
  return (uint32_t) ((now + SS_MSEC - 1) / SS_MSEC);
}

/* When the i-th event of an entry, at most so long ago, leaves the window. */
static SsTime
leaves_at (const SsLimit *limit, const SsLimitEntry *entry, unsigned i,
           SsTime now)
{
  SsTime now_ms = now / SS_MSEC;
  int32_t ago = (int32_t) ((uint32_t) now_ms - entry->times[i]);
  return (now_ms - ago) * SS_MSEC + limit->window;
}

static uint32_t
hash_of (const SsLimit *limit, const SsAddr *addr)
{
  uint8_t what[sizeof addr->ip + 2], hash[crypto_shorthash_BYTES];
  memcpy (what, addr->ip, sizeof addr->ip);
  what[sizeof addr->ip] = (uint8_t) (addr->port >> 8);
  what[sizeof addr->ip + 1] = (uint8_t) addr->port;
  crypto_shorthash (hash, what, sizeof what, limit->key);
  return (uint32_t) hash[0] << 24 | (uint32_t) hash[1] << 16
         | (uint32_t) hash[2] << 8 | hash[3];
}

static SsLimitEntry *
find (SsLimit *limit, const SsAddr *addr)
{
  uint32_t hash = hash_of (limit, addr);
  for (unsigned i = 0; i < limit->n; i++)
    if (limit->entries[i].hash == hash)
      return &limit->entries[i];
  return NULL;
}

static void
resize (SsLimit *limit, unsigned capacity)
{
  limit->capacity = capacity;
  limit->entries = g_renew (SsLimitEntry, limit->entries, capacity);
}

/* Drops entries whose events are all out of the window. */
static void
expire (SsLimit *limit, SsTime now)
{
  unsigned kept = 0;
  for (unsigned i = 0; i < limit->n; i++) {
    const SsLimitEntry *entry = &limit->entries[i];
    if (leaves_at (limit, entry, entry->n - 1u, now) <= now)
      continue;
    limit->entries[kept++] = *entry;
  }
  limit->n = kept;
}

void
ss_limit_trim (SsLimit *limit, SsTime now)
{
  expire (limit, now);
  if (limit->n < limit->capacity)
    resize (limit, limit->n);
}

/* When the oldest of all entries goes. */
static SsTime
first_to_go (const SsLimit *limit, SsTime now)
{
  SsTime first = SS_NEVER;
  for (unsigned i = 0; i < limit->n; i++) {
    const SsLimitEntry *entry = &limit->entries[i];
    first = MIN (first, leaves_at (limit, entry, entry->n - 1u, now));
  }
  return first;
}

SsTime
ss_limit_when (SsLimit *limit, const SsAddr *addr, SsTime now)
{
  const SsLimitEntry *entry = find (limit, addr);
  if (entry) {
    if (entry->n < limit->events_max)
      return now;
    return MAX (now, leaves_at (limit, entry, 0, now));
  }
  if (limit->n < limit->entries_max)
    return now;
  expire (limit, now);
  return limit->n < limit->entries_max ? now : first_to_go (limit, now);
}

void
ss_limit_forget (SsLimit *limit, const SsAddr *addr)
{
  SsLimitEntry *entry = find (limit, addr);
  if (!entry)
    return;
  *entry = limit->entries[--limit->n];
}

void
ss_limit_take (SsLimit *limit, const SsAddr *addr, SsTime now)
{
  SsLimitEntry *entry = find (limit, addr);
  if (!entry) {
    if (limit->n == limit->capacity)
      expire (limit, now);
    if (limit->n == limit->capacity) {
      g_assert (limit->capacity < limit->entries_max);
      resize (limit, MIN (limit->capacity + limit->capacity / 4 + SLACK_MIN,
                          limit->entries_max));
    }
    entry = &limit->entries[limit->n++];
    *entry = (SsLimitEntry){ .hash = hash_of (limit, addr) };
  }
  if (entry->n == limit->events_max) {
    memmove (&entry->times[0], &entry->times[1],
             (entry->n - 1) * sizeof entry->times[0]);
    entry->n--;
  }
  entry->times[entry->n++] = stamp (now);
}
