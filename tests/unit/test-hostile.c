/* One member of a station's ring is hostile: it joins, listens and carries
 * like the others, and lies. Whatever it does, nobody else loses a frame,
 * what it sends is counted, and what it can make others keep or send is
 * bounded. */
#include <malloc.h>
#include <string.h>

#include "node/messages.h"
#include "overlay/pastry/messages.h"
#include "scribe/messages.h"
#include "splitstream/private.h"
#include "store/messages.h"
#include "tests/harness/siege.h"

#define LISTENERS  6
#define SEEDS      6
#define SEEDS_MAX  30
#define DELAY      (5 * SS_MSEC)
#define TIME       (10 * SS_SEC)
#define HEAD       10 /* SCRIBE_DATA before the packet: type, tag, sequence */
#define SEQUENCE   6
#define AGE        8 /* packets forwarded since one that is sent again */
#define MEMORY_MAX (5u << 20) /* of all nodes together; 4.1 MiB for stations */
#define FLOOD      20         /* messages in a step */
#define FLOOD_STEP (10 * SS_MSEC)

static uint64_t
count_honest (const Siege *siege, SsCounterName counter)
{
  uint64_t n = 0;
  for (unsigned i = 0; i < siege->hostile; i++)
    n += siege_count (siege, i, counter);
  return n;
}

static bool
carries_packet (unsigned protocol, const uint8_t *data, size_t len)
{
  return protocol == SS_PROTOCOL_SCRIBE && len > HEAD
         && (data[0] == SS_MSG_SCRIBE_DATA || data[0] == SS_MSG_SCRIBE_REPAIR);
}

/* Of the last one the hostile node is the root of three stripes, so that
 * nobody else has their packets but the source. */
static const uint64_t seeds[] = { 1, 2, 3, 204 };

/* For some time all that the hostile node sends goes through `tamper`; then
 * `counter` of the others has moved. */
static void
forwarder (const char *what, SiegeTamper tamper, int counter)
{
  uint64_t n_tampered = 0, n_counted = 0;
  for (unsigned i = 0; i < G_N_ELEMENTS (seeds); i++) {
    Siege siege;
    siege_init (&siege, seeds[i], LISTENERS, DELAY);
    uint64_t before =
        counter < 0 ? 0 : count_honest (&siege, (SsCounterName) counter);
    siege.tamper = tamper;
    siege_run (&siege, TIME);
    g_assert_cmpuint (siege_lost (&siege), ==, 0);
    g_assert_cmpuint (siege_deaf (&siege), ==, 0);
    n_tampered += siege.n_tampered;
    if (counter >= 0)
      n_counted += count_honest (&siege, (SsCounterName) counter) - before;
    siege_clear (&siege);
  }
  g_test_message ("%s: %" G_GUINT64_FORMAT
                  " messages, counted %" G_GUINT64_FORMAT,
                  what, n_tampered, n_counted);
  g_assert_cmpuint (n_tampered, >, 0);
  if (counter >= 0)
    g_assert_cmpuint (n_counted, >, 0);
}

static bool
flip (Siege *siege, unsigned to, unsigned protocol, uint8_t *data, size_t *len)
{
  if (carries_packet (protocol, data, *len)) {
    size_t at = HEAD + siege->n_tampered++ % (*len - HEAD);
    data[at] ^= (uint8_t) (1u << at % 8);
  }
  return true;
}

static bool
shorten (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
         size_t *len)
{
  if (carries_packet (protocol, data, *len))
    *len = HEAD + siege->n_tampered++ % (*len - HEAD);
  return true;
}

/* The packets of a while ago, under the numbers of today's. */
static bool
repeat (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
        size_t *len)
{
  if (!carries_packet (protocol, data, *len) || siege->n_kept <= AGE)
    return true;
  const SiegePacket *old = &siege->kept[(siege->n_kept - AGE) % SIEGE_KEPT_MAX];
  if (old->len > *len || memcmp (old->data + 1, data + 1, HEAD - 1) == 0)
    return true;
  siege->n_tampered++;
  memcpy (data + HEAD, old->data + HEAD, old->len - HEAD);
  *len = old->len;
  return true;
}

