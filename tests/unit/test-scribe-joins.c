/* JOINs: answers and LEAVEs that meet on the way, where what is taken back is
 * the JOIN that was meant, and no later one; and who finds a place where when
 * it has lost its parent. */
#include <glib.h>
#include <string.h>

#include "scribe/parent.h"
#include "tests/harness/scribe_world.h"

enum { N = 4, STRANGER = N - 1, FIRST = 5, SECOND = 6, ANY = 0 };

static void
inject_orphan (World *world, unsigned to, uint32_t nonce, uint32_t lost)
{
  SsMsgScribeJoin join = { .group = *world_group_id (world, 0),
                           .nonce = nonce,
                           .lost = lost,
                           .load_max = 8 };
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  size_t len = ss_msg_scribe_join_encode (&join, data, sizeof data);
  world_inject (world, STRANGER, to, NULL, data, len);
  world_run (world, 10 * SS_MSEC);
}

static void
inject_join (World *world, unsigned to, uint32_t nonce)
{
  inject_orphan (world, to, nonce, 0);
}

static void
inject_leave (World *world, unsigned to, uint32_t nonce)
{
  SsMsgScribeLeave leave = { .nonce = nonce };
  memcpy (leave.tag, world_group_id (world, 0)->b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_LEAVE_MAX];
  size_t len = ss_msg_scribe_leave_encode (&leave, data, sizeof data);
  world_inject (world, STRANGER, to, NULL, data, len);
  world_run (world, 10 * SS_MSEC);
}

/* Of n nodes the first so many are in all trees. */
static World *
start (uint64_t seed, unsigned n, unsigned n_joined, SsTime time)
{
  WorldOptions options = { .seed = seed, .n = n, .delay = SS_MSEC };
  World *world = world_new (&options);
  for (unsigned i = 1; i < n_joined; i++)
    world_join (world, i);
  world_run (world, time);
  return world;
}

static World *
start_few (unsigned n, unsigned n_joined)
{
  return start (7, n, n_joined, 3 * SS_SEC);
}

/* An earlier search's answer comes late and is refused, while a later search
 * has found the same parent. */
static void
test_leave_of_an_earlier_join (void)
{
  World *world = start_few (N, STRANGER);
  const SsId *child = world_node_id (world, STRANGER);
  SsGroup *group = world_group (world, 1, 0);
  inject_join (world, 1, FIRST);
  g_assert_nonnull (ss_group_child_find (group, child));
  inject_join (world, 1, SECOND);
  inject_leave (world, 1, FIRST);
  g_assert_nonnull (ss_group_child_find (group, child));
  inject_leave (world, 1, SECOND);
  g_assert_null (ss_group_child_find (group, child));
  /* Who does not know which one is meant takes all of them back. */
  inject_join (world, 1, FIRST);
  inject_leave (world, 1, ANY);
  g_assert_null (ss_group_child_find (group, child));
  world_free (world);
}

/* A child goes to whom its parent names if that has room, and stays if not. */
static void
advise (bool has_room)
{
  World *world = start_few (12, 12);
  unsigned root = world_true_root (world, 0);
  SsContact children[2];
  SsGroup *group = world_group (world, root, 0);
  g_assert_cmpuint (ss_group_children (group, children, 2), ==, 2);
  unsigned better = world_node_of (world, &children[0].id);
  ss_family_set_bound (world_family (world, better), has_room ? 1000 : 0);
  world_publish (world, true);
  ss_group_advise (group, &children[0]);
  world_run (world, 3 * SS_SEC);
  const SsContact *parent = ss_group_parent (
      world_group (world, world_node_of (world, &children[1].id), 0));
  g_assert_true (ss_id_equal (&parent->id,
                              world_node_id (world, has_room ? better : root)));
  world_free (world);
}

static void
test_advice (void)
{
  advise (true);
  advise (false);
}

/* Below another orphan of the same parent there is no place: both would be
 * taken, each by the other. Nor is there any to be offered to who seeks spare
 * capacity. */
