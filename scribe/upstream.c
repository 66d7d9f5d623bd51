/* What a node has above it in a tree: the parent that has taken it, or nothing,
 * when it is the root. Every answer carries the path from the root, so that a
 * loop is seen before it is made. */
#include <string.h>

#include "scribe/parent.h"

/* To who is thought dead only once: if it lives, it is told again when its next
 * packet comes. */
static void
send_leave (SsScribe *scribe, const SsContact *to,
            const uint8_t tag[SS_TAG_LEN], uint32_t nonce, uint8_t flags)
{
  SsMsgScribeLeave leave = { .nonce = nonce, .flags = flags };
  memcpy (leave.tag, tag, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_LEAVE_MAX];
  size_t len = ss_msg_scribe_leave_encode (&leave, data, sizeof data);
  SsKbrSend how = { .class = SS_CLASS_KBR_CONTROL,
                    .reliable = ss_scribe_usable (scribe, to) };
  ss_kbr_send (scribe->kbr, scribe->protocol, to, &how, data, len, NULL);
}

void
ss_upstream_send_leave (SsScribe *scribe, const SsContact *to,
                        const uint8_t tag[SS_TAG_LEN], uint32_t nonce)
{
  send_leave (scribe, to, tag, nonce, 0);
}

/* Not any JOIN: one to the same node may be on its way again. */
static void
send_leave_to_parent (SsGroup *group, uint8_t flags)
{
  send_leave (group->scribe, &group->parent, group->id.b, group->parent_nonce,
              flags);
}

static void
leave_old_parent (SsGroup *group, uint8_t flags)
{
  if (!group->has_parent)
    return;
  send_leave_to_parent (group, flags);
  ss_neighbour_untake (group);
}

void
ss_upstream_leave (SsGroup *group)
{
  ss_join_cancel (group);
  leave_old_parent (group, 0);
}

static void
tell_parent (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  if (scribe->app.parent && group->is_open)
    scribe->app.parent (group->user, group,
                        group->has_parent ? &group->parent : NULL);
}

/* Orphans. */

SsTime
ss_upstream_orphan_deadline (const SsGroup *group)
{
  return group->orphan_since == SS_NEVER || group->is_orphan
             ? SS_NEVER
             : group->orphan_since + SS_ORPHAN_TIME;
}

static void
tell_orphan (SsGroup *group, bool is_orphan)
{
  const SsScribeApp *app = &group->scribe->app;
  group->is_orphan = is_orphan;
  if (is_orphan)
    ss_count (group->scribe->env, SCRIBE_ORPHANS);
  if (app->orphan && group->user)
    app->orphan (group->user, group, is_orphan);
}

void
ss_upstream_orphan_due (SsGroup *group)
{
  if (group->scribe->env->now >= ss_upstream_orphan_deadline (group))
    tell_orphan (group, true);
}

/* It is in the tree. */
static void
end_orphan (SsGroup *group)
{
  group->orphan_since = SS_NEVER;
  if (group->is_orphan)
    tell_orphan (group, false);
}

void
ss_upstream_become_root (SsGroup *group)
{
  ss_join_cancel (group);
  if (group->is_root) {
    /* Its own JOIN came back: the closer one was not in the ring yet, or is
     * suspected. */
    group->root_check = group->scribe->env->now + SS_ROOT_CHECK;
    ss_group_arm (group);
    return;
  }
  bool had_parent = group->has_parent;
  if (had_parent)
    ss_upstream_leave (group);
  group->is_root = true;
  group->has_root = group->is_spent = false;
  ss_place_settle (group);
  ss_debug (group->scribe->env, "group %08x: is its root",
            ss_prefix_of (&group->id));
  /* The overlay says so because another node suspects a closer one. If that
   * lives, this node will be its child. */
  if (!ss_group_is_closest (group))
    group->root_check = group->scribe->env->now + SS_ROOT_CHECK;
  ss_group_set_path (group, NULL, 0);
  if (group->idle_since >= 0)
    group->idle_since = group->scribe->env->now;
  ss_parent_send_path (group);
  if (had_parent)
    tell_parent (group);
  if (!group->is_dead)
    end_orphan (group);
  if (group->is_dead)
    return;
  if (ss_group_is_ordered (group))
    ss_ordered_become_root (group);
  ss_parent_serve_pending (group);
  ss_group_arm (group);
}

void
ss_upstream_lose (SsGroup *group)
{
  if (!group->has_parent)
    return;
  SsContact lost = group->parent;
  ss_neighbour_untake (group);
  ss_debug (group->scribe->env, "group %08x: parent %08x is lost",
            ss_prefix_of (&group->id), ss_prefix_of (&lost.id));
  tell_parent (group);
  if (!group->is_dead)
    ss_join_start (group, &lost);
}

