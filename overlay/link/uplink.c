/* What this node's own line carries, where nobody has said so: when answers
 * from all sides come late together, the queue is before this end. Then the
 * link sends less than the line takes until the queue is gone, and a little
 * less from then on: what waits in here goes by precedence, and what waits in
 * the line does not.
 *
 * A round trip is late if it is longer by LATE than the shortest to that peer,
 * and than what they differ by anyway. The line is full if most of what was
 * answered for WINDOW was late, to several peers (a standing queue: CoDel,
 * RFC 8289, section 4). What it carries is what was sent between two late ones,
 * over the time that passed until the line was through with it. Round trips are
 * told by acknowledgements; media has none, so that now and then one packet of
 * it asks for one, and is not sent again.
 *
 * A queue that does not shrink while less is sent is somebody else's, or at
 * the other end of the line, or the ways have become longer: then the round
 * trips of now are the shortest, and nothing is held back. A line may become
 * wider again, so that what it is taken to carry grows slowly, and is forgotten
 * when it has doubled. */
#include "overlay/link/private.h"

#define LATE            (100 * SS_MSEC)
#define JITTER_FACTOR   3 /* times the mean deviation: hardly any is longer */
#define JITTER_MAX      (2 * LATE)
#define WINDOW          (300 * SS_MSEC)
#define WINDOW_MAX      (2 * SS_SEC) /* if too few peers have answered */
#define WINDOW_SAMPLES  4
#define WINDOW_PEERS    3              /* different ones that were late */
#define PROBE_PERIOD    (1 * SS_SEC)   /* and not more than one packet in so */
#define PROBE_PACKETS   16             /* many */
#define PROBE_URGENT    (50 * SS_MSEC) /* while a window is open */
#define MARKS           128
#define MARK_PERIOD     (25 * SS_MSEC)
#define RATE_SPAN_MIN   (250 * SS_MSEC) /* of the line's time, for a rate; */
#define RATE_SPAN_MAX   (2 * SS_SEC)
#define RATE_MARKS_MIN  8    /* and of marks */
#define RATE_MIN        6000 /* bytes a second: so much is always sent */
#define PACE_PERCENT    95   /* of what the line carries; */
#define DRAIN_PERCENT   50   /* while it is full, */
#define CONTROL_PERCENT 150  /* but so much of what control usually takes */
#define FILL_PERCENT    70   /* who sends less than this does not fill it */
#define PATIENCE        (4 * SS_SEC) /* with a queue that does not shrink */
#define LOWERED_MAX     3            /* then it is waited for no longer */
#define USUAL_PERIOD    (500 * SS_MSEC)
#define USUAL_SMOOTHING 16
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

/* Of the peer that has this slot now. */
typedef struct {
  uint32_t owner; /* as its session's index tells it; 0: nobody */
  uint32_t rtt_us;
} Shortest;

/* The round trips of a while, from a late one on. */
typedef struct {
  SsTime begun; /* -1: not open */
  unsigned n, n_late, n_peers;
  uint32_t peers[WINDOW_PEERS]; /* late ones */
  SsTime least;                 /* that one of them was late by */
} Window;

/* What is sent, bytes a second. */
typedef struct {
  SsTime since; /* of the period that goes on; and the counters then: */
  uint64_t bytes, control_bytes;
  double recent;         /* in the last period */
  double usual, control; /* smoothed, while nothing was late */
} Sending;

struct SsLinkUplink {
  Mark marks[MARKS]; /* a ring */
  unsigned n_marks;
  const SsLinkPeer *asking; /* in the datagram that is being made; or NULL */
  GArray *shortest;         /* Shortest, by slot */
  bool is_longer;           /* than smoothed round trips tell */
  SsTime next_probe;
  unsigned n_unasked; /* packets since the last probe */
  uint32_t probed;    /* who was asked last */
  Window window;
  SsTime jitter;  /* of round trips, as it was before the window opened */
  SsTime through; /* when the first late one of a row was; -1: none */
  unsigned since; /* that one's mark */
  Sending sending;
  double seen;       /* to get through, bytes a second; 0: not known */
  double rate;       /* of the line; 0: not known */
  double rate_first; /* before it grew */
  bool is_guess;     /* nothing was seen yet */
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
  if (link->uplink)
    g_array_unref (link->uplink->shortest);
  g_clear_pointer (&link->uplink, g_free);
}

