/* Messages counted by kind. */
#include "sim/traffic.h"

#include <stdio.h>

#include "overlay/link/frames.h"
#include "overlay/link/messages.h"
#include "overlay/link/sealer.h"
#include "overlay/pastry/messages.h"

#define KINDS_MAX (3 * SS_TRAFFIC_CODES + SS_N_PROTOCOLS + 2)

static void
add (SsTrafficCount *count, size_t len)
{
  count->messages++;
  count->bytes += len;
}

/* True for an application's message on its way. */
static bool
count_message (SsTraffic *traffic, unsigned protocol, const uint8_t *data,
               size_t len)
{
  if (protocol != SS_PROTOCOL_OVERLAY || len == 0) {
    add (&traffic->others[protocol % SS_N_PROTOCOLS], len);
    if (len > 0)
      traffic->messages[protocol % SS_N_PROTOCOLS][data[0]]++;
    return false;
  }
  SsMsgRouted routed;

  if (ss_msg_routed_decode (data, len, &routed) && routed.data.len > 0)
    traffic->messages[routed.protocol % SS_N_PROTOCOLS][routed.data.data[0]]++;
  if (data[0] == SS_MSG_ROUTED && len > 1 && data[1] == SS_PROTOCOL_OVERLAY) {
    add (&traffic->enters, len);
    return false;
  }
  add (&traffic->overlay[data[0]], len);
  return data[0] == SS_MSG_ROUTED;
}

/* Frames in a handshake's message, which the plain sealer leaves readable. */
static SsWireBytes
handshake_frames (const uint8_t *bytes, size_t len)
{
  SsMsgLinkInitiation initiation;
  SsMsgLinkResponse response;
  SsMsgLinkHello hello;
  SsMsgLinkWelcome welcome;

  if (ss_msg_link_initiation_decode (bytes, len, &initiation)
      && initiation.noise.len > SS_SEALER_INITIATION_OVERHEAD
      && ss_msg_link_hello_decode (
          initiation.noise.data + SS_SEALER_INITIATION_OVERHEAD,
          initiation.noise.len - SS_SEALER_INITIATION_OVERHEAD, &hello))
    return hello.frames;
  if (ss_msg_link_response_decode (bytes, len, &response)
      && response.noise.len > SS_SEALER_RESPONSE_OVERHEAD
      && ss_msg_link_welcome_decode (
          response.noise.data + SS_SEALER_RESPONSE_OVERHEAD,
          response.noise.len - SS_SEALER_RESPONSE_OVERHEAD, &welcome))
    return welcome.frames;
  return (SsWireBytes){ 0 };
}

void
ss_traffic_begin (const uint8_t *bytes, size_t len, SsTrafficFrame *ret_frame)
{
  *ret_frame = (SsTrafficFrame){ .next = bytes };
  if (len > 0
      && (bytes[0] == SS_MSG_LINK_INITIATION
          || bytes[0] == SS_MSG_LINK_RESPONSE)) {
    SsWireBytes frames = handshake_frames (bytes, len);
    ret_frame->next = frames.data;
    ret_frame->left = frames.len;
  }
  if (len >= SS_LINK_OVERHEAD && bytes[0] == SS_MSG_LINK_DATA) {
    ret_frame->next = bytes + SS_FRAMES_AT;
    ret_frame->left = len - SS_LINK_OVERHEAD;
  }
}

bool
ss_traffic_next (SsTrafficFrame *frame)
{
  const uint8_t *data = frame->next;
  size_t left = frame->left, head = 1, len = left;

  if (left == 0)
    return false;
  frame->is_control = (data[0] & SS_FRAME_CONTROL) != 0;
  frame->protocol = data[0] & SS_FRAME_PROTOCOL;
  if (frame->is_control) {
    head = 0;
    if (data[0] != SS_MSG_LINK_ACK)
      len = 1;
    else if (left >= SS_FRAME_ACK_LEN)
      len = MIN (left,
                 SS_FRAME_ACK_LEN + 2 * (size_t) data[SS_FRAME_ACK_LEN - 1]);
  } else {
    head += (data[0] & SS_FRAME_RELIABLE) != 0 ? 2 : 0;
    head += (data[0] & SS_FRAME_LENGTH) != 0 ? 2 : 0;
    if (head > left)
      return false;
    if ((data[0] & SS_FRAME_LENGTH) != 0)
      len = MIN (left, head + ((size_t) data[head - 2] << 8 | data[head - 1]));
  }
  frame->data = data + head;
  frame->len = len - head;
  frame->next = data + len;
  frame->left = left - len;
  return true;
}

