/* One node, composed: see node.h. This file holds the object, the driver's
 * calls, the wiring of the layers' upcalls and the orderly leave. */
#include "node/node.h"

#include <sodium.h>
#include <string.h>

#include "node/private.h"

#define PREFETCH_LINE       64
#define PREFETCH_NODE       512
#define PREFETCH_LAYER      512
#define LEAVE_HANDOVER_TIME (600 * SS_MSEC)
#define LEAVE_GOODBYE_TIME  (200 * SS_MSEC)
#define LEAVE_POLL          (20 * SS_MSEC)

static void free_event (SsEvent *event);
static void dispatch_timer (SsNode *node, SsTimer *timer);
static void node_timer (SsNode *node, SsTimer *timer);
static void step_leave (SsNode *node);
static void note_observation (SsNode *node, const SsContact *peer,
                              const SsAddr *observed);

/* The link's upcalls: Pastry takes them and hands on what is not its own. */

static void
on_message (void *user, const SsContact *from, uint8_t protocol,
            const uint8_t *data, size_t len)
{
  SsNode *node = user;
  ss_pastry_link_message (node->pastry, from, protocol, data, len);
}

static void
on_acked (void *user, const SsContact *to, uint8_t protocol, uint64_t token)
{
  SsNode *node = user;
  ss_pastry_link_acked (node->pastry, to, protocol, token);
}

static void
on_late (void *user, const SsContact *to, uint8_t protocol, uint64_t token,
         unsigned tries)
{
  SsNode *node = user;
  ss_pastry_link_late (node->pastry, to, protocol, token, tries);
}

static void
on_failed (void *user, const SsContact *to, uint8_t protocol, uint64_t token)
{
  SsNode *node = user;
  ss_pastry_link_failed (node->pastry, to, protocol, token);
}

static void
on_up (void *user, const SsContact *peer, const SsAddr *observed)
{
  SsNode *node = user;
  note_observation (node, peer, observed);
  ss_pastry_link_up (node->pastry, peer, observed);
  /* Whom all others have come to has been told by nobody. */
  if (!ss_addr_is_set (observed)
      && !ss_addr_is_set (&ss_link_self (node->link)->addr))
    ss_link_ask_address (node->link, peer);
}

static void
on_observed (void *user, const SsContact *peer, const SsAddr *observed)
{
  note_observation (user, peer, observed);
}

static void
on_identified (void *user, const SsAddr *addr, const SsContact *contact,
               const char *text)
{
  ss_bootstrap_identified (user, addr, contact, text);
}

static void
on_pinged (void *user, const SsContact *peer, SsTime rtt)
{
  SsNode *node = user;
  ss_pastry_link_pinged (node->pastry, peer, rtt);
}

static SsTime
on_wanted (void *user, const SsContact *peer)
{
  SsNode *node = user;
  return ss_pastry_link_wanted (node->pastry, peer);
}

static void
on_met (void *user, const SsContact *peer, SsTime rtt)
{
  SsNode *node = user;
  ss_pastry_link_met (node->pastry, peer, rtt);
}

static void
on_arrived (void *user, const SsAddr *from, bool unasked)
{
  SsNode *node = user;
  ss_pastry_link_arrived (node->pastry, from, unasked);
}

static const SsLinkUpcalls link_upcalls = {
  .message = on_message,
  .acked = on_acked,
  .late = on_late,
  .failed = on_failed,
  .up = on_up,
  .observed = on_observed,
  .identified = on_identified,
  .arrived = on_arrived,
  .pinged = on_pinged,
  .wanted = on_wanted,
  .met = on_met,
};

/* The store's. */

static void
on_found (void *user, uint64_t token, const SsStoreRecord *records, unsigned n,
          bool complete)
{
  if (token == SS_TOKEN_CHECK)
    ss_broadcast_found (user, records, n, complete);
  else if (token == SS_TOKEN_STANDBY)
    ss_standby_found (user, records, n, complete);
  else
    ss_tuner_found (user, token, records, n, complete);
}

static void
on_stored (void *user, const SsId *slot, unsigned n_replicas,
           const SsStoreRecord *newer)
{
  ss_broadcast_stored (user, slot, n_replicas, newer);
}

static const SsStoreUpcalls store_upcalls = {
  .found = on_found,
  .stored = on_stored,
};

/* The station's. */

