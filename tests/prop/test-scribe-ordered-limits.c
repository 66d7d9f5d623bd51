/* Ordered mode at its limits: messages that nobody holds any more. The harness
 * asserts order and uniqueness at every single message. */
#include <glib.h>
#include <string.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

#define GROUP 0

static World *
start_some (unsigned n, unsigned n_members, uint64_t seed, double loss)
{
  WorldOptions options = {
    .seed = seed,
    .n = n,
    .delay = 2 * SS_MSEC,
    .loss = loss,
    .is_ordered = true,
  };
  World *world = world_new (&options);
  for (unsigned i = 0; i < n; i++)
    if (i < n_members)
      world_join (world, i);
    else
      world_open (world, i);
  world_run (world, 2 * SS_SEC);
  return world;
}

static World *
start (unsigned n, uint64_t seed)
{
  return start_some (n, n, seed, 0);
}

/* A message that the node signs but does not send. */
static GBytes *
signed_by (World *world, unsigned node, uint32_t sequence)
{
  SsGroup *group = world_group (world, node, GROUP);
  return ss_signed_make (group, ss_ordered_get (group)->epoch, sequence,
                         (const uint8_t *) &sequence, sizeof sequence);
}

/* One of `source`, which is not sent, comes from one node to another: as a
 * submission if the one is the source, else down the tree. */
static void
pass (World *world, unsigned source, unsigned from, unsigned to,
      uint32_t sequence)
{
  SsGroup *group = world_group (world, source, GROUP);
  GBytes *bytes = signed_by (world, source, sequence);
  gsize len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  SsWireBytes content = { data, (uint16_t) len };
  uint8_t encoded[SS_SCRIBE_PACKET_MAX];
  size_t n;
  if (from == source) {
    SsMsgScribeSubmit message = { .epoch = group->ordered->epoch,
                                  .sequence = sequence,
                                  .oldest = 1,
                                  .data = content };
    memcpy (message.tag, group->id.b, SS_TAG_LEN);
    n = ss_msg_scribe_submit_encode (&message, encoded, sizeof encoded);
  } else {
    SsMsgScribeMessage message = { .source = *world_node_id (world, source),
                                   .epoch = group->ordered->epoch,
                                   .sequence = sequence,
                                   .data = content };
    memcpy (message.tag, group->id.b, SS_TAG_LEN);
    n = ss_msg_scribe_message_encode (&message, encoded, sizeof encoded);
  }
  world_inject (world, from, to, NULL, encoded, n);
  g_bytes_unref (bytes);
}

static void
say (World *world, unsigned source, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    g_assert_true (world_multicast (world, source, GROUP));
    world_run (world, 50 * SS_MSEC);
  }
  world_run (world, 2 * SS_SEC);
}

/* All that live have been given so many of the source's messages, and are told
 * of so many of these that they are lost. */
static void
assert_given (const World *world, unsigned n, unsigned source, unsigned given,
              unsigned lost)
{
  for (unsigned i = 0; i < n; i++) {
    unsigned first;
    if (!world_is_alive (world, i))
      continue;
    g_assert_cmpuint (world_heard (world, i, source, GROUP, &first), ==, given);
    g_assert_cmpuint (first, ==, 1);
    g_assert_cmpuint (world_skipped (world, i, GROUP), ==, lost);
  }
}

enum { NODES = 12, SAID = 5 };

/* The source sends two messages to the root, and dies before the first of them
 * has come: it never will. */
static void
test_source_died (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    World *world = start (NODES, seed);
    unsigned root = world_near (world, GROUP, 0);
    unsigned source = world_near (world, GROUP, NODES - 1);
    say (world, source, SAID);
    pass (world, source, source, root, SAID + 2);
    world_kill (world, source);
    /* Whoever may still bring it is waited for. */
    world_run (world, SS_ORDERED_GIVE_UP - 2 * SS_SEC);
    assert_given (world, NODES, source, SAID, 0);
    world_run (world, 5 * SS_SEC);
    assert_given (world, NODES, source, SAID + 2, 1);
    world_free (world);
  }
}

/* The root dies together with the source, and all that it has got through to
 * anybody is the second of two messages, to one child: the others learn of it
 * from that one. */
