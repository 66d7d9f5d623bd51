/* Stations over a fake Scribe and a fake overlay: every member of a group
 * gets what its source publishes straight from it, with delay, loss and
 * stalls of the test's making; what is wanted comes from whoever has it. Each
 * node has its own clock, which may drift. Virtual time, deterministic. */
#pragma once

#include "splitstream/private.h"

#define STATION_WORLD_MAX 16
#define EXCHANGES         (1 << 16) /* numbers of searches for them */

typedef struct StationWorld StationWorld;
typedef struct StationNode StationNode;

typedef struct {
  SsTime delay, jitter;  /* one way */
  double loss;           /* of packets on the trees */
  double want_loss;      /* of asked ones; 1: they never come */
  unsigned loss_stripes; /* bits: only these lose; 0: all */
  SsTime answer_delay;   /* a tune-in's answer comes so much later */
} StationWorldOptions;

/* A frame as it came out. */
typedef struct {
  SsTime at; /* the world's time */
  uint64_t number;
  SsTime timestamp;
  uint32_t duration;
  uint8_t version;
  uint32_t session;
  GBytes *data;
} StationFrame;

struct StationNode {
  SsKbr kbr; /* first */
  StationWorld *world;
  unsigned index;
  bool is_alive;
  SsTime offset; /* of its clock */
  int64_t ppm;
  SsEnv env;
  SsContact self;
  uint64_t uplink_bps; /* what its line is found to carry; 0: not known */
  const SsKbrApp *app;
  void *app_user;
  SsSplitStream *splitstream;
  SsStation *station; /* the last made */
  /* what came of it */
  GArray *frames; /* StationFrame */
  unsigned n_headers;
  uint32_t session;        /* that frames come of */
  SsCodecHeaders *headers; /* the newest */
  unsigned n_silent, n_speaks, n_ended, n_need, n_descriptor;
  SsTime silent_at;
  SsDescriptor descriptor; /* publisher: the newest */
  /* What its Scribe says, and was asked to do. */
  unsigned n_children[SS_STRIPES];
  unsigned roots; /* bits: stripes of which it is the root */
  bool has_room;
  unsigned n_more_places;                /* than one, then */
  SsId child;                            /* of all its groups */
  uint32_t n_searches;                   /* each has its number */
  uint8_t question[SS_ANYCAST_DATA_MAX]; /* the last one's */
  SsContact tried;                       /* as a parent, that was named last */
  unsigned n_tried, n_tried_nobody;
  uint32_t n_exchanges;            /* searches to exchange children */
  unsigned given_stripe, n_handed; /* children in an exchange */
  unsigned offered[2], n_offered;  /* the stripes, taken and given */
  unsigned n_advised;              /* children of the stripe */
  unsigned advised_stripe;
  unsigned n_wants, n_rejected, n_tune_ins, n_given;
  /* The stripes whose packets it does not get, until. */
  uint32_t stalled;
  SsTime stalled_until;
  /* Its line: what comes waits there for what came before. */
  unsigned downlink; /* bytes a second; 0: endless */
  SsTime line_free, queue_max;
  SsTime ack_delay; /* it acknowledges so much later */
};

struct StationWorld {
  StationWorldOptions options;
  SsTime now;
  SsRng rng;
  uint64_t order;
  GSequence *events;
  unsigned n_nodes;
  StationNode *nodes[STATION_WORLD_MAX];
  bool is_offered_descriptor; /* need_descriptor is answered */
  StationNode *publisher;
};

StationWorld *station_world_new (uint64_t seed,
                                 const StationWorldOptions *options);
void station_world_free (StationWorld *world);
StationNode *station_world_add (StationWorld *world, bool is_relay);
StationNode *station_world_add_as (StationWorld *world,
                                   const SsSplitStreamConfig *config);
void station_world_kill (StationNode *node);
void station_world_run (StationWorld *world, SsTime duration);
/* Sets the node's clock to the world's, before a call into it. */
void station_node_wake (StationNode *node);
/* Its Scribe says that a stripe's tree has no room for it; whether it looks for
 * a place elsewhere. */
bool station_node_find_place (StationNode *node, unsigned stripe);
/* Gives a node a packet as if from its parent. */
void station_node_feed (StationNode *node, unsigned stripe, uint32_t sequence,
                        GBytes *packet);
/* Asks the node to carry a group, as a JOIN does. */
bool station_node_adopt (StationNode *node, const SsId *id,
                         const SsStationParams *params, bool is_root);
/* The group has no children any more. */
void station_node_abandon (StationNode *node, const SsId *id);
/* A packet in the history of a node's group, or NULL. */
GBytes *station_node_history (StationNode *node, unsigned stripe,
                              uint32_t sequence);
SsTime station_node_time (const StationNode *node);
