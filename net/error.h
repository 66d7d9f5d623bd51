/* Failures of the programs, told by their exit status. Everything from net/
 * up reports through GError; messages are one line that says what failed, on
 * what, and what to do about it. */
#pragma once

#include <glib.h>

#define SS_NET_ERROR (ss_net_error_quark ())

/* The values are exit statuses. */
typedef enum {
  SS_NET_ERROR_FAILED = 1, /* while running */
  SS_NET_ERROR_USAGE = 2,
  SS_NET_ERROR_NOT_JOINED = 3, /* no ring could be joined */
  SS_NET_ERROR_NO_STATION = 4, /* nobody broadcasts it, or which one? */
  SS_NET_ERROR_SOURCE = 5,     /* the source cannot be read */
  SS_NET_ERROR_OTHER_KEY = 6,  /* the pinned key of this name differs */
} SsNetError;

GQuark ss_net_error_quark (void);