static void
test_root_died (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    World *world = start (NODES, seed);
    unsigned root = world_near (world, GROUP, 0);
    unsigned source = world_near (world, GROUP, NODES - 1);
    say (world, source, SAID);
    unsigned child = 0;
    const SsContact *parent;
    while (child == source
           || !(parent = ss_group_parent (world_group (world, child, GROUP)))
           || world_node_of (world, &parent->id) != root)
      child++;
    pass (world, source, root, child, SAID + 2);
    world_kill (world, root);
    world_kill (world, source);
    world_run (world, 2 * SS_ORDERED_GIVE_UP);
    assert_given (world, NODES, source, SAID + 2, 1);
    world_free (world);
  }
}

/* Who asks the root for what is yet to come, and then says that it is gone, has
 * nothing passed over. */
static void
test_liar (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    World *world = start (NODES, seed);
    unsigned root = world_near (world, GROUP, 0);
    unsigned source = world_near (world, GROUP, NODES - 1);
    say (world, source, SAID);
    for (unsigned liar = 0; liar < NODES; liar++) {
      SsMsgScribeFetch fetch = { .source = *world_node_id (world, source),
                                 .first = SAID + 1,
                                 .count = SS_ORDERED_FETCH_MAX };
      SsMsgScribeGone gone = { .source = fetch.source,
                               .first = SAID + 1 + SS_ORDERED_FETCH_MAX };
      const SsGroup *group = world_group (world, source, GROUP);
      fetch.epoch = gone.epoch = group->ordered->epoch;
      memcpy (fetch.tag, group->id.b, SS_TAG_LEN);
      memcpy (gone.tag, group->id.b, SS_TAG_LEN);
      uint8_t data[64];
      size_t n = ss_msg_scribe_fetch_encode (&fetch, data, sizeof data);
      if (liar != root && liar != source)
        world_inject (world, liar, root, NULL, data, n);
      n = ss_msg_scribe_gone_encode (&gone, data, sizeof data);
      if (liar != root && liar != source)
        world_inject (world, liar, root, NULL, data, n);
    }
    say (world, source, SAID);
    assert_given (world, NODES, source, 2 * SAID, 0);
    world_free (world);
  }
}

/* Everybody talks, and then several die at once, the root and those closest to
 * it first: whoever is left agrees with the others on what there is. */
static void
test_many_died (void)
{
  enum { DEAD = 6 };
  uint64_t seeds = g_test_slow () ? 300 : 10;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    World *world = start (NODES, seed);
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    for (unsigned i = 0; i < 200; i++) {
      world_multicast (world, (unsigned) ss_rng_below (&rng, NODES), GROUP);
      world_run (world, 1 * SS_MSEC);
    }
    for (unsigned i = 0; i < DEAD; i++)
      world_kill (world, world_near (world, GROUP, 0));
    world_run (world, 2 * SS_ORDERED_GIVE_UP + 20 * SS_SEC);
    for (unsigned source = 0; source < NODES; source++) {
      unsigned first, given = UINT_MAX;
      for (unsigned i = 0; i < NODES; i++) {
        if (!world_is_alive (world, i))
          continue;
        unsigned heard = world_heard (world, i, source, GROUP, &first);
        const SsSourceLog *log = ss_log_find (world_group (world, i, GROUP),
                                              world_node_id (world, source));
        g_assert_true (given == UINT_MAX || heard == given);
        g_assert_true (!log || log->next == log->known_end);
        given = heard;
      }
    }
    world_free (world);
  }
}

/* As many sources as few groups have, all at once, quiet, and back again:
 * everybody hears each message of each, once. */
static void
test_crowd (void)
{
  enum { CROWD = 300, LISTENERS = 12, ROUNDS = 3 };
  World *world = start_some (CROWD, LISTENERS, 1, 0);
  for (unsigned round = 1; round <= ROUNDS; round++) {
    for (unsigned source = 0; source < CROWD; source++) {
      g_assert_true (world_multicast (world, source, GROUP));
      world_run (world, 5 * SS_MSEC);
    }
    world_run (world, 15 * SS_SEC);
    for (unsigned source = 0; source < CROWD; source++)
      assert_given (world, LISTENERS, source, round, 0);
  }
  world_free (world);
}

