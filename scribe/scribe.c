/* The SsScribe object: the overlay's upcalls, dispatch of messages, timers. */
#include "scribe/scribe.h"

#include <string.h>

#include "scribe/internal.h"

static const SsKbrApp kbr_app;

/* Its groups are gone, or another family's. */
static void
release_family (gpointer user)
{
  SsFamily *family = user;
  if (family) {
    g_free (family->offer);
    g_free (family->rise);
  }
  g_free (family);
}

SsScribe *
ss_scribe_new (SsEnv *env, SsKbr *kbr, SsProtocol protocol,
               const SsScribeApp *app, void *app_user)
{
  SsScribe *scribe = g_new0 (SsScribe, 1);
  scribe->env = env;
  scribe->kbr = kbr;
  scribe->protocol = protocol;
  scribe->app = *app;
  scribe->app_user = app_user;
  scribe->groups = g_ptr_array_new ();
  scribe->families = g_ptr_array_new_with_free_func (release_family);
  scribe->neighbours = g_ptr_array_new ();
  scribe->dead = g_ptr_array_new ();
  scribe->leave_until = SS_NEVER;
  ss_budget_init (&scribe->budget, env->now);
  ss_quota_init (&scribe->submits, SS_SUBMIT_RATE, SS_SUBMIT_BURST,
                 SS_ORDERED_SOURCES_MAX * SS_SUBMIT_RATE,
                 SS_ORDERED_SOURCES_MAX * SS_SUBMIT_BURST, env->now);
  ss_timer_init (&scribe->timer, SS_LAYER_SCRIBE, SS_SCRIBE_TIMER_SWEEP);
  ss_timer_init (&scribe->anycast_timer, SS_LAYER_SCRIBE,
                 SS_SCRIBE_TIMER_ANYCAST);
  ss_kbr_register (kbr, protocol, &kbr_app, scribe);
  return scribe;
}

void
ss_scribe_free (SsScribe *scribe)
{
  if (!scribe)
    return;
  scribe->depth++; /* nothing is freed under the loop */
  while (scribe->groups->len > 0)
    ss_group_drop (g_ptr_array_index (scribe->groups, 0));
  ss_scribe_exit (scribe);
  ss_timers_disarm (&scribe->env->timers, &scribe->timer);
  ss_anycast_free (scribe);
  ss_trace_free (scribe);
  if (scribe->spoken)
    g_array_free (scribe->spoken, TRUE);
  ss_budget_clear (&scribe->budget);
  ss_quota_clear (&scribe->submits);
  g_free (scribe->hints);
  release_family (scribe->adopted);
  release_family (scribe->adopted_ordered);
  for (unsigned i = 0; i < scribe->neighbours->len; i++)
    ss_neighbour_free (g_ptr_array_index (scribe->neighbours, i));
  g_ptr_array_free (scribe->groups, TRUE);
  g_ptr_array_free (scribe->families, TRUE);
  g_ptr_array_free (scribe->neighbours, TRUE);
  g_ptr_array_free (scribe->dead, TRUE);
  g_free (scribe);
}

void
ss_scribe_timer (SsTimer *timer)
{
  SsGroup *group = NULL;
  SsScribe *scribe = NULL;
  switch ((SsScribeTimerKind) timer->kind) {
  case SS_SCRIBE_TIMER_SWEEP:
    scribe = SS_CONTAINER_OF (timer, SsScribe, timer);
    break;
  case SS_SCRIBE_TIMER_ANYCAST:
    scribe = SS_CONTAINER_OF (timer, SsScribe, anycast_timer);
    break;
  case SS_SCRIBE_TIMER_GROUP:
    group = SS_CONTAINER_OF (timer, SsGroup, timer);
    scribe = group->scribe;
    break;
  }
  ss_scribe_enter (scribe);
  if (group)
    ss_group_timer (group);
  else if (timer == &scribe->timer)
    ss_neighbour_sweep (scribe);
  else
    ss_anycast_due (scribe);
  ss_scribe_exit (scribe);
}

