/* Roots that do not serve. A root acknowledges what the source hands it, and
 * may forward nothing; whoever joins is led to it all the same, since it is the
 * closest to the group's id. Its children notice (scribe/service.c), and tell
 * the source, which is the one node that all of them trust: it decides to whom
 * it publishes.
 *
 *   child   -- JOIN, unserved ------------------> source  (not yet: REDIRECT
 *   another -- JOIN, unserved ------------------> source   to nobody)
 *                FIND_ROOT, routed past the root <- source
 *   next closest -- ROOT_IS --------------------> source
 *                PUBLISH from now on <------------ source
 *   child   -- JOIN, unserved ------------------> source
 *                REDIRECT to the next closest <--- source
 *
 * The source is convinced by two nodes, or by one that says so again some time
 * later, for a root may have one child. It sets the root aside for
 * SS_ASIDE_TIME, and looks for the next closest node past it, again and again,
 * since the ring may change. Who is found so, and then gets packets from the
 * source itself, stands in: it has no parent, its path begins at it, and it
 * hands each packet on to the root (scribe/publish.c). So a root that was
 * accused wrongly goes on serving its tree, and all that it costs is one hop;
 * and nobody becomes a root by the word of anybody but the source. When it is
 * not asked any more it joins the tree again, and says that it is not the root.
 *
 * Who stands in is accused like a root. SS_ASIDE_MAX are passed over at a
 * time; then the first of them is tried again. A deputy, the one child of a
 * source that is itself the root, is replaced by who accused it last. Who has
 * been set aside has no voice.
 *
 * A root, or a deputy, whose own line is full gets all of it late, and so does
 * whoever is below it. It says so itself, which is enough, for as long as that
 * lasts; the source tells it who stands in, and it sends its children there,
 * and whoever comes:
 *
 *   root    -- JOIN, unserved by itself --------> source
 *   root    <- REDIRECT to who stands in -------- source
 *   child   <- REDIRECT to who stands in -------- root
 *
 * Open: ids are cheap. One attacker can have any root set aside, and, with two
 * ids beside each other on the ring, have a bad one stand in for a good one,
 * until the children of that one say so; and a voice costs nothing. */
#include <string.h>

#include "scribe/parent.h"

static SsAside *
get (SsGroup *group)
{
  if (!group->aside) {
    group->aside = g_new0 (SsAside, 1);
    group->aside->since = group->aside->root_since = -1;
    group->aside->appointed = -1;
  }
  return group->aside;
}

bool
ss_aside_has (const SsGroup *group, const SsId *root)
{
  const SsAside *aside = group->aside;
  for (unsigned i = 0; aside && i < aside->n; i++)
    if (ss_id_equal (&aside->ids[i], root))
      return true;
  return false;
}

static void
remove_at (SsAside *aside, unsigned index)
{
  for (unsigned i = index + 1; i < aside->n; i++) {
    aside->ids[i - 1] = aside->ids[i];
    aside->until[i - 1] = aside->until[i];
  }
  aside->n--;
}

/* Has enough been said against that node? Its own word is enough, unless
 * another would have its turn again for it: they could go on without end. */
static bool
is_convinced (SsGroup *group, const SsId *accused, const SsContact *by)
{
  SsAside *aside = get (group);
  SsTime now = group->scribe->env->now;
  if (ss_id_equal (accused, &by->id)) {
    if (!group->is_root && aside->n == SS_ASIDE_MAX)
      return false;
    ss_count (group->scribe->env, SCRIBE_ROOTS_ASIDE);
    return true;
  }
  if (ss_aside_has (group, &by->id)
      || ss_service_shirks (group->scribe, &by->id)
      || (aside->root_since >= 0 && now < aside->root_since + SS_ACCUSED_GRACE))
    return false;
  if (aside->since < 0 || now >= aside->since + SS_ACCUSED_TIME
      || !ss_id_equal (&aside->accused, accused)) {
    aside->accused = *accused;
    aside->by = by->id;
    aside->since = now;
    return false;
  }
  if (ss_id_equal (&aside->by, &by->id)
      && now < aside->since + SS_ACCUSED_ALONE)
    return false;
  aside->since = -1;
  ss_count (group->scribe->env, SCRIBE_ROOTS_ASIDE);
  ss_debug (group->scribe->env, "group %08x: %08x does not serve as its root",
            ss_prefix_of (&group->id), ss_prefix_of (accused));
  return true;
}

