/* Ordered mode: first in, first out for each source, no order across them
 * (DESIGN section 7).
 *
 *   source --SUBMIT--> root --MESSAGE--> children ...
 *                       |----REPLICATE--> the nodes closest after it
 *   source <--STORED-- root, once min (3, ring size) nodes have it
 *
 * The source keeps a message until STORED and submits it again, in order, to
 * whoever is the root then. Messages are known by source, the source's epoch
 * and number, so no takeover makes a duplicate. Roots change only when the
 * overlay has declared the old one dead: no provisional roots here. */
#include <string.h>

#include "scribe/internal.h"

static SsUnstored *
unstored_at (const SsGroup *group, unsigned index)
{
  return &g_array_index (group->ordered->unstored, SsUnstored, index);
}

SsOrdered *
ss_ordered_get (SsGroup *group)
{
  if (!group->ordered) {
    SsOrdered *ordered = group->ordered = g_new0 (SsOrdered, 1);
    ordered->logs = g_ptr_array_new_with_free_func (ss_log_free);
    ordered->unstored = g_array_new (FALSE, FALSE, sizeof (SsUnstored));
    ordered->submissions = g_array_new (FALSE, FALSE, sizeof (SsSubmission));
    ordered->sync_at = SS_NEVER;
  }
  return group->ordered;
}

void
ss_ordered_free (SsOrdered *ordered)
{
  if (!ordered)
    return;
  for (unsigned i = 0; i < ordered->submissions->len; i++)
    g_bytes_unref (g_array_index (ordered->submissions, SsSubmission, i).data);
  g_ptr_array_free (ordered->logs, TRUE);
  g_array_free (ordered->unstored, TRUE);
  g_array_free (ordered->submissions, TRUE);
  g_free (ordered->stored_at);
  g_free (ordered);
}

static unsigned
find_unstored (const SsGroup *group, const SsId *source, uint32_t epoch,
               uint32_t sequence)
{
  unsigned i = 0;
  for (; i < group->ordered->unstored->len; i++) {
    const SsUnstored *at = unstored_at (group, i);
    if (at->sequence == sequence && at->epoch == epoch
        && ss_id_equal (&at->source, source))
      break;
  }
  return i;
}

/* At the root: one more of a source's messages. All below `oldest` is stored
 * on other nodes, though perhaps not here: it is looked for before it is
 * passed over. */
void
ss_ordered_accept (SsGroup *group, const SsContact *source, uint32_t epoch,
                   uint32_t sequence, uint32_t oldest, GBytes *data)
{
  SsOrdered *ordered = group->ordered;
  SsSourceLog *log =
      ss_log_get_from (group, &source->id, epoch, sequence, 1, oldest);
  if (!log)
    return;
  log->used = group->scribe->env->now;
  log->contact = *source;
  log->has_contact = true;
  log->oldest = MAX (log->oldest, oldest);
  if (sequence >= log->next) {
    ss_log_put (group, log, sequence, data);
    if (!group->is_dead)
      ss_log_pass_lost (group, log);
  } else if (find_unstored (group, &source->id, epoch, sequence)
             == ordered->unstored->len) {
    /* It has not heard that it is stored, if it is. */
    ss_log_put_past (group, log, sequence, data);
    ss_ordered_replicate (group, log, sequence, data);
  }
}

/* The root. */

static void
say_stored (SsGroup *group, const SsSourceLog *log, uint32_t sequence)
{
  SsScribe *scribe = group->scribe;
  if (ss_id_equal (&log->id, ss_scribe_self (scribe))) {
    if (group->ordered->epoch == log->epoch)
      ss_submit_forget (group, sequence);
    return;
  }
  if (!log->has_contact)
    return;
  SsMsgScribeStored message = { .epoch = log->epoch, .sequence = sequence };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_STORED_MAX];
  size_t len = ss_msg_scribe_stored_encode (&message, data, sizeof data);
  ss_scribe_send (scribe, &log->contact, data, len);
}

