/* Stations from frame to frame, over a fake Scribe: whatever happens on the
 * way, frames come out unchanged, in order, at source time + latency, and
 * none is lost that could be had. */
#include <string.h>

#include "tests/harness/show.h"

/* Listeners from the start hear everything, at the right time. */
static void
test_plain (void)
{
  StationWorldOptions options = { .delay = 20 * SS_MSEC,
                                  .jitter = 5 * SS_MSEC };
  for (unsigned parity = 0; parity <= SS_PARITY_MAX; parity++) {
    Show *show = show_new (parity + 1, &options, parity, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    StationNode *nodes[3];
    for (unsigned i = 0; i < 3; i++)
      nodes[i] = show_tune_in (show, i * 100 * SS_MSEC);
    show_play (show, 10 * SS_SEC);
    show_end (show);
    for (unsigned i = 0; i < 3; i++) {
      SsStationStats stats;
      g_assert_cmpint (
          show_check_frames (show, nodes[i], i * 100 * SS_MSEC, 10 * SS_MSEC),
          ==, 0);
      show_check_whole (show, nodes[i]);
      ss_station_stats (nodes[i]->station, &stats);
      g_assert_cmpuint (nodes[i]->n_ended, ==, 1);
      g_assert_cmpuint (nodes[i]->n_silent, ==, 0);
      g_assert_cmpuint (nodes[i]->n_headers, ==, 1);
      g_assert_cmpuint (nodes[i]->n_wants, ==, 0);
      g_assert_cmpuint (nodes[i]->n_need, ==, 0);
      g_assert_true (
          g_bytes_equal (nodes[i]->headers->packets[0], show->header_packet));
      g_assert_cmpuint (stats.frames_out, ==, show->n_pushed);
      g_assert_cmpuint (stats.packets_lost, ==, 0);
      g_assert_cmpuint (stats.packets_from_parity, ==, 0);
      g_assert_cmpuint (stats.rows, >, 8);
      g_assert_true (stats.ended);
    }
    show_free (show);
  }
}

/* Loss on the trees: fetched or rebuilt, nobody loses a frame. */
static void
test_loss (void)
{
  for (uint64_t seed = 1; seed <= 12; seed++) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC,
                                    .jitter = 10 * SS_MSEC,
                                    .loss = 0.02 * (double) (1 + seed % 4),
                                    .want_loss = 0.1 };
    Show *show =
        show_new (seed, &options, (unsigned) (seed % 5), SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    StationNode *first = show_tune_in (show, 0),
                *second = show_tune_in (show, 0);
    show_play (show, 20 * SS_SEC);
    show_end (show);
    show_check_frames (show, first, 0, 30 * SS_MSEC);
    show_check_whole (show, first);
    show_check_frames (show, second, 0, 30 * SS_MSEC);
    show_check_whole (show, second);
    g_assert_cmpuint (first->n_ended + second->n_ended, ==, 2);
    g_assert_cmpuint (first->n_wants, >, 0);
    show_free (show);
  }
}

/* A dead stripe, and nobody to ask: parity alone. */
static void
test_parity_alone (void)
{
  StationWorldOptions options = {
    .delay = 15 * SS_MSEC, .loss = 1, .want_loss = 1, .loss_stripes = 1 << 4
  };
  Show *show = show_new (5, &options, 1, SS_LATENCY_DEFAULT);
  show_go_on_air (show, 300);
  StationNode *node = show_tune_in (show, 0);
  show_play (show, 10 * SS_SEC);
  show_end (show);
  show_check_frames (show, node, 0, 10 * SS_MSEC);
  show_check_whole (show, node);
  SsStationStats stats;
  ss_station_stats (node->station, &stats);
  g_assert_cmpuint (stats.packets_from_parity, >, 8);
  show_free (show);
}

/* Several stripes are gone for a while, as when a parent dies. */
static void
test_stalls (void)
{
  for (uint64_t seed = 1; seed <= 8; seed++) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC };
    Show *show =
        show_new (seed, &options, (unsigned) (seed % 2), SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    StationNode *node = show_tune_in (show, 0);
    show_play (show, 4 * SS_SEC);
    node->stalled = seed == 8 ? 0xffff : 0x1111u << seed % 4;
    node->stalled_until = show->world->now + 900 * SS_MSEC;
    show_play (show, 6 * SS_SEC);
    show_end (show);
    show_check_frames (show, node, 0, seed == 8 ? SS_SEC : 20 * SS_MSEC);
    show_check_whole (show, node);
    show_free (show);
  }
}

