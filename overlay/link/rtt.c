/* Round-trip times: RFC 6298, but for Karn's rule, which takes no sample of
 * what was sent twice. Where a queue of seconds has come into the way each
 * message is sent again before its acknowledgement is there, and the way would
 * never be learned. Here each sending has a number that the acknowledgement
 * repeats, as QUIC's packets have (RFC 9002, section 2), so that all of them
 * count, and a backed-off timeout need not outlive its message (RFC 6298, 5.7:
 * that is for those who cannot tell). */
#include <string.h>

#include "overlay/link/private.h"

#define AFTER_UNIT (128 * SS_USEC)
#define DEVIATIONS 16 /* samples that the mean deviation goes back */

/* What other peers' samples were off, together. */
static void
note_deviation (SsLink *link, int64_t deviation_us)
{
  int64_t mean = link->deviation_us;
  link->deviation_us = (uint32_t) (mean + (deviation_us - mean) / DEVIATIONS);
  if (link->n_deviations < DEVIATIONS)
    link->n_deviations++;
}

/* Of a peer's first sample. Half of it is a guess (2.2) that takes ten more
 * samples to come down from, a minute with a parent, whose death is noticed
 * late as long. Most of what samples are off is this node's own line and
 * time-slices, which other peers have told. */
static int64_t
first_rttvar (const SsLink *link, int64_t sample_us)
{
  if (link->n_deviations < DEVIATIONS)
    return sample_us / 2;
  return CLAMP (2 * (int64_t) link->deviation_us, sample_us / 8, sample_us / 2);
}

/* Section 2. */
void
ss_link_rtt_sample (SsLink *link, SsLinkPeer *peer, SsTime sample)
{
  int64_t sample_us = CLAMP (sample / SS_USEC, 1, 60 * SS_SEC / SS_USEC);
  int64_t srtt = peer->srtt_us, rttvar = (int64_t) peer->rttvar_16us * 16;
  if (srtt == 0) {
    srtt = sample_us;
    rttvar = first_rttvar (link, sample_us);
  } else {
    note_deviation (link, ABS (srtt - sample_us));
    rttvar = (3 * rttvar + ABS (srtt - sample_us)) / 4;
    srtt = (7 * srtt + sample_us) / 8;
  }
  peer->srtt_us = (uint32_t) MAX (srtt, 1);
  peer->rttvar_16us = (uint16_t) MIN ((rttvar + 8) / 16, UINT16_MAX);
}

SsTime
ss_link_peer_rto (const SsLinkPeer *peer)
{
  if (peer->srtt_us == 0)
    return RTO_INITIAL;
  SsTime slack = 4 * 16 * (SsTime) peer->rttvar_16us * SS_USEC;
  SsTime rto = peer->srtt_us * SS_USEC + MAX (slack, RTO_GRANULARITY);
  return CLAMP (rto, RTO_FLOOR, RTO_CEILING);
}

void
ss_link_note_sending (SsLinkSendings *sendings, SsTime now)
{
  if (sendings->n == 0)
    sendings->first = now;
  SsTime after = (now - sendings->first) / AFTER_UNIT;
  sendings->after[sendings->n % SENDINGS] = (uint16_t) MIN (after, UINT16_MAX);
  sendings->n++;
}

/* As far as is known: not later than it was. */
SsTime
ss_link_last_sending (const SsLinkSendings *sendings)
{
  g_assert (sendings->n > 0);
  return sendings->first
         + sendings->after[(sendings->n - 1) % SENDINGS] * AFTER_UNIT;
}

/* One that has not been, or too long after the first, says nothing. */
SsTime
ss_link_sending_time (const SsLinkSendings *sendings, unsigned sending)
{
  g_assert (sending < SENDINGS);
  uint16_t after = sendings->after[sending];
  return sending < sendings->n && after < UINT16_MAX
             ? sendings->first + after * AFTER_UNIT
             : -1;
}

void
ss_link_call_back (SsPeerWork *work, const SsLinkItem *item)
{
  if (item->sendings.n == 0)
    return;
  memmove (&work->called_back[1], &work->called_back[0],
           (CALLED_BACK_MAX - 1) * sizeof work->called_back[0]);
  work->called_back[0] = (SsLinkCalledBack){
    .sendings = item->sendings,
    .sequence = item->sequence,
  };
}

SsLinkCalledBack *
ss_link_find_called_back (SsPeerWork *work, uint16_t sequence)
{
  for (unsigned i = 0; i < CALLED_BACK_MAX; i++) {
    SsLinkCalledBack *called_back = &work->called_back[i];
    if (called_back->sendings.n > 0 && called_back->sequence == sequence)
      return called_back;
  }
  return NULL;
}

SsTime
ss_link_called_back_until (const SsPeerWork *work)
{
  SsTime until = SS_NEVER;
  for (unsigned i = 0; i < CALLED_BACK_MAX; i++)
    if (work->called_back[i].sendings.n > 0)
      until =
          MIN (until, work->called_back[i].sendings.first + CALLED_BACK_TIME);
  return until;
}

void
ss_link_forget_called_back (SsPeerWork *work, SsTime now)
{
  for (unsigned i = 0; i < CALLED_BACK_MAX; i++)
    if (work->called_back[i].sendings.first + CALLED_BACK_TIME <= now)
      work->called_back[i].sendings.n = 0;
}
