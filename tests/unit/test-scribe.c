/* Scribe's parts one by one: histories, answer rates, neighbours, tags; and
 * what it does with messages that no honest node sends. */
#include <glib.h>
#include <string.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

static World *
make_world (unsigned n, bool is_ordered)
{
  WorldOptions options = {
    .seed = 7,
    .n = n,
    .delay = SS_MSEC,
    .is_ordered = is_ordered,
  };
  return world_new (&options);
}

static GBytes *
packet_of (uint32_t sequence)
{
  return g_bytes_new (&sequence, sizeof sequence);
}

static void
put (SsGroup *group, uint32_t sequence)
{
  GBytes *packet = packet_of (sequence);
  ss_history_put (group, sequence, packet);
  g_bytes_unref (packet);
}

/* The history against a table of what a ring of that size must hold. */
static void
test_history (void)
{
  for (uint64_t seed = 1; seed <= 50; seed++) {
    World *world = make_world (2, false);
    SsGroup *group = world_group (world, 0, 0);
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    bool had[2000] = { false };
    uint32_t at = 100, newest = 0;
    for (unsigned i = 0; i < 600; i++) {
      at += (uint32_t) ss_rng_below (&rng, 4);
      uint32_t sequence = at - (uint32_t) ss_rng_below (&rng, 20);
      put (group, sequence);
      had[sequence] = true;
      newest = MAX (newest, sequence);
      g_assert_true (group->has_newest);
      g_assert_cmpuint (group->newest, ==, newest);
      g_assert_cmpuint (group->n_slots, <=, SS_GROUP_HISTORY);
      uint32_t mask = ss_history_mask (group);
      for (uint32_t k = newest - 60; k <= newest; k++) {
        GBytes *packet = ss_group_history (group, k);
        g_assert_true ((packet != NULL) == had[k]);
        if (packet)
          g_assert_cmpmem (g_bytes_get_data (packet, NULL), 4, &k, 4);
        if (k < newest && newest - 1 - k < 32 && k >= group->first)
          g_assert_true ((mask >> (newest - 1 - k) & 1) == had[k]);
      }
    }
    world_free (world);
  }
}

static void
test_history_age (void)
{
  World *world = make_world (2, false);
  SsGroup *group = world_group (world, 0, 0);
  group->family->config.history_time = SS_SEC;
  for (uint32_t i = 1; i <= 1000; i++) {
    group->scribe->env->now += 100 * SS_MSEC;
    put (group, i);
  }
  g_assert_nonnull (ss_group_history (group, 1000));
  g_assert_nonnull (ss_group_history (group, 992));
  /* The ring did not grow to its bound for packets that had aged. */
  g_assert_cmpuint (group->n_slots, <=, 16);
  /* Old gaps are nobody's wish. */
  ss_group_reset (group, 0);
  put (group, 10);
  group->scribe->env->now += 10 * SS_SEC;
  put (group, 14);
  g_assert_cmphex (ss_history_mask (group), ==, ~7u);
  group->scribe->env->now += 10 * SS_SEC;
  g_assert_cmphex (ss_history_mask (group), ==, UINT32_MAX);
  ss_group_reset (group, 0);
  g_assert_null (ss_group_history (group, 14));
  g_assert_false (group->has_newest);
  world_free (world);
}

/* A greedy peer asks as often as it can while a stream of so many packets a
 * second comes; with others of its kind if `crowd`. How many it gets. */
static unsigned
ask_greedily (unsigned rate, unsigned seconds, unsigned crowd)
{
  World *world = make_world (2, false);
  SsScribe *scribe = world_scribe (world, 0);
  SsGroup *group = ss_scribe_find (scribe, world_group_id (world, 1));
  unsigned n = 0;
  for (unsigned i = 0; i < 1000 * seconds; i++) {
    scribe->env->now += SS_MSEC;
    for (unsigned k = i * rate / 1000; k < (i + 1) * rate / 1000; k++)
      ss_budget_note (&scribe->budget, scribe->env->now);
    for (unsigned k = 0; k < crowd; k++) {
      SsContact peer = { .id.b[0] = (uint8_t) k };
      while (ss_budget_take (group, &peer, 1))
        n++;
    }
  }
  g_assert_cmpuint (
      scribe->env->counters.value[SS_COUNT_SCRIBE_ANSWERS_REFUSED], >, 0);
  /* Strangers leave something to a child. */
  ss_group_child_add (group, ss_kbr_self (world_scribe (world, 1)->kbr));
  g_assert_true (
      ss_budget_take (group, ss_kbr_self (world_scribe (world, 1)->kbr), 1));
  world_free (world);
  return n;
}

