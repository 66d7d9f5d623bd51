/* A Scribe without a network; see scribe_hub.h. */
#include "tests/harness/scribe_hub.h"

#include <string.h>

static void
hub_register (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app, void *user)
{
  Hub *hub = (Hub *) kbr;
  hub->app = app;
  hub->app_user = user;
}

static void
note_sent (Hub *hub, const SsContact *to, const uint8_t *data, size_t len)
{
  SsMsgScribeRedirect redirect;
  SsMsgScribeAnycast anycast;
  SsMsgScribeWant want;
  if (data[0] == SS_MSG_SCRIBE_REDIRECT
      && ss_msg_scribe_redirect_decode (data, len, &redirect)) {
    hub->redirect = redirect;
    hub->redirected = *to;
  } else if (data[0] == SS_MSG_SCRIBE_ANYCAST
             && ss_msg_scribe_anycast_decode (data, len, &anycast)) {
    hub->anycast = anycast;
    hub->anycast.data.len = 0; /* it is the caller's */
    hub->asked = *to;
  } else if (data[0] == SS_MSG_SCRIBE_TRACE
             && ss_msg_scribe_trace_decode (data, len, &hub->trace)) {
    g_assert_cmpuint (hub->n_told, <, G_N_ELEMENTS (hub->told));
    hub->told[hub->n_told++] = to->id;
  } else if (data[0] == SS_MSG_SCRIBE_WANT
             && hub->n_wanted < G_N_ELEMENTS (hub->wanted)
             && ss_msg_scribe_want_decode (data, len, &want)) {
    hub->is_to_fetch[hub->n_wanted] = want.flags & SS_WANT_FETCH;
    hub->wanted[hub->n_wanted++] = to->id;
  }
}

static void
note_join (Hub *hub, const SsMsgScribeJoin *join)
{
  hub->nonce = join->nonce;
  hub->n_full = join->n_full;
  memcpy (hub->full, join->full, join->n_full * sizeof *hub->full);
}

static bool
hub_send (SsKbr *kbr, SsProtocol protocol, const SsContact *to,
          const SsKbrSend *how, const uint8_t *head, size_t head_len,
          GBytes *body)
{
  Hub *hub = (Hub *) kbr;
  SsMsgScribeKeepalive keepalive;
  hub->n_sent++;
  SsMsgScribeJoin join;
  if (head[0] == SS_MSG_SCRIBE_JOIN_ACK
      && ss_msg_scribe_join_ack_decode (head, head_len, &hub->ack))
    hub->n_acks++;
  if (head[0] == SS_MSG_SCRIBE_LEAVE)
    ss_msg_scribe_leave_decode (head, head_len, &hub->leave);
  if (head[0] == SS_MSG_SCRIBE_JOIN
      && ss_msg_scribe_join_decode (head, head_len, &join)) {
    hub->joined = to->id;
    note_join (hub, &join);
  }
  if (head[0] == SS_MSG_SCRIBE_DATA && hub->n_fed < G_N_ELEMENTS (hub->fed))
    hub->fed[hub->n_fed++] = to->id;
  hub->n_searches += head[0] == SS_MSG_SCRIBE_ANYCAST;
  if (head[0] == SS_MSG_SCRIBE_ANYCAST)
    hub->search_token = how->token;
  hub->n_redirects += head[0] == SS_MSG_SCRIBE_REDIRECT;
  hub->n_not_served += head[0] == SS_MSG_SCRIBE_NOT_SERVED;
  if (head[0] == SS_MSG_SCRIBE_KEEPALIVE
      && ss_msg_scribe_keepalive_decode (head, head_len, &keepalive)) {
    hub->n_keepalives++;
    hub->n_tags += keepalive.n_tags;
  }
  note_sent (hub, to, head, head_len);
  return true;
}

static bool
hub_route (SsKbr *kbr, SsProtocol protocol, const SsId *key,
           const SsContact *hint, unsigned flags, const uint8_t *data,
           size_t len)
{
  Hub *hub = (Hub *) kbr;
  SsMsgScribeJoin message;
  if (data[0] == SS_MSG_SCRIBE_ANYCAST) {
    hub->n_routed_searches++;
    return true;
  }
  bool is_join = ss_msg_scribe_join_decode (data, len, &message);
  g_assert_true (is_join);
  note_join (hub, &message);
  hub->flags = message.flags;
  hub->n_routed_joins++;
  return true;
}

