/* Codec headers: as bytes, by version, and put together from packets. They
 * travel in the stream where they change; who was not there asks a neighbour
 * (tunein.c) and checks them by the hash in the descriptor. Pure. */
#pragma once

#include "splitstream/reorder.h"

#define SS_HEADER_CHUNK_LEN 1000
#define SS_HEADER_CHUNKS_MAX \
  ((SS_MSG_CODEC_HEADERS_MAX + SS_HEADER_CHUNK_LEN - 1) / SS_HEADER_CHUNK_LEN)

/* NULL: they are too long. */
GBytes *ss_headers_serialise (const SsCodecHeaders *headers);
/* NULL: they are no codec headers. */
SsCodecHeaders *ss_headers_parse (const uint8_t *data, size_t len);
SsId ss_headers_hash (const uint8_t *data, size_t len);
SsHeaderRef ss_headers_ref (const SsCodecHeaders *headers, GBytes *serialised);

/* The newest versions of a session. */
typedef struct {
  unsigned n;
  struct {
    GBytes *bytes;
    SsCodecHeaders *headers;
  } versions[SS_HEADER_REFS_MAX]; /* newest last */
} SsHeaderStore;

void ss_header_store_clear (SsHeaderStore *store);
/* False: they are none, are here already, or older than all that are kept.
 * The bytes are referenced. */
bool ss_header_store_add (SsHeaderStore *store, GBytes *bytes);
const SsCodecHeaders *ss_header_store_find (const SsHeaderStore *store,
                                            uint8_t version);
GBytes *ss_header_store_bytes (const SsHeaderStore *store, uint8_t version);

/* If the window holds all of the headers that packet `number` is a part of:
 * their bytes. */
GBytes *ss_headers_assemble (const SsReorder *reorder, uint64_t number);
