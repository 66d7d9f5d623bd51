/* Faults of the swarm. */
#include "sim/faults.h"

#include <stdlib.h>

#define CROWD_SPAN (2 * SS_SEC)
#define SMALL_MAX  3 /* nodes of a small side */

static void
thaw (void *user, uint64_t index)
{
  SsWorld *world = user;

  if (ss_world_member (world, (unsigned) index)->is_up
      && ss_network_is_frozen (world->network, (unsigned) index))
    ss_network_thaw (world->network, (unsigned) index);
}

/* By lot, while the faults are on. */
static SsTime
draw_moment (const SsFaults *faults)
{
  SsTime now = ss_world_now (faults->world);
  uint64_t left = (uint64_t) MAX (faults->end - now, 1);

  return now + (SsTime) ss_rng_below (&faults->world->rng, left);
}

static void
start_churn (SsFaults *faults)
{
  const SsDraw *draw = faults->draw;
  const SsChurnOptions churn = {
    .kind = draw->options.churn,
    .active = draw->options.nodes,
    .session = draw->options.session,
    .crowd = 0.5,
    .crowd_at = draw->faults_time / 2,
    .crowd_span = CROWD_SPAN,
    .orderly = 0.3,
  };

  ss_churn_start (faults->world, &churn);
}

static void
cut (SsFaults *faults)
{
  SsWorld *world = faults->world;
  const SsDraw *draw = faults->draw;

  if (!draw->is_uneven) {
    for (unsigned i = 0; i < world->members->len; i++)
      ss_network_set_side (
          world->network, i,
          (unsigned) ss_rng_below (&world->rng, draw->n_sides));
    return;
  }
  for (unsigned side = 1; side < draw->n_sides; side++) {
    unsigned n = 1 + (unsigned) ss_rng_below (&world->rng, SMALL_MAX);

    for (unsigned i = 0; i < n; i++)
      ss_network_set_side (world->network, ss_world_pick (world), side);
  }
}

static void
freeze_some (SsFaults *faults)
{
  SsWorld *world = faults->world;

  for (unsigned i = 0; i < faults->draw->options.nodes / 4; i++) {
    unsigned index = ss_world_pick (world);

    if (ss_network_is_frozen (world->network, index))
      continue;
    ss_network_freeze (world->network, index);
    ss_network_at (world->network, draw_moment (faults), thaw, world, index);
  }
}

static void
turn_hostile (SsFaults *faults)
{
  SsWorld *world = faults->world;
  unsigned n = MIN (faults->draw->n_hostile, SS_FAULTS_HOSTILE_MAX);

  for (unsigned i = 0; i < n; i++) {
    unsigned index = ss_world_pick (world);
    bool is_new = true;

    for (unsigned j = 0; j < faults->n_hostile; j++)
      is_new = is_new && faults->hostiles[j] != index;
    if (is_new)
      faults->hostiles[faults->n_hostile++] = index;
  }
  for (unsigned i = 0; i < faults->n_hostile; i++)
    ss_malice_start (&faults->hostile[i], world, faults->hostiles[i],
                     faults->draw->malice, faults->hostiles, faults->n_hostile);
}

/* A node and how far it is from the one around which nodes die. */
typedef struct {
  unsigned index;
  SsTime distance;
  SsId id;
} Near;

static int
compare_distances (const void *a, const void *b)
{
  const Near *one = a, *other = b;

  if (one->distance != other->distance)
    return one->distance < other->distance ? -1 : 1;
  return (one->index > other->index) - (one->index < other->index);
}

static int
compare_ids (const void *a, const void *b)
{
  const Near *one = a, *other = b;

  return ss_id_compare (&one->id, &other->id);
}

static void
come_again (void *user, uint64_t index)
{
  SsWorld *world = user;

  ss_world_restart (world, (unsigned) index);
}

/* The first node stays: others join through it. */
static void
kill_many (void *user, uint64_t unused)
{
  SsFaults *faults = user;
  SsWorld *world = faults->world;
  const SsDraw *draw = faults->draw;
  GArray *living = g_array_new (FALSE, FALSE, sizeof (Near));
  unsigned middle = ss_world_pick (world);

  for (unsigned i = 1; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);
    const Near near = {
      .index = i,
      .distance = draw->deaths == SS_DEATHS_PLACE
                      ? ss_world_delay (world, middle, i)
                      : (SsTime) ss_rng_below (&world->rng, UINT32_MAX),
      .id = member->self.id,
    };

    if (member->is_up)
      g_array_append_val (living, near);
  }
  g_array_sort (living, draw->deaths == SS_DEATHS_NEIGHBOURS
                            ? compare_ids
                            : compare_distances);
  unsigned n = MIN (draw->n_deaths, living->len), from = 0;

  if (draw->deaths == SS_DEATHS_NEIGHBOURS && living->len > 0)
    from = (unsigned) ss_rng_below (&world->rng, living->len);
  for (unsigned i = 0; i < n; i++) {
    unsigned index =
        g_array_index (living, Near, (from + i) % living->len).index;

    ss_world_kill (world, index);
    /* Not with a NAT, which lets in whom a former life has called, and for
     * minutes cannot be found out. */
    if (draw->do_return && i % 2 == 0
        && !ss_network_is_behind_nat (world->network, index))
      ss_network_at (world->network, draw_moment (faults), come_again, world,
                     index);
  }
  g_array_unref (living);
}

void
ss_faults_start (SsFaults *faults, SsWorld *world, const SsDraw *draw)
{
  *faults = (SsFaults){ .world = world,
                        .draw = draw,
                        .end = ss_world_now (world) + draw->faults_time };
  if (draw->has_churn)
    start_churn (faults);
  if (draw->has_partition)
    cut (faults);
  if (draw->has_freezes)
    freeze_some (faults);
  ss_topology_set_one_way (world->topology, draw->one_way);
  for (unsigned i = 0; i < draw->n_lossy; i++)
    ss_topology_set_loss (world->topology, ss_world_pick (world), draw->loss_up,
                          draw->loss_down);
  turn_hostile (faults);
  if (draw->deaths != SS_DEATHS_NONE)
    ss_network_at (world->network, draw_moment (faults), kill_many, faults, 0);
}

void
ss_faults_stop (SsFaults *faults)
{
  SsWorld *world = faults->world;
  unsigned came, went;

  ss_network_set_loss (world->network, 0);
  ss_topology_set_one_way (world->topology, 0);
  for (unsigned i = 0; i < world->members->len; i++) {
    ss_network_set_side (world->network, i, 0);
    ss_topology_set_loss (world->topology, i, 0, 0);
    thaw (world, i);
  }
  for (unsigned i = 0; i < faults->n_hostile; i++)
    ss_network_tamper (world->network, faults->hostiles[i], NULL, NULL);
  if (faults->draw->has_churn)
    ss_churn_stop (world, &came, &went);
}

bool
ss_faults_lose_nothing (const SsDraw *draw)
{
  return draw->options.loss <= 0 && !draw->has_partition && !draw->has_freezes
         && draw->one_way <= 0 && draw->n_lossy == 0 && draw->n_hostile == 0
         && draw->options.access.up_kbps == 0;
}
