/* Who may publish in an ordered group: the owner and those it has signed are
 * heard by all, nobody else by anybody, whatever is sent to whom. */
#include <glib.h>
#include <string.h>

#include "scribe/internal.h"
#include "tests/harness/scribe_world.h"

#define N          8
#define PUBLISHERS 3
#define STRIPE     2

static void
test_credential (void)
{
  SsSigner owner, other, publisher;
  uint8_t seeds[3][SS_SEED_LEN] = { { 1 }, { 2 }, { 3 } };
  ss_signer_init (&owner, seeds[0]);
  ss_signer_init (&other, seeds[1]);
  ss_signer_init (&publisher, seeds[2]);
  SsId room = ss_group_id_of (&owner.key, "room");
  SsId attic = ss_group_id_of (&owner.key, "attic");
  SsId others_room = ss_group_id_of (&other.key, "room");
  g_assert_false (ss_id_equal (&room, &attic));
  g_assert_false (ss_id_equal (&room, &others_room));
  SsCredential credential = ss_credential_make (&owner, &room, &publisher.key);
  g_assert_true (
      ss_credential_check (&credential, &owner.key, &room, &publisher.key));
  g_assert_false (
      ss_credential_check (&credential, &owner.key, &attic, &publisher.key));
  g_assert_false (
      ss_credential_check (&credential, &owner.key, &room, &other.key));
  g_assert_false (
      ss_credential_check (&credential, &other.key, &room, &publisher.key));
  for (unsigned i = 0; i < SS_SIGNATURE_LEN; i++) {
    SsCredential changed = credential;
    changed.signature[i] ^= 0x10;
    g_assert_false (
        ss_credential_check (&changed, &owner.key, &room, &publisher.key));
  }
}

static World *
start (uint64_t seed)
{
  WorldOptions options = {
    .seed = seed,
    .n = N,
    .delay = 2 * SS_MSEC,
    .is_ordered = true,
    .n_publishers = PUBLISHERS,
  };
  World *world = world_new (&options);
  for (unsigned i = 0; i < N; i++)
    world_join (world, i);
  world_run (world, 2 * SS_SEC);
  return world;
}

static void
check_heard (const World *world, unsigned messages)
{
  unsigned first;
  for (unsigned source = 0; source < N; source++)
    for (unsigned i = 0; i < N; i++)
      g_assert_cmpuint (world_heard (world, i, source, STRIPE, &first), ==,
                        source < PUBLISHERS ? messages : 0);
}

static void
test_publishers (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    World *world = start (seed);
    for (unsigned i = 0; i < N; i++)
      g_assert_true (world_multicast (world, i, STRIPE) == (i < PUBLISHERS));
    world_run (world, 3 * SS_SEC);
    check_heard (world, 1);
    world_free (world);
  }
}

static uint64_t
rejected (World *world, unsigned node)
{
  const SsEnv *env = world_scribe (world, node)->env;
  return env->counters.value[SS_COUNT_SCRIBE_PACKETS_REJECTED];
}

/* A message that `node` signs, with its own credential if it has one. */
static GBytes *
signed_by (World *world, unsigned node, uint32_t epoch, uint32_t sequence)
{
  SsGroup *group = world_group (world, node, STRIPE);
  ss_ordered_get (group);
  return ss_signed_make (group, epoch, sequence, (const uint8_t *) &sequence,
                         sizeof sequence);
}

/* What it says in another group, with its credential for this one, which all
 * see. */
static GBytes *
signed_elsewhere (World *world, unsigned node, uint32_t epoch,
                  uint32_t sequence)
{
  SsGroup *other = world_group (world, node, STRIPE + 1);
  ss_ordered_get (other);
  GBytes *theirs = ss_signed_make (
      other, epoch, sequence, (const uint8_t *) &sequence, sizeof sequence);
  GBytes *ours = signed_by (world, node, epoch, sequence);
  SsMsgScribeSigned message, credible;
  gsize len;
  const uint8_t *data = g_bytes_get_data (ours, &len);
  g_assert_true (ss_msg_scribe_signed_decode (data, len, &credible));
  data = g_bytes_get_data (theirs, &len);
  g_assert_true (ss_msg_scribe_signed_decode (data, len, &message));
  message.credential = credible.credential;
  uint8_t encoded[SS_MSG_SCRIBE_SIGNED_MAX];
  size_t n = ss_msg_scribe_signed_encode (&message, encoded, sizeof encoded);
  g_bytes_unref (theirs);
  g_bytes_unref (ours);
  return g_bytes_new (encoded, n);
}

