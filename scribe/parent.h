/* Private to the parent's side of a tree: parent.c takes children, place.c
 * knows where there is room, shed.c hands children on. */
#pragma once

#include "scribe/internal.h"

/* parent.c. Candidates, best first; the child's nonce, or 0: unasked. */
void ss_parent_redirect (SsScribe *scribe, const SsId *group_id,
                         const SsContact *to, uint32_t nonce,
                         const SsContact *candidates, unsigned n);

/* place.c */

/* Whom a place is sought for. */
typedef struct {
  SsId id;
  uint32_t lost; /* the first bytes of the id of who shall not be named */
  bool must;     /* it has been turned away often */
  bool better;   /* it has a place, in a foreign tree */
  bool orphan;   /* its parent is dead: it misses the stream */
} SsSeeker;

/* Nobody can be sent to it. */
bool ss_place_is_leaf (const SsContact *peer);
/* By its own word; false if it has given none. */
bool ss_place_is_full (const SsGroup *group, const SsId *peer);
/* May any node have children, whatever its id, so that distance decides? Not
 * in stripes, whose trees are to be disjoint, nor where room is sought for
 * them. */
bool ss_place_is_free (const SsGroup *group);
/* Is there a child that might take it, if it had room? */
bool ss_place_any (const SsGroup *group, const SsSeeker *seeker);
/* The children that it may be sent to, best first: those whose own stripe this
 * is; of a root that has none of them, or none with room for an orphan, others
 * with room; any if it must be. */
unsigned ss_place_choose (SsGroup *group, const SsSeeker *seeker,
                          SsContact ret[SS_REDIRECT_MAX]);

/* shed.c */

/* Shed children are served for a while: no more of them than there may be
 * children, or who comes and comes again under new names has any number. */
bool ss_shed_may_more (const SsFamily *family);
/* It is sent to a sibling, or else to this node's parent. */
void ss_shed_child (SsGroup *group, SsChild *child);
/* The same, to that one, who is to take it. */
void ss_shed_to (SsGroup *group, SsChild *child, const SsContact *to);
/* Sheds a child so that there is room for one in `group`: of another stripe,
 * or else of this one, if the joiner has a higher standing or, with the same,
 * shares more with it. So a stripe's own nodes rise in its tree. */
bool ss_shed_for (SsGroup *group, const SsId *joiner);

/* exchange.c */

/* Is it one for whom this node gives another? Then that one goes where the
 * joiner comes from. */
bool ss_exchange_gives (SsGroup *group, const SsPendingJoin *join);
/* Has this node kept a place for it? That is free then. */
bool ss_exchange_has_kept (SsGroup *group, const SsPendingJoin *join);
/* A child that was sent to a partner, and has stayed: is it one again? */
bool ss_exchange_takes_back (SsGroup *group, SsChild *child);
/* Has this node, whose own stripe it is, a child that may rise? */
bool ss_exchange_may_raise (const SsGroup *group);
/* Offers to the parent to exchange such ones. */
void ss_exchange_raise (SsGroup *group);
