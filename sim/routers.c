/* A transit-stub graph. A domain is drawn as a random tree with some more
 * links, its routers scattered about its middle; a link's length is its
 * delay, all scaled at the end to the mean asked for. */
#include "sim/routers.h"

#include <glib.h>
#include <math.h>
#include <string.h>

/* Half widths of what the pieces are scattered over, of a unit square. */
#define TRANSIT_SPREAD 0.06
#define STUB_DISTANCE  0.05
#define STUB_SPREAD    0.015
#define LINK_MIN       0.001 /* no two routers are closer */
/* Of the pairs of a domain's routers that the tree does not link. */
#define TRANSIT_LINKS 0.3
#define STUB_LINKS    0.15
#define CORE_LINKS    0.25 /* of the pairs of transit domains */
/* So long is the way into another transit domain, for the choice of paths:
 * none leaves a domain and comes back. */
#define POLICY  1e3
#define SAMPLES 20000

typedef struct {
  float x, y;
} Point;

/* The routers of one stub domain, or all of the core. */
typedef struct {
  unsigned n;
  Point *points;
  double *cost;   /* n x n: of the best path, INFINITY: none; policy counts */
  float *length;  /* n x n: of that path */
  uint16_t *next; /* n x n: the first router of it */
  uint16_t *link; /* n x n: the direct link's number; NO_LINK */
} Area;

#define NO_LINK UINT16_MAX

typedef struct {
  Area area;
  unsigned gateway; /* the router that the core's is linked with */
  unsigned transit; /* that router */
  unsigned link;    /* and its number */
} Stub;

struct SsRouters {
  SsRoutersOptions options;
  Area core;
  unsigned n_stubs;
  Stub *stubs;
  GArray *links; /* float: lengths */
  double scale;  /* nanoseconds for one unit of length */
};

static void
area_init (Area *area, unsigned n)
{
  area->n = n;
  area->points = g_new0 (Point, n);
  area->cost = g_new (double, n *n);
  area->length = g_new (float, n *n);
  area->next = g_new0 (uint16_t, n * n);
  area->link = g_new (uint16_t, n * n);
  for (unsigned i = 0; i < n * n; i++) {
    area->cost[i] = area->length[i] = i / n == i % n ? 0 : INFINITY;
    area->next[i] = (uint16_t) (i % n);
    area->link[i] = NO_LINK;
  }
}

static void
area_clear (Area *area)
{
  g_free (area->points);
  g_free (area->cost);
  g_free (area->length);
  g_free (area->next);
  g_free (area->link);
}

static float
distance (Point a, Point b)
{
  return (float) MAX (hypot (a.x - b.x, a.y - b.y), LINK_MIN);
}

static unsigned
add_link (SsRouters *routers, float length)
{
  g_assert (routers->links->len < NO_LINK);
  g_array_append_val (routers->links, length);
  return routers->links->len - 1;
}

static void
connect (SsRouters *routers, Area *area, unsigned a, unsigned b, double policy)
{
  unsigned n = area->n;

  if (area->link[a * n + b] != NO_LINK)
    return;
  float length = distance (area->points[a], area->points[b]);
  unsigned link = add_link (routers, length);

  area->link[a * n + b] = area->link[b * n + a] = (uint16_t) link;
  area->length[a * n + b] = area->length[b * n + a] = length;
  area->cost[a * n + b] = area->cost[b * n + a] = (double) length + policy;
}

static Point
scatter (SsRng *rng, Point middle, double spread)
{
  return (Point){
    middle.x + (float) ((2 * ss_rng_unit (rng) - 1) * spread),
    middle.y + (float) ((2 * ss_rng_unit (rng) - 1) * spread),
  };
}

/* Routers from first on, linked among themselves. */
static void
draw_domain (SsRouters *routers, Area *area, unsigned first, unsigned n,
             Point middle, double spread, double more, SsRng *rng)
{
  for (unsigned i = 0; i < n; i++)
    area->points[first + i] = scatter (rng, middle, spread);
  for (unsigned i = 1; i < n; i++)
    connect (routers, area, first + i, first + (unsigned) ss_rng_below (rng, i),
             0);
  for (unsigned i = 1; i < n; i++)
    for (unsigned j = 0; j < i; j++)
      if (ss_rng_unit (rng) < more)
        connect (routers, area, first + i, first + j, 0);
}

