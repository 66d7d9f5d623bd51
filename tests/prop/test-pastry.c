/* Properties of the overlay: leaf set and routing table against naive
 * oracles, what applications are told against the sorted truth, and rings
 * under random joins, deaths, leaves, sleeps, loss and partitions, which heal
 * when that ends. Each failure names its seed. */
#include "overlay/pastry/leafset.h"
#include "overlay/pastry/messages.h"
#include "overlay/pastry/table.h"
#include "tests/harness/ring.h"

#define NODES_MAX 96

/* Half of all ids share long prefixes with the first: neighbours, ties. */
static SsContact
random_contact (SsRng *rng, const SsId *like)
{
  SsContact contact = { .addr = ss_addr_v4 (1, 1) };
  ss_rng_bytes (rng, contact.key.b, sizeof contact.key.b);
  contact.id = ss_id_of_key (&contact.key);
  if (like != NULL && ss_rng_below (rng, 2) == 0) {
    unsigned n = (unsigned) ss_rng_below (rng, SS_ID_LEN);
    for (unsigned i = 0; i < n; i++)
      contact.id.b[i] = like->b[i];
  }
  return contact;
}

typedef struct {
  SsContact nodes[NODES_MAX]; /* sorted by id */
  unsigned n;
} Truth;

static unsigned
truth_find (const Truth *truth, const SsId *id)
{
  unsigned i = 0;
  while (i < truth->n && !ss_id_equal (&truth->nodes[i].id, id))
    i++;
  return i;
}

static bool
truth_add (Truth *truth, const SsContact *contact)
{
  if (truth->n == NODES_MAX || truth_find (truth, &contact->id) < truth->n)
    return false;
  unsigned at = truth->n++;
  while (at > 0 && ss_id_compare (&truth->nodes[at - 1].id, &contact->id) > 0) {
    truth->nodes[at] = truth->nodes[at - 1];
    at--;
  }
  truth->nodes[at] = *contact;
  return true;
}

static void
truth_remove (Truth *truth, unsigned at)
{
  truth->n--;
  for (unsigned i = at; i < truth->n; i++)
    truth->nodes[i] = truth->nodes[i + 1];
}

/* The node so many places clockwise from a place. */
static const SsContact *
truth_at (const Truth *truth, unsigned place, int steps)
{
  int n = (int) truth->n;
  return &truth->nodes[((((int) place + steps) % n) + n) % n];
}

static void
check_shape (const SsLeafset *leafset)
{
  g_assert_cmpuint (leafset->n, <=, 2u * leafset->half);
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++)
    g_assert_cmpuint (ss_leafset_count (leafset, side), <=, leafset->half);
  SsId last = { 0 };
  for (unsigned i = 0; i < leafset->n; i++) {
    SsId offset = ss_id_subtract (&leafset->leaves[i].id, &leafset->self);
    g_assert_cmpint (ss_id_compare (&last, &offset), <, 0);
    last = offset;
    g_assert_nonnull (ss_leafset_find (leafset, &leafset->leaves[i].id));
  }
}

static void
check_equal (const SsLeafset *leafset, const Truth *truth)
{
  unsigned place = truth_find (truth, &leafset->self);
  unsigned others = truth->n - 1;
  g_assert_cmpuint (leafset->n, ==, MIN (others, 2u * leafset->half));
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++) {
    unsigned n = ss_leafset_count (leafset, side);
    g_assert_cmpuint (n, ==, MIN (others, leafset->half));
    for (unsigned i = 0; i < n; i++) {
      int steps = side == SS_LEAFSET_RIGHT ? (int) i + 1 : -(int) i - 1;
      g_assert_true (ss_id_equal (&ss_leafset_get (leafset, side, i)->id,
                                  &truth_at (truth, place, steps)->id));
    }
  }
}

