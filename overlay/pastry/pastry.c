/* Pastry, the node's overlay object: the link's upcalls and the timers, each
 * handed to the file that knows. See internal.h for which does what. */
#include "overlay/pastry/internal.h"

#define LEAF_SET_DEFAULT 32

static void take_message (SsPastry *pastry, const SsContact *from,
                          const uint8_t *data, size_t len);
static void take_outside (SsPastry *pastry, const SsContact *from,
                          const uint8_t *data, size_t len);
static void take_others (SsPastry *pastry, const SsContact *from,
                         const uint8_t *data, size_t len);
static void tell_outcome (SsPastry *pastry, const SsContact *to,
                          unsigned protocol, uint64_t token,
                          SsKbrOutcome outcome);
static void free_routes (GPtrArray *routes);

SsPastry *
ss_pastry_new (SsEnv *env, SsLink *link, const SsPastryConfig *config)
{
  SsPastry *pastry = g_new0 (SsPastry, 1);
  const SsId *self = &ss_link_self (link)->id;
  pastry->kbr = (SsKbr){ .class = ss_pastry_kbr_class (), .env = env };
  pastry->link = link;
  unsigned size = config != NULL ? config->leaf_set : 0;
  ss_leafset_init (&pastry->leafset, self, size > 0 ? size : LEAF_SET_DEFAULT);
  ss_table_init (&pastry->table, self);
  /* A node that comes back with its old id must not seem to repeat itself. */
  pastry->next_sequence = ss_rng_u32 (&env->rng);
  pastry->nonce = ss_rng_u32 (&env->rng);
  pastry->next_token = 1;
  pastry->repair_at = pastry->strange_at = pastry->lonely_at = SS_NEVER;
  pastry->check_reach = config != NULL && config->check_reach;
  ss_link_watch (link, pastry->check_reach);
  ss_timer_init (&pastry->tick, SS_LAYER_OVERLAY, SS_PASTRY_TIMER_TICK);
  ss_timer_init (&pastry->join_timer, SS_LAYER_OVERLAY, SS_PASTRY_TIMER_JOIN);
  ss_timer_init (&pastry->work, SS_LAYER_OVERLAY, SS_PASTRY_TIMER_WORK);
  return pastry;
}

void
ss_pastry_free (SsPastry *pastry)
{
  SsTimers *timers = &ss_pastry_env (pastry)->timers;
  ss_reach_end (pastry);
  ss_client_free (pastry);
  ss_near_end (pastry);
  ss_search_end (pastry);
  ss_timers_disarm (timers, &pastry->tick);
  ss_timers_disarm (timers, &pastry->join_timer);
  ss_timers_disarm (timers, &pastry->work);
  GArray *arrays[] = {
    pastry->newcomers,  pastry->refused,  pastry->asks,    pastry->suspects,
    pastry->tombstones, pastry->lost,     pastry->watched, pastry->clients,
    pastry->local,      pastry->unhelped, pastry->news,    pastry->vouching
  };
  for (unsigned i = 0; i < G_N_ELEMENTS (arrays); i++) {
    if (arrays[i] != NULL)
      g_array_free (arrays[i], TRUE);
  }
  free_routes (pastry->pending);
  free_routes (pastry->held);
  g_free (pastry->seen);
  g_free (pastry->contacts);
  ss_leafset_clear (&pastry->leafset);
  ss_table_clear (&pastry->table);
  g_free (pastry);
}

SsKbr *
ss_pastry_kbr (SsPastry *pastry)
{
  return &pastry->kbr;
}

void
ss_pastry_link_message (SsPastry *pastry, const SsContact *from,
                        uint8_t protocol, const uint8_t *data, size_t len)
{
  ss_pastry_wake (pastry);
  ss_pastry_heard (pastry, from, false);
  if (protocol == SS_PROTOCOL_OVERLAY) {
    take_message (pastry, from, data, len);
    return;
  }
  if (protocol >= SS_N_PROTOCOLS || pastry->apps[protocol] == NULL
      || pastry->apps[protocol]->direct == NULL) {
    ss_count (ss_pastry_env (pastry), MESSAGES_UNKNOWN);
    return;
  }
  pastry->apps[protocol]->direct (pastry->users[protocol], from, data, len);
}

