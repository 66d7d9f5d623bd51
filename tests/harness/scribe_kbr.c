/* A key-based routing layer that knows all nodes: see scribe_world.h. */
#include <string.h>

#include "scribe/messages.h"
#include "tests/harness/scribe_world_private.h"

#define OVERHEAD  33 /* of a datagram with one message */
#define RTO_FLOOR (50 * SS_MSEC)
#define RTO_FIRST (250 * SS_MSEC)
#define RTO_CAP   (500 * SS_MSEC)
#define TRIES     5
#define PING_GAP  (100 * SS_MSEC)
#define PINGS     15 /* then it is declared dead */

static int
compare_events (gconstpointer a, gconstpointer b, gpointer unused)
{
  const Event *x = a, *y = b;
  if (x->at != y->at)
    return x->at < y->at ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

void
scribe_world_free_event (gpointer data)
{
  Event *event = data;
  if (event->bytes)
    g_bytes_unref (event->bytes);
  g_free (event);
}

static void
schedule (World *world, Event event, SsTime delay)
{
  Event *copy = g_new (Event, 1);
  *copy = event;
  copy->at = world->now + delay;
  copy->order = world->order++;
  if (copy->bytes)
    g_bytes_ref (copy->bytes);
  g_sequence_insert_sorted (world->events, copy, compare_events, NULL);
}

/* The same in both directions, always. */
static SsTime
delay_between (const World *world, unsigned a, unsigned b)
{
  uint32_t mix = (MIN (a, b) * 2654435761u) ^ (MAX (a, b) * 40503u);
  return world->options.delay + world->options.delay * (mix % 1000) / 1000;
}

static void
transmit (World *world, Event event)
{
  if (world->nodes[event.from]->side != world->nodes[event.to]->side
      || ss_rng_unit (&world->rng) < world->options.loss)
    return;
  schedule (world, event, delay_between (world, event.from, event.to));
}

static SsTime
rto_of (const Node *node, unsigned to)
{
  if (to >= node->world->options.n || !node->views[to].is_met)
    return RTO_FIRST;
  return MAX (RTO_FLOOR, 3 * delay_between (node->world, node->index, to));
}

void
scribe_world_update (Node *node, unsigned peer, SsKbrChange change)
{
  node->app->update (node->app_user, &node->world->nodes[peer]->contact,
                     change);
}

void
scribe_world_hear (Node *node, unsigned from)
{
  View *view = &node->views[from];
  view->heard = node->world->now;
  view->has_heard = view->is_met = true;
  bool was_suspect = view->is_suspect, was_dead = view->is_dead;
  view->is_suspect = view->is_dead = false;
  if (was_dead)
    scribe_world_update (node, from, SS_KBR_JOINED);
  else if (was_suspect)
    scribe_world_update (node, from, SS_KBR_RECOVERED);
}

static void
suspect (Node *node, unsigned peer)
{
  View *view = &node->views[peer];
  if (view->is_suspect || view->is_dead || peer == node->index)
    return;
  view->is_suspect = true;
  schedule (node->world,
            (Event){ .type = EVENT_PING_GAP, .from = node->index, .to = peer },
            PING_GAP);
  transmit (node->world,
            (Event){ .type = EVENT_PING, .from = node->index, .to = peer });
  scribe_world_update (node, peer, SS_KBR_SUSPECTED);
}

void
scribe_world_find (Node *node, unsigned peer, SsTime delay)
{
  schedule (node->world,
            (Event){ .type = EVENT_FIND, .from = node->index, .to = peer },
            delay);
}

/* The class. */

static void
fake_register (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app, void *user)
{
  Node *node = (Node *) kbr;
  node->app = app;
  node->app_user = user;
}

static bool
is_avoided (const Event *event, unsigned peer)
{
  for (unsigned i = 0; event && i < event->n_avoid; i++)
    if (event->avoid[i] == peer)
      return true;
  return false;
}

/* Closest to key as this node sees it. */
/* One that others cannot reach unasked routes through them. */
static bool
is_member (const Node *node)
{
  return node->is_in_ring && (node->contact.flags & SS_PEER_REACHABLE) != 0;
}

static unsigned
closest (const Node *node, const SsId *key, bool with_suspects,
         const Event *event)
{
  const World *world = node->world;
  unsigned best = WORLD_NODES_MAX;
  for (unsigned i = 0; i < world->options.n; i++) {
    const View *view = &node->views[i];
    if (!is_member (world->nodes[i]) || view->is_dead
        || (!with_suspects && (view->is_suspect || is_avoided (event, i))))
      continue;
    if (best == WORLD_NODES_MAX
        || ss_id_closer (key, &world->nodes[i]->contact.id,
                         &world->nodes[best]->contact.id))
      best = i;
  }
  return best;
}

static void
route_on (Node *node, Event event)
{
  World *world = node->world;
  unsigned next = closest (node, &event.key, false, &event);
  if (next == WORLD_NODES_MAX)
    return;
  if (event.hops < 3 && next != node->index
      && ss_rng_below (&world->rng, 100) < world->options.detours) {
    /* As prefix routing would: any node that shares more with the key. */
    unsigned other = (unsigned) ss_rng_below (&world->rng, world->options.n);
    unsigned shares = ss_id_shared_digits (&node->contact.id, &event.key);
    for (unsigned i = 0; i < world->options.n; i++) {
      unsigned at = (other + i) % world->options.n;
      const View *view = &node->views[at];
      if (ss_id_shared_digits (&world->nodes[at]->contact.id, &event.key)
              <= shares
          || !is_member (world->nodes[at]) || view->is_suspect || view->is_dead)
        continue;
      next = at;
      break;
    }
  }
  gsize len;
  const uint8_t *data = g_bytes_get_data (event.bytes, &len);
  unsigned true_closest = closest (node, &event.key, true, NULL);
  SsKbrMessage message = {
    .key = event.key,
    .source = world->nodes[event.source]->contact,
    .previous = world->nodes[event.from]->contact,
    .hops = event.hops,
    .provisional = next == node->index && true_closest != node->index,
    .data = data,
    .len = len,
  };
  if (!node->app->forward (node->app_user, &message,
                           next == node->index ? NULL
                                               : &world->nodes[next]->contact))
    return;
  if (next == node->index) {
    if (!message.provisional || (event.flags & SS_ROUTE_PROVISIONAL))
      node->app->deliver (node->app_user, &message);
    return;
  }
  event.type = EVENT_ROUTED;
  event.from = node->index;
  event.to = next;
  event.number = ++world->numbers;
  node->control_bytes += len + OVERHEAD + 60;
  transmit (world, event);
  /* Kept for going another way. */
  Unacked entry = { event.number, 0, next, 1, g_bytes_ref (event.bytes) };
  g_array_append_val (node->unacked, entry);
  event.type = EVENT_ROUTE_RTO;
  schedule (world, event, rto_of (node, next));
}

/* A message of this node's own. */
static bool
begin_route (Node *node, Event event, const uint8_t *data, size_t len)
{
  if (len > SS_KBR_MESSAGE_MAX || !node->is_in_ring)
    return false;
  event.from = event.source = node->index;
  event.bytes = g_bytes_new (data, len);
  route_on (node, event);
  g_bytes_unref (event.bytes);
  return true;
}

static bool
fake_route (SsKbr *kbr, SsProtocol protocol, const SsId *key,
            const SsContact *hint, unsigned flags, const uint8_t *data,
            size_t len)
{
  const Event event = { .key = *key, .flags = flags };
  return begin_route ((Node *) kbr, event, data, len);
}

static bool
fake_route_past (SsKbr *kbr, SsProtocol protocol, const SsId *key,
                 const SsId *past, unsigned n_past, const uint8_t *data,
                 size_t len)
{
  Node *node = (Node *) kbr;
  Event event = { .key = *key, .flags = SS_ROUTE_PROVISIONAL };
  for (unsigned i = 0; i < n_past; i++)
    event.avoid[event.n_avoid++] = world_node_of (node->world, &past[i]);
  return begin_route (node, event, data, len);
}

static bool
is_packet (uint8_t code)
{
  return code == SS_MSG_SCRIBE_DATA || code == SS_MSG_SCRIBE_REPAIR
         || code == SS_MSG_SCRIBE_PUBLISH || code == SS_MSG_SCRIBE_DEPUTY;
}

static void
count_sending (Node *node, GBytes *bytes)
{
  gsize len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  if (is_packet (data[0]))
    node->packets_sent++;
  else
    node->control_bytes += len + OVERHEAD;
}

static bool
fake_send (SsKbr *kbr, SsProtocol protocol, const SsContact *to,
           const SsKbrSend *how, const uint8_t *head, size_t head_len,
           GBytes *body)
{
  Node *node = (Node *) kbr;
  World *world = node->world;
  unsigned peer = world_node_of (world, &to->id);
  if (peer >= world->options.n)
    return true; /* made up by a hostile node: never answers */
  gsize body_len = 0;
  const void *body_data = body ? g_bytes_get_data (body, &body_len) : NULL;
  if (peer == node->index || head_len + body_len > SS_KBR_DIRECT_MAX)
    return false;
  if (node->is_idle && is_packet (head[0]))
    return true;
  uint8_t *data = g_malloc (head_len + body_len);
  memcpy (data, head, head_len);
  if (body_len > 0)
    memcpy (data + head_len, body_data, body_len);
  GBytes *bytes = g_bytes_new_take (data, head_len + body_len);
  Event event = {
    .type = EVENT_DIRECT, .from = node->index, .to = peer, .bytes = bytes
  };
  if (how->reliable) {
    event.number = ++world->numbers;
    Unacked entry = { event.number, how->token, peer, 1, g_bytes_ref (bytes) };
    g_array_append_val (node->unacked, entry);
    schedule (world,
              (Event){ .type = EVENT_RTO,
                       .from = node->index,
                       .to = peer,
                       .number = event.number,
                       .count = 1 },
              rto_of (node, peer));
  }
  count_sending (node, bytes);
  transmit (world, event);
  g_bytes_unref (bytes);
  return true;
}

static Unacked *
find_unacked (Node *node, uint64_t number, unsigned *ret_index)
{
  for (unsigned i = 0; i < node->unacked->len; i++) {
    Unacked *entry = &g_array_index (node->unacked, Unacked, i);
    if (entry->number == number) {
      *ret_index = i;
      return entry;
    }
  }
  return NULL;
}

void
scribe_world_drop_unacked (Node *node, unsigned index)
{
  g_bytes_unref (g_array_index (node->unacked, Unacked, index).bytes);
  g_array_remove_index (node->unacked, index);
}

static void
fake_cancel (SsKbr *kbr, SsProtocol protocol, const SsId *to, uint64_t token)
{
  Node *node = (Node *) kbr;
  unsigned peer = world_node_of (node->world, to);
  for (unsigned i = node->unacked->len; i-- > 0;) {
    const Unacked *entry = &g_array_index (node->unacked, Unacked, i);
    if (entry->token == token && entry->to == peer && token)
      scribe_world_drop_unacked (node, i);
  }
}

static unsigned
fake_replica_set (SsKbr *kbr, const SsId *key, SsContact *ret, unsigned max)
{
  Node *node = (Node *) kbr;
  World *world = node->world;
  bool is_used[WORLD_NODES_MAX] = { false };
  unsigned n = 0;
  while (n < max) {
    unsigned best = WORLD_NODES_MAX;
    for (unsigned i = 0; i < world->options.n; i++)
      if (!is_used[i] && is_member (world->nodes[i]) && !node->views[i].is_dead
          && (best == WORLD_NODES_MAX
              || ss_id_closer (key, &world->nodes[i]->contact.id,
                               &world->nodes[best]->contact.id)))
        best = i;
    if (best == WORLD_NODES_MAX)
      break;
    is_used[best] = true;
    ret[n++] = world->nodes[best]->contact;
  }
  return n;
}

static unsigned
fake_neighbor_set (SsKbr *kbr, SsContact *ret, unsigned max)
{
  Node *node = (Node *) kbr;
  SsContact list[WORLD_NODES_MAX];
  unsigned n = fake_replica_set (kbr, &node->contact.id, list,
                                 MIN (max + 1, WORLD_NODES_MAX));
  if (n > 0)
    memcpy (ret, list + 1, (n - 1) * sizeof *list);
  return n > 0 ? n - 1 : 0;
}

static bool
fake_is_root (SsKbr *kbr, const SsId *key, bool provisional)
{
  Node *node = (Node *) kbr;
  return is_member (node)
         && closest (node, key, !provisional, NULL) == node->index;
}

static void
fake_suspect (SsKbr *kbr, const SsContact *peer)
{
  Node *node = (Node *) kbr;
  unsigned index = world_node_of (node->world, &peer->id);
  if (index < node->world->options.n)
    suspect (node, index);
}

static const View *
view_of (SsKbr *kbr, const SsId *peer)
{
  static const View nobody = { 0 };
  Node *node = (Node *) kbr;
  unsigned index = world_node_of (node->world, peer);
  return index < node->world->options.n ? &node->views[index] : &nobody;
}

static bool
fake_is_suspected (SsKbr *kbr, const SsId *peer)
{
  const View *view = view_of (kbr, peer);
  return view->is_suspect || view->is_dead;
}

static SsTime
fake_rtt (SsKbr *kbr, const SsId *peer)
{
  Node *node = (Node *) kbr;
  unsigned index = world_node_of (node->world, peer);
  return view_of (kbr, peer)->is_met
             ? 2 * delay_between (node->world, node->index, index)
             : SS_NEVER;
}

static SsTime
fake_rto (SsKbr *kbr, const SsId *peer)
{
  Node *node = (Node *) kbr;
  return rto_of (node, world_node_of (node->world, peer));
}

static SsTime
fake_last_heard (SsKbr *kbr, const SsId *peer)
{
  const View *view = view_of (kbr, peer);
  return view->has_heard ? view->heard : -1;
}

static bool
fake_is_ready (SsKbr *kbr)
{
  return ((Node *) kbr)->is_in_ring;
}

static const SsContact *
fake_self (SsKbr *kbr)
{
  return &((Node *) kbr)->contact;
}

const SsKbrClass scribe_world_kbr = {
  .register_app = fake_register,
  .route = fake_route,
  .route_past = fake_route_past,
  .send = fake_send,
  .cancel = fake_cancel,
  .neighbor_set = fake_neighbor_set,
  .replica_set = fake_replica_set,
  .is_root = fake_is_root,
  .suspect = fake_suspect,
  .is_suspected = fake_is_suspected,
  .rtt = fake_rtt,
  .rto = fake_rto,
  .last_heard = fake_last_heard,
  .is_ready = fake_is_ready,
  .self = fake_self,
};

/* Events. */

static void
handle_rto (World *world, const Event *event)
{
  Node *node = world->nodes[event->from];
  unsigned index;
  Unacked *entry = find_unacked (node, event->number, &index);
  if (!entry)
    return;
  uint64_t token = entry->token;
  const SsContact *to = &world->nodes[event->to]->contact;
  if (event->count >= TRIES) {
    scribe_world_drop_unacked (node, index);
    if (token)
      node->app->outcome (node->app_user, to, token, SS_KBR_FAILED);
    return;
  }
  if (token)
    node->app->outcome (node->app_user, to, token, SS_KBR_LATE);
  entry = find_unacked (node, event->number, &index);
  if (!entry)
    return; /* cancelled */
  Event again = { .type = EVENT_DIRECT,
                  .from = event->from,
                  .to = event->to,
                  .number = event->number,
                  .bytes = entry->bytes };
  count_sending (node, entry->bytes);
  transmit (world, again);
  SsTime wait = rto_of (node, event->to) << event->count;
  Event timer = *event;
  timer.bytes = NULL;
  timer.count++;
  schedule (world, timer, MIN (wait, RTO_CAP));
}

static void
handle_route_rto (World *world, Event *event)
{
  Node *node = world->nodes[event->from];
  unsigned index;
  if (!find_unacked (node, event->number, &index))
    return;
  scribe_world_drop_unacked (node, index);
  suspect (node, event->to);
  Event again = *event;
  if (again.n_avoid < AVOID_MAX)
    again.avoid[again.n_avoid++] = event->to;
  again.from = event->from;
  route_on (node, again);
}

static void
handle_direct (World *world, const Event *event)
{
  Node *node = world->nodes[event->to];
  scribe_world_hear (node, event->from);
  gsize len;
  const uint8_t *data = g_bytes_get_data (event->bytes, &len);
  gpointer key = GSIZE_TO_POINTER (event->number);
  if (!event->number || !g_hash_table_contains (node->taken, key))
    node->app->direct (node->app_user, &world->nodes[event->from]->contact,
                       data, len);
  if (!event->number)
    return;
  g_hash_table_add (node->taken, key);
  node->control_bytes += OVERHEAD;
  transmit (world, (Event){ .type = EVENT_ACK,
                            .from = event->to,
                            .to = event->from,
                            .number = event->number });
}

static void
handle_ack (World *world, const Event *event)
{
  Node *node = world->nodes[event->to];
  scribe_world_hear (node, event->from);
  unsigned index;
  Unacked *entry = find_unacked (node, event->number, &index);
  if (!entry)
    return;
  uint64_t token = entry->token;
  scribe_world_drop_unacked (node, index);
  if (token)
    node->app->outcome (node->app_user, &world->nodes[event->from]->contact,
                        token, SS_KBR_ACKED);
}

static void
handle_ping_gap (World *world, Event *event)
{
  Node *node = world->nodes[event->from];
  View *view = &node->views[event->to];
  if (!view->is_suspect)
    return;
  if (++event->count >= PINGS) {
    view->is_suspect = false;
    view->is_dead = true;
    scribe_world_update (node, event->to, SS_KBR_LEFT);
    return;
  }
  transmit (
      world,
      (Event){ .type = EVENT_PING, .from = event->from, .to = event->to });
  schedule (world, *event, PING_GAP);
}

void
scribe_world_handle (World *world, Event *event)
{
  bool is_at_sender = event->type == EVENT_RTO || event->type == EVENT_ROUTE_RTO
                      || event->type == EVENT_PING_GAP
                      || event->type == EVENT_FIND;
  unsigned at = is_at_sender ? event->from : event->to;
  Node *node = world->nodes[at];
  if (!node->is_alive)
    return;
  node->env.now = world->now;
  switch (event->type) {
  case EVENT_DIRECT:
    handle_direct (world, event);
    break;
  case EVENT_ACK:
  case EVENT_ROUTE_ACK:
    handle_ack (world, event);
    break;
  case EVENT_RTO:
    handle_rto (world, event);
    break;
  case EVENT_ROUTED:
    scribe_world_hear (node, event->from);
    node->control_bytes += OVERHEAD;
    transmit (world, (Event){ .type = EVENT_ROUTE_ACK,
                              .from = event->to,
                              .to = event->from,
                              .number = event->number });
    event->hops++;
    route_on (node, *event);
    break;
  case EVENT_ROUTE_RTO:
    handle_route_rto (world, event);
    break;
  case EVENT_PING:
    scribe_world_hear (node, event->from);
    transmit (
        world,
        (Event){ .type = EVENT_PONG, .from = event->to, .to = event->from });
    break;
  case EVENT_PONG:
    scribe_world_hear (node, event->from);
    break;
  case EVENT_PING_GAP:
    handle_ping_gap (world, event);
    break;
  case EVENT_FIND:
    transmit (
        world,
        (Event){ .type = EVENT_PING, .from = event->from, .to = event->to });
    break;
  }
}
