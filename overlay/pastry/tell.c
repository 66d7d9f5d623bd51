/* What of its leaf set a node tells who asks: what the asker does not know, as
 * far as that one's own leaf set reaches (see exchange.c). */
#include "overlay/pastry/internal.h"

#include <string.h>

/* How far on either side of an asker its leaf set reaches, if all that it says
 * it knows are alive: as distances, UINT64_MAX where it lacks leaves. */
typedef struct {
  uint64_t asker;
  uint64_t reach[SS_LEAFSET_N_SIDES];
} Span;

static void find_span (const SsPastry *pastry, const SsContact *asker,
                       const uint64_t *known, unsigned n_known, Span *ret_span);
static void tell_side (SsPastry *pastry, const SsContact *to,
                       SsMsgLeafSet *message, SsLeafsetSide side,
                       const uint64_t *known, unsigned n_known,
                       const Span *span);
static void note_strangers (const SsPastry *pastry, SsMsgLeafSet *message,
                            SsLeafsetSide side, const uint64_t *known,
                            unsigned n_known);
static bool is_solid (const SsPastry *pastry, const SsContact *asker);

void
ss_pastry_tell_leaves (SsPastry *pastry, const SsContact *to, uint32_t nonce,
                       unsigned flags, const uint64_t *known, unsigned n_known)
{
  const SsLeafset *leafset = &pastry->leafset;
  SsMsgLeafSet message = {
    .nonce = nonce,
    .flags = (uint8_t) flags,
    .left_end = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT),
    .right_end = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT),
  };
  if (leafset->whole)
    message.flags |= SS_LEAF_SET_WHOLE;
  if (is_solid (pastry, to))
    message.flags |= SS_LEAF_SET_SOLID;
  if (pastry->state == SS_PASTRY_ACTIVE)
    message.flags |= SS_LEAF_SET_ACTIVE;
  Span span;
  find_span (pastry, to, known, n_known, &span);
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++)
    tell_side (pastry, to, &message, side, known, n_known, &span);
}

/* From `self` to `other`, counted in the direction of the side. */
static uint64_t
distance (uint64_t self, uint64_t other, SsLeafsetSide side)
{
  return side == SS_LEAFSET_RIGHT ? other - self : self - other;
}

/* In a small ring, where this node's own leaves reach from one end of the
 * asker's to the other, all that it lacks are news: they tell it that its leaf
 * set is not the ring. */
static void
find_span (const SsPastry *pastry, const SsContact *asker,
           const uint64_t *known, unsigned n_known, Span *ret_span)
{
  const SsLeafset *leafset = &pastry->leafset;
  SsId left = ss_leafset_end_id (leafset, SS_LEAFSET_LEFT);
  SsId right = ss_leafset_end_id (leafset, SS_LEAFSET_RIGHT);
  uint64_t from = ss_pastry_prefix (&left);
  uint64_t arc = ss_pastry_prefix (&right) - from;
  bool is_around = true;
  ret_span->asker = ss_pastry_prefix (&asker->id);
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++) {
    uint64_t nearest[SS_LEAFSET_MAX / 2];
    unsigned n = 0;
    for (unsigned i = 0; i < n_known; i++) {
      uint64_t one = distance (ret_span->asker, known[i], side);
      unsigned at = n;
      while (at > 0 && one < nearest[at - 1])
        at--;
      bool is_double = at > 0 && one == nearest[at - 1];
      if (at == leafset->half || is_double)
        continue;
      n = MIN (n + 1, leafset->half);
      memmove (&nearest[at + 1], &nearest[at],
               (n - at - 1) * sizeof nearest[0]);
      nearest[at] = one;
    }
    bool is_full = n == leafset->half;
    uint64_t reach = is_full ? nearest[n - 1] : UINT64_MAX;
    uint64_t end = side == SS_LEAFSET_RIGHT ? ret_span->asker + reach
                                            : ret_span->asker - reach;
    ret_span->reach[side] = reach;
    is_around &= end - from <= arc;
  }
  if (is_around || leafset->whole)
    ret_span->reach[SS_LEAFSET_LEFT] = ret_span->reach[SS_LEAFSET_RIGHT] =
        UINT64_MAX;
}

/* Would it be one of the asker's leaves? */
static bool
is_within (const Span *span, uint64_t id)
{
  for (unsigned side = 0; side < SS_LEAFSET_N_SIDES; side++)
    if (distance (span->asker, id, side) <= span->reach[side])
      return true;
  return false;
}

static void
tell_side (SsPastry *pastry, const SsContact *to, SsMsgLeafSet *message,
           SsLeafsetSide side, const uint64_t *known, unsigned n_known,
           const Span *span)
{
  unsigned n = ss_leafset_count (&pastry->leafset, side);
  message->side = (uint8_t) side;
  message->n_peers = 0;
  for (unsigned i = 0; i < n; i++) {
    const SsContact *leaf = ss_leafset_get (&pastry->leafset, side, i);
    uint64_t prefix = ss_pastry_prefix (&leaf->id);
    bool is_news = prefix != span->asker && is_within (span, prefix);
    for (unsigned k = 0; k < n_known && is_news; k++)
      is_news = known[k] != prefix;
    if (is_news)
      message->peers[message->n_peers++] = ss_pastry_record (leaf);
  }
  message->n_strangers = 0;
  if (is_solid (pastry, to))
    note_strangers (pastry, message, side, known, n_known);
  uint8_t buf[SS_MSG_LEAF_SET_MAX];
  size_t len = ss_msg_leaf_set_encode (message, buf, sizeof buf);
  /* Who asks asks again; a joiner waits for his ENTER much longer. */
  uint64_t token = 0;
  if ((message->flags & SS_LEAF_SET_ENTER) != 0)
    token = ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER);
  ss_pastry_send (pastry, to, token, 0, buf, len);
}

/* Those between this node and the end of the side that are not on it. */
static void
note_strangers (const SsPastry *pastry, SsMsgLeafSet *message,
                SsLeafsetSide side, const uint64_t *known, unsigned n_known)
{
  const SsLeafset *leafset = &pastry->leafset;
  uint64_t self = ss_pastry_prefix (&leafset->self);
  SsId end_id = ss_leafset_end_id (leafset, side);
  uint64_t end = ss_pastry_prefix (&end_id);
  for (unsigned k = 0; k < n_known; k++) {
    bool within = side == SS_LEAFSET_RIGHT ? known[k] - self <= end - self
                                           : self - known[k] <= self - end;
    if (!within || message->n_strangers == G_N_ELEMENTS (message->strangers))
      continue;
    bool is_leaf = known[k] == self;
    for (unsigned i = 0; i < leafset->n && !is_leaf; i++)
      is_leaf = known[k] == ss_pastry_prefix (&leafset->leaves[i].id);
    if (!is_leaf)
      message->strangers[message->n_strangers++] = known[k];
  }
}

/* Has the stretch that the leaf set spans no holes? It may have, in a node
 * that joins, while candidates have not answered. Whoever wants to know does
 * not count: he knows of himself. */
static bool
is_solid (const SsPastry *pastry, const SsContact *asker)
{
  return pastry->state == SS_PASTRY_ACTIVE
         || (pastry->leafset.n > 0
             && !ss_pastry_has_candidates (pastry, asker));
}
