/* Clients of others that lose all of these. */
#include <string.h>

#include "sim/world.h"

#define NODES       5
#define NAT_MEMORY  (30 * SS_SEC)
#define JOIN_TIME   (20 * SS_SEC)
#define RETURN_TIME (120 * SS_SEC)

/* A ring of one at the address where node index was, of another identity. */
static void
replace (SsWorld *world, unsigned index)
{
  SsNodeConfig config = { .may_stand_alone = true };
  SsRng rng;
  SsKey key;

  ss_network_rng (world->network, "another", index, &rng);
  ss_link_make_identity (&rng, config.identity_seed, &key);
  ss_network_restart (world->network, index, &config);
  ss_node_join (ss_network_node (world->network, index), ss_world_now (world),
                NULL, 0, NULL, 0);
  ss_network_touch (world->network, index);
}

/* The ring is gone, and another begins where the first node was: the client
 * knows that address from its start, and no key that is there. */
static void
test_ring_replaced (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    const SsSimOptions options = { .seed = seed, .delay = 10 * SS_MSEC };
    SsWorld *world = ss_world_new (&options);
    SsContact attachments[3];

    ss_world_add (world, true, false);
    ss_world_run (world, SS_SEC);
    ss_network_put_behind_nat (world->network, NODES, NAT_MEMORY);
    ss_world_add_many (world, NODES - 1, false, SS_SEC);
    g_assert_cmpint (ss_world_wait (world, ss_world_all_ready, JOIN_TIME), >=,
                     0);
    unsigned client = ss_world_add (world, false, false);

    g_assert_cmpuint (client, ==, NODES);
    ss_world_run (world, JOIN_TIME);
    SsNode *node = ss_world_node (world, client);

    g_assert_cmpuint (ss_node_attachments (node, attachments, 3), ==, 3);
    for (unsigned i = 0; i < NODES; i++)
      ss_world_kill (world, i);
    ss_world_run (world, JOIN_TIME);
    g_assert_cmpint (ss_world_member (world, client)->state, ==,
                     SS_NODE_JOINING);
    g_assert_cmpuint (world->n_slow_joins, >=, 1);
    for (unsigned i = 0; i < NODES; i++)
      replace (world, i);
    ss_world_run (world, RETURN_TIME);
    g_assert_cmpint (ss_world_member (world, client)->state, ==,
                     SS_NODE_JOINED);
    ss_world_free (world);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/clients/ring-replaced", test_ring_replaced);
  return g_test_run ();
}
