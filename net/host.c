/* The host of a node. */
#include "net/host.h"

#include <errno.h>
#include <gio/gio.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "net/error.h"
#include "net/identity.h"
#include "net/key_file.h"
#include "net/local_dir.h"
#include "net/stats.h"

/* Timers, all kept by one alarm:
 *   stats    each second
 *   scan     of the local directory: often until in a ring
 *   resolve  of bootstrap names that failed: more slowly each time
 *   identity the time of the last handshake is saved
 *   leave    the end of patience with an orderly leave */
#define SCAN_INTERVAL_OUTSIDE (200 * SS_MSEC)
#define SCAN_INTERVAL_ALONE   SS_SEC
#define SCAN_INTERVAL_JOINED  (30 * SS_SEC)
#define RESOLVE_AGAIN_MIN     (2 * SS_SEC)
#define RESOLVE_AGAIN_MAX     (60 * SS_SEC)
#define IDENTITY_INTERVAL     (60 * SS_SEC)

#define ADDRS_PER_NAME_MAX 8
#define LOCAL_JOINS_MAX    8 /* live local nodes joined through */

typedef struct {
  SsHost *host;
  SsEndpoint endpoint;
  bool is_resolved, is_asked;
  char *trouble; /* why the name gave no address */
  SsTime again, pause;
} Bootstrap;

struct SsHost {
  char *program;
  SsHostOptions options; /* values and callbacks; pointers only where kept */
  SsDirs dirs;
  SsRng rng;
  SsIdentity identity;
  SsId realm; /* tag of the realm key, for the local directory */
  SsLoop *loop;
  SsUdp *udp; /* the loop's */
  SsStats *stats;
  SsTime tune_in;
  SsNodeState state;
  SsAddr address;

  unsigned n_bootstrap;
  Bootstrap *bootstrap;
  GResolver *resolver;
  GCancellable *cancellable;
  char *join_trouble; /* the node's word */

  SsLocalDir *local_dir;
  SsAddr joined_local[LOCAL_JOINS_MAX];
  unsigned n_joined_local;

  SsAlarm *alarm;
  SsTime stats_at, scan_at, identity_at, leave_by;
  bool has_left;
};

static void wake (void *user);

static void G_GNUC_PRINTF (3, 4)
    say (const SsHost *host, SsLogLevel level, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);

  va_end (args);
  host->options.say (host->options.say_user, level, text);
}

/* Says the error and frees it: for what can be done without. */
static void
say_error (const SsHost *host, GError *error)
{
  say (host, SS_LOG_ERROR, "%s", error->message);
  g_error_free (error);
}

static void
set_alarm (SsHost *host)
{
  SsTime at = MIN (MIN (host->stats_at, host->scan_at),
                   MIN (host->identity_at, host->leave_by));

  for (unsigned i = 0; i < host->n_bootstrap; i++)
    at = MIN (at, host->bootstrap[i].again);
  ss_alarm_set (host->alarm, at);
}

/* The local directory. */

static bool
is_joined_local (const SsHost *host, const SsAddr *addr)
{
  for (unsigned i = 0; i < host->n_joined_local; i++)
    if (ss_addr_equal (&host->joined_local[i], addr))
      return true;
  return false;
}