/* Floyd and Warshall's. */
static void
find_paths (Area *area)
{
  unsigned n = area->n;

  for (unsigned k = 0; k < n; k++)
    for (unsigned i = 0; i < n; i++)
      for (unsigned j = 0; j < n; j++) {
        double cost = area->cost[i * n + k] + area->cost[k * n + j];

        if (cost >= area->cost[i * n + j])
          continue;
        area->cost[i * n + j] = cost;
        area->length[i * n + j] =
            area->length[i * n + k] + area->length[k * n + j];
        area->next[i * n + j] = area->next[i * n + k];
      }
}

static void
draw_core (SsRouters *routers, SsRng *rng)
{
  const SsRoutersOptions *options = &routers->options;
  unsigned n = options->transit_routers;
  Area *core = &routers->core;

  area_init (core, n * options->transit_domains);
  for (unsigned i = 0; i < options->transit_domains; i++)
    draw_domain (routers, core, i * n, n,
                 scatter (rng, (Point){ 0.5f, 0.5f }, 0.5), TRANSIT_SPREAD,
                 TRANSIT_LINKS, rng);
  for (unsigned i = 1; i < options->transit_domains; i++) {
    unsigned sure = (unsigned) ss_rng_below (rng, i);

    for (unsigned j = 0; j < i; j++) {
      unsigned a = i * n + (unsigned) ss_rng_below (rng, n);
      unsigned b = j * n + (unsigned) ss_rng_below (rng, n);

      if (ss_rng_unit (rng) < CORE_LINKS || j == sure)
        connect (routers, core, a, b, POLICY);
    }
  }
  find_paths (core);
}

static void
draw_stub (SsRouters *routers, Stub *stub, unsigned transit, SsRng *rng)
{
  unsigned n = routers->options.stub_routers;
  Point at = routers->core.points[transit];

  area_init (&stub->area, n);
  draw_domain (routers, &stub->area, 0, n, scatter (rng, at, STUB_DISTANCE),
               STUB_SPREAD, STUB_LINKS, rng);
  find_paths (&stub->area);
  stub->transit = transit;
  stub->gateway = (unsigned) ss_rng_below (rng, n);
  stub->link =
      add_link (routers, distance (at, stub->area.points[stub->gateway]));
}

static unsigned
random_stub_router (const SsRouters *routers, SsRng *rng)
{
  unsigned n = ss_routers_n (routers) - routers->core.n;

  return routers->core.n + (unsigned) ss_rng_below (rng, n);
}

static void
set_scale (SsRouters *routers, SsRng *rng)
{
  double sum = 0;

  routers->scale = 1e9; /* keeps the parts of a unit through the rounding */
  for (unsigned i = 0; i < SAMPLES; i++) {
    unsigned from = random_stub_router (routers, rng);
    unsigned to = random_stub_router (routers, rng);

    sum += (double) ss_routers_delay (routers, from, to);
  }
  routers->scale *= (double) routers->options.delay / (sum / SAMPLES);
}

SsRouters *
ss_routers_new (const SsRoutersOptions *options, SsRng *rng)
{
  SsRouters *routers = g_new0 (SsRouters, 1);

  g_assert (options->transit_domains > 0 && options->transit_routers > 0
            && options->stub_domains > 0 && options->stub_routers > 0);
  routers->options = *options;
  routers->links = g_array_new (FALSE, FALSE, sizeof (float));
  draw_core (routers, rng);
  routers->n_stubs = routers->core.n * options->stub_domains;
  routers->stubs = g_new0 (Stub, routers->n_stubs);
  for (unsigned i = 0; i < routers->n_stubs; i++)
    draw_stub (routers, &routers->stubs[i], i / options->stub_domains, rng);
  set_scale (routers, rng);
  return routers;
}