void
ss_upstream_check_root (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  bool may_be = ss_group_is_closest (group);
  if (scribe->is_leaving)
    return;
  if (!group->is_root) {
    if (group->has_parent && !group->family->config.is_source
        && ss_kbr_is_root (scribe->kbr, &group->id, false))
      ss_upstream_become_root (group);
  } else if (may_be) {
    ss_join_cancel (group);
    ss_aside_dismiss (group);
  } else if (group->root_until >= 0) {
    return; /* the closer one is leaving */
  } else if (group->family->config.is_source) {
    group->is_root = false;
    ss_aside_dismiss (group);
    ss_place_settle (group);
    ss_shed_all (group, NULL);
    ss_publish_root_lost (group);
  } else {
    ss_join_start (group, NULL);
  }
}

/* The overlay's word on a peer. */

void
ss_upstream_suspected (SsScribe *scribe, const SsContact *peer)
{
  SsGroup *group = NULL;
  for (SsId at; (group = ss_group_after (scribe, group ? &at : NULL));) {
    at = group->id;
    if (group->has_parent && ss_contact_equal (&group->parent, peer))
      ss_join_start (group, peer);
    else if (group->join && ss_id_equal (&group->join->asked, &peer->id))
      ss_join_due (group);
  }
}

void
ss_upstream_recovered (SsScribe *scribe, const SsContact *peer)
{
  SsGroup *group = NULL;
  for (SsId at; (group = ss_group_after (scribe, group ? &at : NULL));) {
    at = group->id;
    if (group->family->config.is_source)
      ss_group_arm (group); /* it may have a child too many now */
    if (group->join && group->has_parent && !group->join->shed
        && ss_contact_equal (&group->parent, peer)
        && group->join->lost == ss_prefix_of (&peer->id)) {
      ss_join_cancel (group);
      if (ss_service_leaves (group))
        ss_join_start_unserved (group);
    }
  }
}

void
ss_upstream_left (SsScribe *scribe, const SsContact *peer)
{
  SsGroup *group = NULL;
  for (SsId at; (group = ss_group_after (scribe, group ? &at : NULL));) {
    at = group->id;
    ss_group_child_remove (group, &peer->id);
    if (group->has_root && ss_contact_equal (&group->root, peer))
      group->has_root = false;
    if (group->has_parent && ss_contact_equal (&group->parent, peer))
      ss_upstream_lose (group);
    if (!group->is_dead)
      ss_group_arm (group);
  }
}

/* Answers. */

static void
know_root (SsGroup *group, const SsContact *parent, const SsPeerRecord *root,
           unsigned n_root, unsigned n_path)
{
  group->has_root = n_root > 0 || n_path == 1;
  if (n_root > 0)
    group->root = ss_contact_from_record (&root[0]);
  else if (n_path == 1)
    group->root = *parent;
}

static bool
path_is_good (const SsGroup *group, const SsContact *from, const uint32_t *path,
              unsigned n_path)
{
  uint32_t self = ss_prefix_of (ss_scribe_self (group->scribe));
  if (n_path == 0 || n_path >= SS_GROUP_DEPTH_MAX
      || path[n_path - 1] != ss_prefix_of (&from->id))
    return false;
  for (unsigned i = 0; i < n_path; i++)
    if (path[i] == self)
      return false;
  return true;
}

static void
set_parent (SsGroup *group, const SsContact *parent)
{
  SsScribe *scribe = group->scribe;
  ss_join_found (group);
  bool is_new =
      !group->has_parent || !ss_contact_equal (&group->parent, parent);
  if (is_new)
    leave_old_parent (group, SS_LEAVE_MOVED);
  if (is_new && group->n_path > 0) {
    group->n_reparented++;
    ss_count (scribe->env, SCRIBE_REPARENTED);
  }
  bool was_own = ss_place_is_own (group, &group->parent.id);
  group->parent = *parent;
  if (is_new)
    ss_neighbour_take (group);
  /* What was offered to the last one does not count. */
  if (was_own || ss_place_is_own (group, &parent->id))
    group->n_better = 0;
  if (is_new)
    ss_join_set_better (group);
  group->is_root = false;
  ss_place_settle (group);
  group->root_until = -1;
  ss_aside_dismiss (group);
  /* No loop of two: the new parent does not take from this node. */
  ss_group_child_remove (group, &parent->id);
  ss_service_begin (group, is_new);
}

/* Who looks for a higher place is not helped by one as low, nor who looks for
 * packets that come sooner by one that has them from its own parent. */
