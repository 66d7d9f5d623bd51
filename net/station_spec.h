/* How a station is named on a command line and in links:
 *   radio1
 *   radio1@FINGERPRINT
 *   splitstream://radio1?key=FINGERPRINT   (percent-encoded, RFC 3986) */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/id.h"

#define SS_URI_SCHEME "splitstream"

typedef struct {
  char *name; /* valid by ss_station_name_check; owned */
  bool has_fingerprint;
  SsId fingerprint;
} SsStationSpec;

bool ss_station_spec_parse (const char *text, SsStationSpec *ret_spec,
                            GError **error);
void ss_station_spec_clear (SsStationSpec *spec);
/* The link to a station; fingerprint may be NULL. Free with g_free. */
char *ss_station_uri (const char *name, const SsId *fingerprint);

/* The name in Unicode's NFC, so that what looks alike is alike; free with
 * g_free. NULL with error for what cannot be a name: empty, longer than
 * SS_STATION_NAME_MAX bytes, not UTF-8, with controls or one of @ / ? #. */
char *ss_station_name_check (const char *text, GError **error);
