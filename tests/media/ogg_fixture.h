/* Shared by the media tests: whole streams read into memory and written from
 * it. Links keep their packets in order. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/rng.h"
#include "media/ogg_reader.h"
#include "media/ogg_writer.h"

typedef struct {
  GBytes *data;
  int64_t start;
  uint32_t duration;
} FixturePacket;

typedef struct {
  SsCodecHeaders *headers;
  GArray *packets; /* FixturePacket */
} FixtureLink;

typedef struct {
  GPtrArray *links; /* FixtureLink */
  unsigned n_warnings;
  GError *error; /* what ended it, if not the end */
} Fixture;

/* The committed file tests/media/data/NAME. */
GBytes *fixture_load (const char *name);

/* Reads `data`, pushed in chunks of random length (whole if rng is NULL). */
Fixture *fixture_read (GBytes *data, SsRng *rng);
void fixture_free (Fixture *fixture);

/* Appends the frames of `link` from number `first` on, those left out for
 * which `lost` (may be NULL) is set. */
void fixture_write (SsOggWriter *writer, const FixtureLink *link,
                    unsigned first, const bool *lost, uint8_t version);

/* An SsOggWriterFunc that appends to a GByteArray. */
void fixture_collect (const uint8_t *pages, size_t len, unsigned n_frames,
                      gpointer byte_array);

const FixturePacket *fixture_packet (const FixtureLink *link, unsigned i);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)
