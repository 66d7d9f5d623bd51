/* A network of links for tests: see link_net.h. */
#include "tests/unit/link_net.h"

#include <sodium.h>
#include <string.h>

#define STEPS_MAX 10000000

static void
on_message (void *user, const SsContact *from, uint8_t protocol,
            const uint8_t *data, size_t len)
{
  NetEndpoint *endpoint = user;
  NetMessage message = {
    .from = from->id,
    .flags = from->flags,
    .protocol = protocol,
    .data = g_bytes_new (data, len),
    .at = endpoint->env.now,
  };
  g_array_append_val (endpoint->messages, message);
  if (endpoint->echo && protocol == 1)
    ss_link_send (endpoint->link, from, &(SsLinkSend){ .protocol = 2 }, data,
                  len, NULL);
}

static void
on_acked (void *user, const SsContact *to, uint8_t protocol, uint64_t token)
{
  NetEndpoint *endpoint = user;
  g_array_append_val (endpoint->acked, token);
}

static void
on_late (void *user, const SsContact *to, uint8_t protocol, uint64_t token,
         unsigned tries)
{
  NetEndpoint *endpoint = user;
  g_array_append_val (endpoint->late, token);
  if (endpoint->cancel_when_late == token)
    ss_link_cancel (endpoint->link, &to->id, protocol, token);
}

static void
on_failed (void *user, const SsContact *to, uint8_t protocol, uint64_t token)
{
  NetEndpoint *endpoint = user;
  g_array_append_val (endpoint->failed, token);
}

static void
on_up (void *user, const SsContact *peer, const SsAddr *observed)
{
  NetEndpoint *endpoint = user;
  endpoint->n_up++;
  if (ss_addr_is_set (observed))
    endpoint->observed = *observed;
}

static void
on_identified (void *user, const SsAddr *addr, const SsContact *contact,
               const char *text)
{
  NetEndpoint *endpoint = user;
  endpoint->n_identified++;
  g_free (endpoint->identified_text);
  endpoint->identified_text = contact ? NULL : g_strdup (text);
  if (contact)
    endpoint->identified = *contact;
}

static void
on_arrived (void *user, const SsAddr *from, bool unasked)
{
  NetEndpoint *endpoint = user;
  endpoint->n_arrived++;
  endpoint->n_unasked += unasked;
}

static void
on_pinged (void *user, const SsContact *peer, SsTime rtt)
{
  NetEndpoint *endpoint = user;
  endpoint->n_pinged++;
  endpoint->pinged = rtt;
}

static SsTime
on_wanted (void *user, const SsContact *peer)
{
  const NetEndpoint *endpoint = user;
  return endpoint->wanted;
}

static void
on_met (void *user, const SsContact *peer, SsTime rtt)
{
  NetEndpoint *endpoint = user;
  endpoint->n_met++;
  endpoint->met = rtt;
  endpoint->met_id = peer->id;
}

static const SsLinkUpcalls upcalls = {
  .message = on_message,
  .acked = on_acked,
  .late = on_late,
  .failed = on_failed,
  .up = on_up,
  .identified = on_identified,
  .arrived = on_arrived,
  .pinged = on_pinged,
  .wanted = on_wanted,
  .met = on_met,
};

/* Making an identity takes a tenth of a second: each test has the same. */
static void
identity_of (unsigned i, uint8_t ret_seed[32])
{
  static uint8_t seeds[NET_ENDPOINTS_MAX][32];
  static unsigned n;
  while (n <= i) {
    SsRng rng;
    SsKey key;
    ss_rng_init_number (&rng, 77 + n);
    ss_link_make_identity (&rng, seeds[n], &key);
    n++;
  }
  memcpy (ret_seed, seeds[i], 32);
}

static void
message_clear (gpointer data)
{
  g_bytes_unref (((NetMessage *) data)->data);
}

