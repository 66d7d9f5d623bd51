/* Nodes that unasked peers cannot reach: found out, kept out of the ring,
 * attached to three nodes of it, called through these. Everybody else is never
 * taken for one. */
#include "tests/harness/ring.h"

#define NAT_MEMORY  (30 * SS_SEC)
#define FOUND_OUT   (5 * SS_SEC)
#define RETURNED    (5 * SS_SEC)
#define ATTACHMENTS 3

static Ring *
make_ring (uint64_t seed, unsigned n, double loss)
{
  RingOptions options = {
    .delay_min = 5 * SS_MSEC,
    .delay_max = 30 * SS_MSEC,
    .check_reach = true,
    .loss = loss,
  };
  Ring *ring = ring_new (seed, &options);
  ring_grow (ring, n);
  return ring;
}

static SsPastryStats
stats_of (const RingNode *node)
{
  SsPastryStats stats;
  ss_pastry_stats (node->pastry, &stats);
  return stats;
}

static RingNode *
add_client (Ring *ring, unsigned contact)
{
  RingNode *client = ring_add (ring);
  client->nat = NAT_MEMORY;
  ring_join (client, ring_node (ring, contact));
  return client;
}

static void
require_client (Ring *ring, const RingNode *client)
{
  g_assert_cmpint (ss_pastry_state (client->pastry), ==, SS_PASTRY_CLIENT);
  SsPastryStats stats = stats_of (client);
  g_assert_cmpint (stats.reachability, ==, SS_UNREACHABLE);
  g_assert_cmpuint (stats.attachments, ==, ATTACHMENTS);
  g_assert_true (ss_kbr_is_ready (client->kbr));
  for (unsigned i = 0; i < ring->nodes->len; i++) {
    const RingNode *node = ring_node (ring, i);
    SsContact known[SS_PASTRY_LEAVES_MAX];
    if (!node->up || node == client)
      continue;
    unsigned n = ss_pastry_leaf_set (node->pastry, known, SS_PASTRY_LEAVES_MAX);
    /* Nor would anything be routed through it. */
    n += ss_kbr_local_lookup (node->kbr, &client->contact.id, known + n,
                              SS_PASTRY_LEAVES_MAX - n);
    for (unsigned k = 0; k < n; k++)
      g_assert_false (ss_id_equal (&known[k].id, &client->contact.id));
  }
}

static const RingNode *
node_of (Ring *ring, const SsId *id)
{
  unsigned i = 0;
  while (!ss_id_equal (&ring_node (ring, i)->contact.id, id))
    i++;
  return ring_node (ring, i);
}

/* Those alive to whom it is attached pass on who calls it. */
static bool
are_serving (Ring *ring, const RingNode *client)
{
  SsContact attachments[ATTACHMENTS];
  unsigned n = ss_pastry_attachments (client->pastry, attachments, ATTACHMENTS);
  for (unsigned i = 0; i < n; i++) {
    const RingNode *node = node_of (ring, &attachments[i].id);
    if (node->up && stats_of (node).clients == 0)
      return false;
  }
  return n > 0;
}

/* Its own lookups end where they should, and nobody's end at it. */
static void
check_lookups (Ring *ring, RingNode *client)
{
  for (unsigned i = 0; i < 20; i++) {
    SsId key = i % 2 == 0 ? ring_random_id (ring) : client->contact.id;
    RingNode *from = i % 4 == 1 ? ring_node (ring, 0) : client;
    uint32_t number = ring_lookup (from, &key, 0);
    ring_run (ring, SS_SEC);
    const RingDelivery *delivery = ring_delivery (ring, number);
    g_assert_nonnull (delivery);
    g_assert_true (delivery->right);
    g_assert_true (ring_node (ring, delivery->node) != client);
    g_assert_cmpuint (ring_count_deliveries (ring, number), ==, 1);
  }
}