static void
test_budget (void)
{
  /* One: its burst, and then what the stream brings, or the least. */
  g_assert_cmpuint (ask_greedily (100, 20, 1), <=, SS_ANSWER_BURST + 2000);
  g_assert_cmpuint (ask_greedily (100, 20, 1), >=, 2000);
  g_assert_cmpuint (ask_greedily (0, 20, 1), <=,
                    SS_ANSWER_BURST + 20 * SS_ANSWER_RATE_MIN + 1);
  g_assert_cmpuint (ask_greedily (0, 20, 1), >=, 20 * SS_ANSWER_RATE_MIN);
  /* Many together: no more than twice the stream. */
  g_assert_cmpuint (ask_greedily (1000, 10, 40), <=,
                    SS_ANSWER_BURST_ALL + SS_ANSWER_SHARE_ALL * 10000);
  g_assert_cmpuint (ask_greedily (0, 10, 40), <=,
                    SS_ANSWER_BURST_ALL + 10 * SS_ANSWER_RATE_MIN_ALL + 1);
}

/* Who joins is sent what it lacks, at the rate of other answers; also when
 * the newest packet has the last number there is. */
static void
test_catch_up (void)
{
  World *world = make_world (3, false);
  SsScribe *scribe = world_scribe (world, 0);
  const SsContact *child = ss_kbr_self (world_scribe (world, 1)->kbr);
  const uint64_t *repairs =
      &scribe->env->counters.value[SS_COUNT_SCRIBE_REPAIRS];
  SsGroup *group = ss_scribe_find (scribe, world_group_id (world, 1));
  GBytes *packet = g_bytes_new_static ("packet", 6);
  for (uint32_t i = 0; i < 8; i++)
    ss_history_put (group, UINT32_MAX - i, packet);
  ss_live_catch_up (group, child, true, UINT32_MAX - 3, UINT32_MAX);
  g_assert_cmpuint (*repairs, ==, 3);
  ss_live_catch_up (group, child, true, UINT32_MAX, 0);
  g_assert_cmpuint (*repairs, ==, 3 + 7);
  for (unsigned i = 0; i < SS_ANSWER_BURST; i++)
    ss_live_catch_up (group, child, true, UINT32_MAX, 0);
  g_assert_cmpuint (*repairs, ==, SS_ANSWER_BURST);
  g_assert_cmpuint (
      scribe->env->counters.value[SS_COUNT_SCRIBE_ANSWERS_REFUSED], >, 0);
  g_bytes_unref (packet);
  world_free (world);
}

/* The table of neighbours is bounded, sorted and forgets who is of no use. */
static void
test_neighbours (void)
{
  World *world = make_world (2, false);
  SsScribe *scribe = world_scribe (world, 0);
  SsRng rng;
  ss_rng_init_number (&rng, 1);
  for (unsigned i = 0; i < 3 * SS_SCRIBE_NEIGHBOURS_MAX; i++) {
    SsContact peer = { .flags = 0 };
    ss_rng_bytes (&rng, peer.id.b, SS_ID_LEN);
    scribe->env->now += SS_USEC;
    SsNeighbour *made = ss_neighbour_get (scribe, &peer);
    g_assert_true (ss_neighbour_find (scribe, &peer.id) == made);
  }
  g_assert_cmpuint (scribe->neighbours->len, ==, SS_SCRIBE_NEIGHBOURS_MAX);
  for (unsigned i = 1; i < scribe->neighbours->len; i++) {
    const SsNeighbour *a = g_ptr_array_index (scribe->neighbours, i - 1);
    const SsNeighbour *b = g_ptr_array_index (scribe->neighbours, i);
    g_assert_cmpint (ss_id_compare (&a->contact.id, &b->contact.id), <, 0);
  }
  scribe->env->now += SS_PEER_FORGET + SS_SEC;
  ss_neighbour_sweep (scribe);
  g_assert_cmpuint (scribe->neighbours->len, ==, 0);
  world_free (world);
}

