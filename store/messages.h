/* The store's wire messages, defined in store/messages.def. */
#pragma once

#define SS_WIRE_PROTOCOL store
#define SS_WIRE_DEF      "store/messages.def"
#include "base/wire_declare.h"
