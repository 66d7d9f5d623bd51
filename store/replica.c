/* Being the root of a slot, or one of its replicas. The root takes puts and
 * refreshes from owners and sees to it that the other replicas hold the
 * record; when leaves come or go, those nearest to the slot offer its records
 * to whoever has become a replica. */
#include "store/internal.h"

#include <string.h>

#define JOB_TIME (300 * SS_MSEC) /* a silent replica is not waited for */
/* Replica sets of two nodes may differ for a moment: who is this much
 * farther still takes a copy. */
#define REPLICA_SLACK 3
/* Offers at once when leaves change, and when to go on. The rate stays under
 * what the receiver's limit allows. */
#define OFFERS_AT_ONCE  32
#define OFFERS_PAUSE    (250 * SS_MSEC)
#define NOT_READY_PAUSE (500 * SS_MSEC)
/* How many of those nearest to the slot offer to a newcomer. */
#define OFFERERS 2
/* Who may share a slot with this node is one of its leaves. */
#define LEAVES_MAX 32

struct SsJob {
  SsTimer timer;
  SsStore *store;
  uint64_t number;
  SsContact owner;
  SsId slot;
  SsKey key;
  uint64_t version;
  SsContact replicas[SS_STORE_REPLICAS];
  unsigned n_replicas;
  unsigned pending, holding; /* bit masks over replicas */
};

void
ss_replica_job_free (gpointer data)
{
  SsJob *job = data;

  ss_timers_disarm (&job->store->env->timers, &job->timer);
  g_free (job);
}

static bool
is_among (const SsContact *contacts, unsigned n, const SsId *id)
{
  for (unsigned i = 0; i < n; i++)
    if (ss_id_equal (&contacts[i].id, id))
      return true;
  return false;
}

static bool
is_known_replica (const SsHeld *held, const SsId *id)
{
  for (unsigned i = 0; i < held->n_replicas; i++)
    if (ss_id_equal (&held->replicas[i], id))
      return true;
  return false;
}

/* The slot's replicas but this node. */
static unsigned
other_replicas (SsStore *store, const SsId *slot,
                SsContact ret_others[SS_STORE_REPLICAS])
{
  SsContact set[SS_STORE_REPLICAS];
  unsigned n = ss_kbr_replica_set (store->kbr, slot, set, SS_STORE_REPLICAS);
  unsigned n_others = 0;

  for (unsigned i = 0; i < n; i++)
    if (!ss_store_is_self (store, &set[i].id))
      ret_others[n_others++] = set[i];
  return n_others;
}

/* A new record: its other replicas are taken to have it as well. */
static void
remember_replicas (SsStore *store, SsHeld *held)
{
  SsContact others[SS_STORE_REPLICAS];

  held->n_replicas = other_replicas (store, &held->slot, others);
  for (unsigned i = 0; i < held->n_replicas; i++)
    held->replicas[i] = others[i].id;
}

/* But the root may have been handed it by one that is none any more. */
static void
doubt_replicas (SsStore *store, SsHeld *held)
{
  if (!ss_kbr_is_root (store->kbr, &held->slot, false))
    return;
  held->n_replicas = 0;
  ss_timers_arm_earliest (&store->env->timers, &store->pass_on_timer,
                          store->env->now);
}

static bool
may_keep (SsStore *store, const SsId *slot)
{
  SsContact set[SS_STORE_REPLICAS + REPLICA_SLACK];
  unsigned n = ss_kbr_replica_set (store->kbr, slot, set, G_N_ELEMENTS (set));

  return is_among (set, n, &ss_kbr_self (store->kbr)->id);
}

static bool
is_leaf (SsStore *store, const SsId *id)
{
  SsContact leaves[LEAVES_MAX];
  unsigned n = ss_kbr_neighbor_set (store->kbr, leaves, LEAVES_MAX);

  return is_among (leaves, n, id);
}

/* Only leaves are believed about how long a key has been there; any other
 * would make its own key the oldest of a name. */
