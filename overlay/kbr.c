/* The Common API's calls, handed to the overlay that implements them. */
#include "overlay/kbr.h"

void
ss_kbr_register (SsKbr *kbr, SsProtocol protocol, const SsKbrApp *app,
                 void *user)
{
  g_assert (protocol < SS_N_PROTOCOLS);
  g_assert (protocol != SS_PROTOCOL_OVERLAY);
  kbr->class->register_app (kbr, protocol, app, user);
}

bool
ss_kbr_route (SsKbr *kbr, SsProtocol protocol, const SsId *key,
              const SsContact *hint, unsigned flags, const uint8_t *data,
              size_t len)
{
  return kbr->class->route (kbr, protocol, key, hint, flags, data, len);
}

bool
ss_kbr_route_past (SsKbr *kbr, SsProtocol protocol, const SsId *key,
                   const SsId *past, unsigned n_past, const uint8_t *data,
                   size_t len)
{
  g_assert (n_past > 0);
  g_assert (n_past <= SS_KBR_PAST_MAX);
  return kbr->class->route_past
         && kbr->class->route_past (kbr, protocol, key, past, n_past, data,
                                    len);
}

bool
ss_kbr_send (SsKbr *kbr, SsProtocol protocol, const SsContact *to,
             const SsKbrSend *how, const uint8_t *head, size_t head_len,
             GBytes *body)
{
  return kbr->class->send (kbr, protocol, to, how, head, head_len, body);
}

void
ss_kbr_cancel (SsKbr *kbr, SsProtocol protocol, const SsId *to, uint64_t token)
{
  kbr->class->cancel (kbr, protocol, to, token);
}

unsigned
ss_kbr_local_lookup (SsKbr *kbr, const SsId *key, SsContact *ret_contacts,
                     unsigned max)
{
  return kbr->class->local_lookup (kbr, key, ret_contacts, max);
}

unsigned
ss_kbr_neighbor_set (SsKbr *kbr, SsContact *ret_contacts, unsigned max)
{
  return kbr->class->neighbor_set (kbr, ret_contacts, max);
}

unsigned
ss_kbr_near_set (SsKbr *kbr, SsContact *ret_contacts, SsTime *ret_rtts,
                 unsigned max)
{
  if (!kbr->class->near_set)
    return 0;
  return kbr->class->near_set (kbr, ret_contacts, ret_rtts, max);
}

unsigned
ss_kbr_replica_set (SsKbr *kbr, const SsId *key, SsContact *ret_contacts,
                    unsigned max)
{
  return kbr->class->replica_set (kbr, key, ret_contacts, max);
}

bool
ss_kbr_range (SsKbr *kbr, const SsContact *node, unsigned rank, SsId *ret_from,
              SsId *ret_to)
{
  return kbr->class->range (kbr, node, rank, ret_from, ret_to);
}

bool
ss_kbr_is_root (SsKbr *kbr, const SsId *key, bool provisional)
{
  return kbr->class->is_root (kbr, key, provisional);
}

void
ss_kbr_suspect (SsKbr *kbr, const SsContact *peer)
{
  kbr->class->suspect (kbr, peer);
}

bool
ss_kbr_is_suspected (SsKbr *kbr, const SsId *peer)
{
  return kbr->class->is_suspected (kbr, peer);
}

SsTime
ss_kbr_rtt (SsKbr *kbr, const SsId *peer)
{
  return kbr->class->rtt (kbr, peer);
}

SsTime
ss_kbr_rto (SsKbr *kbr, const SsId *peer)
{
  return kbr->class->rto (kbr, peer);
}

SsTime
ss_kbr_last_heard (SsKbr *kbr, const SsId *peer)
{
  return kbr->class->last_heard (kbr, peer);
}

uint64_t
ss_kbr_uplink_bps (SsKbr *kbr)
{
  return kbr->class->uplink_bps ? kbr->class->uplink_bps (kbr) : 0;
}

bool
ss_kbr_is_ready (SsKbr *kbr)
{
  return kbr->class->is_ready (kbr);
}

const SsContact *
ss_kbr_self (SsKbr *kbr)
{
  return kbr->class->self (kbr);
}
