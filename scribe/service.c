/* What a parent is worth, judged by its child: of the packets that have come
 * here, by whatever way, which did it send? One that forwards nothing, or too
 * little, or too late, is left for another; until another has said yes it
 * stays the parent, and what it does send is taken.
 *
 * Each group keeps a level. A packet down the tree in time lowers it by
 * SS_SERVICE_PAID; one that had to come by another way raises it, by less if
 * the parent sent it after all, on request or a moment later. At
 * SS_SERVICE_LEAVE the parent is left: after four packets in a row that it did
 * not send, or where it has yet to earn trust, after two. Random loss of less
 * than a quarter hardly ever gets there.
 *
 * What parity gave is missed only if the parent has not sent it a moment later:
 * a row's last packet and its parity leave the source together, and come down
 * different trees. (A parent that is always late is latewatch.c's.)
 *
 * What nobody asks for is not missed so: parity, or anything at a mere
 * forwarder. But the groups of a family are fed by turns, so that a group that
 * gets nothing while the others go round is not served. Down the tree from who
 * is to blame all groups are idle, and the highest leaves first.
 *
 * Only who is to blame is left. A parent that is not served itself forwards
 * what it gets by repair, so its children see it late, not idle; the one above
 * it is left first, and all below are served again. If most parents seem bad
 * at once, the trouble is this node's own.
 *
 * RFC 8083's circuit breaker asks the same of every RTP flow: who persists in
 * loss must end. Its bound (ten times what TCP would take) is never met by one
 * stripe of a stream; this one is far stricter, since to leave costs little.
 *
 * Nothing of this is told as truth: a JOIN names the parent that its sender
 * has left so, and two such words of different nodes count as much as what was
 * seen here, if they come straight from these. For SS_SERVICE_MEMORY the named
 * one is the last that others are sent to, nobody leaves a parent for it, and
 * where a child has to make room for another it is the first to go (shed.c);
 * it is served until it has another parent (SS_SHED_TIME at the most).
 *
 * Open: two ids of one attacker, which need not have been children of the one
 * they name, are enough to have an honest node pushed out so, and may say it
 * again for as long as they like. */
#include <string.h>

#include "scribe/internal.h"

#define SS_SERVICE_LEAVE     12
#define SS_SERVICE_NEW       6 /* of a parent that has sent nothing yet */
#define SS_SERVICE_PAID      1
#define SS_SERVICE_MISSED    3
#define SS_SERVICE_REQUESTED 2 /* sent by the parent, but on request */
#define SS_SERVICE_LATE      1 /* sent a moment later */
#define SS_SERVICE_MOMENT    (250 * SS_MSEC)
#define SS_SERVICE_PAUSE_MIN (2 * SS_SEC)
#define SS_SERVICE_PAUSE_MAX (60 * SS_SEC)
#define SS_SERVICE_MEMORY    (60 * SS_SEC) /* of who did not serve */
#define SS_SERVICE_ROUND_MIN 8  /* packets: of fewer groups none is idle */
#define SS_SERVICE_IDLE_MAX  2  /* rounds, and one for each node above */
#define SS_SERVICE_SMOOTHING 64 /* packets that the loss is a mean of */
#define SS_SERVICE_BAD_MIN   3  /* parents at once: then it may be this node */

static SsService *
get (SsGroup *group)
{
  if (!group->service) {
    group->service = g_new0 (SsService, 1);
    ss_service_begin (group, true);
  }
  return group->service;
}

/* The first sequence that a new parent owes. What others of the groups that are
 * fed by turns have already had, and this one lacks, is being asked for, and
 * comes from whoever was asked: who has been cut off for long would leave one
 * good parent after the other for it. */
static uint32_t
first_due (const SsGroup *group)
{
  uint32_t due = group->has_newest ? group->newest + 1 : 0;
  if (!group->family->config.is_by_turns)
    return due;
  for (const SsGroup *other = ss_group_after (group->scribe, NULL); other;
       other = ss_group_after (group->scribe, &other->id))
    if (other->family == group->family && other->has_newest
        && !other->is_hearsay)
      due = MAX (due, other->newest);
  return due;
}

void
ss_service_begin (SsGroup *group, bool is_new)
{
  SsService *service = group->service;
  if (!service)
    return;
  /* One that it had before, and came back to because that seemed dead for a
   * while, has not earned trust by it. */
  if (is_new && !ss_id_equal (&service->parent, &group->parent.id)) {
    service->pause = 0;
    service->is_back = service->has_failed = false;
    service->level = SS_SERVICE_NEW;
  }
  service->parent = group->parent.id;
  service->level = MAX (service->level, SS_SERVICE_NEW);
  service->from = first_due (group);
  service->n_idle = 0;
  memset (service->owed, 0, sizeof service->owed);
}

