/* Interruptible writing; see output_fd.h. */
#include "media/output_fd.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

bool
ss_output_fd_is_file (int fd)
{
  struct stat status;
  return fstat (fd, &status) == 0 && S_ISREG (status.st_mode);
}

/* Done: there is some. */
static SsOutputFdResult
wait_for_room (int fd, int stop_fd)
{
  struct pollfd fds[2] = { { .fd = stop_fd, .events = POLLIN },
                           { .fd = fd, .events = POLLOUT } };
  for (;;) {
    int n_ready = poll (fds, 2, -1);
    if (n_ready < 0 && errno != EINTR)
      return SS_OUTPUT_FD_ERROR;
    if (n_ready > 0)
      return fds[0].revents != 0 ? SS_OUTPUT_FD_STOPPED : SS_OUTPUT_FD_DONE;
  }
}

SsOutputFdResult
ss_output_fd_write (int fd, int stop_fd, bool is_file, const uint8_t *data,
                    size_t len, size_t *ret_written)
{
  /* A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7));
   * only regular files always take any number. */
  size_t max = is_file ? SSIZE_MAX : PIPE_BUF;
  *ret_written = 0;
  while (*ret_written < len) {
    if (!is_file) {
      SsOutputFdResult result = wait_for_room (fd, stop_fd);
      if (result != SS_OUTPUT_FD_DONE)
        return result;
    }
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

bool
ss_output_fd_write_some (int fd, const uint8_t *data, size_t len,
                         size_t *ret_written)
{
  struct iovec vector = { .iov_base = (void *) (uintptr_t) data,
                          .iov_len = len };
  /* At the descriptor's own place, as write does. */
  ssize_t n = pwritev2 (fd, &vector, 1, -1, RWF_NOWAIT);
  *ret_written = n > 0 ? (size_t) n : 0;
  return n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL);
}
