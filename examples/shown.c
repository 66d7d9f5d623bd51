/* Once lines are lost, half of those that wait are written before another is
 * taken: else a slow reader would have a line that tells of a loss after each
 * other one. */
#include "examples/shown.h"

#define SHOWN_AGAIN (SHOWN_MAX / 2)

void
shown_init (Shown *shown)
{
  g_queue_init (&shown->lines);
  shown->n_lost = 0;
}

void
shown_clear (Shown *shown)
{
  g_queue_clear_full (&shown->lines, g_free);
  shown->n_lost = 0;
}

void
shown_add (Shown *shown, char *line)
{
  if (shown->n_lost > 0 || shown->lines.length == SHOWN_MAX) {
    shown->n_lost++;
    g_free (line);
    return;
  }
  g_queue_push_tail (&shown->lines, line);
}

char *
shown_next (Shown *shown)
{
  char *line = g_queue_pop_head (&shown->lines);

  if (shown->n_lost > 0 && shown->lines.length <= SHOWN_AGAIN) {
    /* Whatever is heard has a # before the speaker's number; this has none. */
    g_queue_push_tail (&shown->lines,
                       g_strdup_printf ("ss-chat: %u lines are lost here, as "
                                        "this output was not read\n",
                                        shown->n_lost));
    shown->n_lost = 0;
  }
  return line;
}
