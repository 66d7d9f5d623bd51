/* Going on the air, and off it. One station key broadcasts once at a time:
 * before a broadcast starts, the store is asked for the key's descriptor and
 * the publisher that it names is asked whether it lives. Only a living one
 * stops us; a dead one is followed with a greater session number, so that
 * listeners that wait for it go on (DESIGN section 5). */
#include "node/private.h"

#include <sodium.h>
#include <string.h>

#include "node/messages.h"

#define BROADCAST_CHECK_TRIES    3
#define BROADCAST_CHECK_AGAIN    (300 * SS_MSEC)
#define BROADCAST_ANSWER_TIME    (2500 * SS_MSEC)
#define BROADCAST_DRAIN_POLL     (20 * SS_MSEC)
#define BROADCAST_DRAIN_TIME     (1500 * SS_MSEC)
#define BROADCAST_QUESTION_TRIES 4
#define BROADCAST_QUESTION_TOKEN 1

static void check (SsNode *node);
static void ask_rival (SsNode *node);
static void announce (SsNode *node);
static void taken (SsNode *node, const SsDescriptor *rival);
static void answer_question (SsNode *node, const SsContact *from,
                             const uint8_t *data, size_t len);
static void poll_drained (SsNode *node);

/* Few nodes ever broadcast: most have none of this. */
static SsBroadcast *
make (SsNode *node)
{
  if (node->broadcast == NULL) {
    node->broadcast = g_new0 (SsBroadcast, 1);
    ss_timer_init (&node->broadcast->timer, SS_LAYER_NODE,
                   SS_NODE_TIMER_BROADCAST);
  }
  return node->broadcast;
}

static SsAirState
state_of (const SsNode *node)
{
  return node->broadcast != NULL ? node->broadcast->state : SS_AIR_IDLE;
}

void
ss_broadcast_clear (SsNode *node)
{
  SsBroadcast *air = g_steal_pointer (&node->broadcast);

  if (air == NULL)
    return;
  ss_timers_disarm (&node->env.timers, &air->timer);
  g_free (air->name);
  g_free (air->title);
  g_free (air->description);
  ss_signer_clear (&air->signer);
  sodium_memzero (air->options.seed, sizeof air->options.seed);
  g_free (air);
}

SsStation *
ss_broadcast_station (const SsNode *node)
{
  return node->broadcast != NULL ? node->broadcast->station : NULL;
}

void
ss_node_publish (SsNode *node, SsTime now, const SsPublishOptions *options)
{
  g_assert (now >= node->env.now);
  g_assert (state_of (node) == SS_AIR_IDLE);
  g_assert (ss_store_name_is_valid (options->name));
  g_assert (options->parity <= SS_PARITY_MAX);
  node->env.now = now;
  SsBroadcast *air = make (node);

  air->options = *options;
  air->name = g_strdup (options->name);
  air->title = g_strdup (options->title != NULL ? options->title : "");
  air->description =
      g_strdup (options->description != NULL ? options->description : "");
  ss_signer_init (&air->signer, options->seed);
  air->group_id = ss_station_group_id (&air->signer.key, air->name);
  air->state = SS_AIR_WAITING;
  if (ss_node_has_ring (node))
    check (node);
}

void
ss_broadcast_ring (SsNode *node)
{
  if (state_of (node) == SS_AIR_WAITING)
    check (node);
}

void
ss_node_push_headers (SsNode *node, SsTime now, const SsCodecHeaders *headers)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  if (ss_broadcast_station (node) != NULL)
    ss_station_push_headers (node->broadcast->station, headers);
}

void
ss_node_push_frame (SsNode *node, SsTime now, const SsFrame *frame)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  if (ss_broadcast_station (node) != NULL)
    ss_station_push_frame (node->broadcast->station, frame);
}

