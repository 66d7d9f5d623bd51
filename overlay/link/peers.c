/* The table of peers: arrays sorted by id. By session index they are found
 * through the slot number that every index carries: few bytes to run over,
 * where a table by slot would keep the size of the greatest crowd. */
#include <stdlib.h>
#include <string.h>

#include "overlay/link/private.h"

_Static_assert(sizeof (SsLinkPeer) + sizeof (SsLinkPeer *) + sizeof (uint16_t)
                       + sizeof (uint32_t)
                   <= 150,
               "an idle peer of a simulated node");

#define SLOTS_OF_WORD 4
#define SLOT_ONES     UINT64_C (0x0001000100010001)
#define PREFETCH_LINE 64
/* Of one peer in the arrays, which lie one behind the other. */
#define ENTRY_LEN \
  (sizeof (SsLinkPeer *) + sizeof (uint32_t) + sizeof (uint16_t))
/* A full table makes room for some at once: to find them all peers are looked
 * at. */
#define EVICTED_AT_ONCE 32

static uint32_t
prefix_of (const SsId *id)
{
  return (uint32_t) (ss_id_prefix (id) >> 32);
}

/* Where id is, or should be, in the order; true if it is there. A peer is
 * looked at only if the first bytes of its id are the same: peers lie all
 * over memory. */
