/* Any datagrams, and any frames inside authentic ones, at a link in mid
 * session, or in an authentic initiation (with the plain sealer, so that they
 * get that far), with sends and jumps of time between them. The input is a
 * list of steps: a byte that says what to do, two of length, and bytes.
 * Nothing may crash; and when it is over, all that was begun ends. */
#include <string.h>

#include "overlay/link/cookie.h"
#include "overlay/link/frames.h"
#include "overlay/link/link.h"
#include "overlay/link/messages.h"
#include "overlay/link/sealer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/link_net.h"

enum {
  STEP_DATAGRAM,
  STEP_FRAMES,
  STEP_TIME,
  STEP_SEND,
  STEP_CLOSE,
  STEP_INITIATION,
  N_STEPS
};

#define STEP_HEADER 3
#define FRAMES_MAX  996 /* in an initiation */
#define QUIET       (20 * 60 * SS_SEC)

/* The header of an authentic datagram of endpoint 1 to endpoint 0. */
static bool
keep_header (void *user, NetDatagram *datagram)
{
  NetDatagram *header = user;
  if (datagram->data[0] == SS_MSG_LINK_DATA && datagram->len >= SS_FRAMES_AT
      && (datagram->to.port == 1000))
    *header = *datagram;
  return true;
}

static void
inject (LinkNet *net, const NetDatagram *header, bool is_frames,
        const uint8_t *data, size_t len)
{
  NetDatagram datagram = *header;
  if (is_frames) {
    datagram.len = SS_FRAMES_AT + MIN (len, SS_DATAGRAM_MAX - SS_LINK_OVERHEAD);
    memcpy (datagram.data + SS_FRAMES_AT, data, datagram.len - SS_FRAMES_AT);
    memset (datagram.data + datagram.len, 0, SS_SEALER_TAG_LEN);
    datagram.len += SS_SEALER_TAG_LEN;
  } else {
    datagram.len = MIN (len, SS_DATAGRAM_MAX);
    memcpy (datagram.data, data, datagram.len);
  }
  net_deliver (net, &datagram);
}

/* An initiation of endpoint 1's identity with these frames; the step's number
 * says how much of its state it has lost since the last. */
static void
initiate (LinkNet *net, uint8_t step, const uint8_t *data, size_t len)
{
  const NetEndpoint *endpoint = &net->endpoints[1];
  SsContact self = net_contact (net, 1), peer = net_contact (net, 0);
  SsMsgLinkHello hello = {
    .timestamp = (uint64_t) (net->now + endpoint->env.wall_offset),
    .key = self.key,
  };
  hello.frames = (SsWireBytes){ data, 0 };
  hello.frames.len = (uint16_t) MIN (len, FRAMES_MAX);
  uint8_t payload[SS_MSG_LINK_HELLO_MAX], key[32];
  uint8_t noise[sizeof payload + SS_SEALER_INITIATION_OVERHEAD];
  size_t n = ss_msg_link_hello_encode (&hello, payload, sizeof payload);
  SsSealer *sealer =
      ss_sealer_new (endpoint->config.identity_seed, endpoint->config.realm_key,
                     SS_LINK_VERSION);
  SsSealerHandshake *handshake =
      ss_sealer_initiate (sealer, &peer.key, &net->rng, payload, n, noise);
  SsMsgLinkInitiation message = {
    .sender = 1 + step / N_STEPS,
    .noise = { noise, (uint16_t) (n + SS_SEALER_INITIATION_OVERHEAD) },
  };
  NetDatagram datagram = { .from = self.addr, .to = peer.addr };
  datagram.len = ss_msg_link_initiation_encode (&message, datagram.data,
                                                sizeof datagram.data);
  ss_mac_key (SS_MAC_FIRST, endpoint->config.realm_key, &peer.key, key);
  ss_mac (key, sizeof key, datagram.data, datagram.len - 2 * SS_MAC_LEN,
          datagram.data + datagram.len - 2 * SS_MAC_LEN);
  net_deliver (net, &datagram);
  ss_sealer_handshake_free (handshake);
  ss_sealer_free (sealer);
}

