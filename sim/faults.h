/* The faults of a run of the swarm, all at once: see draw.h. */
#pragma once

#include "sim/draw.h"
#include "sim/malice.h"

#define SS_FAULTS_HOSTILE_MAX 20

/* Belongs to the caller; outlives the world. */
typedef struct {
  SsWorld *world;
  const SsDraw *draw;
  SsTime end;
  SsMalice hostile[SS_FAULTS_HOSTILE_MAX];
  unsigned hostiles[SS_FAULTS_HOSTILE_MAX];
  unsigned n_hostile;
} SsFaults;

/* From now on, until stop; some happen in between. */
void ss_faults_start (SsFaults *faults, SsWorld *world, const SsDraw *draw);
void ss_faults_stop (SsFaults *faults);
/* Does no datagram get lost while they are on? */
bool ss_faults_lose_nothing (const SsDraw *draw);
