/* How high a node had better sit: what it knows of its own line, and how long
 * it has been there. Who has been there for longer is likely to stay for
 * longer (ROST, ICDCS 2006, and what it cites: sessions are heavy-tailed), and
 * what goes through a bad line is late or lost for all below.
 *
 * A node says its standing to its parents, as it says how much room it has;
 * nobody can check either. It decides only where there is a choice, behind what
 * has to be so: a stripe's own nodes, room, and that they serve. Who claims
 * more than is true gets more to carry, and is left if it does not
 * (scribe/service.c).
 *
 * The line is judged by the better part of the parents, for a bad line makes
 * all of them look bad, and a bad parent only itself. Ages are coarse, so that
 * small differences decide nothing: where all came at about the same time the
 * load does. A claim is cut at the highest that there is: it makes an honest
 * younger one make way at a full node, and no more.
 *
 *   standing = SS_STANDING_LINE * line + age: 0 less than 30 s, 1 less than
 *              2 min, 2 less than 8 min, and so on */
#include "scribe/internal.h"

enum { LINE_POOR, LINE_UNKNOWN, LINE_GOOD };

#define STANDING_MAX (SS_STANDING_LINE * (LINE_GOOD + 1) - 1)

#define LOSS_POOR     (UINT16_MAX / 50) /* as in SsService.loss */
#define RTT_POOR      (110 * SS_MSEC)
#define PARENTS_LEAST 4 /* of fewer nothing follows */

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const SsTime *one = a, *other = b;
  return (*one > *other) - (*one < *other);
}

/* Of the parents a quarter are better than this: what they lose, or how far
 * they are. One whose round trip has not been measured tells nothing yet. */
static unsigned
line_of (const SsFamily *family)
{
  SsScribe *scribe = family->scribe;
  SsTime losses[SS_FAMILY_ASK_MAX], rtts[SS_FAMILY_ASK_MAX];
  unsigned n = 0;
  for (const SsGroup *group = ss_group_after (scribe, NULL);
       group && n < SS_FAMILY_ASK_MAX;
       group = ss_group_after (scribe, &group->id)) {
    if (group->family != family || !group->has_parent || !group->service)
      continue;
    SsTime rtt = ss_kbr_rtt (scribe->kbr, &group->parent.id);
    if (rtt == SS_NEVER)
      continue;
    losses[n] = group->service->loss;
    rtts[n++] = rtt;
  }
  if (n < PARENTS_LEAST)
    return LINE_UNKNOWN;
  qsort (losses, n, sizeof *losses, compare_times);
  qsort (rtts, n, sizeof *rtts, compare_times);
  return losses[n / 4] > LOSS_POOR || rtts[n / 4] > RTT_POOR ? LINE_POOR
                                                             : LINE_GOOD;
}

uint8_t
ss_standing_of (const SsFamily *family)
{
  SsTime age = family->scribe->env->now - family->since;
  unsigned level = 0;
  if (!family->config.is_by_turns)
    return 0; /* distance decides */
  while (level < SS_STANDING_LINE - 1
         && age >= SS_STANDING_AGE << (SS_STANDING_STEP * level))
    level++;
  unsigned line = level > 0 ? line_of (family) : LINE_UNKNOWN;
  return (uint8_t) (SS_STANDING_LINE * line + level);
}

void
ss_standing_note (SsScribe *scribe, const SsContact *peer, uint8_t standing)
{
  ss_neighbour_get (scribe, peer)->standing =
      (uint8_t) MIN (standing, STANDING_MAX);
}

uint8_t
ss_standing_at (const SsScribe *scribe, const SsId *peer)
{
  const SsNeighbour *at = ss_neighbour_find (scribe, peer);
  return at ? at->standing : 0;
}