/* What a node of the truth could tell: its leaf set, and the arc it spans. */
static void
tell (SsLeafset *leafset, const Truth *truth, unsigned teller)
{
  unsigned side = MIN (leafset->half, truth->n - 1);
  SsLeafsetArc arc = {
    .from = truth_at (truth, teller, -(int) side)->id,
    .to = truth_at (truth, teller, (int) side)->id,
    .circle = truth->n - 1 <= 2u * leafset->half,
  };
  bool news = false;
  for (int steps = -(int) side; steps <= (int) side; steps++) {
    const SsContact *contact = truth_at (truth, teller, steps);
    if (ss_id_equal (&contact->id, &leafset->self)
        || ss_leafset_find (leafset, &contact->id) != NULL)
      continue;
    bool evicted;
    SsContact out;
    unsigned reach = ss_leafset_reach (leafset, &arc, &contact->id);
    news |= ss_leafset_insert (leafset, contact, reach, &evicted, &out);
  }
  /* Many nodes fit in many ways: let them settle before it closes. */
  if (!news && !ss_leafset_is_complete (leafset)
      && ss_leafset_is_closed_by (leafset, &arc))
    ss_leafset_set_whole (leafset, true);
}

/* A ring that grows and shrinks around a leaf set. */
static void
leafset_run (uint64_t seed)
{
  SsRng rng;
  ss_rng_init_number (&rng, seed);
  Truth *truth = g_new0 (Truth, 1);
  SsContact self = random_contact (&rng, NULL);
  truth_add (truth, &self);
  SsLeafset leafset;
  ss_leafset_init (&leafset, &self.id,
                   2 * (1 + (unsigned) ss_rng_below (&rng, 16)));
  ss_leafset_set_whole (&leafset, true);
  bool growing = true;

  for (unsigned step = 0; step < 400; step++) {
    if (ss_rng_below (&rng, 40) == 0)
      growing = !growing;
    if (growing) {
      SsContact contact = random_contact (&rng, &self.id);
      bool evicted;
      SsContact out;
      if (!truth_add (truth, &contact))
        continue;
      ss_leafset_insert (&leafset, &contact, SS_LEAFSET_REACH_NONE, &evicted,
                         &out);
    } else if (truth->n > 1) {
      unsigned at = (unsigned) ss_rng_below (&rng, truth->n);
      if (ss_id_equal (&truth->nodes[at].id, &self.id))
        continue;
      ss_leafset_remove (&leafset, &truth->nodes[at].id);
      truth_remove (truth, at);
    }
    check_shape (&leafset);
    /* Repair: the farthest leaves tell, or a neighbour if a side is gone. */
    for (unsigned round = 0; round < 8 && truth->n > 1; round++) {
      if (ss_leafset_is_complete (&leafset))
        break;
      unsigned place = truth_find (truth, &self.id);
      for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++) {
        const SsContact *end = ss_leafset_end (&leafset, side);
        if (end == NULL)
          end = truth_at (truth, place, side == SS_LEAFSET_RIGHT ? 1 : -1);
        tell (&leafset, truth, truth_find (truth, &end->id));
        check_shape (&leafset);
      }
    }
    if (truth->n > 1)
      check_equal (&leafset, truth);
    if (leafset.whole)
      g_assert_cmpuint (leafset.n, ==, truth->n - 1);
    SsId key = random_contact (&rng, &self.id).id;
    g_assert_true (!leafset.whole || ss_leafset_covers (&leafset, &key));
  }
  ss_leafset_clear (&leafset);
  g_free (truth);
}

static void
test_leafset (void)
{
  for (uint64_t seed = 1; seed <= 200; seed++) {
    g_test_message ("seed %u", (unsigned) seed);
    leafset_run (seed);
  }
}

