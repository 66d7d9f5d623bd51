/* Files of figures for plots. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Both print what is wrong themselves. Closing NULL is no error. */
FILE *ss_csv_open (const char *path); /* NULL: it cannot be written */
bool ss_csv_close (FILE *file, const char *path);
