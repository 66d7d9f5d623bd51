/* Drives one SsNode in a GMainContext: the socket, the clock and the node's
 * deadline on one side, its events on the other. One thread. Timers are up to
 * a millisecond late, as main loops are; a finer one costs two system calls
 * each time, and nothing here needs it. */
#pragma once

#include <glib.h>

#include "net/udp.h"
#include "node/node.h"

typedef struct SsLoop SsLoop;

/* What the event holds is freed after the call: reference what is to stay.
 * Commands may be given to the node from here. */
typedef void (*SsLoopEvent) (void *user, const SsEvent *event);

/* Monotonic, and goes on while the machine sleeps: CLOCK_BOOTTIME. */
SsTime ss_clock_now (void);
SsTime ss_clock_wall_offset (void); /* UNIX ns = now + this */

/* Takes udp and node over. */
SsLoop *ss_loop_new (SsUdp *udp, SsNode *node, SsLoopEvent event, void *user);
void ss_loop_attach (SsLoop *loop, GMainContext *context);
void ss_loop_free (SsLoop *loop);

SsNode *ss_loop_node (SsLoop *loop);
/* Sends and tells what a command has made the node do. To be called after
 * every command that is not given from an event. */
void ss_loop_flush (SsLoop *loop);

/* GLib takes the descriptors of a source that may not recurse out of the poll
 * set while it is dispatched, and wakes itself twice for each: more system
 * calls than the dispatch itself makes. Only for sources that start no nested
 * main loop. */
void ss_source_spare_wakeups (GSource *source);

/* A timer of a millisecond's precision: calls at most once per arming. To be
 * used by the thread that runs the context, and no other. */
typedef struct SsAlarm SsAlarm;
SsAlarm *ss_alarm_new (GMainContext *context, void (*call) (void *user),
                       void *user);
void ss_alarm_set (SsAlarm *alarm, SsTime at); /* SS_NEVER: disarms */
void ss_alarm_free (SsAlarm *alarm);
