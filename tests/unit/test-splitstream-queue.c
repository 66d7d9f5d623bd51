/* What holds up all that comes: told from what holds up one stripe. */
#include <glib.h>

#include "splitstream/mediaclock.h"

#define LATENCY (1500 * SS_MSEC)
#define STEP    (50 * SS_MSEC)
#define WAY     (40 * SS_MSEC)
#define HELD    (600 * SS_MSEC)

enum { SOME = 200, SLOW = 3 };

/* Packet n of a round over all stripes comes so much later than it might. */
static void
arrive (SsMediaClock *clock, unsigned n, SsTime late)
{
  SsTime departure = n * STEP;
  ss_media_clock_arrival (clock, departure + WAY + late, n % SS_STRIPES,
                          departure);
}

static SsTime
queue_of (const SsMediaClock *clock)
{
  SsTime wait = -1;
  g_assert_true (ss_media_clock_queue (clock, &wait));
  return wait;
}

/* One stripe is late, with what it usually is or not: nothing waits. */
static void
test_one_stripe (void)
{
  SsMediaClock clock;
  ss_media_clock_init (&clock, LATENCY);
  for (unsigned n = 0; n < 2 * SOME; n++) {
    bool is_slow = n % SS_STRIPES == SLOW;
    arrive (&clock, n, is_slow ? n < SOME ? HELD / 4 : HELD : 0);
    g_assert_cmpint (ss_media_clock_late (&clock), ==, 0);
    if (n >= SS_CLOCK_RECENT)
      g_assert_cmpint (queue_of (&clock), ==, 0);
  }
}

/* All of it is: as soon as a few packets have come. What they are late by at
 * last is their usual lag, and the queue is still there. */
static void
test_all (void)
{
  SsMediaClock clock;
  SsTime wait;
  ss_media_clock_init (&clock, LATENCY);
  g_assert_false (ss_media_clock_queue (&clock, &wait));
  for (unsigned n = 0; n < SOME; n++)
    arrive (&clock, n, 0);
  for (unsigned n = SOME; n < 2 * SOME; n++) {
    arrive (&clock, n, HELD);
    bool is_early = n + 1 < SOME + SS_CLOCK_RECENT;
    if (is_early)
      g_assert_cmpint (ss_media_clock_late (&clock), ==, 0);
    else
      g_assert_cmpint (queue_of (&clock), >, HELD - 20 * SS_MSEC);
    /* A packet is overdue when it is later than all others. */
    SsTime patience = ss_media_clock_measured (&clock) - WAY
                      + ss_media_clock_allowance (&clock, n % SS_STRIPES)
                      + ss_media_clock_late (&clock);
    if (!is_early)
      g_assert_cmpint (patience, >=, HELD);
    g_assert_cmpint (patience, <, HELD + LATENCY);
  }
  arrive (&clock, 2 * SOME, 0);
  g_assert_cmpint (ss_media_clock_late (&clock), ==, 0);
  g_assert_cmpint (queue_of (&clock), ==, 0);
}

/* The way has become longer for good: that is believed after a while. */
static void
test_longer_way (void)
{
  SsMediaClock clock;
  ss_media_clock_init (&clock, LATENCY);
  SsTime longer = 60 * SS_MSEC, before = SS_NEVER;
  for (unsigned n = 0; n < 2 * SOME; n++) {
    arrive (&clock, n, n < SOME ? 0 : longer);
    if (n < SOME + SS_CLOCK_RECENT)
      continue;
    g_assert_cmpint (queue_of (&clock), <=, MIN (longer, before));
    before = queue_of (&clock);
  }
  for (unsigned n = 2 * SOME; n < 10 * SOME; n++)
    arrive (&clock, n, longer);
  g_assert_cmpint (queue_of (&clock), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/queue/one-stripe", test_one_stripe);
  g_test_add_func ("/splitstream/queue/all", test_all);
  g_test_add_func ("/splitstream/queue/longer-way", test_longer_way);
  return g_test_run ();
}
