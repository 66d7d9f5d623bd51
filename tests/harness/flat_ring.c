/* A ring without an overlay. */
#include "tests/harness/flat_ring.h"

#include <string.h>

#define LOSS_DELAY   (250 * SS_MSEC) /* until a lost message is sent again */
#define LOSS_TRIES   5
#define FAILED_AFTER (1500 * SS_MSEC)
#define ROUTE_HEADER 90
#define SIDE         16 /* leaves a side: replica sets are no larger */

typedef enum { EVENT_DIRECT, EVENT_ROUTED, EVENT_OUTCOME, EVENT_DEAD } Kind;

typedef struct {
  SsTime at;
  uint64_t order;
  Kind kind;
  SsProtocol protocol;
  FlatNode *from, *to;
  uint64_t token;
  SsKbrOutcome outcome;
  SsId key;
  GBytes *bytes;
} Event;

static void
event_free (gpointer data)
{
  Event *event = data;

  if (event->bytes != NULL)
    g_bytes_unref (event->bytes);
  g_free (event);
}

static int
compare_events (gconstpointer a, gconstpointer b, gpointer unused)
{
  const Event *one = a, *other = b;

  if (one->at != other->at)
    return one->at < other->at ? -1 : 1;
  return one->order < other->order ? -1 : 1;
}

static void
push (FlatRing *ring, const Event *event, SsTime delay)
{
  Event *copy = g_memdup2 (event, sizeof *event);

  copy->at = ring->now + delay;
  copy->order = ring->order++;
  g_sequence_insert_sorted (ring->events, copy, compare_events, NULL);
}

/* One way, with what losses add. */
static SsTime
travel (FlatRing *ring, bool *ret_arrives)
{
  SsTime delay = ring->options.delay;

  delay += (SsTime) ss_rng_below (&ring->rng, (uint64_t) delay + 1);
  for (unsigned i = 0; i < LOSS_TRIES; i++, delay += LOSS_DELAY)
    if (ss_rng_unit (&ring->rng) >= ring->options.loss) {
      *ret_arrives = true;
      return delay;
    }
  *ret_arrives = false;
  return delay;
}

static FlatNode *
node_of (SsKbr *kbr)
{
  return (FlatNode *) (void *) kbr;
}

static bool
is_member (const FlatNode *node)
{
  return node->is_in && !node->is_declared;
}

/* Members, closest to key first. */
static unsigned
closest (FlatRing *ring, const SsId *key, FlatNode **ret_nodes, unsigned max)
{
  unsigned n = 0;

  for (unsigned i = 0; i < ring->n_nodes; i++) {
    FlatNode *node = ring->nodes[i];
    unsigned place = n;

    if (!is_member (node))
      continue;
    while (
        place > 0
        && ss_id_closer (key, &node->self.id, &ret_nodes[place - 1]->self.id))
      place--;
    if (place >= max)
      continue;
    n = MIN (n + 1, max);
    memmove (ret_nodes + place + 1, ret_nodes + place,
             (n - place - 1) * sizeof *ret_nodes);
    ret_nodes[place] = node;
  }
  return n;
}

FlatNode *
flat_ring_root (FlatRing *ring, const SsId *key)
{
  FlatNode *nodes[FLAT_RING_MAX];
  unsigned n = closest (ring, key, nodes, FLAT_RING_MAX);

  for (unsigned i = 0; i < n; i++)
    if (nodes[i]->is_alive)
      return nodes[i];
  return NULL;
}

static void
register_app (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app, void *user)
{
  node_of (kbr)->apps[protocol] = *app;
  node_of (kbr)->app_users[protocol] = user;
}

static void
deliver (FlatNode *node, const Event *event)
{
  gsize len;
  const uint8_t *data = g_bytes_get_data (event->bytes, &len);
  const SsKbrMessage message = {
    .key = event->key,
    .source = event->from->self,
    .previous = event->from->self,
    .hops = node == event->from ? 0 : 1,
    .data = data,
    .len = len,
  };
  const SsKbrApp *app = &node->apps[event->protocol];

  if (app->forward == NULL
      || app->forward (node->app_users[event->protocol], &message, NULL))
    app->deliver (node->app_users[event->protocol], &message);
}

