/* The directory of live local nodes. All work goes through one descriptor of
 * the directory, so that a path swapped meanwhile changes nothing. */
#include "net/local_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/error.h"
#include "net/parse.h"

#define ENTRY_LEN_MAX 1024
#define SUFFIX        ".node"
#define NAME_LEN_MAX  (2 * SS_ID_LEN + sizeof SUFFIX)

struct SsLocalDir {
  char *path;
  int fd;
  int entry_fd; /* own entry, locked; -1: none */
  char entry_name[NAME_LEN_MAX];
};

static char *
dir_path (void)
{
  const char *runtime_dir = g_getenv ("XDG_RUNTIME_DIR");

  if (runtime_dir != NULL && g_path_is_absolute (runtime_dir)
      && g_file_test (runtime_dir, G_FILE_TEST_IS_DIR))
    return g_build_filename (runtime_dir, "splitstream", NULL);
  return g_strdup_printf ("/tmp/splitstream-%u", (unsigned) geteuid ());
}

SsLocalDir *
ss_local_dir_open (GError **error)
{
  g_autofree char *path = dir_path ();
  struct stat st;
  const char *fault = NULL;
  int fd = -1;

  if (mkdir (path, 0700) == 0 || errno == EEXIST)
    fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    fault = errno == ELOOP || errno == ENOTDIR ? "is no directory"
                                               : g_strerror (errno);
  else if (fstat (fd, &st) != 0)
    fault = g_strerror (errno);
  else if (st.st_uid != geteuid ())
    fault = "belongs to another user";
  else if (st.st_mode & 0077)
    fault = "is open to others (chmod 700 would close it)";
  if (fault != NULL) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "%s: %s; nodes on this machine are not found by themselves, "
                 "give --bootstrap",
                 path, fault);
    if (fd >= 0)
      close (fd);
    return NULL;
  }
  SsLocalDir *dir = g_new0 (SsLocalDir, 1);

  dir->path = g_steal_pointer (&path);
  dir->fd = fd;
  dir->entry_fd = -1;
  return dir;
}

static void
remove_own_entry (SsLocalDir *dir)
{
  if (dir->entry_fd < 0)
    return;
  unlinkat (dir->fd, dir->entry_name, 0);
  close (dir->entry_fd);
  dir->entry_fd = -1;
}

void
ss_local_dir_free (SsLocalDir *dir)
{
  remove_own_entry (dir);
  close (dir->fd);
  g_free (dir->path);
  g_free (dir);
}

const char *
ss_local_dir_path (const SsLocalDir *dir)
{
  return dir->path;
}

static char *
format_entry (const SsLocalNode *node)
{
  GString *text = g_string_new (NULL);
  char key[SS_KEY_HEX_STRLEN], realm[SS_ID_STRLEN], addr[SS_ADDR_STRLEN];

  ss_key_format (&node->key, key);
  ss_id_format (&node->realm, realm);
  g_string_append_printf (text, "key %s\nrealm %s\nrelay %d\n", key, realm,
                          node->is_relay);
  for (unsigned i = 0; i < node->n_addrs; i++) {
    ss_addr_format (&node->addrs[i], addr);
    g_string_append_printf (text, "address %s\n", addr);
  }
  return g_string_free (text, FALSE);
}

bool
ss_local_dir_publish (SsLocalDir *dir, const SsLocalNode *node, GError **error)
{
  char hex[SS_ID_STRLEN], name[NAME_LEN_MAX], temporary[NAME_LEN_MAX + 16];
  SsId id = ss_id_of_key (&node->key);

  ss_id_format (&id, hex);
  g_snprintf (name, sizeof name, "%s" SUFFIX, hex);
  g_snprintf (temporary, sizeof temporary, ".%s.%d", hex, (int) getpid ());
  g_autofree char *text = format_entry (node);
  size_t len = strlen (text);

  unlinkat (dir->fd, temporary, 0);
  int fd = openat (dir->fd, temporary,
                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  /* Locked before it gets its name: nobody ever sees it unlocked. */
  bool ok = fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) == 0
            && write (fd, text, len) == (ssize_t) len
            && renameat (dir->fd, temporary, dir->fd, name) == 0;

  if (!ok) {
    g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
                 "cannot write in %s: %s; nodes on this machine will not find "
                 "this one by themselves",
                 dir->path, g_strerror (errno));
    if (fd >= 0) {
      unlinkat (dir->fd, temporary, 0);
      close (fd);
    }
    return false;
  }
  if (dir->entry_fd >= 0)
    close (dir->entry_fd);
  dir->entry_fd = fd;
  g_strlcpy (dir->entry_name, name, sizeof dir->entry_name);
  return true;
}

