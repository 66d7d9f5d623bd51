/* Wire messages of the node, generated from messages.def. */
#pragma once

#define SS_WIRE_PROTOCOL node
#define SS_WIRE_DEF      "node/messages.def"
#include "base/wire_declare.h"
