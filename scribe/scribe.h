/* Scribe: groups as multicast trees on the key-based routing layer (Castro
 * et al., JSAC 2002), with soft state, bounded fan-out over a family of
 * groups (SplitStream, SOSP 2003) and two kinds of reliable delivery:
 *
 *   live     packets are forwarded at once in any order, held in a history,
 *            fetched again when the application says one is overdue, and
 *            given up at its deadline: the stripes;
 *   ordered  first in, first out per source; nothing passes a gap: control.
 *
 * An application owns one SsScribeApp. A node that is neither member nor
 * source may become a forwarder: the application is asked (adopt), because
 * every packet is verified before it is forwarded.
 *
 * How it is used:
 *   1. ss_scribe_new with upcalls, under a protocol number that no other
 *      application of the ring has (SsProtocol); whoever drives the node hands
 *      due timers of SS_LAYER_SCRIBE to ss_scribe_timer.
 *   2. ss_family_new for groups that share a bound on children, a mode and
 *      what JOINs say of them (info), by which other nodes judge whether to
 *      carry them.
 *   3. ss_group_open with the group's id: that of its owner and its name
 *      (ss_group_id_of) if only some may publish there, any if not; then
 *      ss_group_join to be a member.
 *   4. ordered: ss_group_multicast; `message` brings everybody's, this node's
 *      own among them. live: the one source, which knows who it is, calls
 *      ss_group_publish; members verify in `packet`, and say with
 *      ss_group_want what is overdue.
 *   5. ss_scribe_anycast finds members, from any node.
 *   6. ss_group_leave; for all at once, and before a node leaves the ring,
 *      ss_scribe_leave_all, then ss_scribe_free.
 * examples/chat.c is a whole application of the ordered mode.
 *
 * There is no thread, no lock and no I/O: all happens in calls, and in upcalls
 * from them, which may call anything here but ss_scribe_free. Who calls from
 * outside an upcall has told the node the time before (ss_node_tick), and has
 * what came of it sent after (ss_loop_flush).
 *
 * Messages of ordered groups are signed, not sealed: every node that carries
 * the group can read them.
 *
 * Errors: functions that can refuse return false, 0 or NULL, and have done
 * nothing. What comes from the network never asserts: it is dropped and
 * counted (base/counters.def). Arguments that break a documented bound do.
 *
 * Ownership: the SsScribe owns its groups and families; handles are valid
 * until left, or until `abandoned`. What functions are given is copied, or
 * referenced if it is a GBytes, but for signers. Pointers given to upcalls are
 * valid during the call. */
#pragma once

#include <glib.h>

#include "base/env.h"
#include "overlay/kbr.h"
#include "scribe/credential.h"

#define SS_SCRIBE_PACKET_MAX  1180 /* bytes of one packet, all of it */
#define SS_SCRIBE_MESSAGE_MAX 980  /* bytes of an ordered group's message */
#define SS_SCRIBE_INFO_MAX    192
#define SS_SCRIBE_WANT_MAX    16 /* sequences in one request */
#define SS_ANYCAST_DATA_MAX   128
#define SS_MANYCAST_MAX       16 /* members that one search may ask for */
#define SS_ANYCASTS_MAX       64 /* searches, and others' that are passed on */

/* What one node keeps at most. Others' groups are carried as long as there are
 * fewer than GROUPS_MAX in all, so that an application can always open as many
 * of its own. A group takes 1,100 bytes with a child, each more child 220 to
 * 340, and a neighbour 250. */
#define SS_SCRIBE_GROUPS_MAX     8192
#define SS_SCRIBE_OPEN_MAX       (2 * SS_SCRIBE_GROUPS_MAX)
#define SS_SCRIBE_NEIGHBOURS_MAX 1024 /* remembered, but for relatives */

/* Without a place in a tree for so long: reported. */
#define SS_ORPHAN_TIME (5 * SS_SEC)

/* Ordered groups. */
/* Sources that a node knows of in one group, 280 bytes each. For one more it
 * forgets the one that was quiet longest; all that this one has said before it
 * speaks again counts as skipped then, heard or not. Where so many have spoken
 * within SS_ORDERED_HOLD a new one waits until they have not. */
