/* Codec headers that the stream did not bring: asked of a neighbour in
 * chunks, checked by the hash in the descriptor. */
#include "splitstream/private.h"

#include <string.h>

enum { CHUNKS_AT_A_TIME = 8, PEERS_MAX = 4 };

void
ss_fetch_cancel (SsStation *station)
{
  SsHeaderFetch *fetch = &station->fetch;
  if (fetch->bytes != NULL)
    g_byte_array_unref (fetch->bytes);
  *fetch = (SsHeaderFetch){ .version = 0 };
}

static const SsHeaderRef *
find_ref (const SsStation *station, uint8_t version)
{
  const SsDescriptor *descriptor = &station->descriptor;
  if (descriptor->session != station->session)
    return NULL;
  for (unsigned i = 0; i < descriptor->n_headers; i++)
    if (descriptor->headers[i].version == version)
      return &descriptor->headers[i];
  return NULL;
}

/* The version to fetch now, or 0 and when to look again. */
static uint8_t
choose_version (const SsStation *station, SsTime *ret_again)
{
  const SsReception *reception = station->current;
  SsTime now = station->owner->env->now;
  uint8_t version = reception->missing_version;
  *ret_again = SS_NEVER;
  if (version != 0
      && ss_header_store_find (&reception->headers, version) == NULL) {
    /* Who plays already may still get them in the stream. */
    SsTime at =
        reception->missing_since
        + (ss_reorder_is_started (reception->reorder) ? SS_FETCH_DELAY : 0);
    if (now >= at)
      return version;
    *ret_again = at;
    return 0;
  }
  const SsDescriptor *descriptor = &station->descriptor;
  if (ss_reorder_is_started (reception->reorder) || descriptor->n_headers == 0
      || descriptor->session != station->session)
    return 0;
  version = descriptor->headers[descriptor->n_headers - 1].version;
  if (ss_header_store_find (&reception->headers, version) != NULL)
    return 0;
  return version;
}

static void
request (SsStation *station)
{
  SsHeaderFetch *fetch = &station->fetch;
  SsMsgHeaderRequest message = {
    .station = station->group_id,
    .session = station->session,
    .version = fetch->version,
    .chunk = (uint8_t) fetch->n_received,
    .count = CHUNKS_AT_A_TIME,
  };
  uint8_t buf[SS_MSG_HEADER_REQUEST_MAX];
  size_t len = ss_msg_header_request_encode (&message, buf, sizeof buf);
  ss_splitstream_send (station->owner, &fetch->peer, SS_CLASS_KBR_CONTROL, buf,
                       len);
  SsTime rto = ss_kbr_rto (station->owner->kbr, &fetch->peer.id);
  SsTime wait = SS_FETCH_WAIT_MIN;
  if (rto != SS_NEVER)
    wait = MAX (wait, 3 * rto);
  fetch->deadline = station->owner->env->now + wait;
}

/* Asks the next neighbour, from the beginning. */
static void
ask (SsStation *station, uint8_t version)
{
  SsHeaderFetch *fetch = &station->fetch;
  SsContact peers[PEERS_MAX];
  unsigned attempt = fetch->version == version ? fetch->attempt + 1 : 0;
  ss_fetch_cancel (station);
  unsigned n = ss_station_peers (station, NULL, 0, false, peers, PEERS_MAX - 1);
  /* The publisher at the end of each round. */
  if (n == 0 || attempt % (n + 1) == n)
    n = ss_station_peers (station, NULL, 0, true, peers, PEERS_MAX);
  /* One that was found early may lack its publisher's address. */
  if (station->descriptor.publisher.n_addrs == 0)
    ss_listener_need_descriptor (station);
  fetch->version = version;
  fetch->attempt = attempt;
  if (n == 0) {
    fetch->deadline = station->owner->env->now + SS_TUNE_IN_RETRY;
    return;
  }
  fetch->peer = peers[attempt % n];
  fetch->bytes = g_byte_array_new ();
  request (station);
}

SsTime
ss_fetch_run (SsStation *station)
{
  SsHeaderFetch *fetch = &station->fetch;
  SsTime now = station->owner->env->now, again;
  uint8_t version = choose_version (station, &again);
  if (version == 0) {
    if (fetch->version != 0)
      ss_fetch_cancel (station);
    return again;
  }
  if (find_ref (station, version) == NULL) {
    ss_listener_need_descriptor (station);
    return MAX (station->need_descriptor_at, now + SS_FETCH_RETRY);
  }
  if (fetch->version != version || now >= fetch->deadline)
    ask (station, version);
  return fetch->deadline;
}

