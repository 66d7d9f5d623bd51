/* Ordered mode: how logs come to agree. What is missing is asked of whoever is
 * known to have it: a parent or a root says with SYNC how far it is, and who is
 * further says so in turn. */
#include <string.h>

#include "scribe/internal.h"

#define FETCHES_MAX 8 /* by a root, before it gives what is missing up */
#define CLAIMED_MAX 4 /* times that who tells of a new epoch is asked for it */

static void
send_sync (SsGroup *group, const SsContact *to, SsMsgScribeSync *sync)
{
  memcpy (sync->tag, group->id.b, SS_TAG_LEN);
  sync->n_epochs = sync->n_firsts = sync->n_nexts = sync->n_sources;
  uint8_t data[SS_MSG_SCRIBE_SYNC_MAX];
  size_t len = ss_msg_scribe_sync_encode (sync, data, sizeof data);
  ss_scribe_send (group->scribe, to, data, len);
  sync->n_sources = 0;
}

void
ss_sync_send (SsGroup *group, const SsContact *to, uint8_t flags)
{
  SsOrdered *ordered = ss_ordered_get (group);
  SsMsgScribeSync sync = { .flags = flags, .number = ++ordered->sync_number };
  for (unsigned i = 0; i < ordered->logs->len; i++) {
    const SsSourceLog *log = g_ptr_array_index (ordered->logs, i);
    unsigned at = sync.n_sources++;
    sync.sources[at] = log->id;
    sync.epochs[at] = log->epoch;
    sync.nexts[at] = log->next;
    sync.firsts[at] = MIN (log->next, ss_log_first (log));
    bool is_last = i + 1 == ordered->logs->len;
    if (!is_last && sync.n_sources == G_N_ELEMENTS (sync.sources)) {
      sync.flags = flags | SS_SYNC_MORE;
      send_sync (group, to, &sync);
      sync.flags = flags;
    }
  }
  send_sync (group, to, &sync);
}

/* Of a SYNC of all logs. */
static unsigned
n_messages (const SsGroup *group)
{
  const unsigned most = G_N_ELEMENTS (((SsMsgScribeSync *) 0)->sources);
  return MAX ((group->ordered->logs->len + most - 1) / most, 1);
}

/* Nobody but the source says that it has begun anew: the word of another would
 * silence it. Its first messages are asked for, which prove it. */
static void
note_claim (const SsGroup *group, SsSourceLog *log, const SsContact *from,
            const SsMsgScribeSync *sync, unsigned index)
{
  if (log->claim || sync->firsts[index] == sync->nexts[index])
    return;
  log->claim = g_new0 (SsClaim, 1);
  *log->claim = (SsClaim){
    .epoch = sync->epochs[index],
    .first = sync->firsts[index],
    .end = sync->nexts[index],
    .teller = *from,
    .ask_at = group->scribe->env->now,
  };
}

