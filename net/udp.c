/* UDP. Addresses are kept as IPv6 (IPv4 mapped, RFC 4291 section 2.5.5.2),
 * which is what a dual-stack socket speaks by itself. */
#include "net/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/error.h"
#include "net/parse.h"

/* One longer than any of ours is cut, and thereby fails its seal. */
#define BUFFER_LEN (SS_DATAGRAM_MAX + 16)

typedef union {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} SocketAddress;

typedef struct {
  struct mmsghdr headers[SS_UDP_BATCH];
  struct iovec vectors[SS_UDP_BATCH];
  SocketAddress addresses[SS_UDP_BATCH];
  uint8_t buffers[SS_UDP_BATCH][BUFFER_LEN];
} Batch;

struct SsUdp {
  int fd;
  bool is_v4;   /* an IPv4 socket */
  bool v6_only; /* bound to one IPv6 address */
  SsAddr local;
  Batch in, out;
  unsigned n_unsent, first_unsent;
  SsUdpDatagram datagrams[SS_UDP_BATCH];
};

static socklen_t
to_socket_address (bool is_v4, const SsAddr *addr, SocketAddress *ret)
{
  memset (ret, 0, sizeof *ret);
  if (is_v4) {
    ret->v4.sin_family = AF_INET;
    ret->v4.sin_port = htons (addr->port);
    memcpy (&ret->v4.sin_addr, addr->ip + 12, 4);
    return sizeof ret->v4;
  }
  ret->v6.sin6_family = AF_INET6;
  ret->v6.sin6_port = htons (addr->port);
  memcpy (&ret->v6.sin6_addr, addr->ip, 16);
  return sizeof ret->v6;
}

static SsAddr
from_socket_address (const SocketAddress *address)
{
  SsAddr addr = { .port = 0 };

  if (address->any.sa_family == AF_INET)
    return ss_addr_v4 (ntohl (address->v4.sin_addr.s_addr),
                       ntohs (address->v4.sin_port));
  addr.port = ntohs (address->v6.sin6_port);
  memcpy (addr.ip, &address->v6.sin6_addr, 16);
  return addr;
}

static bool
ip_is_wildcard (const SsAddr *addr)
{
  static const uint8_t zero[16];

  return memcmp (addr->ip, zero, 16) == 0
         || (ss_addr_is_v4 (addr) && memcmp (addr->ip + 12, zero, 4) == 0);
}

static void
set_option (int fd, int level, int name, int value)
{
  /* What the system refuses it does without. */
  if (setsockopt (fd, level, name, &value, sizeof value) != 0)
    g_debug ("setsockopt %d %d: %s", level, name, g_strerror (errno));
}

