/* Where things are kept (XDG Base Directory Specification), and files that
 * are replaced as a whole or not at all. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* With --state-dir both are that directory. */
typedef struct {
  char *state; /* node identity, markers: can be made again */
  char *data;  /* station keys, known stations: cannot */
} SsDirs;

/* Names the directories; makes nothing. state_dir may be NULL. */
void ss_dirs_init (SsDirs *dirs, const char *state_dir);
void ss_dirs_clear (SsDirs *dirs);

/* The directory and its parents, 0700 where made. */
bool ss_make_dir (const char *path, GError **error);
/* Makes the directory that `path` is to be in. */
bool ss_make_parent_dir (const char *path, GError **error);

/* Writes to a neighbour and renames, so that a reader or a crash sees the
 * old content or the new. */
bool ss_replace_file (const char *path, const char *text, int mode,
                      GError **error);

/* Opens (making it 0600 if need be) and locks a file for as long as the
 * descriptor lives; -1 without error when another process has it. */
int ss_lock_file (const char *path, GError **error);
