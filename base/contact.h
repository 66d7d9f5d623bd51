/* Who a peer is and where. SsPeerRecord is what travels (DESIGN section 5):
 * key, up to three addresses, flags. SsContact is what tables keep: key, id
 * and the one address in use, at most 80 bytes. Both are plain values. */
#pragma once

#include "base/addr.h"
#include "base/id.h"

#define SS_PEER_ADDRS_MAX 3

enum {
  SS_PEER_REACHABLE = 1 << 0, /* answers peers it never spoke to */
  SS_PEER_RELAY = 1 << 1,     /* an ss-node: volunteers to forward */
};

typedef struct {
  SsKey key;
  uint8_t flags;
  uint8_t n_addrs; /* 1 to SS_PEER_ADDRS_MAX */
  SsAddr addrs[SS_PEER_ADDRS_MAX];
} SsPeerRecord;

typedef struct {
  SsKey key;
  SsId id; /* ss_id_of_key (&key), kept to spare the hash */
  SsAddr addr;
  uint8_t flags;
} SsContact;

/* How a layer found a peer the last time, for who sends to one peer again and
 * again and keeps this beside its contact. All zero at first; it never has to
 * be right, only to have been filled in for this peer. */
typedef struct {
  void *peer;          /* the link's, and */
  uint32_t generation; /* while no peer has gone since; 0: not found yet */
  uint32_t place;      /* where the overlay's list had it */
} SsPeerHint;

_Static_assert(sizeof (SsContact) <= 80, "a table entry is at most 80 bytes");

SsContact ss_contact_from_record (const SsPeerRecord *record);
SsPeerRecord ss_contact_to_record (const SsContact *contact);
bool ss_contact_equal (const SsContact *a, const SsContact *b); /* by id */
