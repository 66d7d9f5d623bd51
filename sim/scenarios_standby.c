/* Two more broadcasters stand by: the one on the air dies, or sleeps, and the
 * station goes on, with one of them and not with both. */
#include "node/messages.h"
#include "sim/air.h"
#include "sim/scenario.h"

#define CALM_TIME (5 * SS_SEC)
#define TAKE_OVER (6 * SS_SEC)
#define FREEZE    (10 * SS_SEC)
#define LIES      200
#define GAP_MAX   (4 * SS_SEC) /* of what is heard */
/* What a publisher holds back for company dies with it: a packet's hold, and
 * what came at that moment. */
#define TAIL_MAX 6

static unsigned
n_standing_by (SsWorld *world)
{
  unsigned n = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);
    n += member->is_up && member->is_standby;
  }
  return n;
}

static bool
one_stands_by (SsWorld *world)
{
  return n_standing_by (world) == 1;
}

static bool
two_stand_by (SsWorld *world)
{
  return n_standing_by (world) == 2;
}

/* Children, while it stands by, are for roots, and for who carries a tree for
 * the broadcaster that is its root; they would lose a parent when it goes on
 * the air. */
static void
check_carries_nobody (SsWorld *world)
{
  const SsId *publisher =
      &ss_world_member (world, (unsigned) world->publisher)->self.id;
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  unsigned n_as_root = 0;

  for (unsigned i = 0; i < world->members->len; i++) {
    const SsMember *member = ss_world_member (world, i);
    if (!member->is_up || !member->is_standby)
      continue;
    ss_node_stats (ss_world_node (world, i), stats);
    for (unsigned j = 0; j < SS_STRIPES; j++) {
      const SsStripeStats *stripe = &stats->station.stripes[j];
      n_as_root += stripe->children;
      if (stripe->children > 0 && !stripe->is_root
          && !ss_id_equal (&stripe->parent.id, publisher))
        ss_world_fail (world, "node %u stands by with %u children in stripe %u",
                       i, stripe->children, j);
    }
  }
  g_free (stats);
  ss_world_row (world, "children of who stands by", "%u, as roots", n_as_root);
}

/* Somebody says many times that another is on the air since: who is looks
 * into the store, and stays. */
static void
lie (SsWorld *world)
{
  unsigned publisher = (unsigned) world->publisher,
           liar = ss_world_pick (world);
  SsNode *node = ss_world_node (world, liar);
  SsMsgLiveQuestion question = {
    .group_id = ss_station_group_id (&world->descriptor.params.key,
                                     world->descriptor.params.name),
    .session = UINT32_MAX,
  };
  uint8_t buf[SS_MSG_LIVE_QUESTION_MAX];
  size_t len = ss_msg_live_question_encode (&question, buf, sizeof buf);
  SsKbrSend how = { .class = SS_CLASS_KBR_CONTROL };

  ss_node_env (node)->now = ss_world_now (world);
  for (unsigned i = 0; i < LIES; i++)
    ss_kbr_send (ss_node_kbr (node), SS_PROTOCOL_NODE,
                 &ss_world_member (world, publisher)->self, &how, buf, len,
                 NULL);
  ss_network_touch (world->network, liar);
  ss_world_run (world, CALM_TIME);
  if (world->publisher != (int) publisher || n_standing_by (world) != 2)
    ss_world_fail (world, "a lie took the station off the air");
}

/* Whoever is on the air is gone: another is, and all hear it. */
static bool
check_take_over (SsWorld *world, const char *what)
{
  SsTime gap = 0, aired = ss_world_wait (world, ss_world_is_on_air, TAKE_OVER);
  uint64_t tail = 0;

  if (aired < 0 || ss_world_wait (world, ss_world_all_hear, TAKE_OVER) < 0) {
    ss_world_fail (world, aired < 0 ? "nobody takes over" : "not all hear it");
    return false;
  }
  for (unsigned i = 0; i < world->members->len; i++) {
    const SsHearing *hearing = ss_world_member (world, i)->hearing;
    if (!ss_world_member (world, i)->is_up || hearing == NULL)
      continue;
    gap = MAX (gap, hearing->gap);
    tail = MAX (tail, hearing->tail);
  }
  ss_world_row (world, what, "on the air after %.2f s, gap of %.2f s, %u lost",
                (double) aired / (double) SS_SEC,
                (double) gap / (double) SS_SEC, (unsigned) tail);
  if (gap > GAP_MAX)
    ss_world_fail (world, "the gap is too long");
  if (tail > TAIL_MAX)
    ss_world_fail (world, "what was sent is lost");
  ss_world_run (world, CALM_TIME);
  return true;
}

void
ss_scenario_standby (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);

  if (!ss_sim_start_station (world, run->options->nodes, 2 * SS_SEC))
    goto out;
  ss_world_stand_by (world);
  ss_world_stand_by (world);
  if (ss_world_wait (world, two_stand_by, CALM_TIME) < 0) {
    ss_world_fail (world, "the others do not stand by");
    goto out;
  }
  ss_world_run (world, run->options->duration);
  check_carries_nobody (world);
  lie (world);
  /* They listen, as anybody does, and what they say is no stream. */
  ss_world_kill (world, (unsigned) world->publisher);
  if (!check_take_over (world, "the first died"))
    goto out;
  if (n_standing_by (world) != 1) {
    ss_world_fail (world, "not one goes on standing by");
    goto out;
  }
  /* The second sleeps; waking, it finds the third, and stands by. */
  unsigned sleeper = (unsigned) world->publisher;

  ss_network_freeze (world->network, sleeper);
  ss_air_publisher_is_gone (world);
  ss_world_run (world, FREEZE);
  if (!check_take_over (world, "the second slept"))
    goto out;
  ss_network_thaw (world->network, sleeper);
  if (ss_world_wait (world, one_stands_by, FREEZE) < 0) {
    ss_world_fail (world, "it does not stand by again");
    goto out;
  }
  ss_world_run (world, CALM_TIME);
  check_carries_nobody (world);
  ss_world_kill (world, (unsigned) world->publisher);
  if (!check_take_over (world, "the third died"))
    goto out;
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}
