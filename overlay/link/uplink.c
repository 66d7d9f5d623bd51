/* What this node's own line carries, where nobody has said so: when what is
 * sent to all sides comes late together, the queue is before this end. Then the
 * link sends less than the line takes until the queue is gone, and a little
 * less from then on: what waits in here goes by precedence, and what waits in
 * the line does not.
 *
 * An acknowledgement says when the message came, so that the way there is known
 * but for the difference of two clocks, and the way back, on which a queue of
 * the peer's may be, does not matter (LEDBAT, RFC 6817). A way is late if it is
 * longer by LATE than the shortest to that peer, and than ways differ by
 * anyway. The line is full if most of what was answered for WINDOW was late, to
 * several peers (a standing queue: CoDel, RFC 8289, section 4). What it carries
 * is what was sent between two of which neither found it idle, over the time
 * that passed until the line was through with it. Until that has been seen it
 * is guessed, and the guess raised until it is too much. Media has no
 * acknowledgements, so that now and then one packet of it asks for one, and is
 * not sent again.
 *
 * A queue that does not shrink while less is sent is somebody else's, or at
 * the other end of the line, or the ways have become longer: then the ways of
 * now are the shortest, and nothing is held back. A line may become wider
 * again, so that what it is taken to carry grows slowly, and is forgotten when
 * it has doubled. */
#include "overlay/link/private.h"

#define LATE            (100 * SS_MSEC)
#define BUSY            (50 * SS_MSEC) /* later than this: not found idle */
#define JUMP            (10 * SS_SEC)  /* no queue: a clock was set */
#define DRIFT           5000 /* two clocks' ways differ by 1 in so many */
#define DEVIATIONS      16   /* ways that their mean deviation goes back */
#define JITTER_FACTOR   3    /* times that: hardly any is longer */
#define JITTER_MAX      LATE
#define WINDOW          (300 * SS_MSEC)
#define WINDOW_MAX      (2 * SS_SEC) /* if too few peers have answered */
#define WINDOW_SAMPLES  4
#define WINDOW_PEERS    3              /* different ones that were late */
#define PROBE_PERIOD    (1 * SS_SEC)   /* and not more than one packet in so */
#define PROBE_PACKETS   16             /* many */
#define PROBE_URGENT    (50 * SS_MSEC) /* while a window is open */
#define MARKS           128
#define MARK_PERIOD     (25 * SS_MSEC)
#define RATE_SPAN_MIN   (150 * SS_MSEC) /* of the line's time, for a rate; */
#define RATE_SPAN_MAX   (2 * SS_SEC)
#define RATE_MARKS_MIN  5  /* and of marks */
#define CHANGE_DIVISOR  16 /* of that time: a queue that has changed */
#define SEEN_TIME       (10 * SS_SEC) /* then it may be another line */
#define LOST_AFTER      (2 * SS_SEC)  /* not acknowledged */
#define LOSS_SMOOTHING  16
#define RATE_MIN        6000 /* bytes a second: so much is always sent */
#define PACE_PERCENT    95   /* of what the line carries; */
#define DRAIN_PERCENT   35   /* while it is full, */
#define CONTROL_PERCENT 150  /* but so much of what control usually takes */
#define FILL_PERCENT    70   /* who sends less than this does not fill it */
#define PATIENCE        (4 * SS_SEC) /* with a queue that does not shrink */
#define LOWERED_MAX     3            /* then it is waited for no longer */
#define USUAL_PERIOD    (500 * SS_MSEC)
#define USUAL_SMOOTHING 16
#define GUESS_DIVISOR   2               /* of what was sent */
#define GUESS_TIME      (500 * SS_MSEC) /* then a guess is raised by half, */
#define GUESS_HALVED    (1 * SS_SEC)    /* or halved, if its queue */
#define GROWN           (50 * SS_MSEC)  /* has grown by so much */
#define GROW_DIVISOR    8
#define GROW_TIME       (5 * SS_SEC) /* doubled each time that it is full, */
#define GROW_TIME_MAX   (600 * SS_SEC)
#define GROW_FACTOR     2 /* then the rate is forgotten */