/* One source in another's SYNC. True: this node is further. */
static bool
compare_source (SsGroup *group, const SsContact *from,
                const SsMsgScribeSync *sync, unsigned index, bool is_parent)
{
  const SsOrdered *ordered = group->ordered;
  const SsId *source = &sync->sources[index];
  uint32_t epoch = sync->epochs[index], first = sync->firsts[index];
  uint32_t next = sync->nexts[index];
  if (next == 0 || first == 0 || first > next)
    return false;
  SsSourceLog *log = ss_log_find (group, source);
  /* What comes late of what a newcomer's first parent told it is no news. */
  bool is_newcomer = !ordered->is_synced
                     || (is_parent && sync->number == ordered->newcomer_number
                         && group->scribe->env->now < ordered->newcomer_until);
  /* Where a newcomer starts: as far back as it wants to know. */
  uint32_t start = next - MIN (group->family->config.backlog, next - first);
  if (log && log->epoch == epoch && !ordered->is_synced && is_parent)
    log->next = log->deliver_from = start; /* the parent's word counts */
  /* And that of the next one, as long as nothing has come from there on: the
   * first may have named a number that the source never reaches. */
  if (log && log->epoch == epoch && log->next > next && is_parent
      && log->entries->len == 0)
    log->next = log->deliver_from = next;
  if (log && (log->epoch > epoch || (log->epoch == epoch && log->next > next)))
    return true;
  bool is_new = !log || log->epoch < epoch;
  if (log && is_new && log->is_proven && !(is_newcomer && is_parent)) {
    note_claim (group, log, from, sync, index);
    return false;
  }
  /* A newcomer starts where the tree is; a root wants the history too. Who was
   * a member before misses what nobody has any more. */
  uint32_t from_here = first;
  if (is_new && is_newcomer && is_parent)
    from_here = start;
  else if (is_new && !is_newcomer && group->is_member)
    from_here = 1;
  /* When it speaks again it begins there. */
  if (ordered->is_synced && ss_log_is_forgotten (group, source, epoch))
    return false;
  log = ss_log_get (group, source, epoch, from_here);
  if (!log)
    return false;
  if (is_new && is_newcomer)
    log->deliver_from = start;
  if (log->next >= next)
    return false;
  log->known_end = MAX (log->known_end, next);
  log->told_end = MAX (log->told_end, next);
  log->teller = *from;
  log->has_teller = true;
  log->fetch_at = group->scribe->env->now;
  log->fetches = 0;
  return false;
}

static bool
is_listed (const SsMsgScribeSync *sync, const SsId *source)
{
  for (unsigned i = 0; i < sync->n_sources; i++)
    if (ss_id_equal (&sync->sources[i], source))
      return true;
  return false;
}

static void
answer_unknown (SsScribe *scribe, const SsContact *to,
                const SsMsgScribeSync *message)
{
  SsMsgScribeSync answer = { .flags = SS_SYNC_ANSWER | SS_SYNC_UNKNOWN };
  memcpy (answer.tag, message->tag, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_SYNC_MAX];
  size_t len = ss_msg_scribe_sync_encode (&answer, data, sizeof data);
  ss_scribe_send (scribe, to, data, len);
}

/* From a root to a node that is to hold its logs and does not know the group
 * yet. */
static void
open_replica (SsGroup *group, const SsContact *to)
{
  SsMsgScribeHandover handover = { .group = group->id };
  handover.flags = SS_JOIN_ORDERED | SS_JOIN_REPLICA;
  ss_group_info (group, &handover.info);
  uint8_t data[SS_MSG_SCRIBE_HANDOVER_MAX];
  size_t len = ss_msg_scribe_handover_encode (&handover, data, sizeof data);
  ss_scribe_send (group->scribe, to, data, len);
}

