/* The loop: input in batches, then what is due, then all output and events,
 * until the node is quiet. */
#include "net/loop.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Batches taken in one turn before others in the main context get theirs. */
#define BATCHES_PER_TURN 4

typedef struct {
  GSource base;
  SsLoop *loop;
} LoopSource;

struct SsLoop {
  SsUdp *udp;
  SsNode *node;
  SsLoopEvent event;
  void *user;
  GSource *source;
  gpointer udp_tag, timer_tag;
  int timer_fd;
  SsTime armed;     /* what timer_fd is set to */
  bool wants_write; /* the socket was full */
  bool is_flushing;
};

static SsTime
read_clock (clockid_t clock)
{
  struct timespec ts;

  clock_gettime (clock, &ts);
  return ts.tv_sec * SS_SEC + ts.tv_nsec;
}

SsTime
ss_clock_now (void)
{
  return read_clock (CLOCK_BOOTTIME);
}

SsTime
ss_clock_wall_offset (void)
{
  return read_clock (CLOCK_REALTIME) - ss_clock_now ();
}

static void
set_timer_fd (int fd, SsTime at)
{
  struct itimerspec spec = { .it_value.tv_sec = 0 };

  if (at != SS_NEVER) {
    /* All zero would disarm it. */
    at = MAX (at, 1);
    spec.it_value.tv_sec = at / SS_SEC;
    spec.it_value.tv_nsec = at % SS_SEC;
  }
  timerfd_settime (fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static int
make_timer_fd (void)
{
  int fd = timerfd_create (CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);

  if (fd < 0)
    g_error ("timerfd_create: %s", g_strerror (errno));
  return fd;
}

/* A timer that goes off too early costs one turn, setting it costs a system
 * call: so it is only set to earlier times, or anew when it has gone off. */
static void
arm (SsLoop *loop)
{
  SsTime deadline = ss_node_deadline (loop->node);

  if (deadline >= loop->armed)
    return;
  set_timer_fd (loop->timer_fd, deadline);
  loop->armed = deadline;
}

static void
clear_event (SsEvent *event)
{
  if (event->type == SS_EVENT_HEADERS && event->headers != NULL)
    ss_codec_headers_free (event->headers);
  if (event->type == SS_EVENT_FRAME && event->frame.data != NULL)
    g_bytes_unref (event->frame.data);
}

static void
send_all (SsLoop *loop)
{
  bool drained = ss_udp_send_from (loop->udp, loop->node);

  if (drained == !loop->wants_write)
    return;
  loop->wants_write = !drained;
  g_source_modify_unix_fd (loop->source, loop->udp_tag,
                           drained ? G_IO_IN : G_IO_IN | G_IO_OUT);
}

void
ss_loop_flush (SsLoop *loop)
{
  SsEvent event;

  /* An event's handler has called: the loop below sees to it. */
  if (loop->is_flushing)
    return;
  loop->is_flushing = true;
  do {
    send_all (loop);
    event.type = SS_EVENT_NONE;
    while (ss_node_event (loop->node, &event)) {
      loop->event (loop->user, &event);
      clear_event (&event);
    }
    /* Handlers give commands: see whether there is more to send. */
  } while (event.type != SS_EVENT_NONE);
  arm (loop);
  loop->is_flushing = false;
}

static void
receive (SsLoop *loop)
{
  SsUdpDatagram *datagrams;

  for (unsigned turn = 0; turn < BATCHES_PER_TURN; turn++) {
    unsigned n = ss_udp_receive (loop->udp, &datagrams);
    SsTime now = ss_clock_now ();

    for (unsigned i = 0; i < n; i++)
      ss_node_input (loop->node, now, &datagrams[i].from, datagrams[i].data,
                     datagrams[i].len);
    if (n < SS_UDP_BATCH)
      break;
    /* Forward before taking more in: a burst must not add delay. */
    send_all (loop);
  }
}

static gboolean
check_source (GSource *source)
{
  SsLoop *loop = ((LoopSource *) source)->loop;

  return g_source_query_unix_fd (source, loop->udp_tag) != 0
         || g_source_query_unix_fd (source, loop->timer_tag) != 0;
}

static gboolean
dispatch_source (GSource *source, GSourceFunc callback, gpointer user)
{
  SsLoop *loop = ((LoopSource *) source)->loop;

  if (g_source_query_unix_fd (source, loop->timer_tag) != 0) {
    uint64_t expirations;

    if (read (loop->timer_fd, &expirations, sizeof expirations) > 0)
      loop->armed = SS_NEVER;
  }
  if (g_source_query_unix_fd (source, loop->udp_tag) & G_IO_IN)
    receive (loop);
  ss_node_tick (loop->node, ss_clock_now ());
  ss_loop_flush (loop);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
  .check = check_source,
  .dispatch = dispatch_source,
};

void
ss_source_spare_wakeups (GSource *source)
{
  g_source_set_can_recurse (source, TRUE);
}

SsLoop *
ss_loop_new (SsUdp *udp, SsNode *node, SsLoopEvent event, void *user)
{
  SsLoop *loop = g_new0 (SsLoop, 1);

  loop->udp = udp;
  loop->node = node;
  loop->event = event;
  loop->user = user;
  loop->armed = SS_NEVER;
  loop->timer_fd = make_timer_fd ();
  loop->source = g_source_new (&source_funcs, sizeof (LoopSource));
  ((LoopSource *) loop->source)->loop = loop;
  g_source_set_static_name (loop->source, "splitstream node");
  ss_source_spare_wakeups (loop->source);
  loop->udp_tag = g_source_add_unix_fd (loop->source, ss_udp_fd (udp), G_IO_IN);
  loop->timer_tag =
      g_source_add_unix_fd (loop->source, loop->timer_fd, G_IO_IN);
  return loop;
}

void
ss_loop_attach (SsLoop *loop, GMainContext *context)
{
  g_source_attach (loop->source, context);
  ss_loop_flush (loop);
}

void
ss_loop_free (SsLoop *loop)
{
  g_source_destroy (loop->source);
  g_source_unref (loop->source);
  close (loop->timer_fd);
  ss_udp_close (loop->udp);
  ss_node_free (loop->node);
  g_free (loop);
}

SsNode *
ss_loop_node (SsLoop *loop)
{
  return loop->node;
}

struct SsAlarm {
  GSource *source;
  int fd;
  void (*call) (void *user);
  void *user;
};

static gboolean
dispatch_alarm (int fd, GIOCondition condition, void *user)
{
  SsAlarm *alarm = user;
  uint64_t expirations;

  if (read (fd, &expirations, sizeof expirations) > 0)
    alarm->call (alarm->user);
  return G_SOURCE_CONTINUE;
}

SsAlarm *
ss_alarm_new (GMainContext *context, void (*call) (void *user), void *user)
{
  SsAlarm *alarm = g_new0 (SsAlarm, 1);

  alarm->fd = make_timer_fd ();
  alarm->call = call;
  alarm->user = user;
  alarm->source = g_unix_fd_source_new (alarm->fd, G_IO_IN);
  ss_source_spare_wakeups (alarm->source);
  g_source_set_callback (alarm->source, G_SOURCE_FUNC (dispatch_alarm), alarm,
                         NULL);
  g_source_attach (alarm->source, context);
  return alarm;
}

void
ss_alarm_set (SsAlarm *alarm, SsTime at)
{
  set_timer_fd (alarm->fd, at);
}

void
ss_alarm_free (SsAlarm *alarm)
{
  if (alarm == NULL)
    return;
  g_source_destroy (alarm->source);
  g_source_unref (alarm->source);
  close (alarm->fd);
  g_free (alarm);
}
