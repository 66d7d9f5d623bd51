/* ss-listen: the command line of a listener. */
#include "apps/listen.h"
#include "apps/options.h"

static const char help[] =
    "ss-listen: listen to a station, and carry it for others\n"
    "\n"
    "usage: ss-listen [OPTION...] STATION\n"
    "\n"
    "STATION is a name, NAME@FINGERPRINT or "
    "splitstream://NAME?key=FINGERPRINT.\n"
    "To a pipe or file the stream is written as Ogg; on a terminal it is "
    "played.\n"
    "\n"
    "  ss-listen radio1 | mpv -\n"
    "  ss-listen radio1 > show.ogg\n"
    "\n"
    "The output:\n"
    "  --output FILE          write to FILE, not to standard output\n"
    "  --wait SECONDS         how long to wait for the station; 10 by default\n"
    "  --duration SECONDS     stop after so much\n"
    "  --buffer MS            on top of the station's latency; 0 by default\n"
    "  --rejoin SECONDS       how long to wait for a broadcaster that has "
    "fallen\n"
    "                         silent; 60 by default\n"
    "  --control              switch to each STATION that a line of standard "
    "input\n"
    "                         names\n";

typedef struct {
  char *output, *wait, *duration, *buffer, *rejoin;
  gboolean control;
} Typed;

static bool
understand (const Typed *typed, SsListenOptions *ret_options, GError **error)
{
  SsListenOptions options = {
    .output_file = typed->output,
    .wait = SS_LISTEN_WAIT_DEFAULT,
    .duration = SS_NEVER,
    .rejoin = SS_LISTEN_REJOIN_DEFAULT,
    .has_control = typed->control,
  };
  const struct {
    const char *text;
    SsTime unit;
    SsTime *value;
  } durations[] = {
    { typed->wait, SS_SEC, &options.wait },
    { typed->duration, SS_SEC, &options.duration },
    { typed->buffer, SS_MSEC, &options.buffer },
    { typed->rejoin, SS_SEC, &options.rejoin },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (durations); i++)
    if (durations[i].text != NULL
        && !ss_parse_duration (durations[i].text, durations[i].unit,
                               durations[i].value, error))
      return false;
  if (options.buffer > SS_LISTEN_BUFFER_MAX) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                 "--buffer must be at most 10 minutes; see ss-listen --help");
    return false;
  }
  *ret_options = options;
  return true;
}

static bool
read_station (char **rest, SsStationSpec *ret_station, GError **error)
{
  if (rest == NULL || rest[1] != NULL) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                 "%s; see ss-listen --help",
                 rest == NULL ? "STATION is missing" : "one STATION at a time");
    return false;
  }
  return ss_station_spec_parse (rest[0], ret_station, error);
}

int
main (int argc, char **argv)
{
  Typed typed = { .output = NULL };
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &typed.output, NULL, NULL },
    { "wait", 0, 0, G_OPTION_ARG_STRING, &typed.wait, NULL, NULL },
    { "duration", 0, 0, G_OPTION_ARG_STRING, &typed.duration, NULL, NULL },
    { "buffer", 0, 0, G_OPTION_ARG_STRING, &typed.buffer, NULL, NULL },
    { "rejoin", 0, 0, G_OPTION_ARG_STRING, &typed.rejoin, NULL, NULL },
    { "control", 0, 0, G_OPTION_ARG_NONE, &typed.control, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  const SsOptionsSpec spec = { .help = help, .entries = entries };
  SsProgram program;
  SsOptions options;
  SsListenOptions listen;
  SsStationSpec station = { .name = NULL };
  GError *error = NULL;
  bool is_done = false;

  ss_program_init (&program, "ss-listen");
  if (!ss_options_parse (&options, &program, &spec, argc, argv, &is_done,
                         &error)
      || (!is_done
          && (!understand (&typed, &listen, &error)
              || !read_station (options.rest, &station, &error)))) {
    ss_program_fail_error (&program, error);
  } else if (!is_done) {
    listen.station = &station;
    ss_listen_run (&program, &options.host, &listen);
  }
  ss_options_clear (&options);
  ss_station_spec_clear (&station);
  char *const strings[] = { typed.output, typed.wait, typed.duration,
                            typed.buffer, typed.rejoin };

  for (size_t i = 0; i < G_N_ELEMENTS (strings); i++)
    g_free (strings[i]);
  ss_program_clear (&program);
  return program.status;
}
