/* Anycast and manycast: a message for one member of a group, or for several,
 * whichever accept it (Castro et al., "Scalable application-level anycast for
 * highly dynamic groups", NGC 2003).
 *
 *   origin --route--> first node of the tree met, then depth first through it
 *      ^---ANSWER--- of each member that accepts
 *      ^----END----- of the last node, when nobody is left to ask
 *
 * Routes of near nodes meet early and a node's children are asked nearest
 * first, so that whoever accepts is likely to be near the origin. The walk is
 * in the message: where it has been, and where it is to go. A child that is a
 * mere forwarder has told of a member below it, if it knew one: that one comes
 * before the child, which spares a message.
 *
 * Departures: both lists have bounds. A node with more children than there is
 * room for is come back to. What falls off the one list is the way back up,
 * or next to it: when that list is empty the walk climbs the tree and finds
 * it again. It ends at the top, or when the other list is full.
 * Each step is acknowledged, and who sent the message goes on with another
 * node if the next is silent. Should a node die with it, the origin hears
 * nothing and begins again, naming those that have accepted. */
#include <string.h>

#include "scribe/internal.h"

#define VISITED_MAX  G_N_ELEMENTS (((SsMsgScribeAnycast *) 0)->visited)
#define TO_VISIT_MAX G_N_ELEMENTS (((SsMsgScribeAnycast *) 0)->to_visit)
#define LATE_MAX     2 /* missing acknowledgements: then another is asked */

/* At the origin. */
typedef struct {
  uint32_t nonce;
  SsId group;
  uint8_t wanted, n_accepted, tries;
  uint32_t accepted[SS_MANYCAST_MAX];
  GBytes *data;
  SsTime next; /* begins, or begins again */
} Search;

/* A message on its way from here to the next node. */
typedef struct {
  uint64_t token;
  SsId to;
  uint8_t late;
  GBytes *message;
} Step;

struct SsAnycasts {
  GArray *searches; /* Search, in the order they were begun */
  GArray *steps;    /* Step, likewise */
  SsId vain;        /* the last group where nobody was found, and when */
  SsTime vain_at;
};

static void walk (SsScribe *scribe, SsMsgScribeAnycast *message);
static bool follow_trace (SsScribe *scribe, SsMsgScribeAnycast *message);

static SsAnycasts *
get (SsScribe *scribe)
{
  if (!scribe->anycasts) {
    SsAnycasts *anycasts = scribe->anycasts = g_new0 (SsAnycasts, 1);
    anycasts->searches = g_array_new (FALSE, FALSE, sizeof (Search));
    anycasts->steps = g_array_new (FALSE, FALSE, sizeof (Step));
  }
  return scribe->anycasts;
}

void
ss_anycast_free (SsScribe *scribe)
{
  SsAnycasts *anycasts = scribe->anycasts;
  if (!anycasts)
    return;
  ss_timers_disarm (&scribe->env->timers, &scribe->anycast_timer);
  for (unsigned i = 0; i < anycasts->searches->len; i++)
    g_bytes_unref (g_array_index (anycasts->searches, Search, i).data);
  for (unsigned i = 0; i < anycasts->steps->len; i++)
    g_bytes_unref (g_array_index (anycasts->steps, Step, i).message);
  g_array_free (anycasts->searches, TRUE);
  g_array_free (anycasts->steps, TRUE);
  g_free (anycasts);
  scribe->anycasts = NULL;
}

/* The origin. */

static void
arm (SsScribe *scribe)
{
  SsTime at = SS_NEVER;
  for (unsigned i = 0; i < scribe->anycasts->searches->len; i++)
    at = MIN (at, g_array_index (scribe->anycasts->searches, Search, i).next);
  ss_timers_arm (&scribe->env->timers, &scribe->anycast_timer, at);
}

