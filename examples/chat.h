/* An example of an application of Scribe that broadcasts nothing: rooms in
 * which everybody hears what is said, each speaker's lines in order and none
 * missing, also when the node that the room hangs on dies. Whoever opens a
 * room owns it and signs those that may speak in it; to listen needs nothing
 * but the owner's key and the name.
 *
 * A room is an ordered group (scribe/scribe.h). Every node that runs this
 * carries others' rooms where it has to, and checks what it carries. */
#pragma once

#include "scribe/scribe.h"

#define CHAT_PROTOCOL ((SsProtocol) 6) /* a number of its own */
#define CHAT_TEXT_MAX 400              /* bytes */
#define CHAT_NICK_MAX 32               /* bytes, of who asks to speak */
/* That one node is in; others' are carried as long as there are fewer in all,
 * so that strangers cannot keep it out of its own. */
#define CHAT_ROOMS_MAX   64
#define CHAT_CARRIED_MAX (2 * CHAT_ROOMS_MAX) /* with others', and left ones */
#define CHAT_BACKLOG     20 /* lines of each speaker that a newcomer gets */

typedef struct Chat Chat;
typedef struct ChatRoom ChatRoom;

typedef struct {
  /* A line; text is valid during the call. */
  void (*heard) (void *user, ChatRoom *room, const SsId *speaker,
                 const char *text);
  /* So many lines of a speaker, before the next one, are lost: this node was
   * cut off for longer than they are kept. */
  void (*missed) (void *user, ChatRoom *room, const SsId *speaker, unsigned n);
  /* For a room that this node has entered. is_cut: it has found no place in
   * the room for some seconds, goes on looking, and hears nobody meanwhile;
   * what it misses comes later. */
  void (*cut) (void *user, ChatRoom *room, bool is_cut);
  /* After chat_ask: this node may speak; or, not is_admitted, who has the
   * room's key has heard the question, and lets it speak if at all when it is
   * asked again. May be NULL if it never asks. */
  void (*admitted) (void *user, ChatRoom *room, bool is_admitted);
  /* After chat_host: may this one speak, who calls itself so? Asked again, a
   * while after a no. What was let in once can speak for ever. NULL: everybody
   * may. */
  bool (*asks) (void *user, ChatRoom *room, const SsId *speaker,
                const char *nick);
} ChatUpcalls;

/* Registers itself with the overlay; to be freed before it. The signer is
 * the node's identity; it and the upcalls have to last. Its timers are
 * Scribe's: whoever drives the node hands those that are due to
 * ss_scribe_timer. */
Chat *chat_new (SsEnv *env, SsKbr *kbr, const SsSigner *self,
                const ChatUpcalls *upcalls, void *user);
/* Before the node leaves its ring: hands on whom it serves in any room, which
 * is done when it serves nobody any more. No room is used after that. */
void chat_close (Chat *chat);
bool chat_is_serving (const Chat *chat);
void chat_free (Chat *chat);

/* What the room's owner gives to who may speak. */
SsCredential chat_invite (const SsSigner *owner, const char *name,
                          const SsKey *speaker);
/* NULL: in CHAT_ROOMS_MAX rooms, or as many were left a moment ago that this
 * node still carries, or a name longer than SS_GROUP_NAME_MAX. The
 * credential is NULL for the owner, and for those that only listen. The same
 * room may be entered again: it is one handle, valid until it has been left as
 * often. */
ChatRoom *chat_enter (Chat *chat, const SsKey *owner, const char *name,
                      const SsCredential *credential);
/* Lines that the room does not keep yet (chat_n_unsaid) may be lost. */
void chat_leave (ChatRoom *room);
/* False: too long or not invited; or more than the room keeps for those whom
 * it is to reach (ss_group_multicast): to be said again a moment later. */
bool chat_say (ChatRoom *room, const char *text);
bool chat_may_speak (const ChatRoom *room);
/* Lines that this node has said and the room does not keep yet. */
unsigned chat_n_unsaid (const ChatRoom *room);

/* A room's owner need not be a node. Who has its key, which has to last, may
 * speak there, and from now on answers those that ask to (`asks`): an open
 * room lets everybody, a closed one those that it knows. */
void chat_host (ChatRoom *room, const SsSigner *key);
/* Asks those in the room, by a nick of 1 to CHAT_NICK_MAX bytes; `admitted`
 * follows if one of them has its key. To be asked again after a while if it
 * has not been admitted then. */
void chat_ask (ChatRoom *room, const char *nick);
