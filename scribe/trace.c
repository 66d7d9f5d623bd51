/* Traces of members: whom a node knew in a group when it left its tree, so that
 * a search which comes by is led there (scribe/anycast.c). It tells near nodes
 * that are as close to the group's id: a search from around here that does not
 * come by comes to one of them. Traces are soft: a member that has left sends
 * the search back, which costs two messages; one that swallows it is found out
 * when the origin tries again. */
#include "scribe/internal.h"

#define NEAR_MAX 64 /* of the nearest peers some are told, and believed */
#define LED_MAX  4  /* searches whose second try is known */

struct SsTrace {
  SsId group;
  SsContact member;
  SsTime until;
  uint32_t led[LED_MAX]; /* nonces of searches that were led there last, */
  unsigned n_led;        /* and how many ever were */
  bool is_told;          /* by another */
  bool is_vain; /* led to nobody: others are not believed that it does */
};

static void
forget_old (SsScribe *scribe)
{
  GArray *traces = scribe->traces;
  unsigned n = 0;
  while (n < traces->len
         && g_array_index (traces, SsTrace, n).until <= scribe->env->now)
    n++;
  if (n > 0)
    g_array_remove_range (traces, 0, n);
}

static bool
find (const SsScribe *scribe, const SsId *group_id, unsigned *ret_index)
{
  for (unsigned i = 0; scribe->traces && i < scribe->traces->len; i++)
    if (ss_id_equal (&g_array_index (scribe->traces, SsTrace, i).group,
                     group_id)) {
      *ret_index = i;
      return true;
    }
  return false;
}

/* Of less use than what this node has seen itself, and not found wrong. */
static bool
is_minor (const SsTrace *trace)
{
  return trace->is_told || trace->is_vain;
}

static void
make_room (GArray *traces)
{
  unsigned victim = 0;
  if (traces->len < SS_TRACES_MAX)
    return;
  while (victim < traces->len
         && !is_minor (&g_array_index (traces, SsTrace, victim)))
    victim++;
  g_array_remove_index (traces, victim == traces->len ? 0 : victim);
}

static void
put (SsScribe *scribe, const SsId *group_id, const SsContact *member,
     bool is_told)
{
  SsTrace trace = {
    .group = *group_id,
    .member = *member,
    .until = scribe->env->now + SS_TRACE_TIME,
    .is_told = is_told,
  };
  make_room (scribe->traces);
  g_array_append_val (scribe->traces, trace);
}

static void
make_list (SsScribe *scribe)
{
  if (!scribe->traces)
    scribe->traces = g_array_new (FALSE, FALSE, sizeof (SsTrace));
  forget_old (scribe);
}

void
ss_trace_put (SsScribe *scribe, const SsId *group_id, const SsContact *member)
{
  unsigned index;
  make_list (scribe);
  if (find (scribe, group_id, &index))
    g_array_remove_index (scribe->traces, index);
  put (scribe, group_id, member, false);
}

/* Those that a search for the group may be routed to in this node's place:
 * none, if routes to it come by here by chance only. */
void
ss_trace_tell (SsScribe *scribe, const SsId *group_id, const SsContact *member)
{
  SsContact near[NEAR_MAX];
  SsTime rtts[NEAR_MAX];
  unsigned n_near = ss_kbr_near_set (scribe->kbr, near, rtts, NEAR_MAX);
  unsigned n_shared = ss_id_shared_digits (ss_scribe_self (scribe), group_id);
  SsMsgScribeTrace message = { .group = *group_id };
  message.n_member = ss_peers_put (message.member, 0, 1, member);
  uint8_t data[SS_MSG_SCRIBE_TRACE_MAX];
  size_t len = ss_msg_scribe_trace_encode (&message, data, sizeof data);
  unsigned n_told = 0;
  for (unsigned i = 0; n_shared > 0 && i < n_near && n_told < SS_TRACE_TELL;
       i++) {
    if (ss_contact_equal (&near[i], member)
        || ss_id_shared_digits (&near[i].id, group_id) < n_shared)
      continue;
    ss_scribe_send (scribe, &near[i], data, len);
    n_told++;
  }
}

static unsigned
count_told (const SsScribe *scribe)
{
  unsigned n = 0;
  for (unsigned i = 0; i < scribe->traces->len; i++)
    n += g_array_index (scribe->traces, SsTrace, i).is_told;
  return n;
}

/* Whoever may tell of a group: near, and on the way to it as this node is. */
static bool
is_believed (const SsScribe *scribe, const SsContact *from,
             const SsId *group_id)
{
  SsContact near[NEAR_MAX];
  SsTime rtts[NEAR_MAX];
  if (ss_id_shared_digits (ss_scribe_self (scribe), group_id) == 0
      || ss_id_shared_digits (&from->id, group_id) == 0)
    return false;
  unsigned n = ss_kbr_near_set (scribe->kbr, near, rtts, NEAR_MAX);
  for (unsigned i = 0; i < n; i++)
    if (ss_contact_equal (&near[i], from))
      return true;
  return false;
}

/* What others say takes nothing's place, nor that of what was found in vain. */
void
ss_trace_handle (SsScribe *scribe, const SsContact *from,
                 const SsMsgScribeTrace *message)
{
  const SsGroup *group = ss_scribe_find (scribe, &message->group);
  unsigned index;
  if (message->n_member == 0 || (group && ss_group_in_tree (group))
      || !is_believed (scribe, from, &message->group))
    return;
  make_list (scribe);
  SsContact member = ss_contact_from_record (&message->member[0]);
  if (!find (scribe, &message->group, &index)
      && scribe->traces->len < SS_TRACES_MAX
      && count_told (scribe) < SS_TRACES_TOLD_MAX
      && !ss_id_equal (&member.id, ss_scribe_self (scribe)))
    put (scribe, &message->group, &member, true);
}

bool
ss_trace_is_told (const SsScribe *scribe, const SsId *group_id)
{
  unsigned index;
  return find (scribe, group_id, &index)
         && g_array_index (scribe->traces, SsTrace, index).is_told;
}

const SsContact *
ss_trace_find (const SsScribe *scribe, const SsId *group_id)
{
  unsigned index;
  if (!find (scribe, group_id, &index))
    return NULL;
  const SsTrace *trace = &g_array_index (scribe->traces, SsTrace, index);
  bool is_good = !trace->is_vain && trace->until > scribe->env->now;
  return is_good ? &trace->member : NULL;
}

const SsContact *
ss_trace_lead (SsScribe *scribe, const SsId *group_id, uint32_t nonce)
{
  unsigned index;
  if (!ss_trace_find (scribe, group_id) || !find (scribe, group_id, &index))
    return NULL;
  SsTrace *trace = &g_array_index (scribe->traces, SsTrace, index);
  for (unsigned i = 0; i < MIN (trace->n_led, LED_MAX); i++)
    if (trace->led[i] == nonce) {
      ss_trace_doubt (scribe, group_id);
      return NULL;
    }
  trace->led[trace->n_led++ % LED_MAX] = nonce;
  return &trace->member;
}

void
ss_trace_doubt (SsScribe *scribe, const SsId *group_id)
{
  unsigned index;
  if (!find (scribe, group_id, &index))
    return;
  SsTrace trace = g_array_index (scribe->traces, SsTrace, index);
  g_array_remove_index (scribe->traces, index);
  trace.is_vain = true;
  trace.until = scribe->env->now + SS_TRACE_TIME;
  g_array_append_val (scribe->traces, trace);
}

void
ss_trace_free (SsScribe *scribe)
{
  if (scribe->traces)
    g_array_free (scribe->traces, TRUE);
  scribe->traces = NULL;
}