static unsigned
hub_near_set (SsKbr *kbr, SsContact *ret_contacts, SsTime *ret_rtts,
              unsigned max)
{
  const Hub *hub = (const Hub *) kbr;
  if (hub->near == 0)
    return 0;
  unsigned n = MIN (max, MAX (hub->n_near, 1));
  for (unsigned i = 0; i < n; i++) {
    ret_contacts[i] = hub_contact (hub->near + i);
    ret_rtts[i] = hub->near_rtt;
  }
  return n;
}

static unsigned
hub_replica_set (SsKbr *kbr, const SsId *key, SsContact *ret, unsigned max)
{
  ret[0] = ((Hub *) kbr)->self;
  return 1;
}

static bool
hub_is_root (SsKbr *kbr, const SsId *key, bool provisional)
{
  return !((Hub *) kbr)->is_leaf;
}

static bool
hub_is_suspected (SsKbr *kbr, const SsId *peer)
{
  return ss_id_equal (&((Hub *) kbr)->suspected, peer);
}

static SsTime
hub_time (SsKbr *kbr, const SsId *peer)
{
  return 50 * SS_MSEC;
}

static SsTime
hub_last_heard (SsKbr *kbr, const SsId *peer)
{
  const Hub *hub = (const Hub *) kbr;
  return ss_id_equal (&hub->talks, peer) ? hub->env.now : hub_time (kbr, peer);
}

static SsTime
hub_rtt (SsKbr *kbr, const SsId *peer)
{
  const Hub *hub = (Hub *) kbr;
  for (unsigned i = 0; hub->rtts && i < hub->n_rtts; i++) {
    SsContact contact = hub_contact (i);
    if (ss_id_equal (&contact.id, peer))
      return hub->rtts[i];
  }
  return hub_time (kbr, peer);
}

static const SsContact *
hub_self (SsKbr *kbr)
{
  return &((Hub *) kbr)->self;
}

/* Nobody is: is_suspected says no. */
static void
hub_suspect (SsKbr *kbr, const SsContact *peer)
{
}

static const SsKbrClass hub_class = {
  .register_app = hub_register,
  .route = hub_route,
  .send = hub_send,
  .near_set = hub_near_set,
  .replica_set = hub_replica_set,
  .is_root = hub_is_root,
  .suspect = hub_suspect,
  .is_suspected = hub_is_suspected,
  .rtt = hub_rtt,
  .rto = hub_time,
  .last_heard = hub_last_heard,
  .self = hub_self,
};

static bool
on_adopt (void *app, const SsId *id, const uint8_t *info, size_t info_len,
          bool is_root, SsGroup *group, void **ret_user)
{
  ss_group_set_user (group, ((Hub *) app)->family, app);
  return true;
}

static void
on_orphan (void *user, SsGroup *group, bool is_orphan)
{
  Hub *hub = user;
  g_assert_cmpint (ss_group_is_orphan (group), ==, is_orphan);
  hub->n_orphan += is_orphan;
  hub->n_housed += !is_orphan;
}

static void
on_message (void *user, SsGroup *group, const SsId *source, uint32_t sequence,
            const uint8_t *data, size_t len)
{
  Hub *hub = user;
  hub->n_messages++;
}

static void
on_skipped (void *user, SsGroup *group, const SsId *source, uint32_t n)
{
  Hub *hub = user;
  hub->n_skipped += n;
}

static const SsScribeApp app = {
  .adopt = on_adopt,
  .orphan = on_orphan,
  .message = on_message,
  .skipped = on_skipped,
};

SsContact
hub_contact (unsigned number)
{
  SsContact contact = { .flags = SS_PEER_REACHABLE };
  memset (&contact.key, 0, sizeof contact.key);
  memcpy (contact.key.b, &number, sizeof number);
  contact.id = ss_id_of_key (&contact.key);
  contact.addr = ss_addr_v4 (0x0a000001 + number, 16160);
  return contact;
}

SsId
hub_group_id (unsigned number)
{
  SsKey key = { { 0 } };
  memcpy (key.b + 8, &number, sizeof number);
  return ss_id_of_key (&key);
}

void
hub_init (Hub *hub, const SsFamilyConfig *config, bool is_leaf)
{
  const uint8_t seed[32] = { 1 };
  *hub = (Hub){ .kbr.class = &hub_class, .is_leaf = is_leaf };
  hub->kbr.env = &hub->env;
  ss_env_init (&hub->env, seed, SS_SEC, 0);
  hub->self = hub_contact (0);
  hub->scribe =
      ss_scribe_new (&hub->env, &hub->kbr, SS_PROTOCOL_SCRIBE, &app, hub);
  hub->family = ss_family_new (hub->scribe, config);
}