void
ss_routers_free (SsRouters *routers)
{
  if (routers == NULL)
    return;
  for (unsigned i = 0; i < routers->n_stubs; i++)
    area_clear (&routers->stubs[i].area);
  area_clear (&routers->core);
  g_free (routers->stubs);
  g_array_unref (routers->links);
  g_free (routers);
}

unsigned
ss_routers_n (const SsRouters *routers)
{
  return routers->core.n + routers->n_stubs * routers->options.stub_routers;
}

unsigned
ss_routers_n_transit (const SsRouters *routers)
{
  return routers->core.n;
}

unsigned
ss_routers_n_domains (const SsRouters *routers)
{
  return routers->n_stubs;
}

unsigned
ss_routers_domain (const SsRouters *routers, unsigned router)
{
  g_assert (router >= routers->core.n && router < ss_routers_n (routers));
  return (router - routers->core.n) / routers->options.stub_routers;
}

unsigned
ss_routers_n_links (const SsRouters *routers)
{
  return routers->links->len;
}

static SsTime
to_time (const SsRouters *routers, double length)
{
  return (SsTime) (length * routers->scale);
}

SsTime
ss_routers_link_delay (const SsRouters *routers, unsigned link)
{
  g_assert (link < routers->links->len);
  return to_time (routers, g_array_index (routers->links, float, link));
}

/* Where a router leaves its domain: NULL for one of the core. */
static const Stub *
find_stub (const SsRouters *routers, unsigned router, unsigned *ret_inside)
{
  unsigned n = routers->options.stub_routers;

  g_assert (router < ss_routers_n (routers));
  *ret_inside = router;
  if (router < routers->core.n)
    return NULL;
  *ret_inside = (router - routers->core.n) % n;
  return &routers->stubs[(router - routers->core.n) / n];
}

/* The length of the way up to the core, and where it arrives. */
static double
climb (const SsRouters *routers, unsigned router, unsigned *ret_transit)
{
  unsigned inside;
  const Stub *stub = find_stub (routers, router, &inside);

  *ret_transit = router;
  if (stub == NULL)
    return 0;
  *ret_transit = stub->transit;
  return (double) stub->area.length[inside * stub->area.n + stub->gateway]
         + (double) g_array_index (routers->links, float, stub->link);
}

SsTime
ss_routers_delay (const SsRouters *routers, unsigned from, unsigned to)
{
  unsigned a, b;
  const Stub *stub = find_stub (routers, from, &a);

  if (stub != NULL && stub == find_stub (routers, to, &b))
    return to_time (routers,
                    stub->area.length[MIN (a, b) * stub->area.n + MAX (a, b)]);
  double up = climb (routers, from, &a);
  double down = climb (routers, to, &b);
  /* Floating sums: one order for both directions. */
  double across =
      (double) routers->core.length[MIN (a, b) * routers->core.n + MAX (a, b)];

  return to_time (routers, up + down + across);
}

static unsigned
walk (const Area *area, unsigned from, unsigned to, unsigned *links, unsigned n)
{
  while (from != to) {
    unsigned next = area->next[from * area->n + to];

    g_assert (n < SS_ROUTERS_PATH_MAX);
    links[n++] = area->link[from * area->n + next];
    from = next;
  }
  return n;
}

unsigned
ss_routers_path (const SsRouters *routers, unsigned from, unsigned to,
                 unsigned ret_links[SS_ROUTERS_PATH_MAX])
{
  unsigned a, b, n = 0;
  const Stub *up = find_stub (routers, from, &a);
  const Stub *down = find_stub (routers, to, &b);

  if (up != NULL && up == down)
    return walk (&up->area, a, b, ret_links, 0);
  if (up != NULL) {
    n = walk (&up->area, a, up->gateway, ret_links, n);
    ret_links[n++] = up->link;
    a = up->transit;
  }
  n = walk (&routers->core, a, down != NULL ? down->transit : b, ret_links, n);
  if (down != NULL) {
    g_assert (n < SS_ROUTERS_PATH_MAX);
    ret_links[n++] = down->link;
    n = walk (&down->area, down->gateway, b, ret_links, n);
  }
  return n;
}
