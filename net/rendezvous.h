/* Ways into a ring: bootstrap names, resolved again while they fail, and the
 * live nodes of this user on this machine. Feeds the node with addresses and
 * contacts; the node does the joining. */
#pragma once

#include <glib.h>

#include "net/loop.h"
#include "net/parse.h"

typedef struct {
  const SsEndpoint *bootstrap; /* copied */
  unsigned n_bootstrap;
  SsLoop *loop;
  SsUdp *udp;
  SsId realm; /* tag of the realm key: others cannot be spoken to */
  bool is_relay;
  void (*say) (void *user, SsLogLevel level, const char *text);
  void *say_user;
  void (*changed) (void *user); /* the deadline has changed */
  void *user;
} SsRendezvousOptions;

typedef struct SsRendezvous SsRendezvous;

SsRendezvous *ss_rendezvous_new (const SsRendezvousOptions *options);
void ss_rendezvous_free (SsRendezvous *rendezvous);
/* From here on commands are given to the node, and flushed. */
void ss_rendezvous_start (SsRendezvous *rendezvous);
void ss_rendezvous_stop (SsRendezvous *rendezvous); /* the node leaves */
void ss_rendezvous_wake (SsRendezvous *rendezvous, SsTime now);
SsTime ss_rendezvous_deadline (const SsRendezvous *rendezvous);

/* The node's news: its state, and that nobody has answered so far. */
void ss_rendezvous_note_state (SsRendezvous *rendezvous, SsNodeState state);
void ss_rendezvous_note_trouble (SsRendezvous *rendezvous, const char *text);
/* Why there is no ring yet. Free with g_free. */
char *ss_rendezvous_trouble (const SsRendezvous *rendezvous);