static void
test_tags (void)
{
  World *world = make_world (3, false);
  SsScribe *scribe = world_scribe (world, 0);
  for (unsigned i = 0; i < WORLD_STRIPES; i++) {
    const SsId *id = world_group_id (world, i);
    SsGroup *group = ss_scribe_find (scribe, id);
    g_assert_true (ss_group_by_tag (scribe, id->b) == group);
    g_assert_true (ss_group_by_tag_number (scribe, ss_tag_number (id))
                   == group);
  }
  /* A group whose tag is taken is not carried. */
  SsId other = *world_group_id (world, 3);
  other.b[19] ^= 1;
  SsWireBytes info = { (const uint8_t *) "hello", 5 };
  g_assert_null (ss_group_adopt (scribe, &other, &info, true, false));
  world_free (world);
}

/* A GBytes that is published is not copied, and goes when it is acked. */
static void
test_outbox (void)
{
  World *world = make_world (3, false);
  for (unsigned i = 1; i < 3; i++)
    world_join (world, i);
  world_run (world, SS_SEC);
  SsScribe *scribe = world_scribe (world, 0);
  world_publish (world, true);
  world_run (world, 5 * SS_SEC);
  world_publish (world, false);
  world_run (world, SS_SEC);
  for (SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id))
    g_assert_true (!group->outbox || group->outbox->len == 0);
  /* Nobody lives: what cannot be handed over is given up in time. */
  world_kill (world, 1);
  world_kill (world, 2);
  world_publish (world, true);
  world_run (world, 10 * SS_SEC);
  world_publish (world, false);
  world_run (world, 3 * SS_SEC);
  for (SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id))
    g_assert_true (!group->outbox || group->outbox->len == 0);
  world_free (world);
}

/* What a dead root has not acknowledged the source hands to the next: nobody
 * here asks for what is missing. */
static void
test_successor (void)
{
  enum { N = 10, SEQUENCES = 200 };
  for (uint64_t seed = 1; seed <= 3; seed++) {
    WorldOptions options = {
      .seed = seed, .n = N, .delay = 5 * SS_MSEC, .rebuilds = true
    };
    World *world = world_new (&options);
    for (unsigned i = 1; i < N; i++)
      world_join (world, i);
    world_run (world, 2 * SS_SEC);
    world_publish (world, true);
    world_run (world, 3 * SS_SEC);
    unsigned stripe = 0;
    while (world_true_root (world, stripe) == 0
           || world_near (world, stripe, 1) == 0)
      stripe++;
    world_kill (world, world_true_root (world, stripe));
    world_run (world, 5 * SS_SEC);
    world_publish (world, false);
    world_run (world, SS_SEC);
    const SsGroup *source = world_group (world, 0, stripe);
    unsigned next = world_true_root (world, stripe), n = 0;
    for (uint32_t i = 0; i < SEQUENCES; i++)
      if (ss_history_find (source, i)) {
        g_assert_nonnull (
            ss_history_find (world_group (world, next, stripe), i));
        n++;
      }
    g_assert_cmpuint (n, >=, 5);
    world_free (world);
  }
}

/* Valid messages of every type with random contents, but of real groups, and
 * random bytes, all from a node of the ring that is in no tree: listeners
 * hear everything meanwhile, and all bounds hold. */