/* Who comes later is in sync at once, and loses nothing from then on. */
static void
test_late (void)
{
  for (uint64_t seed = 1; seed <= 20; seed++) {
    StationWorldOptions options = { .delay = (5 + (SsTime) seed) * SS_MSEC,
                                    .jitter = 5 * SS_MSEC,
                                    .loss = seed % 2 == 0 ? 0.02 : 0 };
    Show *show = show_new (seed, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    StationNode *nodes[4] = { NULL };
    /* The first is alone with the publisher. */
    SsTime listened[4];
    for (unsigned i = 0; i < 4; i++) {
      show_play (show, 3 * SS_SEC + (SsTime) ss_rng_below (&show->rng, SS_SEC));
      listened[i] = show->world->now;
      nodes[i] = show_tune_in (show, i == 3 ? 500 * SS_MSEC : 0);
    }
    show_play (show, 5 * SS_SEC);
    show_end (show);
    for (unsigned i = 0; i < 4; i++) {
      SsStationStats stats;
      g_assert_cmpint (show_check_frames (show, nodes[i],
                                          i == 3 ? 500 * SS_MSEC : 0,
                                          50 * SS_MSEC),
                       >, 0);
      show_check_whole (show, nodes[i]);
      ss_station_stats (nodes[i]->station, &stats);
      g_test_message ("seed %u listener %u: tune-in %d ms", (unsigned) seed, i,
                      (int) (stats.tune_in / SS_MSEC));
      g_assert_cmpint (stats.tune_in, >=, 0);
      g_assert_cmpint (stats.tune_in, <,
                       i == 0 ? 800 * SS_MSEC : 450 * SS_MSEC);
      g_assert_cmpuint (nodes[i]->n_headers, ==, 1);
      g_assert_cmpint (g_array_index (nodes[i]->frames, StationFrame, 0).at
                           - listened[i],
                       <, SS_SEC);
    }
    show_free (show);
  }
}

/* A station that has been on the air for long: a neighbour's word is enough
 * for a start, before anything comes down a tree. */
static void
test_old (void)
{
  for (SsTime hours = 1; hours < 30 * 24; hours *= 3) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC };
    Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
    show->age = hours * 3600 * SS_SEC;
    show_go_on_air (show, 300);
    StationNode *first = show_tune_in (show, 0);
    show_play (show, 5 * SS_SEC);
    StationNode *second = show_tune_in (show, 0);
    second->stalled = UINT32_MAX;
    second->stalled_until = show->world->now + SS_SEC;
    show_play (show, 5 * SS_SEC);
    show_end (show);
    SsStationStats stats;
    ss_station_stats (second->station, &stats);
    g_assert_cmpint (stats.tune_in, >=, 0);
    g_assert_cmpint (stats.tune_in, <, 450 * SS_MSEC);
    show_check_frames (show, first, 0, 50 * SS_MSEC);
    show_check_whole (show, first);
    show_free (show);
  }
}

/* The burst comes before the answer that tells of it, and slowly, as the way is
 * long: what it is about to bring is not played past. Nobody has it for those
 * who ask. */
static void
test_overtaken (void)
{
  for (uint64_t seed = 1; seed <= 20; seed++) {
    StationWorldOptions options = { .delay = 200 * SS_MSEC,
                                    .jitter = 5 * SS_MSEC,
                                    .want_loss = 1,
                                    .answer_delay = 1500 * SS_MSEC };
    Show *show = show_new (seed, &options, 1, 3 * SS_SEC);
    show_go_on_air (show, 300);
    show_tune_in (show, 0);
    show_play (show, 5 * SS_SEC);
    StationNode *second = show_tune_in (show, 0);
    second->ack_delay = 200 * SS_MSEC;
    show_play (show, 6 * SS_SEC);
    show_end (show);
    SsStationStats stats;
    ss_station_stats (second->station, &stats);
    g_test_message ("seed %u: tune-in %d ms", (unsigned) seed,
                    (int) (stats.tune_in / SS_MSEC));
    g_assert_cmpint (stats.tune_in, >=, 0);
    g_assert_cmpint (stats.tune_in, <, 3 * SS_SEC);
    show_check_whole (show, second);
    show_free (show);
  }
}

/* Many come at the same moment, and there is only the publisher: it gives a
 * start to a few, and they to the others. */
