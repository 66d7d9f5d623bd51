/* A network of simulated nodes. */
#include "sim/network.h"

#include <math.h>
#include <sodium.h>
#include <string.h>

#include "sim/access.h"
#include "sim/bodies.h"
#include "sim/nat.h"
#include "sim/pool.h"
#include "sim/queue.h"
#include "sim/trace.h"

#define FIRST_IP   UINT32_C (0x0a000001)
#define PORT       16160
#define START      SS_SEC
#define FROZEN_MAX (256 * 1024) /* bytes that a frozen node's socket holds */
/* Wakes of a node at one time: more, and its deadline does not advance. */
#define WAKES_MAX 4096
/* Sealed bytes differ from what they were among the first so many. */
#define SEALED_TOLD_BY 32
/* As net/loop.c: the next datagram so soon after the last makes a stream. */
#define STREAM_GAP (8 * SS_MSEC)
/* How many events ahead what they need is fetched. */
#define AHEAD_PLACE 12
#define AHEAD_NODE  10
#define AHEAD_STEP  3

typedef enum {
  EVENT_ARRIVAL,
  EVENT_LATE_ARRIVAL, /* has waited for the last link */
  EVENT_WAKE,
  EVENT_READ, /* what has come of a stream is taken */
  EVENT_CALL,
} EventKind;

typedef struct {
  SsNode *node;   /* NULL: dead */
  SsTime wake_at; /* the wake event that counts; SS_NEVER: none */
  uint32_t life;  /* counts restarts */
  uint16_t side;
  bool is_frozen, is_mute;
  bool is_pumped; /* its output is being drained further up the stack */
  double x, y;    /* plane */
  SsPacket *held, *held_last; /* what its socket holds */
  size_t held_bytes;
  SsTime received, hold_until; /* as net/loop.c has them; 0: not held */
  SsPacket *newest; /* of the arrival queued last; NULL: that has come */
  SsTime newest_at;
  SsTime woke_at;   /* last; */
  unsigned n_wakes; /* and how often at that time */
} Place;

/* What becomes of one node's datagrams: there are few such nodes. */
typedef struct {
  unsigned node;
  SsNetworkTamperFunc function;
  void *user;
} Tamper;

typedef struct {
  SsNetworkFunc function;
  void *user;
  uint64_t argument;
} Call;

struct SsNetwork {
  SsNetworkOptions options;
  SsNetworkEventFunc event;
  void *user;
  SsTime now;
  SsQueue queue;
  SsPool pool;
  SsBodies bodies;
  SsRng faults, places_rng;
  GArray *places;  /* Place */
  GArray *tampers; /* Tamper */
  SsNat *nat;      /* NULL: nobody is behind one */
  SsNetworkStats stats;
  SsTrace trace;
};

static Place *
place_of (const SsNetwork *network, unsigned node)
{
  g_assert (node < network->places->len);
  return &g_array_index (network->places, Place, node);
}

void
ss_network_rng (const SsNetwork *network, const char *purpose, uint64_t number,
                SsRng *ret_rng)
{
  uint64_t numbers[2] = { GUINT64_TO_BE (network->options.seed),
                          GUINT64_TO_BE (number) };
  const SsBytes parts[] = {
    { numbers, sizeof numbers },
    { purpose, strlen (purpose) },
  };
  SsId digest = ss_id_of_parts (parts, G_N_ELEMENTS (parts));
  uint8_t seed[32] = { 0 };

  memcpy (seed, digest.b, sizeof digest.b);
  ss_rng_init (ret_rng, seed);
}

SsNetwork *
ss_network_new (const SsNetworkOptions *options, SsNetworkEventFunc event,
                void *user)
{
  SsNetwork *network = g_new0 (SsNetwork, 1);

  network->options = *options;
  network->event = event;
  network->user = user;
  network->now = START;
  ss_queue_init (&network->queue);
  ss_pool_init (&network->pool);
  ss_bodies_init (&network->bodies);
  ss_network_rng (network, "faults", 0, &network->faults);
  ss_network_rng (network, "places", 0, &network->places_rng);
  network->places = g_array_new (FALSE, TRUE, sizeof (Place));
  network->tampers = g_array_new (FALSE, FALSE, sizeof (Tamper));
  ss_trace_init (&network->trace);
  return network;
}

/* With all that are chained to it. */
static void
give_back (SsNetwork *network, SsPacket *packet)
{
  while (packet != NULL) {
    SsPacket *next = packet->next;

    ss_pool_give_back (&network->pool, packet);
    packet = next;
  }
}

static void
drop_held (SsNetwork *network, Place *place)
{
  give_back (network, place->held);
  place->held = place->held_last = NULL;
  place->held_bytes = 0;
}

