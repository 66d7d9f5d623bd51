/* What a listener costs at least, whatever the design: as many processes as
 * there are listeners, each at a fixed place in sixteen trees, take a stream
 * from sockets on loopback, open each datagram, verify each packet (a
 * signature a burst), seal it for each child and send it on. There is no ring,
 * nothing is kept, acknowledged, asked for or put in order, and nothing comes
 * out. Packets, rows, parity, bursts and signatures are the publisher's own.
 *
 *   floor [listeners] [seconds] [flac|opus] [ms that the socket is left alone]
 *
 * prints the CPU seconds (user and system) of a listener for each MB of media,
 * and how long packets were on their way. The trees are those of a quiet ring:
 * of each stripe every sixteenth listener is interior, the first of them is
 * the root, and the others are spread over them. */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "splitstream/rows.h"

#define LISTENERS_MAX 200
#define BATCH         64
#define BUFFER_LEN    1232 /* the longest datagram, SS_DATAGRAM_MAX */
#define LATENCY       (1500 * SS_MSEC)
#define SETTLE_TIME   SS_SEC
#define WAY_STEP      (100 * SS_USEC)
#define WAY_STEPS     2000
#define NONCE_LEN     crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN       crypto_aead_chacha20poly1305_ietf_ABYTES

/* A datagram as long as the link's: what stands before the sealed part, and
 * what stands before the packet in it. */
typedef struct {
  uint8_t type, nonce[NONCE_LEN]; /* sender and counter */
} Clear;
typedef struct {
  uint8_t stripe, sequence[4], departure[6]; /* us since the start */
} Head;
_Static_assert(sizeof (Clear) == 13 && sizeof (Head) == 11, "as the link's");

static const uint8_t key[32] = { 1 }; /* everybody's: the price is the same */

typedef struct {
  const char *name;
  size_t frame_len;
  SsTime frame_time;
  uint32_t clock_rate, duration;
  unsigned burst; /* frames that leave together (media/burst.h) */
} Stream;

static const Stream streams[] = {
  { "flac", 11735, SS_SEC * 4096 / 44100, 44100, 4096, 1 },
  { "opus", 320, 20 * SS_MSEC, 48000, 960, 18 },
};

typedef struct {
  SsTime cpu;
  uint64_t media_bytes, wakeups, received, sent;
  uint64_t ways[WAY_STEPS];
} Result;

typedef struct {
  int fd;
  uint64_t counter; /* of all that it has sealed */
  unsigned n_out;
  struct mmsghdr in[BATCH], out[BATCH];
  struct iovec in_vectors[BATCH], out_vectors[BATCH];
  uint8_t in_buffers[BATCH][BUFFER_LEN], out_buffers[BATCH][BUFFER_LEN];
} Socket;

typedef struct {
  unsigned n; /* listeners; the publisher is n */
  const Stream *stream;
  SsTime hold, start, from, until;
  SsSigner signer;
  int fds[LISTENERS_MAX + 1];
  struct sockaddr_in addrs[LISTENERS_MAX + 1];
  Result *results; /* shared by all processes */
} Bench;

static SsTime
read_clock (clockid_t clock)
{
  struct timespec time;
  clock_gettime (clock, &time);
  return time.tv_sec * SS_SEC + time.tv_nsec;
}

static void
sleep_until (SsTime at)
{
  struct timespec time = { at / SS_SEC, at % SS_SEC };
  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
    continue;
}

static unsigned
interior_of (const Bench *bench, unsigned stripe, unsigned place)
{
  return stripe % bench->n + place * SS_STRIPES;
}

/* Who sends a stripe to this listener. */
static unsigned
parent_of (const Bench *bench, unsigned stripe, unsigned self)
{
  unsigned root = interior_of (bench, stripe, 0);
  unsigned n_interior = (bench->n - root - 1) / SS_STRIPES + 1;
  if (self == root)
    return bench->n;
  if (self % SS_STRIPES == root % SS_STRIPES)
    return root;
  return interior_of (bench, stripe, self / SS_STRIPES % n_interior);
}