void
hub_clear (Hub *hub)
{
  ss_scribe_free (hub->scribe);
  ss_env_clear (&hub->env);
}

void
hub_take_join (Hub *hub, unsigned group, unsigned from, uint16_t flags,
               bool is_direct)
{
  SsMsgScribeJoin message = {
    .group = hub_group_id (group),
    .nonce = 1,
    .flags = flags,
    .n_below = (flags & SS_JOIN_MEMBER) == 0,
  };
  SsContact source = hub_contact (from), below = hub_contact (from + 1);
  message.below[0] = ss_contact_to_record (&below);
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  SsKbrMessage routed = {
    .key = message.group,
    .source = source,
    .previous = source,
    .hops = 1,
    .data = data,
    .len = ss_msg_scribe_join_encode (&message, data, sizeof data),
  };
  if (is_direct)
    hub->app->direct (hub->app_user, &source, routed.data, routed.len);
  else
    hub->app->deliver (hub->app_user, &routed);
}

void
hub_take_join_of (Hub *hub, unsigned from, const SsMsgScribeJoin *message)
{
  SsContact source = hub_contact (from);
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  size_t len = ss_msg_scribe_join_encode (message, data, sizeof data);
  hub->app->direct (hub->app_user, &source, data, len);
}

void
hub_take_join_near (Hub *hub, unsigned group, unsigned from, unsigned near,
                    unsigned lost)
{
  SsContact peer = hub_contact (near), shedder = hub_contact (lost);
  SsMsgScribeJoin message = {
    .group = hub_group_id (group),
    .nonce = 1,
    .flags = SS_JOIN_MEMBER | SS_JOIN_SHED,
    .lost = ss_prefix_of (&shedder.id),
    .n_near = 1,
    .near = { ss_prefix_of (&peer.id) },
  };
  hub_take_join_of (hub, from, &message);
}

void
hub_take_leave (Hub *hub, unsigned group, unsigned from, uint8_t flags)
{
  SsMsgScribeLeave message = { .nonce = 0, .flags = flags };
  SsContact source = hub_contact (from);
  SsId id = hub_group_id (group);
  memcpy (message.tag, id.b, SS_TAG_LEN);
  uint8_t data[SS_MSG_SCRIBE_LEAVE_MAX];
  size_t len = ss_msg_scribe_leave_encode (&message, data, sizeof data);
  hub->app->direct (hub->app_user, &source, data, len);
}

void
hub_take_trace (Hub *hub, unsigned group, unsigned from, unsigned member)
{
  SsContact source = hub_contact (from), told = hub_contact (member);
  SsMsgScribeTrace message = { .group = hub_group_id (group), .n_member = 1 };
  message.member[0] = ss_contact_to_record (&told);
  uint8_t data[SS_MSG_SCRIBE_TRACE_MAX];
  size_t len = ss_msg_scribe_trace_encode (&message, data, sizeof data);
  hub->app->direct (hub->app_user, &source, data, len);
}

static size_t
put_search (unsigned group, unsigned origin, unsigned from, uint8_t *ret_data,
            size_t cap)
{
  SsContact seeker = hub_contact (origin), last = hub_contact (from);
  SsMsgScribeAnycast message = {
    .group = hub_group_id (group),
    .nonce = origin,
    .wanted = 1,
    .n_origin = 1,
    .n_visited = from != origin,
    .visited = { ss_prefix_of (&last.id) },
  };
  message.origin[0] = ss_contact_to_record (&seeker);
  return ss_msg_scribe_anycast_encode (&message, ret_data, cap);
}

/* A routed message comes by; whether it ends here. */
static bool
pass (Hub *hub, unsigned group, unsigned origin, const uint8_t *data,
      size_t len)
{
  SsContact next = hub_contact (1000);
  SsKbrMessage routed = {
    .key = hub_group_id (group),
    .source = hub_contact (origin),
    .previous = hub_contact (origin),
    .hops = 1,
    .data = data,
    .len = len,
  };
  return !hub->app->forward (hub->app_user, &routed, &next);
}

