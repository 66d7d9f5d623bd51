/* Bootstrap: from addresses to a ring. Each address is asked who it is (its
 * key is needed for the handshake), each contact that answers is handed to
 * the overlay to join through. While no ring is found the round is repeated,
 * more slowly each time; a node that may stand alone makes a ring of one
 * after the first round and goes on trying, so that rings merge. Addresses
 * that have never answered are asked in a ring, too: it may be one of some
 * that were cut off together from those who were named. */
#include "node/private.h"

#define BOOTSTRAP_FIRST_ROUND (3500 * SS_MSEC) /* ask timeout and a margin */
#define BOOTSTRAP_ROUND_MIN   (2 * SS_SEC)
#define BOOTSTRAP_ROUND_MAX   (60 * SS_SEC)

static void start_round (SsNode *node);
static SsBootstrapEntry *find_entry (SsBootstrap *bootstrap,
                                     const SsAddr *addr);
static void ask_silent (SsNode *node);
static void fail_round (SsNode *node);
static SsTime round_pause (const SsBootstrap *bootstrap);

void
ss_bootstrap_init (SsNode *node)
{
  ss_timer_init (&node->bootstrap.timer, SS_LAYER_NODE,
                 SS_NODE_TIMER_BOOTSTRAP);
}

void
ss_bootstrap_clear (SsNode *node)
{
  ss_timers_disarm (&node->env.timers, &node->bootstrap.timer);
  for (unsigned i = 0; i < node->bootstrap.n; i++)
    g_free (node->bootstrap.entries[i].contact);
  g_free (node->bootstrap.entries);
  g_free (node->bootstrap.reason);
}

void
ss_node_join (SsNode *node, SsTime now, const SsAddr *addrs, unsigned n_addrs,
              const SsContact *contacts, unsigned n_contacts)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  SsBootstrap *bootstrap = &node->bootstrap;

  for (unsigned i = 0; i < n_contacts; i++) {
    SsBootstrapEntry *entry = find_entry (bootstrap, &contacts[i].addr);
    if (entry == NULL)
      continue;
    g_free (entry->contact);
    entry->contact = g_memdup2 (&contacts[i], sizeof contacts[i]);
  }
  for (unsigned i = 0; i < n_addrs; i++)
    find_entry (bootstrap, &addrs[i]);
  bootstrap->round = 0;
  start_round (node);
}

void
ss_bootstrap_identified (SsNode *node, const SsAddr *addr,
                         const SsContact *contact, const char *text)
{
  SsBootstrap *bootstrap = &node->bootstrap;

  for (unsigned i = 0; i < bootstrap->n; i++) {
    SsBootstrapEntry *entry = &bootstrap->entries[i];
    if (!ss_addr_equal (&entry->addr, addr) || entry->answered)
      continue;
    bootstrap->n_answers++;
    if (contact == NULL) {
      g_free (bootstrap->reason);
      bootstrap->reason = g_strdup (text);
    } else {
      entry->answered = entry->has_answered = true;
      if (!ss_id_equal (&contact->id, &ss_link_self (node->link)->id))
        ss_pastry_join (node->pastry, contact, 1);
    }
    break;
  }
  /* Everybody has failed to answer: no need to wait for the timer. */
  if (bootstrap->n_answers >= bootstrap->n_asked && !ss_node_has_ring (node)) {
    bool any = false;
    for (unsigned i = 0; i < bootstrap->n; i++)
      any |= bootstrap->entries[i].answered
             || bootstrap->entries[i].contact != NULL;
    if (!any)
      fail_round (node);
  }
}

void
ss_bootstrap_timer (SsNode *node)
{
  SsBootstrap *bootstrap = &node->bootstrap;
  if (node->leave != SS_LEAVE_NO)
    return;
  /* Alone is not enough: somebody may have come up since. */
  if (node->state == SS_NODE_JOINED) {
    ask_silent (node);
    return;
  }
  if (!ss_node_has_ring (node) && !bootstrap->is_resting)
    fail_round (node);
  bootstrap->round++;
  start_round (node);
}

