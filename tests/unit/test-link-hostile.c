/* The link against who replays, truncates, flips bits, floods, or lacks the
 * realm key; and its keys' replacement. With the real sealer only. */
#include <string.h>

#include "overlay/link/cookie.h"
#include "overlay/link/link.h"
#include "overlay/link/messages.h"
#include "overlay/link/sealer.h"
#include "tests/unit/link_net.h"

static const SsLinkSend plain = { .protocol = 3, .class = SS_CLASS_MEDIA };

/* Keeps a copy of everything that is sent. */
static bool
record (void *user, NetDatagram *datagram)
{
  g_ptr_array_add (user, g_memdup2 (datagram, sizeof *datagram));
  return true;
}

static uint64_t
n_dropped (const LinkNet *net, unsigned i)
{
  return net_counter (net, i, SS_COUNT_DATAGRAMS_MALFORMED)
         + net_counter (net, i, SS_COUNT_DATAGRAMS_UNAUTHENTIC)
         + net_counter (net, i, SS_COUNT_DATAGRAMS_REPLAYED)
         + net_counter (net, i, SS_COUNT_LINK_HANDSHAKES_REFUSED);
}

static void
exchange (LinkNet *net)
{
  SsLinkSend how = { .protocol = 3, .reliable = true, .token = 1 };
  net_send (net, 0, 1, &how, "one");
  net_run (net, net->now + 1 * SS_SEC);
  net_send (net, 1, 0, &plain, "two");
  net_run (net, net->now + 1 * SS_SEC);
}

static void
test_replay (void)
{
  LinkNet *net = net_new (1, 2);
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func (g_free);
  net->filter = record;
  net->filter_user = records;
  exchange (net);
  net->filter = NULL;
  unsigned n_records = records->len;
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < n_records; i++)
      net_deliver (net, g_ptr_array_index (records, i));
    net_run (net, net->now + 1 * SS_SEC);
  }
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, 1);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  g_assert_cmpuint (n_dropped (net, 0) + n_dropped (net, 1), ==, 3 * n_records);
  g_assert_cmpuint (net_n_sent (net, 1, SS_MSG_LINK_RESPONSE), ==, 1);
  /* Nobody was disturbed. */
  SsLinkSend how = { .protocol = 3, .reliable = true, .token = 2 };
  net_send (net, 0, 1, &how, "three");
  net_run (net, net->now + 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].acked->len, ==, 2);
  g_assert_cmpuint (net->endpoints[0].n_up, ==, 1);
  net_free (net);
}

/* An initiation that is replayed when its maker is long gone costs a half
 * open peer for a while, and nothing is ever sent to it beside the answer. */
static void
test_replayed_initiation (void)
{
  LinkNet *net = net_new (2, 2);
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func (g_free);
  net->filter = record;
  net->filter_user = records;
  exchange (net);
  net->filter = NULL;
  net_stop (net, 0);
  net_stop (net, 1);
  net_start (net, 1);
  unsigned before = net->sent->len;
  for (unsigned i = 0; i < records->len; i++)
    net_deliver (net, g_ptr_array_index (records, i));
  net_run (net, net->now + 60 * SS_SEC);
  g_assert_cmpuint (net->sent->len, ==, before + 1);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  g_assert_cmpuint (ss_link_n_peers (net->endpoints[1].link), ==, 0);
  net_run (net, net->now + 120 * SS_SEC);
  g_assert_cmpint (ss_timers_deadline (&net->endpoints[1].env.timers), ==,
                   SS_NEVER);
  net_free (net);
}

typedef struct {
  uint8_t code;   /* of the datagram to spoil */
  unsigned from;  /* by whom it is sent */
  unsigned place; /* bit, or length, to spoil at */
  bool truncate;
  bool done;
  size_t len;
  SsAddr sender;
} Spoil;

