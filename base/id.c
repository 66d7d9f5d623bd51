/* Ring arithmetic on 160-bit identifiers (Pastry, Middleware 2001, section
 * 2). The bytes are the number, most significant first; arithmetic loads
 * them into three machine words, since a busy node compares ids far more
 * often than it copies them. */
#include "base/id.h"

#include <glib.h>
#include <sodium.h>
#include <string.h>

G_STATIC_ASSERT (SS_ID_LEN == 8 + 8 + 4);
G_STATIC_ASSERT (SS_ID_LEN >= crypto_generichash_BYTES_MIN);

#define FINGERPRINT_LEN (SS_FINGERPRINT_STRLEN - 1)
#define BASE32_BITS     5

G_STATIC_ASSERT (BASE32_BITS == SS_ID_LEN * 8 / FINGERPRINT_LEN);

static const char base32_alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char hex_alphabet[] = "0123456789abcdef";

typedef struct {
  uint64_t high, middle;
  uint32_t low;
} Words;

static Words
load (const SsId *id)
{
  Words words;

  memcpy (&words.high, id->b, 8);
  memcpy (&words.middle, id->b + 8, 8);
  memcpy (&words.low, id->b + 16, 4);
  words.high = GUINT64_FROM_BE (words.high);
  words.middle = GUINT64_FROM_BE (words.middle);
  words.low = GUINT32_FROM_BE (words.low);
  return words;
}

static SsId
store (Words words)
{
  SsId id;

  words.high = GUINT64_TO_BE (words.high);
  words.middle = GUINT64_TO_BE (words.middle);
  words.low = GUINT32_TO_BE (words.low);
  memcpy (id.b, &words.high, 8);
  memcpy (id.b + 8, &words.middle, 8);
  memcpy (id.b + 16, &words.low, 4);
  return id;
}

static int
words_compare (Words a, Words b)
{
  if (a.high != b.high)
    return a.high < b.high ? -1 : 1;
  if (a.middle != b.middle)
    return a.middle < b.middle ? -1 : 1;
  if (a.low != b.low)
    return a.low < b.low ? -1 : 1;
  return 0;
}

static Words
words_subtract (Words a, Words b)
{
  uint64_t middle_borrow = a.low < b.low;
  uint64_t high_borrow =
      a.middle < b.middle || (a.middle == b.middle && middle_borrow != 0);

  return (Words){
    .high = a.high - b.high - high_borrow,
    .middle = a.middle - b.middle - middle_borrow,
    .low = a.low - b.low,
  };
}

static Words
words_distance (Words a, Words b)
{
  Words forward = words_subtract (a, b);
  Words backward = words_subtract (b, a);

  return words_compare (forward, backward) <= 0 ? forward : backward;
}

unsigned
ss_id_hash (const SsId *id)
{
  /* Ids are hashes themselves, but stripe ids share everything but the
   * first digit's neighbourhood in tests, so all words count. */
  Words words = load (id);
  uint64_t mixed =
      (words.high ^ (words.middle * 0x9e3779b97f4a7c15u)) + words.low;

  mixed *= 0xff51afd7ed558ccdu;
  return (unsigned) (mixed >> 32);
}

unsigned
ss_id_digit (const SsId *id, unsigned index)
{
  g_assert (index < SS_ID_DIGITS);
  uint8_t byte = id->b[index / 2];
  return index % 2 == 0 ? byte >> 4 : byte & 0x0f;
}

SsId
ss_id_with_digit (const SsId *id, unsigned index, unsigned digit)
{
  g_assert (index < SS_ID_DIGITS);
  g_assert (digit < 16);
  SsId changed = *id;
  uint8_t *byte = &changed.b[index / 2];

  if (index % 2 == 0)
    *byte = (uint8_t) ((digit << 4) | (*byte & 0x0fu));
  else
    *byte = (uint8_t) ((*byte & 0xf0u) | digit);
  return changed;
}

unsigned
ss_id_shared_digits (const SsId *a, const SsId *b)
{
  Words x = load (a), y = load (b);

  if (x.high != y.high)
    return (unsigned) __builtin_clzll (x.high ^ y.high) / 4;
  if (x.middle != y.middle)
    return 16 + (unsigned) __builtin_clzll (x.middle ^ y.middle) / 4;
  if (x.low != y.low)
    return 32 + (unsigned) __builtin_clz (x.low ^ y.low) / 4;
  return SS_ID_DIGITS;
}

SsId
ss_id_add (const SsId *a, const SsId *b)
{
  Words x = load (a), y = load (b);
  Words sum = { .low = x.low + y.low };
  uint64_t carry = sum.low < x.low;

  sum.middle = x.middle + y.middle;
  uint64_t high_carry = sum.middle < x.middle;
  sum.middle += carry;
  high_carry += sum.middle < carry;
  sum.high = x.high + y.high + high_carry;
  return store (sum);
}

SsId
ss_id_subtract (const SsId *a, const SsId *b)
{
  return store (words_subtract (load (a), load (b)));
}

SsId
ss_id_distance (const SsId *a, const SsId *b)
{
  return store (words_distance (load (a), load (b)));
}

