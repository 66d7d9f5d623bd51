/* A simulated world: nodes that join, one station of synthetic frames, and
 * listeners whose every frame is checked bit for bit. Scenarios drive it;
 * oracles (sim/oracle.h) look at all of it at once.
 *
 * A frame's bytes follow from its broadcast (`epoch`: the broadcaster's lives
 * count from 0) and its number, as of Opus at 96 kbit/s: 240 bytes in the
 * mean, 20 ms each, or of video at another rate: 25 frames a second. */
#pragma once

#include <stdio.h>

#include "sim/churn.h"
#include "sim/network.h"
#include "sim/pump.h"
#include "sim/topology.h"
#include "sim/traffic.h"

#define SS_WORLD_FRAME_TIME  (20 * SS_MSEC)
#define SS_WORLD_FRAME_BYTES 240 /* in the mean */
#define SS_WORLD_EPOCHS_MAX  8

/* What can be said on the command line; see sim/options.c. */
typedef struct {
  unsigned nodes;
  uint64_t seed;
  unsigned runs;     /* scenarios of many seeds: how many, */
  unsigned may_fail; /* and how many of them, by chance */
  double loss, duplicate, straggle;
  SsTime delay, jitter, hold_off;
  SsTopologyKind topology;
  double one_way; /* of the ordered pairs: nothing comes through */
  SsAccess access;
  SsChurnKind churn;
  SsTime session;    /* of churn: mean; 0: 2.3 h */
  double rate;       /* lookups a node and second */
  unsigned leaf_set; /* L; 0: the node's default */
  unsigned out;      /* children of a node; 0: what it takes by itself */
  SsTime latency;
  unsigned kbits;  /* of a stream of video; 0: of Opus, 96 */
  int parity;      /* -1: scenarios that try several try all */
  SsTime duration; /* of the broadcast */
  bool verbose;
} SsSimOptions;

/* What a listener has heard. */
typedef struct {
  SsTime started, found_at, first_at; /* -1: not yet */
  bool has_station, ended, is_silent;
  SsTime silent_at;
  unsigned n_silences;
  int epoch;            /* by the codec headers; -1: none */
  uint64_t first, next; /* numbers in this epoch: first heard, next expected */
  uint64_t n_frames, n_lost, n_bad;
  SsTime lost_at; /* when a gap was heard last; -1: never */
  SsTime last_at; /* the latest frame */
  SsTime gap;     /* the longest between two broadcasts */
  uint64_t tail;  /* the most of one's end that was not heard */
  SsTime latency_min, latency_max;
} SsHearing;

typedef struct SsWorld SsWorld;
typedef struct SsAir SsAir;
typedef struct SsLookupStream SsLookupStream;
typedef struct SsChurnRun SsChurnRun;

typedef struct {
  SsWorld *world;
  unsigned index;
  SsContact self;
  bool is_up, is_relay;
  bool is_standby; /* and says so */
  uint8_t identity_seed[32];
  SsNodeState state;
  SsTime started, ready_at;          /* ready_at -1: not yet */
  SsHearing *hearing;                /* NULL: does not listen */
  uint64_t bytes_mark, control_mark; /* ss_world_mark */
} SsMember;

typedef struct {
  SsWorld *world;
  SsPump pump;
  bool is_on, is_over; /* over: ended in an orderly way */
} SsEpoch;

struct SsWorld {
  SsSimOptions options;
  SsNetwork *network;
  SsRng rng;              /* the scenario's own choices */
  GPtrArray *members;     /* SsMember, by their number */
  unsigned n_ready, n_up; /* ready: of those that are up */
  unsigned n_slow_joins;  /* who said that they could not join so far */
  /* The station. */
  SsAir *air;
  int publisher; /* number of the node; -1: none */
  int epoch;     /* of the latest broadcast; -1: none */
  SsEpoch epochs[SS_WORLD_EPOCHS_MAX];
  SsTime session_start;
  bool has_descriptor;
  SsDescriptor descriptor;
  SsTime mark; /* ss_world_mark's time */
  uint64_t mark_media;
  /* Lookups under way: see sim/oracle.c. */
  GArray *lookups;
  SsTopology *topology;
  SsLookupStream *stream; /* NULL: none; see sim/lookups.h */
  unsigned n_streams;
  SsChurnRun *churn;    /* NULL: none; see sim/churn.h */
  SsTraffic *traffic;   /* NULL: not counted */
  size_t memory_before; /* allocated by the process, without nodes */
  /* Verdict. */
  unsigned n_failures;
};

SsWorld *ss_world_new (const SsSimOptions *options);
void ss_world_free (SsWorld *world);
SsTime ss_world_now (const SsWorld *world);
/* One way between two, without what loss, jitter and queues add. */
SsTime ss_world_delay (SsWorld *world, unsigned from, unsigned to);
/* Counts what is said from now on, from zero. */
void ss_world_count_traffic (SsWorld *world);

/* Nodes. The first makes the ring; others join through one or two that are
 * in it, chosen by lot, by address. */
unsigned ss_world_add (SsWorld *world, bool is_relay, bool listens);
/* Brings one that was killed up again: it has the same key, and neither
 * listens nor publishes any more. */
void ss_world_restart (SsWorld *world, unsigned index);
/* As many, at random moments of a span from now; runs for that span. */
void ss_world_add_many (SsWorld *world, unsigned n, bool listens, SsTime span);
SsMember *ss_world_member (const SsWorld *world, unsigned index);
SsNode *ss_world_node (const SsWorld *world, unsigned index);
unsigned ss_world_n_up (const SsWorld *world);
/* A living member by lot that is not the publisher. */
unsigned ss_world_pick (SsWorld *world);
/* One that is up, and does not listen yet, does so from now on. */
void ss_world_listen (SsWorld *world, unsigned index);
void ss_world_kill (SsWorld *world, unsigned index);
/* Unplugged: it goes on, but nothing comes or goes. It counts as dead. */
void ss_world_silence (SsWorld *world, unsigned index);
void ss_world_leave (SsWorld *world, unsigned index);

/* The station. The publisher is made anew (the first time, and after it was
 * killed) and goes on the air as soon as it can; frames follow until
 * ss_world_end_broadcast. */
unsigned ss_world_publish (SsWorld *world);
/* One that stands by for it: what it sends when it takes over is the next
 * broadcast. */
unsigned ss_world_stand_by (SsWorld *world);
void ss_world_end_broadcast (SsWorld *world);

/* Time. wait: until the condition holds, at most so long; returns how long
 * it took, or -1. */
void ss_world_run (SsWorld *world, SsTime duration);
typedef bool (*SsWorldCondition) (SsWorld *world);
SsTime ss_world_wait (SsWorld *world, SsWorldCondition condition, SsTime most);
bool ss_world_all_ready (SsWorld *world);
bool ss_world_is_on_air (SsWorld *world);
bool ss_world_all_hear (SsWorld *world); /* every listener, first frame */
bool ss_world_all_ended (SsWorld *world);

/* Sets the marks from which uploads are measured. */
void ss_world_mark (SsWorld *world);
/* Bytes sent since the mark over codec bytes published since. */
double ss_world_upload_ratio (const SsWorld *world, unsigned index);
double ss_world_control_rate (const SsWorld *world, unsigned index); /* B/s */

/* The report: rows of a table, and what went wrong. */
void ss_world_row (const SsWorld *world, const char *what, const char *format,
                   ...) __attribute__ ((format (printf, 3, 4)));
void ss_world_fail (SsWorld *world, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
