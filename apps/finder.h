/* Looks a station up in the ring, again and again until time is up, and checks
 * its key.
 *
 * Which key: the one that was asked for; else the one that the name is pinned
 * to; else the only one there is, which is then pinned. */
#pragma once

#include "apps/program.h"
#include "net/host.h"
#include "net/station_spec.h"

typedef struct SsFinder SsFinder;

/* One of these ends a search. The descriptor is valid during the call. */
typedef struct {
  void (*found) (void *user, const SsDescriptor *station);
  /* status: an exit status; message: a line for the user. Others may follow
   * on stderr. */
  void (*failed) (void *user, int status, const char *message);
} SsFinderUpcalls;

/* Both stay the caller's and outlive the finder. */
SsFinder *ss_finder_new (SsProgram *program, SsHost *host,
                         const SsFinderUpcalls *upcalls, void *user);
void ss_finder_free (SsFinder *finder);

/* Takes the contents of `station`. A search under way is given up for it.
 * since: from when on it waits. */
void ss_finder_start (SsFinder *finder, SsStationSpec *station, SsTime since,
                      SsTime wait);
void ss_finder_stop (SsFinder *finder);
/* What is looked for; NULL: nothing. */
const SsStationSpec *ss_finder_station (const SsFinder *finder);

/* STATE and STATIONS concern it; others are ignored. */
void ss_finder_event (SsFinder *finder, const SsEvent *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SsFinder, ss_finder_free)
