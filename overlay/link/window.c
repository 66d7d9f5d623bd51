/* Receive windows: a reliable message that comes again is not handed on
 * again. A peer keeps its own for as long as it is known, so the state of a
 * message under way is gone with its acknowledgement. */
#include "overlay/link/private.h"

/* As serial numbers (RFC 1982) of that many bits. */
int
ss_link_sequence_ahead (uint16_t a, uint16_t b)
{
  unsigned difference = (uint16_t) (a - b);
  return (int16_t) (uint16_t) (difference << SENDING_BITS) / SENDINGS;
}

static uint16_t
seconds (SsTime now)
{
  return (uint16_t) (now / SS_SEC);
}

static bool
is_open (const SsReceiveWindow *window, SsTime now)
{
  uint16_t quiet = (uint16_t) (seconds (now) - window->used);
  return window->received != 0 && quiet <= WINDOW_LIFETIME / SS_SEC;
}

bool
ss_link_window_is_others (const SsReceiveWindow *window, uint32_t owner,
                          SsTime now)
{
  return is_open (window, now) && window->owner != owner;
}

/* The first one ever opens the window, and lies at its upper end. */
bool
ss_link_window_accept (SsReceiveWindow *window, uint32_t owner,
                       uint16_t sequence, SsTime now)
{
  g_assert (!ss_link_window_is_others (window, owner, now));
  if (!is_open (window, now))
    *window = (SsReceiveWindow){ .owner = owner, .highest = sequence };
  window->used = seconds (now);
  int ahead = ss_link_sequence_ahead (sequence, window->highest);
  if (ahead <= -SEQUENCE_WINDOW)
    return false;
  if (ahead > 0) {
    window->received = ahead < SEQUENCE_WINDOW ? window->received << ahead : 0;
    window->highest = sequence;
  }
  uint64_t bit = UINT64_C (1) << (ahead < 0 ? -ahead : 0);
  bool is_new = (window->received & bit) == 0;
  window->received |= bit;
  return is_new;
}
