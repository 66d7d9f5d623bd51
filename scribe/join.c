/* The search for a parent: a JOIN is routed towards the group's id until a
 * node of the tree takes it (Scribe, JSAC 2002, section 3.2) or names others
 * that have room (SplitStream, SOSP 2003, section 3.3: push-down).
 *
 *   no join --start--> asking --JOIN_ACK--> no join, parent set
 *                       | ^
 *        REDIRECT, or no answer in time: the next candidate, or the root
 *
 * A parent is kept, and its packets are taken, until another has said yes; a
 * node that finds itself the root stops asking (scribe/upstream.c).
 *
 * First answers are acted upon at once, for somebody is missing packets. Where
 * peers send each other in circles that would never end, so everything that
 * may come round again is counted, and paced from some number on: refusals
 * and redirects of one search, and searches that a parent has ended. Nor are
 * liars followed for ever: who has been sent on more often than a tree is deep,
 * or was turned away by too many that were said to have room, asks the root. */
#include <string.h>

#include "scribe/parent.h"

/* The first JOIN of a search; later if parents are found and lost too fast. */
static void
begin (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  if (now - group->found_since > SS_JOIN_PARENTS_TIME)
    group->n_found = 0;
  if (group->n_found < SS_JOIN_PARENTS_FAST) {
    ss_join_send (group);
    return;
  }
  group->join->answer_by = now + SS_JOIN_PARENTS_WAIT;
  ss_group_arm (group);
}

/* A search that is to find another parent while there is one; NULL: not now. */
static SsJoin *
new_search (SsGroup *group)
{
  if (group->join && (group->join->is_better || group->join->may_stay))
    ss_join_cancel (group); /* it is no longer a matter of choice */
  if (group->scribe->is_leaving || group->family->config.is_source
      || group->join)
    return NULL;
  SsJoin *join = group->join = g_new0 (SsJoin, 1);
  join->nonce = ss_scribe_nonce (group->scribe);
  join->shed = true;
  join->lost = ss_prefix_of (&group->parent.id); /* not to be sent back */
  return join;
}

void
ss_join_start_shed (SsGroup *group, const SsPeerRecord *candidates, unsigned n,
                    bool may_stay)
{
  SsJoin *join = new_search (group);
  if (!join)
    return;
  join->may_stay = may_stay;
  for (unsigned i = 0; i < MIN (n, SS_REDIRECT_MAX); i++)
    join->candidates[join->n_candidates++] =
        ss_contact_from_record (&candidates[i]);
  if (may_stay && !ss_join_find_candidate (group))
    ss_join_cancel (group);
  else
    begin (group);
}

void
ss_join_start (SsGroup *group, const SsContact *lost)
{
  if (group->scribe->is_leaving || group->family->config.is_source)
    return;
  uint32_t prefix = lost ? ss_prefix_of (&lost->id) : 0;
  if (!ss_group_in_tree (group) && group->orphan_since == SS_NEVER)
    group->orphan_since = group->scribe->env->now;
  if (group->join) {
    if (prefix)
      group->join->lost = prefix;
    group->join->is_better = group->join->is_near = false;
    group->join->is_rise = group->join->has_stand_in = false;
    group->join->gain = 0;
    if (group->join->may_stay)
      group->join->shed = group->join->may_stay = false;
    if (lost && group->join->unserved)
      group->join->shed = group->join->unserved = false; /* it is dead */
    if (group->join->trial == SS_TRIAL_ON)
      ss_join_take_tried (group); /* whoever says yes will do */
    ss_group_arm (group);
    return;
  }
  SsJoin *join = group->join = g_new0 (SsJoin, 1);
  join->nonce = ss_scribe_nonce (group->scribe);
  join->lost = prefix;
  begin (group);
}

void
ss_join_start_unserved (SsGroup *group)
{
  SsJoin *join = new_search (group);
  if (!join)
    return;
  join->unserved = true;
  /* From a root nobody but the source leads elsewhere; nor from who only does
   * not say that it is the root. */
  const SsFamily *family = group->family;
  bool is_back = group->service && group->service->is_back;
  if (family->has_source && (is_back || ss_join_is_top (group, &group->parent))
      && ss_scribe_usable (group->scribe, &family->source)
      && !ss_contact_equal (&family->source, &group->parent)) {
    join->candidates[join->n_candidates++] = family->source;
    join->is_source_asked = true;
  }
  begin (group);
}

void
ss_join_take_tried (SsGroup *group)
{
  group->join->trial = SS_TRIAL_PASSED;
  ss_join_send (group);
}