/* A bound socket, or -1 with errno. */
static int
open_socket (const SsAddr *addr)
{
  bool is_v4 = ss_addr_is_v4 (addr);
  SocketAddress address;
  socklen_t len = to_socket_address (is_v4, addr, &address);
  int fd = socket (address.any.sa_family,
                   SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return -1;
  if (!is_v4)
    set_option (fd, IPPROTO_IPV6, IPV6_V6ONLY, !ip_is_wildcard (addr));
  /* FORCE goes beyond the system's limit; only root may. */
  set_option (fd, SOL_SOCKET, SO_RCVBUF, SS_UDP_BUFFER_LEN);
  set_option (fd, SOL_SOCKET, SO_SNDBUF, SS_UDP_BUFFER_LEN);
  if (geteuid () == 0) {
    set_option (fd, SOL_SOCKET, SO_RCVBUFFORCE, SS_UDP_BUFFER_LEN);
    set_option (fd, SOL_SOCKET, SO_SNDBUFFORCE, SS_UDP_BUFFER_LEN);
  }
  if (bind (fd, &address.any, len) == 0)
    return fd;
  int failure = errno;

  close (fd);
  errno = failure;
  return -1;
}

/* Any address: IPv6 and IPv4, or IPv4 alone; the default port or a free one. */
static int
open_default (SsAddr *ret_addr)
{
  static const uint16_t ports[] = { SS_DEFAULT_PORT, 0 };

  for (size_t i = 0; i < G_N_ELEMENTS (ports); i++) {
    SsAddr candidates[] = { { .port = ports[i] }, ss_addr_v4 (0, ports[i]) };

    for (size_t j = 0; j < G_N_ELEMENTS (candidates); j++) {
      int fd = open_socket (&candidates[j]);

      if (fd >= 0) {
        *ret_addr = candidates[j];
        return fd;
      }
      /* The port has another owner: IPv4 would find the same, or worse,
       * only half of it. */
      if (errno == EADDRINUSE)
        break;
    }
  }
  return -1;
}

static void
init_batch (Batch *batch)
{
  for (unsigned i = 0; i < SS_UDP_BATCH; i++) {
    batch->vectors[i].iov_base = batch->buffers[i];
    batch->vectors[i].iov_len = BUFFER_LEN;
    batch->headers[i].msg_hdr = (struct msghdr){
      .msg_name = &batch->addresses[i],
      .msg_namelen = sizeof batch->addresses[i],
      .msg_iov = &batch->vectors[i],
      .msg_iovlen = 1,
    };
  }
}

static void
set_bind_error (const SsAddr *addr, GError **error)
{
  int failure = errno;
  char text[SS_ADDR_STRLEN] = "any address";
  const char *what = "choose another with --bind";

  if (addr != NULL)
    ss_addr_format (addr, text);
  if (failure == EADDRINUSE)
    what = "end the program that has it, or choose another port with --bind "
           "(port 0 is any free one)";
  else if (failure == EADDRNOTAVAIL)
    what = "give one of this machine's addresses to --bind";
  else if (failure == EACCES)
    what = "choose a port above 1023 with --bind";
  g_set_error (error, SS_NET_ERROR, SS_NET_ERROR_FAILED,
               "cannot listen on UDP %s: %s; %s", text, g_strerror (failure),
               what);
}

SsUdp *
ss_udp_open (const SsAddr *bind, GError **error)
{
  SsAddr addr = { .port = 0 };
  SocketAddress address;
  socklen_t len = sizeof address;
  int fd;

  if (bind != NULL) {
    addr = *bind;
    fd = open_socket (&addr);
  } else {
    fd = open_default (&addr);
  }
  if (fd < 0 || getsockname (fd, &address.any, &len) != 0) {
    set_bind_error (bind, error);
    if (fd >= 0)
      close (fd);
    return NULL;
  }
  SsUdp *udp = g_new0 (SsUdp, 1);

  udp->fd = fd;
  udp->is_v4 = ss_addr_is_v4 (&addr);
  udp->v6_only = !udp->is_v4 && !ip_is_wildcard (&addr);
  udp->local = from_socket_address (&address);
  init_batch (&udp->in);
  init_batch (&udp->out);
  return udp;
}

void
ss_udp_close (SsUdp *udp)
{
  close (udp->fd);
  g_free (udp);
}

int
ss_udp_fd (const SsUdp *udp)
{
  return udp->fd;
}

SsAddr
ss_udp_local (const SsUdp *udp)
{
  return udp->local;
}

bool
ss_udp_reaches (const SsUdp *udp, const SsAddr *addr)
{
  return ss_addr_is_v4 (addr) ? !udp->v6_only : !udp->is_v4;
}

static bool
is_for_others (const SsAddr *addr)
{
  return !ss_addr_is_loopback (addr) && !ip_is_wildcard (addr);
}

/* On a network that leads nowhere else: the first address of an interface. */
static bool
find_any (bool is_v4, SsAddr *ret_addr)
{
  struct ifaddrs *list;
  bool ok = false;

  if (getifaddrs (&list) != 0)
    return false;
  for (const struct ifaddrs *i = list; i != NULL && !ok; i = i->ifa_next) {
    const SocketAddress *address = (const void *) i->ifa_addr;

    if (address == NULL || (i->ifa_flags & IFF_UP) == 0
        || address->any.sa_family != (is_v4 ? AF_INET : AF_INET6)
        || (!is_v4 && IN6_IS_ADDR_LINKLOCAL (&address->v6.sin6_addr)))
      continue;
    SsAddr addr = from_socket_address (address);

    ok = is_for_others (&addr);
    if (ok)
      *ret_addr = addr;
  }
  freeifaddrs (list);
  return ok;
}

/* The address that the system would send from to a far one. Connecting a UDP
 * socket sends nothing. */
static bool
find_primary (bool is_v4, SsAddr *ret_addr)
{
  /* Documentation addresses (RFC 5737, RFC 3849): routed by default only. */
  SsAddr far = ss_addr_v4 (0xc0000201, 9);
  SocketAddress address;
  socklen_t len;
  bool ok;

  if (!is_v4)
    far = (SsAddr){ .ip = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, .port = 9 };
  len = to_socket_address (is_v4, &far, &address);
  int fd = socket (address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd < 0)
    return false;
  ok = connect (fd, &address.any, len) == 0;
  len = sizeof address;
  ok = ok && getsockname (fd, &address.any, &len) == 0;
  close (fd);
  if (!ok)
    return find_any (is_v4, ret_addr);
  *ret_addr = from_socket_address (&address);
  return is_for_others (ret_addr);
}

unsigned
ss_udp_own_addrs (const SsUdp *udp, SsAddr *ret_addrs, unsigned max)
{
  unsigned n = 0;
  SsAddr addr;

  if (!ip_is_wildcard (&udp->local)) {
    if (max > 0)
      ret_addrs[n++] = udp->local;
    return n;
  }
  if (n < max && find_primary (true, &addr))
    ret_addrs[n++] = addr;
  if (n == 0 && n < max && !udp->is_v4 && find_primary (false, &addr))
    ret_addrs[n++] = addr;
  if (n < max)
    ret_addrs[n++] = ss_addr_v4 (INADDR_LOOPBACK, 0);
  for (unsigned i = 0; i < n; i++)
    ret_addrs[i].port = udp->local.port;
  return n;
}

unsigned
ss_udp_machine_addrs (SsAddr ret_addrs[SS_UDP_MACHINE_ADDRS_MAX])
{
  struct ifaddrs *list;
  unsigned n = 0;

  if (getifaddrs (&list) != 0)
    return 0;
  for (const struct ifaddrs *i = list;
       i != NULL && n < SS_UDP_MACHINE_ADDRS_MAX; i = i->ifa_next) {
    const SocketAddress *address = (const void *) i->ifa_addr;

    if (address != NULL && (i->ifa_flags & IFF_UP) != 0
        && (address->any.sa_family == AF_INET
            || address->any.sa_family == AF_INET6)) {
      ret_addrs[n] = from_socket_address (address);
      ret_addrs[n++].port = 0;
    }
  }
  freeifaddrs (list);
  return n;
}

unsigned
ss_udp_receive (SsUdp *udp, SsUdpDatagram **ret_datagrams)
{
  Batch *in = &udp->in;

  for (unsigned i = 0; i < SS_UDP_BATCH; i++)
    in->headers[i].msg_hdr.msg_namelen = sizeof in->addresses[i];
  int n = recvmmsg (udp->fd, in->headers, SS_UDP_BATCH, MSG_DONTWAIT, NULL);

  /* Errors are those of single datagrams (ICMP) or EAGAIN: nothing came. */
  for (int i = 0; i < n; i++)
    udp->datagrams[i] = (SsUdpDatagram){
      .from = from_socket_address (&in->addresses[i]),
      .data = in->buffers[i],
      .len = in->headers[i].msg_len,
    };
  *ret_datagrams = udp->datagrams;
  return n < 0 ? 0 : (unsigned) n;
}

/* Hands the batch to the kernel. False: it takes no more for now. */
static bool
flush (SsUdp *udp)
{
  Batch *out = &udp->out;

  while (udp->n_unsent > 0) {
    int n = sendmmsg (udp->fd, out->headers + udp->first_unsent, udp->n_unsent,
                      MSG_DONTWAIT);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
      return false;
    /* Unreachable, not permitted and the like: this one is lost. */
    unsigned done = n <= 0 ? 1 : (unsigned) n;

    udp->first_unsent += done;
    udp->n_unsent -= done;
  }
  udp->first_unsent = 0;
  return true;
}

bool
ss_udp_send_from (SsUdp *udp, SsNode *node)
{
  Batch *out = &udp->out;
  SsAddr to;
  size_t len;

  if (udp->n_unsent > 0 && !flush (udp))
    return false;
  do {
    unsigned n = 0;

    while (n < SS_UDP_BATCH) {
      len = ss_node_output (node, &to, out->buffers[n], BUFFER_LEN);
      if (len == 0)
        break;
      if (!ss_udp_reaches (udp, &to))
        continue;
      out->vectors[n].iov_len = len;
      out->headers[n].msg_hdr.msg_namelen =
          to_socket_address (udp->is_v4, &to, &out->addresses[n]);
      n++;
    }
    udp->n_unsent = n;
    if (!flush (udp))
      return false;
  } while (len > 0);
  return true;
}
