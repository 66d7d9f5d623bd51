/* The routing table's care: entries probed as often as the target for the raw
 * loss asks (MSPastry, section 4.1, tune.h), and replaced by nearer ones
 * (proximity neighbour selection; section 4.2, "constrained gossip": rows are
 * asked of members of these rows, and only who might take a place is
 * measured). A measurement serves both: whoever gets a place is told it, and
 * measures too if he has one to give, for anybody can say that he is near.
 *
 * Departure: probes are pings of the link, two datagrams without a session.
 * They prove little, so silence only begins the real probing. Leaves are not
 * probed here: neighbours watch them. */
#include "overlay/pastry/internal.h"

#include <string.h>

#define LOSS_TARGET       0.05
#define DEATH_TIME        (6 * SS_SEC) /* a ping's time-out, and probes */
#define PERIOD_MIN        (30 * SS_SEC)
#define PERIOD_MAX        (3600 * SS_SEC)
#define TUNE_INTERVAL     (60 * SS_SEC)
#define PROBES_PER_TICK   8
#define ROW_INTERVAL      (1200 * SS_SEC) /* of each row */
#define ROW_FIRST         (15 * SS_SEC) /* in the first rounds, if they gain */
#define ROUNDS_FIRST      12
#define PINGS_PER_ROW     8
#define WORTH_PERCENT     90 /* of the distance so far: a gain */
#define NEAREST           4
#define MEASURES_PER_TICK 2
#define NEAR_ENOUGH       (500 * SS_USEC) /* no search for anything nearer */

static void tune (SsPastry *pastry);
static void probe_entries (SsPastry *pastry);
static void measure_entries (SsPastry *pastry, unsigned n);
static void exchange_row (SsPastry *pastry);
static void ask_for_row (SsPastry *pastry, unsigned row);
static bool has_place_for (const SsPastry *pastry, const SsContact *contact);
static bool may_be_nearer (const SsPastry *pastry, const SsId *id,
                           SsTime between, SsTime beyond);
static void tell_distance (SsPastry *pastry, const SsContact *to, SsTime rtt);

void
ss_proximity_tick (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  if (now - pastry->last_tune >= TUNE_INTERVAL || pastry->probe_period == 0) {
    pastry->last_tune = now;
    tune (pastry);
  }
  probe_entries (pastry);
  exchange_row (pastry);
}

void
ss_proximity_row (SsPastry *pastry, const SsContact *from,
                  const SsContact *contacts, const SsMsgRow *message)
{
  unsigned n = message->n_peers, n_pings = 0;
  if (pastry->state != SS_PASTRY_ACTIVE || n == 0)
    return;
  SsTime between = ss_pastry_distance (pastry, &from->id);
  unsigned first = (unsigned) ss_rng_below (&ss_pastry_env (pastry)->rng, n);
  for (unsigned i = 0; i < n && n_pings < PINGS_PER_ROW; i++) {
    unsigned at = (first + i) % n;
    SsTime beyond = SS_NEVER;
    if (at < message->n_rtts)
      beyond = ss_table_rtt_from_units (message->rtts[at]);
    if (has_place_for (pastry, &contacts[at])
        && may_be_nearer (pastry, &contacts[at].id, between, beyond)
        && ss_link_ping (pastry->link, &contacts[at]))
      n_pings++;
  }
}

void
ss_pastry_link_pinged (SsPastry *pastry, const SsContact *peer, SsTime rtt)
{
  ss_pastry_wake (pastry);
  if (pastry->state == SS_PASTRY_JOINING) {
    ss_near_pinged (pastry, peer, rtt);
    return;
  }
  if (pastry->state != SS_PASTRY_ACTIVE)
    return;
  SsContact known;
  if (rtt == SS_NEVER) {
    if (ss_pastry_find (pastry, &peer->id, &known))
      ss_pastry_doubt (pastry, &known, false);
    return;
  }
  if (ss_pastry_is_dead (pastry, &peer->id) || ss_contact_is_client (peer))
    return;
  bool is_better = ss_table_would_prefer (&pastry->table, &peer->id, rtt);
  SsTime before = ss_table_place_rtt (&pastry->table, &peer->id);
  if (is_better && rtt < before / 100 * WORTH_PERCENT)
    pastry->has_gained = true;
  /* The address of one known is his link's business. */
  SsContact contact = *peer;
  if (ss_table_find (&pastry->table, &peer->id, &known))
    contact = known;
  ss_table_offer (&pastry->table, &contact, rtt);
  if (is_better)
    tell_distance (pastry, &contact, rtt);
}

void
ss_proximity_hello (SsPastry *pastry, const SsContact *from,
                    const SsMsgHello *message)
{
  ss_pastry_meet (pastry, from, true);
  if (message->rtt_us > 0 && pastry->state == SS_PASTRY_ACTIVE
      && !ss_contact_is_client (from)
      && ss_table_would_prefer (&pastry->table, &from->id,
                                message->rtt_us * SS_USEC))
    ss_link_ping (pastry->link, from);
}

void
ss_proximity_vacant (SsPastry *pastry, const SsId *gone)
{
  unsigned row, column;
  if (pastry->state != SS_PASTRY_ACTIVE
      || !ss_table_place (&pastry->table, gone, &row, &column))
    return;
  /* Once a tick: many may die at once. */
  pastry->vacant_row = (uint8_t) (row + 1);
}

