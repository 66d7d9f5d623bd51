/* An owner keeps its records alive: it puts each into both slots, and then
 * refreshes by naming it only, every third of its lifetime; who does not
 * hold it any more asks for it. */
#include "store/internal.h"

#define RETRY_FIRST     (500 * SS_MSEC)
#define RETRY_MAX       (8 * SS_SEC)
#define WANT_INTERVAL   (100 * SS_MSEC) /* between answers to STORE_WANT */
#define REFRESH_TRIES   2 /* unanswered refreshes before the whole record */
#define TOMBSTONE_TRIES 20
/* Refreshes spread over this share of their period, in percent. */
#define JITTER 10

typedef struct {
  SsTimer timer;
  SsPut *put;
  SsSlotKind kind;
  SsId slot;
  bool is_known;  /* the root holds this version: naming it is enough */
  unsigned tries; /* sent since the last answer */
  int n_replicas; /* as reported last; -1: never */
  SsTime sent_whole;
} SsPutSlot;

struct SsPut {
  SsStore *store;
  SsStoreRecord record;
  SsPutSlot slots[SS_N_SLOT_KINDS];
};

void
ss_owner_free (gpointer data)
{
  SsPut *put = data;

  for (unsigned i = 0; i < SS_N_SLOT_KINDS; i++)
    ss_timers_disarm (&put->store->env->timers, &put->slots[i].timer);
  g_free (put);
}

static SsPut *
find (SsStore *store, const SsKey *key, const char *name)
{
  for (unsigned i = 0; i < store->puts->len; i++) {
    SsPut *put = g_ptr_array_index (store->puts, i);

    if (ss_key_equal (&put->record.key, key)
        && g_str_equal (put->record.name, name))
      return put;
  }
  return NULL;
}

static SsPutSlot *
find_slot (SsStore *store, const SsId *slot, const SsKey *key)
{
  for (unsigned i = 0; i < store->puts->len; i++) {
    SsPut *put = g_ptr_array_index (store->puts, i);

    for (unsigned j = 0; j < SS_N_SLOT_KINDS; j++)
      if (ss_id_equal (&put->slots[j].slot, slot)
          && ss_key_equal (&put->record.key, key))
        return &put->slots[j];
  }
  return NULL;
}

void
ss_store_put (SsStore *store, const SsStoreRecord *record)
{
  g_assert (ss_store_name_is_valid (record->name));
  g_assert (record->value_len <= SS_STORE_VALUE_MAX);
  SsPut *put = find (store, &record->key, record->name);

  if (put == NULL) {
    g_assert (store->puts->len < SS_STORE_PUTS_MAX);
    put = g_new0 (SsPut, 1);
    put->store = store;
    g_ptr_array_add (store->puts, put);
    for (unsigned i = 0; i < SS_N_SLOT_KINDS; i++) {
      put->slots[i].put = put;
      put->slots[i].kind = i;
      put->slots[i].slot = ss_record_slot (record, i);
      ss_timer_init (&put->slots[i].timer, SS_LAYER_STORE, STORE_TIMER_PUT);
    }
  } else if (ss_record_compare (record, &put->record) <= 0) {
    return;
  }
  put->record = *record;
  for (unsigned i = 0; i < SS_N_SLOT_KINDS; i++) {
    SsPutSlot *slot = &put->slots[i];

    slot->is_known = false;
    slot->tries = 0;
    slot->n_replicas = -1;
    slot->sent_whole = -SS_SEC;
    ss_timers_arm (&store->env->timers, &slot->timer, store->env->now);
  }
}

void
ss_store_withdraw (SsStore *store, const SsKey *key, const char *name)
{
  SsPut *put = find (store, key, name);

  if (put != NULL)
    g_ptr_array_remove (store->puts, put);
}

static bool
send_whole (SsStore *store, SsPutSlot *slot)
{
  uint8_t data[SS_MSG_STORE_RECORD_MAX];
  SsMsgStoreRecord message = {
    .purpose = SS_RECORD_PUT,
    .kind = slot->kind,
    .lifetime = SS_STORE_LIFETIME / SS_MSEC,
  };

  ss_record_to_message (&slot->put->record, &message);
  slot->sent_whole = store->env->now;
  size_t len = ss_msg_store_record_encode (&message, data, sizeof data);

  return ss_store_route (store, &slot->slot, slot->tries, data, len);
}

