/* Ordered mode, at a source (see ordered.c): its messages are kept, and handed
 * in order to whoever is the root, until that one says that they are stored. */
#include <string.h>

#include "scribe/internal.h"

static SsSubmission *
submission_at (const SsGroup *group, unsigned index)
{
  return &g_array_index (group->ordered->submissions, SsSubmission, index);
}

void
ss_group_set_credential (SsGroup *group, const SsCredential *credential)
{
  g_assert (ss_group_is_ordered (group));
  SsOrdered *ordered = ss_ordered_get (group);
  ordered->credential = *credential;
  ordered->has_credential = true;
}

static SsTime *
stored_at (const SsOrdered *ordered, uint32_t sequence)
{
  return &ordered->stored_at[sequence % SS_ORDERED_LOG_MAX];
}

/* One more takes the place of the one SS_ORDERED_LOG_MAX before it in every
 * history: not while that may still be asked for. */
static bool
is_too_fast (const SsGroup *group)
{
  const SsOrdered *ordered = group->ordered;
  if (ordered->sequence < SS_ORDERED_LOG_MAX)
    return false;
  SsTime stored = *stored_at (ordered, ordered->sequence + 1);
  return stored < 0 || group->scribe->env->now < stored + SS_ORDERED_HOLD;
}

static uint32_t
wall_seconds (const SsScribe *scribe)
{
  return (uint32_t) ((scribe->env->now + scribe->env->wall_offset) / SS_SEC);
}

/* Who has left the group, and is back within a second, is another source. */
static uint32_t
new_epoch (const SsGroup *group)
{
  const GArray *spoken = group->scribe->spoken;
  uint32_t epoch = wall_seconds (group->scribe);
  for (unsigned i = 0; spoken && i < spoken->len; i++) {
    const SsSpoken *at = &g_array_index (spoken, SsSpoken, i);
    if (ss_id_equal (&at->group, &group->id))
      epoch = MAX (epoch, at->epoch + 1);
  }
  return epoch;
}

void
ss_submit_gone (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  uint32_t wall = wall_seconds (scribe);
  if (!group->ordered || group->ordered->epoch < wall)
    return;
  if (!scribe->spoken)
    scribe->spoken = g_array_new (FALSE, FALSE, sizeof (SsSpoken));
  GArray *spoken = scribe->spoken;
  while (
      spoken->len == SS_SPOKEN_MAX
      || (spoken->len > 0 && g_array_index (spoken, SsSpoken, 0).epoch < wall))
    g_array_remove_index (spoken, 0);
  SsSpoken last = { group->id, group->ordered->epoch };
  g_array_append_val (spoken, last);
}

bool
ss_group_multicast (SsGroup *group, const uint8_t *data, size_t len)
{
  g_assert (ss_group_is_ordered (group));
  SsScribe *scribe = group->scribe;
  if (len > SS_SCRIBE_MESSAGE_MAX || scribe->is_leaving
      || !ss_signed_may_publish (group))
    return false;
  SsOrdered *ordered = ss_ordered_get (group);
  if (ordered->submissions->len >= SS_ORDERED_OUT_MAX || is_too_fast (group))
    return false;
  ss_scribe_enter (scribe);
  if (!ordered->stored_at)
    ordered->stored_at = g_new0 (SsTime, SS_ORDERED_LOG_MAX);
  if (ordered->epoch == 0)
    ordered->epoch = new_epoch (group);
  uint32_t sequence = ++ordered->sequence;
  *stored_at (ordered, sequence) = -1;
  SsSubmission submission = {
    .sequence = sequence,
    .data = ss_signed_make (group, ordered->epoch, sequence, data, len),
  };
  g_array_append_val (ordered->submissions, submission);
  if (!group->is_root && ss_group_is_closest (group))
    ss_upstream_become_root (group);
  ss_submit_flush (group);
  ss_group_arm (group);
  ss_scribe_exit (scribe);
  return true;
}

unsigned
ss_group_n_unstored (const SsGroup *group)
{
  return group->ordered ? group->ordered->submissions->len : 0;
}

static void
submit (SsGroup *group, SsSubmission *submission)
{
  SsScribe *scribe = group->scribe;
  const SsOrdered *ordered = group->ordered;
  SsMsgScribeSubmit message = {
    .epoch = ordered->epoch,
    .sequence = submission->sequence,
    .oldest = submission_at (group, 0)->sequence,
  };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  uint8_t head[32];
  size_t len = ss_msg_scribe_submit_encode (&message, head, sizeof head);
  submission->token = ss_scribe_token (scribe, group);
  submission->late = 0;
  submission->retry = scribe->env->now + SS_ORDERED_RETRY;
  SsKbrSend how = {
    .class = SS_CLASS_KBR_CONTROL,
    .reliable = true,
    .token = submission->token,
  };
  if (!ss_kbr_send (scribe->kbr, scribe->protocol, &group->root, &how, head,
                    len, submission->data))
    submission->token = 0;
}

