/* What nodes say to each other, by kind of message: read from datagrams that
 * the plain sealer left open (sim/sealer_plain.c). With the real sealer all
 * data datagrams count as unknown. */
#pragma once

#include "node/node.h"

#define SS_TRAFFIC_CODES 256

typedef struct {
  uint64_t messages, bytes;
} SsTrafficCount;

typedef struct {
  uint64_t datagrams, bytes;
  uint64_t acks_only; /* datagrams that held nothing else */
  uint64_t routed;    /* datagrams that held an application's routed message */
  SsTrafficCount link[SS_TRAFFIC_CODES];   /* datagrams of the link's own */
  SsTrafficCount frames[SS_TRAFFIC_CODES]; /* its control frames */
  SsTrafficCount overlay[SS_TRAFFIC_CODES];
  SsTrafficCount enters; /* of the overlay's routed messages, its own */
  SsTrafficCount others[SS_N_PROTOCOLS];
  /* Applications' messages by protocol and first byte, sent directly or one
   * hop of their way. */
  uint64_t messages[SS_N_PROTOCOLS][SS_TRAFFIC_CODES];
} SsTraffic;

/* The frames of a datagram, one after the other: none if it is not one of a
 * session's. */
typedef struct {
  bool is_control;
  unsigned protocol;   /* of a message */
  const uint8_t *data; /* of the message; the whole of a control frame */
  size_t len;
  const uint8_t *next; /* what follows */
  size_t left;
} SsTrafficFrame;

void ss_traffic_begin (const uint8_t *bytes, size_t len,
                       SsTrafficFrame *ret_frame);
bool ss_traffic_next (SsTrafficFrame *frame);

void ss_traffic_count (SsTraffic *traffic, const uint8_t *bytes, size_t len);
/* Datagrams that are no lookups, nor acknowledge one and nothing else: what
 * the overlay costs by itself. */
uint64_t ss_traffic_control (const SsTraffic *traffic);
/* A row for each kind, the most frequent first: of each node and second. */
void ss_traffic_print (const SsTraffic *traffic, double node_seconds);