static bool
has_acked (const SsUnstored *unstored, const SsId *peer)
{
  for (unsigned i = 0; i < unstored->n_acked; i++)
    if (ss_id_equal (&unstored->acked[i], peer))
      return true;
  return false;
}

/* To those of the nodes closest to the group that do not have it. True: there
 * are none, it is stored. */
static bool
replicate_once (SsGroup *group, SsUnstored *unstored, const SsSourceLog *log,
                GBytes *data)
{
  SsScribe *scribe = group->scribe;
  SsContact near[SS_ORDERED_REPLICAS + 2];
  unsigned n =
      ss_kbr_replica_set (scribe->kbr, &group->id, near, G_N_ELEMENTS (near));
  unsigned others = 0;
  unstored->retry = scribe->env->now + SS_ORDERED_RETRY;
  for (unsigned i = 0; i < n && others < SS_ORDERED_REPLICAS - 1; i++) {
    if (!ss_scribe_usable (scribe, &near[i]))
      continue;
    others++;
    if (!has_acked (unstored, &near[i].id))
      ss_log_send (scribe, &near[i], SS_MSG_SCRIBE_REPLICATE, group, log,
                   unstored->sequence, data);
  }
  return unstored->n_acked >= others;
}

void
ss_ordered_replicate (SsGroup *group, const SsSourceLog *log, uint32_t sequence,
                      GBytes *data)
{
  SsOrdered *ordered = group->ordered;
  SsUnstored unstored = { .source = log->id,
                          .epoch = log->epoch,
                          .sequence = sequence };
  if (replicate_once (group, &unstored, log, data)) {
    say_stored (group, log, sequence);
    return;
  }
  g_array_append_val (ordered->unstored, unstored);
  if (ordered->unstored->len > SS_ORDERED_UNSTORED_MAX)
    g_array_remove_index (ordered->unstored, 0); /* its source will ask */
}

/* Is there more of it than of a source that holds itself back (submit.c)? Who
 * does not would have the whole tree carry what it says. What comes again does
 * not count. */
static bool
is_too_much (const SsGroup *group, const SsId *source,
             const SsMsgScribeSubmit *message)
{
  SsScribe *scribe = group->scribe;
  const SsSourceLog *log = ss_log_find (group, source);
  if (log && log->epoch == message->epoch
      && (message->sequence < log->next
          || ss_log_entry (log, message->sequence)))
    return false;
  SsId speaker = *source; /* in this group */
  for (unsigned i = 0; i < SS_ID_LEN; i++)
    speaker.b[i] ^= group->id.b[i];
  if (ss_quota_take (&scribe->submits, &speaker, 1, scribe->env->now))
    return false;
  ss_count (scribe->env, SCRIBE_SUBMITS_REFUSED);
  return true;
}

void
ss_ordered_handle_submit (SsScribe *scribe, const SsContact *from,
                          const SsMsgScribeSubmit *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group || !ss_group_is_ordered (group) || !group->is_root
      || scribe->is_leaving) {
    SsMsgScribeNotRoot answer = { .flags = SS_NOT_ROOT_LOST };
    memcpy (answer.tag, message->tag, SS_TAG_LEN);
    if (group && group->has_root)
      answer.n_root = ss_peers_put (answer.root, 0, 1, &group->root);
    uint8_t data[SS_MSG_SCRIBE_NOT_ROOT_MAX];
    size_t len = ss_msg_scribe_not_root_encode (&answer, data, sizeof data);
    ss_scribe_send (scribe, from, data, len);
    return;
  }
  if (message->sequence == 0 || message->oldest == 0
      || message->oldest > message->sequence
      || is_too_much (group, &from->id, message)
      || !ss_signed_check (group, &from->id, message->epoch, message->sequence,
                           &message->data))
    return;
  if (group->idle_since >= 0)
    group->idle_since = scribe->env->now;
  ss_ordered_get (group);
  GBytes *data = g_bytes_new (message->data.data, message->data.len);
  ss_ordered_accept (group, from, message->epoch, message->sequence,
                     message->oldest, data);
  g_bytes_unref (data);
  if (!group->is_dead)
    ss_group_arm (group);
}

