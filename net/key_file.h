/* Files that hold one secret of 32 bytes: a node's seed, a station's seed, a
 * realm's key, a chat room's. Text, so that it can be copied by hand:
 *
 *   # splitstream station key. Keep it secret, keep a copy.
 *   station 64 hexadecimal digits
 *
 * A file of 64 hexadecimal digits alone is read too (realm keys made with
 * `openssl rand -hex 32`). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SS_SECRET_LEN 32

typedef enum {
  SS_KEY_FILE_NODE,    /* 0600, or it is refused */
  SS_KEY_FILE_STATION, /* likewise */
  SS_KEY_FILE_ROOM,    /* likewise */
  SS_KEY_FILE_REALM,   /* not readable by others; a group may share it */
} SsKeyFileKind;

/* Does the file exist, readable or not? */
bool ss_key_file_exists (const char *path);
bool ss_key_file_load (const char *path, SsKeyFileKind kind,
                       uint8_t ret_secret[SS_SECRET_LEN], GError **error);
/* Never replaces a file. If another process made it meanwhile, that one is
 * loaded: `secret` holds what the file holds. */
bool ss_key_file_create (const char *path, SsKeyFileKind kind,
                         uint8_t secret[SS_SECRET_LEN], GError **error);
