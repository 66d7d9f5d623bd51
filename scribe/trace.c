/* Traces of members: whom a node knew in a group when it left its tree, so that
 * a search which comes by is led there (scribe/anycast.c). They are soft: a
 * member that has left sends the search back, which costs two messages; one
 * that swallows it is found out when the origin tries again. */
#include "scribe/internal.h"

struct SsTrace {
  SsId group;
  SsContact member;
  SsTime until;
  uint32_t led; /* the nonce of the search that was led there last, */
  bool was_led; /* if any was */
};

static void
forget_old (SsScribe *scribe)
{
  GArray *traces = scribe->traces;
  unsigned n = 0;
  while (n < traces->len
         && g_array_index (traces, SsTrace, n).until <= scribe->env->now)
    n++;
  if (n == 0 && traces->len == SS_TRACES_MAX)
    n = 1;
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

void
ss_trace_put (SsScribe *scribe, const SsId *group_id, const SsContact *member)
{
  unsigned index;
  if (!scribe->traces)
    scribe->traces = g_array_new (FALSE, FALSE, sizeof (SsTrace));
  if (find (scribe, group_id, &index))
    g_array_remove_index (scribe->traces, index);
  forget_old (scribe);
  SsTrace trace = {
    .group = *group_id,
    .member = *member,
    .until = scribe->env->now + SS_TRACE_TIME,
  };
  g_array_append_val (scribe->traces, trace);
}

const SsContact *
ss_trace_find (const SsScribe *scribe, const SsId *group_id)
{
  unsigned index;
  if (!find (scribe, group_id, &index))
    return NULL;
  const SsTrace *trace = &g_array_index (scribe->traces, SsTrace, index);
  return trace->until > scribe->env->now ? &trace->member : NULL;
}

const SsContact *
ss_trace_lead (SsScribe *scribe, const SsId *group_id, uint32_t nonce)
{
  unsigned index;
  if (!ss_trace_find (scribe, group_id) || !find (scribe, group_id, &index))
    return NULL;
  SsTrace *trace = &g_array_index (scribe->traces, SsTrace, index);
  if (trace->was_led && trace->led == nonce) {
    ss_trace_drop (scribe, group_id);
    return NULL;
  }
  trace->led = nonce;
  trace->was_led = true;
  return &trace->member;
}

void
ss_trace_drop (SsScribe *scribe, const SsId *group_id)
{
  unsigned index;
  if (find (scribe, group_id, &index))
    g_array_remove_index (scribe->traces, index);
}

void
ss_trace_free (SsScribe *scribe)
{
  if (scribe->traces)
    g_array_free (scribe->traces, TRUE);
  scribe->traces = NULL;
}
