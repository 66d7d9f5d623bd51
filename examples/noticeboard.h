/* An example of an application of the overlay, on kbr.h alone: a notice board
 * that all nodes of a ring share. Whoever pins a text to a topic has it
 * carried to the node closest to the topic's hash, which keeps it, and has
 * its two neighbours keep it too; whoever reads a topic is answered by that
 * node. The last text of a topic counts. No notice is signed: see store/ for
 * how to do that in earnest.
 *
 * Build your own on it: register a protocol, route, and take the upcalls. */
#pragma once

#include "overlay/kbr.h"

#define NOTICEBOARD_PROTOCOL   ((SsProtocol) 5)
#define NOTICEBOARD_TEXT_MAX   200
#define NOTICEBOARD_TOPICS_MAX 1000
#define NOTICEBOARD_COPIES     3 /* the closest node's own included */

typedef struct Noticeboard Noticeboard;

/* Somebody's answer; text is NULL if the topic has none. */
typedef void (*NoticeboardRead) (void *user, const SsId *topic,
                                 const char *text);

/* Registers itself; to be freed after the overlay. */
Noticeboard *noticeboard_new (SsKbr *kbr, NoticeboardRead read, void *user);
void noticeboard_free (Noticeboard *board);

SsId noticeboard_topic (const char *name);
/* False if the text is too long, or there is no ring. */
bool noticeboard_pin (Noticeboard *board, const SsId *topic, const char *text);
bool noticeboard_read (Noticeboard *board, const SsId *topic);
/* How many topics this node keeps. */
unsigned noticeboard_n_kept (const Noticeboard *board);
