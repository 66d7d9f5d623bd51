/* A peer's messages: waiting by class, or sent and unacknowledged. Time-outs
 * are RFC 6298's, section 5, for each message on its own. */
#include <string.h>

#include "overlay/link/private.h"

static const unsigned queue_max[SS_N_CLASSES] = {
  [SS_CLASS_CONTROL] = CONTROL_QUEUE_MAX,
  [SS_CLASS_MEDIA] = MEDIA_QUEUE_MAX,
  [SS_CLASS_REPAIR] = REPAIR_QUEUE_MAX,
};

void
ss_link_item_free (SsLinkItem *item)
{
  if (item->body)
    g_bytes_unref (item->body);
  g_free (item);
}

size_t
ss_link_item_len (const SsLinkItem *item)
{
  return (size_t) item->head_len + item->body_len;
}

/* a before b, as serial numbers (RFC 1982). */
static bool
precedes (uint16_t a, uint16_t b)
{
  return ss_link_sequence_ahead (a, b) < 0;
}

/* Before the first item of the list that `item` precedes. Items that have
 * not been sent come after all that have. */
static void
insert_by_sequence (GQueue *queue, SsLinkItem *item)
{
  GList *node = queue->head;
  for (; node; node = node->next) {
    const SsLinkItem *other = node->data;
    if (other->sendings.n == 0 || precedes (item->sequence, other->sequence))
      break;
  }
  if (node)
    g_queue_insert_before_link (queue, node, &item->node);
  else
    g_queue_push_tail_link (queue, &item->node);
}

bool
ss_link_enqueue (SsLink *link, SsLinkPeer *peer, const SsLinkSend *how,
                 const uint8_t *head, size_t head_len, GBytes *body)
{
  SsPeerWork *work = ss_link_work (link, peer);
  GQueue *queue = &work->queues[how->class];
  if (queue->length >= queue_max[how->class]) {
    if (how->class != SS_CLASS_MEDIA)
      return false;
    SsLinkItem *oldest = queue->head->data;
    ss_link_dequeue (link, work, oldest);
    ss_count (link->env, LINK_MEDIA_DROPPED);
    ss_link_fail (link, peer, oldest);
  }
  SsLinkItem *item = g_malloc (sizeof *item + head_len);
  *item = (SsLinkItem){
    .node.data = item,
    .body = body ? g_bytes_ref (body) : NULL,
    .token = how->token,
    .expires = how->expires > 0 ? how->expires : SS_NEVER,
    .head_len = (uint16_t) head_len,
    .body_len = (uint16_t) (body ? g_bytes_get_size (body) : 0),
    .protocol = how->protocol,
    .class = (uint8_t) how->class,
    .reliable = how->reliable,
    .tries_max = how->tries_max > 0 ? how->tries_max : SS_LINK_TRIES,
  };
  if (item->class != SS_CLASS_CONTROL && ss_link_uplink_asks (link, peer)
      && !item->reliable) {
    item->reliable = true;
    item->token = 0;
    item->tries_max = 1;
  }
  if (head_len > 0)
    memcpy (item->head, head, head_len);
  g_queue_push_tail_link (queue, &item->node);
  link->backlog[item->class] += ss_link_item_len (item);
  return true;
}

void
ss_link_dequeue (SsLink *link, SsPeerWork *work, SsLinkItem *item)
{
  g_queue_unlink (&work->queues[item->class], &item->node);
  link->backlog[item->class] -= ss_link_item_len (item);
}

void
ss_link_await_ack (SsPeerWork *work, SsLinkItem *item)
{
  /* Nearly always the newest. */
  const SsLinkItem *last = work->unacked.tail ? work->unacked.tail->data : NULL;
  if (!last || precedes (last->sequence, item->sequence))
    g_queue_push_tail_link (&work->unacked, &item->node);
  else
    insert_by_sequence (&work->unacked, item);
}