static void
test_crowd (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    StationWorldOptions options = { .delay = 10 * SS_MSEC,
                                    .jitter = 5 * SS_MSEC,
                                    .loss = seed % 2 == 0 ? 0.02 : 0 };
    Show *show = show_new (seed, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    show_play (show, 4 * SS_SEC);
    StationNode *nodes[12];
    for (unsigned i = 0; i < G_N_ELEMENTS (nodes); i++)
      nodes[i] = show_tune_in (show, 0);
    show_play (show, 5 * SS_SEC);
    show_end (show);
    for (unsigned i = 0; i < G_N_ELEMENTS (nodes); i++) {
      SsStationStats stats;
      show_check_frames (show, nodes[i], 0, 50 * SS_MSEC);
      show_check_whole (show, nodes[i]);
      ss_station_stats (nodes[i]->station, &stats);
      g_test_message ("listener %u: %d ms after %u questions", i,
                      (int) (stats.tune_in / SS_MSEC), nodes[i]->n_tune_ins);
      g_assert_cmpint (stats.tune_in, <, 900 * SS_MSEC);
    }
    /* 25 packets are a start. */
    g_test_message ("the publisher gave %u packets", show->publisher->n_given);
    g_assert_cmpuint (show->publisher->n_given, <, 150);
    show_free (show);
  }
}

/* The format changes; headers are long; somebody comes later. */
static void
test_header_change (void)
{
  for (uint64_t seed = 1; seed <= 6; seed++) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC,
                                    .loss = seed % 2 == 0 ? 0.05 : 0 };
    Show *show = show_new (seed, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 5000);
    StationNode *early = show_tune_in (show, 0);
    show_play (show, 3 * SS_SEC);
    StationNode *between = show_tune_in (show, 0);
    show_play (show, 3 * SS_SEC);
    for (unsigned i = 0; i < 6; i++) {
      show_push_headers (show, i == 3 ? 60000 : 100 + 3000 * i);
      show_play (show, SS_SEC);
    }
    StationNode *late = show_tune_in (show, 0);
    show_play (show, 3 * SS_SEC);
    show_end (show);
    show_check_frames (show, early, 0, 30 * SS_MSEC);
    show_check_whole (show, early);
    g_assert_cmpuint (early->n_headers, ==, 7);
    show_check_frames (show, between, 0, 50 * SS_MSEC);
    show_check_whole (show, between);
    show_check_frames (show, late, 0, 50 * SS_MSEC);
    show_check_whole (show, late);
    g_assert_true (
        g_bytes_equal (late->headers->packets[0], show->header_packet));
    show_free (show);
  }
}

/* The broadcaster dies and returns under the same key. */
static void
test_session_change (void)
{
  for (unsigned gap = 0; gap < 3; gap++) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC };
    Show *show = show_new (gap + 1, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    StationNode *node = show_tune_in (show, 0);
    show_play (show, 5 * SS_SEC);
    station_world_kill (show->publisher);
    SsTime died = show->world->now;
    station_world_run (show->world, gap * 4 * SS_SEC + 100 * SS_MSEC);
    show_check_frames (show, node, 0, 20 * SS_MSEC);
    if (gap > 0) {
      g_assert_cmpuint (node->n_silent, ==, 1);
      g_assert_cmpint (node->silent_at - died, <, 3 * SS_SEC);
      /* What had left is heard to its end. */
      g_assert_cmpuint (node->frames->len, >=, show->n_pushed - 3);
    }
    unsigned n_before = show->n_pushed, n_need = node->n_need;
    for (unsigned i = 0; i < n_before; i++)
      g_bytes_unref (show->frames[i]);
    show->n_pushed = 0;
    show->session++;
    show->params.parity = (uint8_t) (gap + 1);
    show_go_on_air (show, 400);
    show_play (show, SS_SEC);
    g_assert_cmpuint (node->n_need, >, n_need);
    g_assert_false (node->station->is_silent);
    station_node_wake (node);
    ss_station_set_descriptor (node->station, &show->publisher->descriptor);
    show_play (show, 5 * SS_SEC);
    show_end (show);
    g_assert_cmpint (show_check_frames (show, node, 0, 20 * SS_MSEC), ==, 0);
    g_assert_cmpuint (node->n_speaks, ==, gap > 0);
    g_assert_cmpuint (node->n_ended, ==, 1);
    g_assert_cmpuint (node->n_headers, ==, 2);
    show_check_whole (show, node);
    show_free (show);
  }
}