static bool
spoil (void *user, NetDatagram *datagram)
{
  Spoil *how = user;
  if (how->done || datagram->data[0] != how->code
      || !ss_addr_equal (&datagram->from, &how->sender))
    return true;
  how->done = true;
  how->len = datagram->len;
  if (how->truncate)
    datagram->len = MIN (how->place, datagram->len - 1);
  else if (how->place < 8 * datagram->len)
    datagram->data[how->place / 8] ^= (uint8_t) (1 << how->place % 8);
  return true;
}

/* Spoils one datagram of an exchange at every place: it is dropped, and what
 * is reliable comes through all the same. */
static void
check_spoiling (uint8_t code, unsigned from, bool truncate)
{
  size_t places = 1;
  for (unsigned place = 0; place < places; place++) {
    LinkNet *net = net_new (3, 2);
    Spoil how = {
      .code = code,
      /* One bit of each byte; all of the header's. */
      .place = truncate ? place : place * 8 + (place * 5) % 8,
      .truncate = truncate,
      .sender = net->endpoints[from].addr,
    };
    if (code == SS_MSG_LINK_DATA) {
      /* The message would come with the handshake. */
      net_send (net, 0, 1, &plain, "x");
      net_run (net, net->now + 1 * SS_SEC);
      g_array_set_size (net->endpoints[1].messages, 0);
    }
    net->filter = spoil;
    net->filter_user = &how;
    SsLinkSend send = {
      .protocol = 3, .reliable = true, .token = 1, .tries_max = 10
    };
    net_send (net, 0, 1, &send, "the message");
    net_run (net, 8 * SS_SEC);
    g_assert_true (how.done);
    places = how.len;
    /* The second MAC counts only under load. */
    if (truncate || code == SS_MSG_LINK_DATA || place + SS_MAC_LEN < places)
      g_assert_cmpuint (n_dropped (net, 1 - from), >=, 1);
    g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
    g_assert_cmpstr (net_text (&net->endpoints[1], 0), ==, "the message");
    g_assert_cmpuint (net->endpoints[0].acked->len, ==, 1);
    net_free (net);
  }
  g_assert_cmpuint (places, >, 29);
}

static void
test_flip_initiation (void)
{
  check_spoiling (SS_MSG_LINK_INITIATION, 0, false);
}

static void
test_flip_response (void)
{
  check_spoiling (SS_MSG_LINK_RESPONSE, 1, false);
}

static void
test_flip_data (void)
{
  check_spoiling (SS_MSG_LINK_DATA, 0, false);
  check_spoiling (SS_MSG_LINK_DATA, 1, false);
}

static void
test_truncate (void)
{
  check_spoiling (SS_MSG_LINK_INITIATION, 0, true);
  check_spoiling (SS_MSG_LINK_RESPONSE, 1, true);
  check_spoiling (SS_MSG_LINK_DATA, 0, true);
}

static void
test_wrong_realm (void)
{
  LinkNet *net = net_new (4, 2);
  net_stop (net, 1);
  net->endpoints[1].config.realm_key[5] = 1;
  net_start (net, 1);
  SsContact b = net_contact (net, 1);
  SsLinkSend how = { .protocol = 3, .reliable = true, .token = 1 };
  net_send (net, 0, 1, &how, "x");
  ss_link_ask (net->endpoints[0].link, &b.addr);
  net_run (net, 10 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 1);
  g_assert_cmpuint (net->endpoints[0].n_identified, ==, 1);
  g_assert_nonnull (net->endpoints[0].identified_text);
  for (unsigned i = 0; i < net->sent->len; i++)
    g_assert_cmpuint (g_array_index (net->sent, NetSent, i).from, ==, 0);
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_DATAGRAMS_UNAUTHENTIC), ==,
                    net->sent->len);
  net_free (net);
}

/* Who claims another's key has not its secret. */
static void
test_stolen_key (void)
{
  LinkNet *net = net_new (5, 3);
  SsContact b = net_contact (net, 1);
  b.addr = net->endpoints[2].addr;
  SsLinkSend how = { .protocol = 3, .reliable = true, .token = 1 };
  ss_link_send (net->endpoints[0].link, &b, &how, (const uint8_t *) "x", 1,
                NULL);
  net_run (net, 10 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 1);
  g_assert_cmpuint (net_n_sent (net, 2, SS_MSG_LINK_RESPONSE), ==, 0);
  net_free (net);
}

