/* ss-oggpackets FILE...: one line per codec packet, so that scripts can
 * compare what a listener received with its source:
 *
 *   LINK START DURATION LENGTH HASH
 *
 * LINK counts chain links from 0 over all files, START and DURATION are in
 * samples of the link's clock, LENGTH is in bytes, HASH is BLAKE2b-128 of
 * the packet. `--headers` adds lines "LINK headers CODEC RATE N_PACKETS HASH".
 * Warnings go to stderr. Exits 1 when a file cannot be read as Ogg. */
#include <glib.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "media/codec.h"
#include "media/ogg_reader.h"

#define HASH_LEN 16

static void
print_hash (const unsigned char hash[HASH_LEN])
{
  for (unsigned i = 0; i < HASH_LEN; i++)
    printf ("%02x", hash[i]);
  putchar ('\n');
}

static void
print_headers (int link, const SsCodecHeaders *headers)
{
  crypto_generichash_state state;
  unsigned char hash[HASH_LEN];
  crypto_generichash_init (&state, NULL, 0, HASH_LEN);
  for (unsigned i = 0; i < headers->n_packets; i++) {
    size_t len;
    const void *data = g_bytes_get_data (headers->packets[i], &len);
    crypto_generichash_update (&state, data, len);
  }
  crypto_generichash_final (&state, hash, HASH_LEN);
  printf ("%d headers %s %u %u ", link, ss_codec_name (headers->codec),
          headers->clock_rate, headers->n_packets);
  print_hash (hash);
}

static void
print_packet (int link, const SsOggEvent *event)
{
  unsigned char hash[HASH_LEN];
  size_t len;
  const void *data = g_bytes_get_data (event->data, &len);
  crypto_generichash (hash, HASH_LEN, data, len, NULL, 0);
  printf ("%d %" G_GINT64_FORMAT " %u %zu ", link, event->start,
          event->duration, len);
  print_hash (hash);
}

static bool
print_file (const char *name, bool with_headers, int *link)
{
  FILE *file = strcmp (name, "-") == 0 ? stdin : fopen (name, "rb");
  if (file == NULL) {
    fprintf (stderr, "ss-oggpackets: cannot open %s\n", name);
    return false;
  }
  g_autoptr (SsOggReader) reader = ss_ogg_reader_new ();
  static char buffer[65536];
  bool ok = true, done = false;
  while (!done) {
    SsOggEvent event;
    switch (ss_ogg_reader_pull (reader, &event)) {
    case SS_OGG_NEED_DATA: {
      size_t n = fread (buffer, 1, sizeof buffer, file);
      if (n > 0)
        ss_ogg_reader_push (reader, buffer, n);
      else
        ss_ogg_reader_finish (reader);
      break;
    }
    case SS_OGG_HEADERS:
      (*link)++;
      if (with_headers)
        print_headers (*link, event.headers);
      break;
    case SS_OGG_PACKET:
      print_packet (*link, &event);
      break;
    case SS_OGG_WARNING:
      fprintf (stderr, "ss-oggpackets: %s: %s\n", name, event.error->message);
      break;
    case SS_OGG_ERROR:
      fprintf (stderr, "ss-oggpackets: %s: %s\n", name, event.error->message);
      ok = false;
      done = true;
      break;
    case SS_OGG_END:
      done = true;
      break;
    }
    ss_ogg_event_clear (&event);
  }
  if (file != stdin)
    fclose (file);
  return ok;
}

int
main (int argc, char **argv)
{
  bool with_headers = false, ok = true;
  int link = -1;
  if (sodium_init () < 0)
    return 1;
  for (int i = 1; i < argc; i++)
    if (strcmp (argv[i], "--headers") == 0)
      with_headers = true;
    else
      ok &= print_file (argv[i], with_headers, &link);
  if (argc < 2)
    fprintf (stderr, "usage: ss-oggpackets [--headers] FILE...\n");
  return ok && argc > 1 ? 0 : 1;
}
