/* A small Merkle tree, so that the packets of a burst share one signature
 * (after Wong and Lam, "Digital signatures for flows and multicasts", 1998).
 *
 * Nodes have 16 bytes: 128 bits against a second preimage, which is all that
 * a stranger could try. Collisions, at 64 bits of work, are open only to the
 * station itself, and that may sign two packets of one sequence anyway.
 *
 * The leaves are padded with zero nodes to a power of two, so that a leaf's
 * index and the length of its path say how to walk up. A tree of one leaf is
 * that leaf. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SS_MERKLE_NODE_LEN   16 /* a digest of base/signer.h */
#define SS_MERKLE_DEPTH_MAX  6
#define SS_MERKLE_LEAVES_MAX 64
#define SS_MERKLE_KNOWN_MAX  4 /* depth of trees that are remembered */

typedef struct {
  uint8_t b[SS_MERKLE_NODE_LEN];
} SsMerkleNode;

/* The depth of a tree of n leaves, 1 <= n <= SS_MERKLE_LEAVES_MAX. */
unsigned ss_merkle_depth (unsigned n_leaves);
/* The top of the tree over leaves. */
SsMerkleNode ss_merkle_top (const SsMerkleNode *leaves, unsigned n_leaves);
/* The nodes beside the way up from leaf `index`, lowest first; the depth is
 * returned. */
unsigned ss_merkle_path (const SsMerkleNode *leaves, unsigned n_leaves,
                         unsigned index,
                         SsMerkleNode ret_path[SS_MERKLE_DEPTH_MAX]);
/* The top that leaf, index and path lead to. index must be below 2^depth. */
SsMerkleNode ss_merkle_climb (const SsMerkleNode *leaf, unsigned index,
                              const SsMerkleNode *path, unsigned depth);

/* What is known of a tree whose top was verified: with each leaf that was,
 * all beside its way up. Whose way meets it there needs no more hashes. */
typedef struct {
  unsigned depth;
  uint32_t known;                                     /* bit for each of: */
  SsMerkleNode nodes[(2 << SS_MERKLE_KNOWN_MAX) - 1]; /* the top first */
} SsMerkleKnown;

/* The way leads to the top that was verified; depth is at most
 * SS_MERKLE_KNOWN_MAX. */
void ss_merkle_know (SsMerkleKnown *ret_known, const SsMerkleNode *leaf,
                     unsigned index, const SsMerkleNode *path, unsigned depth);
/* Does this one, node by node? Then it is known from now on. */
bool ss_merkle_recognise (SsMerkleKnown *known, const SsMerkleNode *leaf,
                          unsigned index, const SsMerkleNode *path,
                          unsigned depth);
