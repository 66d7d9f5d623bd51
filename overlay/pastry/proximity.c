/* The routing table's care: entries are measured, and probed as often as the
 * target for the raw loss asks (MSPastry, section 4.1, tune.h).
 *
 * Departures: probes are pings of the link, two datagrams without a session.
 * They prove little, so silence only begins the real probing. Leaves are not
 * probed here: neighbours watch them. */
#include "overlay/pastry/internal.h"

#define LOSS_TARGET 0.05
#define DEATH_TIME  (6 * SS_SEC) /* a ping's time-out, and probes */
#define PERIOD_MIN  (30 * SS_SEC)
#define PERIOD_MAX  (3600 * SS_SEC)
_Static_assert(PERIOD_MAX + PERIOD_MAX / 10 < SS_TABLE_HEARD_MAX,
               "when an entry was heard is known for a period");
#define TUNE_INTERVAL     (60 * SS_SEC)
#define PROBES_PER_TICK   8
#define LOOKS             8 /* at each entry in a period: was it heard? */
#define LOOKS_PER_TICK    64
#define MEASURES_PER_TICK 4

static void tune (SsPastry *pastry);
static void probe_entries (SsPastry *pastry);
static void measure_entries (SsPastry *pastry, unsigned n);
static void take_measured (SsPastry *pastry, const SsContact *peer, SsTime rtt,
                           bool is_sought);

void
ss_proximity_tick (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  if (now - pastry->last_tune >= TUNE_INTERVAL || pastry->probe_period == 0) {
    pastry->last_tune = now;
    tune (pastry);
  }
  probe_entries (pastry);
}

void
ss_pastry_link_pinged (SsPastry *pastry, const SsContact *peer, SsTime rtt)
{
  ss_pastry_wake (pastry);
  if (pastry->state == SS_PASTRY_JOINING) {
    if (rtt != SS_NEVER && !ss_contact_is_client (peer))
      ss_table_offer (&pastry->table, peer, rtt);
    ss_near_pinged (pastry, peer, rtt);
    return;
  }
  if (pastry->state != SS_PASTRY_ACTIVE)
    return;
  SsContact known;
  if (rtt != SS_NEVER)
    take_measured (pastry, peer, rtt, true);
  else if (ss_pastry_find (pastry, &peer->id, &known))
    ss_pastry_doubt (pastry, &known, SS_DOUBT_PINGED);
}

SsTime
ss_pastry_link_wanted (SsPastry *pastry, const SsContact *peer)
{
  SsContact known;
  /* Not authenticated; but who pretends to be an entry at its own address
   * gains no more than that it is not probed in this period. */
  if (ss_table_find (&pastry->table, &peer->id, &known)
      && ss_addr_equal (&known.addr, &peer->addr))
    ss_table_heard (&pastry->table, &peer->id, ss_pastry_env (pastry)->now);
  if (pastry->state != SS_PASTRY_ACTIVE || ss_contact_is_client (peer)
      || ss_pastry_is_dead (pastry, &peer->id)
      || ss_table_rtt (&pastry->table, &peer->id) != SS_NEVER)
    return 0;
  SsTime rtt = ss_table_place_rtt (&pastry->table, &peer->id);
  return rtt > SS_PASTRY_NEAR_ENOUGH ? rtt : 0;
}

void
ss_pastry_link_met (SsPastry *pastry, const SsContact *peer, SsTime rtt)
{
  ss_pastry_wake (pastry);
  if (pastry->state == SS_PASTRY_ACTIVE)
    take_measured (pastry, peer, rtt, false);
}

static void
take_measured (SsPastry *pastry, const SsContact *peer, SsTime rtt,
               bool is_sought)
{
  SsTable *table = &pastry->table;
  unsigned row, column;
  if (!ss_table_place (table, &peer->id, &row, &column)
      || ss_pastry_is_dead (pastry, &peer->id) || ss_contact_is_client (peer))
    return;
  bool was_empty = !ss_table_has (table, row, column);
  SsTime before = ss_table_place_rtt (table, &peer->id);
  /* The address of one known is his link's business. */
  SsContact contact = *peer, known;
  bool is_known = ss_table_find (table, &peer->id, &known);
  if (is_known)
    contact = known;
  bool is_in = ss_table_offer (table, &contact, rtt);
  if (is_in)
    ss_table_heard (table, &peer->id, ss_pastry_env (pastry)->now);
  if (!is_in || is_known)
    return;
  if (was_empty)
    ss_news_filled (pastry, &contact);
  else if (is_sought)
    ss_search_found (pastry, &contact.id, before, rtt);
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

/* Who has been silent for a period; entries are looked at in turns. */
static void
probe_entries (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  unsigned n = ss_table_n_entries (&pastry->table);
  if (n == 0)
    return;
  measure_entries (pastry, n);
  SsTime pause = pastry->probe_period / n / LOOKS;
  unsigned n_pings = 0;
  for (unsigned i = 0; i < LOOKS_PER_TICK && n_pings < PROBES_PER_TICK
                       && now - pastry->last_table_look >= pause;
       i++) {
    pastry->last_table_look =
        MAX (pastry->last_table_look + pause, now - LOOKS_PER_TICK * pause);
    unsigned at = pastry->next_look++ % n;
    if (ss_table_nth_silence (&pastry->table, at, now) < pastry->probe_period)
      continue;
    SsContact contact = ss_table_nth (&pastry->table, at);
    if (ss_leafset_find (&pastry->leafset, &contact.id) == NULL)
      n_pings += ss_link_ping (pastry->link, &contact, true);
  }
}

/* Some of the entries that were never measured, the lowest first: those at
 * the top may be gone for nearer ones before it is their turn. */
static void
measure_entries (SsPastry *pastry, unsigned n)
{
  unsigned n_pings = 0;
  for (unsigned i = n; i > 0 && n_pings < MEASURES_PER_TICK; i--) {
    if (ss_table_nth_rtt (&pastry->table, i - 1) != SS_NEVER)
      continue;
    SsContact contact = ss_table_nth (&pastry->table, i - 1);
    n_pings += ss_link_ping (pastry->link, &contact, true);
  }
}
