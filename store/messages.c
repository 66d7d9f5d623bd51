/* The store's wire messages. */
#include "store/messages.h"

#define SS_WIRE_PROTOCOL store
#define SS_WIRE_DEF      "store/messages.def"
#include "base/wire_define.h"
