/* Ways into a ring. */
#include "net/rendezvous.h"

#include <gio/gio.h>
#include <string.h>

#include "net/local_dir.h"

/* The local directory is read often until there is a ring. */
#define SCAN_INTERVAL_OUTSIDE (200 * SS_MSEC)
#define SCAN_INTERVAL_ALONE   SS_SEC
#define SCAN_INTERVAL_JOINED  (30 * SS_SEC)
#define RESOLVE_AGAIN_MIN     (2 * SS_SEC)
#define RESOLVE_AGAIN_MAX     (60 * SS_SEC)

#define ADDRS_PER_NAME_MAX   8
#define LOCAL_NODES_MAX      64
#define LOCAL_JOINS_PER_SCAN 3
#define LOCAL_TRIED_MAX      256
#define SECOND_ADDR_AFTER    (2 * SS_SEC)

typedef struct {
  SsRendezvous *rendezvous;
  SsEndpoint endpoint;
  bool is_resolved, is_asked;
  char *trouble; /* why the name gave no address */
  SsTime again, pause;
} Bootstrap;

struct SsRendezvous {
  SsLoop *loop;
  SsUdp *udp;
  SsId realm;
  bool is_relay;
  void (*say) (void *user, SsLogLevel level, const char *text);
  void *say_user;
  void (*changed) (void *user);
  void *user;

  SsNodeState state;
  char *join_trouble; /* the node's word */

  unsigned n_bootstrap;
  Bootstrap *bootstrap;
  GResolver *resolver;
  GCancellable *cancellable;

  SsLocalDir *local_dir; /* NULL: there is none to use */
  SsTime scan_at;
  SsTime started;
  SsAddr tried[LOCAL_TRIED_MAX]; /* addresses of local nodes */
  unsigned n_tried;
};

static void G_GNUC_PRINTF (3, 4)
    say (const SsRendezvous *rv, SsLogLevel level, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);

  va_end (args);
  rv->say (rv->say_user, level, text);
}

/* The local directory. */

/* True the first time that an address is asked about. */
static bool
try_once (SsRendezvous *rv, const SsAddr *addr)
{
  for (unsigned i = 0; i < rv->n_tried; i++)
    if (ss_addr_equal (&rv->tried[i], addr))
      return false;
  if (rv->n_tried == LOCAL_TRIED_MAX) {
    /* Forget the older half: they may be tried again. */
    rv->n_tried = LOCAL_TRIED_MAX / 2;
    memmove (rv->tried, rv->tried + LOCAL_TRIED_MAX - rv->n_tried,
             rv->n_tried * sizeof rv->tried[0]);
  }
  rv->tried[rv->n_tried++] = *addr;
  return true;
}

static void
scan_local_dir (SsRendezvous *rv, SsTime now)
{
  SsLocalNode nodes[LOCAL_NODES_MAX];
  SsContact contacts[LOCAL_JOINS_PER_SCAN];
  unsigned n_contacts = 0;
  unsigned n =
      ss_local_dir_list (rv->local_dir, &rv->realm, nodes, LOCAL_NODES_MAX);
  bool has_ring = rv->state == SS_NODE_ALONE || rv->state == SS_NODE_JOINED;
  /* The further addresses are for a machine that has lost its network since
   * they were written. */
  bool is_late = !has_ring && now - rv->started > SECOND_ADDR_AFTER;

  for (unsigned i = 0; i < n; i++)
    for (unsigned j = 0; j < (is_late ? nodes[i].n_addrs : 1); j++) {
      if (n_contacts == LOCAL_JOINS_PER_SCAN
          || !ss_udp_reaches (rv->udp, &nodes[i].addrs[j])
          || !try_once (rv, &nodes[i].addrs[j]))
        continue;
      contacts[n_contacts++] = (SsContact){
        .key = nodes[i].key,
        .id = ss_id_of_key (&nodes[i].key),
        .addr = nodes[i].addrs[j],
        .flags = (uint8_t) (SS_PEER_REACHABLE
                            | (nodes[i].is_relay ? SS_PEER_RELAY : 0)),
      };
    }
  if (n_contacts > 0)
    ss_node_join (ss_loop_node (rv->loop), now, NULL, 0, contacts, n_contacts);
}

