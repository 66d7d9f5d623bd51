/* Is this node reachable by who has not heard from it? A peer is asked to
 * have others, to whom nothing was sent, send a probe to where it sees this
 * node. One that comes, or anything else that comes unasked, proves that it
 * is. If several do not, in several rounds, it is not.
 *
 * A joining node's leaf-set probes wait for the answer where it is open,
 * because whoever is probed takes it for a leaf. It mostly is not: the node
 * that an ENTER ends at answers unasked. */
#include "overlay/pastry/internal.h"

static void ask (SsReach *reach);
static void check_void (SsReach *reach);
static void wait (SsReach *reach, const SsContact *asked);
static void resume (SsPastry *pastry, const SsContact *asked, uint32_t nonce);
static void help_out (SsPastry *pastry, const SsContact *asker, uint32_t nonce,
                      const SsContact *helpers, unsigned n);
static void note_unhelped (SsPastry *pastry, const SsContact *asker,
                           uint32_t nonce);
static void decide (SsPastry *pastry, SsReachability verdict);
static SsTime pause_after (const SsPastry *pastry);
static void release_held (SsPastry *pastry, GArray *held);
static bool is_elsewhere (const SsPastry *pastry, const SsAddr *observed);
static bool is_in_scope (const SsAddr *addr, const SsContact *helper);

bool
ss_contact_is_client (const SsContact *contact)
{
  return (contact->flags & SS_PEER_REACHABLE) == 0;
}

void
ss_reach_begin (SsPastry *pastry)
{
  if (!pastry->check_reach || pastry->reach != NULL)
    return;
  SsReach *reach = pastry->reach = g_new0 (SsReach, 1);
  reach->pastry = pastry;
  if (pastry->is_maybe_closed
      && ss_pastry_env (pastry)->now - pastry->doubted_at < SS_REACH_DOUBT_TIME)
    reach->first_helper = pastry->doubted_by;
  ss_timer_init (&reach->timer, SS_LAYER_OVERLAY, SS_PASTRY_TIMER_REACH);
  ss_link_watch (pastry->link, true);
}

void
ss_reach_end (SsPastry *pastry)
{
  SsReach *reach = g_steal_pointer (&pastry->reach);
  if (reach == NULL)
    return;
  ss_timers_disarm (&ss_pastry_env (pastry)->timers, &reach->timer);
  if (reach->held != NULL)
    g_array_unref (reach->held);
  g_free (reach);
}

void
ss_reach_contact (SsPastry *pastry, const SsContact *contact)
{
  SsReach *reach = pastry->reach;
  if (reach == NULL || ss_contact_is_client (contact)
      || (reach->is_asked && (reach->is_answered || reach->rounds > 0)))
    return;
  reach->contact = *contact; /* or else when it is asked again */
  if (!reach->is_asked)
    ask (reach);
}

bool
ss_reach_is_open (const SsPastry *pastry)
{
  return pastry->reach != NULL && pastry->state == SS_PASTRY_JOINING
         && pastry->reachability != SS_REACHABLE;
}

bool
ss_reach_hold (SsPastry *pastry, const SsContact *peer, unsigned reach,
               unsigned flags)
{
  SsReach *check = pastry->reach;
  if (!ss_reach_is_open (pastry))
    return false;
  if (check->held == NULL)
    check->held = g_array_new (FALSE, FALSE, sizeof (SsReachHeld));
  SsReachHeld held = {
    .peer = *peer,
    .reach = (uint8_t) reach,
    .flags = (uint8_t) flags,
  };
  if (check->held->len < SS_REACH_HELD_MAX)
    g_array_append_val (check->held, held);
  ss_reach_contact (pastry, peer);
  return true;
}

/* Looks again now and then, through any peer. */
void
ss_reach_tick (SsPastry *pastry)
{
  SsTime now = ss_pastry_env (pastry)->now;
  if (!pastry->check_reach || pastry->reach != NULL || now < pastry->reach_at)
    return;
  SsContact peer;
  if (pastry->state == SS_PASTRY_CLIENT) {
    if (!ss_client_hop (pastry, &pastry->leafset.self, NULL, NULL, &peer))
      return;
  } else if (ss_reach_choose (pastry, NULL, NULL, 0, &peer, 1) == 0) {
    return;
  }
  ss_reach_begin (pastry);
  ss_reach_contact (pastry, &peer);
}