/* Two neighbours with true sets have one digest; with another set, not. */
static void
test_digest (void)
{
  for (uint64_t seed = 1; seed <= 200; seed++) {
    SsRng rng;
    ss_rng_init_number (&rng, seed);
    Truth *truth = g_new0 (Truth, 1);
    unsigned n = 2 + (unsigned) ss_rng_below (&rng, NODES_MAX - 2);
    while (truth->n < n) {
      SsContact contact = random_contact (&rng, NULL);
      truth_add (truth, &contact);
    }
    unsigned size = 2 * (1 + (unsigned) ss_rng_below (&rng, 16));
    SsLeafset sets[2];
    for (unsigned i = 0; i < 2; i++) {
      ss_leafset_init (&sets[i], &truth->nodes[i].id, size);
      ss_leafset_set_whole (&sets[i], true);
      for (unsigned k = 0; k < n; k++) {
        bool evicted;
        SsContact out;
        if (k != i)
          ss_leafset_insert (&sets[i], &truth->nodes[k], 0, &evicted, &out);
      }
    }
    uint64_t digest = ss_leafset_digest (&sets[0], SS_LEAFSET_RIGHT);
    g_assert_true (digest == ss_leafset_digest (&sets[1], SS_LEAFSET_LEFT));
    SsId gone = ss_leafset_get (&sets[1], SS_LEAFSET_RIGHT, 0)->id;
    if (size > 2 && ss_leafset_remove (&sets[1], &gone))
      g_assert_false (digest == ss_leafset_digest (&sets[1], SS_LEAFSET_LEFT));
    ss_leafset_clear (&sets[0]);
    ss_leafset_clear (&sets[1]);
    g_free (truth);
  }
}

/* One of the table's places, as a naive array has it. */
typedef struct {
  SsContact contact;
  SsTime rtt; /* in whole units; SS_NEVER: not measured */
  bool taken;
  SsTime heard; /* -1: never, as an entry */
} Place;

/* Ids are hashes of their keys, so deep rows take an owner who is made to
 * resemble one of the others. */
static SsId
owner_like (SsRng *rng, const SsId *other)
{
  unsigned digit = (unsigned) ss_rng_below (rng, SS_ID_DIGITS);
  unsigned value = ss_id_digit (other, digit);
  return ss_id_with_digit (other, digit,
                           (value + 1 + (unsigned) ss_rng_below (rng, 15))
                               % SS_TABLE_COLUMNS);
}

static SsContact
addressed_contact (SsRng *rng)
{
  SsContact contact = random_contact (rng, NULL);
  contact.addr.port = (uint16_t) (1 + ss_rng_below (rng, 65535));
  if (ss_rng_below (rng, 2) == 0)
    ss_rng_bytes (rng, contact.addr.ip, sizeof contact.addr.ip);
  contact.flags = (uint8_t) ss_rng_below (rng, 128);
  return contact;
}

static void
check_place (const SsTable *table, const Place *naive, unsigned place,
             SsTime now, unsigned *index)
{
  g_assert_true (
      ss_table_has (table, place / SS_TABLE_COLUMNS, place % SS_TABLE_COLUMNS)
      == naive[place].taken);
  if (!naive[place].taken)
    return;
  const SsContact *want = &naive[place].contact;
  SsContact contact = ss_table_nth (table, *index);
  g_assert_true (ss_id_equal (&contact.id, &want->id));
  g_assert_true (ss_key_equal (&contact.key, &want->key));
  g_assert_true (ss_addr_equal (&contact.addr, &want->addr));
  g_assert_cmpuint (contact.flags, ==, want->flags);
  g_assert_cmpint (ss_table_nth_rtt (table, *index), ==, naive[place].rtt);
  g_assert_cmpint (ss_table_rtt (table, &want->id), ==, naive[place].rtt);
  g_assert_cmpint (ss_table_place_rtt (table, &want->id), ==, naive[place].rtt);
  if (naive[place].heard >= 0) {
    SsTime silence = ss_table_nth_silence (table, *index, now);
    g_assert_cmpint (ABS (silence - (now - naive[place].heard)), <,
                     SS_TABLE_HEARD_UNIT);
  }
  g_assert_true (ss_table_find (table, &want->id, &contact));
  g_assert_true (ss_table_lookup (table, &want->id, &contact));
  g_assert_true (ss_id_equal (&contact.id, &want->id));
  (*index)++;
}

