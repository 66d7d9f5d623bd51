/* The loop: input in batches, then what is due, then all output and events,
 * until the node is quiet. */
#include "net/loop.h"

#include <time.h>

#include "net/pause.h"

/* Batches taken in one turn before others in the main context get theirs. */
#define BATCHES_PER_TURN 4

#define WAIT_MAX_MS 60000 /* no int overflows */

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
  /* Polled by GSource's older interface, because the newer one wakes the main
   * loop up each time that the condition changes. */
  GPollFD socket;
  SsPause pause;
  bool is_full; /* the socket takes no more */
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

/* What GSource's prepare returns and sets. Times are asked for each time and
 * not set with g_source_set_ready_time, which wakes the main loop up. */
static gboolean
is_due (SsTime at, int *ret_timeout_ms)
{
  *ret_timeout_ms = -1;
  if (at == SS_NEVER)
    return FALSE;
  SsTime wait = at - ss_clock_now ();

  if (wait <= 0)
    return TRUE;
  *ret_timeout_ms = (int) MIN ((wait + SS_MSEC - 1) / SS_MSEC, WAIT_MAX_MS);
  return FALSE;
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
  loop->is_full = !ss_udp_send_from (loop->udp, loop->node);
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
  loop->is_flushing = false;
}

static void
receive (SsLoop *loop, SsTime now)
{
  SsUdpDatagram *datagrams;
  unsigned n_all = 0;
  size_t len_max = 0;

  for (unsigned turn = 0; turn < BATCHES_PER_TURN; turn++) {
    unsigned n = ss_udp_receive (loop->udp, &datagrams);

    for (unsigned i = 0; i < n; i++) {
      len_max = MAX (len_max, datagrams[i].len);
      ss_node_input (loop->node, now, &datagrams[i].from, datagrams[i].data,
                     datagrams[i].len);
    }
    n_all += n;
    if (n < SS_UDP_BATCH)
      break;
    /* Forward before taking more in: a burst must not add delay. */
    send_all (loop);
    now = ss_clock_now ();
  }
  ss_pause_note (&loop->pause, now, n_all, len_max);
}

static SsTime
wake_at (const SsLoop *loop)
{
  return MIN (ss_node_deadline (loop->node), loop->pause.until);
}

static gboolean
prepare_source (GSource *source, int *ret_timeout_ms)
{
  SsLoop *loop = ((LoopSource *) source)->loop;

  loop->socket.events = 0;
  if (loop->pause.until == SS_NEVER)
    loop->socket.events |= G_IO_IN;
  if (loop->is_full)
    loop->socket.events |= G_IO_OUT;
  return is_due (wake_at (loop), ret_timeout_ms);
}

static gboolean
check_source (GSource *source)
{
  const SsLoop *loop = ((LoopSource *) source)->loop;
  int timeout_ms;

  return (loop->socket.revents & loop->socket.events) != 0
         || is_due (wake_at (loop), &timeout_ms);
}

static gboolean
dispatch_source (GSource *source, GSourceFunc callback, gpointer user)
{
  SsLoop *loop = ((LoopSource *) source)->loop;
  SsTime now = ss_clock_now ();

  if ((loop->socket.revents & G_IO_IN) != 0 || now >= loop->pause.until)
    receive (loop, now);
  ss_node_tick (loop->node, ss_clock_now ());
  ss_loop_flush (loop);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
  .prepare = prepare_source,
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
  loop->socket = (GPollFD){ .fd = ss_udp_fd (udp), .events = G_IO_IN };
  ss_pause_init (&loop->pause);
  loop->source = g_source_new (&source_funcs, sizeof (LoopSource));
  ((LoopSource *) loop->source)->loop = loop;
  g_source_set_static_name (loop->source, "splitstream node");
  ss_source_spare_wakeups (loop->source);
  g_source_add_poll (loop->source, &loop->socket);
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
  GSource base;
  SsTime at;
  void (*call) (void *user);
  void *user;
};

static gboolean
prepare_alarm (GSource *source, int *ret_timeout_ms)
{
  return is_due (((SsAlarm *) source)->at, ret_timeout_ms);
}

static gboolean
check_alarm (GSource *source)
{
  int timeout_ms;

  return is_due (((SsAlarm *) source)->at, &timeout_ms);
}

static gboolean
dispatch_alarm (GSource *source, GSourceFunc callback, gpointer user)
{
  SsAlarm *alarm = (SsAlarm *) source;

  alarm->at = SS_NEVER;
  alarm->call (alarm->user);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs alarm_funcs = {
  .prepare = prepare_alarm,
  .check = check_alarm,
  .dispatch = dispatch_alarm,
};

SsAlarm *
ss_alarm_new (GMainContext *context, void (*call) (void *user), void *user)
{
  SsAlarm *alarm = (SsAlarm *) g_source_new (&alarm_funcs, sizeof *alarm);

  alarm->at = SS_NEVER;
  alarm->call = call;
  alarm->user = user;
  g_source_set_static_name (&alarm->base, "splitstream alarm");
  ss_source_spare_wakeups (&alarm->base);
  g_source_attach (&alarm->base, context);
  return alarm;
}

void
ss_alarm_set (SsAlarm *alarm, SsTime at)
{
  alarm->at = at;
}

void
ss_alarm_free (SsAlarm *alarm)
{
  if (alarm == NULL)
    return;
  g_source_destroy (&alarm->base);
  g_source_unref (&alarm->base);
}
