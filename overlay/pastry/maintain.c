/* Upkeep (MSPastry, section 3): a heartbeat to the left neighbour, silence of
 * the right one noticed, short leaf sets repaired from their farthest live
 * leaf, an orderly leave.
 *
 * Departures: the heartbeat is acknowledged when something has changed, and
 * now and then, so that both neighbours of a dead node notice; it carries a
 * digest of the leaves that both ought to share, so that sets that differ,
 * however that came, are found and mended without exchanging them otherwise. */
#include "overlay/pastry/internal.h"

#define REPAIR_SHIFT_MAX   9
#define REPAIR_ALONE_TRIES 10 /* then who knows nobody is a ring of one */

static void tell_dead_to_all (SsPastry *pastry, const SsId *id);
static void tell_dead_to_side (SsPastry *pastry, const SsId *id,
                               SsLeafsetSide side, unsigned at);
static void tell_dead_beside (SsPastry *pastry, const SsId *id,
                              SsLeafsetSide side, unsigned at, int direction);
static void beat (SsPastry *pastry);
static void watch_right (SsPastry *pastry);
static void repair (SsPastry *pastry);
static bool repair_target (const SsPastry *pastry, SsLeafsetSide side,
                           SsContact *ret_target);

void
ss_pastry_tick (SsPastry *pastry)
{
  ss_pastry_arm_tick (pastry, SS_PASTRY_TICK);
  ss_pastry_expire_liveness (pastry);
  ss_pastry_expire_held (pastry);
  ss_pastry_expire_newcomers (pastry);
  ss_client_expire (pastry);
  ss_reach_tick (pastry);
  if (pastry->state != SS_PASTRY_ACTIVE)
    return;
  beat (pastry);
  watch_right (pastry);
  ss_proximity_tick (pastry);
  ss_search_tick (pastry);
  ss_pastry_check_lost (pastry);
  ss_pastry_check_strange (pastry);
}

void
ss_pastry_arm_tick (SsPastry *pastry, SsTime wait)
{
  SsEnv *env = ss_pastry_env (pastry);
  pastry->tick_due = env->now + wait;
  ss_timers_arm (&env->timers, &pastry->tick, pastry->tick_due);
}

void
ss_pastry_work (SsPastry *pastry)
{
  ss_pastry_ask_timeouts (pastry);
  ss_pastry_liveness_retry (pastry);
  ss_pastry_lonely_due (pastry);
  if (pastry->repair_at <= ss_pastry_env (pastry)->now) {
    pastry->repair_at = SS_NEVER;
    repair (pastry);
  }
  ss_pastry_arm_work (pastry);
}

void
ss_pastry_arm_work (SsPastry *pastry)
{
  SsTime deadline = MIN (pastry->repair_at, ss_pastry_ask_deadline (pastry));
  deadline = MIN (deadline, ss_pastry_liveness_deadline (pastry));
  deadline = MIN (deadline, pastry->lonely_at);
  ss_timers_arm (&ss_pastry_env (pastry)->timers, &pastry->work, deadline);
}

void
ss_pastry_repair_soon (SsPastry *pastry, bool hasty)
{
  SsTime pause = 0;
  if (!hasty)
    pause = SS_PASTRY_REPAIR_MIN
            << MIN (pastry->repair_tries, REPAIR_SHIFT_MAX);
  SsTime at = ss_pastry_env (pastry)->now + MIN (pause, SS_PASTRY_REPAIR_MAX);
  if (hasty)
    pastry->repair_tries = 0;
  /* Who is being asked may be whom the set lacks. */
  if (hasty && pastry->state == SS_PASTRY_ACTIVE
      && ss_pastry_n_asks (pastry) > 0)
    at = ss_pastry_env (pastry)->now + SS_PASTRY_REPAIR_WAIT;
  pastry->repair_at = MIN (pastry->repair_at, at);
  ss_pastry_arm_work (pastry);
}