/* Is it this node that hardly anybody reaches? */
static bool
is_own_trouble (const SsGroup *group)
{
  const SsContact *parents[SS_FAMILY_ASK_MAX];
  bool is_bad[SS_FAMILY_ASK_MAX];
  unsigned n = 0, n_bad = 0;
  for (const SsGroup *other = ss_group_after (group->scribe, NULL);
       other && n < SS_FAMILY_ASK_MAX;
       other = ss_group_after (group->scribe, &other->id)) {
    if (other->family != group->family || !other->has_parent)
      continue;
    unsigned i = 0;
    while (i < n && !ss_contact_equal (parents[i], &other->parent))
      i++;
    if (i == n) {
      parents[n] = &other->parent;
      is_bad[n++] = false;
    }
    is_bad[i] |= other->service && other->service->level > SS_SERVICE_NEW;
  }
  for (unsigned i = 0; i < n; i++)
    n_bad += is_bad[i];
  return n_bad >= SS_SERVICE_BAD_MIN && 2 * n_bad > n;
}

/* Not too often, nor where it is not the parent's fault. */
static bool
may_leave (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsService *service = group->service;
  SsTime now = scribe->env->now;
  if (!group->has_parent || now < service->again)
    return false;
  service->pause =
      CLAMP (2 * service->pause, SS_SERVICE_PAUSE_MIN, SS_SERVICE_PAUSE_MAX);
  service->again = now + service->pause;
  if (is_own_trouble (group))
    return false;
  ss_service_shun (scribe, &group->parent);
  ss_count (scribe->env, SCRIBE_UNSERVED);
  ss_debug (scribe->env, "group %08x: parent %08x does not serve",
            ss_prefix_of (&group->id), ss_prefix_of (&group->parent.id));
  return true;
}

static void
leave (SsGroup *group)
{
  if (!group->join && may_leave (group))
    ss_join_start_unserved (group);
}

bool
ss_service_leaves (SsGroup *group)
{
  SsService *service = group->service;
  if (!service || service->level < SS_SERVICE_LEAVE)
    return false;
  if (service->has_failed)
    return may_leave (group);
  /* It may have slept. */
  service->has_failed = true;
  service->level = SS_SERVICE_NEW;
  return false;
}

bool
ss_service_pays (const SsGroup *group)
{
  return group->has_parent && group->service
         && group->service->level < SS_SERVICE_NEW;
}

static void
note_share (SsService *service, bool is_paid)
{
  unsigned target = is_paid ? 0 : UINT16_MAX;
  service->loss =
      (uint16_t) (((SS_SERVICE_SMOOTHING - 1) * service->loss + target)
                  / SS_SERVICE_SMOOTHING);
}

static void
raise_level (SsGroup *group, unsigned by)
{
  SsService *service = group->service;
  service->level = (uint8_t) MIN (service->level + by, SS_SERVICE_LEAVE);
  if (service->level == SS_SERVICE_LEAVE)
    leave (group);
}

static void
count_missed (SsGroup *group, unsigned by)
{
  note_share (group->service, false);
  raise_level (group, by);
}

static void
lower_level (SsGroup *group, unsigned by)
{
  SsService *service = group->service;
  service->level -= (uint8_t) MIN (service->level, by);
}

/* Parity gave it; the parent may be about to. */
static bool
has_moment (const SsOwed *owed)
{
  return owed->since > 0 && owed->by == 0;
}

static void
owe (SsGroup *group, uint32_t sequence, unsigned by)
{
  SsService *service = group->service;
  SsOwed *owed = &service->owed[service->next_owed++ % SS_SERVICE_OWED_MAX];
  if (has_moment (owed))
    count_missed (group, SS_SERVICE_MISSED);
  *owed = (SsOwed){ .since = group->scribe->env->now,
                    .sequence = sequence,
                    .by = (uint8_t) by };
  if (by > 0)
    count_missed (group, by);
}

/* Whose moment is over. */
static void
settle (SsGroup *group)
{
  SsTime now = group->scribe->env->now;
  for (unsigned i = 0; i < SS_SERVICE_OWED_MAX; i++) {
    SsOwed *owed = &group->service->owed[i];
    if (!has_moment (owed) || now - owed->since <= SS_SERVICE_MOMENT)
      continue;
    owed->by = SS_SERVICE_MISSED;
    count_missed (group, owed->by);
  }
}

