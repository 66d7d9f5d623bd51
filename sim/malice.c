/* Hostile nodes. */
#include "sim/malice.h"

#include <string.h>

#include "overlay/link/cookie.h"
#include "overlay/link/messages.h"
#include "overlay/pastry/messages.h"
#include "scribe/messages.h"
#include "sim/traffic.h"

/* False: the message is to go no further. */
static bool
change_routed (SsMalice *malice, uint8_t *data, size_t len)
{
  SsMsgRouted message;
  uint8_t buf[SS_MSG_ROUTED_MAX + SS_KBR_MESSAGE_MAX];

  if (!ss_msg_routed_decode (data, len, &message) || message.hops == 0
      || message.protocol == SS_PROTOCOL_OVERLAY)
    return true;
  if (malice->kinds & SS_MALICE_DROP) {
    malice->n_dropped++;
    return false;
  }
  if ((malice->kinds & SS_MALICE_MISROUTE) == 0)
    return true;
  ss_rng_bytes (&malice->rng, &message.key, sizeof message.key);
  if (ss_msg_routed_encode (&message, buf, sizeof buf) == len) {
    memcpy (data, buf, len);
    malice->n_changed++;
  }
  return true;
}

static void
change_leaf_set (SsMalice *malice, uint8_t *data, size_t len)
{
  SsMsgLeafSet message;
  uint8_t buf[SS_MSG_LEAF_SET_MAX];

  if ((malice->kinds & SS_MALICE_LIE) == 0 || malice->n_friends == 0
      || !ss_msg_leaf_set_decode (data, len, &message))
    return;
  for (unsigned i = 0; i < message.n_peers; i++)
    message.peers[i] = malice->friends[i % malice->n_friends];
  /* Records are of one length here: each has one address. */
  if (ss_msg_leaf_set_encode (&message, buf, sizeof buf) == len) {
    memcpy (data, buf, len);
    malice->n_changed++;
  }
}

/* A packet of a group? What else the datagram holds is sent again. */
static bool
is_packet (const SsTrafficFrame *frame)
{
  return !frame->is_control && frame->len > 0
         && frame->protocol == SS_PROTOCOL_SCRIBE
         && (frame->data[0] == SS_MSG_SCRIBE_DATA
             || frame->data[0] == SS_MSG_SCRIBE_PUBLISH
             || frame->data[0] == SS_MSG_SCRIBE_REPAIR);
}

typedef struct {
  unsigned to;
  size_t len;
  uint8_t bytes[SS_DATAGRAM_MAX];
} Held;

static void
send_held (void *user, uint64_t argument)
{
  SsMalice *malice = user;
  Held *held = g_queue_pop_head (malice->held);

  (void) argument;
  ss_network_forge (malice->world->network, malice->node, held->to, held->bytes,
                    held->len);
  g_free (held);
}

/* Whatever else the datagram holds is late, too. */
static void
hold (SsMalice *malice, unsigned to, const uint8_t *bytes, size_t len)
{
  SsWorld *world = malice->world;
  Held *held = g_new (Held, 1);

  *held = (Held){ .to = to, .len = len };
  memcpy (held->bytes, bytes, len);
  if (malice->held == NULL)
    malice->held = g_queue_new ();
  g_queue_push_tail (malice->held, held);
  ss_network_at (world->network, ss_world_now (world) + malice->late, send_held,
                 malice, 0);
}

/* A handshake's message that was changed needs its MAC anew. */
static void
mend_mac (const SsMalice *malice, unsigned to, uint8_t *bytes, size_t len)
{
  static const uint8_t realm_key[32];
  uint8_t key[32], *mac1 = bytes + len - 2 * SS_MAC_LEN;
  const SsMember *member = ss_world_member (malice->world, to);

  if (bytes[0] != SS_MSG_LINK_INITIATION && bytes[0] != SS_MSG_LINK_RESPONSE)
    return;
  ss_mac_key (SS_MAC_FIRST, realm_key, &member->self.key, key);
  ss_mac (key, sizeof key, bytes, len - 2 * SS_MAC_LEN, mac1);
}

static bool
tamper (void *user, unsigned to, uint8_t *bytes, size_t *len)
{
  SsMalice *malice = user;
  uint64_t n_changed = malice->n_changed;
  SsTrafficFrame frame;

  ss_traffic_begin (bytes, *len, &frame);
  while (ss_traffic_next (&frame)) {
    uint8_t *data = bytes + (frame.data - bytes);

    if ((malice->kinds & SS_MALICE_SHIRK) != 0 && is_packet (&frame)) {
      malice->n_dropped++;
      return false;
    }
    if ((malice->kinds & SS_MALICE_DAWDLE) != 0 && is_packet (&frame)) {
      hold (malice, to, bytes, *len);
      return false;
    }
    if (frame.is_control || frame.protocol != SS_PROTOCOL_OVERLAY
        || frame.len == 0)
      continue;
    if (data[0] == SS_MSG_ROUTED && !change_routed (malice, data, frame.len))
      return false;
    if (data[0] == SS_MSG_LEAF_SET)
      change_leaf_set (malice, data, frame.len);
  }
  if (malice->n_changed > n_changed)
    mend_mac (malice, to, bytes, *len);
  return true;
}

void
ss_malice_start (SsMalice *malice, SsWorld *world, unsigned node,
                 unsigned kinds, const unsigned *friends, unsigned n_friends)
{
  *malice = (SsMalice){ .kinds = kinds, .world = world, .node = node };
  malice->n_friends = MIN (n_friends, SS_MALICE_FRIENDS_MAX);
  for (unsigned i = 0; i < malice->n_friends; i++) {
    const SsMember *member = ss_world_member (world, friends[i]);

    malice->friends[i] = (SsPeerRecord){
      .key = member->self.key,
      .flags = member->self.flags,
      .n_addrs = 1,
      .addrs = { ss_network_addr (friends[i]) },
    };
  }
  ss_network_rng (world->network, "malice", node, &malice->rng);
  ss_network_tamper (world->network, node, tamper, malice);
}

void
ss_malice_clear (SsMalice *malice)
{
  if (malice->held != NULL)
    g_queue_free_full (malice->held, g_free);
  malice->held = NULL;
}