void
ss_pastry_link_acked (SsPastry *pastry, const SsContact *to, uint8_t protocol,
                      uint64_t token)
{
  ss_pastry_wake (pastry);
  if (protocol != SS_PROTOCOL_OVERLAY) {
    ss_pastry_heard (pastry, to, true);
    tell_outcome (pastry, to, protocol, token, SS_KBR_ACKED);
    return;
  }
  unsigned kind = token % (1u << SS_PASTRY_TOKEN_BITS);
  if (kind == SS_PASTRY_TOKEN_ROUTED)
    ss_pastry_routed_acked (pastry, token);
  ss_pastry_heard (pastry, to, true);
  if (kind == SS_PASTRY_TOKEN_LOST)
    ss_pastry_lost_answered (pastry, to);
  else if (kind == SS_PASTRY_TOKEN_ASK)
    ss_pastry_ask_acked (pastry, to, token);
}

void
ss_pastry_link_late (SsPastry *pastry, const SsContact *to, uint8_t protocol,
                     uint64_t token, unsigned tries)
{
  ss_pastry_wake (pastry);
  if (protocol != SS_PROTOCOL_OVERLAY) {
    ss_pastry_doubt (pastry, to, SS_DOUBT_LATE);
    tell_outcome (pastry, to, protocol, token, SS_KBR_LATE);
    return;
  }
  switch (token % (1u << SS_PASTRY_TOKEN_BITS)) {
  case SS_PASTRY_TOKEN_ROUTED:
    ss_pastry_routed_late (pastry, token);
    break;
  case SS_PASTRY_TOKEN_LIVENESS:
    ss_pastry_liveness_late (pastry, to, token);
    break;
  case SS_PASTRY_TOKEN_ASK:
    ss_pastry_ask_late (pastry, to);
    break;
  case SS_PASTRY_TOKEN_ATTACH:
    ss_pastry_doubt (pastry, to, SS_DOUBT_LATE);
    break;
  case SS_PASTRY_TOKEN_LOST:
  case SS_PASTRY_TOKEN_VOUCH:
    break;
  default:
    if (ss_pastry_find (pastry, &to->id, NULL))
      ss_pastry_doubt (pastry, to, SS_DOUBT_LATE);
    break;
  }
}

void
ss_pastry_link_failed (SsPastry *pastry, const SsContact *to, uint8_t protocol,
                       uint64_t token)
{
  ss_pastry_wake (pastry);
  if (protocol != SS_PROTOCOL_OVERLAY) {
    ss_pastry_doubt (pastry, to, SS_DOUBT_LATE);
    tell_outcome (pastry, to, protocol, token, SS_KBR_FAILED);
    return;
  }
  switch (token % (1u << SS_PASTRY_TOKEN_BITS)) {
  case SS_PASTRY_TOKEN_ROUTED:
    ss_pastry_routed_failed (pastry, token);
    break;
  case SS_PASTRY_TOKEN_LIVENESS:
    ss_pastry_liveness_failed (pastry, to, token);
    break;
  case SS_PASTRY_TOKEN_ASK:
    ss_pastry_ask_failed (pastry, to, token);
    break;
  case SS_PASTRY_TOKEN_ATTACH:
    ss_pastry_doubt (pastry, to, SS_DOUBT_LATE);
    break;
  case SS_PASTRY_TOKEN_LOST:
  case SS_PASTRY_TOKEN_VOUCH:
    break;
  default:
    if (ss_pastry_find (pastry, &to->id, NULL))
      ss_pastry_doubt (pastry, to, SS_DOUBT_LATE);
    break;
  }
}

void
ss_pastry_link_up (SsPastry *pastry, const SsContact *peer,
                   const SsAddr *observed)
{
  ss_pastry_wake (pastry);
  /* Who sees where this node is has heard it. */
  ss_pastry_heard (pastry, peer, ss_addr_is_set (observed));
  ss_reach_contact (pastry, peer);
}

