/* Whom a routed message names as dead: those that are suspected or buried and
 * nearer to the key than its source, the nearest of them. */
#include <glib.h>

#include "overlay/pastry/internal.h"

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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/avoid/nearest", test_nearest);
  return g_test_run ();
}