static void
submit (World *world, unsigned from, uint32_t epoch, uint32_t sequence,
        GBytes *bytes)
{
  gsize len;
  const uint8_t *data = g_bytes_get_data (bytes, &len);
  SsMsgScribeSubmit message = { .epoch = epoch,
                                .sequence = sequence,
                                .oldest = 1 };
  memcpy (message.tag, world_group_id (world, STRIPE)->b, SS_TAG_LEN);
  message.data = (SsWireBytes){ data, (uint16_t) len };
  uint8_t encoded[SS_MSG_SCRIBE_SUBMIT_MAX];
  size_t n = ss_msg_scribe_submit_encode (&message, encoded, sizeof encoded);
  world_inject (world, from, world_true_root (world, STRIPE), NULL, encoded, n);
}

/* At the root: no credential, somebody else's, another message's signature, or
 * that of the same one in another group. */
static void
test_forged_submissions (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    World *world = start (seed);
    unsigned root = world_true_root (world, STRIPE);
    unsigned good = root == 0 ? 1 : 0, evil = root == N - 1 ? N - 2 : N - 1;
    const struct {
      unsigned signer, sender;
      uint32_t signed_epoch, signed_sequence;
    } cases[] = {
      { evil, evil, 5, 1 }, /* signed, and not allowed to */
      { good, evil, 5, 1 }, /* another's, in its own name */
      { good, good, 5, 2 }, /* of another number */
      { good, good, 4, 1 }, /* and of another epoch */
    };
    for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++) {
      GBytes *bytes = signed_by (world, cases[i].signer, cases[i].signed_epoch,
                                 cases[i].signed_sequence);
      uint64_t before = rejected (world, root);
      submit (world, cases[i].sender, 5, 1, bytes);
      g_assert_cmpuint (rejected (world, root), ==, before + 1);
      g_bytes_unref (bytes);
    }
    GBytes *elsewhere = signed_elsewhere (world, good, 5, 1);
    uint64_t before = rejected (world, root);
    submit (world, good, 5, 1, elsewhere);
    g_assert_cmpuint (rejected (world, root), ==, before + 1);
    g_bytes_unref (elsewhere);
    GBytes *bytes = signed_by (world, good, 5, 1);
    for (gsize i = 0; i < g_bytes_get_size (bytes); i++) {
      gsize len = g_bytes_get_size (bytes);
      uint8_t *changed = g_memdup2 (g_bytes_get_data (bytes, NULL), len);
      changed[i] ^= 1;
      GBytes *forged = g_bytes_new_take (changed, len);
      submit (world, good, 5, 1, forged);
      g_bytes_unref (forged);
    }
    world_run (world, 3 * SS_SEC);
    check_heard (world, 0);
    /* As it is, it is heard by all. */
    submit (world, good, 5, 1, bytes);
    g_bytes_unref (bytes);
    world_run (world, 3 * SS_SEC);
    unsigned first;
    for (unsigned i = 0; i < N; i++)
      g_assert_cmpuint (world_heard (world, i, good, STRIPE, &first), ==, 1);
    world_free (world);
  }
}

/* A parent that makes up what a publisher says, and a root that replicates
 * it. */
static void
test_forged_by_parent (void)
{
  for (uint64_t seed = 1; seed <= 10; seed++) {
    World *world = start (seed);
    unsigned victim = 0;
    while (victim == world_true_root (world, STRIPE))
      victim++;
    unsigned source = (victim + 1) % PUBLISHERS;
    const SsContact *parent =
        ss_group_parent (world_group (world, victim, STRIPE));
    unsigned evil = world_node_of (world, &parent->id);
    GBytes *bytes = signed_by (world, source, 5, 2);
    gsize len;
    const uint8_t *data = g_bytes_get_data (bytes, &len);
    SsMsgScribeMessage message = { .epoch = 5,
                                   .sequence = 1,
                                   .source = *world_node_id (world, source),
                                   .data = { data, (uint16_t) len } };
    memcpy (message.tag, world_group_id (world, STRIPE)->b, SS_TAG_LEN);
    uint8_t encoded[SS_MSG_SCRIBE_MESSAGE_MAX];
    size_t n = ss_msg_scribe_message_encode (&message, encoded, sizeof encoded);
    world_inject (world, evil, victim, NULL, encoded, n);
    g_assert_cmpuint (rejected (world, victim), ==, 1);
    /* The two messages differ in their code alone. */
    encoded[0] = SS_MSG_SCRIBE_REPLICATE;
    world_inject (world, world_true_root (world, STRIPE), victim, NULL, encoded,
                  n);
    g_assert_cmpuint (rejected (world, victim), ==, 2);
    g_bytes_unref (bytes);
    world_run (world, 3 * SS_SEC);
    check_heard (world, 0);
    world_free (world);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe/credentials/credential", test_credential);
  g_test_add_func ("/scribe/credentials/publishers", test_publishers);
  g_test_add_func ("/scribe/credentials/forged-submissions",
                   test_forged_submissions);
  g_test_add_func ("/scribe/credentials/forged-by-parent",
                   test_forged_by_parent);
  return g_test_run ();
}
