/* Immutable bytes that many nodes share: what is found of them once is found
 * for all. A table of those met lately, each in the one place that its address
 * gives it; a reference keeps the address from meaning other bytes. */
#pragma once

#include "base/env.h"

#define SS_BODIES 4096

typedef struct {
  GBytes *bytes;      /* NULL: none */
  uint64_t digest[2]; /* for the trace */
  SsMemo memo;        /* the nodes' own */
} SsSharedBody;

typedef struct {
  SsSharedBody *places; /* SS_BODIES; NULL: none was met yet */
} SsBodies;

void ss_bodies_init (SsBodies *bodies);
void ss_bodies_clear (SsBodies *bodies);
/* Valid until the next call. */
SsSharedBody *ss_bodies_find (SsBodies *bodies, GBytes *bytes);
