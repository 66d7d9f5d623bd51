/* The chat; see chat.h. What comes with a JOIN is the owner's key and the
 * room's name: their hash is the group's id, so nobody can carry a room under
 * another owner. */
#include "examples/chat.h"

#include <string.h>

#define INFO_MAX (SS_KEY_LEN + SS_GROUP_NAME_MAX)

struct ChatRoom {
  Chat *chat;
  SsKey owner;
  SsFamily *family;
  SsGroup *group;
  unsigned n_entries; /* 0: only carried for others */
  bool may_speak;
  const SsSigner *key; /* the owner's, if this node has it */
  uint32_t question;   /* under way: may this node speak? */
};

struct Chat {
  const SsSigner *self;
  const ChatUpcalls *upcalls;
  void *user;
  SsScribe *scribe;
  GPtrArray *rooms; /* ChatRoom */
  unsigned n_entered;
};

/* Rooms. */

static ChatRoom *
room_new (Chat *chat, const uint8_t *info, size_t info_len)
{
  g_assert (chat->rooms->len < CHAT_CARRIED_MAX);
  ChatRoom *room = g_new0 (ChatRoom, 1);
  SsFamilyConfig config = {
    .mode = SS_GROUP_ORDERED,
    .info_len = info_len,
    .signer = chat->self,
    .is_owned = true,
    .backlog = CHAT_BACKLOG,
  };
  memcpy (config.info, info, info_len);
  memcpy (config.owner.b, info, SS_KEY_LEN);
  room->chat = chat;
  room->owner = config.owner;
  room->may_speak = ss_key_equal (&config.owner, &chat->self->key);
  room->family = ss_family_new (chat->scribe, &config);
  g_ptr_array_add (chat->rooms, room);
  return room;
}

/* Its group has gone, or was never made. */
static void
room_free (ChatRoom *room)
{
  g_ptr_array_remove (room->chat->rooms, room);
  ss_family_free (room->family);
  g_free (room);
}

static void
admit (ChatRoom *room, const SsCredential *credential)
{
  ss_group_set_credential (room->group, credential);
  room->may_speak = true;
}

ChatRoom *
chat_enter (Chat *chat, const SsKey *owner, const char *name,
            const SsCredential *credential)
{
  size_t len = strlen (name);
  if (len > SS_GROUP_NAME_MAX)
    return NULL;
  uint8_t info[INFO_MAX];
  memcpy (info, owner->b, SS_KEY_LEN);
  memcpy (info + SS_KEY_LEN, name, len);
  SsId id = ss_group_id_of (owner, name);
  SsGroup *group = ss_scribe_find (chat->scribe, &id);
  ChatRoom *room = group ? ss_group_user (group) : NULL;
  bool is_new = !room || room->n_entries == 0;
  if (is_new && chat->n_entered == CHAT_ROOMS_MAX)
    return NULL;
  if (!room && chat->rooms->len == CHAT_CARRIED_MAX)
    return NULL; /* so many that were left are carried on for a while */
  if (!room)
    room = room_new (chat, info, SS_KEY_LEN + len);
  room->group = ss_group_open (room->family, &id, room);
  if (!room->group) { /* too many: it is a new one */
    room_free (room);
    return NULL;
  }
  room->n_entries++;
  chat->n_entered += is_new;
  if (credential)
    admit (room, credential);
  ss_group_join (room->group);
  return room;
}

void
chat_leave (ChatRoom *room)
{
  g_assert (room->n_entries > 0);
  if (--room->n_entries > 0)
    return;
  room->chat->n_entered--;
  room->key = NULL;
  if (room->question)
    ss_scribe_anycast_cancel (room->chat->scribe, room->question);
  room->question = 0;
  SsScribe *scribe = room->chat->scribe;
  SsId id = *ss_group_id (room->group);
  ss_group_leave (room->group);
  if (!ss_scribe_find (scribe, &id)) /* else it is carried on for others */
    room_free (room);
}

bool
chat_say (ChatRoom *room, const char *text)
{
  size_t len = strlen (text);
  return len <= CHAT_TEXT_MAX
         && ss_group_multicast (room->group, (const uint8_t *) text, len);
}

unsigned
chat_n_unsaid (const ChatRoom *room)
{
  return ss_group_n_unstored (room->group);
}

void
chat_host (ChatRoom *room, const SsSigner *key)
{
  SsCredential credential = ss_credential_make (key, ss_group_id (room->group),
                                                &room->chat->self->key);
  room->key = key;
  admit (room, &credential);
}

void
chat_ask (ChatRoom *room, const char *nick)
{
  size_t len = strlen (nick);
  g_assert (len > 0);
  g_assert (len <= CHAT_NICK_MAX);
  if (!room->question)
    room->question =
        ss_scribe_anycast (room->chat->scribe, ss_group_id (room->group), 1,
                           (const uint8_t *) nick, len);
}

bool
chat_may_speak (const ChatRoom *room)
{
  return room->may_speak;
}

SsCredential
chat_invite (const SsSigner *owner, const char *name, const SsKey *speaker)
{
  SsId id = ss_group_id_of (&owner->key, name);
  return ss_credential_make (owner, &id, speaker);
}

/* Scribe's upcalls. */

static void
on_message (void *user, SsGroup *group, const SsId *source, uint32_t sequence,
            const uint8_t *data, size_t len)
{
  ChatRoom *room = user;
  char text[CHAT_TEXT_MAX + 1];
  if (room->n_entries == 0 || len > CHAT_TEXT_MAX)
    return;
  memcpy (text, data, len);
  text[len] = '\0';
  if (g_utf8_validate (text, (gssize) len, NULL))
    room->chat->upcalls->heard (room->chat->user, room, source, text);
}