void
ss_pastry_timer (SsPastry *pastry, SsTimer *timer)
{
  ss_pastry_wake (pastry);
  switch ((SsPastryTimer) timer->kind) {
  case SS_PASTRY_TIMER_TICK:
    ss_pastry_tick (pastry);
    break;
  case SS_PASTRY_TIMER_JOIN:
    ss_pastry_join_timer (pastry);
    break;
  case SS_PASTRY_TIMER_WORK:
    ss_pastry_work (pastry);
    break;
  case SS_PASTRY_TIMER_REACH:
    ss_reach_timer (SS_CONTAINER_OF (timer, SsReach, timer));
    break;
  case SS_PASTRY_TIMER_CLIENT:
    ss_client_timer (SS_CONTAINER_OF (timer, SsClient, timer));
    break;
  }
}

SsPastryState
ss_pastry_state (const SsPastry *pastry)
{
  return pastry->state;
}

static SsTime
mean_rtt (const SsTable *table)
{
  SsTime sum = 0;
  unsigned n = 0;
  for (unsigned i = 0; i < ss_table_n_entries (table); i++) {
    SsContact entry = ss_table_nth (table, i);
    SsTime rtt = ss_table_rtt (table, &entry.id);
    if (rtt == SS_NEVER)
      continue;
    sum += rtt;
    n++;
  }
  return n > 0 ? sum / n : -1;
}

void
ss_pastry_stats (const SsPastry *pastry, SsPastryStats *ret_stats)
{
  *ret_stats = (SsPastryStats){
    .state = pastry->state,
    .ready = ss_pastry_is_ready (pastry),
    .whole = pastry->leafset.whole,
    .leaf_set = pastry->leafset.n,
    .routing_entries = ss_table_n_entries (&pastry->table),
    .routing_rtt = mean_rtt (&pastry->table),
    .suspects = pastry->suspects != NULL ? pastry->suspects->len : 0,
    .lost = pastry->lost != NULL ? pastry->lost->len : 0,
    .held = pastry->held != NULL ? pastry->held->len : 0,
    .pending = pastry->pending != NULL ? pastry->pending->len : 0,
    .reachability = (SsReachability) pastry->reachability,
    .attachments = ss_client_n_attached (pastry),
    .clients = pastry->clients != NULL ? pastry->clients->len : 0,
  };
}

unsigned
ss_pastry_leaf_set (const SsPastry *pastry, SsContact *ret_contacts,
                    unsigned max)
{
  unsigned n = MIN (max, pastry->leafset.n);
  for (unsigned i = 0; i < n; i++)
    ret_contacts[i] = pastry->leafset.leaves[i];
  return n;
}

/* The bookkeeping lists that come and go are counted by what they hold. */
size_t
ss_pastry_memory (const SsPastry *pastry)
{
  size_t bytes = sizeof *pastry + ss_table_memory (&pastry->table);
  bytes += (2u * pastry->leafset.half + 1u) * sizeof (SsContact);
  bytes += pastry->seen_capacity * sizeof *pastry->seen;
  bytes += pastry->n_contacts * sizeof *pastry->contacts;
  const GArray *arrays[] = { pastry->newcomers,  pastry->refused,
                             pastry->asks,       pastry->suspects,
                             pastry->tombstones, pastry->lost,
                             pastry->watched };
  for (unsigned i = 0; i < G_N_ELEMENTS (arrays); i++) {
    if (arrays[i] != NULL)
      bytes +=
          sizeof (GArray)
          + arrays[i]->len * g_array_get_element_size ((GArray *) arrays[i]);
  }
  return bytes;
}

const SsContact *
ss_pastry_self (const SsPastry *pastry)
{
  return ss_link_self (pastry->link);
}

bool
ss_pastry_is_self (const SsPastry *pastry, const SsId *id)
{
  return ss_id_equal (&pastry->leafset.self, id);
}

bool
ss_pastry_may_ask (const SsPastry *pastry)
{
  if (pastry->state != SS_PASTRY_JOINING || ss_reach_is_open (pastry))
    return false;
  for (unsigned i = 0; i < pastry->n_contacts; i++)
    if (ss_link_last_heard (pastry->link, &pastry->contacts[i].id) >= 0)
      return true;
  return false;
}

bool
ss_pastry_is_ready (const SsPastry *pastry)
{
  const SsLeafset *leafset = &pastry->leafset;
  if (pastry->state == SS_PASTRY_CLIENT)
    return ss_client_is_attached (pastry);
  if (pastry->state != SS_PASTRY_ACTIVE || pastry->reconfirming)
    return false;
  return leafset->whole
         || (ss_leafset_count (leafset, SS_LEAFSET_LEFT) > 0
             && ss_leafset_count (leafset, SS_LEAFSET_RIGHT) > 0);
}

