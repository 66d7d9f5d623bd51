/* A tune-in burst and the newcomer's line: what both do so that its queue stays
 * short. Over a fake Scribe. */
#include "tests/harness/show.h"

enum { SEEDS = 10 };
#define STALL (800 * SS_MSEC)

static unsigned
stream_rate (Show *show)
{
  SsStationStats stats;
  ss_station_stats (show->publisher->station, &stats);
  /* The packets, with parity, but for what they have besides payload. */
  return (unsigned) (stats.payload_bytes * 5 / 4 * SS_SEC
                     / (uint64_t) (show->world->now - show->started));
}

/* A newcomer's line, and what is to become of its queue and its start. */
typedef struct {
  double times; /* the stream's rate */
  SsTime stall; /* until the trees bring something */
  SsTime queue_max;
  SsTime tune_in_min, tune_in_max;
  bool is_stopped;
} Line;

/* It loses nothing, whatever its line. */
static void
check_newcomers (const Line *line)
{
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC };
    Show *show = show_new (seed, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    show_tune_in (show, 0);
    show_play (show, 5 * SS_SEC);
    StationNode *node = show_tune_in (show, 0);
    node->downlink = (unsigned) (stream_rate (show) * line->times);
    node->stalled = line->stall > 0 ? UINT32_MAX : 0;
    node->stalled_until = show->world->now + line->stall;
    show_play (show, 6 * SS_SEC);
    show_end (show);
    SsStationStats stats;
    ss_station_stats (node->station, &stats);
    g_test_message ("%.1f x: tune-in %d ms, queue %d ms", line->times,
                    (int) (stats.tune_in / SS_MSEC),
                    (int) (node->queue_max / SS_MSEC));
    const uint64_t *counters = node->env.counters.value;
    g_assert_cmpuint (counters[SS_COUNT_SPLITSTREAM_BURSTS_STOPPED], ==,
                      line->is_stopped);
    g_assert_cmpint (stats.tune_in, >=, line->tune_in_min);
    g_assert_cmpint (stats.tune_in, <, line->tune_in_max);
    g_assert_cmpint (node->queue_max, <, line->queue_max);
    show_check_whole (show, node);
    show_free (show);
  }
}

/* A line that takes more than the stream twice, but less than the burst's
 * speed: the giver waits for acknowledgements, and nothing is stopped. */
static void
test_waits (void)
{
  check_newcomers (&(Line){
      .times = 3, .queue_max = 300 * SS_MSEC, .tune_in_max = 400 * SS_MSEC });
  check_newcomers (&(Line){
      .times = 4, .queue_max = 200 * SS_MSEC, .tune_in_max = 250 * SS_MSEC });
}

/* The rest of the line cannot keep ahead of what is played: the newcomer stops
 * the burst, and starts with what comes down the trees. */
static void
test_stops (void)
{
  check_newcomers (&(Line){ .times = 1.3,
                            .queue_max = 600 * SS_MSEC,
                            .tune_in_max = 2 * SS_SEC,
                            .is_stopped = true });
  check_newcomers (&(Line){ .times = 2,
                            .queue_max = 400 * SS_MSEC,
                            .tune_in_max = 2 * SS_SEC,
                            .is_stopped = true });
}

/* So it does where the trees have brought nothing yet when it stops: it does
 * not play the burst's first packets, whose rest it will not get. */
static void
test_stops_first (void)
{
  check_newcomers (&(Line){ .times = 1.3,
                            .stall = STALL,
                            .queue_max = 600 * SS_MSEC,
                            .tune_in_min = SS_LATENCY_DEFAULT,
                            .tune_in_max = 3 * SS_SEC,
                            .is_stopped = true });
}

static unsigned
count_bursts (const Show *show)
{
  unsigned n = 0;
  for (unsigned i = 0; i < show->world->n_nodes; i++) {
    const SsSplitStream *splitstream = show->world->nodes[i]->splitstream;
    for (unsigned k = 0; k < SS_BURSTS_MAX; k++)
      n += splitstream->bursts[k] != NULL
           && splitstream->bursts[k]->station != NULL;
  }
  return n;
}

/* Who acknowledges ever later keeps a giver busy for no longer than what it
 * asked for could be of use. */
static void
test_ends (void)
{
  StationWorldOptions options = { .delay = 15 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  show_go_on_air (show, 300);
  show_tune_in (show, 0);
  show_play (show, 5 * SS_SEC);
  StationNode *node = show_tune_in (show, 0);
  show_play (show, 100 * SS_MSEC);
  node->ack_delay = 700 * SS_MSEC;
  show_play (show, SS_LATENCY_DEFAULT / 2);
  g_assert_cmpuint (count_bursts (show), ==, 1);
  show_play (show, SS_LATENCY_DEFAULT / 2);
  g_assert_cmpuint (count_bursts (show), ==, 0);
  show_free (show);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/burst/waits", test_waits);
  g_test_add_func ("/splitstream/burst/stops", test_stops);
  g_test_add_func ("/splitstream/burst/stops-first", test_stops_first);
  g_test_add_func ("/splitstream/burst/ends", test_ends);
  return g_test_run ();
}
