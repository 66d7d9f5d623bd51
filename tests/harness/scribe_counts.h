/* What a Scribe counts instead of looking for it, counted anew. */
#pragma once

#include "scribe/scribe.h"

void scribe_counts_assert (const SsScribe *scribe);
