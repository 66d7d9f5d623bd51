/* What the files of node/ share. Not for others. */
#pragma once

#include "node/messages.h"
#include "node/node.h"
#include "overlay/pastry/pastry.h"

/* Timers of the node layer; handled in ss_node_tick's switch. */
typedef enum {
  SS_NODE_TIMER_BOOTSTRAP, /* ask the bootstrap contacts again */
  SS_NODE_TIMER_BROADCAST, /* the step that a broadcast waits for is late */
  SS_NODE_TIMER_TUNER,     /* read the descriptor again */
  SS_NODE_TIMER_LEAVE,     /* next step of an orderly leave */
} SsNodeTimer;

#define SS_NODE_BOOTSTRAP_MAX 32 /* addresses and contacts together */
#define SS_NODE_OBSERVERS_MAX 8  /* peers whose view of our address counts */
#define SS_NODE_EVENTS_MAX    65536

/* Tokens of store reads. */
enum {
  SS_TOKEN_FIND = 1,
  SS_TOKEN_CHECK,      /* is this key on the air already? */
  SS_TOKEN_DESCRIPTOR, /* listener: a newer descriptor */
  SS_TOKEN_STANDBY,    /* likewise, of who stands by */
};

typedef struct {
  SsAddr addr;
  bool answered;      /* in the current round */
  bool has_answered;  /* in any */
  SsContact *contact; /* given; NULL: is to be asked for */
} SsBootstrapEntry;

typedef struct {
  SsBootstrapEntry *entries; /* grows to SS_NODE_BOOTSTRAP_MAX */
  unsigned n;
  unsigned n_asked, n_answers; /* this round */
  unsigned round;
  bool is_resting; /* the next round is the first since there was a ring */
  bool told_failed;
  char *reason; /* the last refusal, for people */
  SsTimer timer;
} SsBootstrap;

typedef enum {
  SS_AIR_IDLE,
  SS_AIR_WAITING,  /* for the ring */
  SS_AIR_CHECKING, /* reading the store */
  SS_AIR_ASKING,   /* asking the publisher that the store names */
  SS_AIR_STANDBY,  /* it lives, and is watched (standby.c) */
  SS_AIR_STARTED,  /* station made, descriptor not stored yet */
  SS_AIR_LIVE,
  SS_AIR_ENDING,
  SS_AIR_ENDED,
} SsAirState;

#define SS_STANDBYS_MAX 4 /* that have a turn of their own */

typedef struct {
  SsId id;
  SsTime until; /* then it does not count, unless it asks again */
} SsStandby;

typedef struct {
  SsAirState state;
  SsPublishOptions options;
  char *name, *title, *description;
  SsSigner signer;
  SsId group_id;
  uint32_t session;
  uint64_t version;       /* of the record stored last */
  SsAddr announced;       /* this node's address in it */
  uint32_t found_session; /* the greatest that the store knew */
  SsDescriptor found;     /* of that session */
  SsContact rival;
  unsigned tries;
  SsTime end_by;
  SsStation *station;
  /* Standing by. */
  SsStation *watched;                   /* NULL: none */
  bool is_silent, is_reading, has_read; /* since it is silent */
  SsTime silent_at, answered;           /* by the rival, last */
  uint8_t rank;      /* how many others go on before this one */
  SsTime read_again; /* because of what others say: not before */
  uint32_t left_out; /* sessions, that two do not take the same */
  SsStandby standbys[SS_STANDBYS_MAX]; /* on the air: those that ask */
  SsTime tell_until; /* the rival, whom this node has followed: 0: he knows */
  SsTimer timer;
} SsBroadcast;

typedef struct {
  /* ss_node_find */
  bool wanted, asked;
  char name[SS_STATION_NAME_MAX + 1];
  bool has_fingerprint;
  SsId fingerprint;
  /* ss_node_listen */
  SsStation *station;
  SsId own_slot;
  uint64_t version; /* of the descriptor in use */
  bool silent, need_descriptor, reading;
  SsTimer timer;
} SsTuner;

typedef enum {
  SS_LEAVE_NO,
  SS_LEAVE_HANDING_OVER, /* children move to their new parents */
  SS_LEAVE_GOODBYE,      /* the ring is being told */
  SS_LEAVE_DONE,
} SsLeaveState;

struct SsNode {
  SsEnv env;
  bool may_stand_alone;
  bool is_advertised; /* its address is given */
  SsNodeState state;
  SsLink *link;
  SsPastry *pastry;
  SsKbr *kbr;
  SsStore *store;
  SsSplitStream *splitstream;