void
ss_sync_handle (SsScribe *scribe, const SsContact *from,
                const SsMsgScribeSync *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (message->n_epochs != message->n_sources
      || message->n_firsts != message->n_sources
      || message->n_nexts != message->n_sources) {
    ss_count (scribe->env, MESSAGES_MALFORMED);
    return;
  }
  if (!group || !ss_group_is_ordered (group)) {
    if (message->flags & SS_SYNC_ASK)
      answer_unknown (scribe, from, message);
    return;
  }
  bool is_parent = group->has_parent && ss_contact_equal (&group->parent, from);
  bool is_child = ss_group_child_find (group, &from->id) != NULL;
  if (!is_parent && !is_child
      && !ss_scribe_is_near (scribe, &group->id, &from->id))
    return;
  if (message->flags & SS_SYNC_UNKNOWN) {
    if (group->is_root) {
      open_replica (group, from);
      ss_ordered_answered (group);
    }
    return;
  }
  if (group->idle_since >= 0)
    group->idle_since = scribe->env->now; /* somebody counts on it */
  SsOrdered *ordered = ss_ordered_get (group);
  bool is_further = false;
  for (unsigned i = 0; i < message->n_sources; i++)
    is_further |= compare_source (group, from, message, i, is_parent);
  for (unsigned i = 0;
       !(message->flags & SS_SYNC_MORE) && i < ordered->logs->len; i++) {
    const SsSourceLog *log = g_ptr_array_index (ordered->logs, i);
    is_further |= log->next > 1 && !is_listed (message, &log->id);
  }
  bool is_due = (message->flags & SS_SYNC_ASK)
                || (is_further && !(message->flags & SS_SYNC_ANSWER));
  /* All or nothing: who asks in vain asks again in a second. */
  if (is_due && ss_budget_take (group, from, n_messages (group)))
    ss_sync_send (group, from, SS_SYNC_ANSWER);
  if (message->flags & SS_SYNC_MORE)
    return;
  if (is_parent) {
    ordered->is_asking = false;
    if (!ordered->is_synced) {
      ordered->newcomer_number = message->number;
      ordered->newcomer_until = scribe->env->now + SS_ORDERED_NEWCOMER;
    }
    ss_log_settle (group);
  } else if (group->is_root && (message->flags & SS_SYNC_ANSWER)) {
    ss_ordered_answered (group);
  }
  if (!group->is_dead)
    ss_group_arm (group);
}

/* Gaps. */

/* Who told of it, then the parent, then the root. The root's last resort is
 * the source, which has its own messages if it is a member. */
static bool
choose_helper (SsGroup *group, SsSourceLog *log, SsContact *ret_to)
{
  SsScribe *scribe = group->scribe;
  for (unsigned i = 0; i < 3; i++) {
    const SsContact *to = NULL;
    switch ((log->fetches + i) % 3) {
    case 0:
      to = log->has_teller ? &log->teller : NULL;
      break;
    case 1:
      to = group->has_parent ? &group->parent : NULL;
      if (group->is_root && log->has_contact)
        to = &log->contact;
      break;
    default:
      to = group->has_root && !group->is_root ? &group->root : NULL;
      break;
    }
    if (to && ss_scribe_usable (scribe, to)) {
      *ret_to = *to;
      return true;
    }
  }
  return false;
}

static void
send_fetch (SsGroup *group, const SsContact *to, const SsId *source,
            uint32_t epoch, uint32_t first, uint32_t end)
{
  SsMsgScribeFetch message = {
    .source = *source,
    .epoch = epoch,
    .first = first,
    .count = (uint8_t) MIN (end - first, SS_ORDERED_FETCH_MAX),
  };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_FETCH_MAX];
  size_t len = ss_msg_scribe_fetch_encode (&message, data, sizeof data);
  ss_scribe_send (group->scribe, to, data, len);
}

static void
fetch (SsGroup *group, SsSourceLog *log)
{
  SsContact to;
  SsTime now = group->scribe->env->now;
  log->fetch_at = now + SS_ORDERED_RETRY;
  /* The root decides first, and others do as it says. */
  if (log->give_up_at == SS_NEVER)
    log->give_up_at = now + (group->is_root ? 1 : 2) * SS_ORDERED_GIVE_UP;
  bool has_helper = choose_helper (group, log, &to);
  if (group->is_root && (!has_helper || log->fetches > FETCHES_MAX)) {
    log->told_end = log->next; /* who had it has gone */
    ss_log_pass_lost (group, log);
    return;
  }
  if (!has_helper)
    return;
  SsTime wait = 2 * ss_scribe_rto (group->scribe, &to.id) + SS_ORDERED_GAP;
  log->fetch_at = now + MIN (wait << MIN (log->fetches, 3), SS_ORDERED_RETRY);
  if (log->fetches < UINT8_MAX)
    log->fetches++;
  send_fetch (group, &to, &log->id, log->epoch, log->next, log->known_end);
}

