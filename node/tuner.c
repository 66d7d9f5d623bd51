/* Finding stations in the store and keeping the descriptor of the one that
 * is listened to up to date. A descriptor is read again when packets name
 * what it does not (a new session or header version), and once a second
 * while the publisher is silent, because it may come back as a new session. */
#include "node/private.h"

#include <string.h>

#define TUNER_READ_AGAIN  (500 * SS_MSEC)
#define TUNER_SILENT_POLL (1 * SS_SEC)

static void ask (SsNode *node);
static void answer_find (SsNode *node, const SsStoreRecord *records, unsigned n,
                         bool complete);
static void read_descriptor (SsNode *node);

void
ss_tuner_clear (SsNode *node)
{
  if (node->tuner == NULL)
    return;
  ss_timers_disarm (&node->env.timers, &node->tuner->timer);
  g_free (node->tuner);
}

/* Most nodes of a simulation never look for a station. */
static SsTuner *
get_tuner (SsNode *node)
{
  if (node->tuner == NULL) {
    node->tuner = g_new0 (SsTuner, 1);
    ss_timer_init (&node->tuner->timer, SS_LAYER_NODE, SS_NODE_TIMER_TUNER);
  }
  return node->tuner;
}

void
ss_node_find (SsNode *node, SsTime now, const char *name,
              const SsId *fingerprint)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  SsTuner *tuner = get_tuner (node);

  g_assert (strlen (name) <= SS_STATION_NAME_MAX);
  g_strlcpy (tuner->name, name, sizeof tuner->name);
  tuner->has_fingerprint = fingerprint != NULL;
  if (fingerprint != NULL)
    tuner->fingerprint = *fingerprint;
  tuner->wanted = true;
  tuner->asked = false;
  if (ss_node_has_ring (node))
    ask (node);
}

void
ss_tuner_ring (SsNode *node)
{
  if (node->tuner != NULL && node->tuner->wanted && !node->tuner->asked)
    ask (node);
}

void
ss_node_listen (SsNode *node, SsTime now, const SsDescriptor *station,
                SsTime buffer)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  SsTuner *tuner = get_tuner (node);
  g_assert (tuner->station == NULL);

  SsId fingerprint = ss_id_of_key (&station->params.key);
  tuner->own_slot = ss_store_own_slot (&fingerprint, station->params.name);
  tuner->version = 0;
  tuner->silent = tuner->need_descriptor = false;
  tuner->station = ss_station_listen (node->splitstream, station, buffer);
}

void
ss_node_unlisten (SsNode *node, SsTime now)
{
  g_assert (now >= node->env.now);
  node->env.now = now;
  if (node->tuner == NULL || node->tuner->station == NULL)
    return;
  ss_timers_disarm (&node->env.timers, &node->tuner->timer);
  ss_station_close (node->tuner->station);
  node->tuner->station = NULL;
  ss_node_drop_heard (node);
}

static bool
is_own (const SsTuner *tuner, const SsDescriptor *descriptor)
{
  SsId fingerprint = ss_id_of_key (&descriptor->params.key);
  SsId slot = ss_store_own_slot (&fingerprint, descriptor->params.name);

  return ss_id_equal (&slot, &tuner->own_slot);
}

void
ss_tuner_found (SsNode *node, uint64_t token, const SsStoreRecord *records,
                unsigned n, bool complete)
{
  SsTuner *tuner = node->tuner;

  if (token == SS_TOKEN_FIND) {
    answer_find (node, records, n, complete);
    return;
  }
  tuner->reading = false;
  if (tuner->station == NULL)
    return;
  for (unsigned i = 0; i < n; i++) {
    SsDescriptor descriptor;
    if (records[i].version <= tuner->version
        || !ss_tuner_read_record (&records[i], &descriptor)
        || !is_own (tuner, &descriptor))
      continue; /* perhaps asked for the station before this one */
    tuner->version = records[i].version;
    tuner->need_descriptor = false;
    ss_station_set_descriptor (tuner->station, &descriptor);
  }
  if (tuner->need_descriptor || tuner->silent)
    ss_timers_arm (
        &node->env.timers, &tuner->timer,
        node->env.now
            + (tuner->need_descriptor ? TUNER_READ_AGAIN : TUNER_SILENT_POLL));
}

void
ss_tuner_silent (SsNode *node, bool silent)
{
  node->tuner->silent = silent;
  if (silent)
    read_descriptor (node);
}

void
ss_tuner_need_descriptor (SsNode *node)
{
  node->tuner->need_descriptor = true;
  read_descriptor (node);
}

void
ss_tuner_timer (SsNode *node)
{
  if (node->tuner->station != NULL
      && (node->tuner->silent || node->tuner->need_descriptor))
    read_descriptor (node);
}

bool
ss_tuner_read_record (const SsStoreRecord *record, SsDescriptor *ret)
{
  SsDescriptor descriptor;

  if (record->tombstone
      || !ss_descriptor_decode (record->value, record->value_len, &descriptor)
      || !ss_key_equal (&descriptor.params.key, &record->key)
      || strcmp (descriptor.params.name, record->name) != 0)
    return false;
  *ret = descriptor;
  return true;
}

static void
ask (SsNode *node)
{
  SsTuner *tuner = node->tuner;
  SsId slot = tuner->has_fingerprint
                  ? ss_store_own_slot (&tuner->fingerprint, tuner->name)
                  : ss_store_name_slot (tuner->name);

  tuner->asked = true;
  ss_store_get (node->store, &slot, SS_TOKEN_FIND);
}

static void
answer_find (SsNode *node, const SsStoreRecord *records, unsigned n,
             bool complete)
{
  if (!node->tuner->wanted)
    return;
  node->tuner->wanted = false;
  SsEvent *event = ss_node_push_event (node, SS_EVENT_STATIONS);
  SsDescriptor *found = g_new0 (SsDescriptor, MAX (n, 1));

  for (unsigned i = 0; i < n; i++) {
    if (ss_tuner_read_record (&records[i], &found[event->n_found]))
      event->n_found++;
  }
  event->found = found;
  event->complete = complete;
}

static void
read_descriptor (SsNode *node)
{
  SsTuner *tuner = node->tuner;

  /* One read at a time; the answer's handler arms the timer for the next. */
  if (tuner->reading || ss_timer_is_armed (&tuner->timer))
    return;
  tuner->reading = true;
  ss_store_get (node->store, &tuner->own_slot, SS_TOKEN_DESCRIPTOR);
}