/* Who comes late to many sources is told in several messages where they stand,
 * of which some are late themselves: it begins with what is said then. */
static void
test_late (void)
{
  enum { CROWD = 100, LATE = 0 };
  uint64_t seeds = g_test_slow () ? 100 : 10;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    World *world = start_some (CROWD, 0, seed, 0.1);
    for (unsigned round = 1; round <= 2; round++) {
      for (unsigned source = 0; source < CROWD; source++) {
        g_assert_true (world_multicast (world, source, GROUP));
        world_run (world, 5 * SS_MSEC);
      }
      world_run (world, 10 * SS_SEC);
      if (round == 1)
        world_join (world, LATE);
      world_run (world, 5 * SS_SEC);
    }
    g_assert_cmpuint (world_skipped (world, LATE, GROUP), ==, 0);
    for (unsigned source = 0; source < CROWD; source++) {
      unsigned first;
      g_assert_cmpuint (world_heard (world, LATE, source, GROUP, &first), ==,
                        1);
      g_assert_cmpuint (first, ==, 2);
    }
    world_free (world);
  }
}

/* Who leaves a group and comes back at once is heard: its messages are no
 * repetitions. */
static void
test_back (void)
{
  enum { TIMES = 5 };
  World *world = start_some (NODES, 0, 1, 0);
  unsigned root = world_near (world, GROUP, 0);
  unsigned source = world_near (world, GROUP, NODES - 1);
  SsEnv *env = world_scribe (world, source)->env;
  for (uint8_t i = 0; i < TIMES; i++) {
    SsGroup *group = world_group (world, source, GROUP);
    env->now = world_now (world);
    g_assert_true (ss_group_multicast (group, &i, 1));
    world_run (world, 200 * SS_MSEC);
    env->now = world_now (world);
    g_assert_cmpuint (ss_group_n_unstored (group), ==, 0);
    ss_group_leave (group);
    world_open (world, source);
    const SsSourceLog *log = ss_log_find (world_group (world, root, GROUP),
                                          world_node_id (world, source));
    g_assert_nonnull (log);
    g_assert_cmpuint (log->next, ==, 2);
    SsWireBytes data = ss_signed_data (ss_log_entry (log, 1));
    g_assert_cmpuint (data.data[0], ==, i);
  }
  world_free (world);
}

/* A child of the root, and not this one. */
static unsigned
child_of_root (const World *world, unsigned but)
{
  unsigned root = world_near (world, GROUP, 0), child = 0;
  const SsContact *parent;
  while (child == but
         || !(parent = ss_group_parent (world_group (world, child, GROUP)))
         || world_node_of (world, &parent->id) != root)
    child++;
  return child;
}

/* From a node to the root: of so many sources it has something, of the latest
 * epoch that there can be. */
static void
claim (World *world, unsigned from, const SsId *sources, unsigned n)
{
  SsMsgScribeSync sync = { .flags = SS_SYNC_MORE };
  memcpy (sync.tag, world_group_id (world, GROUP)->b, SS_TAG_LEN);
  sync.n_sources = sync.n_epochs = sync.n_firsts = sync.n_nexts = (uint16_t) n;
  for (unsigned i = 0; i < n; i++) {
    sync.sources[i] = sources[i];
    sync.epochs[i] = UINT32_MAX;
    sync.firsts[i] = 1;
    sync.nexts[i] = SAID;
  }
  uint8_t data[SS_MSG_SCRIBE_SYNC_MAX];
  size_t len = ss_msg_scribe_sync_encode (&sync, data, sizeof data);
  world_inject (world, from, world_near (world, GROUP, 0), NULL, data, len);
}

#define FALSE_END 1000000

/* Somebody's word that a source has said more than it has. */
static SsMsgScribeSync
false_word (World *world, unsigned source, uint8_t flags)
{
  const SsGroup *group = world_group (world, source, GROUP);
  SsMsgScribeSync sync = { .flags = flags,
                           .n_sources = 1,
                           .n_epochs = 1,
                           .n_firsts = 1,
                           .n_nexts = 1,
                           .sources = { *world_node_id (world, source) },
                           .epochs = { group->ordered->epoch },
                           .firsts = { FALSE_END },
                           .nexts = { FALSE_END } };
  memcpy (sync.tag, group->id.b, SS_TAG_LEN);
  return sync;
}