bool
ss_link_uplink_asks (SsLink *link, const SsLinkPeer *peer)
{
  SsLinkUplink *uplink = get (link);
  SsTime now = link->env->now;
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
  if (link->uplink)
    link->uplink->asking = peer;
}

uint64_t
ss_link_uplink_bps (const SsLink *link)
{
  return link->uplink ? (uint64_t) (8 * link->uplink->rate) : 0;
}

static void
set_rate (SsLink *link, double rate)
{
  SsLinkUplink *uplink = link->uplink;
  uplink->rate = rate > 0 ? MAX (rate, RATE_MIN) : 0;
  uplink->grown = link->env->now;
  double pace = uplink->rate * PACE_PERCENT / 100;
  if (uplink->is_full) /* but what a node is kept alive by has to go on */
    pace = MIN (pace, MAX (uplink->rate * DRAIN_PERCENT / 100,
                           uplink->sending.control * CONTROL_PERCENT / 100));
  ss_link_pace_measured (link, rate > 0 ? (uint64_t) MAX (pace, RATE_MIN) : 0);
}

static void
grow (SsLink *link)
{
  SsLinkUplink *uplink = link->uplink;
  if (uplink->rate == 0 || uplink->is_full
      || link->env->now < uplink->grown + uplink->grow_time)
    return;
  double rate = uplink->rate + uplink->rate / GROW_DIVISOR;
  set_rate (link, rate < GROW_FACTOR * uplink->rate_first ? rate : 0);
}

static void
set_full (SsLink *link, bool is_full)
{
  SsLinkUplink *uplink = link->uplink;
  double before = uplink->rate, rate = before;
  if (is_full && !uplink->is_full) {
    uplink->n_lowered = 0;
    uplink->grow_time = CLAMP (2 * uplink->grow_time, GROW_TIME, GROW_TIME_MAX);
    ss_count (link->env, LINK_UPLINK_FULL);
  }
  if (is_full && uplink->seen > 0) {
    rate = before == 0 || uplink->is_guess ? uplink->seen
                                           : (before + uplink->seen) / 2;
    uplink->is_guess = false;
  } else if (is_full && before == 0) {
    rate = uplink->sending.usual;
    uplink->is_guess = true;
  }
  /* The queue has to shrink from now on. */
  if (is_full
      && (!uplink->is_full
          || (rate < before * 3 / 4 && uplink->n_lowered < LOWERED_MAX))) {
    uplink->n_lowered++;
    uplink->full_since = link->env->now;
    uplink->full_late = -1;
  }
  if (!is_full && uplink->is_guess)
    rate = 0;
  uplink->is_full = is_full;
  set_rate (link, rate);
  if (before == 0 || rate < before)
    uplink->rate_first = uplink->rate;
}