/* From everybody, most of whom it has never spoken to. */
static void
check_calls (Ring *ring, RingNode *client)
{
  SsContact contact = *ss_kbr_self (client->kbr);
  const SsKbrSend how = { .reliable = true, .token = 1 };
  const uint8_t data[] = { 1, 2, 3 };
  g_assert_cmpuint (contact.flags & SS_PEER_REACHABLE, ==, 0);
  for (unsigned i = 0; i < ring->nodes->len; i++) {
    RingNode *node = ring_node (ring, i);
    if (!node->up || node == client || node->nat > 0)
      continue;
    unsigned before = client->n_direct, acked = node->n_acked;
    node->env.now = ring->now;
    g_assert_true (ss_kbr_send (node->kbr, RING_PROTOCOL, &contact, &how, data,
                                sizeof data, NULL));
    ring_drain (node);
    ring_run (ring, 3 * SS_SEC);
    g_assert_cmpuint (client->n_direct, ==, before + 1);
    g_assert_cmpuint (node->n_acked, ==, acked + 1);
  }
}

/* It can say through whom it could join another time. */
static void
check_way_back (const RingNode *client)
{
  SsContact peers[SS_PASTRY_LEAVES_MAX];
  unsigned n = ss_pastry_way_back (client->pastry, peers, SS_PASTRY_LEAVES_MAX);
  g_assert_cmpuint (n, >, ATTACHMENTS);
  for (unsigned i = 0; i < n; i++) {
    g_assert_false (ss_id_equal (&peers[i].id, &client->contact.id));
    for (unsigned k = 0; k < i; k++)
      g_assert_false (ss_id_equal (&peers[i].id, &peers[k].id));
  }
}

static void
test_found_out (void)
{
  for (uint64_t seed = 1; seed <= 20; seed++) {
    Ring *ring = make_ring (seed, 16 + (unsigned) seed, 0);
    RingNode *client = add_client (ring, (unsigned) seed % 16);
    ring_run (ring, FOUND_OUT);
    require_client (ring, client);
    g_assert_true (ring_is_correct (ring));
    check_lookups (ring, client);
    check_calls (ring, client);
    require_client (ring, client);
    check_way_back (client);
    ring_free (ring);
  }
}

/* They serve it from when they say so, however far they are, and whether they
 * had heard of it before or not. */
static void
test_far (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    Ring *ring = make_ring (seed, 100, 0);
    RingNode *client = add_client (ring, (unsigned) seed);
    ring_run (ring, FOUND_OUT);
    ring->options.delay_min = ring->options.delay_max = 150 * SS_MSEC;
    for (unsigned i = 0; i < 6; i++) {
      SsContact attachment;
      g_assert_cmpuint (ss_pastry_attachments (client->pastry, &attachment, 1),
                        ==, 1);
      ring_kill (ring_node (ring, node_of (ring, &attachment.id)->index));
      SsId key = ring_random_id (ring);
      ring_lookup (client, &key, SS_ROUTE_PROVISIONAL);
      ring_run (ring, 7 * SS_SEC);
      g_assert_true (are_serving (ring, client));
    }
    require_client (ring, client);
    ring_free (ring);
  }
}

/* All of its attachments die, one after the other. */
static void
test_attachments_die (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    Ring *ring = make_ring (seed, 24, 0.02);
    RingNode *client = add_client (ring, 3);
    ring_run (ring, 2 * FOUND_OUT);
    require_client (ring, client);
    for (unsigned k = 0; k < 6; k++) {
      SsContact attachment;
      g_assert_cmpuint (ss_pastry_attachments (client->pastry, &attachment, 1),
                        ==, 1);
      ring_kill (ring_node (ring, node_of (ring, &attachment.id)->index));
      /* What it says meanwhile goes through another at once. */
      SsId key = ring_random_id (ring);
      uint32_t number = ring_lookup (client, &key, SS_ROUTE_PROVISIONAL);
      ring_run (ring, 4 * SS_SEC);
      g_assert_nonnull (ring_delivery (ring, number));
      ring_run (ring, 20 * SS_SEC);
      require_client (ring, client);
    }
    ring->options.loss = 0;
    ring_run (ring, 60 * SS_SEC);
    check_calls (ring, client);
    ring_free (ring);
  }
}

