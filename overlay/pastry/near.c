/* The node to join through: one that is near in the network, because the rows
 * that it gives are of nodes that are near it (Castro, Druschel, Hu and
 * Rowstron, "Proximity neighbor selection in tree-based structured
 * peer-to-peer overlays", MSR-TR-2003-52). From any contact: of those in the
 * rows of its table, from the bottom up, the nearest, then of those in his.
 *
 * Departures: the lowest rows are as good as the leaf set, and tell how far
 * their members are; few are measured at each step, those that lie about as
 * far from who tells of them as this node does; and the search ends where two
 * steps in a row bring nothing: in a network where all are equally far it
 * costs two dozen datagrams. Nobody is measured while
 * it is being found out whether strangers reach this node (reach.c): they
 * would be strangers no more. */
#include "overlay/pastry/internal.h"

#include <string.h>

#define SAMPLE        4
#define STEPS_MAX     12
#define STEP_TIME     (400 * SS_MSEC)
#define NEAR_ENOUGH   (3 * SS_MSEC)
#define WORTH_PERCENT 85 /* of the distance so far: nearer */
#define FUTILE_MAX    2

struct SsNear {
  SsContact best, asked;
  SsTime best_rtt; /* SS_NEVER: not known yet */
  SsContact pinged[SAMPLE + 1];
  SsContact kept[SAMPLE]; /* to be pinged */
  uint8_t n_pinged, n_kept;
  uint8_t steps, futile;
  uint8_t row; /* asked for last */
  bool is_better, is_answered;
};

static void keep_likely (SsPastry *pastry, const SsContact *contacts,
                         const SsMsgRow *message);
static void step (SsPastry *pastry);
static void finish (SsPastry *pastry);
static void ping (SsPastry *pastry, const SsContact *peer);
static void conclude_step (SsPastry *pastry);

void
ss_near_begin (SsPastry *pastry, const SsContact *contact)
{
  g_assert (pastry->near == NULL);
  SsNear *near = pastry->near = g_new0 (SsNear, 1);
  near->best = *contact;
  near->best_rtt = SS_NEVER;
  near->row = SS_ROW_LOWEST;
  ping (pastry, contact);
  step (pastry);
}

void
ss_near_end (SsPastry *pastry)
{
  g_clear_pointer (&pastry->near, g_free);
}

void
ss_near_timer (SsPastry *pastry)
{
  SsNear *near = pastry->near;
  near->n_pinged = 0;
  if (near->is_answered)
    conclude_step (pastry);
  else
    finish (pastry);
}

void
ss_near_row (SsPastry *pastry, const SsContact *from, const SsContact *contacts,
             const SsMsgRow *message)
{
  SsNear *near = pastry->near;
  if (near == NULL || near->is_answered
      || !ss_id_equal (&from->id, &near->asked.id))
    return;
  near->is_answered = true;
  near->row = message->row;
  keep_likely (pastry, contacts, message);
  if (!ss_reach_is_open (pastry))
    ss_near_resume (pastry);
}

void
ss_near_resume (SsPastry *pastry)
{
  SsNear *near = pastry->near;
  if (near == NULL || !near->is_answered)
    return;
  while (near->n_kept > 0)
    ping (pastry, &near->kept[--near->n_kept]);
  if (near->n_pinged == 0)
    conclude_step (pastry);
}

void
ss_near_pinged (SsPastry *pastry, const SsContact *peer, SsTime rtt)
{
  SsNear *near = pastry->near;
  unsigned i = 0;
  while (near != NULL && i < near->n_pinged
         && !ss_id_equal (&near->pinged[i].id, &peer->id))
    i++;
  if (near == NULL || i == near->n_pinged)
    return;
  near->pinged[i] = near->pinged[--near->n_pinged];
  bool is_best = ss_id_equal (&peer->id, &near->best.id);
  if (is_best && rtt != SS_NEVER) {
    near->best_rtt = rtt;
  } else if (rtt < SS_NEVER
             && (near->best_rtt == SS_NEVER
                 || rtt < near->best_rtt / 100 * WORTH_PERCENT)) {
    near->is_better = near->best_rtt != SS_NEVER;
    near->best = *peer;
    near->best_rtt = rtt;
  }
  if (near->best_rtt < NEAR_ENOUGH)
    finish (pastry);
  else if (near->n_pinged == 0 && near->n_kept == 0 && near->is_answered)
    conclude_step (pastry);
}

/* Of those that a row tells of the ones that are about as far from who tells
 * of them as this node is: they lie on a circle around it, as this node does.
 * Of whom nothing is known, some by lot. */
static void
keep_likely (SsPastry *pastry, const SsContact *contacts,
             const SsMsgRow *message)
{
  SsNear *near = pastry->near;
  unsigned n = message->n_peers;
  SsTime misses[SAMPLE];
  SsTime between = ss_pastry_distance (pastry, &near->asked.id);
  if (n == 0)
    return;
  unsigned first = (unsigned) ss_rng_below (&ss_pastry_env (pastry)->rng, n);
  for (unsigned i = 0; i < n; i++) {
    unsigned which = (first + i) % n;
    SsTime beyond = SS_NEVER, miss = SS_NEVER;
    if (which < message->n_rtts)
      beyond = ss_table_rtt_from_units (message->rtts[which]);
    if (between != SS_NEVER && beyond != SS_NEVER)
      miss = ABS (beyond - between);
    unsigned at = near->n_kept;
    while (at > 0 && miss < misses[at - 1])
      at--;
    if (at == SAMPLE)
      continue;
    near->n_kept = (uint8_t) MIN (near->n_kept + 1, SAMPLE);
    memmove (&misses[at + 1], &misses[at],
             (near->n_kept - at - 1) * sizeof misses[0]);
    memmove (&near->kept[at + 1], &near->kept[at],
             (near->n_kept - at - 1) * sizeof near->kept[0]);
    misses[at] = miss;
    near->kept[at] = contacts[which];
  }
}

static void
step (SsPastry *pastry)
{
  SsNear *near = pastry->near;
  SsEnv *env = ss_pastry_env (pastry);
  near->is_answered = near->is_better = false;
  near->n_kept = 0;
  near->asked = near->best;
  near->steps++;
  ss_pastry_request_row (pastry, &near->asked, near->row, true);
  ss_timers_arm (&env->timers, &pastry->join_timer, env->now + STEP_TIME);
}

/* Next the lowest row of the nearest so far, then the one above. */
static void
conclude_step (SsPastry *pastry)
{
  SsNear *near = pastry->near;
  near->futile = near->is_better ? 0 : near->futile + 1;
  if (near->row == 0 || near->steps == STEPS_MAX
      || near->futile == FUTILE_MAX) {
    finish (pastry);
    return;
  }
  near->row--;
  step (pastry);
}

static void
finish (SsPastry *pastry)
{
  SsContact best = pastry->near->best;
  ss_debug (ss_pastry_env (pastry), "joining through %02x%02x, %u steps",
            best.id.b[0], best.id.b[1], pastry->near->steps);
  ss_near_end (pastry);
  ss_pastry_join_through (pastry, &best);
}

static void
ping (SsPastry *pastry, const SsContact *peer)
{
  SsNear *near = pastry->near;
  if (near->n_pinged < G_N_ELEMENTS (near->pinged)
      && !ss_contact_is_client (peer)
      && (near->steps == 0 || !ss_id_equal (&peer->id, &near->best.id))
      && ss_link_ping (pastry->link, peer, false))
    near->pinged[near->n_pinged++] = *peer;
}
