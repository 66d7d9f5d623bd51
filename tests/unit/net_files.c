/* Key files, pins, own stations and the directory of local nodes, in a
 * directory made for each test. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/dirs.h"
#include "net/error.h"
#include "net/key_file.h"
#include "net/local_dir.h"
#include "net/peer_cache.h"
#include "net/stations.h"

typedef struct {
  char *dir;
} Fixture;

static void
set_up (Fixture *fixture, const void *data)
{
  fixture->dir = g_dir_make_tmp ("ss-net-XXXXXX", NULL);
  g_assert_nonnull (fixture->dir);
}

/* One level below the root is all that the tests make. */
static void
remove_tree (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *child = g_build_filename (path, name, NULL);
    g_autoptr (GDir) sub = g_file_test (child, G_FILE_TEST_IS_SYMLINK)
                               ? NULL
                               : g_dir_open (child, 0, NULL);
    const char *sub_name;

    while (sub != NULL && (sub_name = g_dir_read_name (sub)) != NULL) {
      g_autofree char *grandchild = g_build_filename (child, sub_name, NULL);

      g_remove (grandchild);
    }
    g_remove (child);
  }
  if (dir != NULL)
    g_dir_close (dir);
  g_rmdir (path);
}

static void
tear_down (Fixture *fixture, const void *data)
{
  remove_tree (fixture->dir);
  g_free (fixture->dir);
}

static void
test_key_file (Fixture *fixture, const void *data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "a.key", NULL);
  uint8_t secret[SS_SECRET_LEN], loaded[SS_SECRET_LEN], other[SS_SECRET_LEN];
  struct stat st;

  memset (secret, 0x5a, sizeof secret);
  memset (other, 0x11, sizeof other);
  g_assert_false (ss_key_file_exists (path));
  g_assert_true (ss_key_file_create (path, SS_KEY_FILE_STATION, secret, NULL));
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);
  g_assert_true (ss_key_file_load (path, SS_KEY_FILE_STATION, loaded, NULL));
  g_assert_cmpmem (loaded, sizeof loaded, secret, sizeof secret);
  /* Who comes second gets the first one's. */
  g_assert_true (ss_key_file_create (path, SS_KEY_FILE_STATION, other, NULL));
  g_assert_cmpmem (other, sizeof other, secret, sizeof secret);
  /* A station's key is no node's. */
  g_assert_false (ss_key_file_load (path, SS_KEY_FILE_NODE, loaded, NULL));
}

static void
test_key_file_refused (Fixture *fixture, const void *data)
{
  static const struct {
    const char *text;
    int mode;
    bool ok;
  } rows[] = {
    { "realm "
      "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n",
      0600, true },
    { "# by hand\n\n"
      "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff",
      0640, true },
    { "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n",
      0644, false }, /* anybody reads it */
    { "00112233445566778899aabbccddeeff00112233445566778899aabbccddee\n", 0600,
      false },
    { "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeffff\n",
      0600, false },
    { "00112233445566778899aabbccddeeff00112233445566778899aabbccddeexx\n",
      0600, false },
    { "", 0600, false },
    { "\n\n", 0600, false },
  };
  g_autofree char *path = g_build_filename (fixture->dir, "realm", NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    uint8_t secret[SS_SECRET_LEN] = { 0 };
    GError *error = NULL;

    g_assert_true (g_file_set_contents (path, rows[i].text, -1, NULL));
    g_assert_cmpint (chmod (path, (mode_t) rows[i].mode), ==, 0);
    bool ok = ss_key_file_load (path, SS_KEY_FILE_REALM, secret, &error);

    g_test_message ("row %u", (unsigned) i);
    g_assert_true (ok == rows[i].ok);
    if (ok) {
      g_assert_cmpint (secret[1], ==, 0x11);
    } else {
      g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED);
      g_assert_nonnull (strstr (error->message, path));
      g_clear_error (&error);
    }
  }
  /* A directory, and nothing at all. */
  uint8_t secret[SS_SECRET_LEN];

  g_assert_false (
      ss_key_file_load (fixture->dir, SS_KEY_FILE_REALM, secret, NULL));
  g_remove (path);
  g_assert_false (ss_key_file_load (path, SS_KEY_FILE_REALM, secret, NULL));
}

