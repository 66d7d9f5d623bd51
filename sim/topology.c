/* Places, access links and the stress of links. */
#include "sim/topology.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#define LAN_DELAY (1 * SS_MSEC) /* a node's link to its stub router */
#define GRID      16            /* squares a side: domains of the plane */

typedef struct {
  union {
    float position[3]; /* plane: two of them; sphere: of the unit sphere */
    unsigned router;
  };
} Place;

struct SsTopology {
  SsTopologyOptions options;
  SsRouters *routers; /* NULL: not this kind */
  GArray *places;     /* Place */
  GArray *links;      /* SsAccessLink; only if some are limited or lossy */
  bool has_links;
  SsRng rng;        /* losses */
  uint64_t *stress; /* by physical link; NULL: not counted */
};

static const char *const names[SS_N_TOPOLOGIES] = {
  [SS_TOPOLOGY_UNIFORM] = "uniform",
  [SS_TOPOLOGY_PLANE] = "plane",
  [SS_TOPOLOGY_SPHERE] = "sphere",
  [SS_TOPOLOGY_TRANSIT_STUB] = "transit-stub",
};

const char *
ss_topology_name (SsTopologyKind kind)
{
  return names[kind];
}

bool
ss_topology_parse (const char *name, SsTopologyKind *ret_kind)
{
  for (unsigned i = 0; i < SS_N_TOPOLOGIES; i++)
    if (strcmp (names[i], name) == 0) {
      *ret_kind = (SsTopologyKind) i;
      return true;
    }
  return false;
}

SsTopology *
ss_topology_new (const SsTopologyOptions *options)
{
  SsTopology *topology = g_new0 (SsTopology, 1);

  topology->options = *options;
  topology->places = g_array_new (FALSE, TRUE, sizeof (Place));
  topology->links = g_array_new (FALSE, TRUE, sizeof (SsAccessLink));
  topology->has_links =
      options->access.up_kbps > 0 || options->access.down_kbps > 0;
  ss_rng_init_number (&topology->rng, options->seed);
  if (options->kind == SS_TOPOLOGY_TRANSIT_STUB) {
    SsRoutersOptions routers = SS_ROUTERS_GEORGIA_TECH;

    if (options->delay > 0)
      routers.delay = options->delay;
    topology->routers = ss_routers_new (&routers, &topology->rng);
  }
  return topology;
}

void
ss_topology_free (SsTopology *topology)
{
  if (topology == NULL)
    return;
  ss_routers_free (topology->routers);
  g_array_unref (topology->places);
  g_array_unref (topology->links);
  g_free (topology->stress);
  g_free (topology);
}

