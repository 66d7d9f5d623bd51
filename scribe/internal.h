/* What the files of scribe/ do for each other. Not for others.
 *
 *   scribe.c   the object, the upcalls of the overlay, dispatch, timers
 *   family.c   the families that bound the fan-out over several groups
 *   group.c    a group: its making and end, its timer, its path
 *   children.c a group's children
 *   history.c  the packets that a group keeps
 *   peer.c     the neighbours: load, keepalives, silence
 *   join.c     the child's side: the search for a parent
 *   better.c   the search for a better one
 *   upstream.c the child's side: the parent that it has, and being root
 *   parent.c   the parent's side: taking children, sending them on
 *   place.c    where there is room, and whom it names
 *   shed.c     children that are handed on
 *   exchange.c or exchanged
 *   aside.c    roots that do not serve, and who stands in for them
 *   publish.c  the source's side, and what roots do with a PUBLISH
 *   live.c     packets in, packets on
 *   want.c     overdue packets: asking and answering
 *   standing.c how high a node had better sit
 *   service.c  what a parent sends of what it should
 *   ordered.c  ordered mode: sources, the root, its replicas
 *   log.c      ordered mode: logs in order
 *   sync.c     ordered mode: agreement with others, what is missing
 *   credential.c  who may publish; signatures of ordered messages
 *   budget.c   how many packets are sent again
 *   trace.c    members of groups whose trees were left
 *   anycast.c  searches for members that accept
 *
 * Reentrancy: every upcall into the application may open, leave, inject,
 * want and the like. Loops over groups therefore go by id (ss_group_after),
 * and what is gone is freed only when the outermost call returns. */
#pragma once

#include "scribe/state.h"

/* scribe.c */
void ss_scribe_enter (SsScribe *scribe);
void ss_scribe_exit (SsScribe *scribe);
const SsId *ss_scribe_self (const SsScribe *scribe);
bool ss_scribe_usable (const SsScribe *scribe, const SsContact *peer);
/* Is the node (self, too) one of those closest to the group's id, as its root,
 * a successor and replicas are? As far as the leaf set tells. */
bool ss_scribe_is_near (SsScribe *scribe, const SsId *group_id,
                        const SsId *node);
/* A reliable control message. */
bool ss_scribe_send (SsScribe *scribe, const SsContact *to, const uint8_t *data,
                     size_t len);
bool ss_scribe_send_packet (SsScribe *scribe, const SsContact *to, uint8_t type,
                            const SsGroup *group, uint32_t sequence,
                            GBytes *packet, const SsKbrSend *how);
SsTime ss_scribe_rto (SsScribe *scribe, const SsId *peer);
uint32_t ss_scribe_nonce (SsScribe *scribe);
uint64_t ss_scribe_token (SsScribe *scribe, const SsGroup *group);
/* Probes a silent peer, and treats it as suspected from now on. */
void ss_scribe_suspect (SsScribe *scribe, const SsContact *peer);

/* Peers in lists of messages: those without an address are left out. */
uint16_t ss_peers_put (SsPeerRecord *ret_records, uint16_t n, unsigned max,
                       const SsContact *contact);

/* group.c */
uint32_t ss_prefix_of (const SsId *id);
uint64_t ss_tag_number (const SsId *id);
SsGroup *ss_group_new (SsScribe *scribe, SsFamily *family, const SsId *id);
void ss_group_drop (SsGroup *group); /* out of all tables; freed later */
/* Leaves the tree and drops it, and tells the application, which may hold
 * it. */
void ss_group_abandon (SsGroup *group);
void ss_group_free (SsGroup *group);
SsGroup *ss_group_by_tag (const SsScribe *scribe,
                          const uint8_t tag[SS_TAG_LEN]);
SsGroup *ss_group_by_tag_number (const SsScribe *scribe, uint64_t tag);
/* Asks the application; NULL if it will not carry the group. */
SsGroup *ss_group_adopt (SsScribe *scribe, const SsId *id,
                         const SsWireBytes *info, bool is_root,
                         bool is_ordered);
bool ss_group_is_ordered (const SsGroup *group);
/* Does the overlay say that this node is the group's root? Ordered groups
 * wait until a closer node is declared dead. */