static void
test_replace_file (Fixture *fixture, const void *data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "sub", "f", NULL);
  g_autofree char *text = NULL;

  g_assert_false (ss_replace_file (path, "one", 0600, NULL));
  g_assert_true (ss_make_parent_dir (path, NULL));
  g_assert_true (ss_replace_file (path, "one", 0600, NULL));
  g_assert_true (ss_replace_file (path, "two", 0600, NULL));
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "two");
}

static SsId
test_id (uint8_t byte)
{
  SsId id;

  memset (&id, byte, sizeof id);
  return id;
}

static void
test_pins (Fixture *fixture, const void *data)
{
  g_autofree char *path = ss_known_stations_path (fixture->dir);
  SsId a = test_id (1), b = test_id (2), found;

  g_assert_false (ss_known_stations_find (path, "radio1", &found));
  g_assert_true (ss_known_stations_pin (path, "radio1", &a, NULL));
  g_assert_true (ss_known_stations_pin (path, "caf\xc3\xa9 x", &b, NULL));
  /* The first use counts. */
  g_assert_true (ss_known_stations_pin (path, "radio1", &b, NULL));
  g_assert_true (ss_known_stations_find (path, "radio1", &found));
  g_assert_true (ss_id_equal (&found, &a));
  g_assert_true (ss_known_stations_find (path, "caf\xc3\xa9 x", &found));
  g_assert_true (ss_id_equal (&found, &b));
  g_assert_false (ss_known_stations_find (path, "radio", &found));
  g_assert_false (ss_known_stations_find (path, "radio11", &found));
}

static void
test_pins_damaged (Fixture *fixture, const void *data)
{
  g_autofree char *path = ss_known_stations_path (fixture->dir);
  SsId a = test_id (1), found;

  g_assert_true (g_file_set_contents (
      path, "radio1\nradio1 nonsense\n\xff\xfe \x01\n\n# note\n", -1, NULL));
  g_assert_false (ss_known_stations_find (path, "radio1", &found));
  g_assert_true (ss_known_stations_pin (path, "radio1", &a, NULL));
  g_assert_true (ss_known_stations_find (path, "radio1", &found));
  g_assert_true (ss_id_equal (&found, &a));
}

/* A file edited by hand may not end in a line's end. */
static void
test_pins_unended (Fixture *fixture, const void *data)
{
  g_autofree char *path = ss_known_stations_path (fixture->dir);
  SsId a = test_id (1), b = test_id (2), found;
  char text[SS_FINGERPRINT_STRLEN];

  ss_fingerprint_format_id (&a, text);
  g_autofree char *line = g_strconcat ("radio1 ", text, NULL);

  g_assert_true (g_file_set_contents (path, line, -1, NULL));
  g_assert_true (ss_known_stations_pin (path, "radio2", &b, NULL));
  g_assert_true (ss_known_stations_find (path, "radio1", &found));
  g_assert_true (ss_id_equal (&found, &a));
  g_assert_true (ss_known_stations_find (path, "radio2", &found));
  g_assert_true (ss_id_equal (&found, &b));
}

static void
test_own_station (Fixture *fixture, const void *data)
{
  g_autofree char *path = ss_own_station_path (fixture->dir, "my radio");
  uint8_t random[32], other[32];
  SsOwnStation station, second;
  GError *error = NULL;

  memset (random, 3, sizeof random);
  memset (other, 4, sizeof other);
  g_assert_true (ss_own_station_open (&station, path, random, NULL));
  g_assert_true (station.is_new);
  g_assert_cmpuint (station.session, ==, 0);
  g_assert_true (ss_own_station_save_session (&station, 1234567890, NULL));
  /* One broadcast at a time. */
  g_assert_false (ss_own_station_open (&second, path, other, &error));
  g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "already"));
  g_clear_error (&error);
  ss_own_station_clear (&station);

  g_assert_true (ss_own_station_open (&second, path, other, NULL));
  g_assert_false (second.is_new);
  g_assert_cmpuint (second.session, ==, 1234567890);
  g_assert_cmpmem (second.seed, 32, random, 32);
  ss_own_station_clear (&second);
}

