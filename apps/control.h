/* Lines from a descriptor, one by one, in the main loop. */
#pragma once

#include <stdbool.h>

/* A longer line is not read. */
#define SS_CONTROL_LINE_MAX 1024

typedef struct SsControl SsControl;

/* line: valid during the call, without its end and blanks around it; NULL:
 * there will be no more. The control may not be freed in the call. fd stays
 * the caller's, and is never waited for. */
SsControl *ss_control_new (int fd, void (*line) (void *user, const char *line),
                           void *user);
/* No more is read until it is held no longer: what has been read already, at
 * most SS_CONTROL_LINE_MAX bytes, comes nevertheless. */
void ss_control_hold (SsControl *control, bool is_held);
void ss_control_free (SsControl *control);
