/* How often who pauses so looks at his socket, and how late datagrams are
 * taken. */
#include <glib.h>

#include "net/pause.h"

#define MEDIA 1056
#define SMALL 33

typedef struct {
  SsPause pause;
  SsTime now;
  unsigned n_looks;
  SsTime late_max;
} Bench;

static void
begin (Bench *bench)
{
  *bench = (Bench){ .now = 0 };
  ss_pause_init (&bench->pause);
}

/* Datagrams of one length that come one after the other, until all are taken
 * and the socket is polled again. */
static void
come (Bench *bench, SsTime from, unsigned n, SsTime apart, size_t len)
{
  unsigned n_taken = 0;

  while (n_taken < n || bench->pause.until != SS_NEVER) {
    SsTime next = from + n_taken * apart;
    bool is_polled = bench->pause.until == SS_NEVER;

    bench->now = is_polled ? MAX (next, bench->now) : bench->pause.until;
    unsigned n_now = 0;

    for (; n_taken < n && from + n_taken * apart <= bench->now; n_taken++) {
      SsTime late = bench->now - (from + n_taken * apart);

      bench->late_max = MAX (bench->late_max, late);
      n_now++;
    }
    bench->n_looks++;
    ss_pause_note (&bench->pause, bench->now, n_now, len);
  }
}

/* A few bursts a second: two looks each, the first of which is at once. */
static void
test_bursts (void)
{
  Bench bench;

  begin (&bench);
  for (unsigned i = 0; i < 10; i++) {
    SsTime at = (SsTime) i * 375 * SS_MSEC;

    come (&bench, at, 7, SS_MSEC, MEDIA);
    g_assert_cmpint (bench.now, ==, at + SS_PAUSE_TIME);
    g_assert_cmpuint (bench.n_looks, ==, 2 * (i + 1));
  }
  g_assert_cmpint (bench.late_max, <, SS_PAUSE_TIME);
}

/* What comes alone is taken at once, and nothing more is looked for. */
static void
test_alone (void)
{
  Bench bench;

  begin (&bench);
  come (&bench, 0, 100, 50 * SS_MSEC, SMALL);
  g_assert_cmpuint (bench.n_looks, ==, 100);
  g_assert_cmpint (bench.late_max, ==, 0);
}

/* Small ones that follow each other are no better than media. */
static void
test_answers (void)
{
  Bench bench;

  begin (&bench);
  come (&bench, SS_SEC, 12, SS_MSEC / 2, SMALL);
  g_assert_cmpuint (bench.n_looks, ==, 3);
}

static void
test_stream (void)
{
  Bench bench;

  begin (&bench);
  come (&bench, 0, 4000, SS_MSEC / 4, MEDIA);
  g_assert_cmpuint (bench.n_looks, <=, SS_SEC / SS_PAUSE_TIME + 3);
  g_assert_cmpint (bench.late_max, <=, SS_PAUSE_TIME);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/pause/bursts", test_bursts);
  g_test_add_func ("/net/pause/alone", test_alone);
  g_test_add_func ("/net/pause/answers", test_answers);
  g_test_add_func ("/net/pause/stream", test_stream);
  return g_test_run ();
}
