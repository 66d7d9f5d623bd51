/* A simulated world: nodes and time. The station is in sim/station.c. */
#include "sim/world.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "sim/air.h"
#include "sim/cost.h"
#include "sim/lookups.h"
#include "sim/oracle.h"

/* 2024-01-01, so that sessions and versions look as they will. */
#define WALL_OFFSET    (INT64_C (1704067200) * SS_SEC)
#define WAIT_STEP      (10 * SS_MSEC)
#define FAILURES_SHOWN 20
#define BOOTSTRAPS     2
#define CHOOSE_TRIES   8

static void
on_event (void *user, unsigned index, SsEvent *event)
{
  SsWorld *world = user;
  SsMember *member = ss_world_member (world, index);

  if (!member->is_up) {
    ss_air_drop_event (event);
    return;
  }
  switch (event->type) {
  case SS_EVENT_STATE:
    member->state = event->state;
    if (member->ready_at < 0
        && (event->state == SS_NODE_JOINED || event->state == SS_NODE_ALONE)) {
      member->ready_at = ss_world_now (world);
      world->n_ready++;
    }
    break;
  case SS_EVENT_LEFT:
    ss_world_kill (world, index);
    break;
  case SS_EVENT_JOIN_FAILED:
    /* It goes on trying; whoever waits for it will complain. */
    world->n_slow_joins += index != 0;
    break;
  default:
    ss_air_event (world, member, event);
  }
}

static bool
depart (void *user, SsTime now, unsigned from, unsigned to,
        const uint8_t *bytes, size_t len, SsTime *delay)
{
  SsWorld *world = user;

  if (world->traffic != NULL && ss_world_member (world, from)->is_up)
    ss_traffic_count (world->traffic, bytes, len);
  return ss_topology_depart (world->topology, now, from, to, bytes, len, delay);
}

static bool
arrive (void *user, SsTime now, unsigned to, size_t len, SsTime *ret_wait)
{
  SsWorld *world = user;

  return ss_topology_arrive (world->topology, now, to, len, ret_wait);
}

static SsTime
delay_of (void *user, unsigned from, unsigned to)
{
  return ss_world_delay (user, from, to);
}

SsWorld *
ss_world_new (const SsSimOptions *options)
{
  SsWorld *world = g_new0 (SsWorld, 1);
  const SsTopologyOptions topology = {
    .kind = options->topology,
    .seed = options->seed,
    .delay = options->delay,
    .one_way = options->one_way,
    .access = options->access,
  };
  const SsNetworkOptions network = {
    .seed = options->seed,
    .model = SS_DELAY_HOOK,
    .hook = delay_of,
    .hook_user = world,
    .depart = depart,
    .arrive = arrive,
    .between_user = world,
    .delay = options->delay,
    .jitter = options->jitter,
    .hold_off = options->hold_off,
    .loss = options->loss,
    .duplicate = options->duplicate,
    .straggle = options->straggle,
    .straggle_delay = 4 * options->delay,
  };

  world->options = *options;
  world->topology = ss_topology_new (&topology);
  world->network = ss_network_new (&network, on_event, world);
  ss_network_rng (world->network, "scenario", 0, &world->rng);
  world->members = g_ptr_array_new ();
  world->publisher = world->epoch = -1;
  world->lookups = ss_oracle_lookups_new ();
  world->air = ss_air_new ();
  world->memory_before = ss_cost_memory (world);
  return world;
}

void
ss_world_free (SsWorld *world)
{
  ss_network_free (world->network);
  ss_topology_free (world->topology);
  ss_lookups_free (world);
  g_free (world->churn);
  g_free (world->traffic);
  for (unsigned i = 0; i < world->members->len; i++) {
    SsMember *member = ss_world_member (world, i);

    g_free (member->hearing);
    g_free (member);
  }
  g_ptr_array_unref (world->members);
  g_array_unref (world->lookups);
  ss_air_free (world->air);
  g_free (world);
}

SsTime
ss_world_now (const SsWorld *world)
{
  return ss_network_now (world->network);
}

SsTime
ss_world_delay (SsWorld *world, unsigned from, unsigned to)
{
  return ss_topology_delay (world->topology, from, to);
}

void
ss_world_count_traffic (SsWorld *world)
{
  g_free (world->traffic);
  world->traffic = g_new0 (SsTraffic, 1);
}

SsMember *
ss_world_member (const SsWorld *world, unsigned index)
{
  g_assert (index < world->members->len);
  return g_ptr_array_index (world->members, index);
}

SsNode *
ss_world_node (const SsWorld *world, unsigned index)
{
  return ss_network_node (world->network, index);
}

