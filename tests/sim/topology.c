/* The simulator's topologies: places, paths, access links, stress. */
#include "sim/topology.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#define NODES 60

static SsTopology *
make (SsTopologyKind kind, uint64_t seed)
{
  const SsTopologyOptions options = {
    .kind = kind,
    .seed = seed,
    .delay = 100 * SS_MSEC,
  };

  return ss_topology_new (&options);
}

/* Delays are symmetric, zero to itself but for the node's own links, the same
 * for the same seed, and those of another seed are others. */
static void
test_symmetric (void)
{
  for (unsigned kind = 0; kind < SS_N_TOPOLOGIES; kind++) {
    SsTopology *one = make ((SsTopologyKind) kind, 7);
    SsTopology *same = make ((SsTopologyKind) kind, 7);
    SsTopology *other = make ((SsTopologyKind) kind, 8);
    unsigned n_different = 0;

    /* Asked in another order: places do not depend on it. */
    ss_topology_delay (same, NODES - 1, 0);
    for (unsigned i = 0; i < NODES; i++)
      for (unsigned j = 0; j < i; j++) {
        SsTime delay = ss_topology_delay (one, i, j);

        g_assert_cmpint (delay, >=, 0);
        g_assert_cmpint (delay, ==, ss_topology_delay (one, j, i));
        g_assert_cmpint (delay, ==, ss_topology_delay (same, i, j));
        n_different += delay != ss_topology_delay (other, i, j);
      }
    if (kind != SS_TOPOLOGY_UNIFORM)
      g_assert_cmpuint (n_different, >, NODES * (NODES - 1) / 2 * 9 / 10);
    ss_topology_free (one);
    ss_topology_free (same);
    ss_topology_free (other);
  }
}

/* On plane and sphere no way round is shorter, and none is longer than
 * across. */
static void
test_triangle (void)
{
  static const SsTopologyKind kinds[] = { SS_TOPOLOGY_PLANE,
                                          SS_TOPOLOGY_SPHERE };

  for (unsigned k = 0; k < G_N_ELEMENTS (kinds); k++) {
    SsTopology *topology = make (kinds[k], 3);
    SsTime longest = 0;

    for (unsigned i = 0; i < NODES; i++)
      for (unsigned j = 0; j < NODES; j++)
        for (unsigned via = 0; via < NODES; via++) {
          SsTime straight = ss_topology_delay (topology, i, j);

          longest = MAX (longest, straight);
          g_assert_cmpint (straight, <=,
                           ss_topology_delay (topology, i, via)
                               + ss_topology_delay (topology, via, j)
                               + SS_USEC);
        }
    g_assert_cmpint (longest, <=, 100 * SS_MSEC);
    g_assert_cmpint (longest, >, 50 * SS_MSEC);
    ss_topology_free (topology);
  }
}

static SsTime
path_delay (const SsRouters *routers, unsigned from, unsigned to,
            unsigned *ret_n)
{
  unsigned links[SS_ROUTERS_PATH_MAX];
  SsTime sum = 0;

  *ret_n = ss_routers_path (routers, from, to, links);
  for (unsigned i = 0; i < *ret_n; i++)
    sum += ss_routers_link_delay (routers, links[i]);
  return sum;
}

/* Two transit routers, each with a stub domain of one router: a line of
 * three links. */
static void
test_line (void)
{
  const SsRoutersOptions options = { .transit_domains = 2,
                                     .transit_routers = 1,
                                     .stub_domains = 1,
                                     .stub_routers = 1,
                                     .delay = 10 * SS_MSEC };
  SsRng rng;
  unsigned n;

  ss_rng_init_number (&rng, 1);
  SsRouters *routers = ss_routers_new (&options, &rng);

  g_assert_cmpuint (ss_routers_n (routers), ==, 4);
  g_assert_cmpuint (ss_routers_n_links (routers), ==, 3);
  g_assert_cmpint (
      ABS (path_delay (routers, 2, 3, &n) - ss_routers_delay (routers, 2, 3)),
      <, 10);
  g_assert_cmpuint (n, ==, 3);
  path_delay (routers, 2, 0, &n);
  g_assert_cmpuint (n, ==, 1);
  path_delay (routers, 0, 3, &n);
  g_assert_cmpuint (n, ==, 2);
  path_delay (routers, 1, 1, &n);
  g_assert_cmpuint (n, ==, 0);
  ss_routers_free (routers);
}