static bool
route (SsKbr *kbr, SsProtocol protocol, const SsId *key, const SsContact *hint,
       unsigned flags, const uint8_t *data, size_t len)
{
  FlatNode *node = node_of (kbr), *root;
  FlatRing *ring = node->ring;
  Event event = {
    .kind = EVENT_ROUTED,
    .protocol = protocol,
    .from = node,
    .key = *key,
  };
  bool arrives;

  if (!is_member (node) || len > SS_KBR_MESSAGE_MAX)
    return false;
  event.bytes = g_bytes_new (data, len);
  closest (ring, key, &root, 1);
  if (root == node) {
    deliver (node, &event);
    g_bytes_unref (event.bytes);
    return true;
  }
  node->bytes_out += len + ROUTE_HEADER;
  node->messages_out++;
  SsTime delay = travel (ring, &arrives);

  if (arrives)
    push (ring, &event, delay);
  else
    g_bytes_unref (event.bytes);
  return true;
}

static FlatNode *
find (FlatRing *ring, const SsId *id)
{
  for (unsigned i = 0; i < ring->n_nodes; i++)
    if (ss_id_equal (&ring->nodes[i]->self.id, id))
      return ring->nodes[i];
  return NULL;
}

static bool
send_direct (SsKbr *kbr, SsProtocol protocol, const SsContact *to,
             const SsKbrSend *how, const uint8_t *head, size_t head_len,
             GBytes *body)
{
  FlatNode *node = node_of (kbr), *target = find (node->ring, &to->id);
  FlatRing *ring = node->ring;
  size_t body_len = body != NULL ? g_bytes_get_size (body) : 0;
  uint8_t data[SS_KBR_DIRECT_MAX];
  bool arrives;

  if (target == NULL || target == node
      || head_len + body_len > SS_KBR_DIRECT_MAX)
    return false;
  memcpy (data, head, head_len);
  if (body_len > 0)
    memcpy (data + head_len, g_bytes_get_data (body, NULL), body_len);
  node->bytes_out += head_len + body_len;
  node->messages_out++;
  SsTime delay = travel (ring, &arrives);
  Event event = {
    .protocol = protocol,
    .from = node,
    .to = target,
    .token = how->token,
  };

  arrives = arrives && target->is_alive;
  if (arrives) {
    event.kind = EVENT_DIRECT;
    event.bytes = g_bytes_new (data, head_len + body_len);
    push (ring, &event, delay);
  }
  if (how->reliable && how->token != 0) {
    event.kind = EVENT_OUTCOME;
    event.bytes = NULL;
    event.outcome = arrives ? SS_KBR_ACKED : SS_KBR_FAILED;
    push (ring, &event, arrives ? delay + ring->options.delay : FAILED_AFTER);
  }
  return true;
}

static void
cancel (SsKbr *kbr, SsProtocol protocol, const SsId *to, uint64_t token)
{
  FlatNode *node = node_of (kbr);
  GSequence *events = node->ring->events;
  GSequenceIter *at = g_sequence_get_begin_iter (events);

  while (!g_sequence_iter_is_end (at)) {
    GSequenceIter *next = g_sequence_iter_next (at);
    const Event *event = g_sequence_get (at);

    if (event->kind == EVENT_OUTCOME && event->from == node
        && event->protocol == protocol && event->token == token
        && ss_id_equal (&event->to->self.id, to))
      g_sequence_remove (at);
    at = next;
  }
}

static unsigned
to_contacts (FlatNode *const *nodes, unsigned n, const FlatNode *but,
             SsContact *ret_contacts, unsigned max)
{
  unsigned n_contacts = 0;

  for (unsigned i = 0; i < n && n_contacts < max; i++)
    if (nodes[i] != but)
      ret_contacts[n_contacts++] = nodes[i]->self;
  return n_contacts;
}

static unsigned
local_lookup (SsKbr *kbr, const SsId *key, SsContact *ret_contacts,
              unsigned max)
{
  FlatNode *nodes[FLAT_RING_MAX];
  unsigned n = closest (node_of (kbr)->ring, key, nodes, FLAT_RING_MAX);

  return to_contacts (nodes, n, node_of (kbr), ret_contacts, max);
}

