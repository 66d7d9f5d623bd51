/* A broadcast over a fake Scribe: see the header. */
#include "tests/harness/show.h"

#include <string.h>

Show *
show_new (uint64_t seed, const StationWorldOptions *options, unsigned parity,
          SsTime latency)
{
  Show *show = g_new0 (Show, 1);
  show->world = station_world_new (seed, options);
  ss_rng_init_number (&show->rng, seed + 1000);
  ss_rng_bytes (&show->rng, show->seed, sizeof show->seed);
  ss_signer_init (&show->signer, show->seed);
  show->params.key = show->signer.key;
  g_strlcpy (show->params.name, "radio1", sizeof show->params.name);
  show->params.salt = seed;
  show->params.parity = (uint8_t) parity;
  show->params.latency = latency;
  show->session = 1000;
  show->frame_time = 20 * SS_MSEC;
  show->len_min = 200;
  show->len_max = 280;
  return show;
}

void
show_push_headers (Show *show, size_t len)
{
  uint8_t *data = g_malloc (len);
  ss_rng_bytes (&show->rng, data, len);
  if (show->header_packet != NULL)
    g_bytes_unref (show->header_packet);
  show->header_packet = g_bytes_new_take (data, len);
  SsCodecHeaders headers = {
    .codec = SS_CODEC_OPUS,
    .clock_rate = SHOW_RATE,
    .n_packets = 1,
    .packets = { show->header_packet },
  };
  station_node_wake (show->publisher);
  ss_station_push_headers (show->publisher->station, &headers);
  show->version++;
}

void
show_go_on_air (Show *show, size_t header_len)
{
  show->publisher = station_world_add (show->world, false);
  show->world->publisher = show->publisher;
  station_node_wake (show->publisher);
  show->publisher->station =
      ss_station_publish (show->publisher->splitstream, &show->params,
                          show->seed, show->session, "title", "text");
  show->version = 0;
  show_push_headers (show, header_len);
}

void
show_free (Show *show)
{
  for (unsigned i = 0; i < show->n_pushed; i++)
    g_bytes_unref (show->frames[i]);
  if (show->header_packet != NULL)
    g_bytes_unref (show->header_packet);
  station_world_free (show->world);
  g_free (show);
}

StationNode *
show_tune_in (Show *show, SsTime buffer)
{
  StationNode *node = station_world_add (show->world, false);
  station_node_wake (node);
  node->station = ss_station_listen (node->splitstream,
                                     &show->publisher->descriptor, buffer);
  return node;
}

void
show_play (Show *show, SsTime duration)
{
  StationWorld *world = show->world;
  SsTime end = world->now + duration;
  if (show->n_pushed == 0)
    show->started = world->now - show->age;
  while (world->now < end) {
    g_assert_cmpuint (show->n_pushed, <, SHOW_FRAMES_MAX);
    size_t len = show->len_min
                 + ss_rng_below (&show->rng, show->len_max - show->len_min + 1);
    uint8_t *data = g_malloc (len);
    ss_rng_bytes (&show->rng, data, len);
    SsFrame frame = {
      .data = g_bytes_new_take (data, len),
      .timestamp = world->now - show->started,
      .duration = (uint32_t) (show->frame_time * SHOW_RATE / SS_SEC),
    };
    show->versions[show->n_pushed] = show->version;
    show->frames[show->n_pushed++] = frame.data;
    station_node_wake (show->publisher);
    ss_station_push_frame (show->publisher->station, &frame);
    station_world_run (world, show->frame_time);
  }
}

int64_t
show_check_frames (const Show *show, const StationNode *node, SsTime buffer,
                   SsTime slack)
{
  int64_t last = -1, first = -1;
  for (unsigned i = 0; i < node->frames->len; i++) {
    const StationFrame *frame = &g_array_index (node->frames, StationFrame, i);
    if (frame->session != show->session)
      continue;
    g_assert_cmpint ((int64_t) frame->number, >, last);
    g_assert_cmpuint (frame->number, <, show->n_pushed);
    last = (int64_t) frame->number;
    if (first < 0)
      first = last;
    g_assert_true (g_bytes_equal (frame->data, show->frames[last]));
    g_assert_cmpuint (frame->version, ==, show->versions[last]);
    SsTime due = show->started + frame->timestamp + show->params.latency
                 + buffer + show->world->options.delay;
    /* A fast clock is noticed when the window has passed. */
    SsTime together = ss_reorder_together (show->params.latency + buffer);
    g_assert_cmpint (frame->at, >, due - together - 5 * SS_MSEC);
    g_assert_cmpint (frame->at, <, due + slack);
  }
  return first;
}

void
show_check_whole (const Show *show, const StationNode *node)
{
  SsStationStats stats;
  ss_station_stats (node->station, &stats);
  g_assert_cmpuint (stats.frames_lost, ==, 0);
  unsigned n = 0;
  int64_t first = -1, last = -1;
  for (unsigned i = 0; i < node->frames->len; i++) {
    const StationFrame *frame = &g_array_index (node->frames, StationFrame, i);
    if (frame->session != show->session)
      continue;
    n++;
    if (first < 0)
      first = (int64_t) frame->number;
    last = (int64_t) frame->number;
  }
  g_assert_cmpint (last - first + 1, ==, n);
  g_assert_cmpint (last + 1, ==, show->n_pushed);
}

void
show_end (Show *show)
{
  station_node_wake (show->publisher);
  ss_station_end (show->publisher->station);
  station_world_run (show->world, show->params.latency + 3 * SS_SEC);
  g_assert_true (ss_station_is_drained (show->publisher->station));
}

Show *
show_with_one (StationNode **ret_node)
{
  const StationWorldOptions options = { .delay = 10 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  show_go_on_air (show, 100);
  *ret_node = show_tune_in (show, 0);
  show_play (show, 5 * SS_SEC);
  return show;
}
