/* A station's ids, and its descriptor as bytes (DESIGN section 5). */
#include "splitstream/private.h"

#include <string.h>

SsId
ss_station_group_id (const SsKey *key, const char *name)
{
  SsId fingerprint = ss_id_of_key (key);
  const SsBytes parts[] = { { fingerprint.b, sizeof fingerprint.b },
                            { name, strlen (name) } };
  return ss_id_of_parts (parts, G_N_ELEMENTS (parts));
}

SsId
ss_station_stripe_id (const SsId *group_id, uint64_t salt, unsigned stripe)
{
  g_assert (stripe < SS_STRIPES);
  uint64_t big_endian = GUINT64_TO_BE (salt);
  const SsBytes parts[] = { { group_id->b, sizeof group_id->b },
                            { &big_endian, sizeof big_endian } };
  SsId base = ss_id_of_parts (parts, G_N_ELEMENTS (parts));
  return ss_id_with_digit (&base, 0, stripe);
}

static SsWireBytes
view (const char *text)
{
  return (SsWireBytes){ .data = (const uint8_t *) text,
                        .len = (uint16_t) strlen (text) };
}

size_t
ss_descriptor_encode (const SsDescriptor *descriptor, uint8_t *ret, size_t cap)
{
  SsMsgStationDescriptor message;
  memset (&message, 0, sizeof message);
  message.key = descriptor->params.key;
  message.name = view (descriptor->params.name);
  message.salt = descriptor->params.salt;
  message.parity = descriptor->params.parity;
  message.latency = (uint32_t) (descriptor->params.latency / SS_MSEC);
  message.session = descriptor->session;
  message.title = view (descriptor->title);
  message.description = view (descriptor->description);
  g_assert (descriptor->n_headers <= SS_HEADER_REFS_MAX);
  uint16_t n = (uint16_t) descriptor->n_headers;
  message.n_versions = message.n_codecs = message.n_clock_rates = n;
  message.n_lens = message.n_hashes = n;
  for (unsigned i = 0; i < n; i++) {
    const SsHeaderRef *ref = &descriptor->headers[i];
    message.versions[i] = ref->version;
    message.codecs[i] = (uint8_t) ref->codec;
    message.clock_rates[i] = ref->clock_rate;
    message.lens[i] = ref->len;
    message.hashes[i] = ref->hash;
  }
  message.publisher = descriptor->publisher.key;
  message.publisher_flags = descriptor->publisher.flags;
  for (unsigned i = 0; i < descriptor->publisher.n_addrs; i++)
    if (ss_addr_is_set (&descriptor->publisher.addrs[i]))
      message.publisher_addrs[message.n_publisher_addrs++] =
          descriptor->publisher.addrs[i];
  return ss_msg_station_descriptor_encode (&message, ret, cap);
}

/* Text without a NUL and with room for one. */
static bool
copy_text (const SsWireBytes *text, char *ret_text, size_t cap)
{
  if (text->len >= cap
      || (text->len > 0 && memchr (text->data, 0, text->len) != NULL)
      || !g_utf8_validate ((const char *) text->data, text->len, NULL))
    return false;
  if (text->len > 0)
    memcpy (ret_text, text->data, text->len);
  ret_text[text->len] = 0;
  return true;
}

static bool
params_are_sane (const SsStationParams *params)
{
  return params->parity <= SS_PARITY_MAX && params->latency >= SS_LATENCY_MIN
         && params->latency <= SS_LATENCY_MAX && params->name[0] != 0;
}

bool
ss_station_params_decode (const uint8_t *data, size_t len,
                          SsStationParams *ret_params)
{
  SsMsgStationInfo message;
  SsStationParams params;
  memset (&params, 0, sizeof params);
  if (!ss_msg_station_info_decode (data, len, &message)
      || !copy_text (&message.name, params.name, sizeof params.name))
    return false;
  params.key = message.key;
  params.salt = message.salt;
  params.parity = message.parity;
  params.latency = message.latency * SS_MSEC;
  if (!params_are_sane (&params))
    return false;
  *ret_params = params;
  return true;
}

size_t
ss_station_params_encode (const SsStationParams *params, uint8_t *ret,
                          size_t cap)
{
  SsMsgStationInfo message = {
    .key = params->key,
    .name = view (params->name),
    .salt = params->salt,
    .parity = params->parity,
    .latency = (uint32_t) (params->latency / SS_MSEC),
  };
  return ss_msg_station_info_encode (&message, ret, cap);
}

static bool
copy_headers (const SsMsgStationDescriptor *message, SsDescriptor *descriptor)
{
  unsigned n = message->n_versions;
  if (message->n_codecs != n || message->n_clock_rates != n
      || message->n_lens != n || message->n_hashes != n)
    return false;
  descriptor->n_headers = n;
  for (unsigned i = 0; i < n; i++)
    descriptor->headers[i] = (SsHeaderRef){
      .version = message->versions[i],
      .codec = (SsCodec) message->codecs[i],
      .clock_rate = message->clock_rates[i],
      .len = message->lens[i],
      .hash = message->hashes[i],
    };
  return true;
}

bool
ss_descriptor_decode (const uint8_t *data, size_t len, SsDescriptor *ret)
{
  SsMsgStationDescriptor message;
  SsDescriptor descriptor;
  memset (&descriptor, 0, sizeof descriptor);
  if (!ss_msg_station_descriptor_decode (data, len, &message)
      || !copy_text (&message.name, descriptor.params.name,
                     sizeof descriptor.params.name)
      || !copy_text (&message.title, descriptor.title, sizeof descriptor.title)
      || !copy_text (&message.description, descriptor.description,
                     sizeof descriptor.description)
      || !copy_headers (&message, &descriptor))
    return false;
  descriptor.params.key = message.key;
  descriptor.params.salt = message.salt;
  descriptor.params.parity = message.parity;
  descriptor.params.latency = message.latency * SS_MSEC;
  descriptor.session = message.session;
  if (!params_are_sane (&descriptor.params))
    return false;
  descriptor.publisher.key = message.publisher;
  descriptor.publisher.flags = message.publisher_flags;
  descriptor.publisher.n_addrs = (uint8_t) message.n_publisher_addrs;
  for (unsigned i = 0; i < message.n_publisher_addrs; i++)
    descriptor.publisher.addrs[i] = message.publisher_addrs[i];
  *ret = descriptor;
  return true;
}