#define SS_ORDERED_SOURCES_MAX 1024
#define SS_ORDERED_LOG_MAX     256   /* messages kept of one source, */
#define SS_ORDERED_KEPT_MAX    65536 /* and in one group: up to 80 MB */
#define SS_ORDERED_OUT_MAX     64    /* of this node, not stored yet */
/* A message is kept by all for so long at least, once it is stored: longer than
 * it takes to notice a death and to repair. No source sends more than
 * SS_ORDERED_LOG_MAX in that time. */
#define SS_ORDERED_HOLD (10 * SS_SEC)
/* A message that nobody seems to have, though later ones have come, is waited
 * for so long, as its source may come back with it; then it is skipped. */
#define SS_ORDERED_GIVE_UP  (30 * SS_SEC)
#define SS_ORDERED_REPLICAS 3 /* nodes that store one, the root included */

typedef struct SsScribe SsScribe;
typedef struct SsFamily SsFamily;
typedef struct SsGroup SsGroup;

typedef enum { SS_GROUP_LIVE, SS_GROUP_ORDERED } SsGroupMode;

typedef enum {
  SS_PACKET_NEW,       /* verified: store, deliver, forward */
  SS_PACKET_DUPLICATE, /* had it */
  SS_PACKET_REJECTED,  /* not authentic: drop; the sender is suspect */
  SS_PACKET_STALE,     /* authentic, but of another session or too old */
} SsPacketVerdict;

typedef enum {
  SS_VIA_TREE,   /* from the parent, or from the source to a root */
  SS_VIA_REPAIR, /* asked for */
} SsPacketVia;

/* A member that has accepted an anycast; data is valid during the upcall. */
typedef struct {
  SsContact member;
  unsigned hops; /* messages from the origin to it */
  const uint8_t *data;
  size_t len;
} SsScribeAnswer;

/* Any may be NULL: then nobody is told, every packet is taken for good, no
 * group is carried for others and no search is accepted. */
typedef struct {
  /* live: a packet has come; verify it. Called for each arrival, before it is
   * stored or forwarded. The GBytes may be kept by taking a reference. */
  SsPacketVerdict (*packet) (void *group_user, SsGroup *group,
                             uint32_t sequence, GBytes *packet,
                             const SsContact *from, SsPacketVia via);
  /* ordered, to members: the next message of a source, exactly once, in order;
   * it is the source's, and the source may publish. Numbers begin with 1, and
   * again with 1 where the source has left the group meanwhile or its program
   * has ended: what was missing until then does not come, and is not told. */
  void (*message) (void *group_user, SsGroup *group, const SsId *source,
                   uint32_t sequence, const uint8_t *data, size_t len);
  /* ordered, to members: n messages of a source, before the next one, will not
   * come: nobody that should holds them any more. This node was away for longer
   * than they are kept, all that had them died, or it had forgotten the source
   * (SS_ORDERED_SOURCES_MAX). */
  void (*skipped) (void *group_user, SsGroup *group, const SsId *source,
                   uint32_t n);
  /* A JOIN or packet for a group not known here. True: carry it; its upcalls
   * get *ret_group_user. It is in a family of defaults, which knows no owner
   * and has the mode that the message names, unless ss_group_set_user puts it
   * into another. info is what the joiner's
   * family was made with; it comes from the network: check it against the id.
   * is_root: this node is the rendezvous point and cannot pass it on. */
  bool (*adopt) (void *app, const SsId *group_id, const uint8_t *info,
                 size_t info_len, bool is_root, SsGroup *group,
                 void **ret_group_user);
  /* A forwarder's group has had no children for a while and is gone; or this
   * node leaves, and nobody needs it in the group any more. The handle is used
   * no more after the call. Not called for what ss_group_leave, ss_family_free
   * and ss_scribe_free themselves end. */
  void (*abandoned) (void *group_user, SsGroup *group);
  /* The parent changed. NULL: none now (root, or an orphan under repair). */
  void (*parent) (void *group_user, SsGroup *group, const SsContact *parent);
  /* Nobody in the tree has room for this node, which goes on asking. True: the
   * application looks for a place elsewhere, and says what comes of it by
   * ss_group_try. */
  bool (*homeless) (void *group_user, SsGroup *group);
  /* This node has looked for a place in the group's tree for SS_ORPHAN_TIME,
   * and goes on; told once, and again (is_orphan false) when it has one or is
   * the root. Until then nothing comes down the tree. */
  void (*orphan) (void *group_user, SsGroup *group, bool is_orphan);
  /* live, at a wanted sequence's deadline: not found. */
  void (*missed) (void *group_user, SsGroup *group, uint32_t sequence);
  /* An anycast has come to this member. True: it accepts; what it puts into
   * ret_answer (SS_ANYCAST_DATA_MAX bytes at most) goes to the origin. The
   * origin is what the message claims, and nobody tells whether it still
   * wants it: accepting must not tie anything down for longer than a moment,
   * nor for who comes with a JOIN. */
  bool (*anycast) (void *group_user, SsGroup *group, const SsContact *origin,
                   const uint8_t *data, size_t len, uint8_t *ret_answer,
                   size_t *ret_answer_len);
  /* To the origin, for each member that accepts, once; and when all that were
   * wanted have, when nobody is left to ask, or when no answer comes. */
  void (*anycast_answer) (void *app, uint32_t anycast,
                          const SsScribeAnswer *answer);
  void (*anycast_end) (void *app, uint32_t anycast, unsigned n_answers);
} SsScribeApp;

