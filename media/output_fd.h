/* Writing to a descriptor that may stall, so that it can be given up at any
 * time, without changing the descriptor's flags, which others share. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum {
  SS_OUTPUT_FD_DONE,
  SS_OUTPUT_FD_GONE,
  SS_OUTPUT_FD_STOPPED, /* `stop_fd` became readable */
  SS_OUTPUT_FD_ERROR,   /* errno says why */
} SsOutputFdResult;

/* SIGPIPE must be blocked or ignored. `ret_written` counts also what was
 * written before a failure. */
SsOutputFdResult ss_output_fd_write (int fd, int stop_fd, const uint8_t *data,
                                     size_t len, size_t *ret_written);