  SsBootstrap bootstrap;
  SsBroadcast *broadcast; /* NULL: nothing was ever broadcast */
  SsTuner *tuner;         /* NULL: nothing was ever looked for */
  SsLeaveState leave;
  SsTime leave_by;
  SsTimer leave_timer;

  struct {
    uint32_t peer; /* first bytes of its id */
    SsAddr addr;
  } observers[SS_NODE_OBSERVERS_MAX];
  unsigned n_observers;
  SsAddr address; /* as last announced */

  GQueue events;             /* SsEvent, owned */
  char *event_text;          /* lent to the driver with the last event */
  SsDescriptor *event_found; /* likewise */
};

/* node.c */
SsEvent *ss_node_push_event (SsNode *node, SsEventType type);
/* Those that wait and are of the station that was listened to. */
void ss_node_drop_heard (SsNode *node);
void ss_node_set_state (SsNode *node);
bool ss_node_has_ring (const SsNode *node);

/* bootstrap.c */
void ss_bootstrap_init (SsNode *node);
void ss_bootstrap_clear (SsNode *node);
void ss_bootstrap_identified (SsNode *node, const SsAddr *addr,
                              const SsContact *contact, const char *text);
void ss_bootstrap_timer (SsNode *node);
/* There is no ring any more: who was named is asked again, soon. */
void ss_bootstrap_ring_lost (SsNode *node);

/* broadcast.c */
void ss_broadcast_clear (SsNode *node);
SsStation *ss_broadcast_station (const SsNode *node); /* NULL: none */
void ss_broadcast_ring (SsNode *node); /* there is a ring to work in now */
void ss_broadcast_found (SsNode *node, const SsStoreRecord *records, unsigned n,
                         bool complete);
void ss_broadcast_stored (SsNode *node, const SsId *slot, unsigned n_replicas,
                          const SsStoreRecord *newer);
void ss_broadcast_descriptor (SsNode *node, const SsDescriptor *descriptor);
/* This node's address may have changed: listeners shall find the new one. */
void ss_broadcast_address (SsNode *node);
void ss_broadcast_direct (SsNode *node, const SsContact *from,
                          const uint8_t *data, size_t len);
void ss_broadcast_outcome (SsNode *node, const SsContact *to, uint64_t token,
                           SsKbrOutcome outcome);
void ss_broadcast_timer (SsNode *node);

/* The descriptor that is stored: if another's, of a newer session, he has
 * taken the air, and this node leaves it. Of two that have the same session
 * the smaller id goes on. */
bool ss_broadcast_outdone (SsNode *node, const SsDescriptor *stored);
/* Asks the rival whether he is on the air; false: nothing was sent. */
bool ss_broadcast_question (SsNode *node, uint32_t session, unsigned tries,
                            uint64_t token);
/* Goes on the air: nobody else is, as far as is known. */
void ss_broadcast_start (SsNode *node);
void ss_broadcast_on_air (SsNode *node); /* once; it may be heard */

/* standby.c */
void ss_standby_begin (SsNode *node, const SsDescriptor *descriptor);
void ss_standby_end (SsNode *node);
/* Is that the station of the one on the air? Nobody here hears it. */
bool ss_standby_watches (const SsNode *node, const SsStation *station);
void ss_standby_silent (SsNode *node, bool is_silent);
void ss_standby_read (SsNode *node); /* the descriptor, again */
void ss_standby_told (SsNode *node); /* somebody says that it is a newer one */
void ss_standby_found (SsNode *node, const SsStoreRecord *records, unsigned n,
                       bool complete);
void ss_standby_answered (SsNode *node, const SsMsgLiveAnswer *answer);
unsigned ss_standby_rank (SsNode *node, const SsId *asker);
void ss_standby_timer (SsNode *node);

/* tuner.c */
void ss_tuner_clear (SsNode *node);
void ss_tuner_ring (SsNode *node);
void ss_tuner_found (SsNode *node, uint64_t token, const SsStoreRecord *records,
                     unsigned n, bool complete);
void ss_tuner_silent (SsNode *node, bool silent);
void ss_tuner_need_descriptor (SsNode *node);
void ss_tuner_timer (SsNode *node);
/* The descriptor that a record of this station carries, if it is one. */
bool ss_tuner_read_record (const SsStoreRecord *record, SsDescriptor *ret);
