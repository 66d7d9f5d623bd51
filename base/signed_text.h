/* What a signature covers, put together from its parts. It begins with a label
 * of its kind: no signature of one kind is one of another. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SS_SIGNED_TEXT_MAX 1280 /* bytes, the label included */

typedef struct {
  uint8_t bytes[SS_SIGNED_TEXT_MAX];
  size_t len;
} SsSignedText;

/* Empty but for the label and the zero at its end. */
void ss_signed_text_init (SsSignedText *text, const char *label);
/* Asserts that there is room. data may be NULL if len is 0. */
void ss_signed_text_add (SsSignedText *text, const void *data, size_t len);
void ss_signed_text_add_u32 (SsSignedText *text, uint32_t number);