/* A datagram that is acknowledged, unless it is lost. */
typedef struct {
  uint32_t sent_ms; /* modulo 2^32, as is: */
  uint32_t bytes;   /* what was sent with it and before */
  uint32_t peer : 31;
  bool is_acked : 1;
} Mark;

/* The shortest way, and round trip, of the peer that has this slot now. */
typedef struct {
  uint32_t owner;   /* as its session's index tells it; 0: nobody */
  uint16_t since_s; /* modulo 2^16, as is: */
  uint16_t way_ms;  /* between two clocks that need not agree */
  uint16_t rtt_ms;
} Shortest;

/* The ways of a while, from a late one on. */
typedef struct {
  SsTime begun; /* -1: not open */
  unsigned n, n_late, n_peers;
  uint32_t peers[WINDOW_PEERS]; /* late ones */
  SsTime sent;                  /* the last of these was */
  SsTime least;                 /* that one of them was late by */
} Window;

/* What is sent, bytes a second. */
typedef struct {
  SsTime since; /* of the period that goes on; and the counters then: */
  uint64_t bytes, control_bytes;
  double recent, former; /* in the last period, and in the one before */
  double usual, control; /* smoothed, while nothing was late */
} Sending;

struct SsLinkUplink {
  Mark *marks;                 /* a ring; NULL: no media has been sent so far */
  unsigned n_marks, n_settled; /* and it is known of how many */
  double loss;                 /* what part of them does not come */
  bool is_asking;              /* the datagram that is being made, */
  uint32_t asking;             /* and whom */
  GArray *shortest;            /* Shortest, by slot */
  SsTime next_probe;
  unsigned n_unasked; /* packets since the last probe */
  uint32_t probed;    /* who was asked last */
  Window window;
  SsTime mean_late, deviation; /* before the window opened */
  SsTime through; /* when the first busy one of a row was; -1: none */
  SsTime through_late;
  unsigned through_mark; /* that one's */
  Sending sending;
  double seen;       /* to get through, bytes a second, */
  SsTime seen_at;    /* last then; 0: not known */
  double rate;       /* of the line; 0: not known */
  double rate_first; /* before it grew */
  bool is_guess;     /* nothing was seen yet */
  double peak;       /* what was sent when it was guessed */
  bool is_full;
  unsigned n_lowered; /* since it is full */
  SsTime full_since;
  SsTime full_late; /* how late the first was that was sent then; -1 */
  SsTime grown, grow_time;
};

static uint32_t
name_of (const SsLinkPeer *peer)
{
  return (uint32_t) (ss_id_prefix (&peer->contact.id) >> 33);
}

static uint64_t
bytes_out (const SsLink *link)
{
  const SsCounters *counters = &link->env->counters;
  return counters->value[SS_COUNT_BYTES_OUT]
         + counters->value[SS_COUNT_DATAGRAMS_OUT] * SS_LINK_IP_HEADER;
}

static uint64_t
control_out (const SsLink *link)
{
  return link->env->counters.value[SS_COUNT_CONTROL_BYTES_OUT];
}

static void
begin_period (SsLink *link)
{
  Sending *sending = &link->uplink->sending;
  sending->since = link->env->now;
  sending->bytes = bytes_out (link);
  sending->control_bytes = control_out (link);
}

static SsLinkUplink *
get (SsLink *link)
{
  SsLinkUplink *uplink = link->uplink;
  if (!uplink) {
    uplink = link->uplink = g_new0 (SsLinkUplink, 1);
    uplink->shortest = g_array_new (FALSE, TRUE, sizeof (Shortest));
    uplink->window.begun = uplink->through = -1;
  }
  return uplink;
}

