/* Streams in memory; see ogg_fixture.h. */
#include "tests/media/ogg_fixture.h"

GBytes *
fixture_load (const char *name)
{
  g_autofree char *path =
      g_build_filename (SS_TEST_DATA_DIR, "media/data", name, NULL);
  char *data;
  gsize len;
  GError *error = NULL;
  g_file_get_contents (path, &data, &len, &error);
  g_assert_no_error (error);
  return g_bytes_new_take (data, len);
}

static void
link_free (gpointer data)
{
  FixtureLink *link = data;
  for (unsigned i = 0; i < link->packets->len; i++)
    g_bytes_unref (g_array_index (link->packets, FixturePacket, i).data);
  g_array_free (link->packets, TRUE);
  ss_codec_headers_free (link->headers);
  g_free (link);
}

static void
take_event (Fixture *fixture, SsOggEvent *event)
{
  FixtureLink *link = NULL;
  if (fixture->links->len > 0)
    link = fixture->links->pdata[fixture->links->len - 1];
  if (event->kind == SS_OGG_HEADERS) {
    link = g_new0 (FixtureLink, 1);
    link->headers = g_steal_pointer (&event->headers);
    link->packets = g_array_new (FALSE, FALSE, sizeof (FixturePacket));
    g_ptr_array_add (fixture->links, link);
  } else if (event->kind == SS_OGG_PACKET) {
    g_assert_nonnull (link);
    FixturePacket packet = { g_steal_pointer (&event->data), event->start,
                             event->duration };
    g_array_append_val (link->packets, packet);
  } else if (event->kind == SS_OGG_WARNING) {
    g_assert_nonnull (event->error);
    fixture->n_warnings++;
  } else if (event->kind == SS_OGG_ERROR) {
    g_assert_nonnull (event->error);
    fixture->error = g_steal_pointer (&event->error);
  }
  ss_ogg_event_clear (event);
}

Fixture *
fixture_read (GBytes *data, SsRng *rng)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->links = g_ptr_array_new_with_free_func (link_free);
  g_autoptr (SsOggReader) reader = ss_ogg_reader_new ();
  size_t len, at = 0;
  const uint8_t *bytes = g_bytes_get_data (data, &len);
  for (;;) {
    SsOggEvent event;
    SsOggEventKind kind = ss_ogg_reader_pull (reader, &event);
    if (kind == SS_OGG_END || kind == SS_OGG_ERROR) {
      take_event (fixture, &event);
      return fixture;
    }
    if (kind != SS_OGG_NEED_DATA) {
      take_event (fixture, &event);
      continue;
    }
    size_t n = len - at;
    if (rng != NULL) {
      size_t chunk = 1 + ss_rng_below (rng, 1u << ss_rng_below (rng, 15));
      n = MIN (n, chunk);
    }
    if (n > 0)
      ss_ogg_reader_push (reader, bytes + at, n);
    else
      ss_ogg_reader_finish (reader);
    at += n;
  }
}

void
fixture_free (Fixture *fixture)
{
  g_ptr_array_unref (fixture->links);
  g_clear_error (&fixture->error);
  g_free (fixture);
}

void
fixture_write (SsOggWriter *writer, const FixtureLink *link, unsigned first,
               const bool *lost, uint8_t version)
{
  SsCodecHeaders *headers = ss_codec_headers_copy (link->headers);
  headers->version = version;
  g_assert_true (ss_ogg_writer_headers (writer, headers));
  for (unsigned i = first; i < link->packets->len; i++) {
    if (lost != NULL && lost[i])
      continue;
    const FixturePacket *packet = fixture_packet (link, i);
    int64_t rate = headers->clock_rate;
    SsFrame frame = {
      .data = packet->data,
      .header_version = version,
      .timestamp = 77 * SS_SEC + packet->start * SS_SEC / rate,
      .duration = packet->duration,
      .number = i,
    };
    g_assert_true (ss_ogg_writer_frame (writer, &frame));
  }
  ss_codec_headers_free (headers);
}

void
fixture_collect (const uint8_t *pages, size_t len, unsigned n_frames,
                 gpointer byte_array)
{
  g_assert_cmpuint (len, >, 0);
  g_byte_array_append (byte_array, pages, (guint) len);
}

const FixturePacket *
fixture_packet (const FixtureLink *link, unsigned i)
{
  g_assert_cmpuint (i, <, link->packets->len);
  return &g_array_index (link->packets, FixturePacket, i);
}
