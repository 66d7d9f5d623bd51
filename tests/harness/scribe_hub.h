/* One node's Scribe on an overlay that is the test: it takes what is sent,
 * and its peers and clock are the test's. */
#pragma once

#include "scribe/internal.h"

typedef struct {
  SsKbr kbr; /* first: the class gets its address */
  SsEnv env;
  SsContact self;
  const SsKbrApp *app;
  void *app_user;
  SsScribe *scribe;
  SsFamily *family;        /* of all its groups, and those that it adopts */
  bool is_leaf;            /* root of nothing */
  uint32_t nonce;          /* of its last JOIN */
  uint16_t flags;          /* of the last that it has routed, */
  unsigned n_routed_joins; /* of so many, */
  uint32_t full[SS_REDIRECT_MAX]; /* and who is full by its last JOIN */
  unsigned n_full;
  SsId suspected; /* by the overlay */
  SsId talks;     /* was heard just now, as nobody else was */
  /* Round trips, by number; NULL: 50 ms to everybody. */
  const SsTime *rtts;
  unsigned n_rtts;
  unsigned near; /* the first node of its near set, and how far that is; */
  SsTime near_rtt;
  unsigned n_near; /* up to so many numbers, as far, at least one */
  /* What it has sent, and of that: */
  unsigned n_sent, n_acks, n_redirects, n_keepalives, n_not_served;
  unsigned n_tags; /* in KEEPALIVEs */
  unsigned n_searches, n_routed_searches;
  uint64_t search_token; /* of its last ANYCAST */
  /* Its last JOIN_ACK, LEAVE, REDIRECT and ANYCAST, and to whom. */
  SsMsgScribeJoinAck ack;
  SsMsgScribeLeave leave;
  SsMsgScribeRedirect redirect;
  SsMsgScribeAnycast anycast; /* without its data */
  SsMsgScribeTrace trace;     /* the last, and to whom the first went */
  SsId told[4];
  unsigned n_told;
  SsId wanted[32];      /* who was asked for packets, first */
  bool is_to_fetch[32]; /* and whether they are to fetch them */
  unsigned n_wanted;
  SsId fed[32]; /* whom packets went to down the tree, first */
  unsigned n_fed;
  SsContact redirected, asked;
  SsId joined; /* whom it has sent a JOIN last */
  /* Upcalls. */
  unsigned n_orphan, n_housed, n_messages, n_skipped;
} Hub;

void hub_init (Hub *hub, const SsFamilyConfig *config, bool is_leaf);
void hub_clear (Hub *hub);
/* Other nodes, by number; the hub is 0. */
SsContact hub_contact (unsigned number);
SsId hub_group_id (unsigned number);
/* A JOIN of that node for a group comes to the hub: routed there, as the
 * closest node, or directly. Names a member below unless it is one. */
void hub_take_join (Hub *hub, unsigned group, unsigned from, uint16_t flags,
                    bool is_direct);
/* Any, directly. */
void hub_take_join_of (Hub *hub, unsigned from, const SsMsgScribeJoin *message);
/* The same, directly, of a member that was shed by the node `lost` and names a
 * node as near. */
void hub_take_join_near (Hub *hub, unsigned group, unsigned from, unsigned near,
                         unsigned lost);
/* That node takes the hub, which is joining, as its child; it is the root, and
 * names a child of its own as near; 0: none. */
void hub_accept (Hub *hub, unsigned group, unsigned from, unsigned near);
/* A child leaves. */
void hub_take_leave (Hub *hub, unsigned group, unsigned from, uint8_t flags);
/* A node tells of a member. */
void hub_take_trace (Hub *hub, unsigned group, unsigned from, unsigned member);
/* That of an orphan passes by; false: it is to go on. */
bool hub_pass_join (Hub *hub, unsigned group, unsigned from, uint16_t flags);
/* A search of node `origin` for a member passes by; false: it is to go on. */
bool hub_pass_search (Hub *hub, unsigned group, unsigned origin);
/* Or comes directly, from a node where it has been. */
/* One that has been to all but one of the nodes that a search may go to, and
 * that whom it is sent on to does not take. */
void hub_fail_search (Hub *hub, unsigned group, unsigned origin);
void hub_take_search (Hub *hub, unsigned group, unsigned origin, unsigned from);
void hub_run (Hub *hub, SsTime duration);
/* Ordered: that node submits a message of its own to the hub, which is the
 * root, has a group open, and no peer that could be a replica. */
void hub_take_submit (Hub *hub, SsGroup *group, unsigned from, uint32_t epoch,
                      uint32_t sequence, const uint8_t *data, size_t len);
