/* Forwarding cost of a whole node, with the real sealer and signer.
 *
 * A relay that roots stripes is driven in one process by synthetic peers: a
 * publisher and listeners that are nodes of the shipped code, in virtual
 * time over a network without delay. Only the relay's work is timed (thread
 * CPU time): opening, verifying, forwarding, sealing, and sendmmsg of what
 * it sends to a real loopback socket. The floor is measured in the same run:
 * sealing packets of the same lengths with ChaCha20-Poly1305 and sendmmsg,
 * nothing else.
 *
 *   forwarding [listeners] [seconds] [stripes rooted] [kbit/s of the stream]
 *
 * prints packets forwarded per CPU second, their cost and the ratio. Exits
 * with 1 when it exceeds LIMIT_RATIO. */
#include <arpa/inet.h>
#include <glib.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "node/node.h"

#define LIMIT_RATIO   2.0
#define LISTENERS_MAX 60
#define KBITS_DEFAULT 4000
#define FRAME_TIME    (SS_SEC * 4096 / 44100) /* as FLAC's */
#define BATCH         64
#define SETTLE_TIME   (8 * SS_SEC)
#define FIRST_PORT    20000
#define HEADER_LEN    13 /* type, receiver, counter: not sealed */

typedef struct {
  unsigned to;
  SsAddr from;
  uint16_t len;
  uint8_t data[SS_DATAGRAM_MAX];
} Datagram;

typedef struct {
  SsNode *node;
  SsAddr addr;
  bool listens, found;
  uint64_t frames;
} Peer;

typedef struct {
  Peer peers[LISTENERS_MAX + 2];
  unsigned n, relay, publisher;
  SsTime now;
  GQueue queue;
  bool on_air;
  size_t frame_len;
  /* The relay's account. */
  bool measuring;
  SsTime input, tick, output, send; /* thread CPU time of its parts */
  SsTime floor;
  uint64_t sent, sent_bytes, received;
  int sock;
  struct sockaddr_in sink;
  unsigned n_batch;
  uint8_t batch[BATCH][SS_DATAGRAM_MAX];
  struct iovec vectors[BATCH];
  struct mmsghdr messages[BATCH];
} Bench;

static SsTime
cpu_now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * SS_SEC + time.tv_nsec;
}

static void
send_batch (Bench *bench)
{
  unsigned done = 0;
  while (done < bench->n_batch) {
    int n = sendmmsg (bench->sock, bench->messages + done,
                      bench->n_batch - done, 0);
    if (n <= 0) {
      perror ("sendmmsg");
      exit (1);
    }
    done += (unsigned) n;
  }
  bench->n_batch = 0;
}

/* Takes the datagram that was written to the next place in the batch. */
static void
batch_add (Bench *bench, size_t len)
{
  unsigned i = bench->n_batch++;
  bench->vectors[i] = (struct iovec){ bench->batch[i], len };
  bench->messages[i] = (struct mmsghdr) {
    .msg_hdr = {
      .msg_name = &bench->sink,
      .msg_namelen = sizeof bench->sink,
      .msg_iov = &bench->vectors[i],
      .msg_iovlen = 1,
    },
  };
}

static void
enqueue (Bench *bench, unsigned from, const SsAddr *to, const uint8_t *data,
         size_t len)
{
  Datagram *datagram = g_new (Datagram, 1);

  memcpy (datagram->data, data, len);
  datagram->from = bench->peers[from].addr;
  datagram->to = to->port - FIRST_PORT;
  datagram->len = (uint16_t) len;
  g_queue_push_tail (&bench->queue, datagram);
}

/* Seals and sends n packets of the lengths last sent, and nothing else. Done
 * after each batch of the relay's, so that caches and the machine's mood are
 * the same for both. */
static void
measure_floor (Bench *bench, unsigned n)
{
  static const uint8_t plain[SS_DATAGRAM_MAX];
  uint8_t nonce[12] = { 0 }, key[32] = { 1 };
  SsTime start = cpu_now ();

  for (unsigned i = 0; i < n; i++) {
    size_t len = bench->vectors[i].iov_len;
    size_t overhead = HEADER_LEN + crypto_aead_chacha20poly1305_ietf_ABYTES;
    nonce[0] = (uint8_t) i;
    crypto_aead_chacha20poly1305_ietf_encrypt (bench->batch[i] + HEADER_LEN,
                                               NULL, plain, len - overhead,
                                               NULL, 0, NULL, nonce, key);
    batch_add (bench, len);
  }
  send_batch (bench);
  bench->floor += cpu_now () - start;
}

