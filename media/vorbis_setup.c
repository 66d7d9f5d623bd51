/* Walks a Vorbis setup header to its last section, the modes. Everything
 * before has to be stepped over field by field, since nothing in it says how
 * long it is. Vorbis I specification: codebooks 3.2.1, floors 6.2.1 and
 * 7.2.2, residues 8.6.1, mappings and modes 4.2.4. Values are read only as
 * far as they decide a length; a decoder checks the rest. */
#include "media/vorbis_setup.h"

#include <glib.h>
#include <ogg/ogg.h>

#define CODEBOOK_SYNC 0x564342

/* Reading past the end makes libogg return -1, and every later read too: so
 * loops check for it, and one test at the end is enough for the rest. */
static long
bits (oggpack_buffer *b, int n)
{
  return oggpack_read (b, n);
}

static bool
skip_bits (oggpack_buffer *b, size_t len, uint64_t n)
{
  uint64_t total = (uint64_t) len * 8;
  uint64_t at = (uint64_t) oggpack_bits (b);
  if (at > total || n > total - at)
    return false;
  oggpack_adv (b, (int) n);
  return true;
}

static int
ilog (uint64_t value)
{
  int n = 0;
  for (; value != 0; value >>= 1)
    n++;
  return n;
}

/* The greatest r with r^dimensions <= entries (section 9.2.3). */
static uint64_t
lookup1_values (uint64_t entries, unsigned dimensions)
{
  if (dimensions == 1)
    return entries;
  uint64_t r = 0;
  for (;;) {
    uint64_t power = 1;
    for (unsigned i = 0; i < dimensions && power <= entries; i++)
      power *= r + 1;
    if (power > entries)
      return r;
    r++;
  }
}

static bool
skip_lengths (oggpack_buffer *b, long n_entries)
{
  if (bits (b, 1) == 1) {
    long entry = 0;
    bits (b, 5);
    /* Lengths go up to 32: an ordered list has at most as many runs. */
    for (unsigned run = 0; entry < n_entries; run++) {
      long n = bits (b, ilog ((uint64_t) (n_entries - entry)));
      if (n < 0 || n > n_entries - entry || run > 32)
        return false;
      entry += n;
    }
    return true;
  }
  bool sparse = bits (b, 1) == 1;
  for (long i = 0; i < n_entries; i++) {
    if (sparse) {
      long used = bits (b, 1);
      if (used < 0)
        return false;
      if (used == 0)
        continue;
    }
    if (bits (b, 5) < 0)
      return false;
  }
  return true;
}

static bool
skip_codebook (oggpack_buffer *b, size_t len)
{
  if (bits (b, 24) != CODEBOOK_SYNC)
    return false;
  long dimensions = bits (b, 16);
  long entries = bits (b, 24);
  if (dimensions <= 0 || entries <= 0 || !skip_lengths (b, entries))
    return false;
  long lookup = bits (b, 4);
  if (lookup == 0)
    return true;
  if (lookup != 1 && lookup != 2)
    return false;
  if (!skip_bits (b, len, 64))
    return false;
  long value_bits = bits (b, 4) + 1;
  bits (b, 1);
  uint64_t n = lookup == 1
                   ? lookup1_values ((uint64_t) entries, (unsigned) dimensions)
                   : (uint64_t) entries * (uint64_t) dimensions;
  return value_bits > 0 && skip_bits (b, len, n * (uint64_t) value_bits);
}

static bool
skip_floor1 (oggpack_buffer *b)
{
  long n_partitions = bits (b, 5);
  long partition_class[31], dimensions[16] = { 0 }, class_max = -1;
  for (long i = 0; i < n_partitions; i++) {
    partition_class[i] = bits (b, 4);
    if (partition_class[i] < 0)
      return false;
    class_max = MAX (class_max, partition_class[i]);
  }
  for (long i = 0; i <= class_max; i++) {
    dimensions[i] = bits (b, 3) + 1;
    long subclass_bits = bits (b, 2);
    if (subclass_bits < 0)
      return false;
    if (subclass_bits > 0)
      bits (b, 8);
    for (long j = 0; j < 1L << subclass_bits; j++)
      bits (b, 8);
  }
  bits (b, 2);
  long range_bits = bits (b, 4);
  if (range_bits < 0)
    return false;
  for (long i = 0; i < n_partitions; i++)
    for (long j = 0; j < dimensions[partition_class[i]]; j++)
      if (bits (b, (int) range_bits) < 0)
        return false;
  return n_partitions >= 0;
}

