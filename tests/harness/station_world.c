/* Stations over a fake Scribe and a fake overlay: see the header. */
#include "tests/harness/station_world_private.h"

#include <string.h>

#define WANT_RETRY (120 * SS_MSEC)

static int
compare_events (gconstpointer a, gconstpointer b, gpointer unused)
{
  const Event *x = a, *y = b;
  if (x->at != y->at)
    return x->at < y->at ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

static void
free_event (gpointer data)
{
  Event *event = data;
  if (event->bytes != NULL)
    g_bytes_unref (event->bytes);
  g_free (event);
}

/* When what comes to the node at that time has passed its line. */
static SsTime
pass_line (StationNode *node, SsTime at, size_t len)
{
  if (node->downlink == 0)
    return at;
  node->line_free = MAX (node->line_free, at);
  node->queue_max = MAX (node->queue_max, node->line_free - at);
  node->line_free += (SsTime) len * SS_SEC / node->downlink;
  return node->line_free;
}

void
station_world_schedule (StationWorld *world, const Event *event, SsTime delay)
{
  Event *copy = g_memdup2 (event, sizeof *event);
  copy->at = world->now + delay;
  if (copy->bytes != NULL)
    copy->at = pass_line (world->nodes[event->to], copy->at,
                          g_bytes_get_size (copy->bytes));
  copy->order = world->order++;
  if (copy->bytes != NULL)
    g_bytes_ref (copy->bytes);
  g_sequence_insert_sorted (world->events, copy, compare_events, NULL);
}

SsTime
station_world_travel (StationWorld *world)
{
  return world->options.delay
         + (SsTime) (ss_rng_unit (&world->rng)
                     * (double) world->options.jitter);
}

SsTime
station_node_time (const StationNode *node)
{
  SsTime now = node->world->now;
  return now + node->offset + now / 1000000 * node->ppm;
}

SsTime
station_world_time (const StationNode *node, SsTime time)
{
  if (time == SS_NEVER)
    return SS_NEVER;
  SsTime near = time - node->offset;
  SsTime world = near - near / 1000000 * node->ppm;
  while (world + node->offset + world / 1000000 * node->ppm < time)
    world += 100;
  return world;
}

/* The overlay's. */

static void
fake_register (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app, void *user)
{
  StationNode *node = (StationNode *) (void *) kbr;
  g_assert_cmpint (protocol, ==, SS_PROTOCOL_SPLITSTREAM);
  node->app = app;
  node->app_user = user;
}

static bool
fake_send (SsKbr *kbr, SsProtocol protocol, const SsContact *to,
           const SsKbrSend *how, const uint8_t *head, size_t head_len,
           GBytes *body)
{
  StationNode *node = (StationNode *) (void *) kbr;
  StationWorld *world = node->world;
  g_assert_cmpuint (head_len, <=, SS_KBR_DIRECT_MAX);
  g_assert_null (body);
  if (head[0] == SS_MSG_TUNE_IN)
    node->n_tune_ins++;
  if (head[0] == SS_MSG_TUNE_IN_PACKET)
    node->n_given++;
  if (!how->reliable && ss_rng_unit (&world->rng) < world->options.loss)
    return true;
  GBytes *bytes = g_bytes_new (head, head_len);
  SsTime later =
      head[0] == SS_MSG_TUNE_IN_ANSWER ? world->options.answer_delay : 0;
  for (unsigned i = 0; i < world->n_nodes; i++)
    if (ss_contact_equal (&world->nodes[i]->self, to))
      station_world_schedule (world,
                              &(Event){ .kind = EVENT_DIRECT,
                                        .from = node->index,
                                        .to = i,
                                        .bytes = bytes,
                                        .token = how->token },
                              station_world_travel (world) + later);
  g_bytes_unref (bytes);
  return true;
}

static SsTime
fake_rtt (SsKbr *kbr, const SsId *peer)
{
  return 2 * ((StationNode *) (void *) kbr)->world->options.delay;
}

static SsTime
fake_rto (SsKbr *kbr, const SsId *peer)
{
  return MAX (50 * SS_MSEC, 2 * fake_rtt (kbr, peer));
}

static uint64_t
fake_uplink_bps (SsKbr *kbr)
{
  return ((StationNode *) (void *) kbr)->uplink_bps;
}

static const SsContact *
fake_self (SsKbr *kbr)
{
  return &((StationNode *) (void *) kbr)->self;
}

static const SsKbrClass fake_class = {
  .register_app = fake_register,
  .send = fake_send,
  .rtt = fake_rtt,
  .rto = fake_rto,
  .uplink_bps = fake_uplink_bps,
  .self = fake_self,
};

/* The application's upcalls. */

static void
on_headers (void *user, SsStation *station, const SsCodecHeaders *headers)
{
  StationNode *node = user;
  node->n_headers++;
  /* Of an old session, which may still play, they are all told. */
  node->session = station->session;
  ss_codec_headers_free (node->headers);
  node->headers = ss_codec_headers_copy (headers);
}

static void
on_frame (void *user, SsStation *station, const SsFrame *frame)
{
  StationNode *node = user;
  g_assert_nonnull (node->headers);
  g_assert_cmpuint (node->headers->version, ==, frame->header_version);
  StationFrame out = { .at = node->world->now,
                       .number = frame->number,
                       .timestamp = frame->timestamp,
                       .duration = frame->duration,
                       .version = frame->header_version,
                       .session = node->session,
                       .data = g_bytes_ref (frame->data) };
  g_array_append_val (node->frames, out);
}

static void
on_silent (void *user, SsStation *station, bool silent)
{
  StationNode *node = user;
  if (silent)
    node->silent_at = node->world->now;
  *(silent ? &node->n_silent : &node->n_speaks) += 1;
}

static void
on_ended (void *user, SsStation *station)
{
  ((StationNode *) user)->n_ended++;
}

static void
on_need_descriptor (void *user, SsStation *station)
{
  StationNode *node = user;
  node->n_need++;
}

static void
on_descriptor (void *user, SsStation *station, const SsDescriptor *descriptor)
{
  StationNode *node = user;
  node->n_descriptor++;
  node->descriptor = *descriptor;
}

static const SsStationUpcalls upcalls = {
  .headers = on_headers,
  .frame = on_frame,
  .silent = on_silent,
  .ended = on_ended,
  .need_descriptor = on_need_descriptor,
  .descriptor = on_descriptor,
};

/* The world. */

StationWorld *
station_world_new (uint64_t seed, const StationWorldOptions *options)
{
  StationWorld *world = g_new0 (StationWorld, 1);
  world->options = *options;
  ss_rng_init_number (&world->rng, seed);
  world->events = g_sequence_new (free_event);
  return world;
}

StationNode *
station_world_add (StationWorld *world, bool is_relay)
{
  const SsSplitStreamConfig config = { .is_relay = is_relay };
  return station_world_add_as (world, &config);
}

StationNode *
station_world_add_as (StationWorld *world, const SsSplitStreamConfig *config)
{
  g_assert_cmpuint (world->n_nodes, <, STATION_WORLD_MAX);
  StationNode *node = g_new0 (StationNode, 1);
  node->kbr.class = &fake_class;
  node->kbr.env = &node->env;
  node->world = world;
  node->index = world->n_nodes;
  node->is_alive = true;
  world->nodes[world->n_nodes++] = node;
  uint8_t seed[32];
  ss_rng_bytes (&world->rng, seed, sizeof seed);
  node->offset = (SsTime) ss_rng_below (&world->rng, 1000) * SS_SEC;
  ss_env_init (&node->env, seed, station_node_time (node), 0);
  ss_rng_bytes (&world->rng, node->self.key.b, SS_KEY_LEN);
  node->self.id = ss_id_of_key (&node->self.key);
  node->self.addr = ss_addr_v4 (0x0a000001 + node->index, 16160);
  node->frames = g_array_new (FALSE, FALSE, sizeof (StationFrame));
  node->splitstream =
      ss_splitstream_new (&node->env, &node->kbr, config, &upcalls, node);
  return node;
}

static void
free_node (StationNode *node)
{
  for (unsigned i = 0; i < node->frames->len; i++)
    g_bytes_unref (g_array_index (node->frames, StationFrame, i).data);
  g_array_unref (node->frames);
  ss_codec_headers_free (node->headers);
  if (node->is_alive)
    ss_splitstream_free (node->splitstream);
  ss_env_clear (&node->env);
  g_free (node);
}

void
station_world_kill (StationNode *node)
{
  g_assert_true (node->is_alive);
  ss_splitstream_free (node->splitstream);
  node->splitstream = NULL;
  node->station = NULL;
  node->is_alive = false;
}

void
station_world_free (StationWorld *world)
{
  for (unsigned i = 0; i < world->n_nodes; i++)
    free_node (world->nodes[i]);
  g_sequence_free (world->events);
  g_free (world);
}

void
station_node_wake (StationNode *node)
{
  node->env.now = MAX (node->env.now, station_node_time (node));
}

static SsPacketVerdict
give_packet (StationNode *node, SsGroup *group, uint32_t sequence,
             GBytes *bytes, const SsContact *from, SsPacketVia via)
{
  SsScribe *scribe = group->scribe;
  SsPacketVerdict verdict =
      scribe->app->packet (group->user, group, sequence, bytes, from, via);
  if (verdict == SS_PACKET_NEW) {
    station_scribe_keep (group, sequence, bytes);
    g_hash_table_remove (group->wanted, GUINT_TO_POINTER (sequence));
  } else if (verdict == SS_PACKET_REJECTED) {
    node->n_rejected++;
  }
  return verdict;
}

void
station_node_feed (StationNode *node, unsigned stripe, uint32_t sequence,
                   GBytes *packet)
{
  station_node_wake (node);
  give_packet (node, node->station->stripes[stripe].group, sequence, packet,
               &node->self, SS_VIA_TREE);
}

GBytes *
station_node_history (StationNode *node, unsigned stripe, uint32_t sequence)
{
  return ss_group_history (node->station->stripes[stripe].group, sequence);
}

bool
station_node_adopt (StationNode *node, const SsId *id,
                    const SsStationParams *params, bool is_root)
{
  SsScribe *scribe = node->splitstream->scribe;
  uint8_t info[SS_SCRIBE_INFO_MAX];
  size_t len = ss_station_params_encode (params, info, sizeof info);
  SsGroup *group = station_scribe_group (scribe, id);
  station_node_wake (node);
  if (scribe->app->adopt (scribe->app_user, id, info, len, is_root, group,
                          &group->user)) {
    g_assert_nonnull (group->family);
    g_assert_nonnull (group->user);
    return true;
  }
  station_scribe_free_group (group);
  return false;
}

void
station_node_abandon (StationNode *node, const SsId *id)
{
  SsScribe *scribe = node->splitstream->scribe;
  SsGroup *group = ss_scribe_find (scribe, id);
  g_assert_nonnull (group);
  station_node_wake (node);
  scribe->app->abandoned (group->user, group);
  station_scribe_free_group (group);
}

/* Any live node that has it. */
static GBytes *
find_packet (StationWorld *world, const SsId *id, uint32_t sequence)
{
  for (unsigned i = 0; i < world->n_nodes; i++) {
    if (!world->nodes[i]->is_alive)
      continue;
    SsGroup *group = ss_scribe_find (world->nodes[i]->splitstream->scribe, id);
    GBytes *bytes = group != NULL ? ss_group_history (group, sequence) : NULL;
    if (bytes != NULL)
      return bytes;
  }
  return NULL;
}

static void
handle_want (StationNode *node, SsGroup *group, const Event *event)
{
  StationWorld *world = node->world;
  if (!g_hash_table_contains (group->wanted,
                              GUINT_TO_POINTER (event->sequence)))
    return;
  GBytes *bytes = find_packet (world, &event->group, event->sequence);
  if (bytes != NULL && ss_rng_unit (&world->rng) >= world->options.want_loss) {
    Event answer = *event;
    answer.kind = EVENT_PACKET;
    answer.via = SS_VIA_REPAIR;
    answer.bytes = bytes;
    station_world_schedule (world, &answer, station_world_travel (world));
  } else if (node->env.now < event->deadline) {
    station_world_schedule (world, event, WANT_RETRY);
  } else {
    g_hash_table_remove (group->wanted, GUINT_TO_POINTER (event->sequence));
    if (group->scribe->app->missed)
      group->scribe->app->missed (group->user, group, event->sequence);
  }
}

static void
handle (StationWorld *world, const Event *event)
{
  StationNode *node = world->nodes[event->to];
  if (!node->is_alive)
    return;
  station_node_wake (node);
  const SsContact *from = &world->nodes[event->from]->self;
  if (event->kind == EVENT_DIRECT) {
    size_t len;
    const uint8_t *data = g_bytes_get_data (event->bytes, &len);
    node->app->direct (node->app_user, from, data, len);
    if (event->token != 0)
      station_world_schedule (world,
                              &(Event){ .kind = EVENT_ACKED,
                                        .from = event->to,
                                        .to = event->from,
                                        .token = event->token },
                              station_world_travel (world) + node->ack_delay);
    return;
  }
  if (event->kind == EVENT_ACKED) {
    node->app->outcome (node->app_user, from, event->token, SS_KBR_ACKED);
    return;
  }
  SsGroup *group = ss_scribe_find (node->splitstream->scribe, &event->group);
  if (group == NULL)
    return;
  if (event->kind == EVENT_WANT) {
    handle_want (node, group, event);
    return;
  }
  unsigned stripe = ss_id_digit (&event->group, 0);
  if (event->via == SS_VIA_TREE && world->now < node->stalled_until
      && (node->stalled >> stripe & 1) != 0)
    return;
  give_packet (node, group, event->sequence, event->bytes, from, event->via);
}

static void
run_timers (StationNode *node)
{
  SsTimer *timer;
  station_node_wake (node);
  while ((timer = ss_timers_pop (&node->env.timers, node->env.now)) != NULL) {
    g_assert_cmpint (timer->layer, ==, SS_LAYER_SPLITSTREAM);
    ss_splitstream_timer (node->splitstream, timer);
  }
}

void
station_world_run (StationWorld *world, SsTime duration)
{
  SsTime end = world->now + duration;
  for (;;) {
    SsTime at = SS_NEVER;
    StationNode *first = NULL;
    for (unsigned i = 0; i < world->n_nodes; i++) {
      StationNode *node = world->nodes[i];
      if (!node->is_alive)
        continue;
      SsTime deadline =
          station_world_time (node, ss_timers_deadline (&node->env.timers));
      if (deadline < at) {
        at = deadline;
        first = node;
      }
    }
    GSequenceIter *iter = g_sequence_get_begin_iter (world->events);
    const Event *event =
        g_sequence_iter_is_end (iter) ? NULL : g_sequence_get (iter);
    if (event != NULL && event->at <= at) {
      if (event->at > end)
        break;
      world->now = event->at;
      handle (world, event);
      g_sequence_remove (iter);
    } else {
      if (at > end)
        break;
      world->now = MAX (world->now, at);
      run_timers (first);
    }
  }
  world->now = end;
  for (unsigned i = 0; i < world->n_nodes; i++)
    if (world->nodes[i]->is_alive)
      station_node_wake (world->nodes[i]);
}
