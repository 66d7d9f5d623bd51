/* The insides of scribe_world.h: the nodes' fake overlay (scribe_kbr.c), their
 * application (scribe_world.c), and what a test asks in the end
 * (scribe_world_checks.c). */
#pragma once

#include "tests/harness/scribe_world.h"

#define NUMBERS_MAX 8192
#define AVOID_MAX   4

typedef enum {
  EVENT_DIRECT,
  EVENT_ACK,
  EVENT_RTO,
  EVENT_ROUTED,
  EVENT_ROUTE_ACK,
  EVENT_ROUTE_RTO,
  EVENT_PING,
  EVENT_PONG,
  EVENT_PING_GAP,
  EVENT_FIND, /* a lost peer is looked for again */
} EventType;

typedef struct {
  SsTime at;
  uint64_t order;
  EventType type;
  unsigned from, to, count;
  uint64_t number; /* of a reliable or routed message */
  GBytes *bytes;
  SsId key;
  unsigned flags, source, hops, n_avoid;
  unsigned avoid[AVOID_MAX];
} Event;

typedef struct {
  uint64_t number, token;
  unsigned to, tries;
  GBytes *bytes;
} Unacked;

typedef struct {
  SsTime heard;
  bool has_heard, is_suspect, is_dead, is_met;
} View;

struct Node {
  SsKbr kbr; /* first: the class gets its address */
  World *world;
  unsigned index, side;
  bool is_alive, is_in_ring, is_joined, is_idle;
  SsEnv env;
  SsContact contact;
  SsSigner signer;
  const SsKbrApp *app;
  void *app_user;
  SsScribe *scribe;
  SsFamily *family;
  SsGroup *groups[WORLD_STRIPES];
  View views[WORLD_NODES_MAX];
  GArray *unacked;         /* Unacked */
  GHashTable *taken;       /* numbers of reliable messages handled */
  unsigned joined_at;      /* first number it must have */
  SsTime got[NUMBERS_MAX]; /* arrival of each number; 0: not */
  bool wanted[NUMBERS_MAX];
  SsTime next_tick;
  uint16_t sent[WORLD_STRIPES];
  unsigned skipped[WORLD_STRIPES];
  uint16_t heard_first[WORLD_STRIPES][WORLD_NODES_MAX];
  uint16_t heard_next[WORLD_STRIPES][WORLD_NODES_MAX];
  uint64_t packets_sent, control_bytes;
  bool accepts;
  WorldSearch search;
};

struct World {
  WorldOptions options;
  SsRng rng;
  SsTime now;
  uint64_t order, numbers;
  GSequence *events;
  Node *nodes[WORLD_NODES_MAX];
  SsId groups[WORLD_STRIPES];
  SsSigner owner;
  bool is_publishing;
  unsigned published;
  SsTime departures[NUMBERS_MAX];
  SsTime next_packet;
};

extern const SsKbrClass scribe_world_kbr;

void scribe_world_handle (World *world, Event *event);
void scribe_world_free_event (gpointer event);
void scribe_world_hear (Node *node, unsigned from);
void scribe_world_update (Node *node, unsigned peer, SsKbrChange change);
void scribe_world_find (Node *node, unsigned peer, SsTime delay);
void scribe_world_drop_unacked (Node *node, unsigned index);
