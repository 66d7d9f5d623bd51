/* The records that this node holds as a replica, and the rules by which one
 * takes another's place. Pure: no messages, no timers. */
#pragma once

#include "store/record.h"

#define SS_SHELF_MAX            2048 /* records on one node */
#define SS_SHELF_MAX_PER_SOURCE 64   /* put by one node */

typedef struct {
  SsId slot;
  SsSlotKind kind;
  SsTime since; /* when this key was first held in the slot, anywhere */
  SsTime expires;
  SsId source; /* the node that put it; zero: a leaf that is a replica, too */
  /* Who was known to share it when that was last looked at: see
   * ss_replica_pass_on. */
  SsId replicas[SS_STORE_REPLICAS];
  unsigned n_replicas;
  bool is_handed_over; /* this node is no replica any more; the root knows */
  SsStoreRecord record;
} SsHeld;

typedef struct {
  GPtrArray *held; /* SsHeld, by slot, then key */
} SsShelf;

typedef enum {
  SS_SHELF_NEW,       /* no such key was held in the slot */
  SS_SHELF_NEWER,     /* replaces an older version */
  SS_SHELF_SAME,      /* held already; lives longer if that was offered */
  SS_SHELF_OLDER,     /* a newer version is held; nothing changed */
  SS_SHELF_SLOT_FULL, /* too many older keys in the slot */
  SS_SHELF_FULL,      /* no room on this node or for this source */
} SsShelfVerdict;

void ss_shelf_init (SsShelf *shelf);
void ss_shelf_clear (SsShelf *shelf);

/* offer gives slot, kind, since, expires, source and record. The record has
 * been verified, or is held already. */
SsShelfVerdict ss_shelf_take (SsShelf *shelf, const SsHeld *offer);
/* What take would say, from the version alone where the record is not at
 * hand (an equal version is SAME). */
SsShelfVerdict ss_shelf_judge (const SsShelf *shelf, const SsHeld *offer,
                               bool with_record);
SsHeld *ss_shelf_find (const SsShelf *shelf, const SsId *slot,
                       const SsKey *key);
/* The live records (no tombstones) of a slot, oldest key first. */
unsigned ss_shelf_list (const SsShelf *shelf, const SsId *slot,
                        SsHeld *ret_held[SS_STORE_KEYS_PER_NAME]);
bool ss_shelf_has_slot (const SsShelf *shelf, const SsId *slot);
void ss_shelf_expire (SsShelf *shelf, SsTime now);
SsTime ss_shelf_deadline (const SsShelf *shelf);