/* Nobody silences a source by saying that it has begun anew, whether it has
 * spoken before or not. */
static void
test_false_epoch (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++)
    for (unsigned before = 0; before <= SAID; before += SAID) {
      World *world = start (NODES, seed);
      unsigned source = world_near (world, GROUP, NODES - 1);
      say (world, source, before);
      claim (world, child_of_root (world, source),
             world_node_id (world, source), 1);
      say (world, source, SAID);
      assert_given (world, NODES, source, before + SAID, 0);
      world_free (world);
    }
}

/* Nor can a newcomer's first parent have it wait for what a source never says:
 * the next parent's word counts as much. */
static void
test_false_start (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    World *world = start_some (NODES, 0, seed, 0);
    unsigned newcomer = world_near (world, GROUP, NODES - 1);
    unsigned source = world_near (world, GROUP, NODES - 2);
    for (unsigned i = 0; i < NODES; i++)
      if (i != newcomer)
        world_join (world, i);
    world_run (world, SS_SEC);
    say (world, source, SAID);
    world_join (world, newcomer);
    SsGroup *group = world_group (world, newcomer, GROUP);
    while (!group->has_parent)
      world_run (world, SS_MSEC);
    g_assert_false (group->ordered->is_synced);
    unsigned parent = world_node_of (world, &group->parent.id);
    g_assert_cmpuint (parent, !=, source);
    SsMsgScribeSync sync = false_word (world, source, SS_SYNC_ANSWER);
    uint8_t data[SS_MSG_SCRIBE_SYNC_MAX];
    size_t len = ss_msg_scribe_sync_encode (&sync, data, sizeof data);
    world_inject (world, parent, newcomer, NULL, data, len);
    g_assert_true (group->ordered->is_synced);
    world_kill (world, parent);
    world_run (world, 20 * SS_SEC);
    say (world, source, SAID);
    unsigned first;
    g_assert_cmpuint (world_heard (world, newcomer, source, GROUP, &first), ==,
                      SAID);
    world_free (world);
  }
}

/* What a node is told to be past is no reason to take what nobody has signed
 * for had. */
static void
test_false_message (void)
{
  World *world = start_some (NODES, 0, 1, 0);
  unsigned source = world_near (world, GROUP, NODES - 1);
  SsGroup *group = world_group (world, world_near (world, GROUP, 0), GROUP);
  const SsContact *liar = ss_kbr_self (world_scribe (world, source)->kbr);
  SsSourceLog *log = ss_log_get (group, world_node_id (world, source), 1, SAID);
  log->known_end = SAID + 1;
  log->teller = *liar;
  log->has_teller = true;
  uint8_t text[200] = { 0 };
  SsMsgScribeMessage message = {
    .source = log->id, .epoch = 1, .sequence = 1, .data = { text, sizeof text }
  };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  ss_sync_handle_message (group->scribe, liar, &message);
  g_assert_cmpuint (log->next, ==, SAID);
  g_assert_cmpuint (log->entries->len, ==, 0);
  g_assert_false (log->is_proven);
  world_free (world);
}

/* Nor does anybody end what a source says by claiming that it has said more
 * than it has, and then that this is gone. */
static void
test_false_end (void)
{
  for (uint64_t seed = 1; seed <= 5; seed++) {
    World *world = start (NODES, seed);
    unsigned source = world_near (world, GROUP, NODES - 1);
    say (world, source, SAID);
    unsigned liar = child_of_root (world, source);
    SsMsgScribeSync sync = false_word (world, source, SS_SYNC_MORE);
    SsMsgScribeGone gone = { .source = sync.sources[0],
                             .epoch = sync.epochs[0],
                             .first = FALSE_END };
    memcpy (gone.tag, sync.tag, SS_TAG_LEN);
    uint8_t data[SS_MSG_SCRIBE_SYNC_MAX];
    for (unsigned to = 0; to < NODES; to++) {
      size_t len = ss_msg_scribe_sync_encode (&sync, data, sizeof data);
      if (to != liar)
        world_inject (world, liar, to, NULL, data, len);
      len = ss_msg_scribe_gone_encode (&gone, data, sizeof data);
      if (to != liar)
        world_inject (world, liar, to, NULL, data, len);
    }
    say (world, source, SAID);
    assert_given (world, NODES, source, 2 * SAID, 0);
    world_free (world);
  }
}

