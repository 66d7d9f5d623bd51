/* The spare capacity group of a station: what is asked of it, who answers yes,
 * and whose children are advised to go elsewhere. */
#include "tests/harness/show.h"

/* What a question says; splitstream/spare.c. */
enum { WITH_STRIPE, ANY, MORE };

static void
answer (StationNode *node, const SsContact *member)
{
  station_node_wake (node);
  ss_spare_answered (node->splitstream, node->n_searches, member);
}

static void
assert_asked (const StationNode *node, unsigned stripe, unsigned n)
{
  g_assert_cmpuint (node->question[0], ==, stripe);
  g_assert_cmpuint (node->question[1], ==, MORE);
  g_assert_cmpuint (node->question[2], ==, n);
}

/* Of several stripes all but the largest are given away, by turns. */
static void
test_gather (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  node->n_children[2] = 9;
  show_play (show, 5 * SS_SEC);
  g_assert_cmpuint (node->n_searches, ==, 0); /* it has one */
  node->n_children[5] = 12;
  node->roots = 1 << 5;
  show_play (show, 5 * SS_SEC);
  g_assert_cmpuint (node->n_searches, ==, 0); /* and one as its root */
  node->n_children[7] = 3;
  show_play (show, 2 * SS_SEC);
  g_assert_cmpuint (node->n_searches, ==, 1);
  assert_asked (node, 7, 3);
  show_play (show, 5 * SS_SEC); /* one search at a time */
  g_assert_cmpuint (node->n_searches, ==, 1);
  answer (node, &show->publisher->self);
  g_assert_cmpuint (node->n_advised, ==, 3);
  g_assert_cmpuint (node->advised_stripe, ==, 7);
  node->n_children[7] = 2;
  show_play (show, 3 * SS_SEC); /* one has gone: the others are asked about */
  assert_asked (node, 7, 2);
  show_free (show);
}

/* Somebody always says yes, and nobody goes there. */
static void
test_gather_unheeded (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  node->n_children[2] = 9;
  node->n_children[7] = 3;
  for (unsigned i = 0; i < 120; i++) {
    uint32_t before = node->n_searches;
    show_play (show, SS_SEC);
    if (node->n_searches != before)
      answer (node, &show->publisher->self);
  }
  g_assert_cmpuint (node->n_searches, >=, 3);
  g_assert_cmpuint (node->n_searches, <=, 16);
  show_free (show);
}

/* Where nobody is found the largest is offered, too, and patience grows. */
static void
test_gather_in_vain (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  node->n_children[2] = 9;
  node->n_children[7] = 3;
  unsigned n_of[SS_STRIPES] = { 0 };
  for (unsigned i = 0; i < 120; i++) {
    uint32_t before = node->n_searches;
    show_play (show, SS_SEC);
    if (node->n_searches == before)
      continue;
    n_of[node->question[0]]++;
    answer (node, NULL);
  }
  g_assert_cmpuint (n_of[2], >=, 2);
  g_assert_cmpuint (n_of[7], >=, 2);
  g_assert_cmpuint (node->n_searches, ==, n_of[2] + n_of[7]);
  g_assert_cmpuint (node->n_searches, <=, 8);
  g_assert_cmpuint (node->n_advised, ==, 0);
  show_free (show);
}

static void
become_own (SsContact *peer, unsigned stripe)
{
  peer->id.b[0] = (uint8_t) (stripe << 4 | (peer->id.b[0] & 0xf));
}

/* Whose own stripe it is sends nobody to one that is foreign to it: they would
 * come back. */
static void
test_gather_own (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  SsContact member = show->publisher->self;
  become_own (&node->self, 7);
  become_own (&member, 8);
  node->n_children[2] = 9;
  node->n_children[7] = 3;
  show_play (show, 2 * SS_SEC);
  assert_asked (node, 7, 3);
  answer (node, &member);
  g_assert_cmpuint (node->n_advised, ==, 0);
  while (node->question[0] == 7) { /* until it asks for the others */
    answer (node, NULL);
    show_play (show, SS_SEC);
  }
  assert_asked (node, 2, 9);
  answer (node, &member);
  g_assert_cmpuint (node->n_advised, ==, 9);
  g_assert_cmpuint (node->advised_stripe, ==, 2);
  node->n_children[2] = 8;
  show_play (show, 3 * SS_SEC);
  assert_asked (node, 7, 3);
  become_own (&member, 7);
  answer (node, &member);
  g_assert_cmpuint (node->n_advised, ==, 9 + 3);
  g_assert_cmpuint (node->advised_stripe, ==, 7);
  show_free (show);
}