/* The relay's output: a batch is filled and sent on its account, and copied
 * for its peers when the clock has stopped. */
static void
drain_relay (Bench *bench)
{
  SsNode *node = bench->peers[bench->relay].node;
  SsAddr to[BATCH];
  size_t len = 1;

  while (len > 0) {
    SsTime start = cpu_now ();
    while (bench->n_batch < BATCH
           && (len = ss_node_output (node, &to[bench->n_batch],
                                     bench->batch[bench->n_batch],
                                     SS_DATAGRAM_MAX))
                  > 0)
      batch_add (bench, len);
    unsigned n = bench->n_batch;
    SsTime sealed = cpu_now ();
    send_batch (bench);
    bench->output += sealed - start;
    bench->send += cpu_now () - sealed;
    for (unsigned i = 0; i < n; i++) {
      bench->sent++;
      bench->sent_bytes += bench->vectors[i].iov_len;
      enqueue (bench, bench->relay, &to[i], bench->batch[i],
               bench->vectors[i].iov_len);
    }
    measure_floor (bench, n);
  }
}

static void
drain_output (Bench *bench, unsigned index)
{
  uint8_t buf[SS_DATAGRAM_MAX];
  SsAddr to;
  size_t len;

  if (index == bench->relay && bench->measuring) {
    drain_relay (bench);
    return;
  }
  while ((len = ss_node_output (bench->peers[index].node, &to, buf, sizeof buf))
         > 0)
    enqueue (bench, index, &to, buf, len);
}

static void
drain_events (Bench *bench, unsigned index)
{
  Peer *peer = &bench->peers[index];
  SsEvent event;

  while (ss_node_event (peer->node, &event)) {
    switch (event.type) {
    case SS_EVENT_STATIONS:
      if (event.n_found > 0 && peer->listens && !peer->found) {
        peer->found = true;
        SsDescriptor descriptor = event.found[0];
        ss_node_listen (peer->node, bench->now, &descriptor, 0);
      }
      break;
    case SS_EVENT_ON_AIR:
      bench->on_air = true;
      break;
    case SS_EVENT_HEADERS:
      ss_codec_headers_free (event.headers);
      break;
    case SS_EVENT_FRAME:
      peer->frames++;
      g_bytes_unref (event.frame.data);
      break;
    default:
      break;
    }
  }
}

static void
settle (Bench *bench)
{
  Datagram *datagram;

  for (unsigned i = 0; i < bench->n; i++) {
    drain_events (bench, i);
    drain_output (bench, i);
  }
  while ((datagram = g_queue_pop_head (&bench->queue)) != NULL) {
    if (datagram->to < bench->n) {
      unsigned to = datagram->to;
      bool timed = to == bench->relay && bench->measuring;
      SsTime start = timed ? cpu_now () : 0;
      ss_node_input (bench->peers[to].node, bench->now, &datagram->from,
                     datagram->data, datagram->len);
      if (timed) {
        bench->input += cpu_now () - start;
        bench->received++;
      }
      drain_events (bench, to);
      drain_output (bench, to);
    }
    g_free (datagram);
  }
}

/* Runs to `until`, timer by timer. */
static void
run_until (Bench *bench, SsTime until)
{
  for (;;) {
    SsTime next = until;
    for (unsigned i = 0; i < bench->n; i++)
      next = MIN (next, ss_node_deadline (bench->peers[i].node));
    bench->now = MAX (bench->now, next);
    for (unsigned i = 0; i < bench->n; i++) {
      if (ss_node_deadline (bench->peers[i].node) > bench->now)
        continue;
      bool timed = i == bench->relay && bench->measuring;
      SsTime start = timed ? cpu_now () : 0;
      ss_node_tick (bench->peers[i].node, bench->now);
      if (timed)
        bench->tick += cpu_now () - start;
    }
    settle (bench);
    if (bench->now >= until)
      return;
  }
}

