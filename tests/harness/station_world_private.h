/* Private to station_world.c, the network and its nodes, and
 * station_scribe.c, the fake Scribe. */
#pragma once

#include "tests/harness/station_world.h"

typedef enum {
  EVENT_PACKET,
  EVENT_WANT,
  EVENT_DIRECT,
  EVENT_ACKED,
} EventKind;

typedef struct {
  SsTime at;
  uint64_t order;
  EventKind kind;
  unsigned from, to;
  SsId group;
  uint32_t sequence;
  SsPacketVia via;
  SsTime deadline; /* of a want, in the node's time */
  GBytes *bytes;
  uint64_t token; /* of a direct message that is to be acknowledged, or 0 */
} Event;

struct SsScribe {
  StationNode *node;
  const SsScribeApp *app;
  void *app_user;
  GPtrArray *families, *groups;
};

struct SsFamily {
  SsScribe *scribe;
  SsFamilyConfig config;
};

struct SsGroup {
  SsScribe *scribe;
  SsFamily *family;
  SsId id;
  void *user;
  bool is_member;
  GHashTable *history; /* sequence -> GBytes */
  GHashTable *wanted;  /* sequence */
};

void station_world_schedule (StationWorld *world, const Event *event,
                             SsTime delay);
SsTime station_world_travel (StationWorld *world);
/* The world's time at a time of the node's clock. */
SsTime station_world_time (const StationNode *node, SsTime time);
SsGroup *station_scribe_group (SsScribe *scribe, const SsId *id);
void station_scribe_keep (SsGroup *group, uint32_t sequence, GBytes *packet);
void station_scribe_free_group (SsGroup *group);
