/* The --stats line: parsed again by another JSON library, every member that
 * monitors rely on is there and of its type. */
#include <glib.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/stats.h"

static void
fill (SsNodeStats *stats)
{
  *stats = (SsNodeStats) {
    .state = SS_NODE_JOINED,
    .leaf_set = 3,
    .routing_entries = 4,
    .peers = 5,
    .n_stations = 1,
    .has_station = true,
    .station = {
      .role = SS_ROLE_LISTENER,
      .session = 77,
      .rows = 10,
      .packets_received = 11,
      .packets_duplicate = 12,
      .packets_retransmitted = 13,
      .packets_from_parity = 14,
      .packets_lost = 15,
      .packets_rejected = 16,
      .frames_out = 17,
      .frames_lost = 18,
      .tune_in = 19 * SS_MSEC,
      .latency = 1501 * SS_MSEC,
      .buffered = 1300 * SS_MSEC,
      .media_origin = 5 * SS_SEC,
      .arrivals = { .is_set = true,
                    .counts = { [0] = 60, [2] = 39 },
                    .n_beyond = 1 },
      .arrival_p50 = 1 * SS_MSEC,
      .arrival_p99 = 3 * SS_MSEC,
    },
  };
  memset (&stats->self.key, 1, sizeof stats->self.key);
  stats->self.id = ss_id_of_key (&stats->self.key);
  stats->self.addr = ss_addr_v4 (0x7f000001, 5000);
  stats->counters.value[SS_COUNT_BYTES_OUT] = 1000;
  stats->counters.value[SS_COUNT_BYTES_IN] = 2000;
  g_strlcpy (stats->station.params.name, "q\"uote\\ caf\xc3\xa9",
             sizeof stats->station.params.name);
  stats->station.stripes[3].parent = stats->self;
  stats->station.stripes[3].children = 2;
  stats->station.stripes[3].lag = 1500 * SS_USEC;
}

/* What was heard stays, whatever is relayed afterwards. */
static void
test_keep (void)
{
  SsStatsKept kept = { .has_station = false };
  SsNodeStats stats;

  fill (&stats);
  stats.station.role = SS_ROLE_RELAY;
  stats.station.session = 1;
  ss_stats_keep (&kept, &stats);
  g_assert_cmpuint (kept.station.session, ==, 1);
  fill (&stats);
  ss_stats_keep (&kept, &stats);
  g_assert_cmpuint (stats.station.session, ==, 77);
  stats.station.role = SS_ROLE_RELAY;
  stats.station.session = 2;
  ss_stats_keep (&kept, &stats);
  g_assert_cmpuint (stats.station.session, ==, 77);
  g_assert_cmpuint (stats.station.frames_out, ==, 17);
  stats = (SsNodeStats){ .n_stations = 0 };
  ss_stats_keep (&kept, &stats);
  g_assert_true (stats.has_station);
  g_assert_cmpuint (stats.station.session, ==, 77);
  fill (&stats);
  stats.station.session = 78;
  ss_stats_keep (&kept, &stats);
  g_assert_cmpuint (kept.station.session, ==, 78);
}

static JsonObject *
parse (JsonParser *parser, const char *text)
{
  GError *error = NULL;

  json_parser_load_from_data (parser, text, -1, &error);
  g_assert_no_error (error);
  g_assert_null (strchr (text, '\n'));
  return json_node_get_object (json_parser_get_root (parser));
}

