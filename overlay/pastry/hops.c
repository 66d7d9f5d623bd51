/* The next hop (Pastry, section 2.3): the closest leaf if the key lies within
 * the leaf set; else the routing table's entry; else, in the rare case, anyone
 * who is closer. Nobody suspected, and nobody whom the message names as a
 * suspect. */
#include "overlay/pastry/internal.h"

#include <string.h>

static SsHop choose_leaf (const SsPastry *pastry, const SsRoute *route);
static void choose_relay (const SsPastry *pastry, const SsRoute *route,
                          SsHop *hop);
static bool choose_row (const SsPastry *pastry, const SsRoute *route,
                        SsHop *ret_hop);
static void take_better (const SsPastry *pastry, const SsRoute *route,
                         SsHop *best, const SsContact *offered);
static bool is_vain (const SsPastry *pastry, const SsRoute *route,
                     const SsContact *contact);
static bool is_avoided (const SsRoute *route, const SsId *id);

typedef struct {
  const SsPastry *pastry;
  const SsRoute *route;
} Choice;

static bool
may_use (const void *user, const SsContact *contact)
{
  const Choice *choice = user;
  return ss_route_may_use (choice->pastry, choice->route, contact);
}

SsHop
ss_route_choose (const SsPastry *pastry, const SsRoute *route)
{
  const SsId *key = &route->header.key;
  SsHop hop = { .what = SS_HOP_NONE };

  if (pastry->state == SS_PASTRY_CLIENT) {
    Choice choice = { pastry, route };
    if (ss_client_hop (pastry, key, may_use, &choice, &hop.node))
      hop.what = SS_HOP_NODE;
    return hop;
  }
  if (ss_leafset_covers (&pastry->leafset, key))
    return choose_leaf (pastry, route);
  if (ss_table_lookup (&pastry->table, key, &hop.node)
      && ss_route_may_use (pastry, route, &hop.node)) {
    hop.what = SS_HOP_NODE;
    return hop;
  }
  if (choose_row (pastry, route, &hop))
    return hop;
  return choose_leaf (pastry, route);
}

bool
ss_route_may_use (const SsPastry *pastry, const SsRoute *route,
                  const SsContact *contact)
{
  if (ss_pastry_is_self (pastry, &contact->id)
      || is_avoided (route, &contact->id)
      || ss_pastry_is_suspected (pastry, &contact->id))
    return false;
  return route->header.protocol != SS_PROTOCOL_OVERLAY
         || !is_vain (pastry, route, contact);
}

void
ss_route_avoid (SsRoute *route, const SsId *id)
{
  SsMsgRouted *header = &route->header;
  if (is_avoided (route, id))
    return;
  if (header->n_avoid == SS_PASTRY_AVOID_MAX) {
    if (header->flags & SS_ROUTED_PAST)
      return; /* it was not to go there at all */
    memmove (&header->avoid[0], &header->avoid[1],
             (SS_PASTRY_AVOID_MAX - 1) * sizeof header->avoid[0]);
    header->n_avoid--;
  }
  header->avoid[header->n_avoid++] = (uint32_t) (ss_pastry_prefix (id) >> 32);
}

/* The nearest to the key are kept, for these are the most likely hops. */
static void
avoid_nearest (const SsPastry *pastry, SsRoute *route, const SsId *id,
               SsId nearest[SS_PASTRY_AVOID_MAX], unsigned *n)
{
  const SsId *key = &route->header.key;
  if (!ss_id_closer (key, id, &pastry->leafset.self))
    return;
  unsigned at = *n < SS_PASTRY_AVOID_MAX ? (*n)++ : SS_PASTRY_AVOID_MAX;
  for (; at > 0 && ss_id_closer (key, id, &nearest[at - 1]); at--)
    if (at < SS_PASTRY_AVOID_MAX)
      nearest[at] = nearest[at - 1];
  if (at < SS_PASTRY_AVOID_MAX)
    nearest[at] = *id;
}

void
ss_route_avoid_suspects (const SsPastry *pastry, SsRoute *route)
{
  SsId nearest[SS_PASTRY_AVOID_MAX];
  unsigned n = 0;
  for (unsigned i = 0; pastry->suspects && i < pastry->suspects->len; i++) {
    const SsSuspect *suspect = &g_array_index (pastry->suspects, SsSuspect, i);
    if (suspect->suspected)
      avoid_nearest (pastry, route, &suspect->contact.id, nearest, &n);
  }
  SsTime now = ss_pastry_env (pastry)->now;
  for (unsigned i = 0; pastry->tombstones && i < pastry->tombstones->len; i++) {
    const SsTombstone *tombstone =
        &g_array_index (pastry->tombstones, SsTombstone, i);
    SsId id = ss_pastry_id_of_prefix (tombstone->prefix);
    if (tombstone->until > now)
      avoid_nearest (pastry, route, &id, nearest, &n);
  }
  while (n > 0)
    ss_route_avoid (route, &nearest[--n]);
}

