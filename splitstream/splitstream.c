/* SplitStream on one node: its stations, and the upcalls of Scribe and of the
 * overlay, handed on to them. See station.h and private.h. */
#include "splitstream/private.h"

#include <string.h>

static SsPacketVerdict
on_packet (void *group_user, SsGroup *group, uint32_t sequence, GBytes *packet,
           const SsContact *from, SsPacketVia via)
{
  return ss_station_packet (group_user, sequence, packet,
                            via == SS_VIA_TREE ? SS_REORDER_TREE
                                               : SS_REORDER_REPAIR);
}

/* Is id a stripe of this station, or one of its groups that are none? */
static bool
find_stripe (const SsStationParams *params, const SsId *id,
             unsigned *ret_stripe)
{
  SsId group_id = ss_station_group_id (&params->key, params->name);
  unsigned stripe = ss_id_digit (id, 0);
  SsId expected = ss_station_stripe_id (&group_id, params->salt, stripe);
  SsId spare = ss_spare_id (&group_id, params->salt);
  SsId exchange = ss_exchange_id (&group_id, params->salt);
  *ret_stripe = ss_id_equal (&spare, id)      ? SS_SPARE_INDEX
                : ss_id_equal (&exchange, id) ? SS_EXCHANGE_INDEX
                                              : stripe;
  return *ret_stripe >= SS_STRIPES || ss_id_equal (&expected, id);
}

static unsigned
n_relayed (const SsSplitStream *splitstream)
{
  unsigned n = 0;
  for (unsigned i = 0; i < splitstream->stations->len; i++) {
    const SsStation *station = g_ptr_array_index (splitstream->stations, i);
    n += station->role == SS_ROLE_RELAY;
  }
  return n;
}

bool
ss_splitstream_may_relay (const SsSplitStream *splitstream,
                          const SsStationParams *params)
{
  const SsSplitStreamConfig *config = &splitstream->config;
  SsId fingerprint = ss_id_of_key (&params->key);
  for (unsigned i = 0; i < config->n_relayed; i++) {
    const SsRelayed *relayed = &config->relayed[i];
    if (strcmp (relayed->name, params->name) == 0
        && (!relayed->has_fingerprint
            || ss_id_equal (&relayed->fingerprint, &fingerprint)))
      return config->is_relay;
  }
  return config->is_relay && config->n_relayed == 0;
}

bool
ss_station_is_unwilling (const SsStation *station)
{
  return station->role == SS_ROLE_RELAY
         && !ss_splitstream_may_relay (station->owner, &station->params);
}

/* Carry this group? Members of the station do, and relays and roots if the
 * id follows from the key; for only then can its packets be verified. Who is
 * the root of one stripe does not volunteer for another. */
static bool
on_adopt (void *app, const SsId *group_id, const uint8_t *info, size_t info_len,
          bool is_root, SsGroup *group, void **ret_group_user)
{
  SsSplitStream *splitstream = app;
  SsStationParams params;
  unsigned index;
  if (!ss_station_params_decode (info, info_len, &params)
      || !find_stripe (&params, group_id, &index))
    return false;
  SsId station_id = ss_station_group_id (&params.key, params.name);
  SsStation *station = ss_splitstream_find (splitstream, &station_id);
  if (station != NULL && station->params.salt != params.salt)
    return false;
  bool is_member = station != NULL && station->role != SS_ROLE_RELAY;
  if (!is_member && !is_root
      && !ss_splitstream_may_relay (splitstream, &params))
    return false;
  if (station == NULL) {
    if (n_relayed (splitstream) >= SS_STATIONS_RELAYED_MAX)
      return false;
    station = ss_station_new (splitstream, &params, SS_ROLE_RELAY);
    ss_station_open_family (station);
  }
  SsStripe *stripe = index == SS_SPARE_INDEX      ? &station->spare
                     : index == SS_EXCHANGE_INDEX ? ss_exchange_stripe (station)
                                                  : &station->stripes[index];
  stripe->group = group;
  ss_group_set_user (
      group, index < SS_STRIPES ? station->family : station->spare_family,
      stripe);
  *ret_group_user = stripe;
  ss_timers_arm_earliest (&splitstream->env->timers, &station->timer,
                          splitstream->env->now);
  return true;
}

static void
on_abandoned (void *group_user, SsGroup *group)
{
  SsStripe *stripe = group_user;
  SsSplitStream *splitstream = stripe->station->owner;
  if (stripe->group != group)
    return;
  stripe->group = NULL;
  ss_timers_arm_earliest (&splitstream->env->timers, &splitstream->reap_timer,
                          splitstream->env->now);
}