uint32_t
ss_scribe_anycast (SsScribe *scribe, const SsId *group_id, unsigned wanted,
                   const uint8_t *data, size_t len)
{
  g_assert (wanted >= 1);
  g_assert (wanted <= SS_MANYCAST_MAX);
  g_assert (len <= SS_ANYCAST_DATA_MAX);
  SsAnycasts *anycasts = get (scribe);
  if (scribe->is_leaving || anycasts->searches->len >= SS_ANYCASTS_MAX)
    return 0;
  Search search = {
    .nonce = ss_scribe_nonce (scribe),
    .group = *group_id,
    .wanted = (uint8_t) wanted,
    .data = g_bytes_new (data, len),
    /* No upcall before this returns; nor in the same moment, or who asks again
     * when nobody is found would ask for ever. */
    .next = scribe->env->now + SS_MSEC,
  };
  g_array_append_val (anycasts->searches, search);
  ss_count (scribe->env, SCRIBE_ANYCASTS);
  arm (scribe);
  return search.nonce;
}

static Search *
find_search (const SsScribe *scribe, uint32_t nonce, unsigned *ret_index)
{
  for (unsigned i = 0; scribe->anycasts && i < scribe->anycasts->searches->len;
       i++) {
    Search *search = &g_array_index (scribe->anycasts->searches, Search, i);
    if (search->nonce != nonce)
      continue;
    *ret_index = i;
    return search;
  }
  return NULL;
}

static void
remove_search (SsScribe *scribe, unsigned index)
{
  GArray *searches = scribe->anycasts->searches;
  g_bytes_unref (g_array_index (searches, Search, index).data);
  g_array_remove_index (searches, index);
  arm (scribe);
}

void
ss_scribe_anycast_cancel (SsScribe *scribe, uint32_t anycast)
{
  unsigned index;
  if (find_search (scribe, anycast, &index))
    remove_search (scribe, index);
}

static void
finish (SsScribe *scribe, uint32_t nonce)
{
  unsigned index;
  const Search *search = find_search (scribe, nonce, &index);
  if (!search)
    return;
  unsigned n_accepted = search->n_accepted;
  if (n_accepted == 0) {
    scribe->anycasts->vain = search->group;
    scribe->anycasts->vain_at = scribe->env->now;
  }
  remove_search (scribe, index);
  if (scribe->app.anycast_end)
    scribe->app.anycast_end (scribe->app_user, nonce, n_accepted);
}

static void
answered (SsScribe *scribe, const SsContact *member, uint32_t nonce,
          unsigned hops, const SsWireBytes *data)
{
  unsigned index;
  Search *search = find_search (scribe, nonce, &index);
  uint32_t prefix = ss_prefix_of (&member->id);
  if (!search)
    return;
  for (unsigned i = 0; i < search->n_accepted; i++)
    if (search->accepted[i] == prefix)
      return; /* in two walks */
  search->accepted[search->n_accepted++] = prefix;
  bool is_all = search->n_accepted == search->wanted;
  /* It goes on: time for the next member to answer. */
  search->next = scribe->env->now + SS_ANYCAST_WAIT;
  arm (scribe);
  SsScribeAnswer answer = {
    .member = *member, .hops = hops, .data = data->data, .len = data->len
  };
  if (scribe->app.anycast_answer)
    scribe->app.anycast_answer (scribe->app_user, nonce, &answer);
  if (is_all)
    finish (scribe, nonce);
}

/* Towards the root, by this hop first, if any. Without a ring there is no way:
 * it is tried again. */
static void
route_by (SsScribe *scribe, const SsMsgScribeAnycast *message,
          const SsContact *hop)
{
  uint8_t data[SS_MSG_SCRIBE_ANYCAST_MAX];
  size_t len = ss_msg_scribe_anycast_encode (message, data, sizeof data);
  g_assert (len > 0);
  ss_kbr_route (scribe->kbr, scribe->protocol, &message->group, hop, 0, data,
                len);
}

static void
route (SsScribe *scribe, const SsMsgScribeAnycast *message)
{
  route_by (scribe, message, NULL);
}

/* Where a walk has found nobody lately, which may not have been everywhere, the
 * next one had better begin elsewhere. */
