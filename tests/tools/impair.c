/* ss-impair [--seed N] TUN: a network in user space. Whatever hosts send
 * into the TUN device comes out of it again later, or not at all: each host
 * has an access link of the simulator's model (sim/access.h), and the order of
 * events is the simulator's too (sim/queue.h). Only the clock is real.
 *
 * Commands come on standard input, each answered by a line on standard
 * output, "ok" or "error: " and why:
 *
 *   ADDRESS|default [up=KBPS] [down=KBPS] [queue=BYTES] [loss-up=PERCENT]
 *     [loss-down=PERCENT] [delay=MS] [jitter=MS] [cut=0|1]
 *   stats      "ok forwarded=N lost=N"
 *
 * A host's delay is that of its own link, so between two hosts it is the sum
 * of both; jitter (up to so much) is added by the sender's. What is said of
 * "default" holds for hosts that are not heard of yet. A host that is cut off
 * sends and gets nothing, and nobody is told. Loss, rate and queue count as in
 * the simulator: what is lost on the way out has used the link. IPv4 only.
 * Ends with its standard input. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sim/access.h"
#include "sim/queue.h"

#define IP_MIN          20   /* bytes of an IPv4 header */
#define IP_UDP          28   /* and with one of UDP */
#define PACKET_MAX      2048 /* more than the device's MTU */
#define LINE_MAX_LEN    512
#define READS_AT_ONCE   64
#define DATAGRAMS_MAX   (1 << 16) /* on their way at one time */
#define ADDRESS_SOURCE  12        /* where they are in the header */
#define ADDRESS_DESTINY 16

typedef enum {
  EVENT_ARRIVAL, /* at the access link of whom it is for */
  EVENT_THROUGH, /* through that link */
} EventKind;

typedef struct {
  SsAccessLink link;
  SsTime delay, jitter;
  bool is_cut;
} Host;

typedef struct {
  Host *to;
  size_t len;
  uint8_t bytes[];
} Datagram;

typedef struct {
  int tun;
  SsRng rng;
  SsQueue queue;
  GHashTable *hosts; /* address: Host; never goes */
  Host first;        /* what a new host is */
  SsTime now;
  unsigned n_on_way;
  uint64_t n_forwarded, n_lost;
  char line[LINE_MAX_LEN];
  size_t line_len;
} Impair;

static SsTime
read_clock (void)
{
  return g_get_monotonic_time () * SS_USEC;
}

static Host *
host_of (Impair *impair, const uint8_t address[4])
{
  uint32_t number;

  memcpy (&number, address, sizeof number);
  Host *host = g_hash_table_lookup (impair->hosts, GUINT_TO_POINTER (number));

  if (host == NULL) {
    host = g_new (Host, 1);
    *host = impair->first;
    g_hash_table_insert (impair->hosts, GUINT_TO_POINTER (number), host);
  }
  return host;
}

/* What an access link counts: of other protocols, as if they were UDP. */
static size_t
payload (size_t len)
{
  return len > IP_UDP ? len - IP_UDP : 0;
}

static void
post (Impair *impair, EventKind kind, SsTime at, Datagram *datagram)
{
  const SsQueued event = { .at = at, .kind = kind, .data = datagram };

  ss_queue_push (&impair->queue, &event);
}

/* False: lost. */
static bool
leave (Impair *impair, const uint8_t *bytes, size_t len)
{
  SsTime wait;

  Host *from = host_of (impair, bytes + ADDRESS_SOURCE);
  Host *to = host_of (impair, bytes + ADDRESS_DESTINY);

  if (from->is_cut || impair->n_on_way == DATAGRAMS_MAX
      || !ss_access_leave (&from->link, impair->now, payload (len),
                           &impair->rng, &wait))
    return false;
  Datagram *datagram = g_malloc (sizeof *datagram + len);

  datagram->to = to;
  datagram->len = len;
  memcpy (datagram->bytes, bytes, len);
  impair->n_on_way++;
  post (impair, EVENT_ARRIVAL,
        impair->now + wait + from->delay + to->delay
            + ss_access_jitter (from->jitter, &impair->rng),
        datagram);
  return true;
}

static void
end (Impair *impair, Datagram *datagram, bool is_through)
{
  /* A full device, as full as a host's own would be, loses it. */
  if (is_through
      && write (impair->tun, datagram->bytes, datagram->len)
             == (ssize_t) datagram->len)
    impair->n_forwarded++;
  else
    impair->n_lost++;
  impair->n_on_way--;
  g_free (datagram);
}

static void
arrive (Impair *impair, const SsQueued *event)
{
  Datagram *datagram = event->data;
  SsTime wait;

  if (datagram->to->is_cut
      || !ss_access_enter (&datagram->to->link, event->at,
                           payload (datagram->len), &impair->rng, &wait))
    end (impair, datagram, false);
  else if (wait > 0)
    post (impair, EVENT_THROUGH, event->at + wait, datagram);
  else
    end (impair, datagram, true);
}

static void
deliver (Impair *impair)
{
  SsQueued event;

  while (ss_queue_pop (&impair->queue, impair->now, &event))
    if (event.kind == EVENT_ARRIVAL)
      arrive (impair, &event);
    else
      end (impair, event.data, true);
}

static bool
is_ipv4 (const uint8_t *bytes, size_t len)
{
  return len >= IP_MIN && bytes[0] >> 4 == 4;
}

