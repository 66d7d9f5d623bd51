/* Signals. The handler's descriptor is the one static variable there is: a
 * handler has no other way to anything. */
#include "net/signals.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int event_fd = -1;

typedef struct {
  void (*call) (void *user);
  void *user;
} Catcher;

static void
on_signal (int number)
{
  uint64_t one = 1;

  /* SA_RESETHAND has restored the default for this one; the other of the
   * two is to kill from now on as well. */
  signal (SIGINT, SIG_DFL);
  signal (SIGTERM, SIG_DFL);
  if (write (event_fd, &one, sizeof one) < 0)
    _exit (1);
}

static gboolean
dispatch (int fd, GIOCondition condition, void *user)
{
  Catcher *catcher = user;
  uint64_t n;

  if (read (fd, &n, sizeof n) > 0)
    catcher->call (catcher->user);
  return G_SOURCE_CONTINUE;
}

void
ss_signals_catch (void (*call) (void *user), void *user)
{
  struct sigaction action = { .sa_handler = on_signal,
                              .sa_flags = (int) SA_RESETHAND | SA_RESTART };
  Catcher *catcher = g_new (Catcher, 1);

  g_assert (event_fd == -1);
  event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert (event_fd >= 0);
  *catcher = (Catcher){ call, user };
  GSource *source = g_unix_fd_source_new (event_fd, G_IO_IN);

  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_set_callback (source, G_SOURCE_FUNC (dispatch), catcher, g_free);
  g_source_attach (source, NULL);
  g_source_unref (source);
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  signal (SIGPIPE, SIG_IGN);
}