static bool
begin_elsewhere (SsScribe *scribe, const SsMsgScribeAnycast *message)
{
  const SsAnycasts *anycasts = scribe->anycasts;
  SsContact hop;
  SsId key;
  if (!ss_id_equal (&anycasts->vain, &message->group)
      || scribe->env->now - anycasts->vain_at > SS_ANYCAST_VAIN_TIME)
    return false;
  ss_rng_bytes (&scribe->env->rng, key.b, sizeof key.b);
  if (ss_kbr_local_lookup (scribe->kbr, &key, &hop, 1) == 0)
    return false;
  route_by (scribe, message, &hop);
  return true;
}

static void
begin (SsScribe *scribe, Search *search)
{
  search->tries++;
  search->next = scribe->env->now + search->tries * SS_ANYCAST_WAIT;
  gsize len;
  const uint8_t *data = g_bytes_get_data (search->data, &len);
  SsMsgScribeAnycast message = {
    .group = search->group,
    .nonce = search->nonce,
    .wanted = search->wanted - search->n_accepted,
    .n_accepted = search->n_accepted,
    .data = { data, (uint16_t) len },
  };
  memcpy (message.accepted, search->accepted, sizeof search->accepted);
  const SsGroup *group = ss_scribe_find (scribe, &search->group);
  GBytes *kept = g_bytes_ref (search->data); /* the search may end */
  if (begin_elsewhere (scribe, &message)) {
    /* its answer comes here */
  } else if (group && ss_group_in_tree (group)) {
    walk (scribe, &message);
  } else if (ss_trace_is_told (scribe, &search->group)
             || !follow_trace (scribe, &message)) {
    /* The node's own searches do not go where others say. */
    route (scribe, &message);
  }
  g_bytes_unref (kept);
}

void
ss_anycast_due (SsScribe *scribe)
{
  for (;;) {
    Search *due = NULL;
    for (unsigned i = 0; i < scribe->anycasts->searches->len && !due; i++) {
      Search *at = &g_array_index (scribe->anycasts->searches, Search, i);
      if (at->next <= scribe->env->now)
        due = at;
    }
    if (!due)
      break;
    if (due->tries < SS_ANYCAST_TRIES)
      begin (scribe, due);
    else
      finish (scribe, due->nonce);
  }
  arm (scribe);
}

void
ss_anycast_handle_answer (SsScribe *scribe, const SsContact *from,
                          const SsMsgScribeAnycastAnswer *message)
{
  answered (scribe, from, message->nonce, message->hops, &message->data);
}

void
ss_anycast_handle_end (SsScribe *scribe, const SsContact *from,
                       const SsMsgScribeAnycastEnd *message)
{
  (void) from; /* whoever was last; it has the nonce */
  finish (scribe, message->nonce);
}

/* A node of the tree. */

static bool
has_prefix (const uint32_t *list, unsigned n, uint32_t prefix)
{
  for (unsigned i = 0; i < n; i++)
    if (list[i] == prefix)
      return true;
  return false;
}

static bool
was_visited (const SsMsgScribeAnycast *message, const SsId *node)
{
  return has_prefix (message->visited, message->n_visited, ss_prefix_of (node));
}

static bool
is_to_be_visited (const SsMsgScribeAnycast *message, const SsContact *node)
{
  for (unsigned i = 0; i < message->n_to_visit; i++)
    if (memcmp (&message->to_visit[i].key, &node->key, sizeof node->key) == 0)
      return true;
  return false;
}

