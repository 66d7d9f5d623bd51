/* Secret files: read with their permissions checked on the open descriptor,
 * made complete or not at all. */
#include "net/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/error.h"

#define FILE_LEN_MAX 1024
#define HEX_LEN      (2 * SS_SECRET_LEN)

static const struct {
  const char *word; /* before the digits */
  mode_t forbidden;
} kinds[] = {
  [SS_KEY_FILE_NODE] = { "node", 0077 },
  [SS_KEY_FILE_STATION] = { "station", 0077 },
  [SS_KEY_FILE_ROOM] = { "room", 0077 },
  [SS_KEY_FILE_REALM] = { "realm", 0007 },
};

bool
ss_key_file_exists (const char *path)
{
  struct stat st;

  return lstat (path, &st) == 0;
}

static bool
check_file (int fd, const char *path, SsKeyFileKind kind, GError **error)
{
  struct stat st;
  const char *fault = NULL;

  if (fstat (fd, &st) != 0)
    fault = "cannot be examined";
  else if (!S_ISREG (st.st_mode))
    fault = "is no plain file";
  else if (st.st_uid != geteuid () && st.st_uid != 0
           && kind != SS_KEY_FILE_REALM)
    fault = "belongs to another user";
  if (fault != NULL) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "the key file %s %s; give another", path, fault);
    return false;
  }
  if (st.st_mode & kinds[kind].forbidden) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "the key file %s can be read by others; run 'chmod %s %s' "
                 "if nobody has seen it, else make a new one",
                 path, kind == SS_KEY_FILE_REALM ? "o=" : "600", path);
    return false;
  }
  return true;
}

/* The secret among the lines of text; false when there is none. */
static bool
read_secret (char *text, const char *word, uint8_t ret_secret[SS_SECRET_LEN])
{
  char *save;

  for (char *line = strtok_r (text, "\r\n", &save); line != NULL;
       line = strtok_r (NULL, "\r\n", &save)) {
    size_t word_len = strlen (word), bin_len;

    g_strstrip (line);
    if (*line == '#' || *line == '\0')
      continue;
    if (strncmp (line, word, word_len) == 0 && line[word_len] == ' ')
      line = g_strchug (line + word_len);
    return strlen (line) == HEX_LEN
           && sodium_hex2bin (ret_secret, SS_SECRET_LEN, line, HEX_LEN, NULL,
                              &bin_len, NULL)
                  == 0
           && bin_len == SS_SECRET_LEN;
  }
  return false;
}

bool
ss_key_file_load (const char *path, SsKeyFileKind kind,
                  uint8_t ret_secret[SS_SECRET_LEN], GError **error)
{
  char text[FILE_LEN_MAX + 1];
  uint8_t secret[SS_SECRET_LEN];
  /* NONBLOCK: the open of a pipe must not hang. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "cannot read the key file %s: %s; check its name and "
                 "permissions",
                 path, g_strerror (errno));
    return false;
  }
  if (!check_file (fd, path, kind, error)) {
    close (fd);
    return false;
  }
  ssize_t len = read (fd, text, FILE_LEN_MAX);
  bool ok = false;

  close (fd);
  if (len >= 0) {
    text[len] = '\0';
    ok = read_secret (text, kinds[kind].word, secret);
  }
  if (ok)
    memcpy (ret_secret, secret, sizeof secret);
  else
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "%s holds no %s key (%d hexadecimal digits); give another "
                 "file",
                 path, kinds[kind].word, HEX_LEN);
  sodium_memzero (text, sizeof text);
  sodium_memzero (secret, sizeof secret);
  return ok;
}

/* Writes text to a new file beside path, and links it there if nothing is. */
static bool
write_new (const char *path, const char *text)
{
  g_autofree char *temporary = g_strdup_printf ("%s.XXXXXX", path);
  int fd = g_mkstemp_full (temporary, O_RDWR | O_CLOEXEC, 0600);

  if (fd < 0)
    return false;
  size_t len = strlen (text);
  bool ok = write (fd, text, len) == (ssize_t) len && fsync (fd) == 0;

  ok = close (fd) == 0 && ok;
  ok = ok && link (temporary, path) == 0;
  int failure = errno;

  unlink (temporary);
  errno = failure;
  return ok;
}

bool
ss_key_file_create (const char *path, SsKeyFileKind kind,
                    uint8_t secret[SS_SECRET_LEN], GError **error)
{
  char hex[HEX_LEN + 1];
  char text[FILE_LEN_MAX];

  sodium_bin2hex (hex, sizeof hex, secret, SS_SECRET_LEN);
  g_snprintf (text, sizeof text,
              "# splitstream %s key. Keep it secret, keep a copy.\n%s %s\n",
              kinds[kind].word, kinds[kind].word, hex);
  bool ok = write_new (path, text);
  int failure = errno;

  sodium_memzero (hex, sizeof hex);
  sodium_memzero (text, sizeof text);
  if (ok)
    return true;
  if (failure == EEXIST)
    return ss_key_file_load (path, kind, secret, error);
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
               "cannot write the key file %s: %s; choose another place", path,
               g_strerror (failure));
  return false;
}
