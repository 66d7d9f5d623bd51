/* Declares the messages of the protocol SS_WIRE_PROTOCOL as defined in the
 * file SS_WIRE_DEF. See base/wire.h. Included once for each protocol, hence
 * without a guard. */
#include "base/wire.h"

#ifndef SS_WIRE_DEF
#error "define SS_WIRE_PROTOCOL and SS_WIRE_DEF first: see base/wire.h"
#endif

/* Codes. */
#define SS_MESSAGE(NAME, name, ctype, code, doc) SS_MSG_##NAME = (code),
#define SS_WIRE_ONE(type, field, doc)
#define SS_WIRE_ARRAY(field, length, doc)
#define SS_WIRE_VIEW(type, field, max, doc)
#define SS_WIRE_MANY(type, field, max, doc)
#define SS_END(NAME, name, ctype)
enum {
#include SS_WIRE_DEF
};
#include "base/wire_undefine.h"

/* Structs. */
#define SS_MESSAGE(NAME, name, ctype, code, doc) typedef struct {
#define SS_WIRE_ONE(type, field, doc)            SS_WIRE_CTYPE_##type field;
#define SS_WIRE_ARRAY(field, length, doc)        uint8_t field[length];
#define SS_WIRE_VIEW(type, field, max, doc)      SsWireBytes field;
#define SS_WIRE_MANY(type, field, max, doc) \
  uint16_t n_##field; \
  SS_WIRE_CTYPE_##type field[max]; \
  _Static_assert((max) <= SS_WIRE_LIST_MAX, "a count is one byte");
#define SS_END(NAME, name, ctype) \
  } \
  ctype;
#include SS_WIRE_DEF
#include "base/wire_undefine.h"

/* Greatest lengths. */
#define SS_MESSAGE(NAME, name, ctype, code, doc) enum { SS_MSG_##NAME##_MAX = 1
#define SS_WIRE_ONE(type, field, doc)            +SS_WIRE_LEN_##type
#define SS_WIRE_ARRAY(field, length, doc)        +(length)
#define SS_WIRE_VIEW(type, field, max, doc)      +SS_WIRE_LEN_##type (max)
#define SS_WIRE_MANY(type, field, max, doc) \
  +SS_WIRE_LEN_LIST (SS_WIRE_LEN_##type, max)
#define SS_END(NAME, name, ctype) \
  } \
  ;
#include SS_WIRE_DEF
#include "base/wire_undefine.h"

/* Functions. */
#define SS_MESSAGE(NAME, name, ctype, code, doc) \
  const SsWireMessage *ss_msg_##name##_schema (void); \
  size_t ss_msg_##name##_encode (const ctype *message, uint8_t *ret_buf, \
                                 size_t cap); \
  bool ss_msg_##name##_decode (const uint8_t *data, size_t len, \
                               ctype *ret_message); \
  void ss_msg_##name##_print (const ctype *message, GString *text); \
  void ss_msg_##name##_generate (SsRng *rng, ctype *ret_message, \
                                 uint8_t storage[SS_MSG_##NAME##_MAX]);
#define SS_WIRE_ONE(type, field, doc)
#define SS_WIRE_ARRAY(field, length, doc)
#define SS_WIRE_VIEW(type, field, max, doc)
#define SS_WIRE_MANY(type, field, max, doc)
#define SS_END(NAME, name, ctype)
#include SS_WIRE_DEF
#include "base/wire_undefine.h"

extern const SsWireProtocol SS_WIRE_JOIN (ss_wire_protocol_, SS_WIRE_PROTOCOL);

#undef SS_WIRE_PROTOCOL
#undef SS_WIRE_DEF
