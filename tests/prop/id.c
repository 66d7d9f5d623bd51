/* Laws of the ring, over many seeds. Ids are drawn so that near neighbours,
 * long runs of equal bytes and both ends of the range are common. */
#include "base/id.h"

#include <glib.h>
#include <string.h>

#include "base/rng.h"

#define SEEDS 20000

static SsId
random_id (SsRng *rng)
{
  SsId id;

  memset (id.b, ss_rng_below (rng, 2) == 0 ? 0 : 0xff, SS_ID_LEN);
  if (ss_rng_below (rng, 3) == 0)
    ss_rng_bytes (rng, id.b, SS_ID_LEN);
  else
    for (uint64_t n = ss_rng_below (rng, 4); n > 0; n--)
      id.b[ss_rng_below (rng, SS_ID_LEN)] = (uint8_t) ss_rng_u32 (rng);
  return id;
}

/* Long addition as in school, to check the fast one. */
static SsId
slow_add (const SsId *a, const SsId *b)
{
  SsId sum;
  unsigned carry = 0;

  for (unsigned i = SS_ID_LEN; i-- > 0;) {
    carry += (unsigned) a->b[i] + b->b[i];
    sum.b[i] = (uint8_t) carry;
    carry >>= 8;
  }
  return sum;
}

static int
sign (int number)
{
  return (number > 0) - (number < 0);
}

static void
check_arithmetic (SsRng *rng)
{
  SsId a = random_id (rng), b = random_id (rng);
  SsId sum = ss_id_add (&a, &b), slow = slow_add (&a, &b);
  SsId back = ss_id_subtract (&sum, &b);

  g_assert_true (ss_id_equal (&sum, &slow));
  g_assert_true (ss_id_equal (&back, &a));
  g_assert_cmpint (ss_id_compare (&a, &b), ==,
                   sign (memcmp (a.b, b.b, SS_ID_LEN)));
  g_assert_cmpint (ss_id_compare (&a, &b), ==, -ss_id_compare (&b, &a));
}

static void
check_distance (SsRng *rng)
{
  SsId a = random_id (rng), b = random_id (rng);
  SsId there = ss_id_distance (&a, &b), back = ss_id_distance (&b, &a);
  SsId clockwise = ss_id_subtract (&b, &a);
  SsId other_way = ss_id_subtract (&a, &b);

  g_assert_true (ss_id_equal (&there, &back));
  g_assert_cmpint (ss_id_compare (&there, &clockwise), <=, 0);
  g_assert_cmpint (ss_id_compare (&there, &other_way), <=, 0);
  g_assert_true (ss_id_equal (&there, &clockwise)
                 || ss_id_equal (&there, &other_way));
}

/* A strict total order of ids around any target. */
static void
check_closer (SsRng *rng)
{
  SsId target = random_id (rng);
  SsId a = random_id (rng), b = random_id (rng), c = random_id (rng);
  bool a_b = ss_id_closer (&target, &a, &b);
  bool b_a = ss_id_closer (&target, &b, &a);
  bool b_c = ss_id_closer (&target, &b, &c);

  g_assert_cmpint (a_b + b_a, ==, ss_id_equal (&a, &b) ? 0 : 1);
  if (a_b && b_c)
    g_assert_true (ss_id_closer (&target, &a, &c));
  if (!ss_id_equal (&target, &a))
    g_assert_true (ss_id_closer (&target, &target, &a));
  /* Two ids mirrored at the target: the smaller one. */
  SsId offset = random_id (rng);
  SsId left = ss_id_subtract (&target, &offset);
  SsId right = ss_id_add (&target, &offset);

  g_assert_cmpint (ss_id_closer (&target, &left, &right), ==,
                   ss_id_compare (&left, &right) < 0);
}

static void
check_arcs (SsRng *rng)
{
  SsId x = random_id (rng), from = random_id (rng), to = random_id (rng);
  SsId shift = random_id (rng);
  bool inside = ss_id_in_arc (&x, &from, &to);

  /* Two arcs make the ring: x is in exactly one of them. */
  if (!ss_id_equal (&from, &to))
    g_assert_cmpint (inside, !=, ss_id_in_arc (&x, &to, &from));
  /* Turning the ring changes nothing. */
  SsId x_turned = ss_id_add (&x, &shift);
  SsId from_turned = ss_id_add (&from, &shift);
  SsId to_turned = ss_id_add (&to, &shift);

  g_assert_cmpint (inside, ==,
                   ss_id_in_arc (&x_turned, &from_turned, &to_turned));
}

static void
check_digits (SsRng *rng)
{
  SsId a = random_id (rng), b = random_id (rng);
  unsigned shared = 0;

  while (shared < SS_ID_DIGITS
         && ss_id_digit (&a, shared) == ss_id_digit (&b, shared))
    shared++;
  g_assert_cmpuint (ss_id_shared_digits (&a, &b), ==, shared);
}

static void
check_text (SsRng *rng)
{
  SsId a = random_id (rng), parsed;
  char hex[SS_ID_STRLEN], fingerprint[SS_FINGERPRINT_STRLEN];

  ss_id_format (&a, hex);
  g_assert_true (ss_id_parse (hex, &parsed));
  g_assert_true (ss_id_equal (&a, &parsed));
  ss_fingerprint_format_id (&a, fingerprint);
  g_assert_cmpuint (strlen (fingerprint), ==, SS_FINGERPRINT_STRLEN - 1);
  memset (&parsed, 0, sizeof parsed);
  g_assert_true (ss_fingerprint_parse (fingerprint, &parsed));
  g_assert_true (ss_id_equal (&a, &parsed));
}

static void
run (const void *check)
{
  void (*const *function) (SsRng *) = check;

  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    SsRng rng;

    ss_rng_init_number (&rng, seed);
    (*function) (&rng);
  }
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *path;
    void (*check) (SsRng *);
  } checks[] = {
    { "/id/arithmetic", check_arithmetic },  { "/id/distance", check_distance },
    { "/id/closer-is-total", check_closer }, { "/id/arcs", check_arcs },
    { "/id/digits", check_digits },          { "/id/text", check_text },
  };

  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (checks); i++)
    g_test_add_data_func (checks[i].path, &checks[i].check, run);
  return g_test_run ();
}