/* Clocks that drift apart by 200 ppm for five minutes. */
static void
test_drift (void)
{
  for (int ppm = -200; ppm <= 200; ppm += 400) {
    StationWorldOptions options = { .delay = 20 * SS_MSEC,
                                    .jitter = 5 * SS_MSEC };
    Show *show = show_new (3, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    StationNode *node = show_tune_in (show, 0);
    node->offset -= show->world->now / 1000000 * ppm;
    node->ppm = ppm;
    show_play (show, 300 * SS_SEC);
    show_end (show);
    /* 200 ppm for 300 s are 60 ms: they must not add up. */
    show_check_frames (show, node, 0, 15 * SS_MSEC);
    show_check_whole (show, node);
    g_assert_cmpuint (node->n_wants, ==, 0);
    show_free (show);
  }
}

/* One listens from the start, one from `before` on, for so long; how late their
 * frames may be, and the second one's first. */
static void
hear_early_and_late (Show *show, SsTime before, SsTime after,
                     SsTime early_slack, SsTime late_slack, SsTime tune_in_max)
{
  show_go_on_air (show, 300);
  StationNode *early = show_tune_in (show, 0);
  show_play (show, before);
  StationNode *late = show_tune_in (show, 0);
  show_play (show, after);
  show_end (show);
  show_check_frames (show, early, 0, early_slack);
  show_check_whole (show, early);
  show_check_frames (show, late, 0, late_slack);
  show_check_whole (show, late);
  SsStationStats stats;
  ss_station_stats (late->station, &stats);
  g_assert_cmpint (stats.tune_in, <, tune_in_max);
}

/* Frames much longer than packets. */
static void
test_long_frames (void)
{
  for (uint64_t seed = 1; seed <= 6; seed++) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC,
                                    .jitter = 5 * SS_MSEC,
                                    .loss = seed % 2 == 0 ? 0.02 : 0,
                                    .want_loss = 0.1 };
    Show *show = show_new (seed, &options, (unsigned) (seed % 3), SS_SEC);
    show->frame_time = 93 * SS_MSEC;
    show->len_min = seed == 5 ? 0 : 2000;
    show->len_max = 20000;
    hear_early_and_late (show, 5 * SS_SEC, 5 * SS_SEC, 40 * SS_MSEC,
                         60 * SS_MSEC, 500 * SS_MSEC);
    show_free (show);
  }
}

/* Who comes with the first packets of a fast stream is given a start, and no
 * second stream: what a burst holds says nothing of how the stream grows. */
static void
test_start_ends (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    const StationWorldOptions options = { .delay = 5 * SS_MSEC,
                                          .jitter = 5 * SS_MSEC };
    Show *show = show_new (seed, &options, 1, SS_LATENCY_DEFAULT);
    show->frame_time = 93 * SS_MSEC;
    show->len_min = 11000;
    show->len_max = 12000;
    show_go_on_air (show, 100);
    show_play (show, SS_MSEC);
    StationNode *node = show_tune_in (show, 0);
    show_play (show, 20 * SS_SEC);
    SsStationStats stats;
    station_node_wake (node);
    ss_station_stats (node->station, &stats);
    g_assert_cmpuint (stats.packets_received, >, 1500);
    g_assert_cmpuint (stats.packets_duplicate, <, 150);
    show_free (show);
  }
}

/* A pause of the source is not silence of the publisher. */
static void
test_pause (void)
{
  StationWorldOptions options = { .delay = 15 * SS_MSEC, .loss = 0.05 };
  for (uint64_t seed = 1; seed <= 6; seed++) {
    Show *show = show_new (seed, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 300);
    StationNode *node = show_tune_in (show, 0);
    for (unsigned i = 0; i < 4; i++) {
      show_play (show, 2 * SS_SEC + i * 70 * SS_MSEC);
      station_world_run (show->world, 6 * SS_SEC);
      /* What came before it has been heard to the end. */
      g_assert_cmpuint (node->frames->len, ==, show->n_pushed);
    }
    show_end (show);
    show_check_frames (show, node, 0, 30 * SS_MSEC);
    show_check_whole (show, node);
    g_assert_cmpuint (node->n_silent, ==, 0);
    show_free (show);
  }
}

/* Latencies from one end to the other. */
static void
test_latencies (void)
{
  static const SsTime latencies[] = { SS_LATENCY_MIN, 500 * SS_MSEC, 5 * SS_SEC,
                                      SS_LATENCY_MAX };
  for (unsigned i = 0; i < G_N_ELEMENTS (latencies); i++) {
    StationWorldOptions options = { .delay = 5 * SS_MSEC,
                                    .jitter = 2 * SS_MSEC,
                                    .loss = 0.02 };
    Show *show = show_new (i + 1, &options, 1, latencies[i]);
    hear_early_and_late (show, 4 * SS_SEC + latencies[i], 4 * SS_SEC,
                         50 * SS_MSEC, 50 * SS_MSEC, SS_SEC);
    show_free (show);
  }
}

