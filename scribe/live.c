/* Live mode: packets are verified, kept, and forwarded at once in any order
 * (DESIGN section 7). */
#include <string.h>

#include "scribe/internal.h"

#define REJECTED_MAX 8 /* in a row: then another parent is sought */

static void
forward_to (SsGroup *group, const SsId *from, uint32_t sequence, GBytes *packet,
            bool are_own)
{
  SsScribe *scribe = group->scribe;
  bool is_source = group->family->config.is_source;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    if ((from && ss_id_equal (&child->contact.id, from))
        || ss_place_is_own (group, &child->contact.id) != are_own)
      continue;
    SsContact to = child->contact;
    if (!is_source) {
      SsKbrSend how = { .class = SS_CLASS_KBR_MEDIA,
                        .expires = scribe->env->now + SS_PACKET_WAIT,
                        .hint = &child->hint };
      ss_scribe_send_packet (scribe, &to, SS_MSG_SCRIBE_DATA, group, sequence,
                             packet, &how);
      ss_count (scribe->env, SCRIBE_FORWARDED);
    } else if (ss_scribe_usable (scribe, &to)) {
      ss_publish_add (group, sequence, packet, scribe->env->now + SS_SEC, true,
                      &to);
      ss_count (scribe->env, SCRIBE_FORWARDED);
    }
  }
}

/* A line takes a while for all of them: first go those that carry the tree. */
void
ss_live_forward (SsGroup *group, const SsId *from, uint32_t sequence,
                 GBytes *packet)
{
  forward_to (group, from, sequence, packet, true);
  forward_to (group, from, sequence, packet, false);
}

static void
keep_and_forward (SsGroup *group, const SsId *from, uint32_t sequence,
                  GBytes *packet)
{
  ss_budget_note (&group->scribe->budget, group->scribe->env->now);
  ss_history_put (group, sequence, packet);
  ss_live_forward (group, from, sequence, packet);
  ss_want_got (group, sequence, packet);
}

static void
count_rejected (SsGroup *group, const SsContact *from)
{
  SsScribe *scribe = group->scribe;
  ss_count (scribe->env, SCRIBE_PACKETS_REJECTED);
  SsNeighbour *neighbour = ss_neighbour_find (scribe, &from->id);
  if (!neighbour || ++neighbour->rejected < REJECTED_MAX)
    return;
  neighbour->rejected = 0;
  if (group->has_parent && ss_contact_equal (&group->parent, from))
    ss_join_start (group, from);
}

bool
ss_live_receive (SsGroup *group, const SsContact *from, uint32_t sequence,
                 const SsWireBytes *bytes, SsPacketVia via)
{
  SsScribe *scribe = group->scribe;
  if (group->family->config.mode != SS_GROUP_LIVE || bytes->len == 0)
    return false;
  GBytes *packet = ss_history_find (group, sequence);
  gsize had_len = 0;
  const uint8_t *had = packet ? g_bytes_get_data (packet, &had_len) : NULL;
  bool is_same = packet && had_len == bytes->len
                 && memcmp (had, bytes->data, had_len) == 0;
  packet = is_same ? g_bytes_ref (packet)
                   : ss_env_keep (scribe->env, bytes->data, bytes->len);
  SsPacketVerdict verdict = is_same ? SS_PACKET_DUPLICATE : SS_PACKET_NEW;
  if (scribe->app.packet)
    verdict =
        scribe->app.packet (group->user, group, sequence, packet, from, via);
  bool is_good = verdict == SS_PACKET_NEW || verdict == SS_PACKET_DUPLICATE;
  if (!group->is_dead && is_good) {
    ss_service_packet (group, from, sequence, via, verdict == SS_PACKET_NEW);
    ss_trial_packet (group, from, sequence, via, verdict == SS_PACKET_NEW);
  }
  if (!group->is_dead) {
    switch (verdict) {
    case SS_PACKET_NEW:
      keep_and_forward (group, &from->id, sequence, packet);
      break;
    case SS_PACKET_DUPLICATE:
      ss_count (scribe->env, SCRIBE_PACKETS_DUPLICATE);
      break;
    case SS_PACKET_REJECTED:
      count_rejected (group, from);
      if (via == SS_VIA_REPAIR) {
        ss_want_refused (group, sequence);
        ss_group_arm (group);
      }
      break;
    case SS_PACKET_STALE:
      break;
    }
  }
  g_bytes_unref (packet);
  return is_good;
}

