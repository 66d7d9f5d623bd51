/* Lines of commands; see control.h. */
#include "apps/control.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

struct SsControl {
  void (*line) (void *user, const char *line);
  void *user;
  GSource *source; /* NULL: nothing is read */
  int fd;
  bool has_ended;
  char bytes[SS_CONTROL_LINE_MAX + 1];
  size_t n;
};

static void
end_line (SsControl *control)
{
  control->bytes[control->n] = '\0';
  control->n = 0;
  if (*g_strstrip (control->bytes) != '\0')
    control->line (control->user, control->bytes);
}

static void
take (SsControl *control, char byte)
{
  /* The rest of a line that is too long is passed over: what is left is too
   * long for a name, too. Nor does a name hold what stands for a NUL. */
  if (byte == '\n')
    end_line (control);
  else if (control->n < SS_CONTROL_LINE_MAX)
    control->bytes[control->n++] = byte != '\0' ? byte : '\x7f';
}

/* Once for each time that poll says there is something: that does not wait. */
static gboolean
on_readable (int fd, GIOCondition condition, void *user)
{
  SsControl *control = user;
  char chunk[SS_CONTROL_LINE_MAX];
  ssize_t n = read (fd, chunk, sizeof chunk);

  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return G_SOURCE_CONTINUE;
  for (ssize_t i = 0; i < n; i++)
    take (control, chunk[i]);
  if (n > 0)
    return G_SOURCE_CONTINUE;
  control->has_ended = true;
  end_line (control);
  control->line (control->user, NULL);
  return G_SOURCE_REMOVE;
}

static void
watch (SsControl *control)
{
  control->source =
      g_unix_fd_source_new (control->fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  g_source_set_callback (control->source, G_SOURCE_FUNC (on_readable), control,
                         NULL);
  g_source_attach (control->source, NULL);
}

static void
unwatch (SsControl *control)
{
  if (control->source == NULL)
    return;
  g_source_destroy (control->source);
  g_source_unref (control->source);
  control->source = NULL;
}

void
ss_control_hold (SsControl *control, bool is_held)
{
  if (is_held)
    unwatch (control);
  else if (control->source == NULL && !control->has_ended)
    watch (control);
}

SsControl *
ss_control_new (int fd, void (*line) (void *user, const char *line), void *user)
{
  SsControl *control = g_new0 (SsControl, 1);

  control->line = line;
  control->user = user;
  control->fd = fd;
  watch (control);
  return control;
}

void
ss_control_free (SsControl *control)
{
  if (control == NULL)
    return;
  unwatch (control);
  g_free (control);
}