static void
on_parent (void *group_user, SsGroup *group, const SsContact *parent)
{
  SsStripe *stripe = group_user;
  SsStation *station = stripe->station;
  if (parent != NULL)
    stripe->is_full_up = false;
  if (station->current != NULL && stripe->index < SS_STRIPES)
    ss_late_watch_new_parent (&station->current->late, stripe->index);
  /* There is somebody to ask now. */
  if (parent != NULL && station->role == SS_ROLE_LISTENER
      && !station->tune.is_done && !station->tune.is_asked)
    ss_timers_arm_earliest (&station->owner->env->timers, &station->timer,
                            station->owner->env->now);
}

static bool
on_homeless (void *group_user, SsGroup *group)
{
  return ss_spare_homeless (group_user);
}

static void
on_orphan (void *group_user, SsGroup *group, bool is_orphan)
{
  const SsStripe *stripe = group_user;
  const SsStation *station = stripe->station;
  if (stripe->index >= SS_STRIPES)
    return; /* the spare capacity group: only a search will tell */
  ss_env_log (station->owner->env, SS_LOG_INFO,
              is_orphan ? "%s: no place in the tree of stripe %u; its packets "
                          "are fetched meanwhile"
                        : "%s: there is a place in the tree of stripe %u again",
              station->params.name, stripe->index);
}

static bool
on_anycast (void *group_user, SsGroup *group, const SsContact *origin,
            const uint8_t *data, size_t len, uint8_t *ret_answer,
            size_t *ret_answer_len)
{
  SsStripe *stripe = group_user;
  switch (stripe->index) {
  case SS_SPARE_INDEX:
    return ss_spare_asked (stripe->station, origin, data, len);
  case SS_EXCHANGE_INDEX:
    return ss_exchange_asked (stripe->station, origin, data, len, ret_answer,
                              ret_answer_len);
  default:
    return false;
  }
}

static void
on_anycast_answer (void *app, uint32_t anycast, const SsScribeAnswer *answer)
{
  if (!ss_exchange_answered (app, anycast, answer))
    ss_spare_answered (app, anycast, &answer->member);
}

static void
on_anycast_end (void *app, uint32_t anycast, unsigned n_answers)
{
  if (n_answers == 0 && !ss_exchange_answered (app, anycast, NULL))
    ss_spare_answered (app, anycast, NULL);
}

/* What is missed the window gives up by its own clock. */
static const SsScribeApp scribe_app = {
  .packet = on_packet,
  .adopt = on_adopt,
  .abandoned = on_abandoned,
  .parent = on_parent,
  .homeless = on_homeless,
  .orphan = on_orphan,
  .anycast = on_anycast,
  .anycast_answer = on_anycast_answer,
  .anycast_end = on_anycast_end,
};

/* A question costs its sender little, and the answer may be long. */
static bool
may_ask (SsSplitStream *splitstream, const SsContact *from)
{
  SsEnv *env = splitstream->env;
  if (ss_quota_take (&splitstream->questions, &from->id, 1, env->now))
    return true;
  ss_count (env, SPLITSTREAM_REFUSED);
  return false;
}

static void
on_direct (void *app, const SsContact *from, const uint8_t *data, size_t len)
{
  SsSplitStream *splitstream = app;
  switch (len > 0 ? data[0] : 0) {
  case SS_MSG_TUNE_IN:
    if (may_ask (splitstream, from))
      ss_tune_in_asked (splitstream, from, data, len);
    return;
  case SS_MSG_TUNE_IN_ANSWER:
    ss_tune_in_answered (splitstream, from, data, len);
    return;
  case SS_MSG_TUNE_IN_PACKET:
    ss_tune_in_packet (splitstream, from, data, len);
    return;
  case SS_MSG_HEADER_REQUEST:
    if (may_ask (splitstream, from))
      ss_fetch_asked (splitstream, from, data, len);
    return;
  case SS_MSG_HEADER_CHUNK:
    ss_fetch_chunk (splitstream, from, data, len);
    return;
  default:
    ss_count (splitstream->env, MESSAGES_UNKNOWN);
  }
}

/* Of what this protocol sends only a burst's steps have tokens. */
static void
on_outcome (void *app, const SsContact *to, uint64_t token,
            SsKbrOutcome outcome)
{
  ss_burst_outcome (app, token, outcome);
}

static const SsKbrApp kbr_app = { .direct = on_direct, .outcome = on_outcome };