/* The member's word; true: it accepts, and the origin knows. */
static bool
ask (SsScribe *scribe, SsGroup *group, const SsMsgScribeAnycast *message)
{
  const SsContact *self = ss_kbr_self (scribe->kbr);
  if (!group->is_member || !scribe->app.anycast || scribe->is_leaving
      || message->n_origin == 0 /* it does not seek itself */
      || has_prefix (message->accepted, message->n_accepted,
                     ss_prefix_of (&self->id)))
    return false;
  SsContact origin = ss_contact_from_record (&message->origin[0]);
  uint8_t words[SS_ANYCAST_DATA_MAX];
  size_t n_words = 0;
  if (ss_contact_equal (&origin, self)
      || !scribe->app.anycast (group->user, group, &origin, message->data.data,
                               message->data.len, words, &n_words))
    return false;
  g_assert (n_words <= sizeof words);
  SsMsgScribeAnycastAnswer answer = {
    .nonce = message->nonce,
    .hops = message->hops,
    .data = { words, (uint16_t) n_words },
  };
  uint8_t data[SS_MSG_SCRIBE_ANYCAST_ANSWER_MAX];
  size_t len = ss_msg_scribe_anycast_answer_encode (&answer, data, sizeof data);
  return ss_scribe_send (scribe, &origin, data, len);
}

static bool
may_visit (const SsScribe *scribe, const SsMsgScribeAnycast *message,
           const SsContact *node)
{
  return ss_scribe_usable (scribe, node) && ss_addr_is_set (&node->addr)
         && !was_visited (message, &node->id)
         && !is_to_be_visited (message, node);
}

static bool
is_origin (const SsMsgScribeAnycast *message, const SsContact *node)
{
  return message->n_origin > 0
         && memcmp (&message->origin[0].key, &node->key, SS_KEY_LEN) == 0;
}

/* The member below a forwarder, if the search may go to it at once. */
static const SsContact *
shortcut (const SsScribe *scribe, const SsMsgScribeAnycast *message,
          const SsChild *child)
{
  if (child->is_member || !child->below
      || !may_visit (scribe, message, child->below)
      || is_origin (message, child->below))
    return NULL;
  return child->below;
}

/* The nearest of this node's children that the walk has not seen, the farthest
 * of them first; as many as there are places, and how many there are in all. */
static unsigned
choose_children (SsGroup *group, const SsMsgScribeAnycast *message,
                 const SsChild **ret_children, unsigned *ret_n_all)
{
  SsScribe *scribe = group->scribe;
  *ret_n_all = 0;
  unsigned n = 0;
  for (unsigned i = 0; i < ss_group_child_count (group); i++) {
    const SsChild *child = ss_group_child_at (group, i);
    if (!may_visit (scribe, message, &child->contact))
      continue;
    ++*ret_n_all;
    unsigned at = n;
    while (at > 0
           && ss_neighbour_compare_distance (
                  scribe, &ret_children[at - 1]->contact.id, &child->contact.id)
                  < 0)
      at--;
    /* Full: the farthest, at the front, makes room. */
    if (n == TO_VISIT_MAX && at == 0)
      continue;
    if (n == TO_VISIT_MAX) {
      memmove (ret_children, ret_children + 1, --at * sizeof *ret_children);
    } else {
      memmove (ret_children + at + 1, ret_children + at,
               (n - at) * sizeof *ret_children);
      n++;
    }
    ret_children[at] = child;
  }
  return n;
}

/* On top of the list; what is at its bottom makes room. */
static void
put_to_visit (SsMsgScribeAnycast *message, const SsContact *node)
{
  if (message->n_to_visit == TO_VISIT_MAX) {
    message->n_to_visit--;
    memmove (message->to_visit, message->to_visit + 1,
             message->n_to_visit * sizeof *message->to_visit);
  }
  message->n_to_visit =
      ss_peers_put (message->to_visit, message->n_to_visit, TO_VISIT_MAX, node);
}

/* The nearest of this node's children that the walk has not seen come next,
 * and if there is no room for all of them, this node again after those. */
static void
expand (SsGroup *group, SsMsgScribeAnycast *message)
{
  SsScribe *scribe = group->scribe;
  const SsChild *children[TO_VISIT_MAX];
  unsigned n_all;
  unsigned n = choose_children (group, message, children, &n_all);
  unsigned room = TO_VISIT_MAX - message->n_to_visit;
  if (n_all > room) {
    put_to_visit (message, ss_kbr_self (scribe->kbr));
    room = MAX (room, 2) - 1;
  }
  for (unsigned i = n - MIN (n, room); i < n; i++)
    put_to_visit (message, &children[i]->contact);
  const SsContact *below =
      n > 0 ? shortcut (scribe, message, children[n - 1]) : NULL;
  if (below)
    put_to_visit (message, below);
}