void
ss_node_end (SsNode *node, SsTime now)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  SsBroadcast *air = make (node);

  if (air->state == SS_AIR_ENDING || air->state == SS_AIR_ENDED)
    return;
  if (air->station == NULL) {
    if (air->state == SS_AIR_STANDBY)
      ss_standby_end (node);
    air->state = SS_AIR_ENDED;
    ss_node_push_event (node, SS_EVENT_ENDED);
    return;
  }
  air->state = SS_AIR_ENDING;
  air->end_by = now + BROADCAST_DRAIN_TIME;
  ss_station_end (air->station);

  /* The tombstone: nobody need wait for the descriptor to expire. */
  SsStoreRecord record = {
    .key = air->signer.key,
    .version = MAX (air->version + 1,
                    (uint64_t) ((now + node->env.wall_offset) / SS_MSEC)),
    .tombstone = true,
  };
  g_strlcpy (record.name, air->name, sizeof record.name);
  ss_store_record_sign (&record, &air->signer);
  air->version = record.version;
  ss_store_put (node->store, &record);
  poll_drained (node);
}

uint32_t
ss_node_session (const SsNode *node)
{
  return node->broadcast != NULL ? node->broadcast->session : 0;
}

void
ss_broadcast_found (SsNode *node, const SsStoreRecord *records, unsigned n,
                    bool complete)
{
  SsBroadcast *air = node->broadcast;
  SsDescriptor descriptor;

  if (state_of (node) != SS_AIR_CHECKING)
    return;
  for (unsigned i = 0; i < n; i++) {
    if (!ss_key_equal (&records[i].key, &air->signer.key)
        || !ss_tuner_read_record (&records[i], &descriptor))
      continue;
    air->version = MAX (air->version, records[i].version);
    air->found_session = MAX (air->found_session, descriptor.session);
    air->found = descriptor;
    air->rival = ss_contact_from_record (&descriptor.publisher);
    ask_rival (node);
    return;
  }
  if (complete || ++air->tries >= BROADCAST_CHECK_TRIES)
    ss_broadcast_start (node);
  else
    ss_timers_arm (&node->env.timers, &air->timer,
                   node->env.now + BROADCAST_CHECK_AGAIN);
}

void
ss_broadcast_stored (SsNode *node, const SsId *slot, unsigned n_replicas,
                     const SsStoreRecord *newer)
{
  SsBroadcast *air = node->broadcast;
  SsDescriptor descriptor;

  if (state_of (node) != SS_AIR_STARTED && state_of (node) != SS_AIR_LIVE)
    return;
  if (newer != NULL && ss_key_equal (&newer->key, &air->signer.key)
      && newer->version > air->version) {
    air->version = newer->version;
    /* An older session's, by a clock that is ahead, or its end: once more. */
    if (!ss_tuner_read_record (newer, &descriptor)
        || !ss_broadcast_outdone (node, &descriptor))
      announce (node);
    return;
  }
  if (newer == NULL)
    ss_broadcast_on_air (node);
}

void
ss_broadcast_on_air (SsNode *node)
{
  if (node->broadcast->state != SS_AIR_STARTED)
    return;
  node->broadcast->state = SS_AIR_LIVE;
  ss_node_push_event (node, SS_EVENT_ON_AIR);
}

bool
ss_broadcast_outdone (SsNode *node, const SsDescriptor *stored)
{
  SsBroadcast *air = node->broadcast;
  SsContact rival = ss_contact_from_record (&stored->publisher);
  const SsId *self = &ss_link_self (node->link)->id;

  if ((air->state != SS_AIR_STARTED && air->state != SS_AIR_LIVE)
      || stored->session < air->session
      || (stored->session == air->session
          && ss_id_compare (&rival.id, self) >= 0))
    return false;
  taken (node, stored);
  return true;
}

void
ss_broadcast_descriptor (SsNode *node, const SsDescriptor *descriptor)
{
  SsBroadcast *air = node->broadcast;
  if (air == NULL || air->state == SS_AIR_ENDING || air->state == SS_AIR_ENDED)
    return;

  SsDescriptor complete = *descriptor;
  complete.publisher = ss_contact_to_record (ss_link_self (node->link));
  SsStoreRecord record = {
    .key = air->signer.key,
    .version =
        MAX (air->version + 1,
             (uint64_t) ((node->env.now + node->env.wall_offset) / SS_MSEC)),
  };
  g_strlcpy (record.name, air->name, sizeof record.name);
  record.value_len = (uint16_t) ss_descriptor_encode (&complete, record.value,
                                                      sizeof record.value);
  g_assert (record.value_len > 0);
  ss_store_record_sign (&record, &air->signer);
  air->version = record.version;
  air->announced = ss_link_self (node->link)->addr;
  ss_store_put (node->store, &record);
}