static bool
change_stripe (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
               size_t *len)
{
  if (!carries_packet (protocol, data, *len))
    return true;
  SsId other =
      siege_stripe_id (siege, (unsigned) (++siege->n_tampered % SS_STRIPES));
  memcpy (data + 1, other.b, 5);
  return true;
}

static bool
change_sequence (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
                 size_t *len)
{
  if (!carries_packet (protocol, data, *len))
    return true;
  siege->n_tampered++;
  if (siege->n_tampered % 8 == 0)
    memset (data + SEQUENCE, 0xff, 4);
  else
    data[SEQUENCE + 3] ^= (uint8_t) (1 + siege->n_tampered % 7);
  return true;
}

static bool
withhold (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
          size_t *len)
{
  if (!carries_packet (protocol, data, *len))
    return true;
  siege->n_tampered++;
  return false;
}

/* Nothing down the tree, and to every question that it has not. */
static bool
deny (Siege *siege, unsigned to, unsigned protocol, uint8_t *data, size_t *len)
{
  if (!carries_packet (protocol, data, *len))
    return true;
  siege->n_tampered++;
  if (data[0] == SS_MSG_SCRIBE_DATA)
    return false;
  SsMsgScribeRepair repair;
  g_assert_true (ss_msg_scribe_repair_decode (data, *len, &repair));
  SsMsgScribeNotHave answer = { .n_sequences = 1 };
  memcpy (answer.tag, repair.tag, sizeof answer.tag);
  answer.sequences[0] = repair.sequence;
  *len = ss_msg_scribe_not_have_encode (&answer, data, *len);
  return true;
}

/* Parents that are their own grandchildren, far from any root, or nobody. */
static bool
lie_about_path (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
                size_t *len)
{
  static SsMsgScribeJoinAck ack; /* large */
  if (protocol != SS_PROTOCOL_SCRIBE
      || !ss_msg_scribe_join_ack_decode (data, *len, &ack) || ack.n_path == 0)
    return true;
  const SsId *child = &ss_world_member (siege->world, to)->self.id;
  ack.path[0] = (uint32_t) child->b[0] << 24 | (uint32_t) child->b[1] << 16
                | (uint32_t) child->b[2] << 8 | child->b[3];
  siege->n_tampered++;
  *len = ss_msg_scribe_join_ack_encode (&ack, data, *len);
  return true;
}

/* Every child, and every newcomer, is sent to where it comes from. */
static bool
turn_away (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
           size_t *len)
{
  SsMsgScribeJoinAck ack;
  if (protocol != SS_PROTOCOL_SCRIBE
      || !ss_msg_scribe_join_ack_decode (data, *len, &ack))
    return !carries_packet (protocol, data, *len);
  SsMsgScribeRedirect redirect = { .nonce = ack.nonce, .n_candidates = 1 };
  memcpy (redirect.tag, ack.tag, sizeof redirect.tag);
  redirect.candidates[0] = siege_record (siege, siege->hostile);
  siege->n_tampered++;
  uint8_t buf[SS_MSG_SCRIBE_REDIRECT_MAX];
  size_t buf_len = ss_msg_scribe_redirect_encode (&redirect, buf, sizeof buf);
  if (buf_len > *len)
    return false;
  memcpy (data, buf, *len = buf_len);
  return true;
}

static void
test_flip (void)
{
  forwarder ("flipped bits", flip, SS_COUNT_SCRIBE_PACKETS_REJECTED);
}

static void
test_shorten (void)
{
  forwarder ("truncated", shorten, SS_COUNT_SCRIBE_PACKETS_REJECTED);
}

