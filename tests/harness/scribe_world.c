/* Scribe over a fake overlay: see scribe_world.h. */
#include "tests/harness/scribe_world.h"

#include <string.h>

#include "scribe/messages.h"

#define OVERHEAD     33 /* of a datagram with one message */
#define RTO_FLOOR    (50 * SS_MSEC)
#define RTO_FIRST    (250 * SS_MSEC)
#define RTO_CAP      (500 * SS_MSEC)
#define TRIES        5
#define PING_GAP     (100 * SS_MSEC)
#define PINGS        15 /* then it is declared dead */
#define AVOID_MAX    4
#define NUMBERS_MAX  8192
#define APP_TICK     (10 * SS_MSEC)
#define OVERDUE      (60 * SS_MSEC)

typedef enum {
  EVENT_DIRECT,
  EVENT_ACK,
  EVENT_RTO,
  EVENT_ROUTED,
  EVENT_ROUTE_ACK,
  EVENT_ROUTE_RTO,
  EVENT_PING,
  EVENT_PONG,
  EVENT_PING_GAP,
} EventType;

typedef struct {
  SsTime at;
  uint64_t order;
  EventType type;
  unsigned from, to, count;
  uint64_t number; /* of a reliable or routed message */
  GBytes *bytes;
  SsId key;
  unsigned flags, source, hops, n_avoid;
  unsigned avoid[AVOID_MAX];
} Event;

typedef struct {
  uint64_t number, token;
  unsigned to, tries;
  GBytes *bytes;
} Unacked;

typedef struct {
  SsTime heard;
  bool has_heard, is_suspect, is_dead, is_met;
} View;

struct Node {
  SsKbr kbr; /* first: the class gets its address */
  World *world;
  unsigned index;
  bool is_alive, is_in_ring, is_joined;
  SsEnv env;
  SsContact contact;
  const SsKbrApp *app;
  void *app_user;
  SsScribe *scribe;
  SsFamily *family;
  SsGroup *groups[WORLD_STRIPES];
  View views[WORLD_NODES_MAX];
  GArray *unacked;   /* Unacked */
  GHashTable *taken; /* numbers of reliable messages handled */
  unsigned joined_at; /* first number it must have */
  SsTime got[NUMBERS_MAX]; /* arrival of each number; 0: not */
  bool wanted[NUMBERS_MAX];
  SsTime next_tick;
  uint16_t sent[WORLD_STRIPES];
  uint16_t heard_first[WORLD_STRIPES][WORLD_NODES_MAX];
  uint16_t heard_next[WORLD_STRIPES][WORLD_NODES_MAX];
  uint64_t packets_sent, control_bytes;
};

struct World {
  WorldOptions options;
  SsRng rng;
  SsTime now;
  uint64_t order, numbers;
  GSequence *events;
  Node *nodes[WORLD_NODES_MAX];
  SsId groups[WORLD_STRIPES];
  bool is_publishing;
  unsigned published;
  SsTime departures[NUMBERS_MAX];
  SsTime next_packet;
};

static const SsKbrClass fake_class;
static const SsScribeApp app_double;

static int
compare_events (gconstpointer a, gconstpointer b, gpointer unused)
{
  const Event *x = a, *y = b;
  if (x->at != y->at)
    return x->at < y->at ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static void
free_event (gpointer data)
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
  if (ss_rng_unit (&world->rng) < world->options.loss)
    return;
  schedule (world, event, delay_between (world, event.from, event.to));
}

static SsTime
rto_of (const Node *node, unsigned to)
{
  if (!node->views[to].is_met)
    return RTO_FIRST;
  return MAX (RTO_FLOOR, 3 * delay_between (node->world, node->index, to));
}

static void
update (Node *node, unsigned peer, SsKbrChange change)
{
  node->app->update (node->app_user, &node->world->nodes[peer]->contact,
                     change);
}

static void
hear (Node *node, unsigned from)
{
  View *view = &node->views[from];
  view->heard = node->world->now;
  view->has_heard = view->is_met = true;
  bool was_suspect = view->is_suspect, was_dead = view->is_dead;
  view->is_suspect = view->is_dead = false;
  if (was_dead)
    update (node, from, SS_KBR_JOINED);
  else if (was_suspect)
    update (node, from, SS_KBR_RECOVERED);
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
  update (node, peer, SS_KBR_SUSPECTED);
}

/* The class. */