void
ss_link_uplink_free (SsLink *link)
{
  SsLinkUplink *uplink = g_steal_pointer (&link->uplink);
  if (!uplink)
    return;
  g_array_unref (uplink->shortest);
  g_free (uplink->marks);
  g_free (uplink);
}

bool
ss_link_uplink_asks (SsLink *link, const SsLinkPeer *peer)
{
  SsLinkUplink *uplink = get (link);
  SsTime now = link->env->now;
  if (!uplink->marks) {
    uplink->marks = g_new0 (Mark, MARKS);
    begin_period (link);
  }
  bool is_urgent = uplink->window.begun >= 0;
  uplink->n_unasked++;
  uint32_t name = name_of (peer);
  if (now < uplink->next_probe
      || (is_urgent ? name == uplink->probed
                    : uplink->n_unasked < PROBE_PACKETS))
    return false;
  uplink->n_unasked = 0;
  uplink->probed = name;
  uplink->next_probe = now + (is_urgent ? PROBE_URGENT : PROBE_PERIOD);
  return true;
}

void
ss_link_uplink_asking (SsLink *link, const SsLinkPeer *peer)
{
  SsLinkUplink *uplink = get (link);
  uplink->is_asking = peer != NULL;
  uplink->asking = peer ? name_of (peer) : 0;
}

uint64_t
ss_link_uplink_bps (const SsLink *link)
{
  const SsLinkUplink *uplink = link->uplink;
  return uplink && !uplink->is_guess ? (uint64_t) (8 * uplink->rate) : 0;
}

static void
set_rate (SsLink *link, double rate)
{
  SsLinkUplink *uplink = link->uplink;
  rate = rate > 0 ? MAX (rate, RATE_MIN) : 0;
  if (rate != uplink->rate)
    uplink->grown = link->env->now;
  uplink->rate = rate;
  double pace = uplink->rate * PACE_PERCENT / 100;
  if (uplink->is_full) /* but what a node is kept alive by has to go on */
    pace = MIN (pace, MAX (uplink->rate * DRAIN_PERCENT / 100,
                           uplink->sending.control * CONTROL_PERCENT / 100));
  ss_link_pace_measured (link, rate > 0 ? (uint64_t) MAX (pace, RATE_MIN) : 0);
}

static void
forget_rate (SsLink *link)
{
  link->uplink->is_guess = false;
  link->uplink->seen = 0;
  link->uplink->grow_time = 0;
  set_rate (link, 0);
}

static void
grow (SsLink *link)
{
  SsLinkUplink *uplink = link->uplink;
  bool is_guess = uplink->is_guess;
  SsTime pause = is_guess ? GUESS_TIME : uplink->grow_time;
  if (uplink->rate == 0 || uplink->is_full
      || link->env->now < uplink->grown + pause)
    return;
  double rate = uplink->rate;
  rate += rate / (is_guess ? GUESS_DIVISOR : GROW_DIVISOR);
  if (rate < GROW_FACTOR * (is_guess ? uplink->peak : uplink->rate_first))
    set_rate (link, rate);
  else
    forget_rate (link);
}

/* Of a line that is full, and of which nothing was known. It carries less than
 * what was sent; what is usually sent has filled it never. */
static double
guess_rate (SsLinkUplink *uplink)
{
  const Sending *sending = &uplink->sending;
  uplink->is_guess = true;
  uplink->peak = MAX (sending->recent, sending->former);
  return MAX (sending->usual, uplink->peak / GUESS_DIVISOR);
}

