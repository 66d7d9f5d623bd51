/* The example application of Scribe, in a ring of overlay nodes: who is
 * invited is heard by all, in order, also when the nodes that a room hangs on
 * die one after the other. */
#include <stdio.h>

#include "examples/chat.h"
#include "tests/harness/ring.h"

#define NODES    24
#define GUESTS   8 /* the first nodes; the others are there and carry */
#define SPEAKERS 4 /* the first of these; 0 is the owner */

typedef struct {
  Ring *ring;
  SsSigner signers[NODES];
  Chat *chats[NODES];
  ChatRoom *rooms[NODES];
  unsigned said[NODES];
  unsigned heard[NODES][SPEAKERS], first[NODES][SPEAKERS];
} Party;

typedef struct {
  Party *party;
  unsigned index;
} Guest;

static void
on_heard (void *user, ChatRoom *room, const SsId *speaker, const char *text)
{
  const Guest *guest = user;
  Party *party = guest->party;
  unsigned from, number;
  g_assert_cmpint (sscanf (text, "line %u of %u", &number, &from), ==, 2);
  g_assert_cmpuint (from, <, SPEAKERS);
  g_assert_true (
      ss_id_equal (speaker, &ring_node (party->ring, from)->contact.id));
  unsigned *first = &party->first[guest->index][from];
  unsigned *heard = &party->heard[guest->index][from];
  if (*heard == 0)
    *first = number;
  g_assert_cmpuint (number, ==, *first + *heard);
  ++*heard;
}

static void
on_missed (void *user, ChatRoom *room, const SsId *speaker, unsigned n)
{
  g_assert_not_reached ();
}

static void
on_cut (void *user, ChatRoom *room, bool is_cut)
{
  g_assert_not_reached (); /* all find their place in time */
}

static const ChatUpcalls party_upcalls = { .heard = on_heard,
                                           .missed = on_missed,
                                           .cut = on_cut };

static void
on_timer (void *user, SsTimer *timer)
{
  ss_scribe_timer (timer);
}

static void
enter (Party *party, unsigned index)
{
  RingNode *node = ring_node (party->ring, index);
  const SsSigner *owner = &party->signers[0];
  node->env.now = party->ring->now;
  SsCredential credential =
      chat_invite (owner, "kitchen", &party->signers[index].key);
  party->rooms[index] =
      chat_enter (party->chats[index], &owner->key, "kitchen",
                  index > 0 && index < SPEAKERS ? &credential : NULL);
  g_assert_nonnull (party->rooms[index]);
  ring_drain (node);
}

static bool
say (Party *party, unsigned index)
{
  RingNode *node = ring_node (party->ring, index);
  unsigned number = party->said[index] + 1;
  char text[32];
  g_snprintf (text, sizeof text, "line %u of %u", number, index);
  node->env.now = party->ring->now;
  bool is_said = chat_say (party->rooms[index], text);
  ring_drain (node);
  if (is_said)
    party->said[index]++;
  return is_said;
}

static void
talk (Party *party, unsigned rounds)
{
  for (unsigned i = 0; i < rounds * SPEAKERS; i++) {
    unsigned speaker = i % SPEAKERS;
    if (ring_node (party->ring, speaker)->up)
      g_assert_true (say (party, speaker));
    ring_run (party->ring, 50 * SS_MSEC);
  }
}

static void
check_heard (Party *party, unsigned guests)
{
  for (unsigned i = 0; i < guests; i++) {
    if (!ring_node (party->ring, i)->up)
      continue;
    for (unsigned from = 0; from < SPEAKERS; from++) {
      if (!ring_node (party->ring, from)->up)
        continue;
      g_assert_cmpuint (party->heard[i][from], ==, party->said[from]);
      g_assert_cmpuint (party->first[i][from], ==, 1);
    }
  }
}

static void
kill_node (Party *party, unsigned index)
{
  chat_free (party->chats[index]);
  party->chats[index] = NULL;
  ring_kill (ring_node (party->ring, index));
}

static unsigned
root_of (Party *party)
{
  SsId id = ss_group_id_of (&party->signers[0].key, "kitchen");
  return ring_closest (party->ring, &id)->index;
}