/* Not at once: a node that slept confirms its leaf set first. */
void
ss_bootstrap_ring_lost (SsNode *node)
{
  SsBootstrap *bootstrap = &node->bootstrap;

  bootstrap->is_resting = true;
  bootstrap->told_failed = false;
  bootstrap->round = 0;
  ss_timers_arm_earliest (&node->env.timers, &bootstrap->timer,
                          node->env.now + BOOTSTRAP_ROUND_MIN);
}

static void
start_round (SsNode *node)
{
  SsBootstrap *bootstrap = &node->bootstrap;

  bootstrap->is_resting = false;
  bootstrap->n_asked = bootstrap->n_answers = 0;
  if (bootstrap->n == 0) {
    fail_round (node);
    return;
  }
  for (unsigned i = 0; i < bootstrap->n; i++) {
    SsBootstrapEntry *entry = &bootstrap->entries[i];
    entry->answered = false;
    if (entry->contact != NULL) {
      ss_pastry_join (node->pastry, entry->contact, 1);
    } else {
      bootstrap->n_asked++;
      ss_link_ask (node->link, &entry->addr);
    }
  }
  ss_timers_arm (&node->env.timers, &bootstrap->timer,
                 node->env.now + round_pause (bootstrap));
  ss_node_set_state (node);
}

static void
ask_silent (SsNode *node)
{
  SsBootstrap *bootstrap = &node->bootstrap;

  bootstrap->n_asked = bootstrap->n_answers = 0;
  for (unsigned i = 0; i < bootstrap->n; i++) {
    SsBootstrapEntry *entry = &bootstrap->entries[i];
    if (entry->has_answered || entry->contact != NULL)
      continue;
    bootstrap->n_asked++;
    ss_link_ask (node->link, &entry->addr);
  }
  if (bootstrap->n_asked > 0)
    ss_timers_arm (&node->env.timers, &bootstrap->timer,
                   node->env.now + BOOTSTRAP_ROUND_MAX);
}

/* The entry of an address, made if there is room; NULL if there is none. */
static SsBootstrapEntry *
find_entry (SsBootstrap *bootstrap, const SsAddr *addr)
{
  for (unsigned i = 0; i < bootstrap->n; i++) {
    if (ss_addr_equal (&bootstrap->entries[i].addr, addr))
      return &bootstrap->entries[i];
  }
  if (bootstrap->n == SS_NODE_BOOTSTRAP_MAX)
    return NULL;
  bootstrap->entries =
      g_renew (SsBootstrapEntry, bootstrap->entries, bootstrap->n + 1);
  SsBootstrapEntry *entry = &bootstrap->entries[bootstrap->n++];
  *entry = (SsBootstrapEntry){ .addr = *addr };
  return entry;
}

/* Nobody has answered in this round. Said once; a ring of one is made if
 * that is allowed, and others could join it. */
static void
fail_round (SsNode *node)
{
  SsBootstrap *bootstrap = &node->bootstrap;

  if (!bootstrap->told_failed) {
    bootstrap->told_failed = true;
    SsEvent *event = ss_node_push_event (node, SS_EVENT_JOIN_FAILED);
    if (bootstrap->n == 0)
      event->text = g_strdup ("no other node is known");
    else
      event->text = g_strdup (bootstrap->reason != NULL ? bootstrap->reason
                                                        : "no answer");
  }
  if (node->may_stand_alone && !ss_node_has_ring (node)
      && ss_pastry_state (node->pastry) != SS_PASTRY_CLIENT)
    ss_pastry_create_ring (node->pastry);
  if (bootstrap->n > 0 && !ss_timer_is_armed (&bootstrap->timer))
    ss_timers_arm (&node->env.timers, &bootstrap->timer,
                   node->env.now + round_pause (bootstrap));
  ss_node_set_state (node);
}

static SsTime
round_pause (const SsBootstrap *bootstrap)
{
  if (bootstrap->round == 0)
    return BOOTSTRAP_FIRST_ROUND;
  SsTime pause = BOOTSTRAP_ROUND_MIN << MIN (bootstrap->round, 5);
  return MIN (pause, BOOTSTRAP_ROUND_MAX);
}
