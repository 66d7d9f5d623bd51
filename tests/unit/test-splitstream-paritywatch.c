/* When a row's parity is overdue: as soon as parity came of late, and not
 * before the publisher may have let it go. */
#include <glib.h>

#include "splitstream/paritywatch.h"

#define LATENCY (1500 * SS_MSEC)
#define ROW     (960 * SS_MSEC)
#define WAY     (40 * SS_MSEC)

enum { N_PARITY = 1, STRIPE = SS_STRIPES - N_PARITY, ROWS = 40 };

typedef struct {
  SsMediaClock clock;
  SsParityWatch watch;
} Bench;

static void
begin (Bench *bench)
{
  ss_media_clock_init (&bench->clock, LATENCY);
  ss_parity_watch_init (&bench->watch, N_PARITY, LATENCY);
}

static void
data (Bench *bench, uint32_t row)
{
  SsTime departure = row * ROW;
  ss_media_clock_arrival (&bench->clock, departure + WAY, 0, departure);
  ss_parity_watch_data (&bench->watch, &bench->clock, row, departure);
}

/* A row's parity leaves so long after the next row has begun. */
static void
parity (Bench *bench, uint32_t row, SsTime after)
{
  SsTime departure = (row + 1) * ROW + after;
  ss_media_clock_arrival (&bench->clock, departure + WAY, STRIPE, departure);
  ss_parity_watch_parity (&bench->watch, 0, row, departure);
}

/* How long after the next row has begun a row's parity is overdue. */
static SsTime
patience (const Bench *bench, uint32_t row)
{
  SsTime due = ss_parity_watch_deadline (&bench->watch);
  g_assert_cmpint (due, <, SS_NEVER);
  return due - WAY - (row + 1) * ROW
         - ss_media_clock_allowance (&bench->clock, STRIPE);
}

static void
test_together (void)
{
  for (unsigned order = 0; order < 2; order++) {
    Bench bench;
    begin (&bench);
    data (&bench, 0);
    for (uint32_t row = 0; row < ROWS; row++) {
      /* Either may overtake the other. */
      if (order == 0)
        data (&bench, row + 1);
      parity (&bench, row, 0);
      if (order == 1)
        data (&bench, row + 1);
      g_assert_cmpint (ss_parity_watch_deadline (&bench.watch), ==, SS_NEVER);
    }
    data (&bench, ROWS + 1);
    g_assert_cmpint (patience (&bench, ROWS), ==, LATENCY / 12);
    SsTime due = ss_parity_watch_deadline (&bench.watch);
    g_assert_cmpuint (ss_parity_watch_overdue (&bench.watch, due - 1), ==,
                      N_PARITY);
    g_assert_cmpuint (ss_parity_watch_overdue (&bench.watch, due), ==, 0);
    /* Once, until there is some again. */
    data (&bench, ROWS + 2);
    g_assert_cmpint (ss_parity_watch_deadline (&bench.watch), ==, SS_NEVER);
  }
}

/* Nothing is known yet, or it came late just now: the publisher's bound, or
 * what it took. */
static void
test_late (void)
{
  Bench bench;
  begin (&bench);
  parity (&bench, 0, 0);
  data (&bench, 2);
  g_assert_cmpint (patience (&bench, 1), ==,
                   LATENCY * SS_PARITY_WAIT_PERCENT / 100);

  begin (&bench);
  data (&bench, 0);
  for (uint32_t row = 0; row < ROWS; row++) {
    data (&bench, row + 1);
    parity (&bench, row, row % 3 == 0 ? 200 * SS_MSEC : 0);
  }
  data (&bench, ROWS + 1);
  g_assert_cmpint (patience (&bench, ROWS), >=, 150 * SS_MSEC);
  g_assert_cmpint (patience (&bench, ROWS), <=, 200 * SS_MSEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/paritywatch/together", test_together);
  g_test_add_func ("/splitstream/paritywatch/late", test_late);
  return g_test_run ();
}