bool ss_group_is_closest (const SsGroup *group);
/* Can strangers' groups be told from the application's own? */
bool ss_group_has_own_family (const SsGroup *group);
void ss_group_info (const SsGroup *group, SsWireBytes *ret_info);
/* Drops the group if nothing needs it. */
void ss_group_settle (SsGroup *group);
void ss_group_arm (SsGroup *group); /* its timer, to its earliest deadline */
void ss_group_timer (SsGroup *group);
void ss_group_know_source (SsGroup *group, const SsPeerRecord *record);
void ss_group_set_path (SsGroup *group, const uint32_t *path, unsigned n_path);
bool ss_group_on_path (const SsGroup *group, const SsId *id);

/* children.c */
unsigned ss_group_child_count (const SsGroup *group); /* shed ones included */
SsChild *ss_group_child_at (const SsGroup *group, unsigned index);
SsChild *ss_group_child_find (const SsGroup *group, const SsId *id);
SsChild *ss_group_child_add (SsGroup *group, const SsContact *contact);
/* Takes over the copy of `below`; NULL: none known. */
void ss_group_child_set_member (SsChild *child, bool is_member,
                                const SsContact *below);
void ss_group_child_remove (SsGroup *group, const SsId *id);
/* Likewise; it has another parent in the tree, and is remembered for joiners
 * that are near it. */
void ss_group_child_moved (SsGroup *group, const SsId *id);
bool ss_group_child_has_moved (const SsGroup *group, uint32_t prefix);
void ss_group_child_shed (SsGroup *group, SsChild *child);

/* family.c */
SsFamily *ss_family_make (SsScribe *scribe, const SsFamilyConfig *config);
/* Of groups that are carried for others, and that the application gave none. */
SsFamily *ss_family_adopted (SsScribe *scribe, bool is_ordered);
uint16_t ss_family_load (const SsFamily *family);
uint16_t ss_family_load_max (const SsFamily *family);
/* One more in the group, or one less. */
void ss_family_count_child (SsGroup *group);
void ss_family_uncount_child (SsGroup *group);

/* budget.c */
void ss_budget_init (SsBudget *budget, SsTime now);
void ss_budget_clear (SsBudget *budget);
/* A packet of a stream has come, or goes out at its source. */
void ss_budget_note (SsBudget *budget, SsTime now);
/* May n more be sent to who asks for them? False: counted. */
bool ss_budget_take (SsGroup *group, const SsContact *asker, unsigned n);

/* history.c */
GBytes *ss_history_find (const SsGroup *group, uint32_t sequence);
void ss_history_put (SsGroup *group, uint32_t sequence, GBytes *packet);
void ss_history_clear (SsGroup *group);
/* Bit i: have, or do not miss, newest - 1 - i. */
uint32_t ss_history_mask (const SsGroup *group);

/* peer.c */
SsNeighbour *ss_neighbour_find (const SsScribe *scribe, const SsId *id);
SsNeighbour *ss_neighbour_get (SsScribe *scribe, const SsContact *contact);
void ss_neighbour_forget (SsScribe *scribe, const SsId *id);
void ss_neighbour_free (SsNeighbour *neighbour);
/* The group's parent is its parent from now on; or no longer, and none is. */
void ss_neighbour_take (SsGroup *group);
void ss_neighbour_untake (SsGroup *group);
/* It is a child in one group more, or less. */
void ss_neighbour_serve (SsScribe *scribe, const SsContact *child);
void ss_neighbour_unserve (SsScribe *scribe, const SsId *child);
void ss_neighbour_data (SsGroup *group, const SsContact *from);
void ss_neighbour_sweep (SsScribe *scribe);
/* To one that is no child in the group, and may believe that it is. */
void ss_neighbour_not_served (SsGroup *group, const SsContact *to);
void ss_neighbour_handle_keepalive (SsScribe *scribe, const SsContact *from,
                                    const SsMsgScribeKeepalive *message);
void ss_neighbour_handle_not_served (SsScribe *scribe, const SsContact *from,
                                     const SsMsgScribeNotServed *message);
void ss_neighbour_outcome (SsScribe *scribe, const SsContact *to,
                           SsKbrOutcome outcome);
int ss_neighbour_compare_distance (SsScribe *scribe, const SsId *a,
                                   const SsId *b);
