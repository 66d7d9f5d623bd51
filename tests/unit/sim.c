/* The simulator: its queue and pool, the network's faults, and that oracles
 * object to what is wrong. */
#include <sodium.h>
#include <string.h>

#include "sim/bodies.h"
#include "sim/oracle.h"
#include "sim/pool.h"
#include "sim/queue.h"
#include "sim/scenario.h"
#include "sim/world.h"

static void
test_queue (void)
{
  SsQueue queue;
  SsRng rng;
  SsQueued event, last = { .at = -1 };
  unsigned n = 0;

  ss_queue_init (&queue);
  ss_rng_init_number (&rng, 1);
  for (unsigned i = 0; i < 5000; i++) {
    event = (SsQueued){ .at = (SsTime) ss_rng_below (&rng, 100), .number = i };
    ss_queue_push (&queue, &event);
  }
  g_assert_false (ss_queue_pop (&queue, -1, &event));
  while (ss_queue_pop (&queue, 99, &event)) {
    g_assert_cmpint (event.at, >=, last.at);
    /* Of one time in the order of pushing. */
    if (event.at == last.at)
      g_assert_cmpuint (event.number, >, last.number);
    last = event;
    n++;
  }
  g_assert_cmpuint (n, ==, 5000);
  ss_queue_clear (&queue);
}

static void
test_pool (void)
{
  static const size_t lens[] = { 1, 96, 97, 256, 257, 512, 513, 1232 };
  SsPool pool;
  uint8_t bytes[1232];

  ss_pool_init (&pool);
  for (unsigned round = 0; round < 3; round++) {
    SsPacket *packets[G_N_ELEMENTS (lens)];

    for (unsigned i = 0; i < G_N_ELEMENTS (lens); i++) {
      memset (bytes, (int) (i + round), sizeof bytes);
      packets[i] = ss_pool_take (&pool, i, bytes, lens[i], NULL);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS (lens); i++) {
      memset (bytes, (int) (i + round), sizeof bytes);
      g_assert_cmpmem (packets[i]->bytes, packets[i]->len, bytes, lens[i]);
      g_assert_cmpuint (packets[i]->from, ==, i);
      ss_pool_give_back (&pool, packets[i]);
    }
    /* Nothing more is allocated after the first round. */
    static size_t memory;

    if (round == 0)
      memory = pool.memory;
    g_assert_cmpuint (pool.memory, ==, memory);
  }
  ss_pool_clear (&pool);
}

/* A body is referenced, wherever it lies, and comes out in its place. */
static void
test_pool_body (void)
{
  static const size_t places[] = { 0, 13, 232 };
  SsPool pool;
  uint8_t bytes[1232], out[1232];

  ss_pool_init (&pool);
  for (unsigned i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t) (i * 7);
  for (unsigned i = 0; i < G_N_ELEMENTS (places); i++) {
    GBytes *data = g_bytes_new (bytes + places[i], 1000);
    const SsBody body = { .bytes = data, .at = places[i] };
    SsPacket *packet = ss_pool_take (&pool, 7, bytes, sizeof bytes, &body);

    g_assert_true (packet->body.bytes == data);
    g_assert_cmpuint (packet->len, ==, sizeof bytes);
    ss_pool_copy_out (packet, out);
    g_assert_cmpmem (out, sizeof out, bytes, sizeof bytes);
    ss_pool_give_back (&pool, packet);
    g_bytes_unref (data);
  }
  g_assert_cmpuint (pool.memory, <, 400);
  ss_pool_clear (&pool);
}

/* What is remembered of shared bytes is what they say, and goes with them when
 * others take their place in the table. */
static void
test_bodies (void)
{
  SsBodies bodies;
  uint8_t text[64] = { 0 };

  ss_bodies_init (&bodies);
  for (unsigned i = 0; i < 2 * SS_BODIES; i++) {
    memcpy (text, &i, sizeof i);
    const SsBytes parts[] = { { "head", 4 }, { text, sizeof text } };
    uint8_t plain[SS_DIGEST_LEN], first[SS_DIGEST_LEN], again[SS_DIGEST_LEN];
    GBytes *bytes = g_bytes_new (text, sizeof text);

    ss_signer_digest (parts, 2, NULL, plain);
    g_assert_false (ss_bodies_find (&bodies, bytes)->memo.is_set);
    ss_signer_digest (parts, 2, &ss_bodies_find (&bodies, bytes)->memo, first);
    g_assert_true (ss_bodies_find (&bodies, bytes)->memo.is_set);
    ss_signer_digest (parts, 2, &ss_bodies_find (&bodies, bytes)->memo, again);
    g_assert_cmpmem (first, sizeof first, plain, sizeof plain);
    g_assert_cmpmem (again, sizeof again, plain, sizeof plain);
    g_bytes_unref (bytes);
  }
  ss_bodies_clear (&bodies);
}

