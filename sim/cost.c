/* What simulated worlds cost. */
#include "sim/cost.h"

#include <malloc.h>
#include <sys/resource.h>

static double
seconds (const struct timeval *time)
{
  return (double) time->tv_sec + (double) time->tv_usec / 1e6;
}

double
ss_cost_cpu (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return seconds (&usage.ru_utime) + seconds (&usage.ru_stime);
}

size_t
ss_cost_memory (const SsWorld *world)
{
  struct mallinfo2 info = mallinfo2 ();
  SsNetworkStats stats;

  ss_network_stats (world->network, &stats);
  size_t allocated = info.uordblks + info.hblkhd - stats.memory;

  return allocated > world->memory_before ? allocated - world->memory_before
                                          : 0;
}

void
ss_cost_begin (SsCost *cost)
{
  *cost = (SsCost){ .cpu = ss_cost_cpu () };
}

void
ss_cost_add (SsCost *cost, const SsWorld *world)
{
  SsNetworkStats stats;

  ss_network_stats (world->network, &stats);
  cost->n_events += stats.events;
  if (ss_world_n_up (world) <= cost->nodes)
    return;
  cost->nodes = ss_world_n_up (world);
  cost->bytes = ss_cost_memory (world);
}

void
ss_cost_print (const SsCost *cost)
{
  struct rusage usage;
  double cpu = ss_cost_cpu () - cost->cpu;

  getrusage (RUSAGE_SELF, &usage);
  printf ("  %-36s %" G_GUINT64_FORMAT "  %.2f s CPU  %.0f a second\n",
          "events", cost->n_events, cpu,
          (double) cost->n_events / MAX (cpu, 1e-3));
  printf ("  %-36s %zu bytes a node, of %u; resident at most %.0f MiB\n",
          "memory, at the end", cost->bytes / MAX (cost->nodes, 1), cost->nodes,
          (double) usage.ru_maxrss / 1024);
}
