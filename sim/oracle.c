/* Oracles. */
#include "sim/oracle.h"

#include <string.h>

#include "sim/truth.h"

#define LOOKUP_PROTOCOL ((SsProtocol) 7) /* no application's */
#define LOOKUP_TIME     (10 * SS_SEC)
#define SIDE_MAX        16 /* leaves a side */
/* Nodes above the fan-out bound are allowed for as roots and where nobody
 * else could take an orphan. */
#define CHILDREN_HARD (2 * SS_FAMILY_CHILDREN)

typedef struct {
  SsId key;
  unsigned n_delivered, at, hops, ideal_hops;
} Lookup;

GArray *
ss_oracle_lookups_new (void)
{
  return g_array_new (FALSE, TRUE, sizeof (Lookup));
}

static bool
forward (void *app, const SsKbrMessage *message, const SsContact *next)
{
  return true;
}

static void
deliver (void *app, const SsKbrMessage *message)
{
  SsMember *member = app;
  GArray *lookups = member->world->lookups;
  uint32_t index;

  if (message->len != sizeof index)
    return;
  memcpy (&index, message->data, sizeof index);
  if (index >= lookups->len)
    return;
  Lookup *lookup = &g_array_index (lookups, Lookup, index);

  if (!ss_id_equal (&lookup->key, &message->key))
    return; /* of an earlier batch */
  lookup->n_delivered++;
  lookup->at = member->index;
  lookup->hops = message->hops;
}

static const SsKbrApp app = { .forward = forward, .deliver = deliver };

void
ss_oracle_register (SsMember *member, SsNode *node)
{
  ss_kbr_register (ss_node_kbr (node), LOOKUP_PROTOCOL, &app, member);
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  return ss_id_compare (a, b);
}

static unsigned
index_of (SsWorld *world, const SsId *id)
{
  for (unsigned i = 0; i < world->members->len; i++)
    if (ss_id_equal (&ss_world_member (world, i)->self.id, id))
      return i;
  return UINT32_MAX;
}

/* Ids, sorted. */
typedef struct {
  SsId ids[2 * SIDE_MAX];
  unsigned n;
} Leaves;

static void
have_leaves (SsWorld *world, unsigned index, Leaves *ret_leaves)
{
  SsContact leaves[2 * SIDE_MAX];
  unsigned n = ss_node_leaf_set (ss_world_node (world, index), leaves,
                                 G_N_ELEMENTS (leaves));

  for (unsigned i = 0; i < n; i++)
    ret_leaves->ids[i] = leaves[i].id;
  ret_leaves->n = n;
  qsort (ret_leaves->ids, n, sizeof (SsId), compare_ids);
}

static void
want_leaves (const SsWorld *world, const SsTruth *truth, unsigned place,
             Leaves *ret_leaves)
{
  unsigned leaf_set = world->options.leaf_set, n = truth->entries->len;
  unsigned side = leaf_set > 0 ? leaf_set / 2 : SIDE_MAX, n_want = 0;
  bool is_small = n - 1 <= 2 * side;

  for (unsigned i = 1; i <= (is_small ? n - 1 : side); i++) {
    ret_leaves->ids[n_want++] = ss_truth_at (truth, place + i)->id;
    if (!is_small)
      ret_leaves->ids[n_want++] = ss_truth_at (truth, place + n - i)->id;
  }
  ret_leaves->n = n_want;
  qsort (ret_leaves->ids, n_want, sizeof (SsId), compare_ids);
}

/* How many of these are not among those, and one such. */
static unsigned
count_without (const Leaves *these, const Leaves *those, SsId *ret_id)
{
  unsigned n = 0;

  for (unsigned i = 0; i < these->n; i++)
    if (bsearch (&these->ids[i], those->ids, those->n, sizeof (SsId),
                 compare_ids)
        == NULL) {
      n++;
      *ret_id = these->ids[i];
    }
  return n;
}

static void
report_leaves (SsWorld *world, unsigned index, const Leaves *have,
               const Leaves *want)
{
  SsId missing = { { 0 } }, extra = { { 0 } };
  unsigned n_missing = count_without (want, have, &missing);
  unsigned n_extra = count_without (have, want, &extra);
  GString *text = g_string_new (NULL);

  if (n_missing > 0)
    g_string_append_printf (text, "; lacks %u, such as node %u", n_missing,
                            index_of (world, &missing));
  if (n_extra > 0)
    g_string_append_printf (text, "; has %u too many, such as node %u", n_extra,
                            index_of (world, &extra));
  ss_world_fail (world, "the leaf set of node %u is not the truth%s", index,
                 text->str);
  g_string_free (text, TRUE);
}

