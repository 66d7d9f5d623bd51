/* What a user knows of stations: the keys of the own ones, and which key a
 * name had when it was first heard (pinned on first use, as ssh does). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

/* The keys that names are pinned to: lines "NAME FINGERPRINT", the name
 * percent-encoded, in `data_dir`/known-stations. */
char *ss_known_stations_path (const char *data_dir); /* free with g_free */
/* False: not pinned. A damaged line counts as none. */
bool ss_known_stations_find (const char *path, const char *name,
                             SsId *ret_fingerprint);
/* Adds a line unless the name has one: the first use counts. */
bool ss_known_stations_pin (const char *path, const char *name,
                            const SsId *fingerprint, GError **error);

/* A station of the user's own: its secret seed, made on the first broadcast,
 * and beside it FILE.session with the number of its last session, locked
 * while the station is on the air from this machine. */
typedef struct {
  char *path;
  uint8_t seed[32];
  uint32_t session; /* the last one used; 0: none */
  bool is_new;      /* made just now */
  int lock_fd;
} SsOwnStation;

/* `data_dir`/stations/NAME.key, the name percent-encoded. */
char *ss_own_station_path (const char *data_dir, const char *name);
/* Loads the key, or makes it from `random` (32 bytes), and takes the lock. */
bool ss_own_station_open (SsOwnStation *station, const char *path,
                          const uint8_t random[32], GError **error);
bool ss_own_station_save_session (SsOwnStation *station, uint32_t session,
                                  GError **error);
void ss_own_station_clear (SsOwnStation *station); /* wipes, unlocks */
