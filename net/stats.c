/* Statistics as lines of JSON. Made by hand: the shape is fixed, and a tree
 * of objects each second would only be in the way. A line has 300 numbers:
 * printf would take longer for them than for a second of a slow stream. */
#include "net/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/error.h"

#define LINE_LEN   8192 /* of most; a longer one only takes longer */
#define STATUS_LEN 8192 /* of /proc/self/status: the groups come first */
#define DIGITS_MAX 20   /* of 64 bits */
#define OPEN_FLAGS (O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

struct SsStats {
  int fd;
  int status_fd; /* -1: there is none */
  char *path;
  GString *unwritten; /* of the line that did not go out whole */
  bool has_failed;
  bool has_last;
  SsTime last;
  SsCounters last_counters;
};

const char *
ss_state_name (SsNodeState state)
{
  static const char *const names[] = {
    [SS_NODE_OUTSIDE] = "outside", [SS_NODE_JOINING] = "joining",
    [SS_NODE_ALONE] = "alone",     [SS_NODE_JOINED] = "joined",
    [SS_NODE_LEAVING] = "leaving",
  };

  return (unsigned) state < G_N_ELEMENTS (names) ? names[state] : "outside";
}

static void
append_string (GString *json, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  g_string_append_c (json, '"');
  for (const char *c = valid; *c != '\0'; c++)
    if (*c == '"' || *c == '\\')
      g_string_append_printf (json, "\\%c", *c);
    else if ((unsigned char) *c < 0x20 || *c == 0x7f)
      g_string_append_printf (json, "\\u%04x", (unsigned) *c);
    else
      g_string_append_c (json, *c);
  g_string_append_c (json, '"');
}

/* Names need no escaping: they are this file's. */
static void
append_name (GString *json, const char *name)
{
  g_string_append (json, json->str[json->len - 1] != '{' ? ",\"" : "\"");
  g_string_append (json, name);
  g_string_append (json, "\":");
}

/* At least so many digits. */
static void
append_digits (GString *json, uint64_t value, unsigned n_least)
{
  char digits[DIGITS_MAX];
  unsigned at = DIGITS_MAX;

  g_assert (n_least <= DIGITS_MAX);
  for (; value > 0 || DIGITS_MAX - at < n_least; value /= 10)
    digits[--at] = (char) ('0' + value % 10);
  g_string_append_len (json, digits + at, DIGITS_MAX - at);
}

static void
add_string (GString *json, const char *name, const char *value)
{
  append_name (json, name);
  if (value == NULL)
    g_string_append (json, "null");
  else
    append_string (json, value);
}

static void
add_count (GString *json, const char *name, uint64_t value)
{
  append_name (json, name);
  append_digits (json, value, 1);
}

static void
add_bool (GString *json, const char *name, bool value)
{
  append_name (json, name);
  g_string_append (json, value ? "true" : "false");
}

/* Rounded to so many decimals. */
static void
add_number (GString *json, const char *name, double value, unsigned decimals)
{
  int64_t scale = 1;

  for (unsigned i = 0; i < decimals; i++)
    scale *= 10;
  int64_t scaled = llround (value * (double) scale);

  append_name (json, name);
  if (scaled < 0)
    g_string_append_c (json, '-');
  append_digits (json, (uint64_t) (ABS (scaled) / scale), 1);
  if (decimals == 0)
    return;
  g_string_append_c (json, '.');
  append_digits (json, (uint64_t) (ABS (scaled) % scale), decimals);
}

static void
add_ms (GString *json, const char *name, SsTime value)
{
  if (value < 0 || value == SS_NEVER)
    add_string (json, name, NULL);
  else
    add_number (json, name, (double) value / (double) SS_MSEC, 1);
}

/* A time by the node's clock, as UNIX time. */
static void
add_time (GString *json, const char *name, SsTime value, SsTime wall_offset)
{
  if (value == SS_NEVER)
    add_string (json, name, NULL);
  else
    add_number (json, name, (double) (value + wall_offset) / (double) SS_SEC,
                6);
}