static void
test_fellow_orphan (void)
{
  World *world = start_few (N, STRANGER);
  unsigned at = ss_group_is_root (world_group (world, 1, 0)) ? 2 : 1;
  SsGroup *group = world_group (world, at, 0);
  SsContact parent = *ss_group_parent (group);
  SsContact stranger = { .id = *world_node_id (world, STRANGER) };
  inject_orphan (world, at, FIRST, ss_prefix_of (&stranger.id));
  g_assert_nonnull (ss_group_child_find (group, &stranger.id));
  inject_leave (world, at, FIRST);
  g_assert_true (ss_group_has_room_for (group, &stranger));
  world_kill (world, world_node_of (world, &parent.id));
  ss_kbr_suspect (group->scribe->kbr, &parent);
  ss_join_start (group, &parent);
  g_assert_true (ss_group_in_tree (group));
  g_assert_false (ss_group_has_room_for (group, &stranger));
  inject_orphan (world, at, SECOND, ss_prefix_of (&parent.id));
  g_assert_null (ss_group_child_find (group, &stranger.id));
  world_free (world);
}

/* Nobody offers a place to a node that it is below itself, be that its parent
 * or one further up: the two would feed each other. */
static void
test_not_below_the_orphan (void)
{
  WorldOptions options = {
    .seed = 3, .n = 60, .delay = SS_MSEC, .children_max = 24
  };
  World *world = world_new (&options);
  for (unsigned i = 1; i < options.n; i++)
    world_join (world, i);
  world_run (world, 10 * SS_SEC);
  SsContact stranger = { .id = { { 0xff } } };
  unsigned n_parents = 0, n_higher = 0;
  for (unsigned i = 1; i < options.n; i++)
    for (unsigned stripe = 0; stripe < WORLD_STRIPES; stripe++) {
      SsGroup *group = world_group (world, i, stripe);
      if (!ss_group_has_room_for (group, &stranger))
        continue; /* full */
      const SsContact *above = ss_group_parent (group);
      for (unsigned level = 0; above; level++) {
        g_assert_false (ss_group_has_room_for (group, above));
        *(level == 0 ? &n_parents : &n_higher) += 1;
        unsigned at = world_node_of (world, &above->id);
        above = ss_group_parent (world_group (world, at, stripe));
      }
    }
  g_test_message ("%u parents, %u higher up", n_parents, n_higher);
  g_assert_cmpuint (n_parents, >, 100);
  g_assert_cmpuint (n_higher, >, 100);
  world_free (world);
}

/* A child of the root of stripe 0; its own stripe's, or another's. */
static SsChild *
find_child (World *world, SsGroup *root, bool is_own)
{
  for (unsigned i = 0; i < ss_group_child_count (root); i++) {
    SsChild *child = ss_group_child_at (root, i);
    if (ss_place_is_own (root, &child->contact.id) == is_own
        && ss_id_compare (&child->contact.id, world_node_id (world, 0)) != 0)
      return child;
  }
  return NULL;
}

/* So many nodes, all in all trees; the root of the first stripe. */
static World *
settle (unsigned n, SsGroup **ret_root)
{
  World *world = start (1, n, n, 10 * SS_SEC);
  *ret_root = world_group (world, world_true_root (world, 0), 0);
  return world;
}

/* The stripe's own nodes are full. An orphan is sent to who has room, whosever
 * stripe it is; who has a place, or comes anew, is not. */
static void
test_own_are_full (void)
{
  SsGroup *root;
  World *world = settle (60, &root);
  SsChild *own = find_child (world, root, true);
  SsChild *foreign = find_child (world, root, false);
  g_assert_nonnull (own);
  g_assert_nonnull (foreign);
  for (unsigned i = 0; i < ss_group_child_count (root); i++) {
    SsChild *child = ss_group_child_at (root, i);
    child->room = 0;
    ss_neighbour_load (root->scribe, &child->contact, 8, 8);
  }
  ss_neighbour_load (root->scribe, &foreign->contact, 7, 8);
  SsContact named[SS_REDIRECT_MAX];
  SsSeeker seeker = { .id = { { 0xff } } };
  g_assert_cmpuint (ss_place_choose (root, &seeker, named), ==, 0);
  seeker.orphan = true;
  g_assert_cmpuint (ss_place_choose (root, &seeker, named), ==, 1);
  g_assert_true (ss_contact_equal (&named[0], &foreign->contact));
  own->room = 3;
  g_assert_cmpuint (ss_place_choose (root, &seeker, named), ==, 2);
  g_assert_true (ss_contact_equal (&named[0], &own->contact));
  world_free (world);
}

