/* A record on its own. */
#include "store/record.h"

#include <string.h>

#include "base/signed_text.h"

#define PREFIX "splitstream record 1"

enum { FLAG_TOMBSTONE = 1 };

SsId
ss_store_own_slot (const SsId *fingerprint, const char *name)
{
  const SsBytes parts[] = {
    { fingerprint->b, SS_ID_LEN },
    { name, strlen (name) },
  };

  return ss_id_of_parts (parts, G_N_ELEMENTS (parts));
}

SsId
ss_store_name_slot (const char *name)
{
  const SsBytes parts[] = {
    { "name", 4 },
    { name, strlen (name) },
  };

  return ss_id_of_parts (parts, G_N_ELEMENTS (parts));
}

static bool
name_is_valid (const char *name, size_t len)
{
  if (len == 0 || len > SS_STORE_NAME_MAX
      || !g_utf8_validate (name, (gssize) len, NULL))
    return false;
  const char *end = name + len;

  for (const char *at = name; at < end; at = g_utf8_next_char (at)) {
    gunichar character = g_utf8_get_char (at);
    bool is_end = at == name || g_utf8_next_char (at) == end;

    if (g_unichar_iscntrl (character) || character == '@' || character == '/'
        || character == '?')
      return false;
    if (is_end && g_unichar_isspace (character))
      return false;
  }
  return true;
}

bool
ss_store_name_is_valid (const char *name)
{
  return name_is_valid (name, strlen (name));
}

SsId
ss_record_slot (const SsStoreRecord *record, SsSlotKind kind)
{
  if (kind == SS_SLOT_NAME)
    return ss_store_name_slot (record->name);
  SsId fingerprint = ss_id_of_key (&record->key);

  return ss_store_own_slot (&fingerprint, record->name);
}

/* What is signed: fixed lengths, then the name with its length, then the
 * value. */
static void
signed_text (const SsStoreRecord *record, SsSignedText *ret_text)
{
  uint64_t version = GUINT64_TO_BE (record->version);
  uint8_t flags = record->tombstone ? FLAG_TOMBSTONE : 0;
  uint8_t name_len = (uint8_t) strlen (record->name);

  ss_signed_text_init (ret_text, PREFIX);
  ss_signed_text_add (ret_text, record->key.b, SS_KEY_LEN);
  ss_signed_text_add (ret_text, &version, sizeof version);
  ss_signed_text_add (ret_text, &flags, sizeof flags);
  ss_signed_text_add (ret_text, &name_len, sizeof name_len);
  ss_signed_text_add (ret_text, record->name, name_len);
  ss_signed_text_add (ret_text, record->value, record->value_len);
}

void
ss_store_record_sign (SsStoreRecord *record, const SsSigner *signer)
{
  g_assert (ss_store_name_is_valid (record->name));
  g_assert (record->value_len <= SS_STORE_VALUE_MAX);
  g_assert (!record->tombstone || record->value_len == 0);
  SsSignedText text;

  record->key = signer->key;
  signed_text (record, &text);
  ss_signer_sign (signer, text.bytes, text.len, record->signature);
}

bool
ss_record_verify (const SsStoreRecord *record)
{
  SsSignedText text;

  signed_text (record, &text);
  return ss_signer_verify (&record->key, text.bytes, text.len,
                           record->signature);
}

int
ss_record_compare (const SsStoreRecord *a, const SsStoreRecord *b)
{
  if (a->version != b->version)
    return a->version < b->version ? -1 : 1;
  return memcmp (a->signature, b->signature, SS_SIGNATURE_LEN);
}

void
ss_record_to_message (const SsStoreRecord *record,
                      SsMsgStoreRecord *ret_message)
{
  ret_message->version = record->version;
  ret_message->flags = record->tombstone ? FLAG_TOMBSTONE : 0;
  ret_message->key = record->key;
  ret_message->name = (SsWireBytes){
    (const uint8_t *) record->name,
    (uint16_t) strlen (record->name),
  };
  ret_message->value = (SsWireBytes){ record->value, record->value_len };
  memcpy (ret_message->signature, record->signature, SS_SIGNATURE_LEN);
}

bool
ss_record_from_message (const SsMsgStoreRecord *message,
                        SsStoreRecord *ret_record)
{
  const SsWireBytes *name = &message->name, *value = &message->value;

  if (message->kind >= SS_N_SLOT_KINDS || message->flags > FLAG_TOMBSTONE
      || !name_is_valid ((const char *) name->data, name->len)
      || value->len > SS_STORE_VALUE_MAX
      || (message->flags != 0 && value->len != 0))
    return false;

  memset (ret_record, 0, sizeof *ret_record);
  ret_record->key = message->key;
  memcpy (ret_record->name, name->data, name->len);
  ret_record->version = message->version;
  ret_record->tombstone = message->flags != 0;
  ret_record->value_len = value->len;
  if (value->len > 0)
    memcpy (ret_record->value, value->data, value->len);
  memcpy (ret_record->signature, message->signature, SS_SIGNATURE_LEN);
  return true;
}