void
ss_ordered_handle_replicate (SsScribe *scribe, const SsContact *from,
                             const SsMsgScribeReplicate *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  SsMsgScribeReplicaAck answer = {
    .source = message->source,
    .epoch = message->epoch,
    .sequence = message->sequence,
  };
  memcpy (answer.tag, message->tag, SS_TAG_LEN);
  if (!group || !ss_group_is_ordered (group)) {
    answer.flags = SS_REPLICA_UNKNOWN;
  } else if (!ss_scribe_is_near (scribe, &group->id, &from->id)) {
    ss_count (scribe->env, SCRIBE_PACKETS_UNASKED);
    return; /* no root, or not yet known here: that would try again */
  } else if (message->sequence > 0) {
    if (!ss_signed_check (group, &message->source, message->epoch,
                          message->sequence, &message->data))
      return;
    if (group->idle_since >= 0)
      group->idle_since = scribe->env->now;
    bool is_mere_replica = !group->is_member && !ss_group_in_tree (group);
    SsOrdered *ordered = ss_ordered_get (group);
    if (is_mere_replica && !group->join)
      ss_log_settle (group); /* what SYNC has brought goes first */
    /* A replica begins where it becomes one; SYNC brings what was before. */
    bool is_from_start = ordered->is_synced && !is_mere_replica;
    uint32_t next = is_from_start ? 1 : message->sequence;
    SsSourceLog *log =
        ss_log_get_from (group, &message->source, message->epoch,
                         message->sequence, next, message->sequence);
    if (!log)
      return;
    log->teller = *from;
    log->has_teller = true;
    GBytes *data = g_bytes_new (message->data.data, message->data.len);
    ss_log_put (group, log, message->sequence, data);
    if (!group->is_dead)
      ss_log_put_past (group, log, message->sequence, data);
    g_bytes_unref (data);
    if (group->is_dead)
      return;
    if (message->sequence >= log->next
        && !ss_log_entry (log, message->sequence))
      return; /* too far ahead: it will come again */
    ss_group_arm (group);
  }
  uint8_t data[SS_MSG_SCRIBE_REPLICA_ACK_MAX];
  size_t len = ss_msg_scribe_replica_ack_encode (&answer, data, sizeof data);
  ss_scribe_send (scribe, from, data, len);
}

void
ss_ordered_handle_replica_ack (SsScribe *scribe, const SsContact *from,
                               const SsMsgScribeReplicaAck *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group || !group->ordered || !group->is_root)
    return;
  unsigned index = find_unstored (group, &message->source, message->epoch,
                                  message->sequence);
  SsSourceLog *log = ss_log_find (group, &message->source);
  if (index == group->ordered->unstored->len || !log
      || log->epoch != message->epoch)
    return;
  SsUnstored *unstored = unstored_at (group, index);
  if (message->flags & SS_REPLICA_UNKNOWN) {
    /* Makes it open the group; the message follows at the retry. */
    ss_sync_send (group, from, SS_SYNC_ASK);
    unstored->retry = scribe->env->now + SS_ORDERED_GAP;
  } else if (!has_acked (unstored, &from->id)
             && unstored->n_acked < SS_ORDERED_REPLICAS - 1) {
    unstored->acked[unstored->n_acked++] = from->id;
    unsigned ring =
        MIN (SS_ORDERED_REPLICAS,
             ss_kbr_replica_set (scribe->kbr, &group->id,
                                 (SsContact[SS_ORDERED_REPLICAS]){ 0 },
                                 SS_ORDERED_REPLICAS));
    if (unstored->n_acked + 1 >= ring) {
      g_array_remove_index (group->ordered->unstored, index);
      say_stored (group, log, message->sequence);
    }
  }
  ss_group_arm (group);
}

static unsigned
sync_replicas (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsContact near[SS_ORDERED_REPLICAS];
  unsigned asked = 0;
  unsigned n =
      ss_kbr_replica_set (scribe->kbr, &group->id, near, SS_ORDERED_REPLICAS);
  for (unsigned i = 0; i < n; i++) {
    if (!ss_scribe_usable (scribe, &near[i]))
      continue;
    ss_sync_send (group, &near[i], SS_SYNC_ASK);
    asked++;
  }
  return asked;
}