static void
scan_local_dir (SsHost *host, SsTime now)
{
  SsLocalNode nodes[LOCAL_JOINS_MAX];
  SsContact contacts[LOCAL_JOINS_MAX * SS_PEER_ADDRS_MAX];
  unsigned n_contacts = 0;
  unsigned n =
      ss_local_dir_list (host->local_dir, &host->realm, nodes, LOCAL_JOINS_MAX);

  for (unsigned i = 0; i < n; i++)
    for (unsigned j = 0; j < nodes[i].n_addrs; j++) {
      if (!ss_udp_reaches (host->udp, &nodes[i].addrs[j]))
        continue;
      /* The first address that works is enough; the second is for a machine
       * that has lost its network since. */
      if (!is_joined_local (host, &nodes[i].addrs[j])) {
        if (host->n_joined_local == LOCAL_JOINS_MAX)
          host->n_joined_local = 0;
        host->joined_local[host->n_joined_local++] = nodes[i].addrs[j];
        contacts[n_contacts++] = (SsContact){
          .key = nodes[i].key,
          .id = ss_id_of_key (&nodes[i].key),
          .addr = nodes[i].addrs[j],
          .flags = nodes[i].is_relay ? SS_PEER_RELAY : 0,
        };
        break;
      }
      if (host->state == SS_NODE_JOINED)
        break;
    }
  if (n_contacts > 0)
    ss_node_join (ss_loop_node (host->loop), now, NULL, 0, contacts,
                  n_contacts);
}

static void
publish_locally (SsHost *host)
{
  SsNodeStats stats;
  GError *error = NULL;

  ss_node_stats (ss_loop_node (host->loop), &stats);
  SsLocalNode entry = {
    .key = stats.self.key,
    .realm = host->realm,
    .is_relay = host->options.is_relay,
  };
  SsAddr addrs[SS_PEER_ADDRS_MAX];

  entry.n_addrs = ss_udp_own_addrs (host->udp, addrs, SS_PEER_ADDRS_MAX);
  memcpy (entry.addrs, addrs, sizeof addrs);
  if (!ss_local_dir_publish (host->local_dir, &entry, &error)) {
    say_error (host, error);
    g_clear_pointer (&host->local_dir, ss_local_dir_free);
  }
}

static SsTime
scan_interval (const SsHost *host)
{
  if (host->state == SS_NODE_JOINED)
    return SCAN_INTERVAL_JOINED;
  if (host->state == SS_NODE_ALONE)
    return SCAN_INTERVAL_ALONE;
  return SCAN_INTERVAL_OUTSIDE;
}

static void
scan (SsHost *host, SsTime now)
{
  bool is_outside = host->state == SS_NODE_OUTSIDE;

  if (host->local_dir != NULL)
    scan_local_dir (host, now);
  /* With nobody to join through the node has to be told so: it is what makes
   * it stand alone. */
  if (is_outside && host->n_bootstrap == 0 && host->n_joined_local == 0
      && host->join_trouble == NULL)
    ss_node_join (ss_loop_node (host->loop), now, NULL, 0, NULL, 0);
  host->scan_at =
      host->local_dir == NULL ? SS_NEVER : now + scan_interval (host);
}

/* Bootstrap names. */

static void
join_through (Bootstrap *bootstrap, const SsAddr *addrs, unsigned n)
{
  SsHost *host = bootstrap->host;
  SsContact contacts[ADDRS_PER_NAME_MAX];

  for (unsigned i = 0; i < n; i++)
    contacts[i] = (SsContact){
      .key = bootstrap->endpoint.key,
      .id = ss_id_of_key (&bootstrap->endpoint.key),
      .addr = addrs[i],
    };
  SsNode *node = ss_loop_node (host->loop);

  if (bootstrap->endpoint.has_key)
    ss_node_join (node, ss_clock_now (), NULL, 0, contacts, n);
  else
    ss_node_join (node, ss_clock_now (), addrs, n, NULL, 0);
  ss_loop_flush (host->loop);
}

static void
fail_to_resolve (Bootstrap *bootstrap, const char *why)
{
  SsHost *host = bootstrap->host;
  bool is_first = bootstrap->trouble == NULL;
  SsTime now = ss_clock_now ();

  g_free (bootstrap->trouble);
  bootstrap->trouble =
      g_strdup_printf ("%s: %s", bootstrap->endpoint.host, why);
  if (is_first)
    say (host, SS_LOG_ERROR, "cannot find the bootstrap host %s; trying again",
         bootstrap->trouble);
  bootstrap->pause = is_first ? RESOLVE_AGAIN_MIN
                              : MIN (2 * bootstrap->pause, RESOLVE_AGAIN_MAX);
  bootstrap->again = now + bootstrap->pause;
  set_alarm (host);
  /* Nobody to ask: the node stands alone if it may. */
  if (host->state == SS_NODE_OUTSIDE && host->join_trouble == NULL) {
    ss_node_join (ss_loop_node (host->loop), now, NULL, 0, NULL, 0);
    ss_loop_flush (host->loop);
  }
}

