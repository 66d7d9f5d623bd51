/* Scribe over a fake overlay: see scribe_world.h. */
#include "tests/harness/scribe_world.h"

#include <string.h>

#include "tests/harness/scribe_counts.h"
#include "tests/harness/scribe_world_private.h"

#define APP_TICK (10 * SS_MSEC)
#define OVERDUE  (60 * SS_MSEC)

static const SsScribeApp app_double;

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
           size_t info_len, bool is_root, SsGroup *group, void **ret_group_user)
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
app_message (void *user, SsGroup *group, const SsId *source, uint32_t sequence,
             const uint8_t *data, size_t len)
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

static void
app_skipped (void *user, SsGroup *group, const SsId *source, uint32_t n)
{
  Node *node = user;
  unsigned stripe = stripe_of (group);
  unsigned from = world_node_of (node->world, source);
  g_assert_true (ss_group_is_member (group));
  g_assert_cmpuint (n, >, 0);
  node->skipped[stripe] += n;
  if (node->heard_next[stripe][from] == 0) /* it was there from the start */
    node->heard_first[stripe][from] = node->heard_next[stripe][from] = 1;
  node->heard_next[stripe][from] += (uint16_t) n;
}

/* The question is the number of the node that asks, the answer the number of
 * the one that accepts. */
static bool
app_anycast (void *user, SsGroup *group, const SsContact *origin,
             const uint8_t *data, size_t len, uint8_t *ret_answer,
             size_t *ret_answer_len)
{
  Node *node = user;
  unsigned asker;
  g_assert_true (ss_group_is_member (group));
  if (len != sizeof asker)
    return false;
  memcpy (&asker, data, len);
  g_assert_cmpuint (asker, ==, world_node_of (node->world, &origin->id));
  g_assert_cmpuint (asker, !=, node->index);
  node->world->nodes[asker]->search.n_asked++;
  if (!node->accepts)
    return false;
  memcpy (ret_answer, &node->index, sizeof node->index);
  *ret_answer_len = sizeof node->index;
  return true;
}

static void
app_anycast_answer (void *app, uint32_t anycast, const SsScribeAnswer *answer)
{
  Node *node = app;
  WorldSearch *search = &node->search;
  unsigned member;
  g_assert_cmpuint (anycast, ==, search->number);
  g_assert_false (search->has_ended);
  g_assert_cmpuint (search->n, <, SS_MANYCAST_MAX);
  g_assert_cmpuint (answer->len, ==, sizeof member);
  memcpy (&member, answer->data, sizeof member);
  g_assert_cmpuint (member, ==,
                    world_node_of (node->world, &answer->member.id));
  search->members[search->n] = member;
  search->hops[search->n++] = answer->hops;
}

static void
app_anycast_end (void *app, uint32_t anycast, unsigned n_answers)
{
  Node *node = app;
  g_assert_cmpuint (anycast, ==, node->search.number);
  g_assert_cmpuint (n_answers, ==, node->search.n);
  g_assert_false (node->search.has_ended);
  node->search.has_ended = true;
}