unsigned
ss_pastry_local_lookup (SsPastry *pastry, const SsId *key,
                        SsContact *ret_contacts, unsigned max)
{
  SsRoute route = { .header.protocol = SS_PROTOCOL_STORE };
  route.header.key = *key;
  unsigned n = 0;
  while (n < max && n < SS_PASTRY_AVOID_MAX + 1) {
    SsHop hop = ss_route_choose (pastry, &route);
    if (hop.what != SS_HOP_NODE)
      break;
    ret_contacts[n++] = hop.node;
    if (n <= SS_PASTRY_AVOID_MAX)
      ss_route_avoid (&route, &hop.node.id);
  }
  return n;
}

/* The closest one lives, but is not reached from here: another who does, unless
 * that was tried before, or the message is to go past it. */
static void
choose_relay (const SsPastry *pastry, const SsRoute *route, SsHop *hop)
{
  SsContact via;
  bool is_past = (route->header.flags & SS_ROUTED_PAST) != 0
                 && is_avoided (route, &hop->blocker.id);
  if ((route->header.flags & SS_ROUTED_RELAYED) != 0 || is_past
      || !ss_vouch_via (pastry, &hop->blocker.id, &via)
      || !ss_route_may_use (pastry, route, &via)
      || ss_id_equal (&via.id, &route->previous.id))
    return;
  *hop = (SsHop){ .what = SS_HOP_NODE, .node = via, .is_relay = true };
}

/* The leaf closest to the key, or this node if none is closer. */
static SsHop
choose_leaf (const SsPastry *pastry, const SsRoute *route)
{
  const SsLeafset *leafset = &pastry->leafset;
  const SsId *key = &route->header.key;
  SsHop hop = { .what = SS_HOP_SELF };
  const SsContact *best = ss_pastry_self (pastry), *blocker = NULL;

  for (unsigned i = 0; i < leafset->n; i++) {
    const SsContact *leaf = &leafset->leaves[i];
    if (!ss_route_may_use (pastry, route, leaf)) {
      bool does_not_count = route->header.protocol == SS_PROTOCOL_OVERLAY
                            && is_vain (pastry, route, leaf);
      if (!does_not_count
          && (blocker == NULL || ss_id_closer (key, &leaf->id, &blocker->id)))
        blocker = leaf;
      continue;
    }
    if (ss_id_closer (key, &leaf->id, &best->id)) {
      best = leaf;
      hop.what = SS_HOP_NODE;
    }
  }
  hop.node = *best;
  if (blocker != NULL && ss_id_closer (key, &blocker->id, &best->id)) {
    hop.is_blocked = true;
    hop.blocker = *blocker;
    choose_relay (pastry, route, &hop);
  }
  return hop;
}

/* The rare case: nobody in the place for the key. Anyone known who shares as
 * long a prefix with it as this node does and is closer to it. */
static bool
choose_row (const SsPastry *pastry, const SsRoute *route, SsHop *ret_hop)
{
  const SsTable *table = &pastry->table;
  const SsLeafset *leafset = &pastry->leafset;
  unsigned row = ss_id_shared_digits (&leafset->self, &route->header.key);
  SsHop best = { .what = SS_HOP_NONE, .is_detour = true };

  for (; row < ss_table_n_rows (table); row++) {
    SsContact contacts[SS_TABLE_COLUMNS];
    unsigned n = ss_table_row (table, row, contacts);
    for (unsigned i = 0; i < n; i++)
      take_better (pastry, route, &best, &contacts[i]);
  }
  for (unsigned i = 0; i < leafset->n; i++)
    take_better (pastry, route, &best, &leafset->leaves[i]);
  if (best.what == SS_HOP_NONE)
    return false;
  *ret_hop = best;
  return true;
}

/* Of two the one with the longer prefix, then the closer one; `offered` only
 * if it brings the message on. */
static void
take_better (const SsPastry *pastry, const SsRoute *route, SsHop *best,
             const SsContact *offered)
{
  const SsId *key = &route->header.key, *self = &pastry->leafset.self;
  unsigned shared = ss_id_shared_digits (&offered->id, key);
  if (shared < ss_id_shared_digits (self, key)
      || !ss_id_closer (key, &offered->id, self)
      || !ss_route_may_use (pastry, route, offered))
    return;
  if (best->what == SS_HOP_NODE) {
    unsigned best_shared = ss_id_shared_digits (&best->node.id, key);
    if (shared < best_shared
        || (shared == best_shared
            && !ss_id_closer (key, &offered->id, &best->node.id)))
      return;
  }
  best->what = SS_HOP_NODE;
  best->node = *offered;
}

/* Can it answer an ENTER? Not the joiner itself, nor others that join. */
static bool
is_vain (const SsPastry *pastry, const SsRoute *route, const SsContact *contact)
{
  return ss_id_equal (&contact->id, &route->source.id)
         || ss_pastry_is_newcomer (pastry, &contact->id);
}

static bool
is_avoided (const SsRoute *route, const SsId *id)
{
  uint32_t prefix = (uint32_t) (ss_pastry_prefix (id) >> 32);
  for (unsigned i = 0; i < route->header.n_avoid; i++) {
    if (route->header.avoid[i] == prefix)
      return true;
  }
  return false;
}