static void
ask_claimed (SsGroup *group, SsSourceLog *log)
{
  SsClaim *claim = log->claim;
  if (claim->n_asked == CLAIMED_MAX) {
    g_clear_pointer (&log->claim, g_free);
    return;
  }
  claim->n_asked++;
  claim->ask_at = group->scribe->env->now + SS_ORDERED_RETRY;
  send_fetch (group, &claim->teller, &log->id, claim->epoch, claim->first,
              claim->end);
}

void
ss_sync_due (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  for (unsigned i = 0; !group->is_dead && i < group->ordered->logs->len; i++) {
    SsSourceLog *log = g_ptr_array_index (group->ordered->logs, i);
    if (log->fetch_at <= now && log->next < log->known_end)
      fetch (group, log);
    else if (log->fetch_at <= now)
      log->fetch_at = SS_NEVER;
    if (!group->is_dead && log->lost_at <= now)
      ss_log_pass_lost (group, log);
    if (!group->is_dead && log->give_up_at <= now)
      ss_log_give_up (group, log);
    if (!group->is_dead && log->claim && log->claim->ask_at <= now)
      ask_claimed (group, log);
  }
}

SsTime
ss_sync_deadline (const SsGroup *group)
{
  SsTime at = SS_NEVER;
  for (unsigned i = 0; i < group->ordered->logs->len; i++) {
    const SsSourceLog *log = g_ptr_array_index (group->ordered->logs, i);
    at = MIN (at, MIN (log->fetch_at, log->lost_at));
    at = MIN (at, log->give_up_at);
    if (log->claim)
      at = MIN (at, log->claim->ask_at);
  }
  return at;
}

/* What comes after a gap has come, from who has said that the gap is not held
 * any more. False: that has ended the log. */
static bool
pass_gone (SsGroup *group, SsSourceLog *log, const SsContact *from,
           uint32_t sequence)
{
  uint32_t end = log->gone_to;
  if (end == 0 || sequence < end || log->gone_by != ss_prefix_of (&from->id))
    return true;
  log->gone_to = 0;
  uint32_t epoch = log->epoch;
  ss_log_pass_to (group, log, end);
  return !group->is_dead && log->epoch == epoch;
}

void
ss_sync_handle_message (SsScribe *scribe, const SsContact *from,
                        const SsMsgScribeMessage *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group || !ss_group_is_ordered (group)) {
    ss_count (scribe->env, SCRIBE_PACKETS_UNASKED);
    return;
  }
  SsOrdered *ordered = ss_ordered_get (group);
  bool is_parent = group->has_parent && ss_contact_equal (&group->parent, from);
  SsSourceLog *log = ss_log_find (group, &message->source);
  bool is_helper =
      log
      && ((log->has_teller && ss_contact_equal (&log->teller, from))
          || (group->is_root && log->has_contact
              && ss_contact_equal (&log->contact, from))
          || (group->has_root && ss_contact_equal (&group->root, from)));
  bool is_asked =
      is_helper && log->epoch == message->epoch && log->next < log->known_end;
  is_asked |= log && log->claim && log->claim->epoch == message->epoch
              && ss_contact_equal (&log->claim->teller, from);
  if (message->sequence == 0 || (!is_parent && !group->join && !is_asked))
    return;
  bool is_had = log && log->is_proven && log->epoch == message->epoch
                && (message->sequence < log->next
                    || ss_log_entry (log, message->sequence));
  if (!is_had
      && !ss_signed_check (group, &message->source, message->epoch,
                           message->sequence, &message->data))
    return;
  /* One that was not there when this node came begins with 1; before that is
   * known, the first that comes is as good as any: SYNC corrects it. */
  uint32_t next = ordered->is_synced ? 1 : message->sequence;
  log = ss_log_get_from (group, &message->source, message->epoch,
                         message->sequence, next, message->sequence);
  if (!log || !pass_gone (group, log, from, message->sequence))
    return;
  if (is_parent) {
    log->teller = *from;
    log->has_teller = true;
    ss_neighbour_data (group, from);
  }
  uint32_t before = log->next;
  GBytes *data = g_bytes_new (message->data.data, message->data.len);
  ss_log_put (group, log, message->sequence, data);
  g_bytes_unref (data);
  if (group->is_dead)
    return;
  /* The rest of an answer is on its way; the next request follows it. */
  if (log->next > before)
    log->fetches = 0;
  if (log->next > before && log->next < log->known_end)
    log->fetch_at = MIN (log->fetch_at, scribe->env->now + SS_ORDERED_GAP);
  ss_group_arm (group);
}