typedef struct {
  SsGroupMode mode;
  uint8_t info[SS_SCRIBE_INFO_MAX]; /* goes with JOINs, for adopt */
  size_t info_len;
  /* Children over all groups of the family that this node takes before it
   * pushes down; 0: SS_FAMILY_CHILDREN. */
  unsigned children_max;
  /* And never more than so many, whatever becomes of the joiner; 0:
   * SS_FAMILY_HARD_FACTOR times children_max. */
  unsigned children_hard;
  /* Its groups carry next to nothing: their children are no load, and bounded
   * by themselves. */
  bool is_light;
  /* live: its groups carry packets by turns, so that one that brings none while
   * the others do is not served by its parent. */
  bool is_by_turns;
  /* The source hands each packet out about once: where it is a root it takes
   * one child and lets that one fan out, and it never forwards otherwise. */
  bool is_source;
  /* ordered: who signs this node's messages: its own identity. NULL: it has
   * none to send. Valid as long as the family. */
  const SsSigner *signer;
  /* ordered: only the owner, and who has a credential of it, are heard. */
  bool is_owned;
  SsKey owner;
  /* ordered: of each source's past messages a new member gets so many, as far
   * as they are still held (SS_ORDERED_LOG_MAX). */
  unsigned backlog;
  unsigned history_max; /* packets kept per group; 0: SS_GROUP_HISTORY */
  SsTime history_time;  /* and no older than this; 0: of any age */
} SsFamilyConfig;

#define SS_FAMILY_CHILDREN    30 /* twice the rate of a stream of 15 + 1 */
#define SS_FAMILY_HARD_FACTOR 4
#define SS_GROUP_HISTORY      128

/* Each application of a node has an SsScribe, under a protocol number of its
 * own: only nodes of the same application carry its groups. */
SsScribe *ss_scribe_new (SsEnv *env, SsKbr *kbr, SsProtocol protocol,
                         const SsScribeApp *app, void *app_user);
void ss_scribe_free (SsScribe *scribe);
/* A timer of SS_LAYER_SCRIBE is due: it knows whose it is. */
void ss_scribe_timer (SsTimer *timer);
/* Leaves every group in an orderly way: parents and children are told, each
 * child being given this node's parent to go to. Nothing can be joined, said or
 * sought from then on. */
void ss_scribe_leave_all (SsScribe *scribe);
/* Has it children in any group, those included that are being handed on and
 * still served? A node that leaves waits for them. */
bool ss_scribe_is_serving (const SsScribe *scribe);

SsFamily *ss_family_new (SsScribe *scribe, const SsFamilyConfig *config);
/* Leaves its groups, whose handles are void then. */
void ss_family_free (SsFamily *family);
/* live: who publishes, as soon as it is known: its upload is spared, and it is
 * told of roots that do not serve. */