static SsLocalNode
local_node (uint8_t byte, uint16_t port, bool is_relay)
{
  SsLocalNode node = {
    .realm = test_id (9),
    .is_relay = is_relay,
    .n_addrs = 2,
    .addrs = { ss_addr_v4 (0x0a000001, port), ss_addr_v4 (0x7f000001, port) },
  };

  memset (&node.key, byte, sizeof node.key);
  return node;
}

static SsLocalDir *
open_local_dir (Fixture *fixture)
{
  g_setenv ("XDG_RUNTIME_DIR", fixture->dir, TRUE);
  SsLocalDir *dir = ss_local_dir_open (NULL);

  g_assert_nonnull (dir);
  return dir;
}

static void
test_local_dir (Fixture *fixture, const void *data)
{
  SsLocalDir *a = open_local_dir (fixture), *b = open_local_dir (fixture),
             *c = open_local_dir (fixture);
  SsLocalNode node_a = local_node (7, 1000, false);
  SsLocalNode node_b = local_node (8, 2000, true);
  SsLocalNode node_c = local_node (5, 3000, false);
  SsLocalNode found[4];
  SsId realm = test_id (9), other_realm = test_id (10);
  struct stat st;

  g_assert_cmpint (stat (ss_local_dir_path (a), &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);
  g_assert_true (ss_local_dir_publish (a, &node_a, NULL));
  g_assert_true (ss_local_dir_publish (b, &node_b, NULL));
  g_assert_true (ss_local_dir_publish (c, &node_c, NULL));
  /* Relays first, then by key; never the own. */
  g_assert_cmpuint (ss_local_dir_list (a, &realm, found, 4), ==, 2);
  g_assert_true (ss_key_equal (&found[0].key, &node_b.key));
  g_assert_true (found[0].is_relay);
  g_assert_cmpuint (found[0].n_addrs, ==, 2);
  g_assert_true (ss_addr_equal (&found[0].addrs[1], &node_b.addrs[1]));
  g_assert_true (ss_key_equal (&found[1].key, &node_c.key));
  g_assert_cmpuint (ss_local_dir_list (b, &realm, found, 4), ==, 2);
  g_assert_true (ss_key_equal (&found[0].key, &node_c.key));
  g_assert_cmpuint (ss_local_dir_list (b, &realm, found, 1), ==, 1);
  g_assert_cmpuint (ss_local_dir_list (b, &other_realm, found, 4), ==, 0);
  /* Published again: replaced. */
  node_a.addrs[0].port = 1001;
  g_assert_true (ss_local_dir_publish (a, &node_a, NULL));
  g_assert_cmpuint (ss_local_dir_list (b, &realm, found, 4), ==, 2);
  g_assert_cmpuint (found[1].addrs[0].port, ==, 1001);
  /* An orderly end takes the entry along. */
  ss_local_dir_free (c);
  g_assert_cmpuint (ss_local_dir_list (b, &realm, found, 4), ==, 1);
  ss_local_dir_free (a);
  ss_local_dir_free (b);
}

static void
test_local_dir_dead (Fixture *fixture, const void *data)
{
  static const char *const texts[] = {
    "",
    "key 1\n",
    "\xff\xff\xff",
    "key\nrealm\naddress\n",
  };
  SsLocalDir *dir = open_local_dir (fixture);
  SsLocalNode found[4];
  SsId realm = test_id (9);

  /* Nobody holds a lock on these: their owners are dead. */
  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree char *path =
        g_strdup_printf ("%s/%02u.node", ss_local_dir_path (dir), (unsigned) i);

    g_assert_true (g_file_set_contents (path, texts[i], -1, NULL));
    g_assert_cmpuint (ss_local_dir_list (dir, &realm, found, 4), ==, 0);
    g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  }
  /* Held, but damaged: left alone, and not used. */
  g_autofree char *path =
      g_build_filename (ss_local_dir_path (dir), "held.node", NULL);
  g_assert_true (g_file_set_contents (path, "key 1\n", -1, NULL));
  int fd = open (path, O_RDONLY);

  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  g_assert_cmpuint (ss_local_dir_list (dir, &realm, found, 4), ==, 0);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  close (fd);
  ss_local_dir_free (dir);
}

