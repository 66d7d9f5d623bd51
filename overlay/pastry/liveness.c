/* Who lives. Death is silence (MSPastry, section 3.1): whoever is late once
 * is doubted and probed; if the probe is late too he is suspected and routed
 * around, and other leaves are asked to try (vouch.c); if all stays unanswered
 * he is declared dead. Any authentic sign of life ends suspicion; the doubt
 * whether a leaf hears this node ends with an answer.
 *
 * The dead leave a tombstone, so that gossip from stale sets does not bring
 * them back, and are remembered for a while (lost.c). */
#include "overlay/pastry/internal.h"

static SsSuspect *find_suspect (const SsPastry *pastry, const SsId *id);
static SsSuspect *find_suspect_token (const SsPastry *pastry, uint64_t token);
static void drop_suspect (SsPastry *pastry, SsSuspect *suspect);
static unsigned n_tries (const SsPastry *pastry, const SsSuspect *suspect);
static void send_probe (SsPastry *pastry, SsSuspect *suspect);
static SsTime least_silence (const SsSuspect *suspect);
static void mark_suspected (SsPastry *pastry, SsSuspect *suspect);
static void estrange (SsPastry *pastry, SsSuspect *suspect);
static bool try_again (SsPastry *pastry, SsSuspect *suspect);
static void declare_dead (SsPastry *pastry, const SsSuspect *suspect);
static SsWatched *find_watched (const SsPastry *pastry, const SsId *id,
                                unsigned guess, unsigned *ret_place);

void
ss_pastry_doubt (SsPastry *pastry, const SsContact *peer, SsDoubt why)
{
  if (ss_pastry_is_self (pastry, &peer->id)
      || pastry->state == SS_PASTRY_OUTSIDE || pastry->state == SS_PASTRY_LEFT
      || find_suspect (pastry, &peer->id) != NULL
      || ss_pastry_is_dead (pastry, &peer->id))
    return;
  if (pastry->suspects == NULL)
    pastry->suspects = g_array_new (FALSE, FALSE, sizeof (SsSuspect));
  if (pastry->suspects->len == SS_PASTRY_SUSPECTS_MAX)
    return;
  /* Of leaves others are told: nobody is taken for dead for pings alone. */
  if (why == SS_DOUBT_PINGED
      && ss_leafset_find (&pastry->leafset, &peer->id) != NULL)
    why = SS_DOUBT_LATE;
  SsSuspect suspect = { .contact = *peer, .why = (uint8_t) why };
  /* Where it is known to be, whatever address was tried in vain. */
  ss_pastry_find (pastry, &peer->id, &suspect.contact);
  g_array_append_val (pastry->suspects, suspect);
  send_probe (pastry, &g_array_index (pastry->suspects, SsSuspect,
                                      pastry->suspects->len - 1));
}

void
ss_pastry_doubt_missed (SsPastry *pastry, const SsContact *leaf)
{
  if (find_suspect (pastry, &leaf->id) != NULL)
    return;
  ss_pastry_doubt (pastry, leaf, SS_DOUBT_TOLD);
  SsSuspect *suspect = find_suspect (pastry, &leaf->id);
  if (suspect != NULL)
    suspect->missed = true;
}

void
ss_pastry_suspect (SsPastry *pastry, const SsContact *peer)
{
  ss_pastry_doubt (pastry, peer, SS_DOUBT_LATE);
  SsSuspect *suspect = find_suspect (pastry, &peer->id);
  if (suspect != NULL)
    mark_suspected (pastry, suspect);
}

void
ss_pastry_dead_told (SsPastry *pastry, const SsMsgDead *message)
{
  SsContact contact;
  if (!ss_pastry_find (pastry, &message->id, &contact))
    return;
  ss_pastry_doubt (pastry, &contact, SS_DOUBT_TOLD);
  SsSuspect *suspect = find_suspect (pastry, &message->id);
  /* Sooner than it would have been: but who has been asked has his time to
   * answer, however often this is said. */
  if (suspect != NULL && suspect->is_estranged && suspect->retry < SS_NEVER) {
    SsTime asked = suspect->retry - suspect->pause;
    suspect->pause = SS_ESTRANGED_MIN;
    suspect->retry = MIN (suspect->retry, MAX (ss_pastry_env (pastry)->now,
                                               asked + SS_ESTRANGED_MIN));
    ss_pastry_arm_work (pastry);
  }
  if (suspect != NULL)
    suspect->missed = false;
  if (suspect != NULL && message->n_instead > 0)
    suspect->instead = ss_contact_from_record (&message->instead[0]);
}

