/* The node's wire messages. */
#include "node/messages.h"

#define SS_WIRE_PROTOCOL node
#define SS_WIRE_DEF      "node/messages.def"
#include "base/wire_define.h"