void ss_family_set_source (SsFamily *family, const SsContact *source);
/* Children in all groups of the family, and the bound. */
unsigned ss_family_n_children (const SsFamily *family);
/* Likewise, with places that are kept for who is on its way. */
unsigned ss_family_n_taken (const SsFamily *family);
unsigned ss_family_children_max (const SsFamily *family);
/* Never more children than so many from now on; who has more sheds them. */
void ss_family_set_bound (SsFamily *family, unsigned children_max);
/* No children from now on, but where it is the root, or carries a tree for a
 * source that is: there those that have nobody else, up to the hard bound. */
void ss_family_stand_aside (SsFamily *family);
/* The defaults again. */
void ss_family_clear_bound (SsFamily *family);
/* So long waits what is sent to this node, before its own line; 0: not at all.
 * Then nothing is asked for that would come too late after that, and new
 * parents send nothing of what is missing by themselves. */
void ss_family_set_wait (SsFamily *family, SsTime wait);
/* All that is sent to this node comes late, as its line is full, to be said
 * again as long as it is so: where it is a root, or a source's deputy, it asks
 * the source to be passed over, and sends its children to who stands in. */
void ss_family_set_late (SsFamily *family, bool is_late);
bool ss_family_has_room (const SsFamily *family);
/* Tree neighbours (parents, children, roots) in any group of the family, no
 * suspects, nearest first, each once. For questions that any member answers. */
unsigned ss_family_neighbours (const SsFamily *family, SsContact *ret_contacts,
                               unsigned max);
/* Fetches per second, retransmissions sent and the like are in counters. */

/* The group of this id, from now on in this family; made on first call (a
 * local reference to it, no traffic). user goes to the upcalls. There is one
 * handle, and one call of ss_group_leave ends it however often it was opened.
 * NULL: there are SS_SCRIBE_OPEN_MAX already; leave some. */
SsGroup *ss_group_open (SsFamily *family, const SsId *id, void *user);
SsGroup *ss_scribe_find (const SsScribe *scribe, const SsId *id);
/* All groups of this node in the order of their ids: the first whose id is
 * greater than *id, or the first of all if id is NULL. */
SsGroup *ss_group_after (const SsScribe *scribe, const SsId *id);
/* Into another family, and what goes to the upcalls from now on. */
void ss_group_set_user (SsGroup *group, SsFamily *family, void *user);
void ss_group_join (SsGroup *group); /* become a member: join the tree */
/* A forwarder of the group, no member: made at the first call, it joins the
 * tree, and leaves when it has had no child for a while. NULL: there are
 * SS_SCRIBE_GROUPS_MAX groups already. */
SsGroup *ss_group_carry (SsFamily *family, const SsId *id, void *user);
/* Is no member and no source any more; messages that are not stored yet
 * (ss_group_n_unstored) may be lost. While others need this node, or it is the
 * root, it stays a forwarder: then ss_scribe_find still finds the group, and
 * user goes to the upcalls until `abandoned`. */
void ss_group_leave (SsGroup *group);
/* After `homeless`: this one is said to have room. NULL: nobody has; whoever
 * may go over its bound will have to. */
void ss_group_try (SsGroup *group, const SsContact *parent);
/* Could this node take the joiner as a child: it is in the tree, not below the
 * joiner, and has room? */
bool ss_group_has_room_for (const SsGroup *group, const SsContact *joiner);

/* The same, had it room. */
bool ss_group_may_take (const SsGroup *group, const SsContact *joiner);

/* Hands so many of the group's children on to another node, which has offered
 * to take them; none if that one is known not to forward. */
void ss_group_give (SsGroup *group, const SsContact *to, unsigned n);
/* Until then this node takes so many children from another one, for each of
 * which it sends one of `give`, a group of the same family, there. False: not
 * from one that is known not to forward. */
bool ss_group_offer (SsGroup *take, SsGroup *give, const SsContact *partner,
                     unsigned n, SsTime until);

/* Tells the group's children that they had better be those of another node;
 * they stay unless that one takes them. False: nothing was said, since that one
 * is known not to forward. */
bool ss_group_advise (SsGroup *group, const SsContact *better);

/* live, source: hands the packet to the group's root, which acknowledges once
 * it has sent it on; sent again, to the successor if need be, until
 * acknowledged or until `give_up`. */
void ss_group_publish (SsGroup *group, uint32_t sequence, GBytes *packet,
                       SsTime give_up);
/* live, source: packets handed to ss_group_publish and neither acknowledged
 * nor given up. */