static const SsScribeApp app_double = {
  .packet = app_packet,
  .message = app_message,
  .skipped = app_skipped,
  .adopt = app_adopt,
  .abandoned = app_abandoned,
  .anycast = app_anycast,
  .anycast_answer = app_anycast_answer,
  .anycast_end = app_anycast_end,
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
    if (group && world->options.rebuilds)
      ss_group_overdue (group);
    else if (group)
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
    ss_scribe_timer (timer);
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
    Event *event =
        g_sequence_iter_is_end (first) ? NULL : g_sequence_get (first);
    bool is_event = event && event->at <= at;
    at = is_event ? event->at : at;
    if (at > end) {
      world->now = end;
      for (unsigned i = 0; i < world->options.n; i++)
        if (world->nodes[i]->is_alive)
          scribe_counts_assert (world->nodes[i]->scribe);
      return;
    }
    world->now = MAX (world->now, at);
    if (is_event) {
      Event copy = *event;
      if (copy.bytes)
        g_bytes_ref (copy.bytes);
      g_sequence_remove (first);
      scribe_world_handle (world, &copy);
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
  node->kbr.class = &scribe_world_kbr;
  node->kbr.env = &node->env;
  ss_rng_bytes (&world->rng, seed, sizeof seed);
  ss_signer_init (&node->signer, seed);
  node->contact.key = node->signer.key;
  node->contact.id = ss_id_of_key (&node->contact.key);
  node->contact.addr = ss_addr_v4 (0x0a000001 + index, 16160);
  node->contact.flags = SS_PEER_REACHABLE;
  node->unacked = g_array_new (FALSE, FALSE, sizeof (Unacked));
  node->taken = g_hash_table_new (NULL, NULL);
  node->scribe = ss_scribe_new (&node->env, &node->kbr, SS_PROTOCOL_SCRIBE,
                                &app_double, node);
  SsFamilyConfig config = {
    .is_by_turns = true,
    .info = "hello",
    .info_len = 5,
    .children_max = world->options.children_max,
    .children_hard =
        world->options.is_bounded ? world->options.children_max : 0,
    .mode = world->options.is_ordered ? SS_GROUP_ORDERED : SS_GROUP_LIVE,
    .is_source = index == 0 && !world->options.is_ordered,
    .signer = &node->signer,
    .is_owned = world->options.n_publishers > 0,
    .owner = world->owner.key,
    .backlog = world->options.backlog,
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
  world->events = g_sequence_new (scribe_world_free_event);
  ss_rng_init_number (&world->rng, options->seed);
  SsId group;
  ss_rng_bytes (&world->rng, group.b, SS_ID_LEN);
  for (unsigned i = 0; i < WORLD_STRIPES; i++)
    world->groups[i] = ss_id_with_digit (&group, 0, i);
  uint8_t seed[SS_SEED_LEN];
  ss_rng_bytes (&world->rng, seed, sizeof seed);
  ss_signer_init (&world->owner, seed);
  for (unsigned i = 0; i < options->n; i++)
    world->nodes[i] = node_new (world, i);
  Node *source = world->nodes[0];
  for (unsigned i = 0; i < WORLD_STRIPES && !options->is_ordered; i++)
    source->groups[i] =
        ss_group_open (source->family, &world->groups[i], source);
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
      scribe_world_drop_unacked (node, 0);
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
world_open (World *world, unsigned index)
{
  Node *node = world->nodes[index];
  node->env.now = world->now;
  for (unsigned i = 0; i < WORLD_STRIPES; i++)
    node->groups[i] = ss_group_open (node->family, &world->groups[i], node);
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
    if (index < world->options.n_publishers) {
      SsCredential credential = ss_credential_make (
          &world->owner, &world->groups[i], &node->signer.key);
      ss_group_set_credential (node->groups[i], &credential);
    }
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

unsigned
world_skipped (const World *world, unsigned node, unsigned stripe)
{
  return world->nodes[node]->skipped[stripe];
}

void
world_set_accepts (World *world, unsigned index, bool accepts)
{
  world->nodes[index]->accepts = accepts;
}

void
world_anycast (World *world, unsigned index, unsigned stripe, unsigned wanted)
{
  Node *node = world->nodes[index];
  node->env.now = world->now;
  node->search = (WorldSearch){ .n = 0 };
  node->search.number =
      ss_scribe_anycast (node->scribe, &world->groups[stripe], wanted,
                         (const uint8_t *) &index, sizeof index);
  g_assert_cmpuint (node->search.number, !=, 0);
}

const WorldSearch *
world_search (const World *world, unsigned index)
{
  return &world->nodes[index]->search;
}

void
world_inject (World *world, unsigned from, unsigned to, const SsId *key,
              const uint8_t *data, size_t len)
{
  Node *node = world->nodes[to];
  const SsContact *sender = &world->nodes[from]->contact;
  node->env.now = world->now;
  if (!key) {
    node->app->direct (node->app_user, sender, data, len);
    return;
  }
  SsKbrMessage message = {
    .key = *key,
    .source = *sender,
    .previous = *sender,
    .hops = 1,
    .data = data,
    .len = len,
  };
  if (len % 2 == 0)
    node->app->deliver (node->app_user, &message);
  else
    node->app->forward (node->app_user, &message, sender);
}

const SsId *
world_group_id (const World *world, unsigned stripe)
{
  return &world->groups[stripe];
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
    scribe_world_hear (node, index);
  }
}

void
world_set_idle (World *world, unsigned index, bool is_idle)
{
  world->nodes[index]->is_idle = is_idle;
}

void
world_set_side (World *world, unsigned index, unsigned side)
{
  world->nodes[index]->side = side;
}

void
world_heal (World *world, SsTime span)
{
  for (unsigned i = 0; i < world->options.n; i++)
    for (unsigned k = 0; k < world->options.n; k++)
      if (world->nodes[i]->side != world->nodes[k]->side)
        for (unsigned try = 0; try < 3; try++) /* pings may be lost */
          scribe_world_find (
              world->nodes[i], k,
              (SsTime) ss_rng_below (&world->rng, (uint64_t) span));
  for (unsigned i = 0; i < world->options.n; i++)
    world->nodes[i]->side = 0;
}

void
world_forget_groups (World *world, unsigned index)
{
  world->nodes[index]->is_joined = false;
  memset (world->nodes[index]->groups, 0, sizeof world->nodes[index]->groups);
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
    if (is_in) /* it learns who is there */
      world->nodes[index]->views[i].is_dead = false;
    node->env.now = world->now;
    node->views[index].is_suspect = false;
    node->views[index].is_dead = !is_in;
    scribe_world_update (node, index, is_in ? SS_KBR_JOINED : SS_KBR_LEFT);
  }
}

void
world_set_client (World *world, unsigned index)
{
  world->nodes[index]->contact.flags &= (uint8_t) ~SS_PEER_REACHABLE;
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

/* A contact that is made up is nobody: WORLD_NODES_MAX or more. */
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
world_near (const World *world, unsigned stripe, unsigned rank)
{
  const SsId *key = &world->groups[stripe];
  const SsId *last = NULL;
  unsigned best = WORLD_NODES_MAX;
  for (unsigned round = 0; round <= rank; round++) {
    best = WORLD_NODES_MAX;
    for (unsigned i = 0; i < world->options.n; i++) {
      const Node *node = world->nodes[i];
      if (node->is_alive && node->is_in_ring
          && (node->contact.flags & SS_PEER_REACHABLE) != 0
          && (!last || ss_id_closer (key, last, &node->contact.id))
          && (best == WORLD_NODES_MAX
              || ss_id_closer (key, &node->contact.id,
                               &world->nodes[best]->contact.id)))
        best = i;
    }
    if (best == WORLD_NODES_MAX)
      break;
    last = &world->nodes[best]->contact.id;
  }
  return best;
}

unsigned
world_true_root (const World *world, unsigned stripe)
{
  return world_near (world, stripe, 0);
}