static SsAddr
to_addr (GInetAddress *address, uint16_t port)
{
  const uint8_t *bytes = g_inet_address_to_bytes (address);
  SsAddr addr = ss_addr_v4 (0, port);

  if (g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV4)
    memcpy (addr.ip + 12, bytes, 4);
  else
    memcpy (addr.ip, bytes, 16);
  return addr;
}

static void
use_addresses (Bootstrap *bootstrap, GList *addresses)
{
  SsAddr addrs[ADDRS_PER_NAME_MAX];
  unsigned n = 0;

  for (GList *item = addresses; item != NULL && n < ADDRS_PER_NAME_MAX;
       item = item->next) {
    SsAddr addr = to_addr (item->data, bootstrap->endpoint.port);

    if (ss_udp_reaches (bootstrap->host->udp, &addr))
      addrs[n++] = addr;
  }
  if (n == 0) {
    fail_to_resolve (bootstrap,
                     "no address that this socket reaches (see --bind)");
    return;
  }
  bootstrap->is_resolved = true;
  join_through (bootstrap, addrs, n);
}

static void
on_resolved (GObject *source, GAsyncResult *result, void *user)
{
  Bootstrap *bootstrap = user;
  GError *error = NULL;
  GList *addresses =
      g_resolver_lookup_by_name_finish (G_RESOLVER (source), result, &error);

  if (error != NULL) {
    /* Cancelled: the host is gone. */
    if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
      bootstrap->is_asked = false;
      fail_to_resolve (bootstrap, error->message);
    }
    g_error_free (error);
    return;
  }
  bootstrap->is_asked = false;
  use_addresses (bootstrap, addresses);
  g_resolver_free_addresses (addresses);
}

static void
resolve (Bootstrap *bootstrap)
{
  GInetAddress *numeric =
      g_inet_address_new_from_string (bootstrap->endpoint.host);

  bootstrap->again = SS_NEVER;
  if (numeric != NULL) {
    GList item = { .data = numeric };

    use_addresses (bootstrap, &item);
    g_object_unref (numeric);
    return;
  }
  if (bootstrap->is_asked)
    return;
  bootstrap->is_asked = true;
  g_resolver_lookup_by_name_async (
      bootstrap->host->resolver, bootstrap->endpoint.host,
      bootstrap->host->cancellable, on_resolved, bootstrap);
}

/* Statistics. */

static void
write_stats (SsHost *host, SsTime now)
{
  SsNodeStats node;
  GError *error = NULL;

  if (host->stats == NULL)
    return;
  ss_node_stats (ss_loop_node (host->loop), &node);
  SsStatsLine line = {
    .wall = now + ss_clock_wall_offset (),
    .node = &node,
    .fallback_addr = ss_host_address (host),
    .tune_in = host->tune_in,
  };

  if (!ss_stats_write (host->stats, now, &line, &error))
    say_error (host, error);
}

static void
save_identity (SsHost *host)
{
  GError *error = NULL;

  if (!ss_identity_save (&host->identity,
                         ss_node_last_handshake_ns (ss_loop_node (host->loop)),
                         &error))
    say_error (host, error);
}

/* Events and timers. */

static void
finish_leave (SsHost *host)
{
  SsEvent left = { .type = SS_EVENT_LEFT };

  if (host->has_left)
    return;
  host->has_left = true;
  host->leave_by = SS_NEVER;
  host->options.event (host->options.user, &left);
}

