/* Who cannot be reached unasked, and is called through a relay. Built with
 * each sealer. */
#include "overlay/link/link.h"
#include "overlay/link/messages.h"
#include "tests/unit/link_net.h"

#define NAT_MEMORY (30 * SS_SEC)

enum { CLIENT, CALLER, RELAY, N_ENDPOINTS };

/* What is between the client and the others. */
typedef struct {
  LinkNet *net;
  SsTime sent[N_ENDPOINTS]; /* by the client to each, last; -1: never */
  bool loses_responses;     /* the caller's */
} Nat;

static bool
pass_nat (void *user, NetDatagram *datagram)
{
  Nat *nat = user;
  const LinkNet *net = nat->net;
  const SsAddr *inside = &net->endpoints[CLIENT].addr;
  for (unsigned i = CALLER; i < N_ENDPOINTS; i++) {
    const SsAddr *outside = &net->endpoints[i].addr;
    if (ss_addr_equal (&datagram->from, inside)
        && ss_addr_equal (&datagram->to, outside))
      nat->sent[i] = net->now;
    if (!ss_addr_equal (&datagram->from, outside)
        || !ss_addr_equal (&datagram->to, inside))
      continue;
    if (nat->sent[i] < 0 || net->now - nat->sent[i] > NAT_MEMORY)
      return false;
    if (i == CALLER && nat->loses_responses
        && datagram->data[0] == SS_MSG_LINK_RESPONSE)
      return false;
  }
  return true;
}

/* The second message goes on with the session that the first one made. */
static void
meet (LinkNet *net, unsigned other)
{
  for (unsigned i = 0; i < 2; i++) {
    SsLinkSend how = net_reliable (3, 1);
    net_send (net, CLIENT, other, &how, "hello");
    net_run (net, net->now + 1 * SS_SEC);
  }
}

static LinkNet *
make_net (uint64_t seed, Nat *nat)
{
  LinkNet *net = net_new (seed, N_ENDPOINTS);
  *nat = (Nat){ .net = net, .sent = { -1, -1, -1 } };
  net_stop (net, CLIENT);
  net->endpoints[CLIENT].config.flags = 0;
  net_start (net, CLIENT);
  net->filter = pass_nat;
  net->filter_user = nat;
  meet (net, RELAY);
  SsContact client = net_contact (net, CLIENT),
            relay = net_contact (net, RELAY);
  g_assert_true (ss_link_serve (net->endpoints[RELAY].link, &client.id, true));
  ss_link_set_relay (net->endpoints[CLIENT].link, &relay.addr);
  return net;
}

/* The client keeps in touch with its relay. */
static void
keep_in_touch (LinkNet *net, SsTime duration)
{
  for (SsTime end = net->now + duration; net->now < end;) {
    SsLinkSend how = net_reliable (3, 2);
    net_send (net, CLIENT, RELAY, &how, "still here");
    net_run (net, MIN (net->now + NAT_MEMORY / 2, end));
  }
}

/* As gossip knows the client: at its relay. */
static void
call (LinkNet *net, const char *text)
{
  SsContact client = net_contact (net, CLIENT),
            relay = net_contact (net, RELAY);
  SsLinkSend how = net_reliable (3, 3);
  client.addr = relay.addr;
  client.flags &= (uint8_t) ~SS_PEER_REACHABLE;
  g_assert_true (ss_link_send (net->endpoints[CALLER].link, &client, &how,
                               (const uint8_t *) text, strlen (text), NULL));
  net_drain (net, CALLER);
}

/* It comes, as the client's first message. */
static void
require_call (LinkNet *net, const char *text)
{
  const NetEndpoint *client = &net->endpoints[CLIENT];
  call (net, text);
  net_run (net, net->now + 3 * SS_SEC);
  g_assert_cmpuint (client->messages->len, ==, 1);
  g_assert_cmpstr (net_text (client, 0), ==, text);
}

static void
test_stranger (void)
{
  Nat nat;
  LinkNet *net = make_net (1, &nat);
  require_call (net, "you do not know me");
  net_free (net);
}

/* Whom it has only answered it has sent something all the same: what comes
 * from there then is no sign that anybody can reach it. */
static void
test_door (void)
{
  Nat nat;
  LinkNet *net = make_net (4, &nat);
  NetEndpoint *client = &net->endpoints[CLIENT];
  ss_link_watch (client->link, true);
  call (net, "open the door");
  net_run (net, net->now + 5 * net->delay / 2); /* before the session */
  g_assert_cmpuint (net_n_sent (net, CLIENT, SS_MSG_LINK_RESPONSE), ==, 1);
  ss_link_probe (net->endpoints[CALLER].link, &client->addr);
  net_drain (net, CALLER);
  net_run (net, net->now + 1 * SS_SEC);
  g_assert_cmpuint (client->n_arrived, >, 0);
  g_assert_cmpuint (client->n_unasked, ==, 0);
  net_free (net);
}

/* There was a session, which its NAT has forgotten. */
static void
test_forgotten (void)
{
  Nat nat;
  LinkNet *net = make_net (2, &nat);
  meet (net, CALLER);
  keep_in_touch (net, 60 * SS_SEC);
  require_call (net, "are you there?");
  net_free (net);
}

/* And it has initiated again meanwhile, and not gone on: what is owed to that
 * ends when its NAT forgets. */
static void
test_not_gone_on (void)
{
  Nat nat;
  LinkNet *net = make_net (3, &nat);
  meet (net, CALLER);
  keep_in_touch (net, 30 * SS_SEC);
  unsigned before = net_n_sent (net, CALLER, SS_MSG_LINK_RESPONSE);
  nat.loses_responses = true;
  ss_link_introduce (net->endpoints[CLIENT].link);
  net_drain (net, CLIENT);
  keep_in_touch (net, 60 * SS_SEC);
  nat.loses_responses = false;
  g_assert_cmpuint (net_n_sent (net, CALLER, SS_MSG_LINK_RESPONSE), >, before);
  g_assert_cmpint (net->now - nat.sent[CALLER], >, NAT_MEMORY);
  require_call (net, "are you there?");
  net_free (net);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/called/stranger", test_stranger);
  g_test_add_func ("/link/called/door", test_door);
  g_test_add_func ("/link/called/forgotten", test_forgotten);
  g_test_add_func ("/link/called/not-gone-on", test_not_gone_on);
  return g_test_run ();
}