static void
run_step (LinkNet *net, const NetDatagram *header, uint8_t step,
          const uint8_t *data, size_t len)
{
  SsContact peer = net_contact (net, 1);
  switch (step % N_STEPS) {
  case STEP_DATAGRAM:
    inject (net, header, false, data, len);
    break;
  case STEP_FRAMES:
    inject (net, header, true, data, len);
    break;
  case STEP_INITIATION:
    initiate (net, step, data, len);
    break;
  case STEP_TIME:
    net_run (net, net->now + (SsTime) len * 10 * SS_MSEC);
    break;
  case STEP_SEND: {
    SsLinkSend how = {
      .protocol = 1,
      .class = (SsTrafficClass) (step / N_STEPS % SS_N_CLASSES),
      .reliable = step & 0x80,
      .token = step,
    };
    ss_link_send (net->endpoints[0].link, &peer, &how, data,
                  MIN (len, SS_LINK_MESSAGE_MAX), NULL);
    break;
  }
  default:
    ss_link_close (net->endpoints[0].link, &peer.id);
    break;
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  LinkNet *net = net_new (1, 2);
  NetDatagram header = { .len = 0 };
  SsLinkSend how = { .protocol = 1, .reliable = true, .token = 1000 };
  net->filter = keep_header;
  net->filter_user = &header;
  net->endpoints[0].echo = true;
  net_send (net, 0, 1, &how, "one");
  net_run (net, 1 * SS_SEC);
  net_send (net, 0, 1, &how, "two");
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (header.len, >, 0);
  while (len >= STEP_HEADER) {
    size_t step_len = (size_t) (data[1] << 8 | data[2]);
    step_len = MIN (step_len, len - STEP_HEADER);
    run_step (net, &header, data[0], data + STEP_HEADER, step_len);
    data += STEP_HEADER + step_len;
    len -= STEP_HEADER + step_len;
  }
  net_run (net, net->now + QUIET);
  for (unsigned i = 0; i < 2; i++) {
    SsLink *link = net->endpoints[i].link;
    g_assert_cmpint (ss_timers_deadline (&net->endpoints[i].env.timers), ==,
                     SS_NEVER);
    g_assert_cmpuint (ss_link_n_peers (link), ==, 0);
    for (unsigned c = 0; c < SS_N_CLASSES; c++)
      g_assert_cmpuint (ss_link_backlog (link, c), ==, 0);
  }
  net_free (net);
  return 0;
}

static size_t
generate_frames (SsRng *rng, uint8_t *ret_data, size_t room)
{
  size_t n = 0;
  while (n + 80 < room && ss_rng_below (rng, 6) > 0) {
    size_t body = ss_rng_below (rng, 40);
    switch (ss_rng_below (rng, 8)) {
    case 0: /* acknowledgements */
      ret_data[n++] = SS_MSG_LINK_ACK;
      ret_data[n++] = (uint8_t) ss_rng_below (rng, 256);
      ret_data[n++] = (uint8_t) ss_rng_below (rng, 256);
      ret_data[n++] = 3;
      for (unsigned i = 0; i < 3; i++) {
        ret_data[n++] = 0;
        ret_data[n++] = (uint8_t) ss_rng_below (rng, 8);
      }
      break;
    case 1:
      ret_data[n++] = (uint8_t) ss_rng_u32 (rng);
      break;
    default: /* reliable, with its length */
      ret_data[n++] = 0x60 | (uint8_t) ss_rng_below (rng, 32);
      ret_data[n++] = (uint8_t) (ss_rng_below (rng, 4) * 85);
      ret_data[n++] = (uint8_t) ss_rng_u32 (rng);
      ret_data[n++] = 0;
      ret_data[n++] = (uint8_t) body;
      ss_rng_bytes (rng, ret_data + n, body);
      n += body;
      break;
    }
  }
  if (ss_rng_below (rng, 20) == 0)
    ret_data[n++] = SS_MSG_LINK_CLOSE;
  return n;
}

static size_t
generate_datagram (SsRng *rng, uint8_t *ret_data)
{
  static const SsWireProtocol *const protocol = &ss_wire_protocol_link;
  union {
    SsMsgLinkInitiation initiation;
    SsMsgLinkResponse response;
    SsMsgLinkData data;
    SsMsgLinkAsk ask;
    SsMsgLinkAnswer answer;
    SsMsgLinkMet met;
    SsMsgLinkHello hello;
    SsMsgLinkWelcome welcome;
    SsMsgLinkAck ack;
  } message;
  uint8_t storage[SS_DATAGRAM_MAX];
  const SsWireMessage *schema =
      protocol->schemas[ss_rng_below (rng, protocol->n_messages)]();
  g_assert_cmpuint (schema->struct_size, <=, sizeof message);
  ss_wire_generate (schema, rng, &message, storage);
  return ss_wire_encode (schema, &message, ret_data, SS_DATAGRAM_MAX);
}

size_t
ss_fuzz_generate (SsRng *rng, uint8_t ret_data[SS_FUZZ_INPUT_MAX])
{
  size_t n = 0;
  while (n + STEP_HEADER + SS_DATAGRAM_MAX < SS_FUZZ_INPUT_MAX
         && ss_rng_below (rng, 20) > 0) {
    uint8_t *step = ret_data + n;
    uint8_t *body = step + STEP_HEADER;
    size_t body_len;
    step[0] = (uint8_t) ss_rng_u32 (rng);
    switch (step[0] % N_STEPS) {
    case STEP_DATAGRAM:
      body_len = generate_datagram (rng, body);
      break;
    case STEP_FRAMES:
    case STEP_INITIATION:
      body_len = generate_frames (rng, body, 600);
      break;
    default:
      body_len = ss_rng_below (rng, 60);
      ss_rng_bytes (rng, body, body_len);
      break;
    }
    step[1] = (uint8_t) (body_len >> 8);
    step[2] = (uint8_t) body_len;
    n += STEP_HEADER + body_len;
  }
  return n;
}
