/* What people type, and what they are shown. Numbers are read in the C
 * locale, so that "1.5M" means the same everywhere. */
#include "net/parse.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "net/error.h"

#define RATE_MAX     1e12                     /* bit/s */
#define DURATION_MAX (10 * 366 * 24 * 3600.0) /* s */
#define HOST_LEN_MAX 253                      /* RFC 1035, section 3.1 */

/* A plain decimal number at the start of text; no sign, no exponent, no
 * "inf", all of which strtod would take. */
static bool
read_number (const char *text, double *ret_number, const char **ret_rest)
{
  size_t n = strspn (text, "0123456789.");
  char *end;

  if (n == 0 || n > 20)
    return false;
  g_autofree char *digits = g_strndup (text, n);
  double number = g_ascii_strtod (digits, &end);

  if (*end != '\0' || !isfinite (number))
    return false;
  *ret_number = number;
  *ret_rest = text + n;
  return true;
}

bool
ss_parse_rate (const char *text, uint64_t *ret_bps, GError **error)
{
  static const struct {
    const char *suffix;
    double factor;
  } suffixes[] = {
    { "", 1 },    { "k", 1e3 },    { "K", 1e3 },    { "M", 1e6 },
    { "G", 1e9 }, { "kbit", 1e3 }, { "Mbit", 1e6 }, { "Gbit", 1e9 },
  };
  const char *rest;
  double number;

  if (strcmp (text, "none") == 0) {
    *ret_bps = 0;
    return true;
  }
  if (read_number (text, &number, &rest))
    for (size_t i = 0; i < G_N_ELEMENTS (suffixes); i++) {
      double bps = number * suffixes[i].factor;

      if (strcmp (rest, suffixes[i].suffix) != 0 || bps > RATE_MAX)
        continue;
      /* 0 would silently mean "no cap": refuse it. */
      if (bps < 1)
        break;
      *ret_bps = (uint64_t) bps;
      return true;
    }
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
               "'%s' is no rate; give bit/s as in 5M, 500k or none", text);
  return false;
}

char *
ss_format_rate (uint64_t bps)
{
  if (bps == 0)
    return g_strdup ("no cap");
  if (bps >= 1000000)
    return g_strdup_printf ("%.3g Mbit/s", (double) bps / 1e6);
  if (bps >= 1000)
    return g_strdup_printf ("%.3g kbit/s", (double) bps / 1e3);
  return g_strdup_printf ("%u bit/s", (unsigned) bps);
}

bool
ss_parse_duration (const char *text, SsTime unit, SsTime *ret_duration,
                   GError **error)
{
  const struct {
    const char *suffix;
    SsTime unit;
  } suffixes[] = {
    { "", unit },         { "ms", SS_MSEC },      { "s", SS_SEC },
    { "m", 60 * SS_SEC }, { "h", 3600 * SS_SEC },
  };
  const char *rest;
  double number;

  if (read_number (text, &number, &rest))
    for (size_t i = 0; i < G_N_ELEMENTS (suffixes); i++) {
      double ns = number * (double) suffixes[i].unit;

      if (strcmp (rest, suffixes[i].suffix) != 0
          || ns > DURATION_MAX * (double) SS_SEC)
        continue;
      *ret_duration = (SsTime) ns;
      return true;
    }
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
               "'%s' is no duration; give %s as in 10, or 500ms, 10s, 2m, 1h",
               text, unit == SS_MSEC ? "milliseconds" : "seconds");
  return false;
}

static bool
read_port (const char *text, uint16_t *ret_port)
{
  guint64 port;

  if (!g_ascii_string_to_unsigned (text, 10, 0, UINT16_MAX, &port, NULL))
    return false;
  *ret_port = (uint16_t) port;
  return true;
}

/* Cuts "host:port", "[v6]:port", "host", "[v6]", "v6". */
static bool
split_endpoint (const char *text, uint16_t default_port, char **ret_host,
                uint16_t *ret_port)
{
  const char *host = text, *end, *port = NULL;

  if (*text == '[') {
    host = text + 1;
    end = strchr (host, ']');
    if (end == NULL || (end[1] != ':' && end[1] != '\0'))
      return false;
    if (end[1] == ':')
      port = end + 2;
  } else {
    const char *colon = strchr (text, ':');

    /* More than one colon: an IPv6 address without a port. */
    if (colon != NULL && strchr (colon + 1, ':') == NULL) {
      end = colon;
      port = colon + 1;
    } else {
      end = text + strlen (text);
    }
  }
  if (end == host || end - host > HOST_LEN_MAX)
    return false;
  *ret_port = default_port;
  if (port != NULL && !read_port (port, ret_port))
    return false;
  *ret_host = g_strndup (host, (size_t) (end - host));
  return true;
}

bool
ss_parse_address (const char *text, uint16_t default_port, SsAddr *ret_addr,
                  GError **error)
{
  g_autofree char *host = NULL;
  SsAddr addr;

  if (split_endpoint (text, default_port, &host, &addr.port)) {
    if (inet_pton (AF_INET6, host, addr.ip) == 1) {
      *ret_addr = addr;
      return true;
    }
    addr = ss_addr_v4 (0, addr.port);
    if (inet_pton (AF_INET, host, addr.ip + 12) == 1) {
      *ret_addr = addr;
      return true;
    }
  }
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
               "'%s' is no address; give ADDR:PORT in numbers, as in "
               "192.0.2.1:%u or [::]:%u",
               text, SS_DEFAULT_PORT, SS_DEFAULT_PORT);
  return false;
}

static bool
host_is_plausible (const char *host)
{
  for (const char *c = host; *c != '\0'; c++)
    if (g_ascii_isspace (*c) || g_ascii_iscntrl (*c) || strchr ("/@?#[],;", *c))
      return false;
  return true;
}

bool
ss_endpoint_parse (const char *text, uint16_t default_port,
                   SsEndpoint *ret_endpoint, GError **error)
{
  SsEndpoint endpoint = { .has_key = false };
  const char *at = strchr (text, '@');
  const char *rest = at == NULL ? text : at + 1;

  if (at != NULL) {
    g_autofree char *hex = g_strndup (text, (size_t) (at - text));

    if (!ss_key_parse (hex, &endpoint.key)) {
      g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
                   "'%s' is no node key; give the %d hexadecimal digits that "
                   "the node prints, or HOST:PORT alone",
                   hex, 2 * SS_KEY_LEN);
      return false;
    }
    endpoint.has_key = true;
  }
  if (!split_endpoint (rest, default_port, &endpoint.host, &endpoint.port)
      || endpoint.port == 0 || !host_is_plausible (endpoint.host)) {
    g_set_error (
        error, SS_NET_ERROR, SS_NET_ERROR_USAGE,
        "'%s' is no bootstrap node; give [KEY@]HOST:PORT, and the option "
        "once for each",
        text);
    ss_endpoint_clear (&endpoint);
    return false;
  }
  *ret_endpoint = endpoint;
  return true;
}

void
ss_endpoint_clear (SsEndpoint *endpoint)
{
  g_clear_pointer (&endpoint->host, g_free);
}

char *
ss_printable (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *printable = g_string_new (NULL);

  for (const char *c = valid; *c != '\0'; c = g_utf8_next_char (c)) {
    gunichar u = g_utf8_get_char (c);

    /* Format characters (Cf) count as unprintable with GLib. */
    g_string_append_unichar (printable, g_unichar_isprint (u) ? u : 0xfffd);
  }
  return g_string_free (printable, FALSE);
}