static void
test_party (gconstpointer data)
{
  Party party = { .ring = ring_new (GPOINTER_TO_UINT (data), NULL) };
  Guest guests[NODES];
  for (unsigned i = 0; i < NODES; i++) {
    ring_grow (party.ring, 1);
    RingNode *node = ring_node (party.ring, i);
    guests[i] = (Guest){ &party, i };
    ss_signer_init (&party.signers[i], node->seed);
    party.chats[i] = chat_new (&node->env, node->kbr, &party.signers[i],
                               &party_upcalls, &guests[i]);
    node->scribe_timer = on_timer;
    node->scribe_user = party.chats[i];
  }
  for (unsigned i = 0; i < GUESTS; i++)
    enter (&party, i);
  ring_run (party.ring, 5 * SS_SEC);
  talk (&party, 10);
  ring_run (party.ring, 2 * SS_SEC);
  check_heard (&party, GUESTS);
  g_assert_false (say (&party, SPEAKERS)); /* it only listens */

  /* The node that the room hangs on dies, and the next one, unless it is the
   * owner: nothing is missing. */
  for (unsigned i = 0; i < 3; i++) {
    unsigned root = root_of (&party);
    if (root > 0)
      kill_node (&party, root);
    talk (&party, 20);
    ring_run (party.ring, 10 * SS_SEC);
    check_heard (&party, GUESTS);
  }

  /* Who comes late is told the last lines; who leaves hears no more. */
  unsigned late = GUESTS;
  while (!ring_node (party.ring, late)->up)
    late++;
  enter (&party, late);
  ring_run (party.ring, 5 * SS_SEC);
  unsigned said = party.said[0];
  g_assert_cmpuint (said, >, CHAT_BACKLOG);
  g_assert_cmpuint (party.heard[late][0], ==, CHAT_BACKLOG);
  g_assert_cmpuint (party.first[late][0], ==, said - CHAT_BACKLOG + 1);
  ring_node (party.ring, late)->env.now = party.ring->now;
  chat_leave (party.rooms[late]);
  ring_drain (ring_node (party.ring, late));
  talk (&party, 3);
  ring_run (party.ring, 2 * SS_SEC);
  g_assert_cmpuint (party.heard[late][0], ==, CHAT_BACKLOG);
  check_heard (&party, GUESTS);

  for (unsigned i = 0; i < NODES; i++)
    if (party.chats[i])
      chat_free (party.chats[i]);
  ring_free (party.ring);
}

/* A small ring of nodes that count what they hear. */

#define FEW      4
#define CROWDED  0                        /* the node that all rooms hang on */
#define STRANGER (CHAT_ROOMS_MAX / 2 + 8) /* rooms of each of two others */

typedef struct {
  unsigned heard, admitted, refused, asked;
  bool is_closed; /* whoever asks it is not let in */
} Count;

typedef struct {
  Ring *ring;
  SsSigner signers[FEW];
  Chat *chats[FEW];
  Count n[FEW];
} Few;

static void
on_counted (void *user, ChatRoom *room, const SsId *speaker, const char *text)
{
  Count *n = user;
  n->heard++;
}

static void
on_admitted (void *user, ChatRoom *room, bool is_admitted)
{
  Count *n = user;
  n->admitted += is_admitted;
  n->refused += !is_admitted;
}

static bool
on_asks (void *user, ChatRoom *room, const SsId *speaker, const char *nick)
{
  Count *n = user;
  g_assert_cmpstr (nick, ==, "dora");
  n->asked++;
  return !n->is_closed;
}

static const ChatUpcalls few_upcalls = {
  .heard = on_counted,
  .missed = on_missed,
  .cut = on_cut,
  .admitted = on_admitted,
  .asks = on_asks,
};

static void
few_init (Few *few, uint64_t seed)
{
  *few = (Few){ .ring = ring_new (seed, NULL) };
  for (unsigned i = 0; i < FEW; i++) {
    ring_grow (few->ring, 1);
    RingNode *node = ring_node (few->ring, i);
    ss_signer_init (&few->signers[i], node->seed);
    few->chats[i] = chat_new (&node->env, node->kbr, &few->signers[i],
                              &few_upcalls, &few->n[i]);
    node->scribe_timer = on_timer;
  }
}

static void
few_clear (Few *few)
{
  for (unsigned i = 0; i < FEW; i++)
    chat_free (few->chats[i]);
  ring_free (few->ring);
}

/* The chat of a node that is about to be called. */
static Chat *
call (Few *few, unsigned index)
{
  ring_node (few->ring, index)->env.now = few->ring->now;
  return few->chats[index];
}

static void
after (Few *few, unsigned index, SsTime time)
{
  ring_drain (ring_node (few->ring, index));
  ring_run (few->ring, time);
}

/* Strangers enter more rooms than a node carries, and it has to carry them
 * all: it can still enter as many of its own. */
static void
test_crowded (void)
{
  Few few;
  char name[16];
  unsigned number = 0;
  few_init (&few, 1);
  for (unsigned node = 1; node <= 2; node++)
    for (unsigned n = 0; n < STRANGER;) {
      const SsKey *owner = &few.signers[node].key;
      g_snprintf (name, sizeof name, "room %u", number++);
      SsId id = ss_group_id_of (owner, name);
      if (ring_closest (few.ring, &id)->index != CROWDED)
        continue;
      g_assert_nonnull (chat_enter (call (&few, node), owner, name, NULL));
      after (&few, node, 100 * SS_MSEC);
      n++;
    }
  ring_run (few.ring, 2 * SS_SEC);
  const SsKey *owner = &few.signers[CROWDED].key;
  for (unsigned i = 0; i < CHAT_ROOMS_MAX; i++) {
    g_snprintf (name, sizeof name, "own %u", i);
    g_assert_nonnull (chat_enter (call (&few, CROWDED), owner, name, NULL));
  }
  g_assert_null (chat_enter (call (&few, CROWDED), owner, "another", NULL));
  g_assert_nonnull (chat_enter (call (&few, CROWDED), owner, name, NULL));
  after (&few, CROWDED, SS_SEC);
  few_clear (&few);
}

