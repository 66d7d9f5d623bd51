/* A fuzz target is one file that defines these two functions. It is built as
 * a libFuzzer program (-Dfuzz=true, with clang) and as a replayer, which
 * runs in every test: over the target's seeds directory, and over random
 * inputs that the target generates itself. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

#define SS_FUZZ_INPUT_MAX 4096

/* Asserts whatever must hold; returns 0. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t len);

/* Writes an input that gets past the first checks; returns its length. The
 * replayer also mutates what it gets. */
size_t ss_fuzz_generate (SsRng *rng, uint8_t ret_data[SS_FUZZ_INPUT_MAX]);
