/* The lines that an output has still to take. One that is not read may not
 * hold up the node, nor take all of its memory: of more than SHOWN_MAX lines
 * the newest are lost, and a line in their place says how many. */
#pragma once

#include <glib.h>

#define SHOWN_MAX 4096

typedef struct {
  GQueue lines;
  unsigned n_lost; /* after these, and not told yet */
} Shown;

void shown_init (Shown *shown);
void shown_clear (Shown *shown);
/* Owns the line. */
void shown_add (Shown *shown, char *line);
/* To be written next; free with g_free. NULL: nothing. */
char *shown_next (Shown *shown);
