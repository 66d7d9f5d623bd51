/* The spare capacity group of a station: those of its nodes that have room for
 * more children (SplitStream, SOSP 2003, section 3.4). Who finds no place in
 * a stripe's tree asks it, by anycast, for a node that receives this stripe,
 * has room and is not below the asker. Departure: if there is none, a relay
 * that has room comes to carry the stripe.
 *
 * A node enters when it has been in the trees for a while, so that those of
 * its own stripe have come first, and leaves when it is full.
 *
 * Where hardly more room is there than is needed, who comes first takes places
 * that those of a stripe then lack, and many nodes end up with children in
 * two or three stripes. SplitStream's rule, to drop a foreign child for one in
 * the own stripe, does not end that where a stripe has too few nodes of its
 * own. So who has children in several asks the group for somebody who has
 * children in one of these only, or more than itself, and advises its own in
 * that stripe to go there: they are gathered at few nodes. Those of its own
 * stripe go only to another whose own it is. */
#include "splitstream/private.h"

/* What is asked for: the stripe, who will do, and the asker's children in the
 * stripe. */
#define QUESTION_LEN 3

typedef enum {
  WANTED_WITH_STRIPE, /* who receives it */
  WANTED_ANY,         /* also a relay that would have to join its tree */
  WANTED_MORE,        /* who has more children in it than the asker */
} Wanted;

SsId
ss_spare_id_of (const SsId *group_id, uint64_t salt, const char *label,
                size_t label_size)
{
  uint64_t big_endian = GUINT64_TO_BE (salt);
  const SsBytes parts[] = { { group_id->b, sizeof group_id->b },
                            { &big_endian, sizeof big_endian },
                            { label, label_size } };
  return ss_id_of_parts (parts, G_N_ELEMENTS (parts));
}

SsId
ss_spare_id (const SsId *group_id, uint64_t salt)
{
  static const char label[] = "spare";
  return ss_spare_id_of (group_id, salt, label, sizeof label);
}

void
ss_spare_open (SsStation *station)
{
  SsFamilyConfig config = { .mode = SS_GROUP_LIVE, .is_light = true };
  config.info_len = ss_station_params_encode (&station->params, config.info,
                                              sizeof config.info);
  g_assert (config.info_len > 0);
  station->spare_family = ss_family_new (station->owner->scribe, &config);
  station->spare_next = station->owner->env->now + SS_SPARE_FIRST;
}

void
ss_spare_clear (SsStation *station)
{
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    SsStripe *stripe = &station->stripes[i];
    if (stripe->search != 0)
      ss_scribe_anycast_cancel (station->owner->scribe, stripe->search);
    stripe->search = 0;
  }
  if (station->gathering.search != 0)
    ss_scribe_anycast_cancel (station->owner->scribe,
                              station->gathering.search);
  station->gathering.search = 0;
  ss_exchange_clear (station);
  ss_family_free (station->spare_family);
  station->spare_family = NULL;
  station->spare.group = NULL;
}

/* Can it take anybody, in any stripe? Not before a packet has come: whoever
 * invents stations shall not have groups made for them as well. */
static bool
has_room (const SsStation *station)
{
  const SsContact *self = ss_kbr_self (station->owner->kbr);
  if (station->tops == NULL || (self->flags & SS_PEER_REACHABLE) == 0
      || ss_station_is_unwilling (station)
      || !ss_family_has_room (station->family))
    return false;
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    const SsGroup *group = station->stripes[i].group;
    if (group != NULL && ss_group_in_tree (group))
      return true;
  }
  return false;
}

static unsigned
n_children (const SsStripe *stripe)
{
  return stripe->group != NULL ? ss_group_n_children (stripe->group) : 0;
}

/* The search; 0: too many are under way. */
static uint32_t
ask (const SsStripe *stripe, Wanted wanted)
{
  SsStation *station = stripe->station;
  const uint8_t question[QUESTION_LEN] = {
    stripe->index,
    (uint8_t) wanted,
    (uint8_t) MIN (n_children (stripe), UINT8_MAX),
  };
  SsId id = ss_spare_id (&station->group_id, station->params.salt);
  return ss_scribe_anycast (station->owner->scribe, &id, 1, question,
                            sizeof question);
}

bool
ss_spare_homeless (SsStripe *stripe)
{
  if (stripe->search == 0)
    stripe->search =
        ask (stripe, stripe->is_full_up ? WANTED_ANY : WANTED_WITH_STRIPE);
  return stripe->search != 0;
}

/* Is it a stripe in which this node has children by chance, and not because it
 * is the root, or carries its tree for a broadcaster that is? */
static bool
is_part (const SsStripe *stripe)
{
  return n_children (stripe) > 0 && !ss_group_is_top (stripe->group);
}

