/* The chat; see chat.h. What comes with a JOIN is the owner's key and the
 * room's name: their hash is the group's id, so nobody can carry a room under
 * another owner. */
#include "examples/chat.h"

#include <string.h>

#define INFO_MAX (SS_KEY_LEN + SS_GROUP_NAME_MAX)

struct ChatRoom {
  Chat *chat;
  SsFamily *family;
  SsGroup *group;
  unsigned n_entries; /* 0: only carried for others */
};

struct Chat {
  const SsSigner *self;
  ChatHeard heard;
  ChatCut cut;
  void *user;
  SsScribe *scribe;
  GPtrArray *rooms; /* ChatRoom */
  unsigned n_entered;
};

/* Rooms. */

static ChatRoom *
room_new (Chat *chat, const uint8_t *info, size_t info_len)
{
  g_assert (chat->rooms->len < 2 * CHAT_ROOMS_MAX);
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
    ss_group_set_credential (room->group, credential);
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
    room->chat->heard (room->chat->user, room, source, text);
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
    room->chat->cut (room->chat->user, room, is_orphan);
}

static void
on_abandoned (void *user, SsGroup *group)
{
  room_free (user);
}

static const SsScribeApp chat_app = {
  .message = on_message,
  .adopt = on_adopt,
  .abandoned = on_abandoned,
  .orphan = on_orphan,
};

/* The object. */

Chat *
chat_new (SsEnv *env, SsKbr *kbr, const SsSigner *self, ChatHeard heard,
          ChatCut cut, void *user)
{
  Chat *chat = g_new0 (Chat, 1);
  *chat = (Chat){ .self = self, .heard = heard, .cut = cut, .user = user };
  chat->scribe = ss_scribe_new (env, kbr, CHAT_PROTOCOL, &chat_app, chat);
  chat->rooms = g_ptr_array_new ();
  return chat;
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
