/* Whom a routed message names as dead: those that are suspected or buried and
 * nearer to the key than its source, the nearest of them. */
#include <glib.h>

#include "overlay/pastry/internal.h"
#include "tests/harness/ring.h"

static SsId
make_id (uint8_t first)
{
  return (SsId){ { first } };
}

static uint32_t
named (uint8_t first)
{
  SsId id = make_id (first);
  return (uint32_t) (ss_pastry_prefix (&id) >> 32);
}

static bool
names (const SsRoute *route, uint8_t first)
{
  for (unsigned i = 0; i < route->header.n_avoid; i++)
    if (route->header.avoid[i] == named (first))
      return true;
  return false;
}

static void
add_suspect (SsPastry *pastry, uint8_t first, bool is_suspected)
{
  SsSuspect suspect = { .contact.id = make_id (first),
                        .suspected = is_suspected };
  g_array_append_val (pastry->suspects, suspect);
}

static void
add_tombstone (SsPastry *pastry, uint8_t first, SsTime until)
{
  SsId id = make_id (first);
  SsTombstone tombstone = { .prefix = ss_pastry_prefix (&id), .until = until };
  g_array_append_val (pastry->tombstones, tombstone);
}

static void
test_nearest (void)
{
  SsEnv env = { .now = 10 * SS_SEC };
  SsPastry *pastry = g_new0 (SsPastry, 1);
  pastry->kbr.env = &env;
  pastry->leafset.self = make_id (0x60);
  pastry->suspects = g_array_new (FALSE, FALSE, sizeof (SsSuspect));
  pastry->tombstones = g_array_new (FALSE, FALSE, sizeof (SsTombstone));
  SsRoute route = { .header.key = make_id (0x40) };

  add_suspect (pastry, 0x70, true);  /* farther from the key than the source */
  add_suspect (pastry, 0x41, false); /* doubted only */
  add_tombstone (pastry, 0x3f, env.now - 1); /* forgotten */
  ss_route_avoid_suspects (pastry, &route);
  g_assert_cmpuint (route.header.n_avoid, ==, 0);

  add_suspect (pastry, 0x50, true);
  add_tombstone (pastry, 0x44, env.now + SS_SEC);
  ss_route_avoid_suspects (pastry, &route);
  g_assert_cmpuint (route.header.n_avoid, ==, 2);
  g_assert_true (names (&route, 0x50));
  g_assert_true (names (&route, 0x44));

  /* There is room for two: a nearer one takes the farthest's place. */
  g_assert_cmpuint (SS_PASTRY_AVOID_MAX, ==, 2);
  route.header.n_avoid = 0;
  add_suspect (pastry, 0x39, true);
  ss_route_avoid_suspects (pastry, &route);
  g_assert_cmpuint (route.header.n_avoid, ==, 2);
  g_assert_true (names (&route, 0x39));
  g_assert_true (names (&route, 0x44));

  /* And it is not sent to them. */
  SsContact contact = { .id = make_id (0x44) };
  g_assert_false (ss_route_may_use (pastry, &route, &contact));
  g_array_unref (pastry->suspects);
  g_array_unref (pastry->tombstones);
  g_free (pastry);
}

/* The closest lives and is not reached from here: another passes the message
 * on to it, but not one that is to go past it. */
static void
test_past (void)
{
  const RingOptions options = { .delay_min = SS_MSEC, .delay_max = SS_MSEC };
  Ring *ring = ring_new (1, &options);
  ring_grow (ring, 1);
  SsPastry *pastry = ring_node (ring, 0)->pastry;
  const SsAddr addr = ss_addr_v4 (0x0a000001, 1);
  SsId key = pastry->leafset.self;
  key.b[0] ^= 0x20;
  SsContact closest = { .id = key, .addr = addr, .flags = SS_PEER_REACHABLE };
  SsContact via = closest, out;
  bool is_evicted;
  via.id.b[1] ^= 1;
  SsSuspect suspect = {
    .contact = closest, .suspected = true, .is_estranged = true, .via = via
  };
  ss_leafset_insert (&pastry->leafset, &closest, SS_LEAFSET_REACH_NONE,
                     &is_evicted, &out);
  ss_leafset_insert (&pastry->leafset, &via, SS_LEAFSET_REACH_NONE, &is_evicted,
                     &out);
  if (pastry->suspects == NULL)
    pastry->suspects = g_array_new (FALSE, FALSE, sizeof (SsSuspect));
  g_array_append_val (pastry->suspects, suspect);
  SsRoute route = { .header = { .key = key,
                                .protocol = SS_PROTOCOL_SCRIBE,
                                .flags = SS_ROUTED_PROVISIONAL } };
  ss_route_avoid (&route, &closest.id);
  SsHop hop = ss_route_choose (pastry, &route);
  g_assert_true (hop.is_relay);
  g_assert_true (ss_contact_equal (&hop.node, &via));
  route.header.flags |= SS_ROUTED_PAST;
  hop = ss_route_choose (pastry, &route);
  g_assert_false (hop.is_relay);
  g_assert_true (ss_contact_equal (&hop.node, &via));

  /* Of others' messages only those that may be delivered provisionally: the
   * rest would be held until that one has spoken, and then again. */
  SsContact from = via;
  from.id.b[2] ^= 1;
  SsMsgRouted message = route.header;
  message.flags = SS_ROUTED_PAST;
  ss_pastry_routed (pastry, &from, &message);
  g_assert_nonnull (pastry->pending);
  g_assert_cmpuint (pastry->pending->len, ==, 1);
  const SsRoute *sent = g_ptr_array_index (pastry->pending, 0);
  g_assert_cmpuint (sent->header.flags, ==, SS_ROUTED_RELAYED);
  g_assert_cmpuint (sent->header.n_avoid, ==, 0);
  ring_free (ring);
}