uint64_t
ss_pastry_token (SsPastry *pastry, SsPastryToken kind)
{
  return pastry->next_token++ << SS_PASTRY_TOKEN_BITS | (uint64_t) kind;
}

bool
ss_pastry_send (SsPastry *pastry, const SsContact *to, uint64_t token,
                unsigned tries, const uint8_t *data, size_t len)
{
  g_assert (len > 0);
  SsLinkSend how = {
    .protocol = SS_PROTOCOL_OVERLAY,
    .class = SS_CLASS_CONTROL,
    .reliable = token != 0,
    .tries_max = (uint8_t) tries,
    .token = token,
    .rtt = ss_table_rtt (&pastry->table, &to->id),
  };
  return ss_link_send (pastry->link, to, &how, data, len, NULL);
}

/* Others may think the ring twice as large. */
bool
ss_pastry_may_be_let_go (const SsPastry *pastry)
{
  return pastry->ring_size >= pastry->leafset.half * SS_PASTRY_LARGE_RING / 2u;
}

void
ss_pastry_part (SsPastry *pastry, const SsId *peer)
{
  const SsLeafset *leafset = &pastry->leafset;
  SsId left = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT);
  SsId right = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT);
  if (pastry->state == SS_PASTRY_ACTIVE && !leafset->whole
      && ss_tune_ring_size (&left, &right, leafset->n)
             >= (double) leafset->half * SS_PASTRY_LARGE_RING
      && ss_leafset_find (leafset, peer) == NULL
      && ss_pastry_find_ask (pastry, peer) == NULL)
    ss_link_release (pastry->link, peer);
}

/* A node that nobody has told its address yet says so with port 1 of no
 * host; the first who gets it puts in what he sees. */
SsPeerRecord
ss_pastry_record (const SsContact *contact)
{
  SsPeerRecord record = ss_contact_to_record (contact);
  if (!ss_addr_is_set (&record.addrs[0]))
    record.addrs[0] = ss_addr_v4 (0, 1);
  return record;
}

uint64_t
ss_pastry_prefix (const SsId *id)
{
  uint64_t prefix = 0;
  for (unsigned i = 0; i < sizeof prefix; i++)
    prefix = prefix << 8 | id->b[i];
  return prefix;
}

SsId
ss_pastry_id_of_prefix (uint64_t prefix)
{
  SsId id = { { 0 } };
  for (unsigned i = 0; i < sizeof prefix; i++)
    id.b[i] = (uint8_t) (prefix >> (8 * (sizeof prefix - 1 - i)));
  return id;
}

bool
ss_pastry_find (const SsPastry *pastry, const SsId *id, SsContact *ret_contact)
{
  const SsContact *leaf = ss_leafset_find (&pastry->leafset, id);
  if (leaf == NULL)
    return ss_table_find (&pastry->table, id, ret_contact);
  if (ret_contact != NULL)
    *ret_contact = *leaf;
  return true;
}

SsTime
ss_pastry_distance (const SsPastry *pastry, const SsId *id)
{
  SsTime rtt = ss_link_rtt (pastry->link, id);
  return rtt != SS_NEVER ? rtt : ss_table_rtt (&pastry->table, id);
}

