/* What people and tests want of a message: its text, and random ones. */
#include "base/wire.h"

#include <string.h>

#define PRINTED_BYTES_MAX 16

/* Of the random messages' addresses, one in so many is IPv6; of those that
 * may be, one in so many is not set. */
#define ONE_IN_V6    3
#define ONE_IN_UNSET 4

static void
print_bytes (const uint8_t *data, size_t len, GString *text)
{
  for (size_t i = 0; i < len && i < PRINTED_BYTES_MAX; i++)
    g_string_append_printf (text, "%02x", data[i]);
  if (len > PRINTED_BYTES_MAX)
    g_string_append_printf (text, "... (%zu bytes)", len);
}

static void
print_addr (const SsAddr *addr, GString *text)
{
  char formatted[SS_ADDR_STRLEN];

  ss_addr_format (addr, formatted);
  g_string_append (text, ss_addr_is_set (addr) ? formatted : "none");
}

static void
print_peer (const SsPeerRecord *peer, GString *text)
{
  SsId id = ss_id_of_key (&peer->key);
  char hex[SS_ID_STRLEN];

  ss_id_format (&id, hex);
  g_string_append_printf (text, "%s flags %u at", hex, peer->flags);
  for (unsigned i = 0; i < peer->n_addrs; i++) {
    g_string_append_c (text, ' ');
    print_addr (&peer->addrs[i], text);
  }
}

static void
print_number (const void *value, size_t size, GString *text)
{
  uint8_t u8;
  uint16_t u16;
  uint32_t u32;
  uint64_t number;

  if (size == sizeof u8) {
    memcpy (&u8, value, size);
    number = u8;
  } else if (size == sizeof u16) {
    memcpy (&u16, value, size);
    number = u16;
  } else if (size == sizeof u32) {
    memcpy (&u32, value, size);
    number = u32;
  } else {
    memcpy (&number, value, sizeof number);
  }
  g_string_append_printf (text, "%" G_GUINT64_FORMAT, number);
}

static void
print_one (SsWireType type, const void *value, GString *text)
{
  if (type <= SS_WIRE_U64)
    print_number (value, ss_wire_type_size (type), text);
  else if (type == SS_WIRE_ADDR)
    print_addr (value, text);
  else if (type == SS_WIRE_PEER)
    print_peer (value, text);
  else
    print_bytes (value, ss_wire_type_size (type), text);
}

static void
print_field (const SsWireField *field, const char *message, GString *text)
{
  const char *value = message + field->offset;

  g_string_append_printf (text, " %s=", field->name);
  if (field->is_list) {
    uint16_t n;

    memcpy (&n, message + field->count_offset, sizeof n);
    g_string_append_c (text, '[');
    for (size_t i = 0; i < n; i++) {
      if (i > 0)
        g_string_append (text, ", ");
      print_one (field->type, value + i * ss_wire_type_size (field->type),
                 text);
    }
    g_string_append_c (text, ']');
  } else if (field->type == SS_WIRE_FIXED) {
    print_bytes ((const uint8_t *) value, field->max, text);
  } else if (field->type == SS_WIRE_BYTES || field->type == SS_WIRE_REST) {
    SsWireBytes view;

    memcpy (&view, value, sizeof view);
    print_bytes (view.data, view.len, text);
  } else {
    print_one (field->type, value, text);
  }
}

void
ss_wire_print (const SsWireMessage *schema, const void *message, GString *text)
{
  g_string_append (text, schema->name);
  for (unsigned i = 0; i < schema->n_fields; i++)
    print_field (&schema->fields[i], message, text);
}

static SsAddr
random_addr (SsRng *rng)
{
  uint16_t port = (uint16_t) (1 + ss_rng_below (rng, UINT16_MAX));
  SsAddr addr = ss_addr_v4 (ss_rng_u32 (rng), port);

  if (ss_rng_below (rng, ONE_IN_V6) == 0)
    do
      ss_rng_bytes (rng, addr.ip, sizeof addr.ip);
    while (ss_addr_is_v4 (&addr));
  return addr;
}

static void
generate_one (SsWireType type, bool in_list, SsRng *rng, void *value)
{
  if (type == SS_WIRE_ADDR) {
    SsAddr addr = random_addr (rng);

    if (!in_list && ss_rng_below (rng, ONE_IN_UNSET) == 0)
      addr = (SsAddr){ .port = 0 };
    memcpy (value, &addr, sizeof addr);
  } else if (type == SS_WIRE_PEER) {
    SsPeerRecord peer = { .flags = (uint8_t) ss_rng_u32 (rng) };

    ss_rng_bytes (rng, peer.key.b, SS_KEY_LEN);
    peer.n_addrs = (uint8_t) (1 + ss_rng_below (rng, SS_PEER_ADDRS_MAX));
    for (unsigned i = 0; i < peer.n_addrs; i++)
      peer.addrs[i] = random_addr (rng);
    memcpy (value, &peer, sizeof peer);
  } else {
    ss_rng_bytes (rng, value, ss_wire_type_size (type));
  }
}

/* Lengths and counts are drawn so that none and the most are common. */
static uint16_t
random_count (SsRng *rng, uint16_t max)
{
  switch (ss_rng_below (rng, 4)) {
  case 0:
    return 0;
  case 1:
    return max;
  default:
    return (uint16_t) ss_rng_below (rng, (uint64_t) max + 1);
  }
}

void
ss_wire_generate (const SsWireMessage *schema, SsRng *rng, void *ret_message,
                  uint8_t *storage)
{
  char *message = ret_message;

  if (schema->n_fields == 0)
    return; /* and there may be no storage */
  memset (message, 0, schema->struct_size);
  for (unsigned i = 0; i < schema->n_fields; i++) {
    const SsWireField *field = &schema->fields[i];
    char *value = message + field->offset;

    if (field->is_list) {
      uint16_t n = random_count (rng, field->max);

      memcpy (message + field->count_offset, &n, sizeof n);
      for (size_t k = 0; k < n; k++)
        generate_one (field->type, true, rng,
                      value + k * ss_wire_type_size (field->type));
    } else if (field->type == SS_WIRE_FIXED) {
      ss_rng_bytes (rng, value, field->max);
    } else if (field->type == SS_WIRE_BYTES || field->type == SS_WIRE_REST) {
      SsWireBytes view = { storage, random_count (rng, field->max) };

      ss_rng_bytes (rng, storage, view.len);
      storage += view.len;
      memcpy (value, &view, sizeof view);
    } else {
      generate_one (field->type, false, rng, value);
    }
  }
}