static void
on_headers (void *user, SsStation *station, const SsCodecHeaders *headers)
{
  if (ss_standby_watches (user, station))
    return;
  SsEvent *event = ss_node_push_event (user, SS_EVENT_HEADERS);
  event->headers = ss_codec_headers_copy (headers);
}

static void
on_frame (void *user, SsStation *station, const SsFrame *frame)
{
  if (ss_standby_watches (user, station))
    return;
  SsEvent *event = ss_node_push_event (user, SS_EVENT_FRAME);
  event->frame = *frame;
  g_bytes_ref (event->frame.data);
}

static void
on_silent (void *user, SsStation *station, bool silent)
{
  if (ss_standby_watches (user, station)) {
    ss_standby_silent (user, silent);
    return;
  }
  SsEvent *event = ss_node_push_event (user, SS_EVENT_SILENT);
  event->flag = silent;
  ss_tuner_silent (user, silent);
}

static void
on_ended (void *user, SsStation *station)
{
  SsNode *node = user;
  if (ss_standby_watches (node, station))
    node->broadcast->state = SS_AIR_ENDED;
  ss_node_push_event (node, SS_EVENT_ENDED);
}

static void
on_need_descriptor (void *user, SsStation *station)
{
  if (ss_standby_watches (user, station)
      || station == ss_broadcast_station (user))
    ss_standby_read (user);
  else
    ss_tuner_need_descriptor (user);
}

static void
on_descriptor (void *user, SsStation *station, const SsDescriptor *descriptor)
{
  ss_broadcast_descriptor (user, descriptor);
}

static const SsStationUpcalls station_upcalls = {
  .headers = on_headers,
  .frame = on_frame,
  .silent = on_silent,
  .ended = on_ended,
  .need_descriptor = on_need_descriptor,
  .descriptor = on_descriptor,
};

/* The overlay's, for the node's own protocol. */

static void
on_direct (void *app, const SsContact *from, const uint8_t *data, size_t len)
{
  ss_broadcast_direct (app, from, data, len);
}

static void
on_outcome (void *app, const SsContact *to, uint64_t token,
            SsKbrOutcome outcome)
{
  ss_broadcast_outcome (app, to, token, outcome);
}

static const SsKbrApp node_app = {
  .direct = on_direct,
  .outcome = on_outcome,
};

SsNode *
ss_node_new (const SsNodeConfig *config, const uint8_t seed[32], SsTime now)
{
  SsNode *node = g_new0 (SsNode, 1);

  node->may_stand_alone = config->may_stand_alone;
  node->is_advertised = ss_addr_is_set (&config->advertise);
  ss_env_init (&node->env, seed, now, config->wall_offset);
  node->env.log_level = config->log_level;
  node->env.log = config->log;
  node->env.log_user = config->log_user;
  g_queue_init (&node->events);

  SsLinkConfig link_config = {
    .flags =
        (uint8_t) (SS_PEER_REACHABLE | (config->is_relay ? SS_PEER_RELAY : 0)),
    .advertise = config->advertise,
    .last_handshake_ns = config->last_handshake_ns,
    .is_fresh = config->is_fresh,
    .upload_bps = config->upload_bps,
    .machine = config->machine,
    .n_machine = config->n_machine,
  };
  memcpy (link_config.identity_seed, config->identity_seed,
          sizeof link_config.identity_seed);
  memcpy (link_config.realm_key, config->realm_key,
          sizeof link_config.realm_key);
  node->link = ss_link_new (&node->env, &link_config, &link_upcalls, node);
  sodium_memzero (&link_config, sizeof link_config);

  /* Who is given an address for others has seen to it. */
  SsPastryConfig pastry_config = {
    .leaf_set = config->leaf_set,
    .check_reach = !node->is_advertised,
  };
  node->pastry = ss_pastry_new (&node->env, node->link, &pastry_config);
  ss_pastry_set_local (node->pastry, config->machine, config->n_machine);
  node->kbr = ss_pastry_kbr (node->pastry);
  ss_kbr_register (node->kbr, SS_PROTOCOL_NODE, &node_app, node);
  node->store = ss_store_new (&node->env, node->kbr, &store_upcalls, node);

  const SsSplitStreamConfig splitstream_config = {
    .is_relay = config->is_relay,
    .relayed = config->relayed,
    .n_relayed = config->n_relayed,
    .children_max = config->children_max,
    .upload_bps = config->upload_bps,
  };
  node->splitstream = ss_splitstream_new (
      &node->env, node->kbr, &splitstream_config, &station_upcalls, node);
  ss_bootstrap_init (node);
  ss_timer_init (&node->leave_timer, SS_LAYER_NODE, SS_NODE_TIMER_LEAVE);
  return node;
}

