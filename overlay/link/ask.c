/* Who are you? How a node that is given an address, and no key, learns whom
 * it would speak to. The answer proves nothing yet: the handshake does.
 *
 * A ping is the same question, to one whose key is known. If the asker says
 * who it is, the answer tells below which distance it is of interest, and
 * carries a stamp; sent back at once in a LINK_MET, that tells the other end
 * the distance as well. The stamp is proved by a MAC, for who could make up
 * one could pretend to be near; nothing is kept for it. */
#include <stdio.h>
#include <string.h>

#include "overlay/link/private.h"

_Static_assert(sizeof (((SsMsgLinkAsk *) NULL)->mac) == SS_MAC_LEN, "a MAC");
_Static_assert(sizeof (((SsMsgLinkAnswer *) NULL)->proof) == SS_MAC_LEN,
               "a MAC");

#define MET_TIME (2 * SS_SEC) /* a stamp's life */

static void
question_free (SsLink *link, SsLinkQuestion *question)
{
  ss_timers_disarm (&link->env->timers, &question->timer);
  g_free (question);
}

void
ss_link_forget_questions (SsLink *link)
{
  if (!link->questions)
    return;
  for (unsigned i = 0; i < link->questions->len; i++)
    question_free (link, g_ptr_array_index (link->questions, i));
  g_clear_pointer (&link->questions, g_ptr_array_unref);
}

/* Ends the question and tells its outcome. */
static void
conclude (SsLink *link, SsLinkQuestion *question, const SsContact *contact,
          const char *text)
{
  SsAddr addr = question->addr;
  SsContact peer = question->peer;
  bool is_ping = question->is_ping;
  SsTime rtt = SS_NEVER;
  if (contact && ss_id_equal (&contact->id, &peer.id))
    rtt = MAX (link->env->now - question->sent, SS_USEC);
  g_ptr_array_remove (link->questions, question);
  question_free (link, question);
  if (link->questions->len == 0)
    g_clear_pointer (&link->questions, g_ptr_array_unref);
  ss_link_enter (link);
  if (is_ping && link->upcalls->pinged)
    link->upcalls->pinged (link->user, &peer, rtt);
  else if (!is_ping && link->upcalls->identified)
    link->upcalls->identified (link->user, &addr, contact, text);
  ss_link_leave (link);
}

void
ss_link_post_with_mac (SsLink *link, const SsAddr *to, uint8_t *buf, size_t len)
{
  ss_mac (link->ask_key, sizeof link->ask_key, buf, len - SS_MAC_LEN,
          buf + len - SS_MAC_LEN);
  ss_link_post (link, to, buf, len);
}

bool
ss_link_mac_is_right (SsLink *link, const uint8_t *datagram, size_t len,
                      const uint8_t mac[SS_MAC_LEN])
{
  uint8_t expected[SS_MAC_LEN];
  ss_mac (link->ask_key, sizeof link->ask_key, datagram, len - SS_MAC_LEN,
          expected);
  if (ss_mac_equal (expected, mac))
    return true;
  ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
  return false;
}

static void
post_question (SsLink *link, SsLinkQuestion *question)
{
  SsMsgLinkAsk ask = { .padding = { 0 } };
  uint8_t buf[SS_MSG_LINK_ASK_MAX];
  if (question->introduces) {
    ask.key = link->self.key;
    ask.flags = link->self.flags;
  }
  /* A ping's answer tells which sending it answers. */
  if (question->is_ping)
    ss_rng_bytes (&link->env->rng, question->nonce, sizeof question->nonce);
  question->sent = link->env->now;
  memcpy (ask.nonce, question->nonce, sizeof ask.nonce);
  ss_link_post_with_mac (link, &question->addr, buf,
                         ss_msg_link_ask_encode (&ask, buf, sizeof buf));
  ss_link_note_asked (link, &question->addr);
  ss_timers_arm (
      &link->env->timers, &question->timer,
      MIN (question->until,
           link->env->now + (question->is_ping ? PING_PERIOD : ASK_PERIOD)));
}