bool
ss_pastry_is_suspected (const SsPastry *pastry, const SsId *id)
{
  const SsSuspect *suspect = find_suspect (pastry, id);
  if (suspect != NULL && suspect->suspected)
    return true;
  return ss_pastry_is_dead (pastry, id);
}

bool
ss_pastry_is_dead (const SsPastry *pastry, const SsId *id)
{
  if (pastry->tombstones == NULL)
    return false;
  uint64_t prefix = ss_pastry_prefix (id);
  for (unsigned i = 0; i < pastry->tombstones->len; i++) {
    const SsTombstone *tombstone =
        &g_array_index (pastry->tombstones, SsTombstone, i);
    if (tombstone->prefix == prefix
        && tombstone->until > ss_pastry_env (pastry)->now)
      return true;
  }
  return false;
}

void
ss_pastry_heard (SsPastry *pastry, const SsContact *peer, bool answers)
{
  ss_table_heard (&pastry->table, &peer->id, ss_pastry_env (pastry)->now);
  if (pastry->tombstones != NULL && pastry->tombstones->len > 0) {
    uint64_t prefix = ss_pastry_prefix (&peer->id);
    bool was_dead = false;
    for (unsigned i = 0; i < pastry->tombstones->len; i++) {
      if (g_array_index (pastry->tombstones, SsTombstone, i).prefix != prefix)
        continue;
      g_array_remove_index (pastry->tombstones, i--);
      was_dead = true;
    }
    if (was_dead)
      ss_pastry_lost_risen (pastry, &peer->id);
  }
  SsSuspect *suspect = find_suspect (pastry, &peer->id);
  if (suspect == NULL)
    return;
  bool is_leaf = pastry->state == SS_PASTRY_ACTIVE
                 && ss_leafset_find (&pastry->leafset, &peer->id) != NULL;
  bool suspected = suspect->suspected;
  suspect->lives = true;
  if (suspect->is_estranged && !answers)
    return;
  if (answers || !is_leaf)
    drop_suspect (pastry, suspect);
  else
    suspect->suspected = false;
  if (suspected) {
    ss_client_changed (pastry, NULL);
    ss_count (ss_pastry_env (pastry), OVERLAY_RECOVERED);
    ss_pastry_log_leaf (pastry, &peer->id, "has recovered");
    ss_pastry_update (pastry, peer, SS_KBR_RECOVERED, false);
  }
  ss_pastry_release (pastry);
}

void
ss_pastry_liveness_late (SsPastry *pastry, const SsContact *peer,
                         uint64_t token)
{
  SsSuspect *suspect = find_suspect_token (pastry, token);
  if (suspect != NULL && !suspect->lives)
    mark_suspected (pastry, suspect);
}

/* A link gives up early when its queue is full, or when it cannot make a
 * session: silence has to last, or it is no death. */
void
ss_pastry_liveness_failed (SsPastry *pastry, const SsContact *peer,
                           uint64_t token)
{
  SsSuspect *suspect = find_suspect_token (pastry, token);
  if (suspect == NULL || suspect->is_estranged)
    return;
  SsTime now = ss_pastry_env (pastry)->now;
  SsTime verdict = suspect->since + least_silence (suspect);
  if (now < verdict && suspect->rounds < SS_PASTRY_DEATH_ROUNDS) {
    suspect->retry = MIN (now + SS_PASTRY_DEATH_RETRY,
                          MAX (now + SS_PASTRY_DEATH_HASTE, verdict));
    ss_pastry_arm_work (pastry);
    if (!suspect->lives)
      mark_suspected (pastry, suspect);
    return;
  }
  if (suspect->lives && pastry->state == SS_PASTRY_ACTIVE
      && ss_leafset_find (&pastry->leafset, &suspect->contact.id) != NULL) {
    estrange (pastry, suspect);
    return;
  }
  SsSuspect dead = *suspect;
  drop_suspect (pastry, suspect);
  declare_dead (pastry, &dead);
}

void
ss_pastry_liveness_retry (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned i = 0; pastry->suspects != NULL && i < pastry->suspects->len;
       i++) {
    SsSuspect *suspect = &g_array_index (pastry->suspects, SsSuspect, i);
    if (suspect->retry > now)
      continue;
    if (!suspect->is_estranged)
      send_probe (pastry, suspect);
    else if (!try_again (pastry, suspect))
      i--; /* it is dead, and others may be with it */
  }
}

