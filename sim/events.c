/* The events of a simulated network: what comes to its nodes, when they take
 * it, and when they wake. */
#include "sim/network_private.h"

#define FROZEN_MAX (256 * 1024) /* bytes that a frozen node's socket holds */
/* Wakes of a node at one time: more, and its deadline does not advance. */
#define WAKES_MAX 4096
/* As net/loop.c: the next datagram so soon after the last makes a stream. */
#define STREAM_GAP (8 * SS_MSEC)
/* How many events ahead what they need is fetched. */
#define AHEAD_PLACE 12
#define AHEAD_NODE  10
#define AHEAD_STEP  3

typedef struct {
  SsNetworkFunc function;
  void *user;
  uint64_t argument;
} Call;

static void
tick (SsNetwork *network, const SsNetworkPlace *place)
{
  if (ss_node_deadline (place->node) > network->now)
    return;
  network->stats.ticks++;
  ss_node_tick (place->node, network->now);
}

/* What the packet shares with others is in the trace by its digest. */
static void
trace (SsNetwork *network, unsigned node, const SsPacket *packet,
       const SsSharedBody *shared)
{
  const uint64_t head[] = {
    (uint64_t) network->now,
    (uint64_t) packet->from << 32 | node,
    packet->len,
    shared != NULL ? shared->digest[0] : 0,
    shared != NULL ? shared->digest[1] : 0,
  };
  size_t len = packet->len;

  if (shared != NULL)
    len -= g_bytes_get_size (shared->bytes);
  ss_trace_add (&network->trace, head, G_N_ELEMENTS (head), packet->bytes, len);
}

/* Gives the packet back. */
static void
input (SsNetwork *network, unsigned node, SsPacket *packet)
{
  SsNode *to = ss_network_place (network, node)->node;
  SsAddr from = ss_network_addr (packet->from);
  uint8_t bytes[SS_DATAGRAM_MAX];

  SsSharedBody *shared = NULL;

  if (packet->body.bytes != NULL) {
    shared = ss_bodies_find (&network->bodies, packet->body.bytes);
    packet->body.memo = &shared->memo;
  }
  network->stats.delivered++;
  ss_pool_copy_out (packet, bytes);
  trace (network, node, packet, shared);
  ss_node_input_with (to, network->now, &from, bytes, packet->len,
                      shared != NULL ? &packet->body : NULL);
  ss_pool_give_back (&network->pool, packet);
}

/* After its datagrams a node does what is due by then, as in a main loop. */
static void
finish (SsNetwork *network, unsigned node)
{
  tick (network, ss_network_place (network, node));
  ss_network_touch (network, node);
}

/* Hands the node what its socket holds. */
static void
read_held (SsNetwork *network, unsigned node)
{
  SsNetworkPlace *place = ss_network_place (network, node);
  SsPacket *packet = place->held;

  place->held = place->held_last = NULL;
  place->held_bytes = 0;
  while (packet != NULL) {
    SsPacket *next = packet->next;

    input (network, node, packet);
    packet = next;
  }
  finish (network, node);
}

/* False: the datagram waits before its last step, or is lost there. */
static bool
pass_access (SsNetwork *network, const SsQueued *event, SsPacket *packet)
{
  const SsNetworkOptions *options = &network->options;
  SsTime wait = 0;

  if (options->arrive == NULL || event->kind == SS_NETWORK_EVENT_LATE_ARRIVAL)
    return true;
  if (!options->arrive (options->between_user, network->now, event->node,
                        packet->len, &wait)) {
    network->stats.lost++;
    ss_pool_give_back (&network->pool, packet);
    return false;
  }
  if (wait == 0)
    return true;
  const SsQueued later = {
    .at = event->at + wait,
    .kind = SS_NETWORK_EVENT_LATE_ARRIVAL,
    .node = event->node,
    .data = packet,
  };

  ss_queue_push (&network->queue, &later);
  return false;
}

/* Into the socket's buffer. */
static void
hold (SsNetwork *network, SsNetworkPlace *place, SsPacket *packet)
{
  if (place->is_frozen && place->held_bytes + packet->len > FROZEN_MAX) {
    network->stats.lost++;
    ss_pool_give_back (&network->pool, packet);
    return;
  }
  packet->next = NULL;
  if (place->held == NULL)
    place->held = packet;
  else
    place->held_last->next = packet;
  place->held_last = packet;
  place->held_bytes += packet->len;
}

static bool
is_reached (const SsNetwork *network, const SsNetworkPlace *place,
            const SsPacket *packet)
{
  return place->node != NULL && place->side != SS_NETWORK_ALONE
         && place->side == ss_network_place (network, packet->from)->side;
}

/* The node takes what there is, and more of a stream only some time later. */
static void
note_taken (SsNetwork *network, unsigned node)
{
  SsNetworkPlace *place = ss_network_place (network, node);

  if (network->options.hold_off > 0
      && network->now - place->received < STREAM_GAP) {
    place->hold_until = network->now + network->options.hold_off;
    const SsQueued end = {
      .at = place->hold_until,
      .kind = SS_NETWORK_EVENT_READ,
      .node = node,
      .number = place->life,
    };

    ss_queue_push (&network->queue, &end);
  }
  place->received = network->now;
}