void
ss_scribe_leave_all (SsScribe *scribe)
{
  if (scribe->is_leaving)
    return;
  ss_scribe_enter (scribe);
  scribe->is_leaving = true;
  scribe->leave_until = scribe->env->now + SS_LEAVE_TIME;
  SsGroup *group = NULL;
  for (SsId at; (group = ss_group_after (scribe, group ? &at : NULL));) {
    at = group->id;
    ss_join_cancel (group);
    SsContact near[SS_REDIRECT_MAX];
    const SsContact *successor = NULL;
    if (group->has_parent) {
      successor = &group->parent;
    } else if (group->is_root) {
      unsigned n =
          ss_kbr_replica_set (scribe->kbr, &group->id, near, SS_REDIRECT_MAX);
      for (unsigned i = 0; i < n && !successor; i++)
        if (ss_scribe_usable (scribe, &near[i]))
          successor = &near[i];
    }
    ss_shed_all (group, successor);
    ss_group_arm (group);
  }
  ss_scribe_exit (scribe);
}

bool
ss_scribe_is_serving (const SsScribe *scribe)
{
  for (const SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id))
    if (ss_group_child_count (group) > 0)
      return true;
  return false;
}

void
ss_scribe_enter (SsScribe *scribe)
{
  scribe->depth++;
}

void
ss_scribe_exit (SsScribe *scribe)
{
  g_assert (scribe->depth > 0);
  if (--scribe->depth > 0)
    return;
  for (unsigned i = 0; i < scribe->dead->len; i++)
    ss_group_free (g_ptr_array_index (scribe->dead, i));
  g_ptr_array_set_size (scribe->dead, 0);
}

const SsId *
ss_scribe_self (const SsScribe *scribe)
{
  return &ss_kbr_self (scribe->kbr)->id;
}

/* May it be asked for something: another node, and not thought dead. */
bool
ss_scribe_usable (const SsScribe *scribe, const SsContact *peer)
{
  return !ss_id_equal (&peer->id, ss_scribe_self (scribe))
         && !ss_kbr_is_suspected (scribe->kbr, &peer->id);
}

bool
ss_scribe_is_near (SsScribe *scribe, const SsId *group_id, const SsId *node)
{
  SsContact near[SS_NEAR_MAX];
  unsigned n = ss_kbr_replica_set (scribe->kbr, group_id, near, SS_NEAR_MAX);
  for (unsigned i = 0; i < n; i++)
    if (ss_id_equal (&near[i].id, node))
      return true;
  return false;
}

bool
ss_scribe_send (SsScribe *scribe, const SsContact *to, const uint8_t *data,
                size_t len)
{
  g_assert (len > 0);
  SsKbrSend how = { .class = SS_CLASS_KBR_CONTROL, .reliable = true };
  return ss_kbr_send (scribe->kbr, scribe->protocol, to, &how, data, len, NULL);
}

bool
ss_scribe_send_packet (SsScribe *scribe, const SsContact *to, uint8_t type,
                       const SsGroup *group, uint32_t sequence, GBytes *packet,
                       const SsKbrSend *how)
{
  /* The four kinds of packet message differ in their code alone. */
  SsMsgScribeData message = { .sequence = sequence };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  uint8_t head[16];
  size_t len = ss_msg_scribe_data_encode (&message, head, sizeof head);
  g_assert (len > 0);
  head[0] = type;
  return ss_kbr_send (scribe->kbr, scribe->protocol, to, how, head, len,
                      packet);
}

SsTime
ss_scribe_rto (SsScribe *scribe, const SsId *peer)
{
  return CLAMP (ss_kbr_rto (scribe->kbr, peer), 10 * SS_MSEC, SS_SEC);
}

uint32_t
ss_scribe_nonce (SsScribe *scribe)
{
  uint32_t nonce;
  do
    nonce = ss_rng_u32 (&scribe->env->rng);
  while (nonce == 0);
  return nonce;
}

