/* The spare capacity group of a station: those of its nodes that have room for
 * more children (SplitStream, SOSP 2003, section 3.4). Who finds no place in
 * a stripe's tree asks it, by anycast, for a node that receives this stripe,
 * has room and is not below the asker. Departure: if there is none, a relay
 * that has room comes to carry the stripe.
 *
 * A node enters when it has been in the trees for a while, so that those of
 * its own stripe have come first, and leaves when it is full. */
#include "splitstream/private.h"

static const char label[] = "spare";

/* What is asked for: the stripe, and who will do. */
#define QUESTION_LEN 2

typedef enum {
  WANTED_WITH_STRIPE, /* who receives it */
  WANTED_ANY,         /* also a relay that would have to join its tree */
} Wanted;

SsId
ss_spare_id (const SsId *group_id, uint64_t salt)
{
  uint64_t big_endian = GUINT64_TO_BE (salt);
  const SsBytes parts[] = { { group_id->b, sizeof group_id->b },
                            { &big_endian, sizeof big_endian },
                            { label, sizeof label } };
  return ss_id_of_parts (parts, G_N_ELEMENTS (parts));
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
      || !ss_family_has_room (station->family))
    return false;
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    const SsGroup *group = station->stripes[i].group;
    if (group != NULL && ss_group_in_tree (group))
      return true;
  }
  return false;
}

SsTime
ss_spare_run (SsStation *station)
{
  SsTime now = station->owner->env->now;
  if (station->role == SS_ROLE_PUBLISHER || station->family == NULL)
    return SS_NEVER;
  if (now < station->spare_next)
    return station->spare_next;
  station->spare_next = now + SS_SPARE_INTERVAL;
  /* Nobody tells of the parents of what is only carried. */
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    SsStripe *stripe = &station->stripes[i];
    if (stripe->group != NULL && ss_group_in_tree (stripe->group))
      stripe->is_full_up = false;
  }
  SsStripe *spare = &station->spare;
  bool is_member = spare->group != NULL && ss_group_is_member (spare->group);
  bool may_be = has_room (station);
  if (may_be == is_member)
    return station->spare_next;
  SsId id = ss_spare_id (&station->group_id, station->params.salt);
  if (may_be) {
    spare->group = ss_group_open (station->spare_family, &id, spare);
    if (spare->group != NULL)
      ss_group_join (spare->group);
  } else {
    ss_group_leave (spare->group);
    /* It stays if it has children there. */
    spare->group = ss_scribe_find (station->owner->scribe, &id);
    /* Perhaps it was all that was left of a relayed station. */
    ss_timers_arm_earliest (&station->owner->env->timers,
                            &station->owner->reap_timer, now);
  }
  return station->spare_next;
}

static bool
ask (SsStripe *stripe, Wanted wanted)
{
  SsStation *station = stripe->station;
  const uint8_t question[QUESTION_LEN] = { stripe->index, (uint8_t) wanted };
  SsId id = ss_spare_id (&station->group_id, station->params.salt);
  stripe->search = ss_scribe_anycast (station->owner->scribe, &id, 1, question,
                                      sizeof question);
  return stripe->search != 0;
}

bool
ss_spare_homeless (SsStripe *stripe)
{
  return stripe->search != 0
         || ask (stripe, stripe->is_full_up ? WANTED_ANY : WANTED_WITH_STRIPE);
}

bool
ss_spare_asked (SsStation *station, const SsContact *origin,
                const uint8_t *data, size_t len)
{
  if (len != QUESTION_LEN || data[0] >= SS_STRIPES || data[1] > WANTED_ANY)
    return false;
  SsStripe *stripe = &station->stripes[data[0]];
  if (stripe->group != NULL)
    return ss_group_has_room_for (stripe->group, origin);
  if (data[1] != WANTED_ANY || station->role != SS_ROLE_RELAY
      || !has_room (station)
      || !ss_splitstream_may_relay (station->owner, &station->params))
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