void
ss_pastry_link_arrived (SsPastry *pastry, const SsAddr *from, bool unasked)
{
  ss_pastry_wake (pastry);
  SsReach *reach = pastry->reach;
  if (unasked) {
    decide (pastry, SS_REACHABLE);
  } else if (reach != NULL) {
    reach->misses--;
    check_void (reach);
  }
}

void
ss_pastry_link_address_changed (SsPastry *pastry)
{
  if (pastry->reachability == SS_REACHABLE)
    pastry->reachability = SS_REACH_UNKNOWN;
  pastry->is_maybe_closed = false; /* that was said of the other one */
  pastry->reach_at = ss_pastry_env (pastry)->now + SS_REACH_AGAIN_SOON;
}

void
ss_pastry_set_local (SsPastry *pastry, const SsAddr *addrs, unsigned n)
{
  if (n == 0)
    return;
  if (pastry->local == NULL)
    pastry->local = g_array_new (FALSE, FALSE, sizeof (SsAddr));
  g_array_set_size (pastry->local, 0);
  g_array_append_vals (pastry->local, addrs, MIN (n, SS_PASTRY_LOCAL_MAX));
}

/* None of those who were to send a probe can tell anything: there is nobody,
 * or they have been sent something. Others are asked for, once; then there is
 * nothing to wait for. */
static void
check_void (SsReach *reach)
{
  SsPastry *pastry = reach->pastry;
  if (!reach->is_answered || reach->misses > 0)
    return;
  if (reach->n_helpers > 0 && reach->tries < SS_REACH_ROUNDS - 1)
    ask (reach);
  else if (reach->n_helpers == 0 && pastry->reachability == SS_REACH_UNKNOWN
           && is_elsewhere (pastry, &reach->observed))
    decide (pastry, SS_UNREACHABLE);
  else
    decide (pastry, SS_REACH_UNKNOWN);
}

/* A round is over and nothing has come. */
void
ss_reach_timer (SsReach *reach)
{
  SsPastry *pastry = reach->pastry;
  if (reach->is_answered)
    reach->rounds++;
  if (reach->misses >= SS_REACH_MISSES && reach->rounds > 1)
    decide (pastry, SS_UNREACHABLE);
  else if (reach->rounds >= SS_REACH_ROUNDS
           && reach->misses >= SS_REACH_MISSES_MIN
           && (reach->are_several || is_elsewhere (pastry, &reach->observed)))
    decide (pastry, SS_UNREACHABLE);
  else if (reach->rounds >= SS_REACH_ROUNDS || reach->tries >= SS_REACH_TRIES)
    decide (pastry, SS_REACH_UNKNOWN);
  else
    ask (reach);
}

bool
ss_reach_may_help (SsPastry *pastry)
{
  SsTime second = ss_pastry_env (pastry)->now / SS_SEC;
  if (second != pastry->help_second)
    pastry->helps = 0;
  pastry->help_second = second;
  if (pastry->helps == SS_REACH_HELPS)
    return false;
  pastry->helps++;
  return true;
}

void
ss_reach_asked (SsPastry *pastry, const SsContact *from,
                const SsMsgReachAsk *message)
{
  if (pastry->state != SS_PASTRY_ACTIVE || !ss_reach_may_help (pastry))
    return;
  SsContact helpers[SS_REACH_HELPERS_MAX];
  unsigned n = MIN (message->n, SS_REACH_HELPERS_MAX);
  n = ss_reach_choose (pastry, from, message->known, message->n_known, helpers,
                       n);
  if (n == 0)
    note_unhelped (pastry, from, message->nonce);
  help_out (pastry, from, message->nonce, helpers, n);
}