/* Did this node lead it to a member that has sent it back? */
static bool
was_led (SsScribe *scribe, const SsMsgScribeAnycast *message)
{
  const SsContact *member = ss_trace_find (scribe, &message->group);
  return member && was_visited (message, &member->id);
}

/* Nobody is left: the origin hears it, unless that is because this node has
 * left the tree, or its parent; then the walk goes on where the way to the root
 * meets the tree again. */
static void
end (SsScribe *scribe, const SsGroup *group, SsMsgScribeAnycast *message)
{
  bool is_top = (group && group->is_root)
                || ss_kbr_is_root (scribe->kbr, &message->group, true);
  if (!is_top && message->n_visited < VISITED_MAX
      && message->hops < SS_ANYCAST_HOPS_MAX) {
    if (was_led (scribe, message))
      ss_trace_doubt (scribe, &message->group);
    message->hops++;
    route (scribe, message);
    return;
  }
  SsContact origin = message->n_origin > 0
                         ? ss_contact_from_record (&message->origin[0])
                         : *ss_kbr_self (scribe->kbr);
  if (ss_id_equal (&origin.id, ss_scribe_self (scribe))) {
    finish (scribe, message->nonce);
    return;
  }
  SsMsgScribeAnycastEnd answer = { .nonce = message->nonce,
                                   .hops = message->hops };
  uint8_t data[SS_MSG_SCRIBE_ANYCAST_END_MAX];
  size_t len = ss_msg_scribe_anycast_end_encode (&answer, data, sizeof data);
  ss_scribe_send (scribe, &origin, data, len);
}

/* Not if it has gone as far as it may, or there are too many: that ends it. */
static void
send_on (SsScribe *scribe, const SsContact *to, SsMsgScribeAnycast *message)
{
  SsAnycasts *anycasts = get (scribe);
  if (message->hops >= SS_ANYCAST_HOPS_MAX
      || anycasts->steps->len >= SS_ANYCASTS_MAX)
    return;
  message->hops++;
  uint8_t data[SS_MSG_SCRIBE_ANYCAST_MAX];
  size_t len = ss_msg_scribe_anycast_encode (message, data, sizeof data);
  g_assert (len > 0);
  Step step = {
    .token = ss_scribe_token (scribe, NULL),
    .to = to->id,
    .message = g_bytes_new (data, len),
  };
  SsKbrSend how = {
    .class = SS_CLASS_KBR_CONTROL,
    .reliable = true,
    .token = step.token,
  };
  if (ss_kbr_send (scribe->kbr, scribe->protocol, to, &how, data, len, NULL))
    g_array_append_val (anycasts->steps, step);
  else
    g_bytes_unref (step.message);
}

/* Takes the next node out of the list, or goes back up the tree; false: this
 * is its top. */
static bool
next_to_visit (SsScribe *scribe, const SsGroup *group,
               SsMsgScribeAnycast *message, SsContact *ret_next)
{
  while (message->n_to_visit > 0) {
    SsContact next =
        ss_contact_from_record (&message->to_visit[--message->n_to_visit]);
    bool is_self = ss_id_equal (&next.id, ss_scribe_self (scribe));
    if (!is_self && !ss_scribe_usable (scribe, &next))
      continue;
    *ret_next = next;
    return true;
  }
  if (!group || !group->has_parent
      || !ss_scribe_usable (scribe, &group->parent))
    return false;
  *ret_next = group->parent;
  return true;
}

/* Where this node is not in the tree any more. Should the member be dead or not
 * be in it either, the search comes back. */