static void
hostile (uint64_t seed, bool is_ordered)
{
  const unsigned n = 6, evil = n - 1;
  WorldOptions options = {
    .seed = seed,
    .n = n,
    .delay = SS_MSEC,
    .is_ordered = is_ordered,
  };
  World *world = world_new (&options);
  for (unsigned i = is_ordered ? 0 : 1; i < evil; i++)
    world_join (world, i);
  world_run (world, SS_SEC);
  world_publish (world, !is_ordered);
  SsRng rng;
  ss_rng_init_number (&rng, seed);
  for (unsigned i = 0; i < 3000; i++) {
    unsigned type =
        (unsigned) ss_rng_below (&rng, ss_wire_protocol_scribe.n_messages);
    const SsWireMessage *schema = ss_wire_protocol_scribe.schemas[type]();
    uint8_t storage[2048], data[2048];
    void *message = g_malloc (schema->struct_size);
    ss_wire_generate (schema, &rng, message, storage);
    size_t len = ss_wire_encode (schema, message, data, sizeof data);
    g_free (message);
    const SsId *group =
        world_group_id (world, (unsigned) ss_rng_below (&rng, 16));
    bool is_routed =
        data[0] == SS_MSG_SCRIBE_JOIN || data[0] == SS_MSG_SCRIBE_FIND_ROOT;
    /* Tags and group ids come first in all messages that have one. */
    if (len > SS_TAG_LEN)
      memcpy (data + 1, group->b,
              is_routed || data[0] == SS_MSG_SCRIBE_HANDOVER ? SS_ID_LEN
                                                             : SS_TAG_LEN);
    if (i % 10 == 0)
      ss_rng_bytes (&rng, data, len);
    unsigned to = (unsigned) ss_rng_below (&rng, evil);
    if (len <= SS_KBR_DIRECT_MAX)
      world_inject (world, evil, to, is_routed && i % 2 ? group : NULL, data,
                    len);
    world_run (world, 3 * SS_MSEC);
  }
  world_run (world, 20 * SS_SEC);
  for (unsigned i = 1; i < evil && !is_ordered; i++) {
    g_assert_cmpuint (world_received (world, i), >, 0);
    g_assert_cmpuint (world_lost (world, i), ==, 0);
  }
  for (unsigned i = 0; i < evil; i++) {
    SsScribe *scribe = world_scribe (world, i);
    g_assert_cmpuint (scribe->groups->len, <=, WORLD_STRIPES);
    for (SsGroup *group = ss_group_after (scribe, NULL); group;
         group = ss_group_after (scribe, &group->id)) {
      g_assert_true (!group->wants
                     || group->wants->len
                            <= SS_GROUP_WANTS_MAX + SS_GROUP_OTHERS_MAX);
      g_assert_true (!group->askers
                     || group->askers->len <= SS_GROUP_ASKERS_MAX);
      g_assert_true (!group->pending
                     || group->pending->len <= SS_GROUP_PENDING_MAX);
    }
  }
  world_free (world);
}

static void
test_hostile (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++)
    hostile (seed, false);
}

static void
test_hostile_ordered (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++)
    hostile (seed, true);
}

/* The node farthest from a group, `but` one. */
static unsigned
far_from (const World *world, unsigned n, unsigned stripe, unsigned but)
{
  const SsId *group = world_group_id (world, stripe);
  unsigned farthest = but == 1 ? 2 : 1;
  for (unsigned i = 1; i < n; i++)
    if (i != but
        && ss_id_closer (group, world_node_id (world, farthest),
                         world_node_id (world, i)))
      farthest = i;
  return farthest;
}

/* Who sends down the tree unasked is told so, but not at every packet. */
static void
test_unasked (void)
{
  enum { N = 6, PACKETS = 200 };
  World *world = make_world (N, false);
  for (unsigned i = 1; i < N; i++)
    world_join (world, i);
  world_run (world, 3 * SS_SEC);
  unsigned evil = far_from (world, N, 0, N);
  unsigned victim = far_from (world, N, 0, evil);
  g_assert_false (ss_group_is_root (world_group (world, victim, 0)));
  const SsContact *parent = ss_group_parent (world_group (world, victim, 0));
  g_assert_false (ss_id_equal (&parent->id, world_node_id (world, evil)));
  SsMsgScribeData message = { .sequence = 0 };
  memcpy (message.tag, world_group_id (world, 0)->b, SS_TAG_LEN);
  message.packet = (SsWireBytes){ (const uint8_t *) "bad", 3 };
  world_reset_counts (world);
  for (unsigned i = 0; i < PACKETS; i++) {
    uint8_t data[SS_MSG_SCRIBE_DATA_MAX];
    size_t len = ss_msg_scribe_data_encode (&message, data, sizeof data);
    world_inject (world, evil, victim, NULL, data, len);
    world_run (world, 5 * SS_MSEC);
  }
  g_assert_cmpuint (world_control_bytes (world, victim), <, 10 * PACKETS);
  world_free (world);
}