static void
arrive (SsNetwork *network, const SsQueued *event)
{
  SsNetworkPlace *place = ss_network_place (network, event->node);
  SsPacket *packet = event->data;
  bool is_taken = !place->is_frozen && place->hold_until == 0;
  unsigned n_taken = 0;

  if (event->kind == SS_NETWORK_EVENT_ARRIVAL && place->newest_at == event->at)
    place->newest = NULL;
  while (packet != NULL) {
    SsPacket *next = packet->next;

    __builtin_prefetch (next);
    packet->next = NULL;
    if (!pass_access (network, event, packet)) {
    } else if (!is_reached (network, place, packet)) {
      network->stats.lost++;
      ss_pool_give_back (&network->pool, packet);
    } else if (is_taken) {
      input (network, event->node, packet);
      n_taken++;
    } else {
      hold (network, place, packet);
    }
    packet = next;
  }
  if (n_taken == 0)
    return;
  note_taken (network, event->node);
  finish (network, event->node);
}

/* The buffer is read before the timers run, as a main loop would do that has
 * both to serve; then time has jumped for the node. */
void
ss_network_thaw (SsNetwork *network, unsigned node)
{
  SsNetworkPlace *place = ss_network_place (network, node);

  g_assert (place->is_frozen);
  place->is_frozen = false;
  place->hold_until = 0;
  read_held (network, node);
}

static void
wake (SsNetwork *network, const SsQueued *event)
{
  SsNetworkPlace *place = ss_network_place (network, event->node);

  if (place->node == NULL || place->life != event->number
      || place->wake_at != event->at)
    return;
  place->wake_at = SS_NEVER;
  if (place->is_frozen)
    return;
  place->n_wakes = place->woke_at == event->at ? place->n_wakes + 1 : 0;
  place->woke_at = event->at;
  g_assert (place->n_wakes < WAKES_MAX);
  tick (network, place);
  ss_network_touch (network, event->node);
}

static void
end_hold (SsNetwork *network, const SsQueued *event)
{
  SsNetworkPlace *place = ss_network_place (network, event->node);

  if (place->node == NULL || place->life != event->number
      || place->hold_until != event->at)
    return;
  place->hold_until = 0;
  if (place->is_frozen || place->held == NULL)
    return;
  note_taken (network, event->node);
  read_held (network, event->node);
}

void
ss_network_at (SsNetwork *network, SsTime time, SsNetworkFunc function,
               void *user, uint64_t argument)
{
  Call *call = g_new (Call, 1);

  *call = (Call){ function, user, argument };
  const SsQueued event = {
    .at = MAX (time, network->now),
    .kind = SS_NETWORK_EVENT_CALL,
    .data = call,
  };

  ss_queue_push (&network->queue, &event);
}

/* In a large simulation hardly anything that an event needs is in a cache,
 * so what the next ones need is fetched meanwhile, step by step, for each
 * step is found through the one before. */
static void
look_ahead (SsNetwork *network)
{
  const SsQueued *event = ss_queue_peek (&network->queue, AHEAD_PLACE);

  if (event != NULL && event->kind != SS_NETWORK_EVENT_CALL)
    __builtin_prefetch (ss_network_place (network, event->node));
  if (event != NULL && event->kind <= SS_NETWORK_EVENT_LATE_ARRIVAL)
    __builtin_prefetch (event->data);
  for (unsigned step = 0; step < SS_NODE_PREFETCH_STEPS; step++) {
    event = ss_queue_peek (&network->queue, AHEAD_NODE - step * AHEAD_STEP);
    if (event == NULL || event->kind == SS_NETWORK_EVENT_CALL)
      continue;
    const SsNode *node = ss_network_place (network, event->node)->node;
    const SsPacket *packet =
        event->kind <= SS_NETWORK_EVENT_LATE_ARRIVAL ? event->data : NULL;

    if (node != NULL)
      ss_node_prefetch (node, step, packet != NULL ? packet->bytes : NULL,
                        packet != NULL ? packet->len : 0);
  }
}

void
ss_network_run (SsNetwork *network, SsTime until)
{
  SsQueued event;
  Call call;

  while (ss_queue_pop (&network->queue, until, &event)) {
    g_assert (event.at >= network->now);
    network->now = event.at;
    network->stats.events++;
    look_ahead (network);
    switch ((SsNetworkEventKind) event.kind) {
    case SS_NETWORK_EVENT_ARRIVAL:
    case SS_NETWORK_EVENT_LATE_ARRIVAL:
      arrive (network, &event);
      break;
    case SS_NETWORK_EVENT_READ:
      end_hold (network, &event);
      break;
    case SS_NETWORK_EVENT_WAKE:
      wake (network, &event);
      break;
    case SS_NETWORK_EVENT_CALL:
      call = *(Call *) event.data;
      g_free (event.data);
      call.function (call.user, call.argument);
      break;
    }
  }
  network->now = MAX (network->now, until);
}