static bool
follow_trace (SsScribe *scribe, SsMsgScribeAnycast *message)
{
  const SsContact *member = ss_trace_find (scribe, &message->group);
  if (!member || !may_visit (scribe, message, member)
      || is_origin (message, member)
      || !ss_trace_lead (scribe, &message->group, message->nonce))
    return false;
  put_to_visit (message, ss_kbr_self (scribe->kbr));
  send_on (scribe, member, message);
  return true;
}

static void
walk (SsScribe *scribe, SsMsgScribeAnycast *message)
{
  const SsContact *self = ss_kbr_self (scribe->kbr);
  SsGroup *group = ss_scribe_find (scribe, &message->group);
  /* It was sent on from here in vain, which counts as visits. */
  if (message->n_visited == VISITED_MAX) {
    end (scribe, group, message);
    return;
  }
  if (!was_visited (message, &self->id)) {
    uint32_t prefix = ss_prefix_of (&self->id);
    if (group && ask (scribe, group, message)) {
      message->wanted--;
      message->accepted[message->n_accepted++] = prefix;
    }
    if (message->wanted == 0)
      return;
    message->visited[message->n_visited++] = prefix;
    group = ss_scribe_find (scribe, &message->group); /* after the upcall */
  }
  SsContact next;
  do {
    if (group && ss_group_in_tree (group))
      expand (group, message);
    if (message->n_visited == VISITED_MAX
        || !next_to_visit (scribe, group, message, &next)) {
      end (scribe, group, message);
      return;
    }
  } while (ss_contact_equal (&next, self));
  send_on (scribe, &next, message);
}

bool
ss_anycast_handle (SsScribe *scribe, const SsContact *from,
                   SsMsgScribeAnycast *message, SsAnycastWay way)
{
  const SsGroup *group = ss_scribe_find (scribe, &message->group);
  bool is_passing =
      way == SS_ANYCAST_ON_WAY && (!group || !ss_group_in_tree (group));
  if (is_passing && !ss_trace_find (scribe, &message->group))
    return false;
  if (message->wanted == 0
      || message->wanted + message->n_accepted > SS_MANYCAST_MAX
      || message->n_visited == VISITED_MAX) {
    ss_count (scribe->env, MESSAGES_MALFORMED);
    return true;
  }
  bool is_own = ss_id_equal (&from->id, ss_scribe_self (scribe));
  if (message->n_origin == 0 && !is_own)
    message->n_origin = ss_peers_put (message->origin, 0, 1, from);
  if (message->n_origin == 0 && !is_own)
    return true; /* nobody to answer to */
  if (is_passing)
    return follow_trace (scribe, message);
  walk (scribe, message);
  return true;
}

bool
ss_anycast_outcome (SsScribe *scribe, const SsContact *to, uint64_t token,
                    SsKbrOutcome outcome)
{
  GArray *steps = scribe->anycasts ? scribe->anycasts->steps : NULL;
  unsigned index = 0;
  for (; steps && index < steps->len; index++) {
    const Step *at = &g_array_index (steps, Step, index);
    if (at->token == token && ss_id_equal (&at->to, &to->id))
      break;
  }
  if (!steps || index == steps->len)
    return false;
  Step *step = &g_array_index (steps, Step, index);
  if (outcome == SS_KBR_LATE && ++step->late < LATE_MAX
      && !ss_kbr_is_suspected (scribe->kbr, &to->id))
    return true;
  GBytes *bytes = step->message;
  g_array_remove_index (steps, index);
  if (outcome == SS_KBR_LATE)
    ss_kbr_cancel (scribe->kbr, scribe->protocol, &to->id, token);
  if (outcome != SS_KBR_ACKED) {
    gsize len;
    const uint8_t *data = g_bytes_get_data (bytes, &len);
    SsMsgScribeAnycast message;
    bool is_good = ss_msg_scribe_anycast_decode (data, len, &message);
    g_assert (is_good);
    ss_scribe_suspect (scribe, to);
    if (message.n_visited < VISITED_MAX)
      message.visited[message.n_visited++] = ss_prefix_of (&to->id);
    walk (scribe, &message);
  }
  g_bytes_unref (bytes);
  return true;
}
