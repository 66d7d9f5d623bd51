/* A second broadcaster of the same key that stands by: it listens to the
 * station and carries nobody (but as a stripe's root), since they would have to
 * look for others when it goes on the air; it asks the one on the air twice a
 * second whether it is, and sends nothing. When the stream has fallen silent
 * *and* nobody has answered, it goes on the air itself, as a session of its
 * own: what listeners have of the old one plays out while the new one fills, so
 * that they lose what was never sent, and no more.
 *
 * Silence alone is no death: the way to here may be cut. An answer that does
 * not come is none either, while the stream does. Who was cut off, or slept, is
 * asked on with the new session's number, looks into the store when it hears
 * of that, and stands by, or ends. */
#include "node/private.h"

#include <string.h>

#include "node/messages.h"

#define STANDBY_ASK      (500 * SS_MSEC)
#define STANDBY_TRIES    2
#define STANDBY_KNOWN    (3 * SS_SEC)     /* since it asked */
#define STANDBY_PATIENCE (1500 * SS_MSEC) /* without an answer */
/* Several that stand by go on in turns, which the one on the air tells them,
 * and hear who was first: longer than between two questions, since their last
 * answers may be that far apart. Should two go on at once, then not with the
 * same session: two streams of one number would be one that lies. */
#define STANDBY_TURN     (1200 * SS_MSEC)
#define STANDBY_SESSIONS 64
#define STANDBY_READ     (1 * SS_SEC) /* of the store, before it goes on */
/* He from whom the air was taken is told so often, so long. */
#define SUCCESSOR_ASK  (5 * SS_SEC)
#define SUCCESSOR_TIME (3600 * SS_SEC)
/* Of what the store holds: anybody can say that it is time to look. */
#define READ_PAUSE (1 * SS_SEC)

static void ask (SsNode *node, uint32_t session, SsTime again);
static void look (SsNode *node);
static void take_over (SsNode *node);

void
ss_standby_begin (SsNode *node, const SsDescriptor *descriptor)
{
  SsBroadcast *air = node->broadcast;
  char addr[SS_ADDR_STRLEN];

  air->state = SS_AIR_STANDBY;
  air->found = *descriptor;
  air->found_session = MAX (air->found_session, descriptor->session);
  air->rival = ss_contact_from_record (&descriptor->publisher);
  air->is_silent = false;
  air->answered = node->env.now;
  air->rank = 0;
  air->watched = ss_station_watch (node->splitstream, descriptor);
  ss_addr_format (&descriptor->publisher.addrs[0], addr);
  ss_node_push_event (node, SS_EVENT_STANDBY)->text = g_strdup (addr);
  ask (node, air->found.session, STANDBY_ASK);
}

void
ss_standby_end (SsNode *node)
{
  SsBroadcast *air = node->broadcast;
  SsStation *watched = g_steal_pointer (&air->watched);

  ss_timers_disarm (&node->env.timers, &air->timer);
  if (watched != NULL)
    ss_station_close (watched);
}

bool
ss_standby_watches (const SsNode *node, const SsStation *station)
{
  return node->broadcast != NULL && node->broadcast->watched == station;
}

void
ss_standby_silent (SsNode *node, bool is_silent)
{
  SsBroadcast *air = node->broadcast;

  air->is_silent = is_silent;
  if (!is_silent)
    return;
  /* Not at once: it is the watched station that says so. */
  air->silent_at = node->env.now;
  ss_timers_arm_earliest (&node->env.timers, &air->timer, node->env.now);
  air->has_read = false;
  ss_standby_read (node);
}

void
ss_standby_read (SsNode *node)
{
  SsBroadcast *air = node->broadcast;
  SsId fingerprint = ss_id_of_key (&air->signer.key);
  SsId slot = ss_store_own_slot (&fingerprint, air->name);

  if (air->is_reading)
    return;
  air->is_reading = true;
  ss_store_get (node->store, &slot, SS_TOKEN_STANDBY);
}

void
ss_standby_told (SsNode *node)
{
  SsBroadcast *air = node->broadcast;

  if (node->env.now < air->read_again)
    return;
  air->read_again = node->env.now + READ_PAUSE;
  ss_standby_read (node);
}

/* Another may have gone on the air: it is watched then. */
static void
watch (SsNode *node, const SsDescriptor *descriptor)
{
  SsBroadcast *air = node->broadcast;

  if (descriptor->session < air->found.session)
    return;
  if (descriptor->session > air->found.session)
    air->answered = node->env.now;
  air->found = *descriptor;
  air->found_session = MAX (air->found_session, descriptor->session);
  air->rival = ss_contact_from_record (&descriptor->publisher);
  ss_station_set_descriptor (air->watched, descriptor);
}

