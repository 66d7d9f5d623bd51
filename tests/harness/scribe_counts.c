/* What a Scribe counts as things change, against what there is. */
#include "tests/harness/scribe_counts.h"

#include "scribe/parent.h"

static void
assert_family (const SsFamily *family)
{
  const SsScribe *scribe = family->scribe;
  unsigned n_children = 0, n_settled = 0, n_shed = 0;
  for (const SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id)) {
    if (group->family != family)
      continue;
    unsigned n = ss_group_n_children (group);
    bool is_settled = ss_group_is_top (group)
                      || ss_place_is_own (group, ss_scribe_self (scribe));
    n_children += n;
    n_settled += is_settled ? n : 0;
    n_shed += ss_group_child_count (group) - n;
  }
  g_assert_cmpuint (family->n_children, ==, n_children);
  g_assert_cmpuint (family->n_settled, ==, n_settled);
  g_assert_cmpuint (family->n_shed, ==, n_shed);
}

static void
assert_neighbour (const SsScribe *scribe, const SsNeighbour *neighbour)
{
  unsigned n_taken = 0, n_served = 0;
  for (const SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id)) {
    n_taken += group->has_parent
               && ss_contact_equal (&group->parent, &neighbour->contact);
    n_served += ss_group_child_find (group, &neighbour->contact.id) != NULL;
  }
  g_assert_cmpuint (neighbour->taken ? neighbour->taken->len : 0, ==, n_taken);
  g_assert_cmpuint (neighbour->n_served, ==, n_served);
}

void
scribe_counts_assert (const SsScribe *scribe)
{
  for (unsigned i = 0; i < scribe->families->len; i++)
    assert_family (g_ptr_array_index (scribe->families, i));
  for (unsigned i = 0; i < scribe->neighbours->len; i++)
    assert_neighbour (scribe, g_ptr_array_index (scribe->neighbours, i));
}