void
ss_join_cancel (SsGroup *group)
{
  ss_trial_end (group);
  g_free (group->join);
  group->join = NULL;
}

/* Since its parent seems dead: it misses the stream. */
static bool
is_orphan (const SsJoin *join)
{
  return join->lost && !join->shed && !join->unserved && !join->is_better;
}

static SsTime
answer_wait (SsGroup *group, const SsContact *to)
{
  SsScribe *scribe = group->scribe;
  const SsJoin *join = group->join;
  /* Where there is no tree yet, each node of the way finds its own parent
   * before it answers. */
  SsTime wait = group->n_path > 0
                    ? MAX (SS_JOIN_WAIT_FIRST, 2 * scribe->join_time)
                    : SS_JOIN_WAIT_NEW;
  if (to)
    wait = 2 * ss_scribe_rto (scribe, &to->id) + SS_JOIN_SLACK;
  bool is_live = group->n_path > 0; /* it has been in the tree */
  if (join->tries > 2)
    wait <<= MIN (join->tries - 2, 6);
  /* Many may have died at once, and those have most room of whom nothing is
   * heard. Who is slower than usual may still say yes. */
  if (to && is_orphan (join))
    wait = MIN (wait, ss_scribe_rto (scribe, &to->id));
  wait = MIN (wait, is_live ? SS_JOIN_WAIT_LIVE : SS_JOIN_WAIT_MAX);
  if (join->searches > 0)
    wait = MIN (SS_JOIN_SEARCH_PAUSE << MIN (join->searches - 1, 6),
                SS_JOIN_SEARCH_MAX);
  wait += group->family->wait;
  return wait + (SsTime) ss_rng_below (&scribe->env->rng, (uint64_t) wait / 8);
}

/* A routed JOIN is answered, if it was not said which try that was: too long
 * is better than too short. */
static void
note_answer (SsScribe *scribe, SsJoin *join)
{
  join->n_unanswered = 0;
  if (join->routed == 0)
    return;
  SsTime sample = MIN (scribe->env->now - join->routed, SS_JOIN_WAIT_LIVE);
  join->routed = 0;
  scribe->join_time =
      scribe->join_time == 0 ? sample : (7 * scribe->join_time + sample) / 8;
}

/* How often it may be turned away before it has to be taken: who has lost its
 * parent has less time. */
static uint8_t
failures_max (const SsJoin *join)
{
  return is_orphan (join) ? SS_JOIN_FAILURES_ORPHAN : SS_JOIN_FAILURES_MUST;
}

/* A member that a search may be sent to past this node: a child, one below a
 * child, or who waits to become one. */
static const SsContact *
member_below (const SsGroup *group)
{
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (child->is_member || child->below)
      return child->is_member ? &child->contact : child->below;
  }
  for (unsigned i = 0; group->pending && i < group->pending->len; i++) {
    const SsPendingJoin *join =
        &g_array_index (group->pending, SsPendingJoin, i);
    if ((join->flags & SS_JOIN_MEMBER) || join->has_below)
      return join->has_below ? &join->below : &join->joiner;
  }
  return NULL;
}

/* Whom it would rather be below than below who is farther. Where trees are to
 * be disjoint distance does not decide. */
static uint16_t
put_near (const SsGroup *group, uint32_t ret_near[SS_JOIN_NEAR_MAX])
{
  SsContact near[SS_JOIN_NEAR_MAX];
  SsTime rtts[SS_JOIN_NEAR_MAX];
  if (!ss_place_is_free (group))
    return 0;
  unsigned n =
      ss_kbr_near_set (group->scribe->kbr, near, rtts, SS_JOIN_NEAR_MAX);
  for (unsigned i = 0; i < n; i++)
    ret_near[i] = ss_prefix_of (&near[i].id);
  return (uint16_t) n;
}

