/* The root of an ordered group that more sources speak in than it knows: who is
 * forgotten, who has to wait, what is told, and what all cost in memory. */
#include <glib.h>
#include <malloc.h>

#include "tests/harness/scribe_hub.h"

#define SOURCE_BYTES  300 /* at most, of one that has no message */
#define MESSAGE_BYTES (78 * 1024 * 1024) /* at most, of all messages */

static const SsFamilyConfig config = { .mode = SS_GROUP_ORDERED };

typedef struct {
  Hub hub;
  SsGroup *group;
} Room;

static void
room_init (Room *room)
{
  hub_init (&room->hub, &config, false);
  SsId id = hub_group_id (0);
  room->group = ss_group_open (room->hub.family, &id, &room->hub);
  ss_group_join (room->group);
  ss_upstream_become_root (room->group);
  hub_run (&room->hub, SS_SEC);
  g_assert_true (room->group->ordered->is_ready);
}

/* True: it was taken. A source's epoch is its number. */
static bool
say (Room *room, unsigned source, uint32_t sequence)
{
  unsigned before = room->hub.n_messages;
  hub_take_submit (&room->hub, room->group, source, source, sequence, NULL, 0);
  return room->hub.n_messages == before + 1;
}

static void
test_forgotten (void)
{
  const unsigned n = SS_ORDERED_SOURCES_MAX;
  Room room;
  room_init (&room);
  for (unsigned i = 1; i <= n; i++) {
    g_assert_true (say (&room, i, 1));
    hub_run (&room.hub, 5 * SS_MSEC);
  }
  /* No more while all of them speak; what it has to say stays with it. */
  g_assert_false (say (&room, n + 1, 1));
  hub_run (&room.hub, SS_ORDERED_HOLD);
  for (unsigned i = 2; i <= n; i++)
    g_assert_true (say (&room, i, 2));
  g_assert_false (say (&room, 1, 1)); /* it is had already, */
  g_assert_false (say (&room, n + 1, 1));
  hub_run (&room.hub, SS_ORDERED_HOLD); /* and now the first to be forgotten */
  for (unsigned i = 2; i <= n; i++)
    g_assert_true (say (&room, i, 3));
  g_assert_true (say (&room, n + 1, 1));
  g_assert_cmpuint (room.hub.n_skipped, ==, 0);
  /* It comes back: nothing twice, and what may be lost is told. */
  hub_run (&room.hub, SS_ORDERED_HOLD);
  g_assert_true (say (&room, 1, 2));
  g_assert_false (say (&room, 1, 1));
  g_assert_true (say (&room, 1, 3));
  g_assert_cmpuint (room.hub.n_skipped, ==, 1);
  /* A new one, of whatever epoch, begins with its first. */
  hub_run (&room.hub, SS_ORDERED_HOLD);
  g_assert_true (say (&room, n + 2, 1));
  g_assert_cmpuint (room.hub.n_skipped, ==, 1);
  g_assert_cmpuint (room.group->ordered->logs->len, ==, n);
  hub_clear (&room.hub);
}

/* A source that does not hold itself back does not have all others carry what
 * it says, whatever it calls itself; what comes again costs nothing. */
static void
test_flood (void)
{
  enum { SECONDS = 20, PER_SECOND = 1000 };
  const unsigned most = SS_SUBMIT_BURST + SECONDS * SS_SUBMIT_RATE;
  for (unsigned is_anew = 0; is_anew < 2; is_anew++) {
    Room room;
    room_init (&room);
    unsigned said = 0, honest = 0;
    for (unsigned i = 0; i < SECONDS * PER_SECOND; i++) {
      unsigned before = room.hub.n_messages;
      hub_take_submit (&room.hub, room.group, 1, is_anew ? said + 1 : 1,
                       is_anew ? 1 : said + 1, NULL, 0);
      said += room.hub.n_messages - before;
      if (i % (PER_SECOND / 25) == 0) {
        g_assert_true (say (&room, 2, ++honest));
        for (unsigned again = 0; again < 5; again++)
          g_assert_false (say (&room, 2, honest));
      }
      hub_run (&room.hub, SS_SEC / PER_SECOND);
    }
    g_assert_cmpuint (said, >, SS_ORDERED_LOG_MAX);
    g_assert_cmpuint (said, <=, most);
    hub_clear (&room.hub);
  }
}