unsigned
ss_world_n_up (const SsWorld *world)
{
  return world->n_up;
}

unsigned
ss_world_pick (SsWorld *world)
{
  for (;;) {
    unsigned index = (unsigned) ss_rng_below (&world->rng, world->members->len);

    if (ss_world_member (world, index)->is_up
        && (int) index != world->publisher)
      return index;
  }
}

static void
log_line (void *user, SsLogLevel level, const char *text)
{
  const SsMember *member = user;

  printf ("%12.6f node %u: %s\n",
          (double) ss_world_now (member->world) / (double) SS_SEC,
          member->index, text);
}

static bool
is_in_ring (const SsWorld *world, unsigned index)
{
  const SsMember *member = ss_world_member (world, index);

  return member->is_up && member->ready_at >= 0
         && !ss_network_is_behind_nat (world->network, index);
}

/* By lot; in the end, if there are few, the next one. Not at once: where many
 * are on their way in, the one who comes next would be asked by all of them. */
static unsigned
choose_in_ring (SsWorld *world)
{
  unsigned index = 0, n = world->members->len;

  for (unsigned try = 0; try < CHOOSE_TRIES; try++) {
    index = (unsigned) ss_rng_below (&world->rng, n);
    if (is_in_ring (world, index))
      return index;
  }
  for (unsigned j = 0; j < n && !is_in_ring (world, index); j++)
    index = (index + 1) % n;
  return index;
}

/* Addresses of up to BOOTSTRAPS that are in the ring. */
static unsigned
choose_bootstraps (SsWorld *world, SsAddr ret_addrs[BOOTSTRAPS])
{
  unsigned n = 0;

  for (unsigned i = 0; i < BOOTSTRAPS; i++) {
    unsigned index = choose_in_ring (world);
    SsAddr addr = ss_network_addr (index);

    if (is_in_ring (world, index)
        && (n == 0 || !ss_addr_equal (&addr, &ret_addrs[0])))
      ret_addrs[n++] = addr;
  }
  return n;
}

/* A new member, or one that was dead, with the key that it had. */
static void
bring_up (SsWorld *world, SsMember *member, bool listens)
{
  bool is_new = member->index == world->members->len;
  SsAddr addrs[BOOTSTRAPS];
  unsigned n_addrs = 0;

  if (world->members->len > 0)
    n_addrs = choose_bootstraps (world, addrs);
  member->is_up = true;
  world->n_up++;
  member->started = ss_world_now (world);
  member->ready_at = -1;
  SsNodeConfig config = {
    .is_relay = member->is_relay,
    .leaf_set = world->options.leaf_set,
    .children_max = world->options.out,
    .wall_offset = WALL_OFFSET,
    .is_fresh = is_new,
    .may_stand_alone = member->index == 0,
    .log_level = SS_LOG_DEBUG,
    .log = world->options.verbose ? log_line : NULL,
    .log_user = member,
  };

  memcpy (config.identity_seed, member->identity_seed,
          sizeof config.identity_seed);
  if (is_new) {
    g_ptr_array_add (world->members, member);
    ss_network_add (world->network, &config);
  } else {
    ss_network_restart (world->network, member->index, &config);
  }
  SsNode *node = ss_world_node (world, member->index);

  member->self = *ss_kbr_self (ss_node_kbr (node));
  ss_oracle_register (member, node);
  ss_lookups_register (member, node);
  ss_node_join (node, ss_world_now (world), addrs, n_addrs, NULL, 0);
  if (listens)
    ss_air_listen (world, member);
  ss_network_touch (world->network, member->index);
}

unsigned
ss_world_add (SsWorld *world, bool is_relay, bool listens)
{
  SsMember *member = g_new0 (SsMember, 1);
  SsRng rng;
  SsKey key;

  member->world = world;
  member->index = world->members->len;
  member->is_relay = is_relay;
  ss_network_rng (world->network, "identity", member->index, &rng);
  ss_link_make_identity (&rng, member->identity_seed, &key);
  bring_up (world, member, listens);
  return member->index;
}

void
ss_world_restart (SsWorld *world, unsigned index)
{
  SsMember *member = ss_world_member (world, index);

  g_assert (!member->is_up && ss_world_node (world, index) == NULL);
  g_clear_pointer (&member->hearing, g_free);
  bring_up (world, member, false);
}

void
ss_world_listen (SsWorld *world, unsigned index)
{
  SsMember *member = ss_world_member (world, index);

  g_assert (member->is_up && member->hearing == NULL);
  ss_node_tick (ss_world_node (world, index), ss_world_now (world));
  ss_air_listen (world, member);
  ss_network_touch (world->network, index);
}

typedef struct {
  SsWorld *world;
  bool listens;
  unsigned n_left;
} Crowd;

