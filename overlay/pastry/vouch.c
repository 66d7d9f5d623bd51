/* Who does not answer this node may answer others: two leaves near a suspect
 * are asked to ask it (the "tries through other leaves" of a probe; compare
 * SWIM, DSN 2002, section 3.1).
 *
 *   this node            a leaf near it            the suspect
 *     | VOUCH_ASK          |                         |
 *     |------------------->| VOUCH_PROBE             |
 *     |                    |------------------------>|
 *     |        VOUCH_PROOF |             VOUCH_PROOF |
 *     |<-------------------|<------------------------|
 *
 * Only the suspect can say that it lives: its proof is a MAC that nobody but
 * it and who asked can make, over a number drawn for the occasion. So no leaf
 * keeps the dead alive; and silence says nothing, so that none kills the
 * living. The leaf asks where it knows the suspect to be, not where it is
 * told, and one datagram for one: nobody is flooded through it.
 *
 * A leaf that lives and cannot be reached from here is *estranged*: it stays
 * in the leaf set, for the keys near it are its own, and others are told
 * nothing; but nothing is sent to it. What is for it goes once through who
 * vouched for it. It is tried again with growing pauses, until it answers; or
 * until twice in a row nobody vouches for it, and nothing is heard of it.
 *
 * One that would be a leaf and does not answer at first is told of this node,
 * by two leaves near it, and may get through itself: an address that has not
 * been confirmed gets few initiations, which loss may take, and a node that
 * lacks the next one in the ring delivers what is not its own. */
#include "overlay/pastry/internal.h"

#include <sodium.h>
#include <string.h>

#define NEAR 4 /* leaves that are asked in turns */

_Static_assert(sizeof (((SsMsgVouchProof *) NULL)->proof) == SS_LINK_PROOF_LEN,
               "a proof");

static unsigned choose_near (const SsPastry *pastry, const SsId *id,
                             SsContact ret_leaves[NEAR]);
static bool is_usable (const SsPastry *pastry, const SsContact *leaf,
                       const SsId *but);
static void ask_leaf (SsPastry *pastry, const SsContact *leaf,
                      const SsSuspect *suspect);
static void make_proof (SsPastry *pastry, const SsKey *peer, const SsId *living,
                        const SsId *asking, uint64_t nonce,
                        uint8_t ret_proof[SS_LINK_PROOF_LEN]);
static bool pass_on (SsPastry *pastry, const SsContact *from,
                     const SsMsgVouchProof *message);
static void send (SsPastry *pastry, const SsContact *to, const uint8_t *buf,
                  size_t len);

bool
ss_vouch_may (const SsPastry *pastry, const SsId *id)
{
  SsContact leaves[NEAR];
  return pastry->state == SS_PASTRY_ACTIVE
         && ss_leafset_find (&pastry->leafset, id) != NULL
         && choose_near (pastry, id, leaves) > 0;
}

void
ss_vouch_ask (SsPastry *pastry, SsSuspect *suspect)
{
  SsContact leaves[NEAR];
  unsigned n = choose_near (pastry, &suspect->contact.id, leaves);
  unsigned first = (suspect->rounds - 1u) * SS_VOUCH_LEAVES;
  suspect->nonce = ss_rng_u64 (&ss_pastry_env (pastry)->rng);
  for (unsigned i = 0; i < MIN (n, SS_VOUCH_LEAVES); i++)
    ask_leaf (pastry, &leaves[(first + i) % n], suspect);
}

void
ss_vouch_asked (SsPastry *pastry, const SsContact *from,
                const SsMsgVouchAsk *message)
{
  SsContact contact;
  SsTime now = ss_pastry_env (pastry)->now;
  if (pastry->state != SS_PASTRY_ACTIVE
      || !ss_pastry_find (pastry, &message->id, &contact)
      || !is_usable (pastry, &contact, &from->id)
      || !ss_reach_may_help (pastry))
    return;
  if (pastry->vouching == NULL)
    pastry->vouching = g_array_new (FALSE, FALSE, sizeof (SsVouching));
  for (unsigned i = 0; i < pastry->vouching->len;) {
    if (g_array_index (pastry->vouching, SsVouching, i).until <= now)
      g_array_remove_index (pastry->vouching, i);
    else
      i++;
  }
  if (pastry->vouching->len == SS_VOUCHING_MAX)
    return;
  SsVouching vouching = {
    .asker = *from,
    .of = message->id,
    .nonce = message->nonce,
    .until = now + SS_VOUCH_TIME,
  };
  g_array_append_val (pastry->vouching, vouching);
  uint8_t buf[SS_MSG_VOUCH_PROBE_MAX];
  SsMsgVouchProbe probe = { .asker = from->key, .nonce = message->nonce };
  send (pastry, &contact, buf,
        ss_msg_vouch_probe_encode (&probe, buf, sizeof buf));
}

