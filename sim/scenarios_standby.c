/* Two more broadcasters stand by: the one on the air dies, or sleeps, and the
 * station goes on, with one of them and not with both. */
#include "node/messages.h"
#include "scribe/messages.h"
#include "sim/air.h"
#include "sim/scenario.h"
#include "sim/traffic.h"
#include "splitstream/packet.h"

#define CALM_TIME (5 * SS_SEC)
#define TAKE_OVER (6 * SS_SEC)
#define FREEZE    (10 * SS_SEC)
#define LIES      200
#define GAP_MAX   (4 * SS_SEC) /* of what is heard */
/* Where datagrams are lost, those of a dead publisher's last packets may be. */
#define TAIL_LOST_MAX 6
/* The very first may have gone with a handshake, unseen. */
#define FIRST_SEEN_MAX 1
#define SOURCES        3

/* What a broadcaster has sent of its newest session. */
typedef struct {
  SsWorld *world;
  unsigned node;
  uint32_t session;  /* 0: nothing yet */
  uint64_t first;    /* number of its first data packet, */
  unsigned index;    /* and where in a row that is */
  uint64_t n_frames; /* that have left, whole */
  uint64_t n_unsent; /* more that it had when it went */
} Sent;

static void
note_packet (Sent *sent, unsigned stripe, uint32_t sequence,
             const SsWireBytes *bytes)
{
  SsPacket packet;

  if (!ss_packet_parse (bytes->data, bytes->len, &packet) || packet.is_parity
      || packet.session < sent->session)
    return;
  uint64_t number =
      (uint64_t) sequence * (SS_STRIPES - packet.parity_count) + stripe;

  if (packet.session > sent->session)
    *sent = (Sent){ .world = sent->world,
                    .node = sent->node,
                    .session = packet.session,
                    .first = number,
                    .index = packet.index };
  if (number < sent->first) {
    sent->first = number;
    sent->index = packet.index;
  }
  if ((packet.flags & SS_PACKET_FLAG_HEADERS) != 0)
    return;
  /* The rest of the last one may follow. */
  unsigned n_whole =
      packet.n_frames - ((packet.flags & SS_PACKET_FLAG_HEAD) != 0);

  sent->n_frames = MAX (sent->n_frames, packet.frame_number + n_whole);
}

/* Looks at what a broadcaster sends, and changes nothing. */
static bool
look_at_sent (void *user, unsigned to, uint8_t *bytes, size_t *len)
{
  Sent *sent = user;
  SsTrafficFrame frame;
  SsMsgScribePublish publish;
  SsMsgScribeDeputy deputy;
  SsMsgScribeRepair repair;

  (void) to;
  ss_traffic_begin (bytes, *len, &frame);
  while (ss_traffic_next (&frame)) {
    if (frame.is_control || frame.protocol != SS_PROTOCOL_SCRIBE)
      continue;
    if (ss_msg_scribe_publish_decode (frame.data, frame.len, &publish))
      note_packet (sent, publish.tag[0] >> 4, publish.sequence,
                   &publish.packet);
    else if (ss_msg_scribe_deputy_decode (frame.data, frame.len, &deputy))
      note_packet (sent, deputy.tag[0] >> 4, deputy.sequence, &deputy.packet);
    else if (ss_msg_scribe_repair_decode (frame.data, frame.len, &repair))
      note_packet (sent, repair.tag[0] >> 4, repair.sequence, &repair.packet);
  }
  return true;
}

static void
watch_sent (SsWorld *world, unsigned node, Sent *sent)
{
  *sent = (Sent){ .world = world, .node = node };
  ss_network_tamper (world->network, node, look_at_sent, sent);
}

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

static const Sent *
find_sent (const SsWorld *world, const Sent *sent)
{
  for (unsigned i = 0; i < SOURCES; i++)
    if ((int) sent[i].node == world->publisher)
      return &sent[i];
  g_assert_not_reached ();
}