static void
add_contact (GString *json, const char *name, const SsContact *contact)
{
  static const SsKey none;
  char id[SS_ID_STRLEN];

  if (ss_key_equal (&contact->key, &none)) {
    add_string (json, name, NULL);
    return;
  }
  ss_id_format (&contact->id, id);
  add_string (json, name, id);
}

/* How late packets are; the counts up to the last that is not 0. */
static void
add_arrivals (GString *json, const SsStationStats *station)
{
  const SsArrivals *arrivals = &station->arrivals;
  unsigned n = SS_ARRIVALS_BINS;

  add_ms (json, "arrival_p50_ms", station->arrival_p50);
  add_ms (json, "arrival_p99_ms", station->arrival_p99);
  append_name (json, "arrivals");
  g_string_append_c (json, '[');
  while (n > 0 && arrivals->counts[n - 1] == 0)
    n--;
  for (unsigned i = 0; i < n; i++) {
    if (i > 0)
      g_string_append_c (json, ',');
    append_digits (json, arrivals->counts[i], 1);
  }
  g_string_append_c (json, ']');
  add_count (json, "arrivals_beyond", arrivals->n_beyond);
}

static void
add_stripes (GString *json, const SsStationStats *station)
{
  append_name (json, "stripes");
  g_string_append_c (json, '[');
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    const SsStripeStats *stripe = &station->stripes[i];

    g_string_append (json, i == 0 ? "{" : ",{");
    add_count (json, "index", i);
    add_contact (json, "parent", &stripe->parent);
    add_contact (json, "root", &stripe->root);
    add_bool (json, "in_tree", stripe->in_tree);
    add_bool (json, "is_root", stripe->is_root);
    add_bool (json, "homeless", stripe->homeless);
    add_count (json, "children", stripe->children);
    add_ms (json, "lag_ms", stripe->lag);
    add_ms (json, "pause_ms", stripe->pause);
    add_count (json, "received", stripe->received);
    add_count (json, "lost", stripe->lost);
    add_count (json, "reparented", stripe->reparented);
    g_string_append_c (json, '}');
  }
  g_string_append_c (json, ']');
}

static void
add_station (GString *json, const SsStatsLine *line)
{
  const SsStationStats *station = &line->node->station;
  static const char *const roles[] = {
    [SS_ROLE_PUBLISHER] = "publisher",
    [SS_ROLE_LISTENER] = "listener",
    [SS_ROLE_RELAY] = "relay",
  };
  char fingerprint[SS_FINGERPRINT_STRLEN];

  ss_fingerprint_format (&station->params.key, fingerprint);
  append_name (json, "station");
  g_string_append_c (json, '{');
  add_string (json, "name", station->params.name);
  add_string (json, "key", fingerprint);
  add_string (json, "role", roles[station->role]);
  add_count (json, "session", station->session);
  add_count (json, "parity", station->params.parity);
  add_ms (json, "target_latency_ms", station->params.latency);
  add_count (json, "rows", station->rows);
  add_count (json, "packets_sent", station->packets_sent);
  add_count (json, "payload_bytes", station->payload_bytes);
  add_count (json, "packets_received", station->packets_received);
  add_count (json, "packets_duplicate", station->packets_duplicate);
  add_count (json, "packets_retransmitted", station->packets_retransmitted);
  add_count (json, "packets_from_parity", station->packets_from_parity);
  add_count (json, "packets_lost", station->packets_lost);
  add_count (json, "packets_rejected", station->packets_rejected);
  add_count (json, "frames_out", station->frames_out);
  add_count (json, "frames_lost", station->frames_lost);
  add_ms (json, "tune_in_ms",
          station->role == SS_ROLE_LISTENER ? line->tune_in : -1);
  add_ms (json, "latency_ms", station->latency);
  add_ms (json, "buffer_ms", MAX (station->buffered, 0));
  add_time (json, "media_origin", station->media_origin, line->wall_offset);
  add_arrivals (json, station);
  add_bool (json, "silent", station->silent);
  add_bool (json, "ended", station->ended);
  add_stripes (json, station);
  g_string_append_c (json, '}');
}