static void
publish_locally (SsRendezvous *rv)
{
  SsNodeStats stats;
  GError *error = NULL;

  ss_node_stats (ss_loop_node (rv->loop), &stats);
  SsLocalNode entry = {
    .key = stats.self.key,
    .realm = rv->realm,
    .is_relay = rv->is_relay,
  };
  SsAddr addrs[SS_PEER_ADDRS_MAX];

  entry.n_addrs = ss_udp_own_addrs (rv->udp, addrs, SS_PEER_ADDRS_MAX);
  memcpy (entry.addrs, addrs, sizeof addrs);
  if (!ss_local_dir_publish (rv->local_dir, &entry, &error)) {
    say (rv, SS_LOG_ERROR, "%s", error->message);
    g_error_free (error);
    g_clear_pointer (&rv->local_dir, ss_local_dir_free);
  }
}

static SsTime
scan_interval (const SsRendezvous *rv)
{
  if (rv->state == SS_NODE_JOINED)
    return SCAN_INTERVAL_JOINED;
  /* Who was found gets time to answer. */
  if (rv->state == SS_NODE_ALONE || rv->n_tried > 0)
    return SCAN_INTERVAL_ALONE;
  return SCAN_INTERVAL_OUTSIDE;
}

static void
scan (SsRendezvous *rv, SsTime now)
{
  bool is_outside = rv->state == SS_NODE_OUTSIDE;

  if (rv->local_dir != NULL)
    scan_local_dir (rv, now);
  /* With nobody to join through the node has to be told so: it is what makes
   * it stand alone. */
  if (is_outside && rv->n_bootstrap == 0 && rv->n_tried == 0
      && rv->join_trouble == NULL)
    ss_node_join (ss_loop_node (rv->loop), now, NULL, 0, NULL, 0);
  rv->scan_at = rv->local_dir == NULL ? SS_NEVER : now + scan_interval (rv);
}

/* Bootstrap names. */

static void
join_through (Bootstrap *bootstrap, const SsAddr *addrs, unsigned n)
{
  SsRendezvous *rv = bootstrap->rendezvous;
  SsContact contacts[ADDRS_PER_NAME_MAX];

  for (unsigned i = 0; i < n; i++)
    contacts[i] = (SsContact){
      .key = bootstrap->endpoint.key,
      .id = ss_id_of_key (&bootstrap->endpoint.key),
      .addr = addrs[i],
      .flags = SS_PEER_REACHABLE, /* or nobody could join through it */
    };
  SsNode *node = ss_loop_node (rv->loop);

  if (bootstrap->endpoint.has_key)
    ss_node_join (node, ss_clock_now (), NULL, 0, contacts, n);
  else
    ss_node_join (node, ss_clock_now (), addrs, n, NULL, 0);
  ss_loop_flush (rv->loop);
}

static void
fail_to_resolve (Bootstrap *bootstrap, const char *why)
{
  SsRendezvous *rv = bootstrap->rendezvous;
  bool is_first = bootstrap->trouble == NULL;
  SsTime now = ss_clock_now ();

  g_free (bootstrap->trouble);
  bootstrap->trouble = ss_printable (why);
  if (is_first)
    say (rv, SS_LOG_ERROR, "bootstrap node %s: %s; trying again",
         bootstrap->endpoint.host, bootstrap->trouble);
  bootstrap->pause = is_first ? RESOLVE_AGAIN_MIN
                              : MIN (2 * bootstrap->pause, RESOLVE_AGAIN_MAX);
  bootstrap->again = now + bootstrap->pause;
  rv->changed (rv->user);
  /* Nobody to ask: the node stands alone if it may. */
  if (rv->state == SS_NODE_OUTSIDE && rv->join_trouble == NULL) {
    ss_node_join (ss_loop_node (rv->loop), now, NULL, 0, NULL, 0);
    ss_loop_flush (rv->loop);
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

    if (ss_udp_reaches (bootstrap->rendezvous->udp, &addr))
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
    /* Cancelled: the rendezvous is gone. */
    if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
      bool is_unknown =
          g_error_matches (error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND);

      bootstrap->is_asked = false;
      fail_to_resolve (bootstrap, is_unknown ? "unknown host" : error->message);
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
      bootstrap->rendezvous->resolver, bootstrap->endpoint.host,
      bootstrap->rendezvous->cancellable, on_resolved, bootstrap);
}

/* From outside. */