/* Who goes from room to room is not in those that it has left, though it still
 * carries them for a while; when it has carried too many it has to wait. */
static void
test_restless (void)
{
  Few few;
  char name[16];
  few_init (&few, 3);
  const SsKey *owner = &few.signers[0].key;
  unsigned n_entered = 0;
  for (unsigned i = 0; i < 6 * CHAT_ROOMS_MAX; i++) {
    g_snprintf (name, sizeof name, "room %u", i);
    ChatRoom *room = chat_enter (call (&few, 0), owner, name, NULL);
    if (room) {
      n_entered++;
      chat_leave (room);
    }
    after (&few, 0, 10 * SS_MSEC);
  }
  g_assert_cmpuint (n_entered, >=, 2 * CHAT_ROOMS_MAX);
  g_assert_cmpuint (n_entered, <, 6 * CHAT_ROOMS_MAX);
  after (&few, 0, 60 * SS_SEC);
  g_assert_nonnull (chat_enter (call (&few, 0), owner, "the last", NULL));
  few_clear (&few);
}

/* Who has entered a room twice is in it until it has left it twice. */
static void
test_entered_twice (void)
{
  Few few;
  few_init (&few, 2);
  const SsKey *owner = &few.signers[0].key;
  ChatRoom *own = chat_enter (call (&few, 0), owner, "kitchen", NULL);
  after (&few, 0, SS_SEC);
  ChatRoom *room = chat_enter (call (&few, 1), owner, "kitchen", NULL);
  g_assert_true (chat_enter (few.chats[1], owner, "kitchen", NULL) == room);
  after (&few, 1, 2 * SS_SEC);
  for (unsigned left = 0; left < 2; left++) {
    call (&few, 0);
    g_assert_true (chat_say (own, "tea?"));
    after (&few, 0, 2 * SS_SEC);
    g_assert_cmpuint (few.n[1].heard, ==, left + 1);
    call (&few, 1);
    chat_leave (room);
    after (&few, 1, SS_SEC);
  }
  call (&few, 0);
  g_assert_true (chat_say (own, "nobody?"));
  after (&few, 0, 2 * SS_SEC);
  g_assert_cmpuint (few.n[1].heard, ==, 2);
  g_assert_cmpuint (few.n[0].heard, ==, 3);
  few_clear (&few);
}

/* A room whose key is no node's: who has it lets those speak that ask, once
 * the room is open. */
static void
test_host (void)
{
  enum { HOST, ASKING, SILENT };
  Few few;
  ChatRoom *rooms[FEW - 1];
  SsSigner key;
  few_init (&few, 3);
  ss_signer_init (&key, (const uint8_t[SS_SEED_LEN]){ 7 });
  for (unsigned i = 0; i < G_N_ELEMENTS (rooms); i++) {
    rooms[i] = chat_enter (call (&few, i), &key.key, "kitchen", NULL);
    g_assert_false (chat_may_speak (rooms[i]));
    after (&few, i, 2 * SS_SEC);
  }
  /* In vain: nobody has the key yet; then the room is closed. */
  few.n[HOST].is_closed = true;
  for (unsigned i = 0; i < 3; i++) {
    call (&few, ASKING);
    chat_ask (rooms[ASKING], "dora");
    after (&few, ASKING, 20 * SS_SEC);
    g_assert_cmpuint (few.n[HOST].asked, ==, i);
    g_assert_cmpuint (few.n[ASKING].refused, ==, i > 0);
    g_assert_cmpuint (few.n[ASKING].admitted, ==, i == 2);
    g_assert_true (chat_may_speak (rooms[ASKING]) == (i == 2));
    call (&few, HOST);
    if (i == 0)
      chat_host (rooms[HOST], &key);
    few.n[HOST].is_closed = i == 0;
  }
  for (unsigned i = 0; i < G_N_ELEMENTS (rooms); i++) {
    call (&few, i);
    g_assert_true (chat_say (rooms[i], "tea?") == (i != SILENT));
    after (&few, i, 2 * SS_SEC);
    g_assert_cmpuint (chat_n_unsaid (rooms[i]), ==, 0);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS (rooms); i++)
    g_assert_cmpuint (few.n[i].heard, ==, 2);
  few_clear (&few);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned seed = 1; seed <= 8; seed++) {
    char path[16];
    g_snprintf (path, sizeof path, "/chat/%u", seed);
    g_test_add_data_func (path, GUINT_TO_POINTER (seed), test_party);
  }
  g_test_add_func ("/chat/crowded", test_crowded);
  g_test_add_func ("/chat/restless", test_restless);
  g_test_add_func ("/chat/entered-twice", test_entered_twice);
  g_test_add_func ("/chat/host", test_host);
  return g_test_run ();
}