static void
note_state (SsHost *host, SsNodeState state)
{
  static const char *const texts[] = {
    [SS_NODE_OUTSIDE] = "in no ring",  [SS_NODE_JOINING] = "joining",
    [SS_NODE_ALONE] = "a ring of one", [SS_NODE_JOINED] = "joined",
    [SS_NODE_LEAVING] = "leaving",
  };
  bool had_ring = host->state == SS_NODE_JOINED || host->state == SS_NODE_ALONE;
  bool has_ring = state == SS_NODE_JOINED || state == SS_NODE_ALONE;

  host->state = state;
  say (host, SS_LOG_DEBUG, "%s", texts[state]);
  if (has_ring && !had_ring && host->local_dir != NULL)
    publish_locally (host);
  if (host->scan_at != SS_NEVER)
    host->scan_at = MIN (host->scan_at, ss_clock_now () + scan_interval (host));
  set_alarm (host);
}

static void
on_event (void *user, const SsEvent *event)
{
  SsHost *host = user;

  switch (event->type) {
  case SS_EVENT_STATE:
    note_state (host, event->state);
    break;
  case SS_EVENT_JOIN_FAILED:
    g_free (host->join_trouble);
    host->join_trouble = ss_printable (event->text);
    if (host->options.may_stand_alone && host->n_bootstrap > 0) {
      g_autofree char *trouble = ss_host_join_trouble (host);

      say (host, SS_LOG_INFO, "%s; running a ring of one, still trying",
           trouble);
    }
    break;
  case SS_EVENT_ADDRESS:
    host->address = event->addr;
    break;
  case SS_EVENT_LEFT:
    finish_leave (host);
    return;
  default:
    break;
  }
  host->options.event (host->options.user, event);
}

static void
wake (void *user)
{
  SsHost *host = user;
  SsTime now = ss_clock_now ();

  if (now >= host->leave_by)
    finish_leave (host);
  for (unsigned i = 0; i < host->n_bootstrap; i++)
    if (now >= host->bootstrap[i].again)
      resolve (&host->bootstrap[i]);
  if (now >= host->scan_at) {
    scan (host, now);
    ss_loop_flush (host->loop);
  }
  if (now >= host->identity_at) {
    save_identity (host);
    host->identity_at = now + IDENTITY_INTERVAL;
  }
  if (now >= host->stats_at) {
    write_stats (host, now);
    /* In step, unless the process was stopped meanwhile. */
    host->stats_at =
        MAX (host->stats_at + SS_STATS_INTERVAL, now + SS_STATS_INTERVAL / 2);
  }
  set_alarm (host);
}

/* Making and ending. */

static bool
load_realm (SsHost *host, const SsHostOptions *options, SsNodeConfig *config,
            GError **error)
{
  static const char tag[] = "splitstream realm";

  if (options->realm_key_file != NULL
      && !ss_key_file_load (options->realm_key_file, SS_KEY_FILE_REALM,
                            config->realm_key, error))
    return false;
  const SsBytes parts[] = { { tag, sizeof tag },
                            { config->realm_key, sizeof config->realm_key } };

  host->realm = ss_id_of_parts (parts, G_N_ELEMENTS (parts));
  return true;
}

static bool
load_identity (SsHost *host, const SsHostOptions *options, GError **error)
{
  if (options->identity_file != NULL)
    return ss_identity_init_file (&host->identity, options->identity_file,
                                  &host->rng, error);
  ss_identity_init_ephemeral (&host->identity, &host->rng);
  return true;
}

static void
log_line (void *user, SsLogLevel level, const char *text)
{
  const SsHost *host = user;

  /* What is news inside the node is detail outside. */
  say (host, level == SS_LOG_ERROR ? SS_LOG_INFO : SS_LOG_DEBUG, "%s", text);
}

