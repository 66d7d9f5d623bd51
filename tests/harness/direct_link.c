/* A test double of overlay/link/link.h: datagrams in the clear, no sessions,
 * no packing, no cap, but reliable messages with RFC 6298's timer, duplicates
 * dropped, and the same upcalls. For tests of what stands on the link. */
#include <sodium.h>
#include <string.h>

#include "overlay/link/link.h"

#define RTO_FIRST (250 * SS_MSEC)
#define RTO_MIN   (50 * SS_MSEC)
#define RTO_MAX   (500 * SS_MSEC)
#define HEAD_LEN  (1 + 1 + 4 + 4 + SS_KEY_LEN)
/* A session of the link proper would be. */
#define WORN_AFTER (120 * SS_SEC)

enum { TYPE_PLAIN, TYPE_RELIABLE, TYPE_ACK, TYPE_PING, TYPE_PONG, TYPE_MET };

typedef struct {
  uint32_t sequence;
  uint64_t token;
  uint8_t protocol;
  unsigned tries, tries_max;
  GBytes *datagram;
  SsTime sent, deadline, rto;
} Pending;

typedef struct {
  SsContact contact;
  GPtrArray *pending;
  GHashTable *received; /* sequences of the present epoch */
  uint32_t epoch;
  SsTime srtt, rttvar, last_heard, last_sent;
  bool up;
} Peer;

typedef struct {
  SsContact peer;
  uint32_t sequence;
  SsTime sent, until;
} Ping;

typedef struct {
  SsAddr to;
  GBytes *datagram;
} Output;

struct SsLink {
  SsEnv *env;
  SsContact self;
  SsLinkUpcalls upcalls;
  void *user;
  uint32_t epoch, next_sequence;
  GHashTable *peers; /* by id */
  GPtrArray *order;  /* the same, in the order met */
  GArray *pings;
  GQueue output;
  SsTimer timer;
};

static unsigned
hash_id (const void *id)
{
  return ss_id_hash (id);
}

static gboolean
equal_ids (const void *a, const void *b)
{
  return ss_id_equal (a, b);
}

static Peer *
get_peer (SsLink *link, const SsContact *contact)
{
  Peer *peer = g_hash_table_lookup (link->peers, &contact->id);
  if (peer != NULL)
    return peer;
  peer = g_new0 (Peer, 1);
  peer->contact = *contact;
  peer->pending = g_ptr_array_new ();
  peer->received = g_hash_table_new (NULL, NULL);
  peer->last_heard = peer->last_sent = -1;
  g_hash_table_insert (link->peers, &peer->contact.id, peer);
  g_ptr_array_add (link->order, peer);
  return peer;
}

static const Peer *
find_peer (const SsLink *link, const SsId *id)
{
  return g_hash_table_lookup (link->peers, id);
}

static void
free_pending (Pending *pending)
{
  g_bytes_unref (pending->datagram);
  g_free (pending);
}

static SsTime
peer_rto (const Peer *peer)
{
  if (peer == NULL || peer->srtt == 0)
    return RTO_FIRST;
  return MAX (RTO_MIN, peer->srtt + 4 * peer->rttvar);
}

static void
arm (SsLink *link)
{
  SsTime deadline = SS_NEVER;
  for (unsigned i = 0; i < link->order->len; i++) {
    const Peer *peer = g_ptr_array_index (link->order, i);
    for (unsigned k = 0; k < peer->pending->len; k++) {
      const Pending *pending = g_ptr_array_index (peer->pending, k);
      deadline = MIN (deadline, pending->deadline);
    }
  }
  for (unsigned i = 0; i < link->pings->len; i++)
    deadline = MIN (deadline, g_array_index (link->pings, Ping, i).until);
  ss_timers_arm (&link->env->timers, &link->timer, deadline);
}

static void
put (SsLink *link, Peer *peer, GBytes *datagram)
{
  Output *output = g_new (Output, 1);
  output->to = peer->contact.addr;
  output->datagram = g_bytes_ref (datagram);
  g_queue_push_tail (&link->output, output);
  peer->last_sent = link->env->now;
}

static GBytes *
make_datagram (const SsLink *link, unsigned type, unsigned protocol,
               uint32_t sequence, const void *head, size_t head_len,
               GBytes *body)
{
  GByteArray *bytes = g_byte_array_new ();
  uint8_t fixed[HEAD_LEN] = { (uint8_t) type, (uint8_t) protocol };
  memcpy (fixed + 2, &sequence, 4);
  memcpy (fixed + 6, &link->epoch, 4);
  memcpy (fixed + 10, link->self.key.b, SS_KEY_LEN);
  g_byte_array_append (bytes, fixed, sizeof fixed);
  if (head_len > 0)
    g_byte_array_append (bytes, head, (unsigned) head_len);
  if (body != NULL)
    g_byte_array_append (bytes, g_bytes_get_data (body, NULL),
                         (unsigned) g_bytes_get_size (body));
  return g_byte_array_free_to_bytes (bytes);
}

