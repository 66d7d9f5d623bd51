/* Peer records and table entries. */
#include "base/contact.h"

SsContact
ss_contact_from_record (const SsPeerRecord *record)
{
  return (SsContact){
    .key = record->key,
    .id = ss_id_of_key (&record->key),
    .addr = record->addrs[0],
    .flags = record->flags,
  };
}

SsPeerRecord
ss_contact_to_record (const SsContact *contact)
{
  return (SsPeerRecord){
    .key = contact->key,
    .flags = contact->flags,
    .n_addrs = 1,
    .addrs = { contact->addr },
  };
}

bool
ss_contact_equal (const SsContact *a, const SsContact *b)
{
  return ss_id_equal (&a->id, &b->id);
}