static void
table_run (uint64_t seed)
{
  SsRng rng;
  ss_rng_init_number (&rng, seed);
  SsContact known[200];
  for (unsigned i = 0; i < G_N_ELEMENTS (known); i++)
    known[i] = addressed_contact (&rng);
  SsId self = owner_like (&rng, &known[0].id);
  SsTable table;
  ss_table_init (&table, &self);
  Place *naive = g_new0 (Place, SS_ID_DIGITS * SS_TABLE_COLUMNS);
  unsigned count = 0;
  SsTime now = 0;

  for (unsigned step = 0; step < 500; step++) {
    SsContact contact = known[ss_rng_below (&rng, G_N_ELEMENTS (known))];
    if (ss_rng_below (&rng, 4) == 0)
      contact.addr = addressed_contact (&rng).addr;
    unsigned row = ss_id_shared_digits (&self, &contact.id);
    Place *there =
        &naive[row * SS_TABLE_COLUMNS + ss_id_digit (&contact.id, row)];
    bool same = there->taken && ss_id_equal (&there->contact.id, &contact.id);
    now += (SsTime) ss_rng_below (&rng, 10 * SS_SEC);
    if (ss_rng_below (&rng, 2) == 0) {
      ss_table_heard (&table, &contact.id, now);
      there->heard = same ? now : there->heard;
    } else if (ss_rng_below (&rng, 4) == 0) {
      g_assert_true (ss_table_remove (&table, &contact.id) == same);
      count -= same;
      there->taken = there->taken && !same;
    } else {
      SsTime rtt = SS_NEVER;
      if (ss_rng_below (&rng, 2) == 0)
        rtt = (SsTime) ss_rng_below (&rng, 10000) * SS_TABLE_RTT_UNIT * SS_USEC;
      bool in = !there->taken || same || rtt < there->rtt;
      g_assert_true (ss_table_would_prefer (&table, &contact.id, rtt)
                     == (there->taken && !same && rtt < there->rtt));
      g_assert_true (ss_table_offer (&table, &contact, rtt) == in);
      if (same && rtt == SS_NEVER)
        rtt = there->rtt;
      count += !there->taken;
      if (in)
        *there = (Place){ .contact = contact,
                          .rtt = rtt,
                          .taken = true,
                          .heard = same ? there->heard : -1 };
    }
    g_assert_cmpuint (ss_table_n_entries (&table), ==, count);
  }
  unsigned index = 0;
  for (unsigned place = 0; place < SS_ID_DIGITS * SS_TABLE_COLUMNS; place++)
    check_place (&table, naive, place, now, &index);
  g_assert_cmpuint (index, ==, count);
  ss_table_clear (&table);
  g_free (naive);
}

static void
test_table (void)
{
  for (uint64_t seed = 1; seed <= 200; seed++)
    table_run (seed);
}

/* How many of the ring's nodes are closer to key. */
static unsigned
rank_of (RingNode **nodes, unsigned n, const RingNode *node, const SsId *key)
{
  unsigned rank = 0;
  for (unsigned i = 0; i < n; i++)
    rank += ss_id_closer (key, &nodes[i]->contact.id, &node->contact.id);
  return rank;
}

static void
check_range (RingNode **nodes, unsigned n, RingNode *node, unsigned rank,
             const SsId *key)
{
  SsId from, to;
  if (!ss_kbr_range (nodes[0]->kbr, &node->contact, rank, &from, &to))
    return;
  SsId one = { 0 };
  one.b[SS_ID_LEN - 1] = 1;
  SsId keys[] = { *key, from, to, ss_id_add (&from, &one),
                  ss_id_add (&to, &one) };
  for (unsigned i = 0; i < G_N_ELEMENTS (keys); i++)
    g_assert_true (ss_id_in_arc (&keys[i], &from, &to)
                   == (rank_of (nodes, n, node, &keys[i]) <= rank));
}