static bool
locate (const SsLink *link, const SsId *id, unsigned *ret_place)
{
  uint32_t prefix = prefix_of (id);
  unsigned low = 0, high = link->n_peers;
  while (low < high) {
    unsigned middle = (low + high) / 2;
    int order =
        (link->prefixes[middle] > prefix) - (link->prefixes[middle] < prefix);
    if (order == 0)
      order = ss_id_compare (&link->peers[middle]->contact.id, id);
    if (order == 0) {
      *ret_place = middle;
      return true;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *ret_place = low;
  return false;
}

SsLinkPeer *
ss_link_find (const SsLink *link, const SsId *id)
{
  unsigned place;
  return locate (link, id, &place) ? link->peers[place] : NULL;
}

SsLinkPeer *
ss_link_find_hinted (const SsLink *link, const SsId *id, SsPeerHint *hint)
{
  if (hint != NULL && hint->generation == link->generation) {
    g_assert (ss_id_equal (&((SsLinkPeer *) hint->peer)->contact.id, id));
    return hint->peer;
  }
  SsLinkPeer *peer = ss_link_find (link, id);
  if (hint != NULL && peer != NULL) {
    hint->peer = peer;
    hint->generation = link->generation;
  }
  return peer;
}

/* Where a slot number stands, or n_peers: four of them at a time. */
static unsigned
place_of_slot (const SsLink *link, unsigned slot)
{
  unsigned i = 0;
  for (; i + SLOTS_OF_WORD <= link->n_peers; i += SLOTS_OF_WORD) {
    uint64_t word;
    memcpy (&word, &link->slots[i], sizeof word);
    word ^= SLOT_ONES * slot;
    if (((word - SLOT_ONES) & ~word & SLOT_ONES << 15) != 0)
      break;
  }
  while (i < link->n_peers && link->slots[i] != slot)
    i++;
  return i;
}

static bool
is_of_peer (const SsLinkPeer *peer, uint32_t index)
{
  return ((peer->session.local_index ^ index) & INDEX_PEER_MASK) == 0;
}

SsLinkPeer *
ss_link_find_index (SsLink *link, uint32_t index)
{
  /* Datagrams often come from one peer in a row. */
  if (link->heard_of != NULL && is_of_peer (link->heard_of, index))
    return link->heard_of;
  unsigned place = place_of_slot (link, index & INDEX_SLOT_MASK);
  if (place == link->n_peers || !is_of_peer (link->peers[place], index))
    return NULL;
  link->heard_of = link->peers[place];
  return link->heard_of;
}

void
ss_link_prefetch (const SsLink *link, unsigned step, const uint8_t *datagram,
                  size_t len)
{
  if (step == 0) {
    size_t table = link->n_peers * ENTRY_LEN;
    for (size_t i = 0; i < table; i += PREFETCH_LINE)
      __builtin_prefetch ((const char *) link->peers + i);
  } else if (len >= SS_FRAMES_AT && datagram[0] == SS_MSG_LINK_DATA) {
    unsigned slot = (datagram[3] << 8 | datagram[4]) & INDEX_SLOT_MASK;
    unsigned place = place_of_slot (link, slot);
    if (place < link->n_peers) {
      __builtin_prefetch (link->peers[place]);
      __builtin_prefetch ((const char *) link->peers[place] + PREFETCH_LINE);
    }
  }
}

static SsTime
last_used (const SsLinkPeer *peer)
{
  const SsSeal *seal = &peer->session.seal;
  SsTime made = ss_seal_is_set (seal) ? ss_seal_born (seal) : -1;
  return MAX (MAX (peer->last_heard, peer->last_sent), made);
}

typedef struct {
  SsTime last_used;
  SsLinkPeer *peer;
} Idle;

/* Who has been idle for longer comes first; of several, the one first by
 * id. */
static int
compare_idle (const void *a, const void *b)
{
  const Idle *left = a, *right = b;
  if (left->last_used != right->last_used)
    return left->last_used < right->last_used ? -1 : 1;
  return ss_id_compare (&left->peer->contact.id, &right->peer->contact.id);
}

static void
evict (SsLink *link)
{
  Idle *idle = g_new (Idle, link->n_peers);
  unsigned n = MIN (link->n_peers, EVICTED_AT_ONCE);
  for (unsigned i = 0; i < link->n_peers; i++)
    idle[i] = (Idle){ last_used (link->peers[i]), link->peers[i] };
  qsort (idle, link->n_peers, sizeof *idle, compare_idle);
  ss_link_enter (link);
  for (unsigned i = 0; i < n; i++) {
    ss_count (link->env, LINK_PEERS_EVICTED);
    ss_link_remove (link, idle[i].peer, true);
  }
  ss_link_leave (link);
  g_free (idle);
}

/* Little slack: a simulation has many tables. */
static unsigned
grown (unsigned capacity)
{
  return MIN (capacity + capacity / 8 + 4, PEERS_MAX);
}

static void
resize (SsLink *link, unsigned capacity)
{
  unsigned n = link->n_peers;
  g_assert (n <= capacity);
  SsLinkPeer **peers = g_malloc (capacity * ENTRY_LEN);
  uint32_t *prefixes = (uint32_t *) &peers[capacity];
  uint16_t *slots = (uint16_t *) &prefixes[capacity];
  if (n > 0) {
    memcpy (peers, link->peers, n * sizeof *peers);
    memcpy (prefixes, link->prefixes, n * sizeof *prefixes);
    memcpy (slots, link->slots, n * sizeof *slots);
  }
  g_free (link->peers);
  link->peers = peers;
  link->prefixes = prefixes;
  link->slots = slots;
  link->capacity = (uint16_t) capacity;
}

/* The lowest number that no peer has. */
static unsigned
free_slot (const SsLink *link)
{
  uint64_t used[PEERS_MAX / 64] = { 0 };
  g_assert (link->n_peers < PEERS_MAX);
  for (unsigned i = 0; i < link->n_peers; i++)
    used[link->slots[i] / 64] |= UINT64_C (1) << link->slots[i] % 64;
  unsigned word = 0;
  while (used[word] == UINT64_MAX)
    word++;
  return word * 64 + (unsigned) __builtin_ctzll (~used[word]);
}

static void
insert (SsLink *link, unsigned place, SsLinkPeer *peer, unsigned slot)
{
  if (link->n_peers == link->capacity)
    resize (link, grown (link->capacity));
  unsigned behind = link->n_peers++ - place;
  memmove (&link->peers[place + 1], &link->peers[place],
           behind * sizeof link->peers[0]);
  memmove (&link->prefixes[place + 1], &link->prefixes[place],
           behind * sizeof link->prefixes[0]);
  memmove (&link->slots[place + 1], &link->slots[place],
           behind * sizeof link->slots[0]);
  link->peers[place] = peer;
  link->prefixes[place] = prefix_of (&peer->contact.id);
  link->slots[place] = (uint16_t) slot;
}

static void
take_out (SsLink *link, unsigned place)
{
  unsigned behind = --link->n_peers - place;
  memmove (&link->peers[place], &link->peers[place + 1],
           behind * sizeof link->peers[0]);
  memmove (&link->prefixes[place], &link->prefixes[place + 1],
           behind * sizeof link->prefixes[0]);
  memmove (&link->slots[place], &link->slots[place + 1],
           behind * sizeof link->slots[0]);
}

SsLinkPeer *
ss_link_add (SsLink *link, const SsContact *contact)
{
  if (link->n_peers == PEERS_MAX)
    evict (link);
  unsigned place;
  bool known = locate (link, &contact->id, &place);
  g_assert (!known);
  unsigned slot = free_slot (link);
  SsLinkPeer *peer = g_new0 (SsLinkPeer, 1);
  peer->contact = *contact;
  insert (link, place, peer, slot);
  if ((contact->flags & SS_PEER_REACHABLE) == 0)
    peer->contact.flags |= PEER_VIA;
  peer->last_heard = peer->last_sent = -1;
  /* Random, and never zero: a dead peer has none. */
  uint32_t random =
      1
      + (uint32_t) ss_rng_below (&link->env->rng,
                                 (INDEX_PEER_MASK >> INDEX_SLOT_BITS) - 1);
  peer->session.local_index = random << INDEX_SLOT_BITS | slot;
  link->n_half_open++;
  if (!ss_timer_is_armed (&link->sweep_timer))
    ss_timers_arm (&link->env->timers, &link->sweep_timer,
                   link->env->now + SWEEP_PERIOD);
  return peer;
}

bool
ss_link_is_dead (const SsLinkPeer *peer)
{
  return peer->session.local_index == 0;
}

bool
ss_link_is_half_open (const SsLinkPeer *peer)
{
  return peer->last_heard < 0;
}

void
ss_link_heard (SsLink *link, SsLinkPeer *peer, const SsAddr *from)
{
  if (ss_link_is_half_open (peer))
    link->n_half_open--;
  peer->last_heard = link->env->now;
  peer->contact.addr = *from;
  peer->contact.flags &= (uint8_t) ~PEER_VIA;
}

static void
work_free (SsLink *link, SsPeerWork *work)
{
  ss_timers_disarm (&link->env->timers, &work->timer);
  for (unsigned i = 0; i < SS_N_CLASSES; i++) {
    g_assert (work->queues[i].length == 0);
    ss_link_unready (link, work, i);
  }
  g_assert (work->unacked.length == 0);
  ss_link_handshake_free (work);
  ss_link_forget_next (work);
  ss_seal_clear (&work->previous.seal);
  g_free (work->acks);
  g_free (work);
}

void
ss_link_remove (SsLink *link, SsLinkPeer *peer, bool tell)
{
  unsigned place;
  bool known = locate (link, &peer->contact.id, &place);
  g_assert (known);
  g_assert (link->peers[place] == peer);
  if (peer->last_sent >= 0 && link->env->now - peer->last_sent < BINDING_TIME)
    ss_link_note_asked (link, &peer->contact.addr);
  ss_link_drop_items (link, peer, tell);
  if (ss_link_is_half_open (peer))
    link->n_half_open--;
  take_out (link, place);
  if (++link->generation == 0)
    link->generation = 1;
  if (link->heard_of == peer)
    link->heard_of = NULL;

  if (peer->work) {
    /* Out of every list and heap at once; freed with the peer. */
    ss_timers_disarm (&link->env->timers, &peer->work->timer);
    for (unsigned i = 0; i < SS_N_CLASSES; i++)
      ss_link_unready (link, peer->work, i);
  }
  ss_seal_clear (&peer->session.seal);
  peer->session.local_index = 0;
  if (!link->dead)
    link->dead = g_ptr_array_new ();
  g_ptr_array_add (link->dead, peer);
  if (link->busy == 0) {
    ss_link_enter (link);
    ss_link_leave (link);
  }
}

void
ss_link_enter (SsLink *link)
{
  link->busy++;
}

void
ss_link_leave (SsLink *link)
{
  g_assert (link->busy > 0);
  if (--link->busy > 0 || !link->dead)
    return;
  for (unsigned i = 0; i < link->dead->len; i++) {
    SsLinkPeer *peer = g_ptr_array_index (link->dead, i);
    if (peer->work)
      work_free (link, peer->work);
    g_free (peer);
  }
  g_clear_pointer (&link->dead, g_ptr_array_unref);
}

SsPeerWork *
ss_link_work (SsLink *link, SsLinkPeer *peer)
{
  if (peer->work)
    return peer->work;
  SsPeerWork *work = g_new0 (SsPeerWork, 1);
  ss_timer_init (&work->timer, SS_LAYER_LINK, SS_LINK_TIMER_PEER);
  work->peer = peer;
  for (unsigned i = 0; i < SS_N_CLASSES; i++)
    work->ready[i].data = work;
  work->confirm_sent = -CONFIRM_PAUSE;
  peer->work = work;
  return work;
}

static SsTime
earliest_deadline (const SsPeerWork *work)
{
  SsTime deadline = SS_NEVER;
  if (work->handshake)
    deadline = MIN (deadline, work->handshake->deadline);
  if (ss_seal_is_set (&work->next.seal))
    deadline = MIN (deadline, work->next_until);
  if (ss_seal_is_set (&work->previous.seal))
    deadline = MIN (deadline, work->previous_until);
  for (const GList *node = work->unacked.head; node; node = node->next)
    deadline = MIN (deadline, ((const SsLinkItem *) node->data)->deadline);
  return MIN (deadline, ss_link_called_back_until (work));
}

static bool
work_is_done (const SsPeerWork *work)
{
  return work->is_ready == 0 && work->n_acks == 0 && !work->want_confirm
         && !work->handshake && work->unacked.length == 0
         && ss_link_called_back_until (work) == SS_NEVER
         && work->queues[SS_CLASS_CONTROL].length == 0
         && work->queues[SS_CLASS_MEDIA].length == 0
         && work->queues[SS_CLASS_REPAIR].length == 0
         && !ss_seal_is_set (&work->next.seal)
         && !ss_seal_is_set (&work->previous.seal);
}

void
ss_link_rest (SsLink *link, SsLinkPeer *peer)
{
  if (!ss_link_is_dead (peer) && peer->work && work_is_done (peer->work))
    work_free (link, g_steal_pointer (&peer->work));
}

void
ss_link_settle (SsLink *link, SsLinkPeer *peer)
{
  ss_link_rest (link, peer);
  if (!ss_link_is_dead (peer) && peer->work)
    ss_timers_arm (&link->env->timers, &peer->work->timer,
                   earliest_deadline (peer->work));
}

uint32_t
ss_link_new_index (SsLinkPeer *peer)
{
  SsPeerWork *work = peer->work;
  uint32_t index = peer->session.local_index;
  if (work && work->next.local_index)
    index = work->next.local_index;
  bool used;
  do {
    index += INDEX_NUMBER_ONE;
    used =
        index == peer->session.local_index
        || (work
            && (ss_link_find_next (work, index) != NULL
                || index == work->next.local_index
                || index == work->previous.local_index
                || (work->handshake && index == work->handshake->local_index)));
  } while (used);
  return index;
}

void
ss_link_reclaim (SsLink *link, SsLinkPeer *peer)
{
  if (!peer->is_released)
    return;
  peer->is_released = false;
  if (link->env->now - last_used (peer) > RELEASED_PATIENCE)
    ss_link_put_aside (link, peer);
}

void
ss_link_sweep (SsLink *link)
{
  SsTime now = link->env->now;
  bool any_released = false;
  ss_link_enter (link);
  for (unsigned i = 0; i < link->n_peers;) {
    SsLinkPeer *peer = link->peers[i];
    if (ss_seal_is_set (&peer->session.seal)
        && ss_seal_is_spent (&peer->session.seal, now))
      ss_seal_clear (&peer->session.seal);
    SsTime lifetime = peer->is_released ? RELEASED_LIFETIME : IDLE_LIFETIME;
    bool is_kept = peer->work || now - last_used (peer) < lifetime;
    any_released |= is_kept && peer->is_released;
    if (is_kept)
      i++;
    else
      ss_link_remove (link, peer, false);
  }
  ss_link_leave (link);
  /* After a burst, give its room back. */
  if (grown (link->n_peers) < link->capacity)
    resize (link, grown (link->n_peers));
  ss_limit_trim (&link->initiations_addr, now);
  ss_limit_trim (&link->initiations_ip, now);
  ss_limit_trim (&link->accepted, now);
  ss_limit_trim (&link->answers, now);
  ss_link_calls_trim (link);
  ss_link_early_trim (link);
  if (link->n_peers > 0)
    ss_timers_arm (&link->env->timers, &link->sweep_timer,
                   now + (any_released ? RELEASED_LIFETIME : SWEEP_PERIOD));
}