/* Who asks for what nobody has cannot keep a node from asking for its own, and
 * is forgotten. */
static void
test_others_wants (void)
{
  World *world = make_world (6, false);
  for (unsigned i = 1; i < 6; i++)
    world_join (world, i);
  world_run (world, 3 * SS_SEC);
  unsigned root = world_true_root (world, 0);
  if (root == 0)
    root = world_node_of (
        world, &ss_group_child_at (world_group (world, 0, 0), 0)->contact.id);
  SsGroup *group = world_group (world, root, 0);
  put (group, 100);
  unsigned child = root == 1 ? 2 : 1;
  ss_group_child_add (group, ss_kbr_self (world_scribe (world, child)->kbr));
  SsMsgScribeWant message = { .flags = SS_WANT_FETCH,
                              .n_sequences = SS_SCRIBE_WANT_MAX };
  memcpy (message.tag, world_group_id (world, 0)->b, SS_TAG_LEN);
  for (unsigned i = 0; i < 10; i++) {
    for (unsigned k = 0; k < SS_SCRIBE_WANT_MAX; k++)
      message.sequences[k] = 101 + i * SS_SCRIBE_WANT_MAX + k;
    uint8_t data[SS_MSG_SCRIBE_WANT_MAX];
    size_t len = ss_msg_scribe_want_encode (&message, data, sizeof data);
    world_inject (world, child, root, NULL, data, len);
  }
  world_run (world, 5 * SS_MSEC);
  g_assert_cmpuint (group->wants->len, ==, SS_GROUP_OTHERS_MAX);
  SsTime deadline = group->scribe->env->now + SS_SEC;
  for (uint32_t i = 0; i < SS_GROUP_WANTS_MAX; i++)
    g_assert_true (ss_want_add (group, 5000 + i, deadline, true));
  g_assert_cmpuint (group->wants->len, ==,
                    SS_GROUP_OTHERS_MAX + SS_GROUP_WANTS_MAX);
  g_assert_false (ss_want_add (group, 6000, deadline, true));
  g_assert_cmpuint (group->wants->len, ==,
                    SS_GROUP_OTHERS_MAX + SS_GROUP_WANTS_MAX);
  /* What comes when it is not fetched any more is sent on all the same. */
  world_run (world, 2 * SS_WANT_OTHERS_TIME);
  g_assert_cmpuint (group->wants->len, ==, 0);
  g_assert_cmpuint (group->askers->len, ==, SS_GROUP_OTHERS_MAX);
  put (group, 102);
  g_autoptr (GBytes) packet = g_bytes_ref (ss_history_find (group, 102));
  ss_want_got (group, 102, packet);
  g_assert_cmpuint (group->askers->len, ==, SS_GROUP_OTHERS_MAX - 1);
  world_run (world, SS_ASKER_TIME);
  ss_want_got (group, 103, packet);
  g_assert_cmpuint (group->askers->len, ==, 0);
  world_free (world);
}

/* One after the other says that it has room, becomes a child, says that it
 * has none, and is handed on to the next: those still served are bounded. */