/* replica_set, range, is_root and neighbor_set against the sorted truth. */
static void
test_view (void)
{
  for (uint64_t seed = 1; seed <= 12; seed++) {
    RingOptions options = { .leaf_set = seed % 2 == 0 ? 8 : 0 };
    Ring *ring = ring_new (seed, &options);
    ring_grow (ring, (unsigned) (1 + seed * seed / 4));
    g_assert_true (ring_run_until (ring, ring_is_correct, 60 * SS_SEC));
    RingNode *nodes[NODES_MAX];
    unsigned n = ring_sorted (ring, nodes);
    unsigned first = (unsigned) ss_rng_below (&ring->rng, n);
    RingNode *swap = nodes[0];
    nodes[0] = nodes[first];
    nodes[first] = swap;

    for (unsigned i = 0; i < 100; i++) {
      SsId key = ring_random_id (ring);
      RingNode *root = ring_closest (ring, &key);
      SsContact replicas[8], neighbours[8];
      unsigned n_replicas = ss_kbr_replica_set (root->kbr, &key, replicas, 4);
      g_assert_cmpuint (n_replicas, ==, MIN (n, 4));
      for (unsigned k = 0; k < n_replicas; k++) {
        unsigned rank = 0;
        for (unsigned m = 0; m < n; m++)
          rank += ss_id_closer (&key, &nodes[m]->contact.id, &replicas[k].id);
        g_assert_cmpuint (rank, ==, k);
      }
      unsigned n_neighbours = ss_kbr_neighbor_set (root->kbr, neighbours, 4);
      g_assert_cmpuint (n_neighbours, ==, MIN (n - 1, 4));
      for (unsigned m = 0; m < n; m++) {
        g_assert_true (ss_kbr_is_root (nodes[m]->kbr, &key, false)
                       == (nodes[m] == root));
        for (unsigned rank = 0; rank < 5; rank++)
          check_range (nodes, n, nodes[m], rank, &key);
      }
    }
    ring_free (ring);
  }
}

