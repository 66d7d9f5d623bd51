/* A broadcaster's frames; see pump.h. */
#include "sim/pump.h"

#define CLOCK_RATE 48000

static void
push_headers (const SsPump *pump, uint8_t tag)
{
  uint8_t tags[SS_PUMP_TAGS_LEN] = "OpusTags";
  SsCodecHeaders headers = {
    .version = 1,
    .codec = SS_CODEC_OPUS,
    .clock_rate = CLOCK_RATE,
    .n_packets = 2,
    .packets[0] = g_bytes_new_static ("OpusHead\x01\x02\x38\x01\x80\xbb\0\0"
                                      "\0\0\0",
                                      19),
  };

  tags[SS_PUMP_TAG_AT] = tag;
  headers.packets[1] = g_bytes_new (tags, sizeof tags);
  ss_node_push_headers (ss_network_node (pump->network, pump->node),
                        ss_network_now (pump->network), &headers);
  g_bytes_unref (headers.packets[0]);
  g_bytes_unref (headers.packets[1]);
}

static void
push_frame (void *user, uint64_t unused)
{
  SsPump *pump = user;
  SsTime now = ss_network_now (pump->network);
  GBytes *bytes = pump->make (pump->user, pump->n_frames);

  if (bytes == NULL)
    return;
  SsFrame frame = {
    .data = bytes,
    .timestamp = (SsTime) pump->n_frames * pump->frame_time,
    .duration = (uint32_t) (pump->frame_time * CLOCK_RATE / SS_SEC),
  };

  if (pump->n_frames == 0)
    pump->start = now;
  pump->n_frames++;
  pump->n_bytes += g_bytes_get_size (bytes);
  ss_node_push_frame (ss_network_node (pump->network, pump->node), now, &frame);
  g_bytes_unref (bytes);
  ss_network_touch (pump->network, pump->node);
  ss_network_at (pump->network, now + pump->frame_time, push_frame, pump, 0);
}

void
ss_pump_start (SsPump *pump, uint8_t tag)
{
  pump->start = -1;
  pump->n_frames = pump->n_bytes = 0;
  push_headers (pump, tag);
  ss_network_at (pump->network, ss_network_now (pump->network), push_frame,
                 pump, 0);
}