void
ss_pastry_heartbeat (SsPastry *pastry, const SsContact *from, uint64_t digest)
{
  const SsLeafset *leafset = &pastry->leafset;
  SsEnv *env = ss_pastry_env (pastry);
  if (pastry->state != SS_PASTRY_ACTIVE)
    return;
  bool neighbour =
      ss_leafset_count (leafset, SS_LEAFSET_RIGHT) > 0
      && ss_id_equal (&ss_leafset_get (leafset, SS_LEAFSET_RIGHT, 0)->id,
                      &from->id);
  if (neighbour && digest == ss_leafset_digest (leafset, SS_LEAFSET_RIGHT))
    return;
  if (pastry->last_mutual > 0
      && env->now - pastry->last_mutual < SS_PASTRY_MUTUAL_MIN)
    return;
  pastry->last_mutual = env->now;
  ss_pastry_ask (pastry, from, SS_LEAFSET_REACH_NONE, SS_LEAF_PROBE_MUTUAL);
}

/* The dead node's neighbours tell those on their own side of it: together
 * they reach all that had it as a leaf, whom to put in its place included.
 * Whoever else notices tells the neighbours. A neighbour that is so new that
 * it did not know the dead tells nobody: the next one does. In a small ring
 * all tell all. */
void
ss_pastry_tell_dead (SsPastry *pastry, const SsId *id, bool told, bool missed)
{
  const SsLeafset *leafset = &pastry->leafset;
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++) {
    unsigned n = ss_leafset_count (leafset, side), at = 0;
    while (at < n && !ss_id_equal (&ss_leafset_get (leafset, side, at)->id, id))
      at++;
    if (at == n)
      continue;
    if (leafset->whole) {
      if (at == 0 || !told || missed)
        tell_dead_to_all (pastry, id);
      return;
    }
    if (at == 0 || missed)
      tell_dead_to_side (pastry, id, side, at);
    else if (!told)
      tell_dead_beside (pastry, id, side, at, -1);
    if (at == 0 || !told)
      tell_dead_beside (pastry, id, side, at, 1);
    return;
  }
}

void
ss_pastry_left (SsPastry *pastry, const SsContact *from,
                const SsMsgLeave *message)
{
  if (message->what > SS_LEAVE_RING) {
    ss_count (ss_pastry_env (pastry), MESSAGES_MALFORMED);
    return;
  }
  if (message->what != SS_LEAVE_RING)
    ss_client_left (pastry, &from->id);
  if (message->what == SS_LEAVE_SERVICE)
    return;
  ss_pastry_log_leaf (pastry, &from->id, "has left");
  if (message->what == SS_LEAVE_ALL
      || ss_pastry_find (pastry, &from->id, NULL)) {
    ss_pastry_remove (pastry, from);
    return;
  }
  /* Somebody's client, who was asked for leaves: no neighbour is gone. */
  ss_pastry_bury (pastry, &from->id, SS_PASTRY_TOMBSTONE_MIN);
  ss_pastry_forget_ask (pastry, &from->id);
  ss_pastry_settle (pastry);
}

void
ss_pastry_slept (SsPastry *pastry)
{
  ss_pastry_restart_suspects (pastry);
  if (pastry->state != SS_PASTRY_ACTIVE || pastry->leafset.n == 0)
    return;
  ss_info (ss_pastry_env (pastry), "time has jumped: confirming the leaf set");
  pastry->reconfirming = true;
  SsContact leaves[SS_LEAFSET_MAX];
  unsigned n = ss_pastry_leaf_set (pastry, leaves, SS_LEAFSET_MAX);
  for (unsigned i = 0; i < n; i++)
    ss_pastry_ask (pastry, &leaves[i], SS_LEAFSET_REACH_NONE, 0);
}

void
ss_pastry_leave (SsPastry *pastry)
{
  if (pastry->state == SS_PASTRY_OUTSIDE || pastry->state == SS_PASTRY_LEFT)
    return;
  uint8_t buf[SS_MSG_LEAVE_MAX];
  size_t len = ss_msg_leave_encode (&(SsMsgLeave){}, buf, sizeof buf);
  for (unsigned i = 0; i < pastry->leafset.n; i++)
    ss_pastry_send (pastry, &pastry->leafset.leaves[i],
                    ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER), 2, buf,
                    len);
  for (unsigned i = 0; i < ss_table_n_entries (&pastry->table); i++) {
    SsContact contact = ss_table_nth (&pastry->table, i);
    if (ss_leafset_find (&pastry->leafset, &contact.id) == NULL
        && ss_link_has_session (pastry->link, &contact.id))
      ss_pastry_send (pastry, &contact,
                      ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER), 2, buf,
                      len);
  }
  ss_client_goodbye (pastry);
  ss_pastry_set_state (pastry, SS_PASTRY_LEFT);
}

