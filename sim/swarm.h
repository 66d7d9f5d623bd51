/* Many small simulations, each with options drawn from its seed: faults of
 * every kind together, then quiet, then everything must be right again. */
#pragma once

#include "sim/scenario.h"

/* Runs seeds from options->seed on, options->runs of them; says which failed
 * and how to run each again. True if none did. */
bool ss_swarm (const SsSimOptions *options);