/* splitmix64's finish. */
static uint64_t
mix (uint64_t x)
{
  x = (x ^ (x >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C (0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static void
draw_place (SsTopology *topology, unsigned node, Place *ret_place)
{
  SsRng rng;

  ss_rng_init_number (&rng, mix (topology->options.seed) + node);
  if (topology->routers != NULL) {
    unsigned n_transit = ss_routers_n_transit (topology->routers);
    unsigned n = ss_routers_n (topology->routers) - n_transit;

    ret_place->router = n_transit + (unsigned) ss_rng_below (&rng, n);
  } else if (topology->options.kind == SS_TOPOLOGY_SPHERE) {
    double z = 2 * ss_rng_unit (&rng) - 1;
    double angle = 2 * G_PI * ss_rng_unit (&rng), r = sqrt (1 - z * z);

    ret_place->position[0] = (float) (r * cos (angle));
    ret_place->position[1] = (float) (r * sin (angle));
    ret_place->position[2] = (float) z;
  } else {
    ret_place->position[0] = (float) ss_rng_unit (&rng);
    ret_place->position[1] = (float) ss_rng_unit (&rng);
    ret_place->position[2] = 0;
  }
}

/* Valid until the next node is asked for that is new. */
static const Place *
place_of (SsTopology *topology, unsigned node)
{
  while (topology->places->len <= node) {
    Place place;

    draw_place (topology, topology->places->len, &place);
    g_array_append_val (topology->places, place);
  }
  return &g_array_index (topology->places, Place, node);
}

static SsAccessLink *
link_of (SsTopology *topology, unsigned node)
{
  while (topology->links->len <= node) {
    const SsAccessLink link = { .access = topology->options.access };

    g_array_append_val (topology->links, link);
  }
  return &g_array_index (topology->links, SsAccessLink, node);
}

unsigned
ss_topology_router (SsTopology *topology, unsigned node)
{
  g_assert (topology->routers != NULL);
  return place_of (topology, node)->router;
}

unsigned
ss_topology_domain (SsTopology *topology, unsigned node)
{
  const Place *place = place_of (topology, node);

  if (topology->routers != NULL)
    return ss_routers_domain (topology->routers, place->router);
  double x = place->position[0], y = place->position[1];

  if (topology->options.kind == SS_TOPOLOGY_SPHERE) {
    x = (atan2 (y, x) / G_PI + 1) / 2;
    y = ((double) place->position[2] + 1) / 2;
  }
  return (unsigned) MIN (x * GRID, GRID - 1) * GRID
         + (unsigned) MIN (y * GRID, GRID - 1);
}

SsTime
ss_topology_delay (SsTopology *topology, unsigned from, unsigned to)
{
  SsTime whole = topology->options.delay;

  if (topology->options.kind == SS_TOPOLOGY_UNIFORM)
    return whole;
  place_of (topology, MAX (from, to)); /* so that neither moves */
  const Place *a = place_of (topology, from), *b = place_of (topology, to);

  if (topology->routers != NULL)
    return 2 * LAN_DELAY
           + ss_routers_delay (topology->routers, a->router, b->router);
  double x = a->position[0] - b->position[0];
  double y = a->position[1] - b->position[1];
  double z = a->position[2] - b->position[2];
  double chord = sqrt (x * x + y * y + z * z);

  if (topology->options.kind == SS_TOPOLOGY_PLANE)
    return (SsTime) (chord / sqrt (2) * (double) whole);
  return (SsTime) (2 * asin (MIN (chord / 2, 1)) / G_PI * (double) whole);
}

void
ss_topology_set_one_way (SsTopology *topology, double share)
{
  topology->options.one_way = share;
}

bool
ss_topology_reaches (const SsTopology *topology, unsigned from, unsigned to)
{
  double share = topology->options.one_way;

  if (share <= 0)
    return true;
  uint64_t pair = (uint64_t) from << 32 | to;
  uint64_t draw = mix (mix (topology->options.seed + 1) ^ mix (pair));

  return (double) (draw >> 11) * 0x1p-53 >= share;
}

void
ss_topology_set_loss (SsTopology *topology, unsigned node, double up,
                      double down)
{
  SsAccessLink *link = link_of (topology, node);

  link->loss_up = (float) up;
  link->loss_down = (float) down;
  topology->has_links = true;
}

void
ss_topology_set_access (SsTopology *topology, unsigned node,
                        const SsAccess *access)
{
  link_of (topology, node)->access = *access;
  topology->has_links = true;
}

void
ss_topology_count_stress (SsTopology *topology, bool count)
{
  g_clear_pointer (&topology->stress, g_free);
  if (count && topology->routers != NULL)
    topology->stress =
        g_new0 (uint64_t, ss_routers_n_links (topology->routers));
}

void
ss_topology_reset_stress (SsTopology *topology)
{
  if (topology->stress != NULL)
    memset (topology->stress, 0,
            ss_routers_n_links (topology->routers) * sizeof *topology->stress);
}

void
ss_topology_stress (const SsTopology *topology, SsStress *ret_stress)
{
  SsStress stress = { .used = 0 };

  if (topology->stress != NULL) {
    stress.all = ss_routers_n_links (topology->routers);
    for (unsigned i = 0; i < stress.all; i++) {
      stress.crossings += topology->stress[i];
      stress.used += topology->stress[i] > 0;
      stress.most = MAX (stress.most, topology->stress[i]);
    }
  }
  stress.mean = (double) stress.crossings / MAX (stress.used, 1);
  *ret_stress = stress;
}

unsigned
ss_topology_n_links (const SsTopology *topology)
{
  return topology->routers != NULL ? ss_routers_n_links (topology->routers) : 0;
}

unsigned
ss_topology_path (SsTopology *topology, unsigned from, unsigned to,
                  unsigned ret_links[SS_ROUTERS_PATH_MAX])
{
  if (topology->routers == NULL)
    return 0;
  return ss_routers_path (topology->routers,
                          ss_topology_router (topology, from),
                          ss_topology_router (topology, to), ret_links);
}

static void
count_stress (SsTopology *topology, unsigned from, unsigned to)
{
  unsigned links[SS_ROUTERS_PATH_MAX];
  unsigned n = ss_topology_path (topology, from, to, links);

  for (unsigned i = 0; i < n; i++)
    topology->stress[links[i]]++;
}

SsTime
ss_topology_hook (void *user, unsigned from, unsigned to)
{
  return ss_topology_delay (user, from, to);
}

bool
ss_topology_depart (void *user, SsTime now, unsigned from, unsigned to,
                    const uint8_t *bytes, size_t len, SsTime *delay)
{
  SsTopology *topology = user;

  if (!ss_topology_reaches (topology, from, to))
    return false;
  if (topology->has_links) {
    SsAccessLink *link = link_of (topology, from);
    SsTime wait;

    if (!ss_access_leave (link, now, len, &topology->rng, &wait))
      return false;
    *delay += wait;
  }
  if (topology->stress != NULL)
    count_stress (topology, from, to);
  return true;
}

bool
ss_topology_arrive (void *user, SsTime now, unsigned to, size_t len,
                    SsTime *ret_wait)
{
  SsTopology *topology = user;

  *ret_wait = 0;
  if (!topology->has_links)
    return true;
  return ss_access_enter (link_of (topology, to), now, len, &topology->rng,
                          ret_wait);
}