/* Until another has answered it is published to. */
static void
set_aside (SsGroup *group, const SsId *root)
{
  SsAside *aside = get (group);
  SsTime now = group->scribe->env->now;
  if (aside->n == SS_ASIDE_MAX)
    remove_at (aside, 0);
  aside->ids[aside->n] = *root;
  aside->until[aside->n++] = now + SS_ASIDE_TIME;
  aside->renew_at = now;
  ss_aside_due (group);
  ss_group_arm (group);
}

/* A root that goes on asking to be passed over is. */
static void
extend (SsGroup *group, const SsContact *root)
{
  SsAside *aside = get (group);
  for (unsigned i = 0; i < aside->n; i++) {
    if (!ss_id_equal (&aside->ids[i], &root->id))
      continue;
    remove_at (aside, i);
    aside->ids[aside->n] = root->id;
    aside->until[aside->n++] = group->scribe->env->now + SS_ASIDE_TIME;
    return;
  }
}

static void
send_to (SsGroup *group, const SsContact *joiner, uint32_t nonce,
         const SsContact *stand_in)
{
  ss_parent_redirect (group->scribe, &group->id, joiner, nonce, stand_in,
                      stand_in ? 1 : 0);
}

/* The source takes the root's place, which it thought dead, or is to: if it was
 * wrong it stays there. */
static void
judge_closest (SsGroup *group, const SsContact *joiner, uint32_t lost)
{
  SsContact closest;
  if (ss_kbr_replica_set (group->scribe->kbr, &group->id, &closest, 1) == 1
      && ss_prefix_of (&closest.id) == lost
      && !ss_aside_has (group, &closest.id)
      && is_convinced (group, &closest.id, joiner))
    set_aside (group, &closest.id);
}

/* The source is the root: one that is convinced takes another deputy. */
static bool
judge_deputy (SsGroup *group, const SsContact *joiner,
              const SsMsgScribeJoin *message)
{
  SsScribe *scribe = group->scribe;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (child->shed_until || ss_prefix_of (&child->contact.id) != message->lost
        || ss_service_shirks (scribe, &child->contact.id))
      continue;
    if (is_convinced (group, &child->contact.id, joiner)) {
      ss_service_shun (scribe, &child->contact);
      return false;
    }
    send_to (group, joiner, message->nonce, NULL);
    return true;
  }
  judge_closest (group, joiner, message->lost);
  return false;
}

bool
ss_aside_handle_join (SsScribe *scribe, const SsContact *joiner,
                      const SsMsgScribeJoin *message)
{
  SsGroup *group = ss_scribe_find (scribe, &message->group);
  if ((message->flags & SS_JOIN_UNSERVED) == 0 || message->lost == 0)
    return false;
  bool is_own = message->lost == ss_prefix_of (&joiner->id);
  if (!group || !group->family->config.is_source)
    return is_own; /* nobody else's business */
  if (group->is_root)
    return judge_deputy (group, joiner, message) || is_own;
  if (is_own)
    extend (group, joiner);
  SsContact root = group->root;
  if (group->has_root && ss_prefix_of (&root.id) == message->lost
      && !ss_aside_has (group, &root.id)
      && is_convinced (group, &root.id, joiner))
    set_aside (group, &root.id);
  if (is_own && group->has_root && ss_contact_equal (&group->root, joiner)
      && !ss_aside_has (group, &joiner->id))
    return true; /* it asks again later */
  /* Whatever the joiner was made to believe of its parent. */
  bool is_elsewhere = group->has_root
                      && ss_prefix_of (&group->root.id) != message->lost
                      && !ss_aside_has (group, &group->root.id)
                      && !ss_contact_equal (&group->root, joiner)
                      && ss_scribe_usable (group->scribe, &group->root);
  send_to (group, joiner, message->nonce, is_elsewhere ? &group->root : NULL);
  return true;
}

void
ss_aside_new_root (SsGroup *group)
{
  SsAside *aside = group->aside;
  SsTime now = group->scribe->env->now;
  if (!aside)
    return;
  /* Of who was the root a moment ago all is known: it has no grace again. */
  bool is_known = false;
  for (unsigned i = 0; i < SS_ASIDE_LATELY; i++)
    is_known |= ss_id_equal (&aside->lately[i], &group->root.id);
  if (!is_known) {
    memmove (&aside->lately[1], &aside->lately[0],
             (SS_ASIDE_LATELY - 1) * sizeof aside->lately[0]);
    aside->lately[0] = group->root.id;
    aside->root_since = now;
  }
  GBytes *packet = ss_history_find (group, group->newest);
  if (aside->n > 0 && packet)
    ss_publish_add (group, group->newest, packet, now + SS_SEC, false,
                    &group->root);
}

