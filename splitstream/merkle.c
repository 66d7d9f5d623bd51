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
  ss_signer_digest (&(SsBytes){ text, sizeof text }, 1, NULL, node.b);
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

/* From a node, whose index in its level has this lowest bit. */
static SsMerkleNode
step_up (const SsMerkleNode *node, unsigned index, const SsMerkleNode *beside)
{
  return (index & 1) != 0 ? join (beside, node) : join (node, beside);
}

SsMerkleNode
ss_merkle_climb (const SsMerkleNode *leaf, unsigned index,
                 const SsMerkleNode *path, unsigned depth)
{
  g_assert (depth <= SS_MERKLE_DEPTH_MAX);
  g_assert (index < 1u << depth);
  SsMerkleNode node = *leaf;
  for (unsigned level = 0; level < depth; level++)
    node = step_up (&node, index >> level, &path[level]);
  return node;
}

/* Where the node is kept that stands so far above the leaf. */
static unsigned
place_above (const SsMerkleKnown *known, unsigned index, unsigned level)
{
  return (1u << (known->depth - level)) - 1 + (index >> level);
}

static void
keep (SsMerkleKnown *known, unsigned place, const SsMerkleNode *node)
{
  known->nodes[place] = *node;
  known->known |= UINT32_C (1) << place;
}

/* Two nodes of a level lie side by side. */
static unsigned
beside (unsigned place)
{
  return ((place + 1) ^ 1) - 1;
}

static bool
is_at (const SsMerkleKnown *known, unsigned place, const SsMerkleNode *node)
{
  return (known->known >> place & 1) != 0
         && memcmp (known->nodes[place].b, node->b, sizeof node->b) == 0;
}

void
ss_merkle_know (SsMerkleKnown *ret_known, const SsMerkleNode *leaf,
                unsigned index, const SsMerkleNode *path, unsigned depth)
{
  g_assert (depth <= SS_MERKLE_KNOWN_MAX);
  g_assert (index < 1u << depth);
  SsMerkleNode node = *leaf;
  *ret_known = (SsMerkleKnown){ .depth = depth };
  keep (ret_known, place_above (ret_known, index, 0), &node);
  for (unsigned level = 0; level < depth; level++) {
    keep (ret_known, beside (place_above (ret_known, index, level)),
          &path[level]);
    node = step_up (&node, index >> level, &path[level]);
    keep (ret_known, place_above (ret_known, index, level + 1), &node);
  }
}

/* Of two nodes side by side both are known, and then the one above, or
 * neither. The whole path is compared, for whoever gets it next may know
 * nothing yet. */
bool
ss_merkle_recognise (SsMerkleKnown *known, const SsMerkleNode *leaf,
                     unsigned index, const SsMerkleNode *path, unsigned depth)
{
  SsMerkleNode way[SS_MERKLE_KNOWN_MAX + 1];
  unsigned met = 0;
  if (depth != known->depth || index >= 1u << depth)
    return false;
  way[0] = *leaf;
  while ((known->known >> place_above (known, index, met) & 1) == 0) {
    g_assert (met < depth);
    way[met + 1] = step_up (&way[met], index >> met, &path[met]);
    met++;
  }
  if (!is_at (known, place_above (known, index, met), &way[met]))
    return false;
  for (unsigned level = met; level < depth; level++)
    if (!is_at (known, beside (place_above (known, index, level)),
                &path[level]))
      return false;
  for (unsigned level = 0; level < met; level++) {
    unsigned place = place_above (known, index, level);
    keep (known, place, &way[level]);
    keep (known, beside (place), &path[level]);
  }
  return true;
}