void
ss_network_free (SsNetwork *network)
{
  SsQueued event;

  for (unsigned i = 0; i < network->places->len; i++) {
    drop_held (network, place_of (network, i));
    ss_node_free (place_of (network, i)->node);
  }
  while (ss_queue_pop (&network->queue, SS_NEVER, &event))
    if (event.kind == EVENT_ARRIVAL || event.kind == EVENT_LATE_ARRIVAL)
      give_back (network, event.data);
    else if (event.kind == EVENT_CALL)
      g_free (event.data);
  ss_queue_clear (&network->queue);
  ss_pool_clear (&network->pool);
  ss_bodies_clear (&network->bodies);
  g_array_unref (network->places);
  g_array_unref (network->tampers);
  ss_nat_free (network->nat);
  g_free (network);
}

SsTime
ss_network_now (const SsNetwork *network)
{
  return network->now;
}

unsigned
ss_network_n_nodes (const SsNetwork *network)
{
  return network->places->len;
}

SsAddr
ss_network_addr (unsigned node)
{
  return ss_addr_v4 (FIRST_IP + node, PORT);
}

SsNode *
ss_network_node (const SsNetwork *network, unsigned node)
{
  return place_of (network, node)->node;
}

static SsTime
base_delay (const SsNetwork *network, unsigned from, unsigned to)
{
  const SsNetworkOptions *options = &network->options;

  if (options->model == SS_DELAY_HOOK)
    return options->hook (options->hook_user, from, to);
  if (options->model == SS_DELAY_UNIFORM)
    return options->delay;
  const Place *a = place_of (network, from), *b = place_of (network, to);
  double distance = hypot (a->x - b->x, a->y - b->y) / sqrt (2);

  return (SsTime) (distance * (double) options->delay);
}

static SsTime
draw_delay (SsNetwork *network, unsigned from, unsigned to)
{
  const SsNetworkOptions *options = &network->options;
  SsTime delay = base_delay (network, from, to);

  delay += ss_access_jitter (options->jitter, &network->faults);
  if (options->straggle > 0
      && ss_rng_unit (&network->faults) < options->straggle)
    delay += (SsTime) ss_rng_below (&network->faults,
                                    (uint64_t) options->straggle_delay + 1);
  return MAX (delay, SS_USEC);
}

/* What comes to a node at one time is one event, if it was sent in a row. */
static void
post (SsNetwork *network, unsigned to, SsTime at, SsPacket *packet)
{
  Place *place = place_of (network, to);

  if (place->newest != NULL && place->newest_at == at) {
    place->newest->next = packet;
  } else {
    const SsQueued event = {
      .at = at,
      .kind = EVENT_ARRIVAL,
      .node = to,
      .data = packet,
    };

    ss_queue_push (&network->queue, &event);
    place->newest_at = at;
  }
  place->newest = packet;
}

/* body is what the bytes contain, or NULL. */
static void
send (SsNetwork *network, unsigned from, const SsAddr *addr,
      const uint8_t *bytes, size_t len, const SsBody *body)
{
  const SsNetworkOptions *options = &network->options;
  unsigned copies = 1;

  network->stats.sent++;
  network->stats.bytes_sent += len;
  if (place_of (network, from)->is_mute)
    return;
  if (options->loss > 0 && ss_rng_unit (&network->faults) < options->loss) {
    network->stats.lost++;
    return;
  }
  if (options->duplicate > 0
      && ss_rng_unit (&network->faults) < options->duplicate) {
    network->stats.duplicated++;
    copies++;
  }
  uint32_t ip = (uint32_t) addr->ip[12] << 24 | (uint32_t) addr->ip[13] << 16
                | (uint32_t) addr->ip[14] << 8 | addr->ip[15];
  uint32_t to = ip - FIRST_IP;

  /* Nobody there. */
  if (!ss_addr_is_v4 (addr) || addr->port != PORT || to >= network->places->len)
    return;
  if (network->nat != NULL
      && !ss_nat_pass (network->nat, network->now, from, to)) {
    network->stats.lost++;
    return;
  }
  for (unsigned i = 0; i < copies; i++) {
    SsTime delay = draw_delay (network, from, to);

    if (options->depart != NULL
        && !options->depart (options->between_user, network->now, from, to,
                             bytes, len, &delay)) {
      network->stats.lost++;
      continue;
    }
    post (network, to, network->now + delay,
          ss_pool_take (&network->pool, from, bytes, len, body));
  }
}

static bool
tamper (SsNetwork *network, unsigned from, const SsAddr *addr, uint8_t *bytes,
        size_t *len)
{
  for (unsigned i = 0; i < network->tampers->len; i++) {
    const Tamper *by = &g_array_index (network->tampers, Tamper, i);
    uint32_t to = (uint32_t) addr->ip[12] << 24 | (uint32_t) addr->ip[13] << 16
                  | (uint32_t) addr->ip[14] << 8 | addr->ip[15];

    if (by->node == from && !by->function (by->user, to - FIRST_IP, bytes, len))
      return false;
    g_assert (*len <= SS_DATAGRAM_MAX);
  }
  return true;
}