static SsLinkQuestion *
add_question (SsLink *link, const SsAddr *addr)
{
  if (!link->questions)
    link->questions = g_ptr_array_new ();
  SsLinkQuestion *question = g_new0 (SsLinkQuestion, 1);
  ss_timer_init (&question->timer, SS_LAYER_LINK, SS_LINK_TIMER_ASK);
  question->addr = *addr;
  question->until = link->env->now + SS_LINK_ASK_TIMEOUT;
  g_ptr_array_add (link->questions, question);
  return question;
}

bool
ss_link_ping (SsLink *link, const SsContact *peer, bool introduce)
{
  unsigned n = link->questions ? link->questions->len : 0;
  if (n >= PINGS_MAX || !ss_addr_is_set (&peer->addr)
      || ss_id_equal (&peer->id, &link->self.id))
    return false;
  for (unsigned i = 0; i < n; i++) {
    const SsLinkQuestion *other = g_ptr_array_index (link->questions, i);
    if (other->is_ping && ss_id_equal (&other->peer.id, &peer->id))
      return true;
  }
  SsLinkQuestion *question = add_question (link, &peer->addr);
  question->is_ping = true;
  question->introduces = introduce;
  question->peer = *peer;
  post_question (link, question);
  return true;
}

void
ss_link_ask (SsLink *link, const SsAddr *addr)
{
  for (unsigned i = 0; link->questions && i < link->questions->len; i++) {
    const SsLinkQuestion *other = g_ptr_array_index (link->questions, i);
    if (!other->is_ping && ss_addr_equal (&other->addr, addr))
      return; /* its answer will do */
  }
  SsLinkQuestion *question = add_question (link, addr);
  ss_rng_bytes (&link->env->rng, question->nonce, sizeof question->nonce);
  if (link->questions->len > ASKS_MAX || !ss_addr_is_set (addr)) {
    /* Refused, but not inside the caller's call. */
    question->until = link->env->now;
    ss_timers_arm (&link->env->timers, &question->timer, link->env->now);
    return;
  }
  post_question (link, question);
}

void
ss_link_question_timer (SsLink *link, SsLinkQuestion *question)
{
  if (link->env->now < question->until)
    post_question (link, question);
  else
    conclude (link, question, NULL,
              "no answer (nobody there, or another realm key)");
}

static void
prove (const SsLink *link, const SsKey *key, const SsAddr *addr, uint64_t stamp,
       uint8_t ret_proof[SS_MAC_LEN])
{
  struct {
    SsKey key;
    uint8_t ip[sizeof addr->ip];
    uint64_t stamp, port;
  } what = { .key = *key, .stamp = stamp, .port = addr->port };
  memcpy (what.ip, addr->ip, sizeof what.ip);
  ss_mac (link->met_key, sizeof link->met_key, (const uint8_t *) &what,
          sizeof what, ret_proof);
}

/* What the asker is to do if it turns out to be near enough. */
static void
invite (SsLink *link, const SsAddr *from, const SsMsgLinkAsk *ask,
        SsMsgLinkAnswer *answer)
{
  static const SsKey nobody;
  if (ss_key_equal (&ask->key, &nobody)
      || ss_key_equal (&ask->key, &link->self.key) || !link->upcalls->wanted)
    return;
  SsContact contact = {
    .key = ask->key,
    .id = ss_id_of_key (&ask->key),
    .addr = *from,
    .flags = ask->flags,
  };
  ss_link_enter (link);
  SsTime wanted = link->upcalls->wanted (link->user, &contact);
  ss_link_leave (link);
  if (wanted <= 0)
    return;
  answer->wanted = (uint32_t) MIN (wanted / SS_USEC, UINT32_MAX);
  answer->stamp = (uint64_t) link->env->now;
  prove (link, &ask->key, from, answer->stamp, answer->proof);
}

/* Of the answer to a ping: the other end wants to know. */
static void
meet (SsLink *link, const SsLinkQuestion *question,
      const SsMsgLinkAnswer *answer)
{
  SsTime rtt = link->env->now - question->sent;
  if (!question->introduces || !ss_key_equal (&answer->key, &question->peer.key)
      || rtt / SS_USEC >= answer->wanted)
    return;
  SsMsgLinkMet met = {
    .key = link->self.key,
    .flags = link->self.flags,
    .stamp = answer->stamp,
  };
  uint8_t buf[SS_MSG_LINK_MET_MAX];
  memcpy (met.proof, answer->proof, sizeof met.proof);
  ss_link_post_with_mac (link, &question->addr, buf,
                         ss_msg_link_met_encode (&met, buf, sizeof buf));
}