void
ss_node_free (SsNode *node)
{
  if (node == NULL)
    return;
  ss_bootstrap_clear (node);
  ss_broadcast_clear (node);
  ss_tuner_clear (node);
  ss_splitstream_free (node->splitstream);
  ss_store_free (node->store);
  ss_pastry_free (node->pastry);
  ss_link_free (node->link);
  SsEvent *event;
  while ((event = g_queue_pop_head (&node->events)) != NULL)
    free_event (event);
  g_free (node->event_text);
  g_free (node->event_found);
  ss_env_clear (&node->env);
  g_free (node);
}

void
ss_node_input (SsNode *node, SsTime now, const SsAddr *from, uint8_t *datagram,
               size_t len)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  ss_link_input (node->link, from, datagram, len);
  ss_node_set_state (node);
  ss_broadcast_address (node);
}

void
ss_node_input_with (SsNode *node, SsTime now, const SsAddr *from,
                    uint8_t *datagram, size_t len, const SsBody *body)
{
  if (body != NULL) {
    node->env.shared = body->bytes;
    node->env.shared_copy = datagram + body->at;
    node->env.shared_memo = body->memo;
  }
  ss_node_input (node, now, from, datagram, len);
  node->env.shared = NULL;
}

void
ss_node_tick (SsNode *node, SsTime now)
{
  SsTimer *timer;

  g_assert (now >= node->env.now);
  node->env.now = now;
  while ((timer = ss_timers_pop (&node->env.timers, now)) != NULL)
    dispatch_timer (node, timer);
  ss_node_set_state (node);
}

static void
prefetch (const void *start, size_t len)
{
  for (size_t i = 0; i < len; i += PREFETCH_LINE)
    __builtin_prefetch ((const char *) start + i);
}

void
ss_node_prefetch (const SsNode *node, unsigned step, const uint8_t *datagram,
                  size_t len)
{
  switch (step) {
  case 0:
    prefetch (node, PREFETCH_NODE);
    prefetch (&node->link, PREFETCH_LINE);
    break;
  case 1:
    prefetch (node->env.timers.heap, PREFETCH_LINE);
    prefetch (node->link, PREFETCH_LAYER);
    prefetch (node->pastry, PREFETCH_LAYER);
    break;
  default:
    ss_link_prefetch (node->link, step - 2, datagram, len);
    break;
  }
}

SsTime
ss_node_deadline (const SsNode *node)
{
  return ss_timers_deadline (&node->env.timers);
}

size_t
ss_node_output (SsNode *node, SsAddr *ret_to, uint8_t *buf, size_t cap)
{
  return ss_link_output (node->link, ret_to, buf, cap);
}

const SsBody *
ss_node_body_out (const SsNode *node)
{
  return ss_link_body_out (node->link);
}

bool
ss_node_event (SsNode *node, SsEvent *ret_event)
{
  SsEvent *event = g_queue_pop_head (&node->events);

  g_clear_pointer (&node->event_text, g_free);
  g_clear_pointer (&node->event_found, g_free);
  if (event == NULL)
    return false;
  *ret_event = *event;
  if (event->type == SS_EVENT_FRAME) {
    const SsEvent *following = g_queue_peek_head (&node->events);

    ret_event->flag = following != NULL && following->type == SS_EVENT_FRAME;
  }
  node->event_text = (char *) (uintptr_t) event->text;
  node->event_found = (SsDescriptor *) (uintptr_t) event->found;
  g_free (event);
  return true;
}

void
ss_node_leave (SsNode *node, SsTime now)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  if (node->leave != SS_LEAVE_NO)
    return;
  node->leave = SS_LEAVE_HANDING_OVER;
  node->leave_by = now + LEAVE_HANDOVER_TIME;
  ss_timers_disarm (&node->env.timers, &node->bootstrap.timer);
  ss_splitstream_leave (node->splitstream);
  ss_node_set_state (node);
  step_leave (node);
}