/* Is the body in its place? Not after sealing, which its beginning tells, or
 * tampering. */
static bool
is_in_place (const SsNetwork *network, const SsBody *body, const uint8_t *bytes,
             size_t len)
{
  size_t body_len;
  const void *data = g_bytes_get_data (body->bytes, &body_len);
  size_t told_by =
      network->tampers->len > 0 ? body_len : MIN (body_len, SEALED_TOLD_BY);

  return body->at + body_len <= len
         && memcmp (bytes + body->at, data, told_by) == 0;
}

static void
arm (SsNetwork *network, unsigned node)
{
  Place *place = place_of (network, node);
  SsTime deadline = ss_node_deadline (place->node);

  if (deadline >= place->wake_at)
    return; /* An earlier wake looks again. */
  const SsQueued event = {
    .at = MAX (deadline, network->now),
    .kind = EVENT_WAKE,
    .node = node,
    .number = place->life,
  };

  place->wake_at = event.at;
  ss_queue_push (&network->queue, &event);
}

/* Hands on what the node sends and says until it has nothing more. */
static void
pump (SsNetwork *network, unsigned node)
{
  Place *place = place_of (network, node);
  uint32_t life = place->life;
  uint8_t buf[SS_DATAGRAM_MAX];
  SsAddr to;
  size_t len;
  bool is_busy = true;

  if (place->is_pumped || place->node == NULL)
    return;
  place->is_pumped = true;
  while (is_busy) {
    SsEvent event;

    is_busy = false;
    while ((len = ss_node_output (place->node, &to, buf, sizeof buf)) > 0) {
      const SsBody *body = ss_node_body_out (place->node);

      if (!tamper (network, node, &to, buf, &len))
        continue;
      if (body != NULL && !is_in_place (network, body, buf, len))
        body = NULL;
      send (network, node, &to, buf, len, body);
    }
    while (ss_node_event (place->node, &event)) {
      is_busy = true;
      network->event (network->user, node, &event);
      /* The handler may have added nodes, and moved the array; it may have
       * killed this one. */
      place = place_of (network, node);
      if (place->node == NULL || place->life != life)
        return;
    }
  }
  place->is_pumped = false;
  arm (network, node);
}

void
ss_network_touch (SsNetwork *network, unsigned node)
{
  pump (network, node);
}

static void
bring_up (SsNetwork *network, unsigned node, const SsNodeConfig *config)
{
  Place *place = place_of (network, node);
  SsRng rng;
  uint8_t seed[32];

  g_assert (place->node == NULL);
  place->life++;
  place->is_frozen = place->is_mute = place->is_pumped = false;
  place->wake_at = SS_NEVER;
  place->received = -SS_SEC;
  place->hold_until = 0;
  drop_held (network, place);
  ss_network_rng (network, "node", (uint64_t) place->life << 32 | node, &rng);
  ss_rng_bytes (&rng, seed, sizeof seed);
  place->node = ss_node_new (config, seed, network->now);
}

unsigned
ss_network_add (SsNetwork *network, const SsNodeConfig *config)
{
  Place place = {
    .x = ss_rng_unit (&network->places_rng),
    .y = ss_rng_unit (&network->places_rng),
  };
  unsigned node = network->places->len;

  g_array_append_val (network->places, place);
  bring_up (network, node, config);
  return node;
}

void
ss_network_restart (SsNetwork *network, unsigned node,
                    const SsNodeConfig *config)
{
  bring_up (network, node, config);
}

void
ss_network_kill (SsNetwork *network, unsigned node)
{
  Place *place = place_of (network, node);

  g_assert (place->node != NULL);
  drop_held (network, place);
  ss_node_free (place->node);
  place->node = NULL;
  place->is_frozen = false;
  place->wake_at = SS_NEVER;
}

void
ss_network_freeze (SsNetwork *network, unsigned node)
{
  place_of (network, node)->is_frozen = true;
}

bool
ss_network_is_frozen (const SsNetwork *network, unsigned node)
{
  return place_of (network, node)->is_frozen;
}

void
ss_network_set_side (SsNetwork *network, unsigned node, unsigned side)
{
  place_of (network, node)->side = (uint16_t) side;
}

void
ss_network_set_loss (SsNetwork *network, double loss)
{
  network->options.loss = loss;
}

void
ss_network_mute (SsNetwork *network, unsigned node, bool mute)
{
  place_of (network, node)->is_mute = mute;
}