static void
leave_unknown (SsScribe *scribe, const SsContact *to,
               const uint8_t tag[SS_TAG_LEN])
{
  ss_count (scribe->env, SCRIBE_PACKETS_UNASKED);
  SsNeighbour *neighbour = ss_neighbour_get (scribe, to);
  SsTime now = scribe->env->now;
  if (neighbour->left >= 0 && now < neighbour->left + SS_LEAVE_REPEAT)
    return;
  neighbour->left = now;
  ss_upstream_send_leave (scribe, to, tag, 0);
}

/* Who sends down the tree and is not the parent has not heard of it. A
 * parent to be is ahead of its JOIN_ACK. */
static void
check_sender (SsGroup *group, const SsContact *from)
{
  SsTime now = group->scribe->env->now;
  if (group->has_parent && ss_contact_equal (&group->parent, from)) {
    ss_neighbour_data (group, from);
  } else if (!group->join
             && (group->left < 0 || now >= group->left + SS_LEAVE_REPEAT)) {
    group->left = now;
    ss_upstream_send_leave (group->scribe, from, group->id.b, 0);
  }
}

void
ss_live_handle_data (SsScribe *scribe, const SsContact *from,
                     const SsMsgScribeData *message, SsPacketVia via)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group) {
    if (via == SS_VIA_TREE)
      leave_unknown (scribe, from, message->tag);
    return;
  }
  if (via == SS_VIA_TREE)
    check_sender (group, from);
  ss_live_receive (group, from, message->sequence, &message->packet, via);
}

void
ss_live_handle_deputy (SsScribe *scribe, const SsContact *from,
                       const SsMsgScribeDeputy *message)
{
  SsMsgScribeData data = { .sequence = message->sequence,
                           .packet = message->packet };
  memcpy (data.tag, message->tag, SS_TAG_LEN);
  ss_live_handle_data (scribe, from, &data, SS_VIA_TREE);
}

void
ss_live_catch_up (SsGroup *group, const SsContact *child, bool have,
                  uint32_t newest, uint32_t mask)
{
  if (!have || !group->has_newest || group->is_hearsay)
    return;
  SsScribe *scribe = group->scribe;
  SsKbrSend how = { .class = SS_CLASS_KBR_REPAIR,
                    .expires = scribe->env->now + SS_PACKET_WAIT };
  uint32_t from = newest > 32 ? newest - 32 : 0;
  if (group->newest >= SS_GROUP_CATCH_UP_MAX)
    from = MAX (from, group->newest - SS_GROUP_CATCH_UP_MAX);
  /* Up to the newest, which may be the last number there is. */
  for (uint32_t n = from <= group->newest ? group->newest - from + 1 : 0; n > 0;
       n--) {
    uint32_t i = group->newest - (n - 1);
    bool is_had = i == newest || (i < newest && (mask >> (newest - 1 - i) & 1));
    GBytes *packet = is_had ? NULL : ss_history_find (group, i);
    if (!packet)
      continue;
    if (!ss_budget_take (group, child, 1))
      return;
    ss_scribe_send_packet (scribe, child, SS_MSG_SCRIBE_REPAIR, group, i,
                           packet, &how);
    ss_count (scribe->env, SCRIBE_REPAIRS);
  }
}

void
ss_group_inject (SsGroup *group, uint32_t sequence, GBytes *packet,
                 bool history_only)
{
  ss_scribe_enter (group->scribe);
  if (!ss_history_find (group, sequence)) {
    if (history_only) {
      ss_history_put (group, sequence, packet);
      ss_want_got (group, sequence, packet);
    } else {
      ss_service_packet (group, NULL, sequence, SS_VIA_REPAIR, true);
      keep_and_forward (group, NULL, sequence, packet);
    }
    ss_group_arm (group);
  }
  ss_scribe_exit (group->scribe);
}

void
ss_group_reset (SsGroup *group, uint32_t first_sequence)
{
  ss_history_clear (group);
  ss_publish_clear (group);
  if (group->wants)
    g_array_set_size (group->wants, 0);
  if (group->askers)
    g_array_set_size (group->askers, 0);
  group->has_newest = group->is_hearsay = false;
  group->first = first_sequence;
  group->has_first = true;
  ss_group_arm (group);
}
