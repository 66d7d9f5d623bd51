/* Node identities. The key file is written once and never again: what
 * changes (the time of the last handshake) stands in a file of its own. */
#include "net/identity.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "net/dirs.h"
#include "net/error.h"
#include "net/key_file.h"

#define LAST_LEN_MAX 32

void
ss_identity_init_ephemeral (SsIdentity *identity, SsRng *rng)
{
  *identity = (SsIdentity){ .lock_fd = -1 };
  ss_link_make_identity (rng, identity->seed, &identity->key);
}

static bool
take_lock (SsIdentity *identity, GError **error)
{
  g_autofree char *path = g_strconcat (identity->path, ".last", NULL);
  GError *cause = NULL;
  char text[LAST_LEN_MAX + 1];

  identity->lock_fd = ss_lock_file (path, &cause);
  if (identity->lock_fd < 0) {
    if (cause != NULL)
      g_propagate_error (error, cause);
    else
      g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                   "the identity %s is in use by another process; end it, or "
                   "give another with --identity",
                   identity->path);
    return false;
  }
  ssize_t len = pread (identity->lock_fd, text, LAST_LEN_MAX, 0);

  if (len > 0) {
    text[len] = '\0';
    identity->last_handshake_ns = g_ascii_strtoull (text, NULL, 10);
  }
  return true;
}

bool
ss_identity_init_file (SsIdentity *identity, const char *path, SsRng *rng,
                       GError **error)
{
  SsIdentity new = { .lock_fd = -1, .path = g_strdup (path) };
  bool ok;

  if (!ss_make_parent_dir (path, error)) {
    ss_identity_clear (&new);
    return false;
  }
  if (ss_key_file_exists (path)) {
    ok = ss_key_file_load (path, SS_KEY_FILE_NODE, new.seed, error);
  } else {
    ss_link_make_identity (rng, new.seed, &new.key);
    ok = ss_key_file_create (path, SS_KEY_FILE_NODE, new.seed, error);
  }
  if (ok) {
    ss_link_key_of_seed (new.seed, &new.key);
    ok = ss_link_key_has_work (&new.key);
    if (!ok)
      g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                   "the key in %s lacks the work that peers ask for; remove "
                   "the file, and a new key is made",
                   path);
  }
  if (!ok || !take_lock (&new, error)) {
    ss_identity_clear (&new);
    return false;
  }
  *identity = new;
  return true;
}

bool
ss_identity_save (SsIdentity *identity, uint64_t last_handshake_ns,
                  GError **error)
{
  char text[LAST_LEN_MAX];

  if (identity->lock_fd < 0 || last_handshake_ns <= identity->last_handshake_ns)
    return true;
  /* Fixed width: one write in place that leaves no digits of the old. */
  int len = g_snprintf (text, sizeof text, "%020" G_GUINT64_FORMAT "\n",
                        last_handshake_ns);

  if (pwrite (identity->lock_fd, text, (size_t) len, 0) != len) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "cannot write %s.last: %s", identity->path,
                 g_strerror (errno));
    return false;
  }
  identity->last_handshake_ns = last_handshake_ns;
  return true;
}

void
ss_identity_clear (SsIdentity *identity)
{
  sodium_memzero (identity->seed, sizeof identity->seed);
  g_clear_pointer (&identity->path, g_free);
  if (identity->lock_fd >= 0)
    close (identity->lock_fd);
  identity->lock_fd = -1;
}
