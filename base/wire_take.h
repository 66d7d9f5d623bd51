/* What decoders are made of: one taker for each type of field. Included by
 * base/wire_define.h, which puts them together as a message's definition
 * says; the compiler makes straight code of that.
 *
 * A decoder goes over its message twice: the first pass only checks, so that
 * the second fills the struct of a message that is right to its end. Takers
 * therefore write to value only if it is not NULL. */
#pragma once

#include <string.h>

#include "base/wire.h"

typedef struct {
  const uint8_t *place;
  size_t left;
} SsWireReader;

G_ALWAYS_INLINE static inline const uint8_t *
ss_wire_take (SsWireReader *reader, size_t len)
{
  if (reader->left < len)
    return NULL;
  const uint8_t *taken = reader->place;

  reader->place += len;
  reader->left -= len;
  return taken;
}

G_ALWAYS_INLINE static inline bool
ss_wire_take_number (SsWireReader *reader, size_t len, uint64_t *ret_number)
{
  const uint8_t *bytes = ss_wire_take (reader, len);
  uint64_t big_endian = 0;

  if (bytes == NULL)
    return false;
  memcpy ((char *) &big_endian + (sizeof big_endian - len), bytes, len);
  *ret_number = GUINT64_FROM_BE (big_endian);
  return true;
}

bool ss_wire_take_addr (SsWireReader *reader, bool may_be_unset,
                        SsAddr *ret_addr);
bool ss_wire_take_peer (SsWireReader *reader, SsPeerRecord *ret_peer);

/* Checks a whole list of what is always right and of one length. */
#define SS_WIRE_PASS_ALL(NAME, ctype) \
  G_ALWAYS_INLINE static inline bool ss_wire_pass_##NAME ( \
      SsWireReader *reader, unsigned n) \
  { \
    return ss_wire_take (reader, n * sizeof (ctype)) != NULL; \
  }

/* Checks a list one by one. */
#define SS_WIRE_PASS_EACH(NAME) \
  static inline bool ss_wire_pass_##NAME (SsWireReader *reader, unsigned n) \
  { \
    while (n > 0 && ss_wire_take_##NAME (reader, true, NULL)) \
      n--; \
    return n == 0; \
  }

#define SS_WIRE_TAKE_NUMBER(NAME, ctype) \
  G_ALWAYS_INLINE static inline bool ss_wire_take_##NAME ( \
      SsWireReader *reader, bool in_list, ctype *value) \
  { \
    uint64_t number; \
    if (!ss_wire_take_number (reader, sizeof *value, &number)) \
      return false; \
    if (value != NULL) \
      *value = (ctype) number; \
    return true; \
  } \
  SS_WIRE_PASS_ALL (NAME, ctype)
SS_WIRE_TAKE_NUMBER (U8, uint8_t)
SS_WIRE_TAKE_NUMBER (U16, uint16_t)
SS_WIRE_TAKE_NUMBER (U32, uint32_t)
SS_WIRE_TAKE_NUMBER (U64, uint64_t)
#undef SS_WIRE_TAKE_NUMBER

static inline bool
ss_wire_take_FIXED (SsWireReader *reader, size_t len, uint8_t *value)
{
  const uint8_t *bytes = ss_wire_take (reader, len);

  if (bytes != NULL && value != NULL)
    memcpy (value, bytes, len);
  return bytes != NULL;
}

static inline bool
ss_wire_take_ID (SsWireReader *reader, bool in_list, SsId *value)
{
  return ss_wire_take_FIXED (reader, SS_ID_LEN,
                             value != NULL ? value->b : NULL);
}
SS_WIRE_PASS_ALL (ID, SsId)

static inline bool
ss_wire_take_KEY (SsWireReader *reader, bool in_list, SsKey *value)
{
  return ss_wire_take_FIXED (reader, SS_KEY_LEN,
                             value != NULL ? value->b : NULL);
}
SS_WIRE_PASS_ALL (KEY, SsKey)

static inline bool
ss_wire_take_ADDR (SsWireReader *reader, bool in_list, SsAddr *value)
{
  SsAddr addr;

  if (!ss_wire_take_addr (reader, !in_list, &addr))
    return false;
  if (value != NULL)
    *value = addr;
  return true;
}
SS_WIRE_PASS_EACH (ADDR)

static inline bool
ss_wire_take_PEER (SsWireReader *reader, bool in_list, SsPeerRecord *value)
{
  SsPeerRecord peer;

  if (!ss_wire_take_peer (reader, &peer))
    return false;
  if (value != NULL)
    *value = peer;
  return true;
}
SS_WIRE_PASS_EACH (PEER)

static inline bool
ss_wire_take_REST (SsWireReader *reader, size_t max, SsWireBytes *value)
{
  SsWireBytes view = { .data = reader->place, .len = (uint16_t) reader->left };

  if (reader->left > max)
    return false;
  ss_wire_take (reader, view.len);
  if (value != NULL)
    *value = view;
  return true;
}

static inline bool
ss_wire_take_BYTES (SsWireReader *reader, size_t max, SsWireBytes *value)
{
  uint64_t len;

  if (!ss_wire_take_number (reader, sizeof value->len, &len) || len > max)
    return false;
  SsWireBytes view = { .len = (uint16_t) len };

  view.data = ss_wire_take (reader, view.len);
  if (view.data == NULL)
    return false;
  if (value != NULL)
    *value = view;
  return true;
}

/* A list's count. */
static inline bool
ss_wire_take_count (SsWireReader *reader, size_t max, uint16_t *ret_count)
{
  uint64_t count;

  if (!ss_wire_take_number (reader, 1, &count) || count > max)
    return false;
  *ret_count = (uint16_t) count;
  return true;
}
