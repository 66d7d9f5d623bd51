/* A tune-in burst and the newcomer's line: what both do so that its queue stays
 * short. Over a fake Scribe. */
#include "tests/harness/show.h"

enum { SEEDS = 10 };

static unsigned
stream_rate (Show *show)
{
  SsStationStats stats;
  ss_station_stats (show->publisher->station, &stats);
  /* The packets, with parity, but for what they have besides payload. */
  return (unsigned) (stats.payload_bytes * 5 / 4 * SS_SEC
                     / (uint64_t) (show->world->now - show->started));
}

/* A newcomer whose line takes so many times the stream comes in. It loses
 * nothing, and its line's queue never stands for longer than queue_max. */
static void
check_newcomers (double times, SsTime queue_max, SsTime tune_in_max,
                 bool is_stopped)
{
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC };
    Show *show = show_new (seed, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    show_tune_in (show, 0);
    show_play (show, 5 * SS_SEC);
    StationNode *node = show_tune_in (show, 0);
    node->downlink = (unsigned) (stream_rate (show) * times);
    show_play (show, 6 * SS_SEC);
    show_end (show);
    SsStationStats stats;
    ss_station_stats (node->station, &stats);
    g_test_message ("%.1f x: tune-in %d ms, queue %d ms", times,
                    (int) (stats.tune_in / SS_MSEC),
                    (int) (node->queue_max / SS_MSEC));
    const uint64_t *counters = node->env.counters.value;
    g_assert_cmpuint (counters[SS_COUNT_SPLITSTREAM_BURSTS_STOPPED], ==,
                      is_stopped);
    g_assert_cmpint (stats.tune_in, >=, 0);
    g_assert_cmpint (stats.tune_in, <, tune_in_max);
    g_assert_cmpint (node->queue_max, <, queue_max);
    show_check_whole (show, node);
    show_free (show);
  }
}

/* A line that takes more than the stream twice, but less than the burst's
 * speed: the giver waits for acknowledgements, and nothing is stopped. */
static void
test_waits (void)
{
  check_newcomers (3, 300 * SS_MSEC, 400 * SS_MSEC, false);
  check_newcomers (4, 200 * SS_MSEC, 250 * SS_MSEC, false);
}

/* The rest of the line cannot keep ahead of what is played: the newcomer stops
 * the burst, and starts with what comes down the trees. */
static void
test_stops (void)
{
  check_newcomers (1.3, 600 * SS_MSEC, 2 * SS_SEC, true);
  check_newcomers (2, 400 * SS_MSEC, 2 * SS_SEC, true);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/burst/waits", test_waits);
  g_test_add_func ("/splitstream/burst/stops", test_stops);
  return g_test_run ();
}
