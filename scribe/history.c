/* The packets that a group keeps: a ring indexed by the sequence modulo its
 * size, which starts small and doubles up to the family's bound, so that
 * quiet groups stay small and every operation takes constant time. */
#include <string.h>

#include "scribe/internal.h"

#define SLOTS_FIRST 8

static SsHistorySlot *
slot_of (const SsGroup *group, uint32_t sequence)
{
  return &group->slots[sequence & (group->n_slots - 1)];
}

GBytes *
ss_history_find (const SsGroup *group, uint32_t sequence)
{
  if (group->n_slots == 0)
    return NULL;
  const SsHistorySlot *slot = slot_of (group, sequence);
  return slot->packet && slot->sequence == sequence ? slot->packet : NULL;
}

GBytes *
ss_group_history (const SsGroup *group, uint32_t sequence)
{
  return ss_history_find (group, sequence);
}

static void
empty (SsHistorySlot *slot)
{
  if (slot->packet)
    g_bytes_unref (slot->packet);
  slot->packet = NULL;
}

/* Doubling never makes two kept packets collide. */
static void
grow (SsGroup *group)
{
  uint32_t n_old = group->n_slots;
  SsHistorySlot *old = group->slots;
  group->n_slots = n_old ? 2 * n_old : SLOTS_FIRST;
  group->slots = g_new0 (SsHistorySlot, group->n_slots);
  for (uint32_t i = 0; i < n_old; i++)
    if (old[i].packet)
      *slot_of (group, old[i].sequence) = old[i];
  g_free (old);
}

static uint32_t
now_ms (const SsGroup *group)
{
  return (uint32_t) (group->scribe->env->now / SS_MSEC);
}

/* Has the packet been here for longer than this? One of seven weeks may look
 * young for as long once more. */
static bool
is_older_than (const SsGroup *group, const SsHistorySlot *slot, SsTime time)
{
  return now_ms (group) - slot->time_ms > (uint32_t) (time / SS_MSEC);
}

static bool
is_old (const SsGroup *group, const SsHistorySlot *slot)
{
  SsTime time_max = group->family->config.history_time;
  return time_max > 0 && slot->packet && is_older_than (group, slot, time_max);
}

/* Remembers that it was here, longer than the packet itself. */
static void
note_seen (SsGroup *group, uint32_t sequence)
{
  if (!group->has_newest || group->is_hearsay) {
    group->newest = sequence;
    group->seen = 0;
  } else if (sequence > group->newest) {
    uint32_t by = sequence - group->newest;
    group->seen = by > 32 ? 0 : (uint32_t) ((uint64_t) group->seen << by);
    if (by <= 32)
      group->seen |= (uint32_t) 1 << (by - 1);
    group->newest = sequence;
  } else if (sequence < group->newest && group->newest - sequence <= 32) {
    group->seen |= (uint32_t) 1 << (group->newest - 1 - sequence);
  }
}

void
ss_history_put (SsGroup *group, uint32_t sequence, GBytes *packet)
{
  if (group->n_slots == 0)
    grow (group);
  const SsHistorySlot *slot = slot_of (group, sequence);
  while (slot->packet && slot->sequence != sequence && !is_old (group, slot)
         && group->n_slots < group->family->config.history_max) {
    grow (group);
    slot = slot_of (group, sequence);
  }
  note_seen (group, sequence);
  group->has_newest = true;
  group->is_hearsay = false;
  if (!group->has_first)
    group->first = sequence;
  group->has_first = true;
  SsHistorySlot *taken = slot_of (group, sequence);
  if (taken->packet && taken->sequence > sequence)
    return; /* too old to be worth a newer one's place */
  g_bytes_ref (packet);
  empty (taken);
  *taken = (SsHistorySlot){ packet, sequence, now_ms (group) };
  /* Two slots a packet: what is over age goes within half a round. */
  for (unsigned i = 0; i < 2; i++) {
    SsHistorySlot *swept = &group->slots[group->sweep++ & (group->n_slots - 1)];
    if (is_old (group, swept))
      empty (swept);
  }
}

void
ss_history_clear (SsGroup *group)
{
  for (uint32_t i = 0; i < group->n_slots; i++)
    empty (&group->slots[i]);
  g_free (group->slots);
  group->slots = NULL;
  group->n_slots = 0;
}

uint32_t
ss_history_mask (const SsGroup *group)
{
  uint32_t mask = UINT32_MAX;
  /* A gap counts while what followed it is young. */
  bool is_here = group->has_newest && !group->is_hearsay;
  for (unsigned i = 0; i < 32 && is_here; i++) {
    uint32_t next = group->newest - i;
    if (next <= group->first)
      break;
    bool next_was_here = i == 0 || (group->seen >> (i - 1) & 1);
    const SsHistorySlot *slot = slot_of (group, next);
    bool is_young = slot->packet && slot->sequence == next
                    && !is_older_than (group, slot, SS_GAP_AGE);
    if (next_was_here && !is_young)
      break;
    if (!(group->seen >> i & 1))
      mask &= ~((uint32_t) 1 << i);
  }
  return mask;
}