SsTime
ss_pastry_liveness_deadline (const SsPastry *pastry)
{
  SsTime deadline = SS_NEVER;
  for (unsigned i = 0; pastry->suspects != NULL && i < pastry->suspects->len;
       i++)
    deadline =
        MIN (deadline, g_array_index (pastry->suspects, SsSuspect, i).retry);
  return deadline;
}

void
ss_pastry_remove (SsPastry *pastry, const SsContact *peer)
{
  SsContact gone = *peer; /* peer may be an entry of what it is taken from */
  SsSuspect *suspect = find_suspect (pastry, &gone.id);
  if (suspect != NULL)
    drop_suspect (pastry, suspect);
  ss_pastry_bury (pastry, &gone.id, SS_PASTRY_TOMBSTONE_TIME);
  ss_pastry_forget_ask (pastry, &gone.id);
  if (ss_table_remove (&pastry->table, &gone.id))
    ss_search_vacant (pastry, &gone.id);
  bool leaf = ss_leafset_remove (&pastry->leafset, &gone.id);
  if (leaf)
    ss_count (ss_pastry_env (pastry), OVERLAY_LEAVES_GONE);
  ss_client_changed (pastry, &gone.id);
  ss_pastry_update (pastry, &gone, SS_KBR_LEFT, leaf);
  ss_pastry_reroute (pastry, &gone.id);
  ss_pastry_release (pastry);
  if (leaf && pastry->state != SS_PASTRY_LEFT)
    ss_pastry_repair_soon (pastry, true);
  ss_pastry_settle (pastry);
}

void
ss_pastry_bury (SsPastry *pastry, const SsId *id, SsTime duration)
{
  if (pastry->tombstones == NULL)
    pastry->tombstones = g_array_new (FALSE, FALSE, sizeof (SsTombstone));
  if (pastry->tombstones->len == SS_PASTRY_TOMBSTONES_MAX)
    g_array_remove_index (pastry->tombstones, 0);
  SsTombstone tombstone = {
    .prefix = ss_pastry_prefix (id),
    .until = ss_pastry_env (pastry)->now + duration,
  };
  g_array_append_val (pastry->tombstones, tombstone);
}

void
ss_pastry_watch (SsPastry *pastry, const SsId *id, SsProtocol protocol,
                 SsPeerHint *hint)
{
  SsTime now = ss_pastry_env (pastry)->now;
  unsigned place;
  SsWatched *watched =
      find_watched (pastry, id, hint != NULL ? hint->place : 0, &place);
  if (watched != NULL) {
    watched->last = now;
    watched->protocols |= (uint8_t) (1u << protocol);
    if (hint != NULL)
      hint->place = place;
    return;
  }
  if (pastry->watched == NULL)
    pastry->watched = g_array_new (FALSE, FALSE, sizeof (SsWatched));
  if (pastry->watched->len == SS_PASTRY_WATCHED_MAX) {
    unsigned oldest = 0;
    for (unsigned i = 1; i < pastry->watched->len; i++) {
      if (g_array_index (pastry->watched, SsWatched, i).last
          < g_array_index (pastry->watched, SsWatched, oldest).last)
        oldest = i;
    }
    g_array_remove_index (pastry->watched, oldest);
    find_watched (pastry, id, 0, &place);
  }
  SsWatched fresh = { .id = *id,
                      .last = now,
                      .protocols = (uint8_t) (1u << protocol) };
  g_array_insert_val (pastry->watched, place, fresh);
}

void
ss_pastry_update (SsPastry *pastry, const SsContact *peer, SsKbrChange change,
                  bool leaf)
{
  unsigned place;
  const SsWatched *watched = find_watched (pastry, &peer->id, 0, &place);
  unsigned protocols = watched != NULL ? watched->protocols : 0;
  if (leaf || ss_leafset_find (&pastry->leafset, &peer->id) != NULL)
    protocols = ~0u;
  SsContact copy = *peer;
  if (change == SS_KBR_JOINED && leaf)
    ss_reach_newcomer (pastry, &copy);
  for (unsigned i = 0; i < SS_N_PROTOCOLS; i++) {
    if ((protocols & (1u << i)) != 0 && pastry->apps[i] != NULL
        && pastry->apps[i]->update != NULL)
      pastry->apps[i]->update (pastry->users[i], &copy, change);
  }
}

