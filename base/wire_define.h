/* Defines what base/wire_declare.h declares, for the protocol
 * SS_WIRE_PROTOCOL of the file SS_WIRE_DEF. See base/wire.h. */
#include "base/wire.h"
#include "base/wire_put.h"
#include "base/wire_take.h"

#ifndef SS_WIRE_DEF
#error "define SS_WIRE_PROTOCOL and SS_WIRE_DEF first: see base/wire.h"
#endif

/* Decoders. */
#define SS_MESSAGE(NAME, name, ctype, code, doc) \
  static inline bool take_##name (SsWireReader reader, ctype *message) \
  { \
    uint8_t is_of_code; \
    if (!ss_wire_take_U8 (&reader, false, &is_of_code) \
        || is_of_code != (code)) \
      return false;
#define SS_WIRE_ONE(type, field, doc) \
  if (!ss_wire_take_##type (&reader, false, \
                            message != NULL ? &message->field : NULL)) \
    return false;
#define SS_WIRE_ARRAY(field, length, doc) \
  if (!ss_wire_take_FIXED (&reader, length, \
                           message != NULL ? message->field : NULL)) \
    return false;
#define SS_WIRE_VIEW(type, field, max, doc) \
  if (!ss_wire_take_##type (&reader, max, \
                            message != NULL ? &message->field : NULL)) \
    return false;