void
ss_standby_found (SsNode *node, const SsStoreRecord *records, unsigned n,
                  bool complete)
{
  SsBroadcast *air = node->broadcast;
  SsDescriptor descriptor;
  bool is_stored = false;

  if (air == NULL)
    return;
  air->is_reading = false;
  air->has_read = true;
  for (unsigned i = 0; i < n; i++) {
    if (!ss_key_equal (&records[i].key, &air->signer.key)
        || !ss_tuner_read_record (&records[i], &descriptor))
      continue;
    is_stored = true;
    air->version = MAX (air->version, records[i].version);
    if (air->state == SS_AIR_STANDBY)
      watch (node, &descriptor);
    else
      ss_broadcast_outdone (node, &descriptor);
    break; /* of one key there is one */
  }
  if (air->state != SS_AIR_STANDBY)
    return;
  /* Silent, and withdrawn: the end mark was missed. */
  if (air->is_silent && complete && !is_stored) {
    ss_standby_end (node);
    air->state = SS_AIR_ENDED;
    ss_node_push_event (node, SS_EVENT_ENDED);
    return;
  }
  ss_timers_arm_earliest (&node->env.timers, &air->timer, node->env.now);
}

void
ss_standby_answered (SsNode *node, const SsMsgLiveAnswer *answer)
{
  SsBroadcast *air = node->broadcast;

  if (air->state == SS_AIR_STANDBY) {
    if (answer->session == 0)
      return;
    air->answered = node->env.now;
    air->rank = (uint8_t) MIN (answer->rank, SS_STANDBYS_MAX);
    return;
  }
  /* To a question of before this node left the air. */
  if (air->state != SS_AIR_STARTED && air->state != SS_AIR_LIVE)
    return;
  if (answer->session == 0)
    air->tell_until = 0; /* he knows */
  else if (answer->session < air->session)
    ss_station_announce (air->station); /* his may be what is stored */
}

/* Those that have asked lately go on in the order of their ids. */
unsigned
ss_standby_rank (SsNode *node, const SsId *asker)
{
  SsBroadcast *air = node->broadcast;
  SsTime now = node->env.now;
  SsStandby *place = NULL;
  unsigned rank = 0;

  for (unsigned i = 0; i < SS_STANDBYS_MAX; i++) {
    SsStandby *known = &air->standbys[i];
    bool is_there = known->until > now;
    if (is_there && ss_id_equal (&known->id, asker)) {
      place = known;
      break;
    }
    if (!is_there && place == NULL)
      place = known;
  }
  if (place != NULL)
    *place = (SsStandby){ .id = *asker, .until = now + STANDBY_KNOWN };
  for (unsigned i = 0; i < SS_STANDBYS_MAX; i++)
    rank += air->standbys[i].until > now
            && ss_id_compare (&air->standbys[i].id, asker) < 0;
  return place != NULL ? rank : SS_STANDBYS_MAX;
}

void
ss_standby_timer (SsNode *node)
{
  SsBroadcast *air = node->broadcast;

  if (air->state == SS_AIR_STANDBY) {
    ask (node, air->found.session, STANDBY_ASK);
    look (node);
  } else if (node->env.now < air->tell_until) {
    ask (node, air->session, SUCCESSOR_ASK);
  }
}

static void
ask (SsNode *node, uint32_t session, SsTime again)
{
  ss_broadcast_question (node, session, STANDBY_TRIES, 0);
  ss_timers_arm (&node->env.timers, &node->broadcast->timer,
                 node->env.now + again);
}

static void
look (SsNode *node)
{
  SsBroadcast *air = node->broadcast;
  SsTime verdict = MAX (air->silent_at, air->answered + STANDBY_PATIENCE)
                   + air->rank * STANDBY_TURN;

  if (!air->is_silent)
    return;
  if (!air->has_read)
    verdict = MAX (verdict, air->silent_at + STANDBY_READ);
  if (node->env.now >= verdict)
    take_over (node);
  else
    ss_timers_arm_earliest (&node->env.timers, &air->timer, verdict);
}

static void
take_over (SsNode *node)
{
  SsBroadcast *air = node->broadcast;

  ss_standby_end (node);
  air->left_out = (uint32_t) ss_rng_below (&node->env.rng, STANDBY_SESSIONS);
  ss_broadcast_start (node);
  /* Those who hear it need not wait until it is stored. */
  ss_broadcast_on_air (node);
  air->tell_until = node->env.now + SUCCESSOR_TIME;
  ask (node, air->session, SUCCESSOR_ASK);
}