void
ss_node_stats (const SsNode *node, SsNodeStats *ret_stats)
{
  SsPastryStats pastry;
  ss_pastry_stats (node->pastry, &pastry);
  SsNodeStats stats = {
    .self = *ss_link_self (node->link),
    .state = node->state,
    .leaf_set = pastry.leaf_set,
    .routing_entries = pastry.routing_entries,
    .routing_rtt = pastry.routing_rtt,
    .suspects = pastry.suspects,
    .peers = ss_link_n_peers (node->link),
    .reachable = pastry.reachability != SS_UNREACHABLE,
    .attachments = pastry.attachments,
    .clients = pastry.clients,
    .counters = node->env.counters,
    .n_stations = ss_splitstream_n_stations (node->splitstream),
  };
  /* A client's contact has its relay's address, not where it is. */
  if (!stats.reachable)
    stats.self.addr = node->address;
  const SsStation *station = node->tuner != NULL && node->tuner->station != NULL
                                 ? node->tuner->station
                                 : ss_broadcast_station (node);
  /* A relay reports the first station that it carries. */
  if (station == NULL && stats.n_stations > 0)
    station = ss_splitstream_station (node->splitstream, 0);
  if (station != NULL) {
    stats.has_station = true;
    ss_station_stats (station, &stats.station);
  }
  *ret_stats = stats;
}

uint64_t
ss_node_last_handshake_ns (const SsNode *node)
{
  return ss_link_last_handshake_ns (node->link);
}

unsigned
ss_node_leaf_set (const SsNode *node, SsContact *ret, unsigned max)
{
  return ss_pastry_leaf_set (node->pastry, ret, max);
}

unsigned
ss_node_attachments (const SsNode *node, SsContact *ret, unsigned max)
{
  return ss_pastry_attachments (node->pastry, ret, max);
}

unsigned
ss_node_way_back (const SsNode *node, SsContact *ret, unsigned max)
{
  return ss_pastry_way_back (node->pastry, ret, max);
}

SsKbr *
ss_node_kbr (SsNode *node)
{
  return node->kbr;
}

SsSplitStream *
ss_node_splitstream (SsNode *node)
{
  return node->splitstream;
}

SsEnv *
ss_node_env (SsNode *node)
{
  return &node->env;
}

SsEvent *
ss_node_push_event (SsNode *node, SsEventType type)
{
  /* The driver drains after every call; a full queue is its fault. */
  g_assert (g_queue_get_length (&node->events) < SS_NODE_EVENTS_MAX);
  SsEvent *event = g_new0 (SsEvent, 1);
  event->type = type;
  g_queue_push_tail (&node->events, event);
  return event;
}

void
ss_node_drop_heard (SsNode *node)
{
  GList *following;

  for (GList *at = node->events.head; at != NULL; at = following) {
    SsEvent *event = at->data;

    following = at->next;
    switch (event->type) {
    case SS_EVENT_HEADERS:
    case SS_EVENT_FRAME:
    case SS_EVENT_SILENT:
      break;
    case SS_EVENT_ENDED:
      if (node->broadcast == NULL)
        break;
      continue; /* its own */
    default:
      continue;
    }
    g_queue_delete_link (&node->events, at);
    free_event (event);
  }
}

bool
ss_node_has_ring (const SsNode *node)
{
  return node->state == SS_NODE_JOINED || node->state == SS_NODE_ALONE;
}

/* Derives the state from the overlay's, after everything that may have
 * changed it, and tells whoever waited for a ring. */
void
ss_node_set_state (SsNode *node)
{
  SsNodeState state = SS_NODE_OUTSIDE;
  SsContact neighbour;

  if (node->leave != SS_LEAVE_NO)
    state = SS_NODE_LEAVING;
  else if (ss_kbr_is_ready (node->kbr))
    state = ss_pastry_leaf_set (node->pastry, &neighbour, 1) > 0
                    || ss_pastry_state (node->pastry) == SS_PASTRY_CLIENT
                ? SS_NODE_JOINED
                : SS_NODE_ALONE;
  else if (node->bootstrap.n > 0)
    state = SS_NODE_JOINING;
  if (state == SS_NODE_JOINING && ss_pastry_may_ask (node->pastry))
    ss_tuner_ring (node);
  if (state == node->state)
    return;
  bool had_ring = ss_node_has_ring (node);

  node->state = state;
  SsEvent *event = ss_node_push_event (node, SS_EVENT_STATE);
  event->state = state;
  /* Alone, the round of tries goes on, so that rings merge. */
  if (state == SS_NODE_ALONE && node->bootstrap.n > 0
      && !ss_timer_is_armed (&node->bootstrap.timer))
    ss_timers_arm (&node->env.timers, &node->bootstrap.timer, node->env.now);
  if (had_ring && state == SS_NODE_JOINING)
    ss_bootstrap_ring_lost (node);
  if (ss_node_has_ring (node)) {
    ss_tuner_ring (node);
    ss_broadcast_ring (node);
  }
}