void
ss_reach_newcomer (SsPastry *pastry, const SsContact *peer)
{
  for (unsigned i = 0; pastry->unhelped != NULL && i < pastry->unhelped->len;) {
    SsUnhelped *unhelped = &g_array_index (pastry->unhelped, SsUnhelped, i);
    bool may_help = !ss_id_equal (&unhelped->asker.id, &peer->id)
                    && is_in_scope (&unhelped->asker.addr, peer);
    SsUnhelped copy = *unhelped;
    if (may_help && ++unhelped->helped == SS_REACH_NEWCOMERS)
      g_array_remove_index (pastry->unhelped, i);
    else
      i++;
    if (may_help)
      help_out (pastry, &copy.asker, copy.nonce, peer, 1);
  }
  if (pastry->unhelped != NULL && pastry->unhelped->len == 0)
    g_clear_pointer (&pastry->unhelped, g_array_unref);
}

void
ss_reach_help (SsPastry *pastry, const SsMsgReachHelp *message)
{
  if (pastry->state == SS_PASTRY_CLIENT || !ss_reach_may_help (pastry))
    return;
  ss_link_probe (pastry->link, &message->addr);
}

/* One alone proves nothing, however often it tries: the way from it may be
 * cut. */
static void
note_helpers (SsReach *reach, const SsMsgReachTold *message)
{
  for (unsigned i = 0; i < message->n_helpers; i++) {
    SsContact helper = ss_contact_from_record (&message->helpers[i]);
    uint32_t prefix = (uint32_t) (ss_pastry_prefix (&helper.id) >> 32);
    if (reach->first_helper == 0)
      reach->first_helper = prefix;
    reach->are_several |= prefix != reach->first_helper;
  }
}

void
ss_reach_told (SsPastry *pastry, const SsContact *from,
               const SsMsgReachTold *message)
{
  if (pastry->reach == NULL && pastry->reach_nonce != 0
      && message->nonce == pastry->reach_nonce && message->n_helpers > 0)
    resume (pastry, from, message->nonce);
  SsReach *reach = pastry->reach;
  if (reach == NULL || !reach->is_asked || reach->nonce != message->nonce
      || reach->is_answered)
    return;
  reach->is_answered = true;
  reach->misses += message->n_helpers;
  reach->n_helpers = (uint8_t) message->n_helpers;
  reach->observed = message->observed;
  note_helpers (reach, message);
  /* The other one asked next: one alone must not decide. */
  if (message->n_helpers >= 2) {
    reach->helper = ss_contact_from_record (&message->helpers[0]);
    reach->has_helper = true;
  }
  check_void (reach);
}

unsigned
ss_reach_choose (SsPastry *pastry, const SsContact *but, const uint32_t *known,
                 unsigned n_known, SsContact *ret_contacts, unsigned max)
{
  unsigned n_leaves = pastry->leafset.n;
  unsigned total = n_leaves + ss_table_n_entries (&pastry->table);
  unsigned n = 0;
  if (total == 0)
    return 0;
  unsigned start =
      (unsigned) ss_rng_below (&ss_pastry_env (pastry)->rng, total);
  for (unsigned k = 0; k < total && n < max; k++) {
    unsigned place = (start + k) % total;
    SsContact contact = place < n_leaves
                            ? pastry->leafset.leaves[place]
                            : ss_table_nth (&pastry->table, place - n_leaves);
    uint32_t prefix = (uint32_t) (ss_pastry_prefix (&contact.id) >> 32);
    bool usable = !ss_contact_is_client (&contact)
                  && !ss_pastry_is_suspected (pastry, &contact.id)
                  && (but == NULL
                      || (!ss_id_equal (&but->id, &contact.id)
                          && is_in_scope (&but->addr, &contact)));
    for (unsigned i = 0; i < n_known && usable; i++)
      usable = known[i] != prefix;
    for (unsigned i = 0; i < n && usable; i++)
      usable = !ss_id_equal (&ret_contacts[i].id, &contact.id);
    if (usable)
      ret_contacts[n++] = contact;
  }
  return n;
}

