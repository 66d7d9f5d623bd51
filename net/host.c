/* The host of a node. */
#include "net/host.h"

#include <sodium.h>
#include <string.h>

#include "net/error.h"
#include "net/identity.h"
#include "net/key_file.h"
#include "net/peer_cache.h"
#include "net/rendezvous.h"
#include "net/stats.h"

/* Timers, all kept by one alarm:
 *   stats       each second
 *   rendezvous  as that says
 *   identity    the time of the last handshake is saved, and the peers
 *   peers       those of former times are tried
 *   leave       the end of patience with an orderly leave */
#define IDENTITY_INTERVAL (60 * SS_SEC)
#define PEERS_AFTER_JOIN  (3 * SS_SEC) /* the leaf set is known by then */

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
  SsStatsKept kept;
  SsAddr address; /* as peers see it */
  SsRendezvous *rendezvous;

  SsAlarm *alarm;
  SsTime stats_at, identity_at, peers_at, leave_by;
  bool has_left;
};

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
set_alarm (void *user)
{
  SsHost *host = user;
  SsTime rendezvous = ss_rendezvous_deadline (host->rendezvous);

  ss_alarm_set (host->alarm, MIN (MIN (host->stats_at, rendezvous),
                                  MIN (MIN (host->identity_at, host->peers_at),
                                       host->leave_by)));
}

/* Statistics. */

static void
read_stats (SsHost *host, SsNodeStats *ret_stats)
{
  ss_node_stats (ss_loop_node (host->loop), ret_stats);
  ss_stats_keep (&host->kept, ret_stats);
}

static void
write_stats (SsHost *host, SsTime now)
{
  SsNodeStats node;
  GError *error = NULL;

  if (host->stats == NULL)
    return;
  read_stats (host, &node);
  SsTime wall_offset = ss_clock_wall_offset ();
  SsStatsLine line = {
    .wall = now + wall_offset,
    .wall_offset = wall_offset,
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

/* The ring may be gone from the addresses that were named, not from the world.
 */
static void
save_peers (SsHost *host)
{
  SsContact peers[SS_PEER_CACHE_MAX];
  GError *error = NULL;
  unsigned n =
      ss_node_way_back (ss_loop_node (host->loop), peers, SS_PEER_CACHE_MAX);

  if (n > 0
      && !ss_peer_cache_save (&host->dirs, &host->realm, peers, n, &error)) {
    say (host, SS_LOG_DEBUG, "%s", error->message);
    g_error_free (error);
  }
}

static void
try_known_peers (SsHost *host, SsTime now)
{
  SsContact peers[SS_PEER_CACHE_MAX];
  unsigned n = ss_peer_cache_load (&host->dirs, &host->realm, peers);

  if (n == 0)
    return;
  say (host, SS_LOG_INFO, "trying %u peers of former times", n);
  ss_node_join (ss_loop_node (host->loop), now, NULL, 0, peers, n);
  ss_loop_flush (host->loop);
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

  say (host, SS_LOG_DEBUG, "%s", texts[state]);
  if (state == SS_NODE_JOINED) {
    host->identity_at =
        MIN (host->identity_at, ss_clock_now () + PEERS_AFTER_JOIN);
    set_alarm (host);
  }
  ss_rendezvous_note_state (host->rendezvous, state);
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
    ss_rendezvous_note_trouble (host->rendezvous, event->text);
    if (host->options.n_bootstrap > 0) {
      host->peers_at = ss_clock_now ();
      set_alarm (host);
    }
    if (host->options.may_stand_alone && host->options.n_bootstrap > 0) {
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
  ss_rendezvous_wake (host->rendezvous, now);
  if (now >= host->peers_at) {
    host->peers_at = SS_NEVER;
    try_known_peers (host, now);
  }
  if (now >= host->identity_at) {
    save_identity (host);
    save_peers (host);
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
  if (options->application != NULL) {
    uint8_t key[sizeof config->realm_key];

    crypto_generichash (key, sizeof key, (const uint8_t *) options->application,
                        strlen (options->application), config->realm_key,
                        sizeof config->realm_key);
    memcpy (config->realm_key, key, sizeof key);
    sodium_memzero (key, sizeof key);
  }
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
  SsAddr machine[SS_UDP_MACHINE_ADDRS_MAX];
  SsNodeConfig config = {
    .is_relay = options->is_relay,
    .relayed = options->relayed,
    .n_relayed = options->n_relayed,
    .advertise = options->advertise,
    .upload_bps = options->upload_bps,
    .machine = machine,
    .n_machine = ss_udp_machine_addrs (machine),
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
  config.is_fresh = host->identity.path == NULL;
  ss_rng_bytes (&host->rng, seed, sizeof seed);
  SsNode *node = ss_node_new (&config, seed, ss_clock_now ());

  sodium_memzero (&config, sizeof config);
  sodium_memzero (seed, sizeof seed);
  host->loop = ss_loop_new (host->udp, node, on_event, host);
  SsRendezvousOptions rendezvous = {
    .bootstrap = options->bootstrap,
    .n_bootstrap = options->n_bootstrap,
    .loop = host->loop,
    .udp = host->udp,
    .realm = host->realm,
    .is_relay = options->is_relay,
    .say = options->say,
    .say_user = options->say_user,
    .changed = set_alarm,
    .user = host,
  };

  host->rendezvous = ss_rendezvous_new (&rendezvous);
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
  host->stats_at = host->identity_at = SS_NEVER;
  host->peers_at = host->leave_by = SS_NEVER;
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
  SsTime now = ss_clock_now ();

  give_notice (host);
  host->alarm = ss_alarm_new (NULL, wake, host);
  host->stats_at = host->stats == NULL ? SS_NEVER : now + SS_STATS_INTERVAL;
  host->identity_at = now + SS_SEC;
  ss_loop_attach (host->loop, NULL);
  ss_rendezvous_start (host->rendezvous);
  set_alarm (host);
}

void
ss_host_leave (SsHost *host)
{
  SsTime now = ss_clock_now ();

  if (host->leave_by != SS_NEVER || host->has_left)
    return;
  ss_host_note_stats (host);
  save_peers (host);
  ss_rendezvous_stop (host->rendezvous);
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
  ss_rendezvous_free (host->rendezvous);
  ss_alarm_free (host->alarm);
  g_clear_pointer (&host->loop, ss_loop_free);
  ss_stats_close (host->stats);
  ss_identity_clear (&host->identity);
  ss_dirs_clear (&host->dirs);
  ss_rng_clear (&host->rng);
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

void
ss_host_signer (const SsHost *host, SsSigner *ret_signer)
{
  ss_signer_init (ret_signer, host->identity.seed);
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
ss_host_note_stats (SsHost *host)
{
  SsNodeStats stats;

  read_stats (host, &stats);
}

void
ss_host_set_tune_in (SsHost *host, SsTime tune_in)
{
  host->tune_in = tune_in;
}

char *
ss_host_join_trouble (const SsHost *host)
{
  return ss_rendezvous_trouble (host->rendezvous);
}
