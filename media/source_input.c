/* Reading that can be interrupted and begun again; see source_input.h. */
#include "media/source_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "media/error.h"
#include "media/gst_pull.h"

struct SsSourceInput {
  int fd; /* -1: from `pull` */
  bool close_fd;
  SsGstPull *pull;
  GstSample *sample; /* being read */
  size_t sample_at;
  int stop_fd, cancel_fd;
  GByteArray *record; /* NULL: the beginning is forgotten */
  size_t record_at;   /* read from the record up to here */
  GError *error;
};

static size_t read_fd (SsSourceInput *input, uint8_t *buffer, size_t cap);
static size_t read_pull (SsSourceInput *input, uint8_t *buffer, size_t cap);

static SsSourceInput *
input_new (int stop_fd)
{
  SsSourceInput *input = g_new0 (SsSourceInput, 1);
  input->fd = -1;
  input->stop_fd = stop_fd;
  input->cancel_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert (input->cancel_fd >= 0);
  input->record = g_byte_array_new ();
  return input;
}

SsSourceInput *
ss_source_input_new_path (const char *path, int stop_fd, GError **error)
{
  /* A named pipe is opened before its writer comes: the reads wait. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    g_set_error (error, SS_MEDIA_ERROR, SS_MEDIA_ERROR_UNREADABLE, "%s",
                 g_strerror (errno));
    return NULL;
  }
  SsSourceInput *input = input_new (stop_fd);
  input->fd = fd;
  input->close_fd = true;
  return input;
}

SsSourceInput *
ss_source_input_new_stdin (int stop_fd)
{
  SsSourceInput *input = input_new (stop_fd);
  input->fd = STDIN_FILENO;
  return input;
}

SsSourceInput *
ss_source_input_new_uri (const char *uri, int stop_fd, GError **error)
{
  SsGstPullOptions options = { .mode = SS_GST_PULL_BYTES, .uri = uri };
  SsGstPull *pull = ss_gst_pull_new (&options, error);
  if (pull == NULL)
    return NULL;
  SsSourceInput *input = input_new (stop_fd);
  input->pull = pull;
  return input;
}

void
ss_source_input_free (SsSourceInput *input)
{
  if (input == NULL)
    return;
  if (input->close_fd)
    close (input->fd);
  g_clear_pointer (&input->sample, gst_sample_unref);
  ss_gst_pull_free (input->pull);
  close (input->cancel_fd);
  g_clear_pointer (&input->record, g_byte_array_unref);
  g_clear_error (&input->error);
  g_free (input);
}

size_t
ss_source_input_read (SsSourceInput *input, uint8_t *buffer, size_t cap)
{
  if (input->record != NULL && input->record_at < input->record->len) {
    size_t n = MIN (cap, input->record->len - input->record_at);
    memcpy (buffer, input->record->data + input->record_at, n);
    input->record_at += n;
    return n;
  }
  size_t n = input->fd >= 0 ? read_fd (input, buffer, cap)
                            : read_pull (input, buffer, cap);
  if (input->record == NULL)
    return n;
  if (input->record->len + n > SS_SOURCE_INPUT_RECORD_MAX) {
    ss_source_input_forget (input);
    return n;
  }
  g_byte_array_append (input->record, buffer, (guint) n);
  input->record_at += n;
  return n;
}

bool
ss_source_input_rewind (SsSourceInput *input)
{
  input->record_at = 0;
  return input->record != NULL;
}

void
ss_source_input_forget (SsSourceInput *input)
{
  if (input->record != NULL && input->record_at == input->record->len)
    g_clear_pointer (&input->record, g_byte_array_unref);
}

void
ss_source_input_cancel (SsSourceInput *input)
{
  uint64_t one = 1;
  ssize_t n = write (input->cancel_fd, &one, sizeof one);
  g_assert (n == sizeof one);
}

GError *
ss_source_input_take_error (SsSourceInput *input)
{
  return g_steal_pointer (&input->error);
}

/* Waits until `fd` (none if -1) can be read; false when stopped. */
static bool
wait_readable (const SsSourceInput *input, int fd, int timeout_ms)
{
  struct pollfd fds[3] = { { .fd = input->stop_fd, .events = POLLIN },
                           { .fd = input->cancel_fd, .events = POLLIN },
                           { .fd = fd, .events = POLLIN } };
  int n;
  do
    n = poll (fds, 3, timeout_ms);
  while (n < 0 && errno == EINTR);
  return fds[0].revents == 0 && fds[1].revents == 0;
}

static size_t
read_fd (SsSourceInput *input, uint8_t *buffer, size_t cap)
{
  for (;;) {
    if (!wait_readable (input, input->fd, -1))
      return 0;
    ssize_t n = read (input->fd, buffer, cap);
    if (n >= 0)
      return (size_t) n;
    if (errno == EINTR || errno == EAGAIN)
      continue;
    if (input->error == NULL)
      input->error = g_error_new (SS_MEDIA_ERROR, SS_MEDIA_ERROR_UNREADABLE,
                                  "%s", g_strerror (errno));
    return 0;
  }
}

static size_t
read_pull (SsSourceInput *input, uint8_t *buffer, size_t cap)
{
  while (wait_readable (input, -1, 0)) {
    if (input->sample != NULL) {
      size_t n = gst_buffer_extract (gst_sample_get_buffer (input->sample),
                                     input->sample_at, buffer, cap);
      input->sample_at += n;
      if (n > 0)
        return n;
      g_clear_pointer (&input->sample, gst_sample_unref);
    }
    input->sample_at = 0;
    GError **error = input->error == NULL ? &input->error : NULL;
    SsGstPullResult result =
        ss_gst_pull_next (input->pull, &input->sample, error);
    if (result == SS_GST_PULL_END || result == SS_GST_PULL_ERROR)
      return 0;
  }
  return 0;
}
