/* What people type: rates, durations, addresses. Errors are
 * SS_NET_ERROR_USAGE and name the text at fault. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/id.h"
#include "base/time.h"

#define SS_DEFAULT_PORT 16160

/* "5M", "1.5M", "500k", "96000": bit/s, decimal prefixes. "none" is 0. */
bool ss_parse_rate (const char *text, uint64_t *ret_bps, GError **error);
/* Writes "5 Mbit/s", "96 kbit/s" or "no cap" for 0; free with g_free. */
char *ss_format_rate (uint64_t bps);

/* "10", "1.5", "500ms", "2m", "1h"; a bare number counts in `unit`. */
bool ss_parse_duration (const char *text, SsTime unit, SsTime *ret_duration,
                        GError **error);

/* Numeric "ip:port" (or ip alone); port 0 allowed. */
bool ss_parse_address (const char *text, uint16_t default_port,
                       SsAddr *ret_addr, GError **error);

/* "[KEY@]HOST[:PORT]", KEY being a node's public key in hexadecimal; HOST is
 * a name, 1.2.3.4, [::1] or, without a port, ::1. */
typedef struct {
  bool has_key;
  SsKey key;
  char *host;
  uint16_t port;
} SsEndpoint;

bool ss_endpoint_parse (const char *text, uint16_t default_port,
                        SsEndpoint *ret_endpoint, GError **error);
void ss_endpoint_clear (SsEndpoint *endpoint);

/* For text from strangers on its way to a terminal: controls, escapes and
 * direction marks become U+FFFD. Free with g_free. */
char *ss_printable (const char *text);
