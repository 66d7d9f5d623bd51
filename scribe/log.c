/* Ordered mode: each node's logs, one for a source. A message is handed to
 * the children and to the application when all before it have been; nothing
 * passes a gap. */
#include <string.h>

#include "scribe/internal.h"

static SsLogEntry *
entry_at (const SsSourceLog *log, unsigned index)
{
  return &g_array_index (log->entries, SsLogEntry, index);
}

static unsigned
entry_lower_bound (const SsSourceLog *log, uint32_t sequence)
{
  unsigned low = 0, high = log->entries->len;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (entry_at (log, middle)->sequence < sequence)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

GBytes *
ss_log_entry (const SsSourceLog *log, uint32_t sequence)
{
  unsigned index = entry_lower_bound (log, sequence);
  if (index == log->entries->len)
    return NULL;
  const SsLogEntry *entry = entry_at (log, index);
  return entry->sequence == sequence ? entry->data : NULL;
}

uint32_t
ss_log_first (const SsSourceLog *log)
{
  return log->entries->len > 0 ? entry_at (log, 0)->sequence : log->next;
}

uint32_t
ss_log_held (const SsSourceLog *log, uint32_t from, uint32_t end)
{
  unsigned index = entry_lower_bound (log, from);
  if (index == log->entries->len)
    return end;
  return MIN (end, entry_at (log, index)->sequence);
}

static void
empty (SsSourceLog *log)
{
  for (unsigned i = 0; i < log->entries->len; i++)
    g_bytes_unref (entry_at (log, i)->data);
  g_array_set_size (log->entries, 0);
}

void
ss_log_free (gpointer data)
{
  SsSourceLog *log = data;
  empty (log);
  g_array_free (log->entries, TRUE);
  g_free (log->claim);
  g_free (log);
}

static unsigned
log_lower_bound (const GPtrArray *logs, const SsId *source)
{
  unsigned low = 0, high = logs->len;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    const SsSourceLog *log = g_ptr_array_index (logs, middle);
    if (ss_id_compare (&log->id, source) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

SsSourceLog *
ss_log_find (const SsGroup *group, const SsId *source)
{
  if (!group->ordered)
    return NULL;
  GPtrArray *logs = group->ordered->logs;
  unsigned index = log_lower_bound (logs, source);
  if (index == logs->len)
    return NULL;
  SsSourceLog *log = g_ptr_array_index (logs, index);
  return ss_id_equal (&log->id, source) ? log : NULL;
}

/* Would its messages be missed? What the root takes in goes for the others. */
static bool
is_in_use (const SsGroup *group, const SsSourceLog *log)
{
  const SsScribe *scribe = group->scribe;
  SsTime quiet = scribe->env->now - log->used;
  if (log->next < log->known_end || quiet == 0
      || (group->is_root && quiet < SS_ORDERED_HOLD)
      || ss_id_equal (&log->id, ss_scribe_self (scribe)))
    return true;
  const GArray *unstored = group->ordered->unstored;
  for (unsigned i = 0; i < unstored->len; i++)
    if (ss_id_equal (&g_array_index (unstored, SsUnstored, i).source, &log->id))
      return true;
  return false;
}

/* Is it the better one to forget? Of what no message has come first. */
static bool
is_rather (const SsSourceLog *log, const SsSourceLog *other)
{
  if (!other || log->is_proven != other->is_proven)
    return !other || other->is_proven;
  return log->used < other->used;
}

/* The source that was quiet longest is forgotten; mere word of one makes room
 * of none that has been heard. */
static bool
make_room (SsGroup *group, bool is_proof)
{
  SsOrdered *ordered = group->ordered;
  const SsSourceLog *quietest = NULL;
  if (ordered->logs->len < SS_ORDERED_SOURCES_MAX)
    return true;
  for (unsigned i = 0; i < ordered->logs->len; i++) {
    const SsSourceLog *log = g_ptr_array_index (ordered->logs, i);
    bool is_recent = log->used == group->scribe->env->now;
    bool may_go = is_proof && !log->is_proven
                      ? !is_recent
                      : is_proof >= log->is_proven && !is_in_use (group, log);
    if (may_go && is_rather (log, quietest))
      quietest = log;
  }
  if (!quietest)
    return false;
  if (quietest->is_proven)
    ordered->forgotten = MAX (ordered->forgotten, quietest->epoch);
  return g_ptr_array_remove (ordered->logs, (gpointer) quietest);
}

/* The log is of a new epoch: was there more of it, as somebody has said? */
static void
take_claim (SsSourceLog *log, SsTime now)
{
  const SsClaim *claim = log->claim;
  if (claim && claim->epoch == log->epoch && claim->end > log->next) {
    log->teller = claim->teller;
    log->has_teller = true;
    log->known_end = log->told_end = claim->end;
    log->fetch_at = now + SS_ORDERED_GAP;
  }
  g_clear_pointer (&log->claim, g_free);
}

static SsSourceLog *
get (SsGroup *group, const SsId *source, uint32_t epoch, uint32_t next,
     bool is_proof)
{
  SsOrdered *ordered = ss_ordered_get (group);
  SsSourceLog *log = ss_log_find (group, source);
  if (log && log->epoch > epoch)
    return NULL;
  if (!log) {
    if (!make_room (group, is_proof))
      return NULL;
    log = g_new0 (SsSourceLog, 1);
    log->id = *source;
    log->entries = g_array_new (FALSE, FALSE, sizeof (SsLogEntry));
    g_ptr_array_insert (ordered->logs,
                        (int) log_lower_bound (ordered->logs, source), log);
  }
  if (log->epoch != epoch || log->next == 0) {
    empty (log);
    log->epoch = epoch;
    log->next = log->known_end = log->told_end = next;
    log->deliver_from = log->oldest = next;
    log->fetch_at = log->lost_at = log->give_up_at = SS_NEVER;
    log->gone_to = log->fetches = 0;
    log->is_proven = false;
    log->used = group->scribe->env->now;
    take_claim (log, log->used);
  }
  return log;
}

SsSourceLog *
ss_log_get (SsGroup *group, const SsId *source, uint32_t epoch, uint32_t next)
{
  return get (group, source, epoch, next, false);
}

bool
ss_log_is_forgotten (const SsGroup *group, const SsId *source, uint32_t epoch)
{
  const SsSourceLog *log = ss_log_find (group, source);
  return group->ordered && epoch <= group->ordered->forgotten
         && (!log || log->next == 0);
}

/* What was only said of the source, and is not so. A member begins where it was
 * told to. The log stays, as it may be in use. */
static void
drop_false (SsGroup *group, const SsId *source, uint32_t epoch,
            uint32_t sequence)
{
  SsSourceLog *log = ss_log_find (group, source);
  if (log && !log->is_proven
      && (log->epoch > epoch
          || (log->epoch == epoch && log->next > sequence
              && !group->is_member)))
    log->epoch = log->next = 0;
}

SsSourceLog *
ss_log_get_from (SsGroup *group, const SsId *source, uint32_t epoch,
                 uint32_t sequence, uint32_t next, uint32_t first)
{
  drop_false (group, source, epoch, sequence);
  bool is_forgotten = ss_log_is_forgotten (group, source, epoch);
  SsSourceLog *log = get (group, source, epoch, next, true);
  if (!log || !is_forgotten || first <= next)
    return log;
  ss_log_pass_to (group, log, first);
  return group->is_dead ? NULL : ss_log_find (group, source);
}

bool
ss_log_send (SsScribe *scribe, const SsContact *to, uint8_t type,
             const SsGroup *group, const SsSourceLog *log, uint32_t sequence,
             GBytes *data)
{
  SsMsgScribeMessage message = { .source = log->id,
                                 .epoch = log->epoch,
                                 .sequence = sequence };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  uint8_t head[64];
  size_t len = ss_msg_scribe_message_encode (&message, head, sizeof head);
  g_assert (len > 0);
  head[0] = type;
  SsKbrSend how = { .class = SS_CLASS_KBR_CONTROL, .reliable = true };
  return ss_kbr_send (scribe->kbr, scribe->protocol, to, &how, head, len, data);
}

static bool
has_past (const SsSourceLog *log)
{
  return log->entries->len > 0 && entry_at (log, 0)->sequence < log->next;
}

static void
drop_at (SsSourceLog *log, unsigned index)
{
  g_bytes_unref (entry_at (log, index)->data);
  g_array_remove_index (log->entries, index);
}

static void
drop_first (SsSourceLog *log)
{
  drop_at (log, 0);
}

/* What goes was stored SS_ORDERED_HOLD ago: its source has seen to that. */
static void
trim (SsSourceLog *log)
{
  while (log->entries->len > SS_ORDERED_LOG_MAX && has_past (log))
    drop_first (log);
}

/* One message has come: where there are too many in all logs, one goes of the
 * source that was quiet longest. Where all that is held waits for what is
 * missing there is none, and it goes itself if it waits too: it is asked for
 * when it is next. */
static void
trim_all (SsGroup *group, SsSourceLog *added, unsigned index)
{
  const GPtrArray *logs = group->ordered->logs;
  SsSourceLog *quietest = NULL;
  unsigned n = 0;
  if (logs->len <= SS_ORDERED_KEPT_MAX / SS_ORDERED_LOG_MAX)
    return;
  for (unsigned i = 0; i < logs->len; i++) {
    SsSourceLog *log = g_ptr_array_index (logs, i);
    n += log->entries->len;
    if (has_past (log) && (!quietest || log->used < quietest->used))
      quietest = log;
  }
  if (n <= SS_ORDERED_KEPT_MAX)
    return;
  if (quietest)
    drop_first (quietest);
  else if (entry_at (added, index)->sequence > added->next)
    drop_at (added, index);
}

static void
schedule_gap (SsGroup *group, SsSourceLog *log)
{
  bool is_behind = log->next < log->known_end;
  if (!is_behind) {
    log->fetch_at = log->give_up_at = SS_NEVER;
    log->fetches = 0;
  } else if (log->fetch_at == SS_NEVER) {
    log->fetch_at = group->scribe->env->now + SS_ORDERED_GAP;
  }
  ss_group_arm (group);
}

/* Hands on all that is in order. */
static void
advance (SsGroup *group, SsSourceLog *log)
{
  SsScribe *scribe = group->scribe;
  uint32_t epoch = log->epoch;
  GBytes *data;
  while (!group->is_dead && log->epoch == epoch && group->ordered->is_synced
         && !group->ordered->is_replaying
         && (data = ss_log_entry (log, log->next))) {
    uint32_t sequence = log->next++;
    log->give_up_at = SS_NEVER;
    log->used = scribe->env->now; /* nobody it calls makes room of it */
    group->ordered->changed = scribe->env->now;
    log->known_end = MAX (log->known_end, log->next);
    g_bytes_ref (data);
    for (unsigned i = 0; i < ss_group_child_count (group); i++) {
      SsContact to = ss_group_child_at (group, i)->contact;
      ss_log_send (scribe, &to, SS_MSG_SCRIBE_MESSAGE, group, log, sequence,
                   data);
    }
    if (group->is_root)
      ss_ordered_replicate (group, log, sequence, data);
    if (group->is_member && sequence >= log->deliver_from
        && scribe->app.message) {
      SsWireBytes bytes = ss_signed_data (data);
      scribe->app.message (group->user, group, &log->id, sequence, bytes.data,
                           bytes.len);
    }
    g_bytes_unref (data);
  }
  if (!group->is_dead) {
    trim (log);
    schedule_gap (group, log);
  }
}

/* To the application, what was handed on before it became a member. Upcalls
 * may change anything but what comes next: that waits. */
static void
replay (SsGroup *group, const SsId *source)
{
  const SsScribe *scribe = group->scribe;
  SsSourceLog *log = ss_log_find (group, source);
  uint32_t next = log->next, epoch = log->epoch;
  uint32_t first = next - MIN (group->family->config.backlog, next);
  for (uint32_t i = first; i < next; i++)
    if (!ss_log_entry (log, i))
      first = i + 1;
  log->deliver_from = first;
  for (uint32_t i = first; i < next && scribe->app.message; i++) {
    log = group->is_dead ? NULL : ss_log_find (group, source);
    GBytes *data = log && log->epoch == epoch ? ss_log_entry (log, i) : NULL;
    if (!data || !group->is_member)
      return;
    g_bytes_ref (data);
    SsWireBytes bytes = ss_signed_data (data);
    scribe->app.message (group->user, group, source, i, bytes.data, bytes.len);
    g_bytes_unref (data);
  }
}

void
ss_log_replay (SsGroup *group)
{
  SsOrdered *ordered = group->ordered;
  if (!ordered || !ordered->is_synced || ordered->is_replaying)
    return; /* it begins as far back when it is */
  unsigned n = ordered->logs->len;
  SsId *sources = g_new (SsId, n);
  for (unsigned i = 0; i < n; i++)
    sources[i] = ((SsSourceLog *) g_ptr_array_index (ordered->logs, i))->id;
  ordered->is_replaying = true;
  for (unsigned i = 0; i < n && !group->is_dead; i++)
    if (ss_log_find (group, &sources[i]))
      replay (group, &sources[i]);
  ordered->is_replaying = false;
  for (unsigned i = 0; !group->is_dead && i < ordered->logs->len; i++)
    advance (group, g_ptr_array_index (ordered->logs, i));
  g_free (sources);
}

void
ss_log_drop_strangers (SsGroup *group)
{
  GPtrArray *logs = group->ordered ? group->ordered->logs : NULL;
  for (unsigned i = 0; logs && i < logs->len;) {
    const SsSourceLog *log = g_ptr_array_index (logs, i);
    if (log->entries->len > 0
        && !ss_signed_is_allowed (group, entry_at (log, 0)->data))
      g_ptr_array_remove_index (logs, i);
    else
      i++;
  }
}

static void
insert (SsGroup *group, SsSourceLog *log, uint32_t sequence, GBytes *data)
{
  unsigned index = entry_lower_bound (log, sequence);
  SsLogEntry entry = { sequence, g_bytes_ref (data) };
  g_array_insert_val (log->entries, index, entry);
  trim_all (group, log, index);
}

void
ss_log_put (SsGroup *group, SsSourceLog *log, uint32_t sequence, GBytes *data)
{
  log->used = group->scribe->env->now;
  log->is_proven = true;
  ss_budget_note (&group->scribe->budget, log->used);
  if (sequence < log->next || sequence - log->next > SS_ORDERED_AHEAD_MAX
      || ss_log_entry (log, sequence))
    return;
  log->known_end = MAX (log->known_end, sequence + 1);
  insert (group, log, sequence, data);
  advance (group, log);
}

/* It came after those that it is before, where this node's log begins: it is
 * held like those, and handed on to nobody. */
void
ss_log_put_past (SsGroup *group, SsSourceLog *log, uint32_t sequence,
                 GBytes *data)
{
  if (sequence >= log->next || ss_log_entry (log, sequence))
    return;
  insert (group, log, sequence, data);
  trim (log);
}

bool
ss_log_is_lacking (const SsSourceLog *log)
{
  return log->next < log->oldest && !ss_log_entry (log, log->next);
}

static void
skip (SsGroup *group, SsSourceLog *log, uint32_t next)
{
  SsScribe *scribe = group->scribe;
  uint32_t first = MAX (log->next, log->deliver_from);
  ss_count_add (scribe->env, SCRIBE_MISSED, next - log->next);
  log->next = next;
  log->give_up_at = SS_NEVER;
  log->used = scribe->env->now; /* as in advance */
  if (group->is_member && first < next && scribe->app.skipped)
    scribe->app.skipped (group->user, group, &log->id, next - first);
}

/* What is held of it is handed on. */
void
ss_log_pass_to (SsGroup *group, SsSourceLog *log, uint32_t next)
{
  uint32_t epoch = log->epoch, before;
  do {
    before = log->next;
    uint32_t held = ss_log_held (log, before, next);
    if (held > before)
      skip (group, log, held);
    if (!group->is_dead && log->epoch == epoch)
      advance (group, log);
  } while (!group->is_dead && log->epoch == epoch && log->next > before
           && log->next < next);
}

/* Not at once: a root that was cut off does not know who has served in its
 * place, and those do not know it yet. */
void
ss_log_pass_lost (SsGroup *group, SsSourceLog *log)
{
  SsTime now = group->scribe->env->now;
  if (!group->is_root || !group->ordered->is_ready
      || !ss_log_is_lacking (log)) {
    log->lost_at = SS_NEVER;
    return;
  }
  if (log->lost_at == SS_NEVER)
    group->ordered->sync_at = now; /* does a replica have it? */
  if (log->lost_at == SS_NEVER || log->told_end > log->next)
    log->lost_at = now + SS_ORDERED_LOST;
  if (now < log->lost_at)
    return;
  log->lost_at = SS_NEVER;
  ss_log_pass_to (group, log, log->oldest);
}

/* The source, if it lives, would have brought what it has not been told is
 * stored, and nobody else has it; nor is more known than what is held. */
void
ss_log_give_up (SsGroup *group, SsSourceLog *log)
{
  const SsOrdered *ordered = group->ordered;
  bool is_settled = group->is_root ? ordered->is_ready : group->has_parent;
  log->give_up_at = SS_NEVER; /* the next question sets it */
  if (!is_settled || !ordered->is_synced)
    return;
  uint32_t end = log->next;
  if (log->entries->len > 0)
    end = MAX (end, entry_at (log, log->entries->len - 1)->sequence + 1);
  if (group->is_root)
    end = MAX (end, log->oldest);
  log->known_end = log->told_end = end;
  if (log->next < end)
    ss_log_pass_to (group, log, end);
  else
    schedule_gap (group, log);
}

void
ss_log_settle (SsGroup *group)
{
  SsOrdered *ordered = ss_ordered_get (group);
  if (ordered->is_synced)
    return;
  ordered->is_synced = true;
  for (unsigned i = 0; !group->is_dead && i < ordered->logs->len; i++)
    advance (group, g_ptr_array_index (ordered->logs, i));
}
