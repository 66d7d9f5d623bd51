/* A parent that a node need not have is tried first. Who looks for a better
 * place, or is advised to go to one (scribe/shed.c), has a parent that serves;
 * whoever says yes may forward nothing, and has room because of that. So the
 * yes begins a trial: the old parent stays the parent until the new one has
 * sent a packet down the tree. Then the same JOIN is sent to it once more, for
 * the way from the root may be another by now, and its answer counts. Who lets
 * SS_TRIAL_PACKETS pass that came from others does not serve (scribe/service.c)
 * and is told that it has not become the parent.
 *
 * Whose parent sends late looks for one that sends sooner
 * (ss_group_seek_sooner): both send for a while, and the new one is taken when
 * SS_TRIAL_SOONER packets have come from it, and so much later from the old
 * one. Whether that one lives is asked when it lets one pass.
 *
 *   asking --JOIN_ACK--> on trial --packet--> asking again --JOIN_ACK--> parent
 *                           |
 *                   others' packets, or time --> no join, parent as before */
#include "scribe/internal.h"

#define SS_TRIAL_PACKETS 3
#define SS_TRIAL_SOONER  2

bool
ss_trial_is_of (const SsGroup *group, const SsContact *peer)
{
  const SsJoin *join = group->join;
  return join && join->trial == SS_TRIAL_ON
         && ss_contact_equal (&join->candidates[0], peer);
}

void
ss_trial_begin (SsGroup *group, const SsContact *peer, uint32_t newest)
{
  SsJoin *join = group->join;
  join->trial = SS_TRIAL_ON;
  join->candidates[0] = *peer;
  join->n_candidates = 1;
  join->next_candidate = 0;
  join->n_passed = 0;
  join->trial_from = newest;
  join->has_served = false;
  join->n_sooner = 0;
  join->raced_at = 0;
  join->trial_since = group->scribe->env->now;
  join->answer_by = group->scribe->env->now + SS_TRIAL_TIME;
  ss_group_arm (group);
}

void
ss_trial_end (SsGroup *group)
{
  const SsJoin *join = group->join;
  if (join && join->trial == SS_TRIAL_ON)
    ss_upstream_send_leave (group->scribe, &join->candidates[0], group->id.b,
                            join->nonce);
}

static void
fail (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  const SsContact *peer = &group->join->candidates[0];
  if (group->join->has_served) {
    ss_service_avoid (scribe, peer);
    ss_join_seek_sooner_again (group);
    return;
  }
  ss_debug (scribe->env, "group %08x: %08x does not serve, and is no parent",
            ss_prefix_of (&group->id), ss_prefix_of (&peer->id));
  ss_count (scribe->env, SCRIBE_TRIALS_FAILED);
  ss_service_shun (scribe, peer);
  ss_join_cancel (group);
}

static void
take (SsGroup *group)
{
  const SsContact *peer = &group->join->candidates[0];
  if (ss_scribe_usable (group->scribe, peer)
      && !ss_group_child_find (group, &peer->id))
    ss_join_take_tried (group);
  else
    ss_join_cancel (group);
}

/* What comes from it, and then from the parent, is compared, one at a time. */
static void
race (SsGroup *group, bool is_tried, uint32_t sequence, bool is_new)
{
  SsJoin *join = group->join;
  SsTime now = group->scribe->env->now;
  join->has_served |= is_tried;
  if (is_tried && is_new && sequence > join->trial_from
      && join->raced_at == 0) {
    join->raced = sequence;
    join->raced_at = now;
  }
  if (is_tried || join->raced_at == 0 || sequence != join->raced)
    return;
  if (now - join->raced_at >= join->gain)
    join->n_sooner++;
  else
    join->n_passed++;
  join->raced_at = 0;
}

/* What it had when it said yes it owes nobody down the tree; and what comes
 * within a time-out of that may have passed it before it could send it on. */
void
ss_trial_packet (SsGroup *group, const SsContact *from, uint32_t sequence,
                 SsPacketVia via, bool is_new)
{
  SsScribe *scribe = group->scribe;
  SsJoin *join = group->join;
  if (!join || join->trial != SS_TRIAL_ON)
    return;
  bool is_tried = ss_trial_is_of (group, from);
  bool is_down = via == SS_VIA_TREE;
  /* Nothing is missed while this one sends, and who is dead would be the parent
   * for as long as the trial lasts. */
  if (is_tried && join->raced_at > 0 && sequence > join->raced) {
    ss_group_overdue (group);
    if (group->join != join || join->trial != SS_TRIAL_ON)
      return; /* that was known already */
  }
  if (join->gain > 0 && is_down
      && (is_tried || ss_contact_equal (from, &group->parent)))
    race (group, is_tried, sequence, is_new);
  if (join->gain > 0 ? join->n_sooner == SS_TRIAL_SOONER
                     : is_tried && is_down) {
    take (group);
    return;
  }
  if (is_tried)
    return;
  if (is_new && sequence > join->trial_from)
    join->n_passed++;
  SsTime patience = ss_scribe_rto (scribe, &join->candidates[0].id);
  if (join->n_passed >= SS_TRIAL_PACKETS
      && scribe->env->now >= join->trial_since + patience)
    fail (group);
}

/* Where nobody sends anything, nobody can be told from another; but nobody
 * rises to a root that sends nothing. */
void
ss_trial_due (SsGroup *group)
{
  const SsJoin *join = group->join;
  if (join->n_passed == 0 && !join->is_rise && join->gain == 0)
    take (group);
  else
    ss_join_cancel (group);
}
