/* The error domain of net/. */
#include "net/error.h"

G_DEFINE_QUARK (ss - net - error - quark, ss_net_error)
