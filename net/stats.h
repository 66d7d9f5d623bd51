/* The --stats file: one JSON object (RFC 8259) a line, each second and once
 * at exit. docs/stats.md explains every member; monitors rely on the names. */
#pragma once

#include <glib.h>

#include "node/node.h"

#define SS_STATS_INTERVAL SS_SEC

/* What one line is made of. */
typedef struct {
  SsTime wall;        /* UNIX time, ns */
  SsTime wall_offset; /* of it to the node's clock */
  const SsNodeStats *node;
  SsAddr fallback_addr; /* while peers have not said what they observe */
  double upload_bps, download_bps, control_upload_bps;
  SsTime tune_in;       /* process start to first frame out; -1: not yet */
  double cpu_s;         /* user and system time of the process */
  uint64_t memory_peak; /* bytes */
} SsStatsLine;

typedef struct {
  bool has_station; /* there is, or was, one */
  SsStationStats station;
} SsStatsKept;

/* The station's last figures stand when it has been left, also where the node
 * goes on relaying others: the line that is written at exit is the one that
 * counts. Takes down what `stats` has, or puts it back there. */
void ss_stats_keep (SsStatsKept *kept, SsNodeStats *stats);

/* Without a line feed; free with g_free. */
char *ss_stats_format (const SsStatsLine *line);

typedef struct SsStats SsStats;

/* path "-" is stderr; a file is appended to. Of a pipe's reader nothing is
 * awaited, neither its coming nor its reading. */
SsStats *ss_stats_open (const char *path, GError **error);
/* Fills in rates (since the line before) and the process's figures, and
 * writes. False with error the first time that writing fails. */
bool ss_stats_write (SsStats *stats, SsTime now, SsStatsLine *line,
                     GError **error);
void ss_stats_close (SsStats *stats);

const char *ss_state_name (SsNodeState state);
