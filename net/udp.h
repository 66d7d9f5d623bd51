/* The node's UDP socket: datagrams in and out in batches (recvmmsg,
 * sendmmsg), over IPv6 and IPv4 at once where the system allows it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/addr.h"
#include "node/node.h"

#define SS_UDP_BATCH 64
/* What is asked of the kernel for either direction; it may give less. */
#define SS_UDP_BUFFER_LEN (4 << 20)

typedef struct SsUdp SsUdp;

typedef struct {
  SsAddr from;
  uint8_t *data;
  size_t len;
} SsUdpDatagram;

/* Binds. `bind` NULL: any address, SS_DEFAULT_PORT or else a free port. */
SsUdp *ss_udp_open (const SsAddr *bind, GError **error);
void ss_udp_close (SsUdp *udp);
int ss_udp_fd (const SsUdp *udp);
SsAddr ss_udp_local (const SsUdp *udp); /* the IP may be the wildcard */
/* Can the socket send to this kind of address? */
bool ss_udp_reaches (const SsUdp *udp, const SsAddr *addr);
/* Addresses under which other processes on this machine, and, as far as can
 * be told, other machines reach the socket: the best first. */
unsigned ss_udp_own_addrs (const SsUdp *udp, SsAddr *ret_addrs, unsigned max);

/* The IP addresses of this machine's interfaces that are up, without ports. */
#define SS_UDP_MACHINE_ADDRS_MAX 16
unsigned ss_udp_machine_addrs (SsAddr ret_addrs[SS_UDP_MACHINE_ADDRS_MAX]);

/* At most SS_UDP_BATCH datagrams that are there, valid until the next call. */
unsigned ss_udp_receive (SsUdp *udp, SsUdpDatagram **ret_datagrams);

/* Sends what node has to send, until it has no more (true) or the socket
 * takes no more (false: call again when it is writable). A datagram that
 * cannot be sent is lost, as on the way. */
bool ss_udp_send_from (SsUdp *udp, SsNode *node);