static void
fake_register (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app,
               void *user)
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
static unsigned
closest (const Node *node, const SsId *key, bool with_suspects,
         const Event *event)
{
  const World *world = node->world;
  unsigned best = WORLD_NODES_MAX;
  for (unsigned i = 0; i < world->options.n; i++) {
    const View *view = &node->views[i];
    if (!world->nodes[i]->is_in_ring || view->is_dead
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
  bool has_detour = event.hops == 0 && next != node->index
                    && ss_rng_below (&world->rng, 100)
                           < world->options.detours;
  if (has_detour) {
    unsigned other = (unsigned) ss_rng_below (&world->rng, world->options.n);
    const View *view = &node->views[other];
    if (world->nodes[other]->is_in_ring && !view->is_suspect && !view->is_dead
        && other != node->index)
      next = other;
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
                           next == node->index
                               ? NULL
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

static bool
fake_route (SsKbr *kbr, SsProtocol protocol, const SsId *key,
            const SsContact *hint, unsigned flags, const uint8_t *data,
            size_t len)
{
  Node *node = (Node *) kbr;
  if (len > SS_KBR_MESSAGE_MAX || !node->is_in_ring)
    return false;
  GBytes *bytes = g_bytes_new (data, len);
  route_on (node, (Event){ .from = node->index,
                           .source = node->index,
                           .bytes = bytes,
                           .key = *key,
                           .flags = flags });
  g_bytes_unref (bytes);
  return true;
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
  g_assert_cmpuint (peer, <, world->options.n);
  gsize body_len = 0;
  const void *body_data = body ? g_bytes_get_data (body, &body_len) : NULL;
  if (peer == node->index || head_len + body_len > SS_KBR_DIRECT_MAX)
    return false;
  uint8_t *data = g_malloc (head_len + body_len);
  memcpy (data, head, head_len);
  if (body_len > 0)
    memcpy (data + head_len, body_data, body_len);
  GBytes *bytes = g_bytes_new_take (data, head_len + body_len);
  Event event = { .type = EVENT_DIRECT,
                  .from = node->index,
                  .to = peer,
                  .bytes = bytes };
  if (how->reliable) {
    event.number = ++world->numbers;
    Unacked entry
      = { event.number, how->token, peer, 1, g_bytes_ref (bytes) };
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

static void
drop_unacked (Node *node, unsigned index)
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
      drop_unacked (node, i);
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
      if (!is_used[i] && world->nodes[i]->is_in_ring
          && !node->views[i].is_dead
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
  unsigned n
    = fake_replica_set (kbr, &node->contact.id, list,
                        MIN (max + 1, WORLD_NODES_MAX));
  if (n > 0)
    memcpy (ret, list + 1, (n - 1) * sizeof *list);
  return n > 0 ? n - 1 : 0;
}

static bool
fake_is_root (SsKbr *kbr, const SsId *key, bool provisional)
{
  Node *node = (Node *) kbr;
  return node->is_in_ring
         && closest (node, key, !provisional, NULL) == node->index;
}

static void
fake_suspect (SsKbr *kbr, const SsContact *peer)
{
  Node *node = (Node *) kbr;
  suspect (node, world_node_of (node->world, &peer->id));
}

static View *
view_of (SsKbr *kbr, const SsId *peer)
{
  Node *node = (Node *) kbr;
  return &node->views[world_node_of (node->world, peer)];
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
  return node->views[index].is_met
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

static const SsKbrClass fake_class = {
  .register_app = fake_register,
  .route = fake_route,
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
    drop_unacked (node, index);
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
  drop_unacked (node, index);
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
  hear (node, event->from);
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
  hear (node, event->from);
  unsigned index;
  Unacked *entry = find_unacked (node, event->number, &index);
  if (!entry)
    return;
  uint64_t token = entry->token;
  drop_unacked (node, index);
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
    update (node, event->to, SS_KBR_LEFT);
    return;
  }
  transmit (world, (Event){ .type = EVENT_PING,
                            .from = event->from,
                            .to = event->to });
  schedule (world, *event, PING_GAP);
}

static void
handle (World *world, Event *event)
{
  bool is_at_sender = event->type == EVENT_RTO
                      || event->type == EVENT_ROUTE_RTO
                      || event->type == EVENT_PING_GAP;
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
    hear (node, event->from);
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
    hear (node, event->from);
    transmit (world, (Event){ .type = EVENT_PONG,
                              .from = event->to,
                              .to = event->from });
    break;
  case EVENT_PONG:
    hear (node, event->from);
    break;
  case EVENT_PING_GAP:
    handle_ping_gap (world, event);
    break;
  }
}

/* The application: number k is sequence k / 16 of stripe k % 16. */

static unsigned
stripe_of (const SsGroup *group)
{
  return ss_group_id (group)->b[0] >> 4;
}

static GBytes *
make_packet (unsigned number)
{
  uint8_t data[400] = { 0 };
  memcpy (data, &number, sizeof number);
  return g_bytes_new (data, sizeof data);
}

static SsPacketVerdict
app_packet (void *user, SsGroup *group, uint32_t sequence, GBytes *packet,
            const SsContact *from, SsPacketVia via)
{
  Node *node = user;
  unsigned number = sequence * WORLD_STRIPES + stripe_of (group), stamp;
  gsize len;
  const uint8_t *data = g_bytes_get_data (packet, &len);
  if (len != 400 || number >= NUMBERS_MAX)
    return SS_PACKET_REJECTED;
  memcpy (&stamp, data, sizeof stamp);
  if (stamp != number)
    return SS_PACKET_REJECTED;
  if (node->got[number])
    return SS_PACKET_DUPLICATE;
  node->got[number] = node->world->now;
  return SS_PACKET_NEW;
}

static bool
app_adopt (void *app, const SsId *group_id, const uint8_t *info,
           size_t info_len, bool is_root, SsGroup *group,
           void **ret_group_user)
{
  Node *node = app;
  World *world = node->world;
  unsigned stripe = group_id->b[0] >> 4;
  if (!ss_id_equal (&world->groups[stripe], group_id) || info_len != 5
      || memcmp (info, "hello", 5) != 0)
    return false;
  bool is_relay = node->index >= world->options.n - world->options.n_relays;
  if (!is_root && !is_relay)
    return false;
  ss_group_set_user (group, node->family, node);
  *ret_group_user = node;
  node->groups[stripe] = group;
  return true;
}

static void
app_abandoned (void *user, SsGroup *group)
{
  Node *node = user;
  node->groups[stripe_of (group)] = NULL;
}

static void
app_message (void *user, SsGroup *group, const SsId *source,
             uint32_t sequence, const uint8_t *data, size_t len)
{
  Node *node = user;
  unsigned stripe = stripe_of (group);
  unsigned from = world_node_of (node->world, source), number;
  g_assert_cmpuint (from, <, node->world->options.n);
  g_assert_cmpuint (len, >=, sizeof number);
  memcpy (&number, data, sizeof number);
  g_assert_cmpuint (number, ==, sequence);
  if (node->heard_next[stripe][from] == 0)
    node->heard_first[stripe][from] = (uint16_t) number;
  else
    g_assert_cmpuint (number, ==, node->heard_next[stripe][from]);
  node->heard_next[stripe][from] = (uint16_t) (number + 1);
}

static const SsScribeApp app_double = {
  .packet = app_packet,
  .message = app_message,
  .adopt = app_adopt,
  .abandoned = app_abandoned,
};

/* Asks for what is overdue: two later numbers have come, a while ago. */
static void
app_tick (Node *node)
{
  World *world = node->world;
  unsigned newest = 0;
  SsTime latency = world->options.latency;
  for (unsigned k = node->joined_at; k < world->published; k++)
    if (node->got[k] && node->got[k] + OVERDUE <= world->now)
      newest = k;
  for (unsigned k = node->joined_at; k + 1 < newest; k++) {
    SsTime deadline = world->departures[k] + latency;
    if (node->got[k] || node->wanted[k] || deadline <= world->now)
      continue;
    node->wanted[k] = true;
    SsGroup *group = node->groups[k % WORLD_STRIPES];
    if (group)
      ss_group_want (group, k / WORLD_STRIPES, deadline);
  }
}

static void
publish_one (World *world)
{
  Node *node = world->nodes[0];
  unsigned number = world->published++;
  g_assert_cmpuint (number, <, NUMBERS_MAX);
  world->departures[number] = world->now;
  node->got[number] = world->now;
  GBytes *packet = make_packet (number);
  ss_group_publish (node->groups[number % WORLD_STRIPES],
                    number / WORLD_STRIPES, packet,
                    world->now + world->options.latency);
  g_bytes_unref (packet);
}

/* The loop. */

static SsTime
next_deadline (const Node *node)
{
  SsTime at = ss_timers_deadline (&node->env.timers);
  return node->is_joined ? MIN (at, node->next_tick) : at;
}

static void
run_timers (World *world, Node *node)
{
  node->env.now = world->now;
  SsTimer *timer;
  while ((timer = ss_timers_pop (&node->env.timers, world->now)))
    ss_scribe_timer (node->scribe, timer);
  if (node->is_joined && node->next_tick <= world->now) {
    node->next_tick = world->now + APP_TICK;
    app_tick (node);
  }
}

void
world_run (World *world, SsTime duration)
{
  SsTime end = world->now + duration;
  for (;;) {
    SsTime at = SS_NEVER;
    Node *due = NULL;
    for (unsigned i = 0; i < world->options.n; i++) {
      Node *node = world->nodes[i];
      if (node->is_alive && next_deadline (node) < at) {
        at = next_deadline (node);
        due = node;
      }
    }
    if (world->is_publishing && world->nodes[0]->is_alive
        && world->next_packet < at) {
      at = world->next_packet;
      due = NULL;
    }
    GSequenceIter *first = g_sequence_get_begin_iter (world->events);
    Event *event
      = g_sequence_iter_is_end (first) ? NULL : g_sequence_get (first);
    bool is_event = event && event->at <= at;
    at = is_event ? event->at : at;
    if (at > end) {
      world->now = end;
      return;
    }
    world->now = MAX (world->now, at);
    if (is_event) {
      Event copy = *event;
      if (copy.bytes)
        g_bytes_ref (copy.bytes);
      g_sequence_remove (first);
      handle (world, &copy);
      if (copy.bytes)
        g_bytes_unref (copy.bytes);
    } else if (due) {
      run_timers (world, due);
    } else {
      world->nodes[0]->env.now = world->now;
      publish_one (world);
      world->next_packet = world->now + world->options.packet_gap;
    }
  }
}

/* Making and steering. */

static Node *
node_new (World *world, unsigned index)
{
  Node *node = g_new0 (Node, 1);
  node->world = world;
  node->index = index;
  node->is_alive = node->is_in_ring = true;
  uint8_t seed[32];
  ss_rng_bytes (&world->rng, seed, sizeof seed);
  ss_env_init (&node->env, seed, world->now, 0);
  node->kbr.class = &fake_class;
  node->kbr.env = &node->env;
  ss_rng_bytes (&world->rng, node->contact.key.b, SS_KEY_LEN);
  node->contact.id = ss_id_of_key (&node->contact.key);
  node->contact.addr = ss_addr_v4 (0x0a000001 + index, 16160);
  node->unacked = g_array_new (FALSE, FALSE, sizeof (Unacked));
  node->taken = g_hash_table_new (NULL, NULL);
  node->scribe = ss_scribe_new (&node->env, &node->kbr, &app_double, node);
  SsFamilyConfig config = {
    .info = "hello",
    .info_len = 5,
    .children_max = world->options.children_max,
    .mode = world->options.is_ordered ? SS_GROUP_ORDERED : SS_GROUP_LIVE,
    .is_source = index == 0 && !world->options.is_ordered,
    .volunteer = index >= world->options.n - world->options.n_relays,
  };
  node->family = ss_family_new (node->scribe, &config);
  return node;
}

World *
world_new (const WorldOptions *options)
{
  g_assert_cmpuint (options->n, <=, WORLD_NODES_MAX);
  World *world = g_new0 (World, 1);
  world->options = *options;
  if (world->options.packet_gap == 0)
    world->options.packet_gap = 60 * SS_MSEC;
  if (world->options.latency == 0)
    world->options.latency = 1500 * SS_MSEC;
  world->now = SS_SEC;
  world->events = g_sequence_new (free_event);
  ss_rng_init_number (&world->rng, options->seed);
  SsId group;
  ss_rng_bytes (&world->rng, group.b, SS_ID_LEN);
  for (unsigned i = 0; i < WORLD_STRIPES; i++)
    world->groups[i] = ss_id_with_digit (&group, 0, i);
  for (unsigned i = 0; i < options->n; i++)
    world->nodes[i] = node_new (world, i);
  Node *source = world->nodes[0];
  for (unsigned i = 0; i < WORLD_STRIPES && !options->is_ordered; i++)
    source->groups[i]
      = ss_group_open (source->family, &world->groups[i], source);
  return world;
}

void
world_free (World *world)
{
  for (unsigned i = 0; i < world->options.n; i++) {
    Node *node = world->nodes[i];
    node->env.now = world->now;
    ss_scribe_free (node->scribe);
    while (node->unacked->len > 0)
      drop_unacked (node, 0);
    g_array_free (node->unacked, TRUE);
    g_hash_table_destroy (node->taken);
    ss_env_clear (&node->env);
    g_free (node);
  }
  g_sequence_free (world->events);
  g_free (world);
}

SsTime
world_now (const World *world)
{
  return world->now;
}

void
world_join (World *world, unsigned index)
{
  Node *node = world->nodes[index];
  node->env.now = world->now;
  node->is_joined = true;
  node->joined_at = world->published;
  node->next_tick = world->now;
  if (!world->options.is_ordered)
    ss_family_set_source (node->family, &world->nodes[0]->contact);
  for (unsigned i = 0; i < WORLD_STRIPES; i++) {
    node->groups[i] = ss_group_open (node->family, &world->groups[i], node);
    ss_group_join (node->groups[i]);
  }
}

void
world_publish (World *world, bool is_on)
{
  world->is_publishing = is_on;
  world->next_packet = world->now;
}

bool
world_multicast (World *world, unsigned index, unsigned stripe)
{
  Node *node = world->nodes[index];
  node->env.now = world->now;
  unsigned number = node->sent[stripe] + 1u;
  uint8_t data[64] = { 0 };
  memcpy (data, &number, sizeof number);
  if (!ss_group_multicast (node->groups[stripe], data, 4 + number % 60))
    return false;
  node->sent[stripe]++;
  return true;
}

unsigned
world_sent (const World *world, unsigned node, unsigned stripe)
{
  return world->nodes[node]->sent[stripe];
}

unsigned
world_heard (const World *world, unsigned index, unsigned source,
             unsigned stripe, unsigned *ret_first)
{
  const Node *node = world->nodes[index];
  *ret_first = node->heard_first[stripe][source];
  return node->heard_next[stripe][source] == 0
             ? 0
             : node->heard_next[stripe][source] - *ret_first;
}

void
world_kill (World *world, unsigned index)
{
  world->nodes[index]->is_alive = false;
}

void
world_revive (World *world, unsigned index)
{
  world->nodes[index]->is_alive = true;
  world->nodes[index]->env.now = world->now;
  /* It confirms its leaf set. */
  for (unsigned i = 0; i < world->options.n; i++) {
    Node *node = world->nodes[i];
    if (i == index || !node->is_alive || !node->is_in_ring)
      continue;
    node->env.now = world->now;
    hear (node, index);
  }
}

void
world_forgive (World *world, unsigned index)
{
  world->nodes[index]->joined_at = world->published;
}

void
world_leave (World *world, unsigned index)
{
  Node *node = world->nodes[index];
  node->env.now = world->now;
  ss_scribe_leave_all (node->scribe);
  node->is_joined = false;
  memset (node->groups, 0, sizeof node->groups);
  world_run (world, 550 * SS_MSEC);
  world_set_in_ring (world, index, false);
  world_kill (world, index);
}

void
world_set_in_ring (World *world, unsigned index, bool is_in)
{
  world->nodes[index]->is_in_ring = is_in;
  for (unsigned i = 0; i < world->options.n; i++) {
    Node *node = world->nodes[i];
    if (i == index || !node->is_alive || !node->is_in_ring)
      continue;
    node->env.now = world->now;
    node->views[index].is_suspect = false;
    node->views[index].is_dead = !is_in;
    update (node, index, is_in ? SS_KBR_JOINED : SS_KBR_LEFT);
  }
}

/* Looking. */

unsigned
world_n_alive (const World *world)
{
  unsigned n = 0;
  for (unsigned i = 0; i < world->options.n; i++)
    n += world->nodes[i]->is_alive;
  return n;
}

bool
world_is_alive (const World *world, unsigned node)
{
  return world->nodes[node]->is_alive;
}

bool
world_is_joined (const World *world, unsigned node)
{
  return world->nodes[node]->is_joined;
}

SsScribe *
world_scribe (const World *world, unsigned node)
{
  return world->nodes[node]->scribe;
}

SsGroup *
world_group (const World *world, unsigned node, unsigned stripe)
{
  return ss_scribe_find (world->nodes[node]->scribe, &world->groups[stripe]);
}

SsFamily *
world_family (const World *world, unsigned node)
{
  return world->nodes[node]->family;
}

const SsId *
world_node_id (const World *world, unsigned node)
{
  return &world->nodes[node]->contact.id;
}

unsigned
world_node_of (const World *world, const SsId *id)
{
  unsigned i = 0;
  while (i < world->options.n
         && !ss_id_equal (&world->nodes[i]->contact.id, id))
    i++;
  return i;
}

unsigned
world_true_root (const World *world, unsigned stripe)
{
  unsigned best = WORLD_NODES_MAX;
  for (unsigned i = 0; i < world->options.n; i++)
    if (world->nodes[i]->is_alive && world->nodes[i]->is_in_ring
        && (best == WORLD_NODES_MAX
            || ss_id_closer (&world->groups[stripe],
                             &world->nodes[i]->contact.id,
                             &world->nodes[best]->contact.id)))
      best = i;
  return best;
}

static void
tally (const World *world, unsigned index, unsigned *ret_lost,
       unsigned *ret_received, SsTime *ret_latest)
{
  const Node *node = world->nodes[index];
  unsigned lost = 0, received = 0;
  SsTime latest = 0, latency = world->options.latency;
  for (unsigned k = node->joined_at; k < world->published; k++) {
    SsTime deadline = world->departures[k] + latency;
    if (deadline > world->now)
      continue;
    if (node->got[k] && node->got[k] <= deadline) {
      received++;
      latest = MAX (latest, node->got[k] - world->departures[k]);
    } else {
      lost++;
    }
  }
  *ret_lost = lost;
  *ret_received = received;
  *ret_latest = latest;
}

unsigned
world_lost (const World *world, unsigned node)
{
  unsigned lost, received;
  SsTime latest;
  tally (world, node, &lost, &received, &latest);
  return lost;
}

unsigned
world_received (const World *world, unsigned node)
{
  unsigned lost, received;
  SsTime latest;
  tally (world, node, &lost, &received, &latest);
  return received;
}

SsTime
world_latest (const World *world, unsigned node)
{
  unsigned lost, received;
  SsTime latest;
  tally (world, node, &lost, &received, &latest);
  return latest;
}

unsigned
world_published (const World *world)
{
  return world->published;
}

uint64_t
world_packets_sent (const World *world, unsigned node)
{
  return world->nodes[node]->packets_sent;
}

uint64_t
world_control_bytes (const World *world, unsigned node)
{
  return world->nodes[node]->control_bytes;
}

void
world_reset_counts (World *world)
{
  for (unsigned i = 0; i < world->options.n; i++)
    world->nodes[i]->packets_sent = world->nodes[i]->control_bytes = 0;
}

unsigned
world_fan_out_max (const World *world)
{
  unsigned most = 0;
  for (unsigned i = 1; i < world->options.n; i++)
    if (world->nodes[i]->is_alive)
      most = MAX (most, ss_family_n_children (world->nodes[i]->family));
  return most;
}

/* What is wrong with one node's place in one tree. */
static char *
check_place (const World *world, unsigned index, unsigned stripe)
{
  unsigned at = index, root = world_true_root (world, stripe);
  for (unsigned depth = 0; depth <= world->options.n; depth++) {
    SsGroup *group = world_group (world, at, stripe);
    if (!group)
      return g_strdup_printf ("stripe %u: %u hangs on %u, who has no group",
                              stripe, index, at);
    if (ss_group_is_root (group))
      return at == root
                 ? NULL
                 : g_strdup_printf ("stripe %u: %u is under %u, not root %u",
                                    stripe, index, at, root);
    const SsContact *parent = ss_group_parent (group);
    if (!parent)
      return g_strdup_printf ("stripe %u: %u is under orphan %u", stripe,
                              index, at);
    unsigned above = world_node_of (world, &parent->id);
    if (!world->nodes[above]->is_alive)
      return g_strdup_printf ("stripe %u: %u has dead parent %u", stripe, at,
                              above);
    SsGroup *group_above = world_group (world, above, stripe);
    SsContact children[WORLD_NODES_MAX];
    unsigned n = group_above ? ss_group_children (group_above, children,
                                                  WORLD_NODES_MAX)
                             : 0;
    bool is_known = false;
    for (unsigned i = 0; i < n; i++)
      is_known |= ss_id_equal (&children[i].id,
                               &world->nodes[at]->contact.id);
    if (!is_known)
      return g_strdup_printf ("stripe %u: %u is no child of its parent %u",
                              stripe, at, above);
    at = above;
  }
  return g_strdup_printf ("stripe %u: %u is on a cycle", stripe, index);
}

char *
world_check_trees (const World *world)
{
  for (unsigned i = 0; i < world->options.n; i++) {
    if (!world->nodes[i]->is_alive || !world->nodes[i]->is_joined)
      continue;
    for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++) {
      char *text = check_place (world, i, stripe);
      if (text)
        return text;
    }
  }
  return NULL;
}