/* Nor may one speak under a key that is not that of one's handshake. */
static void
test_borrowed_key (void)
{
  for (unsigned borrowed = 0; borrowed < 2; borrowed++) {
    LinkNet *net = net_new (5, 3);
    SsContact b = net_contact (net, 1);
    SsContact claimed = net_contact (net, borrowed ? 2 : 0);
    SsMsgLinkHello hello = { .timestamp = 1, .key = claimed.key };
    uint8_t payload[SS_MSG_LINK_HELLO_MAX], key[32];
    uint8_t noise[sizeof payload + SS_SEALER_INITIATION_OVERHEAD];
    size_t len = ss_msg_link_hello_encode (&hello, payload, sizeof payload);
    const SsLinkConfig *config = &net->endpoints[0].config;
    SsSealer *sealer = ss_sealer_new (config->identity_seed, config->realm_key,
                                      SS_LINK_VERSION);
    SsSealerHandshake *handshake =
        ss_sealer_initiate (sealer, &b.key, &net->rng, payload, len, noise);
    g_assert_nonnull (handshake);
    SsMsgLinkInitiation message = {
      .sender = 1,
      .noise = { noise, (uint16_t) (len + SS_SEALER_INITIATION_OVERHEAD) },
    };
    NetDatagram datagram = { .from = net->endpoints[0].addr, .to = b.addr };
    datagram.len = ss_msg_link_initiation_encode (&message, datagram.data,
                                                  sizeof datagram.data);
    ss_mac_key (SS_MAC_FIRST, config->realm_key, &b.key, key);
    ss_mac (key, sizeof key, datagram.data, datagram.len - 2 * SS_MAC_LEN,
            datagram.data + datagram.len - 2 * SS_MAC_LEN);
    net_deliver (net, &datagram);
    g_assert_cmpuint (net_n_sent (net, 1, SS_MSG_LINK_RESPONSE), ==,
                      borrowed ? 0 : 1);
    g_assert_cmpuint (net_counter (net, 1, SS_COUNT_LINK_HANDSHAKES_REFUSED),
                      ==, borrowed ? 1 : 0);
    ss_sealer_handshake_free (handshake);
    ss_sealer_free (sealer);
    net_free (net);
  }
}

/* An identity that cost no work is refused. */
static void
test_no_work (void)
{
  LinkNet *net = net_new (6, 2);
  SsKey key;
  net_stop (net, 0);
  memset (net->endpoints[0].config.identity_seed, 7, 32);
  ss_link_key_of_seed (net->endpoints[0].config.identity_seed, &key);
  g_assert_false (ss_link_key_has_work (&key));
  net_start (net, 0);
  SsLinkSend how = { .protocol = 3, .reliable = true, .token = 1 };
  net_send (net, 0, 1, &how, "x");
  net_run (net, 10 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].failed->len, ==, 1);
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_LINK_HANDSHAKES_REFUSED), ==,
                    3);
  SsContact a = net_contact (net, 0);
  ss_link_ask (net->endpoints[1].link, &a.addr);
  net_run (net, 20 * SS_SEC);
  g_assert_nonnull (strstr (net->endpoints[1].identified_text, "work"));
  net_free (net);
}

/* Under a flood of initiations an honest newcomer gets in with a cookie, and
 * the flood gets no handshakes. */