LinkNet *
net_new (uint64_t seed, unsigned n_endpoints)
{
  g_assert (n_endpoints <= NET_ENDPOINTS_MAX);
  g_assert_cmpint (sodium_init (), >=, 0);
  LinkNet *net = g_new0 (LinkNet, 1);
  ss_rng_init_number (&net->rng, seed);
  net->delay = 10 * SS_MSEC;
  net->flying = g_ptr_array_new_with_free_func (g_free);
  net->sent = g_array_new (FALSE, FALSE, sizeof (NetSent));
  net->n = n_endpoints;
  for (unsigned i = 0; i < n_endpoints; i++) {
    NetEndpoint *endpoint = &net->endpoints[i];
    endpoint->net = net;
    endpoint->addr = ss_addr_v4 (0x01010101 * (i + 1), (uint16_t) (1000 + i));
    endpoint->messages = g_array_new (FALSE, FALSE, sizeof (NetMessage));
    g_array_set_clear_func (endpoint->messages, message_clear);
    endpoint->acked = g_array_new (FALSE, FALSE, sizeof (uint64_t));
    endpoint->late = g_array_new (FALSE, FALSE, sizeof (uint64_t));
    endpoint->failed = g_array_new (FALSE, FALSE, sizeof (uint64_t));
    endpoint->config.advertise = endpoint->addr;
    endpoint->config.flags = SS_PEER_REACHABLE;
    endpoint->config.is_fresh = true;
    identity_of (i, endpoint->config.identity_seed);
    net_start (net, i);
  }
  return net;
}

LinkNet *
net_connected (uint64_t seed)
{
  static const SsLinkSend how = { .protocol = 3, .class = SS_CLASS_MEDIA };
  LinkNet *net = net_new (seed, 2);
  net_send (net, 0, 1, &how, "first");
  net_run (net, 1 * SS_SEC);
  g_assert_cmpuint (net->endpoints[1].messages->len, ==, 1);
  g_array_set_size (net->endpoints[1].messages, 0);
  return net;
}

void
net_free (LinkNet *net)
{
  for (unsigned i = 0; i < net->n; i++) {
    NetEndpoint *endpoint = &net->endpoints[i];
    net_stop (net, i);
    g_array_unref (endpoint->messages);
    g_array_unref (endpoint->acked);
    g_array_unref (endpoint->late);
    g_array_unref (endpoint->failed);
    g_free (endpoint->identified_text);
  }
  g_ptr_array_unref (net->flying);
  g_array_unref (net->sent);
  g_free (net);
}

void
net_start (LinkNet *net, unsigned i)
{
  NetEndpoint *endpoint = &net->endpoints[i];
  uint8_t seed[32];
  ss_rng_bytes (&net->rng, seed, sizeof seed);
  ss_env_init (&endpoint->env, seed, net->now, INT64_C (1700000000) * SS_SEC);
  endpoint->link =
      ss_link_new (&endpoint->env, &endpoint->config, &upcalls, endpoint);
}

void
net_stop (LinkNet *net, unsigned i)
{
  NetEndpoint *endpoint = &net->endpoints[i];
  if (!endpoint->link)
    return;
  ss_link_free (endpoint->link);
  endpoint->link = NULL;
  endpoint->config.is_fresh = false;
  g_assert_cmpint (ss_timers_deadline (&endpoint->env.timers), ==, SS_NEVER);
  ss_env_clear (&endpoint->env);
}

SsContact
net_contact (const LinkNet *net, unsigned i)
{
  SsContact contact = {
    .addr = net->endpoints[i].addr,
    .flags = SS_PEER_REACHABLE,
  };
  ss_link_key_of_seed (net->endpoints[i].config.identity_seed, &contact.key);
  contact.id = ss_id_of_key (&contact.key);
  return contact;
}

static void
fly (LinkNet *net, NetEndpoint *endpoint, const NetDatagram *datagram)
{
  NetDatagram *copy = g_memdup2 (datagram, sizeof *datagram);
  copy->order = net->next_order++;
  endpoint->line_free = MAX (endpoint->line_free, net->now)
                        + (SsTime) datagram->len * endpoint->byte_time;
  copy->at = endpoint->line_free + net->delay;
  if (net->jitter > 0)
    copy->at += (SsTime) ss_rng_below (&net->rng, (uint64_t) net->jitter);
  g_ptr_array_add (net->flying, copy);
}

void
net_drain (LinkNet *net, unsigned i)
{
  NetEndpoint *endpoint = &net->endpoints[i];
  NetDatagram datagram = { .from = endpoint->addr };
  while (
      endpoint->link
      && (datagram.len = ss_link_output (endpoint->link, &datagram.to,
                                         datagram.data, sizeof datagram.data))
             > 0) {
    NetSent sent = {
      .at = net->now,
      .from = i,
      .len = (uint32_t) datagram.len,
      .code = datagram.data[0],
    };
    g_array_append_val (net->sent, sent);
    g_assert_cmpuint (datagram.len, <=, SS_DATAGRAM_MAX);
    datagram.from = endpoint->addr;
    if (net->filter && !net->filter (net->filter_user, &datagram))
      continue;
    if (net->loss > 0 && ss_rng_unit (&net->rng) < net->loss)
      continue;
    fly (net, endpoint, &datagram);
    if (net->duplication > 0 && ss_rng_unit (&net->rng) < net->duplication)
      fly (net, endpoint, &datagram);
  }
}

