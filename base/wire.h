/* The wire schema: every message is defined once, in its protocol folder's
 * messages.def, and everything else follows from that definition.
 *
 *   overlay/pastry/messages.def:
 *     SS_MESSAGE (ACK, ack, SsMsgAck, 0x01, "Confirms one hop of a route.")
 *       SS_FIELD_U32 (number, "the number of the message confirmed")
 *       SS_FIELD_LIST (PEER, peers, 4, "peers nearer to the key")
 *     SS_END (ACK, ack, SsMsgAck)
 *
 *   overlay/pastry/messages.h:
 *     #define SS_WIRE_PROTOCOL pastry
 *     #define SS_WIRE_DEF "overlay/pastry/messages.def"
 *     #include "base/wire_declare.h"
 *
 *   overlay/pastry/messages.c:
 *     #include "overlay/pastry/messages.h"
 *     #define SS_WIRE_PROTOCOL pastry
 *     #define SS_WIRE_DEF "overlay/pastry/messages.def"
 *     #include "base/wire_define.h"
 *
 * This yields the code SS_MSG_ACK, the struct SsMsgAck, its greatest encoded
 * length SS_MSG_ACK_MAX (type byte included) and
 *
 *   size_t ss_msg_ack_encode (const SsMsgAck *, uint8_t *ret_buf, size_t cap);
 *   bool ss_msg_ack_decode (const uint8_t *data, size_t len, SsMsgAck *ret);
 *   void ss_msg_ack_print (const SsMsgAck *, GString *text);
 *   void ss_msg_ack_generate (SsRng *, SsMsgAck *ret,
 *                             uint8_t storage[SS_MSG_ACK_MAX]);
 *   const SsWireMessage *ss_msg_ack_schema (void);
 *   extern const SsWireProtocol ss_wire_protocol_pastry;
 *
 * and the folder's meson.build adds the protocol to the list that the
 * documentation, the property test and the fuzz target go through:
 *
 *   ss_wire_protocols += {'name': 'pastry',
 *     'header': 'overlay/pastry/messages.h', 'dep': ss_pastry_dep}
 *
 * Names are shared by all protocols, codes are each protocol's own.
 *
 * Fields. Numbers are big endian. SS_FIELD_U8, _U16, _U32, _U64, _ID (SsId),
 * _KEY (SsKey), _ADDR (SsAddr; one that is not set travels as family 0) and
 * _PEER (SsPeerRecord) take (name, doc). SS_FIELD_FIXED (name, len, doc) is
 * uint8_t name[len]. SS_FIELD_BYTES (name, max, doc) is an SsWireBytes with
 * its length in 16 bits; SS_FIELD_REST (name, max, doc), which must come
 * last, takes all that remains. SS_FIELD_LIST (TYPE, name, max, doc), TYPE
 * being U8 to PEER as above, is uint16_t n_name and an array name of max
 * (at most 255) elements; its addresses must be set.
 *
 * The encoding is canonical: what decodes re-encodes to the same bytes, and
 * trailing bytes are an error. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/contact.h"
#include "base/rng.h"

/* A view of bytes that somebody else owns: after decoding, of the input. */
typedef struct {
  const uint8_t *data;
  uint16_t len;
} SsWireBytes;

typedef enum {
  SS_WIRE_U8,
  SS_WIRE_U16,
  SS_WIRE_U32,
  SS_WIRE_U64,
  SS_WIRE_ID,
  SS_WIRE_KEY,
  SS_WIRE_ADDR,
  SS_WIRE_PEER,
  SS_WIRE_FIXED,
  SS_WIRE_BYTES,
  SS_WIRE_REST,
} SsWireType;

typedef struct {
  const char *name, *doc;
  SsWireType type; /* of the elements, if a list */
  bool is_list;
  uint16_t max;        /* elements of a list, bytes of the last three */
  size_t offset;       /* in the struct */
  size_t count_offset; /* of a list's n_name */
} SsWireField;

typedef struct {
  const char *name; /* "ACK" */
  const char *doc;
  uint8_t code;
  size_t max_len;     /* encoded, with the type byte */
  size_t struct_size; /* decoded */
  size_t (*encode) (const void *message, uint8_t *ret_buf, size_t cap);
  bool (*decode) (const uint8_t *data, size_t len, void *ret_message);
  unsigned n_fields;
  const SsWireField *fields;
} SsWireMessage;

typedef struct {
  const char *name; /* "pastry" */
  const char *def;  /* where it is defined */
  unsigned n_messages;
  const SsWireMessage *(*const *schemas) (void); /* in the file's order */
} SsWireProtocol;