/* Nor by speaking of more sources than there is room for, which takes none from
 * those that are heard. */
static void
test_false_sources (void)
{
  enum { AT_ONCE = 24, TIMES = SS_ORDERED_SOURCES_MAX / AT_ONCE + 1 };
  for (uint64_t seed = 1; seed <= 3; seed++) {
    World *world = start (NODES, seed);
    unsigned old = world_near (world, GROUP, NODES - 1);
    unsigned new = world_near (world, GROUP, NODES - 2);
    unsigned liar = child_of_root (world, old);
    say (world, old, SAID);
    world_run (world, SS_ORDERED_HOLD);
    for (unsigned i = 0; i < TIMES; i++) {
      SsId sources[AT_ONCE];
      memset (sources, (int) i, sizeof sources);
      for (unsigned k = 0; k < AT_ONCE; k++)
        sources[k].b[SS_ID_LEN - 1] = (uint8_t) (k + 100);
      claim (world, liar, sources, AT_ONCE);
    }
    say (world, new, SAID);
    say (world, old, SAID);
    assert_given (world, NODES, new, SAID, 0);
    assert_given (world, NODES, old, 2 * SAID, 0);
    world_free (world);
  }
}

/* A root that was cut off while a source began anew is told so by those that
 * took its place, and has from them what that has said. */
static void
test_cut_off (void)
{
  enum { LINES = 3 };
  for (uint64_t seed = 1; seed <= 5; seed++) {
    World *world = start_some (NODES, 0, seed, 0);
    unsigned root = world_near (world, GROUP, 0);
    unsigned source = world_near (world, GROUP, NODES - 1);
    SsEnv *env = world_scribe (world, source)->env;
    for (unsigned round = 0; round < 2; round++) {
      SsGroup *group = world_group (world, source, GROUP);
      for (uint8_t i = 0; i < LINES; i++) {
        env->now = world_now (world);
        g_assert_true (ss_group_multicast (group, &i, 1));
        world_run (world, 200 * SS_MSEC);
      }
      world_run (world, 10 * SS_SEC);
      if (round > 0)
        break;
      world_set_side (world, root, 1);
      world_run (world, 5 * SS_SEC);
      env->now = world_now (world);
      ss_group_leave (group);
      world_open (world, source);
    }
    world_heal (world, SS_SEC);
    world_run (world, 30 * SS_SEC);
    const SsSourceLog *log = ss_log_find (world_group (world, root, GROUP),
                                          world_node_id (world, source));
    g_assert_nonnull (log);
    g_assert_cmpuint (log->epoch, ==,
                      world_group (world, source, GROUP)->ordered->epoch);
    g_assert_cmpuint (log->next, ==, LINES + 1);
    world_free (world);
  }
}

/* Who asks how far the logs are without end is not answered without end: there
 * may be many sources to speak of. */
static void
test_questions (void)
{
  enum { CROWD = 100, LISTENERS = 12, PER_SECOND = 500, SECONDS = 5 };
  World *world = start_some (CROWD, LISTENERS, 1, 0);
  for (unsigned source = 0; source < CROWD; source++) {
    g_assert_true (world_multicast (world, source, GROUP));
    world_run (world, 5 * SS_MSEC);
  }
  world_run (world, 5 * SS_SEC);
  unsigned root = world_near (world, GROUP, 0);
  unsigned child = child_of_root (world, root);
  SsMsgScribeSync ask = { .flags = SS_SYNC_ASK };
  memcpy (ask.tag, world_group_id (world, GROUP)->b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_SYNC_MAX];
  size_t len = ss_msg_scribe_sync_encode (&ask, data, sizeof data);
  world_reset_counts (world);
  for (unsigned i = 0; i < SECONDS * PER_SECOND; i++) {
    world_inject (world, child, root, NULL, data, len);
    world_run (world, SS_SEC / PER_SECOND);
  }
  g_test_message ("%" G_GUINT64_FORMAT " bytes",
                  world_control_bytes (world, root));
  g_assert_cmpuint (
      world_control_bytes (world, root), <,
      1000 * (SS_ANSWER_BURST + SECONDS * SS_ANSWER_RATE_MIN + 100));
  /* Nor is it told after each message because it says that it is there. */
  SsMsgScribeKeepalive there = { .n_tags = 1 };
  there.tags[0] = ss_tag_number (world_group_id (world, GROUP));
  uint64_t bytes[2];
  for (unsigned is_often = 0; is_often < 2; is_often++) {
    world_reset_counts (world);
    for (unsigned i = 0; i < SECONDS * 20; i++) {
      uint8_t alive[SS_MSG_SCRIBE_KEEPALIVE_MAX];
      len = ss_msg_scribe_keepalive_encode (&there, alive, sizeof alive);
      if (is_often)
        world_inject (world, child, root, NULL, alive, len);
      world_multicast (world, i % CROWD, GROUP);
      world_run (world, 50 * SS_MSEC);
    }
    bytes[is_often] = world_control_bytes (world, root);
  }
  g_test_message ("%" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT, bytes[0],
                  bytes[1]);
  g_assert_cmpuint (bytes[1], <, bytes[0] + bytes[0] / 2);
  world_free (world);
}

