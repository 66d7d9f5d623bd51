/* The messages of stations: see messages.def and docs/wire.md. */
#include "splitstream/messages.h"

#define SS_WIRE_PROTOCOL splitstream
#define SS_WIRE_DEF      "splitstream/messages.def"
#include "base/wire_define.h"