unsigned ss_group_n_unacknowledged (const SsGroup *group);
/* live: a packet got in another way (rebuilt from parity, tune-in burst) and
 * verified by the caller: into the history, and on to the children unless
 * history_only. */
void ss_group_inject (SsGroup *group, uint32_t sequence, GBytes *packet,
                      bool history_only);
/* live: overdue. Asks the parent, then two other members, then the source
 * through the root, until it comes or deadline passes (`missed`). Several
 * wants share a request. False: so many are wanted that this one has to
 * wait; say it again later. */
bool ss_group_want (SsGroup *group, uint32_t sequence, SsTime deadline);
void ss_group_unwant (SsGroup *group, uint32_t sequence);
/* live: this packet may exist, and nothing came after it that would show it
 * missing. Asks the parent and another member once; it comes as a wanted one
 * does, or not. */
void ss_group_ask (SsGroup *group, uint32_t sequence);
/* live: a packet that should have come down the tree has not, and need not be
 * wanted: is the parent still there? */
void ss_group_overdue (SsGroup *group);
/* live: what comes from the parent comes late, and goes on to. Looks for one
 * that sends it sooner, by at least so much, as is tried before it is taken;
 * without, all stays as it is. */
void ss_group_seek_sooner (SsGroup *group, SsTime gain);
/* live: packets below are of an old session or past: forget, restart. */
void ss_group_reset (SsGroup *group, uint32_t first_sequence);
GBytes *ss_group_history (const SsGroup *group,
                          uint32_t sequence); /* borrowed */

/* ordered: what lets this node publish in an owned group, until it leaves it.
 * Not checked here: ss_group_multicast refuses if it does not. */
void ss_group_set_credential (SsGroup *group, const SsCredential *credential);
/* ordered: multicast in this node's name, signed; kept until the root reports
 * it stored on min (3, ring size) nodes. The group need only be open. False:
 * too long, or this node has no signer or may not publish in the group, or it
 * is leaving; or it is too fast, with SS_ORDERED_OUT_MAX that are not stored
 * yet or SS_ORDERED_LOG_MAX in the last SS_ORDERED_HOLD: say it again later. A
 * member gets its own messages back in order, like everybody's. A source that
 * starts again is told from its former self by the wall clock: one with a
 * lasting key whose clock was set back is not heard until it has caught up. */
bool ss_group_multicast (SsGroup *group, const uint8_t *data, size_t len);
/* ordered: this node's messages that are not reported stored yet. */
unsigned ss_group_n_unstored (const SsGroup *group);

/* Seeks members of a group that accept data (NGC 2003): one, preferably near
 * (anycast), or `wanted` of them, 1 to SS_MANYCAST_MAX (manycast). This
 * node need not be in the group, and is never asked itself. len is at most
 * SS_ANYCAST_DATA_MAX. Returns the search's number, by which the upcalls, none
 * of which comes before, name it until `anycast_end`; 0: SS_ANYCASTS_MAX are
 * under way, or this node is leaving. */
uint32_t ss_scribe_anycast (SsScribe *scribe, const SsId *group_id,
                            unsigned wanted, const uint8_t *data, size_t len);
/* No more upcalls for it. No-op if it has ended. */
void ss_scribe_anycast_cancel (SsScribe *scribe, uint32_t anycast);

const SsId *ss_group_id (const SsGroup *group);
void *ss_group_user (const SsGroup *group);
bool ss_group_is_root (const SsGroup *group);
/* The root, or the one child of a source that is the root itself. */
bool ss_group_is_top (const SsGroup *group);
bool ss_group_is_member (const SsGroup *group);
bool ss_group_in_tree (const SsGroup *group);   /* root, or has a parent */
bool ss_group_is_orphan (const SsGroup *group); /* as reported */
/* NULL: none. */
const SsContact *ss_group_parent (const SsGroup *group);
const SsContact *ss_group_root (const SsGroup *group); /* last known */
unsigned ss_group_n_children (const SsGroup *group);
unsigned ss_group_children (const SsGroup *group, SsContact *ret, unsigned max);
bool ss_group_has_child (const SsGroup *group, const SsId *id);
unsigned ss_group_depth (const SsGroup *group); /* root: 0 */
unsigned ss_group_n_reparented (const SsGroup *group);