void
ss_broadcast_address (SsNode *node)
{
  SsBroadcast *air = node->broadcast;

  /* A ring of one does not even know its address: the peers that come say
   * it, when the station has long been announced. */
  if (air != NULL && (air->state == SS_AIR_STARTED || air->state == SS_AIR_LIVE)
      && air->station != NULL
      && !ss_addr_equal (&air->announced, &ss_link_self (node->link)->addr)) {
    air->announced = ss_link_self (node->link)->addr;
    ss_station_announce (air->station);
  }
}

void
ss_broadcast_direct (SsNode *node, const SsContact *from, const uint8_t *data,
                     size_t len)
{
  SsBroadcast *air = node->broadcast;
  SsMsgLiveAnswer answer;

  if (len > 0 && data[0] == SS_MSG_LIVE_QUESTION) {
    answer_question (node, from, data, len);
    return;
  }
  if (len == 0 || data[0] != SS_MSG_LIVE_ANSWER) {
    ss_count (&node->env, MESSAGES_UNKNOWN);
    return;
  }
  if (!ss_msg_live_answer_decode (data, len, &answer)) {
    ss_count (&node->env, MESSAGES_MALFORMED);
    return;
  }
  if (air == NULL || !ss_contact_equal (from, &air->rival)
      || !ss_id_equal (&answer.group_id, &air->group_id))
    return;
  if (air->state != SS_AIR_ASKING) {
    ss_standby_answered (node, &answer);
    return;
  }
  if (answer.session == 0) {
    ss_broadcast_start (node);
    return;
  }
  taken (node, &air->found);
}

void
ss_broadcast_outcome (SsNode *node, const SsContact *to, uint64_t token,
                      SsKbrOutcome outcome)
{
  if (outcome == SS_KBR_FAILED && token == BROADCAST_QUESTION_TOKEN
      && state_of (node) == SS_AIR_ASKING)
    ss_broadcast_start (node);
}

void
ss_broadcast_timer (SsNode *node)
{
  switch (state_of (node)) {
  case SS_AIR_CHECKING:
    check (node);
    break;
  case SS_AIR_ASKING:
    ss_broadcast_start (node);
    break;
  case SS_AIR_STANDBY:
  case SS_AIR_STARTED:
  case SS_AIR_LIVE:
    ss_standby_timer (node);
    break;
  case SS_AIR_ENDING:
    poll_drained (node);
    break;
  case SS_AIR_IDLE:
  case SS_AIR_WAITING:
  case SS_AIR_ENDED:
    break;
  }
}

static void
check (SsNode *node)
{
  SsBroadcast *air = node->broadcast;
  SsId fingerprint = ss_id_of_key (&air->signer.key);
  SsId slot = ss_store_own_slot (&fingerprint, air->name);

  air->state = SS_AIR_CHECKING;
  ss_store_get (node->store, &slot, SS_TOKEN_CHECK);
}

static void
ask_rival (SsNode *node)
{
  SsBroadcast *air = node->broadcast;
  const SsContact *self = ss_link_self (node->link);

  if (ss_contact_equal (&air->rival, self)) {
    ss_broadcast_start (node);
    return;
  }
  air->state = SS_AIR_ASKING;
  ss_timers_arm (&node->env.timers, &air->timer,
                 node->env.now + BROADCAST_ANSWER_TIME);
  if (!ss_broadcast_question (node, air->found_session,
                              BROADCAST_QUESTION_TRIES,
                              BROADCAST_QUESTION_TOKEN))
    ss_broadcast_start (node);
}

bool
ss_broadcast_question (SsNode *node, uint32_t session, unsigned tries,
                       uint64_t token)
{
  SsBroadcast *air = node->broadcast;
  SsMsgLiveQuestion question = {
    .group_id = air->group_id,
    .session = session,
  };
  uint8_t buf[SS_MSG_LIVE_QUESTION_MAX];
  size_t len = ss_msg_live_question_encode (&question, buf, sizeof buf);
  SsKbrSend how = {
    .class = SS_CLASS_KBR_CONTROL,
    .reliable = true,
    .tries_max = (uint8_t) tries,
    .token = token,
  };
  return ss_kbr_send (node->kbr, SS_PROTOCOL_NODE, &air->rival, &how, buf, len,
                      NULL);
}

