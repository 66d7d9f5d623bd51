/* The station of a simulated world: what is published, and whether that is
 * what is heard. */
#include "sim/air.h"

#include <string.h>

#define NAME         "radio1"
#define FIND_AGAIN   (250 * SS_MSEC)
#define FRAME_MIN    200 /* bytes; the mean is SS_WORLD_FRAME_BYTES */
#define FRAME_SPREAD 81
/* A stream of another rate is as of video: 25 frames a second, each of which
 * takes many packets. */
#define VIDEO_FRAME_TIME (40 * SS_MSEC)
#define VIDEO_SPREAD     5 /* a frame is longer or shorter by up to 1 in so */
#define VIDEO_FRAME_MAX  (256 * 1024)
#define FRAMES_KEPT      256 /* on their way: each is looked at often */
/* Frames leave at source time + latency, within this share of it; later is
 * better than lost, so that is only reported. */
#define EARLY_DIVISOR 8

static uint64_t
mix (uint64_t number)
{
  number += UINT64_C (0x9e3779b97f4a7c15);
  number = (number ^ number >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
  number = (number ^ number >> 27) * UINT64_C (0x94d049bb133111eb);
  return number ^ number >> 31;
}

typedef struct {
  uint64_t number;
  unsigned epoch;
  size_t len, capacity; /* 0: none */
  uint8_t *data;
} Made;

struct SsAir {
  Made made[FRAMES_KEPT];
};

SsAir *
ss_air_new (void)
{
  return g_new0 (SsAir, 1);
}

void
ss_air_free (SsAir *air)
{
  for (unsigned i = 0; i < FRAMES_KEPT; i++)
    g_free (air->made[i].data);
  g_free (air);
}

/* The length of a frame, of which `state` is the chance. */
static size_t
frame_len (const SsWorld *world, uint64_t state)
{
  size_t mean = world->options.kbits * (VIDEO_FRAME_TIME / SS_MSEC) / 8;

  if (mean == 0)
    return FRAME_MIN + state % FRAME_SPREAD;
  size_t spread = mean / VIDEO_SPREAD;

  return MIN (mean - spread + state % (2 * spread + 1), VIDEO_FRAME_MAX);
}

/* A frame's bytes follow from its epoch and number. */
static const Made *
make_frame (const SsWorld *world, unsigned epoch, uint64_t number)
{
  Made *made = &world->air->made[number % FRAMES_KEPT];

  if (made->len > 0 && made->number == number && made->epoch == epoch)
    return made;
  uint64_t state = mix ((uint64_t) epoch << 48 ^ number);

  made->number = number;
  made->epoch = epoch;
  made->len = frame_len (world, state);
  if (made->capacity < made->len) {
    made->capacity = made->len;
    made->data = g_realloc (made->data, made->capacity);
  }
  for (size_t i = 0; i < made->len; i += sizeof state) {
    state = mix (state);
    memcpy (made->data + i, &state, MIN (sizeof state, made->len - i));
  }
  return made;
}

static SsTime
frame_time (const SsWorld *world)
{
  return world->options.kbits == 0 ? SS_WORLD_FRAME_TIME : VIDEO_FRAME_TIME;
}

static GBytes *
make (void *user, uint64_t number)
{
  const SsEpoch *epoch = user;

  if (!epoch->is_on)
    return NULL;
  const Made *made = make_frame (
      epoch->world, (unsigned) (epoch - epoch->world->epochs), number);

  return g_bytes_new (made->data, made->len);
}

static void
start_epoch (SsWorld *world, unsigned publisher)
{
  g_assert (world->epoch + 1 < SS_WORLD_EPOCHS_MAX);
  SsEpoch *epoch = &world->epochs[++world->epoch];

  world->publisher = (int) publisher;
  *epoch = (SsEpoch){ .world = world };
  epoch->pump = (SsPump){ .network = world->network,
                          .node = publisher,
                          .frame_time = frame_time (world),
                          .make = make,
                          .user = epoch,
                          .start = -1 };
}

static void
publish (SsWorld *world, unsigned index, bool is_standby)
{
  SsPublishOptions options = {
    .is_standby = is_standby,
    .name = NAME,
    .title = "A simulated station",
    .description = "",
    .parity = (uint8_t) MAX (world->options.parity, 0),
    .latency = world->options.latency,
  };
  SsRng rng;

  ss_network_rng (world->network, "station", 0, &rng);
  ss_rng_bytes (&rng, options.seed, sizeof options.seed);
  ss_node_publish (ss_world_node (world, index), ss_world_now (world),
                   &options);
  ss_network_touch (world->network, index);
}

unsigned
ss_world_publish (SsWorld *world)
{
  g_assert (world->publisher < 0);
  unsigned index = ss_world_add (world, false, false);

  start_epoch (world, index);
  publish (world, index, false);
  return index;
}

unsigned
ss_world_stand_by (SsWorld *world)
{
  unsigned index = ss_world_add (world, false, false);

  publish (world, index, true);
  return index;
}

void
ss_world_end_broadcast (SsWorld *world)
{
  unsigned publisher = (unsigned) world->publisher;
  SsEpoch *epoch = &world->epochs[world->epoch];

  epoch->is_on = false;
  epoch->is_over = true;
  ss_node_end (ss_world_node (world, publisher), ss_world_now (world));
  ss_network_touch (world->network, publisher);
}

void
ss_air_publisher_is_gone (SsWorld *world)
{
  world->epochs[world->epoch].is_on = false;
  world->publisher = -1;
}

/* What one that stood by sends is another broadcast. */
static void
take_over (SsWorld *world, SsMember *member)
{
  if (world->publisher >= 0)
    ss_world_fail (world, "node %u takes the air from node %d, which lives",
                   member->index, world->publisher);
  member->is_standby = false;
  start_epoch (world, member->index);
}

static void
find (void *user, uint64_t index)
{
  SsWorld *world = user;
  const SsMember *member = ss_world_member (world, (unsigned) index);

  if (!member->is_up)
    return;
  ss_node_find (ss_world_node (world, member->index), ss_world_now (world),
                NAME, NULL);
  ss_network_touch (world->network, member->index);
}

void
ss_air_listen (SsWorld *world, SsMember *member)
{
  member->hearing = g_new (SsHearing, 1);
  *member->hearing = (SsHearing){
    .started = ss_world_now (world),
    .found_at = -1,
    .first_at = -1,
    .lost_at = -1,
    .epoch = -1,
    .latency_min = SS_NEVER,
  };
  ss_node_find (ss_world_node (world, member->index), ss_world_now (world),
                NAME, NULL);
}

static void
on_stations (SsWorld *world, SsMember *member, const SsEvent *event)
{
  SsHearing *hearing = member->hearing;

  if (hearing == NULL || hearing->has_station)
    return;
  if (event->n_found == 0) {
    ss_network_at (world->network, ss_world_now (world) + FIND_AGAIN, find,
                   world, member->index);
    return;
  }
  if (event->n_found > 1)
    ss_world_fail (world, "node %u found %u stations of one", member->index,
                   event->n_found);
  hearing->has_station = true;
  hearing->found_at = ss_world_now (world);
  world->descriptor = event->found[0];
  world->has_descriptor = true;
  ss_node_listen (ss_world_node (world, member->index), hearing->found_at,
                  &event->found[0], 0);
}

static void
on_headers (SsWorld *world, SsMember *member, const SsCodecHeaders *headers)
{
  SsHearing *hearing = member->hearing;
  gsize len = 0;
  const uint8_t *tags = headers->n_packets == 2
                            ? g_bytes_get_data (headers->packets[1], &len)
                            : NULL;

  if (len != SS_PUMP_TAGS_LEN || tags[SS_PUMP_TAG_AT] > world->epoch
      || headers->codec != SS_CODEC_OPUS) {
    ss_world_fail (world, "node %u got other codec headers", member->index);
    return;
  }
  if (tags[SS_PUMP_TAG_AT] == hearing->epoch)
    return;
  if (hearing->epoch >= 0 && hearing->n_frames > 0)
    hearing->tail =
        MAX (hearing->tail,
             world->epochs[hearing->epoch].pump.n_frames - hearing->next);
  hearing->epoch = tags[SS_PUMP_TAG_AT];
  hearing->n_frames = 0;
}

static void
check_time (SsWorld *world, const SsMember *member, const SsFrame *frame)
{
  SsHearing *hearing = member->hearing;
  const SsEpoch *epoch = &world->epochs[hearing->epoch];
  SsTime latency = ss_world_now (world) - epoch->pump.start - frame->timestamp;

  hearing->latency_min = MIN (hearing->latency_min, latency);
  hearing->latency_max = MAX (hearing->latency_max, latency);
  if (frame->timestamp != (SsTime) frame->number * frame_time (world))
    ss_world_fail (world,
                   "node %u: frame %" G_GUINT64_FORMAT " has timestamp %.3f",
                   member->index, frame->number,
                   (double) frame->timestamp / (double) SS_SEC);
  if (latency < world->options.latency - world->options.latency / EARLY_DIVISOR)
    ss_world_fail (
        world, "node %u: frame %" G_GUINT64_FORMAT " came %.1f ms early",
        member->index, frame->number,
        (double) (world->options.latency - latency) / (double) SS_MSEC);
}

static void
on_frame (SsWorld *world, SsMember *member, const SsFrame *frame)
{
  SsHearing *hearing = member->hearing;
  gsize len;
  const uint8_t *data = g_bytes_get_data (frame->data, &len);

  if (hearing->epoch < 0) {
    ss_world_fail (world, "node %u got a frame before codec headers",
                   member->index);
    return;
  }
  if (hearing->first_at < 0)
    hearing->first_at = ss_world_now (world);
  if (hearing->n_frames == 0) {
    if (hearing->first_at < ss_world_now (world))
      hearing->gap =
          MAX (hearing->gap, ss_world_now (world) - hearing->last_at);
    hearing->first = hearing->next = frame->number;
  }
  hearing->last_at = ss_world_now (world);
  if (frame->number < hearing->next) {
    ss_world_fail (world, "node %u got frame %" G_GUINT64_FORMAT " again",
                   member->index, frame->number);
    return;
  }
  if (frame->number > hearing->next) {
    hearing->n_lost += frame->number - hearing->next;
    hearing->lost_at = ss_world_now (world);
  }
  hearing->next = frame->number + 1;
  hearing->n_frames++;
  const Made *made =
      make_frame (world, (unsigned) hearing->epoch, frame->number);

  if (len != made->len || memcmp (data, made->data, len) != 0) {
    hearing->n_bad++;
    ss_world_fail (world, "node %u: frame %" G_GUINT64_FORMAT " is not as sent",
                   member->index, frame->number);
  }
  check_time (world, member, frame);
}

static void
on_silent (SsWorld *world, SsMember *member, bool is_silent)
{
  SsHearing *hearing = member->hearing;

  hearing->is_silent = is_silent;
  if (is_silent) {
    hearing->silent_at = ss_world_now (world);
    hearing->n_silences++;
  }
}

void
ss_air_drop_event (SsEvent *event)
{
  if (event->type == SS_EVENT_HEADERS)
    ss_codec_headers_free (event->headers);
  else if (event->type == SS_EVENT_FRAME)
    g_bytes_unref (event->frame.data);
}

void
ss_air_event (SsWorld *world, SsMember *member, SsEvent *event)
{
  switch (event->type) {
  case SS_EVENT_STATIONS:
    on_stations (world, member, event);
    break;
  case SS_EVENT_STANDBY:
    member->is_standby = true;
    break;
  case SS_EVENT_ON_AIR:
    if (member->is_standby)
      take_over (world, member);
    world->epochs[world->epoch].is_on = true;
    ss_pump_start (&world->epochs[world->epoch].pump, (uint8_t) world->epoch);
    break;
  case SS_EVENT_TAKEN:
    ss_world_fail (world, "the station's key is said to be live at %s",
                   event->text);
    break;
  case SS_EVENT_HEADERS:
    on_headers (world, member, event->headers);
    ss_codec_headers_free (event->headers);
    break;
  case SS_EVENT_FRAME:
    on_frame (world, member, &event->frame);
    g_bytes_unref (event->frame.data);
    break;
  case SS_EVENT_SILENT:
    on_silent (world, member, event->flag);
    break;
  case SS_EVENT_ENDED:
    if (member->hearing != NULL)
      member->hearing->ended = true;
    break;
  default:
    break;
  }
}

bool
ss_world_is_on_air (SsWorld *world)
{
  return world->epoch >= 0 && world->epochs[world->epoch].is_on;
}

bool
ss_world_all_hear (SsWorld *world)
{
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (member->is_up && member->hearing != NULL
        && (member->hearing->first_at < 0
            || member->hearing->epoch != world->epoch))
      return false;
  }
  return true;
}

bool
ss_world_all_ended (SsWorld *world)
{
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);

    if (member->is_up && member->hearing != NULL && !member->hearing->ended)
      return false;
  }
  return true;
}