static void
ask (SsReach *reach)
{
  SsPastry *pastry = reach->pastry;
  SsEnv *env = ss_pastry_env (pastry);
  SsContact to = reach->contact;
  if (reach->rounds >= 2 && reach->has_helper) {
    to = reach->helper;
    reach->has_helper = false;
  }
  SsMsgReachAsk message = {
    .nonce = ss_rng_u32 (&env->rng),
    .n = reach->tries == 0 ? 1 : SS_REACH_HELPERS_MAX,
  };
  SsId known[SS_REACH_KNOWN_MAX];
  unsigned n = ss_link_peers (pastry->link, known, SS_REACH_KNOWN_MAX);
  for (unsigned i = 0; i < n; i++)
    message.known[message.n_known++] =
        (uint32_t) (ss_pastry_prefix (&known[i]) >> 32);
  reach->nonce = pastry->reach_nonce = message.nonce;
  reach->is_asked = true;
  reach->is_answered = false;
  reach->tries++;
  uint8_t buf[SS_MSG_REACH_ASK_MAX];
  size_t len = ss_msg_reach_ask_encode (&message, buf, sizeof buf);
  ss_pastry_send (pastry, &to, ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER),
                  3, buf, len);
  wait (reach, &to);
}

static void
wait (SsReach *reach, const SsContact *asked)
{
  SsPastry *pastry = reach->pastry;
  SsEnv *env = ss_pastry_env (pastry);
  ss_timers_arm (&env->timers, &reach->timer,
                 env->now + SS_REACH_WAIT
                     + 2 * ss_link_rto (pastry->link, &asked->id));
}

/* Who was asked in vain has found somebody. */
static void
resume (SsPastry *pastry, const SsContact *asked, uint32_t nonce)
{
  ss_reach_begin (pastry);
  SsReach *reach = pastry->reach;
  if (reach == NULL)
    return;
  reach->contact = *asked;
  reach->nonce = nonce;
  reach->is_asked = true;
  reach->tries = 1;
  reach->misses = pastry->reach_misses;
  wait (reach, asked);
}

/* Has each of these send the asker a probe, and tells it. */
static void
help_out (SsPastry *pastry, const SsContact *asker, uint32_t nonce,
          const SsContact *helpers, unsigned n)
{
  SsMsgReachTold told = { .nonce = nonce, .observed = asker->addr };
  SsMsgReachHelp help = { .addr = asker->addr };
  uint8_t buf[SS_MSG_REACH_TOLD_MAX];
  size_t len = ss_msg_reach_help_encode (&help, buf, sizeof buf);
  for (unsigned i = 0; i < n; i++) {
    if (ss_pastry_send (pastry, &helpers[i],
                        ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER), 2, buf,
                        len))
      told.helpers[told.n_helpers++] = ss_pastry_record (&helpers[i]);
  }
  len = ss_msg_reach_told_encode (&told, buf, sizeof buf);
  ss_pastry_send (pastry, asker,
                  ss_pastry_token (pastry, SS_PASTRY_TOKEN_OTHER), 3, buf, len);
}

static void
note_unhelped (SsPastry *pastry, const SsContact *asker, uint32_t nonce)
{
  if (pastry->unhelped == NULL)
    pastry->unhelped = g_array_new (FALSE, FALSE, sizeof (SsUnhelped));
  for (unsigned i = 0; i < pastry->unhelped->len; i++) {
    SsUnhelped *known = &g_array_index (pastry->unhelped, SsUnhelped, i);
    if (ss_id_equal (&known->asker.id, &asker->id)) {
      known->nonce = nonce;
      return;
    }
  }
  if (pastry->unhelped->len == SS_REACH_UNHELPED_MAX)
    g_array_remove_index (pastry->unhelped, 0);
  SsUnhelped entry = { .asker = *asker, .nonce = nonce };
  g_array_append_val (pastry->unhelped, entry);
}