static void
flush (Socket *sock)
{
  unsigned done = 0;
  while (done < sock->n_out) {
    int n = sendmmsg (sock->fd, sock->out + done, sock->n_out - done, 0);
    if (n <= 0) {
      perror ("sendmmsg");
      exit (1);
    }
    done += (unsigned) n;
  }
  sock->n_out = 0;
}

/* Head and packet, which lie together, to one. */
static void
seal (Bench *bench, Socket *sock, unsigned self, unsigned to,
      const uint8_t *plain, size_t len)
{
  unsigned i = sock->n_out++;
  Clear clear = { .type = 4 };
  uint32_t from = self;
  memcpy (clear.nonce, &from, sizeof from);
  memcpy (clear.nonce + sizeof from, &sock->counter, sizeof sock->counter);
  sock->counter++;
  memcpy (sock->out_buffers[i], &clear, sizeof clear);
  crypto_aead_chacha20poly1305_ietf_encrypt (
      sock->out_buffers[i] + sizeof clear, NULL, plain, len, NULL, 0, NULL,
      clear.nonce, key);
  sock->out_vectors[i].iov_len = sizeof clear + len + TAG_LEN;
  sock->out[i].msg_hdr.msg_name = &bench->addrs[to];
  if (sock->n_out == BATCH)
    flush (sock);
}

/* One datagram's way through a listener, opened in place. */
static void
take (Bench *bench, Socket *sock, unsigned self, SsPacketTops *tops,
      unsigned datagram, SsTime now)
{
  Result *result = &bench->results[self];
  uint8_t *plain = sock->in_buffers[datagram] + sizeof (Clear);
  const uint8_t *nonce = plain - NONCE_LEN;
  const uint8_t *data = plain + sizeof (Head);
  size_t len = sock->in[datagram].msg_len - sizeof (Clear) - TAG_LEN;
  size_t data_len = len - sizeof (Head);
  Head head;
  uint64_t departure = 0;
  uint32_t sequence;
  SsPacket packet;
  g_assert (crypto_aead_chacha20poly1305_ietf_decrypt (
                plain, NULL, NULL, plain, len + TAG_LEN, NULL, 0, nonce, key)
            == 0);
  memcpy (&head, plain, sizeof head);
  memcpy (&sequence, head.sequence, sizeof sequence);
  g_assert (ss_packet_parse (data, data_len, &packet));
  g_assert (ss_packet_verify (tops, &bench->signer.key, head.stripe, sequence,
                              &packet, data, data_len, NULL));
  result->received++;
  memcpy (&departure, head.departure, sizeof head.departure);
  SsTime way = now - bench->start - (SsTime) departure * SS_USEC;
  result->ways[CLAMP (way / WAY_STEP, 0, WAY_STEPS - 1)]++;
  if (!packet.is_parity)
    result->media_bytes += packet.payload.len;
  if (self % SS_STRIPES != interior_of (bench, head.stripe, 0))
    return;
  for (unsigned to = 0; to < bench->n; to++) {
    if (parent_of (bench, head.stripe, to) == self) {
      seal (bench, sock, self, to, plain, len);
      result->sent++;
    }
  }
}

static Socket *
make_socket (Bench *bench, unsigned self)
{
  Socket *sock = g_new0 (Socket, 1);
  sock->fd = bench->fds[self];
  for (unsigned i = 0; i < BATCH; i++) {
    sock->in_vectors[i] = (struct iovec){ sock->in_buffers[i], BUFFER_LEN };
    sock->out_vectors[i] = (struct iovec){ sock->out_buffers[i], 0 };
    sock->in[i].msg_hdr.msg_iov = &sock->in_vectors[i];
    sock->in[i].msg_hdr.msg_iovlen = 1;
    sock->out[i].msg_hdr = (struct msghdr){
      .msg_namelen = sizeof bench->addrs[0],
      .msg_iov = &sock->out_vectors[i],
      .msg_iovlen = 1,
    };
  }
  return sock;
}