static bool
make_loop (SsHost *host, const SsHostOptions *options, GError **error)
{
  SsNodeConfig config = {
    .is_relay = options->is_relay,
    .advertise = options->advertise,
    .upload_bps = options->upload_bps,
    .wall_offset = ss_clock_wall_offset (),
    .may_stand_alone = options->may_stand_alone,
    .log_level = options->log_level,
    .log = log_line,
    .log_user = host,
  };
  uint8_t seed[32];

  if (!load_realm (host, options, &config, error)
      || !load_identity (host, options, error))
    return false;
  host->udp = ss_udp_open (options->bind, error);
  if (host->udp == NULL)
    return false;
  memcpy (config.identity_seed, host->identity.seed,
          sizeof config.identity_seed);
  config.last_handshake_ns = host->identity.last_handshake_ns;
  ss_rng_bytes (&host->rng, seed, sizeof seed);
  SsNode *node = ss_node_new (&config, seed, ss_clock_now ());

  sodium_memzero (&config, sizeof config);
  sodium_memzero (seed, sizeof seed);
  host->loop = ss_loop_new (host->udp, node, on_event, host);
  return true;
}

SsHost *
ss_host_new (const SsHostOptions *options, GError **error)
{
  SsHost *host = g_new0 (SsHost, 1);
  uint8_t seed[32];

  if (sodium_init () < 0)
    g_error ("libsodium cannot be initialised");
  host->program = g_strdup (options->program);
  host->options = *options;
  host->identity.lock_fd = -1;
  host->tune_in = -1;
  host->stats_at = host->scan_at = host->identity_at = host->leave_by =
      SS_NEVER;
  host->n_bootstrap = options->n_bootstrap;
  host->bootstrap = g_new0 (Bootstrap, options->n_bootstrap);
  for (unsigned i = 0; i < options->n_bootstrap; i++) {
    Bootstrap *bootstrap = &host->bootstrap[i];

    bootstrap->host = host;
    bootstrap->endpoint = options->bootstrap[i];
    bootstrap->endpoint.host = g_strdup (options->bootstrap[i].host);
    bootstrap->again = SS_NEVER;
  }
  ss_dirs_init (&host->dirs, options->state_dir);
  randombytes_buf (seed, sizeof seed);
  ss_rng_init (&host->rng, seed);
  sodium_memzero (seed, sizeof seed);
  if (options->stats_file != NULL)
    host->stats = ss_stats_open (options->stats_file, error);
  if ((options->stats_file != NULL && host->stats == NULL)
      || !make_loop (host, options, error)) {
    ss_host_free (host);
    return NULL;
  }
  return host;
}

/* The first start of each program tells what taking part means. */
static void
give_notice (SsHost *host)
{
  g_autofree char *name = g_strconcat ("noticed-", host->program, NULL);
  g_autofree char *path = g_build_filename (host->dirs.state, name, NULL);
  g_autofree char *cap = ss_format_rate (host->options.upload_bps);

  if (host->options.log_level < SS_LOG_INFO
      || g_file_test (path, G_FILE_TEST_EXISTS))
    return;
  say (host, SS_LOG_INFO,
       "first start: peers see your IP address, and you upload to them (%s%s)",
       cap, host->options.upload_bps == 0 ? "; set one with --upload" : "");
  /* Where nothing can be kept it is said again next time. */
  if (ss_make_dir (host->dirs.state, NULL))
    g_file_set_contents (path, "", 0, NULL);
}

void
ss_host_start (SsHost *host)
{
  GError *error = NULL;
  SsTime now = ss_clock_now ();

  give_notice (host);
  host->local_dir = ss_local_dir_open (&error);
  if (host->local_dir == NULL) {
    say (host, SS_LOG_INFO, "%s", error->message);
    g_error_free (error);
  }
  host->resolver = g_resolver_get_default ();
  host->cancellable = g_cancellable_new ();
  host->alarm = ss_alarm_new (NULL, wake, host);
  host->stats_at = host->stats == NULL ? SS_NEVER : now + SS_STATS_INTERVAL;
  host->identity_at = now + SS_SEC;
  ss_loop_attach (host->loop, NULL);
  for (unsigned i = 0; i < host->n_bootstrap; i++)
    resolve (&host->bootstrap[i]);
  scan (host, now);
  ss_loop_flush (host->loop);
  set_alarm (host);
}