static void
be_ready (SsGroup *group)
{
  SsOrdered *ordered = group->ordered;
  ordered->is_ready = true;
  ordered->n_awaited = 0;
  ordered->sync_at = group->scribe->env->now + SS_ORDERED_SYNC;
  ss_log_settle (group);
  for (unsigned i = 0; !group->is_dead && i < ordered->logs->len; i++) {
    SsSourceLog *log = g_ptr_array_index (ordered->logs, i);
    log->give_up_at = SS_NEVER; /* as a root it has asked nobody yet */
    ss_log_pass_lost (group, log);
  }
}

/* Before a new root passes anything over, or takes the first that it sees of
 * a source for the first there is, it hears what its neighbours hold. */
void
ss_ordered_become_root (SsGroup *group)
{
  SsOrdered *ordered = ss_ordered_get (group);
  ordered->is_ready = false;
  ordered->n_awaited = sync_replicas (group);
  ordered->sync_at = group->scribe->env->now + SS_ORDERED_SYNC_FIRST;
  if (ordered->n_awaited == 0)
    be_ready (group);
  if (!group->is_dead)
    ss_submit_flush (group);
}

/* A new parent is told how far this node is, and answers in kind. */
void
ss_ordered_reparented (SsGroup *group)
{
  SsOrdered *ordered = ss_ordered_get (group);
  ordered->is_asking = true;
  ordered->newcomer_until = 0;
  ordered->sync_at = group->scribe->env->now + SS_ORDERED_RETRY;
  ss_sync_send (group, &group->parent, SS_SYNC_ASK);
}

void
ss_ordered_answered (SsGroup *group)
{
  SsOrdered *ordered = ss_ordered_get (group);
  if (ordered->n_awaited > 0 && --ordered->n_awaited == 0 && !ordered->is_ready)
    be_ready (group);
}

static void
retry_unstored (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  for (unsigned i = group->ordered->unstored->len; i-- > 0;) {
    SsUnstored *unstored = unstored_at (group, i);
    if (unstored->retry > now)
      continue;
    SsSourceLog *log = ss_log_find (group, &unstored->source);
    GBytes *data = log && log->epoch == unstored->epoch
                       ? ss_log_entry (log, unstored->sequence)
                       : NULL;
    if (data && group->is_root && !replicate_once (group, unstored, log, data))
      continue;
    uint32_t sequence = unstored->sequence;
    g_array_remove_index (group->ordered->unstored, i);
    if (data && group->is_root)
      say_stored (group, log, sequence);
  }
}

void
ss_ordered_due (SsGroup *group)
{
  SsOrdered *ordered = group->ordered;
  if (!ordered)
    return;
  SsTime now = group->scribe->env->now;
  if (now >= ordered->sync_at) {
    bool is_lacking = false;
    for (unsigned i = 0; i < ordered->logs->len; i++)
      is_lacking |= ss_log_is_lacking (g_ptr_array_index (ordered->logs, i));
    ordered->sync_at = now + (is_lacking ? SS_ORDERED_RETRY : SS_ORDERED_SYNC);
    if (!group->is_root && group->has_parent && ordered->is_asking)
      ss_ordered_reparented (group);
    else if (!group->is_root)
      ordered->sync_at = SS_NEVER;
    else if (ordered->is_ready)
      sync_replicas (group);
    else
      be_ready (group);
    if (group->is_dead)
      return;
  }
  retry_unstored (group);
  ss_submit_due (group);
  if (!group->is_dead)
    ss_sync_due (group);
}

SsTime
ss_ordered_deadline (const SsGroup *group)
{
  const SsOrdered *ordered = group->ordered;
  if (!ordered)
    return SS_NEVER;
  SsTime at = MIN (ordered->sync_at, ss_sync_deadline (group));
  at = MIN (at, ss_submit_deadline (group));
  for (unsigned i = 0; i < ordered->unstored->len; i++)
    at = MIN (at, unstored_at (group, i)->retry);
  return at;
}
