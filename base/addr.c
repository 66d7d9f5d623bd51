/* Peer addresses as values. inet_pton and inet_ntop are the only library
 * calls: they are pure functions of their arguments. The text form of IPv6
 * is RFC 5952's, in brackets when a port follows (RFC 3986, 3.2.2). */
#include "base/addr.h"

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

#define PORT_DIGITS_MAX 5

static const uint8_t v4_prefix[12] = {
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};

bool
ss_addr_is_set (const SsAddr *addr)
{
  return addr->port != 0;
}

bool
ss_addr_is_v4 (const SsAddr *addr)
{
  return memcmp (addr->ip, v4_prefix, sizeof v4_prefix) == 0;
}

bool
ss_addr_is_loopback (const SsAddr *addr)
{
  static const uint8_t v6_loopback[16] = { [15] = 1 };

  if (ss_addr_is_v4 (addr))
    return addr->ip[12] == 127;
  return memcmp (addr->ip, v6_loopback, sizeof v6_loopback) == 0;
}

bool
ss_addr_same_ip (const SsAddr *a, const SsAddr *b)
{
  return memcmp (a->ip, b->ip, sizeof a->ip) == 0;
}

bool
ss_addr_equal (const SsAddr *a, const SsAddr *b)
{
  return a->port == b->port && ss_addr_same_ip (a, b);
}

int
ss_addr_compare (const SsAddr *a, const SsAddr *b)
{
  int order = memcmp (a->ip, b->ip, sizeof a->ip);

  if (order != 0)
    return order;
  return (a->port > b->port) - (a->port < b->port);
}

unsigned
ss_addr_hash (const SsAddr *addr)
{
  uint64_t high, low;

  memcpy (&high, addr->ip, sizeof high);
  memcpy (&low, addr->ip + 8, sizeof low);
  uint64_t mixed =
      (GUINT64_FROM_LE (high) * 0x9e3779b97f4a7c15u ^ GUINT64_FROM_LE (low))
      + addr->port;

  mixed = (mixed ^ mixed >> 29) * 0xff51afd7ed558ccdu;
  return (unsigned) (mixed >> 32);
}

SsAddr
ss_addr_v4 (uint32_t host_order_ip, uint16_t port)
{
  SsAddr addr = { .port = port };

  memcpy (addr.ip, v4_prefix, sizeof v4_prefix);
  for (unsigned i = 0; i < 4; i++)
    addr.ip[12 + i] = (uint8_t) (host_order_ip >> (24 - 8 * i));
  return addr;
}

void
ss_addr_format (const SsAddr *addr, char ret_text[SS_ADDR_STRLEN])
{
  char ip[INET6_ADDRSTRLEN];

  if (ss_addr_is_v4 (addr)) {
    inet_ntop (AF_INET, addr->ip + 12, ip, sizeof ip);
    g_snprintf (ret_text, SS_ADDR_STRLEN, "%s:%u", ip, addr->port);
  } else {
    inet_ntop (AF_INET6, addr->ip, ip, sizeof ip);
    g_snprintf (ret_text, SS_ADDR_STRLEN, "[%s]:%u", ip, addr->port);
  }
}

static bool
parse_port (const char *text, uint16_t *ret_port)
{
  unsigned port = 0;
  size_t n = strlen (text);

  if (n == 0 || n > PORT_DIGITS_MAX)
    return false;
  for (size_t i = 0; i < n; i++) {
    if (!g_ascii_isdigit (text[i]))
      return false;
    port = port * 10 + (unsigned) (text[i] - '0');
  }
  if (port > UINT16_MAX)
    return false;
  *ret_port = (uint16_t) port;
  return true;
}

bool
ss_addr_parse (const char *text, SsAddr *ret_addr)
{
  SsAddr addr = { .port = 0 };
  char ip[INET6_ADDRSTRLEN];
  bool bracketed = text[0] == '[';
  const char *start = bracketed ? text + 1 : text;
  const char *end = strchr (start, bracketed ? ']' : ':');

  if (end == NULL || (size_t) (end - start) >= sizeof ip)
    return false;
  const char *colon = bracketed ? end + 1 : end;
  if (*colon != ':' || !parse_port (colon + 1, &addr.port))
    return false;
  memcpy (ip, start, (size_t) (end - start));
  ip[end - start] = '\0';
  if (bracketed) {
    if (inet_pton (AF_INET6, ip, addr.ip) != 1)
      return false;
  } else {
    memcpy (addr.ip, v4_prefix, sizeof v4_prefix);
    if (inet_pton (AF_INET, ip, addr.ip + 12) != 1)
      return false;
  }
  *ret_addr = addr;
  return true;
}
