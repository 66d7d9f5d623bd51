/* Ring identifiers by example. Hash and base32 figures come from another
 * implementation (Python's hashlib and base64). */
#include "base/id.h"

#include <glib.h>
#include <string.h>

#define ZEROS_HASH           "0210bea6a139797d74aa5764fb226398f07f42c4"
#define COUNTING_HASH        "b1b133b99f516e6c82ceda892ef5af50fa4b4e71"
#define COUNTING_FINGERPRINT "wgythom7kfxgzawo3kes55npkd5ewttr"
#define ABC_HASH             "384264f676f39536840523f284921cdc68b6846b"

static SsId
id (const char *hex)
{
  SsId parsed;

  g_assert_true (ss_id_parse (hex, &parsed));
  return parsed;
}

static void
assert_id (SsId actual, const char *hex)
{
  char text[SS_ID_STRLEN];

  ss_id_format (&actual, text);
  g_assert_cmpstr (text, ==, hex);
}

#define ZERO "0000000000000000000000000000000000000000"
#define ONE  "0000000000000000000000000000000000000001"
#define MAX_ "ffffffffffffffffffffffffffffffffffffffff"
#define HALF "8000000000000000000000000000000000000000"

static void
test_text (void)
{
  SsId parsed = id ("0123456789abcdef0123456789ABCDEF01234567");

  assert_id (parsed, "0123456789abcdef0123456789abcdef01234567");
  g_assert_false (ss_id_parse ("", &parsed));
  g_assert_false (ss_id_parse (ZERO "0", &parsed));
  g_assert_false (ss_id_parse (&ZERO[1], &parsed));
  g_assert_false (
      ss_id_parse ("g000000000000000000000000000000000000000", &parsed));
  assert_id (parsed, "0123456789abcdef0123456789abcdef01234567");
}

static void
test_carries (void)
{
  static const struct {
    const char *a, *b, *sum;
  } rows[] = {
    { ZERO, ZERO, ZERO },
    { MAX_, ONE, ZERO },
    { MAX_, MAX_, "fffffffffffffffffffffffffffffffffffffffe" },
    { HALF, HALF, ZERO },
    { "00000000000000000000000000000000ffffffff", ONE,
      "0000000000000000000000000000000100000000" },
    { "0000000000000000ffffffffffffffffffffffff", ONE,
      "0000000000000001000000000000000000000000" },
    { "0000000000000000ffffffffffffffff00000000",
      "0000000000000000000000000000000100000000",
      "0000000000000001000000000000000000000000" },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (rows); i++) {
    SsId a = id (rows[i].a), b = id (rows[i].b), sum = id (rows[i].sum);

    assert_id (ss_id_add (&a, &b), rows[i].sum);
    assert_id (ss_id_subtract (&sum, &b), rows[i].a);
  }
}

static void
test_distance (void)
{
  SsId zero = id (ZERO), one = id (ONE), max = id (MAX_), half = id (HALF);

  assert_id (ss_id_distance (&zero, &max), ONE);
  assert_id (ss_id_distance (&max, &one),
             "0000000000000000000000000000000000000002");
  assert_id (ss_id_distance (&zero, &half), HALF);
  g_assert_true (ss_id_closer (&zero, &max, &half));
  /* At one distance the smaller id is closer. */
  g_assert_true (ss_id_closer (&zero, &one, &max));
  g_assert_false (ss_id_closer (&zero, &max, &one));
  g_assert_false (ss_id_closer (&zero, &one, &one));
}

static void
test_arcs (void)
{
  SsId zero = id (ZERO), one = id (ONE), max = id (MAX_), half = id (HALF);

  g_assert_true (ss_id_in_arc (&one, &zero, &half));
  g_assert_true (ss_id_in_arc (&half, &zero, &half));
  g_assert_false (ss_id_in_arc (&zero, &zero, &half));
  g_assert_false (ss_id_in_arc (&max, &zero, &half));
  g_assert_true (ss_id_in_arc (&zero, &max, &one)); /* across the origin */
  g_assert_false (ss_id_in_arc (&half, &max, &one));
  g_assert_true (ss_id_in_arc (&half, &one, &one)); /* all of the ring */
}

static void
test_digits (void)
{
  SsId a = id ("0123456789abcdef0123456789abcdef01234567");

  for (unsigned i = 0; i < SS_ID_DIGITS; i++) {
    g_assert_cmpuint (ss_id_digit (&a, i), ==, i % 16);
    SsId b = ss_id_with_digit (&a, i, (i + 1) % 16);

    g_assert_cmpuint (ss_id_digit (&b, i), ==, (i + 1) % 16);
    g_assert_cmpuint (ss_id_shared_digits (&a, &b), ==, i);
    b = ss_id_with_digit (&b, i, i % 16);
    g_assert_true (ss_id_equal (&a, &b));
  }
  g_assert_cmpuint (ss_id_shared_digits (&a, &a), ==, SS_ID_DIGITS);
}

static void
test_hashes (void)
{
  SsKey zeros = { { 0 } }, counting;
  SsBytes parts[] = { { "a", 1 }, { NULL, 0 }, { "bc", 2 } };

  for (unsigned i = 0; i < SS_KEY_LEN; i++)
    counting.b[i] = (uint8_t) i;
  assert_id (ss_id_of_key (&zeros), ZEROS_HASH);
  assert_id (ss_id_of_key (&counting), COUNTING_HASH);
  assert_id (ss_id_of_parts (parts, G_N_ELEMENTS (parts)), ABC_HASH);
}

static void
test_fingerprint (void)
{
  SsKey counting;
  SsId parsed;
  char text[SS_FINGERPRINT_STRLEN];

  for (unsigned i = 0; i < SS_KEY_LEN; i++)
    counting.b[i] = (uint8_t) i;
  ss_fingerprint_format (&counting, text);
  g_assert_cmpstr (text, ==, COUNTING_FINGERPRINT);
  g_assert_true (ss_fingerprint_parse (text, &parsed));
  assert_id (parsed, COUNTING_HASH);

  char *upper = g_ascii_strup (text, -1);

  g_assert_true (ss_fingerprint_parse (upper, &parsed));
  assert_id (parsed, COUNTING_HASH);
  upper[5] = '1'; /* not in the alphabet */
  g_assert_false (ss_fingerprint_parse (upper, &parsed));
  g_assert_false (ss_fingerprint_parse ("abc", &parsed));
  g_free (upper);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/id/text", test_text);
  g_test_add_func ("/id/carries", test_carries);
  g_test_add_func ("/id/distance", test_distance);
  g_test_add_func ("/id/arcs", test_arcs);
  g_test_add_func ("/id/digits", test_digits);
  g_test_add_func ("/id/hashes", test_hashes);
  g_test_add_func ("/id/fingerprint", test_fingerprint);
  return g_test_run ();
}