static void
add_counters (GString *json, const SsCounters *counters)
{
  append_name (json, "counters");
  g_string_append_c (json, '{');
  for (unsigned i = 0; i < SS_N_COUNTERS; i++)
    add_count (json, ss_counter_name (i), counters->value[i]);
  g_string_append_c (json, '}');
}

void
ss_stats_keep (SsStatsKept *kept, SsNodeStats *stats)
{
  bool is_relay = stats->has_station && stats->station.role == SS_ROLE_RELAY;
  bool was_relay = kept->has_station && kept->station.role == SS_ROLE_RELAY;
  bool is_left =
      kept->has_station && (!stats->has_station || (is_relay && !was_relay));

  if (is_left) {
    stats->has_station = true;
    stats->station = kept->station;
  } else if (stats->has_station) {
    kept->has_station = true;
    kept->station = stats->station;
  }
}

char *
ss_stats_format (const SsStatsLine *line)
{
  const SsNodeStats *node = line->node;
  const SsAddr *addr = ss_addr_is_set (&node->self.addr) ? &node->self.addr
                                                         : &line->fallback_addr;
  GString *json = g_string_sized_new (LINE_LEN);
  char id[SS_ID_STRLEN], addr_text[SS_ADDR_STRLEN];

  ss_id_format (&node->self.id, id);
  ss_addr_format (addr, addr_text);
  g_string_append_c (json, '{');
  add_number (json, "time", (double) line->wall / (double) SS_SEC, 3);
  add_string (json, "node", id);
  add_string (json, "address", addr_text);
  add_string (json, "state", ss_state_name (node->state));
  add_bool (json, "reachable", node->reachable);
  add_count (json, "attachments", node->attachments);
  add_count (json, "clients", node->clients);
  add_count (json, "leaf_set", node->leaf_set);
  add_count (json, "routing_entries", node->routing_entries);
  add_ms (json, "routing_rtt_ms", node->routing_rtt);
  add_count (json, "suspects", node->suspects);
  add_count (json, "peers", node->peers);
  add_number (json, "upload_bps", line->upload_bps, 0);
  add_number (json, "download_bps", line->download_bps, 0);
  add_number (json, "control_upload_bps", line->control_upload_bps, 0);
  add_count (json, "upload_bytes", node->counters.value[SS_COUNT_BYTES_OUT]);
  add_count (json, "download_bytes", node->counters.value[SS_COUNT_BYTES_IN]);
  add_number (json, "cpu_s", line->cpu_s, 3);
  add_count (json, "memory_peak_bytes", line->memory_peak);
  add_count (json, "stations", node->n_stations);
  if (node->has_station)
    add_station (json, line);
  else
    add_string (json, "station", NULL);
  add_counters (json, &node->counters);
  g_string_append_c (json, '}');
  return g_string_free (json, FALSE);
}

/* Nothing here waits for a reader: whoever pauses it would pause the node.
 * Where standard error is a pipe or a terminal it is opened once more, since
 * what others write to shall go on blocking. */
static int
open_stderr (void)
{
  struct stat status;
  int fd = -1;

  if (isatty (STDERR_FILENO)
      || (fstat (STDERR_FILENO, &status) == 0 && S_ISFIFO (status.st_mode)))
    fd = open ("/proc/self/fd/2", O_WRONLY | OPEN_FLAGS);
  return fd >= 0 ? fd : STDERR_FILENO;
}

static int
open_file (const char *path)
{
  int fd = open (path, O_WRONLY | O_CREAT | OPEN_FLAGS, 0644);

  /* A named pipe that nobody reads yet. */
  if (fd < 0 && errno == ENXIO)
    fd = open (path, O_RDWR | OPEN_FLAGS);
  return fd;
}

