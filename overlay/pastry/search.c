/* Who is nearer (proximity neighbour selection; MSPastry, section 4.2,
 * "constrained gossip"): rows are asked of those who are nearest, whose rows
 * are likely to be of use, and only who might take a place is measured. A row
 * that brought something is asked for again soon, of another; one that did
 * not, after a pause that grows.
 *
 * A measurement serves both ends (link.h, ss_link_ping): the other learns of
 * this node, and how far it is, if it has a place for it. So a newcomer that
 * measures who is in its table makes itself known to them. */
#include "overlay/pastry/internal.h"

#include <string.h>

#define ROWS_PER_TICK  2
#define NEAREST        4
#define PINGS_PER_ROW  8
#define PINGS_SETTLED  3
#define WORTH_PERCENT  95 /* of the distance so far: a gain */
#define VACANT_TRIES   1
#define SEARCHED       64
#define FAR_SQUARED    3 /* as likely not nearer: not measured */
#define FAR_SETTLED    1
#define UNKNOWN_CHANCE 4 /* one in so many asks goes to a member by lot */

/* After a row has brought nothing, once, twice... */
static const SsTime pauses[] = { 5 * SS_SEC, 15 * SS_SEC, 60 * SS_SEC,
                                 300 * SS_SEC, 1200 * SS_SEC };
#define PAUSE_LATE 4
#define PAUSE_LAST (G_N_ELEMENTS (pauses) - 1)

/* Who was measured in vain, while rows still bring something. */
struct SsSearch {
  uint16_t tags[SEARCHED];
  uint8_t next;
};

typedef struct {
  unsigned at; /* in the message */
  double rank;
} Candidate;

static bool has_others (const SsPastry *pastry, unsigned row);
static SsTime next_pause (SsPastry *pastry, unsigned row);
static void ask_for_row (SsPastry *pastry, unsigned row);
static bool is_settled (const SsPastry *pastry);
static bool rank_candidate (const SsPastry *pastry, const SsContact *contact,
                            SsTime between, SsTime beyond, double *ret_rank);
static bool was_searched (const SsPastry *pastry, const SsId *id);
static void note_searched (SsPastry *pastry, const SsId *id);

void
ss_search_begin (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned i = 0; i < SS_PASTRY_SEARCH_ROWS; i++)
    pastry->searches[i] = (SsRowSearch){ .due = now };
}

void
ss_search_end (SsPastry *pastry)
{
  g_clear_pointer (&pastry->search, g_free);
}

void
ss_search_tick (SsPastry *pastry)
{
  SsEnv *env = ss_pastry_env (pastry);
  unsigned n_rows =
      MIN (ss_table_n_rows (&pastry->table), SS_PASTRY_SEARCH_ROWS);
  for (unsigned n = 0; n < ROWS_PER_TICK; n++) {
    SsRowSearch *next = NULL;
    for (unsigned i = n_rows; i > 0; i--) {
      SsRowSearch *search = &pastry->searches[i - 1];
      if (search->due <= env->now && (next == NULL || search->due <= next->due))
        next = search;
    }
    if (next == NULL)
      break;
    unsigned row = (unsigned) (next - pastry->searches);
    next->due = env->now + next_pause (pastry, row);
    ask_for_row (pastry, row);
  }
  if (pastry->search != NULL && is_settled (pastry))
    ss_search_end (pastry);
}

void
ss_search_row (SsPastry *pastry, const SsContact *from,
               const SsContact *contacts, const SsMsgRow *message)
{
  Candidate best[PINGS_PER_ROW];
  unsigned n = 0;
  unsigned most = is_settled (pastry) ? PINGS_SETTLED : PINGS_PER_ROW;
  if (pastry->state != SS_PASTRY_ACTIVE)
    return;
  SsTime between = ss_pastry_distance (pastry, &from->id);
  for (unsigned i = 0; i < message->n_peers; i++) {
    SsTime beyond = SS_NEVER;
    Candidate candidate = { .at = i };
    if (i < message->n_rtts)
      beyond = ss_table_rtt_from_units (message->rtts[i]);
    if (!rank_candidate (pastry, &contacts[i], between, beyond,
                         &candidate.rank))
      continue;
    unsigned at = n;
    while (at > 0 && candidate.rank < best[at - 1].rank)
      at--;
    if (at == most)
      continue;
    n = MIN (n + 1, most);
    memmove (&best[at + 1], &best[at], (n - at - 1) * sizeof best[0]);
    best[at] = candidate;
  }
  for (unsigned i = 0; i < n; i++) {
    const SsContact *contact = &contacts[best[i].at];
    if (ss_link_ping (pastry->link, contact, true))
      note_searched (pastry, &contact->id);
  }
}

void
ss_search_found (SsPastry *pastry, const SsId *id, SsTime before, SsTime rtt)
{
  unsigned row, column;
  if (ss_table_place (&pastry->table, id, &row, &column)
      && row < SS_PASTRY_SEARCH_ROWS
      && (before == SS_NEVER || rtt < before / 100 * WORTH_PERCENT)) {
    SsRowSearch *search = &pastry->searches[row];
    SsTime soon = ss_pastry_env (pastry)->now
                  + pauses[search->pause < PAUSE_LATE ? 0 : PAUSE_LATE];
    search->has_gained = true;
    search->due = MIN (search->due, soon);
  }
}