/* It let so much pass in silence that it is suspected from now on. */
void ss_neighbour_judge (SsScribe *scribe, SsNeighbour *neighbour);
/* Asks whether it lives, if it has not been heard just now. */
void ss_neighbour_probe (SsScribe *scribe, SsNeighbour *neighbour);
/* A parent's packet came another way first: its own should be on its way. */
void ss_neighbour_doubt (SsScribe *scribe, SsNeighbour *neighbour);
/* A joiner says that this one has no room. */
void ss_neighbour_mark_full (SsScribe *scribe, uint32_t prefix);
void ss_neighbour_hint (SsScribe *scribe, uint32_t prefix);
void ss_neighbour_load (SsScribe *scribe, const SsContact *contact,
                        uint16_t load, uint16_t load_max);

/* join.c */
void ss_join_start (SsGroup *group, const SsContact *lost);
void ss_join_start_shed (SsGroup *group, const SsPeerRecord *candidates,
                         unsigned n, bool may_stay);
/* The parent does not serve. */
void ss_join_start_unserved (SsGroup *group);
void ss_join_cancel (SsGroup *group);
void ss_join_due (SsGroup *group); /* answer_by has come */
/* It is answered: somebody has taken this node, or cannot be taken. */
void ss_join_found (SsGroup *group);
void ss_join_failed (SsGroup *group);
void ss_join_handle_redirect (SsScribe *scribe, const SsContact *from,
                              const SsMsgScribeRedirect *message);

/* The parent on trial is good. */
void ss_join_take_tried (SsGroup *group);
/* To the next candidate, or else towards the root. */
void ss_join_send (SsGroup *group);
/* Passes over the candidates that are not to be asked; is one left? */
bool ss_join_find_candidate (const SsGroup *group);

/* better.c. Looks for a parent whose own stripe it is; may: it has another, and
 * did not look lately. */
bool ss_join_may_improve (const SsGroup *group);
void ss_join_improve (SsGroup *group);
/* When that is done next. */
void ss_join_set_better (SsGroup *group);
/* Is it the root, or does it stand in for a source that is? */
bool ss_join_is_top (const SsGroup *group, const SsContact *parent);
/* The parent has, or had, a child of this prefix (0: none), which may be much
 * nearer. */
void ss_join_go_near (SsGroup *group, uint32_t prefix);
/* Who was tried is no sooner: the next one, unless there were many. */
void ss_join_seek_sooner_again (SsGroup *group);
void ss_join_handle_advice (SsScribe *scribe, const SsContact *from,
                            const SsMsgScribeAdvice *message);

/* exchange.c */
void ss_exchange_handle_rise (SsScribe *scribe, const SsContact *from,
                              const SsMsgScribeRise *message);

/* trial.c. Of who has said yes to a search for a better parent. */
/* newest: that the peer has, as it says. */
void ss_trial_begin (SsGroup *group, const SsContact *peer, uint32_t newest);
bool ss_trial_is_of (const SsGroup *group, const SsContact *peer);
/* One has come. is_new: it was not here. */
void ss_trial_packet (SsGroup *group, const SsContact *from, uint32_t sequence,
                      SsPacketVia via, bool is_new);
void ss_trial_due (SsGroup *group); /* its time is over */
void ss_trial_end (SsGroup *group); /* the search is: tells who is on trial */

/* upstream.c */
void ss_upstream_become_root (SsGroup *group);
/* Reports that there has been no place for long. */
SsTime ss_upstream_orphan_deadline (const SsGroup *group);
void ss_upstream_orphan_due (SsGroup *group);
void ss_upstream_lose (SsGroup *group);  /* dead or gone: join again */
void ss_upstream_leave (SsGroup *group); /* tells it */
/* Takes the JOIN of that number back, as far as `to` is concerned, or any if
 * it is 0; for a group that may be unknown here. */
void ss_upstream_send_leave (SsScribe *scribe, const SsContact *to,
                             const uint8_t tag[SS_TAG_LEN], uint32_t nonce);
void ss_upstream_check_root (SsGroup *group);
/* The overlay's word on a peer. */
void ss_upstream_suspected (SsScribe *scribe, const SsContact *peer);
void ss_upstream_recovered (SsScribe *scribe, const SsContact *peer);
void ss_upstream_left (SsScribe *scribe, const SsContact *peer);
void ss_upstream_handle_join_ack (SsScribe *scribe, const SsContact *from,
                                  const SsMsgScribeJoinAck *message);
