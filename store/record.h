/* A record on its own: validity, signature, order of versions, wire form. */
#pragma once

#include "store/messages.h"
#include "store/store.h"

typedef enum { SS_SLOT_OWN = 0, SS_SLOT_NAME = 1, SS_N_SLOT_KINDS } SsSlotKind;

typedef enum {
  SS_RECORD_PUT = 0,
  SS_RECORD_REPLICA = 1,
  SS_RECORD_ANSWER = 2,
  SS_RECORD_NEWER = 3,
} SsRecordPurpose;

/* The slot of this kind that the record belongs in. */
SsId ss_record_slot (const SsStoreRecord *record, SsSlotKind kind);
bool ss_record_verify (const SsStoreRecord *record);
/* Is a newer than b? Total: of two with one version the greater signature is
 * the newer; 0 only for the same record. */
int ss_record_compare (const SsStoreRecord *a, const SsStoreRecord *b);

/* Fills in the record's fields; the views point into the record. */
void ss_record_to_message (const SsStoreRecord *record,
                           SsMsgStoreRecord *ret_message);
/* Everything but the signature is checked. */
bool ss_record_from_message (const SsMsgStoreRecord *message,
                             SsStoreRecord *ret_record);
