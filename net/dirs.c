/* Directories and files. */
#include "net/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "net/error.h"

#define SUBDIR "splitstream"

void
ss_dirs_init (SsDirs *dirs, const char *state_dir)
{
  if (state_dir != NULL) {
    dirs->state = g_canonicalize_filename (state_dir, NULL);
    dirs->data = g_strdup (dirs->state);
    return;
  }
  dirs->state = g_build_filename (g_get_user_state_dir (), SUBDIR, NULL);
  dirs->data = g_build_filename (g_get_user_data_dir (), SUBDIR, NULL);
}

void
ss_dirs_clear (SsDirs *dirs)
{
  g_clear_pointer (&dirs->state, g_free);
  g_clear_pointer (&dirs->data, g_free);
}

bool
ss_make_dir (const char *path, GError **error)
{
  if (g_mkdir_with_parents (path, 0700) == 0)
    return true;
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
               "cannot make the directory %s: %s; choose another with "
               "--state-dir",
               path, g_strerror (errno));
  return false;
}

bool
ss_make_parent_dir (const char *path, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path);

  return ss_make_dir (parent, error);
}

bool
ss_replace_file (const char *path, const char *text, int mode, GError **error)
{
  GError *cause = NULL;

  if (g_file_set_contents_full (path, text, -1,
                                G_FILE_SET_CONTENTS_CONSISTENT
                                    | G_FILE_SET_CONTENTS_DURABLE,
                                mode, &cause))
    return true;
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED, "cannot write %s: %s",
               path, cause->message);
  g_error_free (cause);
  return false;
}

int
ss_lock_file (const char *path, GError **error)
{
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

  if (fd >= 0) {
    if (flock (fd, LOCK_EX | LOCK_NB) == 0)
      return fd;
    int lock_errno = errno;

    close (fd);
    if (lock_errno == EWOULDBLOCK)
      return -1;
    errno = lock_errno;
  }
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
               "cannot lock %s: %s; make it writable or choose another place",
               path, g_strerror (errno));
  return -1;
}
