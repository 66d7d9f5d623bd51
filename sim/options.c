/* One table says what there is. */
#include "sim/options.h"

#include <string.h>

typedef enum {
  KIND_UNSIGNED,
  KIND_SEED,
  KIND_INT,
  KIND_DOUBLE,
  KIND_SHARE, /* from 0 to 1 */
  KIND_MSEC,
  KIND_SEC,
  KIND_TOPOLOGY,
  KIND_CHURN,
  KIND_FLAG,
  KIND_KBPS, /* 32 bits */
} Kind;

typedef struct {
  const char *name;
  char letter;
  Kind kind;
  size_t at;
  const char *doc, *argument;
} Option;

#define OPTION(name, letter, kind, field, doc, argument) \
  { \
    name, letter, kind, offsetof (SsSimOptions, field), doc, argument \
  }

static const Option table[] = {
  OPTION ("nodes", 'n', KIND_UNSIGNED, nodes, "how many nodes", "N"),
  OPTION ("seed", 's', KIND_SEED, seed, "all chance follows from it", "S"),
  OPTION ("runs", 'r', KIND_UNSIGNED, runs, "seeds from S on", "N"),
  OPTION ("may-fail", 0, KIND_UNSIGNED, may_fail, "so many of these", "N"),
  OPTION ("loss", 'l', KIND_SHARE, loss, "of datagrams, 0 to 1", "P"),
  OPTION ("duplicate", 0, KIND_SHARE, duplicate, "datagrams twice", "P"),
  OPTION ("straggle", 0, KIND_SHARE, straggle, "datagrams late", "P"),
  OPTION ("one-way", 0, KIND_SHARE, one_way,
          "ordered pairs of which the second hears nothing of the first", "P"),
  OPTION ("topology", 0, KIND_TOPOLOGY, topology,
          "uniform, plane, sphere or transit-stub", "KIND"),
  OPTION ("delay", 'd', KIND_MSEC, delay,
          "one way; plane: across; sphere: half around; transit-stub: mean",
          "MS"),
  OPTION ("jitter", 'j', KIND_MSEC, jitter, "up to as much more", "MS"),
  OPTION ("hold-off", 0, KIND_MSEC, hold_off,
          "datagrams that stream in are taken so often, as the programs do",
          "MS"),
  OPTION ("up", 0, KIND_KBPS, access.up_kbps, "access links; 0: endless",
          "KBIT/S"),
  OPTION ("down", 0, KIND_KBPS, access.down_kbps, "the same", "KBIT/S"),
  OPTION ("queue", 0, KIND_KBPS, access.queue_bytes, "before an access link",
          "BYTES"),
  OPTION ("churn", 0, KIND_CHURN, churn,
          "poisson, weibull, flash, diurnal or gnutella", "KIND"),
  OPTION ("session", 0, KIND_SEC, session, "of churn: mean; 0: 2.3 h", "S"),
  OPTION ("rate", 0, KIND_DOUBLE, rate, "lookups a node and second", "R"),
  OPTION ("kbits", 0, KIND_UNSIGNED, kbits, "of a stream of video; 0: Opus, 96",
          "N"),
  OPTION ("leaf-set", 0, KIND_UNSIGNED, leaf_set, "leaves of a node", "L"),
  OPTION ("out", 0, KIND_UNSIGNED, out,
          "children of a node over all stripes; 0: its own rule, or, in "
          "forest, no bound",
          "N"),
  OPTION ("latency", 0, KIND_MSEC, latency, "of the station", "MS"),
  OPTION ("parity", 'm', KIND_INT, parity, "stripes of parity", "M"),
  OPTION ("duration", 't', KIND_SEC, duration, "of the scenario's main part",
          "S"),
  OPTION ("verbose", 'v', KIND_FLAG, verbose, "what the nodes log", NULL),
};

struct SsGiven {
  char *values[G_N_ELEMENTS (table)]; /* NULL: not said */
  char *csv;
};

static void *
field (const Option *option, SsSimOptions *options)
{
  return (char *) options + option->at;
}

static bool
parse_number (const char *text, double *ret_number)
{
  char *end;
  double number = g_ascii_strtod (text, &end);

  if (end == text || *end != 0 || !(number > -1e15 && number < 1e15))
    return false;
  *ret_number = number;
  return true;
}

/* False: the text is none of that kind. */
static bool
set (const Option *option, const char *text, SsSimOptions *options)
{
  void *to = field (option, options);
  double number = 0;

  switch (option->kind) {
  case KIND_TOPOLOGY:
    return ss_topology_parse (text, to);
  case KIND_CHURN:
    return ss_churn_parse (text, to);
  case KIND_FLAG:
    *(bool *) to = true;
    return true;
  case KIND_SEED:
    return g_ascii_string_to_unsigned (text, 10, 0, UINT64_MAX, to, NULL);
  default:
    break;
  }
  if (!parse_number (text, &number))
    return false;
  bool is_whole = number == (double) (int32_t) CLAMP (number, -1e9, 1e9);

  switch (option->kind) {
  case KIND_UNSIGNED:
  case KIND_KBPS:
    *(unsigned *) to = (unsigned) MAX (number, 0);
    return is_whole && number >= 0;
  case KIND_INT:
    *(int *) to = (int) number;
    return is_whole;
  case KIND_SHARE:
    *(double *) to = number;
    return number >= 0 && number <= 1;
  case KIND_DOUBLE:
    *(double *) to = number;
    return number >= 0;
  case KIND_MSEC:
    *(SsTime *) to = (SsTime) (number * (double) SS_MSEC);
    return number >= 0;
  default:
    *(SsTime *) to = (SsTime) (number * (double) SS_SEC);
    return number >= 0 && number <= 1e9;
  }
}