static unsigned
count_parts (const SsStation *station)
{
  unsigned n = 0;
  for (unsigned i = 0; i < SS_STRIPES; i++)
    n += is_part (&station->stripes[i]);
  return n;
}

static const SsStripe *
largest_part (const SsStation *station)
{
  const SsStripe *largest = NULL;
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    const SsStripe *stripe = &station->stripes[i];
    if (is_part (stripe)
        && (largest == NULL || n_children (stripe) > n_children (largest)))
      largest = stripe;
  }
  return largest;
}

/* Of several parts the one after the last that was asked for; the largest only
 * when nobody was found for another. */
static const SsStripe *
next_part (const SsStation *station)
{
  const SsGathering *gathering = &station->gathering;
  bool was_vain = gathering->wait > SS_GATHER_WAIT_MIN;
  const SsStripe *largest = largest_part (station);
  for (unsigned i = 1; i <= SS_STRIPES; i++) {
    const SsStripe *stripe =
        &station->stripes[(gathering->stripe + i) % SS_STRIPES];
    if (is_part (stripe) && (stripe != largest || was_vain))
      return stripe;
  }
  return NULL;
}

/* Has anybody followed the last advice? Who was to take them may just have
 * been full; if it happens again and again, patience grows. */
static bool
was_followed (SsStation *station)
{
  SsGathering *gathering = &station->gathering;
  unsigned n_advised = gathering->n_advised;
  gathering->n_advised = 0;
  if (n_advised == 0)
    return true;
  bool is_fewer = n_children (&station->stripes[gathering->stripe]) < n_advised;
  gathering->n_unheeded = is_fewer ? 0 : gathering->n_unheeded + 1;
  if (gathering->n_unheeded < SS_GATHER_UNHEEDED) {
    gathering->wait = SS_GATHER_WAIT_MIN;
    return true;
  }
  gathering->next = station->owner->env->now + gathering->wait;
  return false;
}

static void
gather (SsStation *station)
{
  SsGathering *gathering = &station->gathering;
  SsTime now = station->owner->env->now;
  if (station->role != SS_ROLE_LISTENER || gathering->search != 0
      || now < gathering->next)
    return;
  if (!was_followed (station) || count_parts (station) < 2)
    return;
  const SsStripe *stripe = next_part (station);
  gathering->stripe = stripe->index;
  gathering->search = ask (stripe, WANTED_MORE);
}

bool
ss_spare_may_go (unsigned stripe, const SsId *from, const SsId *to)
{
  return ss_id_digit (from, 0) != stripe || ss_id_digit (to, 0) == stripe;
}

static void
gathered (SsStation *station, const SsContact *member)
{
  SsGathering *gathering = &station->gathering;
  SsGroup *group = station->stripes[gathering->stripe].group;
  const SsId *self = &ss_kbr_self (station->owner->kbr)->id;
  if (member != NULL && !ss_spare_may_go (gathering->stripe, self, &member->id))
    member = NULL; /* who knows that should not have said yes */
  gathering->search = 0;
  gathering->wait =
      CLAMP (2 * gathering->wait, SS_GATHER_WAIT_MIN, SS_GATHER_WAIT_MAX);
  gathering->next = station->owner->env->now
                    + (member != NULL ? SS_GATHER_WAIT_MIN : gathering->wait);
  if (member == NULL || group == NULL)
    return;
  if (ss_group_advise (group, member))
    gathering->n_advised = ss_group_n_children (group);
}

void
ss_spare_follow (SsStripe *stripe, const SsId *id, bool is_wanted)
{
  SsStation *station = stripe->station;
  SsSplitStream *owner = station->owner;
  bool is_member = stripe->group != NULL && ss_group_is_member (stripe->group);
  if (is_member == is_wanted)
    return;
  if (is_wanted) {
    stripe->group = ss_group_open (station->spare_family, id, stripe);
    if (stripe->group != NULL)
      ss_group_join (stripe->group);
    return;
  }
  ss_group_leave (stripe->group);
  /* It stays if it has children there. */
  stripe->group = ss_scribe_find (owner->scribe, id);
  /* Perhaps it was all that was left of a relayed station. */
  ss_timers_arm_earliest (&owner->env->timers, &owner->reap_timer,
                          owner->env->now);
}

static void
gather_and_exchange (SsStation *station)
{
  station->gather_next = station->owner->env->now + SS_SPARE_INTERVAL;
  /* Nobody tells of the parents of what is only carried. */
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    SsStripe *stripe = &station->stripes[i];
    if (stripe->group != NULL && ss_group_in_tree (stripe->group))
      stripe->is_full_up = false;
  }
  gather (station);
  ss_exchange_run (station);
}