/* Who asks the root for what that one has never heard of may hold what comes
 * after it. */
static void
ask_back (SsGroup *group, SsSourceLog *log, const SsContact *from,
          const SsMsgScribeFetch *message)
{
  if (!group->is_root || message->first != log->next
      || log->known_end != log->next)
    return;
  log->teller = *from;
  log->has_teller = true;
  log->known_end = log->next + MIN (message->count, SS_ORDERED_FETCH_MAX);
  log->fetch_at = group->scribe->env->now;
  ss_group_arm (group);
}

void
ss_sync_handle_fetch (SsScribe *scribe, const SsContact *from,
                      const SsMsgScribeFetch *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  SsSourceLog *log = group ? ss_log_find (group, &message->source) : NULL;
  if (!log || log->epoch != message->epoch)
    return;
  ask_back (group, log, from, message);
  if (log->entries->len == 0)
    return;
  /* There may be a gap that was passed over. */
  uint32_t first = ss_log_held (log, message->first, log->next);
  if (message->first < first) {
    SsMsgScribeGone gone = { .source = log->id,
                             .epoch = log->epoch,
                             .first = first };
    memcpy (gone.tag, group->id.b, SS_TAG_LEN);
    uint8_t data[SS_MSG_SCRIBE_GONE_MAX];
    size_t len = ss_msg_scribe_gone_encode (&gone, data, sizeof data);
    ss_scribe_send (scribe, from, data, len);
    return;
  }
  unsigned count = MIN (message->count, SS_ORDERED_FETCH_MAX);
  for (unsigned i = 0; i < count; i++) {
    uint32_t sequence = message->first + i;
    GBytes *data = ss_log_entry (log, sequence);
    if (!data)
      continue;
    if (!ss_budget_take (group, from, 1))
      return;
    ss_log_send (scribe, from, SS_MSG_SCRIBE_MESSAGE, group, log, sequence,
                 data);
    ss_count (scribe->env, SCRIBE_REPAIRS);
  }
}

/* Nobody holds it any more, if the root says so: the gap is passed over, but
 * not before what comes after it is here, which is the source's word: else
 * anybody could end what a source says by naming a number that it never
 * reaches. */
void
ss_sync_handle_gone (SsScribe *scribe, const SsContact *from,
                     const SsMsgScribeGone *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  SsSourceLog *log = group ? ss_log_find (group, &message->source) : NULL;
  if (!log || log->epoch != message->epoch || message->first <= log->next
      || message->first > log->known_end)
    return;
  bool is_root = group->has_root && ss_contact_equal (&group->root, from);
  bool is_teller = group->is_root && log->has_teller
                   && ss_contact_equal (&log->teller, from);
  /* No more than it has said to know of: to ask for something is no word. */
  uint32_t end = is_root ? message->first : MIN (message->first, log->told_end);
  if (is_teller && end <= log->next)
    return;
  if (!is_root && !is_teller) {
    log->fetches = 2; /* the root is next */
    log->fetch_at = scribe->env->now;
    ss_group_arm (group);
    return;
  }
  log->gone_to = end;
  log->gone_by = ss_prefix_of (&from->id);
  send_fetch (group, from, &log->id, log->epoch, end,
              MAX (log->known_end, end + 1));
}
