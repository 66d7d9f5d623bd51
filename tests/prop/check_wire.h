/* Properties of the wire codec that hold for every message of every
 * protocol, as functions that both the seeded tests and the fuzz target
 * call. They assert. */
#pragma once

#include "base/wire.h"

/* Whatever the bytes: if they decode, they re-encode to themselves, and
 * print; if not, nothing was written. Returns whether they decode. */
bool check_wire_bytes (const SsWireMessage *schema, const uint8_t *data,
                       size_t len);

/* One random message: its round trip, each of its truncations, a trailing
 * byte, too small a buffer, and some mutations. */
void check_wire_message (const SsWireMessage *schema, SsRng *rng);

/* The definitions themselves: unique codes and names, sizes that add up,
 * the rest last. */
void check_wire_protocol (const SsWireProtocol *protocol);