void
ss_vouch_probed (SsPastry *pastry, const SsContact *from,
                 const SsMsgVouchProbe *message)
{
  if (!ss_reach_may_help (pastry))
    return;
  SsId asker = ss_id_of_key (&message->asker);
  SsMsgVouchProof answer = { .nonce = message->nonce };
  make_proof (pastry, &message->asker, &pastry->leafset.self, &asker,
              message->nonce, answer.proof);
  uint8_t buf[SS_MSG_VOUCH_PROOF_MAX];
  send (pastry, from, buf,
        ss_msg_vouch_proof_encode (&answer, buf, sizeof buf));
}

void
ss_vouch_proved (SsPastry *pastry, const SsContact *from,
                 const SsMsgVouchProof *message)
{
  if (pass_on (pastry, from, message))
    return;
  for (unsigned i = 0; pastry->suspects != NULL && i < pastry->suspects->len;
       i++) {
    SsSuspect *suspect = &g_array_index (pastry->suspects, SsSuspect, i);
    const SsContact *contact = &suspect->contact;
    uint8_t proof[SS_LINK_PROOF_LEN];
    if (suspect->nonce == 0 || suspect->nonce != message->nonce)
      continue;
    make_proof (pastry, &contact->key, &contact->id, &pastry->leafset.self,
                message->nonce, proof);
    if (sodium_memcmp (proof, message->proof, sizeof proof) != 0) {
      ss_count (ss_pastry_env (pastry), DATAGRAMS_UNAUTHENTIC);
      return;
    }
    suspect->lives = true;
    suspect->via = *from;
    ss_pastry_release (pastry);
    return;
  }
}

bool
ss_vouch_via (const SsPastry *pastry, const SsId *id, SsContact *ret_via)
{
  for (unsigned i = 0; pastry->suspects != NULL && i < pastry->suspects->len;
       i++) {
    const SsSuspect *suspect = &g_array_index (pastry->suspects, SsSuspect, i);
    if (!suspect->is_estranged || !ss_id_equal (&suspect->contact.id, id))
      continue;
    *ret_via = suspect->via;
    return ss_addr_is_set (&suspect->via.addr)
           && !ss_pastry_is_suspected (pastry, &suspect->via.id);
  }
  return false;
}

void
ss_vouch_introduce (SsPastry *pastry, const SsContact *candidate)
{
  SsContact leaves[NEAR];
  uint8_t buf[SS_MSG_INTRODUCE_MAX];
  SsMsgIntroduce message = { .to = candidate->id };
  size_t len = ss_msg_introduce_encode (&message, buf, sizeof buf);
  unsigned n = choose_near (pastry, &candidate->id, leaves);
  for (unsigned i = 0; i < MIN (n, SS_VOUCH_LEAVES); i++)
    send (pastry, &leaves[i], buf, len);
}

void
ss_vouch_introduced (SsPastry *pastry, const SsContact *from,
                     const SsMsgIntroduce *message)
{
  SsContact contact;
  if (ss_pastry_is_self (pastry, &message->to) && message->n_who > 0) {
    if (ss_leafset_find (&pastry->leafset, &from->id) == NULL
        || !ss_reach_may_help (pastry))
      return;
    contact = ss_contact_from_record (&message->who[0]);
    /* It may be one already, by a question whose answer was lost. */
    if (ss_leafset_find (&pastry->leafset, &contact.id) != NULL
        || ss_leafset_would_accept (&pastry->leafset, &contact.id,
                                    SS_LEAFSET_REACH_NONE))
      ss_pastry_ask (pastry, &contact, SS_LEAFSET_REACH_NONE, 0);
    return;
  }
  if (message->n_who > 0 || !ss_pastry_find (pastry, &message->to, &contact)
      || !is_usable (pastry, &contact, &from->id)
      || !ss_reach_may_help (pastry))
    return;
  uint8_t buf[SS_MSG_INTRODUCE_MAX];
  SsMsgIntroduce passed_on = {
    .to = message->to,
    .n_who = 1,
    .who = { ss_pastry_record (from) },
  };
  send (pastry, &contact, buf,
        ss_msg_introduce_encode (&passed_on, buf, sizeof buf));
}