bool
ss_id_closer (const SsId *target, const SsId *a, const SsId *b)
{
  Words t = load (target), x = load (a), y = load (b);
  int order = words_compare (words_distance (x, t), words_distance (y, t));

  if (order != 0)
    return order < 0;
  return words_compare (x, y) < 0;
}

bool
ss_id_in_arc (const SsId *x, const SsId *from, const SsId *to)
{
  if (ss_id_equal (from, to))
    return true;
  if (ss_id_equal (x, from))
    return false;
  Words start = load (from);
  return words_compare (words_subtract (load (x), start),
                        words_subtract (load (to), start))
         <= 0;
}

SsId
ss_id_of_parts (const SsBytes *parts, size_t n_parts)
{
  crypto_generichash_state state;
  SsId id;

  crypto_generichash_init (&state, NULL, 0, SS_ID_LEN);
  for (size_t i = 0; i < n_parts; i++)
    if (parts[i].len > 0)
      crypto_generichash_update (&state, parts[i].data, parts[i].len);
  crypto_generichash_final (&state, id.b, SS_ID_LEN);
  return id;
}

SsId
ss_id_of_key (const SsKey *key)
{
  SsId id;

  crypto_generichash (id.b, SS_ID_LEN, key->b, SS_KEY_LEN, NULL, 0);
  return id;
}

/* ret_text has room for two characters a byte and the end. */
static void
hex_format (const uint8_t *bytes, size_t len, char *ret_text)
{
  for (size_t i = 0; i < len; i++) {
    *ret_text++ = hex_alphabet[bytes[i] >> 4];
    *ret_text++ = hex_alphabet[bytes[i] & 0x0f];
  }
  *ret_text = '\0';
}

/* Of len bytes, no more and no less; else what ret_bytes holds is no use. */
static bool
hex_parse (const char *hex, uint8_t *ret_bytes, size_t len)
{
  if (strlen (hex) != 2 * len)
    return false;
  for (size_t i = 0; i < len; i++) {
    int high = g_ascii_xdigit_value (hex[2 * i]);
    int low = g_ascii_xdigit_value (hex[2 * i + 1]);

    if (high < 0 || low < 0)
      return false;
    ret_bytes[i] = (uint8_t) (high << 4 | low);
  }
  return true;
}

void
ss_id_format (const SsId *id, char ret_text[SS_ID_STRLEN])
{
  hex_format (id->b, SS_ID_LEN, ret_text);
}

bool
ss_id_parse (const char *hex, SsId *ret_id)
{
  SsId id;

  if (!hex_parse (hex, id.b, SS_ID_LEN))
    return false;
  *ret_id = id;
  return true;
}

void
ss_key_format (const SsKey *key, char ret_text[SS_KEY_HEX_STRLEN])
{
  hex_format (key->b, SS_KEY_LEN, ret_text);
}

bool
ss_key_parse (const char *hex, SsKey *ret_key)
{
  SsKey key;

  if (!hex_parse (hex, key.b, SS_KEY_LEN))
    return false;
  *ret_key = key;
  return true;
}

bool
ss_key_equal (const SsKey *a, const SsKey *b)
{
  return memcmp (a->b, b->b, SS_KEY_LEN) == 0;
}

int
ss_key_compare (const SsKey *a, const SsKey *b)
{
  return memcmp (a->b, b->b, SS_KEY_LEN);
}

void
ss_fingerprint_format_id (const SsId *id, char ret_text[SS_FINGERPRINT_STRLEN])
{
  for (unsigned i = 0; i < FINGERPRINT_LEN; i++) {
    unsigned first_bit = i * BASE32_BITS;
    unsigned byte = first_bit / 8, shift = first_bit % 8;
    unsigned window = (unsigned) id->b[byte] << 8;

    if (byte + 1 < SS_ID_LEN)
      window |= id->b[byte + 1];
    ret_text[i] = base32_alphabet[(window >> (11 - shift)) & 0x1f];
  }
  ret_text[FINGERPRINT_LEN] = '\0';
}

void
ss_fingerprint_format (const SsKey *key, char ret_text[SS_FINGERPRINT_STRLEN])
{
  SsId id = ss_id_of_key (key);

  ss_fingerprint_format_id (&id, ret_text);
}

bool
ss_fingerprint_parse (const char *text, SsId *ret_id)
{
  SsId id;
  uint32_t pending = 0;
  unsigned n_pending = 0, n_bytes = 0;

  if (strlen (text) != FINGERPRINT_LEN)
    return false;
  for (unsigned i = 0; i < FINGERPRINT_LEN; i++) {
    const char *place = strchr (base32_alphabet, g_ascii_tolower (text[i]));

    if (place == NULL)
      return false;
    pending = pending << BASE32_BITS | (uint32_t) (place - base32_alphabet);
    n_pending += BASE32_BITS;
    if (n_pending >= 8) {
      n_pending -= 8;
      id.b[n_bytes++] = (uint8_t) (pending >> n_pending);
    }
  }
  *ret_id = id;
  return true;
}