static void
test_cookie (void)
{
  LinkNet *net = net_new (7, 3);
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func (g_free);
  net->filter = record;
  net->filter_user = records;
  net_send (net, 0, 1, &plain, "x");
  net_drain (net, 0);
  net->filter = NULL;
  NetDatagram flood = *(NetDatagram *) g_ptr_array_index (records, 0);
  for (unsigned i = 0; i < 3000; i++) {
    flood.from = ss_addr_v4 (0x05000000 + i, 5);
    net_deliver (net, &flood);
    if (i == 1500)
      net_send (net, 2, 1,
                &(SsLinkSend){ .protocol = 3, .reliable = true, .token = 1 },
                "let me in");
    net_run (net, net->now + 1 * SS_MSEC);
  }
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_LINK_COOKIES), >, 2000);
  g_assert_cmpuint (net_n_sent (net, 1, SS_MSG_LINK_RESPONSE), <, 210);
  net_run (net, net->now + 100 * SS_MSEC);
  g_assert_cmpuint (net->endpoints[2].acked->len, ==, 1);
  g_assert_cmpuint (net_n_sent (net, 2, SS_MSG_LINK_INITIATION), ==, 2);
  net_free (net);
}

/* What is shorter than any initiation is not answered, for its source may be
 * forged and a cookie is longer. */
static void
test_short_initiation (void)
{
  LinkNet *net = net_new (8, 2);
  static const uint8_t realm[32];
  SsContact b = net_contact (net, 1);
  SsMsgLinkInitiation message = { .sender = 1 };
  uint8_t key[32];
  NetDatagram flood = { .to = b.addr };
  flood.len =
      ss_msg_link_initiation_encode (&message, flood.data, sizeof flood.data);
  ss_mac_key (SS_MAC_FIRST, realm, &b.key, key);
  uint8_t *mac1 = flood.data + flood.len - 2 * SS_MAC_LEN;
  ss_mac (key, sizeof key, flood.data, flood.len - 2 * SS_MAC_LEN, mac1);
  for (unsigned i = 0; i < 1000; i++) {
    flood.from = ss_addr_v4 (0x05000000 + i, 5);
    net_deliver (net, &flood);
  }
  g_assert_cmpuint (net->sent->len, ==, 0);
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_DATAGRAMS_MALFORMED), ==,
                    1000);
  net_free (net);
}

/* A datagram of a session, its source forged to be port 0, takes the peer's
 * address away from nobody. */
static void
test_port_zero (void)
{
  LinkNet *net = net_new (9, 2);
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func (g_free);
  exchange (net);
  net->filter = record;
  net->filter_user = records;
  net_send (net, 0, 1, &plain, "three");
  net_drain (net, 0);
  net->filter = NULL;
  NetDatagram forged = *(NetDatagram *) g_ptr_array_index (records, 0);
  forged.from.port = 0;
  net_deliver (net, &forged);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  SsContact a = net_contact (net, 0);
  a.addr.port = 0;
  ss_link_send (net->endpoints[1].link, &a, &plain, (const uint8_t *) "x", 1,
                NULL);
  net_run (net, net->now + 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, 2);
  net_free (net);
}

/* Of one that cannot be reached unasked a relay's address may be learned, but
 * gossip of an open one does not draw his session's datagrams there. */
static void
test_hint_of_client (void)
{
  LinkNet *net = net_new (10, 2);
  net_stop (net, 0);
  net->endpoints[0].config.flags = 0;
  net_start (net, 0);
  exchange (net);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, 1);
  net_run (net, net->now + 30 * SS_SEC);
  SsContact a = net_contact (net, 0);
  a.addr = ss_addr_v4 (0x09090909, 9);
  ss_link_send (net->endpoints[1].link, &a, &plain, (const uint8_t *) "x", 1,
                NULL);
  net_run (net, net->now + 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, 2);
  net_free (net);
}

/* What an old initiation says of its maker counts for nothing, even where it
 * is answered because newer ones are forgotten. */
