/* Reading a slot. The asker routes its question to the root, again by another
 * way while no answer comes, and then asks straight those that it believes to
 * be replicas. The root answers from what it holds; where that is nothing, it
 * asks the other replicas first, since it may have become the root just
 * now. */
#include "store/internal.h"

#define RETRY          (450 * SS_MSEC)
#define QUEST_TIME     (250 * SS_MSEC)
#define STRAIGHT_AFTER 1 /* tries */
#define STRAIGHT_MAX   3 /* replicas asked at once */

typedef struct {
  SsStoreRecord record;
  uint32_t age;
} Found;

struct SsGet {
  SsTimer timer;
  SsStore *store;
  uint64_t token, id;
  SsId slot;
  SsTime deadline;
  unsigned tries;
  GArray *found; /* Found; one of each key */
};

/* A get that this root hands to the other replicas. */
struct SsQuest {
  SsTimer timer;
  SsStore *store;
  uint64_t id;
  uint64_t asker_id;
  SsContact asker;
  SsId slot;
  unsigned n_waiting;
};

void
ss_get_free (gpointer data)
{
  SsGet *get = data;

  ss_timers_disarm (&get->store->env->timers, &get->timer);
  g_array_unref (get->found);
  g_free (get);
}

void
ss_get_quest_free (gpointer data)
{
  SsQuest *quest = data;

  ss_timers_disarm (&quest->store->env->timers, &quest->timer);
  g_free (quest);
}

static SsGet *
find_get (SsStore *store, uint64_t id)
{
  for (unsigned i = 0; i < store->gets->len; i++) {
    SsGet *get = g_ptr_array_index (store->gets, i);

    if (get->id == id)
      return get;
  }
  return NULL;
}

static SsQuest *
find_quest (SsStore *store, uint64_t id)
{
  for (unsigned i = 0; i < store->quests->len; i++) {
    SsQuest *quest = g_ptr_array_index (store->quests, i);

    if (quest->id == id)
      return quest;
  }
  return NULL;
}

static int
compare_found (gconstpointer a, gconstpointer b)
{
  const Found *one = a, *other = b;

  if (one->age != other->age)
    return one->age > other->age ? -1 : 1;
  return ss_key_compare (&one->record.key, &other->record.key);
}

static void
finish (SsStore *store, SsGet *get, bool complete)
{
  uint64_t token = get->token;
  SsStoreRecord *records = g_new (SsStoreRecord, MAX (get->found->len, 1));
  unsigned n = 0;

  g_array_sort (get->found, compare_found);
  for (unsigned i = 0; i < get->found->len; i++) {
    const Found *found = &g_array_index (get->found, Found, i);

    if (!found->record.tombstone)
      records[n++] = found->record;
  }
  /* Gone before the upcall, which may ask again. */
  g_ptr_array_remove (store->gets, get);
  store->upcalls.found (store->user, token, records, n, complete);
  g_free (records);
}

void
ss_store_get (SsStore *store, const SsId *slot, uint64_t token)
{
  g_assert (store->gets->len < SS_STORE_GETS_MAX);
  SsGet *get = g_new0 (SsGet, 1);

  get->store = store;
  get->token = token;
  get->id = ss_rng_u64 (&store->env->rng);
  get->slot = *slot;
  get->deadline = store->env->now + SS_STORE_GET_TIMEOUT;
  get->found = g_array_new (FALSE, FALSE, sizeof (Found));
  ss_timer_init (&get->timer, SS_LAYER_STORE, STORE_TIMER_GET);
  g_ptr_array_add (store->gets, get);
  ss_timers_arm (&store->env->timers, &get->timer, store->env->now);
}

static size_t
encode_get (uint64_t id, const SsId *slot,
            uint8_t ret_data[SS_MSG_STORE_GET_MAX])
{
  SsMsgStoreGet message = { .id = id, .slot = *slot };

  return ss_msg_store_get_encode (&message, ret_data, SS_MSG_STORE_GET_MAX);
}

