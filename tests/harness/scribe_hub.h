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
  SsFamily *family; /* of all its groups, and those that it adopts */
  bool is_leaf;     /* root of nothing */
  uint32_t nonce;   /* of its last routed JOIN */
  /* Round trips, by number; NULL: 50 ms to everybody. */
  const SsTime *rtts;
  unsigned n_rtts;
  /* What it has sent, and of that: */
  unsigned n_sent, n_acks, n_redirects, n_keepalives;
  unsigned n_tags; /* in KEEPALIVEs */
  /* Its last REDIRECT and ANYCAST, and to whom. */
  SsMsgScribeRedirect redirect;
  SsMsgScribeAnycast anycast; /* without its data */
  SsContact redirected, asked;
  /* Upcalls. */
  unsigned n_orphan, n_housed;
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
/* That node takes the hub, which is joining, as its child; it is the root. */
void hub_accept (Hub *hub, unsigned group, unsigned from);
void hub_run (Hub *hub, SsTime duration);
