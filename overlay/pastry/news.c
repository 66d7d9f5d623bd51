/* Holes in routing tables, and who fills them.
 *
 * Whoever has a place filled that was empty passes the news on to those who
 * share more digits with it than the newcomer does, for they have the same
 * hole: each to the members of the rows below, who each see to the rows below
 * theirs. So a newcomer that is the first of its prefix becomes known to all
 * who lack one (Pastry, section 2.4, where it tells all in its tables), by
 * one message each; all others are told nothing.
 *
 * And who is sent a message that another could have sent further, had he had
 * somebody in the place for its key, tells him whom (lazy repair: Pastry,
 * section 2.4; here nobody has to ask).
 *
 * News are hearsay: they are believed, and passed on, when the newcomer has
 * answered. */
#include "overlay/pastry/internal.h"

#define NEWS_MAX 16

typedef struct {
  SsId id;
  SsTime since;
  uint8_t level;
} SsNews;

static void pass_on (SsPastry *pastry, const SsContact *newcomer,
                     unsigned level);
static void tell (SsPastry *pastry, const SsContact *to,
                  const SsContact *newcomer, unsigned level);

void
ss_news_told (SsPastry *pastry, const SsMsgNews *message)
{
  SsContact contact = ss_contact_from_record (&message->peer);
  unsigned row, column;
  SsTime now = ss_pastry_env (pastry)->now;
  if (pastry->state != SS_PASTRY_ACTIVE || ss_contact_is_client (&contact)
      || ss_pastry_is_dead (pastry, &contact.id)
      || !ss_table_place (&pastry->table, &contact.id, &row, &column)
      || ss_table_has (&pastry->table, row, column))
    return;
  if (pastry->news == NULL)
    pastry->news = g_array_new (FALSE, FALSE, sizeof (SsNews));
  for (unsigned i = 0; i < pastry->news->len;) {
    const SsNews *news = &g_array_index (pastry->news, SsNews, i);
    if (now - news->since > SS_LINK_ASK_TIMEOUT)
      g_array_remove_index (pastry->news, i);
    else if (ss_id_equal (&news->id, &contact.id))
      return;
    else
      i++;
  }
  if (pastry->news->len == NEWS_MAX
      || !ss_link_ping (pastry->link, &contact, true))
    return;
  SsNews news = { contact.id, now, message->level };
  g_array_append_val (pastry->news, news);
}

void
ss_news_filled (SsPastry *pastry, const SsContact *contact)
{
  unsigned row, column;
  if (!ss_table_place (&pastry->table, &contact->id, &row, &column))
    return;
  unsigned level = row + 1;
  for (unsigned i = 0; pastry->news != NULL && i < pastry->news->len; i++) {
    const SsNews *news = &g_array_index (pastry->news, SsNews, i);
    if (!ss_id_equal (&news->id, &contact->id))
      continue;
    level = news->level;
    g_array_remove_index (pastry->news, i);
    if (pastry->news->len == 0)
      g_clear_pointer (&pastry->news, g_array_unref);
    break;
  }
  pass_on (pastry, contact, level);
}

void
ss_news_passing (SsPastry *pastry, const SsRoute *route, const SsContact *next)
{
  const SsId *key = &route->header.key;
  unsigned shared = ss_id_shared_digits (&route->previous.id, key);
  if (pastry->state != SS_PASTRY_ACTIVE
      || route->header.protocol == SS_PROTOCOL_OVERLAY
      || ss_pastry_is_self (pastry, &route->previous.id)
      || ss_contact_is_client (&route->previous)
      || ss_id_shared_digits (&pastry->leafset.self, key) > shared
      || ss_id_shared_digits (&next->id, key) <= shared)
    return;
  tell (pastry, &route->previous, next, SS_ID_DIGITS);
}

/* Leaves of this node that are in its table are told like all others: the
 * newcomer need not be theirs. */
static void
pass_on (SsPastry *pastry, const SsContact *newcomer, unsigned level)
{
  for (unsigned row = level; row < ss_table_n_rows (&pastry->table); row++) {
    SsContact entries[SS_TABLE_COLUMNS];
    unsigned n = ss_table_row (&pastry->table, row, entries);
    for (unsigned i = 0; i < n; i++) {
      if (!ss_id_equal (&entries[i].id, &newcomer->id)
          && !ss_pastry_is_suspected (pastry, &entries[i].id))
        tell (pastry, &entries[i], newcomer, row + 1);
    }
  }
}

static void
tell (SsPastry *pastry, const SsContact *to, const SsContact *newcomer,
      unsigned level)
{
  uint8_t buf[SS_MSG_NEWS_MAX];
  SsMsgNews message = {
    .level = (uint8_t) level,
    .peer = ss_pastry_record (newcomer),
  };
  size_t len = ss_msg_news_encode (&message, buf, sizeof buf);
  ss_pastry_send (pastry, to, 0, 0, buf, len);
}