static void
on_skipped (void *user, SsGroup *group, const SsId *source, uint32_t n)
{
  ChatRoom *room = user;
  if (room->n_entries > 0)
    room->chat->upcalls->missed (room->chat->user, room, source, n);
}

/* A room that this node is to carry. */
static bool
on_adopt (void *app, const SsId *group_id, const uint8_t *info, size_t info_len,
          bool is_root, SsGroup *group, void **ret_group_user)
{
  Chat *chat = app;
  if (info_len < SS_KEY_LEN || info_len > INFO_MAX)
    return false;
  SsKey owner;
  char name[SS_GROUP_NAME_MAX + 1] = { 0 };
  memcpy (owner.b, info, SS_KEY_LEN);
  memcpy (name, info + SS_KEY_LEN, info_len - SS_KEY_LEN);
  SsId id = ss_group_id_of (&owner, name);
  if (!ss_id_equal (&id, group_id))
    return false;
  /* As many of its own can always be entered besides. */
  if (chat->rooms->len >= CHAT_ROOMS_MAX)
    return false;
  ChatRoom *room = room_new (chat, info, info_len);
  room->group = group;
  ss_group_set_user (group, room->family, room);
  *ret_group_user = room;
  return true;
}

static void
on_orphan (void *user, SsGroup *group, bool is_orphan)
{
  ChatRoom *room = user;
  if (room->n_entries > 0)
    room->chat->upcalls->cut (room->chat->user, room, is_orphan);
}

static void
on_abandoned (void *user, SsGroup *group)
{
  room_free (user);
}

static bool
may_speak (ChatRoom *room, const SsContact *asking, const uint8_t *data,
           size_t len)
{
  const ChatUpcalls *upcalls = room->chat->upcalls;
  char nick[CHAT_NICK_MAX + 1];
  if (!upcalls->asks)
    return true;
  if (len == 0 || len > CHAT_NICK_MAX
      || !g_utf8_validate ((const char *) data, len, NULL))
    return false;
  memcpy (nick, data, len);
  nick[len] = '\0';
  return upcalls->asks (room->chat->user, room, &asking->id, nick);
}

/* Somebody asks whether he may speak: whoever has the room's key answers with
 * a credential, or with nothing, which is no. */
static bool
on_anycast (void *user, SsGroup *group, const SsContact *origin,
            const uint8_t *data, size_t len, uint8_t *ret_answer,
            size_t *ret_answer_len)
{
  ChatRoom *room = user;
  if (!room->key)
    return false;
  *ret_answer_len = 0;
  if (!may_speak (room, origin, data, len))
    return true;
  SsCredential credential =
      ss_credential_make (room->key, ss_group_id (group), &origin->key);
  memcpy (ret_answer, credential.signature, SS_SIGNATURE_LEN);
  *ret_answer_len = SS_SIGNATURE_LEN;
  return true;
}

static ChatRoom *
find_asking (const Chat *chat, uint32_t question)
{
  for (unsigned i = 0; i < chat->rooms->len; i++) {
    ChatRoom *room = g_ptr_array_index (chat->rooms, i);
    if (room->question == question)
      return room;
  }
  return NULL;
}

static void
on_anycast_answer (void *app, uint32_t anycast, const SsScribeAnswer *answer)
{
  Chat *chat = app;
  ChatRoom *room = find_asking (chat, anycast);
  SsCredential credential;
  if (!room || room->may_speak)
    return;
  if (answer->len == 0)
    chat->upcalls->admitted (chat->user, room, false);
  if (answer->len != SS_SIGNATURE_LEN)
    return;
  memcpy (credential.signature, answer->data, SS_SIGNATURE_LEN);
  if (!ss_credential_check (&credential, &room->owner,
                            ss_group_id (room->group), &chat->self->key))
    return;
  admit (room, &credential);
  chat->upcalls->admitted (chat->user, room, true);
}

static void
on_anycast_end (void *app, uint32_t anycast, unsigned n_answers)
{
  ChatRoom *room = find_asking (app, anycast);
  if (room)
    room->question = 0;
}

static const SsScribeApp chat_app = {
  .anycast = on_anycast,
  .anycast_answer = on_anycast_answer,
  .anycast_end = on_anycast_end,
  .message = on_message,
  .skipped = on_skipped,
  .adopt = on_adopt,
  .abandoned = on_abandoned,
  .orphan = on_orphan,
};

/* The object. */

Chat *
chat_new (SsEnv *env, SsKbr *kbr, const SsSigner *self,
          const ChatUpcalls *upcalls, void *user)
{
  Chat *chat = g_new0 (Chat, 1);
  *chat = (Chat){ .self = self, .upcalls = upcalls, .user = user };
  chat->scribe = ss_scribe_new (env, kbr, CHAT_PROTOCOL, &chat_app, chat);
  chat->rooms = g_ptr_array_new ();
  return chat;
}

void
chat_close (Chat *chat)
{
  ss_scribe_leave_all (chat->scribe);
}

bool
chat_is_serving (const Chat *chat)
{
  return ss_scribe_is_serving (chat->scribe);
}

void
chat_free (Chat *chat)
{
  ss_scribe_free (chat->scribe); /* and its groups and families */
  for (unsigned i = 0; i < chat->rooms->len; i++)
    g_free (g_ptr_array_index (chat->rooms, i));
  g_ptr_array_free (chat->rooms, TRUE);
  g_free (chat);
}
