/* The stream of lookups. */
#include "sim/lookups.h"

#include <math.h>
#include <string.h>

#include "sim/truth.h"

#define REPLICAS        5
#define STREAM_PROTOCOL ((SsProtocol) 6) /* no application's */

typedef struct {
  SsId key;
  unsigned source;
  SsTime sent;
  SsTime delay;   /* -1: not delivered yet */
  float direct;   /* one way, ns */
  uint32_t at;    /* where it was seen last */
  float distance; /* ns, of the way so far */
  uint16_t hops;
  int16_t replica_hops; /* -1: has not met one */
  uint8_t tries, n_delivered;
  bool is_over, counts;
} Lookup;

struct SsLookupStream {
  SsLookupOptions options;
  SsTruth *truth;
  SsRng rng;
  GArray *lookups; /* Lookup, by their number */
  bool is_on;
  unsigned life; /* counts starts: what is still queued may be of another */
  uint64_t n_wrong, n_again, n_open;
  unsigned marked; /* lookups before this one do not count */
};

static void send_next (void *user, uint64_t life);
static void check (void *user, uint64_t number);

/* Clients of others do not, though they are ready: they have no leaves. */
static bool
may_deliver (const SsWorld *world, unsigned index, unsigned n_nodes)
{
  SsNode *node = ss_world_node (world, index);
  SsContact leaf;

  return node != NULL && ss_kbr_is_ready (ss_node_kbr (node))
         && (n_nodes == 1 || ss_node_leaf_set (node, &leaf, 1) > 0);
}

/* Is the member the closest of those that may deliver? Whoever is closer in
 * the truth but is still joining does not count. */
static bool
is_right (const SsWorld *world, const SsMember *member, const SsId *key,
          unsigned *ret_closer)
{
  const SsTruth *truth = world->stream->truth;
  unsigned n = truth->entries->len;
  unsigned place = ss_truth_closest (truth, key);
  unsigned up = place, down = (place + n - 1) % n;

  for (unsigned i = 0; i < n; i++) {
    const SsTruthEntry *a = ss_truth_at (truth, up % n);
    const SsTruthEntry *b = ss_truth_at (truth, down);
    bool is_up = !ss_id_closer (key, &b->id, &a->id);
    const SsTruthEntry *next = is_up ? a : b;

    if (next->index == member->index)
      return true;
    if (may_deliver (world, next->index, n)) {
      *ret_closer = next->index;
      return false;
    }
    if (is_up)
      up++;
    else
      down = (down + n - 1) % n;
  }
  return false;
}

static Lookup *
find (const SsWorld *world, const SsKbrMessage *message)
{
  const SsLookupStream *stream = world->stream;
  uint32_t words[2];

  if (stream == NULL || message->len != sizeof words)
    return NULL;
  memcpy (words, message->data, sizeof words);
  if (words[0] != stream->life || words[1] >= stream->lookups->len)
    return NULL;
  Lookup *lookup = &g_array_index (stream->lookups, Lookup, words[1]);

  /* Another key is a hostile node's doing. */
  return ss_id_equal (&lookup->key, &message->key) ? lookup : NULL;
}

/* Is the member one of the closest? */
static bool
is_replica (const SsTruth *truth, const SsMember *member, const SsId *key)
{
  unsigned n = truth->entries->len, up = ss_truth_closest (truth, key);
  unsigned down = (up + n - 1) % n;

  for (unsigned i = 0; i < MIN (REPLICAS, n); i++) {
    bool is_up = !ss_id_closer (key, &ss_truth_at (truth, down)->id,
                                &ss_truth_at (truth, up)->id);

    if (ss_truth_at (truth, is_up ? up : down)->index == member->index)
      return true;
    if (is_up)
      up = (up + 1) % n;
    else
      down = (down + n - 1) % n;
  }
  return false;
}

static bool
forward (void *app, const SsKbrMessage *message, const SsContact *next)
{
  SsMember *member = app;
  SsWorld *world = member->world;
  Lookup *lookup = find (world, message);

  if (lookup == NULL || lookup->n_delivered > 0)
    return true;
  if (lookup->at != member->index)
    lookup->distance +=
        (float) ss_world_delay (world, lookup->at, member->index);
  lookup->at = member->index;
  if (lookup->replica_hops < 0
      && is_replica (world->stream->truth, member, &message->key))
    lookup->replica_hops = (int16_t) message->hops;
  return true;
}