SsRendezvous *
ss_rendezvous_new (const SsRendezvousOptions *options)
{
  SsRendezvous *rv = g_new0 (SsRendezvous, 1);

  rv->loop = options->loop;
  rv->udp = options->udp;
  rv->realm = options->realm;
  rv->is_relay = options->is_relay;
  rv->say = options->say;
  rv->say_user = options->say_user;
  rv->changed = options->changed;
  rv->user = options->user;
  rv->scan_at = SS_NEVER;
  rv->n_bootstrap = options->n_bootstrap;
  rv->bootstrap = g_new0 (Bootstrap, options->n_bootstrap);
  for (unsigned i = 0; i < options->n_bootstrap; i++) {
    Bootstrap *bootstrap = &rv->bootstrap[i];

    bootstrap->rendezvous = rv;
    bootstrap->endpoint = options->bootstrap[i];
    bootstrap->endpoint.host = g_strdup (options->bootstrap[i].host);
    bootstrap->again = SS_NEVER;
  }
  rv->resolver = g_resolver_get_default ();
  rv->cancellable = g_cancellable_new ();
  return rv;
}

void
ss_rendezvous_free (SsRendezvous *rv)
{
  if (rv == NULL)
    return;
  ss_rendezvous_stop (rv);
  g_object_unref (rv->cancellable);
  g_object_unref (rv->resolver);
  for (unsigned i = 0; i < rv->n_bootstrap; i++) {
    ss_endpoint_clear (&rv->bootstrap[i].endpoint);
    g_free (rv->bootstrap[i].trouble);
  }
  g_free (rv->bootstrap);
  g_free (rv->join_trouble);
  g_free (rv);
}

void
ss_rendezvous_start (SsRendezvous *rv)
{
  GError *error = NULL;

  rv->started = ss_clock_now ();
  rv->local_dir = ss_local_dir_open (&error);
  if (rv->local_dir == NULL) {
    say (rv, SS_LOG_INFO, "%s", error->message);
    g_error_free (error);
  }
  for (unsigned i = 0; i < rv->n_bootstrap; i++)
    resolve (&rv->bootstrap[i]);
  scan (rv, ss_clock_now ());
  ss_loop_flush (rv->loop);
}

void
ss_rendezvous_stop (SsRendezvous *rv)
{
  g_cancellable_cancel (rv->cancellable);
  /* Nobody is to join through a node that goes. */
  g_clear_pointer (&rv->local_dir, ss_local_dir_free);
  rv->scan_at = SS_NEVER;
  for (unsigned i = 0; i < rv->n_bootstrap; i++)
    rv->bootstrap[i].again = SS_NEVER;
}

void
ss_rendezvous_wake (SsRendezvous *rv, SsTime now)
{
  for (unsigned i = 0; i < rv->n_bootstrap; i++)
    if (now >= rv->bootstrap[i].again)
      resolve (&rv->bootstrap[i]);
  if (now >= rv->scan_at) {
    scan (rv, now);
    ss_loop_flush (rv->loop);
  }
}

SsTime
ss_rendezvous_deadline (const SsRendezvous *rv)
{
  SsTime at = rv->scan_at;

  for (unsigned i = 0; i < rv->n_bootstrap; i++)
    at = MIN (at, rv->bootstrap[i].again);
  return at;
}

void
ss_rendezvous_note_state (SsRendezvous *rv, SsNodeState state)
{
  bool had_ring = rv->state == SS_NODE_JOINED || rv->state == SS_NODE_ALONE;
  bool has_ring = state == SS_NODE_JOINED || state == SS_NODE_ALONE;

  rv->state = state;
  if (has_ring && !had_ring && rv->local_dir != NULL)
    publish_locally (rv);
  if (rv->scan_at != SS_NEVER)
    rv->scan_at = MIN (rv->scan_at, ss_clock_now () + scan_interval (rv));
  rv->changed (rv->user);
}

void
ss_rendezvous_note_trouble (SsRendezvous *rv, const char *text)
{
  g_free (rv->join_trouble);
  rv->join_trouble = ss_printable (text);
}

char *
ss_rendezvous_trouble (const SsRendezvous *rv)
{
  GString *text = g_string_new (NULL);

  if (rv->n_bootstrap == 0)
    return g_string_free (
        g_string_append (text, "no --bootstrap was given, and no node of "
                               "yours on this machine answers"),
        FALSE);
  g_string_append (text, "no bootstrap node answered:");
  for (unsigned i = 0; i < rv->n_bootstrap; i++) {
    const Bootstrap *bootstrap = &rv->bootstrap[i];
    const char *trouble = rv->join_trouble;

    if (!bootstrap->is_resolved)
      trouble = bootstrap->trouble;
    g_string_append_printf (text, "%s %s port %u", i > 0 ? "," : "",
                            bootstrap->endpoint.host, bootstrap->endpoint.port);
    if (trouble != NULL)
      g_string_append_printf (text, " - %s", trouble);
  }
  return g_string_free (text, FALSE);
}