static unsigned
neighbor_set (SsKbr *kbr, SsContact *ret_contacts, unsigned max)
{
  return local_lookup (kbr, &node_of (kbr)->self.id, ret_contacts, max);
}

static unsigned
replica_set (SsKbr *kbr, const SsId *key, SsContact *ret_contacts, unsigned max)
{
  const FlatNode *self = node_of (kbr);
  FlatNode *nodes[FLAT_RING_MAX];
  unsigned n = closest (self->ring, key, nodes, FLAT_RING_MAX), n_known = 0;

  for (unsigned i = 0; i < n; i++)
    if (self->horizon == 0 || nodes[i]->index < self->horizon)
      nodes[n_known++] = nodes[i];
  return to_contacts (nodes, MIN (n_known, SIDE), NULL, ret_contacts, max);
}

static bool
range (SsKbr *kbr, const SsContact *node, unsigned rank, SsId *ret_from,
       SsId *ret_to)
{
  return false;
}

static bool
is_suspected (SsKbr *kbr, const SsId *peer)
{
  FlatNode *node = find (node_of (kbr)->ring, peer);

  return node == NULL || node->is_declared;
}

static bool
is_root (SsKbr *kbr, const SsId *key, bool provisional)
{
  FlatNode *root;

  return closest (node_of (kbr)->ring, key, &root, 1) == 1
         && root == node_of (kbr);
}

static void
suspect (SsKbr *kbr, const SsContact *peer)
{
}

static SsTime
rtt (SsKbr *kbr, const SsId *peer)
{
  return 3 * node_of (kbr)->ring->options.delay;
}

static SsTime
rto (SsKbr *kbr, const SsId *peer)
{
  return LOSS_DELAY;
}

static SsTime
last_heard (SsKbr *kbr, const SsId *peer)
{
  return -1;
}

static bool
is_ready (SsKbr *kbr)
{
  return is_member (node_of (kbr));
}

static const SsContact *
get_self (SsKbr *kbr)
{
  return &node_of (kbr)->self;
}

static const SsKbrClass class = {
  .register_app = register_app,
  .route = route,
  .send = send_direct,
  .cancel = cancel,
  .local_lookup = local_lookup,
  .neighbor_set = neighbor_set,
  .replica_set = replica_set,
  .range = range,
  .is_root = is_root,
  .suspect = suspect,
  .is_suspected = is_suspected,
  .rtt = rtt,
  .rto = rto,
  .last_heard = last_heard,
  .is_ready = is_ready,
  .self = get_self,
};

FlatRing *
flat_ring_new (uint64_t seed, const FlatRingOptions *options)
{
  FlatRing *ring = g_new0 (FlatRing, 1);

  ring->options = *options;
  ring->now = SS_SEC;
  ss_rng_init_number (&ring->rng, seed);
  ring->events = g_sequence_new (event_free);
  return ring;
}

void
flat_ring_free (FlatRing *ring)
{
  g_sequence_free (ring->events);
  for (unsigned i = 0; i < ring->n_nodes; i++) {
    ss_env_clear (&ring->nodes[i]->env);
    g_free (ring->nodes[i]);
  }
  g_free (ring);
}

FlatNode *
flat_ring_add (FlatRing *ring)
{
  g_assert (ring->n_nodes < FLAT_RING_MAX);
  FlatNode *node = g_new0 (FlatNode, 1);
  uint8_t seed[32];

  node->kbr.class = &class;
  node->kbr.env = &node->env;
  node->ring = ring;
  node->index = ring->n_nodes;
  node->is_alive = true;
  ss_rng_bytes (&ring->rng, seed, sizeof seed);
  ss_env_init (&node->env, seed, ring->now, 0);
  ss_rng_bytes (&ring->rng, node->self.key.b, SS_KEY_LEN);
  node->self.id = ss_id_of_key (&node->self.key);
  node->self.addr = ss_addr_v4 (0x0a000000 + node->index + 1, 4000);
  node->self.flags = SS_PEER_REACHABLE;
  ring->nodes[ring->n_nodes++] = node;
  return node;
}

