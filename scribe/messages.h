/* Scribe's wire messages: see messages.def and docs/wire.md. */
#pragma once

#define SS_WIRE_PROTOCOL scribe
#define SS_WIRE_DEF      "scribe/messages.def"
#include "base/wire_declare.h"