static void
test_shed_bound (void)
{
  enum { N = 200, CHILDREN = 4 };
  WorldOptions options = {
    .seed = 7,
    .n = N,
    .delay = SS_MSEC,
    .children_max = CHILDREN,
  };
  World *world = world_new (&options);
  unsigned victim = world_true_root (world, 0);
  g_assert_cmpuint (victim, !=, 0);
  world_join (world, victim);
  world_run (world, 3 * SS_SEC);
  SsGroup *group = world_group (world, victim, 0);
  g_assert_true (ss_group_is_root (group));
  for (unsigned i = 1; i < N; i++) {
    if (i == victim)
      continue;
    SsMsgScribeJoin join = { .group = *world_group_id (world, 0),
                             .nonce = i,
                             .load_max = 1 };
    uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
    size_t len = ss_msg_scribe_join_encode (&join, data, sizeof data);
    world_inject (world, i, victim, NULL, data, len);
    SsMsgScribeKeepalive full = { .load = 1, .load_max = 1, .n_tags = 1 };
    full.tags[0] = ss_tag_number (world_group_id (world, 0));
    len = ss_msg_scribe_keepalive_encode (&full, data, sizeof data);
    world_inject (world, i, victim, NULL, data, len);
    world_run (world, 5 * SS_MSEC);
    g_assert_cmpuint (ss_group_child_count (group), <=, 2 * CHILDREN + 1);
  }
  g_assert_cmpuint (ss_group_child_count (group), >, CHILDREN);
  world_run (world, 2 * SS_SHED_TIME);
  g_assert_cmpuint (world_family (world, victim)->n_shed, ==, 0);
  world_free (world);
}

/* Only from where a group's root can be is a handover or a replica believed. */
static void
test_far_handover (void)
{
  enum { N = 30 };
  World *world = make_world (N, false);
  unsigned victim = far_from (world, N, 0, N);
  SsMsgScribeHandover message = {
    .group = *world_group_id (world, 0),
    .info = { (const uint8_t *) "hello", 5 },
  };
  uint8_t data[SS_MSG_SCRIBE_HANDOVER_MAX];
  size_t len = ss_msg_scribe_handover_encode (&message, data, sizeof data);
  world_inject (world, victim == 1 ? 2 : 1, victim, NULL, data, len);
  world_run (world, 10 * SS_MSEC);
  SsGroup *group =
      ss_scribe_find (world_scribe (world, victim), world_group_id (world, 0));
  g_assert_true (group == NULL || !ss_group_is_root (group));
  world_free (world);
}

static void
test_far_replica (void)
{
  enum { N = 30 };
  World *world = make_world (N, true);
  for (unsigned i = 0; i < N; i++)
    world_join (world, i);
  world_run (world, 3 * SS_SEC);
  unsigned evil = far_from (world, N, 0, N);
  unsigned victim = far_from (world, N, 0, evil);
  SsMsgScribeReplicate message = {
    .source = *world_node_id (world, 5),
    .epoch = 1,
    .sequence = 1,
    .data = { (const uint8_t *) "lie", 3 },
  };
  memcpy (message.tag, world_group_id (world, 0)->b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_REPLICATE_MAX];
  size_t len = ss_msg_scribe_replicate_encode (&message, data, sizeof data);
  world_inject (world, evil, victim, NULL, data, len);
  world_run (world, 10 * SS_MSEC);
  g_assert_null (ss_log_find (world_group (world, victim, 0), &message.source));
  world_free (world);
}

/* An application that opens, joins, leaves and frees in any order. */
static void
test_open_and_leave (void)
{
  World *world = make_world (4, false);
  for (unsigned i = 1; i < 4; i++)
    world_join (world, i);
  world_run (world, SS_SEC);
  SsScribe *scribe = world_scribe (world, 2);
  for (unsigned i = 0; i < WORLD_STRIPES; i++) {
    SsGroup *group = world_group (world, 2, i);
    g_assert_true (ss_group_in_tree (group));
    g_assert_true (ss_group_is_member (group));
    bool stays = ss_group_is_root (group) || ss_group_n_children (group) > 0;
    ss_group_leave (group);
    group = ss_scribe_find (scribe, world_group_id (world, i));
    g_assert_true ((group != NULL) == stays);
  }
  world_forget_groups (world, 2);
  world_run (world, 2 * SS_GROUP_IDLE + SS_SEC);
  for (unsigned i = 1; i < 4; i += 2)
    for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++)
      g_assert_true (ss_group_in_tree (world_group (world, i, stripe)));
  SsFamily *family = world_family (world, 3);
  SsId id = { { 0x12, 0x34 } };
  SsGroup *group = ss_group_open (family, &id, NULL);
  g_assert_true (ss_group_open (family, &id, NULL) == group);
  g_assert_false (ss_group_is_member (group));
  ss_group_join (group);
  ss_group_leave (group);
  world_free (world);
}

