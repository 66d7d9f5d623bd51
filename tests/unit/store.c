/* The store: records, shelf, limits, and stores on a flat ring. */
#include <string.h>

#include "store/internal.h"
#include "tests/harness/store_ring.h"

static const FlatRingOptions lan = {
  .delay = SS_MSEC,
  .detection = SS_SEC,
};

static void
test_names (void)
{
  static const struct {
    const char *name;
    bool is_valid;
  } cases[] = {
    { "radio1", true },
    { "a", true },
    { "Radio Eins", true },
    { "fünf #5", true },
    { "", false },
    { " radio", false },
    { "radio ", false },
    { "radio\xc2\xa0", false },
    { "ra/dio", false },
    { "ra@dio", false },
    { "ra?dio", false },
    { "ra\ndio", false },
    { "ra\x7f", false },
    { "ra\xff", false },
    { "0123456789012345678901234567890123456789012345678901234567890123",
      true },
    { "01234567890123456789012345678901234567890123456789012345678901234",
      false },
  };

  for (unsigned i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (ss_store_name_is_valid (cases[i].name), ==,
                     cases[i].is_valid);
}

static void
test_signature (void)
{
  SsStoreRecord record = store_record_make (1, "radio1", 7, "hello");
  SsStoreRecord bad;

  g_assert_true (ss_record_verify (&record));
  bad = record;
  bad.version++;
  g_assert_false (ss_record_verify (&bad));
  bad = record;
  bad.name[0] ^= 1;
  g_assert_false (ss_record_verify (&bad));
  bad = record;
  bad.value[0] ^= 1;
  g_assert_false (ss_record_verify (&bad));
  bad = record;
  bad.value_len--;
  g_assert_false (ss_record_verify (&bad));
  bad = record;
  bad.key.b[0] ^= 1;
  g_assert_false (ss_record_verify (&bad));
  bad = record;
  bad.tombstone = true;
  g_assert_false (ss_record_verify (&bad));
  /* A byte may not move from the name to the value. */
  bad = store_record_make (1, "ab", 7, "c");
  g_strlcpy (bad.name, "a", sizeof bad.name);
  memcpy (bad.value, "bc", 2);
  bad.value_len = 2;
  g_assert_false (ss_record_verify (&bad));
}

static SsHeld
held_of (const SsStoreRecord *record, SsSlotKind kind, SsTime since,
         SsTime expires)
{
  return (SsHeld){
    .slot = ss_record_slot (record, kind),
    .kind = kind,
    .since = since,
    .expires = expires,
    .record = *record,
  };
}

static SsShelfVerdict
take (SsShelf *shelf, const SsStoreRecord *record, SsTime since, SsTime expires)
{
  SsHeld offer = held_of (record, SS_SLOT_NAME, since, expires);

  return ss_shelf_take (shelf, &offer);
}

static void
test_versions (void)
{
  SsShelf shelf;
  SsStoreRecord first = store_record_make (1, "n", 1, "one");
  SsStoreRecord second = store_record_make (1, "n", 2, "two");
  SsId slot = ss_store_name_slot ("n");

  ss_shelf_init (&shelf);
  g_assert_cmpint (take (&shelf, &first, 0, 10), ==, SS_SHELF_NEW);
  g_assert_cmpint (take (&shelf, &first, 0, 20), ==, SS_SHELF_SAME);
  g_assert_cmpint (ss_shelf_deadline (&shelf), ==, 20);
  g_assert_cmpint (take (&shelf, &first, 0, 5), ==, SS_SHELF_SAME);
  g_assert_cmpint (ss_shelf_deadline (&shelf), ==, 20);
  g_assert_cmpint (take (&shelf, &second, 0, 15), ==, SS_SHELF_NEWER);
  /* The newer has its own lifetime; the older neither comes back nor
   * prolongs it. */
  g_assert_cmpint (ss_shelf_deadline (&shelf), ==, 15);
  g_assert_cmpint (take (&shelf, &first, 0, 99), ==, SS_SHELF_OLDER);
  g_assert_cmpint (ss_shelf_deadline (&shelf), ==, 15);
  ss_shelf_expire (&shelf, 14);
  g_assert_nonnull (ss_shelf_find (&shelf, &slot, &first.key));
  ss_shelf_expire (&shelf, 15);
  g_assert_null (ss_shelf_find (&shelf, &slot, &first.key));
  ss_shelf_clear (&shelf);
}

static void
test_sixteen_keys (void)
{
  SsShelf shelf;
  SsHeld *list[SS_STORE_KEYS_PER_NAME];
  SsId slot = ss_store_name_slot ("n");

  ss_shelf_init (&shelf);
  for (unsigned i = 0; i < SS_STORE_KEYS_PER_NAME; i++) {
    SsStoreRecord record = store_record_make (i, "n", 1, "x");

    g_assert_cmpint (take (&shelf, &record, 100 + i * 7 % 16, 1000), ==,
                     SS_SHELF_NEW);
  }
  SsStoreRecord young = store_record_make (99, "n", 1, "x");

  g_assert_cmpint (take (&shelf, &young, 200, 1000), ==, SS_SHELF_SLOT_FULL);
  unsigned n = ss_shelf_list (&shelf, &slot, list);

  g_assert_cmpuint (n, ==, SS_STORE_KEYS_PER_NAME);
  for (unsigned i = 0; i < n; i++)
    g_assert_cmpint (list[i]->since, ==, 100 + i);
  /* An older one drives the youngest out. */
  SsKey youngest = list[n - 1]->record.key;

  g_assert_cmpint (take (&shelf, &young, 50, 1000), ==, SS_SHELF_NEW);
  g_assert_null (ss_shelf_find (&shelf, &slot, &youngest));
  n = ss_shelf_list (&shelf, &slot, list);
  g_assert_cmpuint (n, ==, SS_STORE_KEYS_PER_NAME);
  g_assert_true (ss_key_equal (&list[0]->record.key, &young.key));
  /* A tombstone keeps its age but not its place. */
  SsStoreRecord grave = store_record_make (99, "n", 2, NULL);
  SsStoreRecord latest = store_record_make (98, "n", 1, "x");

  g_assert_cmpint (take (&shelf, &grave, 60, 1000), ==, SS_SHELF_NEWER);
  g_assert_cmpuint (ss_shelf_list (&shelf, &slot, list), ==,
                    SS_STORE_KEYS_PER_NAME - 1);
  g_assert_cmpint (take (&shelf, &latest, 300, 1000), ==, SS_SHELF_NEW);
  g_assert_null (ss_shelf_find (&shelf, &slot, &young.key));
  ss_shelf_clear (&shelf);
}

static void
test_source_cap (void)
{
  SsShelf shelf;
  char name[16];

  ss_shelf_init (&shelf);
  for (unsigned i = 0; i <= SS_SHELF_MAX_PER_SOURCE; i++) {
    g_snprintf (name, sizeof name, "n%u", i);
    SsStoreRecord record = store_record_make (1, name, 1, "x");
    SsHeld offer = held_of (&record, SS_SLOT_OWN, 0, 10);

    offer.source.b[0] = 1;
    g_assert_cmpint (ss_shelf_take (&shelf, &offer), ==,
                     i < SS_SHELF_MAX_PER_SOURCE ? SS_SHELF_NEW
                                                 : SS_SHELF_FULL);
  }
  ss_shelf_clear (&shelf);
}

static void
test_quota (void)
{
  SsQuota quota;
  SsId peer = { { 1 } }, other = { { 2 } };

  ss_quota_init (&quota, 10, 20, 1000, 25, 0);
  for (unsigned i = 0; i < 20; i++)
    g_assert_true (ss_quota_take (&quota, &peer, 1, 0));
  g_assert_false (ss_quota_take (&quota, &peer, 1, 0));
  g_assert_true (ss_quota_take (&quota, &other, 5, 0));
  /* Now all together have had enough. */
  g_assert_false (ss_quota_take (&quota, &other, 1, 0));
  g_assert_true (ss_quota_take (&quota, &peer, 5, SS_SEC / 2));
  g_assert_false (ss_quota_take (&quota, &peer, 1, SS_SEC / 2));
  for (unsigned i = 0; i < 3 * SS_QUOTA_PEERS; i++) {
    SsId many = { { 3, (uint8_t) i } };

    ss_quota_take (&quota, &many, 1, SS_SEC);
  }
  g_assert_cmpuint (quota.n_peers, ==, SS_QUOTA_PEERS);
  ss_quota_clear (&quota);
}

static void
test_alone (void)
{
  FlatRing *ring = store_ring_new (1, &lan, 1);
  StoreNode *node = store_ring_node (ring, 0);
  SsStoreRecord record = store_record_make (1, "radio1", 1, "hello");
  SsId slot = store_own_slot_of (&record);

  store_node_get (node, &slot, 5);
  flat_ring_run (ring, 0);
  g_assert_cmpuint (node->n_founds, ==, 1);
  g_assert_cmpuint (node->token, ==, 5);
  g_assert_true (node->complete);
  g_assert_cmpuint (node->n_records, ==, 0);
  store_node_put (node, &record);
  flat_ring_run (ring, 0);
  g_assert_cmpuint (node->n_storeds, ==, 2);
  g_assert_cmpuint (node->n_replicas, ==, 1);
  g_assert_cmpuint (ss_store_n_records (node->store), ==, 2);
  store_node_get (node, &slot, 6);
  flat_ring_run (ring, 0);
  g_assert_cmpuint (node->token, ==, 6);
  g_assert_cmpuint (node->n_records, ==, 1);
  g_assert_cmpmem (node->records[0].value, node->records[0].value_len, "hello",
                   5);
  store_ring_free (ring);
}

static void
test_no_ring (void)
{
  FlatRing *ring = store_ring_new (1, &lan, 1);
  StoreNode *node = store_ring_node (ring, 0);
  SsId slot = ss_store_name_slot ("radio1");
  SsTime start = ring->now;

  node->node->is_in = false;
  store_node_get (node, &slot, 5);
  flat_ring_run (ring, 3 * SS_SEC);
  g_assert_cmpuint (node->n_founds, ==, 1);
  g_assert_false (node->complete);
  g_assert_cmpint (node->found_at - start, ==, SS_STORE_GET_TIMEOUT);
  store_ring_free (ring);
}

static void
test_put_and_get (void)
{
  FlatRing *ring = store_ring_new (2, &lan, 40);
  StoreNode *owner = store_ring_node (ring, 3);
  SsStoreRecord record = store_record_make (1, "radio1", 1, "hello");
  SsId own = store_own_slot_of (&record), name = ss_store_name_slot ("radio1");

  store_node_put (owner, &record);
  flat_ring_run (ring, 50 * SS_MSEC);
  g_assert_cmpuint (owner->n_storeds, ==, 2);
  g_assert_cmpuint (owner->n_replicas, ==, SS_STORE_REPLICAS);
  g_assert_cmpuint (store_ring_copies (ring, &own, &record.key), ==, 5);
  g_assert_cmpuint (store_ring_copies (ring, &name, &record.key), ==, 5);
  for (unsigned i = 0; i < ring->n_nodes; i++) {
    StoreNode *node = store_ring_node (ring, i);
    SsTime start = ring->now;

    store_node_get (node, i % 2 == 0 ? &own : &name, i);
    flat_ring_run (ring, 20 * SS_MSEC);
    g_assert_cmpuint (node->n_founds, ==, 1);
    g_assert_true (node->complete);
    g_assert_cmpuint (node->n_records, ==, 1);
    g_assert_cmpuint (node->records[0].version, ==, 1);
    /* One round trip. */
    g_assert_cmpint (node->found_at - start, <=, 4 * SS_MSEC);
  }
  /* What is not there is known in two. */
  StoreNode *asker = store_ring_node (ring, 30);
  SsId nobody = ss_store_name_slot ("nobody");
  SsTime start = ring->now;

  store_node_get (asker, &nobody, 77);
  flat_ring_run (ring, 20 * SS_MSEC);
  g_assert_cmpuint (asker->token, ==, 77);
  g_assert_true (asker->complete);
  g_assert_cmpuint (asker->n_records, ==, 0);
  g_assert_cmpint (asker->found_at - start, <=, 8 * SS_MSEC);
  store_ring_free (ring);
}

static void
test_refresh_is_cheap (void)
{
  char value[SS_STORE_VALUE_MAX + 1];
  FlatRing *ring = store_ring_new (3, &lan, 40);
  StoreNode *owner = store_ring_node (ring, 3);

  memset (value, 'v', sizeof value - 1);
  value[sizeof value - 1] = '\0';
  SsStoreRecord record = store_record_make (1, "radio1", 1, value);
  SsId own = store_own_slot_of (&record), name = ss_store_name_slot ("radio1");

  store_node_put (owner, &record);
  flat_ring_run (ring, SS_SEC);
  uint64_t before = owner->node->bytes_out;
  const unsigned seconds = 3600;

  flat_ring_run (ring, seconds * SS_SEC);
  g_assert_cmpuint ((owner->node->bytes_out - before) / seconds, <, 20);
  g_assert_cmpuint (owner->n_storeds, ==, 2);
  g_assert_cmpuint (store_ring_copies (ring, &own, &record.key), ==, 5);
  g_assert_cmpuint (store_ring_copies (ring, &name, &record.key), ==, 5);
  /* Withdrawn it fades away. */
  ss_store_withdraw (owner->store, &record.key, "radio1");
  flat_ring_run (ring, SS_STORE_LIFETIME + SS_SEC);
  g_assert_cmpuint (store_ring_copies (ring, &own, &record.key), ==, 0);
  g_assert_cmpuint (store_ring_copies (ring, &name, &record.key), ==, 0);
  store_ring_free (ring);
}

static void
test_keys_share_a_name (void)
{
  FlatRing *ring = store_ring_new (4, &lan, 30);
  SsId name = ss_store_name_slot ("radio1");
  StoreNode *asker = store_ring_node (ring, 29);
  SsKey keys[SS_STORE_KEYS_PER_NAME + 1];

  for (unsigned i = 0; i <= SS_STORE_KEYS_PER_NAME; i++) {
    SsStoreRecord record = store_record_make (i, "radio1", 1, "x");

    keys[i] = record.key;
    store_node_put (store_ring_node (ring, i), &record);
    flat_ring_run (ring, SS_SEC);
  }
  /* The last was refused its place under the name, not its own. */
  StoreNode *last = store_ring_node (ring, SS_STORE_KEYS_PER_NAME);

  g_assert_cmpuint (last->n_storeds, ==, 2);
  g_assert_false (last->has_newer);
  store_node_get (asker, &name, 1);
  flat_ring_run (ring, SS_SEC);
  g_assert_true (asker->complete);
  g_assert_cmpuint (asker->n_records, ==, SS_STORE_KEYS_PER_NAME);
  for (unsigned i = 0; i < asker->n_records; i++)
    g_assert_true (ss_key_equal (&asker->records[i].key, &keys[i]));
  /* One ends; once its tombstone is placed, there is room. */
  SsStoreRecord grave = store_record_make (4, "radio1", 2, NULL);

  store_node_put (store_ring_node (ring, 4), &grave);
  flat_ring_run (ring, SS_SEC);
  store_node_get (asker, &name, 2);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (asker->n_records, ==, SS_STORE_KEYS_PER_NAME - 1);
  flat_ring_run (ring, SS_STORE_LIFETIME / 3);
  store_node_get (asker, &name, 3);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (asker->n_records, ==, SS_STORE_KEYS_PER_NAME);
  g_assert_true (ss_key_equal (&asker->records[15].key, &keys[16]));
  store_ring_free (ring);
}

static void
test_tombstone (void)
{
  FlatRing *ring = store_ring_new (5, &lan, 20);
  StoreNode *owner = store_ring_node (ring, 0);
  StoreNode *asker = store_ring_node (ring, 7);
  SsStoreRecord record = store_record_make (1, "radio1", 1, "hello");
  SsStoreRecord grave = store_record_make (1, "radio1", 2, NULL);
  SsId own = store_own_slot_of (&record);

  store_node_put (owner, &record);
  flat_ring_run (ring, SS_SEC);
  store_node_put (owner, &grave);
  flat_ring_run (ring, SS_SEC);
  store_node_get (asker, &own, 1);
  flat_ring_run (ring, SS_SEC);
  g_assert_true (asker->complete);
  g_assert_cmpuint (asker->n_records, ==, 0);
  g_assert_cmpuint (owner->store->puts->len, ==, 0);
  /* Somebody else's copy of the old record does not come back. */
  store_node_put (store_ring_node (ring, 9), &record);
  flat_ring_run (ring, SS_SEC);
  g_assert_true (store_ring_node (ring, 9)->has_newer);
  g_assert_true (store_ring_node (ring, 9)->newer.tombstone);
  store_node_get (asker, &own, 2);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (asker->n_records, ==, 0);
  flat_ring_run (ring, SS_STORE_LIFETIME);
  g_assert_cmpuint (store_ring_copies (ring, &own, &record.key), ==, 0);
  store_ring_free (ring);
}

static void
test_newer_wins (void)
{
  FlatRing *ring = store_ring_new (6, &lan, 20);
  StoreNode *first = store_ring_node (ring, 0);
  StoreNode *second = store_ring_node (ring, 1);
  SsStoreRecord old = store_record_make (1, "radio1", 5, "old");
  SsStoreRecord new = store_record_make (1, "radio1", 6, "new");

  store_node_put (first, &old);
  flat_ring_run (ring, SS_SEC);
  store_node_put (second, &new);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (second->n_replicas, ==, 5);
  /* The first hears of it at its next refresh, and gives way. */
  g_assert_false (first->has_newer);
  flat_ring_run (ring, SS_STORE_LIFETIME / 3);
  g_assert_true (first->has_newer);
  g_assert_cmpuint (first->newer.version, ==, 6);
  g_assert_cmpuint (first->store->puts->len, ==, 0);
  store_ring_free (ring);
}

static void
send_to (StoreNode *from, StoreNode *to, const uint8_t *data, size_t len)
{
  const SsKbrSend how = { .reliable = true };

  ss_kbr_send (&from->node->kbr, SS_PROTOCOL_STORE, &to->node->self, &how, data,
               len, NULL);
}

static void
test_hostile (void)
{
  FlatRing *ring = store_ring_new (7, &lan, 30);
  StoreNode *hostile = store_ring_node (ring, 0);
  SsStoreRecord record = store_record_make (1, "radio1", 1, "hello");
  SsId own = store_own_slot_of (&record), wrong = own;
  SsMsgStoreRecord message = { .purpose = SS_RECORD_PUT, .lifetime = 1000000 };
  uint8_t data[SS_MSG_STORE_RECORD_MAX];

  /* To a root that the slot does not say. */
  wrong.b[0] ^= 0x80;
  ss_record_to_message (&record, &message);
  size_t len = ss_msg_store_record_encode (&message, data, sizeof data);

  ss_kbr_route (&hostile->node->kbr, SS_PROTOCOL_STORE, &wrong, NULL, 0, data,
                len);
  /* With a wrong signature. */
  message.version++;
  len = ss_msg_store_record_encode (&message, data, sizeof data);
  ss_kbr_route (&hostile->node->kbr, SS_PROTOCOL_STORE, &own, NULL, 0, data,
                len);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (store_ring_copies (ring, &own, &record.key), ==, 0);
  /* As a replica, to everybody: only those near the slot take it. */
  message.version--;
  message.purpose = SS_RECORD_REPLICA;
  message.age = 1000000000;
  len = ss_msg_store_record_encode (&message, data, sizeof data);
  for (unsigned i = 1; i < ring->n_nodes; i++)
    send_to (hostile, store_ring_node (ring, i), data, len);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (store_ring_copies (ring, &own, &record.key), <=, 8);
  for (unsigned i = 1; i < ring->n_nodes; i++) {
    StoreNode *node = store_ring_node (ring, i);
    const SsHeld *held = ss_shelf_find (&node->store->shelf, &own, &record.key);

    /* However long it was said to live. */
    if (held != NULL)
      g_assert_cmpint (held->expires - ring->now, <=, SS_STORE_LIFETIME);
  }
  /* A flood is cut off. */
  StoreNode *victim = store_ring_node (ring, 9);

  for (unsigned i = 0; i < 2000; i++)
    send_to (hostile, victim, data, 1 + i % len);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (victim->node->env.counters.value[SS_COUNT_STORE_REFUSED], >,
                    1000);
  store_ring_free (ring);
}

/* Who says that a record is stored, unasked, does not keep its owner from
 * refreshing it. */
static void
test_false_stored (void)
{
  FlatRing *ring = store_ring_new (9, &lan, 30);
  StoreNode *owner = store_ring_node (ring, 3);
  StoreNode *hostile = store_ring_node (ring, 0);
  SsStoreRecord record = store_record_make (1, "radio1", 1, "hello");
  SsMsgStoreStored message = {
    .slot = store_own_slot_of (&record),
    .key = record.key,
    .version = 1,
    .n_replicas = 5,
  };
  uint8_t data[SS_MSG_STORE_STORED_MAX];
  size_t len = ss_msg_store_stored_encode (&message, data, sizeof data);

  store_node_put (owner, &record);
  for (unsigned i = 0; i < 2 * SS_STORE_LIFETIME / (10 * SS_SEC); i++) {
    flat_ring_run (ring, 10 * SS_SEC);
    send_to (hostile, owner, data, len);
  }
  g_assert_cmpuint (store_ring_copies (ring, &message.slot, &record.key), ==,
                    SS_STORE_REPLICAS);
  store_ring_free (ring);
}

/* A routed message's source is a claim: a root's own name in it does not
 * spare the one who sent it. */
static void
test_claimed_source (void)
{
  FlatRing *ring = store_ring_new (10, &lan, 2);
  StoreNode *root = store_ring_node (ring, 0);
  static const uint8_t junk[] = { SS_MSG_STORE_GET };
  const SsKbrMessage message = {
    .source = root->node->self,
    .previous = store_ring_node (ring, 1)->node->self,
    .data = junk,
    .len = sizeof junk,
  };

  for (unsigned i = 0; i < 2000; i++)
    root->node->apps[SS_PROTOCOL_STORE].deliver (root->store, &message);
  g_assert_cmpuint (root->node->env.counters.value[SS_COUNT_STORE_REFUSED], >,
                    1000);
  store_ring_free (ring);
}

/* Copies from afar fill no shelf: replicas are leaves. */
static void
test_copies_from_afar (void)
{
  FlatRing *ring = store_ring_new (11, &lan, 100);
  StoreNode *victim = store_ring_node (ring, 0);
  SsContact leaves[100];
  unsigned n = ss_kbr_neighbor_set (&victim->node->kbr, leaves, 100);
  StoreNode *hostile = NULL;
  unsigned n_sent = 0;
  char name[16];

  for (unsigned i = 1; i < ring->n_nodes && hostile == NULL; i++)
    if (ss_id_equal (&leaves[n - 1].id,
                     &store_ring_node (ring, i)->node->self.id))
      hostile = store_ring_node (ring, i);
  for (unsigned i = 0; n_sent < 2 * SS_SHELF_MAX_PER_SOURCE; i++) {
    g_snprintf (name, sizeof name, "n%u", i);
    SsStoreRecord record = store_record_make (1, name, 1, "x");
    SsId slot = store_own_slot_of (&record);

    if (flat_ring_root (ring, &slot) != victim->node)
      continue;
    SsMsgStoreRecord message = { .purpose = SS_RECORD_REPLICA,
                                 .lifetime = 100000 };
    uint8_t data[SS_MSG_STORE_RECORD_MAX];

    ss_record_to_message (&record, &message);
    send_to (hostile, victim, data,
             ss_msg_store_record_encode (&message, data, sizeof data));
    n_sent++;
  }
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (ss_store_n_records (victim->store), ==,
                    SS_SHELF_MAX_PER_SOURCE);
  store_ring_free (ring);
}

static void
test_deaths (void)
{
  FlatRing *ring = store_ring_new (8, &lan, 60);
  StoreNode *owner = store_ring_node (ring, 0);
  StoreNode *asker = store_ring_node (ring, 1);
  SsStoreRecord record = store_record_make (1, "radio1", 1, "hello");
  SsId own = store_own_slot_of (&record);

  store_node_put (owner, &record);
  flat_ring_run (ring, SS_SEC);
  ss_store_withdraw (owner->store, &record.key, "radio1");
  /* Each root in turn, faster than any refresh could help: after its death
   * is declared there are five again, and even before it the others answer. */
  for (unsigned i = 0; i < 20; i++) {
    FlatNode *root = flat_ring_root (ring, &own);

    if (root == owner->node || root == asker->node)
      break;
    flat_ring_kill (root);
    SsTime start = ring->now;

    store_node_get (asker, &own, i);
    flat_ring_run (ring, SS_STORE_GET_TIMEOUT);
    g_assert_cmpuint (asker->n_founds, ==, i + 1);
    g_assert_cmpuint (asker->n_records, ==, 1);
    g_assert_cmpint (asker->found_at - start, <=, 600 * SS_MSEC);
    flat_ring_run (ring, SS_SEC);
    g_assert_cmpuint (store_ring_copies (ring, &own, &record.key), >=, 5);
  }
  store_ring_free (ring);
}

/* Those who are the replicas by that node's word. */
static void
assert_replicas_hold (FlatRing *ring, StoreNode *teller, const SsId *slot,
                      const SsKey *key)
{
  SsContact set[SS_STORE_REPLICAS];
  unsigned n =
      ss_kbr_replica_set (&teller->node->kbr, slot, set, SS_STORE_REPLICAS);

  g_assert_cmpuint (n, ==, SS_STORE_REPLICAS);
  for (unsigned i = 0; i < ring->n_nodes; i++)
    for (unsigned j = 0; j < n; j++) {
      StoreNode *node = store_ring_node (ring, i);

      if (ss_id_equal (&node->node->self.id, &set[j].id))
        g_assert_nonnull (ss_shelf_find (&node->store->shelf, slot, key));
    }
}

static void
test_newcomers (void)
{
  FlatRing *ring = store_ring_new (9, &lan, 5);
  StoreNode *owner = store_ring_node (ring, 0);
  SsStoreRecord record = store_record_make (1, "radio1", 1, "hello");
  SsId own = store_own_slot_of (&record);

  store_node_put (owner, &record);
  flat_ring_run (ring, SS_SEC);
  /* Many at once take over the slot; the records come with it, and a get
   * finds them from the first moment on. */
  for (unsigned i = 0; i < 60; i++)
    store_ring_add (ring);
  StoreNode *asker = store_ring_node (ring, 30);

  store_node_get (asker, &own, 1);
  flat_ring_run (ring, 2 * SS_SEC);
  g_assert_cmpuint (asker->n_founds, ==, 1);
  assert_replicas_hold (ring, owner, &own, &record.key);
  store_node_get (asker, &own, 2);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (asker->n_records, ==, 1);
  store_ring_free (ring);
}

/* How many are nearer to the slot. */
static unsigned
rank_of (FlatRing *ring, const SsId *slot, unsigned index)
{
  const SsId *id = &ring->nodes[index]->self.id;
  unsigned n = 0;

  for (unsigned i = 0; i < ring->n_nodes; i++)
    n += ss_id_closer (slot, &ring->nodes[i]->self.id, id);
  return n;
}

/* A ring grows by so much at once that who holds a record does not hear of all
 * newcomers, and takes some for its replicas that are none: the record goes the
 * way of a message, and is where it belongs. */
static void
test_rush (void)
{
  enum { OLD = 6, HEARD_OF = 8, ALL = 200 };
  FlatRing *ring = store_ring_new (10, &lan, OLD);
  StoreNode *owner = store_ring_node (ring, 0);
  SsStoreRecord record = store_record_make (1, "radio1", 1, "hello");
  SsId own = store_own_slot_of (&record);

  store_node_put (owner, &record);
  flat_ring_run (ring, SS_SEC);
  for (unsigned i = 0; i < OLD; i++)
    store_ring_node (ring, i)->node->horizon = HEARD_OF;
  for (unsigned i = OLD; i < ALL; i++)
    store_ring_add (ring);
  flat_ring_run (ring, 2 * SS_SEC);
  for (unsigned i = 0; i < HEARD_OF; i++)
    g_assert_cmpuint (rank_of (ring, &own, i), >, 2 * SS_STORE_REPLICAS);
  StoreNode *asker = store_ring_node (ring, ALL - 1);

  store_node_get (asker, &own, 1);
  flat_ring_run (ring, SS_SEC);
  g_assert_cmpuint (asker->n_founds, ==, 1);
  g_assert_cmpuint (asker->n_records, ==, 1);
  assert_replicas_hold (ring, asker, &own, &record.key);
  store_ring_free (ring);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/names", test_names);
  g_test_add_func ("/store/signature", test_signature);
  g_test_add_func ("/store/versions", test_versions);
  g_test_add_func ("/store/sixteen-keys", test_sixteen_keys);
  g_test_add_func ("/store/source-cap", test_source_cap);
  g_test_add_func ("/store/quota", test_quota);
  g_test_add_func ("/store/alone", test_alone);
  g_test_add_func ("/store/no-ring", test_no_ring);
  g_test_add_func ("/store/put-and-get", test_put_and_get);
  g_test_add_func ("/store/refresh-is-cheap", test_refresh_is_cheap);
  g_test_add_func ("/store/keys-share-a-name", test_keys_share_a_name);
  g_test_add_func ("/store/tombstone", test_tombstone);
  g_test_add_func ("/store/newer-wins", test_newer_wins);
  g_test_add_func ("/store/hostile", test_hostile);
  g_test_add_func ("/store/false-stored", test_false_stored);
  g_test_add_func ("/store/claimed-source", test_claimed_source);
  g_test_add_func ("/store/copies-from-afar", test_copies_from_afar);
  g_test_add_func ("/store/deaths", test_deaths);
  g_test_add_func ("/store/newcomers", test_newcomers);
  g_test_add_func ("/store/rush", test_rush);
  return g_test_run ();
}
