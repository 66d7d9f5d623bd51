/* Common options. GOption parses; the help is laid out by hand, because it
 * is the first thing that people read. */
#include "apps/options.h"

#include <stdio.h>
#include <string.h>

#include "apps/version.h"

#define UPLOAD_MIN 10000 /* bit/s: below, not even joining gets through */

static const char common_help[] =
    "\n"
    "The network:\n"
    "  --bootstrap [KEY@]HOST:PORT  a node to join through; repeatable. Else\n"
    "                         $SS_BOOTSTRAP, and your own nodes on this "
    "machine\n"
    "  --bind ADDR:PORT       listen here (UDP); port 16160 or else a free "
    "one\n"
    "                         by default, port 0 is any free one\n"
    "  --advertise ADDR:PORT  tell others this address, not the one they see\n"
    "  --upload RATE          upload no more than this, as in 5M (bit/s; "
    "none:\n"
    "                         no cap)\n"
    "  --realm-key FILE       join a closed network: only who has the key\n"
    "  --identity FILE        keep this node's key in FILE\n"
    "\n"
    "The rest:\n"
    "  --state-dir DIR        keep keys and other state here\n"
    "  --stats FILE           append one JSON object a second; - is stderr\n"
    "  --quiet                say only what goes wrong\n"
    "  --verbose              say what happens\n"
    "  --version              print the version\n"
    "  -h, --help             print this\n";

static const char exit_help[] =
    "\n"
    "Exit status: 0 done, 1 failed while running, 2 usage, 3 could not join,\n"
    "4 station not found, 5 source cannot be read, 6 other key than the "
    "pinned.\n";

static void
set_usage_error (GError **error, const char *program, const char *message)
{
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE, "%s; see %s --help",
               message, program);
}

static bool
run_goption (SsOptions *options, const SsOptionsSpec *spec, const char *program,
             int argc, char **argv, GError **error)
{
  const GOptionEntry common[] = {
    { "bind", 0, 0, G_OPTION_ARG_STRING, &options->bind, NULL, NULL },
    { "advertise", 0, 0, G_OPTION_ARG_STRING, &options->advertise, NULL, NULL },
    { "bootstrap", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->bootstrap, NULL,
      NULL },
    { "identity", 0, 0, G_OPTION_ARG_FILENAME, &options->identity, NULL, NULL },
    { "realm-key", 0, 0, G_OPTION_ARG_FILENAME, &options->realm_key, NULL,
      NULL },
    { "upload", 0, 0, G_OPTION_ARG_STRING, &options->upload, NULL, NULL },
    { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->state_dir, NULL,
      NULL },
    { "stats", 0, 0, G_OPTION_ARG_FILENAME, &options->stats, NULL, NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, NULL, NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->verbose, NULL, NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, NULL, NULL },
    { "help", 'h', 0, G_OPTION_ARG_NONE, &options->help, NULL, NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->rest,
      NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  /* GOption empties what it is given. */
  g_auto (GStrv) copy = g_new0 (char *, (size_t) argc + 1);
  GError *cause = NULL;

  for (int i = 0; i < argc; i++)
    copy[i] = g_strdup (argv[i]);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_add_main_entries (context, common, NULL);
  if (spec->entries != NULL)
    g_option_context_add_main_entries (context, spec->entries, NULL);
  if (g_option_context_parse_strv (context, &copy, &cause))
    return true;
  set_usage_error (error, program, cause->message);
  g_error_free (cause);
  return false;
}

static bool
add_bootstrap (GArray *endpoints, const char *text, GError **error)
{
  SsEndpoint endpoint;

  if (!ss_endpoint_parse (text, SS_DEFAULT_PORT, &endpoint, error))
    return false;
  g_array_append_val (endpoints, endpoint);
  return true;
}

/* From the options; else from the environment, separated by blanks or
 * commas. */
static bool
understand_bootstrap (SsOptions *options, GError **error)
{
  GArray *endpoints = g_array_new (FALSE, FALSE, sizeof (SsEndpoint));
  const char *environment = g_getenv ("SS_BOOTSTRAP");
  g_auto (GStrv) words = NULL;
  char **texts = options->bootstrap;
  bool ok = true;

  if (texts == NULL && environment != NULL)
    texts = words = g_strsplit_set (environment, ", \t\n", -1);
  for (char **text = texts; ok && text != NULL && *text != NULL; text++)
    if (**text != '\0' || texts == options->bootstrap)
      ok = add_bootstrap (endpoints, *text, error);
  options->n_endpoints = endpoints->len;
  options->endpoints = (SsEndpoint *) (void *) g_array_free (endpoints, FALSE);
  options->host.bootstrap = options->endpoints;
  options->host.n_bootstrap = options->n_endpoints;
  return ok;
}

static bool
understand (SsOptions *options, SsProgram *program, GError **error)
{
  SsHostOptions *host = &options->host;

  if (options->quiet && options->verbose) {
    set_usage_error (error, program->name,
                     "--quiet and --verbose exclude each other");
    return false;
  }
  program->level = options->quiet     ? SS_LOG_ERROR
                   : options->verbose ? SS_LOG_DEBUG
                                      : SS_LOG_INFO;
  *host = (SsHostOptions){
    .program = program->name,
    .identity_file = options->identity,
    .realm_key_file = options->realm_key,
    .state_dir = options->state_dir,
    .stats_file = options->stats,
    .log_level = program->level,
    .say = ss_program_say_text,
    .say_user = program,
  };
  if (options->bind != NULL) {
    if (!ss_parse_address (options->bind, SS_DEFAULT_PORT, &options->bind_addr,
                           error))
      return false;
    host->bind = &options->bind_addr;
  }
  if (options->advertise != NULL) {
    if (!ss_parse_address (options->advertise, SS_DEFAULT_PORT,
                           &host->advertise, error))
      return false;
    if (host->advertise.port == 0) {
      set_usage_error (error, program->name,
                       "--advertise needs a port that others can send to");
      return false;
    }
  }
  if (options->upload != NULL) {
    if (!ss_parse_rate (options->upload, &host->upload_bps, error))
      return false;
    if (host->upload_bps > 0 && host->upload_bps < UPLOAD_MIN) {
      g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                   "--upload %s is too little to belong to a ring; give 10k or "
                   "more, or none for no cap",
                   options->upload);
      return false;
    }
  }
  return understand_bootstrap (options, error);
}

bool
ss_options_parse (SsOptions *options, SsProgram *program,
                  const SsOptionsSpec *spec, int argc, char **argv,
                  bool *ret_done, GError **error)
{
  *options = (SsOptions){ .bind = NULL };
  if (!run_goption (options, spec, program->name, argc, argv, error))
    return false;
  if (options->help)
    printf ("%s%s%s", spec->help, common_help, exit_help);
  else if (options->version)
    printf ("%s (splitstream) %s\n", program->name, SS_VERSION);
  *ret_done = options->help || options->version;
  return *ret_done || understand (options, program, error);
}

void
ss_options_clear (SsOptions *options)
{
  char *const strings[] = { options->bind,     options->advertise,
                            options->identity, options->realm_key,
                            options->upload,   options->state_dir,
                            options->stats };

  for (size_t i = 0; i < G_N_ELEMENTS (strings); i++)
    g_free (strings[i]);
  g_strfreev (options->bootstrap);
  g_strfreev (options->rest);
  for (unsigned i = 0; i < options->n_endpoints; i++)
    ss_endpoint_clear (&options->endpoints[i]);
  g_free (options->endpoints);
}
