/* Listens to a station: finds it, checks its key, tunes in and hands what is
 * due to media/output. Apart from option parsing, so that other programs can
 * listen too. */
#pragma once

#include "apps/program.h"
#include "net/host.h"
#include "net/station_spec.h"

typedef struct {
  SsStationSpec *station;  /* emptied */
  bool has_control;        /* lines of standard input name others */
  const char *output_file; /* NULL: standard output, or sound on a terminal */
  SsTime wait;             /* for the ring and the station */
  SsTime duration;         /* of what is written; SS_NEVER: to the end */
  SsTime buffer;           /* on top of the station's latency */
  SsTime rejoin;           /* how long a silent station is waited for */
} SsListenOptions;

#define SS_LISTEN_WAIT_DEFAULT   (10 * SS_SEC)
#define SS_LISTEN_REJOIN_DEFAULT (60 * SS_SEC)
#define SS_LISTEN_BUFFER_MAX     (600 * SS_SEC)

/* Runs to the end; the exit status. `host` is completed and used. */
int ss_listen_run (SsProgram *program, SsHostOptions *host,
                   const SsListenOptions *options);
