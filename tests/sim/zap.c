/* Zapping: one node listens to one station, then to another, and so on. What
 * it costs until the next is heard, that nobody else loses anything, and that
 * nothing of a station that was left stays behind. */
#include <string.h>

#include "node/private.h"
#include "sim/pump.h"
#include "splitstream/private.h"

#define FRAME_TIME  (20 * SS_MSEC)
#define FRAME_BYTES 240
#define DELAY       (20 * SS_MSEC)
#define SETTLE      (10 * SS_SEC)
#define TUNE_IN_MAX (2 * SS_SEC)
#define FORGET_TIME (100 * SS_SEC) /* until idle groups and peers go */
#define WALL_OFFSET (INT64_C (1704067200) * SS_SEC)

enum {
  STATIONS = 2,
  LISTENERS = 20, /* of each */
  ZAPPER = 1 + STATIONS * (1 + LISTENERS),
  NODES = ZAPPER + 1,
  ZAPS = 20,
};

typedef struct {
  SsNetwork *network;
  int wanted[NODES];                   /* the station to listen to; -1: none */
  uint64_t next[NODES], n_lost[NODES]; /* frames of it */
  SsTime first_at[NODES];
  SsPump pumps[STATIONS];
  unsigned numbers[STATIONS];
  bool is_on[STATIONS];
} Zap;

/* Node 0 is the ring's first; then come the broadcasters. */
static unsigned
broadcaster (unsigned station)
{
  return 1 + station;
}

static const char *
name_of (unsigned station)
{
  return station == 0 ? "one" : "two";
}

static GBytes *
make_frame (void *user, uint64_t number)
{
  uint8_t data[FRAME_BYTES];

  memset (data, (int) *(const unsigned *) user, sizeof data);
  return g_bytes_new (data, sizeof data);
}

static void
on_air (Zap *zap, unsigned station)
{
  zap->is_on[station] = true;
  zap->numbers[station] = station;
  zap->pumps[station] = (SsPump){ .network = zap->network,
                                  .node = broadcaster (station),
                                  .frame_time = FRAME_TIME,
                                  .make = make_frame,
                                  .user = &zap->numbers[station] };
  ss_pump_start (&zap->pumps[station], (uint8_t) station);
}

static void
on_frame (Zap *zap, unsigned node, const SsFrame *frame)
{
  const uint8_t *data = g_bytes_get_data (frame->data, NULL);

  g_assert_cmpint (data[0], ==, zap->wanted[node]);
  if (zap->first_at[node] < 0)
    zap->first_at[node] = ss_network_now (zap->network);
  else
    zap->n_lost[node] += frame->number - zap->next[node];
  zap->next[node] = frame->number + 1;
}

static void
find (Zap *zap, unsigned node)
{
  ss_node_find (ss_network_node (zap->network, node),
                ss_network_now (zap->network),
                name_of ((unsigned) zap->wanted[node]), NULL);
}

static void
on_event (void *user, unsigned node, SsEvent *event)
{
  Zap *zap = user;

  switch (event->type) {
  case SS_EVENT_ON_AIR:
    on_air (zap, node - broadcaster (0));
    break;
  case SS_EVENT_STATIONS:
    g_assert_cmpuint (event->n_found, ==, 1);
    ss_node_listen (ss_network_node (zap->network, node),
                    ss_network_now (zap->network), &event->found[0], 0);
    break;
  case SS_EVENT_HEADERS:
    ss_codec_headers_free (event->headers);
    break;
  case SS_EVENT_FRAME:
    on_frame (zap, node, &event->frame);
    g_bytes_unref (event->frame.data);
    break;
  default:
    break;
  }
}

static void
add (Zap *zap, unsigned node)
{
  SsNodeConfig config = { .is_relay = node == 0,
                          .may_stand_alone = node == 0,
                          .wall_offset = WALL_OFFSET };
  SsAddr first = ss_network_addr (0);
  SsRng rng;
  SsKey key;

  ss_network_rng (zap->network, "identity", node, &rng);
  ss_link_make_identity (&rng, config.identity_seed, &key);
  g_assert_cmpuint (ss_network_add (zap->network, &config), ==, node);
  ss_node_join (ss_network_node (zap->network, node),
                ss_network_now (zap->network), &first, node > 0, NULL, 0);
  ss_network_touch (zap->network, node);
  ss_network_run (zap->network, ss_network_now (zap->network) + 100 * SS_MSEC);
}

static void
run (Zap *zap, SsTime duration)
{
  ss_network_run (zap->network, ss_network_now (zap->network) + duration);
}

static void
tune (Zap *zap, unsigned node, int station)
{
  SsNode *to = ss_network_node (zap->network, node);

  ss_node_unlisten (to, ss_network_now (zap->network));
  zap->wanted[node] = station;
  zap->first_at[node] = -1;
  if (station >= 0)
    find (zap, node);
  ss_network_touch (zap->network, node);
}

