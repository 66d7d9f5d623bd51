/* What the store's files share. Timers, kinds and owners:
 *
 *   LOOP     store   messages to itself wait: upcalls never come out of a
 *                    call of the store's user
 *   EXPIRY   store   the first record to expire
 *   PASS_ON  store   leaves changed: look whom records must be offered to
 *   PUT      slot    an owner's put, refresh or another try
 *   JOB      job     replicas have had time enough to acknowledge
 *   GET      get     another try, or the end of it
 *   QUEST    quest   replicas have had time enough to answer */
#pragma once

#include "base/quota.h"
#include "store/record.h"
#include "store/shelf.h"
#include "store/store.h"

typedef enum {
  STORE_TIMER_LOOP,
  STORE_TIMER_EXPIRY,
  STORE_TIMER_PASS_ON,
  STORE_TIMER_PUT,
  STORE_TIMER_JOB,
  STORE_TIMER_GET,
  STORE_TIMER_QUEST,
} SsStoreTimer;

#define SS_STORE_PUTS_MAX   32 /* own records kept alive */
#define SS_STORE_GETS_MAX   32
#define SS_STORE_JOBS_MAX   64 /* puts and refreshes being replicated */
#define SS_STORE_QUESTS_MAX 64 /* gets handed to other replicas */
#define SS_STORE_LOOP_MAX   256

struct SsStore {
  SsEnv *env;
  SsKbr *kbr;
  SsStoreUpcalls upcalls;
  void *user;
  SsShelf shelf;
  SsQuota quota;
  GQueue loop; /* GBytes */
  SsTimer loop_timer, expiry_timer, pass_on_timer;
  GPtrArray *puts;   /* SsPut, in the order of their making, as the rest */
  GPtrArray *jobs;   /* SsJob */
  GPtrArray *gets;   /* SsGet */
  GPtrArray *quests; /* SsQuest */
  uint64_t n_jobs_ever;
};

/* store.c */

/* Reliably, and for itself too: then it comes by the loop timer. token: see
 * SsKbrSend. */
bool ss_store_send (SsStore *store, const SsContact *to, uint64_t token,
                    const uint8_t *data, size_t len);
/* Routes; from the second try on by another first hop than before. */
bool ss_store_route (SsStore *store, const SsId *slot, unsigned tries,
                     const uint8_t *data, size_t len);
bool ss_store_is_self (const SsStore *store, const SsId *id);
/* Decodes a record, finds its slot and checks the signature, unless the very
 * same record is held already. Counts what it refuses. */
bool ss_store_read_record (SsStore *store, const SsMsgStoreRecord *message,
                           SsStoreRecord *ret_record, SsId *ret_slot);
/* As SsMsgStoreRecord's fields: what remains, cut to what is allowed. */
uint32_t ss_store_ms_left (const SsStore *store, SsTime expires);
uint32_t ss_store_ms_since (const SsStore *store, SsTime since);

/* owner.c: keeping own records alive. */
typedef struct SsPut SsPut;
void ss_owner_free (gpointer put);
void ss_owner_timer (SsStore *store, SsTimer *timer);
void ss_owner_stored (SsStore *store, const SsMsgStoreStored *message);
void ss_owner_newer (SsStore *store, const SsMsgStoreRecord *message);
void ss_owner_want (SsStore *store, const SsMsgStoreWant *message);

/* replica.c: being root or replica. */
typedef struct SsJob SsJob;
void ss_replica_job_free (gpointer job);
void ss_replica_put (SsStore *store, const SsKbrMessage *routed,
                     const SsMsgStoreRecord *message);
void ss_replica_refresh (SsStore *store, const SsKbrMessage *routed,
                         const SsMsgStoreOffer *message);
void ss_replica_copy (SsStore *store, const SsContact *from,
                      const SsMsgStoreRecord *message);
void ss_replica_offer (SsStore *store, const SsContact *from,
                       const SsMsgStoreOffer *message);
/* False when the record is not held. */
bool ss_replica_want (SsStore *store, const SsContact *from,
                      const SsMsgStoreWant *message);
void ss_replica_outcome (SsStore *store, uint64_t token, SsKbrOutcome outcome);
void ss_replica_job_timer (SsStore *store, SsTimer *timer);
void ss_replica_pass_on (SsStore *store);
bool ss_replica_keep (SsStore *store, const SsContact *from,
                      const SsMsgStoreRecord *message);

/* get.c: asking, and answering. */
typedef struct SsGet SsGet;
typedef struct SsQuest SsQuest;
void ss_get_free (gpointer get);
void ss_get_quest_free (gpointer quest);
void ss_get_timer (SsStore *store, SsTimer *timer);
void ss_get_quest_timer (SsStore *store, SsTimer *timer);
void ss_get_asked (SsStore *store, const SsContact *from, bool is_routed,
                   const SsMsgStoreGet *message);
void ss_get_answer (SsStore *store, const SsContact *from,
                    const SsMsgStoreRecord *message);
void ss_get_none (SsStore *store, const SsMsgStoreNone *message);
