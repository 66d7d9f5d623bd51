/* The store: its object, messages in and out, and timers. The parts are in
 * owner.c, replica.c and get.c. Replication follows PAST (Rowstron and
 * Druschel, SOSP 2001, section 3) with k = SS_STORE_REPLICAS; records are
 * soft state, so that nothing needs to be deleted, and there is no caching on
 * the way and no diversion: records are few and small. */
#include "store/internal.h"

#include <string.h>

/* Messages a second that one peer, and all together, may send here. A
 * signature costs about 50 us to verify. */
#define PEER_RATE  256.0
#define PEER_BURST 512.0
#define ALL_RATE   2048.0
#define ALL_BURST  4096.0

#define PASS_ON_DELAY (100 * SS_MSEC) /* leaves come and go in groups */

static const SsKbrApp kbr_app;

SsStore *
ss_store_new (SsEnv *env, SsKbr *kbr, const SsStoreUpcalls *upcalls, void *user)
{
  SsStore *store = g_new0 (SsStore, 1);

  store->env = env;
  store->kbr = kbr;
  store->upcalls = *upcalls;
  store->user = user;
  ss_shelf_init (&store->shelf);
  ss_quota_init (&store->quota, PEER_RATE, PEER_BURST, ALL_RATE, ALL_BURST,
                 env->now);
  g_queue_init (&store->loop);
  ss_timer_init (&store->loop_timer, SS_LAYER_STORE, STORE_TIMER_LOOP);
  ss_timer_init (&store->expiry_timer, SS_LAYER_STORE, STORE_TIMER_EXPIRY);
  ss_timer_init (&store->pass_on_timer, SS_LAYER_STORE, STORE_TIMER_PASS_ON);
  store->puts = g_ptr_array_new_with_free_func (ss_owner_free);
  store->jobs = g_ptr_array_new_with_free_func (ss_replica_job_free);
  store->gets = g_ptr_array_new_with_free_func (ss_get_free);
  store->quests = g_ptr_array_new_with_free_func (ss_get_quest_free);
  ss_kbr_register (kbr, SS_PROTOCOL_STORE, &kbr_app, store);
  return store;
}

void
ss_store_free (SsStore *store)
{
  SsTimers *timers = &store->env->timers;

  ss_timers_disarm (timers, &store->loop_timer);
  ss_timers_disarm (timers, &store->expiry_timer);
  ss_timers_disarm (timers, &store->pass_on_timer);
  g_ptr_array_unref (store->puts);
  g_ptr_array_unref (store->jobs);
  g_ptr_array_unref (store->gets);
  g_ptr_array_unref (store->quests);
  g_queue_clear_full (&store->loop, (GDestroyNotify) g_bytes_unref);
  ss_quota_clear (&store->quota);
  ss_shelf_clear (&store->shelf);
  g_free (store);
}

unsigned
ss_store_n_records (const SsStore *store)
{
  return store->shelf.held->len;
}

bool
ss_store_is_self (const SsStore *store, const SsId *id)
{
  return ss_id_equal (id, &ss_kbr_self (store->kbr)->id);
}

bool
ss_store_send (SsStore *store, const SsContact *to, uint64_t token,
               const uint8_t *data, size_t len)
{
  if (ss_store_is_self (store, &to->id)) {
    if (g_queue_get_length (&store->loop) >= SS_STORE_LOOP_MAX)
      return false;
    g_queue_push_tail (&store->loop, g_bytes_new (data, len));
    ss_timers_arm_earliest (&store->env->timers, &store->loop_timer,
                            store->env->now);
    return true;
  }
  const SsKbrSend how = {
    .class = SS_CLASS_KBR_CONTROL,
    .reliable = true,
    .token = token,
  };

  return ss_kbr_send (store->kbr, SS_PROTOCOL_STORE, to, &how, data, len, NULL);
}

bool
ss_store_route (SsStore *store, const SsId *slot, unsigned tries,
                const uint8_t *data, size_t len)
{
  SsContact hops[4];
  const SsContact *hint = NULL;

  if (tries > 0) {
    unsigned n =
        ss_kbr_local_lookup (store->kbr, slot, hops, G_N_ELEMENTS (hops));

    if (n > 0)
      hint = &hops[tries % n];
    if (hint != NULL && ss_store_is_self (store, &hint->id))
      hint = NULL;
  }
  return ss_kbr_route (store->kbr, SS_PROTOCOL_STORE, slot, hint, 0, data, len);
}

