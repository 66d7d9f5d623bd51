/* What may be spent on retransmissions. Who asks for packets gets no more of
 * them in the long run than the streams that come here bring, and all who ask
 * together no more than SS_ANSWER_SHARE_ALL times that: neither a greedy peer
 * nor a crowd in trouble takes from those below what they are served. A part is
 * kept for the parent and the children, whom a crowd of strangers would starve.
 * What is over the budget is counted and not sent; who asked asks somebody
 * else. How far the logs of an ordered group are is answered within it, too. */
#include "scribe/internal.h"

#define WINDOW (1 * SS_SEC)

static void
set_rates (SsBudget *budget)
{
  SsQuota *quota = &budget->quota;
  quota->rate = MAX (SS_ANSWER_RATE_MIN, SS_ANSWER_SHARE * budget->rate);
  quota->rate_of_all =
      MAX (SS_ANSWER_RATE_MIN_ALL, SS_ANSWER_SHARE_ALL * budget->rate);
}

/* A rate falls by half a second at most: when a stream stalls, repairs are what
 * is needed. */
static void
roll (SsBudget *budget, SsTime now)
{
  while (now - budget->since >= WINDOW) {
    double rate =
        (double) budget->n_packets * (double) SS_SEC / (double) WINDOW;
    bool is_quiet = rate == 0 && budget->rate < 1;
    budget->rate = is_quiet ? 0 : MAX (rate, budget->rate / 2);
    budget->n_packets = 0;
    budget->since = is_quiet ? now : budget->since + WINDOW;
  }
  set_rates (budget);
}

void
ss_budget_init (SsBudget *budget, SsTime now)
{
  *budget = (SsBudget){ .since = now };
  ss_quota_init (&budget->quota, SS_ANSWER_RATE_MIN, SS_ANSWER_BURST,
                 SS_ANSWER_RATE_MIN_ALL, SS_ANSWER_BURST_ALL, now);
}

void
ss_budget_clear (SsBudget *budget)
{
  ss_quota_clear (&budget->quota);
}

void
ss_budget_note (SsBudget *budget, SsTime now)
{
  roll (budget, now);
  budget->n_packets++;
}

bool
ss_budget_take (SsGroup *group, const SsContact *asker, unsigned n)
{
  SsScribe *scribe = group->scribe;
  SsBudget *budget = &scribe->budget;
  bool is_near =
      ss_group_child_find (group, &asker->id)
      || (group->has_parent && ss_id_equal (&group->parent.id, &asker->id));
  roll (budget, scribe->env->now);
  if (ss_quota_take_above (&budget->quota, &asker->id, n,
                           is_near ? 0 : SS_ANSWER_RESERVE, scribe->env->now))
    return true;
  ss_count (scribe->env, SCRIBE_ANSWERS_REFUSED);
  return false;
}
