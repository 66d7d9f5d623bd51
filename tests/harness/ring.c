/* See ring.h. One heap of datagrams, one clock; nodes are visited in the order
 * in which they were made, so that a seed always gives the same run. */
#include "tests/harness/ring.h"

#include <string.h>

typedef struct {
  SsTime when;
  uint64_t order;
  unsigned from, to;
  size_t len;
  uint8_t *bytes;
} Datagram;

static bool
is_before (const Datagram *a, const Datagram *b)
{
  return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void
queue_push (Ring *ring, const Datagram *datagram)
{
  g_array_append_val (ring->queue, *datagram);
  Datagram *heap = (Datagram *) (void *) ring->queue->data;
  unsigned i = ring->queue->len - 1;
  while (i > 0 && is_before (&heap[i], &heap[(i - 1) / 2])) {
    Datagram swap = heap[i];
    heap[i] = heap[(i - 1) / 2];
    heap[(i - 1) / 2] = swap;
    i = (i - 1) / 2;
  }
}

static Datagram
queue_pop (Ring *ring)
{
  Datagram *heap = (Datagram *) (void *) ring->queue->data;
  Datagram first = heap[0];
  unsigned n = ring->queue->len - 1;
  heap[0] = heap[n];
  g_array_set_size (ring->queue, n);
  unsigned i = 0;
  for (;;) {
    unsigned least = i;
    for (unsigned k = 2 * i + 1; k <= 2 * i + 2 && k < n; k++) {
      if (is_before (&heap[k], &heap[least]))
        least = k;
    }
    if (least == i)
      return first;
    Datagram swap = heap[i];
    heap[i] = heap[least];
    heap[least] = swap;
    i = least;
  }
}

/* Every third node has an IPv6 address; both end in the node's number. */
static SsAddr
addr_of (unsigned index)
{
  SsAddr addr = ss_addr_v4 (0x0a000000 + index + 1, 16160);
  if (index % 3 != 2)
    return addr;
  static const uint8_t prefix[13] = { 0x20, 0x01, 0x0d, 0xb8 };
  memcpy (addr.ip, prefix, sizeof prefix);
  return addr;
}

static unsigned
index_of (const SsAddr *addr)
{
  return (unsigned) (addr->ip[13] << 16 | addr->ip[14] << 8 | addr->ip[15]) - 1;
}

/* The application. */

static bool
app_forward (void *app, const SsKbrMessage *message, const SsContact *next)
{
  RingNode *node = app;
  node->ring->n_forwards++;
  return !node->absorb;
}

static void
app_deliver (void *app, const SsKbrMessage *message)
{
  RingNode *node = app;
  RingDelivery delivery = {
    .node = node->index,
    .key = message->key,
    .when = node->ring->now,
    .hops = message->hops,
    .provisional = message->provisional,
    .right = ring_closest (node->ring, &message->key) == node,
  };
  if (message->len != sizeof delivery.number)
    return; /* some test's nonsense */
  memcpy (&delivery.number, message->data, sizeof delivery.number);
  g_array_append_val (node->ring->deliveries, delivery);
}

static void
app_update (void *app, const SsContact *peer, SsKbrChange change)
{
  RingNode *node = app;
  node->n_updates[change]++;
}

static void
app_direct (void *app, const SsContact *from, const uint8_t *data, size_t len)
{
  RingNode *node = app;
  node->n_direct++;
}

static void
app_outcome (void *app, const SsContact *to, uint64_t token,
             SsKbrOutcome outcome)
{
  RingNode *node = app;
  if (outcome == SS_KBR_ACKED)
    node->n_acked++;
  else if (outcome == SS_KBR_LATE)
    node->n_late++;
  else
    node->n_failed++;
}

static const SsKbrApp ring_app = {
  .forward = app_forward,
  .deliver = app_deliver,
  .update = app_update,
  .direct = app_direct,
  .outcome = app_outcome,
};

/* The link's upcalls, as the node hands them on. */

static void
link_message (void *user, const SsContact *from, uint8_t protocol,
              const uint8_t *data, size_t len)
{
  ss_pastry_link_message (((RingNode *) user)->pastry, from, protocol, data,
                          len);
}

static void
link_acked (void *user, const SsContact *to, uint8_t protocol, uint64_t token)
{
  ss_pastry_link_acked (((RingNode *) user)->pastry, to, protocol, token);
}

static void
link_late (void *user, const SsContact *to, uint8_t protocol, uint64_t token,
           unsigned tries)
{
  ss_pastry_link_late (((RingNode *) user)->pastry, to, protocol, token, tries);
}

static void
link_pinged (void *user, const SsContact *peer, SsTime rtt)
{
  ss_pastry_link_pinged (((RingNode *) user)->pastry, peer, rtt);
}

static SsTime
link_wanted (void *user, const SsContact *peer)
{
  return ss_pastry_link_wanted (((RingNode *) user)->pastry, peer);
}

static void
link_met (void *user, const SsContact *peer, SsTime rtt)
{
  ss_pastry_link_met (((RingNode *) user)->pastry, peer, rtt);
}

static void
link_failed (void *user, const SsContact *to, uint8_t protocol, uint64_t token)
{
  ss_pastry_link_failed (((RingNode *) user)->pastry, to, protocol, token);
}

static void
link_up (void *user, const SsContact *peer, const SsAddr *observed)
{
  ss_pastry_link_up (((RingNode *) user)->pastry, peer, observed);
}

static void
link_identified (void *user, const SsAddr *addr, const SsContact *contact,
                 const char *text)
{
}

static void
link_arrived (void *user, const SsAddr *from, bool unasked)
{
  ss_pastry_link_arrived (((RingNode *) user)->pastry, from, unasked);
}

static const SsLinkUpcalls link_upcalls = {
  .message = link_message,
  .acked = link_acked,
  .late = link_late,
  .pinged = link_pinged,
  .wanted = link_wanted,
  .met = link_met,
  .failed = link_failed,
  .up = link_up,
  .identified = link_identified,
  .arrived = link_arrived,
};

Ring *
ring_new (uint64_t seed, const RingOptions *options)
{
  Ring *ring = g_new0 (Ring, 1);
  ring->options = options != NULL ? *options : (RingOptions){ 0 };
  if (ring->options.delay_max == 0)
    ring->options.delay_min = ring->options.delay_max = SS_MSEC;
  ss_rng_init_number (&ring->rng, seed);
  ring->now = SS_SEC;
  ring->nodes = g_ptr_array_new ();
  ring->queue = g_array_new (FALSE, FALSE, sizeof (Datagram));
  ring->deliveries = g_array_new (FALSE, FALSE, sizeof (RingDelivery));
  return ring;
}

static void
log_text (void *user, SsLogLevel level, const char *text)
{
  const RingNode *node = user;
  char id[SS_ID_STRLEN];
  ss_id_format (&node->contact.id, id);
  g_test_message ("%9.3f %3u %.6s %s", (double) node->ring->now / SS_SEC,
                  node->index, id, text);
}

static void
start (RingNode *node)
{
  Ring *ring = node->ring;
  uint8_t seed[32];
  ss_rng_bytes (&ring->rng, seed, sizeof seed);
  ss_env_init (&node->env, seed, ring->now, 0);
  if (g_test_verbose ()) {
    node->env.log = log_text;
    node->env.log_user = node;
    node->env.log_level = SS_LOG_DEBUG;
  }
  SsLinkConfig config = { .flags = SS_PEER_REACHABLE };
  memcpy (config.identity_seed, node->seed, sizeof node->seed);
  config.advertise = addr_of (node->index);
  node->link = ss_link_new (&node->env, &config, &link_upcalls, node);
  SsPastryConfig pastry = { .leaf_set = ring->options.leaf_set,
                            .check_reach = ring->options.check_reach };
  node->pastry = ss_pastry_new (&node->env, node->link, &pastry);
  node->kbr = ss_pastry_kbr (node->pastry);
  ss_kbr_register (node->kbr, RING_PROTOCOL, &ring_app, node);
  node->contact = *ss_link_self (node->link);
  node->up = true;
  node->stopped = false;
}

static void
stop (RingNode *node)
{
  ss_pastry_free (node->pastry);
  ss_link_free (node->link);
  ss_env_clear (&node->env);
  node->up = false;
}

void
ring_free (Ring *ring)
{
  for (unsigned i = 0; i < ring->nodes->len; i++) {
    RingNode *node = ring_node (ring, i);
    if (node->up)
      stop (node);
    if (node->sent != NULL)
      g_array_unref (node->sent);
    g_free (node);
  }
  while (ring->queue->len > 0)
    g_free (queue_pop (ring).bytes);
  g_ptr_array_free (ring->nodes, TRUE);
  g_array_free (ring->queue, TRUE);
  g_array_free (ring->deliveries, TRUE);
  g_free (ring);
}

RingNode *
ring_add (Ring *ring)
{
  RingNode *node = g_new0 (RingNode, 1);
  SsKey key;
  node->ring = ring;
  node->index = ring->nodes->len;
  ss_link_make_identity (&ring->rng, node->seed, &key);
  g_ptr_array_add (ring->nodes, node);
  start (node);
  return node;
}

RingNode *
ring_node (Ring *ring, unsigned index)
{
  return g_ptr_array_index (ring->nodes, index);
}

void
ring_kill (RingNode *node)
{
  if (node->up)
    stop (node);
}

void
ring_restart (RingNode *node)
{
  ring_kill (node);
  start (node);
}

/* What a NAT remembers of its node: where it has sent something. */

static void
note_sent (RingNode *node, unsigned target)
{
  if (node->nat == 0)
    return;
  if (node->sent == NULL)
    node->sent = g_array_new (FALSE, TRUE, sizeof (SsTime));
  if (node->sent->len <= target)
    g_array_set_size (node->sent, target + 1);
  g_array_index (node->sent, SsTime, target) = node->ring->now;
}

static bool
nat_passes (const RingNode *node, unsigned from)
{
  if (node->nat == 0)
    return true;
  SsTime sent = node->sent != NULL && from < node->sent->len
                    ? g_array_index (node->sent, SsTime, from)
                    : 0;
  return sent > 0 && node->ring->now - sent <= node->nat;
}

static bool
is_cut (Ring *ring, const RingNode *from, const RingNode *to)
{
  bool is_cut =
      (ring->mute == from && ring->deaf == to)
      || (ring->is_cut_both_ways && ring->mute == to && ring->deaf == from);
  ring->n_cut += is_cut;
  return is_cut;
}

void
ring_drain (RingNode *node)
{
  Ring *ring = node->ring;
  uint8_t buf[RING_DATAGRAM];
  SsAddr to;
  size_t len;
  while ((len = ss_link_output (node->link, &to, buf, sizeof buf)) > 0) {
    node->datagrams_out++;
    node->bytes_out += len;
    ring->n_datagrams++;
    unsigned target = index_of (&to);
    if (target < ring->nodes->len) {
      note_sent (node, target);
      ring_node (ring, target)->datagrams_to++;
    }
    if (target >= ring->nodes->len
        || (ring->options.loss > 0
            && ss_rng_unit (&ring->rng) < ring->options.loss)
        || (ring->partitioned && ring_node (ring, target)->side != node->side)
        || is_cut (ring, node, ring_node (ring, target)))
      continue;
    SsTime spread = ring->options.delay_max - ring->options.delay_min;
    SsTime delay = ring->options.delay_min;
    if (spread > 0)
      delay += (SsTime) ss_rng_below (&ring->rng, (uint64_t) spread);
    Datagram datagram = {
      .when = ring->now + delay,
      .order = ring->next_order++,
      .from = node->index,
      .to = target,
      .len = len,
      .bytes = g_memdup2 (buf, len),
    };
    queue_push (ring, &datagram);
  }
}

void
ring_join (RingNode *node, const RingNode *contact)
{
  node->env.now = node->ring->now;
  ss_pastry_join (node->pastry, &contact->contact, 1);
  ring_drain (node);
}

void
ring_grow (Ring *ring, unsigned n)
{
  for (unsigned i = 0; i < n; i++) {
    RingNode *node = ring_add (ring);
    if (node->index == 0) {
      node->env.now = ring->now;
      ss_pastry_create_ring (node->pastry);
      continue;
    }
    ring_join (node, ring_node (ring, (unsigned) ss_rng_below (&ring->rng,
                                                               node->index)));
    g_assert_true (ring_run_until (ring, ring_is_joined, 60 * SS_SEC));
  }
}

static void
fire_timers (RingNode *node)
{
  SsTimer *timer;
  node->env.now = node->ring->now;
  while ((timer = ss_timers_pop (&node->env.timers, node->env.now)) != NULL) {
    if (timer->layer == SS_LAYER_LINK)
      ss_link_timer (node->link, timer);
    else if (timer->layer == SS_LAYER_SCRIBE)
      node->scribe_timer (node->scribe_user, timer);
    else
      ss_pastry_timer (node->pastry, timer);
  }
  ring_drain (node);
}

/* The next thing that happens, if it does before `until`. */
static bool
step (Ring *ring, SsTime until)
{
  SsTime next = until;
  RingNode *first = NULL;
  for (unsigned i = 0; i < ring->nodes->len; i++) {
    RingNode *node = ring_node (ring, i);
    if (!node->up || node->stopped)
      continue;
    SsTime deadline = MAX (ss_timers_deadline (&node->env.timers), ring->now);
    if (deadline < next) {
      next = deadline;
      first = node;
    }
  }
  Datagram *heap = (Datagram *) (void *) ring->queue->data;
  if (ring->queue->len > 0 && heap[0].when < next) {
    Datagram datagram = queue_pop (ring);
    ring->now = MAX (ring->now, datagram.when);
    RingNode *node = ring_node (ring, datagram.to);
    bool cut = ring->partitioned
               && node->side != ring_node (ring, datagram.from)->side;
    if (node->up && !node->stopped && !cut
        && nat_passes (node, datagram.from)) {
      node->env.now = ring->now;
      SsAddr from = addr_of (datagram.from);
      ss_link_input (node->link, &from, datagram.bytes, datagram.len);
      ring_drain (node);
    }
    g_free (datagram.bytes);
    return true;
  }
  ring->now = next;
  if (first == NULL)
    return false;
  fire_timers (first);
  return true;
}

void
ring_run (Ring *ring, SsTime duration)
{
  SsTime until = ring->now + duration;
  while (step (ring, until))
    ;
}

bool
ring_run_until (Ring *ring, bool (*holds) (Ring *), SsTime duration)
{
  SsTime until = ring->now + duration;
  while (!holds (ring)) {
    /* Looked at when time has passed: oracles cost more than steps. */
    SsTime look = MIN (ring->now + SS_MSEC, until);
    while (step (ring, look))
      ;
    if (look == until)
      return holds (ring);
  }
  return true;
}

static int
compare_nodes (const void *a, const void *b)
{
  const RingNode *const *left = a, *const *right = b;
  return ss_id_compare (&(*left)->contact.id, &(*right)->contact.id);
}

unsigned
ring_sorted (Ring *ring, RingNode **ret_nodes)
{
  unsigned n = 0;
  for (unsigned i = 0; i < ring->nodes->len; i++) {
    RingNode *node = ring_node (ring, i);
    SsPastryState state =
        node->up ? ss_pastry_state (node->pastry) : SS_PASTRY_OUTSIDE;
    if (state == SS_PASTRY_ACTIVE || state == SS_PASTRY_JOINING)
      ret_nodes[n++] = node;
  }
  qsort (ret_nodes, n, sizeof *ret_nodes, compare_nodes);
  return n;
}

RingNode *
ring_closest (Ring *ring, const SsId *key)
{
  RingNode *best = NULL;
  for (unsigned i = 0; i < ring->nodes->len; i++) {
    RingNode *node = ring_node (ring, i);
    if (node->up && ss_pastry_state (node->pastry) == SS_PASTRY_ACTIVE
        && (best == NULL
            || ss_id_closer (key, &node->contact.id, &best->contact.id)))
      best = node;
  }
  return best;
}

bool
ring_is_joined (Ring *ring)
{
  for (unsigned i = 0; i < ring->nodes->len; i++) {
    RingNode *node = ring_node (ring, i);
    if (node->up && ss_pastry_state (node->pastry) != SS_PASTRY_LEFT
        && !ss_kbr_is_ready (node->kbr))
      return false;
  }
  return true;
}

bool
ring_is_correct (Ring *ring)
{
  if (!ring_is_joined (ring))
    return false;
  g_autofree RingNode **nodes = g_new (RingNode *, ring->nodes->len);
  unsigned n = ring_sorted (ring, nodes);
  unsigned size = ring->options.leaf_set != 0 ? ring->options.leaf_set : 32;
  for (unsigned i = 0; i < n; i++) {
    SsContact leaves[SS_PASTRY_LEAVES_MAX];
    unsigned n_leaves =
        ss_pastry_leaf_set (nodes[i]->pastry, leaves, SS_PASTRY_LEAVES_MAX);
    if (n_leaves != MIN (n - 1, size))
      return false;
    for (unsigned k = 0; k < n_leaves; k++) {
      /* Clockwise from the node: first its right side, then its left. */
      unsigned place =
          k < size / 2 || n - 1 <= size ? i + 1 + k : i + n - n_leaves + k;
      if (!ss_id_equal (&leaves[k].id, &nodes[place % n]->contact.id))
        return false;
    }
  }
  return true;
}

void
ring_dump (Ring *ring)
{
  g_autofree RingNode **nodes = g_new (RingNode *, ring->nodes->len);
  unsigned n = ring_sorted (ring, nodes);
  for (unsigned i = 0; i < n; i++) {
    SsPastryStats stats;
    ss_pastry_stats (nodes[i]->pastry, &stats);
    SsContact leaves[SS_PASTRY_LEAVES_MAX];
    unsigned n_leaves =
        ss_pastry_leaf_set (nodes[i]->pastry, leaves, SS_PASTRY_LEAVES_MAX);
    g_autoptr (GString) text = g_string_new (NULL);
    for (unsigned k = 0; k < n_leaves; k++) {
      unsigned place = 0;
      while (place < n
             && !ss_id_equal (&nodes[place]->contact.id, &leaves[k].id))
        place++;
      g_string_append_printf (text, " %d", place < n ? (int) place : -1);
    }
    g_test_message ("%3u #%u state %d ready %d whole %d suspects %u lost %u "
                    "held %u:%s",
                    i, nodes[i]->index, stats.state, stats.ready, stats.whole,
                    stats.suspects, stats.lost, stats.held, text->str);
  }
}

uint32_t
ring_lookup (RingNode *node, const SsId *key, unsigned flags)
{
  uint32_t number = node->ring->next_number++;
  node->env.now = node->ring->now;
  g_assert_true (ss_kbr_route (node->kbr, RING_PROTOCOL, key, NULL, flags,
                               (const uint8_t *) &number, sizeof number));
  ring_drain (node);
  return number;
}

const RingDelivery *
ring_delivery (Ring *ring, uint32_t number)
{
  for (unsigned i = 0; i < ring->deliveries->len; i++) {
    const RingDelivery *delivery =
        &g_array_index (ring->deliveries, RingDelivery, i);
    if (delivery->number == number)
      return delivery;
  }
  return NULL;
}

unsigned
ring_count_deliveries (Ring *ring, uint32_t number)
{
  unsigned n = 0;
  for (unsigned i = 0; i < ring->deliveries->len; i++)
    n += g_array_index (ring->deliveries, RingDelivery, i).number == number;
  return n;
}

SsId
ring_random_id (Ring *ring)
{
  SsId id;
  ss_rng_bytes (&ring->rng, id.b, sizeof id.b);
  return id;
}

double
ring_check_lookups (Ring *ring, unsigned n)
{
  g_autofree RingNode **nodes = g_new (RingNode *, ring->nodes->len);
  unsigned n_nodes = ring_sorted (ring, nodes);
  unsigned hops = 0;
  g_array_set_size (ring->deliveries, 0);
  for (unsigned i = 0; i < n; i++) {
    RingNode *node = nodes[ss_rng_below (&ring->rng, n_nodes)];
    SsId key = ring_random_id (ring);
    uint32_t number = ring_lookup (node, &key, 0);
    ring_run (ring, 10 * SS_MSEC);
    if (ring_delivery (ring, number) == NULL)
      ring_run (ring, 5 * SS_SEC);
    const RingDelivery *delivery = ring_delivery (ring, number);
    g_assert_nonnull (delivery);
    g_assert_cmpuint (delivery->node, ==, ring_closest (ring, &key)->index);
    g_assert_false (delivery->provisional);
    hops += delivery->hops;
  }
  g_assert_cmpuint (ring->deliveries->len, ==, n);
  return (double) hops / n;
}
