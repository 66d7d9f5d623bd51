/* ss-broadcast: the command line of a broadcast. */
#include "apps/broadcast.h"
#include "apps/options.h"
#include "media/source.h"
#include "net/station_spec.h"

static const char help[] =
    "ss-broadcast: put files, streams or devices on the air\n"
    "\n"
    "usage: ss-broadcast --group NAME [OPTION...] SOURCE...\n"
    "\n"
    "SOURCE is a file, - for standard input, or a GStreamer URI. Several play "
    "one\n"
    "after the other, in real time. Ogg Opus, Vorbis and FLAC pass through bit "
    "for\n"
    "bit; anything else that can be decoded is transcoded to Opus.\n"
    "\n"
    "The station:\n"
    "  --group NAME           its name\n"
    "  --title TEXT           what listeners are shown\n"
    "  --description TEXT     more of it\n"
    "  --loop                 begin again after the last source\n"
    "  --bitrate RATE         of what is transcoded; 96k by default\n"
    "  --latency MS           from source to sound; 1500 by default. The time\n"
    "                         there is to repair a loss\n"
    "  --parity M             stripes of parity among the 16, 0 to 4; 1 by "
    "default\n"
    "  --standby              if the station is on the air already, wait until "
    "who\n"
    "                         broadcasts it is gone, and go on in its place; "
    "until\n"
    "                         then it listens, and forwards to nobody\n"
    "  --station-key FILE     the station's secret key; made on the first "
    "broadcast\n"
    "                         of a name, and kept with your data, by default\n";

typedef struct {
  char *group, *title, *description, *station_key, *bitrate, *latency;
  int parity;
  gboolean loop, standby;
} Typed;

static bool
refuse (GError **error, const char *message)
{
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
               "%s; see ss-broadcast --help", message);
  return false;
}

static bool
understand (const Typed *typed, char **ret_group,
            SsBroadcastOptions *ret_options, GError **error)
{
  SsBroadcastOptions options = {
    .title = typed->title,
    .description = typed->description,
    .station_key_file = typed->station_key,
    .loop = typed->loop,
    .is_standby = typed->standby,
    .latency = SS_LATENCY_DEFAULT,
  };
  uint64_t bitrate = SS_SOURCE_BITRATE_DEFAULT;

  if (typed->group == NULL)
    return refuse (error, "--group NAME is missing");
  if (typed->bitrate != NULL
      && !ss_parse_rate (typed->bitrate, &bitrate, error))
    return false;
  if (bitrate < SS_SOURCE_BITRATE_MIN || bitrate > SS_SOURCE_BITRATE_MAX)
    return refuse (error, "--bitrate must be 6k to 510k");
  if (typed->latency != NULL
      && !ss_parse_duration (typed->latency, SS_MSEC, &options.latency, error))
    return false;
  if (options.latency < SS_LATENCY_MIN || options.latency > SS_LATENCY_MAX)
    return refuse (error, "--latency must be 200 ms to 60 s");
  if (typed->parity < 0 || typed->parity > SS_PARITY_MAX)
    return refuse (error, "--parity must be 0 to 4");
  if ((typed->title != NULL && !g_utf8_validate (typed->title, -1, NULL))
      || (typed->description != NULL
          && !g_utf8_validate (typed->description, -1, NULL)))
    return refuse (error, "--title and --description must be UTF-8");
  options.bitrate = (uint32_t) bitrate;
  options.parity = (uint8_t) typed->parity;
  *ret_group = ss_station_name_check (typed->group, error);
  options.group = *ret_group;
  *ret_options = options;
  return *ret_group != NULL;
}

int
main (int argc, char **argv)
{
  Typed typed = { .parity = 1 };
  /* Names are taken as they are, in UTF-8, whatever the locale. */
  const GOptionEntry entries[] = {
    { "group", 0, 0, G_OPTION_ARG_FILENAME, &typed.group, NULL, NULL },
    { "title", 0, 0, G_OPTION_ARG_FILENAME, &typed.title, NULL, NULL },
    { "description", 0, 0, G_OPTION_ARG_FILENAME, &typed.description, NULL,
      NULL },
    { "loop", 0, 0, G_OPTION_ARG_NONE, &typed.loop, NULL, NULL },
    { "standby", 0, 0, G_OPTION_ARG_NONE, &typed.standby, NULL, NULL },
    { "bitrate", 0, 0, G_OPTION_ARG_STRING, &typed.bitrate, NULL, NULL },
    { "latency", 0, 0, G_OPTION_ARG_STRING, &typed.latency, NULL, NULL },
    { "parity", 0, 0, G_OPTION_ARG_INT, &typed.parity, NULL, NULL },
    { "station-key", 0, 0, G_OPTION_ARG_FILENAME, &typed.station_key, NULL,
      NULL },
    G_OPTION_ENTRY_NULL,
  };
  const SsOptionsSpec spec = { .help = help, .entries = entries };
  SsProgram program;
  SsOptions options;
  SsBroadcastOptions broadcast;
  g_autofree char *group = NULL;
  GError *error = NULL;
  bool is_done = false;

  ss_program_init (&program, "ss-broadcast");
  if (!ss_options_parse (&options, &program, &spec, argc, argv, &is_done,
                         &error)
      || (!is_done && !understand (&typed, &group, &broadcast, &error))) {
    ss_program_fail_error (&program, error);
  } else if (!is_done && options.rest == NULL) {
    ss_program_fail (&program, SS_NET_ERROR_USAGE,
                     "SOURCE is missing; see ss-broadcast --help");
  } else if (!is_done) {
    broadcast.sources = (const char *const *) options.rest;
    ss_broadcast_run (&program, &options.host, &broadcast);
  }
  ss_options_clear (&options);
  char *const strings[] = { typed.group,       typed.title,   typed.description,
                            typed.station_key, typed.bitrate, typed.latency };

  for (size_t i = 0; i < G_N_ELEMENTS (strings); i++)
    g_free (strings[i]);
  ss_program_clear (&program);
  return program.status;
}