static SsSimOptions
plain_options (uint64_t seed)
{
  return (SsSimOptions){
    .seed = seed,
    .delay = 10 * SS_MSEC,
    .jitter = 2 * SS_MSEC,
    .latency = SS_LATENCY_DEFAULT,
    .parity = 1,
    .runs = 1,
  };
}

static SsWorld *
make_ring (const SsSimOptions *options, unsigned n)
{
  SsWorld *world = ss_world_new (options);

  ss_world_add (world, true, false);
  ss_world_wait (world, ss_world_all_ready, 10 * SS_SEC);
  ss_world_add_many (world, n - 1, false, SS_SEC);
  g_assert_cmpint (ss_world_wait (world, ss_world_all_ready, 30 * SS_SEC), >=,
                   0);
  ss_world_run (world, 5 * SS_SEC);
  return world;
}

static SsWorld *
make_station (const SsSimOptions *options, unsigned n)
{
  SsWorld *world = make_ring (options, 1);

  ss_world_publish (world);
  g_assert_cmpint (ss_world_wait (world, ss_world_is_on_air, 10 * SS_SEC), >=,
                   0);
  ss_world_add_many (world, n, true, SS_SEC);
  g_assert_cmpint (ss_world_wait (world, ss_world_all_hear, 15 * SS_SEC), >=,
                   0);
  ss_world_run (world, 3 * SS_SEC);
  return world;
}

static void
hash_of_a_life (uint64_t seed, double loss, char ret_text[SS_TRACE_HASH_STRLEN])
{
  SsSimOptions options = plain_options (seed);

  options.loss = loss;
  SsWorld *world = make_ring (&options, 8);

  ss_network_trace_hash (world->network, ret_text);
  /* To ask changes nothing. */
  char again[SS_TRACE_HASH_STRLEN];

  ss_network_trace_hash (world->network, again);
  g_assert_cmpstr (ret_text, ==, again);
  ss_world_free (world);
}

static void
test_trace (void)
{
  char first[SS_TRACE_HASH_STRLEN], same[SS_TRACE_HASH_STRLEN];
  char other[SS_TRACE_HASH_STRLEN], lossy[SS_TRACE_HASH_STRLEN];

  hash_of_a_life (1, 0, first);
  hash_of_a_life (1, 0, same);
  hash_of_a_life (2, 0, other);
  hash_of_a_life (1, 0.05, lossy);
  g_assert_cmpstr (first, ==, same);
  g_assert_cmpstr (first, !=, other);
  g_assert_cmpstr (first, !=, lossy);
}

static void
test_faults (void)
{
  SsSimOptions options = plain_options (3);
  SsNetworkStats stats;

  options.loss = 0.1;
  options.duplicate = 0.2;
  SsWorld *world = make_ring (&options, 20);

  ss_world_run (world, 600 * SS_SEC);
  ss_network_stats (world->network, &stats);
  g_assert_cmpuint (stats.sent, >, 2000);
  g_assert_cmpfloat_with_epsilon ((double) stats.lost / (double) stats.sent,
                                  0.1, 0.03);
  g_assert_cmpfloat_with_epsilon (
      (double) stats.duplicated / (double) stats.sent, 0.18, 0.04);
  ss_world_free (world);
}

static uint64_t
n_ticks_on_air (SsTime hold_off)
{
  SsSimOptions options = plain_options (5);
  SsNetworkStats before, after;

  options.hold_off = hold_off;
  options.kbits = 8000;
  SsWorld *world = make_station (&options, 6);

  ss_network_stats (world->network, &before);
  ss_world_run (world, 5 * SS_SEC);
  ss_network_stats (world->network, &after);
  g_assert_cmpuint (ss_oracle_hearing (world, 0, false, true), ==, 0);
  ss_world_free (world);
  return after.ticks - before.ticks;
}

/* Who takes a stream's datagrams every few milliseconds wakes up less, and
 * hears all. */
static void
test_hold_off (void)
{
  g_assert_cmpuint (n_ticks_on_air (2 * SS_MSEC), <, n_ticks_on_air (0) / 2);
}