void
ss_fetch_asked (SsSplitStream *splitstream, const SsContact *from,
                const uint8_t *data, size_t len)
{
  SsMsgHeaderRequest question;
  if (!ss_msg_header_request_decode (data, len, &question)) {
    ss_count (splitstream->env, MESSAGES_MALFORMED);
    return;
  }
  const SsStation *station =
      ss_splitstream_find (splitstream, &question.station);
  GBytes *bytes = NULL;
  if (station != NULL && station->session == question.session) {
    const SsHeaderStore *store = &station->headers;
    if (station->role == SS_ROLE_LISTENER)
      store = &station->current->headers;
    bytes = ss_header_store_bytes (store, question.version);
  }
  SsMsgHeaderChunk message = {
    .station = question.station,
    .session = question.session,
    .version = question.version,
    .chunk = question.chunk,
  };
  size_t all_len = 0;
  const uint8_t *all =
      bytes != NULL ? g_bytes_get_data (bytes, &all_len) : NULL;
  unsigned count = MIN (question.count, CHUNKS_AT_A_TIME);
  message.len = (uint32_t) all_len;
  for (unsigned i = 0; i < MAX (count, 1); i++) {
    size_t offset = (size_t) message.chunk * SS_HEADER_CHUNK_LEN;
    if (i > 0 && (offset >= all_len || message.chunk == 0))
      break;
    if (offset < all_len) {
      message.data.data = all + offset;
      message.data.len =
          (uint16_t) MIN (all_len - offset, (size_t) SS_HEADER_CHUNK_LEN);
    } else {
      message.len = 0;
    }
    uint8_t buf[SS_MSG_HEADER_CHUNK_MAX];
    size_t buf_len = ss_msg_header_chunk_encode (&message, buf, sizeof buf);
    ss_splitstream_send (splitstream, from, SS_CLASS_KBR_REPAIR, buf, buf_len);
    message.chunk++;
  }
}

/* All chunks are here. */
static void
finish (SsStation *station)
{
  SsHeaderFetch *fetch = &station->fetch;
  const SsHeaderRef *ref = find_ref (station, fetch->version);
  SsId hash = ss_headers_hash (fetch->bytes->data, fetch->bytes->len);
  if (ref == NULL || !ss_id_equal (&ref->hash, &hash)) {
    fetch->deadline = station->owner->env->now + SS_TUNE_IN_PAUSE;
    return;
  }
  GBytes *bytes = g_bytes_new (fetch->bytes->data, fetch->bytes->len);
  ss_header_store_add (&station->current->headers, bytes);
  g_bytes_unref (bytes);
  ss_fetch_cancel (station);
}

void
ss_fetch_chunk (SsSplitStream *splitstream, const SsContact *from,
                const uint8_t *data, size_t len)
{
  SsMsgHeaderChunk message;
  if (!ss_msg_header_chunk_decode (data, len, &message)) {
    ss_count (splitstream->env, MESSAGES_MALFORMED);
    return;
  }
  SsStation *station = ss_splitstream_find (splitstream, &message.station);
  if (station == NULL || station->role != SS_ROLE_LISTENER)
    return;
  SsHeaderFetch *fetch = &station->fetch;
  if (fetch->version == 0 || fetch->bytes == NULL
      || message.version != fetch->version
      || message.session != station->session
      || !ss_contact_equal (from, &fetch->peer))
    return;
  const SsHeaderRef *ref = find_ref (station, fetch->version);
  ss_timers_arm_earliest (&splitstream->env->timers, &station->timer,
                          splitstream->env->now);
  if (ref == NULL || message.len != ref->len) {
    /* Not here: another is asked, but not as fast as answers come. */
    fetch->deadline =
        splitstream->env->now
        + (fetch->attempt < SS_TUNE_IN_QUICK_MAX ? SS_TUNE_IN_PAUSE
                                                 : SS_TUNE_IN_RETRY);
    return;
  }
  /* In order only: one that overtook another comes again. */
  size_t left = ref->len - fetch->bytes->len;
  if (message.chunk != fetch->n_received
      || message.data.len != MIN (left, (size_t) SS_HEADER_CHUNK_LEN))
    return;
  g_byte_array_append (fetch->bytes, message.data.data, message.data.len);
  fetch->n_received++;
  if (fetch->bytes->len == ref->len)
    finish (station);
  else if (fetch->n_received % CHUNKS_AT_A_TIME == 0)
    request (station);
}