/* Faults while it runs; then heal, and all has to be well again. */
static void
swarm_run (uint64_t seed)
{
  SsRng rng;
  ss_rng_init_number (&rng, seed);
  RingOptions options = {
    .delay_min = (1 + (SsTime) ss_rng_below (&rng, 20)) * SS_MSEC,
    .leaf_set = 4 * (1 + (unsigned) ss_rng_below (&rng, 8)),
  };
  options.delay_max =
      options.delay_min + (SsTime) ss_rng_below (&rng, 40) * SS_MSEC;
  double loss = ss_rng_below (&rng, 3) == 0 ? 0.05 : 0;
  unsigned n = 2 + (unsigned) ss_rng_below (&rng, 50);
  g_test_message ("seed %u: %u nodes, L %u, delay %d to %d ms, loss %.2f",
                  (unsigned) seed, n, options.leaf_set,
                  (int) (options.delay_min / SS_MSEC),
                  (int) (options.delay_max / SS_MSEC), loss);
  Ring *ring = ring_new (seed, &options);
  ring_grow (ring, 1);
  for (unsigned i = 1; i < n; i++)
    ring_join (ring_add (ring), ring_node (ring, 0));
  if (!ring_run_until (ring, ring_is_joined, 60 * SS_SEC)) {
    ring_dump (ring);
    g_error ("seed %u does not join", (unsigned) seed);
  }
  ring->options.loss = loss;

  for (unsigned step = 0; step < 30; step++) {
    RingNode *node = ring_node (
        ring, 1 + (unsigned) ss_rng_below (&rng, ring->nodes->len - 1));
    SsId key = ring_random_id (ring);
    unsigned action = (unsigned) ss_rng_below (&rng, 8);
    if (!node->up) {
      ring_restart (node);
      ring_join (node, ring_node (ring, 0));
    } else if (node->stopped) {
      node->stopped = false;
    } else if (action == 0) {
      ring_kill (node);
    } else if (action == 1) {
      node->env.now = ring->now;
      ss_pastry_leave (node->pastry);
      ring_drain (node);
      ring_run (ring, 100 * SS_MSEC);
      ring_kill (node);
    } else if (action == 2) {
      node->stopped = true;
    } else if (action == 3 && ring->nodes->len < 60) {
      ring_join (ring_add (ring), ring_node (ring, 0));
    } else if (action == 4) {
      for (unsigned i = 0; i < ring->nodes->len; i++)
        ring_node (ring, i)->side = (unsigned) ss_rng_below (&rng, 2);
      ring->partitioned = !ring->partitioned;
    } else if (ss_pastry_state (node->pastry) == SS_PASTRY_ACTIVE) {
      ring_lookup (node, &key, action == 5 ? SS_ROUTE_PROVISIONAL : 0);
    }
    ring_run (ring, (SsTime) ss_rng_below (&rng, 5 * SS_SEC));
  }

  ring->partitioned = false;
  ring->options.loss = 0;
  for (unsigned i = 0; i < ring->nodes->len; i++)
    ring_node (ring, i)->stopped = false;
  if (!ring_run_until (ring, ring_is_correct, 180 * SS_SEC)) {
    ring_dump (ring);
    g_error ("seed %u does not heal", (unsigned) seed);
  }
  ring_run (ring, 20 * SS_SEC);
  ring_check_lookups (ring, 20);
  ring_free (ring);
}

/* Random messages of every kind, from strangers and members, speaking of
 * both: nothing asserts, what is kept stays within its bounds, and the others
 * are as they were. */
static void
hostile_run (uint64_t seed)
{
  SsRng rng;
  ss_rng_init_number (&rng, seed);
  Ring *ring = ring_new (seed, NULL);
  ring_grow (ring, 12);
  g_assert_true (ring_run_until (ring, ring_is_correct, 60 * SS_SEC));
  RingNode *node = ring_node (ring, 3);

  for (unsigned i = 0; i < 400; i++) {
    uint8_t storage[2048], bytes[2048];
    union {
      SsMsgRouted routed;
      SsMsgLeafProbe leaf_probe;
      SsMsgLeafSet leaf_set;
      SsMsgRow row;
    } message;
    const SsWireProtocol *protocol = &ss_wire_protocol_pastry;
    const SsWireMessage *schema =
        protocol->schemas[ss_rng_below (&rng, protocol->n_messages)]();
    g_assert_cmpuint (schema->struct_size, <=, sizeof message);
    ss_wire_generate (schema, &rng, &message, storage);
    size_t len = ss_wire_encode (schema, &message, bytes, sizeof bytes);
    g_assert_cmpuint (len, >, 0);
    if (ss_rng_below (&rng, 4) == 0)
      bytes[ss_rng_below (&rng, len)] ^= (uint8_t) ss_rng_u32 (&rng);
    SsContact from = random_contact (&rng, NULL);
    from.addr = ss_addr_v4 (0x0a00ff00, 9);
    if (ss_rng_below (&rng, 2) == 0)
      from = ring_node (ring, (unsigned) ss_rng_below (&rng, 3))->contact;
    node->env.now = ring->now;
    ss_pastry_link_message (node->pastry, &from, SS_PROTOCOL_OVERLAY, bytes,
                            len);
    ring_drain (node);
    ring_run (ring, (SsTime) ss_rng_below (&rng, 20 * SS_MSEC));
    g_assert_cmpuint (ss_pastry_memory (node->pastry), <, 256 * 1024);
  }
  ring_kill (node);
  if (!ring_run_until (ring, ring_is_correct, 180 * SS_SEC)) {
    ring_dump (ring);
    g_error ("seed %u does not heal", (unsigned) seed);
  }
  ring_free (ring);
}