unsigned
ss_oracle_leaf_sets (SsWorld *world, bool report)
{
  SsTruth *truth = ss_truth_new (world, false);
  unsigned n_wrong = 0;

  for (unsigned i = 0; i < truth->entries->len; i++) {
    unsigned index = ss_truth_at (truth, i)->index;
    Leaves have, want;

    have_leaves (world, index, &have);
    want_leaves (world, truth, i, &want);
    if (have.n == want.n
        && memcmp (have.ids, want.ids, have.n * sizeof (SsId)) == 0)
      continue;
    n_wrong++;
    if (report)
      report_leaves (world, index, &have, &want);
  }
  ss_truth_free (truth);
  return n_wrong;
}

static unsigned
closest (const SsTruth *truth, const SsId *key)
{
  return ss_truth_at (truth, ss_truth_closest (truth, key))->index;
}

void
ss_oracle_lookups (SsWorld *world, unsigned n, SsTime interval,
                   SsLookups *ret_lookups)
{
  ss_oracle_lookups_within (world, n, interval, LOOKUP_TIME, ret_lookups);
}

void
ss_oracle_lookups_within (SsWorld *world, unsigned n, SsTime interval,
                          SsTime wait, SsLookups *ret_lookups)
{
  SsTruth *truth = ss_truth_new (world, false);
  SsLookups result = { .n = n };
  uint64_t hops = 0, ideal = 0;
  SsRng choice;

  ss_network_rng (world->network, "ideal", 0, &choice);
  g_array_set_size (world->lookups, 0);
  g_array_set_size (world->lookups, n);
  for (uint32_t i = 0; i < n; i++) {
    Lookup *lookup = &g_array_index (world->lookups, Lookup, i);
    unsigned place = (unsigned) ss_rng_below (&world->rng, truth->entries->len);
    unsigned from = ss_truth_at (truth, place)->index;

    ss_rng_bytes (&world->rng, &lookup->key, sizeof lookup->key);
    lookup->ideal_hops =
        ss_truth_route (truth, world, &choice, place, &lookup->key).hops;
    ss_node_tick (ss_world_node (world, from), ss_world_now (world));
    ss_kbr_route (ss_node_kbr (ss_world_node (world, from)), LOOKUP_PROTOCOL,
                  &lookup->key, NULL, 0, (const uint8_t *) &i, sizeof i);
    ss_network_touch (world->network, from);
    ss_world_run (world, interval);
  }
  ss_world_run (world, wait);
  for (unsigned i = 0; i < n; i++) {
    const Lookup *lookup = &g_array_index (world->lookups, Lookup, i);

    result.n_missing += lookup->n_delivered == 0;
    result.n_twice += lookup->n_delivered > 1;
    if (lookup->n_delivered == 0)
      continue;
    result.n_wrong += lookup->at != closest (truth, &lookup->key);
    result.hops_max = MAX (result.hops_max, lookup->hops);
    hops += lookup->hops;
    ideal += lookup->ideal_hops;
  }
  if (n > result.n_missing) {
    result.hops_mean = (double) hops / (double) (n - result.n_missing);
    result.hops_ideal = (double) ideal / (double) (n - result.n_missing);
  }
  if (result.n_wrong + result.n_missing + result.n_twice > 0)
    ss_world_fail (world,
                   "of %u lookups %u ended elsewhere, %u nowhere, %u twice", n,
                   result.n_wrong, result.n_missing, result.n_twice);
  ss_truth_free (truth);
  /* Given back, so that it is not taken for the nodes' memory. */
  g_array_unref (world->lookups);
  world->lookups = ss_oracle_lookups_new ();
  *ret_lookups = result;
}

/* What each node believes of its place in one stripe's tree. */
typedef struct {
  bool is_there, is_root, has_parent;
  unsigned parent;
} Believed;

/* -1: the way up ends elsewhere than at the root, or at whom the publisher has
 * stand in for it, or never. */
static int
depth_of (const Believed *believed, unsigned n, unsigned index, unsigned root,
          unsigned stand_in)
{
  for (unsigned depth = 0; depth <= n; depth++) {
    if (index == root
        || (index == stand_in && index < n && believed[index].is_root))
      return (int) depth;
    if (index >= n || !believed[index].is_there || !believed[index].has_parent)
      return -1;
    index = believed[index].parent;
  }
  return -1;
}

/* Where the way up from a node ends that does not end at the root. */
static void
report_lost (SsWorld *world, const Believed *believed, unsigned index,
             unsigned root, unsigned stripe)
{
  unsigned n = world->members->len, at = index;

  for (unsigned i = 0; i < n && at < n && believed[at].has_parent; i++)
    at = believed[at].parent;
  ss_world_fail (
      world,
      "node %u is not in the tree of stripe %u: its way up ends "
      "at %u%s, the root is %u",
      index, stripe, at,
      at < n && believed[at].is_root ? ", who says it is the root" : "", root);
}

