/* The random numbers: the key stream's vector (ChaCha20, all-zero key and
 * nonce, as in draft-agl-tls-chacha20poly1305-04, section 7), that reading
 * in pieces makes no difference, and that the distributions are what they
 * are said to be. */
#include "base/rng.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#define DRAWS 100000

static const uint8_t first_block[64] = {
  0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53,
  0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36,
  0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7, 0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48,
  0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4,
  0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86,
};

static void
test_vector (void)
{
  SsRng rng;
  uint8_t bytes[64];

  ss_rng_init_number (&rng, 0);
  ss_rng_bytes (&rng, bytes, sizeof bytes);
  g_assert_cmpmem (bytes, sizeof bytes, first_block, sizeof first_block);
  ss_rng_init_number (&rng, 0);
  g_assert_cmphex (ss_rng_u32 (&rng), ==, 0xade0b876);
  g_assert_cmphex (ss_rng_u64 (&rng), ==, 0xe56a5d40903df1a0);
  ss_rng_init_number (&rng, 1);
  g_assert_cmphex (ss_rng_u32 (&rng), !=, 0xade0b876);
}

static void
test_pieces (void)
{
  SsRng whole, pieces, sizes;
  uint8_t expected[1000], actual[1000];

  ss_rng_init_number (&whole, 42);
  ss_rng_bytes (&whole, expected, sizeof expected);
  for (uint64_t seed = 0; seed < 200; seed++) {
    ss_rng_init_number (&sizes, seed);
    ss_rng_init_number (&pieces, 42);
    for (size_t done = 0; done < sizeof actual;) {
      size_t n = ss_rng_below (&sizes, 200);

      n = MIN (n, sizeof actual - done);
      ss_rng_bytes (&pieces, actual + done, n);
      done += n;
    }
    g_assert_cmpmem (actual, sizeof actual, expected, sizeof expected);
    SsRng continued = whole;

    g_assert_cmphex (ss_rng_u64 (&continued), ==, ss_rng_u64 (&pieces));
  }
}

static void
test_below (void)
{
  static const uint64_t bounds[] = { 1, 2, 3, 7, 16, 1000 };
  SsRng rng;

  ss_rng_init_number (&rng, 7);
  for (unsigned b = 0; b < G_N_ELEMENTS (bounds); b++) {
    uint64_t bound = bounds[b];
    unsigned *n_drawn = g_new0 (unsigned, bound);
    double expected = DRAWS / (double) bound, chi_square = 0;

    for (unsigned i = 0; i < DRAWS; i++) {
      uint64_t number = ss_rng_below (&rng, bound);

      g_assert_cmpuint (number, <, bound);
      n_drawn[number]++;
    }
    for (uint64_t i = 0; i < bound; i++)
      chi_square += pow (n_drawn[i] - expected, 2) / expected;
    /* Six deviations above the mean of chi-square. */
    double degrees = (double) bound - 1;

    g_assert_cmpfloat (chi_square, <=, degrees + 6 * sqrt (2 * degrees));
    g_free (n_drawn);
  }
}

/* With a bound of 3/4 of the range, taking the remainder alone would draw
 * the lower third twice as often. */
static void
test_unbiased (void)
{
  uint64_t bound = UINT64_C (3) << 62;
  unsigned n_lower = 0;
  SsRng rng;

  ss_rng_init_number (&rng, 8);
  for (unsigned i = 0; i < DRAWS; i++)
    n_lower += ss_rng_below (&rng, bound) < bound / 3;
  g_assert_cmpfloat_with_epsilon (n_lower / (double) DRAWS, 1 / 3., 0.01);
}

static void
test_real (void)
{
  SsRng rng;
  double unit_sum = 0, exponential_sum = 0;

  ss_rng_init_number (&rng, 9);
  for (unsigned i = 0; i < DRAWS; i++) {
    double unit = ss_rng_unit (&rng);
    double exponential = ss_rng_exponential (&rng, 5);

    g_assert_true (unit >= 0 && unit < 1);
    g_assert_true (exponential >= 0 && isfinite (exponential));
    unit_sum += unit;
    exponential_sum += exponential;
  }
  g_assert_cmpfloat_with_epsilon (unit_sum / DRAWS, 0.5, 0.01);
  g_assert_cmpfloat_with_epsilon (exponential_sum / DRAWS, 5, 0.1);
}

static void
test_clear (void)
{
  SsRng rng, zero;

  memset (&zero, 0, sizeof zero);
  ss_rng_init_number (&rng, 10);
  ss_rng_u32 (&rng);
  ss_rng_clear (&rng);
  g_assert_cmpmem (rng.key, sizeof rng.key, zero.key, sizeof zero.key);
  g_assert_cmpmem (rng.block, sizeof rng.block, zero.block, sizeof zero.block);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rng/vector", test_vector);
  g_test_add_func ("/rng/pieces", test_pieces);
  g_test_add_func ("/rng/below", test_below);
  g_test_add_func ("/rng/unbiased", test_unbiased);
  g_test_add_func ("/rng/real", test_real);
  g_test_add_func ("/rng/clear", test_clear);
  return g_test_run ();
}