void ss_upstream_handle_path (SsScribe *scribe, const SsContact *from,
                              const SsMsgScribePath *message);

/* parent.c */
typedef enum {
  SS_JOIN_ON_WAY,    /* a forward upcall */
  SS_JOIN_DELIVERED, /* at the node closest to the group */
  SS_JOIN_DIRECT,    /* sent here by a REDIRECT */
} SsJoinWay;
/* True: taken or answered; false (ON_WAY only): let it go on. */
bool ss_parent_handle_join (SsScribe *scribe, const SsContact *joiner,
                            const SsMsgScribeJoin *message, SsJoinWay way);
void ss_parent_handle_leave (SsScribe *scribe, const SsContact *from,
                             const SsMsgScribeLeave *message);
void ss_parent_serve_pending (SsGroup *group);
void ss_parent_send_path (SsGroup *group);
/* Shed and silent children, and those that are too many. */
void ss_parent_due (SsGroup *group);

/* place.c */
/* Is the group's stripe the node's own? The trees are disjoint as long as none
 * but such nodes, and roots, take children. */
bool ss_place_is_own (const SsGroup *group, const SsId *node);
/* For children, here and below, of those whose own stripe it is. */
uint16_t ss_place_room (const SsGroup *group);
/* The group may have a place of another kind in its tree from now on. */
void ss_place_settle (SsGroup *group);
/* Had it better ask the root to take it from below one of the root's children?
 * The root may have room again, or have been passed by when this node had lost
 * its parent. Newcomers and poor lines stay where they are, and so does who is
 * farther down: roots would be asked by very many. */
bool ss_place_may_rise (const SsGroup *group);
/* It may have changed: the parent hears of it, soon if it matters. */
void ss_place_note_room (SsGroup *group);

/* shed.c */
SsTime ss_shed_deadline (const SsGroup *group);
void ss_shed_due (SsGroup *group);
/* All children are sent to the successor (NULL: to the root), and served
 * until they have gone there. */
void ss_shed_all (SsGroup *group, const SsContact *successor);

/* aside.c. At the source: a JOIN of who says that its root, or its deputy,
 * does not serve. False: it is one as any other. */
bool ss_aside_handle_join (SsScribe *scribe, const SsContact *joiner,
                           const SsMsgScribeJoin *message);
bool ss_aside_has (const SsGroup *group, const SsId *root);
/* The root is another; who stands in is told so by a packet. */
void ss_aside_new_root (SsGroup *group);
SsTime ss_aside_deadline (const SsGroup *group);
void ss_aside_due (SsGroup *group);
/* Who stands in denies it: another is asked soon, however often it does. */
void ss_aside_seek (SsGroup *group);
/* At who stands in: it is asked to; and a packet has come from `from`, as to a
 * root. */
void ss_aside_appoint (SsGroup *group);
void ss_aside_serve (SsGroup *group, const SsContact *from);
/* At a root, or a source's deputy, whose line is full: asks the source to be
 * passed over, from time to time; what it answers; and the children's next
 * parent. False: none is known, or that very one is the joiner, or is lost. */
void ss_aside_yield (SsGroup *group);
void ss_aside_handle_redirect (SsGroup *group, const SsContact *from,
                               const SsMsgScribeRedirect *message);
bool ss_aside_stands_in (const SsGroup *group, const SsId *joiner,
                         uint32_t lost, SsContact *ret_stand_in);
/* It was asked, and has not joined the tree again since. */
bool ss_aside_is_appointed (const SsGroup *group);
void ss_aside_dismiss (SsGroup *group);

/* publish.c */
void ss_publish_add (SsGroup *group, uint32_t sequence, GBytes *packet,
                     SsTime give_up, bool for_deputy, const SsContact *to);
void ss_publish_due (SsGroup *group);
SsTime ss_publish_deadline (const SsGroup *group);
void ss_publish_root_known (SsGroup *group, const SsContact *root);
void ss_publish_root_lost (SsGroup *group);
void ss_publish_peer_lost (SsScribe *scribe, const SsContact *peer);
void ss_publish_outcome (SsGroup *group, const SsContact *to, uint64_t token,
                         SsKbrOutcome outcome);
