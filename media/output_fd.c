/* Interruptible writing; see output_fd.h. */
#include "media/output_fd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7));
 * only regular files take any number. */
static size_t
chunk_len_max (int fd)
{
  struct stat status;
  if (fstat (fd, &status) == 0 && S_ISREG (status.st_mode))
    return SSIZE_MAX;
  return PIPE_BUF;
}

SsOutputFdResult
ss_output_fd_write (int fd, int stop_fd, const uint8_t *data, size_t len,
                    size_t *ret_written)
{
  size_t max = chunk_len_max (fd);
  *ret_written = 0;
  while (*ret_written < len) {
    struct pollfd fds[2] = { { .fd = stop_fd, .events = POLLIN },
                             { .fd = fd, .events = POLLOUT } };
    int n_ready = poll (fds, 2, -1);
    if (n_ready < 0 && errno != EINTR)
      return SS_OUTPUT_FD_ERROR;
    if (n_ready <= 0)
      continue;
    if (fds[0].revents != 0)
      return SS_OUTPUT_FD_STOPPED;
    size_t rest = len - *ret_written;
    ssize_t n = write (fd, data + *ret_written, rest < max ? rest : max);
    if (n >= 0)
      *ret_written += (size_t) n;
    else if (errno == EPIPE || errno == ECONNRESET)
      return SS_OUTPUT_FD_GONE;
    else if (errno != EINTR && errno != EAGAIN)
      return SS_OUTPUT_FD_ERROR;
  }
  return SS_OUTPUT_FD_DONE;
}
