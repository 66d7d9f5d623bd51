/* A network of links for tests, with a clock that jumps to whatever happens
 * next (after quinn-proto's Pair): a few endpoints, datagrams in flight with
 * delay, loss, duplication and reordering drawn from a seed, and a filter
 * that sees every datagram. */
#pragma once

#include <glib.h>

#include "overlay/link/link.h"

#define NET_ENDPOINTS_MAX 8

typedef struct {
  SsId from;
  uint8_t flags; /* of who sent it, as the link knows them */
  uint8_t protocol;
  GBytes *data;
  SsTime at;
} NetMessage;

typedef struct LinkNet LinkNet;

typedef struct {
  LinkNet *net;
  SsEnv env;
  SsLink *link; /* NULL: stopped */
  SsLinkConfig config;
  SsAddr addr;
  GArray *messages;              /* NetMessage */
  GArray *acked, *late, *failed; /* uint64_t tokens */
  unsigned n_up;
  SsAddr observed;
  unsigned n_identified;
  SsContact identified;
  char *identified_text; /* NULL if somebody was */
  SsTime wanted;         /* what it says of those who introduce themselves */
  unsigned n_arrived, n_unasked; /* while it watches */
  unsigned n_pinged, n_met;
  SsTime pinged, met; /* the last round-trip times */
  SsId met_id;
  uint64_t cancel_when_late; /* token */
  SsTime byte_time;          /* of its line; 0: it has no bound */
  SsTime line_free;          /* what waits before the line is through then */
  bool echo; /* answers each message of protocol 1 with one of protocol 2 */
} NetEndpoint;

typedef struct {
  SsAddr from, to;
  SsTime at;
  uint64_t order;
  size_t len;
  uint8_t data[SS_DATAGRAM_MAX];
} NetDatagram;

/* Sees a datagram as it is sent, and may change it; false drops it. */
typedef bool (*NetFilter) (void *user, NetDatagram *datagram);

struct LinkNet {
  SsRng rng;
  SsTime now;
  SsTime delay, jitter;
  double loss, duplication;
  NetFilter filter;
  void *filter_user;
  unsigned n;
  NetEndpoint endpoints[NET_ENDPOINTS_MAX];
  GPtrArray *flying; /* NetDatagram */
  uint64_t next_order;
  GArray *sent; /* NetSent, all that was sent */
};

typedef struct {
  SsTime at;
  unsigned from;
  uint32_t len;
  uint8_t code;
} NetSent;

LinkNet *net_new (uint64_t seed, unsigned n_endpoints);
/* Two endpoints with a session, and nothing on its way. */
LinkNet *net_connected (uint64_t seed);
void net_free (LinkNet *net);
/* Starts an endpoint (again) with its present config; a new env. */
void net_start (LinkNet *net, unsigned i);
void net_stop (LinkNet *net, unsigned i);
/* A contact as others would know it. */
SsContact net_contact (const LinkNet *net, unsigned i);
/* Runs until nothing happens before `until`. */
void net_run (LinkNet *net, SsTime until);
void net_drain (LinkNet *net, unsigned i);
void net_deliver (LinkNet *net, const NetDatagram *datagram);
bool net_send (LinkNet *net, unsigned from, unsigned to, const SsLinkSend *how,
               const char *text);
/* How a control message that must arrive is sent. */
SsLinkSend net_reliable (uint8_t protocol, uint64_t token);
uint64_t net_counter (const LinkNet *net, unsigned i, SsCounterName name);
/* How many datagrams of this code the endpoint has sent. */
unsigned net_n_sent (const LinkNet *net, unsigned from, uint8_t code);
const char *net_text (const NetEndpoint *endpoint, unsigned message);

#define NET_EPSILON (1 * SS_NSEC)