void
ss_search_vacant (SsPastry *pastry, const SsId *gone)
{
  unsigned row, column;
  if (pastry->state != SS_PASTRY_ACTIVE
      || !ss_table_place (&pastry->table, gone, &row, &column)
      || row >= SS_PASTRY_SEARCH_ROWS)
    return;
  /* At the next tick: many may die at once. */
  SsRowSearch *search = &pastry->searches[row];
  search->vacant |= (uint16_t) (1u << column);
  search->n_vain = has_others (pastry, row) ? 0 : VACANT_TRIES;
  search->due = ss_pastry_env (pastry)->now;
}

/* Is there likely to be another for a place of that row? */
static bool
has_others (const SsPastry *pastry, unsigned row)
{
  return pastry->ring_size >> (4 * MIN (row + 1, 7)) > 0;
}

/* Who is asked in the place of a dead one may have had the same there, and
 * another is asked soon. */
static SsTime
next_pause (SsPastry *pastry, unsigned row)
{
  SsRowSearch *search = &pastry->searches[row];
  for (unsigned i = 0; search->vacant != 0 && i < SS_TABLE_COLUMNS; i++) {
    if (ss_table_has (&pastry->table, row, i))
      search->vacant &= (uint16_t) ~(1u << i);
  }
  if (search->vacant != 0 && search->n_vain++ < VACANT_TRIES)
    return pauses[0];
  search->vacant = 0;
  search->n_vain = 0;
  /* A newcomer goes on; who has searched for long need not begin anew. */
  if (!search->has_gained)
    search->pause = (uint8_t) MIN (search->pause + 1u, PAUSE_LAST);
  else
    search->pause = search->pause < PAUSE_LATE ? 0 : PAUSE_LATE;
  search->has_gained = false;
  SsTime pause = pauses[search->pause];
  return pause / 4 * 3
         + (SsTime) ss_rng_below (&ss_pastry_env (pastry)->rng,
                                  (uint64_t) pause / 2);
}

/* One of the nearest who share so many digits, or, now and then, one of the
 * row by lot. */
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
  /* Who is near has lost the same. */
  if (row < SS_PASTRY_SEARCH_ROWS && pastry->searches[row].vacant != 0)
    one = first + (unsigned) ss_rng_below (rng, n - first);
  else if (n_row > 0 && ss_rng_below (rng, UNKNOWN_CHANCE) == 0)
    one = first + (unsigned) ss_rng_below (rng, n_row);
  SsContact to = ss_table_nth (table, one);
  if (!ss_pastry_is_suspected (pastry, &to.id))
    ss_pastry_request_row (pastry, &to, row, false);
}

static bool
is_settled (const SsPastry *pastry)
{
  unsigned n_rows =
      MIN (ss_table_n_rows (&pastry->table), SS_PASTRY_SEARCH_ROWS);
  for (unsigned i = 0; i < n_rows; i++) {
    if (pastry->searches[i].has_gained
        || pastry->searches[i].pause < G_N_ELEMENTS (pauses) - 1)
      return false;
  }
  return true;
}

/* How likely is it that it takes the place of who is there? The lower the
 * rank the more. By the triangle inequality it is as far as the difference of
 * the two ways over the node that told of it, at least; in the mean over all
 * directions its distance, squared, is the sum of their squares. */
static bool
rank_candidate (const SsPastry *pastry, const SsContact *contact,
                SsTime between, SsTime beyond, double *ret_rank)
{
  if (ss_pastry_is_self (pastry, &contact->id) || ss_contact_is_client (contact)
      || ss_pastry_is_dead (pastry, &contact->id)
      || !ss_table_would_prefer (&pastry->table, &contact->id,
                                 SS_PASTRY_NEAR_ENOUGH)
      || was_searched (pastry, &contact->id))
    return false;
  SsTime place = ss_table_place_rtt (&pastry->table, &contact->id);
  *ret_rank = 1;
  if (between == SS_NEVER || beyond == SS_NEVER)
    return true;
  *ret_rank = 0;
  if (place == SS_NEVER)
    return true;
  double b = (double) between, y = (double) beyond, r = (double) place;
  *ret_rank = (b * b + y * y) / (r * r);
  double far = is_settled (pastry) ? FAR_SETTLED : FAR_SQUARED;
  return ABS (b - y) < r && *ret_rank < far;
}

static bool
was_searched (const SsPastry *pastry, const SsId *id)
{
  uint16_t tag = (uint16_t) (ss_pastry_prefix (id) >> 32);
  for (unsigned i = 0; pastry->search != NULL && i < SEARCHED; i++) {
    if (pastry->search->tags[i] == tag)
      return true;
  }
  return false;
}

static void
note_searched (SsPastry *pastry, const SsId *id)
{
  if (is_settled (pastry))
    return;
  if (pastry->search == NULL)
    pastry->search = g_new0 (SsSearch, 1);
  SsSearch *search = pastry->search;
  search->tags[search->next++ % SEARCHED] =
      (uint16_t) (ss_pastry_prefix (id) >> 32);
}
