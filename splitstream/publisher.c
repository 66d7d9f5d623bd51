/* The publisher: frames and codec headers go in, packets go to the stripes'
 * roots. Media time begins with the first frame: its arrival is its
 * timestamp, so headers pushed before it wait for it. */
#include "splitstream/private.h"

#include <string.h>

/* What the stream takes is a mean of so long, from then on: it may begin with
 * a burst. */
#define DEMAND_TIME  (5 * SS_SEC)
#define DEMAND_FIRST (2 * SS_SEC)

SsStation *
ss_station_publish (SsSplitStream *splitstream, const SsStationParams *params,
                    const uint8_t seed[SS_SEED_LEN], uint32_t session,
                    const char *title, const char *description)
{
  g_assert (params->parity <= SS_PARITY_MAX);
  g_assert (params->latency >= SS_LATENCY_MIN);
  g_assert (params->latency <= SS_LATENCY_MAX);
  SsId group_id = ss_station_group_id (&params->key, params->name);
  SsStation *station = ss_splitstream_find (splitstream, &group_id);
  /* What was relayed so far, for those who waited, begins anew: a source's
   * groups are another kind of family. */
  if (station != NULL) {
    g_assert (station->role == SS_ROLE_RELAY);
    ss_station_free (station);
  }
  station = ss_station_new (splitstream, params, SS_ROLE_PUBLISHER);
  ss_signer_init (&station->signer, seed);
  g_assert (ss_key_equal (&station->signer.key, &params->key));
  station->has_session = true;
  station->session = session;
  station->n_parity = params->parity;
  SsDescriptor *descriptor = &station->descriptor;
  descriptor->params = *params;
  descriptor->session = session;
  if (title != NULL)
    g_strlcpy (descriptor->title, title, sizeof descriptor->title);
  if (description != NULL)
    g_strlcpy (descriptor->description, description,
               sizeof descriptor->description);
  station->rows =
      ss_rows_new (&station->signer, session, params->parity, params->latency);
  ss_station_open_family (station);
  ss_family_set_source (station->family, ss_kbr_self (splitstream->kbr));
  ss_station_open_stripes (station);
  return station;
}

void
ss_publisher_clear (SsStation *station)
{
  if (station->rows != NULL)
    ss_rows_free (station->rows);
  station->rows = NULL;
  ss_header_store_clear (&station->headers);
  ss_signer_clear (&station->signer);
}

/* With a cap below what the stream takes hardly anybody hears anything, and
 * nothing else would tell why. */
static void
note_demand (SsStation *station, size_t len)
{
  SsDemand *demand = &station->demand;
  SsEnv *env = station->owner->env;
  uint64_t cap = station->owner->config.upload_bps;
  if (cap == 0 || demand->is_told || env->now - station->origin < DEMAND_FIRST)
    return;
  if (demand->since == 0)
    demand->since = env->now;
  SsTime passed = env->now - demand->since;
  if (passed < DEMAND_TIME) {
    demand->bytes += len + SS_STRIPE_WIRE_OVERHEAD;
    return;
  }
  uint64_t bps = demand->bytes * 8 * 1000 / (uint64_t) (passed / SS_MSEC);
  demand->since = env->now;
  demand->bytes = len + SS_STRIPE_WIRE_OVERHEAD;
  if (bps <= cap)
    return;
  demand->is_told = true;
  ss_env_log (env, SS_LOG_ERROR,
              "%s: the stream takes %u kbit/s of upload and the cap is %u "
              "kbit/s, so that listeners miss some or all of it; give a "
              "greater --upload, or a stream of less bitrate",
              station->params.name, (unsigned) (bps / 1000),
              (unsigned) (cap / 1000));
}

/* Hands out what has left the rows. */
static void
send_packets (SsStation *station)
{
  SsEnv *env = station->owner->env;
  SsRowsPacket packet;
  while (ss_rows_pop (station->rows, &packet)) {
    SsStripe *stripe = &station->stripes[packet.stripe];
    ss_stripe_see (stripe, packet.sequence);
    station->packets_sent++;
    ss_capacity_count (station, packet.stripe,
                       g_bytes_get_size (packet.packet));
    note_demand (station, g_bytes_get_size (packet.packet));
    if (packet.stripe < SS_STRIPES - station->n_parity) {
      station->data_packets++;
      station->data_bytes += g_bytes_get_size (packet.packet);
    }
    /* None: this node leaves, and has parted from the tree. */
    if (stripe->group != NULL)
      ss_group_publish (stripe->group, packet.sequence, packet.packet,
                        env->now + station->params.latency + SS_PUBLISH_SLACK);
    g_bytes_unref (packet.packet);
  }
}

