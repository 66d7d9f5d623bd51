/* Overdue packets: who is asked, in which order, and who is answered.
 *
 *   parent -> two other members -> the source, through the root -> again
 *
 * Each step waits somewhat longer than an answer takes, but where another may
 * answer sooner only for a share of the time that is left; an answer that says
 * no ends the wait. A parent that stays silent twice is reported to the
 * overlay. Other members are taken in an order that depends on the sequence,
 * so that one death does not send everybody to one node. The source is asked
 * only by the root, or when there is no root to be had and time runs out; and
 * past a parent that answers, and fetches it, nobody asks the root at once.
 *
 * Behind a queue before this node's own line answers come later, and too many
 * of them make it longer: few packets are asked for at a time then, each of
 * one member, and none that would come too late. */
#include <string.h>

#include "scribe/internal.h"

#define OTHERS    2    /* members asked at once */
#define REQUESTS  12   /* different peers asked in one go */
#define AHEAD_MAX 1024 /* how far from the newest a stranger may ask */
#define URGENT    (400 * SS_MSEC) /* then the source is asked directly */
#define STEPS     6 /* at least so many fit into the time that is left */

typedef struct {
  SsContact to;
  SsMsgScribeWant message;
} Request;

typedef struct {
  unsigned n;
  Request requests[REQUESTS];
  unsigned n_out;  /* packets of this node's own that have been asked for */
  SsTime quickest; /* answer of another neighbour; 0: not looked for */
} Requests;