static void
read_datagrams (Impair *impair)
{
  uint8_t bytes[PACKET_MAX];

  for (unsigned i = 0; i < READS_AT_ONCE; i++) {
    ssize_t len = read (impair->tun, bytes, sizeof bytes);

    if (len <= 0)
      return;
    if (is_ipv4 (bytes, (size_t) len))
      impair->n_lost += !leave (impair, bytes, (size_t) len);
  }
}

/* NULL: the words were understood, else why not. */
static const char *
change_host (Host *host, char **words)
{
  for (; *words != NULL; words++) {
    char *value = strchr (*words, '='), *rest;

    if (value == NULL)
      return "a word without '='";
    *value++ = '\0';
    double number = g_ascii_strtod (value, &rest);
    SsTime time = (SsTime) (number * (double) SS_MSEC);

    if (rest == value || *rest != '\0' || !(number >= 0 && number < 1e9))
      return "not a number";
    if (strcmp (*words, "up") == 0)
      host->link.access.up_kbps = (uint32_t) number;
    else if (strcmp (*words, "down") == 0)
      host->link.access.down_kbps = (uint32_t) number;
    else if (strcmp (*words, "queue") == 0)
      host->link.access.queue_bytes = (uint32_t) number;
    else if (strcmp (*words, "loss-up") == 0)
      host->link.loss_up = (float) number / 100;
    else if (strcmp (*words, "loss-down") == 0)
      host->link.loss_down = (float) number / 100;
    else if (strcmp (*words, "delay") == 0)
      host->delay = time;
    else if (strcmp (*words, "jitter") == 0)
      host->jitter = time;
    else if (strcmp (*words, "cut") == 0)
      host->is_cut = number > 0;
    else
      return "an unknown word";
  }
  return NULL;
}

static Host *
find_host (Impair *impair, const char *name)
{
  unsigned parts[4];
  uint8_t address[4];
  char rest;

  if (strcmp (name, "default") == 0)
    return &impair->first;
  if (sscanf (name, "%3u.%3u.%3u.%3u%c", &parts[0], &parts[1], &parts[2],
              &parts[3], &rest)
      != 4)
    return NULL;
  for (unsigned i = 0; i < 4; i++)
    address[i] = (uint8_t) parts[i];
  return host_of (impair, address);
}

static void
obey (Impair *impair, const char *line)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  const char *trouble = "no address";

  if (words[0] != NULL && strcmp (words[0], "stats") == 0) {
    printf ("ok forwarded=%" G_GUINT64_FORMAT " lost=%" G_GUINT64_FORMAT "\n",
            impair->n_forwarded, impair->n_lost);
    return;
  }
  Host *host = words[0] != NULL ? find_host (impair, words[0]) : NULL;

  if (host != NULL)
    trouble = change_host (host, words + 1);
  if (trouble == NULL)
    puts ("ok");
  else
    printf ("error: %s\n", trouble);
}

/* False: there will be no more. */
static bool
read_commands (Impair *impair)
{
  ssize_t n = read (STDIN_FILENO, impair->line + impair->line_len,
                    sizeof impair->line - 1 - impair->line_len);
  char *line = impair->line, *end_of_line;

  if (n <= 0)
    return false;
  impair->line_len += (size_t) n;
  impair->line[impair->line_len] = '\0';
  while ((end_of_line = strchr (line, '\n')) != NULL) {
    *end_of_line = '\0';
    obey (impair, line);
    line = end_of_line + 1;
  }
  fflush (stdout);
  impair->line_len = strlen (line);
  memmove (impair->line, line, impair->line_len);
  /* No command is as long. */
  return impair->line_len < sizeof impair->line - 1;
}

static void
run (Impair *impair)
{
  struct pollfd fds[] = {
    { .fd = impair->tun, .events = POLLIN },
    { .fd = STDIN_FILENO, .events = POLLIN },
  };
  bool is_running = true;

  while (is_running) {
    SsTime next = ss_queue_next (&impair->queue);
    SsTime now = read_clock (), wait = MAX (next, now) - now;
    const struct timespec timeout = { wait / SS_SEC, wait % SS_SEC };

    if (ppoll (fds, G_N_ELEMENTS (fds), next != SS_NEVER ? &timeout : NULL,
               NULL)
            < 0
        && errno != EINTR)
      g_error ("poll: %s", g_strerror (errno));
    impair->now = read_clock ();
    if (fds[0].revents != 0)
      read_datagrams (impair);
    if (fds[1].revents != 0)
      is_running = read_commands (impair);
    deliver (impair);
  }
}

static int
open_tun (const char *name)
{
  struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
  int fd = open ("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

  g_strlcpy (request.ifr_name, name, sizeof request.ifr_name);
  if (fd < 0 || ioctl (fd, TUNSETIFF, &request) < 0) {
    fprintf (stderr, "ss-impair: %s: %s\n", name, g_strerror (errno));
    return -1;
  }
  return fd;
}

int
main (int argc, char **argv)
{
  gint64 seed = 1;
  const GOptionEntry entries[] = {
    { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of what is lost, and when",
      "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("TUN");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, NULL) || argc != 2
      || sodium_init () < 0) {
    fprintf (stderr, "usage: ss-impair [--seed N] TUN\n");
    return 2;
  }
  Impair impair = {
    .tun = open_tun (argv[1]),
    .hosts = g_hash_table_new_full (NULL, NULL, NULL, g_free),
  };

  if (impair.tun < 0)
    return 1;
  ss_rng_init_number (&impair.rng, (uint64_t) seed);
  ss_queue_init (&impair.queue);
  puts ("ok");
  fflush (stdout);
  run (&impair);
  return 0;
}
