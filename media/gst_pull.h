/* A GStreamer pipeline that ends in an application sink, pulled by one
 * thread: how anything but an Ogg file comes in. GStreamer is initialised
 * with the first one, so that plain files need none of it. */
#pragma once

#include <glib.h>
#include <gst/gst.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  SS_GST_PULL_OPUS,  /* decode the first audio stream, encode it as Opus */
  SS_GST_PULL_FLAC,  /* cut a native FLAC file, fed, into its frames */
  SS_GST_PULL_BYTES, /* just fetch what the URI names */
} SsGstPullMode;

/* Fills `buffer` with up to `cap` bytes; 0 at the end. May block: it is called
 * from a thread of GStreamer's. */
typedef size_t (*SsGstFeed) (uint8_t *buffer, size_t cap, gpointer user_data);

typedef struct {
  SsGstPullMode mode;
  const char *uri; /* NULL: the bytes come from `feed` */
  SsGstFeed feed;
  gpointer user_data;
  uint32_t bitrate; /* of the Opus encoder, bit/s */
} SsGstPullOptions;

typedef enum {
  SS_GST_PULL_SAMPLE,
  SS_GST_PULL_AGAIN, /* nothing for a while: look around, then call again */
  SS_GST_PULL_END,
  SS_GST_PULL_ERROR,
} SsGstPullResult;

typedef struct SsGstPull SsGstPull;

/* NULL with SS_MEDIA_ERROR_DECODER if GStreamer lacks what it takes. */
SsGstPull *ss_gst_pull_new (const SsGstPullOptions *options, GError **error);
void ss_gst_pull_free (SsGstPull *pull);

SsGstPullResult ss_gst_pull_next (SsGstPull *pull, GstSample **ret_sample,
                                  GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SsGstPull, ss_gst_pull_free)
