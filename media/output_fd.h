/* Writing to a descriptor that may stall, so that it can be given up at any
 * time, without changing the descriptor's flags, which others share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  SS_OUTPUT_FD_DONE,
  SS_OUTPUT_FD_GONE,
  SS_OUTPUT_FD_STOPPED, /* `stop_fd` became readable */
  SS_OUTPUT_FD_ERROR,   /* errno says why */
} SsOutputFdResult;

/* A regular file: it never stalls. */
bool ss_output_fd_is_file (int fd);
/* SIGPIPE must be blocked or ignored. `ret_written` counts also what was
 * written before a failure. */
SsOutputFdResult ss_output_fd_write (int fd, int stop_fd, bool is_file,
                                     const uint8_t *data, size_t len,
                                     size_t *ret_written);
/* As much as goes without waiting, maybe nothing; failures show at the next
 * ss_output_fd_write. SIGPIPE as there. False: this descriptor, or this
 * kernel, cannot do that. */
bool ss_output_fd_write_some (int fd, const uint8_t *data, size_t len,
                              size_t *ret_written);
