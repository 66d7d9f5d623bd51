/* The papers' experiments, in the papers' own mode, with the paper's figure,
 * ours and the oracle's side by side. */
#pragma once

#include "sim/options.h"

void ss_paper_list (void);
/* paper: "pastry", "mspastry" or "scribe"; table NULL: all of its tables. As
 * CSV into a file, too, unless csv is NULL. Prints what is wrong itself; false
 * then. */
bool ss_paper_run (const char *paper, const char *table, const SsGiven *given,
                   const char *csv);
