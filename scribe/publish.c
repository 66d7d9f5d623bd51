/* From a source to its groups' roots. Each packet is kept until a root has
 * acknowledged it, which says that the root has sent it on; when the root is
 * silent, all that is unacknowledged goes to the node that is closest after
 * it, which takes over provisionally while the overlay still probes.
 *
 * A node that gets a PUBLISH and is not the root sends the packet on down its
 * own branch and hands it to a node closer to the group's id: two roots for a
 * while cost duplicates, never packets.
 *
 * A source that is itself the root feeds one child, its deputy, and counts
 * on an acknowledgement from it in the same way. */
#include <string.h>

#include "scribe/internal.h"

static SsOutgoing *
outgoing_at (const SsGroup *group, unsigned index)
{
  return &g_array_index (group->outbox, SsOutgoing, index);
}

static unsigned
outbox_len (const SsGroup *group)
{
  return group->outbox ? group->outbox->len : 0;
}

static void
remove_at (SsGroup *group, unsigned index)
{
  SsOutgoing *entry = outgoing_at (group, index);
  if (entry->token)
    ss_kbr_cancel (group->scribe->kbr, group->scribe->protocol, &entry->to,
                   entry->token);
  g_bytes_unref (entry->packet);
  g_array_remove_index (group->outbox, index);
}

void
ss_publish_clear (SsGroup *group)
{
  while (outbox_len (group) > 0)
    remove_at (group, outbox_len (group) - 1);
}

static void
send_entry (SsGroup *group, SsOutgoing *entry, const SsContact *to)
{
  SsScribe *scribe = group->scribe;
  entry->to = to->id;
  entry->late = 0;
  entry->token = ss_scribe_token (scribe, group);
  entry->first = scribe->env->now;
  SsKbrSend how = {
    .class = SS_CLASS_KBR_MEDIA,
    .reliable = true,
    .token = entry->token,
    .expires = entry->give_up,
  };
  uint8_t type =
      entry->for_deputy ? SS_MSG_SCRIBE_DEPUTY : SS_MSG_SCRIBE_PUBLISH;
  if (!ss_scribe_send_packet (scribe, to, type, group, entry->sequence,
                              entry->packet, &how))
    entry->token = 0;
}

void
ss_publish_add (SsGroup *group, uint32_t sequence, GBytes *packet,
                SsTime give_up, bool for_deputy, const SsContact *to)
{
  if (!group->outbox)
    group->outbox = g_array_new (FALSE, FALSE, sizeof (SsOutgoing));
  if (group->outbox->len >= SS_GROUP_OUTBOX_MAX) {
    ss_count (group->scribe->env, SCRIBE_PUBLISH_LOST);
    remove_at (group, 0);
  }
  SsOutgoing entry = {
    .sequence = sequence,
    .packet = g_bytes_ref (packet),
    .give_up = give_up,
    .for_deputy = for_deputy,
  };
  g_array_append_val (group->outbox, entry);
  if (to)
    send_entry (group, outgoing_at (group, group->outbox->len - 1), to);
  ss_group_arm (group);
}

/* A usable node that is closer to the group's id than this one. */
static bool
find_closer (SsGroup *group, SsContact *ret_node)
{
  SsScribe *scribe = group->scribe;
  SsContact near[SS_REDIRECT_MAX];
  unsigned n =
      ss_kbr_replica_set (scribe->kbr, &group->id, near, SS_REDIRECT_MAX);
  for (unsigned i = 0; i < n; i++) {
    bool is_closer =
        scribe->is_leaving
        || ss_id_closer (&group->id, &near[i].id, ss_scribe_self (scribe));
    if (is_closer && ss_scribe_usable (scribe, &near[i])) {
      *ret_node = near[i];
      return true;
    }
  }
  return false;
}

static void
end_finding (SsGroup *group)
{
  group->find_next = SS_NEVER;
  group->find_tries = 0;
}

/* One number for all tries: whatever answer comes is good, also where ways are
 * longer than the wait; until there is one, past a root that does not serve. */