void
ss_pastry_set_state (SsPastry *pastry, SsPastryState state)
{
  static const char *const names[] = { "outside", "joining", "active", "left",
                                       "client" };
  SsEnv *env = ss_pastry_env (pastry);
  if (pastry->state == state)
    return;
  pastry->state = state;
  ss_near_end (pastry);
  ss_info (env, "overlay: %s, leaf set of %u", names[state], pastry->leafset.n);
  if (state == SS_PASTRY_JOINING && pastry->reachability != SS_REACHABLE)
    ss_reach_begin (pastry);
  if (state == SS_PASTRY_CLIENT)
    ss_timers_disarm (&env->timers, &pastry->join_timer);
  if (state == SS_PASTRY_ACTIVE || state == SS_PASTRY_JOINING
      || state == SS_PASTRY_CLIENT) {
    /* Nodes that start together need not beat together. */
    SsTime wait = SS_PASTRY_FIRST_TICK / 2;
    wait += (SsTime) ss_rng_below (&env->rng, (uint64_t) wait);
    ss_pastry_arm_tick (pastry, wait);
    if (state == SS_PASTRY_ACTIVE) {
      pastry->last_table_look = env->now;
      ss_search_begin (pastry);
      ss_tune_init (&pastry->tune, env->now);
    }
    return;
  }
  ss_timers_disarm (&env->timers, &pastry->tick);
  ss_timers_disarm (&env->timers, &pastry->join_timer);
  ss_timers_disarm (&env->timers, &pastry->work);
  ss_reach_end (pastry);
  pastry->repair_at = pastry->strange_at = pastry->lonely_at = SS_NEVER;
  ss_leafset_remove_all (&pastry->leafset);
  if (pastry->asks != NULL)
    g_array_set_size (pastry->asks, 0);
  if (pastry->refused != NULL)
    g_array_set_size (pastry->refused, 0);
  if (pastry->suspects != NULL)
    g_array_set_size (pastry->suspects, 0);
  free_routes (g_steal_pointer (&pastry->held));
}

void
ss_pastry_log_leaf (SsPastry *pastry, const SsId *id, const char *what)
{
  SsEnv *env = ss_pastry_env (pastry);
  char text[SS_ID_STRLEN];
  if (env->log == NULL || ss_leafset_find (&pastry->leafset, id) == NULL)
    return;
  ss_id_format (id, text);
  ss_info (env, "leaf %.8s %s", text, what);
}

/* A timer that ought to have fired long ago tells that the node slept, even
 * when a message comes first. */
void
ss_pastry_wake (SsPastry *pastry)
{
  if (pastry->state != SS_PASTRY_ACTIVE && pastry->state != SS_PASTRY_JOINING
      && pastry->state != SS_PASTRY_CLIENT)
    return;
  if (ss_pastry_env (pastry)->now - pastry->tick_due > SS_PASTRY_JUMP) {
    ss_pastry_arm_tick (pastry, SS_PASTRY_TICK);
    ss_pastry_slept (pastry);
  }
}

/* Decodes into `message`, or counts and returns. */
#define TAKE(name, ctype) \
  ctype message; \
  if (!ss_msg_##name##_decode (data, len, &message)) { \
    ss_count (ss_pastry_env (pastry), MESSAGES_MALFORMED); \
    return; \
  }

static void
take_message (SsPastry *pastry, const SsContact *from, const uint8_t *data,
              size_t len)
{
  if (len == 0) {
    ss_count (ss_pastry_env (pastry), MESSAGES_MALFORMED);
    return;
  }
  if (pastry->state == SS_PASTRY_OUTSIDE || pastry->state == SS_PASTRY_LEFT
      || (pastry->state == SS_PASTRY_CLIENT && !ss_client_takes (data[0]))) {
    take_outside (pastry, from, data, len);
    return;
  }
  if (data[0] >= SS_MSG_VOUCH_ASK) {
    take_others (pastry, from, data, len);
    return;
  }
  switch (data[0]) {
  case SS_MSG_ROUTED: {
    TAKE (routed, SsMsgRouted)
    ss_pastry_routed (pastry, from, &message);
    break;
  }
  case SS_MSG_ROW: {
    TAKE (row, SsMsgRow)
    ss_pastry_meet (pastry, from, true);
    ss_pastry_row (pastry, from, &message);
    break;
  }
  case SS_MSG_ROW_REQUEST: {
    TAKE (row_request, SsMsgRowRequest)
    ss_pastry_row_requested (pastry, from, &message);
    break;
  }
  case SS_MSG_LEAF_PROBE: {
    TAKE (leaf_probe, SsMsgLeafProbe)
    ss_pastry_leaf_probe (pastry, from, &message);
    break;
  }
  case SS_MSG_LEAF_SET: {
    TAKE (leaf_set, SsMsgLeafSet)
    ss_pastry_leaf_set_told (pastry, from, &message);
    break;
  }
  case SS_MSG_HEARTBEAT: {
    TAKE (heartbeat, SsMsgHeartbeat)
    ss_pastry_note_newcomer (pastry, &from->id, false);
    ss_pastry_heartbeat (pastry, from, message.digest);
    break;
  }
  case SS_MSG_LIVENESS: {
    TAKE (liveness, SsMsgLiveness)
    break;
  }
  case SS_MSG_NEWS: {
    TAKE (news, SsMsgNews)
    ss_news_told (pastry, &message);
    break;
  }
  case SS_MSG_DEAD: {
    TAKE (dead, SsMsgDead)
    ss_pastry_dead_told (pastry, &message);
    break;
  }
  case SS_MSG_LEAVE: {
    TAKE (leave, SsMsgLeave)
    ss_pastry_left (pastry, from, &message);
    break;
  }
  default:
    ss_count (ss_pastry_env (pastry), MESSAGES_UNKNOWN);
    break;
  }
}