/* Who has been there for longer, on a good line, is named first; of two alike
 * the one with fewer children. */
static void
test_standing_is_named_first (void)
{
  SsGroup *root;
  World *world = settle (120, &root);
  SsChild *own[2] = { NULL };
  unsigned n_own = 0;
  for (unsigned i = 0; i < ss_group_child_count (root); i++) {
    SsChild *child = ss_group_child_at (root, i);
    child->room = 0;
    if (n_own < 2 && ss_place_is_own (root, &child->contact.id))
      own[n_own++] = child;
  }
  g_assert_cmpuint (n_own, ==, 2);
  const SsContact *one = &own[0]->contact, *other = &own[1]->contact;
  own[0]->room = own[1]->room = 5;
  SsContact named[SS_REDIRECT_MAX];
  SsSeeker seeker = { .id = { { 0xff } } };

  ss_neighbour_load (root->scribe, one, 4, 20);
  ss_neighbour_load (root->scribe, other, 2, 20);
  ss_standing_note (root->scribe, one, 2 * SS_STANDING_LINE + 1);
  ss_standing_note (root->scribe, other, 2 * SS_STANDING_LINE + 1);
  g_assert_cmpuint (ss_place_choose (root, &seeker, named), >=, 2);
  g_assert_true (ss_contact_equal (&named[0], other));
  ss_standing_note (root->scribe, one, 2 * SS_STANDING_LINE + 4);
  ss_place_choose (root, &seeker, named);
  g_assert_true (ss_contact_equal (&named[0], one));
  ss_standing_note (root->scribe, one, 5); /* its line is poor */
  ss_place_choose (root, &seeker, named);
  g_assert_true (ss_contact_equal (&named[0], other));
  world_free (world);
}

static SsTime
rtt_not_known (SsKbr *kbr, const SsId *peer)
{
  return SS_NEVER;
}

/* A line is not poor because nobody has measured it yet. */
static void
test_standing_not_measured (void)
{
  SsGroup *root;
  World *world = settle (120, &root);
  SsFamily *family = world_family (world, 1);
  SsKbr *kbr = family->scribe->kbr;
  SsKbrClass class = *kbr->class;
  world_publish (world, true);
  world_run (world, 2 * SS_STANDING_AGE);
  g_assert_cmpuint (ss_standing_of (family) / SS_STANDING_LINE, ==, 2);
  const SsKbrClass *before = kbr->class;
  class.rtt = rtt_not_known;
  kbr->class = &class;
  g_assert_cmpuint (ss_standing_of (family) / SS_STANDING_LINE, ==, 1);
  kbr->class = before;
  world_free (world);
}

/* At a full root one of its own stripe's makes way for another that has been
 * there for longer, and for no newcomer, though that shares more with the
 * stripe's id. */
static void
test_newcomers_make_way (void)
{
  SsGroup *root;
  World *world = settle (120, &root);
  for (SsChild *child; (child = find_child (world, root, false)) != NULL;) {
    SsId id = child->contact.id;
    ss_group_child_remove (root, &id);
  }
  for (unsigned i = 0; i < ss_group_child_count (root); i++) {
    SsChild *child = ss_group_child_at (root, i);
    ss_standing_note (root->scribe, &child->contact, SS_STANDING_LINE + 4);
  }
  SsContact joiner = { .id = root->id };
  joiner.id.b[SS_ID_LEN - 1] ^= 1;
  ss_standing_note (root->scribe, &joiner, SS_STANDING_LINE);
  g_assert_false (ss_shed_for (root, &joiner.id));
  SsChild *young = find_child (world, root, true);
  g_assert_nonnull (young);
  ss_standing_note (root->scribe, &young->contact, SS_STANDING_LINE + 1);
  ss_standing_note (root->scribe, &joiner, SS_STANDING_LINE + 4);
  g_assert_true (ss_shed_for (root, &joiner.id));
  g_assert_cmpint (young->shed_until, >, 0);
  world_free (world);
}

