/* What one node sees of the world: handed down, never global. */
#pragma once

#include <glib.h>

#include "base/counters.h"
#include "base/rng.h"
#include "base/signer.h"
#include "base/time.h"
#include "base/timer.h"

typedef enum { SS_LOG_ERROR, SS_LOG_INFO, SS_LOG_DEBUG } SsLogLevel;

/* Immutable bytes, and where in a datagram they lie. */
typedef struct {
  GBytes *bytes; /* NULL: none */
  size_t at;
  SsMemo *memo; /* of the bytes; NULL: none */
} SsBody;

typedef struct {
  SsTime now;         /* set by the driver's calls; never goes back */
  SsTime wall_offset; /* UNIX time in ns is now + wall_offset */
  SsRng rng;
  SsTimers timers;
  SsCounters counters;
  GBytes *shared; /* equal to what lies at shared_copy of what comes in */
  const uint8_t *shared_copy;
  SsMemo *shared_memo;
  SsLogLevel log_level;
  void (*log) (void *user, SsLogLevel level,
               const char *text); /* may be NULL */
  void *log_user;
} SsEnv;

void ss_env_init (SsEnv *env, const uint8_t seed[32], SsTime now,
                  SsTime wall_offset);
void ss_env_clear (SsEnv *env);

/* What has come in, to be kept: a reference to what the driver shares, if it is
 * that, else a copy. */
GBytes *ss_env_keep (const SsEnv *env, const uint8_t *data, size_t len);
/* What the driver has for these bytes to be remembered by, or NULL. */
SsMemo *ss_env_memo (const SsEnv *env, const GBytes *bytes);

/* State changes at INFO, decisions at DEBUG, packets never. */
void ss_env_log (SsEnv *env, SsLogLevel level, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
#define ss_info(env, ...) ss_env_log ((env), SS_LOG_INFO, __VA_ARGS__)
#define ss_debug(env, ...) \
  do { \
    if ((env)->log_level >= SS_LOG_DEBUG) \
      ss_env_log ((env), SS_LOG_DEBUG, __VA_ARGS__); \
  } while (0)