static void
set_full (SsLink *link, bool is_full)
{
  SsLinkUplink *uplink = link->uplink;
  SsTime now = link->env->now;
  double before = uplink->rate, rate = before;
  if (is_full && !uplink->is_full) {
    uplink->n_lowered = 0;
    uplink->grow_time = CLAMP (2 * uplink->grow_time, GROW_TIME, GROW_TIME_MAX);
    ss_count (link->env, LINK_UPLINK_FULL);
  }
  if (now > uplink->seen_at + SEEN_TIME)
    uplink->seen = 0;
  if (is_full && uplink->seen > 0) {
    rate = before == 0 || uplink->is_guess ? uplink->seen
                                           : (before + uplink->seen) / 2;
    uplink->is_guess = false;
  } else if (is_full && before == 0) {
    rate = guess_rate (uplink);
  } else if (is_full && uplink->is_guess && uplink->full_late >= 0
             && uplink->window.least > uplink->full_late + GROWN
             && now >= uplink->grown + GUESS_HALVED) {
    rate = before / GUESS_DIVISOR;
  }
  /* The queue has to shrink from now on. */
  if (is_full
      && (!uplink->is_full
          || (rate < before * 3 / 4 && uplink->n_lowered < LOWERED_MAX))) {
    uplink->n_lowered++;
    uplink->full_since = now;
    uplink->full_late = -1;
  }
  uplink->is_full = is_full;
  set_rate (link, rate);
  if (is_full)
    uplink->rate_first = uplink->rate;
}

static void
end_period (SsLink *link)
{
  Sending *sending = &link->uplink->sending;
  uint64_t bytes = bytes_out (link), control_bytes = control_out (link);
  double passed = (double) (link->env->now - sending->since) / (double) SS_SEC;
  double control = (double) (control_bytes - sending->control_bytes) / passed;
  sending->former = sending->recent;
  sending->recent = (double) (bytes - sending->bytes) / passed;
  if (link->uplink->window.begun < 0) {
    sending->usual += (sending->recent - sending->usual) / USUAL_SMOOTHING;
    sending->control += (control - sending->control) / USUAL_SMOOTHING;
  }
  begin_period (link);
}

/* NULL: it was too long ago. */
static Mark *
mark_at (SsLinkUplink *uplink, unsigned n)
{
  bool is_there = n < uplink->n_marks && uplink->n_marks - n <= MARKS;
  return is_there ? &uplink->marks[n % MARKS] : NULL;
}

static uint32_t
to_ms (SsTime time)
{
  return (uint32_t) (time / SS_MSEC);
}

/* Of the latest it is not known yet: acknowledgements may be late, too. */
static void
settle_marks (SsLinkUplink *uplink, uint32_t now_ms)
{
  for (; uplink->n_settled < uplink->n_marks; uplink->n_settled++) {
    const Mark *mark = mark_at (uplink, uplink->n_settled);
    if (!mark)
      continue;
    if (now_ms - mark->sent_ms < LOST_AFTER / SS_MSEC)
      return;
    uplink->loss += (!mark->is_acked - uplink->loss) / LOSS_SMOOTHING;
  }
}

static void
put_mark (SsLink *link)
{
  SsLinkUplink *uplink = link->uplink;
  uint32_t now_ms = to_ms (link->env->now);
  settle_marks (uplink, now_ms);
  const Mark *last = mark_at (uplink, uplink->n_marks - 1);
  if (last && now_ms - last->sent_ms < MARK_PERIOD / SS_MSEC)
    return;
  uplink->marks[uplink->n_marks++ % MARKS] = (Mark){
    .sent_ms = now_ms,
    .bytes = (uint32_t) bytes_out (link),
    .peer = uplink->asking,
  };
}

void
ss_link_uplink_sent (SsLink *link)
{
  SsLinkUplink *uplink = link->uplink;
  if (!uplink)
    return;
  SsTime now = link->env->now;
  if (uplink->is_asking && uplink->marks)
    put_mark (link);
  uplink->is_asking = false;
  if (!uplink->marks)
    return;
  /* Nobody answers: there is nothing more to be learned. */
  if (uplink->window.begun >= 0
      && now > uplink->window.begun + 2 * WINDOW_MAX) {
    uplink->window.begun = -1;
    if (uplink->is_full)
      set_full (link, false);
  }
  if (now >= uplink->sending.since + USUAL_PERIOD)
    end_period (link);
  grow (link);
}

