/* The bytes of one source: a file, standard input, or what GStreamer fetches
 * from a URI. They can be looked at before they are read. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may be read twice, from the beginning. */
#define SS_SOURCE_INPUT_RECORD_MAX (1u << 20)

typedef struct SsSourceInput SsSourceInput;

/* `stop_fd` readable ends every read; not owned. */
SsSourceInput *ss_source_input_new_path (const char *path, int stop_fd,
                                         GError **error);
SsSourceInput *ss_source_input_new_stdin (int stop_fd);
SsSourceInput *ss_source_input_new_uri (const char *uri, int stop_fd,
                                        GError **error);
void ss_source_input_free (SsSourceInput *input);

/* Blocks for at least one byte. 0 at the end, on an error, and when stopped
 * or cancelled. */
size_t ss_source_input_read (SsSourceInput *input, uint8_t *buffer, size_t cap);

/* The next read begins again at the first byte. False if the beginning is no
 * longer there. */
bool ss_source_input_rewind (SsSourceInput *input);

/* The beginning will not be wanted again. */
void ss_source_input_forget (SsSourceInput *input);

/* Ends a read that waits in another thread, and those that follow. */
void ss_source_input_cancel (SsSourceInput *input);

/* The error that ended the bytes, if one did: at most once. */
GError *ss_source_input_take_error (SsSourceInput *input);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SsSourceInput, ss_source_input_free)