SsTime
ss_spare_run (SsStation *station)
{
  SsTime now = station->owner->env->now;
  if (station->role == SS_ROLE_PUBLISHER || station->family == NULL)
    return SS_NEVER;
  if (now < station->spare_next)
    return station->spare_next;
  unsigned most = ss_family_children_max (station->family);
  bool is_scarce = most > 0
                   && ss_family_n_taken (station->family)
                          >= most - most / SS_SPARE_SCARCE_PART;
  station->spare_next = now + (is_scarce ? SS_SPARE_SCARCE : SS_SPARE_INTERVAL);
  if (now >= station->gather_next)
    gather_and_exchange (station);
  SsId id = ss_spare_id (&station->group_id, station->params.salt);
  ss_spare_follow (&station->spare, &id, has_room (station));
  return station->spare_next;
}

/* Whoever has children in no other stripe; or else more in this one, and of two
 * with the same number one only, or they would change places. */
static bool
may_gather (const SsStripe *stripe, const SsContact *origin, unsigned n)
{
  const SsStation *station = stripe->station;
  const SsContact *self = ss_kbr_self (station->owner->kbr);
  if (!ss_spare_may_go (stripe->index, &origin->id, &self->id))
    return false;
  return count_parts (station) == is_part (stripe) || n_children (stripe) > n
         || (n_children (stripe) == n
             && ss_id_compare (&self->id, &origin->id) < 0);
}

/* Is a place kept for who was told of it, and has not come yet? */
static bool
is_open (const SsStation *station, const SsPromise *promise)
{
  const SsGroup *group = station->stripes[promise->stripe].group;
  return station->owner->env->now < promise->until
         && !(group != NULL && ss_group_has_child (group, &promise->to));
}

/* Has it a place that is not kept for another? Many search at once where hardly
 * any room is left, and meet the same few. */
static bool
has_place_for (const SsStation *station, const SsContact *asker)
{
  unsigned n_taken = ss_family_n_taken (station->family);
  for (unsigned i = 0; i < SS_PROMISES_MAX; i++) {
    const SsPromise *promise = &station->promises[i];
    n_taken +=
        is_open (station, promise) && !ss_id_equal (&promise->to, &asker->id);
  }
  return n_taken < ss_family_children_max (station->family);
}

/* Nobody has verified who asks. So an id has one promise at a time, whatever it
 * asks for, and by asking on does not keep it: it must let others in between.
 * Who asks with a JOIN is not held up by any. */
static void
promise (SsStation *station, unsigned stripe, const SsContact *asker)
{
  SsPromise *place = NULL;
  for (unsigned i = 0; i < SS_PROMISES_MAX; i++) {
    SsPromise *at = &station->promises[i];
    bool is_kept = is_open (station, at);
    if (is_kept && ss_id_equal (&at->to, &asker->id))
      return;
    if (!is_kept && place == NULL)
      place = at;
  }
  if (place == NULL)
    return;
  *place = (SsPromise){ asker->id, (uint8_t) stripe,
                        station->owner->env->now + SS_PROMISE_TIME };
}

/* A place under this node; for who gathers it is others that may come. */
static bool
offer (SsStripe *stripe, const SsContact *origin, Wanted wanted, unsigned n)
{
  SsStation *station = stripe->station;
  if (!ss_group_has_room_for (stripe->group, origin)
      || !has_place_for (station, origin))
    return false;
  if (wanted == WANTED_MORE)
    return may_gather (stripe, origin, n);
  promise (station, stripe->index, origin);
  return true;
}

bool
ss_spare_asked (SsStation *station, const SsContact *origin,
                const uint8_t *data, size_t len)
{
  if (len != QUESTION_LEN || data[0] >= SS_STRIPES || data[1] > WANTED_MORE)
    return false;
  SsStripe *stripe = &station->stripes[data[0]];
  if (stripe->group != NULL)
    return offer (stripe, origin, (Wanted) data[1], data[2]);
  if (data[1] != WANTED_ANY || station->role != SS_ROLE_RELAY
      || !has_room (station))
    return false;
  SsId id = ss_station_stripe_id (&station->group_id, station->params.salt,
                                  stripe->index);
  stripe->group = ss_group_carry (station->family, &id, stripe);
  return stripe->group != NULL;
}

void
ss_spare_answered (SsSplitStream *splitstream, uint32_t search,
                   const SsContact *member)
{
  for (unsigned i = 0; i < splitstream->stations->len; i++) {
    SsStation *station = g_ptr_array_index (splitstream->stations, i);
    if (station->gathering.search == search) {
      gathered (station, member);
      return;
    }
    for (unsigned j = 0; j < SS_STRIPES; j++) {
      SsStripe *stripe = &station->stripes[j];
      if (stripe->search != search)
        continue;
      stripe->search = 0;
      stripe->is_full_up = member == NULL;
      if (stripe->group != NULL)
        ss_group_try (stripe->group, member);
      return;
    }
  }
}
