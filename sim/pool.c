/* Memory for datagrams on their way. */
#include "sim/pool.h"

#include <glib.h>
#include <string.h>

static const uint16_t sizes[SS_POOL_CLASSES] = { 96, 256, 512, 1280 };

void
ss_pool_init (SsPool *pool)
{
  *pool = (SsPool){ .memory = 0 };
}

void
ss_pool_clear (SsPool *pool)
{
  for (unsigned i = 0; i < SS_POOL_CLASSES; i++)
    while (pool->free[i] != NULL) {
      SsPacket *packet = pool->free[i];

      pool->free[i] = packet->next;
      g_free (packet);
    }
}

SsPacket *
ss_pool_take (SsPool *pool, uint32_t from, const uint8_t *bytes, size_t len)
{
  unsigned size_class = 0;

  while (sizes[size_class] < len) {
    size_class++;
    g_assert (size_class < SS_POOL_CLASSES);
  }
  SsPacket *packet = pool->free[size_class];

  if (packet != NULL) {
    pool->free[size_class] = packet->next;
  } else {
    packet = g_malloc (sizeof *packet + sizes[size_class]);
    packet->size_class = (uint8_t) size_class;
    pool->memory += sizeof *packet + sizes[size_class];
  }
  packet->next = NULL;
  packet->from = from;
  packet->len = (uint16_t) len;
  memcpy (packet->bytes, bytes, len);
  return packet;
}

void
ss_pool_give_back (SsPool *pool, SsPacket *packet)
{
  packet->next = pool->free[packet->size_class];
  pool->free[packet->size_class] = packet;
}