static void
tell_dead_to (SsPastry *pastry, const SsId *id, const SsContact *to,
              const SsContact *instead)
{
  uint8_t buf[SS_MSG_DEAD_MAX];
  SsMsgDead message = { .id = *id };
  if (instead != NULL && !ss_pastry_is_suspected (pastry, &instead->id))
    message.instead[message.n_instead++] = ss_pastry_record (instead);
  size_t len = ss_msg_dead_encode (&message, buf, sizeof buf);
  ss_pastry_send (pastry, to, ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER),
                  3, buf, len);
}

static void
tell_dead_to_all (SsPastry *pastry, const SsId *id)
{
  for (unsigned i = 0; i < pastry->leafset.n; i++) {
    const SsContact *leaf = &pastry->leafset.leaves[i];
    if (!ss_id_equal (&leaf->id, id)
        && !ss_pastry_is_suspected (pastry, &leaf->id))
      tell_dead_to (pastry, id, leaf, NULL);
  }
}

/* Of the leaves of the other side those who have the dead one, too, are told.
 * The nearest of these lacks whom this node has last on the dead one's side,
 * the next one the one before, and so on. */
static void
tell_dead_to_side (SsPastry *pastry, const SsId *id, SsLeafsetSide side,
                   unsigned at)
{
  const SsLeafset *leafset = &pastry->leafset;
  SsLeafsetSide other =
      side == SS_LEAFSET_LEFT ? SS_LEAFSET_RIGHT : SS_LEAFSET_LEFT;
  for (unsigned i = 0; i + at + 1 < leafset->half; i++) {
    unsigned last = leafset->half - 1u - i;
    if (i >= ss_leafset_count (leafset, other))
      break;
    const SsContact *instead = NULL, *leaf = ss_leafset_get (leafset, other, i);
    if (last < ss_leafset_count (leafset, side))
      instead = ss_leafset_get (leafset, side, last);
    if (!ss_pastry_is_suspected (pastry, &leaf->id))
      tell_dead_to (pastry, id, leaf, instead);
  }
}

/* The nearest to the dead one in that direction (1: farther from this node)
 * that is not suspected too. */
static void
tell_dead_beside (SsPastry *pastry, const SsId *id, SsLeafsetSide side,
                  unsigned at, int direction)
{
  int n = (int) ss_leafset_count (&pastry->leafset, side);
  for (int i = (int) at + direction; i >= 0 && i < n; i += direction) {
    const SsContact *leaf =
        ss_leafset_get (&pastry->leafset, side, (unsigned) i);
    if (ss_pastry_is_suspected (pastry, &leaf->id))
      continue;
    tell_dead_to (pastry, id, leaf, NULL);
    return;
  }
}

static void
beat (SsPastry *pastry)
{
  if (ss_leafset_count (&pastry->leafset, SS_LEAFSET_LEFT) == 0)
    return;
  SsTime now = ss_pastry_env (pastry)->now;
  const SsContact *left = ss_leafset_get (&pastry->leafset, SS_LEAFSET_LEFT, 0);
  uint64_t digest = ss_leafset_digest (&pastry->leafset, SS_LEAFSET_LEFT);
  SsTime sent = ss_link_last_sent (pastry->link, &left->id);
  if (digest == pastry->last_digest
      && now - sent < SS_PASTRY_HEARTBEAT - SS_PASTRY_TICK / 2
      && now - pastry->last_heartbeat < SS_PASTRY_HEARTBEAT_MAX)
    return;
  /* One leaf's death may be one of many: then the left one is to answer. */
  bool is_reliable = digest != pastry->last_digest
                     || ss_link_needs_session (pastry->link, &left->id);
  uint64_t token = 0;
  if (is_reliable)
    token = ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER);
  pastry->last_digest = digest;
  pastry->last_heartbeat = now;
  uint8_t buf[SS_MSG_HEARTBEAT_MAX];
  SsMsgHeartbeat message = { .digest = digest };
  size_t len = ss_msg_heartbeat_encode (&message, buf, sizeof buf);
  ss_pastry_send (pastry, left, token, 3, buf, len);
}