static SsTime
believed_age (SsStore *store, const SsContact *from, uint32_t age_ms)
{
  return is_leaf (store, &from->id) ? age_ms * SS_MSEC : 0;
}

static SsTime
allowed_lifetime (uint32_t lifetime_ms)
{
  return MIN (lifetime_ms * SS_MSEC, SS_STORE_LIFETIME);
}

static bool
send_record (SsStore *store, const SsContact *to, const SsHeld *held,
             SsRecordPurpose purpose, uint64_t token)
{
  uint8_t data[SS_MSG_STORE_RECORD_MAX];
  SsMsgStoreRecord message = {
    .purpose = purpose,
    .kind = held->kind,
    .lifetime = ss_store_ms_left (store, held->expires),
    .age = ss_store_ms_since (store, held->since),
  };

  ss_record_to_message (&held->record, &message);
  return ss_store_send (
      store, to, token, data,
      ss_msg_store_record_encode (&message, data, sizeof data));
}

static size_t
encode_offer (SsStore *store, const SsHeld *held,
              uint8_t ret_data[SS_MSG_STORE_OFFER_MAX])
{
  SsMsgStoreOffer message = {
    .kind = held->kind,
    .slot = held->slot,
    .key = held->record.key,
    .version = held->record.version,
    .lifetime = ss_store_ms_left (store, held->expires),
    .age = ss_store_ms_since (store, held->since),
  };

  return ss_msg_store_offer_encode (&message, ret_data, SS_MSG_STORE_OFFER_MAX);
}

static bool
send_offer (SsStore *store, const SsContact *to, const SsHeld *held,
            uint64_t token)
{
  uint8_t data[SS_MSG_STORE_OFFER_MAX];

  return ss_store_send (store, to, token, data,
                        encode_offer (store, held, data));
}

static void
send_want (SsStore *store, const SsContact *to, const SsId *slot,
           const SsKey *key)
{
  uint8_t data[SS_MSG_STORE_WANT_MAX];
  SsMsgStoreWant message = { .slot = *slot, .key = *key };

  ss_store_send (store, to, 0, data,
                 ss_msg_store_want_encode (&message, data, sizeof data));
}

static void
send_stored (SsStore *store, const SsContact *to, const SsId *slot,
             const SsKey *key, uint64_t version, unsigned n_replicas)
{
  uint8_t data[SS_MSG_STORE_STORED_MAX];
  SsMsgStoreStored message = {
    .slot = *slot,
    .key = *key,
    .version = version,
    .n_replicas = (uint8_t) n_replicas,
  };

  ss_store_send (store, to, 0, data,
                 ss_msg_store_stored_encode (&message, data, sizeof data));
}

static void
job_end (SsStore *store, SsJob *job)
{
  unsigned n = 1 + (unsigned) __builtin_popcount (job->holding);

  send_stored (store, &job->owner, &job->slot, &job->key, job->version, n);
  g_ptr_array_remove (store->jobs, job);
}

void
ss_replica_job_timer (SsStore *store, SsTimer *timer)
{
  job_end (store, SS_CONTAINER_OF (timer, SsJob, timer));
}

/* The owner's put or refresh has reached its root: sees to the replicas, and
 * tells the owner how many there are. */
static void
replicate (SsStore *store, const SsHeld *held, const SsContact *owner,
           bool is_whole)
{
  /* Of two at work on one record the later takes the other's place. */
  for (unsigned i = store->jobs->len; i-- > 0;) {
    const SsJob *other = g_ptr_array_index (store->jobs, i);

    if (ss_id_equal (&other->slot, &held->slot)
        && ss_key_equal (&other->key, &held->record.key))
      g_ptr_array_remove_index (store->jobs, i);
  }
  if (store->jobs->len >= SS_STORE_JOBS_MAX)
    g_ptr_array_remove_index (store->jobs, 0);
  SsJob *job = g_new0 (SsJob, 1);

  job->store = store;
  job->number = ++store->n_jobs_ever;
  job->owner = *owner;
  job->slot = held->slot;
  job->key = held->record.key;
  job->version = held->record.version;
  job->n_replicas = other_replicas (store, &held->slot, job->replicas);
  ss_timer_init (&job->timer, SS_LAYER_STORE, STORE_TIMER_JOB);
  g_ptr_array_add (store->jobs, job);
  for (unsigned i = 0; i < job->n_replicas; i++) {
    uint64_t token = job->number * SS_STORE_REPLICAS + i;

    if (is_whole ? send_record (store, &job->replicas[i], held,
                                SS_RECORD_REPLICA, token)
                 : send_offer (store, &job->replicas[i], held, token))
      job->pending |= 1U << i;
  }
  if (job->pending == 0)
    job_end (store, job);
  else
    ss_timers_arm (&store->env->timers, &job->timer,
                   store->env->now + JOB_TIME);
}

