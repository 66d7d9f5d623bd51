/* A small Merkle tree: see the header. Leaves and inner nodes are hashed
 * with different first bytes (RFC 6962, section 2.1), so that neither can
 * stand in for the other. */
#include "splitstream/merkle.h"

#include <glib.h>
#include <string.h>

#include "base/signer.h"

/* What an inner node's hash begins with; the leaves' is in packet.c. */
enum { INNER = 0x01 };

static SsMerkleNode
join (const SsMerkleNode *left, const SsMerkleNode *right)
{
  uint8_t text[1 + 2 * SS_MERKLE_NODE_LEN];
  text[0] = INNER;
  memcpy (text + 1, left->b, SS_MERKLE_NODE_LEN);
  memcpy (text + 1 + SS_MERKLE_NODE_LEN, right->b, SS_MERKLE_NODE_LEN);
  SsMerkleNode node;
  ss_signer_digest (&(SsBytes){ text, sizeof text }, 1, node.b);
  return node;
}

unsigned
ss_merkle_depth (unsigned n_leaves)
{
  g_assert (n_leaves >= 1);
  g_assert (n_leaves <= SS_MERKLE_LEAVES_MAX);
  unsigned depth = 0;
  while (1u << depth < n_leaves)
    depth++;
  return depth;
}

/* Replaces the 2^depth nodes of a level by the level above. */
static void
rise (SsMerkleNode *nodes, unsigned n)
{
  for (unsigned i = 0; i < n / 2; i++)
    nodes[i] = join (&nodes[2 * i], &nodes[2 * i + 1]);
}

unsigned
ss_merkle_path (const SsMerkleNode *leaves, unsigned n_leaves, unsigned index,
                SsMerkleNode ret_path[SS_MERKLE_DEPTH_MAX])
{
  g_assert (index < n_leaves);
  unsigned depth = ss_merkle_depth (n_leaves);
  SsMerkleNode nodes[SS_MERKLE_LEAVES_MAX];
  memset (nodes, 0, sizeof nodes);
  memcpy (nodes, leaves, n_leaves * sizeof *leaves);
  for (unsigned level = 0; level < depth; level++) {
    ret_path[level] = nodes[index ^ 1];
    rise (nodes, 1u << (depth - level));
    index >>= 1;
  }
  return depth;
}

SsMerkleNode
ss_merkle_top (const SsMerkleNode *leaves, unsigned n_leaves)
{
  unsigned depth = ss_merkle_depth (n_leaves);
  SsMerkleNode nodes[SS_MERKLE_LEAVES_MAX];
  memset (nodes, 0, sizeof nodes);
  memcpy (nodes, leaves, n_leaves * sizeof *leaves);
  for (unsigned level = 0; level < depth; level++)
    rise (nodes, 1u << (depth - level));
  return nodes[0];
}

SsMerkleNode
ss_merkle_climb (const SsMerkleNode *leaf, unsigned index,
                 const SsMerkleNode *path, unsigned depth)
{
  g_assert (depth <= SS_MERKLE_DEPTH_MAX);
  g_assert (index < 1u << depth);
  SsMerkleNode node = *leaf;
  for (unsigned level = 0; level < depth; level++) {
    node = (index & 1) != 0 ? join (&path[level], &node)
                            : join (&node, &path[level]);
    index >>= 1;
  }
  return node;
}
