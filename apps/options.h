/* Command lines: the options that all programs share, and how an option is
 * refused: one line on stderr and status 2. */
#pragma once

#include <glib.h>

#include "apps/program.h"
#include "net/host.h"

/* As typed; then as understood, in `host`. */
typedef struct {
  char *bind, *advertise, *identity, *realm_key, *upload, *state_dir, *stats;
  char **bootstrap;
  gboolean quiet, verbose, version, help;
  char **rest; /* arguments that are no options; may be NULL */

  SsHostOptions host; /* points into this object */
  SsAddr bind_addr;
  SsEndpoint *endpoints;
  unsigned n_endpoints;
} SsOptions;

/* What a program adds. The help text is printed as it is, with the common
 * options after it. */
typedef struct {
  const char *help;
  const GOptionEntry *entries;
} SsOptionsSpec;

/* Parses; sets program->level. *ret_done with true: --help or --version was
 * served, and the program ends with 0. */
bool ss_options_parse (SsOptions *options, SsProgram *program,
                       const SsOptionsSpec *spec, int argc, char **argv,
                       bool *ret_done, GError **error);
void ss_options_clear (SsOptions *options);