/* Those leaves that are nearest to it in the ring: they have it as a leaf, and
 * its neighbours a session with it. */
static unsigned
choose_near (const SsPastry *pastry, const SsId *id, SsContact ret_leaves[NEAR])
{
  const SsLeafset *leafset = &pastry->leafset;
  unsigned n = 0;
  for (unsigned i = 0; i < leafset->n; i++) {
    const SsContact *leaf = &leafset->leaves[i];
    unsigned at = n;
    if (!is_usable (pastry, leaf, id))
      continue;
    while (at > 0 && ss_id_closer (id, &leaf->id, &ret_leaves[at - 1].id))
      at--;
    if (at == NEAR)
      continue;
    n = MIN (n + 1, NEAR);
    memmove (&ret_leaves[at + 1], &ret_leaves[at],
             (n - at - 1) * sizeof ret_leaves[0]);
    ret_leaves[at] = *leaf;
  }
  return n;
}

static bool
is_usable (const SsPastry *pastry, const SsContact *leaf, const SsId *but)
{
  return !ss_id_equal (&leaf->id, but) && !ss_contact_is_client (leaf)
         && !ss_pastry_is_suspected (pastry, &leaf->id);
}

static void
ask_leaf (SsPastry *pastry, const SsContact *leaf, const SsSuspect *suspect)
{
  uint8_t buf[SS_MSG_VOUCH_ASK_MAX];
  SsMsgVouchAsk message = {
    .id = suspect->contact.id,
    .nonce = suspect->nonce,
  };
  send (pastry, leaf, buf, ss_msg_vouch_ask_encode (&message, buf, sizeof buf));
}

/* By the one that lives, for the one that asks. */
static void
make_proof (SsPastry *pastry, const SsKey *peer, const SsId *living,
            const SsId *asking, uint64_t nonce,
            uint8_t ret_proof[SS_LINK_PROOF_LEN])
{
  uint8_t what[2 * SS_ID_LEN + sizeof nonce];
  memcpy (what, living->b, SS_ID_LEN);
  memcpy (what + SS_ID_LEN, asking->b, SS_ID_LEN);
  for (unsigned i = 0; i < sizeof nonce; i++)
    what[2 * SS_ID_LEN + i] = (uint8_t) (nonce >> 8 * i);
  ss_link_prove (pastry->link, peer, what, sizeof what, ret_proof);
}

/* True if another had asked for it. */
static bool
pass_on (SsPastry *pastry, const SsContact *from,
         const SsMsgVouchProof *message)
{
  for (unsigned i = 0; pastry->vouching != NULL && i < pastry->vouching->len;
       i++) {
    SsVouching vouching = g_array_index (pastry->vouching, SsVouching, i);
    if (vouching.nonce != message->nonce
        || !ss_id_equal (&vouching.of, &from->id))
      continue;
    g_array_remove_index (pastry->vouching, i);
    if (pastry->vouching->len == 0)
      g_clear_pointer (&pastry->vouching, g_array_unref);
    uint8_t buf[SS_MSG_VOUCH_PROOF_MAX];
    send (pastry, &vouching.asker, buf,
          ss_msg_vouch_proof_encode (message, buf, sizeof buf));
    return true;
  }
  return false;
}

/* Whether these arrive says nothing about who is to get them. */
static void
send (SsPastry *pastry, const SsContact *to, const uint8_t *buf, size_t len)
{
  ss_pastry_send (pastry, to, ss_pastry_token (pastry, SS_PASTRY_TOKEN_VOUCH),
                  SS_VOUCH_TRIES, buf, len);
}
