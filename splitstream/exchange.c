/* Who has children in several stripes exchanges some with another such node, so
 * that each has more in fewer. Where hardly any node has room, nobody can take
 * children to gather them (spare.c); but of two that both have some of one
 * stripe, one can give its own away for as many of another stripe. Departure
 * from SplitStream (SOSP 2003), which leaves them as they came.
 *
 *   asker --anycast: how many of each stripe--> group of those with several
 *     ^--- which of the asker's, for which of its own, how many --- member
 *   The asker sheds so many, and sends them to the member; that one takes
 *   each of them for one that it sheds, and sends to the asker.
 *
 * Only who has been full for a while takes part: who does not forward what it
 * should is left by its children, and has room before that.
 *
 * An exchange has to make the sum of the squares of the two nodes' numbers
 * greater, so it ends; and nobody is moved from where it would come back to
 * (ss_spare_may_go). What either says of itself is not believed further than
 * that: a stranger that comes for what was not offered is taken if there is
 * room. */
#include <string.h>

#include "splitstream/private.h"

#define TERMS_LEN 3 /* of an answer: the asker's stripe, the member's, each */

SsId
ss_exchange_id (const SsId *group_id, uint64_t salt)
{
  static const char label[] = "exchange";
  return ss_spare_id_of (group_id, salt, label, sizeof label);
}

static SsExchange *
get (SsStation *station)
{
  if (station->exchange == NULL) {
    SsExchange *exchange = station->exchange = g_new0 (SsExchange, 1);
    exchange->stripe.station = station;
    exchange->stripe.index = SS_EXCHANGE_INDEX;
    exchange->full_since = station->owner->env->now;
  }
  return station->exchange;
}

SsStripe *
ss_exchange_stripe (SsStation *station)
{
  return &get (station)->stripe;
}

void
ss_exchange_clear (SsStation *station)
{
  SsExchange *exchange = station->exchange;
  if (exchange == NULL)
    return;
  if (exchange->search != 0)
    ss_scribe_anycast_cancel (station->owner->scribe, exchange->search);
  exchange->search = 0;
  exchange->stripe.group = NULL;
}

static unsigned
count_parts (const uint8_t parts[SS_STRIPES])
{
  unsigned n = 0;
  for (unsigned i = 0; i < SS_STRIPES; i++)
    n += parts[i] > 0;
  return n;
}

/* Its children in each stripe; where it is the root, or carries the tree for a
 * broadcaster that is, none counts. */
static void
fill_parts (const SsStation *station, uint8_t ret_parts[SS_STRIPES])
{
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    const SsGroup *group = station->stripes[i].group;
    bool is_part = group != NULL && !ss_group_is_top (group);
    ret_parts[i] =
        is_part ? (uint8_t) MIN (ss_group_n_children (group), UINT8_MAX) : 0;
  }
}

void
ss_exchange_run (SsStation *station)
{
  SsTime now = station->owner->env->now;
  uint8_t parts[SS_STRIPES];
  fill_parts (station, parts);
  /* Who has room gathers; a place may be free for a moment. */
  bool is_full = ss_family_n_taken (station->family) + 1
                 >= ss_family_children_max (station->family);
  bool has_several =
      station->role == SS_ROLE_LISTENER && is_full && count_parts (parts) >= 2;
  if (!has_several && station->exchange == NULL)
    return;
  SsExchange *exchange = get (station);
  if (!has_several)
    exchange->full_since = now;
  has_several &= now - exchange->full_since >= SS_EXCHANGE_PATIENCE;
  SsId id = ss_exchange_id (&station->group_id, station->params.salt);
  ss_spare_follow (&exchange->stripe, &id, has_several);
  if (memcmp (parts, exchange->parts, sizeof parts) != 0)
    exchange->wait = 0; /* there may be somebody now */
  if (!has_several || exchange->search != 0 || now < exchange->until
      || now < exchange->asked + exchange->wait)
    return;
  memcpy (exchange->parts, parts, sizeof parts);
  exchange->asked = now;
  exchange->wait =
      CLAMP (2 * exchange->wait, SS_GATHER_WAIT_MIN, SS_GATHER_WAIT_MAX);
  exchange->search =
      ss_scribe_anycast (station->owner->scribe, &id, 1, parts, sizeof parts);
}