void
ss_replica_outcome (SsStore *store, uint64_t token, SsKbrOutcome outcome)
{
  if (outcome == SS_KBR_LATE)
    return;
  for (unsigned i = 0; i < store->jobs->len; i++) {
    SsJob *job = g_ptr_array_index (store->jobs, i);

    if (job->number != token / SS_STORE_REPLICAS)
      continue;
    unsigned bit = 1U << token % SS_STORE_REPLICAS;

    job->pending &= ~bit;
    if (outcome == SS_KBR_ACKED)
      job->holding |= bit;
    if (job->pending == 0)
      job_end (store, job);
    return;
  }
}

static void
keep_up (SsStore *store, const SsHeld *offer, SsShelfVerdict verdict)
{
  if (verdict != SS_SHELF_NEW && verdict != SS_SHELF_NEWER
      && verdict != SS_SHELF_SAME)
    return;
  SsHeld *held =
      ss_shelf_find (&store->shelf, &offer->slot, &offer->record.key);

  if (verdict == SS_SHELF_NEW)
    remember_replicas (store, held);
  ss_timers_arm_earliest (&store->env->timers, &store->expiry_timer,
                          held->expires);
}

void
ss_replica_put (SsStore *store, const SsKbrMessage *routed,
                const SsMsgStoreRecord *message)
{
  SsTime now = store->env->now;
  SsHeld offer = {
    .kind = message->kind,
    .since = now,
    .expires = now + allowed_lifetime (message->lifetime),
    .source = routed->source.id,
  };

  if (!ss_store_read_record (store, message, &offer.record, &offer.slot))
    return;
  if (!ss_id_equal (&offer.slot, &routed->key)) {
    ss_count (store->env, STORE_REFUSED);
    return;
  }
  SsShelfVerdict verdict = ss_shelf_take (&store->shelf, &offer);
  const SsHeld *held =
      ss_shelf_find (&store->shelf, &offer.slot, &offer.record.key);

  keep_up (store, &offer, verdict);
  switch (verdict) {
  case SS_SHELF_NEW:
  case SS_SHELF_NEWER:
  case SS_SHELF_SAME:
    replicate (store, held, &routed->source, true);
    return;
  case SS_SHELF_OLDER:
    send_record (store, &routed->source, held, SS_RECORD_NEWER, 0);
    return;
  case SS_SHELF_SLOT_FULL:
  case SS_SHELF_FULL:
    ss_count (store->env, STORE_REFUSED);
    send_stored (store, &routed->source, &offer.slot, &offer.record.key,
                 offer.record.version, 0);
    return;
  }
}

static void
offer_of_message (SsStore *store, const SsMsgStoreOffer *message, SsTime age,
                  SsHeld *ret_offer)
{
  memset (ret_offer, 0, sizeof *ret_offer);
  ret_offer->slot = message->slot;
  ret_offer->kind = message->kind;
  ret_offer->since = store->env->now - age;
  ret_offer->expires = store->env->now + allowed_lifetime (message->lifetime);
  ret_offer->record.key = message->key;
  ret_offer->record.version = message->version;
}