/* Dead is silent, and a partition lets nothing through. */
static void
test_deaths (void)
{
  SsSimOptions options = plain_options (4);
  SsWorld *world = make_ring (&options, 6);
  SsNetworkStats before, after;

  ss_world_kill (world, 3);
  g_assert_null (ss_world_node (world, 3));
  g_assert_cmpuint (ss_oracle_leaf_sets (world, false), ==, 5);
  ss_world_run (world, 120 * SS_SEC);
  g_assert_cmpuint (ss_oracle_leaf_sets (world, false), ==, 0);
  ss_world_silence (world, 4);
  g_assert_nonnull (ss_world_node (world, 4));
  ss_world_run (world, 120 * SS_SEC);
  g_assert_cmpuint (ss_oracle_leaf_sets (world, false), ==, 0);
  /* Everybody apart: nothing arrives any more. */
  for (unsigned i = 0; i < 6; i++)
    ss_network_set_side (world->network, i, i + 10);
  ss_world_run (world, SS_SEC);
  ss_network_stats (world->network, &before);
  ss_world_run (world, 60 * SS_SEC);
  ss_network_stats (world->network, &after);
  g_assert_cmpuint (after.sent, >, before.sent);
  g_assert_cmpuint (after.delivered, ==, before.delivered);
  g_assert_cmpuint (world->n_failures, ==, 0);
  ss_world_free (world);
}

static void
test_restart (void)
{
  SsSimOptions options = plain_options (5);
  SsWorld *world = make_ring (&options, 4);
  const SsMember *member = ss_world_member (world, 2);
  SsNodeConfig config = { .wall_offset = INT64_C (1800000000) * SS_SEC };
  SsAddr addr = ss_network_addr (0);

  ss_network_kill (world->network, 2);
  memcpy (config.identity_seed, member->identity_seed, 32);
  ss_network_restart (world->network, 2, &config);
  SsNode *node = ss_world_node (world, 2);

  ss_oracle_register (ss_world_member (world, 2), node);
  ss_node_join (node, ss_world_now (world), &addr, 1, NULL, 0);
  ss_network_touch (world->network, 2);
  ss_world_run (world, 60 * SS_SEC);
  g_assert_cmpuint (ss_oracle_leaf_sets (world, false), ==, 0);
  ss_world_free (world);
}

static void
test_frozen (void)
{
  SsSimOptions options = plain_options (6);
  SsWorld *world = make_station (&options, 4);
  const SsHearing *hearing = ss_world_member (world, 3)->hearing;
  uint64_t heard = hearing->next;

  ss_network_freeze (world->network, 3);
  g_assert_true (ss_network_is_frozen (world->network, 3));
  ss_world_run (world, 2 * SS_SEC);
  g_assert_cmpuint (hearing->next, ==, heard);
  ss_network_thaw (world->network, 3);
  ss_world_run (world, 6 * SS_SEC);
  g_assert_cmpuint (hearing->next, >, heard + 100);
  ss_world_free (world);
}

/* An oracle that never objects is worth nothing. */
static void
test_oracles_object (void)
{
  SsSimOptions options = plain_options (7);
  SsWorld *world = make_station (&options, 6);
  SsTrees trees;

  g_assert_cmpuint (ss_oracle_hearing (world, 0, false, false), ==, 0);
  ss_oracle_trees (world, false, &trees);
  g_assert_cmpuint (trees.n_wrong, ==, 0);
  g_assert_cmpuint (ss_oracle_leaf_sets (world, false), ==, 0);
  /* The publisher goes on, but nobody hears it: all lose. */
  ss_network_mute (world->network, (unsigned) world->publisher, true);
  ss_world_run (world, 20 * SS_SEC);
  ss_network_mute (world->network, (unsigned) world->publisher, false);
  ss_world_run (world, 10 * SS_SEC);
  g_assert_cmpuint (ss_oracle_hearing (world, 0, false, false), >=, 1);
  ss_world_end_broadcast (world);
  ss_world_run (world, 5 * SS_SEC);
  g_assert_cmpuint (
      ss_oracle_hearing (world, ss_world_now (world), true, false), ==, 0);
  world->epochs[world->epoch].pump.n_frames++;
  g_assert_cmpuint (
      ss_oracle_hearing (world, ss_world_now (world), true, false), ==, 6);
  /* A death nobody knows of yet. */
  ss_world_kill (world, 3);
  ss_oracle_trees (world, false, &trees);
  g_assert_cmpuint (trees.n_wrong, >, 0);
  g_assert_cmpuint (ss_oracle_leaf_sets (world, false), >, 0);
  ss_world_free (world);
}

/* A broadcaster that was alone when it went on the air learns its address from
 * who comes; its descriptor has it soon after. */
static void
test_alone_at_first (void)
{
  SsSimOptions options = {
    .seed = 5, .delay = 5 * SS_MSEC, .latency = SS_LATENCY_DEFAULT, .parity = 1
  };
  SsWorld *world = ss_world_new (&options);

  ss_world_publish (world);
  g_assert_cmpint (ss_world_wait (world, ss_world_is_on_air, 5 * SS_SEC), >=,
                   0);
  ss_world_run (world, SS_SEC);
  /* Who comes begins all sessions: without more, nobody answers the first
   * node, and so nobody tells it. */
  ss_world_add (world, false, false);
  g_assert_cmpint (ss_world_wait (world, ss_world_all_ready, 5 * SS_SEC), >=,
                   0);
  ss_world_run (world, SS_SEC);
  world->has_descriptor = false;
  ss_world_add (world, false, true);
  g_assert_cmpint (ss_world_wait (world, ss_world_all_hear, 5 * SS_SEC), >=, 0);
  g_assert_true (world->has_descriptor);
  g_assert_cmpuint (world->descriptor.publisher.n_addrs, ==, 1);
  g_assert_cmpuint (world->n_failures, ==, 0);
  ss_world_free (world);
}