/* Packets that are not the station's are refused and do no harm. */
static void
test_forged (void)
{
  StationWorldOptions options = { .delay = 15 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  show_go_on_air (show, 300);
  StationNode *node = show_tune_in (show, 0);
  unsigned n_forged = 0;
  for (unsigned i = 0; i < 200; i++) {
    show_play (show, 20 * SS_MSEC);
    unsigned stripe = (unsigned) ss_rng_below (&show->rng, SS_STRIPES);
    uint32_t sequence = (uint32_t) ss_rng_below (&show->rng, 5);
    GBytes *bytes = station_node_history (show->publisher, stripe, sequence);
    if (bytes == NULL)
      continue;
    size_t len;
    const uint8_t *data = g_bytes_get_data (bytes, &len);
    uint8_t *changed = g_memdup2 (data, len);
    changed[ss_rng_below (&show->rng, len)] ^= 1;
    GBytes *forged = g_bytes_new_take (changed, len);
    /* As a packet that has not come yet. */
    station_node_feed (node, stripe, sequence + 1000, forged);
    station_node_feed (node, stripe, sequence + 1000, bytes);
    station_node_feed (node, (stripe + 1) % SS_STRIPES, sequence + 1000, bytes);
    g_bytes_unref (forged);
    n_forged += 3;
  }
  show_end (show);
  show_check_frames (show, node, 0, 10 * SS_MSEC);
  show_check_whole (show, node);
  SsStationStats stats;
  ss_station_stats (node->station, &stats);
  /* One byte of a session number may make it a stale packet. */
  g_assert_cmpuint (stats.packets_rejected, >, n_forged * 9 / 10);
  g_assert_cmpuint (node->n_ended, ==, 1);
  show_free (show);
}

/* Direct messages of a stranger's making. */
static void
test_fuzz_direct (void)
{
  StationWorldOptions options = { .delay = 15 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  show_go_on_air (show, 300);
  StationNode *node = show_tune_in (show, 0);
  StationNode *stranger = station_world_add (show->world, false);
  show_play (show, 2 * SS_SEC);
  for (unsigned i = 0; i < 4000; i++) {
    const SsWireProtocol *protocol = &ss_wire_protocol_splitstream;
    const SsWireMessage *schema =
        protocol->schemas[ss_rng_below (&show->rng, protocol->n_messages)]();
    if (schema->max_len > 1190)
      continue;
    void *message = g_malloc0 (schema->struct_size);
    uint8_t storage[1200], buf[1200];
    ss_wire_generate (schema, &show->rng, message, storage);
    size_t len = ss_wire_encode (schema, message, buf, sizeof buf);
    /* The station's id follows the type in all that is sent directly. */
    if (len > 1 + SS_ID_LEN && ss_rng_below (&show->rng, 4) > 0)
      memcpy (buf + 1, node->station->group_id.b, SS_ID_LEN);
    StationNode *to =
        ss_rng_below (&show->rng, 2) == 0 ? node : show->publisher;
    station_node_wake (to);
    to->app->direct (to->app_user,
                     ss_rng_below (&show->rng, 2) == 0 ? &stranger->self
                                                       : &show->publisher->self,
                     buf, len);
    g_free (message);
    if (i % 40 == 0)
      show_play (show, 20 * SS_MSEC);
  }
  show_play (show, 2 * SS_SEC);
  show_end (show);
  show_check_frames (show, node, 0, 10 * SS_MSEC);
  show_check_whole (show, node);
  show_free (show);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/station/plain", test_plain);
  g_test_add_func ("/splitstream/station/loss", test_loss);
  g_test_add_func ("/splitstream/station/parity-alone", test_parity_alone);
  g_test_add_func ("/splitstream/station/stalls", test_stalls);
  g_test_add_func ("/splitstream/station/late", test_late);
  g_test_add_func ("/splitstream/station/old", test_old);
  g_test_add_func ("/splitstream/station/overtaken", test_overtaken);
  g_test_add_func ("/splitstream/station/crowd", test_crowd);
  g_test_add_func ("/splitstream/station/header-change", test_header_change);
  g_test_add_func ("/splitstream/station/session-change", test_session_change);
  g_test_add_func ("/splitstream/station/drift", test_drift);
  g_test_add_func ("/splitstream/station/long-frames", test_long_frames);
  g_test_add_func ("/splitstream/station/start-ends", test_start_ends);
  g_test_add_func ("/splitstream/station/pause", test_pause);
  g_test_add_func ("/splitstream/station/latencies", test_latencies);
  g_test_add_func ("/splitstream/station/forged", test_forged);
  g_test_add_func ("/splitstream/station/fuzz-direct", test_fuzz_direct);
  return g_test_run ();
}
