/* What people type: rates, durations, addresses, stations. */
#include <glib.h>
#include <string.h>

#include "net/error.h"
#include "net/parse.h"
#include "net/station_spec.h"

#define FINGERPRINT "abcdefghijklmnopqrstuvwxyz234567"

static void
test_rate (void)
{
  static const struct {
    const char *text;
    bool ok;
    uint64_t bps;
  } rows[] = {
    { "5M", true, 5000000 },    { "1.5M", true, 1500000 },
    { "500k", true, 500000 },   { "96000", true, 96000 },
    { "none", true, 0 },        { "1G", true, 1000000000 },
    { "2Mbit", true, 2000000 }, { "", false, 0 },
    { "M", false, 0 },          { "-1M", false, 0 },
    { "0", false, 0 },          { "1e6", false, 0 },
    { "inf", false, 0 },        { "5 M", false, 0 },
    { "5MM", false, 0 },        { "1.2.3M", false, 0 },
    { "0x10", false, 0 },       { "99999999999G", false, 0 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    uint64_t bps = 7;
    GError *error = NULL;
    bool ok = ss_parse_rate (rows[i].text, &bps, &error);

    g_test_message ("%s", rows[i].text);
    g_assert_true (ok == rows[i].ok);
    g_assert_cmpuint (bps, ==, ok ? rows[i].bps : 7);
    if (!ok)
      g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE);
    g_clear_error (&error);
  }
}

static void
test_rate_shown (void)
{
  static const struct {
    uint64_t bps;
    const char *text;
  } rows[] = {
    { 0, "no cap" },         { 300, "300 bit/s" },      { 96000, "96 kbit/s" },
    { 5000000, "5 Mbit/s" }, { 1500000, "1.5 Mbit/s" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = ss_format_rate (rows[i].bps);

    g_assert_cmpstr (text, ==, rows[i].text);
  }
}

static void
test_duration (void)
{
  static const struct {
    const char *text;
    SsTime unit;
    SsTime ns; /* -1: refused */
  } rows[] = {
    { "10", SS_SEC, 10 * SS_SEC },
    { "10", SS_MSEC, 10 * SS_MSEC },
    { "1.5", SS_SEC, 1500 * SS_MSEC },
    { "500ms", SS_SEC, 500 * SS_MSEC },
    { "2s", SS_MSEC, 2 * SS_SEC },
    { "2m", SS_SEC, 120 * SS_SEC },
    { "1h", SS_SEC, 3600 * SS_SEC },
    { "0", SS_SEC, 0 },
    { "-1", SS_SEC, -1 },
    { "", SS_SEC, -1 },
    { "soon", SS_SEC, -1 },
    { "1d", SS_SEC, -1 },
    { "nan", SS_SEC, -1 },
    { "99999999999999999999", SS_SEC, -1 },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    SsTime ns = -1;
    bool ok = ss_parse_duration (rows[i].text, rows[i].unit, &ns, NULL);

    g_test_message ("%s", rows[i].text);
    g_assert_true (ok == (rows[i].ns >= 0));
    g_assert_cmpint (ns, ==, rows[i].ns);
  }
}

static void
test_address (void)
{
  static const struct {
    const char *text, *shown; /* NULL: refused */
  } rows[] = {
    { "127.0.0.1:5000", "127.0.0.1:5000" },
    { "127.0.0.1", "127.0.0.1:16160" },
    { "0.0.0.0:0", "0.0.0.0:0" },
    { "[::1]:5000", "[::1]:5000" },
    { "[::]", "[::]:16160" },
    { "::1", "[::1]:16160" },
    { "localhost:5000", NULL },
    { "1.2.3:5", NULL },
    { "127.0.0.1:65536", NULL },
    { "127.0.0.1:", NULL },
    { "127.0.0.1:-1", NULL },
    { "[::1", NULL },
    { "[::1]5", NULL },
    { "", NULL },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    SsAddr addr;
    char shown[SS_ADDR_STRLEN];
    GError *error = NULL;
    bool ok = ss_parse_address (rows[i].text, 16160, &addr, &error);

    g_test_message ("%s", rows[i].text);
    g_assert_true (ok == (rows[i].shown != NULL));
    if (ok) {
      ss_addr_format (&addr, shown);
      g_assert_cmpstr (shown, ==, rows[i].shown);
    } else {
      g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE);
      g_clear_error (&error);
    }
  }
}