/* The root may be dead and not yet found to be; replicas hold the same. */
static void
ask_straight (SsStore *store, const SsGet *get, const uint8_t *data, size_t len)
{
  SsContact set[SS_STORE_REPLICAS];
  unsigned n =
      ss_kbr_replica_set (store->kbr, &get->slot, set, SS_STORE_REPLICAS);
  unsigned n_asked = 0;

  for (unsigned i = 0; i < n && n_asked < STRAIGHT_MAX; i++)
    if (!ss_kbr_is_suspected (store->kbr, &set[i].id)
        && ss_store_send (store, &set[i], 0, data, len))
      n_asked++;
}

void
ss_get_timer (SsStore *store, SsTimer *timer)
{
  SsGet *get = SS_CONTAINER_OF (timer, SsGet, timer);

  if (store->env->now >= get->deadline) {
    finish (store, get, false);
    return;
  }
  uint8_t data[SS_MSG_STORE_GET_MAX];
  size_t len = encode_get (get->id, &get->slot, data);
  unsigned tries = get->tries++;

  ss_timers_arm (&store->env->timers, timer,
                 MIN (store->env->now + RETRY, get->deadline));
  if (tries >= STRAIGHT_AFTER)
    ask_straight (store, get, data, len);
  ss_store_route (store, &get->slot, tries, data, len);
}

static void
send_none (SsStore *store, const SsContact *to, uint64_t id, bool complete)
{
  uint8_t data[SS_MSG_STORE_NONE_MAX];
  SsMsgStoreNone message = { .id = id, .complete = complete };

  ss_store_send (store, to, 0, data,
                 ss_msg_store_none_encode (&message, data, sizeof data));
}

static void
answer (SsStore *store, const SsContact *to, uint64_t id, const SsId *slot,
        bool complete)
{
  SsHeld *held[SS_STORE_KEYS_PER_NAME];
  unsigned n = ss_shelf_list (&store->shelf, slot, held);

  if (n == 0) {
    send_none (store, to, id, complete);
    return;
  }
  for (unsigned i = 0; i < n; i++) {
    uint8_t data[SS_MSG_STORE_RECORD_MAX];
    SsMsgStoreRecord message = {
      .purpose = SS_RECORD_ANSWER,
      .id = id,
      .index = (uint8_t) i,
      .n = (uint8_t) n,
      .kind = held[i]->kind,
      .lifetime = ss_store_ms_left (store, held[i]->expires),
      .age = ss_store_ms_since (store, held[i]->since),
    };

    ss_record_to_message (&held[i]->record, &message);
    ss_store_send (store, to, 0, data,
                   ss_msg_store_record_encode (&message, data, sizeof data));
  }
}

static void
quest_end (SsStore *store, SsQuest *quest)
{
  answer (store, &quest->asker, quest->asker_id, &quest->slot,
          ss_kbr_is_ready (store->kbr));
  g_ptr_array_remove (store->quests, quest);
}

void
ss_get_quest_timer (SsStore *store, SsTimer *timer)
{
  quest_end (store, SS_CONTAINER_OF (timer, SsQuest, timer));
}

static void
start_quest (SsStore *store, const SsContact *asker,
             const SsMsgStoreGet *message)
{
  SsQuest *quest = g_new0 (SsQuest, 1);
  SsContact set[SS_STORE_REPLICAS];
  uint8_t data[SS_MSG_STORE_GET_MAX];

  quest->store = store;
  quest->id = ss_rng_u64 (&store->env->rng);
  quest->asker_id = message->id;
  quest->asker = *asker;
  quest->slot = message->slot;
  ss_timer_init (&quest->timer, SS_LAYER_STORE, STORE_TIMER_QUEST);
  g_ptr_array_add (store->quests, quest);
  size_t len = encode_get (quest->id, &quest->slot, data);
  unsigned n =
      ss_kbr_replica_set (store->kbr, &quest->slot, set, SS_STORE_REPLICAS);

  for (unsigned i = 0; i < n; i++)
    if (!ss_store_is_self (store, &set[i].id)
        && !ss_kbr_is_suspected (store->kbr, &set[i].id)
        && ss_store_send (store, &set[i], 0, data, len))
      quest->n_waiting++;
  if (quest->n_waiting == 0)
    quest_end (store, quest);
  else
    ss_timers_arm (&store->env->timers, &quest->timer,
                   store->env->now + QUEST_TIME);
}

