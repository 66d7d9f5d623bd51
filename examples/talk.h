/* Talking in one room, from a descriptor to another: what ss-chat does when it
 * has understood its command line. */
#pragma once

#include "apps/program.h"
#include "base/id.h"
#include "net/host.h"

typedef struct {
  const char *name; /* of the room */
  bool is_host;     /* its key is this user's, and made if there is none */
  bool is_closed;   /* then: who asks may speak when the user says so */
  SsKey key;        /* else */
  const char *nick;
} TalkOptions;

/* Standard input is said, and what others say goes to standard output, until
 * the one ends or a signal comes. What fails is said, and remembered in the
 * program's status. */
void talk_run (SsProgram *program, SsHostOptions *host,
               const TalkOptions *options);