SsTime
ss_publisher_run (SsStation *station)
{
  if (!station->has_origin || station->is_ended)
    return SS_NEVER;
  SsTime media_now = station->owner->env->now - station->origin;
  ss_rows_run (station->rows, media_now);
  SsTime beacon =
      ss_rows_last_departure (station->rows) + ss_station_beacon (station);
  if (media_now >= beacon) {
    ss_rows_push_beacon (station->rows, media_now);
    beacon = media_now + ss_station_beacon (station);
  }
  send_packets (station);
  SsTime deadline = MIN (beacon, ss_rows_deadline (station->rows));
  return station->origin + deadline;
}

/* Soon: with all that is pushed at this moment. */
static void
run_soon (SsStation *station)
{
  SsEnv *env = station->owner->env;
  ss_timers_arm_earliest (&env->timers, &station->timer, env->now);
}

static void
push_version (SsStation *station, uint8_t version)
{
  GBytes *bytes = ss_header_store_bytes (&station->headers, version);
  const SsCodecHeaders *headers =
      ss_header_store_find (&station->headers, version);
  ss_rows_push_headers (station->rows,
                        station->owner->env->now - station->origin, version,
                        headers->clock_rate, bytes);
}

/* The text's newest versions go into the descriptor. */
static void
describe (SsStation *station, const SsHeaderRef *ref)
{
  SsDescriptor *descriptor = &station->descriptor;
  if (descriptor->n_headers == SS_HEADER_REFS_MAX) {
    descriptor->n_headers--;
    memmove (&descriptor->headers[0], &descriptor->headers[1],
             descriptor->n_headers * sizeof descriptor->headers[0]);
  }
  descriptor->headers[descriptor->n_headers++] = *ref;
  ss_station_announce (station);
}

void
ss_station_announce (SsStation *station)
{
  g_assert (station->role == SS_ROLE_PUBLISHER);
  SsDescriptor *descriptor = &station->descriptor;
  if (station->is_ended || descriptor->n_headers == 0)
    return;
  descriptor->publisher =
      ss_contact_to_record (ss_kbr_self (station->owner->kbr));
  if (station->owner->upcalls.descriptor != NULL)
    station->owner->upcalls.descriptor (station->owner->user, station,
                                        descriptor);
}

void
ss_station_push_headers (SsStation *station, const SsCodecHeaders *headers)
{
  g_assert (station->role == SS_ROLE_PUBLISHER);
  if (station->is_ended)
    return;
  SsCodecHeaders *copy = ss_codec_headers_copy (headers);
  station->version =
      station->version == UINT8_MAX ? 1 : (uint8_t) (station->version + 1);
  copy->version = station->version;
  GBytes *bytes = ss_headers_serialise (copy);
  if (bytes == NULL || !ss_header_store_add (&station->headers, bytes)) {
    ss_env_log (station->owner->env, SS_LOG_ERROR,
                "%s: codec headers cannot be sent", station->params.name);
    ss_codec_headers_free (copy);
    if (bytes != NULL)
      g_bytes_unref (bytes);
    return;
  }
  SsHeaderRef ref = ss_headers_ref (copy, bytes);
  ss_codec_headers_free (copy);
  g_bytes_unref (bytes);
  if (station->has_origin) {
    push_version (station, station->version);
    run_soon (station);
  }
  describe (station, &ref);
}

void
ss_station_push_frame (SsStation *station, const SsFrame *frame)
{
  g_assert (station->role == SS_ROLE_PUBLISHER);
  if (station->is_ended)
    return;
  SsEnv *env = station->owner->env;
  if (!station->has_origin) {
    station->has_origin = true;
    station->origin = env->now - frame->timestamp;
    if (station->version != 0)
      push_version (station, station->version);
  }
  if (ss_rows_push_frame (station->rows, env->now - station->origin, frame))
    station->payload_bytes += g_bytes_get_size (frame->data);
  run_soon (station);
}

void
ss_station_end (SsStation *station)
{
  g_assert (station->role == SS_ROLE_PUBLISHER);
  if (station->is_ended)
    return;
  SsEnv *env = station->owner->env;
  if (!station->has_origin) {
    station->has_origin = true;
    station->origin = env->now;
  }
  ss_rows_end (station->rows, env->now - station->origin);
  send_packets (station);
  station->is_ended = true;
  ss_station_run (station);
}

bool
ss_station_is_drained (const SsStation *station)
{
  for (unsigned i = 0; i < SS_STRIPES; i++)
    if (station->stripes[i].group != NULL
        && ss_group_n_unacknowledged (station->stripes[i].group) > 0)
      return false;
  return true;
}