/* Of how many stripes a candidate among the keys would be the root. */
static unsigned
count_rooted (const SsKey *keys, unsigned n, unsigned candidate,
              const SsKey *station)
{
  SsId group = ss_station_group_id (station, "bench");
  unsigned rooted = 0;

  for (unsigned stripe = 0; stripe < SS_STRIPES; stripe++) {
    SsId id = ss_station_stripe_id (&group, 0, stripe);
    SsId mine = ss_id_of_key (&keys[candidate]);
    bool is_root = true;
    for (unsigned i = 0; i < n && is_root; i++) {
      SsId other = ss_id_of_key (&keys[i]);
      is_root = i == candidate || ss_id_closer (&id, &mine, &other);
    }
    rooted += is_root;
  }
  return rooted;
}

/* The identity that roots most stripes, `wanted` of them at most, becomes the
 * relay's; returns how many it roots. */
static unsigned
make_peers (Bench *bench, unsigned n_listeners, unsigned wanted,
            const SsKey *station)
{
  unsigned n = n_listeners + 2, best = 0, most = 0;
  uint8_t (*seeds)[32] = g_malloc0_n (n, 32);
  SsKey *keys = g_new0 (SsKey, n);
  SsRng rng;

  ss_rng_init_number (&rng, 1);
  for (unsigned i = 0; i < n; i++)
    ss_link_make_identity (&rng, seeds[i], &keys[i]);
  for (unsigned i = 0; i < n; i++) {
    unsigned rooted = count_rooted (keys, n, i, station);
    if (rooted > most && rooted <= wanted) {
      most = rooted;
      best = i;
    }
  }
  bench->n = n;
  bench->relay = best;
  bench->publisher = best == 0 ? 1 : 0;
  for (unsigned i = 0; i < n; i++) {
    Peer *peer = &bench->peers[i];
    SsNodeConfig config = {
      .is_relay = i == bench->relay,
      .may_stand_alone = i == bench->relay,
      .wall_offset = 1700000000 * SS_SEC,
    };
    uint8_t seed[32];
    memcpy (config.identity_seed, seeds[i], sizeof config.identity_seed);
    ss_rng_bytes (&rng, seed, sizeof seed);
    peer->node = ss_node_new (&config, seed, bench->now);
    peer->addr = ss_addr_v4 (INADDR_LOOPBACK, (uint16_t) (FIRST_PORT + i));
    peer->listens = i != bench->relay && i != bench->publisher;
  }
  g_free (seeds);
  g_free (keys);
  return most;
}

static void
go_on_air (Bench *bench, const uint8_t seed[SS_SEED_LEN])
{
  ss_node_join (bench->peers[bench->relay].node, bench->now, NULL, 0, NULL, 0);
  settle (bench);
  for (unsigned i = 0; i < bench->n; i++) {
    if (i == bench->relay)
      continue;
    ss_node_join (bench->peers[i].node, bench->now,
                  &bench->peers[bench->relay].addr, 1, NULL, 0);
    run_until (bench, bench->now + 100 * SS_MSEC);
  }
  SsPublishOptions options = { .name = "bench",
                               .parity = 1,
                               .latency = SS_LATENCY_DEFAULT };
  memcpy (options.seed, seed, SS_SEED_LEN);
  ss_node_publish (bench->peers[bench->publisher].node, bench->now, &options);
  run_until (bench, bench->now + 2 * SS_SEC);
  g_assert (bench->on_air);
  SsCodecHeaders headers = {
    .version = 1, .codec = SS_CODEC_FLAC, .clock_rate = 44100, .n_packets = 1
  };
  headers.packets[0] = g_bytes_new_static ("\x7f"
                                           "FLAC",
                                           5);
  ss_node_push_headers (bench->peers[bench->publisher].node, bench->now,
                        &headers);
  g_bytes_unref (headers.packets[0]);
  for (unsigned i = 0; i < bench->n; i++) {
    if (bench->peers[i].listens)
      ss_node_find (bench->peers[i].node, bench->now, "bench", NULL);
  }
  run_until (bench, bench->now + SS_SEC);
}

static void
broadcast (Bench *bench, SsTime time, SsTime *timestamp, uint64_t *number)
{
  SsTime end = bench->now + time;
  uint8_t *bytes = g_malloc0 (bench->frame_len);

  while (bench->now < end) {
    SsFrame frame = {
      .data = g_bytes_new (bytes, bench->frame_len),
      .timestamp = *timestamp,
      .duration = 4096,
      .number = (*number)++,
    };
    ss_node_push_frame (bench->peers[bench->publisher].node, bench->now,
                        &frame);
    g_bytes_unref (frame.data);
    *timestamp += FRAME_TIME;
    run_until (bench, bench->now + FRAME_TIME);
  }
  g_free (bytes);
}