SsLinkItem *
ss_link_unlink_sequence (SsLink *link, SsPeerWork *work, uint16_t sequence)
{
  for (GList *node = work->unacked.head; node; node = node->next) {
    SsLinkItem *item = node->data;
    if (item->sequence == sequence) {
      g_queue_unlink (&work->unacked, node);
      return item;
    }
  }
  for (unsigned i = 0; i < SS_N_CLASSES; i++)
    for (GList *node = work->queues[i].head; node; node = node->next) {
      SsLinkItem *item = node->data;
      if (item->sendings.n == 0)
        break;
      if (item->sequence == sequence) {
        ss_link_dequeue (link, work, item);
        return item;
      }
    }
  return NULL;
}

SsLinkItem *
ss_link_unlink_token (SsLink *link, SsPeerWork *work, uint8_t protocol,
                      uint64_t token)
{
  for (GList *node = work->unacked.head; node; node = node->next) {
    SsLinkItem *item = node->data;
    if (item->token == token && item->protocol == protocol) {
      g_queue_unlink (&work->unacked, node);
      return item;
    }
  }
  for (unsigned i = 0; i < SS_N_CLASSES; i++)
    for (GList *node = work->queues[i].head; node; node = node->next) {
      SsLinkItem *item = node->data;
      if (item->reliable && item->token == token
          && item->protocol == protocol) {
        ss_link_dequeue (link, work, item);
        return item;
      }
    }
  return NULL;
}

bool
ss_link_sequence_is_free (const SsPeerWork *work, uint16_t sequence)
{
  const SsLinkItem *first =
      work->unacked.head ? work->unacked.head->data : NULL;
  bool is_free =
      !first
      || ss_link_sequence_ahead (sequence, first->sequence) < SEQUENCE_WINDOW;
  for (unsigned i = 0; i < SS_N_CLASSES; i++) {
    first = work->queues[i].head ? work->queues[i].head->data : NULL;
    if (first && first->sendings.n > 0)
      is_free &=
          ss_link_sequence_ahead (sequence, first->sequence) < SEQUENCE_WINDOW;
  }
  return is_free;
}

void
ss_link_fail (SsLink *link, SsLinkPeer *peer, SsLinkItem *item)
{
  if (item->reliable && item->token != 0) {
    SsLinkFailure *failure = g_new (SsLinkFailure, 1);
    *failure = (SsLinkFailure){
      .contact = peer->contact,
      .token = item->token,
      .protocol = item->protocol,
    };
    g_queue_push_tail (&link->failures, failure);
    /* Told from the timer, so that nobody hears of it inside his own call. */
    ss_timers_arm (&link->env->timers, &link->failures_timer, link->env->now);
  }
  ss_link_item_free (item);
}

void
ss_link_tell_failures (SsLink *link)
{
  /* Upcalls may make more; those have their own turn. */
  ss_link_enter (link);
  for (unsigned n = link->failures.length; n > 0; n--) {
    g_autofree SsLinkFailure *failure = g_queue_pop_head (&link->failures);
    ss_count (link->env, LINK_MESSAGES_FAILED);
    if (link->upcalls->failed)
      link->upcalls->failed (link->user, &failure->contact, failure->protocol,
                             failure->token);
  }
  ss_link_leave (link);
}

void
ss_link_drop_items (SsLink *link, SsLinkPeer *peer, bool tell)
{
  SsPeerWork *work = peer->work;
  if (!work)
    return;
  for (unsigned i = 0; i < SS_N_CLASSES; i++)
    while (work->queues[i].head) {
      SsLinkItem *item = work->queues[i].head->data;
      ss_link_dequeue (link, work, item);
      if (tell)
        ss_link_fail (link, peer, item);
      else
        ss_link_item_free (item);
    }
  while (work->unacked.head) {
    SsLinkItem *item = g_queue_pop_head_link (&work->unacked)->data;
    if (tell)
      ss_link_fail (link, peer, item);
    else
      ss_link_item_free (item);
  }
}

