/* Addresses, contacts, counters and the environment, by example. */
#include <glib.h>
#include <string.h>

#include "base/contact.h"
#include "base/env.h"

static void
test_addr_text (void)
{
  static const struct {
    const char *text, *canonical; /* NULL: refused */
  } rows[] = {
    { "1.2.3.4:5", "1.2.3.4:5" },
    { "255.255.255.255:65535", "255.255.255.255:65535" },
    { "[::1]:5", "[::1]:5" },
    { "[::ffff:1.2.3.4]:5", "1.2.3.4:5" },
    { "[2001:db8:0:0:0:0:0:1]:80", "[2001:db8::1]:80" },
    { "0.0.0.0:0", "0.0.0.0:0" },
    { "", NULL },
    { ":", NULL },
    { "1.2.3.4", NULL },
    { "1.2.3.4:", NULL },
    { "1.2.3:5", NULL },
    { "1.2.3.4:65536", NULL },
    { "1.2.3.4:+5", NULL },
    { "1.2.3.4: 5", NULL },
    { "1.2.3.4:123456", NULL },
    { "::1:5", NULL },
    { "[::1]5", NULL },
    { "[::1", NULL },
    { "[1.2.3.4]:5", NULL },
    { "[fe80::1%lo]:5", NULL },
    { "localhost:5", NULL },
    { "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:00000000]:1", NULL },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
    SsAddr addr;
    char text[SS_ADDR_STRLEN];
    bool parsed = ss_addr_parse (rows[i].text, &addr);

    g_assert_cmpint (parsed, ==, rows[i].canonical != NULL);
    if (!parsed)
      continue;
    ss_addr_format (&addr, text);
    g_assert_cmpstr (text, ==, rows[i].canonical);
  }
}

static void
test_addr_kinds (void)
{
  static const struct {
    const char *text;
    bool is_v4, is_loopback;
  } rows[] = {
    { "127.0.0.1:1", true, true },  { "127.9.9.9:1", true, true },
    { "128.0.0.1:1", true, false }, { "[::1]:1", false, true },
    { "[::2]:1", false, false },    { "[7f00::1]:1", false, false },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
    SsAddr addr;

    g_assert_true (ss_addr_parse (rows[i].text, &addr));
    g_assert_true (ss_addr_is_set (&addr));
    g_assert_cmpint (ss_addr_is_v4 (&addr), ==, rows[i].is_v4);
    g_assert_cmpint (ss_addr_is_loopback (&addr), ==, rows[i].is_loopback);
  }
}

static void
test_addr_order (void)
{
  SsAddr a = ss_addr_v4 (0x01020304, 500), b = a;

  g_assert_true (ss_addr_equal (&a, &b));
  g_assert_cmpuint (ss_addr_hash (&a), ==, ss_addr_hash (&b));
  b.port = 501;
  g_assert_false (ss_addr_equal (&a, &b));
  g_assert_true (ss_addr_same_ip (&a, &b));
  g_assert_cmpint (ss_addr_compare (&a, &b), <, 0);
  b = ss_addr_v4 (0x01020303, 501);
  g_assert_cmpint (ss_addr_compare (&a, &b), >, 0);
  g_assert_cmpint (ss_addr_compare (&a, &a), ==, 0);
}

static void
test_contact (void)
{
  SsPeerRecord record = {
    .flags = SS_PEER_RELAY,
    .n_addrs = 2,
    .addrs = { ss_addr_v4 (1, 2), ss_addr_v4 (3, 4) },
  };

  memset (record.key.b, 7, SS_KEY_LEN);
  SsContact contact = ss_contact_from_record (&record);
  SsPeerRecord back = ss_contact_to_record (&contact);
  SsId id = ss_id_of_key (&record.key);

  g_assert_true (ss_id_equal (&contact.id, &id));
  g_assert_true (ss_addr_equal (&contact.addr, &record.addrs[0]));
  g_assert_true (ss_key_equal (&back.key, &record.key));
  g_assert_cmpuint (back.flags, ==, SS_PEER_RELAY);
  g_assert_cmpuint (back.n_addrs, ==, 1);
  g_assert_true (ss_addr_equal (&back.addrs[0], &record.addrs[0]));

  SsContact moved = contact;

  moved.addr = record.addrs[1];
  g_assert_true (ss_contact_equal (&contact, &moved));
}

static void
test_counters (void)
{
  SsEnv env;
  uint8_t seed[32] = { 0 };

  ss_env_init (&env, seed, 5, 7);
  ss_count (&env, DATAGRAMS_IN);
  ss_count_add (&env, BYTES_IN, 100);
  ss_count_add (&env, BYTES_IN, 23);
  g_assert_cmpuint (env.counters.value[SS_COUNT_DATAGRAMS_IN], ==, 1);
  g_assert_cmpuint (env.counters.value[SS_COUNT_BYTES_IN], ==, 123);
  g_assert_cmpuint (env.counters.value[SS_COUNT_BYTES_OUT], ==, 0);
  g_assert_cmpstr (ss_counter_name (SS_COUNT_BYTES_IN), ==, "bytes_in");
  for (unsigned i = 0; i < SS_N_COUNTERS; i++) {
    g_assert_cmpuint (strlen (ss_counter_name (i)), >, 0);
    g_assert_cmpuint (strlen (ss_counter_doc (i)), >, 0);
  }
  ss_env_clear (&env);
}

static void
collect (void *user, SsLogLevel level, const char *text)
{
  g_string_append_printf (user, "%d:%s;", (int) level, text);
}

static void
test_log (void)
{
  SsEnv env;
  uint8_t seed[32] = { 0 };
  GString *lines = g_string_new (NULL);

  ss_env_init (&env, seed, 0, 0);
  ss_info (&env, "nobody listens");
  env.log = collect;
  env.log_user = lines;
  ss_info (&env, "state %d", 1);
  ss_debug (&env, "not yet");
  env.log_level = SS_LOG_DEBUG;
  ss_debug (&env, "decision");
  env.log_level = SS_LOG_ERROR;
  ss_info (&env, "no more");
  g_assert_cmpstr (lines->str, ==, "1:state 1;2:decision;");
  g_string_free (lines, TRUE);
  ss_env_clear (&env);
}

static void
test_median (void)
{
  SsTime one[] = { 7 };
  SsTime odd[] = { 5, -1, 9, 3, 4 };
  SsTime even[] = { 8, 2, 6, 4 };
  g_assert_cmpint (ss_time_median (one, 1), ==, 7);
  g_assert_cmpint (ss_time_median (odd, 5), ==, 4);
  g_assert_cmpint (ss_time_median (even, 4), ==, 6);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/addr/text", test_addr_text);
  g_test_add_func ("/addr/kinds", test_addr_kinds);
  g_test_add_func ("/addr/order", test_addr_order);
  g_test_add_func ("/contact/records", test_contact);
  g_test_add_func ("/counters/names", test_counters);
  g_test_add_func ("/env/log", test_log);
  g_test_add_func ("/base/median", test_median);
  return g_test_run ();
}
