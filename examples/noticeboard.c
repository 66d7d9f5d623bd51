/* The notice board; see noticeboard.h. A message is its kind, the topic's id
 * where it is not the key that it is routed to, and the text. */
#include "examples/noticeboard.h"

#include <string.h>

typedef enum {
  KIND_PIN,    /* routed to the topic: keep this */
  KIND_READ,   /* routed to the topic: tell me */
  KIND_COPY,   /* to a replica: keep this as well */
  KIND_ANSWER, /* to the reader */
  KIND_NOTHING,
} Kind;

typedef struct {
  SsId topic;
  char text[NOTICEBOARD_TEXT_MAX + 1];
} Notice;

struct Noticeboard {
  SsKbr *kbr;
  NoticeboardRead read;
  void *user;
  GArray *notices; /* Notice, by topic */
};

/* The place of a topic, or where it would be. */
static bool
find (const Noticeboard *board, const SsId *topic, unsigned *ret_at)
{
  unsigned at = 0;
  for (; at < board->notices->len; at++) {
    const Notice *notice = &g_array_index (board->notices, Notice, at);
    int order = ss_id_compare (&notice->topic, topic);
    if (order >= 0) {
      *ret_at = at;
      return order == 0;
    }
  }
  *ret_at = at;
  return false;
}

static void
keep (Noticeboard *board, const SsId *topic, const uint8_t *text, size_t len)
{
  unsigned at;
  if (len > NOTICEBOARD_TEXT_MAX)
    return;
  if (!find (board, topic, &at)) {
    if (board->notices->len == NOTICEBOARD_TOPICS_MAX)
      return;
    Notice fresh = { .topic = *topic };
    g_array_insert_val (board->notices, at, fresh);
  }
  Notice *notice = &g_array_index (board->notices, Notice, at);
  memcpy (notice->text, text, len);
  notice->text[len] = '\0';
}

/* To one peer: reliable, because nobody repeats it. */
static void
tell (Noticeboard *board, const SsContact *to, Kind kind, const SsId *topic,
      const char *text)
{
  uint8_t head[1 + SS_ID_LEN + NOTICEBOARD_TEXT_MAX];
  size_t len = strlen (text);
  head[0] = (uint8_t) kind;
  memcpy (head + 1, topic->b, SS_ID_LEN);
  memcpy (head + 1 + SS_ID_LEN, text, len);
  SsKbrSend how = { .class = SS_CLASS_KBR_CONTROL, .reliable = true };
  ss_kbr_send (board->kbr, NOTICEBOARD_PROTOCOL, to, &how, head,
               1 + SS_ID_LEN + len, NULL);
}

/* Those next to the topic's root would be its successors. */
static void
replicate (Noticeboard *board, const Notice *notice)
{
  SsContact nearest[NOTICEBOARD_COPIES];
  unsigned n = ss_kbr_replica_set (board->kbr, &notice->topic, nearest,
                                   NOTICEBOARD_COPIES);
  for (unsigned i = 0; i < n; i++)
    if (!ss_contact_equal (&nearest[i], ss_kbr_self (board->kbr)))
      tell (board, &nearest[i], KIND_COPY, &notice->topic, notice->text);
}

static void
on_deliver (void *app, const SsKbrMessage *message)
{
  Noticeboard *board = app;
  if (message->len == 0)
    return;
  unsigned at;
  if (message->data[0] == KIND_PIN)
    keep (board, &message->key, message->data + 1, message->len - 1);
  bool found = find (board, &message->key, &at);
  const Notice *notice =
      found ? &g_array_index (board->notices, Notice, at) : NULL;
  if (message->data[0] == KIND_PIN && found)
    replicate (board, notice);
  if (message->data[0] != KIND_READ)
    return;
  if (ss_contact_equal (&message->source, ss_kbr_self (board->kbr)))
    board->read (board->user, &message->key, found ? notice->text : NULL);
  else
    tell (board, &message->source, found ? KIND_ANSWER : KIND_NOTHING,
          &message->key, found ? notice->text : "");
}

static void
on_direct (void *app, const SsContact *from, const uint8_t *data, size_t len)
{
  Noticeboard *board = app;
  if (len < 1 + SS_ID_LEN || len > 1 + SS_ID_LEN + NOTICEBOARD_TEXT_MAX)
    return;
  SsId topic;
  char text[NOTICEBOARD_TEXT_MAX + 1] = { 0 };
  memcpy (topic.b, data + 1, SS_ID_LEN);
  memcpy (text, data + 1 + SS_ID_LEN, len - 1 - SS_ID_LEN);
  if (data[0] == KIND_COPY)
    keep (board, &topic, data + 1 + SS_ID_LEN, len - 1 - SS_ID_LEN);
  else if (data[0] == KIND_ANSWER || data[0] == KIND_NOTHING)
    board->read (board->user, &topic, data[0] == KIND_ANSWER ? text : NULL);
}

/* Leaves come and go: who is the root now sees to the copies. */
static void
on_update (void *app, const SsContact *peer, SsKbrChange change)
{
  Noticeboard *board = app;
  if (change != SS_KBR_JOINED && change != SS_KBR_LEFT)
    return;
  for (unsigned i = 0; i < board->notices->len; i++) {
    const Notice *notice = &g_array_index (board->notices, Notice, i);
    if (ss_kbr_is_root (board->kbr, &notice->topic, false)
        || change == SS_KBR_JOINED)
      replicate (board, notice);
  }
}

static const SsKbrApp noticeboard_app = {
  .deliver = on_deliver,
  .direct = on_direct,
  .update = on_update,
};

Noticeboard *
noticeboard_new (SsKbr *kbr, NoticeboardRead read, void *user)
{
  Noticeboard *board = g_new0 (Noticeboard, 1);
  *board = (Noticeboard){ .kbr = kbr, .read = read, .user = user };
  board->notices = g_array_new (FALSE, FALSE, sizeof (Notice));
  ss_kbr_register (kbr, NOTICEBOARD_PROTOCOL, &noticeboard_app, board);
  return board;
}

void
noticeboard_free (Noticeboard *board)
{
  g_array_free (board->notices, TRUE);
  g_free (board);
}

SsId
noticeboard_topic (const char *name)
{
  SsBytes part = { name, strlen (name) };
  return ss_id_of_parts (&part, 1);
}

bool
noticeboard_pin (Noticeboard *board, const SsId *topic, const char *text)
{
  uint8_t data[1 + NOTICEBOARD_TEXT_MAX] = { KIND_PIN };
  size_t len = strlen (text);
  if (len > NOTICEBOARD_TEXT_MAX)
    return false;
  memcpy (data + 1, text, len);
  return ss_kbr_route (board->kbr, NOTICEBOARD_PROTOCOL, topic, NULL, 0, data,
                       1 + len);
}

bool
noticeboard_read (Noticeboard *board, const SsId *topic)
{
  uint8_t data[1] = { KIND_READ };
  return ss_kbr_route (board->kbr, NOTICEBOARD_PROTOCOL, topic, NULL, 0, data,
                       sizeof data);
}

unsigned
noticeboard_n_kept (const Noticeboard *board)
{
  return board->notices->len;
}
