/* A network of simulated nodes: who there is, and what becomes of what they
 * send. */
#include "sim/network_private.h"

#include <math.h>
#include <sodium.h>
#include <string.h>

#include "sim/access.h"

#define FIRST_IP UINT32_C (0x0a000001)
#define PORT     16160
#define START    SS_SEC
/* Sealed bytes differ from what they were among the first so many. */
#define SEALED_TOLD_BY 32

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
  network->places = g_array_new (FALSE, TRUE, sizeof (SsNetworkPlace));
  network->tampers = g_array_new (FALSE, FALSE, sizeof (SsNetworkTamper));
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
drop_held (SsNetwork *network, SsNetworkPlace *place)
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
    drop_held (network, ss_network_place (network, i));
    ss_node_free (ss_network_place (network, i)->node);
  }
  while (ss_queue_pop (&network->queue, SS_NEVER, &event))
    if (event.kind == SS_NETWORK_EVENT_ARRIVAL
        || event.kind == SS_NETWORK_EVENT_LATE_ARRIVAL)
      give_back (network, event.data);
    else if (event.kind == SS_NETWORK_EVENT_CALL)
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
  return ss_network_place (network, node)->node;
}

static SsTime
base_delay (const SsNetwork *network, unsigned from, unsigned to)
{
  const SsNetworkOptions *options = &network->options;

  if (options->model == SS_DELAY_HOOK)
    return options->hook (options->hook_user, from, to);
  if (options->model == SS_DELAY_UNIFORM)
    return options->delay;
  const SsNetworkPlace *a = ss_network_place (network, from),
                       *b = ss_network_place (network, to);
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
  SsNetworkPlace *place = ss_network_place (network, to);

  if (place->newest != NULL && place->newest_at == at) {
    place->newest->next = packet;
  } else {
    const SsQueued event = {
      .at = at,
      .kind = SS_NETWORK_EVENT_ARRIVAL,
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
  if (ss_network_place (network, from)->is_mute)
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
    const SsNetworkTamper *by =
        &g_array_index (network->tampers, SsNetworkTamper, i);
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
  SsNetworkPlace *place = ss_network_place (network, node);
  SsTime deadline = ss_node_deadline (place->node);

  if (deadline >= place->wake_at)
    return; /* An earlier wake looks again. */
  const SsQueued event = {
    .at = MAX (deadline, network->now),
    .kind = SS_NETWORK_EVENT_WAKE,
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
  SsNetworkPlace *place = ss_network_place (network, node);
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
      place = ss_network_place (network, node);
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
  SsNetworkPlace *place = ss_network_place (network, node);
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
  SsNetworkPlace place = {
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
  SsNetworkPlace *place = ss_network_place (network, node);

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
  ss_network_place (network, node)->is_frozen = true;
}

bool
ss_network_is_frozen (const SsNetwork *network, unsigned node)
{
  return ss_network_place (network, node)->is_frozen;
}

void
ss_network_set_side (SsNetwork *network, unsigned node, unsigned side)
{
  ss_network_place (network, node)->side = (uint16_t) side;
}

void
ss_network_set_loss (SsNetwork *network, double loss)
{
  network->options.loss = loss;
}

void
ss_network_mute (SsNetwork *network, unsigned node, bool mute)
{
  ss_network_place (network, node)->is_mute = mute;
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
    if (g_array_index (network->tampers, SsNetworkTamper, i).node == node)
      g_array_remove_index (network->tampers, i);
  const SsNetworkTamper tamper = { node, function, user };

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
