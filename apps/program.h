/* What every program does around its work: says things on stderr in one
 * line, runs the main loop, ends with a status. */
#pragma once

#include <glib.h>

#include "net/error.h"
#include "net/host.h"

/* After the first signal: the longest orderly end (2 s with a margin). */
#define SS_PROGRAM_QUIT_TIME (1800 * SS_MSEC)

typedef struct {
  const char *name;
  SsLogLevel level; /* what is said: ERROR (quiet), INFO, DEBUG (verbose) */
  SsTime started;
  GMainLoop *main_loop;
  int status;
  bool is_ending;
} SsProgram;

void ss_program_init (SsProgram *program, const char *name);
void ss_program_clear (SsProgram *program);

void ss_program_say (SsProgram *program, SsLogLevel level, const char *format,
                     ...) G_GNUC_PRINTF (3, 4);
/* The same, as SsHostOptions.say takes it; user is the program. */
void ss_program_say_text (void *user, SsLogLevel level, const char *text);

/* Runs until ss_program_quit; returns the exit status. */
int ss_program_run (SsProgram *program);
void ss_program_quit (SsProgram *program);

/* Says what failed and remembers the status; the first failure counts. */
void ss_program_fail (SsProgram *program, int status, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
/* Likewise for an error, which is freed. Media's errors about sources are
 * status 5. */
void ss_program_fail_error (SsProgram *program, GError *error);