void
ss_publish_find_root (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsTime wait =
      MIN (SS_FIND_WAIT << MIN (group->find_tries, 4), SS_FIND_WAIT_MAX);
  group->find_next = scribe->env->now + wait;
  if (group->find_tries == 0)
    group->find_nonce = ss_scribe_nonce (scribe);
  if (group->find_tries < UINT8_MAX)
    group->find_tries++;
  SsMsgScribeFindRoot message = { .group = group->id,
                                  .nonce = group->find_nonce };
  message.flags = ss_group_is_ordered (group) ? SS_JOIN_ORDERED : 0;
  const SsAside *aside = group->aside;
  bool is_past = aside && aside->n > 0;
  if (is_past)
    message.flags |= SS_FIND_STAND_IN;
  ss_group_info (group, &message.info);
  uint8_t data[SS_MSG_SCRIBE_FIND_ROOT_MAX];
  size_t len = ss_msg_scribe_find_root_encode (&message, data, sizeof data);
  if (is_past) {
    ss_kbr_route_past (scribe->kbr, scribe->protocol, &group->id, aside->ids,
                       aside->n, data, len);
    return;
  }
  ss_kbr_route (scribe->kbr, scribe->protocol, &group->id, NULL,
                ss_group_is_ordered (group) ? 0 : SS_ROUTE_PROVISIONAL, data,
                len);
}

bool
ss_publish_is_finding (const SsGroup *group)
{
  return group->find_next != SS_NEVER;
}

/* This node is the root: what was on its way to another goes down here. */
static void
flush_as_root (SsGroup *group)
{
  end_finding (group);
  for (unsigned i = outbox_len (group); i-- > 0;) {
    if (outgoing_at (group, i)->for_deputy)
      continue;
    uint32_t sequence = outgoing_at (group, i)->sequence;
    GBytes *packet = g_bytes_ref (outgoing_at (group, i)->packet);
    remove_at (group, i);
    if (group->family->config.is_source)
      ss_live_forward (group, NULL, sequence, packet);
    g_bytes_unref (packet);
  }
}

/* Sends what is not on its way yet. */
static void
flush (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsContact to;
  bool has_to;
  if (group->is_root && !scribe->is_leaving) {
    has_to = ss_aside_is_appointed (group) && find_closer (group, &to);
    if (!has_to) {
      flush_as_root (group);
      return;
    }
  } else if (group->family->config.is_source) {
    has_to = group->has_root && ss_scribe_usable (scribe, &group->root);
    to = group->root;
    if (!has_to && group->find_next == SS_NEVER)
      ss_publish_find_root (group);
  } else {
    has_to = find_closer (group, &to);
    if (!has_to) { /* whoever is left does without it */
      ss_publish_clear (group);
      return;
    }
  }
  for (unsigned i = 0; has_to && i < outbox_len (group); i++)
    if (outgoing_at (group, i)->token == 0
        && !outgoing_at (group, i)->for_deputy)
      send_entry (group, outgoing_at (group, i), &to);
}

void
ss_group_publish (SsGroup *group, uint32_t sequence, GBytes *packet,
                  SsTime give_up)
{
  g_assert (group->family->config.is_source);
  g_assert (g_bytes_get_size (packet) <= SS_SCRIBE_PACKET_MAX);
  SsScribe *scribe = group->scribe;
  ss_scribe_enter (scribe);
  ss_count (scribe->env, SCRIBE_PUBLISHED);
  ss_budget_note (&scribe->budget, scribe->env->now);
  ss_history_put (group, sequence, packet);
  bool is_closest = ss_kbr_is_root (scribe->kbr, &group->id, true);
  if (is_closest && !group->is_root) {
    ss_upstream_become_root (group);
    flush_as_root (group);
  } else if (!is_closest && group->is_root) {
    ss_upstream_check_root (group);
  }
  SsContact closer;
  if (group->is_root) {
    ss_live_forward (group, NULL, sequence, packet);
    /* It stands in for one that may have been accused wrongly. */
    if (ss_aside_is_appointed (group) && find_closer (group, &closer))
      ss_publish_add (group, sequence, packet, give_up, false, &closer);
  } else {
    ss_publish_add (group, sequence, packet, give_up, false, NULL);
    flush (group);
  }
  ss_group_arm (group);
  ss_scribe_exit (scribe);
}

unsigned
ss_group_n_unacknowledged (const SsGroup *group)
{
  return outbox_len (group);
}

/* Packets of two bursts in a row, or one packet twice, without any sign of
 * life since. Lost packets are not silence: other acks come meanwhile. Those of
 * one burst are acknowledged together, and that all are late says no more than
 * that one is. */