/* Who finds no place in a stripe's tree is led to a node that receives it and
 * has room; if there is none, to a relay that would have to join. */
static void
test_search (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  g_assert_true (station_node_find_place (node, 3));
  g_assert_true (station_node_find_place (node, 3)); /* one search at a time */
  g_assert_cmpuint (node->n_searches, ==, 1);
  g_assert_cmpuint (node->question[0], ==, 3);
  g_assert_cmpuint (node->question[1], ==, WITH_STRIPE);
  answer (node, &show->publisher->self);
  g_assert_cmpuint (node->n_tried, ==, 1);
  g_assert_true (ss_contact_equal (&node->tried, &show->publisher->self));
  g_assert_true (station_node_find_place (node, 3));
  g_assert_cmpuint (node->question[1], ==, WITH_STRIPE);
  answer (node, NULL);
  g_assert_cmpuint (node->n_tried_nobody, ==, 1);
  g_assert_true (station_node_find_place (node, 3));
  g_assert_cmpuint (node->n_searches, ==, 3);
  g_assert_cmpuint (node->question[1], ==, ANY);
  g_assert_true (station_node_find_place (node, 4));
  g_assert_cmpuint (node->question[1], ==, WITH_STRIPE);
  show_free (show);
}

static bool
offers (const StationNode *node)
{
  const SsGroup *group = node->station->spare.group;
  return group != NULL && ss_group_is_member (group);
}

/* It is in the group as long as it has room, and can be reached. */
static void
test_member (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  node->self.flags |= SS_PEER_REACHABLE;
  g_assert_false (offers (node));
  for (unsigned i = 0; i < 2; i++) {
    node->has_room = true;
    show_play (show, 2 * SS_SPARE_INTERVAL);
    g_assert_true (offers (node));
    node->has_room = false; /* it has taken one more, and is full */
    show_play (show, 2 * SS_SPARE_INTERVAL);
    g_assert_false (offers (node));
  }
  node->has_room = true;
  node->self.flags &= (uint8_t) ~SS_PEER_REACHABLE;
  show_play (show, 2 * SS_SPARE_INTERVAL);
  g_assert_false (offers (node));
  show_free (show);
}

static bool
accepts (StationNode *node, unsigned wanted, unsigned n)
{
  const uint8_t question[] = { 7, (uint8_t) wanted, (uint8_t) n };
  SsContact origin = node->self;
  origin.id.b[0] ^= 0x80;
  bool is_before = ss_id_compare (&node->self.id, &origin.id) < 0;
  bool is_accepted =
      ss_spare_asked (node->station, &origin, question, sizeof question);
  /* Of two with as many one only, whoever asks. */
  if (wanted == MORE && n > 0 && node->n_children[7] == n
      && node->n_children[2] > 0)
    g_assert_cmpint (is_accepted, ==, is_before);
  return is_accepted;
}

/* Who has none, or children in this stripe only, or more than the asker. */
static void
test_asked (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  g_assert_false (accepts (node, WITH_STRIPE, 0)); /* no room */
  g_assert_false (accepts (node, MORE, 1));
  node->has_room = true;
  g_assert_true (accepts (node, WITH_STRIPE, 0));
  g_assert_true (accepts (node, MORE, 5));
  node->n_children[7] = 2;
  g_assert_true (accepts (node, MORE, 5));
  node->n_children[2] = 4;
  g_assert_true (accepts (node, WITH_STRIPE, 0));
  g_assert_false (accepts (node, MORE, 5));
  accepts (node, MORE, 2);
  g_assert_true (accepts (node, MORE, 1));
  node->roots = 1 << 2; /* that one counts for nothing */
  g_assert_true (accepts (node, MORE, 5));
  g_assert_false (accepts (node, MORE + 1, 0)); /* no such question */
  /* Only who receives the stripe can pass it on. */
  SsStripe *stripe = &node->station->stripes[7];
  SsGroup *group = stripe->group;
  stripe->group = NULL;
  g_assert_false (accepts (node, WITH_STRIPE, 0));
  g_assert_false (accepts (node, MORE, 5));
  stripe->group = group;
  g_assert_true (accepts (node, WITH_STRIPE, 0));
  show_free (show);
}

