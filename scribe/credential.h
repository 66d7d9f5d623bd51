/* Who may publish in a group (Scribe, JSAC 2002: a group has an owner, and
 * roots and members check what its publishers show).
 *
 * An owned group's id is the hash of its owner's key and its name, so whoever
 * is told the owner can check that it is; the owner signs the keys of those
 * that may publish. A credential does not expire, and cannot be taken back:
 * an owner that thinks otherwise of somebody makes another group. */
#pragma once

#include "base/signer.h"

#define SS_GROUP_NAME_MAX 64 /* bytes */

typedef struct {
  uint8_t signature[SS_SIGNATURE_LEN]; /* the owner's */
} SsCredential;

/* name: at most SS_GROUP_NAME_MAX bytes. */
SsId ss_group_id_of (const SsKey *owner, const char *name);
/* By the owner, for the node that has the publisher's key: the signer of its
 * families (SsFamilyConfig). */
SsCredential ss_credential_make (const SsSigner *owner, const SsId *group_id,
                                 const SsKey *publisher);
bool ss_credential_check (const SsCredential *credential, const SsKey *owner,
                          const SsId *group_id, const SsKey *publisher);
