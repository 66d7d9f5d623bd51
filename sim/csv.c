/* Files of figures for plots: opening and closing, with a clear word. */
#include "sim/csv.h"

#include <errno.h>
#include <glib.h>

FILE *
ss_csv_open (const char *path)
{
  FILE *file = fopen (path, "w");

  if (file == NULL)
    fprintf (stderr, "ss-sim: cannot write %s: %s\n", path, g_strerror (errno));
  return file;
}

bool
ss_csv_close (FILE *file, const char *path)
{
  if (file == NULL)
    return true;
  bool was_written = ferror (file) == 0;

  if (fclose (file) == 0 && was_written)
    return true;
  fprintf (stderr, "ss-sim: cannot write %s: %s\n", path,
           was_written ? g_strerror (errno) : "not all of it was written");
  return false;
}