/* A guide leads a newcomer's JOIN over nodes that its own way to the root would
 * not meet: those that are no closer than the newcomer let it pass. */
static void
test_not_below_its_like (void)
{
  SsGroup *root;
  World *world = settle (120, &root);
  const SsContact *own[2];
  unsigned n_own = 0;
  for (unsigned i = 0; i < ss_group_child_count (root) && n_own < 2; i++)
    if (ss_place_is_own (root, &ss_group_child_at (root, i)->contact.id))
      own[n_own++] = &ss_group_child_at (root, i)->contact;
  g_assert_cmpuint (n_own, ==, 2);
  if (ss_id_shared_digits (&root->id, &own[0]->id)
      > ss_id_shared_digits (&root->id, &own[1]->id)) {
    const SsContact *closer = own[0];
    own[0] = own[1];
    own[1] = closer;
  }
  SsGroup *group = world_group (world, world_node_of (world, &own[0]->id), 0);
  SsScribe *scribe = group->scribe;
  const SsContact *foreign = &find_child (world, root, false)->contact;
  SsMsgScribeJoin join = { .group = root->id, .nonce = 77 };

  g_assert_false (
      ss_parent_handle_join (scribe, own[1], &join, SS_JOIN_ON_WAY));
  group->family->config.children_max = group->family->n_children + 2u;
  g_assert_false (
      ss_parent_handle_join (scribe, own[1], &join, SS_JOIN_ON_WAY));
  g_assert_true (
      ss_parent_handle_join (scribe, foreign, &join, SS_JOIN_ON_WAY));
  g_assert_true (ss_parent_handle_join (scribe, own[1], &join, SS_JOIN_DIRECT));
  world_free (world);
}

/* One of the stripe's own children of the root that is neither that one nor the
 * source. */
static const SsId *
find_other_own (World *world, const SsGroup *root, const SsContact *upper)
{
  for (unsigned i = 0; i < ss_group_child_count (root); i++) {
    const SsId *id = &ss_group_child_at (root, i)->contact.id;
    if (ss_place_is_own (root, id) && !ss_id_equal (id, &upper->id)
        && !ss_id_equal (id, world_node_id (world, 0)))
      return id;
  }
  g_assert_not_reached ();
}

/* Of the stripe's own children of the root the first, and the second moved
 * below it. */
static SsGroup *
put_below (World *world, SsGroup *root, SsContact *ret_upper)
{
  const SsChild *first = find_child (world, root, true);
  g_assert_nonnull (first);
  *ret_upper = first->contact;
  const SsId *second = find_other_own (world, root, ret_upper);
  SsGroup *lower = world_group (world, world_node_of (world, second), 0);
  SsPeerRecord record;
  g_assert_cmpuint (ss_peers_put (&record, 0, 1, ret_upper), ==, 1);
  ss_join_start_shed (lower, &record, 1, false);
  world_run (world, 1 * SS_SEC);
  g_assert_true (ss_contact_equal (ss_group_parent (lower), ret_upper));
  return lower;
}

static void
remove_foreign (World *world, SsGroup *root)
{
  for (SsChild *child; (child = find_child (world, root, false)) != NULL;) {
    SsId id = child->contact.id;
    ss_group_child_remove (root, &id);
  }
}

/* A stripe's own node that a child of the root has taken goes to the root when
 * that has room and sends packets; nobody makes way for it. */
