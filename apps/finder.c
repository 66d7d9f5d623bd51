/* The search for a station; see finder.h. */
#include "apps/finder.h"

#include "net/stations.h"

#define FIND_AGAIN (300 * SS_MSEC)
/* An answer that not enough of the ring gave is asked for again so often. */
#define INCOMPLETE_MAX 3
/* The pinned station may be about to start: so long it has precedence over
 * the refusal of another with its name. */
#define OTHER_KEY_PATIENCE (2 * SS_SEC)

struct SsFinder {
  SsProgram *program;
  SsHost *host;
  SsFinderUpcalls upcalls;
  void *user;
  char *known_path;
  SsAlarm *again;    /* ask again */
  SsAlarm *deadline; /* give up */
  bool has_ring;
  bool is_asking; /* an answer is awaited; */
  bool is_stale;  /*   not for this search */

  /* Of one search. */
  SsStationSpec station; /* name NULL: none */
  SsTime wait;
  bool has_key; /* asked for, or pinned */
  bool is_pinned;
  SsId key;
  bool asks_any; /* which keys does the name have? */
  unsigned n_incomplete;
  SsTime other_key_until; /* SS_NEVER: no other key was seen */
};

static void on_again (void *user);
static void on_deadline (void *user);

SsFinder *
ss_finder_new (SsProgram *program, SsHost *host, const SsFinderUpcalls *upcalls,
               void *user)
{
  SsFinder *finder = g_new0 (SsFinder, 1);

  finder->program = program;
  finder->host = host;
  finder->upcalls = *upcalls;
  finder->user = user;
  finder->known_path = ss_known_stations_path (ss_host_dirs (host)->data);
  finder->again = ss_alarm_new (NULL, on_again, finder);
  finder->deadline = ss_alarm_new (NULL, on_deadline, finder);
  return finder;
}

void
ss_finder_free (SsFinder *finder)
{
  if (finder == NULL)
    return;
  ss_station_spec_clear (&finder->station);
  ss_alarm_free (finder->again);
  ss_alarm_free (finder->deadline);
  g_free (finder->known_path);
  g_free (finder);
}

void
ss_finder_stop (SsFinder *finder)
{
  ss_station_spec_clear (&finder->station);
  ss_alarm_set (finder->again, SS_NEVER);
  ss_alarm_set (finder->deadline, SS_NEVER);
}

const SsStationSpec *
ss_finder_station (const SsFinder *finder)
{
  return finder->station.name != NULL ? &finder->station : NULL;
}

static void
ask (SsFinder *finder)
{
  /* The node asks as soon as it may, while it is on its way into the ring. */
  if (finder->is_asking || finder->station.name == NULL)
    return;
  finder->is_asking = true;
  finder->is_stale = false;
  ss_node_find (ss_host_node (finder->host), ss_clock_now (),
                finder->station.name,
                finder->has_key && !finder->asks_any ? &finder->key : NULL);
  ss_host_flush (finder->host);
}

static void
ask_later (SsFinder *finder)
{
  ss_alarm_set (finder->again, ss_clock_now () + FIND_AGAIN);
}

static void
on_again (void *user)
{
  ask (user);
}

void
ss_finder_start (SsFinder *finder, SsStationSpec *station, SsTime since,
                 SsTime wait)
{
  ss_finder_stop (finder);
  finder->station = *station;
  *station = (SsStationSpec){ .name = NULL };
  finder->wait = wait;
  finder->has_key = finder->station.has_fingerprint;
  finder->key = finder->station.fingerprint;
  finder->is_pinned =
      !finder->has_key
      && ss_known_stations_find (finder->known_path, finder->station.name,
                                 &finder->key);
  finder->has_key |= finder->is_pinned;
  finder->asks_any = false;
  finder->n_incomplete = 0;
  finder->other_key_until = SS_NEVER;
  finder->is_stale = finder->is_asking;
  ss_alarm_set (finder->deadline, since + wait);
  ask (finder);
}

/* The search is over before the upcall, which may begin another. */
static void
fail (SsFinder *finder, int status, const char *message)
{
  ss_finder_stop (finder);
  finder->upcalls.failed (finder->user, status, message);
}

static void
pin (SsFinder *finder, const char *name, const SsId *fingerprint)
{
  GError *error = NULL;
  SsId known;

  if (ss_known_stations_find (finder->known_path, name, &known))
    return;
  if (!ss_known_stations_pin (finder->known_path, name, fingerprint, &error)) {
    ss_program_say (finder->program, SS_LOG_ERROR, "%s", error->message);
    g_error_free (error);
    return;
  }
  ss_program_say (finder->program, SS_LOG_INFO,
                  "first time here: the key of %s is remembered in %s", name,
                  finder->known_path);
}