static void
fill_join (SsGroup *group, SsMsgScribeJoin *message)
{
  const SsFamily *family = group->family;
  const SsJoin *join = group->join;
  message->group = group->id;
  message->nonce = join->nonce;
  message->flags = 0;
  if (join->failures >= failures_max (join))
    message->flags |= SS_JOIN_MUST;
  if (join->tries > 0)
    message->flags |= SS_JOIN_RETRY;
  if (join->shed || join->gain > 0) /* lost is not dead */
    message->flags |= SS_JOIN_SHED;
  if (join->may_stay)
    message->flags |= SS_JOIN_STAYS;
  if (join->is_better)
    message->flags |= SS_JOIN_BETTER | SS_JOIN_RETRY;
  if (join->is_rise)
    message->flags |= SS_JOIN_RISES;
  if (join->unserved)
    message->flags |= SS_JOIN_UNSERVED;
  if (join->n_unanswered >= SS_JOIN_UNANSWERED_MAX)
    message->flags |= SS_JOIN_UNANSWERED;
  if (family->config.mode == SS_GROUP_ORDERED)
    message->flags |= SS_JOIN_ORDERED;
  /* Where there is a queue before this node's line already, what is lost is
   * asked for, and what is merely late is not to come twice. */
  if (group->has_newest && family->wait == 0) {
    message->flags |= SS_JOIN_HAVE;
    message->newest = group->newest;
    message->mask = ss_history_mask (group);
  }
  message->load = ss_family_load (family);
  message->load_max = ss_family_load_max (family);
  message->standing = ss_standing_of (family);
  message->room = group->room_told = ss_place_room (group);
  message->lost = join->lost;
  message->n_full = 0;
  for (unsigned i = 0; i < SS_REDIRECT_MAX; i++)
    if (join->full[i])
      message->full[message->n_full++] = join->full[i];
  const SsContact *below = group->is_member ? NULL : member_below (group);
  if (group->is_member)
    message->flags |= SS_JOIN_MEMBER;
  message->n_below = below ? ss_peers_put (message->below, 0, 1, below) : 0;
  message->n_source = 0;
  if (family->has_source)
    message->n_source = ss_peers_put (message->source, 0, 1, &family->source);
  message->n_near = put_near (group, message->near);
  ss_group_info (group, &message->info);
}

bool
ss_join_find_candidate (const SsGroup *group)
{
  SsJoin *join = group->join;
  bool may_wait = join->is_better || join->unserved;
  for (; join->next_candidate < join->n_candidates; join->next_candidate++) {
    const SsContact *to = &join->candidates[join->next_candidate];
    if (ss_scribe_usable (group->scribe, to)
        && ss_prefix_of (&to->id) != join->lost
        && !(may_wait && ss_service_shirks (group->scribe, &to->id))
        && !(join->is_better && ss_service_dawdles (group->scribe, &to->id))
        && !ss_group_child_find (group, &to->id))
      return true;
  }
  return false;
}

/* An orphan has no time to find out who of the overlay's next hops is dead,
 * too: the first hop is the tree neighbour nearest to the root that spoke
 * lately. The second try goes the overlay's way. */
static bool
find_first_hop (const SsGroup *group, SsContact *ret_hop)
{
  SsScribe *scribe = group->scribe;
  const SsId *nearest = ss_scribe_self (scribe);
  SsContact list[SS_FAMILY_ASK_MAX];
  bool is_found = false;
  if (!group->join->lost || group->join->tries > 0)
    return false;
  unsigned n = ss_family_neighbours (group->family, list, SS_FAMILY_ASK_MAX);
  for (unsigned i = 0; i < n; i++) {
    SsTime heard = ss_kbr_last_heard (scribe->kbr, &list[i].id);
    if (heard < 0 || scribe->env->now - heard > SS_JOIN_HEARD
        || ss_place_is_leaf (&list[i])
        || ss_prefix_of (&list[i].id) == group->join->lost
        || !ss_id_closer (&group->id, &list[i].id, nearest))
      continue;
    *ret_hop = list[i];
    nearest = &ret_hop->id;
    is_found = true;
  }
  return is_found;
}

/* The next candidate, or whom the source has named in the root's place,
 * whatever was said of that one before; until it has been asked in vain so
 * often that the root is no worse. */
static bool
find_direct (SsGroup *group, SsContact *ret_to)
{
  SsJoin *join = group->join;
  if (ss_join_find_candidate (group)) {
    *ret_to = join->candidates[join->next_candidate++];
    return true;
  }
  if (!join->has_stand_in || join->failures >= SS_STAND_IN_FAILURES
      || !ss_scribe_usable (group->scribe, &join->stand_in)
      || ss_prefix_of (&join->stand_in.id) == join->lost
      || ss_group_child_find (group, &join->stand_in.id))
    return false;
  *ret_to = join->stand_in;
  return true;
}

