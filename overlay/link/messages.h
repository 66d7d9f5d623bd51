/* The link's messages: see messages.def. */
#pragma once

#define SS_WIRE_PROTOCOL link
#define SS_WIRE_DEF      "overlay/link/messages.def"
#include "base/wire_declare.h"

/* A question must not be shorter than its answer. */
_Static_assert((int) SS_MSG_LINK_ASK_MAX >= (int) SS_MSG_LINK_ANSWER_MAX,
               "no amplification");