static void
test_repeat (void)
{
  forwarder ("old packets", repeat, SS_COUNT_SCRIBE_PACKETS_REJECTED);
}

static void
test_other_stripe (void)
{
  forwarder ("other stripe", change_stripe, SS_COUNT_SCRIBE_PACKETS_REJECTED);
}

static void
test_other_sequence (void)
{
  forwarder ("other sequence", change_sequence,
             SS_COUNT_SCRIBE_PACKETS_REJECTED);
}

static void
test_withhold (void)
{
  forwarder ("withheld", withhold, -1);
}

static void
test_deny (void)
{
  forwarder ("denied", deny, -1);
}

/* Newcomers while the hostile node's answers are changed; until there has been
 * one, and it has been counted: with few of them that is by chance. */
static void
newcomers (const char *what, SiegeTamper tamper, int counter)
{
  uint64_t n_tampered = 0, n_counted = 0;
  bool is_enough = false;
  for (uint64_t seed = 1; seed <= SEEDS || (!is_enough && seed <= SEEDS_MAX);
       seed++) {
    Siege siege;
    siege_init (&siege, seed, LISTENERS, DELAY);
    siege.tamper = tamper;
    for (unsigned i = 0; i < 4; i++) {
      ss_world_add (siege.world, false, true);
      siege_run (&siege, SS_SEC);
    }
    siege_run (&siege, 5 * SS_SEC);
    g_assert_cmpuint (siege_lost (&siege), ==, 0);
    g_assert_cmpuint (siege_deaf (&siege), ==, 0);
    n_tampered += siege.n_tampered;
    for (unsigned i = 0; counter >= 0 && i < siege.world->members->len; i++)
      if (i != siege.hostile)
        n_counted += siege_count (&siege, i, (SsCounterName) counter);
    is_enough = n_tampered > 0 && (counter < 0 || n_counted > 0);
    siege_clear (&siege);
  }
  g_test_message ("%s: %" G_GUINT64_FORMAT
                  " messages, counted %" G_GUINT64_FORMAT,
                  what, n_tampered, n_counted);
  g_assert_cmpuint (n_tampered, >, 0);
  if (counter >= 0)
    g_assert_cmpuint (n_counted, >, 0);
}

static bool
falsify_headers (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
                 size_t *len)
{
  SsMsgHeaderChunk chunk;
  if (protocol == SS_PROTOCOL_SPLITSTREAM
      && ss_msg_header_chunk_decode (data, *len, &chunk)
      && chunk.data.len > 0) {
    siege->n_tampered++;
    data[*len - 1] ^= 1;
  }
  return true;
}

/* Says that it has nothing, and names nobody else. */
static bool
refuse_tune_in (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
                size_t *len)
{
  SsMsgTuneInAnswer answer;
  if (protocol != SS_PROTOCOL_SPLITSTREAM)
    return true;
  if (data[0] == SS_MSG_TUNE_IN_PACKET)
    return false;
  if (!ss_msg_tune_in_answer_decode (data, *len, &answer))
    return true;
  siege->n_tampered++;
  answer.status = 1;
  answer.n_others = 0;
  *len = ss_msg_tune_in_answer_encode (&answer, data, *len);
  return true;
}

/* Promises a start, and sends nothing. */
static bool
break_promise (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
               size_t *len)
{
  if (protocol != SS_PROTOCOL_SPLITSTREAM || data[0] != SS_MSG_TUNE_IN_PACKET)
    return true;
  siege->n_tampered++;
  return false;
}

/* Promises more than there will ever be, and sends it as if it were held up on
 * the way, so that the newcomer stops it. */
