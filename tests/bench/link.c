/* What the link adds to forwarding: packets sent to 16 peers each, sealed and
 * handed to the kernel, against a floor of sealing and sendmmsg alone, of as
 * many bytes, measured in the same run. Usage: bench-link [PACKETS] */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "overlay/link/link.h"

#define PEERS           16
#define BODY_LEN        1100
#define BATCH           64
#define PACKETS_DEFAULT 5000
#define ROUNDS          5

typedef struct {
  int fd;
  struct sockaddr_in to;
  unsigned n;
  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  uint8_t data[BATCH][SS_DATAGRAM_MAX];
} Batch;

static double
cpu_seconds (void)
{
  struct timespec ts;
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* Datagrams go to a socket that nobody reads. */
static void
batch_init (Batch *batch, int *ret_sink)
{
  socklen_t len = sizeof batch->to;
  *ret_sink = socket (AF_INET, SOCK_DGRAM, 0);
  batch->fd = socket (AF_INET, SOCK_DGRAM, 0);
  batch->n = 0;
  batch->to = (struct sockaddr_in){
    .sin_family = AF_INET,
    .sin_addr = { htonl (INADDR_LOOPBACK) },
  };
  if (bind (*ret_sink, (struct sockaddr *) &batch->to, len) != 0
      || getsockname (*ret_sink, (struct sockaddr *) &batch->to, &len) != 0) {
    perror ("bench-link: no UDP socket on loopback");
    exit (1);
  }
  for (unsigned i = 0; i < BATCH; i++) {
    batch->vectors[i].iov_base = batch->data[i];
    batch->messages[i].msg_hdr = (struct msghdr){
      .msg_name = &batch->to,
      .msg_namelen = sizeof batch->to,
      .msg_iov = &batch->vectors[i],
      .msg_iovlen = 1,
    };
  }
}

static void
batch_flush (Batch *batch)
{
  unsigned done = 0;
  while (done < batch->n) {
    int n = sendmmsg (batch->fd, batch->messages + done, batch->n - done, 0);
    if (n <= 0)
      break;
    done += (unsigned) n;
  }
  batch->n = 0;
}

static void
batch_add (Batch *batch, size_t len)
{
  batch->vectors[batch->n++].iov_len = len;
  if (batch->n == BATCH)
    batch_flush (batch);
}

static double
run_floor (Batch *batch, unsigned n_packets, size_t len)
{
  uint8_t key[PEERS][32] = { { 1 } }, nonce[12] = { 0 };
  uint8_t body[SS_DATAGRAM_MAX] = { 0 };
  double start = cpu_seconds ();
  for (unsigned i = 0; i < n_packets; i++)
    for (unsigned j = 0; j < PEERS; j++) {
      memcpy (nonce, &i, sizeof i);
      crypto_aead_chacha20poly1305_ietf_encrypt (batch->data[batch->n] + 13,
                                                 NULL, body, len - 13 - 16,
                                                 NULL, 0, NULL, nonce, key[j]);
      batch_add (batch, len);
    }
  batch_flush (batch);
  return cpu_seconds () - start;
}

typedef struct {
  SsEnv env;
  SsLink *link;
  SsContact peers[PEERS];
} Node;

static const SsLinkUpcalls no_upcalls;

static bool
pass_on (SsLink *from, const SsAddr *from_addr, SsLink *to)
{
  uint8_t buf[SS_DATAGRAM_MAX];
  SsAddr ignored;
  size_t len = ss_link_output (from, &ignored, buf, sizeof buf);
  if (len > 0)
    ss_link_input (to, from_addr, buf, len);
  return len > 0;
}

static void
node_init (Node *node)
{
  uint8_t seed[32] = { 0 };
  SsKey key;
  SsLinkConfig config = { .advertise = ss_addr_v4 (0x7f000001, 1) };
  ss_env_init (&node->env, seed, 0, 0);
  ss_link_make_identity (&node->env.rng, config.identity_seed, &key);
  node->link = ss_link_new (&node->env, &config, &no_upcalls, NULL);
  for (unsigned i = 0; i < PEERS; i++) {
    SsEnv env;
    SsLinkConfig peer_config = { .advertise = ss_addr_v4 (0x7f000001,
                                                          (uint16_t) (2 + i)) };
    ss_env_init (&env, seed, 0, 0);
    ss_link_make_identity (&node->env.rng, peer_config.identity_seed, &key);
    SsLink *peer = ss_link_new (&env, &peer_config, &no_upcalls, NULL);
    node->peers[i] = *ss_link_self (peer);
    ss_link_send (node->link, &node->peers[i], &(SsLinkSend){ .protocol = 1 },
                  seed, 1, NULL);
    while (pass_on (node->link, &config.advertise, peer)
           || pass_on (peer, &peer_config.advertise, node->link))
      continue;
    ss_link_free (peer);
    ss_env_clear (&env);
  }
}

static double
run_link (Batch *batch, Node *node, unsigned n_packets, size_t *ret_len)
{
  uint8_t data[BODY_LEN] = { 0 };
  SsLinkSend how = { .protocol = 3, .class = SS_CLASS_MEDIA };
  SsAddr to;
  size_t len;
  double start = cpu_seconds ();
  for (unsigned i = 0; i < n_packets; i++) {
    GBytes *body = g_bytes_new (data, sizeof data);
    for (unsigned j = 0; j < PEERS; j++)
      ss_link_send (node->link, &node->peers[j], &how, data, 4, body);
    while ((len = ss_link_output (node->link, &to, batch->data[batch->n],
                                  SS_DATAGRAM_MAX))
           > 0) {
      *ret_len = len;
      batch_add (batch, len);
    }
    g_bytes_unref (body);
  }
  batch_flush (batch);
  return cpu_seconds () - start;
}

int
main (int argc, char **argv)
{
  unsigned n_packets =
      argc > 1 ? (unsigned) strtoul (argv[1], NULL, 10) : PACKETS_DEFAULT;
  if (sodium_init () < 0 || n_packets == 0)
    return 1;
  Batch *batch = g_new0 (Batch, 1);
  Node *node = g_new0 (Node, 1);
  int sink;
  batch_init (batch, &sink);
  node_init (node);
  double best_floor = 1e9, best_link = 1e9;
  size_t len = 0;
  for (unsigned round = 0; round < ROUNDS; round++) {
    best_link = MIN (best_link, run_link (batch, node, n_packets, &len));
    best_floor = MIN (best_floor, run_floor (batch, n_packets, len));
  }
  double n = (double) n_packets * PEERS;
  printf ("datagrams of %zu bytes, fan-out %u, best of %u rounds\n", len, PEERS,
          ROUNDS);
  printf ("floor  %6.3f us a datagram, %8.0f a second\n", best_floor / n * 1e6,
          n / best_floor);
  printf ("link   %6.3f us a datagram, %8.0f a second\n", best_link / n * 1e6,
          n / best_link);
  printf ("ratio  %6.3f\n", best_link / best_floor);
  ss_link_free (node->link);
  ss_env_clear (&node->env);
  close (sink);
  close (batch->fd);
  g_free (node);
  g_free (batch);
  return 0;
}
