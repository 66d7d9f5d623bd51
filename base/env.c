/* A node's surroundings. */
#include "base/env.h"

#include <stdarg.h>

void
ss_env_init (SsEnv *env, const uint8_t seed[32], SsTime now, SsTime wall_offset)
{
  *env = (SsEnv){
    .now = now,
    .wall_offset = wall_offset,
    .log_level = SS_LOG_INFO,
  };
  ss_rng_init (&env->rng, seed);
  ss_timers_init (&env->timers);
}

void
ss_env_clear (SsEnv *env)
{
  ss_timers_clear (&env->timers);
  ss_rng_clear (&env->rng);
}

GBytes *
ss_env_keep (const SsEnv *env, const uint8_t *data, size_t len)
{
  if (env->shared != NULL && data == env->shared_copy
      && len == g_bytes_get_size (env->shared))
    return g_bytes_ref (env->shared);
  return g_bytes_new (data, len);
}

SsMemo *
ss_env_memo (const SsEnv *env, const GBytes *bytes)
{
  return env->shared == bytes ? env->shared_memo : NULL;
}

void
ss_env_log (SsEnv *env, SsLogLevel level, const char *format, ...)
{
  if (env->log == NULL || level > env->log_level)
    return;
  va_list arguments;

  va_start (arguments, format);
  char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  env->log (env->log_user, level, text);
  g_free (text);
}