void
ss_join_send (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsJoin *join = group->join;
  SsContact to;
  bool is_direct = find_direct (group, &to);
  bool is_top =
      !is_direct
      || (join->has_stand_in && ss_contact_equal (&join->stand_in, &to));
  bool is_live = group->family->config.mode == SS_GROUP_LIVE;
  bool has_hop = !is_direct && is_live && find_first_hop (group, &to);
  SsMsgScribeJoin message = { .nonce = 0 };
  fill_join (group, &message);
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  size_t len = ss_msg_scribe_join_encode (&message, data, sizeof data);
  g_assert (len > 0);
  join->answer_by =
      scribe->env->now + answer_wait (group, is_direct ? &to : NULL);
  join->asked = is_direct ? to.id : (SsId){ { 0 } };
  join->is_sent = true;
  if (!is_direct && join->routed == 0)
    join->routed = scribe->env->now;
  if (!is_direct && join->n_unanswered < UINT8_MAX)
    join->n_unanswered++;
  if (join->tries < UINT8_MAX)
    join->tries++;
  if (is_top) {
    join->n_sent_on = 0;
    join->n_named = 0;
  }
  ss_count (scribe->env, SCRIBE_JOINS);
  ss_group_arm (group);
  /* A routed JOIN may come back at once: this node is the root. */
  if (is_direct)
    ss_scribe_send (scribe, &to, data, len);
  else
    ss_kbr_route (scribe->kbr, scribe->protocol, &group->id,
                  has_hop ? &to : NULL, is_live ? SS_ROUTE_PROVISIONAL : 0,
                  data, len);
}

static void
failed_once (SsJoin *join)
{
  if (join->failures < UINT8_MAX)
    join->failures++;
}

/* Has no room, or does not answer: whoever is asked next is told. */
static void
note_full (SsJoin *join, const SsId *id)
{
  join->full[join->next_full] = ss_prefix_of (id);
  join->next_full = (join->next_full + 1) % SS_REDIRECT_MAX;
}

/* Nobody is left to ask but the root: does the application know better? Not any
 * more if all that it has named lately had no room: they may only say so. */
static bool
seek_elsewhere (SsGroup *group)
{
  const SsScribeApp *app = &group->scribe->app;
  SsJoin *join = group->join;
  if (join->is_sought)
    return true;
  if (!app->homeless || group->family->config.is_light || !group->user
      || join->n_named >= SS_JOIN_NAMED_MAX)
    return false;
  join->is_sought = true; /* it may say what comes of it at once */
  if (app->homeless (group->user, group))
    return true;
  if (!group->is_dead && group->join)
    group->join->is_sought = false;
  return false;
}

void
ss_group_try (SsGroup *group, const SsContact *parent)
{
  SsScribe *scribe = group->scribe;
  SsJoin *join = group->join;
  if (!join || !join->is_sought)
    return;
  ss_scribe_enter (scribe);
  join->is_sought = false;
  if (parent) {
    join->candidates[0] = *parent;
    join->n_candidates = 1;
    join->next_candidate = 0;
    join->n_named++;
    ss_join_send (group);
  } else {
    join->failures = MAX (join->failures, SS_JOIN_FAILURES_MUST);
    if (join->searches == UINT8_MAX) /* the root has its turn as before */
      join->searches -= SS_JOIN_SEARCHES_ROOT;
    join->searches++;
    if (join->searches == 1) {
      ss_join_send (group);
    } else {
      join->answer_by = scribe->env->now + answer_wait (group, NULL);
      ss_group_arm (group);
    }
  }
  ss_scribe_exit (scribe);
}

/* Whom no search has found room for hears of it there before the root does. */
static bool
search_again (SsGroup *group)
{
  const SsJoin *join = group->join;
  if (join->searches < 2 || join->searches % SS_JOIN_SEARCHES_ROOT == 0
      || !seek_elsewhere (group))
    return false;
  if (!group->is_dead && group->join && group->join->is_sought) {
    group->join->answer_by =
        group->scribe->env->now + answer_wait (group, NULL);
    ss_group_arm (group);
  }
  return true;
}

/* Whom it asked last has not answered. A routed JOIN that is not answered was
 * lost or is on its way round a dead node: no reason to force anybody, until it
 * happens often. */
static void
note_silence (SsJoin *join, bool is_last)
{
  SsId none = { { 0 } };
  bool is_direct = !ss_id_equal (&join->asked, &none);
  if (is_last && (is_direct || join->tries > 4))
    failed_once (join);
  if (is_direct && is_orphan (join))
    note_full (join, &join->asked);
}

void
ss_join_due (SsGroup *group)
{
  SsJoin *join = group->join;
  if (join->trial == SS_TRIAL_ON) {
    ss_trial_due (group);
    return;
  }
  if ((join->is_better || join->may_stay) && !ss_join_find_candidate (group)) {
    ss_join_cancel (group);
    return;
  }
  bool is_last = join->next_candidate == join->n_candidates;
  if (join->is_sent)
    note_silence (join, is_last);
  join->is_sent = false;
  if (is_last && search_again (group))
    return;
  ss_join_send (group);
}