/* The group's tag, so that the outcome finds it, and a running number. */
uint64_t
ss_scribe_token (SsScribe *scribe, const SsGroup *group)
{
  if (++scribe->tokens == 0)
    scribe->tokens = 1;
  return (group ? ss_tag_number (&group->id) << 16 : 0) | scribe->tokens;
}

void
ss_scribe_suspect (SsScribe *scribe, const SsContact *peer)
{
  ss_count (scribe->env, SCRIBE_SUSPECTS);
  SsContact copy = *peer; /* it may sit in what the update frees */
  ss_debug (scribe->env, "%08x is silent", ss_prefix_of (&copy.id));
  ss_kbr_suspect (scribe->kbr, &copy);
  if (!ss_kbr_is_suspected (scribe->kbr, &copy.id))
    return; /* heard from this moment, or not known to the overlay */
  ss_upstream_suspected (scribe, &copy);
  ss_publish_peer_lost (scribe, &copy);
}

uint16_t
ss_peers_put (SsPeerRecord *ret_records, uint16_t n, unsigned max,
              const SsContact *contact)
{
  if (n >= max || !ss_addr_is_set (&contact->addr))
    return n;
  ret_records[n] = ss_contact_to_record (contact);
  return n + 1;
}

/* The overlay's upcalls. */

/* An ANYCAST that was routed; false: it is none, or is to go on. */
static bool
take_anycast (SsScribe *scribe, const SsKbrMessage *message, SsAnycastWay way)
{
  SsMsgScribeAnycast anycast;
  if (!ss_msg_scribe_anycast_decode (message->data, message->len, &anycast)
      || !ss_id_equal (&anycast.group, &message->key))
    return false; /* the last node counts it */
  anycast.hops = (uint8_t) MIN (anycast.hops + message->hops, UINT8_MAX);
  return ss_anycast_handle (scribe, &message->source, &anycast, way);
}

/* A routed JOIN that is well made. Whom it accuses counts only if it comes
 * straight from its sender: farther on the source is what somebody claims. */
static bool
take_join (const SsKbrMessage *message, SsMsgScribeJoin *ret_join)
{
  if (message->len < 1 || message->data[0] != SS_MSG_SCRIBE_JOIN
      || !ss_msg_scribe_join_decode (message->data, message->len, ret_join)
      || !ss_id_equal (&ret_join->group, &message->key))
    return false;
  if (!ss_id_equal (&message->previous.id, &message->source.id)
      && (ret_join->flags & SS_JOIN_UNSERVED)) {
    ret_join->flags &= (uint16_t) ~SS_JOIN_UNSERVED;
    ret_join->flags |= SS_JOIN_SHED; /* and no sign of death either */
  }
  return true;
}

static bool
kbr_forward (void *app, const SsKbrMessage *message, const SsContact *next)
{
  SsScribe *scribe = app;
  if (!next || message->len < 1
      || ss_id_equal (&message->source.id, ss_scribe_self (scribe)))
    return true;
  bool taken = false;
  SsMsgScribeJoin join;
  ss_scribe_enter (scribe);
  if (message->data[0] == SS_MSG_SCRIBE_ANYCAST)
    taken = take_anycast (scribe, message, SS_ANYCAST_ON_WAY);
  else if (take_join (message, &join))
    taken =
        ss_parent_handle_join (scribe, &message->source, &join, SS_JOIN_ON_WAY);
  ss_scribe_exit (scribe);
  return !taken;
}

static void
kbr_deliver (void *app, const SsKbrMessage *message)
{
  SsScribe *scribe = app;
  ss_scribe_enter (scribe);
  SsMsgScribeJoin join;
  SsMsgScribeFindRoot find_root;
  if (take_join (message, &join))
    ss_parent_handle_join (scribe, &message->source, &join, SS_JOIN_DELIVERED);
  else if (message->len > 0 && message->data[0] == SS_MSG_SCRIBE_FIND_ROOT
           && ss_msg_scribe_find_root_decode (message->data, message->len,
                                              &find_root)
           && ss_id_equal (&find_root.group, &message->key))
    ss_publish_handle_find_root (scribe, &message->source, &find_root);
  else if (message->len == 0 || message->data[0] != SS_MSG_SCRIBE_ANYCAST
           || !take_anycast (scribe, message, SS_ANYCAST_ARRIVED))
    ss_count (scribe->env, MESSAGES_MALFORMED);
  ss_scribe_exit (scribe);
}

