/* Pastry's codec, made from messages.def. */
#include "overlay/pastry/messages.h"

#define SS_WIRE_PROTOCOL pastry
#define SS_WIRE_DEF      "overlay/pastry/messages.def"
#include "base/wire_define.h"