static void
free_event (SsEvent *event)
{
  g_free ((char *) (uintptr_t) event->text);
  g_free ((SsDescriptor *) (uintptr_t) event->found);
  ss_codec_headers_free (event->headers);
  if (event->frame.data != NULL)
    g_bytes_unref (event->frame.data);
  g_free (event);
}

static void
dispatch_timer (SsNode *node, SsTimer *timer)
{
  switch ((SsLayer) timer->layer) {
  case SS_LAYER_LINK:
    ss_link_timer (node->link, timer);
    break;
  case SS_LAYER_OVERLAY:
    ss_pastry_timer (node->pastry, timer);
    break;
  case SS_LAYER_STORE:
    ss_store_timer (node->store, timer);
    break;
  case SS_LAYER_SCRIBE:
    ss_scribe_timer (timer);
    break;
  case SS_LAYER_SPLITSTREAM:
    ss_splitstream_timer (node->splitstream, timer);
    break;
  case SS_LAYER_NODE:
    node_timer (node, timer);
    break;
  case SS_N_LAYERS:
  default:
    g_assert_not_reached ();
  }
}

static void
node_timer (SsNode *node, SsTimer *timer)
{
  switch ((SsNodeTimer) timer->kind) {
  case SS_NODE_TIMER_BOOTSTRAP:
    ss_bootstrap_timer (node);
    break;
  case SS_NODE_TIMER_BROADCAST:
    ss_broadcast_timer (node);
    break;
  case SS_NODE_TIMER_TUNER:
    ss_tuner_timer (node);
    break;
  case SS_NODE_TIMER_LEAVE:
    step_leave (node);
    break;
  }
}

static void
step_leave (SsNode *node)
{
  SsTime now = node->env.now;

  if (node->leave == SS_LEAVE_HANDING_OVER) {
    if (ss_splitstream_is_serving (node->splitstream) && now < node->leave_by) {
      ss_timers_arm (&node->env.timers, &node->leave_timer, now + LEAVE_POLL);
      return;
    }
    node->leave = SS_LEAVE_GOODBYE;
    ss_pastry_leave (node->pastry);
    ss_timers_arm (&node->env.timers, &node->leave_timer,
                   now + LEAVE_GOODBYE_TIME);
  } else if (node->leave == SS_LEAVE_GOODBYE) {
    node->leave = SS_LEAVE_DONE;
    ss_node_push_event (node, SS_EVENT_LEFT);
  }
}

/* A node learns its own address from what its peers observe: the one that
 * most of the last SS_NODE_OBSERVERS_MAX peers report, so that one liar among
 * several changes nothing. */
static void
note_observation (SsNode *node, const SsContact *peer, const SsAddr *observed)
{
  if (!ss_addr_is_set (observed) || node->is_advertised)
    return;
  uint32_t prefix = (uint32_t) (ss_id_prefix (&peer->id) >> 32);
  unsigned place = 0;
  while (place < node->n_observers && node->observers[place].peer != prefix)
    place++;
  if (place == SS_NODE_OBSERVERS_MAX) {
    memmove (&node->observers[0], &node->observers[1],
             sizeof node->observers - sizeof node->observers[0]);
    place--;
  }
  node->n_observers = MAX (node->n_observers, place + 1);
  node->observers[place].peer = prefix;
  node->observers[place].addr = *observed;

  SsAddr best = node->observers[0].addr;
  unsigned best_votes = 0;
  for (unsigned i = 0; i < node->n_observers; i++) {
    unsigned votes = 0;
    for (unsigned j = 0; j < node->n_observers; j++)
      votes +=
          ss_addr_equal (&node->observers[i].addr, &node->observers[j].addr);
    if (votes > best_votes) {
      best_votes = votes;
      best = node->observers[i].addr;
    }
  }
  if (ss_addr_equal (&best, &node->address))
    return;
  if (ss_addr_is_set (&node->address))
    ss_pastry_link_address_changed (node->pastry);
  node->address = best;
  ss_link_set_advertise (node->link, &best);
  SsEvent *event = ss_node_push_event (node, SS_EVENT_ADDRESS);
  event->addr = best;
}