static bool
is_silent (SsScribe *scribe, const SsId *peer)
{
  SsTime oldest = scribe->env->now, newest = -1;
  unsigned late = 0;
  for (SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id))
    for (unsigned i = 0; i < outbox_len (group); i++) {
      const SsOutgoing *entry = outgoing_at (group, i);
      if (entry->token == 0 || entry->late == 0
          || !ss_id_equal (&entry->to, peer))
        continue;
      late = MAX (late, entry->late);
      oldest = MIN (oldest, entry->first);
      newest = MAX (newest, entry->first);
    }
  return (late >= 2 || newest - oldest >= SS_BURST_TIME
          || scribe->env->now - oldest >= SS_ROOT_SILENT)
         && ss_kbr_last_heard (scribe->kbr, peer)
                < oldest + ss_scribe_rto (scribe, peer);
}

/* The next missing ack may be a long way off. */
static void
check_silent_roots (SsGroup *group)
{
  for (unsigned i = 0; i < outbox_len (group); i++) {
    const SsOutgoing *entry = outgoing_at (group, i);
    if (entry->token == 0 || entry->late == 0
        || !is_silent (group->scribe, &entry->to))
      continue;
    const SsNeighbour *peer = ss_neighbour_find (group->scribe, &entry->to);
    SsContact to;
    if (group->has_root && ss_id_equal (&group->root.id, &entry->to))
      to = group->root;
    else if (peer)
      to = peer->contact;
    else
      continue;
    ss_scribe_suspect (group->scribe, &to);
    return; /* the outbox has changed */
  }
}

void
ss_publish_due (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  bool is_waiting = false;
  check_silent_roots (group);
  for (unsigned i = outbox_len (group); i-- > 0;) {
    const SsOutgoing *entry = outgoing_at (group, i);
    if (now >= entry->give_up) {
      ss_count (group->scribe->env, SCRIBE_PUBLISH_LOST);
      remove_at (group, i);
    } else {
      is_waiting |= entry->token == 0 && !entry->for_deputy;
    }
  }
  if (now >= group->find_next) {
    group->find_next = SS_NEVER;
    bool is_needed = group->family->config.is_source
                     || (group->ordered && group->ordered->submissions->len);
    bool is_past = group->aside && group->aside->n > 0;
    if (is_needed && !group->is_root && !group->has_root)
      ss_publish_find_root (group);
    else if (group->is_root || !is_past)
      end_finding (group);
  }
  if (is_waiting)
    flush (group);
}

SsTime
ss_publish_deadline (const SsGroup *group)
{
  SsTime at = SS_NEVER;
  for (unsigned i = 0; i < outbox_len (group); i++) {
    const SsOutgoing *entry = outgoing_at (group, i);
    at = MIN (at, entry->give_up);
    if (entry->token && entry->late > 0
        && entry->first + SS_ROOT_SILENT > group->scribe->env->now)
      at = MIN (at, entry->first + SS_ROOT_SILENT);
    /* Not sent, though there is a root: the queue was full. */
    if (entry->token == 0 && !entry->for_deputy && group->find_next == SS_NEVER)
      at = MIN (at, group->scribe->env->now + SS_FIND_WAIT);
  }
  return at;
}

void
ss_publish_root_known (SsGroup *group, const SsContact *root)
{
  bool is_new = !ss_contact_equal (&group->root, root);
  group->root = *root;
  group->has_root = true;
  end_finding (group);
  if (ss_group_is_ordered (group))
    ss_submit_flush (group);
  else
    flush (group);
  if (is_new)
    ss_aside_new_root (group);
  ss_group_arm (group);
}

void
ss_publish_root_lost (SsGroup *group)
{
  group->has_root = false;
  for (unsigned i = 0; i < outbox_len (group); i++) {
    SsOutgoing *entry = outgoing_at (group, i);
    if (entry->for_deputy || entry->token == 0)
      continue;
    ss_kbr_cancel (group->scribe->kbr, group->scribe->protocol, &entry->to,
                   entry->token);
    entry->token = 0;
  }
  if (group->family->config.is_source && !group->is_root
      && group->find_next == SS_NEVER)
    ss_publish_find_root (group);
  ss_group_arm (group);
}

