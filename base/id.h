/* Ring identifiers: 160-bit numbers, most significant byte first, on a
 * circle (Pastry, Middleware 2001, section 2). Digits are base 16 (b=4). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SS_ID_LEN    20
#define SS_ID_DIGITS 40 /* of four bits */
#define SS_KEY_LEN   32
#define SS_ID_STRLEN (2 * SS_ID_LEN + 1)

typedef struct {
  uint8_t b[SS_ID_LEN];
} SsId;

/* An Ed25519 public key. */
typedef struct {
  uint8_t b[SS_KEY_LEN];
} SsKey;

/* The first eight bytes as a number. */
static inline uint64_t
ss_id_prefix (const SsId *id)
{
  uint64_t prefix;

  memcpy (&prefix, id->b, sizeof prefix);
  return GUINT64_FROM_BE (prefix);
}

/* As numbers. Here, for a node does hardly anything as often. */
static inline int
ss_id_compare (const SsId *a, const SsId *b)
{
  uint64_t x = ss_id_prefix (a), y = ss_id_prefix (b);

  if (x != y)
    return x < y ? -1 : 1;
  int rest = memcmp (a->b, b->b, SS_ID_LEN);

  return (rest > 0) - (rest < 0);
}

static inline bool
ss_id_equal (const SsId *a, const SsId *b)
{
  return memcmp (a->b, b->b, SS_ID_LEN) == 0;
}

unsigned ss_id_hash (const SsId *id);                  /* for GHashTable */
unsigned ss_id_digit (const SsId *id, unsigned index); /* 0 is the first */
SsId ss_id_with_digit (const SsId *id, unsigned index, unsigned digit);
/* Number of leading digits that a and b share, 0 to SS_ID_DIGITS. */
unsigned ss_id_shared_digits (const SsId *a, const SsId *b);

SsId ss_id_add (const SsId *a, const SsId *b);      /* modulo 2^160 */
SsId ss_id_subtract (const SsId *a, const SsId *b); /* modulo 2^160 */
/* min (a - b, b - a): the distance on the circle. */
SsId ss_id_distance (const SsId *a, const SsId *b);
/* Is a strictly closer to target than b? Total: of two at one distance the
 * numerically smaller id is closer. */
bool ss_id_closer (const SsId *target, const SsId *a, const SsId *b);
/* Does x lie on the clockwise arc (from, to]? All of the ring if equal. */
bool ss_id_in_arc (const SsId *x, const SsId *from, const SsId *to);

/* BLAKE2b-160 of the parts, each preceded by nothing: the caller fixes
 * lengths or separates. */
typedef struct {
  const void *data;
  size_t len;
} SsBytes;
SsId ss_id_of_parts (const SsBytes *parts, size_t n_parts);
SsId ss_id_of_key (const SsKey *key); /* nodeId */

void ss_id_format (const SsId *id, char ret_text[SS_ID_STRLEN]); /* hex */
bool ss_id_parse (const char *hex, SsId *ret_id);

bool ss_key_equal (const SsKey *a, const SsKey *b);
int ss_key_compare (const SsKey *a, const SsKey *b);
#define SS_KEY_HEX_STRLEN (2 * SS_KEY_LEN + 1)
void ss_key_format (const SsKey *key, char ret_text[SS_KEY_HEX_STRLEN]);
bool ss_key_parse (const char *hex, SsKey *ret_key);

/* Fingerprint: BLAKE2b-160 of the key, as 32 characters of lower-case
 * RFC 4648 base32 without padding. */
#define SS_FINGERPRINT_STRLEN 33
void ss_fingerprint_format (const SsKey *key,
                            char ret_text[SS_FINGERPRINT_STRLEN]);
void ss_fingerprint_format_id (const SsId *id,
                               char ret_text[SS_FINGERPRINT_STRLEN]);
bool ss_fingerprint_parse (const char *text, SsId *ret_id);
