/* A ring with one hostile member: see siege.h. */
#include "tests/harness/siege.h"

#include <string.h>

#include "overlay/link/frames.h"
#include "overlay/link/messages.h"
#include "overlay/pastry/messages.h"
#include "scribe/messages.h"
#include "sim/scenario.h"
#include "sim/traffic.h"
#include "splitstream/private.h"

static void
keep (Siege *siege, unsigned protocol, const uint8_t *data, size_t len)
{
  if (protocol != SS_PROTOCOL_SCRIBE || len == 0
      || data[0] != SS_MSG_SCRIBE_DATA)
    return;
  SiegePacket *packet = &siege->kept[siege->n_kept++ % SIEGE_KEPT_MAX];
  memcpy (packet->data, data, len);
  packet->len = len;
}

/* Cuts the bytes [from, from + n) out. */
static void
cut (uint8_t *bytes, size_t *len, size_t from, size_t n)
{
  memmove (bytes + from, bytes + from + n, *len - from - n);
  *len -= n;
}

static bool
on_datagram (void *user, unsigned to, uint8_t *bytes, size_t *len)
{
  Siege *siege = user;
  SsTrafficFrame frame;
  if (bytes[0] != SS_MSG_LINK_DATA)
    return true;
  ss_traffic_begin (bytes, *len, &frame);
  for (size_t at = SS_FRAMES_AT; ss_traffic_next (&frame);
       at = (size_t) (frame.next - bytes)) {
    if (frame.is_control)
      continue;
    size_t body_at = (size_t) (frame.data - bytes), kept = frame.len;
    keep (siege, frame.protocol, frame.data, frame.len);
    if (siege->tamper != NULL
        && !siege->tamper (siege, to, frame.protocol, bytes + body_at, &kept)) {
      cut (bytes, len, at, body_at + frame.len - at);
      frame.next = bytes + at;
      continue;
    }
    g_assert_cmpuint (kept, <=, frame.len);
    if ((bytes[at] & SS_FRAME_LENGTH) != 0) {
      bytes[body_at - 2] = (uint8_t) (kept >> 8);
      bytes[body_at - 1] = (uint8_t) kept;
    }
    cut (bytes, len, body_at + kept, frame.len - kept);
    frame.next = bytes + body_at + kept;
  }
  return true;
}

void
siege_init (Siege *siege, uint64_t seed, unsigned n_listeners, SsTime delay)
{
  const SsSimOptions options = {
    .seed = seed,
    .delay = delay,
    .jitter = delay / 4,
    .latency = SS_LATENCY_DEFAULT,
    .parity = 1,
  };
  memset (siege, 0, sizeof *siege);
  SsWorld *world = siege->world = ss_world_new (&options);
  bool started = ss_sim_start_station (world, n_listeners + 1, SS_SEC);
  g_assert_true (started);
  siege->relay = 0;
  siege->publisher = 1;
  siege->hostile = n_listeners + 2;
  ss_network_tamper (world->network, siege->hostile, on_datagram, siege);
  siege_run (siege, 2 * SS_SEC);
  siege_mark (siege);
}

void
siege_clear (Siege *siege)
{
  ss_world_free (siege->world);
}

void
siege_run (Siege *siege, SsTime duration)
{
  ss_world_run (siege->world, duration);
}

void
siege_flush (Siege *siege)
{
  ss_network_touch (siege->world->network, siege->hostile);
}

void
siege_send (Siege *siege, unsigned to, SsProtocol protocol, const uint8_t *data,
            size_t len)
{
  const SsKbrSend how = { .class = SS_CLASS_KBR_REPAIR };
  SsKbr *kbr = ss_node_kbr (ss_world_node (siege->world, siege->hostile));
  ss_kbr_send (kbr, protocol, &ss_world_member (siege->world, to)->self, &how,
               data, len, NULL);
  siege_flush (siege);
}

void
siege_send_routed (Siege *siege, unsigned to, SsProtocol protocol,
                   const SsId *key, const SsPeerRecord *source,
                   const uint8_t *data, size_t len)
{
  SsWorld *world = siege->world;
  SsMsgRouted routed = {
    .protocol = (uint8_t) protocol,
    .flags = 1,
    .key = *key,
    .sequence = ss_rng_u32 (&world->rng),
    .source = source != NULL ? *source : siege_record (siege, siege->hostile),
    .data = { data, (uint16_t) MIN (len, SS_KBR_MESSAGE_MAX) },
  };
  uint8_t buf[SS_MSG_ROUTED_MAX];
  size_t buf_len = ss_msg_routed_encode (&routed, buf, sizeof buf);
  siege_send (siege, to, SS_PROTOCOL_OVERLAY, buf, buf_len);
}

SsId
siege_stripe_id (const Siege *siege, unsigned stripe)
{
  const SsStationParams *params = &siege->world->descriptor.params;
  SsId group_id = ss_station_group_id (&params->key, params->name);
  return ss_station_stripe_id (&group_id, params->salt, stripe);
}

SsPeerRecord
siege_record (const Siege *siege, unsigned node)
{
  SsContact contact = ss_world_member (siege->world, node)->self;
  contact.addr = ss_network_addr (node);
  return ss_contact_to_record (&contact);
}

SsPeerRecord
siege_stranger (SsRng *rng)
{
  SsPeerRecord record = { .n_addrs = 1 };
  ss_rng_bytes (rng, record.key.b, sizeof record.key.b);
  record.addrs[0] = ss_addr_v4 (0x0b000000 | ss_rng_u32 (rng) >> 8, 16160);
  return record;
}

uint64_t
siege_count (const Siege *siege, unsigned node, SsCounterName counter)
{
  return ss_node_env (ss_world_node (siege->world, node))
      ->counters.value[counter];
}

uint64_t
siege_rejected (const Siege *siege, unsigned node)
{
  SsNodeStats *stats = g_new (SsNodeStats, 1);
  ss_node_stats (ss_world_node (siege->world, node), stats);
  uint64_t rejected = stats->station.packets_rejected;
  g_free (stats);
  return rejected;
}

static bool
is_honest_listener (const Siege *siege, unsigned node)
{
  const SsMember *member = ss_world_member (siege->world, node);
  return node != siege->hostile && member->is_up && member->hearing != NULL;
}

void
siege_mark (Siege *siege)
{
  GPtrArray *members = siege->world->members;
  g_assert_cmpuint (members->len, <=, G_N_ELEMENTS (siege->frames_mark));
  for (unsigned i = 0; i < members->len; i++) {
    SsHearing *hearing = ss_world_member (siege->world, i)->hearing;
    if (hearing == NULL)
      continue;
    hearing->n_lost = 0;
    siege->frames_mark[i] = hearing->n_frames;
  }
}

uint64_t
siege_lost (Siege *siege)
{
  uint64_t lost = 0;
  for (unsigned i = 0; i < siege->world->members->len; i++) {
    if (!is_honest_listener (siege, i))
      continue;
    const SsHearing *hearing = ss_world_member (siege->world, i)->hearing;
    g_assert_cmpuint (hearing->n_bad, ==, 0);
    lost += hearing->n_lost;
  }
  return lost;
}

unsigned
siege_deaf (Siege *siege)
{
  unsigned deaf = 0;
  for (unsigned i = 0; i < siege->world->members->len; i++)
    deaf += is_honest_listener (siege, i)
            && ss_world_member (siege->world, i)->hearing->n_frames
                   <= siege->frames_mark[i];
  return deaf;
}