/* By how much the way there was longer than the shortest, but no more than the
 * round trip was: else it is a clock that was set, or is being slewed. False:
 * that was never known while the line was free. */
static bool
find_lateness (SsLink *link, const SsLinkPeer *peer, SsTime sent, uint16_t came,
               SsTime *ret_late)
{
  SsLinkUplink *uplink = link->uplink;
  uint32_t owner = peer->session.local_index & INDEX_PEER_MASK;
  unsigned slot = owner & INDEX_SLOT_MASK;
  if (slot >= uplink->shortest->len)
    g_array_set_size (uplink->shortest, slot + 1);
  Shortest *shortest = &g_array_index (uplink->shortest, Shortest, slot);
  uint16_t now_s = (uint16_t) (link->env->now / SS_SEC);
  uint16_t way_ms = (uint16_t) (came - (uint16_t) to_ms (sent));
  uint16_t rtt_ms =
      (uint16_t) MIN ((link->env->now - sent) / SS_MSEC, UINT16_MAX);
  Shortest this_one = { owner, now_s, way_ms, rtt_ms };
  if (shortest->owner != owner) {
    if (uplink->window.begun >= 0)
      return false;
    *shortest = this_one;
  }
  shortest->rtt_ms = MIN (shortest->rtt_ms, rtt_ms);
  int32_t late_ms = (int16_t) (uint16_t) (way_ms - shortest->way_ms);
  late_ms -=
      (uint16_t) (now_s - shortest->since_s) * (SS_SEC / SS_MSEC) / DRIFT;
  if (late_ms <= 0 || late_ms > JUMP / SS_MSEC) {
    this_one.rtt_ms = shortest->rtt_ms;
    *shortest = this_one;
    late_ms = 0;
  }
  *ret_late = MIN (late_ms, rtt_ms - shortest->rtt_ms) * SS_MSEC;
  return true;
}

/* A queue that grows makes ways differ as well, so not while one is looked
 * for. */
static void
note_jitter (SsLinkUplink *uplink, SsTime late)
{
  SsTime error = late - uplink->mean_late;
  uplink->mean_late += error / DEVIATIONS;
  uplink->deviation += (ABS (error) - uplink->deviation) / DEVIATIONS;
}

/* A slow line takes a while for a datagram or two. */
static SsTime
late_limit (const SsLinkUplink *uplink)
{
  SsTime limit = LATE + MIN (JITTER_FACTOR * uplink->deviation, JITTER_MAX);
  if (uplink->rate == 0 || uplink->is_guess)
    return limit;
  return limit + (SsTime) (2 * SS_DATAGRAM_MAX * SS_SEC / uplink->rate);
}

/* Its mark, found to be acknowledged. */
static bool
find_mark (SsLinkUplink *uplink, const SsLinkPeer *peer, SsTime sent,
           unsigned *ret_n)
{
  for (unsigned n = uplink->n_marks; n-- > 0;) {
    Mark *mark = mark_at (uplink, n);
    if (!mark || (int32_t) (mark->sent_ms - to_ms (sent)) < 0)
      return false;
    if (mark->sent_ms != to_ms (sent) || mark->peer != name_of (peer))
      continue;
    mark->is_acked = true;
    *ret_n = n;
    return true;
  }
  return false;
}

/* Between two that did not find it so the line was never idle, and if the queue
 * grew or shrank between them it is the line that told how long it took. Of
 * what was sent a part may have been lost, but not while less is sent than the
 * line takes. */
static void
measure (SsLinkUplink *uplink, unsigned n, SsTime sent, SsTime late)
{
  SsTime through = sent + late;
  const Mark *from =
      uplink->through >= 0 ? mark_at (uplink, uplink->through_mark) : NULL;
  SsTime span = through - uplink->through;
  if (from
      && (n < uplink->through_mark + RATE_MARKS_MIN || span < RATE_SPAN_MIN))
    return;
  if (from) {
    uint32_t bytes = mark_at (uplink, n)->bytes - from->bytes;
    double part = uplink->is_full ? 1 : 1 - uplink->loss;
    double seen = part * bytes * (double) SS_SEC / (double) span;
    if (ABS (late - uplink->through_late) >= span / CHANGE_DIVISOR
        || (uplink->rate > 0 && seen > uplink->rate)) {
      uplink->seen = seen;
      uplink->seen_at = through;
    }
  }
  if (!from || span > RATE_SPAN_MAX) {
    uplink->through = through;
    uplink->through_late = late;
    uplink->through_mark = n;
  }
}

