/* The file of peers. It is only a hint: each peer proves its key. */
#include "net/peer_cache.h"

#include <string.h>

#define REALM_CHARS    8
#define FILE_BYTES_MAX 65536

static char *
file_path (const SsDirs *dirs, const SsId *realm)
{
  char text[SS_ID_STRLEN];

  ss_id_format (realm, text);
  text[REALM_CHARS] = '\0';
  g_autofree char *name = g_strconcat ("peers-", text, NULL);

  return g_build_filename (dirs->state, name, NULL);
}

bool
ss_peer_cache_save (const SsDirs *dirs, const SsId *realm,
                    const SsContact *peers, unsigned n, GError **error)
{
  g_autofree char *path = file_path (dirs, realm);
  g_autoptr (GString) text = g_string_new (NULL);

  for (unsigned i = 0; i < MIN (n, SS_PEER_CACHE_MAX); i++) {
    char addr[SS_ADDR_STRLEN], key[SS_KEY_HEX_STRLEN];

    ss_addr_format (&peers[i].addr, addr);
    ss_key_format (&peers[i].key, key);
    g_string_append_printf (text, "%s %s\n", addr, key);
  }
  return ss_make_dir (dirs->state, error)
         && ss_replace_file (path, text->str, 0600, error);
}

static bool
parse_line (char *line, SsContact *ret_peer)
{
  char *key = strchr (line, ' ');
  SsContact peer = { .flags = SS_PEER_REACHABLE };

  if (key == NULL)
    return false;
  *key++ = '\0';
  if (!ss_addr_parse (line, &peer.addr) || !ss_key_parse (key, &peer.key))
    return false;
  peer.id = ss_id_of_key (&peer.key);
  *ret_peer = peer;
  return true;
}

unsigned
ss_peer_cache_load (const SsDirs *dirs, const SsId *realm,
                    SsContact ret_peers[SS_PEER_CACHE_MAX])
{
  g_autofree char *path = file_path (dirs, realm);
  g_autofree char *text = NULL;
  unsigned n = 0;
  size_t len;

  if (!g_file_get_contents (path, &text, &len, NULL) || len > FILE_BYTES_MAX)
    return 0;
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (unsigned i = 0; lines[i] != NULL && n < SS_PEER_CACHE_MAX; i++)
    n += parse_line (lines[i], &ret_peers[n]);
  return n;
}