/* The testbed: as many routers as it has; every path is as long as its links
 * together, the same back, within its domain or by one link out and one in;
 * the mean is as asked. */
static void
test_georgia_tech (void)
{
  const SsRoutersOptions options = SS_ROUTERS_GEORGIA_TECH;
  SsRng rng;
  double sum = 0;
  unsigned n_inside = 0;

  ss_rng_init_number (&rng, 5);
  SsRouters *routers = ss_routers_new (&options, &rng);
  unsigned n = ss_routers_n (routers), core = ss_routers_n_transit (routers);

  g_assert_cmpuint (n, ==, 5050);
  g_assert_cmpuint (core, ==, 50);
  g_assert_cmpuint (ss_routers_n_domains (routers), ==, 500);
  for (unsigned i = 0; i < 20000; i++) {
    unsigned from = core + (unsigned) ss_rng_below (&rng, n - core);
    unsigned to = core + (unsigned) ss_rng_below (&rng, n - core);
    unsigned length, back;

    if (i % 10 == 0) /* one near by */
      to = core + (from - core) / 10 * 10 + (unsigned) ss_rng_below (&rng, 10);
    SsTime delay = ss_routers_delay (routers, from, to);

    g_assert_cmpint (delay, ==, ss_routers_delay (routers, to, from));
    g_assert_cmpint (ABS (path_delay (routers, from, to, &length) - delay), <,
                     SS_USEC);
    path_delay (routers, to, from, &back);
    g_assert_cmpuint (length, ==, back);
    if (ss_routers_domain (routers, from) == ss_routers_domain (routers, to)) {
      n_inside++;
      g_assert_cmpuint (length, <, 10);
    } else {
      g_assert_cmpuint (length, >=, 2);
      sum += (double) delay;
    }
  }
  g_assert_cmpuint (n_inside, >=, 2000);
  g_assert_cmpfloat (sum / (20000 - n_inside), >, 38e6);
  g_assert_cmpfloat (sum / (20000 - n_inside), <, 43e6);
  ss_routers_free (routers);
}

static bool
depart (SsTopology *topology, SsTime now, unsigned from, unsigned to,
        size_t len, SsTime *ret_delay)
{
  static const uint8_t bytes[1232];

  *ret_delay = 0;
  return ss_topology_depart (topology, now, from, to, bytes, len, ret_delay);
}

/* 80 kbit/s up: a datagram of 972 bytes and 28 of headers takes 100 ms; they
 * queue; the queue of 3,000 bytes is full at the fourth; later it is empty
 * again. Others are not held up. The same down. */
static void
test_access (void)
{
  SsTopology *topology = make (SS_TOPOLOGY_UNIFORM, 1);
  const SsAccess access = { .up_kbps = 80,
                            .down_kbps = 80,
                            .queue_bytes = 3000 };
  SsTime delay;

  ss_topology_set_access (topology, 1, &access);
  for (int i = 1; i <= 3; i++) {
    g_assert_true (depart (topology, SS_SEC, 1, 2, 972, &delay));
    g_assert_cmpint (delay, ==, i * 100 * SS_MSEC);
  }
  g_assert_false (depart (topology, SS_SEC, 1, 2, 972, &delay));
  g_assert_true (depart (topology, SS_SEC, 2, 1, 972, &delay));
  g_assert_cmpint (delay, ==, 0);
  g_assert_true (depart (topology, 2 * SS_SEC, 1, 2, 972, &delay));
  g_assert_cmpint (delay, ==, 100 * SS_MSEC);
  g_assert_true (ss_topology_arrive (topology, SS_SEC, 1, 972, &delay));
  g_assert_true (ss_topology_arrive (topology, SS_SEC, 1, 972, &delay));
  g_assert_cmpint (delay, ==, 200 * SS_MSEC);
  g_assert_true (ss_topology_arrive (topology, SS_SEC, 2, 972, &delay));
  g_assert_cmpint (delay, ==, 0);
  ss_topology_free (topology);
}