static SsOwed *
find_owed (SsGroup *group, uint32_t sequence)
{
  for (unsigned i = 0; i < SS_SERVICE_OWED_MAX; i++) {
    SsOwed *owed = &group->service->owed[i];
    if (owed->since > 0 && owed->sequence == sequence)
      return owed;
  }
  return NULL;
}

/* As many packets have come as there were groups in trees when the round
 * began. */
static void
end_round (SsFamily *family)
{
  SsScribe *scribe = family->scribe;
  family->n_in_round = family->n_round = 0;
  SsGroup *group = NULL;
  for (SsId at; (group = ss_group_after (scribe, group ? &at : NULL));) {
    at = group->id;
    if (group->family != family)
      continue;
    family->n_round += ss_group_in_tree (group);
    if (!group->has_parent)
      continue;
    SsService *service = get (group);
    service->n_idle =
        service->is_fed ? 0 : MIN (service->n_idle + 1, UINT8_MAX);
    service->is_fed = false;
    if (service->n_idle > SS_SERVICE_IDLE_MAX + group->n_path)
      leave (group);
  }
}

static void
count_new (SsGroup *group)
{
  SsFamily *family = group->family;
  if (!family->config.is_by_turns)
    return;
  get (group)->is_fed = true;
  family->n_in_round++;
  if (family->n_in_round >= MAX (family->n_round, SS_SERVICE_ROUND_MIN))
    end_round (family);
}

void
ss_service_packet (SsGroup *group, const SsContact *from, uint32_t sequence,
                   SsPacketVia via, bool is_new)
{
  SsService *service = get (group);
  SsTime now = group->scribe->env->now;
  /* The parent may be left for these, and this node become the root. */
  if (is_new)
    count_new (group);
  if (group->has_parent)
    settle (group);
  if (!group->has_parent) {
    /* A parent that is thought dead for a moment owes what is fetched then. */
    if (group->is_root && is_new && via == SS_VIA_REPAIR)
      service->level =
          (uint8_t) MIN (service->level + SS_SERVICE_MISSED, SS_SERVICE_LEAVE);
    return;
  }
  bool is_parent = from && ss_contact_equal (from, &group->parent);
  if (is_parent && via == SS_VIA_TREE) {
    service->has_failed = false;
    SsOwed *owed = find_owed (group, sequence);
    if (owed ? owed->by == 0 : is_new) {
      lower_level (group, SS_SERVICE_PAID);
      note_share (service, true);
    } else if (owed && now - owed->since <= SS_SERVICE_MOMENT)
      lower_level (group, owed->by - SS_SERVICE_LATE);
    if (owed)
      owed->since = 0;
    return;
  }
  /* What left before it was the parent is not its debt; nor what comes from who
   * is tried because it may be sooner. */
  if (!is_new || sequence < service->from
      || (from && ss_trial_is_of (group, from)))
    return;
  if (!is_parent)
    ss_neighbour_doubt (group->scribe,
                        ss_neighbour_get (group->scribe, &group->parent));
  owe (group, sequence,
       is_parent ? SS_SERVICE_REQUESTED
       : from    ? SS_SERVICE_MISSED
                 : 0);
}

void
ss_service_shun (SsScribe *scribe, const SsContact *peer)
{
  ss_neighbour_get (scribe, peer)->shirks_until =
      scribe->env->now + SS_SERVICE_MEMORY;
}

void
ss_service_accused (SsScribe *scribe, const SsContact *by, uint32_t prefix)
{
  SsTime now = scribe->env->now;
  for (unsigned i = 0; i < scribe->neighbours->len; i++) {
    SsNeighbour *at = g_ptr_array_index (scribe->neighbours, i);
    if (ss_prefix_of (&at->contact.id) != prefix)
      continue;
    bool is_second = at->accused_by != 0
                     && at->accused_by != ss_prefix_of (&by->id)
                     && now < at->accused_at + SS_SERVICE_MEMORY;
    at->accused_by = ss_prefix_of (&by->id);
    at->accused_at = now;
    if (is_second)
      at->shirks_until = now + SS_SERVICE_MEMORY;
  }
}

void
ss_service_avoid (SsScribe *scribe, const SsContact *peer)
{
  ss_neighbour_get (scribe, peer)->dawdles_until =
      scribe->env->now + SS_SERVICE_MEMORY;
}

bool
ss_service_dawdles (const SsScribe *scribe, const SsId *id)
{
  const SsNeighbour *at = ss_neighbour_find (scribe, id);
  return at && scribe->env->now < at->dawdles_until;
}

bool
ss_service_shirks (const SsScribe *scribe, const SsId *id)
{
  const SsNeighbour *at = ss_neighbour_find (scribe, id);
  return at && scribe->env->now < at->shirks_until;
}