static bool
promise_too_much (Siege *siege, unsigned to, unsigned protocol, uint8_t *data,
                  size_t *len)
{
  uint8_t copy[SS_DATAGRAM_MAX];
  SsMsgTuneInAnswer answer;
  SsMsgTuneInPacket packet;
  if (protocol != SS_PROTOCOL_SPLITSTREAM)
    return true;
  memcpy (copy, data, *len);
  if (ss_msg_tune_in_answer_decode (copy, *len, &answer)) {
    answer.newest = UINT32_MAX;
    *len = ss_msg_tune_in_answer_encode (&answer, data, *len);
  } else if (ss_msg_tune_in_packet_decode (copy, *len, &packet)) {
    siege->n_tampered++;
    packet.media_time -= MIN (packet.media_time, SS_SEC / SS_USEC);
    *len = ss_msg_tune_in_packet_encode (&packet, data, *len);
  }
  return true;
}

static void
test_path_loop (void)
{
  newcomers ("paths", lie_about_path, SS_COUNT_SCRIBE_LOOPS);
}

static void
test_redirect_circle (void)
{
  newcomers ("redirects", turn_away, -1);
}

static void
test_headers (void)
{
  newcomers ("headers", falsify_headers, -1);
}

static void
test_tune_in_refused (void)
{
  newcomers ("tune-in refused", refuse_tune_in, -1);
}

static void
test_tune_in_broken (void)
{
  newcomers ("tune-in broken", break_promise, -1);
}

static void
test_tune_in_endless (void)
{
  newcomers ("tune-in endless", promise_too_much,
             SS_COUNT_SPLITSTREAM_BURSTS_STOPPED);
}

/* Floods: one message of a kind to one node, again and again. */

typedef struct {
  Siege siege;
  SsRng rng;
  unsigned to;
  uint64_t n;
} Flood;

/* Writes the next message; *ret_routed: it comes as if routed to *key. */
typedef size_t (*FloodMessage) (Flood *flood, uint8_t *ret_data, size_t cap,
                                SsProtocol *ret_protocol, bool *ret_routed,
                                SsId *ret_key);

/* The node may send so many bytes a second more than it does anyway. */
static void
flood (const char *what, FloodMessage message, uint64_t answer_rate_max,
       int counter)
{
  Flood *flood = g_new0 (Flood, 1);
  for (unsigned to = 0; to < 3; to++) {
    Siege *siege = &flood->siege;
    siege_init (siege, 1 + to, LISTENERS, DELAY);
    ss_rng_init_number (&flood->rng, to);
    flood->to = to; /* relay, publisher, listener */
    flood->n = 0;
    uint64_t sent = siege_count (siege, to, SS_COUNT_BYTES_OUT);
    siege_run (siege, 5 * SS_SEC);
    uint64_t usual = siege_count (siege, to, SS_COUNT_BYTES_OUT) - sent;
    size_t memory = mallinfo2 ().uordblks;
    sent += usual;
    for (SsTime t = 0; t < 5 * SS_SEC; t += FLOOD_STEP) {
      for (unsigned i = 0; i < FLOOD; i++, flood->n++) {
        uint8_t data[SS_DATAGRAM_MAX];
        SsProtocol protocol = SS_PROTOCOL_SCRIBE;
        bool routed = false;
        SsId key;
        size_t len =
            message (flood, data, sizeof data, &protocol, &routed, &key);
        g_assert_cmpuint (len, >, 0);
        if (routed)
          siege_send_routed (siege, to, protocol, &key, NULL, data, len);
        else
          siege_send (siege, to, protocol, data, len);
      }
      siege_run (siege, FLOOD_STEP);
    }
    sent = siege_count (siege, to, SS_COUNT_BYTES_OUT) - sent;
    uint64_t rate = (sent - MIN (sent, usual)) / 5;
    g_test_message ("%s at %u: %" G_GUINT64_FORMAT
                    " B/s more than usual, %td KiB more memory",
                    what, to, rate,
                    ((ptrdiff_t) mallinfo2 ().uordblks - (ptrdiff_t) memory)
                        / 1024);
    siege_run (siege, 2 * SS_SEC);
    g_assert_cmpuint (siege_lost (siege), ==, 0);
    g_assert_cmpuint (siege_deaf (siege), ==, 0);
    g_assert_cmpuint (mallinfo2 ().uordblks, <, memory + MEMORY_MAX);
    g_assert_cmpuint (rate, <=, answer_rate_max);
    if (counter >= 0)
      g_assert_cmpuint (siege_count (siege, to, (SsCounterName) counter), >, 0);
    siege_clear (siege);
  }
  g_free (flood);
}