static void
test_members (void)
{
  static const char *const outer[] = {
    "time",         "node",           "address",
    "state",        "leaf_set",       "routing_entries",
    "peers",        "upload_bps",     "download_bps",
    "upload_bytes", "download_bytes", "control_upload_bps",
    "station",      "counters",       "cpu_s",
    "reachable",    "attachments",    "clients",
    "suspects",     "routing_rtt_ms",
  };
  static const char *const inner[] = {
    "name",
    "key",
    "role",
    "rows",
    "packets_received",
    "packets_duplicate",
    "packets_retransmitted",
    "packets_from_parity",
    "packets_lost",
    "packets_rejected",
    "frames_out",
    "frames_lost",
    "tune_in_ms",
    "latency_ms",
    "buffer_ms",
    "media_origin",
    "arrival_p50_ms",
    "arrival_p99_ms",
    "arrivals",
    "arrivals_beyond",
    "stripes",
  };
  static const char *const stripe[] = {
    "index",  "parent",   "root", "children",
    "lag_ms", "pause_ms", "lost", "reparented",
  };
  g_autoptr (JsonParser) parser = json_parser_new ();
  SsNodeStats stats;
  SsStatsLine line = { .node = &stats,
                       .tune_in = 900 * SS_MSEC,
                       .wall = 1700000000500 * SS_MSEC,
                       .upload_bps = 96000 };

  fill (&stats);
  g_autofree char *text = ss_stats_format (&line);
  JsonObject *object = parse (parser, text);

  for (size_t i = 0; i < G_N_ELEMENTS (outer); i++)
    g_assert_true (json_object_has_member (object, outer[i]));
  JsonObject *station = json_object_get_object_member (object, "station");

  for (size_t i = 0; i < G_N_ELEMENTS (inner); i++)
    g_assert_true (json_object_has_member (station, inner[i]));
  JsonArray *stripes = json_object_get_array_member (station, "stripes");

  g_assert_cmpuint (json_array_get_length (stripes), ==, 16);
  for (unsigned i = 0; i < 16; i++) {
    JsonObject *one = json_array_get_object_element (stripes, i);

    for (size_t j = 0; j < G_N_ELEMENTS (stripe); j++)
      g_assert_true (json_object_has_member (one, stripe[j]));
    g_assert_cmpint (json_object_get_int_member (one, "index"), ==, i);
    g_assert_true (json_object_get_null_member (one, "parent") == (i != 3));
  }
}

static void
test_values (void)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  SsNodeStats stats;
  SsStatsLine line = { .node = &stats,
                       .tune_in = -1,
                       .wall = 1700000000500 * SS_MSEC,
                       .wall_offset = 1699999990 * SS_SEC,
                       .upload_bps = 96000.4 };

  fill (&stats);
  g_autofree char *text = ss_stats_format (&line);
  JsonObject *object = parse (parser, text);
  JsonObject *station = json_object_get_object_member (object, "station");
  JsonObject *stripe = json_array_get_object_element (
      json_object_get_array_member (station, "stripes"), 3);

  g_assert_cmpfloat (json_object_get_double_member (object, "time"), ==,
                     1700000000.5);
  g_assert_cmpstr (json_object_get_string_member (object, "state"), ==,
                   "joined");
  g_assert_cmpstr (json_object_get_string_member (object, "address"), ==,
                   "127.0.0.1:5000");
  g_assert_cmpint (json_object_get_int_member (object, "upload_bps"), ==,
                   96000);
  g_assert_cmpint (json_object_get_int_member (object, "upload_bytes"), ==,
                   1000);
  g_assert_cmpstr (json_object_get_string_member (station, "name"), ==,
                   "q\"uote\\ caf\xc3\xa9");
  g_assert_cmpint (json_object_get_int_member (station, "packets_rejected"), ==,
                   16);
  g_assert_true (json_object_get_null_member (station, "tune_in_ms"));
  g_assert_cmpfloat (json_object_get_double_member (station, "latency_ms"), ==,
                     1501);
  g_assert_cmpfloat (json_object_get_double_member (station, "media_origin"),
                     ==, 1699999995);
  g_assert_cmpfloat (json_object_get_double_member (station, "arrival_p50_ms"),
                     ==, 1);
  g_assert_cmpfloat (json_object_get_double_member (station, "arrival_p99_ms"),
                     ==, 3);
  JsonArray *arrivals = json_object_get_array_member (station, "arrivals");

  g_assert_cmpuint (json_array_get_length (arrivals), ==, 3);
  g_assert_cmpint (json_array_get_int_element (arrivals, 2), ==, 39);
  g_assert_cmpfloat (json_object_get_double_member (stripe, "lag_ms"), ==, 1.5);
  g_assert_cmpint (json_object_get_int_member (stripe, "children"), ==, 2);

  /* In no station. */
  stats.has_station = false;
  g_autofree char *idle = ss_stats_format (&line);

  object = parse (parser, idle);
  g_assert_true (json_object_get_null_member (object, "station"));
}

