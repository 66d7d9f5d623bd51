/* What waits before this node's own line, on its way here.
 *
 * Behind a downlink that carries little more than the stream a queue drains
 * slowly, and whatever else is sent to this node makes it longer. It shows
 * from what comes down the trees: all of it takes longer than the quickest
 * ever did (mediaclock.h). That may be the publisher's line as well, so that
 * round trips to the parents have to be longer, too; these are smoothed, and
 * follow slowly.
 *
 * As long as there is such a queue less is asked for (ss_family_set_wait).
 * While a long one does not go, the node does without parity, as far as it
 * does not forward that, and without children, who would get all of it late.
 * It takes both again when the line has been free for a while.
 *
 * Where a whole network has become slower, all nodes see the same. So a long
 * queue is one that a slower way seldom looks like, and not all have the same
 * patience. */
#include "splitstream/private.h"

#define LINE_LATE (100 * SS_MSEC) /* so much is a queue, */
#define LINE_FULL (800 * SS_MSEC) /* and this a long one, */
#define PATIENCE  (1 * SS_SEC)    /* if it lasts, and up to as much more: */
#define FREE_MIN  (10 * SS_SEC)   /* then all as before; doubled each time */
#define FREE_MAX  (300 * SS_SEC)
#define LOOK      (1 * SS_SEC) /* at round trips, while the line is free */
#define SILENCE   (1 * SS_SEC) /* after which nothing is known */
/* They have to tell of so much of it: each is a mean of eight. */
#define RTT_DIVISOR 10

void
ss_downlink_init (SsDownlink *downlink)
{
  *downlink = (SsDownlink){
    .rtt_free = SS_NEVER,
    .full_since = -1,
    .free_since = -1,
  };
}

/* To the stripes' parents, the median; SS_NEVER: none is known. */
static SsTime
median_rtt (const SsStation *station)
{
  SsTime rtts[SS_STRIPES];
  unsigned n = 0;
  for (unsigned i = 0; i < SS_STRIPES; i++) {
    const SsGroup *group = station->stripes[i].group;
    const SsContact *parent = group != NULL ? ss_group_parent (group) : NULL;
    SsTime rtt = parent != NULL ? ss_kbr_rtt (station->owner->kbr, &parent->id)
                                : SS_NEVER;
    if (rtt != SS_NEVER)
      rtts[n++] = rtt;
  }
  return n > 0 ? ss_time_median (rtts, n) : SS_NEVER;
}

/* The queue, if it is before this node's line. */
static SsTime
own_queue (SsStation *station, SsTime wait)
{
  SsDownlink *downlink = &station->downlink;
  SsTime now = station->owner->env->now;
  if (wait <= LINE_LATE && now < downlink->next_look)
    return 0;
  SsTime rtt = median_rtt (station);
  if (rtt == SS_NEVER)
    return 0;
  if (wait <= LINE_LATE || rtt < downlink->rtt_free) {
    downlink->rtt_free = rtt;
    downlink->next_look = now + LOOK;
  }
  return rtt - downlink->rtt_free > wait / RTT_DIVISOR ? wait : 0;
}

void
ss_downlink_arrival (SsStation *station)
{
  SsDownlink *downlink = &station->downlink;
  SsTime now = station->owner->env->now;
  SsTime wait = 0;
  bool is_known = ss_media_clock_queue (&station->current->clock, &wait);
  wait = own_queue (station, wait);
  if (!is_known)
    return;
  downlink->wait = wait;
  ss_family_set_wait (station->family, wait > LINE_LATE ? wait : 0);
  if (wait <= LINE_FULL)
    downlink->full_since = -1;
  else if (downlink->full_since < 0)
    downlink->full_since =
        now + (SsTime) ss_rng_below (&station->owner->env->rng, PATIENCE);
  if (wait > LINE_LATE)
    downlink->free_since = -1;
  else if (downlink->free_since < 0)
    downlink->free_since = now;
}

void
ss_downlink_burst (SsStation *station, SsTime late)
{
  SsTime wait;
  if (late > LINE_LATE
      && !ss_media_clock_queue (&station->current->clock, &wait))
    ss_family_set_wait (station->family, late);
}

static void
leave_parity (SsStation *station)
{
  for (unsigned i = SS_STRIPES - station->n_parity; i < SS_STRIPES; i++) {
    SsStripe *stripe = &station->stripes[i];
    SsGroup *group = stripe->group;
    if (group == NULL || ss_group_is_root (group)
        || ss_group_n_children (group) > 0)
      continue;
    stripe->group = NULL;
    ss_group_leave (group);
  }
}

static void
set_full (SsStation *station)
{
  SsDownlink *downlink = &station->downlink;
  downlink->is_full = true;
  downlink->patience = CLAMP (2 * downlink->patience, FREE_MIN, FREE_MAX);
  leave_parity (station);
  ss_capacity_follow_limit (station);
  ss_count (station->owner->env, SPLITSTREAM_LINE_FULL);
  ss_info (station->owner->env,
           "what is sent here waits for %d ms before this node's line, which "
           "may carry too little: less is asked for",
           (int) (downlink->wait / SS_MSEC));
}

/* Nothing has come for a while: what was known of a queue is out of date. */
static void
forget_queue (SsStation *station)
{
  SsDownlink *downlink = &station->downlink;
  if (downlink->wait == 0
      || station->owner->env->now < station->last_tree + SILENCE)
    return;
  downlink->wait = 0;
  downlink->full_since = -1;
  ss_family_set_wait (station->family, 0);
}

void
ss_downlink_run (SsStation *station)
{
  SsDownlink *downlink = &station->downlink;
  SsTime now = station->owner->env->now;
  forget_queue (station);
  if (downlink->is_full) {
    leave_parity (station); /* of which children may have gone by now */
    ss_family_set_late (station->family, true);
  }
  if (!downlink->is_full && downlink->full_since >= 0
      && now >= downlink->full_since + PATIENCE) {
    set_full (station);
  } else if (downlink->is_full && downlink->free_since >= 0
             && now >= downlink->free_since + downlink->patience) {
    downlink->is_full = false;
    ss_family_set_late (station->family, false);
    ss_capacity_follow_limit (station);
    ss_listener_join_stripes (station);
  }
}