static bool
parse_entry (char *text, SsLocalNode *ret_node)
{
  SsLocalNode node = { .n_addrs = 0 };
  bool has_key = false, has_realm = false;
  char *save;

  for (char *line = strtok_r (text, "\n", &save); line != NULL;
       line = strtok_r (NULL, "\n", &save)) {
    char *value = strchr (line, ' ');

    if (value == NULL)
      return false;
    *value++ = '\0';
    if (strcmp (line, "key") == 0)
      has_key = ss_key_parse (value, &node.key);
    else if (strcmp (line, "realm") == 0)
      has_realm = ss_id_parse (value, &node.realm);
    else if (strcmp (line, "relay") == 0)
      node.is_relay = strcmp (value, "1") == 0;
    else if (strcmp (line, "address") == 0 && node.n_addrs < SS_PEER_ADDRS_MAX
             && ss_addr_parse (value, &node.addrs[node.n_addrs]))
      node.n_addrs++;
  }
  if (!has_key || !has_realm || node.n_addrs == 0)
    return false;
  *ret_node = node;
  return true;
}

/* Reads one entry; false for what is dead, foreign or damaged. The dead are
 * removed. */
static bool
read_entry (SsLocalDir *dir, const char *name, SsLocalNode *ret_node)
{
  char text[ENTRY_LEN_MAX + 1];
  struct stat st, named;
  bool ok = false;
  int fd =
      openat (dir->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0)
    return false;
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode)) {
    if (flock (fd, LOCK_SH | LOCK_NB) == 0) {
      /* Its owner is gone; unless a new one has just taken the name. */
      if (fstatat (dir->fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0
          && named.st_ino == st.st_ino)
        unlinkat (dir->fd, name, 0);
    } else {
      ssize_t len = read (fd, text, ENTRY_LEN_MAX);

      if (len > 0) {
        text[len] = '\0';
        ok = parse_entry (text, ret_node);
      }
    }
  }
  close (fd);
  return ok;
}

static int
compare_nodes (const void *a, const void *b)
{
  const SsLocalNode *x = a, *y = b;

  if (x->is_relay != y->is_relay)
    return x->is_relay ? -1 : 1;
  return ss_key_compare (&x->key, &y->key);
}

unsigned
ss_local_dir_list (SsLocalDir *dir, const SsId *realm, SsLocalNode *ret_nodes,
                   unsigned max)
{
  int fd = openat (dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = fd < 0 ? NULL : fdopendir (fd);
  g_autoptr (GArray) nodes = g_array_new (FALSE, FALSE, sizeof (SsLocalNode));
  struct dirent *entry;

  if (stream == NULL) {
    if (fd >= 0)
      close (fd);
    return 0;
  }
  while (nodes->len < SS_LOCAL_NODES_MAX
         && (entry = readdir (stream)) != NULL) {
    SsLocalNode node;

    if (g_str_has_suffix (entry->d_name, SUFFIX)
        && strcmp (entry->d_name, dir->entry_name) != 0
        && read_entry (dir, entry->d_name, &node)
        && ss_id_equal (&node.realm, realm))
      g_array_append_val (nodes, node);
  }
  closedir (stream);
  /* readdir has no order of its own. */
  if (nodes->len > 0)
    qsort (nodes->data, nodes->len, sizeof (SsLocalNode), compare_nodes);
  unsigned n = MIN (nodes->len, max);

  if (n > 0)
    memcpy (ret_nodes, nodes->data, n * sizeof (SsLocalNode));
  return n;
}
