/* A whole node in a ring that carries a station, fed by an authenticated
 * hostile peer: any datagram, any message of any protocol, whole or mutated,
 * direct or routed in anybody's name, and jumps of time. The input is a role
 * for the victim, then steps: what to do, what to put in place of random
 * ids, two bytes of length, and bytes. Nothing may crash or go round in
 * circles (the network asserts that deadlines advance), memory stays bounded,
 * and when it is over everybody hears the station again. */
#include <malloc.h>
#include <string.h>

#include "node/messages.h"
#include "overlay/link/messages.h"
#include "overlay/pastry/messages.h"
#include "scribe/messages.h"
#include "splitstream/private.h"
#include "store/messages.h"
#include "tests/fuzz/fuzz.h"
#include "tests/harness/siege.h"

enum {
  STEP_DATAGRAM,
  STEP_MESSAGE,
  STEP_ROUTED,
  STEP_TIME,
  STEP_JUMP,
  N_STEPS
};
/* The second byte of a step: what is made to fit. */
enum { FIT_IDS = 1, FIT_TAGS = 2, FIT_SESSION = 4, FIT_PEERS = 8 };

#define STEP_HEADER 5
#define LISTENERS   3
#define REPEATS_MAX 8
#define TIME_UNIT   (10 * SS_MSEC)
#define TIME_MAX    (10 * SS_SEC) /* in one input */
#define QUIET       (6 * SS_SEC)
#define MEMORY_MAX  (64u << 20) /* what all nodes may grow by */

static const SsWireProtocol *const protocols[] = {
  [SS_PROTOCOL_OVERLAY] = &ss_wire_protocol_pastry,
  [SS_PROTOCOL_STORE] = &ss_wire_protocol_store,
  [SS_PROTOCOL_SCRIBE] = &ss_wire_protocol_scribe,
  [SS_PROTOCOL_SPLITSTREAM] = &ss_wire_protocol_splitstream,
  [SS_PROTOCOL_NODE] = &ss_wire_protocol_node,
};

typedef struct {
  Siege siege;
  unsigned victim;
  SsTime spent;
} Run;

static SsId
id_of (const Run *run, unsigned which)
{
  const SsStationParams *params = &run->siege.world->descriptor.params;
  if (which == 15)
    return ss_world_member (run->siege.world, run->victim)->self.id;
  if (which == 14)
    return ss_station_group_id (&params->key, params->name);
  return siege_stripe_id (&run->siege, which);
}

static void
fit_one (const Run *run, const SsWireField *field, uint8_t fit, void *place,
         uint8_t info[SS_SCRIBE_INFO_MAX])
{
  unsigned which = fit >> 4;
  SsId id = id_of (run, which);
  SsWireBytes *bytes = place;
  const Siege *siege = &run->siege;
  unsigned n_kept = MIN (siege->n_kept, SIEGE_KEPT_MAX);
  if (field->type == SS_WIRE_ID && (fit & FIT_IDS) != 0) {
    *(SsId *) place = id;
  } else if (field->type == SS_WIRE_FIXED && field->max == 5
             && (fit & FIT_TAGS) != 0) {
    memcpy (place, id.b, field->max);
  } else if (field->type == SS_WIRE_U32 && strcmp (field->name, "session") == 0
             && (fit & FIT_SESSION) != 0) {
    memcpy (place, &siege->world->descriptor.session, sizeof (uint32_t));
  } else if (field->type == SS_WIRE_PEER && (fit & FIT_PEERS) != 0) {
    *(SsPeerRecord *) place =
        siege_record (siege, which % siege->world->members->len);
  } else if (strcmp (field->name, "info") == 0 && (fit & FIT_IDS) != 0) {
    bytes->data = info;
    bytes->len = (uint16_t) ss_station_params_encode (
        &siege->world->descriptor.params, info, SS_SCRIBE_INFO_MAX);
  } else if (strcmp (field->name, "packet") == 0 && n_kept > 0
             && (fit & FIT_TAGS) != 0) {
    const SiegePacket *packet = &siege->kept[which % n_kept];
    bytes->data = packet->data + 10;
    bytes->len = (uint16_t) MIN (packet->len - 10, bytes->len + 900u);
    bytes->len = MIN (bytes->len, field->max);
  }
}

/* Puts what the hostile peer would know into a message. Returns the length,
 * 0: it is not to be decoded. */
static size_t
fit_message (const Run *run, unsigned protocol, uint8_t fit,
             const uint8_t *data, size_t len, uint8_t *ret_data, size_t cap)
{
  const SsWireMessage *schema =
      len > 0 ? ss_wire_find (protocols[protocol], data[0]) : NULL;
  if (schema == NULL)
    return 0;
  uint8_t info[SS_SCRIBE_INFO_MAX];
  uint8_t *message = g_malloc0 (schema->struct_size);
  size_t fitted = 0;
  if (ss_wire_decode (schema, data, len, message)) {
    for (unsigned i = 0; i < schema->n_fields; i++)
      if (!schema->fields[i].is_list || schema->fields[i].type == SS_WIRE_PEER)
        fit_one (run, &schema->fields[i], fit,
                 message + schema->fields[i].offset, info);
    fitted = ss_wire_encode (schema, message, ret_data, cap);
  }
  g_free (message);
  return fitted;
}

