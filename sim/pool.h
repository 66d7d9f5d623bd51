/* Memory for datagrams on their way, in a few sizes, reused: the queue of a
 * large simulation holds many thousands, and each lives but a moment. What is
 * immutable in them is referenced, not copied. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/env.h"

typedef struct SsPacket SsPacket;

struct SsPacket {
  SsPacket *next; /* free, or behind another that comes at one time */
  SsBody body;    /* left out of bytes */
  uint32_t from;
  uint16_t len; /* with the body */
  uint8_t size_class;
  uint8_t bytes[];
};

#define SS_POOL_CLASSES 4

typedef struct {
  SsPacket *free[SS_POOL_CLASSES];
  size_t memory; /* allocated in all */
} SsPool;

void ss_pool_init (SsPool *pool);
void ss_pool_clear (SsPool *pool); /* packets in use are leaked */
/* body is what the bytes contain, or NULL. */
SsPacket *ss_pool_take (SsPool *pool, uint32_t from, const uint8_t *bytes,
                        size_t len, const SsBody *body);
/* All of it: buf has room for its len. */
void ss_pool_copy_out (const SsPacket *packet, uint8_t *buf);
void ss_pool_give_back (SsPool *pool, SsPacket *packet);