static void
tell (FlatNode *about, SsKbrChange change)
{
  FlatRing *ring = about->ring;

  for (unsigned i = 0; i < ring->n_nodes; i++) {
    FlatNode *node = ring->nodes[i];

    if (node == about || !node->is_alive || !node->is_in)
      continue;
    node->env.now = ring->now;
    for (unsigned j = 0; j < SS_N_PROTOCOLS; j++)
      if (node->apps[j].update != NULL)
        node->apps[j].update (node->app_users[j], &about->self, change);
  }
}

void
flat_ring_join (FlatNode *node)
{
  node->is_in = true;
  tell (node, SS_KBR_JOINED);
}

void
flat_ring_kill (FlatNode *node)
{
  const Event event = { .kind = EVENT_DEAD, .to = node };

  node->is_alive = false;
  node->died = node->ring->now;
  push (node->ring, &event, node->ring->options.detection);
}

static void
handle_routed (FlatRing *ring, Event *event)
{
  FlatNode *root;

  if (closest (ring, &event->key, &root, 1) == 0)
    return;
  if (!root->is_alive) {
    /* Held on the way until the death is known. */
    Event later = *event;

    g_bytes_ref (later.bytes);
    push (ring, &later,
          root->died + ring->options.detection - ring->now + SS_MSEC);
    return;
  }
  root->env.now = ring->now;
  deliver (root, event);
}

static void
handle (FlatRing *ring, Event *event)
{
  FlatNode *from = event->from, *to = event->to;
  SsProtocol protocol = event->protocol;
  gsize len;

  switch (event->kind) {
  case EVENT_DIRECT:
    if (!to->is_alive)
      return;
    to->env.now = ring->now;
    if (to->apps[protocol].direct != NULL) {
      const uint8_t *data = g_bytes_get_data (event->bytes, &len);

      to->apps[protocol].direct (to->app_users[protocol], &from->self, data,
                                 len);
    }
    return;
  case EVENT_ROUTED:
    handle_routed (ring, event);
    return;
  case EVENT_OUTCOME:
    if (!from->is_alive)
      return;
    from->env.now = ring->now;
    if (from->apps[protocol].outcome != NULL)
      from->apps[protocol].outcome (from->app_users[protocol], &to->self,
                                    event->token, event->outcome);
    return;
  case EVENT_DEAD:
    to->is_declared = true;
    if (to->is_in)
      tell (to, SS_KBR_LEFT);
    return;
  }
}

/* The node whose timer is due first, and when. */
static FlatNode *
next_timer (FlatRing *ring, SsTime *ret_at)
{
  FlatNode *next = NULL;

  *ret_at = SS_NEVER;
  for (unsigned i = 0; i < ring->n_nodes; i++) {
    FlatNode *node = ring->nodes[i];
    SsTime at = ss_timers_deadline (&node->env.timers);

    if (node->is_alive && at < *ret_at) {
      *ret_at = at;
      next = node;
    }
  }
  return next;
}

void
flat_ring_run (FlatRing *ring, SsTime duration)
{
  SsTime end = ring->now + duration;

  for (;;) {
    SsTime timer_at, event_at = SS_NEVER;
    FlatNode *node = next_timer (ring, &timer_at);
    GSequenceIter *first = g_sequence_get_begin_iter (ring->events);

    if (!g_sequence_iter_is_end (first))
      event_at = ((const Event *) g_sequence_get (first))->at;
    if (MIN (timer_at, event_at) > end)
      break;
    ring->now = MAX (ring->now, MIN (timer_at, event_at));
    if (timer_at <= event_at) {
      node->env.now = ring->now;
      SsTimer *timer = ss_timers_pop (&node->env.timers, ring->now);

      g_assert (timer != NULL);
      ring->timer (node, timer);
    } else {
      Event event = *(const Event *) g_sequence_get (first);

      if (event.bytes != NULL)
        g_bytes_ref (event.bytes);
      g_sequence_remove (first);
      handle (ring, &event);
      if (event.bytes != NULL)
        g_bytes_unref (event.bytes);
    }
  }
  ring->now = end;
  for (unsigned i = 0; i < ring->n_nodes; i++)
    ring->nodes[i]->env.now = end;
}
