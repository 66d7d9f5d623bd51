/* Any bytes at any decoder: byte 0 names the protocol, the rest is a
 * message, whose type byte names the schema. */
#include <string.h>

#include "docs/wire_protocols.h"
#include "tests/fuzz/fuzz.h"
#include "tests/prop/check_wire.h"
#include "tests/prop/wire_example.h"

#define ROW(name) &ss_wire_protocol_##name,
static const SsWireProtocol *const protocols[] = { &ss_wire_protocol_example,
                                                   SS_WIRE_PROTOCOLS (ROW) };

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  if (len < 2)
    return 0;
  const SsWireProtocol *protocol =
      protocols[data[0] % G_N_ELEMENTS (protocols)];
  const SsWireMessage *schema = ss_wire_find (protocol, data[1]);

  if (schema != NULL)
    check_wire_bytes (schema, data + 1, len - 1);
  return 0;
}

size_t
ss_fuzz_generate (SsRng *rng, uint8_t ret_data[SS_FUZZ_INPUT_MAX])
{
  uint8_t index = (uint8_t) ss_rng_below (rng, G_N_ELEMENTS (protocols));
  const SsWireProtocol *protocol = protocols[index];
  const SsWireMessage *schema =
      protocol->schemas[ss_rng_below (rng, protocol->n_messages)]();
  void *message = g_malloc (MAX (schema->struct_size, 1));
  uint8_t *storage = g_malloc (schema->max_len);

  ret_data[0] = index;
  ss_wire_generate (schema, rng, message, storage);
  size_t len =
      ss_wire_encode (schema, message, ret_data + 1, SS_FUZZ_INPUT_MAX - 1);

  g_free (storage);
  g_free (message);
  return 1 + len;
}
