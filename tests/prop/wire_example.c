/* The example protocol of the tests of base/wire. */
#include "tests/prop/wire_example.h"

#define SS_WIRE_PROTOCOL example
#define SS_WIRE_DEF      "tests/prop/wire_example.def"
#include "base/wire_define.h"