void
ss_traffic_count (SsTraffic *traffic, const uint8_t *bytes, size_t len)
{
  bool has_message = false, has_routed = false, has_ack = false;
  SsTrafficFrame frame;

  traffic->datagrams++;
  traffic->bytes += len;
  bool is_data = len >= SS_LINK_OVERHEAD && bytes[0] == SS_MSG_LINK_DATA;

  if (!is_data && len > 0)
    add (&traffic->link[bytes[0]], len);
  ss_traffic_begin (bytes, len, &frame);
  while (ss_traffic_next (&frame)) {
    if (frame.is_control) {
      has_ack |= frame.data[0] == SS_MSG_LINK_ACK;
      add (&traffic->frames[frame.data[0]], frame.len);
    } else {
      has_message = true;
      has_routed |=
          count_message (traffic, frame.protocol, frame.data, frame.len);
    }
  }
  traffic->acks_only += !has_message && (is_data || has_ack);
  traffic->routed += has_routed;
}

uint64_t
ss_traffic_control (const SsTraffic *traffic)
{
  return traffic->datagrams - traffic->routed
         - MIN (traffic->acks_only, traffic->routed);
}

typedef struct {
  char name[40];
  SsTrafficCount count;
} Kind;

static void
add_kinds (const SsTrafficCount *counts, const SsWireProtocol *protocol,
           Kind *kinds, unsigned *n)
{
  for (unsigned i = 0; i < SS_TRAFFIC_CODES; i++) {
    if (counts[i].messages == 0)
      continue;
    const SsWireMessage *schema = ss_wire_find (protocol, (uint8_t) i);
    Kind *kind = &kinds[(*n)++];

    kind->count = counts[i];
    g_snprintf (kind->name, sizeof kind->name, "%s %s", protocol->name,
                schema != NULL ? schema->name : "unknown");
  }
}

static int
compare_kinds (gconstpointer a, gconstpointer b)
{
  const Kind *one = a, *other = b;

  return (one->count.messages < other->count.messages)
         - (one->count.messages > other->count.messages);
}

static void
print_kind (const char *name, uint64_t messages, uint64_t bytes,
            double node_seconds)
{
  printf ("    %-34s %.5f /s  %.2f bytes/s\n", name,
          (double) messages / node_seconds, (double) bytes / node_seconds);
}

void
ss_traffic_print (const SsTraffic *traffic, double node_seconds)
{
  Kind *kinds = g_new0 (Kind, KINDS_MAX);
  unsigned n = 0;

  add_kinds (traffic->link, &ss_wire_protocol_link, kinds, &n);
  add_kinds (traffic->frames, &ss_wire_protocol_link, kinds, &n);
  add_kinds (traffic->overlay, &ss_wire_protocol_pastry, kinds, &n);
  for (unsigned i = 0; i < SS_N_PROTOCOLS; i++)
    if (traffic->others[i].messages > 0) {
      kinds[n].count = traffic->others[i];
      g_snprintf (kinds[n].name, sizeof kinds[n].name, "protocol %u", i);
      n++;
    }
  if (traffic->enters.messages > 0) {
    kinds[n].count = traffic->enters;
    g_strlcpy (kinds[n].name, "pastry ENTER, routed", sizeof kinds[n].name);
    n++;
  }
  qsort (kinds, n, sizeof *kinds, compare_kinds);
  print_kind ("datagrams", traffic->datagrams, traffic->bytes, node_seconds);
  print_kind ("of them without a message", traffic->acks_only, 0, node_seconds);
  for (unsigned i = 0; i < n; i++)
    print_kind (kinds[i].name, kinds[i].count.messages, kinds[i].count.bytes,
                node_seconds);
  g_free (kinds);
}