/* That a group is not ordered was the word of who asked for it to be carried:
 * its sources are heard as soon as the application opens it. */
static void
test_mode (void)
{
  const SsFamilyConfig live = { .mode = SS_GROUP_LIVE };
  Room room;
  hub_init (&room.hub, &live, false);
  hub_take_join (&room.hub, 0, 1, SS_JOIN_MEMBER, false);
  SsId id = hub_group_id (0);
  room.group = ss_scribe_find (room.hub.scribe, &id);
  g_assert_true (ss_group_is_root (room.group));
  room.hub.family = ss_family_new (room.hub.scribe, &config);
  g_assert_true (ss_group_open (room.hub.family, &id, &room.hub) == room.group);
  ss_group_join (room.group);
  hub_run (&room.hub, SS_SEC);
  g_assert_true (say (&room, 2, 1));
  hub_clear (&room.hub);
}

static size_t
allocated (void)
{
  struct mallinfo2 info = mallinfo2 ();
  return info.uordblks + info.hblkhd;
}

static void
test_memory (void)
{
  const unsigned n = SS_ORDERED_SOURCES_MAX;
  const unsigned each = SS_ORDERED_KEPT_MAX / n + 5;
  const uint8_t data[SS_SCRIBE_MESSAGE_MAX] = { 0 };
  Room room;
  room_init (&room);
  size_t before = allocated ();
  for (unsigned i = 1; i <= n; i++) {
    SsId source = hub_contact (i).id;
    g_assert_nonnull (ss_log_get (room.group, &source, 1, 1));
  }
  size_t of_source = (allocated () - before) / n;
  before = allocated ();
  for (uint32_t sequence = 1; sequence <= each; sequence++)
    for (unsigned i = 1; i <= n; i++)
      hub_take_submit (&room.hub, room.group, i, 1, sequence, data,
                       sizeof data);
  g_assert_cmpuint (room.hub.n_messages, ==, n * each);
  size_t of_messages = allocated () - before;
  unsigned kept = 0;
  for (unsigned i = 0; i < n; i++) {
    const SsSourceLog *log = g_ptr_array_index (room.group->ordered->logs, i);
    kept += log->entries->len;
  }
  g_test_message ("%zu bytes for a source, %zu for %u messages", of_source,
                  of_messages, kept);
  g_assert_cmpuint (kept, ==, SS_ORDERED_KEPT_MAX);
  g_assert_cmpuint (of_source, <=, SOURCE_BYTES);
  g_assert_cmpuint (of_messages, <=, MESSAGE_BYTES);
  hub_clear (&room.hub);
}

/* What comes after a gap takes no more room than that, whoever sends it; nor
 * does it take that of what is next. */
static void
test_ahead (void)
{
  const unsigned n = SS_ORDERED_SOURCES_MAX;
  Room room;
  room_init (&room);
  for (unsigned i = 1; i <= n; i++)
    g_assert_true (say (&room, i, 1));
  for (uint32_t sequence = 3; sequence < 3 + SS_ORDERED_AHEAD_MAX; sequence++)
    for (unsigned i = 1; i <= n; i++)
      g_assert_false (say (&room, i, sequence));
  unsigned kept = 0;
  for (unsigned i = 0; i < n; i++) {
    const SsSourceLog *log = g_ptr_array_index (room.group->ordered->logs, i);
    kept += log->entries->len;
  }
  g_assert_cmpuint (kept, ==, SS_ORDERED_KEPT_MAX);
  unsigned before = room.hub.n_messages;
  hub_take_submit (&room.hub, room.group, 1, 1, 2, NULL, 0);
  g_assert_cmpuint (room.hub.n_messages, >, before);
  hub_clear (&room.hub);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/sources/forgotten", test_forgotten);
  g_test_add_func ("/scribe/sources/mode", test_mode);
  g_test_add_func ("/scribe/sources/flood", test_flood);
  g_test_add_func ("/scribe/sources/ahead", test_ahead);
  g_test_add_func ("/scribe/sources/memory", test_memory);
  return g_test_run ();
}