static void
test_who_rises (void)
{
  SsGroup *root;
  SsContact upper;
  World *world = settle (120, &root);
  SsGroup *lower = put_below (world, root, &upper);
  unsigned *most = &root->family->config.children_max;
  remove_foreign (world, root);
  unsigned n = ss_group_n_children (root);

  *most = root->family->n_children;
  world_run (world, 60 * SS_SEC);
  g_assert_true (ss_contact_equal (ss_group_parent (lower), &upper));
  g_assert_cmpuint (ss_group_n_children (root), ==, n);
  *most = *most + 1;
  world_run (world, 160 * SS_SEC); /* it is asked, and sends nothing */
  ss_service_shun (lower->scribe, &lower->root);
  g_assert_false (ss_place_may_rise (lower));
  g_assert_true (ss_contact_equal (ss_group_parent (lower), &upper));
  world_publish (world, true);
  world_run (world, 160 * SS_SEC);
  g_assert_true (ss_contact_equal (ss_group_parent (lower), &lower->root));
  world_free (world);
}

/* Or, when that is full, it changes places with one of the root's children
 * whose stripe this is not; once packets come, and without losing any. */
static void
test_exchange_with_parent (void)
{
  SsGroup *root;
  SsContact upper;
  World *world = settle (120, &root);
  SsGroup *lower = put_below (world, root, &upper);
  SsGroup *group = world_group (world, world_node_of (world, &upper.id), 0);
  GArray *foreign = g_array_new (FALSE, FALSE, sizeof (SsId));
  for (unsigned i = 0; i < ss_group_child_count (root); i++) {
    const SsId *id = &ss_group_child_at (root, i)->contact.id;
    if (!ss_place_is_own (root, id))
      g_array_append_val (foreign, *id);
  }
  g_assert_cmpuint (foreign->len, >, 0);
  root->family->config.children_max = root->family->n_children;
  unsigned n = ss_group_n_children (root);

  world_run (world, 60 * SS_SEC);
  g_assert_false (ss_exchange_may_raise (group));
  g_assert_true (ss_contact_equal (ss_group_parent (lower), &upper));
  world_publish (world, true);
  world_run (world, 3 * SS_SEC);
  g_assert_true (ss_exchange_may_raise (group));
  for (unsigned i = 0; i < ss_group_child_count (group); i++)
    ss_group_child_at (group, i)->since = world_now (world);
  g_assert_false (ss_exchange_may_raise (group)); /* none has stayed */
  ss_group_child_at (group, 0)->since -= SS_RISE_STAYED;
  g_assert_true (ss_exchange_may_raise (group));
  g_assert_true (ss_contact_equal (ss_group_parent (lower), &upper));
  ss_exchange_raise (group);
  world_run (world, 100 * SS_MSEC);
  g_assert_true (ss_contact_equal (ss_group_parent (lower), &lower->root));
  g_assert_cmpuint (ss_group_n_children (root), ==, n);
  unsigned n_moved = 0;
  for (unsigned i = 0; i < foreign->len; i++)
    n_moved +=
        ss_group_child_find (group, &g_array_index (foreign, SsId, i)) != NULL;
  g_assert_cmpuint (n_moved, ==, 1);
  world_publish (world, false);
  world_run (world, 3 * SS_SEC);
  for (unsigned i = 1; i < world_n_alive (world); i++)
    g_assert_cmpuint (world_lost (world, i), ==, 0);
  g_array_free (foreign, TRUE);
  world_free (world);
}

static unsigned
count_shed (const SsGroup *group)
{
  unsigned n = 0;
  for (unsigned i = 0; i < ss_group_child_count (group); i++)
    n += ss_group_child_at (group, i)->shed_until > 0;
  return n;
}

/* A JOIN of whom that one has sent in an exchange, straight or by way of
 * others. */
static void
inject_shed_by (World *world, SsGroup *to, const SsId *joiner, const SsId *by,
                bool is_routed)
{
  SsMsgScribeJoin join = {
    .group = to->id,
    .nonce = FIRST,
    .flags = SS_JOIN_SHED | SS_JOIN_STAYS,
    .lost = ss_prefix_of (by),
    .load_max = 8,
  };
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  size_t len = ss_msg_scribe_join_encode (&join, data, sizeof data);
  world_inject (world, world_node_of (world, joiner),
                world_node_of (world, ss_scribe_self (to->scribe)),
                is_routed ? &to->id : NULL, data, len);
}