uint32_t
ss_store_ms_left (const SsStore *store, SsTime expires)
{
  SsTime left = CLAMP (expires - store->env->now, 0, SS_STORE_LIFETIME);

  return (uint32_t) (left / SS_MSEC);
}

uint32_t
ss_store_ms_since (const SsStore *store, SsTime since)
{
  SsTime ms = MAX (store->env->now - since, 0) / SS_MSEC;

  return (uint32_t) MIN (ms, UINT32_MAX);
}

static bool
is_same (const SsStoreRecord *a, const SsStoreRecord *b)
{
  return ss_record_compare (a, b) == 0 && ss_key_equal (&a->key, &b->key)
         && strcmp (a->name, b->name) == 0 && a->tombstone == b->tombstone
         && a->value_len == b->value_len
         && memcmp (a->value, b->value, a->value_len) == 0;
}

bool
ss_store_read_record (SsStore *store, const SsMsgStoreRecord *message,
                      SsStoreRecord *ret_record, SsId *ret_slot)
{
  SsStoreRecord record;

  if (!ss_record_from_message (message, &record)) {
    ss_count (store->env, MESSAGES_MALFORMED);
    return false;
  }
  SsId slot = ss_record_slot (&record, message->kind);
  const SsHeld *held = ss_shelf_find (&store->shelf, &slot, &record.key);
  bool is_held = held != NULL && is_same (&held->record, &record);

  if (!is_held && !ss_record_verify (&record)) {
    ss_count (store->env, STORE_UNAUTHENTIC);
    return false;
  }
  *ret_record = record;
  *ret_slot = slot;
  return true;
}

static bool
forward (void *app, const SsKbrMessage *message, const SsContact *next)
{
  return true;
}

static void
deliver (void *app, const SsKbrMessage *routed)
{
  SsStore *store = app;
  union {
    SsMsgStoreRecord record;
    SsMsgStoreOffer offer;
    SsMsgStoreGet get;
  } message;
  const uint8_t *data = routed->data;
  size_t len = routed->len;
  bool is_understood = false;

  /* Whose it is at first is the message's own word. */
  if (!ss_store_is_self (store, &routed->previous.id)
      && !ss_quota_take (&store->quota, &routed->source.id, 1,
                         store->env->now)) {
    ss_count (store->env, STORE_REFUSED);
    return;
  }
  switch (len > 0 ? data[0] : 0) {
  case SS_MSG_STORE_RECORD:
    is_understood = ss_msg_store_record_decode (data, len, &message.record)
                    && message.record.purpose == SS_RECORD_PUT;
    if (is_understood)
      ss_replica_put (store, routed, &message.record);
    break;
  case SS_MSG_STORE_OFFER:
    is_understood = ss_msg_store_offer_decode (data, len, &message.offer);
    if (is_understood)
      ss_replica_refresh (store, routed, &message.offer);
    break;
  case SS_MSG_STORE_GET:
    is_understood = ss_msg_store_get_decode (data, len, &message.get);
    if (is_understood)
      ss_get_asked (store, &routed->source, true, &message.get);
    break;
  default:
    ss_count (store->env, MESSAGES_UNKNOWN);
    return;
  }
  if (!is_understood)
    ss_count (store->env, MESSAGES_MALFORMED);
}

static void
direct_record (SsStore *store, const SsContact *from,
               const SsMsgStoreRecord *message)
{
  switch (message->purpose) {
  case SS_RECORD_REPLICA:
    ss_replica_copy (store, from, message);
    return;
  case SS_RECORD_ANSWER:
    ss_get_answer (store, from, message);
    return;
  case SS_RECORD_NEWER:
    ss_owner_newer (store, message);
    return;
  default:
    ss_count (store->env, MESSAGES_MALFORMED);
  }
}