static void
watch_right (SsPastry *pastry)
{
  if (ss_leafset_count (&pastry->leafset, SS_LEAFSET_RIGHT) == 0)
    return;
  SsTime now = ss_pastry_env (pastry)->now;
  SsContact right = *ss_leafset_get (&pastry->leafset, SS_LEAFSET_RIGHT, 0);
  if (!ss_id_equal (&right.id, &pastry->right)) {
    pastry->right = right.id;
    pastry->right_since = now;
  }
  SsTime heard =
      MAX (ss_link_last_heard (pastry->link, &right.id), pastry->right_since);
  if (now - heard > SS_PASTRY_HEARTBEAT_LATE)
    ss_pastry_doubt (pastry, &right, SS_DOUBT_LATE);
}

static void
repair (SsPastry *pastry)
{
  SsLeafset *leafset = &pastry->leafset;
  if (pastry->state == SS_PASTRY_OUTSIDE || pastry->state == SS_PASTRY_LEFT
      || ss_leafset_is_complete (leafset))
    return;
  /* An active node does not wait for others that it asks: one may be dead. */
  if (pastry->state == SS_PASTRY_JOINING && ss_pastry_n_asks (pastry) > 0)
    return;
  pastry->repair_tries++;
  ss_count (ss_pastry_env (pastry), OVERLAY_REPAIRS);
  ss_debug (ss_pastry_env (pastry),
            "overlay: repair %u, leaves: %u left, %u right",
            pastry->repair_tries, ss_leafset_count (leafset, SS_LEAFSET_LEFT),
            ss_leafset_count (leafset, SS_LEAFSET_RIGHT));
  bool any = false;
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++) {
    if (ss_leafset_count (leafset, side) == leafset->half)
      continue;
    SsContact target;
    if (!repair_target (pastry, side, &target))
      continue;
    any = true;
    bool force = ss_leafset_count (leafset, side) == 0
                 && pastry->repair_tries >= SS_PASTRY_FORCE_TRIES
                 && pastry->state == SS_PASTRY_ACTIVE;
    ss_pastry_ask (pastry, &target, force ? 1u << side : 0,
                   force ? SS_LEAF_PROBE_MUTUAL : 0);
  }
  /* If the ends do not help, they may wait for each other. */
  if (pastry->repair_tries > 1 && leafset->n > 0) {
    unsigned place =
        (unsigned) ss_rng_below (&ss_pastry_env (pastry)->rng, leafset->n);
    SsContact copy = leafset->leaves[place];
    ss_pastry_ask (pastry, &copy, SS_LEAFSET_REACH_NONE, 0);
  }
  if (any && pastry->state == SS_PASTRY_ACTIVE) {
    /* However long the others take that are being asked. */
    pastry->repair_at = ss_pastry_env (pastry)->now + SS_PASTRY_REPAIR_MAX;
    ss_pastry_arm_work (pastry);
  }
  if (any)
    return;
  if (pastry->state == SS_PASTRY_ACTIVE && leafset->n == 0
      && pastry->repair_tries >= REPAIR_ALONE_TRIES) {
    ss_info (ss_pastry_env (pastry), "nobody is left: a ring of one");
    ss_leafset_set_whole (leafset, true);
    ss_pastry_release (pastry);
    return;
  }
  ss_pastry_repair_soon (pastry, false);
}

/* The farthest leaf that is not suspected; else, the side being empty, the
 * nearest in that direction of all that are known. */
static bool
repair_target (const SsPastry *pastry, SsLeafsetSide side,
               SsContact *ret_target)
{
  const SsLeafset *leafset = &pastry->leafset;
  for (unsigned i = ss_leafset_count (leafset, side); i > 0; i--) {
    const SsContact *leaf = ss_leafset_get (leafset, side, i - 1);
    if (!ss_pastry_is_suspected (pastry, &leaf->id)) {
      *ret_target = *leaf;
      return true;
    }
  }
  bool found = false;
  unsigned n_table = ss_table_n_entries (&pastry->table);
  for (unsigned i = 0; i < leafset->n + n_table; i++) {
    SsContact contact = i < leafset->n
                            ? leafset->leaves[i]
                            : ss_table_nth (&pastry->table, i - leafset->n);
    if (ss_pastry_is_suspected (pastry, &contact.id)
        || (found
            && !ss_leafset_is_nearer (leafset, side, &contact.id,
                                      &ret_target->id)))
      continue;
    *ret_target = contact;
    found = true;
  }
  return found;
}