static void
begin_window (SsLinkUplink *uplink, SsTime now)
{
  uplink->window = (Window){ .begun = now, .least = SS_NEVER };
}

static void
note_late (Window *window, const SsLinkPeer *peer, SsTime sent, SsTime late)
{
  uint32_t name = name_of (peer);
  window->sent = MAX (window->sent, sent);
  window->n_late++;
  window->least = MIN (window->least, late);
  for (unsigned i = 0; i < window->n_peers; i++)
    if (window->peers[i] == name)
      return;
  if (window->n_peers < WINDOW_PEERS)
    window->peers[window->n_peers++] = name;
}

/* It is not this node that fills it. */
static void
give_up (SsLink *link)
{
  g_array_set_size (link->uplink->shortest, 0);
  link->uplink->is_full = false;
  link->uplink->window.begun = -1;
  forget_rate (link);
}

/* Of what was sent since then a quarter of the time should be made up for. */
static bool
is_in_vain (const SsLinkUplink *uplink, SsTime sent)
{
  SsTime passed = sent - uplink->full_since;
  return uplink->is_full && uplink->full_late >= 0 && passed >= PATIENCE
         && uplink->window.least > uplink->full_late - passed / 4;
}

void
ss_link_uplink_sample (SsLink *link, const SsLinkPeer *peer, SsTime sent,
                       const uint16_t *came)
{
  SsLinkUplink *uplink = link->uplink;
  SsTime now = link->env->now;
  if (!uplink)
    return;
  unsigned n = 0;
  bool is_marked = find_mark (uplink, peer, sent, &n);
  SsTime late;
  if (!came || !find_lateness (link, peer, sent, *came, &late)
      || !uplink->marks)
    return;
  if (uplink->window.begun < 0)
    note_jitter (uplink, late);
  bool is_late = late > late_limit (uplink);
  if (late <= BUSY)
    uplink->through = -1;
  else if (is_marked)
    measure (uplink, n, sent, late);
  if (!is_late && uplink->window.begun < 0)
    return;
  Window *window = &uplink->window;
  if (window->begun < 0)
    begin_window (uplink, now);
  window->n++;
  if (is_late) {
    note_late (window, peer, sent, late);
    if (uplink->is_full && uplink->full_late < 0 && sent >= uplink->full_since)
      uplink->full_late = late;
  }
  /* What overtakes the late shows that they did not wait before this line. */
  if (!is_late && sent > window->sent) {
    if (uplink->is_full)
      set_full (link, false);
    window->begun = -1;
    return;
  }
  bool is_mostly = 4 * window->n_late >= 3 * window->n;
  SsTime passed = now - window->begun;
  if (window->n < WINDOW_SAMPLES || passed < WINDOW
      || (is_mostly && window->n_peers < WINDOW_PEERS && passed < WINDOW_MAX))
    return;
  bool is_full = is_mostly && window->n_peers == WINDOW_PEERS;
  /* Less than it carries does not fill it: they are late for other reasons. */
  if (!uplink->is_full && uplink->rate > 0 && !uplink->is_guess
      && uplink->sending.recent < uplink->rate * FILL_PERCENT / 100)
    is_full = false;
  if (is_full && is_in_vain (uplink, sent)) {
    give_up (link);
    return;
  }
  if (is_full || uplink->is_full)
    set_full (link, is_full);
  begin_window (uplink, now);
  if (!is_full)
    window->begun = -1;
}