bool
hub_pass_join (Hub *hub, unsigned group, unsigned from, uint16_t flags)
{
  enum { LOST = 9 };
  SsContact lost = hub_contact (LOST);
  SsMsgScribeJoin message = {
    .group = hub_group_id (group),
    .nonce = 1,
    .flags = SS_JOIN_MEMBER | SS_JOIN_RETRY | flags,
    .lost = ss_prefix_of (&lost.id),
  };
  uint8_t data[SS_MSG_SCRIBE_JOIN_MAX];
  size_t len = ss_msg_scribe_join_encode (&message, data, sizeof data);
  return pass (hub, group, from, data, len);
}

bool
hub_pass_search (Hub *hub, unsigned group, unsigned origin)
{
  uint8_t data[SS_MSG_SCRIBE_ANYCAST_MAX];
  size_t len = put_search (group, origin, origin, data, sizeof data);
  return pass (hub, group, origin, data, len);
}

void
hub_fail_search (Hub *hub, unsigned group, unsigned origin)
{
  uint8_t data[SS_MSG_SCRIBE_ANYCAST_MAX];
  SsMsgScribeAnycast message;
  size_t len = put_search (group, origin, origin, data, sizeof data);
  bool is_good = ss_msg_scribe_anycast_decode (data, len, &message);
  g_assert_true (is_good);
  message.n_visited = G_N_ELEMENTS (message.visited) - 1;
  for (unsigned i = 0; i < message.n_visited; i++)
    message.visited[i] = UINT32_MAX - i;
  len = ss_msg_scribe_anycast_encode (&message, data, sizeof data);
  bool is_led = pass (hub, group, origin, data, len);
  g_assert_true (is_led);
  SsContact asked = hub->asked;
  hub->app->outcome (hub->app_user, &asked, hub->search_token, SS_KBR_FAILED);
}

void
hub_take_search (Hub *hub, unsigned group, unsigned origin, unsigned from)
{
  uint8_t data[SS_MSG_SCRIBE_ANYCAST_MAX];
  size_t len = put_search (group, origin, from, data, sizeof data);
  SsContact source = hub_contact (from);
  hub->app->direct (hub->app_user, &source, data, len);
}

void
hub_accept (Hub *hub, unsigned group, unsigned from, unsigned near)
{
  SsId id = hub_group_id (group);
  SsContact parent = hub_contact (from);
  SsMsgScribeJoinAck ack = { .nonce = hub->nonce, .n_path = 1 };
  memcpy (ack.tag, id.b, SS_TAG_LEN);
  ack.path[0] = ss_prefix_of (&parent.id);
  SsContact sibling = hub_contact (near);
  if (near != 0)
    ack.near = ss_prefix_of (&sibling.id);
  uint8_t data[SS_MSG_SCRIBE_JOIN_ACK_MAX];
  size_t len = ss_msg_scribe_join_ack_encode (&ack, data, sizeof data);
  hub->app->direct (hub->app_user, &parent, data, len);
}

void
hub_take_submit (Hub *hub, SsGroup *group, unsigned from, uint32_t epoch,
                 uint32_t sequence, const uint8_t *data, size_t len)
{
  SsContact source = hub_contact (from);
  SsSigner signer = { .key = source.key }; /* the plain signer needs no more */
  const SsSigner *own = hub->family->config.signer;
  hub->family->config.signer = &signer;
  GBytes *body = ss_signed_make (group, epoch, sequence, data, len);
  hub->family->config.signer = own;
  gsize body_len;
  const uint8_t *text = g_bytes_get_data (body, &body_len);
  SsMsgScribeSubmit message = {
    .epoch = epoch,
    .sequence = sequence,
    .oldest = sequence,
    .data = { text, (uint16_t) body_len },
  };
  memcpy (message.tag, group->id.b, SS_TAG_LEN);
  uint8_t encoded[SS_MSG_SCRIBE_SUBMIT_MAX];
  size_t n = ss_msg_scribe_submit_encode (&message, encoded, sizeof encoded);
  hub->app->direct (hub->app_user, &source, encoded, n);
  g_bytes_unref (body);
}

void
hub_run (Hub *hub, SsTime duration)
{
  SsTimers *timers = &hub->env.timers;
  SsTime end = hub->env.now + duration;
  while (ss_timers_deadline (timers) <= end) {
    hub->env.now = MAX (hub->env.now, ss_timers_deadline (timers));
    ss_scribe_timer (ss_timers_pop (timers, hub->env.now));
  }
  hub->env.now = end;
}