void
ss_network_put_behind_nat (SsNetwork *network, unsigned node, SsTime memory)
{
  if (network->nat == NULL)
    network->nat = ss_nat_new ();
  ss_nat_put (network->nat, node, memory);
}

bool
ss_network_is_behind_nat (const SsNetwork *network, unsigned node)
{
  return network->nat != NULL && ss_nat_has (network->nat, node);
}

void
ss_network_tamper (SsNetwork *network, unsigned node,
                   SsNetworkTamperFunc function, void *user)
{
  for (unsigned i = network->tampers->len; i-- > 0;)
    if (g_array_index (network->tampers, Tamper, i).node == node)
      g_array_remove_index (network->tampers, i);
  const Tamper tamper = { node, function, user };

  if (function != NULL)
    g_array_append_val (network->tampers, tamper);
}

void
ss_network_forge (SsNetwork *network, unsigned node, unsigned to,
                  const uint8_t *bytes, size_t len)
{
  SsAddr addr = ss_network_addr (to);

  g_assert (len <= SS_DATAGRAM_MAX);
  send (network, node, &addr, bytes, len, NULL);
}

static void
tick (SsNetwork *network, const Place *place)
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
  SsNode *to = place_of (network, node)->node;
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
  tick (network, place_of (network, node));
  pump (network, node);
}

/* Hands the node what its socket holds. */
static void
read_held (SsNetwork *network, unsigned node)
{
  Place *place = place_of (network, node);
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

  if (options->arrive == NULL || event->kind == EVENT_LATE_ARRIVAL)
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
    .kind = EVENT_LATE_ARRIVAL,
    .node = event->node,
    .data = packet,
  };

  ss_queue_push (&network->queue, &later);
  return false;
}

/* Into the socket's buffer. */
static void
hold (SsNetwork *network, Place *place, SsPacket *packet)
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
is_reached (const SsNetwork *network, const Place *place,
            const SsPacket *packet)
{
  return place->node != NULL && place->side != SS_NETWORK_ALONE
         && place->side == place_of (network, packet->from)->side;
}

/* The node takes what there is, and more of a stream only some time later. */
static void
note_taken (SsNetwork *network, unsigned node)
{
  Place *place = place_of (network, node);

  if (network->options.hold_off > 0
      && network->now - place->received < STREAM_GAP) {
    place->hold_until = network->now + network->options.hold_off;
    const SsQueued end = {
      .at = place->hold_until,
      .kind = EVENT_READ,
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
  Place *place = place_of (network, event->node);
  SsPacket *packet = event->data;
  bool is_taken = !place->is_frozen && place->hold_until == 0;
  unsigned n_taken = 0;

  if (event->kind == EVENT_ARRIVAL && place->newest_at == event->at)
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
  Place *place = place_of (network, node);

  g_assert (place->is_frozen);
  place->is_frozen = false;
  place->hold_until = 0;
  read_held (network, node);
}

static void
wake (SsNetwork *network, const SsQueued *event)
{
  Place *place = place_of (network, event->node);

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
  pump (network, event->node);
}

static void
end_hold (SsNetwork *network, const SsQueued *event)
{
  Place *place = place_of (network, event->node);

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
    .kind = EVENT_CALL,
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

  if (event != NULL && event->kind != EVENT_CALL)
    __builtin_prefetch (place_of (network, event->node));
  if (event != NULL && event->kind <= EVENT_LATE_ARRIVAL)
    __builtin_prefetch (event->data);
  for (unsigned step = 0; step < SS_NODE_PREFETCH_STEPS; step++) {
    event = ss_queue_peek (&network->queue, AHEAD_NODE - step * AHEAD_STEP);
    if (event == NULL || event->kind == EVENT_CALL)
      continue;
    const SsNode *node = place_of (network, event->node)->node;
    const SsPacket *packet =
        event->kind <= EVENT_LATE_ARRIVAL ? event->data : NULL;

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
    switch ((EventKind) event.kind) {
    case EVENT_ARRIVAL:
    case EVENT_LATE_ARRIVAL:
      arrive (network, &event);
      break;
    case EVENT_READ:
      end_hold (network, &event);
      break;
    case EVENT_WAKE:
      wake (network, &event);
      break;
    case EVENT_CALL:
      call = *(Call *) event.data;
      g_free (event.data);
      call.function (call.user, call.argument);
      break;
    }
  }
  network->now = MAX (network->now, until);
}

void
ss_network_stats (const SsNetwork *network, SsNetworkStats *ret_stats)
{
  *ret_stats = network->stats;
  ret_stats->memory = network->pool.memory + ss_queue_memory (&network->queue);
}

void
ss_network_trace_hash (const SsNetwork *network,
                       char ret_text[SS_TRACE_HASH_STRLEN])
{
  ss_trace_format (&network->trace, ret_text);
}