/* Loss of one direction is of that direction; pairs cut one way are about as
 * many as asked, and most of them speak the other way. */
static void
test_asymmetric (void)
{
  const SsTopologyOptions options = { .seed = 4, .one_way = 0.1 };
  SsTopology *topology = ss_topology_new (&options);
  unsigned n_cut = 0, n_both = 0, n_up = 0, n_down = 0;
  SsTime delay;

  for (unsigned i = 0; i < 100; i++)
    for (unsigned j = 0; j < 100; j++) {
      bool there = ss_topology_reaches (topology, i, j);

      g_assert_true (there == ss_topology_reaches (topology, i, j));
      n_cut += !there;
      n_both += !there && !ss_topology_reaches (topology, j, i);
    }
  g_assert_cmpuint (n_cut, >, 900);
  g_assert_cmpuint (n_cut, <, 1100);
  g_assert_cmpuint (n_both, <, 200);
  ss_topology_free (topology);

  topology = make (SS_TOPOLOGY_UNIFORM, 1);
  ss_topology_set_loss (topology, 1, 0.25, 0);
  for (unsigned i = 0; i < 4000; i++) {
    n_up += !depart (topology, SS_SEC, 1, 2, 100, &delay);
    n_down += !ss_topology_arrive (topology, SS_SEC, 1, 100, &delay);
    g_assert_true (depart (topology, SS_SEC, 2, 1, 100, &delay));
  }
  g_assert_cmpuint (n_down, ==, 0);
  g_assert_cmpuint (n_up, >, 850);
  g_assert_cmpuint (n_up, <, 1150);
  ss_topology_free (topology);
}

/* Ten copies cross each link of the way ten times, and no other. */
static void
test_stress (void)
{
  SsTopology *topology = make (SS_TOPOLOGY_TRANSIT_STUB, 9);
  SsStress stress;
  SsTime delay;

  ss_topology_count_stress (topology, true);
  for (unsigned i = 0; i < 10; i++)
    depart (topology, SS_SEC, 1, 2, 100, &delay);
  ss_topology_stress (topology, &stress);
  g_assert_cmpuint (stress.most, ==, 10);
  g_assert_cmpfloat (stress.mean, ==, 10);
  g_assert_cmpuint (stress.crossings, ==, 10 * stress.used);
  ss_topology_reset_stress (topology);
  ss_topology_stress (topology, &stress);
  g_assert_cmpuint (stress.crossings, ==, 0);
  ss_topology_free (topology);
}

/* Nodes of one domain are behind one stub domain. */
static void
test_domains (void)
{
  for (unsigned kind = SS_TOPOLOGY_PLANE; kind < SS_N_TOPOLOGIES; kind++) {
    SsTopology *topology = make ((SsTopologyKind) kind, 2);
    double near = 0, far = 0;
    unsigned n_near = 0, n_far = 0;

    for (unsigned i = 0; i < 600; i++)
      for (unsigned j = 0; j < i; j++) {
        double delay = (double) ss_topology_delay (topology, i, j);

        if (ss_topology_domain (topology, i)
            == ss_topology_domain (topology, j)) {
          near += delay;
          n_near++;
        } else {
          far += delay;
          n_far++;
        }
      }
    g_assert_cmpuint (n_near, >, 0);
    g_assert_cmpfloat (near / n_near, <, 0.3 * far / n_far);
    ss_topology_free (topology);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/topology/symmetric", test_symmetric);
  g_test_add_func ("/topology/triangle", test_triangle);
  g_test_add_func ("/topology/line", test_line);
  g_test_add_func ("/topology/georgia-tech", test_georgia_tech);
  g_test_add_func ("/topology/access", test_access);
  g_test_add_func ("/topology/asymmetric", test_asymmetric);
  g_test_add_func ("/topology/stress", test_stress);
  g_test_add_func ("/topology/domains", test_domains);
  return g_test_run ();
}
