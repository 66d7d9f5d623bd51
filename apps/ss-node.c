/* ss-node: a relay and meeting point that neither plays nor publishes. */
#include <string.h>

#include "apps/options.h"
#include "apps/program.h"
#include "net/signals.h"
#include "net/station_spec.h"

typedef struct {
  SsProgram *program;
  SsHost *host;
  SsAlarm *patience;
  bool has_introduced;
} Relay;

static const char help[] =
    "ss-node: relay stations for others, and be the node they join through\n"
    "\n"
    "usage: ss-node [OPTION...]\n"
    "\n"
    "Runs until SIGINT or SIGTERM. Its identity is kept, so that others can "
    "name\n"
    "it with its key. It plays nothing and publishes nothing.\n"
    "\n"
    "  --relay STATION        forward only this station, as in radio1 or\n"
    "                         radio1@KEY; repeatable. any (the default): all "
    "of\n"
    "                         its ring; none: only what nobody else can\n";

static void
introduce (Relay *relay)
{
  SsNodeStats stats;
  SsAddr addr = ss_host_address (relay->host);
  char id[SS_ID_STRLEN], key[SS_KEY_HEX_STRLEN], addr_text[SS_ADDR_STRLEN];

  ss_node_stats (ss_host_node (relay->host), &stats);
  ss_id_format (&stats.self.id, id);
  ss_key_format (&stats.self.key, key);
  ss_addr_format (&addr, addr_text);
  ss_program_say (relay->program, SS_LOG_INFO, "address %s, id %s", addr_text,
                  id);
  ss_program_say (relay->program, SS_LOG_INFO,
                  "others join with --bootstrap %s@%s", key, addr_text);
}

static void
on_event (void *user, const SsEvent *event)
{
  Relay *relay = user;
  char text[SS_ADDR_STRLEN];

  switch (event->type) {
  case SS_EVENT_STATE:
    if (event->state == SS_NODE_JOINED)
      ss_program_say (relay->program, SS_LOG_INFO, "in a ring with others");
    else if (event->state == SS_NODE_ALONE)
      ss_program_say (relay->program, SS_LOG_INFO,
                      "a ring of one, waiting for others");
    break;
  case SS_EVENT_ADDRESS:
    ss_addr_format (&event->addr, text);
    ss_program_say (relay->program, SS_LOG_DEBUG, "peers see %s", text);
    break;
  case SS_EVENT_LEFT:
    ss_program_quit (relay->program);
    break;
  default:
    break;
  }
}

static void
on_patience (void *user)
{
  Relay *relay = user;

  ss_program_quit (relay->program);
}

static void
on_signal (void *user)
{
  Relay *relay = user;

  ss_program_say (relay->program, SS_LOG_INFO, "leaving");
  ss_alarm_set (relay->patience, ss_clock_now () + SS_PROGRAM_QUIT_TIME);
  ss_host_leave (relay->host);
}

/* A list, or a name that has a comma: nothing tells, so neither is guessed. A
 * link has none, whatever the name. */
static void
refuse_comma (const char *text, GError **error)
{
  SsStationSpec spec;
  g_autofree char *shown = ss_printable (text);
  g_autofree char *link = NULL;
  g_autofree char *quoted = NULL;

  if (ss_station_spec_parse (text, &spec, NULL)) {
    link = ss_station_uri (spec.name,
                           spec.has_fingerprint ? &spec.fingerprint : NULL);
    quoted = g_shell_quote (link);
    ss_station_spec_clear (&spec);
  }
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
               "--relay names one station, and '%.100s' has a comma: give "
               "--relay once for each%s%s",
               shown,
               link != NULL ? "; if it is one's name, give --relay " : "",
               link != NULL ? quoted : "");
}

/* What --relay says; the names go into `relayed`. */
static bool
understand_relay (char **texts, SsHostOptions *host,
                  SsRelayed relayed[SS_RELAYED_MAX], GError **error)
{
  host->is_relay = true;
  for (char **text = texts; text != NULL && *text != NULL; text++) {
    SsStationSpec spec;

    if (g_str_equal (*text, "any") || g_str_equal (*text, "none")) {
      host->is_relay = g_str_equal (*text, "any");
      if (texts[1] == NULL)
        return true;
      g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                   "--relay %s excludes any other --relay", *text);
      return false;
    }
    if (host->n_relayed == SS_RELAYED_MAX) {
      g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                   "--relay names at most %d stations", SS_RELAYED_MAX);
      return false;
    }
    if (strchr (*text, ',') != NULL) {
      refuse_comma (*text, error);
      return false;
    }
    if (!ss_station_spec_parse (*text, &spec, error))
      return false;
    SsRelayed *station = &relayed[host->n_relayed++];

    g_strlcpy (station->name, spec.name, sizeof station->name);
    station->has_fingerprint = spec.has_fingerprint;
    station->fingerprint = spec.fingerprint;
    ss_station_spec_clear (&spec);
  }
  host->relayed = relayed;
  return true;
}

static void
run (Relay *relay, SsHostOptions *host)
{
  GError *error = NULL;
  SsDirs dirs;

  ss_dirs_init (&dirs, host->state_dir);
  g_autofree char *identity = g_build_filename (dirs.state, "node.key", NULL);

  ss_dirs_clear (&dirs);
  if (host->identity_file == NULL)
    host->identity_file = identity;
  host->may_stand_alone = true;
  host->event = on_event;
  host->user = relay;
  relay->host = ss_host_new (host, &error);
  if (relay->host == NULL) {
    ss_program_fail_error (relay->program, error);
    return;
  }
  relay->patience = ss_alarm_new (NULL, on_patience, relay);
  ss_signals_catch (on_signal, relay);
  introduce (relay);
  ss_host_start (relay->host);
  ss_program_run (relay->program);
  ss_alarm_free (relay->patience);
  ss_host_free (relay->host);
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) relay_texts = NULL;
  const GOptionEntry entries[] = {
    { "relay", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &relay_texts, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  const SsOptionsSpec spec = { .help = help, .entries = entries };
  SsRelayed relayed[SS_RELAYED_MAX] = { 0 };
  SsProgram program;
  SsOptions options;
  GError *error = NULL;
  bool is_done = false;

  ss_program_init (&program, "ss-node");
  if (!ss_options_parse (&options, &program, &spec, argc, argv, &is_done,
                         &error)) {
    ss_program_fail_error (&program, error);
  } else if (!is_done && options.rest != NULL) {
    ss_program_fail (&program, SS_NET_ERROR_USAGE,
                     "'%s' is too much: no argument is expected; see ss-node "
                     "--help",
                     options.rest[0]);
  } else if (!is_done
             && !understand_relay (relay_texts, &options.host, relayed,
                                   &error)) {
    ss_program_fail_error (&program, error);
  } else if (!is_done) {
    Relay relay = { .program = &program };

    run (&relay, &options.host);
  }
  ss_options_clear (&options);
  ss_program_clear (&program);
  return program.status;
}