static void
kbr_update (void *app, const SsContact *peer, SsKbrChange change)
{
  SsScribe *scribe = app;
  ss_scribe_enter (scribe);
  SsContact copy = *peer;
  switch (change) {
  case SS_KBR_SUSPECTED:
    ss_upstream_suspected (scribe, &copy);
    ss_publish_peer_lost (scribe, &copy);
    break;
  case SS_KBR_RECOVERED:
    ss_upstream_recovered (scribe, &copy);
    break;
  case SS_KBR_LEFT:
    ss_upstream_left (scribe, &copy);
    ss_publish_peer_lost (scribe, &copy);
    ss_neighbour_forget (scribe, &copy.id);
    break;
  case SS_KBR_JOINED:
    break;
  }
  SsGroup *group = NULL;
  for (SsId at; (group = ss_group_after (scribe, group ? &at : NULL));) {
    at = group->id;
    ss_upstream_check_root (group);
    ss_group_arm (group);
  }
  ss_scribe_exit (scribe);
}

static void
kbr_outcome (void *app, const SsContact *to, uint64_t token,
             SsKbrOutcome outcome)
{
  SsScribe *scribe = app;
  ss_scribe_enter (scribe);
  SsContact copy = *to;
  SsGroup *group = ss_group_by_tag_number (scribe, token >> 16);
  if (token >> 16 == 0 && !ss_anycast_outcome (scribe, &copy, token, outcome))
    ss_neighbour_outcome (scribe, &copy, outcome);
  else if (group)
    ss_publish_outcome (group, &copy, token, outcome);
  ss_scribe_exit (scribe);
}

/* One row for each message that is sent directly. */
#define DIRECT_MESSAGES(ROW) \
  ROW (SCRIBE_PUBLISH, scribe_publish, SsMsgScribePublish, ss_publish_handle) \
  ROW (SCRIBE_DEPUTY, scribe_deputy, SsMsgScribeDeputy, ss_live_handle_deputy) \
  ROW (SCRIBE_JOIN_ACK, scribe_join_ack, SsMsgScribeJoinAck, \
       ss_upstream_handle_join_ack) \
  ROW (SCRIBE_REDIRECT, scribe_redirect, SsMsgScribeRedirect, \
       ss_join_handle_redirect) \
  ROW (SCRIBE_ADVICE, scribe_advice, SsMsgScribeAdvice, ss_join_handle_advice) \
  ROW (SCRIBE_RISE, scribe_rise, SsMsgScribeRise, ss_exchange_handle_rise) \
  ROW (SCRIBE_PATH, scribe_path, SsMsgScribePath, ss_upstream_handle_path) \
  ROW (SCRIBE_LEAVE, scribe_leave, SsMsgScribeLeave, ss_parent_handle_leave) \
  ROW (SCRIBE_KEEPALIVE, scribe_keepalive, SsMsgScribeKeepalive, \
       ss_neighbour_handle_keepalive) \
  ROW (SCRIBE_NOT_SERVED, scribe_not_served, SsMsgScribeNotServed, \
       ss_neighbour_handle_not_served) \
  ROW (SCRIBE_WANT, scribe_want, SsMsgScribeWant, ss_want_handle) \
  ROW (SCRIBE_NOT_HAVE, scribe_not_have, SsMsgScribeNotHave, \
       ss_want_handle_not_have) \
  ROW (SCRIBE_ROOT_IS, scribe_root_is, SsMsgScribeRootIs, \
       ss_publish_handle_root_is) \
  ROW (SCRIBE_NOT_ROOT, scribe_not_root, SsMsgScribeNotRoot, \
       ss_publish_handle_not_root) \
  ROW (SCRIBE_HANDOVER, scribe_handover, SsMsgScribeHandover, \
       ss_publish_handle_handover) \
  ROW (SCRIBE_SUBMIT, scribe_submit, SsMsgScribeSubmit, \
       ss_ordered_handle_submit) \
  ROW (SCRIBE_MESSAGE, scribe_message, SsMsgScribeMessage, \
       ss_sync_handle_message) \
  ROW (SCRIBE_REPLICATE, scribe_replicate, SsMsgScribeReplicate, \
       ss_ordered_handle_replicate) \
  ROW (SCRIBE_REPLICA_ACK, scribe_replica_ack, SsMsgScribeReplicaAck, \
       ss_ordered_handle_replica_ack) \
  ROW (SCRIBE_STORED, scribe_stored, SsMsgScribeStored, \
       ss_submit_handle_stored) \
  ROW (SCRIBE_SYNC, scribe_sync, SsMsgScribeSync, ss_sync_handle) \
  ROW (SCRIBE_FETCH, scribe_fetch, SsMsgScribeFetch, ss_sync_handle_fetch) \
  ROW (SCRIBE_GONE, scribe_gone, SsMsgScribeGone, ss_sync_handle_gone) \
  ROW (SCRIBE_ANYCAST_ANSWER, scribe_anycast_answer, SsMsgScribeAnycastAnswer, \
       ss_anycast_handle_answer) \
  ROW (SCRIBE_TRACE, scribe_trace, SsMsgScribeTrace, ss_trace_handle) \
  ROW (SCRIBE_ANYCAST_END, scribe_anycast_end, SsMsgScribeAnycastEnd, \
       ss_anycast_handle_end)