static bool
has_quest_of (SsStore *store, const SsContact *asker, uint64_t asker_id)
{
  for (unsigned i = 0; i < store->quests->len; i++) {
    const SsQuest *quest = g_ptr_array_index (store->quests, i);

    if (quest->asker_id == asker_id && ss_contact_equal (&quest->asker, asker))
      return true;
  }
  return false;
}

void
ss_get_asked (SsStore *store, const SsContact *from, bool is_routed,
              const SsMsgStoreGet *message)
{
  SsHeld *held[SS_STORE_KEYS_PER_NAME];
  unsigned n = ss_shelf_list (&store->shelf, &message->slot, held);

  /* One message may ask for many: they are charged for here. */
  if (n > 1 && !ss_store_is_self (store, &from->id)
      && !ss_quota_take (&store->quota, &from->id, n - 1, store->env->now)) {
    ss_count (store->env, STORE_REFUSED);
    return;
  }
  bool is_known = n > 0 || ss_shelf_has_slot (&store->shelf, &message->slot);

  if (!is_routed || is_known)
    answer (store, from, message->id, &message->slot,
            is_routed && ss_kbr_is_ready (store->kbr));
  else if (has_quest_of (store, from, message->id))
    return;
  else if (store->quests->len >= SS_STORE_QUESTS_MAX)
    send_none (store, from, message->id, false);
  else
    start_quest (store, from, message);
}

/* An answer to a get of this node's own. */
static void
found_one (SsStore *store, SsGet *get, const SsMsgStoreRecord *message)
{
  Found found = { .age = message->age };
  SsId slot;

  if (!ss_store_read_record (store, message, &found.record, &slot))
    return;
  if (!ss_id_equal (&slot, &get->slot)) {
    ss_count (store->env, STORE_REFUSED);
    return;
  }
  unsigned place = 0;

  while (place < get->found->len
         && !ss_key_equal (&g_array_index (get->found, Found, place).record.key,
                           &found.record.key))
    place++;
  if (place == get->found->len) {
    if (place >= SS_STORE_KEYS_PER_NAME)
      return;
    g_array_append_val (get->found, found);
  } else {
    Found *held = &g_array_index (get->found, Found, place);

    if (ss_record_compare (&found.record, &held->record) > 0)
      held->record = found.record;
    held->age = MAX (held->age, found.age);
  }
  if (get->found->len >= message->n)
    finish (store, get, true);
}

void
ss_get_answer (SsStore *store, const SsContact *from,
               const SsMsgStoreRecord *message)
{
  SsGet *get = find_get (store, message->id);
  SsQuest *quest = find_quest (store, message->id);

  if (message->n == 0 || message->index >= message->n
      || message->n > SS_STORE_KEYS_PER_NAME) {
    ss_count (store->env, MESSAGES_MALFORMED);
  } else if (get != NULL) {
    found_one (store, get, message);
  } else if (quest != NULL && ss_replica_keep (store, from, message)) {
    /* The first that has something is enough: the rest comes by offers. */
    quest = find_quest (store, message->id);
    if (quest != NULL && message->index == message->n - 1)
      quest_end (store, quest);
  }
}

void
ss_get_none (SsStore *store, const SsMsgStoreNone *message)
{
  SsGet *get = find_get (store, message->id);
  SsQuest *quest = find_quest (store, message->id);

  if (get != NULL && message->complete != 0)
    finish (store, get, true);
  else if (quest != NULL && --quest->n_waiting == 0)
    quest_end (store, quest);
}
