/* Those that were declared dead: a whole partition may have been, and is one
 * ring with this node again once one of it answers. Each node tries the less
 * often the larger the ring is, so that the ring as a whole tries as often as
 * need be; who finds one goes on at once, and who has lost more than it is left
 * with tries all the time: that one is likely to have been cut off itself. */
#include "overlay/pastry/internal.h"

static void
ask (SsPastry *pastry, SsLost *lost)
{
  uint8_t buf[SS_MSG_LIVENESS_MAX];
  size_t len = ss_msg_liveness_encode (&(SsMsgLiveness){}, buf, sizeof buf);
  lost->tries++;
  ss_pastry_send (pastry, &lost->contact,
                  ss_pastry_token (pastry, SS_PASTRY_TOKEN_LOST), 2, buf, len);
}

void
ss_pastry_lost_risen (SsPastry *pastry, const SsId *id)
{
  for (unsigned i = 0; pastry->lost != NULL && i < pastry->lost->len; i++) {
    SsLost *lost = &g_array_index (pastry->lost, SsLost, i);
    if (ss_id_equal (&lost->contact.id, id))
      ask (pastry, lost);
  }
}

/* How many were lost together with it: a partition takes many at once, of
 * which one is enough. */
static unsigned
company (const SsPastry *pastry, const SsLost *lost)
{
  unsigned n = 0;
  for (unsigned i = 0; i < pastry->lost->len; i++) {
    const SsLost *other = &g_array_index (pastry->lost, SsLost, i);
    n += ABS (other->since - lost->since) <= SS_PASTRY_LOST_TOGETHER;
  }
  return n;
}

/* Of the lost the one most likely to answer, or the least; of several the
 * one that was lost first. */
static unsigned
choose_lost (const SsPastry *pastry, bool likely)
{
  unsigned chosen = 0, chosen_company = 0, chosen_tries = 0;
  for (unsigned i = 0; i < pastry->lost->len; i++) {
    const SsLost *lost = &g_array_index (pastry->lost, SsLost, i);
    unsigned n = company (pastry, lost);
    unsigned one = n * (1 + chosen_tries);
    unsigned other = chosen_company * (1 + lost->tries);
    if (i > 0 && (likely ? one <= other : one >= other))
      continue;
    chosen = i;
    chosen_company = n;
    chosen_tries = lost->tries;
  }
  return chosen;
}

static void
ask_likely (SsPastry *pastry)
{
  unsigned chosen = choose_lost (pastry, true);
  ask (pastry, &g_array_index (pastry->lost, SsLost, chosen));
}

/* Has it lost more at once than it is left with, a short while ago? */
static bool
is_lonely (const SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now, newest = -1;
  unsigned n = 0;
  for (unsigned i = 0; pastry->lost != NULL && i < pastry->lost->len; i++)
    newest = MAX (newest, g_array_index (pastry->lost, SsLost, i).since);
  for (unsigned i = 0; pastry->lost != NULL && i < pastry->lost->len; i++)
    n += newest - g_array_index (pastry->lost, SsLost, i).since
         <= SS_PASTRY_LONELY_SPAN;
  return pastry->state == SS_PASTRY_ACTIVE && n > pastry->leafset.n
         && now < newest + SS_PASTRY_LONELY_TIME;
}

void
ss_pastry_remember_lost (SsPastry *pastry, const SsContact *peer)
{
  if (pastry->lost == NULL)
    pastry->lost = g_array_new (FALSE, FALSE, sizeof (SsLost));
  bool was_soon = pastry->lost_soon;
  ss_pastry_forget_lost (pastry, &peer->id);
  pastry->lost_soon = was_soon;
  if (pastry->lost->len == SS_PASTRY_LOST_MAX)
    g_array_remove_index (pastry->lost, choose_lost (pastry, false));
  SsLost lost = { .contact = *peer, .since = ss_pastry_env (pastry)->now };
  g_array_append_val (pastry->lost, lost);
  if (pastry->lonely_at == SS_NEVER && is_lonely (pastry)) {
    pastry->lonely_at = lost.since + SS_PASTRY_LONELY_PAUSE;
    ss_pastry_arm_work (pastry);
  }
}

/* Others that were lost with one who is back may be as well. They are told of
 * by those who did not lose them, and asked as soon as their tombstones allow
 * it: soon, but not all at once. */
static void
relent (SsPastry *pastry)
{
  SsEnv *env = ss_pastry_env (pastry);
  for (unsigned i = 0;
       pastry->tombstones != NULL && i < pastry->tombstones->len; i++) {
    SsTombstone *tombstone =
        &g_array_index (pastry->tombstones, SsTombstone, i);
    SsTime soon =
        (SsTime) ss_rng_below (&env->rng, (uint64_t) SS_PASTRY_RELENT_TIME);
    tombstone->until = MIN (tombstone->until, env->now + soon);
  }
}

/* One of the lost is tried now and then: at random, for all who were parted
 * began to count at the same time. */
void
ss_pastry_check_lost (SsPastry *pastry)
{
  SsEnv *env = ss_pastry_env (pastry);
  if (pastry->lost == NULL || pastry->lost->len == 0)
    return;
  SsTime pause = SS_PASTRY_LOST_INTERVAL
                 * (SsTime) MAX (pastry->ring_size / SS_PASTRY_LOST_RING, 1);
  pause = MIN (pause, SS_PASTRY_LOST_PAUSE_MAX);
  bool is_time =
      ss_rng_below (&env->rng, (uint64_t) (pause / SS_PASTRY_TICK)) == 0;
  if (!is_time && !pastry->lost_soon)
    return;
  pastry->lost_soon = false;
  ask_likely (pastry);
}

void
ss_pastry_lonely_due (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  if (now < pastry->lonely_at)
    return;
  pastry->lonely_at = SS_NEVER;
  if (!is_lonely (pastry))
    return;
  pastry->lonely_at = now + SS_PASTRY_LONELY_PAUSE;
  ask_likely (pastry);
}

void
ss_pastry_lost_answered (SsPastry *pastry, const SsContact *peer)
{
  if (!ss_pastry_forget_lost (pastry, &peer->id))
    return;
  ss_count (ss_pastry_env (pastry), OVERLAY_MERGES);
  SsTime now = ss_pastry_env (pastry)->now;
  ss_pastry_meet (pastry, peer, true);
  /* Many may come back at once, who lead to the same ring. */
  if (pastry->last_merge > 0
      && now - pastry->last_merge < SS_PASTRY_MERGE_PAUSE)
    return;
  ss_info (ss_pastry_env (pastry), "a lost node answers: merging");
  pastry->last_merge = now;
  relent (pastry);
  ss_pastry_route_enter (pastry, peer, false);
}

bool
ss_pastry_forget_lost (SsPastry *pastry, const SsId *id)
{
  for (unsigned i = 0; pastry->lost != NULL && i < pastry->lost->len; i++) {
    if (ss_id_equal (&g_array_index (pastry->lost, SsLost, i).contact.id, id)) {
      g_array_remove_index (pastry->lost, i);
      pastry->lost_soon = true;
      return true;
    }
  }
  return false;
}

void
ss_pastry_expire_lost (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned i = 0; pastry->lost != NULL && i < pastry->lost->len; i++) {
    if (g_array_index (pastry->lost, SsLost, i).since
        < now - SS_PASTRY_LOST_TIME)
      g_array_remove_index (pastry->lost, i--);
  }
}
