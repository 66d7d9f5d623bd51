/* Pinned keys and own station keys. */
#include "net/stations.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "net/dirs.h"
#include "net/error.h"
#include "net/key_file.h"

#define KNOWN_LEN_MAX   (16u << 20)
#define SESSION_LEN_MAX 16

char *
ss_known_stations_path (const char *data_dir)
{
  return g_build_filename (data_dir, "known-stations", NULL);
}

static bool
find_in_text (const char *text, const char *name, SsId *ret_fingerprint)
{
  g_autofree char *escaped = g_uri_escape_string (name, NULL, FALSE);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++) {
    g_auto (GStrv) words = g_strsplit (g_strstrip (*line), " ", 2);

    if (words[0] != NULL && words[1] != NULL && strcmp (words[0], escaped) == 0
        && ss_fingerprint_parse (g_strstrip (words[1]), ret_fingerprint))
      return true;
  }
  return false;
}

bool
ss_known_stations_find (const char *path, const char *name,
                        SsId *ret_fingerprint)
{
  g_autofree char *text = NULL;
  gsize len;

  return g_file_get_contents (path, &text, &len, NULL) && len <= KNOWN_LEN_MAX
         && find_in_text (text, name, ret_fingerprint);
}

static bool
append_line (int fd, const char *line)
{
  off_t end = lseek (fd, 0, SEEK_END);
  char last = '\n';

  if (end < 0 || (end > 0 && pread (fd, &last, 1, end - 1) != 1))
    return false;
  /* An editor may have left the last line without an end. */
  g_autofree char *whole = g_strconcat (last == '\n' ? "" : "\n", line, NULL);
  size_t len = strlen (whole);

  if (write (fd, whole, len) == (ssize_t) len && fsync (fd) == 0)
    return true;
  int failure = errno;

  /* Half a line would spoil the next one. */
  if (ftruncate (fd, end) != 0)
    failure = errno;
  errno = failure;
  return false;
}

bool
ss_known_stations_pin (const char *path, const char *name,
                       const SsId *fingerprint, GError **error)
{
  char text[SS_FINGERPRINT_STRLEN];
  SsId known;

  if (!ss_make_parent_dir (path, error))
    return false;
  int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  bool ok = fd >= 0 && flock (fd, LOCK_EX) == 0;

  /* Looked up again under the lock: another program may have been first. */
  if (ok && !ss_known_stations_find (path, name, &known)) {
    g_autofree char *escaped = g_uri_escape_string (name, NULL, FALSE);

    ss_fingerprint_format_id (fingerprint, text);
    g_autofree char *line = g_strdup_printf ("%s %s\n", escaped, text);

    ok = append_line (fd, line);
  }
  if (!ok)
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "cannot remember the station's key in %s: %s", path,
                 g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return ok;
}

char *
ss_own_station_path (const char *data_dir, const char *name)
{
  g_autofree char *escaped = g_uri_escape_string (name, NULL, FALSE);
  g_autofree char *file = g_strconcat (escaped, ".key", NULL);

  return g_build_filename (data_dir, "stations", file, NULL);
}

static bool
take_session (SsOwnStation *station, GError **error)
{
  g_autofree char *path = g_strconcat (station->path, ".session", NULL);
  GError *cause = NULL;
  char text[SESSION_LEN_MAX + 1];

  station->lock_fd = ss_lock_file (path, &cause);
  if (station->lock_fd < 0) {
    if (cause != NULL)
      g_propagate_error (error, cause);
    else
      g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                   "the station key %s is on the air already, from another "
                   "process of this machine; end that one first, or stand by "
                   "for it with a copy of the key (--standby --station-key)",
                   station->path);
    return false;
  }
  ssize_t len = pread (station->lock_fd, text, SESSION_LEN_MAX, 0);

  if (len > 0) {
    text[len] = '\0';
    station->session = (uint32_t) g_ascii_strtoull (text, NULL, 10);
  }
  return true;
}

bool
ss_own_station_open (SsOwnStation *station, const char *path,
                     const uint8_t random[32], GError **error)
{
  SsOwnStation new = { .path = g_strdup (path), .lock_fd = -1 };
  bool ok = ss_make_parent_dir (path, error);

  if (ok && ss_key_file_exists (path)) {
    ok = ss_key_file_load (path, SS_KEY_FILE_STATION, new.seed, error);
  } else if (ok) {
    memcpy (new.seed, random, sizeof new.seed);
    new.is_new = true;
    ok = ss_key_file_create (path, SS_KEY_FILE_STATION, new.seed, error);
  }
  if (!ok || !take_session (&new, error)) {
    ss_own_station_clear (&new);
    return false;
  }
  *station = new;
  return true;
}

bool
ss_own_station_save_session (SsOwnStation *station, uint32_t session,
                             GError **error)
{
  char text[SESSION_LEN_MAX];
  int len = g_snprintf (text, sizeof text, "%010u\n", session);

  if (pwrite (station->lock_fd, text, (size_t) len, 0) != len) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "cannot write %s.session: %s", station->path,
                 g_strerror (errno));
    return false;
  }
  station->session = session;
  return true;
}

void
ss_own_station_clear (SsOwnStation *station)
{
  sodium_memzero (station->seed, sizeof station->seed);
  g_clear_pointer (&station->path, g_free);
  if (station->lock_fd >= 0)
    close (station->lock_fd);
  station->lock_fd = -1;
}
