/* Station names, fingerprints and links. */
#include "net/station_spec.h"

#include <string.h>

#include "net/error.h"
#include "net/parse.h"
#include "node/node.h"

static const char *
name_fault (const char *name)
{
  if (*name == '\0')
    return "is empty";
  if (strlen (name) > SS_STATION_NAME_MAX)
    return "is longer than " G_STRINGIFY (SS_STATION_NAME_MAX) " bytes";
  for (const char *c = name; *c != '\0'; c = g_utf8_next_char (c)) {
    gunichar u = g_utf8_get_char (c);

    if (!g_unichar_isprint (u))
      return "has characters that cannot be shown";
    if (u < 0x80 && strchr ("@/?#", (char) u) != NULL)
      return "has one of @ / ? #";
  }
  if (g_unichar_isspace (g_utf8_get_char (name))
      || g_unichar_isspace (
          g_utf8_get_char (g_utf8_prev_char (name + strlen (name)))))
    return "begins or ends with a space";
  return NULL;
}

char *
ss_station_name_check (const char *text, GError **error)
{
  g_autofree char *name = g_utf8_normalize (text, -1, G_NORMALIZE_NFC);
  const char *fault = name == NULL ? "is not UTF-8" : name_fault (name);

  if (fault == NULL)
    return g_steal_pointer (&name);
  g_autofree char *shown = ss_printable (text);

  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
               "the station name '%.100s' %s; choose another", shown, fault);
  return NULL;
}

static bool
read_fingerprint (const char *text, SsId *ret_fingerprint, GError **error)
{
  g_autofree char *lower = g_ascii_strdown (text, -1);

  if (ss_fingerprint_parse (lower, ret_fingerprint))
    return true;
  g_autofree char *shown = ss_printable (text);

  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
               "'%.100s' is no key fingerprint; give the %d letters and "
               "digits that the broadcaster prints",
               shown, SS_FINGERPRINT_STRLEN - 1);
  return false;
}

/* The value of `key` in a query, as it stands; NULL when it is not there. */
static char *
query_value (const char *query, const char *key)
{
  g_auto (GStrv) pairs = g_strsplit (query, "&", -1);
  size_t key_len = strlen (key);

  for (char **pair = pairs; *pair != NULL; pair++)
    if (strncmp (*pair, key, key_len) == 0 && (*pair)[key_len] == '=')
      return g_strdup (*pair + key_len + 1);
  return NULL;
}

static bool
parse_uri (const char *rest, SsStationSpec *ret_spec, GError **error)
{
  SsStationSpec spec = { .has_fingerprint = false };
  size_t name_len = strcspn (rest, "/?#");
  g_autofree char *escaped = g_strndup (rest, name_len);
  g_autofree char *name = g_uri_unescape_string (escaped, NULL);
  const char *tail = rest + name_len;

  /* Browsers put a slash behind what they take for a host. */
  tail += strspn (tail, "/");
  g_autofree char *query = g_strndup (
      *tail == '?' ? tail + 1 : "", *tail == '?' ? strcspn (tail + 1, "#") : 0);
  g_autofree char *escaped_key = query_value (query, "key");

  if (name == NULL) {
    g_autofree char *shown = ss_printable (escaped);

    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                 "'%.100s' is badly percent-encoded", shown);
    return false;
  }
  /* Where a key may have been meant, none at all is the wrong answer. */
  if (*tail != '\0' && *tail != '?' && *tail != '#') {
    g_autofree char *shown = ss_printable (tail);

    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                 "'%.100s' behind the station's name means nothing; give "
                 "?key=FINGERPRINT or leave it out",
                 shown);
    return false;
  }
  if (escaped_key != NULL) {
    g_autofree char *key = g_uri_unescape_string (escaped_key, NULL);

    if (!read_fingerprint (key != NULL ? key : escaped_key, &spec.fingerprint,
                           error))
      return false;
    spec.has_fingerprint = true;
  }
  spec.name = ss_station_name_check (name, error);
  if (spec.name == NULL)
    return false;
  *ret_spec = spec;
  return true;
}

bool
ss_station_spec_parse (const char *text, SsStationSpec *ret_spec,
                       GError **error)
{
  SsStationSpec spec = { .has_fingerprint = false };
  const size_t scheme_len = strlen (SS_URI_SCHEME ":");

  if (g_ascii_strncasecmp (text, SS_URI_SCHEME ":", scheme_len) == 0) {
    const char *rest = text + scheme_len;

    return parse_uri (rest + (g_str_has_prefix (rest, "//") ? 2 : 0), ret_spec,
                      error);
  }
  const char *at = strrchr (text, '@');
  g_autofree char *name =
      at == NULL ? g_strdup (text) : g_strndup (text, (size_t) (at - text));

  if (at != NULL) {
    if (!read_fingerprint (at + 1, &spec.fingerprint, error))
      return false;
    spec.has_fingerprint = true;
  }
  spec.name = ss_station_name_check (name, error);
  if (spec.name == NULL)
    return false;
  *ret_spec = spec;
  return true;
}

void
ss_station_spec_clear (SsStationSpec *spec)
{
  g_clear_pointer (&spec->name, g_free);
}

char *
ss_station_uri (const char *name, const SsId *fingerprint)
{
  g_autofree char *escaped = g_uri_escape_string (name, NULL, FALSE);
  char text[SS_FINGERPRINT_STRLEN];

  if (fingerprint == NULL)
    return g_strconcat (SS_URI_SCHEME "://", escaped, NULL);
  ss_fingerprint_format_id (fingerprint, text);
  return g_strconcat (SS_URI_SCHEME "://", escaped, "?key=", text, NULL);
}
