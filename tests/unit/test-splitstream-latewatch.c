/* When a stripe's parent is late: only while all that it sends is, and while
 * others are not. */
#include <glib.h>

#include "splitstream/latewatch.h"

#define LATENCY (1500 * SS_MSEC)
#define TURN    (900 * SS_MSEC) /* each stripe brings one in this time */
#define WAY     (40 * SS_MSEC)
#define LATE    (400 * SS_MSEC)

enum { STRIPE = 3, DEPTH = 2, SECONDS_EACH = 5 };

typedef struct {
  SsMediaClock clock;
  SsLateWatch watch;
  uint32_t turn;
  unsigned n_told;  /* of STRIPE */
  unsigned n_other; /* of others */
} Bench;

static void
begin (Bench *bench)
{
  *bench = (Bench){ .turn = 0 };
  ss_media_clock_init (&bench->clock, LATENCY);
  ss_late_watch_init (&bench->watch);
}

static void
bring (Bench *bench, unsigned stripe, SsTime late)
{
  SsTime departure = bench->turn * TURN + stripe * TURN / SS_STRIPES;
  SsTime now = departure + WAY + late;
  ss_media_clock_arrival (&bench->clock, now, stripe, departure);
  if (!ss_late_watch_arrival (&bench->watch, &bench->clock, now, stripe,
                              departure, DEPTH))
    return;
  if (stripe == STRIPE)
    bench->n_told++;
  else
    bench->n_other++;
}

/* So many turns in which one stripe is late by that, and each other by `others`
 * times its number. */
static void
run (Bench *bench, unsigned n, SsTime late, SsTime others)
{
  for (unsigned i = 0; i < n; i++, bench->turn++)
    for (unsigned stripe = 0; stripe < SS_STRIPES; stripe++)
      bring (bench, stripe, stripe == STRIPE ? late : stripe * others);
}

/* So many turns make one patience, the first. */
static unsigned
n_patience (void)
{
  return (unsigned) (DEPTH * SECONDS_EACH * SS_SEC / TURN) + 2;
}

static void
test_late (void)
{
  Bench bench;
  begin (&bench);
  run (&bench, 20, 0, 0);
  run (&bench, n_patience () - 3, LATE, 0);
  g_assert_cmpuint (bench.n_told, ==, 0);
  run (&bench, 3, LATE, 0);
  g_assert_cmpuint (bench.n_told, ==, 1);
  g_assert_cmpuint (bench.n_other, ==, 0);
  /* From the first turn on, as of who came below it. */
  begin (&bench);
  run (&bench, n_patience () + 1, LATE, 0);
  g_assert_cmpuint (bench.n_told, ==, 1);
}

/* In vain: each time it takes twice as long, so that an hour brings few. */
static void
test_vain (void)
{
  Bench bench;
  begin (&bench);
  run (&bench, 3 * n_patience (), LATE, 0);
  g_assert_cmpuint (bench.n_told, ==, 2);
  run (&bench, (unsigned) (3600 * SS_SEC / TURN), LATE, 0);
  g_assert_cmpuint (bench.n_told, <=, 12);
}

/* One in time, now and then: there is no standing delay. */
static void
test_now_and_then (void)
{
  Bench bench;
  begin (&bench);
  for (unsigned i = 0; i < 50; i++) {
    run (&bench, n_patience () - 3, LATE, 0);
    run (&bench, 1, 0, 0);
  }
  g_assert_cmpuint (bench.n_told, ==, 0);
}

/* Not by much, or not more than the others: a long way, a full line. */
static void
test_honest (void)
{
  Bench bench;
  begin (&bench);
  run (&bench, 200, LATENCY / 6 - SS_MSEC, 0);
  g_assert_cmpuint (bench.n_told, ==, 0);
  begin (&bench);
  run (&bench, 200, LATE, LATE / SS_STRIPES);
  g_assert_cmpuint (bench.n_told + bench.n_other, ==, 0);
  /* All become slower. */
  begin (&bench);
  run (&bench, 20, 0, 0);
  for (unsigned i = 0; i < 200; i++, bench.turn++)
    for (unsigned stripe = 0; stripe < SS_STRIPES; stripe++)
      bring (&bench, stripe, LATE);
  g_assert_cmpuint (bench.n_told + bench.n_other, ==, 0);
}

/* Another parent has its time, too. */
static void
test_new_parent (void)
{
  Bench bench;
  begin (&bench);
  run (&bench, n_patience () - 3, LATE, 0);
  ss_late_watch_new_parent (&bench.watch, STRIPE);
  run (&bench, n_patience () - 3, LATE, 0);
  g_assert_cmpuint (bench.n_told, ==, 0);
  run (&bench, 3, LATE, 0);
  g_assert_cmpuint (bench.n_told, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/latewatch/late", test_late);
  g_test_add_func ("/splitstream/latewatch/vain", test_vain);
  g_test_add_func ("/splitstream/latewatch/now-and-then", test_now_and_then);
  g_test_add_func ("/splitstream/latewatch/honest", test_honest);
  g_test_add_func ("/splitstream/latewatch/new-parent", test_new_parent);
  return g_test_run ();
}