static void
begin (Zap *zap, uint64_t seed)
{
  const SsNetworkOptions options = { .seed = seed,
                                     .delay = DELAY,
                                     .jitter = 5 * SS_MSEC };

  memset (zap, 0, sizeof *zap);
  zap->network = ss_network_new (&options, on_event, zap);
  for (unsigned i = 0; i < NODES; i++) {
    zap->wanted[i] = -1;
    add (zap, i);
  }
  run (zap, SETTLE);
  for (unsigned i = 0; i < STATIONS; i++) {
    SsPublishOptions publish = { .name = name_of (i),
                                 .seed = { (uint8_t) (i + 1) },
                                 .parity = 1,
                                 .latency = SS_LATENCY_DEFAULT };

    ss_node_publish (ss_network_node (zap->network, broadcaster (i)),
                     ss_network_now (zap->network), &publish);
    ss_network_touch (zap->network, broadcaster (i));
  }
  run (zap, SETTLE);
  for (unsigned i = 0; i < STATIONS; i++)
    g_assert_true (zap->is_on[i]);
  for (unsigned i = 1 + STATIONS; i < ZAPPER; i++)
    tune (zap, i, (int) (i % STATIONS));
  run (zap, SETTLE);
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const SsTime *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

static void
test_zap (void)
{
  Zap *zap = g_new (Zap, 1);
  SsTime waits[ZAPS];
  SsNodeStats *stats = g_new (SsNodeStats, 1);

  begin (zap, 1);
  for (unsigned i = 0; i < ZAPS; i++) {
    tune (zap, ZAPPER, (int) (i % STATIONS));
    SsTime at = ss_network_now (zap->network);

    run (zap, TUNE_IN_MAX + 3 * SS_SEC);
    g_assert_cmpint (zap->first_at[ZAPPER], >=, 0);
    waits[i] = zap->first_at[ZAPPER] - at;
    ss_node_stats (ss_network_node (zap->network, ZAPPER), stats);
    g_assert_cmpstr (stats->station.params.name, ==, name_of (i % STATIONS));
    g_assert_cmpuint (zap->n_lost[ZAPPER], ==, 0);
  }
  qsort (waits, ZAPS, sizeof *waits, compare_times);
  g_test_message ("until the next is heard: median %d ms, most %d ms",
                  (int) (waits[ZAPS / 2] / SS_MSEC),
                  (int) (waits[ZAPS - 1] / SS_MSEC));
  g_assert_cmpint (waits[ZAPS - 1], <=, TUNE_IN_MAX);
  for (unsigned i = 1 + STATIONS; i < ZAPPER; i++)
    g_assert_cmpuint (zap->n_lost[i], ==, 0);
  ss_network_free (zap->network);
  g_free (stats);
  g_free (zap);
}

typedef struct {
  unsigned stations, groups, timers;
} Kept;

/* What the zapper's node keeps of stations: it may be the root of a stripe. */
static Kept
count_kept (Zap *zap)
{
  SsNode *node = ss_network_node (zap->network, ZAPPER);
  const SsSplitStream *splitstream = ss_node_splitstream (node);
  const SsTimers *timers = &ss_node_env (node)->timers;
  Kept kept = { .stations = ss_splitstream_n_stations (splitstream) };

  for (const SsGroup *group = ss_group_after (splitstream->scribe, NULL);
       group != NULL;
       group = ss_group_after (splitstream->scribe, ss_group_id (group)))
    kept.groups++;
  for (unsigned i = 0; i < timers->n; i++)
    kept.timers += timers->heap[i].timer->layer == SS_LAYER_SCRIBE
                   || timers->heap[i].timer->layer == SS_LAYER_SPLITSTREAM;
  return kept;
}

/* When it has listened to both, and to none for a while, its node is what it
 * was. */
static void
test_nothing_stays (void)
{
  Zap *zap = g_new (Zap, 1);

  begin (zap, 2);
  Kept before = count_kept (zap);

  for (unsigned i = 0; i < 4; i++) {
    tune (zap, ZAPPER, (int) (i % STATIONS));
    run (zap, 4 * SS_SEC);
    g_assert_cmpuint (count_kept (zap).groups, >=, SS_STRIPES);
  }
  tune (zap, ZAPPER, -1);
  run (zap, FORGET_TIME);
  Kept after = count_kept (zap);

  g_assert_cmpuint (after.stations, <=, before.stations);
  g_assert_cmpuint (after.groups, <=, before.groups);
  g_assert_cmpuint (after.timers, <=, before.timers);
  ss_network_free (zap->network);
  g_free (zap);
}

/* What is under way when a station is left is none of the next one's. */
static void
test_left (void)
{
  Zap *zap = g_new (Zap, 1);

  begin (zap, 3);
  tune (zap, ZAPPER, 0);
  run (zap, 4 * SS_SEC);
  SsNode *node = ss_network_node (zap->network, ZAPPER);
  SsDescriptor left = node->tuner->station->descriptor;
  SsStoreRecord record = { .version = UINT64_MAX, .key = left.params.key };

  g_strlcpy (record.name, left.params.name, sizeof record.name);
  record.value_len = (uint16_t) ss_descriptor_encode (&left, record.value,
                                                      sizeof record.value);
  ss_node_push_event (node, SS_EVENT_SILENT)->flag = true;
  tune (zap, ZAPPER, 1);
  SsEvent event;

  g_assert_false (ss_node_event (node, &event));
  run (zap, 4 * SS_SEC);
  /* The answer to a question for the first one's descriptor. */
  ss_tuner_found (node, SS_TOKEN_DESCRIPTOR, &record, 1, true);
  g_assert_cmpuint (node->tuner->version, <, UINT64_MAX);
  g_assert_cmpstr (node->tuner->station->params.name, ==, name_of (1));
  ss_network_free (zap->network);
  g_free (zap);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/zap/stations", test_zap);
  g_test_add_func ("/zap/nothing-stays", test_nothing_stays);
  g_test_add_func ("/zap/left", test_left);
  return g_test_run ();
}