SsSplitStream *
ss_splitstream_new (SsEnv *env, SsKbr *kbr, const SsSplitStreamConfig *config,
                    const SsStationUpcalls *upcalls, void *user)
{
  SsSplitStream *splitstream = g_new0 (SsSplitStream, 1);
  splitstream->env = env;
  splitstream->kbr = kbr;
  splitstream->config = *config;
  if (config->n_relayed > 0)
    splitstream->config.relayed = g_memdup2 (
        config->relayed, config->n_relayed * sizeof *config->relayed);
  splitstream->upcalls = *upcalls;
  splitstream->user = user;
  splitstream->stations = g_ptr_array_new ();
  ss_quota_init (&splitstream->questions, SS_QUESTIONS_RATE, SS_QUESTIONS_BURST,
                 SS_QUESTIONS_RATE_ALL, SS_QUESTIONS_BURST_ALL, env->now);
  ss_timer_init (&splitstream->reap_timer, SS_LAYER_SPLITSTREAM,
                 SS_SPLITSTREAM_TIMER_REAP);
  ss_kbr_register (kbr, SS_PROTOCOL_SPLITSTREAM, &kbr_app, splitstream);
  splitstream->scribe =
      ss_scribe_new (env, kbr, SS_PROTOCOL_SCRIBE, &scribe_app, splitstream);
  return splitstream;
}

void
ss_splitstream_free (SsSplitStream *splitstream)
{
  if (splitstream == NULL)
    return;
  while (splitstream->stations->len > 0)
    ss_station_free (g_ptr_array_index (splitstream->stations,
                                        splitstream->stations->len - 1));
  ss_timers_disarm (&splitstream->env->timers, &splitstream->reap_timer);
  ss_scribe_free (splitstream->scribe);
  for (unsigned i = 0; i < SS_BURSTS_MAX; i++)
    g_free (splitstream->bursts[i]);
  ss_quota_clear (&splitstream->questions);
  g_ptr_array_unref (splitstream->stations);
  if (splitstream->config.n_relayed > 0)
    g_free ((gpointer) splitstream->config.relayed);
  g_free (splitstream);
}

/* Relayed stations none of whose groups is left are forgotten. */
static void
reap (SsSplitStream *splitstream)
{
  for (unsigned i = splitstream->stations->len; i-- > 0;) {
    SsStation *station = g_ptr_array_index (splitstream->stations, i);
    bool is_needed = station->role != SS_ROLE_RELAY
                     || station->spare.group != NULL
                     || (station->exchange != NULL
                         && station->exchange->stripe.group != NULL);
    for (unsigned s = 0; s < SS_STRIPES; s++)
      is_needed |= station->stripes[s].group != NULL;
    if (!is_needed)
      ss_station_free (station);
  }
}

void
ss_splitstream_timer (SsSplitStream *splitstream, SsTimer *timer)
{
  switch ((SsSplitStreamTimer) timer->kind) {
  case SS_SPLITSTREAM_TIMER_STATION:
    ss_station_run (SS_CONTAINER_OF (timer, SsStation, timer));
    return;
  case SS_SPLITSTREAM_TIMER_BURST:
    ss_burst_step (splitstream, SS_CONTAINER_OF (timer, SsBurst, timer));
    return;
  case SS_SPLITSTREAM_TIMER_REAP:
    reap (splitstream);
    return;
  }
  g_assert_not_reached ();
}

void
ss_splitstream_leave (SsSplitStream *splitstream)
{
  ss_scribe_leave_all (splitstream->scribe);
}

bool
ss_splitstream_is_serving (const SsSplitStream *splitstream)
{
  return ss_scribe_is_serving (splitstream->scribe);
}

SsStation *
ss_splitstream_find (const SsSplitStream *splitstream, const SsId *group_id)
{
  for (unsigned i = 0; i < splitstream->stations->len; i++) {
    SsStation *station = g_ptr_array_index (splitstream->stations, i);
    if (ss_id_equal (&station->group_id, group_id))
      return station;
  }
  return NULL;
}

void
ss_splitstream_send (SsSplitStream *splitstream, const SsContact *to,
                     SsKbrClassOfTraffic class, const uint8_t *data, size_t len)
{
  SsKbrSend how = { .class = class, .reliable = true };
  ss_kbr_send (splitstream->kbr, SS_PROTOCOL_SPLITSTREAM, to, &how, data, len,
               NULL);
}

unsigned
ss_splitstream_n_stations (const SsSplitStream *splitstream)
{
  return splitstream->stations->len;
}

SsStation *
ss_splitstream_station (const SsSplitStream *splitstream, unsigned i)
{
  g_assert (i < splitstream->stations->len);
  return g_ptr_array_index (splitstream->stations, i);
}
