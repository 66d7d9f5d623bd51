/* kbr.h's calls, as Pastry serves them. */
#include "overlay/pastry/internal.h"

static SsPastry *
from_kbr (SsKbr *kbr)
{
  return SS_CONTAINER_OF (kbr, SsPastry, kbr);
}

static void
kbr_register (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app, void *user)
{
  from_kbr (kbr)->apps[protocol] = app;
  from_kbr (kbr)->users[protocol] = user;
}

static bool
kbr_route (SsKbr *kbr, SsProtocol protocol, const SsId *key,
           const SsContact *hint, unsigned flags, const uint8_t *data,
           size_t len)
{
  ss_pastry_wake (from_kbr (kbr));
  return ss_pastry_route (from_kbr (kbr), protocol, key, hint, flags, data,
                          len);
}

static bool
kbr_route_past (SsKbr *kbr, SsProtocol protocol, const SsId *key,
                const SsId *past, unsigned n_past, const uint8_t *data,
                size_t len)
{
  ss_pastry_wake (from_kbr (kbr));
  return ss_pastry_route_past (from_kbr (kbr), protocol, key, past, n_past,
                               data, len);
}

static bool
kbr_send (SsKbr *kbr, SsProtocol protocol, const SsContact *to,
          const SsKbrSend *how, const uint8_t *head, size_t head_len,
          GBytes *body)
{
  SsPastry *pastry = from_kbr (kbr);
  SsLinkSend link_how = {
    .protocol = (uint8_t) protocol,
    .class = (SsTrafficClass) how->class,
    .reliable = how->reliable,
    .tries_max = how->tries_max,
    .token = how->token,
    .expires = how->expires,
    .hint = how->hint,
    .is_doubtful = ss_pastry_may_be_let_go (pastry),
  };
  if (!ss_pastry_is_self (pastry, &to->id))
    ss_pastry_watch (pastry, &to->id, protocol, how->hint);
  /* A contact that came in a message is hearsay; one that is known is not. */
  SsContact known;
  if (how->class == SS_CLASS_KBR_CONTROL
      && !ss_link_has_session (pastry->link, &to->id)
      && ss_pastry_find (pastry, &to->id, &known))
    to = &known;
  return ss_link_send (pastry->link, to, &link_how, head, head_len, body);
}

static void
kbr_cancel (SsKbr *kbr, SsProtocol protocol, const SsId *to, uint64_t token)
{
  ss_link_cancel (from_kbr (kbr)->link, to, (uint8_t) protocol, token);
}

static unsigned
kbr_local_lookup (SsKbr *kbr, const SsId *key, SsContact *ret_contacts,
                  unsigned max)
{
  return ss_pastry_local_lookup (from_kbr (kbr), key, ret_contacts, max);
}

static unsigned
kbr_neighbor_set (SsKbr *kbr, SsContact *ret_contacts, unsigned max)
{
  return ss_pastry_neighbor_set (from_kbr (kbr), ret_contacts, max);
}

static unsigned
kbr_near_set (SsKbr *kbr, SsContact *ret_contacts, SsTime *ret_rtts,
              unsigned max)
{
  return ss_pastry_near_set (from_kbr (kbr), ret_contacts, ret_rtts, max);
}

static unsigned
kbr_replica_set (SsKbr *kbr, const SsId *key, SsContact *ret_contacts,
                 unsigned max)
{
  return ss_pastry_replica_set (from_kbr (kbr), key, ret_contacts, max);
}

static bool
kbr_range (SsKbr *kbr, const SsContact *node, unsigned rank, SsId *ret_from,
           SsId *ret_to)
{
  return ss_pastry_range (from_kbr (kbr), &node->id, rank, ret_from, ret_to);
}

static bool
kbr_is_root (SsKbr *kbr, const SsId *key, bool provisional)
{
  return ss_pastry_is_root (from_kbr (kbr), key, provisional);
}

static void
kbr_suspect (SsKbr *kbr, const SsContact *peer)
{
  ss_pastry_suspect (from_kbr (kbr), peer);
}

static bool
kbr_is_suspected (SsKbr *kbr, const SsId *peer)
{
  return ss_pastry_is_suspected (from_kbr (kbr), peer);
}

static SsTime
kbr_rtt (SsKbr *kbr, const SsId *peer)
{
  return ss_link_rtt (from_kbr (kbr)->link, peer);
}

static SsTime
kbr_rto (SsKbr *kbr, const SsId *peer)
{
  return ss_link_rto (from_kbr (kbr)->link, peer);
}

static SsTime
kbr_last_heard (SsKbr *kbr, const SsId *peer)
{
  return ss_link_last_heard (from_kbr (kbr)->link, peer);
}

static uint64_t
kbr_uplink_bps (SsKbr *kbr)
{
  return ss_link_uplink_bps (from_kbr (kbr)->link);
}

static bool
kbr_is_ready (SsKbr *kbr)
{
  return ss_pastry_is_ready (from_kbr (kbr));
}

static const SsContact *
kbr_self (SsKbr *kbr)
{
  return ss_pastry_self (from_kbr (kbr));
}

static const SsKbrClass kbr_class = {
  .register_app = kbr_register,
  .route = kbr_route,
  .route_past = kbr_route_past,
  .send = kbr_send,
  .cancel = kbr_cancel,
  .local_lookup = kbr_local_lookup,
  .neighbor_set = kbr_neighbor_set,
  .near_set = kbr_near_set,
  .replica_set = kbr_replica_set,
  .range = kbr_range,
  .is_root = kbr_is_root,
  .suspect = kbr_suspect,
  .is_suspected = kbr_is_suspected,
  .rtt = kbr_rtt,
  .rto = kbr_rto,
  .last_heard = kbr_last_heard,
  .uplink_bps = kbr_uplink_bps,
  .is_ready = kbr_is_ready,
  .self = kbr_self,
};

const SsKbrClass *
ss_pastry_kbr_class (void)
{
  return &kbr_class;
}
