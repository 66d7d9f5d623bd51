/* What encoders are made of: one putter for each type of field. Included by
 * base/wire_define.h, which puts them together as a message's definition
 * says. What does not fit is left out, and all that follows; views and lists
 * must keep to their bounds. */
#pragma once

#include <string.h>

#include "base/wire.h"

typedef struct {
  uint8_t *place;
  size_t left;
  bool is_full; /* something did not fit */
} SsWireWriter;

G_ALWAYS_INLINE static inline void
ss_wire_put (SsWireWriter *writer, const void *data, size_t len)
{
  if (len == 0)
    return;
  if (writer->left < len) {
    writer->is_full = true;
    writer->left = 0;
    return;
  }
  memcpy (writer->place, data, len);
  writer->place += len;
  writer->left -= len;
}

G_ALWAYS_INLINE static inline void
ss_wire_put_number (SsWireWriter *writer, uint64_t number, size_t len)
{
  uint64_t big_endian = GUINT64_TO_BE (number);

  ss_wire_put (writer, (const char *) &big_endian + (sizeof big_endian - len),
               len);
}

void ss_wire_put_addr (SsWireWriter *writer, const SsAddr *addr,
                       bool may_be_unset);
void ss_wire_put_peer (SsWireWriter *writer, const SsPeerRecord *peer);

#define SS_WIRE_PUT_NUMBER(NAME, ctype) \
  static inline void ss_wire_put_##NAME (SsWireWriter *writer, bool in_list, \
                                         const ctype *value) \
  { \
    ss_wire_put_number (writer, *value, sizeof *value); \
  }
SS_WIRE_PUT_NUMBER (U8, uint8_t)
SS_WIRE_PUT_NUMBER (U16, uint16_t)
SS_WIRE_PUT_NUMBER (U32, uint32_t)
SS_WIRE_PUT_NUMBER (U64, uint64_t)
#undef SS_WIRE_PUT_NUMBER

static inline void
ss_wire_put_ID (SsWireWriter *writer, bool in_list, const SsId *value)
{
  ss_wire_put (writer, value->b, SS_ID_LEN);
}

static inline void
ss_wire_put_KEY (SsWireWriter *writer, bool in_list, const SsKey *value)
{
  ss_wire_put (writer, value->b, SS_KEY_LEN);
}

static inline void
ss_wire_put_ADDR (SsWireWriter *writer, bool in_list, const SsAddr *value)
{
  ss_wire_put_addr (writer, value, !in_list);
}

static inline void
ss_wire_put_PEER (SsWireWriter *writer, bool in_list, const SsPeerRecord *value)
{
  ss_wire_put_peer (writer, value);
}

static inline void
ss_wire_put_REST (SsWireWriter *writer, size_t max, const SsWireBytes *value)
{
  g_assert (value->len <= max);
  ss_wire_put (writer, value->data, value->len);
}

static inline void
ss_wire_put_BYTES (SsWireWriter *writer, size_t max, const SsWireBytes *value)
{
  ss_wire_put_number (writer, value->len, 2);
  ss_wire_put_REST (writer, max, value);
}