/* Prolongs what is held if it is what is offered. */
static SsShelfVerdict
refresh (SsStore *store, const SsHeld *offer)
{
  SsShelfVerdict verdict = ss_shelf_judge (&store->shelf, offer, false);

  if (verdict == SS_SHELF_SAME) {
    SsHeld *held =
        ss_shelf_find (&store->shelf, &offer->slot, &offer->record.key);

    held->expires = MAX (held->expires, offer->expires);
    held->since = MIN (held->since, offer->since);
  }
  return verdict;
}

void
ss_replica_refresh (SsStore *store, const SsKbrMessage *routed,
                    const SsMsgStoreOffer *message)
{
  SsHeld offer;

  if (!ss_id_equal (&message->slot, &routed->key)
      || message->kind >= SS_N_SLOT_KINDS) {
    ss_count (store->env, STORE_REFUSED);
    return;
  }
  offer_of_message (store, message, 0, &offer);
  SsShelfVerdict verdict = refresh (store, &offer);
  const SsHeld *held =
      ss_shelf_find (&store->shelf, &offer.slot, &offer.record.key);

  switch (verdict) {
  case SS_SHELF_SAME:
    replicate (store, held, &routed->source, false);
    return;
  case SS_SHELF_NEW:
  case SS_SHELF_NEWER:
    send_want (store, &routed->source, &offer.slot, &offer.record.key);
    return;
  case SS_SHELF_OLDER:
    send_record (store, &routed->source, held, SS_RECORD_NEWER, 0);
    return;
  case SS_SHELF_SLOT_FULL:
  case SS_SHELF_FULL:
    send_stored (store, &routed->source, &offer.slot, &offer.record.key,
                 offer.record.version, 0);
    return;
  }
}

/* Takes a copy that another node holds; false if it was of no use. */
bool
ss_replica_keep (SsStore *store, const SsContact *from,
                 const SsMsgStoreRecord *message)
{
  SsTime now = store->env->now;
  SsHeld offer = {
    .kind = message->kind,
    .since = now - believed_age (store, from, message->age),
    .expires = now + allowed_lifetime (message->lifetime),
  };

  /* Replicas are leaves; the room that any other may take is bounded. */
  if (!is_leaf (store, &from->id))
    offer.source = from->id;
  if (!ss_store_read_record (store, message, &offer.record, &offer.slot))
    return false;
  if (!may_keep (store, &offer.slot)) {
    ss_count (store->env, STORE_REFUSED);
    return false;
  }
  SsShelfVerdict verdict = ss_shelf_take (&store->shelf, &offer);

  keep_up (store, &offer, verdict);
  SsHeld *held = ss_shelf_find (&store->shelf, &offer.slot, &offer.record.key);

  if (verdict == SS_SHELF_OLDER)
    send_record (store, from, held, SS_RECORD_REPLICA, 0);
  else if (verdict == SS_SHELF_NEW)
    doubt_replicas (store, held);
  return true;
}

void
ss_replica_copy (SsStore *store, const SsContact *from,
                 const SsMsgStoreRecord *message)
{
  ss_replica_keep (store, from, message);
}

void
ss_replica_offer (SsStore *store, const SsContact *from,
                  const SsMsgStoreOffer *message)
{
  SsHeld offer;

  if (message->kind >= SS_N_SLOT_KINDS || !may_keep (store, &message->slot)) {
    ss_count (store->env, STORE_REFUSED);
    return;
  }
  offer_of_message (store, message, believed_age (store, from, message->age),
                    &offer);
  const SsHeld *held;

  switch (refresh (store, &offer)) {
  case SS_SHELF_SAME:
  case SS_SHELF_SLOT_FULL:
  case SS_SHELF_FULL:
    return;
  case SS_SHELF_NEW:
  case SS_SHELF_NEWER:
    send_want (store, from, &offer.slot, &offer.record.key);
    return;
  case SS_SHELF_OLDER:
    held = ss_shelf_find (&store->shelf, &offer.slot, &offer.record.key);
    send_record (store, from, held, SS_RECORD_REPLICA, 0);
    return;
  }
}