void
ss_host_leave (SsHost *host)
{
  SsTime now = ss_clock_now ();

  if (host->leave_by != SS_NEVER || host->has_left)
    return;
  /* Nobody is to join through a node that goes. */
  g_clear_pointer (&host->local_dir, ss_local_dir_free);
  host->scan_at = SS_NEVER;
  for (unsigned i = 0; i < host->n_bootstrap; i++)
    host->bootstrap[i].again = SS_NEVER;
  host->leave_by = now + SS_HOST_LEAVE_TIME;
  ss_node_leave (ss_loop_node (host->loop), now);
  set_alarm (host);
  ss_loop_flush (host->loop);
}

void
ss_host_free (SsHost *host)
{
  if (host == NULL)
    return;
  if (host->loop != NULL) {
    write_stats (host, ss_clock_now ());
    save_identity (host);
  }
  if (host->cancellable != NULL) {
    g_cancellable_cancel (host->cancellable);
    g_object_unref (host->cancellable);
  }
  g_clear_object (&host->resolver);
  g_clear_pointer (&host->local_dir, ss_local_dir_free);
  ss_alarm_free (host->alarm);
  g_clear_pointer (&host->loop, ss_loop_free);
  ss_stats_close (host->stats);
  ss_identity_clear (&host->identity);
  ss_dirs_clear (&host->dirs);
  ss_rng_clear (&host->rng);
  for (unsigned i = 0; i < host->n_bootstrap; i++) {
    ss_endpoint_clear (&host->bootstrap[i].endpoint);
    g_free (host->bootstrap[i].trouble);
  }
  g_free (host->bootstrap);
  g_free (host->join_trouble);
  g_free (host->program);
  g_free (host);
}

SsNode *
ss_host_node (SsHost *host)
{
  return ss_loop_node (host->loop);
}

void
ss_host_flush (SsHost *host)
{
  ss_loop_flush (host->loop);
}

const SsDirs *
ss_host_dirs (const SsHost *host)
{
  return &host->dirs;
}

void
ss_host_random (SsHost *host, uint8_t *ret_bytes, size_t len)
{
  ss_rng_bytes (&host->rng, ret_bytes, len);
}

SsAddr
ss_host_address (const SsHost *host)
{
  SsAddr addr;

  if (ss_addr_is_set (&host->options.advertise))
    return host->options.advertise;
  if (ss_addr_is_set (&host->address))
    return host->address;
  if (ss_udp_own_addrs (host->udp, &addr, 1) == 0)
    addr = ss_udp_local (host->udp);
  return addr;
}

void
ss_host_set_tune_in (SsHost *host, SsTime tune_in)
{
  host->tune_in = tune_in;
}

char *
ss_host_join_trouble (const SsHost *host)
{
  GString *text = g_string_new (NULL);

  if (host->n_bootstrap == 0)
    return g_string_free (
        g_string_append (text, "no --bootstrap was given, and no node of yours "
                               "on this machine answers"),
        FALSE);
  g_string_append (text, "no bootstrap node answered (");
  for (unsigned i = 0; i < host->n_bootstrap; i++) {
    const Bootstrap *bootstrap = &host->bootstrap[i];

    if (i > 0)
      g_string_append (text, ", ");
    if (!bootstrap->is_resolved && bootstrap->trouble != NULL)
      g_string_append (text, bootstrap->trouble);
    else
      g_string_append_printf (text, "%s port %u", bootstrap->endpoint.host,
                              bootstrap->endpoint.port);
  }
  if (host->join_trouble != NULL)
    g_string_append_printf (text, ": %s", host->join_trouble);
  g_string_append_c (text, ')');
  return g_string_free (text, FALSE);
}
