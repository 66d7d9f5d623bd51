/* The neighbours in all groups together: what load they report, when they
 * were last asked for a sign of life.
 *
 * Liveness costs one KEEPALIVE for a parent and interval, whatever the number
 * of groups, sent reliably so that the link's ack is the parent's own sign of
 * life; and half of that as long as its packets are one. A parent whose packets
 * came steadily and stop is asked at once. */
#include <string.h>

#include "scribe/internal.h"

static unsigned
lower_bound (const SsScribe *scribe, const SsId *id)
{
  unsigned low = 0, high = scribe->neighbours->len;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    const SsNeighbour *at = g_ptr_array_index (scribe->neighbours, middle);
    if (ss_id_compare (&at->contact.id, id) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

SsNeighbour *
ss_neighbour_find (const SsScribe *scribe, const SsId *id)
{
  unsigned index = lower_bound (scribe, id);
  if (index == scribe->neighbours->len)
    return NULL;
  SsNeighbour *at = g_ptr_array_index (scribe->neighbours, index);
  return ss_id_equal (&at->contact.id, id) ? at : NULL;
}

static bool
is_parent (const SsNeighbour *neighbour)
{
  return neighbour->taken && neighbour->taken->len > 0;
}

void
ss_neighbour_free (SsNeighbour *neighbour)
{
  if (neighbour->taken)
    g_ptr_array_free (neighbour->taken, TRUE);
  g_free (neighbour);
}

static void
forget_at (SsScribe *scribe, unsigned index)
{
  SsNeighbour *neighbour = g_ptr_array_index (scribe->neighbours, index);
  g_ptr_array_remove_index (scribe->neighbours, index);
  ss_neighbour_free (neighbour);
  scribe->n_forgotten++;
}

static bool
is_related (const SsNeighbour *neighbour)
{
  return is_parent (neighbour) || neighbour->n_served > 0;
}

void
ss_neighbour_forget (SsScribe *scribe, const SsId *id)
{
  const SsNeighbour *neighbour = ss_neighbour_find (scribe, id);
  if (neighbour && !is_related (neighbour))
    forget_at (scribe, lower_bound (scribe, id));
}

/* Parents and children stay: groups, and families' bounds, bound them. */
static void
make_room (SsScribe *scribe)
{
  if (scribe->neighbours->len < SS_SCRIBE_NEIGHBOURS_MAX)
    return;
  const SsNeighbour *oldest = NULL;
  for (unsigned i = 0; i < scribe->neighbours->len; i++) {
    const SsNeighbour *at = g_ptr_array_index (scribe->neighbours, i);
    if (!is_related (at) && (!oldest || at->used < oldest->used))
      oldest = at;
  }
  if (!oldest)
    return;
  SsId id = oldest->contact.id;
  ss_neighbour_forget (scribe, &id);
}

SsNeighbour *
ss_neighbour_get (SsScribe *scribe, const SsContact *contact)
{
  SsNeighbour *neighbour = ss_neighbour_find (scribe, &contact->id);
  if (!neighbour) {
    make_room (scribe);
    neighbour = g_new0 (SsNeighbour, 1);
    neighbour->data = neighbour->left = -1;
    neighbour->keepalive = neighbour->turn = scribe->env->now;
    g_ptr_array_insert (scribe->neighbours,
                        (int) lower_bound (scribe, &contact->id), neighbour);
    ss_timers_arm_earliest (&scribe->env->timers, &scribe->timer,
                            scribe->env->now + SS_KEEPALIVE_INTERVAL);
  }
  neighbour->contact = *contact;
  neighbour->used = scribe->env->now;
  return neighbour;
}

void
ss_neighbour_take (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  SsNeighbour *parent = ss_neighbour_get (scribe, &group->parent);
  bool was_parent = is_parent (parent);
  if (!parent->taken)
    parent->taken = g_ptr_array_new ();
  g_ptr_array_add (parent->taken, group);
  group->has_parent = true;
  if (was_parent)
    return; /* the JOIN of one group is no word of the others */
  parent->keepalive = parent->turn = scribe->env->now;
  parent->has_skipped = false;
  ss_timers_arm_earliest (&scribe->env->timers, &scribe->timer,
                          scribe->env->now + SS_KEEPALIVE_INTERVAL);
}

/* It may be of no use from now on. */
static void
note_end (SsScribe *scribe, SsNeighbour *neighbour)
{
  neighbour->used = scribe->env->now;
  ss_timers_arm_earliest (&scribe->env->timers, &scribe->timer,
                          neighbour->used + SS_PEER_FORGET);
}

void
ss_neighbour_untake (SsGroup *group)
{
  SsNeighbour *parent = ss_neighbour_find (group->scribe, &group->parent.id);
  g_assert (parent);
  bool was_taken = g_ptr_array_remove_fast (parent->taken, group);
  g_assert (was_taken);
  if (parent->taken->len == 0)
    parent->doubted_until = 0;
  group->has_parent = false;
  ss_place_settle (group);
  note_end (group->scribe, parent);
}

void
ss_neighbour_serve (SsScribe *scribe, const SsContact *child)
{
  ss_neighbour_get (scribe, child)->n_served++;
}

void
ss_neighbour_unserve (SsScribe *scribe, const SsId *child)
{
  SsNeighbour *neighbour = ss_neighbour_find (scribe, child);
  g_assert (neighbour);
  g_assert (neighbour->n_served > 0);
  neighbour->n_served--;
  note_end (scribe, neighbour);
}

void
ss_neighbour_load (SsScribe *scribe, const SsContact *contact, uint16_t load,
                   uint16_t load_max)
{
  SsNeighbour *neighbour = ss_neighbour_get (scribe, contact);
  neighbour->load = load;
  neighbour->load_max = load_max;
}

/* Silence is judged against the longest usual pause between a parent's
 * packets, all groups together: its stripes may be neighbours in the round.
 * Packets of one burst count as one. */
#define PAUSE_DECAY 32 /* how many packets a long pause is remembered */
/* Of a parent with rarer packets the other stripes tell sooner. */
#define PAUSE_MAX (400 * SS_MSEC)

static SsTime
silence_of (const SsNeighbour *neighbour)
{
  if (neighbour->pause == 0 || neighbour->pause > PAUSE_MAX)
    return SS_NEVER / 2;
  return MAX (SS_SILENCE_MIN, neighbour->pause * 3 / 2 + 100 * SS_MSEC);
}

void
ss_neighbour_data (SsGroup *group, const SsContact *from)
{
  SsScribe *scribe = group->scribe;
  SsNeighbour *neighbour =
      group->n_forgotten == scribe->n_forgotten ? group->upstream : NULL;
  if (!neighbour || !ss_contact_equal (&neighbour->contact, from))
    neighbour = ss_neighbour_find (scribe, &from->id);
  group->upstream = neighbour;
  group->n_forgotten = scribe->n_forgotten;
  if (!neighbour || !is_parent (neighbour))
    return;
  SsTime now = scribe->env->now;
  if (neighbour->data >= 0 && now - neighbour->data >= SS_BURST_TIME) {
    SsTime pause = now - neighbour->data;
    neighbour->pause -= neighbour->pause / PAUSE_DECAY;
    neighbour->pause = MAX (neighbour->pause, pause);
  }
  neighbour->data = now;
  neighbour->is_silent = false;
  if (silence_of (neighbour) < SS_NEVER / 2)
    ss_timers_arm_earliest (&scribe->env->timers, &scribe->timer,
                            now + silence_of (neighbour));
}

static int
compare_distances (SsTime rtt_a, const SsId *a, SsTime rtt_b, const SsId *b)
{
  if (rtt_a != rtt_b)
    return rtt_a < rtt_b ? -1 : 1;
  return ss_id_compare (a, b);
}

int
ss_neighbour_compare_distance (SsScribe *scribe, const SsId *a, const SsId *b)
{
  return compare_distances (ss_kbr_rtt (scribe->kbr, a), a,
                            ss_kbr_rtt (scribe->kbr, b), b);
}

/* Keepalives. */

static bool
send_tags (SsScribe *scribe, SsNeighbour *neighbour,
           SsMsgScribeKeepalive *message, const SsFamily *family)
{
  message->load = family ? ss_family_load (family) : 0;
  message->load_max = family ? ss_family_load_max (family) : 0;
  message->standing = family ? ss_standing_of (family) : 0;
  uint8_t data[SS_MSG_SCRIBE_KEEPALIVE_MAX];
  size_t len = ss_msg_scribe_keepalive_encode (message, data, sizeof data);
  SsKbrSend how = {
    .class = SS_CLASS_KBR_CONTROL,
    .reliable = true,
    .token = ss_scribe_token (scribe, NULL),
  };
  message->n_tags = message->n_rooms = 0;
  return ss_kbr_send (scribe->kbr, scribe->protocol, &neighbour->contact, &how,
                      data, len, NULL);
}

static void
send_keepalive (SsScribe *scribe, SsNeighbour *neighbour, bool is_urgent)
{
  SsMsgScribeKeepalive message = { .flags = 0 };
  const SsFamily *family = NULL;
  for (unsigned i = 0; is_parent (neighbour) && i < neighbour->taken->len;
       i++) {
    SsGroup *group = g_ptr_array_index (neighbour->taken, i);
    if (message.n_tags == G_N_ELEMENTS (message.tags)) {
      message.flags |= SS_KEEPALIVE_MORE;
      send_tags (scribe, neighbour, &message, family);
    }
    if (!family || family->config.is_light)
      family = group->family;
    message.tags[message.n_tags++] = ss_tag_number (&group->id);
    group->room_told = ss_place_room (group);
    message.rooms[message.n_rooms++] = group->room_told;
  }
  neighbour->keepalive = neighbour->turn = scribe->env->now;
  neighbour->is_urgent = is_urgent;
  neighbour->is_behind = neighbour->has_skipped = false;
  neighbour->late = 0;
  neighbour->probing = send_tags (scribe, neighbour, &message, family);
}

void
ss_neighbour_mark_full (SsScribe *scribe, uint32_t prefix)
{
  for (unsigned i = 0; i < scribe->neighbours->len; i++) {
    SsNeighbour *at = g_ptr_array_index (scribe->neighbours, i);
    if (ss_prefix_of (&at->contact.id) == prefix)
      at->load = MAX (at->load, at->load_max);
  }
}

void
ss_neighbour_probe (SsScribe *scribe, SsNeighbour *neighbour)
{
  SsTime heard = ss_kbr_last_heard (scribe->kbr, &neighbour->contact.id);
  SsTime rto = ss_scribe_rto (scribe, &neighbour->contact.id);
  if (ss_kbr_is_suspected (scribe->kbr, &neighbour->contact.id)) {
    /* The overlay tells that only of whom this node has sent to lately; a
     * parent may not be among so many. */
    SsContact copy = neighbour->contact;
    ss_upstream_suspected (scribe, &copy);
    return;
  }
  if (scribe->env->now - heard < rto
      || (neighbour->probing && neighbour->is_urgent))
    return;
  send_keepalive (scribe, neighbour, true);
}

void
ss_neighbour_doubt (SsScribe *scribe, SsNeighbour *neighbour)
{
  if (neighbour->doubted_until > 0)
    return;
  neighbour->doubted_until =
      scribe->env->now + ss_scribe_rto (scribe, &neighbour->contact.id);
  ss_timers_arm_earliest (&scribe->env->timers, &scribe->timer,
                          neighbour->doubted_until);
}

/* Somebody has lost a node of this prefix. */
void
ss_neighbour_hint (SsScribe *scribe, uint32_t prefix)
{
  for (unsigned i = 0; i < scribe->neighbours->len; i++) {
    SsNeighbour *at = g_ptr_array_index (scribe->neighbours, i);
    if (ss_prefix_of (&at->contact.id) == prefix
        && scribe->env->now - at->keepalive >= SS_LEAVE_REPEAT)
      ss_neighbour_probe (scribe, at);
  }
}

/* Two signs are needed, for one may be a datagram that was lost: a KEEPALIVE
 * that is late once or twice, requests that were passed over. */
void
ss_neighbour_judge (SsScribe *scribe, SsNeighbour *neighbour)
{
  SsTime heard = ss_kbr_last_heard (scribe->kbr, &neighbour->contact.id);
  unsigned signs = 0;
  if (ss_kbr_is_suspected (scribe->kbr, &neighbour->contact.id))
    return;
  if (neighbour->probing && heard < neighbour->keepalive)
    signs += neighbour->late;
  if (heard < neighbour->unanswered)
    signs += neighbour->n_unanswered;
  if (signs < 2)
    return;
  neighbour->n_unanswered = 0;
  neighbour->late = 0;
  ss_scribe_suspect (scribe, &neighbour->contact);
}

void
ss_neighbour_outcome (SsScribe *scribe, const SsContact *to,
                      SsKbrOutcome outcome)
{
  SsNeighbour *neighbour = ss_neighbour_find (scribe, &to->id);
  if (!neighbour)
    return;
  switch (outcome) {
  case SS_KBR_ACKED:
    neighbour->probing = false;
    break;
  case SS_KBR_LATE:
    neighbour->late++;
    ss_want_judge (scribe, neighbour);
    ss_neighbour_judge (scribe, neighbour);
    break;
  case SS_KBR_FAILED:
    neighbour->probing = false;
    ss_scribe_suspect (scribe, to);
    break;
  }
}

static SsTime
keepalive_deadline (const SsNeighbour *parent)
{
  return parent->is_behind ? parent->keepalive + SS_ROOM_INTERVAL
                           : parent->turn + SS_KEEPALIVE_INTERVAL;
}

/* What falls due soon goes with what is due: they keep the same time from then
 * on, and the node wakes up less. */
static bool
is_turn (const SsScribe *scribe, const SsNeighbour *parent)
{
  SsTime early = parent->is_behind ? 0 : SS_KEEPALIVE_EARLY;
  return scribe->env->now >= keepalive_deadline (parent) - early;
}

/* One that sends is alive, and is told only at every second turn that this node
 * is: for each KEEPALIVE two nodes wake up, and this one again for the ack. */
static bool
skip_turn (const SsScribe *scribe, SsNeighbour *parent)
{
  if (parent->has_skipped || parent->is_behind || parent->is_silent
      || parent->data < parent->keepalive)
    return false;
  parent->has_skipped = true;
  parent->turn = scribe->env->now;
  return true;
}

/* Better ones than the parents whose turn it is. */
static void
improve (SsScribe *scribe)
{
  GPtrArray *due = NULL;
  for (unsigned i = 0; i < scribe->neighbours->len; i++) {
    const SsNeighbour *at = g_ptr_array_index (scribe->neighbours, i);
    if (!is_parent (at) || !is_turn (scribe, at))
      continue;
    for (unsigned j = 0; j < at->taken->len; j++) {
      SsGroup *group = g_ptr_array_index (at->taken, j);
      if (!ss_join_may_improve (group))
        continue;
      if (!due)
        due = g_ptr_array_new ();
      g_ptr_array_add (due, group);
    }
  }
  /* Groups are not freed yet, whatever comes of a JOIN. */
  for (unsigned i = 0; due && i < due->len; i++) {
    SsGroup *group = g_ptr_array_index (due, i);
    if (!group->is_dead && ss_join_may_improve (group))
      ss_join_improve (group);
  }
  if (due)
    g_ptr_array_free (due, TRUE);
}

void
ss_neighbour_sweep (SsScribe *scribe)
{
  SsTime now = scribe->env->now, next = SS_NEVER;
  improve (scribe);
  for (unsigned i = 0; i < scribe->neighbours->len; i++) {
    SsNeighbour *at = g_ptr_array_index (scribe->neighbours, i);
    if (!is_parent (at)) {
      if (is_related (at))
        continue;
      if (at->used + SS_PEER_FORGET <= now)
        forget_at (scribe, i--);
      else
        next = MIN (next, at->used + SS_PEER_FORGET);
      continue;
    }
    if (at->data >= 0 && !at->is_silent && now >= at->data + silence_of (at)) {
      at->is_silent = true; /* once, until it speaks again */
      ss_neighbour_probe (scribe, at);
    }
    if (at->doubted_until > 0 && now >= at->doubted_until) {
      at->doubted_until = 0;
      ss_neighbour_probe (scribe, at);
    }
    if (is_turn (scribe, at) && !skip_turn (scribe, at))
      send_keepalive (scribe, at, false);
    next = MIN (next, keepalive_deadline (at));
    if (at->doubted_until > 0)
      next = MIN (next, at->doubted_until);
    if (at->data >= 0 && !at->is_silent)
      next = MIN (next, at->data + silence_of (at));
  }
  ss_timers_arm (&scribe->env->timers, &scribe->timer, next);
}

static bool
lists (const SsMsgScribeKeepalive *message, uint64_t tag)
{
  for (unsigned i = 0; i < message->n_tags; i++)
    if (message->tags[i] == tag)
      return true;
  return false;
}

/* A child that was away does not know what it missed, if it was the last for
 * a while: it is told once after each time of activity, and not as often as a
 * child may like. */
static void
hear_child (SsGroup *group, SsChild *child)
{
  child->heard = group->scribe->env->now;
  if (!group->ordered || child->told > group->ordered->changed
      || child->heard < child->told + SS_KEEPALIVE_INTERVAL / 2)
    return;
  child->told = child->heard;
  SsContact to = child->contact;
  ss_sync_send (group, &to, 0);
}

static void
send_not_served (SsScribe *scribe, const SsContact *to,
                 const SsMsgScribeNotServed *message)
{
  uint8_t data[SS_MSG_SCRIBE_NOT_SERVED_MAX];
  size_t len = ss_msg_scribe_not_served_encode (message, data, sizeof data);
  ss_scribe_send (scribe, to, data, len);
}

void
ss_neighbour_not_served (SsGroup *group, const SsContact *to)
{
  SsMsgScribeNotServed message = { .n_tags = 1 };
  message.tags[0] = ss_tag_number (&group->id);
  send_not_served (group->scribe, to, &message);
}

void
ss_neighbour_handle_keepalive (SsScribe *scribe, const SsContact *from,
                               const SsMsgScribeKeepalive *message)
{
  SsTime now = scribe->env->now;
  if (message->load_max > 0) {
    ss_neighbour_load (scribe, from, message->load, message->load_max);
    ss_standing_note (scribe, from, message->standing);
  }
  SsMsgScribeNotServed answer = { .n_tags = 0 };
  unsigned n_listed = 0;
  for (unsigned i = 0; i < message->n_tags; i++) {
    SsGroup *group = ss_group_by_tag_number (scribe, message->tags[i]);
    SsChild *child = group ? ss_group_child_find (group, &from->id) : NULL;
    if (child) {
      child->room = i < message->n_rooms ? message->rooms[i] : 0;
      hear_child (group, child);
      ss_place_note_room (group);
      n_listed++;
    } else
      answer.tags[answer.n_tags++] = message->tags[i];
  }
  if (answer.n_tags > 0)
    send_not_served (scribe, from, &answer);
  SsNeighbour *neighbour = ss_neighbour_find (scribe, &from->id);
  if (!neighbour || neighbour->n_served == 0)
    return;
  neighbour->n_listed += n_listed;
  if (message->flags & SS_KEEPALIVE_MORE)
    return;
  bool is_all = neighbour->n_listed == neighbour->n_served;
  neighbour->n_listed = 0;
  /* To look takes long where there are many groups: once in a while. */
  if (is_all || now < neighbour->compared + SS_KEEPALIVE_INTERVAL / 2)
    return;
  neighbour->compared = now;
  /* What it does not list it has left; but its JOIN may be younger. */
  for (unsigned i = 0; i < scribe->groups->len; i++) {
    SsGroup *group = g_ptr_array_index (scribe->groups, i);
    const SsChild *child = ss_group_child_find (group, &from->id);
    if (child && child->shed_until == 0
        && child->heard + SS_KEEPALIVE_INTERVAL / 2 < now
        && !lists (message, ss_tag_number (&group->id)))
      ss_group_child_remove (group, &from->id);
  }
}

void
ss_neighbour_handle_not_served (SsScribe *scribe, const SsContact *from,
                                const SsMsgScribeNotServed *message)
{
  for (unsigned i = 0; i < message->n_tags; i++) {
    SsGroup *group = ss_group_by_tag_number (scribe, message->tags[i]);
    if (group && group->has_parent && ss_contact_equal (&group->parent, from))
      ss_upstream_lose (group);
  }
}

/* Neighbours to ask. */

static unsigned
add_unique (const SsScribe *scribe, const SsContact *contact, SsContact *list,
            unsigned n)
{
  if (n >= SS_FAMILY_ASK_MAX || !ss_scribe_usable (scribe, contact))
    return n;
  for (unsigned i = 0; i < n; i++)
    if (ss_contact_equal (&list[i], contact))
      return n;
  list[n] = *contact;
  return n + 1;
}

/* How far one is, looked up once. */
typedef struct {
  SsTime rtt;
  bool is_source; /* its upload is everybody's */
  uint8_t place;  /* in the list */
} Distance;

static Distance
distance_of (const SsFamily *family, const SsContact *list, unsigned place)
{
  const SsContact *contact = &list[place];
  return (Distance){
    .rtt = ss_kbr_rtt (family->scribe->kbr, &contact->id),
    .is_source =
        family->has_source && ss_contact_equal (&family->source, contact),
    .place = (uint8_t) place,
  };
}

static bool
is_before (const SsContact *list, const Distance *a, const Distance *b)
{
  if (a->is_source != b->is_source)
    return b->is_source;
  return compare_distances (a->rtt, &list[a->place].id, b->rtt,
                            &list[b->place].id)
         < 0;
}

unsigned
ss_family_neighbours (const SsFamily *family, SsContact *ret_contacts,
                      unsigned max)
{
  SsScribe *scribe = family->scribe;
  SsContact list[SS_FAMILY_ASK_MAX];
  unsigned n = 0;
  for (const SsGroup *group = ss_group_after (scribe, NULL); group;
       group = ss_group_after (scribe, &group->id)) {
    if (group->family != family)
      continue;
    if (group->has_parent)
      n = add_unique (scribe, &group->parent, list, n);
    if (group->has_root)
      n = add_unique (scribe, &group->root, list, n);
    for (unsigned i = 0; i < ss_group_child_count (group); i++)
      n = add_unique (scribe, &ss_group_child_at (group, i)->contact, list, n);
  }
  Distance order[SS_FAMILY_ASK_MAX];
  for (unsigned i = 0; i < n; i++) {
    Distance moved = distance_of (family, list, i);
    unsigned at = i;
    for (; at > 0 && is_before (list, &moved, &order[at - 1]); at--)
      order[at] = order[at - 1];
    order[at] = moved;
  }
  n = MIN (n, max);
  for (unsigned i = 0; i < n; i++)
    ret_contacts[i] = list[order[i].place];
  return n;
}