/* The NAT goes: it is one of the ring. It comes back: after a while it is
 * not. */
static void
test_comes_and_goes (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    Ring *ring = make_ring (seed, 20, 0);
    RingNode *client = add_client (ring, 7);
    ring_run (ring, FOUND_OUT);
    require_client (ring, client);
    client->nat = 0;
    ring_run (ring, 90 * SS_SEC);
    g_assert_cmpint (ss_pastry_state (client->pastry), ==, SS_PASTRY_ACTIVE);
    g_assert_cmpint (stats_of (client).reachability, ==, SS_REACHABLE);
    g_assert_true (ring_is_correct (ring));
    g_assert_cmpuint (ss_kbr_self (client->kbr)->flags & SS_PEER_REACHABLE, !=,
                      0);
    ring_free (ring);
  }
}

static bool
has_no_client (Ring *ring)
{
  for (unsigned i = 0; i < ring->nodes->len; i++)
    if (ss_pastry_state (ring_node (ring, i)->pastry) != SS_PASTRY_ACTIVE)
      return false;
  return true;
}

/* What it sent as a client may be late, and come when it is of the ring: that
 * ends nothing. So may the handshake that says what it is: who is asked for
 * his leaves by one that he takes for a client notes him all the same. And
 * whom it does not get through to is told of it. */
static void
test_returns_under_loss (void)
{
  for (uint64_t seed = 1; seed <= 60; seed++) {
    Ring *ring = make_ring (seed, 20, 0);
    RingNode *client = add_client (ring, (unsigned) seed % 20);
    ring_run (ring, FOUND_OUT);
    require_client (ring, client);
    ring->options.loss = 0.05;
    client->nat = 0;
    g_assert_true (ring_run_until (ring, has_no_client, 200 * SS_SEC));
    g_assert_true (ring_run_until (ring, ring_is_correct, RETURNED));
    ring_free (ring);
  }
}

/* One that starts again at once is let in by its NAT for what its former life
 * had sent. When that is over it is found out, by newcomers if all others are
 * those that it has spoken to. With seed 1 it had forgotten between two looks
 * whom it had answered. With seeds 70 and 110 only one newcomer at a time could
 * tell, another at each look. */
static void
test_restarts (void)
{
  static const uint64_t seeds[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 70, 110 };
  for (unsigned k = 0; k < G_N_ELEMENTS (seeds); k++) {
    Ring *ring = make_ring (seeds[k], 24, 0);
    RingNode *client = add_client (ring, 7);
    ring_run (ring, 2 * FOUND_OUT);
    require_client (ring, client);
    for (unsigned i = 0; i < 24; i++) {
      SsId key = ring_node (ring, i)->contact.id;
      ring_lookup (client, &key, 0);
    }
    ring_run (ring, SS_SEC);
    ring_restart (client);
    ring_join (client, ring_node (ring, 7));
    ring_run (ring, 340 * SS_SEC);
    for (unsigned i = 0; i < 10; i++) {
      ring_join (ring_add (ring), ring_node (ring, i));
      ring_run (ring, 6 * SS_SEC);
    }
    require_client (ring, client);
    g_assert_true (ring_is_correct (ring));
    ring_free (ring);
  }
}

static void
add_more (Ring *ring, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    RingNode *node = ring_add (ring);
    ring_join (node, ring_node (ring, 0));
    ring_run (ring, 5 * SS_SEC);
  }
}

/* Alone with its first contact it cannot be found out. Those who come next
 * are asked, and mostly tell before it has spoken to them. */
