/* Addresses: text is a round trip, and the order total. */
#include "base/addr.h"

#include <glib.h>
#include <string.h>

#include "base/rng.h"

#define SEEDS 20000

static SsAddr
random_addr (SsRng *rng)
{
  SsAddr addr = ss_addr_v4 (ss_rng_u32 (rng), (uint16_t) ss_rng_u32 (rng));

  switch (ss_rng_below (rng, 3)) {
  case 0:
    ss_rng_bytes (rng, addr.ip, sizeof addr.ip);
    break;
  case 1:
    memset (addr.ip, 0, sizeof addr.ip);
    addr.ip[ss_rng_below (rng, sizeof addr.ip)] = (uint8_t) ss_rng_u32 (rng);
    break;
  default:
    break;
  }
  return addr;
}

static void
test_text (void)
{
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    SsRng rng;
    SsAddr parsed;
    char text[SS_ADDR_STRLEN];

    ss_rng_init_number (&rng, seed);
    SsAddr addr = random_addr (&rng);

    ss_addr_format (&addr, text);
    g_assert_true (ss_addr_parse (text, &parsed));
    g_assert_true (ss_addr_equal (&addr, &parsed));
    g_assert_cmpuint (ss_addr_hash (&addr), ==, ss_addr_hash (&parsed));
  }
}

static void
test_order (void)
{
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    SsRng rng;

    ss_rng_init_number (&rng, seed);
    SsAddr a = random_addr (&rng), b = random_addr (&rng);
    SsAddr c = random_addr (&rng);
    int a_b = ss_addr_compare (&a, &b), b_a = ss_addr_compare (&b, &a);

    g_assert_cmpint (a_b == 0, ==, ss_addr_equal (&a, &b));
    g_assert_cmpint (a_b<0, ==, b_a> 0);
    if (a_b < 0 && ss_addr_compare (&b, &c) < 0)
      g_assert_cmpint (ss_addr_compare (&a, &c), <, 0);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/addr/text", test_text);
  g_test_add_func ("/addr/order", test_order);
  return g_test_run ();
}
