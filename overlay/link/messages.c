/* The link's messages, generated from their schema. */
#include "overlay/link/messages.h"

#define SS_WIRE_PROTOCOL link
#define SS_WIRE_DEF      "overlay/link/messages.def"
#include "base/wire_define.h"