static void
decide (SsPastry *pastry, SsReachability verdict)
{
  static const char *const names[] = { "not known", "yes", "no" };
  SsEnv *env = ss_pastry_env (pastry);
  SsReachability before = pastry->reachability;
  GArray *held = NULL;
  int n_missed = 0;
  uint32_t doubted_by = 0;
  if (pastry->reach != NULL) {
    n_missed = pastry->reach->misses;
    doubted_by = pastry->reach->first_helper;
    held = g_steal_pointer (&pastry->reach->held);
    pastry->reach_misses = (uint8_t) CLAMP (pastry->reach->misses, 0, 100);
  }
  if (verdict == SS_REACHABLE)
    pastry->reach_misses = 0;
  if (verdict != SS_REACH_UNKNOWN)
    pastry->reach_nonce = 0; /* what is told late changes nothing */
  ss_reach_end (pastry);
  /* It would leave the ring for that: probes and answers may just be lost. Nor
   * is it content where only one was there who could tell, and did not get
   * through: there may be more soon. */
  SsTime again = SS_REACH_AGAIN;
  bool is_doubtful =
      verdict == SS_UNREACHABLE || n_missed >= SS_REACH_MISSES_MIN;
  if (before == SS_REACHABLE && verdict != SS_REACHABLE && is_doubtful
      && !pastry->is_maybe_closed) {
    pastry->doubted_by = doubted_by;
    pastry->doubted_at = env->now;
    pastry->is_maybe_closed = true;
    verdict = SS_REACH_UNKNOWN;
    again = SS_REACH_AGAIN_SOON;
  } else if (verdict != SS_REACH_UNKNOWN) {
    pastry->is_maybe_closed = false;
  }
  pastry->is_surely_open =
      before == SS_REACHABLE
      && (verdict == SS_REACHABLE
          || (verdict == SS_REACH_UNKNOWN && pastry->is_surely_open));
  /* What could not be found out again stays as it was. */
  if (verdict == SS_REACH_UNKNOWN)
    verdict = before;
  pastry->reachability = verdict;
  pastry->reach_at = env->now + pause_after (pastry);
  if (pastry->is_maybe_closed)
    pastry->reach_at = env->now + again;
  if (verdict == SS_UNREACHABLE && before != verdict)
    pastry->reach_at = env->now + SS_REACH_CLOSED_SOON;
  /* Who is looked at again soon keeps in mind whom it has sent something. */
  ss_link_watch (pastry->link,
                 verdict != SS_REACHABLE || pastry->is_maybe_closed);
  if (verdict != before)
    ss_info (env, "overlay: reachable for everybody: %s", names[verdict]);
  if (verdict == SS_UNREACHABLE && pastry->state != SS_PASTRY_CLIENT)
    ss_client_begin (pastry);
  else if (verdict == SS_REACHABLE && pastry->state == SS_PASTRY_CLIENT)
    ss_client_end (pastry);
  ss_near_resume (pastry);
  release_held (pastry, held);
}

static SsTime
pause_after (const SsPastry *pastry)
{
  switch ((SsReachability) pastry->reachability) {
  case SS_REACHABLE:
    return pastry->is_surely_open ? SS_REACH_OPEN : SS_REACH_OPEN_SOON;
  case SS_UNREACHABLE:
    return SS_REACH_CLOSED;
  case SS_REACH_UNKNOWN:
  default:
    return SS_REACH_AGAIN;
  }
}

/* A client asks nobody for leaves: those kept are whom it may attach to. */
static void
release_held (SsPastry *pastry, GArray *held)
{
  for (unsigned i = 0; held != NULL && i < held->len; i++) {
    const SsReachHeld *entry = &g_array_index (held, SsReachHeld, i);
    if (pastry->state == SS_PASTRY_JOINING)
      ss_pastry_ask (pastry, &entry->peer, entry->reach, entry->flags);
  }
  if (held != NULL)
    g_array_unref (held);
}

/* A machine's own addresses mean nothing elsewhere. */
static bool
is_in_scope (const SsAddr *addr, const SsContact *helper)
{
  return ss_addr_is_loopback (addr) == ss_addr_is_loopback (&helper->addr);
}

/* Somebody translates the address. */
static bool
is_elsewhere (const SsPastry *pastry, const SsAddr *observed)
{
  if (pastry->local == NULL || pastry->local->len == 0
      || !ss_addr_is_set (observed) || ss_addr_is_loopback (observed))
    return false;
  for (unsigned i = 0; i < pastry->local->len; i++) {
    if (ss_addr_same_ip (&g_array_index (pastry->local, SsAddr, i), observed))
      return false;
  }
  return true;
}