/* What a source has been told is stored is on three nodes, and outlives two of
 * them: it is there for who joins after that, though nobody was a member
 * before, nor knew of the group. So it is where a node closer than these has
 * become the root. */
static void
test_stored (void)
{
  uint64_t seeds = g_test_slow () ? 200 : 60;
  for (uint64_t seed = 1; seed <= seeds; seed++) {
    WorldOptions options = { .seed = seed,
                             .n = NODES,
                             .delay = 2 * SS_MSEC,
                             .loss = 0.1,
                             .is_ordered = true,
                             .backlog = SAID };
    World *world = world_new (&options);
    unsigned closer = world_near (world, GROUP, 0);
    if (seed % 2)
      world_set_in_ring (world, closer, false);
    unsigned source = world_near (world, GROUP, NODES - 2);
    unsigned late = world_near (world, GROUP, NODES - 3);
    for (unsigned i = 0; i < NODES; i++)
      if (i == source || seed % 4 < 2)
        world_open (world, i);
    world_run (world, 2 * SS_SEC);
    for (unsigned i = 0; i < SAID; i++)
      g_assert_true (world_multicast (world, source, GROUP));
    while (ss_group_n_unstored (world_group (world, source, GROUP)) > 0)
      world_run (world, SS_MSEC);
    if (seed % 2) {
      world_set_in_ring (world, closer, true);
      world_run (world, 3 * SS_SEC);
    }
    for (unsigned i = 0; i < 2; i++)
      world_kill (world, world_near (world, GROUP, 0));
    world_run (world, 10 * SS_SEC);
    world_join (world, late);
    world_run (world, 10 * SS_SEC);
    unsigned first;
    unsigned heard = world_heard (world, late, source, GROUP, &first);
    g_test_message ("seed %u: %u", (unsigned) seed, heard);
    g_assert_cmpuint (heard, ==, SAID);
    world_free (world);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/ordered-limits/source-died", test_source_died);
  g_test_add_func ("/scribe/ordered-limits/root-died", test_root_died);
  g_test_add_func ("/scribe/ordered-limits/liar", test_liar);
  g_test_add_func ("/scribe/ordered-limits/many-died", test_many_died);
  g_test_add_func ("/scribe/ordered-limits/crowd", test_crowd);
  g_test_add_func ("/scribe/ordered-limits/late", test_late);
  g_test_add_func ("/scribe/ordered-limits/false-epoch", test_false_epoch);
  g_test_add_func ("/scribe/ordered-limits/false-end", test_false_end);
  g_test_add_func ("/scribe/ordered-limits/false-start", test_false_start);
  g_test_add_func ("/scribe/ordered-limits/false-message", test_false_message);
  g_test_add_func ("/scribe/ordered-limits/false-sources", test_false_sources);
  g_test_add_func ("/scribe/ordered-limits/questions", test_questions);
  g_test_add_func ("/scribe/ordered-limits/stored", test_stored);
  g_test_add_func ("/scribe/ordered-limits/cut-off", test_cut_off);
  g_test_add_func ("/scribe/ordered-limits/back", test_back);
  return g_test_run ();
}