static bool
send_refresh (SsStore *store, SsPutSlot *slot)
{
  uint8_t data[SS_MSG_STORE_OFFER_MAX];
  SsMsgStoreOffer message = {
    .kind = slot->kind,
    .slot = slot->slot,
    .key = slot->put->record.key,
    .version = slot->put->record.version,
    .lifetime = SS_STORE_LIFETIME / SS_MSEC,
  };
  size_t len = ss_msg_store_offer_encode (&message, data, sizeof data);

  return ss_store_route (store, &slot->slot, slot->tries, data, len);
}

void
ss_owner_timer (SsStore *store, SsTimer *timer)
{
  SsPutSlot *slot = SS_CONTAINER_OF (timer, SsPutSlot, timer);
  SsPut *put = slot->put;

  if (put->record.tombstone && slot->tries >= TOMBSTONE_TRIES) {
    g_ptr_array_remove (store->puts, put);
    return;
  }
  if (slot->tries >= REFRESH_TRIES)
    slot->is_known = false;
  SsTime wait = RETRY_FIRST << MIN (slot->tries, 4);

  /* Armed first, because a root of its own answers before route returns. */
  ss_timers_arm (&store->env->timers, timer,
                 store->env->now + MIN (wait, RETRY_MAX));
  bool is_sent =
      slot->is_known ? send_refresh (store, slot) : send_whole (store, slot);

  if (is_sent)
    slot->tries++;
  else /* No ring yet. */
    ss_timers_arm (&store->env->timers, timer, store->env->now + RETRY_FIRST);
}

static void
arm_refresh (SsStore *store, SsPutSlot *slot)
{
  SsTime period = SS_STORE_LIFETIME / 3;
  SsTime spread = period * JITTER / 100;
  SsTime early = (SsTime) ss_rng_below (&store->env->rng, (uint64_t) spread);

  slot->tries = 0;
  ss_timers_arm (&store->env->timers, &slot->timer,
                 store->env->now + period - early);
}

/* A tombstone that lies where it should needs no refresh: it outlives what
 * it buries, whose owner has stopped refreshing. */
static bool
is_done (const SsPut *put)
{
  if (!put->record.tombstone)
    return false;
  for (unsigned i = 0; i < SS_N_SLOT_KINDS; i++)
    if (put->slots[i].n_replicas < 0)
      return false;
  return true;
}

void
ss_owner_stored (SsStore *store, const SsMsgStoreStored *message)
{
  SsPutSlot *slot = find_slot (store, &message->slot, &message->key);

  /* Only an answer that is awaited counts: anybody could send this, and so
   * put the refresh off for ever. */
  if (slot == NULL || slot->tries == 0
      || message->version != slot->put->record.version)
    return;
  bool is_changed = slot->n_replicas != message->n_replicas;

  slot->n_replicas = message->n_replicas;
  slot->is_known = message->n_replicas > 0;
  arm_refresh (store, slot);
  SsId id = slot->slot;

  if (is_done (slot->put))
    g_ptr_array_remove (store->puts, slot->put);
  if (is_changed && store->upcalls.stored != NULL)
    store->upcalls.stored (store->user, &id, message->n_replicas, NULL);
}

void
ss_owner_newer (SsStore *store, const SsMsgStoreRecord *message)
{
  SsStoreRecord newer;
  SsId id;

  /* No signature is checked for who owns no such record. */
  if (!ss_record_from_message (message, &newer))
    return;
  SsPut *put = find (store, &newer.key, newer.name);

  if (put == NULL || ss_record_compare (&newer, &put->record) <= 0
      || !ss_store_read_record (store, message, &newer, &id))
    return;
  g_ptr_array_remove (store->puts, put);
  if (store->upcalls.stored != NULL)
    store->upcalls.stored (store->user, &id, 0, &newer);
}

void
ss_owner_want (SsStore *store, const SsMsgStoreWant *message)
{
  SsPutSlot *slot = find_slot (store, &message->slot, &message->key);

  if (slot == NULL)
    return;
  slot->is_known = false;
  slot->tries = 0;
  ss_timers_arm_earliest (
      &store->env->timers, &slot->timer,
      MAX (store->env->now, slot->sent_whole + WANT_INTERVAL));
}
