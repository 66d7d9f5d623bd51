/* Hosts one node in a process: its identity and directories, its socket and
 * loop, its way into a ring (bootstrap names, resolved again while they fail;
 * the live nodes on this machine), its statistics and its orderly leave.
 * What the programs have in common, and a viewer too; no option parsing. */
#pragma once

#include <glib.h>

#include "base/signer.h"
#include "net/dirs.h"
#include "net/loop.h"
#include "net/parse.h"

typedef struct {
  const char *program; /* its name, for the first start's notice */
  const SsAddr *bind;  /* NULL: any address, the default or a free port */
  SsAddr advertise;    /* unset: what peers observe */
  const SsEndpoint *bootstrap;
  unsigned n_bootstrap;
  const char *identity_file;  /* NULL: an ephemeral identity */
  const char *realm_key_file; /* NULL: the open network */
  /* The name of an application that is no radio: its nodes have rings of their
   * own, since no others carry what it routes. NULL: the radio. */
  const char *application;
  uint64_t upload_bps;    /* 0: no cap */
  const char *state_dir;  /* NULL: the user's */
  const char *stats_file; /* NULL: none; "-": stderr */
  bool is_relay;
  const SsRelayed *relayed; /* as in SsNodeConfig */
  unsigned n_relayed;
  bool may_stand_alone;
  SsLogLevel log_level;
  /* One line for people. ERROR: always; INFO: unless quiet; DEBUG: verbose. */
  void (*say) (void *user, SsLogLevel level, const char *text);
  void *say_user;
  /* The node's events, after the host has looked at them. SS_EVENT_LEFT
   * comes within SS_HOST_LEAVE_TIME of ss_host_leave whatever happens. */
  SsLoopEvent event;
  void *user;
} SsHostOptions;

#define SS_HOST_LEAVE_TIME (1500 * SS_MSEC)

typedef struct SsHost SsHost;

/* Options are copied as far as they are kept. Binds; sends nothing yet. */
SsHost *ss_host_new (const SsHostOptions *options, GError **error);
void ss_host_start (SsHost *host);
void ss_host_leave (SsHost *host);
void ss_host_free (SsHost *host); /* writes the last line of statistics */

SsNode *ss_host_node (SsHost *host);
void ss_host_flush (SsHost *host); /* after commands, see ss_loop_flush */
const SsDirs *ss_host_dirs (const SsHost *host);
void ss_host_random (SsHost *host, uint8_t *ret_bytes, size_t len);
/* The node's identity, for what an application signs in its name; to be
 * cleared with ss_signer_clear. */
void ss_host_signer (const SsHost *host, SsSigner *ret_signer);
SsAddr ss_host_address (const SsHost *host); /* as well as is known */
/* Process start to first frame written, for the statistics. */
void ss_host_set_tune_in (SsHost *host, SsTime tune_in);
/* To be called before a station is left, whose figures are then kept. */
void ss_host_note_stats (SsHost *host);
/* Why there is no ring yet, and what to do: for messages. Free with g_free. */
char *ss_host_join_trouble (const SsHost *host);