bool
ss_replica_want (SsStore *store, const SsContact *from,
                 const SsMsgStoreWant *message)
{
  const SsHeld *held =
      ss_shelf_find (&store->shelf, &message->slot, &message->key);
  uint64_t token = 0;

  if (held == NULL)
    return false;
  /* Of a refresh under way this replica is not to be counted before it has
   * the record. */
  for (unsigned i = 0; i < store->jobs->len; i++) {
    SsJob *job = g_ptr_array_index (store->jobs, i);

    if (!ss_id_equal (&job->slot, &held->slot)
        || !ss_key_equal (&job->key, &held->record.key))
      continue;
    for (unsigned j = 0; j < job->n_replicas; j++) {
      if (!ss_id_equal (&job->replicas[j].id, &from->id))
        continue;
      token = job->number * SS_STORE_REPLICAS + j;
      /* The offer's own acknowledgement is still to come, perhaps. */
      ss_kbr_cancel (store->kbr, SS_PROTOCOL_STORE, &from->id, token);
      job->pending |= 1U << j;
      job->holding &= ~(1U << j);
    }
  }
  send_record (store, from, held, SS_RECORD_REPLICA, token);
  return true;
}

/* Tells the root, which asks for what it does not hold. Where a ring grows by
 * many times within seconds those that this node takes for the replicas are
 * none either: only the way of a message leads there. */
static bool
hand_over (SsStore *store, const SsHeld *held)
{
  uint8_t data[SS_MSG_STORE_OFFER_MAX];
  size_t len = encode_offer (store, held, data);

  return ss_store_route (store, &held->slot, 0, data, len);
}

/* Offers one record to those who have become its replicas. Returns the offers
 * made; what could not be sent is tried again the next time. */
static unsigned
pass_on_one (SsStore *store, SsHeld *held, bool *ret_is_unfinished)
{
  SsContact others[SS_STORE_REPLICAS];
  unsigned n = other_replicas (store, &held->slot, others);
  SsId known[SS_STORE_REPLICAS];
  unsigned n_known = 0, n_offers = 0, n_sharers_nearer = 0;
  const SsId *self = &ss_kbr_self (store->kbr)->id;

  for (unsigned i = 0; i < n; i++)
    if (is_known_replica (held, &others[i].id)
        && ss_id_closer (&held->slot, &others[i].id, self))
      n_sharers_nearer++;
  for (unsigned i = 0; i < n; i++) {
    if (!is_known_replica (held, &others[i].id)
        && n_sharers_nearer < OFFERERS) {
      if (!send_offer (store, &others[i], held, 0)) {
        *ret_is_unfinished = true;
        continue;
      }
      n_offers++;
    }
    known[n_known++] = others[i].id;
  }
  memcpy (held->replicas, known, n_known * sizeof known[0]);
  held->n_replicas = n_known;
  /* With this node it would be one less. */
  if (n < SS_STORE_REPLICAS)
    held->is_handed_over = false;
  else if (!held->is_handed_over) {
    held->is_handed_over = hand_over (store, held);
    *ret_is_unfinished |= !held->is_handed_over;
    n_offers++;
  }
  return n_offers;
}

void
ss_replica_pass_on (SsStore *store)
{
  bool is_unfinished = false;
  unsigned n_offers = 0;

  if (store->shelf.held->len == 0)
    return;
  if (!ss_kbr_is_ready (store->kbr)) {
    ss_timers_arm (&store->env->timers, &store->pass_on_timer,
                   store->env->now + NOT_READY_PAUSE);
    return;
  }
  for (unsigned i = 0; i < store->shelf.held->len; i++) {
    if (n_offers >= OFFERS_AT_ONCE) {
      is_unfinished = true;
      break;
    }
    n_offers += pass_on_one (store, g_ptr_array_index (store->shelf.held, i),
                             &is_unfinished);
  }
  if (is_unfinished)
    ss_timers_arm (&store->env->timers, &store->pass_on_timer,
                   store->env->now + OFFERS_PAUSE);
}