/* Silent, or dead: nothing more goes to it. */
void
ss_publish_peer_lost (SsScribe *scribe, const SsContact *peer)
{
  SsGroup *group = NULL;
  for (SsId at; (group = ss_group_after (scribe, group ? &at : NULL));) {
    at = group->id;
    bool is_affected = false;
    for (unsigned i = outbox_len (group); i-- > 0;) {
      SsOutgoing *entry = outgoing_at (group, i);
      if (entry->token == 0 || !ss_id_equal (&entry->to, &peer->id))
        continue;
      /* The next deputy's JOIN says what it lacks. */
      is_affected |= !entry->for_deputy;
      if (entry->for_deputy)
        remove_at (group, i);
    }
    bool is_root = group->has_root && ss_contact_equal (&group->root, peer);
    if (is_root && ss_group_is_ordered (group))
      ss_submit_root_lost (group);
    else if (is_affected || (is_root && group->family->config.is_source))
      ss_publish_root_lost (group);
    if (is_affected && !group->family->config.is_source)
      flush (group);
    ss_group_arm (group);
  }
}

void
ss_publish_outcome (SsGroup *group, const SsContact *to, uint64_t token,
                    SsKbrOutcome outcome)
{
  SsScribe *scribe = group->scribe;
  unsigned index = 0;
  if (ss_submit_outcome (group, to, token, outcome))
    return;
  while (index < outbox_len (group)
         && outgoing_at (group, index)->token != token)
    index++;
  if (index == outbox_len (group))
    return;
  SsOutgoing *entry = outgoing_at (group, index);
  switch (outcome) {
  case SS_KBR_ACKED:
    entry->token = 0; /* nothing to cancel */
    remove_at (group, index);
    break;
  case SS_KBR_LATE:
    entry->late++;
    if (is_silent (scribe, &to->id))
      ss_scribe_suspect (scribe, to);
    break;
  case SS_KBR_FAILED:
    entry->token = 0;
    if (entry->for_deputy)
      remove_at (group, index);
    ss_scribe_suspect (scribe, to);
    break;
  }
  ss_group_arm (group);
}

/* Answers and questions about who the root is. */

void
ss_publish_handle_find_root (SsScribe *scribe, const SsContact *from,
                             const SsMsgScribeFindRoot *message)
{
  SsGroup *group = ss_scribe_find (scribe, &message->group);
  if (ss_id_equal (&from->id, ss_scribe_self (scribe))) {
    /* Who sent it is what it says: only those on the way know the nonce. */
    if (group && group->find_tries > 0 && group->find_nonce == message->nonce) {
      bool was_root = group->is_root;
      if (message->flags & SS_FIND_STAND_IN)
        ss_aside_appoint (group);
      ss_upstream_become_root (group);
      if (!was_root)
        flush_as_root (group); /* what one that stands in hands on stays */
      end_finding (group);
      ss_submit_flush (group);
    }
    return;
  }
  if (scribe->is_leaving)
    return; /* asked again, the next one will answer */
  if (!group)
    group = ss_group_adopt (scribe, &message->group, &message->info, true,
                            message->flags & SS_JOIN_ORDERED);
  if (!group)
    return;
  if (!group->family->has_source && ss_group_has_own_family (group)
      && !group->family->config.is_source && !ss_group_is_ordered (group))
    ss_family_set_source (group->family, from);
  if (!group->is_root && (!group->has_parent || ss_group_is_closest (group)))
    ss_upstream_become_root (group);
  if (message->flags & SS_FIND_STAND_IN)
    ss_aside_appoint (group);
  if (group->is_dead || (ss_group_is_ordered (group) && !group->is_root))
    return;
  SsMsgScribeRootIs answer = { .nonce = message->nonce };
  memcpy (answer.tag, group->id.b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_ROOT_IS_MAX];
  size_t len = ss_msg_scribe_root_is_encode (&answer, data, sizeof data);
  ss_scribe_send (scribe, from, data, len);
}

void
ss_publish_handle_root_is (SsScribe *scribe, const SsContact *from,
                           const SsMsgScribeRootIs *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group || group->find_tries == 0 || group->find_nonce != message->nonce
      || group->is_root || ss_aside_has (group, &from->id))
    return;
  ss_publish_root_known (group, from);
}

static void
send_not_root (SsScribe *scribe, const uint8_t tag[SS_TAG_LEN],
               const SsContact *to, uint8_t flags, uint32_t sequence,
               const SsContact *root)
{
  SsMsgScribeNotRoot message = { .flags = flags, .sequence = sequence };
  memcpy (message.tag, tag, SS_TAG_LEN);
  if (root)
    message.n_root = ss_peers_put (message.root, 0, 1, root);
  uint8_t data[SS_MSG_SCRIBE_NOT_ROOT_MAX];
  size_t len = ss_msg_scribe_not_root_encode (&message, data, sizeof data);
  ss_scribe_send (scribe, to, data, len);
}