static bool
skip_floor (oggpack_buffer *b, size_t len)
{
  long type = bits (b, 16);
  if (type == 1)
    return skip_floor1 (b);
  if (type != 0 || !skip_bits (b, len, 8 + 16 + 16 + 6 + 8))
    return false;
  long n_books = bits (b, 4) + 1;
  return n_books > 0 && skip_bits (b, len, (uint64_t) n_books * 8);
}

static bool
skip_residue (oggpack_buffer *b, size_t len)
{
  long type = bits (b, 16);
  if (type < 0 || type > 2 || !skip_bits (b, len, 24 + 24 + 24))
    return false;
  long n_classes = bits (b, 6) + 1;
  bits (b, 8);
  uint64_t n_books = 0;
  for (long i = 0; i < n_classes; i++) {
    long cascade = bits (b, 3);
    if (bits (b, 1) == 1)
      cascade |= bits (b, 5) << 3;
    if (cascade < 0)
      return false;
    n_books += (uint64_t) __builtin_popcountl ((unsigned long) cascade);
  }
  return n_classes > 0 && skip_bits (b, len, n_books * 8);
}

static bool
skip_mapping (oggpack_buffer *b, size_t len, unsigned n_channels)
{
  if (bits (b, 16) != 0)
    return false;
  long n_submaps = 1;
  if (bits (b, 1) == 1)
    n_submaps = bits (b, 4) + 1;
  if (bits (b, 1) == 1) {
    long n_steps = bits (b, 8) + 1;
    uint64_t channel_bits = (uint64_t) ilog (n_channels - 1);
    if (n_steps <= 0
        || !skip_bits (b, len, (uint64_t) n_steps * 2 * channel_bits))
      return false;
  }
  if (bits (b, 2) != 0 || n_submaps <= 0)
    return false;
  if (n_submaps > 1 && !skip_bits (b, len, (uint64_t) n_channels * 4))
    return false;
  return skip_bits (b, len, (uint64_t) n_submaps * 24);
}

/* Steps over all sections before the modes. */
static bool
skip_to_modes (oggpack_buffer *b, size_t len, unsigned n_channels)
{
  long n = bits (b, 8) + 1;
  for (long i = 0; i < n; i++)
    if (!skip_codebook (b, len))
      return false;
  n = bits (b, 6) + 1;
  if (n <= 0 || !skip_bits (b, len, (uint64_t) n * 16))
    return false;
  n = bits (b, 6) + 1;
  for (long i = 0; i < n; i++)
    if (!skip_floor (b, len))
      return false;
  n = bits (b, 6) + 1;
  for (long i = 0; i < n; i++)
    if (!skip_residue (b, len))
      return false;
  n = bits (b, 6) + 1;
  for (long i = 0; i < n; i++)
    if (!skip_mapping (b, len, n_channels))
      return false;
  return n > 0;
}

unsigned
ss_vorbis_setup_modes (const uint8_t *data, size_t len, unsigned n_channels,
                       bool ret_is_long[64])
{
  /* libogg counts bits in an int in places. */
  if (len == 0 || len > G_MAXINT / 16 || n_channels == 0)
    return 0;
  oggpack_buffer b;
  oggpack_readinit (&b, (unsigned char *) data, (int) len);
  if (!skip_to_modes (&b, len, n_channels))
    return 0;
  long n_modes = bits (&b, 6) + 1;
  bool is_long[64] = { false };
  for (long i = 0; i < n_modes; i++) {
    is_long[i] = bits (&b, 1) == 1;
    bits (&b, 16);
    bits (&b, 16);
    bits (&b, 8);
  }
  if (bits (&b, 1) != 1) /* the framing bit; -1 when all ran out */
    return 0;
  for (long i = 0; i < 64; i++)
    ret_is_long[i] = is_long[i];
  return (unsigned) n_modes;
}