static void
test_stale_flags (void)
{
  LinkNet *net = net_new (11, 2);
  g_autoptr (GPtrArray) records = g_ptr_array_new_with_free_func (g_free);
  SsContact a = net_contact (net, 0), b = net_contact (net, 1);
  net->filter = record;
  net->filter_user = records;
  exchange (net);
  net->filter = NULL;
  ss_link_set_relay (net->endpoints[0].link, &b.addr);
  net_drain (net, 0);
  net_run (net, net->now + 10 * SS_SEC);
  ss_link_ask_address (net->endpoints[1].link, &a);
  net_drain (net, 1);
  net_run (net, net->now + 20 * SS_SEC);
  unsigned n_answers = net_n_sent (net, 1, SS_MSG_LINK_RESPONSE);
  net_deliver (net, g_ptr_array_index (records, 0));
  g_assert_cmpuint (net_n_sent (net, 1, SS_MSG_LINK_RESPONSE), ==,
                    n_answers + 1);
  net_send (net, 0, 1, &plain, "x");
  net_run (net, net->now + 1 * SS_SEC);
  const NetMessage *message =
      &g_array_index (net->endpoints[1].messages, NetMessage, 1);
  g_assert_cmpuint (message->flags & SS_PEER_REACHABLE, ==, 0);
  net_free (net);
}

/* A stranger's cookie reply is not believed. */
static void
test_cookie_binding (void)
{
  static const uint8_t realm[32] = { 1 }, other_realm[32] = { 2 };
  static const uint8_t nonce[SS_COOKIE_NONCE_LEN] = { 3 };
  static const uint8_t mac1[SS_MAC_LEN] = { 4 }, other_mac1[SS_MAC_LEN] = { 5 };
  SsKey key = { { 6 } }, other_key = { { 7 } };
  SsCookies cookies = { .is_set = false };
  SsRng rng;
  uint8_t cookie[SS_COOKIE_LEN], back[SS_COOKIE_LEN];
  uint8_t sealed[SS_COOKIE_SEALED_LEN];
  SsAddr a = ss_addr_v4 (1, 1), b = ss_addr_v4 (1, 2);
  ss_rng_init_number (&rng, 1);
  g_assert_true (ss_cookie_make (&cookies, &rng, 0, &a, 0, cookie));
  ss_cookie_seal (realm, &key, nonce, mac1, cookie, sealed);
  g_assert_true (ss_cookie_open (realm, &key, nonce, mac1, sealed, back));
  g_assert_cmpmem (cookie, sizeof cookie, back, sizeof back);
  g_assert_false (
      ss_cookie_open (other_realm, &key, nonce, mac1, sealed, back));
  g_assert_false (
      ss_cookie_open (realm, &other_key, nonce, mac1, sealed, back));
  g_assert_false (
      ss_cookie_open (realm, &key, nonce, other_mac1, sealed, back));

  /* It is of one address, and of one time and the one before. */
  g_assert_true (ss_cookie_make (&cookies, &rng, 0, &b, 0, back));
  g_assert_cmpint (memcmp (cookie, back, sizeof cookie), !=, 0);
  g_assert_false (ss_cookie_make (&cookies, &rng, 0, &a, 1, back));
  SsTime now = SS_COOKIE_LIFETIME;
  g_assert_true (ss_cookie_make (&cookies, &rng, now, &a, 0, back));
  g_assert_cmpint (memcmp (cookie, back, sizeof cookie), !=, 0);
  g_assert_true (ss_cookie_make (&cookies, &rng, now, &a, 1, back));
  g_assert_cmpmem (cookie, sizeof cookie, back, sizeof back);
  now += 3 * SS_COOKIE_LIFETIME;
  g_assert_false (ss_cookie_make (&cookies, &rng, now, &a, 1, back));
}

typedef struct {
  LinkNet *net;
  bool spoil_mac;
} Answerer;