/* What the functions of one message do, for any message.
 *
 * Returns the encoded length, or 0 if cap is too small. Asserts that lists
 * and views keep to their bounds. */
size_t ss_wire_encode (const SsWireMessage *schema, const void *message,
                       uint8_t *ret_buf, size_t cap);
/* Strict. On failure ret_message is untouched. List elements beyond the
 * count are left as they were. Views point into data. */
bool ss_wire_decode (const SsWireMessage *schema, const uint8_t *data,
                     size_t len, void *ret_message);
void ss_wire_print (const SsWireMessage *schema, const void *message,
                    GString *text);
/* A random valid message; its views point into storage, which has room for
 * schema->max_len bytes. */
void ss_wire_generate (const SsWireMessage *schema, SsRng *rng,
                       void *ret_message, uint8_t *storage);

/* NULL if the protocol has no such code. */
const SsWireMessage *ss_wire_find (const SsWireProtocol *protocol,
                                   uint8_t code);
const char *ss_wire_type_name (SsWireType type); /* "U8" to "REST" */
/* Of one in the struct; 0 for FIXED, whose length is its field's. */
size_t ss_wire_type_size (SsWireType type);
/* Greatest encoded length of a field. */
size_t ss_wire_field_max (const SsWireField *field);

/* Encoded lengths. */
#define SS_WIRE_LEN_U8   1
#define SS_WIRE_LEN_U16  2
#define SS_WIRE_LEN_U32  4
#define SS_WIRE_LEN_U64  8
#define SS_WIRE_LEN_ID   SS_ID_LEN
#define SS_WIRE_LEN_KEY  SS_KEY_LEN
#define SS_WIRE_LEN_ADDR (1 + 16 + 2)
#define SS_WIRE_LEN_PEER \
  (SS_KEY_LEN + 1 + 1 + SS_PEER_ADDRS_MAX * SS_WIRE_LEN_ADDR)
#define SS_WIRE_LEN_BYTES(max)     (2 + (max))
#define SS_WIRE_LEN_REST(max)      (max)
#define SS_WIRE_LEN_LIST(one, max) (1 + (max) * (one))
#define SS_WIRE_LIST_MAX           UINT8_MAX

/* Types in the struct. */
#define SS_WIRE_CTYPE_U8   uint8_t
#define SS_WIRE_CTYPE_U16  uint16_t
#define SS_WIRE_CTYPE_U32  uint32_t
#define SS_WIRE_CTYPE_U64  uint64_t
#define SS_WIRE_CTYPE_ID   SsId
#define SS_WIRE_CTYPE_KEY  SsKey
#define SS_WIRE_CTYPE_ADDR SsAddr
#define SS_WIRE_CTYPE_PEER SsPeerRecord

/* The fields in terms of the four kinds that a pass over a .def defines. */
#define SS_FIELD_U8(name, doc)              SS_WIRE_ONE (U8, name, doc)
#define SS_FIELD_U16(name, doc)             SS_WIRE_ONE (U16, name, doc)
#define SS_FIELD_U32(name, doc)             SS_WIRE_ONE (U32, name, doc)
#define SS_FIELD_U64(name, doc)             SS_WIRE_ONE (U64, name, doc)
#define SS_FIELD_ID(name, doc)              SS_WIRE_ONE (ID, name, doc)
#define SS_FIELD_KEY(name, doc)             SS_WIRE_ONE (KEY, name, doc)
#define SS_FIELD_ADDR(name, doc)            SS_WIRE_ONE (ADDR, name, doc)
#define SS_FIELD_PEER(name, doc)            SS_WIRE_ONE (PEER, name, doc)
#define SS_FIELD_FIXED(name, len, doc)      SS_WIRE_ARRAY (name, len, doc)
#define SS_FIELD_BYTES(name, max, doc)      SS_WIRE_VIEW (BYTES, name, max, doc)
#define SS_FIELD_REST(name, max, doc)       SS_WIRE_VIEW (REST, name, max, doc)
#define SS_FIELD_LIST(type, name, max, doc) SS_WIRE_MANY (type, name, max, doc)

#define SS_WIRE_JOIN_(a, b)  a##b
#define SS_WIRE_JOIN(a, b)   SS_WIRE_JOIN_ (a, b)
#define SS_WIRE_QUOTE_(text) #text
#define SS_WIRE_QUOTE(text)  SS_WIRE_QUOTE_ (text)