/* False: not decodable. */
static bool
dispatch (SsScribe *scribe, const SsContact *from, const uint8_t *data,
          size_t len)
{
  switch (data[0]) {
  case SS_MSG_SCRIBE_DATA: {
    SsMsgScribeData message;
    if (!ss_msg_scribe_data_decode (data, len, &message))
      return false;
    ss_live_handle_data (scribe, from, &message, SS_VIA_TREE);
    return true;
  }
  case SS_MSG_SCRIBE_REPAIR: {
    SsMsgScribeRepair repair;
    if (!ss_msg_scribe_repair_decode (data, len, &repair))
      return false;
    SsMsgScribeData message = { .sequence = repair.sequence,
                                .packet = repair.packet };
    memcpy (message.tag, repair.tag, SS_TAG_LEN);
    ss_live_handle_data (scribe, from, &message, SS_VIA_REPAIR);
    return true;
  }
  case SS_MSG_SCRIBE_JOIN: {
    SsMsgScribeJoin message;
    if (!ss_msg_scribe_join_decode (data, len, &message))
      return false;
    ss_parent_handle_join (scribe, from, &message, SS_JOIN_DIRECT);
    return true;
  }
  case SS_MSG_SCRIBE_ANYCAST: {
    SsMsgScribeAnycast message;
    if (!ss_msg_scribe_anycast_decode (data, len, &message))
      return false;
    ss_anycast_handle (scribe, from, &message, SS_ANYCAST_ARRIVED);
    return true;
  }
#define ROW(NAME, name, ctype, handle) \
  case SS_MSG_##NAME: { \
    ctype message; \
    if (!ss_msg_##name##_decode (data, len, &message)) \
      return false; \
    handle (scribe, from, &message); \
    return true; \
  }
    DIRECT_MESSAGES (ROW)
#undef ROW
  default:
    ss_count (scribe->env, MESSAGES_UNKNOWN);
    return true;
  }
}

static void
kbr_direct (void *app, const SsContact *from, const uint8_t *data, size_t len)
{
  SsScribe *scribe = app;
  ss_scribe_enter (scribe);
  SsContact copy = *from;
  if (len == 0 || !dispatch (scribe, &copy, data, len))
    ss_count (scribe->env, MESSAGES_MALFORMED);
  ss_scribe_exit (scribe);
}

static const SsKbrApp kbr_app = {
  .forward = kbr_forward,
  .deliver = kbr_deliver,
  .update = kbr_update,
  .direct = kbr_direct,
  .outcome = kbr_outcome,
};