static bool
direct_message (SsStore *store, const SsContact *from, const uint8_t *data,
                size_t len)
{
  union {
    SsMsgStoreRecord record;
    SsMsgStoreOffer offer;
    SsMsgStoreWant want;
    SsMsgStoreStored stored;
    SsMsgStoreGet get;
    SsMsgStoreNone none;
  } message;

  switch (data[0]) {
  case SS_MSG_STORE_RECORD:
    if (!ss_msg_store_record_decode (data, len, &message.record))
      return false;
    direct_record (store, from, &message.record);
    return true;
  case SS_MSG_STORE_OFFER:
    if (!ss_msg_store_offer_decode (data, len, &message.offer))
      return false;
    ss_replica_offer (store, from, &message.offer);
    return true;
  case SS_MSG_STORE_WANT:
    if (!ss_msg_store_want_decode (data, len, &message.want))
      return false;
    if (!ss_replica_want (store, from, &message.want))
      ss_owner_want (store, &message.want);
    return true;
  case SS_MSG_STORE_STORED:
    if (!ss_msg_store_stored_decode (data, len, &message.stored))
      return false;
    ss_owner_stored (store, &message.stored);
    return true;
  case SS_MSG_STORE_GET:
    if (!ss_msg_store_get_decode (data, len, &message.get))
      return false;
    ss_get_asked (store, from, false, &message.get);
    return true;
  case SS_MSG_STORE_NONE:
    if (!ss_msg_store_none_decode (data, len, &message.none))
      return false;
    ss_get_none (store, &message.none);
    return true;
  default:
    ss_count (store->env, MESSAGES_UNKNOWN);
    return true;
  }
}

static void
direct (void *app, const SsContact *from, const uint8_t *data, size_t len)
{
  SsStore *store = app;

  if (!ss_store_is_self (store, &from->id)
      && !ss_quota_take (&store->quota, &from->id, 1, store->env->now)) {
    ss_count (store->env, STORE_REFUSED);
    return;
  }
  if (len == 0 || !direct_message (store, from, data, len))
    ss_count (store->env, MESSAGES_MALFORMED);
}

static void
update (void *app, const SsContact *peer, SsKbrChange change)
{
  SsStore *store = app;

  if ((change == SS_KBR_JOINED || change == SS_KBR_LEFT)
      && store->shelf.held->len > 0)
    ss_timers_arm_earliest (&store->env->timers, &store->pass_on_timer,
                            store->env->now + PASS_ON_DELAY);
}

static void
outcome (void *app, const SsContact *to, uint64_t token, SsKbrOutcome what)
{
  ss_replica_outcome (app, token, what);
}

static const SsKbrApp kbr_app = {
  .forward = forward,
  .deliver = deliver,
  .update = update,
  .direct = direct,
  .outcome = outcome,
};

static void
take_loop (SsStore *store)
{
  /* What is queued meanwhile comes at the next firing. */
  for (unsigned n = g_queue_get_length (&store->loop); n > 0; n--) {
    GBytes *bytes = g_queue_pop_head (&store->loop);
    gsize len;
    const uint8_t *data = g_bytes_get_data (bytes, &len);

    direct (store, ss_kbr_self (store->kbr), data, len);
    g_bytes_unref (bytes);
  }
  if (!g_queue_is_empty (&store->loop))
    ss_timers_arm (&store->env->timers, &store->loop_timer, store->env->now);
}

void
ss_store_timer (SsStore *store, SsTimer *timer)
{
  switch ((SsStoreTimer) timer->kind) {
  case STORE_TIMER_LOOP:
    take_loop (store);
    return;
  case STORE_TIMER_EXPIRY:
    ss_shelf_expire (&store->shelf, store->env->now);
    ss_timers_arm (&store->env->timers, timer,
                   ss_shelf_deadline (&store->shelf));
    return;
  case STORE_TIMER_PASS_ON:
    ss_replica_pass_on (store);
    return;
  case STORE_TIMER_PUT:
    ss_owner_timer (store, timer);
    return;
  case STORE_TIMER_JOB:
    ss_replica_job_timer (store, timer);
    return;
  case STORE_TIMER_GET:
    ss_get_timer (store, timer);
    return;
  case STORE_TIMER_QUEST:
    ss_get_quest_timer (store, timer);
    return;
  }
  g_assert_not_reached ();
}