void
ss_link_on_met (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                size_t len)
{
  SsMsgLinkMet met;
  uint8_t proof[SS_MAC_LEN];
  if (!ss_msg_link_met_decode (datagram, len, &met)) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  if (!ss_link_mac_is_right (link, datagram, len, met.mac))
    return;
  prove (link, &met.key, from, met.stamp, proof);
  SsTime now = link->env->now;
  if (!ss_mac_equal (proof, met.proof) || met.stamp > (uint64_t) now
      || (uint64_t) now - met.stamp > (uint64_t) MET_TIME
      || !ss_sealer_key_has_work (&met.key)) {
    ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
    return;
  }
  SsContact contact = {
    .key = met.key,
    .id = ss_id_of_key (&met.key),
    .addr = *from,
    .flags = met.flags & (uint8_t) ~PEER_VIA,
  };
  ss_link_note_arrival (link, from, false);
  ss_link_enter (link);
  if (link->upcalls->met)
    link->upcalls->met (link->user, &contact,
                        MAX (now - (SsTime) met.stamp, SS_USEC));
  ss_link_leave (link);
}

void
ss_link_on_ask (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                size_t len)
{
  SsMsgLinkAsk ask;
  uint8_t buf[SS_MSG_LINK_ANSWER_MAX];
  if (!ss_msg_link_ask_decode (datagram, len, &ask)) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  if (!ss_link_mac_is_right (link, datagram, len, ask.mac))
    return;
  ss_link_note_arrival (link, from, false);
  SsTime now = link->env->now;
  if (ss_limit_when (&link->answers, from, now) > now) {
    ss_count (link->env, LINK_QUESTIONS_REFUSED);
    return;
  }
  ss_limit_take (&link->answers, from, now);
  SsMsgLinkAnswer answer = {
    .key = link->self.key,
    .flags = link->self.flags,
    .n_versions = 1,
    .versions = { SS_LINK_VERSION },
    .observed = *from,
  };
  memcpy (answer.nonce, ask.nonce, sizeof answer.nonce);
  invite (link, from, &ask, &answer);
  ss_link_post_with_mac (link, from, buf,
                         ss_msg_link_answer_encode (&answer, buf, sizeof buf));
}

static SsLinkQuestion *
find_question (const SsLink *link, const uint8_t *nonce)
{
  for (unsigned i = 0; link->questions && i < link->questions->len; i++) {
    SsLinkQuestion *question = g_ptr_array_index (link->questions, i);
    if (memcmp (question->nonce, nonce, sizeof question->nonce) == 0)
      return question;
  }
  return NULL;
}

void
ss_link_on_answer (SsLink *link, const SsAddr *from, const uint8_t *datagram,
                   size_t len)
{
  SsMsgLinkAnswer answer;
  if (!ss_msg_link_answer_decode (datagram, len, &answer)) {
    ss_count (link->env, DATAGRAMS_MALFORMED);
    return;
  }
  if (!ss_link_mac_is_right (link, datagram, len, answer.mac))
    return;
  SsLinkQuestion *question = find_question (link, answer.nonce);
  if (!question) {
    ss_count (link->env, DATAGRAMS_UNAUTHENTIC);
    return;
  }
  bool speaks_ours = false;
  unsigned highest = 0;
  for (unsigned i = 0; i < answer.n_versions; i++) {
    speaks_ours |= answer.versions[i] == SS_LINK_VERSION;
    highest = MAX (highest, answer.versions[i]);
  }
  if (!speaks_ours) {
    char text[64];
    snprintf (text, sizeof text, "peer speaks version %u, this node %u",
              highest, SS_LINK_VERSION);
    conclude (link, question, NULL, text);
    return;
  }
  if (!ss_sealer_key_has_work (&answer.key)) {
    conclude (link, question, NULL, "peer's key has not the work of an id");
    return;
  }
  SsContact contact = {
    .key = answer.key,
    .id = ss_id_of_key (&answer.key),
    .addr = question->addr,
    .flags = answer.flags,
  };
  meet (link, question, &answer);
  /* Somebody is there who wants to be met: no longer mere hearsay. */
  ss_limit_forget (&link->initiations_addr, &question->addr);
  conclude (link, question, &contact, NULL);
}
