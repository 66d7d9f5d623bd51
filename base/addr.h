/* Peer addresses: IPv6, or IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), and
 * a port in host order. Pure values: no resolving, no sockets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SS_ADDR_STRLEN 56 /* "[ipv6]:port" */

typedef struct {
  uint8_t ip[16];
  uint16_t port; /* 0: no address */
} SsAddr;

bool ss_addr_is_set (const SsAddr *addr);
bool ss_addr_is_v4 (const SsAddr *addr);
bool ss_addr_is_loopback (const SsAddr *addr);
bool ss_addr_equal (const SsAddr *a, const SsAddr *b);
int ss_addr_compare (const SsAddr *a, const SsAddr *b);
bool ss_addr_same_ip (const SsAddr *a, const SsAddr *b);
unsigned ss_addr_hash (const SsAddr *addr);
SsAddr ss_addr_v4 (uint32_t host_order_ip, uint16_t port);
void ss_addr_format (const SsAddr *addr, char ret_text[SS_ADDR_STRLEN]);
/* "1.2.3.4:5" or "[::1]:5"; numbers only. */
bool ss_addr_parse (const char *text, SsAddr *ret_addr);
