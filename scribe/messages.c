/* Scribe's wire messages: see messages.def and docs/wire.md. */
#include "scribe/messages.h"

#define SS_WIRE_PROTOCOL scribe
#define SS_WIRE_DEF      "scribe/messages.def"
#include "base/wire_define.h"