static void
found (SsFinder *finder, const SsDescriptor *station)
{
  SsId fingerprint = ss_id_of_key (&station->params.key);

  pin (finder, finder->station.name, &fingerprint);
  ss_finder_stop (finder);
  finder->upcalls.found (finder->user, station);
}

static void
list_stations (SsFinder *finder, const SsEvent *event)
{
  g_autofree char *name = g_strdup (finder->station.name);
  g_autofree char *message = g_strdup_printf (
      "%u stations are called %s; choose one by its key:", event->n_found,
      name);

  fail (finder, SS_NET_ERROR_NO_STATION, message);
  for (unsigned i = 0; i < event->n_found; i++) {
    char text[SS_FINGERPRINT_STRLEN];
    g_autofree char *title = ss_printable (event->found[i].title);

    ss_fingerprint_format (&event->found[i].params.key, text);
    ss_program_say (finder->program, SS_LOG_ERROR, "  ss-listen %s@%s  %s",
                    name, text, title);
  }
}

static void
refuse_other_key (SsFinder *finder)
{
  const char *name = finder->station.name;
  char text[SS_FINGERPRINT_STRLEN];

  ss_fingerprint_format_id (&finder->key, text);
  g_autofree char *message = g_strdup_printf (
      "%s is broadcast with another key than %s, which it had before; it is "
      "not played. If the new key is right, remove the line of %s from %s",
      name, text, name, finder->known_path);

  fail (finder, SS_NET_ERROR_OTHER_KEY, message);
}

/* The pinned key is not on the air: is another under this name? */
static void
consider_others (SsFinder *finder, const SsEvent *event)
{
  SsTime now = ss_clock_now ();

  finder->asks_any = false;
  for (unsigned i = 0; i < event->n_found; i++) {
    SsId id = ss_id_of_key (&event->found[i].params.key);

    if (ss_id_equal (&id, &finder->key)) {
      found (finder, &event->found[i]);
      return;
    }
  }
  if (event->n_found == 0)
    finder->other_key_until = SS_NEVER;
  else if (finder->other_key_until == SS_NEVER)
    finder->other_key_until = now + OTHER_KEY_PATIENCE;
  if (now >= finder->other_key_until)
    refuse_other_key (finder);
  else
    ask_later (finder);
}

static void
on_stations (SsFinder *finder, const SsEvent *event)
{
  finder->is_asking = false;
  if (finder->station.name == NULL)
    return;
  if (finder->is_stale) {
    ask (finder);
    return;
  }
  if (finder->asks_any) {
    consider_others (finder, event);
    return;
  }
  if (event->n_found == 0) {
    finder->asks_any = finder->is_pinned;
    if (finder->asks_any)
      ask (finder);
    else
      ask_later (finder);
    return;
  }
  /* There may be a second key that was not heard of yet. */
  if (!finder->has_key && !event->complete
      && ++finder->n_incomplete < INCOMPLETE_MAX) {
    ask_later (finder);
    return;
  }
  if (event->n_found == 1 || finder->has_key)
    found (finder, &event->found[0]);
  else
    list_stations (finder, event);
}

void
ss_finder_event (SsFinder *finder, const SsEvent *event)
{
  switch (event->type) {
  case SS_EVENT_STATE:
    if (event->state != SS_NODE_JOINED && event->state != SS_NODE_ALONE)
      break;
    finder->has_ring = true;
    ask (finder);
    break;
  case SS_EVENT_STATIONS:
    on_stations (finder, event);
    break;
  default:
    break;
  }
}

static void
on_deadline (void *user)
{
  SsFinder *finder = user;
  double wait = (double) finder->wait / (double) SS_SEC;
  g_autofree char *message = NULL;

  if (!finder->has_ring) {
    g_autofree char *trouble = ss_host_join_trouble (finder->host);

    message = g_strdup_printf (
        "could not join within %g s: %s; check --bootstrap and --realm-key, or "
        "wait longer with --wait",
        wait, trouble);
    fail (finder, SS_NET_ERROR_NOT_JOINED, message);
  } else if (finder->other_key_until != SS_NEVER) {
    refuse_other_key (finder);
  } else {
    message =
        g_strdup_printf ("nobody broadcasts %s (asked for %g s); check the "
                         "name and key, or wait longer with --wait",
                         finder->station.name, wait);
    fail (finder, SS_NET_ERROR_NO_STATION, message);
  }
}