static void
deliver (void *app, const SsKbrMessage *message)
{
  SsMember *member = app;
  SsWorld *world = member->world;
  SsLookupStream *stream = world->stream;
  Lookup *lookup = find (world, message);
  unsigned closer = member->index;

  if (lookup == NULL)
    return;
  if (lookup->counts && member->is_up
      && !is_right (world, member, &message->key, &closer)) {
    stream->n_wrong++;
    if (world->options.verbose)
      printf ("%12.6f node %u gets what node %u is closer to\n",
              (double) ss_world_now (world) / (double) SS_SEC, member->index,
              closer);
  }
  if (lookup->n_delivered++ > 0) {
    stream->n_again += lookup->counts && lookup->tries == 1;
    return;
  }
  lookup->delay = ss_world_now (world) - lookup->sent;
  lookup->hops = (uint16_t) message->hops;
  lookup->direct =
      (float) ss_world_delay (world, lookup->source, member->index);
}

static const SsKbrApp app = { .forward = forward, .deliver = deliver };

void
ss_lookups_register (SsMember *member, SsNode *node)
{
  ss_kbr_register (ss_node_kbr (node), STREAM_PROTOCOL, &app, member);
  if (member->world->stream != NULL)
    ss_truth_add (member->world->stream->truth, &member->self.id,
                  member->index);
}

void
ss_lookups_node_is_gone (SsWorld *world, const SsMember *member)
{
  if (world->stream != NULL)
    ss_truth_remove (world->stream->truth, &member->self.id);
}

static void
route (SsWorld *world, uint32_t number)
{
  Lookup *lookup = &g_array_index (world->stream->lookups, Lookup, number);
  SsNode *node = ss_world_node (world, lookup->source);
  const uint32_t words[2] = { world->stream->life, number };
  SsId key = lookup->key;
  unsigned source = lookup->source;

  lookup->tries++;
  ss_node_tick (node, ss_world_now (world));
  ss_kbr_route (ss_node_kbr (node), STREAM_PROTOCOL, &key, NULL, 0,
                (const uint8_t *) words, sizeof words);
  ss_network_touch (world->network, source);
}

void
ss_lookups_send (SsWorld *world, unsigned index, const SsId *key)
{
  SsLookupStream *stream = world->stream;
  const SsLookupOptions *options = &stream->options;
  uint32_t number = stream->lookups->len;
  const Lookup lookup = {
    .key = *key,
    .source = index,
    .sent = ss_world_now (world),
    .delay = -1,
    .at = index,
    .replica_hops = -1,
    .counts = true,
  };

  g_array_append_val (stream->lookups, lookup);
  stream->n_open++;
  ss_network_at (world->network,
                 ss_world_now (world)
                     + (options->retry > 0 ? options->retry : options->wait),
                 check, world, (uint64_t) stream->life << 32 | number);
  route (world, number);
}

/* Time to ask again, or to count. */
static void
check (void *user, uint64_t number)
{
  SsWorld *world = user;
  SsLookupStream *stream = world->stream;

  if (stream == NULL || number >> 32 != stream->life)
    return;
  Lookup *lookup = &g_array_index (stream->lookups, Lookup, (uint32_t) number);
  const SsLookupOptions *options = &stream->options;
  SsTime now = ss_world_now (world);
  bool lives = ss_world_member (world, lookup->source)->is_up;

  if (lookup->delay >= 0 || !lives || now >= lookup->sent + options->wait) {
    lookup->is_over = true;
    stream->n_open--;
    return;
  }
  bool again = options->retry > 0 && lookup->tries < options->tries;

  ss_network_at (world->network,
                 again ? now + options->retry : lookup->sent + options->wait,
                 check, world, number);
  if (again)
    route (world, (uint32_t) number);
}

/* From any node that may ask, by lot. */
static void
send_next (void *user, uint64_t life)
{
  SsWorld *world = user;
  SsLookupStream *stream = world->stream;

  if (stream == NULL || !stream->is_on || life != stream->life)
    return;
  unsigned n = stream->truth->entries->len;
  double rate = stream->options.rate * MAX (n, 1);
  SsTime wait =
      (SsTime) (ss_rng_exponential (&stream->rng, 1 / rate) * (double) SS_SEC);

  ss_network_at (world->network, ss_world_now (world) + MAX (wait, 1),
                 send_next, world, life);
  if (n == 0)
    return;
  const SsTruthEntry *entry =
      ss_truth_at (stream->truth, (unsigned) ss_rng_below (&stream->rng, n));
  SsNode *node = ss_world_node (world, entry->index);
  SsId key;

  ss_rng_bytes (&stream->rng, &key, sizeof key);
  if (node != NULL && ss_kbr_is_ready (ss_node_kbr (node)))
    ss_lookups_send (world, entry->index, &key);
}