static const SsStationStats *
station_of (SsWorld *world, unsigned index, SsNodeStats *ret_stats)
{
  const SsMember *member = ss_world_member (world, index);

  if (!member->is_up)
    return NULL;
  ss_node_stats (ss_world_node (world, index), ret_stats);
  return ret_stats->has_station ? &ret_stats->station : NULL;
}

static void
check_fan_out (SsWorld *world, const SsStationStats *stats, unsigned index,
               bool report, SsTrees *trees)
{
  unsigned children = 0;

  for (unsigned i = 0; i < SS_STRIPES; i++)
    children += stats->stripes[i].children;
  if ((int) index == world->publisher)
    trees->publisher_children = children;
  trees->children_max = MAX (trees->children_max, children);
  unsigned most = (int) index == world->publisher ? SS_STRIPES : CHILDREN_HARD;

  if (children <= most)
    return;
  trees->n_wrong++;
  if (report)
    ss_world_fail (world, "node %u has %u children", index, children);
}

void
ss_oracle_trees (SsWorld *world, bool report, SsTrees *ret_trees)
{
  unsigned n = world->members->len;
  Believed *believed = g_new0 (Believed, n * SS_STRIPES);
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  SsTruth *truth = ss_truth_new (world, false);
  SsTrees trees = { .n_wrong = 0 };
  unsigned n_depths = 0, named[SS_STRIPES];
  const SsStationParams *params = &world->descriptor.params;
  SsId group_id = ss_station_group_id (&params->key, params->name);

  for (unsigned j = 0; j < SS_STRIPES; j++)
    named[j] = n;
  for (unsigned i = 0; i < n; i++) {
    const SsStationStats *station = station_of (world, i, stats);

    if (station == NULL)
      continue;
    for (unsigned j = 0; j < SS_STRIPES && (int) i == world->publisher; j++)
      named[j] = index_of (world, &station->stripes[j].root.id);
    check_fan_out (world, station, i, report, &trees);
    for (unsigned j = 0; j < SS_STRIPES; j++) {
      const SsStripeStats *stripe = &station->stripes[j];
      static const SsKey none;

      believed[j * n + i] = (Believed){
        .is_there = stripe->in_tree || stripe->is_root,
        .is_root = stripe->is_root,
        .has_parent = !ss_key_equal (&stripe->parent.key, &none),
        .parent = index_of (world, &stripe->parent.id),
      };
    }
  }
  for (unsigned j = 0; j < SS_STRIPES; j++) {
    SsId id = ss_station_stripe_id (&group_id, params->salt, j);
    unsigned root = closest (truth, &id);

    for (unsigned i = 0; i < n; i++) {
      const SsMember *member = ss_world_member (world, i);

      if (!member->is_up || member->hearing == NULL)
        continue;
      int depth = depth_of (believed + j * n, n, i, root, named[j]);

      if (depth < 0) {
        trees.n_wrong++;
        if (report)
          report_lost (world, believed + j * n, i, root, j);
        continue;
      }
      trees.depth_max = MAX (trees.depth_max, (unsigned) depth);
      trees.depth_mean += depth;
      n_depths++;
    }
  }
  trees.depth_mean /= MAX (n_depths, 1);
  ss_truth_free (truth);
  g_free (stats);
  g_free (believed);
  *ret_trees = trees;
}

unsigned
ss_oracle_hearing (SsWorld *world, SsTime since, bool whole, bool report)
{
  unsigned n_wrong = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);
    const SsHearing *hearing = member->hearing;

    if (!member->is_up || hearing == NULL)
      continue;
    if (hearing->lost_at >= since) {
      n_wrong++;
      if (report)
        ss_world_fail (
            world,
            "node %u lost %" G_GUINT64_FORMAT " frames, the last at %.3f", i,
            hearing->n_lost, (double) hearing->lost_at / (double) SS_SEC);
    } else if (whole
               && (hearing->epoch != world->epoch || !hearing->ended
                   || hearing->next
                          != world->epochs[world->epoch].pump.n_frames)) {
      n_wrong++;
      if (report)
        ss_world_fail (world,
                       "node %u heard up to frame %" G_GUINT64_FORMAT
                       " of %" G_GUINT64_FORMAT "%s",
                       i, hearing->epoch == world->epoch ? hearing->next : 0,
                       world->epochs[world->epoch].pump.n_frames,
                       hearing->ended ? "" : " and not the end");
    }
  }
  return n_wrong;
}
