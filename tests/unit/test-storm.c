/* Storms: in a network without delay, whatever is asked again as soon as it
 * has been answered goes round as fast as the machine can. Rings in which
 * everybody wants what nobody has must stay quiet: every retry is paced. */
#include <string.h>

#include "sim/scenario.h"
#include "sim/world.h"

#define NODES 30
#define SLICE (10 * SS_MSEC)
/* Datagrams of one node, in the mean: in any second, and within a slice. The
 * stream itself is some 30 a second. A ring of 30 takes 450 handshakes and
 * 1,600 leaf sets to make, a station 450 JOINs; and when all have missed the
 * same seconds, each asks for what can still be heard of them, some 310
 * packets, which may be 215 datagrams to each at the same moment. */
#define PER_SECOND 600
#define PER_SLICE  250

typedef struct {
  SsWorld *world;
  uint64_t sent[SS_SEC / SLICE]; /* by slice, a second's */
  unsigned n_slices;
  uint64_t most_slice, most_second;
} Storm;

static void
storm_init (Storm *storm, uint64_t seed)
{
  const SsSimOptions options = {
    .seed = seed,
    .latency = SS_LATENCY_DEFAULT,
    .parity = 1,
  };
  memset (storm, 0, sizeof *storm);
  storm->world = ss_world_new (&options);
}

static void
storm_clear (Storm *storm, const char *what)
{
  g_test_message ("%s: at most %" G_GUINT64_FORMAT
                  " datagrams in 10 ms, %" G_GUINT64_FORMAT " in a second",
                  what, storm->most_slice, storm->most_second);
  g_assert_cmpuint (storm->most_second, <=, NODES * PER_SECOND);
  ss_world_free (storm->world);
}

static void
run (Storm *storm, SsTime duration)
{
  SsNetworkStats before, after;
  for (SsTime t = 0; t < duration; t += SLICE) {
    ss_network_stats (storm->world->network, &before);
    ss_world_run (storm->world, SLICE);
    ss_network_stats (storm->world->network, &after);
    uint64_t *slice =
        &storm->sent[storm->n_slices++ % G_N_ELEMENTS (storm->sent)];
    *slice = after.sent - before.sent;
    uint64_t second = 0;
    for (unsigned i = 0; i < G_N_ELEMENTS (storm->sent); i++)
      second += storm->sent[i];
    storm->most_slice = MAX (storm->most_slice, *slice);
    storm->most_second = MAX (storm->most_second, second);
    /* At once, for a storm may never come to the end of a second. */
    g_assert_cmpuint (*slice, <=, NODES * PER_SLICE);
  }
}

/* A ring with a publisher on the air that has said one frame and no more. */
static void
start_mute_station (Storm *storm)
{
  SsWorld *world = storm->world;
  ss_world_add (world, true, false);
  run (storm, SS_SEC);
  ss_world_publish (world);
  while (!ss_world_is_on_air (world))
    run (storm, SLICE);
  world->epochs[world->epoch].is_on = false;
}

static void
add (Storm *storm, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    ss_world_add (storm->world, false, true);
}

static void
start_station (Storm *storm)
{
  ss_world_add (storm->world, true, false);
  run (storm, SS_SEC);
  ss_world_publish (storm->world);
  run (storm, SS_SEC);
  add (storm, NODES - 2);
  run (storm, 6 * SS_SEC);
  g_assert_true (ss_world_all_hear (storm->world));
}

/* Everybody comes at once, and nobody has anything. */
static void
test_nothing_to_hear (void)
{
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Storm storm;
    storm_init (&storm, seed);
    start_mute_station (&storm);
    add (&storm, NODES - 2);
    run (&storm, 20 * SS_SEC);
    storm_clear (&storm, "nothing to hear");
  }
}

/* The same, and the publisher is dead. */
static void
test_nobody_there (void)
{
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Storm storm;
    storm_init (&storm, seed);
    start_mute_station (&storm);
    add (&storm, NODES - 2);
    run (&storm, 20 * SLICE);
    ss_world_kill (storm.world, (unsigned) storm.world->publisher);
    run (&storm, 20 * SS_SEC);
    storm_clear (&storm, "nobody there");
  }
}

static void
test_everybody_comes (void)
{
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Storm storm;
    storm_init (&storm, seed);
    start_station (&storm);
    storm_clear (&storm, "everybody comes");
  }
}

/* One after the other dies, the first relay included, two at a time; then all
 * but a few at once. */
static void
test_deaths (void)
{
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Storm storm;
    storm_init (&storm, seed);
    start_station (&storm);
    for (unsigned i = 2; i < 12; i += 2) {
      ss_world_kill (storm.world, i);
      ss_world_silence (storm.world, i + 1);
      run (&storm, SS_SEC);
    }
    for (unsigned i = 12; i < NODES - 4; i++)
      ss_world_kill (storm.world, i);
    run (&storm, 10 * SS_SEC);
    ss_world_kill (storm.world, 0);
    ss_world_kill (storm.world, (unsigned) storm.world->publisher);
    run (&storm, 20 * SS_SEC);
    storm_clear (&storm, "deaths");
  }
}

static void
test_everybody_leaves (void)
{
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Storm storm;
    storm_init (&storm, seed);
    start_station (&storm);
    for (unsigned i = 2; i < NODES; i++)
      ss_world_leave (storm.world, i);
    run (&storm, 5 * SS_SEC);
    ss_world_leave (storm.world, 0);
    run (&storm, 5 * SS_SEC);
    storm_clear (&storm, "everybody leaves");
  }
}

/* No datagram arrives anywhere, then all do again. */
static void
test_blackout (void)
{
  for (uint64_t seed = 1; seed <= 3; seed++) {
    Storm storm;
    storm_init (&storm, seed);
    start_station (&storm);
    for (SsTime time = 200 * SS_MSEC; time <= 20 * SS_SEC; time *= 10) {
      ss_network_set_loss (storm.world->network, 1);
      run (&storm, time);
      ss_network_set_loss (storm.world->network, 0);
      run (&storm, 10 * SS_SEC);
    }
    storm_clear (&storm, "blackout");
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/storm/nothing-to-hear", test_nothing_to_hear);
  g_test_add_func ("/storm/nobody-there", test_nobody_there);
  g_test_add_func ("/storm/everybody-comes", test_everybody_comes);
  g_test_add_func ("/storm/deaths", test_deaths);
  g_test_add_func ("/storm/everybody-leaves", test_everybody_leaves);
  g_test_add_func ("/storm/blackout", test_blackout);
  return g_test_run ();
}
