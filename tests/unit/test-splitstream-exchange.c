/* Nodes with children in several stripes exchange some: who asks, which terms
 * the other names, and what comes of the answer. */
#include "tests/harness/show.h"

enum { N_TERMS = 3 };

/* A stripe that is foreign to both. */
static unsigned
foreign (const StationNode *node, const SsContact *other, unsigned number)
{
  for (unsigned i = 0;; i++)
    if (ss_id_digit (&node->self.id, 0) != i && ss_id_digit (&other->id, 0) != i
        && number-- == 0)
      return i;
}

static void
answer (StationNode *node, const SsContact *member, unsigned in, unsigned out,
        unsigned n)
{
  const uint8_t terms[N_TERMS] = { (uint8_t) in, (uint8_t) out, (uint8_t) n };
  SsScribeAnswer answer = { .member = *member, .data = terms, .len = N_TERMS };
  station_node_wake (node);
  bool is_ours = ss_exchange_answered (node->splitstream,
                                       EXCHANGES + node->n_exchanges, &answer);
  g_assert_true (is_ours);
}

/* It asks when it has had several for a while, roots apart, less and less often
 * while nothing changes; and gives what was agreed on, if it is still so. */
static void
test_ask (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  const SsContact *other = &show->publisher->self;
  unsigned a = foreign (node, other, 0), b = foreign (node, other, 1),
           c = foreign (node, other, 2);
  node->n_children[a] = 9;
  node->n_children[c] = 9;
  node->roots = 1u << c;
  show_play (show, 5 * SS_SEC);
  g_assert_cmpuint (node->n_exchanges, ==, 0);
  node->n_children[b] = 3;
  show_play (show, SS_EXCHANGE_PATIENCE - 1 * SS_SEC);
  g_assert_cmpuint (node->n_exchanges, ==, 0);
  show_play (show, 3 * SS_SEC);
  g_assert_cmpuint (node->n_exchanges, ==, 1);
  answer (node, other, b, a, 2);
  g_assert_cmpuint (node->n_handed, ==, 2);
  g_assert_cmpuint (node->given_stripe, ==, b);
  node->n_children[b] = 1;
  node->n_children[a] = 11;
  show_play (show, 3 * SS_SEC);
  g_assert_cmpuint (node->n_exchanges, ==, 2);
  node->n_children[a] = 8; /* the terms are not what they were */
  answer (node, other, b, a, 1);
  g_assert_cmpuint (node->n_handed, ==, 2);
  for (unsigned i = 0; i < 120; i++) {
    uint32_t before = node->n_exchanges;
    show_play (show, SS_SEC);
    if (node->n_exchanges != before)
      ss_exchange_answered (node->splitstream, EXCHANGES + node->n_exchanges,
                            NULL);
  }
  g_assert_cmpuint (node->n_exchanges, >=, 5);
  g_assert_cmpuint (node->n_exchanges, <=, 10);
  show_free (show);
}

/* The terms that gain most; one exchange at a time; nobody of a stripe whose
 * own node it leaves for a foreign one. */
static void
test_asked (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  SsContact origin = show->publisher->self;
  unsigned a = foreign (node, &origin, 0), b = foreign (node, &origin, 1),
           own = ss_id_digit (&node->self.id, 0);
  uint8_t parts[SS_STRIPES] = { 0 }, terms[SS_ANYCAST_DATA_MAX];
  size_t len = 0;
  g_assert_cmpuint (ss_id_digit (&origin.id, 0), !=, own);
  node->n_children[a] = 9;
  node->n_children[b] = 7;
  g_assert_false (ss_exchange_asked (node->station, &origin, parts,
                                     sizeof parts, terms, &len));
  parts[a] = 4;
  parts[b] = 12;
  g_assert_false (ss_exchange_asked (node->station, &origin, parts,
                                     sizeof parts - 1, terms, &len));
  g_assert_true (ss_exchange_asked (node->station, &origin, parts, sizeof parts,
                                    terms, &len));
  g_assert_cmpuint (len, ==, N_TERMS);
  g_assert_cmpuint (terms[0], ==, a);
  g_assert_cmpuint (terms[1], ==, b);
  g_assert_cmpuint (terms[2], ==, 4);
  g_assert_cmpuint (node->offered[0], ==, a);
  g_assert_cmpuint (node->offered[1], ==, b);
  g_assert_cmpuint (node->n_offered, ==, 4);
  g_assert_false (ss_exchange_asked (node->station, &origin, parts,
                                     sizeof parts, terms, &len));
  show_play (show, 2 * SS_EXCHANGE_TIME);
  node->n_children[b] = 0;
  node->n_children[own] = 7;
  parts[b] = 0;
  g_assert_false (ss_exchange_asked (node->station, &origin, parts,
                                     sizeof parts, terms, &len));
  show_free (show);
}

/* The group of those that exchange carries no packets, whoever has signed
 * them: its index is that of no stripe. */
static void
test_no_stripe (void)
{
  StationNode *node;
  Show *show = show_with_one (&node);
  SsStripe *stripe = ss_exchange_stripe (node->station);
  uint8_t shard[100] = { 0 };
  SsMsgMediaParity message = {
    .session = node->station->session,
    .n_data = SS_STRIPES - 1,
    .parity = 1,
    .shard = { shard, sizeof shard },
  };
  SsPacketDraft draft = { .draft = ss_packet_draft_parity (&message),
                          .stripe = stripe->index,
                          .sequence = 1 };
  ss_packet_sign (&show->signer, &draft, 1, 1);
  station_node_wake (node);
  g_assert_cmpint (
      ss_station_packet (stripe, 1, draft.draft, SS_REORDER_REPAIR), ==,
      SS_PACKET_REJECTED);
  g_bytes_unref (draft.draft);
  show_free (show);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/splitstream/exchange/ask", test_ask);
  g_test_add_func ("/splitstream/exchange/asked", test_asked);
  g_test_add_func ("/splitstream/exchange/no-stripe", test_no_stripe);
  return g_test_run ();
}