static bool
answer_other_version (void *user, NetDatagram *datagram)
{
  const Answerer *answerer = user;
  LinkNet *net = answerer->net;
  SsMsgLinkAsk ask;
  if (!ss_msg_link_ask_decode (datagram->data, datagram->len, &ask))
    return true;
  SsMsgLinkAnswer answer = {
    .n_versions = 2,
    .versions = { 6, 7 },
    .observed = datagram->from,
  };
  static const uint8_t realm[32] = { 0 };
  uint8_t key[32];
  memcpy (answer.nonce, ask.nonce, sizeof answer.nonce);
  NetDatagram reply = { .from = datagram->to, .to = datagram->from };
  reply.len =
      ss_msg_link_answer_encode (&answer, reply.data, sizeof reply.data);
  ss_mac_key (SS_MAC_ASK, realm, NULL, key);
  ss_mac (key, sizeof key, reply.data, reply.len - SS_MAC_LEN,
          reply.data + reply.len - SS_MAC_LEN);
  if (answerer->spoil_mac)
    reply.data[reply.len - 1] ^= 1;
  net->filter = NULL;
  net_deliver (net, &reply);
  return false;
}

static void
test_other_version (void)
{
  LinkNet *net = net_new (8, 2);
  SsContact b = net_contact (net, 1);
  Answerer answerer = { .net = net };
  net->filter = answer_other_version;
  net->filter_user = &answerer;
  ss_link_ask (net->endpoints[0].link, &b.addr);
  net_run (net, 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].n_identified, ==, 1);
  g_assert_cmpstr (net->endpoints[0].identified_text, ==,
                   "peer speaks version 7, this node 1");

  /* Who has not the realm key is not believed; the question is repeated. */
  answerer.spoil_mac = true;
  net->filter = answer_other_version;
  ss_link_ask (net->endpoints[0].link, &b.addr);
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].n_identified, ==, 2);
  g_assert_null (net->endpoints[0].identified_text);
  net_free (net);
}

static bool
pretend_nearer (void *user, NetDatagram *datagram)
{
  SsMsgLinkMet met;
  if (!ss_msg_link_met_decode (datagram->data, datagram->len, &met))
    return true;
  static const uint8_t realm[32] = { 0 };
  uint8_t key[32];
  size_t len = datagram->len;
  met.stamp += 10 * SS_MSEC;
  ss_msg_link_met_encode (&met, datagram->data, len);
  ss_mac_key (SS_MAC_ASK, realm, NULL, key);
  ss_mac (key, sizeof key, datagram->data, len - SS_MAC_LEN,
          datagram->data + len - SS_MAC_LEN);
  return true;
}

/* A ping tells both how far they are, if the other wants to know; nobody can
 * make it less than it is. */
static void
test_ping (void)
{
  LinkNet *net = net_new (9, 2);
  NetEndpoint *a = &net->endpoints[0], *b = &net->endpoints[1];
  SsContact to = net_contact (net, 1);
  b->wanted = SS_NEVER;
  g_assert_true (ss_link_ping (a->link, &to, false));
  net_run (net, 1 * SS_SEC);
  g_assert_cmpuint (a->n_pinged, ==, 1);
  g_assert_cmpuint (b->n_met, ==, 0);

  g_assert_true (ss_link_ping (a->link, &to, true));
  net_run (net, 2 * SS_SEC);
  g_assert_cmpuint (a->n_pinged, ==, 2);
  g_assert_cmpuint (b->n_met, ==, 1);
  g_assert_cmpint (b->met, >=, 2 * net->delay);
  g_assert_true (ss_id_equal (&b->met_id, &ss_link_self (a->link)->id));
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_MET), ==, 1);

  /* Not that near: nothing more is sent. */
  b->wanted = 2 * net->delay;
  g_assert_true (ss_link_ping (a->link, &to, true));
  net_run (net, 3 * SS_SEC);
  g_assert_cmpuint (a->n_pinged, ==, 3);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_MET), ==, 1);

  b->wanted = SS_NEVER;
  net->filter = pretend_nearer;
  uint64_t before = net_counter (net, 1, SS_COUNT_DATAGRAMS_UNAUTHENTIC);
  g_assert_true (ss_link_ping (a->link, &to, true));
  net_run (net, 4 * SS_SEC);
  g_assert_cmpuint (a->n_pinged, ==, 4);
  g_assert_cmpuint (b->n_met, ==, 1);
  g_assert_cmpuint (net_counter (net, 1, SS_COUNT_DATAGRAMS_UNAUTHENTIC), ==,
                    before + 1);
  net_free (net);
}