void
net_deliver (LinkNet *net, const NetDatagram *datagram)
{
  for (unsigned i = 0; i < net->n; i++) {
    NetEndpoint *endpoint = &net->endpoints[i];
    if (!endpoint->link || !ss_addr_equal (&endpoint->addr, &datagram->to))
      continue;
    NetDatagram copy = *datagram;
    endpoint->env.now = net->now;
    ss_link_input (endpoint->link, &copy.from, copy.data, copy.len);
    net_drain (net, i);
    return;
  }
}

static void
tick (LinkNet *net, unsigned i)
{
  NetEndpoint *endpoint = &net->endpoints[i];
  if (!endpoint->link)
    return;
  SsTimer *timer;
  endpoint->env.now = net->now;
  while ((timer = ss_timers_pop (&endpoint->env.timers, net->now)) != NULL)
    ss_link_timer (endpoint->link, timer);
  net_drain (net, i);
}

/* The place of the next datagram to arrive. */
static unsigned
next_flying (const LinkNet *net)
{
  unsigned next = 0;
  for (unsigned i = 1; i < net->flying->len; i++) {
    const NetDatagram *a = g_ptr_array_index (net->flying, i);
    const NetDatagram *b = g_ptr_array_index (net->flying, next);
    if (a->at < b->at || (a->at == b->at && a->order < b->order))
      next = i;
  }
  return next;
}

void
net_run (LinkNet *net, SsTime until)
{
  for (unsigned i = 0; i < net->n; i++)
    tick (net, i);
  for (unsigned step = 0;; step++) {
    g_assert_cmpuint (step, <, STEPS_MAX);
    SsTime next = SS_NEVER;
    unsigned place = 0;
    if (net->flying->len > 0) {
      place = next_flying (net);
      next = ((NetDatagram *) g_ptr_array_index (net->flying, place))->at;
    }
    unsigned who = net->n;
    for (unsigned i = 0; i < net->n; i++) {
      if (!net->endpoints[i].link)
        continue;
      SsTime deadline = ss_timers_deadline (&net->endpoints[i].env.timers);
      if (deadline < next) {
        next = deadline;
        who = i;
      }
    }
    if (next > until)
      break;
    net->now = MAX (net->now, next);
    if (who < net->n) {
      tick (net, who);
    } else {
      g_autofree NetDatagram *datagram =
          g_ptr_array_steal_index_fast (net->flying, place);
      net_deliver (net, datagram);
    }
  }
  net->now = MAX (net->now, until);
  for (unsigned i = 0; i < net->n; i++)
    if (net->endpoints[i].link)
      net->endpoints[i].env.now = net->now;
}

bool
net_send (LinkNet *net, unsigned from, unsigned to, const SsLinkSend *how,
          const char *text)
{
  SsContact contact = net_contact (net, to);
  NetEndpoint *endpoint = &net->endpoints[from];
  endpoint->env.now = net->now;
  return ss_link_send (endpoint->link, &contact, how, (const uint8_t *) text,
                       strlen (text), NULL);
}

SsLinkSend
net_reliable (uint8_t protocol, uint64_t token)
{
  return (SsLinkSend){
    .protocol = protocol,
    .class = SS_CLASS_CONTROL,
    .reliable = true,
    .token = token,
  };
}

uint64_t
net_counter (const LinkNet *net, unsigned i, SsCounterName name)
{
  return net->endpoints[i].env.counters.value[name];
}

unsigned
net_n_sent (const LinkNet *net, unsigned from, uint8_t code)
{
  unsigned n = 0;
  for (unsigned i = 0; i < net->sent->len; i++) {
    const NetSent *sent = &g_array_index (net->sent, NetSent, i);
    n += sent->from == from && sent->code == code;
  }
  return n;
}

const char *
net_text (const NetEndpoint *endpoint, unsigned message)
{
  static char text[SS_LINK_MESSAGE_MAX + 1];
  gsize len;
  const NetMessage *found =
      &g_array_index (endpoint->messages, NetMessage, message);
  const void *data = g_bytes_get_data (found->data, &len);
  memcpy (text, data, len);
  text[len] = '\0';
  return text;
}