static void
send_message (Run *run, uint8_t step, uint8_t fit, const uint8_t *data,
              size_t len)
{
  uint8_t fitted[SS_DATAGRAM_MAX];
  if (len == 0)
    return;
  unsigned protocol = data[0] % (G_N_ELEMENTS (protocols) + 1);
  data++;
  len--;
  if (protocol < G_N_ELEMENTS (protocols)) {
    size_t fitted_len =
        fit_message (run, protocol, fit, data, len, fitted, sizeof fitted);
    if (fitted_len > 0) {
      data = fitted;
      len = fitted_len;
    }
  }
  Siege *siege = &run->siege;
  len = MIN (len, SS_LINK_MESSAGE_MAX);
  for (unsigned i = 0; i <= step / N_STEPS % REPEATS_MAX; i++) {
    if (step % N_STEPS == STEP_MESSAGE) {
      siege_send (siege, run->victim, (SsProtocol) protocol, data, len);
      continue;
    }
    SsId key = id_of (run, fit >> 4);
    SsPeerRecord source = siege_record (
        siege, (fit & FIT_PEERS) != 0 ? fit % 5u : siege->hostile);
    siege_send_routed (siege, run->victim, (SsProtocol) protocol, &key, &source,
                       data, len);
  }
}

static void
pass_time (Run *run, SsTime time)
{
  time = MIN (time, TIME_MAX - run->spent);
  run->spent += time;
  siege_run (&run->siege, time);
}

static void
run_step (Run *run, uint8_t step, uint8_t fit, const uint8_t *data, size_t len)
{
  SsNetwork *network = run->siege.world->network;
  switch (step % N_STEPS) {
  case STEP_DATAGRAM:
    ss_network_forge (network, run->siege.hostile, run->victim, data,
                      MIN (len, SS_DATAGRAM_MAX));
    break;
  case STEP_MESSAGE:
  case STEP_ROUTED:
    send_message (run, step, fit, data, len);
    break;
  case STEP_TIME:
    pass_time (run, (SsTime) len * TIME_UNIT);
    break;
  default:
    ss_network_freeze (network, run->victim);
    pass_time (run, (SsTime) len * 4 * TIME_UNIT);
    ss_network_thaw (network, run->victim);
    break;
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t len)
{
  Run *run = g_new0 (Run, 1);
  Siege *siege = &run->siege;
  siege_init (siege, 1, LISTENERS, 2 * SS_MSEC);
  size_t before = mallinfo2 ().uordblks;
  run->victim = len > 0 ? data[0] % 3 : 0; /* relay, publisher, listener */
  while (len >= STEP_HEADER) {
    size_t step_len = (size_t) (data[3] << 8 | data[4]);
    step_len = MIN (step_len, len - STEP_HEADER);
    run_step (run, data[1], data[2], data + STEP_HEADER, step_len);
    data += STEP_HEADER + step_len;
    len -= STEP_HEADER + step_len;
  }
  siege_run (siege, QUIET);
  siege_mark (siege);
  siege_run (siege, 2 * SS_SEC);
  g_assert_cmpuint (siege_deaf (siege), ==, 0);
  siege_lost (siege); /* and nothing wrong was heard */
  size_t after = mallinfo2 ().uordblks;
  g_assert_cmpuint (after, <, before + MEMORY_MAX);
  siege_clear (siege);
  g_free (run);
  return 0;
}

static size_t
generate_message (SsRng *rng, uint8_t *ret_data, size_t cap)
{
  static const uint8_t weights[] = { 0, 0, 1, 2, 2, 2, 3, 3, 4, 5 };
  unsigned p = weights[ss_rng_below (rng, G_N_ELEMENTS (weights))];
  ret_data[0] = (uint8_t) p;
  if (p >= G_N_ELEMENTS (protocols)) {
    size_t len = ss_rng_below (rng, 40);
    ss_rng_bytes (rng, ret_data + 1, len);
    return 1 + len;
  }
  const SsWireMessage *schema =
      protocols[p]->schemas[ss_rng_below (rng, protocols[p]->n_messages)]();
  uint8_t *message = g_malloc0 (schema->struct_size);
  uint8_t *storage = g_malloc (schema->max_len);
  ss_wire_generate (schema, rng, message, storage);
  size_t len = ss_wire_encode (schema, message, ret_data + 1, cap - 1);
  g_free (storage);
  g_free (message);
  return 1 + len;
}

size_t
ss_fuzz_generate (SsRng *rng, uint8_t ret_data[SS_FUZZ_INPUT_MAX])
{
  size_t n = 0;
  while (n + STEP_HEADER + SS_DATAGRAM_MAX < SS_FUZZ_INPUT_MAX) {
    uint8_t *step = ret_data + n;
    uint8_t *body = step + STEP_HEADER;
    size_t body_len = ss_rng_below (rng, 60);
    ss_rng_bytes (rng, step, STEP_HEADER);
    if (ss_rng_below (rng, 3) > 0) /* mostly messages */
      step[1] = (uint8_t) (step[1] / N_STEPS % 40 * N_STEPS + STEP_MESSAGE
                           + ss_rng_below (rng, 2));
    switch (step[1] % N_STEPS) {
    case STEP_MESSAGE:
    case STEP_ROUTED:
      body_len = generate_message (rng, body, SS_DATAGRAM_MAX);
      break;
    case STEP_DATAGRAM:
      ss_rng_bytes (rng, body, body_len);
      break;
    default:
      memset (body, 0, body_len);
      break;
    }
    step[3] = (uint8_t) (body_len >> 8);
    step[4] = (uint8_t) body_len;
    n += STEP_HEADER + body_len;
  }
  return n;
}
