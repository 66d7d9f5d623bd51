/* Searches for a better parent of who has one: one whose own stripe it is, one
 * that the parent has advised, one that is nearer, or the root. Who finds none
 * stays where it is, and one that says yes is tried first (scribe/trial.c). */
#include "scribe/parent.h"

/* A parent that carries a stripe that is not its own does so because there was
 * no room, and may be sent away by its own stripe's. Patience grows. In groups
 * that are no stripes any node may be a parent. */
void
ss_join_set_better (SsGroup *group)
{
  SsTime wait = SS_JOIN_BETTER_FIRST
                << MIN (group->n_better, SS_JOIN_BETTER_DOUBLED);
  group->better_at =
      group->scribe->env->now + wait
      + (SsTime) ss_rng_below (&group->scribe->env->rng, (uint64_t) wait);
}

bool
ss_join_is_top (const SsGroup *group, const SsContact *parent)
{
  if (!group->has_root || ss_contact_equal (&group->root, parent))
    return group->has_root;
  return group->n_path == 3 && group->family->has_source
         && ss_contact_equal (&group->root, &group->family->source);
}

static bool
may_seek (const SsGroup *group)
{
  return ss_place_is_own (group, &group->parent.id)
             ? ss_place_may_rise (group)
             : !ss_join_is_top (group, &group->parent);
}

bool
ss_join_may_improve (const SsGroup *group)
{
  const SsScribe *scribe = group->scribe;
  return group->has_parent && !group->join && !scribe->is_leaving
         && !group->family->config.is_light && !ss_place_is_free (group)
         && !ss_group_is_ordered (group) && scribe->env->now >= group->better_at
         && (may_seek (group) || ss_exchange_may_raise (group));
}

/* Where it does not find one it stays where it is. */
static void
seek_better (SsGroup *group, const SsPeerRecord *candidates, unsigned n,
             bool is_rise)
{
  SsJoin *join = group->join = g_new0 (SsJoin, 1);
  join->nonce = ss_scribe_nonce (group->scribe);
  join->is_better = true;
  join->is_rise = is_rise;
  for (unsigned i = 0; i < MIN (n, SS_REDIRECT_MAX); i++)
    join->candidates[join->n_candidates++] =
        ss_contact_from_record (&candidates[i]);
  /* Who is named is meant, and nobody else. */
  if (n > 0 && !ss_join_find_candidate (group))
    ss_join_cancel (group);
  else
    ss_join_send (group);
}

void
ss_join_improve (SsGroup *group)
{
  if (group->n_better < UINT8_MAX)
    group->n_better++;
  ss_join_set_better (group);
  if (ss_exchange_may_raise (group))
    ss_exchange_raise (group);
  if (!may_seek (group))
    return;
  if (!ss_place_is_own (group, &group->parent.id)) {
    seek_better (group, NULL, 0, false);
    return;
  }
  SsPeerRecord root;
  if (ss_peers_put (&root, 0, 1, &group->root) > 0)
    seek_better (group, &root, 1, true);
}

/* Is it so much nearer than the parent that a longer way from the root is worth
 * it? As measured here: what others say of distances does not count, nor of
 * addresses. */
static bool
is_worth (const SsGroup *group, uint32_t prefix, SsContact *ret_contact)
{
  SsKbr *kbr = group->scribe->kbr;
  SsContact near[SS_JOIN_NEAR_MAX];
  SsTime rtts[SS_JOIN_NEAR_MAX];
  SsTime parent = ss_kbr_rtt (kbr, &group->parent.id);
  unsigned n = ss_kbr_near_set (kbr, near, rtts, SS_JOIN_NEAR_MAX);
  for (unsigned i = 0; i < n && parent != SS_NEVER; i++)
    if (ss_prefix_of (&near[i].id) == prefix) {
      *ret_contact = near[i];
      return 100 * rtts[i] <= SS_JOIN_NEAR_PERCENT * parent;
    }
  return false;
}

void
ss_join_go_near (SsGroup *group, uint32_t prefix)
{
  if (prefix == 0 || group->join || group->scribe->is_leaving
      || !group->has_parent || !ss_place_is_free (group))
    return;
  SsContact contact;
  if (!is_worth (group, prefix, &contact))
    return;
  SsJoin *join = group->join = g_new0 (SsJoin, 1);
  join->nonce = ss_scribe_nonce (group->scribe);
  join->is_better = join->is_near = true;
  join->candidates[join->n_candidates++] = contact;
  if (ss_join_find_candidate (group))
    ss_join_send (group);
  else
    ss_join_cancel (group);
}

static void
seek_sooner (SsGroup *group, SsTime gain, unsigned n_raced)
{
  SsJoin *join = group->join = g_new0 (SsJoin, 1);
  join->nonce = ss_scribe_nonce (group->scribe);
  join->is_better = true;
  join->gain = gain;
  join->n_raced = (uint8_t) n_raced;
  join->lost = ss_prefix_of (&group->parent.id); /* not to be sent back */
  ss_join_send (group);
}

void
ss_group_seek_sooner (SsGroup *group, SsTime gain)
{
  g_assert (gain > 0);
  if (!group->has_parent || group->join || group->scribe->is_leaving
      || group->family->config.is_light
      || ss_join_is_top (group, &group->parent))
    return;
  ss_scribe_enter (group->scribe);
  seek_sooner (group, gain, 0);
  ss_scribe_exit (group->scribe);
}

void
ss_join_seek_sooner_again (SsGroup *group)
{
  SsTime gain = group->join->gain;
  unsigned n_raced = group->join->n_raced + 1;
  ss_join_cancel (group);
  if (n_raced < SS_REDIRECT_MAX)
    seek_sooner (group, gain, n_raced);
}

void
ss_join_handle_advice (SsScribe *scribe, const SsContact *from,
                       const SsMsgScribeAdvice *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group || !group->has_parent || !ss_contact_equal (&group->parent, from)
      || group->join || scribe->is_leaving || group->family->config.is_light
      || message->n_better == 0)
    return;
  SsTime now = scribe->env->now;
  if (group->advised >= 0 && now < group->advised + SS_ADVICE_PAUSE)
    return;
  SsContact better = ss_contact_from_record (&message->better[0]);
  if (!ss_scribe_usable (scribe, &better)
      || ss_group_child_find (group, &better.id)
      || ss_service_shirks (scribe, &better.id))
    return;
  group->advised = now;
  seek_better (group, message->better, 1, false);
}