static gboolean
take (const char *name, const char *value, void *data, GError **error)
{
  SsGiven *given = data;

  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++) {
    const Option *option = &table[i];
    bool is_long = strncmp (name, "--", 2) == 0;
    SsSimOptions scratch;

    if (is_long ? strcmp (name + 2, option->name) != 0
                : name[1] != option->letter)
      continue;
    if (!set (option, value, &scratch)) {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "--%s takes %s (%s), not '%s'", option->name,
                   option->argument, option->doc, value);
      return FALSE;
    }
    g_free (given->values[i]);
    given->values[i] = g_strdup (value != NULL ? value : "");
    return TRUE;
  }
  return FALSE;
}

SsGiven *
ss_given_parse (const char *summary, int *argc, char ***argv, GError **error)
{
  SsGiven *given = g_new0 (SsGiven, 1);
  GOptionEntry entries[G_N_ELEMENTS (table) + 1] = { 0 };
  const GOptionEntry csv[] = {
    { "csv", 0, 0, G_OPTION_ARG_FILENAME, &given->csv,
      "figures for plots go there: of paper, and of growth and one-death",
      "FILE" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++)
    entries[i] = (GOptionEntry){
      .long_name = table[i].name,
      .short_name = table[i].letter,
      .flags = table[i].kind == KIND_FLAG ? G_OPTION_FLAG_NO_ARG : 0,
      .arg = G_OPTION_ARG_CALLBACK,
      .arg_data = (void *) take,
      .description = table[i].doc,
      .arg_description = table[i].argument,
    };
  GOptionContext *context = g_option_context_new (summary);
  GOptionGroup *group = g_option_group_new (NULL, NULL, NULL, given, NULL);

  g_option_group_add_entries (group, entries);
  g_option_group_add_entries (group, csv);
  g_option_context_set_main_group (context, group);
  bool parsed = g_option_context_parse (context, argc, argv, error);

  g_option_context_free (context);
  if (!parsed)
    g_clear_pointer (&given, ss_given_free);
  return given;
}

void
ss_given_free (SsGiven *given)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++)
    g_free (given->values[i]);
  g_free (given->csv);
  g_free (given);
}

void
ss_given_apply (const SsGiven *given, SsSimOptions *options)
{
  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++)
    if (given->values[i] != NULL)
      set (&table[i], given->values[i], options);
}

const char *
ss_given_csv (const SsGiven *given)
{
  return given->csv;
}

const char *
ss_options_objection (const SsSimOptions *options)
{
  if (options->latency < SS_LATENCY_MIN || options->latency > SS_LATENCY_MAX)
    return "--latency is from 200 to 60000 ms";
  if (options->leaf_set > 32 || options->leaf_set % 2 != 0)
    return "--leaf-set is even, and from 2 to 32";
  if (options->parity > SS_PARITY_MAX || options->parity < -1)
    return "--parity is at most 4";
  return NULL;
}

static void
append (const Option *option, const SsSimOptions *options, GString *text)
{
  const void *from = (const char *) options + option->at;

  g_string_append_printf (text, "%s--%s", text->len > 0 ? " " : "",
                          option->name);
  switch (option->kind) {
  case KIND_UNSIGNED:
  case KIND_KBPS:
    g_string_append_printf (text, " %u", *(const unsigned *) from);
    break;
  case KIND_SEED:
    g_string_append_printf (text, " %" G_GUINT64_FORMAT,
                            *(const uint64_t *) from);
    break;
  case KIND_INT:
    g_string_append_printf (text, " %d", *(const int *) from);
    break;
  case KIND_DOUBLE:
  case KIND_SHARE:
    g_string_append_printf (text, " %.17g", *(const double *) from);
    break;
  case KIND_MSEC:
  case KIND_SEC:
    g_string_append_printf (
        text, " %.9g",
        (double) *(const SsTime *) from
            / (double) (option->kind == KIND_MSEC ? SS_MSEC : SS_SEC));
    break;
  case KIND_TOPOLOGY:
    g_string_append_printf (text, " %s",
                            ss_topology_name (*(const SsTopologyKind *) from));
    break;
  case KIND_CHURN:
    g_string_append_printf (text, " %s",
                            ss_churn_name (*(const SsChurnKind *) from));
    break;
  case KIND_FLAG:
    break;
  }
}

static size_t
size_of (const Option *option)
{
  switch (option->kind) {
  case KIND_FLAG:
    return sizeof (bool);
  case KIND_UNSIGNED:
  case KIND_KBPS:
  case KIND_INT:
  case KIND_TOPOLOGY:
  case KIND_CHURN:
    return sizeof (unsigned);
  default:
    return sizeof (uint64_t);
  }
}

char *
ss_options_format (const SsSimOptions *options, const SsSimOptions *defaults)
{
  GString *text = g_string_new (NULL);

  for (unsigned i = 0; i < G_N_ELEMENTS (table); i++) {
    const Option *option = &table[i];

    if (option->at == offsetof (SsSimOptions, verbose)
        || (option->at != offsetof (SsSimOptions, nodes)
            && option->at != offsetof (SsSimOptions, seed)
            && memcmp ((const char *) options + option->at,
                       (const char *) defaults + option->at, size_of (option))
                   == 0))
      continue;
    append (option, options, text);
  }
  return g_string_free (text, FALSE);
}