static unsigned
lower_bound (const SsGroup *group, uint32_t sequence)
{
  unsigned low = 0, high = group->wants ? group->wants->len : 0;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (g_array_index (group->wants, SsWant, middle).sequence < sequence)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static SsWant *
find_want (const SsGroup *group, uint32_t sequence)
{
  unsigned index = lower_bound (group, sequence);
  if (!group->wants || index == group->wants->len)
    return NULL;
  SsWant *want = &g_array_index (group->wants, SsWant, index);
  return want->sequence == sequence ? want : NULL;
}

/* How many wants are, or are not, this node's own. */
static unsigned
count_wants (const SsGroup *group, bool is_own)
{
  unsigned n = 0;
  for (unsigned i = 0; i < group->wants->len; i++)
    n += g_array_index (group->wants, SsWant, i).is_own == is_own;
  return n;
}

bool
ss_want_add (SsGroup *group, uint32_t sequence, SsTime deadline, bool is_own)
{
  SsTime now = group->scribe->env->now;
  SsWant *known = find_want (group, sequence);
  if (known) {
    known->is_own |= is_own;
    known->deadline = MAX (known->deadline, deadline);
    return true;
  }
  if (!group->wants)
    group->wants = g_array_new (FALSE, FALSE, sizeof (SsWant));
  if (count_wants (group, is_own)
      >= (is_own ? SS_GROUP_WANTS_MAX : SS_GROUP_OTHERS_MAX))
    return false;
  SsWant want = {
    .sequence = sequence,
    .is_own = is_own,
    .deadline = deadline,
    .next = now,
    .asked = -1,
  };
  g_array_insert_val (group->wants, lower_bound (group, sequence), want);
  return true;
}

bool
ss_group_want (SsGroup *group, uint32_t sequence, SsTime deadline)
{
  bool is_wanted = ss_want_add (group, sequence, deadline, true);
  if (is_wanted)
    ss_group_arm (group);
  return is_wanted;
}

void
ss_group_overdue (SsGroup *group)
{
  if (!group->has_parent || group->is_root)
    return;
  ss_scribe_enter (group->scribe);
  ss_neighbour_probe (group->scribe,
                      ss_neighbour_get (group->scribe, &group->parent));
  ss_scribe_exit (group->scribe);
}

void
ss_group_unwant (SsGroup *group, uint32_t sequence)
{
  unsigned index = lower_bound (group, sequence);
  if (find_want (group, sequence))
    g_array_remove_index (group->wants, index);
  ss_group_arm (group);
}

SsTime
ss_want_deadline (const SsGroup *group)
{
  SsTime at = SS_NEVER;
  for (unsigned i = 0; group->wants && i < group->wants->len; i++) {
    const SsWant *want = &g_array_index (group->wants, SsWant, i);
    at = MIN (at, MIN (want->deadline, want->next));
  }
  return at;
}

/* What comes later than that is of no use to them. */
static void
forget_askers (SsGroup *group)
{
  SsTime since = group->scribe->env->now - SS_ASKER_TIME;
  unsigned n_old = 0;
  while (group->askers && n_old < group->askers->len
         && g_array_index (group->askers, SsAsker, n_old).since < since)
    n_old++;
  if (n_old > 0)
    g_array_remove_range (group->askers, 0, n_old);
}

void
ss_want_got (SsGroup *group, uint32_t sequence, GBytes *packet)
{
  SsScribe *scribe = group->scribe;
  forget_askers (group);
  if (find_want (group, sequence)) {
    g_array_remove_index (group->wants, lower_bound (group, sequence));
    ss_group_arm (group);
  }
  SsKbrSend how = { .class = SS_CLASS_KBR_REPAIR,
                    .expires = scribe->env->now + SS_PACKET_WAIT };
  for (unsigned i = group->askers ? group->askers->len : 0; i-- > 0;) {
    SsAsker asker = g_array_index (group->askers, SsAsker, i);
    if (asker.sequence != sequence)
      continue;
    g_array_remove_index (group->askers, i);
    if (ss_group_child_find (group, &asker.contact.id))
      continue; /* it went down the tree */
    if (!ss_budget_take (group, &asker.contact, 1))
      continue;
    ss_scribe_send_packet (scribe, &asker.contact, SS_MSG_SCRIBE_REPAIR, group,
                           sequence, packet, &how);
    ss_count (scribe->env, SCRIBE_REPAIRS);
  }
}

/* The next step at once; the round after the last one waits. */
void
ss_want_refused (SsGroup *group, uint32_t sequence)
{
  SsWant *want = find_want (group, sequence);
  if (!want || want->n_asked == 0)
    return;
  if (--want->n_asked == 0 && want->stage != SS_ASK_PARENT)
    want->next = group->scribe->env->now;
}

/* A new parent sends what is missing by itself; then it is asked. */
void
ss_want_reparented (SsGroup *group)
{
  SsTime soon = group->scribe->env->now
                + MAX (ss_scribe_rto (group->scribe, &group->parent.id),
                       SS_WANT_WAIT_MIN);
  for (unsigned i = 0; group->wants && i < group->wants->len; i++) {
    SsWant *want = &g_array_index (group->wants, SsWant, i);
    want->stage = SS_ASK_PARENT;
    want->asked = -1;
    want->next = soon;
  }
}

/* Asking. */

static void
send_request (SsGroup *group, Request *request)
{
  uint8_t data[SS_MSG_SCRIBE_WANT_MAX];
  size_t len = ss_msg_scribe_want_encode (&request->message, data, sizeof data);
  SsKbrSend how = { .class = SS_CLASS_KBR_CONTROL };
  ss_kbr_send (group->scribe->kbr, group->scribe->protocol, &request->to, &how,
               data, len, NULL);
  ss_count_add (group->scribe->env, SCRIBE_WANTS, request->message.n_sequences);
  request->message.n_sequences = 0;
}

/* What the fastest neighbour but the parent takes to answer. */
static SsTime
find_quickest (const SsGroup *group)
{
  SsContact list[SS_FAMILY_ASK_MAX];
  unsigned n = ss_family_neighbours (group->family, list, SS_FAMILY_ASK_MAX);
  SsTime least = SS_SEC;
  for (unsigned i = 0; i < n; i++)
    if (!group->has_parent || !ss_contact_equal (&list[i], &group->parent))
      least = MIN (least, ss_scribe_rto (group->scribe, &list[i].id));
  return least * 3 / 2;
}

/* No longer than a share of the time that is left, if another neighbour may
 * answer sooner. If everybody is slow, it is this node's own line that is full,
 * and to ask more would fill it more. */
static SsTime
shorten (const SsGroup *group, Requests *requests, const SsWant *want,
         SsTime wait)
{
  SsTime share = (want->deadline - group->scribe->env->now) / STEPS;
  share = MAX (share, SS_WANT_WAIT_MIN);
  if (wait <= share)
    return wait;
  if (requests->quickest == 0)
    requests->quickest = find_quickest (group);
  return MIN (wait, MAX (share, requests->quickest));
}

static void
ask (SsGroup *group, Requests *requests, const SsContact *to, SsWant *want,
     bool fetch)
{
  Request *request = NULL;
  for (unsigned i = 0; i < requests->n && !request; i++) {
    bool fetches = requests->requests[i].message.flags & SS_WANT_FETCH;
    if (ss_contact_equal (&requests->requests[i].to, to) && fetches == fetch)
      request = &requests->requests[i];
  }
  if (!request && requests->n < REQUESTS) {
    request = &requests->requests[requests->n++];
    request->to = *to;
    request->message = (SsMsgScribeWant){ .flags = fetch ? SS_WANT_FETCH : 0 };
    memcpy (request->message.tag, group->id.b, SS_TAG_LEN);
  }
  if (!request)
    return; /* at the next turn */
  request->message.sequences[request->message.n_sequences++] = want->sequence;
  want->n_asked++;
  SsTime rto = ss_scribe_rto (group->scribe, &to->id);
  SsTime wait = MAX (rto, SS_WANT_WAIT_MIN) * 3 / 2;
  wait = shorten (group, requests, want, wait) * (1 + want->rounds);
  wait = MIN (wait, MAX (rto, SS_WANT_WAIT_MAX));
  wait += group->family->wait;
  want->next = MAX (want->next, group->scribe->env->now + wait);
  if (request->message.n_sequences == SS_SCRIBE_WANT_MAX)
    send_request (group, request);
}

static bool
is_source (const SsGroup *group, const SsContact *contact)
{
  return group->family->has_source
         && ss_contact_equal (&group->family->source, contact);
}

static void
ask_others (SsGroup *group, Requests *requests, SsWant *want, unsigned others)
{
  SsContact list[SS_FAMILY_ASK_MAX];
  unsigned n = ss_family_neighbours (group->family, list, SS_FAMILY_ASK_MAX);
  uint32_t first = want->sequence * 2654435761u ^ ss_prefix_of (&group->id);
  first = (first >> 16) + OTHERS * want->rounds;
  unsigned asked = 0;
  for (unsigned i = 0; i < n && asked < others; i++) {
    const SsContact *to = &list[(first + i) % n];
    if (is_source (group, to)
        || (group->has_parent && ss_contact_equal (to, &group->parent)))
      continue;
    ask (group, requests, to, want, false);
    asked++;
  }
}

static void
ask_source (SsGroup *group, Requests *requests, SsWant *want)
{
  SsScribe *scribe = group->scribe;
  const SsFamily *family = group->family;
  bool has_source =
      family->has_source && ss_scribe_usable (scribe, &family->source);
  bool is_urgent =
      want->rounds > 0 || want->deadline - scribe->env->now < URGENT;
  if (!group->is_root && group->has_root
      && ss_scribe_usable (scribe, &group->root)
      && !(has_source && is_urgent && want->rounds > 1))
    ask (group, requests, &group->root, want, true);
  else if (has_source && (group->is_root || is_urgent))
    ask (group, requests, &family->source, want, false);
}

/* Has the parent said nothing at all since it was asked? Two requests in a
 * row, for one packet or for two, make it a suspect. */
static void
judge_parent (SsGroup *group, SsWant *want)
{
  SsScribe *scribe = group->scribe;
  if (want->asked < 0 || !group->has_parent)
    return;
  SsTime heard = ss_kbr_last_heard (scribe->kbr, &group->parent.id);
  SsTime rtt = ss_kbr_rtt (scribe->kbr, &group->parent.id);
  /* What was on its way when it was asked is no answer. */
  heard -= rtt == SS_NEVER ? 0 : rtt / 2;
  SsNeighbour *parent = ss_neighbour_get (scribe, &group->parent);
  if (heard >= parent->unanswered)
    parent->n_unanswered = 0;
  if (heard < want->asked && want->asked != parent->unanswered) {
    want->is_silent = true;
    parent->n_unanswered++;
    parent->unanswered = want->asked;
  }
  want->asked = -1;
}

void
ss_want_judge (SsScribe *scribe, const SsNeighbour *parent)
{
  for (unsigned k = 0; parent->taken && k < parent->taken->len; k++) {
    SsGroup *group = g_ptr_array_index (parent->taken, k);
    for (unsigned i = 0; group->wants && i < group->wants->len; i++) {
      SsWant *want = &g_array_index (group->wants, SsWant, i);
      if (want->asked > parent->keepalive)
        continue;
      judge_parent (group, want);
      if (want->is_silent && want->stage == SS_ASK_OTHERS)
        want->next = scribe->env->now;
    }
    ss_group_arm (group);
  }
}

static void
ask_parent (SsGroup *group, Requests *requests, SsWant *want)
{
  want->asked = group->scribe->env->now;
  ask (group, requests, &group->parent, want, true);
  ss_neighbour_probe (group->scribe,
                      ss_neighbour_get (group->scribe, &group->parent));
}

/* Behind what waits before this node's line an answer would come too late. */
static bool
is_in_vain (const SsGroup *group, const SsWant *want)
{
  SsTime wait = group->family->wait;
  return wait > 0 && group->scribe->env->now + wait >= want->deadline;
}

/* So many packets are on their way to it, as far as is known. */
static unsigned
count_out (const SsFamily *family)
{
  SsTime now = family->scribe->env->now;
  unsigned n_out = 0;
  for (const SsGroup *group = ss_group_after (family->scribe, NULL); group;
       group = ss_group_after (family->scribe, &group->id))
    for (unsigned i = 0;
         group->family == family && group->wants && i < group->wants->len;
         i++) {
      const SsWant *want = &g_array_index (group->wants, SsWant, i);
      n_out += want->is_own && want->n_asked > 0 && now < want->next;
    }
  return n_out;
}

/* A parent that lives and has it not either fetches it itself, as does the one
 * above it. Below a node that has died all would ask the root at once, as
 * strangers, of whom a node can meet a thousand in a second; so the root is
 * asked only when that has led nowhere. */
static bool
leave_to_parent (SsGroup *group, SsWant *want, bool has_parent)
{
  if (!has_parent || want->is_silent || want->rounds >= SS_WANT_PARENT_ROUNDS)
    return false;
  SsTime wait = ss_scribe_rto (group->scribe, &group->parent.id);
  wait = CLAMP (wait, SS_WANT_WAIT_MIN, SS_WANT_WAIT_MAX) * (1 + want->rounds);
  want->next = group->scribe->env->now + wait;
  return true;
}

static void
ask_next (SsGroup *group, Requests *requests, SsWant *want)
{
  SsScribe *scribe = group->scribe;
  bool has_parent = !group->is_root && group->has_parent
                    && ss_scribe_usable (scribe, &group->parent);
  if (is_in_vain (group, want)) {
    want->next = scribe->env->now + SS_WANT_WAIT_MIN;
    return;
  }
  want->n_asked = 0;
  if (want->is_own && requests->n_out >= group->family->window) {
    want->next = scribe->env->now + SS_WANT_PAUSE;
    return;
  }
  requests->n_out += want->is_own;
  want->next = scribe->env->now;
  want->is_silent = false;
  judge_parent (group, want);
  if (has_parent
      && (want->stage == SS_ASK_PARENT
          || (want->stage == SS_ASK_OTHERS && want->is_silent)))
    ask_parent (group, requests, want);
  if (want->n_asked > 0 && want->stage == SS_ASK_PARENT) {
    want->stage = SS_ASK_OTHERS;
    return;
  }
  if (want->stage <= SS_ASK_OTHERS) {
    ask_others (group, requests, want, group->family->wait > 0 ? 1 : OTHERS);
    want->stage = SS_ASK_SOURCE;
  }
  if (want->n_asked == 0 && want->stage == SS_ASK_SOURCE) {
    bool is_left = leave_to_parent (group, want, has_parent);
    if (!is_left)
      ask_source (group, requests, want);
    want->stage = SS_ASK_PARENT;
    if (want->rounds < UINT8_MAX)
      want->rounds++;
    if (want->n_asked == 0 && !is_left) /* nobody to ask: try again later */
      want->next = scribe->env->now + SS_WANT_WAIT_MIN;
  }
}

static void
send_requests (SsGroup *group, Requests *requests)
{
  for (unsigned i = 0; i < requests->n; i++)
    if (requests->requests[i].message.n_sequences > 0)
      send_request (group, &requests->requests[i]);
}

/* A parent that has it not either asks its own: nobody need fetch it. Where
 * there is a queue before this node's line silence means little. */
void
ss_group_ask (SsGroup *group, uint32_t sequence)
{
  if (group->is_root || !group->has_parent || group->family->wait > 0
      || ss_history_find (group, sequence) || find_want (group, sequence))
    return;
  ss_scribe_enter (group->scribe);
  Requests requests = { .n = 0 };
  SsWant want = { .sequence = sequence };
  if (ss_scribe_usable (group->scribe, &group->parent))
    ask (group, &requests, &group->parent, &want, false);
  ask_others (group, &requests, &want, 1);
  send_requests (group, &requests);
  ss_scribe_exit (group->scribe);
}

static bool
drop_overdue (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  for (unsigned i = 0; i < group->wants->len; i++) {
    SsWant want = g_array_index (group->wants, SsWant, i);
    if (want.deadline > scribe->env->now)
      continue;
    g_array_remove_index (group->wants, i);
    if (want.is_own) {
      ss_count (scribe->env, SCRIBE_MISSED);
      ss_debug (scribe->env, "group %08x: %u did not come, asked %u times",
                ss_prefix_of (&group->id), want.sequence, want.rounds);
      if (scribe->app.missed)
        scribe->app.missed (group->user, group, want.sequence);
    }
    return true;
  }
  return false;
}

/* A wanted packet that was here all the time: from when this node was no
 * member. */
static bool
deliver_held (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  for (unsigned i = 0; i < group->wants->len; i++) {
    SsWant want = g_array_index (group->wants, SsWant, i);
    GBytes *packet = ss_history_find (group, want.sequence);
    if (!packet)
      continue;
    g_array_remove_index (group->wants, i);
    g_bytes_ref (packet);
    if (want.is_own && scribe->app.packet)
      scribe->app.packet (group->user, group, want.sequence, packet,
                          ss_kbr_self (scribe->kbr), SS_VIA_REPAIR);
    g_bytes_unref (packet);
    return true;
  }
  return false;
}

void
ss_want_due (SsGroup *group)
{
  SsScribe *scribe = group->scribe;
  if (!group->wants)
    return;
  while (!group->is_dead && (drop_overdue (group) || deliver_held (group)))
    ;
  if (group->is_dead)
    return;
  Requests requests = { .n_out = count_out (group->family) };
  for (unsigned i = 0; i < group->wants->len; i++) {
    SsWant *want = &g_array_index (group->wants, SsWant, i);
    if (want->next <= scribe->env->now)
      ask_next (group, &requests, want);
  }
  send_requests (group, &requests);
  if (!group->has_parent)
    return;
  ss_neighbour_judge (scribe, ss_neighbour_get (scribe, &group->parent));
}

/* Answering. */

static bool
is_plausible (const SsGroup *group, uint32_t sequence)
{
  if (!group->has_newest)
    return false;
  return sequence <= group->newest ? group->newest - sequence <= AHEAD_MAX
                                   : sequence - group->newest <= AHEAD_MAX;
}

static void
remember (SsGroup *group, const SsContact *from, uint32_t sequence)
{
  if (!group->askers)
    group->askers = g_array_new (FALSE, FALSE, sizeof (SsAsker));
  for (unsigned i = 0; i < group->askers->len; i++) {
    const SsAsker *asker = &g_array_index (group->askers, SsAsker, i);
    if (asker->sequence == sequence && ss_contact_equal (&asker->contact, from))
      return;
  }
  if (group->askers->len >= SS_GROUP_ASKERS_MAX)
    g_array_remove_index (group->askers, 0);
  SsAsker asker = { sequence, group->scribe->env->now, *from };
  g_array_append_val (group->askers, asker);
}

/* Missing here too: fetched for a child, or by the root for anybody. */
static void
fetch_for (SsGroup *group, const SsContact *from, uint32_t sequence, bool fetch)
{
  if (group->family->config.is_source || !ss_group_in_tree (group)
      || !is_plausible (group, sequence))
    return;
  bool is_child = ss_group_child_find (group, &from->id) != NULL;
  if (fetch && (is_child || group->is_root)) {
    bool is_known = find_want (group, sequence) != NULL;
    ss_want_add (group, sequence, group->scribe->env->now + SS_WANT_OTHERS_TIME,
                 false);
    SsWant *want = find_want (group, sequence);
    if (want && !is_known && group->is_root)
      want->stage = SS_ASK_SOURCE; /* who asks a root has asked others */
  }
  if (find_want (group, sequence))
    remember (group, from, sequence);
}

void
ss_want_handle (SsScribe *scribe, const SsContact *from,
                const SsMsgScribeWant *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  SsMsgScribeNotHave answer = { .n_sequences = 0 };
  memcpy (answer.tag, message->tag, SS_TAG_LEN);
  SsKbrSend repair = { .class = SS_CLASS_KBR_REPAIR,
                       .expires = scribe->env->now + SS_PACKET_WAIT };
  for (unsigned i = 0; i < message->n_sequences; i++) {
    uint32_t sequence = message->sequences[i];
    GBytes *packet = group ? ss_history_find (group, sequence) : NULL;
    if (!packet) {
      answer.sequences[answer.n_sequences++] = sequence;
      if (group)
        fetch_for (group, from, sequence, message->flags & SS_WANT_FETCH);
    } else if (ss_budget_take (group, from, 1)) {
      ss_scribe_send_packet (scribe, from, SS_MSG_SCRIBE_REPAIR, group,
                             sequence, packet, &repair);
      ss_count (scribe->env, SCRIBE_REPAIRS);
    }
  }
  if (group)
    ss_group_arm (group);
  if (answer.n_sequences == 0)
    return;
  uint8_t data[SS_MSG_SCRIBE_NOT_HAVE_MAX];
  size_t len = ss_msg_scribe_not_have_encode (&answer, data, sizeof data);
  SsKbrSend how = { .class = SS_CLASS_KBR_CONTROL };
  ss_kbr_send (scribe->kbr, scribe->protocol, from, &how, data, len, NULL);
}

void
ss_want_handle_not_have (SsScribe *scribe, const SsContact *from,
                         const SsMsgScribeNotHave *message)
{
  SsGroup *group = ss_group_by_tag (scribe, message->tag);
  if (!group)
    return;
  for (unsigned i = 0; i < message->n_sequences; i++)
    ss_want_refused (group, message->sequences[i]);
  ss_group_arm (group);
}
