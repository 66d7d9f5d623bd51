/* Properties of the wire codec. Inputs are copied to memory of exactly their
 * length, so that a sanitizer sees one byte read too many. */
#include "tests/prop/check_wire.h"

#include <string.h>

#define CANARY          0xa5
#define MUTATIONS       32
#define MUTATED_AT_MOST 4

bool
check_wire_bytes (const SsWireMessage *schema, const uint8_t *data, size_t len)
{
  uint8_t *input = g_memdup2 (data, len);
  uint8_t *message = g_malloc (MAX (schema->struct_size, 1));

  memset (message, CANARY, schema->struct_size);
  bool decoded = ss_wire_decode (schema, input, len, message);

  if (decoded) {
    uint8_t *output = g_malloc (schema->max_len);
    GString *text = g_string_new (NULL);
    size_t n = ss_wire_encode (schema, message, output, schema->max_len);

    g_assert_cmpmem (output, n, data, len);
    ss_wire_print (schema, message, text);
    g_assert_true (g_str_has_prefix (text->str, schema->name));
    g_string_free (text, TRUE);
    g_free (output);
  } else {
    for (size_t i = 0; i < schema->struct_size; i++)
      g_assert_cmphex (message[i], ==, CANARY);
  }
  g_free (message);
  g_free (input);
  return decoded;
}

static bool
ends_open (const SsWireMessage *schema)
{
  return schema->n_fields > 0
         && schema->fields[schema->n_fields - 1].type == SS_WIRE_REST;
}

static void
check_wrong_lengths (const SsWireMessage *schema, uint8_t *encoded, size_t len)
{
  for (size_t n = 0; n < len; n++) {
    bool decoded = check_wire_bytes (schema, encoded, n);

    g_assert_true (!decoded || ends_open (schema));
  }
  encoded[len] = CANARY;
  bool decoded = check_wire_bytes (schema, encoded, len + 1);

  g_assert_true (!decoded || ends_open (schema));
  if (len == schema->max_len)
    g_assert_false (decoded);
}

void
check_wire_message (const SsWireMessage *schema, SsRng *rng)
{
  void *message = g_malloc (MAX (schema->struct_size, 1));
  uint8_t *storage = g_malloc (schema->max_len);
  uint8_t *encoded = g_malloc (schema->max_len + 1);

  ss_wire_generate (schema, rng, message, storage);
  size_t len = ss_wire_encode (schema, message, encoded, schema->max_len);

  g_assert_cmpuint (len, >=, 1);
  g_assert_cmphex (encoded[0], ==, schema->code);
  g_assert_true (check_wire_bytes (schema, encoded, len));
  for (unsigned i = 0; i < MUTATIONS; i++) {
    uint8_t *mutated = g_memdup2 (encoded, len);

    for (uint64_t k = 1 + ss_rng_below (rng, MUTATED_AT_MOST); k > 0; k--)
      mutated[ss_rng_below (rng, len)] ^= (uint8_t) ss_rng_u32 (rng);
    check_wire_bytes (schema, mutated, len);
    g_free (mutated);
  }
  check_wrong_lengths (schema, encoded, len);

  uint8_t *tight = g_malloc (len);

  g_assert_cmpuint (ss_wire_encode (schema, message, tight, len), ==, len);
  for (size_t cap = 0; cap < len; cap += 1 + cap / 8)
    g_assert_cmpuint (ss_wire_encode (schema, message, tight, cap), ==, 0);
  g_free (tight);
  g_free (encoded);
  g_free (storage);
  g_free (message);
}

static void
check_schema (const SsWireMessage *schema)
{
  size_t max_len = 1;

  g_assert_cmpuint (strlen (schema->doc), >, 0);
  for (unsigned i = 0; i < schema->n_fields; i++) {
    const SsWireField *field = &schema->fields[i];

    g_assert_cmpuint (strlen (field->doc), >, 0);
    g_assert_cmpuint (field->offset, <, schema->struct_size);
    if (field->type == SS_WIRE_REST)
      g_assert_cmpuint (i, ==, schema->n_fields - 1);
    max_len += ss_wire_field_max (field);
  }
  g_assert_cmpuint (schema->max_len, ==, max_len);
}

void
check_wire_protocol (const SsWireProtocol *protocol)
{
  for (unsigned i = 0; i < protocol->n_messages; i++) {
    const SsWireMessage *schema = protocol->schemas[i]();

    check_schema (schema);
    g_assert_true (ss_wire_find (protocol, schema->code) == schema);
    for (unsigned k = 0; k < i; k++)
      g_assert_cmpstr (schema->name, !=, protocol->schemas[k]()->name);
  }
}
