/* The error domain of media/. */
#include "media/error.h"

G_DEFINE_QUARK (ss - media - error, ss_media_error)