static void
tune (SsPastry *pastry)
{
  const SsLeafset *leafset = &pastry->leafset;
  SsTime now = ss_pastry_env (pastry)->now;
  double size = leafset->n + 1;
  if (!leafset->whole) {
    SsId from = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT);
    SsId to = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT);
    size = ss_tune_ring_size (&from, &to, leafset->n);
  }
  unsigned n_known = leafset->n + ss_table_n_entries (&pastry->table);
  double rate = ss_tune_rate (&pastry->tune, now, n_known);
  SsTime period =
      ss_tune_period (LOSS_TARGET, SS_PASTRY_HEARTBEAT, DEATH_TIME, rate, size);
  pastry->probe_period = CLAMP (period, PERIOD_MIN, PERIOD_MAX);
  pastry->ring_size = (uint32_t) MIN (size, UINT32_MAX);
}

/* Each entry once in a period, one after the other. */
static void
probe_entries (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  unsigned n = ss_table_n_entries (&pastry->table);
  if (n == 0)
    return;
  measure_entries (pastry, n);
  SsTime pause = pastry->probe_period / n;
  for (unsigned i = 0;
       i < PROBES_PER_TICK && now - pastry->last_table_probe >= pause; i++) {
    pastry->last_table_probe =
        MAX (pastry->last_table_probe + pause, now - PROBES_PER_TICK * pause);
    pastry->next_probe = (uint16_t) (pastry->next_probe % n);
    SsContact contact = ss_table_nth (&pastry->table, pastry->next_probe++);
    SsTime heard = ss_link_last_heard (pastry->link, &contact.id);
    if (ss_leafset_find (&pastry->leafset, &contact.id) == NULL
        && (heard < 0 || now - heard > pastry->probe_period))
      ss_link_ping (pastry->link, &contact);
  }
}

/* Some of the entries that were never measured. */
static void
measure_entries (SsPastry *pastry, unsigned n)
{
  unsigned n_pings = 0;
  for (unsigned i = 0; i < n && n_pings < MEASURES_PER_TICK; i++) {
    if (ss_table_nth_rtt (&pastry->table, i) != SS_NEVER)
      continue;
    SsContact contact = ss_table_nth (&pastry->table, i);
    n_pings += ss_link_ping (pastry->link, &contact);
  }
}

static void
exchange_row (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  unsigned n_rows = ss_table_n_rows (&pastry->table);
  if (pastry->vacant_row > 0) {
    ask_for_row (pastry, pastry->vacant_row - 1u);
    pastry->vacant_row = 0;
    return;
  }
  if (n_rows == 0)
    return;
  bool is_new = pastry->row_rounds < ROUNDS_FIRST;
  SsTime pause = is_new ? ROW_FIRST : ROW_INTERVAL / n_rows;
  if (now - pastry->last_row < pause)
    return;
  pastry->last_row = now;
  if (pastry->next_row >= n_rows) {
    pastry->next_row = 0;
    pastry->row_rounds = (uint8_t) MIN (pastry->row_rounds + 1, ROUNDS_FIRST);
    if (!pastry->has_gained)
      pastry->row_rounds = ROUNDS_FIRST;
    pastry->has_gained = false;
  }
  ask_for_row (pastry, pastry->next_row++);
}

/* One of the nearest who share so many digits, whose row is likely to be of
 * use, or, every other time, one of the row by lot. */
static void
ask_for_row (SsPastry *pastry, unsigned row)
{
  const SsTable *table = &pastry->table;
  SsRng *rng = &ss_pastry_env (pastry)->rng;
  unsigned first = 0, n_row = ss_table_row_count (table, row);
  for (unsigned i = 0; i < row; i++)
    first += ss_table_row_count (table, i);
  unsigned n = ss_table_n_entries (table);
  if (first >= n)
    return;
  unsigned nearest[NEAREST], n_nearest = 0;
  for (unsigned i = first; i < n; i++) {
    SsTime rtt = ss_table_nth_rtt (table, i);
    unsigned at = n_nearest;
    while (at > 0 && rtt < ss_table_nth_rtt (table, nearest[at - 1]))
      at--;
    if (at == NEAREST)
      continue;
    n_nearest = MIN (n_nearest + 1, NEAREST);
    memmove (&nearest[at + 1], &nearest[at],
             (n_nearest - at - 1) * sizeof nearest[0]);
    nearest[at] = i;
  }
  unsigned one = nearest[ss_rng_below (rng, n_nearest)];
  if (n_row > 0 && ss_rng_below (rng, 4) == 0)
    one = first + (unsigned) ss_rng_below (rng, n_row);
  SsContact to = ss_table_nth (table, one);
  if (!ss_pastry_is_suspected (pastry, &to.id))
    ss_pastry_request_row (pastry, &to, row, false);
}

/* Is there somebody in his place who is not quite near? */
static bool
has_place_for (const SsPastry *pastry, const SsContact *contact)
{
  return !ss_pastry_is_self (pastry, &contact->id)
         && !ss_contact_is_client (contact)
         && !ss_pastry_is_dead (pastry, &contact->id)
         && ss_table_would_prefer (&pastry->table, &contact->id, NEAR_ENOUGH);
}

/* Not, if even along the straight line (triangle inequality) it would be
 * farther than the one who has the place. */
static bool
may_be_nearer (const SsPastry *pastry, const SsId *id, SsTime between,
               SsTime beyond)
{
  if (between == SS_NEVER || beyond == SS_NEVER)
    return true;
  return MAX (between, beyond) < ss_table_place_rtt (&pastry->table, id);
}

static void
tell_distance (SsPastry *pastry, const SsContact *to, SsTime rtt)
{
  uint8_t buf[SS_MSG_HELLO_MAX];
  SsMsgHello message = {
    .rtt_us = (uint32_t) MIN (rtt / SS_USEC, UINT32_MAX),
  };
  size_t len = ss_msg_hello_encode (&message, buf, sizeof buf);
  ss_pastry_send (pastry, to, 0, 0, buf, len);
}