/* A node alone, but for a leaf that nobody has ever heard, which is closest to
 * the key of a message that names as many as it can to go past. */
static Ring *
begin_past (SsContact *ret_closest)
{
  const RingOptions options = { .delay_min = SS_MSEC, .delay_max = SS_MSEC };
  Ring *ring = ring_new (1, &options);
  ring_grow (ring, 1);
  SsPastry *pastry = ring_node (ring, 0)->pastry;
  SsId key = pastry->leafset.self, past[SS_KBR_PAST_MAX];
  SsContact out;
  bool is_evicted;
  key.b[0] ^= 0x20;
  *ret_closest = (SsContact){ .id = key,
                              .addr = ss_addr_v4 (0x0a000001, 1),
                              .flags = SS_PEER_REACHABLE };
  ss_leafset_insert (&pastry->leafset, ret_closest, SS_LEAFSET_REACH_NONE,
                     &is_evicted, &out);
  for (unsigned i = 0; i < SS_KBR_PAST_MAX; i++) {
    past[i] = key;
    past[i].b[1] ^= (uint8_t) (i + 1);
  }
  const uint8_t data[] = { 0 };
  g_assert_true (ss_kbr_route_past (&pastry->kbr, SS_PROTOCOL_SCRIBE, &key,
                                    past, SS_KBR_PAST_MAX, data, sizeof data));
  g_assert_cmpuint (pastry->pending->len, ==, 1);
  return ring;
}

/* It does not go past its late next hop as well. To be sent to that one again,
 * which is as late as before, would never end. */
static void
test_late (void)
{
  SsContact closest;
  Ring *ring = begin_past (&closest);
  SsPastry *pastry = ring_node (ring, 0)->pastry;
  const SsRoute *route = g_ptr_array_index (pastry->pending, 0);
  uint64_t token = route->token;

  ss_pastry_routed_late (pastry, token);
  g_assert_cmpuint (pastry->pending->len, ==, 1);
  route = g_ptr_array_index (pastry->pending, 0);
  g_assert_cmpuint (route->token, ==, token);
  g_assert_true (ss_contact_equal (&route->next, &closest));
  ring_free (ring);
}

/* Nor does it go past one to whom nothing can be sent: it is given up. */
static void
test_failed (void)
{
  SsContact closest;
  Ring *ring = begin_past (&closest);
  SsPastry *pastry = ring_node (ring, 0)->pastry;
  const uint64_t *dropped =
      &ss_pastry_env (pastry)->counters.value[SS_COUNT_ROUTED_DROPPED];

  for (unsigned i = 0; i < SS_PASTRY_FAILED_MAX; i++) {
    g_assert_cmpuint (*dropped, ==, 0);
    g_assert_cmpuint (pastry->pending->len, ==, 1);
    const SsRoute *route = g_ptr_array_index (pastry->pending, 0);
    ss_pastry_routed_failed (pastry, route->token);
  }
  g_assert_cmpuint (*dropped, ==, 1);
  g_assert_cmpuint (pastry->pending->len, ==, 0);
  ring_free (ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/avoid/nearest", test_nearest);
  g_test_add_func ("/pastry/avoid/past", test_past);
  g_test_add_func ("/pastry/avoid/late", test_late);
  g_test_add_func ("/pastry/avoid/failed", test_failed);
  return g_test_run ();
}