/* Answers. */

void
ss_join_found (SsGroup *group)
{
  note_answer (group->scribe, group->join);
  ss_join_cancel (group);
  if (group->n_found == 0)
    group->found_since = group->scribe->env->now;
  if (group->n_found < UINT8_MAX)
    group->n_found++;
}

void
ss_join_failed (SsGroup *group)
{
  failed_once (group->join);
}

/* Turned away so often that who is named next is asked a moment later; not as
 * late at first as if there had been no answer, for whatever room there is goes
 * to who comes first. Where there is none patience grows. */
static void
pace (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsJoin *join = group->join;
  unsigned n_slower = join->redirects / SS_JOIN_REDIRECTS_MAX;
  SsTime mean = SS_JOIN_PACE << MIN (n_slower, SS_JOIN_PACE_DOUBLED);
  SsTime wait =
      mean / 2 + (SsTime) ss_rng_below (&scribe->env->rng, (uint64_t) mean);
  join->answer_by = MIN (join->answer_by, scribe->env->now + wait);
  ss_group_arm (group);
}

/* The source was told that the parent, a root, does not serve. It names whom to
 * ask, or nobody so far. */
static void
handle_source (SsGroup *group, const SsMsgScribeRedirect *message)
{
  SsJoin *join = group->join;
  join->has_stand_in = message->n_candidates > 0;
  if (join->has_stand_in)
    join->stand_in = ss_contact_from_record (&message->candidates[0]);
  /* Where the source is the root itself nobody else is to be met. */
  else if (group->has_root
           && ss_contact_equal (&group->root, &group->family->source)) {
    ss_join_cancel (group);
    return;
  }
  ss_join_send (group);
}

/* None of those that it names if they send each other in circles. */
static void
take_candidates (SsJoin *join, const SsMsgScribeRedirect *message)
{
  if (message->n_candidates == 0)
    return;
  join->n_candidates = join->next_candidate = 0;
  unsigned steps_max =
      join->searches > 1 ? SS_JOIN_SEARCHED_STEPS : SS_GROUP_DEPTH_MAX;
  if (join->n_sent_on >= steps_max)
    return;
  join->n_sent_on++;
  for (unsigned i = 0; i < message->n_candidates; i++)
    join->candidates[join->n_candidates++] =
        ss_contact_from_record (&message->candidates[i]);
}

void
ss_join_handle_redirect (SsScribe *scribe, const SsContact *from,
                         const SsMsgScribeRedirect *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group)
    return;
  if (message->nonce == 0) {
    if (group->has_parent && ss_contact_equal (&group->parent, from))
      ss_join_start_shed (group, message->candidates, message->n_candidates,
                          message->flags & SS_REDIRECT_MAY_STAY);
    return;
  }
  ss_aside_handle_redirect (group, from, message);
  SsJoin *join = group->join;
  if (!join || join->nonce != message->nonce)
    return;
  SsId none = { { 0 } };
  if (!ss_id_equal (&join->asked, &none)
      && !ss_id_equal (&join->asked, &from->id))
    return; /* to an earlier try */
  note_answer (scribe, join);
  if (join->may_stay) {
    ss_join_cancel (group);
    return;
  }
  if (join->is_source_asked && ss_id_equal (&join->asked, &from->id)) {
    join->is_source_asked = false;
    handle_source (group, message);
    return;
  }
  if (!ss_trial_is_of (group, from))
    ss_trial_end (group);
  join->trial = SS_TRIAL_NONE;
  if (join->redirects < UINT8_MAX)
    join->redirects++;
  if (ss_id_equal (&join->asked, &from->id))
    note_full (join, &from->id);
  if (join->redirects >= SS_JOIN_REDIRECTS_MAX)
    join->failures = MAX (join->failures, SS_JOIN_FAILURES_MUST);
  take_candidates (join, message);
  if (join->is_better
      && (join->is_near || join->is_rise || !ss_join_find_candidate (group)
          || join->redirects >= SS_JOIN_REDIRECTS_MAX)) {
    ss_join_cancel (group);
    return;
  }
  if (!ss_join_find_candidate (group)) {
    failed_once (join); /* nobody left to ask but the root */
    if (seek_elsewhere (group))
      return; /* meanwhile at its own pace */
  }
  if (join->failures > SS_JOIN_FAILURES_FAST
      || join->redirects > 2 * SS_JOIN_REDIRECTS_MAX) {
    pace (group);
    return;
  }
  ss_join_send (group);
}
