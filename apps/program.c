/* The frame of a program. */
#include "apps/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "media/error.h"

/* What the starter closed would be the number of the next file or socket,
 * and that would be written to. */
static void
fill_standard_files (void)
{
  static const int unusable[] = { O_WRONLY, O_RDONLY, O_RDWR };

  for (int fd = 0; fd < (int) G_N_ELEMENTS (unusable); fd++)
    if (fcntl (fd, F_GETFD) < 0 && open ("/dev/null", unusable[fd]) != fd)
      exit (EXIT_FAILURE);
}

void
ss_program_init (SsProgram *program, const char *name)
{
  fill_standard_files ();
  *program = (SsProgram){
    .name = name,
    .level = SS_LOG_INFO,
    .started = ss_clock_now (),
    .main_loop = g_main_loop_new (NULL, FALSE),
  };
}

void
ss_program_clear (SsProgram *program)
{
  g_main_loop_unref (program->main_loop);
}

static char *
format_time_of_day (void)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *text = g_date_time_format (now, "%H:%M:%S");

  return g_strdup_printf ("%s.%03d ", text,
                          g_date_time_get_microsecond (now) / 1000);
}

void
ss_program_say_text (void *user, SsLogLevel level, const char *text)
{
  const SsProgram *program = user;
  g_autofree char *time = NULL;

  if (level > program->level)
    return;
  if (program->level >= SS_LOG_DEBUG)
    time = format_time_of_day ();
  /* One write: lines of several programs on one terminal stay whole. */
  g_autofree char *line = g_strdup_printf ("%s: %s%s\n", program->name,
                                           time != NULL ? time : "", text);

  fputs (line, stderr);
  fflush (stderr);
}

void
ss_program_say (SsProgram *program, SsLogLevel level, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);

  va_end (args);
  ss_program_say_text (program, level, text);
}

int
ss_program_run (SsProgram *program)
{
  if (!program->is_ending)
    g_main_loop_run (program->main_loop);
  return program->status;
}

void
ss_program_quit (SsProgram *program)
{
  program->is_ending = true;
  g_main_loop_quit (program->main_loop);
}

void
ss_program_fail (SsProgram *program, int status, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);

  va_end (args);
  ss_program_say_text (program, SS_LOG_ERROR, text);
  if (program->status == 0)
    program->status = status;
}

static int
status_of (const GError *error)
{
  if (error->domain == SS_NET_ERROR)
    return error->code;
  if (error->domain == SS_MEDIA_ERROR && error->code != SS_MEDIA_ERROR_OUTPUT)
    return SS_NET_ERROR_SOURCE;
  return SS_NET_ERROR_FAILED;
}

void
ss_program_fail_error (SsProgram *program, GError *error)
{
  ss_program_fail (program, status_of (error), "%s", error->message);
  g_error_free (error);
}
