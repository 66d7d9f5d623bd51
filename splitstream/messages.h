/* The messages of stations: see messages.def. */
#pragma once

#define SS_WIRE_PROTOCOL splitstream
#define SS_WIRE_DEF      "splitstream/messages.def"
#include "base/wire_declare.h"