static void
run_listener (Bench *bench, unsigned self)
{
  Socket *sock = make_socket (bench, self);
  SsPacketTops tops = { 0 };
  Result *result = &bench->results[self];
  struct pollfd poll_fd = { .fd = sock->fd, .events = POLLIN };
  SsTime cpu = -1, now = 0;
  while (now < bench->until) {
    poll (&poll_fd, 1, (int) ((bench->until - now) / SS_MSEC % 100000 + 1));
    now = read_clock (CLOCK_MONOTONIC);
    if (cpu < 0 && now >= bench->from) {
      memset (result, 0, sizeof *result);
      cpu = read_clock (CLOCK_PROCESS_CPUTIME_ID);
    }
    result->wakeups++;
    int n;
    do {
      n = recvmmsg (sock->fd, sock->in, BATCH, MSG_DONTWAIT, NULL);
      for (int i = 0; i < n; i++)
        take (bench, sock, self, &tops, (unsigned) i, now);
      flush (sock);
    } while (n == BATCH);
    if (bench->hold > 0)
      sleep_until (now + bench->hold);
  }
  result->cpu = read_clock (CLOCK_PROCESS_CPUTIME_ID) - cpu;
  g_free (sock);
}

/* What is due leaves for the roots. */
static void
send_burst (Bench *bench, Socket *sock, SsRows *rows, SsTime media_now)
{
  SsRowsPacket out;
  uint64_t departure =
      (uint64_t) (read_clock (CLOCK_MONOTONIC) - bench->start) / SS_USEC;
  ss_rows_run (rows, media_now);
  while (ss_rows_pop (rows, &out)) {
    uint8_t plain[BUFFER_LEN];
    Head head = { .stripe = out.stripe };
    gsize len;
    const uint8_t *data = g_bytes_get_data (out.packet, &len);
    memcpy (head.sequence, &out.sequence, sizeof head.sequence);
    memcpy (head.departure, &departure, sizeof head.departure);
    memcpy (plain, &head, sizeof head);
    memcpy (plain + sizeof head, data, len);
    seal (bench, sock, bench->n, interior_of (bench, out.stripe, 0), plain,
          sizeof head + len);
    g_bytes_unref (out.packet);
  }
  flush (sock);
}

static void
run_publisher (Bench *bench)
{
  const Stream *stream = bench->stream;
  static const uint8_t bytes[16 * 1024];
  Socket *sock = make_socket (bench, bench->n);
  SsRows *rows = ss_rows_new (&bench->signer, 1, 1, LATENCY);
  SsFrame frame = {
    .data = g_bytes_new_static (bytes, stream->frame_len),
    .header_version = 1,
    .duration = stream->duration,
  };
  GBytes *headers = g_bytes_new_static (bytes, 1);
  ss_rows_push_headers (rows, 0, 1, stream->clock_rate, headers);
  g_bytes_unref (headers);
  while (bench->start + frame.timestamp < bench->until) {
    SsTime media_now = frame.timestamp;
    sleep_until (bench->start + media_now);
    for (unsigned i = 0; i < stream->burst; i++) {
      ss_rows_push_frame (rows, media_now, &frame);
      frame.number++;
      frame.timestamp += stream->frame_time;
    }
    send_burst (bench, sock, rows, media_now);
  }
  g_bytes_unref (frame.data);
  ss_rows_free (rows);
  g_free (sock);
}

