/* Suspects are tried through other leaves too: a bad link between two leaves
 * kills neither, and what one has for the other arrives; who is dead is not
 * kept alive by a liar. */
#include <string.h>

#include "overlay/pastry/internal.h"
#include "tests/harness/ring.h"

#define N         40
#define LEAF_SET  16
#define SEEDS     4
#define DETECTION (5 * SS_SEC)

typedef struct {
  Ring *ring;
  RingNode *one, *other;
} Pair;

/* Two of a ring, so many places apart, whose link is cut: from the one to the
 * other, or both ways. */
static Pair
cut_pair (uint64_t seed, unsigned apart, bool both_ways)
{
  RingOptions options = {
    .delay_min = 20 * SS_MSEC,
    .delay_max = 20 * SS_MSEC,
    .leaf_set = LEAF_SET,
  };
  Pair pair = { .ring = ring_new (seed, &options) };
  RingNode *nodes[N];
  ring_grow (pair.ring, N);
  g_assert_true (ring_run_until (pair.ring, ring_is_correct, 120 * SS_SEC));
  unsigned n = ring_sorted (pair.ring, nodes);
  unsigned first = (unsigned) ss_rng_below (&pair.ring->rng, n);
  pair.one = nodes[first];
  pair.other = nodes[(first + apart) % n];
  pair.ring->mute = pair.one;
  pair.ring->deaf = pair.other;
  pair.ring->is_cut_both_ways = both_ways;
  return pair;
}

static unsigned
n_gone (Ring *ring)
{
  unsigned n = 0;
  for (unsigned i = 0; i < ring->nodes->len; i++)
    n += ring_node (ring, i)->n_updates[SS_KBR_LEFT];
  return n;
}

static uint64_t
n_deaths (Ring *ring)
{
  uint64_t n = 0;
  for (unsigned i = 0; i < ring->nodes->len; i++)
    n += ring_node (ring, i)->env.counters.value[SS_COUNT_OVERLAY_DEATHS];
  return n;
}

static void
check_cut (uint64_t seed, unsigned apart, bool both_ways)
{
  Pair pair = cut_pair (seed, apart, both_ways);
  Ring *ring = pair.ring;
  uint64_t deaths = n_deaths (ring);
  unsigned gone = n_gone (ring);
  SsId key = pair.other->contact.id, back = pair.one->contact.id;
  key.b[SS_ID_LEN - 1] ^= 1;
  back.b[SS_ID_LEN - 1] ^= 1;

  ring_lookup (pair.one, &key, 0);
  ring_lookup (pair.other, &back, 0);
  ring_run (ring, DETECTION);
  for (unsigned i = 0; i < 20; i++) {
    uint32_t there = ring_lookup (pair.one, &key, 0);
    uint32_t here = ring_lookup (pair.other, &back, 0);
    ring_run (ring, 5 * SS_SEC);
    g_assert_cmpuint (ring_count_deliveries (ring, there), ==, 1);
    g_assert_cmpuint (ring_delivery (ring, there)->node, ==, pair.other->index);
    g_assert_cmpuint (ring_count_deliveries (ring, here), ==, 1);
    g_assert_cmpuint (ring_delivery (ring, here)->node, ==, pair.one->index);
  }
  g_assert_true (ring_is_correct (ring));
  g_assert_cmpuint (n_deaths (ring), ==, deaths);
  g_assert_cmpuint (n_gone (ring), ==, gone);
  g_assert_true (ss_kbr_is_suspected (pair.one->kbr, &pair.other->contact.id));

  ring->mute = ring->deaf = NULL;
  ring_run (ring, SS_ESTRANGED_MAX + DETECTION);
  g_assert_false (ss_kbr_is_suspected (pair.one->kbr, &pair.other->contact.id));
  g_assert_false (ss_kbr_is_suspected (pair.other->kbr, &pair.one->contact.id));
  ring_check_lookups (ring, 50);
  ring_free (ring);
}

static void
test_cut (void)
{
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    check_cut (seed, 1, true);
    check_cut (seed, 3, true);
  }
}

static void
test_one_way (void)
{
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    check_cut (seed, 1, false);
    check_cut (seed, 3, false);
  }
}

/* Nobody vouches for it any more. */
static void
test_death (void)
{
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    Pair pair = cut_pair (seed, 1, true);
    SsId key = pair.other->contact.id;
    ring_lookup (pair.one, &key, 0);
    ring_run (pair.ring, 60 * SS_SEC);
    g_assert_true (ring_is_correct (pair.ring));
    ring_kill (pair.other);
    g_assert_true (ring_run_until (pair.ring, ring_is_correct, 90 * SS_SEC));
    ring_check_lookups (pair.ring, 50);
    ring_free (pair.ring);
  }
}

/* A leaf answers for a dead one, again and again: only the dead one could. */
static void
test_liar (void)
{
  Pair pair = cut_pair (7, 1, true);
  RingNode *liar = NULL;
  for (unsigned i = 0; i < N && liar == NULL; i++) {
    RingNode *node = ring_node (pair.ring, i);
    if (node != pair.one && node != pair.other
        && ss_leafset_find (&pair.one->pastry->leafset, &node->contact.id))
      liar = node;
  }
  g_assert_nonnull (liar);
  ring_kill (pair.other);
  SsId key = pair.other->contact.id;
  ring_lookup (pair.one, &key, 0);
  unsigned n_lies = 0;
  for (unsigned step = 0; step < 200; step++) {
    const GArray *suspects = pair.one->pastry->suspects;
    for (unsigned i = 0; suspects != NULL && i < suspects->len; i++) {
      SsMsgVouchProof lie = {
        .nonce = g_array_index (suspects, SsSuspect, i).nonce,
      };
      uint8_t buf[SS_MSG_VOUCH_PROOF_MAX];
      memset (lie.proof, (int) step, sizeof lie.proof);
      size_t len = ss_msg_vouch_proof_encode (&lie, buf, sizeof buf);
      ss_pastry_send (liar->pastry, &pair.one->contact, 0, 0, buf, len);
      ring_drain (liar);
      n_lies++;
    }
    ring_run (pair.ring, 50 * SS_MSEC);
  }
  g_assert_cmpuint (n_lies, >, 10);
  g_assert_null (ss_leafset_find (&pair.one->pastry->leafset, &key));
  g_assert_true (ring_run_until (pair.ring, ring_is_correct, 60 * SS_SEC));
  ring_free (pair.ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/vouch/cut", test_cut);
  g_test_add_func ("/pastry/vouch/one-way", test_one_way);
  g_test_add_func ("/pastry/vouch/death", test_death);
  g_test_add_func ("/pastry/vouch/liar", test_liar);
  return g_test_run ();
}