static void
add_one (void *user, uint64_t unused)
{
  Crowd *crowd = user;

  ss_world_add (crowd->world, false, crowd->listens);
  crowd->n_left--;
}

void
ss_world_add_many (SsWorld *world, unsigned n, bool listens, SsTime span)
{
  Crowd crowd = { world, listens, n };
  SsTime now = ss_world_now (world);

  for (unsigned i = 0; i < n; i++) {
    SsTime delay =
        (SsTime) ss_rng_below (&world->rng, (uint64_t) MAX (span, 1));

    ss_network_at (world->network, now + delay, add_one, &crowd, 0);
  }
  ss_world_run (world, span);
  g_assert (crowd.n_left == 0);
}

static void
forget (SsWorld *world, SsMember *member)
{
  g_assert (member->is_up);
  member->is_up = false;
  world->n_up--;
  ss_lookups_node_is_gone (world, member);
  if (member->ready_at >= 0)
    world->n_ready--;
  if ((int) member->index == world->publisher)
    ss_air_publisher_is_gone (world);
}

void
ss_world_kill (SsWorld *world, unsigned index)
{
  forget (world, ss_world_member (world, index));
  ss_network_kill (world->network, index);
}

void
ss_world_silence (SsWorld *world, unsigned index)
{
  forget (world, ss_world_member (world, index));
  ss_network_set_side (world->network, index, SS_NETWORK_ALONE);
}

void
ss_world_leave (SsWorld *world, unsigned index)
{
  ss_node_leave (ss_world_node (world, index), ss_world_now (world));
  ss_network_touch (world->network, index);
}

void
ss_world_run (SsWorld *world, SsTime duration)
{
  ss_network_run (world->network, ss_world_now (world) + duration);
}

SsTime
ss_world_wait (SsWorld *world, SsWorldCondition condition, SsTime most)
{
  SsTime start = ss_world_now (world);

  for (;;) {
    SsTime passed = ss_world_now (world) - start;

    if (condition (world))
      return passed;
    if (passed >= most)
      return -1;
    ss_world_run (world, MIN (WAIT_STEP, most - passed));
  }
}

bool
ss_world_all_ready (SsWorld *world)
{
  return world->n_ready == ss_world_n_up (world);
}

void
ss_world_mark (SsWorld *world)
{
  world->mark = ss_world_now (world);
  world->mark_media =
      world->epoch >= 0 ? world->epochs[world->epoch].pump.n_bytes : 0;
  for (unsigned i = 0; i < world->members->len; i++) {
    SsMember *member = ss_world_member (world, i);

    if (!member->is_up)
      continue;
    const SsCounters *counters =
        &ss_node_env (ss_world_node (world, i))->counters;

    member->bytes_mark = counters->value[SS_COUNT_BYTES_OUT];
    member->control_mark = counters->value[SS_COUNT_CONTROL_BYTES_OUT];
  }
}

static double
sent_since_mark (const SsWorld *world, unsigned index, SsCounterName counter)
{
  const SsMember *member = ss_world_member (world, index);
  const SsCounters *counters =
      &ss_node_env (ss_world_node (world, index))->counters;
  uint64_t mark =
      counter == SS_COUNT_BYTES_OUT ? member->bytes_mark : member->control_mark;

  return (double) (counters->value[counter] - mark);
}

double
ss_world_upload_ratio (const SsWorld *world, unsigned index)
{
  uint64_t media = world->epochs[world->epoch].pump.n_bytes - world->mark_media;

  return media == 0 ? NAN
                    : sent_since_mark (world, index, SS_COUNT_BYTES_OUT)
                          / (double) media;
}

double
ss_world_control_rate (const SsWorld *world, unsigned index)
{
  double seconds =
      (double) (ss_world_now (world) - world->mark) / (double) SS_SEC;

  return sent_since_mark (world, index, SS_COUNT_CONTROL_BYTES_OUT) / seconds;
}

void
ss_world_row (const SsWorld *world, const char *what, const char *format, ...)
{
  va_list arguments;

  printf ("  %-36s ", what);
  va_start (arguments, format);
  vprintf (format, arguments);
  va_end (arguments);
  putchar ('\n');
}

void
ss_world_fail (SsWorld *world, const char *format, ...)
{
  va_list arguments;

  if (world->n_failures++ >= FAILURES_SHOWN)
    return;
  printf ("  FAILED at %.3f s, seed %" G_GUINT64_FORMAT ": ",
          (double) ss_world_now (world) / (double) SS_SEC, world->options.seed);
  va_start (arguments, format);
  vprintf (format, arguments);
  va_end (arguments);
  putchar ('\n');
}
