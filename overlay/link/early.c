/* Messages that travel in an initiation (`early`), so that who has no session
 * with a peer does not wait a round trip for it. The sender is authenticated
 * by then, but the initiation may be an old one, sent again by somebody else:
 * sessions have a replay window, initiations have not. So they are taken only
 *
 *   - if the initiator's clock and this node's differ by little, and no such
 *     initiation was taken as long as it might come again; and
 *   - if this identity was in use before this process began, not before all
 *     that the former one may have taken is too old.
 *
 * Otherwise they are left, not acknowledged, and come again in the session.
 * Departure from DESIGN, section 5, that nobody compares clocks: a wrong one
 * costs a round trip, and nothing else. */
#include "overlay/link/private.h"

#define DIGEST_FACTOR UINT64_C (0x9e3779b97f4a7c15) /* 2^64 / golden ratio */

static void
forget (SsLink *link)
{
  unsigned n = 0;
  while (link->early && n < link->early->len
         && g_array_index (link->early, SsLinkEarly, n).second
                <= link->env->now / SS_SEC)
    n++;
  if (n > 0)
    g_array_remove_range (link->early, 0, n);
}

/* Two that chance to have the same cost a round trip, and nothing else. */
static uint32_t
digest_of (const SsId *initiator, uint64_t timestamp)
{
  uint64_t digest = ss_id_prefix (initiator) ^ timestamp * DIGEST_FACTOR;
  return (uint32_t) (digest >> 32);
}

bool
ss_link_take_early (SsLink *link, const SsId *initiator, uint64_t timestamp)
{
  SsTime now = link->env->now, wall = now + link->env->wall_offset;
  SsTime made = timestamp < INT64_MAX ? (SsTime) timestamp : SS_NEVER;
  bool is_fresh = made > link->early_from && made > wall - EARLY_SKEW
                  && made < wall + EARLY_SKEW;
  forget (link);
  if (!link->early)
    link->early = g_array_new (FALSE, FALSE, sizeof (SsLinkEarly));
  uint32_t digest = digest_of (initiator, timestamp);
  bool is_known = link->early->len == EARLY_SEEN_MAX;
  for (unsigned i = 0; i < link->early->len && !is_known; i++)
    is_known = g_array_index (link->early, SsLinkEarly, i).digest == digest;
  if (!is_fresh || is_known) {
    ss_count (link->env, LINK_EARLY_REFUSED);
    return false;
  }
  const SsLinkEarly taken = {
    .digest = digest,
    .second = (uint32_t) ((now + 2 * EARLY_SKEW) / SS_SEC + 1),
  };
  g_array_append_val (link->early, taken);
  ss_count (link->env, LINK_EARLY_TAKEN);
  return true;
}

void
ss_link_early_trim (SsLink *link)
{
  forget (link);
  if (link->early && link->early->len == 0)
    ss_link_early_clear (link);
}

void
ss_link_early_clear (SsLink *link)
{
  if (link->early)
    g_array_unref (g_steal_pointer (&link->early));
}