void
ss_pastry_expire_liveness (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned i = 0;
       pastry->tombstones != NULL && i < pastry->tombstones->len; i++) {
    if (g_array_index (pastry->tombstones, SsTombstone, i).until <= now)
      g_array_remove_index (pastry->tombstones, i--);
  }
  for (unsigned i = 0; pastry->watched != NULL && i < pastry->watched->len;
       i++) {
    if (g_array_index (pastry->watched, SsWatched, i).last
        < now - SS_PASTRY_WATCH_TIME)
      g_array_remove_index (pastry->watched, i--);
  }
  ss_pastry_expire_lost (pastry);
}

/* After a sleep nobody's silence means anything. */
void
ss_pastry_restart_suspects (SsPastry *pastry)
{
  for (unsigned i = 0; pastry->suspects != NULL && i < pastry->suspects->len;
       i++) {
    SsSuspect *suspect = &g_array_index (pastry->suspects, SsSuspect, i);
    ss_link_cancel (pastry->link, &suspect->contact.id, SS_PROTOCOL_OVERLAY,
                    suspect->token);
    suspect->rounds = 0;
    suspect->misses = 0;
    send_probe (pastry, suspect);
    if (suspect->is_estranged) {
      suspect->pause = SS_ESTRANGED_MIN;
      suspect->retry = ss_pastry_env (pastry)->now + suspect->pause;
      ss_pastry_arm_work (pastry);
    }
  }
}

static SsSuspect *
find_suspect (const SsPastry *pastry, const SsId *id)
{
  for (unsigned i = 0; pastry->suspects != NULL && i < pastry->suspects->len;
       i++) {
    SsSuspect *suspect = &g_array_index (pastry->suspects, SsSuspect, i);
    if (ss_id_equal (&suspect->contact.id, id))
      return suspect;
  }
  return NULL;
}

static SsSuspect *
find_suspect_token (const SsPastry *pastry, uint64_t token)
{
  for (unsigned i = 0; pastry->suspects != NULL && i < pastry->suspects->len;
       i++) {
    SsSuspect *suspect = &g_array_index (pastry->suspects, SsSuspect, i);
    if (suspect->token == token)
      return suspect;
  }
  return NULL;
}

static void
drop_suspect (SsPastry *pastry, SsSuspect *suspect)
{
  ss_link_cancel (pastry->link, &suspect->contact.id, SS_PROTOCOL_OVERLAY,
                  suspect->token);
  unsigned place =
      (unsigned) (suspect - &g_array_index (pastry->suspects, SsSuspect, 0));
  g_array_remove_index (pastry->suspects, place);
}

static unsigned
n_tries (const SsPastry *pastry, const SsSuspect *suspect)
{
  const SsId *id = &suspect->contact.id;
  if (suspect->is_estranged)
    return 1;
  switch ((SsDoubt) suspect->why) {
  case SS_DOUBT_TOLD:
    return ss_link_has_session (pastry->link, id) ? SS_PASTRY_TOLD_TRIES
                                                  : SS_PASTRY_TOLD_NO_LINK;
  case SS_DOUBT_PINGED:
    return SS_PASTRY_PINGED_TRIES;
  case SS_DOUBT_LATE:
  default:
    if (!ss_vouch_may (pastry, id))
      return SS_PASTRY_PROBE_TRIES;
    return suspect->rounds == 1 ? SS_PASTRY_VOUCH_TRIES : 1;
  }
}

static void
send_probe (SsPastry *pastry, SsSuspect *suspect)
{
  uint8_t buf[SS_MSG_LIVENESS_MAX];
  size_t len = ss_msg_liveness_encode (&(SsMsgLiveness){}, buf, sizeof buf);
  SsTime now = ss_pastry_env (pastry)->now;
  if (suspect->rounds++ == 0)
    suspect->since = now;
  suspect->retry = SS_NEVER;
  suspect->token = ss_pastry_token (pastry, SS_PASTRY_TOKEN_LIVENESS);
  if (!ss_pastry_send (pastry, &suspect->contact, suspect->token,
                       n_tries (pastry, suspect), buf, len)) {
    /* The peer's queue is full: as good as a first try. */
    suspect->retry = now + SS_PASTRY_DEATH_RETRY;
    ss_pastry_arm_work (pastry);
  }
}

/* Before it is a death. */
static SsTime
least_silence (const SsSuspect *suspect)
{
  switch ((SsDoubt) suspect->why) {
  case SS_DOUBT_TOLD:
    return SS_PASTRY_TOLD_MIN;
  case SS_DOUBT_PINGED:
    return 0;
  case SS_DOUBT_LATE:
  default:
    return SS_PASTRY_DEATH_MIN;
  }
}

