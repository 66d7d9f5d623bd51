/* Credentials, and the signatures of ordered messages. */
#include "scribe/credential.h"

#include <string.h>

#include "base/signed_text.h"
#include "scribe/internal.h"

/* What is signed, by whom: no signature of the one kind is one of the other. */
#define CREDENTIAL_LABEL "scribe credential"
#define MESSAGE_LABEL    "scribe message"

SsId
ss_group_id_of (const SsKey *owner, const char *name)
{
  size_t len = strlen (name);
  g_assert (len <= SS_GROUP_NAME_MAX);
  SsBytes parts[] = { { owner->b, sizeof owner->b }, { name, len } };
  return ss_id_of_parts (parts, G_N_ELEMENTS (parts));
}

static SsSignedText
credential_text (const SsId *group_id, const SsKey *publisher)
{
  SsSignedText text;
  ss_signed_text_init (&text, CREDENTIAL_LABEL);
  ss_signed_text_add (&text, group_id->b, sizeof group_id->b);
  ss_signed_text_add (&text, publisher->b, sizeof publisher->b);
  return text;
}

SsCredential
ss_credential_make (const SsSigner *owner, const SsId *group_id,
                    const SsKey *publisher)
{
  SsSignedText text = credential_text (group_id, publisher);
  SsCredential credential;
  ss_signer_sign (owner, text.bytes, text.len, credential.signature);
  return credential;
}

bool
ss_credential_check (const SsCredential *credential, const SsKey *owner,
                     const SsId *group_id, const SsKey *publisher)
{
  SsSignedText text = credential_text (group_id, publisher);
  return ss_signer_verify (owner, text.bytes, text.len, credential->signature);
}

/* Messages. */

static SsSignedText
message_text (const SsGroup *group, uint32_t epoch, uint32_t sequence,
              const SsWireBytes *data)
{
  SsSignedText text;
  ss_signed_text_init (&text, MESSAGE_LABEL);
  ss_signed_text_add (&text, group->id.b, sizeof group->id.b);
  ss_signed_text_add_u32 (&text, epoch);
  ss_signed_text_add_u32 (&text, sequence);
  ss_signed_text_add (&text, data->data, data->len);
  return text;
}

/* Who forwards for strangers does not know the owner: members do. */
static bool
is_allowed (const SsGroup *group, const SsKey *source,
            const SsWireBytes *credential)
{
  const SsFamilyConfig *config = &group->family->config;
  SsCredential owners;
  if (!config->is_owned || ss_key_equal (&config->owner, source))
    return true;
  if (credential->len != sizeof owners.signature)
    return false;
  memcpy (owners.signature, credential->data, sizeof owners.signature);
  return ss_credential_check (&owners, &config->owner, &group->id, source);
}

/* This node's own; empty: it has none. */
static SsWireBytes
own_credential (const SsGroup *group)
{
  const SsOrdered *ordered = group->ordered;
  if (!ordered || !ordered->has_credential)
    return (SsWireBytes){ NULL, 0 };
  return (SsWireBytes){ ordered->credential.signature,
                        sizeof ordered->credential.signature };
}

bool
ss_signed_may_publish (const SsGroup *group)
{
  const SsSigner *signer = group->family->config.signer;
  SsWireBytes credential = own_credential (group);
  return signer && is_allowed (group, &signer->key, &credential);
}

GBytes *
ss_signed_make (const SsGroup *group, uint32_t epoch, uint32_t sequence,
                const uint8_t *data, size_t len)
{
  const SsFamilyConfig *config = &group->family->config;
  SsMsgScribeSigned message = { .source = config->signer->key,
                                .credential = own_credential (group),
                                .data = { data, (uint16_t) len } };
  SsSignedText text = message_text (group, epoch, sequence, &message.data);
  ss_signer_sign (config->signer, text.bytes, text.len, message.signature);
  uint8_t encoded[SS_MSG_SCRIBE_SIGNED_MAX];
  size_t n = ss_msg_scribe_signed_encode (&message, encoded, sizeof encoded);
  g_assert (n > 0);
  return g_bytes_new (encoded, n);
}

bool
ss_signed_check (SsGroup *group, const SsId *source, uint32_t epoch,
                 uint32_t sequence, const SsWireBytes *bytes)
{
  SsMsgScribeSigned message;
  bool is_good =
      ss_msg_scribe_signed_decode (bytes->data, bytes->len, &message);
  if (is_good) {
    SsId id = ss_id_of_key (&message.source);
    SsSignedText text = message_text (group, epoch, sequence, &message.data);
    is_good = ss_id_equal (&id, source)
              && ss_signer_verify (&message.source, text.bytes, text.len,
                                   message.signature)
              && is_allowed (group, &message.source, &message.credential);
  }
  if (!is_good)
    ss_count (group->scribe->env, SCRIBE_PACKETS_REJECTED);
  return is_good;
}

bool
ss_signed_is_allowed (const SsGroup *group, GBytes *bytes)
{
  gsize len;
  const uint8_t *encoded = g_bytes_get_data (bytes, &len);
  SsMsgScribeSigned message;
  bool is_good = ss_msg_scribe_signed_decode (encoded, len, &message);
  g_assert (is_good);
  return is_allowed (group, &message.source, &message.credential);
}

SsWireBytes
ss_signed_data (GBytes *bytes)
{
  gsize len;
  const uint8_t *encoded = g_bytes_get_data (bytes, &len);
  SsMsgScribeSigned message;
  bool is_good = ss_msg_scribe_signed_decode (encoded, len, &message);
  g_assert (is_good); /* it was checked when it came */
  return message.data;
}