SsTime
ss_aside_deadline (const SsGroup *group)
{
  const SsAside *aside = group->aside;
  return aside && aside->n > 0 ? MIN (aside->renew_at, aside->until[0])
                               : SS_NEVER;
}

void
ss_aside_due (SsGroup *group)
{
  SsAside *aside = group->aside;
  SsTime now = group->scribe->env->now;
  while (aside && aside->n > 0 && aside->until[0] <= now)
    remove_at (aside, 0);
  if (!aside || aside->n == 0 || now < aside->renew_at)
    return;
  bool is_found =
      group->is_root
      || (group->has_root && !ss_aside_has (group, &group->root.id));
  aside->renew_at = now + (is_found ? SS_STAND_IN_RENEW : SS_STAND_IN_WAIT);
  aside->asked_at = now;
  if (!group->scribe->is_leaving)
    ss_publish_find_root (group);
}

void
ss_aside_seek (SsGroup *group)
{
  SsAside *aside = group->aside;
  aside->renew_at = MIN (aside->renew_at, aside->asked_at + SS_STAND_IN_WAIT);
  ss_group_arm (group);
}

void
ss_aside_appoint (SsGroup *group)
{
  if (ss_kbr_is_root (group->scribe->kbr, &group->id, false))
    return;
  SsAside *aside = get (group);
  aside->appointed = group->scribe->env->now + SS_STAND_IN_TIME;
  if (group->family->config.is_source)
    group->root_until = aside->appointed; /* it has asked itself */
}

void
ss_aside_serve (SsGroup *group, const SsContact *from)
{
  const SsFamily *family = group->family;
  const SsAside *aside = group->aside;
  if (!aside || aside->appointed < group->scribe->env->now
      || !family->has_source || !ss_contact_equal (&family->source, from))
    return;
  group->root_until = aside->appointed;
  if (!group->is_root)
    ss_upstream_become_root (group);
  else
    ss_group_arm (group);
}

bool
ss_aside_is_appointed (const SsGroup *group)
{
  return group->aside && group->aside->appointed >= 0;
}

void
ss_aside_dismiss (SsGroup *group)
{
  if (group->aside)
    group->aside->appointed = -1;
}

/* Roots that are late. */

void
ss_aside_yield (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsTime now = scribe->env->now;
  if (!ss_group_is_top (group) || group->is_dead || scribe->is_leaving
      || ss_aside_is_appointed (group))
    return;
  SsAside *aside = get (group);
  if (now < aside->yield_at)
    return;
  aside->yield_at = now + SS_YIELD_TIME / 2;
  aside->yield_nonce = ss_scribe_nonce (scribe);
  SsMsgScribeJoin message = {
    .group = group->id,
    .nonce = aside->yield_nonce,
    .flags = SS_JOIN_UNSERVED,
    .lost = ss_prefix_of (ss_scribe_self (scribe)),
  };
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  size_t len = ss_msg_scribe_join_encode (&message, data, sizeof data);
  ss_scribe_send (scribe, &group->family->source, data, len);
}

bool
ss_aside_stands_in (const SsGroup *group, const SsId *joiner, uint32_t lost,
                    SsContact *ret_stand_in)
{
  const SsAside *aside = group->aside;
  if (!group->family->is_late || !aside
      || aside->yields_until <= group->scribe->env->now
      || ss_id_equal (&aside->stand_in.id, joiner)
      || ss_prefix_of (&aside->stand_in.id) == lost
      || !ss_scribe_usable (group->scribe, &aside->stand_in))
    return false;
  *ret_stand_in = aside->stand_in;
  return true;
}

void
ss_aside_handle_redirect (SsGroup *group, const SsContact *from,
                          const SsMsgScribeRedirect *message)
{
  SsAside *aside = group->aside;
  SsTime now = group->scribe->env->now;
  if (!aside || aside->yield_nonce != message->nonce
      || !ss_contact_equal (&group->family->source, from))
    return;
  aside->yield_nonce = 0;
  if (message->n_candidates == 0) { /* not yet */
    aside->yield_at = now + SS_STAND_IN_WAIT;
    return;
  }
  aside->stand_in = ss_contact_from_record (&message->candidates[0]);
  aside->yields_until = now + SS_YIELD_TIME;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    SsChild *child = ss_group_child_at (group, i);
    SsContact stand_in;
    if (!child->shed_until
        && ss_aside_stands_in (group, &child->contact.id, 0, &stand_in))
      ss_shed_to (group, child, &stand_in);
  }
  ss_group_arm (group);
}