void
ss_broadcast_start (SsNode *node)
{
  SsBroadcast *air = node->broadcast;
  uint32_t wall = (uint32_t) ((node->env.now + node->env.wall_offset) / SS_SEC);

  ss_timers_disarm (&node->env.timers, &air->timer);
  air->session = MAX (wall, air->options.session_min);
  air->session = MAX (air->session, air->found_session + 1) + air->left_out;
  SsStationParams params = {
    .key = air->signer.key,
    .parity = air->options.parity,
    .latency = air->options.latency,
  };
  g_strlcpy (params.name, air->name, sizeof params.name);
  air->state = SS_AIR_STARTED;
  air->station =
      ss_station_publish (node->splitstream, &params, air->options.seed,
                          air->session, air->title, air->description);
  announce (node);
}

/* Stores the descriptor. Without headers so far the station does not. */
static void
announce (SsNode *node)
{
  SsBroadcast *air = node->broadcast;
  uint64_t version = air->version;

  ss_station_announce (air->station);
  if (air->version != version)
    return;
  SsDescriptor descriptor = {
    .params = { .key = air->signer.key,
                .parity = air->options.parity,
                .latency = air->options.latency },
    .session = air->session,
  };
  g_strlcpy (descriptor.params.name, air->name, sizeof descriptor.params.name);
  g_strlcpy (descriptor.title, air->title, sizeof descriptor.title);
  g_strlcpy (descriptor.description, air->description,
             sizeof descriptor.description);
  ss_broadcast_descriptor (node, &descriptor);
}

static void
taken (SsNode *node, const SsDescriptor *rival)
{
  SsBroadcast *air = node->broadcast;
  char addr[SS_ADDR_STRLEN];

  ss_timers_disarm (&node->env.timers, &air->timer);
  if (air->station != NULL) {
    ss_store_withdraw (node->store, &air->signer.key, air->name);
    ss_station_close (air->station);
    air->station = NULL;
  }
  if (air->options.is_standby) {
    ss_standby_begin (node, rival);
    return;
  }
  air->state = SS_AIR_ENDED;
  ss_addr_format (&rival->publisher.addrs[0], addr);
  SsEvent *event = ss_node_push_event (node, SS_EVENT_TAKEN);
  event->text = g_strdup (addr);
}

static void
answer_question (SsNode *node, const SsContact *from, const uint8_t *data,
                 size_t len)
{
  SsBroadcast *air = node->broadcast;
  SsMsgLiveQuestion question;

  if (!ss_msg_live_question_decode (data, len, &question)) {
    ss_count (&node->env, MESSAGES_MALFORMED);
    return;
  }
  bool live = ss_broadcast_station (node) != NULL && air->state != SS_AIR_ENDED
              && air->state != SS_AIR_ENDING
              && ss_id_equal (&question.group_id, &air->group_id);
  /* Somebody has gone on the air after this node, or says so. */
  if (live && question.session > air->session)
    ss_standby_told (node);
  SsMsgLiveAnswer answer = {
    .group_id = question.group_id,
    .session = live ? air->session : 0,
    .rank = live ? (uint8_t) ss_standby_rank (node, &from->id) : 0,
  };
  uint8_t buf[SS_MSG_LIVE_ANSWER_MAX];
  size_t answer_len = ss_msg_live_answer_encode (&answer, buf, sizeof buf);
  SsKbrSend how = { .class = SS_CLASS_KBR_CONTROL, .reliable = true };
  ss_kbr_send (node->kbr, SS_PROTOCOL_NODE, from, &how, buf, answer_len, NULL);
}

static void
poll_drained (SsNode *node)
{
  SsBroadcast *air = node->broadcast;

  if (!ss_station_is_drained (air->station) && node->env.now < air->end_by) {
    ss_timers_arm (&node->env.timers, &air->timer,
                   node->env.now + BROADCAST_DRAIN_POLL);
    return;
  }
  air->state = SS_AIR_ENDED;
  ss_node_push_event (node, SS_EVENT_ENDED);
}