static void
test_hostile (void)
{
  for (uint64_t seed = 1; seed <= 40; seed++)
    hostile_run (seed);
}

/* Nothing is lost and nobody sleeps: then no message may ever be delivered
 * but at the closest node, whoever joins, leaves and dies meanwhile. */
static unsigned
consistency_run (uint64_t seed)
{
  SsRng rng;
  ss_rng_init_number (&rng, seed);
  RingOptions options = {
    .delay_min = 5 * SS_MSEC,
    .delay_max = 30 * SS_MSEC,
    .leaf_set = seed % 2 == 0 ? 8 : 32,
  };
  Ring *ring = ring_new (seed, &options);
  ring_grow (ring, 60);
  for (unsigned step = 0; step < 400; step++) {
    RingNode *node = ring_node (
        ring, 1 + (unsigned) ss_rng_below (&rng, ring->nodes->len - 1));
    unsigned action = (unsigned) ss_rng_below (&rng, 40);
    if (action == 0 && node->up) {
      ring_kill (node);
    } else if (action == 1 && node->up) {
      node->env.now = ring->now;
      ss_pastry_leave (node->pastry);
      ring_drain (node);
      ring_run (ring, 100 * SS_MSEC);
      ring_kill (node);
    } else if (action < 4 && !node->up) {
      ring_restart (node);
      ring_join (node, ring_node (ring, 0));
    } else if (node->up && ss_pastry_state (node->pastry) == SS_PASTRY_ACTIVE) {
      SsId key = ring_random_id (ring);
      ring_lookup (node, &key, 0);
    }
    ring_run (ring, (SsTime) ss_rng_below (&rng, 200 * SS_MSEC));
  }
  ring_run (ring, 20 * SS_SEC);
  unsigned n_wrong = 0;
  for (unsigned i = 0; i < ring->deliveries->len; i++)
    n_wrong += !g_array_index (ring->deliveries, RingDelivery, i).right;
  /* A node that dies takes with it what it holds, and may have delivered
   * what nobody knows that it did. */
  g_assert_cmpuint (100 * ring->deliveries->len, >=, 98 * ring->next_number);
  g_assert_cmpuint (98 * ring->deliveries->len, <=, 100 * ring->next_number);
  g_test_message ("seed %u: %u lookups, %u delivered, %u wrong",
                  (unsigned) seed, ring->next_number, ring->deliveries->len,
                  n_wrong);
  ring_free (ring);
  return n_wrong;
}

static void
test_consistency (void)
{
  const char *runs = g_getenv ("SS_RUNS");
  uint64_t n = runs != NULL ? g_ascii_strtoull (runs, NULL, 10) : 10;
  unsigned n_wrong = 0;
  for (uint64_t seed = 1; seed <= n; seed++)
    n_wrong += consistency_run (seed);
  g_assert_cmpuint (n_wrong, ==, 0);
}

static void
test_swarm (void)
{
  const char *one = g_getenv ("SS_SEED");
  if (one != NULL) {
    swarm_run (g_ascii_strtoull (one, NULL, 10));
    return;
  }
  const char *runs = g_getenv ("SS_RUNS");
  uint64_t n = runs != NULL ? g_ascii_strtoull (runs, NULL, 10) : 100;
  for (uint64_t seed = 1; seed <= n; seed++)
    swarm_run (seed);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pastry/leafset", test_leafset);
  g_test_add_func ("/pastry/digest", test_digest);
  g_test_add_func ("/pastry/table", test_table);
  g_test_add_func ("/pastry/view", test_view);
  g_test_add_func ("/pastry/hostile", test_hostile);
  g_test_add_func ("/pastry/consistency", test_consistency);
  g_test_add_func ("/pastry/swarm", test_swarm);
  return g_test_run ();
}