static void
open_sockets (Bench *bench)
{
  /* The sink is bound and never read: its buffer overflows, which costs the
   * sender what a full receiver costs, the same for node and floor. */
  int sink = socket (AF_INET, SOCK_DGRAM, 0);
  bench->sink =
      (struct sockaddr_in){ .sin_family = AF_INET,
                            .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t len = sizeof bench->sink;
  if (sink < 0
      || bind (sink, (struct sockaddr *) &bench->sink, sizeof bench->sink) < 0
      || getsockname (sink, (struct sockaddr *) &bench->sink, &len) < 0)
    g_error ("no loopback socket");
  bench->sock = socket (AF_INET, SOCK_DGRAM, 0);
}

/* The argument at place, or what it is without one. */
static unsigned
argument (char **argv, int argc, int place, unsigned otherwise)
{
  guint64 number;
  g_autoptr (GError) error = NULL;
  if (place >= argc)
    return otherwise;
  if (!g_ascii_string_to_unsigned (argv[place], 10, 1, G_MAXUINT32, &number,
                                   &error))
    g_error ("%s", error->message);
  return (unsigned) number;
}

int
main (int argc, char **argv)
{
  unsigned listeners = argument (argv, argc, 1, 30);
  unsigned seconds = argument (argv, argc, 2, 30);
  unsigned wanted = argument (argv, argc, 3, 1);
  unsigned kbits = argument (argv, argc, 4, KBITS_DEFAULT);
  static Bench bench;
  uint8_t seed[SS_SEED_LEN] = { 7 };
  SsSigner signer;
  SsTime timestamp = 0;
  uint64_t number = 0;

  if (listeners < 1 || listeners > LISTENERS_MAX || seconds < 1 || kbits < 1) {
    fprintf (
        stderr,
        "usage: forwarding [1-%d listeners] [seconds] [stripes] [kbit/s]\n",
        LISTENERS_MAX);
    return 2;
  }
  if (sodium_init () < 0)
    return 1;
  bench.frame_len = (size_t) (FRAME_TIME * kbits / 8 / SS_MSEC);
  g_queue_init (&bench.queue);
  bench.now = SS_SEC;
  open_sockets (&bench);
  ss_signer_init (&signer, seed);
  unsigned rooted = make_peers (&bench, listeners, wanted, &signer.key);
  go_on_air (&bench, seed);
  broadcast (&bench, SETTLE_TIME, &timestamp, &number);

  bench.measuring = true;
  broadcast (&bench, seconds * SS_SEC, &timestamp, &number);
  bench.measuring = false;
  g_assert (bench.sent > 0);

  size_t mean = bench.sent_bytes / bench.sent;
  double sent = (double) bench.sent;
  double cost =
      (double) (bench.input + bench.tick + bench.output + bench.send) / sent;
  double floor_cost = (double) bench.floor / sent;
  printf ("relay: %u stripes rooted, %u listeners, %u kbit/s\n", rooted,
          listeners, kbits);
  printf ("datagrams received            %" G_GUINT64_FORMAT "\n",
          bench.received);
  printf ("datagrams forwarded           %" G_GUINT64_FORMAT
          ", %zu bytes in the mean\n",
          bench.sent, mean);
  printf ("forwarded per CPU second      %.0f\n", 1e9 / cost);
  printf ("cost of one                   %.2f us\n", cost / 1000);
  printf ("  opening, verifying, queueing %.2f us\n"
          "  timers                      %.2f us\n"
          "  encoding and sealing        %.2f us\n"
          "  sendmmsg                    %.2f us\n",
          (double) bench.input / sent / 1000, (double) bench.tick / sent / 1000,
          (double) bench.output / sent / 1000,
          (double) bench.send / sent / 1000);
  printf ("floor, seal and sendmmsg      %.2f us\n", floor_cost / 1000);
  printf ("ratio                         %.2f (at most %.1f)\n",
          cost / floor_cost, LIMIT_RATIO);
  for (unsigned i = 0; i < bench.n; i++) {
    if (bench.peers[i].listens)
      g_assert (bench.peers[i].frames > seconds * 5);
    ss_node_free (bench.peers[i].node);
  }
  return cost / floor_cost <= LIMIT_RATIO ? 0 : 1;
}