static void
test_rates (void)
{
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  int fd = g_file_open_tmp ("ss-stats-XXXXXX", &path, NULL);
  SsStats *stats = ss_stats_open (path, NULL);
  SsNodeStats node;

  fill (&node);
  for (unsigned i = 0; i < 3; i++) {
    SsStatsLine line = { .node = &node, .tune_in = -1 };

    g_assert_true (ss_stats_write (stats, i * 2 * SS_SEC, &line, NULL));
    /* 1000 bytes in 2 s are 4000 bit/s. */
    g_assert_cmpfloat (line.upload_bps, ==, i == 0 ? 0 : 4000);
    g_assert_cmpfloat (line.download_bps, ==, i == 0 ? 0 : 800);
    g_assert_cmpfloat (line.cpu_s, >, 0);
    g_assert_cmpuint (line.memory_peak, >, 1 << 20);
    node.counters.value[SS_COUNT_BYTES_OUT] += 1000;
    node.counters.value[SS_COUNT_BYTES_IN] += 200;
  }
  ss_stats_close (stats);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  g_assert_cmpuint (g_strv_length (lines), ==, 4);
  g_assert_cmpstr (lines[3], ==, "");
  close (fd);
  g_unlink (path);
}

static void
test_full (void)
{
  GError *error = NULL;
  SsStats *stats = ss_stats_open ("/dev/full", NULL);
  SsNodeStats node;

  fill (&node);
  SsStatsLine line = { .node = &node, .tune_in = -1 };

  /* Said once; a broadcast does not end because of its log. */
  g_assert_nonnull (stats);
  g_assert_false (ss_stats_write (stats, 0, &line, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_true (ss_stats_write (stats, SS_SEC, &line, NULL));
  ss_stats_close (stats);
  g_assert_null (ss_stats_open ("/nonexistent/file", &error));
  g_assert_nonnull (strstr (error->message, "/nonexistent/file"));
  g_clear_error (&error);
}

/* Nothing waits for who reads a named pipe; what is read are whole lines. */
static void
test_pipe (void)
{
  g_autofree char *dir = g_dir_make_tmp ("ss-stats-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "fifo", NULL);
  SsNodeStats node;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  fill (&node);
  SsStatsLine line = { .node = &node, .tune_in = -1 };
  SsStats *stats = ss_stats_open (path, NULL);

  g_assert_nonnull (stats);
  for (unsigned i = 0; i < 200; i++)
    g_assert_true (ss_stats_write (stats, i * SS_SEC, &line, NULL));
  int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[4096];
  ssize_t len;

  g_assert_cmpint (fd, >=, 0);
  for (unsigned round = 0; round < 2; round++) {
    while ((len = read (fd, buffer, sizeof buffer)) > 0)
      g_string_append_len (text, buffer, len);
    /* The rest of the line that did not fit, and another. */
    g_assert_true (ss_stats_write (stats, (300 + round) * SS_SEC, &line, NULL));
  }
  close (fd);
  ss_stats_close (stats);
  g_unlink (path);
  g_rmdir (dir);
  g_assert_cmpuint (text->len, >, 1 << 15);
  g_auto (GStrv) lines = g_strsplit (text->str, "\n", -1);
  unsigned n = g_strv_length (lines);

  g_assert_cmpuint (n, <, 200);
  g_assert_cmpstr (lines[n - 1], ==, "");
  for (unsigned i = 0; i + 1 < n; i++) {
    JsonParser *parser = json_parser_new ();

    g_assert_true (json_parser_load_from_data (parser, lines[i], -1, NULL));
    g_object_unref (parser);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/stats/members", test_members);
  g_test_add_func ("/net/stats/values", test_values);
  g_test_add_func ("/net/stats/rates", test_rates);
  g_test_add_func ("/net/stats/full", test_full);
  g_test_add_func ("/net/stats/pipe", test_pipe);
  g_test_add_func ("/net/stats/keep", test_keep);
  return g_test_run ();
}