static void
inject_shed (World *world, SsGroup *to, const SsId *joiner, const SsGroup *by)
{
  inject_shed_by (world, to, joiner, ss_scribe_self (by->scribe), false);
}

/* What is offered is given for a while, as often as that, for one that the
 * parent has sent and whose stripe it is not; and first who has the most
 * children. */
static void
test_offer_of_exchange (void)
{
  SsGroup *root;
  SsContact upper;
  World *world = settle (240, &root);
  SsGroup *lower[] = { put_below (world, root, &upper),
                       put_below (world, root, &upper) };
  SsGroup *group = world_group (world, world_node_of (world, &upper.id), 0);
  SsId joiners[6];
  for (unsigned i = 0; i < G_N_ELEMENTS (joiners); i++) {
    joiners[i] = find_child (world, root, false)->contact.id;
    ss_group_child_remove (root, &joiners[i]);
  }
  remove_foreign (world, root);
  root->family->config.children_max = root->family->n_children;

  inject_shed (world, group, &joiners[0], root);
  g_assert_cmpuint (count_shed (group), ==, 0);
  ss_exchange_raise (group); /* the root has none to give */
  world_run (world, SS_RISE_TIME);
  inject_shed (world, group, &joiners[0], root);
  g_assert_cmpuint (count_shed (group), ==, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS (lower); i++)
    ss_neighbour_load (group->scribe, ss_kbr_self (lower[i]->scribe->kbr),
                       (uint16_t) (100 + i), 200);
  ss_exchange_raise (group);
  group->family->rise->n = 1;
  inject_shed_by (world, group, &joiners[3], &joiners[0], false);
  inject_shed_by (world, group, &joiners[4], ss_scribe_self (root->scribe),
                  true);
  inject_shed (world, group, find_other_own (world, root, &upper), root);
  ss_service_shun (group->scribe, &group->parent);
  inject_shed (world, group, &joiners[5], root);
  g_assert_cmpuint (count_shed (group), ==, 0);
  ss_neighbour_find (group->scribe, &group->parent.id)->shirks_until = 0;
  group->n_better = 7;
  inject_shed (world, group, &joiners[1], root);
  g_assert_cmpuint (group->n_better, ==, 0); /* soon again */
  g_assert_cmpuint (count_shed (group), ==, 1);
  g_assert_cmpint (
      ss_group_child_find (group, ss_scribe_self (lower[1]->scribe))
          ->shed_until,
      >, 0);
  inject_shed (world, group, &joiners[2], root);
  g_assert_cmpuint (count_shed (group), ==, 1);
  world_free (world);
}

static void
inject_rise (World *world, SsGroup *to, const SsContact *from, uint8_t n)
{
  SsMsgScribeRise message = { .n = n };
  memcpy (message.tag, to->id.b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_RISE_MAX];
  size_t len = ss_msg_scribe_rise_encode (&message, data, sizeof data);
  world_inject (world, world_node_of (world, &from->id),
                world_node_of (world, ss_scribe_self (to->scribe)), NULL, data,
                len);
}

/* Nobody is given children who is none of the stripe's own, or no child, or
 * does not serve; nor any number, nor at once again; nor does a node give one
 * to its parent that it has not offered. */