/* Of who is on the air, at the moment at which it will be no longer. */
static Sent
last_sent (SsWorld *world, const Sent *sent)
{
  for (unsigned i = 0; i < world->members->len; i++) {
    SsHearing *hearing = ss_world_member (world, i)->hearing;
    if (hearing != NULL)
      hearing->tail = 0;
  }
  Sent last = *find_sent (world, sent);

  last.n_unsent = world->epochs[world->epoch].pump.n_frames - last.n_frames;
  return last;
}

/* It is another session, and begins with a row. */
static void
check_begin (SsWorld *world, const Sent *before, const Sent *now)
{
  if (now->session <= before->session)
    ss_world_fail (world, "session %u follows %u", now->session,
                   before->session);
  if (now->first > FIRST_SEEN_MAX || now->index != now->first)
    ss_world_fail (world,
                   "it begins with packet %" G_GUINT64_FORMAT
                   ", which is %u of its row",
                   now->first, now->index);
}

/* Whoever is on the air is gone: another is, and all hear it. What has left the
 * first nobody lacks, and of the other's nothing. */
static bool
check_take_over (SsWorld *world, const char *what, const Sent *sent,
                 const Sent *before)
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
    if (hearing->first != 0)
      ss_world_fail (world, "node %u lacks the other's first frames", i);
  }
  ss_world_row (world, what,
                "on the air after %.2f s, gap of %.2f s; %u lost, %u not sent",
                (double) aired / (double) SS_SEC,
                (double) gap / (double) SS_SEC, (unsigned) tail,
                (unsigned) before->n_unsent);
  if (gap > GAP_MAX)
    ss_world_fail (world, "the gap is too long");
  if (tail > before->n_unsent + (world->options.loss > 0 ? TAIL_LOST_MAX : 0))
    ss_world_fail (world, "what was sent is lost");
  check_begin (world, before, find_sent (world, sent));
  ss_world_run (world, CALM_TIME);
  return true;
}

void
ss_scenario_standby (SsSimRun *run)
{
  SsWorld *world = ss_sim_begin (run, NULL);
  Sent sent[SOURCES], before;

  if (!ss_sim_start_station (world, run->options->nodes, 2 * SS_SEC))
    goto out;
  watch_sent (world, (unsigned) world->publisher, &sent[0]);
  watch_sent (world, ss_world_stand_by (world), &sent[1]);
  watch_sent (world, ss_world_stand_by (world), &sent[2]);
  if (ss_world_wait (world, two_stand_by, CALM_TIME) < 0) {
    ss_world_fail (world, "the others do not stand by");
    goto out;
  }
  ss_world_run (world, run->options->duration);
  check_carries_nobody (world);
  lie (world);
  /* They listen, as anybody does, and what they say is no stream. */
  before = last_sent (world, sent);
  ss_world_kill (world, (unsigned) world->publisher);
  if (!check_take_over (world, "the first died", sent, &before))
    goto out;
  if (n_standing_by (world) != 1) {
    ss_world_fail (world, "not one goes on standing by");
    goto out;
  }
  /* The second sleeps; waking, it finds the third, and stands by. */
  unsigned sleeper = (unsigned) world->publisher;

  before = last_sent (world, sent);
  ss_network_freeze (world->network, sleeper);
  ss_air_publisher_is_gone (world);
  ss_world_run (world, FREEZE);
  if (!check_take_over (world, "the second slept", sent, &before))
    goto out;
  ss_network_thaw (world->network, sleeper);
  if (ss_world_wait (world, one_stands_by, FREEZE) < 0) {
    ss_world_fail (world, "it does not stand by again");
    goto out;
  }
  ss_world_run (world, CALM_TIME);
  check_carries_nobody (world);
  before = last_sent (world, sent);
  ss_world_kill (world, (unsigned) world->publisher);
  if (!check_take_over (world, "the third died", sent, &before))
    goto out;
  ss_sim_finish_station (world);
  ss_sim_report_listeners (world);
out:
  ss_sim_end (run, world);
}