static void
test_among_the_first (void)
{
  unsigned n_found_out = 0;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    Ring *ring = make_ring (seed, 1, 0);
    RingNode *client = add_client (ring, 0);
    ring_run (ring, FOUND_OUT);
    g_assert_cmpint (ss_pastry_state (client->pastry), ==, SS_PASTRY_ACTIVE);
    add_more (ring, 8);
    ring_run (ring, 60 * SS_SEC);
    n_found_out += ss_pastry_state (client->pastry) == SS_PASTRY_CLIENT;
    ring_free (ring);
  }
  g_test_message ("found out: %u of 20", n_found_out);
  g_assert_cmpuint (n_found_out, >=, 5);
}

/* Unless it knows that its address is translated. */
static void
test_translated (void)
{
  const SsAddr inside = ss_addr_v4 (0xc0a80002, 16160);
  for (uint64_t seed = 1; seed <= 5; seed++) {
    Ring *ring = make_ring (seed, 1, 0);
    RingNode *client = ring_add (ring);
    client->nat = NAT_MEMORY;
    ss_pastry_set_local (client->pastry, &inside, 1);
    ring_join (client, ring_node (ring, 0));
    ring_run (ring, FOUND_OUT);
    g_assert_cmpint (ss_pastry_state (client->pastry), ==, SS_PASTRY_CLIENT);
    g_assert_cmpuint (stats_of (client).attachments, ==, 1);
    g_assert_true (ring_is_correct (ring));
    check_calls (ring, client);
    add_more (ring, 8);
    ring_run (ring, 20 * SS_SEC);
    require_client (ring, client);
    check_lookups (ring, client);
    check_calls (ring, client);
    ring_free (ring);
  }
}

/* Loss is no NAT. */
static void
test_loss (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    Ring *ring = make_ring (seed, 8, 0);
    ring->options.loss = 0.1;
    for (unsigned i = 0; i < 30; i++)
      ring_join (ring_add (ring), ring_node (ring, i % 8));
    ring_run (ring, 60 * SS_SEC);
    for (unsigned i = 0; i < ring->nodes->len; i++)
      g_assert_cmpint (stats_of (ring_node (ring, i)).reachability, !=,
                       SS_UNREACHABLE);
    ring_free (ring);
  }
}

/* Whoever is reachable joins as fast as without the question. */
static void
test_no_delay (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    RingOptions options = { .delay_min = SS_MSEC, .delay_max = SS_MSEC };
    SsTime slowest[2] = { 0, 0 };
    for (unsigned check = 0; check < 2; check++) {
      options.check_reach = check == 1;
      Ring *ring = ring_new (seed, &options);
      ring_grow (ring, 1);
      for (unsigned i = 1; i < 30; i++) {
        SsTime started = ring->now;
        ring_join (ring_add (ring), ring_node (ring, i / 2));
        g_assert_true (ring_run_until (ring, ring_is_joined, 10 * SS_SEC));
        slowest[check] = MAX (slowest[check], ring->now - started);
      }
      ring_free (ring);
    }
    g_test_message ("slowest join %.0f ms, %.0f ms with the question",
                    (double) slowest[0] / SS_MSEC,
                    (double) slowest[1] / SS_MSEC);
    g_assert_cmpint (slowest[1], <=, slowest[0] + 5 * SS_MSEC);
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/clients/found-out", test_found_out);
  g_test_add_func ("/pastry/clients/far", test_far);
  g_test_add_func ("/pastry/clients/attachments-die", test_attachments_die);
  g_test_add_func ("/pastry/clients/comes-and-goes", test_comes_and_goes);
  g_test_add_func ("/pastry/clients/returns-under-loss",
                   test_returns_under_loss);
  g_test_add_func ("/pastry/clients/restarts", test_restarts);
  g_test_add_func ("/pastry/clients/among-the-first", test_among_the_first);
  g_test_add_func ("/pastry/clients/translated", test_translated);
  g_test_add_func ("/pastry/clients/loss", test_loss);
  g_test_add_func ("/pastry/clients/no-delay", test_no_delay);
  return g_test_run ();
}
