/* Codec headers: ownership. */
#include "base/frame.h"

void
ss_codec_headers_free (SsCodecHeaders *headers)
{
  if (headers == NULL)
    return;
  for (unsigned i = 0; i < headers->n_packets; i++)
    g_bytes_unref (headers->packets[i]);
  g_free (headers);
}

SsCodecHeaders *
ss_codec_headers_copy (const SsCodecHeaders *headers)
{
  SsCodecHeaders *copy = g_new (SsCodecHeaders, 1);
  *copy = *headers;
  for (unsigned i = 0; i < copy->n_packets; i++)
    g_bytes_ref (copy->packets[i]);
  return copy;
}