static bool
is_of_use (const SsGroup *group, const SsContact *from,
           const SsMsgScribeJoinAck *message)
{
  const SsJoin *join = group->join;
  if (join->is_rise && message->n_path != 1)
    return false;
  for (unsigned i = 0; join->gain > 0 && i < message->n_path; i++)
    if (message->path[i] == join->lost)
      return false;
  return !ss_service_shirks (group->scribe, &from->id)
         && !ss_service_dawdles (group->scribe, &from->id);
}

/* It has found a parent, or has the same again. */
static void
settle_in (SsGroup *group, bool is_same, uint32_t near)
{
  tell_parent (group);
  if (!group->is_dead)
    end_orphan (group);
  if (group->is_dead)
    return;
  /* The one that it was has been asked already. */
  if (!is_same)
    ss_want_reparented (group);
  if (ss_group_is_ordered (group))
    ss_ordered_reparented (group);
  if (ss_service_leaves (group))
    ss_join_start_unserved (group);
  ss_join_go_near (group, near);
}

void
ss_upstream_handle_join_ack (SsScribe *scribe, const SsContact *from,
                             const SsMsgScribeJoinAck *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group)
    return;
  bool is_parent = group->has_parent && ss_contact_equal (&group->parent, from);
  bool is_awaited = group->join && group->join->nonce == message->nonce;
  if (message->load_max > 0)
    ss_neighbour_load (scribe, from, message->load, message->load_max);
  if (!is_awaited && !is_parent) {
    ss_upstream_send_leave (scribe, from, message->tag, message->nonce);
    return;
  }
  /* Two may have said yes to one search: the first is on trial. */
  if (is_awaited && group->join->trial == SS_TRIAL_ON) {
    if (!is_parent && !ss_trial_is_of (group, from))
      ss_upstream_send_leave (scribe, from, message->tag, message->nonce);
    return;
  }
  bool is_choice = is_awaited && !is_parent && group->join->is_better;
  if (is_choice && !is_of_use (group, from, message)) {
    ss_upstream_send_leave (scribe, from, message->tag, message->nonce);
    ss_join_cancel (group);
    return;
  }
  if (!path_is_good (group, from, message->path, message->n_path)) {
    ss_count (scribe->env, SCRIBE_LOOPS);
    ss_upstream_send_leave (scribe, from, message->tag, message->nonce);
    if (is_parent)
      ss_upstream_lose (group);
    else
      ss_join_failed (group);
    return;
  }
  if (message->n_source > 0)
    ss_group_know_source (group, &message->source[0]);
  /* The root may have sent its other children to this node already, unless this
   * one has come by choice. Who merely says that it is the root is tried. */
  bool is_root = message->n_path == 1
                 && (!group->has_root || ss_contact_equal (&group->root, from));
  if (is_choice && (!is_root || group->join->is_rise || group->join->gain > 0)
      && !group->join->is_near && group->join->trial == SS_TRIAL_NONE) {
    ss_trial_begin (group, from, message->newest);
    return;
  }
  if (is_awaited) {
    bool is_back = is_parent && group->join->unserved;
    if (!is_parent && group->join->gain > 0) {
      ss_service_avoid (scribe, &group->parent);
      ss_count (scribe->env, SCRIBE_LATE);
    }
    set_parent (group, from);
    if (is_back && group->service)
      group->service->is_back = true;
    ss_debug (scribe->env, "group %08x: parent %08x, depth %u",
              ss_prefix_of (&group->id), ss_prefix_of (&from->id),
              message->n_path);
  }
  group->parent_nonce = message->nonce;
  know_root (group, from, message->root, message->n_root, message->n_path);
  ss_group_set_path (group, message->path, message->n_path);
  ss_parent_send_path (group);
  if (is_awaited)
    settle_in (group, is_parent, message->near);
  if (group->is_dead)
    return;
  if (group->has_root)
    ss_submit_flush (group);
  ss_parent_serve_pending (group);
  ss_group_arm (group);
}

void
ss_upstream_handle_path (SsScribe *scribe, const SsContact *from,
                         const SsMsgScribePath *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group || !group->has_parent || !ss_contact_equal (&group->parent, from))
    return;
  if (!path_is_good (group, from, message->path, message->n_path)) {
    ss_count (scribe->env, SCRIBE_LOOPS);
    send_leave_to_parent (group, 0);
    ss_upstream_lose (group);
    return;
  }
  know_root (group, from, message->root, message->n_root, message->n_path);
  bool is_same = group->n_path == message->n_path + 1
                 && memcmp (group->path, message->path,
                            message->n_path * sizeof *message->path)
                        == 0;
  if (is_same)
    return;
  ss_group_set_path (group, message->path, message->n_path);
  ss_parent_send_path (group);
}