bool
ss_link_key_has_work (const SsKey *key)
{
  return true;
}

void
ss_link_key_of_seed (const uint8_t seed[32], SsKey *ret_key)
{
  crypto_generichash (ret_key->b, SS_KEY_LEN, seed, 32, NULL, 0);
}

void
ss_link_make_identity (SsRng *rng, uint8_t ret_seed[32], SsKey *ret_key)
{
  ss_rng_bytes (rng, ret_seed, 32);
  ss_link_key_of_seed (ret_seed, ret_key);
}

SsLink *
ss_link_new (SsEnv *env, const SsLinkConfig *config,
             const SsLinkUpcalls *upcalls, void *user)
{
  SsLink *link = g_new0 (SsLink, 1);
  link->env = env;
  link->upcalls = *upcalls;
  link->user = user;
  ss_link_key_of_seed (config->identity_seed, &link->self.key);
  link->self.id = ss_id_of_key (&link->self.key);
  link->self.addr = config->advertise;
  link->self.flags = config->flags;
  link->epoch = ss_rng_u32 (&env->rng);
  link->peers = g_hash_table_new (hash_id, equal_ids);
  link->order = g_ptr_array_new ();
  link->pings = g_array_new (FALSE, FALSE, sizeof (Ping));
  ss_timer_init (&link->timer, SS_LAYER_LINK, 0);
  return link;
}

void
ss_link_free (SsLink *link)
{
  ss_timers_disarm (&link->env->timers, &link->timer);
  for (unsigned i = 0; i < link->order->len; i++) {
    Peer *peer = g_ptr_array_index (link->order, i);
    for (unsigned k = 0; k < peer->pending->len; k++)
      free_pending (g_ptr_array_index (peer->pending, k));
    g_ptr_array_free (peer->pending, TRUE);
    g_hash_table_unref (peer->received);
    g_free (peer);
  }
  g_hash_table_unref (link->peers);
  g_ptr_array_free (link->order, TRUE);
  g_array_free (link->pings, TRUE);
  Output *output;
  while ((output = g_queue_pop_head (&link->output)) != NULL) {
    g_bytes_unref (output->datagram);
    g_free (output);
  }
  g_free (link);
}

const SsContact *
ss_link_self (const SsLink *link)
{
  return &link->self;
}

bool
ss_link_send (SsLink *link, const SsContact *to, const SsLinkSend *how,
              const uint8_t *head, size_t head_len, GBytes *body)
{
  size_t len = head_len + (body != NULL ? g_bytes_get_size (body) : 0);
  if (ss_id_equal (&to->id, &link->self.id) || len > SS_LINK_MESSAGE_MAX)
    return false;
  Peer *peer = get_peer (link, to);
  uint32_t sequence = ++link->next_sequence;
  GBytes *datagram =
      make_datagram (link, how->reliable ? TYPE_RELIABLE : TYPE_PLAIN,
                     how->protocol, sequence, head, head_len, body);
  put (link, peer, datagram);
  if (how->reliable) {
    Pending *pending = g_new0 (Pending, 1);
    *pending = (Pending){
      .sequence = sequence,
      .token = how->token,
      .protocol = how->protocol,
      .tries = 1,
      .tries_max = how->tries_max != 0 ? how->tries_max : SS_LINK_TRIES,
      .datagram = g_bytes_ref (datagram),
      .sent = link->env->now,
      .rto = peer_rto (peer),
    };
    pending->deadline = link->env->now + pending->rto;
    g_ptr_array_add (peer->pending, pending);
    arm (link);
  }
  g_bytes_unref (datagram);
  return true;
}

bool
ss_link_ping (SsLink *link, const SsContact *peer, bool introduce)
{
  Ping ping = {
    .peer = *peer,
    .sequence = ++link->next_sequence,
    .sent = link->env->now,
    .until = link->env->now + SS_LINK_ASK_TIMEOUT,
  };
  if (ss_id_equal (&peer->id, &link->self.id))
    return false;
  g_array_append_val (link->pings, ping);
  GBytes *datagram =
      make_datagram (link, TYPE_PING, introduce, ping.sequence, NULL, 0, NULL);
  put (link, &(Peer){ .contact = *peer }, datagram);
  g_bytes_unref (datagram);
  arm (link);
  return true;
}

