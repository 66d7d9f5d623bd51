/* Runs a fuzz target without a fuzzer: over the files of the directory named
 * as the argument, in the order of their names, and over a number of inputs
 * generated and mutated from numbered seeds (SS_FUZZ_RUNS sets how many). */
#include <glib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define RUNS              2000
#define MUTATIONS_AT_MOST 8

static const char *seeds_dir;

/* A copy of exactly the input's length, so that a sanitizer sees one byte
 * read too many. */
static void
run_copy (const uint8_t *data, size_t len)
{
  uint8_t *copy = g_memdup2 (data, len);

  g_assert_cmpint (LLVMFuzzerTestOneInput (copy, len), ==, 0);
  g_free (copy);
}

static size_t
mutate (SsRng *rng, uint8_t data[SS_FUZZ_INPUT_MAX], size_t len)
{
  for (uint64_t n = ss_rng_below (rng, MUTATIONS_AT_MOST + 1); n > 0; n--) {
    size_t place = ss_rng_below (rng, len + 1);

    switch (ss_rng_below (rng, 4)) {
    case 0: /* cut off */
      len = place;
      break;
    case 1: /* one byte more */
      if (len < SS_FUZZ_INPUT_MAX)
        data[len++] = (uint8_t) ss_rng_u32 (rng);
      break;
    case 2: /* a bit flipped */
      if (place < len)
        data[place] ^= (uint8_t) (1u << ss_rng_below (rng, 8));
      break;
    default: /* an extreme byte */
      if (place < len)
        data[place] = ss_rng_below (rng, 2) == 0 ? 0 : UINT8_MAX;
      break;
    }
  }
  return len;
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static void
test_seeds (void)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  GDir *dir = g_dir_open (seeds_dir, 0, NULL);

  g_assert_nonnull (dir);
  for (const char *name = g_dir_read_name (dir); name != NULL;
       name = g_dir_read_name (dir))
    g_ptr_array_add (names, g_build_filename (seeds_dir, name, NULL));
  g_dir_close (dir);
  g_ptr_array_sort (names, compare_names);
  for (unsigned i = 0; i < names->len; i++) {
    char *data;
    gsize len;

    g_assert_true (g_file_get_contents (names->pdata[i], &data, &len, NULL));
    run_copy ((const uint8_t *) data, len);
    g_free (data);
  }
  g_ptr_array_unref (names);
}

static void
test_random (void)
{
  const char *wanted = g_getenv ("SS_FUZZ_RUNS");
  uint64_t runs = wanted != NULL ? g_ascii_strtoull (wanted, NULL, 10) : RUNS;
  uint8_t *data = g_malloc (SS_FUZZ_INPUT_MAX);

  for (uint64_t seed = 0; seed < runs; seed++) {
    SsRng rng;

    ss_rng_init_number (&rng, seed);
    size_t len = ss_fuzz_generate (&rng, data);
    g_assert_cmpuint (len, <=, SS_FUZZ_INPUT_MAX);
    run_copy (data, mutate (&rng, data, len));
  }
  g_free (data);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (argc > 1 && g_file_test (argv[1], G_FILE_TEST_IS_DIR)) {
    seeds_dir = argv[1];
    g_test_add_func ("/fuzz/seeds", test_seeds);
  }
  g_test_add_func ("/fuzz/random", test_random);
  return g_test_run ();
}
