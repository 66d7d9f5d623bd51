/* Writes docs/wire.md from the schemas. */
#include <stdio.h>

#include "base/wire.h"
#include "docs/wire_protocols.h"

#define ROW(name) &ss_wire_protocol_##name,
static const SsWireProtocol *const protocols[] = { SS_WIRE_PROTOCOLS (ROW)
                                                       NULL };

static const char introduction[] =
    "# Messages on the wire\n"
    "\n"
    "Written by `./run docs` from the schemas (the `messages.def` files);\n"
    "do not edit. A message is its type byte and its fields, in order,\n"
    "without padding. Numbers are big endian. What decodes re-encodes to\n"
    "the same bytes; trailing bytes are an error; unknown types are dropped\n"
    "and counted.\n"
    "\n"
    "| type | bytes | encoding |\n"
    "|---|---|---|\n"
    "| `U8` `U16` `U32` `U64` | 1, 2, 4, 8 | unsigned number |\n"
    "| `ID` | 20 | an identifier on the ring |\n"
    "| `KEY` | 32 | an Ed25519 public key |\n"
    "| `ADDR` | 1, 7 or 19 | family (4 or 6), 4 or 16 address bytes, port "
    "(`U16`, not 0); IPv4 never travels as IPv6; family 0, alone, is no "
    "address, and allowed only outside lists and peers |\n"
    "| `PEER` | 41 to 91 | `KEY`, flags (`U8`), count (`U8`, 1 to 3), that "
    "many `ADDR` |\n"
    "| `FIXED n` | n | bytes |\n"
    "| `BYTES n` | 2 to 2 + n | length (`U16`, at most n), bytes |\n"
    "| `REST n` | 0 to n | all bytes that remain |\n"
    "| `LIST n of T` | | count (`U8`, at most n), that many `T` |\n";

static void
print_field (const SsWireField *field)
{
  const char *type = ss_wire_type_name (field->type);

  printf ("| `%s` | `", field->name);
  if (field->is_list)
    printf ("LIST %u of %s", field->max, type);
  else if (field->max > 0)
    printf ("%s %u", type, field->max);
  else
    printf ("%s", type);
  printf ("` | %zu | %s |\n", ss_wire_field_max (field), field->doc);
}

static void
print_message (const SsWireMessage *schema)
{
  printf ("\n### 0x%02x %s\n\n%s\nAt most %zu bytes.\n", schema->code,
          schema->name, schema->doc, schema->max_len);
  if (schema->n_fields == 0)
    return;
  printf ("\n| field | type | at most | |\n|---|---|---|---|\n");
  for (unsigned i = 0; i < schema->n_fields; i++)
    print_field (&schema->fields[i]);
}

int
main (void)
{
  fputs (introduction, stdout);
  for (unsigned p = 0; protocols[p] != NULL; p++) {
    printf ("\n## %s\n\nDefined in `%s`.\n", protocols[p]->name,
            protocols[p]->def);
    for (unsigned i = 0; i < protocols[p]->n_messages; i++)
      print_message (protocols[p]->schemas[i]());
  }
  return 0;
}
