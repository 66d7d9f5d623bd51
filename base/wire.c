/* What any message needs besides its encoder and decoder, which are made of
 * the parts in base/wire_put.h and base/wire_take.h. */
#include "base/wire.h"

#include <string.h>

#include "base/wire_put.h"
#include "base/wire_take.h"

enum { FAMILY_NONE = 0, FAMILY_V4 = 4, FAMILY_V6 = 6 };

static const struct {
  const char *name;
  size_t encoded_max; /* of one; 0: depends on the field's max */
  size_t size;        /* in the struct; 0: likewise */
} types[] = {
  [SS_WIRE_U8] = { "U8", SS_WIRE_LEN_U8, sizeof (uint8_t) },
  [SS_WIRE_U16] = { "U16", SS_WIRE_LEN_U16, sizeof (uint16_t) },
  [SS_WIRE_U32] = { "U32", SS_WIRE_LEN_U32, sizeof (uint32_t) },
  [SS_WIRE_U64] = { "U64", SS_WIRE_LEN_U64, sizeof (uint64_t) },
  [SS_WIRE_ID] = { "ID", SS_WIRE_LEN_ID, sizeof (SsId) },
  [SS_WIRE_KEY] = { "KEY", SS_WIRE_LEN_KEY, sizeof (SsKey) },
  [SS_WIRE_ADDR] = { "ADDR", SS_WIRE_LEN_ADDR, sizeof (SsAddr) },
  [SS_WIRE_PEER] = { "PEER", SS_WIRE_LEN_PEER, sizeof (SsPeerRecord) },
  [SS_WIRE_FIXED] = { "FIXED", 0, 0 },
  [SS_WIRE_BYTES] = { "BYTES", 0, sizeof (SsWireBytes) },
  [SS_WIRE_REST] = { "REST", 0, sizeof (SsWireBytes) },
};

void
ss_wire_put_addr (SsWireWriter *writer, const SsAddr *addr, bool may_be_unset)
{
  if (!ss_addr_is_set (addr)) {
    g_assert (may_be_unset);
    ss_wire_put_number (writer, FAMILY_NONE, 1);
    return;
  }
  if (ss_addr_is_v4 (addr)) {
    ss_wire_put_number (writer, FAMILY_V4, 1);
    ss_wire_put (writer, addr->ip + 12, 4);
  } else {
    ss_wire_put_number (writer, FAMILY_V6, 1);
    ss_wire_put (writer, addr->ip, 16);
  }
  ss_wire_put_number (writer, addr->port, 2);
}

void
ss_wire_put_peer (SsWireWriter *writer, const SsPeerRecord *peer)
{
  g_assert (peer->n_addrs >= 1);
  g_assert (peer->n_addrs <= SS_PEER_ADDRS_MAX);
  ss_wire_put (writer, peer->key.b, SS_KEY_LEN);
  ss_wire_put_number (writer, peer->flags, 1);
  ss_wire_put_number (writer, peer->n_addrs, 1);
  for (unsigned i = 0; i < peer->n_addrs; i++)
    ss_wire_put_addr (writer, &peer->addrs[i], false);
}

size_t
ss_wire_encode (const SsWireMessage *schema, const void *message,
                uint8_t *ret_buf, size_t cap)
{
  return schema->encode (message, ret_buf, cap);
}

bool
ss_wire_take_addr (SsWireReader *reader, bool may_be_unset, SsAddr *ret_addr)
{
  uint64_t family, port;
  SsAddr addr = { .port = 0 };

  if (!ss_wire_take_number (reader, 1, &family))
    return false;
  if (family == FAMILY_NONE) {
    *ret_addr = addr;
    return may_be_unset;
  }
  if (family != FAMILY_V4 && family != FAMILY_V6)
    return false;
  size_t len = family == FAMILY_V4 ? 4 : 16;
  const uint8_t *bytes = ss_wire_take (reader, len);

  if (bytes == NULL)
    return false;
  if (family == FAMILY_V4)
    addr = ss_addr_v4 (0, 0);
  memcpy (addr.ip + (16 - len), bytes, len);
  /* One address, one encoding. */
  if (family == FAMILY_V6 && ss_addr_is_v4 (&addr))
    return false;
  if (!ss_wire_take_number (reader, 2, &port) || port == 0)
    return false;
  addr.port = (uint16_t) port;
  *ret_addr = addr;
  return true;
}

bool
ss_wire_take_peer (SsWireReader *reader, SsPeerRecord *ret_peer)
{
  const uint8_t *key = ss_wire_take (reader, SS_KEY_LEN);
  uint64_t flags, n_addrs;
  SsPeerRecord peer = { .flags = 0 };

  if (key == NULL || !ss_wire_take_number (reader, 1, &flags)
      || !ss_wire_take_number (reader, 1, &n_addrs))
    return false;
  if (n_addrs < 1 || n_addrs > SS_PEER_ADDRS_MAX)
    return false;
  memcpy (peer.key.b, key, SS_KEY_LEN);
  peer.flags = (uint8_t) flags;
  peer.n_addrs = (uint8_t) n_addrs;
  for (unsigned i = 0; i < n_addrs; i++)
    if (!ss_wire_take_addr (reader, false, &peer.addrs[i]))
      return false;
  *ret_peer = peer;
  return true;
}

bool
ss_wire_decode (const SsWireMessage *schema, const uint8_t *data, size_t len,
                void *ret_message)
{
  return schema->decode (data, len, ret_message);
}

const SsWireMessage *
ss_wire_find (const SsWireProtocol *protocol, uint8_t code)
{
  for (unsigned i = 0; i < protocol->n_messages; i++) {
    const SsWireMessage *schema = protocol->schemas[i]();

    if (schema->code == code)
      return schema;
  }
  return NULL;
}

const char *
ss_wire_type_name (SsWireType type)
{
  g_assert ((size_t) type < G_N_ELEMENTS (types));
  return types[type].name;
}

size_t
ss_wire_type_size (SsWireType type)
{
  g_assert ((size_t) type < G_N_ELEMENTS (types));
  return types[type].size;
}

size_t
ss_wire_field_max (const SsWireField *field)
{
  if (field->is_list)
    return 1 + field->max * types[field->type].encoded_max;
  if (field->type == SS_WIRE_BYTES)
    return SS_WIRE_LEN_BYTES (field->max);
  if (types[field->type].encoded_max != 0)
    return types[field->type].encoded_max;
  return field->max;
}