static void
take_others (SsPastry *pastry, const SsContact *from, const uint8_t *data,
             size_t len)
{
  switch (data[0]) {
  case SS_MSG_INTRODUCE: {
    TAKE (introduce, SsMsgIntroduce)
    ss_vouch_introduced (pastry, from, &message);
    break;
  }
  case SS_MSG_VOUCH_ASK: {
    TAKE (vouch_ask, SsMsgVouchAsk)
    ss_vouch_asked (pastry, from, &message);
    break;
  }
  case SS_MSG_VOUCH_PROBE: {
    TAKE (vouch_probe, SsMsgVouchProbe)
    ss_vouch_probed (pastry, from, &message);
    break;
  }
  case SS_MSG_VOUCH_PROOF: {
    TAKE (vouch_proof, SsMsgVouchProof)
    ss_vouch_proved (pastry, from, &message);
    break;
  }
  case SS_MSG_REACH_ASK: {
    TAKE (reach_ask, SsMsgReachAsk)
    ss_reach_asked (pastry, from, &message);
    break;
  }
  case SS_MSG_REACH_HELP: {
    TAKE (reach_help, SsMsgReachHelp)
    ss_reach_help (pastry, &message);
    break;
  }
  case SS_MSG_REACH_TOLD: {
    TAKE (reach_told, SsMsgReachTold)
    ss_reach_told (pastry, from, &message);
    break;
  }
  case SS_MSG_ATTACH: {
    TAKE (attach, SsMsgAttach)
    ss_client_attach (pastry, from, &message);
    break;
  }
  case SS_MSG_ATTACHED: {
    TAKE (attached, SsMsgAttached)
    ss_client_attached (pastry, from, &message);
    break;
  }
  default:
    ss_count (ss_pastry_env (pastry), MESSAGES_UNKNOWN);
    break;
  }
}

/* Who asks for leaves is told that there are none to be had here, and so is
 * who counts a client among his. */
static void
take_outside (SsPastry *pastry, const SsContact *from, const uint8_t *data,
              size_t len)
{
  bool is_client = pastry->state == SS_PASTRY_CLIENT;
  if (data[0] == SS_MSG_LEAF_PROBE) {
    TAKE (leaf_probe, SsMsgLeafProbe)
  } else if (is_client && data[0] == SS_MSG_HEARTBEAT) {
    TAKE (heartbeat, SsMsgHeartbeat)
  } else {
    return;
  }
  uint8_t buf[SS_MSG_LEAVE_MAX];
  SsMsgLeave leave = { .what = is_client ? SS_LEAVE_RING : SS_LEAVE_ALL };
  size_t buf_len = ss_msg_leave_encode (&leave, buf, sizeof buf);
  ss_pastry_send (pastry, from, 0, 0, buf, buf_len);
}

static void
tell_outcome (SsPastry *pastry, const SsContact *to, unsigned protocol,
              uint64_t token, SsKbrOutcome outcome)
{
  if (token != 0 && protocol < SS_N_PROTOCOLS && pastry->apps[protocol] != NULL
      && pastry->apps[protocol]->outcome != NULL)
    pastry->apps[protocol]->outcome (pastry->users[protocol], to, token,
                                     outcome);
}

static void
free_routes (GPtrArray *routes)
{
  if (routes == NULL)
    return;
  for (unsigned i = 0; i < routes->len; i++)
    ss_route_free (g_ptr_array_index (routes, i));
  g_ptr_array_free (routes, TRUE);
}