#define SS_WIRE_MANY(type, field, max, doc) \
  uint16_t n_##field; \
  if (!ss_wire_take_count (&reader, max, &n_##field)) \
    return false; \
  if (message == NULL && !ss_wire_pass_##type (&reader, n_##field)) \
    return false; \
  if (message != NULL) \
    message->n_##field = n_##field; \
  for (unsigned i = 0; message != NULL && i < n_##field; i++) \
    if (!ss_wire_take_##type (&reader, true, &message->field[i])) \
      return false;
#define SS_END(NAME, name, ctype) \
  return reader.left == 0; \
  } \
  bool ss_msg_##name##_decode (const uint8_t *data, size_t len, \
                               ctype *ret_message) \
  { \
    const SsWireReader reader = { data, len }; \
    return take_##name (reader, NULL) && take_##name (reader, ret_message); \
  } \
  static bool decode_any_##name (const uint8_t *data, size_t len, \
                                 void *ret_message) \
  { \
    return ss_msg_##name##_decode (data, len, ret_message); \
  }
#include SS_WIRE_DEF
#include "base/wire_undefine.h"

/* Encoders. */
#define SS_MESSAGE(NAME, name, ctype, code, doc) \
  size_t ss_msg_##name##_encode (const ctype *message, uint8_t *ret_buf, \
                                 size_t cap) \
  { \
    SsWireWriter writer = { ret_buf, cap, false }; \
    ss_wire_put_number (&writer, (code), 1);
#define SS_WIRE_ONE(type, field, doc) \
  ss_wire_put_##type (&writer, false, &message->field);
#define SS_WIRE_ARRAY(field, length, doc) \
  ss_wire_put (&writer, message->field, length);
#define SS_WIRE_VIEW(type, field, max, doc) \
  ss_wire_put_##type (&writer, max, &message->field);
#define SS_WIRE_MANY(type, field, max, doc) \
  g_assert (message->n_##field <= (max)); \
  ss_wire_put_number (&writer, message->n_##field, 1); \
  for (unsigned i = 0; i < message->n_##field; i++) \
    ss_wire_put_##type (&writer, true, &message->field[i]);
#define SS_END(NAME, name, ctype) \
  return writer.is_full ? 0 : cap - writer.left; \
  } \
  static size_t encode_any_##name (const void *message, uint8_t *ret_buf, \
                                   size_t cap) \
  { \
    return ss_msg_##name##_encode (message, ret_buf, cap); \
  }
#include SS_WIRE_DEF
#include "base/wire_undefine.h"

/* Schemas. The field macros do not know which message they stand in: the
 * function's own scope tells them. The last row only keeps the array from
 * being empty. */
#define SS_MESSAGE(NAME, msg_name, ctype, msg_code, msg_doc) \
  const SsWireMessage *ss_msg_##msg_name##_schema (void) \
  { \
    typedef ctype Struct; \
    static const char *const doc_of_message = msg_doc; \
    enum { CODE = (msg_code) }; \
    static const SsWireField fields[] = {
#define SS_WIRE_ONE(field_type, field, field_doc) \
  { .name = #field, \
    .doc = field_doc, \
    .type = SS_WIRE_##field_type, \
    .offset = offsetof (Struct, field) },
#define SS_WIRE_ARRAY(field, length, field_doc) \
  { .name = #field, \
    .doc = field_doc, \
    .type = SS_WIRE_FIXED, \
    .max = (length), \
    .offset = offsetof (Struct, field) },
#define SS_WIRE_VIEW(field_type, field, most, field_doc) \
  { .name = #field, \
    .doc = field_doc, \
    .type = SS_WIRE_##field_type, \
    .max = (most), \
    .offset = offsetof (Struct, field) },
#define SS_WIRE_MANY(field_type, field, most, field_doc) \
  { .name = #field, \
    .doc = field_doc, \
    .type = SS_WIRE_##field_type, \
    .is_list = true, \
    .max = (most), \
    .offset = offsetof (Struct, field), \
    .count_offset = offsetof (Struct, n_##field) },
#define SS_END(NAME, msg_name, ctype) \
  { \
    .name = NULL \
  } \
  } \
  ; \
  static const SsWireMessage schema = { \
    .name = #NAME, \
    .doc = doc_of_message, \
    .code = CODE, \
    .max_len = SS_MSG_##NAME##_MAX, \
    .struct_size = sizeof (Struct), \
    .encode = encode_any_##msg_name, \
    .decode = decode_any_##msg_name, \
    .n_fields = G_N_ELEMENTS (fields) - 1, \
    .fields = fields, \
  }; \
  return &schema; \
  }
#include SS_WIRE_DEF
#include "base/wire_undefine.h"

/* Functions, and the table of schemas. */
#define SS_MESSAGE(NAME, name, ctype, code, doc) \
  void ss_msg_##name##_print (const ctype *message, GString *text) \
  { \
    ss_wire_print (ss_msg_##name##_schema (), message, text); \
  } \
  void ss_msg_##name##_generate (SsRng *rng, ctype *ret_message, \
                                 uint8_t storage[SS_MSG_##NAME##_MAX]) \
  { \
    ss_wire_generate (ss_msg_##name##_schema (), rng, ret_message, storage); \
  }
#define SS_WIRE_ONE(type, field, doc)
#define SS_WIRE_ARRAY(field, length, doc)
#define SS_WIRE_VIEW(type, field, max, doc)
#define SS_WIRE_MANY(type, field, max, doc)
#define SS_END(NAME, name, ctype)
#include SS_WIRE_DEF
#undef SS_MESSAGE
#define SS_MESSAGE(NAME, name, ctype, code, doc) ss_msg_##name##_schema,
static const SsWireMessage *(*const SS_WIRE_JOIN (
    schemas_of_, SS_WIRE_PROTOCOL)[]) (void) = {
#include SS_WIRE_DEF
};
#include "base/wire_undefine.h"

const SsWireProtocol SS_WIRE_JOIN (ss_wire_protocol_, SS_WIRE_PROTOCOL) = {
  .name = SS_WIRE_QUOTE (SS_WIRE_PROTOCOL),
  .def = SS_WIRE_DEF,
  .n_messages = G_N_ELEMENTS (SS_WIRE_JOIN (schemas_of_, SS_WIRE_PROTOCOL)),
  .schemas = SS_WIRE_JOIN (schemas_of_, SS_WIRE_PROTOCOL),
};

#undef SS_WIRE_PROTOCOL
#undef SS_WIRE_DEF