/* Nor does one that is foreign to it say yes. */
static void
test_asked_own (void)
{
  static const uint8_t more[] = { 7, MORE, 1 }, room[] = { 7, WITH_STRIPE, 1 };
  StationNode *node;
  Show *show = show_with_one (&node);
  SsContact origin = show->publisher->self;
  node->has_room = true;
  node->n_more_places = 1; /* who gathers keeps none */
  become_own (&origin, 7);
  become_own (&node->self, 2);
  g_assert_false (ss_spare_asked (node->station, &origin, more, sizeof more));
  g_assert_true (ss_spare_asked (node->station, &origin, room, sizeof room));
  become_own (&node->self, 7);
  g_assert_true (ss_spare_asked (node->station, &origin, more, sizeof more));
  become_own (&origin, 2);
  g_assert_true (ss_spare_asked (node->station, &origin, more, sizeof more));
  show_free (show);
}

static bool
has_room_in (StationNode *node, uint8_t stripe, uint8_t who)
{
  const uint8_t question[] = { stripe, WITH_STRIPE, 0 };
  SsContact origin = node->self;
  origin.id.b[1] ^= who;
  return ss_spare_asked (node->station, &origin, question, sizeof question);
}

static bool
has_room_for (StationNode *node, uint8_t who)
{
  return has_room_in (node, 7, who);
}

/* One that has a place, and n more. */
static Show *
show_with_room (StationNode **ret_node, unsigned n)
{
  Show *show = show_with_one (ret_node);
  station_node_wake (*ret_node);
  (*ret_node)->has_room = true;
  (*ret_node)->n_more_places = n;
  return show;
}

/* A place is kept for who was told of it, for a moment, or until it has it. */
static void
test_promise (void)
{
  StationNode *node;
  Show *show = show_with_room (&node, 0);
  g_assert_true (has_room_for (node, 1));
  g_assert_true (has_room_for (node, 1));
  g_assert_false (has_room_for (node, 2));
  node->child = node->self.id;
  node->child.b[1] ^= 1;
  g_assert_true (has_room_for (node, 2)); /* there is another */
  g_assert_false (has_room_for (node, 3));
  show_play (show, SS_PROMISE_TIME / 2);
  station_node_wake (node);
  g_assert_true (has_room_for (node, 2)); /* kept no longer for that */
  show_play (show, SS_PROMISE_TIME / 2);
  station_node_wake (node);
  g_assert_true (has_room_for (node, 3)); /* two has not come */
  node->n_more_places = SS_PROMISES_MAX;
  for (uint8_t who = 4; who < 16; who++) /* more than it keeps in mind */
    g_assert_true (has_room_for (node, who));
  show_free (show);
}

/* One only, whatever stripes it asks for. */
static void
test_promise_one (void)
{
  StationNode *node;
  Show *show = show_with_room (&node, 1);
  for (uint8_t stripe = 0; stripe < SS_STRIPES; stripe++)
    g_assert_true (has_room_in (node, stripe, 1));
  g_assert_true (has_room_for (node, 2));
  g_assert_false (has_room_for (node, 3));
  show_free (show);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/spare/gather", test_gather);
  g_test_add_func ("/splitstream/spare/gather-in-vain", test_gather_in_vain);
  g_test_add_func ("/splitstream/spare/gather-unheeded", test_gather_unheeded);
  g_test_add_func ("/splitstream/spare/gather-own", test_gather_own);
  g_test_add_func ("/splitstream/spare/search", test_search);
  g_test_add_func ("/splitstream/spare/asked", test_asked);
  g_test_add_func ("/splitstream/spare/asked-own", test_asked_own);
  g_test_add_func ("/splitstream/spare/member", test_member);
  g_test_add_func ("/splitstream/spare/promise", test_promise);
  g_test_add_func ("/splitstream/spare/promise-one", test_promise_one);
  return g_test_run ();
}