/* sequence 0: the first whose time is over, if any. */
static bool
conclude_ping (SsLink *link, uint32_t sequence, const SsId *by)
{
  for (unsigned i = 0; i < link->pings->len; i++) {
    Ping ping = g_array_index (link->pings, Ping, i);
    if (by != NULL
            ? ping.sequence != sequence || !ss_id_equal (&ping.peer.id, by)
            : ping.until > link->env->now)
      continue;
    g_array_remove_index (link->pings, i);
    SsTime rtt = by != NULL ? link->env->now - ping.sent : SS_NEVER;
    if (link->upcalls.pinged != NULL)
      link->upcalls.pinged (link->user, &ping.peer, rtt);
    return true;
  }
  return false;
}

void
ss_link_cancel (SsLink *link, const SsId *to, uint8_t protocol, uint64_t token)
{
  Peer *peer = g_hash_table_lookup (link->peers, to);
  for (unsigned i = 0; peer != NULL && i < peer->pending->len; i++) {
    Pending *pending = g_ptr_array_index (peer->pending, i);
    if (pending->protocol == protocol && pending->token == token) {
      g_ptr_array_remove_index (peer->pending, i);
      free_pending (pending);
      break;
    }
  }
  arm (link);
}

SsTime
ss_link_rtt (const SsLink *link, const SsId *id)
{
  const Peer *peer = find_peer (link, id);
  return peer != NULL && peer->srtt > 0 ? peer->srtt : SS_NEVER;
}

SsTime
ss_link_rto (const SsLink *link, const SsId *id)
{
  return peer_rto (find_peer (link, id));
}

uint64_t
ss_link_uplink_bps (const SsLink *link)
{
  return 0;
}

SsTime
ss_link_last_heard (const SsLink *link, const SsId *id)
{
  const Peer *peer = find_peer (link, id);
  return peer != NULL ? peer->last_heard : -1;
}

SsTime
ss_link_last_sent (const SsLink *link, const SsId *id)
{
  const Peer *peer = find_peer (link, id);
  return peer != NULL ? peer->last_sent : -1;
}

bool
ss_link_has_session (const SsLink *link, const SsId *id)
{
  return find_peer (link, id) != NULL;
}

bool
ss_link_needs_session (const SsLink *link, const SsId *id)
{
  const Peer *peer = find_peer (link, id);
  return peer == NULL || link->env->now - peer->last_heard >= WORN_AFTER;
}

void
ss_link_prove (const SsLink *link, const SsKey *peer, const uint8_t *data,
               size_t len, uint8_t ret_proof[SS_LINK_PROOF_LEN])
{
  for (unsigned i = 0; i < SS_LINK_PROOF_LEN; i++) {
    ret_proof[i] = link->self.key.b[i] ^ peer->b[i];
    for (unsigned at = i; at < len; at += SS_LINK_PROOF_LEN)
      ret_proof[i] ^= data[at];
  }
}

/* All nodes can be reached here. */

void
ss_link_watch (SsLink *link, bool watch)
{
}

void
ss_link_call_on (SsLink *link)
{
}

unsigned
ss_link_peers (const SsLink *link, SsId *ret_ids, unsigned max)
{
  return 0;
}

bool
ss_link_probe (SsLink *link, const SsAddr *addr)
{
  return false;
}

void
ss_link_set_relay (SsLink *link, const SsAddr *relay)
{
}

void
ss_link_introduce (SsLink *link)
{
}

void
ss_link_release (SsLink *link, const SsId *peer)
{
}

bool
ss_link_serve (SsLink *link, const SsId *client, bool serve)
{
  return false;
}

static void
note_rtt (Peer *peer, SsTime rtt)
{
  rtt = MAX (rtt, 1);
  if (peer->srtt == 0) {
    peer->srtt = rtt;
    peer->rttvar = rtt / 2;
    return;
  }
  peer->rttvar = (3 * peer->rttvar + ABS (peer->srtt - rtt)) / 4;
  peer->srtt = (7 * peer->srtt + rtt) / 8;
}

static void
take_ack (SsLink *link, Peer *peer, uint32_t sequence)
{
  for (unsigned i = 0; i < peer->pending->len; i++) {
    Pending *pending = g_ptr_array_index (peer->pending, i);
    if (pending->sequence != sequence)
      continue;
    g_ptr_array_remove_index (peer->pending, i);
    if (pending->tries == 1)
      note_rtt (peer, link->env->now - pending->sent);
    if (pending->token != 0)
      link->upcalls.acked (link->user, &peer->contact, pending->protocol,
                           pending->token);
    free_pending (pending);
    break;
  }
  arm (link);
}

typedef struct {
  SsTime at, wanted;
} Stamp;

static void
answer (SsLink *link, const SsContact *to, uint8_t type, uint32_t sequence,
        const Stamp *stamp)
{
  GBytes *datagram = make_datagram (
      link, type, 0, sequence, (const uint8_t *) stamp, sizeof *stamp, NULL);
  put (link, &(Peer){ .contact = *to }, datagram);
  g_bytes_unref (datagram);
}

