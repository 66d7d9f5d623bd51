/* Leaves that are still joining: they have no leaf set to vouch for yet, and
 * are asked when they have. */
#include "overlay/pastry/internal.h"

void
ss_pastry_note_newcomer (SsPastry *pastry, const SsId *id, bool is_joining)
{
  SsTime until = ss_pastry_env (pastry)->now + SS_PASTRY_NEWCOMER_TIME;
  uint64_t prefix = ss_pastry_prefix (id);
  for (unsigned i = 0; pastry->newcomers != NULL && i < pastry->newcomers->len;
       i++) {
    SsNewcomer *newcomer = &g_array_index (pastry->newcomers, SsNewcomer, i);
    if (newcomer->prefix != prefix)
      continue;
    newcomer->until = until;
    if (!is_joining)
      g_array_remove_index (pastry->newcomers, i);
    if (pastry->newcomers->len == 0)
      g_clear_pointer (&pastry->newcomers, g_array_unref);
    return;
  }
  if (!is_joining || ss_leafset_find (&pastry->leafset, id) == NULL)
    return;
  if (pastry->newcomers == NULL)
    pastry->newcomers = g_array_new (FALSE, FALSE, sizeof (SsNewcomer));
  if (pastry->newcomers->len == SS_LEAFSET_MAX)
    g_array_remove_index (pastry->newcomers, 0);
  SsNewcomer newcomer = { .prefix = prefix, .until = until };
  g_array_append_val (pastry->newcomers, newcomer);
}

bool
ss_pastry_is_newcomer (const SsPastry *pastry, const SsId *id)
{
  if (pastry->newcomers == NULL)
    return false;
  uint64_t prefix = ss_pastry_prefix (id);
  for (unsigned i = 0; i < pastry->newcomers->len; i++) {
    const SsNewcomer *newcomer =
        &g_array_index (pastry->newcomers, SsNewcomer, i);
    if (newcomer->prefix == prefix)
      return newcomer->until > ss_pastry_env (pastry)->now;
  }
  return false;
}

void
ss_pastry_ask_newcomer (SsPastry *pastry, const SsId *id)
{
  const SsContact *nearest = NULL;
  for (unsigned i = 0; i < pastry->leafset.n; i++) {
    const SsContact *leaf = &pastry->leafset.leaves[i];
    const SsId *least = nearest ? &nearest->id : &pastry->leafset.self;
    if (!ss_id_equal (&leaf->id, id) && ss_id_closer (id, &leaf->id, least)
        && ss_pastry_is_newcomer (pastry, &leaf->id))
      nearest = leaf;
  }
  if (nearest == NULL)
    return;
  SsContact copy = *nearest;
  ss_pastry_ask (pastry, &copy, SS_LEAFSET_REACH_NONE, 0);
}

void
ss_pastry_expire_newcomers (SsPastry *pastry)
{
  if (pastry->newcomers == NULL)
    return;
  for (unsigned i = 0; i < pastry->newcomers->len;) {
    const SsNewcomer *newcomer =
        &g_array_index (pastry->newcomers, SsNewcomer, i);
    if (newcomer->until <= ss_pastry_env (pastry)->now)
      g_array_remove_index (pastry->newcomers, i);
    else
      i++;
  }
  if (pastry->newcomers->len == 0)
    g_clear_pointer (&pastry->newcomers, g_array_unref);
}
