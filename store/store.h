/* The store: small signed records, replicated on the SS_STORE_REPLICAS nodes
 * closest to their slot (PAST, SOSP 2001, reduced to signed soft state).
 *
 * A record belongs to a key and a name and may lie in two slots (DESIGN
 * section 5): its own, BLAKE2b-160 (fingerprint || name), where only this
 * key's records are accepted; and the name's, BLAKE2b-160 ("name" || name),
 * where at most SS_STORE_KEYS_PER_NAME keys share the name, the oldest kept.
 * Versions only grow; records pass between replicas with their remaining
 * lifetime; a tombstone is a record without value.
 *
 * Upcalls come from input and timers only, never out of a call made here;
 * they may put, withdraw and get, not free. */
#pragma once

#include "base/env.h"
#include "base/signer.h"
#include "overlay/kbr.h"

#define SS_STORE_REPLICAS      5
#define SS_STORE_KEYS_PER_NAME 16
#define SS_STORE_NAME_MAX      64 /* bytes of UTF-8, without NUL */
#define SS_STORE_VALUE_MAX     800
#define SS_STORE_LIFETIME      (120 * SS_SEC) /* refreshed at a third */

typedef struct SsStore SsStore;

typedef struct {
  SsKey key; /* owner */
  char name[SS_STORE_NAME_MAX + 1];
  uint64_t version; /* grows; wall time in ms at its making */
  bool tombstone;
  uint16_t value_len;
  uint8_t value[SS_STORE_VALUE_MAX];
  uint8_t signature[SS_SIGNATURE_LEN]; /* of all the above */
} SsStoreRecord;

SsId ss_store_own_slot (const SsId *fingerprint, const char *name);
SsId ss_store_name_slot (const char *name);
/* 1 to SS_STORE_NAME_MAX bytes of UTF-8 without control characters,
 * '@', '/', '?' or white space at the ends. */
bool ss_store_name_is_valid (const char *name);

void ss_store_record_sign (SsStoreRecord *record, const SsSigner *signer);

typedef struct {
  /* Answer to ss_store_get: the newest record of each key found, tombstones
   * left out, oldest key first; n = 0 when there is none. complete: enough
   * replicas answered to rely on that; else the try timed out. */
  void (*found) (void *user, uint64_t token, const SsStoreRecord *records,
                 unsigned n, bool complete);
  /* The record now lies on n_replicas nodes (at most once per put or
   * refresh that changes this number). n_replicas 0: refused. Either a newer
   * version of this key is known, then *newer is it and refreshing has
   * stopped; or, with newer NULL, the slot has no room: too many other keys
   * share the name, and refreshing goes on. NULL where newer is not set. */
  void (*stored) (void *user, const SsId *slot, unsigned n_replicas,
                  const SsStoreRecord *newer);
} SsStoreUpcalls;

SsStore *ss_store_new (SsEnv *env, SsKbr *kbr, const SsStoreUpcalls *upcalls,
                       void *user);
void ss_store_free (SsStore *store);
void ss_store_timer (SsStore *store, SsTimer *timer); /* SS_LAYER_STORE */

/* Puts the record (copied) into both its slots and keeps it alive by
 * refreshing until it is withdrawn or replaced by a put of a newer version. */
void ss_store_put (SsStore *store, const SsStoreRecord *record);
/* Stops refreshing. To end it for good put a tombstone of a greater version
 * instead (a record without value, signed): it is put until it is stored. */
void ss_store_withdraw (SsStore *store, const SsKey *key, const char *name);
/* Reads a slot; answered by `found` with the same token, within
 * SS_STORE_GET_TIMEOUT. */
#define SS_STORE_GET_TIMEOUT (2 * SS_SEC)
void ss_store_get (SsStore *store, const SsId *slot, uint64_t token);
/* Records held here as a replica. */
unsigned ss_store_n_records (const SsStore *store);
