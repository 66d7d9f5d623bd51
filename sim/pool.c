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

static SsPacket *
take_room (SsPool *pool, size_t len)
{
  unsigned size_class = 0;

  while (sizes[size_class] < len) {
    size_class++;
    g_assert (size_class < SS_POOL_CLASSES);
  }
  SsPacket *packet = pool->free[size_class];

  if (packet != NULL) {
    pool->free[size_class] = packet->next;
    /* It has long left the cache, but is taken soon. */
    __builtin_prefetch (packet->next);
  } else {
    packet = g_malloc (sizeof *packet + sizes[size_class]);
    packet->size_class = (uint8_t) size_class;
    pool->memory += sizeof *packet + sizes[size_class];
  }
  return packet;
}

static size_t
body_len (const SsPacket *packet)
{
  return packet->body.bytes != NULL ? g_bytes_get_size (packet->body.bytes) : 0;
}

SsPacket *
ss_pool_take (SsPool *pool, uint32_t from, const uint8_t *bytes, size_t len,
              const SsBody *body)
{
  size_t left_out = body != NULL ? g_bytes_get_size (body->bytes) : 0;
  SsPacket *packet = take_room (pool, len - left_out);
  size_t head_len = body != NULL ? body->at : len;

  packet->next = NULL;
  packet->body = (SsBody){ .bytes = NULL, .at = len };
  if (body != NULL)
    packet->body =
        (SsBody){ .bytes = g_bytes_ref (body->bytes), .at = body->at };
  packet->from = from;
  packet->len = (uint16_t) len;
  memcpy (packet->bytes, bytes, head_len);
  memcpy (packet->bytes + head_len, bytes + head_len + left_out,
          len - left_out - head_len);
  return packet;
}

void
ss_pool_copy_out (const SsPacket *packet, uint8_t *buf)
{
  size_t head_len = packet->body.at, left_out = body_len (packet);

  memcpy (buf, packet->bytes, head_len);
  if (left_out > 0)
    memcpy (buf + head_len, g_bytes_get_data (packet->body.bytes, NULL),
            left_out);
  memcpy (buf + head_len + left_out, packet->bytes + head_len,
          packet->len - left_out - head_len);
}

void
ss_pool_give_back (SsPool *pool, SsPacket *packet)
{
  g_clear_pointer (&packet->body.bytes, g_bytes_unref);
  packet->next = pool->free[packet->size_class];
  pool->free[packet->size_class] = packet;
}
