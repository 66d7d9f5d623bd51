/* Credentials, and the signatures of ordered messages. */
#include "scribe/credential.h"

#include <string.h>

#include "scribe/state.h"

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

typedef struct {
  uint8_t bytes[sizeof MESSAGE_LABEL + SS_ID_LEN + 8 + SS_SCRIBE_MESSAGE_MAX];
  size_t len;
} Text;

static void
add (Text *text, const void *data, size_t len)
{
  g_assert (text->len + len <= sizeof text->bytes);
  if (len > 0)
    memcpy (text->bytes + text->len, data, len);
  text->len += len;
}

static void
add_number (Text *text, uint32_t number)
{
  uint8_t bytes[4] = { (uint8_t) (number >> 24), (uint8_t) (number >> 16),
                       (uint8_t) (number >> 8), (uint8_t) number };
  add (text, bytes, sizeof bytes);
}

static Text
credential_text (const SsId *group_id, const SsKey *publisher)
{
  Text text = { .len = 0 };
  add (&text, CREDENTIAL_LABEL, sizeof CREDENTIAL_LABEL);
  add (&text, group_id->b, sizeof group_id->b);
  add (&text, publisher->b, sizeof publisher->b);
  return text;
}

SsCredential
ss_credential_make (const SsSigner *owner, const SsId *group_id,
                    const SsKey *publisher)
{
  Text text = credential_text (group_id, publisher);
  SsCredential credential;
  ss_signer_sign (owner, text.bytes, text.len, credential.signature);
  return credential;
}

bool
ss_credential_check (const SsCredential *credential, const SsKey *owner,
                     const SsId *group_id, const SsKey *publisher)
{
  Text text = credential_text (group_id, publisher);
  return ss_signer_verify (owner, text.bytes, text.len, credential->signature);
}

/* Messages. */

static Text
message_text (const SsGroup *group, uint32_t epoch, uint32_t sequence,
              const SsWireBytes *data)
{
  Text text = { .len = 0 };
  add (&text, MESSAGE_LABEL, sizeof MESSAGE_LABEL);
  add (&text, group->id.b, sizeof group->id.b);
  add_number (&text, epoch);
  add_number (&text, sequence);
  add (&text, data->data, data->len);
  return text;
}

bool
ss_signed_may_publish (const SsGroup *group)
{
  const SsFamilyConfig *config = &group->family->config;
  if (!config->signer)
    return false;
  if (!config->is_owned || ss_key_equal (&config->owner, &config->signer->key))
    return true;
  return group->ordered && group->ordered->has_credential
         && ss_credential_check (&group->ordered->credential, &config->owner,
                                 &group->id, &config->signer->key);
}

GBytes *
ss_signed_make (const SsGroup *group, uint32_t epoch, uint32_t sequence,
                const uint8_t *data, size_t len)
{
  const SsFamilyConfig *config = &group->family->config;
  SsMsgScribeSigned message = { .source = config->signer->key,
                                .data = { data, (uint16_t) len } };
  const SsOrdered *ordered = group->ordered;
  if (ordered->has_credential)
    message.credential = (SsWireBytes){ ordered->credential.signature,
                                        sizeof ordered->credential.signature };
  Text text = message_text (group, epoch, sequence, &message.data);
  ss_signer_sign (config->signer, text.bytes, text.len, message.signature);
  uint8_t encoded[SS_MSG_SCRIBE_SIGNED_MAX];
  size_t n = ss_msg_scribe_signed_encode (&message, encoded, sizeof encoded);
  g_assert (n > 0);
  return g_bytes_new (encoded, n);
}

/* May its source publish here? Who forwards for strangers does not know the
 * owner: members do. */
static bool
is_allowed (const SsGroup *group, const SsMsgScribeSigned *message)
{
  const SsFamilyConfig *config = &group->family->config;
  if (!config->is_owned || ss_key_equal (&config->owner, &message->source))
    return true;
  SsCredential credential;
  if (message->credential.len != sizeof credential.signature)
    return false;
  memcpy (credential.signature, message->credential.data,
          sizeof credential.signature);
  return ss_credential_check (&credential, &config->owner, &group->id,
                              &message->source);
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
    Text text = message_text (group, epoch, sequence, &message.data);
    is_good = ss_id_equal (&id, source)
              && ss_signer_verify (&message.source, text.bytes, text.len,
                                   message.signature)
              && is_allowed (group, &message);
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
  return is_allowed (group, &message);
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