void ss_publish_handle_find_root (SsScribe *scribe, const SsContact *from,
                                  const SsMsgScribeFindRoot *message);
void ss_publish_handle_root_is (SsScribe *scribe, const SsContact *from,
                                const SsMsgScribeRootIs *message);
void ss_publish_handle_not_root (SsScribe *scribe, const SsContact *from,
                                 const SsMsgScribeNotRoot *message);
void ss_publish_handle (SsScribe *scribe, const SsContact *from,
                        const SsMsgScribePublish *message);
void ss_publish_handle_handover (SsScribe *scribe, const SsContact *from,
                                 const SsMsgScribeHandover *message);
void ss_publish_clear (SsGroup *group);
void ss_publish_send_not_root (SsGroup *group, const SsContact *to,
                               const SsContact *root);

void ss_publish_find_root (SsGroup *group);
bool ss_publish_is_finding (const SsGroup *group);

/* ordered.c */
SsOrdered *ss_ordered_get (SsGroup *group);
void ss_ordered_free (SsOrdered *ordered);
void ss_ordered_become_root (SsGroup *group);
void ss_ordered_reparented (SsGroup *group);
void ss_ordered_due (SsGroup *group);
SsTime ss_ordered_deadline (const SsGroup *group);
/* At the root: one more of a source's messages, of which all below `oldest`
 * are stored on other nodes. */
void ss_ordered_accept (SsGroup *group, const SsContact *source, uint32_t epoch,
                        uint32_t sequence, uint32_t oldest, GBytes *data);
/* The root has put a message in its log: it goes to the replicas. */
void ss_ordered_replicate (SsGroup *group, const SsSourceLog *log,
                           uint32_t sequence, GBytes *data);
void ss_ordered_handle_submit (SsScribe *scribe, const SsContact *from,
                               const SsMsgScribeSubmit *message);
void ss_ordered_handle_replicate (SsScribe *scribe, const SsContact *from,
                                  const SsMsgScribeReplicate *message);
void ss_ordered_handle_replica_ack (SsScribe *scribe, const SsContact *from,
                                    const SsMsgScribeReplicaAck *message);

/* submit.c */
void ss_submit_flush (SsGroup *group); /* to a root that is known now */
void ss_submit_root_lost (SsGroup *group);
void ss_submit_forget (SsGroup *group, uint32_t sequence); /* it is stored */
void ss_submit_gone (SsGroup *group); /* the group is dropped */
void ss_submit_due (SsGroup *group);
SsTime ss_submit_deadline (const SsGroup *group);
bool ss_submit_outcome (SsGroup *group, const SsContact *to, uint64_t token,
                        SsKbrOutcome outcome);
void ss_submit_handle_stored (SsScribe *scribe, const SsContact *from,
                              const SsMsgScribeStored *message);

/* log.c */
bool ss_log_send (SsScribe *scribe, const SsContact *to, uint8_t type,
                  const SsGroup *group, const SsSourceLog *log,
                  uint32_t sequence, GBytes *data);
SsSourceLog *ss_log_find (const SsGroup *group, const SsId *source);
/* For what a neighbour says. NULL: too many sources, or an epoch that is over.
 * A new log, or a log of a new epoch, begins at `next`. */
SsSourceLog *ss_log_get (SsGroup *group, const SsId *source, uint32_t epoch,
                         uint32_t next);
/* Has this node perhaps made room of its log? */
bool ss_log_is_forgotten (const SsGroup *group, const SsId *source,
                          uint32_t epoch);
/* For the source's own message of that number, which is worth more than what
 * neighbours have said. As ss_log_get, but if it may have been forgotten the
 * log begins at `first`, and all before is passed over: it may have been handed
 * on already. NULL also if the group went meanwhile. */
SsSourceLog *ss_log_get_from (SsGroup *group, const SsId *source,
                              uint32_t epoch, uint32_t sequence, uint32_t next,
                              uint32_t first);