/* JOINs of groups without end: with no information, somebody's, or the
 * station's in a group that is not its own; loads that cannot be. */
static size_t
join_message (Flood *flood, uint8_t *ret_data, size_t cap,
              SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  const SsStationParams *own = &flood->siege.world->descriptor.params;
  SsMsgScribeJoin join = {
    .nonce = (uint32_t) flood->n,
    .flags = (uint8_t) ss_rng_below (&flood->rng, 32),
    .load = UINT16_MAX,
    .load_max = (uint16_t) (flood->n % 2),
    .newest = UINT32_MAX,
    .mask = 0,
    .n_source = 1,
  };
  uint8_t info[SS_SCRIBE_INFO_MAX];
  SsStationParams params = *own;
  if (flood->n % 4 == 1)
    ss_rng_bytes (&flood->rng, params.key.b, sizeof params.key.b);
  if (flood->n % 4 == 2)
    params.latency *= 2;
  join.info.data = info;
  if (flood->n % 4 != 0)
    join.info.len =
        (uint16_t) ss_station_params_encode (&params, info, sizeof info);
  ss_rng_bytes (&flood->rng, join.group.b, sizeof join.group.b);
  if (flood->n % 4 == 2)
    join.group = siege_stripe_id (&flood->siege, flood->n / 4 % SS_STRIPES);
  join.source[0] = siege_stranger (&flood->rng);
  *ret_routed = flood->n % 8 < 6;
  *ret_key = join.group;
  return ss_msg_scribe_join_encode (&join, ret_data, cap);
}

/* JOINs of stations that are well made, each with a key of its own. */
static size_t
station_message (Flood *flood, uint8_t *ret_data, size_t cap,
                 SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  SsStationParams params = flood->siege.world->descriptor.params;
  ss_rng_bytes (&flood->rng, params.key.b, sizeof params.key.b);
  SsId group_id = ss_station_group_id (&params.key, params.name);
  uint8_t info[SS_SCRIBE_INFO_MAX];
  SsMsgScribeJoin join = {
    .nonce = (uint32_t) flood->n,
    .group = ss_station_stripe_id (&group_id, params.salt,
                                   (unsigned) (flood->n % SS_STRIPES)),
  };
  join.info.data = info;
  join.info.len =
      (uint16_t) ss_station_params_encode (&params, info, sizeof info);
  *ret_routed = true;
  *ret_key = join.group;
  return ss_msg_scribe_join_encode (&join, ret_data, cap);
}

/* JOINs of the station's own stripes, to be taken: by one that has heard
 * nothing, or the last packet that can be. */
static size_t
child_message (Flood *flood, uint8_t *ret_data, size_t cap,
               SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  uint8_t info[SS_SCRIBE_INFO_MAX];
  SsMsgScribeJoin join = {
    .nonce = (uint32_t) flood->n + 1,
    .group =
        siege_stripe_id (&flood->siege, (unsigned) (flood->n % SS_STRIPES)),
    .flags = flood->n / SS_STRIPES % 2 ? 7 : 6, /* have, must, retry */
    .newest = flood->n / SS_STRIPES % 4 == 1 ? UINT32_MAX : 1,
  };
  join.info.data = info;
  join.info.len = (uint16_t) ss_station_params_encode (
      &flood->siege.world->descriptor.params, info, sizeof info);
  *ret_routed = flood->n / SS_STRIPES % 3 == 0;
  *ret_key = join.group;
  return ss_msg_scribe_join_encode (&join, ret_data, cap);
}