SsStats *
ss_stats_open (const char *path, GError **error)
{
  int fd;

  if (strcmp (path, "-") == 0) {
    fd = open_stderr ();
  } else {
    fd = open_file (path);
    if (fd < 0) {
      g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                   "cannot write statistics to %s: %s; give another file to "
                   "--stats",
                   path, g_strerror (errno));
      return NULL;
    }
  }
  SsStats *stats = g_new0 (SsStats, 1);

  stats->fd = fd;
  stats->status_fd = open ("/proc/self/status", O_RDONLY | O_CLOEXEC);
  stats->path = g_strdup (path);
  stats->unwritten = g_string_new (NULL);
  return stats;
}

/* In bytes. Not getrusage's: a process starts with the peak of who forked
 * it. */
static uint64_t
memory_peak (const SsStats *stats)
{
  static const char label[] = "\nVmHWM:";
  char text[STATUS_LEN + 1];
  ssize_t n = pread (stats->status_fd, text, STATUS_LEN, 0);

  if (n < 0)
    return 0;
  text[n] = '\0';
  const char *found = strstr (text, label);

  return found == NULL
             ? 0
             : g_ascii_strtoull (found + strlen (label), NULL, 10) * 1024;
}

static void
fill_in (SsStats *stats, SsTime now, SsStatsLine *line)
{
  const uint64_t *value = line->node->counters.value;
  const uint64_t *last = stats->last_counters.value;
  double seconds = (double) (now - stats->last) / (double) SS_SEC;
  struct rusage usage;

  if (stats->has_last && seconds > 0) {
    double bits = 8 / seconds;

    line->upload_bps =
        (double) (value[SS_COUNT_BYTES_OUT] - last[SS_COUNT_BYTES_OUT]) * bits;
    line->download_bps =
        (double) (value[SS_COUNT_BYTES_IN] - last[SS_COUNT_BYTES_IN]) * bits;
    line->control_upload_bps = (double) (value[SS_COUNT_CONTROL_BYTES_OUT]
                                         - last[SS_COUNT_CONTROL_BYTES_OUT])
                               * bits;
  }
  stats->has_last = true;
  stats->last = now;
  stats->last_counters = line->node->counters;
  getrusage (RUSAGE_SELF, &usage);
  line->cpu_s =
      (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
      + (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  line->memory_peak = memory_peak (stats);
}

/* As much as goes without waiting; false with errno when it fails. */
static bool
write_out (SsStats *stats)
{
  while (stats->unwritten->len > 0) {
    ssize_t n = write (stats->fd, stats->unwritten->str, stats->unwritten->len);

    if (n > 0)
      g_string_erase (stats->unwritten, 0, n);
    else if (errno == EAGAIN)
      return true;
    else if (errno != EINTR)
      return false;
  }
  return true;
}

bool
ss_stats_write (SsStats *stats, SsTime now, SsStatsLine *line, GError **error)
{
  fill_in (stats, now, line);
  bool ok = write_out (stats);

  /* A reader that is behind misses whole lines. */
  if (ok && stats->unwritten->len == 0) {
    g_autofree char *json = ss_stats_format (line);

    g_string_append (stats->unwritten, json);
    g_string_append_c (stats->unwritten, '\n');
    ok = write_out (stats);
  }
  if (ok || stats->has_failed)
    return true;
  stats->has_failed = true;
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
               "cannot write statistics to %s: %s; going on without",
               stats->path, g_strerror (errno));
  return false;
}

void
ss_stats_close (SsStats *stats)
{
  if (stats == NULL)
    return;
  if (stats->fd != STDERR_FILENO)
    close (stats->fd);
  if (stats->status_fd >= 0)
    close (stats->status_fd);
  g_string_free (stats->unwritten, TRUE);
  g_free (stats->path);
  g_free (stats);
}
