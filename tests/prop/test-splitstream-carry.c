/* Who carries what for others, and how much: roots, relays, and nodes whose
 * upload is capped. Over a fake Scribe. */
#include <string.h>

#include "tests/harness/show.h"

/* Who carries what for others: relays and roots, if the id follows from the
 * key; not more than so many stations, and not longer than needed. */
static void
test_adopt (void)
{
  StationWorldOptions options = { .delay = 15 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  StationNode *relay = station_world_add (show->world, true);
  StationNode *plain = station_world_add (show->world, false);
  SsStationParams params = show->params;
  SsId group = ss_station_group_id (&params.key, params.name);
  SsId id = ss_station_stripe_id (&group, params.salt, 5);
  SsId other = ss_station_stripe_id (&group, params.salt + 1, 5);
  g_assert_false (station_node_adopt (plain, &id, &params, false));
  g_assert_false (station_node_adopt (plain, &other, &params, true));
  g_assert_false (station_node_adopt (relay, &other, &params, false));
  g_assert_true (station_node_adopt (plain, &id, &params, true));
  g_assert_true (station_node_adopt (relay, &id, &params, false));
  g_assert_cmpuint (ss_splitstream_n_stations (relay->splitstream), ==, 1);
  /* Another stripe of a station that is carried already: a root of one does
   * not volunteer for it. */
  id = ss_station_stripe_id (&group, params.salt, 6);
  g_assert_false (station_node_adopt (plain, &id, &params, false));
  g_assert_true (station_node_adopt (relay, &id, &params, false));
  g_assert_true (station_node_adopt (plain, &id, &params, true));
  g_assert_cmpuint (ss_splitstream_n_stations (plain->splitstream), ==, 1);
  station_node_abandon (plain, &id);
  station_world_run (show->world, SS_SEC);
  g_assert_cmpuint (ss_splitstream_n_stations (plain->splitstream), ==, 1);
  id = ss_station_stripe_id (&group, params.salt, 5);
  station_node_abandon (plain, &id);
  station_world_run (show->world, SS_SEC);
  g_assert_cmpuint (ss_splitstream_n_stations (plain->splitstream), ==, 0);
  for (unsigned i = 1; i < SS_STATIONS_RELAYED_MAX + 10; i++) {
    ss_rng_bytes (&show->rng, params.key.b, SS_KEY_LEN);
    group = ss_station_group_id (&params.key, params.name);
    id = ss_station_stripe_id (&group, params.salt, i % SS_STRIPES);
    g_assert_true (station_node_adopt (relay, &id, &params, i % 2)
                   == (i < SS_STATIONS_RELAYED_MAX));
  }
  show_free (show);
}

/* Whoever only carried some stripes so far begins to listen. */
static void
test_relay_listens (void)
{
  for (uint64_t seed = 1; seed <= 4; seed++) {
    StationWorldOptions options = { .delay = 15 * SS_MSEC,
                                    .loss = seed % 2 == 0 ? 0.02 : 0 };
    Show *show = show_new (seed, &options, 1, SS_LATENCY_DEFAULT);
    StationNode *relay = station_world_add (show->world, true);
    SsId group = ss_station_group_id (&show->params.key, show->params.name);
    for (unsigned i = 3; i < 12; i += 4) {
      SsId id = ss_station_stripe_id (&group, show->params.salt, i);
      g_assert_true (station_node_adopt (relay, &id, &show->params, false));
    }
    show_go_on_air (show, 300);
    StationNode *listener = show_tune_in (show, 0);
    show_play (show, 4 * SS_SEC);
    SsStationStats stats;
    ss_station_stats (ss_splitstream_station (relay->splitstream, 0), &stats);
    g_assert_cmpint (stats.role, ==, SS_ROLE_RELAY);
    g_assert_cmpuint (stats.packets_received, >, 10);
    g_assert_cmpuint (stats.packets_rejected, ==, 0);
    g_assert_cmpuint (relay->frames->len, ==, 0);
    station_node_wake (relay);
    relay->station =
        ss_station_listen (relay->splitstream, &show->publisher->descriptor, 0);
    show_play (show, 4 * SS_SEC);
    show_end (show);
    show_check_frames (show, relay, 0, 50 * SS_MSEC);
    show_check_whole (show, relay);
    show_check_whole (show, listener);
    ss_station_stats (relay->station, &stats);
    g_assert_cmpint (stats.tune_in, <, SS_SEC);
    show_free (show);
  }
}

/* A relay carries a later session than the descriptor that it begins to
 * listen with tells of: the stream says how much of it is parity. */
static void
test_relay_is_ahead (void)
{
  StationWorldOptions options = { .delay = 15 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  StationNode *relay = station_world_add (show->world, true);
  SsId group = ss_station_group_id (&show->params.key, show->params.name);
  SsId id = ss_station_stripe_id (&group, show->params.salt, 3);
  g_assert_true (station_node_adopt (relay, &id, &show->params, false));
  show_go_on_air (show, 300);
  SsDescriptor stale = show->publisher->descriptor;
  station_world_kill (show->publisher);
  show->session++;
  show->params.parity = 3;
  show_go_on_air (show, 300);
  show_play (show, 3 * SS_SEC);
  station_node_wake (relay);
  relay->station = ss_station_listen (relay->splitstream, &stale, 0);
  show_play (show, SS_SEC);
  station_node_wake (relay);
  ss_station_set_descriptor (relay->station, &show->publisher->descriptor);
  show_play (show, 3 * SS_SEC);
  show_end (show);
  SsStationStats stats;
  ss_station_stats (relay->station, &stats);
  g_assert_cmpuint (stats.packets_rejected, ==, 0);
  g_assert_cmpuint (relay->frames->len, >, 3 * SS_SEC / show->frame_time);
  show_check_whole (show, relay);
  show_free (show);
}

/* The bound follows from --upload and from what a stripe takes. */
static void
test_capacity (void)
{
  const StationWorldOptions options = { .delay = 10 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  unsigned bounds[2];
  show_go_on_air (show, 100);
  for (unsigned i = 0; i < 2; i++) {
    const SsSplitStreamConfig config = { .upload_bps = 256000u << i };
    StationNode *node = station_world_add_as (show->world, &config);
    station_node_wake (node);
    node->station =
        ss_station_listen (node->splitstream, &show->publisher->descriptor, 0);
    show_play (show, 20 * SS_SEC);
    bounds[i] = ss_family_children_max (node->station->family);
    /* A pause says little of the rate. */
    station_world_run (show->world, 20 * SS_SEC);
    g_assert_cmpuint (ss_family_children_max (node->station->family) * 10, <=,
                      bounds[i] * 13);
  }
  /* A stripe is a fifteenth of 12,000 bytes a second, and what stands around
   * the frames: a sixth to two fifths more. */
  g_assert_cmpuint (bounds[0], <=, 256000 / 8 * 85 / 100 / 930);
  g_assert_cmpuint (bounds[0], >=, 256000 / 8 * 85 / 100 / 1250);
  g_assert_cmpuint (bounds[1] * 10, <=, bounds[0] * 23);
  g_assert_cmpuint (bounds[1] * 10, >=, bounds[0] * 17);
  show_free (show);
}

/* What control takes is not there for children; but what it takes beyond a
 * share of the cap is turmoil, and soon over. */
static void
test_capacity_less_control (void)
{
  enum { UPLOAD = 256000, NODES = 3 };
  const unsigned control[NODES] = { 0, 4000, 16000 }; /* bytes a second */
  const unsigned counts[NODES] = { 0, 4000, UPLOAD / 8 * 15 / 100 };
  const StationWorldOptions options = { .delay = 10 * SS_MSEC };
  const SsSplitStreamConfig config = { .upload_bps = UPLOAD };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  unsigned bounds[NODES], whole = UPLOAD / 8 * 85 / 100;
  StationNode *nodes[NODES];
  show_go_on_air (show, 100);
  for (unsigned i = 0; i < NODES; i++) {
    nodes[i] = station_world_add_as (show->world, &config);
    station_node_wake (nodes[i]);
    nodes[i]->station = ss_station_listen (nodes[i]->splitstream,
                                           &show->publisher->descriptor, 0);
  }
  for (unsigned k = 0; k < 40; k++) {
    for (unsigned i = 0; i < NODES; i++)
      nodes[i]->env.counters.value[SS_COUNT_CONTROL_BYTES_OUT] +=
          control[i] / 2;
    show_play (show, SS_SEC / 2);
  }
  for (unsigned i = 0; i < NODES; i++) {
    bounds[i] = ss_family_children_max (nodes[i]->station->family);
    unsigned left = whole - counts[i];
    g_test_message ("control %u: %u", control[i], bounds[i]);
    g_assert_cmpuint (bounds[i] * whole * 10, <=, bounds[0] * left * 11);
    g_assert_cmpuint (bounds[i] * whole * 10, >=, bounds[0] * left * 8);
  }
  show_free (show);
}

/* So it does from what the line is found to carry, as long as that counts. */
static void
test_measured_capacity (void)
{
  const StationWorldOptions options = { .delay = 10 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  show_go_on_air (show, 100);
  StationNode *node =
      station_world_add_as (show->world, &(SsSplitStreamConfig){ 0 });
  station_node_wake (node);
  node->station =
      ss_station_listen (node->splitstream, &show->publisher->descriptor, 0);
  show_play (show, 20 * SS_SEC);
  const SsFamily *family = node->station->family;
  node->uplink_bps = 128000;
  show_play (show, SS_SEC);
  g_assert_cmpuint (ss_family_children_max (family), <=,
                    128000 / 8 * 85 / 100 / 930);
  g_assert_cmpuint (ss_family_children_max (family), >=,
                    128000 / 8 * 85 / 100 / 1250);
  node->uplink_bps = 0;
  show_play (show, SS_SEC);
  g_assert_cmpuint (ss_family_children_max (family), ==, SS_FAMILY_CHILDREN);
  show_free (show);
}

/* Another station of the same world, on the air beside the show's. */
typedef struct {
  Show *show;
  StationNode *publisher;
  SsDescriptor descriptor;
} Other;

static void
other_go_on_air (Other *other, const SsSplitStreamConfig *config)
{
  Show *show = other->show;
  SsStationParams params = show->params;
  uint8_t seed[SS_SEED_LEN];
  SsSigner signer;
  ss_rng_bytes (&show->rng, seed, sizeof seed);
  ss_signer_init (&signer, seed);
  params.key = signer.key;
  StationNode *node = station_world_add_as (show->world, config);
  station_node_wake (node);
  node->station = ss_station_publish (node->splitstream, &params, seed,
                                      show->session, "other", "text");
  SsCodecHeaders headers = {
    .codec = SS_CODEC_OPUS,
    .clock_rate = SHOW_RATE,
    .n_packets = 1,
    .packets = { show->header_packet },
  };
  ss_station_push_headers (node->station, &headers);
  other->publisher = node;
  other->descriptor = node->descriptor;
}

/* Both stations send; the other one sends what the show does, and so as much.
 */
static void
play_both (const Other *other, SsTime duration)
{
  Show *show = other->show;
  SsTime end = show->world->now + duration;
  while (show->world->now < end) {
    SsTime now = show->world->now;
    show_play (show, show->frame_time);
    SsFrame frame = {
      .data = show->frames[show->n_pushed - 1],
      .timestamp = now - show->started,
      .duration = (uint32_t) (show->frame_time * SHOW_RATE / SS_SEC),
    };
    station_node_wake (other->publisher);
    ss_station_push_frame (other->publisher->station, &frame);
  }
}

/* Stations share what a node may upload; what it broadcasts itself comes
 * first. */
static void
test_capacity_is_shared (void)
{
  enum { KINDS = 3, ONE = 0, BOTH, OWN };
  const SsSplitStreamConfig config = { .upload_bps = 512000 };
  const StationWorldOptions options = { .delay = 10 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  show_go_on_air (show, 100);
  Other other = { .show = show };
  other_go_on_air (&other, &config);
  StationNode *nodes[KINDS] = {
    [ONE] = station_world_add_as (show->world, &config),
    [BOTH] = station_world_add_as (show->world, &config),
    [OWN] = other.publisher,
  };
  const SsFamily *families[KINDS];
  for (unsigned i = 0; i < KINDS; i++) {
    station_node_wake (nodes[i]);
    families[i] = ss_station_listen (nodes[i]->splitstream,
                                     &show->publisher->descriptor, 0)
                      ->family;
  }
  SsStation *second =
      ss_station_listen (nodes[BOTH]->splitstream, &other.descriptor, 0);
  play_both (&other, 20 * SS_SEC);
  unsigned whole = ss_family_children_max (families[ONE]);
  unsigned half = ss_family_children_max (families[BOTH]);
  unsigned half_too = ss_family_children_max (second->family);
  unsigned rest = ss_family_children_max (families[OWN]);
  g_test_message ("%u; %u and %u; %u beside one's own", whole, half, half_too,
                  rest);
  g_assert_cmpuint (whole, <=, 512000 / 8 * 85 / 100 / 930);
  g_assert_cmpuint (whole, >=, 512000 / 8 * 85 / 100 / 1250);
  g_assert_cmpuint (half + half_too, <=, whole + whole / 10);
  g_assert_cmpuint (half * 10, >=, whole * 4);
  g_assert_cmpuint (half_too * 10, >=, whole * 4);
  g_assert_cmpuint (rest, <=, whole - SS_STRIPES + whole / 10);
  g_assert_cmpuint (rest, >=, whole - SS_STRIPES - whole / 10);
  show_free (show);
}

static void
count_line (void *user, SsLogLevel level, const char *text)
{
  unsigned *n_lines = user;
  *n_lines += level == SS_LOG_ERROR && strstr (text, "--upload") != NULL;
}

/* A stream of 96 kbit/s takes 16/15 of that, and what is around it: who may not
 * upload as much is told, once. */
static void
test_cap_below_stream (void)
{
  static const struct {
    uint64_t upload_bps;
    unsigned n_told;
  } caps[] = { { 60000, 1 }, { 96000 * 16 / 15, 1 }, { 200000, 0 }, { 0, 0 } };
  for (unsigned i = 0; i < G_N_ELEMENTS (caps); i++) {
    const SsSplitStreamConfig config = { .upload_bps = caps[i].upload_bps };
    const StationWorldOptions options = { .delay = 10 * SS_MSEC };
    Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
    show_go_on_air (show, 100);
    Other other = { .show = show };
    other_go_on_air (&other, &config);
    unsigned n_told = 0;
    other.publisher->env.log = count_line;
    other.publisher->env.log_user = &n_told;
    play_both (&other, 6 * SS_SEC);
    g_assert_cmpuint (n_told, ==, 0); /* not at once */
    play_both (&other, 14 * SS_SEC);
    g_assert_cmpuint (n_told, ==, caps[i].n_told);
    show_free (show);
  }
}

static bool
offers_place (StationNode *relay, unsigned stripe, unsigned wanted)
{
  const uint8_t question[] = { (uint8_t) stripe, (uint8_t) wanted, 0 };
  SsContact origin = relay->self;
  origin.id.b[0] ^= 0x80;
  station_node_wake (relay);
  return ss_spare_asked (ss_splitstream_station (relay->splitstream, 0),
                         &origin, question, sizeof question);
}

/* A relay that has room joins another stripe's tree for who has found nobody
 * in it that has some; if it is to help the station, and not before. */
static void
test_relay_comes (void)
{
  enum { WITH_STRIPE, ANY }; /* splitstream/spare.c */
  static const char *const names[] = { "radio1", "radio2" };
  const StationWorldOptions options = { .delay = 10 * SS_MSEC };
  for (unsigned i = 0; i < G_N_ELEMENTS (names); i++) {
    bool is_asked_to = i == 0;
    Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
    SsRelayed relayed = { .has_fingerprint = false };
    const SsSplitStreamConfig config = { .is_relay = true,
                                         .relayed = &relayed,
                                         .n_relayed = 1 };
    g_strlcpy (relayed.name, names[i], sizeof relayed.name);
    StationNode *relay = station_world_add_as (show->world, &config);
    relay->self.flags |= SS_PEER_REACHABLE;
    SsId group_id = ss_station_group_id (&show->params.key, show->params.name);
    SsId id = ss_station_stripe_id (&group_id, show->params.salt, 3);
    g_assert_true (station_node_adopt (relay, &id, &show->params, true));
    show_go_on_air (show, 100);
    show_play (show, 5 * SS_SEC);
    const SsStation *station = ss_splitstream_station (relay->splitstream, 0);
    ss_group_join (station->stripes[3].group);     /* it is in the tree */
    g_assert_false (offers_place (relay, 7, ANY)); /* no room */
    relay->has_room = true;
    g_assert_false (offers_place (relay, 7, WITH_STRIPE));
    g_assert_null (station->stripes[7].group);
    g_assert_true (offers_place (relay, 7, ANY) == is_asked_to);
    g_assert_true ((station->stripes[7].group != NULL) == is_asked_to);
    g_assert_true (offers_place (relay, 7, WITH_STRIPE) == is_asked_to);
    show_free (show);
  }
}

static bool
would_relay (Show *show, const char *name, const SsId *fingerprint,
             bool is_root)
{
  SsRelayed relayed = { .has_fingerprint = fingerprint != NULL };
  const SsSplitStreamConfig config = { .is_relay = true,
                                       .relayed = &relayed,
                                       .n_relayed = 1 };
  g_strlcpy (relayed.name, name, sizeof relayed.name);
  if (fingerprint != NULL)
    relayed.fingerprint = *fingerprint;
  StationNode *node = station_world_add_as (show->world, &config);
  SsId group_id = ss_station_group_id (&show->params.key, show->params.name);
  SsId id = ss_station_stripe_id (&group_id, show->params.salt, 3);
  return station_node_adopt (node, &id, &show->params, is_root);
}

/* A relay forwards the stations that it is told to, and as a root any. */
static void
test_relay_choice (void)
{
  const StationWorldOptions options = { .delay = 10 * SS_MSEC };
  Show *show = show_new (1, &options, 1, SS_LATENCY_DEFAULT);
  SsId fingerprint = ss_id_of_key (&show->params.key), other = fingerprint;
  other.b[0] ^= 1;
  g_assert_true (would_relay (show, "radio1", NULL, false));
  g_assert_true (would_relay (show, "radio1", &fingerprint, false));
  g_assert_false (would_relay (show, "radio1", &other, false));
  g_assert_false (would_relay (show, "radio2", NULL, false));
  g_assert_true (would_relay (show, "radio2", NULL, true));
  show_free (show);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/carry/capacity", test_capacity);
  g_test_add_func ("/splitstream/carry/capacity-less-control",
                   test_capacity_less_control);
  g_test_add_func ("/splitstream/carry/capacity-measured",
                   test_measured_capacity);
  g_test_add_func ("/splitstream/carry/capacity-shared",
                   test_capacity_is_shared);
  g_test_add_func ("/splitstream/carry/cap-below-stream",
                   test_cap_below_stream);
  g_test_add_func ("/splitstream/carry/relay-choice", test_relay_choice);
  g_test_add_func ("/splitstream/carry/relay-comes", test_relay_comes);
  g_test_add_func ("/splitstream/carry/adopt", test_adopt);
  g_test_add_func ("/splitstream/carry/relay-listens", test_relay_listens);
  g_test_add_func ("/splitstream/carry/relay-is-ahead", test_relay_is_ahead);
  return g_test_run ();
}