static void
test_local_dir_refused (Fixture *fixture, const void *data)
{
  g_autofree char *path = g_build_filename (fixture->dir, "splitstream", NULL);
  g_autofree char *real = g_build_filename (fixture->dir, "real", NULL);
  GError *error = NULL;

  g_setenv ("XDG_RUNTIME_DIR", fixture->dir, TRUE);
  g_assert_cmpint (g_mkdir (real, 0700), ==, 0);
  g_assert_cmpint (symlink (real, path), ==, 0);
  g_assert_null (ss_local_dir_open (&error));
  g_assert_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED);
  g_clear_error (&error);

  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
  g_assert_cmpint (chmod (path, 0755), ==, 0);
  g_assert_null (ss_local_dir_open (&error));
  g_assert_nonnull (strstr (error->message, "open to others"));
  g_clear_error (&error);

  if (geteuid () == 0) {
    g_assert_cmpint (chmod (path, 0700), ==, 0);
    g_assert_cmpint (chown (path, 12345, 12345), ==, 0);
    g_assert_null (ss_local_dir_open (&error));
    g_assert_nonnull (strstr (error->message, "another user"));
    g_clear_error (&error);
  }

  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  g_assert_null (ss_local_dir_open (&error));
  g_clear_error (&error);
}

/* Peers of former times come back as they were, those of another realm and
 * what is damaged do not. */
static void
test_peer_cache (Fixture *fixture, const void *data)
{
  SsContact peers[SS_PEER_CACHE_MAX + 1] = { 0 }, loaded[SS_PEER_CACHE_MAX];
  SsId realm = { { 1 } }, other = { { 2 } };
  SsDirs dirs;
  GError *error = NULL;

  ss_dirs_init (&dirs, fixture->dir);
  g_assert_cmpuint (ss_peer_cache_load (&dirs, &realm, loaded), ==, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS (peers); i++) {
    memset (&peers[i].key, (int) i + 1, sizeof peers[i].key);
    peers[i].id = ss_id_of_key (&peers[i].key);
    peers[i].addr = ss_addr_v4 (0x0a000000 + i, (uint16_t) (1000 + i));
  }
  g_assert_true (
      ss_peer_cache_save (&dirs, &realm, peers, G_N_ELEMENTS (peers), &error));
  g_assert_no_error (error);
  g_assert_cmpuint (ss_peer_cache_load (&dirs, &other, loaded), ==, 0);
  g_assert_cmpuint (ss_peer_cache_load (&dirs, &realm, loaded), ==,
                    SS_PEER_CACHE_MAX);
  for (unsigned i = 0; i < SS_PEER_CACHE_MAX; i++) {
    g_assert_true (ss_id_equal (&loaded[i].id, &peers[i].id));
    g_assert_true (ss_addr_equal (&loaded[i].addr, &peers[i].addr));
  }
  g_autofree char *path =
      g_build_filename (fixture->dir, "peers-01000000", NULL);
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_autofree char *damaged =
      g_strconcat ("nonsense\n1.2.3.4:5\n1.2.3.4:5 00\n", text, NULL);

  g_assert_true (g_file_set_contents (path, damaged, -1, NULL));
  g_assert_cmpuint (ss_peer_cache_load (&dirs, &realm, loaded), ==,
                    SS_PEER_CACHE_MAX);
  ss_dirs_clear (&dirs);
}

#define ADD(name, function) \
  g_test_add ("/net/files/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("key-file", test_key_file);
  ADD ("key-file-refused", test_key_file_refused);
  ADD ("replace", test_replace_file);
  ADD ("pins", test_pins);
  ADD ("pins-damaged", test_pins_damaged);
  ADD ("pins-unended", test_pins_unended);
  ADD ("own-station", test_own_station);
  ADD ("peer-cache", test_peer_cache);
  ADD ("local-dir", test_local_dir);
  ADD ("local-dir-dead", test_local_dir_dead);
  ADD ("local-dir-refused", test_local_dir_refused);
  return g_test_run ();
}
