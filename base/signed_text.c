/* The parts of what is signed, one after the other. */
#include "base/signed_text.h"

#include <glib.h>
#include <string.h>

void
ss_signed_text_init (SsSignedText *text, const char *label)
{
  text->len = 0;
  ss_signed_text_add (text, label, strlen (label) + 1);
}

void
ss_signed_text_add (SsSignedText *text, const void *data, size_t len)
{
  g_assert (len <= sizeof text->bytes - text->len);
  if (len > 0)
    memcpy (text->bytes + text->len, data, len);
  text->len += len;
}

void
ss_signed_text_add_u32 (SsSignedText *text, uint32_t number)
{
  uint32_t big = GUINT32_TO_BE (number);
  ss_signed_text_add (text, &big, sizeof big);
}
