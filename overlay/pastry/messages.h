/* Pastry's messages on the wire: see messages.def. */
#pragma once

#define SS_WIRE_PROTOCOL pastry
#define SS_WIRE_DEF      "overlay/pastry/messages.def"
#include "base/wire_declare.h"