static void
check_clients (World *world, unsigned first, unsigned n)
{
  for (unsigned i = first; i < n; i++) {
    g_assert_cmpuint (ss_family_n_children (world_family (world, i)), ==, 0);
    g_assert_cmpuint (world_lost (world, i), ==, 0);
    g_assert_cmpuint (world_received (world, i), >, 0);
    for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++)
      g_assert_false (ss_group_is_root (world_group (world, i, stripe)));
  }
}

/* Who cannot be reached unasked is a leaf everywhere, and loses nothing when
 * parents die. */
static void
test_clients (void)
{
  const unsigned n = 16, first = 10;
  World *world = make_world (n, false);
  for (unsigned i = first; i < n; i++)
    world_set_client (world, i);
  world_publish (world, true);
  for (unsigned i = n - 1; i > 0; i--) {
    world_join (world, i);
    world_run (world, 200 * SS_MSEC);
  }
  world_run (world, 5 * SS_SEC);
  for (unsigned i = first; i < n; i++)
    world_forgive (world, i);
  world_run (world, 5 * SS_SEC);
  for (unsigned i = 1; i < 5; i++) {
    check_clients (world, first, n);
    world_kill (world, i);
    world_run (world, 4 * SS_SEC);
  }
  /* Who is being handed on is served, and no child in the meantime. */
  world_run (world, 5 * SS_SEC);
  check_clients (world, first, n);
  g_autofree char *wrong = world_check_trees (world);
  g_assert_cmpstr (wrong, ==, NULL);
  world_free (world);
}

/* With nobody else there the source serves them all itself, and as soon as
 * there is one that can it hands each packet out once. */
static void
test_clients_alone (void)
{
  World *world = make_world (5, false);
  for (unsigned i = 1; i < 4; i++)
    world_set_client (world, i);
  world_set_in_ring (world, 4, false);
  world_publish (world, true);
  for (unsigned i = 1; i < 4; i++)
    world_join (world, i);
  world_run (world, 5 * SS_SEC);
  for (unsigned i = 1; i < 4; i++)
    world_forgive (world, i);
  world_run (world, 5 * SS_SEC);
  check_clients (world, 1, 4);
  world_set_in_ring (world, 4, true);
  world_join (world, 4);
  world_run (world, 10 * SS_SEC);
  check_clients (world, 1, 4);
  for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++)
    g_assert_cmpuint (ss_group_n_children (world_group (world, 0, stripe)), <=,
                      1);
  world_free (world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/history", test_history);
  g_test_add_func ("/scribe/history-age", test_history_age);
  g_test_add_func ("/scribe/budget", test_budget);
  g_test_add_func ("/scribe/catch-up", test_catch_up);
  g_test_add_func ("/scribe/neighbours", test_neighbours);
  g_test_add_func ("/scribe/tags", test_tags);
  g_test_add_func ("/scribe/outbox", test_outbox);
  g_test_add_func ("/scribe/successor", test_successor);
  g_test_add_func ("/scribe/hostile", test_hostile);
  g_test_add_func ("/scribe/hostile-ordered", test_hostile_ordered);
  g_test_add_func ("/scribe/unasked", test_unasked);
  g_test_add_func ("/scribe/others-wants", test_others_wants);
  g_test_add_func ("/scribe/shed-bound", test_shed_bound);
  g_test_add_func ("/scribe/far-handover", test_far_handover);
  g_test_add_func ("/scribe/far-replica", test_far_replica);
  g_test_add_func ("/scribe/open-and-leave", test_open_and_leave);
  g_test_add_func ("/scribe/clients", test_clients);
  g_test_add_func ("/scribe/clients-alone", test_clients_alone);
  return g_test_run ();
}