static void
test_endpoint (void)
{
  char hex[SS_KEY_HEX_STRLEN];
  SsKey key;
  SsEndpoint endpoint;

  for (unsigned i = 0; i < SS_KEY_LEN; i++)
    key.b[i] = (uint8_t) (i * 37);
  ss_key_format (&key, hex);
  g_autofree char *with_key = g_strconcat (hex, "@relay.example:99", NULL);

  g_assert_true (ss_endpoint_parse (with_key, 16160, &endpoint, NULL));
  g_assert_true (endpoint.has_key);
  g_assert_true (ss_key_equal (&endpoint.key, &key));
  g_assert_cmpstr (endpoint.host, ==, "relay.example");
  g_assert_cmpuint (endpoint.port, ==, 99);
  ss_endpoint_clear (&endpoint);

  g_assert_true (ss_endpoint_parse ("relay.example", 16160, &endpoint, NULL));
  g_assert_false (endpoint.has_key);
  g_assert_cmpuint (endpoint.port, ==, 16160);
  ss_endpoint_clear (&endpoint);

  g_assert_true (ss_endpoint_parse ("[::1]:7", 16160, &endpoint, NULL));
  g_assert_cmpstr (endpoint.host, ==, "::1");
  ss_endpoint_clear (&endpoint);

  static const char *const bad[] = {
    "",           ":5",      "a b:5",       "host:0",   "host:99999",
    "abc@host:5", "@host:5", "http://host", "host:5@x", "a:1,b:2",
  };
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    GError *error = NULL;

    g_test_message ("%s", bad[i]);
    g_assert_false (ss_endpoint_parse (bad[i], 16160, &endpoint, &error));
    g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE);
    g_clear_error (&error);
  }
}

static void
test_station (void)
{
  static const struct {
    const char *text, *name; /* NULL: refused */
    bool has_key;
  } rows[] = {
    { "radio1", "radio1", false },
    { "radio1@" FINGERPRINT, "radio1", true },
    { "radio1@ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "radio1", true },
    { "splitstream://radio1?key=" FINGERPRINT, "radio1", true },
    { "SPLITSTREAM://radio1/?key=" FINGERPRINT "#x", "radio1", true },
    { "splitstream://radio1", "radio1", false },
    { "splitstream:radio1", "radio1", false },
    { "splitstream://caf%C3%A9%20no%2e1?a=b&key=" FINGERPRINT,
      "caf\xc3\xa9 no.1", true },
    { "cafe\xcc\x81", "caf\xc3\xa9", false }, /* NFC */
    { "", NULL, false },
    { " radio1", NULL, false },
    { "radio1@", NULL, false },
    { "radio1@short", NULL, false },
    { "@" FINGERPRINT, NULL, false },
    { "ra/dio", NULL, false },
    { "ra\ndio", NULL, false },
    { "ra\x1b[31mdio", NULL, false },
    { "\xff\xfe", NULL, false },
    { "splitstream://?key=" FINGERPRINT, NULL, false },
    { "splitstream://radio1?key=1", NULL, false },
    { "splitstream://radio1?key=%zz", NULL, false },
    { "splitstream://radio1?key=", NULL, false },
    { "splitstream://radio1/x?key=" FINGERPRINT, NULL, false },
    { "splitstream://radio%zz", NULL, false },
    { "splitstream://a%2Fb", NULL, false },
    { "splitstream://a%00b", NULL, false },
    { "0123456789012345678901234567890123456789012345678901234567890123x", NULL,
      false },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    SsStationSpec spec;
    GError *error = NULL;
    bool ok = ss_station_spec_parse (rows[i].text, &spec, &error);

    g_test_message ("row %u", (unsigned) i); /* not all are UTF-8 */
    g_assert_true (ok == (rows[i].name != NULL));
    if (ok) {
      char text[SS_FINGERPRINT_STRLEN];

      g_assert_cmpstr (spec.name, ==, rows[i].name);
      g_assert_true (spec.has_fingerprint == rows[i].has_key);
      if (spec.has_fingerprint) {
        ss_fingerprint_format_id (&spec.fingerprint, text);
        g_assert_cmpstr (text, ==, FINGERPRINT);
      }
      ss_station_spec_clear (&spec);
    } else {
      g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_USAGE);
      g_assert_null (strchr (error->message, '\n'));
      g_clear_error (&error);
    }
  }
}

static void
test_station_uri (void)
{
  SsStationSpec spec;
  SsId id;

  g_assert_true (ss_fingerprint_parse (FINGERPRINT, &id));
  g_autofree char *uri = ss_station_uri ("caf\xc3\xa9 & co", &id);

  g_assert_cmpstr (uri, ==,
                   "splitstream://caf%C3%A9%20%26%20co?key=" FINGERPRINT);
  g_assert_true (ss_station_spec_parse (uri, &spec, NULL));
  g_assert_cmpstr (spec.name, ==, "caf\xc3\xa9 & co");
  g_assert_true (ss_id_equal (&spec.fingerprint, &id));
  ss_station_spec_clear (&spec);
}

static void
test_printable (void)
{
  g_autofree char *shown =
      ss_printable ("a\x1b]0;x\a\n\xe2\x80\xae\xff caf\xc3\xa9");

  g_assert_cmpstr (shown, ==,
                   "a\xef\xbf\xbd]0;x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                   "\xef\xbf\xbd caf\xc3\xa9");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/net/parse/rate", test_rate);
  g_test_add_func ("/net/parse/rate-shown", test_rate_shown);
  g_test_add_func ("/net/parse/duration", test_duration);
  g_test_add_func ("/net/parse/address", test_address);
  g_test_add_func ("/net/parse/endpoint", test_endpoint);
  g_test_add_func ("/net/parse/station", test_station);
  g_test_add_func ("/net/parse/station-uri", test_station_uri);
  g_test_add_func ("/net/parse/printable", test_printable);
  return g_test_run ();
}