static unsigned
square (unsigned n)
{
  return n * n;
}

/* What would be gained if so many went. */
static int
gain_of (const uint8_t theirs[SS_STRIPES], const uint8_t ours[SS_STRIPES],
         unsigned in, unsigned out, unsigned n)
{
  unsigned before = square (theirs[in]) + square (ours[in])
                    + square (theirs[out]) + square (ours[out]);
  unsigned after = square (theirs[in] - n) + square (ours[in] + n)
                   + square (theirs[out] + n) + square (ours[out] - n);
  return (int) after - (int) before;
}

/* The exchange that gains most: of the asker's stripe `in` for this node's
 * `out`; false: there is none. */
static bool
find_terms (const SsStation *station, const SsContact *origin,
            const uint8_t theirs[SS_STRIPES], uint8_t ret_terms[TERMS_LEN])
{
  const SsContact *self = ss_kbr_self (station->owner->kbr);
  uint8_t ours[SS_STRIPES];
  int best = 0;
  fill_parts (station, ours);
  for (unsigned in = 0; in < SS_STRIPES; in++) {
    const SsGroup *group = station->stripes[in].group;
    if (theirs[in] == 0 || ours[in] == 0
        || !ss_spare_may_go (in, &origin->id, &self->id)
        || !ss_group_may_take (group, origin))
      continue;
    for (unsigned out = 0; out < SS_STRIPES; out++) {
      unsigned n = MIN (theirs[in], ours[out]);
      if (out == in || n == 0 || !ss_spare_may_go (out, &self->id, &origin->id)
          || gain_of (theirs, ours, in, out, n) <= best)
        continue;
      best = gain_of (theirs, ours, in, out, n);
      ret_terms[0] = (uint8_t) in;
      ret_terms[1] = (uint8_t) out;
      ret_terms[2] = (uint8_t) n;
    }
  }
  return best > 0;
}

bool
ss_exchange_asked (SsStation *station, const SsContact *origin,
                   const uint8_t *data, size_t len, uint8_t *ret_answer,
                   size_t *ret_len)
{
  SsExchange *exchange = get (station);
  SsTime now = station->owner->env->now;
  uint8_t terms[TERMS_LEN];
  if (len != SS_STRIPES || now < exchange->until
      || station->role != SS_ROLE_LISTENER
      || !find_terms (station, origin, data, terms))
    return false;
  if (!ss_group_offer (station->stripes[terms[0]].group,
                       station->stripes[terms[1]].group, origin, terms[2],
                       now + SS_EXCHANGE_TIME))
    return false;
  exchange->until = now + SS_EXCHANGE_TIME;
  memcpy (ret_answer, terms, TERMS_LEN);
  *ret_len = TERMS_LEN;
  return true;
}

static void
agree (SsStation *station, const SsContact *member, const uint8_t *terms)
{
  SsExchange *exchange = get (station);
  SsTime now = station->owner->env->now;
  uint8_t parts[SS_STRIPES];
  unsigned out = terms[0], in = terms[1];
  fill_parts (station, parts);
  if (out >= SS_STRIPES || in >= SS_STRIPES || out == in || parts[out] == 0
      || !ss_spare_may_go (out, &ss_kbr_self (station->owner->kbr)->id,
                           &member->id)
      || parts[out] > exchange->parts[out] || parts[in] < exchange->parts[in]
      || now < exchange->until || station->stripes[in].group == NULL
      || !ss_group_may_take (station->stripes[in].group, member))
    return;
  exchange->until = now + SS_EXCHANGE_TIME;
  ss_group_give (station->stripes[out].group, member,
                 MIN (terms[2], parts[out]));
}

bool
ss_exchange_answered (SsSplitStream *splitstream, uint32_t search,
                      const SsScribeAnswer *answer)
{
  for (unsigned i = 0; i < splitstream->stations->len; i++) {
    SsStation *station = g_ptr_array_index (splitstream->stations, i);
    SsExchange *exchange = station->exchange;
    if (exchange == NULL || exchange->search != search)
      continue;
    exchange->search = 0;
    if (answer != NULL && answer->len == TERMS_LEN)
      agree (station, &answer->member, answer->data);
    return true;
  }
  return false;
}