void
ss_submit_flush (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  if (!group->ordered || group->ordered->submissions->len == 0)
    return;
  if (group->is_root && !scribe->is_leaving) {
    const SsContact *self = ss_kbr_self (scribe->kbr);
    uint32_t oldest = submission_at (group, 0)->sequence;
    /* Accepting may store, and so remove, at once. */
    for (unsigned i = group->ordered->submissions->len; i-- > 0;)
      submission_at (group, i)->retry = scribe->env->now + SS_ORDERED_RETRY;
    for (uint32_t at = oldest; at <= group->ordered->sequence; at++) {
      GBytes *data = NULL;
      for (unsigned i = 0; i < group->ordered->submissions->len; i++)
        if (submission_at (group, i)->sequence == at)
          data = g_bytes_ref (submission_at (group, i)->data);
      if (!data)
        continue;
      ss_ordered_accept (group, self, group->ordered->epoch, at, oldest, data);
      g_bytes_unref (data);
      if (group->is_dead)
        return;
    }
    return;
  }
  if (!group->has_root || !ss_scribe_usable (scribe, &group->root)) {
    if (!ss_publish_is_finding (group))
      ss_publish_find_root (group);
    return;
  }
  for (unsigned i = 0; i < group->ordered->submissions->len; i++)
    if (submission_at (group, i)->token == 0)
      submit (group, submission_at (group, i));
}

/* What was submitted to it and is not stored goes to the next. */
void
ss_submit_root_lost (SsGroup *group)
{
  SsOrdered *ordered = group->ordered;
  SsContact root = group->root;
  group->has_root = false;
  if (!ordered)
    return;
  for (unsigned i = 0; i < ordered->submissions->len; i++) {
    SsSubmission *submission = submission_at (group, i);
    if (submission->token)
      ss_kbr_cancel (group->scribe->kbr, group->scribe->protocol, &root.id,
                     submission->token);
    submission->token = 0;
  }
  ss_submit_flush (group);
}

bool
ss_submit_outcome (SsGroup *group, const SsContact *to, uint64_t token,
                   SsKbrOutcome outcome)
{
  if (!group->ordered)
    return false;
  for (unsigned i = 0; i < group->ordered->submissions->len; i++) {
    SsSubmission *submission = submission_at (group, i);
    if (submission->token != token)
      continue;
    if (outcome == SS_KBR_LATE)
      submission->late++;
    if (outcome == SS_KBR_FAILED)
      submission->token = 0;
    if (outcome == SS_KBR_FAILED
        || (outcome == SS_KBR_LATE && submission->late >= 2))
      ss_scribe_suspect (group->scribe, to);
    return true;
  }
  return false;
}

void
ss_submit_forget (SsGroup *group, uint32_t sequence)
{
  SsOrdered *ordered = group->ordered;
  for (unsigned i = 0; i < ordered->submissions->len; i++) {
    SsSubmission *submission = submission_at (group, i);
    if (submission->sequence != sequence)
      continue;
    g_bytes_unref (submission->data);
    g_array_remove_index (ordered->submissions, i);
    *stored_at (ordered, sequence) = group->scribe->env->now;
    return;
  }
}

void
ss_submit_handle_stored (SsScribe *scribe, const SsContact *from,
                         const SsMsgScribeStored *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group || !group->ordered || group->ordered->epoch != message->epoch)
    return;
  bool is_root = group->has_root && ss_contact_equal (&group->root, from);
  if (is_root)
    ss_submit_forget (group, message->sequence);
  ss_group_arm (group);
}

void
ss_submit_due (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  bool is_late = false;
  for (unsigned i = 0; i < group->ordered->submissions->len; i++) {
    SsSubmission *submission = submission_at (group, i);
    if (submission->retry > now)
      continue;
    submission->retry = now + SS_ORDERED_RETRY;
    submission->token = 0; /* acknowledged, if at all, but not stored */
    is_late = true;
  }
  if (is_late)
    ss_submit_flush (group);
}

SsTime
ss_submit_deadline (const SsGroup *group)
{
  SsTime at = SS_NEVER;
  for (unsigned i = 0; i < group->ordered->submissions->len; i++)
    at = MIN (at, submission_at (group, i)->retry);
  return at;
}