void
ss_publish_send_not_root (SsGroup *group, const SsContact *to,
                          const SsContact *root)
{
  send_not_root (group->scribe, group->id.b, to, 0, 0, root);
}

void
ss_publish_handle_not_root (SsScribe *scribe, const SsContact *from,
                            const SsMsgScribeNotRoot *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group
      || (!group->family->config.is_source && !ss_group_is_ordered (group)))
    return;
  bool is_root = group->has_root && ss_contact_equal (&group->root, from);
  if (message->flags & SS_NOT_ROOT_LOST) {
    GBytes *packet = ss_history_find (group, message->sequence);
    for (unsigned i = outbox_len (group); i-- > 0;)
      if (outgoing_at (group, i)->sequence == message->sequence)
        remove_at (group, i);
    if (packet && is_root)
      ss_publish_add (group, message->sequence, packet,
                      scribe->env->now + SS_SEC, false, NULL);
  }
  if (!is_root)
    return;
  SsContact root;
  if (message->n_root > 0 && !ss_group_is_ordered (group)) {
    root = ss_contact_from_record (&message->root[0]);
    if (ss_aside_has (group, &root.id)) {
      /* It leaves, or has not been asked: whoever is next is. */
      ss_aside_seek (group);
      return;
    }
    if (ss_scribe_usable (scribe, &root)) {
      ss_publish_root_known (group, &root);
      return;
    }
    if (!(message->flags & SS_NOT_ROOT_LOST))
      return; /* it thinks of one that is suspected here */
  }
  if (ss_group_is_ordered (group))
    ss_submit_root_lost (group);
  else
    ss_publish_root_lost (group);
}

void
ss_publish_handle (SsScribe *scribe, const SsContact *from,
                   const SsMsgScribePublish *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group || group->family->config.is_source) {
    ss_count (scribe->env, SCRIBE_PACKETS_UNASKED);
    send_not_root (scribe, message->tag, from, SS_NOT_ROOT_LOST,
                   message->sequence, NULL);
    return;
  }
  bool was_new = !ss_history_find (group, message->sequence);
  bool is_good = ss_live_receive (group, from, message->sequence,
                                  &message->packet, SS_VIA_TREE);
  if (!is_good || group->is_dead)
    return;
  if (!group->is_open && group->idle_since >= 0)
    group->idle_since = scribe->env->now; /* a root with work */
  ss_aside_serve (group, from);
  bool is_root = group->is_root && !scribe->is_leaving;
  if (group->is_dead || (is_root && !ss_aside_is_appointed (group)))
    return;
  SsContact closer;
  if (!find_closer (group, &closer)) {
    if (ss_kbr_is_root (scribe->kbr, &group->id, true))
      ss_upstream_become_root (group);
    return;
  }
  GBytes *packet = ss_history_find (group, message->sequence);
  if (was_new && packet && !ss_contact_equal (&closer, from))
    ss_publish_add (group, message->sequence, packet, scribe->env->now + SS_SEC,
                    false, &closer);
  if (!is_root && !ss_contact_equal (&closer, from))
    send_not_root (scribe, message->tag, from, 0, message->sequence, &closer);
}

void
ss_publish_handle_handover (SsScribe *scribe, const SsContact *from,
                            const SsMsgScribeHandover *message)
{
  SsGroup *group = ss_scribe_find (scribe, &message->group);
  if (scribe->is_leaving)
    return;
  if (!ss_scribe_is_near (scribe, &message->group, ss_scribe_self (scribe))) {
    ss_count (scribe->env, SCRIBE_PACKETS_UNASKED);
    return; /* nobody's successor: from then on it would hear nothing */
  }
  bool is_replica = message->flags & SS_JOIN_REPLICA;
  bool is_known = is_replica;
  if (group) {
    is_known |=
        !ss_group_in_tree (group)
        || (group->has_root && ss_contact_equal (&group->root, from))
        || (group->has_parent && ss_contact_equal (&group->parent, from));
  } else {
    group = ss_group_adopt (scribe, &message->group, &message->info, true,
                            message->flags & SS_JOIN_ORDERED);
    is_known = group != NULL;
  }
  if (!is_known || is_replica)
    return;
  if (message->n_source > 0)
    ss_group_know_source (group, &message->source[0]);
  group->root_until = scribe->env->now + SS_HANDOVER_TIME;
  ss_upstream_become_root (group);
  if (group->family->config.is_source && group->is_root)
    flush_as_root (group);
  ss_group_arm (group);
}