void
ss_lookups_start (SsWorld *world, const SsLookupOptions *options)
{
  SsLookupStream *stream = g_new0 (SsLookupStream, 1);
  static const unsigned first = 1;

  g_assert (world->stream == NULL && options->wait > 0);
  stream->options = *options;
  stream->truth = ss_truth_new (world, true);
  stream->lookups = g_array_new (FALSE, TRUE, sizeof (Lookup));
  stream->is_on = true;
  stream->life = first + world->n_streams++;
  ss_network_rng (world->network, "lookups", stream->life, &stream->rng);
  world->stream = stream;
  if (options->rate > 0)
    send_next (world, stream->life);
}

void
ss_lookups_free (SsWorld *world)
{
  if (world->stream == NULL)
    return;
  ss_truth_free (world->stream->truth);
  g_array_unref (world->stream->lookups);
  g_clear_pointer (&world->stream, g_free);
}

void
ss_lookups_mark (SsWorld *world)
{
  SsLookupStream *stream = world->stream;

  for (unsigned i = stream->marked; i < stream->lookups->len; i++)
    g_array_index (stream->lookups, Lookup, i).counts = false;
  stream->marked = stream->lookups->len;
  stream->n_wrong = stream->n_again = 0;
}

static int
compare_ratios (gconstpointer a, gconstpointer b)
{
  const double *one = a, *other = b;

  return (*one > *other) - (*one < *other);
}

static void
sum_up (const SsWorld *world, SsLookupResult *result)
{
  const SsLookupStream *stream = world->stream;
  GArray *ratios = g_array_new (FALSE, FALSE, sizeof (double));
  double hops = 0, replica_hops = 0, delays = 0, direct = 0, sum = 0;
  double distance = 0;
  uint64_t n = 0;

  for (unsigned i = stream->marked; i < stream->lookups->len; i++) {
    const Lookup *lookup = &g_array_index (stream->lookups, Lookup, i);

    result->n++;
    if (lookup->delay < 0) {
      if (ss_world_member (world, lookup->source)->is_up)
        result->n_lost++;
      else
        result->n_orphans++;
    } else {
      n++;
      hops += lookup->hops;
      replica_hops += MAX (lookup->replica_hops, 0);
      result->hops_max = MAX (result->hops_max, lookup->hops);
      result->by_hops[MIN (lookup->hops, SS_LOOKUP_HOPS - 1)]++;
      distance += (double) lookup->distance;
      delays += (double) lookup->delay;
      direct += (double) lookup->direct;
      if (lookup->direct > 0) {
        double ratio = (double) lookup->delay / (double) lookup->direct;

        sum += ratio;
        g_array_append_val (ratios, ratio);
      }
    }
  }
  result->hops = hops / (double) MAX (n, 1);
  result->replica_hops = replica_hops / (double) MAX (n, 1);
  result->stretch = direct > 0 ? distance / direct : NAN;
  result->delay_ms = delays / (double) MAX (n, 1) / (double) SS_MSEC;
  result->penalty = direct > 0 ? delays / direct : NAN;
  g_array_sort (ratios, compare_ratios);
  result->penalty_mean = sum / MAX (ratios->len, 1);
  if (ratios->len > 0)
    result->penalty_median = g_array_index (ratios, double, ratios->len / 2);
  g_array_unref (ratios);
}

void
ss_lookups_stop (SsWorld *world, SsLookupResult *ret_result)
{
  SsLookupStream *stream = world->stream;
  SsLookupResult result = { .n = 0 };
  SsTime until = ss_world_now (world) + stream->options.wait;

  stream->is_on = false;
  while (stream->n_open > 0 && ss_world_now (world) < until)
    ss_world_run (world, SS_SEC);
  result.n_wrong = stream->n_wrong;
  result.n_again = stream->n_again;
  sum_up (world, &result);
  ss_lookups_free (world);
  *ret_result = result;
}