/* Keys are replaced while traffic flows, and not a message is lost, also
 * when the handshakes' datagrams sometimes are. */
static void
check_rekey (uint64_t seed, double loss)
{
  LinkNet *net = net_new (seed, 2);
  SsContact a = net_contact (net, 0), b = net_contact (net, 1);
  net->jitter = 8 * SS_MSEC;
  net->loss = loss;
  unsigned n = 0;
  for (; n < 2 * 1000; n++) {
    SsLinkSend how = {
      .protocol = 3,
      .reliable = loss > 0,
      .token = n + 1,
      .tries_max = 50,
    };
    g_assert_true (net_send (net, n % 2, 1 - n % 2, &how, "tick"));
    net_run (net, net->now + 500 * SS_MSEC);
    if (n > 10 && loss == 0) {
      g_assert_true (ss_link_has_session (net->endpoints[0].link, &b.id));
      g_assert_true (ss_link_has_session (net->endpoints[1].link, &a.id));
    }
  }
  net->loss = 0;
  net_run (net, net->now + 30 * SS_SEC);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, n / 2);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, n / 2);
  unsigned n_handshakes = net_n_sent (net, 0, SS_MSG_LINK_INITIATION)
                          + net_n_sent (net, 1, SS_MSG_LINK_INITIATION);
  if (loss == 0) { /* after 120 to 130 s */
    g_assert_cmpuint (n_handshakes, >=, 1 + n * 500 / 130500);
    g_assert_cmpuint (n_handshakes, <=, 1 + n * 500 / 120000);
  }
  /* Rekeying is not news to those above. */
  g_assert_cmpuint (net->endpoints[0].n_up, ==, 1);
  g_assert_cmpuint (net->endpoints[1].n_up, ==, 1);
  net_free (net);
}

static void
test_rekey (void)
{
  check_rekey (9, 0);
  for (uint64_t seed = 10; seed < 14; seed++)
    check_rekey (seed, 0.2);
}

/* Who only receives renews the session as well, before it is spent. */
static void
test_rekey_one_way (void)
{
  for (unsigned sender = 0; sender < 2; sender++) {
    LinkNet *net = net_new (20, 2);
    net_send (net, 0, 1, &plain, "x");
    net_run (net, 1 * SS_SEC);
    unsigned before = net->endpoints[1 - sender].messages->len;
    for (unsigned i = 0; i < 1000; i++) {
      net_send (net, sender, 1 - sender, &plain, "x");
      net_run (net, net->now + 500 * SS_MSEC);
    }
    g_assert_cmpuint (net->endpoints[1 - sender].messages->len, ==,
                      before + 1000);
    net_free (net);
  }
}

static bool
drop_initiations (void *user, NetDatagram *datagram)
{
  const SsAddr *from = user;
  return datagram->data[0] != SS_MSG_LINK_INITIATION
         || !ss_addr_equal (&datagram->from, from);
}

/* If the initiator's attempts never arrive, the responder renews in time. */
static void
test_rekey_by_responder (void)
{
  LinkNet *net = net_new (20, 2);
  exchange (net);
  net->filter = drop_initiations;
  net->filter_user = &net->endpoints[0].addr;
  for (unsigned i = 0; i < 1000; i++) {
    net_send (net, 0, 1, &plain, "x");
    net_send (net, 1, 0, &plain, "x");
    net_run (net, net->now + 500 * SS_MSEC);
  }
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, 1001);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1001);
  net_free (net);
}

typedef struct {
  SsAddr from;
  bool answered; /* the handshake that replaces the keys */
  unsigned n;    /* still to be dropped */
} DropAfterAnswer;

static bool
drop_after_answer (void *user, NetDatagram *datagram)
{
  DropAfterAnswer *drop = user;
  drop->answered |= datagram->data[0] == SS_MSG_LINK_RESPONSE;
  if (!drop->answered || drop->n == 0
      || !ss_addr_equal (&datagram->from, &drop->from))
    return true;
  drop->n--;
  return false;
}