static void
end_period (SsLink *link)
{
  Sending *sending = &link->uplink->sending;
  uint64_t bytes = bytes_out (link), control_bytes = control_out (link);
  double passed = (double) (link->env->now - sending->since) / (double) SS_SEC;
  double control = (double) (control_bytes - sending->control_bytes) / passed;
  sending->recent = (double) (bytes - sending->bytes) / passed;
  if (link->uplink->window.begun < 0) {
    sending->usual += (sending->recent - sending->usual) / USUAL_SMOOTHING;
    sending->control += (control - sending->control) / USUAL_SMOOTHING;
  }
  sending->since = link->env->now;
  sending->bytes = bytes;
  sending->control_bytes = control_bytes;
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

static void
put_mark (SsLink *link)
{
  SsLinkUplink *uplink = link->uplink;
  uint32_t now_ms = to_ms (link->env->now);
  const Mark *last = mark_at (uplink, uplink->n_marks - 1);
  if (last && now_ms - last->sent_ms < MARK_PERIOD / SS_MSEC)
    return;
  uplink->marks[uplink->n_marks++ % MARKS] = (Mark){
    .sent_ms = now_ms,
    .bytes = (uint32_t) bytes_out (link),
    .peer = name_of (uplink->asking),
  };
}

void
ss_link_uplink_sent (SsLink *link)
{
  SsLinkUplink *uplink = link->uplink;
  if (!uplink)
    return;
  SsTime now = link->env->now;
  if (uplink->asking)
    put_mark (link);
  uplink->asking = NULL;
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

/* By how much the round trip is longer than the shortest; before there was any
 * other it is what it was when the session was made, unless the ways have
 * become longer since. False: it was never known while the line was free. */
static bool
find_lateness (SsLinkUplink *uplink, const SsLinkPeer *peer, SsTime rtt,
               SsTime *ret_late)
{
  uint32_t owner = peer->session.local_index & INDEX_PEER_MASK;
  unsigned slot = owner & INDEX_SLOT_MASK;
  if (slot >= uplink->shortest->len)
    g_array_set_size (uplink->shortest, slot + 1);
  Shortest *shortest = &g_array_index (uplink->shortest, Shortest, slot);
  uint32_t rtt_us = (uint32_t) CLAMP (rtt / SS_USEC, 1, UINT32_MAX);
  if (shortest->owner != owner || shortest->rtt_us == 0) {
    if (uplink->window.begun >= 0)
      return false;
    bool has_first = peer->srtt_us > 0 && !uplink->is_longer;
    *shortest = (Shortest){ owner, has_first ? peer->srtt_us : rtt_us };
  }
  shortest->rtt_us = MIN (shortest->rtt_us, rtt_us);
  *ret_late = (SsTime) (rtt_us - shortest->rtt_us) * SS_USEC;
  return true;
}

/* A queue that grows makes round trips differ as well, so not while one is
 * looked for. */
static void
note_jitter (SsLink *link)
{
  SsTime deviation = (SsTime) link->deviation_us * SS_USEC;
  link->uplink->jitter = MIN (JITTER_FACTOR * deviation, JITTER_MAX);
}

/* A slow line takes a while for a datagram or two. */
static SsTime
late_limit (const SsLinkUplink *uplink)
{
  SsTime limit = LATE + uplink->jitter;
  if (uplink->rate == 0)
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

/* Between two that came late the line was never idle; of what was sent between
 * them so much has been lost as of what is acknowledged. */
static void
measure (SsLinkUplink *uplink, unsigned n, SsTime through)
{
  const Mark *from =
      uplink->through >= 0 ? mark_at (uplink, uplink->since) : NULL;
  SsTime span = through - uplink->through;
  if (from && (n < uplink->since + RATE_MARKS_MIN || span < RATE_SPAN_MIN))
    return;
  if (from) {
    unsigned n_acked = 0;
    for (unsigned i = uplink->since + 1; i <= n; i++)
      n_acked += mark_at (uplink, i)->is_acked;
    uint32_t bytes = mark_at (uplink, n)->bytes - from->bytes;
    uplink->seen = (double) bytes * n_acked / (n - uplink->since)
                   * (double) SS_SEC / (double) span;
  }
  if (!from || span > RATE_SPAN_MAX) {
    uplink->through = through;
    uplink->since = n;
  }
}

static void
begin_window (SsLinkUplink *uplink, SsTime now)
{
  uplink->window = (Window){ .begun = now, .least = SS_NEVER };
}

static void
note_late (Window *window, const SsLinkPeer *peer, SsTime late)
{
  uint32_t name = name_of (peer);
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
  link->uplink->is_longer = true;
  link->uplink->is_full = false;
  link->uplink->window.begun = -1;
  set_rate (link, 0);
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
ss_link_uplink_sample (SsLink *link, const SsLinkPeer *peer, SsTime sent)
{
  SsLinkUplink *uplink = link->uplink;
  SsTime now = link->env->now;
  if (!uplink)
    return;
  unsigned n = 0;
  bool is_marked = find_mark (uplink, peer, sent, &n);
  SsTime late;
  if (uplink->window.begun < 0)
    note_jitter (link);
  if (!find_lateness (uplink, peer, now - sent, &late))
    return;
  bool is_late = late > late_limit (uplink);
  if (!is_late && uplink->window.begun < 0)
    return;
  Window *window = &uplink->window;
  if (window->begun < 0)
    begin_window (uplink, now);
  window->n++;
  if (is_late) {
    if (is_marked)
      measure (uplink, n, sent + late);
    note_late (window, peer, late);
    if (uplink->is_full && uplink->full_late < 0 && sent >= uplink->full_since)
      uplink->full_late = late;
  } else {
    uplink->through = -1;
    uplink->seen = 0;
  }
  bool is_mostly = 4 * window->n_late >= 3 * window->n;
  SsTime passed = now - window->begun;
  if (window->n < WINDOW_SAMPLES || passed < WINDOW
      || (is_mostly && window->n_peers < WINDOW_PEERS && passed < WINDOW_MAX))
    return;
  bool is_full = is_mostly && window->n_peers == WINDOW_PEERS;
  /* Less than it carries does not fill it: they are late for other reasons. */
  if (!uplink->is_full && uplink->rate > 0
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
