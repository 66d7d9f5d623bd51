/* Shared bytes. */
#include "sim/bodies.h"

#include "sim/lanes.h"

void
ss_bodies_init (SsBodies *bodies)
{
  *bodies = (SsBodies){ .places = NULL };
}

void
ss_bodies_clear (SsBodies *bodies)
{
  for (unsigned i = 0; bodies->places != NULL && i < SS_BODIES; i++)
    if (bodies->places[i].bytes != NULL)
      g_bytes_unref (bodies->places[i].bytes);
  g_free (bodies->places);
}

static void
digest (GBytes *bytes, uint64_t ret_words[2])
{
  size_t len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  SsLanes lanes;

  ss_lanes_init (&lanes);
  ss_lanes_add (&lanes, data, len);
  ss_lanes_finish (&lanes, ret_words);
}

SsSharedBody *
ss_bodies_find (SsBodies *bodies, GBytes *bytes)
{
  uint64_t hash = (uint64_t) (uintptr_t) bytes * SS_LANES_FACTOR;

  if (bodies->places == NULL)
    bodies->places = g_new0 (SsSharedBody, SS_BODIES);
  SsSharedBody *place = &bodies->places[(hash >> 32) % SS_BODIES];

  if (place->bytes == bytes)
    return place;
  if (place->bytes != NULL)
    g_bytes_unref (place->bytes);
  *place = (SsSharedBody){ .bytes = g_bytes_ref (bytes) };
  digest (bytes, place->digest);
  return place;
}
