/* Puts sources on the air: pulls frames from media/source and pushes each
 * to the node when its time has come. Apart from option parsing, so that
 * other programs can broadcast too. */
#pragma once

#include "apps/program.h"
#include "net/host.h"

typedef struct {
  const char *group;               /* a checked station name */
  const char *title, *description; /* may be NULL */
  const char *station_key_file;    /* NULL: in the data directory */
  const char *const *sources;
  bool loop;
  bool is_standby;  /* waits for who is on the air with this key to die */
  uint32_t bitrate; /* of what is transcoded; 0: the default */
  uint8_t parity;
  SsTime latency;
} SsBroadcastOptions;

/* Runs to the end; the exit status. `host` is completed and used. */
int ss_broadcast_run (SsProgram *program, SsHostOptions *host,
                      const SsBroadcastOptions *options);