void ss_log_free (gpointer log);
GBytes *ss_log_entry (const SsSourceLog *log, uint32_t sequence);
/* The first that it has; if it has none, the next. */
uint32_t ss_log_first (const SsSourceLog *log);
/* The first that it has from `from` on and before `end`; else `end`. */
uint32_t ss_log_held (const SsSourceLog *log, uint32_t from, uint32_t end);
/* Takes a message in; hands on what is in order. */
void ss_log_put (SsGroup *group, SsSourceLog *log, uint32_t sequence,
                 GBytes *data);
void ss_log_put_past (SsGroup *group, SsSourceLog *log, uint32_t sequence,
                      GBytes *data);
void ss_log_settle (SsGroup *group); /* synced: what waited for it goes on */
/* To an application that joins a group which this node has carried. */
void ss_log_replay (SsGroup *group);
/* The group has an owner now: logs of those that may not publish go. */
void ss_log_drop_strangers (SsGroup *group);
/* At the root: does it lack what the source has been told is stored? */
bool ss_log_is_lacking (const SsSourceLog *log);
/* What is missing before `next` is not to be had: the application is told. */
void ss_log_pass_to (SsGroup *group, SsSourceLog *log, uint32_t next);
/* What nobody holds any more is passed over, at the root. */
void ss_log_pass_lost (SsGroup *group, SsSourceLog *log);
/* So is a gap that has been asked for in vain for long. */
void ss_log_give_up (SsGroup *group, SsSourceLog *log);
void ss_ordered_answered (SsGroup *group); /* a replica, a new root's SYNC */

/* sync.c. To `to`: how far the logs are here. */
void ss_sync_send (SsGroup *group, const SsContact *to, uint8_t flags);
void ss_sync_due (SsGroup *group);
SsTime ss_sync_deadline (const SsGroup *group);
void ss_sync_handle_message (SsScribe *scribe, const SsContact *from,
                             const SsMsgScribeMessage *message);
void ss_sync_handle (SsScribe *scribe, const SsContact *from,
                     const SsMsgScribeSync *message);
void ss_sync_handle_fetch (SsScribe *scribe, const SsContact *from,
                           const SsMsgScribeFetch *message);
void ss_sync_handle_gone (SsScribe *scribe, const SsContact *from,
                          const SsMsgScribeGone *message);

/* credential.c */
bool ss_signed_may_publish (const SsGroup *group);
/* A SIGNED: what travels as a message's data. */
GBytes *ss_signed_make (const SsGroup *group, uint32_t epoch, uint32_t sequence,
                        const uint8_t *data, size_t len);
/* Is it the source's, and may that publish here? Counts those that fail. */
bool ss_signed_check (SsGroup *group, const SsId *source, uint32_t epoch,
                      uint32_t sequence, const SsWireBytes *bytes);
/* May the source of one that was checked publish in the group as it is now? */
bool ss_signed_is_allowed (const SsGroup *group, GBytes *bytes);
/* The message in it; it lives as long as the bytes. */
SsWireBytes ss_signed_data (GBytes *bytes);

/* live.c */
/* One packet from a peer; true if it is good (new, or had). */
bool ss_live_receive (SsGroup *group, const SsContact *from, uint32_t sequence,
                      const SsWireBytes *packet, SsPacketVia via);
void ss_live_handle_data (SsScribe *scribe, const SsContact *from,
                          const SsMsgScribeData *message, SsPacketVia via);
void ss_live_handle_deputy (SsScribe *scribe, const SsContact *from,
                            const SsMsgScribeDeputy *message);
/* On to the children, except to `from` (may be NULL). */
void ss_live_forward (SsGroup *group, const SsId *from, uint32_t sequence,
                      GBytes *packet);
/* What a new child lacks. */
void ss_live_catch_up (SsGroup *group, const SsContact *child, bool have,
                       uint32_t newest, uint32_t mask);

/* want.c */
enum { SS_ASK_PARENT, SS_ASK_OTHERS, SS_ASK_SOURCE }; /* SsWant.stage: next */
bool ss_want_add (SsGroup *group, uint32_t sequence, SsTime deadline,
                  bool is_own);
void ss_want_due (SsGroup *group);
SsTime ss_want_deadline (const SsGroup *group);
void ss_want_got (SsGroup *group, uint32_t sequence, GBytes *packet);
/* Somebody who was asked has not got it, or has sent something else. */
void ss_want_refused (SsGroup *group, uint32_t sequence);
void ss_want_reparented (SsGroup *group);
/* A parent's KEEPALIVE is late: so is its answer to the requests that were sent
 * to it by then. */