void
ss_link_make_ready (SsLink *link, SsPeerWork *work)
{
  if (ss_link_is_dead (work->peer)
      || !ss_seal_is_set (&work->peer->session.seal))
    return;
  for (unsigned i = 0; i < SS_N_CLASSES; i++) {
    bool wanted = work->queues[i].length > 0;
    if (i == SS_CLASS_CONTROL)
      wanted |= work->n_acks > 0 || work->want_confirm;
    if (!wanted || (work->is_ready & 1 << i))
      continue;
    work->is_ready |= (uint8_t) (1 << i);
    g_queue_push_tail_link (&link->ready[i], &work->ready[i]);
  }
}

void
ss_link_unready (SsLink *link, SsPeerWork *work, unsigned class)
{
  if ((work->is_ready & 1 << class) == 0)
    return;
  work->is_ready &= (uint8_t) ~(1 << class);
  g_queue_unlink (&link->ready[class], &work->ready[class]);
}

size_t
ss_link_n_queued (const SsPeerWork *work)
{
  size_t len = 0;
  for (unsigned i = 0; i < SS_N_CLASSES; i++)
    for (const GList *node = work->queues[i].head; node; node = node->next)
      len += SS_FRAME_MAX + ss_link_item_len (node->data);
  return len;
}

bool
ss_link_has_items (const SsPeerWork *work)
{
  unsigned n = work->unacked.length;
  for (unsigned i = 0; i < SS_N_CLASSES; i++)
    n += work->queues[i].length;
  return n > 0;
}

void
ss_link_requeue_early (SsLink *link, SsPeerWork *work)
{
  GList *node = work->unacked.head;
  while (node) {
    SsLinkItem *item = node->data;
    node = node->next;
    if (!item->early)
      continue;
    item->early = false;
    g_queue_unlink (&work->unacked, &item->node);
    insert_by_sequence (&work->queues[item->class], item);
    link->backlog[item->class] += ss_link_item_len (item);
  }
}

/* The way may have been found longer since it was sent. */
static SsLinkItem *
first_late (const SsLinkPeer *peer, SsTime now)
{
  SsTime rto = ss_link_peer_rto (peer);
  for (const GList *node = peer->work->unacked.head; node; node = node->next) {
    SsLinkItem *item = node->data;
    if (item->deadline > now)
      continue;
    item->deadline =
        MAX (item->deadline, ss_link_last_sending (&item->sendings) + rto);
    if (item->deadline <= now)
      return item;
  }
  return NULL;
}

void
ss_link_retransmit (SsLink *link, SsLinkPeer *peer)
{
  SsPeerWork *work = peer->work;
  SsTime now = link->env->now;
  SsLinkItem *item;
  bool is_silent = false;
  while (!ss_link_is_dead (peer) && (item = first_late (peer, now)) != NULL) {
    g_queue_unlink (&work->unacked, &item->node);
    item->early = false;
    /* Twice unanswered, and nothing else came: the peer may have lost the
     * session; or once, where nothing has come for long. */
    bool was_quiet = !ss_link_is_half_open (peer)
                     && item->sendings.first - peer->last_heard > QUIET_TIME;
    is_silent |= item->sendings.n >= (was_quiet ? 1 : 2)
                 && peer->last_heard < item->sendings.first;
    if (item->sendings.n >= item->tries_max || item->expires < now) {
      ss_link_call_back (work, item);
      ss_link_fail (link, peer, item);
      continue;
    }
    insert_by_sequence (&work->queues[item->class], item);
    link->backlog[item->class] += ss_link_item_len (item);
    ss_count (link->env, LINK_MESSAGES_RESENT);
    if (item->token != 0 && link->upcalls->late)
      link->upcalls->late (link->user, &peer->contact, item->protocol,
                           item->token, item->sendings.n);
  }
  if (ss_link_is_dead (peer))
    return;
  ss_link_make_ready (link, work);
  if (is_silent || !ss_seal_is_set (&peer->session.seal))
    ss_link_initiate (link, peer);
}