/* I am the root; I am not; a third is; here is the tree for you. */
static size_t
root_message (Flood *flood, uint8_t *ret_data, size_t cap,
              SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  unsigned stripe = (unsigned) ss_rng_below (&flood->rng, SS_STRIPES);
  SsId id = siege_stripe_id (&flood->siege, stripe);
  SsPeerRecord self = siege_record (&flood->siege, flood->siege.hostile);
  SsPeerRecord stranger = siege_stranger (&flood->rng);
  if (flood->n % 3 == 0) {
    SsMsgScribeNotRoot message = {
      .flags = flood->n / 3 % 2,
      .sequence = (uint32_t) (flood->n % 100),
      .n_root = 1,
      .root = { flood->n / 6 % 2 ? self : stranger },
    };
    memcpy (message.tag, id.b, sizeof message.tag);
    return ss_msg_scribe_not_root_encode (&message, ret_data, cap);
  }
  if (flood->n % 3 == 1) {
    SsMsgScribeRootIs message = { .nonce = ss_rng_u32 (&flood->rng) };
    memcpy (message.tag, id.b, sizeof message.tag);
    return ss_msg_scribe_root_is_encode (&message, ret_data, cap);
  }
  uint8_t info[SS_SCRIBE_INFO_MAX];
  SsMsgScribeHandover message = {
    .group = id,
    .n_source = 1,
    .source = { flood->n / 6 % 2 ? self : stranger },
  };
  message.info.data = info;
  message.info.len = (uint16_t) ss_station_params_encode (
      &flood->siege.world->descriptor.params, info, sizeof info);
  return ss_msg_scribe_handover_encode (&message, ret_data, cap);
}

/* Children that are none, with all tags and more. */
static size_t
tree_message (Flood *flood, uint8_t *ret_data, size_t cap,
              SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  unsigned stripe = (unsigned) ss_rng_below (&flood->rng, SS_STRIPES);
  SsId id = siege_stripe_id (&flood->siege, stripe);
  if (flood->n % 2 == 0) {
    SsMsgScribeKeepalive message = { .load = UINT16_MAX, .n_tags = 64 };
    for (unsigned i = 0; i < message.n_tags; i++)
      message.tags[i] = ss_rng_u32 (&flood->rng);
    return ss_msg_scribe_keepalive_encode (&message, ret_data, cap);
  }
  SsMsgScribeRedirect message = { .n_candidates = 4 };
  memcpy (message.tag, id.b, sizeof message.tag);
  for (unsigned i = 0; i < message.n_candidates; i++)
    message.candidates[i] = siege_stranger (&flood->rng);
  return ss_msg_scribe_redirect_encode (&message, ret_data, cap);
}

/* All that is here, and what will never be. */
static size_t
want_message (Flood *flood, uint8_t *ret_data, size_t cap,
              SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  SsId id = siege_stripe_id (&flood->siege, flood->n % SS_STRIPES);
  SsMsgScribeWant message = { .flags = 1, .n_sequences = 16 };
  memcpy (message.tag, id.b, sizeof message.tag);
  for (unsigned i = 0; i < message.n_sequences; i++)
    message.sequences[i] = flood->n % 2 ? i : UINT32_MAX - i;
  return ss_msg_scribe_want_encode (&message, ret_data, cap);
}

static size_t
tune_in_message (Flood *flood, uint8_t *ret_data, size_t cap,
                 SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  const SsDescriptor *descriptor = &flood->siege.world->descriptor;
  *ret_protocol = SS_PROTOCOL_SPLITSTREAM;
  SsMsgTuneIn message = {
    .station =
        ss_station_group_id (&descriptor->params.key, descriptor->params.name),
    .session = descriptor->session,
    .reach = UINT32_MAX,
  };
  return ss_msg_tune_in_encode (&message, ret_data, cap);
}