static void
mark_suspected (SsPastry *pastry, SsSuspect *suspect)
{
  if (suspect->suspected)
    return;
  suspect->suspected = true;
  ss_count (ss_pastry_env (pastry), OVERLAY_SUSPECTED);
  SsContact peer = suspect->contact;
  ss_pastry_log_leaf (pastry, &peer.id, "is suspected");
  if (suspect->why == SS_DOUBT_LATE && !suspect->is_estranged
      && ss_vouch_may (pastry, &peer.id))
    ss_vouch_ask (pastry, suspect);
  ss_client_changed (pastry, NULL);
  ss_pastry_update (pastry, &peer, SS_KBR_SUSPECTED, false);
  ss_pastry_release (pastry);
}

/* It lives, and does not answer this node. */
static void
estrange (SsPastry *pastry, SsSuspect *suspect)
{
  SsId id = suspect->contact.id;
  char text[SS_ID_STRLEN];
  ss_id_format (&id, text);
  ss_info (ss_pastry_env (pastry), "leaf %.8s lives, but does not answer",
           text);
  ss_count (ss_pastry_env (pastry), OVERLAY_ESTRANGED);
  suspect->is_estranged = true;
  suspect->pause = SS_ESTRANGED_MIN / 2;
  mark_suspected (pastry, suspect);
  suspect = find_suspect (pastry, &id);
  if (suspect != NULL)
    try_again (pastry, suspect);
  ss_pastry_release (pastry);
}

/* False: it is dead, or no leaf any more, and gone. */
static bool
try_again (SsPastry *pastry, SsSuspect *suspect)
{
  SsId id = suspect->contact.id;
  if (ss_leafset_find (&pastry->leafset, &id) == NULL) {
    ss_table_remove (&pastry->table, &id);
    drop_suspect (pastry, suspect);
    return false;
  }
  suspect->misses = suspect->lives ? 0 : suspect->misses + 1;
  if (suspect->misses == SS_ESTRANGED_MISSES) {
    SsSuspect dead = *suspect;
    drop_suspect (pastry, suspect);
    declare_dead (pastry, &dead);
    return false;
  }
  suspect->pause = suspect->lives ? MIN (2 * suspect->pause, SS_ESTRANGED_MAX)
                                  : SS_ESTRANGED_MIN;
  suspect->lives = false;
  ss_link_cancel (pastry->link, &suspect->contact.id, SS_PROTOCOL_OVERLAY,
                  suspect->token);
  send_probe (pastry, suspect);
  suspect->retry = ss_pastry_env (pastry)->now + suspect->pause;
  ss_vouch_ask (pastry, suspect);
  ss_pastry_arm_work (pastry);
  return true;
}

static void
declare_dead (SsPastry *pastry, const SsSuspect *suspect)
{
  const SsContact *peer = &suspect->contact;
  bool leaf = ss_leafset_find (&pastry->leafset, &peer->id) != NULL;
  ss_count (ss_pastry_env (pastry), OVERLAY_DEATHS);
  ss_pastry_log_leaf (pastry, &peer->id, "is dead");
  if (ss_pastry_find (pastry, &peer->id, NULL)) {
    ss_tune_death (&pastry->tune, ss_pastry_env (pastry)->now);
    ss_pastry_remember_lost (pastry, peer);
  }
  if (leaf)
    ss_pastry_tell_dead (pastry, &peer->id, suspect->why == SS_DOUBT_TOLD,
                         suspect->missed);
  if (leaf && ss_addr_is_set (&suspect->instead.addr)
      && ss_leafset_find (&pastry->leafset, &suspect->instead.id) == NULL)
    ss_pastry_ask (pastry, &suspect->instead, SS_LEAFSET_REACH_NONE, 0);
  ss_pastry_remove (pastry, peer);
}

/* Sorted by id; where it is guessed to be is looked at first. */
static SsWatched *
find_watched (const SsPastry *pastry, const SsId *id, unsigned guess,
              unsigned *ret_place)
{
  unsigned low = 0, high = pastry->watched != NULL ? pastry->watched->len : 0;
  for (unsigned middle = guess; low < high; middle = (low + high) / 2) {
    middle = MIN (middle, high - 1);
    SsWatched *watched = &g_array_index (pastry->watched, SsWatched, middle);
    int order = ss_id_compare (&watched->id, id);
    if (order == 0) {
      *ret_place = middle;
      return watched;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *ret_place = low;
  return NULL;
}