static void
test_exchange_is_bounded (void)
{
  SsGroup *root;
  SsContact upper;
  World *world = settle (300, &root);
  SsGroup *lower = put_below (world, root, &upper);
  SsGroup *group = world_group (world, world_node_of (world, &upper.id), 0);
  SsContact foreign = find_child (world, root, false)->contact;
  unsigned n = ss_group_n_children (group);
  unsigned n_root = ss_group_n_children (root);
  g_assert_cmpuint (count_shed (root), ==, 0);

  inject_rise (world, root, &foreign, 1);
  inject_rise (world, root, ss_kbr_self (lower->scribe->kbr), 1);
  g_assert_cmpuint (count_shed (root), ==, 0);
  ss_service_shun (root->scribe, &upper);
  inject_rise (world, root, &upper, 1);
  g_assert_cmpuint (count_shed (root), ==, 0);
  ss_neighbour_find (root->scribe, &upper.id)->shirks_until = 0;

  root->scribe->is_leaving = true;
  inject_rise (world, root, &upper, 1);
  root->scribe->is_leaving = false;
  root->family->config.is_by_turns = false; /* no stripe */
  inject_rise (world, root, &upper, 1);
  root->family->config.is_by_turns = true;
  g_assert_cmpuint (count_shed (root), ==, 0);

  inject_rise (world, root, &upper, 255);
  g_assert_cmpuint (count_shed (root), ==, SS_RISE_MAX);
  for (unsigned i = 0; i < ss_group_child_count (root); i++) {
    const SsChild *child = ss_group_child_at (root, i);
    g_assert_false (child->shed_until
                    && ss_place_is_own (root, &child->contact.id));
  }
  inject_rise (world, root, &upper, 255);
  SsMsgScribeJoin join = { .group = root->id, .nonce = SECOND };
  ss_parent_handle_join (root->scribe, &upper, &join, SS_JOIN_DIRECT);
  inject_rise (world, root, &upper, 255);
  g_assert_cmpuint (count_shed (root), ==, SS_RISE_MAX);
  /* Who offers none in return gets none: they stay where they were. */
  world_run (world, SS_SHED_TIME + 1 * SS_SEC);
  g_assert_cmpuint (count_shed (root), ==, 0);
  g_assert_cmpuint (ss_group_n_children (group), ==, n);
  g_assert_cmpuint (ss_group_n_children (root), ==, n_root);
  g_assert_true (ss_contact_equal (ss_group_parent (lower), &upper));

  /* Nor those whose stripe it is. */
  remove_foreign (world, root);
  world_run (world, SS_RISE_PAUSE);
  remove_foreign (world, root); /* who has come back */
  inject_rise (world, root, &upper, 255);
  g_assert_cmpuint (count_shed (root), ==, 0);
  world_free (world);
}

/* What was offered in vain is no reason to stay with a foreign parent. */
static void
test_better_after_offers (void)
{
  SsGroup *root;
  SsContact upper;
  World *world = settle (120, &root);
  SsGroup *lower = put_below (world, root, &upper);
  SsContact foreign = find_child (world, root, false)->contact;
  lower->n_better = SS_JOIN_BETTER_DOUBLED;
  SsPeerRecord record;
  g_assert_cmpuint (ss_peers_put (&record, 0, 1, &foreign), ==, 1);
  ss_join_start_shed (lower, &record, 1, false);
  world_run (world, 1 * SS_SEC);
  g_assert_true (ss_contact_equal (ss_group_parent (lower), &foreign));
  g_assert_cmpint (lower->better_at, <,
                   world_now (world) + 2 * SS_JOIN_BETTER_FIRST);
  world_free (world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scribe-joins/leave-of-an-earlier-join",
                   test_leave_of_an_earlier_join);
  g_test_add_func ("/scribe-joins/advice", test_advice);
  g_test_add_func ("/scribe-joins/fellow-orphan", test_fellow_orphan);
  g_test_add_func ("/scribe-joins/not-below-the-orphan",
                   test_not_below_the_orphan);
  g_test_add_func ("/scribe-joins/own-are-full", test_own_are_full);
  g_test_add_func ("/scribe-joins/not-measured", test_standing_not_measured);
  g_test_add_func ("/scribe-joins/standing", test_standing_is_named_first);
  g_test_add_func ("/scribe-joins/newcomers", test_newcomers_make_way);
  g_test_add_func ("/scribe-joins/not-below-its-like", test_not_below_its_like);
  g_test_add_func ("/scribe-joins/riser", test_who_rises);
  g_test_add_func ("/scribe-joins/exchange", test_exchange_with_parent);
  g_test_add_func ("/scribe-joins/offer", test_offer_of_exchange);
  g_test_add_func ("/scribe-joins/exchange-is-bounded",
                   test_exchange_is_bounded);
  g_test_add_func ("/scribe-joins/better-after-offers",
                   test_better_after_offers);
  return g_test_run ();
}