void ss_want_judge (SsScribe *scribe, const SsNeighbour *parent);
void ss_want_handle (SsScribe *scribe, const SsContact *from,
                     const SsMsgScribeWant *message);
void ss_want_handle_not_have (SsScribe *scribe, const SsContact *from,
                              const SsMsgScribeNotHave *message);

/* standing.c */
uint8_t ss_standing_of (const SsFamily *family); /* this node's */
/* What a peer says of itself; 0: has said nothing. */
void ss_standing_note (SsScribe *scribe, const SsContact *peer,
                       uint8_t standing);
uint8_t ss_standing_at (const SsScribe *scribe, const SsId *peer);

/* service.c */
/* With the parent that it has now. is_new: it had another before. */
void ss_service_begin (SsGroup *group, bool is_new);
/* The parent is not dead, as was thought: is it left all the same? Yes if that
 * happens again before it has sent anything. */
bool ss_service_leaves (SsGroup *group);
/* Has the parent sent packets down the tree, and hardly owes any? */
bool ss_service_pays (const SsGroup *group);
/* One has come; from NULL: rebuilt. is_new: it was not here. */
void ss_service_packet (SsGroup *group, const SsContact *from,
                        uint32_t sequence, SsPacketVia via, bool is_new);
/* Somebody says that the node of this prefix does not serve. */
void ss_service_accused (SsScribe *scribe, const SsContact *by,
                         uint32_t prefix);
/* It does not serve: seen here. */
void ss_service_shun (SsScribe *scribe, const SsContact *peer);
bool ss_service_shirks (const SsScribe *scribe, const SsId *id);
/* It was left since it sends late, or tried and no sooner: for a while it is
 * not chosen here where there is a choice. Nobody is told. */
void ss_service_avoid (SsScribe *scribe, const SsContact *peer);
bool ss_service_dawdles (const SsScribe *scribe, const SsId *id);

/* trace.c */
/* In a group that this node is not in any more, as it has seen, this is a
 * member. */
void ss_trace_put (SsScribe *scribe, const SsId *group_id,
                   const SsContact *member);
/* Others are to know it, too. */
void ss_trace_tell (SsScribe *scribe, const SsId *group_id,
                    const SsContact *member);
void ss_trace_handle (SsScribe *scribe, const SsContact *from,
                      const SsMsgScribeTrace *message);
/* NULL: none is known. */
const SsContact *ss_trace_find (const SsScribe *scribe, const SsId *group_id);
/* Another's word, and not what this node has seen. */
bool ss_trace_is_told (const SsScribe *scribe, const SsId *group_id);
/* As ss_trace_find, for the search of that number. NULL, and the trace counts
 * no more, if it was led there lately: its origin has heard nothing, and tries
 * again. */
const SsContact *ss_trace_lead (SsScribe *scribe, const SsId *group_id,
                                uint32_t nonce);
/* It has led to nobody: it counts no more, nor does what others say of the
 * group. */
void ss_trace_doubt (SsScribe *scribe, const SsId *group_id);
void ss_trace_free (SsScribe *scribe);

/* anycast.c */
typedef enum {
  SS_ANYCAST_ON_WAY,  /* a forward upcall */
  SS_ANYCAST_ARRIVED, /* at the root, or from another node of the tree */
} SsAnycastWay;
void ss_anycast_free (SsScribe *scribe);
void ss_anycast_due (SsScribe *scribe);
/* The message is used up. False (ON_WAY only): let it go on. */
bool ss_anycast_handle (SsScribe *scribe, const SsContact *from,
                        SsMsgScribeAnycast *message, SsAnycastWay way);
void ss_anycast_handle_answer (SsScribe *scribe, const SsContact *from,
                               const SsMsgScribeAnycastAnswer *message);
void ss_anycast_handle_end (SsScribe *scribe, const SsContact *from,
                            const SsMsgScribeAnycastEnd *message);
/* False: the token is none of its own. */
bool ss_anycast_outcome (SsScribe *scribe, const SsContact *to, uint64_t token,
                         SsKbrOutcome outcome);