static size_t
headers_message (Flood *flood, uint8_t *ret_data, size_t cap,
                 SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  const SsDescriptor *descriptor = &flood->siege.world->descriptor;
  *ret_protocol = SS_PROTOCOL_SPLITSTREAM;
  SsMsgHeaderRequest message = {
    .station =
        ss_station_group_id (&descriptor->params.key, descriptor->params.name),
    .session = descriptor->session,
    .version = 1,
    .count = UINT8_MAX,
  };
  return ss_msg_header_request_encode (&message, ret_data, cap);
}

static size_t
live_message (Flood *flood, uint8_t *ret_data, size_t cap,
              SsProtocol *ret_protocol, bool *ret_routed, SsId *ret_key)
{
  const SsDescriptor *descriptor = &flood->siege.world->descriptor;
  *ret_protocol = SS_PROTOCOL_NODE;
  SsMsgLiveQuestion message = {
    .group_id =
        ss_station_group_id (&descriptor->params.key, descriptor->params.name),
    .session = descriptor->session,
  };
  return ss_msg_live_question_encode (&message, ret_data, cap);
}

/* It sends 2,000 messages a second, which an honest node would not in an
 * hour. What is answered at all is answered with about as much; packets are
 * bounded by their own rates. */
static void
test_joins (void)
{
  flood ("JOINs", join_message, 500000, -1);
}

static void
test_stations (void)
{
  flood ("stations", station_message, 500000, -1);
}

static void
test_children (void)
{
  flood ("children", child_message, 1000000, -1);
}

static void
test_roots (void)
{
  flood ("roots", root_message, 100000, -1);
}

static void
test_trees (void)
{
  flood ("trees", tree_message, 1500000, -1);
}

static void
test_wants (void)
{
  flood ("wants", want_message, 1000000, SS_COUNT_SCRIBE_ANSWERS_REFUSED);
}

static void
test_tune_ins (void)
{
  flood ("tune-ins", tune_in_message, 100000, SS_COUNT_SPLITSTREAM_REFUSED);
}

static void
test_header_requests (void)
{
  flood ("header requests", headers_message, 100000,
         SS_COUNT_SPLITSTREAM_REFUSED);
}

static void
test_live_questions (void)
{
  flood ("live questions", live_message, 200000, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hostile/flip", test_flip);
  g_test_add_func ("/hostile/shorten", test_shorten);
  g_test_add_func ("/hostile/repeat", test_repeat);
  g_test_add_func ("/hostile/other-stripe", test_other_stripe);
  g_test_add_func ("/hostile/other-sequence", test_other_sequence);
  g_test_add_func ("/hostile/withhold", test_withhold);
  g_test_add_func ("/hostile/deny", test_deny);
  g_test_add_func ("/hostile/path-loop", test_path_loop);
  g_test_add_func ("/hostile/redirect-circle", test_redirect_circle);
  g_test_add_func ("/hostile/headers", test_headers);
  g_test_add_func ("/hostile/tune-in-refused", test_tune_in_refused);
  g_test_add_func ("/hostile/tune-in-broken", test_tune_in_broken);
  g_test_add_func ("/hostile/tune-in-endless", test_tune_in_endless);
  g_test_add_func ("/hostile/joins", test_joins);
  g_test_add_func ("/hostile/stations", test_stations);
  g_test_add_func ("/hostile/children", test_children);
  g_test_add_func ("/hostile/roots", test_roots);
  g_test_add_func ("/hostile/trees", test_trees);
  g_test_add_func ("/hostile/wants", test_wants);
  g_test_add_func ("/hostile/tune-ins", test_tune_ins);
  g_test_add_func ("/hostile/header-requests", test_header_requests);
  g_test_add_func ("/hostile/live-questions", test_live_questions);
  return g_test_run ();
}