/* The initiator has new keys, but all that could say so is lost; it has
 * nothing more to say, and the responder goes on with the old ones. */
static void
test_rekey_unconfirmed (void)
{
  LinkNet *net = net_new (21, 2);
  DropAfterAnswer drop = { .from = net->endpoints[0].addr, .n = 3 };
  exchange (net);
  net_send (net, 0, 1, &plain, "x");
  net_run (net, net->now + 250 * SS_MSEC);
  net->filter = drop_after_answer;
  net->filter_user = &drop;
  unsigned before = net->endpoints[0].messages->len;
  for (unsigned i = 0; i < 600; i++) {
    net_send (net, 1, 0, &plain, "x");
    net_run (net, net->now + 250 * SS_MSEC);
  }
  g_assert_true (drop.answered);
  g_assert_cmpuint (drop.n, ==, 0);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, before + 600);
  g_assert_cmpuint (net_n_sent (net, 0, SS_MSG_LINK_INITIATION), ==, 2);
  net_free (net);
}

/* A quiet session is spent after a while; the next message makes another. */
static void
test_spent (void)
{
  LinkNet *net = net_new (21, 2);
  SsContact b = net_contact (net, 1);
  net_send (net, 0, 1, &plain, "x");
  net_run (net, 200 * SS_SEC);
  g_assert_false (ss_link_has_session (net->endpoints[0].link, &b.id));
  net_send (net, 0, 1, &plain, "y");
  net_send (net, 1, 0, &plain, "z");
  net_run (net, 205 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 2);
  g_assert_cmpuint (net->endpoints[0].messages->len, ==, 1);
  net_free (net);
}

/* Timestamps grow even if the clock goes back between two lives. */
static void
test_timestamp (void)
{
  LinkNet *net = net_new (22, 2);
  net_stop (net, 0);
  uint64_t future = (uint64_t) INT64_MAX / 2;
  net->endpoints[0].config.last_handshake_ns = future;
  net_start (net, 0);
  net_send (net, 0, 1, &plain, "x");
  net_run (net, 1 * SS_SEC);
  g_assert_cmpuint (ss_link_last_handshake_ns (net->endpoints[0].link), ==,
                    future + 1);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  net_free (net);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/replay", test_replay);
  g_test_add_func ("/link/replayed-initiation", test_replayed_initiation);
  g_test_add_func ("/link/flip-initiation", test_flip_initiation);
  g_test_add_func ("/link/flip-response", test_flip_response);
  g_test_add_func ("/link/flip-data", test_flip_data);
  g_test_add_func ("/link/truncate", test_truncate);
  g_test_add_func ("/link/wrong-realm", test_wrong_realm);
  g_test_add_func ("/link/stolen-key", test_stolen_key);
  g_test_add_func ("/link/borrowed-key", test_borrowed_key);
  g_test_add_func ("/link/no-work", test_no_work);
  g_test_add_func ("/link/cookie", test_cookie);
  g_test_add_func ("/link/short-initiation", test_short_initiation);
  g_test_add_func ("/link/port-zero", test_port_zero);
  g_test_add_func ("/link/hint-of-client", test_hint_of_client);
  g_test_add_func ("/link/stale-flags", test_stale_flags);
  g_test_add_func ("/link/cookie-binding", test_cookie_binding);
  g_test_add_func ("/link/other-version", test_other_version);
  g_test_add_func ("/link/ping", test_ping);
  g_test_add_func ("/link/rekey", test_rekey);
  g_test_add_func ("/link/rekey-one-way", test_rekey_one_way);
  g_test_add_func ("/link/rekey-by-responder", test_rekey_by_responder);
  g_test_add_func ("/link/rekey-unconfirmed", test_rekey_unconfirmed);
  g_test_add_func ("/link/spent", test_spent);
  g_test_add_func ("/link/timestamp", test_timestamp);
  return g_test_run ();
}