/* Who leaves serves its children until they have other parents. */
static void
test_leave_handing_over (void)
{
  enum { LISTENERS = 12 };
  SsSimOptions options = {
    .seed = 3, .delay = 60 * SS_MSEC, .latency = SS_LATENCY_DEFAULT, .parity = 1
  };
  SsWorld *world = ss_world_new (&options);
  unsigned n_tried = 0;

  ss_world_publish (world);
  ss_world_add_many (world, LISTENERS, true, 3 * SS_SEC);
  g_assert_cmpint (ss_world_wait (world, ss_world_all_hear, 10 * SS_SEC), >=,
                   0);
  ss_world_run (world, 5 * SS_SEC);
  for (unsigned i = 1; i <= LISTENERS && n_tried < 4; i++) {
    SsSplitStream *splitstream = ss_node_splitstream (ss_world_node (world, i));
    bool is_serving = ss_splitstream_is_serving (splitstream);
    if ((int) i == world->publisher || !is_serving)
      continue;
    n_tried++;
    ss_world_leave (world, i);
    SsTime began = ss_world_now (world);
    while (ss_world_member (world, i)->is_up) {
      is_serving = ss_splitstream_is_serving (splitstream);
      ss_world_run (world, 5 * SS_MSEC);
    }
    g_assert_false (is_serving);
    g_assert_cmpint (ss_world_now (world) - began, <, SS_SEC);
    ss_world_run (world, 3 * SS_SEC);
  }
  g_assert_cmpuint (n_tried, >, 1);
  ss_world_free (world);
}

static void
fail_between (SsSimRun *run)
{
  run->n_failures++;
}

static void
do_nothing (SsSimRun *run)
{
  ss_sim_end (run, ss_sim_begin (run, NULL));
}

/* So many worlds may fail, and no more; what is wrong between worlds counts in
 * any case. */
static void
test_may_fail (void)
{
  if (!g_test_subprocess ()) { /* which keeps its report to itself */
    g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_passed ();
    return;
  }
  enum { MAY_FAIL = 2 };
  const SsScenario *scenario = ss_scenario_find ("small-rings");
  SsSimOptions options = scenario->defaults;
  SsSimRun run = {
    .options = &options,
    .defaults = &scenario->defaults,
    .name = scenario->name,
    .hashes = g_string_new (NULL),
  };

  options.may_fail = MAY_FAIL;
  for (unsigned i = 0; i < MAY_FAIL + 2; i++) {
    SsWorld *good = ss_sim_begin (&run, NULL);
    SsWorld *bad = ss_sim_begin (&run, NULL);

    ss_world_fail (bad, "on purpose");
    ss_sim_end (&run, good);
    ss_sim_end (&run, bad);
    g_assert_cmpuint (run.n_failures, ==, i < MAY_FAIL ? 0 : i - MAY_FAIL + 1);
  }
  g_string_free (run.hashes, TRUE);

  SsScenario wrong = { "wrong", "", options, fail_between };

  g_assert_false (ss_scenario_run (&wrong, &options, NULL));
  wrong.run = do_nothing;
  g_assert_true (ss_scenario_run (&wrong, &options, NULL));
}

int
main (int argc, char **argv)
{
  g_assert_cmpint (sodium_init (), >=, 0);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sim/queue", test_queue);
  g_test_add_func ("/sim/pool", test_pool);
  g_test_add_func ("/sim/pool-body", test_pool_body);
  g_test_add_func ("/sim/bodies", test_bodies);
  g_test_add_func ("/sim/trace", test_trace);
  g_test_add_func ("/sim/faults", test_faults);
  g_test_add_func ("/sim/hold-off", test_hold_off);
  g_test_add_func ("/sim/deaths", test_deaths);
  g_test_add_func ("/sim/restart", test_restart);
  g_test_add_func ("/sim/frozen", test_frozen);
  g_test_add_func ("/sim/oracles-object", test_oracles_object);
  g_test_add_func ("/sim/may-fail", test_may_fail);
  g_test_add_func ("/sim/alone-at-first", test_alone_at_first);
  g_test_add_func ("/sim/leave-handing-over", test_leave_handing_over);
  return g_test_run ();
}