static void
open_sockets (Bench *bench)
{
  for (unsigned i = 0; i <= bench->n; i++) {
    struct sockaddr *addr = (struct sockaddr *) &bench->addrs[i];
    socklen_t len = sizeof bench->addrs[i];
    bench->addrs[i] = (struct sockaddr_in){
      .sin_family = AF_INET,
      .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
    };
    bench->fds[i] = socket (AF_INET, SOCK_DGRAM, 0);
    if (bind (bench->fds[i], addr, len) != 0
        || getsockname (bench->fds[i], addr, &len) != 0) {
      perror ("floor: no UDP socket on loopback");
      exit (1);
    }
  }
}

static double
quantile (const Result *all, double share)
{
  double sum = 0;
  unsigned step = 0;
  while (step < WAY_STEPS - 1
         && (sum += (double) all->ways[step]) < share * (double) all->received)
    step++;
  return (step + 0.5) * WAY_STEP / SS_MSEC;
}

static void
print_results (const Bench *bench)
{
  Result all = { 0 };
  for (unsigned i = 0; i < bench->n; i++) {
    const Result *one = &bench->results[i];
    all.cpu += one->cpu;
    all.media_bytes += one->media_bytes;
    all.wakeups += one->wakeups;
    all.received += one->received;
    all.sent += one->sent;
    for (unsigned j = 0; j < WAY_STEPS; j++)
      all.ways[j] += one->ways[j];
  }
  double seconds = bench->n * (double) (bench->until - bench->from) / SS_SEC;
  printf ("%u listeners, %s, the socket left alone for %.0f ms\n", bench->n,
          bench->stream->name, (double) bench->hold / SS_MSEC);
  printf ("CPU per MB of media: mean %.4f s\n",
          (double) all.cpu / 1e9 / ((double) all.media_bytes / 1e6));
  printf ("each second: %.1f wake-ups, %.1f datagrams in, %.1f out\n",
          (double) all.wakeups / seconds, (double) all.received / seconds,
          (double) all.sent / seconds);
  printf ("media %.0f bit/s; way p50 %.1f ms, p99 %.1f ms\n",
          (double) all.media_bytes * 8 / seconds, quantile (&all, 0.5),
          quantile (&all, 0.99));
}

int
main (int argc, char **argv)
{
  static Bench bench;
  uint8_t seed[SS_SEED_LEN] = { 7 };
  const char *name = argc > 3 ? argv[3] : "flac";
  int listeners = argc > 1 ? (int) strtol (argv[1], NULL, 10) : 50;
  int seconds = argc > 2 ? (int) strtol (argv[2], NULL, 10) : 20;
  int hold = argc > 4 ? (int) strtol (argv[4], NULL, 10) : 0;
  for (size_t i = 0; i < G_N_ELEMENTS (streams); i++)
    if (g_str_equal (name, streams[i].name))
      bench.stream = &streams[i];
  if (listeners < 1 || listeners > LISTENERS_MAX || seconds < 1 || hold < 0
      || bench.stream == NULL || sodium_init () < 0) {
    fputs ("usage: floor [listeners] [seconds] [flac|opus] [ms]\n", stderr);
    return 2;
  }
  bench.n = (unsigned) listeners;
  bench.hold = hold * SS_MSEC;
  ss_signer_init (&bench.signer, seed);
  bench.results = mmap (NULL, sizeof (Result) * bench.n, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert (bench.results != MAP_FAILED);
  open_sockets (&bench);
  bench.start = read_clock (CLOCK_MONOTONIC) + SETTLE_TIME;
  bench.from = bench.start + SETTLE_TIME;
  bench.until = bench.from + seconds * SS_SEC;
  for (unsigned i = 0; i < bench.n; i++) {
    pid_t pid = fork ();
    g_assert (pid >= 0);
    if (pid == 0) {
      run_listener (&bench, i);
      _exit (0);
    }
  }
  run_publisher (&bench);
  unsigned n_failed = 0;
  for (int status; wait (&status) > 0;)
    n_failed += status != 0;
  print_results (&bench);
  if (n_failed > 0)
    fprintf (stderr, "floor: %u listeners failed\n", n_failed);
  return n_failed > 0;
}