static SsTime
ping_rtt (const SsLink *link, uint32_t sequence)
{
  for (unsigned i = 0; i < link->pings->len; i++) {
    const Ping *ping = &g_array_index (link->pings, Ping, i);
    if (ping->sequence == sequence)
      return link->env->now - ping->sent;
  }
  return SS_NEVER;
}

void
ss_link_input (SsLink *link, const SsAddr *from, uint8_t *datagram, size_t len)
{
  g_assert (len >= HEAD_LEN);
  uint32_t sequence, epoch;
  memcpy (&sequence, datagram + 2, 4);
  memcpy (&epoch, datagram + 6, 4);
  SsContact contact = { .addr = *from, .flags = SS_PEER_REACHABLE };
  memcpy (contact.key.b, datagram + 10, SS_KEY_LEN);
  contact.id = ss_id_of_key (&contact.key);
  if (datagram[0] == TYPE_PING) {
    Stamp stamp = { .at = link->env->now };
    if (datagram[1] && link->upcalls.wanted != NULL)
      stamp.wanted = link->upcalls.wanted (link->user, &contact);
    answer (link, &contact, TYPE_PONG, sequence, &stamp);
    return;
  }
  if (datagram[0] == TYPE_MET) {
    Stamp stamp;
    memcpy (&stamp, datagram + HEAD_LEN, sizeof stamp);
    if (link->upcalls.met != NULL)
      link->upcalls.met (link->user, &contact, link->env->now - stamp.at);
    return;
  }
  if (datagram[0] == TYPE_PONG) {
    Stamp stamp;
    memcpy (&stamp, datagram + HEAD_LEN, sizeof stamp);
    if (ping_rtt (link, sequence) < stamp.wanted)
      answer (link, &contact, TYPE_MET, sequence, &stamp);
    conclude_ping (link, sequence, &contact.id);
    arm (link);
    return;
  }
  Peer *peer = get_peer (link, &contact);
  peer->contact.addr = *from;
  peer->last_heard = link->env->now;
  if (peer->epoch != epoch) {
    peer->epoch = epoch;
    g_hash_table_remove_all (peer->received);
  }
  if (!peer->up) {
    peer->up = true;
    link->upcalls.up (link->user, &peer->contact, &link->self.addr);
  }
  if (datagram[0] == TYPE_ACK) {
    take_ack (link, peer, sequence);
    return;
  }
  bool fresh = g_hash_table_add (peer->received, GUINT_TO_POINTER (sequence));
  if (fresh)
    link->upcalls.message (link->user, &peer->contact, datagram[1],
                           datagram + HEAD_LEN, len - HEAD_LEN);
  if (datagram[0] == TYPE_RELIABLE) {
    GBytes *ack = make_datagram (link, TYPE_ACK, 0, sequence, NULL, 0, NULL);
    put (link, peer, ack);
    g_bytes_unref (ack);
  }
}

/* One message at a time: an upcall may change the lists. */
static bool
expire_one (SsLink *link)
{
  SsTime now = link->env->now;
  for (unsigned i = 0; i < link->order->len; i++) {
    Peer *peer = g_ptr_array_index (link->order, i);
    for (unsigned k = 0; k < peer->pending->len; k++) {
      Pending *pending = g_ptr_array_index (peer->pending, k);
      if (pending->deadline > now)
        continue;
      SsContact contact = peer->contact;
      uint8_t protocol = pending->protocol;
      uint64_t token = pending->token;
      if (pending->tries == pending->tries_max) {
        g_ptr_array_remove_index (peer->pending, k);
        free_pending (pending);
        if (token != 0)
          link->upcalls.failed (link->user, &contact, protocol, token);
        return true;
      }
      unsigned tries = pending->tries++;
      pending->rto = MIN (2 * pending->rto, MAX (RTO_MAX, pending->rto));
      pending->deadline = now + pending->rto;
      put (link, peer, pending->datagram);
      if (token != 0)
        link->upcalls.late (link->user, &contact, protocol, token, tries);
      return true;
    }
  }
  return false;
}

void
ss_link_timer (SsLink *link, SsTimer *timer)
{
  while (expire_one (link) || conclude_ping (link, 0, NULL))
    ;
  arm (link);
}

size_t
ss_link_output (SsLink *link, SsAddr *ret_to, uint8_t *buf, size_t cap)
{
  Output *output = g_queue_pop_head (&link->output);
  if (output == NULL)
    return 0;
  size_t len;
  const void *data = g_bytes_get_data (output->datagram, &len);
  g_assert (len <= cap);
  memcpy (buf, data, len);
  *ret_to = output->to;
  g_bytes_unref (output->datagram);
  g_free (output);
  return len;
}
